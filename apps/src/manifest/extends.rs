//! A folder laid over the one that it extends: tables of one name merge key by key, `off = true` takes away, texts and codes are
//! overridden by name, other files by file. Nothing is copied; every line of what comes out says of which folder and line it is.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use chancery_crypto::Digest;

use super::{
    codes,
    mistake::What,
    reader::{At, Mistakes},
    toml_tree::{Tree, emit, tree},
};
use crate::folder::{Folder, MOST_ABOVE};

/// What a folder says that it extends: `extends = "name@digest"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extends {
    /// The module.
    pub name: String,
    /// The digest of its folder; none where what stands there is none.
    pub digest: Option<Digest>,
}

impl Folder {
    /// What it extends, if it says so.
    pub fn extends(&self) -> Option<Extends> {
        let table: toml::Table = self.file("module.toml")?.parse().ok()?;
        let text = table.get("extends")?.as_str()?;
        let (name, digest) = text.split_once('@').unwrap_or((text, ""));
        Some(Extends { name: name.to_owned(), digest: Digest::from_hex(digest) })
    }
}

/// Where the lines of a file come from.
#[derive(Debug, Clone)]
enum Origin {
    /// The file as it stands.
    Own,
    /// The same file of the folder above.
    Above,
    /// Each line from a place.
    Lines(Vec<At>),
}

/// A folder with all that it extends.
#[derive(Debug)]
pub(crate) struct Whole<'f> {
    pub folder: Cow<'f, Folder>,
    origins: BTreeMap<String, Origin>,
    above: Option<Box<Whole<'f>>>,
    /// The name of the module above.
    name: String,
    /// The texts that it gives itself.
    own: BTreeSet<String>,
}

/// What stands between the name of the module above and a file of it. No path has it.
const OF: char = ':';

impl<'f> Whole<'f> {
    /// Lays a folder over what it extends. What is wrong with that is said.
    pub(super) fn of(folder: &'f Folder, mistakes: &Mistakes) -> Self {
        Self::below(folder, mistakes, 0)
    }

    fn below(folder: &'f Folder, mistakes: &Mistakes, depth: usize) -> Self {
        let alone = |folder: &'f Folder| Self {
            folder: Cow::Borrowed(folder),
            origins: BTreeMap::new(),
            above: None,
            name: String::new(),
            own: BTreeSet::new(),
        };
        let Some(extends) = folder.extends() else { return alone(folder) };
        let at = place(folder, "extends");
        let wrong = |what| {
            mistakes.add(&at, what);
            alone(folder)
        };
        let name = &extends.name;
        let Some(above) = folder.above().filter(|_| depth < MOST_ABOVE) else {
            return wrong(What::NoParent { name: name.clone() });
        };
        let (found, wanted) = (above.digest(), extends.digest);
        if wanted != Some(found) || module_name(above).as_ref() != Some(name) {
            return wrong(What::OtherParent { name: name.clone(), found: found.to_string() });
        }
        let quiet = Mistakes::default();
        let above = Self::below(above, &quiet, depth + 1);
        // It was checked when it was installed, and is not mended here: that it is wrong is said, and where.
        for mistake in quiet.into_vec() {
            mistakes.add(&above_at(name, &mistake.at), mistake.what);
        }
        Self::merged(folder, above, name, mistakes)
    }

    fn merged(own: &'f Folder, above: Self, name: &str, mistakes: &Mistakes) -> Self {
        let mut whole = Self {
            folder: Cow::Owned(Folder::default()),
            origins: BTreeMap::new(),
            above: None,
            name: name.to_owned(),
            own: BTreeSet::new(),
        };
        let mut files: BTreeMap<String, (String, Origin)> = BTreeMap::new();
        for (path, text) in above.folder.files().filter(|(path, _)| !is_beside(path)) {
            // Its migrations are between its own versions.
            if !path.starts_with("migrations/") {
                files.insert(path.to_owned(), (text.to_owned(), Origin::Above));
            }
        }
        for (path, text) in own.files() {
            let there = files.get(path).filter(|_| !is_beside(path));
            let line = |line: usize| At { file: path.to_owned(), line };
            let up = |line: usize| whole_at(&above, name, &At { file: path.to_owned(), line });
            let merged = match there {
                Some((before, _)) if path.ends_with(".toml") => {
                    toml_over(path, before, text, &up, mistakes)
                }
                Some((before, _)) if path.ends_with(".ftl") => {
                    Some(texts_over(before, text, line, up))
                }
                Some((before, _)) if path.ends_with(".csv") => codes_over(before, text, line, up),
                _ => None,
            };
            if path.ends_with(".ftl") {
                whole.own.extend(names(text));
            }
            match merged {
                // The whole file is taken away.
                Some((None, _)) => drop(files.remove(path)),
                Some((Some(text), lines)) => {
                    files.insert(path.to_owned(), (text, Origin::Lines(lines)));
                }
                None => drop(files.insert(path.to_owned(), (text.to_owned(), Origin::Own))),
            }
        }
        let mut folder = Folder::default();
        for (path, (text, origin)) in files {
            if folder.add(&path, text).is_err() {
                let most = own.room();
                mistakes
                    .add(&At { file: path.clone(), line: 1 }, What::Excess { what: "byte", most });
            }
            whole.origins.insert(path, origin);
        }
        whole.folder = Cow::Owned(folder);
        whole.above = Some(Box::new(above));
        whole
    }

    /// Where a place of what came out stands: in its own folder, or in one above, whose module is named.
    pub(crate) fn at(&self, at: &At) -> At {
        let Some(above) = &self.above else { return at.clone() };
        match self.origins.get(&at.file) {
            Some(Origin::Above) => whole_at(above, &self.name, at),
            Some(Origin::Lines(lines)) => {
                let line = lines.get(at.line.saturating_sub(1));
                line.unwrap_or(at).clone()
            }
            _ => at.clone(),
        }
    }

    /// Whether something that only looks like a mistake is none of its own.
    pub(super) fn is_of_above(&self, at: &At, what: &What) -> bool {
        let inherited = matches!(what, What::UnusedText(name) if !self.own.contains(name));
        self.above.is_some() && (inherited || at.file.contains(OF))
    }
}

fn above_at(name: &str, at: &At) -> At {
    match at.file.contains(OF) {
        true => at.clone(),
        false => At { file: format!("{name}{OF}{}", at.file), line: at.line },
    }
}

fn whole_at(above: &Whole<'_>, name: &str, at: &At) -> At {
    above_at(name, &above.at(at))
}

/// Files that are no part of the rules: a folder has its own.
fn is_beside(path: &str) -> bool {
    let kind = path.split_once('/').map_or("", |(kind, _)| kind);
    matches!(kind, "scenarios" | "samples" | "docs") || path == "README.md"
}

/// The name of a folder's module.
pub(crate) fn module_name(folder: &Folder) -> Option<String> {
    let table: toml::Table = folder.file("module.toml")?.parse().ok()?;
    table.get("module")?.as_str().map(str::to_owned)
}

fn place(folder: &Folder, key: &str) -> At {
    let text = folder.file("module.toml").unwrap_or_default();
    let starts = |line: &str| line.trim_start().starts_with(key);
    let line = text.lines().position(starts).map_or(1, |place| place + 1);
    At { file: "module.toml".into(), line }
}

/// What comes out, nothing if it is taken away as a whole; and where each line is from.
type Over = (Option<String>, Vec<At>);

fn toml_over(
    path: &str,
    before: &str,
    own: &str,
    up: &dyn Fn(usize) -> At,
    mistakes: &Mistakes,
) -> Option<Over> {
    let line = |line: usize| At { file: path.to_owned(), line };
    // What is no TOML is said when it is read.
    let (Some(mut above), Some(own)) = (tree(before, up), tree(own, &line)) else { return None };
    let mut merge = Merge { mistakes, path: Vec::new(), law: None };
    if path == "module.toml" {
        // Its own matter: what it extends, what that changes, and who made it.
        if let Tree::Table { fields, .. } = &mut above {
            fields.retain(|(key, ..)| !matches!(key.as_str(), "extends" | "changes" | "publisher"));
        }
        merge.law = Some(());
    }
    if own.is_off() {
        merge.taken_away(&own);
        return Some((None, Vec::new()));
    }
    let merged = merge.over(above, own);
    let (text, lines) = emit(&merged, &line(1));
    Some((Some(text), lines))
}

struct Merge<'m> {
    mistakes: &'m Mistakes,
    path: Vec<String>,
    /// In the module's own file: the text of law that bare articles are of stays what it is.
    law: Option<()>,
}

impl Merge<'_> {
    fn over(&mut self, above: Tree, own: Tree) -> Tree {
        let (at, above, fields) = match (above, own) {
            (Tree::Table { fields: above, .. }, Tree::Table { at, fields }) => (at, above, fields),
            (_, own) => {
                self.nothing_off(&own);
                return own;
            }
        };
        let mut own: BTreeMap<String, (At, Tree)> = BTreeMap::new();
        let mut order = Vec::new();
        for (key, at, tree) in fields {
            order.push(key.clone());
            own.insert(key, (at, tree));
        }
        let mut merged = Vec::new();
        for (key, key_at, before) in above {
            let Some((own_at, tree)) = own.remove(&key) else {
                merged.push((key, key_at, before));
                continue;
            };
            if self.law.is_some() && self.path.is_empty() && key == "law" && !tree.same(&before) {
                self.mistakes.add(&own_at, What::ParentLaw);
            }
            self.path.push(key.clone());
            if tree.is_off() {
                self.taken_away(&tree);
            } else {
                let tree = self.over(before, tree);
                merged.push((key, own_at, tree));
            }
            self.path.pop();
        }
        for key in order {
            let Some((key_at, tree)) = own.remove(&key) else { continue };
            self.path.push(key.clone());
            if tree.is_off() {
                let what = What::NothingOff { name: self.path.join(".") };
                self.mistakes.add(&key_at, what);
            } else {
                self.nothing_off(&tree);
                merged.push((key, key_at, tree));
            }
            self.path.pop();
        }
        Tree::Table { at, fields: merged }
    }

    /// What takes away says nothing else, but for the article by which a condition falls.
    fn taken_away(&self, tree: &Tree) {
        let Tree::Table { at, fields } = tree else { return };
        let need = self.path.iter().rev().nth(1).is_some_and(|key| key == "need");
        for (key, at, _) in fields.iter().filter(|(key, ..)| !matches!(key.as_str(), "off" | "law"))
        {
            self.mistakes.add(at, What::UnknownKey { key: key.clone(), nearest: None });
        }
        let law = fields.iter().any(|(key, _, tree)| key == "law" && !tree.is_blank());
        if need && !law {
            self.mistakes.add(at, What::NoLaw(self.path.join(".")));
        }
    }

    /// Nothing is taken away of what is only there now.
    fn nothing_off(&mut self, tree: &Tree) {
        let Tree::Table { fields, .. } = tree else { return };
        for (key, at, tree) in fields {
            self.path.push(key.clone());
            match tree.is_off() {
                true => {
                    let what = What::NothingOff { name: self.path.join(".") };
                    self.mistakes.add(at, what);
                }
                false => self.nothing_off(tree),
            }
            self.path.pop();
        }
    }
}

/// The names of the texts of a file.
fn names(text: &str) -> BTreeSet<String> {
    text.lines().filter_map(named).map(str::to_owned).collect()
}

fn named(line: &str) -> Option<&str> {
    let plain = !line.starts_with([' ', '\t', '#']);
    line.split_once('=').filter(|_| plain).map(|(name, _)| name.trim())
}

fn texts_over(
    before: &str,
    own: &str,
    line: impl Fn(usize) -> At,
    up: impl Fn(usize) -> At,
) -> Over {
    let (given, mut text, mut lines) = (names(own), String::new(), Vec::new());
    let mut put = |one: &str, at: At| {
        text.push_str(one);
        text.push('\n');
        lines.push(at);
    };
    let mut kept = true;
    for (number, one) in (1..).zip(before.lines()) {
        if let Some(name) = named(one) {
            kept = !given.contains(name);
        }
        if kept {
            put(one, up(number));
        }
    }
    // A text of the one does not go on into the other.
    put("", line(1));
    for (number, one) in (1..).zip(own.lines()) {
        put(one, line(number));
    }
    (Some(text), lines)
}

/// The codes of a list over those above: whoever names a code says all of it. Another header, or what is no CSV, is a list of its own.
fn codes_over(
    before: &str,
    own: &str,
    line: impl Fn(usize) -> At,
    up: impl Fn(usize) -> At,
) -> Option<Over> {
    let plain = |text: &str| codes::lines(text.strip_prefix('\u{feff}').unwrap_or(text)).ok();
    let (before, own) = (plain(before)?, plain(own)?);
    let ((_, header), (_, head)) = (before.first()?, own.first()?);
    let place = header.iter().position(|column| column == "code").filter(|_| header == head)?;
    let code = |cells: &Vec<String>| cells.get(place).map(|code| code.trim().to_owned());
    let given: BTreeSet<_> = own.iter().skip(1).filter_map(|(_, cells)| code(cells)).collect();
    let kept = before.iter().enumerate().filter(|(place, (_, cells))| {
        *place == 0 || code(cells).is_none_or(|code| !given.contains(&code))
    });
    let kept = kept.map(|(_, (number, cells))| (up(*number), cells));
    let all = kept.chain(own.iter().skip(1).map(|(number, cells)| (line(*number), cells)));
    let (mut text, mut lines) = (String::new(), Vec::new());
    for (at, cells) in all {
        let quoted = cells.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\"")));
        let row = quoted.collect::<Vec<_>>().join(",");
        lines.extend(std::iter::repeat_n(at, 1 + row.matches('\n').count()));
        text.push_str(&row);
        text.push('\n');
    }
    Some((Some(text), lines))
}
