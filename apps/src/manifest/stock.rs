//! Stock acts: what offices do with every matter, switched on by name in `[stock]`. They are written out as plain acts with their forms
//! and texts, and read as if they stood in the file: the kernel knows no second way.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use toml::de::DeValue;

use super::{
    case::{Act, Case, State, Target},
    form::Form,
    mistake::What,
    module::Module,
    reader::{At, File, Mistakes, Placed, Table},
    special::{Within, within},
};
use crate::{nearest::nearest, words::Words};

/// What `[stock]` and the changes of rounds stand for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Stock {
    /// The acts, as TOML.
    pub acts: String,
    /// The ready forms, by name, as JSON Schema.
    pub forms: BTreeMap<String, String>,
    /// The ready texts.
    pub texts: Vec<Ready>,
    /// Where it stands.
    pub at: At,
}

/// A ready text, in both languages. `{NAME}` in it is another text of the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ready {
    /// The ready form of which it is; it is not needed where the module has a form of its own.
    pub form: Option<String>,
    pub name: String,
    pub zh: String,
    pub en: String,
}

/// What is wrong with a stock act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StockFault {
    /// No state comes before one from which it returns.
    NothingBefore(String),
    /// It returns to a state that does not come before that from which it does.
    NotBefore {
        /// The state returned to.
        to: String,
        /// The state from which.
        from: String,
    },
    /// What an act has done stays when it is recalled: it opens, or has effects, and nothing undoes them.
    Stays(String),
    /// An act moves nothing, so that there is nothing to recall.
    MovesNothing(String),
    /// An act leads to ends alone, and nothing is recalled from an end.
    Ended(String),
    /// A vote is not recalled.
    Vote(String),
    /// What undoes an act is possible in none of the states to which that leads.
    UndoElsewhere {
        /// What undoes.
        undo: String,
        /// The act.
        act: String,
    },
    /// A matter is resumed that is never suspended.
    NeverSuspended,
    /// There is no series whose numbers could be annulled.
    NoNumber,
    /// It leads to a state that is no end.
    NotAnEnd(String),
    /// It leads on from a state that is no end.
    NotEnded(String),
    /// A round is bound to a text, and its case has none.
    NoText(String),
    /// The form of a vote does not say for which text it is.
    NoTextField(String),
    /// Somebody who is to sign is not one person.
    Several(String),
}

impl StockFault {
    /// Its name, by which programs know it.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NothingBefore(_) => "nothing-before",
            Self::NotBefore { .. } => "not-before",
            Self::Stays(_) => "recall-stays",
            Self::MovesNothing(_) => "recall-nothing",
            Self::Ended(_) => "recall-end",
            Self::Vote(_) => "recall-vote",
            Self::UndoElsewhere { .. } => "undo-elsewhere",
            Self::NeverSuspended => "never-suspended",
            Self::NoNumber => "no-number",
            Self::NotAnEnd(_) => "not-an-end",
            Self::NotEnded(_) => "not-ended",
            Self::NoText(_) => "no-case-text",
            Self::NoTextField(_) => "no-text-field",
            Self::Several(_) => "several-signers",
        }
    }
}

/// A text in quotes, as TOML has it.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn listed(names: &[String]) -> String {
    let each: Vec<_> = names.iter().map(|name| quoted(name)).collect();
    format!("[{}]", each.join(", "))
}

/// A value as TOML has it on one line.
fn written(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quoted(text),
        DeValue::Integer(n) => {
            i64::from_str_radix(n.as_str(), n.radix()).unwrap_or_default().to_string()
        }
        DeValue::Float(n) => n.as_str().to_owned(),
        DeValue::Boolean(yes) => yes.to_string(),
        DeValue::Datetime(at) => at.to_string(),
        DeValue::Array(list) => {
            let each: Vec<_> = list.iter().map(|value| written(value.get_ref())).collect();
            format!("[{}]", each.join(", "))
        }
        DeValue::Table(table) => {
            let mut each: Vec<_> = table.iter().collect();
            each.sort_by_key(|(name, _)| name.span().start);
            let each: Vec<_> = each
                .into_iter()
                .map(|(name, value)| format!("{} = {}", name.get_ref(), written(value.get_ref())))
                .collect();
            format!("{{ {} }}", each.join(", "))
        }
    }
}

/// A formula that gives one of some states: each if the condition on it holds, the last otherwise.
fn choice(states: &[String], holds: impl Fn(&str) -> String) -> String {
    match states {
        [] => String::new(),
        [one] => format!("'{one}'"),
        [first, rest @ ..] => {
            format!("{} ? '{first}' : {}", holds(first), choice(rest, holds))
        }
    }
}

/// What is written out so far.
pub(super) struct Writer<'c> {
    case: &'c Case,
    /// Names of people: who did an act that may be recalled.
    who: Vec<(String, String)>,
    out: Stock,
}

/// What is common to stock acts.
struct Common {
    at: At,
    from: Vec<String>,
    by: Vec<String>,
    law: Option<String>,
}

const REMARK: &str = r#""remark": { "type": "string", "maxLength": 500 }"#;
const OFFICER: &str = r#""to": { "type": "string", "maxLength": 200, "x-type": "officer" }"#;

impl Writer<'_> {
    /// Begins an act.
    fn act(&mut self, name: &str, form: Option<&str>, common: &Common) {
        let _ = writeln!(self.out.acts, "\n[act.{name}]");
        if let Some(form) = form {
            self.key("form", &quoted(form));
        }
        self.key("from", &listed(&common.from));
        if !common.by.is_empty() {
            self.key("by", &listed(&common.by));
        }
        if let Some(law) = &common.law {
            self.key("law", &quoted(law));
        }
    }

    fn key(&mut self, key: &str, value: &str) {
        let _ = writeln!(self.out.acts, "{key} = {value}");
    }

    /// A target: the name of a state, or a formula.
    fn to(&mut self, states: &[String], holds: impl Fn(&str) -> String) {
        match states {
            [one] => self.key("to", &quoted(one)),
            states => self.key("to", &quoted(&choice(states, holds))),
        }
    }

    fn text(&mut self, name: &str, zh: &str, en: &str) {
        self.ready(None, name.to_owned(), zh, en);
    }

    fn ready(&mut self, form: Option<&str>, name: String, zh: &str, en: &str) {
        let (form, zh, en) = (form.map(str::to_owned), zh.to_owned(), en.to_owned());
        self.out.texts.push(Ready { form, name, zh, en });
    }

    fn act_text(&mut self, act: &str, zh: &str, en: &str) {
        self.text(&format!("act-{}-{act}", self.case.name), zh, en);
    }

    /// A ready form. `fields` are name, Chinese and English.
    fn form(
        &mut self,
        name: &str,
        zh: &str,
        en: &str,
        required: &[&str],
        properties: &[&str],
        fields: &[(&str, &str, &str)],
    ) {
        let required: Vec<_> = required.iter().map(|name| format!("\"{name}\"")).collect();
        let text = format!(
            "{{ \"$schema\": \"https://json-schema.org/draft/2020-12/schema\", \"type\": \"object\", \
             \"additionalProperties\": false,{}\n  \"properties\": {{ {} }} }}\n",
            match required.is_empty() {
                true => String::new(),
                false => format!("\n  \"required\": [{}],", required.join(", ")),
            },
            properties.join(",\n    ")
        );
        self.out.forms.insert(name.to_owned(), text);
        self.ready(Some(name), format!("form-{name}"), zh, en);
        for (field, zh, en) in fields {
            self.ready(Some(name), format!("form-{name}-{field}"), zh, en);
        }
    }

    /// A ready form of a remark alone.
    fn plain_form(&mut self, name: &str, zh: &str, en: &str) {
        self.form(name, zh, en, &[], &[REMARK], &[("remark", "备注", "remark")]);
    }

    fn order(&self, state: &str) -> Option<usize> {
        self.case.states.iter().position(|known| known.name == state)
    }

    fn open(&self) -> Vec<String> {
        let open = self.case.states.iter().filter(|state| !state.end);
        open.map(|state| state.name.clone()).collect()
    }

    /// Whoever may do something in one of some states.
    fn acting(&self, from: &[String]) -> Vec<String> {
        let case = self.case;
        let rounds = case.states.iter().filter(|state| from.contains(&state.name));
        let rounds: Vec<_> = rounds.filter_map(|state| state.round.as_ref()).collect();
        let here = |act: &&Act| !act.inner() && act.from.iter().any(|state| from.contains(state));
        let mut by: Vec<String> = Vec::new();
        for name in case.acts.iter().filter(here).flat_map(|act| &act.by) {
            if !by.contains(name) {
                by.push(name.clone());
            }
        }
        if !rounds.is_empty() {
            by.push("asked".to_owned());
        }
        by
    }

    /// What every stock act has: from where, by whom, by which article.
    fn common(&self, table: &Table<'_>, from: Vec<String>, by: Option<Vec<String>>) -> Common {
        let from = if table.has("from") { table.names("from") } else { from };
        let by = match (table.has("by"), by) {
            (true, _) => table.names("by"),
            (false, Some(by)) => by,
            (false, None) => {
                table.mistake(What::MissingKey { key: "by".into() });
                Vec::new()
            }
        };
        Common { at: table.at(), from, by, law: table.text("law") }
    }

    /// 退回.
    fn give_back(&mut self, table: &Table<'_>) {
        let mut common = self.common(table, self.open(), Some(Vec::new()));
        if common.by.is_empty() {
            common.by = self.acting(&common.from);
        }
        let law = table.must("law").unwrap_or_default();
        let fixed = table.must("to").filter(|to| to != "earlier");
        let again = match table.text("again").as_deref() {
            Some("same") => Some("same"),
            None | Some("again") => Some("again"),
            Some("ask") => None,
            Some(other) => {
                let known = ["same", "again", "ask"].map(str::to_owned).into();
                table.mistake(What::Word { key: "again", word: other.to_owned(), known });
                Some("again")
            }
        };
        // Of each state, those that come before it and have a way on.
        let mut ways: Vec<(String, Vec<String>)> = Vec::new();
        for from in &common.from {
            let Some(place) = self.order(from) else { continue };
            let before = self.case.states.iter().take(place).filter(|state| !state.end);
            let before: Vec<_> = before.map(|state| state.name.clone()).collect();
            match &fixed {
                Some(to) if self.order(to).is_some() && !before.contains(to) => {
                    let (to, from) = (to.clone(), from.clone());
                    table.mistake(What::Stock(StockFault::NotBefore { to, from }));
                }
                None if before.is_empty() => {
                    table.mistake(What::Stock(StockFault::NothingBefore(from.clone())));
                }
                _ => {}
            }
            ways.push((from.clone(), before));
        }
        let mut states: Vec<String> = Vec::new();
        for state in ways.iter().flat_map(|(_, before)| before) {
            if !states.contains(state) {
                states.push(state.clone());
            }
        }
        let name = match (&fixed, again) {
            (Some(_), Some(_)) => "return",
            (None, Some(_)) => "return_to",
            (Some(_), None) => "return_again",
            (None, None) => "return_to_again",
        };
        self.act("return", Some(name), &common);
        self.key("reason", "true");
        let passed = match &fixed {
            Some(to) => {
                self.key("to", &quoted(to));
                format!("has(when.{to})")
            }
            None => {
                self.to(&states, |state| format!("doc.to == '{state}'"));
                let each = ways.iter().map(|(from, before)| {
                    let each = before.iter();
                    let each: Vec<_> = each
                        .map(|state| format!("doc.to == '{state}' && has(when.{state})"))
                        .collect();
                    format!("it.state == '{from}' && ({})", each.join(" || "))
                });
                each.collect::<Vec<_>>().join(" || ")
            }
        };
        self.key("again", &quoted(&again.map_or("doc.again".into(), |word| format!("'{word}'"))));
        let need = format!(
            "{{ that = {}, law = {}, say = \"stock-earlier\" }}",
            quoted(&passed),
            quoted(&law)
        );
        self.key("need.earlier", &need);
        self.text(
            "stock-earlier",
            "只能退回到已经经过的环节",
            "a matter is returned to a state that it has passed",
        );
        self.act_text("return", "退回", "return");
        let to = r#""to": { "type": "string", "maxLength": 60 }"#;
        let how = r#""again": { "type": "string", "enum": ["same", "again"] }"#;
        let (mut required, mut properties, mut fields) =
            (Vec::new(), vec![REMARK], vec![("remark", "备注", "remark")]);
        if fixed.is_none() {
            required.push("to");
            properties.push(to);
            fields.push(("to", "退回到的环节", "state to return to"));
        }
        if again.is_none() {
            required.push("again");
            properties.push(how);
            fields.push((
                "again",
                "重新办理方式：same 直接回到退回人，again 逐级重新办理",
                "how it goes on: same, at the returner; again, the whole way",
            ));
        }
        self.form(name, "退回单", "return", &required, &properties, &fields);
    }

    /// 撤回: an act for each that may be recalled.
    fn recall(&mut self, table: &Table<'_>, whole: &Table<'_>) {
        let law = table.text("law");
        let undo = table.text("undo");
        let of = match table.has("of") {
            true => table.names("of"),
            false => {
                table.mistake(What::MissingKey { key: "of".into() });
                return;
            }
        };
        self.plain_form("recall", "撤回单", "recall");
        for name in of {
            let case = self.case;
            let fault = |fault| table.mistake(What::Stock(fault));
            let Some(act) = case.act(&name).filter(|act| !act.inner()) else {
                let known = case.acts.iter().filter(|act| !act.inner());
                let nearest = nearest(&name, known.map(|act| act.name.as_str()));
                let nearest = nearest.map(str::to_owned);
                table.mistake(What::Undeclared { kind: "act", name, nearest });
                continue;
            };
            if act.vote.is_some() {
                fault(StockFault::Vote(name));
                continue;
            }
            if matches!(act.to, Target::Stays) {
                fault(StockFault::MovesNothing(name));
                continue;
            }
            let ended = |state: &String| case.state(state).is_some_and(|state| state.end);
            let mut from: Vec<String> = Vec::new();
            for state in act.to.states().into_iter().filter(|state| !ended(state)) {
                if !from.contains(&state) {
                    from.push(state);
                }
            }
            if from.is_empty() {
                fault(StockFault::Ended(name));
                continue;
            }
            let undone = undo.as_ref().and_then(|undo| case.act(undo));
            if let (Some(undo), None) = (&undo, undone) {
                let known = case.acts.iter().map(|act| act.name.as_str());
                let nearest = nearest(undo, known).map(str::to_owned);
                table.mistake(What::Undeclared { kind: "act", name: undo.clone(), nearest });
                return;
            }
            match undone {
                None if act.opens || !act.effects.is_empty() => {
                    fault(StockFault::Stays(name));
                    continue;
                }
                Some(undone) if !undone.from.is_empty() => {
                    from.retain(|state| undone.from.contains(state));
                    if from.is_empty() {
                        let undo = undone.name.clone();
                        fault(StockFault::UndoElsewhere { undo, act: name });
                        continue;
                    }
                }
                _ => {}
            }
            let (recall, who) = (format!("recall_{name}"), format!("author_of_{name}"));
            self.who.push((who.clone(), format!("author.{name}")));
            let common = Common { at: table.at(), from, by: vec![who], law: law.clone() };
            self.act(&recall, Some("recall"), &common);
            self.key("undoes", &quoted(&name));
            match undone {
                None => self.to(&act.from, |state| format!("last.from == '{state}'")),
                Some(undone) => {
                    for key in ["to", "set", "then"] {
                        if let Some(value) = whole.value_at(&["act", &undone.name, key]) {
                            self.key(key, &written(value));
                        }
                    }
                }
            }
            if let Some(number) = &act.number {
                self.key("annul", &listed(std::slice::from_ref(number)));
            }
            let of = format!("act-{}-{name}", case.name);
            self.act_text(&recall, &format!("撤回（{{{of}}}）"), &format!("recall: {{{of}}}"));
        }
    }

    /// 转办.
    fn hand_over(&mut self, table: &Table<'_>) {
        let mut common = self.common(table, self.open(), Some(Vec::new()));
        if common.by.is_empty() {
            common.by = self.acting(&common.from);
        }
        let within = match within(table) {
            Within::Office => "office",
            Within::Agency => "agency",
        };
        self.act("hand_over", Some("hand_over"), &common);
        self.key("hand", &format!("{{ to = \"doc.to\", within = \"{within}\" }}"));
        self.act_text("hand_over", "转办", "hand over");
        self.form(
            "hand_over",
            "转办单",
            "handing over",
            &["to"],
            &[OFFICER, REMARK],
            &[("to", "接办人", "to whom"), ("remark", "备注", "remark")],
        );
    }

    /// 催办.
    fn urge(&mut self, table: &Table<'_>) {
        let common = self.common(table, self.open(), None);
        self.act("urge", Some("urge"), &common);
        self.key("then.urge", "{ notify = \"duty\", say = \"stock-urged\" }");
        self.text("stock-urged", "催办：请尽快办理", "urged: please go on with this");
        self.act_text("urge", "催办", "urge");
        self.plain_form("urge", "催办单", "urging");
    }

    /// 中止 and 恢复.
    fn suspend(&mut self, table: &Table<'_>, resume: Option<&Table<'_>>) {
        let common = self.common(table, self.open(), None);
        self.act("suspend", Some("suspend"), &common);
        self.key("reason", "true");
        self.key("suspend", "\"doc.until\"");
        self.act_text("suspend", "中止办理", "suspend");
        self.form(
            "suspend",
            "中止单",
            "suspension",
            &[],
            &[REMARK, r#""until": { "type": "string", "format": "date", "x-type": "date" }"#],
            &[
                ("remark", "备注", "remark"),
                (
                    "until",
                    "中止至（含当日；不填则至恢复办理时止）",
                    "until the end of this day; until it is resumed, if left out",
                ),
            ],
        );
        let Common { at, from, by, law } = common;
        let again = match resume {
            Some(table) => self.common(table, from, Some(by)),
            None => Common { at, from, by, law },
        };
        self.act("resume", Some("resume"), &again);
        self.key("resume", "true");
        self.act_text("resume", "恢复办理", "resume");
        self.plain_form("resume", "恢复单", "resumption");
    }

    /// An end to which an act leads.
    fn end(&self, table: &Table<'_>) -> String {
        let to = table.must("to").unwrap_or_default();
        if self.case.state(&to).is_some_and(|state| !state.end) {
            table.mistake(What::Stock(StockFault::NotAnEnd(to.clone())));
        }
        to
    }

    /// 作废.
    fn annul(&mut self, table: &Table<'_>) {
        let common = self.common(table, self.open(), None);
        let to = self.end(table);
        let series: Vec<_> = self.case.numbers.iter().map(|number| number.name.clone()).collect();
        if series.is_empty() {
            table.mistake(What::Stock(StockFault::NoNumber));
            return;
        }
        self.act("annul", Some("annul"), &common);
        self.key("to", &quoted(&to));
        self.key("reason", "true");
        self.key("annul", &listed(&series));
        self.act_text("annul", "作废", "annul");
        self.plain_form("annul", "作废单", "annulment");
    }

    /// 重新办理.
    fn reopen(&mut self, table: &Table<'_>) {
        let ended = self.case.states.iter().filter(|state| state.end);
        let ended = ended.map(|state| state.name.clone()).collect();
        let common = self.common(table, ended, None);
        for from in &common.from {
            if self.case.state(from).is_some_and(|state| !state.end) {
                table.mistake(What::Stock(StockFault::NotEnded(from.clone())));
            }
        }
        table.must("law");
        let to = table.must("to").unwrap_or_default();
        self.act("reopen", Some("reopen"), &common);
        self.key("to", &quoted(&to));
        self.key("reason", "true");
        self.key("reopen", "true");
        self.act_text("reopen", "重新办理", "reopen");
        self.plain_form("reopen", "重新办理单", "reopening");
    }

    /// 撤销申请.
    fn withdraw(&mut self, table: &Table<'_>, whole: &Table<'_>) {
        let mut common = self.common(table, self.open(), None);
        let undo = table.text("undo");
        let undone = undo.as_ref().and_then(|undo| self.case.act(undo));
        if let (Some(undo), None) = (&undo, undone) {
            let known = self.case.acts.iter().map(|act| act.name.as_str());
            let nearest = nearest(undo, known).map(str::to_owned);
            table.mistake(What::Undeclared { kind: "act", name: undo.clone(), nearest });
        }
        if let Some(undone) = undone.filter(|undone| !undone.from.is_empty()) {
            common.from.retain(|state| undone.from.contains(state));
        }
        let to = self.end(table);
        self.act("withdraw", Some("withdraw"), &common);
        self.key("to", &quoted(&to));
        for key in ["set", "then"] {
            let undone = undone.map(|undone| undone.name.as_str()).unwrap_or_default();
            if let Some(value) = whole.value_at(&["act", undone, key]) {
                self.key(key, &written(value));
            }
        }
        self.act_text("withdraw", "撤销申请", "withdraw");
        self.plain_form("withdraw", "撤销申请单", "withdrawal");
    }

    /// 合并: the one ends and names the other, which names it; both keep what they were.
    fn merge(&mut self, table: &Table<'_>) {
        let common = self.common(table, self.open(), None);
        let law = table.must("law").unwrap_or_default();
        let (to, case) = (self.end(table), self.case.name.clone());
        self.act("merge", Some("merge"), &common);
        self.key("to", &quoted(&to));
        self.key("reason", "true");
        self.key("set", "{ merged_into = \"doc.into\" }");
        let need = quoted(&law);
        self.key(
            "need.other",
            &format!(
                "{{ that = \"doc.into != it.id\", law = {need}, say = \"stock-merge-other\" }}"
            ),
        );
        self.key(
            "then.merge",
            &format!(
                "{{ tell = \"{case}/merged\", on = \"doc.into\", with = {{ from = \"it.id\" }} }}"
            ),
        );
        let inner = Common { by: Vec::new(), law: None, from: self.open(), at: common.at.clone() };
        self.act("merged", Some("merged"), &inner);
        self.key("inner", "true");
        self.key("set", "{ merged = \"has(it.merged) ? it.merged + [doc.from] : [doc.from]\" }");
        self.act_text("merge", "并入其他事项", "merge into another matter");
        self.act_text("merged", "并入了其他事项", "another matter was merged into it");
        self.text("stock-merge-other", "事项不能并入自身", "a matter is not merged into itself");
        let id = r#"{ "type": "string", "maxLength": 100 }"#;
        self.form(
            "merge",
            "合并单",
            "merging",
            &["into"],
            &[&format!("\"into\": {id}"), REMARK],
            &[("into", "并入的事项", "the matter into which"), ("remark", "备注", "remark")],
        );
        self.form(
            "merged",
            "并入记录",
            "merged",
            &["from"],
            &[&format!("\"from\": {id}")],
            &[("from", "被并入的事项", "the matter that was merged")],
        );
    }

    /// 加签, 减签 and 转办 of a round.
    pub(super) fn round(&mut self, name: &str, table: &Table<'_>) {
        let states = self.case.states.iter();
        let here = states.filter(|state: &&State| state.round.as_deref() == Some(name));
        let from: Vec<_> = here.map(|state| state.name.clone()).collect();
        if let Some(change) = table.table("change") {
            let (law, reason) = (change.text("law"), change.bool("reason"));
            for (key, zh, en) in [("add", "加签", "ask more"), ("drop", "减签", "ask fewer")] {
                if !change.has(key) {
                    continue;
                }
                let (by, act) = (change.names(key), format!("{key}_{name}"));
                let common = Common { at: change.at(), from: from.clone(), by, law: law.clone() };
                self.act(&act, Some("signers"), &common);
                if reason {
                    self.key("reason", "true");
                }
                self.key("change", &format!("{{ round = \"{name}\", {key} = \"doc.who\" }}"));
                self.act_text(&act, zh, en);
            }
            let who = r#""who": { "type": "array", "maxItems": 50, "minItems": 1,
      "items": { "type": "string", "maxLength": 200 } }"#;
            self.form(
                "signers",
                "会签人员变更单",
                "change of who is asked",
                &["who"],
                &[who, REMARK],
                &[("who", "人员或机关", "people or agencies"), ("remark", "备注", "remark")],
            );
        }
        if let Some(pass) = table.table("pass") {
            let within = match within(&pass) {
                Within::Office => "office",
                Within::Agency => "agency",
            };
            let (by, act) = (vec!["asked".to_owned()], format!("pass_{name}"));
            let common = Common { at: pass.at(), from, by, law: pass.text("law") };
            self.act(&act, Some("hand_over"), &common);
            self.key(
                "change",
                &format!("{{ round = \"{name}\", pass = \"doc.to\", within = \"{within}\" }}"),
            );
            self.act_text(&act, "转由他人会签", "pass on to another");
            self.form(
                "hand_over",
                "转办单",
                "handing over",
                &["to"],
                &[OFFICER, REMARK],
                &[("to", "接办人", "to whom"), ("remark", "备注", "remark")],
            );
        }
    }
}

impl<'c> Writer<'c> {
    /// Nothing is written yet.
    pub(super) fn new(case: &'c Case, table: &Table<'_>) -> Self {
        let at = if table.has("stock") { table.at_key("stock") } else { table.at() };
        Self { case, who: Vec::new(), out: Stock { at, ..Stock::default() } }
    }

    /// Writes out what `[stock]` stands for.
    pub(super) fn stock(&mut self, whole: &Table<'_>) {
        let Some(stock) = whole.table("stock") else { return };
        let inside = |name| stock.table(name);
        if let Some(one) = inside("return") {
            self.give_back(&one);
        }
        if let Some(one) = inside("recall") {
            self.recall(&one, whole);
        }
        if let Some(one) = inside("hand_over") {
            self.hand_over(&one);
        }
        if let Some(one) = inside("urge") {
            self.urge(&one);
        }
        match (inside("suspend"), inside("resume")) {
            (Some(one), resume) => self.suspend(&one, resume.as_ref()),
            (None, Some(resume)) => {
                for key in ["by", "from", "law"] {
                    resume.has(key);
                }
                resume.mistake(What::Stock(StockFault::NeverSuspended));
            }
            (None, None) => {}
        }
        if let Some(one) = inside("annul") {
            self.annul(&one);
        }
        if let Some(one) = inside("reopen") {
            self.reopen(&one);
        }
        if let Some(one) = inside("withdraw") {
            self.withdraw(&one, whole);
        }
        if let Some(one) = inside("merge") {
            self.merge(&one);
        }
    }

    /// All that was written.
    pub(super) fn finish(self) -> Stock {
        let Self { who, mut out, .. } = self;
        if !who.is_empty() {
            let each: Vec<_> = who
                .iter()
                .map(|(name, formula)| format!("{name} = {}\n", quoted(formula)))
                .collect();
            out.acts = format!("[who]\n{}{}", each.concat(), out.acts);
        }
        out
    }
}

impl Stock {
    /// The acts and names that it stands for, read as any others are.
    pub(super) fn acts(&self, table: &Table<'_>) -> (Vec<(String, Placed)>, Vec<Act>) {
        let (mut who, mut acts) = (Vec::new(), Vec::new());
        // All of it stands where `[stock]` does.
        let lines = vec![0; self.at.line.saturating_sub(1)];
        table.inner_file(&self.acts, &lines).read(|table| {
            who = table.named_formulas("who");
            acts = table.tables("act").into_iter().map(|(name, t)| Act::read(name, &t)).collect();
        });
        for act in &mut acts {
            act.special.stock = true;
        }
        (who, acts)
    }
}

impl Module {
    /// Takes the ready forms and texts of stock acts, where the module has none of its own by their names.
    pub(super) fn take_stock(&mut self, mistakes: &Mistakes) {
        let all: Vec<_> = self.cases.values().map(|case| case.stock.clone()).collect();
        let own: BTreeSet<_> = self.forms.keys().cloned().collect();
        for stock in all {
            let lines = vec![0; stock.at.line.saturating_sub(1)];
            for (name, text) in stock.forms.iter().filter(|(name, _)| !own.contains(*name)) {
                let file = File { path: &stock.at.file, text, lines: &lines, mistakes };
                if let Some(form) = Form::read(file, name) {
                    self.forms.insert(name.clone(), form);
                }
            }
            for ready in &stock.texts {
                if ready.form.as_ref().is_some_and(|form| own.contains(form)) {
                    continue;
                }
                for (words, text) in [(&mut self.zh, &ready.zh), (&mut self.en, &ready.en)] {
                    let text = filled(text, words);
                    words.or_insert(&ready.name, text);
                }
            }
        }
    }

    /// What the stock acts of each case stand for: the acts as the case would have them, and the forms and texts that come with
    /// them. Nothing where there are none.
    pub fn expanded(&self) -> String {
        let mut out = String::new();
        let mut forms = BTreeMap::new();
        let mut texts = BTreeSet::new();
        for case in self.cases.values().filter(|case| !case.stock.acts.is_empty()) {
            let _ = writeln!(out, "# cases/{}.toml\n{}", case.name, case.stock.acts.trim_start());
            forms.extend(&case.stock.forms);
            texts.extend(case.stock.texts.iter().map(|ready| ready.name.as_str()));
        }
        for (name, text) in forms {
            let _ = writeln!(out, "# forms/{name}.json\n{text}");
        }
        for (file, words) in [("zh-CN", &self.zh), ("en", &self.en)] {
            if !texts.is_empty() {
                let _ = writeln!(out, "# texts/{file}.ftl");
            }
            for name in &texts {
                if let Some(text) = words.get(name) {
                    let _ = writeln!(out, "{name} = {text}");
                }
            }
        }
        out
    }
}

/// A ready text with the texts that it names.
fn filled(text: &str, words: &Words) -> String {
    let Some((before, rest)) = text.split_once('{') else { return text.to_owned() };
    let Some((name, after)) = rest.split_once('}') else { return text.to_owned() };
    format!("{before}{}{after}", words.get(name).unwrap_or(name))
}
