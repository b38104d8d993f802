//! Tiles (C2SP tlog-tiles): the tree's hashes in pieces of 256, and where a static log keeps them.
//!
//! A tile at tile level `L` and index `N` holds up to 256 hashes at tree level `8L`, from index
//! `256 N`. Only whole subtrees have a hash, so a tile grows to the right and never changes.

use chancery_crypto::Digest;

use crate::{ProofFault, ProtocolError, merkle::node_hash};

/// Hashes in a full tile.
pub const TILE_WIDTH: usize = 256;
/// Tree levels in a tile.
pub const TILE_HEIGHT: u32 = 8;

/// A tile and all hashes inside it.
#[derive(Debug, Clone)]
pub struct Tile {
    /// `levels[l][i]` is the hash over `2^l` of the tile's hashes from `i * 2^l`.
    levels: [Vec<Digest>; 9],
}

impl Default for Tile {
    fn default() -> Self {
        Self { levels: std::array::from_fn(|_| Vec::new()) }
    }
}

impl Tile {
    /// A tile from its stored bytes.
    ///
    /// # Errors
    /// [`ProtocolError::Proof`] when they are not 1 to 256 hashes.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProtocolError> {
        let (hashes, rest) = bytes.as_chunks::<{ Digest::LEN }>();
        if !rest.is_empty() || hashes.is_empty() || hashes.len() > TILE_WIDTH {
            return Err(ProofFault::Tile { bytes: bytes.len() }.into());
        }
        let mut tile = Self::default();
        for hash in hashes {
            tile.push(Digest::from_bytes(*hash));
        }
        Ok(tile)
    }

    /// The stored form: the hashes of its lowest level, one after the other.
    pub fn encode(&self) -> Vec<u8> {
        let [lowest, ..] = &self.levels;
        let mut bytes = Vec::with_capacity(lowest.len() * Digest::LEN);
        lowest.iter().for_each(|hash| bytes.extend_from_slice(hash.as_bytes()));
        bytes
    }

    /// The number of hashes on its lowest level.
    pub fn width(&self) -> usize {
        let [lowest, ..] = &self.levels;
        lowest.len()
    }

    /// Appends a hash. Returns the tile's own root when that fills it.
    pub fn push(&mut self, hash: Digest) -> Option<Digest> {
        let mut carry = hash;
        for level in &mut self.levels {
            level.push(carry);
            match level.as_slice() {
                [.., left, right] if level.len() % 2 == 0 => carry = node_hash(left, right),
                _ => break,
            }
        }
        let [.., top] = &self.levels;
        (self.width() == TILE_WIDTH).then(|| top.first().copied()).flatten()
    }

    /// The hash over `2^level` of its hashes from `index * 2^level`, if they are all there.
    pub fn node(&self, level: u32, index: u64) -> Option<Digest> {
        self.levels.get(level as usize)?.get(usize::try_from(index).ok()?).copied()
    }
}

/// The growing edge of a tree in tiles: one tile per tile level.
#[derive(Debug, Clone, Default)]
pub struct TileEdge {
    size: u64,
    tiles: Vec<Tile>,
}

impl TileEdge {
    /// Appends a leaf by its hash. Tiles that it fills are given to `full`, with level and index.
    pub fn push(&mut self, leaf: Digest, mut full: impl FnMut(u32, u64, &Tile)) {
        let (mut level, mut index, mut carry) = (0u32, self.size, Some(leaf));
        while let Some(hash) = carry {
            let at = level as usize;
            if self.tiles.len() <= at {
                self.tiles.push(Tile::default());
            }
            let Some(tile) = self.tiles.get_mut(at) else { break };
            index /= TILE_WIDTH as u64;
            carry = tile.push(hash);
            if carry.is_some() {
                full(level, index, tile);
                *tile = Tile::default();
            }
            level += 1;
        }
        self.size += 1;
    }

    /// The tiles that are not full yet, with level and index.
    pub fn partial(&self) -> impl Iterator<Item = (u32, u64, &Tile)> {
        (0u32..).zip(&self.tiles).filter(|(_, tile)| tile.width() > 0).map(|(level, tile)| {
            let below = self.size >> (TILE_HEIGHT * level).min(63);
            (level, below / TILE_WIDTH as u64, tile)
        })
    }
}

/// The tile and the place inside it of tree node `(level, index)`: tile level, tile index, level
/// within and index within the tile.
pub fn locate(level: u32, index: u64) -> (u32, u64, u32, u64) {
    let (tile_level, inner) = (level / TILE_HEIGHT, level % TILE_HEIGHT);
    let per_tile = TILE_HEIGHT - inner;
    (tile_level, index >> per_tile, inner, index & ((1 << per_tile) - 1))
}

/// An index as path elements of three digits: `1234067` is `x001/x234/067`.
fn index_path(index: u64) -> String {
    let mut path = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    path
}

/// The path of a tile of hashes in a static log. `width` is 256 for a full tile.
pub fn tile_path(level: u32, index: u64, width: usize) -> String {
    let partial = if width < TILE_WIDTH { format!(".p/{width}") } else { String::new() };
    format!("tile/{level}/{}{partial}", index_path(index))
}

/// The path of a bundle of entries in a static log. `width` is 256 for a full bundle.
pub fn entries_path(index: u64, width: usize) -> String {
    let partial = if width < TILE_WIDTH { format!(".p/{width}") } else { String::new() };
    format!("tile/entries/{}{partial}", index_path(index))
}

/// Ours: the path of a bundle of kept checkpoints beside a static log.
pub fn history_path(index: u64) -> String {
    format!("history/{}", index_path(index))
}

/// Ours: the path of a bundle of the history's cosignatures beside a static log.
pub fn cosigned_path(index: u64) -> String {
    format!("cosigned/{}", index_path(index))
}

/// Appends one entry to a bundle: its length as two bytes big-endian, then the entry.
///
/// # Errors
/// [`ProtocolError::Proof`] when the entry is longer than 65,535 bytes.
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), ProtocolError> {
    let len = u16::try_from(entry.len()).map_err(|_| ProofFault::EntryLength)?;
    bundle.extend(len.to_be_bytes());
    bundle.extend(entry);
    Ok(())
}

/// The entries of a bundle.
///
/// # Errors
/// [`ProtocolError::Proof`] when the bundle is cut off.
pub fn entries(bundle: &[u8]) -> Result<Vec<&[u8]>, ProtocolError> {
    match whole_entries(bundle) {
        (entries, true) => Ok(entries),
        (_, false) => Err(ProofFault::BundleCut.into()),
    }
}

/// The entries of a bundle up to where it is cut off, and whether it is whole.
pub fn whole_entries(mut bundle: &[u8]) -> (Vec<&[u8]>, bool) {
    let mut out = Vec::new();
    while !bundle.is_empty() {
        let entry = bundle
            .split_first_chunk::<2>()
            .and_then(|(len, rest)| rest.split_at_checked(usize::from(u16::from_be_bytes(*len))));
        let Some((entry, rest)) = entry else { return (out, false) };
        out.push(entry);
        bundle = rest;
    }
    (out, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{CompactRange, leaf_hash, root};

    #[test]
    fn a_tree_read_from_its_tiles_has_the_same_root() {
        let mut tiles: Vec<Vec<Tile>> = vec![vec![Tile::default()], vec![Tile::default()]];
        let mut range = CompactRange::default();
        for i in 0..700u64 {
            let hash = leaf_hash(&i.to_be_bytes());
            range.push(hash);
            if let Some(up) = tiles[0].last_mut().expect("one").push(hash) {
                tiles[1][0].push(up);
                tiles[0].push(Tile::default());
            }
            let read = root(i + 1, |level, index| {
                let (tile_level, tile, inner, at) = locate(level, index);
                tiles[tile_level as usize][tile as usize].node(inner, at).ok_or((level, index))
            });
            assert_eq!(read, Ok(range.root()), "size {}", i + 1);
        }
        let back = Tile::decode(&tiles[0][2].encode()).expect("decodes");
        assert_eq!(back.width(), 700 - 512);
        assert!(Tile::decode(&[0; 33]).is_err() && Tile::decode(&[]).is_err());
        assert!(Tile::decode(&[0; 257 * 32]).is_err());
    }

    #[test]
    fn paths_are_those_of_tlog_tiles() {
        assert_eq!(tile_path(0, 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(tile_path(1, 0, 17), "tile/1/000.p/17");
        assert_eq!(entries_path(1000, 256), "tile/entries/x001/000");
        let mut bundle = Vec::new();
        push_entry(&mut bundle, b"one").expect("short");
        push_entry(&mut bundle, b"").expect("short");
        assert_eq!(entries(&bundle), Ok(vec![&b"one"[..], b""]));
        bundle.pop();
        bundle.pop();
        bundle.pop();
        assert!(entries(&bundle).is_err());
    }
}
