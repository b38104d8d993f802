//! Chinese texts of law cut into their parts: 编, 章, 节, 条, 款, 项, 目, each under an address that stays the same.
//!
//! 第十五条第二款第一项 is `15.2.1`, 第十五条之一 is `15-1`; 第二编第三章 is `b2.c3`, what stands before the first article `0.1`, an annex `a1`.

mod citation;
mod compare;
mod cut;
mod numeral;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use self::{
    citation::{Address, Citation},
    compare::{Change, compare},
    cut::{Cut, MOST_PARTS, MOST_TEXT, Stray, cut, paragraphs},
};

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// 编.
    Book,
    /// 分编.
    Division,
    /// 章.
    Chapter,
    /// 节.
    Section,
    /// What stands before the first article: 序言.
    Preamble,
    /// 附件.
    Annex,
    /// 条.
    Article,
    /// 款, or a paragraph of a text without articles.
    Paragraph,
    /// 项.
    Item,
    /// 目.
    Point,
    /// A named field of a text that is a form.
    Field,
}

impl Level {
    /// Whether it is a heading over others, and no rule itself.
    pub fn is_heading(self) -> bool {
        matches!(self, Self::Book | Self::Division | Self::Chapter | Self::Section)
    }
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Where it is found: `15.2.1`. No two parts of a text have one.
    pub address: String,
    /// What it is.
    pub level: Level,
    /// What stands in front of it: 第十五条, （一）. Empty of what has nothing there.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// Its own words, those of parts within it not among them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// Whether one address is another, or lies within it.
pub fn is_within(address: &str, of: &str) -> bool {
    address.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
