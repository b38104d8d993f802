//! What rests on what: names, deadlines, and what acts set.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{
    case::{Case, DueEnd},
    reader::Placed,
};

/// The names of a case (`writer`), its deadlines (`due.answer`) and what its acts set (`it.budget`), each with those that its
/// formulas read, and the other roots that they read (`doc`, `at`, `when`).
pub(super) struct Rests(BTreeMap<String, BTreeSet<String>>);

/// The formulas that say when a deadline ends.
pub(super) fn of_due(end: &DueEnd) -> Vec<&Placed> {
    match end {
        DueEnd::At(at) => vec![at],
        DueEnd::After { start, length } => vec![start, length],
    }
}

impl Rests {
    pub(super) fn of(case: &Case) -> Self {
        let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let named = case.who.iter().chain(&case.lets);
        let named = named.map(|(name, placed)| (name.clone(), vec![placed]));
        let dues = case.dues.iter();
        let dues = dues.map(|due| (format!("due.{}", due.name), of_due(&due.end)));
        let set = case.acts.iter().flat_map(|act| &act.set);
        let set = set.map(|(name, placed)| (format!("it.{name}"), vec![placed]));
        let each: Vec<_> = named.chain(dues).chain(set).collect();
        for (key, _) in &each {
            all.entry(key.clone()).or_default();
        }
        for (key, formulas) in each {
            let read: Vec<_> = formulas.into_iter().flat_map(|placed| read(&all, placed)).collect();
            all.entry(key).or_default().extend(read);
        }
        Self(all)
    }

    /// Whether it is one of them: a name, a deadline, something set.
    pub(super) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// What one of them rests on.
    pub(super) fn on(&self, key: &str) -> impl Iterator<Item = &str> {
        self.0.get(key).into_iter().flatten().map(String::as_str)
    }

    /// Everything that a formula rests on, near and far.
    pub(super) fn far(&self, placed: &Placed) -> BTreeSet<String> {
        let mut found: BTreeSet<String> = read(&self.0, placed).into_iter().collect();
        let mut waiting: Vec<_> = found.iter().cloned().collect();
        while let Some(next) = waiting.pop() {
            for on in self.0.get(&next).into_iter().flatten() {
                if found.insert(on.clone()) {
                    waiting.push(on.clone());
                }
            }
        }
        found
    }

    /// Whether a formula is the same whatever is filed: neither it nor what it rests on reads anything.
    pub(super) fn is_constant(&self, case: &Case, placed: &Placed) -> bool {
        let far = self.far(placed);
        let calls = |placed: &Placed| placed.formula.reads_state();
        let named = |name: &String| {
            let mut all = case.who.iter().chain(&case.lets);
            all.find(|(known, _)| known == name).is_some_and(|(_, placed)| !calls(placed))
        };
        !calls(placed) && far.iter().all(named)
    }

    /// Each after those on which it rests, where these do not rest on it in turn.
    pub(super) fn order(&self) -> Vec<&str> {
        let mut order = Vec::new();
        self.walk(|_| true, &mut order);
        order
    }

    /// A circle of names and deadlines. What acts set may rest on what was set before.
    pub(super) fn circle(&self) -> Option<Vec<String>> {
        self.walk(|name| !name.starts_with("it."), &mut Vec::new())
    }

    /// Goes through all, each once, without recursion: a chain may be as long as a file.
    fn walk<'r>(
        &'r self,
        wanted: impl Fn(&str) -> bool,
        order: &mut Vec<&'r str>,
    ) -> Option<Vec<String>> {
        let mut seen = BTreeSet::new();
        let mut open = BTreeSet::new();
        let mut circle = None;
        for (first, on) in self.0.iter().filter(|(name, _)| wanted(name)) {
            if !seen.insert(first.as_str()) {
                continue;
            }
            let mut way = vec![(first.as_str(), on.iter())];
            open.insert(first.as_str());
            while let Some((name, rest)) = way.last_mut() {
                let name = *name;
                match rest.next() {
                    None => {
                        order.push(name);
                        open.remove(name);
                        way.pop();
                    }
                    Some(next) if open.contains(next.as_str()) => {
                        let from = way.iter().skip_while(|(name, _)| name != next);
                        let names = from.map(|(name, _)| (*name).to_owned()).collect();
                        circle = circle.or(Some(names));
                    }
                    Some(next) => {
                        if let Some((next, on)) =
                            self.0.get_key_value(next).filter(|_| wanted(next))
                            && seen.insert(next.as_str())
                        {
                            open.insert(next);
                            way.push((next, on.iter()));
                        }
                    }
                }
            }
        }
        circle
    }
}

/// What a formula reads: names of these as they stand, and otherwise the first of a path.
fn read(known: &BTreeMap<String, BTreeSet<String>>, placed: &Placed) -> Vec<String> {
    let mut found = Vec::new();
    for path in placed.formula.paths() {
        match path.as_slice() {
            [root, field, ..] if root == "due" || root == "it" => {
                found.push(format!("{root}.{field}"));
            }
            // Who reads the whole reads each of them.
            [root] if root == "due" || root == "it" => {
                let of = format!("{root}.");
                found.extend(known.keys().filter(|key| key.starts_with(&of)).cloned());
                found.push(root.clone());
            }
            [root, ..] => found.push(root.clone()),
            [] => {}
        }
    }
    found
}
