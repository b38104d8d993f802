//! What one folder changes against another: a child against what it extends, a new version against that in force. Nothing escapes
//! it: whatever differs is named, and what is not known to be harmless touches a guard.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::{
    extends::Whole,
    reader::{At, Mistakes},
    toml_tree::{Tree, tree},
};
use crate::{civil::Period, folder::Folder, words::Words};

/// What a change touches. All but the last need two officers where the module is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Touches {
    /// What must hold before something may be done, or what comes of it.
    Guard,
    /// Who may do or ask what, and whose matter it is.
    Policy,
    /// When something ends, and what comes of that.
    Deadline,
    /// Who reads what.
    Publicity,
    /// Names, texts, numbers of the law, stories.
    Other,
}

impl Touches {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Guard => "guard",
            Self::Policy => "policy",
            Self::Deadline => "deadline",
            Self::Publicity => "publicity",
            Self::Other => "other",
        }
    }
}

/// Whether more is possible than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loosens {
    /// It is.
    Yes,
    /// A formula is another: nobody can say without reading it.
    Perhaps,
    /// It is not.
    No,
}

/// How something changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It was not there.
    Added,
    /// It is there no more.
    Removed,
    /// It is otherwise.
    Changed,
}

/// A change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where: in the new folder, or, of what was taken away, in the old.
    pub at: At,
    /// What: `cases/item/act.review.not_by`.
    pub path: String,
    /// How.
    pub how: How,
    /// What it touches.
    pub touches: Touches,
    /// Whether more is possible by it.
    pub loosens: Loosens,
    /// What was written.
    pub before: String,
    /// What is written.
    pub after: String,
}

impl Folder {
    /// What a folder changes against the one that it extends; nothing if it extends none.
    pub fn overrides(&self) -> Vec<Change> {
        self.above().map(|above| self.changes(above)).unwrap_or_default()
    }

    /// What a folder changes against another, each with all that it extends.
    pub fn changes(&self, before: &Self) -> Vec<Change> {
        let quiet = Mistakes::default();
        let (old, new) = (Whole::of(before, &quiet), Whole::of(self, &quiet));
        let mut found = Vec::new();
        let paths: BTreeSet<&str> =
            old.folder.files().chain(new.folder.files()).map(|(path, _)| path).collect();
        for path in paths {
            file(path, &old, &new, &mut found);
        }
        found.sort_by(|a, b| (a.touches, a.loosens, &a.path).cmp(&(b.touches, b.loosens, &b.path)));
        found
    }
}

/// What is written, shortened: whoever wants all of it reads the file.
const MOST_SHOWN: usize = 120;

fn shown(text: &str) -> String {
    match text.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn file(path: &str, old: &Whole<'_>, new: &Whole<'_>, found: &mut Vec<Change>) {
    let (before, after) = (old.folder.file(path), new.folder.file(path));
    let kind = path.split_once('/').map_or("", |(kind, _)| kind);
    if before == after || matches!(kind, "scenarios" | "samples" | "docs" | "migrations") {
        return;
    }
    // Lines between texts say nothing.
    let words = |text: Option<&str>| text.map(|text| Words::read(text).0);
    if path.ends_with(".ftl") && words(before) == words(after) {
        return;
    }
    let at = |of: &Whole<'_>, line: usize| of.at(&At { file: path.to_owned(), line });
    let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
    let of = |text: Option<&str>, whole: &Whole<'_>| {
        text.and_then(|text| tree(text, &|line| at(whole, line)))
    };
    if path.ends_with(".toml") {
        let empty = || Tree::Table { at: at(new, 1), fields: Vec::new() };
        let (mut one, mut other) =
            (of(before, old).unwrap_or_else(empty), of(after, new).unwrap_or_else(empty));
        if path == "module.toml" {
            for tree in [&mut one, &mut other] {
                let Tree::Table { fields, .. } = tree else { continue };
                let own = ["module", "version", "extends", "changes"];
                fields.retain(|(key, ..)| !own.contains(&key.as_str()));
            }
        }
        let whole = match (before, after) {
            (None, _) => Some(How::Added),
            (_, None) => Some(How::Removed),
            _ => None,
        };
        let mut diff = Diff { kind, stem, path: Vec::new(), found };
        match whole {
            Some(how) => diff.whole(how, &one, &other),
            None => diff.trees(&one, &other),
        }
        return;
    }
    let how = match (before, after) {
        (None, _) => How::Added,
        (_, None) => How::Removed,
        _ => How::Changed,
    };
    let (touches, loosens) = match (kind, before, after) {
        ("forms", Some(before), Some(after)) => form(before, after),
        ("forms", None, _) => (Touches::Guard, Loosens::No),
        ("forms", ..) => (Touches::Guard, Loosens::Yes),
        ("texts" | "codes", ..) | ("", ..) if !path.ends_with(".cedar") => {
            (Touches::Other, Loosens::No)
        }
        _ => (Touches::Policy, Loosens::Perhaps),
    };
    let place = at(if after.is_some() { new } else { old }, 1);
    let (before, after) = (String::new(), String::new());
    let path = path.to_owned();
    found.push(Change { at: place, path, how, touches, loosens, before, after });
}

struct Diff<'d> {
    kind: &'d str,
    stem: &'d str,
    path: Vec<String>,
    found: &'d mut Vec<Change>,
}

impl Diff<'_> {
    /// A file that is there on one side alone.
    fn whole(&mut self, how: How, old: &Tree, new: &Tree) {
        let empty = Tree::Leaf(Vec::new());
        match how {
            How::Removed => self.push(how, old, &empty, &place(old)),
            _ => self.push(how, &empty, new, &place(new)),
        }
    }

    fn trees(&mut self, old: &Tree, new: &Tree) {
        let (Tree::Table { fields: before, .. }, Tree::Table { fields: after, .. }) = (old, new)
        else {
            if !old.same(new) {
                self.push(How::Changed, old, new, &place(new));
            }
            return;
        };
        let empty = Tree::Leaf(Vec::new());
        for (key, at, one) in before {
            self.path.push(key.clone());
            match after.iter().find(|(known, ..)| known == key) {
                Some((_, _, other)) => self.trees(one, other),
                None => self.push(How::Removed, one, &empty, at),
            }
            self.path.pop();
        }
        for (key, at, other) in after {
            if before.iter().all(|(known, ..)| known != key) {
                self.path.push(key.clone());
                self.push(How::Added, &empty, other, at);
                self.path.pop();
            }
        }
    }

    fn push(&mut self, how: How, old: &Tree, new: &Tree, at: &At) {
        // Of a group that is new or gone as a whole, each member is named: [need], [hide].
        if let (How::Added, Tree::Table { fields, .. }) | (How::Removed, Tree::Table { fields, .. }) =
            (how, if how == How::Added { new } else { old })
            && self.is_group()
        {
            let empty = Tree::Leaf(Vec::new());
            for (key, at, tree) in fields {
                self.path.push(key.clone());
                match how {
                    How::Removed => self.push(how, tree, &empty, at),
                    _ => self.push(how, &empty, tree, at),
                }
                self.path.pop();
            }
            return;
        }
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let (before, after) = (old.text(), new.text());
        let (touches, loosens) = match self.kind {
            "cases" => case(&path, how, &before, &after),
            "registries" => registry(&path, how, &before, &after),
            "tables" | "codes" | "texts" | "templates" => (Touches::Other, Loosens::No),
            "" if self.stem == "module" => module(&path, how),
            // Whatever else there is.
            _ => (Touches::Guard, Loosens::Perhaps),
        };
        let path = match path.is_empty() {
            true => self.stem.to_owned(),
            false => format!("{}/{}", self.stem, path.join(".")),
        };
        let (before, after) = (shown(&before), shown(&after));
        self.found.push(Change { at: at.clone(), path, how, touches, loosens, before, after });
    }

    /// Whether what stands here are named things, each for itself.
    fn is_group(&self) -> bool {
        let groups = [
            "act",
            "state",
            "due",
            "round",
            "need",
            "unique",
            "hide",
            "who",
            "let",
            "set",
            "then",
            "ask",
            "seal",
            "duplicate",
            "limit",
            "role",
            "param",
            "number",
            "index",
            "from",
        ];
        let named = self.path.len() % 2 == 1;
        let own = self.path.last().is_some_and(|key| groups.contains(&key.as_str()));
        // `from` and `then` are also keys of acts and deadlines: only a table has members.
        named && own
    }
}

fn place(tree: &Tree) -> At {
    match tree {
        Tree::Table { at, .. } => at.clone(),
        Tree::Leaf(lines) => lines.first().map(|(_, at)| at.clone()).unwrap_or_default(),
    }
}

use How::{Added, Changed, Removed};

/// The names of a list, or the one.
fn names(text: &str) -> BTreeSet<&str> {
    text.split(['[', ']', ',', '"', ' ']).filter(|name| !name.is_empty()).collect()
}

/// Of a list whose every member allows something: whether there are more.
fn more(before: &str, after: &str) -> Loosens {
    let (old, new) = (names(before), names(after));
    if new.is_subset(&old) { Loosens::No } else { Loosens::Yes }
}

/// Of a list whose every member forbids something: whether there are fewer.
fn fewer(before: &str, after: &str) -> Loosens {
    more(after, before)
}

fn gone(how: How) -> Loosens {
    match how {
        Added => Loosens::No,
        Removed => Loosens::Yes,
        Changed => Loosens::Perhaps,
    }
}

fn come(how: How) -> Loosens {
    match how {
        Added => Loosens::Yes,
        Removed => Loosens::No,
        Changed => Loosens::Perhaps,
    }
}

/// Whether one count is more than another; one that is not there bounds nothing.
fn most(before: &str, after: &str) -> Loosens {
    match (before.parse::<i64>(), after.parse::<i64>()) {
        (Ok(before), Ok(after)) if after <= before => Loosens::No,
        (Err(_), Ok(_)) => Loosens::No,
        _ => Loosens::Yes,
    }
}

/// Whether a term is longer.
fn longer(before: &str, after: &str) -> Loosens {
    let period = |text: &str| text.trim_matches('"').parse::<Period>().ok();
    match (period(before), period(after)) {
        (Some(old), Some(new)) if old.unit == new.unit => match new.count > old.count {
            true => Loosens::Yes,
            false => Loosens::No,
        },
        _ => Loosens::Perhaps,
    }
}

fn case(path: &[&str], how: How, before: &str, after: &str) -> (Touches, Loosens) {
    use Touches::{Deadline, Guard, Other, Policy, Publicity};
    match path {
        // A whole case.
        [] => (Policy, come(how)),
        ["act", _, rest @ ..] => act(rest, how, before, after),
        ["due", _] => (Deadline, gone(how)),
        ["due", _, "in"] => (Deadline, longer(before, after)),
        ["due", _, "pause" | "extend" | "restart", ..] => (Deadline, come(how)),
        ["due", _, "law"] => (Deadline, Loosens::No),
        ["due", ..] | ["count"] => (Deadline, Loosens::Perhaps),
        ["public"] => (Publicity, come(how)),
        ["hide", _] => (Publicity, gone(how)),
        ["hide", ..] | ["subject"] => (Publicity, Loosens::Perhaps),
        ["readers"] => (Publicity, more(before, after)),
        ["who", ..] | ["office"] => {
            (Policy, if how == Added { Loosens::No } else { Loosens::Perhaps })
        }
        ["unique", _] => (Guard, gone(how)),
        ["state", _] => (Guard, Loosens::No),
        ["let", _] if how == Added => (Other, Loosens::No),
        ["title" | "number" | "index", ..] => (Other, Loosens::No),
        _ => (Guard, Loosens::Perhaps),
    }
}

fn act(path: &[&str], how: How, before: &str, after: &str) -> (Touches, Loosens) {
    use Touches::{Guard, Policy};
    match path {
        // Whoever may do something new has more power than before.
        [] => (Policy, come(how)),
        ["by"] => (Policy, more(before, after)),
        ["not_by"] => (Policy, fewer(before, after)),
        ["need" | "unique", _] => (Guard, gone(how)),
        ["need", _, "else"] => {
            (Guard, if after.contains("flag") { Loosens::Yes } else { Loosens::No })
        }
        ["need" | "unique", _, "law" | "say"] | ["law"] => (Guard, Loosens::No),
        ["from"] => (Guard, more(before, after)),
        ["after" | "before"] => (Guard, fewer(before, after)),
        ["reason"] => (Guard, if after == "true" { Loosens::No } else { Loosens::Yes }),
        ["at_most"] => (Guard, most(before, after)),
        _ => (Guard, Loosens::Perhaps),
    }
}

fn registry(path: &[&str], how: How, before: &str, after: &str) -> (Touches, Loosens) {
    use Touches::{Guard, Policy, Publicity};
    match path {
        [] | ["ask", _] => (Publicity, come(how)),
        ["ask", _, "by"] => (Policy, more(before, after)),
        ["ask", _, "purpose"] => (Policy, more(before, after)),
        ["ask", _, "need", _] => (Guard, gone(how)),
        ["ask", _, "law"] => (Publicity, Loosens::No),
        ["ask" | "seal" | "subject", ..] if path.len() != 2 => (Publicity, Loosens::Perhaps),
        ["seal", _] => (Publicity, gone(how)),
        ["unique" | "duplicate", _] => (Guard, gone(how)),
        ["index", ..] => (Touches::Other, Loosens::No),
        _ => (Guard, Loosens::Perhaps),
    }
}

fn module(path: &[&str], how: How) -> (Touches, Loosens) {
    use Touches::{Deadline, Guard, Other, Policy};
    match path {
        ["names" | "laws" | "publisher" | "effective", ..] => (Other, Loosens::No),
        ["law"] => (Guard, Loosens::No),
        ["count" | "zone"] => (Deadline, Loosens::Perhaps),
        ["role", _] if how != Changed => (Policy, Loosens::No),
        ["role", ..] => (Policy, Loosens::Perhaps),
        _ => (Guard, Loosens::Perhaps),
    }
}

/// What a form asks for: less of it, or wider, loosens.
fn form(before: &str, after: &str) -> (Touches, Loosens) {
    let (Ok(old), Ok(new)) = (serde_json::from_str(before), serde_json::from_str(after)) else {
        return (Touches::Guard, Loosens::Perhaps);
    };
    let (mut one, mut other) = (BTreeMap::new(), BTreeMap::new());
    flatten(&old, String::new(), &mut one);
    flatten(&new, String::new(), &mut other);
    let (mut loosens, mut guard) = (Loosens::No, false);
    let mut note = |found: Loosens| {
        guard = true;
        loosens = loosens.min(found);
    };
    for key in one.keys().chain(other.keys()).collect::<BTreeSet<_>>() {
        let (was, is) = (one.get(key), other.get(key));
        if was == is {
            continue;
        }
        let word = key.rsplit('/').find(|part| part.parse::<usize>().is_err()).unwrap_or_default();
        let text = |value: Option<&String>| value.cloned().unwrap_or_default();
        match word {
            "title" | "description" | "examples" | "$schema" | "default" => {}
            "required" => {
                let of = |all: &BTreeMap<String, String>| -> BTreeSet<String> {
                    let place = key.rsplit_once('/').map_or("", |(place, _)| place);
                    let each = all
                        .iter()
                        .filter(|(key, _)| key.rsplit_once('/').is_some_and(|(p, _)| p == place));
                    each.map(|(_, value)| value.clone()).collect()
                };
                note(if of(&one).is_subset(&of(&other)) { Loosens::No } else { Loosens::Yes });
            }
            "maxLength" | "maximum" | "exclusiveMaximum" | "maxItems" => {
                note(most(&text(was), &text(is)))
            }
            "minLength" | "minimum" | "exclusiveMinimum" | "minItems" => {
                note(most(&text(is), &text(was)))
            }
            _ => note(Loosens::Perhaps),
        }
    }
    (if guard { Touches::Guard } else { Touches::Other }, loosens)
}

fn flatten(value: &Json, at: String, found: &mut BTreeMap<String, String>) {
    match value {
        Json::Object(map) => {
            for (key, value) in map {
                flatten(value, format!("{at}/{key}"), found);
            }
        }
        Json::Array(list) => {
            for (place, value) in list.iter().enumerate() {
                flatten(value, format!("{at}/{place}"), found);
            }
        }
        other => drop(found.insert(at, other.to_string())),
    }
}
