//! What a work and its parts are on a day, by what has happened to it: a fold over its events in the order of their days, and on
//! one day in the order that the module declares.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{civil::Date, manifest::EventKind, statute::is_within};

/// What a work, a version or a part is on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// In force: 现行有效.
    InForce,
    /// Another version has taken its place: 已被修改.
    Amended,
    /// Not applied for a time: 暂停施行.
    Suspended,
    /// Published, and not in force yet: 尚未施行.
    NotYet,
    /// Not in force any more: 已废止.
    Repealed,
    /// Taken back: 已撤回.
    Withdrawn,
}

impl Status {
    /// Its name, as formulas and programs have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::InForce => "in-force",
            Self::Amended => "amended",
            Self::Suspended => "suspended",
            Self::NotYet => "not-yet",
            Self::Repealed => "repealed",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::InForce,
        Self::Amended,
        Self::Suspended,
        Self::NotYet,
        Self::Repealed,
        Self::Withdrawn,
    ];
}

/// What has happened to a work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Its number among those of the work, from 1 on.
    pub number: u32,
    /// The module's word for it.
    pub event: String,
    /// What it means.
    pub kind: EventKind,
    /// Its place among those of one day.
    pub rank: u32,
    /// The day of it: on which it takes effect; of what brings a version, on which that was published.
    pub on: Date,
    /// Of what brings a version: the day from which that is in force; none until it is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    /// The version that it brings or corrects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Which edition of that version it brings, from 0 on: each correction is another.
    #[serde(default, skip_serializing_if = "is_none")]
    pub edition: u32,
    /// The parts that it is about; the whole where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
    /// Why, for readers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The work by which it was repealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Since when it is seen, in seconds since 1970 UTC.
    pub shown: i64,
    /// When it was decided, in seconds since 1970 UTC.
    pub at: i64,
    /// The thing whose act it is.
    pub thing: String,
    /// The document of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives it so")]
fn is_none(edition: &u32) -> bool {
    *edition == 0
}

/// A moment at which something changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    day: Date,
    rank: u32,
    number: u32,
    /// A version is published before it comes into force, also where both is on one day.
    step: u8,
}

/// Why events do not follow each other: the one that cannot, and what there is then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoOrder {
    pub event: String,
    pub day: Date,
    pub status: Option<Status>,
}

/// The events of a work that are seen, in their order.
#[derive(Debug, Clone)]
pub(crate) struct Timeline<'e> {
    steps: Vec<(Place, &'e Event)>,
}

/// What has become of a work up to a day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Became {
    whole: Option<Status>,
    /// The version in force, or that which will be first.
    version: Option<u32>,
    suspended: BTreeSet<String>,
    repealed: BTreeSet<String>,
    commenced: BTreeSet<String>,
}

impl<'e> Timeline<'e> {
    /// The events that are seen at a moment.
    pub(crate) fn of(events: &'e [Event], seen: i64) -> Self {
        let mut steps = Vec::new();
        for event in events.iter().filter(|event| event.shown <= seen) {
            let place = |day, step| Place { day, rank: event.rank, number: event.number, step };
            steps.push((place(event.on, 0), event));
            if let Some(from) = event.from {
                steps.push((place(from, 1), event));
            }
        }
        steps.sort_by_key(|(place, _)| *place);
        Self { steps }
    }

    /// All events, as whoever writes another must have them follow each other.
    pub(crate) fn all(events: &'e [Event]) -> Self {
        Self::of(events, i64::MAX)
    }

    fn until(&self, day: Date) -> impl Iterator<Item = &(Place, &'e Event)> {
        self.steps.iter().take_while(move |(place, _)| place.day <= day)
    }

    fn up_to(&self, day: Date) -> Became {
        let mut now = Became::default();
        for (place, event) in self.until(day) {
            // What does not follow was refused when it was written, and changes nothing.
            let _ = now.take(*place, event);
        }
        now
    }

    /// Whether each event follows those before it.
    pub(crate) fn check(&self) -> Result<(), NoOrder> {
        let mut now = Became::default();
        for (place, event) in &self.steps {
            now.take(*place, event).map_err(|status| NoOrder {
                event: event.event.clone(),
                day: place.day,
                status,
            })?;
        }
        Ok(())
    }

    /// What the work is on a day; none before it was published.
    pub(crate) fn whole(&self, day: Date) -> Option<Status> {
        self.up_to(day).whole
    }

    /// The version whose words hold on a day: before any does, that which will first.
    pub(crate) fn version(&self, day: Date) -> Option<u32> {
        self.up_to(day).version
    }

    /// What a version is on a day.
    pub(crate) fn of_version(&self, version: u32, day: Date) -> Option<Status> {
        let now = self.up_to(day);
        let whole = now.whole?;
        let is =
            |event: &&Event| event.version == Some(version) && event.kind != EventKind::Correct;
        let published = self.steps.iter().map(|(_, event)| *event).find(is)?;
        if published.on > day {
            return None;
        }
        if whole == Status::Withdrawn || now.version == Some(version) {
            return Some(whole);
        }
        // One that has not come into force yet stands before it; one that has, behind.
        let to_come = published.from.is_none_or(|from| from > day);
        Some(if to_come { Status::NotYet } else { Status::Amended })
    }

    /// What a part is on a day, by itself, by what it lies in, and by the whole.
    pub(crate) fn of_part(&self, address: &str, day: Date) -> Option<Status> {
        let now = self.up_to(day);
        let whole = now.whole?;
        let among = |all: &BTreeSet<String>| all.iter().any(|of| is_within(address, of));
        let to_come = self.steps.iter().any(|(place, event)| {
            event.kind == EventKind::Commence
                && place.day > day
                && event.parts.iter().any(|of| is_within(address, of))
        });
        let own = if among(&now.repealed) {
            Status::Repealed
        } else if to_come {
            Status::NotYet
        } else if among(&now.suspended) {
            Status::Suspended
        } else {
            Status::InForce
        };
        Some(whole.max(own))
    }

    /// The days on which something changes, in their order.
    pub(crate) fn days(&self) -> BTreeSet<Date> {
        self.steps.iter().map(|(place, _)| place.day).collect()
    }

    /// The day from which the work is in force, as far as it is known.
    pub(crate) fn commencement(&self) -> Option<Date> {
        let mut now = Became::default();
        self.steps.iter().find_map(|(place, event)| {
            let _ = now.take(*place, event);
            (now.whole == Some(Status::InForce)).then_some(place.day)
        })
    }
}

impl Became {
    /// What an event changes; what there is, if it cannot follow.
    fn take(&mut self, place: Place, event: &Event) -> Result<(), Option<Status>> {
        use EventKind::{Amend, Commence, Correct, Publish, Repeal, Resume, Suspend, Withdraw};
        use Status::{InForce, NotYet, Repealed, Suspended, Withdrawn};

        let is = self.whole;
        if event.kind.of_parts() && !event.parts.is_empty() {
            return self.take_parts(event);
        }
        match (event.kind, place.step, is) {
            (Publish, 0, None) => {
                (self.whole, self.version) = (Some(NotYet), event.version);
            }
            (Publish, _, Some(NotYet)) | (Commence, _, Some(NotYet)) => self.whole = Some(InForce),
            // It was repealed or taken back before it came into force.
            (Publish, 1, Some(Repealed | Withdrawn)) => {}
            (Amend, 0, Some(NotYet | InForce | Suspended)) => {}
            (Amend, _, Some(NotYet | InForce | Suspended)) => {
                self.version = event.version;
                // The whole text is published anew: what was repealed is not in it, or is there again.
                self.repealed.clear();
            }
            (Amend, 1, Some(Withdrawn)) => {}
            (Correct, _, Some(status)) if status != Withdrawn => {}
            (Suspend, _, Some(InForce)) => self.whole = Some(Suspended),
            (Resume, _, Some(Suspended)) => self.whole = Some(InForce),
            (Repeal, _, Some(NotYet | InForce | Suspended)) => self.whole = Some(Repealed),
            (Withdraw, _, Some(status)) if status != Withdrawn => self.whole = Some(Withdrawn),
            _ => return Err(is),
        }
        Ok(())
    }

    fn take_parts(&mut self, event: &Event) -> Result<(), Option<Status>> {
        use Status::{InForce, NotYet, Repealed, Suspended, Withdrawn};

        let Some(whole) = self.whole.filter(|whole| !matches!(whole, Repealed | Withdrawn)) else {
            return Err(self.whole);
        };
        for part in &event.parts {
            let gone = self.repealed.iter().any(|of| is_within(part, of));
            let done = match event.kind {
                _ if gone => return Err(Some(Repealed)),
                EventKind::Commence => self.commenced.insert(part.clone()),
                EventKind::Suspend if whole == NotYet => return Err(Some(NotYet)),
                EventKind::Suspend => self.suspended.insert(part.clone()),
                EventKind::Resume => self.suspended.remove(part),
                _ => self.repealed.insert(part.clone()),
            };
            if !done {
                let is = if event.kind == EventKind::Suspend { Suspended } else { InForce };
                return Err(Some(is));
            }
        }
        Ok(())
    }
}
