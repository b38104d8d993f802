//! Cutting a text: line for line, by what stands in front of each.

use std::collections::BTreeSet;

use super::{
    Level, Part, is_within,
    numeral::{is_of_number, number},
};

/// The most bytes of a text that is cut.
pub const MOST_TEXT: usize = 4 << 20;

/// The most parts of a text.
pub const MOST_PARTS: usize = 50_000;

/// A text in its parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cut {
    /// The parts, in the order of the text, each before what lies within it.
    pub parts: Vec<Part>,
    /// Where the numbers do not follow each other. The words are there all the same.
    pub strays: Vec<Stray>,
}

/// A number that does not follow that before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// The line, from 1 on.
    pub line: usize,
    /// What stands there.
    pub label: String,
    /// The number that was to come.
    pub wanted: u32,
}

impl Cut {
    /// Whether it has articles, and every number follows that before it.
    pub fn is_whole(&self) -> bool {
        self.strays.is_empty() && self.parts.iter().any(|part| part.level == Level::Article)
    }

    /// The same with nothing deeper than a level: what lay below is words of what it lay in.
    #[must_use]
    pub fn down_to(self, deepest: Level) -> Self {
        let mut parts: Vec<Part> = Vec::new();
        for part in self.parts {
            let into = (part.level > deepest).then(|| parts.last_mut()).flatten();
            match into {
                Some(last) => {
                    let between = if last.text.is_empty() { "" } else { "\n" };
                    last.text.push_str(&[between, &part.label, &part.text].concat());
                }
                None => parts.push(part),
            }
        }
        Self { parts, strays: self.strays }
    }
}

/// What a line begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Heading(Level, u32),
    /// 第十五条, and which inserted after it: 之一.
    Article(u32, u32),
    /// 一、
    Comma(u32),
    /// （一）
    Bracket(u32),
    /// 1. （1） ①
    Digit(u32),
    Annex,
    Preamble,
    Nothing,
}

/// What a line begins with, how long that is in bytes, and whether something is between it and the words.
fn mark(line: &str) -> (Mark, usize) {
    let after = |rest: &str| line.len() - rest.len();
    if let Some(rest) = line.strip_prefix('第')
        && let Some((n, rest)) = leading_number(rest)
    {
        let headings = [
            ("分编", Level::Division),
            ("编", Level::Book),
            ("章", Level::Chapter),
            ("节", Level::Section),
        ];
        for (word, level) in headings {
            if let Some(rest) = rest.strip_prefix(word)
                && is_apart(rest)
                && line.chars().nth(LONGEST_HEADING).is_none()
            {
                return (Mark::Heading(level, n), after(rest));
            }
        }
        if let Some(rest) = rest.strip_prefix('条') {
            let (inserted, rest) = match rest.strip_prefix('之').and_then(leading_number) {
                Some((k, rest)) if k > 0 => (k, rest),
                _ => (0, rest),
            };
            if is_apart(rest) || is_words(rest) {
                return (Mark::Article(n, inserted), after(rest));
            }
        }
        return (Mark::Nothing, 0);
    }
    for (open, close) in [('（', '）'), ('(', ')'), ('（', ')'), ('(', '）')] {
        if let Some(rest) = line.strip_prefix(open)
            && let Some((n, rest)) = leading_number(rest)
            && let Some(rest) = rest.strip_prefix(close)
        {
            let digits = line.chars().nth(1).is_some_and(|c| c.is_ascii_digit());
            let mark = if digits { Mark::Digit(n) } else { Mark::Bracket(n) };
            return (mark, after(rest));
        }
    }
    if let Some(first) = line.chars().next()
        && let Some(n) = enclosed(first)
    {
        return (Mark::Digit(n), first.len_utf8());
    }
    if let Some((n, rest)) = leading_number(line) {
        let plain = line.starts_with(|c: char| c.is_ascii_digit() || ('０'..='９').contains(&c));
        if let Some(rest) = rest.strip_prefix('、') {
            return (if plain { Mark::Digit(n) } else { Mark::Comma(n) }, after(rest));
        }
        // 1.5 is a number, and no point.
        if plain
            && let Some(rest) = rest.strip_prefix(['.', '．'])
            && !rest.starts_with(is_of_number)
        {
            return (Mark::Digit(n), after(rest));
        }
        return (Mark::Nothing, 0);
    }
    for word in ["附件", "附录", "附表", "附"] {
        if let Some(rest) = line.strip_prefix(word) {
            let numbered = leading_number(rest).map_or(rest, |(_, rest)| rest);
            let ends = numbered.is_empty() || numbered.starts_with(['：', ':', ' ', '\u{3000}']);
            if ends && line.chars().nth(LONGEST_HEADING).is_none() {
                return (Mark::Annex, 0);
            }
        }
    }
    let bare: String = line.chars().filter(|c| !c.is_whitespace()).take(3).collect();
    match bare.as_str() {
        "序言" | "前言" => (Mark::Preamble, 0),
        _ => (Mark::Nothing, 0),
    }
}

/// The most characters of a heading.
const LONGEST_HEADING: usize = 60;

fn leading_number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c| !is_of_number(c)).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    Some((number(digits)?, rest))
}

/// ① and ⑴ and ⒈, which stand for their numbers.
fn enclosed(c: char) -> Option<u32> {
    let first = ['①', '⑴', '⒈'].into_iter().find(|first| (*first..).take(20).any(|k| k == c))?;
    Some(u32::from(c) - u32::from(first) + 1)
}

/// Whether words stand apart from what is before them.
fn is_apart(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(char::is_whitespace)
}

/// Whether what follows an article's number without a blank are its words, and not more of a citation.
fn is_words(rest: &str) -> bool {
    !rest.starts_with([
        '第', '款', '项', '规', '的', '、', '和', '至', '所', '中', '或', '，', '。', '与', '及',
        '之', '修', '增', '删', '改', '”', '》', '）', '；', '：',
    ])
}

struct Cutting {
    cut: Cut,
    taken: BTreeSet<String>,
    /// The headings that a line stands under: what they are, their numbers and addresses.
    headings: Vec<(Level, u32, String)>,
    /// The article that was last, and what was inserted after it.
    article: Option<(u32, u32)>,
    /// The address of what paragraphs are of: an article, an annex, the preamble.
    of: String,
    paragraph: u32,
    item: u32,
    point: u32,
    annexes: u32,
    /// The item that was last in its article, whatever paragraphs followed: where its part is, its paragraph and number, and whether
    /// it is in brackets.
    last: Option<(usize, u32, u32, bool)>,
    /// Of a text without articles, 一、 stands for one.
    by_comma: bool,
    line: usize,
}

/// Cuts a text of law into its parts. What is beyond [`MOST_TEXT`] or [`MOST_PARTS`] is not cut: its words are of the last part.
pub fn cut(text: &str) -> Cut {
    let lines = || text.lines().map(plain).enumerate().filter(|(_, line)| !line.is_empty());
    let by_comma = !lines().any(|(_, line)| matches!(mark(line).0, Mark::Article(..)));
    let mut cutting = Cutting {
        cut: Cut::default(),
        taken: BTreeSet::new(),
        headings: Vec::new(),
        article: None,
        of: "0".into(),
        paragraph: 0,
        item: 0,
        point: 0,
        annexes: 0,
        last: None,
        by_comma,
        line: 0,
    };
    let mut seen = 0usize;
    for (number, line) in lines() {
        cutting.line = number + 1;
        seen = seen.saturating_add(line.len());
        // One line makes two parts at most.
        match seen > MOST_TEXT || cutting.cut.parts.len() + 2 > MOST_PARTS {
            true => cutting.cut.add(line),
            false => cutting.take(line),
        }
    }
    cutting.cut
}

/// A text in paragraphs, of which each line is one: `1`, `2`, …
pub fn paragraphs(text: &str) -> Cut {
    let mut cut = Cut::default();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match cut.parts.len() >= MOST_PARTS {
            true => cut.add(line),
            false => cut.parts.push(Part {
                address: (cut.parts.len() + 1).to_string(),
                level: Level::Paragraph,
                label: String::new(),
                text: line.to_owned(),
            }),
        }
    }
    cut
}

/// A line without blanks around it, and without the marks by which plain texts write headings.
fn plain(line: &str) -> &str {
    line.trim().trim_start_matches('#').trim()
}

impl Cut {
    /// Words that are of the last part.
    fn add(&mut self, line: &str) {
        if let Some(last) = self.parts.last_mut() {
            if !last.text.is_empty() {
                last.text.push('\n');
            }
            last.text.push_str(line);
        }
    }
}

impl Cutting {
    fn take(&mut self, line: &str) {
        let (mark, length) = mark(line);
        let (label, rest) = line.split_at_checked(length).unwrap_or(("", line));
        let rest = rest.trim_start();
        // What an annex says is the annex's, whatever numbers it has.
        let in_annex = self.annexes > 0;
        match mark {
            Mark::Annex => self.annex(line),
            _ if in_annex => self.words(line),
            Mark::Heading(level, n) => self.heading(level, n, label, rest),
            Mark::Article(n, inserted) => self.article(n, inserted, label, rest),
            Mark::Comma(n) if self.by_comma => self.article(n, 0, label, rest),
            Mark::Preamble if self.article.is_none() && self.headings.is_empty() => {
                if self.put("0".into(), Level::Preamble, line, "") {
                    self.paragraph = 0;
                }
            }
            Mark::Comma(n) | Mark::Bracket(n) if self.article.is_some() => {
                let bracket = matches!(mark, Mark::Bracket(_));
                self.go_on(n, bracket);
                self.item(n, label, rest, line);
                if self.item == n {
                    let at = self.cut.parts.len().saturating_sub(1);
                    self.last = Some((at, self.paragraph, n, bracket));
                }
            }
            Mark::Digit(n) if self.article.is_some() => self.point(n, label, rest, line),
            _ => self.words(line),
        }
    }

    /// Puts a part under an address that nothing has yet.
    fn put(&mut self, address: String, level: Level, label: &str, text: &str) -> bool {
        if !self.taken.insert(address.clone()) {
            return false;
        }
        let (label, text) = (label.to_owned(), text.to_owned());
        self.cut.parts.push(Part { address, level, label, text });
        true
    }

    fn stray(&mut self, label: &str, wanted: u32) {
        self.cut.strays.push(Stray { line: self.line, label: label.to_owned(), wanted });
    }

    fn heading(&mut self, level: Level, n: u32, label: &str, rest: &str) {
        let before = self.headings.iter().find(|(known, ..)| *known == level).map(|(_, n, _)| *n);
        self.headings.retain(|(known, ..)| *known < level);
        let letter = match level {
            Level::Book => 'b',
            Level::Division => 'd',
            Level::Chapter => 'c',
            _ => 's',
        };
        let above = self.headings.last().map(|(.., address)| format!("{address}."));
        let address = format!("{}{letter}{n}", above.unwrap_or_default());
        // A text may be a piece of another, and begin in its middle.
        let wanted = before.map_or(n, |n| n + 1);
        if n != wanted {
            self.stray(label, wanted);
        }
        // No list goes on behind a heading.
        self.last = None;
        if self.put(address.clone(), level, label, rest) {
            self.headings.push((level, n, address));
        } else {
            self.words(&format!("{label} {rest}"));
        }
    }

    fn article(&mut self, n: u32, inserted: u32, label: &str, rest: &str) {
        let follows = match self.article {
            None => inserted <= 1,
            Some((last, k)) => (n, inserted) == (last + 1, 0) || (n, inserted) == (last, k + 1),
        };
        if !follows {
            self.stray(label, self.article.map_or(1, |(last, _)| last + 1));
        }
        let address = match inserted {
            0 => n.to_string(),
            k => format!("{n}-{k}"),
        };
        if !self.put(address.clone(), Level::Article, label, "") {
            return self.words(&[label, rest].concat());
        }
        self.article = Some((n, inserted));
        self.of = address;
        self.last = None;
        (self.paragraph, self.item, self.point) = (0, 0, 0);
        if !rest.is_empty() {
            self.words(rest);
        }
    }

    /// A paragraph of what it stands in.
    fn words(&mut self, line: &str) {
        self.paragraph += 1;
        (self.item, self.point) = (0, 0);
        let address = format!("{}.{}", self.of, self.paragraph);
        if !self.put(address, Level::Paragraph, "", line) {
            self.cut.add(line);
        }
    }

    /// Where an item follows one after which paragraphs came, those were more of that item: lists begin with their first.
    fn go_on(&mut self, n: u32, bracket: bool) {
        let Some((at, paragraph, last, same)) = self.last else { return };
        if n == self.item + 1 || n != last + 1 || bracket != same {
            return;
        }
        let Some(of) = self.cut.parts.get(at).map(|part| part.address.clone()) else { return };
        for part in self.cut.parts.split_off(at + 1) {
            if is_within(&part.address, &of) {
                self.cut.parts.push(part);
            } else {
                self.taken.remove(&part.address);
                self.cut.add(&[part.label, part.text].concat());
            }
        }
        (self.paragraph, self.item, self.point) = (paragraph, last, 0);
    }

    fn item(&mut self, n: u32, label: &str, rest: &str, line: &str) {
        if n != self.item + 1 {
            self.stray(label, self.item + 1);
        }
        // Items stand in a paragraph, also where it has no words of its own.
        self.paragraph = self.paragraph.max(1);
        let address = format!("{}.{}.{n}", self.of, self.paragraph);
        match self.put(address, Level::Item, label, rest) {
            true => (self.item, self.point) = (n, 0),
            false => self.cut.add(line),
        }
    }

    /// A numbered line: a point of an item, or an item where there is none.
    fn point(&mut self, n: u32, label: &str, rest: &str, line: &str) {
        if self.item == 0 {
            return self.item(n, label, rest, line);
        }
        if n == self.point + 1 {
            let address = format!("{}.{}.{}.{n}", self.of, self.paragraph, self.item);
            if self.put(address, Level::Point, label, rest) {
                self.point = n;
                return;
            }
        }
        // Of items that are numbered this way, it may be the next.
        match n == self.item + 1 {
            true => self.item(n, label, rest, line),
            false => self.cut.add(line),
        }
    }

    fn annex(&mut self, line: &str) {
        self.annexes += 1;
        let address = format!("a{}", self.annexes);
        if self.put(address.clone(), Level::Annex, line, "") {
            self.of = address;
            (self.paragraph, self.item, self.point) = (0, 0, 0);
        }
    }
}
