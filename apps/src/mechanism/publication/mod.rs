//! Publications: works that everybody may read, in versions, with what has happened to them since. Nothing is changed: a correction
//! is another edition of a version, and what was taken back is said to be.

mod copy;
mod feed;
mod read;
mod rows;
#[cfg(test)]
mod tests;
mod timeline;
#[cfg(test)]
mod timeline_tests;

use std::collections::BTreeMap;

use chancery_crypto::{Digest, cbor};
use chancery_protocol::text::check_line;

pub(crate) use self::read::{cited, find};
pub use self::{
    copy::{Copy, copy},
    feed::feed,
    read::{Attached, Found, Opened, Published, SearchEntry, Spell, WorkView},
    timeline::{Event, Status},
};
use self::{
    rows::{Text, Work},
    timeline::Timeline,
};
use super::registry::over;
use crate::{
    case::{Decided, Deciding},
    civil::Date,
    environment::CaseEnvironment,
    input::Document,
    manifest::{Cutting, EventKind, Placed, Publication},
    reason::Refusal,
    state::{Overlay, StateError},
    statute::{Level, Part, cut, paragraphs},
    value::{Value, Why},
};

/// An event that is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub publication: String,
    pub event: String,
    pub work: String,
    pub fields: BTreeMap<String, Value>,
    /// Parts of a document, or addresses, as the event takes them.
    pub parts: Vec<Value>,
    /// From which day: nothing was said, or that it is not known yet, or a day.
    pub from: Option<Option<Date>>,
    pub reason: Option<String>,
}

/// The most events of a work.
const MOST_EVENTS: usize = 500;

/// The most addresses of an event, works that one takes the place of, and parts of documents of a version.
const MOST_NAMED: usize = 1_000;

/// The most characters of the name of a work.
const LONGEST_NAME: usize = 200;

/// Writes an event of a work, and of those whose place it takes.
pub(super) fn publish(
    deciding: &Deciding<'_>,
    overlay: &mut Overlay<'_>,
    rule: &str,
    wanted: Wanted,
    document: Option<&Document>,
) -> Decided<()> {
    let gone = || StateError::damaged("a publication that was checked is gone");
    let publication = deciding.module.publications.get(&wanted.publication).ok_or_else(gone)?;
    let kind = publication.event(&wanted.event).ok_or_else(gone)?;
    let writing = Writing { deciding, publication, document };
    match writing.event(overlay, kind, wanted)? {
        Ok(()) => Ok(Ok(())),
        Err(why) => Ok(Err(vec![deciding.reason(rule, Some(&publication.law), why)])),
    }
}

struct Writing<'a> {
    deciding: &'a Deciding<'a>,
    publication: &'a Publication,
    document: Option<&'a Document>,
}

type Written<T> = Result<Result<T, Refusal>, StateError>;

/// What comes with an event that brings a text.
struct Brought {
    text: Text,
    embargo: Option<i64>,
    supersede: Vec<String>,
}

impl Writing<'_> {
    fn event(&self, overlay: &mut Overlay<'_>, kind: EventKind, wanted: Wanted) -> Written<()> {
        let module = self.deciding.module.name();
        let lodged = self.deciding.lodged;
        let today = self.deciding.module.zone.date(lodged);
        let named = wanted.work.chars().count() <= LONGEST_NAME && check_line(&wanted.work).is_ok();
        if !named {
            return Ok(Err(Refusal::Field { field: "work".into() }));
        }
        let known = Work::get(overlay, module, &self.publication.name, &wanted.work)?;
        let mut work = match (known, kind) {
            (Some(_), EventKind::Publish) => {
                return Ok(Err(Refusal::NotUnique { value: wanted.work }));
            }
            (Some(work), _) => work,
            (None, EventKind::Publish) => Work::new(&wanted.work),
            (None, _) => return Ok(Err(Refusal::NoWork { work: wanted.work })),
        };
        if work.events.len() >= MOST_EVENTS {
            return Ok(Err(Refusal::Cost));
        }
        let reason = wanted.reason.filter(|reason| !reason.trim().is_empty());
        if kind.needs_reason() && reason.is_none() {
            return Ok(Err(Refusal::NoReason));
        }
        let brought = match kind.brings_text() {
            true => match self.brought(overlay, &wanted.fields, &wanted.parts)? {
                Ok(brought) => Some(brought),
                Err(why) => return Ok(Err(why)),
            },
            false => None,
        };
        let (parts, on) = match kind {
            // Its `from` is since when it is in force, and the day is that on which it is published.
            kind if kind.brings_text() => (Vec::new(), today),
            _ => match self.addresses(overlay, &work, &wanted.parts)? {
                Ok(parts) => (parts, wanted.from.flatten().unwrap_or(today)),
                Err(why) => return Ok(Err(why)),
            },
        };
        let from = match (kind, wanted.from) {
            (EventKind::Publish, Some(from)) => from,
            (EventKind::Publish, None) => Some(today),
            (EventKind::Amend, Some(None)) => {
                return Ok(Err(Refusal::Unknown { what: Why::Missing("from".into()).to_string() }));
            }
            (EventKind::Amend, from) => Some(from.flatten().unwrap_or(today)),
            _ => None,
        };
        let version = match kind {
            EventKind::Publish | EventKind::Amend => Some((work.versions + 1, 0)),
            EventKind::Correct => {
                let version = Timeline::all(&work.events).version(today);
                match version {
                    Some(version) => Some((version, work.edition(version) + 1)),
                    None => return Ok(Err(Refusal::NoWork { work: wanted.work })),
                }
            }
            _ => None,
        };
        // Nothing is seen before what it is about.
        let shown = work.shown().unwrap_or(lodged.0).max(lodged.0);
        let embargo = brought.as_ref().and_then(|brought| brought.embargo);
        let event = Event {
            number: work.next(),
            rank: self.publication.rank(&wanted.event),
            event: wanted.event,
            kind,
            on,
            from,
            version: version.map(|(version, _)| version),
            edition: version.map_or(0, |(_, edition)| edition),
            parts,
            reason,
            by: None,
            shown: shown.max(embargo.unwrap_or(shown)),
            at: self.deciding.at.0,
            thing: self.deciding.id.to_owned(),
            document: self.document.map(|document| document.id.to_string()),
        };
        // What was taken back before anybody saw it was never there.
        let unseen = kind == EventKind::Withdraw && work.shown().is_some_and(|at| at > lodged.0);
        let before = Timeline::all(&work.events).commencement();
        work.events.push(event.clone());
        if let Err(fault) = Timeline::all(&work.events).check() {
            return Ok(Err(Refusal::Event {
                event: format!("{}-{}", self.publication.name, fault.event),
                day: fault.day.to_string(),
                status: fault.status.map(|status| status.name().into()),
            }));
        }
        if unseen {
            self.forget(overlay, &work)?;
            return Ok(Ok(()));
        }
        if let (Some(brought), Some((version, edition))) = (brought, version) {
            work.versions = work.versions.max(version);
            if kind == EventKind::Publish {
                work.supersede = brought.supersede;
            }
            let text = brought.text;
            overlay.put(
                Text::key(module, &self.publication.name, &work.work, version, edition),
                text.encode(),
            );
            overlay.put(
                rows::by_title(module, &self.publication.name, &text.title, &work.work),
                Vec::new(),
            );
        }
        overlay.put(rows::by_time(module, &self.publication.name, &work.work, &event), Vec::new());
        overlay.put(Work::key(module, &self.publication.name, &work.work), work.encode());
        let commenced = Timeline::all(&work.events).commencement();
        match (before, commenced) {
            (None, Some(day)) => self.supersede(overlay, &work, &event, day),
            _ => Ok(Ok(())),
        }
    }

    /// Has a work be as if it had never been published. Who had it published and taken back stands in the matter and the ledger.
    fn forget(&self, overlay: &mut Overlay<'_>, work: &Work) -> Result<(), StateError> {
        let (module, publication) = (self.deciding.module.name(), self.publication.name.as_str());
        for event in &work.events {
            overlay.delete(rows::by_time(module, publication, &work.work, event));
            let Some(version) = event.version else { continue };
            let (edition, name) = (event.edition, &work.work);
            if let Some(text) = Text::get(overlay, module, publication, name, version, edition)? {
                overlay.delete(rows::by_title(module, publication, &text.title, name));
                overlay.delete(Text::key(module, publication, name, version, edition));
            }
        }
        overlay.delete(Work::key(module, publication, &work.work));
        Ok(())
    }

    /// Repeals the works whose place another takes.
    fn supersede(
        &self,
        overlay: &mut Overlay<'_>,
        by: &Work,
        because: &Event,
        day: Date,
    ) -> Written<()> {
        let module = self.deciding.module.name();
        let repeal = self.publication.events.iter().find(|(_, kind)| *kind == EventKind::Repeal);
        let Some((word, kind)) = repeal else { return Ok(Ok(())) };
        for name in &by.supersede {
            let found = Work::get(overlay, module, &self.publication.name, name)?;
            let Some(mut other) = found.filter(|other| other.work != by.work) else {
                return Ok(Err(Refusal::NoWork { work: name.clone() }));
            };
            // What was repealed or taken back otherwise stays so.
            let is = Timeline::all(&other.events).whole(day);
            if matches!(is, Some(Status::Repealed | Status::Withdrawn)) {
                continue;
            }
            if other.events.len() >= MOST_EVENTS {
                return Ok(Err(Refusal::Cost));
            }
            let event = Event {
                number: other.next(),
                event: word.clone(),
                kind: *kind,
                rank: self.publication.rank(word),
                on: day,
                from: None,
                version: None,
                edition: 0,
                parts: Vec::new(),
                by: Some(by.work.clone()),
                shown: because.shown.max(other.shown().unwrap_or(because.shown)),
                ..because.clone()
            };
            other.events.push(event.clone());
            if let Err(fault) = Timeline::all(&other.events).check() {
                return Ok(Err(Refusal::Event {
                    event: format!("{}-{}", self.publication.name, fault.event),
                    day: fault.day.to_string(),
                    status: fault.status.map(|status| status.name().into()),
                }));
            }
            overlay.put(rows::by_time(module, &self.publication.name, name, &event), Vec::new());
            overlay.put(Work::key(module, &self.publication.name, name), other.encode());
        }
        Ok(Ok(()))
    }

    /// What comes with an event, by the formulas of the publication.
    fn brought(
        &self,
        overlay: &Overlay<'_>,
        fields: &BTreeMap<String, Value>,
        attached: &[Value],
    ) -> Written<Brought> {
        let gone = || StateError::damaged("a form that was checked is gone");
        let form = self.deciding.module.forms.get(&self.publication.form).ok_or_else(gone)?;
        let is_field = |name: &String| form.fields.iter().any(|field| field.name == *name);
        if let Some(name) = fields.keys().find(|name| !is_field(name)) {
            return Ok(Err(Refusal::Field { field: name.clone() }));
        }
        let missing =
            |name: &str| Refusal::Unknown { what: Why::Missing(name.to_owned()).to_string() };
        if let Some(field) =
            form.fields.iter().find(|f| f.required && !fields.contains_key(&f.name))
        {
            return Ok(Err(missing(&field.name)));
        }
        let environment = over(self.deciding, overlay, fields);
        let found = self.work_out(&environment, fields, attached);
        environment.check()?;
        Ok(found)
    }

    fn work_out(
        &self,
        environment: &CaseEnvironment<'_>,
        fields: &BTreeMap<String, Value>,
        attached: &[Value],
    ) -> Result<Brought, Refusal> {
        let value = |placed: &Placed| match placed.formula.value(environment) {
            Value::Unknown(Why::Cost) => Err(Refusal::Cost),
            Value::Unknown(why) => Err(Refusal::Unknown { what: why.to_string() }),
            value => Ok(value),
        };
        let missing = |placed: &Placed| Refusal::Unknown {
            what: Why::Missing(placed.formula.text().to_owned()).to_string(),
        };
        let maybe = |placed: &Option<Placed>| placed.as_ref().map(value).transpose();
        let title = match value(&self.publication.title)? {
            Value::Text(title) if check_line(&title).is_ok() => title,
            _ => return Err(missing(&self.publication.title)),
        };
        let parts = match &self.publication.text {
            None => by_fields(fields),
            Some(placed) => {
                let text = match value(placed)? {
                    Value::Text(text) => text,
                    Value::List(list) => {
                        let each = list.iter().map(Value::as_text).collect::<Option<Vec<_>>>();
                        each.ok_or_else(|| missing(placed))?.join("\n")
                    }
                    _ => return Err(missing(placed)),
                };
                // A step for each line of text that would be read.
                let steps = u64::try_from(text.len() / 64).unwrap_or(u64::MAX);
                if !crate::formula::Environment::steps(environment, steps) {
                    return Err(Refusal::Cost);
                }
                match self.publication.cutting {
                    Cutting::Law(deepest) => cut(&text).down_to(deepest).parts,
                    Cutting::Paragraphs | Cutting::Fields => paragraphs(&text).parts,
                }
            }
        };
        if parts.is_empty() {
            return Err(Refusal::Field { field: "text".into() });
        }
        let embargo = match maybe(&self.publication.embargo)? {
            None | Some(Value::None) => None,
            Some(Value::Instant(at)) => Some(at.0),
            Some(other) => return Err(Refusal::Unknown { what: other.kind().to_owned() }),
        };
        let supersede = maybe(&self.publication.supersede)?.unwrap_or(Value::None);
        let supersede: Vec<_> = supersede.names().into_iter().map(str::to_owned).collect();
        if supersede.len() > MOST_NAMED || attached.len() > MOST_NAMED {
            return Err(Refusal::Cost);
        }
        let search = self.publication.search.as_ref();
        let named = |placed: Option<&Placed>| match placed.map(value).transpose()? {
            Some(Value::Text(text)) => Ok(Some(text)),
            _ => Ok::<_, Refusal>(None),
        };
        let (sort, issuer) = (
            named(search.and_then(|search| search.sort.as_ref()))?,
            named(search.and_then(|search| search.issuer.as_ref()))?,
        );
        let attached = attached.iter().filter_map(|part| {
            let text = |name| part.field(name).as_text().map(str::to_owned);
            Some(Attached { name: text("name")?, digest: text("digest")? })
        });
        let text = Text {
            title,
            digest: digest_of(&parts),
            parts,
            sort,
            issuer,
            attached: attached.collect(),
            schema: self.deciding.module.digest(),
        };
        Ok(Brought { text, embargo, supersede })
    }

    /// The addresses that an event is about: each is there in a version of the work.
    fn addresses(
        &self,
        overlay: &Overlay<'_>,
        work: &Work,
        wanted: &[Value],
    ) -> Written<Vec<String>> {
        if wanted.len() > MOST_NAMED {
            return Ok(Err(Refusal::Cost));
        }
        let mut addresses: Vec<String> = Vec::new();
        for value in wanted {
            match value {
                Value::Text(address) if !addresses.contains(address) => {
                    addresses.push(address.clone())
                }
                Value::Text(_) => {}
                other => return Ok(Err(Refusal::Unknown { what: other.kind().to_owned() })),
            }
        }
        if addresses.is_empty() {
            return Ok(Ok(addresses));
        }
        let mut there = std::collections::BTreeSet::new();
        for version in 1..=work.versions {
            let text = Text::get(
                overlay,
                self.deciding.module.name(),
                &self.publication.name,
                &work.work,
                version,
                work.edition(version),
            )?;
            there.extend(text.into_iter().flat_map(|text| text.parts).map(|part| part.address));
        }
        match addresses.iter().find(|address| !there.contains(*address)) {
            Some(address) => Ok(Err(Refusal::NoPart { address: address.clone() })),
            None => Ok(Ok(addresses)),
        }
    }
}

/// Fields as parts, each under its name.
fn by_fields(fields: &BTreeMap<String, Value>) -> Vec<Part> {
    let each = fields.iter().map(|(name, value)| Part {
        address: name.clone(),
        level: Level::Field,
        label: String::new(),
        text: value.to_string(),
    });
    each.collect()
}

/// What a version is known by: the digest of its parts.
fn digest_of(parts: &[Part]) -> Digest {
    Digest::of(&cbor::encode(parts).expect("parts are plain"))
}
