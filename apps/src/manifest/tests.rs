use super::*;
use crate::{folder::Folder, scenario::Scenario};

fn folder(name: &str) -> Folder {
    Folder::of_this_crate(name)
}

fn mistakes(folder: &Folder) -> Vec<String> {
    match Module::read_with_warnings(folder) {
        Ok((_, warnings)) => warnings,
        Err(mistakes) => mistakes,
    }
    .iter()
    .map(|mistake| {
        format!("{} {}", mistake.what.code(), mistake.say(chancery_crypto::Language::En))
    })
    .collect()
}

#[test]
fn the_stories_of_every_module_come_out_as_they_are_told() {
    for name in ["news", "desk", "licence", "inquiry"] {
        let folder = folder(name);
        assert_eq!(mistakes(&folder), Vec::<String>::new(), "{name}");
        let module = Module::read(&folder).expect("it has no mistake");
        let stories = folder.files().filter(|(path, _)| path.starts_with("scenarios/"));
        let mut count = 0;
        for (path, text) in stories {
            let story = Scenario::read(text).unwrap_or_else(|error| panic!("{path}: {error}"));
            let told = story.run(&module, &folder.encode());
            assert!(told.is_ok(), "{name}/{path}: {told:?}");
            count += 1;
        }
        assert!(count > 0, "{name} has no story");
    }
}

/// The folder of news with a file changed.
fn changed(path: &str, from: &str, to: &str) -> Folder {
    let folder = folder("news");
    let files = folder.files().map(|(name, text)| {
        let text = if name == path {
            assert!(text.contains(from), "{path} has no {from:?}");
            text.replacen(from, to, 1)
        } else {
            text.to_owned()
        };
        (name.to_owned(), text)
    });
    Folder::of(files.collect::<Vec<_>>()).expect("a folder")
}

#[test]
fn each_mistake_is_named_with_its_file_and_line() {
    let case = "cases/item.toml";
    for (path, from, to, code, place) in [
        (case, "case   = \"item\"", "case   = \"item", "no-toml", "cases/item.toml:1"),
        (case, "by   = [\"editor\"]", "bye  = [\"editor\"]", "unknown-key", ":29"),
        (case, "to   = \"first\"", "to   = \"frist\"", "undeclared", "did you mean \"first\""),
        (
            case,
            "by     = [\"reviewer\"]",
            "by     = [\"auditor\"]",
            "undeclared",
            "role \"auditor\"",
        ),
        (
            case,
            "dropped   = { end = true }",
            "dropped   = { end = true }\nlost = {}",
            "unreachable-state",
            "\"lost\"",
        ),
        (case, "dropped   = { end = true }", "dropped   = {}", "stuck", "\"dropped\""),
        (
            case,
            "from = [\"drafting\"]\nto   = \"dropped\"",
            "from = [\"drafting\", \"withdrawn\"]\nto = \"dropped\"",
            "end-left",
            "\"withdrawn\"",
        ),
        (
            case,
            "need.same_column = { that = \"doc.column == it.column\", law = \"6\" }",
            "need.same_column = { that = \"doc.column == it.column\" }",
            "no-law",
            "same_column",
        ),
        (case, "in    = \"3 d\"", "within = \"3 d\"", "due-time", "take_back"),
        (case, "doc.column == it.column", "1 == 1", "constant", "same_column"),
        (case, "doc.column == it.column", "lodged < at", "decided-time", "same_column"),
        (
            case,
            "doc.column == it.column",
            "doc.colum == it.column",
            "kinds",
            "did you mean \"column\"",
        ),
        (case, "doc.column == it.column", "doc.column", "result", "bool"),
        (case, "doc.column == it.column", "doc.column ==", "formula", "a value was expected"),
        (case, "law  = \"site 定时发布\"", "law  = \"web 定时发布\"", "undeclared", "law \"web\""),
        (case, "writer = \"author.draft\"", "writer = \"writer\"", "circle", "writer"),
        (case, "at_most = 1", "at_most = 1.5", "float", ":106"),
        (case, "as  = \"{0}-{n:05}\"", "as  = \"{n:05}\"", "number-pattern", ""),
        (case, "as  = \"{0}-{n:05}\"", "as  = \"{0}-{n:05\"", "number-pattern", ""),
        (case, "as  = \"{0}-{n:05}\"", "as  = \"{0}-{n:}\"", "number-pattern", ""),
        (case, "as  = \"{0}-{n:05}\"", "as  = \"{0}-{1}-{n}\"", "number-pattern", ""),
        (case, "as  = \"{0}-{n:05}\"", "as  = \"{0}-{n}-{n}\"", "number-pattern", ""),
        (case, "as  = \"{0}-{n:05}\"", "as  = \"{0}}-{n}\"", "number-pattern", ""),
        (case, "as  = \"{0}-{n:05}\"", "as  = \"{0}-{n:099}\"", "number-pattern", ""),
        (case, "then = \"appear\"", "then = \"submit\"", "undeclared", "inner act"),
        (case, "number = \"no\"", "number = \"nr\"", "undeclared", "number"),
        (case, "from = [\"\", \"drafting\"]", "from = [\"drafting\"]", "never-opened", ""),
        (
            "forms/article.json",
            "\"maxLength\": 200 }",
            "\"minLength\": 0 }",
            "unbounded",
            "\"source\"",
        ),
        (
            "forms/article.json",
            "\"type\": \"string\", \"maxLength\": 200",
            "\"type\": \"number\"",
            "float-field",
            ":10",
        ),
        (
            "forms/article.json",
            "doc.column == 'penalty'",
            "doc.columns == 'penalty'",
            "kinds",
            "forms/article.json:11",
        ),
        (
            "forms/article.json",
            "\"additionalProperties\": false",
            "\"title\": \"x\"",
            "no-schema",
            "additionalProperties",
        ),
        ("forms/article.json", "\"text\"]", "\"txt\"]", "undeclared", "field \"txt\""),
        (
            "forms/article.json",
            "\"maxLength\": 200 }",
            "\"maxLenght\": 200, \"maxLength\": 200 }",
            "keyword",
            "article.json:10: forms have no keyword \"maxLenght\"; did you mean \"maxLength\"?",
        ),
        (
            "forms/article.json",
            "\"required\": [",
            "\"maxLength\": 5,\n  \"required\": [",
            "keyword-place",
            "article.json:5",
        ),
        (
            "forms/article.json",
            "\"x-type\": \"instant\", \"maxLength\": 25",
            "\"x-unit\": \"day\", \"maxLength\": 25",
            "clash",
            "article.json:12",
        ),
        (
            "forms/article.json",
            "\"x-type\": \"instant\", \"maxLength\": 25",
            "\"maxLength\": 25, \"maxLength\": 26",
            "key-twice",
            "article.json:12",
        ),
        (
            "forms/article.json",
            "[\"work\", \"notice\", \"penalty\"]",
            "[\"work\", \"notice\", \"penalty\", \"work\"]",
            "repeated",
            "article.json:8",
        ),
        (
            "forms/article.json",
            "\"source\": {",
            "\"head_line\": { \"type\": \"boolean\" }, \"head-line\": {",
            "alike",
            "article.json:10",
        ),
        (
            "forms/article.json",
            "\"maxLength\": 20000",
            "\"maxLength\": 70000",
            "bound ",
            "article.json:9",
        ),
        (
            "forms/article.json",
            "\"minLength\": 1, \"maxLength\": 20000",
            "\"minLength\": 9, \"maxLength\": 8",
            "bounds",
            "article.json:9",
        ),
        (
            "forms/article.json",
            "\"maxLength\": 200 }",
            "\"maxLength\": 2, \"default\": \"abc\" }",
            "unfit",
            "article.json:10",
        ),
        (
            "forms/article.json",
            "\"x-visible\": \"doc.column == 'penalty'\"",
            "\"x-visible\": \"1 == 1\"",
            "field-constant",
            "article.json:11",
        ),
        (
            "forms/article.json",
            "\"x-visible\": \"doc.column == 'penalty'\"",
            "\"x-visible\": \"has(doc.decision)\"",
            "field-itself",
            "article.json:11",
        ),
        (
            "forms/article.json",
            "\"text\"]",
            "\"text\", \"decision\"]",
            "field-always",
            "article.json:11",
        ),
        (
            "forms/article.json",
            "\"maxLength\": 200 }",
            "\"maxLength\": 200, \"title\": \"a\u{202e}b\" }",
            "hidden",
            "article.json:10",
        ),
        (
            "texts/en.ftl",
            "state-item-first = ",
            "state-item-frist = ",
            "no-text",
            "state-item-first",
        ),
        ("texts/zh-CN.ftl", "act-item-drop = 不予采用", "act-item-drop", "text-line", ":20"),
        ("module.toml", "[role.editor]", "[role.editor]\n[role.guest]", "unused-role", "guest"),
        ("module.toml", "count   = \"penalty\"", "count   = \"penalties\"", "word", ""),
        ("module.toml", "module  = \"news\"", "module  = \"News\"", "name", "module.toml"),
    ] {
        let found = mistakes(&changed(path, from, to));
        let is = found.iter().any(|mistake| mistake.starts_with(code) && mistake.contains(place));
        assert!(is, "{to:?} is to give {code} with {place:?}: {found:#?}");
    }
}

#[test]
fn what_effects_and_mechanisms_name_is_there() {
    let desk = |path: &str, from: &str, to: &str| {
        let files = folder("desk");
        let files = files.files().map(|(name, text)| {
            assert!(name != path || text.contains(from), "{path} has no {from:?}");
            let text = if name == path { text.replacen(from, to, 1) } else { text.to_owned() };
            (name.to_owned(), text)
        });
        mistakes(&Folder::of(files.collect::<Vec<_>>()).expect("a folder"))
    };
    for (path, from, to, code, place) in [
        (
            "cases/leave.toml",
            "things('leave', 'applicant'",
            "things('leave', 'aplicant'",
            "undeclared",
            "aplicant",
        ),
        ("cases/leave.toml", "things('leave'", "things('leaves'", "undeclared", "leaves"),
        (
            "cases/year.toml",
            "balance('leave', 'open'",
            "balance('leave', 'opne'",
            "undeclared",
            "opne",
        ),
        ("cases/year.toml", "from = \"granted\"", "from = \"grant\"", "undeclared", "grant"),
        (
            "cases/year.toml",
            "person = \"doc.person\", year = \"doc.year\" }, from",
            "person = \"doc.person\" }, from",
            "missing-key",
            "of.year",
        ),
        ("cases/car.toml", "book = \"car\", of", "book = \"cars\", of", "undeclared", "cars"),
        ("cases/asset.toml", "open = \"handover\"", "open = \"leave\"", "undeclared", "child case"),
        (
            "cases/asset.toml",
            "seats = \"doc.seats\" }",
            "seat = \"doc.seats\" }",
            "undeclared",
            "\"seat\"",
        ),
        (
            "cases/handover.toml",
            "tell = \"asset/all_signed\"",
            "tell = \"asset/finish\"",
            "undeclared",
            "finish",
        ),
        ("accounts/leave.toml", "held >= 0", "open >= 0", "no-limit", "held"),
        ("registries/vehicle.toml", "it.kind == ask.kind", "it.seats == 4", "no-index", "it.seats"),
        (
            "registries/vehicle.toml",
            "give    = [\"plate\"",
            "give    = [\"plates\"",
            "undeclared",
            "plates",
        ),
        ("bookings/car.toml", "find('vehicle'", "find('vehicles'", "undeclared", "vehicles"),
    ] {
        let found = desk(path, from, to);
        let is = found.iter().filter(|one| one.starts_with(code) && one.contains(place)).count();
        assert_eq!(is, 1, "{to:?} is to give {code} with {place:?} once: {found:#?}");
    }
}
