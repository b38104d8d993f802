//! What the node enforces of human acts: a document is received, returned or withdrawn, and only the first of
//! these takes effect. The rules are the exchange's, a module of the kernel; here is what they are told, and what comes of them.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
    time::Duration,
};

use chancery_apps::{Original, Refusal};
use chancery_bus::{NodeError, UnacceptedFault as Fault};
use chancery_certs::{AgencyName, rfc3339};
use chancery_crypto::{Commitment, Digest, cbor};
use chancery_ledger::{Commit, Outcome, receipt_key, records::EnvelopeRecord, unix_now};
use chancery_protocol::text::show_line;
use chancery_protocol::{
    Act, DocumentHeader, DocumentId, EnvelopeId, Event, Leaf, OUTCOME, SignedDocument, Urgency,
    VerifiedDocument, commit_to_document, sign_document,
};
use chancery_store::{Blocking, Read, Table, blocking};
use serde::{Deserialize, Serialize};

use crate::{
    Office,
    access::Action,
    exchange::{fault_of, judge},
    heads::OpenedHead,
    submission::Submission,
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
pub(crate) use chancery_apps::TookEffect as ActRecord;

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

/// What acts are about: a document of a sender, in a module. An act of another module is no act on it, whatever it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject {
    /// The document.
    pub original: DocumentId,
    /// Who sent it: nobody else's withdrawal stands in the way.
    pub sender: AgencyName,
    /// Its module.
    pub module: String,
}

impl Subject {
    /// A document that came in, or one that is named by its sender before it comes.
    pub(crate) fn new(original: DocumentId, sender: &AgencyName, module: &str) -> Self {
        Self { original, sender: sender.clone(), module: module.to_owned() }
    }

    /// A document that came in.
    pub(crate) fn of(head: &OpenedHead) -> Self {
        let header = head.document.header();
        Self::new(head.document.id(), &header.from, &header.module)
    }

    fn of_module(&self, module: &str) -> Self {
        Self::new(self.original, &self.sender, module)
    }

    /// The key of the act that took effect on it.
    fn key(&self) -> Vec<u8> {
        let key =
            [ACTS, self.original.digest().as_bytes(), self.sender.as_str().as_bytes()].concat();
        match self.module.as_str() {
            MODULE => key,
            other => [&key[..], &[0], other.as_bytes()].concat(),
        }
    }
}

/// The act that took effect on a document.
pub(crate) fn of(
    here: &Blocking,
    office: &Office,
    on: &Subject,
) -> Result<Option<ActRecord>, NodeError> {
    of_in(office.store(here), on)
}

pub(crate) fn of_in(
    store: &(impl Read + ?Sized),
    on: &Subject,
) -> Result<Option<ActRecord>, NodeError> {
    let at = |key: &[u8]| {
        let found = store.get(Table::Modules, key)?;
        Ok::<Option<ActRecord>, NodeError>(found.map(|bytes| cbor::decode(&bytes)).transpose()?)
    };
    match at(&on.key())? {
        // What an earlier version has kept of another module stands where ours does.
        None if on.module != MODULE => {
            Ok(at(&on.of_module(MODULE).key())?.filter(|record| record.module.is_none()))
        }
        found => Ok(found),
    }
}

pub(crate) fn refuse(fault: Fault) -> NodeError {
    NodeError::NotAccepted(fault)
}

/// The refusal of an act on a document that another has taken effect on.
pub(crate) fn too_late(here: &Blocking, office: &Office, on: &Subject) -> NodeError {
    match of(here, office, on) {
        Ok(Some(act)) if act.kind == Act::Withdraw.kind() => {
            NodeError::Withdrawn { document: on.original.to_string(), time: rfc3339(act.time) }
        }
        Ok(Some(act)) => refuse(Fault::TookEffect { kind: act.kind, time: act.time }),
        Ok(None) => refuse(Fault::JustTookEffect),
        Err(error) => error,
    }
}

/// An act that a clerk submits.
#[derive(Debug)]
pub(crate) struct CheckedAct {
    /// What it asks of the rules.
    pub action: Action<'static>,
    /// The document that it is about.
    pub on: Arc<OpenedHead>,
    /// How it takes effect, if it is one of those of which only the first does.
    pub effect: Option<Effect>,
}

/// How an act takes effect: as the first on this.
#[derive(Debug)]
pub(crate) struct Effect(pub Subject);

impl Effect {
    /// What is to be written, and only if nothing is there yet.
    pub(crate) fn put(&self, act: &ActRecord, commit: &mut Commit) -> Result<(), NodeError> {
        let key = self.0.key();
        commit.batch.put(Table::Modules, key.clone(), cbor::encode(act)?);
        commit.absent(Table::Modules, key);
        Ok(())
    }
}

/// The act that a document is, given the module of the document that it names, if that is here. One of another module than
/// what it answers is none; nor is one of another module than ours that answers nothing that is here.
fn act_on(header: &DocumentHeader, module: Option<&str>) -> Option<Act> {
    Act::of(&header.kind).filter(|_| module.unwrap_or(MODULE) == header.module)
}

/// Checks an act that a clerk submits, by the rules of the exchange. Withdrawals of the document that came before take effect before it.
pub(crate) fn check(
    here: &Blocking,
    office: &Office,
    document: DocumentId,
    header: &DocumentHeader,
) -> Result<Option<CheckedAct>, NodeError> {
    let envelopes = match &header.in_reply_to {
        Some(original) => crate::lookup::envelopes_of(here, office, original)?,
        None => Vec::new(),
    };
    let mut inside =
        envelopes.iter().filter_map(|id| crate::opening::inside(here, office, id).ok());
    let module = inside.next().map(|(_, document)| document.header().module.clone());
    let Some(act) = act_on(header, module.as_deref()) else { return Ok(None) };
    let incoming = !matches!(act, Act::Withdraw);
    let mut heads =
        envelopes.iter().filter_map(|id| crate::opening::open_head(here, office, id).ok());
    let head = heads.find(|head| head.incoming == incoming);
    let original = head.as_ref().map(|head| {
        let theirs = head.document.header();
        let to = theirs.recipients().into_iter().cloned().collect();
        Original { from: theirs.from.clone(), to, incoming: head.incoming }
    });
    let judged = || judge(office.store(here), office, (document, header), original.clone());
    let on = header.in_reply_to.unwrap_or(document);
    match judged()? {
        // Who came first is seen once all who came were looked at.
        Ok(()) | Err(Refusal::TookEffect { .. }) => {}
        Err(why) => return Err(fault_of(why, header, &on)),
    }
    let kind = header.kind.clone();
    let head = head.ok_or_else(|| refuse(Fault::NotHere { document: on, kind }))?;
    let action = match act {
        Act::Receive => Action::RECEIVE,
        Act::Return => Action::RETURN,
        Act::Withdraw => {
            return Ok(Some(CheckedAct { action: Action::WITHDRAW, on: head, effect: None }));
        }
        Act::WithdrawalAnswer | Act::Decision => return Err(refuse(Fault::OfTheNode)),
    };
    let subject = Subject::of(&head);
    settle(here, office, &subject)?;
    match judged()? {
        Ok(()) => Ok(Some(CheckedAct { action, on: head, effect: Some(Effect(subject)) })),
        Err(Refusal::TookEffect { .. }) => Err(too_late(here, office, &subject)),
        Err(why) => Err(fault_of(why, header, &on)),
    }
}

/// Whether a document may be an act, so that whoever takes it in has to be able to wait.
pub(crate) fn may_be(header: &DocumentHeader) -> bool {
    Act::of(&header.kind).is_some()
}

/// Has the withdrawals of a document take effect that have come, and have not been looked at yet: what came first counts,
/// whenever it is looked at. Only its sender's can, so that nobody else keeps anybody waiting here; what of them is too
/// dear to look at now has no effect yet.
pub(crate) fn settle(here: &Blocking, office: &Office, on: &Subject) -> Result<(), NodeError> {
    for id in crate::arrivals::waiting_answers(here, office, &on.original)? {
        if of(here, office, on)?.is_some() {
            return Ok(());
        }
        // The sender stands over the envelope: it is not opened for anybody else's.
        let record = EnvelopeRecord::get(office.store(here), &id)?;
        let header = record.map(|record| record.header()).transpose()?;
        if header.is_some_and(|(_, header)| header.sender == on.sender) {
            let Ok(found) = crate::opening::inside(here, office, &id) else { continue };
            withdraw(here, office, &id, found)?;
        }
    }
    Ok(())
}

/// What became of a withdrawal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Withdrawal {
    /// It took effect, now or before.
    Accepted,
    /// It came too late.
    Refused,
    /// It is none: its signatures do not hold, or it is of another module than what it names.
    None,
    /// It is not known yet: its sender's documents have cost too much.
    PutOff,
}

/// Takes in a withdrawal that has come: in time it takes effect, else it is refused. Either is recorded in the
/// ledger, and with it that its sender is owed an answer. It can be repeated.
pub(crate) fn withdraw(
    here: &Blocking,
    office: &Office,
    id: &EnvelopeId,
    (salt, document): (Digest, SignedDocument),
) -> Result<Withdrawal, NodeError> {
    let header = document.header();
    let Some(original) = header.in_reply_to else { return Ok(Withdrawal::None) };
    let module = crate::lookup::module_of(here, office, &original, &header.from)?;
    if module.is_some_and(|module| module != header.module) {
        return Ok(Withdrawal::None);
    }
    let from = header.from.clone();
    let Ok(judged) = office.judge(&from, id, document) else { return Ok(Withdrawal::PutOff) };
    let Ok(document) = judged.passed() else {
        tracing::warn!(envelope = %id, "a withdrawal does not verify and has no effect");
        return Ok(Withdrawal::None);
    };
    take_effect(here, office, id, &salt, original, &document)
}

/// Has a withdrawal take effect, or records that it came too late.
fn take_effect(
    here: &Blocking,
    office: &Office,
    id: &EnvelopeId,
    salt: &Digest,
    original: DocumentId,
    document: &VerifiedDocument,
) -> Result<Withdrawal, NodeError> {
    let header = document.header();
    let record = ActRecord {
        kind: Act::Withdraw.kind().to_owned(),
        document: document.id(),
        time: unix_now(),
        module: Some(header.module.clone()),
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
    let subject = Subject::new(original, &header.from, &header.module);
    let in_time = || {
        let judged = judge(office.store(here), office, (document.id(), header), None)?;
        Ok::<_, NodeError>(judged.is_ok())
    };
    let mut commit =
        Commit { leaves: vec![leaf(Event::WithdrawalAcceptance)], ..Commit::default() };
    Effect(subject).put(&record, &mut commit)?;
    commit.batch.put(Table::Modules, AnswerDue::key(id), due(true)?);
    let accepted = in_time()?
        && match office.ledger().commit_blocking(here, commit)? {
            Outcome::Committed(_) => true,
            // Another came first meanwhile, or it is this one once more.
            Outcome::Stale(..) => in_time()?,
        };
    if !accepted {
        let leaf = leaf(Event::WithdrawalRejection);
        let mut commit = Commit::default();
        commit.absent(Table::Receipts, receipt_key(&leaf));
        commit.leaves.push(leaf);
        commit.batch.put(Table::Modules, AnswerDue::key(id), due(false)?);
        office.ledger().commit_blocking(here, commit)?;
    }
    Ok(if accepted { Withdrawal::Accepted } else { Withdrawal::Refused })
}

/// Takes in a withdrawal that waits, and answers its sender. Says whether that is done: if not, it waits for another time.
pub(crate) fn take_up(
    here: &Blocking,
    office: &Office,
    id: &EnvelopeId,
    found: (Digest, SignedDocument),
) -> Result<bool, NodeError> {
    let sender = &found.1.header().from.clone();
    match withdraw(here, office, id, found) {
        Ok(Withdrawal::PutOff) => return Ok(false),
        // It passes, and what waits behind it need not wait for that.
        Err(error) if error.is_passing() => return Ok(false),
        Ok(Withdrawal::None) => {
            office.charge_refused(sender);
            return Ok(true);
        }
        Ok(done) => {
            let accepted = done == Withdrawal::Accepted;
            if !accepted {
                office.charge_refused(sender);
            }
            tracing::info!(envelope = %id, %sender, accepted, "withdrawal");
        }
        Err(error) => return Err(error),
    }
    if let Err(error) = answer(here, office, id) {
        tracing::warn!(%error, envelope = %id, "the sender of a withdrawal cannot be answered yet");
    }
    Ok(true)
}

/// Tells the sender of a withdrawal, under the agency's seal, whether it came in time. Does nothing when that was
/// done: the answer and the end of what is due are one commit.
fn answer(here: &Blocking, office: &Office, withdrawal: &EnvelopeId) -> Result<(), NodeError> {
    // Two that answer at once would answer twice.
    let _answering = office.answering.lock().unwrap_or_else(PoisonError::into_inner);
    let key = AnswerDue::key(withdrawal);
    let Some(due) = office.store(here).get(Table::Modules, &key)? else { return Ok(()) };
    let due: AnswerDue = cbor::decode(&due)?;
    let found = match crate::opening::inside(here, office, withdrawal) {
        // It is answered all the same.
        Err(NodeError::Purged(_)) => None,
        opened => Some(opened?),
    };
    let theirs = found.as_ref().map(|(_, document)| document.header());
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
        from: office.identity().agency.clone(),
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
        crit: Vec::new(),
        filing: None,
        form: Default::default(),
        parts: Vec::new(),
        nonce: Digest::from_bytes(chancery_crypto::random()?),
    };
    let seal = office.identity().seal();
    let document = sign_document(&header, &seal, Commitment::Receipt, now)?;
    let sealed = Submission::of_node(office, document)?.seal(office)?;
    sealed.and_forget(key).commit_blocking(here, office).map(drop)
}

/// Gives the answers that could not be given when they became due: no valid directory was held, say.
pub(crate) async fn keep_answering(office: Arc<Office>) {
    let mut stop = office.stop_signal();
    let mut from = Vec::new();
    loop {
        let work = office.clone();
        let after = std::mem::take(&mut from);
        match blocking(move |here| answer_due(here, &work, &after)).await {
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
fn answer_due(here: &Blocking, office: &Office, from: &[u8]) -> Result<Vec<u8>, NodeError> {
    let from = if from.is_empty() { ANSWERS } else { from };
    let due = office.store(here).scan(Table::Modules, from, ANSWERS, ANSWERS_AT_ONCE)?;
    for (key, _) in &due {
        let id = key.get(ANSWERS.len()..).and_then(EnvelopeId::from_slice);
        let Some(id) = id else { continue };
        match answer(here, office, &id) {
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
#[path = "acts_tests.rs"]
mod between_desks;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::arrivals::calls_for_an_answer;
    use chancery_store::{Batch, MemoryStore, Store as _};

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
            crit: Vec::new(),
            filing: None,
            form: Default::default(),
            parts: Vec::new(),
            nonce: Digest::of(b"nonce"),
        }
    }

    fn subject(module: &str) -> Subject {
        let document = DocumentId::from_slice(&[7; 32]).expect("32 bytes");
        Subject::new(document, &"a.cn".parse().expect("a name"), module)
    }

    #[test]
    fn an_act_is_one_only_on_a_document_of_its_own_module() {
        let of =
            |module: &str| DocumentHeader { module: module.into(), ..header("签收", Some(7)) };
        let (ours, theirs) = (of(MODULE), of("logistics"));
        assert_eq!(act_on(&ours, Some(MODULE)), Some(Act::Receive));
        assert_eq!(act_on(&theirs, Some("logistics")), Some(Act::Receive));
        assert_eq!(act_on(&theirs, Some(MODULE)), None, "it has no effect, and no rule refuses it");
        assert_eq!(act_on(&ours, Some("logistics")), None);
        // What is not here: our own rule says so of our own acts; of others nothing is known.
        assert_eq!(act_on(&ours, None), Some(Act::Receive));
        assert_eq!(act_on(&theirs, None), None);
        assert_eq!(act_on(&DocumentHeader { kind: "通知".into(), ..ours }, Some(MODULE)), None);
    }

    #[test]
    fn acts_of_two_modules_do_not_stand_in_each_others_way() {
        let keys = [MODULE, "logistics", "licences"].map(|module| subject(module).key());
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
        // As earlier versions have kept it.
        let expected = [ACTS, &[7; 32], b"a.cn"].concat();
        assert_eq!(keys[0], expected);
    }

    #[test]
    fn what_took_effect_is_found_in_its_own_module_and_what_was_kept_before_in_any() {
        let store = MemoryStore::default();
        let put = |module: Option<&str>, at: &str| {
            let document = DocumentId::from_slice(&[1; 32]).expect("32 bytes");
            let module = module.map(str::to_owned);
            let record = ActRecord { kind: "签收".into(), document, time: 1, module };
            let mut batch = Batch::default();
            batch.put(Table::Modules, subject(at).key(), cbor::encode(&record).expect("encodes"));
            store.write(batch).expect("writes");
        };
        let found = |module: &str| of_in(&store, &subject(module)).expect("reads").is_some();
        put(None, MODULE);
        assert!(found(MODULE) && found("logistics"));
        put(Some(MODULE), MODULE);
        assert!(found(MODULE) && !found("logistics"));
        put(Some("logistics"), "logistics");
        assert!(found("logistics") && !found("licences"));
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
