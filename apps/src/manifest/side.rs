//! Which way the document of an act goes: written here, sent by us, or come from another agency. And what of all this must hold.

use std::collections::BTreeSet;

use super::{
    case::{Act, Case},
    mistake::What,
    module::Module,
    reader::{At, Mistakes, Table},
};

/// Where the document of an act is made, as seen from the agency whose matter it moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Side {
    /// Here.
    #[default]
    Filed,
    /// Here, and it goes to others.
    Sent,
    /// At another agency, which has sent it here.
    Received,
}

impl Side {
    pub(super) fn read(table: &Table<'_>) -> Self {
        match table.text("side").as_deref() {
            None | Some("filed") => Self::Filed,
            Some("sent") => Self::Sent,
            Some("received") => Self::Received,
            Some(other) => {
                let known = ["filed", "sent", "received"].map(str::to_owned).into();
                table.mistake(What::Word { key: "side", word: other.to_owned(), known });
                Self::Filed
            }
        }
    }
}

impl Module {
    /// The act that takes a form in that another agency has sent.
    pub(crate) fn receiving(&self, form: &str) -> Option<(&Case, &Act)> {
        let acts =
            self.cases.values().flat_map(|case| case.acts.iter().map(move |act| (case, act)));
        let mut found =
            acts.filter(|(_, act)| act.side == Side::Received && act.form.as_deref() == Some(form));
        found.next()
    }
}

/// Whoever acts at another agency acts for it: which roles he has there is not ours to judge. A form is taken in by one act, so
/// that whoever sends it need not say by which. What the seal says alone is a form of the module.
pub(super) fn check(module: &Module, mistakes: &Mistakes) {
    let mut taken: BTreeSet<&str> = BTreeSet::new();
    let acts = module.cases.values().flat_map(|case| &case.acts);
    for act in acts.filter(|act| act.side == Side::Received) {
        for role in act.by.iter().chain(&act.not_by).filter(|name| module.roles.contains_key(*name))
        {
            mistakes.add(&act.at, What::RoleElsewhere(role.clone()));
        }
        if let Some(form) = &act.form
            && !taken.insert(form)
        {
            mistakes.add(&act.at, What::Twice(form.clone()));
        }
    }
    let top = At { file: "module.toml".into(), line: 1 };
    for form in module.sent.iter().filter(|form| !module.forms.contains_key(*form)) {
        let known = module.forms.keys().map(String::as_str);
        let nearest = crate::nearest::nearest(form, known).map(str::to_owned);
        mistakes.add(&top, What::Undeclared { kind: "form", name: form.clone(), nearest });
    }
}
