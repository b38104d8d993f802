use chancery_crypto::{Language, say};

use crate::{
    civil::{Instant, Zone},
    reason::MechanismRefusal,
};

impl MechanismRefusal {
    pub(super) fn say(&self, zone: Zone, language: Language) -> String {
        let time = |at: i64| zone.show(Instant(at));
        match self {
            Self::TooEarly { from } => {
                let from = time(*from);
                say!(language, ("it is possible from {from} on"), ("须自 {from} 起办理"))
            }
            Self::TooLate { until } => {
                let until = time(*until);
                say!(language, ("it was possible until {until}"), ("办理时限已于 {until} 届满"))
            }
            Self::NoPaper => say!(
                language,
                ("no paper was drawn for the sitting: draw it first"),
                ("该场次尚未抽取试卷：请先抽题组卷")
            ),
            Self::PaperDrawn => say!(
                language,
                ("the paper was drawn before, and is not drawn twice"),
                ("试卷已经抽定，不得再抽")
            ),
            Self::Bank { part, wanted, there } => say!(
                language,
                ("the blueprint wants {wanted} items for \"{part}\", and there are {there}: add items, or ask for fewer"),
                ("组卷方案“{part}”需 {wanted} 题，题库仅有 {there} 题：请补充试题或减少题数")
            ),
            Self::NotAnswered => {
                say!(language, ("nothing was handed in"), ("该考生没有交卷"))
            }
            Self::Graded => say!(
                language,
                ("it was graded; whoever finds a key wrong corrects the item and has it graded again"),
                ("成绩已经评定；如答案有误，请更正试题后重新评分")
            ),
            Self::NotGraded => say!(
                language,
                ("it was not graded yet: wait for that"),
                ("成绩尚未评定，请待评定之后办理")
            ),
            Self::Passed => {
                say!(
                    language,
                    ("it was passed before, and is not sat again"),
                    ("已经合格，不再补考")
                )
            }
            Self::Tries { most } => say!(
                language,
                ("one may sit again {most} times, and that was done"),
                ("补考以 {most} 次为限，次数已经用完")
            ),
            Self::MarkedBefore { who } => say!(
                language,
                ("{who} has marked it already, or has written it: another must"),
                ("{who} 已经评过该卷，或者就是应考人：须由他人评阅")
            ),
            Self::Settled { part } => say!(
                language,
                ("the marks of \"{part}\" agree as far as they must: nothing is left to decide"),
                ("“{part}”的评分差距在允许范围内，无须再评")
            ),
            Self::NotSettled { what } => say!(
                language,
                ("marks are missing or differ by too much: {what}; a third marks it"),
                ("评分缺失或差距过大：{what}；须补评或由第三人评定")
            ),
            Self::Points { most } => {
                say!(language, ("there are at most {most} points"), ("最高 {most} 分"))
            }
            Self::Offline { item, days } => say!(
                language,
                ("\"{item}\" was noted more than {days} days ago, or later than now: look at it again"),
                ("“{item}”的记录早于 {days} 日之前或晚于现在：请重新检查")
            ),
            Self::Conflict { items } => say!(
                language,
                ("two have found different things: {items}; both are kept, and somebody decides which holds"),
                ("检查记录互相冲突：{items}；两份均已保留，须由专人裁定以何为准")
            ),
            Self::NotLooked { items } => {
                say!(language, ("not looked at yet: {items}"), ("尚未检查：{items}"))
            }
            Self::Closed => say!(
                language,
                ("the inspection is closed, and nothing is noted any more"),
                ("检查已经结束，不再记录")
            ),
            Self::TooFew { of, wanted, there } => say!(
                language,
                ("{wanted} are to be drawn of \"{of}\", and there are {there}"),
                ("应从“{of}”中抽取 {wanted} 个，实有 {there} 个")
            ),
        }
    }
}
