use std::collections::BTreeMap;

use chancery_crypto::Language;
use proptest::prelude::*;

use super::{Face, Item, Metrics, NotPrinted, Paper, Run};
use crate::{
    Reader,
    folder::Folder,
    manifest::Module,
    office_tests::{Bench, HOME, coming, officer},
    value::{Value, Why},
};

/// Chinese is as wide as high, all else half.
struct Plain;

impl Metrics for Plain {
    fn advance(&self, _: Face, c: char) -> i64 {
        if c < '\u{2E80}' && c != '—' { 500 } else { 1_000 }
    }
}

const MODULE: &str = "module = \"m\"\nversion = \"1\"\nlaw = \"法\"\nnames = { \"zh-CN\" = \"模块\", en = \"module\" }\n";

const FORM: &str = r#"{ "type": "object", "additionalProperties": false, "properties": {
  "who": { "type": "string", "maxLength": 100 }, "text": { "type": "string", "maxLength": 60000 },
  "on": { "type": "string", "format": "date" },
  "lines": { "type": "array", "maxItems": 9000, "items": { "type": "object", "additionalProperties": false,
    "properties": { "what": { "type": "string", "maxLength": 20000 }, "count": { "type": "integer" } } } } } }"#;

const TEXTS: &str = "registry-r = x\nform-f = x\nform-f-who = x\nform-f-text = x\nform-f-on = x\nform-f-lines = x\n";

fn module(template: &str) -> Module {
    let folder = Folder::of([
        ("module.toml", MODULE),
        ("forms/f.json", FORM),
        ("registries/r.toml", "registry = \"r\"\nform = \"f\"\nkey = [\"it.who\"]\n"),
        ("templates/t.toml", template),
        ("texts/zh-CN.ftl", TEXTS),
        ("texts/en.ftl", TEXTS),
    ]);
    Module::read(&folder.expect("a folder")).unwrap_or_else(|mistakes| {
        panic!("{:#?}", mistakes.iter().map(|one| one.say(Language::En)).collect::<Vec<_>>())
    })
}

fn head(blocks: &str) -> String {
    format!("template = \"t\"\nof = \"r\"\ntitle = \"{{it.who}}\"\n{blocks}")
}

fn record(text: &str, lines: &[(&str, i128)]) -> BTreeMap<String, Value> {
    let lines = lines.iter().map(|(what, count)| {
        let fields = [("what", Value::text(*what)), ("count", Value::Int(*count))];
        Value::Map(fields.map(|(name, value)| (name.to_owned(), value)).into())
    });
    let fields = [
        ("who", Value::text("王堃")),
        ("text", Value::text(text)),
        ("on", Value::Date("2026-03-02".parse().expect("a date"))),
        ("lines", Value::List(lines.collect())),
    ];
    fields.map(|(name, value)| (name.to_owned(), value)).into()
}

fn printed(
    blocks: &str,
    record: &BTreeMap<String, Value>,
    language: Language,
) -> Result<Paper, NotPrinted> {
    module(&head(blocks)).paper_of_record("r", record, "t", language, &Plain)
}

fn runs(paper: &Paper) -> impl Iterator<Item = (usize, &Run)> {
    paper.pages.iter().enumerate().flat_map(|(page, items)| {
        items.iter().filter_map(move |item| match item {
            Item::Run(run) => Some((page, run)),
            _ => None,
        })
    })
}

/// Each run as `page x y size block: text`, in millimetres.
fn shown(paper: &Paper) -> Vec<String> {
    let mm = |n: i64| format!("{}.{}", n / 1_000, n % 1_000 / 100);
    runs(paper)
        .map(|(page, run)| {
            format!(
                "{} {} {} {} {}: {}",
                page + 1,
                mm(run.x),
                mm(run.y),
                mm(run.size),
                run.block,
                run.text
            )
        })
        .collect()
}

const NOTICE: &str = r#"
[sheet]
numbers = "outer"
[block.head]
text = { "zh-CN" = "杭州市财政局文件", en = "Finance Bureau" }
font = "song"
size = 42
color = "red"
align = "center"
before = 3
[block.line]
stroke = 70
color = "red"
[block.title]
text = { "zh-CN" = "关于{it.who}的通知", en = "Notice on {it.who}" }
font = "song"
size = 22
align = "center"
before = 2
[block.body]
text = "{it.text}"
indent = 2
[block.date]
text = "{it.on}"
align = "right"
right = 4
keep = true
[block.seal]
seal = "date"
"#;

#[test]
fn a_red_headed_notice_stands_where_the_standard_has_it() {
    let text = "为规范公务用车管理，根据《机关事务管理条例》第二十六条，现将有关事项通知如下：编号 AB-2026/0042 的车辆停用。";
    let paper = printed(NOTICE, &record(text, &[]), Language::Zh).expect("printed");
    assert_eq!(
        shown(&paper),
        [
            // Three lines of 10.2 mm below the upper margin of 37 mm.
            "1 47.5 83.5 14.8 head: 杭州市财政局文件",
            "1 79.1 119.2 7.7 title: 关于王堃的通知",
            // Two characters are left free, and 28 stand on a line.
            "1 39.1 128.6 5.6 body: 为规范公务用车管理，根据《机关事务管理条例》第二十六",
            "1 28.0 138.8 5.6 body: 条，现将有关事项通知如下：编号 AB-2026/0042 的车辆停用。",
            "1 128.5 149.0 5.6 date: 2026年3月2日",
            // 7 mm below what is printed, a character from the edge.
            "1 161.7 271.4 4.9 page: — 1 —",
        ]
    );
    let seal = paper.seals.first().expect("a seal");
    assert_eq!((seal.page, seal.side), (0, 42_000));
    // It covers the date, whose middle is its own.
    assert!(seal.x < 128_500 && seal.x + seal.side > 161_800, "{seal:?}");
    assert!(seal.y < 144_000 && seal.y + seal.side > 149_100, "{seal:?}");
    let english = printed(NOTICE, &record(text, &[]), Language::En).expect("printed");
    assert!(shown(&english).iter().any(|run| run.ends_with("title: Notice on 王堃")));
    assert!(shown(&english).iter().any(|run| run.ends_with("date: 2 March 2026")));
}

const TABLE: &str = r#"
[block.title]
text = "{it.who}"
[block.list]
each = "it.lines"
size = 12
column.what = { head = { "zh-CN" = "项目", en = "Item" }, text = "{x.what}", width = 20 }
column.count = { head = { "zh-CN" = "数量", en = "Count" }, text = "{x.count}", width = 8, align = "right" }
[block.end]
text = { "zh-CN" = "以下空白", en = "Nothing follows" }
"#;

#[test]
fn a_table_goes_on_over_pages_under_its_head_and_a_row_that_fits_is_not_parted() {
    let what: Vec<_> =
        (0..70).map(|n| format!("第{n}项{}", "，甲乙丙丁戊己庚辛".repeat(n % 5))).collect();
    let lines: Vec<_> = what.iter().map(|what| (what.as_str(), 1)).collect();
    let paper = printed(TABLE, &record("", &lines), Language::Zh).expect("printed");
    assert!(paper.pages.len() >= 3, "{}", paper.pages.len());
    for (number, items) in paper.pages.iter().enumerate() {
        let page: Vec<_> =
            runs(&paper).filter(|(page, _)| *page == number).map(|(_, run)| run).collect();
        // What the page before ends with is whole, so that this one begins with the head and a first line.
        let first = page.iter().position(|run| run.text == "项目").expect("the head is repeated");
        let row = page.iter().skip(first + 2).find(|run| run.text.starts_with('第'));
        assert!(number == paper.pages.len() - 1 || row.is_some());
        if number > 0 {
            assert_eq!(first, 0);
            assert!(page.get(2).is_none_or(|run| run.text.starts_with('第')), "{:?}", page.get(2));
        }
        // Its frame begins above and ends below what stands in it, on each page.
        let strokes = items.iter().filter_map(|item| match item {
            Item::Stroke(stroke) => Some(stroke),
            _ => None,
        });
        let strokes: Vec<_> = strokes.collect();
        let bottom = strokes.iter().map(|stroke| stroke.to.1).max().expect("it has a frame");
        let flat = |stroke: &&&super::Stroke| stroke.from.1 == stroke.to.1 && stroke.to.1 == bottom;
        assert_eq!(strokes.iter().filter(flat).count(), 1);
        let bars =
            strokes.iter().filter(|stroke| stroke.from.0 == stroke.to.0 && stroke.to.1 == bottom);
        assert_eq!(bars.count(), 3);
    }
    let words = runs(&paper).map(|(_, run)| run.text.as_str());
    let all: String = words.filter(|text| !["1", "项目", "数量"].contains(text)).collect();
    for what in &what {
        assert!(all.contains(what.as_str()), "{what}");
    }
    // A row that is longer than a page is parted, and all of it is there.
    let long = "长".repeat(3_000);
    let paper = printed(TABLE, &record("", &[(&long, 1)]), Language::Zh).expect("printed");
    let count: usize = runs(&paper).map(|(_, run)| run.text.matches('长').count()).sum();
    assert_eq!(count, 3_000);
    assert!(paper.pages.len() >= 3);
}

#[test]
fn a_date_stands_on_no_page_alone_and_the_foot_at_the_end_of_the_last() {
    let blocks = r#"
[block.body]
text = "{it.text}"
[block.date]
text = "{it.on}"
keep = true
[block.foot]
text = "{it.who}"
foot = true
"#;
    for lines in [20, 21, 22, 43, 44] {
        let text = vec!["行"; lines].join("\n");
        let paper = printed(blocks, &record(&text, &[]), Language::Zh).expect("printed");
        let (page, _) = runs(&paper).find(|(_, run)| run.block == "date").expect("a date");
        assert!(runs(&paper).any(|(other, run)| other == page && run.block == "body"), "{lines}");
        let (last, foot) = runs(&paper).find(|(_, run)| run.block == "foot").expect("a foot");
        assert_eq!(last, paper.pages.len() - 1);
        assert!(foot.y > 250_000 && foot.y < 262_000, "{}", foot.y);
    }
}

#[test]
fn what_is_not_there_is_not_seen_or_does_not_fit_is_said_and_not_left_out() {
    let text = "[block.a]\ntext = \"{it.text}\"\nat = { line = 1, lines = 2 }\n";
    let mut some = record("一", &[]);
    some.remove("text");
    assert_eq!(
        printed(text, &some, Language::Zh),
        Err(NotPrinted::Value {
            block: "a".into(),
            formula: "it.text".into(),
            why: Why::Missing(String::new())
        })
    );
    assert_eq!(
        printed(text, &record("王\u{202e}堃", &[]), Language::Zh),
        Err(NotPrinted::Character {
            block: "a".into(),
            formula: "it.text".into(),
            character: '\u{202e}'
        })
    );
    assert!(printed(text, &record(&"字".repeat(56), &[]), Language::Zh).is_ok());
    assert_eq!(
        printed(text, &record(&"字".repeat(57), &[]), Language::Zh),
        Err(NotPrinted::Fit { block: "a".into() })
    );
    let module = module(&head(text));
    let other = module.paper_of_record("r", &some, "tt", Language::Zh, &Plain);
    assert_eq!(other, Err(NotPrinted::Template { name: "tt".into(), nearest: Some("t".into()) }));
    let all = [NotPrinted::Thing, NotPrinted::Size, other.expect_err("there is none")];
    for no in all {
        assert!(
            Language::ALL.iter().all(|language| !no.say(*language).is_empty())
                && !no.code().is_empty()
        );
    }
}

/// Metrics that lie.
struct Wild(i64);

impl Metrics for Wild {
    fn advance(&self, _: Face, c: char) -> i64 {
        self.0.wrapping_mul(i64::from(u32::from(c)))
    }
}

const MANY: &str = r#"
[block.fixed]
at = { line = 1, lines = 3, page = "each" }
text = "{it.who}"
[block.body]
text = "{it.text}"
align = "justify"
indent = 2
close = true
[block.list]
each = "it.lines"
column.what = { head = "1", text = "{x.what}", width = 9 }
column.count = { head = "2", text = "{x.count}", width = 8, align = "right" }
[block.pairs]
across = 2
pair.a = { label = "1", text = "{it.who}" }
pair.b = { label = "2", text = "{it.text}" }
pair.c = { label = "3", text = "{it.text}", wide = true }
[block.foot]
text = "{it.who}"
foot = true
"#;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn every_text_stands_once_in_its_order_and_on_the_sheet(
        text in "[一二三，。（）《》a-z0-9 \n.-]{0,400}",
        lines in proptest::collection::vec(("[甲乙丙，。（a-z ]{0,300}", 0_i128..1_000), 0..40),
        zh in any::<bool>(), wild in proptest::option::of(any::<i64>()),
    ) {
        let each: Vec<_> = lines.iter().map(|(what, count)| (what.as_str(), *count)).collect();
        let language = if zh { Language::Zh } else { Language::En };
        let module = module(&head(MANY));
        let record = record(&text, &each);
        if let Some(wild) = wild {
            // Whatever a font says, there is a paper or a reason.
            drop(module.paper_of_record("r", &record, "t", language, &Wild(wild)));
            return Ok(());
        }
        let paper = module.paper_of_record("r", &record, "t", language, &Plain).expect("printed");
        let bare = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        let of = |block: &str| {
            bare(&runs(&paper).filter(|(_, run)| run.block == block).map(|(_, run)| run.text.as_str()).collect::<String>())
        };
        prop_assert_eq!(of("body"), bare(&text));
        prop_assert_eq!(of("foot"), "王堃");
        prop_assert_eq!(of("fixed"), "王堃".repeat(paper.pages.len()));
        // In a table cells stand beside each other: each character as often as it is to be, heads apart.
        let sorted = |text: String| { let mut all: Vec<_> = text.chars().collect(); all.sort_unstable(); all.into_iter().collect::<String>() };
        let letters = |text: String| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
        let wanted: String = lines.iter().map(|(what, _)| bare(what)).collect();
        prop_assert_eq!(sorted(letters(of("list"))), sorted(wanted));
        prop_assert_eq!(sorted(of("pairs")), sorted(format!("123王堃{0}{0}", bare(&text))));
        for (_, run) in runs(&paper) {
            let width: i64 = run.text.chars().map(|c| Plain.advance(run.face, c) * run.size / 1_000 + run.spacing).sum();
            prop_assert!(run.x >= 28_000 && run.x + width - run.spacing <= 28_000 + 156_000 + 100, "{:?}", run);
            prop_assert!(run.y >= 37_000 && run.y <= 262_000, "{:?}", run);
        }
        // The same once more is the same.
        prop_assert_eq!(module.paper_of_record("r", &record, "t", language, &Plain).expect("printed"), paper);
    }
}

#[test]
fn whoever_does_not_read_prints_nothing_and_what_is_hidden_from_him_is_on_no_paper() {
    let mut bench = Bench::new();
    for (who, role) in [("li", "clerk"), ("zhang", "chief"), ("zheng", "inspector")] {
        bench.appoint(who, role, "xihu");
    }
    bench.appoint("sun", "clerk", "gongshu");
    let id = bench.apply("li", "xihu").expect("is opened");
    let print = |bench: &Bench, who: &str, template: &str| {
        let who = Reader::Named(officer(who));
        let reading = bench.kernel.reading(&bench.state, &who, HOME, bench.at).expect("reads");
        reading.paper(&coming("permit", &id), template, Language::Zh, &Plain).expect("reads")
    };
    let paper = print(&bench, "zheng", "permit").expect("he reads it");
    assert!(paper.text().contains("applied"), "{}", paper.text());
    assert_eq!(print(&bench, "sun", "permit"), Err(NotPrinted::Thing));
    assert!(matches!(print(&bench, "zheng", "permits"), Err(NotPrinted::Template { .. })));
    // The panel is hidden from the inspector, and not from the chief who has drawn it.
    let no = print(&bench, "zheng", "panel").expect_err("it is hidden");
    assert!(matches!(&no, NotPrinted::Hidden { name, .. } if name == "panel"), "{no:?}");
    // Nor is the deadline that rests on it.
    assert!(matches!(print(&bench, "zheng", "drawing"), Err(NotPrinted::Hidden { .. })));
    bench.draw_panel(&id);
    let paper = print(&bench, "zhang", "panel").expect("he has drawn it");
    assert!(paper.text().contains(&officer("chen")), "{}", paper.text());
}
