//! Publications: works that everybody may read, in versions, with what has happened to them since.

use super::{
    case::law,
    mistake::What,
    reader::{At, Placed, Table},
};
use crate::statute::Level;

/// What is published, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Publication {
    pub at: At,
    pub name: String,
    /// The form that what comes with an event has.
    pub form: String,
    /// How a work is called, over `it`: what came with the event.
    pub title: Placed,
    /// The words of a version, or several one after the other; none where its fields are published.
    pub text: Option<Placed>,
    pub cutting: Cutting,
    /// What happens to works, in the order in which it takes effect on one day: the module's word, and what it means.
    pub events: Vec<(String, EventKind)>,
    /// Until when nothing of an event is seen.
    pub embargo: Option<Placed>,
    /// Works that are repealed when this one comes into force.
    pub supersede: Option<Placed>,
    /// Whether it is found by its words, and by what else it is chosen.
    pub search: Option<Search>,
    /// Whether it is in the feed.
    pub feed: bool,
    pub law: String,
}

/// By what works are found besides their words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Search {
    /// What sort of work it is.
    pub sort: Option<Placed>,
    /// Who has made it.
    pub issuer: Option<Placed>,
}

/// How a text is cut into parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cutting {
    /// As a text of law, down to a level.
    Law(Level),
    /// Each line is one.
    Paragraphs,
    /// Each field of the form is one.
    Fields,
}

/// What an event means.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// A work is there for the first time, with its first version.
    Publish,
    /// A whole new version takes the place of that before it.
    Amend,
    /// A version had a mistake, and its words are others: the reason is shown.
    Correct,
    /// It comes into force, as a whole or in parts.
    Commence,
    /// It is not applied for a time.
    Suspend,
    /// It is applied again.
    Resume,
    /// It is not in force any more.
    Repeal,
    /// It is taken back: its words are not shown any more, and the reason is.
    Withdraw,
}

impl EventKind {
    const WORDS: [(&'static str, Self); 8] = [
        ("publish", Self::Publish),
        ("amend", Self::Amend),
        ("correct", Self::Correct),
        ("commence", Self::Commence),
        ("suspend", Self::Suspend),
        ("resume", Self::Resume),
        ("repeal", Self::Repeal),
        ("withdraw", Self::Withdraw),
    ];

    fn named(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, kind)| *kind)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::WORDS.iter().find(|(_, kind)| *kind == self).map_or("", |(word, _)| word)
    }

    /// Whether a text comes with it.
    pub fn brings_text(self) -> bool {
        matches!(self, Self::Publish | Self::Amend | Self::Correct)
    }

    /// Whether readers are told why.
    pub fn needs_reason(self) -> bool {
        matches!(self, Self::Correct | Self::Suspend | Self::Withdraw)
    }

    /// Whether it may be of parts alone.
    pub fn of_parts(self) -> bool {
        matches!(self, Self::Commence | Self::Suspend | Self::Resume | Self::Repeal)
    }
}

/// What `parts` may say, and how texts are cut by it.
const PARTS: [(&str, Cutting); 5] = [
    ("article", Cutting::Law(Level::Article)),
    ("article/paragraph", Cutting::Law(Level::Paragraph)),
    ("article/paragraph/item", Cutting::Law(Level::Item)),
    ("article/paragraph/item/point", Cutting::Law(Level::Point)),
    ("paragraph", Cutting::Paragraphs),
];

impl Publication {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let name = table.must("publication")?;
        for key in ["title", "events"] {
            if !table.has(key) {
                table.mistake(What::MissingKey { key: key.into() });
            }
        }
        let by_fields = match table.text("unit").as_deref() {
            None | Some("text") => false,
            Some("fields") => true,
            Some(other) => {
                let known = ["text", "fields"].map(str::to_owned).into();
                table.mistake(What::Word { key: "unit", word: other.to_owned(), known });
                false
            }
        };
        let (text, parts) = (table.formula("text"), table.text("parts"));
        let cutting = match (by_fields, parts) {
            (true, parts) => {
                // Fields are their own parts, and there is no text.
                for key in parts.map(|_| "parts").into_iter().chain(text.as_ref().map(|_| "text")) {
                    let keys = "unit = \"fields\"";
                    table.mistake(What::Both { name: key.to_owned(), keys });
                }
                Cutting::Fields
            }
            (false, parts) => {
                if !table.has("text") {
                    table.mistake(What::MissingKey { key: "text".into() });
                }
                let word = parts.unwrap_or_else(|| "paragraph".into());
                let found = PARTS.iter().find(|(known, _)| *known == word);
                if found.is_none() {
                    let known = PARTS.iter().map(|(word, _)| (*word).to_owned()).collect();
                    table.mistake(What::Word { key: "parts", word, known });
                }
                found.map_or(Cutting::Paragraphs, |(_, cutting)| *cutting)
            }
        };
        let search = table.table("search").map(|search| Search {
            sort: search.formula("type"),
            issuer: search.formula("issuer"),
        });
        let events = events(table);
        if table.has("events") && events.iter().all(|(_, kind)| *kind != EventKind::Publish) {
            // Without it no work ever begins.
            table.mistake(What::MissingKey { key: "events: publish".into() });
        }
        Some(Self {
            at: table.at(),
            name,
            form: table.must("form")?,
            text: text.filter(|_| !by_fields),
            cutting,
            events,
            embargo: table.formula("embargo"),
            supersede: table.formula("supersede"),
            search,
            feed: table.bool("feed"),
            law: law(table),
            title: table.formula("title")?,
        })
    }

    /// What an event means.
    pub(crate) fn event(&self, name: &str) -> Option<EventKind> {
        self.events.iter().find(|(known, _)| known == name).map(|(_, kind)| *kind)
    }

    /// Its place among those of one day.
    pub(crate) fn rank(&self, name: &str) -> u32 {
        let place = self.events.iter().position(|(known, _)| known == name);
        place.and_then(|place| u32::try_from(place).ok()).unwrap_or(u32::MAX)
    }
}

/// `["publish", "withdraw"]`, or the module's own words: `{ tender = "publish" }`. Their order is that of one day.
fn events(table: &Table<'_>) -> Vec<(String, EventKind)> {
    let words = EventKind::WORDS.map(|(word, _)| word);
    if table.is_table("events") {
        let each = table.words("events", &words).into_iter();
        return each.filter_map(|(name, word)| Some((name, EventKind::named(&word)?))).collect();
    }
    let each = table.names("events").into_iter().filter_map(|word| {
        let kind = EventKind::named(&word);
        if kind.is_none() {
            let known = words.map(str::to_owned).into();
            table.mistake(What::Word { key: "events", word: word.clone(), known });
        }
        Some((word, kind?))
    });
    each.collect()
}
