//! What the node enforces of human acts: a document is received, returned or withdrawn, and only the first of
//! these takes effect.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use chancery_certs::{AgencyName, rfc3339};
use chancery_crypto::{Commitment, Digest, cbor};
use chancery_protocol::text::show_line;
use chancery_protocol::{
    Act, DocumentHeader, DocumentId, EnvelopeId, Event, Indication, Leaf, OUTCOME, REASON,
    SignedDocument, Urgency, commit_to_document, sign_document,
};
use serde::{Deserialize, Serialize};

use crate::{
    Commit, NodeError, Outcome,
    access::Action,
    documents::{self, Submission},
    files::blocking,
    heads::OpenedHead,
    ledger::receipt_key,
    shared::Shared,
    store::Table,
    unix_now,
};

/// Where the module of official documents keeps the acts that took effect, in [`Table::Modules`].
const ACTS: &[u8] = b"official-documents/acts/";
/// Where it keeps the answers that are due.
const ANSWERS: &[u8] = b"official-documents/answers/";
/// The module of acts.
const MODULE: &str = "official-documents";
/// Characters of a title that an answer repeats.
const TITLE: usize = 200;
/// How often it is tried to give the answers that are due.
const ANSWER_EVERY: Duration = Duration::from_secs(10);
/// Answers that are tried at once.
const ANSWERS_AT_ONCE: usize = 64;

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

/// The answer to a withdrawal, from when it is recorded that it took effect or did not until the answer is sent.
#[derive(Debug, Serialize, Deserialize)]
struct AnswerDue {
    /// Whether the withdrawal took effect.
    accepted: bool,
    /// The withdrawal.
    withdrawal: DocumentId,
    /// Who sent it.
    to: AgencyName,
}

impl AnswerDue {
    fn key(withdrawal: &EnvelopeId) -> Vec<u8> {
        [ANSWERS, withdrawal.digest().as_bytes()].concat()
    }
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

/// Whether a document that has come calls for an answer of this node: a withdrawal of a document does. Answers and all other
/// acts do not, whatever they name, so that two nodes never go on by themselves.
pub fn calls_for_an_answer(header: &DocumentHeader) -> bool {
    match Act::of(&header.kind) {
        Some(Act::Withdraw) => header.in_reply_to.is_some(),
        Some(Act::Receive | Act::Return | Act::WithdrawalAnswer) | None => false,
    }
}

/// Takes in a withdrawal that has come: in time it takes effect, else it is refused. Either is recorded in the
/// ledger, and with it that its sender is owed an answer. It can be repeated.
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
        shared.refused.put(&header.from, Instant::now());
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
    let due = |accepted| {
        cbor::encode(&AnswerDue { accepted, withdrawal: document.id(), to: header.from.clone() })
    };
    let key = act_key(&original, &header.from);
    let mut commit = Commit {
        leaves: vec![leaf(Event::WithdrawalAcceptance)],
        absent: Some((Table::Modules, key.clone())),
        ..Commit::default()
    };
    commit.batch.put(Table::Modules, key, cbor::encode(&record)?);
    commit.batch.put(Table::Modules, AnswerDue::key(id), due(true)?);
    let accepted = match shared.ledger.commit_blocking(commit)? {
        Outcome::Committed(_) => true,
        Outcome::Exists => {
            let held = of(shared, &original, &header.from)?;
            held.is_some_and(|held| held.document == document.id())
        }
    };
    if !accepted {
        shared.refused.put(&header.from, Instant::now());
        let leaf = leaf(Event::WithdrawalRejection);
        let absent = Some((Table::Receipts, receipt_key(&leaf)));
        let mut commit = Commit { leaves: vec![leaf], absent, ..Commit::default() };
        commit.batch.put(Table::Modules, AnswerDue::key(id), due(false)?);
        shared.ledger.commit_blocking(commit)?;
    }
    tracing::info!(envelope = %id, sender = %header.from, accepted, "withdrawal");
    if let Err(error) = answer(shared, id) {
        tracing::warn!(%error, envelope = %id, "the sender of a withdrawal cannot be answered yet");
    }
    Ok(())
}

/// Tells the sender of a withdrawal, under the agency's seal, whether it came in time. Does nothing when that was
/// done: the answer and the end of what is due are one commit.
fn answer(shared: &Shared, withdrawal: &EnvelopeId) -> Result<(), NodeError> {
    // Two that answer at once would answer twice.
    let _answering = shared.answering.lock().unwrap_or_else(PoisonError::into_inner);
    let key = AnswerDue::key(withdrawal);
    let Some(due) = shared.store.get(Table::Modules, &key)? else { return Ok(()) };
    let due: AnswerDue = cbor::decode(&due)?;
    let head = match documents::open_head(shared, withdrawal) {
        // It is answered all the same.
        Err(NodeError::Purged(_)) => None,
        opened => Some(opened?),
    };
    let theirs = head.as_ref().map(|head| head.document.header());
    let title = theirs.map(|theirs| theirs.title.chars().take(TITLE).collect::<String>());
    let title = title.map(|title| show_line(&title).into_owned());
    let title: String = title.unwrap_or_else(|| due.withdrawal.to_string());
    let (classification, secrecy_period) =
        theirs.map(DocumentHeader::classification_of_answer).unwrap_or_default();
    let outcome = if due.accepted { "accepted" } else { "refused" };
    let now = unix_now();
    let header = DocumentHeader {
        kind: Act::WithdrawalAnswer.kind().to_owned(),
        number: None,
        title: format!("{}：{}", if due.accepted { "已撤回" } else { "撤回被拒" }, title),
        from: shared.identity.agency.clone(),
        to: vec![due.to],
        cc: Vec::new(),
        classification,
        secrecy_period,
        urgency: Urgency::Urgent,
        created: now,
        deadline: None,
        in_reply_to: Some(due.withdrawal),
        module: theirs.map_or(MODULE, |theirs| theirs.module.as_str()).to_owned(),
        fields: BTreeMap::from([(OUTCOME.to_owned(), outcome.to_owned())]),
        parts: Vec::new(),
        nonce: Digest::from_bytes(chancery_crypto::random()?),
    };
    let seal = shared.identity.seal();
    let document = sign_document(&header, &seal, Commitment::Receipt, now)?;
    let sealed = Submission::of_node(shared, document)?.seal(shared)?;
    sealed.and_forget(key).commit_blocking(shared).map(drop)
}

/// Gives the answers that could not be given when they became due: no valid directory was held, say.
pub async fn keep_answering(shared: Arc<Shared>) {
    let mut stop = shared.stop.subscribe();
    let mut from = Vec::new();
    loop {
        let work = shared.clone();
        let after = std::mem::take(&mut from);
        let due = blocking(move || {
            // A withdrawal that came while nothing could be sealed waits there.
            documents::index_arrivals(&work, ANSWERS_AT_ONCE)?;
            answer_due(&work, &after)
        });
        match due.await {
            Ok(next) => from = next,
            Err(error) => tracing::error!(%error, "what answers are due could not be read"),
        }
        tokio::select! {
            () = tokio::time::sleep(ANSWER_EVERY) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Tries some of the answers that are due. Returns the key at which to go on: those that cannot be given stand in
/// nobody's way.
fn answer_due(shared: &Shared, from: &[u8]) -> Result<Vec<u8>, NodeError> {
    let from = if from.is_empty() { ANSWERS } else { from };
    let due = shared.store.scan(Table::Modules, from, ANSWERS, ANSWERS_AT_ONCE)?;
    for (key, _) in &due {
        let id = key.get(ANSWERS.len()..).and_then(EnvelopeId::from_slice);
        let Some(id) = id else { continue };
        match answer(shared, &id) {
            Ok(()) => tracing::info!(envelope = %id, "the sender of a withdrawal is answered"),
            Err(error) => {
                tracing::debug!(%error, envelope = %id, "the sender of a withdrawal cannot be answered yet");
            }
        }
    }
    let full = due.len() == ANSWERS_AT_ONCE;
    let last = due.last().filter(|_| full);
    Ok(last.map(|(key, _)| [key.as_slice(), &[0]].concat()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(kind: &str, in_reply_to: Option<u8>) -> DocumentHeader {
        let agency = |name: &str| name.parse::<AgencyName>().expect("a name");
        DocumentHeader {
            kind: kind.to_owned(),
            number: None,
            title: "T".into(),
            from: agency("a.cn"),
            to: vec![agency("b.cn")],
            cc: Vec::new(),
            classification: None,
            secrecy_period: None,
            urgency: Urgency::Routine,
            created: 0,
            deadline: None,
            in_reply_to: in_reply_to.and_then(|n| DocumentId::from_slice(&[n; 32])),
            module: MODULE.into(),
            fields: BTreeMap::new(),
            parts: Vec::new(),
            nonce: Digest::of(b"nonce"),
        }
    }

    const KINDS: [&str; 6] = ["签收", "退回", "撤回", "撤回答复", "通知", "other"];

    proptest! {
        /// Whatever two nodes are sent, whatever it names: each withdrawal brings about one answer, and nothing else does
        /// anything by itself.
        #[test]
        fn answers_are_never_answered(
            sent in prop::collection::vec((0usize..6, prop::option::of(any::<u8>())), 0..40)
        ) {
            let withdrawals = sent.iter().filter(|(k, on)| *k == 2 && on.is_some()).count();
            let mut waiting: Vec<_> = sent.iter().map(|(k, on)| header(KINDS[*k], *on)).collect();
            let mut answers = 0;
            while let Some(document) = waiting.pop() {
                if calls_for_an_answer(&document) {
                    answers += 1;
                    prop_assert!(answers <= withdrawals, "it goes on by itself");
                    // As the node makes it.
                    waiting.push(header(Act::WithdrawalAnswer.kind(), Some(7)));
                }
            }
            prop_assert_eq!(answers, withdrawals);
        }
    }
}
