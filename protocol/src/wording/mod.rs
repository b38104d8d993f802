//! What people read: the one place of this room in which sentences stand, in English and Chinese. Everything else makes
//! values.

mod error;
mod fact;
mod fault;
mod ledger;
mod rejection;
mod sub_indication;

#[cfg(test)]
mod tests;

use std::fmt;

use chancery_crypto::{Language, say};

use crate::{Event, Fact, Finding, Unread, Whose, text::TextFault};

impl Finding {
    /// What was checked and what was found, in a sentence.
    pub fn say(&self, language: Language) -> String {
        self.fact.say(language)
    }
}

impl Fact {
    /// What was found, in a sentence.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Document(fact) => fact.say(language),
            Self::Signature(fact) => fact.say(language),
            Self::Stamp(fact) => fact.say(language),
            Self::Path(error) => error.say(language),
            Self::Evidence(fact) => fact.say(language),
            Self::Container(fact) => fact.say(language),
            Self::Ledger(fact) => fact.say(language),
            Self::Entry(fact) => fact.say(language),
            Self::Times(fact) => fact.say(language),
            Self::File(fact) => fact.say(language),
            Self::Told { en, zh } => language.pick(en, zh).clone(),
        }
    }
}

impl Unread {
    /// Why it cannot be read. What others said stands as they said it.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Error(error) => error.say(language),
            Self::Told(why) => why.clone(),
        }
    }
}

impl Whose {
    /// Whose evidence it is, as it stands behind "the evidence of".
    fn say(&self, language: Language) -> String {
        match self {
            Self::Agency(agency) => agency.to_string(),
            Self::Carried => {
                say!(language, ("a ledger, carried in the document,"), ("文件所附回执的账本"))
            }
        }
    }
}

impl Event {
    /// Its name; of one that is not known here, that it is not.
    pub fn say(&self, language: Language) -> String {
        let name = self.name();
        match self {
            Self::Unknown(_) => say!(language, ("unknown ({name})"), ("未知事件（{name}）")),
            _ => name.to_owned(),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.say(Language::En))
    }
}

impl fmt::Display for TextFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.say(Language::En))
    }
}
