//! Tables and code lists as modules have them: read, checked, and asked by date.

use chancery_crypto::Language;

use crate::{
    Folder, MemoryState, Module, Value,
    office_tables::Known,
    table::{Table, ask as ask_table},
};

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
filed = {}
done  = { end = true }
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
set.year = "doc.year"
set.base = "base"
need.known = { that = "row('deduction', on, doc.claims[0].kind).month > yuan(0)", law = "6" }
[act.assess]
from = "filed"
to   = "done"
by   = "clerk"
set.tax  = "round(bracket('iit-annual', day(it.year, 1, 1), it.base).amount, 'fen', 'half_up')"
[due.pay]
start = "when.declare"
in    = "period(value('days', date(when.declare)), 'd')"
law   = "11"
until = "assess"
then  = "breach"
"#;

const EMPTY: &str = r#"{ "type": "object", "additionalProperties": false, "properties": {} }"#;

const FORM: &str = r#"{ "type": "object", "additionalProperties": false, "properties": {
  "year": { "type": "integer" }, "staff": { "type": "integer" },
  "income": { "type": "string", "maxLength": 20, "x-type": "money" },
  "area": { "type": "string", "maxLength": 6, "x-code": "area" },
  "claims": { "type": "array", "maxItems": 10, "items": { "type": "object", "additionalProperties": false, "properties": {
    "kind": { "type": "string", "maxLength": 20 }, "months": { "type": "integer" } } } } } }"#;

pub(crate) const IIT: &str = r#"
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

const DAYS: &str = r#"
table   = "days"
kind    = "value"
law     = "11"
columns = { value = "int" }
[from.2019-01-01]
value = 30
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

pub(crate) const AREA: &str = "code,zh-CN,en,from,until,parent\n\
    330000,浙江省,Zhejiang,,,\n\
    330100,杭州市,Hangzhou,,,330000\n\
    330103,下城区,Xiacheng,,2021-04-08,330100\n\
    330105,拱墅区,\"Gongshu, old\",,2021-04-08,330100\n\
    330105,拱墅区,Gongshu,2021-04-09,,330100\n";

fn texts() -> String {
    let names = [
        "state-annual-done",
        "act-annual-assess",
        "form-assess",
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
        "table-days",
        "due-annual-pay",
        "table-size",
        "table-size-trade",
        "table-size-staff",
        "table-size-sales",
        "table-size-class",
    ];
    names.map(|name| format!("{name} = x\n")).concat()
}

/// The module with a part of a file in other words.
pub(crate) fn folder(path: &str, from: &str, to: &str) -> Folder {
    let texts = texts();
    let files = [
        ("module.toml", MODULE),
        ("cases/annual.toml", CASE),
        ("forms/declare.json", FORM),
        ("forms/assess.json", EMPTY),
        ("tables/iit-annual.toml", IIT),
        ("tables/deduction.toml", DEDUCTION),
        ("tables/standard.toml", STANDARD),
        ("tables/size.toml", SIZE),
        ("tables/days.toml", DAYS),
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

pub(crate) fn whole() -> Folder {
    folder("", "", "")
}

pub(crate) fn mistakes(folder: &Folder) -> Vec<String> {
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
        (
            "forms/declare.json",
            "\"x-code\": \"area\"",
            "\"x-code\": \"aera\"",
            "undeclared",
            "forms/declare.json:1: there is no code list \"aera\"; did you mean \"area\"",
        ),
        (
            "forms/declare.json",
            "\"months\": { \"type\": \"integer\"",
            "\"months\": { \"type\": \"integer\", \"x-code\": \"area\"",
            "clash",
            "x-code",
        ),
        ("texts/en.ftl", "table-iit-annual-rate = x", "", "no-text", "table-iit-annual-rate"),
    ] {
        let found = mistakes(&folder(path, from, to));
        let is = found.iter().any(|mistake| mistake.starts_with(code) && mistake.contains(place));
        assert!(is, "{to:?} in {path} is to give {code} with {place:?}: {found:#?}");
    }
}

fn money(yuan: &str) -> Value {
    let yuan: rust_decimal::Decimal = yuan.parse().expect("a number");
    Value::Money(yuan * rust_decimal::Decimal::ONE_HUNDRED)
}

/// What a table of the module gives on a day: the row, and one of its columns.
fn ask(
    module: &Module,
    table: &str,
    on: &str,
    asked: &[Value],
    column: &str,
) -> (Option<u64>, String) {
    let table = module.tables.get(table).expect("a table");
    let on = on.parse().expect("a date");
    let state = MemoryState::default();
    let mut known = Known::read(&state, module, table).expect("state is read");
    let chosen = known.choose(&state, module, table, on).expect("state is read");
    let Some(chosen) = chosen else { return (None, "not in force".into()) };
    let found = ask_table(&table.name, &table.shape, &chosen.version, asked);
    let value = if column.is_empty() { found.value } else { found.value.field(column) };
    (found.row, value.to_string())
}

#[test]
fn rows_are_found_by_date_key_edge_and_range() {
    let module = Module::read(&whole()).expect("it has no mistake");
    let bracket = |on: &str, x: &str| ask(&module, "iit-annual", on, &[money(x)], "amount");
    for (x, row, amount) in [
        ("0", Some(1), "0.00"),
        ("36000", Some(1), "1080.00"),
        ("36001", Some(2), "1080.10"),
        ("84000", Some(2), "5880.00"),
        ("144000", Some(2), "11880.00"),
        ("144000.01", Some(3), "1188000.2000 fen"),
        ("960001", Some(7), "250080.45"),
        ("-0.01", None, "unknown(no row: iit-annual(-0.01))"),
    ] {
        assert_eq!(bracket("2025-01-01", x), (row, amount.to_owned()), "{x}");
    }
    assert_eq!(bracket("2018-12-31", "1"), (None, "not in force".to_owned()));
    assert_eq!(bracket("2019-01-01", "1"), (Some(1), "0.03".to_owned()));
    let month = |on: &str, kind: &str| ask(&module, "deduction", on, &[Value::text(kind)], "month");
    for (on, kind, row, value) in [
        ("2022-12-31", "child", Some(1), "1000.00"),
        ("2023-01-01", "child", Some(1), "2000.00"),
        ("2023-01-01", "study", Some(3), "400.00"),
        ("2023-01-01", "loan", None, "unknown(no row: deduction(loan))"),
    ] {
        assert_eq!(month(on, kind), (row, value.to_owned()), "{on} {kind}");
    }
    assert_eq!(ask(&module, "standard", "2026-01-01", &[], ""), (None, "60000.00".to_owned()));
    for (staff, sales, class) in [
        (300, "20000000", "medium"),
        (300, "19999999.99", "small"),
        (299, "20000000", "small"),
        (20, "3000000", "small"),
        (20, "2999999.99", "micro"),
        (19, "999999999", "micro"),
        (-1, "-1", "micro"),
    ] {
        let asked = [Value::text("industry"), Value::Int(staff), money(sales)];
        let (row, found) = ask(&module, "size", "2026-01-01", &asked, "class");
        assert_eq!((row.is_some(), found.as_str()), (true, class), "{staff} {sales}");
    }
    let asked = [Value::text("mining"), Value::Int(1), money("1")];
    assert_eq!(ask(&module, "size", "2026-01-01", &asked, "class").0, None);
    // Values of another kind than the columns hit nothing and are no row.
    let asked = [Value::Int(1), Value::Int(1), money("1")];
    assert!(ask(&module, "size", "2026-01-01", &asked, "").1.contains("kinds"));
}

#[test]
fn an_edge_is_of_the_row_that_the_text_says_and_what_is_deducted_follows() {
    let from = folder("tables/iit-annual.toml", "law     =", "edge = \"from\"\nlaw =");
    let from = Module::read(&from).expect("it has no mistake");
    let x = [money("36000")];
    // Where it is continuous, the amount is the same; the row is another.
    assert_eq!(ask(&from, "iit-annual", "2025-01-01", &x, "amount"), (Some(2), "1080.00".into()));
    assert_eq!(ask(&from, "iit-annual", "2025-01-01", &[money("0")], "row").0, Some(1));
    let plain = |text: &str| {
        let rows = text.lines().map(|line| match line.split_once("deduct = ") {
            Some((row, _)) if row.contains("over = ") && !row.contains("money") => {
                format!("{} }},", row.trim_end().trim_end_matches(','))
            }
            _ => line.replace(", deduct = \"money\"", ""),
        });
        rows.collect::<Vec<_>>().join("\n")
    };
    let (written, follows) = (
        Table::read("a.toml", IIT).expect("a table"),
        Table::read("a.toml", &plain(IIT)).expect("a table"),
    );
    assert_eq!(written.shape, follows.shape);
    assert_eq!(written.versions, follows.versions);
    // A change of one row moves all that follows from it.
    let changed =
        format!("{}\n[from.2020-01-01]\nchange = [{{ over = 0, rate = \"1%\" }}]", plain(IIT));
    let changed = Table::read("a.toml", &changed).expect("a table");
    let (_, version) = changed.versions.last_key_value().expect("a version").1;
    let x = ask_table("t", &changed.shape, version, &[money("36001")]);
    assert_eq!(x.value.field("amount"), money("360.10"));
    // With jumps, nothing is deducted that is not written: the whole amount is at the rate of its row.
    let jumps = plain(IIT).replace("law     =", "jump = true\nlaw =");
    let jumps = Table::read("a.toml", &jumps).expect("a table");
    let (_, version) = jumps.versions.last_key_value().expect("a version").1;
    let x = ask_table("t", &jumps.shape, version, &[money("36001")]);
    assert_eq!(x.value.field("amount"), money("3600.10"));
}

#[test]
fn a_code_stands_for_what_it_did_on_the_day() {
    let module = Module::read(&whole()).expect("it has no mistake");
    let area = module.codes.get("area").expect("a list");
    let on = |code: &str, day: &str| area.value(code, day.parse().expect("a date"));
    assert_eq!(on("330105", "2021-04-08").field("en"), Value::text("Gongshu, old"));
    assert_eq!(on("330105", "2021-04-09").field("en"), Value::text("Gongshu"));
    assert_eq!(on("330105", "2021-04-09").field("parent"), Value::text("330100"));
    assert_eq!(on("330000", "1900-01-01").field("parent"), Value::None);
    assert!(matches!(on("330103", "2021-04-08"), Value::Map(_)));
    assert!(matches!(on("330103", "2021-04-09"), Value::Unknown(_)));
    assert!(matches!(on("999999", "2021-04-09"), Value::Unknown(_)));
    // With the mark and the line ends that spreadsheets write.
    let folder = folder("codes/area.csv", AREA, &format!("\u{feff}{}", AREA.replace('\n', "\r\n")));
    assert_eq!(mistakes(&folder), Vec::<String>::new());
}

#[test]
fn one_mistake_is_told_once_and_not_what_follows_from_it() {
    let deduction = "tables/deduction.toml";
    for (path, from, to, wanted) in [
        (deduction, "month = 400", "month = 0.4", "float tables/deduction.toml:11"),
        (deduction, "month = \"money\"", "month = \"yuan\"", "word tables/deduction.toml:6"),
        (
            deduction,
            "month = 2000 },\n  { kind = \"parents\", month = 3000",
            "month = \"x\" }, { kind = \"parents\", month = 3000",
            "kind tables/deduction.toml:16",
        ),
    ] {
        let found = mistakes(&folder(path, from, to));
        // Texts of what could not be read are not said to be unused, nor what asks it to ask for nothing.
        assert!(found.len() == 1 && found[0].starts_with(wanted), "{to:?}: {found:#?}");
    }
}
