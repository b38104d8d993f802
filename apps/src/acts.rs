//! What an act does to the course of its thing: returns and recalls, duties that are handed over, a standing still, numbers that are
//! annulled, and who is asked in a round. It is worked out with the rest of the act, over what was there before, and lands with it.

use chancery_crypto::cbor;

use crate::{
    case::{Decided, Deciding},
    due,
    environment::CaseEnvironment,
    formula::Environment as _,
    input::{Document, Signer},
    manifest::{Act, DueEnd, Recast, Stale, Within},
    reason::{Reason, Refusal},
    state::{Family, Key, Overlay, State, StateError},
    thing::{Span, Thing},
    turns::{Annulled, Back, Last, Suspended, Void},
    value::{Value, Why},
};

/// The pause by which a suspension holds deadlines: none that a due declares.
const SUSPENDED: u32 = u32::MAX;

/// The most people that are asked in a round, and the most duties that are handed over in one state.
pub(crate) const MOST_ASKED: usize = 200;

/// The most void votes that a round shows.
pub(crate) const MOST_VOID: usize = 1_000;

/// What an act's keys came to.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// Whether the thing goes on at the returner.
    same: Option<bool>,
    hand: Option<String>,
    /// Until when it stands still.
    suspend: Option<Option<i64>>,
    /// Who comes into a round, or out of it.
    who: Vec<String>,
    /// Deadlines that nobody met any more, and those that nobody owes.
    unmet: Vec<String>,
    gone: Vec<String>,
}

impl Deciding<'_> {
    /// Whether the thing stands still, or something else was done since what an act takes back.
    pub(crate) fn held_up(&self, act: &Act, thing: &Thing) -> Vec<Reason> {
        let (mut refused, law) = (Vec::new(), act.law.as_deref());
        let held = thing.turns.suspended.as_ref().filter(|one| one.holds(self.lodged.0));
        match (held, act.special.resume) {
            (Some(one), false) => {
                let why = Refusal::Suspended { since: one.since, until: one.until };
                refused.push(self.reason(&format!("{}/suspended", act.name), law, why));
            }
            (None, true) => {
                let why = Refusal::NotSuspended;
                refused.push(self.reason(&format!("{}/suspended", act.name), law, why));
            }
            _ => {}
        }
        if let Some(undoes) = &act.special.undoes
            && thing.turns.last.as_ref().is_none_or(|last| last.act != *undoes)
        {
            let last = thing.turns.last.as_ref().map(|last| last.act.clone());
            let why = Refusal::NotLast { act: undoes.clone(), last: last.unwrap_or_default() };
            refused.push(self.reason(&format!("{}/last", act.name), law, why));
        }
        refused
    }

    /// Whether an act is judged although its signer saw an older state of its thing.
    pub(crate) fn takes_stale(act: &Act) -> bool {
        act.special.stale == Stale::Accept
    }

    /// Those for whom somebody acts: himself, unless he has handed his duty over, and all whose duty has come to him.
    pub(crate) fn acts_for(thing: Option<&Thing>, signer: &Signer) -> Vec<Signer> {
        let Some(thing) = thing else { return vec![signer.clone()] };
        let handed = &thing.turns.handed;
        if handed.contains_key(&signer.name) {
            return Vec::new();
        }
        let mut all = vec![signer.clone()];
        let mut next = 0;
        while let Some(name) = all.get(next).map(|one| one.name.clone()) {
            let from = handed.iter().filter(|(_, to)| **to == name).map(|(from, _)| from);
            for from in from {
                if all.iter().all(|known| known.name != *from) {
                    all.push(Signer::named(from));
                }
            }
            next += 1;
        }
        all
    }

    /// Whether somebody is asked for a vote that an act is.
    pub(crate) fn is_asked(&self, act: &Act, thing: Option<&Thing>, who: &[Signer]) -> bool {
        let Some(thing) = thing.filter(|_| act.vote.is_some()) else { return false };
        let here = self.case.state(&thing.state).and_then(|state| state.round.as_ref());
        let round = here.and_then(|name| self.case.round(name));
        let Some(round) = round.filter(|round| round.act == act.name) else { return false };
        let votes = thing.rounds.get(&round.name);
        votes.is_some_and(|votes| {
            let mut of = votes.of.iter();
            of.any(|of| who.iter().any(|one| one.name == *of || one.agency == *of))
        })
    }

    /// Who has not signed a document that must have.
    pub(crate) fn unsigned(
        &self,
        environment: &CaseEnvironment<'_>,
        act: &Act,
        document: &Document,
    ) -> Vec<Reason> {
        let mut refused = Vec::new();
        for name in &act.special.sign {
            let signed = |who: &str| document.signers.iter().any(|signer| signer.name == who);
            let wanted = match name.as_str() {
                "agency" => Some(document.signer().agency),
                name => match environment.root(name).names().as_slice() {
                    [one] if !one.is_empty() => Some((*one).to_owned()),
                    _ => None,
                },
            };
            let why = match wanted {
                None => Refusal::Unknown { what: name.clone() },
                Some(who) if !signed(&who) => Refusal::NotSigned { who, as_what: name.clone() },
                Some(_) => continue,
            };
            refused.push(self.reason(&format!("{}/sign", act.name), act.law.as_deref(), why));
        }
        refused
    }

    /// Works out what the keys of an act come to, over what was there before.
    pub(crate) fn turn(
        &self,
        environment: &CaseEnvironment<'_>,
        act: &Act,
        refused: &mut Vec<Reason>,
    ) -> Result<Turn, StateError> {
        let (special, mut turn) = (&act.special, Turn::default());
        let signer = environment.document.map(Document::signer);
        let mut refuse = |rule: &str, why: Refusal| {
            let rule = format!("{}/{rule}", act.name);
            refused.push(self.reason(&rule, act.law.as_deref(), why));
        };
        if let Some(again) = &special.again {
            match again.formula.value(environment) {
                Value::Text(word) if word == "same" => turn.same = Some(true),
                Value::Text(word) if word == "again" => turn.same = Some(false),
                other => refuse("again", unknown(&other)),
            }
        }
        if let (Some(hand), Some(signer)) = (&special.hand, &signer) {
            match hand.to.formula.value(environment) {
                Value::Text(to) => match self.is_within(environment, signer, &to, hand.within)? {
                    true => turn.hand = Some(to),
                    false => refuse("hand", Refusal::NotWithin { who: to }),
                },
                other => refuse("hand", unknown(&other)),
            }
        }
        if let Some(suspend) = &special.suspend {
            let until = match suspend.formula.value(environment) {
                Value::None | Value::Unknown(Why::Missing(_)) => Some(None),
                Value::Instant(at) => Some(Some(at.0)),
                Value::Date(day) => Some(Some(environment.zone().end(day).0)),
                other => {
                    refuse("suspend", unknown(&other));
                    None
                }
            };
            if let Some(Some(at)) =
                until.filter(|until| until.is_some_and(|at| at <= self.lodged.0))
            {
                refuse("suspend", Refusal::Past { until: at });
            }
            turn.suspend = until;
        }
        if let (Some(change), Some(signer)) = (&special.change, &signer) {
            let value = change.how.formula().formula.value(environment);
            let mut who: Vec<String> = Vec::new();
            for name in value.names() {
                if !who.iter().any(|known| known == name) {
                    who.push(name.to_owned());
                }
            }
            if who.is_empty() || who.iter().any(String::is_empty) {
                refuse("round", unknown(&value));
            }
            if let Recast::Pass(_, within) = &change.how {
                for name in &who {
                    if !self.is_within(environment, signer, name, *within)? {
                        refuse("round", Refusal::NotWithin { who: name.clone() });
                    }
                }
            }
            turn.who = who;
        }
        if let (Some(thing), true) = (environment.thing, special.undoes.is_some() || special.reopen)
        {
            self.deadlines_of(environment, thing, act, &mut turn);
        }
        Ok(turn)
    }

    /// What becomes of deadlines when an act is taken back, or a thing opened again.
    fn deadlines_of(
        &self,
        environment: &CaseEnvironment<'_>,
        thing: &Thing,
        act: &Act,
        turn: &mut Turn,
    ) {
        for due in &self.case.dues {
            let over = thing.over.get(&due.name) == Some(&due::generation(thing, due));
            let ended = || {
                let moment = due::moment(environment, due);
                moment.is_some_and(|moment| moment.end <= self.lodged)
            };
            match &act.special.undoes {
                // What was met by it is owed again; what has passed has passed.
                Some(undone) if due.until.contains(undone) && over && !ended() => {
                    turn.unmet.push(due.name.clone());
                }
                // What began with it is owed by nobody.
                Some(undone) if !over && due::begins_with(due, undone) => {
                    turn.gone.push(due.name.clone());
                }
                // Nobody owed anything while the thing was at its end.
                None if !over && ended() => turn.gone.push(due.name.clone()),
                _ => {}
            }
        }
    }

    /// Whether a duty may go from one officer to another.
    fn is_within(
        &self,
        environment: &CaseEnvironment<'_>,
        from: &Signer,
        to: &str,
        within: Within,
    ) -> Result<bool, StateError> {
        let other = Signer::named(to);
        let officer =
            to.split_once('@').is_some_and(|(name, at)| !name.is_empty() && !at.is_empty());
        if !officer || *to == from.name {
            return Ok(false);
        }
        if within == Within::Agency {
            return Ok(other.agency == from.agency);
        }
        for role in self.module.roles.keys() {
            if environment.holds(role, to)?.covers(&environment.office) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Has what the keys of an act came to land. Gives the state to which the thing goes, which may be another than the act names.
    pub(crate) fn take_turn(
        &self,
        overlay: &mut Overlay<'_>,
        thing: &mut Thing,
        act: &Act,
        turn: Turn,
        document: Option<&Document>,
        to: Option<String>,
    ) -> Decided<Option<String>> {
        let (special, signer) = (&act.special, document.map(Document::signer));
        let rule = |name: &str| format!("{}/{name}", act.name);
        let law = act.law.as_deref();
        thing.turns.last = Some(Last { act: act.name.clone(), from: thing.state.clone() });
        for name in &turn.unmet {
            thing.over.remove(name);
        }
        for due in self.case.dues.iter().filter(|due| turn.gone.contains(&due.name)) {
            let generation = due::generation(thing, due);
            thing.over.insert(due.name.clone(), generation);
        }
        for series in &special.annul {
            self.annul(overlay, thing, series);
        }
        if let Some(until) = turn.suspend {
            thing.turns.suspended = Some(Suspended { since: self.lodged.0, until });
            let held = self.case.dues.iter();
            for due in held.filter(|due| matches!(due.end, DueEnd::After { .. })) {
                let span = Span { pause: SUSPENDED, from: self.lodged.0, to: until };
                thing.stood.entry(due.name.clone()).or_default().push(span);
            }
        }
        if special.resume {
            thing.turns.suspended = None;
            for span in thing.stood.values_mut().flatten() {
                let open = span.to.is_none_or(|to| to > self.lodged.0);
                if span.pause == SUSPENDED && open {
                    span.to = Some(self.lodged.0.max(span.from));
                }
            }
        }
        if let (Some(name), Some(signer)) = (turn.hand, &signer) {
            if thing.turns.handed.len() >= MOST_ASKED {
                return Ok(Err(vec![self.reason(&rule("hand"), law, Refusal::Cost)]));
            }
            // What comes back to somebody is his own again.
            thing.turns.handed.remove(&name);
            thing.turns.handed.insert(signer.name.clone(), name.clone());
            thing.people.push(name);
        }
        if let (Some(change), Some(signer)) = (&special.change, &signer)
            && let Err(why) = self.change_asked(thing, &change.round, &change.how, turn.who, signer)
        {
            return Ok(Err(vec![self.reason(&rule("round"), law, why)]));
        }
        self.void_changed(overlay, thing)?;
        Ok(Ok(match turn.same {
            Some(same) => {
                self.returned(thing, to.as_deref(), same);
                to
            }
            None => self.resumed(thing, to, document.is_some()),
        }))
    }

    fn place_of(&self, state: &str) -> Option<usize> {
        self.case.states.iter().position(|known| known.name == state)
    }

    /// Notes where a thing goes on that is returned to a state, and that its rounds since then begin again.
    fn returned(&self, thing: &mut Thing, to: Option<&str>, same: bool) {
        let Some(to) = to else { return };
        let back = Back { at: to.to_owned(), resume: thing.state.clone() };
        let least = self.place_of(to);
        for state in self.case.states.iter().filter(|state| self.place_of(&state.name) >= least) {
            let votes = state.round.as_ref().and_then(|round| thing.rounds.get_mut(round));
            if let Some(votes) = votes {
                votes.again = true;
            }
        }
        thing.turns.back = same.then_some(back);
    }

    /// Where a thing goes that was returned: to the returner, when somebody leads it on towards him.
    fn resumed(&self, thing: &mut Thing, to: Option<String>, signed: bool) -> Option<String> {
        let (Some(back), Some(next)) = (thing.turns.back.clone(), &to) else { return to };
        if back.at == *next {
            return to;
        }
        thing.turns.back = None;
        let on = (self.place_of(&back.at), self.place_of(next), self.place_of(&back.resume));
        let (Some(at), Some(place), Some(resume)) = on else { return to };
        let ends = self.case.state(next).is_none_or(|state| state.end);
        match signed && thing.state == back.at && at < place && place < resume && !ends {
            true => Some(back.resume),
            false => to,
        }
    }

    /// Annuls the number that a thing has of a series. It stays in sight, and is given to nothing else: a series counts on.
    fn annul(&self, overlay: &mut Overlay<'_>, thing: &mut Thing, series: &str) {
        let Some(Value::Text(number)) = thing.set.remove(series) else { return };
        let key = Key::new(Family::Number, self.module.name())
            .name(&format!("{}/{series}/annulled", self.case.name))
            .id(&number);
        let row = (self.id, self.lodged.0);
        overlay.put(key, cbor::encode(&row).expect("a text and a number"));
        let (series, at) = (series.to_owned(), self.lodged.0);
        thing.turns.annulled.push(Annulled { series, number, at });
    }

    /// Changes who is asked in the round that runs.
    fn change_asked(
        &self,
        thing: &mut Thing,
        round: &str,
        how: &Recast,
        who: Vec<String>,
        signer: &Signer,
    ) -> Result<(), Refusal> {
        let here = self.case.state(&thing.state).and_then(|state| state.round.as_deref());
        let acts_for = Self::acts_for(Some(thing), signer);
        let votes = thing.rounds.get_mut(round).filter(|_| here == Some(round));
        let Some(votes) = votes else { return Err(Refusal::NoRound { round: round.to_owned() }) };
        match how {
            Recast::Add(_) => {
                if let Some(who) = who.iter().find(|who| votes.of.contains(who)) {
                    return Err(Refusal::Asked { who: who.clone() });
                }
                if votes.of.len() + who.len() > MOST_ASKED {
                    return Err(Refusal::Cost);
                }
                votes.of.extend(who);
            }
            Recast::Drop(_) => {
                // What was said stays said, and somebody is asked.
                let open = |who: &&String| votes.of.contains(who) && !votes.said.contains_key(*who);
                if let Some(who) = who.iter().find(|who| !open(who)) {
                    return Err(Refusal::NoVote { who: who.clone() });
                }
                if votes.of.len() == who.len() {
                    return Err(Refusal::LastAsked);
                }
                votes.of.retain(|known| !who.contains(known));
            }
            Recast::Pass(..) => {
                let nobody = || Refusal::NoVote { who: signer.name.clone() };
                let [to] = who.as_slice() else { return Err(nobody()) };
                if votes.of.contains(to) {
                    return Err(Refusal::Asked { who: to.clone() });
                }
                let said = &votes.said;
                let mut of = votes.of.iter_mut();
                let own = of.find(|of| {
                    let his = acts_for.iter().any(|one| one.name == **of || one.agency == **of);
                    his && !said.contains_key(*of)
                });
                let Some(own) = own else { return Err(nobody()) };
                if votes.passed.len() >= MOST_VOID {
                    return Err(Refusal::Cost);
                }
                votes.passed.push((own.clone(), to.clone()));
                own.clone_from(to);
            }
        }
        Ok(())
    }

    /// The text of a thing, to which votes are bound.
    pub(crate) fn text(
        &self,
        state: &dyn State,
        thing: &Thing,
    ) -> Result<Option<String>, StateError> {
        if !self.case.text {
            return Ok(None);
        }
        let environment = self.looking(state, thing);
        let value = environment.root("text");
        environment.check()?;
        Ok(value.as_text().map(str::to_owned))
    }

    /// Has votes not count any more whose text is not the thing's now.
    fn void_changed(&self, overlay: &Overlay<'_>, thing: &mut Thing) -> Result<(), StateError> {
        let bound = self.case.rounds.iter().filter(|round| round.bind);
        let bound: Vec<_> = bound.filter(|round| thing.rounds.contains_key(&round.name)).collect();
        if bound.is_empty() {
            return Ok(());
        }
        let text = self.text(overlay, thing)?;
        for round in bound {
            let Some(votes) = thing.rounds.get_mut(&round.name) else { continue };
            let other = votes.texts.iter().filter(|(_, of)| text.as_ref() != Some(of));
            let other: Vec<_> = other.map(|(who, _)| who.clone()).collect();
            for who in other {
                let text = votes.texts.remove(&who).unwrap_or_default();
                if let Some(said) = votes.said.remove(&who) {
                    votes.void(Void { who, said, text });
                    let flag = format!("void/{}", round.name);
                    if !thing.flags.contains(&flag) {
                        thing.flags.push(flag);
                    }
                }
            }
        }
        Ok(())
    }
}

fn unknown(value: &Value) -> Refusal {
    match value {
        Value::Unknown(Why::Cost) => Refusal::Cost,
        Value::Unknown(why) => Refusal::Unknown { what: why.to_string() },
        other => Refusal::Unknown { what: other.to_string() },
    }
}
