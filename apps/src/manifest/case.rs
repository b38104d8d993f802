//! A case: the states that something goes through, and the acts and deadlines that move it.

use std::collections::BTreeSet;

use chancery_protocol::Hand;

use super::{
    effect::Effect,
    mistake::What,
    module::rule,
    reader::{At, Placed, Table},
    reading::Reading,
    side::Side,
    special::Special,
    stock::{Stock, Writer},
};
use crate::calendar::Rule;

/// A case, as a file of `cases/` describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    pub at: At,
    pub name: String,
    pub rule: Rule,
    pub title: Option<Placed>,
    pub public: Option<Placed>,
    /// The case whose things this one's are children of.
    pub parent: Option<String>,
    /// By what else its things are found.
    pub indexes: Vec<(String, Placed)>,
    /// In normal order.
    pub states: Vec<State>,
    pub who: Vec<(String, Placed)>,
    pub lets: Vec<(String, Placed)>,
    pub numbers: Vec<Number>,
    pub uniques: Vec<Unique>,
    pub acts: Vec<Act>,
    pub rounds: Vec<Round>,
    pub dues: Vec<Due>,
    pub reading: Reading,
    /// Whether it has a text to which votes are bound: it is the name `text`.
    pub text: bool,
    /// What `[stock]` stands for: its acts are among the others.
    pub stock: Stock,
    /// The fields of forms that formulas read later, by act: only these are kept in state.
    pub live: BTreeSet<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    pub at: At,
    pub name: String,
    pub end: bool,
    /// The round that begins when it is entered.
    pub round: Option<String>,
}

/// A series of numbers without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Number {
    pub at: At,
    pub name: String,
    pub keys: Vec<Placed>,
    pub pattern: String,
    pub start: i64,
}

/// What may stand only once: among open things, or of an act for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unique {
    pub at: At,
    pub name: String,
    pub of: Vec<Placed>,
    pub law: String,
}

/// What must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Need {
    pub at: At,
    pub name: String,
    pub that: Placed,
    pub law: String,
    pub say: Option<String>,
    /// Whether it is recorded and shown where it does not hold, and nothing is refused.
    pub flag: bool,
}

/// Where an act leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// The state stays.
    Stays,
    /// To this state.
    State(String),
    /// To the state that a formula names.
    Formula(Placed),
}

impl Target {
    /// All states that it may lead to.
    pub(crate) fn states(&self) -> Vec<String> {
        match self {
            Self::Stays => Vec::new(),
            Self::State(name) => vec![name.clone()],
            Self::Formula(placed) => placed.formula.leaves().unwrap_or_default(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Act {
    pub at: At,
    pub name: String,
    /// None of an inner act: no document makes it.
    pub form: Option<String>,
    /// The form of what an inner act is given by whoever runs it.
    pub shape: Option<String>,
    /// Where its document is made.
    pub side: Side,
    pub from: Vec<String>,
    /// Whether it may open a thing.
    pub opens: bool,
    pub to: Target,
    pub by: Vec<String>,
    pub not_by: Vec<String>,
    /// As what somebody may act in it for a party.
    pub proxy: Vec<Hand>,
    pub after: Vec<String>,
    pub before: Vec<String>,
    pub needs: Vec<Need>,
    pub uniques: Vec<Unique>,
    pub vote: Option<Placed>,
    pub number: Option<String>,
    pub set: Vec<(String, Placed)>,
    /// What it does to other things.
    pub effects: Vec<Effect>,
    pub reason: bool,
    pub at_most: Option<u32>,
    /// The article of its stock refusals.
    pub law: Option<String>,
    pub special: Special,
}

impl Act {
    pub(crate) fn inner(&self) -> bool {
        self.form.is_none()
    }
}

/// Several people sign one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Round {
    pub at: At,
    pub name: String,
    /// Who is asked: a name of `who`, or a formula.
    pub of: Placed,
    pub act: String,
    pub done: Placed,
    pub fail: Option<Placed>,
    pub listed: bool,
    /// Whether a vote counts only for the text for which it was given.
    pub bind: bool,
    pub agreed: Option<Ending>,
    pub failed: Option<Ending>,
}

/// What comes of something that ends by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    State(String),
    Act(String),
    /// It is recorded that a duty was not met in time.
    Breach,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DueEnd {
    /// At a moment, or at the end of a date.
    At(Placed),
    /// A period after a moment, a date or the last day of another due.
    After { start: Placed, length: Placed },
}

/// A mark in time, the edge of a window, or a duty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Due {
    pub at: At,
    pub name: String,
    pub end: DueEnd,
    pub rule: Rule,
    pub law: String,
    pub owes: Option<String>,
    pub until: Vec<String>,
    pub remind: Vec<String>,
    pub pause: Vec<Pause>,
    pub restart: Vec<String>,
    pub extend: Option<Extend>,
    pub then: Option<Ending>,
}

/// Days that do not count: from the one act to the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pause {
    pub from: String,
    pub to: String,
    pub law: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Extend {
    pub act: String,
    pub by: Placed,
    pub most: Placed,
}

impl Case {
    /// A case of nothing: what formulas stand in that belong to no case.
    pub(crate) fn nothing(at: At, name: &str, rule: Rule) -> Self {
        Self {
            at,
            name: name.to_owned(),
            rule,
            title: None,
            public: None,
            parent: None,
            indexes: Vec::new(),
            states: Vec::new(),
            who: Vec::new(),
            lets: Vec::new(),
            numbers: Vec::new(),
            uniques: Vec::new(),
            acts: Vec::new(),
            rounds: Vec::new(),
            dues: Vec::new(),
            live: BTreeSet::new(),
            reading: Reading::default(),
            text: false,
            stock: Stock::default(),
        }
    }

    pub(super) fn read(table: &Table<'_>, module: Rule) -> Option<Self> {
        let Some(name) = table.text("case") else {
            table.mistake(What::NoThing);
            return None;
        };
        let counted = rule(table, module);
        let mut case = Self {
            at: table.at(),
            name,
            rule: counted,
            title: table.formula("title"),
            public: table.formula("public"),
            parent: table.text("parent"),
            indexes: table.named_formulas("index"),
            states: table
                .tables("state")
                .into_iter()
                .map(|(name, t)| State::read(name, &t))
                .collect(),
            who: table.named_formulas("who"),
            lets: table.named_formulas("let"),
            numbers: table
                .tables("number")
                .into_iter()
                .map(|(name, t)| Number::read(name, &t))
                .collect(),
            uniques: uniques(table),
            acts: table.tables("act").into_iter().map(|(name, t)| Act::read(name, &t)).collect(),
            rounds: Vec::new(),
            dues: Vec::new(),
            reading: Reading::read(table),
            text: false,
            stock: Stock::default(),
            live: BTreeSet::new(),
        };
        if let Some(text) = table.formula("text") {
            case.lets.push(("text".to_owned(), text));
            case.text = true;
        }
        let states: BTreeSet<_> = case.states.iter().map(|state| state.name.clone()).collect();
        let mut writer = Writer::new(&case, table);
        writer.stock(table);
        let rounds = table.tables("round").into_iter().filter_map(|(name, round)| {
            writer.round(&name, &round);
            Round::read(name, &round, &states)
        });
        let rounds = rounds.collect();
        let stock = writer.finish();
        case.rounds = rounds;
        let (who, acts) = stock.acts(table);
        for act in acts {
            if case.act(&act.name).is_some() {
                table.mistake_at(&stock.at, What::Twice(act.name.clone()));
            } else {
                case.acts.push(act);
            }
        }
        case.who.extend(who);
        case.stock = stock;
        for (name, due) in table.tables("due") {
            case.dues.extend(Due::read(name, &due, &states, counted));
        }
        case.live = case.live_fields();
        Some(case)
    }

    /// All formulas that are worked out when a thing is there: they read what was filed before.
    pub(crate) fn formulas(&self) -> Vec<&Placed> {
        let named = self.who.iter().chain(&self.lets).map(|(_, placed)| placed);
        let acts = self.acts.iter().flat_map(Act::formulas);
        let dues = self.dues.iter().flat_map(Due::formulas);
        let rounds = self.rounds.iter().flat_map(|round| {
            [Some(&round.of), Some(&round.done), round.fail.as_ref()].into_iter().flatten()
        });
        let uniques = self.uniques.iter().flat_map(|unique| &unique.of);
        let numbers = self.numbers.iter().flat_map(|number| &number.keys);
        let shown = self.title.iter().chain(&self.public).chain(&self.reading.subject);
        let shown = shown.chain(self.indexes.iter().map(|(_, placed)| placed));
        named
            .chain(acts)
            .chain(dues)
            .chain(rounds)
            .chain(uniques)
            .chain(numbers)
            .chain(shown)
            .collect()
    }

    fn live_fields(&self) -> BTreeSet<(String, String)> {
        let paths = self.formulas().into_iter().flat_map(|placed| placed.formula.paths());
        let live = paths.filter_map(|path| match path.as_slice() {
            [root, act, field, ..] if root == "filed" => Some((act.clone(), field.clone())),
            // Who reads the whole reads each of its fields.
            [root, act] if root == "filed" => Some((act.clone(), String::new())),
            _ => None,
        });
        live.collect()
    }

    pub(crate) fn state(&self, name: &str) -> Option<&State> {
        self.states.iter().find(|state| state.name == name)
    }

    pub(crate) fn act(&self, name: &str) -> Option<&Act> {
        self.acts.iter().find(|act| act.name == name)
    }

    pub(crate) fn due(&self, name: &str) -> Option<&Due> {
        self.dues.iter().find(|due| due.name == name)
    }

    /// The one inner act by which an effect opens a thing of it.
    pub(crate) fn opening(&self) -> Option<&Act> {
        let mut inner = self.acts.iter().filter(|act| act.inner() && act.opens);
        inner.next().filter(|_| inner.next().is_none())
    }

    /// The names of what its acts set and its numbers, and of what every thing has.
    pub(crate) fn fields(&self) -> BTreeSet<&str> {
        let set = self.acts.iter().flat_map(|act| act.set.iter().map(|(name, _)| name.as_str()));
        let numbers = self.numbers.iter().map(|number| number.name.as_str());
        set.chain(numbers).chain(["id", "state", "title"]).collect()
    }

    pub(crate) fn round(&self, name: &str) -> Option<&Round> {
        self.rounds.iter().find(|round| round.name == name)
    }
}

impl State {
    fn read(name: String, table: &Table<'_>) -> Self {
        Self { at: table.at(), name, end: table.bool("end"), round: table.text("round") }
    }
}

impl Number {
    fn read(name: String, table: &Table<'_>) -> Self {
        let pattern = table.must("as").unwrap_or_default();
        let start = table.int("start").unwrap_or(1);
        Self { at: table.at(), name, keys: table.formulas("key"), pattern, start }
    }
}

pub(super) fn uniques(table: &Table<'_>) -> Vec<Unique> {
    let each = table.tables("unique").into_iter().map(|(name, table)| Unique {
        at: table.at(),
        name,
        of: table.formulas("of"),
        law: law(&table),
    });
    each.collect()
}

/// The article of a rule, without which nobody is refused anything.
pub(super) fn law(table: &Table<'_>) -> String {
    table.text("law").unwrap_or_else(|| {
        table.mistake(What::NoLaw(String::new()));
        String::new()
    })
}

impl Need {
    pub(super) fn read(name: String, table: &Table<'_>) -> Option<Self> {
        let flag = match table.text("else").as_deref() {
            None | Some("refuse") => false,
            Some("flag") => true,
            Some(other) => {
                let known = ["refuse", "flag"].map(str::to_owned).into();
                table.mistake(What::Word { key: "else", word: other.to_owned(), known });
                false
            }
        };
        if !table.has("that") {
            table.mistake(What::MissingKey { key: "that".into() });
        }
        let (law, say) = (law(table), table.text("say"));
        Some(Self { at: table.at(), name, that: table.formula("that")?, law, say, flag })
    }
}

impl Act {
    pub(super) fn read(name: String, table: &Table<'_>) -> Self {
        let inner = table.bool("inner");
        let form = table.text("form").unwrap_or_else(|| name.clone());
        let from = table.names("from");
        let vote = table.formula("vote");
        // An inner act opens only where it says so: without `from` it is possible in every state.
        let opens =
            from.iter().any(String::is_empty) || (!inner && vote.is_none() && from.is_empty());
        let at_most = table.count("at_most");
        let needs =
            table.tables("need").into_iter().filter_map(|(name, t)| Need::read(name, &t)).collect();
        // Nobody signs an inner act, and it has no time of its own.
        for key in [
            "by", "not_by", "proxy", "after", "before", "reason", "vote", "side", "hand", "change",
            "undoes", "sign", "stale", "resume",
        ] {
            if inner && table.has(key) {
                table.mistake(What::UnknownKey { key: key.into(), nearest: None });
            }
        }
        let effects = table.tables("then").into_iter();
        let effects = effects.filter_map(|(name, t)| Effect::read(name, &t)).collect();
        Self {
            at: table.at(),
            shape: inner.then(|| table.text("form")).flatten(),
            form: (!inner).then_some(form),
            side: Side::read(table),
            from: from.into_iter().filter(|state| !state.is_empty()).collect(),
            opens,
            to: target(table, "to"),
            by: table.names("by"),
            not_by: table.names("not_by"),
            proxy: if inner { Vec::new() } else { super::reading::proxies(table) },
            after: table.names("after"),
            before: table.names("before"),
            needs,
            uniques: uniques(table),
            vote,
            number: table.text("number"),
            set: table.named_formulas("set"),
            effects,
            reason: table.bool("reason"),
            at_most,
            law: table.text("law"),
            special: Special::read(table),
            name,
        }
    }

    fn formulas(&self) -> Vec<&Placed> {
        let target = match &self.to {
            Target::Formula(placed) => Some(placed),
            _ => None,
        };
        let needs = self.needs.iter().map(|need| &need.that);
        let uniques = self.uniques.iter().flat_map(|unique| &unique.of);
        let set = self.set.iter().map(|(_, placed)| placed);
        let set = set.chain(self.effects.iter().flat_map(Effect::formulas));
        let set = set.chain(self.special.formulas());
        target.into_iter().chain(needs).chain(uniques).chain(set).chain(&self.vote).collect()
    }
}

/// A plain name is a state; all else is a formula.
fn target(table: &Table<'_>, key: &'static str) -> Target {
    match table.text(key) {
        None => Target::Stays,
        Some(text) if super::reader::is_name(&text) => Target::State(text),
        Some(_) => table.formula(key).map_or(Target::Stays, Target::Formula),
    }
}

fn ending(table: &Table<'_>, key: &'static str, states: &BTreeSet<String>) -> Option<Ending> {
    let name = table.text(key)?;
    Some(match name.as_str() {
        "breach" => Ending::Breach,
        state if states.contains(state) => Ending::State(name),
        _ => Ending::Act(name),
    })
}

impl Round {
    fn read(name: String, table: &Table<'_>, states: &BTreeSet<String>) -> Option<Self> {
        for key in ["of", "done", "act"] {
            if !table.has(key) {
                table.mistake(What::MissingKey { key: key.into() });
            }
        }
        let (of, done, act) = (table.formula("of"), table.formula("done"), table.text("act"));
        let listed = match table.text("order").as_deref() {
            None | Some("any") => false,
            Some("listed") => true,
            Some(other) => {
                let known = ["any", "listed"].map(str::to_owned).into();
                table.mistake(What::Word { key: "order", word: other.to_owned(), known });
                false
            }
        };
        let (agreed, failed) = (ending(table, "agreed", states), ending(table, "failed", states));
        let bind = match table.text("bind").as_deref() {
            None => false,
            Some("text") => true,
            Some(other) => {
                let known = vec!["text".to_owned()];
                table.mistake(What::Word { key: "bind", word: other.to_owned(), known });
                false
            }
        };
        let fail = table.formula("fail");
        Some(Self {
            at: table.at(),
            name,
            of: of?,
            act: act?,
            done: done?,
            fail,
            listed,
            bind,
            agreed,
            failed,
        })
    }
}

impl Due {
    fn read(
        name: String,
        table: &Table<'_>,
        states: &BTreeSet<String>,
        otherwise: Rule,
    ) -> Option<Self> {
        let (at, start) = (table.formula("at"), table.formula("start"));
        let length = match table.has("in") {
            // A period as it is written is no formula, and means what it says.
            true => table.period_or_formula("in"),
            false => None,
        };
        let end = match (at, start, length) {
            (Some(at), None, None) => Some(DueEnd::At(at)),
            (None, Some(start), Some(length)) => Some(DueEnd::After { start, length }),
            _ => {
                table.mistake(What::DueTime(name.clone()));
                None
            }
        };
        let pause = table.list("pause").into_iter().filter_map(|table| {
            let (from, to) = (table.must("from"), table.must("to"));
            Some(Pause { law: law(&table), from: from?, to: to? })
        });
        let pause = pause.collect();
        let extend = table.table("extend").and_then(|table| {
            let (act, by, most) = (table.must("act"), table.formula("by"), table.formula("most"));
            Some(Extend { act: act?, by: by?, most: most? })
        });
        let due = Self {
            at: table.at(),
            name,
            rule: rule(table, otherwise),
            law: law(table),
            owes: table.text("owes"),
            until: table.names("until"),
            remind: table.names("remind"),
            pause,
            restart: table.names("restart"),
            extend,
            then: ending(table, "then", states),
            end: end?,
        };
        Some(due)
    }

    pub(crate) fn formulas(&self) -> Vec<&Placed> {
        let extend = self.extend.iter().flat_map(|extend| [&extend.by, &extend.most]);
        match &self.end {
            DueEnd::At(at) => extend.chain([at]).collect(),
            DueEnd::After { start, length } => extend.chain([start, length]).collect(),
        }
    }
}
