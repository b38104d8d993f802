//! The whole of a module.

use std::collections::{BTreeMap, BTreeSet};

use chancery_certs::{AgencyName, PartyKind};
use chancery_crypto::{Digest, Language};

use super::{
    case::Case,
    check, codes,
    computation::Computation,
    computation_check, data,
    exam::Exam,
    extends::{Extends, Whole},
    form::Form,
    inspection::Inspection,
    matching::Matching,
    mechanism::{Account, Booking, Registry},
    migration::Migration,
    mistake::{Mistake, What},
    more::{self, More},
    param::{self, Param, Variant},
    publication::Publication,
    reader::{At, File, Mistakes, Table, is_name, lines},
    reading::RoleScope,
    report::Report,
    story, table,
    template::Template,
};
use crate::{
    calendar::Rule,
    civil::Zone,
    codes::Codes,
    folder::Folder,
    input::Signer,
    words::{MOST_WORDS, NoLine, Words},
};

/// A name in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Both {
    /// In Chinese.
    pub zh: String,
    /// In English.
    pub en: String,
}

impl Both {
    /// In a language.
    pub fn say(&self, language: Language) -> &str {
        language.pick(&self.en, &self.zh)
    }
}

/// A module that was read and has no mistake.
#[derive(Debug, Clone)]
pub struct Module {
    pub(crate) digest: Digest,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) names: Both,
    /// The text that a bare article is of.
    pub(crate) law: String,
    /// Other texts, by the name in front of an article.
    pub(crate) laws: BTreeMap<String, String>,
    pub(crate) rule: Rule,
    pub(crate) zone: Zone,
    pub(crate) roles: BTreeMap<String, At>,
    /// The forms of what the agency's seal may send alone.
    pub(crate) sent: BTreeSet<String>,
    /// Those of them that are held in offices, and never in the whole agency.
    pub(crate) office_roles: BTreeSet<String>,
    /// Those of them that parties have, and of which kind those are.
    pub(crate) party_roles: BTreeMap<String, Option<PartyKind>>,
    pub(crate) cases: BTreeMap<String, Case>,
    pub(crate) forms: BTreeMap<String, Form>,
    pub(crate) registries: BTreeMap<String, Registry>,
    pub(crate) accounts: BTreeMap<String, Account>,
    pub(crate) bookings: BTreeMap<String, Booking>,
    /// Rolls and what else has rows of its own.
    pub(crate) more: More,
    pub(crate) publications: BTreeMap<String, Publication>,
    pub(crate) tables: BTreeMap<String, crate::table::Table>,
    /// Tables that could not be read: what asks them is not judged.
    pub(super) unread: BTreeSet<String>,
    pub(crate) codes: BTreeMap<String, Codes>,
    pub(crate) computations: BTreeMap<String, Computation>,
    pub(crate) reports: BTreeMap<String, Report>,
    pub(crate) matchings: BTreeMap<String, Matching>,
    pub(crate) exams: BTreeMap<String, Exam>,
    pub(crate) inspections: BTreeMap<String, Inspection>,
    /// What is printed.
    pub(crate) templates: BTreeMap<String, Template>,
    pub(crate) zh: Words,
    pub(crate) en: Words,
    pub(crate) params: BTreeMap<String, Param>,
    pub(crate) variants: Vec<Variant>,
    pub(crate) migrations: BTreeMap<String, Migration>,
    /// Who made it, as it says itself.
    pub(crate) publisher: Option<String>,
    /// What it extends.
    pub(crate) extends: Option<Extends>,
    /// The stories of what it extends that come out otherwise, each with why.
    pub(crate) changed: BTreeMap<String, String>,
}

impl Module {
    /// Reads a folder.
    ///
    /// # Errors
    /// All mistakes that there are, by file and line.
    pub fn read(folder: &Folder) -> Result<Self, Vec<Mistake>> {
        Self::read_with_warnings(folder).map(|(module, _)| module)
    }

    /// As [`Module::read`], with what is no mistake and yet looks like one.
    ///
    /// # Errors
    /// As [`Module::read`]; warnings stand among the mistakes.
    pub fn read_with_warnings(folder: &Folder) -> Result<(Self, Vec<Mistake>), Vec<Mistake>> {
        let above = Mistakes::default();
        let mut module = Self::empty(folder.digest());
        let whole = Whole::of(folder, &above);
        let above = above.into_vec();
        if !above.is_empty() {
            // Without what it extends, half of it stands for nothing.
            return Err(above);
        }
        let (folder, mistakes) = (&*whole.folder, Mistakes::default());
        let has = folder.file("module.toml").is_some();
        if !has {
            let at = At { file: "module.toml".into(), line: 1 };
            mistakes.add(&at, What::MissingKey { key: "module".into() });
        }
        // What the others take from it, they find.
        let first = folder.file("module.toml").map(|text| ("module.toml", text));
        let others = folder.files().filter(|(path, _)| *path != "module.toml");
        for (path, text) in first.into_iter().chain(others) {
            let lines = lines(text);
            module.take_file(File { path, text, lines: &lines, mistakes: &mistakes });
        }
        module.take_stock(&mistakes);
        for plan in module.migrations.values() {
            for Mistake { at, what } in plan.mistakes(&module, None) {
                mistakes.add(&at, what);
            }
        }
        if has {
            data::check(&module, &mistakes);
            computation_check::settle(&mut module, &mistakes);
            check::module(&module, &mistakes);
        }
        // Stories speak of what the other files declare.
        let rules = story::rules(&module);
        for (path, text) in folder.files().filter(|(path, _)| path.starts_with("scenarios/")) {
            let lines = lines(text);
            let file = File { path, text, lines: &lines, mistakes: &mistakes };
            if file.check_characters() {
                story::read(file, &module, &rules);
            }
        }
        let found = mistakes.into_vec().into_iter();
        let found = found.map(|Mistake { at, what }| Mistake { at: whole.at(&at), what });
        let (mut warnings, bad): (Vec<_>, Vec<_>) =
            found.partition(|mistake| mistake.what.is_warning());
        warnings.retain(|mistake| !whole.is_of_above(&mistake.at, &mistake.what));
        match bad.is_empty() {
            true => Ok((module, warnings)),
            // A text is not used where what uses it could not be read, as often as not.
            false => {
                let told =
                    warnings.into_iter().filter(|one| !matches!(one.what, What::UnusedText(_)));
                Err(bad.into_iter().chain(told).collect())
            }
        }
    }

    fn empty(digest: Digest) -> Self {
        Self {
            digest,
            name: String::new(),
            version: String::new(),
            names: Both::default(),
            law: String::new(),
            laws: BTreeMap::new(),
            rule: Rule::Civil,
            zone: Zone::CHINA,
            roles: BTreeMap::new(),
            sent: BTreeSet::new(),
            office_roles: BTreeSet::new(),
            party_roles: BTreeMap::new(),
            cases: BTreeMap::new(),
            forms: BTreeMap::new(),
            registries: BTreeMap::new(),
            accounts: BTreeMap::new(),
            bookings: BTreeMap::new(),
            more: More::default(),
            publications: BTreeMap::new(),
            tables: BTreeMap::new(),
            unread: BTreeSet::new(),
            codes: BTreeMap::new(),
            computations: BTreeMap::new(),
            reports: BTreeMap::new(),
            matchings: BTreeMap::new(),
            exams: BTreeMap::new(),
            inspections: BTreeMap::new(),
            templates: BTreeMap::new(),
            zh: Words::default(),
            en: Words::default(),
            params: BTreeMap::new(),
            variants: Vec::new(),
            migrations: BTreeMap::new(),
            publisher: None,
            extends: None,
            changed: BTreeMap::new(),
        }
    }

    fn take_file(&mut self, file: File<'_>) {
        let (kind, name) = file.path.split_once('/').unwrap_or(("", file.path));
        // Stories are read last; samples and what people read beside them are nobody's.
        let beside = matches!(kind, "scenarios" | "samples" | "docs") || file.path == "README.md";
        if beside || !file.check_characters() {
            return;
        }
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        match (kind, name) {
            ("", "module.toml") => file.read(|table| self.take(&table)),
            ("forms", _) => {
                if let Some(form) = Form::read(file, stem) {
                    self.forms.insert(stem.to_owned(), form);
                }
            }
            ("texts", "zh-CN.ftl") => self.zh = words(file),
            ("texts", "en.ftl") => self.en = words(file),
            ("cases", _) => file.read(|table| {
                let Some(case) = Case::read(&table, self.rule) else { return };
                let (at, name) = (table.at(), case.name.clone());
                if self.cases.insert(name.clone(), case).is_some() {
                    file.mistakes.add(&at, What::Twice(name));
                }
            }),
            ("registries", _) => file.read(|table| {
                let Some(one) = Registry::read(&table, self.rule) else { return };
                let name = one.name.clone();
                self.once(file, &table, &name);
                self.registries.insert(name, one);
            }),
            ("accounts", _) => file.read(|table| {
                let Some(one) = Account::read(&table) else { return };
                let name = one.name.clone();
                self.once(file, &table, &name);
                self.accounts.insert(name, one);
            }),
            ("bookings", _) => file.read(|table| {
                let Some(one) = Booking::read(&table) else { return };
                let name = one.name.clone();
                self.once(file, &table, &name);
                self.bookings.insert(name, one);
            }),
            ("computations", _) => file.read(|table| {
                let Some(one) = Computation::read(&table) else { return };
                let name = one.name.clone();
                self.once(file, &table, &name);
                self.computations.insert(name, one);
            }),
            ("reports", _) => file.read(|table| {
                let Some(one) = Report::read(&table) else { return };
                let name = one.name.clone();
                self.once(file, &table, &name);
                self.reports.insert(name, one);
            }),
            ("matchings", _) => file.read(|table| {
                let Some(one) = Matching::read(&table) else { return };
                let name = one.name.clone();
                self.once(file, &table, &name);
                self.matchings.insert(name, one);
            }),
            ("exams", _) => file.read(|table| {
                let Some(one) = Exam::read(&table) else { return };
                let name = one.name.clone();
                self.once(file, &table, &name);
                self.exams.insert(name, one);
            }),
            ("inspections", _) => file.read(|table| {
                let Some(one) = Inspection::read(&table) else { return };
                let name = one.name.clone();
                self.once(file, &table, &name);
                self.inspections.insert(name, one);
            }),
            (folder, _) if more::FOLDERS.contains(&folder) => file.read(|table| {
                let mut taken = More::default();
                let Some(name) = taken.take(folder, &table) else { return };
                self.once(file, &table, &name);
                self.more.extend(taken);
            }),
            ("publications", _) => file.read(|table| {
                let Some(one) = Publication::read(&table) else { return };
                let name = one.name.clone();
                self.once(file, &table, &name);
                self.publications.insert(name, one);
            }),
            ("tables", _) => file.read(|toml| {
                let Some(found) = table::table(&toml) else {
                    self.unread.extend(toml.text("table"));
                    return;
                };
                let (at, name) = (toml.at(), found.name.clone());
                if self.tables.insert(name.clone(), found).is_some() {
                    file.mistakes.add(&at, What::Twice(name));
                }
            }),
            ("templates", _) => file.read(|table| {
                let Some(one) = Template::read(&table) else { return };
                let (at, name) = (table.at(), one.name.clone());
                if !is_name(&name) {
                    file.mistakes.add(&at, What::Name(name.clone()));
                }
                if self.templates.insert(name.clone(), one).is_some() {
                    file.mistakes.add(&at, What::Twice(name));
                }
            }),
            ("variants", _) => file.read(|table| {
                let Some(one) = Variant::read(&table, &self.params) else { return };
                if self.variants.iter().any(|known| known.name == one.name) {
                    file.mistakes.add(&table.at(), What::Twice(one.name.clone()));
                }
                self.variants.push(one);
            }),
            ("migrations", _) => file.read(|table| {
                let Some(one) = Migration::read(&table) else { return };
                let (at, name) = (table.at(), one.name.clone());
                if self.migrations.insert(name.clone(), one).is_some() {
                    file.mistakes.add(&at, What::Twice(name));
                }
            }),
            ("codes", _) if name.ends_with(".csv") => {
                self.codes.insert(stem.to_owned(), codes::codes(file, stem));
            }
            // Stories, samples and what people read beside it.
            ("scenarios" | "samples" | "docs", _) | ("", "README.md") => {}
            _ => file.mistakes.add(&At { file: file.path.into(), line: 1 }, What::NoThing),
        }
    }

    /// A name stands for one thing of a module, whatever that is.
    fn once(&self, file: File<'_>, table: &Table<'_>, name: &str) {
        if !is_name(name) {
            file.mistakes.add(&table.at(), What::Name(name.to_owned()));
        }
        let known = self.cases.contains_key(name)
            || self.registries.contains_key(name)
            || self.accounts.contains_key(name)
            || self.bookings.contains_key(name)
            || self.publications.contains_key(name)
            || self.computations.contains_key(name)
            || self.reports.contains_key(name)
            || self.matchings.contains_key(name)
            || self.exams.contains_key(name)
            || self.inspections.contains_key(name)
            || self.more.has(name);
        if known {
            file.mistakes.add(&table.at(), What::Twice(name.to_owned()));
        }
    }

    fn take(&mut self, table: &Table<'_>) {
        self.name = table.must("module").unwrap_or_default();
        if !self.name.split('.').all(is_name) || self.name.len() > 60 {
            table.mistake(What::Name(self.name.clone()));
        }
        self.version = table.must("version").unwrap_or_default();
        self.extends = table.text("extends").map(|text| {
            let (name, digest) = text.split_once('@').unwrap_or((&text, ""));
            Extends { name: name.to_owned(), digest: Digest::from_hex(digest) }
        });
        self.changed = table.texts("changes").into_iter().collect();
        self.law = table.must("law").unwrap_or_default();
        self.laws = table.texts("laws").into_iter().collect();
        match table.table("names") {
            Some(names) => {
                let name = |key| names.must(key).unwrap_or_default();
                self.names = Both { zh: name("zh-CN"), en: name("en") };
            }
            None => table.mistake(What::MissingKey { key: "names".into() }),
        }
        self.rule = rule(table, Rule::Civil);
        self.params = param::params(table);
        self.publisher = table.text("publisher");
        if let Some(name) = self.publisher.as_ref().filter(|n| n.parse::<AgencyName>().is_err()) {
            table.mistake(What::NoAgency(name.clone()));
        }
        if let Some(zone) = table.text("zone") {
            match Zone::named(&zone) {
                Some(zone) => self.zone = zone,
                None => table.mistake(What::Word {
                    key: "zone",
                    word: zone,
                    known: ["Asia/Shanghai", "UTC", "+08:00"].map(str::to_owned).into(),
                }),
            }
        }
        self.sent = table.names_or_none("sent").into_iter().collect();
        for (name, role) in table.tables("role") {
            match super::reading::role_scope(&role) {
                RoleScope::Agency => {}
                RoleScope::Office => drop(self.office_roles.insert(name.clone())),
                RoleScope::Party(kind) => drop(self.party_roles.insert(name.clone(), kind)),
            }
            self.roles.insert(name, role.at());
        }
    }

    /// What it is known by: the digest of its folder.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Who made it, as it says itself.
    pub fn publisher(&self) -> Option<&str> {
        self.publisher.as_deref()
    }

    /// Whether it says that a story of what it extends comes out otherwise, and why.
    pub fn changes_story(&self, scenario: &str) -> Option<&str> {
        self.changed.get(scenario).map(String::as_str)
    }

    /// What it extends, if it does.
    pub fn extends(&self) -> Option<&Extends> {
        self.extends.as_ref()
    }

    /// Its name in ASCII: types are `(module, form)`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version, as its makers call it.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Its names for people.
    pub fn names(&self) -> &Both {
        &self.names
    }

    /// The names of its cases.
    pub fn cases(&self) -> impl Iterator<Item = &str> {
        self.cases.keys().map(String::as_str)
    }

    /// The zone of its civil dates.
    pub fn zone(&self) -> Zone {
        self.zone
    }

    /// The roles that it knows.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles.keys().map(String::as_str)
    }

    /// Whether a role is held in offices, and never in the whole agency.
    pub fn is_of_an_office(&self, role: &str) -> bool {
        self.office_roles.contains(role)
    }

    /// Whether parties have a role, by what they are.
    pub fn is_of_parties(&self, role: &str) -> bool {
        self.party_roles.contains_key(role)
    }

    /// Whether somebody is one of the parties that have a role.
    pub(crate) fn has_party(&self, role: &str, who: &Signer) -> bool {
        let kind = self.party_roles.get(role);
        kind.is_some_and(|kind| who.is_party() && kind.is_none_or(|kind| who.kind() == Some(kind)))
    }

    /// The states of a case, in their order.
    pub fn states(&self, case: &str) -> Vec<String> {
        let case = self.cases.get(case);
        case.map(|case| case.states.iter().map(|state| state.name.clone()).collect())
            .unwrap_or_default()
    }

    /// Whether a state of a case is an end.
    pub fn ends(&self, case: &str, state: &str) -> bool {
        self.cases.get(case).and_then(|case| case.state(state)).is_none_or(|state| state.end)
    }

    /// The acts that are possible in a state of a case, each with who may do it.
    pub fn possible(&self, case: &str, state: &str) -> Vec<(String, Vec<String>)> {
        let Some(case) = self.cases.get(case) else { return Vec::new() };
        let here = |act: &&super::case::Act| {
            let voting = act.vote.is_some()
                && case.state(state).and_then(|state| state.round.as_ref()).is_some_and(|round| {
                    case.round(round).is_some_and(|round| round.act == act.name)
                });
            !act.inner() && (voting || act.from.iter().any(|from| from == state))
        };
        case.acts.iter().filter(here).map(|act| (act.name.clone(), act.by.clone())).collect()
    }

    /// The questions that may be put to registries: registry, question, who may put it.
    pub fn questions(&self) -> Vec<(&str, &str, &[String])> {
        let registries = self.registries.values();
        let each = registries.flat_map(|registry| {
            let asks = registry.asks.iter();
            asks.map(|ask| (registry.name.as_str(), ask.name.as_str(), ask.by.as_slice()))
        });
        each.collect()
    }

    /// The form of an act or a question, and whether it must say why: `case/act`.
    pub fn form_of(&self, case: &str, act: &str) -> Option<(&str, bool)> {
        if let Some(registry) = self.registries.get(case) {
            return Some((registry.ask(act)?.form.as_str(), false));
        }
        let act = self.cases.get(case)?.act(act)?;
        Some((act.form.as_deref()?, act.reason))
    }

    /// The fields of a form: name, kind, and whether it must be filled in.
    pub fn fields(&self, form: &str) -> Vec<(String, String, bool)> {
        let form = self.forms.get(form);
        let fields = form.into_iter().flat_map(|form| &form.fields);
        fields.map(|field| (field.name.clone(), field.kind.to_string(), field.required)).collect()
    }

    /// The acts of a case that documents make.
    pub fn acts(&self, case: &str) -> Vec<&str> {
        let case = self.cases.get(case);
        let acts = case.into_iter().flat_map(|case| case.acts.iter());
        acts.filter(|act| !act.inner()).map(|act| act.name.as_str()).collect()
    }

    /// A text, if it has it.
    pub fn text(&self, language: Language, name: &str) -> Option<&str> {
        language.pick(&self.en, &self.zh).get(name)
    }

    /// The law of a rule as people cite it: `"15"` is of the module's own text, `"tl 15"` of another.
    pub fn cite(&self, law: &str) -> String {
        // That of a parameter.
        let own = law.strip_prefix("param.").and_then(|name| self.params.get(name));
        let law = own.map_or(law, |param| &param.law);
        match law
            .split_once(' ')
            .and_then(|(alias, article)| Some((self.laws.get(alias)?, article)))
        {
            Some((title, article)) => format!("{title} {article}"),
            None => format!("{} {law}", self.law),
        }
    }
}

/// The counting rule that a table names.
pub(super) fn rule(table: &Table<'_>, otherwise: Rule) -> Rule {
    let Some(name) = table.text("count") else { return otherwise };
    Rule::named(&name).unwrap_or_else(|| {
        let known = Rule::names().map(str::to_owned).collect();
        table.mistake(What::Word { key: "count", word: name, known });
        otherwise
    })
}

fn words(file: File<'_>) -> Words {
    let (words, bad) = Words::read(file.text);
    for (line, fault) in bad {
        let what = match fault {
            NoLine::Nothing => What::TextLine,
            NoLine::Text(name, fault) => What::Text { key: name, fault },
            NoLine::Length(name) => What::TextLength { key: name, most: MOST_WORDS },
        };
        file.mistakes.add(&At { file: file.path.into(), line }, what);
    }
    words
}
