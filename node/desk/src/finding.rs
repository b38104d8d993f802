//! What clerks, officers and the agency's systems can see and do here, whichever door they come in by.

use std::sync::Arc;

use chancery_bus::{NodeError, witness};
use chancery_crypto::{CborError, CryptoError, cbor};
use chancery_ledger::{
    clock::Moment,
    records::{DeliveryRecord, DeliveryState, delivery_of},
    unix_now,
};
use chancery_protocol::{
    Act, EnvelopeId, Event, Leaf, MAX_FRAME, ProtocolError, SecrecyLevel, text::fold,
};
use chancery_store::{Blocking, Table, all, in_place};

use crate::{
    Office,
    access::{Action, Caller, Object},
    acts,
    heads::{OpenedHead, Searched},
    rejections,
    views::{
        AgencyView, ClockView, DeliveryView, DiskView, DocumentView, ExportedFile, PartView,
        PeerClockView, StatusView, TraceStep, TraceView, WitnessView,
    },
};

/// Characters of a title in a step of a trace.
const NOTE: usize = 120;

/// The largest document that is handed out with receipts in it: it goes through one message.
const MAX_HANDED_OUT: usize = MAX_FRAME - 4096;

/// Documents of each direction that a search looks at, newest first.
const MAX_SEARCHED: usize = 10_000;

/// Peers with forked ledgers that are named.
const MAX_FORKED: usize = 64;

/// Documents of a list that are looked at together.
const PAGE: usize = 128;

/// How the node is.
pub async fn status(office: &Arc<Office>, caller: &Caller) -> Result<StatusView, NodeError> {
    office.permit(caller, Action::STATUS, Object::Node)?;
    let identity = office.identity();
    let checkpoint = office.ledger().checkpoint().checkpoint;
    let directory = office.directory().ok();
    let peers = directory.iter().flat_map(|d| d.peers());
    let own = directory.as_ref().and_then(|d| d.peer(&identity.agency).ok());
    let expires =
        |chain: &[chancery_certs::Certificate]| chain.first().map_or(0, |c| c.not_after());
    let gaps = directory.as_ref().map(|d| d.witness_gaps(&identity.agency)).unwrap_or_default();
    let (witnesses, forked, clock) = in_place(|here| -> Result<_, NodeError> {
        let witnesses = office.ledger().view(here).witnesses()?;
        let forked = witness::forked_peers(office.store(here), MAX_FORKED)?;
        Ok((witnesses, forked, clock(here, office)?))
    })?;
    Ok(StatusView {
        agency: identity.agency.clone(),
        display: office.config().display.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        listen: office.config().listen.to_string(),
        entries: checkpoint.size,
        root: checkpoint.root,
        pending: office.pending() as u64,
        connected: office.connected(),
        directory_version: directory.as_ref().map(|d| d.version),
        directory_expires: directory.as_ref().map(|d| d.expires),
        agencies: peers
            .map(|(name, peer)| AgencyView { agency: name.clone(), display: peer.display.clone() })
            .collect(),
        named_witnesses: gaps.witnesses as u64,
        independent_witness: gaps.independent,
        node_certificate_expires: expires(&identity.node().chain),
        seal_certificate_expires: expires(identity.seal().chain()),
        encryption_key_expires: own.map(|peer| peer.encryption_expires),
        clock,
        signatures_verified: chancery_crypto::verified_signatures(),
        witnesses: witnesses.into_iter().map(WitnessView::from).collect(),
        not_sealing: office.ledger().continuity().check().err().map(|error| error.to_string()),
        disk: Some(DiskView {
            free_bytes: office.free()?,
            keeps_bytes: office.config().limits.free_bytes,
            full: office.room(0).err().map(|error| error.to_string()),
        }),
        forked,
    })
}

/// How the node's clock does.
fn clock(here: &Blocking, office: &Office) -> Result<ClockView, NodeError> {
    let now = Moment::now();
    let peers = office.clock_differences(now).into_iter();
    let standing = crate::decider::standing(here, office)?;
    Ok(ClockView {
        ledger_ahead_seconds: office.ledger().ahead(now),
        wrong: office.ledger().check_clock().err().map(|error| error.to_string()),
        deadlines: standing.map(|why| {
            format!(
                "{} of {} other clocks that are needed have confirmed the time within the last hour",
                why.heard.min(why.needed),
                why.needed
            )
        }),
        peers: peers
            .map(|seen| PeerClockView { agency: seen.peer, ahead_seconds: seen.ahead })
            .collect(),
    })
}

/// The one document whose id starts so, if the caller may do this with it. What he may not even see in lists is not
/// there for him, and whom no rule could permit this is told so before anything is looked for: neither learns which ids
/// there are.
pub fn find(
    here: &Blocking,
    office: &Office,
    caller: &Caller,
    id: &str,
    action: Action,
) -> Result<Arc<OpenedHead>, NodeError> {
    office.access.could(caller, action)?;
    let known = |head: Option<&OpenedHead>| match head {
        Some(head) => {
            let may = may_list(office, caller, head)
                || office.permit(caller, action, object(head)).is_ok();
            may && reads(here, office, caller, head)
        }
        None => office.permit(caller, Action::STATUS, Object::Node).is_ok(),
    };
    let head = crate::lookup::find(here, office, id, known)?;
    office.permit(caller, action, object(&head))?;
    Ok(head)
}

/// Whether what is written over a document may be shown to somebody.
pub fn may_see(office: &Office, caller: &Caller, head: &OpenedHead) -> bool {
    office.access.may_see(caller, head.document.header(), unix_now())
}

/// Refuses whoever may not see what is written over a document.
pub fn must_see(office: &Office, caller: &Caller, head: &OpenedHead) -> Result<(), NodeError> {
    if may_see(office, caller, head) {
        return Ok(());
    }
    // A rule says why, if it is the one that stands by default; the clearance is asked for whatever rules there are.
    office.permit(caller, Action::READ, object(head))?;
    let why = format!("{caller} is not cleared for {}", head.document.header().level().mark());
    Err(NodeError::NotPermitted { rule: "the clearance for what is secret".into(), why })
}

/// Hands a document over to somebody who may read it: what was withdrawn is not.
pub async fn hand_over(
    office: &Office,
    caller: &Caller,
    head: &OpenedHead,
) -> Result<(), NodeError> {
    office.permit(caller, Action::READ, object(head))?;
    must_see(office, caller, head)?;
    if !head.incoming {
        return Ok(());
    }
    let on = acts::Subject::of(head);
    // What has come to withdraw it came before this.
    in_place(|here| {
        acts::settle(here, office, &on)?;
        match acts::of(here, office, &on)? {
            Some(act) if act.kind == Act::Withdraw.kind() => Err(acts::too_late(here, office, &on)),
            _ => Ok(()),
        }
    })?;
    crate::proofs::hand_over(office, head).await
}

/// A page of the documents of a direction.
#[derive(Debug)]
pub struct Page {
    /// Those of them that the caller may see, newest first.
    pub documents: Vec<DocumentView>,
    /// The envelope before which the next page begins, if there may be one; the caller may see it.
    pub next: Option<EnvelopeId>,
}

/// The newest documents of a direction that the caller may see, or the newest of those before one of them: at most
/// `limit`. Where the next page begins is such a document, too: of others nothing is told, nor that they are there.
pub fn list(
    here: &Blocking,
    office: &Office,
    caller: &Caller,
    incoming: bool,
    before: Option<&EnvelopeId>,
    limit: u32,
) -> Result<Page, NodeError> {
    office.access.could(caller, Action::LIST)?;
    let limit = limit as usize;
    let step = limit.max(PAGE);
    if let Some(before) = before {
        let not_found = || NodeError::NotFound(before.to_string());
        shown(here, office, caller, incoming, *before)?.ok_or_else(not_found)?;
    }
    let (mut documents, mut from, mut looked) = (Vec::new(), before.copied(), 0);
    while documents.len() < limit && looked < MAX_SEARCHED {
        let newest = crate::lookup::newest(here, office, incoming, from.as_ref(), step)?;
        looked += newest.len();
        let mut rest = newest.iter().copied();
        for envelope in rest.by_ref() {
            documents.extend(shown(here, office, caller, incoming, envelope)?);
            if documents.len() == limit {
                break;
            }
        }
        from = newest.last().copied();
        if newest.len() < step {
            // What is left of the last ones is not the next page if nobody may see it.
            let more = rest.any(|envelope| {
                matches!(shown(here, office, caller, incoming, envelope), Ok(Some(_)))
            });
            let next = documents.last().filter(|_| more).map(|view| view.envelope);
            return Ok(Page { documents, next });
        }
    }
    let next = documents.last().map(|view| view.envelope);
    Ok(Page { documents, next })
}

/// What is shown of some envelopes, as far as the caller may see it.
pub fn views(
    here: &Blocking,
    office: &Office,
    caller: &Caller,
    incoming: bool,
    envelopes: &[EnvelopeId],
) -> Result<Vec<DocumentView>, NodeError> {
    office.access.could(caller, Action::LIST)?;
    let shown = envelopes.iter().map(|id| shown(here, office, caller, incoming, *id).transpose());
    shown.flatten().collect()
}

/// What is shown of an envelope in a list, if the caller may see it there.
fn shown(
    here: &Blocking,
    office: &Office,
    caller: &Caller,
    incoming: bool,
    envelope: EnvelopeId,
) -> Result<Option<DocumentView>, NodeError> {
    match crate::opening::open_head(here, office, &envelope) {
        Ok(head) if head.incoming == incoming && is_there(here, office, caller, &head) => {
            view(here, office, caller, &head).map(Some)
        }
        Ok(_) => Ok(None),
        // Rules cannot look at what cannot be opened: it is for those who see how the node is.
        Err(_) if office.permit(caller, Action::STATUS, Object::Node).is_err() => Ok(None),
        Err(error) => {
            let error = format!("{}: {error}", error.code());
            Ok(Some(DocumentView::unopened(envelope, incoming, error)))
        }
    }
}

/// Whether a document is there for somebody in lists, in what he watches and in events.
pub fn is_there(here: &Blocking, office: &Office, caller: &Caller, head: &OpenedHead) -> bool {
    may_list(office, caller, head) && reads(here, office, caller, head)
}

fn may_list(office: &Office, caller: &Caller, head: &OpenedHead) -> bool {
    office.permit(caller, Action::LIST, object(head)).is_ok()
}

/// What cannot be judged is not shown.
fn reads(here: &Blocking, office: &Office, caller: &Caller, head: &OpenedHead) -> bool {
    crate::reading::reads(here, office, caller, head).unwrap_or(false)
}

/// A document as rules see it.
pub fn object(head: &OpenedHead) -> Object<'_> {
    Object::Document(head.document.header(), head.incoming)
}

/// The newest documents, in and out, in whose header a text stands. Nothing of a header is at rest in the
/// clear, so they are opened one after the other.
pub fn search(
    here: &Blocking,
    office: &Office,
    caller: &Caller,
    text: &str,
    limit: u32,
) -> Result<Vec<DocumentView>, NodeError> {
    office.access.could(caller, Action::LIST)?;
    // Full-width digits and blanks between characters are a matter of the keyboard.
    let wanted = fold(text);
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for incoming in [true, false] {
        for envelope in crate::lookup::newest(here, office, incoming, None, MAX_SEARCHED)? {
            let Ok(searched) = searched(here, office, &envelope, incoming) else { continue };
            let Searched { header, incoming, over, always } = &*searched;
            // What he may not see is not compared: whether it is found would tell what it says.
            let object = Object::Document(header, *incoming);
            if office.permit(caller, Action::LIST, object).is_err() {
                continue;
            }
            let has = |texts: &[String]| texts.iter().any(|text| text.contains(&wanted));
            let sees = || office.access.may_see(caller, header, unix_now());
            if has(always) || has(over) && sees() {
                let Ok(head) = crate::opening::open_head(here, office, &envelope) else { continue };
                if !reads(here, office, caller, &head) {
                    continue;
                }
                found.push(view(here, office, caller, &head)?);
            }
        }
    }
    found.sort_by_key(|view| std::cmp::Reverse(view.arrived));
    found.truncate(limit as usize);
    Ok(found)
}

/// What is searched of a document. Signatures have no part in it: they are looked at when it is found.
fn searched(
    here: &Blocking,
    office: &Office,
    envelope: &EnvelopeId,
    incoming: bool,
) -> Result<Arc<Searched>, NodeError> {
    if let Some(searched) = office.opened.searched.get(envelope) {
        return Ok(searched);
    }
    let (_, document) = crate::opening::inside(here, office, envelope)?;
    let header = document.header().clone();
    let agencies = std::iter::once(&header.from).chain(header.recipients());
    let agencies = agencies.map(|agency| fold(agency.as_str()));
    let over = [&header.title]
        .into_iter()
        .chain(&header.number)
        .chain(header.fields.values())
        .chain(header.parts.iter().map(|part| &part.name));
    let (over, always) =
        (over.map(|text| fold(text)).collect(), agencies.chain([fold(&header.kind)]).collect());
    let searched = Arc::new(Searched { header, incoming, over, always });
    office.opened.searched.put(*envelope, searched.clone());
    Ok(searched)
}

/// What is shown of a document. Of what is too secret for the caller he sees that it is there, of whom and how secret.
pub fn view(
    here: &Blocking,
    office: &Office,
    caller: &Caller,
    head: &OpenedHead,
) -> Result<DocumentView, NodeError> {
    let header = head.document.header();
    let seen = may_see(office, caller, head);
    let signers = head.report.signatures.iter().filter_map(|s| s.signer.as_ref());
    let marking = Some(header.marking()).filter(|marking| !marking.is_empty());
    let level = || Some(header.level().mark().to_owned());
    Ok(DocumentView {
        envelope: head.envelope,
        document: Some(head.document.id()),
        incoming: head.incoming,
        arrived: head.arrived,
        kind: header.kind.clone(),
        number: header.number.clone().filter(|_| seen),
        title: if seen { header.title.clone() } else { masked(header.level()) },
        from: Some(header.from.clone()),
        to: header.to.clone(),
        cc: header.cc.clone(),
        classification: if seen { marking } else { level() },
        masked: !seen,
        urgency: header.urgency,
        deadline: header.deadline,
        parts: header
            .parts
            .iter()
            .filter(|_| seen)
            .map(|part| PartView { name: part.name.clone(), size: part.size })
            .collect(),
        signers: signers.filter(|_| seen).map(ToString::to_string).collect(),
        in_reply_to: header.in_reply_to,
        indication: head.report.indication.name().to_owned(),
        deliveries: deliveries(here, office, head)?,
        act: match head.incoming {
            true => acts::of(here, office, &acts::Subject::of(head))?.map(|act| act.kind),
            false => None,
        },
        copy: head.copy,
        error: None,
    })
}

/// What stands in the place of a title that somebody may not see.
fn masked(level: SecrecyLevel) -> String {
    format!("〔{}〕***", level.mark())
}

/// Where the deliveries of a document stand.
pub fn deliveries(
    here: &Blocking,
    office: &Office,
    head: &OpenedHead,
) -> Result<Vec<DeliveryView>, NodeError> {
    let prefix = head.envelope.digest().as_bytes();
    let mut out = Vec::new();
    for row in all(office.store(here), Table::Deliveries, prefix) {
        let (key, bytes) = row?;
        let record: DeliveryRecord = cbor::decode(&bytes)?;
        if let Some((_, agency)) = delivery_of(&key) {
            let DeliveryRecord { state, since, refusal, .. } = record;
            out.push(DeliveryView { agency, state, since, refusal });
        }
    }
    Ok(out)
}

/// The document with the receipts of ledgers in it (RFC 9942), as far as there is room for them, and all evidence as files
/// beside it.
pub fn proven(
    here: &Blocking,
    office: &Office,
    head: &OpenedHead,
) -> Result<(Vec<u8>, Vec<ExportedFile>), NodeError> {
    let (mut receipts, mut files) = (Vec::new(), Vec::new());
    for evidence in crate::proofs::evidence(here, office, head)? {
        let event = Leaf::decode(&evidence.receipt.leaf)?.event;
        let own = evidence.agency == office.identity().agency;
        let mut path = evidence.file_name(event);
        if own && event != Event::ContentConsignment {
            // One per recipient: told apart by the entry's number.
            path = path.replace(".evidence", &format!(".{}.evidence", evidence.receipt.index));
        }
        files.push(ExportedFile { path, bytes: evidence.encode()? });
        // Ledgers of the first version gave no COSE signatures.
        if evidence.receipt.cose.is_some()
            && !matches!(event, Event::EvidenceReceived | Event::RelayEvidenceReceived)
        {
            receipts.push(evidence.to_cose()?);
        }
    }
    let document = match head.document.clone().with_receipts(receipts) {
        // All of them lie beside it, and what was taken in can be opened.
        Err(ProtocolError::Crypto(CryptoError::Cbor(CborError::TooLarge(..)))) => None,
        document => Some(document?).filter(|document| document.bytes().len() <= MAX_HANDED_OUT),
    };
    let document = document.as_ref().unwrap_or(&head.document);
    Ok((document.bytes().to_vec(), files))
}

/// The journey of a document, also of one that was refused when it was submitted.
pub fn trace(
    here: &Blocking,
    office: &Office,
    caller: &Caller,
    id: &str,
) -> Result<TraceView, NodeError> {
    let head = match find(here, office, caller, id, Action::TRACE) {
        Err(NodeError::NotFound(_))
            if office.permit(caller, Action::AUDIT, Object::Node).is_ok() =>
        {
            return rejections::trace(here, office, caller, id);
        }
        found => found?,
    };
    let seen = may_see(office, caller, &head);
    let mut steps = rejections::steps(here, office, &head.document.id())?;
    steps.push(TraceStep {
        time: head.document.header().created,
        event: "Created".into(),
        agency: head.document.header().from.clone(),
        entry: None,
        by: signer(&head).filter(|_| seen),
        indication: Some(head.report.indication),
        note: None,
    });
    for evidence in crate::proofs::evidence(here, office, &head)? {
        let leaf = Leaf::decode(&evidence.receipt.leaf)?;
        if matches!(leaf.event, Event::EvidenceReceived | Event::RelayEvidenceReceived) {
            // It only says that the step which stands beside it is known here.
            continue;
        }
        steps.push(TraceStep {
            time: leaf.time,
            event: leaf.event.name().to_owned(),
            agency: evidence.agency.clone(),
            entry: Some(evidence.receipt.index),
            by: None,
            indication: None,
            note: (leaf.counterpart != evidence.agency).then(|| leaf.counterpart.to_string()),
        });
    }
    for delivery in deliveries(here, office, &head)? {
        if delivery.state == DeliveryState::Pending {
            steps.push(TraceStep {
                time: delivery.since,
                event: "Pending".into(),
                agency: delivery.agency,
                entry: None,
                by: None,
                indication: None,
                note: Some("delivery goes on".into()),
            });
        }
    }
    answers(here, office, caller, &head, &mut steps)?;
    steps.sort_by_key(|step| step.time);
    Ok(TraceView { document: view(here, office, caller, &head)?, steps })
}

fn signer(head: &OpenedHead) -> Option<String> {
    let first = head.report.signatures.first();
    first.and_then(|s| s.signer.as_ref()).map(ToString::to_string)
}

/// The signed acts and answers that refer to a document, from either side. Their titles repeat that of the document, and
/// are as secret as it is.
fn answers(
    here: &Blocking,
    office: &Office,
    caller: &Caller,
    on: &OpenedHead,
    steps: &mut Vec<TraceStep>,
) -> Result<(), NodeError> {
    for head in crate::lookup::answers(here, office, &on.document.id())? {
        if !reads(here, office, caller, &head) {
            continue;
        }
        let header = head.document.header();
        let seen = may_see(office, caller, on) && may_see(office, caller, &head);
        let signature = head.report.signatures.first();
        let level = header.level().max(on.document.header().level());
        steps.push(TraceStep {
            time: signature.and_then(|s| s.signing_time).unwrap_or(header.created),
            event: header.kind.clone(),
            agency: header.from.clone(),
            entry: None,
            by: signer(&head).filter(|_| seen),
            indication: Some(head.report.indication),
            note: Some(match seen {
                true => header.title.chars().take(NOTE).collect(),
                false => masked(level),
            }),
        });
    }
    Ok(())
}
