//! TOML as a tree whose every line says where it is from, and back to TOML.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::reader::{At, lines};

/// A part of a TOML file.
#[derive(Debug, Clone)]
pub(super) enum Tree {
    /// A table: its keys with their places, in their order.
    Table { at: At, fields: Vec<(String, At, Tree)> },
    /// A value as it is written, line by line.
    Leaf(Vec<(String, At)>),
}

impl Tree {
    /// Whether it takes away what stands in its place: `{ off = true }`.
    pub(super) fn is_off(&self) -> bool {
        let Self::Table { fields, .. } = self else { return false };
        fields.iter().any(|(key, _, tree)| key == "off" && tree.text() == "true")
    }

    /// What is written, without its places.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Leaf(lines) => lines.iter().map(|(line, _)| line.as_str()).collect(),
            Self::Table { fields, .. } => {
                let each = fields.iter().map(|(key, _, tree)| format!("{key} = {}", tree.text()));
                format!("{{ {} }}", each.collect::<Vec<_>>().join(", "))
            }
        }
    }

    pub(super) fn is_blank(&self) -> bool {
        self.text().trim_matches(['"', ' ']).is_empty()
    }

    pub(super) fn same(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

/// The tree of a file; nothing of what is no TOML.
pub(super) fn tree(text: &str, at: &dyn Fn(usize) -> At) -> Option<Tree> {
    let starts = lines(text);
    let place = |byte: usize| at(1 + starts.partition_point(|begin| *begin <= byte));
    let table = DeTable::parse(text).ok()?;
    Some(of_table(table.get_ref(), at(1), &place))
}

fn of_table(table: &DeTable<'_>, at: At, place: &dyn Fn(usize) -> At) -> Tree {
    let mut found: Vec<_> = table.iter().collect();
    found.sort_by_key(|(key, _)| key.span().start);
    let fields = found.into_iter().map(|(key, value)| {
        let at = place(key.span().start);
        let tree = match value.get_ref() {
            DeValue::Table(inner) => of_table(inner, at.clone(), place),
            DeValue::Array(list) if !list.is_empty() => {
                let mut all = vec![("[".to_owned(), at.clone())];
                for one in list {
                    all.push((format!("{},", inline(one)), place(one.span().start)));
                }
                all.push(("]".to_owned(), at.clone()));
                Tree::Leaf(all)
            }
            _ => Tree::Leaf(vec![(inline(value), place(value.span().start))]),
        };
        (key.get_ref().to_string(), at, tree)
    });
    Tree::Table { fields: fields.collect(), at }
}

/// A value in one line.
fn inline(value: &Spanned<DeValue<'_>>) -> String {
    match value.get_ref() {
        DeValue::String(text) => quoted(text),
        DeValue::Integer(n) => {
            let sign = match n.radix() {
                2 => "0b",
                8 => "0o",
                16 => "0x",
                _ => "",
            };
            format!("{sign}{}", n.as_str())
        }
        DeValue::Float(n) => n.as_str().to_owned(),
        DeValue::Boolean(yes) => yes.to_string(),
        DeValue::Datetime(at) => at.to_string(),
        DeValue::Array(list) => {
            format!("[{}]", list.iter().map(inline).collect::<Vec<_>>().join(", "))
        }
        DeValue::Table(table) => {
            let mut found: Vec<_> = table.iter().collect();
            found.sort_by_key(|(key, _)| key.span().start);
            let each = found
                .into_iter()
                .map(|(name, value)| format!("{} = {}", key(name.get_ref()), inline(value)));
            format!("{{ {} }}", each.collect::<Vec<_>>().join(", "))
        }
    }
}

fn quoted(text: &str) -> String {
    let mut all = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => all.push_str("\\\""),
            '\\' => all.push_str("\\\\"),
            '\n' => all.push_str("\\n"),
            '\t' => all.push_str("\\t"),
            c if c.is_control() => all.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => all.push(c),
        }
    }
    all.push('"');
    all
}

fn key(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    match !name.is_empty() && name.bytes().all(plain) {
        true => name.to_owned(),
        false => quoted(name),
    }
}

/// A tree as TOML, and where each line is from. The first line is empty: what is wrong with the whole stands there.
pub(super) fn emit(tree: &Tree, first: &At) -> (String, Vec<At>) {
    let mut out = Out { text: "\n".to_owned(), lines: vec![first.clone()] };
    out.table(tree, &mut Vec::new());
    (out.text, out.lines)
}

struct Out {
    text: String,
    lines: Vec<At>,
}

impl Out {
    fn line(&mut self, text: &str, at: &At) {
        self.text.push_str(text);
        self.text.push('\n');
        self.lines.push(at.clone());
    }

    fn table(&mut self, tree: &Tree, path: &mut Vec<String>) {
        let Tree::Table { fields, .. } = tree else { return };
        for (name, _, tree) in fields {
            let Tree::Leaf(lines) = tree else { continue };
            for (place, (line, at)) in lines.iter().enumerate() {
                let begin = if place == 0 { format!("{} = ", key(name)) } else { String::new() };
                self.line(&format!("{begin}{line}"), at);
            }
        }
        for (name, at, tree) in fields {
            if !matches!(tree, Tree::Table { .. }) {
                continue;
            }
            path.push(key(name));
            self.line(&format!("[{}]", path.join(".")), at);
            self.table(tree, path);
            path.pop();
        }
    }
}
