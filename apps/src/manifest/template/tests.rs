use chancery_crypto::Language;

use crate::{folder::Folder, manifest::Module};

const MODULE: &str = "module = \"m\"\nversion = \"1\"\nlaw = \"法\"\nnames = { \"zh-CN\" = \"模块\", en = \"module\" }\n[role.clerk]\n";

const FORM: &str = r#"{ "type": "object", "additionalProperties": false, "properties": {
  "who": { "type": "string", "maxLength": 100 }, "on": { "type": "string", "format": "date" },
  "sum": { "type": "string", "maxLength": 20, "x-type": "money" },
  "lines": { "type": "array", "maxItems": 1000, "items": { "type": "object", "additionalProperties": false,
    "properties": { "what": { "type": "string", "maxLength": 200 }, "count": { "type": "integer" } } } } } }"#;

const CASE: &str = r#"
case = "c"
parent = "p"
[state]
open = {}
shut = { end = true }
[let]
asked = "doc.who"
known = "find('r', it.who)"
twice = "asked + '!'"
[act.begin]
form = "f"
to = "open"
by = ["clerk"]
set = { who = "doc.who" }
[act.close]
form = "f"
from = ["open"]
to = "shut"
by = "clerk"
"#;

const PARENT: &str = r#"
case = "p"
[state]
open = {}
[act.begin]
form = "f"
from = ["", "open"]
to = "open"
by = ["clerk"]
set = { secret = "doc.who" }
[hide.secret]
until = "state:open"
law = "1"
"#;

const REGISTRY: &str = "registry = \"r\"\nform = \"f\"\nkey = [\"it.who\"]\n";

/// What is wrong with a template, with its place; nothing of what is wrong with the rest.
fn mistakes(template: &str) -> Vec<String> {
    let folder = Folder::of([
        ("module.toml", MODULE),
        ("forms/f.json", FORM),
        ("cases/c.toml", CASE),
        ("cases/p.toml", PARENT),
        ("registries/r.toml", REGISTRY),
        ("templates/t.toml", template),
    ]);
    let found = Module::read(&folder.expect("a folder")).err().unwrap_or_default();
    let own = found.iter().filter(|mistake| mistake.at.file == "templates/t.toml");
    own.map(|mistake| {
        for language in Language::ALL {
            assert!(!mistake.say(language).is_empty());
        }
        format!("{} {}", mistake.at.line, mistake.what.code())
    })
    .collect()
}

const HEAD: &str = "template = \"t\"\nof = \"c\"\ntitle = \"{filed.begin.who}\"\n";

/// As [`mistakes`], with lines counted from the first of the blocks.
fn of_blocks(blocks: &str) -> Vec<String> {
    let shift = |line: &str| {
        let (line, code) = line.split_once(' ').unwrap_or_default();
        format!("{} {code}", line.parse::<usize>().unwrap_or(0) - 3)
    };
    mistakes(&format!("{HEAD}{blocks}")).iter().map(|line| shift(line)).collect()
}

#[test]
fn a_template_without_mistakes_has_none() {
    let good = r#"
[sheet]
numbers = "outer"
size = "15.5"
[block.a]
at = { line = 1, lines = 2, column = 3, columns = 10 }
text = { "zh-CN" = "甲：{filed.begin.who}", en = "A: {filed.begin.who}" }
[block.b]
text = "{it.state} {when.begin} {filed.begin.on} {filed.begin.sum}"
if = "has(it.who)"
[block.c]
each = "filed.begin.lines"
column.what = { head = { "zh-CN" = "项目", en = "Item" }, text = "{x.what}", width = 20 }
column.count = { head = { "zh-CN" = "数量", en = "Count" }, text = "{x.count}", width = 8, align = "right" }
[block.d]
pair.one = { label = { "zh-CN" = "一", en = "One" }, text = "{it.who}" }
[block.e]
seal = "b"
[block.f]
qr = "it.id"
[block.g]
stroke = 35
foot = true
"#;
    assert_eq!(of_blocks(good), Vec::<String>::new());
    let record =
        "template = \"t\"\nof = \"r\"\ntitle = \"{it.who}\"\n[block.a]\ntext = \"{it.on}\"\n";
    assert_eq!(mistakes(record), Vec::<String>::new());
}

#[test]
fn every_value_exists_and_can_be_read_on_paper() {
    for (text, wrong) in [
        ("{it.nobody}", "kinds"),
        ("{filed.begin.whom}", "kinds"),
        ("{nothing}", "kinds"),
        // What belongs to a document that is being judged, itself or by a name.
        ("{doc.who}", "kinds"),
        ("{me.name}", "kinds"),
        ("{asked}", "not-here"),
        ("{twice}", "not-here"),
        // What others keep.
        ("{find('r', 'x').who}", "not-here"),
        ("{known.who}", "not-here"),
        ("{has_role(me, 'clerk')}", "not-here"),
        ("{parent.state}", "paper-shows"),
        ("{filed.begin}", "result"),
        ("{filed.begin.lines}", "result"),
        ("{1 +}", "formula"),
        ("{it.who", "brace"),
        ("it.who}", "brace"),
        ("\u{202e}{it.who}", "text"),
        ("甲{it.who}", "no-text"),
    ] {
        let found = of_blocks(&format!("[block.a]\ntext = \"{text}\"\n"));
        assert!(found.contains(&format!("2 {wrong}")), "{text}: {found:?}");
    }
    let record = |text: &str| {
        mistakes(&format!(
            "template = \"t\"\nof = \"r\"\ntitle = \"{text}\"\n[block.a]\ntext = \"\"\n"
        ))
    };
    assert_eq!(record("{it.whom}"), ["3 kinds"]);
    assert_eq!(record("{at}"), ["3 kinds"]);
    assert_eq!(record("{code('x', it.who, it.on).name}"), ["3 not-here"]);
}

#[test]
fn both_languages_are_there_and_every_mistake_has_its_line() {
    for (blocks, wrong) in [
        ("[block.a]\ntext = { \"zh-CN\" = \"甲\" }\n", "2 no-text"),
        ("[block.a]\ntext = { en = \"a\" }\n", "2 no-text"),
        ("[block.a]\ntext = { \"zh-CN\" = \"甲\", en = \"a\", de = \"a\" }\n", "2 unknown-key"),
        ("[block.a]\ntxt = \"1\"\n", "1 missing-key"),
        ("[block.a]\ntext = \"1\"\nstroke = 3\n", "1 clash"),
        ("[block.a]\ntext = \"1\"\nfond = \"hei\"\n", "3 unknown-key"),
        ("[block.a]\ntext = \"1\"\nfont = \"comic\"\n", "3 word"),
        ("[block.a]\ntext = \"1\"\nsize = 3\n", "3 kind"),
        ("[block.a]\ntext = \"1\"\nsize = \"10.55\"\n", "3 kind"),
        ("[block.a]\ntext = \"1\"\nsize = 10.5\n", "3 float"),
        ("[block.a]\nseal = \"b\"\n", "1 undeclared"),
        ("[block.a]\nstroke = 0\n", "2 outside"),
        ("[block.a]\nqr = \"it.id\"\nside = 400\n", "3 outside"),
        ("[block.a]\ntext = \"1\"\nleft = 14\nright = 14\n", "1 outside"),
        // Beyond the sheet: 22 lines of 28 characters.
        ("[block.a]\ntext = \"1\"\nat = { line = 23 }\n", "3 outside"),
        ("[block.a]\ntext = \"1\"\nat = { line = 22, lines = 2 }\n", "3 outside"),
        ("[block.a]\ntext = \"1\"\nat = { line = 1, column = 20, columns = 10 }\n", "3 outside"),
        ("[block.a]\ntext = \"1\"\nat = { column = 1 }\n", "3 missing-key"),
        (
            "[block.a]\ntext = \"1\"\nat = { line = 1 }\n[block.b]\ntext = \"2\"\nat = { line = 1, column = 5 }\n",
            "4 covers",
        ),
        (
            "[block.a]\ntext = \"1\"\nat = { line = 1, lines = 22 }\n[block.b]\ntext = \"2\"\n",
            "4 no-room",
        ),
        (
            "[block.a]\neach = \"it.who\"\ncolumn.a = { head = \"1\", text = \"{x.what}\", width = 5 }\n",
            "2 result",
        ),
        (
            "[block.a]\neach = \"filed.begin.lines\"\ncolumn.a = { head = \"1\", text = \"{x.wat}\", width = 5 }\n",
            "3 kinds",
        ),
        (
            "[block.a]\neach = \"filed.begin.lines\"\ncolumn.a = { head = \"1\", text = \"{x.what}\", width = 29 }\n",
            "3 outside",
        ),
        ("[block.a]\neach = \"filed.begin.lines\"\n", "1 missing-key"),
        ("[block.a]\ntext = \"1\"\nif = \"it.who\"\n", "3 result"),
        ("[sheet]\nwidth = 200\n[block.a]\ntext = \"1\"\n", "2 outside"),
        ("[sheet]\nheight = 255\nnumbers = \"outer\"\n[block.a]\ntext = \"1\"\n", "1 outside"),
        ("[sheet]\npaper = \"A9\"\n[block.a]\ntext = \"1\"\n", "1 word"),
    ] {
        let found = of_blocks(blocks);
        assert!(found.contains(&wrong.to_owned()), "{blocks}: {found:?}");
    }
    assert_eq!(
        mistakes("template = \"t\"\nof = \"x\"\ntitle = \"1\"\n[block.a]\ntext = \"1\"\n"),
        ["1 undeclared"]
    );
    assert_eq!(mistakes("template = \"t\"\nof = \"c\"\ntitle = \"1\"\n"), ["1 missing-key"]);
}
