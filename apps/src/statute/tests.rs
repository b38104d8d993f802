use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const LAW: &str = "\
# 行政处罚法

第一章　总则

第一条　为了规范行政处罚，根据宪法，制定本法。

第二条　行政处罚应当公开。

有下列情形之一的，不予公开：

（一）涉及国家秘密的：

1. 绝密；

2. 机密；

（二）涉及商业秘密的。

前款规定的情形消失的，应当公开。

第二条之一　本法第二条的规定适用于复议。

第二章 附则

第三条本法自2026年1月1日起施行。

附件：

一、收费标准
";

fn addresses(cut: &Cut) -> Vec<&str> {
    cut.parts.iter().map(|part| part.address.as_str()).collect()
}

#[test]
fn a_law_is_cut_into_its_parts() {
    let cut = cut(LAW);
    assert_eq!(cut.strays, []);
    assert!(cut.is_whole());
    let wanted = [
        "0.1", "c1", "1", "1.1", "2", "2.1", "2.2", "2.2.1", "2.2.1.1", "2.2.1.2", "2.2.2", "2.3",
        "2-1", "2-1.1", "c2", "3", "3.1", "a1", "a1.1",
    ];
    assert_eq!(addresses(&cut), wanted);
    let part =
        |address: &str| cut.parts.iter().find(|part| part.address == address).expect("a part");
    assert_eq!(
        (part("2.2.1").label.as_str(), part("2.2.1").text.as_str()),
        ("（一）", "涉及国家秘密的：")
    );
    assert_eq!((part("2-1").label.as_str(), part("2-1").level), ("第二条之一", Level::Article));
    assert_eq!(part("3.1").text, "本法自2026年1月1日起施行。");
    assert_eq!(part("2.3").text, "前款规定的情形消失的，应当公开。");
}

#[test]
fn what_lies_deeper_than_is_wanted_is_of_what_it_lies_in() {
    let articles = cut(LAW).down_to(Level::Article);
    assert_eq!(addresses(&articles), ["0.1", "c1", "1", "2", "2-1", "c2", "3", "a1"]);
    let second = articles.parts.iter().find(|part| part.address == "2").expect("a part");
    assert!(second.text.contains("（一）涉及国家秘密的：\n1.绝密；"), "{}", second.text);
}

#[test]
fn books_begin_their_chapters_anew_and_a_gap_is_told() {
    let text = "第一编 总则\n第一章 一般\n第一条 甲。\n第二编 分则\n第一章 其他\n第一节 小节\n第二条 乙。\n第四条 丁。";
    let cut = cut(text);
    assert_eq!(
        addresses(&cut),
        ["b1", "b1.c1", "1", "1.1", "b2", "b2.c1", "b2.c1.s1", "2", "2.1", "4", "4.1"]
    );
    assert_eq!(cut.strays, [Stray { line: 8, label: "第四条".into(), wanted: 3 }]);
}

#[test]
fn paragraphs_within_a_list_are_more_of_its_item() {
    let text = "第一条 下列机构：\n（一）委员会；\n1. 甲；\n政治协商会议；\n（二）外交部。\n前款机构：\n（一）新。";
    let cut = cut(text);
    assert_eq!(cut.strays, []);
    assert_eq!(addresses(&cut), ["1", "1.1", "1.1.1", "1.1.1.1", "1.1.2", "1.2", "1.2.1"]);
    let part = cut.parts.iter().find(|part| part.address == "1.1.1.1").expect("a part");
    assert_eq!(part.text, "甲；\n政治协商会议；");
}

#[test]
fn a_text_without_articles_is_cut_by_its_first_numbers() {
    let cut = cut("为了加强管理，规定如下：\n一、申请。\n（一）书面；\n（二）口头。\n二、受理。");
    assert_eq!(addresses(&cut), ["0.1", "1", "1.1", "1.1.1", "1.1.2", "2", "2.1"]);
    assert!(cut.is_whole());
}

#[test]
fn a_citation_in_a_line_is_no_article() {
    let cut = cut("第一条 依照\n第十五条规定的办法办理。\n第二条的规定不适用。\n第二条 完。");
    assert_eq!(addresses(&cut), ["1", "1.1", "1.2", "1.3", "2", "2.1"]);
}

#[test]
fn citations_are_read_with_their_addresses() {
    let read = |text: &str| {
        let citation = Citation::read(text)?;
        Some((citation.title, citation.at.map(|at| at.to_string()).unwrap_or_default()))
    };
    let known = [
        ("《行政处罚法》第十五条第二款第一项的规定", "行政处罚法", "15.2.1"),
        ("《行政处罚法》第十五条之一第（三）项", "行政处罚法", "15-1.1.3"),
        ("《中华人民共和国刑法》（2020年修正）第二百六十四条", "中华人民共和国刑法", "264"),
        ("《关于修改《食品安全法》的决定》", "关于修改《食品安全法》的决定", ""),
        ("《民法典》第1260条第1款第2项第3目", "民法典", "1260.1.2.3"),
        ("《民法典》第十五", "民法典", ""),
    ];
    for (text, title, at) in known {
        assert_eq!(read(text), Some((title.to_owned(), at.to_owned())), "{text}");
    }
    for no in ["", "民法典第十五条", "《》第一条", "《民法典", "《 》"] {
        assert_eq!(read(no), None, "{no}");
    }
    assert_eq!(Citation::all("依据《甲法》第一条、《乙法》第二条第三款").len(), 2);
    assert_eq!(Citation::plain_title("《中华人民共和国 刑法》"), "刑法");
}

#[test]
fn versions_are_compared_by_their_parts() {
    let before =
        cut("第一条 甲甲甲甲甲甲甲甲甲。\n第二条 乙。\n第三条 丙丙丙丙丙丙丙丙丙。\n第四条 丁。")
            .parts;
    let after = cut("第一条 甲甲甲甲甲甲甲甲甲。\n第二条 乙乙。\n第二条之一 新。\n第三条 戊。\n第四条 丙丙丙丙丙丙丙丙丙。").parts;
    let said: Vec<_> = compare(&before, &after)
        .iter()
        .map(|change| {
            let what = match change {
                Change::Added(_) => "added".to_owned(),
                Change::Repealed(_) => "repealed".to_owned(),
                Change::Changed { before, .. } => format!("changed from {}", before.text),
                Change::Moved { from, .. } => format!("moved from {from}"),
            };
            (change.address().to_owned(), what)
        })
        .collect();
    let wanted = [
        ("2.1", "changed from 乙。"),
        ("2-1", "added"),
        ("2-1.1", "added"),
        ("3.1", "changed from 丙丙丙丙丙丙丙丙丙。"),
        ("4.1", "moved from 3.1"),
    ];
    let wanted = wanted.map(|(at, what)| (at.to_owned(), what.to_owned()));
    assert_eq!(said, wanted);
    assert_eq!(compare(&after, &after), []);
}

fn line() -> impl Strategy<Value = String> {
    let mark = prop_oneof![
        (1u32..30).prop_map(|n| format!("第{}条 ", numeral::written(n))),
        (1u32..5, 1u32..3).prop_map(|(n, k)| format!("第{n}条之{} ", numeral::written(k))),
        (1u32..6).prop_map(|n| format!("第{}章 ", numeral::written(n))),
        (1u32..6).prop_map(|n| format!("第{}编 ", numeral::written(n))),
        (1u32..6).prop_map(|n| format!("（{}）", numeral::written(n))),
        (1u32..6).prop_map(|n| format!("{}、", numeral::written(n))),
        (1u32..6).prop_map(|n| format!("{n}.")),
        Just("附件：".to_owned()),
        Just(String::new()),
    ];
    (mark, "[甲乙丙丁0-9。第条（）、 ]{0,12}").prop_map(|(mark, words)| mark + &words)
}

proptest! {
    /// Whatever stands in a text: no address is there twice, no word is lost, and a part comes after what it lies in.
    #[test]
    fn every_word_has_one_address(lines in prop::collection::vec(line(), 0..60)) {
        let text = lines.join("\n");
        let cut = cut(&text);
        let all: BTreeSet<_> = cut.parts.iter().map(|part| part.address.as_str()).collect();
        prop_assert_eq!(all.len(), cut.parts.len());
        let bare = |text: &str| text.chars().filter(|c| !c.is_whitespace() && *c != '#').collect::<String>();
        let words: String = cut.parts.iter().map(|part| bare(&part.label) + &bare(&part.text)).collect();
        prop_assert_eq!(words, bare(&text));
        let mut seen = BTreeSet::new();
        for part in &cut.parts {
            if let Some((above, _)) = part.address.rsplit_once('.') {
                // The preamble is there without a heading, and items stand in a paragraph without words.
                let implied = above == "0" || part.level == Level::Item;
                prop_assert!(implied || seen.contains(above), "{} under {above}", part.address);
            }
            seen.insert(part.address.as_str());
        }
        let flat = Cut { parts: cut.parts.clone(), strays: Vec::new() }.down_to(Level::Article);
        let kept: String = flat.parts.iter().map(|part| bare(&part.label) + &bare(&part.text)).collect();
        prop_assert_eq!(kept, bare(&text));
    }

    #[test]
    fn anything_is_cut(text in "\\PC{0,400}") {
        cut(&text);
        Citation::all(&text);
        prop_assert!(paragraphs(&text).strays.is_empty());
    }

    #[test]
    fn what_is_cited_is_the_address_of_its_part(n in 1u32..500, k in 0u32..4, p in 1u32..9, i in 1u32..9) {
        let written = numeral::written;
        let inserted = if k == 0 { String::new() } else { format!("之{}", written(k)) };
        let text = format!("《甲法》第{}条{inserted}第{}款第{}项", written(n), written(p), written(i));
        let at = Citation::read(&text).and_then(|citation| citation.at).expect("an address");
        let article = if k == 0 { n.to_string() } else { format!("{n}-{k}") };
        prop_assert_eq!(at.to_string(), format!("{article}.{p}.{i}"));
    }
}
