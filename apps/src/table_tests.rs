//! Tables and code lists as modules have them: read, checked, asked by date, and filed.

use std::collections::BTreeMap;

use chancery_certs::AgencyName;
use chancery_crypto::{Digest, Language, cbor};
use chancery_protocol::{DocumentHeader, DocumentId, Filing, FormValue, Part, Urgency};

use crate::{
    Applied, Document, Facts, Folder, Input, Instant, Kernel, MemoryState, Module, Outcome, Record,
    Refusal, Replay, Salt, Signer, TABLE_MEDIA_TYPE, Thing, Value, filed_tables,
    office::{self, Appointment, Installed, KEEPER, OFFICE},
    state::{Family, Key, State, Writes},
};

const HOME: &str = "tax.gov.cn";

const MODULE: &str = r#"
module  = "tax"
version = "1"
law     = "个人所得税法"
laws    = { gf = "国务院关于提高个人所得税有关专项附加扣除标准的通知" }
names   = { "zh-CN" = "个人所得税", en = "income tax" }
[role.clerk]
"#;

const CASE: &str = r#"
case = "annual"
[state]
filed = { end = true }
[let]
on     = "day(doc.year, 1, 1)"
less   = "doc.claims.sum(c, row('deduction', on, c.kind).month * c.months)"
base   = "max(doc.income - value('standard', on) - less, yuan(0))"
[act.declare]
to   = "filed"
by   = "clerk"
set.tax  = "round(bracket('iit-annual', on, base).amount, 'fen', 'half_up')"
set.size = "row('size', on, 'industry', doc.staff, doc.income).class"
set.area = "code('area', doc.area, on).name"
need.known = { that = "row('deduction', on, doc.claims[0].kind).month > yuan(0)", law = "6" }
"#;

const FORM: &str = r#"{ "type": "object", "additionalProperties": false, "properties": {
  "year": { "type": "integer" }, "staff": { "type": "integer" },
  "income": { "type": "string", "maxLength": 20, "x-type": "money" },
  "area": { "type": "string", "maxLength": 6 },
  "claims": { "type": "array", "maxItems": 10, "items": { "type": "object", "additionalProperties": false, "properties": {
    "kind": { "type": "string", "maxLength": 20 }, "months": { "type": "integer" } } } } } }"#;

const IIT: &str = r#"
table   = "iit-annual"
kind    = "bracket"
law     = "3"
source  = "个人所得税税率表一（综合所得适用）"
columns = { over = "money", rate = "decimal", deduct = "money" }
units   = { over = "yuan" }
[from.2019-01-01]
rows = [
  { over = 0,      rate = "3%",  deduct = 0 },
  { over = 36000,  rate = "10%", deduct = 2520 },
  { over = 144000, rate = "20%", deduct = 16920 },
  { over = 300000, rate = "25%", deduct = 31920 },
  { over = 420000, rate = "30%", deduct = 52920 },
  { over = 660000, rate = "35%", deduct = 85920 },
  { over = 960000, rate = "45%", deduct = 181920 },
]
"#;

const DEDUCTION: &str = r#"
table   = "deduction"
kind    = "rows"
law     = "6"
key     = ["kind"]
columns = { kind = "text", month = "money" }
[from.2019-01-01]
rows = [
  { kind = "child",   month = 1000 },
  { kind = "parents", month = 2000 },
  { kind = "study",   month = 400 },
]
[from.2023-01-01]
law = "gf 1"
change = [
  { kind = "child",   month = 2000 },
  { kind = "parents", month = 3000 },
]
"#;

const STANDARD: &str = r#"
table   = "standard"
kind    = "value"
law     = "6"
columns = { value = "money" }
[from.2019-01-01]
value = 60000
"#;

const SIZE: &str = r#"
table   = "size"
kind    = "grid"
law     = "1"
key     = ["trade", "staff", "sales"]
ranges  = ["staff", "sales"]
columns = { trade = "text", staff = "int", sales = "money", class = "text" }
[from.2011-06-18]
rows = [
  { trade = "industry", staff = { from = 300 },             sales = { from = 20000000 }, class = "medium" },
  { trade = "industry", staff = { from = 300 },             sales = { from = 3000000, under = 20000000 }, class = "small" },
  { trade = "industry", staff = { from = 20, to = 299 },    sales = { from = 3000000 }, class = "small" },
  { trade = "industry", staff = { from = 20 },              sales = { under = 3000000 }, class = "micro" },
  { trade = "industry", staff = { under = 20 },             class = "micro" },
]
"#;

const AREA: &str = "code,zh-CN,en,from,until,parent\n\
    330000,浙江省,Zhejiang,,,\n\
    330100,杭州市,Hangzhou,,,330000\n\
    330103,下城区,Xiacheng,,2021-04-08,330100\n\
    330105,拱墅区,\"Gongshu, old\",,2021-04-08,330100\n\
    330105,拱墅区,Gongshu,2021-04-09,,330100\n";

fn texts() -> String {
    let names = [
        "role-clerk",
        "case-annual",
        "state-annual-filed",
        "act-annual-declare",
        "need-annual-declare-known",
        "form-declare",
        "form-declare-year",
        "form-declare-staff",
        "form-declare-income",
        "form-declare-area",
        "form-declare-claims",
        "codes-area",
        "table-iit-annual",
        "table-iit-annual-over",
        "table-iit-annual-rate",
        "table-iit-annual-deduct",
        "table-deduction",
        "table-deduction-kind",
        "table-deduction-month",
        "table-standard",
        "table-size",
        "table-size-trade",
        "table-size-staff",
        "table-size-sales",
        "table-size-class",
    ];
    names.map(|name| format!("{name} = x\n")).concat()
}

/// The module with a part of a file in other words.
fn folder(path: &str, from: &str, to: &str) -> Folder {
    let texts = texts();
    let files = [
        ("module.toml", MODULE),
        ("cases/annual.toml", CASE),
        ("forms/declare.json", FORM),
        ("tables/iit-annual.toml", IIT),
        ("tables/deduction.toml", DEDUCTION),
        ("tables/standard.toml", STANDARD),
        ("tables/size.toml", SIZE),
        ("codes/area.csv", AREA),
        ("texts/zh-CN.ftl", &texts),
        ("texts/en.ftl", &texts),
    ];
    let files = files.map(|(name, text)| {
        assert!(name != path || text.contains(from), "{path} has no {from:?}");
        (name, if name == path { text.replacen(from, to, 1) } else { text.to_owned() })
    });
    Folder::of(files).expect("a folder")
}

fn whole() -> Folder {
    folder("", "", "")
}

fn mistakes(folder: &Folder) -> Vec<String> {
    let all = match Module::read_with_warnings(folder) {
        Ok((_, warnings)) => warnings,
        Err(mistakes) => mistakes,
    };
    let say = |m: &crate::Mistake| format!("{} {}", m.what.code(), m.say(Language::En));
    all.iter().map(say).collect()
}

#[test]
fn each_mistake_of_a_table_is_named_with_its_file_and_line() {
    assert_eq!(mistakes(&whole()), Vec::<String>::new());
    let (iit, deduction, size, area) =
        ("tables/iit-annual.toml", "tables/deduction.toml", "tables/size.toml", "codes/area.csv");
    let (standard, case) = ("tables/standard.toml", "cases/annual.toml");
    for (path, from, to, code, place) in [
        (iit, "table   =", "tabel   =", "missing-key", "iit-annual.toml:1: the key \"table\""),
        (iit, "law     =", "lwa     =", "unknown-key", "iit-annual.toml:4"),
        (iit, "law     = \"3\"", "", "no-law", "iit-annual"),
        (iit, "law     = \"3\"", "law = \"cit 3\"", "undeclared", "law \"cit\""),
        (iit, "\"bracket\"", "\"brackets\"", "word", "rows, bracket"),
        (iit, "rate = \"decimal\"", "rate = \"number\"", "word", "money, text"),
        (iit, "rate = \"decimal\"", "rate = \"money\"", "kind", "\"rate\" is to be: decimal"),
        (iit, "over = \"money\", ", "", "missing-key", "columns.over"),
        (iit, "deduct = \"money\" }", "deduct = \"money\", row = \"int\" }", "twice", "\"row\""),
        (iit, "rate = \"10%\"", "rate = 0.10", "float", "iit-annual.toml:11"),
        (iit, "rate = \"10%\"", "rate = \"1O%\"", "kind", "iit-annual.toml:11"),
        (iit, "rate = \"10%\", ", "", "missing-key", "iit-annual.toml:11: the key \"rate\""),
        (iit, "rate = \"10%\"", "rat = \"10%\"", "unknown-key", "did you mean \"rate\""),
        (
            iit,
            "deduct = 2520 ",
            "deduct = 2250 ",
            "jump",
            ":11: the table \"iit-annual\" jumps at 36000.00: deduct 2520.00",
        ),
        (
            iit,
            "over = 0, ",
            "over = 100, ",
            "gap",
            ":10: no row of the table \"iit-annual\" is for: over < 100.00",
        ),
        (iit, "over = 144000", "over = 30000", "order", "iit-annual.toml:12: \"30000.00\""),
        (iit, "over = 144000", "over = 36000", "twice", "iit-annual.toml:12"),
        (iit, "over = 36000, ", "over = \"36000.005\", ", "kind", "money"),
        (iit, "over = \"yuan\"", "over = \"万元\"", "word", "yuan"),
        (iit, "over = \"yuan\"", "rate = \"%\"", "kind", "units.rate"),
        (
            iit,
            "over = \"yuan\"",
            "ovr = \"yuan\"",
            "undeclared",
            "column \"ovr\"; did you mean \"over\"",
        ),
        (iit, "[from.2019-01-01]", "[from.2019-13-01]", "kind", "[from.YYYY-MM-DD]"),
        (iit, "[from.2019-01-01]", "[form.2019-01-01]", "unknown-key", "did you mean \"from\""),
        (iit, "rows = [", "row = [", "missing-key", "iit-annual.toml:8: the key \"rows\""),
        (iit, "law     = \"3\"", "law     = \"3\"\nkey = [\"over\"]", "unknown-key", "\"key\""),
        (iit, "law     = \"3\"", "law     = \"3\"\nedge = \"upto\"", "word", "over, from"),
        (
            deduction,
            "[from.2023-01-01]",
            "[from.2018-01-01]",
            "order",
            "deduction.toml:13: \"2018-01-01\"",
        ),
        (
            deduction,
            "kind = \"study\"",
            "kind = \"child\"",
            "twice",
            "deduction.toml:11: \"child\"",
        ),
        (
            deduction,
            "{ kind = \"parents\", month = 3000",
            "{ kind = \"parent\", month = 3000",
            "undeclared",
            "deduction.toml:17: there is no row \"parent\"",
        ),
        (
            deduction,
            "{ kind = \"parents\", month = 3000",
            "{ kind = \"child\", month = 3000",
            "twice",
            "deduction.toml:17",
        ),
        (
            deduction,
            "[from.2019-01-01]\nrows",
            "[from.2019-01-01]\nchange",
            "missing-key",
            "deduction.toml:7: the key \"rows\"",
        ),
        (
            deduction,
            "law = \"gf 1\"",
            "law = \"gv 1\"",
            "undeclared",
            "law \"gv\"; did you mean \"gf\"",
        ),
        (deduction, "key     = [\"kind\"]", "", "missing-key", "\"key\""),
        (
            deduction,
            "key     = [\"kind\"]",
            "key = [\"kinds\"]",
            "undeclared",
            "did you mean \"kind\"",
        ),
        (standard, "columns = { value", "columns = { amount", "kind", "columns"),
        (
            standard,
            "value = 60000",
            "value = \"sixty\"",
            "kind",
            "standard.toml:7: \"value\" is to be: money",
        ),
        (standard, "value = 60000", "", "missing-key", "\"value\""),
        (standard, "value = 60000", "value = 60000\nwhy = 1", "unknown-key", "\"why\""),
        (
            size,
            "staff = { from = 20, to = 299 }",
            "staff = { from = 20, to = 298 }",
            "gap",
            "industry, 299 <= staff < 300, 3000000.00 <= sales",
        ),
        (
            size,
            "staff = { from = 20, to = 299 }",
            "staff = { from = 20, to = 300 }",
            "overlap",
            "industry, 300 <= staff < 301, 3000000.00 <= sales < 20000000.00",
        ),
        (
            size,
            "sales = { under = 3000000 }",
            "sales = { to = 3000000 }",
            "overlap",
            "3000000.00 <= sales <= 3000000.00",
        ),
        (
            size,
            "sales = { under = 3000000 }",
            "sales = { under = 3000000, to = 9 }",
            "twice",
            "\"to\"",
        ),
        (size, "{ under = 20 }", "{ below = 20 }", "unknown-key", "\"below\""),
        (size, "{ under = 20 }", "{ from = 30, under = 20 }", "kind", "size.toml:14"),
        (size, "{ under = 20 }", "20", "kind", "\"staff\" is to be: { from"),
        (
            size,
            "ranges  = [\"staff\", \"sales\"]",
            "ranges  = [\"staff\", \"class\"]",
            "undeclared",
            "key \"class\"",
        ),
        (
            area,
            "code,zh-CN",
            "kode,zh-CN",
            "unknown-key",
            "area.csv:1: there is no key \"kode\"; did you mean \"code\"",
        ),
        (area, "Xiacheng,,2021-04-08", "Xiacheng,,2021-04-31", "kind", "area.csv:4: \"until\""),
        (area, "Xiacheng,,2021-04-08", "Xiacheng,2022-01-01,2021-04-08", "order", "area.csv:4"),
        (area, "下城区,Xiacheng", "下城区,", "missing-key", "area.csv:4: the key \"en\""),
        (area, "Gongshu,2021-04-09", "Gongshu,2021-04-08", "twice", "area.csv:6: \"330105\""),
        (
            area,
            "Hangzhou,,,330000",
            "Hangzhou,,,330001",
            "undeclared",
            "area.csv:3: there is no code \"330001\"",
        ),
        (area, "Hangzhou,,,330000", "Hangzhou,,,330103", "undeclared", "area.csv:3"),
        (area, "Zhejiang,,,\n", "Zhejiang,,,330100\n", "circle", "330000 -> 330100 -> 330000"),
        (area, "下城区,Xiacheng", "下城区,\"Xia\"cheng", "no-csv", "area.csv:4"),
        (area, "下城区,Xiacheng", "下城区,Xia,cheng", "no-csv", "area.csv:4"),
        (
            case,
            "value('standard', on)",
            "value('standerd', on)",
            "kinds",
            "there is no table \"standerd\"; did you mean \"standard\"",
        ),
        (
            case,
            "value('standard', on)",
            "value('size', on)",
            "kinds",
            "asked by: row('size', on: date, trade: text, staff: int, sales: money)",
        ),
        (case, "value('standard', on)", "value('stand' + 'ard', on)", "kinds", "in quotes"),
        (
            case,
            "value('standard', on)",
            "value('standard', lodged)",
            "kinds",
            "value('standard', on: date)",
        ),
        (
            case,
            "bracket('iit-annual', on, base)",
            "bracket('iit-annual', on, 5)",
            "kinds",
            "x: money",
        ),
        (
            case,
            "bracket('iit-annual', on, base).amount",
            "bracket('iit-annual', on, base).sum",
            "kinds",
            "has no \"sum\"",
        ),
        (
            case,
            "'industry', doc.staff, doc.income",
            "'industry', doc.staff",
            "kinds",
            "asked by: row(",
        ),
        (
            case,
            "'industry', doc.staff, doc.income",
            "'industry', doc.income, doc.staff",
            "kinds",
            "asked by: row(",
        ),
        (
            case,
            "code('area', doc.area, on)",
            "code('aera', doc.area, on)",
            "kinds",
            "there is no code list \"aera\"; did you mean \"area\"",
        ),
        (
            case,
            "code('area', doc.area, on)",
            "code('area', doc.staff, on)",
            "kinds",
            "code does not take",
        ),
        ("texts/en.ftl", "table-iit-annual-rate = x", "", "no-text", "table-iit-annual-rate"),
    ] {
        let found = mistakes(&folder(path, from, to));
        let is = found.iter().any(|mistake| mistake.starts_with(code) && mistake.contains(place));
        assert!(is, "{to:?} in {path} is to give {code} with {place:?}: {found:#?}");
    }
}
