//! Desks over the memory store, for unit tests: real keys, a real directory and a socket on the loopback; no engine, no process.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use chancery_bus::{Bus, Identity, Mark, NodeConfig, NodeError, tasks::Tasks};
use chancery_certs::{AgencyName, Credential};
use chancery_crypto::{Commitment, Digest};
use chancery_ledger::{ContinuityState, records::EnvelopeRecord};
use chancery_protocol::{
    DocumentHeader, DocumentId, EnvelopeId, Event, Part, SignedDocument, Urgency, sign_document,
};
use chancery_store::{Blocking, MemoryStore, Table, all, in_place};
use chancery_test_domain::{Domain, now};

use crate::{
    Office,
    access::Caller,
    arrivals::Indexer,
    submit::{Handed, Parts, Refused, Taken, Taking, submit},
};

/// Longer than anything here takes, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(20);

/// A desk of an agency, over a memory store of its own. Nothing of it runs; its ledger is open.
pub(crate) fn office(
    domain: &Domain,
    agency: &str,
    change: impl FnOnce(&mut NodeConfig),
) -> Arc<Office> {
    // Nobody is to find it: another desk of the agency may be there.
    desk(domain, agency, |config| {
        config.listen.set_port(0);
        change(config);
    })
}

fn desk(domain: &Domain, agency: &str, change: impl FnOnce(&mut NodeConfig)) -> Arc<Office> {
    let mut config = NodeConfig::load(&domain.agency(agency).config).expect("the settings load");
    change(&mut config);
    let identity = Identity::load(&config).expect("the identity loads");
    let office = in_place(|here| -> Result<Office, NodeError> {
        let store = Arc::new(MemoryStore::default());
        let bus = Bus::over(here, config, identity, store, Box::new(Indexer))?;
        let bus = Arc::new(bus);
        bus.take_up(here, &Mark::Fresh)?;
        bus.ledger().continuity().set(ContinuityState::Open);
        Office::new(bus)
    });
    Arc::new(office.expect("the desk opens"))
}

/// The same, and everything that it does by itself runs: it meets its peers.
pub(crate) fn running(domain: &Domain, agency: &str) -> (Arc<Office>, Tasks) {
    running_with(domain, agency, |_| {})
}

/// The same, with other settings.
pub(crate) fn running_with(
    domain: &Domain,
    agency: &str,
    change: impl FnOnce(&mut NodeConfig),
) -> (Arc<Office>, Tasks) {
    let office = desk(domain, agency, change);
    let mut tasks = Tasks::default();
    office.bus().run_in(&mut tasks, Mark::Fresh);
    office.run_in(&mut tasks);
    (office, tasks)
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !is() {
        assert!(begun.elapsed() < PATIENCE, "it never came about that {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The header of a document without parts.
pub(crate) fn header(from: &str, to: &str, kind: &str) -> DocumentHeader {
    let agency = |name: &str| name.parse::<AgencyName>().expect("a name");
    DocumentHeader {
        kind: kind.to_owned(),
        number: None,
        title: "关于开展检查的通知".into(),
        from: agency(from),
        to: to.split(' ').map(agency).collect(),
        cc: Vec::new(),
        classification: None,
        secrecy_period: None,
        urgency: Urgency::Routine,
        created: now(),
        deadline: None,
        in_reply_to: None,
        module: "official-documents".into(),
        fields: BTreeMap::new(),
        crit: Vec::new(),
        filing: None,
        form: Default::default(),
        parts: Vec::new(),
        nonce: Digest::from_bytes(chancery_crypto::random().expect("random bytes")),
    }
}

/// An act on a document.
pub(crate) fn act(from: &str, to: &str, kind: &str, on: DocumentId) -> DocumentHeader {
    let fields = BTreeMap::from([("reason".to_owned(), "内容有误".to_owned())]);
    let fields = if kind == "签收" { BTreeMap::new() } else { fields };
    DocumentHeader { in_reply_to: Some(on), fields, ..header(from, to, kind) }
}

/// A part of these bytes.
pub(crate) fn part(bytes: &[u8]) -> Part {
    Part {
        name: "a.txt".into(),
        media_type: "text/plain".into(),
        size: bytes.len() as u64,
        digest: Digest::of(bytes),
    }
}

pub(crate) fn signed(header: &DocumentHeader, by: &Credential) -> SignedDocument {
    sign_document(header, by, Commitment::Approval, now()).expect("it is signed")
}

struct Whole<'a>(&'a [u8]);

impl Parts for Whole<'_> {
    async fn give(&mut self, to: &mut Taking) -> Result<(), NodeError> {
        to.push(Bytes::copy_from_slice(self.0)).await
    }
}

/// Hands a document in, as its first signer does, with the bytes of its parts.
pub(crate) async fn hand_in(
    office: &Office,
    by: &Credential,
    document: &SignedDocument,
    parts: &[u8],
) -> Result<Taken, Refused> {
    let caller = Caller::signer(by.name());
    let handed =
        Handed { caller: &caller, document: document.bytes(), copies: None, request: None };
    submit(office, handed, &mut Whole(parts)).await
}

/// Signs and hands in what has no parts.
pub(crate) async fn send(
    office: &Office,
    by: &Credential,
    header: &DocumentHeader,
) -> Result<Taken, Refused> {
    hand_in(office, by, &signed(header, by), &[]).await
}

/// The events in a ledger, in its order.
pub(crate) fn events(office: &Office) -> Vec<Event> {
    let feed = in_place(|here| office.ledger().view(here).feed(0, usize::MAX));
    feed.expect("the ledger is read").into_iter().map(|(_, leaf)| leaf.event).collect()
}

/// How many rows there are.
pub(crate) fn rows(here: &Blocking, office: &Office, table: Table) -> usize {
    all(office.store(here), table, &[]).count()
}

/// The envelope that holds a document here, if one does.
pub(crate) fn envelope_of(office: &Office, document: &DocumentId) -> Option<EnvelopeId> {
    let found = in_place(|here| crate::lookup::envelopes_of(here, office, document));
    found.expect("the index is read").first().copied()
}

/// An envelope's record.
pub(crate) fn record(office: &Office, id: &EnvelopeId) -> Option<EnvelopeRecord> {
    in_place(|here| EnvelopeRecord::get(office.store(here), id)).expect("it is read")
}
