//! What modules have told somebody: answers to his questions, who has looked at what is kept of him, and notices. Each is for one
//! person; whoever may read all that modules keep may name another.

use chancery_apps::{Answer, Instant, Look, Notice, Reader, StateError};
use chancery_bus::NodeError;
use chancery_store::Blocking;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Office, access::Caller, decider};

/// The most of a list.
const MOST: usize = 10_000;

/// Of whom somebody may ask: of himself, and who reads everything of whomever he names.
fn of_whom(who: Reader, of: Option<String>) -> Result<String, NodeError> {
    let nobody = |of: Option<String>| NodeError::NotFound(of.unwrap_or_default());
    match (who, of) {
        (Reader::Full, Some(of)) => Ok(of),
        (Reader::Named(name), None) => Ok(name),
        (Reader::Named(name), Some(of)) if of == name => Ok(of),
        (_, of) => Err(nobody(of)),
    }
}

/// Who has looked, as systems are told it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LookView {
    /// The module.
    pub module: String,
    /// The registry.
    pub registry: String,
    /// The question.
    pub ask: String,
    /// Who has looked.
    pub who: String,
    /// For what purpose, if one must be named.
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

impl LookView {
    /// The module and the look.
    pub fn into_look(self) -> (String, Look) {
        let Self { module, registry, ask, who, purpose, basis, law, at, document } = self;
        (module, Look { registry, ask, who, purpose, basis, law, at, document })
    }

    /// A look at what a module keeps.
    pub fn of(module: String, look: Look) -> Self {
        let Look { registry, ask, who, purpose, basis, law, at, document } = look;
        Self { module, registry, ask, who, purpose, basis, law, at, document }
    }
}

/// What somebody was told, as systems are told it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NoticeView {
    /// The module.
    pub module: String,
    /// The case.
    pub case: String,
    /// The matter.
    pub matter: String,
    /// How that is called.
    pub title: String,
    /// The name of the text in the module's words.
    pub say: String,
    /// When, in seconds since 1970 UTC.
    pub at: i64,
}

impl NoticeView {
    /// The module and the notice.
    pub fn into_notice(self) -> (String, Notice) {
        let Self { module, case, matter, title, say, at } = self;
        (module, Notice { case, thing: matter, title, say, at })
    }

    /// A notice of a module.
    pub fn of(module: String, notice: Notice) -> Self {
        let Notice { case, thing, title, say, at } = notice;
        Self { module, case, matter: thing, title, say, at }
    }
}

/// What a registry has answered to a question, for whoever has asked it.
///
/// # Errors
/// [`NodeError::NotFound`], also for what somebody else has asked.
pub fn answer(
    here: &Blocking,
    office: &Office,
    caller: &Caller,
    module: &str,
    document: &str,
) -> Result<Answer, NodeError> {
    let who = office.reader(caller)?;
    let look = decider::looking(here, office);
    let found = look.with(|_, state| Answer::of(state, module, document))?;
    let his = |answer: &Answer| match &who {
        Reader::Full => true,
        Reader::Named(name) => *name == answer.asker,
        Reader::Public => false,
    };
    found.filter(his).ok_or_else(|| NodeError::NotFound(document.to_owned()))
}

/// Who has looked at what the modules keep of somebody, with the module.
///
/// # Errors
/// [`NodeError`].
pub fn looks(
    here: &Blocking,
    office: &Office,
    caller: &Caller,
    of: Option<String>,
) -> Result<Vec<(String, Look)>, NodeError> {
    each(here, office, caller, of, |state, module, of| {
        chancery_apps::looks(state, module, of, "", MOST)
    })
}

/// What the modules have told somebody, with the module.
///
/// # Errors
/// [`NodeError`].
pub fn notices(
    here: &Blocking,
    office: &Office,
    caller: &Caller,
    of: Option<String>,
) -> Result<Vec<(String, Notice)>, NodeError> {
    each(here, office, caller, of, |state, module, of| {
        chancery_apps::notices(state, module, of, Instant(0), MOST)
    })
}

fn each<T>(
    here: &Blocking,
    office: &Office,
    caller: &Caller,
    of: Option<String>,
    find: impl Fn(&dyn chancery_apps::State, &str, &str) -> Result<Vec<T>, StateError>,
) -> Result<Vec<(String, T)>, NodeError> {
    let of = of_whom(office.reader(caller)?, of)?;
    decider::looking(here, office).with(|kernel, state| {
        let mut all = Vec::new();
        for (_, module) in kernel.modules(state)? {
            let found = find(state, module.name(), &of)?;
            all.extend(found.into_iter().map(|one| (module.name().to_owned(), one)));
        }
        Ok(all)
    })
}
