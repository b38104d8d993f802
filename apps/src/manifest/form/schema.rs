//! Reading the schema of a form: every keyword is known where it stands, and every value of one means something.

use std::{cell::Cell, sync::Arc};

use chancery_protocol::text::{TextFault, check_line, check_lines};
use serde_json::Value as Json;

use super::{
    Field, Form, judge,
    keywords::{self, Keyword, Place},
    kinds, rules,
    tree::{Member, Node, Of},
    values,
};
use crate::{
    formula::{Formula, Type},
    manifest::{
        mistake::What,
        reader::{At, File, Placed, is_name},
    },
};

/// A form that is being read.
pub(super) struct Reading<'a> {
    file: File<'a>,
    sound: Cell<bool>,
}

impl Reading<'_> {
    pub(super) fn add(&self, line: usize, what: What) {
        self.sound.set(false);
        self.file.mistakes.add(&self.at(line), what);
    }

    fn at(&self, line: usize) -> At {
        At { file: self.file.path.to_owned(), line }
    }

    pub(super) fn kind(&self, member: &Member, wanted: &'static str) {
        self.add(member.value.line, What::Kind { key: member.name.clone(), wanted });
    }
}

impl Form {
    /// Reads a file. None when nothing can be made of it at all; a form with mistakes has the fields that could be made out, so
    /// that what rests on them is not called a mistake, too.
    pub(in crate::manifest) fn read(file: File<'_>, name: &str) -> Option<Self> {
        let reading = Reading { file, sound: Cell::new(true) };
        if !is_name(name) {
            reading.add(1, What::Name(name.to_owned()));
        }
        let top = match Node::read(file.text) {
            Ok(top) => top,
            Err((line, why)) => {
                reading.add(line, What::Schema(why));
                return None;
            }
        };
        reading.texts(&top);
        let kind = top.get("type");
        if kind.and_then(|kind| kind.value.text()) != Some("object") {
            let line = kind.map_or(top.line, |kind| kind.value.line);
            reading.add(line, What::Schema("\"type\": \"object\"".into()));
        }
        let members = top.members()?;
        reading.keywords(members, Some("object"), Place::Form);
        reading.annotations(members);
        if let Some(draft) = top.get("$schema")
            && draft.value.text() != Some(keywords::DRAFT)
        {
            let word =
                draft.value.text().map_or_else(|| draft.value.json().to_string(), str::to_owned);
            let known = vec![keywords::DRAFT.to_owned()];
            reading.add(draft.value.line, What::Word { key: "$schema", word, known });
        }
        let fields = reading.object(&top, "", top.line, Place::Form);
        rules::check(&fields, &reading);
        values::check(
            &top,
            &Type::map(fields.iter().map(|f| (f.name.clone(), f.kind.clone()))),
            &reading,
        );
        let schema = match reading.sound.get() {
            true => top.json(),
            // Nothing is ever judged by it.
            false => Json::Bool(false),
        };
        match judge::validator(&schema) {
            Ok(validator) => {
                let schema = Arc::new(schema);
                Some(Self { validator: Arc::new(validator), fields, schema })
            }
            Err((at, why)) => {
                reading.add(top.line, What::Schema(format!("{at}: {why}")));
                None
            }
        }
    }
}

impl Reading<'_> {
    /// Nothing is written twice, of which the first would be dropped, and nothing in it steers what is shown or hides.
    fn texts(&self, node: &Node) {
        let hidden = |line: usize, text: &str| {
            if let Err(TextFault::Hidden(c)) = check_lines(text) {
                self.add(line, What::Hidden(c));
            }
        };
        match &node.of {
            Of::Plain(json) => hidden(node.line, json.as_str().unwrap_or_default()),
            Of::List(list) => list.iter().for_each(|one| self.texts(one)),
            Of::Map(members) => {
                let mut seen = std::collections::BTreeSet::new();
                for member in members {
                    hidden(member.line, &member.name);
                    if !seen.insert(&member.name) {
                        self.add(member.line, What::KeyTwice(member.name.clone()));
                    }
                    self.texts(&member.value);
                }
            }
        }
    }

    /// Each keyword is one of the vocabulary, stands where it may, and goes with the type.
    fn keywords(&self, members: &[Member], kind: Option<&str>, place: Place) {
        for Member { name, line, .. } in members {
            let keyword = name.clone();
            match Keyword::named(name) {
                None => {
                    let nearest = keywords::nearest(name, place);
                    self.add(*line, What::Keyword { keyword, nearest });
                }
                Some(known) if !known.stands(place) => {
                    self.add(*line, What::KeywordPlace { keyword, place: place.name() });
                }
                Some(known) => {
                    if let Some(kind) = kind.filter(|kind| !known.goes_with(kind)) {
                        let with = format!("\"type\": \"{kind}\"");
                        self.add(*line, What::Clash { this: format!("\"{keyword}\""), with });
                    }
                }
            }
        }
    }

    /// What is said of a field for people and for others than formulas.
    fn annotations(&self, members: &[Member]) {
        for member in members {
            let text = member.value.text();
            match member.name.as_str() {
                "title" | "x-unit" | "x-mask" | "x-class" => match text.map(check_line) {
                    Some(Ok(())) => {}
                    // The others were told.
                    Some(Err(TextFault::Hidden(c))) => {
                        if matches!(c, '\n' | '\t') {
                            self.add(member.value.line, What::Hidden(c));
                        }
                    }
                    Some(Err(TextFault::Blank)) | None => self.kind(member, "text"),
                },
                "description" if text.is_none() => self.kind(member, "text"),
                "x-code" if !text.is_some_and(|text| text.split(['.', '/']).all(is_name)) => {
                    self.kind(member, "name");
                }
                "x-personal" | "uniqueItems"
                    if !matches!(member.value.of, Of::Plain(Json::Bool(_))) =>
                {
                    self.kind(member, "true, false");
                }
                "x-prefill" => drop(self.formula(member)),
                _ => {}
            }
        }
    }

    fn formula(&self, member: &Member) -> Option<Placed> {
        let Some(text) = member.value.text() else {
            self.kind(member, "formula");
            return None;
        };
        let line = member.value.line;
        match Formula::parse(text) {
            Ok(formula) => Some(Placed { formula, at: self.at(line) }),
            Err(error) => {
                let (text, fault, byte) = (text.to_owned(), error.fault, error.at);
                self.add(line, What::Formula { text, fault, byte });
                None
            }
        }
    }

    /// The fields of an object; what it is called in a mistake, and where its name stands.
    fn object(&self, node: &Node, name: &str, line: usize, place: Place) -> Vec<Field> {
        let closed = node.get("additionalProperties");
        if closed.map(|closed| closed.value.json()) != Some(Json::Bool(false)) {
            let line = closed.map_or(line, |closed| closed.line);
            let of = if name.is_empty() { String::new() } else { format!("{name}: ") };
            self.add(line, What::Schema(format!("{of}\"additionalProperties\": false")));
        }
        let inside = if place == Place::Form { Place::Field } else { Place::Nested };
        let mut fields: Vec<Field> = Vec::new();
        match node.get("properties") {
            None if place == Place::Form => {}
            None => self.add(line, What::MissingKey { key: "properties".into() }),
            Some(properties) => match properties.value.members() {
                None => self.kind(properties, "{ name: schema }"),
                Some(members) if !self.few(properties, members.len()) => return fields,
                Some(members) => {
                    for member in members {
                        self.name(member, &fields);
                        fields.push(self.field(member, inside));
                    }
                }
            },
        }
        let required = node.get("required");
        let Some(required) = required else { return fields };
        let Some(list) = required.value.list() else {
            self.kind(required, "[name, …]");
            return fields;
        };
        if !self.few(required, list.len()) {
            return fields;
        }
        let mut seen = Vec::new();
        for one in list {
            let Some(name) = one.text() else {
                self.kind(required, "[name, …]");
                continue;
            };
            if seen.contains(&name) {
                let value = format!("\"{name}\"");
                self.add(one.line, What::Repeated { key: "required", value });
            }
            seen.push(name);
            match fields.iter_mut().find(|field| field.name == name) {
                Some(field) => field.required = true,
                None => {
                    let known = fields.iter().map(|field| field.name.as_str());
                    let nearest = crate::nearest::nearest(name, known).map(str::to_owned);
                    let (kind, name) = ("field", name.to_owned());
                    self.add(one.line, What::Undeclared { kind, name, nearest });
                }
            }
        }
        let properties = node.get("properties").and_then(|one| one.value.members());
        for member in properties.unwrap_or_default() {
            if let Some(visible) = member.value.get("x-visible")
                && seen.contains(&member.name.as_str())
            {
                self.add(visible.line, What::FieldAlways(member.name.clone()));
            }
        }
        fields
    }

    /// There are no more fields than a form has room for; each is held against the others.
    fn few(&self, member: &Member, count: usize) -> bool {
        let few = count <= keywords::MOST_FIELDS;
        if !few {
            let (key, most) = (member.name.clone(), keywords::MOST_FIELDS);
            self.add(member.line, What::TooMany { key, most });
        }
        few
    }

    /// A name is one, and is told apart from the others by more than an eye can miss.
    fn name(&self, member: &Member, others: &[Field]) {
        let alike = |name: &str| name.to_lowercase().replace('_', "-");
        let name = &member.name;
        if !is_name(name) {
            self.add(member.line, What::Name(name.clone()));
        }
        let same = |other: &&Field| other.name != *name && alike(&other.name) == alike(name);
        if let Some(other) = others.iter().find(same) {
            let (name, other) = (name.clone(), other.name.clone());
            self.add(member.line, What::Alike { name, other });
        }
    }

    fn field(&self, member: &Member, place: Place) -> Field {
        let rule = |keyword: &str| {
            let member = member.value.get(keyword).filter(|_| place == Place::Field)?;
            self.formula(member)
        };
        Field {
            name: member.name.clone(),
            kind: self.schema(&member.value, &member.name, member.line, place),
            required: false,
            visible: rule("x-visible"),
            needed: rule("x-required"),
        }
    }

    /// The kind of what a schema describes.
    fn schema(&self, node: &Node, name: &str, line: usize, place: Place) -> Type {
        let Some(members) = node.members() else {
            self.add(node.line, What::Kind { key: name.to_owned(), wanted: "schema" });
            return Type::Any;
        };
        let given = node.get("type");
        let known = given.and_then(|given| given.value.text());
        let known = known.filter(|kind| keywords::TYPES.contains(kind));
        self.keywords(members, known, place);
        self.annotations(members);
        let kind = match (known, given) {
            (Some("boolean"), _) => Type::Bool,
            (Some("integer"), _) => {
                self.integer(node);
                Type::Int
            }
            (Some("string"), _) => self.text(node, name, line),
            (Some("array"), _) => self.list(node, name, line),
            (Some(_), _) => {
                let fields = self.object(node, name, line, place);
                Type::map(fields.into_iter().map(|field| (field.name, field.kind)))
            }
            (None, None) => {
                self.add(line, What::MissingKey { key: "type".into() });
                Type::Any
            }
            (None, Some(given)) => {
                match given.value.text() {
                    None => self.kind(given, "text"),
                    Some("number") => self.add(given.line, What::FloatField(name.to_owned())),
                    Some(word) => self.word(given, "type", word, &keywords::TYPES),
                }
                Type::Any
            }
        };
        if kind != Type::Any {
            values::check(node, &kind, self);
        }
        kind
    }

    fn word(&self, member: &Member, key: &'static str, word: &str, known: &[&str]) {
        let known = known.iter().map(|known| (*known).to_owned()).collect();
        self.add(member.value.line, What::Word { key, word: word.to_owned(), known });
    }

    /// The whole number that a keyword gives, if it gives one.
    fn bound(
        &self,
        node: &Node,
        keyword: &'static str,
        (least, most): (i64, i64),
    ) -> Option<(&'static str, usize, i128)> {
        let member = node.get(keyword)?;
        let given = member.value.json();
        match given.as_i64().filter(|n| (least..=most).contains(n)) {
            Some(n) => Some((keyword, member.line, n.into())),
            None => {
                let given = values::short(&given);
                self.add(member.value.line, What::Bound { keyword, given, least, most });
                None
            }
        }
    }

    /// Something fits both bounds.
    fn bounds(
        &self,
        low: Option<(&'static str, usize, i128)>,
        high: Option<(&'static str, usize, i128)>,
    ) {
        if let (Some((low, line, least)), Some((high, other, most))) = (low, high)
            && least > most
        {
            self.add(line.max(other), What::Bounds { low, high });
        }
    }

    fn integer(&self, node: &Node) {
        let all = (i64::MIN, i64::MAX);
        let by = |bound: Option<(&'static str, usize, i128)>, more: i128| {
            bound.map(|(keyword, line, n)| (keyword, line, n + more))
        };
        let lows = [
            self.bound(node, "minimum", all),
            by(self.bound(node, "exclusiveMinimum", all), 1),
            // What is no number of a form is none here.
            Some(("integer", 0, i64::MIN.into())),
        ];
        let highs = [
            self.bound(node, "maximum", all),
            by(self.bound(node, "exclusiveMaximum", all), -1),
            Some(("integer", 0, i64::MAX.into())),
        ];
        let low = lows.into_iter().flatten().max_by_key(|(_, _, n)| *n);
        let high = highs.into_iter().flatten().min_by_key(|(_, _, n)| *n);
        self.bounds(low, high);
        let multiple = self.bound(node, "multipleOf", (1, i64::MAX));
        if let (Some((low, line, least)), Some((_, other, most)), Some((of, third, n))) =
            (low, high, multiple)
            && least <= most
            && most.div_euclid(n) * n < least
        {
            let line = line.max(other).max(third);
            self.add(line, What::Bounds { low: of, high: low });
        }
    }

    fn text(&self, node: &Node, name: &str, line: usize) -> Type {
        let word = |key: &'static str, known: &[&str]| {
            let member = node.get(key)?;
            match member.value.text() {
                None => self.kind(member, "text"),
                Some(word) if !known.contains(&word) => self.word(member, key, word, known),
                Some(word) => return Some(word),
            }
            None
        };
        let format = word("format", &keywords::FORMATS);
        let x_type = word("x-type", &kinds::X_TYPES);
        let kind = kinds::of_text(x_type, format);
        if let (Some(format), Some(x_type)) = (format, x_type)
            && !kinds::go_together(x_type, format)
            && let Some(member) = node.get("x-type")
        {
            let this = format!("\"x-type\": \"{x_type}\"");
            self.add(member.line, What::Clash { this, with: format!("\"format\": \"{format}\"") });
        }
        if let Some(unit) =
            node.get("x-unit").filter(|_| !matches!(kind, Type::Money | Type::Decimal))
        {
            let with = "\"type\": \"string\"".to_owned();
            self.add(unit.line, What::Clash { this: "\"x-unit\"".into(), with });
        }
        if let Some(pattern) = node.get("pattern") {
            match pattern.value.text() {
                None => self.kind(pattern, "text"),
                Some(text) => {
                    let alone =
                        Json::Object([("pattern".to_owned(), text.into())].into_iter().collect());
                    if let Err((_, why)) = judge::validator(&alone) {
                        self.add(pattern.value.line, What::Schema(format!("pattern: {why}")));
                    }
                }
            }
        }
        let low = self.bound(node, "minLength", (0, keywords::MOST_TEXT));
        let high = self.bound(node, "maxLength", (1, keywords::MOST_TEXT));
        self.bounds(low, high);
        for (key, word) in [("x-type", x_type), ("format", format)] {
            let Some((member, word)) = node.get(key).zip(word) else { continue };
            let (least, most) = kinds::length(word);
            self.bounds(Some((key, member.line, least)), high);
            self.bounds(low, most.map(|most| (key, member.line, most)));
        }
        let bounded = ["maxLength", "enum", "const"].iter().any(|key| node.get(key).is_some())
            || format.is_some_and(|format| keywords::SHORT.contains(&format));
        if !bounded {
            let what = What::Unbounded { field: name.to_owned(), keyword: "maxLength" };
            self.add(line, what);
        }
        kind
    }

    fn list(&self, node: &Node, name: &str, line: usize) -> Type {
        let low = self.bound(node, "minItems", (0, keywords::MOST_ITEMS));
        let high = self.bound(node, "maxItems", (1, keywords::MOST_ITEMS));
        self.bounds(low, high);
        if node.get("maxItems").is_none() {
            let what = What::Unbounded { field: name.to_owned(), keyword: "maxItems" };
            self.add(line, what);
        }
        match node.get("items") {
            None => {
                self.add(line, What::MissingKey { key: "items".into() });
                Type::list(Type::Any)
            }
            Some(items) => {
                Type::list(self.schema(&items.value, &items.name, items.line, Place::Items))
            }
        }
    }
}
