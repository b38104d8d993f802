//! Questions to a registry of which not everybody may learn everything.

use std::fmt::Write as _;

use crate::{
    folder::Folder,
    manifest::{Module, What},
    scenario::Scenario,
};

const FILES: [(&str, &str); 6] = [
    (
        "module.toml",
        "module = \"files\"\nversion = \"1\"\nlaw = \"刑事诉讼法\"\nnames = { \"zh-CN\" = \"档案\", en = \"Files\" }\n\
         [role.clerk]\n[role.asker]\n",
    ),
    (
        "cases/entry.toml",
        "case = \"entry\"\n[state]\ndone = { end = true }\n[act.enter]\nform = \"conviction\"\nto = \"done\"\nby = [\"clerk\"]\n\
         then.record = { record = \"conviction\", with = \"doc\" }\n",
    ),
    (
        "registries/conviction.toml",
        "registry = \"conviction\"\nkey = [\"it.no\"]\nsubject = \"it.person\"\n[index]\nperson = \"it.person\"\n\
         [seal.juvenile]\nwhen = \"it.age < 18\"\nopen = \"ask.purpose == 'case'\"\nlaw = \"286\"\n\
         [ask.sheet]\nform = \"question\"\nby = [\"asker\", \"subject\"]\npurpose = [\"case\", \"work\", \"own\"]\n\
         where = \"it.person == ask.person && it.months > 0\"\ngive = [\"no\"]\nlimit = 1\nlaw = \"286\"\n\
         [ask.any]\nform = \"question\"\nby = [\"asker\"]\npurpose = [\"case\", \"work\"]\nwhere = \"it.person == ask.person\"\n\
         give = [\"yes-no\"]\nlaw = \"286\"\n",
    ),
    (
        "forms/conviction.json",
        r#"{ "type": "object", "additionalProperties": false, "required": ["no", "person", "age"], "properties": {
  "no": { "type": "string", "maxLength": 20 }, "person": { "type": "string", "maxLength": 100 },
  "age": { "type": "integer" }, "months": { "type": "integer" } } }"#,
    ),
    (
        "forms/question.json",
        r#"{ "type": "object", "additionalProperties": false, "required": ["person", "purpose"], "properties": {
  "person": { "type": "string", "maxLength": 100 }, "purpose": { "type": "string", "maxLength": 20 } } }"#,
    ),
    ("README.md", "A registry.\n"),
];

fn folder(story: &str) -> Folder {
    let mut texts = [String::new(), String::new()];
    let make = |texts: &[String; 2]| {
        let own = [("texts/zh-CN.ftl", texts[0].as_str()), ("texts/en.ftl", &texts[1])];
        let story = [("scenarios/1.toml", story)];
        Folder::of(FILES.into_iter().chain(own).chain(story)).expect("a folder")
    };
    for mistake in Module::read(&make(&texts)).err().into_iter().flatten() {
        if let What::NoText { name, language } = &mistake.what {
            writeln!(texts[usize::from(*language == "en")], "{name} = x").expect("a text");
        }
    }
    make(&texts)
}

#[test]
fn a_sealed_record_is_as_if_it_were_not_there_and_its_subject_sees_who_looked() {
    let mut story = "scenario = \"1\"\ntitle = \"t\"\nhome = \"a.gov.cn\"\nstart = \"2026-03-02T08:00:00+08:00\"\n[officer]\n\
        clerk = { roles = [\"clerk\"] }\nasker = { roles = [\"asker\"] }\nyoung = {}\nold = {}\n"
        .to_owned();
    let who = |name: &str| format!("{name}@a.gov.cn");
    let mut step = |by: &str, act: &str, form: &str, then: &str| {
        let at = "at = \"2026-03-02T09:00:00+08:00\"";
        let step = format!(
            "[[step]]\n{at}\nby = \"{by}\"\nact = \"{act}\"\nform = {{ {form} }}\n{then}\n"
        );
        story.push_str(&step);
    };
    let record = |no: &str, person: &str, age: u32, more: &str| {
        format!("no = \"{no}\", person = \"{}\", age = {age}{more}", who(person))
    };
    // The young one's record lacks what the condition reads: who may not know of it must not learn that either.
    step("clerk", "entry/enter", &record("1", "young", 17, ""), "");
    step("clerk", "entry/enter", &record("2", "old", 40, ", months = 6"), "");
    step("clerk", "entry/enter", &record("3", "old", 41, ", months = 7"), "");
    let ask = |person: &str, purpose: &str| {
        format!("person = \"{}\", purpose = \"{purpose}\"", who(person))
    };
    step("asker", "conviction/any", &ask("young", "work"), "answer = { yes = false }");
    step("asker", "conviction/any", &ask("nobody", "work"), "answer = { yes = false }");
    step("asker", "conviction/sheet", &ask("young", "work"), "answer = { records = [] }");
    let seen = format!("answer = {{ yes = true, looked_at = [\"{}\"] }}", who("young"));
    step("asker", "conviction/any", &ask("young", "case"), &seen);
    // Whoever may know of it is told that something is missing.
    let refused = "refused = { rule = \"files/conviction/sheet/where\", law = \"刑事诉讼法 286\", says = \"months\" }";
    step("asker", "conviction/sheet", &ask("young", "case"), refused);
    // Of two that match one is given (in the order of their digests), and said to be one of more.
    let one = "answer = { records = [{ no = \"3\" }], more = true }";
    step("asker", "conviction/sheet", &ask("old", "work"), one);
    // Somebody may ask for what is about himself, and for nothing else.
    step("old", "conviction/sheet", &ask("old", "own"), one);
    step("young", "conviction/sheet", &ask("old", "own"), "answer = { records = [] }");
    let refused = "refused = { rule = \"files/conviction/any/by\", law = \"刑事诉讼法 286\" }";
    step("old", "conviction/any", &ask("young", "work"), refused);
    let refused = "refused = { rule = \"files/conviction/sheet/purpose\", says = \"work\" }";
    step("asker", "conviction/sheet", &ask("old", "curiosity"), refused);
    let folder = folder(&story);
    let module = Module::read(&folder).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    let told = Scenario::read(&story).expect("a story").run(&module, &folder.encode());
    assert!(told.is_ok(), "{told:?}");
}
