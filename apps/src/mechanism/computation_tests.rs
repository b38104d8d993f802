//! Tax on a year's income, by the table of the text: what is missing, what is not tested, and what may not be asked.

use std::collections::BTreeMap;

use chancery_crypto::{Language, cbor};
use chancery_protocol::FormValue;

use crate::{
    calendar::Calendar,
    civil::Instant,
    folder::Folder,
    formula::Formula,
    kernel::Kernel,
    manifest::{MechanismFault, Mistake, Module, What},
    mechanism::{Computed, NotComputed},
    office::{self, Installed},
    scenario::Scenario,
    state::{MemoryState, Writes},
    value::{Value, Why},
};

const MODULE: &str = "module = \"tax\"\nversion = \"1\"\nlaw = \"个人所得税法\"\nnames = { \"zh-CN\" = \"个税\", en = \"Tax\" }\n[role.taxpayer]\n";
const TABLE: &str = "table = \"annual\"\nkind = \"bracket\"\nlaw = \"3\"\ncolumns = { over = \"money\", rate = \"decimal\", deduct = \"money\" }\n\
 [from.2019-01-01]\nrows = [ { over = 0, rate = \"3%\", deduct = 0 }, { over = 36000, rate = \"10%\", deduct = 2520 } ]\n";
const COMPUTATION: &str = "computation = \"annual-tax\"
law = \"3\"
[in.income]
type = \"money\"
unit = \"yuan\"
[in.withheld]
type = \"money\"
unit = \"yuan\"
[in.donation]
type = \"money\"
unit = \"yuan\"
default = \"yuan(0)\"
[let]
gift = \"min(donation, income * 0.3)\"
base = \"max(income - gift, yuan(0))\"
[out.tax]
is = \"round(bracket('annual', on, base).amount, 'fen', 'half_up')\"
unit = \"fen\"
[out.more]
is = \"tax - withheld\"
unit = \"fen\"
law = \"11\"
[test.edge]
in = { income = 36000, withheld = 0 }
period = 2026-01-01
out = { tax = 1080 }
[test.above]
in = { income = 36001, withheld = 80 }
period = 2026-01-01
out = { tax = \"1080.10\", more = \"1000.10\" }
[test.gift]
in = { income = 10000, donation = 9000 }
period = 2026-01-01
out = { tax = \"209.99\" }
unknown = { more = \"withheld\" }
margin = \"0.01\"
[test.none]
in = { withheld = 5 }
period = 2026-01-01
unknown = { tax = \"income\", more = \"income\" }
";
const CASE: &str = "case = \"return\"\n[state]\ndeclared = { end = true }\n[act.declare]\nto = \"declared\"\nby = [\"taxpayer\"]\n\
 [act.declare.need.some]\nthat = \"calc('annual-tax', date(lodged), { income: doc.income }).tax > yuan(0)\"\nlaw = \"3\"\n\
 [act.declare.set]\ntax = \"calc('annual-tax', date(lodged), { income: doc.income }).tax\"\n";
const FORM: &str = r#"{ "type": "object", "additionalProperties": false, "required": [], "properties": {
 "income": { "type": "string", "x-type": "money", "maxLength": 20 } } }"#;
const TEXTS: &str = "role-taxpayer = T\ncase-return = R\nact-return-declare = A\nstate-return-declared = D\nneed-return-declare-some = 无税\nform-declare = F\n\
 form-declare-income = 收入\ntable-annual = 税率表\ntable-annual-over = O\ntable-annual-rate = R\ntable-annual-deduct = D\n\
 computation-annual-tax = 年税\ncomputation-annual-tax-income = 综合所得\ncomputation-annual-tax-withheld = 已预缴\n\
 computation-annual-tax-donation = 捐赠\ncomputation-annual-tax-gift = 扣除捐赠\ncomputation-annual-tax-base = 应纳税所得额\n\
 computation-annual-tax-tax = 应纳税额\ncomputation-annual-tax-more = 应补\n";

fn folder(change: impl Fn(&str, &str) -> String) -> Folder {
    let files = [
        ("module.toml", MODULE),
        ("tables/annual.toml", TABLE),
        ("computations/annual-tax.toml", COMPUTATION),
        ("cases/return.toml", CASE),
        ("forms/declare.json", FORM),
        ("texts/zh-CN.ftl", TEXTS),
        ("texts/en.ftl", TEXTS),
    ];
    let files = files.map(|(path, text)| (path, change(path, text)));
    Folder::of(files.iter().map(|(path, text)| (*path, text.as_str()))).expect("a folder")
}

fn whole() -> (Folder, Module) {
    let folder = folder(|_, text| text.to_owned());
    let module = Module::read(&folder).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    (folder, module)
}

/// What is wrong when one text of the computation stands for another.
fn mistakes(this: &str, with: &str) -> Vec<Mistake> {
    assert!(COMPUTATION.contains(this), "{this}");
    let folder = folder(|_, text| text.replace(this, with));
    Module::read(&folder).expect_err("a mistake")
}

fn faults(this: &str, with: &str) -> Vec<(usize, MechanismFault)> {
    let faults = mistakes(this, with).into_iter().filter_map(|mistake| match mistake.what {
        What::Mechanism(fault) => {
            assert_eq!(mistake.at.file, "computations/annual-tax.toml");
            for language in [Language::Zh, Language::En] {
                assert!(!fault.say(language).is_empty());
            }
            Some((mistake.at.line, fault))
        }
        _ => None,
    });
    faults.collect()
}

fn state(folder: &Folder, module: &Module) -> MemoryState {
    let installed = Installed {
        digest: module.digest(),
        version: "1".into(),
        since: 0,
        by: String::new(),
        document: String::new(),
        second: None,
    };
    let mut state = MemoryState::default();
    state.apply(&Writes::from([
        (office::folder(&module.digest()), Some(folder.encode())),
        (office::in_force("tax"), Some(cbor::encode(&installed).expect("plain"))),
    ]));
    state
}

fn compute(given: &[(&str, FormValue)]) -> Result<Computed, NotComputed> {
    let (folder, module) = whole();
    let given: BTreeMap<_, _> =
        given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let on = "2026-01-01".parse().expect("a day");
    let state = state(&folder, &module);
    Kernel::default().compute(&state, "tax", "annual-tax", on, &given, Instant(0)).expect("reads")
}

#[test]
fn a_citizen_asks_what_would_be_and_is_told_each_step() {
    let given = [("income", FormValue::Text("36001".into()))];
    let computed = compute(&given).expect("computed");
    assert_eq!(computed.out.get("tax").map(ToString::to_string).as_deref(), Some("1080.10"));
    // What was not given makes unknown what rests on it, by its name, and nothing else.
    let missing = Value::Unknown(Why::Missing("withheld".into()));
    assert_eq!(computed.out.get("more"), Some(&missing));
    let (_, module) = whole();
    let zh = computed.say(&module, Language::Zh).join("\n");
    assert!(zh.contains("应纳税额 = 1080.10 元"), "{zh}");
    assert!(zh.contains("税率表（2019-01-01 起）第 2 行（个人所得税法 3）"), "{zh}");
    assert!(zh.contains("应补 = 未知，因缺少：已预缴"), "{zh}");
    let en = computed.say(&module, Language::En).join("\n");
    assert!(en.contains("unknown, because missing"), "{en}");
    // The base stands before what rests on it.
    let place = |name| computed.steps.iter().position(|step| step.name == name).expect("a step");
    assert!(place("base") < place("tax"));
}

#[test]
fn what_it_does_not_take_is_not_passed_over() {
    let wrong = compute(&[("incom", FormValue::Int(5))]);
    assert_eq!(wrong, Err(NotComputed::Given { name: "incom".into(), wanted: None }));
    let wrong = compute(&[("income", FormValue::Text("12.345".into()))]);
    let Err(NotComputed::Given { wanted: Some(wanted), .. }) = wrong else { panic!("{wrong:?}") };
    assert_eq!(wanted.to_string(), "money");
}

#[test]
fn every_edge_is_tested_on_both_sides() {
    let found = faults(
        "in = { income = 36000, withheld = 0 }",
        "in = { income = 35000, withheld = 0 }\nmargin = \"100\"",
    );
    let edge = MechanismFault::UntestedEdge {
        table: "annual".into(),
        from: "2019-01-01".into(),
        between: ("36000.00".into(), "36000.00".into()),
    };
    assert_eq!(found, [(17, edge)]);
    // Two yuan above the edge is not beside it.
    let found = faults("in = { income = 36001,", "in = { income = 36002,");
    assert!(found.iter().any(|(_, fault)| matches!(fault, MechanismFault::UntestedEdge { .. })));
    // On a day before the table there is nothing to be tested.
    let found = faults(
        "income = 36001, withheld = 80 }\nperiod = 2026-01-01",
        "income = 36001, withheld = 80 }\nperiod = 2018-01-01",
    );
    assert!(found.iter().any(|(_, fault)| matches!(fault, MechanismFault::UntestedEdge { .. })));
}

#[test]
fn each_mistake_is_named_at_its_line() {
    let test = |out: &str, wanted: &str, found: &str| MechanismFault::Test {
        test: "edge".into(),
        out: out.into(),
        wanted: wanted.into(),
        found: found.into(),
    };
    assert_eq!(faults("tax = 1080 }", "tax = 1081 }"), [(26, test("tax", "1081.00", "1080.00"))]);
    let tax = "round(bracket('annual', on, base).amount, 'fen', 'half_up')";
    for unrounded in
        ["bracket('annual', on, base).amount", "round(bracket('annual', on, base).amount, 'fen')"]
    {
        let found = faults(tax, unrounded);
        let out = |out: &str| MechanismFault::Unrounded { out: out.into() };
        assert_eq!(found.iter().filter(|(_, f)| *f == out("tax")).count(), 1, "{found:?}");
        // What rests on it is not rounded either.
        assert!(found.iter().any(|(_, fault)| *fault == out("more")));
    }
    let found = faults("unit = \"fen\"\nlaw = \"11\"", "law = \"11\"");
    assert_eq!(found, [(19, MechanismFault::NoUnit { out: "more".into() })]);
    let found = faults("max(income - gift, yuan(0))", "max(income - gift, balance('a', 'b'))");
    assert!(
        found.contains(&(15, MechanismFault::Impure { function: "balance".into() })),
        "{found:?}"
    );
    let circle = mistakes("min(donation, income * 0.3)", "min(donation, tax)");
    assert!(circle.iter().any(|mistake| matches!(mistake.what, What::Circle(_))));
    let own =
        mistakes("min(donation, income * 0.3)", "calc('annual-tax', on, { income: income }).tax");
    assert!(own.iter().any(|mistake| matches!(mistake.what, What::Circle(_))));
    let twice = mistakes("gift = \"min", "tax = \"min");
    assert!(twice.iter().any(|mistake| mistake.what == What::Twice("tax".into())));
}

#[test]
fn formulas_of_cases_call_it_and_are_held_to_its_inputs() {
    let (folder, module) = whole();
    let story = "scenario = \"C7-3\"\ntitle = \"t\"\nhome = \"a.gov.cn\"\nstart = \"2026-03-02T08:00:00+08:00\"\n\
        [officer.p]\nroles = [\"taxpayer\"]\n\
        [[step]]\nat = \"2026-03-02T09:00:00+08:00\"\nby = \"p\"\nact = \"declare\"\nas = \"r\"\nform = { income = \"36001\" }\nexpect = { set = { tax = \"1080.10\" } }\n\
        [[step]]\nat = \"2026-03-02T09:00:00+08:00\"\nby = \"p\"\nact = \"declare\"\nform = { income = \"0\" }\nrefused = { rule = \"tax/return/declare/some\", says = \"无税\" }\n\
        [[step]]\nat = \"2026-03-02T09:00:00+08:00\"\nby = \"p\"\nact = \"declare\"\nform = { }\nrefused = { rule = \"tax/return/declare/some\", says = \"income\" }\n";
    let told = Scenario::read(story).expect("a story").run(&module, &folder.encode());
    assert!(told.is_ok(), "{told:?}");
    // A name that it does not take, and a kind that it does not.
    for with in ["{ incom: doc.income }", "{ income: 'x' }"] {
        let folder = super::computation_tests::folder(|_, text| {
            text.replace("{ income: doc.income }", with)
        });
        let bad = Module::read(&folder).expect_err("a mistake");
        assert!(bad.iter().any(|m| matches!(m.what, What::Kinds { .. })), "{bad:?}");
    }
}

/// A condition of a case that computes shows the steps of that, and the rows of tables, as its own.
#[test]
fn a_formula_that_computes_is_explained_through() {
    let (folder, module) = whole();
    let (state, kernel, calendar) =
        (state(&folder, &module), Kernel::default(), Calendar::default());
    let case = module.cases.get("return").expect("a case");
    let deciding = kernel.deciding(&module, case, &calendar, "", "", Instant(0), Instant(0));
    let environment = deciding.environment(&state, None, None, Value::None);
    let text = "calc('annual-tax', day(2026, 1, 1), { income: yuan(36001) }).tax == yuan(1080)";
    let explained = Formula::parse(text).expect("a formula").explain(&environment);
    assert_eq!(explained.value, Value::Bool(false));
    let read = explained.read();
    assert!(read.contains(&"annual-tax.base = 36001.00".to_owned()), "{read:?}");
    assert!(read.contains(&"annual-tax.tax = 1080.10".to_owned()), "{read:?}");
    assert!(read.iter().any(|line| line.starts_with("annual 2019-01-01 #2")), "{read:?}");
}

/// A folder that would cost whoever only reads it: tests over long lists, and computations that call each other twice each.
#[test]
fn a_folder_cannot_make_whoever_reads_it_work_without_end() {
    let rows: String = (0..300).map(|_| "{ n = 1 }, ").collect();
    let tests: String = (0..200)
        .map(|n| {
            format!(
                "[test.t{n}]\nin = {{ xs = [{rows}] }}\nperiod = 2026-01-01\nout = {{ a = 300 }}\n"
            )
        })
        .collect();
    let text = format!(
        "computation = \"long\"\nlaw = \"3\"\n[in.xs]\ntype = \"list\"\nof = {{ n = \"int\" }}\nmax = 300\n\
         [out.a]\nis = \"xs.sum(x, xs.sum(y, y.n) / 300)\"\nunit = \"1\"\n{}",
        tests
            .get(..200_000)
            .and_then(|cut| cut.rfind("[test").and_then(|at| cut.get(..at)))
            .unwrap_or(&tests)
    );
    let doubled = |n: usize| {
        let of = match n {
            0 => "1".to_owned(),
            n => format!("calc('d{0}', on, {{}}).a + calc('d{0}', on, {{}}).a", n - 1),
        };
        format!(
            "computation = \"d{n}\"\nlaw = \"3\"\n[out.a]\nis = \"{of}\"\nunit = \"1\"\n[test.t]\nperiod = 2026-01-01\nout = {{ a = 5 }}\n"
        )
    };
    let mut files: Vec<(String, String)> =
        vec![("module.toml".into(), MODULE.into()), ("computations/long.toml".into(), text)];
    files.extend((0..40).map(|n| (format!("computations/d{n}.toml"), doubled(n))));
    let files = files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    let bad = Module::read(&Folder::of(files).expect("a folder")).expect_err("mistakes");
    assert!(
        bad.iter().any(|m| m.what == What::Mechanism(MechanismFault::TestCost)),
        "{:?}",
        bad.len()
    );
}
