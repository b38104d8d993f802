//! Removing content for good, by an officer's signed order. The ledger keeps its entries, the order is kept
//! beside them, and every proof still holds; what was in the envelopes is gone from this node.

use std::{collections::HashSet, sync::Arc, time::Duration};

use chancery_bus::NodeError;
use chancery_certs::Scrutiny;
use chancery_crypto::cbor;
use chancery_ledger::{
    Commit, Outcome, receipt_key,
    records::{EnvelopeRecord, unindex},
    unix_now,
};
use chancery_protocol::{EnvelopeHeader, EnvelopeId, Event, Leaf, OpenedPurgeOrder, PurgeOrder};
use chancery_store::{Batch, Blocking, Table, blocking};

use crate::{
    Office,
    access::{Action, Caller},
    asking::LocalReply,
    finding,
};

/// How old or early an order may be, in seconds: one that was kept back is given again.
const FRESH: i64 = 300;

/// Between two attempts to erase what could not be erased yet.
const AGAIN: Duration = Duration::from_secs(60);

/// The tables that hold, or name by its digest, what is in an envelope.
const TABLES: [Table; 4] = [Table::Content, Table::Envelopes, Table::Documents, Table::Answers];

fn not_permitted(rule: &'static str, why: impl Into<String>) -> NodeError {
    NodeError::NotPermitted { rule: rule.to_owned(), why: why.into() }
}

/// The envelopes that hold a document, for an order to name.
///
/// # Errors
/// [`NodeError::NotFound`] and [`NodeError::Ambiguous`] as for every look-up; [`NodeError::Purged`].
pub fn plan(
    here: &Blocking,
    office: &Office,
    caller: &Caller,
    id: &str,
) -> Result<LocalReply, NodeError> {
    // The plan shows the title.
    let head = finding::find(here, office, caller, id, Action::LIST)?;
    let envelopes = crate::lookup::envelopes_of(here, office, &head.document.id())?;
    let title = finding::view(here, office, caller, &head)?.title;
    Ok(LocalReply::PurgePlan { agency: office.identity().agency.clone(), title, envelopes })
}

/// Checks an order against the node's policy, records it, and erases what it names.
///
/// # Errors
/// [`NodeError::NotPermitted`], naming the rule; nothing is changed then.
pub async fn carry_out(office: &Arc<Office>, order: Vec<u8>) -> Result<LocalReply, NodeError> {
    let work = office.clone();
    // One order at a time: what is checked must still hold when it is written.
    let _one = office.purging.lock().await;
    let (opened, commit) = blocking(move |here| prepare(here, &work, &order)).await?;
    let Outcome::Committed(receipts) = office.ledger().commit(commit).await? else {
        return Err(NodeError::Purged(
            opened.order.envelopes.first().map_or_else(String::new, ToString::to_string),
        ));
    };
    let entries: Vec<_> = receipts.iter().map(|receipt| receipt.index).collect();
    tracing::warn!(
        officer = %opened.officer, envelopes = opened.order.envelopes.len(), order = %opened.digest,
        reason = opened.order.reason, "content is purged"
    );
    let work = office.clone();
    let erased = blocking(move |here| erase(here, &work)).await;
    if let Err(error) = &erased {
        tracing::error!(%error, "purged content is still on the disk; it is tried again");
    }
    Ok(LocalReply::Purged { order: opened.digest, entries, erased: erased.is_ok() })
}

/// Checks an order and makes the commit that records it.
fn prepare(
    here: &Blocking,
    office: &Office,
    bytes: &[u8],
) -> Result<(OpenedPurgeOrder, Commit), NodeError> {
    let now = unix_now();
    let crls = office.crls();
    let opened = PurgeOrder::open(bytes, &Scrutiny::by(&office.identity().trust, &crls, now))?;
    let policy = &office.config().purge;
    if opened.order.agency != office.identity().agency {
        let why = format!("the order is for {}", opened.order.agency);
        return Err(not_permitted("purge.agency", why));
    }
    if !policy.officers.contains(&opened.officer) {
        let why = format!("{} may not order a purge here", opened.officer);
        return Err(not_permitted("purge.officers", why));
    }
    if (now - opened.order.created).abs() > FRESH {
        return Err(not_permitted("purge.fresh", "the order is not of the last five minutes"));
    }
    let (mut commit, mut named) = (Commit::default(), HashSet::new());
    for id in &opened.order.envelopes {
        // What an order names twice is purged, and recorded, once.
        if !named.insert(*id) {
            continue;
        }
        let record = EnvelopeRecord::get(office.store(here), id)?
            .ok_or_else(|| NodeError::NotFound(id.to_string()))?;
        if record.purged.is_some() {
            return Err(NodeError::Purged(id.to_string()));
        }
        let leaf = check_envelope(here, office, id, &record, &opened)?;
        let counterpart = office.identity().agency.clone();
        let decided = Leaf { event: Event::Decided, counterpart, ..leaf.clone() };
        if office.store(here).get(Table::Receipts, &receipt_key(&decided))?.is_some() {
            let why = "a module has decided upon it, and what was decided since could not be decided again";
            return Err(not_permitted("purge.decided", why));
        }
        if record.incoming {
            let (_, header) = record.header()?;
            let size = i64::try_from(header.size).unwrap_or(i64::MAX);
            commit.stored.push((header.sender, -size));
        }
        remove(here, office, id, record, &opened, &mut commit.batch)?;
        commit.absent(Table::Receipts, receipt_key(&leaf));
        commit.leaves.push(leaf);
    }
    commit.batch.put(Table::Orders, *opened.digest.as_bytes(), bytes);
    Ok((opened, commit))
}

/// Whether an envelope may be purged, and the entry that says that it was.
fn check_envelope(
    here: &Blocking,
    office: &Office,
    id: &EnvelopeId,
    record: &EnvelopeRecord,
    opened: &OpenedPurgeOrder,
) -> Result<Leaf, NodeError> {
    let now = unix_now();
    let (_, header): (_, EnvelopeHeader) = record.header()?;
    let kept = now - record.time / 1_000_000;
    let days = i64::from(office.config().purge.keep_days);
    if kept < days * 86_400 {
        let why = format!("{id} has been here for {} of {days} days", kept / 86_400);
        return Err(not_permitted("purge.keep_days", why));
    }
    let prefix = id.digest().as_bytes();
    if !office.store(here).scan(Table::Pending, prefix, prefix, 1)?.is_empty() {
        let why = format!("the delivery of {id} is not over");
        return Err(not_permitted("purge.pending", why));
    }
    Ok(Leaf {
        event: Event::ContentPurged,
        envelope: *id,
        commitment: header.commitment,
        counterpart: header.sender,
        time: now,
        evidence: Some(opened.digest),
    })
}

/// Takes an envelope's content out of the tables.
fn remove(
    here: &Blocking,
    office: &Office,
    id: &EnvelopeId,
    record: EnvelopeRecord,
    opened: &OpenedPurgeOrder,
    batch: &mut Batch,
) -> Result<(), NodeError> {
    let key = *id.digest().as_bytes();
    // A content that cannot be opened is in no index.
    if let Ok((_, document)) = crate::opening::inside(here, office, id) {
        unindex(batch, id, document.header(), &document.id());
    }
    // What was not indexed yet cannot be from now on.
    batch.delete(Table::Unindexed, key);
    batch.delete(Table::Content, key);
    batch.put(Table::Erasing, key, []);
    let record = EnvelopeRecord { own_key: None, purged: Some(opened.digest), ..record };
    batch.put(Table::Envelopes, key, cbor::encode(&record)?);
    Ok(())
}

/// Removes from memory and disk what the ledger says is purged.
fn erase(here: &Blocking, office: &Office) -> Result<(), NodeError> {
    let waiting = office.store(here).scan(Table::Erasing, &[], &[], usize::MAX)?;
    if waiting.is_empty() {
        return Ok(());
    }
    let mut done = Batch::default();
    for (key, _) in waiting {
        if let Some(id) = EnvelopeId::from_slice(&key) {
            office.opened.forget(&id);
            office.content().remove(&id)?;
        }
        done.delete(Table::Erasing, key);
    }
    // Engines without files of their own are erased with their own tools (docs/operators.md).
    if let Some(engine) = office.store(here).maintenance() {
        engine.scrub(&TABLES)?;
    }
    office.store(here).write(done)?;
    tracing::info!("purged content is off the disk");
    Ok(())
}

/// Erases what an earlier run, or an earlier attempt, could not, until the node stops.
pub async fn resume(office: Arc<Office>) {
    let mut stop = office.stop_signal();
    loop {
        {
            let _one = office.purging.lock().await;
            let work = office.clone();
            if let Err(error) = blocking(move |here| erase(here, &work)).await {
                tracing::error!(%error, "purged content is still on the disk; it is tried again");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use chancery_certs::Credential;
    use chancery_protocol::{DocumentHeader, EnvelopeId};
    use chancery_test_domain::{Domain, now};

    use super::*;
    use crate::testing::{
        envelope_of, events, hand_in, header, office, part, record, rows, signed,
    };

    const A: &str = "a.gov.cn";

    struct Archive {
        _domain: Domain,
        office: Arc<Office>,
        chief: Credential,
        clerk: Credential,
        envelope: EnvelopeId,
        document: chancery_protocol::DocumentId,
    }

    /// A desk that has sent a document, and whose chief may order a purge after so many days.
    async fn archive(keep_days: u32, delivered: bool) -> Archive {
        let domain = Domain::new(&[(A, None), ("b.gov.cn", None)]);
        let office = office(&domain, A, |config| {
            config.purge.officers = vec!["chief@a.gov.cn".parse().expect("a name")];
            config.purge.keep_days = keep_days;
        });
        let (chief, clerk) = (domain.officer("chief@a.gov.cn"), domain.officer("li@a.gov.cn"));
        let with = DocumentHeader { parts: vec![part(b"text")], ..header(A, "b.gov.cn", "通知") };
        let taken = hand_in(&office, &clerk, &signed(&with, &clerk), b"text").await;
        let accepted = taken.expect("it is taken").accepted;
        if delivered {
            chancery_store::in_place(|here| {
                let mut batch = Batch::default();
                for row in chancery_store::all(office.store(here), Table::Pending, &[]) {
                    batch.delete(Table::Pending, row.expect("it is read").0);
                }
                office.store(here).write(batch).expect("it is written");
            });
        }
        let (envelope, document) = (accepted.envelope, accepted.document);
        Archive { _domain: domain, office, chief, clerk, envelope, document }
    }

    impl Archive {
        async fn order(
            &self,
            by: &Credential,
            change: impl FnOnce(&mut PurgeOrder),
        ) -> Result<LocalReply, NodeError> {
            let mut order = PurgeOrder {
                agency: A.parse().expect("a name"),
                envelopes: vec![self.envelope],
                reason: "保管期满".into(),
                created: now(),
            };
            change(&mut order);
            carry_out(&self.office, order.sign(by).expect("it is signed")).await
        }

        async fn is_refused(
            &self,
            by: &Credential,
            rule: &str,
            change: impl FnOnce(&mut PurgeOrder),
        ) {
            let before = events(&self.office);
            match self.order(by, change).await {
                Err(NodeError::NotPermitted { rule: found, .. }) => assert_eq!(found, rule),
                other => panic!("{rule}: {other:?}"),
            }
            assert_eq!(events(&self.office), before);
            assert!(envelope_of(&self.office, &self.document).is_some());
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_order_is_refused_by_its_rule_and_nothing_is_changed() {
        let archive_ = archive(0, true).await;
        let chief = &archive_.chief;
        archive_.is_refused(&archive_.clerk, "purge.officers", |_| {}).await;
        archive_.is_refused(chief, "purge.fresh", |order| order.created -= FRESH + 5).await;
        archive(3, true).await.is_refused_by_its_chief("purge.keep_days").await;
        archive(0, false).await.is_refused_by_its_chief("purge.pending").await;
        let unknown = EnvelopeId::from_slice(&[9; 32]).expect("32 bytes");
        let none = archive_.order(chief, |order| order.envelopes.push(unknown)).await;
        assert_eq!(none.expect_err("there is none").code(), "CHY-4011");
        assert!(envelope_of(&archive_.office, &archive_.document).is_some());
    }

    impl Archive {
        async fn is_refused_by_its_chief(&self, rule: &str) {
            self.is_refused(&self.chief, rule, |_| {}).await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_purged_is_gone_and_its_entries_stay() {
        let archive = archive(0, true).await;
        let (office, envelope) = (&archive.office, archive.envelope);
        // Named twice, it is purged and recorded once.
        let done = archive.order(&archive.chief, |order| order.envelopes.push(envelope)).await;
        let Ok(LocalReply::Purged { entries, erased, .. }) = done else { panic!("{done:?}") };
        assert_eq!((entries, erased), (vec![1], true));
        assert_eq!(events(office), [Event::SubmissionAcceptance, Event::ContentPurged]);
        chancery_store::in_place(|here| {
            for table in [Table::Content, Table::Documents, Table::Erasing, Table::Unindexed] {
                assert_eq!(rows(here, office, table), 0, "{table:?}");
            }
            assert_eq!(rows(here, office, Table::Orders), 1);
            let opened = crate::opening::inside(here, office, &envelope);
            assert_eq!(opened.expect_err("it is gone").code(), "CHY-4019");
        });
        let kept = record(office, &envelope).expect("the record stays");
        assert!(kept.purged.is_some() && kept.own_key.is_none());
        let again = archive.order(&archive.chief, |_| {}).await;
        assert_eq!(again.expect_err("it is purged").code(), "CHY-4019");
        assert_eq!(events(office).len(), 2);
    }
}
