//! Reports: figures over what a module keeps, stated as of a day. A statement is never changed: made again for the same day, it is
//! another edition beside the first, with what differs.

use std::collections::{BTreeMap, BTreeSet};

use chancery_crypto::{Digest, cbor};
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};

use super::{
    registry,
    suppress::{Hidden, suppress},
};
use crate::{
    case::{Decided, Deciding},
    civil::{Date, Instant},
    environment::CaseEnvironment,
    input::Document,
    kernel::{Coming, Kernel, decisions, head},
    manifest::{Figure, Measure, Report},
    reading::Reader,
    reason::Refusal,
    state::{Family, Key, Overlay, State, StateError},
    thing::Thing,
    value::{Value, Why},
};

/// The figures of one group, or of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// By what it is a group; nothing of all.
    pub group: Vec<String>,
    /// How many there are; none where that is not shown.
    pub size: Option<u64>,
    /// The figures, by name; none where one is not shown.
    pub figures: BTreeMap<String, Option<Value>>,
}

/// A figure that is another than in the edition before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restated {
    /// Of which group.
    pub group: Vec<String>,
    /// Which figure; none of how many there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figure: Option<String>,
    /// What it was; none where it was not there, or not shown.
    pub before: Option<Value>,
    /// What it is.
    pub after: Option<Value>,
}

/// What a report states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sheet {
    /// The report.
    pub report: String,
    /// The version of the module that has declared it.
    pub version: Digest,
    /// As of which day.
    pub as_of: Date,
    /// Which edition for that day, from 1 on.
    pub edition: u32,
    /// Over how many decisions of the ledger, and the digest of the module's state after them.
    pub decisions: u64,
    /// The digest of the module's state.
    pub state: Digest,
    /// When it was made, in seconds since 1970 UTC.
    pub at: i64,
    /// By whom; none where a deadline had it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// By which document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// Whether anybody may read it.
    pub public: bool,
    /// The figures by groups, in their order.
    pub lines: Vec<Line>,
    /// The figures of all.
    pub total: Line,
    /// The edition that it restates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restates: Option<Digest>,
    /// What is otherwise than there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Restated>,
}

impl Sheet {
    /// What it is known by.
    pub fn digest(&self) -> Digest {
        Digest::of(&cbor::encode(self).expect("what is not known is not kept"))
    }

    /// Whether somebody may read it: anybody what is public, and else whoever has made it.
    pub fn readable(&self, who: &Reader) -> bool {
        match who {
            Reader::Full => true,
            Reader::Named(name) => self.public || self.by.as_ref() == Some(name),
            Reader::Public => self.public,
        }
    }

    fn line(&self, group: &[String]) -> Option<&Line> {
        self.lines.iter().find(|line| line.group == group)
    }
}

/// A thing to which a figure leads, as far as whoever asks may read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drilled {
    /// The thing.
    pub thing: String,
    /// The fields that the report names.
    pub fields: BTreeMap<String, Value>,
}

/// The most things or records that a report goes through, groups that it has, editions for one day, and steps that it takes.
const MOST_ROWS: usize = 10_000;
const MOST_GROUPS: usize = 1_000;
const MOST_EDITIONS: usize = 1_000;
const MOST_STEPS: u64 = 5_000_000;

fn key(module: &str, report: &str, as_of: Date) -> Key {
    Key::new(Family::Report, module).name(report).value(&as_of.to_string())
}

/// The editions of a report for a day, oldest first.
///
/// # Errors
/// [`StateError`].
pub fn statements(
    state: &dyn State,
    module: &str,
    report: &str,
    as_of: Date,
) -> Result<Vec<Sheet>, StateError> {
    let rows = state.scan(&key(module, report, as_of), "", MOST_EDITIONS)?;
    let decode = |bytes: &[u8]| cbor::decode_within(bytes, bytes.len());
    rows.into_iter().map(|(_, bytes)| decode(&bytes).map_err(StateError::damaged)).collect()
}

/// What was gathered of one group.
#[derive(Debug, Clone, Default)]
struct Tally {
    size: u64,
    /// Of each figure, of how many it is made, and what it comes to.
    figures: Vec<(u64, Option<Value>)>,
}

impl Tally {
    fn add(&mut self, measures: &[(Figure, Value)]) -> Result<(), Why> {
        self.size += 1;
        self.figures.resize(measures.len(), (0, None));
        for ((count, sum), (how, value)) in self.figures.iter_mut().zip(measures) {
            match (how, value) {
                (Figure::Count | Figure::Share, value) => {
                    *count += u64::from(*value == Value::Bool(true))
                }
                (_, Value::None) => {}
                (how, value) => {
                    *count += 1;
                    *sum = Some(match sum.take() {
                        None => value.clone(),
                        Some(before) => joined(*how, before, value)?,
                    });
                }
            }
        }
        Ok(())
    }

    /// The figures of it, without those that are not shown.
    fn line(&self, group: Vec<String>, report: &Report, sizes: bool, details: bool) -> Line {
        let figures = report.measures.iter().zip(&self.figures).map(|(measure, (count, sum))| {
            let value = match measure.how {
                Figure::Count => Value::Int((*count).into()),
                Figure::Share => share(*count, self.size),
                Figure::Sum => sum.clone().unwrap_or(Value::Int(0)),
                Figure::Min | Figure::Max => sum.clone().unwrap_or(Value::None),
            };
            (measure.name.clone(), (!details).then_some(value))
        });
        Line { group, size: (!sizes).then_some(self.size), figures: figures.collect() }
    }
}

/// Of a hundred, to the second place, half up.
fn share(count: u64, of: u64) -> Value {
    let hundred = Decimal::from(count).checked_mul(Decimal::ONE_HUNDRED);
    let share = hundred.and_then(|hundred| hundred.checked_div(Decimal::from(of)));
    let round = |n: Decimal| n.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
    share.map_or(Value::None, |share| Value::Decimal(round(share).normalize()))
}

fn joined(how: Figure, before: Value, value: &Value) -> Result<Value, Why> {
    if how != Figure::Sum {
        let order = value.order(&before).ok_or_else(|| Why::Kinds(value.kind().to_owned()))?;
        let better = if how == Figure::Min { order.is_lt() } else { order.is_gt() };
        return Ok(if better { value.clone() } else { before });
    }
    let sum = match (&before, value) {
        (Value::Int(a), Value::Int(b)) => a.checked_add(*b).map(Value::Int),
        (Value::Money(a), Value::Money(b)) => a.checked_add(*b).map(Value::Money),
        (a, b) => {
            a.number().zip(b.number()).and_then(|(a, b)| a.checked_add(b)).map(Value::Decimal)
        }
    };
    sum.ok_or_else(|| Why::NoResult("sum".into()))
}

/// A row that is counted: by what it is grouped, and what it gives to each figure. Nothing of one that is left out.
type Counted = Option<(Vec<String>, Vec<(Figure, Value)>)>;

fn counted(report: &Report, row: &CaseEnvironment<'_>) -> Result<Counted, Why> {
    let truth = |placed: &crate::manifest::Placed| match placed.formula.value(row) {
        Value::Bool(yes) => Ok(yes),
        Value::Unknown(why) => Err(why),
        _ => Err(Why::Missing(placed.formula.text().to_owned())),
    };
    if let Some(which) = &report.which
        && !truth(which)?
    {
        return Ok(None);
    }
    let mut group = Vec::new();
    for (_, placed) in &report.groups {
        match placed.formula.value(row) {
            Value::Unknown(why) => return Err(why),
            Value::None => return Err(Why::Missing(placed.formula.text().to_owned())),
            value => group.push(value.to_string()),
        }
    }
    let mut figures = Vec::new();
    for Measure { how, of, .. } in &report.measures {
        let value = match how {
            Figure::Count | Figure::Share => Value::Bool(truth(of)?),
            _ => match of.formula.value(row) {
                Value::Unknown(why) => return Err(why),
                value => value,
            },
        };
        figures.push((*how, value));
    }
    Ok(Some((group, figures)))
}

impl Deciding<'_> {
    /// Has somebody see each thing or record that a report may count for a reader. What he says ends it.
    fn each_counted(
        &self,
        state: &dyn State,
        report: &Report,
        as_of: Date,
        reader: &Reader,
        mut see: impl FnMut(&str, Option<&Thing>, Counted) -> Result<(), Refusal>,
    ) -> Result<Result<(), Refusal>, StateError> {
        let module = self.module.name();
        let mut steps = 0u64;
        let mut judge = |id: &str, thing: Option<&Thing>, mut row: CaseEnvironment<'_>| {
            row.counts.insert("as_of", Value::Date(as_of));
            let found = counted(report, &row);
            steps = steps.saturating_add(row.steps.get());
            row.check()?;
            Ok::<_, StateError>(match found {
                _ if steps > MOST_STEPS => Err(Refusal::Cost),
                Ok(found) => see(id, thing, found),
                Err(Why::Cost) => Err(Refusal::Cost),
                Err(why) => Err(Refusal::Unknown { what: format!("{id}: {why}") }),
            })
        };
        if let Some(registry) = self.module.registries.get(&report.of) {
            let all = registry::all(module, &registry.name);
            let rows = state.scan(&all, "", MOST_ROWS + 1)?;
            if rows.len() > MOST_ROWS {
                return Ok(Err(Refusal::Cost));
            }
            for (_, bytes) in rows {
                let record: String = cbor::decode(&bytes).map_err(StateError::damaged)?;
                let found = registry::on(state, module, &registry.name, &record, as_of)?;
                let Some(version) = found else { continue };
                let over = registry::over(self, state, &version.fields);
                // What is sealed is in no count.
                let open = registry
                    .seals
                    .iter()
                    .all(|seal| seal.when.formula.value(&over) == Value::Bool(false));
                over.check()?;
                if open && let Err(why) = judge(&record, None, over)? {
                    return Ok(Err(why));
                }
            }
            return Ok(Ok(()));
        }
        let gone = || StateError::damaged("a case that was checked is gone");
        let case = self.module.cases.get(&report.of).ok_or_else(gone)?;
        let reading = self.kernel.reading(state, reader, self.home, self.at)?;
        let things = Key::new(Family::Thing, module).name(&case.name);
        let rows = state.scan(&things, "", MOST_ROWS + 1)?;
        if rows.len() > MOST_ROWS {
            return Ok(Err(Refusal::Cost));
        }
        for (key, bytes) in rows {
            let coming = Coming {
                module: module.to_owned(),
                case: case.name.clone(),
                thing: key.id.clone(),
            };
            // What is hidden of a thing is read by nobody's formulas for him either.
            let thing = match report.public && matches!(reader, Reader::Full) {
                true => Some(Thing::decode(&bytes)?),
                false => reading.thing(&coming)?.map(|shown| shown.thing),
            };
            let Some(thing) = thing else { continue };
            let row = Deciding { case, id: &key.id, ..self.clone() };
            let judged = judge(&key.id, Some(&thing), row.looking(state, &thing))?;
            if let Err(why) = judged {
                return Ok(Err(why));
            }
        }
        Ok(Ok(()))
    }
}

/// Makes an edition of a report.
pub(super) fn make(
    deciding: &Deciding<'_>,
    overlay: &mut Overlay<'_>,
    rule: &str,
    (report, as_of): (&str, Date),
    document: Option<&Document>,
) -> Decided<()> {
    let module = deciding.module.name();
    let gone = || StateError::damaged("a report that was checked is gone");
    let report = deciding.module.reports.get(report).ok_or_else(gone)?;
    let refused = |why| Ok(Err(vec![deciding.reason(rule, Some(&report.law), why)]));
    let by = document.map(|document| document.signer().name);
    let reader = match (&by, report.public) {
        (_, true) => Reader::Full,
        (Some(name), false) => Reader::Named(name.clone()),
        (None, false) => Reader::Public,
    };
    let (mut groups, mut total) = (BTreeMap::<Vec<String>, Tally>::new(), Tally::default());
    total.figures.resize(report.measures.len(), (0, None));
    let told = deciding.each_counted(overlay, report, as_of, &reader, |_, _, found| {
        let Some((group, figures)) = found else { return Ok(()) };
        let unknown = |why: Why| Refusal::Unknown { what: why.to_string() };
        total.add(&figures).map_err(unknown)?;
        if !report.groups.is_empty() {
            groups.entry(group).or_default().add(&figures).map_err(unknown)?;
        }
        if groups.len() > MOST_GROUPS { Err(Refusal::Cost) } else { Ok(()) }
    })?;
    if let Err(why) = told {
        return refused(why);
    }
    let before = statements(overlay, module, &report.name, as_of)?;
    if before.len() == MOST_EDITIONS {
        return refused(Refusal::Cost);
    }
    let last = before.last();
    // What was not shown once is not shown later, or two editions together would show it.
    let held = |group: &[String]| {
        let mut lines = before.iter().filter_map(|sheet| sheet.line(group));
        let details = |line: &Line| line.figures.values().any(Option::is_none);
        let size = u8::from(lines.clone().any(|line| line.size.is_none()));
        size * 2 + u8::from(lines.any(details))
    };
    let mut rows: Vec<_> = groups
        .iter()
        .map(|(group, tally)| {
            let counts: Vec<_> = tally.figures.iter().map(|(count, _)| *count).collect();
            (tally.size, counts, held(group))
        })
        .collect();
    if report.groups.is_empty() {
        rows.clear();
    }
    let all: Vec<_> = total.figures.iter().map(|(count, _)| *count).collect();
    let hidden = match report.least {
        Some(least) => suppress(least.into(), &rows, (total.size, &all)),
        None => Hidden::default(),
    };
    let lines = groups.iter().enumerate().map(|(place, (group, tally))| {
        let (sizes, details) = (hidden.sizes.contains(&place), hidden.details.contains(&place));
        tally.line(group.clone(), report, sizes, details)
    });
    let lines: Vec<_> = lines.collect();
    let total = total.line(Vec::new(), report, hidden.total_size, hidden.total_details);
    let known = head(overlay, module)?;
    let sheet = Sheet {
        report: report.name.clone(),
        version: deciding.module.digest(),
        as_of,
        edition: u32::try_from(before.len()).unwrap_or(u32::MAX).saturating_add(1),
        decisions: decisions(overlay)?,
        state: known.digest,
        at: deciding.at.0,
        by,
        document: document.map(|document| document.id.to_string()),
        public: report.public,
        restates: last.map(Sheet::digest),
        changes: last.map(|last| changes(last, &lines, &total)).unwrap_or_default(),
        lines,
        total,
    };
    let key = key(module, &report.name, as_of).id(&format!("{:06}", sheet.edition));
    overlay.put(key, cbor::encode(&sheet).expect("what is not known is not kept"));
    Ok(Ok(()))
}

/// What is otherwise than in the edition before.
fn changes(last: &Sheet, lines: &[Line], total: &Line) -> Vec<Restated> {
    let groups: BTreeSet<&Vec<String>> =
        lines.iter().chain(&last.lines).map(|line| &line.group).collect();
    let now = |group: &[String]| lines.iter().find(|line| line.group == group);
    let pairs = groups.into_iter().map(|group| (last.line(group), now(group)));
    let mut found = Vec::new();
    for (before, after) in pairs.chain([(Some(&last.total), Some(total))]) {
        let Some(group) = before.or(after).map(|line| line.group.clone()) else { continue };
        let size =
            |line: Option<&Line>| line.and_then(|line| line.size).map(|n| Value::Int(n.into()));
        let mut put = |figure: Option<&str>, before: Option<Value>, after: Option<Value>| {
            if before != after {
                let (group, figure) = (group.clone(), figure.map(str::to_owned));
                found.push(Restated { group, figure, before, after });
            }
        };
        put(None, size(before), size(after));
        let names = before.into_iter().chain(after).flat_map(|line| line.figures.keys());
        for name in names.collect::<BTreeSet<_>>() {
            let figure = |line: Option<&Line>| line.and_then(|l| l.figures.get(name)?.clone());
            put(Some(name), figure(before), figure(after));
        }
    }
    found
}

/// The figure of a report, as stories name it: `report/as-of/edition/group/…/figure`, `*` for all groups and `all` for how many.
pub(super) fn shown(
    state: &dyn State,
    module: &str,
    path: &[&str],
) -> Result<Option<String>, StateError> {
    let [report, as_of, edition, group @ .., figure] = path else { return Ok(None) };
    let (Ok(as_of), Ok(edition)) = (as_of.parse(), edition.parse::<u32>()) else { return Ok(None) };
    let all = statements(state, module, report, as_of)?;
    let Some(sheet) = all.iter().find(|sheet| sheet.edition == edition) else { return Ok(None) };
    let group: Vec<String> = group.iter().map(|part| (*part).to_owned()).collect();
    if *figure == "changes" {
        return Ok(Some(sheet.changes.len().to_string()));
    }
    let line = match group.as_slice() {
        [all] if all == "*" => Some(&sheet.total),
        group => sheet.line(group),
    };
    let Some(line) = line else { return Ok(None) };
    let value = match *figure {
        "all" => Some(line.size.map(|size| Value::Int(size.into()))),
        name => line.figures.get(name).cloned(),
    };
    Ok(value.map(|value| value.map_or_else(|| "suppressed".to_owned(), |value| value.to_string())))
}

impl Kernel {
    /// The things that a figure of a report is made of now, as far as a reader may read them: he is shown no more than elsewhere.
    /// None where the report does not lead to them.
    ///
    /// # Errors
    /// [`StateError`].
    #[expect(clippy::too_many_arguments, reason = "they are what is asked")]
    pub fn drill(
        &self,
        state: &dyn State,
        module: &str,
        report: &str,
        group: &[String],
        as_of: Date,
        reader: &Reader,
        home: &str,
        at: Instant,
    ) -> Result<Option<Vec<Drilled>>, StateError> {
        let Some((_, module)) = self.in_force(state, module)? else { return Ok(None) };
        let Some(report) = module.reports.get(report).filter(|one| !one.drill.is_empty()) else {
            return Ok(None);
        };
        let Some(case) = module.cases.get(&report.of) else { return Ok(None) };
        let calendar = self.calendar(state)?;
        let deciding = self.deciding(&module, case, &calendar, home, "", at, at);
        let mut found = Vec::new();
        let told = deciding.each_counted(state, report, as_of, reader, |id, thing, counted| {
            if let (Some(thing), Some((of, _))) = (thing, counted)
                && (group.is_empty() || of == group)
            {
                let shown = |name: &String| Some((name.clone(), thing.set.get(name)?.clone()));
                let fields = report.drill.iter().filter_map(shown).collect();
                found.push(Drilled { thing: id.to_owned(), fields });
            }
            Ok(())
        })?;
        Ok(told.is_ok().then_some(found))
    }
}
