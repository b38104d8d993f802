//! Taking documents in from clerks.

use bytes::Bytes;
use chancery_bus::{
    NodeError, UnacceptedFault as Fault, content::Spool, fresh::FreshEnvelope, witness,
};
use chancery_certs::{AgencyName, Formats, SignerName};
use chancery_crypto::{Commitment, ContentKey, Digest, PartSealer, cbor};
use chancery_ledger::{
    Commit, Outcome,
    records::{DeliveryRecord, EnvelopeRecord, delivery_key, index},
    unix_now,
};
use chancery_protocol::{
    ContentSealer, DocumentHeader, DocumentId, EnvelopeHeader, EnvelopeId, Event, Indication, Leaf,
    PartContent, Recipient, RecipientPart, RecipientParts, SignedDocument, VerifiedDocument,
    commit_to_document, recipient_info,
};
use chancery_store::{Blocking, Feed, Table, in_place};

use crate::{
    Office,
    access::{Action, Caller, Object},
    acts::{self, ActRecord, CheckedAct, Effect},
    decider,
    finding::object,
    request_key::RequestKey,
};

/// A document of so many bytes is to few recipients: each has a key wrapped, which takes a sixth of a millisecond.
const SMALL: usize = 4 << 10;

/// Parts of so many bytes take less than another thread takes to stand in for this one.
const QUICK: usize = 64 * 1024;

/// A submission that takes in its parts: few bytes at the end, in one go, and many while the next are being read.
pub(crate) enum Filling {
    /// Of parts that fit into the store, what has come.
    Small(Box<Submission>, Vec<u8>),
    /// Of larger ones.
    Large(Feed<Submission, NodeError>),
}

impl Filling {
    /// Whether its parts fit into the store.
    pub(crate) fn is_small(&self) -> bool {
        matches!(self, Self::Small(..))
    }

    /// Takes the next bytes of the parts, of which no more may be handed over than the header says.
    pub(crate) async fn push(&mut self, bytes: Bytes) -> Result<(), NodeError> {
        match self {
            Self::Small(_, gathered) => {
                gathered.extend_from_slice(&bytes);
                Ok(())
            }
            Self::Large(feed) => feed.push(bytes).await,
        }
    }

    /// Seals the envelope and syncs a large ciphertext. Nothing is visible yet.
    pub(crate) async fn seal(self, office: &Office) -> Result<SealedSubmission, NodeError> {
        match self {
            Self::Small(mut submission, gathered) => {
                let quick = gathered.len() <= QUICK;
                let seal = || {
                    submission.push(&gathered)?;
                    submission.read_part(&gathered);
                    submission.seal(office)
                };
                if quick { seal() } else { in_place(|_| seal()) }
            }
            Self::Large(feed) => {
                let submission = feed.finish().await?;
                in_place(|_| submission.seal(office))
            }
        }
    }
}

/// A document from a clerk, being sealed into an envelope.
#[derive(Debug)]
pub(crate) struct Submission {
    /// What a module is to decide, and by which lists it was verified.
    filed: Option<(chancery_apps::Document, Digest)>,
    /// How an act takes effect, of which only the first does.
    effect: Option<Effect>,
    /// The request that it came with, if that is to be done once only.
    request: Option<RequestKey>,
    key: ContentKey,
    salt: Digest,
    document: SignedDocument,
    recipients: Vec<Recipient>,
    /// What is told to each recipient alone, in their order.
    told: Vec<Option<(PartContent, PartSealer)>>,
    sealer: ContentSealer,
    spool: Spool,
    buffer: Vec<u8>,
}

/// What a clerk is told of an accepted submission.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The envelope in which it goes.
    pub envelope: EnvelopeId,
    /// The document.
    pub document: DocumentId,
    /// To whom it goes.
    pub recipients: Vec<AgencyName>,
    /// The number of each copy that has one.
    pub copies: Vec<(AgencyName, u64)>,
    /// What a module has decided, if it was filed with one.
    pub applied: Option<chancery_apps::Applied>,
}

/// Verifies a document that is to go out.
fn verify_own(office: &Office, document: SignedDocument) -> Result<VerifiedDocument, NodeError> {
    let (own, from) = (&office.identity().agency, &document.header().from);
    // A party is named by its registrar, whose agency this need not be; it files here, and sends nothing.
    let filed_here = document.header().filing.as_ref().is_some_and(|filing| filing.home == *own);
    if from != own && !(filed_here && document.header().is_internal()) {
        return Err(refuse(Fault::OtherAgency { from: from.clone(), own: own.clone() }));
    }
    let (own, from) = (own.clone(), from.clone());
    let verified = office.verify(document).passed().map_err(|judged| {
        let report = judged.report();
        let bad = report.signatures.iter().map(|s| &s.finding).chain(&report.findings);
        let bad = bad.filter(|f| f.indication != Indication::TotalPassed);
        refuse(Fault::Unverified(bad.cloned().collect()))
    })?;
    let first = verified.report().signatures.first().and_then(|one| one.signer.as_ref());
    match first {
        Some(SignerName::Party(_)) if !verified.header().is_internal() => {
            Err(refuse(Fault::SendsNothing))
        }
        Some(SignerName::Party(_)) => Ok(verified),
        _ if from != own => Err(refuse(Fault::OtherAgency { from, own })),
        _ => Ok(verified),
    }
}

fn refuse(fault: Fault) -> NodeError {
    NodeError::NotAccepted(fault)
}

impl Submission {
    /// Checks a signed document that somebody hands in, asks the rules whether its signer may do this, and adds the
    /// agency's seal. Its parts must follow through [`Submission::push`]. With `first`, each recipient's copy has a number,
    /// from that one on.
    ///
    /// Every door comes in here, on an async worker. What is small, and waits for nothing, is done on it: that takes less
    /// than another thread takes to stand in for this one.
    pub(crate) fn begin(
        office: &Office,
        caller: &Caller,
        document: &[u8],
        first: Option<u64>,
    ) -> Result<Self, NodeError> {
        let small = document.len() <= SMALL;
        let read = || SignedDocument::decode(document);
        let document = if small { read() } else { in_place(|_| read()) }?;
        if acts::may_be(document.header()) {
            return in_place(|here| {
                let id = document.id();
                let check = |header: &DocumentHeader| acts::check(here, office, id, header);
                Self::admit(office, caller, document, first, check)
            });
        }
        let begin = || Self::admit(office, caller, document, first, |_| Ok(None));
        if small { begin() } else { in_place(|_| begin()) }
    }

    fn admit(
        office: &Office,
        caller: &Caller,
        document: SignedDocument,
        first: Option<u64>,
        check: impl Fn(&DocumentHeader) -> Result<Option<CheckedAct>, NodeError>,
    ) -> Result<Self, NodeError> {
        let verified = verify_own(office, document)?;
        let header = verified.header();
        // What older programs signed is read, and goes out no more.
        header.check_new()?;
        // Who signed first answers for it; the others stand by what they signed.
        let signer = verified.report().signatures.first().and_then(|s| s.signer.as_ref());
        let signer = Caller::of(signer.ok_or_else(|| refuse(Fault::Unsigned))?);
        if signer.party().is_some() {
            return Self::admit_party(office, caller, &signer, verified);
        }
        // Before anything is looked for: who may do nothing here does not learn which documents there are.
        office.access.could(&signer, Action::SEAL)?;
        let act = match header.filing {
            // What a module decides is an act of that module, whatever it is called.
            Some(_) => None,
            None => check(header)?,
        };
        let (action, object) = match &act {
            Some(act) => (act.action, object(&act.on)),
            None => (Action::SEND, Object::Document(header, false)),
        };
        let access = &office.access;
        access.check(&signer, caller, action, object)?;
        access.check(&signer, caller, Action::SEAL, Object::Document(header, false))?;
        Self::take(office, verified, act.and_then(|act| act.effect), first)
    }

    /// Takes what an enterprise or a citizen files. Whoever comes in as one hands in its own documents.
    fn admit_party(
        office: &Office,
        caller: &Caller,
        signer: &Caller,
        verified: VerifiedDocument,
    ) -> Result<Self, NodeError> {
        let of_itself = caller.party().is_none() || caller == signer;
        let object = Object::Document(verified.header(), false);
        office.access.check(signer, caller, Action::FILE, object)?;
        if !of_itself {
            let why = format!("{caller} hands in a document of {signer}");
            let rule = "parties hand in their own documents".to_owned();
            return Err(NodeError::NotPermitted { rule, why });
        }
        Self::take(office, verified, None, None)
    }

    /// Takes a document of the node itself.
    pub(crate) fn of_node(office: &Office, document: SignedDocument) -> Result<Self, NodeError> {
        let verified = verify_own(office, document)?;
        Self::take(office, verified, None, None)
    }

    /// Has it recorded together with the request that it came with.
    pub(crate) fn once(&mut self, request: RequestKey) {
        self.request = Some(request);
    }

    fn take(
        office: &Office,
        document: VerifiedDocument,
        effect: Option<Effect>,
        first: Option<u64>,
    ) -> Result<Self, NodeError> {
        let identity = office.identity();
        let now = unix_now();
        let header = document.header();
        let filed = filed(office, &document)?;
        let directory = office.directory()?;
        let key = ContentKey::generate()?;
        let (mut recipients, mut told) = (Vec::new(), Vec::new());
        for (place, agency) in (0u64..).zip(header.recipients()) {
            if *agency == identity.agency && !header.is_internal() {
                return Err(refuse(Fault::ToItself(agency.clone())));
            }
            let peer = directory.peer(agency)?;
            // The directory was verified when it came; it may have been long ago.
            if peer.encryption_expires < now {
                return Err(refuse(Fault::KeyEnded {
                    agency: agency.clone(),
                    until: peer.encryption_expires,
                }));
            }
            let info = recipient_info(&identity.agency, agency);
            // What a node does not read is not sent to it.
            let first = first.filter(|_| directory.reads(agency, Formats::ENVELOPE, 2));
            let (wrapped, part) = match first.map(|first| first.checked_add(place)) {
                None => (peer.encryption.wrap(&key, &info)?, None),
                Some(None) => return Err(refuse(Fault::CopyNumbers)),
                Some(copy) => {
                    let (wrapped, sealer) = peer.encryption.wrap_with_part(&key, &info)?;
                    (wrapped, Some((PartContent { copy }, sealer)))
                }
            };
            recipients.push(Recipient { agency: agency.clone(), key: wrapped });
            told.push(part);
        }
        let document = document.into_document();
        let document = document.add_signature(&identity.seal(), Commitment::Origin, now)?;
        let salt = Digest::from_bytes(chancery_crypto::random()?);
        let mut buffer = Vec::new();
        let sealer = ContentSealer::new(&key, &salt, &document, &mut buffer)?;
        let spool = office.content().spool(office.config().limits.inline_bytes)?;
        let request = None;
        Ok(Self {
            filed,
            effect,
            request,
            key,
            salt,
            document,
            recipients,
            told,
            sealer,
            spool,
            buffer,
        })
    }

    /// Keeps the bytes of the part that the module reads, if it reads one.
    fn read_part(&mut self, parts: &[u8]) {
        let one = self.document.header().parts.len() == 1;
        if let Some((filed, _)) = self.filed.as_mut().filter(|_| one) {
            filed.part = Some(parts.to_vec());
        }
    }

    /// The bytes of parts that must follow.
    pub(crate) fn parts_size(&self) -> u64 {
        self.document.header().parts_size()
    }

    /// Takes the next bytes of the parts.
    fn push(&mut self, bytes: &[u8]) -> Result<(), NodeError> {
        self.sealer.push(bytes, &mut self.buffer)?;
        self.spool.write(&mut self.buffer)
    }

    /// Goes on to take in its parts.
    pub(crate) fn fill(self, office: &Office) -> Filling {
        match self.parts_size() <= office.config().limits.inline_bytes {
            true => Filling::Small(Box::new(self), Vec::new()),
            false => Filling::Large(Feed::new(self, Self::push)),
        }
    }

    /// Seals the envelope and syncs a large ciphertext. Nothing is visible yet.
    pub(crate) fn seal(mut self, office: &Office) -> Result<SealedSubmission, NodeError> {
        let identity = office.identity();
        let now = unix_now();
        let sealed = self.sealer.finish(&mut self.buffer)?;
        self.spool.write(&mut self.buffer)?;
        let limits = &office.config().limits;
        if sealed.size > limits.envelope_bytes {
            return Err(refuse(Fault::TooLarge {
                bytes: sealed.size,
                limit: limits.envelope_bytes,
            }));
        }
        let header = EnvelopeHeader {
            sender: identity.agency.clone(),
            recipients: self.recipients,
            size: sealed.size,
            root: sealed.root,
            commitment: commit_to_document(&self.salt, &self.document.id()),
            urgency: self.document.header().urgency,
            created: now,
            expires: now + i64::from(limits.expiry_hours) * 3600,
        };
        let id = header.id()?;
        let (mut parts, mut copies) = (Vec::new(), Vec::new());
        for (recipient, told) in header.recipients.iter().zip(self.told) {
            let Some((content, sealer)) = told else {
                parts.push(None);
                continue;
            };
            copies.extend(content.copy.map(|copy| (recipient.agency.clone(), copy)));
            parts.push(Some(RecipientPart::seal(&content, &id, sealer)?));
        }
        let parts = RecipientParts::new(parts);
        let envelope = header.seal_with(&parts, &identity.seal(), now)?;
        let own_key =
            identity.encryption().storage.seal(&self.key, header.commitment.as_bytes())?;
        let inline = office.content().keep(self.spool.finish()?, &id)?;
        let fresh = inline.as_ref().map(|content| FreshEnvelope {
            header: header.clone(),
            parts: parts.clone(),
            sealed: envelope.clone(),
            content: content.clone(),
        });
        let record = EnvelopeRecord {
            sealed: envelope,
            incoming: false,
            time: office.micros(),
            in_file: inline.is_none(),
            own_key: Some(own_key.into()),
            purged: None,
            transit: false,
        };
        let mut commit = Commit::default();
        record.put(&id, &mut commit.batch)?;
        index(&mut commit.batch, &id, self.document.header(), &self.document.id());
        if let Some(inline) = inline {
            commit.batch.put(Table::Content, *id.digest().as_bytes(), inline);
        }
        for recipient in &header.recipients {
            commit.leaves.push(Leaf {
                event: Event::SubmissionAcceptance,
                envelope: id,
                commitment: header.commitment,
                counterpart: recipient.agency.clone(),
                time: now,
                evidence: parts.of(&header, &recipient.agency).map(|part| part.commitment),
            });
            if recipient.agency == identity.agency {
                // It is where it belongs.
                continue;
            }
            let key = delivery_key(&id, &recipient.agency);
            let pending =
                DeliveryRecord::pending(now, witness::seen_size(office, &recipient.agency)?);
            commit.batch.put(Table::Deliveries, key.clone(), cbor::encode(&pending)?);
            commit.batch.put(Table::Pending, key, []);
        }
        if let Some(request) = &self.request {
            let recipients = header.recipients.iter().map(|r| r.agency.clone()).collect();
            let document = self.document.id();
            let done =
                Accepted { envelope: id, document, recipients, copies: Vec::new(), applied: None };
            request.put(&done, now, &mut commit)?;
        }
        if let Some(effect) = &self.effect {
            let (kind, document) = (self.document.header().kind.clone(), self.document.id());
            let module = Some(self.document.header().module.clone());
            effect.put(&ActRecord { kind, document, time: now, module }, &mut commit)?;
        }
        let document = self.document.id();
        let Self { filed, effect, request, .. } = self;
        Ok(SealedSubmission { id, document, header, copies, fresh, commit, filed, effect, request })
    }
}

/// A submission that only waits for its commit.
#[derive(Debug)]
pub(crate) struct SealedSubmission {
    id: EnvelopeId,
    document: DocumentId,
    header: EnvelopeHeader,
    /// The number of each copy that has one.
    copies: Vec<(AgencyName, u64)>,
    /// What the courier need not read back.
    fresh: Option<FreshEnvelope>,
    commit: Commit,
    /// What a module is to decide, and by which lists it was verified.
    filed: Option<(chancery_apps::Document, Digest)>,
    /// How an act takes effect, of which only the first does.
    effect: Option<Effect>,
    /// The request that it came with, if that is to be done once only.
    request: Option<RequestKey>,
}

/// What a module is to decide, if a document is filed with one. What another ledger decides goes there: it is a request. Here it only
/// discharges what was owed, when the seal alone makes it.
fn filed(
    office: &Office,
    document: &VerifiedDocument,
) -> Result<Option<(chancery_apps::Document, Digest)>, NodeError> {
    let Some(filing) = &document.header().filing else { return Ok(None) };
    let own = &office.identity().agency;
    let goes_there = document.header().recipients().contains(&&filing.home);
    let signers = document.report().signatures.iter().filter_map(|one| one.signer.as_ref());
    let by_seal = signers.into_iter().all(|signer| signer.to_string() == own.as_str());
    if filing.home != *own && goes_there && !by_seal {
        return Ok(None);
    }
    if filing.home != *own && !goes_there {
        return Err(refuse(Fault::OtherAgency { from: filing.home.clone(), own: own.clone() }));
    }
    let lists = *document.lists();
    Ok(Some((chancery_apps::Document::of(document, None), lists)))
}

impl SealedSubmission {
    /// Has a record of [`Table::Modules`] deleted with it.
    pub(crate) fn and_forget(mut self, key: Vec<u8>) -> Self {
        self.commit.batch.delete(Table::Modules, key);
        self
    }

    /// Makes the submission durable and starts its delivery.
    pub(crate) async fn commit(mut self, office: &Office) -> Result<Accepted, NodeError> {
        if self.filed.is_some() {
            return in_place(|here| self.commit_blocking(here, office));
        }
        match office.ledger().commit(std::mem::take(&mut self.commit)).await? {
            Outcome::Committed(_) => Ok(self.committed(office)),
            Outcome::Stale(table, _) => in_place(|here| self.stale(here, office, table)),
        }
    }

    /// As [`SealedSubmission::commit`], from a thread that may block.
    pub(crate) fn commit_blocking(
        mut self,
        here: &Blocking,
        office: &Office,
    ) -> Result<Accepted, NodeError> {
        if let Some((filed, lists)) = self.filed.take() {
            let commit = std::mem::take(&mut self.commit);
            return match decider::file(here, office, filed, lists, self.id, commit) {
                Ok((Outcome::Committed(_), applied)) => {
                    Ok(Accepted { applied: Some(applied), ..self.committed(office) })
                }
                Ok((Outcome::Stale(table, _), _)) => self.stale(here, office, table),
                Err(error) => {
                    // A large content that was named already is not spoken of by anything.
                    office.content().remove(&self.id)?;
                    Err(error)
                }
            };
        }
        match office.ledger().commit_blocking(here, std::mem::take(&mut self.commit))? {
            Outcome::Committed(_) => Ok(self.committed(office)),
            Outcome::Stale(table, _) => self.stale(here, office, table),
        }
    }

    /// Something else was committed first that does not let this be.
    fn stale(self, here: &Blocking, office: &Office, table: Table) -> Result<Accepted, NodeError> {
        // A large content that was named already is not spoken of by anything.
        office.content().remove(&self.id)?;
        match (table, &self.request, &self.effect) {
            // Something was done under the same key at the same time: this, or another.
            (Table::Requests, Some(request), _) => {
                let done = request.get(here, office)?;
                let gone = || NodeError::damaged("a request that was done is gone");
                done.ok_or_else(gone)?.answer(&self.document)
            }
            (Table::Modules, _, Some(Effect(on))) => Err(acts::too_late(here, office, on)),
            _ => Err(NodeError::damaged("an envelope id stands twice")),
        }
    }

    fn committed(self, office: &Office) -> Accepted {
        let recipients = self.header.recipients.iter().map(|r| r.agency.clone());
        // What belongs here goes nowhere.
        let own = &office.identity().agency;
        let recipients: Vec<_> = recipients.filter(|recipient| recipient != own).collect();
        office.deliver(self.id, self.fresh, &recipients, self.header.urgency);
        let copies = self.copies;
        Accepted { envelope: self.id, document: self.document, recipients, copies, applied: None }
    }
}
