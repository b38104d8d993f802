//! As whom somebody reads what modules keep. What he may read then is chosen by the kernel, at every door alike.

use chancery_apps::{
    Coming, Document, Input, Instant, Kernel, Readable, Reader, Reason, Refusal, Signer, State,
    StateError,
};
use chancery_bus::NodeError;
use chancery_ledger::unix_now;
use chancery_store::Blocking;

use crate::{
    Office,
    access::{Action, Caller, Object},
    decider,
    heads::OpenedHead,
};

impl Office {
    /// As whom somebody reads what modules keep. An officer reads as himself, also as a user of this machine or by a token that
    /// is his. Whoever may export what was decided, and is not known as an officer, reads everything; everybody else what is
    /// for all.
    ///
    /// # Errors
    /// [`NodeError::NotPermitted`] for whom no rule lets read anything.
    pub fn reader(&self, caller: &Caller) -> Result<Reader, NodeError> {
        if let Some(name) = caller.party() {
            // What a party may file, it may follow: its own matters, and those for whom it acts.
            self.permit(caller, Action::FILE, Object::Node)?;
            return Ok(Reader::Named(name.to_owned()));
        }
        let officer = self.access.officer_of(caller);
        let who = officer.as_ref().unwrap_or(caller);
        if self.permit(who, Action::EXPORT, Object::Node).is_ok() {
            return Ok(Reader::Full);
        }
        self.could(caller, Action::READ)?;
        Ok(match officer {
            Some(officer) => Reader::Named(officer.name().to_owned()),
            None => Reader::Public,
        })
    }
}

/// Whether a document may be shown as far as modules go: one that was filed with them is shown to those who read its matter.
/// Whom no rule lets read anything is told of those alone that are for all.
pub fn reads(
    here: &Blocking,
    office: &Office,
    caller: &Caller,
    head: &OpenedHead,
) -> Result<bool, NodeError> {
    let header = head.document.header();
    if header.filing.is_none() {
        return Ok(true);
    }
    let who = office.reader(caller).unwrap_or(Reader::Public);
    let signers = head.report.signatures.iter().filter_map(|signature| signature.signer.as_ref());
    let signers = signers.map(Signer::of);
    let document = Document {
        id: head.document.id(),
        header: header.clone(),
        signers: signers.collect(),
        part: None,
    };
    let home = office.identity().agency.to_string();
    decider::looking(here, office).with(|kernel, state| {
        kernel.reading(state, &who, &home, Instant(unix_now()))?.document(&document)
    })
}

/// Whether a document was refused because of a matter that its signer may not read: he is told what he would be told if there
/// were none.
pub(crate) fn is_unseen(
    kernel: &Kernel,
    state: &dyn State,
    input: &Input,
    reasons: &[Reason],
) -> Result<bool, StateError> {
    let Input { document, home, lodged, .. } = input;
    // These are found before the matter is looked for, and are the same if there is none.
    let before = |reason: &Reason| {
        matches!(
            reason.why,
            Refusal::NotFiled
                | Refusal::OtherHome { .. }
                | Refusal::Classified
                | Refusal::DecidedBefore
                | Refusal::TooOld { .. }
                | Refusal::NoModule
        )
    };
    let named = document.filing().and_then(|filing| {
        let (case, _) = filing.act.split_once('/')?;
        Some((case, filing.about.as_ref()?))
    });
    let Some((case, thing)) = named.filter(|_| !reasons.iter().any(before)) else {
        return Ok(false);
    };
    let coming = Coming {
        module: document.header.module.clone(),
        case: case.to_owned(),
        thing: thing.clone(),
    };
    let signer = document.signers.first().map(|signer| signer.name.clone());
    let who = signer.map_or(Reader::Public, Reader::Named);
    let readable = kernel.reading(state, &who, home, *lodged)?.readable(&coming)?;
    Ok(readable == Readable::No)
}

#[cfg(test)]
#[path = "reading_tests.rs"]
mod tests;
