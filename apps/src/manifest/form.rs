//! The form of a document type: a JSON Schema, with the kinds of its fields and the rules on which of them are there.

use std::{collections::BTreeMap, sync::Arc};

use chancery_protocol::FormValue;
use jsonschema::{Draft, PatternOptions, Validator};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{
    mistake::What,
    reader::{At, File, Placed},
};
use crate::{
    formula::{Environment, Formula, Type},
    value::Value,
};

/// A form, as a file of `forms/` describes it.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    validator: Arc<Validator>,
    /// What is known of each field, in the order of the schema.
    pub fields: Vec<Field>,
}

/// A field of a form.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub name: String,
    pub kind: Type,
    schema: Json,
    pub required: bool,
    /// When it may be there, if not always.
    pub visible: Option<Placed>,
    /// When it must be there.
    pub needed: Option<Placed>,
}

/// What is wrong with a form that was filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormFault {
    /// The place, a JSON Pointer (RFC 6901).
    pub at: String,
    /// The keyword of the schema that it breaks; `visible` of a field that may not be there now.
    pub keyword: String,
    /// What the keyword asks for.
    pub wanted: String,
}

/// Keywords that lead elsewhere, back to themselves, or leave open what a form may be.
const REFUSED: [&str; 10] = [
    "$ref",
    "$dynamicRef",
    "$recursiveRef",
    "$anchor",
    "$dynamicAnchor",
    "$id",
    "$defs",
    "if",
    "not",
    "unevaluatedProperties",
];

/// The first of them that stands anywhere in a schema. Names of fields are no keywords.
fn refused(schema: &Json, names: bool) -> Option<&'static str> {
    match schema {
        Json::Object(map) => map.iter().find_map(|(key, inside)| {
            let keyword = REFUSED.into_iter().find(|refused| !names && refused == key);
            keyword.or_else(|| refused(inside, !names && key == "properties"))
        }),
        Json::Array(list) => list.iter().find_map(|inside| refused(inside, false)),
        _ => None,
    }
}

impl Form {
    pub(super) fn read(file: File<'_>, name: &str) -> Option<Self> {
        let line = |word: &str| {
            let quoted = format!("\"{word}\"");
            let before =
                file.text.find(&quoted).and_then(|at| file.text.get(..at)).unwrap_or_default();
            At { file: file.path.to_owned(), line: 1 + before.matches('\n').count() }
        };
        let top = At { file: file.path.to_owned(), line: 1 };
        if !super::reader::is_name(name) {
            file.mistakes.add(&top, What::Name(name.to_owned()));
        }
        let json: Json = match serde_json::from_str(file.text) {
            Ok(json) => json,
            Err(error) => {
                let at = At { line: error.line().max(1), ..top };
                file.mistakes.add(&at, What::Schema(error.to_string()));
                return None;
            }
        };
        let whole = |at: &At, why: &str| file.mistakes.add(at, What::Schema(why.to_owned()));
        if json.get("type").and_then(Json::as_str) != Some("object") {
            whole(&top, "\"type\": \"object\"");
        }
        if json.get("additionalProperties") != Some(&Json::Bool(false)) {
            whole(&top, "\"additionalProperties\": false");
        }
        if let Some(keyword) = refused(&json, false) {
            // Before anything follows it.
            whole(&line(keyword), keyword);
            return None;
        }
        let options = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .offline()
            .should_validate_formats(true)
            .with_pattern_options(PatternOptions::regex());
        let validator = match options.build(&json) {
            Ok(validator) => Arc::new(validator),
            Err(error) => {
                whole(&top, &format!("{}: {error}", error.instance_path()));
                return None;
            }
        };
        let empty = serde_json::Map::new();
        let properties = json.get("properties").and_then(Json::as_object).unwrap_or(&empty);
        let must =
            json.get("required").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        let mut fields = Vec::new();
        for (name, schema) in properties {
            let at = line(name);
            if !super::reader::is_name(name) {
                file.mistakes.add(&at, What::Name(name.clone()));
            }
            let formula = |key: &str| {
                let text = schema.get(key)?.as_str()?;
                match Formula::parse(text) {
                    Ok(formula) => Some(Placed { formula, at: at.clone() }),
                    Err(error) => {
                        let (text, fault, byte) = (text.to_owned(), error.fault, error.at);
                        file.mistakes.add(&at, What::Formula { text, fault, byte });
                        None
                    }
                }
            };
            let field = Field {
                name: name.clone(),
                kind: kind(name, schema, &at, file),
                schema: schema.clone(),
                required: must.iter().any(|must| must.as_str() == Some(name)),
                visible: formula("x-visible"),
                needed: formula("x-required"),
            };
            if field.required && field.visible.is_some() {
                whole(&at, "required and x-visible");
            }
            fields.push(field);
        }
        for name in must.iter().filter_map(Json::as_str) {
            if fields.iter().all(|field| field.name != name) {
                let known = fields.iter().map(|field| field.name.as_str());
                let nearest = crate::nearest::nearest(name, known).map(str::to_owned);
                let what = What::Undeclared { kind: "field", name: name.to_owned(), nearest };
                file.mistakes.add(&top, what);
            }
        }
        Some(Self { validator, fields })
    }

    /// The code lists that a field names, and whether each stands at a text.
    pub(super) fn code_lists(&self) -> impl Iterator<Item = (&str, Vec<(String, bool)>)> {
        self.fields.iter().map(|field| (field.name.as_str(), crate::codes::named(&field.schema)))
    }

    /// The kinds of its fields.
    pub(crate) fn kind(&self) -> Type {
        Type::map(self.fields.iter().map(|field| (field.name.clone(), field.kind.clone())))
    }

    /// The values of a form that was filled in, by the kinds of its fields; what is of another kind is left out, and the
    /// form was refused for it.
    pub(crate) fn values(&self, form: &chancery_protocol::Form) -> Value {
        let each = form.iter().filter_map(|(name, value)| {
            let field = self.fields.iter().find(|field| field.name == *name)?;
            Some((name.clone(), typed(value, &field.schema)?))
        });
        Value::Map(each.collect())
    }

    /// What is wrong with a form that was filled in: by the schema, and by the rules on which fields are there, for which
    /// `doc` must be its values.
    pub(crate) fn judge(
        &self,
        form: &chancery_protocol::Form,
        environment: &dyn Environment,
    ) -> Vec<FormFault> {
        let json = json(&FormValue::Map(form.clone()));
        let mut faults: Vec<_> =
            self.validator.iter_errors(&json).take(50).map(|e| fault(&e)).collect();
        for field in &self.fields {
            let there = form.contains_key(&field.name);
            let at = || format!("/{}", field.name);
            let holds = |placed: &Option<Placed>, otherwise| {
                placed.as_ref().map_or(otherwise, |placed| {
                    placed.formula.value(environment) == Value::Bool(true)
                })
            };
            let (visible, needed) = (holds(&field.visible, true), holds(&field.needed, false));
            if there && !visible {
                let wanted = field.visible.as_ref().map(|placed| placed.formula.text().to_owned());
                let wanted = wanted.unwrap_or_default();
                faults.push(FormFault { at: at(), keyword: "visible".into(), wanted });
            }
            if needed && visible && !there {
                faults.push(FormFault {
                    at: at(),
                    keyword: "required".into(),
                    wanted: field.name.clone(),
                });
            }
            if let Some(value) = form.get(&field.name) {
                faults.extend(crate::codes::faults(&field.schema, value, &at(), environment));
            }
            if let Some(value) = form.get(&field.name)
                && typed(value, &field.schema).is_none()
                && faults.iter().all(|fault| !fault.at.starts_with(&at()))
            {
                let wanted = field.kind.to_string();
                faults.push(FormFault { at: at(), keyword: "x-type".into(), wanted });
            }
        }
        faults
    }
}

fn fault(error: &jsonschema::ValidationError<'_>) -> FormFault {
    use jsonschema::error::ValidationErrorKind as Kind;
    let mut at = error.instance_path().to_string();
    let wanted = match error.kind() {
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            at = format!("{at}/{name}");
            name.to_owned()
        }
        Kind::AdditionalProperties { unexpected } => {
            if let Some(first) = unexpected.first() {
                at = format!("{at}/{first}");
            }
            unexpected.join(", ")
        }
        Kind::Enum { options } => options.to_string(),
        Kind::Constant { expected_value } => expected_value.to_string(),
        Kind::Format { format } => format.clone(),
        Kind::Pattern { pattern } => pattern.clone(),
        Kind::MaxLength { limit } | Kind::MinLength { limit } => limit.to_string(),
        Kind::MaxItems { limit } | Kind::MinItems { limit } => limit.to_string(),
        Kind::Maximum { limit } | Kind::Minimum { limit } => limit.to_string(),
        Kind::ExclusiveMaximum { limit } | Kind::ExclusiveMinimum { limit } => limit.to_string(),
        Kind::Type { kind } => match kind {
            jsonschema::error::TypeKind::Single(kind) => kind.to_string(),
            jsonschema::error::TypeKind::Multiple(_) => String::new(),
        },
        _ => String::new(),
    };
    FormFault { at, keyword: error.kind().keyword().to_owned(), wanted }
}

/// A form as JSON, which schemas judge.
pub(crate) fn json(value: &FormValue) -> Json {
    match value {
        FormValue::Bool(yes) => Json::Bool(*yes),
        FormValue::Int(n) => Json::from(*n),
        FormValue::Text(text) => Json::String(text.clone()),
        FormValue::List(list) => list.iter().map(json).collect(),
        FormValue::Map(map) => {
            Json::Object(map.iter().map(|(name, value)| (name.clone(), json(value))).collect())
        }
    }
}

/// The kind of a field, by its schema; what is wrong with that is said.
fn kind(name: &str, schema: &Json, at: &At, file: File<'_>) -> Type {
    let text = |key: &str| schema.get(key).and_then(Json::as_str);
    let unbounded = |keyword| {
        if schema.get(keyword).is_none() {
            let what = What::Unbounded { field: name.to_owned(), keyword };
            file.mistakes.add(at, what);
        }
    };
    match text("type") {
        Some("boolean") => Type::Bool,
        Some("integer") => Type::Int,
        Some("string") => {
            if schema.get("enum").is_none() && text("format").is_none() {
                unbounded("maxLength");
            }
            match text("x-type").or_else(|| text("format").filter(|format| *format == "date")) {
                Some("money") => Type::Money,
                Some("decimal") => Type::Decimal,
                Some("date") => Type::Date,
                Some("instant") => Type::Instant,
                Some("period") => Type::Period,
                Some("party" | "officer" | "agency" | "doc" | "place" | "digest") | None => {
                    Type::Text
                }
                Some(other) => {
                    let known =
                        "money decimal date instant period party officer agency doc place digest";
                    let known = known.split(' ').map(str::to_owned).collect();
                    let what = What::Word { key: "x-type", word: other.to_owned(), known };
                    file.mistakes.add(at, what);
                    Type::Any
                }
            }
        }
        Some("array") => {
            unbounded("maxItems");
            let items = schema.get("items").unwrap_or(&Json::Null);
            Type::list(kind(name, items, at, file))
        }
        Some("object") => {
            let empty = serde_json::Map::new();
            let properties = schema.get("properties").and_then(Json::as_object).unwrap_or(&empty);
            if schema.get("additionalProperties") != Some(&Json::Bool(false)) {
                let why = format!("{name}: \"additionalProperties\": false");
                file.mistakes.add(at, What::Schema(why));
            }
            Type::map(
                properties
                    .iter()
                    .map(|(name, schema)| (name.clone(), kind(name, schema, at, file))),
            )
        }
        Some("number") => {
            file.mistakes.add(at, What::FloatField(name.to_owned()));
            Type::Any
        }
        _ => {
            file.mistakes.add(at, What::Schema(format!("{name}: type")));
            Type::Any
        }
    }
}

/// A value of a form by its schema. None when it is of another kind.
fn typed(value: &FormValue, schema: &Json) -> Option<Value> {
    let text = |key: &str| schema.get(key).and_then(Json::as_str);
    Some(match (text("type")?, value) {
        ("boolean", FormValue::Bool(yes)) => Value::Bool(*yes),
        ("integer", FormValue::Int(n)) => Value::Int((*n).into()),
        ("string", FormValue::Text(given)) => {
            match text("x-type").or_else(|| text("format").filter(|format| *format == "date")) {
                Some("money") => {
                    let yuan = canonical(given)?;
                    let fen = yuan.checked_mul(rust_decimal::Decimal::ONE_HUNDRED)?;
                    Value::Money(fen).unkept().is_none().then_some(Value::Money(fen))?
                }
                Some("decimal") => Value::Decimal(canonical(given)?),
                Some("date") => Value::Date(given.parse().ok()?),
                Some("instant") => Value::Instant(given.parse().ok()?),
                Some("period") => Value::Period(given.parse().ok()?),
                _ => Value::Text(given.clone()),
            }
        }
        ("array", FormValue::List(list)) => {
            let items = schema.get("items").unwrap_or(&Json::Null);
            Value::List(list.iter().map(|value| typed(value, items)).collect::<Option<_>>()?)
        }
        ("object", FormValue::Map(map)) => {
            let properties = schema.get("properties")?;
            let each = map
                .iter()
                .map(|(name, value)| Some((name.clone(), typed(value, properties.get(name)?)?)));
            Value::Map(each.collect::<Option<BTreeMap<_, _>>>()?)
        }
        _ => return None,
    })
}

/// A decimal in its one form: digits, a point where digits follow, no sign but a minus, no zeros in front.
fn canonical(text: &str) -> Option<rust_decimal::Decimal> {
    let plain = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = plain.split_once('.').map_or((plain, None), |(w, f)| (w, Some(f)));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let good = digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(|part| digits(part) && part.len() <= 18);
    good.then(|| rust_decimal::Decimal::from_str_exact(text).ok())?
}
