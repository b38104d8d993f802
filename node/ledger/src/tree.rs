//! The tree over the store.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::Arc,
};

use chancery_crypto::Digest;
use chancery_protocol::{
    merkle,
    tile::{TILE_WIDTH, Tile, locate},
};
use chancery_store::{Batch, Read, Store, Table};

use crate::LedgerError;

/// Tiles kept in memory for proofs.
pub(crate) const CACHED_TILES: usize = 64;

/// The tree over the store: reads nodes through cached tiles. The last tile of the lowest level is not stored
/// before it is full: its hashes are those of the last entries, which are. (It would be written anew with every
/// commit, up to 8 KB of it, when a lone commit is 1 KB.)
pub(crate) struct Tree {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) size: u64,
    pub(crate) tiles: HashMap<(u32, u64), Tile>,
    /// Tiles that have grown and are not written yet. They must stay in memory.
    pub(crate) grown: HashSet<(u32, u64)>,
}

/// The key of a tile in [`Table::Tiles`].
pub(crate) fn tile_key(level: u32, index: u64) -> Vec<u8> {
    let mut key = level.to_be_bytes().to_vec();
    key.extend(index.to_be_bytes());
    key
}

/// A tile as it is stored: full tiles, and on the higher levels those that grow.
pub(crate) fn stored_tile(
    tables: &(impl Read + ?Sized),
    level: u32,
    index: u64,
) -> Result<Option<Tile>, LedgerError> {
    let stored = tables.get(Table::Tiles, &tile_key(level, index))?;
    Ok(stored.map(|bytes| Tile::decode(&bytes)).transpose()?)
}

/// Completes a tile of the lowest level with the hashes of entries until it has `width` hashes.
pub(crate) fn complete(
    tables: &(impl Read + ?Sized),
    tile: &mut Tile,
    index: u64,
    width: usize,
) -> Result<(), LedgerError> {
    let Some(more) = width.checked_sub(tile.width()).filter(|more| *more > 0) else {
        return Ok(());
    };
    let from = index * TILE_WIDTH as u64 + tile.width() as u64;
    let leaves = tables.scan(Table::Leaves, &from.to_be_bytes(), &[], more)?;
    for (at, (key, leaf)) in (from..).zip(&leaves) {
        if *key != at.to_be_bytes() {
            return Err(LedgerError::damaged(format!("entry {at} is missing")));
        }
        tile.push(merkle::leaf_hash(leaf));
    }
    match tile.width() < width {
        true => {
            Err(LedgerError::damaged(format!("entry {} is missing", from + leaves.len() as u64)))
        }
        false => Ok(()),
    }
}

/// The first `width` hashes of a tile in a store's tables, if it has so many.
///
/// # Errors
/// [`LedgerError::Store`], or [`StoreError::Damaged`](chancery_store::StoreError::Damaged) when entries are missing.
pub(crate) fn tile(
    tables: &(impl Read + ?Sized),
    level: u32,
    index: u64,
    width: usize,
) -> Result<Option<Vec<u8>>, LedgerError> {
    let stored = tables.get(Table::Tiles, &tile_key(level, index))?;
    let first = |bytes: &[u8]| bytes.get(..width * Digest::LEN).map(<[u8]>::to_vec);
    let found = stored.as_deref().and_then(first);
    if found.is_some() || level > 0 {
        return Ok(found);
    }
    let mut tile = stored.map(|bytes| Tile::decode(&bytes)).transpose()?.unwrap_or_default();
    complete(tables, &mut tile, index, width)?;
    Ok(first(&tile.encode()))
}

impl Tree {
    pub(crate) fn new(store: Arc<dyn Store>, size: u64) -> Self {
        Self { store, size, tiles: HashMap::new(), grown: HashSet::new() }
    }

    pub(crate) fn load(&mut self, level: u32, index: u64) -> Result<&mut Tile, LedgerError> {
        if self.tiles.len() > CACHED_TILES + self.grown.len() {
            // The growing edge stays; older tiles can be read again.
            let (size, grown) = (self.size, &self.grown);
            self.tiles.retain(|key, _| {
                let (level, index) = key;
                let edge = size.checked_shr(8 * (level + 1)).unwrap_or(0);
                index + 1 >= edge || grown.contains(key)
            });
        }
        let tile = match self.tiles.entry((level, index)) {
            Entry::Occupied(tile) => tile.into_mut(),
            Entry::Vacant(slot) => {
                slot.insert(stored_tile(&*self.store, level, index)?.unwrap_or_default())
            }
        };
        if level == 0 {
            let entries = self.size.saturating_sub(index * TILE_WIDTH as u64);
            let width = usize::try_from(entries).unwrap_or(TILE_WIDTH).min(TILE_WIDTH);
            complete(&*self.store, tile, index, width)?;
        }
        Ok(tile)
    }

    pub(crate) fn node(&mut self, level: u32, index: u64) -> Result<Digest, LedgerError> {
        let (tile_level, tile, inner, at) = locate(level, index);
        let node = self.load(tile_level, tile)?.node(inner, at);
        node.ok_or_else(|| LedgerError::damaged(format!("tree node {level}/{index} is missing")))
    }

    /// Appends a leaf.
    pub(crate) fn push(&mut self, hash: Digest) -> Result<(), LedgerError> {
        let (mut level, mut index, mut carry) = (0, self.size, Some(hash));
        while let Some(hash) = carry {
            let tile = index / TILE_WIDTH as u64;
            let place = index % TILE_WIDTH as u64;
            let edge = self.load(level, tile)?;
            if edge.width() as u64 != place {
                return Err(LedgerError::damaged(format!("tile {level}/{tile} has a wrong width")));
            }
            carry = edge.push(hash);
            self.grown.insert((level, tile));
            (level, index) = (level + 1, tile);
        }
        self.size += 1;
        Ok(())
    }

    /// Forgets what a failed write would have added.
    pub(crate) fn reset(&mut self, size: u64) {
        self.size = size;
        self.tiles.clear();
        self.grown.clear();
    }

    /// Puts the tiles that have grown into a batch.
    pub(crate) fn put_grown(&mut self, batch: &mut Batch) -> Result<(), LedgerError> {
        for (level, index) in self.grown.clone() {
            let tile = self.load(level, index)?;
            if level > 0 || tile.width() == TILE_WIDTH {
                batch.put(Table::Tiles, tile_key(level, index), tile.encode());
            }
        }
        Ok(())
    }

    /// Goes on with a tree that has grown in the store: full tiles never change, and the lowest level grows by
    /// what is read of the entries.
    pub(crate) fn follow(&mut self, size: u64) {
        self.size = size;
        self.tiles.retain(|(level, _), tile| *level == 0 || tile.width() == TILE_WIDTH);
    }
}
