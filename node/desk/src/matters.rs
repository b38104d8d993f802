//! Looking at what modules keep: which modules there are, matters and their deadlines, what is to be done, and what an auditor
//! decides again.

use std::collections::BTreeMap;

use chancery_apps::{
    Appointed, Coming, Deadline, Family, Instant, Key, Module, Reader, Reason, Shown, Step,
};
use chancery_bus::NodeError;
use chancery_crypto::{Digest, Language, cbor};
use chancery_ledger::unix_now;
use chancery_store::Blocking;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use utoipa::ToSchema;

use crate::{
    Office,
    access::{Action, Caller, Object},
    decider::{self, Looking},
    views::ExportedFile,
};

/// How something is called, or what is said of it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Called {
    /// In Chinese.
    pub zh: String,
    /// In English.
    pub en: String,
}

/// A module that is in force.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ModuleView {
    /// Its name.
    pub name: String,
    /// Its names for people.
    pub zh: String,
    /// The same in English.
    pub en: String,
    /// The version, as its makers call it.
    pub version: String,
    /// The digest of its folder.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// Since when, in seconds since 1970 UTC.
    pub since: i64,
    /// Who has installed it.
    pub by: String,
    /// How many decisions it has seen; for whoever reads all that it keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decisions: Option<u64>,
    /// The digest of its state; for whoever reads all that it keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub state: Option<Digest>,
}

/// A matter: a thing that a module keeps.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MatterView {
    /// The module.
    pub module: String,
    /// The case.
    pub case: String,
    /// Which one.
    pub id: String,
    /// How it is called.
    pub title: String,
    /// The office to which it belongs, by its path; none: the whole agency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub office: Option<String>,
    /// Its state, by name.
    pub state: String,
    /// The state as people call it, in Chinese.
    pub state_zh: String,
    /// The same in English.
    pub state_en: String,
    /// Since when, in seconds since 1970 UTC.
    pub since: i64,
    /// How many decisions it has seen.
    pub sequence: u64,
    /// What was set.
    pub set: BTreeMap<String, String>,
    /// Rules that did not hold, and duties that were not met.
    pub flags: Vec<String>,
    /// Its deadlines.
    pub deadlines: Vec<DeadlineView>,
    /// What was done, when and by whom.
    pub done: Vec<DoneView>,
    /// What can be done now, by whom.
    pub possible: Vec<PossibleView>,
}

/// A deadline of a matter.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeadlineView {
    /// Its name.
    pub name: String,
    /// As people call it.
    pub called: Called,
    /// Its last day.
    pub day: String,
    /// The moment at which it is over.
    pub end: String,
    /// The article.
    pub law: String,
    /// Whose duty it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owes: Option<String>,
    /// Whether it is over: met, or passed.
    pub over: bool,
    /// How it was counted.
    pub counted: Vec<Called>,
}

/// Something that was done.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DoneView {
    /// The act.
    pub act: String,
    /// As people call it.
    pub called: Called,
    /// When it was done last, in seconds since 1970 UTC.
    pub at: i64,
    /// Who, in order.
    pub by: Vec<String>,
    /// The newest document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// Who has signed that for the last of them, if another has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hand: Option<String>,
    /// As what: agent, guardian or assisted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<String>,
}

/// Something that can be done now.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PossibleView {
    /// The act.
    pub act: String,
    /// As people call it.
    pub called: Called,
    /// By whom.
    pub by: Vec<String>,
}

/// A decision as it is exported: whoever has them all decides again.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedDecision {
    /// The record's bytes.
    pub record: ByteBuf,
    /// Under which the ledger commits to it.
    pub salt: Digest,
    /// The document that was decided upon, with its signatures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<ByteBuf>,
}

/// Decisions of a file of an export.
pub const BUNDLE: u64 = 256;

/// The most matters of a list.
const MOST: usize = 10_000;

/// The modules in force.
///
/// # Errors
/// [`NodeError`].
pub fn modules(
    here: &Blocking,
    office: &Office,
    caller: &Caller,
) -> Result<Vec<ModuleView>, NodeError> {
    let all_of_it = office.reader(caller)? == Reader::Full;
    let look = decider::looking(here, office);
    let heads = decider::heads(&look)?;
    let all = look.with(|kernel, state| kernel.modules(state))?;
    let head =
        |name: &str| heads.iter().find(|(known, _)| known == name).map(|(_, head)| head.clone());
    let views = all.into_iter().filter_map(|(installed, module)| {
        let head = head(module.name())?;
        Some(ModuleView {
            name: module.name().to_owned(),
            zh: module.names().zh.clone(),
            en: module.names().en.clone(),
            version: installed.version,
            digest: installed.digest,
            since: installed.since,
            by: installed.by,
            decisions: all_of_it.then_some(head.decisions),
            state: all_of_it.then_some(head.digest),
        })
    });
    Ok(views.collect())
}

/// Who was appointed to the roles of a module, or of the office, as far as the caller may see that.
///
/// # Errors
/// [`NodeError`].
pub fn appointed(
    here: &Blocking,
    office: &Office,
    caller: &Caller,
    module: &str,
) -> Result<Vec<Appointed>, NodeError> {
    let (who, home) = (office.reader(caller)?, office.identity().agency.to_string());
    decider::looking(here, office).with(|kernel, state| {
        kernel.reading(state, &who, &home, Instant(unix_now()))?.appointed(module)
    })
}

/// What waits for a second officer, by module.
///
/// # Errors
/// [`NodeError`].
pub fn waiting(
    here: &Blocking,
    office: &Office,
    caller: &Caller,
) -> Result<Vec<(String, chancery_apps::Proposed)>, NodeError> {
    office.reader(caller)?;
    decider::looking(here, office).with(|_, state| chancery_apps::waiting(state))
}

/// What a plan would do with the running matters of a module.
///
/// # Errors
/// [`NodeError::NotFound`] for whoever could not sign it, [`NodeError::Declined`] when it would be refused whatever it left out.
pub fn try_migration(
    here: &Blocking,
    office: &Office,
    caller: &Caller,
    module: &str,
    plan: &str,
) -> Result<chancery_apps::Cover, NodeError> {
    let (who, home) = (office.reader(caller)?, office.identity().agency.to_string());
    let found = decider::looking(here, office).with(|kernel, state| {
        kernel.reading(state, &who, &home, Instant(unix_now()))?.try_migration(module, plan)
    })?;
    let found = found.ok_or_else(|| NodeError::NotFound(module.to_owned()))?;
    found.map_err(|why| {
        let reason = Reason { rule: "office/migrate".to_owned(), law: None, why };
        NodeError::Declined {
            code: reason.why.code(),
            en: reason.say_plainly(Language::En),
            zh: reason.say_plainly(Language::Zh),
            rules: reason.rule,
        }
    })
}

/// The folder of a module in force.
///
/// # Errors
/// [`NodeError::NotFound`] when none is in force under the name.
pub fn folder(
    here: &Blocking,
    office: &Office,
    caller: &Caller,
    module: &str,
) -> Result<Vec<u8>, NodeError> {
    // What is in force is for everybody.
    office.reader(caller)?;
    let look = decider::looking(here, office);
    let found = look.with(|_, state| match chancery_apps::installed(state, module)? {
        Some(installed) => {
            // With all that it extends, so that whoever reads it needs nothing else.
            let whole = chancery_apps::whole_folder(state, &installed.digest)?;
            Ok(whole.map(|whole| whole.encode_whole()))
        }
        None => Ok(None),
    })?;
    found.ok_or_else(|| NodeError::NotFound(module.to_owned()))
}

/// Which matters are asked for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Question {
    /// Of this module; of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// In this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Of which somebody has something to do now: whoever asks, or this officer.
    #[serde(default)]
    pub tasks: bool,
    /// The officer whose tasks are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// At most so many.
    pub limit: u32,
}

/// Matters that the caller may read, the ones with the earliest deadline first.
///
/// # Errors
/// [`NodeError`].
pub fn matters(
    here: &Blocking,
    office: &Office,
    caller: &Caller,
    question: &Question,
) -> Result<Vec<MatterView>, NodeError> {
    let who = office.reader(caller)?;
    let look = decider::looking(here, office);
    let limit = usize::try_from(question.limit).unwrap_or(MOST).min(MOST);
    let mut found = Vec::new();
    let modules = look.with(|kernel, state| kernel.modules(state))?;
    for (_, module) in &modules {
        if question.module.as_ref().is_some_and(|wanted| wanted != module.name()) {
            continue;
        }
        for case in module.cases() {
            for state_name in module.states(case) {
                if question.state.as_ref().is_some_and(|wanted| *wanted != state_name) {
                    continue;
                }
                if question.tasks && module.ends(case, &state_name) {
                    continue;
                }
                let index = Key::new(Family::Index, module.name())
                    .name(&format!("{case}/state"))
                    .value(&state_name);
                let ids = look.with(|_, state| decider::beside(state, &index, MOST))?;
                let ids = ids.into_iter().map(|key| coming(module.name(), case, &key.id));
                for view in views(&look, office, &who, ids)? {
                    if !question.tasks || waits_for(&look, &view, question.of.as_deref())? {
                        found.push(view);
                    }
                }
            }
        }
    }
    let first = |view: &MatterView| {
        let open = view.deadlines.iter().filter(|due| !due.over).map(|due| due.end.clone());
        (open.min().unwrap_or_else(|| "9".into()), view.since, view.id.clone())
    };
    found.sort_by_key(first);
    found.truncate(limit);
    Ok(found)
}

/// Whether somebody can do something with it now; anybody, if nobody is named.
fn waits_for(look: &Looking<'_>, view: &MatterView, who: Option<&str>) -> Result<bool, NodeError> {
    let Some(who) = who else { return Ok(!view.possible.is_empty()) };
    for possible in &view.possible {
        let coming = coming(&view.module, &view.case, &view.id);
        let may = look.with(|kernel, state| {
            kernel.may(state, &coming, &possible.act, who, Instant(unix_now()))
        })?;
        if may {
            return Ok(true);
        }
    }
    Ok(false)
}

fn coming(module: &str, case: &str, thing: &str) -> Coming {
    Coming { module: module.to_owned(), case: case.to_owned(), thing: thing.to_owned() }
}

/// Does something with a matter as the caller may read it, found as [`matter`] finds it; `work` is also told when it is.
///
/// # Errors
/// As of [`matter`].
pub fn with_matter<T>(
    here: &Blocking,
    office: &Office,
    caller: &Caller,
    id: &str,
    work: impl FnOnce(&chancery_apps::Reading<'_>, &Coming, Instant) -> T,
) -> Result<T, NodeError> {
    let view = matter(here, office, caller, id)?;
    let (who, home) = (office.reader(caller)?, office.identity().agency.to_string());
    let (found, now) = (coming(&view.module, &view.case, &view.id), Instant(unix_now()));
    decider::looking(here, office).with(|kernel, state| {
        let reading = kernel.reading(state, &who, &home, now)?;
        Ok(work(&reading, &found, now))
    })
}

/// A matter by the first digits of its id, among those that the caller may read: he does not learn that there are others.
///
/// # Errors
/// [`NodeError::NotFound`], [`NodeError::Ambiguous`].
pub fn matter(
    here: &Blocking,
    office: &Office,
    caller: &Caller,
    id: &str,
) -> Result<MatterView, NodeError> {
    let who = office.reader(caller)?;
    let look = decider::looking(here, office);
    if id.len() < 4 {
        return Err(NodeError::NotFound(id.to_owned()));
    }
    let modules = look.with(|kernel, state| kernel.modules(state))?;
    let mut found = Vec::new();
    for (_, module) in &modules {
        for case in module.cases() {
            let things = Key::new(Family::Thing, module.name()).name(case);
            let ids = look.with(|_, state| decider::beside(state, &things, MOST))?;
            for key in ids.into_iter().filter(|key| key.id.starts_with(id)) {
                found.push(coming(module.name(), case, &key.id));
            }
        }
    }
    let mut found = views(&look, office, &who, found)?;
    match (found.pop(), found.is_empty()) {
        (None, _) => Err(NodeError::NotFound(id.to_owned())),
        (Some(view), true) => Ok(view),
        (Some(_), false) => Err(NodeError::Ambiguous(id.to_owned())),
    }
}

fn both(module: &Module, name: &str, otherwise: &str) -> Called {
    let say = |language| module.text(language, name).unwrap_or(otherwise).to_owned();
    Called { zh: say(Language::Zh), en: say(Language::En) }
}

/// Of some matters those that somebody may read, as he may see them.
fn views(
    look: &Looking<'_>,
    office: &Office,
    who: &Reader,
    matters: impl IntoIterator<Item = Coming>,
) -> Result<Vec<MatterView>, NodeError> {
    let (home, now) = (office.identity().agency.to_string(), Instant(unix_now()));
    look.with(|kernel, state| {
        let reading = kernel.reading(state, who, &home, now)?;
        let mut found = Vec::new();
        for matter in matters {
            if let Some(shown) = reading.thing(&matter)? {
                let dues = kernel.deadlines(state, &matter, &home, now)?;
                found.push(view(matter, shown, dues));
            }
        }
        Ok(found)
    })
}

fn view(matter: Coming, shown: Shown, dues: Vec<Deadline>) -> MatterView {
    let Shown { module: described, thing, hidden } = shown;
    let Coming { module, case, thing: id } = matter;
    let zone = described.zone();
    let dues = dues.into_iter().filter(|due| !hidden.dues.contains(&due.name));
    let deadlines = dues.map(|due| DeadlineView {
        called: both(&described, &format!("due-{case}-{}", due.name), &due.name),
        day: due.moment.day.to_string(),
        end: zone.show(due.moment.end),
        law: due.law,
        owes: due.owes,
        over: due.met,
        counted: due.moment.steps.iter().map(said).collect(),
        name: due.name,
    });
    let done = thing.authors.iter().map(|(act, by)| DoneView {
        called: both(&described, &format!("act-{case}-{act}"), act),
        at: thing.when(act).map_or(0, |at| at.0),
        by: by.clone(),
        document: thing.documents.get(act).cloned(),
        hand: thing.hands.get(act).map(|hand| hand.by.clone()),
        how: thing.hands.get(act).map(|hand| hand.how.name().to_owned()),
        act: act.clone(),
    });
    let mut done: Vec<_> = done.collect();
    done.sort_by_key(|done| done.at);
    let possible = described.possible(&case, &thing.state).into_iter().map(|(act, by)| {
        PossibleView { called: both(&described, &format!("act-{case}-{act}"), &act), by, act }
    });
    let state = both(&described, &format!("state-{case}-{}", thing.state), &thing.state);
    MatterView {
        since: thing.when(&thing.state).map_or(0, |at| at.0),
        title: thing.title.clone(),
        office: Some(thing.office.clone()).filter(|office| !office.is_empty()),
        state: thing.state.clone(),
        state_zh: state.zh,
        state_en: state.en,
        sequence: thing.sequence,
        set: thing.set.iter().map(|(name, value)| (name.clone(), value.to_string())).collect(),
        flags: thing.flags.clone(),
        deadlines: deadlines.collect(),
        done,
        possible: possible.collect(),
        module,
        case,
        id,
    }
}

/// A step of counting, in Chinese and in English.
fn said(step: &Step) -> Called {
    Called { zh: step.say(Language::Zh), en: step.say(Language::En) }
}

/// Gives what an auditor needs to decide again: every decision with its document, and the folders of modules.
///
/// # Errors
/// [`NodeError`]; the function's own.
pub fn export(
    here: &Blocking,
    office: &Office,
    caller: &Caller,
    give: &impl Fn(ExportedFile) -> Result<(), NodeError>,
) -> Result<(), NodeError> {
    // It is for whoever reads everything. An officer who only has the right by a role that he is not known by has not.
    if office.reader(caller)? != Reader::Full {
        office.permit(caller, Action::EXPORT, Object::Node)?;
        let why = format!("{caller} reads as an officer here, and what he may read is not all");
        return Err(NodeError::NotPermitted { rule: "the export of what was decided".into(), why });
    }
    let look = decider::looking(here, office);
    let count = look.with(|_, state| chancery_apps::decisions(state))?;
    for bundle in 0..count.div_ceil(BUNDLE) {
        let mut all = Vec::new();
        for number in bundle * BUNDLE..count.min((bundle + 1) * BUNDLE) {
            let kept = decider::kept(here, office, number)?;
            let missing = || NodeError::damaged(format!("decision {number} is missing"));
            let kept = kept.ok_or_else(missing)?;
            let document = match kept.envelope {
                Some(envelope) => {
                    let (_, document) = crate::opening::inside(here, office, &envelope)?;
                    Some(ByteBuf::from(document.bytes().to_vec()))
                }
                None => None,
            };
            all.push(ExportedDecision { record: kept.record, salt: kept.salt, document });
        }
        give(ExportedFile { path: format!("decisions/{bundle:09}"), bytes: cbor::encode(&all)? })?;
    }
    let folders = Key::new(Family::Module, "").name("folder");
    let all = look.with(|_, state| decider::beside(state, &folders, MOST))?;
    for key in all {
        let bytes = look.with(|_, state| state.get(&key))?.unwrap_or_default();
        give(ExportedFile { path: format!("modules/{}", key.id), bytes })?;
    }
    Ok(())
}
