//! Documents inside envelopes: taking them in from clerks, and opening what is kept.

use std::{collections::HashSet, sync::Arc, time::Instant};

use bytes::Bytes;
use chancery_certs::{AgencyName, Certificate, Formats, rfc3339};
use chancery_crypto::{CHUNK_SIZE, Commitment, ContentKey, Digest, PartSealer, cbor};
use chancery_protocol::{
    ContentOpener, ContentSealer, DocumentHeader, DocumentId, EnvelopeHeader, EnvelopeId, Event,
    Evidence, Indication, Leaf, OpenedEnvelope, OpenedPart, Opening, PartContent, ProtocolError,
    Recipient, RecipientPart, RecipientParts, SignedDocument, VerificationReport, check_inside,
    commit_to_document, recipient_info,
};
use serde::{Deserialize, Serialize};

use crate::{
    Commit, NodeError, Outcome,
    access::{Action, Caller, Object},
    acts::{self, ActRecord, CheckedAct, Effect},
    content::{PlainReader, Spool},
    desk,
    files::{Blocking, Feed, in_place},
    fresh::FreshEnvelope,
    heads::OpenedHead,
    ledger::receipt_key,
    records::{
        DeliveryRecord, EnvelopeRecord, ReceivedEvidence, delivery_key, index, indexed_envelope,
        journal_envelope,
    },
    shared::Shared,
    store::{Batch, Store, Table},
    unix_now, witness,
};

/// The most index entries that one look-up reads.
const MAX_FOUND: usize = 10_000;

/// A document of so many bytes is to few recipients: each has a key wrapped, which takes a sixth of a millisecond.
const SMALL: usize = 4 << 10;
/// Parts of so many bytes take less than another thread takes to stand in for this one.
const QUICK: usize = 64 * 1024;

/// A submission that takes in its parts: few bytes at the end, in one go, and many while the next are being read.
pub enum Filling {
    /// Of parts that fit into the store, what has come.
    Small(Box<Submission>, Vec<u8>),
    /// Of larger ones.
    Large(Feed<Submission>),
}

impl Filling {
    /// Whether its parts fit into the store.
    pub fn is_small(&self) -> bool {
        matches!(self, Self::Small(..))
    }

    /// Takes the next bytes of the parts, of which no more may be handed over than the header says.
    pub async fn push(&mut self, bytes: Bytes) -> Result<(), NodeError> {
        match self {
            Self::Small(_, gathered) => {
                gathered.extend_from_slice(&bytes);
                Ok(())
            }
            Self::Large(feed) => feed.push(bytes).await,
        }
    }

    /// Seals the envelope and syncs a large ciphertext. Nothing is visible yet.
    pub async fn seal(self, shared: &Shared) -> Result<SealedSubmission, NodeError> {
        match self {
            Self::Small(mut submission, gathered) => {
                let quick = gathered.len() <= QUICK;
                let seal = || {
                    submission.push(&gathered)?;
                    submission.seal(shared)
                };
                if quick { seal() } else { in_place(|_| seal()) }
            }
            Self::Large(feed) => {
                let submission = feed.finish().await?;
                in_place(|_| submission.seal(shared))
            }
        }
    }
}

/// A document from a clerk, being sealed into an envelope.
#[derive(Debug)]
pub struct Submission {
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
    pub envelope: EnvelopeId,
    pub document: DocumentId,
    pub recipients: Vec<AgencyName>,
    /// The number of each copy that has one.
    pub copies: Vec<(AgencyName, u64)>,
}

/// A request that is to be done once only, however often it comes.
#[derive(Debug, Clone)]
pub struct RequestKey(Vec<u8>);

/// A request that was done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DoneRequest {
    time: i64,
    document: DocumentId,
    envelope: EnvelopeId,
    recipients: Vec<AgencyName>,
}

impl RequestKey {
    /// The key that a caller has given to a request.
    pub fn new(caller: &Caller, key: &str) -> Self {
        Self([caller.name().as_bytes(), &[0], key.as_bytes()].concat())
    }

    /// What became of the request, if it was done.
    pub fn get(&self, shared: &Shared) -> Result<Option<DoneRequest>, NodeError> {
        let done = shared.store.get(Table::Requests, &self.0)?;
        Ok(done.map(|done| cbor::decode(&done)).transpose()?)
    }

    fn put(&self, accepted: &Accepted, time: i64, commit: &mut Commit) -> Result<(), NodeError> {
        let Accepted { envelope, document, recipients, .. } = accepted.clone();
        let done = DoneRequest { time, document, envelope, recipients };
        commit.batch.put(Table::Requests, self.0.clone(), cbor::encode(&done)?);
        commit.absent.push((Table::Requests, self.0.clone()));
        Ok(())
    }
}

impl DoneRequest {
    /// The answer that was given, if the request was about this document.
    ///
    /// # Errors
    /// [`NodeError::RequestReused`] when it was about another.
    pub fn answer(self, document: &DocumentId) -> Result<Accepted, NodeError> {
        if self.document != *document {
            return Err(NodeError::RequestReused(self.document.to_string()));
        }
        let Self { document, envelope, recipients, .. } = self;
        Ok(Accepted { envelope, document, recipients, copies: Vec::new() })
    }
}

/// Forgets requests that were done before a time.
pub fn forget_requests(shared: &Shared, before: i64) -> Result<(), NodeError> {
    let mut batch = Batch::default();
    for (key, done) in shared.store.scan(Table::Requests, &[], &[], usize::MAX)? {
        let done: DoneRequest = cbor::decode(&done)?;
        if done.time < before {
            batch.delete(Table::Requests, key);
        }
    }
    shared.store.write(batch)
}

/// Verifies a document that is to go out.
fn verify_own(shared: &Shared, document: &SignedDocument) -> Result<VerificationReport, NodeError> {
    let (own, from) = (&shared.identity.agency, &document.header().from);
    if from != own {
        return Err(refuse(format!("it is from {from}, and this is the node of {own}")));
    }
    let report = shared.verify(document);
    if report.indication != Indication::TotalPassed {
        let bad = report.signatures.iter().map(|s| &s.finding).chain(&report.findings);
        let bad = bad.filter(|f| f.indication != Indication::TotalPassed);
        let why: Vec<_> = bad.map(|f| f.sentence.as_str()).collect();
        return Err(refuse(why.join("; ")));
    }
    Ok(report)
}

fn refuse(why: impl Into<String>) -> NodeError {
    NodeError::NotAccepted(why.into())
}

impl Submission {
    /// Checks a signed document that somebody hands in, asks the rules whether its signer may do this, and adds the
    /// agency's seal. Its parts must follow through [`Submission::push`]. With `first`, each recipient's copy has a number,
    /// from that one on.
    ///
    /// Every door comes in here, on an async worker. What is small, and waits for nothing, is done on it: that takes less
    /// than another thread takes to stand in for this one.
    pub fn begin(
        shared: &Shared,
        caller: &Caller,
        document: &[u8],
        first: Option<u64>,
    ) -> Result<Self, NodeError> {
        let small = document.len() <= SMALL;
        let read = || SignedDocument::decode(document);
        let document = if small { read() } else { in_place(|_| read()) }?;
        if acts::may_be(document.header()) {
            return in_place(|here| {
                let check = |header: &DocumentHeader| acts::check(here, shared, header);
                Self::admit(shared, caller, document, first, check)
            });
        }
        let begin = || Self::admit(shared, caller, document, first, |_| Ok(None));
        if small { begin() } else { in_place(|_| begin()) }
    }

    fn admit(
        shared: &Shared,
        caller: &Caller,
        document: SignedDocument,
        first: Option<u64>,
        check: impl Fn(&DocumentHeader) -> Result<Option<CheckedAct>, NodeError>,
    ) -> Result<Self, NodeError> {
        let report = verify_own(shared, &document)?;
        let header = document.header();
        // What older programs signed is read, and goes out no more.
        header.check_new()?;
        // Who signed first answers for it; the others stand by what they signed.
        let signer = report.signatures.first().and_then(|s| s.signer.as_ref());
        let signer = Caller::signer(signer.ok_or_else(|| refuse("nobody has signed it"))?);
        // Before anything is looked for: who may do nothing here does not learn which documents there are.
        shared.access.could(&signer, Action::Seal)?;
        let act = check(header)?;
        let (action, object) = match &act {
            Some(act) => (act.action, desk::object(&act.on)),
            None => (Action::Send, Object::Document(header, false)),
        };
        let access = &shared.access;
        access.check(&signer, caller, action, object)?;
        access.check(&signer, caller, Action::Seal, Object::Document(header, false))?;
        Self::take(shared, document, act.and_then(|act| act.effect), first)
    }

    /// Takes a document of the node itself.
    pub fn of_node(shared: &Shared, document: SignedDocument) -> Result<Self, NodeError> {
        verify_own(shared, &document)?;
        Self::take(shared, document, None, None)
    }

    /// Has it recorded together with the request that it came with.
    pub fn once(&mut self, request: RequestKey) {
        self.request = Some(request);
    }

    fn take(
        shared: &Shared,
        document: SignedDocument,
        effect: Option<Effect>,
        first: Option<u64>,
    ) -> Result<Self, NodeError> {
        let identity = &shared.identity;
        let now = unix_now();
        let header = document.header();
        let directory = shared.directory()?;
        let key = ContentKey::generate()?;
        let (mut recipients, mut told) = (Vec::new(), Vec::new());
        for (place, agency) in (0u64..).zip(header.recipients()) {
            if *agency == identity.agency {
                return Err(refuse(format!("{agency} cannot send to itself")));
            }
            let peer = directory.peer(agency)?;
            // The directory was verified when it came; it may have been long ago.
            if peer.encryption_expires < now {
                return Err(refuse(format!(
                    "the encryption key of {agency} was for use until {}; a newer directory is \
                     needed",
                    rfc3339(peer.encryption_expires)
                )));
            }
            let info = recipient_info(&identity.agency, agency);
            // What a node does not read is not sent to it.
            let first = first.filter(|_| directory.reads(agency, Formats::ENVELOPE, 2));
            let (wrapped, part) = match first.map(|first| first.checked_add(place)) {
                None => (peer.encryption.wrap(&key, &info)?, None),
                Some(None) => return Err(refuse("the copies have no numbers that large")),
                Some(copy) => {
                    let (wrapped, sealer) = peer.encryption.wrap_with_part(&key, &info)?;
                    (wrapped, Some((PartContent { copy }, sealer)))
                }
            };
            recipients.push(Recipient { agency: agency.clone(), key: wrapped });
            told.push(part);
        }
        let document = document.add_signature(&identity.seal(), Commitment::Origin, now)?;
        let salt = Digest::from_bytes(chancery_crypto::random()?);
        let mut buffer = Vec::new();
        let sealer = ContentSealer::new(&key, &salt, &document, &mut buffer)?;
        let spool = shared.content.spool(shared.config.limits.inline_bytes)?;
        let request = None;
        Ok(Self { effect, request, key, salt, document, recipients, told, sealer, spool, buffer })
    }

    /// The bytes of parts that must follow.
    pub fn parts_size(&self) -> u64 {
        self.document.header().parts_size()
    }

    /// Takes the next bytes of the parts.
    fn push(&mut self, bytes: &[u8]) -> Result<(), NodeError> {
        self.sealer.push(bytes, &mut self.buffer)?;
        self.spool.write(&mut self.buffer)
    }

    /// Goes on to take in its parts.
    pub fn fill(self, shared: &Shared) -> Filling {
        match self.parts_size() <= shared.config.limits.inline_bytes {
            true => Filling::Small(Box::new(self), Vec::new()),
            false => Filling::Large(Feed::new(self, Self::push)),
        }
    }

    /// Seals the envelope and syncs a large ciphertext. Nothing is visible yet.
    pub fn seal(mut self, shared: &Shared) -> Result<SealedSubmission, NodeError> {
        let identity = &shared.identity;
        let now = unix_now();
        let sealed = self.sealer.finish(&mut self.buffer)?;
        self.spool.write(&mut self.buffer)?;
        let limits = &shared.config.limits;
        if sealed.size > limits.envelope_bytes {
            return Err(refuse(format!(
                "sealed it has {} bytes; the limit here is {}",
                sealed.size, limits.envelope_bytes
            )));
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
        let inline = shared.content.keep(self.spool.finish()?, &id)?;
        let fresh = inline.as_ref().map(|content| FreshEnvelope {
            header: header.clone(),
            parts: parts.clone(),
            sealed: envelope.clone(),
            content: content.clone(),
        });
        let record = EnvelopeRecord {
            sealed: envelope,
            incoming: false,
            time: shared.micros(),
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
            let key = delivery_key(&id, &recipient.agency);
            let pending =
                DeliveryRecord::pending(now, witness::seen_size(shared, &recipient.agency)?);
            commit.batch.put(Table::Deliveries, key.clone(), cbor::encode(&pending)?);
            commit.batch.put(Table::Pending, key, []);
        }
        if let Some(request) = &self.request {
            let recipients = header.recipients.iter().map(|r| r.agency.clone()).collect();
            let document = self.document.id();
            let done = Accepted { envelope: id, document, recipients, copies: Vec::new() };
            request.put(&done, now, &mut commit)?;
        }
        if let Some(effect) = &self.effect {
            let (kind, document) = (self.document.header().kind.clone(), self.document.id());
            let module = Some(self.document.header().module.clone());
            effect.put(&ActRecord { kind, document, time: now, module }, &mut commit)?;
        }
        let document = self.document.id();
        let Self { effect, request, .. } = self;
        Ok(SealedSubmission { id, document, header, copies, fresh, commit, effect, request })
    }
}

/// A submission that only waits for its commit.
#[derive(Debug)]
pub struct SealedSubmission {
    id: EnvelopeId,
    document: DocumentId,
    header: EnvelopeHeader,
    /// The number of each copy that has one.
    copies: Vec<(AgencyName, u64)>,
    /// What the courier need not read back.
    fresh: Option<FreshEnvelope>,
    commit: Commit,
    /// How an act takes effect, of which only the first does.
    effect: Option<Effect>,
    /// The request that it came with, if that is to be done once only.
    request: Option<RequestKey>,
}

impl SealedSubmission {
    /// Has a record of [`Table::Modules`] deleted with it.
    pub fn and_forget(mut self, key: Vec<u8>) -> Self {
        self.commit.batch.delete(Table::Modules, key);
        self
    }

    /// Makes the submission durable and starts its delivery.
    pub async fn commit(mut self, shared: &Shared) -> Result<Accepted, NodeError> {
        let outcome = shared.ledger.commit(std::mem::take(&mut self.commit)).await?;
        self.committed(shared, &outcome)
    }

    /// As [`SealedSubmission::commit`], from a thread that may block.
    pub fn commit_blocking(
        mut self,
        here: &Blocking,
        shared: &Shared,
    ) -> Result<Accepted, NodeError> {
        let outcome = shared.ledger.commit_blocking(here, std::mem::take(&mut self.commit))?;
        self.committed(shared, &outcome)
    }

    fn committed(self, shared: &Shared, outcome: &Outcome) -> Result<Accepted, NodeError> {
        if let Outcome::Exists(table, _) = outcome {
            // A large content that was named already is not spoken of by anything.
            shared.content.remove(&self.id)?;
            return match (table, &self.request, &self.effect) {
                // Something was done under the same key at the same time: this, or another.
                (Table::Requests, Some(request), _) => {
                    let done = request.get(shared)?;
                    let gone = || NodeError::Damaged("a request that was done is gone".into());
                    done.ok_or_else(gone)?.answer(&self.document)
                }
                (Table::Modules, _, Some(Effect(on))) => Err(acts::too_late(shared, on)),
                _ => Err(NodeError::Damaged("an envelope id stands twice".into())),
            };
        }
        let recipients: Vec<_> = self.header.recipients.iter().map(|r| r.agency.clone()).collect();
        shared.metrics.accepted();
        if let Some(fresh) = self.fresh {
            shared.fresh.put(self.id, fresh, recipients.len());
        }
        for agency in &recipients {
            shared.outbound.enqueue(self.id, agency.clone(), self.header.urgency);
        }
        let copies = self.copies;
        Ok(Accepted { envelope: self.id, document: self.document, recipients, copies })
    }
}

/// Unwraps the content key of an envelope that came in.
///
/// # Errors
/// [`ProtocolError`] when it is not for this agency, or under no key that it has or had.
pub fn unwrap_for(shared: &Shared, header: &EnvelopeHeader) -> Result<ContentKey, ProtocolError> {
    let identity = &shared.identity;
    let wrapped = header.key_for(&identity.agency).ok_or_else(|| {
        ProtocolError::Envelope(format!("it holds no key for {}", identity.agency))
    })?;
    let info = recipient_info(&header.sender, &identity.agency);
    Ok(identity.encryption().unwrap(wrapped, &info)?)
}

/// As [`unwrap_for`], of an envelope that has only been verified: also what it tells this agency alone must open, and be
/// what it commits to.
///
/// # Errors
/// As [`unwrap_for`].
pub fn unwrap_opened(
    shared: &Shared,
    opened: &OpenedEnvelope,
) -> Result<ContentKey, ProtocolError> {
    let identity = &shared.identity;
    let (header, own) = (&opened.header, &identity.agency);
    let Some((part, wrapped)) = opened.parts.of(header, own).zip(header.key_for(own)) else {
        return unwrap_for(shared, header);
    };
    let info = recipient_info(&header.sender, own);
    let (key, opener) = identity.encryption().unwrap_with_part(wrapped, &info)?;
    part.open_by(opener, &opened.id)?;
    Ok(key)
}

/// Starts reading the plaintext of a kept envelope.
pub fn read_plain(
    shared: &Shared,
    id: &EnvelopeId,
    record: &EnvelopeRecord,
) -> Result<PlainReader, NodeError> {
    let identity = &shared.identity;
    if record.purged.is_some() {
        return Err(NodeError::Purged(id.to_string()));
    }
    let (_, header) = record.header()?;
    let key = match &record.own_key {
        Some(own) => identity.encryption().open_own(own, header.commitment.as_bytes())?,
        None => unwrap_for(shared, &header)?,
    };
    let cipher = shared.content.read(&*shared.store, id, record.in_file)?;
    PlainReader::new(&key, cipher, header.size)
}

/// Bytes of parts that are read at once, but for the last.
const READ: usize = 2 * CHUNK_SIZE;

/// Reads parts of a document, piece by piece, and checks them against what was signed.
pub struct PartsReader {
    plain: PlainReader,
    opener: ContentOpener,
    /// The one part that is read; all, one after the other, without.
    only: Option<usize>,
    over: bool,
}

impl PartsReader {
    /// A reader of one part, or of all.
    pub fn new(shared: &Shared, head: &OpenedHead, only: Option<usize>) -> Result<Self, NodeError> {
        let id = &head.envelope;
        let record = EnvelopeRecord::get(&*shared.store, id)?
            .ok_or_else(|| NodeError::NotFound(id.to_string()))?;
        let plain = read_plain(shared, id, &record)?;
        Ok(Self { plain, opener: ContentOpener::default(), only, over: false })
    }

    /// The next bytes; nothing at the end, when all of it was as signed.
    pub fn next(&mut self) -> Result<Option<Bytes>, NodeError> {
        let (mut out, only) = (Vec::new(), self.only);
        while out.len() < READ && !self.over {
            let Some(bytes) = self.plain.next()? else {
                self.over = true;
                std::mem::take(&mut self.opener).finish()?;
                break;
            };
            let over = &mut self.over;
            self.opener.push(&bytes, |event| {
                match event {
                    Opening::Part { index, bytes } if only.is_none_or(|only| only == index) => {
                        out.extend_from_slice(bytes);
                    }
                    Opening::PartEnd { index } => *over |= only == Some(index),
                    _ => {}
                }
                Ok::<(), NodeError>(())
            })?;
        }
        Ok((!out.is_empty()).then(|| out.into()))
    }
}

/// Opens an envelope as far as its document, and checks that this is the one that the envelope
/// commits to. The document's own signatures are not verified here.
fn peek(shared: &Shared, id: &EnvelopeId) -> Result<Peeked, NodeError> {
    let record = EnvelopeRecord::get(&*shared.store, id)?
        // What is only carried on cannot be opened here.
        .filter(|record| !record.transit)
        .ok_or_else(|| NodeError::NotFound(id.to_string()))?;
    let (_, header, parts) = EnvelopeHeader::reopen_whole(&record.sealed)?;
    let mut plain = read_plain(shared, id, &record)?;
    let mut opener = ContentOpener::default();
    let mut document = None;
    while document.is_none() {
        let Some(bytes) = plain.next()? else { break };
        opener.push(&bytes, |event| {
            if let Opening::Document(found) = event {
                document = Some(found.clone());
            }
            Ok::<(), NodeError>(())
        })?;
    }
    let cut = || NodeError::Damaged(format!("the content of {id} ends before its document"));
    let (document, salt) = document.zip(opener.salt().copied()).ok_or_else(cut)?;
    let recipient = record.incoming.then_some(&shared.identity.agency);
    check_inside(&header, recipient, &salt, &document)?;
    let part = match record.incoming {
        true => open_part(shared, id, &header, &parts)?,
        false => None,
    };
    Ok(Peeked { record, salt, document, part })
}

/// What an envelope holds as far as its document.
struct Peeked {
    record: EnvelopeRecord,
    salt: Digest,
    document: SignedDocument,
    /// What this agency is told alone.
    part: Option<OpenedPart>,
}

/// Opens what an envelope that came in tells this agency alone.
///
/// # Errors
/// [`ProtocolError`] when it is not what the envelope commits to, or another's.
pub fn open_part(
    shared: &Shared,
    id: &EnvelopeId,
    header: &EnvelopeHeader,
    parts: &RecipientParts,
) -> Result<Option<OpenedPart>, ProtocolError> {
    let own = &shared.identity.agency;
    let Some((part, wrapped)) = parts.of(header, own).zip(header.key_for(own)) else {
        return Ok(None);
    };
    let info = recipient_info(&header.sender, own);
    shared.identity.encryption().open_part(part, wrapped, &info, id).map(Some)
}

/// Opens an envelope as far as its document, and verifies that.
pub fn open_head(shared: &Shared, id: &EnvelopeId) -> Result<Arc<OpenedHead>, NodeError> {
    if let Some(head) = shared.heads.get(id) {
        return Ok(head);
    }
    let Peeked { record, salt, document, part } = peek(shared, id)?;
    // What a peer has sent is looked at as far as its documents have not cost too much, and else the next time.
    let report = match record.incoming {
        true => shared.judge(&document.header().from, id, &document),
        false => Some(shared.verify(&document)),
    };
    let judged = report.is_some();
    let report = report.unwrap_or_else(|| VerificationReport::put_off(&document, unix_now()));
    let head = Arc::new(OpenedHead {
        envelope: *id,
        incoming: record.incoming,
        arrived: record.time / 1_000_000,
        copy: part.and_then(|part| part.content.copy),
        salt,
        document,
        report,
    });
    if judged {
        shared.heads.put(head.clone());
    }
    Ok(head)
}

/// The document in an envelope, and the salt of its commitment. Its signatures are not looked at.
pub fn inside(shared: &Shared, id: &EnvelopeId) -> Result<(Digest, SignedDocument), NodeError> {
    if let Some(head) = shared.heads.get(id) {
        return Ok((head.salt, head.document.clone()));
    }
    let Peeked { salt, document, .. } = peek(shared, id)?;
    Ok((salt, document))
}

/// The module of a document that a sender has sent here, if it is here and can be opened.
pub fn module_of(
    shared: &Shared,
    document: &DocumentId,
    sender: &AgencyName,
) -> Result<Option<String>, NodeError> {
    let envelopes = envelopes_of(shared, document)?;
    let inside = envelopes.iter().filter_map(|id| inside(shared, id).ok());
    let mut headers = inside.map(|(_, document)| document.header().clone());
    Ok(headers.find(|header| header.from == *sender).map(|header| header.module))
}

/// Puts what came in and was opened into the index, together with its record: whoever looks something up waits for nothing.
/// A withdrawal acts besides, and is verified before it does: it waits for [`take_up`].
pub fn index_opened(batch: &mut Batch, id: &EnvelopeId, document: &SignedDocument) {
    index(batch, id, document.header(), &document.id());
    if acts::calls_for_an_answer(document.header()) {
        batch.put(Table::Unindexed, *id.digest().as_bytes(), []);
    }
}

/// What became of some of the envelopes that wait.
#[derive(Debug, Default)]
pub struct TakenUp {
    /// From which key to go on.
    pub next: Vec<u8>,
    /// How many were looked at.
    pub looked: usize,
    /// How many of them are done.
    pub done: usize,
}

/// Takes up to `limit` envelopes up that wait, from a key on: puts them into the index, if an earlier version has not, and
/// has withdrawals take effect. What cannot be done now stays, whatever the reason, and those behind it go on: only when the
/// store itself fails, or the node stops, the round ends. Nothing is locked meanwhile: a withdrawal that somebody else takes
/// up at the same time takes effect once.
///
/// # Errors
/// [`NodeError::Store`] and [`NodeError::Stopping`], once what was done before is written.
pub fn take_up(
    here: &Blocking,
    shared: &Shared,
    from: &[u8],
    limit: usize,
) -> Result<TakenUp, NodeError> {
    take_each(&*shared.store, from, limit, |id, batch| take_one(here, shared, id, batch))
}

/// Does something with each that waits, and writes it together. It says whether one is done.
fn take_each(
    store: &dyn Store,
    from: &[u8],
    limit: usize,
    mut take: impl FnMut(&EnvelopeId, &mut Batch) -> Result<bool, NodeError>,
) -> Result<TakenUp, NodeError> {
    let waiting = store.scan(Table::Unindexed, from, &[], limit)?;
    let full = waiting.len() == limit;
    let (mut batch, mut taken, mut ended) = (Batch::default(), TakenUp::default(), Ok(()));
    for (key, _) in waiting {
        taken.looked += 1;
        taken.next = if full { [key.as_slice(), &[0]].concat() } else { Vec::new() };
        if let Some(id) = EnvelopeId::from_slice(&key) {
            match take(&id, &mut batch) {
                Ok(true) => {}
                Ok(false) => continue,
                // It is nothing of this envelope: the next would fare no better.
                Err(error @ (NodeError::Store(_) | NodeError::Stopping)) => {
                    ended = Err(error);
                    break;
                }
                Err(error) => {
                    tracing::error!(envelope = %id, %error, code = error.code(), "an envelope cannot be taken up; it waits");
                    continue;
                }
            }
        }
        batch.delete(Table::Unindexed, key);
        taken.done += 1;
    }
    if taken.done > 0 {
        store.write(batch)?;
    }
    ended.map(|()| taken)
}

/// Takes one envelope up that waits. Says whether that is done.
fn take_one(
    here: &Blocking,
    shared: &Shared,
    id: &EnvelopeId,
    batch: &mut Batch,
) -> Result<bool, NodeError> {
    // The sender stands over the envelope: what is put off costs nothing.
    let record = EnvelopeRecord::get(&*shared.store, id)?;
    let header = record.and_then(|record| record.header().ok());
    if header.is_some_and(|(_, h)| !shared.checks.may_open(&h.sender, id, Instant::now())) {
        return Ok(false);
    }
    let found = match inside(shared, id) {
        Ok(found) => found,
        // The disk's fault is not the envelope's: it waits for the next time.
        Err(error @ (NodeError::File { .. } | NodeError::Store(_))) => return Err(error),
        // It stays in the inbox, where it is shown with its error.
        Err(error) => {
            tracing::warn!(envelope = %id, %error, "envelope cannot be opened");
            return Ok(true);
        }
    };
    let document = &found.1;
    index(batch, id, document.header(), &document.id());
    // Before it leaves the queue: after a crash it is done again.
    Ok(!acts::calls_for_an_answer(document.header()) || acts::take_up(here, shared, id, &found)?)
}

/// Puts into the index what an earlier version has left for later. What this one takes in is in it at once.
pub fn index_waiting(shared: &Shared) -> Result<(), NodeError> {
    let mut batch = Batch::default();
    for (key, _) in shared.store.scan(Table::Unindexed, &[], &[], usize::MAX)? {
        let Some(id) = EnvelopeId::from_slice(&key) else { continue };
        if let Ok((_, document)) = inside(shared, &id) {
            index(&mut batch, &id, document.header(), &document.id());
        }
    }
    shared.store.write(batch)
}

/// The envelopes that answer a document and wait for [`take_up`].
pub fn waiting_answers(
    shared: &Shared,
    document: &DocumentId,
) -> Result<Vec<EnvelopeId>, NodeError> {
    let prefix = document.digest().as_bytes();
    let found = shared.store.scan(Table::Answers, prefix, prefix, MAX_FOUND)?;
    let mut waiting = Vec::new();
    for id in found.iter().filter_map(|(key, _)| indexed_envelope(key)) {
        if shared.store.get(Table::Unindexed, id.digest().as_bytes())?.is_some() {
            waiting.push(id);
        }
    }
    Ok(waiting)
}

/// The newest envelopes of a direction, or the newest of those before another, newest first.
pub fn newest(
    shared: &Shared,
    incoming: bool,
    before: Option<&EnvelopeId>,
    limit: usize,
) -> Result<Vec<EnvelopeId>, NodeError> {
    let place = |id: &EnvelopeId| {
        let record = EnvelopeRecord::get(&*shared.store, id)?;
        let record = record.filter(|record| record.incoming == incoming && !record.transit);
        let record = record.ok_or_else(|| NodeError::NotFound(id.to_string()))?;
        Ok::<_, NodeError>(record.journal_key(id))
    };
    let before = before.map(place).transpose()?;
    let prefix = [if incoming { b'i' } else { b'o' }];
    let entries = shared.store.scan_back(Table::Journal, &prefix, before.as_deref(), limit)?;
    Ok(entries.iter().filter_map(|(key, _)| journal_envelope(key)).collect())
}

/// The envelopes in keys of a table that start with hexadecimal digits.
fn with_prefix(
    shared: &Shared,
    table: Table,
    digits: &str,
    envelope: impl Fn(&[u8]) -> Option<EnvelopeId>,
) -> Result<Vec<EnvelopeId>, NodeError> {
    // Whole bytes narrow the search; an odd digit at the end is compared one by one.
    let whole = hex::decode(digits.get(..digits.len() & !1).unwrap_or_default());
    let whole = whole.map_err(|_| NodeError::NotFound(digits.to_owned()))?;
    let found = shared.store.scan(table, &whole, &whole, MAX_FOUND)?;
    let fits = found.iter().filter(|(key, _)| hex::encode(key).starts_with(digits));
    Ok(fits.filter_map(|(key, _)| envelope(key)).collect())
}

/// Finds the one kept document whose id, or whose envelope's id, starts with `digits`, among those that are known to
/// whoever asks; of what cannot be opened there is no head to judge by.
pub fn find(
    shared: &Shared,
    digits: &str,
    known: impl Fn(Option<&OpenedHead>) -> bool,
) -> Result<Arc<OpenedHead>, NodeError> {
    let digits = digits.to_ascii_lowercase();
    let not_found = || NodeError::NotFound(digits.clone());
    if digits.len() < 4 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(not_found());
    }
    let mut found = with_prefix(shared, Table::Documents, &digits, indexed_envelope)?;
    found.extend(with_prefix(shared, Table::Envelopes, &digits, EnvelopeId::from_slice)?);
    let heads = found.iter().map(|id| open_head(shared, id));
    let mut heads = heads.filter(|head| known(head.as_ref().ok().map(Arc::as_ref)));
    let first = heads.next().ok_or_else(not_found)??;
    for head in heads {
        // The same document may have come twice; another one makes the digits ambiguous.
        if head?.document.id() != first.document.id() {
            return Err(NodeError::Ambiguous(digits));
        }
    }
    Ok(first)
}

/// All envelopes that hold a document.
pub fn envelopes_of(shared: &Shared, document: &DocumentId) -> Result<Vec<EnvelopeId>, NodeError> {
    let prefix = document.digest().as_bytes();
    let found = shared.store.scan(Table::Documents, prefix, prefix, MAX_FOUND)?;
    Ok(found.iter().filter_map(|(key, _)| indexed_envelope(key)).collect())
}

/// The documents that answer a document, from either side.
pub fn answers(shared: &Shared, document: &DocumentId) -> Result<Vec<Arc<OpenedHead>>, NodeError> {
    let prefix = document.digest().as_bytes();
    let found = shared.store.scan(Table::Answers, prefix, prefix, MAX_FOUND)?;
    let ids = found.iter().filter_map(|(key, _)| indexed_envelope(key));
    // What cannot be opened answers nothing.
    Ok(ids.filter_map(|id| open_head(shared, &id).ok()).collect())
}

/// Records, once, that a document was handed over to an officer.
pub async fn hand_over(shared: &Shared, head: &OpenedHead) -> Result<(), NodeError> {
    let leaf = Leaf {
        event: Event::ContentHandover,
        envelope: head.envelope,
        commitment: commit_to_document(&head.salt, &head.document.id()),
        counterpart: head.document.header().from.clone(),
        time: unix_now(),
        evidence: None,
    };
    let absent = vec![(Table::Receipts, receipt_key(&leaf))];
    let commit = Commit { leaves: vec![leaf], absent, ..Commit::default() };
    shared.ledger.commit(commit).await.map(drop)
}

/// All evidence that this node holds about an envelope: its own receipts and those of others.
pub fn evidence(shared: &Shared, head: &OpenedHead) -> Result<Vec<Evidence>, NodeError> {
    let seal = shared.identity.seal();
    let own_chain = seal.chain();
    let make = |agency: &AgencyName, receipt, chain: &[chancery_certs::Certificate]| Evidence {
        agency: agency.clone(),
        receipt,
        chain: chain.iter().map(|c| c.der().to_vec().into()).collect(),
        salt: Some(head.salt),
    };
    let prefix = head.envelope.digest().as_bytes();
    let (mut out, mut relays) = (Vec::new(), HashSet::new());
    for receipt in shared.ledger.given_receipts(prefix)? {
        // It may be older than the seal in use.
        let kept = shared.ledger.former_seal(&receipt)?;
        let chain = kept.as_deref().unwrap_or(own_chain);
        out.push(make(&shared.identity.agency, receipt, chain));
    }
    for (key, bytes) in shared.store.scan(Table::Deliveries, prefix, prefix, usize::MAX)? {
        let record: DeliveryRecord = cbor::decode(&bytes)?;
        let agency = crate::records::delivery_of(&key).map(|(_, agency)| agency);
        if let Some((digest, agency)) = record.evidence.zip(agency) {
            out.push(received(shared, &digest, &agency, Some(head.salt))?);
        }
        // One relay's receipt may stand for several recipients.
        if let Some(digest) = record.relayed.filter(|digest| relays.insert(*digest)) {
            let kept = kept_evidence(shared, &digest)?;
            let seal = kept.chain.first().map(|der| Certificate::from_der(der)).transpose()?;
            if let Some(seal) = seal {
                out.push(received(shared, &digest, &seal.agency_name()?, Some(head.salt))?);
            }
        }
    }
    Ok(out)
}

/// The evidence that was received from a peer, with the chain under which it was accepted.
pub fn received(
    shared: &Shared,
    digest: &Digest,
    agency: &AgencyName,
    salt: Option<Digest>,
) -> Result<Evidence, NodeError> {
    let stored = kept_evidence(shared, digest)?;
    Ok(Evidence { agency: agency.clone(), receipt: stored.receipt, chain: stored.chain, salt })
}

fn kept_evidence(shared: &Shared, digest: &Digest) -> Result<ReceivedEvidence, NodeError> {
    let missing = || NodeError::Damaged(format!("the evidence {digest} is missing"));
    let bytes = shared.store.get(Table::Evidence, digest.as_bytes())?.ok_or_else(missing)?;
    Ok(cbor::decode(&bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Read as _, memory::MemoryStore};

    fn waiting(store: &MemoryStore) -> Vec<u8> {
        let left = store.scan(Table::Unindexed, &[], &[], usize::MAX).expect("reads");
        left.iter().map(|(key, _)| key[0]).collect()
    }

    fn five() -> MemoryStore {
        let store = MemoryStore::default();
        let mut batch = Batch::default();
        (1..=5).for_each(|n: u8| batch.put(Table::Unindexed, [n; 32], []));
        store.write(batch).expect("writes");
        store
    }

    #[test]
    fn what_cannot_be_taken_up_waits_and_what_stands_behind_it_goes_on() {
        let store = five();
        let take = |id: &EnvelopeId, batch: &mut Batch| match id.digest().as_bytes()[0] {
            1 => Err(NodeError::Damaged("it cannot be read".into())),
            3 => Err(ProtocolError::from(chancery_certs::CertError::NoCertificate).into()),
            4 => Ok(false),
            n => {
                batch.put(Table::Meta, [n], []);
                Ok(true)
            }
        };
        let taken = take_each(&store, &[], 10, take).expect("the round goes on");
        assert_eq!((taken.looked, taken.done), (5, 2));
        assert_eq!(waiting(&store), [1, 3, 4]);
        assert!(store.get(Table::Meta, &[2]).expect("reads").is_some());
        assert!(store.get(Table::Meta, &[5]).expect("reads").is_some());
    }

    #[test]
    fn when_the_store_fails_what_was_done_before_is_written() {
        let store = five();
        let take = |id: &EnvelopeId, _: &mut Batch| match id.digest().as_bytes()[0] {
            3 => Err(NodeError::Store("the disk is gone".into())),
            n => Ok(n != 1),
        };
        let ended = take_each(&store, &[], 10, take);
        assert!(matches!(ended, Err(NodeError::Store(_))), "{ended:?}");
        assert_eq!(waiting(&store), [1, 3, 4, 5]);
    }
}
