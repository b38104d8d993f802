//! Values as people read them on paper.

use chancery_crypto::{Language, say};

use crate::{
    civil::{Date, Period, Unit, Zone},
    value::{Value, Why},
};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// What a value is on paper. What is not there, cannot be known or is no single value is not printed.
pub(super) fn said(value: &Value, language: Language, zone: Zone) -> Result<String, Why> {
    let missing = |what: &str| Err(Why::Missing(what.to_owned()));
    Ok(match value {
        Value::None => return missing(""),
        Value::Unknown(why) => return Err(why.clone()),
        Value::Bool(yes) => match yes {
            true => say!(language, ("yes"), ("是")),
            false => say!(language, ("no"), ("否")),
        },
        Value::Money(fen) if !fen.is_integer() => {
            return Err(Why::NoResult(format!("{value}")));
        }
        Value::Int(_) | Value::Decimal(_) | Value::Money(_) | Value::Text(_) => value.to_string(),
        Value::Date(day) => date(*day, language),
        Value::Instant(at) => {
            let shown = zone.show(*at);
            // 2026-03-02T09:05:00+08:00
            let clock = shown.get(11..16).unwrap_or_default();
            let day = date(zone.date(*at), language);
            say!(language, ("{day}, {clock}"), ("{day}{clock}"))
        }
        Value::Period(of) => period(*of, language),
        Value::List(list) => {
            let each: Result<Vec<_>, _> =
                list.iter().map(|value| said(value, language, zone)).collect();
            each?.join(language.pick(", ", "、"))
        }
        Value::Map(_) => return Err(Why::Kinds("map".into())),
    })
}

fn date(day: Date, language: Language) -> String {
    let (year, month, day) = day.parts();
    let place = usize::try_from(month).unwrap_or(1).saturating_sub(1);
    let name = MONTHS.get(place).copied().unwrap_or_default();
    say!(language, ("{day} {name} {year}"), ("{year}年{month}月{day}日"))
}

fn period(of: Period, language: Language) -> String {
    let count = of.count;
    let (zh, en) = match of.unit {
        Unit::Minute => ("分钟", "minute"),
        Unit::Hour => ("小时", "hour"),
        Unit::Day => ("日", "day"),
        Unit::WorkingDay => ("个工作日", "working day"),
        Unit::Month => ("个月", "month"),
        Unit::Year => ("年", "year"),
    };
    let many = if count == 1 { "" } else { "s" };
    say!(language, ("{count} {en}{many}"), ("{count}{zh}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::civil::Instant;

    #[test]
    fn values_are_said_in_both_languages_and_what_is_not_known_is_not() {
        let zone = Zone::CHINA;
        let both = |value: &Value| {
            Language::ALL.map(|language| said(value, language, zone).expect("said"))
        };
        let day = Value::Date("2026-03-02".parse().expect("a date"));
        assert_eq!(both(&day), ["2 March 2026", "2026年3月2日"]);
        let at = Value::Instant("2026-12-31T23:05:00+08:00".parse::<Instant>().expect("a moment"));
        assert_eq!(both(&at), ["31 December 2026, 23:05", "2026年12月31日23:05"]);
        assert_eq!(
            both(&Value::Period("20 wd".parse().expect("a period"))),
            ["20 working days", "20个工作日"]
        );
        assert_eq!(both(&Value::Period("1 m".parse().expect("a period"))), ["1 month", "1个月"]);
        assert_eq!(both(&Value::Bool(false)), ["no", "否"]);
        assert_eq!(both(&Value::Money(108_010.into())), ["1080.10", "1080.10"]);
        assert_eq!(both(&Value::texts(["王堃", "李喆"])), ["王堃, 李喆", "王堃、李喆"]);
        for bad in [
            Value::None,
            Value::Unknown(Why::Cost),
            Value::Money(rust_decimal::Decimal::new(15, 1)),
            Value::Map([].into()),
            Value::List(vec![Value::None]),
        ] {
            assert!(said(&bad, Language::Zh, zone).is_err(), "{bad}");
        }
    }
}
