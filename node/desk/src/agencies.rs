//! Requests of other agencies to modules, decided in the order in which they came; the answers that are owed for them; and what modules
//! here owe to other agencies.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
    time::Duration,
};

use chancery_apps::{
    Answered, Decision, Document, Facts, Input, Instant, Outcome, Reason, Record, Refusal, Salt,
    Subject,
};
use chancery_bus::NodeError;
use chancery_certs::AgencyName;
use chancery_crypto::{Commitment, Digest, Language, cbor};
use chancery_ledger::{
    Commit, LedgerError, Outcome as Committed, receipt_key, records::EnvelopeRecord, unix_now,
};
use chancery_protocol::{
    Act, DocumentHeader, DocumentId, EnvelopeId, Event, Indication, JudgedDocument, Leaf, OUTCOME,
    REASON, Urgency, sign_document,
};
use chancery_store::{Batch, Blocking, StoreError, Table, blocking};
use serde::{Deserialize, Serialize};

use crate::{Office, arrivals::TakenUp, decider, opening::inside, submission::Submission};

/// Where requests stand that have come and were not looked at yet, by when they came, in [`Table::Modules`].
const ARRIVED: &[u8] = b"agencies/arrived/";

/// Where those stand that wait for something.
const WAITING: &[u8] = b"agencies/waiting/";

/// Where the answers stand that are owed.
const ANSWERS: &[u8] = b"agencies/answers/";

/// How many are read at once.
const AT_ONCE: usize = 64;

/// How often those that wait are looked at again, and what is owed is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// How long is waited after the ledger grew, so that many are done together.
const PAUSE: Duration = Duration::from_millis(100);

/// Characters of a title that an answer repeats.
const TITLE: usize = 200;

/// The answer to a request, from when it is decided until the answer is sent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerOwed {
    /// The request.
    document: DocumentId,
    /// Who sent it.
    to: AgencyName,
    /// The number of the decision.
    decision: u64,
}

/// Notes that a request has come: in the commit of its receipt.
pub(crate) fn arrived(id: &EnvelopeId, time: i64, batch: &mut Batch) {
    let time = u64::try_from(time).unwrap_or_default().to_be_bytes();
    batch.put(Table::Modules, [ARRIVED, &time, id.digest().as_bytes()].concat(), []);
}

fn waiting_key(id: &EnvelopeId) -> Vec<u8> {
    [WAITING, id.digest().as_bytes()].concat()
}

fn envelope_of(key: &[u8]) -> Option<EnvelopeId> {
    EnvelopeId::from_slice(key.get(key.len().checked_sub(32)?..)?)
}

/// Decides all requests that have come: whatever is decided next, comes after them. Whoever calls it decides, and nobody else does.
pub(crate) fn settle(here: &Blocking, office: &Office) -> Result<(), NodeError> {
    let mut from = ARRIVED.to_vec();
    loop {
        let taken = some(here, office, ARRIVED, &from)?;
        if taken.next.is_empty() || office.is_stopping() {
            return Ok(());
        }
        from = taken.next;
    }
}

/// Looks again at some of those that wait, from a key on.
pub(crate) fn look_again(
    here: &Blocking,
    office: &Office,
    from: &[u8],
) -> Result<TakenUp, NodeError> {
    decider::alone(office, || {
        some(here, office, WAITING, if from.is_empty() { WAITING } else { from })
    })
}

/// Decides some requests, from a key on. What is wrong with one keeps no other waiting.
fn some(
    here: &Blocking,
    office: &Office,
    prefix: &[u8],
    from: &[u8],
) -> Result<TakenUp, NodeError> {
    let found = office.store(here).scan(Table::Modules, from, prefix, AT_ONCE)?;
    let full = found.len() == AT_ONCE;
    let mut taken = TakenUp::default();
    for (key, _) in found {
        taken.looked += 1;
        taken.next = if full { [key.as_slice(), &[0]].concat() } else { Vec::new() };
        let Some(id) = envelope_of(&key) else { continue };
        match decide(here, office, &key, &id) {
            Ok(()) => taken.done += 1,
            // It is nothing of this one: the next would fare no better.
            Err(
                error @ (NodeError::Store(StoreError::Broken(_) | StoreError::File { .. })
                | NodeError::Ledger(LedgerError::Stopping)),
            ) => return Err(error),
            Err(error) if error.is_passing() => return Err(error),
            Err(error) => {
                tracing::error!(envelope = %id, %error, code = error.code(), "a request cannot be decided; it waits");
                put_off(here, office, &key, &id)?;
            }
        }
    }
    Ok(taken)
}

/// Has a request wait, and those behind it go on.
fn put_off(here: &Blocking, office: &Office, key: &[u8], id: &EnvelopeId) -> Result<(), NodeError> {
    let waiting = waiting_key(id);
    if key == waiting {
        return Ok(());
    }
    let mut batch = Batch::default();
    batch.delete(Table::Modules, key);
    batch.put(Table::Modules, waiting, []);
    Ok(office.store(here).write(batch)?)
}

/// It is none, or none any more.
fn drop_it(here: &Blocking, office: &Office, key: &[u8]) -> Result<(), NodeError> {
    let mut batch = Batch::default();
    batch.delete(Table::Modules, key);
    Ok(office.store(here).write(batch)?)
}

/// The time of the entry of an envelope's arrival.
fn lodged(
    here: &Blocking,
    office: &Office,
    id: &EnvelopeId,
    record: &EnvelopeRecord,
) -> Result<i64, NodeError> {
    let (_, header) = record.header()?;
    let leaf = Leaf {
        event: Event::ContentConsignment,
        envelope: *id,
        commitment: header.commitment,
        counterpart: header.sender,
        time: 0,
        evidence: None,
    };
    let gone = || NodeError::damaged(format!("the arrival of {id} has no entry"));
    let receipt = office.ledger().view(here).given_for(&receipt_key(&leaf))?.ok_or_else(gone)?;
    let bytes = office.ledger().view(here).leaf(receipt.index)?.ok_or_else(gone)?;
    Ok(Leaf::decode(&bytes)?.time)
}

/// What a verdict that is not final leaves open.
fn open_of(judged: &JudgedDocument) -> String {
    let report = judged.report();
    let all = report.signatures.iter().map(|one| &one.finding).chain(&report.findings);
    let mut open = all.filter(|finding| finding.indication == Indication::Indeterminate);
    open.next().map(|finding| finding.say(Language::En)).unwrap_or_default()
}

/// Decides one request, and commits what comes of it with the end of its waiting.
fn decide(here: &Blocking, office: &Office, key: &[u8], id: &EnvelopeId) -> Result<(), NodeError> {
    let Some(record) = EnvelopeRecord::get(office.store(here), id)? else {
        return drop_it(here, office, key);
    };
    let (_, envelope) = record.header()?;
    let sender = envelope.sender;
    if !office.may_open(&sender, id) {
        return put_off(here, office, key, id);
    }
    let document = match inside(here, office, id) {
        Ok((_, document)) => document,
        Err(error @ NodeError::Store(StoreError::File { .. } | StoreError::Broken(_))) => {
            return Err(error);
        }
        Err(NodeError::Purged(_)) => return drop_it(here, office, key),
        // It stays in the inbox, where it is shown with its error; a key that is missing may come back.
        Err(error) => {
            if key != waiting_key(id) {
                tracing::warn!(envelope = %id, %error, "a request cannot be opened; it waits");
            }
            return put_off(here, office, key, id);
        }
    };
    let own = &office.identity().agency;
    // What another ledger decides is a copy here, and decides nothing.
    if document.header().filing.as_ref().is_some_and(|filing| filing.home != *own) {
        return drop_it(here, office, key);
    }
    let Ok(judged) = office.judge(&sender, id, document) else {
        return put_off(here, office, key, id);
    };
    let mut facts = Facts { first: office.config().access.appointer.clone(), ..Facts::default() };
    let document = match judged.report().indication {
        Indication::TotalFailed => {
            tracing::warn!(envelope = %id, %sender, "a request does not verify, and is none");
            office.charge_refused(&sender);
            return drop_it(here, office, key);
        }
        Indication::Indeterminate => {
            facts.open = Some(open_of(&judged));
            let (document, _) = judged.into_parts();
            let (id, header) = (document.id(), document.header().clone());
            Document { id, header, signers: Vec::new(), part: None }
        }
        Indication::TotalPassed => match judged.passed() {
            Ok(verified) => {
                facts.lists = Some(*verified.lists());
                Document::of(&verified, None)
            }
            Err(_) => return drop_it(here, office, key),
        },
    };
    let input = Input {
        at: decider::now(office),
        lodged: Instant(lodged(here, office, id, &record)?),
        home: own.to_string(),
        salt: Salt::Fresh(Digest::from_bytes(chancery_crypto::random()?)),
        facts,
        document,
    };
    let asked = input.document.filing().is_some();
    let (made, waits) = made_of(here, office, input)?;
    let mut commit = Commit::default();
    let key_waiting = waiting_key(id);
    if waits {
        if made.is_empty() && key == key_waiting {
            return Ok(());
        }
        if key != key_waiting {
            commit.batch.delete(Table::Modules, key);
            commit.batch.put(Table::Modules, key_waiting, []);
        }
    } else {
        commit.batch.delete(Table::Modules, key);
    }
    let Some(last) = made.last() else { return Ok(office.store(here).write(commit.batch)?) };
    let refused = matches!(last.record.outcome, Outcome::Refused(_));
    // An answer is never answered.
    if let Some(answer) = owes_an_answer(&last.record, &sender).filter(|_| asked) {
        let key = [ANSWERS, id.digest().as_bytes()].concat();
        commit.batch.put(Table::Modules, key, cbor::encode(&answer)?);
    }
    let look = decider::looking(here, office);
    decider::put(office, &look, &made, Some(*id), &mut commit)?;
    match office.ledger().commit_blocking(here, commit)? {
        Committed::Committed(_) => {
            let (module, number) = (&last.record.module, last.record.number);
            tracing::info!(envelope = %id, %sender, %module, number, refused, "a request is decided");
            if refused {
                office.charge_refused(&sender);
            }
            Ok(())
        }
        // Another process decides now.
        Committed::Stale(..) => Err(NodeError::damaged(format!("{id} is decided elsewhere"))),
    }
}

/// What is decided of a request, and whether it waits from now on.
fn made_of(
    here: &Blocking,
    office: &Office,
    mut input: Input,
) -> Result<(Vec<Decision>, bool), NodeError> {
    let look = decider::looking(here, office);
    look.with(|kernel, state| {
        let decided = decider::guarded(office, &mut input, |input| {
            input.facts.form = kernel.judge_form(state, input)?;
            kernel.decide(state, input)
        });
        let made = match decided {
            Ok(made) => made?,
            Err(why) => {
                tracing::error!(document = %input.document.id, %why, "the program failed at a request; it is set apart");
                vec![kernel.quarantine(state, &input, decider::PROGRAM)?]
            }
        };
        let waits = match made.last().map(|decision| &decision.record.outcome) {
            Some(outcome) => matches!(outcome, Outcome::Deferred(_)),
            None => kernel.waits(state, &input.document)?,
        };
        Ok((made, waits))
    })
}

/// The answer that the sender of a request is owed for a decision: for what is final. One that waits is answered later.
fn owes_an_answer(record: &Record, sender: &AgencyName) -> Option<AnswerOwed> {
    let Subject::Document(document) = record.subject else { return None };
    let last = !matches!(record.outcome, Outcome::Deferred(_));
    last.then(|| AnswerOwed { document, to: sender.clone(), decision: record.number })
}

/// What the sender is told of a decision, as fields of the answer.
fn said(
    here: &Blocking,
    office: &Office,
    request: &EnvelopeId,
    record: &Record,
) -> Result<(Answered, BTreeMap<String, String>), NodeError> {
    let mut fields = BTreeMap::from([("decision".to_owned(), record.number.to_string())]);
    let own = office.identity().agency.clone();
    let leaf = Leaf {
        event: Event::Decided,
        envelope: *request,
        commitment: Digest::of(&[]),
        counterpart: own,
        time: 0,
        evidence: None,
    };
    if let Some(entry) = office.ledger().view(here).given_for(&receipt_key(&leaf))? {
        fields.insert("entry".into(), entry.index.to_string());
    }
    let refused = |why: &Reason, fields: &mut BTreeMap<String, String>| {
        fields.insert("code".into(), why.why.code().to_owned());
        fields.insert(REASON.into(), why.say_plainly(Language::Zh));
        fields.insert("reason_en".into(), why.say_plainly(Language::En));
    };
    let answered = match &record.outcome {
        Outcome::Applied(applied) => {
            fields.insert("matter".into(), applied.thing.clone());
            fields.insert("case".into(), applied.case.clone());
            fields.insert("state".into(), applied.state.clone());
            fields.insert("sequence".into(), applied.sequence.to_string());
            Answered::Applied
        }
        Outcome::Refused(reasons) => {
            if let Some(reason) = reasons.first() {
                refused(&reason.for_sender(), &mut fields);
            }
            Answered::Refused
        }
        Outcome::Deferred(_) | Outcome::Quarantined { .. } => {
            let rule = record.module.clone();
            refused(&Reason { rule, law: None, why: Refusal::Failed }, &mut fields);
            Answered::Refused
        }
    };
    fields.insert(OUTCOME.to_owned(), answered.name().to_owned());
    Ok((answered, fields))
}

/// Tells the sender of a request, under the agency's seal, what was decided. Does nothing when that was done: the answer and the end of
/// what is owed are one commit.
fn answer(here: &Blocking, office: &Office, request: &EnvelopeId) -> Result<(), NodeError> {
    // Two that answer at once would answer twice.
    let _answering = office.answering.lock().unwrap_or_else(PoisonError::into_inner);
    let key = [ANSWERS, request.digest().as_bytes()].concat();
    let Some(owed) = office.store(here).get(Table::Modules, &key)? else { return Ok(()) };
    let owed: AnswerOwed = cbor::decode(&owed)?;
    let missing = || NodeError::damaged(format!("decision {} is missing", owed.decision));
    let kept = decider::kept(here, office, owed.decision)?.ok_or_else(missing)?;
    let record = Record::decode(&kept.record)?;
    let (answered, fields) = said(here, office, request, &record)?;
    let theirs = match inside(here, office, request) {
        // It is answered all the same.
        Err(NodeError::Purged(_)) => None,
        opened => Some(opened?.1),
    };
    let theirs = theirs.as_ref().map(chancery_protocol::SignedDocument::header);
    let title = theirs.map(|theirs| theirs.title.chars().take(TITLE).collect::<String>());
    let title = title.map(|title| chancery_protocol::text::show_line(&title).into_owned());
    let title = title.unwrap_or_else(|| owed.document.to_string());
    let (classification, secrecy_period) =
        theirs.map(DocumentHeader::classification_of_answer).unwrap_or_default();
    let said = match answered {
        Answered::Applied => "已办理",
        Answered::Refused => "不予办理",
    };
    let now = unix_now();
    let header = DocumentHeader {
        kind: Act::Decision.kind().to_owned(),
        number: None,
        title: format!("{said}：{title}"),
        from: office.identity().agency.clone(),
        to: vec![owed.to],
        cc: Vec::new(),
        classification,
        secrecy_period,
        urgency: Urgency::Routine,
        created: now,
        deadline: None,
        in_reply_to: Some(owed.document),
        module: record.module,
        fields,
        crit: Vec::new(),
        filing: None,
        form: Default::default(),
        parts: Vec::new(),
        nonce: Digest::from_bytes(chancery_crypto::random()?),
    };
    let document = sign_document(&header, &office.identity().seal(), Commitment::Receipt, now)?;
    let sealed = Submission::of_node(office, document)?.seal(office)?;
    sealed.and_forget(key).commit_blocking(here, office).map(drop)
}

/// Seals and sends what is owed under a name. Its entry discharges it, in the same commit: two that send it at once send it once.
fn send(
    here: &Blocking,
    office: &Office,
    name: &Digest,
    owed: &chancery_apps::OwedDocument,
) -> Result<(), NodeError> {
    let now = unix_now();
    let header = owed.header(name, &office.identity().agency, now);
    let document = sign_document(&header, &office.identity().seal(), Commitment::Origin, now)?;
    Submission::of_node(office, document)?.seal(office)?.commit_blocking(here, office).map(drop)
}

/// Gives some answers and sends some documents that are owed. Those that cannot be sent now stand in nobody's way.
fn send_some(
    here: &Blocking,
    office: &Office,
    (answers, documents): (&[u8], &str),
) -> Result<(Vec<u8>, String), NodeError> {
    let from = if answers.is_empty() { ANSWERS } else { answers };
    let due = office.store(here).scan(Table::Modules, from, ANSWERS, AT_ONCE)?;
    for id in due.iter().filter_map(|(key, _)| envelope_of(key)) {
        if let Err(error) = answer(here, office, &id) {
            tracing::debug!(%error, envelope = %id, "the sender of a request cannot be answered yet");
        }
    }
    let look = decider::looking(here, office);
    let all = look.with(|_, state| chancery_apps::owed_documents(state, documents, AT_ONCE))?;
    for (name, owed) in &all {
        match send(here, office, name, owed) {
            Ok(()) => {
                let (module, to) = (&owed.module, &owed.to);
                tracing::info!(%module, %to, "what was owed is sent");
            }
            Err(error) => {
                tracing::debug!(%error, to = %owed.to, "what is owed cannot be sent yet");
            }
        }
    }
    let next = due.last().filter(|_| due.len() == AT_ONCE);
    let answers = next.map(|(key, _)| [key.as_slice(), &[0]].concat()).unwrap_or_default();
    let next = all.last().filter(|_| all.len() == AT_ONCE);
    Ok((answers, next.map(|(name, _)| name.to_string()).unwrap_or_default()))
}

/// Decides what has come, and looks again at what waits.
fn decide_some(here: &Blocking, office: &Office, waiting: &[u8]) -> Result<Vec<u8>, NodeError> {
    decider::alone(office, || settle(here, office))?;
    Ok(look_again(here, office, waiting)?.next)
}

/// Decides requests as they come, until the desk stops.
pub(crate) async fn keep_deciding(office: Arc<Office>) {
    let mut stop = office.stop_signal();
    let mut grown = office.ledger().grown();
    let (mut waiting, mut looked) = (Vec::new(), None::<std::time::Instant>);
    loop {
        let work = office.clone();
        // What waits is looked at again now and then; what comes, at once.
        let again = looked.is_none_or(|at| at.elapsed() >= AGAIN);
        let from = std::mem::take(&mut waiting);
        let step = blocking(move |here| match again {
            true => decide_some(here, &work, &from),
            false => decider::alone(&work, || settle(here, &work)).map(|()| from),
        });
        match step.await {
            Ok(next) => waiting = next,
            Err(error) if error.is_passing() => {
                tracing::debug!(%error, "requests wait; they are looked at again");
            }
            Err(error) => tracing::error!(%error, "requests could not be decided"),
        }
        if again {
            looked = Some(std::time::Instant::now());
        }
        let more = async {
            tokio::time::sleep(PAUSE).await;
            drop(tokio::time::timeout(AGAIN, grown.changed()).await);
        };
        tokio::select! {
            () = more => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Gives answers and sends what is owed, until the desk stops.
pub(crate) async fn keep_sending(office: Arc<Office>) {
    let mut stop = office.stop_signal();
    let mut grown = office.ledger().grown();
    let (mut answers, mut documents) = (Vec::new(), String::new());
    loop {
        let work = office.clone();
        let from = (std::mem::take(&mut answers), std::mem::take(&mut documents));
        let step = blocking(move |here| send_some(here, &work, (&from.0, &from.1)));
        match step.await {
            Ok(next) => (answers, documents) = next,
            Err(error) if error.is_passing() => {
                tracing::debug!(%error, "what is owed waits; it is tried again");
            }
            Err(error) => tracing::error!(%error, "what is owed could not be read"),
        }
        let more = async {
            tokio::time::sleep(PAUSE).await;
            drop(tokio::time::timeout(AGAIN, grown.changed()).await);
        };
        tokio::select! {
            () = more => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

#[cfg(test)]
#[path = "agencies_tests.rs"]
mod tests;
