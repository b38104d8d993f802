//! Indexes all texts of a folder of laws (`.md`, the title behind `# `, what stands before `<!-- INFO END -->` being about it), and
//! says how many are cut into parts wholly and how long questions take.
//!
//! cargo run --release -p chancery-search --example laws -- FOLDER
#![allow(clippy::print_stdout, reason = "that is what it is for")]

use std::{
    error::Error,
    path::{Path, PathBuf},
    time::Instant,
};

use chancery_apps::{Date, SearchEntry, Spell, Status, cut};
use chancery_search::{Index, Query};

/// How often each question is put.
const ROUNDS: usize = 200;

const QUESTIONS: [&str; 16] = [
    "增值税",
    "个人信息保护",
    "行政处罚 听证",
    "未成年人",
    "政府采购 招标",
    "环境影响评价",
    "劳动合同 解除",
    "国务院",
    "数据安全",
    "土地",
    "公民 法人 其他组织",
    "违法所得",
    "电子签名",
    "住房公积金",
    "民间借贷利率",
    "税",
];

fn texts(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            texts(&path, found)?;
        } else if path.extension().is_some_and(|e| e == "md") && !path.ends_with("_index.md") {
            found.push(path);
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("a folder of laws")?;
    let mut paths = Vec::new();
    texts(Path::new(&folder), &mut paths)?;
    paths.sort();
    let (mut index, mut whole, mut bytes, mut parts) =
        (Index::in_memory()?, 0usize, 0usize, 0usize);
    let (first, today) = (Date::new(1949, 10, 1), Date::new(2026, 11, 27));
    let (first, today) = (first.ok_or("a day")?, today.ok_or("a day")?);
    let mut pure = Vec::new();
    let begun = Instant::now();
    for path in &paths {
        let text = std::fs::read_to_string(path)?;
        let (head, body) = text.split_once("<!-- INFO END -->").unwrap_or(("", &text));
        let title = head.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or("无题");
        let cut = cut(body);
        whole += usize::from(cut.is_whole());
        bytes += body.len();
        parts += cut.parts.len();
        pure.push(cut.parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join("\n"));
        index.add(&SearchEntry {
            module: "laws".into(),
            publication: "law".into(),
            work: path.display().to_string(),
            version: 1,
            title: title.to_owned(),
            sort: None,
            issuer: None,
            parts: cut.parts,
            spells: vec![Spell { from: first, until: None, status: Status::InForce }],
        })?;
    }
    index.purge()?;
    println!(
        "{} texts, {} KiB, {parts} parts; {whole} cut wholly; indexed in {} ms",
        paths.len(),
        bytes >> 10,
        begun.elapsed().as_millis()
    );
    let mut times = Vec::new();
    for question in QUESTIONS {
        let query = Query { status: vec![Status::InForce], ..Query::new(question, today) };
        let mut total = 0;
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            total = index.search(&query)?.total;
            times.push(begun.elapsed());
        }
        // Held against looking at every text: what has each word as it stands is found.
        let words: Vec<_> = question.split(' ').collect();
        let there = pure.iter().filter(|text| words.iter().all(|word| text.contains(word))).count();
        println!("{question}: {total} ({there} have each word as it stands)");
    }
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 1000).copied().unwrap_or_default();
    println!(
        "{} questions: p50 {} µs, p99 {} µs, longest {} µs",
        times.len(),
        at(500).as_micros(),
        at(990).as_micros(),
        at(1000).max(times.last().copied().unwrap_or_default()).as_micros()
    );
    Ok(())
}
