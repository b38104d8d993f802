//! Civil dates, instants and periods, without a machine's clock or a time zone database: a module's zone is a fixed offset.

use std::{fmt, str::FromStr};

use thiserror::Error;

/// A date of the Gregorian calendar, from year 1 to year 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i32);

/// A moment, in whole seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub i64);

/// A fixed offset from UTC, in seconds to the east.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(i32);

/// Seconds of a civil day; a zone with a fixed offset has no other.
const DAY: i64 = 86_400;

/// The first and the last day that there is: 0001-01-01 and 9999-12-31.
const FIRST: i32 = -719_162;
const LAST: i32 = 2_932_896;

/// What is no date, no instant or no period, as it was given.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?}")]
pub struct NoTime(pub String);

impl Date {
    /// A date from its year, month and day, if there is such a day.
    pub fn new(year: i32, month: u32, day: u32) -> Option<Self> {
        let there_is = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_of_month(year, month)).contains(&day);
        there_is.then(|| Self(days_from_civil(year, month, day)))
    }

    /// Its year, month and day.
    pub fn parts(self) -> (i32, u32, u32) {
        civil_from_days(self.0)
    }

    /// Its year.
    pub fn year(self) -> i32 {
        self.parts().0
    }

    /// The day of the week: 0 is Monday, 6 Sunday.
    pub fn weekday(self) -> u32 {
        // 1970-01-01 was a Thursday.
        (self.0 + 3).rem_euclid(7).unsigned_abs()
    }

    /// So many days later, or earlier; none beyond the years 1 to 9999.
    pub fn plus_days(self, days: i32) -> Option<Self> {
        let day = self.0.checked_add(days)?;
        (FIRST..=LAST).contains(&day).then_some(Self(day))
    }

    /// The corresponding day so many months later, or the last of the month where there is none (Civil Code, article 202).
    pub fn plus_months(self, months: i32) -> Option<Self> {
        let (year, month, day) = self.parts();
        let all = year.checked_mul(12)?.checked_add(i32::try_from(month).ok()? - 1)?;
        let all = all.checked_add(months)?;
        let (year, month) = (all.div_euclid(12), all.rem_euclid(12).unsigned_abs() + 1);
        let last = (1..=9999).contains(&year).then(|| days_of_month(year, month))?;
        Self::new(year, month, day.min(last))
    }

    /// How many days from this one to another.
    pub fn days_to(self, other: Self) -> i32 {
        other.0 - self.0
    }

    /// The next day.
    pub fn next(self) -> Option<Self> {
        self.plus_days(1)
    }
}

fn leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of_month(year: i32, month: u32) -> u32 {
    match month {
        2 if leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 by the Gregorian calendar; eras of 400 years begin in March, so that the leap day is their last.
fn days_from_civil(year: i32, month: u32, day: u32) -> i32 {
    let (month, day) = (month.cast_signed(), day.cast_signed());
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i32) -> (i32, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + era * 400 + i32::from(month <= 2);
    (year, month.unsigned_abs(), day.unsigned_abs())
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.parts();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A number of exactly so many ASCII digits.
fn digits(text: Option<&str>, width: usize) -> Option<u32> {
    let text = text.filter(|t| t.len() == width && t.bytes().all(|b| b.is_ascii_digit()))?;
    text.parse().ok()
}

impl FromStr for Date {
    type Err = NoTime;

    fn from_str(text: &str) -> Result<Self, NoTime> {
        let read = || {
            let mut parts = text.splitn(3, '-');
            let mut part = |width| digits(parts.next(), width);
            let (year, month, day) = (part(4)?, part(2)?, part(2)?);
            Self::new(i32::try_from(year).ok()?, month, day)
        };
        read().ok_or_else(|| NoTime(text.to_owned()))
    }
}

impl Zone {
    /// UTC.
    pub const UTC: Self = Self(0);
    /// China Standard Time, UTC+8.
    pub const CHINA: Self = Self(8 * 3600);

    /// The zone that a module names: one of those that have had one offset throughout, or an offset such as `+08:00`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "UTC" | "Z" => Some(Self::UTC),
            "Asia/Shanghai" => Some(Self::CHINA),
            offset => {
                let (sign, rest) = match offset.split_at_checked(1)? {
                    ("+", rest) => (1, rest),
                    ("-", rest) => (-1, rest),
                    _ => return None,
                };
                let (hours, minutes) = rest.split_once(':')?;
                let (hours, minutes) = (digits(Some(hours), 2)?, digits(Some(minutes), 2)?);
                let within = hours <= 14 && minutes < 60;
                let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
                within.then_some(Self(sign * seconds))
            }
        }
    }

    /// The date at a moment; of what lies outside of all years, the nearest day that there is.
    pub fn date(self, at: Instant) -> Date {
        self.day(at).unwrap_or(Date(if at.0 < 0 { FIRST } else { LAST }))
    }

    /// The date at a moment; none of what lies outside of all years.
    pub fn day(self, at: Instant) -> Option<Date> {
        let days = at.0.saturating_add(i64::from(self.0)).div_euclid(DAY);
        let days = i32::try_from(days).ok()?;
        (FIRST..=LAST).contains(&days).then_some(Date(days))
    }

    /// The moment at which a date begins.
    pub fn begin(self, date: Date) -> Instant {
        Instant(i64::from(date.0) * DAY - i64::from(self.0))
    }

    /// The moment at which a date is over: the first of the next.
    pub fn end(self, date: Date) -> Instant {
        Instant(self.begin(date).0 + DAY)
    }

    /// A moment as it is written here: `2026-03-02T09:00:00+08:00`. The end of the last day that there is stands as `24:00:00`.
    pub fn show(self, at: Instant) -> String {
        let date = self.date(at);
        let second = at.0.saturating_sub(self.begin(date).0).clamp(0, DAY);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let zone = match self.0 {
            0 => "Z".to_owned(),
            offset => {
                let sign = if offset < 0 { '-' } else { '+' };
                let offset = offset.unsigned_abs();
                format!("{sign}{:02}:{:02}", offset / 3600, offset / 60 % 60)
            }
        };
        format!("{date}T{hour:02}:{minute:02}:{second:02}{zone}")
    }
}

impl FromStr for Instant {
    type Err = NoTime;

    /// Reads RFC 3339 without fractions of a second: `2026-03-02T09:00:00+08:00`.
    fn from_str(text: &str) -> Result<Self, NoTime> {
        let read = || {
            let (date, rest) = text.split_at_checked(10)?;
            let date: Date = date.parse().ok()?;
            let (time, zone) = rest.strip_prefix('T')?.split_at_checked(8)?;
            let zone = Zone::named(zone)?;
            let mut parts = time.splitn(3, ':');
            let mut part = |most| digits(parts.next(), 2).filter(|n| *n < most).map(i64::from);
            let (hour, minute, second) = (part(24)?, part(60)?, part(60)?);
            Some(Self(zone.begin(date).0 + hour * 3600 + minute * 60 + second))
        };
        read().ok_or_else(|| NoTime(text.to_owned()))
    }
}

/// In what a period is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// Minutes, running.
    Minute,
    /// Hours, running.
    Hour,
    /// Days; which of them count is a matter of the counting rule.
    Day,
    /// Working days, whatever the counting rule.
    WorkingDay,
    /// Months, to the corresponding day.
    Month,
    /// Years, to the corresponding day.
    Year,
}

impl Unit {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Minute, "min"),
        (Self::Hour, "h"),
        (Self::Day, "d"),
        (Self::WorkingDay, "wd"),
        (Self::Month, "m"),
        (Self::Year, "y"),
    ];

    /// The unit of an abbreviation: `min`, `h`, `d`, `wd`, `m`, `y`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(unit, _)| unit)
    }

    /// Its abbreviation.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(unit, _)| *unit == self).map_or("", |(_, name)| name)
    }

    /// Whether it is counted in days of a calendar, not by the clock.
    pub fn of_days(self) -> bool {
        !matches!(self, Self::Minute | Self::Hour)
    }
}

/// A length of time as texts of law give it: `30 d`, `20 wd`, `2 m`. A negative one counts back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period {
    /// How many.
    pub count: i32,
    /// Of what.
    pub unit: Unit,
}

/// The most of a unit that a period may have: more than any text of law has, and far from where sums overflow.
const MOST: i32 = 100_000;

impl Period {
    /// So many of a unit, if that is a period.
    pub fn new(count: i32, unit: Unit) -> Option<Self> {
        (-MOST..=MOST).contains(&count).then_some(Self { count, unit })
    }

    /// Its seconds, where it runs by the clock.
    pub fn seconds(self) -> Option<i64> {
        match self.unit {
            Unit::Minute => Some(i64::from(self.count) * 60),
            Unit::Hour => Some(i64::from(self.count) * 3600),
            _ => None,
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.count, self.unit.name())
    }
}

impl FromStr for Period {
    type Err = NoTime;

    fn from_str(text: &str) -> Result<Self, NoTime> {
        let read = || {
            let (count, unit) = text.split_once(' ')?;
            let plain = count.strip_prefix('-').unwrap_or(count);
            let digits = !plain.is_empty() && plain.bytes().all(|b| b.is_ascii_digit());
            let count = digits.then(|| count.parse().ok())??;
            Self::new(count, Unit::named(unit)?)
        };
        read().ok_or_else(|| NoTime(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn date(text: &str) -> Date {
        text.parse().expect("a date")
    }

    proptest! {
        #[test]
        fn every_day_is_its_year_month_and_day_and_the_next_follows(days in FIRST..LAST) {
            let day = Date(days);
            let (year, month, of_month) = day.parts();
            prop_assert_eq!(Date::new(year, month, of_month), Some(day));
            prop_assert_eq!(day.to_string().parse(), Ok(day));
            let next = day.next().expect("not the last");
            prop_assert!(next.to_string() > day.to_string());
            prop_assert_eq!((day.weekday() + 1) % 7, next.weekday());
        }

        #[test]
        fn an_instant_is_read_as_it_is_shown(at in -60_000_000_000i64..250_000_000_000) {
            for zone in [Zone::UTC, Zone::CHINA, Zone(-5400)] {
                prop_assert_eq!(zone.show(Instant(at)).parse(), Ok(Instant(at)));
                let day = zone.date(Instant(at));
                prop_assert!(zone.begin(day) <= Instant(at) && Instant(at) < zone.end(day));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,30}") {
            let _ = (text.parse::<Date>(), text.parse::<Instant>(), text.parse::<Period>());
            let _ = Zone::named(&text);
        }
    }

    #[test]
    fn months_end_where_they_end() {
        for (from, months, to) in [
            ("2026-01-31", 1, Some("2026-02-28")),
            ("2028-01-31", 1, Some("2028-02-29")),
            ("2026-03-31", -1, Some("2026-02-28")),
            ("2026-11-30", 3, Some("2027-02-28")),
            ("2026-01-15", 24, Some("2028-01-15")),
            ("9999-12-01", 1, None),
        ] {
            assert_eq!(date(from).plus_months(months), to.map(date), "{from} {months}");
        }
        for bad in
            ["2026-02-29", "2026-13-01", "26-01-01", "2026-1-1", "2026-01-01 ", "+026-01-01", ""]
        {
            assert!(bad.parse::<Date>().is_err(), "{bad}");
        }
        assert_eq!(date("1970-01-01"), Date(0));
        assert_eq!(date("2026-03-02").weekday(), 0);
    }

    #[test]
    fn what_lies_outside_of_all_years_has_no_date() {
        let last = date("9999-12-31");
        let end = Zone::CHINA.end(last);
        assert_eq!(Zone::CHINA.day(Instant(end.0 - 1)), Some(last));
        for at in [end, Instant(i64::MAX), Instant(i64::MIN)] {
            assert_eq!(Zone::CHINA.day(at), None);
        }
        assert_eq!(Zone::CHINA.show(end), "9999-12-31T24:00:00+08:00");
        assert_eq!(Zone::CHINA.date(Instant(i64::MIN)), date("0001-01-01"));
    }

    #[test]
    fn periods_are_read_as_they_are_written() {
        for good in ["30 d", "20 wd", "-15 d", "2 m", "1 y", "24 h", "30 min"] {
            assert_eq!(good.parse::<Period>().expect("a period").to_string(), good);
        }
        for bad in ["30", "d", "30d", "1.5 h", "30  d", "+3 d", "99999999999 d", "200000 d", "- d"]
        {
            assert!(bad.parse::<Period>().is_err(), "{bad}");
        }
    }
}
