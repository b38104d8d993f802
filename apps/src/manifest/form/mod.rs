//! The form of a document type: a JSON Schema of a closed vocabulary, with the kinds of its fields and the rules on which of
//! them are there.
//!
//! [`Form::read`] finds what is wrong with the schema itself; [`Form::judge`] what is wrong with a form that was filled in.

mod judge;
mod keywords;
mod kinds;
mod rules;
mod schema;
mod tree;
mod values;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use jsonschema::Validator;
use serde::{Deserialize, Serialize};

use super::reader::Placed;
use crate::formula::Type;

/// A form, as a file of `forms/` describes it.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    validator: Arc<Validator>,
    /// What is known of each field, in the order of the schema.
    pub fields: Vec<Field>,
    /// The whole schema.
    schema: Arc<serde_json::Value>,
}

/// A field of a form.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub name: String,
    pub kind: Type,
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
    /// The keyword of the schema that it breaks; `visible` of a field that may not be there now; `x-visible` and `x-required`
    /// of one of which that cannot be said.
    pub keyword: String,
    /// What the keyword asks for; what is missing where it cannot be said.
    pub wanted: String,
}

impl Form {
    /// The whole schema.
    pub(super) fn schema(&self) -> &serde_json::Value {
        &self.schema
    }

    /// The schema of a field.
    fn schema_of(&self, field: &str) -> Option<&serde_json::Value> {
        self.schema.get("properties")?.get(field)
    }

    /// The code lists that a field names, and whether each stands at a text.
    pub(super) fn code_lists(&self) -> impl Iterator<Item = (&str, Vec<(String, bool)>)> {
        let named = |field: &str| self.schema_of(field).map(crate::codes::named);
        self.fields.iter().filter_map(move |field| Some((field.name.as_str(), named(&field.name)?)))
    }

    /// Whether the form names all values that a field may have: by `enum`, or by a code list.
    pub(super) fn is_closed(&self, field: &str) -> bool {
        let schema = self.schema_of(field);
        schema.is_some_and(|of| of.get("enum").is_some() || of.get("x-code").is_some())
    }

    /// The fields that hold what is personal, themselves or in what lies within them.
    pub(super) fn personal(&self) -> impl Iterator<Item = &str> {
        fn is(schema: &serde_json::Value) -> bool {
            match schema {
                serde_json::Value::Object(map) => {
                    map.get("x-personal") == Some(&serde_json::Value::Bool(true))
                        || map.values().any(is)
                }
                serde_json::Value::Array(list) => list.iter().any(is),
                _ => false,
            }
        }
        let named = self.fields.iter().map(|field| field.name.as_str());
        named.filter(|name| self.schema_of(name).is_some_and(is))
    }

    /// The kinds of its fields.
    pub(crate) fn kind(&self) -> Type {
        Type::map(self.fields.iter().map(|field| (field.name.clone(), field.kind.clone())))
    }
}
