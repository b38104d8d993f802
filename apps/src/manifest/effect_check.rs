//! What must hold of effects, and of the mechanisms that they write to.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    case::{Act, Case},
    check::{CaseScope, wanted},
    effect::{Effect, Verb},
    exam_check,
    form::Form,
    inspection_check, matching_check,
    mechanism::{Account, Ask, Give, Registry},
    mistake::What,
    module::Module,
    more::{self, Checked},
    publication_check,
    reader::{At, Fields, Mistakes, Placed},
    report_check, run_check,
};
use crate::{
    formula::{Scope, Type},
    nearest::nearest,
};

/// What others see of a thing of a case.
pub(super) fn fields_of(case: &Case) -> Type {
    let fields = case.fields().into_iter().map(|name| match name {
        "id" | "state" | "title" => (name, Type::Text),
        name => (name, Type::Any),
    });
    Type::map(fields)
}

/// What a function of state gives.
pub(super) fn of_state(module: &Module, name: &str, first: Option<&str>) -> Type {
    let record = || {
        let registry = module.registries.get(first?)?;
        Some(module.forms.get(&registry.form)?.kind())
    };
    let thing = || Some(fields_of(module.cases.get(first?)?));
    let work = || module.publications.contains_key(first?).then(publication_check::kind);
    match name {
        "find" | "find_on" => record().or_else(thing).or_else(work).unwrap_or(Type::Any),
        "cited" => publication_check::cited(),
        "things" => Type::list(thing().unwrap_or(Type::Any)),
        "balance" => {
            let account = first.and_then(|name| module.accounts.get(name));
            account.map_or(Type::Any, quantity)
        }
        "free" => Type::Int,
        "has_role" => Type::Bool,
        "matched" => Type::Text,
        "paper" => Type::list(Type::Text),
        "graded" => Type::map([("points", Type::Decimal), ("passed", Type::Bool)]),
        "checks" => inspection_check::checks(module, first),
        "assigned" => {
            Type::list(Type::map([("object", Type::Text), ("inspectors", Type::list(Type::Text))]))
        }
        name => more::kind(module, name, first).unwrap_or(Type::Any),
    }
}

fn quantity(account: &Account) -> Type {
    if account.unit == "fen" { Type::Money } else { Type::Int }
}

pub(super) struct Checking<'a> {
    pub module: &'a Module,
    pub mistakes: &'a Mistakes,
}

impl Checking<'_> {
    pub(super) fn declared<'n>(
        &self,
        at: &At,
        kind: &'static str,
        name: &str,
        mut known: impl Iterator<Item = &'n str> + Clone,
    ) -> bool {
        let nearest = nearest(name, known.clone()).map(str::to_owned);
        let is = known.any(|known| known == name);
        if !is {
            self.mistakes.add(at, What::Undeclared { kind, name: name.to_owned(), nearest });
        }
        is
    }

    /// The names that functions of state are given.
    pub(super) fn names(&self, placed: &Placed) {
        let (cases, registries) = (|| self.module.cases.keys(), || self.module.registries.keys());
        for (name, first) in placed.formula.calls() {
            let Some(first) = first else { continue };
            let known: Vec<&String> = match name.as_str() {
                "find" | "find_on" => {
                    registries().chain(cases()).chain(self.module.publications.keys()).collect()
                }
                "cited" => self.module.publications.keys().collect(),
                "things" => cases().collect(),
                "balance" => self.module.accounts.keys().collect(),
                "free" => self.module.bookings.keys().collect(),
                "matched" => self.module.matchings.keys().collect(),
                "paper" | "graded" => self.module.exams.keys().collect(),
                "checks" | "assigned" => self.module.inspections.keys().collect(),
                name => match self.module.more.known(name) {
                    Some(known) => known,
                    None => continue,
                },
            };
            self.declared(&placed.at, "name", &first, known.into_iter().map(String::as_str));
        }
        // Of what there is not nothing is found, and nothing is what many conditions wait for.
        for index in placed.formula.words_of("things", 1) {
            let own = self.module.cases.values().flat_map(|case| &case.indexes);
            let known = own.map(|(name, _)| name.as_str()).chain(["state", "who"]);
            self.declared(&placed.at, "index", &index, known);
        }
        for place in placed.formula.words_of("balance", 1) {
            let places = self.module.accounts.values().flat_map(|account| &account.places);
            self.declared(&placed.at, "place", &place, places.map(|(name, _)| name.as_str()));
        }
    }
}

/// The effects of an act.
pub(super) fn effects(
    module: &Module,
    case: &Case,
    act: &Act,
    scope: &CaseScope<'_>,
    mistakes: &Mistakes,
    texts: &mut BTreeSet<String>,
) {
    let checking = Checking { module, mistakes };
    for effect in &act.effects {
        let at = &effect.at;
        let member = for_each(&checking, case, effect);
        let each = || effect.each.as_ref().map(|each| element(each, scope, mistakes));
        let element = member.or_else(each);
        let scope = scope.with_element(element);
        if let Some(condition) = &effect.condition {
            wanted(condition, &scope, mistakes, "bool", &[Type::Bool]);
        }
        let check = |placed: &Placed, name, kinds: &[Type]| {
            wanted(placed, &scope, mistakes, name, kinds);
        };
        match &effect.verb {
            Verb::Open { case: child, with } => {
                let kids =
                    module.cases.values().filter(|kid| kid.parent.as_ref() == Some(&case.name));
                if checking.declared(at, "child case", child, kids.map(|kid| kid.name.as_str())) {
                    let opening = module.cases.get(child).and_then(Case::opening);
                    match opening {
                        Some(opening) => given(&checking, at, with.as_ref(), opening, &scope),
                        None => {
                            let key = format!("act.*.inner, from = \"\" ({child})");
                            mistakes.add(at, What::MissingKey { key });
                        }
                    }
                }
            }
            Verb::Tell { case: other, act: told, on, with, .. } => {
                check(on, "text", &[Type::Text]);
                let cases = module.cases.keys().map(String::as_str);
                if checking.declared(at, "case", other, cases)
                    && let Some(other) = module.cases.get(other)
                {
                    let inner = other.acts.iter().filter(|act| act.inner() && !act.opens);
                    let inner = inner.map(|act| act.name.as_str());
                    if checking.declared(at, "inner act", told, inner)
                        && let Some(told) = other.act(told)
                    {
                        given(&checking, at, with.as_ref(), told, &scope);
                    }
                }
            }
            Verb::Record { registry, with, .. } => {
                let known = module.registries.keys().map(String::as_str);
                if checking.declared(at, "registry", registry, known)
                    && let Some(registry) = module.registries.get(registry)
                    && let Some(form) = module.forms.get(&registry.form)
                {
                    fields(&checking, at, with, &form.kind(), &scope);
                }
            }
            Verb::Move { account, of, from, to, amount, value_date } => {
                let known = module.accounts.keys().map(String::as_str);
                if checking.declared(at, "account", account, known)
                    && let Some(account) = module.accounts.get(account)
                {
                    moved(&checking, at, account, of, (from, to));
                    let kinds = match quantity(account) {
                        Type::Money => [Type::Money, Type::Int],
                        _ => [Type::Int, Type::Int],
                    };
                    check(amount, "int, money", &kinds);
                }
                for (_, placed) in of {
                    check(placed, "", &[]);
                }
                if let Some(placed) = value_date {
                    check(placed, "date", &[Type::Date]);
                }
            }
            Verb::Book { booking, of, from, to, units, .. } => {
                let known = module.bookings.keys().map(String::as_str);
                checking.declared(at, "booking", booking, known);
                check(of, "text", &[Type::Text]);
                for placed in [from, to] {
                    check(placed, "instant", &[Type::Instant]);
                }
                if let Some(placed) = units {
                    check(placed, "int", &[Type::Int]);
                }
            }
            Verb::Booked { booking, .. } => {
                let known = module.bookings.keys().map(String::as_str);
                checking.declared(at, "booking", booking, known);
            }
            Verb::Run(run) => run_check::check(module, case, (at, run), &scope, mistakes),
            Verb::Publish { form, .. } => {
                let kind = publication_check::effect(module, act, effect, &scope, mistakes);
                if let (Some(kind), Some(form)) = (kind, form) {
                    fields(&checking, at, form, &kind, &scope);
                }
            }
            Verb::Send { form, to, on, title, with, refused } => {
                check(to, "name, list of names", &[Type::Text, Type::list(Type::Text)]);
                for placed in [on, title].into_iter().flatten() {
                    check(placed, "text", &[Type::Text]);
                }
                sent(&checking, at, form, on.as_ref());
                if let Some(form) = module.forms.get(form) {
                    filled(&checking, at, with.as_ref(), form, &scope);
                }
                if let Some(refused) = refused {
                    let inner = case.acts.iter().filter(|act| act.inner() && !act.opens);
                    let inner = inner.map(|act| act.name.as_str());
                    checking.declared(at, "inner act", refused, inner);
                }
            }
            Verb::Notify { names, say } => {
                texts.insert(say.clone());
                check(names, "name, list of names", &[Type::Text, Type::list(Type::Text)]);
            }
            Verb::More(more) => {
                let checking = Checked { module, mistakes };
                more.check(&checking, at, case, &scope);
            }
        }
    }
}

/// The names that the formulas of a case give to functions of state.
pub(super) fn names(module: &Module, case: &Case, mistakes: &Mistakes) {
    let checking = Checking { module, mistakes };
    case.formulas().into_iter().for_each(|placed| checking.names(placed));
}

/// What `x` is of an effect that is done for each member of a roll: later, and without the document of its act.
fn for_each(checking: &Checking<'_>, case: &Case, effect: &Effect) -> Option<Type> {
    let name = effect.for_each.as_ref()?;
    let (at, rolls) = (&effect.at, checking.module.more.rolls.values());
    // A thing has the rolls alone that its own acts freeze.
    let own = rolls.filter(|roll| roll.close.0 == case.name).map(|roll| roll.name.as_str());
    let is = checking.declared(at, "roll", name, own);
    if effect.each.is_some() {
        let (name, keys) = (effect.name.clone(), "each, for_each");
        checking.mistakes.add(at, What::Both { name, keys });
    }
    let other = match &effect.verb {
        Verb::Book { .. } | Verb::Booked { .. } => Some("book"),
        Verb::More(verb) if !verb.for_each() => Some(verb.name()),
        _ => None,
    };
    if let Some(word) = other {
        let known = ["open", "tell", "record", "revise", "move", "notify", "issue", "status"];
        let (key, word, known) = ("for_each", word.to_owned(), known.map(str::to_owned).into());
        checking.mistakes.add(at, What::Word { key, word, known });
    }
    for placed in effect.formulas() {
        let paths = placed.formula.paths();
        let mut roots = paths.iter().filter_map(|path| path.first());
        if let Some(name) = roots.find(|root| matches!(root.as_str(), "doc" | "head" | "me")) {
            let (text, name) = (placed.formula.text().to_owned(), name.clone());
            checking.mistakes.add(&placed.at, What::NotHere { text, name });
        }
    }
    let roll = checking.module.more.rolls.get(name).filter(|_| is);
    Some(roll.map_or(Type::Any, |roll| roll.kind(checking.module)))
}

/// What `x` is.
fn element(each: &Placed, scope: &CaseScope<'_>, mistakes: &Mistakes) -> Type {
    match wanted(each, scope, mistakes, "list", &[Type::list(Type::Any)]) {
        Type::List(of) => *of,
        _ => Type::Any,
    }
}

/// What the seal says alone is listed, and whoever gets it has an act that takes it in.
fn sent(checking: &Checking<'_>, at: &At, form: &str, on: Option<&Placed>) {
    let module = checking.module;
    if !checking.declared(at, "form", form, module.forms.keys().map(String::as_str)) {
        return;
    }
    if !module.sent.contains(form) {
        checking.mistakes.add(at, What::NotSent(form.to_owned()));
    }
    match module.receiving(form) {
        None => checking.mistakes.add(at, What::NotReceived(form.to_owned())),
        Some((_, act)) if on.is_none() && !act.opens => {
            checking.mistakes.add(at, What::MissingKey { key: "on".into() });
        }
        Some((_, act)) if on.is_some() && act.opens && act.from.is_empty() => {
            checking.mistakes.add(at, What::UnknownKey { key: "on".into(), nearest: None });
        }
        Some(_) => {}
    }
}

/// What an inner act is given must be what its form has, if it has one.
fn given(
    checking: &Checking<'_>,
    at: &At,
    with: Option<&Fields>,
    act: &Act,
    scope: &CaseScope<'_>,
) {
    let form = act.shape.as_ref().and_then(|shape| checking.module.forms.get(shape));
    match (form, with) {
        (Some(form), with) => filled(checking, at, with, form, scope),
        (None, Some(with)) => fields(checking, at, with, &Type::Any, scope),
        (None, None) => {}
    }
}

/// The fields of a form, as they are given; those that must be there.
fn filled(
    checking: &Checking<'_>,
    at: &At,
    with: Option<&Fields>,
    form: &Form,
    scope: &CaseScope<'_>,
) {
    let must = || form.fields.iter().filter(|field| field.required);
    let missing = match with {
        Some(with) => {
            fields(checking, at, with, &form.kind(), scope);
            match with {
                Fields::Each(each) => {
                    must().filter(|f| each.iter().all(|(name, _)| *name != f.name)).collect()
                }
                Fields::Whole(_) => Vec::new(),
            }
        }
        None => must().collect::<Vec<_>>(),
    };
    for field in missing {
        checking.mistakes.add(at, What::MissingKey { key: format!("with.{}", field.name) });
    }
}

pub(super) fn fields(
    checking: &Checking<'_>,
    at: &At,
    with: &Fields,
    kind: &Type,
    scope: &dyn Scope,
) {
    let known = if let Type::Map(known) = kind { Some(known) } else { None };
    match with {
        Fields::Whole(placed) => {
            let kinds = [Type::Map(BTreeMap::new())];
            let found = wanted(placed, scope, checking.mistakes, "map", &kinds);
            let (Some(known), Type::Map(found)) = (known, found) else { return };
            for (name, of) in found {
                if checking.declared(at, "field", &name, known.keys().map(String::as_str))
                    && known
                        .get(&name)
                        .is_some_and(|to_be| of.clone().with(to_be.clone()).is_none())
                {
                    let text = format!("{}.{name}", placed.formula.text());
                    let what = What::Result { text, wanted: "the kind of the field", found: of };
                    checking.mistakes.add(&placed.at, what);
                }
            }
        }
        Fields::Each(each) => {
            for (name, placed) in each {
                let found = wanted(placed, scope, checking.mistakes, "", &[]);
                let Some(known) = known else { continue };
                if !checking.declared(at, "field", name, known.keys().map(String::as_str)) {
                    continue;
                }
                let to_be = known.get(name).cloned().unwrap_or(Type::Any);
                if found.clone().with(to_be.clone()).is_none() {
                    let text = placed.formula.text().to_owned();
                    let what = What::Result { text, wanted: "the kind of the field", found };
                    checking.mistakes.add(&placed.at, what);
                }
            }
        }
    }
}

fn moved(
    checking: &Checking<'_>,
    at: &At,
    account: &Account,
    of: &[(String, Placed)],
    (from, to): (&str, &str),
) {
    let places = || account.places.iter().map(|(name, _)| name.as_str());
    for place in [from, to] {
        checking.declared(at, "place", place, places());
    }
    if from == to {
        checking.mistakes.add(at, What::Twice(from.to_owned()));
    }
    let dims = || account.dims.iter().map(String::as_str);
    for (name, placed) in of {
        checking.declared(&placed.at, "dimension", name, dims());
    }
    for dim in dims().filter(|dim| of.iter().all(|(name, _)| name != dim)) {
        checking.mistakes.add(at, What::MissingKey { key: format!("of.{dim}") });
    }
}

/// What a record's formulas speak of.
struct RecordScope<'a> {
    module: &'a Module,
    it: Type,
    ask: Option<Type>,
}

impl Scope for RecordScope<'_> {
    fn root(&self, name: &str) -> Option<Type> {
        match name {
            "it" => Some(self.it.clone()),
            "ask" | "doc" => self.ask.clone(),
            "me" if self.ask.is_some() => Some(super::check::me()),
            "lodged" => Some(Type::Instant),
            "home" => Some(Type::Text),
            _ => None,
        }
    }
    fn roots(&self) -> Vec<String> {
        ["it", "ask", "me", "lodged", "home"].map(str::to_owned).into()
    }
    fn call(&self, name: &str, first: Option<&str>) -> Type {
        of_state(self.module, name, first)
    }
}

struct Places<'a>(&'a Account);

impl Scope for Places<'_> {
    fn root(&self, name: &str) -> Option<Type> {
        self.0.place(name).map(|_| quantity(self.0))
    }
    fn roots(&self) -> Vec<String> {
        self.0.places.iter().map(|(name, _)| name.clone()).collect()
    }
    fn call(&self, _: &str, _: Option<&str>) -> Type {
        Type::Any
    }
}

struct Resource<'a>(&'a Module);

impl Scope for Resource<'_> {
    fn root(&self, name: &str) -> Option<Type> {
        (name == "resource").then_some(Type::Text)
    }
    fn roots(&self) -> Vec<String> {
        vec!["resource".into()]
    }
    fn call(&self, name: &str, first: Option<&str>) -> Type {
        of_state(self.0, name, first)
    }
}

/// Registries, accounts and bookings, each for itself.
pub(super) fn mechanisms(
    module: &Module,
    mistakes: &Mistakes,
    texts: &mut BTreeSet<String>,
    roles: &mut BTreeSet<String>,
) {
    let checking = Checking { module, mistakes };
    more::check(module, mistakes, texts);
    for registry in module.registries.values() {
        texts.insert(format!("registry-{}", registry.name));
        self::registry(&checking, registry, texts, roles);
    }
    report_check::check(module, mistakes, texts);
    matching_check::check(module, mistakes, texts);
    exam_check::check(module, mistakes, texts);
    inspection_check::check(module, mistakes, texts);
    for account in module.accounts.values() {
        texts.insert(format!("account-{}", account.name));
        self::account(&checking, account, texts);
    }
    for booking in module.bookings.values() {
        texts.insert(format!("booking-{}", booking.name));
        no_law(&checking, &booking.at, &booking.name, &booking.law);
        wanted(&booking.units, &Resource(module), mistakes, "int", &[Type::Int]);
        checking.names(&booking.units);
    }
    publication_check::publications(module, mistakes, texts);
}

fn no_law(checking: &Checking<'_>, at: &At, rule: &str, law: &str) {
    if law.is_empty() {
        checking.mistakes.add(at, What::NoLaw(rule.to_owned()));
    }
}

fn account(checking: &Checking<'_>, account: &Account, texts: &mut BTreeSet<String>) {
    let scope = Places(account);
    let mut spoken = BTreeSet::new();
    for limit in &account.limits {
        no_law(checking, &limit.at, &limit.name, &limit.law);
        let own = || format!("limit-{}-{}", account.name, limit.name);
        texts.insert(limit.say.clone().unwrap_or_else(own));
        wanted(&limit.that, &scope, checking.mistakes, "bool", &[Type::Bool]);
        spoken.extend(limit.that.formula.paths().into_iter().flatten());
    }
    for (place, _) in account.places.iter().filter(|(_, kind)| kind == "stock" || kind == "held") {
        if !spoken.contains(place) {
            let (account_name, place) = (account.name.clone(), place.clone());
            let what = What::NoLimit { account: account_name, place };
            checking.mistakes.add(&account.at, what);
        }
    }
}

fn registry(
    checking: &Checking<'_>,
    registry: &Registry,
    texts: &mut BTreeSet<String>,
    roles: &mut BTreeSet<String>,
) {
    let (module, mistakes) = (checking.module, checking.mistakes);
    let forms = || module.forms.keys().map(String::as_str);
    checking.declared(&registry.at, "form", &registry.form, forms());
    let it = module.forms.get(&registry.form).map_or(Type::Any, |form| form.kind());
    let scope = RecordScope { module, it: it.clone(), ask: None };
    let check = |placed: &Placed, name, kinds: &[Type]| {
        wanted(placed, &scope, mistakes, name, kinds);
        checking.names(placed);
    };
    for placed in &registry.key {
        check(placed, "", &[]);
    }
    if let Some(placed) = &registry.subject {
        check(placed, "name, list of names", &[Type::Text, Type::list(Type::Text)]);
    }
    for placed in registry.from.iter().chain(&registry.to) {
        check(placed, "date", &[Type::Date]);
    }
    for (_, placed) in &registry.indexes {
        check(placed, "", &[]);
    }
    for unique in &registry.uniques {
        no_law(checking, &unique.at, &unique.name, &unique.law);
        unique.of.iter().for_each(|placed| check(placed, "", &[]));
    }
    for one in &registry.duplicates {
        no_law(checking, &one.at, &one.name, &one.law);
        if one.same.is_empty() {
            mistakes.add(&one.at, What::MissingKey { key: "same".into() });
        }
        one.same.iter().for_each(|placed| check(placed, "", &[]));
    }
    let asked = RecordScope { module, it: it.clone(), ask: Some(Type::Any) };
    for seal in &registry.seals {
        no_law(checking, &seal.at, &seal.name, &seal.law);
        check(&seal.when, "bool", &[Type::Bool]);
        if let Some(open) = &seal.open {
            wanted(open, &asked, mistakes, "bool", &[Type::Bool]);
        }
    }
    for ask in &registry.asks {
        texts.insert(format!("ask-{}-{}", registry.name, ask.name));
        question(checking, registry, ask, &it, texts, roles);
    }
}

fn question(
    checking: &Checking<'_>,
    registry: &Registry,
    ask: &Ask,
    it: &Type,
    texts: &mut BTreeSet<String>,
    roles: &mut BTreeSet<String>,
) {
    let (module, mistakes) = (checking.module, checking.mistakes);
    no_law(checking, &ask.at, &ask.name, &ask.law);
    let forms = || module.forms.keys().map(String::as_str);
    checking.declared(&ask.at, "form", &ask.form, forms());
    let form = module.forms.get(&ask.form);
    let kind = form.map_or(Type::Any, |form| form.kind());
    if ask.by.is_empty() {
        mistakes.add(&ask.at, What::MissingKey { key: "by".into() });
    }
    for name in ask.by.iter().filter(|name| *name != "subject") {
        let known = module.roles.keys().map(String::as_str);
        if checking.declared(&ask.at, "role", name, known) {
            roles.insert(name.clone());
        }
    }
    if ask.by.iter().any(|name| name == "subject") && registry.subject.is_none() {
        mistakes.add(&registry.at, What::MissingKey { key: "subject".into() });
    }
    let has_purpose = form.is_some_and(|form| form.fields.iter().any(|f| f.name == "purpose"));
    if !ask.purposes.is_empty() && !has_purpose {
        let (kind, name) = ("field", "purpose".to_owned());
        mistakes.add(&ask.at, What::Undeclared { kind, name, nearest: None });
    }
    let scope = RecordScope { module, it: it.clone(), ask: Some(kind) };
    wanted(&ask.which, &scope, mistakes, "bool", &[Type::Bool]);
    checking.names(&ask.which);
    for need in &ask.needs {
        let own = || format!("need-{}-{}-{}", registry.name, ask.name, need.name);
        texts.insert(need.say.clone().unwrap_or_else(own));
        no_law(checking, &need.at, &need.name, &need.law);
        wanted(&need.that, &scope, mistakes, "bool", &[Type::Bool]);
    }
    let equal = ask.which.formula.equalities();
    let on = |text: &str| equal.iter().any(|(side, _)| *side == text);
    let by_key = registry.key.iter().all(|key| on(key.formula.text()));
    if !by_key && !registry.indexes.iter().any(|(_, of)| on(of.formula.text())) {
        let text = ask.which.formula.text().to_owned();
        mistakes.add(&ask.at, What::NoIndex { text });
    }
    if let (Give::Fields(fields), Type::Map(known)) = (&ask.give, it) {
        for field in fields {
            checking.declared(&ask.at, "field", field, known.keys().map(String::as_str));
        }
    }
}
