//! What is wrong with a form that was filled in.

use std::collections::BTreeMap;

use chancery_protocol::FormValue;
use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value as Json;

use super::{Form, FormFault, kinds, values};
use crate::{
    formula::{Environment, Type},
    manifest::reader::Placed,
    value::{Value, Why},
};

/// The most faults of one form that are told: they stand in the record of a decision.
const MOST_FAULTS: usize = 50;

/// The most characters of what a fault says was wanted: a list of choices may be long.
const MOST_WANTED: usize = 1_000;

/// Builds a schema.
///
/// # Errors
/// The place, a JSON Pointer, and why it is none.
pub(super) fn validator(schema: &Json) -> Result<Validator, (String, String)> {
    let options = jsonschema::options()
        .with_draft(Draft::Draft202012)
        .offline()
        .should_validate_formats(true)
        .with_pattern_options(PatternOptions::regex());
    options.build(schema).map_err(|error| (error.instance_path().to_string(), error.to_string()))
}

/// What is wrong with a value by a schema and by its kind: no more than there is to say of each place.
pub(super) fn faults(given: &FormValue, validator: &Validator, kind: &Type) -> Vec<FormFault> {
    let json = kinds::json(given);
    let mut faults: Vec<_> =
        validator.iter_errors(&json).take(MOST_FAULTS).map(|error| fault(&error)).collect();
    kind_faults(given, "", kind, &mut faults);
    faults
}

/// Adds the places that are of another kind, where nothing is said of them yet.
fn kind_faults(given: &FormValue, at: &str, kind: &Type, faults: &mut Vec<FormFault>) {
    let mut wrong = Vec::new();
    kinds::value(given, kind, at, &mut wrong);
    for (at, kind) in wrong {
        if faults.len() < MOST_FAULTS && faults.iter().all(|fault| fault.at != at) {
            faults.push(FormFault { at, keyword: "x-type".into(), wanted: kind.to_string() });
        }
    }
}

impl Form {
    /// The values of a form that was filled in, by the kinds of its fields. What is of another kind is unknown, so that nothing
    /// rests on its absence; the form is refused for it.
    pub(crate) fn values(&self, form: &chancery_protocol::Form) -> Value {
        let each = form.iter().filter_map(|(name, given)| {
            let field = self.fields.iter().find(|field| field.name == *name)?;
            let mut wrong = Vec::new();
            let value = kinds::value(given, &field.kind, &format!("doc.{name}"), &mut wrong);
            let value = match wrong.is_empty() {
                true => value,
                false => Value::Unknown(Why::Kinds(format!("doc.{name}"))),
            };
            Some((name.clone(), value))
        });
        Value::Map(each.collect::<BTreeMap<_, _>>())
    }

    /// What is wrong with a form that was filled in: by the schema, and by the rules on which fields are there, for which
    /// `doc` must be its values.
    pub(crate) fn judge(
        &self,
        form: &chancery_protocol::Form,
        environment: &dyn Environment,
    ) -> Vec<FormFault> {
        let json = kinds::json(&FormValue::Map(form.clone()));
        let mut faults: Vec<_> =
            self.validator.iter_errors(&json).take(MOST_FAULTS).map(|e| fault(&e)).collect();
        for field in &self.fields {
            let at = format!("/{}", kinds::step(&field.name));
            let given = form.get(&field.name);
            let mut add = |keyword: &str, wanted: String| {
                faults.push(FormFault { at: at.clone(), keyword: keyword.to_owned(), wanted });
            };
            match holds(field.visible.as_ref(), true, environment) {
                Err(why) => add("x-visible", why),
                Ok(false) if given.is_some() => {
                    let wanted = field.visible.as_ref().map(|placed| placed.formula.text());
                    add("visible", wanted.unwrap_or_default().to_owned());
                }
                // Only of what may be there and is not it matters whether it must be.
                Ok(true) if given.is_none() => {
                    match holds(field.needed.as_ref(), false, environment) {
                        Err(why) => add("x-required", why),
                        Ok(true) => add("required", field.name.clone()),
                        Ok(false) => {}
                    }
                }
                Ok(_) => {}
            }
            if let Some(given) = given {
                kind_faults(given, &at, &field.kind, &mut faults);
                if let Some(schema) = self.schema_of(&field.name) {
                    faults.extend(crate::codes::faults(schema, given, &at, environment));
                }
            }
        }
        // The schema refuses what it does not name, or the file would not have been taken; nothing of a form goes unseen.
        let known = |name: &String| self.fields.iter().any(|field| field.name == *name);
        if let Some(name) = form.keys().find(|name| !known(name))
            && faults.iter().all(|fault| fault.keyword != "additionalProperties")
        {
            let at = format!("/{}", kinds::step(name));
            let keyword = "additionalProperties".to_owned();
            faults.push(FormFault { at, keyword, wanted: name.clone() });
        }
        faults.truncate(MOST_FAULTS);
        faults
    }
}

/// Whether a rule holds. What is missing where that cannot be said.
fn holds(
    rule: Option<&Placed>,
    otherwise: bool,
    environment: &dyn Environment,
) -> Result<bool, String> {
    match rule.map(|placed| placed.formula.value(environment)) {
        None => Ok(otherwise),
        Some(Value::Bool(yes)) => Ok(yes),
        Some(Value::Unknown(why)) => Err(why.to_string()),
        Some(other) => Err(other.kind().to_owned()),
    }
}

fn fault(error: &jsonschema::ValidationError<'_>) -> FormFault {
    use jsonschema::error::ValidationErrorKind as Kind;
    let mut at = error.instance_path().to_string();
    let wanted = match error.kind() {
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            at = format!("{at}/{}", kinds::step(name));
            name.to_owned()
        }
        Kind::AdditionalProperties { unexpected } => {
            if let Some(first) = unexpected.first() {
                at = format!("{at}/{}", kinds::step(first));
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
    let wanted = values::cut(wanted, MOST_WANTED);
    FormFault { at, keyword: error.kind().keyword().to_owned(), wanted }
}
