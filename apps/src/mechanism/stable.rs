//! The stable matching: nobody of the left and nobody of the right would both rather have each other than whom they have. Of all
//! that are, it is the one that the left likes best, and it is the same in whatever order the rows come.

use std::{cmp::Ordering, collections::BTreeMap};

use rust_decimal::Decimal;

use crate::value::Value;

/// How a pair stands: what it scores, and what decides where scores are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rank {
    pub score: Decimal,
    pub tie: Value,
}

impl Rank {
    /// Less goes first.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let ties = || self.tie.order(&other.tie).unwrap_or(Ordering::Equal);
        other.score.cmp(&self.score).then_with(ties)
    }
}

/// Those of the left by name, each with whom it would have, and how the pair stands there; in its own order of wishes where
/// `wishes` is there, else by rank.
pub(super) type Left = BTreeMap<String, Wants>;

#[derive(Debug, Clone, Default)]
pub(super) struct Wants {
    pub pairs: BTreeMap<String, Rank>,
    pub wishes: Option<Vec<String>>,
}

impl Wants {
    /// Whom it asks, one after the other.
    fn order(&self) -> Vec<&String> {
        match &self.wishes {
            Some(wishes) => {
                let mut seen = std::collections::BTreeSet::new();
                let can = wishes.iter().filter(|name| self.pairs.contains_key(*name));
                can.filter(|name| seen.insert(*name)).collect()
            }
            None => {
                let mut all: Vec<_> = self.pairs.iter().collect();
                all.sort_by(|(a, x), (b, y)| x.order(y).then_with(|| a.cmp(b)));
                all.into_iter().map(|(name, _)| name).collect()
            }
        }
    }
}

/// Who of the left is placed where.
pub(super) fn stable(left: &Left, capacity: &BTreeMap<String, usize>) -> BTreeMap<String, String> {
    let orders: BTreeMap<&String, Vec<&String>> =
        left.iter().map(|(name, wants)| (name, wants.order())).collect();
    let mut next: BTreeMap<&String, usize> = BTreeMap::new();
    let mut holds: BTreeMap<&String, Vec<&String>> = BTreeMap::new();
    let rank = |left_name: &String, right: &String| left.get(left_name)?.pairs.get(right);
    let mut free: Vec<&String> = left.keys().rev().collect();
    // Each asks each once at the most.
    while let Some(one) = free.pop() {
        let place = next.entry(one).or_default();
        let Some(asked) = orders.get(one).and_then(|order| order.get(*place)).copied() else {
            continue;
        };
        *place += 1;
        let most = capacity.get(asked).copied().unwrap_or(0);
        let held = holds.entry(asked).or_default();
        let place = held.partition_point(|other| {
            let ranks = rank(other, asked).zip(rank(one, asked));
            let by_rank = ranks.map_or(Ordering::Equal, |(a, b)| a.order(b));
            by_rank.then_with(|| (*other).cmp(one)).is_lt()
        });
        held.insert(place, one);
        if held.len() > most {
            free.extend(held.pop());
        }
    }
    let pairs = holds
        .into_iter()
        .flat_map(|(right, held)| held.into_iter().map(move |left| (left.clone(), right.clone())));
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rank(score: u8, tie: u8) -> Rank {
        Rank { score: Decimal::from(score), tie: Value::Int(tie.into()) }
    }

    proptest! {
        /// Nobody would rather have each other; nobody has more than fit; run again, and by other orders of asking, it is the same.
        #[test]
        fn it_is_stable(
            ranks in prop::collection::vec((0u8..4, 0u8..3, any::<bool>()), 48),
            seats in prop::collection::vec(0usize..3, 6),
            orders in prop::collection::vec(Just((0..6u8).collect::<Vec<_>>()).prop_shuffle(), 8),
            wishing in any::<bool>(),
        ) {
            let capacity: BTreeMap<String, usize> =
                seats.iter().enumerate().map(|(n, seats)| (format!("r{n}"), *seats)).collect();
            let left: Left = (0..8).map(|l| {
                let pairs = (0..6).filter_map(|r| {
                    let (score, tie, can) = ranks[l * 6 + r];
                    can.then(|| (format!("r{r}"), rank(score, tie)))
                });
                let wishes = orders[l].iter().map(|n| format!("r{n}")).collect();
                let wants = Wants { pairs: pairs.collect(), wishes: wishing.then_some(wishes) };
                (format!("l{l}"), wants)
            }).collect();
            let found = stable(&left, &capacity);
            prop_assert_eq!(&found, &stable(&left.clone(), &capacity.clone()));
            let held = |right: &String| {
                found.iter().filter(|(_, has)| *has == right).map(|(l, _)| l).collect::<Vec<_>>()
            };
            for (right, seats) in &capacity {
                prop_assert!(held(right).len() <= *seats);
            }
            for (name, wants) in &left {
                let order = wants.order();
                let has = found.get(name).and_then(|has| order.iter().position(|r| *r == has));
                for right in order.iter().take(has.unwrap_or(order.len())) {
                    // It would rather be there: then all who are there go before it, and there is no seat.
                    let others = held(right);
                    prop_assert_eq!(others.len(), capacity[*right]);
                    let mine = &wants.pairs[*right];
                    for other in others {
                        let theirs = &left[other].pairs[*right];
                        prop_assert!(theirs.order(mine).then_with(|| other.cmp(name)).is_lt());
                    }
                }
            }
        }
    }
}
