use chancery_crypto::{Language, say};

use crate::calendar::{Day, Step};

impl Step {
    /// What was counted, in a sentence.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::From(day) => {
                say!(
                    language,
                    ("counted from {day}, which is not counted"),
                    ("自 {day} 起算，当日不计入")
                )
            }
            Self::Count(period, _, last) => {
                say!(language, ("{period} lead to {last}"), ("{period} 计至 {last}"))
            }
            Self::Skip(day, what) => {
                let what = what.say(language);
                say!(language, ("{day} is not counted: {what}"), ("{day} 不计：{what}"))
            }
            Self::Works(day) => say!(
                language,
                ("{day} is counted: a day of a weekend on which people work"),
                ("{day} 计入：调休上班日")
            ),
            Self::Lengthen(days, to) => say!(
                language,
                ("{days} working days more, for the days off up to {to}"),
                ("因截至 {to} 的连续假日顺延 {days} 个工作日")
            ),
            Self::Roll(day, what) => {
                let what = what.say(language);
                say!(language, ("{day} is no last day: {what}"), ("{day} 不作为最后一日：{what}"))
            }
            Self::NoOrder(year) => say!(
                language,
                ("no order of days off is known for {year}: only weekends are off, and this may move"),
                ("{year} 年的放假安排尚未登记，仅按周末计算，日期可能变动")
            ),
            Self::Pause(from, to) => say!(
                language,
                ("it stood still from {from} to {to}"),
                ("自 {from} 至 {to} 中止，不计入期限")
            ),
            Self::Extend(by) => say!(language, ("extended by {by}"), ("延长 {by}")),
        }
    }
}

impl Day {
    /// What a day is.
    pub fn say(&self, language: Language) -> &'static str {
        match self {
            Self::Working => language.pick("a working day", "工作日"),
            Self::MakeUp => language.pick("a make-up working day", "调休上班日"),
            Self::Weekend => language.pick("a weekend", "休息日"),
            Self::Holiday => language.pick("a day off by order", "法定节假日"),
        }
    }
}
