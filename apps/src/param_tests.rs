//! Parameters and variants.

use crate::{
    Folder, Module, Refusal,
    versions_tests::{Bench, mistakes, news, text, with},
};

const PARAMS: &str = r#"
[param.most]
type = "int"
default = 10
min = 1
max = 100
law = "7"
[param.quick]
type = "bool"
default = false
law = "site 8"
"#;

fn varied() -> Folder {
    let module = news().file("module.toml").expect("it").to_owned() + PARAMS;
    let item = "cases/item.toml";
    let texts = "\nparam-most = x\nparam-quick = x\nvariant-plain = x\nvariant-penal = x\nneed-item-draft-short = x\n";
    let files = news();
    let files = files.files().map(|(path, text)| {
        let text = match path {
            "module.toml" => module.clone(),
            "texts/en.ftl" | "texts/zh-CN.ftl" => format!("{text}{texts}"),
            path if path == item => text.replace(
                "[act.submit]",
                "[act.draft.need.short]\nthat = \"size(doc.headline) <= param.most\"\nlaw = \"param.most\"\n[act.submit]",
            ),
            _ => text.to_owned(),
        };
        (path.to_owned(), text)
    });
    let variants = [
        (
            "variants/plain.toml",
            "variant = \"plain\"\nwhen = \"doc.column != 'penalty'\"\nlaw = \"7\"\n",
        ),
        (
            "variants/penal.toml",
            "variant = \"penal\"\nwhen = \"doc.column == 'penalty'\"\nlaw = \"penalty 48\"\n[param]\nmost = 4\n",
        ),
    ];
    let stories = files.filter(|(path, _)| !path.starts_with("scenarios/"));
    let all = stories.chain(variants.map(|(path, text)| (path.to_owned(), text.to_owned())));
    Folder::of(all).expect("a folder")
}

#[test]
fn parameters_are_fixed_by_the_one_variant_that_matches_when_a_thing_opens() {
    let folder = varied();
    assert_eq!(mistakes(&folder), Vec::<String>::new());
    let mut bench = Bench::new();
    bench.install(&folder, None, &["root"]).expect("is installed");
    bench.appoint("wang", "editor", "news");
    let mut draft = |headline: &str, column: &str| {
        let decision = (column == "penalty").then(|| ("decision", text("1号")));
        let form = [("headline", text(headline)), ("column", text(column)), ("text", text("……"))];
        let form: Vec<_> = form.into_iter().chain(decision).collect();
        bench.file(("news", "article", "item/draft"), None, &form, None, &["wang"])
    };
    let long = Err(Refusal::Need { say: "need-item-draft-short".into() });
    assert_eq!(draft("五个字标题", "penalty"), long);
    let plain = draft("五个字标题", "work").expect("is short enough").thing;
    let penal = draft("四字标题", "penalty").expect("is short enough").thing;
    assert_eq!(draft("一二三四五六七八九十一", "work"), long);
    let (plain, penal) = (bench.thing(&plain), bench.thing(&penal));
    assert_eq!((plain.variant.as_str(), penal.variant.as_str()), ("plain", "penal"));
    assert_eq!(plain.params["most"], crate::Value::Int(10));
    assert_eq!(penal.params["most"], crate::Value::Int(4));
    let module = Module::read(&folder).expect("it is sound");
    assert_eq!(module.cite("param.quick"), "政府网站发展指引 8");
}

#[test]
fn a_thing_of_no_variant_or_of_two_is_refused_and_the_checker_says_so_before() {
    let both = with(
        &varied(),
        &[("variants/plain.toml", "doc.column != 'penalty'", "doc.column != 'work'")],
    );
    let found = mistakes(&both);
    assert!(found.iter().any(|one| one.starts_with("variant-gap variants/")), "{found:#?}");
    assert!(found.iter().any(|one| one.starts_with("variant-overlap variants/")), "{found:#?}");
    let mut bench = Bench::new();
    bench.install(&both, None, &["root"]).expect("is installed");
    bench.appoint("wang", "editor", "news");
    let mut draft = |column: &str| {
        let form = [
            ("headline", text("题")),
            ("column", text(column)),
            ("text", text("……")),
            ("decision", text("1号")),
        ];
        let fields = if column == "penalty" { 4 } else { 3 };
        bench.file(("news", "article", "item/draft"), None, &form[..fields], None, &["wang"])
    };
    assert_eq!(draft("work"), Err(Refusal::Variant { matching: Vec::new() }));
    let two = vec!["penal".to_owned(), "plain".to_owned()];
    assert_eq!(draft("penalty"), Err(Refusal::Variant { matching: two }));
    draft("notice").expect("is of one");
    for (path, from, to, code) in [
        ("variants/penal.toml", "most = 4", "most = 400", "param-range"),
        ("variants/penal.toml", "most = 4", "mst = 4", "undeclared"),
        ("variants/penal.toml", "most = 4", "most = \"4\"", "kind"),
        ("variants/penal.toml", "doc.column", "doc.colum", "kinds"),
        ("variants/penal.toml", "law = \"penalty 48\"", "", "no-law"),
        ("module.toml", "default = 10\n", "", "no-param"),
        ("module.toml", "default = 10\n", "default = 0\n", "param-range"),
        ("module.toml", "law = \"7\"", "", "no-law"),
        ("cases/item.toml", "param.most\"\nlaw", "param.mst\"\nlaw", "kinds"),
        ("cases/item.toml", "law = \"param.most\"", "law = \"param.mst\"", "undeclared"),
        // With the headline as short as that, nothing is ever opened.
        (
            "cases/item.toml",
            "size(doc.headline) <= param.most",
            "param.most > 4 && size(doc.headline) > 0",
            "variant-never",
        ),
    ] {
        let found = mistakes(&with(&varied(), &[(path, from, to)]));
        assert!(found.iter().any(|one| one.starts_with(code)), "{code}: {found:#?}");
    }
}
