//! Tables as decisions ask them: filed by an officer, known since then, and said in records.

use std::collections::BTreeMap;

use chancery_certs::AgencyName;
use chancery_crypto::{Digest, cbor};
use chancery_protocol::{DocumentHeader, DocumentId, Filing, FormValue, Part, Urgency};

use crate::{
    Applied, Coming, Document, Facts, Input, Instant, Kernel, MemoryState, Module, Outcome, Record,
    Refusal, Replay, Salt, Signer, TABLE_MEDIA_TYPE, Thing, filed_tables,
    office::{self, APPOINTER, Appointment, Installed, KEEPER, OFFICE},
    state::{Family, Key, State, Writes},
    table_tests::{folder, whole},
};

const HOME: &str = "tax.gov.cn";

/// An office that decides, and everything that it has decided.
struct Office {
    kernel: Kernel,
    first: MemoryState,
    state: MemoryState,
    made: Vec<(Record, Digest, Option<Document>)>,
}

impl Office {
    fn new() -> Self {
        Self::of(&whole())
    }

    fn of(folder: &crate::Folder) -> Self {
        let module = Module::read(folder).expect("it has no mistake");
        let mut writes = Writes::new();
        let plain = |value: &Installed| cbor::encode(value).expect("plain");
        let (digest, version) = (module.digest(), module.version().to_owned());
        let (by, document) = Default::default();
        let installed = Installed { digest, version, since: 0, by, document, second: None };
        writes.insert(office::folder(&digest), Some(folder.encode()));
        writes.insert(office::in_force(module.name()), Some(plain(&installed)));
        for (module, role) in [(OFFICE, KEEPER), (OFFICE, APPOINTER), ("tax", "clerk")] {
            let held = Appointment { from: 0, until: None, document: String::new() };
            let who = format!("li@{HOME}");
            let key = Key::new(Family::Appointment, module).name(role).value(&who);
            writes.insert(key, Some(cbor::encode(&held).expect("plain")));
        }
        let mut state = MemoryState::default();
        state.apply(&writes);
        Self { kernel: Kernel::default(), first: state.clone(), state, made: Vec::new() }
    }

    fn decide(
        &mut self,
        (module, act, kind): (&str, &str, &str),
        about: Option<String>,
        form: &[(&str, FormValue)],
        part: Option<(&str, &[u8])>,
        by: &str,
    ) -> Record {
        let at = 1_770_000_000 + 60 * i64::try_from(self.made.len()).expect("a few");
        let agency: AgencyName = HOME.parse().expect("a name");
        let part_of = |(media_type, bytes): (&str, &[u8])| Part {
            name: "part".into(),
            media_type: media_type.into(),
            size: bytes.len() as u64,
            digest: Digest::of(bytes),
        };
        let filing = Filing {
            home: agency.clone(),
            act: act.into(),
            about,
            seen: None,
            reason: None,
            version: None,
            until: at + 100,
            behalf: None,
        };
        let header = DocumentHeader {
            kind: kind.into(),
            number: None,
            title: "x".into(),
            from: agency,
            to: Vec::new(),
            cc: Vec::new(),
            classification: None,
            secrecy_period: None,
            urgency: Urgency::Routine,
            created: at,
            deadline: None,
            in_reply_to: None,
            module: module.into(),
            fields: BTreeMap::new(),
            crit: Vec::new(),
            filing: Some(filing),
            form: form.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            parts: part.map(part_of).into_iter().collect(),
            nonce: Digest::of(&at.to_be_bytes()),
        };
        let id = Digest::of(&cbor::encode(&header).expect("plain"));
        let document = Document {
            id: DocumentId::from_slice(id.as_bytes()).expect("an id"),
            header,
            signers: vec![Signer { name: format!("{by}@{HOME}"), agency: HOME.into() }],
            part: part.map(|(_, bytes)| bytes.to_vec()),
        };
        let mut input = Input {
            at: Instant(at),
            lodged: Instant(at),
            home: HOME.into(),
            salt: Salt::Fresh(id),
            facts: Facts::default(),
            document,
        };
        input.facts.form = self.kernel.judge_form(&self.state, &input).expect("reads");
        let decisions = self.kernel.decide(&self.state, &input).expect("reads");
        let [decision] = decisions.as_slice() else { panic!("{decisions:?}") };
        self.state.apply(&decision.writes);
        self.made.push((decision.record.clone(), decision.salt, Some(input.document)));
        decision.record.clone()
    }

    fn file(&mut self, table: &str, text: &str, rank: Option<i64>, by: &str) -> Record {
        let text_of = |text: String| FormValue::Text(text);
        let mut form = vec![
            ("of", text_of("tax".into())),
            ("table", text_of(table.into())),
            ("digest", text_of(Digest::of(text.as_bytes()).to_string())),
        ];
        if let Some(rank) = rank {
            // Its publisher is named first: he has the rank.
            let agency = format!("p{rank}.gov.cn");
            let named = [("agency", text_of(agency.clone())), ("rank", FormValue::Int(rank))];
            self.decide((OFFICE, "publisher", "publisher"), None, &named, None, "li");
            form.extend([("rank", FormValue::Int(rank)), ("publisher", text_of(agency))]);
        }
        let part = (TABLE_MEDIA_TYPE, text.as_bytes());
        self.decide((OFFICE, "table", "table"), None, &form, Some(part), by)
    }

    fn declare(&mut self, year: i64, income: &str) -> Record {
        self.declare_in("330105", year, income)
    }

    fn declare_in(&mut self, area: &str, year: i64, income: &str) -> Record {
        let text = |text: &str| FormValue::Text(text.to_owned());
        let claim = BTreeMap::from([
            ("kind".to_owned(), text("child")),
            ("months".to_owned(), FormValue::Int(12)),
        ]);
        let form = [
            ("year", FormValue::Int(year)),
            ("staff", FormValue::Int(20)),
            ("income", text(income)),
            ("area", text(area)),
            ("claims", FormValue::List(vec![FormValue::Map(claim)])),
        ];
        self.decide(("tax", "annual/declare", "declare"), None, &form, None, "li")
    }

    fn assess(&mut self, thing: &str) -> Record {
        let about = Some(thing.to_owned());
        self.decide(("tax", "annual/assess", "assess"), about, &[], None, "li")
    }

    /// The thing of a decision, and the tax of it.
    fn tax(&self, record: &Record) -> (String, String) {
        let Outcome::Applied(Applied { thing, .. }) = &record.outcome else { panic!("{record:?}") };
        let found = Thing::get(&self.state, "tax", "annual", thing).expect("reads");
        (thing.clone(), found.expect("it is there").set["tax"].to_string())
    }

    fn coming(thing: &str) -> Coming {
        Coming { module: "tax".into(), case: "annual".into(), thing: thing.into() }
    }

    /// The last day on which a thing is to be paid.
    fn last(&self, thing: &str) -> String {
        let at = Instant(0);
        let dues = self.kernel.deadlines(&self.state, &Self::coming(thing), HOME, at);
        dues.expect("reads")[0].moment.day.to_string()
    }

    /// Has what is due of a thing by a day come to pass.
    fn pass(&mut self, thing: &str, day: &str) -> Vec<Record> {
        let at: Instant = format!("{day}T00:00:00+08:00").parse().expect("a moment");
        let salt = Salt::Fresh(Digest::of(day.as_bytes()));
        let coming = Self::coming(thing);
        let found = self.kernel.due(&self.state, &coming, at, HOME, salt).expect("reads");
        self.state.apply(&found.1);
        for decision in &found.0 {
            self.state.apply(&decision.writes);
            self.made.push((decision.record.clone(), decision.salt, None));
        }
        found.0.into_iter().map(|decision| decision.record).collect()
    }

    /// All of it decided again comes to the same.
    fn replay(&self) {
        let mut replay = Replay::from(HOME, self.first.clone());
        for (record, salt, document) in &self.made {
            replay.step(&record.encode(), salt, document.clone()).expect("the same");
        }
        let kept = |state: &MemoryState| {
            let rows = state.rows().filter(|(key, _)| !key.family.derived());
            rows.map(|(key, value)| (key.clone(), value.to_vec())).collect::<Vec<_>>()
        };
        assert_eq!(kept(replay.state()), kept(&self.state));
    }
}

fn consulted(record: &Record) -> Vec<String> {
    record.tables.iter().map(|one| format!("{} {}", one.table, one.from)).collect()
}

fn why(record: &Record) -> &Refusal {
    match &record.outcome {
        Outcome::Refused(reasons) => &reasons[0].why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_tax_is_by_the_tables_of_its_year_and_the_record_says_which() {
    let mut office = Office::new();
    // 2022: 120,000 less 60,000 and 12 × 1,000 leaves 48,000; 2023: 12 × 2,000 leaves 36,000.
    let old = office.declare(2022, "120000");
    assert_eq!(office.tax(&old).1, "2280.00");
    assert_eq!(
        consulted(&old),
        [
            "days 2019-01-01",
            "deduction 2019-01-01",
            "iit-annual 2019-01-01",
            "size 2011-06-18",
            "standard 2019-01-01"
        ]
    );
    let new = office.declare(2023, "120001");
    assert_eq!(office.tax(&new).1, "1080.10");
    assert_eq!(consulted(&new)[1], "deduction 2023-01-01");
    let Outcome::Applied(Applied { thing, .. }) = &new.outcome else { panic!("{new:?}") };
    let thing = Thing::get(&office.state, "tax", "annual", thing).expect("reads").expect("it");
    assert_eq!(
        (thing.set["size"].to_string(), thing.set["area"].to_string()),
        ("micro".into(), "拱墅区".into())
    );
    // Before there was a table, nothing becomes zero.
    let before = office.declare(2018, "120000");
    assert_eq!(why(&before), &Refusal::Unknown { what: "no row: deduction(2018-01-01)".into() });
    assert_eq!(why(&before).code(), "CHY-7110");
    office.replay();
}

/// The table with another rate in its first row, from a date on.
fn other(from: &str, rate: &str) -> String {
    format!(
        "table = \"iit-annual\"\nkind = \"bracket\"\nlaw = \"3\"\n\
         columns = {{ over = \"money\", rate = \"decimal\", deduct = \"money\" }}\n\
         [from.{from}]\nrows = [{{ over = 0, rate = \"{rate}\", deduct = 0 }}]\n"
    )
}

#[test]
fn a_table_that_is_filed_holds_for_what_is_decided_from_then_on_and_changes_nothing_before() {
    let mut office = Office::new();
    let first = office.declare(2023, "184000");
    let (thing, tax) = office.tax(&first);
    assert_eq!(tax, "7480.00");
    let digest = first.tables[2].digest;
    // In force since a day before the fact, it holds for a case that runs.
    let filed = office.file("iit-annual", &other("2023-01-01", "2%"), None, "li");
    assert!(matches!(&filed.outcome, Outcome::Applied(one) if one.thing == "tax/iit-annual"));
    assert_eq!(office.tax(&first).1, "7480.00");
    let again = office.assess(&thing);
    assert_eq!(office.tax(&again).1, "2000.00");
    assert_eq!(consulted(&again), ["days 2019-01-01", "iit-annual 2023-01-01"]);
    assert_ne!(again.tables[1].digest, digest);
    // A fact before it is by the table before it.
    let earlier = office.declare(2022, "172000");
    assert_eq!(office.tax(&earlier).1, "7480.00");
    // Of one day and rank there is one; from an earlier day there may be another.
    let twice =
        |from: &str| Refusal::FiledTwice { what: "iit-annual".into(), from: from.into(), rank: 0 };
    for day in ["2023-01-01", "2019-01-01"] {
        let again = office.file("iit-annual", &other(day, "4%"), None, "li");
        assert_eq!(why(&again), &twice(day));
    }
    office.file("iit-annual", &other("2022-06-01", "9%"), None, "li");
    let later = office.declare(2023, "184000");
    assert_eq!(office.tax(&later).1, "2000.00");
    // One of a higher rank goes before those that came into force later.
    office.file("iit-annual", &other("2020-01-01", "5%"), Some(1), "li");
    let ranked = office.declare(2023, "184000");
    assert_eq!(office.tax(&ranked).1, "5000.00");
    let ranked = office.declare(2019, "172000");
    assert_eq!(office.tax(&ranked).1, "7480.00");
    let all = filed_tables(&office.state, "tax", "iit-annual").expect("reads");
    let all: Vec<_> = all.iter().map(|one| (one.from.to_string(), one.rank)).collect();
    let wanted = [("2023-01-01", 0), ("2022-06-01", 0), ("2020-01-01", 1)];
    assert_eq!(all, wanted.map(|(from, rank)| (from.to_owned(), rank)));
    // Its file stands in state as it came, for whoever decides again.
    let text = other("2020-01-01", "5%");
    let kept = office.state.get(&office::folder(&Digest::of(text.as_bytes()))).expect("reads");
    assert_eq!(kept.as_deref(), Some(text.as_bytes()));
    office.replay();
}

#[test]
fn a_table_is_filed_by_a_keeper_and_only_as_its_module_has_it() {
    let mut office = Office::new();
    let good = other("2023-01-01", "2%");
    let not = |record: &Record| why(record).clone();
    let refused = office.file("iit-annual", &good, None, "wang");
    assert!(matches!(not(&refused), Refusal::NotEntitled { .. }));
    let other_table = || Refusal::OtherTable { table: "iit-annual".into() };
    for (text, wanted) in [
        (good.replace("rate = \"decimal\", ", "rate = \"decimal\", level = \"int\", "), None),
        (good.replace("\"2%\"", "0.02"), Some("iit-annual.toml:6 float")),
        (good.replace("iit-annual", "iit"), None),
        (good.replace("law =", "edge = \"from\"\nlaw ="), None),
        (good.replace("law = \"3\"", ""), Some("iit-annual.toml:1 no-law")),
    ] {
        let refused = not(&office.file("iit-annual", &text, None, "li"));
        match (wanted, refused) {
            (Some(wanted), Refusal::Folder { first, .. }) => assert_eq!(first, wanted),
            (None, Refusal::OtherTable { .. } | Refusal::Folder { .. }) => {}
            (wanted, refused) => panic!("{text}: {wanted:?} {refused:?}"),
        }
    }
    let field = |name: &str| Refusal::Field { field: name.into() };
    let law = good.replace("law = \"3\"", "law = \"cit 3\"");
    assert_eq!(not(&office.file("iit-annual", &law, None, "li")), field("law"));
    assert_eq!(not(&office.file("iit", &good, None, "li")), field("table"));
    // Nobody is of such a rank, and nobody stands high by saying so.
    let nobody = || Refusal::NoPublisher { name: "p100.gov.cn".into(), of: "tax".into() };
    assert_eq!(not(&office.file("iit-annual", &good, Some(100), "li")), nobody());
    let claimed = [
        ("of", FormValue::Text("tax".into())),
        ("table", FormValue::Text("iit-annual".into())),
        ("digest", FormValue::Text(Digest::of(good.as_bytes()).to_string())),
        ("rank", FormValue::Int(9)),
    ];
    let part = Some((TABLE_MEDIA_TYPE, good.as_bytes()));
    let refused = office.decide((OFFICE, "table", "table"), None, &claimed, part, "li");
    assert_eq!(not(&refused), field("rank"));
    assert_eq!(
        not(&office.file("standard", &good, None, "li")),
        Refusal::OtherTable { table: "standard".into() }
    );
    // What came along is not what is named.
    let text = |text: &str| FormValue::Text(text.to_owned());
    let form = [("of", text("tax")), ("table", text("iit-annual")), ("digest", text("00"))];
    let refused = office.decide(
        (OFFICE, "table", "table"),
        None,
        &form,
        Some((TABLE_MEDIA_TYPE, good.as_bytes())),
        "li",
    );
    assert_eq!(not(&refused), other_table());
    assert!(filed_tables(&office.state, "tax", "iit-annual").expect("reads").is_empty());
    office.replay();
}

#[test]
fn a_new_version_of_the_module_has_its_own_tables_known_when_it_was_installed() {
    let mut office = Office::new();
    let text = other("2023-01-01", "2%").replace("law = \"3\"", "law = \"3\"\nsource = \"x\"");
    office.file("iit-annual", &text, None, "li");
    let filed = office.declare(2023, "184000");
    assert_eq!(office.tax(&filed).1, "2000.00");
    let (thing, _) = office.tax(&filed);
    // A folder of another version has numbers of its own from that day on: the same, or nobody knows which.
    let mut install = |rate: &str| {
        let own = format!(
            "\n[from.2023-01-01]\nsource = \"x\"\nrows = [{{ over = 0, rate = \"{rate}\", deduct = 0 }}]\n"
        );
        let files = whole();
        let files = files.files().map(|(path, text)| match path {
            "tables/iit-annual.toml" => (path.to_owned(), format!("{text}{own}")),
            "module.toml" => (path.to_owned(), text.replace("version = \"1\"", "version = \"2\"")),
            _ => (path.to_owned(), text.to_owned()),
        });
        let folder = crate::Folder::of(files).expect("a folder");
        let digest = FormValue::Text(folder.digest().to_string());
        let (form, bytes) = ([("digest", digest)], folder.encode());
        let part = (crate::MEDIA_TYPE, bytes.as_slice());
        office.decide((OFFICE, "install", "install"), None, &form, Some(part), "li")
    };
    let wanted =
        Refusal::FiledTwice { what: "iit-annual".into(), from: "2023-01-01".into(), rank: 0 };
    assert_eq!(why(&install("3%")), &wanted);
    assert!(matches!(install("2%").outcome, Outcome::Applied(_)));
    let opened = office.declare(2023, "184000");
    assert_eq!(office.tax(&opened).1, "2000.00");
    let running = office.assess(&thing);
    assert_eq!(office.tax(&running).1, "2000.00");
    office.replay();
}

#[test]
fn whoever_stands_lower_has_numbers_of_his_own_only_where_the_table_says_so() {
    for (lower, tax) in [("", "5000.00"), ("lower = true\n", "2000.00")] {
        let folder = folder(
            "tables/iit-annual.toml",
            "law     = \"3\"",
            &format!("law     = \"3\"\n{lower}"),
        );
        let mut office = Office::of(&folder);
        office.file("iit-annual", &other("2020-01-01", "5%"), Some(50), "li");
        office.file("iit-annual", &other("2021-01-01", "2%"), Some(9), "li");
        let found = office.declare(2023, "184000");
        assert_eq!(office.tax(&found).1, tax, "{lower}");
        let all = filed_tables(&office.state, "tax", "iit-annual").expect("reads");
        assert_eq!(all[0].publisher.as_deref(), Some("p50.gov.cn"));
        office.replay();
    }
}

#[test]
fn a_code_list_is_filed_from_a_day_on_and_holds_for_what_is_lodged_then() {
    let mut office = Office::new();
    let list = "code,zh-CN,en,from,until\n330199,新区,New,,\n";
    let mut file = |from: &str, csv: &str, list: &str| {
        let text = |text: &str| FormValue::Text(text.to_owned());
        let digest = Digest::of(csv.as_bytes()).to_string();
        let form = [
            ("of", text("tax")),
            ("list", text(list)),
            ("from", text(from)),
            ("digest", text(&digest)),
        ];
        let part = Some((crate::CODES_MEDIA_TYPE, csv.as_bytes()));
        office.decide((OFFICE, "codes", "codes"), None, &form, part, "li")
    };
    // All is lodged in February 2026, of facts of 2023.
    let field = |name: &str| Refusal::Field { field: name.into() };
    assert_eq!(why(&file("2020-01-01", list, "areas")), &field("list"));
    assert_eq!(why(&file("some day", list, "area")), &field("from"));
    let bad = file("2020-01-01", "code,en\nx,y\n", "area");
    assert!(
        matches!(why(&bad), Refusal::Folder { first, .. } if first == "area.csv:1 missing-key")
    );
    assert!(matches!(file("2020-01-01", list, "area").outcome, Outcome::Applied(_)));
    assert!(matches!(why(&file("2020-01-01", list, "area")), Refusal::FiledTwice { rank: 0, .. }));
    let later = format!("{list}330198,又一区,Other,,\n");
    assert!(matches!(file("2030-01-01", &later, "area").outcome, Outcome::Applied(_)));
    let all = crate::filed_codes(&office.state, "tax", "area").expect("reads");
    assert_eq!(all.len(), 2);
    let taken = |record: &Record| matches!(record.outcome, Outcome::Applied(_));
    assert!(taken(&office.declare_in("330199", 2023, "120000")));
    assert!(!taken(&office.declare_in("330105", 2023, "120000")));
    assert!(!taken(&office.declare_in("330198", 2023, "120000")));
    office.replay();
}

#[test]
fn a_deadline_by_a_table_moves_with_it_and_its_passing_is_decided_again_the_same() {
    let mut office = Office::new();
    let first = office.declare(2023, "184000");
    let (thing, _) = office.tax(&first);
    assert_eq!(office.last(&thing), "2026-03-04");
    let days = "table = \"days\"\nkind = \"value\"\nlaw = \"11\"\ncolumns = { value = \"int\" }\n\
                [from.2020-01-01]\nvalue = 60\n";
    office.file("days", days, None, "li");
    assert_eq!(office.last(&thing), "2026-04-03");
    assert_eq!(office.pass(&thing, "2026-03-05"), []);
    let passed = office.pass(&thing, "2026-04-04");
    assert_eq!(passed.len(), 1, "{passed:?}");
    let days = passed[0].tables.iter().map(|one| (one.table.as_str(), one.from.to_string()));
    assert_eq!(days.collect::<Vec<_>>(), [("days", "2020-01-01".to_owned())]);
    office.replay();
}

#[test]
fn an_explanation_says_which_row_of_which_table_was_used() {
    let mut office = Office::new();
    office.declare(2023, "184000");
    let (record, _, document) = office.made[0].clone();
    let input = Input {
        at: Instant(record.at),
        lodged: Instant(record.lodged),
        home: HOME.into(),
        salt: Salt::Fresh(Digest::of(b"")),
        facts: Facts::default(),
        document: Document {
            id: DocumentId::from_slice(&[7; 32]).expect("an id"),
            ..document.expect("a document")
        },
    };
    let explained = office.kernel.explain(&office.state, &input).expect("reads");
    let (_, known) = explained.iter().find(|(name, _)| name == "known").expect("it is explained");
    let title = "国务院关于提高个人所得税有关专项附加扣除标准的通知 1";
    assert!(known.read().contains(&format!("deduction 2023-01-01 #1 ({title})")), "{known:#?}");
    assert!(known.looked.is_empty(), "it is said where it was looked up, and not above that");
}

#[test]
fn a_form_takes_codes_of_the_day_on_which_it_is_lodged_and_no_others() {
    let mut office = Office::new();
    // It is 2026: the district is no more, though the year of the fact still had it.
    for gone in ["330103", "33010", ""] {
        let refused = office.declare_in(gone, 2020, "120000");
        let Refusal::Form(fault) = why(&refused) else { panic!("{refused:?}") };
        assert_eq!(
            (fault.at.as_str(), fault.keyword.as_str(), fault.wanted.as_str()),
            ("/area", "x-code", "area")
        );
    }
    let taken = office.declare_in("330100", 2020, "120000");
    assert!(matches!(taken.outcome, Outcome::Applied(_)));
    office.replay();
}
