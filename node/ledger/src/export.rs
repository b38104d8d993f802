//! A ledger as the files of a static log (C2SP tlog-tiles), with what an auditor needs beside them.

use std::collections::HashSet;

use chancery_certs::Certificate;
use chancery_crypto::{Digest, cbor};
use chancery_protocol::{
    Checkpoint, Event, Evidence, Leaf, SignedCheckpoint,
    tile::{TILE_WIDTH, cosigned_path, entries, entries_path, history_path, push_entry, tile_path},
};

use chancery_store::{Entry, Read, Table, all};

use crate::{
    KeptCosignature, LedgerError, PastCosignature, all_seals,
    cosignatures::{CosignedRow, cosignatures, cosigned, cosigned_row},
    keys as peers,
    records::ReceivedEvidence,
    tree,
};

/// The number of entries in a bundle, as in a file position.
const WIDTH: u64 = TILE_WIDTH as u64;

/// The files of a ledger up to one checkpoint, made from its tables as they are asked for.
pub struct LedgerFiles<'a> {
    tables: &'a dyn Read,
    signed: SignedCheckpoint,
    seal: &'a [Certificate],
}

impl std::fmt::Debug for LedgerFiles<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LedgerFiles({})", self.size())
    }
}

fn width_of(from: u64, end: u64) -> usize {
    usize::try_from(end.saturating_sub(from)).unwrap_or(TILE_WIDTH).min(TILE_WIDTH)
}

impl<'a> LedgerFiles<'a> {
    /// The files of the ledger in `tables` up to a checkpoint, which the seal has signed.
    pub fn new(tables: &'a dyn Read, signed: SignedCheckpoint, seal: &'a [Certificate]) -> Self {
        Self { tables, signed, seal }
    }

    /// The number of entries.
    pub fn size(&self) -> u64 {
        self.signed.checkpoint.size
    }

    /// The checkpoint's note, with its cosignatures.
    ///
    /// # Errors
    /// [`LedgerError::Store`].
    pub fn checkpoint(&self) -> Result<String, LedgerError> {
        Ok(cosigned(self.tables, self.signed.clone())?.note)
    }

    /// The seal's chain.
    pub fn seal(&self) -> &[Certificate] {
        self.seal
    }

    /// The chains of the seals that the ledger had before.
    ///
    /// # Errors
    /// [`LedgerError::Store`].
    pub fn old_seals(&self) -> Result<Vec<Vec<Certificate>>, LedgerError> {
        let mut all = all_seals(self.tables)?;
        all.retain(|chain| chain.first() != self.seal.first());
        Ok(all)
    }

    /// The newest cosignature of every witness, with its file's name.
    ///
    /// # Errors
    /// [`LedgerError::Store`].
    pub fn cosignatures(&self) -> Result<Vec<(String, KeptCosignature)>, LedgerError> {
        let mut all = Vec::new();
        for (witness, kept) in cosignatures(self.tables)? {
            // The tables may hold more than the checkpoint: what is of a larger tree does not belong to this one.
            if Checkpoint::read_unverified(&kept.note)?.size <= self.size() {
                all.push((format!("{witness}.cosignature"), kept));
            }
        }
        Ok(all)
    }

    /// The cosignatures of its history up to its size, in their encoded form, those of a witness in its order; and the
    /// statements by which they hold.
    ///
    /// # Errors
    /// [`LedgerError::Store`], or [`LedgerError::Protocol`] when one cannot be read.
    pub fn cosigned(
        &self,
    ) -> Result<impl Iterator<Item = Result<CosignedRow, LedgerError>>, LedgerError> {
        let mut needed = HashSet::new();
        for row in rows(self.tables, Table::Cosigned) {
            if let CosignedRow::Cosignature(kept) = cosigned_row(row?) {
                let past: PastCosignature = cbor::decode(&kept)?;
                if past.size <= self.size() {
                    needed.insert(past.statement);
                }
            }
        }
        let size = self.size();
        let within = move |row: &CosignedRow| match row {
            // One whose cosignatures have all made room for others explains nothing any more.
            CosignedRow::Statement(statement) => needed.contains(&Digest::of(statement)),
            // It was read before.
            CosignedRow::Cosignature(kept) => {
                cbor::decode::<PastCosignature>(kept).is_ok_and(|past| past.size <= size)
            }
        };
        let all = rows(self.tables, Table::Cosigned).map(|row| Ok(cosigned_row(row?)));
        Ok(all.filter(move |row: &Result<_, LedgerError>| row.as_ref().map_or(true, &within)))
    }

    /// The proofs of forks that it holds, with their files' names.
    ///
    /// # Errors
    /// [`LedgerError::Store`].
    pub fn forks(&self) -> Result<Vec<(String, Vec<u8>)>, LedgerError> {
        peers::forks(self.tables)
    }

    /// The checkpoints of other ledgers that this agency has seen, in receipts and as a witness, with their files' names.
    ///
    /// # Errors
    /// [`LedgerError::Store`], or [`StoreError::Damaged`](chancery_store::StoreError::Damaged) when one cannot be read.
    pub fn seen(&self) -> Result<Vec<(String, Vec<u8>)>, LedgerError> {
        peers::seen(self.tables)
    }

    /// A bundle of entries; none beyond the last.
    ///
    /// # Errors
    /// [`StoreError::Damaged`](chancery_store::StoreError::Damaged) when an entry is missing.
    pub fn entries(&self, bundle: u64) -> Result<Option<Vec<u8>>, LedgerError> {
        let (start, end) = (bundle * WIDTH, self.size().min((bundle + 1) * WIDTH));
        if start >= end {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        let leaves =
            self.tables.scan(Table::Leaves, &start.to_be_bytes(), &[], width_of(start, end))?;
        let mut leaves = leaves.into_iter();
        for index in start..end {
            match leaves.next() {
                Some((key, leaf)) if key == index.to_be_bytes() => push_entry(&mut bytes, &leaf)?,
                _ => return Err(LedgerError::damaged(format!("entry {index} is missing"))),
            }
        }
        Ok(Some(bytes))
    }

    /// The first `width` hashes of a tile, when it has so many.
    ///
    /// # Errors
    /// [`LedgerError::Store`], or [`StoreError::Damaged`](chancery_store::StoreError::Damaged) when entries are missing.
    pub fn tile(
        &self,
        level: u32,
        tile: u64,
        width: usize,
    ) -> Result<Option<Vec<u8>>, LedgerError> {
        // The tile may have grown since the checkpoint was taken: only its start counts.
        tree::tile(self.tables, level, tile, width)
    }

    /// The checkpoints that the ledger has sealed up to its size, in bundles like those of entries.
    pub fn history(&self) -> impl Iterator<Item = Result<Vec<u8>, LedgerError>> {
        let mut from = Some(0);
        std::iter::from_fn(move || self.next_history(&mut from))
    }

    /// The next bundle of the history: `from` is where it starts, and moves on.
    pub fn next_history(&self, from: &mut Option<u64>) -> Option<Result<Vec<u8>, LedgerError>> {
        match self.history_from((*from)?) {
            Ok(found) => {
                let (bundle, last) = found?;
                *from = last.checked_add(1);
                Some(Ok(bundle))
            }
            Err(error) => {
                *from = None;
                Some(Err(error))
            }
        }
    }

    /// A bundle of checkpoints of at least a size, and the last one's size.
    fn history_from(&self, from: u64) -> Result<Option<(Vec<u8>, u64)>, LedgerError> {
        let kept = self.tables.scan(Table::Checkpoints, &from.to_be_bytes(), &[], TILE_WIDTH)?;
        let (mut bytes, mut last) = (Vec::new(), None);
        for (key, kept) in &kept {
            let at = key.as_slice().try_into().map(u64::from_be_bytes).unwrap_or(u64::MAX);
            if at <= self.size() {
                push_entry(&mut bytes, kept)?;
                last = Some(at);
            }
        }
        Ok(last.map(|last| (bytes, last)))
    }

    /// The names of all evidence that the ledger received.
    pub fn evidence_names(&self) -> impl Iterator<Item = Result<Digest, LedgerError>> {
        self.digests(Table::Evidence)
    }

    /// An evidence that the ledger received, as a file.
    ///
    /// # Errors
    /// [`StoreError::Damaged`](chancery_store::StoreError::Damaged) when it cannot be read.
    pub fn evidence(&self, digest: &Digest) -> Result<Vec<u8>, LedgerError> {
        let kept = self.tables.get(Table::Evidence, digest.as_bytes())?;
        let missing = || LedgerError::damaged(format!("the evidence {digest} is missing"));
        let kept: ReceivedEvidence = cbor::decode(&kept.ok_or_else(missing)?)?;
        let leaf = Leaf::decode(&kept.receipt.leaf)?;
        // Whose receipt it is stands in the chain under which it was accepted.
        let seal = kept.chain.first().map(|der| Certificate::from_der(der)).transpose()?;
        let agency = seal.map(|seal| seal.agency_name()).transpose()?;
        let evidence = Evidence {
            agency: agency.unwrap_or(leaf.counterpart),
            receipt: kept.receipt,
            chain: kept.chain,
            salt: None,
        };
        Ok(evidence.encode()?)
    }

    /// The names of all orders that entries follow.
    pub fn order_names(&self) -> impl Iterator<Item = Result<Digest, LedgerError>> {
        self.digests(Table::Orders)
    }

    /// An order.
    ///
    /// # Errors
    /// [`StoreError::Damaged`](chancery_store::StoreError::Damaged) when it is missing.
    pub fn order(&self, digest: &Digest) -> Result<Vec<u8>, LedgerError> {
        let order = self.tables.get(Table::Orders, digest.as_bytes())?;
        order.ok_or_else(|| LedgerError::damaged(format!("the order {digest} is missing")))
    }

    /// The keys of a table, which are digests.
    fn digests(&self, table: Table) -> impl Iterator<Item = Result<Digest, LedgerError>> {
        keys(self.tables, table).map(|key| {
            let damaged = || LedgerError::damaged("a name in the store is no digest");
            Digest::from_slice(&key?).ok_or_else(damaged)
        })
    }

    /// Gives every file to a function: its relative path and its bytes.
    ///
    /// # Errors
    /// [`StoreError::Damaged`](chancery_store::StoreError::Damaged) when something is missing; the function's own.
    pub fn for_each<E: From<LedgerError>>(
        &self,
        file: &impl Fn(String, Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let pem = |chain: &[Certificate]| chancery_certs::encode_pem_chain(chain).into_bytes();
        file("checkpoint".into(), self.checkpoint()?.into_bytes())?;
        file("seal.pem".into(), pem(self.seal))?;
        for (number, chain) in self.old_seals()?.iter().enumerate() {
            file(format!("seals/{number:03}.pem"), pem(chain))?;
        }
        for (name, kept) in self.cosignatures()? {
            file(format!("witness/{name}"), cbor::encode(&kept).map_err(LedgerError::from)?)?;
        }
        self.cosigned_files(file)?;
        for (name, proof) in self.forks()? {
            file(format!("forks/{name}"), proof)?;
        }
        for (name, seen) in self.seen()? {
            file(format!("seen/{name}"), seen)?;
        }
        let (size, mut orders) = (self.size(), HashSet::new());
        for bundle in 0..size.div_ceil(WIDTH) {
            let (start, end) = (bundle * WIDTH, size.min((bundle + 1) * WIDTH));
            let bytes = self.entries(bundle)?.unwrap_or_default();
            self.entry_files(&bytes, &mut orders, file)?;
            file(entries_path(bundle, width_of(start, end)), bytes)?;
        }
        let (mut level, mut hashes) = (0, size);
        while hashes > 0 {
            for tile in 0..hashes.div_ceil(WIDTH) {
                let width = width_of(tile * WIDTH, hashes);
                let missing = || LedgerError::damaged(format!("tile {level}/{tile} is missing"));
                let bytes = self.tile(level, tile, width)?.ok_or_else(missing)?;
                file(tile_path(level, tile, width), bytes)?;
            }
            (level, hashes) = (level + 1, hashes / WIDTH);
        }
        for (number, bundle) in (0..).zip(self.history()) {
            file(history_path(number), bundle?)?;
        }
        Ok(())
    }

    /// The cosignatures of the history, in bundles like those of entries, and the statements by which they hold.
    fn cosigned_files<E: From<LedgerError>>(
        &self,
        file: &impl Fn(String, Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (mut number, mut bundle, mut held) = (0, Vec::new(), 0);
        for row in self.cosigned()? {
            match row? {
                CosignedRow::Statement(statement) => {
                    file(format!("statements/{}", Digest::of(&statement)), statement)?;
                }
                CosignedRow::Cosignature(kept) => {
                    push_entry(&mut bundle, &kept).map_err(LedgerError::from)?;
                    held += 1;
                }
            }
            if held == TILE_WIDTH {
                file(cosigned_path(number), std::mem::take(&mut bundle))?;
                (number, held) = (number + 1, 0);
            }
        }
        match held {
            0 => Ok(()),
            _ => file(cosigned_path(number), bundle),
        }
    }

    /// The evidence and the orders of a bundle's entries. What came after the checkpoint is left out.
    fn entry_files<E: From<LedgerError>>(
        &self,
        bundle: &[u8],
        orders: &mut HashSet<Digest>,
        file: &impl Fn(String, Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        for leaf in entries(bundle).map_err(LedgerError::from)? {
            let leaf = Leaf::decode(leaf).map_err(LedgerError::from)?;
            let Some(digest) = leaf.evidence else { continue };
            match leaf.event {
                Event::EvidenceReceived | Event::RelayEvidenceReceived => {
                    file(format!("evidence/{digest}"), self.evidence(&digest)?)?;
                }
                Event::ContentPurged if orders.insert(digest) => {
                    file(format!("orders/{digest}"), self.order(&digest)?)?;
                }
                // With other events it is the digest of what stands elsewhere, as of a recipient's part; of those that are
                // not known here, nobody can say.
                _ => {}
            }
        }
        Ok(())
    }
}

/// The keys of a table, in order, some at a time.
pub fn keys(
    tables: &(impl Read + ?Sized),
    table: Table,
) -> impl Iterator<Item = Result<Vec<u8>, LedgerError>> {
    rows(tables, table).map(|row| row.map(|(key, _)| key))
}

/// The rows of a table, in order, some at a time.
pub fn rows<R: Read + ?Sized>(
    tables: &R,
    table: Table,
) -> impl Iterator<Item = Result<Entry, LedgerError>> + use<'_, R> {
    all(tables, table, &[]).map(|row| Ok(row?))
}
