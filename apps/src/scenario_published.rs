//! What a story expects readers of a publication to see.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{civil::Date, mechanism::Published, state::StateError};

/// What everybody sees of a work at a moment of a story.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seen {
    /// The work; else that which has the name of the thing.
    #[serde(default)]
    work: Option<String>,
    /// The day as of which it is read; else today.
    #[serde(default)]
    on: Option<String>,
    /// Whether it is there at all.
    #[serde(default)]
    seen: Option<bool>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    version: Option<u32>,
    /// The reason that the newest event gives; empty: it gives none.
    #[serde(default)]
    reason: Option<String>,
    /// Its parts by their addresses: the words, or of a part that is otherwise than the whole its status in brackets before them.
    #[serde(default)]
    parts: BTreeMap<String, String>,
    /// How many works there are.
    #[serde(default)]
    count: Option<usize>,
}

impl Seen {
    /// In what it is otherwise, if it is.
    pub(crate) fn differs(
        &self,
        published: &Published<'_>,
        publication: &str,
        thing: &str,
    ) -> Result<Option<String>, StateError> {
        let day = match &self.on {
            None => published.today(),
            Some(text) => match text.parse::<Date>() {
                Ok(day) => day,
                Err(_) => return Ok(Some(format!("on: {text}"))),
            },
        };
        if let Some(wanted) = self.count {
            let found = published.count(publication, day)?;
            if found != wanted {
                return Ok(Some(format!("count: {found} and not {wanted}")));
            }
        }
        let work = self.work.as_deref().unwrap_or(thing);
        let opened = published.open(publication, work, day)?;
        if let Some(wanted) = self.seen.filter(|wanted| *wanted != opened.is_some()) {
            return Ok(Some(format!("seen: {} and not {wanted}", !wanted)));
        }
        let asked = self.title.is_some() || self.status.is_some() || self.version.is_some();
        let Some(opened) = opened else {
            let asked = asked || self.reason.is_some() || !self.parts.is_empty();
            return Ok(asked.then(|| "it is not there".into()));
        };
        let reason = opened.of.events.last().and_then(|event| event.reason.clone());
        let found = [
            ("title", &self.title, opened.of.title.clone()),
            ("status", &self.status, opened.status.name().to_owned()),
            ("version", &self.version.map(|n| n.to_string()), opened.version.to_string()),
            ("reason", &self.reason, reason.unwrap_or_default()),
        ];
        for (what, wanted, found) in found {
            if wanted.as_ref().is_some_and(|wanted| *wanted != found) {
                let wanted = wanted.clone().unwrap_or_default();
                return Ok(Some(format!("{what}: {found} and not {wanted}")));
            }
        }
        for (address, wanted) in &self.parts {
            let part = opened.parts.iter().find(|(part, _)| part.address == *address);
            let found = part.map(|(part, status)| match *status == opened.status {
                true => part.text.clone(),
                false => format!("[{}] {}", status.name(), part.text),
            });
            if found.as_deref().unwrap_or_default() != wanted {
                let found = found.unwrap_or_else(|| "nothing".into());
                return Ok(Some(format!("parts.{address}: {found} and not {wanted}")));
            }
        }
        Ok(None)
    }
}
