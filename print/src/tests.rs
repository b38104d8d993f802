use std::{
    collections::BTreeMap, path::Path, process::Command, sync::OnceLock, time::Instant as Clock,
};

use chancery_apps::{Colour, Face, Folder, Instant, Item, Module, Paper, Qr, Run, Value};
use chancery_crypto::Language;
use proptest::prelude::*;

use crate::{FontError, FontFile, Fonts, NoPdf, Printed, pdf};

const AT: Instant = Instant(1_772_413_500);

/// The fonts of `fonts-noto-cjk`; nothing, and a word about it, where they are not installed.
fn fonts() -> Option<&'static Fonts> {
    static FONTS: OnceLock<Option<Fonts>> = OnceLock::new();
    let fonts = FONTS.get_or_init(|| Fonts::open(&Fonts::debian()).ok());
    if fonts.is_none() {
        eprintln!("SKIPPED: fonts-noto-cjk is not installed (scripts/setup.sh tests)");
    }
    fonts.as_ref()
}

/// What a program says of a file; nothing, and a word about it, where it is not installed.
fn ask(program: &str, arguments: &[&str], bytes: &[u8]) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("paper.pdf");
    std::fs::write(&path, bytes).expect("is written");
    let path = path.to_str().expect("a path");
    let arguments = arguments.iter().map(|one| if *one == "FILE" { path } else { *one });
    match Command::new(program).args(arguments).output() {
        Ok(output) => {
            assert!(
                output.status.success(),
                "{program}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            Some(output.stdout)
        }
        Err(_) => {
            eprintln!("SKIPPED: {program} is not installed (scripts/setup.sh tests)");
            None
        }
    }
}

/// The text of a PDF, in the order of what is drawn.
fn text(bytes: &[u8]) -> Option<String> {
    let text = ask("pdftotext", &["-raw", "-enc", "UTF-8", "FILE", "-"], bytes)?;
    Some(String::from_utf8(text).expect("UTF-8"))
}

fn bare(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

fn paper(lines: &[&str], face: Face) -> Paper {
    let runs = lines.iter().zip(0..).map(|(text, n)| {
        Item::Run(Run {
            block: "name".into(),
            text: (*text).to_owned(),
            face,
            size: 5_644,
            x: 28_000,
            y: 50_000 + n * 10_000,
            spacing: -73,
            colour: Colour::Black,
        })
    });
    Paper {
        title: "测试".into(),
        language: Language::Zh,
        width: 210_000,
        height: 297_000,
        pages: vec![runs.collect()],
        seals: Vec::new(),
    }
}

const MODULE: &str = "module = \"m\"\nversion = \"1\"\nlaw = \"法\"\nnames = { \"zh-CN\" = \"模块\", en = \"module\" }\n";

const FORM: &str = r#"{ "type": "object", "additionalProperties": false, "properties": {
  "who": { "type": "string", "maxLength": 100 }, "text": { "type": "string", "maxLength": 60000 },
  "on": { "type": "string", "format": "date" },
  "lines": { "type": "array", "maxItems": 9000, "items": { "type": "object", "additionalProperties": false,
    "properties": { "what": { "type": "string", "maxLength": 200 }, "count": { "type": "integer" } } } } } }"#;

const TEMPLATE: &str = r#"
template = "t"
of = "r"
title = { "zh-CN" = "关于{it.who}的证明", en = "Certificate of {it.who}" }
[sheet]
numbers = "outer"
[block.head]
text = { "zh-CN" = "杭州市财政局文件", en = "Finance Bureau of Hangzhou" }
font = "song"
size = 30
color = "red"
align = "center"
[block.line]
stroke = 70
color = "red"
[block.body]
text = { "zh-CN" = "兹证明{it.who}（{it.on}）如下：\n{it.text}", en = "This is to certify, for {it.who} ({it.on}):\n{it.text}" }
indent = 2
align = "justify"
[block.list]
each = "it.lines"
size = 12
column.what = { head = { "zh-CN" = "项目", en = "Item" }, text = "{x.what}", width = 20 }
column.count = { head = { "zh-CN" = "数量", en = "Count" }, text = "{x.count}", width = 8, align = "right" }
[block.date]
text = "{it.on}"
align = "right"
right = 4
keep = true
[block.seal]
seal = "date"
[block.code]
qr = "'https://example.gov.cn/check/' + it.who"
foot = true
"#;

fn module() -> Module {
    let texts = "registry-r = x\nform-f = x\nform-f-who = x\nform-f-text = x\nform-f-on = x\nform-f-lines = x\n";
    let folder = Folder::of([
        ("module.toml", MODULE),
        ("forms/f.json", FORM),
        ("registries/r.toml", "registry = \"r\"\nform = \"f\"\nkey = [\"it.who\"]\n"),
        ("templates/t.toml", TEMPLATE),
        ("texts/zh-CN.ftl", texts),
        ("texts/en.ftl", texts),
    ]);
    Module::read(&folder.expect("a folder")).unwrap_or_else(|mistakes| {
        panic!("{:#?}", mistakes.iter().map(|one| one.say(Language::En)).collect::<Vec<_>>())
    })
}

fn certificate(fonts: &Fonts, text: &str, rows: usize, language: Language) -> Paper {
    let row = |n: usize| {
        let fields =
            [("what", Value::text(format!("第{n}项 item-{n:04}"))), ("count", Value::Int(7))];
        Value::Map(fields.map(|(name, value)| (name.to_owned(), value)).into())
    };
    let record: BTreeMap<_, _> = [
        ("who", Value::text("王镕堃")),
        ("text", Value::text(text)),
        ("on", Value::Date("2026-03-02".parse().expect("a date"))),
        ("lines", Value::List((1..=rows).map(row).collect())),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    module().paper_of_record("r", &record, "t", language, fonts).expect("a paper")
}

fn printed(paper: &Paper, fonts: &Fonts) -> Printed {
    pdf(paper, fonts, AT).expect("a PDF")
}

const TEXT: &str = "根据《中华人民共和国行政许可法》第四十二条，“准予”决定自二〇二六年三月二日起生效；编号 AB-2026/0042，金额1080.10元。\nAll words, in order: fi ffl 100 %.";

#[test]
fn all_text_is_read_back_in_order_in_both_languages_from_a_table_over_three_pages() {
    let Some(fonts) = fonts() else { return };
    for language in Language::ALL {
        let paper = certificate(fonts, TEXT, 120, language);
        assert!(paper.pages.len() >= 3);
        let printed = printed(&paper, fonts);
        assert!(printed.warnings.is_empty(), "{:?}", printed.warnings);
        let Some(text) = text(&printed.bytes) else { return };
        assert_eq!(bare(&text), bare(&paper.text()));
        for n in 1..=120 {
            assert_eq!(text.matches(&format!("item-{n:04}")).count(), 1, "{n}");
        }
        let wanted = language.pick("Certificate of 王镕堃", "关于王镕堃的证明");
        let Some(info) = ask("pdfinfo", &["FILE"], &printed.bytes) else { return };
        let info = String::from_utf8(info).expect("UTF-8");
        assert!(info.contains(wanted) && info.contains("2026"), "{info}");
        assert!(info.contains(&format!("Pages:           {}", paper.pages.len())), "{info}");
    }
}

#[test]
fn every_font_is_embedded_as_far_as_it_is_used_with_the_characters_of_its_glyphs() {
    let Some(fonts) = fonts() else { return };
    let printed = printed(&certificate(fonts, TEXT, 3, Language::Zh), fonts);
    let Some(said) = ask("pdffonts", &["FILE"], &printed.bytes) else { return };
    let said = String::from_utf8(said).expect("UTF-8");
    let lines: Vec<_> = said.lines().skip(2).collect();
    assert!(lines.len() >= 2, "{said}");
    for line in lines {
        // Embedded, a subset, with Unicode.
        let words: Vec<_> = line.split_whitespace().collect();
        let end: Vec<_> = words.iter().rev().skip(2).take(3).copied().collect();
        assert_eq!(end, ["yes", "yes", "yes"], "{said}");
    }
    assert!(printed.bytes.len() < 300_000, "{}", printed.bytes.len());
    // It says of itself what it is.
    let xmp = String::from_utf8_lossy(&printed.bytes);
    assert!(
        xmp.contains("<pdfaid:part>2</pdfaid:part>")
            && xmp.contains("<pdfaid:conformance>U</pdfaid:conformance>")
    );
}

#[test]
fn rare_characters_of_names_are_printed_or_named_with_their_place_and_never_passed_over() {
    let Some(fonts) = fonts() else { return };
    for face in Face::ALL.map(|(_, face)| face) {
        let rare = paper(&["镕堃喆旸翀珺祎", "𠮷𣲗𬱖"], face);
        let done = printed(&rare, fonts);
        assert!(done.warnings.is_empty(), "{face:?}: {:?}", done.warnings);
        if let Some(text) = text(&done.bytes) {
            assert_eq!(bare(&text), "镕堃喆旸翀珺祎𠮷𣲗𬱖");
        }
    }
    // Of extension G and of no script of these fonts: each is named, and the text is what it was.
    let names = paper(&["王\u{30EDE}明", "\u{30EDE}和ሀ"], Face::Fangsong);
    let done = printed(&names, fonts);
    let said: Vec<_> = done
        .warnings
        .iter()
        .map(|one| (one.character, one.page, one.block.as_str(), one.line.as_str()))
        .collect();
    let wanted: &[(char, usize, &str, &str)] =
        &[('\u{30EDE}', 1, "name", "王\u{30EDE}明"), ('ሀ', 1, "name", "\u{30EDE}和ሀ")];
    // A newer font may have the first.
    let known: Vec<_> =
        wanted.iter().filter(|(c, ..)| said.iter().any(|(d, ..)| c == d)).copied().collect();
    assert_eq!(said, known);
    assert!(said.iter().any(|(c, ..)| *c == 'ሀ'));
    if let Some(text) = text(&done.bytes) {
        assert_eq!(bare(&text), "王\u{30EDE}明\u{30EDE}和ሀ");
    }
    // A form of a character that no font has is printed in its usual form, and said.
    let forms = paper(&["葛\u{E01EF}城"], Face::Fangsong);
    let done = printed(&forms, fonts);
    let warning = done.warnings.first().expect("it is said");
    assert_eq!((warning.character, warning.selector), ('葛', Some('\u{E01EF}')));
}

#[test]
fn the_same_paper_on_the_same_date_has_the_same_bytes() {
    let Some(fonts) = fonts() else { return };
    let paper = certificate(fonts, TEXT, 40, Language::Zh);
    let first = printed(&paper, fonts).bytes;
    assert_eq!(printed(&paper, fonts).bytes, first);
    let again = Fonts::open(&Fonts::debian()).expect("fonts");
    assert_eq!(printed(&paper, &again).bytes, first);
    assert_ne!(pdf(&paper, fonts, Instant(AT.0 + 1)).expect("a PDF").bytes, first);
}

/// A grey picture as `pdftoppm -gray` writes it: width, height, shades.
fn picture(bytes: &[u8]) -> (usize, usize, &[u8]) {
    let mut words = bytes.splitn(4, |b| b.is_ascii_whitespace());
    let mut word = || std::str::from_utf8(words.next().expect("a word")).expect("text").to_owned();
    assert_eq!(word(), "P5");
    let (width, height) =
        (word().parse().expect("a number"), word().parse::<usize>().expect("a number"));
    let rest = bytes.len() - width * height;
    (width, height, bytes.get(rest..).expect("shades"))
}

#[test]
fn a_code_is_read_back_from_the_page_as_it_is_drawn() {
    let Some(fonts) = fonts() else { return };
    let paper = certificate(fonts, "短", 1, Language::Zh);
    let printed = printed(&paper, fonts);
    let arguments = ["-gray", "-r", "150", "-singlefile", "FILE"];
    let Some(drawn) = ask("pdftoppm", &arguments, &printed.bytes) else { return };
    let (width, height, shades) = picture(&drawn);
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
        shades.get(y * width + x).copied().unwrap_or(255)
    });
    let codes = image.detect_grids();
    let (_, said) = codes.first().expect("a code").decode().expect("it can be read");
    assert_eq!(said, "https://example.gov.cn/check/王镕堃");
}

#[test]
fn what_no_code_can_hold_and_fonts_that_are_not_there_are_refused_by_name() {
    let missing = FontFile { path: "/nowhere/x.otf".into(), family: None };
    let faces = Face::ALL.map(|(_, face)| (face, vec![missing.clone()])).into();
    assert!(
        matches!(Fonts::open(&faces), Err(FontError::File { path, .. }) if path == Path::new("/nowhere/x.otf"))
    );
    assert!(matches!(Fonts::open(&BTreeMap::new()), Err(FontError::NoFace(Face::Fangsong))));
    let Some(fonts) = fonts() else { return };
    let mut other = Fonts::debian();
    other.values_mut().flatten().for_each(|file| file.family = Some("Nobody's".into()));
    assert!(matches!(Fonts::open(&other), Err(FontError::NoFont { .. })));
    let mut long = paper(&[], Face::Hei);
    let code = Qr { block: "code".into(), text: "x".repeat(3_000), x: 0, y: 0, side: 25_000 };
    long.pages = vec![vec![Item::Qr(code)]];
    assert_eq!(pdf(&long, fonts, AT), Err(NoPdf::Code { block: "code".into() }));
}

/// How long a page takes; in a debug build that says nothing.
#[test]
fn a_page_is_printed_in_no_time() {
    let Some(fonts) = fonts() else { return };
    let paper = certificate(fonts, &TEXT.repeat(6), 1, Language::Zh);
    let begin = Clock::now();
    let count = 20;
    for _ in 0..count {
        printed(&paper, fonts);
    }
    let each = begin.elapsed().as_millis() / count / paper.pages.len() as u128;
    eprintln!("{each} ms a page of {}", paper.pages.len());
    if !cfg!(debug_assertions) {
        assert!(each < 50, "{each} ms");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn whatever_is_written_is_a_pdf_and_what_is_not_printed_is_said(
        lines in proptest::collection::vec("\\PC{1,40}", 1..6),
    ) {
        let Some(fonts) = fonts() else { return Ok(()) };
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let paper = paper(&lines, Face::Fangsong);
        match pdf(&paper, fonts, AT) {
            Ok(printed) => {
                let lacks = |c: char| fonts.find(Face::Fangsong, c).is_none();
                for c in lines.concat().chars().filter(|c| lacks(*c) && !crate::fonts::is_selector(*c)) {
                    prop_assert!(printed.warnings.iter().any(|one| one.character == c), "{:?}", c);
                }
            }
            // Private characters have no meaning that a PDF/A could keep.
            Err(error) => prop_assert!(matches!(error, NoPdf::Refused(_)), "{:?}", error),
        }
    }
}
