//! Deciding an act on a case. Each step lists all that is wrong in it; a later one is not tried after one that failed.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use chancery_crypto::cbor;

use crate::{
    calendar::Calendar,
    civil::Instant,
    due,
    environment::CaseEnvironment,
    input::{Document, Input},
    kernel::{Kernel, MOST_WRITES},
    look_up::Looks,
    manifest::{Act, Case, Due, Ending, Form, Module, Need, Number, Placed, Target},
    mechanism::{self, Planned},
    reason::{Reason, Refusal},
    record::{Also, Applied},
    state::{Family, Key, Overlay, State, StateError},
    thing::{ByHand, Parent, Thing},
    value::{Value, Why},
};

/// What a decision on a case stands in.
#[derive(Clone)]
pub(crate) struct Deciding<'a> {
    pub kernel: &'a Kernel,
    pub module: &'a Module,
    pub case: &'a Case,
    pub calendar: &'a Calendar,
    pub home: &'a str,
    pub id: &'a str,
    pub at: Instant,
    pub lodged: Instant,
    /// What it looks up in tables.
    pub looks: Rc<Looks>,
    /// The checkpoint that came in with what is decided upon.
    pub checkpoint: Option<crate::record::Checkpoint>,
}

/// What came of a step of a decision: it, or why it is refused.
pub(crate) type Decided<T> = Result<Result<T, Vec<Reason>>, StateError>;

/// How deep inner acts may lead to others.
pub(crate) const MOST_INNER: usize = 4;

/// What makes an act: a document, or another act that gives it values.
#[derive(Clone)]
pub(crate) struct Made<'d> {
    pub document: Option<&'d Document>,
    pub doc: Value,
    /// Whether its signer is the author of this very act.
    pub signed: bool,
}

impl Made<'_> {
    const NOTHING: Self = Self { document: None, doc: Value::None, signed: false };
}

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
            parent: None,
            steps: Cell::new(0),
            looks: &self.looks,
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
        parent: Option<Parent>,
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
        let mut environment = CaseEnvironment {
            office: office.clone(),
            parent: parent.clone(),
            ..self.environment(overlay, thing.as_ref(), Some(document), doc.clone())
        };
        let opened = match thing {
            Some(_) => (String::new(), BTreeMap::new()),
            None => match self.variant(&environment, act) {
                Ok(found) => found,
                Err(reasons) => {
                    // What it rests on may be what is not filled in: that is said then.
                    let faults = self.form(input, act);
                    return Ok(Err(if faults.is_empty() { reasons } else { faults }));
                }
            },
        };
        if thing.is_none() && !opened.1.is_empty() {
            environment.counts.insert("param", Value::Map(opened.1.clone()));
        }
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
            variant: opened.0,
            params: opened.1,
            title: document.header.title.clone(),
            office,
            parent,
            ..Thing::default()
        });
        thing.flags.extend(flags);
        let made = Made { document: Some(document), doc, signed: true };
        let mut also = Vec::new();
        let applied = self.change(overlay, &mut thing, act, made, &mut also, 0)?;
        Ok(applied.map(|applied| Applied { also, ..applied }))
    }

    /// The variant under which a thing is opened, and the parameters that hold for it to its end. Where there are variants, one is
    /// about what is opened.
    fn variant(
        &self,
        environment: &CaseEnvironment<'_>,
        act: &Act,
    ) -> Result<(String, BTreeMap<String, Value>), Vec<Reason>> {
        let rule = format!("{}/variant", act.name);
        let (mut matching, mut unknown, mut any) = (Vec::new(), Vec::new(), false);
        for variant in self.module.variants_of(&self.case.name) {
            any = true;
            match variant.when.formula.value(environment) {
                Value::Bool(true) => matching.push(variant),
                Value::Bool(false) => {}
                Value::Unknown(Why::Cost) => unknown.push(Refusal::Cost),
                Value::Unknown(why) => unknown.push(Refusal::Unknown { what: why.to_string() }),
                other => unknown.push(Refusal::Unknown { what: other.kind().to_owned() }),
            }
        }
        if !unknown.is_empty() {
            return Err(unknown.into_iter().map(|why| self.reason(&rule, None, why)).collect());
        }
        match (any, matching.as_slice()) {
            (false, _) => Ok((String::new(), self.module.params_of(None))),
            (true, [one]) => Ok((one.name.clone(), self.module.params_of(Some(one)))),
            (true, all) => {
                let matching = all.iter().map(|variant| variant.name.clone()).collect();
                Err(vec![self.reason(&rule, None, Refusal::Variant { matching })])
            }
        }
    }

    /// Has a thing that went over to another version be found by what it is now.
    pub(crate) fn find_again(
        &self,
        overlay: &mut Overlay<'_>,
        stored: &Thing,
        thing: &Thing,
    ) -> Result<(), StateError> {
        for (old, index) in self.indexed(stored) {
            overlay.delete(self.index(old, &index));
        }
        for (name, value) in self.indexed(thing) {
            overlay.put(self.index(name, &value), Vec::new());
        }
        self.schedule(overlay, thing)
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
        // What comes of it is written as a whole or not at all.
        let mut inner = Overlay::new(overlay);
        let mut also = Vec::new();
        let ended = match &due.then {
            Some(ending) => self.passed(&mut inner, &mut thing, ending, &due.name, &mut also)?,
            None => self.keep(&mut inner, &mut thing, Vec::new()).map(Ok)?,
        };
        // What cannot follow is recorded as a breach: a deadline that has passed is a fact, whatever comes of it.
        match ended {
            Ok(applied) => {
                let writes = inner.into_writes();
                overlay.extend(writes);
                Ok(Ok(Applied { also, ..applied }))
            }
            Err(reasons) => {
                thing = before;
                let rules = reasons.iter().map(|reason| reason.rule.as_str());
                let rules = rules.collect::<Vec<_>>().join(", ");
                thing.flags.push(format!("due/{}: {rules}", due.name));
                self.keep(overlay, &mut thing, Vec::new()).map(Ok)
            }
        }
    }

    /// What comes of a deadline that has passed, with all that follows.
    pub(crate) fn passed(
        &self,
        overlay: &mut Overlay<'_>,
        thing: &mut Thing,
        ending: &Ending,
        name: &str,
        also: &mut Vec<Also>,
    ) -> Decided<Applied> {
        let (mut out, before) = (Out::default(), thing.clone());
        if let Err(reasons) = self.end(overlay, thing, ending, name, &mut out, 0)? {
            return Ok(Err(reasons));
        }
        if let Err(reasons) = self.endless(overlay, &before, thing, name)? {
            return Ok(Err(reasons));
        }
        let finished = self.finish(overlay, thing, None, out, also, 0)?;
        if finished.is_ok() && overlay.written() > MOST_WRITES {
            return Ok(Err(vec![self.reason(name, None, Refusal::Cost)]));
        }
        Ok(finished)
    }

    /// Whether the thing is in a state from which it is possible, and it was not done too often.
    pub(crate) fn place(&self, act: &Act, thing: Option<&Thing>) -> Vec<Reason> {
        let Some(thing) = thing else { return Vec::new() };
        let (mut refused, law) = (self.held_up(act, thing), act.law.as_deref());
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
    pub(crate) fn needs(
        &self,
        environment: &CaseEnvironment<'_>,
        act: &Act,
    ) -> (Vec<Reason>, Vec<String>) {
        self.conditions(environment, &act.name, &act.needs)
    }

    /// The conditions of an act or a question.
    pub(crate) fn conditions(
        &self,
        environment: &CaseEnvironment<'_>,
        of: &str,
        needs: &[Need],
    ) -> (Vec<Reason>, Vec<String>) {
        let (mut refused, mut flags) = (Vec::new(), Vec::new());
        for need in needs {
            let rule = format!("{of}/{}", need.name);
            let law = Some(need.law.as_str());
            let why = match need.that.formula.value(environment) {
                Value::Bool(true) => continue,
                Value::Bool(false) => {
                    let own = || format!("need-{}-{of}-{}", self.case.name, need.name);
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

    /// What an act changes, and what follows from it in other things.
    pub(crate) fn change(
        &self,
        overlay: &mut Overlay<'_>,
        thing: &mut Thing,
        act: &Act,
        made: Made<'_>,
        also: &mut Vec<Also>,
        depth: usize,
    ) -> Decided<Applied> {
        let mut out = Out::default();
        let (document, before) = (made.document, thing.clone());
        if let Err(reasons) = self.inside(overlay, thing, act, made, &mut out, depth)? {
            return Ok(Err(reasons));
        }
        if let Err(reasons) = self.endless(overlay, &before, thing, &act.name)? {
            return Ok(Err(reasons));
        }
        self.finish(overlay, thing, document, out, also, depth)
    }

    /// Writes a thing that was moved, and carries out what follows.
    fn finish(
        &self,
        overlay: &mut Overlay<'_>,
        thing: &mut Thing,
        document: Option<&Document>,
        out: Out,
        also: &mut Vec<Also>,
        depth: usize,
    ) -> Decided<Applied> {
        if let Err(reasons) = self.hold(overlay, thing)? {
            return Ok(Err(reasons));
        }
        let applied = self.keep(overlay, thing, out.numbers)?;
        let followed = self.carry_out(overlay, thing, document, out.planned, also, depth)?;
        Ok(followed.map(|()| Applied { flags: thing.flags.clone(), ..applied }))
    }

    /// Whether each deadline that runs from now on ends some time: one without an end would bind nobody, and say nothing.
    fn endless(&self, state: &dyn State, before: &Thing, thing: &Thing, of: &str) -> Decided<()> {
        let (old, new) = (self.looking(state, before), self.looking(state, thing));
        let is = |environment, due| due::course(environment, due) == due::Course::Endless;
        let begun = self.case.dues.iter().filter(|due| is(&new, due) && !is(&old, due));
        let refused = begun.map(|due| {
            let what = format!("due.{}", due.name);
            let rule = format!("{of}/due-{}", due.name);
            self.reason(&rule, Some(&due.law), Refusal::Unknown { what })
        });
        let refused: Vec<_> = refused.collect();
        old.check()?;
        new.check()?;
        Ok(if refused.is_empty() { Ok(()) } else { Err(refused) })
    }

    fn inside(
        &self,
        overlay: &mut Overlay<'_>,
        thing: &mut Thing,
        act: &Act,
        made: Made<'_>,
        out: &mut Out,
        depth: usize,
    ) -> Decided<()> {
        let Made { document, doc, signed } = made;
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
            out.numbers.push(given);
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
        let turn = self.turn(&environment, act, &mut refused)?;
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
        let planned = {
            let there: &Thing = thing;
            let state: &Overlay<'_> = overlay;
            let environment = |x: Option<Value>| {
                let mut environment = self.environment(state, Some(there), document, doc.clone());
                environment.counts.extend(x.map(|x| ("x", x)));
                environment
            };
            self.plan(environment, act, &mut refused)?
        };
        if !refused.is_empty() {
            return Ok(Err(refused));
        }
        out.planned.extend(planned);
        thing.did(&act.name, self.lodged);
        self.take_form(thing, act, &doc);
        if let Some(document) = document.filter(|_| signed) {
            self.take_document(thing, act, document);
        }
        due::record(self.case, thing, &act.name, self.lodged);
        let extends = |due: &&Due| due.extend.as_ref().is_some_and(|e| e.act == act.name);
        for due in self.case.dues.iter().filter(extends) {
            let environment = self.environment(overlay, Some(&*thing), document, doc.clone());
            let sum = due::extension(&environment, due);
            environment.check()?;
            drop(environment);
            match sum {
                Ok(sum) => drop(thing.extended.insert(due.name.clone(), sum)),
                Err(why) => {
                    let rule = format!("{}/extend", act.name);
                    refused.push(self.reason(&rule, Some(&due.law), why));
                }
            }
        }
        if !refused.is_empty() {
            return Ok(Err(refused));
        }
        for due in &self.case.dues {
            if due.until.contains(&act.name) {
                let generation = due::generation(thing, due);
                thing.over.insert(due.name.clone(), generation);
            }
        }
        let to = match self.take_turn(overlay, thing, act, turn, document, to)? {
            Ok(to) => to,
            Err(reasons) => return Ok(Err(reasons)),
        };
        if let Some(to) = to
            && let Err(reasons) = self.enter(overlay, thing, &to, out, depth)?
        {
            return Ok(Err(reasons));
        }
        match (vote, act.special.change.as_ref().and_then(|one| self.case.round(&one.round))) {
            (Some(vote), _) => self.vote(overlay, thing, act, (&vote, &doc), document, out, depth),
            (None, Some(round)) => self.settle(overlay, thing, round, out, depth),
            (None, None) => Ok(Ok(())),
        }
    }

    /// Keeps of a form what formulas read later.
    fn take_form(&self, thing: &mut Thing, act: &Act, doc: &Value) {
        let Value::Map(fields) = doc else { return };
        let whole = self.case.live.contains(&(act.name.clone(), String::new()));
        let live =
            |name: &str| whole || self.case.live.contains(&(act.name.clone(), name.to_owned()));
        let kept = fields.iter().filter(|(name, _)| live(name));
        let kept: BTreeMap<_, _> =
            kept.map(|(name, value)| (name.clone(), value.clone())).collect();
        thing.filed.insert(act.name.clone(), kept);
    }

    /// Keeps who has made an act, and by which document.
    fn take_document(&self, thing: &mut Thing, act: &Act, document: &Document) {
        let signer = document.signer();
        thing.authors.entry(act.name.clone()).or_default().push(signer.name.clone());
        thing.documents.insert(act.name.clone(), document.id.to_string());
        match document.filing().and_then(|filing| filing.behalf.as_ref()) {
            Some(behalf) => {
                let by = document.hand().name;
                thing.hands.insert(act.name.clone(), ByHand { by, how: behalf.how });
            }
            None => drop(thing.hands.remove(&act.name)),
        }
        if !thing.people.contains(&signer.name) {
            thing.people.push(signer.name);
        }
    }

    pub(crate) fn end(
        &self,
        overlay: &mut Overlay<'_>,
        thing: &mut Thing,
        ending: &Ending,
        of: &str,
        out: &mut Out,
        depth: usize,
    ) -> Decided<()> {
        match ending {
            Ending::Breach => {
                thing.flags.push(format!("breach/{of}"));
                Ok(Ok(()))
            }
            Ending::State(state) => self.enter(overlay, thing, state, out, depth),
            Ending::Act(name) => match self.case.act(name) {
                Some(act) => {
                    // No document makes it, and it is held to what it needs all the same.
                    let (refused, flags) = {
                        let environment =
                            self.environment(overlay, Some(&*thing), None, Value::None);
                        let found = self.needs(&environment, act);
                        environment.check()?;
                        found
                    };
                    if !refused.is_empty() {
                        return Ok(Err(refused));
                    }
                    thing.flags.extend(flags);
                    self.inside(overlay, thing, act, Made::NOTHING, out, depth + 1)
                }
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
                // What is not there is no part of a number.
                Ok(Value::None) => {
                    let what = Why::Missing(placed.formula.text().to_owned()).to_string();
                    let rule = format!("number-{}", number.name);
                    return Ok(Err(vec![self.reason(&rule, None, Refusal::Unknown { what })]));
                }
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
    pub(crate) fn keep(
        &self,
        overlay: &mut Overlay<'_>,
        thing: &mut Thing,
        numbers: Vec<String>,
    ) -> Result<Applied, StateError> {
        let key = Thing::key(self.module.name(), &self.case.name, self.id);
        // Under what it was found, also where it went over to another version since.
        let (module, case) = (self.module.name(), &self.case.name);
        let mut before = Vec::from_iter(Thing::stored(overlay, module, case, self.id)?);
        before.extend(Thing::get(overlay, module, case, self.id)?);
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
        let found = self.case.indexes.iter().flat_map(|(name, placed)| {
            let values = match placed.formula.value(&environment) {
                Value::None | Value::Unknown(_) => Vec::new(),
                Value::List(list) => list.iter().map(ToString::to_string).collect(),
                value => vec![value.to_string()],
            };
            values.into_iter().map(move |value| (format!("by-{name}"), value))
        });
        let found: Vec<_> = found.collect();
        environment.check()?;
        drop(environment);
        thing.found = found;
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
            behalf: None,
            also: Vec::new(),
        })
    }

    /// Under what a thing is found.
    fn indexed<'t>(&self, thing: &'t Thing) -> Vec<(&'t str, String)> {
        let state = ("state", thing.state.clone());
        let people = thing.people.iter().map(|who| ("who", who.clone()));
        let parent = thing.parent.iter().map(|parent| ("parent", parent.thing.clone()));
        let own = thing.found.iter().map(|(name, value)| (name.as_str(), value.clone()));
        std::iter::once(state).chain(people).chain(parent).chain(own).collect()
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
            let next = self.next_due(&environment, thing).map(|(end, _)| end);
            environment.check()?;
            // What is owed to members of a roll comes as if it had been due since then.
            let owed = mechanism::first_owed(overlay, self.module.name(), self.id)?;
            next.into_iter().chain(owed.map(|(_, owed)| Instant(owed.at))).min()
        };
        match next {
            None => overlay.delete(own),
            Some(end) => {
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

/// What acts give beside the thing that they move: numbers, and what is to follow.
#[derive(Default)]
pub(crate) struct Out {
    numbers: Vec<String>,
    planned: Vec<Planned>,
}

/// The key of a place in the order of deadlines.
pub(crate) fn at_key(place: &str) -> Key {
    Key::new(Family::Due, "").id(place)
}

/// Several texts as one, so that no two lists give the same.
pub(crate) fn cbor_text(parts: &[String]) -> String {
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
