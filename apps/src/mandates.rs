//! Who acts for whom: powers of attorney that parties give, guardians whom an officer records, and officers who help at a counter.
//!
//! They are acts of the office, by date. Whoever acts for another says so in what he signs: the party's name, and as what. Here it
//! is found whether he may, when the act was lodged and when it is decided.

use chancery_certs::{PartyKind, PartyName};
use chancery_crypto::cbor;
use chancery_protocol::{FormValue, Hand};
use serde::{Deserialize, Serialize};

use crate::{
    civil::{Date, Instant, Zone},
    input::{Document, Input},
    jurisdiction::covers,
    office::{self, OFFICE},
    reason::{Reason, Refusal},
    record::{Acted, Applied},
    state::{Family, Key, Overlay, State, StateError, Writes},
};

/// The office's role that records guardians.
pub const REGISTRAR: &str = "party-registrar";

/// The office's role that files for those who stand at a counter.
pub const COUNTER: &str = "counter";

/// The acts of the office that are about parties.
pub const ACTS: [&str; 4] = ["empower", "revoke", "guardian", "end-guardian"];

/// The most that one party may give or take, those that have ended included.
const MOST: usize = 1_000;

/// The most entries of a scope.
const MOST_SCOPE: usize = 20;

/// A power of attorney, or what is recorded of a guardian.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mandate {
    /// As what he acts: agent or guardian.
    pub how: Hand,
    /// For whom.
    pub party: String,
    /// Who acts.
    pub by: String,
    /// What for: modules, `module/case`, `module/case/act`. A guardian acts in everything, and has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scope: Vec<String>,
    /// What it rests on: of a guardian, the law or the judgment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<String>,
    /// Since when, in seconds since 1970 UTC.
    pub from: i64,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
    /// By which document.
    pub document: String,
}

impl Mandate {
    fn in_force(&self, at: Instant) -> bool {
        self.from <= at.0 && self.until.is_none_or(|until| at.0 < until)
    }

    /// Whether it is for an act of a module.
    fn is_for(&self, act: &str) -> bool {
        self.how == Hand::Guardian || self.scope.iter().any(|scope| covers(scope, act))
    }

    /// Whether it is for any act of a case: then what the case keeps is read by it.
    fn is_about(&self, case: &str) -> bool {
        let about = |scope: &String| covers(scope, case) || covers(case, scope);
        self.how == Hand::Guardian || self.scope.iter().any(about)
    }
}

/// Those by which somebody acts for others stand beside each other.
fn given_to(by: &str, document: &str) -> Key {
    Key::new(Family::Appointment, OFFICE).name("mandate").value(by).id(document)
}

/// Those by which others act for somebody stand beside each other, too.
fn given_by(party: &str, document: &str) -> Key {
    Key::new(Family::Appointment, OFFICE).name("mandated").value(party).id(document)
}

fn beside(state: &dyn State, key: &Key) -> Result<Vec<Mandate>, StateError> {
    let rows = state.scan(key, "", MOST)?;
    let each = rows.iter().map(|(_, bytes)| cbor::decode_within(bytes, bytes.len()));
    each.collect::<Result<_, _>>().map_err(StateError::damaged)
}

/// By what somebody acts for others, and others for him, also what has ended.
///
/// # Errors
/// [`StateError`].
pub fn mandates(state: &dyn State, name: &str) -> Result<Vec<Mandate>, StateError> {
    if name.is_empty() {
        return Ok(Vec::new());
    }
    let mut all = beside(state, &given_to(name, ""))?;
    all.extend(beside(state, &given_by(name, ""))?);
    Ok(all)
}

/// For whom somebody acts in anything of a case at a moment.
pub(crate) fn represented(
    state: &dyn State,
    name: &str,
    case: &str,
    at: Instant,
) -> Result<Vec<String>, StateError> {
    if name.is_empty() {
        return Ok(Vec::new());
    }
    let all = beside(state, &given_to(name, ""))?;
    let now = all.into_iter().filter(|one| one.in_force(at) && one.is_about(case));
    Ok(now.map(|one| one.party).collect())
}

/// Whether whoever has signed a document may act for him whom it names: that he may by a mandate, or as an officer who helps, both
/// when it was lodged and when it is decided. None where it is nobody's but the signer's.
pub(crate) fn acted(
    state: &dyn State,
    input: &Input,
    allowed: &[Hand],
) -> Result<Result<Option<Acted>, Refusal>, StateError> {
    let document = &input.document;
    let Some((filing, behalf)) = document.filing().and_then(|f| Some((f, f.behalf.as_ref()?)))
    else {
        return Ok(Ok(None));
    };
    let (hand, how, party) = (document.hand(), behalf.how, behalf.party.to_string());
    if !allowed.contains(&how) {
        return Ok(Err(Refusal::NoProxy { how }));
    }
    let times = [input.lodged, input.at];
    let mandate = match how {
        Hand::Assisted => {
            let mut helps = !hand.is_party() && hand.agency == input.home;
            for at in times {
                helps &= office::holds(state, OFFICE, COUNTER, &hand.name, at)?.whole;
            }
            helps.then_some(None)
        }
        Hand::Agent | Hand::Guardian if !hand.is_party() => None,
        Hand::Agent | Hand::Guardian => {
            let act = format!("{}/{}", document.header.module, filing.act);
            let all = beside(state, &given_to(&hand.name, ""))?;
            let found = all.into_iter().find(|one| {
                one.how == how
                    && one.party == party
                    && one.is_for(&act)
                    && times.iter().all(|at| one.in_force(*at))
            });
            found.map(|one| Some(one.document))
        }
    };
    Ok(match mandate {
        Some(mandate) => Ok(Some(Acted { party, by: hand.name, how, mandate })),
        None => Err(Refusal::NoMandate { who: hand.name, party, how }),
    })
}

fn field<'a>(input: &'a Input, name: &str) -> Option<&'a str> {
    match input.document.form().get(name) {
        Some(FormValue::Text(text)) if !text.trim().is_empty() && text.len() <= 400 => Some(text),
        _ => None,
    }
}

fn party(input: &Input, name: &str) -> Option<PartyName> {
    field(input, name)?.parse().ok()
}

/// A day that may be left out.
fn day(input: &Input, name: &str) -> Result<Option<Date>, ()> {
    match input.document.form().get(name) {
        None => Ok(None),
        Some(FormValue::Text(text)) => text.parse().map(Some).map_err(drop),
        Some(_) => Err(()),
    }
}

/// What a power is for: modules, cases and acts that are named, or it is for nothing.
fn scope(input: &Input) -> Option<Vec<String>> {
    let Some(FormValue::List(list)) = input.document.form().get("scope") else { return None };
    let one = |value: &FormValue| match value {
        FormValue::Text(text) => {
            let parts: Vec<_> = text.split('/').collect();
            let fits = |part: &&str| {
                let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
                (1..=100).contains(&part.len()) && part.bytes().all(plain)
            };
            (parts.len() <= 3 && parts.iter().all(fits)).then(|| text.clone())
        }
        _ => None,
    };
    let scope: Option<Vec<_>> = list.iter().map(one).collect();
    scope.filter(|scope| (1..=MOST_SCOPE).contains(&scope.len()))
}

/// Decides an act of the office that is about parties.
pub(crate) fn decide(
    overlay: &mut Overlay<'_>,
    input: &Input,
    act: &str,
) -> Result<Result<Applied, Vec<Reason>>, StateError> {
    let refused = |why| Ok(Err(vec![office::reason(act, why)]));
    let missing = |field: &str| refused(Refusal::Field { field: field.to_owned() });
    let signer = input.document.signer();
    let by_officer = matches!(act, "guardian" | "end-guardian");
    let may = match by_officer {
        true => office::holds(overlay, OFFICE, REGISTRAR, &signer.name, input.lodged)?.whole,
        false => signer.is_party(),
    };
    if !may {
        let by = vec![if by_officer { REGISTRAR } else { "party" }.to_owned()];
        return refused(Refusal::NotEntitled { who: signer.name, by, office: None });
    }
    if matches!(act, "revoke" | "end-guardian") {
        return end(overlay, input, act, &signer.name);
    }
    let (how, for_whom, who) = match act {
        "empower" => {
            let Some(agent) = party(input, "agent") else { return missing("agent") };
            (Hand::Agent, signer.name.clone(), agent)
        }
        _ => {
            let ward = party(input, "ward").filter(|ward| ward.kind() == PartyKind::Natural);
            let Some(ward) = ward else { return missing("ward") };
            let Some(guardian) = party(input, "guardian") else { return missing("guardian") };
            (Hand::Guardian, ward.to_string(), guardian)
        }
    };
    let by = who.to_string();
    if by == for_whom {
        return missing(if how == Hand::Agent { "agent" } else { "guardian" });
    }
    let scope = match (how, scope(input)) {
        (Hand::Agent, None) => return missing("scope"),
        (Hand::Agent, Some(scope)) => scope,
        _ => Vec::new(),
    };
    let basis = field(input, "basis").map(str::to_owned);
    if how == Hand::Guardian && basis.is_none() {
        return missing("basis");
    }
    let Ok(begin) = day(input, "from") else { return missing("from") };
    let Ok(last) = day(input, "until") else { return missing("until") };
    // A power without an end is given once and forgotten.
    if how == Hand::Agent && last.is_none() {
        return missing("until");
    }
    // Nobody was entitled before it was filed.
    let from = begin.map_or(input.lodged.0, |day| Zone::CHINA.begin(day).0.max(input.lodged.0));
    let until = last.map(|day| Zone::CHINA.end(day).0);
    if until.is_some_and(|until| until <= from) {
        return missing("until");
    }
    for key in [given_to(&by, ""), given_by(&for_whom, "")] {
        if overlay.scan(&key, "", MOST)?.len() == MOST {
            return missing(if how == Hand::Agent { "agent" } else { "guardian" });
        }
    }
    let document = input.document.id.to_string();
    let kept = Mandate { how, party: for_whom, by, scope, basis, from, until, document };
    put(overlay, &kept);
    Ok(Ok(office::applied("mandate", kept.document, "in-force")))
}

/// The rows of a mandate.
pub(crate) fn rows(kept: &Mandate) -> Writes {
    let keys = [given_to(&kept.by, &kept.document), given_by(&kept.party, &kept.document)];
    keys.map(|key| (key, Some(cbor::encode(kept).expect("plain")))).into()
}

fn put(overlay: &mut Overlay<'_>, kept: &Mandate) {
    overlay.extend(rows(kept));
}

/// Ends a mandate: a power by whoever gave it or has it, what is recorded of a guardian by an officer.
fn end(
    overlay: &mut Overlay<'_>,
    input: &Input,
    act: &str,
    signer: &str,
) -> Result<Result<Applied, Vec<Reason>>, StateError> {
    let refused = |why| Ok(Err(vec![office::reason(act, why)]));
    let (Some(by), Some(document)) = (field(input, "of"), field(input, "mandate")) else {
        let field = if field(input, "of").is_none() { "of" } else { "mandate" };
        return refused(Refusal::Field { field: field.to_owned() });
    };
    let Some(bytes) = overlay.get(&given_to(by, document))? else {
        return refused(Refusal::NoThing);
    };
    let held: Mandate = cbor::decode_within(&bytes, bytes.len()).map_err(StateError::damaged)?;
    let his = match held.how {
        Hand::Agent => act == "revoke" && (held.party == signer || held.by == signer),
        _ => act == "end-guardian",
    };
    if !his {
        // Of others' powers nobody learns that there are any.
        return refused(Refusal::NoThing);
    }
    // What has ended before does not last until now by that.
    let until = held.until.map_or(input.lodged.0, |until| until.min(input.lodged.0));
    let kept = Mandate { until: Some(until), ..held };
    put(overlay, &kept);
    Ok(Ok(office::applied("mandate", kept.document, "ended")))
}

/// Whether a document of the office about parties is somebody's: he has signed it, or it names him.
pub(crate) fn concerns(document: &Document, name: &str) -> bool {
    let named = ["agent", "ward", "guardian", "of"].into_iter();
    let mut named = named.filter_map(|field| document.form().get(field));
    document.hand().name == name
        || named.any(|value| matches!(value, FormValue::Text(text) if text == name))
}
