//! The Merkle tree of RFC 6962 §2.1 (RFC 9162 §2.1): hashing, roots, proofs and their checks.
//!
//! A node `(level, index)` is the root of the complete subtree over the `2^level` leaves from
//! `index * 2^level`. Proof makers read such nodes through a function, so they need not know how
//! the tree is stored.

use chancery_crypto::{Digest, Hasher};

use crate::{ProofFault, ProtocolError};

/// The most hashes that a proof in a tree of up to 2^64 leaves can have.
pub const MAX_PROOF: usize = 128;

/// The hash of a leaf: SHA-256(0x00 || leaf).
pub fn leaf_hash(leaf: &[u8]) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(&[0]);
    hasher.update(leaf);
    hasher.finish()
}

/// The hash of an inner node: SHA-256(0x01 || left || right).
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(&[1]);
    hasher.update(left.as_bytes());
    hasher.update(right.as_bytes());
    hasher.finish()
}

/// The root of the tree without leaves: SHA-256 of nothing.
pub fn empty_root() -> Digest {
    Digest::of(b"")
}

/// Grows a tree leaf by leaf, keeping only the roots of its complete subtrees.
#[derive(Debug, Clone, Default)]
pub struct CompactRange {
    size: u64,
    /// `(level, hash)`, levels descending.
    peaks: Vec<(u32, Digest)>,
}

impl CompactRange {
    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf by its hash.
    pub fn push(&mut self, leaf: Digest) {
        let (mut level, mut hash) = (0, leaf);
        while let Some((top, left)) = self.peaks.last() {
            if *top != level {
                break;
            }
            hash = node_hash(left, &hash);
            self.peaks.pop();
            level += 1;
        }
        self.peaks.push((level, hash));
        self.size += 1;
    }

    /// The root over all leaves so far.
    pub fn root(&self) -> Digest {
        fold_right(self.peaks.iter().map(|(_, hash)| *hash)).unwrap_or_else(empty_root)
    }
}

/// Joins the roots of neighbouring subtrees, largest first, into the root over all of them.
fn fold_right(hashes: impl DoubleEndedIterator<Item = Digest>) -> Option<Digest> {
    hashes.rev().reduce(|right, left| node_hash(&left, &right))
}

/// The nodes whose subtrees together cover exactly the leaves from `start` to `end`, in order.
fn cover(start: u64, end: u64) -> Vec<(u32, u64)> {
    let mut nodes = Vec::new();
    let mut at = start;
    while at < end {
        // The largest aligned complete subtree that starts here and fits.
        let aligned = if at == 0 { 63 } else { at.trailing_zeros() };
        let level = aligned.min((end - at).ilog2());
        nodes.push((level, at >> level));
        at += 1 << level;
    }
    nodes
}

/// The hash over the leaves from `start` to `end` (not empty), as RFC 6962 defines it for the
/// subtrees that proofs speak of.
fn range_hash<E>(
    start: u64,
    end: u64,
    node: &mut impl FnMut(u32, u64) -> Result<Digest, E>,
) -> Result<Digest, E> {
    let hashes =
        cover(start, end).into_iter().map(|(l, i)| node(l, i)).collect::<Result<Vec<_>, E>>()?;
    Ok(fold_right(hashes.into_iter()).unwrap_or_else(empty_root))
}

/// The root of the tree's first `size` leaves.
///
/// # Errors
/// Whatever reading a node gives.
pub fn root<E>(
    size: u64,
    mut node: impl FnMut(u32, u64) -> Result<Digest, E>,
) -> Result<Digest, E> {
    range_hash(0, size, &mut node)
}

/// Where RFC 6962 splits a tree of `size` leaves: the largest power of two below it.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// The inclusion proof of leaf `index` in the tree of `size` leaves (RFC 6962 §2.1.1), or `None`
/// when the tree has no such leaf.
///
/// # Errors
/// Whatever reading a node gives.
pub fn inclusion_proof<E>(
    index: u64,
    size: u64,
    mut node: impl FnMut(u32, u64) -> Result<Digest, E>,
) -> Result<Option<Vec<Digest>>, E> {
    if index >= size {
        return Ok(None);
    }
    let (mut start, mut end) = (0, size);
    let mut proof = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            proof.push(range_hash(middle, end, &mut node)?);
            end = middle;
        } else {
            proof.push(range_hash(start, middle, &mut node)?);
            start = middle;
        }
    }
    proof.reverse();
    Ok(Some(proof))
}

/// The consistency proof between the trees of `old` and `new` leaves (RFC 6962 §2.1.2), or `None`
/// when `old` is larger than `new`.
///
/// # Errors
/// Whatever reading a node gives.
pub fn consistency_proof<E>(
    old: u64,
    new: u64,
    mut node: impl FnMut(u32, u64) -> Result<Digest, E>,
) -> Result<Option<Vec<Digest>>, E> {
    if old > new {
        return Ok(None);
    }
    let mut proof = Vec::new();
    if old == 0 || old == new {
        return Ok(Some(proof));
    }
    // SUBPROOF(m, D[n], b) of the RFC, from the outside in.
    let (mut start, mut end, mut whole) = (0, new, true);
    loop {
        if old == end {
            if !whole {
                proof.push(range_hash(start, end, &mut node)?);
            }
            break;
        }
        let middle = start + split(end - start);
        if old <= middle {
            proof.push(range_hash(middle, end, &mut node)?);
            end = middle;
        } else {
            proof.push(range_hash(start, middle, &mut node)?);
            start = middle;
            whole = false;
        }
    }
    proof.reverse();
    Ok(Some(proof))
}

/// The compact range of the tree's first `size` leaves: the roots of its complete subtrees, the largest first, one for
/// each bit of the size that is set. With it a tree can go on that has lost its leaves.
///
/// # Errors
/// Whatever reading a node gives.
pub fn compact_range<E>(
    size: u64,
    mut node: impl FnMut(u32, u64) -> Result<Digest, E>,
) -> Result<Vec<Digest>, E> {
    cover(0, size).into_iter().map(|(level, index)| node(level, index)).collect()
}

/// Checks a compact range against the size and root of its tree. What joins to the root cannot be another range.
///
/// # Errors
/// [`ProtocolError::Proof`] when it is not that tree's.
pub fn verify_range(size: u64, range: &[Digest], root: &Digest) -> Result<(), ProtocolError> {
    if range.len() as u64 != u64::from(size.count_ones()) {
        return Err(broken(ProofFault::RangeLength));
    }
    if fold_right(range.iter().copied()).unwrap_or_else(empty_root) != *root {
        return Err(broken(ProofFault::RangeRoot));
    }
    Ok(())
}

fn broken(fault: ProofFault) -> ProtocolError {
    ProtocolError::Proof(fault)
}

/// Checks an inclusion proof (RFC 9162 §2.1.3.2).
///
/// # Errors
/// [`ProtocolError::Proof`], saying what does not hold.
pub fn verify_inclusion(
    leaf: &Digest,
    index: u64,
    size: u64,
    proof: &[Digest],
    root: &Digest,
) -> Result<(), ProtocolError> {
    if root_of_inclusion(leaf, index, size, proof)? != *root {
        return Err(broken(ProofFault::InclusionRoot));
    }
    Ok(())
}

/// The root that an inclusion proof leads to.
///
/// # Errors
/// [`ProtocolError::Proof`] when no tree of `size` leaves has a proof of this length for the index.
pub fn root_of_inclusion(
    leaf: &Digest,
    index: u64,
    size: u64,
    proof: &[Digest],
) -> Result<Digest, ProtocolError> {
    if index >= size {
        return Err(broken(ProofFault::OutsideTree));
    }
    let (mut fnode, mut snode, mut hash) = (index, size - 1, *leaf);
    for step in proof {
        if snode == 0 {
            return Err(broken(ProofFault::InclusionLong));
        }
        if fnode & 1 == 1 || fnode == snode {
            hash = node_hash(step, &hash);
            while fnode & 1 == 0 && fnode != 0 {
                fnode >>= 1;
                snode >>= 1;
            }
        } else {
            hash = node_hash(&hash, step);
        }
        fnode >>= 1;
        snode >>= 1;
    }
    if snode != 0 {
        return Err(broken(ProofFault::InclusionShort));
    }
    Ok(hash)
}

/// Checks a consistency proof (RFC 9162 §2.1.4.2).
///
/// # Errors
/// [`ProtocolError::Proof`], saying what does not hold.
pub fn verify_consistency(
    old: (u64, &Digest),
    new: (u64, &Digest),
    proof: &[Digest],
) -> Result<(), ProtocolError> {
    let ((old_size, old_root), (new_size, new_root)) = (old, new);
    if old_size > new_size {
        return Err(broken(ProofFault::Smaller));
    }
    if old_size == new_size || old_size == 0 {
        let same = old_size == 0 || old_root == new_root;
        return match (same, proof.is_empty()) {
            (false, _) => Err(broken(ProofFault::TwoRoots)),
            (true, false) => Err(broken(ProofFault::ConsistencyNotEmpty)),
            (true, true) => Ok(()),
        };
    }
    let mut steps = proof.iter();
    let (mut fnode, mut snode) = (old_size - 1, new_size - 1);
    while fnode & 1 == 1 {
        fnode >>= 1;
        snode >>= 1;
    }
    let short = || broken(ProofFault::ConsistencyShort);
    // A power of two is its own first step, which the proof leaves out.
    let first = if fnode == 0 { *old_root } else { *steps.next().ok_or_else(short)? };
    let (mut old_hash, mut new_hash) = (first, first);
    for step in steps {
        if snode == 0 {
            return Err(broken(ProofFault::ConsistencyLong));
        }
        if fnode & 1 == 1 || fnode == snode {
            old_hash = node_hash(step, &old_hash);
            new_hash = node_hash(step, &new_hash);
            while fnode & 1 == 0 && fnode != 0 {
                fnode >>= 1;
                snode >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, step);
        }
        fnode >>= 1;
        snode >>= 1;
    }
    if snode != 0 {
        return Err(short());
    }
    if old_hash != *old_root || new_hash != *new_root {
        return Err(broken(ProofFault::ConsistencyRoots));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    /// The definition in RFC 6962 §2.1, word for word, slow.
    fn naive(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => empty_root(),
            [one] => *one,
            _ => {
                let (left, right) = leaves.split_at(split(leaves.len() as u64) as usize);
                node_hash(&naive(left), &naive(right))
            }
        }
    }

    fn leaves(count: u64) -> Vec<Digest> {
        (0..count).map(|i| leaf_hash(&i.to_be_bytes())).collect()
    }

    fn node(leaves: &[Digest]) -> impl FnMut(u32, u64) -> Result<Digest, Infallible> + '_ {
        |level, index| {
            let start = (index << level) as usize;
            Ok(naive(&leaves[start..start + (1 << level)]))
        }
    }

    fn ok<T>(value: Result<Option<T>, Infallible>) -> T {
        value.expect("infallible").expect("in the tree")
    }

    #[test]
    fn roots_and_all_proofs_of_all_small_trees_hold_against_the_definition() {
        let mut range = CompactRange::default();
        for size in 0..=65u64 {
            let all = leaves(size);
            let want = naive(&all);
            assert_eq!(range.root(), want);
            assert_eq!(root(size, node(&all)), Ok(want));
            let compact = compact_range(size, node(&all)).expect("infallible");
            let peaks: Vec<_> = range.peaks.iter().map(|(_, hash)| *hash).collect();
            assert_eq!(compact, peaks);
            verify_range(size, &compact, &want).expect("holds");
            assert!(
                verify_range(size + 1, &compact, &want).is_err()
                    || size.count_ones() == (size + 1).count_ones()
            );
            for index in 0..size {
                let proof = ok(inclusion_proof(index, size, node(&all)));
                let leaf = &all[index as usize];
                verify_inclusion(leaf, index, size, &proof, &want).expect("holds");
                // The proof says which leaf: no other index passes with it.
                let wrong = (index + 1) % size.max(1);
                if wrong != index {
                    assert!(verify_inclusion(leaf, wrong, size, &proof, &want).is_err());
                }
                assert!(verify_inclusion(leaf, index, size, &proof, &leaf_hash(b"x")).is_err());
            }
            for old in 0..=size {
                let proof = ok(consistency_proof(old, size, node(&all)));
                let before = naive(&all[..old as usize]);
                verify_consistency((old, &before), (size, &want), &proof).expect("holds");
                if old > 0 {
                    let other = leaf_hash(b"other");
                    assert!(verify_consistency((old, &other), (size, &want), &proof).is_err());
                    assert!(verify_consistency((old, &before), (size, &other), &proof).is_err());
                }
            }
            range.push(leaf_hash(&size.to_be_bytes()));
        }
        assert_eq!(ok(inclusion_proof(0, 1, node(&leaves(1)))), []);
        assert_eq!(inclusion_proof(1, 1, node(&leaves(1))), Ok(None));
        assert_eq!(consistency_proof(2, 1, node(&leaves(1))), Ok(None));
    }

    proptest! {
        #[test]
        fn no_compact_range_but_its_own_is_a_trees(
            size in 1u64..300, at in any::<prop::sample::Index>(), other in any::<prop::sample::Index>()
        ) {
            let all = leaves(size);
            let want = naive(&all);
            let good = compact_range(size, node(&all)).expect("infallible");
            prop_assert_eq!(verify_range(size, &good, &want), Ok(()));
            let (at, other) = (at.index(good.len()), other.index(good.len()));
            let refused = |change: &dyn Fn(&mut Vec<Digest>)| {
                let mut range = good.clone();
                change(&mut range);
                range == good || verify_range(size, &range, &want).is_err()
            };
            prop_assert!(refused(&|range| range[at] = leaf_hash(b"other")));
            prop_assert!(refused(&|range| range.swap(at, other)));
            prop_assert!(refused(&|range| range.push(range[at])));
            prop_assert!(refused(&|range| range.retain(|hash| *hash != good[at])));
            prop_assert!(refused(&|range| range.clear()));
            prop_assert!(verify_range(size, &good, &leaf_hash(b"other")).is_err());
        }

        #[test]
        fn a_proof_with_a_step_changed_added_or_left_out_never_holds(
            size in 2u64..300, at in any::<prop::sample::Index>(), step in any::<prop::sample::Index>()
        ) {
            let all = leaves(size);
            let want = naive(&all);
            let index = at.index(size as usize) as u64;
            let leaf = &all[index as usize];
            let good = ok(inclusion_proof(index, size, node(&all)));
            let mut bad = good.clone();
            let at = step.index(bad.len());
            bad[at] = leaf_hash(b"changed");
            prop_assert!(verify_inclusion(leaf, index, size, &bad, &want).is_err());
            bad = good.clone();
            bad.push(leaf_hash(b"added"));
            prop_assert!(verify_inclusion(leaf, index, size, &bad, &want).is_err());
            bad = good;
            bad.pop();
            prop_assert!(verify_inclusion(leaf, index, size, &bad, &want).is_err());
        }
    }
}
