//! What everybody may read of publications at a moment: nothing before its embargo, no words of what was taken back.

use std::collections::BTreeSet;

use chancery_crypto::{Digest, Language};
use serde::{Deserialize, Serialize};

use super::{
    rows::{self, Text, Work},
    timeline::{Event, Status, Timeline},
};
use crate::{
    civil::{Date, Instant},
    manifest::{Both, EventKind, Module, Publication},
    state::{State, StateError},
    statute::{Change, Citation, Part, compare},
    value::{Value, Why},
};

/// A part of a document that belongs to a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attached {
    /// Its name.
    pub name: String,
    /// The SHA-256 of its bytes.
    pub digest: String,
}

/// The publications of a module as everybody reads them at a moment.
#[derive(Clone, Copy)]
pub struct Published<'a> {
    state: &'a dyn State,
    module: &'a Module,
    at: Instant,
}

impl std::fmt::Debug for Published<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Published({} at {})", self.module.name(), self.at.0)
    }
}

/// A work in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkView {
    /// Its name.
    pub work: String,
    /// How it is called.
    pub title: String,
    /// What it is on the day that was asked for.
    pub status: Status,
    /// The version whose words hold on that day.
    pub version: u32,
    /// What has happened to it, as far as it is seen, in the order in which it was decided.
    pub events: Vec<Event>,
    /// What sort of work it is.
    pub sort: Option<String>,
    /// Who has made it.
    pub issuer: Option<String>,
}

/// A version of a work, opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The work.
    pub of: WorkView,
    /// The version.
    pub version: u32,
    /// What the version is on the day that was asked for.
    pub status: Status,
    /// What it is known by; none of what was taken back.
    pub digest: Option<Digest>,
    /// Its parts, each with what it is on that day; none of what was taken back.
    pub parts: Vec<(Part, Status)>,
    /// Parts of documents that belong to it.
    pub attached: Vec<Attached>,
}

/// What a citation leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The version of its date.
    pub opened: Opened,
    /// The part that it names, with what lies within it; none of a citation of the whole.
    pub parts: Vec<(Part, Status)>,
    /// The address that it names, whether or not the version has it.
    pub address: Option<String>,
}

/// A time in which a version is one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spell {
    /// The first day of it.
    pub from: Date,
    /// The day on which it ends; none as far as is known.
    pub until: Option<Date>,
    /// What it is then.
    pub status: Status,
}

/// What a search engine takes of a version: nothing that is not seen now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchEntry {
    /// The module.
    pub module: String,
    /// The publication.
    pub publication: String,
    /// The work.
    pub work: String,
    /// The version.
    pub version: u32,
    /// How it is called.
    pub title: String,
    /// What sort of work it is.
    pub sort: Option<String>,
    /// Who has made it.
    pub issuer: Option<String>,
    /// Its parts.
    pub parts: Vec<Part>,
    /// What it is from when to when.
    pub spells: Vec<Spell>,
}

/// The most works that have one title, and that one page lists.
const MOST_LISTED: usize = 1_000;

impl<'a> Published<'a> {
    /// The publications of a module at a moment.
    pub fn new(state: &'a dyn State, module: &'a Module, at: Instant) -> Self {
        Self { state, module, at }
    }

    /// The publications that there are: their names, and whether each is in the feed and is searched.
    pub fn names(&self) -> Vec<(&'a str, bool, bool)> {
        let each = self.module.publications.values();
        each.map(|one| (one.name.as_str(), one.feed, one.search.is_some())).collect()
    }

    /// How a publication is called.
    pub fn title_of(&self, publication: &str) -> Both {
        let name = format!("publication-{publication}");
        let say = |language| self.module.text(language, &name).unwrap_or(publication).to_owned();
        Both { zh: say(Language::Zh), en: say(Language::En) }
    }

    /// The module's word for an event, as people read it.
    pub fn event_name(&self, publication: &str, event: &Event, language: Language) -> String {
        let name = format!("event-{publication}-{}", event.event);
        self.module.text(language, &name).unwrap_or(&event.event).to_owned()
    }

    /// Whether works of a publication come into force and go out of it: of news nobody asks that.
    pub fn has_force(&self, publication: &str) -> bool {
        let events = self.publication(publication).into_iter().flat_map(|one| &one.events);
        let of_force = |kind: &EventKind| {
            !matches!(kind, EventKind::Publish | EventKind::Correct | EventKind::Withdraw)
        };
        events.clone().any(|(_, kind)| of_force(kind))
    }

    /// The moment.
    pub fn at(&self) -> Instant {
        self.at
    }

    /// The module.
    pub fn module(&self) -> &'a Module {
        self.module
    }

    /// The civil day of the moment.
    pub fn today(&self) -> Date {
        self.module.zone.date(self.at)
    }

    fn publication(&self, name: &str) -> Option<&'a Publication> {
        self.module.publications.get(name)
    }

    fn text(
        &self,
        publication: &str,
        work: &Work,
        version: u32,
    ) -> Result<Option<Text>, StateError> {
        let edition = work.edition_at(version, self.at.0);
        Text::get(self.state, self.module.name(), publication, &work.work, version, edition)
    }

    /// A work as it is seen, on a day; none that is not seen, or was not published then.
    fn view(
        &self,
        publication: &str,
        work: &Work,
        day: Date,
    ) -> Result<Option<(WorkView, Option<Text>)>, StateError> {
        let timeline = Timeline::of(&work.events, self.at.0);
        let (Some(status), Some(version)) = (timeline.whole(day), timeline.version(day)) else {
            return Ok(None);
        };
        let text = self.text(publication, work, version)?;
        let seen = work.events.iter().filter(|event| event.shown <= self.at.0);
        let view = WorkView {
            work: work.work.clone(),
            title: text.as_ref().map(|text| text.title.clone()).unwrap_or_default(),
            status,
            version,
            events: seen.cloned().collect(),
            sort: text.as_ref().and_then(|text| text.sort.clone()),
            issuer: text.as_ref().and_then(|text| text.issuer.clone()),
        };
        Ok(Some((view, text)))
    }

    /// Works as they are on a day, in an order that is no one's, from a place on; and the place to go on from.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn works(
        &self,
        publication: &str,
        day: Date,
        after: &str,
        most: usize,
    ) -> Result<(Vec<WorkView>, Option<String>), StateError> {
        let most = most.min(MOST_LISTED);
        let beside = Work::beside(self.module.name(), publication);
        let rows = self.state.scan(&beside, after, most)?;
        let next = (rows.len() == most).then(|| rows.last().map(|(key, _)| key.id.clone()));
        let mut found = Vec::new();
        for (_, bytes) in rows {
            let view = self.view(publication, &Work::decode(&bytes)?, day)?;
            found.extend(view.map(|(view, _)| view));
        }
        Ok((found, next.flatten()))
    }

    /// How many works are seen on a day.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn count(&self, publication: &str, day: Date) -> Result<usize, StateError> {
        let (mut sum, mut after) = (0, String::new());
        loop {
            let (works, next) = self.works(publication, day, &after, MOST_LISTED)?;
            sum += works.len();
            match next {
                Some(next) => after = next,
                None => return Ok(sum),
            }
        }
    }

    /// What has happened last, the newest first: each work once, with its newest event that is seen.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn newest(
        &self,
        publication: &str,
        most: usize,
    ) -> Result<Vec<(WorkView, Event)>, StateError> {
        let module = self.module.name();
        let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
        // What has the very moment is seen, so it begins before that.
        let mut after = rows::seen_from(self.at.0);
        while found.len() < most {
            let rows = self.state.scan(&rows::in_time(module, publication), &after, MOST_LISTED)?;
            let last = rows.last().map(|(key, _)| key.id.clone());
            for (key, _) in rows {
                let id = key.id.rsplit('/').next().unwrap_or_default().to_owned();
                if found.len() == most || !seen.insert(id.clone()) {
                    continue;
                }
                let Some(work) = Work::by_digest(self.state, module, publication, &id)? else {
                    continue;
                };
                let view = self.view(publication, &work, self.today())?;
                let Some((view, _)) = view else { continue };
                let newest = view.events.iter().max_by_key(|event| (event.shown, event.number));
                if let Some(newest) = newest.cloned() {
                    found.push((view, newest));
                }
            }
            match last {
                Some(last) => after = last,
                None => break,
            }
        }
        Ok(found)
    }

    /// The version of a work whose words hold on a day.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn open(
        &self,
        publication: &str,
        work: &str,
        day: Date,
    ) -> Result<Option<Opened>, StateError> {
        let Some(work) = Work::get(self.state, self.module.name(), publication, work)? else {
            return Ok(None);
        };
        let version = Timeline::of(&work.events, self.at.0).version(day);
        version.map_or(Ok(None), |version| self.opened(publication, &work, version, day))
    }

    /// A version of a work by its number, as it is on a day.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn open_version(
        &self,
        publication: &str,
        work: &str,
        version: u32,
        day: Date,
    ) -> Result<Option<Opened>, StateError> {
        let Some(work) = Work::get(self.state, self.module.name(), publication, work)? else {
            return Ok(None);
        };
        self.opened(publication, &work, version, day)
    }

    fn opened(
        &self,
        publication: &str,
        work: &Work,
        version: u32,
        day: Date,
    ) -> Result<Option<Opened>, StateError> {
        let Some((of, own)) = self.view(publication, work, day)? else { return Ok(None) };
        let timeline = Timeline::of(&work.events, self.at.0);
        let Some(status) = timeline.of_version(version, day) else { return Ok(None) };
        // What is taken back now is not read as of a day on which it was not.
        if timeline.whole(self.today().max(day)) == Some(Status::Withdrawn) {
            let (digest, parts, attached) = (None, Vec::new(), Vec::new());
            let of = WorkView { status: Status::Withdrawn, ..of };
            let status = Status::Withdrawn;
            return Ok(Some(Opened { of, version, status, digest, parts, attached }));
        }
        let text = match version == of.version {
            true => own,
            false => self.text(publication, work, version)?,
        };
        let Some(text) = text else { return Ok(None) };
        let part_status = |part: &Part| match status {
            Status::Amended | Status::NotYet => status,
            _ => timeline.of_part(&part.address, day).unwrap_or(status),
        };
        let parts = text.parts.into_iter().map(|part| {
            let status = part_status(&part);
            (part, status)
        });
        let (parts, attached) = (parts.collect(), text.attached);
        Ok(Some(Opened { of, version, status, digest: Some(text.digest), parts, attached }))
    }

    /// What a citation leads to on a day: of several works of one title that which is in force then, else the one published last.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn cited(
        &self,
        publication: &str,
        citation: &Citation,
        day: Date,
    ) -> Result<Option<Found>, StateError> {
        let module = self.module.name();
        let beside = rows::of_title(module, publication, &citation.title);
        let mut best: Option<(bool, Date, Work)> = None;
        for (key, _) in self.state.scan(&beside, "", MOST_LISTED)? {
            let Some(work) = Work::by_digest(self.state, module, publication, &key.id)? else {
                continue;
            };
            let timeline = Timeline::of(&work.events, self.at.0);
            let Some(status) = timeline.whole(day) else { continue };
            // A title may be that of another of its versions.
            let Some((view, _)) = self.view(publication, &work, day)? else { continue };
            if Citation::plain_title(&view.title) != Citation::plain_title(&citation.title) {
                continue;
            }
            let holds = matches!(status, Status::InForce | Status::Suspended);
            let published = work.events.first().map_or(day, |event| event.on);
            if best.as_ref().is_none_or(|(held, since, _)| (*held, *since) < (holds, published)) {
                best = Some((holds, published, work));
            }
        }
        let Some((.., work)) = best else { return Ok(None) };
        let Some(opened) = self.open(publication, &work.work, day)? else { return Ok(None) };
        let address = citation.at.map(|at| at.to_string());
        let within = |part: &&(Part, Status)| {
            let of = address.as_deref();
            of.is_some_and(|of| crate::statute::is_within(&part.0.address, of))
        };
        let parts = opened.parts.iter().filter(within).cloned().collect();
        Ok(Some(Found { opened, parts, address }))
    }

    /// What differs between two versions of a work, part by part; none where one of them is not read.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn compare(
        &self,
        publication: &str,
        work: &str,
        before: u32,
        after: u32,
    ) -> Result<Option<Vec<Change>>, StateError> {
        let open = |version| self.open_version(publication, work, version, self.today());
        let (Some(before), Some(after)) = (open(before)?, open(after)?) else { return Ok(None) };
        if before.digest.is_none() || after.digest.is_none() {
            return Ok(None);
        }
        let parts = |opened: Opened| opened.parts.into_iter().map(|(part, _)| part);
        let (before, after): (Vec<_>, Vec<_>) = (parts(before).collect(), parts(after).collect());
        Ok(Some(compare(&before, &after)))
    }

    /// What a search engine takes of a work; nothing of one that is not seen, was taken back, or is of a publication that is not
    /// searched.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn entries(&self, publication: &str, work: &str) -> Result<Vec<SearchEntry>, StateError> {
        let searched = self.publication(publication).is_some_and(|one| one.search.is_some());
        let work = Work::get(self.state, self.module.name(), publication, work)?;
        let Some(work) = work.filter(|_| searched) else { return Ok(Vec::new()) };
        let timeline = Timeline::of(&work.events, self.at.0);
        if timeline.whole(self.today()) == Some(Status::Withdrawn) {
            return Ok(Vec::new());
        }
        let mut entries = Vec::new();
        for version in 1..=work.versions {
            let spells = spells(&timeline, version);
            if spells.is_empty() {
                continue;
            }
            let Some(text) = self.text(publication, &work, version)? else { continue };
            entries.push(SearchEntry {
                module: self.module.name().to_owned(),
                publication: publication.to_owned(),
                work: work.work.clone(),
                version,
                title: text.title,
                sort: text.sort,
                issuer: text.issuer,
                parts: text.parts,
                spells,
            });
        }
        Ok(entries)
    }

    /// The next moment at which something that is not seen yet will be: whoever keeps an index looks again then.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn next_shown(&self, publication: &str) -> Result<Option<Instant>, StateError> {
        // The newest first: what is to come stands before what is seen.
        let beside = rows::in_time(self.module.name(), publication);
        let (mut next, mut after, now) = (None, String::new(), rows::seen_from(self.at.0));
        loop {
            let rows = self.state.scan(&beside, &after, MOST_LISTED)?;
            let Some((last, _)) = rows.last() else { return Ok(next) };
            after = last.id.clone();
            for (key, _) in &rows {
                let back = key.id.split('/').next().unwrap_or_default();
                if back >= now.as_str() {
                    return Ok(next);
                }
                next = back.parse::<i64>().ok().map(|back| Instant(i64::MAX - back));
            }
        }
    }
}

/// What a version is from when to when.
fn spells(timeline: &Timeline<'_>, version: u32) -> Vec<Spell> {
    let mut spells: Vec<Spell> = Vec::new();
    for day in timeline.days() {
        let status = timeline.of_version(version, day);
        let Some(status) = status else { continue };
        match spells.last_mut() {
            Some(last) if last.status == status => {}
            last => {
                if let Some(last) = last {
                    last.until = Some(day);
                }
                spells.push(Spell { from: day, until: None, status });
            }
        }
    }
    spells
}

/// A work as formulas have it on a day, as far as it is seen at a moment: none that is not.
pub(crate) fn find(
    state: &dyn State,
    module: &Module,
    publication: &Publication,
    of: &[Value],
    (at, day): (Instant, Date),
) -> Result<Value, StateError> {
    let [Value::Text(work)] = of else {
        return Ok(Value::Unknown(Why::NoRow(publication.name.clone())));
    };
    let opened = Published::new(state, module, at).open(&publication.name, work, day)?;
    Ok(opened.map_or(Value::None, |opened| value(&opened)))
}

fn value(opened: &Opened) -> Value {
    let mut fields = std::collections::BTreeMap::new();
    let mut put = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
    put("work", Value::text(&opened.of.work));
    put("title", Value::text(&opened.of.title));
    put("version", Value::Int(opened.version.into()));
    put("status", Value::text(opened.status.name()));
    if let Some(digest) = &opened.digest {
        put("digest", Value::text(digest.to_string()));
    }
    let withdrawn = opened.of.events.iter().rev().find(|e| e.kind == EventKind::Withdraw);
    if let Some(reason) = withdrawn.and_then(|event| event.reason.as_ref()) {
        put("reason", Value::text(reason));
    }
    Value::Map(fields)
}

/// What a text cites on a day, as formulas have it: none where it cites nothing that is published. `found` is whether that version
/// has the part that it names.
pub(crate) fn cited(
    state: &dyn State,
    module: &Module,
    publication: &str,
    text: &str,
    (at, day): (Instant, Date),
) -> Result<Value, StateError> {
    if !module.publications.contains_key(publication) {
        return Ok(Value::Unknown(Why::NoRow(publication.to_owned())));
    }
    let Some(citation) = Citation::read(text) else { return Ok(Value::None) };
    let found = Published::new(state, module, at).cited(publication, &citation, day)?;
    let Some(found) = found else { return Ok(Value::None) };
    let Value::Map(mut fields) = value(&found.opened) else { return Ok(Value::None) };
    fields.retain(|name, _| !matches!(name.as_str(), "digest" | "reason"));
    let words = found.parts.iter().map(|(part, _)| part.text.as_str());
    let words: Vec<_> = words.filter(|words| !words.is_empty()).collect();
    // Of a part that is other than the whole, its own status.
    if let Some((_, status)) = found.parts.first() {
        fields.insert("status".into(), Value::text(status.name()));
    }
    fields.insert("text".into(), Value::text(words.join("\n")));
    let there = found.address.is_none() || !found.parts.is_empty();
    fields.insert("found".into(), Value::Bool(there));
    if let Some(address) = found.address {
        fields.insert("address".into(), Value::text(address));
    }
    Ok(Value::Map(fields))
}
