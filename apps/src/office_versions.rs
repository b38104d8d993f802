//! Versions of modules: which are known, what is proposed and waits for a second officer, and what takes effect at a date.

use chancery_crypto::{Digest, cbor};
use chancery_protocol::FormValue;
use serde::{Deserialize, Serialize};

use crate::{
    civil::{Date, Instant},
    folder::{Folder, MEDIA_TYPE, MOST_ABOVE},
    input::Input,
    manifest::{Module, Touches},
    office::{self, Installed, KEEPER, OFFICE, applied, text},
    office_tables, publisher,
    reason::{Reason, Refusal},
    record::Applied,
    state::{Family, Key, Overlay, State, StateError},
};

/// A folder with those that it extends, as they were installed. None when it, or one of those, is not here.
///
/// # Errors
/// [`StateError`].
pub fn whole_folder(state: &dyn State, digest: &Digest) -> Result<Option<Folder>, StateError> {
    let mut all: Vec<Folder> = Vec::new();
    let mut next = Some(*digest);
    while let Some(digest) = next {
        let Some(bytes) = state.get(&office::folder(&digest))? else { return Ok(None) };
        let folder = Folder::decode(&bytes).map_err(StateError::damaged)?;
        next = folder.extends().and_then(|extends| extends.digest);
        all.push(folder);
        if all.len() > 1 + MOST_ABOVE {
            return Ok(None);
        }
    }
    let mut whole: Option<Folder> = None;
    for folder in all.into_iter().rev() {
        whole = Some(match whole {
            Some(above) => folder.over(above),
            None => folder,
        });
    }
    Ok(whole)
}

/// A version that is not in force yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposed {
    /// What will be in force. Until a second officer confirms it, `since` is when it may take effect at the earliest.
    pub version: Installed,
    /// What was in force when it was proposed, or is extended by it: the differences are against that.
    pub base: Digest,
    /// What the differences touch.
    pub touches: Vec<String>,
}

fn known_key(module: &str, digest: &Digest) -> Key {
    Key::new(Family::Module, module).name("version").id(&digest.to_string())
}

fn proposed_key(module: &str) -> Key {
    Key::new(Family::Module, module).name("proposed")
}

fn coming_key(module: &str) -> Key {
    Key::new(Family::Module, module).name("coming")
}

fn read<T: serde::de::DeserializeOwned>(
    state: &dyn State,
    key: &Key,
) -> Result<Option<T>, StateError> {
    let found = state.get(key)?;
    found.map(|bytes| cbor::decode(&bytes).map_err(StateError::damaged)).transpose()
}

/// A version of a module that is or was in force.
///
/// # Errors
/// [`StateError`].
pub fn known(
    state: &dyn State,
    module: &str,
    digest: &Digest,
) -> Result<Option<Installed>, StateError> {
    if let Some(found) = read(state, &known_key(module, digest))? {
        return Ok(Some(found));
    }
    Ok(office::installed(state, module)?.filter(|installed| installed.digest == *digest))
}

/// The names of modules of which something waits stand beside each other.
fn waiting_key(module: &str) -> Key {
    Key::new(Family::Module, "").name("waiting").id(module)
}

/// All that waits for a second officer, by module.
///
/// # Errors
/// [`StateError`].
pub fn waiting(state: &dyn State) -> Result<Vec<(String, Proposed)>, StateError> {
    let names = state.scan(&waiting_key(""), "", 10_000)?;
    let each = names.into_iter().filter_map(|(key, _)| {
        proposed(state, &key.id).transpose().map(|found| found.map(|found| (key.id, found)))
    });
    each.collect()
}

/// What waits for a second officer.
///
/// # Errors
/// [`StateError`].
pub fn proposed(state: &dyn State, module: &str) -> Result<Option<Proposed>, StateError> {
    read(state, &proposed_key(module))
}

/// What takes effect at a date that is to come.
///
/// # Errors
/// [`StateError`].
pub fn coming(state: &dyn State, module: &str) -> Result<Option<Installed>, StateError> {
    read(state, &coming_key(module))
}

fn refused(act: &str, why: Refusal) -> Result<Result<Applied, Vec<Reason>>, StateError> {
    Ok(Err(vec![Reason { rule: format!("{OFFICE}/{act}"), law: None, why }]))
}

fn field(act: &str, name: &str) -> Result<Result<Applied, Vec<Reason>>, StateError> {
    refused(act, Refusal::Field { field: name.to_owned() })
}

/// Decides that a module is installed. Whoever may is asked before.
pub(crate) fn install(
    overlay: &mut Overlay<'_>,
    input: &Input,
) -> Result<Result<Applied, Vec<Reason>>, StateError> {
    const ACT: &str = "install";
    let Some(wanted) = text(input, "digest") else { return field(ACT, "digest") };
    let bytes = match (&input.document.part, input.document.header.parts.as_slice()) {
        (Some(bytes), [part])
            if part.media_type == MEDIA_TYPE && Digest::of(bytes) == part.digest =>
        {
            bytes
        }
        _ => return refused(ACT, Refusal::OtherFolder),
    };
    let own = match Folder::decode(bytes) {
        // Nothing is brought along of what it extends: that is installed by itself.
        Ok(folder) if folder.digest().to_string() == wanted && folder.above().is_none() => folder,
        _ => return refused(ACT, Refusal::OtherFolder),
    };
    let folder = match own.extends() {
        None => own,
        Some(extends) => {
            let name = extends.name;
            let missing = |name| refused(ACT, Refusal::NoParent { name });
            let Some(digest) = extends.digest else { return missing(name) };
            if known(overlay, &name, &digest)?.is_none() {
                return missing(name);
            }
            match whole_folder(overlay, &digest)? {
                Some(above) => own.over(above),
                None => return missing(name),
            }
        }
    };
    let module = match Module::read(&folder) {
        Ok(module) => module,
        Err(mistakes) => {
            let first = mistakes.first().map(|mistake| {
                format!("{}:{} {}", mistake.at.file, mistake.at.line, mistake.what.code())
            });
            let (mistakes, first) = (mistakes.len(), first.unwrap_or_default());
            return refused(ACT, Refusal::Folder { mistakes, first });
        }
    };
    if module.name() == OFFICE {
        return field(ACT, "digest");
    }
    if let Some(why) = office_tables::twice(overlay, &module)? {
        return refused(ACT, why);
    }
    if let Err(why) = publisher::of(overlay, input, module.name(), module.publisher())? {
        return refused(ACT, why);
    }
    let since = match input.document.form().get("from") {
        None => input.lodged,
        Some(FormValue::Text(day)) => match day.parse::<Date>() {
            // What was signed today takes effect today, or later.
            Ok(day) if module.zone().date(input.lodged) <= day => {
                module.zone().begin(day).max(input.lodged)
            }
            _ => return field(ACT, "from"),
        },
        Some(_) => return field(ACT, "from"),
    };
    let signers = &input.document.signers;
    let first = input.document.signer().name;
    let mut version = Installed {
        digest: module.digest(),
        version: module.version().to_owned(),
        since: since.0,
        by: first.clone(),
        document: input.document.id.to_string(),
        second: None,
    };
    overlay.put(office::folder(&module.digest()), bytes.clone());
    // Against what is in force, or, of a variant that is new here, against what it extends.
    let base = match office::installed(overlay, module.name())? {
        Some(installed) => whole_folder(overlay, &installed.digest)?,
        None => folder.above().cloned(),
    };
    if let Some(base) = base {
        let mut touches: Vec<_> = folder.changes(&base).iter().map(|one| one.touches).collect();
        touches.retain(|touches| *touches != Touches::Other);
        touches.sort_unstable();
        touches.dedup();
        if !touches.is_empty() {
            for signer in signers.iter().filter(|signer| signer.name != first) {
                if office::holds(overlay, OFFICE, KEEPER, &signer.name, input.lodged)?.whole {
                    version.second = Some(signer.name.clone());
                    break;
                }
            }
            if version.second.is_none() {
                let touches = touches.iter().map(|touches| touches.name().to_owned()).collect();
                let waiting = Proposed { version, base: base.digest(), touches };
                let key = proposed_key(module.name());
                overlay.put(key, cbor::encode(&waiting).expect("plain"));
                overlay.put(waiting_key(module.name()), Vec::new());
                return Ok(Ok(applied("module", module.name().to_owned(), "proposed")));
            }
        }
    }
    settle(overlay, &module, version, input.lodged)
}

/// Puts a version into force, or notes from when on it will be.
fn settle(
    overlay: &mut Overlay<'_>,
    module: &Module,
    version: Installed,
    lodged: Instant,
) -> Result<Result<Applied, Vec<Reason>>, StateError> {
    let name = module.name();
    overlay.delete(proposed_key(name));
    overlay.delete(waiting_key(name));
    let later = version.since > lodged.0;
    schedule(overlay, name, later.then_some(&version))?;
    let state = match later {
        true => "coming",
        false => {
            in_force(overlay, module, &version);
            "in-force"
        }
    };
    Ok(Ok(applied("module", name.to_owned(), state)))
}

fn in_force(overlay: &mut Overlay<'_>, module: &Module, version: &Installed) {
    let kept = cbor::encode(version).expect("plain");
    overlay.put(known_key(module.name(), &version.digest), kept.clone());
    overlay.put(office::in_force(module.name()), kept);
    overlay.put(office::listed().id(module.name()), Vec::new());
    office_tables::installed(overlay, module, version.since);
}

/// The case of the office under which what takes effect at a date stands among deadlines.
pub(crate) const CASE: &str = "version";

/// What takes effect then, as a deadline.
pub(crate) const DUE: &str = "effective";

/// Notes what is to take effect, in place of what was.
fn schedule(
    overlay: &mut Overlay<'_>,
    module: &str,
    version: Option<&Installed>,
) -> Result<(), StateError> {
    let place =
        |since: i64| crate::case::at_key(&format!("{:020}/{OFFICE}/{CASE}/{module}", since.max(0)));
    if let Some(old) = coming(overlay, module)? {
        overlay.delete(place(old.since));
        overlay.delete(coming_key(module));
    }
    if let Some(version) = version {
        overlay.put(place(version.since), Vec::new());
        overlay.put(coming_key(module), cbor::encode(version).expect("plain"));
    }
    Ok(())
}

/// What takes effect of a module by a moment, if something does; and how often something did before.
pub(crate) fn due(
    state: &dyn State,
    module: &str,
    by: Instant,
) -> Result<Option<(Installed, u32)>, StateError> {
    let Some(version) = coming(state, module)?.filter(|version| version.since <= by.0) else {
        return Ok(None);
    };
    let before = state.scan(&Key::new(Family::Module, module).name("version"), "", 10_000)?;
    Ok(Some((version, u32::try_from(before.len()).unwrap_or(u32::MAX))))
}

/// Puts into force what was to be.
pub(crate) fn take_effect(
    overlay: &mut Overlay<'_>,
    module: &Module,
    version: &Installed,
) -> Result<Applied, StateError> {
    schedule(overlay, module.name(), None)?;
    in_force(overlay, module, version);
    Ok(applied("module", module.name().to_owned(), "in-force"))
}

/// Decides that a second officer confirms what a first has proposed. Whoever may is asked before.
pub(crate) fn confirm(
    overlay: &mut Overlay<'_>,
    input: &Input,
) -> Result<Result<Applied, Vec<Reason>>, StateError> {
    const ACT: &str = "confirm";
    let Some(of) = text(input, "of") else { return field(ACT, "of") };
    let Some(waiting) = proposed(overlay, of)? else { return refused(ACT, Refusal::NoThing) };
    if text(input, "digest") != Some(waiting.version.digest.to_string().as_str()) {
        return field(ACT, "digest");
    }
    let second = input.document.signer().name;
    if second == waiting.version.by {
        return refused(ACT, Refusal::Excluded { who: second, not_by: "install".to_owned() });
    }
    let gone = || StateError::damaged("a module that was proposed is gone");
    let folder = whole_folder(overlay, &waiting.version.digest)?.ok_or_else(gone)?;
    let module = Module::read(&folder).map_err(|_| gone())?;
    // The differences that were shown are against what has been in force since.
    let now = match office::installed(overlay, of)? {
        Some(installed) => Some(installed.digest),
        None => folder.above().map(Folder::digest),
    };
    if now != Some(waiting.base) {
        let holds = now.map(|now| now.to_string()).unwrap_or_default();
        return refused(ACT, Refusal::OtherVersion { holds });
    }
    let since = waiting.version.since.max(input.lodged.0);
    let version = Installed { second: Some(second), since, ..waiting.version };
    settle(overlay, &module, version, input.lodged)
}
