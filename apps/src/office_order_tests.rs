use std::collections::BTreeMap;

use chancery_crypto::{Digest, cbor};
use chancery_protocol::{DocumentHeader, DocumentId, Filing, FormValue, Urgency};

use crate::{
    input::{Document, Input, Signer},
    kernel::{Kernel, Salt},
    office::{Appointment, KEEPER, OFFICE},
    record::{Facts, Outcome},
    state::{Family, Key, MemoryState, Writes},
};

const HOME: &str = "a.gov.cn";
const AT: i64 = 1_772_400_000;

/// What comes of an order of 2026 with these days.
fn order(off: &[&str], work: &[&str]) -> Outcome {
    let days = |days: &[&str]| {
        FormValue::List(days.iter().map(|day| FormValue::Text((*day).to_owned())).collect())
    };
    let form = BTreeMap::from([
        ("year".to_owned(), FormValue::Int(2026)),
        ("source".to_owned(), FormValue::Text("x".to_owned())),
        ("off".to_owned(), days(off)),
        ("work".to_owned(), days(work)),
    ]);
    let filing = Filing {
        home: HOME.parse().expect("an agency"),
        act: "calendar".to_owned(),
        about: None,
        seen: None,
        reason: None,
        version: None,
        until: AT + 1,
        behalf: None,
    };
    let header = DocumentHeader {
        kind: "calendar".to_owned(),
        number: None,
        title: "x".to_owned(),
        from: HOME.parse().expect("an agency"),
        to: Vec::new(),
        cc: Vec::new(),
        classification: None,
        secrecy_period: None,
        urgency: Urgency::Routine,
        created: AT,
        deadline: None,
        in_reply_to: None,
        module: OFFICE.to_owned(),
        fields: BTreeMap::new(),
        crit: Vec::new(),
        filing: Some(filing),
        form,
        parts: Vec::new(),
        nonce: Digest::of(b"x"),
    };
    let signer = Signer { name: format!("li@{HOME}"), agency: HOME.to_owned() };
    let held = Appointment { from: 0, until: None, document: String::new() };
    let key = Key::new(Family::Appointment, OFFICE).name(KEEPER).value(&signer.name);
    let mut state = MemoryState::default();
    state.apply(&Writes::from([(key, Some(cbor::encode(&held).expect("plain")))]));
    let id = DocumentId::from_slice(Digest::of(b"x").as_bytes()).expect("an id");
    let input = Input {
        at: crate::Instant(AT),
        lodged: crate::Instant(AT),
        home: HOME.to_owned(),
        salt: Salt::Fresh(Digest::of(b"x")),
        facts: Facts::default(),
        document: Document { id, header, signers: vec![signer], part: None },
    };
    let decided = Kernel::default().decide(&state, &input).expect("it is decided");
    decided.into_iter().next().expect("a decision").record.outcome
}

#[test]
fn a_day_is_off_or_worked_and_never_both() {
    let taken = |off: &[&str], work: &[&str]| matches!(order(off, work), Outcome::Applied(_));
    assert!(taken(&["2026-05-01"], &["2026-05-09"]));
    assert!(!taken(&["2026-05-01", "2026-05-09"], &["2026-05-09"]));
    assert!(!taken(&["2027-05-01"], &[]));
}
