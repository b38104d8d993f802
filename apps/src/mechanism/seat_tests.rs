//! Small modules by which mechanisms are tried, with the texts that they lack.

use std::fmt::Write as _;

use chancery_crypto::Language;

use crate::{
    folder::Folder,
    manifest::{MechanismFault, Module, What},
    scenario::{Broken, Scenario, Told},
    state::MemoryState,
};

/// A folder of these files, with a text for each that is missing.
pub(super) fn folder(files: &[(&str, String)]) -> Folder {
    let make = |texts: &[String; 2]| {
        let own = [("texts/zh-CN.ftl", texts[0].clone()), ("texts/en.ftl", texts[1].clone())];
        Folder::of(files.iter().cloned().chain(own)).expect("a folder")
    };
    let mut texts = [String::new(), String::new()];
    for mistake in Module::read(&make(&texts)).err().into_iter().flatten() {
        if let What::NoText { name, language } = &mistake.what {
            writeln!(texts[usize::from(*language == "en")], "{name} = x").expect("a text");
        }
    }
    make(&texts)
}

/// A module without a mistake.
pub(super) fn module(files: &[(&str, String)]) -> (Folder, Module) {
    let folder = folder(files);
    let module = Module::read(&folder).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    (folder, module)
}

/// The faults of a module's mechanisms, each with its file and line, and with sentences in both languages.
pub(super) fn faults(files: &[(&str, String)]) -> Vec<(String, usize, MechanismFault)> {
    let mistakes = Module::read(&folder(files)).err().unwrap_or_default();
    let each = mistakes.into_iter().filter_map(|mistake| match mistake.what {
        What::Mechanism(fault) => {
            assert_ne!(fault.say(Language::Zh), fault.say(Language::En));
            Some((mistake.at.file, mistake.at.line, fault))
        }
        _ => None,
    });
    each.collect()
}

/// These files with one text for another in one of them.
pub(super) fn changed<'f>(
    files: &[(&'f str, String)],
    path: &str,
    this: &str,
    with: &str,
) -> Vec<(&'f str, String)> {
    let (mut files, mut found) = (files.to_vec(), false);
    for (known, text) in &mut files {
        if *known == path {
            found = text.contains(this);
            *text = text.replacen(this, with, 1);
        }
    }
    assert!(found, "{path}: {this}");
    files
}

pub(super) fn tell(files: &[(&str, String)], story: &str) -> Result<Told, Broken> {
    let (folder, module) = module(files);
    Scenario::read(story).unwrap_or_else(|e| panic!("{e}")).run(&module, &folder.encode())
}

/// The state at the end of a story.
pub(super) fn end(files: &[(&str, String)], story: &str) -> MemoryState {
    let (folder, module) = module(files);
    let story = Scenario::read(story).unwrap_or_else(|e| panic!("{e}"));
    story.end(&module, &folder.encode()).unwrap_or_else(|broken| panic!("{broken:?}"))
}

/// A form of these fields, each with the keywords that it has; those that end in `!` must be filled in.
pub(super) fn form(fields: &[(&str, &str)]) -> String {
    let must = fields.iter().filter_map(|(name, _)| name.strip_suffix('!'));
    let must = must.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    let each =
        fields.iter().map(|(name, of)| format!("\"{}\": {{ {of} }}", name.trim_end_matches('!')));
    let each = each.collect::<Vec<_>>().join(",\n");
    format!(
        "{{ \"type\": \"object\", \"additionalProperties\": false, \"required\": [{must}], \"properties\": {{\n{each} }} }}"
    )
}

pub(super) const TEXT: &str = "\"type\": \"string\", \"maxLength\": 40";
pub(super) const INT: &str = "\"type\": \"integer\"";
pub(super) const BOOL: &str = "\"type\": \"boolean\"";
pub(super) const DATE: &str = "\"type\": \"string\", \"format\": \"date\", \"maxLength\": 10";

/// A step of a story.
pub(super) fn step(by: &str, act: &str, more: &str) -> String {
    format!(
        "[[step]]\nat = \"2026-03-02T09:00:00+08:00\"\nby = \"{by}\"\nact = \"{act}\"\n{more}\n"
    )
}
