//! Citations: 《行政处罚法》第十五条第二款第一项.

use std::fmt;

use super::numeral::{is_of_number, number};

/// Where in a text something is: the article, and what in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// The article.
    pub article: u32,
    /// Which of those inserted after it, from 1 on; 0 is the article itself.
    pub inserted: u32,
    /// 款.
    pub paragraph: Option<u32>,
    /// 项.
    pub item: Option<u32>,
    /// 目.
    pub point: Option<u32>,
}

impl fmt::Display for Address {
    /// As parts are addressed: an item of which no paragraph is named is of the first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.article)?;
        if self.inserted > 0 {
            write!(f, "-{}", self.inserted)?;
        }
        let paragraph = self.paragraph.or(self.item.map(|_| 1));
        let each = [paragraph, self.item, self.point];
        each.into_iter().map_while(|n| n).try_for_each(|n| write!(f, ".{n}"))
    }
}

impl Address {
    /// Reads what stands behind a title: 第十五条之一第二款第（一）项. None of what begins otherwise; what follows it is left.
    fn read(text: &str) -> Option<Self> {
        let (article, mut rest) = step(text, "条")?;
        let mut inserted = 0;
        if let Some(after) = rest.strip_prefix('之') {
            let end = after.find(|c| !is_of_number(c)).unwrap_or(after.len());
            if let Some((digits, after)) = after.split_at_checked(end)
                && let Some(n) = number(digits)
            {
                (inserted, rest) = (n, after);
            }
        }
        let mut next = |word| {
            let (n, after) = step(rest, word)?;
            rest = after;
            Some(n)
        };
        let (paragraph, item) = (next("款"), next("项"));
        let point = item.and_then(|_| next("目"));
        Some(Self { article, inserted, paragraph, item, point })
    }
}

/// 第…条: a number that is named by a word, in brackets or not.
fn step<'t>(text: &'t str, word: &str) -> Option<(u32, &'t str)> {
    let rest = text.trim_start().strip_prefix('第')?;
    let rest = rest.strip_prefix(['（', '(']).unwrap_or(rest);
    let end = rest.find(|c| !is_of_number(c))?;
    let (digits, rest) = rest.split_at_checked(end)?;
    let rest = rest.strip_prefix(['）', ')']).unwrap_or(rest);
    Some((number(digits)?, rest.strip_prefix(word)?))
}

/// A citation of a text, and perhaps of a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Citation {
    /// The title, as it is cited.
    pub title: String,
    /// Where in it.
    pub at: Option<Address>,
}

/// The most citations that are read of one text.
const MOST: usize = 1_000;

impl Citation {
    /// Reads the citation that a text begins with.
    pub fn read(text: &str) -> Option<Self> {
        let rest = text.trim_start().strip_prefix('《')?;
        // A title may have another in it: 《关于修改〈…〉的决定》 is written so; some write 《 twice.
        let mut depth = 1usize;
        let end = rest.char_indices().find_map(|(at, c)| {
            match c {
                '《' => depth += 1,
                '》' => depth -= 1,
                _ => {}
            }
            (depth == 0).then_some(at)
        })?;
        let (title, rest) = rest.split_at_checked(end)?;
        let rest = rest.strip_prefix('》').unwrap_or(rest);
        // （2021年修订） may stand between title and article.
        let rest = match rest.strip_prefix('（').and_then(|rest| rest.split_once('）')) {
            Some((_, after)) => after,
            None => rest,
        };
        (!title.trim().is_empty())
            .then(|| Self { title: title.trim().to_owned(), at: Address::read(rest) })
    }

    /// All citations in a text, in its order.
    pub fn all(text: &str) -> Vec<Self> {
        let starts = text.match_indices('《').filter_map(|(at, _)| text.get(at..));
        starts.filter_map(Self::read).take(MOST).collect()
    }

    /// A title as it is compared: without the name of the state and blanks.
    pub fn plain_title(title: &str) -> String {
        let bare: String = title.chars().filter(|c| !c.is_whitespace()).collect();
        let bare = bare.strip_prefix('《').and_then(|t| t.strip_suffix('》')).unwrap_or(&bare);
        bare.strip_prefix("中华人民共和国").filter(|t| !t.is_empty()).unwrap_or(bare).to_owned()
    }
}
