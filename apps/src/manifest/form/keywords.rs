//! The vocabulary of forms. It is closed: what is not in it is a mistake, so that nothing that somebody has written is passed
//! over.

/// Where in a form a schema stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The whole form.
    Form,
    /// A field of it.
    Field,
    /// A field of an object in it.
    Nested,
    /// What a list is of.
    Items,
}

impl Place {
    /// Its name in mistakes, of which `wording` makes words.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Field => "field",
            Self::Nested => "nested",
            Self::Items => "items",
        }
    }
}

/// A keyword.
#[derive(Debug)]
pub(super) struct Keyword {
    pub name: &'static str,
    /// The types that it goes with; none where it goes with all.
    of: &'static [&'static str],
    places: &'static [Place],
}

impl Keyword {
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        KEYWORDS.iter().find(|known| known.name == name)
    }

    pub(super) fn stands(&self, place: Place) -> bool {
        self.places.contains(&place)
    }

    pub(super) fn goes_with(&self, kind: &str) -> bool {
        self.of.is_empty() || self.of.contains(&kind)
    }
}

/// The types that a field may have.
pub(super) const TYPES: [&str; 5] = ["string", "integer", "boolean", "array", "object"];

/// What `$schema` may say.
pub(super) const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// What `format` may say.
pub(super) const FORMATS: [&str; 7] =
    ["date", "date-time", "email", "uri", "uuid", "time", "regex"];

/// Formats of texts of one length, which need no other bound. Moments have as many fractions as somebody likes.
pub(super) const SHORT: [&str; 2] = ["date", "uuid"];

/// The longest text that may be asked for: a form has no more bytes ([`chancery_protocol::MAX_FORM`]).
pub(super) const MOST_TEXT: i64 = 64 << 10;

/// The longest list that may be asked for.
pub(super) const MOST_ITEMS: i64 = 10_000;

/// The most fields of one object.
pub(super) const MOST_FIELDS: usize = 1_000;

const ALL: &[Place] = &[Place::Form, Place::Field, Place::Nested, Place::Items];
const BELOW: &[Place] = &[Place::Field, Place::Nested, Place::Items];
const FIELDS: &[Place] = &[Place::Field, Place::Nested];
const FIELD: &[Place] = &[Place::Field];
const FORM: &[Place] = &[Place::Form];

const PLAIN: &[&str] = &["string", "integer", "boolean"];
const TEXT: &[&str] = &["string"];
const NUMBER: &[&str] = &["integer"];
const LIST: &[&str] = &["array"];
const OBJECT: &[&str] = &["object"];

const fn keyword(
    name: &'static str,
    of: &'static [&'static str],
    places: &'static [Place],
) -> Keyword {
    Keyword { name, of, places }
}

pub(super) const KEYWORDS: [Keyword; 33] = [
    keyword("$schema", &[], FORM),
    keyword("title", &[], ALL),
    keyword("description", &[], ALL),
    keyword("type", &[], ALL),
    keyword("properties", OBJECT, ALL),
    keyword("required", OBJECT, ALL),
    keyword("additionalProperties", OBJECT, ALL),
    keyword("items", LIST, BELOW),
    keyword("minItems", LIST, BELOW),
    keyword("maxItems", LIST, BELOW),
    keyword("uniqueItems", LIST, BELOW),
    keyword("minLength", TEXT, BELOW),
    keyword("maxLength", TEXT, BELOW),
    keyword("pattern", TEXT, BELOW),
    keyword("format", TEXT, BELOW),
    keyword("enum", PLAIN, BELOW),
    keyword("const", PLAIN, BELOW),
    keyword("minimum", NUMBER, BELOW),
    keyword("maximum", NUMBER, BELOW),
    keyword("exclusiveMinimum", NUMBER, BELOW),
    keyword("exclusiveMaximum", NUMBER, BELOW),
    keyword("multipleOf", NUMBER, BELOW),
    keyword("default", &[], FIELDS),
    keyword("examples", &[], ALL),
    keyword("x-type", TEXT, BELOW),
    keyword("x-unit", &["string", "integer"], BELOW),
    keyword("x-code", TEXT, BELOW),
    keyword("x-personal", &[], BELOW),
    keyword("x-mask", &[], BELOW),
    keyword("x-class", &[], BELOW),
    keyword("x-prefill", &[], FIELDS),
    keyword("x-visible", &[], FIELD),
    keyword("x-required", &[], FIELD),
];

/// Words of JSON Schema that forms have not, and that are no slip of the hand: nothing is near them.
const OTHERS: [&str; 38] = [
    "$ref",
    "$dynamicRef",
    "$recursiveRef",
    "$anchor",
    "$dynamicAnchor",
    "$recursiveAnchor",
    "$id",
    "$defs",
    "$comment",
    "$vocabulary",
    "definitions",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "dependencies",
    "patternProperties",
    "propertyNames",
    "contains",
    "minContains",
    "maxContains",
    "prefixItems",
    "additionalItems",
    "unevaluatedItems",
    "unevaluatedProperties",
    "minProperties",
    "maxProperties",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "readOnly",
    "writeOnly",
    "deprecated",
];

/// The keyword that somebody may have meant at a place.
pub(super) fn nearest(given: &str, place: Place) -> Option<String> {
    let known = KEYWORDS.iter().filter(|known| known.stands(place)).map(|known| known.name);
    let meant = !OTHERS.contains(&given);
    meant.then(|| crate::nearest::nearest(given, known).map(str::to_owned))?
}
