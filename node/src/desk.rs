//! What clerks, officers and the agency's systems can see and do here, whichever door they come in by.

use std::sync::Arc;

use chancery_crypto::{CborError, CryptoError, cbor};
use chancery_protocol::{Act, DocumentId, EnvelopeId, Event, Leaf, MAX_FRAME, ProtocolError};

use crate::{
    NodeError,
    access::{Action, Caller, Object},
    acts,
    clock::Moment,
    documents,
    heads::OpenedHead,
    local::{
        AgencyView, ClockView, DeliveryView, DocumentView, ExportedFile, PartView, PeerClockView,
        StatusView, TraceStep, TraceView,
    },
    records::{DeliveryRecord, DeliveryState, delivery_of},
    rejections,
    shared::Shared,
    store::Table,
};

/// Characters of a title in a step of a trace.
const NOTE: usize = 120;
/// The largest document that is handed out with receipts in it: it goes through one message.
const MAX_HANDED_OUT: usize = MAX_FRAME - 4096;
/// Documents of each direction that a search looks at, newest first.
const MAX_SEARCHED: usize = 10_000;

/// How the node is.
pub async fn status(shared: &Arc<Shared>, caller: &Caller) -> Result<StatusView, NodeError> {
    shared.permit(caller, Action::Status, Object::Node)?;
    let identity = &shared.identity;
    let checkpoint = shared.ledger.checkpoint().checkpoint;
    let directory = shared.directory().ok();
    let peers = directory.iter().flat_map(|d| d.peers());
    let own = directory.as_ref().and_then(|d| d.peer(&identity.agency).ok());
    let expires =
        |chain: &[chancery_certs::Certificate]| chain.first().map_or(0, |c| c.not_after());
    let gaps = directory.as_ref().map(|d| d.witness_gaps(&identity.agency)).unwrap_or_default();
    Ok(StatusView {
        agency: identity.agency.clone(),
        display: shared.config.display.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        listen: shared.config.listen.to_string(),
        entries: checkpoint.size,
        root: checkpoint.root,
        pending: shared.outbound.pending() as u64,
        connected: shared.connections.peers(),
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
        clock: clock(shared),
        witnesses: shared.ledger.witnesses()?,
    })
}

/// How the node's clock does.
fn clock(shared: &Shared) -> ClockView {
    let now = Moment::now();
    let peers = shared.clocks.differences(now).into_iter();
    ClockView {
        ledger_ahead_seconds: shared.ledger.ahead(now),
        wrong: shared.ledger.check_clock().err().map(|error| error.to_string()),
        peers: peers
            .map(|seen| PeerClockView { agency: seen.peer, ahead_seconds: seen.ahead })
            .collect(),
    }
}

/// The one document whose id starts so, if the caller may do this with it.
pub fn find(
    shared: &Shared,
    caller: &Caller,
    id: &str,
    action: Action,
) -> Result<Arc<OpenedHead>, NodeError> {
    let head = documents::find(shared, id)?;
    shared.permit(caller, action, object(&head))?;
    Ok(head)
}

/// Hands a document over to somebody who may read it: what was withdrawn is not.
pub async fn hand_over(
    shared: &Shared,
    caller: &Caller,
    head: &OpenedHead,
) -> Result<(), NodeError> {
    shared.permit(caller, Action::Read, object(head))?;
    if !head.incoming {
        return Ok(());
    }
    let (id, from) = (head.document.id(), head.document.header().from.clone());
    let act = acts::of(shared, &id, &from)?;
    if act.is_some_and(|act| act.kind == Act::Withdraw.kind()) {
        return Err(acts::too_late(shared, &id, &from));
    }
    documents::hand_over(shared, head).await
}

/// A page of the documents of a direction.
#[derive(Debug)]
pub struct Page {
    /// Those of them that the caller may see, newest first.
    pub documents: Vec<DocumentView>,
    /// The envelope before which the next page begins, if there may be one.
    pub next: Option<EnvelopeId>,
}

/// The newest documents of a direction, or the newest of those before an envelope: at most `limit`, of which the
/// caller is shown those that the rules permit.
pub fn list(
    shared: &Shared,
    caller: &Caller,
    incoming: bool,
    before: Option<&EnvelopeId>,
    limit: u32,
) -> Result<Page, NodeError> {
    let newest = documents::newest(shared, incoming, before, limit as usize)?;
    let next = newest.last().copied().filter(|_| newest.len() == limit as usize);
    Ok(Page { documents: views(shared, caller, incoming, &newest)?, next })
}

/// What is shown of some envelopes, as far as the caller may see it.
pub fn views(
    shared: &Shared,
    caller: &Caller,
    incoming: bool,
    envelopes: &[EnvelopeId],
) -> Result<Vec<DocumentView>, NodeError> {
    let mut list = Vec::with_capacity(envelopes.len());
    for envelope in envelopes.iter().copied() {
        match documents::open_head(shared, &envelope) {
            Ok(head) if may_list(shared, caller, &head) => list.push(view(shared, &head)?),
            Ok(_) => {}
            Err(error) => {
                let error = format!("{}: {error}", error.code());
                list.push(DocumentView::unopened(envelope, incoming, error));
            }
        }
    }
    Ok(list)
}

fn may_list(shared: &Shared, caller: &Caller, head: &OpenedHead) -> bool {
    shared.permit(caller, Action::List, object(head)).is_ok()
}

/// A document as rules see it.
pub fn object(head: &OpenedHead) -> Object<'_> {
    Object::Document(head.document.header(), head.incoming)
}

/// The newest documents, in and out, in whose header a text stands. Nothing of a header is at rest in the
/// clear, so they are opened one after the other.
pub fn search(
    shared: &Shared,
    caller: &Caller,
    text: &str,
    limit: u32,
) -> Result<Vec<DocumentView>, NodeError> {
    let wanted = text.to_lowercase();
    let mut found = Vec::new();
    for incoming in [true, false] {
        for envelope in documents::newest(shared, incoming, None, MAX_SEARCHED)? {
            let Ok(head) = documents::open_head(shared, &envelope) else { continue };
            let header = head.document.header();
            let agencies = std::iter::once(&header.from).chain(header.recipients());
            let agencies: Vec<_> = agencies.map(|agency| agency.as_str().to_owned()).collect();
            let names = header.parts.iter().map(|part| &part.name);
            let texts = [&header.title, &header.kind]
                .into_iter()
                .chain(&header.number)
                .chain(header.fields.values())
                .chain(names)
                .chain(&agencies);
            let found_in = texts.into_iter().any(|text| text.to_lowercase().contains(&wanted));
            if found_in && may_list(shared, caller, &head) {
                found.push(view(shared, &head)?);
            }
        }
    }
    found.sort_by_key(|view| std::cmp::Reverse(view.arrived));
    found.truncate(limit as usize);
    Ok(found)
}

/// What is shown of a document.
pub fn view(shared: &Shared, head: &OpenedHead) -> Result<DocumentView, NodeError> {
    let header = head.document.header();
    let signers = head.report.signatures.iter().filter_map(|s| s.signer.as_ref());
    Ok(DocumentView {
        envelope: head.envelope,
        document: Some(head.document.id()),
        incoming: head.incoming,
        arrived: head.arrived,
        kind: header.kind.clone(),
        number: header.number.clone(),
        title: header.title.clone(),
        from: Some(header.from.clone()),
        to: header.to.clone(),
        cc: header.cc.clone(),
        classification: header.classification.clone(),
        urgency: header.urgency,
        deadline: header.deadline,
        parts: header
            .parts
            .iter()
            .map(|part| PartView { name: part.name.clone(), size: part.size })
            .collect(),
        signers: signers.map(ToString::to_string).collect(),
        in_reply_to: header.in_reply_to,
        indication: head.report.indication.name().to_owned(),
        deliveries: deliveries(shared, head)?,
        act: match head.incoming {
            true => acts::of(shared, &head.document.id(), &header.from)?.map(|act| act.kind),
            false => None,
        },
        copy: head.copy,
        error: None,
    })
}

/// Where the deliveries of a document stand.
pub fn deliveries(shared: &Shared, head: &OpenedHead) -> Result<Vec<DeliveryView>, NodeError> {
    let prefix = head.envelope.digest().as_bytes();
    let mut out = Vec::new();
    for (key, bytes) in shared.store.scan(Table::Deliveries, prefix, prefix, usize::MAX)? {
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
    shared: &Shared,
    head: &OpenedHead,
) -> Result<(Vec<u8>, Vec<ExportedFile>), NodeError> {
    let (mut receipts, mut files) = (Vec::new(), Vec::new());
    for evidence in documents::evidence(shared, head)? {
        let event = Leaf::decode(&evidence.receipt.leaf)?.event;
        let own = evidence.agency == shared.identity.agency;
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
pub fn trace(shared: &Shared, caller: &Caller, id: &str) -> Result<TraceView, NodeError> {
    let head = match find(shared, caller, id, Action::Trace) {
        Err(NodeError::NotFound(_)) => return rejections::trace(shared, caller, id),
        found => found?,
    };
    let mut steps = rejections::steps(shared, &head.document.id())?;
    steps.push(TraceStep {
        time: head.document.header().created,
        event: "Created".into(),
        agency: head.document.header().from.clone(),
        entry: None,
        by: head.report.signatures.first().and_then(|s| s.signer.as_ref()).map(ToString::to_string),
        indication: Some(head.report.indication),
        note: None,
    });
    for evidence in documents::evidence(shared, &head)? {
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
    for delivery in deliveries(shared, &head)? {
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
    answers(shared, &head.document.id(), &mut steps)?;
    steps.sort_by_key(|step| step.time);
    Ok(TraceView { document: view(shared, &head)?, steps })
}

/// The signed acts and answers that refer to a document, from either side.
fn answers(
    shared: &Shared,
    document: &DocumentId,
    steps: &mut Vec<TraceStep>,
) -> Result<(), NodeError> {
    for head in documents::answers(shared, document)? {
        let header = head.document.header();
        let signature = head.report.signatures.first();
        steps.push(TraceStep {
            time: signature.and_then(|s| s.signing_time).unwrap_or(header.created),
            event: header.kind.clone(),
            agency: header.from.clone(),
            entry: None,
            by: signature.and_then(|s| s.signer.as_ref()).map(ToString::to_string),
            indication: Some(head.report.indication),
            note: Some(header.title.chars().take(NOTE).collect()),
        });
    }
    Ok(())
}
