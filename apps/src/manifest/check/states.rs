//! Which states are reached, and which acts can be done.

use std::collections::BTreeSet;

use super::{CaseCheck, rests::of_due};
use crate::manifest::{
    case::{Act, Due, DueEnd, Ending, Round},
    effect::Verb,
    mistake::What,
    run::{OfInspection, Run},
};

/// What can be, found by going on from what opens a matter.
#[derive(Default)]
struct Reached {
    states: BTreeSet<String>,
    acts: BTreeSet<String>,
}

impl Reached {
    fn has(&self, name: &str) -> bool {
        self.states.contains(name) || self.acts.contains(name)
    }
}

/// What is known of a signer before there is a matter.
const BEFORE: [&str; 5] = ["me", "head", "home", "lodged", "at"];

impl CaseCheck<'_> {
    /// Every state is reached, from every state but an end something leads on, and every act can be done.
    pub(super) fn states(&self) {
        let case = self.case;
        let opened = case.acts.iter().any(|act| act.opens);
        if !opened {
            self.add(&case.at, What::NeverOpened);
        }
        let reached = self.reached();
        for state in &case.states {
            // What returns a matter or takes it back leads nobody on.
            let mut leaves = case.acts.iter().filter(|act| act.from.contains(&state.name));
            let leaves = match state.end {
                true => leaves.find(|act| !act.special.reopen),
                false => leaves.find(|act| !act.special.stock),
            };
            match (state.end, leaves) {
                (true, Some(act)) => {
                    let (act, state_name) = (act.name.clone(), state.name.clone());
                    self.add(&state.at, What::EndLeft { act, state: state_name });
                }
                (false, None) if state.round.is_none() && !self.due_leads_on() => {
                    self.add(&state.at, What::Stuck(state.name.clone()));
                }
                _ => {}
            }
            if !reached.states.contains(&state.name) {
                self.add(&state.at, What::Unreachable(state.name.clone()));
            }
        }
        for act in case.acts.iter().filter(|act| opened && !reached.acts.contains(&act.name)) {
            // That its states are not reached is said of them.
            let apart = !act.from.is_empty()
                && !act.opens
                && act.from.iter().all(|from| !reached.states.contains(from));
            if !apart {
                self.add(&act.at, What::NeverDone(act.name.clone()));
            }
        }
    }

    fn due_leads_on(&self) -> bool {
        self.case.dues.iter().any(|due| matches!(due.then, Some(Ending::State(_))))
    }

    fn reached(&self) -> Reached {
        let case = self.case;
        let mut reached = Reached::default();
        loop {
            let before = (reached.states.len(), reached.acts.len());
            for act in &case.acts {
                if !reached.acts.contains(&act.name) && self.can(act, &reached) {
                    reached.acts.insert(act.name.clone());
                    reached.states.extend(act.to.states());
                }
            }
            let ends = case.rounds.iter().filter(|round| self.begins(round, &reached));
            let ends = ends.flat_map(|round| [&round.agreed, &round.failed]);
            let runs = case.dues.iter().filter(|due| self.runs(due, &reached));
            let ends: Vec<_> = ends.chain(runs.map(|due| &due.then)).flatten().collect();
            for ending in ends {
                if let Ending::State(state) = ending {
                    reached.states.insert(state.clone());
                }
            }
            if before == (reached.states.len(), reached.acts.len()) {
                return reached;
            }
        }
    }

    /// Whether something goes on from a state that is reached.
    fn goes_on(&self, state: &str, reached: &Reached) -> bool {
        reached.states.contains(state) && self.case.state(state).is_some_and(|state| !state.end)
    }

    fn begins(&self, round: &Round, reached: &Reached) -> bool {
        let mut states = self.case.states.iter();
        states.any(|state| {
            state.round.as_ref() == Some(&round.name) && self.goes_on(&state.name, reached)
        })
    }

    /// Whether what a deadline starts from can be.
    fn starts(&self, due: &Due, reached: &Reached) -> bool {
        let (DueEnd::At(first) | DueEnd::After { start: first, .. }) = &due.end;
        match first.formula.paths().as_slice() {
            [path] => match path.as_slice() {
                [root, name] if root == "when" => reached.has(name),
                [root, name, ..] if root == "filed" => reached.has(name),
                _ => true,
            },
            _ => true,
        }
    }

    /// Whether a deadline can pass while there is a matter that goes on.
    fn runs(&self, due: &Due, reached: &Reached) -> bool {
        reached.states.iter().any(|state| self.goes_on(state, reached)) && self.starts(due, reached)
    }

    fn can(&self, act: &Act, reached: &Reached) -> bool {
        let from = || {
            act.from.iter().any(|from| match act.special.reopen {
                true => reached.states.contains(from),
                false => self.goes_on(from, reached),
            })
        };
        if act.inner() {
            let is = |ending: &Option<Ending>| matches!(ending, Some(Ending::Act(name)) if *name == act.name);
            let mut dues = self.case.dues.iter().filter(|due| is(&due.then));
            let mut rounds =
                self.case.rounds.iter().filter(|round| is(&round.agreed) || is(&round.failed));
            if self.is_run_by_others(act) && (act.opens || act.from.is_empty() || from()) {
                return true;
            }
            return rounds.any(|round| self.begins(round, reached))
                || dues.any(|due| self.runs(due, reached) && (act.from.is_empty() || from()));
        }
        let mut edges = act.after.iter().chain(&act.before).filter_map(|due| self.case.due(due));
        // Before a matter there is nobody who has to do with it, and no deadline of it.
        let opens = act.opens
            && act.by.iter().any(|name| self.is_before(name))
            && edges.clone().all(|due| {
                matches!(due.end, DueEnd::At(_))
                    && of_due(&due.end).iter().all(|placed| {
                        self.rests.far(placed).iter().all(|on| self.is_read_before(on))
                    })
            });
        let mut rounds = self.case.rounds.iter().filter(|round| round.act == act.name);
        let votes =
            act.vote.is_some() && act.from.is_empty() && rounds.any(|r| self.begins(r, reached));
        opens || ((from() || votes) && edges.all(|due| self.starts(due, reached)))
    }

    /// Whether an effect opens a thing by this act, or tells one to do it.
    fn is_run_by_others(&self, act: &Act) -> bool {
        let acts = self.module.cases.values().flat_map(|case| &case.acts);
        let mut verbs = acts.flat_map(|act| &act.effects).map(|effect| &effect.verb);
        verbs.any(|verb| match verb {
            Verb::Open { case, .. } => act.opens && *case == self.case.name,
            Verb::Tell { case, act: told, .. } => *case == self.case.name && *told == act.name,
            // What was found opens orders.
            Verb::Run(Run::Inspection { inspection, what: OfInspection::Close }) => {
                let found = self.module.inspections.get(inspection);
                let mut findings = found.into_iter().flat_map(|one| &one.findings);
                act.opens && findings.any(|finding| finding.order == self.case.name)
            }
            _ => false,
        }) || self.follows_a_refusal(act)
    }

    /// Whether it is what follows when another agency refuses what was sent to it.
    fn follows_a_refusal(&self, act: &Act) -> bool {
        let mut verbs = self.case.acts.iter().flat_map(|act| &act.effects);
        verbs.any(|effect| {
            matches!(&effect.verb, Verb::Send { refused: Some(refused), .. } if *refused == act.name)
        })
    }

    fn is_before(&self, name: &str) -> bool {
        let who = self.case.who.iter().find(|(known, _)| known == name);
        who.is_none_or(|(_, placed)| {
            self.rests.far(placed).iter().all(|on| self.is_read_before(on))
        })
    }

    fn is_read_before(&self, on: &str) -> bool {
        BEFORE.contains(&on) || !on.contains('.') && self.rests.has(on)
    }
}
