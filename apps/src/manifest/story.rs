//! The stories of a module, held against what it declares before any of them is told.

use std::collections::{BTreeMap, BTreeSet};

use chancery_certs::{AgencyName, is_credit_code};
use chancery_protocol::Hand;

use super::{
    case::{Act, Case},
    mistake::What,
    module::Module,
    reader::{At, File, Table},
};
use crate::{
    civil::{Date, Instant},
    nearest::nearest,
};

/// Says what is wrong with a story.
pub(super) fn read(file: File<'_>, module: &Module, rules: &BTreeSet<String>) {
    file.read(|table| {
        let mut story = Story {
            file,
            module,
            rules,
            officers: BTreeSet::new(),
            parties: BTreeSet::new(),
            labels: BTreeMap::new(),
            now: None,
        };
        story.read(&table);
    });
}

struct Story<'a> {
    file: File<'a>,
    module: &'a Module,
    /// All rules by which something may be refused.
    rules: &'a BTreeSet<String>,
    officers: BTreeSet<String>,
    /// Those of them that are parties.
    parties: BTreeSet<String>,
    /// What was named so far, and of which case it is, where that can be said.
    labels: BTreeMap<String, Option<String>>,
    now: Option<Instant>,
}

impl Story<'_> {
    fn add(&self, at: &At, what: What) {
        self.file.mistakes.add(at, what);
    }

    fn read(&mut self, table: &Table<'_>) {
        table.must("scenario");
        table.must("title");
        table.text("law");
        self.agency(table, "home", table.must("home"));
        self.moment(table, "start", table.must("start"));
        for (name, officer) in table.tables("officer") {
            self.agency(&officer, "agency", officer.text("agency"));
            for role in officer.names_or_none("roles") {
                let known = self.module.roles.keys().map(String::as_str);
                self.declared(&officer.at_key("roles"), "role", &role, known);
            }
            officer.bool("counter");
            self.officers.insert(name);
        }
        let parties = table.tables("party");
        let names: BTreeSet<_> = parties.iter().map(|(name, _)| name.clone()).collect();
        for (name, party) in parties {
            if let Some(code) = party.text("code").filter(|code| !is_credit_code(code)) {
                self.add(&party.at_key("code"), What::Name(code));
            }
            let known = || names.iter().map(String::as_str);
            for (of, at) in party.texts_of("guardian_of") {
                self.declared(&at, "party", &of, known());
            }
            for (of, at) in party.keys("agent_of") {
                self.declared(&at, "party", &of, known());
            }
            if !self.officers.insert(name.clone()) {
                self.add(&party.at(), What::Twice(name));
            }
        }
        self.parties = names;
        for (year, order) in table.tables_by_any("calendar") {
            self.order(&year, &order);
        }
        let steps = table.list("step");
        if steps.is_empty() {
            self.add(&table.at(), What::Empty { key: "step".into() });
        }
        for step in steps {
            self.step(&step);
        }
    }

    /// Says when a name is not declared.
    fn declared<'n>(
        &self,
        at: &At,
        kind: &'static str,
        name: &str,
        known: impl Iterator<Item = &'n str> + Clone,
    ) -> bool {
        let is = known.clone().any(|known| known == name);
        if !is {
            let nearest = nearest(name, known).map(str::to_owned);
            self.add(at, What::Undeclared { kind, name: name.to_owned(), nearest });
        }
        is
    }

    fn agency(&self, table: &Table<'_>, key: &'static str, name: Option<String>) {
        if let Some(name) = name.filter(|name| name.parse::<AgencyName>().is_err()) {
            self.add(&table.at_key(key), What::NoAgency(name));
        }
    }

    /// A moment, which is not before the one before.
    fn moment(&mut self, table: &Table<'_>, key: &'static str, text: Option<String>) {
        let Some(text) = text else { return };
        match text.parse::<Instant>() {
            Err(_) => self.add(&table.at_key(key), What::NoTime(text)),
            Ok(at) if self.now.is_some_and(|now| at < now) => {
                self.add(&table.at_key(key), What::Backwards(text));
            }
            Ok(at) => self.now = Some(at),
        }
    }

    /// The order of a year: its days are of that year, and each is off or worked.
    fn order(&self, year: &str, order: &Table<'_>) {
        order.must("source");
        if year.len() != 4 || year.parse::<u32>().is_err() {
            self.add(&order.at(), What::NoTime(year.to_owned()));
        }
        let mut seen = BTreeMap::new();
        for key in ["off", "work"] {
            if !order.has(key) {
                self.add(&order.at(), What::MissingKey { key: key.into() });
            }
            for (text, at) in order.texts_of(key) {
                let Ok(day) = text.parse::<Date>() else {
                    self.add(&at, What::NoTime(text));
                    continue;
                };
                if format!("{:04}", day.year()) != year {
                    self.add(&at, What::OtherYear { day: text.clone(), year: year.to_owned() });
                }
                match seen.insert(day, key) {
                    Some(before) if before == key => self.add(&at, What::Twice(text)),
                    Some(_) => self.add(&at, What::Both { name: text, keys: "off, work" }),
                    None => {}
                }
            }
        }
    }

    fn step(&mut self, step: &Table<'_>) {
        self.moment(step, "at", step.must("at"));
        let (by, act, on, label) =
            (step.text("by"), step.text("act"), step.text("on"), step.text("as"));
        for (signer, at) in step.texts_of("sign") {
            let known = self.officers.iter().map(String::as_str).chain(["agency"]);
            self.declared(&at, "officer", &signer, known);
        }
        step.raw("reason");
        step.text("title");
        step.int("seen");
        for (key, other, there) in [
            ("by", &act, by.is_some()),
            ("act", &by, act.is_some()),
            ("act", &label, act.is_some()),
        ] {
            if other.is_some() && !there {
                self.add(&step.at(), What::MissingKey { key: key.into() });
            }
        }
        let (party, how) = (step.text("for"), step.text("how"));
        for (key, other, there) in [("how", &party, how.is_some()), ("for", &how, party.is_some())]
        {
            if other.is_some() && !there {
                self.add(&step.at(), What::MissingKey { key: key.into() });
            }
        }
        if let Some(party) = &party {
            let known = self.parties.iter().map(String::as_str);
            self.declared(&step.at_key("for"), "party", party, known);
        }
        if let Some(how) = how.filter(|how| Hand::ALL.iter().all(|hand| hand.name() != how)) {
            let known = Hand::ALL.map(|hand| hand.name().to_owned()).into();
            self.add(&step.at_key("how"), What::Word { key: "how", word: how, known });
        }
        if let Some(by) = &by {
            let known = self.officers.iter().map(String::as_str);
            self.declared(&step.at_key("by"), "officer", by, known);
        }
        let of = on.as_ref().and_then(|on| {
            let known = self.labels.keys().map(String::as_str);
            // A child is called by its parent's label, its case and its place.
            if let [parent, kid, place] = on.split('/').collect::<Vec<_>>().as_slice() {
                self.declared(&step.at_key("on"), "label", parent, known);
                let cases = self.module.cases.keys().map(String::as_str);
                self.declared(&step.at_key("on"), "case", kid, cases);
                if place.parse::<usize>().is_err() {
                    self.add(&step.at_key("on"), What::Name((*place).to_owned()));
                }
                return Some((*kid).to_owned());
            }
            self.declared(&step.at_key("on"), "label", on, known);
            self.labels.get(on).cloned().flatten()
        });
        if let Some(act) = &act
            && self.question(step, act)
        {
            return;
        }
        let found = act.as_ref().and_then(|act| self.act(step, act, of.as_deref()));
        let refused = step.table("refused");
        let rule = refused.as_ref().and_then(|refused| self.refused(refused));
        self.form(step, found, rule.as_deref());
        let of = of.or_else(|| found.map(|(case, _)| case.name.clone()));
        if let Some(expect) = step.table("expect") {
            if on.is_none() && label.is_none() {
                self.add(&step.at_key("expect"), What::MissingKey { key: "on".into() });
            }
            self.expect(&expect, of.as_ref().and_then(|of| self.module.cases.get(of)));
        }
        // What was refused is not there.
        if let (Some(label), None) = (label, &refused)
            && self.labels.insert(label.clone(), of).is_some()
        {
            self.add(&step.at_key("as"), What::Twice(label));
        }
    }

    /// A step that puts a question to a registry, read whole; false of any other.
    fn question(&mut self, step: &Table<'_>, act: &str) -> bool {
        let Some((registry, ask)) = act.split_once('/') else { return false };
        let Some(registry) = self.module.registries.get(registry) else { return false };
        let known = registry.asks.iter().map(|ask| ask.name.as_str());
        self.declared(&step.at_key("act"), "question", ask, known);
        let rule = step.table("refused").and_then(|refused| self.refused(&refused));
        let form = registry.ask(ask).and_then(|ask| self.module.forms.get(&ask.form));
        step.check_floats("form");
        for (field, at) in step.keys("form") {
            if let Some(form) = form.filter(|_| rule.is_none()) {
                self.declared(&at, "field", &field, form.fields.iter().map(|f| f.name.as_str()));
            }
        }
        step.has("answer");
        true
    }

    /// The act of a step, `case/act`, or an act of the case that it is on.
    fn act(&self, step: &Table<'_>, act: &str, of: Option<&str>) -> Option<(&Case, &Act)> {
        let at = step.at_key("act");
        let (case, name) = act.split_once('/').map_or((of, act), |(case, act)| (Some(case), act));
        if let Some(case) = case {
            let known = self.module.cases.keys().map(String::as_str);
            if !self.declared(&at, "case", case, known) {
                return None;
            }
        }
        let cases = self.module.cases.values().filter(|known| case.is_none_or(|c| c == known.name));
        let acts = cases.flat_map(|case| case.acts.iter().map(move |act| (case, act)));
        let filed = acts.filter(|(_, act)| !act.inner());
        self.declared(&at, "act", name, filed.clone().map(|(_, act)| act.name.as_str()));
        filed.clone().find(|(_, act)| act.name == name)
    }

    fn form(&self, step: &Table<'_>, act: Option<(&Case, &Act)>, rule: Option<&str>) {
        step.check_floats("form");
        let given = step.keys("form");
        // Which fields there are not, a story may want to be told.
        if rule.is_some_and(|rule| rule.ends_with("/form")) {
            return;
        }
        let form = act.and_then(|(_, act)| self.module.forms.get(act.form.as_ref()?));
        let Some(form) = form else { return };
        for (field, at) in given {
            self.declared(&at, "field", &field, form.fields.iter().map(|f| f.name.as_str()));
        }
    }

    fn refused(&self, refused: &Table<'_>) -> Option<String> {
        refused.text("law");
        refused.text("says");
        let rule = refused.must("rule")?;
        if !self.rules.contains(&rule) {
            let known = self.rules.iter().map(String::as_str);
            self.declared(&refused.at_key("rule"), "rule", &rule, known);
        }
        Some(rule)
    }

    fn expect(&self, expect: &Table<'_>, case: Option<&Case>) {
        let state = expect.text("state");
        let (dues, set) = (expect.texts_at("due"), expect.texts_at("set"));
        expect.text("number");
        expect.text("title");
        expect.texts_of("flags");
        for key in ["balance", "told", "roll", "shows"] {
            expect.texts_at(key);
        }
        expect.texts_of("owed");
        expect.has("kids");
        for (name, at) in expect.keys("published") {
            let known = self.module.publications.keys().map(String::as_str);
            self.declared(&at, "publication", &name, known);
        }
        for (_, text, at) in &dues {
            if text.parse::<Date>().is_err() && text.parse::<Instant>().is_err() {
                self.add(at, What::NoTime(text.clone()));
            }
        }
        let Some(case) = case else { return };
        if let Some(state) = state {
            let known = case.states.iter().map(|state| state.name.as_str());
            self.declared(&expect.at_key("state"), "state", &state, known);
        }
        for (name, _, at) in dues {
            self.declared(&at, "due", &name, case.dues.iter().map(|due| due.name.as_str()));
        }
        let fields = case.acts.iter().flat_map(|act| &act.set).map(|(name, _)| name.as_str());
        let fields = fields.chain(case.numbers.iter().map(|number| number.name.as_str()));
        for (name, _, at) in set {
            self.declared(&at, "set", &name, fields.clone());
        }
    }
}

/// The names of all rules by which something may be refused.
pub(super) fn rules(module: &Module) -> BTreeSet<String> {
    // What is of no case is refused by the module.
    let mut rules = BTreeSet::from([module.name.clone()]);
    for case in module.cases.values() {
        let mut put = |rule: String| {
            rules.insert(format!("{}/{}/{rule}", module.name, case.name));
        };
        for act in &case.acts {
            let name = &act.name;
            put(name.clone());
            for stock in [
                "by",
                "not_by",
                "proxy",
                "from",
                "at_most",
                "form",
                "reason",
                "to",
                "vote",
                "extend",
                "variant",
                "again",
                "hand",
                "suspend",
                "suspended",
                "last",
                "round",
                "sign",
            ] {
                put(format!("{name}/{stock}"));
            }
            act.after.iter().for_each(|due| put(format!("{name}/after-{due}")));
            act.before.iter().for_each(|due| put(format!("{name}/before-{due}")));
            act.set.iter().for_each(|(field, _)| put(format!("{name}/set-{field}")));
            act.needs.iter().for_each(|need| put(format!("{name}/{}", need.name)));
            act.effects.iter().for_each(|effect| put(format!("{name}/{}", effect.name)));
            act.uniques.iter().for_each(|unique| put(format!("{name}/{}", unique.name)));
        }
        super::more::rules(module, &case.name).into_iter().for_each(&mut put);
        case.uniques.iter().for_each(|unique| put(unique.name.clone()));
        case.rounds.iter().for_each(|round| put(round.name.clone()));
        case.numbers.iter().for_each(|number| put(format!("number-{}", number.name)));
    }
    let own = super::more::own_rules(module).into_iter();
    rules.extend(own.map(|rule| format!("{}/{rule}", module.name)));
    for account in module.accounts.values() {
        for limit in &account.limits {
            rules.insert(format!("{}/{}/{}", module.name, account.name, limit.name));
        }
    }
    for registry in module.registries.values() {
        let mut put = |rule: String| {
            rules.insert(format!("{}/{}/{rule}", module.name, registry.name));
        };
        registry.uniques.iter().for_each(|unique| put(unique.name.clone()));
        registry.duplicates.iter().for_each(|one| put(one.name.clone()));
        for ask in &registry.asks {
            for stock in ["by", "proxy", "form", "purpose", "where"] {
                put(format!("{}/{stock}", ask.name));
            }
            ask.needs.iter().for_each(|need| put(format!("{}/{}", ask.name, need.name)));
        }
    }
    rules
}
