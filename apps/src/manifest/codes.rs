//! Reading a code list: CSV (RFC 4180) with a header.

use std::collections::BTreeMap;

use super::{
    mistake::{Mistake, What},
    module::Both,
    reader::{At, File, Mistakes, is_name},
};
use crate::{
    civil::Date,
    codes::{Code, Codes},
    nearest::nearest,
};

/// The columns that must be there, and one that may.
const COLUMNS: [&str; 5] = ["code", "zh-CN", "en", "from", "until"];
const PARENT: &str = "parent";

/// The longest code, in characters: people type it.
const MOST_CODE: usize = 60;

/// How often the meaning of one code may change.
const MOST_TIMES: usize = 100;

/// A list that stands for itself.
///
/// # Errors
/// All mistakes that there are.
pub(crate) fn read_codes(name: &str, text: &str) -> Result<Codes, Vec<Mistake>> {
    let mistakes = Mistakes::default();
    let path = format!("{name}.csv");
    let found = codes(File { path: &path, text, lines: &[], mistakes: &mistakes }, name);
    let mistakes = mistakes.into_vec();
    if mistakes.is_empty() { Ok(found) } else { Err(mistakes) }
}

/// The list of a file. What is wrong with it is said.
pub(super) fn codes(file: File<'_>, name: &str) -> Codes {
    let at = |line| At { file: file.path.to_owned(), line };
    let wrong = |line: usize, what: What| file.mistakes.add(&at(line), what);
    if !is_name(name) {
        wrong(1, What::Name(name.to_owned()));
    }
    let mut codes = Codes { at: at(1), name: name.to_owned(), codes: BTreeMap::new() };
    // What spreadsheets put in front of a file.
    let text = file.text.strip_prefix('\u{feff}').unwrap_or(file.text);
    let mut lines = match lines(text) {
        Ok(lines) => lines.into_iter(),
        Err(line) => {
            wrong(line, What::Csv);
            return codes;
        }
    };
    let Some((_, header)) = lines.next() else {
        wrong(1, What::MissingKey { key: "code".into() });
        return codes;
    };
    let mut places = BTreeMap::new();
    for (place, column) in header.iter().enumerate() {
        let known = COLUMNS.into_iter().chain([PARENT]);
        match known.clone().find(|known| known == column) {
            Some(known) if places.insert(known, place).is_some() => {
                wrong(1, What::Twice(column.clone()));
            }
            Some(_) => {}
            None => {
                let nearest = nearest(column, known).map(str::to_owned);
                wrong(1, What::UnknownKey { key: column.clone(), nearest });
            }
        }
    }
    let missing: Vec<_> = COLUMNS.into_iter().filter(|known| !places.contains_key(known)).collect();
    for column in &missing {
        wrong(1, What::MissingKey { key: (*column).to_owned() });
    }
    if !missing.is_empty() {
        return codes;
    }
    for (line, cells) in lines {
        if cells.len() != header.len() {
            wrong(line, What::Csv);
            continue;
        }
        let text = |column: &str| -> &str {
            let cell = places.get(column).and_then(|place| cells.get(*place));
            cell.map(|cell| cell.trim()).unwrap_or_default()
        };
        let mut good = true;
        for must in ["code", "zh-CN", "en"] {
            if text(must).is_empty() {
                wrong(line, What::MissingKey { key: must.to_owned() });
                good = false;
            }
        }
        let mut day = |column: &str| match text(column) {
            "" => None,
            given => {
                let day = given.parse::<Date>().ok();
                if day.is_none() {
                    wrong(line, What::Kind { key: column.to_owned(), wanted: "YYYY-MM-DD" });
                    good = false;
                }
                day
            }
        };
        let (from, until) = (day("from"), day("until"));
        if from.zip(until).is_some_and(|(from, until)| until < from) {
            wrong(line, What::Order(text("until").to_owned()));
            good = false;
        }
        let code = text("code");
        if code.chars().count() > MOST_CODE || code.chars().any(char::is_control) {
            wrong(line, What::Name(code.to_owned()));
            good = false;
        }
        if !good {
            continue;
        }
        let names = Both { zh: text("zh-CN").to_owned(), en: text("en").to_owned() };
        let parent = Some(text(PARENT)).filter(|parent| !parent.is_empty()).map(str::to_owned);
        let found = Code { at: at(line), names, parent, from, until };
        let all = codes.codes.entry(code.to_owned()).or_default();
        if all.len() == MOST_TIMES {
            wrong(line, What::TableSize { table: code.to_owned(), most: MOST_TIMES });
        } else if all.iter().any(|known| known.meets(&found)) {
            wrong(line, What::Twice(code.to_owned()));
        } else {
            all.push(found);
        }
    }
    if codes.codes.is_empty() {
        wrong(1, What::MissingKey { key: "code".into() });
    }
    parents(&codes, &wrong);
    codes
}

/// What a code is under holds whenever it does, at its beginning and its end at the least, and leads back to nothing.
fn parents(codes: &Codes, wrong: &impl Fn(usize, What)) {
    for (code, all) in &codes.codes {
        for found in all {
            let Some(parent) = &found.parent else { continue };
            let held = codes.codes.get(parent);
            let ever = |day: Option<Date>| match (held, day) {
                (None, _) => false,
                (Some(held), Some(day)) => held.iter().any(|parent| parent.holds(day)),
                // Without a beginning or an end, it needs one of which that is so too.
                (Some(_), None) => true,
            };
            let open = |end: fn(&Code) -> Option<Date>| {
                end(found).is_some()
                    || held.is_some_and(|held| held.iter().any(|parent| end(parent).is_none()))
            };
            let whole = open(|code| code.from) && open(|code| code.until);
            if !whole || !ever(found.from) || !ever(found.until) {
                let what = What::Undeclared { kind: "code", name: parent.clone(), nearest: None };
                wrong(found.at.line, what);
                continue;
            }
            let day = found.from.or(found.until);
            let day = day.or_else(|| "2000-01-01".parse().ok());
            if let Some(day) = day
                && let (mut way, true) = codes.above(code, day)
            {
                way.insert(0, code.clone());
                wrong(found.at.line, What::Circle(way));
                return;
            }
        }
    }
}

/// The lines of a CSV text, each with its number; or the number of the first that is none.
pub(super) fn lines(text: &str) -> Result<Vec<(usize, Vec<String>)>, usize> {
    let (mut all, mut cells, mut cell) = (Vec::new(), Vec::new(), String::new());
    let (mut line, mut begun) = (1, 1);
    let mut rest = text.chars().peekable();
    // Whether a cell in quotes has ended, after which nothing stands but a separator.
    let mut closed = false;
    while let Some(c) = rest.next() {
        match c {
            '"' if cell.is_empty() && !closed => loop {
                match rest.next() {
                    None => return Err(begun),
                    Some('"') if rest.peek() == Some(&'"') => {
                        rest.next();
                        cell.push('"');
                    }
                    Some('"') => {
                        closed = true;
                        break;
                    }
                    Some(c) => {
                        line += usize::from(c == '\n');
                        cell.push(c);
                    }
                }
            },
            ',' => {
                cells.push(std::mem::take(&mut cell));
                closed = false;
            }
            '\r' if rest.peek() == Some(&'\n') => {}
            '\n' => {
                let empty = cells.is_empty() && cell.is_empty() && !closed;
                cells.push(std::mem::take(&mut cell));
                let whole = std::mem::take(&mut cells);
                if !empty {
                    all.push((begun, whole));
                }
                closed = false;
                line += 1;
                begun = line;
            }
            '"' => return Err(begun),
            _ if closed => return Err(begun),
            c => cell.push(c),
        }
    }
    if !cells.is_empty() || !cell.is_empty() || closed {
        cells.push(cell);
        all.push((begun, cells));
    }
    Ok(all)
}
