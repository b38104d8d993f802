//! Counting a term: day by day from the day after its start, passing over what does not count.

use super::{Calendar, Day, Derivation, RUN, Rule, Step, plus};
use crate::civil::{Date, Period, Unit};

/// Spans of which each begins and ends, or goes on: what lies in any of them, in order, and none touching another.
pub(crate) fn union<T: Ord + Copy>(
    spans: impl IntoIterator<Item = (T, Option<T>)>,
) -> Vec<(T, Option<T>)> {
    let real = |(from, to): &(T, Option<T>)| to.is_none_or(|to| to > *from);
    let mut spans: Vec<_> = spans.into_iter().filter(real).collect();
    spans.sort_by_key(|(from, _)| *from);
    let mut all: Vec<(T, Option<T>)> = Vec::new();
    for (from, to) in spans {
        match all.last_mut() {
            Some((_, end)) if end.is_none_or(|end| from <= end) => {
                *end = end.zip(to).map(|(a, b)| a.max(b));
            }
            _ => all.push((from, to)),
        }
    }
    all
}

/// The days on which a term stands still: of each pause those from the day after its first up to and with its last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Still(Vec<(Date, Option<Date>)>);

impl Still {
    /// The days of pauses, each from the day of one act to that of another, or going on. Days of several pauses are so once.
    pub fn new(pauses: impl IntoIterator<Item = (Date, Option<Date>)>) -> Self {
        Self(union(pauses))
    }

    /// The pause in which the day after this one is.
    fn after(&self, day: Date) -> Option<(Date, Option<Date>)> {
        let later = self.0.partition_point(|(from, _)| *from <= day);
        let pause = self.0.get(later.checked_sub(1)?)?;
        pause.1.is_none_or(|to| to > day).then_some(*pause)
    }
}

/// Why a term has no last day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoEnd {
    /// It stands still.
    Still,
    /// It would end in no year that there is, or is not of days.
    Beyond,
}

impl Calendar {
    /// The last day of a term, as [`Calendar::due`] finds it, that was extended by so many of its own unit and stood still on
    /// some days.
    ///
    /// Whether its days are working days is asked of the rule, for the term as its text gives it: seven days that are extended
    /// by one stay working days under [`Rule::Penalty`].
    ///
    /// A day on which it stands still is neither counted nor its last. One that is held on its last day goes on when the pause
    /// ends, and has that day as its last: it was not over. A term of months is moved by as many days as it stood still, of
    /// whatever kind. One that counts back, or of nothing, is not held: it has no time to lose.
    ///
    /// # Errors
    /// [`NoEnd`].
    pub fn term(
        &self,
        rule: Rule,
        start: Date,
        length: Period,
        more: i32,
        still: &Still,
    ) -> Result<Derivation, NoEnd> {
        let count = length.count.checked_add(more).ok_or(NoEnd::Beyond)?;
        let total = Period::new(count, length.unit).ok_or(NoEnd::Beyond)?;
        let never = Still::default();
        let still = if count > 0 { still } else { &never };
        let mut walk = Walk { calendar: self, still, steps: vec![Step::From(start)] };
        if more != 0 {
            walk.steps.push(Step::Extend(Period { count: more, unit: length.unit }));
        }
        let working = rule.working(length);
        let mut last = match working {
            true => walk.working(start, count)?,
            false => {
                let plain = plus(start, total).ok_or(NoEnd::Beyond)?;
                walk.days(start, plain)?
            }
        };
        walk.steps.push(Step::Count(total, rule, last));
        if rule == Rule::Tax && !working && length.unit == Unit::Day && count > 0 {
            let off = walk.runs(start, last)?;
            last = walk.working(last, off)?;
        }
        last = walk.settle(last, count > 0 && (working || rule.rolls()))?;
        let mut steps = walk.steps;
        self.note_years(start, last, &mut steps);
        Ok(Derivation { last, steps })
    }

    /// A date that lies so far from another: working days by the calendar, all else by plain counting, and nothing moves.
    pub(crate) fn plus(&self, date: Date, period: Period) -> Option<Date> {
        if period.unit != Unit::WorkingDay {
            return plus(date, period);
        }
        let mut walk = Walk { calendar: self, still: &Still::default(), steps: Vec::new() };
        walk.working(date, period.count).ok()
    }
}

/// On the way from day to day.
struct Walk<'a> {
    calendar: &'a Calendar,
    still: &'a Still,
    steps: Vec<Step>,
}

impl Walk<'_> {
    /// The next day on which the term does not stand still.
    fn next(&mut self, day: Date) -> Result<Date, NoEnd> {
        let before = match self.still.after(day) {
            Some((from, to)) => {
                let to = to.ok_or(NoEnd::Still)?;
                self.steps.push(Step::Pause(from, to));
                to
            }
            None => day,
        };
        before.next().ok_or(NoEnd::Beyond)
    }

    /// The day that is so many working days on, or back.
    fn working(&mut self, start: Date, count: i32) -> Result<Date, NoEnd> {
        let (mut day, mut left) = (start, count.unsigned_abs());
        while left > 0 {
            day = match count > 0 {
                true => self.next(day)?,
                false => day.plus_days(-1).ok_or(NoEnd::Beyond)?,
            };
            match self.calendar.day(day) {
                Day::Working => left -= 1,
                Day::MakeUp => {
                    left -= 1;
                    self.steps.push(Step::Works(day));
                }
                off => self.steps.push(Step::Skip(day, off)),
            }
        }
        Ok(day)
    }

    /// The day to which as many days lead as to another, those not counted on which it stands still.
    fn days(&mut self, start: Date, plain: Date) -> Result<Date, NoEnd> {
        let mut last = plain;
        for (from, to) in &self.still.0 {
            if to.is_some_and(|to| to <= start) {
                continue;
            }
            if *from >= last {
                break;
            }
            let to = to.ok_or(NoEnd::Still)?;
            self.steps.push(Step::Pause(*from, to));
            last = last.plus_days((*from).max(start).days_to(to)).ok_or(NoEnd::Beyond)?;
        }
        Ok(last)
    }

    /// How many days off there are in runs of three or more within a term.
    ///
    /// Rules of the Tax Collection Law, article 109: 在期限内有连续3日以上法定休假日的，按休假日天数顺延. What the article leaves open is
    /// taken from the dates that the State Taxation Administration has published under it each year, of which all of 2022 and
    /// 2024 come out so:
    /// - Days off are those of the State Council's order with the weekends within or beside them, make-up days excepted: of
    ///   Saturday, 8 June 2024 to Monday, 10 June the order names the Monday alone, and three days were counted.
    /// - Only those within the term as it would be without them: of 15 to 17 September 2024 one was, which is no run, and the
    ///   15th moved to the 18th as any last day; of 10 to 17 February 2024 six were.
    /// - The term goes on for as many *working* days: from 15 May 2024, for 1 to 5 May, to the 22nd and not the 20th.
    /// - Terms of months and years are not lengthened: 31 May stays that of the annual settlement.
    fn runs(&mut self, start: Date, last: Date) -> Result<i32, NoEnd> {
        let (mut all, mut run, mut day) = (0, 0, start);
        while day < last {
            day = day.next().ok_or(NoEnd::Beyond)?;
            run = if self.calendar.works(day) { 0 } else { run + 1 };
            let goes_on = day < last && day.next().is_some_and(|next| !self.calendar.works(next));
            if run >= RUN && !goes_on {
                all += run;
                self.steps.push(Step::Lengthen(run, day));
            }
        }
        Ok(all)
    }

    /// The last day, from the one to which counting leads: a day off is none where such move.
    fn settle(&mut self, mut last: Date, moves: bool) -> Result<Date, NoEnd> {
        loop {
            loop {
                match self.calendar.day(last) {
                    day if moves && !day.works() => self.steps.push(Step::Roll(last, day)),
                    _ => break,
                }
                last = self.next(last)?;
            }
            let Some((from, to)) = self.still.after(last) else { return Ok(last) };
            // It was held on what would have been its last day.
            last = to.ok_or(NoEnd::Still)?;
            self.steps.push(Step::Pause(from, last));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::{super::tests::calendar, *};

    fn date(text: &str) -> Date {
        text.parse().expect("a date")
    }

    fn on(days: i32) -> Date {
        date("2026-01-05").plus_days(days).expect("a date")
    }

    fn last(
        rule: Rule,
        start: &str,
        length: &str,
        more: i32,
        pauses: &[(&str, &str)],
    ) -> Option<String> {
        let end = |text: &str| (!text.is_empty()).then(|| date(text));
        let still = Still::new(pauses.iter().map(|(from, to)| (date(from), end(to))));
        let length = length.parse().expect("a period");
        let found = calendar().term(rule, date(start), length, more, &still);
        found.ok().map(|found| found.last.to_string())
    }

    #[test]
    fn each_kind_of_term_is_moved_by_what_stood_still_of_its_own() {
        use Rule::{Civil, Custody, Penalty, Tax, Working};
        for (rule, start, length, more, pauses, wanted) in [
            // Five working days from Monday, 2 March; held on Wednesday, on again the Wednesday after: five are given back.
            (Working, "2026-03-02", "5 d", 0, &[("2026-03-04", "2026-03-11")][..], "2026-03-16"),
            (Penalty, "2026-03-02", "5 d", 0, &[("2026-03-04", "2026-03-11")], "2026-03-16"),
            (Civil, "2026-03-02", "5 wd", 0, &[("2026-03-04", "2026-03-11")], "2026-03-16"),
            // Far beyond its first end, no weekend was in the term at all: still working days.
            (Working, "2026-03-02", "2 d", 0, &[("2026-03-03", "2026-03-13")], "2026-03-16"),
            // Calendar days: seven of them; and the last is moved if it is off.
            (Custody, "2026-03-02", "5 d", 0, &[("2026-03-04", "2026-03-11")], "2026-03-14"),
            (Civil, "2026-03-02", "5 d", 0, &[("2026-03-04", "2026-03-11")], "2026-03-16"),
            // Months: seven days, whatever they are.
            (Civil, "2026-03-02", "1 m", 0, &[("2026-03-04", "2026-03-11")], "2026-04-09"),
            (Civil, "2026-03-02", "1 y", 0, &[("2026-03-04", "2026-03-11")], "2027-03-09"),
            // Held on the last day: it goes on on the day on which the pause ends.
            (Working, "2026-03-02", "2 d", 0, &[("2026-03-04", "2026-03-11")], "2026-03-11"),
            (Working, "2026-03-02", "4 d", 0, &[("2026-03-06", "2026-03-08")], "2026-03-09"),
            (Custody, "2026-03-02", "2 d", 0, &[("2026-03-04", "2026-03-08")], "2026-03-08"),
            (Civil, "2026-02-02", "1 m", 0, &[("2026-03-02", "2026-03-05")], "2026-03-05"),
            // The last day was moved to a Monday, and the hold came on the Sunday before it: that Monday is given back whole.
            (Civil, "2026-03-02", "5 d", 0, &[("2026-03-08", "2026-03-12")], "2026-03-13"),
            // What was over when the hold came is not held.
            (Working, "2026-03-02", "2 d", 0, &[("2026-03-05", "2026-03-11")], "2026-03-04"),
            (Working, "2026-03-02", "2 d", 0, &[("2026-03-05", "")], "2026-03-04"),
            (Working, "2026-03-02", "2 d", 0, &[("2026-03-04", "")], ""),
            // Several pauses count each, and what is in two of them once.
            (
                Custody,
                "2026-03-02",
                "10 d",
                0,
                &[
                    ("2026-03-04", "2026-03-06"),
                    ("2026-03-05", "2026-03-07"),
                    ("2026-03-09", "2026-03-10"),
                ],
                "2026-03-16",
            ),
            // Extended in its own unit, and what was a term of working days stays one.
            (Penalty, "2026-03-02", "7 d", 1, &[], "2026-03-12"),
            (Civil, "2026-01-31", "1 m", 1, &[], "2026-03-31"),
            (Civil, "2026-03-02", "1 y", 1, &[], "2028-03-02"),
            // Three of the days stood still: the fifteenth is Monday the 18th, and five working days lead to the next.
            (Tax, "2026-04-30", "15 d", 0, &[("2026-05-06", "2026-05-09")], "2026-05-25"),
            // What counts back has no time to lose.
            (Civil, "2026-03-16", "-5 d", 0, &[("2026-03-12", "2026-03-13")], "2026-03-11"),
            (Civil, "2026-03-16", "-5 d", 0, &[("2026-03-12", "")], "2026-03-11"),
        ] {
            let found = last(rule, start, length, more, pauses);
            let wanted = (!wanted.is_empty()).then(|| wanted.to_owned());
            assert_eq!(found, wanted, "{rule:?} {start} {length} {more} {pauses:?}");
        }
        let beyond = |length: &str, more| {
            let length = length.parse().expect("a period");
            calendar().term(Civil, date("2026-03-02"), length, more, &Still::default())
        };
        assert_eq!(beyond("9000 y", 0), Err(NoEnd::Beyond));
        assert_eq!(beyond("1 d", i32::MAX), Err(NoEnd::Beyond));
        assert_eq!(beyond("1 h", 0), Err(NoEnd::Beyond));
    }

    /// As the law is read aloud: day by day, each looked at alone.
    fn by_hand(
        rule: Rule,
        start: Date,
        length: Period,
        more: i32,
        pauses: &[(Date, Option<Date>)],
    ) -> Option<Date> {
        let calendar = calendar();
        let held = |day: Date| {
            pauses.iter().any(|(from, to)| *from < day && to.is_none_or(|to| day <= to))
        };
        let for_ever = |day: Date| pauses.iter().any(|(from, to)| *from < day && to.is_none());
        let working = rule.working(length);
        let total = Period { count: length.count + more, unit: length.unit };
        let mut left = match working {
            true => total.count,
            false => start.days_to(plus(start, total)?),
        };
        let mut day = start;
        let count = |day: &mut Date, left: &mut i32, working: bool| {
            while *left > 0 {
                *day = day.next()?;
                if for_ever(*day) {
                    return None;
                }
                if !held(*day) && (!working || calendar.works(*day)) {
                    *left -= 1;
                }
            }
            Some(())
        };
        count(&mut day, &mut left, working)?;
        if rule == Rule::Tax && !working && length.unit == Unit::Day {
            let within: Vec<_> =
                (1..=start.days_to(day)).filter_map(|n| start.plus_days(n)).collect();
            let runs = within.chunk_by(|a, b| calendar.works(*a) == calendar.works(*b));
            let runs = runs.filter(|run| run.len() >= 3 && !calendar.works(run[0]));
            left = i32::try_from(runs.map(<[_]>::len).sum::<usize>()).ok()?;
            count(&mut day, &mut left, true)?;
        }
        loop {
            let next = day.next()?;
            if (working || rule.rolls()) && !calendar.works(day) {
                // Neither off nor held.
                left = 1;
                count(&mut day, &mut left, false)?;
            } else if for_ever(next) {
                return None;
            } else if held(next) {
                while held(day.next()?) {
                    day = day.next()?;
                    if for_ever(day) {
                        return None;
                    }
                }
            } else {
                return Some(day);
            }
        }
    }

    fn rules() -> impl Strategy<Value = Rule> {
        prop::sample::select(vec![
            Rule::Civil,
            Rule::Working,
            Rule::Penalty,
            Rule::Custody,
            Rule::Tax,
        ])
    }

    fn lengths() -> impl Strategy<Value = Period> {
        let days = (1i32..40).prop_map(|n| (n, Unit::Day));
        let working = (1i32..40).prop_map(|n| (n, Unit::WorkingDay));
        let months = (1i32..5).prop_map(|n| (n, Unit::Month));
        prop_oneof![4 => days, 2 => working, 1 => months]
            .prop_map(|(count, unit)| Period::new(count, unit).expect("a period"))
    }

    fn pauses() -> impl Strategy<Value = Vec<(Date, Option<Date>)>> {
        let closed =
            (-10i32..150, 0i32..20).prop_map(|(from, days)| (on(from), Some(on(from + days))));
        let open = (0i32..400).prop_map(|from| (on(from), None));
        let most = prop::collection::vec(closed, 0..5);
        (most, prop::option::weighted(0.2, open)).prop_map(|(mut all, open)| {
            all.extend(open);
            all
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn counting_is_what_it_is_by_hand(
            rule in rules(), start in 0i32..120, length in lengths(), more in 0i32..3, pauses in pauses(),
        ) {
            let found = calendar().term(rule, on(start), length, more, &Still::new(pauses.clone()));
            let wanted = by_hand(rule, on(start), length, more, &pauses);
            prop_assert_eq!(found.ok().map(|found| found.last), wanted);
        }

        #[test]
        fn no_pause_makes_a_term_end_earlier_and_neither_does_an_extension(
            rule in rules(), start in 0i32..120, length in lengths(), more in 1i32..9, pauses in pauses(),
        ) {
            let term = |more, pauses: &[_]| {
                let found = calendar().term(rule, on(start), length, more, &Still::new(pauses.to_vec()));
                found.map(|found| found.last)
            };
            let plain = term(0, &[]).expect("it ends");
            let mut before = plain;
            for many in 1..=pauses.len() {
                let Ok(last) = term(0, pauses.get(..many).expect("so many")) else { break };
                prop_assert!(last >= before, "{last} {before} {pauses:?}");
                before = last;
            }
            prop_assert!(term(more, &[]).expect("it ends") >= plain);
        }

        #[test]
        fn pauses_are_worth_what_the_days_in_any_of_them_are(
            rule in rules(), start in 0i32..120, length in lengths(), pauses in pauses(),
        ) {
            let days: BTreeSet<Date> = (-10..600)
                .map(on)
                .filter(|day| pauses.iter().any(|(from, to)| from < day && to.is_none_or(|to| *day <= to)))
                .collect();
            // Each day as a pause of its own, the last first, and all of them twice.
            let each = days.iter().rev().map(|day| (day.plus_days(-1).expect("a day"), Some(*day)));
            let each: Vec<_> = each.clone().chain(each).collect();
            let open = pauses.iter().filter(|(_, to)| to.is_none()).copied();
            let one = calendar().term(rule, on(start), length, 0, &Still::new(pauses.clone()));
            let other = calendar().term(rule, on(start), length, 0, &Still::new(each.into_iter().chain(open)));
            prop_assert_eq!(one.map(|found| found.last), other.map(|found| found.last));
        }

        #[test]
        fn working_days_that_stood_still_are_given_back_as_such(
            start in 0i32..100, count in 2i32..30, into in 0i32..40, days in 1i32..40,
        ) {
            let calendar = calendar();
            let length = Period::new(count, Unit::WorkingDay).expect("a period");
            let plain = calendar.due(Rule::Civil, on(start), length).expect("it ends").last;
            let from = on(start + into % on(start).days_to(plain));
            let to = from.plus_days(days).expect("a day");
            let still = Still::new([(from, Some(to))]);
            let held = calendar.term(Rule::Civil, on(start), length, 0, &still).expect("it ends").last;
            let stood = calendar.working_days(from.next().expect("a day"), to).expect("so many");
            let back = Period::new(stood, Unit::WorkingDay).expect("a period");
            prop_assert_eq!(calendar.plus(plain, back), Some(held));
        }
    }
}
