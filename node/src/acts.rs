//! What the node enforces of human acts: a document is received, returned or withdrawn, and only the first of
//! these takes effect.

use std::{collections::BTreeMap, sync::Arc};

use chancery_certs::{AgencyName, rfc3339};
use chancery_crypto::{Commitment, Digest, cbor};
use chancery_protocol::{
    Act, DocumentHeader, DocumentId, EnvelopeId, Event, Indication, Leaf, OUTCOME, REASON,
    SignedDocument, Urgency, commit_to_document, sign_document,
};
use serde::{Deserialize, Serialize};

use crate::{
    Commit, NodeError, Outcome,
    access::Action,
    documents::{self, Submission},
    heads::OpenedHead,
    ledger::receipt_key,
    shared::Shared,
    store::Table,
    unix_now,
};

/// Where the module of official documents keeps the acts that took effect, in [`Table::Modules`].
const ACTS: &[u8] = b"official-documents/acts/";
/// Characters of a title that an answer repeats.
const TITLE: usize = 200;

/// The act that took effect on a document that came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActRecord {
    /// The act's document type.
    pub kind: String,
    /// The act's document.
    pub document: DocumentId,
    /// When it took effect here, in seconds since 1970 UTC.
    pub time: i64,
}

/// The key of a document's act. The sender is part of it: nobody else's withdrawal stands in the way.
pub fn act_key(original: &DocumentId, sender: &AgencyName) -> Vec<u8> {
    [ACTS, original.digest().as_bytes(), sender.as_str().as_bytes()].concat()
}

/// The act that took effect on a document of a sender.
pub fn of(
    shared: &Shared,
    original: &DocumentId,
    sender: &AgencyName,
) -> Result<Option<ActRecord>, NodeError> {
    let found = shared.store.get(Table::Modules, &act_key(original, sender))?;
    Ok(found.map(|bytes| cbor::decode(&bytes)).transpose()?)
}

fn refuse(why: impl Into<String>) -> NodeError {
    NodeError::NotAccepted(why.into())
}

fn original_of(header: &DocumentHeader) -> Result<DocumentId, NodeError> {
    header.in_reply_to.ok_or_else(|| refuse(format!("a {} names the document", header.kind)))
}

/// The refusal of an act on a document that another has taken effect on.
pub fn too_late(shared: &Shared, original: &DocumentId, sender: &AgencyName) -> NodeError {
    match of(shared, original, sender) {
        Ok(Some(act)) if act.kind == Act::Withdraw.kind() => {
            NodeError::Withdrawn { document: original.to_string(), time: rfc3339(act.time) }
        }
        Ok(Some(act)) => refuse(format!("{} took effect on it at {}", act.kind, rfc3339(act.time))),
        Ok(None) => refuse("another act has just taken effect on it"),
        Err(error) => error,
    }
}

/// An act that a clerk submits.
#[derive(Debug)]
pub struct CheckedAct {
    /// What it asks of the rules.
    pub action: Action,
    /// The document that it is about.
    pub on: Arc<OpenedHead>,
    /// How it takes effect, if it is one of those of which only the first does.
    pub effect: Option<Effect>,
}

/// How an act takes effect.
#[derive(Debug)]
pub struct Effect {
    /// Under which key in [`Table::Modules`].
    pub key: Vec<u8>,
    /// On which document.
    pub original: DocumentId,
    /// Of which sender.
    pub sender: AgencyName,
}

/// Checks an act that a clerk submits.
pub fn check(shared: &Shared, header: &DocumentHeader) -> Result<Option<CheckedAct>, NodeError> {
    let Some(act) = Act::of(&header.kind) else { return Ok(None) };
    let action = match act {
        Act::Receive => Action::Receive,
        Act::Return => Action::Return,
        Act::Withdraw => Action::Withdraw,
        Act::WithdrawalAnswer => {
            return Err(refuse("withdrawals are answered by the node itself"));
        }
    };
    let original = original_of(header)?;
    let envelopes = documents::envelopes_of(shared, &original)?;
    let mut heads = envelopes.iter().filter_map(|id| documents::open_head(shared, id).ok());
    let incoming = !matches!(act, Act::Withdraw);
    let head = heads.find(|head| head.incoming == incoming);
    let unknown = || refuse(format!("the document {original} is not here for a {}", header.kind));
    let on = head.ok_or_else(unknown)?;
    let theirs = on.document.header();
    if act == Act::Withdraw {
        let recipients = theirs.recipients();
        if let Some(other) = header.recipients().iter().find(|r| !recipients.contains(r)) {
            return Err(refuse(format!("{other} was not sent the document that is withdrawn")));
        }
        return Ok(Some(CheckedAct { action, on, effect: None }));
    }
    if header.to != [theirs.from.clone()] {
        return Err(refuse(format!("a {} goes to {} alone", header.kind, theirs.from)));
    }
    if act == Act::Return && header.fields.get(REASON).is_none_or(|r| r.trim().is_empty()) {
        return Err(refuse("a document is returned with a reason"));
    }
    let key = act_key(&original, &theirs.from);
    if shared.store.get(Table::Modules, &key)?.is_some() {
        return Err(too_late(shared, &original, &theirs.from));
    }
    let sender = theirs.from.clone();
    Ok(Some(CheckedAct { action, on, effect: Some(Effect { key, original, sender }) }))
}

/// Takes in a withdrawal that has come: in time it takes effect, else it is refused; either is recorded in the
/// ledger. The sender is told too, if the directory allows it now: that is not tried again. It can be repeated.
pub fn withdraw(
    shared: &Shared,
    id: &EnvelopeId,
    salt: &Digest,
    document: &SignedDocument,
) -> Result<(), NodeError> {
    let header = document.header();
    let Some(original) = header.in_reply_to else { return Ok(()) };
    if shared.verify(document).indication != Indication::TotalPassed {
        tracing::warn!(envelope = %id, "a withdrawal does not verify and has no effect");
        return Ok(());
    }
    let record = ActRecord {
        kind: Act::Withdraw.kind().to_owned(),
        document: document.id(),
        time: unix_now(),
    };
    let leaf = |event| Leaf {
        event,
        envelope: *id,
        commitment: commit_to_document(salt, &document.id()),
        counterpart: header.from.clone(),
        time: record.time,
        evidence: None,
    };
    let key = act_key(&original, &header.from);
    let mut commit = Commit {
        leaves: vec![leaf(Event::WithdrawalAcceptance)],
        absent: Some((Table::Modules, key.clone())),
        ..Commit::default()
    };
    commit.batch.put(Table::Modules, key, cbor::encode(&record)?);
    let accepted = match shared.ledger.commit_blocking(commit)? {
        Outcome::Committed(_) => true,
        Outcome::Exists => {
            let held = of(shared, &original, &header.from)?;
            held.is_some_and(|held| held.document == document.id())
        }
    };
    if !accepted {
        let leaf = leaf(Event::WithdrawalRejection);
        let absent = Some((Table::Receipts, receipt_key(&leaf)));
        let commit = Commit { leaves: vec![leaf], absent, ..Commit::default() };
        shared.ledger.commit_blocking(commit)?;
    }
    tracing::info!(envelope = %id, sender = %header.from, accepted, "withdrawal");
    if let Err(error) = answer(shared, document, accepted) {
        tracing::warn!(%error, envelope = %id, "the sender of a withdrawal could not be answered");
    }
    Ok(())
}

/// Tells the sender of a withdrawal whether it came in time, under the agency's seal.
fn answer(shared: &Shared, withdrawal: &SignedDocument, accepted: bool) -> Result<(), NodeError> {
    let theirs = withdrawal.header();
    let outcome = if accepted { "accepted" } else { "refused" };
    let (now, kind) = (unix_now(), Act::WithdrawalAnswer.kind());
    let title: String = theirs.title.chars().take(TITLE).collect();
    let header = DocumentHeader {
        kind: kind.to_owned(),
        number: None,
        title: format!("{}：{title}", if accepted { "已撤回" } else { "撤回被拒" }),
        from: shared.identity.agency.clone(),
        to: vec![theirs.from.clone()],
        cc: Vec::new(),
        classification: theirs.classification.clone(),
        urgency: Urgency::Urgent,
        created: now,
        deadline: None,
        in_reply_to: Some(withdrawal.id()),
        module: theirs.module.clone(),
        fields: BTreeMap::from([(OUTCOME.to_owned(), outcome.to_owned())]),
        parts: Vec::new(),
        nonce: Digest::from_bytes(chancery_crypto::random()?),
    };
    let seal = shared.identity.seal();
    let document = sign_document(&header, &seal, Commitment::Receipt, now)?;
    Submission::of_node(shared, document)?.seal(shared)?.commit_blocking(shared).map(drop)
}
