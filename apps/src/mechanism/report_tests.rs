//! Licences decided in time: what is stated, what is corrected, what nobody is shown, and who counts what.

use super::seat_tests::{BOOL, DATE, TEXT, changed, end, faults, form, step, tell};
use crate::{
    civil::{Date, Instant},
    kernel::Kernel,
    manifest::MechanismFault as Fault,
    mechanism::statements,
    reading::Reader,
};

const REPORT: &str = "report = \"on-time\"
law = \"82\"
of = \"licence\"
where = \"when.decide <= end(as_of)\"
public = true
least = 5
drill = [\"late\"]
due = \"sheet/monthly\"
[group]
office = \"it.place\"
[measure.rate]
share = \"!it.late\"
[measure.late]
count = \"it.late\"
";

fn files() -> Vec<(&'static str, String)> {
    vec![
        (
            "module.toml",
            "module = \"lic\"\nversion = \"1\"\nlaw = \"行政许可法\"\nnames = { \"zh-CN\" = \"许可\", en = \"Licences\" }\n\
             [role.clerk]\n[role.counter]\n"
                .into(),
        ),
        (
            "cases/licence.toml",
            "case = \"licence\"\n[state]\ndecided = {}\ndone = { end = true }\n\
             [act.decide]\nto = \"decided\"\nby = [\"clerk\"]\nset = { late = \"doc.late\", place = \"doc.place\" }\n\
             [act.correct]\nfrom = \"decided\"\nby = [\"clerk\"]\nset = { late = \"doc.late\" }\n\
             [act.close]\nform = \"correct\"\nfrom = \"decided\"\nto = \"done\"\nby = [\"clerk\"]\n"
                .into(),
        ),
        (
            "cases/sheet.toml",
            "case = \"sheet\"\n[state]\nopen = {}\nmade = { end = true }\n\
             [act.begin]\nto = \"open\"\nby = [\"clerk\", \"counter\"]\n\
             [act.make]\nfrom = \"open\"\nto = \"made\"\nby = [\"clerk\", \"counter\"]\n\
             then.sheet = { report = \"on-time\", as_of = \"doc.on\" }\nthen.own = { report = \"mine\", as_of = \"doc.on\" }\n\
             [due]\nmonthly = { start = \"when.begin\", in = \"30 d\", owes = \"counter\", until = [\"make\"], then = \"breach\", law = \"82\" }\n"
                .into(),
        ),
        ("reports/on-time.toml", REPORT.into()),
        (
            "reports/mine.toml",
            "report = \"mine\"\nlaw = \"82\"\nof = \"licence\"\n[measure.first]\nmin = \"when.decide\"\n".into(),
        ),
        ("forms/decide.json", form(&[("place!", TEXT), ("late!", BOOL)])),
        ("forms/correct.json", form(&[("late!", BOOL)])),
        ("forms/begin.json", form(&[])),
        ("forms/make.json", form(&[("on!", DATE)])),
    ]
}

/// Two hundred decisions, six of them late; a report, a correction, and the report again.
fn story(expect: &str) -> String {
    let mut story = "scenario = \"G7-2\"\ntitle = \"t\"\nhome = \"a.gov.cn\"\nstart = \"2026-03-02T08:00:00+08:00\"\n\
        [officer]\nclerk = { roles = [\"clerk\"] }\ncounter = { roles = [\"counter\"] }\n"
        .to_owned();
    for n in 0..200 {
        let place = match n {
            0..150 => "x",
            150..197 => "y",
            _ => "z",
        };
        let form = format!("as = \"l{n}\"\nform = {{ place = \"{place}\", late = {} }}", n < 6);
        story.push_str(&step("clerk", "licence/decide", &form));
    }
    let on = "form = { on = \"2026-03-31\" }";
    story.push_str(&step("counter", "sheet/begin", "as = \"one\"\nform = {}"));
    story.push_str(&step("counter", "make", &format!("on = \"one\"\n{on}\n[step.expect.shows]\n\
        \"report/on-time/2026-03-31/1/*/rate\" = \"97\"\n\"report/on-time/2026-03-31/1/*/all\" = \"200\"\n\
        \"report/on-time/2026-03-31/1/x/rate\" = \"96\"\n\"report/on-time/2026-03-31/1/z/rate\" = \"suppressed\"\n\
        \"report/on-time/2026-03-31/1/y/all\" = \"suppressed\"\n\"report/on-time/2026-03-31/1/y/late\" = \"suppressed\"\n\
        \"report/mine/2026-03-31/1/*/all\" = \"0\"\n")));
    story.push_str(&step("clerk", "licence/correct", "on = \"l0\"\nform = { late = false }"));
    story.push_str(&step("clerk", "sheet/begin", "as = \"two\"\nform = {}"));
    story.push_str(&step("clerk", "make", &format!("on = \"two\"\n{on}\n[step.expect.shows]\n\
        \"report/on-time/2026-03-31/2/*/rate\" = \"97.5\"\n\"report/on-time/2026-03-31/1/*/rate\" = \"97\"\n\
        \"report/on-time/2026-03-31/2/changes\" = \"4\"\n\"report/mine/2026-03-31/2/*/all\" = \"200\"\n{expect}")));
    story
}

#[test]
fn a_correction_restates_a_report_and_leaves_the_first() {
    let told = tell(&files(), &story(""));
    assert!(told.is_ok(), "{told:?}");
    // The story itself can fail.
    let told = tell(&files(), &story("\"report/on-time/2026-03-31/2/x/late\" = \"6\"\n"));
    assert!(told.expect_err("broken").why.contains("5 and not 6"));
}

#[test]
fn a_statement_names_what_it_is_of_and_leads_to_it_within_permission() {
    let state = end(&files(), &story(""));
    let day: Date = "2026-03-31".parse().expect("a day");
    let all = statements(&state, "lic", "on-time", day).expect("reads");
    let [first, second] = all.as_slice() else { panic!("{}", all.len()) };
    assert_eq!(second.restates, Some(first.digest()));
    assert_eq!((first.edition, first.decisions, second.decisions), (1, 201, 204));
    assert_ne!(first.state, second.state);
    let late =
        second.changes.iter().find(|c| c.figure.as_deref() == Some("late") && c.group == ["x"]);
    let shown = late.map(|change| format!("{:?} {:?}", change.before, change.after));
    assert_eq!(shown.as_deref(), Some("Some(Int(6)) Some(Int(5))"));
    // Anybody may read it, and what counts for one alone is read by him.
    assert!(first.readable(&Reader::Public));
    let own = statements(&state, "lic", "mine", day).expect("reads");
    assert!(
        !own[1].readable(&Reader::Public) && !own[1].readable(&Reader::Named("x@a.gov.cn".into()))
    );
    assert!(own[1].readable(&Reader::Named("clerk@a.gov.cn".into())));
    let drill = |who: &Reader, group: &str| {
        let group = [group.to_owned()];
        let at = Instant(1_800_000_000);
        let found =
            Kernel::default().drill(&state, "lic", "on-time", &group, day, who, "a.gov.cn", at);
        found.expect("reads").expect("it leads there").len()
    };
    assert_eq!(drill(&Reader::Named("clerk@a.gov.cn".into()), "x"), 150);
    for outside in [Reader::Named("counter@a.gov.cn".into()), Reader::Public] {
        assert_eq!((drill(&outside, "x"), drill(&outside, "z")), (0, 0));
    }
}

/// Whoever lets a small group grow for one edition, and another in its place shrink, learns nothing from the two together.
#[test]
fn what_was_hidden_once_stays_hidden() {
    let more =
        (0..60).map(|_| step("clerk", "licence/decide", "form = { place = \"z\", late = false }"));
    let on = "form = { on = \"2026-03-31\" }\n";
    let story = story("")
        + &more.collect::<String>()
        + &step("clerk", "sheet/begin", "as = \"three\"\nform = {}")
        + &step(
            "clerk",
            "make",
            &format!(
                "on = \"three\"\n{on}[step.expect.shows]\n\
            \"report/on-time/2026-03-31/3/z/all\" = \"suppressed\"\n\"report/on-time/2026-03-31/3/y/all\" = \"suppressed\"\n\
            \"report/on-time/2026-03-31/3/*/all\" = \"260\"\n"
            ),
        );
    let told = tell(&files(), &story);
    assert!(told.is_ok(), "{told:?}");
}

#[test]
fn each_mistake_is_named() {
    let path = "reports/on-time.toml";
    let found = |this: &str, with: &str| {
        let all = faults(&changed(&files(), path, this, with));
        all.into_iter().map(|(_, line, fault)| (line, fault)).collect::<Vec<_>>()
    };
    assert_eq!(found("least = 5\n", ""), [(1, Fault::NoLeast)]);
    let shows = Fault::ShowsOne { figure: "late".into() };
    assert_eq!(found("count = \"it.late\"", "min = \"when.decide\""), [(13, shows)]);
    let due = |due: &str| Fault::ReportDue { due: due.into() };
    let other = changed(&files(), "cases/sheet.toml", "owes = \"counter\", ", "");
    assert!(faults(&other).iter().any(|(.., fault)| *fault == due("sheet/monthly")));
    let never = changed(
        &files(),
        "cases/sheet.toml",
        "then.own = { report = \"mine\", as_of = \"doc.on\" }\n",
        "",
    );
    let name = "mine".to_owned();
    assert_eq!(faults(&never), [("reports/mine.toml".into(), 1, Fault::NeverRun { name })]);
    let mut registry = changed(&files(), "reports/mine.toml", "of = \"licence\"", "of = \"list\"");
    registry = changed(&registry, "reports/mine.toml", "when.decide", "it.n");
    registry.push((
        "registries/list.toml",
        "registry = \"list\"\nform = \"number\"\nkey = [\"it.n\"]\n".into(),
    ));
    registry.push(("forms/number.json", form(&[("n!", super::seat_tests::INT)])));
    assert_eq!(faults(&registry), [("reports/mine.toml".into(), 1, Fault::RegistryReport)]);
}

/// Of records, those count that are valid on the day, and what is sealed is in no count and no sum.
#[test]
fn records_count_as_they_are_valid_on_the_day() {
    let files = vec![
        (
            "module.toml",
            "module = \"reg\"\nversion = \"1\"\nlaw = \"条例\"\nnames = { \"zh-CN\" = \"登记\", en = \"Records\" }\n[role.clerk]\n".to_owned(),
        ),
        (
            "cases/entry.toml",
            "case = \"entry\"\n[state]\ndone = { end = true }\n\
             [act.enter]\nform = \"row\"\nto = \"done\"\nby = [\"clerk\"]\nthen.row = { record = \"row\", with = \"doc\" }\n\
             [act.mend]\nform = \"row\"\nto = \"done\"\nby = [\"clerk\"]\nthen.row = { revise = \"row\", with = \"doc\" }\n\
             [act.state]\nform = \"state\"\nto = \"done\"\nby = [\"clerk\"]\nthen.all = { report = \"sums\", as_of = \"doc.on\" }\n"
                .into(),
        ),
        (
            "registries/row.toml",
            "registry = \"row\"\nkey = [\"it.no\"]\nvalid = { from = \"it.since\" }\n[seal.young]\nwhen = \"it.hidden\"\nlaw = \"9\"\n".into(),
        ),
        (
            "reports/sums.toml",
            "report = \"sums\"\nlaw = \"8\"\nof = \"row\"\npublic = true\nleast = 2\n[measure.sum]\nsum = \"it.fee\"\n[measure.large]\ncount = \"it.fee >= yuan(0)\"\n".into(),
        ),
        (
            "forms/row.json",
            form(&[("no!", TEXT), ("since!", DATE), ("hidden!", BOOL), ("fee!", "\"type\": \"string\", \"x-type\": \"money\", \"maxLength\": 20")]),
        ),
        ("forms/state.json", form(&[("on!", DATE)])),
    ];
    let row = |act: &str, no: &str, since: &str, hidden: bool, fee: &str| {
        let form =
            format!("no = \"{no}\", since = \"{since}\", hidden = {hidden}, fee = \"{fee}\"");
        step("clerk", act, &format!("form = {{ {form} }}"))
    };
    let state = |on: &str, edition: u8, all: &str, sum: &str| {
        let path = format!("report/sums/{on}/{edition}/*");
        step(
            "clerk",
            "state",
            &format!(
                "as = \"s{on}{edition}\"\nform = {{ on = \"{on}\" }}\n[step.expect.shows]\n\
            \"{path}/all\" = \"{all}\"\n\"{path}/sum\" = \"{sum}\"\n"
            ),
        )
    };
    let story = "scenario = \"1\"\ntitle = \"t\"\nhome = \"a.gov.cn\"\nstart = \"2026-03-02T08:00:00+08:00\"\n[officer]\nclerk = { roles = [\"clerk\"] }\n"
        .to_owned()
        + &row("enter", "1", "2026-01-01", false, "1.50")
        + &row("enter", "2", "2026-01-01", false, "2")
        + &row("enter", "3", "2027-01-01", false, "4")
        + &row("enter", "4", "2026-01-01", true, "100")
        + &state("2026-06-30", 1, "2", "3.50")
        + &state("2027-06-30", 1, "3", "7.50")
        // Found out later to have been another from the beginning.
        + &row("mend", "1", "2026-01-01", false, "2.50")
        + &state("2026-06-30", 2, "2", "4.50");
    let told = tell(&files, &story);
    assert!(told.is_ok(), "{told:?}");
    // One alone is not stated, and neither is its sum.
    let one = story.split("[[step]]").take(2).collect::<Vec<_>>().join("[[step]]")
        + &state("2026-06-30", 1, "suppressed", "suppressed");
    let told = tell(&files, &one);
    assert!(told.is_ok(), "{told:?}");
}
