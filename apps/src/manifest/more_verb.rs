//! The verbs of effects that write to the mechanisms with rows of their own.

use super::{
    case::Case,
    check::{CaseScope, wanted},
    credential::STATES,
    effect_check::fields,
    mistake::What,
    more::Checked,
    reader::{At, Fields, Placed, Table},
};
use crate::{formula::Type, manifest::effect_check::Checking};

/// What such an effect does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MoreVerb {
    /// Issues a credential.
    Issue {
        credential: String,
        id: Placed,
        to: Placed,
        with: Fields,
        replaces: Option<Placed>,
    },
    /// Says what becomes of one.
    Status {
        credential: String,
        of: Placed,
        now: String,
        reason: Option<Placed>,
    },
    /// Commits to a value for a draw, and reveals it.
    Commit {
        draw: String,
        by: Placed,
        value: Placed,
    },
    Reveal {
        draw: String,
        by: Placed,
        value: Placed,
    },
    /// Draws.
    Draw {
        draw: String,
    },
    /// Has the next who stands by come in somebody's place.
    Replace {
        draw: String,
        of: Placed,
        reason: Placed,
    },
    /// Takes an answer to a survey.
    Answer {
        survey: String,
        token: Placed,
        with: Fields,
    },
    /// Deposits a sealed envelope, takes it back, gives a share of it, opens all.
    Deposit {
        sealed: String,
        by: Placed,
        envelope: Placed,
    },
    TakeBack {
        sealed: String,
        by: Placed,
    },
    Share {
        sealed: String,
        by: Placed,
        of: Placed,
        value: Placed,
    },
    Unseal {
        sealed: String,
    },
}

/// The verbs, by which such an effect is known.
pub(super) const VERBS: [&str; 11] = [
    "issue",
    "status",
    "commit",
    "reveal",
    "draw",
    "replace",
    "answer",
    "deposit",
    "take_back",
    "share",
    "unseal",
];

fn must(table: &Table<'_>, key: &'static str) -> Option<Placed> {
    if !table.has(key) {
        table.mistake(What::MissingKey { key: key.into() });
    }
    table.formula(key)
}

impl MoreVerb {
    pub(super) fn read(verb: &str, table: &Table<'_>) -> Option<Self> {
        match verb {
            "issue" => {
                let credential = table.must("issue")?;
                let (id, to) = (must(table, "id"), must(table, "to"));
                if !table.has("with") {
                    table.mistake(What::MissingKey { key: "with".into() });
                }
                let (with, replaces) = (table.fields_or_formula("with"), table.formula("replaces"));
                Some(Self::Issue { credential, id: id?, to: to?, with: with?, replaces })
            }
            "status" => {
                let credential = table.must("status")?;
                let now = table.must("now")?;
                if !STATES.contains(&now.as_str()) {
                    let (key, word, known) = ("now", now.clone(), STATES.map(str::to_owned).into());
                    table.mistake(What::Word { key, word, known });
                }
                // Whoever is valid again needs no reason to be told; whoever is not any more does.
                let reason = match now.as_str() {
                    "valid" => table.formula("reason"),
                    _ => must(table, "reason"),
                };
                Some(Self::Status { credential, of: must(table, "of")?, now, reason })
            }
            "commit" | "reveal" => {
                let draw = table.must(if verb == "commit" { "commit" } else { "reveal" })?;
                let (by, value) = (must(table, "by"), must(table, "value"));
                let (by, value) = (by?, value?);
                Some(match verb {
                    "commit" => Self::Commit { draw, by, value },
                    _ => Self::Reveal { draw, by, value },
                })
            }
            "draw" => Some(Self::Draw { draw: table.must("draw")? }),
            "replace" => {
                let draw = table.must("replace")?;
                let (of, reason) = (must(table, "of"), must(table, "reason"));
                Some(Self::Replace { draw, of: of?, reason: reason? })
            }
            "answer" => {
                let (survey, token) = (table.must("answer")?, must(table, "token"));
                if !table.has("with") {
                    table.mistake(What::MissingKey { key: "with".into() });
                }
                let with = table.fields_or_formula("with");
                Some(Self::Answer { survey, token: token?, with: with? })
            }
            "deposit" => {
                let sealed = table.must("deposit")?;
                let (by, envelope) = (must(table, "by"), must(table, "envelope"));
                Some(Self::Deposit { sealed, by: by?, envelope: envelope? })
            }
            "take_back" => {
                let sealed = table.must("take_back")?;
                Some(Self::TakeBack { sealed, by: must(table, "by")? })
            }
            "share" => {
                let sealed = table.must("share")?;
                let (by, of) = (must(table, "by"), must(table, "of"));
                let value = must(table, "value");
                Some(Self::Share { sealed, by: by?, of: of?, value: value? })
            }
            "unseal" => Some(Self::Unseal { sealed: table.must("unseal")? }),
            _ => None,
        }
    }

    pub(super) fn formulas(&self) -> Vec<&Placed> {
        match self {
            Self::Issue { id, to, with, replaces, .. } => {
                [id, to].into_iter().chain(with.formulas()).chain(replaces).collect()
            }
            Self::Status { of, reason, .. } => [of].into_iter().chain(reason).collect(),
            Self::Commit { by, value, .. } | Self::Reveal { by, value, .. } => vec![by, value],
            Self::Draw { .. } | Self::Unseal { .. } => Vec::new(),
            Self::Deposit { by, envelope, .. } => vec![by, envelope],
            Self::TakeBack { by, .. } => vec![by],
            Self::Share { by, of, value, .. } => vec![by, of, value],
            Self::Replace { of, reason, .. } => vec![of, reason],
            Self::Answer { token, with, .. } => {
                [token].into_iter().chain(with.formulas()).collect()
            }
        }
    }

    /// The verb, as manifests write it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Issue { .. } => "issue",
            Self::Status { .. } => "status",
            Self::Commit { .. } => "commit",
            Self::Reveal { .. } => "reveal",
            Self::Draw { .. } => "draw",
            Self::Replace { .. } => "replace",
            Self::Answer { .. } => "answer",
            Self::Deposit { .. } => "deposit",
            Self::TakeBack { .. } => "take_back",
            Self::Share { .. } => "share",
            Self::Unseal { .. } => "unseal",
        }
    }

    /// Whether it may be owed to each member of a roll: what is done once for the thing may not.
    pub(super) fn for_each(&self) -> bool {
        matches!(self, Self::Issue { .. } | Self::Status { .. })
    }

    pub(super) fn check(
        &self,
        checking: &Checked<'_>,
        at: &At,
        case: &Case,
        scope: &CaseScope<'_>,
    ) {
        let module = checking.module;
        let check = |placed: &Placed, name, kinds: &[Type]| {
            wanted(placed, scope, checking.mistakes, name, kinds);
        };
        let credential = |name: &str| {
            let known = module.more.credentials.keys().map(String::as_str);
            checking.declared(at, "credential", name, known);
            module.more.credentials.get(name)
        };
        // A draw or a survey is of the thing whose act freezes its roll.
        let own = |roll: &str| {
            let found = module.more.rolls.get(roll);
            found.is_some_and(|roll| roll.close.0 == case.name)
        };
        let draw = |name: &str| {
            let draws = module.more.draws.values().filter(|draw| own(&draw.from));
            checking.declared(at, "draw", name, draws.map(|draw| draw.name.as_str()));
        };
        let sealed = |name: &str| {
            let own = module.more.sealed.values().filter(|sealed| sealed.of == case.name);
            checking.declared(at, "sealed", name, own.map(|sealed| sealed.name.as_str()));
            module.more.sealed.get(name)
        };
        for placed in match self {
            Self::Deposit { by, envelope, .. } => vec![by, envelope],
            Self::TakeBack { by, .. } => vec![by],
            Self::Share { by, of, value, .. } => vec![by, of, value],
            _ => Vec::new(),
        } {
            check(placed, "text", &[Type::Text]);
        }
        match self {
            Self::Deposit { sealed: of, .. }
            | Self::Share { sealed: of, .. }
            | Self::Unseal { sealed: of } => {
                sealed(of);
            }
            Self::TakeBack { sealed: of, .. } => {
                if let Some(of) = sealed(of).filter(|of| !of.withdraw) {
                    checking.mistakes.add(&of.at, What::MissingKey { key: "withdraw".into() });
                }
            }
            Self::Commit { draw: of, by, value } | Self::Reveal { draw: of, by, value } => {
                draw(of);
                [by, value].into_iter().for_each(|placed| check(placed, "text", &[Type::Text]));
            }
            Self::Draw { draw: of } => draw(of),
            Self::Replace { draw: name, of, reason } => {
                draw(name);
                [of, reason].into_iter().for_each(|placed| check(placed, "text", &[Type::Text]));
            }
            Self::Answer { survey, token, with } => {
                check(token, "text", &[Type::Text]);
                let surveys = module.more.surveys.values().filter(|survey| own(&survey.invited));
                let known = surveys.map(|survey| survey.name.as_str());
                if checking.declared(at, "survey", survey, known)
                    && let Some(survey) = module.more.surveys.get(survey)
                    && let Some(form) = module.forms.get(&survey.form)
                {
                    let checking = Checking { module, mistakes: checking.mistakes };
                    fields(&checking, at, with, &form.kind(), scope);
                }
            }
            Self::Issue { credential: of, id, to, with, replaces } => {
                for placed in [id, to].into_iter().chain(replaces) {
                    check(placed, "text", &[Type::Text]);
                }
                let Some(of) = credential(of) else { return };
                if let Some(form) = module.forms.get(&of.form) {
                    let checking = Checking { module, mistakes: checking.mistakes };
                    fields(&checking, at, with, &form.kind(), scope);
                }
                if replaces.is_some() && !of.replace {
                    checking.mistakes.add(&of.at, What::MissingKey { key: "replace".into() });
                }
            }
            Self::Status { credential: name, of, reason, .. } => {
                credential(name);
                for placed in [of].into_iter().chain(reason) {
                    check(placed, "text", &[Type::Text]);
                }
            }
        }
    }
}
