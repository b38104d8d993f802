//! School places: by wishes and points, the same in whatever order the rows come, and without what nobody may look at.

use super::seat_tests::{INT, TEXT, changed, end, faults, form, step, tell};
use crate::{manifest::MechanismFault as Fault, mechanism::matches, state::State};

const MATCHING: &str = "matching = \"places\"
law = \"12\"
left = \"application\"
right = \"school\"
known_by = { left = \"left.no\", right = \"right.code\" }
prefer = \"left.choices\"
capacity = \"right.places\"
tie = \"left.lot\"
rounds = 2
forbid = [\"sex\", \"nation\"]
[must.age]
that = \"left.age >= right.least\"
law = \"12\"
[score.near]
is = \"left.points\"
law = \"13\"
";

fn files() -> Vec<(&'static str, String)> {
    vec![
        (
            "module.toml",
            "module = \"edu\"\nversion = \"1\"\nlaw = \"义务教育法\"\nnames = { \"zh-CN\" = \"入学\", en = \"Schools\" }\n[role.clerk]\n".into(),
        ),
        (
            "cases/pool.toml",
            "case = \"pool\"\n[state]\nopen = {}\ndone = { end = true }\n\
             [act.begin]\nto = \"open\"\nby = [\"clerk\"]\n\
             [act.match]\nform = \"begin\"\nfrom = \"open\"\nby = [\"clerk\"]\nthen.go = { match = \"places\" }\n\
             [act.end]\nform = \"begin\"\nfrom = \"open\"\nto = \"done\"\nby = [\"clerk\"]\n"
                .into(),
        ),
        (
            "cases/application.toml",
            "case = \"application\"\nparent = \"pool\"\n[state]\nin = {}\nplaced = { end = true }\n\
             [act.apply]\nto = \"in\"\nby = [\"clerk\"]\n[act.apply.set]\nno = \"doc.no\"\nage = \"doc.age\"\n\
             choices = \"doc.choices\"\nlot = \"doc.lot\"\npoints = \"doc.points\"\n\
             [act.take]\nform = \"begin\"\nfrom = \"in\"\nto = \"placed\"\nby = [\"clerk\"]\n\
             need.placed = { that = \"matched('places', parent.id, it.id) == 'n'\", law = \"12\" }\n"
                .into(),
        ),
        (
            "cases/school.toml",
            "case = \"school\"\nparent = \"pool\"\n[state]\non = {}\noff = { end = true }\n\
             [act.offer]\nto = \"on\"\nby = [\"clerk\"]\nset = { code = \"doc.code\", places = \"doc.places\", least = \"doc.least\" }\n\
             [act.shut]\nform = \"begin\"\nfrom = \"on\"\nto = \"off\"\nby = [\"clerk\"]\n"
                .into(),
        ),
        ("matchings/places.toml", MATCHING.into()),
        (
            "forms/apply.json",
            form(&[
                ("no!", TEXT), ("age!", INT), ("lot!", INT), ("points!", INT), ("sex", TEXT), ("nation", TEXT),
                ("choices!", "\"type\": \"array\", \"maxItems\": 5, \"items\": { \"type\": \"string\", \"maxLength\": 9 }"),
            ]),
        ),
        ("forms/offer.json", form(&[("code!", TEXT), ("places!", INT), ("least!", INT)])),
        ("forms/begin.json", form(&[])),
    ]
}

/// Rows of the two sides, in an order.
fn story(order: &[usize], after: &str) -> String {
    let apply = |no: &str, points: u32, lot: u32, age: u32, choices: &str| {
        let form = format!(
            "no = \"{no}\", points = {points}, lot = {lot}, age = {age}, choices = [{choices}], sex = \"f\""
        );
        step(
            "clerk",
            "application/apply",
            &format!("on = \"p\"\nas = \"{no}\"\nform = {{ {form} }}"),
        )
    };
    let offer = |code: &str, places: u32| {
        let form = format!("code = \"{code}\", places = {places}, least = 6");
        step("clerk", "school/offer", &format!("on = \"p\"\nform = {{ {form} }}"))
    };
    let rows = [
        apply("a", 10, 3, 7, "\"n\", \"s\""),
        apply("b", 10, 1, 7, "\"n\", \"s\""),
        apply("c", 30, 2, 7, "\"s\", \"n\""),
        apply("d", 20, 4, 7, "\"s\""),
        apply("e", 99, 5, 5, "\"n\""),
        offer("n", 1),
        offer("s", 1),
    ];
    let rows: String = order.iter().map(|place| rows[*place].as_str()).collect();
    "scenario = \"C1-2\"\ntitle = \"t\"\nhome = \"a.gov.cn\"\nstart = \"2026-03-02T08:00:00+08:00\"\n[officer]\nclerk = { roles = [\"clerk\"] }\n"
        .to_owned()
        + &step("clerk", "pool/begin", "as = \"p\"\nform = {}")
        + &rows
        + &step("clerk", "match", "on = \"p\"\nform = {}\n[step.expect.shows]\n\
            \"match/places/b\" = \"n\"\n\"match/places/b/near\" = \"10\"\n\"match/places/c\" = \"s\"\n\
            \"match/places/a/why\" = \"full 2\"\n\"match/places/d/why\" = \"full 1\"\n\"match/places/e/why\" = \"must/age 1\"\n")
        + after
}

#[test]
fn a_pool_is_matched_the_same_in_whatever_order_its_rows_come() {
    let after = step("clerk", "take", "on = \"a\"\nform = {}\nrefused = { rule = \"edu/application/take/placed\" }")
        + &step("clerk", "take", "on = \"b\"\nform = {}\nexpect = { state = \"placed\" }")
        // A place that came free later goes to whoever is left; who has one keeps it.
        + &step("clerk", "school/offer", "on = \"p\"\nform = { code = \"t\", places = 9, least = 6 }")
        + &step("clerk", "match", "on = \"p\"\nform = {}\n[step.expect.shows]\n\"match/places/b\" = \"n\"\n\"match/places/a/why\" = \"full 2\"\n")
        + &step("clerk", "match", "on = \"p\"\nform = {}\nrefused = { rule = \"edu/pool/match/go\", law = \"义务教育法 12\" }");
    let mut seen = Vec::new();
    for order in [[0, 1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1, 0], [3, 6, 0, 4, 5, 2, 1]] {
        let story = story(&order, &after);
        let told = tell(&files(), &story);
        assert!(told.is_ok(), "{order:?} {told:?}");
        let state = end(&files(), &story);
        let things = crate::Key::new(crate::Family::Thing, "edu").name("pool");
        let pool = state.scan(&things, "", 2).expect("reads")[0].0.id.clone();
        let all = matches(&state, "edu", "places", &pool).expect("reads");
        // By names, since each row is called by the document that opened it.
        let pairs = all.into_iter().flat_map(|one| one.pairs);
        seen.push(pairs.map(|pair| (pair.left.1, pair.right.1, pair.scores)).collect::<Vec<_>>());
    }
    assert!(!seen[0].is_empty() && seen.iter().all(|one| *one == seen[0]), "{seen:?}");
}

#[test]
fn two_of_one_name_are_not_matched() {
    let twice =
        step("clerk", "school/offer", "on = \"p\"\nform = { code = \"n\", places = 9, least = 6 }")
            + &step(
                "clerk",
                "match",
                "on = \"p\"\nform = {}\nrefused = { rule = \"edu/pool/match/go\", says = \"n\" }",
            );
    let told = tell(&files(), &story(&[0, 1, 2, 3, 4, 5, 6], &twice));
    assert!(told.is_ok(), "{told:?}");
}

/// Ways on which a forbidden attribute would come in by another name.
#[test]
fn what_is_forbidden_comes_in_on_no_way() {
    let (matching, case) = ("matchings/places.toml", "cases/application.toml");
    let points = "points = \"doc.points\"\n";
    let named = |name: &str| {
        changed(&files(), matching, "is = \"left.points\"", &format!("is = \"{name}\""))
    };
    let with = |files: &[(&'static str, String)], set: &str| {
        changed(files, case, points, &format!("{points}{set}\n"))
    };
    let forbidden = |files: &[(&str, String)]| {
        let found = faults(files);
        found.iter().find_map(|(file, _, fault)| match fault {
            Fault::Forbidden { attribute, way } if file == matching => {
                Some((attribute.clone(), way.join(" -> ")))
            }
            _ => None,
        })
    };
    assert_eq!(forbidden(&files()), None);
    let bonus = named("left.points + left.bonus");
    let way = forbidden(&with(&bonus, "bonus = \"doc.sex == 'm' ? 5 : 0\"")).expect("forbidden");
    assert_eq!(way.0, "sex");
    assert!(way.1.contains("application.bonus -> doc.sex"), "{}", way.1);
    // Through a name, through another field, through the whole form, and through what is given to an inner act.
    let named_let = changed(
        &with(&bonus, "bonus = \"extra\""),
        case,
        "[state]",
        "[let]\nextra = \"filed.apply.nation == 'x' ? 1 : 0\"\n[state]",
    );
    assert!(forbidden(&named_let).is_some());
    assert!(
        forbidden(&with(
            &bonus,
            "first = \"doc.sex\"\nbonus = \"has(it.first) && it.first == 'm' ? 1 : 0\""
        ))
        .is_some()
    );
    let whole = with(&named("size(digest(left.all)) + left.points"), "all = \"doc\"");
    assert!(forbidden(&whole).is_some());
    let picked = with(&named("left.all[left.no] == 'm' ? 1 : 0"), "all = \"doc\"");
    assert!(forbidden(&picked).is_some());
    let title =
        changed(&named("size(left.title)"), case, "[state]", "title = \"doc.sex\"\n[state]");
    let title = changed(
        &title,
        case,
        "title = \"doc.sex\"\n[state]",
        "title = \"filed.apply.sex\"\n[state]",
    );
    assert!(forbidden(&title).is_some());
    let told = with(&bonus, "bonus = \"0\"");
    let told = changed(
        &told,
        case,
        "[act.take]",
        "[act.mark]\ninner = true\nform = \"mark\"\nfrom = \"in\"\nset = { bonus = \"doc.n\" }\n[act.take]",
    );
    let mut told = changed(
        &told,
        case,
        "[act.take]",
        "[act.note]\nform = \"begin\"\nfrom = \"in\"\nby = [\"clerk\"]\nthen.mark = { tell = \"application/mark\", on = \"it.id\", with = { n = \"filed.apply.sex == 'm' ? 1 : 0\" } }\n[act.take]",
    );
    told.push(("forms/mark.json", form(&[("n!", INT)])));
    assert!(forbidden(&told).is_some(), "{:?}", faults(&told));
    // What there is nowhere is not forbidden, but mistaken.
    let nothing = changed(&files(), matching, "\"nation\"", "\"nations\"");
    let attribute = "nations".to_owned();
    assert_eq!(faults(&nothing), [(matching.into(), 1, Fault::ForbidsNothing { attribute })]);
}

#[test]
fn sides_are_children_of_the_pool() {
    let other = changed(&files(), "cases/school.toml", "parent = \"pool\"\n", "");
    let fault = Fault::OtherParent { side: "school".into(), of: "pool".into() };
    assert!(
        faults(&other).iter().any(|(file, _, found)| file == "cases/pool.toml" && *found == fault)
    );
}
