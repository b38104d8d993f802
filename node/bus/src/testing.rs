//! Buses over the memory store, for unit tests: real keys, a real directory and a socket on the loopback; nothing of them runs.

use std::{collections::BTreeMap, sync::Arc};

use chancery_certs::{AgencyName, Credential};
use chancery_crypto::{Commitment, ContentKey, Digest, wrap_key};
use chancery_ledger::{ContinuityState, records::EnvelopeRecord, unix_now};
use chancery_protocol::{
    ContentSealer, DocumentHeader, EnvelopeHeader, EnvelopeId, OpenedEnvelope, Recipient,
    SignedDocument, Urgency, commit_to_document, recipient_info, sign_document,
};
use chancery_store::{Batch, MemoryStore, Table, in_place};
use chancery_test_domain::Domain;

use crate::{Bus, Identity, Mark, NodeConfig, NodeError, opening::Arrivals};

/// Nobody stands above.
#[derive(Debug)]
struct Nobody;

impl Arrivals for Nobody {
    fn arrived(&self, _: &EnvelopeId, _: &SignedDocument, _: i64, _: &mut Batch) {}
}

pub(crate) fn name(text: &str) -> AgencyName {
    text.parse().expect("a name")
}

/// A bus of an agency, whose ledger is open.
pub(crate) fn bus(domain: &Domain, agency: &str) -> Arc<Bus> {
    let config = NodeConfig::load(&domain.agency(agency).config).expect("the settings load");
    let identity = Identity::load(&config).expect("the identity loads");
    let opened = in_place(|here| -> Result<_, NodeError> {
        let store = Arc::new(MemoryStore::default());
        let bus = Arc::new(Bus::over(here, config, identity, store, Box::new(Nobody))?);
        bus.take_up(here, &Mark::Fresh)?;
        bus.ledger.continuity().set(ContinuityState::Open);
        Ok(bus)
    });
    opened.expect("the bus opens")
}

/// An envelope and its ciphertext, from one agency to others.
pub(crate) struct Sealed {
    pub(crate) opened: OpenedEnvelope,
    pub(crate) bytes: Vec<u8>,
    pub(crate) ciphertext: Vec<u8>,
}

/// Seals a document without parts. `change` may make the envelope another before it is sealed.
pub(crate) fn sealed(
    domain: &Domain,
    from: &str,
    to: &[&str],
    change: impl FnOnce(&mut EnvelopeHeader),
) -> Sealed {
    let now = unix_now();
    let seal: &Credential = &domain.agency(from).seal;
    let header = DocumentHeader {
        kind: "通知".into(),
        number: None,
        title: "T".into(),
        from: name(from),
        to: to.iter().map(|to| name(to)).collect(),
        cc: Vec::new(),
        classification: None,
        secrecy_period: None,
        urgency: Urgency::Routine,
        created: now,
        deadline: None,
        in_reply_to: None,
        module: "official-documents".into(),
        fields: BTreeMap::new(),
        crit: Vec::new(),
        filing: None,
        form: Default::default(),
        parts: Vec::new(),
        nonce: Digest::from_bytes(chancery_crypto::random().expect("random bytes")),
    };
    let document = sign_document(&header, seal, Commitment::Origin, now).expect("it is signed");
    let (key, salt) = (ContentKey::generate().expect("a key"), Digest::of(b"salt"));
    let mut ciphertext = Vec::new();
    let sealer = ContentSealer::new(&key, &salt, &document, &mut ciphertext).expect("it begins");
    let content = sealer.finish(&mut ciphertext).expect("it is sealed");
    let recipients = to.iter().map(|to| {
        let recipient = &domain.agency(to).encryption;
        let info = recipient_info(&name(from), &name(to));
        let key = wrap_key(recipient, &key, &info).expect("it is wrapped");
        Recipient { agency: name(to), key }
    });
    let mut header = EnvelopeHeader {
        root: content.root,
        size: content.size,
        sender: name(from),
        created: now,
        expires: now + 3600,
        urgency: Urgency::Routine,
        commitment: commit_to_document(&salt, &document.id()),
        recipients: recipients.collect(),
    };
    change(&mut header);
    let bytes = header.seal(seal, now).expect("it is sealed");
    let (id, header, parts) = EnvelopeHeader::reopen_whole(&bytes).expect("it opens");
    let chain = seal.chain().to_vec();
    Sealed {
        opened: OpenedEnvelope { id, header, chain, uncovered: None, parts },
        bytes,
        ciphertext,
    }
}

impl Sealed {
    /// Keeps it in a bus as what came in: to be carried on, or for its agency.
    pub(crate) fn keep(&self, bus: &Bus, transit: bool) {
        let id = self.opened.id;
        let record = EnvelopeRecord {
            sealed: self.bytes.clone(),
            incoming: true,
            time: bus.micros(),
            in_file: false,
            own_key: None,
            purged: None,
            transit,
        };
        let mut batch = Batch::default();
        record.put(&id, &mut batch).expect("it is put");
        batch.put(Table::Content, *id.digest().as_bytes(), self.ciphertext.clone());
        in_place(|here| bus.store.on(here).write(batch)).expect("it is written");
    }

    /// Whether its content is there.
    pub(crate) fn is_kept(&self, bus: &Bus) -> bool {
        let key = self.opened.id.digest().as_bytes();
        let kept = in_place(|here| bus.store.on(here).get(Table::Content, key));
        kept.expect("it is read").is_some()
    }
}
