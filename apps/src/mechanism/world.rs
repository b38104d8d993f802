//! A module over a state in memory, for the tests of mechanisms: who files what, what comes due, and all of it decided again.

use std::{collections::BTreeMap, fmt::Write as _};

use chancery_crypto::{Digest, cbor};
use chancery_protocol::{DocumentHeader, DocumentId, Filing, FormValue, Urgency};

use crate::{
    civil::Instant,
    folder::Folder,
    input::{Document, Input, Signer},
    kernel::{Coming, Decision, Kernel, Salt},
    manifest::{Module, What},
    office::{self, Installed},
    reason::Reason,
    record::{Facts, Outcome, Subject},
    replay::Replay,
    state::{Family, Key, MemoryState, State as _, Writes},
};

pub(super) const HOME: &str = "a.gov.cn";
pub(super) const START: i64 = 1_772_400_000;

/// A folder of these files, with all the texts that it needs.
pub(super) fn folder(files: &[(&str, &str)]) -> Folder {
    let mut texts = [String::new(), String::new()];
    let make = |texts: &[String; 2]| {
        let own = [("texts/zh-CN.ftl", texts[0].as_str()), ("texts/en.ftl", &texts[1])];
        Folder::of(files.iter().copied().chain(own)).expect("a folder")
    };
    for mistake in Module::read(&make(&texts)).err().into_iter().flatten() {
        if let What::NoText { name, language } = &mistake.what {
            writeln!(texts[usize::from(*language == "en")], "{name} = {name}").expect("a text");
        }
    }
    make(&texts)
}

/// The mistakes of a folder: code, place and English sentence.
pub(super) fn mistakes(files: &[(&str, &str)]) -> Vec<String> {
    let found = Module::read(&folder(files)).err().into_iter().flatten();
    let each = found.map(|one| {
        let say = one.say(chancery_crypto::Language::En);
        assert!(!one.say(chancery_crypto::Language::Zh).is_empty());
        format!("{} {say}", one.what.code())
    });
    each.collect()
}

/// Has each change of a file be found: path, what is replaced, by what, the code and what the sentence names.
pub(super) fn each_is_found(files: &[(&str, &str)], changes: &[(&str, &str, &str, &str, &str)]) {
    assert_eq!(mistakes(files), Vec::<String>::new(), "the folder is to be right as it stands");
    for (path, from, to, code, place) in changes {
        let text = files.iter().find(|(name, _)| name == path).expect("a file").1;
        assert!(text.contains(from), "{path} has no {from:?}");
        let changed = text.replacen(from, to, 1);
        let files: Vec<_> = files
            .iter()
            .map(|(name, text)| (*name, if name == path { changed.as_str() } else { text }))
            .collect();
        let found = mistakes(&files);
        let is = |one: &&String| {
            one.starts_with(code) && one.contains(place) && one.contains(&format!("{path}:"))
        };
        assert!(found.iter().any(|one| is(&one)), "{to:?} is to give {code} {place:?}: {found:#?}");
    }
}

pub(super) struct World {
    pub module: Module,
    pub state: MemoryState,
    pub now: i64,
    /// What whoever decides has found besides.
    pub facts: Facts,
    first: MemoryState,
    kernel: Kernel,
    made: Vec<(Decision, Option<Document>)>,
}

impl World {
    /// A module in force, with officers `name: role`.
    pub(super) fn new(files: &[(&str, &str)], officers: &[(&str, &str)]) -> Self {
        let folder = folder(files);
        let module = Module::read(&folder).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
        let installed = Installed {
            digest: module.digest(),
            version: "1".into(),
            since: START,
            by: String::new(),
            document: String::new(),
            second: None,
        };
        let plain = cbor::encode(&installed).expect("plain");
        let mut writes = Writes::from([
            (office::folder(&module.digest()), Some(folder.encode())),
            (office::in_force(module.name()), Some(plain)),
        ]);
        for (who, role) in officers {
            let held = office::Appointment { from: START, until: None, document: String::new() };
            let key = office::appointment(module.name(), role, &name(who), None);
            writes.insert(key, Some(cbor::encode(&held).expect("plain")));
        }
        let mut state = MemoryState::default();
        state.apply(&writes);
        let (kernel, made, facts) = Default::default();
        Self { module, first: state.clone(), state, now: START, kernel, made, facts }
    }

    /// Somebody files an act; the thing that it opens is called by what comes back.
    pub(super) fn file(
        &mut self,
        by: &str,
        act: &str,
        about: Option<&str>,
        form: impl IntoIterator<Item = (&'static str, FormValue)>,
    ) -> Result<String, Vec<Reason>> {
        self.now += 60;
        let (case, name_of) = act.split_once('/').expect("case/act");
        let kind = self.module.form_of(case, name_of).expect("a form").0.to_owned();
        let filing = Filing {
            behalf: None,
            home: HOME.parse().expect("an agency"),
            act: act.to_owned(),
            about: about.map(str::to_owned),
            seen: None,
            reason: Some("x".into()),
            version: None,
            until: self.now + 86_400,
        };
        let header = DocumentHeader {
            kind,
            number: None,
            title: act.to_owned(),
            from: HOME.parse().expect("an agency"),
            to: Vec::new(),
            cc: Vec::new(),
            classification: None,
            secrecy_period: None,
            urgency: Urgency::Routine,
            created: self.now,
            deadline: None,
            in_reply_to: None,
            module: self.module.name().to_owned(),
            fields: BTreeMap::new(),
            crit: Vec::new(),
            filing: Some(filing),
            form: form.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            parts: Vec::new(),
            nonce: Digest::of(self.now.to_string().as_bytes()),
        };
        let id = Digest::of(&cbor::encode(&header).expect("plain"));
        let id = DocumentId::from_slice(id.as_bytes()).expect("an id");
        let signers = vec![Signer { name: name(by), agency: HOME.to_owned() }];
        let mut input = Input {
            at: Instant(self.now),
            lodged: Instant(self.now),
            home: HOME.to_owned(),
            salt: Salt::Fresh(Digest::of(self.now.to_string().as_bytes())),
            facts: self.facts.clone(),
            document: Document { id, header, signers, part: None },
        };
        input.facts.form = self.kernel.judge_form(&self.state, &input).expect("it is judged");
        let decisions = self.kernel.decide(&self.state, &input).expect("it is decided");
        let mut came = Err(Vec::new());
        for decision in decisions {
            came = match &decision.record.outcome {
                Outcome::Applied(applied) => Ok(applied.thing.clone()),
                Outcome::Refused(reasons) => Err(reasons.clone()),
                other => panic!("{other:?}"),
            };
            let own = matches!(decision.record.subject, Subject::Document(_));
            self.state.apply(&decision.writes);
            self.made.push((decision, own.then(|| input.document.clone())));
        }
        came
    }

    /// As [`World::file`], of what is to be refused: the rule and the code of the first reason, and its sentences.
    pub(super) fn refused(
        &mut self,
        by: &str,
        act: &str,
        about: Option<&str>,
        form: impl IntoIterator<Item = (&'static str, FormValue)>,
    ) -> (String, String) {
        let before = self.kept();
        let reasons = self.file(by, act, about, form).expect_err("it is to be refused");
        assert_eq!(before, self.kept(), "what is refused changes nothing");
        let first = reasons.first().expect("a reason");
        let say = |language| first.say(&self.module, language);
        let said = format!(
            "{} {}",
            say(chancery_crypto::Language::En),
            say(chancery_crypto::Language::Zh)
        );
        (first.rule.clone(), format!("{} {said}", first.why.code()))
    }

    /// All rows but those that count decisions.
    fn kept(&self) -> Vec<(Key, Vec<u8>)> {
        let counted = |key: &Key| matches!(key.family, Family::Chain | Family::Document);
        let rows = self.state.rows().filter(|(key, _)| !counted(key));
        rows.map(|(key, value)| (key.clone(), value.to_vec())).collect()
    }

    /// One round of what is due, by a kernel that remembers nothing. How many decisions that made.
    pub(super) fn due_once(&mut self) -> usize {
        let kernel = Kernel::default();
        let (coming, _) =
            kernel.coming(&self.state, Instant(self.now), "", 1).expect("it can be read");
        let Some(coming): Option<Coming> = coming.into_iter().next() else { return 0 };
        let salt = Salt::Fresh(Digest::of(format!("{} {}", self.now, self.made.len()).as_bytes()));
        let due = kernel.due(&self.state, &coming, Instant(self.now), HOME, salt);
        let (made, moved) = due.expect("it is decided");
        self.state.apply(&moved);
        let count = made.len();
        for decision in made {
            self.state.apply(&decision.writes);
            self.made.push((decision, None));
        }
        count
    }

    /// All that is due, until nothing is.
    pub(super) fn due(&mut self) -> usize {
        let mut count = 0;
        while !self.nothing_comes() {
            count += self.due_once();
        }
        count
    }

    fn nothing_comes(&self) -> bool {
        let coming = self.kernel.coming(&self.state, Instant(self.now), "", 1);
        coming.expect("it can be read").0.is_empty()
    }

    /// Goes back to a state: what was decided since was never written.
    pub(super) fn forget(&mut self, made: usize, state: MemoryState) {
        self.made.truncate(made);
        self.state = state;
    }

    pub(super) fn decisions(&self) -> impl Iterator<Item = &Decision> {
        self.made.iter().map(|(decision, _)| decision)
    }

    /// All of it decided again comes to the same state.
    pub(super) fn replay(&self) {
        let mut replay = Replay::from(HOME, self.first.clone());
        for (decision, document) in &self.made {
            let step = replay.step(&decision.record.encode(), &decision.salt, document.clone());
            step.unwrap_or_else(|fault| panic!("{fault:?}"));
        }
        for (key, value) in self.state.rows().filter(|(key, _)| !key.family.derived()) {
            let other = replay.state().get(key).expect("it can be read");
            assert_eq!(other.as_deref(), Some(value), "{key:?}");
        }
        assert_eq!(replay.state().rows().count(), self.state.rows().count());
    }
}

pub(super) fn name(who: &str) -> String {
    format!("{who}@{HOME}")
}

pub(super) fn text(text: &str) -> FormValue {
    FormValue::Text(text.to_owned())
}
