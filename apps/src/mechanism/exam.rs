//! Exams: a paper drawn and sealed until its time, answers taken in time, marks by two and a third, grades, and grades made again
//! when a key was wrong: tried first, and then done for all in one decision.

use std::{cell::Cell, collections::BTreeMap};

use chancery_crypto::{Digest, Hasher, cbor};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::registry::{self, Fields};
use crate::{
    case::{Decided, Deciding},
    civil::{Instant, Period},
    input::Document,
    kernel::{decisions, head},
    manifest::{Exam, Placed},
    reason::{MechanismRefusal as Mine, Refusal},
    state::{Family, Key, Overlay, State, StateError},
    thing::Thing,
    value::{Value, Why},
};

/// What is done with an exam, with the values that it has.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    Paper,
    Answer(Vec<String>),
    Mark { part: String, points: u32 },
    Grade,
    Regrade,
}

/// A paper: its items, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paper {
    /// The items, by their keys in the registry.
    pub items: Vec<String>,
    /// When it is opened, in seconds since 1970 UTC.
    pub opens: i64,
    /// From what it was drawn: the digest of the module's state before.
    pub seed: Digest,
    /// Over how many decisions of the ledger.
    pub decisions: u64,
}

/// A paper as it may be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaperSeen {
    /// Nobody sees it yet; it is that of this digest.
    Sealed {
        /// Until when, in seconds since 1970 UTC.
        until: i64,
        /// What it is known by: over its items and the seed, which nobody can guess from the items alone.
        digest: Digest,
    },
    /// It is open.
    Open(Paper),
}

/// A grade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grade {
    /// The points, of all parts.
    pub points: Value,
    /// Whether it is passed.
    pub passed: bool,
    /// The digest of the keys by which it was marked.
    pub keys: Digest,
}

/// What a candidate has handed in, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Whose.
    pub who: String,
    /// The answers, in the order of the paper.
    pub answers: Vec<String>,
    /// Until when he may answer, in seconds since 1970 UTC.
    pub until: i64,
    /// Of each part, who has marked it how, in that order.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub marks: BTreeMap<String, Vec<(String, u32)>>,
    /// The grade, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<Grade>,
}

/// A grade that is another by other keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regraded {
    /// Of which script.
    pub script: String,
    /// Whose.
    pub who: String,
    /// What it was.
    pub before: Grade,
    /// What it is, or would be.
    pub after: Grade,
}

/// The most items of a bank, scripts of a sitting, answers, bytes of one, and steps of the formulas over items.
const MOST_ITEMS: usize = 10_000;
const MOST_STEPS: u64 = 5_000_000;
const MOST_SCRIPTS: usize = 2_000;
const MOST_ANSWERS: usize = 1_000;
const MOST_ANSWER: usize = 4_000;

fn family(module: &str, exam: &Exam, value: &str) -> Key {
    Key::new(Family::Exam, module).name(&exam.name).value(value)
}

pub(super) fn read<T: serde::de::DeserializeOwned>(
    state: &dyn State,
    key: &Key,
) -> Result<Option<T>, StateError> {
    let found = state.get(key)?;
    let decode = |bytes: Vec<u8>| cbor::decode_within(&bytes, bytes.len());
    found.map(|bytes| decode(bytes).map_err(StateError::damaged)).transpose()
}

fn put<T: Serialize>(overlay: &mut Overlay<'_>, key: Key, value: &T) {
    overlay.put(key, cbor::encode(value).expect("what is not known is not kept"));
}

pub(super) fn paper_key(module: &str, exam: &Exam, sitting: &str) -> Key {
    family(module, exam, "paper").id(sitting)
}

pub(super) fn script_key(module: &str, exam: &Exam, sitting: &str, script: &str) -> Key {
    family(module, exam, &format!("script/{sitting}")).id(script)
}

fn tries(module: &str, exam: &Exam, who: &str) -> Key {
    family(module, exam, &format!("try/{who}"))
}

pub(super) fn scripts(
    state: &dyn State,
    module: &str,
    exam: &Exam,
    sitting: &str,
) -> Result<Vec<(String, Script)>, StateError> {
    let rows = state.scan(&script_key(module, exam, sitting, ""), "", MOST_SCRIPTS)?;
    let decode = |bytes: &[u8]| cbor::decode_within(bytes, bytes.len());
    let each = rows
        .into_iter()
        .map(|(key, bytes)| Ok((key.id, decode(&bytes).map_err(StateError::damaged)?)));
    each.collect()
}

/// The points of a part: the mean of two marks that do not differ by more than may be, or the third.
fn settled(marks: &[(String, u32)], differ: u32) -> Option<Decimal> {
    match marks {
        [(_, a), (_, b)] if a.abs_diff(*b) <= differ => {
            Decimal::from(u64::from(*a) + u64::from(*b)).checked_div(Decimal::TWO)
        }
        [_, _, (_, third)] => Some(Decimal::from(*third)),
        _ => None,
    }
}

/// An exam at work.
pub(super) struct Working<'a, 'd> {
    pub deciding: &'a Deciding<'d>,
    pub exam: &'a Exam,
    /// What formulas over items have taken together.
    pub steps: Cell<u64>,
}

impl Working<'_, '_> {
    fn module(&self) -> &str {
        self.deciding.module.name()
    }

    /// The registry's items that are valid on the day on which the paper opens, by their keys.
    fn bank(
        &self,
        state: &dyn State,
        opens: i64,
    ) -> Result<Option<BTreeMap<String, Fields>>, StateError> {
        let day = self.deciding.module.zone.date(Instant(opens));
        registry::all_on(state, self.module(), &self.exam.items, day, MOST_ITEMS)
    }

    fn of_item(
        &self,
        state: &dyn State,
        placed: &Placed,
        item: &Fields,
    ) -> Result<Value, StateError> {
        let mut environment = self.deciding.environment(state, None, None, Value::None);
        environment.counts.insert("item", Value::Map(item.clone()));
        let spent = self.steps.get();
        if spent > MOST_STEPS {
            return Ok(Value::Unknown(Why::Cost));
        }
        let value = placed.formula.value(&environment);
        self.steps.set(spent.saturating_add(environment.steps.get()));
        environment.check()?;
        Ok(value)
    }

    /// A formula of a thing of the exam.
    fn of_thing(
        &self,
        state: &dyn State,
        (case, id): (&str, &str),
        placed: &Placed,
    ) -> Result<Value, StateError> {
        let found = self.deciding.module.cases.get(case);
        let thing = Thing::get(state, self.module(), case, id)?;
        let (Some(case), Some(thing)) = (found, thing) else { return Ok(Value::None) };
        let other = Deciding { case, id, ..self.deciding.clone() };
        let environment = other.looking(state, &thing);
        let value = placed.formula.value(&environment);
        environment.check()?;
        Ok(value)
    }

    /// Draws the paper of a sitting: of each part so many items, by an order that the ledger's own past gives.
    fn draw(&self, overlay: &mut Overlay<'_>) -> Result<Result<(), Refusal>, StateError> {
        let sitting = self.deciding.id;
        let key = paper_key(self.module(), self.exam, sitting);
        if overlay.get(&key)?.is_some() {
            return Ok(Err(Refusal::Mechanism(Mine::PaperDrawn)));
        }
        let opens = match self.of_thing(overlay, (&self.exam.sitting, sitting), &self.exam.opens)? {
            Value::Instant(at) => at.0,
            other => return Ok(Err(Refusal::Unknown { what: format!("opens: {other}") })),
        };
        if opens <= self.deciding.lodged.0 {
            return Ok(Err(Refusal::Mechanism(Mine::TooLate { until: opens })));
        }
        let seed = head(overlay, self.module())?.digest;
        let Some(bank) = self.bank(overlay, opens)? else { return Ok(Err(Refusal::Cost)) };
        let mut items: Vec<String> = Vec::new();
        for part in &self.exam.blueprint {
            let mut fits = Vec::new();
            for (record, item) in bank.iter().filter(|(record, _)| !items.contains(record)) {
                match self.of_item(overlay, &part.which, item)? {
                    Value::Bool(true) => {
                        let mut hasher = Hasher::new();
                        hasher.update(b"chancery/1 paper\0");
                        hasher.update(seed.as_bytes());
                        for text in [sitting, &part.name, record] {
                            hasher.update(&(text.len() as u64).to_be_bytes());
                            hasher.update(text.as_bytes());
                        }
                        fits.push((hasher.finish(), record.clone()));
                    }
                    Value::Bool(false) => {}
                    other => {
                        return Ok(Err(Refusal::Unknown { what: format!("{record}: {other}") }));
                    }
                }
            }
            let n = part.n as usize;
            if fits.len() < n {
                let (part, there) = (part.name.clone(), fits.len() as u64);
                return Ok(Err(Refusal::Mechanism(Mine::Bank { part, wanted: n as u64, there })));
            }
            fits.sort();
            items.extend(fits.into_iter().take(n).map(|(_, record)| record));
        }
        put(overlay, key, &Paper { items, opens, seed, decisions: decisions(&*overlay)? });
        Ok(Ok(()))
    }

    fn sitting(&self, state: &dyn State) -> Result<Option<String>, StateError> {
        let thing = Thing::get(state, self.module(), &self.exam.script, self.deciding.id)?;
        Ok(thing.and_then(|thing| thing.parent).map(|parent| parent.thing))
    }

    /// Takes the answers of a candidate, as long as there is time; those that come later hold.
    fn answer(
        &self,
        overlay: &mut Overlay<'_>,
        answers: Vec<String>,
    ) -> Result<Result<(), Refusal>, StateError> {
        let refused = |why| Ok(Err(Refusal::Mechanism(why)));
        let (exam, id) = (self.exam, self.deciding.id);
        let Some(sitting) = self.sitting(overlay)? else { return refused(Mine::NoPaper) };
        let paper: Option<Paper> = read(&*overlay, &paper_key(self.module(), exam, &sitting))?;
        let Some(paper) = paper else { return refused(Mine::NoPaper) };
        if self.deciding.lodged.0 < paper.opens {
            return refused(Mine::TooEarly { from: paper.opens });
        }
        let script = (exam.script.as_str(), id);
        let mut seconds = 0i64;
        for placed in [Some(&exam.time), exam.extra_time.as_ref()].into_iter().flatten() {
            let length = match self.of_thing(overlay, script, placed)? {
                Value::Period(period) => period.seconds(),
                Value::Text(text) => text.parse::<Period>().ok().and_then(|p| p.seconds()),
                _ => None,
            };
            let Some(length) = length.filter(|length| *length >= 0) else {
                let what = placed.formula.text().to_owned();
                return Ok(Err(Refusal::Unknown { what }));
            };
            seconds = seconds.saturating_add(length);
        }
        let until = paper.opens.saturating_add(seconds);
        if self.deciding.lodged.0 >= until {
            return refused(Mine::TooLate { until });
        }
        let long = answers.len() > MOST_ANSWERS || answers.iter().any(|a| a.len() > MOST_ANSWER);
        if long || answers.len() > paper.items.len() {
            return Ok(Err(Refusal::Field { field: "answers".into() }));
        }
        let who = match self.of_thing(overlay, script, &exam.candidate)? {
            Value::Text(who) => who,
            other => return Ok(Err(Refusal::Unknown { what: format!("candidate: {other}") })),
        };
        let key = script_key(self.module(), exam, &sitting, id);
        let known: Option<Script> = read(&*overlay, &key)?;
        if known.is_none() {
            if let Err(why) = self.may_sit(overlay, &who)? {
                return Ok(Err(why));
            }
            put(overlay, tries(self.module(), exam, &who).id(id), &sitting);
        } else if known.is_some_and(|known| known.who != who || known.grade.is_some()) {
            return refused(Mine::Graded);
        }
        put(overlay, key, &Script { who, answers, until, marks: BTreeMap::new(), grade: None });
        Ok(Ok(()))
    }

    /// Whoever has passed does not sit again, nor does whoever waits for his grade, or has failed too often.
    fn may_sit(&self, state: &dyn State, who: &str) -> Result<Result<(), Refusal>, StateError> {
        let most = self.exam.resit.as_ref().map_or(0, |(most, _)| *most);
        let before = state.scan(&tries(self.module(), self.exam, who), "", MOST_SCRIPTS)?;
        if before.len() > most as usize {
            return Ok(Err(Refusal::Mechanism(Mine::Tries { most })));
        }
        for (key, bytes) in before {
            let sitting: String = cbor::decode(&bytes).map_err(StateError::damaged)?;
            let key = script_key(self.module(), self.exam, &sitting, &key.id);
            let script: Option<Script> = read(state, &key)?;
            match script.and_then(|script| script.grade) {
                None => return Ok(Err(Refusal::Mechanism(Mine::NotGraded))),
                Some(grade) if grade.passed => {
                    return Ok(Err(Refusal::Mechanism(Mine::Passed)));
                }
                Some(_) => {}
            }
        }
        Ok(Ok(()))
    }

    fn mark(
        &self,
        overlay: &mut Overlay<'_>,
        (part, points): (&str, u32),
        document: Option<&Document>,
    ) -> Result<Result<(), Refusal>, StateError> {
        let refused = |why| Ok(Err(Refusal::Mechanism(why)));
        let Some(sitting) = self.sitting(overlay)? else { return refused(Mine::NoPaper) };
        let key = script_key(self.module(), self.exam, &sitting, self.deciding.id);
        let script: Option<Script> = read(&*overlay, &key)?;
        let Some(mut script) = script else { return refused(Mine::NotAnswered) };
        if script.grade.is_some() {
            return refused(Mine::Graded);
        }
        if self.deciding.lodged.0 < script.until {
            return refused(Mine::TooEarly { from: script.until });
        }
        let marks = self.exam.marks.iter().find(|marks| marks.name == part);
        let (Some(marks), Some(document)) = (marks, document) else {
            return Ok(Err(Refusal::Field { field: "part".into() }));
        };
        if points > marks.most {
            return refused(Mine::Points { most: marks.most });
        }
        let who = document.signer().name;
        let given = script.marks.entry(part.to_owned()).or_default();
        if given.iter().any(|(known, _)| *known == who) || who == script.who {
            return refused(Mine::MarkedBefore { who });
        }
        if settled(given, marks.differ).is_some() {
            return refused(Mine::Settled { part: part.to_owned() });
        }
        given.push((who, points));
        put(overlay, key, &script);
        Ok(Ok(()))
    }

    /// What a script comes to by the keys, or what of it is not settled.
    fn grade(
        &self,
        state: &dyn State,
        paper: &[Keyed],
        script: &Script,
    ) -> Result<Result<Grade, Refusal>, StateError> {
        let right =
            paper.iter().zip(&script.answers).filter(|((_, key, _), answer)| key == *answer);
        let mut points = Some(Decimal::ZERO);
        for ((.., of), _) in right {
            points = points.and_then(|points| points.checked_add(*of));
        }
        for marks in &self.exam.marks {
            let given = script.marks.get(&marks.name).map(Vec::as_slice).unwrap_or_default();
            let Some(part) = settled(given, marks.differ) else {
                let what = format!("{}: {}", script.who, marks.name);
                return Ok(Err(Refusal::Mechanism(Mine::NotSettled { what })));
            };
            points = points.and_then(|points| points.checked_add(part));
        }
        let Some(points) = points else {
            return Ok(Err(Refusal::Unknown { what: format!("{}: points", script.who) }));
        };
        let points = Value::Decimal(points.normalize());
        let mut environment = self.deciding.environment(state, None, None, Value::None);
        environment.counts.insert("score", points.clone());
        let passed = self.exam.pass.formula.value(&environment);
        environment.check()?;
        let Value::Bool(passed) = passed else {
            return Ok(Err(Refusal::Unknown { what: format!("pass: {passed}") }));
        };
        let keys: Vec<_> =
            paper.iter().map(|(item, key, of)| (item, key, of.to_string())).collect();
        let keys = Digest::of(&cbor::encode(&keys).expect("texts"));
        Ok(Ok(Grade { points, passed, keys }))
    }

    /// The items of a paper with their keys and points as they are known now, or as they would be.
    fn keys(
        &self,
        state: &dyn State,
        paper: &Paper,
        instead: &BTreeMap<String, String>,
    ) -> Result<Result<Vec<Keyed>, Refusal>, StateError> {
        let Some(bank) = self.bank(state, paper.opens)? else { return Ok(Err(Refusal::Cost)) };
        let mut found = Vec::new();
        for record in &paper.items {
            let unknown =
                |what: &str| Ok(Err(Refusal::Unknown { what: format!("{record}: {what}") }));
            let Some(item) = bank.get(record) else { return unknown("item") };
            let key = match instead.get(record) {
                Some(key) => key.clone(),
                None => match self.of_item(state, &self.exam.key, item)? {
                    Value::Text(key) => key,
                    other => return unknown(&other.to_string()),
                },
            };
            let points = self.of_item(state, &self.exam.points, item)?;
            let Some(points) = points.number() else { return unknown("points") };
            found.push((record.clone(), key, points));
        }
        Ok(Ok(found))
    }

    /// The grades of all scripts of a sitting.
    pub(super) fn grades(
        &self,
        state: &dyn State,
        sitting: &str,
        instead: &BTreeMap<String, String>,
    ) -> Result<Result<Vec<Graded>, Refusal>, StateError> {
        let paper: Option<Paper> = read(state, &paper_key(self.module(), self.exam, sitting))?;
        let Some(paper) = paper else { return Ok(Err(Refusal::Mechanism(Mine::NoPaper))) };
        let keys = match self.keys(state, &paper, instead)? {
            Ok(keys) => keys,
            Err(why) => return Ok(Err(why)),
        };
        let all = scripts(state, self.module(), self.exam, sitting)?;
        if all.len() == MOST_SCRIPTS {
            return Ok(Err(Refusal::Cost));
        }
        let mut found = Vec::new();
        for (id, script) in all {
            if self.deciding.lodged.0 < script.until {
                return Ok(Err(Refusal::Mechanism(Mine::TooEarly { from: script.until })));
            }
            match self.grade(state, &keys, &script)? {
                Ok(grade) => found.push((id, script, grade)),
                Err(why) => return Ok(Err(why)),
            }
        }
        Ok(Ok(found))
    }

    /// Grades all scripts of a sitting; again, those whose grade is another.
    fn grade_all(
        &self,
        overlay: &mut Overlay<'_>,
        again: bool,
    ) -> Result<Result<(), Refusal>, StateError> {
        let sitting = self.deciding.id;
        let all = match self.grades(overlay, sitting, &BTreeMap::new())? {
            Ok(all) => all,
            Err(why) => return Ok(Err(why)),
        };
        let mut changed = Vec::new();
        for (id, mut script, grade) in all {
            match (script.grade.take(), again) {
                (None, true) => return Ok(Err(Refusal::Mechanism(Mine::NotGraded))),
                (Some(_), false) => return Ok(Err(Refusal::Mechanism(Mine::Graded))),
                (Some(before), true) if before == grade => continue,
                (Some(before), true) => {
                    let (script, who, after) = (id.clone(), script.who.clone(), grade.clone());
                    if (&before.points, before.passed) != (&after.points, after.passed) {
                        changed.push(Regraded { script, who, before, after });
                    }
                }
                (None, false) => {}
            }
            script.grade = Some(grade);
            put(overlay, script_key(self.module(), self.exam, sitting, &id), &script);
        }
        if again {
            let key = family(self.module(), self.exam, &format!("again/{sitting}"));
            let number = overlay.scan(&key, "", MOST_SCRIPTS)?.len();
            put(overlay, key.id(&format!("{number:06}")), &changed);
        }
        Ok(Ok(()))
    }
}

/// An item of a paper, its right answer and its points.
type Keyed = (String, String, Decimal);

/// A script by its thing, and the grade that it comes to.
pub(super) type Graded = (String, Script, Grade);

pub(super) fn run(
    deciding: &Deciding<'_>,
    overlay: &mut Overlay<'_>,
    rule: &str,
    (exam, deed): (&str, Deed),
    document: Option<&Document>,
) -> Decided<()> {
    let gone = || StateError::damaged("an exam that was checked is gone");
    let exam = deciding.module.exams.get(exam).ok_or_else(gone)?;
    let working = Working { deciding, exam, steps: Cell::new(0) };
    let law = match &deed {
        Deed::Regrade => exam.regrade.as_ref(),
        Deed::Mark { part, .. } => {
            exam.marks.iter().find(|marks| marks.name == *part).map(|marks| &marks.law)
        }
        _ => None,
    };
    let done = match deed {
        Deed::Paper => working.draw(overlay)?,
        Deed::Answer(answers) => working.answer(overlay, answers)?,
        Deed::Mark { part, points } => working.mark(overlay, (&part, points), document)?,
        Deed::Grade => working.grade_all(overlay, false)?,
        Deed::Regrade => working.grade_all(overlay, true)?,
    };
    let resit = exam.resit.as_ref().map(|(_, law)| law);
    Ok(done.map_err(|why| {
        let again =
            matches!(why, Refusal::Mechanism(Mine::Tries { .. } | Mine::Passed | Mine::NotGraded));
        let law = law.or(resit.filter(|_| again)).unwrap_or(&exam.law);
        vec![deciding.reason(rule, Some(law), why)]
    }))
}
