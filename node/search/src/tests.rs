use std::{collections::BTreeSet, path::Path};

use chancery_apps::{
    Date, Folder, Instant, MemoryState, Module, Part, Published, Scenario, SearchEntry, Spell,
    Status, cut,
};
use chancery_crypto::IndexKey;
use proptest::prelude::*;

use super::*;

fn day(text: &str) -> Date {
    text.parse().expect("a day")
}

fn spell(from: &str, until: Option<&str>, status: Status) -> Spell {
    Spell { from: day(from), until: until.map(day), status }
}

fn entry(work: &str, title: &str, text: &str, spells: Vec<Spell>) -> SearchEntry {
    SearchEntry {
        module: "laws".into(),
        publication: "law".into(),
        work: work.into(),
        version: 1,
        title: title.into(),
        sort: Some("法律".into()),
        issuer: Some("全国人大常委会".into()),
        parts: cut(text).parts,
        spells,
    }
}

fn index(entries: &[SearchEntry]) -> Index {
    let mut index = Index::in_memory().expect("an index");
    for entry in entries {
        index.add(entry).expect("adds");
    }
    index.commit().expect("commits");
    index
}

fn works(index: &Index, query: &Query) -> Vec<(String, Status)> {
    let page = index.search(query).expect("an answer");
    page.hits.into_iter().map(|hit| (hit.work, hit.status)).collect()
}

/// 增值税：2025-12-31 条例有效、法已公布尚未施行；2026-01-01 反转。
fn vat() -> Index {
    index(&[
        entry(
            "old",
            "中华人民共和国增值税暂行条例",
            "第一条 在中华人民共和国境内销售货物的单位和个人，为增值税的纳税人。",
            vec![
                spell("1994-01-01", Some("2026-01-01"), Status::InForce),
                spell("2026-01-01", None, Status::Repealed),
            ],
        ),
        entry(
            "new",
            "中华人民共和国增值税法",
            "第一条 为了健全增值税制度，制定本法。\n第二条 纳税人的下列应税交易：\n（一）金融商品转让；\n（二）进口货物。",
            vec![
                spell("2024-12-25", Some("2026-01-01"), Status::NotYet),
                spell("2026-01-01", None, Status::InForce),
            ],
        ),
    ])
}

#[test]
fn a_work_is_found_once_as_what_it_is_on_the_day() {
    let index = vat();
    let found = |on: &str| {
        let mut found = works(&index, &Query::new("增值税", day(on)));
        found.sort();
        found
    };
    let named = |old, new| vec![("new".to_owned(), new), ("old".to_owned(), old)];
    assert_eq!(found("2025-12-31"), named(Status::InForce, Status::NotYet));
    assert_eq!(found("2026-01-01"), named(Status::Repealed, Status::InForce));
    assert_eq!(found("2024-12-24"), [("old".to_owned(), Status::InForce)]);
    let in_force = |on: &str| {
        let query = Query { status: vec![Status::InForce], ..Query::new("增值税", day(on)) };
        works(&index, &query)
    };
    assert_eq!(in_force("2025-12-31"), [("old".to_owned(), Status::InForce)]);
    assert_eq!(in_force("2026-01-01"), [("new".to_owned(), Status::InForce)]);
}

#[test]
fn hits_are_chosen_by_sort_issuer_and_publication_and_come_in_pages() {
    let index = vat();
    let on = day("2026-02-01");
    let ask = |change: &dyn Fn(&mut Query)| {
        let mut query = Query::new("货物", on);
        change(&mut query);
        index.search(&query).expect("an answer")
    };
    assert_eq!(ask(&|_| {}).total, 2);
    assert_eq!(ask(&|query| query.sort = Some("法律".into())).total, 2);
    assert_eq!(ask(&|query| query.sort = Some("规章".into())).total, 0);
    assert_eq!(ask(&|query| query.issuer = Some("国务院".into())).total, 0);
    assert_eq!(ask(&|query| query.module = Some("laws".into())).total, 2);
    assert_eq!(ask(&|query| query.module = Some("news".into())).total, 0);
    let first = ask(&|query| query.most = 1);
    let second = ask(&|query| (query.most, query.skip) = (1, 1));
    assert_eq!((first.total, first.hits.len(), second.hits.len()), (2, 1, 1));
    assert_ne!(first.hits.first().map(|hit| &hit.work), second.hits.first().map(|hit| &hit.work));
    assert_eq!(ask(&|query| (query.most, query.skip) = (1, 2)).hits, []);
    let refused = |query: Query| index.search(&query).expect_err("refused");
    assert!(matches!(refused(Query::new("，。", on)), SearchError::NoWord));
    assert!(matches!(refused(Query::new("税".repeat(201), on)), SearchError::Long { most: 200 }));
    let deep = Query { skip: MOST_SKIPPED + 1, ..Query::new("税", on) };
    assert!(matches!(refused(deep), SearchError::Deep { .. }));
}

#[test]
fn a_hit_says_where_the_words_stand() {
    let index = vat();
    let page = index.search(&Query::new("ＶＡＴ", day("2026-02-01"))).expect("an answer");
    assert_eq!(page, Page::default());
    let page = index.search(&Query::new("金融商品 转让", day("2026-02-01"))).expect("an answer");
    let hit = page.hits.first().expect("a hit");
    let passage = hit.passages.first().expect("a passage");
    assert_eq!(passage.address, "2.1.1");
    let marked: Vec<_> = passage
        .marks
        .iter()
        .map(|(a, b)| passage.text.get(*a..*b).expect("at characters"))
        .collect();
    assert_eq!(marked, ["金融商品转让"]);
}

#[test]
fn what_the_dictionary_cuts_otherwise_is_found_all_the_same() {
    let text = "第一条 南京市长江大桥由市政府管理，研究生命起源的机构不适用本办法。";
    let spells = || vec![spell("2020-01-01", None, Status::InForce)];
    let index = index(&[
        entry("a", "桥梁办法", text, spells()),
        entry("b", "别的", "第一条 无。", spells()),
    ]);
    for word in ["市长", "长江", "江大", "大桥", "研究生", "生命", "命起", "桥", "南京市长江大桥"]
    {
        let found = works(&index, &Query::new(word, day("2026-01-01")));
        assert_eq!(found, [("a".to_owned(), Status::InForce)], "{word}");
    }
    for word in ["京长", "桥大", "北京"] {
        assert_eq!(works(&index, &Query::new(word, day("2026-01-01"))), [], "{word}");
    }
}

/// What a folder's files hold, as bytes.
fn holds(folder: &Path, word: &str) -> bool {
    std::fs::read_dir(folder).expect("a folder").any(|entry| {
        let path = entry.expect("an entry").path();
        let bytes = std::fs::read(path).unwrap_or_default();
        bytes.windows(word.len()).any(|window| window == word.as_bytes())
    })
}

#[test]
fn what_was_purged_is_in_no_file_and_what_was_forgotten_is_not_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let spells = || vec![spell("2020-01-01", None, Status::InForce)];
    let (mut index, empty) = Index::open(folder.path()).expect("opens");
    assert!(empty);
    // Words of a term stand in the clear in the files: with that the test can fail.
    index.add(&entry("a", "甲", "第一条 aaaasecretword 在此。", spells())).expect("adds");
    index.commit().expect("commits");
    assert!(holds(folder.path(), "aaaasecretword"));
    index.add(&entry("b", "乙", "第一条 其他。", spells())).expect("adds");
    index.commit().expect("commits");
    index.forget("laws", "law", "a");
    index.commit().expect("commits");
    let query = Query::new("aaaasecretword", day("2026-01-01"));
    assert_eq!(index.search(&query).expect("an answer"), Page::default());
    index.purge().expect("purges");
    assert!(!holds(folder.path(), "aaaasecretword"));
    assert_eq!(works(&index, &Query::new("其他", day("2026-01-01"))).len(), 1);
    drop(index);
    // It is there again when it is opened; one of another form is made anew.
    let (index, empty) = Index::open(folder.path()).expect("opens");
    assert!(!empty);
    // Nobody throws away what somebody else writes.
    assert!(Index::open(folder.path()).is_err());
    assert_eq!(works(&index, &Query::new("其他", day("2026-01-01"))).len(), 1);
    drop(index);
    std::fs::write(folder.path().join("form"), "another").expect("writes");
    assert!(Index::open(folder.path()).expect("opens").1);
}

#[test]
fn a_damaged_index_is_made_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(Index::open(folder.path()).expect("opens"));
    std::fs::write(folder.path().join("meta.json"), "{").expect("writes");
    assert!(Index::open(folder.path()).expect("opens").1);
}

/// The news that come with Chancery, with the state after one of their stories.
fn news(story: &str) -> (Module, MemoryState) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../apps/modules/news");
    let (mut files, mut open) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => open.push(path),
                false => {
                    let name = path.strip_prefix(&root).expect("below").to_str().expect("text");
                    files.push((name.to_owned(), std::fs::read_to_string(&path).expect("a text")));
                }
            }
        }
    }
    let each = files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let folder = Folder::of(each).expect("a folder");
    let module = Module::read(&folder).expect("no mistake");
    let text = files.iter().find(|(name, _)| name.ends_with(story)).expect("the story");
    let story = Scenario::read(&text.1).expect("a story");
    let (_, state) = story.run_to(&module, &folder.encode()).expect("it comes out");
    (module, state)
}

#[test]
fn what_is_under_embargo_corrected_or_taken_back_is_not_found() {
    let total = |story: &str, at: &str, word: &str| {
        let (module, state) = news(story);
        let at: Instant = at.parse().expect("a moment");
        let published = Published::new(&state, &module, at);
        let mut index = Index::in_memory().expect("an index");
        index.rebuild(&published, "release").expect("builds");
        // One work put by itself comes to the same.
        let (works, _) = published.works("release", published.today(), "", 10).expect("reads");
        for work in works {
            index.put(&published, "release", &work.work).expect("puts");
        }
        index.commit().expect("commits");
        index.search(&Query::new(word, published.today())).expect("an answer").total
    };
    assert_eq!(total("P5-1.toml", "2026-03-03T07:59:59+08:00", "常务会议"), 0);
    assert_eq!(total("P5-1.toml", "2026-03-03T08:00:00+08:00", "常务会议"), 1);
    assert_eq!(total("P5-1.toml", "2026-03-03T08:00:00+08:00", "听取"), 1);
    // After the correction its old words lead nowhere.
    assert_eq!(total("P5-1.toml", "2026-03-03T11:00:00+08:00", "听取"), 0);
    assert_eq!(total("P5-1.toml", "2026-03-03T11:00:00+08:00", "更正"), 1);
    assert_eq!(total("P5-2.toml", "2026-09-30T08:00:00+08:00", "处罚"), 1);
    assert_eq!(total("P5-2.toml", "2026-09-30T10:00:00+08:00", "处罚"), 0);
}

fn keyed() -> Keyed {
    Keyed::new(IndexKey::new(&[7; IndexKey::LEN]))
}

fn ids(rows: &BTreeSet<Vec<u8>>, question: &str, may: &dyn Fn(&[u8]) -> bool) -> Vec<u8> {
    let (mut all, mut from) = (Vec::new(), None::<Vec<u8>>);
    loop {
        let page = keyed().search(rows, question, |id| Ok(may(id)), from.as_deref(), 2);
        let page = page.expect("reads").expect("an answer");
        all.extend(page.ids.into_iter().flatten());
        match page.next {
            Some(next) => from = Some(next),
            None => return all,
        }
    }
}

#[test]
fn keyed_words_find_the_newest_first_and_only_what_may_be_read() {
    let mut rows = BTreeSet::new();
    let texts =
        ["关于春节放假的通知", "关于放假安排的请示 Budget", "关于预算的报告", "春节慰问与放假"];
    for (time, text) in (0i64..).zip(texts) {
        let id = [u8::try_from(time).expect("small")];
        rows.extend(keyed().rows(text, time - 2, &id).expect("rows"));
    }
    assert_eq!(ids(&rows, "放假", &|_| true), [3, 1, 0]);
    assert_eq!(ids(&rows, "春节 放假", &|_| true), [3, 0]);
    assert_eq!(ids(&rows, "ＢＵＤＧＥＴ", &|_| true), [1]);
    assert!(ids(&rows, "奖金", &|_| true).is_empty());
    // What may not be read is not given, and nothing tells that it is there.
    assert_eq!(ids(&rows, "放假", &|id| id != [1]), [3, 0]);
    let page = keyed()
        .search(&rows, "放假", |id| Ok(id == [3]), None, 1)
        .expect("reads")
        .expect("an answer");
    assert_eq!(page, KeyedPage { ids: vec![vec![3]], next: None });
    // Removed with the document, it is not found.
    for row in keyed().rows(texts[3], 1, &[3]).expect("rows") {
        assert!(rows.remove(&row));
    }
    assert_eq!(ids(&rows, "放假", &|_| true), [1, 0]);
    // No row holds a word, and another key finds nothing.
    assert!(rows.iter().all(|row| row.len() == TOKEN + 8 + 1));
    let other = Keyed::new(IndexKey::new(&[8; IndexKey::LEN]));
    let page =
        other.search(&rows, "放假", |_| Ok(true), None, 9).expect("reads").expect("an answer");
    assert_eq!(page, KeyedPage::default());
    assert!(keyed().rows("x", 0, &[0; 200]).is_err());
}

fn parts(text: &str) -> Vec<Part> {
    cut(text).parts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the rows are: every document that has the question's characters beside each other is found, once, the newest first.
    #[test]
    fn keyed_words_find_all_that_hold_them(
        texts in prop::collection::vec("[春节放假通知的]{0,12}", 0..12),
        question in "[春节放假通知]{1,3}",
    ) {
        let mut rows = BTreeSet::new();
        for (n, text) in (0u8..).zip(&texts) {
            rows.extend(keyed().rows(text, n.into(), &[n]).expect("rows"));
        }
        let found = ids(&rows, &question, &|_| true);
        prop_assert!(found.windows(2).all(|pair| pair[0] > pair[1]));
        for (n, text) in (0u8..).zip(&texts) {
            prop_assert!(!text.contains(&question) || found.contains(&n), "{text} {question}");
        }
    }

    /// Marks lie at characters, rise, and do not overlap.
    #[test]
    fn marks_lie_within_their_text(text in "[第一条甲乙丙ａＡb ]{0,300}", words in prop::collection::vec("[甲乙a]{1,3}", 1..4)) {
        for passage in crate::mark::passages(&parts(&format!("第一条 {text}")), &words) {
            let mut last = 0;
            for (from, to) in passage.marks {
                prop_assert!(last <= from && from < to && passage.text.get(from..to).is_some());
                last = to;
            }
        }
    }

    #[test]
    fn anything_is_asked(text in "\\PC{0,60}") {
        let _ = Query::new(text.clone(), day("2026-01-01")).words();
        words(&text);
    }
}
