//! Which figures are not shown, because they would show single ones: small cells, and those by which small ones could be computed.

use std::collections::BTreeSet;

/// What is not shown: of which groups, by their places, and of all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Hidden {
    /// Of these, how many there are, and all that is said of them.
    pub sizes: BTreeSet<usize>,
    /// Of these, the figures; how many there are may be shown.
    pub details: BTreeSet<usize>,
    pub total_size: bool,
    pub total_details: bool,
}

/// A group: how many there are, of how many each figure is made, and what was hidden of it before (1: figures, 2: all).
pub(super) type Row = (u64, Vec<u64>, u8);

/// What is not shown of groups and of all of them together. A cell of fewer than `least`, and not of none, is small; and so is one
/// whose rest is. Small cells are at least two, and together not small: the sum of all, less what is shown, says no more.
pub(super) fn suppress(least: u64, rows: &[Row], total: (u64, &[u64])) -> Hidden {
    let small = |n: u64| n > 0 && n < least;
    let unsafe_of = |size: u64, counts: &[u64]| {
        counts.iter().any(|count| small(*count) || small(size.saturating_sub(*count)))
    };
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|place| (rows.get(*place).map(|row| row.0), *place));
    let sum = |of: &BTreeSet<usize>, count: &dyn Fn(&Row) -> u64| -> u64 {
        of.iter().filter_map(|place| rows.get(*place)).map(count).sum()
    };
    let whole = |hidden: &BTreeSet<usize>| {
        hidden.is_empty() || (hidden.len() >= 2 && !small(sum(hidden, &|row| row.0)))
    };
    let spread = |hidden: &BTreeSet<usize>| {
        let size = sum(hidden, &|row| row.0);
        let counts: Vec<u64> = (0..total.1.len())
            .map(|figure| sum(hidden, &|row| row.1.get(figure).copied().unwrap_or(0)))
            .collect();
        hidden.is_empty() || (hidden.len() >= 2 && !unsafe_of(size, &counts))
    };
    let places = |wanted: &dyn Fn(&Row) -> bool| -> BTreeSet<usize> {
        let found = rows.iter().enumerate().filter(|(_, row)| wanted(row));
        found.map(|(place, _)| place).collect()
    };
    // With the next smallest, until nothing can be computed any more.
    let grow = |mut hidden: BTreeSet<usize>, enough: &dyn Fn(&BTreeSet<usize>) -> bool| {
        for place in &order {
            if enough(&hidden) {
                break;
            }
            hidden.insert(*place);
        }
        hidden
    };
    let sizes = grow(places(&|row| small(row.0) || row.2 >= 2), &whole);
    let details = places(&|row| unsafe_of(row.0, &row.1) || row.2 >= 1);
    let details = grow(details.union(&sizes).copied().collect(), &spread);
    let total_size = small(total.0) || !whole(&sizes);
    let total_details = total_size || unsafe_of(total.0, total.1) || !spread(&details);
    Hidden { sizes, details, total_size, total_details }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_small_cell_takes_the_next_smallest_with_it() {
        let rows = [(3, vec![3], 0), (50, vec![50], 0), (9, vec![9], 0)];
        let hidden = suppress(5, &rows, (62, &[62]));
        assert_eq!(hidden.sizes, BTreeSet::from([0, 2]));
        assert!(!hidden.total_size);
        // Nine of ten shows the tenth.
        let rows = [(10, vec![9], 0), (50, vec![20], 0), (60, vec![30], 0)];
        let hidden = suppress(5, &rows, (120, &[59]));
        assert_eq!((hidden.sizes.len(), hidden.details), (0, BTreeSet::from([0, 1])));
        // Nothing stands beside the only one.
        assert!(suppress(5, &[(3, vec![], 0)], (3, &[])).total_size);
    }

    proptest! {
        /// Whoever subtracts what is shown from the total is left with nothing small, and with no single group.
        #[test]
        fn nothing_small_can_be_computed(
            sizes in prop::collection::vec((1u64..30, 0u64..30, 0u8..3), 0..8), least in 2u64..8,
        ) {
            let rows: Vec<Row> =
                sizes.iter().map(|(size, count, held)| (*size, vec![*count.min(size)], *held)).collect();
            let total: u64 = rows.iter().map(|row| row.0).sum();
            let count: u64 = rows.iter().map(|row| row.1[0]).sum();
            let hidden = suppress(least, &rows, (total, &[count]));
            let small = |n: u64| n > 0 && n < least;
            for (place, (size, counts, held)) in rows.iter().enumerate() {
                prop_assert!(hidden.sizes.contains(&place) || (!small(*size) && *held < 2));
                let bad = small(counts[0]) || small(size - counts[0]) || *held > 0;
                prop_assert!(hidden.details.contains(&place) || !bad);
            }
            if !hidden.total_size && !hidden.sizes.is_empty() {
                let left: u64 = hidden.sizes.iter().map(|place| rows[*place].0).sum();
                prop_assert!(hidden.sizes.len() > 1 && !small(left));
            }
            if !hidden.total_details && !hidden.details.is_empty() {
                let left: u64 = hidden.details.iter().map(|place| rows[*place].1[0]).sum();
                let of: u64 = hidden.details.iter().map(|place| rows[*place].0).sum();
                prop_assert!(hidden.details.len() > 1 && !small(left) && !small(of - left));
            }
        }
    }
}
