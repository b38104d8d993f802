//! Deciding an act on a case. Each step lists all that is wrong in it; a later one is not tried after one that failed.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use chancery_crypto::cbor;

use crate::{
    calendar::Calendar,
    civil::Instant,
    due,
    environment::CaseEnvironment,
    input::{Document, Input},
    manifest::{Act, Case, Ending, Form, Module, Number, Placed, Round, Target},
    reason::{Reason, Refusal},
    record::Applied,
    state::{Family, Key, Overlay, State, StateError},
    thing::{Thing, Votes},
    value::{Value, Why},
};

/// What a decision on a case stands in.
pub(crate) struct Deciding<'a> {
    pub module: &'a Module,
    pub case: &'a Case,
    pub calendar: &'a Calendar,
    pub home: &'a str,
    pub id: &'a str,
    pub at: Instant,
    pub lodged: Instant,
}

/// What came of a step of a decision: it, or why it is refused.
pub(crate) type Decided<T> = Result<Result<T, Vec<Reason>>, StateError>;

/// How deep inner acts may lead to others.
const MOST_INNER: usize = 4;

impl<'a> Deciding<'a> {
    pub(crate) fn environment<'e>(
        &'e self,
        state: &'e dyn State,
        thing: Option<&'e Thing>,
        document: Option<&'e Document>,
        doc: Value,
    ) -> CaseEnvironment<'e> {
        CaseEnvironment {
            module: self.module,
            case: self.case,
            state,
            calendar: self.calendar,
            home: self.home,
            thing,
            id: self.id,
            doc,
            document,
            office: thing.map(|thing| thing.office.clone()).unwrap_or_default(),
            at: self.at,
            lodged: self.lodged,
            counts: BTreeMap::new(),
            steps: Cell::new(0),
            open: RefCell::default(),
            failed: RefCell::default(),
        }
    }

    /// The environment of a thing, for whoever only looks.
    pub(crate) fn looking<'e>(
        &'e self,
        state: &'e dyn State,
        thing: &'e Thing,
    ) -> CaseEnvironment<'e> {
        self.environment(state, Some(thing), None, Value::None)
    }

    pub(crate) fn reason(&self, rule: &str, law: Option<&str>, why: Refusal) -> Reason {
        let rule = format!("{}/{}/{rule}", self.module.name(), self.case.name);
        let law = law.filter(|law| !law.is_empty()).map(|law| self.module.cite(law));
        Reason { rule, law, why }
    }

    /// Decides an act that a document makes.
    pub(crate) fn act(
        &self,
        overlay: &mut Overlay<'_>,
        input: &Input,
        act: &Act,
        form: &Form,
        thing: Option<Thing>,
    ) -> Decided<Applied> {
        let document = &input.document;
        let doc = form.values(document.form());
        let office = match self.who(overlay, document, act, thing.as_ref(), &doc)? {
            Ok(office) => office,
            Err(reasons) => {
                // Of which office it is may not be known because the form is not filled in: that is said then.
                let unknown = format!("{}/{}/office", self.case.name, act.name);
                let faults = self.form(input, act);
                let by_form = reasons.iter().any(|reason| reason.rule.ends_with(&unknown));
                let said = if by_form && !faults.is_empty() { faults } else { reasons };
                return Ok(Err(said));
            }
        };
        let refused = self.place(act, thing.as_ref());
        if !refused.is_empty() {
            return Ok(Err(refused));
        }
        let environment = CaseEnvironment {
            office: office.clone(),
            ..self.environment(overlay, thing.as_ref(), Some(document), doc.clone())
        };
        let refused = self.time(&environment, act);
        if !refused.is_empty() {
            return Ok(Err(refused));
        }
        let refused = self.form(input, act);
        if !refused.is_empty() {
            return Ok(Err(refused));
        }
        let (refused, flags) = self.needs(&environment, act);
        environment.check()?;
        if !refused.is_empty() {
            return Ok(Err(refused));
        }
        let mut thing = thing.unwrap_or_else(|| Thing {
            version: Some(self.module.digest()),
            title: document.header.title.clone(),
            office,
            ..Thing::default()
        });
        thing.flags.extend(flags);
        self.change(overlay, &mut thing, act, Some((document, doc)))
    }

    /// Decides that a deadline has passed.
    pub(crate) fn elapse(
        &self,
        overlay: &mut Overlay<'_>,
        mut thing: Thing,
        due: &crate::manifest::Due,
    ) -> Decided<Applied> {
        let generation = due::generation(&thing, due);
        thing.over.insert(due.name.clone(), generation);
        let before = thing.clone();
        let ended = match &due.then {
            Some(ending) => self.end(overlay, &mut thing, ending, &due.name, 0)?,
            None => Ok(()),
        };
        // What cannot follow is recorded as a breach: a deadline that has passed is a fact, whatever comes of it.
        if let Err(reasons) = ended {
            thing = before;
            let rules =
                reasons.iter().map(|reason| reason.rule.as_str()).collect::<Vec<_>>().join(", ");
            thing.flags.push(format!("due/{}: {rules}", due.name));
        }
        self.keep(overlay, &mut thing, Vec::new()).map(Ok)
    }

    /// Whether the thing is in a state from which it is possible, and it was not done too often.
    fn place(&self, act: &Act, thing: Option<&Thing>) -> Vec<Reason> {
        let Some(thing) = thing else { return Vec::new() };
        let (mut refused, law) = (Vec::new(), act.law.as_deref());
        let votes = act.vote.is_some() && act.from.is_empty();
        if !votes && !act.from.contains(&thing.state) {
            let why = Refusal::WrongState {
                state: thing.state.clone(),
                since: thing.when(&thing.state).map_or(0, |at| at.0),
                from: act.from.clone(),
            };
            refused.push(self.reason(&format!("{}/from", act.name), law, why));
        }
        if let Some(times) = act.at_most.filter(|most| thing.counted(&act.name) >= *most) {
            refused.push(self.reason(
                &format!("{}/at_most", act.name),
                law,
                Refusal::AtMost { times },
            ));
        }
        refused
    }

    /// Whether it was lodged in time.
    fn time(&self, environment: &CaseEnvironment<'_>, act: &Act) -> Vec<Reason> {
        let edges = act.after.iter().map(|name| (name, true));
        let edges = edges.chain(act.before.iter().map(|name| (name, false)));
        let mut refused = Vec::new();
        for (name, early) in edges {
            let Some(due) = self.case.due(name) else { continue };
            let rule = format!("{}/{}-{name}", act.name, if early { "after" } else { "before" });
            let Some(moment) = due::moment(environment, due) else {
                let what = format!("due.{name}");
                refused.push(self.reason(&rule, Some(&due.law), Refusal::Unknown { what }));
                continue;
            };
            let over = self.lodged >= moment.end;
            if over != early {
                let why = Refusal::Window { due: name.clone(), day: moment.day.to_string(), early };
                refused.push(self.reason(&rule, Some(&due.law), why));
            }
        }
        refused
    }

    /// Whether the form is filled in as it must be.
    fn form(&self, input: &Input, act: &Act) -> Vec<Reason> {
        let law = act.law.as_deref();
        let faults = input.facts.form.iter();
        let mut refused: Vec<_> = faults
            .map(|fault| {
                self.reason(&format!("{}/form", act.name), law, Refusal::Form(fault.clone()))
            })
            .collect();
        let given = input.document.filing().and_then(|filing| filing.reason.as_deref());
        if act.reason && given.is_none_or(|reason| reason.trim().is_empty()) {
            refused.push(self.reason(&format!("{}/reason", act.name), law, Refusal::NoReason));
        }
        refused
    }

    /// What must hold, and the marks of what does not and only marks it.
    fn needs(&self, environment: &CaseEnvironment<'_>, act: &Act) -> (Vec<Reason>, Vec<String>) {
        let (mut refused, mut flags) = (Vec::new(), Vec::new());
        for need in &act.needs {
            let rule = format!("{}/{}", act.name, need.name);
            let law = Some(need.law.as_str());
            let why = match need.that.formula.value(environment) {
                Value::Bool(true) => continue,
                Value::Bool(false) => {
                    let own = || format!("need-{}-{}-{}", self.case.name, act.name, need.name);
                    Refusal::Need { say: need.say.clone().unwrap_or_else(own) }
                }
                Value::Unknown(Why::Cost) => Refusal::Cost,
                Value::Unknown(why) => Refusal::Unknown { what: why.to_string() },
                other => Refusal::Unknown { what: other.kind().to_owned() },
            };
            match need.flag && why.code() == "CHY-7101" {
                true => flags.push(rule),
                false => refused.push(self.reason(&rule, law, why)),
            }
        }
        (refused, flags)
    }

    /// What an act changes. With the document that makes it and the values of its form, unless it is an inner one.
    fn change(
        &self,
        overlay: &mut Overlay<'_>,
        thing: &mut Thing,
        act: &Act,
        document: Option<(&Document, Value)>,
    ) -> Decided<Applied> {
        let mut numbers = Vec::new();
        if let Err(reasons) = self.inside(overlay, thing, act, document, &mut numbers, 0)? {
            return Ok(Err(reasons));
        }
        match self.hold(overlay, thing)? {
            Err(reasons) => Ok(Err(reasons)),
            Ok(()) => self.keep(overlay, thing, numbers).map(Ok),
        }
    }

    fn inside(
        &self,
        overlay: &mut Overlay<'_>,
        thing: &mut Thing,
        act: &Act,
        document: Option<(&Document, Value)>,
        numbers: &mut Vec<String>,
        depth: usize,
    ) -> Decided<()> {
        let (document, doc) =
            document.map_or((None, Value::None), |(document, doc)| (Some(document), doc));
        if depth > MOST_INNER {
            return Ok(Err(vec![self.reason(&act.name, None, Refusal::Cost)]));
        }
        if let Some(name) = &act.number
            && let Some(number) = self.case.numbers.iter().find(|number| number.name == *name)
        {
            let given = self.next_number(overlay, thing, number, document, &doc)?;
            let given = match given {
                Ok(given) => given,
                Err(reasons) => return Ok(Err(reasons)),
            };
            thing.set.insert(name.clone(), Value::text(&given));
            numbers.push(given);
        }
        // All of them see what was before; what they set lands together.
        let environment = self.environment(overlay, Some(&*thing), document, doc.clone());
        let (mut set, mut refused) = (Vec::new(), Vec::new());
        for (name, placed) in &act.set {
            match self.kept(&environment, &format!("{}/set-{name}", act.name), placed) {
                Ok(value) => set.push((name.clone(), value)),
                Err(reason) => refused.push(reason),
            }
        }
        let to = match &act.to {
            Target::Stays => None,
            Target::State(state) => Some(state.clone()),
            Target::Formula(placed) => match placed.formula.value(&environment) {
                Value::Text(state) if self.case.state(&state).is_some() => Some(state),
                other => {
                    let what = other.to_string();
                    refused.push(self.reason(
                        &format!("{}/to", act.name),
                        None,
                        Refusal::Unknown { what },
                    ));
                    None
                }
            },
        };
        let vote = act.vote.as_ref().map(|placed| placed.formula.value(&environment));
        let mut uniques = Vec::new();
        for unique in &act.uniques {
            for value in self.values(&environment, &unique.of) {
                let key = Key::new(Family::Unique, self.module.name())
                    .name(&format!("{}/{}/{}", self.case.name, act.name, unique.name))
                    .value(&value);
                uniques.push((key, unique, value));
            }
        }
        environment.check()?;
        drop(environment);
        for (key, unique, value) in uniques {
            if overlay.get(&key)?.is_some() {
                let rule = format!("{}/{}", act.name, unique.name);
                refused.push(self.reason(&rule, Some(&unique.law), Refusal::NotUnique { value }));
            } else {
                overlay.put(key, cbor::encode(&self.id).expect("a text"));
            }
        }
        if !refused.is_empty() {
            return Ok(Err(refused));
        }
        thing.set.extend(set);
        thing.did(&act.name, self.lodged);
        if let Some(document) = document {
            self.take_document(thing, act, document, &doc);
        }
        if let Some(extend) =
            self.case.dues.iter().find_map(|due| due.extend.as_ref().filter(|e| e.act == act.name))
        {
            let environment = self.environment(overlay, Some(&*thing), document, doc.clone());
            let days = |placed: &Placed| match placed.formula.value(&environment) {
                Value::Int(days) => i32::try_from(days).ok().filter(|days| *days >= 0),
                _ => None,
            };
            let (by, most) = (days(&extend.by), days(&extend.most));
            let due = self.case.dues.iter().find(|due| due.extend.as_ref() == Some(extend));
            if let Some(due) = due {
                let already = thing.extended.get(&due.name).copied().unwrap_or(0);
                let sum = by.and_then(|by| by.checked_add(already));
                match sum.filter(|sum| most.is_some_and(|most| *sum <= most)) {
                    Some(sum) => drop(thing.extended.insert(due.name.clone(), sum)),
                    None => {
                        let what = format!("due.{}", due.name);
                        let rule = format!("{}/extend", act.name);
                        let why = Refusal::Unknown { what };
                        return Ok(Err(vec![self.reason(&rule, Some(&due.law), why)]));
                    }
                }
            }
        }
        for due in &self.case.dues {
            if due.until.contains(&act.name) {
                let generation = due::generation(thing, due);
                thing.over.insert(due.name.clone(), generation);
            }
        }
        if let Some(to) = to
            && let Err(reasons) = self.enter(overlay, thing, &to)?
        {
            return Ok(Err(reasons));
        }
        match vote {
            Some(vote) => self.vote(overlay, thing, act, &vote, document, depth),
            None => Ok(Ok(())),
        }
    }

    /// Keeps of a document what formulas read later.
    fn take_document(&self, thing: &mut Thing, act: &Act, document: &Document, doc: &Value) {
        let Value::Map(fields) = doc else { return };
        let whole = self.case.live.contains(&(act.name.clone(), String::new()));
        let live =
            |name: &str| whole || self.case.live.contains(&(act.name.clone(), name.to_owned()));
        let kept = fields.iter().filter(|(name, _)| live(name));
        let kept: BTreeMap<_, _> =
            kept.map(|(name, value)| (name.clone(), value.clone())).collect();
        thing.filed.insert(act.name.clone(), kept);
        let signer = document.signer();
        thing.authors.entry(act.name.clone()).or_default().push(signer.name.clone());
        thing.documents.insert(act.name.clone(), document.id.to_string());
        if !thing.people.contains(&signer.name) {
            thing.people.push(signer.name);
        }
    }

    fn enter(&self, overlay: &mut Overlay<'_>, thing: &mut Thing, to: &str) -> Decided<()> {
        thing.state = to.to_owned();
        thing.did(to, self.lodged);
        let round = self.case.state(to).and_then(|state| state.round.as_ref());
        let Some(round) = round.and_then(|name| self.case.round(name)) else { return Ok(Ok(())) };
        let environment = self.environment(overlay, Some(&*thing), None, Value::None);
        let of = round.of.formula.value(&environment);
        environment.check()?;
        let of: Vec<_> = of.names().into_iter().map(str::to_owned).collect();
        if of.is_empty() {
            let what = format!("round.{}", round.name);
            return Ok(Err(vec![self.reason(&round.name, None, Refusal::Unknown { what })]));
        }
        drop(environment);
        thing.rounds.insert(round.name.clone(), Votes { of, said: BTreeMap::new() });
        Ok(Ok(()))
    }

    fn vote(
        &self,
        overlay: &mut Overlay<'_>,
        thing: &mut Thing,
        act: &Act,
        vote: &Value,
        document: Option<&Document>,
        depth: usize,
    ) -> Decided<()> {
        let signer = document.map(Document::signer);
        let Some(signer) = signer else { return Ok(Ok(())) };
        let round = self.case.rounds.iter().find(|round| {
            let here = self.case.state(&thing.state).and_then(|state| state.round.as_ref());
            round.act == act.name && here == Some(&round.name)
        });
        let refused = |why| {
            Ok(Err(vec![self.reason(&format!("{}/vote", act.name), act.law.as_deref(), why)]))
        };
        let nobody = || Refusal::NoVote { who: signer.name.clone() };
        let Some(round) = round else { return refused(nobody()) };
        let Some(votes) = thing.rounds.get_mut(&round.name) else { return refused(nobody()) };
        let who =
            votes.of.iter().find(|who| **who == signer.name || **who == signer.agency).cloned();
        let next = votes.of.iter().find(|who| !votes.said.contains_key(*who));
        let turn = !round.listed || next == who.as_ref();
        let Some(who) = who.filter(|who| turn && !votes.said.contains_key(who)) else {
            return refused(nobody());
        };
        let said = match vote {
            Value::Text(said) if matches!(said.as_str(), "yes" | "no" | "abstain") => said.clone(),
            other => return refused(Refusal::Unknown { what: other.to_string() }),
        };
        votes.said.insert(who, said);
        self.settle(overlay, thing, round, depth)
    }

    /// Ends a round when it is decided.
    fn settle(
        &self,
        overlay: &mut Overlay<'_>,
        thing: &mut Thing,
        round: &Round,
        depth: usize,
    ) -> Decided<()> {
        let votes = thing.rounds.get(&round.name).cloned().unwrap_or_default();
        let said = |word: &str| -> Vec<String> {
            let each = votes.said.iter().filter(|(_, said)| *said == word);
            each.map(|(who, _)| who.clone()).collect()
        };
        let count = |word| Value::Int(said(word).len() as i128);
        let counts = BTreeMap::from([
            ("yes", count("yes")),
            ("no", count("no")),
            ("abstain", count("abstain")),
            ("open", Value::Int((votes.of.len() - votes.said.len()) as i128)),
            ("all", Value::Int(votes.of.len() as i128)),
            ("who_yes", Value::texts(said("yes"))),
            ("who_no", Value::texts(said("no"))),
        ]);
        let environment = CaseEnvironment {
            counts,
            ..self.environment(overlay, Some(&*thing), None, Value::None)
        };
        let holds = |placed: &Placed| placed.formula.value(&environment) == Value::Bool(true);
        let ending = if round.fail.as_ref().is_some_and(holds) {
            round.failed.clone()
        } else if holds(&round.done) {
            round.agreed.clone()
        } else {
            None
        };
        environment.check()?;
        drop(environment);
        match ending {
            Some(ending) => self.end(overlay, thing, &ending, &round.name, depth),
            None => Ok(Ok(())),
        }
    }

    fn end(
        &self,
        overlay: &mut Overlay<'_>,
        thing: &mut Thing,
        ending: &Ending,
        of: &str,
        depth: usize,
    ) -> Decided<()> {
        match ending {
            Ending::Breach => {
                thing.flags.push(format!("breach/{of}"));
                Ok(Ok(()))
            }
            Ending::State(state) => self.enter(overlay, thing, state),
            Ending::Act(name) => match self.case.act(name) {
                Some(act) => self.inside(overlay, thing, act, None, &mut Vec::new(), depth + 1),
                None => Ok(Ok(())),
            },
        }
    }

    /// The next number of a series, which is given.
    fn next_number(
        &self,
        overlay: &mut Overlay<'_>,
        thing: &Thing,
        number: &Number,
        document: Option<&Document>,
        doc: &Value,
    ) -> Decided<String> {
        let environment = self.environment(overlay, Some(thing), document, doc.clone());
        let mut parts = Vec::new();
        for placed in &number.keys {
            match self.kept(&environment, &format!("number-{}", number.name), placed) {
                Ok(value) => parts.push(value.to_string()),
                Err(reason) => return Ok(Err(vec![reason])),
            }
        }
        environment.check()?;
        drop(environment);
        let key = Key::new(Family::Number, self.module.name())
            .name(&format!("{}/{}", self.case.name, number.name))
            .value(&cbor_text(&parts));
        let next = match overlay.get(&key)? {
            Some(bytes) => cbor::decode::<i64>(&bytes).map_err(StateError::damaged)?,
            None => number.start,
        };
        let after =
            next.checked_add(1).ok_or_else(|| StateError::damaged("a series is at its end"))?;
        overlay.put(key, cbor::encode(&after).expect("a number"));
        Ok(Ok(pattern(&number.pattern, &parts, next)))
    }

    /// A value that is kept, or why it cannot be.
    fn kept(
        &self,
        environment: &CaseEnvironment<'_>,
        rule: &str,
        placed: &Placed,
    ) -> Result<Value, Reason> {
        let value = placed.formula.value(environment);
        match value.unkept() {
            None => Ok(value),
            Some(Why::Cost) => Err(self.reason(rule, None, Refusal::Cost)),
            Some(why) => Err(self.reason(rule, None, Refusal::Unknown { what: why.to_string() })),
        }
    }

    /// The values of a uniqueness: of a list each element, of several formulas all together; none where nothing is there.
    fn values(&self, environment: &CaseEnvironment<'_>, of: &[Placed]) -> Vec<String> {
        let values: Vec<_> = of.iter().map(|placed| placed.formula.value(environment)).collect();
        match values.as_slice() {
            [Value::List(list)] => list.iter().map(ToString::to_string).collect(),
            values
                if values.iter().any(|value| matches!(value, Value::None | Value::Unknown(_))) =>
            {
                Vec::new()
            }
            values => vec![cbor_text(&values.iter().map(ToString::to_string).collect::<Vec<_>>())],
        }
    }

    /// Holds the values that an open thing holds alone, and lets go of those that it does not any more.
    fn hold(&self, overlay: &mut Overlay<'_>, thing: &mut Thing) -> Decided<()> {
        let ended = self.case.state(&thing.state).is_none_or(|state| state.end);
        let environment = self.environment(overlay, Some(&*thing), None, Value::None);
        let mut wanted = BTreeMap::new();
        for unique in self.case.uniques.iter().filter(|_| !ended) {
            for value in self.values(&environment, &unique.of) {
                let key = Key::new(Family::Unique, self.module.name())
                    .name(&format!("{}/{}", self.case.name, unique.name))
                    .value(&value);
                wanted.insert(key, (unique, value));
            }
        }
        environment.check()?;
        drop(environment);
        for key in thing.held.iter().filter(|key| !wanted.contains_key(key)) {
            overlay.delete(key.clone());
        }
        let mut refused = Vec::new();
        for (key, (unique, value)) in &wanted {
            match overlay.get(key)? {
                Some(bytes) if cbor::decode::<String>(&bytes).ok().as_deref() != Some(self.id) => {
                    let why = Refusal::NotUnique { value: value.clone() };
                    refused.push(self.reason(&unique.name, Some(&unique.law), why));
                }
                Some(_) => {}
                None => overlay.put(key.clone(), cbor::encode(&self.id).expect("a text")),
            }
        }
        thing.held = wanted.into_keys().collect();
        Ok(if refused.is_empty() { Ok(()) } else { Err(refused) })
    }

    /// Writes a thing, and what follows from it.
    fn keep(
        &self,
        overlay: &mut Overlay<'_>,
        thing: &mut Thing,
        numbers: Vec<String>,
    ) -> Result<Applied, StateError> {
        let key = Thing::key(self.module.name(), &self.case.name, self.id);
        let before = Thing::get(overlay, self.module.name(), &self.case.name, self.id)?;
        thing.sequence += 1;
        let environment = self.environment(overlay, Some(&*thing), None, Value::None);
        let title = self.case.title.as_ref().map(|placed| placed.formula.value(&environment));
        let subject = self.case.reading.subject.as_ref();
        let subject = subject.map_or(Value::None, |placed| placed.formula.value(&environment));
        let subject: Vec<_> = subject.names().into_iter().map(str::to_owned).collect();
        let mut people: Vec<String> = self
            .case
            .who
            .iter()
            .flat_map(|(_, placed)| {
                let people = placed.formula.value(&environment);
                people.names().into_iter().map(str::to_owned).collect::<Vec<_>>()
            })
            .chain(subject)
            .chain(thing.people.iter().cloned())
            .chain(thing.rounds.values().flat_map(|votes| votes.of.iter().cloned()))
            .collect();
        environment.check()?;
        drop(environment);
        people.sort();
        people.dedup();
        if let Some(Value::Text(title)) = title {
            thing.title = title;
        }
        thing.people = people;
        for (old, index) in before.iter().flat_map(|thing| self.indexed(thing)) {
            overlay.delete(self.index(old, &index));
        }
        for (name, value) in self.indexed(thing) {
            overlay.put(self.index(name, &value), Vec::new());
        }
        overlay.put(key, thing.encode());
        self.schedule(overlay, thing)?;
        Ok(Applied {
            case: self.case.name.clone(),
            thing: self.id.to_owned(),
            sequence: thing.sequence,
            state: thing.state.clone(),
            numbers,
            flags: thing.flags.clone(),
        })
    }

    /// Under what a thing is found.
    fn indexed(&self, thing: &Thing) -> Vec<(&'static str, String)> {
        let state = ("state", thing.state.clone());
        let people = thing.people.iter().map(|who| ("who", who.clone()));
        std::iter::once(state).chain(people).collect()
    }

    fn index(&self, name: &str, value: &str) -> Key {
        Key::new(Family::Index, self.module.name())
            .name(&format!("{}/{name}", self.case.name))
            .value(value)
            .id(self.id)
    }

    /// Notes when the next of its deadlines is to be looked at.
    pub(crate) fn schedule(
        &self,
        overlay: &mut Overlay<'_>,
        thing: &Thing,
    ) -> Result<(), StateError> {
        let own = Key::new(Family::Due, self.module.name()).name(&self.case.name).id(self.id);
        if let Some(old) = overlay.get(&own)? {
            let old: String = cbor::decode(&old).map_err(StateError::damaged)?;
            overlay.delete(at_key(&old));
        }
        let next = {
            let environment = self.environment(overlay, Some(thing), None, Value::None);
            let next = self.next_due(&environment, thing);
            environment.check()?;
            next
        };
        match next {
            None => overlay.delete(own),
            Some((end, _)) => {
                let place = format!(
                    "{:020}/{}/{}/{}",
                    end.0.max(0),
                    self.module.name(),
                    self.case.name,
                    self.id
                );
                overlay.put(own, cbor::encode(&place).expect("a text"));
                overlay.put(at_key(&place), Vec::new());
            }
        }
        Ok(())
    }

    /// The first of a thing's deadlines of which something comes, and when.
    pub(crate) fn next_due<'c>(
        &self,
        environment: &CaseEnvironment<'c>,
        thing: &Thing,
    ) -> Option<(Instant, &'c crate::manifest::Due)> {
        let living = environment.case.dues.iter().filter(|due| due::lives(environment, thing, due));
        let ends = living.filter_map(|due| Some((due::moment(environment, due)?.end, due)));
        ends.min_by(|(a, x), (b, y)| (a, &x.name).cmp(&(b, &y.name)))
    }
}

/// The key of a place in the order of deadlines.
pub(crate) fn at_key(place: &str) -> Key {
    Key::new(Family::Due, "").id(place)
}

/// Several texts as one, so that no two lists give the same.
fn cbor_text(parts: &[String]) -> String {
    match parts {
        [one] => one.clone(),
        parts => {
            parts.iter().map(|part| format!("{}:{part}", part.len())).collect::<Vec<_>>().join(",")
        }
    }
}

/// A number as its series writes it: `{0}` is the first key, `{n:06}` the number with six digits.
fn pattern(pattern: &str, keys: &[String], n: i64) -> String {
    let mut text = pattern.to_owned();
    while let Some(at) = text.find("{n:") {
        let rest = text.get(at + 3..).unwrap_or_default();
        let Some(end) = rest.find('}') else { break };
        let width =
            rest.get(..end).and_then(|width| width.parse::<usize>().ok()).unwrap_or(0).min(18);
        text.replace_range(at..at + 4 + end, &format!("{n:0width$}"));
    }
    text = text.replace("{n}", &n.to_string());
    for (place, key) in keys.iter().enumerate() {
        text = text.replace(&format!("{{{place}}}"), key);
    }
    text
}
