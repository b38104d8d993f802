//! Legal time: which day a term ends on, by the counting rule of its text, and why.
//!
//! The calendar is data: the State Council's order of each year, as a document in the ledger. A term is computed from what it
//! rests on whenever it is asked for, so that a new order moves what runs, and nothing that was decided.

mod term;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use self::term::union;
pub use self::term::{NoEnd, Still};

use serde::{Deserialize, Serialize};

use crate::civil::{Date, Instant, Period, Unit, Zone};

/// How a term is counted. The first day is never counted (Civil Code, article 201).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rule {
    /// Calendar days; a last day that is a day off moves to the next working day (Civil Code, articles 201 to 203).
    #[default]
    Civil,
    /// Days are working days (Administrative Licensing Law, article 82).
    Working,
    /// Terms of 2, 3, 5 and 7 days are working days, longer ones calendar days (Administrative Penalty Law, article 85).
    Penalty,
    /// Calendar days, and the last one stays where it is: a person is in custody (Criminal Procedure Law, article 105).
    Custody,
    /// Calendar days; for each run of three or more days off within a term of days it goes on for as many working days (rules of
    /// the Tax Collection Law, article 109).
    Tax,
}

impl Rule {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Civil, "civil"),
        (Self::Working, "working"),
        (Self::Penalty, "penalty"),
        (Self::Custody, "custody"),
        (Self::Tax, "tax"),
    ];

    /// The rule of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(rule, _)| rule)
    }

    /// Its name in manifests.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(rule, _)| *rule == self).map_or("", |(_, name)| name)
    }

    /// The names of all.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().map(|(_, name)| name)
    }

    /// Whether so many days are counted as working days.
    pub(crate) fn working(self, period: Period) -> bool {
        match (period.unit, self) {
            (Unit::WorkingDay, _) | (Unit::Day, Self::Working) => true,
            (Unit::Day, Self::Penalty) => matches!(period.count, 2 | 3 | 5 | 7),
            _ => false,
        }
    }

    /// Whether a last day that is a day off moves.
    fn rolls(self) -> bool {
        self != Self::Custody
    }
}

/// A run of so many days off within a term lengthens it under [`Rule::Tax`].
const RUN: i32 = 3;

/// The order of a year: which days are off beside weekends, and on which days of weekends people work.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Year {
    /// The text that says so.
    pub source: String,
    /// Days off by the order, those of weekends within them included.
    pub off: BTreeSet<Date>,
    /// Days of weekends on which people work.
    pub work: BTreeSet<Date>,
}

/// The days off and the working days that are in force.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Calendar {
    years: BTreeMap<i32, Year>,
}

/// What a day is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Day {
    /// A working day.
    Working,
    /// A day of a weekend on which people work.
    MakeUp,
    /// A Saturday or Sunday.
    Weekend,
    /// A day off by order.
    Holiday,
}

impl Day {
    /// Whether people work on it.
    pub fn works(self) -> bool {
        matches!(self, Self::Working | Self::MakeUp)
    }
}

/// A step of counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The day from which it is counted, which is not counted itself.
    From(Date),
    /// The period that was counted, and the day to which that leads.
    Count(Period, Rule, Date),
    /// A day that is passed over in counting working days.
    Skip(Date, Day),
    /// A day of a weekend that counts as a working day.
    Works(Date),
    /// So many working days more, for a run of days off within that ends on this day.
    Lengthen(i32, Date),
    /// The last day would have been this one, which is a day off.
    Roll(Date, Day),
    /// No order is known for this year: only weekends are days off in it.
    NoOrder(i32),
    /// These days do not count: the term stood still from the one day to the other.
    Pause(Date, Date),
    /// It was extended by so much.
    Extend(Period),
}

/// The last day of a term, and how it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derivation {
    /// The last day.
    pub last: Date,
    /// How it was found, in order.
    pub steps: Vec<Step>,
}

impl Calendar {
    /// A calendar of these years' orders.
    pub fn new(years: BTreeMap<i32, Year>) -> Self {
        Self { years }
    }

    /// Has the order of a year in place of the one before.
    pub fn set(&mut self, year: i32, order: Year) {
        self.years.insert(year, order);
    }

    /// The order of a year.
    pub fn year(&self, year: i32) -> Option<&Year> {
        self.years.get(&year)
    }

    /// What a day is.
    pub fn day(&self, date: Date) -> Day {
        let order = self.years.get(&date.year());
        let has =
            |days: fn(&Year) -> &BTreeSet<Date>| order.is_some_and(|o| days(o).contains(&date));
        if has(|order| &order.off) {
            Day::Holiday
        } else if date.weekday() < 5 {
            Day::Working
        } else if has(|order| &order.work) {
            Day::MakeUp
        } else {
            Day::Weekend
        }
    }

    fn works(&self, date: Date) -> bool {
        self.day(date).works()
    }

    /// How many days from one to another, both counted, are working days. None when the first is later, or they are more than
    /// a hundred years apart.
    pub fn working_days(&self, from: Date, to: Date) -> Option<i32> {
        let days = from.days_to(to);
        (0..=36_525).contains(&days).then_some(())?;
        let each = (0..=days).filter_map(|n| from.plus_days(n));
        i32::try_from(each.filter(|day| self.works(*day)).count()).ok()
    }

    /// The last day of a term that begins on a day, which is not counted. A negative period counts back, and then the day
    /// stays where it is: moving it would shorten somebody's time without a text.
    ///
    /// None when it is outside of all years, or the period is not of days.
    pub fn due(&self, rule: Rule, start: Date, period: Period) -> Option<Derivation> {
        self.term(rule, start, period, 0, &Still::default()).ok()
    }

    fn note_years(&self, start: Date, last: Date, steps: &mut Vec<Step>) {
        let (first, end) = (start.min(last).year(), start.max(last).year());
        let unknown = (first..=end).filter(|year| !self.years.contains_key(year));
        steps.extend(unknown.take(3).map(Step::NoOrder));
    }
}

/// A date that lies so far from another, by plain counting: nothing is skipped, and nothing moves.
fn plus(date: Date, period: Period) -> Option<Date> {
    match period.unit {
        Unit::Day => date.plus_days(period.count),
        Unit::Month => date.plus_months(period.count),
        Unit::Year => date.plus_months(period.count.checked_mul(12)?),
        Unit::WorkingDay | Unit::Hour | Unit::Minute => None,
    }
}

impl Calendar {
    /// A moment that lies so far from another: by the clock, or at the same time of day in a zone. None outside of all years.
    pub(crate) fn plus_instant(&self, at: Instant, period: Period, zone: Zone) -> Option<Instant> {
        let found = match period.seconds() {
            Some(seconds) => at.0.checked_add(seconds)?,
            None => {
                let date = zone.day(at)?;
                let of_day = at.0 - zone.begin(date).0;
                zone.begin(self.plus(date, period)?).0 + of_day
            }
        };
        zone.day(Instant(found)).map(|_| Instant(found))
    }
}

impl Serialize for Date {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| serde::de::Error::custom("it is no date"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().expect("a date")
    }

    fn days(text: &str) -> BTreeSet<Date> {
        let each = text.split_whitespace().flat_map(|range| {
            let (from, to) = range.split_once("..").unwrap_or((range, range));
            let (from, to) = (date(&format!("2026-{from}")), date(&format!("2026-{to}")));
            (0..=from.days_to(to)).filter_map(move |n| from.plus_days(n))
        });
        each.collect()
    }

    /// The State Council's order of 2026.
    pub(crate) fn calendar() -> Calendar {
        let year = Year {
            source: "国务院办公厅关于2026年部分节假日安排的通知".into(),
            off: days(
                "01-01..01-03 02-15..02-23 04-04..04-06 05-01..05-05 06-19..06-21 09-25..09-27 10-01..10-07",
            ),
            work: days("01-04 02-14 02-28 05-09 09-20 10-10"),
        };
        Calendar::new([(2026, year)].into())
    }

    #[test]
    fn terms_end_on_the_days_that_the_texts_of_law_give() {
        let calendar = calendar();
        for (rule, from, period, last) in [
            // Divorce: thirty days, and thirty more whose end is a holiday.
            (Rule::Civil, "2026-03-02", "30 d", "2026-04-01"),
            (Rule::Civil, "2026-04-01", "30 d", "2026-05-06"),
            // Custody: no roll over the spring festival, and what a civil term would be.
            (Rule::Custody, "2026-02-13", "3 d", "2026-02-16"),
            (Rule::Civil, "2026-02-13", "3 d", "2026-02-24"),
            (Rule::Custody, "2026-02-13", "30 d", "2026-03-15"),
            // Tenders: working days around the mid-autumn festival and the national day.
            (Rule::Civil, "2026-09-16", "7 wd", "2026-09-24"),
            (Rule::Civil, "2026-09-24", "7 wd", "2026-10-12"),
            (Rule::Working, "2026-09-16", "7 d", "2026-09-24"),
            (Rule::Penalty, "2026-09-16", "7 d", "2026-09-24"),
            (Rule::Penalty, "2026-09-16", "15 d", "2026-10-08"),
            // Back, without a roll: the fifteenth day before.
            (Rule::Civil, "2026-09-30", "-15 d", "2026-09-15"),
            // Months by the corresponding day.
            (Rule::Civil, "2026-01-31", "1 m", "2026-02-28"),
            (Rule::Civil, "2026-07-04", "3 m", "2026-10-08"),
        ] {
            let got = calendar.due(rule, date(from), period.parse().expect("a period"));
            assert_eq!(
                got.expect("there is a last day").last,
                date(last),
                "{rule:?} {from} {period}"
            );
        }
        assert_eq!(calendar.working_days(date("2026-04-30"), date("2026-05-08")), Some(4));
        assert_eq!(calendar.working_days(date("2026-02-12"), date("2026-02-28")), Some(8));
        assert_eq!(calendar.working_days(date("2026-02-12"), date("2026-02-11")), None);
    }

    #[test]
    fn runs_of_days_off_within_lengthen_a_term_of_tax_and_only_that() {
        let calendar = calendar();
        let due = |rule, from: &str, period: &str| {
            calendar.due(rule, date(from), period.parse().expect("a period")).expect("there is")
        };
        // Fifteen days from 25 September: 3 days off at mid-autumn, 7 at the national day. Ten working days more are the 10th,
        // on which people work, five of the next week and four of the week after.
        assert_eq!(due(Rule::Civil, "2026-09-24", "15 d").last, date("2026-10-09"));
        let tax = due(Rule::Tax, "2026-09-24", "15 d");
        assert_eq!(tax.last, date("2026-10-22"), "{:?}", tax.steps);
        assert!(tax.steps.contains(&Step::Lengthen(3, date("2026-09-27"))));
        assert!(tax.steps.contains(&Step::Lengthen(7, date("2026-10-07"))));
        // What begins within the run counts the days off that lie in the term.
        assert_eq!(due(Rule::Tax, "2026-10-05", "5 d").last, date("2026-10-10"));
        // All four days of this one are off: four working days more are the 6th to the 8th, and the 9th, a Saturday on which
        // people work.
        let whole = due(Rule::Tax, "2026-04-30", "4 d");
        assert_eq!(whole.last, date("2026-05-09"), "{:?}", whole.steps);
        assert!(whole.steps.contains(&Step::Lengthen(4, date("2026-05-04"))));
        // Two days off are no run: the last day moves, and no more.
        assert_eq!(due(Rule::Tax, "2026-04-30", "2 d").last, date("2026-05-06"));
        // Filing within fifteen days after the end of the month, and the annual settlement within five months.
        assert_eq!(due(Rule::Tax, "2026-04-30", "15 d").last, date("2026-05-22"));
        assert_eq!(due(Rule::Tax, "2025-12-31", "5 m").last, date("2026-06-01"));
    }

    #[test]
    fn each_day_that_is_passed_over_or_worked_is_said() {
        let calendar = calendar();
        let found =
            calendar.due(Rule::Civil, date("2026-09-18"), "2 wd".parse().expect("a period"));
        let found = found.expect("there is");
        assert_eq!(found.last, date("2026-09-21"));
        assert_eq!(
            found.steps,
            [
                Step::From(date("2026-09-18")),
                Step::Skip(date("2026-09-19"), Day::Weekend),
                Step::Works(date("2026-09-20")),
                Step::Count("2 wd".parse().expect("a period"), Rule::Civil, date("2026-09-21")),
            ]
        );
        let later =
            calendar.due(Rule::Civil, date("2026-12-20"), "30 d".parse().expect("a period"));
        assert!(later.expect("there is").steps.contains(&Step::NoOrder(2027)));
    }

    /// The order of a year as it was published, with what it says of each day; none where the test data are not there.
    fn published(year: i32) -> Option<(Year, BTreeMap<Date, bool>)> {
        let folder =
            std::env::var("CHANCERY_TESTDATA").unwrap_or_else(|_| "../../shared/testdata".into());
        let file = std::path::Path::new(&folder).join(format!("calendar/{year}.json"));
        if !file.is_file() {
            eprintln!("skipped: there is no {}", file.display());
            return None;
        }
        let text = std::fs::read_to_string(file).expect("a file");
        let json: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
        let (mut order, mut said) = (Year::default(), BTreeMap::new());
        for day in json["days"].as_array().expect("days") {
            let off = day["isOffDay"].as_bool().expect("a word");
            let date = date(day["date"].as_str().expect("a date"));
            said.insert(date, off);
            if off {
                order.off.insert(date)
            } else {
                order.work.insert(date)
            };
        }
        Some((order, said))
    }

    #[test]
    fn the_working_days_of_twenty_years_are_those_that_were_published() {
        for year in 2007..=2026 {
            let Some((order, said)) = published(year) else { return };
            let calendar = Calendar::new([(year, order)].into());
            let mut day = Date::new(year, 1, 1).expect("a date");
            while day.year() == year {
                let plain = day.weekday() < 5;
                let works = said.get(&day).map_or(plain, |off| !off);
                assert_eq!(calendar.day(day).works(), works, "{day}");
                day = day.next().expect("there is");
            }
        }
    }

    /// Two years of the notices by which the rule of taxes is read, with all kinds of runs.
    ///
    /// 国家税务总局办公厅关于明确 2022 年度、2024 年度申报纳税期限的通知: filing within the first fifteen days of a month.
    #[test]
    fn the_tax_administrations_published_dates_come_out() {
        let filing = "01-19 02-23 03-15 04-20 05-19 06-20 07-15 08-15 09-20 10-25 11-15 12-15";
        let later = "01-15 02-23 03-15 04-18 05-22 06-19 07-15 08-15 09-18 10-24 11-15 12-16";
        let last_days = [(2022, filing), (2024, later)];
        for (year, days) in last_days {
            let Some((order, _)) = published(year) else { return };
            let calendar = Calendar::new([(year, order)].into());
            for day in days.split(' ') {
                let wanted = date(&format!("{year}-{day}"));
                let (_, month, _) = wanted.parts();
                let first = Date::new(year, month, 1).expect("a date");
                let before = first.plus_days(-1).expect("a date");
                let found = calendar.due(Rule::Tax, before, "15 d".parse().expect("a period"));
                assert_eq!(found.expect("there is").last, wanted);
            }
        }
    }
}
