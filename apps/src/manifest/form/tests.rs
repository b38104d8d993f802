use std::{cell::Cell, collections::BTreeMap};

use chancery_crypto::Language;
use chancery_protocol::FormValue;

use super::*;
use crate::{
    calendar::{Calendar, Rule},
    civil::Zone,
    formula::Environment,
    manifest::{
        Mistake,
        reader::{File, Mistakes},
    },
    value::{Value, Why},
};

fn read(text: &str) -> (Option<Form>, Vec<Mistake>) {
    let mistakes = Mistakes::default();
    let lines = super::super::reader::lines(text);
    let form =
        Form::read(File { path: "forms/f.json", text, lines: &lines, mistakes: &mistakes }, "f");
    (form, mistakes.into_vec())
}

/// A form of these fields. The first of them stands on line 4.
fn form(fields: &str) -> String {
    format!(
        "{{ \"type\": \"object\",\n  \"additionalProperties\": false,\n  \"properties\": {{\n{fields}\n}} }}"
    )
}

fn sound(text: &str) -> Form {
    match read(text) {
        (Some(form), mistakes) if mistakes.is_empty() => form,
        (_, mistakes) => panic!("{text}: {mistakes:#?}"),
    }
}

/// Each is a form's fields, from line 4 on, with the one mistake and its line.
const FIELDS: &[(&str, &str, usize)] = &[
    // What is no keyword.
    ("\"a\": { \"type\": \"string\",\n \"maxLenght\": 5, \"maxLength\": 5 }", "keyword", 5),
    ("\"a\": { \"type\": \"integer\",\n \"reqired\": true }", "keyword", 5),
    ("\"a\": { \"type\": \"integer\",\n \"x-colour\": \"red\" }", "keyword", 5),
    ("\"a\": { \"type\": \"integer\",\n \"x-visble\": \"has(doc.b)\" }", "keyword", 5),
    ("\"a\": { \"type\": \"integer\",\n \"allOf\": [] }", "keyword", 5),
    ("\"a\": { \"type\": \"integer\",\n \"anyOf\": [{}] }", "keyword", 5),
    ("\"a\": { \"type\": \"integer\",\n \"oneOf\": [{}] }", "keyword", 5),
    ("\"a\": { \"type\": \"integer\",\n \"not\": { \"const\": 1 } }", "keyword", 5),
    ("\"a\": { \"type\": \"integer\",\n \"if\": {} }", "keyword", 5),
    ("\"a\": { \"type\": \"integer\",\n \"$ref\": \"#\" }", "keyword", 5),
    ("\"a\": { \"type\": \"integer\",\n \"$defs\": {} }", "keyword", 5),
    ("\"a\": { \"type\": \"integer\",\n \"$comment\": \"x\" }", "keyword", 5),
    (
        "\"a\": { \"type\": \"array\", \"maxItems\": 2, \"items\": { \"type\": \"integer\" },\n \"contains\": {} }",
        "keyword",
        5,
    ),
    (
        "\"a\": { \"type\": \"array\", \"maxItems\": 2, \"items\": { \"type\": \"integer\" },\n \"prefixItems\": [] }",
        "keyword",
        5,
    ),
    (
        "\"a\": { \"type\": \"string\", \"maxLength\": 9,\n \"contentEncoding\": \"base64\" }",
        "keyword",
        5,
    ),
    // What is one elsewhere.
    ("\"a\": { \"type\": \"integer\",\n \"maxLength\": 5 }", "clash", 5),
    ("\"a\": { \"type\": \"string\", \"maxLength\": 5,\n \"maximum\": 5 }", "clash", 5),
    ("\"a\": { \"type\": \"integer\",\n \"x-type\": \"money\" }", "clash", 5),
    ("\"a\": { \"type\": \"boolean\",\n \"x-unit\": \"day\" }", "clash", 5),
    ("\"a\": { \"type\": \"string\", \"maxLength\": 5,\n \"x-unit\": \"day\" }", "clash", 5),
    (
        "\"a\": { \"type\": \"string\", \"format\": \"date\",\n \"x-type\": \"instant\" }",
        "clash",
        5,
    ),
    ("\"a\": { \"type\": \"string\", \"format\": \"date\",\n \"x-type\": \"party\" }", "clash", 5),
    (
        "\"a\": { \"type\": \"string\", \"format\": \"email\", \"maxLength\": 9,\n \"x-type\": \"money\" }",
        "clash",
        5,
    ),
    ("\"a\": { \"type\": \"boolean\",\n \"items\": { \"type\": \"integer\" } }", "clash", 5),
    (
        "\"a\": { \"type\": \"integer\",\n \"$schema\": \"https://json-schema.org/draft/2020-12/schema\" }",
        "keyword-place",
        5,
    ),
    (
        "\"o\": { \"type\": \"object\", \"additionalProperties\": false, \"properties\": {\n \"a\": { \"type\": \"integer\",\n \"x-visible\": \"has(doc.b)\" } } }",
        "keyword-place",
        6,
    ),
    (
        "\"o\": { \"type\": \"object\", \"additionalProperties\": false, \"properties\": {\n \"a\": { \"type\": \"integer\",\n \"x-required\": \"has(doc.b)\" } } }",
        "keyword-place",
        6,
    ),
    (
        "\"a\": { \"type\": \"array\", \"maxItems\": 2, \"items\": { \"type\": \"integer\",\n \"x-visible\": \"has(doc.b)\" } }",
        "keyword-place",
        5,
    ),
    (
        "\"a\": { \"type\": \"array\", \"maxItems\": 2, \"items\": { \"type\": \"integer\",\n \"default\": 1 } }",
        "keyword-place",
        5,
    ),
    // Words.
    ("\"a\": { \"type\": \"string\", \"maxLength\": 9,\n \"format\": \"ipv4\" }", "word", 5),
    ("\"a\": { \"type\": \"string\", \"maxLength\": 9,\n \"x-type\": \"amount\" }", "word", 5),
    ("\"a\": {\n \"type\": \"text\" }", "word", 5),
    ("\"a\": {\n \"type\": \"null\" }", "word", 5),
    ("\"a\": {\n \"type\": [\"string\", \"null\"] }", "kind", 5),
    ("\"a\": {\n \"type\": \"number\" }", "float-field", 5),
    ("\"a\": { \"title\": \"x\" }", "missing-key", 4),
    ("\"a\": true", "kind", 4),
    // What has no bounds, or such as nothing fits.
    ("\"b\": { \"type\": \"integer\" },\n\"a\": { \"type\": \"string\" }", "unbounded", 5),
    ("\"a\": { \"type\": \"string\", \"format\": \"email\" }", "unbounded", 4),
    ("\"a\": { \"type\": \"array\", \"items\": { \"type\": \"integer\" } }", "unbounded", 4),
    ("\"a\": { \"type\": \"array\", \"maxItems\": 3 }", "missing-key", 4),
    ("\"a\": { \"type\": \"array\", \"maxItems\": 3,\n \"items\": true }", "kind", 5),
    (
        "\"a\": { \"type\": \"array\", \"maxItems\": 3,\n \"items\": { \"type\": \"string\" } }",
        "unbounded",
        5,
    ),
    ("\"a\": { \"type\": \"string\",\n \"maxLength\": 65537 }", "bound", 5),
    ("\"a\": { \"type\": \"string\",\n \"maxLength\": 0 }", "bound", 5),
    ("\"a\": { \"type\": \"string\",\n \"maxLength\": -1 }", "bound", 5),
    ("\"a\": { \"type\": \"string\",\n \"maxLength\": \"5\" }", "bound", 5),
    ("\"a\": { \"type\": \"string\",\n \"maxLength\": 5.0 }", "bound", 5),
    ("\"a\": { \"type\": \"string\", \"maxLength\": 5,\n \"minLength\": -1 }", "bound", 5),
    (
        "\"a\": { \"type\": \"array\", \"items\": { \"type\": \"integer\" },\n \"maxItems\": 10001 }",
        "bound",
        5,
    ),
    (
        "\"a\": { \"type\": \"array\", \"items\": { \"type\": \"integer\" },\n \"maxItems\": 0 }",
        "bound",
        5,
    ),
    ("\"a\": { \"type\": \"integer\",\n \"minimum\": 0.5 }", "bound", 5),
    ("\"a\": { \"type\": \"integer\",\n \"maximum\": 9223372036854775808 }", "bound", 5),
    ("\"a\": { \"type\": \"integer\",\n \"multipleOf\": 0 }", "bound", 5),
    ("\"a\": { \"type\": \"integer\",\n \"multipleOf\": -2 }", "bound", 5),
    ("\"a\": { \"type\": \"integer\",\n \"multipleOf\": 0.1 }", "bound", 5),
    ("\"a\": { \"type\": \"string\",\n \"minLength\": 5,\n \"maxLength\": 4 }", "bounds", 6),
    (
        "\"a\": { \"type\": \"array\", \"items\": { \"type\": \"integer\" },\n \"minItems\": 5, \"maxItems\": 4 }",
        "bounds",
        5,
    ),
    ("\"a\": { \"type\": \"integer\",\n \"minimum\": 5, \"maximum\": 4 }", "bounds", 5),
    (
        "\"a\": { \"type\": \"integer\",\n \"exclusiveMinimum\": 4, \"exclusiveMaximum\": 5 }",
        "bounds",
        5,
    ),
    ("\"a\": { \"type\": \"integer\",\n \"minimum\": 5, \"exclusiveMaximum\": 5 }", "bounds", 5),
    ("\"a\": { \"type\": \"integer\",\n \"exclusiveMinimum\": 9223372036854775807 }", "bounds", 5),
    (
        "\"a\": { \"type\": \"integer\", \"minimum\": 11, \"maximum\": 19,\n \"multipleOf\": 10 }",
        "bounds",
        5,
    ),
    (
        "\"a\": { \"type\": \"array\", \"maxItems\": 3, \"items\": { \"type\": \"integer\" },\n \"uniqueItems\": \"yes\" }",
        "kind",
        5,
    ),
    ("\"a\": { \"type\": \"string\", \"maxLength\": 5,\n \"pattern\": \"[\" }", "no-schema", 5),
    (
        "\"a\": { \"type\": \"string\", \"maxLength\": 5,\n \"pattern\": \"(?=a)b\" }",
        "no-schema",
        5,
    ),
    ("\"a\": { \"type\": \"string\", \"maxLength\": 5,\n \"pattern\": 5 }", "kind", 5),
    ("\"a\": { \"type\": \"string\", \"x-type\": \"date\",\n \"maxLength\": 9 }", "bounds", 5),
    ("\"a\": { \"type\": \"string\", \"x-type\": \"instant\",\n \"maxLength\": 10 }", "bounds", 5),
    ("\"a\": { \"type\": \"string\", \"format\": \"uuid\",\n \"minLength\": 37 }", "bounds", 5),
    // Values.
    ("\"a\": { \"type\": \"string\",\n \"enum\": [] }", "kind", 5),
    ("\"a\": { \"type\": \"string\",\n \"enum\": \"x\" }", "kind", 5),
    ("\"a\": { \"type\": \"string\",\n \"enum\": [\"x\",\n \"x\"] }", "repeated", 6),
    (
        "\"a\": { \"type\": \"string\", \"x-type\": \"decimal\",\n \"enum\": [\"1.0\",\n \"1.00\"] }",
        "repeated",
        6,
    ),
    ("\"a\": { \"type\": \"string\",\n \"enum\": [\"x\",\n 1] }", "unfit", 6),
    ("\"a\": { \"type\": \"string\",\n \"enum\": [\"x\", null] }", "unfit", 5),
    ("\"a\": { \"type\": \"integer\",\n \"enum\": [1, 1.5] }", "unfit", 5),
    (
        "\"a\": { \"type\": \"string\", \"maxLength\": 2,\n \"enum\": [\"x\", \"long\"] }",
        "unfit",
        5,
    ),
    (
        "\"a\": { \"type\": \"string\", \"x-type\": \"money\",\n \"enum\": [\"1.00\", \"1.005\"] }",
        "unfit",
        5,
    ),
    (
        "\"a\": { \"type\": \"array\", \"maxItems\": 2, \"items\": { \"type\": \"integer\" },\n \"enum\": [[1]] }",
        "clash",
        5,
    ),
    ("\"a\": { \"type\": \"boolean\",\n \"const\": \"true\" }", "unfit", 5),
    ("\"a\": { \"type\": \"string\", \"enum\": [\"x\"],\n \"const\": \"y\" }", "unfit", 5),
    ("\"a\": { \"type\": \"integer\", \"maximum\": 3,\n \"default\": 4 }", "unfit", 5),
    ("\"a\": { \"type\": \"integer\",\n \"default\": \"4\" }", "unfit", 5),
    (
        "\"a\": { \"type\": \"string\", \"x-type\": \"date\", \"maxLength\": 10,\n \"default\": \"2026-02-30\" }",
        "unfit",
        5,
    ),
    ("\"a\": { \"type\": \"string\", \"maxLength\": 10,\n \"examples\": \"x\" }", "kind", 5),
    (
        "\"a\": { \"type\": \"string\", \"maxLength\": 10,\n \"examples\": [\"x\",\n 5] }",
        "unfit",
        6,
    ),
    (
        "\"a\": { \"type\": \"array\", \"maxItems\": 2, \"items\": { \"type\": \"integer\" },\n \"default\": [1, 2, 3] }",
        "unfit",
        5,
    ),
    // Rules.
    (
        "\"b\": { \"type\": \"integer\" },\n\"a\": { \"type\": \"integer\",\n \"x-visible\": \"1 == 1\" }",
        "field-constant",
        6,
    ),
    (
        "\"a\": { \"type\": \"integer\",\n \"x-required\": \"size('abc') == 3\" }",
        "field-constant",
        5,
    ),
    (
        "\"a\": { \"type\": \"integer\",\n \"x-visible\": \"[1, 2].all(x, x > 0)\" }",
        "field-constant",
        5,
    ),
    ("\"a\": { \"type\": \"integer\",\n \"x-visible\": \"has(doc.a)\" }", "field-itself", 5),
    ("\"a\": { \"type\": \"integer\",\n \"x-required\": \"doc.a > 5\" }", "field-itself", 5),
    ("\"a\": { \"type\": \"integer\",\n \"x-visible\": \"has(doc['a'])\" }", "field-itself", 5),
    (
        "\"b\": { \"type\": \"integer\",\n \"x-visible\": \"has(doc.c)\" },\n\"c\": { \"type\": \"integer\", \"x-visible\": \"has(doc.b)\" }",
        "circle",
        5,
    ),
    (
        "\"a\": { \"type\": \"integer\", \"x-visible\": \"has(doc.b)\" },\n\"b\": { \"type\": \"integer\",\n \"x-visible\": \"has(doc.c)\" },\n\"c\": { \"type\": \"integer\", \"x-visible\": \"has(doc.d)\" },\n\"d\": { \"type\": \"integer\", \"x-visible\": \"has(doc.b)\" }",
        "circle",
        6,
    ),
    ("\"a\": { \"type\": \"integer\",\n \"x-visible\": true }", "kind", 5),
    ("\"a\": { \"type\": \"integer\",\n \"x-visible\": \"doc.b ==\" }", "formula", 5),
    ("\"a\": { \"type\": \"integer\",\n \"x-prefill\": \"doc.b +\" }", "formula", 5),
    // Names, and what is nested.
    ("\"A\": { \"type\": \"integer\" }", "name", 4),
    ("\"a-b\": { \"type\": \"integer\" },\n\"a_b\": { \"type\": \"integer\" }", "alike", 5),
    (
        "\"o\": { \"type\": \"object\", \"additionalProperties\": false, \"properties\": {\n \"O\": { \"type\": \"integer\" } } }",
        "name",
        5,
    ),
    (
        "\"o\": { \"type\": \"object\", \"additionalProperties\": false, \"properties\": {\n \"a-b\": { \"type\": \"integer\" },\n \"a_b\": { \"type\": \"integer\" } } }",
        "alike",
        6,
    ),
    (
        "\"o\": { \"type\": \"object\",\n \"additionalProperties\": true, \"properties\": {} }",
        "no-schema",
        5,
    ),
    ("\"o\": { \"type\": \"object\", \"properties\": {} }", "no-schema", 4),
    ("\"o\": { \"type\": \"object\", \"additionalProperties\": false }", "missing-key", 4),
    (
        "\"o\": { \"type\": \"object\", \"additionalProperties\": false,\n \"properties\": [] }",
        "kind",
        5,
    ),
    (
        "\"o\": { \"type\": \"object\", \"additionalProperties\": false,\n \"required\": [\"a\",\n \"b\"], \"properties\": { \"a\": { \"type\": \"integer\" } } }",
        "undeclared",
        6,
    ),
    (
        "\"o\": { \"type\": \"object\", \"additionalProperties\": false,\n \"required\": [\"a\",\n \"a\"], \"properties\": { \"a\": { \"type\": \"integer\" } } }",
        "repeated",
        6,
    ),
    (
        "\"o\": { \"type\": \"object\", \"additionalProperties\": false,\n \"required\": true, \"properties\": { \"a\": { \"type\": \"integer\" } } }",
        "kind",
        5,
    ),
    (
        "\"o\": { \"type\": \"object\", \"additionalProperties\": false, \"properties\": {\n \"a\": { \"type\": \"string\" } } }",
        "unbounded",
        5,
    ),
    (
        "\"l\": { \"type\": \"array\", \"maxItems\": 3, \"items\": { \"type\": \"object\", \"additionalProperties\": false,\n \"required\": [\"x\"], \"properties\": {} } }",
        "undeclared",
        5,
    ),
    (
        "\"o\": { \"type\": \"object\", \"additionalProperties\": false, \"properties\": {},\n \"minProperties\": 1 }",
        "keyword",
        5,
    ),
    (
        "\"o\": { \"type\": \"object\", \"additionalProperties\": false, \"properties\": {},\n \"patternProperties\": {} }",
        "keyword",
        5,
    ),
    // What is written twice, and what is not seen.
    ("\"a\": { \"type\": \"integer\",\n \"type\": \"integer\" }", "key-twice", 5),
    ("\"a\": { \"type\": \"integer\" },\n\"a\": { \"type\": \"integer\" }", "key-twice", 5),
    (
        "\"a\": { \"type\": \"object\", \"additionalProperties\": false, \"properties\": {}, \"default\": {\n \"x\": 1 } }",
        "unfit",
        4,
    ),
    ("\"a\": { \"type\": \"integer\",\n \"title\": \"a\u{202e}b\" }", "hidden", 5),
    ("\"a\": { \"type\": \"integer\",\n \"title\": \"a\\u202eb\" }", "hidden", 5),
    ("\"a\": { \"type\": \"integer\",\n \"title\": \"a\\nb\" }", "hidden", 5),
    ("\"a\": { \"type\": \"integer\",\n \"description\": \"a\\u001bb\" }", "hidden", 5),
    ("\"a\": { \"type\": \"string\",\n \"enum\": [\"x\",\n \"x\\u200b\"] }", "hidden", 6),
    ("\"a\": { \"type\": \"integer\",\n \"title\": \" \" }", "kind", 5),
    ("\"a\": { \"type\": \"integer\",\n \"title\": 5 }", "kind", 5),
    ("\"a\": { \"type\": \"integer\",\n \"x-personal\": \"yes\" }", "kind", 5),
    ("\"a\": { \"type\": \"string\", \"maxLength\": 5,\n \"x-code\": \"Leave Kind\" }", "kind", 5),
];

/// Whole files, each with the one mistake and its line.
const FILES: &[(&str, &str, usize)] = &[
    ("{ \"type\": \"object\",\n \"additionalProperties\": false,\n }", "no-schema", 3),
    ("[]", "no-schema", 1),
    ("{ \"additionalProperties\": false }", "no-schema", 1),
    ("{ \"additionalProperties\": false,\n \"type\": \"array\" }", "no-schema", 2),
    ("{ \"type\": \"object\" }", "no-schema", 1),
    ("{ \"type\": \"object\",\n \"additionalProperties\": true }", "no-schema", 2),
    (
        "{ \"type\": \"object\", \"additionalProperties\": false,\n \"$schema\": \"https://json-schema.org/draft-07/schema\" }",
        "word",
        2,
    ),
    ("{ \"type\": \"object\", \"additionalProperties\": false,\n \"$schema\": 5 }", "word", 2),
    ("{ \"type\": \"object\", \"additionalProperties\": false,\n \"$id\": \"x\" }", "keyword", 2),
    (
        "{ \"type\": \"object\", \"additionalProperties\": false,\n \"if\": {},\n \"properties\": {} }",
        "keyword",
        2,
    ),
    (
        "{ \"type\": \"object\", \"additionalProperties\": false,\n \"dependentRequired\": {} }",
        "keyword",
        2,
    ),
    (
        "{ \"type\": \"object\", \"additionalProperties\": false,\n \"maxProperties\": 5 }",
        "keyword",
        2,
    ),
    (
        "{ \"type\": \"object\", \"additionalProperties\": false,\n \"unevaluatedProperties\": false }",
        "keyword",
        2,
    ),
    (
        "{ \"type\": \"object\", \"additionalProperties\": false,\n \"attach.proof\": {} }",
        "keyword",
        2,
    ),
    (
        "{ \"type\": \"object\", \"additionalProperties\": false,\n \"maxLength\": 5 }",
        "keyword-place",
        2,
    ),
    (
        "{ \"type\": \"object\", \"additionalProperties\": false,\n \"default\": {} }",
        "keyword-place",
        2,
    ),
    (
        "{ \"type\": \"object\", \"additionalProperties\": false,\n \"required\": [\"a\"] }",
        "undeclared",
        2,
    ),
    ("{ \"type\": \"object\", \"additionalProperties\": false,\n \"required\": [5] }", "kind", 2),
    (
        "{ \"type\": \"object\", \"additionalProperties\": false, \"properties\": { \"a\": { \"type\": \"integer\" } },\n \"examples\": [{ \"a\": 1 },\n { \"b\": 1 }] }",
        "unfit",
        3,
    ),
    (
        "{ \"type\": \"object\", \"additionalProperties\": false, \"required\": [\"a\"], \"properties\": { \"b\": { \"type\": \"integer\" },\n \"a\": { \"type\": \"integer\",\n \"x-visible\": \"has(doc.b)\" } } }",
        "field-always",
        3,
    ),
    // The word stands before the place that is meant, in quotes too.
    (
        "{ \"title\": \"maxLength\", \"description\": \"properties\",\n \"type\": \"object\", \"additionalProperties\": false,\n \"properties\": { \"title\": { \"type\": \"string\", \"maxLength\": 5, \"default\": \"maxLength\",\n\n \"maxLength\": 9 } } }",
        "key-twice",
        5,
    ),
];

#[test]
fn a_form_that_is_wrong_is_called_so_on_its_line() {
    let fields = FIELDS.iter().map(|(text, code, line)| (form(text), *code, *line));
    let files = FILES.iter().map(|(text, code, line)| ((*text).to_owned(), *code, *line));
    let mut otherwise = Vec::new();
    for (text, code, line) in fields.chain(files) {
        let (_, mistakes) = read(&text);
        let found: Vec<_> = mistakes.iter().map(|one| (one.what.code(), one.at.line)).collect();
        if found != [(code, line)] {
            otherwise.push(format!("{code}:{line}, found {found:?}: {text}"));
        }
        for language in [Language::En, Language::Zh] {
            assert!(mistakes.iter().all(|one| !one.say(language).is_empty()));
        }
    }
    assert_eq!(otherwise, Vec::<String>::new(), "{}", otherwise.join("\n"));
}

#[test]
fn the_nearest_keyword_is_named_and_none_for_what_forms_have_not() {
    let hint = |text: &str| {
        let (_, mistakes) = read(&form(text));
        mistakes.iter().map(|one| one.say(Language::En)).collect::<Vec<_>>().join("\n")
    };
    let slip = hint("\"a\": { \"type\": \"string\", \"maxLength\": 5, \"minLenght\": 1 }");
    assert!(slip.contains("did you mean \"minLength\"?"), "{slip}");
    let slip = hint("\"a\": { \"type\": \"integer\", \"x-requierd\": \"has(doc.b)\" }");
    assert!(slip.contains("did you mean \"x-required\"?"), "{slip}");
    let other = hint("\"a\": { \"type\": \"integer\", \"maxProperties\": 5 }");
    assert!(!other.contains("did you mean"), "{other}");
    let format = hint("\"a\": { \"type\": \"string\", \"maxLength\": 5, \"format\": \"ipv4\" }");
    assert!(format.contains("date, date-time, email, uri, uuid, time, regex"), "{format}");
}

#[test]
fn a_form_that_uses_all_that_there_is_is_sound() {
    let text = r##"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "申请", "description": "一\n二", "type": "object", "additionalProperties": false,
  "required": ["kind", "lines"],
  "examples": [{ "kind": "sick", "lines": [] }],
  "properties": {
    "kind": { "type": "string", "enum": ["sick", "other"], "default": "other", "x-code": "leave-kind" },
    "proof": { "type": "string", "maxLength": 64, "x-type": "digest", "x-personal": true, "x-mask": "last 4",
               "x-visible": "doc.kind == 'sick'", "x-required": "doc.kind == 'sick' && size(doc.lines) > 2" },
    "from": { "type": "string", "format": "date", "x-type": "date", "examples": ["2026-03-02"] },
    "at": { "type": "string", "format": "date-time", "x-type": "instant", "maxLength": 25 },
    "id": { "type": "string", "format": "uuid" },
    "mail": { "type": "string", "format": "email", "maxLength": 200, "x-type": "officer" },
    "agreed": { "type": "boolean", "const": true },
    "rate": { "type": "string", "x-type": "decimal", "maxLength": 10, "pattern": "^0", "x-unit": "yuan" },
    "days": { "type": "integer", "minimum": 1, "exclusiveMaximum": 100, "multipleOf": 5, "x-unit": "day",
              "x-prefill": "5", "x-class": "内部" },
    "lines": { "type": "array", "minItems": 0, "maxItems": 10000, "uniqueItems": true, "items": {
      "type": "object", "additionalProperties": false, "required": ["title"],
      "properties": { "title": { "type": "string", "minLength": 0, "maxLength": 65536 },
                      "amount": { "type": "string", "x-type": "money", "maxLength": 20, "default": "0.00" } } } }
  }
}"##;
    let form = sound(text);
    assert_eq!(form.fields.len(), 10);
    assert!(form.fields[0].required && !form.fields[1].required);
    assert_eq!(form.fields[1].visible.as_ref().expect("a rule").at.line, 9);
    for (name, kind) in
        [("from", Type::Date), ("at", Type::Instant), ("rate", Type::Decimal), ("mail", Type::Text)]
    {
        let field = form.fields.iter().find(|field| field.name == name).expect("a field");
        assert_eq!(field.kind, kind, "{name}");
    }
}

#[test]
fn the_forms_that_come_with_the_program_are_sound() {
    for text in [
        include_str!("../../../modules/news/forms/article.json"),
        include_str!("../../../modules/news/forms/change.json"),
        include_str!("../../../modules/news/forms/remark.json"),
        include_str!("../../../../cli/src/module/request.json"),
        include_str!("../../../../cli/src/module/answer.json"),
    ] {
        sound(text);
    }
}

#[test]
fn the_guide_lists_the_whole_vocabulary() {
    let guide = include_str!("../../../../docs/modules.md");
    let from = guide.find("### Forms").expect("a paragraph on forms");
    let to = guide.find("### Formulas").expect("one behind it");
    let guide = &guide[from..to];
    let keywords = keywords::KEYWORDS.iter().map(|keyword| keyword.name);
    for word in keywords.chain(keywords::FORMATS).chain(kinds::X_TYPES) {
        assert!(guide.contains(&format!("`{word}`")), "{word} is not in the guide");
    }
    assert_eq!(keywords::MOST_TEXT, chancery_protocol::MAX_FORM as i64);
}

/// A form that was filled in.
struct Filled(Value, Calendar, Cell<u64>);

impl Environment for Filled {
    fn root(&self, name: &str) -> Value {
        if name == "doc" { self.0.clone() } else { Value::None }
    }
    fn call(&self, name: &str, _: &[Value]) -> Value {
        Value::Unknown(Why::NoRow(name.to_owned()))
    }
    fn calendar(&self) -> &Calendar {
        &self.1
    }
    fn rule(&self) -> Rule {
        Rule::Civil
    }
    fn zone(&self) -> Zone {
        Zone::CHINA
    }
    fn step(&self) -> bool {
        self.2.set(self.2.get() + 1);
        self.2.get() < 1000
    }
}

fn judged(form: &Form, filled: &str) -> Vec<String> {
    let json = serde_json::from_str(filled).expect("JSON");
    let Some(FormValue::Map(filled)) = kinds::form_value(&json) else { panic!("{filled}") };
    let environment = Filled(form.values(&filled), Calendar::default(), Cell::default());
    let faults = form.judge(&filled, &environment);
    for fault in &faults {
        assert!(fault.say(Language::Zh).contains(&fault.at));
    }
    faults.iter().map(|one| format!("{} {} {}", one.at, one.keyword, one.wanted)).collect()
}

#[test]
fn what_is_of_another_kind_is_a_fault_and_never_passed_over() {
    let form = sound(&form(
        r#""a": { "type": "string", "x-type": "money", "maxLength": 20 },
           "ab": { "type": "integer" },
           "l": { "type": "array", "maxItems": 3, "items": { "type": "object", "additionalProperties": false,
                "properties": { "on": { "type": "string", "x-type": "date", "maxLength": 20 } } } },
           "n": { "type": "integer", "x-visible": "!has(doc.a)" }"#,
    ));
    assert_eq!(judged(&form, r#"{ "a": "1.50", "l": [{ "on": "2026-03-02" }] }"#), [""; 0]);
    assert_eq!(
        judged(&form, r#"{ "a": "1.5 yuan", "ab": "x" }"#)[..2],
        ["/ab type integer", "/a x-type money"]
    );
    let second = r#"{ "l": [{}, { "on": "2026-02-30" }] }"#;
    assert_eq!(judged(&form, second), ["/l/1/on x-type date"]);
    assert_eq!(judged(&form, r#"{ "b/c": 1 }"#), ["/b~1c additionalProperties b/c"]);
    // It is not as if it were not there.
    let hidden = judged(&form, r#"{ "a": "much", "n": 1 }"#);
    assert_eq!(hidden, ["/a x-type money", "/n x-visible kinds: doc.a"]);
    let values = form.values(&BTreeMap::from([("a".to_owned(), FormValue::Int(1))]));
    assert!(matches!(values.field("a"), Value::Unknown(Why::Kinds(_))));
}

#[test]
fn a_rule_that_cannot_be_judged_names_what_is_missing() {
    let form = sound(&form(
        r#""amount": { "type": "integer" }, "kind": { "type": "string", "enum": ["a", "b"] },
           "why": { "type": "string", "maxLength": 20, "x-visible": "doc.amount > 100" },
           "who": { "type": "string", "maxLength": 20, "x-required": "doc.amount > 100 && doc.kind == 'a'" },
           "both": { "type": "integer", "x-visible": "doc.kind == 'a'", "x-required": "doc.amount > 5" }"#,
    ));
    let cases: [(&str, &[&str]); 7] = [
        (r#"{ "amount": 1 }"#, &[]),
        (r#"{ "amount": 101, "why": "x", "kind": "b" }"#, &[]),
        (r#"{ "amount": 1, "why": "x" }"#, &["/why visible doc.amount > 100"]),
        // Whether it is filled in or not.
        (r#"{ "why": "x", "kind": "b" }"#, &["/why x-visible missing: doc.amount"]),
        (r#"{ "kind": "b", "who": "x" }"#, &["/why x-visible missing: doc.amount"]),
        (
            r#"{ "kind": "a", "both": 1 }"#,
            &["/why x-visible missing: doc.amount", "/who x-required missing: doc.amount"],
        ),
        (
            r#"{ "kind": "a", "amount": 101, "why": "x" }"#,
            &["/who required who", "/both required both"],
        ),
    ];
    for (filled, faults) in cases {
        assert_eq!(judged(&form, filled), faults, "{filled}");
    }
}

#[test]
fn any_text_is_read_or_is_a_mistake() {
    let form = form("\"a\": { \"type\": \"string\", \"maxLength\": 5, \"title\": \"é\\\"\\\\\" }");
    for end in 0..form.len() {
        let Some(cut) = form.get(..end) else { continue };
        let (read, mistakes) = read(cut);
        assert!(read.is_none() && !mistakes.is_empty(), "{cut}");
    }
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    assert_eq!(read(&deep).1.len(), 1);
    sound(&form.replace('\n', "\r\n"));
}

#[test]
fn names_that_differ_in_case_alone_are_told() {
    let (_, mistakes) =
        read(&form("\"no\": { \"type\": \"integer\" },\n\"No\": { \"type\": \"integer\" }"));
    let codes: Vec<_> = mistakes.iter().map(|one| (one.what.code(), one.at.line)).collect();
    assert_eq!(codes, [("name", 5), ("alike", 5)]);
}

#[test]
fn there_are_no_more_fields_and_choices_than_anybody_can_mean() {
    let fields = |count: usize| {
        let each = (0..count).map(|n| format!("\"f{n}\": {{ \"type\": \"integer\" }}"));
        form(&each.collect::<Vec<_>>().join(", "))
    };
    let choices = |count: usize| {
        let each = (0..count).map(|n| format!("\"c{n}\"")).collect::<Vec<_>>().join(", ");
        form(&format!("\"a\": {{ \"type\": \"string\", \"enum\": [{each}] }}"))
    };
    sound(&fields(1_000));
    sound(&choices(10_000));
    for (text, line) in [(fields(1_001), 3), (choices(10_001), 4)] {
        let (_, mistakes) = read(&text);
        let codes: Vec<_> = mistakes.iter().map(|one| (one.what.code(), one.at.line)).collect();
        assert_eq!(codes, [("too-many", line)]);
    }
}

#[test]
fn faults_are_no_more_and_no_longer_than_a_record_holds() {
    let each = (0..9_000).map(|n| format!("\"choice {n}\"")).collect::<Vec<_>>().join(", ");
    let form = sound(&form(&format!(
        "\"a\": {{ \"type\": \"array\", \"maxItems\": 9000, \"items\": {{ \"type\": \"string\", \"enum\": [{each}] }} }},
         \"b\": {{ \"type\": \"array\", \"maxItems\": 9000, \"items\": {{ \"type\": \"string\", \"maxLength\": 9, \"x-type\": \"money\" }} }}"
    )));
    let bad = vec!["x"; 5_000];
    for name in ["a", "b"] {
        let faults = judged(&form, &serde_json::json!({ name: bad }).to_string());
        assert_eq!(faults.len(), 50);
        assert!(faults.iter().all(|fault| fault.len() < 5_000));
    }
}

#[test]
fn many_rules_that_rest_on_many_are_read_in_time() {
    let rule = |n: usize| {
        let on: Vec<_> = (0..n).map(|other| format!("has(doc.f{other})")).collect();
        if n == 0 { String::new() } else { format!(", \"x-visible\": \"{}\"", on.join(" || ")) }
    };
    let fields: Vec<_> =
        (0..40).map(|n| format!("\"f{n}\": {{ \"type\": \"integer\"{} }}", rule(n))).collect();
    sound(&form(&fields.join(",\n")));
}
