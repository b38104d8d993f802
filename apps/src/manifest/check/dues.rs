//! Deadlines that begin themselves again do so later, and not at once: what passes without end at one moment is nobody's term.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet, VecDeque},
};

use super::{CaseCheck, rests::of_due};
use crate::{
    civil::{Period, Unit},
    formula::{Kind, Node},
    manifest::{
        case::{Act, Due, DueEnd, Ending},
        mistake::What,
    },
    value::Value,
};

/// How long it takes at least from what a deadline starts from to its end, in seconds; none where that cannot be said.
type Length = Option<i64>;

/// What a deadline, when it has passed, begins again, and after how long that passes at the earliest.
type Follows = Vec<Vec<(usize, Length)>>;

/// What happens when a deadline passes.
#[derive(Default)]
struct Passed<'a> {
    /// The act that is done.
    act: Option<&'a Act>,
    /// The states that may be entered.
    entered: BTreeSet<&'a str>,
    /// Those in which the matter may be then.
    after: BTreeSet<&'a str>,
}

/// The seconds that a period has at least, wherever it begins.
fn least(period: Period) -> i64 {
    let count = i64::from(period.count);
    let day = match period.unit {
        Unit::Minute => return count * 60,
        Unit::Hour => return count * 3600,
        Unit::Day => 1,
        // Back over days off.
        Unit::WorkingDay if count < 0 => return (count * 4 - 14) * 86_400,
        Unit::WorkingDay => 1,
        Unit::Month if count < 0 => 31,
        Unit::Month => 28,
        Unit::Year if count < 0 => 366,
        Unit::Year => 365,
    };
    count * day * 86_400
}

impl<'a> CaseCheck<'a> {
    pub(super) fn dues(&self) {
        let dues = &self.case.dues;
        for due in dues.iter().filter(|due| matches!(due.end, DueEnd::At(_))) {
            for (key, is) in [
                ("restart", !due.restart.is_empty()),
                ("pause", !due.pause.is_empty()),
                ("extend", due.extend.is_some()),
            ] {
                if is {
                    self.add(&due.at, What::Fixed { due: due.name.clone(), key });
                }
            }
        }
        let passed: Vec<_> = dues.iter().map(|due| self.passed(due)).collect();
        let starts: Vec<_> = dues.iter().map(|due| self.starts_from(due)).collect();
        let follows = passed.iter().map(|one| self.follow(one, &passed, &starts)).collect();
        if let Some(circle) = at_once(&follows) {
            self.endless(&circle, What::Endless);
        } else if let Some(circle) = unsure(&follows) {
            self.endless(&circle, What::PerhapsEndless);
        }
    }

    fn endless(&self, circle: &[usize], what: impl Fn(Vec<String>) -> What) {
        let dues: Vec<_> = circle.iter().filter_map(|at| self.case.dues.get(*at)).collect();
        if let Some(first) = dues.first() {
            self.add(&first.at, what(dues.iter().map(|due| due.name.clone()).collect()));
        }
    }

    fn passed(&self, due: &'a Due) -> Passed<'a> {
        match &due.then {
            Some(Ending::State(state)) => {
                let entered = BTreeSet::from([state.as_str()]);
                Passed { act: None, after: entered.clone(), entered }
            }
            Some(Ending::Act(name)) => {
                let Some(act) = self.case.act(name) else { return Passed::default() };
                let known = |name: String| self.case.state(&name).map(|state| state.name.as_str());
                let entered: BTreeSet<_> = act.to.states().into_iter().filter_map(known).collect();
                let stays: BTreeSet<_> = match act.from.is_empty() {
                    true => self.case.states.iter().map(|state| state.name.as_str()).collect(),
                    false => act.from.iter().map(String::as_str).collect(),
                };
                let after = if entered.is_empty() { stays } else { entered.clone() };
                Passed { act: Some(act), entered, after }
            }
            Some(Ending::Breach) | None => Passed::default(),
        }
    }

    /// The states in which a matter may come to be by deadlines alone.
    fn by_itself<'s>(&self, from: &BTreeSet<&'s str>, passed: &[Passed<'s>]) -> BTreeSet<&'s str> {
        let open = |state: &&str| self.case.state(state).is_some_and(|state| !state.end);
        let mut found: BTreeSet<_> = from.iter().copied().filter(open).collect();
        let mut left: Vec<_> = self.case.dues.iter().zip(passed).collect();
        loop {
            let (now, later): (Vec<_>, Vec<_>) =
                left.into_iter().partition(|(due, _)| self.possible(due, &found));
            if now.is_empty() {
                return found;
            }
            found.extend(now.iter().flat_map(|(_, one)| one.after.iter().copied()).filter(open));
            left = later;
        }
    }

    fn possible(&self, due: &Due, states: &BTreeSet<&str>) -> bool {
        match &due.then {
            None => false,
            Some(Ending::Breach | Ending::State(_)) => !states.is_empty(),
            Some(Ending::Act(name)) => self.case.act(name).is_some_and(|act| {
                (act.from.is_empty() && !states.is_empty())
                    || act.from.iter().any(|from| states.contains(from.as_str()))
            }),
        }
    }

    /// Which deadlines begin when one has passed.
    fn follow(
        &self,
        one: &Passed<'_>,
        passed: &[Passed<'_>],
        starts: &[BTreeMap<String, Length>],
    ) -> Vec<(usize, Length)> {
        if one.act.is_none() && one.entered.is_empty() {
            return Vec::new();
        }
        let states = self.by_itself(&one.after, passed);
        let mut found = Vec::new();
        for (place, (next, starts)) in self.case.dues.iter().zip(starts).enumerate() {
            if !self.possible(next, &states) {
                continue;
            }
            // What meets a deadline does not begin it.
            let act = one.act.filter(|act| !next.until.contains(&act.name));
            let events = act.iter().map(|act| act.name.as_str()).chain(one.entered.iter().copied());
            found.extend(events.filter_map(|event| Some((place, *starts.get(event)?))));
        }
        found
    }

    /// From which acts and states a deadline runs, and how long at least.
    fn starts_from(&self, due: &Due) -> BTreeMap<String, Length> {
        let mut found = BTreeMap::new();
        let mut put = |event: &String, length: Length| {
            let known = found.entry(event.clone()).or_insert(length);
            *known = known.zip(length).map(|(a, b)| a.min(b));
        };
        let (tree, own) = match &due.end {
            DueEnd::At(at) => (at, Some(0)),
            DueEnd::After { start, length } => (start, literal(length.formula.tree()).map(least)),
        };
        for (event, offset) in self.offsets(tree.formula.tree(), &Cell::new(MOST_FOLLOWED)) {
            put(&event, offset.zip(own).map(|(a, b)| a.saturating_add(b)));
        }
        // All that it rests on, in whatever way.
        for event in self.read(due) {
            found.entry(event).or_insert(None);
        }
        for event in &due.restart {
            let known = found.entry(event.clone()).or_insert(own);
            *known = known.zip(own).map(|(a, b)| a.min(b));
        }
        let again = due.pause.iter().map(|pause| &pause.to);
        for event in again.chain(due.extend.iter().map(|extend| &extend.act)) {
            found.insert(event.clone(), None);
        }
        found
    }

    /// The acts and states of which the time is read for the end of a deadline.
    fn read(&self, due: &Due) -> BTreeSet<String> {
        let mut formulas = of_due(&due.end);
        let far: BTreeSet<_> = formulas.iter().flat_map(|placed| self.rests.far(placed)).collect();
        let named = self.case.who.iter().chain(&self.case.lets);
        formulas.extend(named.filter(|(name, _)| far.contains(name)).map(|(_, placed)| placed));
        let others = self.case.dues.iter().filter(|due| far.contains(&format!("due.{}", due.name)));
        formulas.extend(others.flat_map(|due| of_due(&due.end)));
        let paths = formulas.into_iter().flat_map(|placed| placed.formula.paths());
        let events = paths.filter_map(|path| match path.as_slice() {
            [root, name, ..] if root == "when" || root == "filed" => Some(name.clone()),
            _ => None,
        });
        events.collect()
    }

    /// How far a moment lies at least from the acts and states that it is counted from.
    fn offsets(&self, node: &Node, left: &Cell<u32>) -> Vec<(String, Length)> {
        let Some(less) = left.get().checked_sub(1) else { return Vec::new() };
        left.set(less);
        let of = |node| self.offsets(node, left);
        match &node.kind {
            Kind::Field(root, name) => match &root.kind {
                Kind::Name(root) if root == "when" => vec![(name.clone(), Some(0))],
                _ => Vec::new(),
            },
            Kind::Name(name) => {
                let mut named = self.case.lets.iter();
                let found = named.find(|(known, _)| known == name);
                found.map_or_else(Vec::new, |(_, placed)| of(placed.formula.tree()))
            }
            Kind::Choice(_, yes, no) => of(yes).into_iter().chain(of(no)).collect(),
            Kind::Call(name, arguments) => match (name.as_str(), arguments.as_slice()) {
                ("date" | "end", [one]) => of(one)
                    .into_iter()
                    // A date begins up to a day before.
                    .map(|(event, by)| {
                        (event, by.map(|by| by - if name == "date" { 86_399 } else { 0 }))
                    })
                    .collect(),
                ("min" | "max", all) => all.iter().flat_map(of).collect(),
                ("plus" | "due_day", [from, by]) => {
                    let more = literal(by).map(least);
                    let each = of(from).into_iter();
                    each.map(|(event, by)| (event, by.zip(more).map(|(a, b)| a.saturating_add(b))))
                        .collect()
                }
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }
}

/// How many parts of formulas are followed; of what lies beyond it is not known how far it lies.
const MOST_FOLLOWED: u32 = 10_000;

/// A period that is written out.
fn literal(node: &Node) -> Option<Period> {
    match &node.kind {
        Kind::Literal(Value::Text(text)) => text.parse().ok(),
        _ => None,
    }
}

/// A circle of deadlines that takes no time.
fn at_once(follows: &Follows) -> Option<Vec<usize>> {
    let count = follows.len();
    let scale = i64::try_from(count).unwrap_or(i64::MAX).saturating_add(1);
    // A circle has no more edges than there are deadlines: taken so often and one less for each, it is below nothing where it was
    // nothing or below.
    let edges: Vec<_> = follows
        .iter()
        .enumerate()
        .flat_map(|(from, next)| {
            let known = next.iter().filter_map(|(to, length)| Some((*to, (*length)?)));
            known.map(move |(to, length)| (from, to, length.saturating_mul(scale) - 1))
        })
        .collect();
    let mut least = vec![0i64; count];
    let mut before = vec![None; count];
    let mut last = None;
    for _ in 0..=count {
        last = None;
        for (from, to, length) in &edges {
            let through = least.get(*from)?.saturating_add(*length);
            if let Some(known) = least.get_mut(*to).filter(|known| through < **known) {
                *known = through;
                *before.get_mut(*to)? = Some(*from);
                last = Some(*to);
            }
        }
        last?;
    }
    // So many steps back one is within the circle.
    let mut at = last?;
    for _ in 0..count {
        at = (*before.get(at)?)?;
    }
    let mut circle = vec![at];
    let mut back = (*before.get(at)?)?;
    while back != at {
        circle.push(back);
        back = (*before.get(back)?)?;
    }
    circle.reverse();
    Some(circle)
}

/// A circle of deadlines of which nobody can say how long it takes.
fn unsure(follows: &Follows) -> Option<Vec<usize>> {
    for (from, next) in follows.iter().enumerate() {
        for (to, _) in next.iter().filter(|(_, length)| length.is_none()) {
            // The way back, the shortest.
            let mut before = BTreeMap::from([(*to, None)]);
            let mut waiting = VecDeque::from([*to]);
            while let Some(at) = waiting.pop_front() {
                if at == from {
                    let mut circle = vec![at];
                    let mut back = before.get(&at).copied().flatten();
                    while let Some(one) = back {
                        circle.push(one);
                        back = before.get(&one).copied().flatten();
                    }
                    circle.reverse();
                    return Some(circle);
                }
                for (next, _) in follows.get(at).into_iter().flatten() {
                    if !before.contains_key(next) {
                        before.insert(*next, Some(at));
                        waiting.push_back(*next);
                    }
                }
            }
        }
    }
    None
}
