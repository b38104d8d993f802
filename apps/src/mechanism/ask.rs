//! Questions to a registry: each is a signed document with purpose and basis, and an entry; what was given, and who has looked at
//! whose record, is kept.

use std::collections::BTreeMap;

use chancery_crypto::cbor;
use serde::{Deserialize, Serialize};

use super::registry;
use crate::{
    case::{Decided, Deciding, cbor_text},
    environment::CaseEnvironment,
    input::{Document, Input},
    manifest::{Ask, Form, Give, Registry},
    reason::{Reason, Refusal},
    record::Applied,
    state::{Family, Key, Overlay, State, StateError},
    value::Value,
};

/// Somebody who may ask for what is about himself.
const SUBJECT: &str = "subject";

/// What a registry has answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The registry.
    pub registry: String,
    /// The question.
    pub ask: String,
    /// Who has asked: the answer is for nobody else.
    pub asker: String,
    /// The records, as far as the question gives them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<BTreeMap<String, Value>>,
    /// Whether there is one, where it gives no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yes: Option<bool>,
    /// How many there are, where it gives no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Whether there are more than it gives.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// That somebody has looked at what a registry has of a subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// The registry.
    pub registry: String,
    /// The question.
    pub ask: String,
    /// Who.
    pub who: String,
    /// For what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// On what basis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<String>,
    /// The article.
    pub law: String,
    /// When, in seconds since 1970 UTC.
    pub at: i64,
    /// By which document.
    pub document: String,
}

fn looked(module: &str, subject: &str) -> Key {
    Key::new(Family::Look, module).name("look").value(subject)
}

fn answered(module: &str, document: &str) -> Key {
    Key::new(Family::Look, module).name("answer").id(document)
}

/// Who has looked at what a module has of a subject, oldest first.
///
/// # Errors
/// [`StateError`].
pub fn looks(
    state: &dyn State,
    module: &str,
    subject: &str,
    after: &str,
    most: usize,
) -> Result<Vec<Look>, StateError> {
    let rows = state.scan(&looked(module, subject), after, most)?;
    rows.into_iter().map(|(_, bytes)| cbor::decode(&bytes).map_err(StateError::damaged)).collect()
}

impl Answer {
    /// What was answered to a question, by its document.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn of(state: &dyn State, module: &str, document: &str) -> Result<Option<Self>, StateError> {
        let found = state.get(&answered(module, document))?;
        let decode = |bytes: Vec<u8>| cbor::decode_within(&bytes, bytes.len());
        found.map(|bytes| decode(bytes).map_err(StateError::damaged)).transpose()
    }
}

/// What matches a question.
struct Match {
    fields: BTreeMap<String, Value>,
    subjects: Vec<String>,
}

impl Deciding<'_> {
    /// Decides a question to a registry.
    pub(crate) fn ask(
        &self,
        overlay: &mut Overlay<'_>,
        input: &Input,
        registry: &Registry,
        ask: &Ask,
        form: &Form,
    ) -> Decided<Applied> {
        let document = &input.document;
        let rule = |what: &str| format!("{}/{what}", ask.name);
        let law = Some(ask.law.as_str());
        let doc = form.values(document.form());
        let environment = self.environment(overlay, None, Some(document), doc.clone());
        let (about_himself, entitled) = self.asks(&environment, document, ask)?;
        let mut refused: Vec<Reason> = Vec::new();
        if !entitled && !about_himself {
            let (who, by) = (document.signer().name, ask.by.clone());
            refused.push(self.reason(
                &rule("by"),
                law,
                Refusal::NotEntitled { who, by, office: None },
            ));
            return Ok(Err(refused));
        }
        let faults = input.facts.form.iter();
        refused.extend(
            faults.map(|fault| self.reason(&rule("form"), law, Refusal::Form(fault.clone()))),
        );
        let purpose = doc.field("purpose").as_text().map(str::to_owned);
        let named = purpose.as_ref().is_some_and(|purpose| ask.purposes.contains(purpose));
        if !ask.purposes.is_empty() && !named {
            let known = ask.purposes.join(", ");
            refused.push(self.reason(&rule("purpose"), law, Refusal::Purpose { known }));
        }
        if !refused.is_empty() {
            return Ok(Err(refused));
        }
        let (refused, flags) = self.conditions(&environment, &ask.name, &ask.needs);
        environment.check()?;
        if !refused.is_empty() {
            return Ok(Err(refused));
        }
        let own = (!entitled).then(|| document.signer().name);
        let found = self.matches(&environment, overlay, registry, ask, own.as_deref())?;
        let (mut found, mut more) = match found {
            Ok(found) => found,
            Err(reason) => return Ok(Err(vec![reason])),
        };
        if matches!(ask.give, Give::All | Give::Fields(_)) && found.len() > ask.limit {
            // What is not given was not looked at by anybody.
            found.truncate(ask.limit);
            more = true;
        }
        let found = (found, more);
        drop(environment);
        let basis = doc.field("basis").as_text().map(str::to_owned);
        self.note(overlay, document, registry, ask, (purpose, basis), &found)?;
        self.answer(overlay, document, registry, ask, found);
        Ok(Ok(Applied {
            case: registry.name.clone(),
            thing: self.id.to_owned(),
            sequence: 1,
            state: "answered".to_owned(),
            flags,
            ..Applied::default()
        }))
    }

    /// Whether its signer may ask: for what is about himself, and for all.
    fn asks(
        &self,
        environment: &CaseEnvironment<'_>,
        document: &Document,
        ask: &Ask,
    ) -> Result<(bool, bool), StateError> {
        let signer = document.signer();
        let mut entitled = false;
        for name in ask.by.iter().filter(|name| *name != SUBJECT) {
            entitled |= self.holds_or_is(environment, name, &signer)?;
        }
        environment.check()?;
        Ok((ask.by.iter().any(|name| name == SUBJECT), entitled))
    }

    /// The records that answer a question. What is sealed for whoever asks is as if it were not there.
    fn matches(
        &self,
        environment: &CaseEnvironment<'_>,
        state: &dyn State,
        registry: &Registry,
        ask: &Ask,
        own: Option<&str>,
    ) -> Result<Result<(Vec<Match>, bool), Reason>, StateError> {
        let law = Some(ask.law.as_str());
        let unknown = |what: String| {
            let rule = format!("{}/where", ask.name);
            Ok(Err(self.reason(&rule, law, Refusal::Unknown { what })))
        };
        let module = self.module.name();
        let (keys, more) = match candidates(environment, state, module, registry, ask)? {
            Ok(keys) => keys,
            Err(what) => return unknown(what),
        };
        let day = self.module.zone.date(self.lodged);
        let mut found = Vec::new();
        for key in keys {
            let Some(version) = registry::on(state, module, &registry.name, &key, day)? else {
                continue;
            };
            let mut over = registry::over(self, state, &version.fields);
            over.counts.insert("ask", environment.doc.clone());
            over.doc = environment.doc.clone();
            over.document = environment.document;
            let subjects = registry.subject.as_ref().map(|p| p.formula.value(&over));
            let subjects: Vec<_> =
                subjects.iter().flat_map(Value::names).map(str::to_owned).collect();
            let sealed = registry.seals.iter().any(|seal| {
                // What is not known to be open stays closed.
                seal.when.formula.value(&over) != Value::Bool(false)
                    && seal
                        .open
                        .as_ref()
                        .is_none_or(|open| open.formula.value(&over) != Value::Bool(true))
            });
            let his = own.is_none_or(|own| subjects.iter().any(|subject| subject == own));
            over.check()?;
            // Not even that something of it cannot be said shows that there is one.
            if !his || (sealed && own.is_none()) {
                continue;
            }
            let holds = ask.which.formula.value(&over);
            over.check()?;
            match holds {
                Value::Bool(true) => found.push(Match { fields: version.fields, subjects }),
                Value::Bool(false) => {}
                other => return unknown(other.to_string()),
            }
        }
        Ok(Ok((found, more)))
    }

    /// Notes who has looked, for each whom it is about.
    fn note(
        &self,
        overlay: &mut Overlay<'_>,
        document: &Document,
        registry: &Registry,
        ask: &Ask,
        (purpose, basis): (Option<String>, Option<String>),
        (found, _): &(Vec<Match>, bool),
    ) -> Result<(), StateError> {
        let look = Look {
            registry: registry.name.clone(),
            ask: ask.name.clone(),
            who: document.signer().name,
            purpose,
            basis,
            law: self.module.cite(&ask.law),
            at: self.at.0,
            document: document.id.to_string(),
        };
        let number = crate::kernel::decisions(overlay)?;
        let mut subjects: Vec<_> = found.iter().flat_map(|one| &one.subjects).collect();
        subjects.sort();
        subjects.dedup();
        for subject in subjects {
            let key = looked(self.module.name(), subject);
            let key = key.id(&format!("{number:020}/{}", document.id));
            overlay.put(key, cbor::encode(&look).expect("plain"));
        }
        Ok(())
    }

    fn answer(
        &self,
        overlay: &mut Overlay<'_>,
        document: &Document,
        registry: &Registry,
        ask: &Ask,
        (found, more): (Vec<Match>, bool),
    ) {
        let mut answer = Answer {
            registry: registry.name.clone(),
            ask: ask.name.clone(),
            asker: document.signer().name,
            records: Vec::new(),
            yes: None,
            count: None,
            more,
        };
        let fields = |one: Match, only: Option<&Vec<String>>| {
            let shown = |name: &String| only.is_none_or(|only| only.contains(name));
            one.fields.into_iter().filter(|(name, _)| shown(name)).collect()
        };
        match &ask.give {
            Give::YesNo => answer.yes = Some(!found.is_empty()),
            Give::Count => answer.count = Some(found.len() as u64),
            give => {
                let only = if let Give::Fields(only) = give { Some(only) } else { None };
                answer.records = found.into_iter().map(|one| fields(one, only)).collect();
            }
        }
        // Whether there are more than one is nothing that a yes or no says.
        answer.more &= answer.yes.is_none() && answer.count.is_none();
        let key = answered(self.module.name(), &document.id.to_string());
        overlay.put(key, cbor::encode(&answer).expect("what is not known is not kept"));
    }
}

/// The most records that are looked at for a question.
const MOST_LOOKED_AT: usize = 10_000;

/// The keys of the records that may answer a question: by its key, or by an index on which its condition stands.
fn candidates(
    environment: &CaseEnvironment<'_>,
    state: &dyn State,
    module: &str,
    registry: &Registry,
    ask: &Ask,
) -> Result<Result<(Vec<String>, bool), String>, StateError> {
    let mut over = environment.again();
    over.counts.insert("ask", environment.doc.clone());
    let value = |formula: &crate::formula::Formula| match formula.value(&over) {
        Value::Unknown(why) => Err(why.to_string()),
        value => Ok(value.to_string()),
    };
    let equal = ask.which.formula.equalities();
    let at = |text: &str| equal.iter().find(|(path, _)| *path == text).map(|(_, with)| with);
    // By its key, if the condition gives all of it.
    let parts: Option<Vec<_>> = registry.key.iter().map(|key| at(key.formula.text())).collect();
    if let Some(parts) = parts {
        let parts: Result<Vec<_>, _> = parts.into_iter().map(value).collect();
        over.check()?;
        return Ok(parts.map(|parts| (vec![cbor_text(&parts)], false)));
    }
    let indexes = registry.indexes.iter();
    let found = indexes.filter_map(|(name, of)| Some((name, at(of.formula.text())?))).next();
    let Some((name, with)) = found else { return Ok(Err(ask.which.formula.text().to_owned())) };
    let value = match value(with) {
        Ok(value) => value,
        Err(why) => return Ok(Err(why)),
    };
    over.check()?;
    let rows =
        state.scan(&registry::index(module, &registry.name, name, &value), "", MOST_LOOKED_AT)?;
    let more = rows.len() == MOST_LOOKED_AT;
    let keys = rows.into_iter().map(|(_, bytes)| cbor::decode(&bytes).map_err(StateError::damaged));
    let keys: Vec<String> = keys.collect::<Result<_, _>>()?;
    Ok(Ok((keys, more)))
}
