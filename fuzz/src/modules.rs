//! Folders of modules, formulas, forms, and what an auditor decides again.

use std::{cell::Cell, sync::LazyLock};

use chancery_apps::{
    Calendar, Environment, Folder, Formula, Module, Record, Replay, Rule, Scenario, Value, Zone,
};
use chancery_crypto::Digest;

/// Some names.
struct Names(Cell<u64>, Calendar);

impl Environment for Names {
    fn root(&self, name: &str) -> Value {
        match name {
            "doc" => Value::Map([("n".to_owned(), Value::Int(3)), ("t".to_owned(), Value::text("t"))].into()),
            "xs" => Value::List([1, 2, 3].map(Value::Int).into()),
            _ => Value::None,
        }
    }
    fn call(&self, _: &str, _: &[Value]) -> Value {
        Value::None
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
        self.0.set(self.0.get() + 1);
        self.0.get() < 10_000
    }
}

/// Fuzzes the parsers of one kind: formula.
pub fn formula(data: &[u8]) {
    let Ok(formula) = Formula::parse(&String::from_utf8_lossy(data)) else { return };
    let names = Names(Cell::new(0), Calendar::default());
    drop((formula.value(&names), formula.paths(), formula.calls(), formula.leaves()));
}

/// The files of a module without mistakes.
static WHOLE: LazyLock<Vec<(&str, String)>> = LazyLock::new(|| {
    let files = [
        ("module.toml", include_str!("../../cli/src/module/module.toml")),
        ("cases/request.toml", include_str!("../../cli/src/module/request.toml")),
        ("forms/request.json", include_str!("../../cli/src/module/request.json")),
        ("forms/answer.json", include_str!("../../cli/src/module/answer.json")),
        ("texts/zh-CN.ftl", include_str!("../../cli/src/module/zh-CN.ftl")),
        ("texts/en.ftl", include_str!("../../cli/src/module/en.ftl")),
        ("scenarios/first.toml", include_str!("../../cli/src/module/first.toml")),
    ];
    files.map(|(path, text)| (path, text.replace("EXAMPLE", "leave"))).into()
});

/// Fuzzes the parsers of one kind: module. The input stands in the place of each file, one after the other; what is still a
/// module tells its story.
pub fn module(data: &[u8]) {
    drop(Folder::decode(data).map(|folder| Module::read(&folder).is_ok()));
    let Ok(text) = std::str::from_utf8(data) else { return };
    for (place, _) in WHOLE.iter() {
        let files = WHOLE.iter().map(|(path, own)| (*path, if path == place { text } else { own }));
        let Ok(folder) = Folder::of(files) else { return };
        match Module::read(&folder) {
            Err(mistakes) => assert!(!mistakes.is_empty()),
            Ok(module) => {
                let story = folder.file("scenarios/first.toml").unwrap_or_default();
                drop(Scenario::read(story).map(|story| story.run(&module, &folder.encode()).is_ok()));
            }
        }
    }
}

/// Fuzzes the parsers of one kind: decision.
pub fn decision(data: &[u8]) {
    if let Ok(record) = Record::decode(data) {
        drop((record.encode(), record.after()));
    }
    let mut replay = Replay::of("a.gov.cn");
    assert!(replay.step(data, &Digest::of(data), None).is_err());
}
