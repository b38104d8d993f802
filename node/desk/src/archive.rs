//! A node's data folder at rest: a stopped node's, a backup's, or one that an export was imported into.
//! Nothing in it is changed.

use std::{path::Path, sync::Arc};

use chancery_bus::{
    ELSEWHERE, NodeError,
    content::{Ciphertext, ContentFiles},
};
use chancery_certs::{Certificate, Scrutiny};
use chancery_crypto::{CHUNK_SIZE, Digest, cbor};
use chancery_ledger::{
    LedgerBuilder, LedgerFiles, LedgerView, all_seals, fork_key, keys, put_past, put_seal,
    put_statement, receipt_key,
    records::{
        DeliveryRecord, DeliveryState, EnvelopeRecord, ReceivedEvidence, delivery_of,
        indexed_envelope, journal_envelope,
    },
    rows, waiting_key,
};
use chancery_protocol::{
    EnvelopeHeader, EnvelopeId, Event, Evidence, ForkProof, KeptCheckpoint, Leaf, LedgerAudit,
    LogKey, SeenCheckpoint, SignedCheckpoint, Validation, merkle,
};
use chancery_store::{Batch, Listed, Store, Table, check_known, files::Staged};
use serde_bytes::ByteBuf;

use crate::{
    asking::{LocalReply, LocalRequest},
    requests,
};

/// A data folder that is only read.
pub struct DataFolder {
    store: Arc<dyn Store>,
    content: ContentFiles,
    view: LedgerView,
    seal: Vec<Certificate>,
}

impl std::fmt::Debug for DataFolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DataFolder({:?})", self.view)
    }
}

impl DataFolder {
    /// Whether a folder looks like one.
    pub fn is_one(folder: &Path) -> bool {
        folder.join("store").join("CURRENT").exists()
    }

    /// Opens a data folder for reading only.
    ///
    /// # Errors
    /// [`NodeError::Store`], naming what cannot be read.
    pub fn open(folder: &Path) -> Result<Self, NodeError> {
        let store: Arc<dyn Store> = chancery_store::open_read_only(&folder.join("store"))?;
        check_known(&*store)?;
        let view = LedgerView::open(store.clone())?;
        let note = view.checkpoint().note;
        let signed = |chain: &Vec<Certificate>| {
            let key = chain.first().and_then(|seal| LogKey::of_seal(seal).ok());
            key.is_some_and(|key| SignedCheckpoint::open(&note, &key).is_ok())
        };
        let seal = all_seals(&*store)?.into_iter().find(signed);
        let unsealed = || NodeError::damaged("none of its seals has signed its newest checkpoint");
        let seal = seal.ok_or_else(unsealed)?;
        Ok(Self { store, content: ContentFiles::at(folder.join("content")), view, seal })
    }

    /// The ledger as the files of a static log.
    pub fn files(&self) -> LedgerFiles<'_> {
        LedgerFiles::new(&*self.store, self.view.checkpoint(), &self.seal)
    }

    /// The history of checkpoints, as [`LedgerFiles::history`].
    pub fn history_bundles(&self) -> impl Iterator<Item = Result<Vec<u8>, NodeError>> {
        let files = self.files();
        let mut from = Some(0);
        std::iter::from_fn(move || files.next_history(&mut from).map(|next| Ok(next?)))
    }

    /// Answers what a running node would be asked about its ledger.
    ///
    /// # Errors
    /// As the node's own answer.
    pub fn ask(&self, request: &LocalRequest) -> Result<LocalReply, NodeError> {
        requests::answer(&self.view, &self.seal, request)
    }

    /// The number of envelopes in it.
    ///
    /// # Errors
    /// [`NodeError::Store`].
    pub fn envelopes(&self) -> Result<u64, NodeError> {
        let mut count = 0;
        for key in keys(&*self.store, Table::Envelopes) {
            key?;
            count += 1;
        }
        Ok(count)
    }

    /// Whether it was made from an export, and holds nothing of documents. The mark alone excuses nothing: where there is
    /// anything of them, all of it must be there.
    fn is_ledger_alone(&self) -> Result<bool, NodeError> {
        if self.store.get(Table::Meta, IMPORTED)?.is_none() {
            return Ok(false);
        }
        for table in OF_DOCUMENTS {
            if !self.store.scan(table, &[], &[], 1)?.is_empty() {
                return Ok(false);
            }
        }
        Ok(self.content.whole()?.is_empty())
    }

    /// Checks everything in the store against the ledger, whose entries the audit has taken in: that each
    /// entry and each record explains the other, that every content has the root that its sealed envelope
    /// names, and that there is nothing else. `progress` is told of every envelope.
    ///
    /// # Errors
    /// [`NodeError::Store`] or [`NodeError::Store`] when something cannot be read at all.
    pub fn check(
        &self,
        audit: &mut LedgerAudit<'_>,
        by: &Validation<'_>,
        progress: &(dyn Fn() + Sync),
    ) -> Result<(), NodeError> {
        let alone = self.is_ledger_alone()?;
        let check = Check { folder: self, store: &*self.store, alone };
        let refused = check.index(audit)?;
        if alone {
            audit.holds_ledger_alone();
            return Ok(());
        }
        for row in rows(&*self.store, Table::Envelopes) {
            let (key, value) = row?;
            check.envelope(audit, by, &key, &value)?;
            progress();
        }
        check.journal(audit)?;
        check.refusals(audit, refused)?;
        check.rest(audit)
    }
}

/// The key in [`Table::Meta`] that is there when a folder was made from an export.
const IMPORTED: &[u8] = b"imported";
/// What a folder made from an export has nothing in.
const OF_DOCUMENTS: [Table; 7] = [
    Table::Envelopes,
    Table::Content,
    Table::Journal,
    Table::Deliveries,
    Table::Pending,
    Table::Documents,
    Table::Modules,
];

/// The checks of one folder.
struct Check<'a> {
    folder: &'a DataFolder,
    store: &'a dyn Store,
    /// Whether it holds nothing but the ledger.
    alone: bool,
}

impl Check<'_> {
    /// Whether the ledger has recorded an event of an envelope. The index was checked before.
    fn recorded(&self, event: Event, id: &EnvelopeId, who: &str) -> Result<bool, NodeError> {
        let prefix = [id.digest().as_bytes().as_slice(), event.name().as_bytes(), &[0]].concat();
        let key = [prefix.as_slice(), who.as_bytes()].concat();
        Ok(self.store.get(Table::Receipts, &key)?.is_some())
    }

    /// Every entry is in the index under its key, and the index has nothing else. An event that is recorded
    /// twice of the same parties is there once. Returns the number of entries of refused submissions.
    fn index(&self, audit: &mut LedgerAudit<'_>) -> Result<u64, NodeError> {
        let mut refused = 0;
        for row in rows(self.store, Table::Leaves) {
            let (at, bytes) = row?;
            // What cannot be read, the audit has said already.
            let Ok(leaf) = Leaf::decode(&bytes) else { continue };
            let index = u64::from_be_bytes(at.try_into().unwrap_or_default());
            if self.store.get(Table::Receipts, &receipt_key(&leaf))?.is_none() {
                audit.missing(
                    format!("entry {index} is not in the index of receipts"),
                    format!("回执索引中没有第 {index} 条"),
                );
            }
            let id = leaf.envelope;
            // A deadline that has passed has no envelope.
            if leaf.event == Event::Decided && *id.digest() == leaf.commitment {
                continue;
            }
            // What was refused on submission never had an envelope.
            if leaf.event == Event::SubmissionRejection {
                refused += 1;
                continue;
            }
            if !self.alone && self.store.get(Table::Envelopes, id.digest().as_bytes())?.is_none() {
                audit.missing(
                    format!("envelope {id}, of which entry {index} speaks, is not in the store"),
                    format!("第 {index} 条所述的信封 {id} 不在存储中"),
                );
            }
        }
        for row in rows(self.store, Table::Receipts) {
            let (key, index) = row?;
            let leaf = self.store.get(Table::Leaves, &index)?;
            let leaf = leaf.and_then(|bytes| Leaf::decode(&bytes).ok());
            if leaf.is_none_or(|leaf| receipt_key(&leaf) != key) {
                let at = u64::from_be_bytes(index.try_into().unwrap_or_default());
                audit.contradicted(
                    format!(
                        "the index of receipts points to entry {at}, which says something else"
                    ),
                    format!("回执索引指向第 {at} 条，但该条内容不符"),
                );
            }
        }
        Ok(refused)
    }

    fn envelope(
        &self,
        audit: &mut LedgerAudit<'_>,
        by: &Validation<'_>,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), NodeError> {
        let shown = hex::encode(key);
        let read = cbor::decode::<EnvelopeRecord>(value).map_err(NodeError::from);
        let (record, id, header) =
            match read.and_then(|r| Ok(r.header().map(|(id, h)| (r, id, h))?)) {
                Ok((record, id, header)) if id.digest().as_bytes() == key => (record, id, header),
                _ => {
                    audit.contradicted(
                        format!("the record of envelope {shown} is not that of this envelope"),
                        format!("信封 {shown} 的记录与其不符"),
                    );
                    return Ok(());
                }
            };
        let came = record.time / 1_000_000;
        if let Err(error) = EnvelopeHeader::open(
            &record.sealed,
            // What was known of revocations then is not known now, and the record is not the worse for it.
            &Scrutiny::without_lists(by.trust, came.min(by.at)),
        ) {
            audit.contradicted(
                format!("the seal of envelope {id} does not hold: {error}"),
                format!("信封 {id} 的印章不成立：{error}"),
            );
        }
        self.events(audit, &record, &id, &header)?;
        let purged = self.recorded(Event::ContentPurged, &id, header.sender.as_str())?;
        if purged != record.purged.is_some() {
            audit.contradicted(
                format!("ledger and record disagree on whether {id} was purged"),
                format!("账本与记录对信封 {id} 是否已清除说法不一"),
            );
        }
        self.content(audit, &record, &id, &header, purged)?;
        if self.store.get(Table::Journal, &record.journal_key(&id))?.is_none() {
            audit.missing(
                format!("envelope {id} is not in the journal"),
                format!("收发登记中没有信封 {id}"),
            );
        }
        Ok(())
    }

    /// The entries and deliveries that an envelope must have.
    fn events(
        &self,
        audit: &mut LedgerAudit<'_>,
        record: &EnvelopeRecord,
        id: &EnvelopeId,
        header: &EnvelopeHeader,
    ) -> Result<(), NodeError> {
        if record.incoming {
            let event = match record.transit {
                true => Event::RelayAcceptance,
                false => Event::ContentConsignment,
            };
            if !self.recorded(event, id, header.sender.as_str())? {
                audit.contradicted(
                    format!("no entry says how envelope {id} came in"),
                    format!("没有条目说明信封 {id} 如何收到"),
                );
            }
        }
        for recipient in &header.recipients {
            let agency = &recipient.agency;
            // What belongs here goes nowhere.
            if !record.incoming && *agency == header.sender {
                continue;
            }
            let key = chancery_ledger::records::delivery_key(id, agency);
            let delivery = self.store.get(Table::Deliveries, &key)?;
            // What came in is carried on to some of its recipients, or to none.
            if record.incoming && delivery.is_none() {
                continue;
            }
            if !record.incoming
                && !self.recorded(Event::SubmissionAcceptance, id, agency.as_str())?
            {
                audit.contradicted(
                    format!("no entry says that {id} was accepted for {agency}"),
                    format!("没有条目说明信封 {id} 已受理发往 {agency}"),
                );
            }
            let delivery = delivery.and_then(|d| cbor::decode::<DeliveryRecord>(&d).ok());
            let Some(delivery) = delivery else {
                audit.missing(
                    format!("the delivery of {id} to {agency} is not in the store"),
                    format!("存储中没有信封 {id} 发往 {agency} 的投递记录"),
                );
                continue;
            };
            let end = match delivery.state {
                DeliveryState::Pending => None,
                DeliveryState::Delivered => Some(Event::EvidenceReceived),
                DeliveryState::Refused => Some(Event::RelayRejection),
                DeliveryState::Expired => Some(Event::RelayFailure),
            };
            let waits = self.store.get(Table::Pending, &key)?.is_some();
            let ended = match end {
                Some(event) => self.recorded(event, id, agency.as_str())?,
                None => true,
            };
            if !ended || waits != end.is_none() {
                audit.contradicted(
                    format!("the ledger does not say how the delivery of {id} to {agency} ended"),
                    format!("账本未说明信封 {id} 发往 {agency} 的投递结果"),
                );
            }
        }
        Ok(())
    }

    fn content(
        &self,
        audit: &mut LedgerAudit<'_>,
        record: &EnvelopeRecord,
        id: &EnvelopeId,
        header: &EnvelopeHeader,
        purged: bool,
    ) -> Result<(), NodeError> {
        if record.in_file && self.store.get(Table::Meta, ELSEWHERE)?.is_some() {
            // It lies elsewhere: whoever has that can look there.
            return Ok(());
        }
        let there = match record.in_file {
            true => self.folder.content.has_whole(id)?,
            false => self.store.get(Table::Content, id.digest().as_bytes())?.is_some(),
        };
        if purged {
            let waits = self.store.get(Table::Erasing, id.digest().as_bytes())?.is_some();
            if there && !waits {
                audit.contradicted(
                    format!("the content of {id} was purged and is still there"),
                    format!("信封 {id} 的内容已清除，但仍然存在"),
                );
            }
            return Ok(());
        }
        if !there && record.transit {
            let prefix = id.digest().as_bytes();
            // A relay keeps nothing of what it has carried on.
            if self.store.scan(Table::Pending, prefix, prefix, 1)?.is_empty() {
                return Ok(());
            }
        }
        if !there {
            audit.missing(
                format!("the content of {id} is not there, and nothing says that it was purged"),
                format!("信封 {id} 的内容缺失，且无清除记录"),
            );
            return Ok(());
        }
        let mut content = self.folder.content.read(self.store, id, record.in_file)?;
        if root_of(&mut content, header)? {
            audit.content_holds();
        } else {
            audit.contradicted(
                format!("the content of {id} is not the one that its envelope seals"),
                format!("信封 {id} 的内容与其封存的不符"),
            );
        }
        Ok(())
    }

    /// The journal has each envelope once and nothing else.
    fn journal(&self, audit: &mut LedgerAudit<'_>) -> Result<(), NodeError> {
        for key in keys(self.store, Table::Journal) {
            let key = key?;
            let record = match journal_envelope(&key) {
                Some(id) => self.record(&id)?.map(|r| r.journal_key(&id)),
                None => None,
            };
            if record.as_ref() != Some(&key) {
                audit.contradicted(
                    format!("the journal has a place {} without its envelope", hex::encode(&key)),
                    format!("收发登记中的 {} 没有对应的信封", hex::encode(&key)),
                );
            }
        }
        Ok(())
    }

    fn record(&self, id: &EnvelopeId) -> Result<Option<EnvelopeRecord>, NodeError> {
        let record = self.store.get(Table::Envelopes, id.digest().as_bytes())?;
        Ok(record.and_then(|bytes| cbor::decode(&bytes).ok()))
    }

    /// Every refused submission is recorded in the ledger, and every such entry has its record.
    fn refusals(&self, audit: &mut LedgerAudit<'_>, mut entries: u64) -> Result<(), NodeError> {
        let own = self.folder.seal.first().and_then(|seal| seal.agency_name().ok());
        let own = own.ok_or_else(|| NodeError::damaged("its seal names no agency"))?;
        for row in rows(self.store, Table::Modules) {
            let (key, value) = row?;
            let Some(entry) = crate::rejections::entry_of(&key, &value) else { continue };
            let recorded = match &entry {
                Ok(id) => self.recorded(Event::SubmissionRejection, id, own.as_str())?,
                Err(_) => false,
            };
            match recorded {
                // No two records have the same salt, so no two have the same entry.
                true => entries = entries.saturating_sub(1),
                false => audit.contradicted(
                    format!(
                        "no entry says what the record of a refusal says: {}",
                        hex::encode(&key)
                    ),
                    format!("没有条目与不予受理的记录相符：{}", hex::encode(&key)),
                ),
            }
        }
        if entries > 0 {
            audit.missing(
                format!("{entries} refused submissions, of which entries speak, have no record"),
                format!("有 {entries} 条不予受理的条目没有对应记录"),
            );
        }
        Ok(())
    }

    /// What belongs to an envelope stands under one that is there.
    fn rest(&self, audit: &mut LedgerAudit<'_>) -> Result<(), NodeError> {
        let mut unexplained = |what: &str, key: &[u8], id: Option<EnvelopeId>| {
            let known = match id {
                Some(id) => self.record(&id)?.is_some(),
                None => false,
            };
            if !known {
                audit.unexplained(&format!("{what} {}", hex::encode(key)));
            }
            Ok::<_, NodeError>(())
        };
        for key in keys(self.store, Table::Content) {
            let key = key?;
            unexplained("the content", &key, EnvelopeId::from_slice(&key))?;
        }
        for (table, what) in
            [(Table::Deliveries, "the delivery"), (Table::Pending, "the pending delivery")]
        {
            for key in keys(self.store, table) {
                let key = key?;
                unexplained(what, &key, delivery_of(&key).map(|(id, _)| id))?;
            }
        }
        for (table, what) in [(Table::Documents, "the document"), (Table::Answers, "the answer")] {
            for key in keys(self.store, table) {
                let key = key?;
                unexplained(what, &key, indexed_envelope(&key))?;
            }
        }
        for Listed { name, .. } in self.folder.content.whole()? {
            let id = hex::decode(&name).ok().and_then(|id| EnvelopeId::from_slice(&id));
            let known = match &id {
                Some(id) => self.record(id)?.is_some_and(|r| r.in_file && r.purged.is_none()),
                None => false,
            };
            if !known {
                audit.unclear(
                    format!("no record explains content/{name}; it may have been arriving"),
                    format!("没有记录说明 content/{name}；它可能是尚在接收的内容"),
                );
            }
        }
        Ok(())
    }
}

/// Whether a content has the size and the root that its header seals.
fn root_of(content: &mut Ciphertext, header: &EnvelopeHeader) -> Result<bool, NodeError> {
    let mut tree = merkle::CompactRange::default();
    if content.size() != header.size {
        return Ok(false);
    }
    for index in 0..header.size.div_ceil(CHUNK_SIZE as u64) {
        tree.push(merkle::leaf_hash(&content.chunk(index, header.size)?));
    }
    Ok(tree.root() == header.root)
}

/// Makes a data folder out of an exported ledger, whose files `read` gives: entries by bundle first, in
/// order, then the rest. It holds the ledger and no contents.
#[derive(Debug)]
pub struct LedgerImport {
    builder: LedgerBuilder,
    staged: Staged,
}

impl LedgerImport {
    /// Starts an import into a folder that is not there yet.
    ///
    /// # Errors
    /// [`NodeError::Store`].
    pub fn create(into: &Path) -> Result<Self, NodeError> {
        let staged = Staged::folder(into)?;
        let store = chancery_store::open(&staged.path().join("store"))?;
        Ok(Self { builder: LedgerBuilder::new(store), staged })
    }

    /// Takes in the next entry.
    ///
    /// # Errors
    /// [`NodeError::Store`], or [`NodeError::Protocol`] when the bytes are no entry.
    pub fn entry(&mut self, bytes: &[u8]) -> Result<(), NodeError> {
        Ok(self.builder.push(bytes)?)
    }

    /// Takes in a checkpoint of the history.
    ///
    /// # Errors
    /// [`NodeError::Store`], or [`NodeError::Protocol`] when it cannot be read.
    pub fn history(&mut self, kept: &[u8]) -> Result<(), NodeError> {
        let size = KeptCheckpoint::read_unverified(kept)?.size;
        Ok(self.builder.put(Table::Checkpoints, &size.to_be_bytes(), kept)?)
    }

    /// Takes in a seal's chain.
    ///
    /// # Errors
    /// [`NodeError::Store`].
    pub fn seal(&mut self, chain: &[Certificate]) -> Result<(), NodeError> {
        let mut batch = Batch::default();
        put_seal(chain, &mut batch)?;
        Ok(self.builder.append(batch)?)
    }

    /// Takes in an evidence that the ledger received.
    ///
    /// # Errors
    /// [`NodeError::Store`].
    pub fn evidence(&mut self, evidence: &Evidence) -> Result<(), NodeError> {
        let digest = Digest::of(&cbor::encode(&evidence.receipt)?);
        let (receipt, chain) = (evidence.receipt.clone(), evidence.chain.clone());
        let kept = cbor::encode(&ReceivedEvidence { receipt, chain })?;
        Ok(self.builder.put(Table::Evidence, digest.as_bytes(), &kept)?)
    }

    /// Takes in a cosignature of the history, each with a greater number.
    ///
    /// # Errors
    /// [`NodeError::Store`], or [`NodeError::Protocol`] when it cannot be read.
    pub fn cosigned(&mut self, number: u64, kept: &[u8]) -> Result<(), NodeError> {
        let mut batch = Batch::default();
        put_past(number, kept, &mut batch)?;
        Ok(self.builder.append(batch)?)
    }

    /// Takes in a witness's statement by which cosignatures of the history hold.
    ///
    /// # Errors
    /// [`NodeError::Store`].
    pub fn statement(&mut self, statement: &[u8]) -> Result<(), NodeError> {
        let mut batch = Batch::default();
        put_statement(statement, &mut batch);
        Ok(self.builder.append(batch)?)
    }

    /// Takes in the proof that another ledger was forked.
    ///
    /// # Errors
    /// [`NodeError::Store`], or [`NodeError::Protocol`] when it cannot be read.
    pub fn fork(&mut self, bytes: &[u8]) -> Result<(), NodeError> {
        let proof = ForkProof::decode(bytes)?;
        Ok(self.builder.put(Table::Forks, &fork_key(&proof), bytes)?)
    }

    /// Takes in a checkpoint of another ledger that was seen.
    ///
    /// # Errors
    /// [`NodeError::Store`], or [`NodeError::Protocol`] when it cannot be read.
    pub fn seen(&mut self, bytes: &[u8]) -> Result<(), NodeError> {
        let seen = SeenCheckpoint::decode(bytes)?;
        let key = waiting_key(&seen.agency, seen.size()?);
        Ok(self.builder.put(Table::Peers, &key, &cbor::encode(&seen.sealed)?)?)
    }

    /// Takes in a witness's cosignature or an order: the table and key under which a node keeps it, and its
    /// bytes as a node keeps them.
    ///
    /// # Errors
    /// [`NodeError::Store`].
    pub fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), NodeError> {
        Ok(self.builder.put(table, key, value)?)
    }

    /// Seals the store with the export's checkpoint and gives the folder its name.
    ///
    /// # Errors
    /// [`NodeError::Store`] when the entries are not those of the checkpoint.
    pub fn finish(self, signed: &SignedCheckpoint, cose: Option<ByteBuf>) -> Result<(), NodeError> {
        let Self { builder, staged } = self;
        // An export has no documents: an audit of the folder is not to miss them.
        let mut builder = builder;
        builder.put(Table::Meta, IMPORTED, &[])?;
        // The store is closed when the builder has gone.
        builder.finish(signed, cose)?;
        Ok(staged.finish()?)
    }
}
