//! `chancery app`: what modules keep, and acts on it. Nothing here is made for one module.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use chancery_apps::Module;
use chancery_certs::{PartyName, TrustStore};
use chancery_crypto::Language;
use chancery_desk::{
    asking::{LocalReply, LocalRequest},
    matters::{Called, MatterView, Question},
};
use chancery_ledger::unix_now;
use chancery_protocol::{
    Behalf, FilingReceipt, FilingReceiptFile, Form, FormValue, Hand, Validation,
};
use chancery_store::files::{read_file, write_new};
use clap::Subcommand;

use crate::{
    failure::Failure,
    filing::{Filed, form_value},
    keys::Signer,
    local::Local,
    output::{Output, plain, time},
    told,
    verify::print_receipt,
    way::{Door, ReadingWay, Way},
};

#[derive(Debug, Subcommand)]
pub(crate) enum App {
    /// Show what a module can do: its acts, and the fields of their forms
    #[command(after_help = "Example:\n  chancery app describe news")]
    Describe {
        /// The module's name
        module: String,
        #[command(flatten)]
        way: ReadingWay,
    },
    /// Do an act: fill in its form, sign it, and have it decided
    #[command(after_help = "Examples:
  chancery app do news item/draft --set headline=… --set column=work --set text=@article.txt
  chancery app do news release --on 3f2a91c0
  chancery app do news return --on 3f2a91c0 --reason 数据有误
  chancery app do news item/draft --form article.json
  chancery app do licence apply --set what=食品经营许可 --node a.zj.gov.cn --connect 10.0.0.7:8443 --anchor root.pem --receipt mine.receipt
  chancery app do licence apply --set what=… --for p-7hq2m4k9x3v6t5wa@party.zj.gov.cn --as guardian --node …")]
    Do(Box<Do>),
    /// List the matters of a module
    #[command(
        after_help = "Examples:\n  chancery app list news\n  chancery app list news --state first --json"
    )]
    List {
        /// The module's name
        module: String,
        /// Only those in this state
        #[arg(long)]
        state: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u32,
        #[command(flatten)]
        way: ReadingWay,
    },
    /// Show who has looked at what registries keep of you, for what purpose and on what basis
    #[command(
        after_help = "Example:\n  chancery app looks\n  chancery app looks --of li@justice.hz.gov.cn"
    )]
    Looks {
        /// Of somebody else: for whoever may read all that modules keep
        #[arg(long, value_name = "NAME")]
        of: Option<String>,
        #[command(flatten)]
        way: ReadingWay,
    },
    /// Show what modules have told you
    #[command(
        after_help = "Example:\n  chancery app notices\n  chancery app notices --of li@justice.hz.gov.cn"
    )]
    Notices {
        /// Of somebody else: for whoever may read all that modules keep
        #[arg(long, value_name = "NAME")]
        of: Option<String>,
        #[command(flatten)]
        way: ReadingWay,
    },
    /// Print a matter by a template of its module, as PDF/A
    #[command(
        after_help = "Example:\n  chancery app print 3f2a91c0 --template notice --out notice.pdf"
    )]
    Print {
        /// The first digits of its id
        id: String,
        /// The template, a file in the module's folder `templates`
        #[arg(long, value_name = "NAME")]
        template: String,
        /// The language of what the template says
        #[arg(long, value_name = "LANGUAGE", value_enum, default_value = "zh")]
        of: crate::output::Language,
        /// The new file
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        local: Local,
    },
    /// Show a matter: its state, deadlines with how each was counted, and what was done
    #[command(after_help = "Example:\n  chancery app show 3f2a91c0")]
    Show {
        /// The first digits of its id
        id: String,
        #[command(flatten)]
        way: ReadingWay,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Do {
    /// The module's name
    module: String,
    /// The act, with the case before it where several have one of the name: `item/draft`
    act: String,
    /// The first digits of the matter's id; none for an act that opens one
    #[arg(long, value_name = "ID")]
    on: Option<String>,
    /// A field of the form: NAME=VALUE, or NAME=@FILE for the text of a file
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// The whole form as a JSON file
    #[arg(long, value_name = "FILE")]
    form: Option<PathBuf>,
    /// Why, where a reason must be given
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The title of the document (default: what the act is called)
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Only if the matter has not moved since this step, as `app show` numbers them
    #[arg(long, value_name = "N")]
    seen: Option<u64>,
    #[command(flatten)]
    signer: Signer,
    /// For this enterprise or citizen, and not for yourself
    #[arg(long = "for", value_name = "PARTY", requires = "as_what")]
    party: Option<PartyName>,
    /// As what you act for it: by a power of attorney, as its guardian, or as an officer who helps it at the counter
    #[arg(long = "as", id = "as_what", value_name = "HOW", value_parser = ["agent", "guardian", "assisted"], requires = "party")]
    how: Option<String>,
    /// With --node: keep the node's receipt in this new file, which `chancery verify` takes (*.receipt)
    #[arg(long, value_name = "FILE", requires = "node")]
    receipt: Option<PathBuf>,
    #[command(flatten)]
    way: Way,
}

impl App {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        match self {
            Self::Describe { module, way } => {
                let module = way.open()?.module(&module)?;
                describe(output, &module);
                Ok(ExitCode::SUCCESS)
            }
            Self::Do(command) => command.run(output),
            Self::List { module, state, limit, way } => {
                let question =
                    Question { module: Some(module), state, limit, ..Question::default() };
                list(output, &mut way.open()?, question)
            }
            Self::Looks { of, way } => told::looks(output, &mut way.open()?, of),
            Self::Notices { of, way } => told::notices(output, &mut way.open()?, of),
            Self::Print { id, template, of, out, local } => {
                print_paper(output, (id, template), of, &out, &local)
            }
            Self::Show { id, way } => {
                let matter = way.open()?.matter(&id)?;
                if output.json {
                    output.print_json(&serde_json::json!(matter));
                } else {
                    show(output, &matter);
                }
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

/// Prints a matter into a new file, and says which characters somebody must look at.
fn print_paper(
    output: &Output,
    (id, template): (String, String),
    of: crate::output::Language,
    out: &Path,
    local: &Local,
) -> Result<ExitCode, Failure> {
    Failure::unless_new(out)?;
    let chinese = of == crate::output::Language::Zh;
    let mut client = local.connect()?;
    let warnings = match client.ask(&LocalRequest::Print { id, template, chinese })? {
        LocalReply::Paper { warnings } => warnings,
        other => return Err(Failure::from_reply(other)),
    };
    let mut bytes = Vec::new();
    loop {
        match client.reply()? {
            LocalReply::File(piece) => bytes.extend_from_slice(&piece.bytes),
            LocalReply::Done => break,
            other => return Err(Failure::from_reply(other)),
        }
    }
    write_new(out, &bytes)?;
    let said: Vec<_> = warnings.iter().map(|(en, zh)| output.t(en, zh)).collect();
    if output.json {
        output.print_json(&serde_json::json!({
            "file": out, "bytes": bytes.len(), "warnings": said,
        }));
        return Ok(ExitCode::SUCCESS);
    }
    for warning in said {
        println!("! {}", plain(warning));
    }
    println!("{} {}", output.t("printed:", "已打印："), out.display());
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  chancery tasks
  chancery tasks --of li@justice.hz.gov.cn --module news
What is due first stands first; overdue duties are marked.")]
pub(crate) struct Tasks {
    /// Only what this officer can do something with
    #[arg(long, value_name = "OFFICER")]
    of: Option<String>,
    /// Only of this module
    #[arg(long)]
    module: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    limit: u32,
    #[command(flatten)]
    local: Local,
}

impl Tasks {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let Self { of, module, limit, local } = self;
        let question = Question { module, state: None, tasks: true, of, limit };
        list(output, &mut Door::Local(local.connect()?), question)
    }
}

pub(crate) fn language(output: &Output) -> Language {
    if output.chinese { Language::Zh } else { Language::En }
}

/// Of what is said in Chinese and in English, that which is asked for.
fn of<'a>(output: &Output, called: &'a Called) -> &'a str {
    output.t(&called.en, &called.zh)
}

fn list(output: &Output, door: &mut Door, question: Question) -> Result<ExitCode, Failure> {
    let found = door.matters(question)?;
    if output.json {
        output.print_json(&serde_json::json!(found));
        return Ok(ExitCode::SUCCESS);
    }
    if found.is_empty() {
        println!("{}", output.t("nothing", "没有事项"));
    }
    for view in &found {
        let state = output.t(&view.state_en, &view.state_zh);
        println!("{}  {}  {}", short_id(&view.id), plain(state), plain(&view.title));
        let due = view.deadlines.iter().filter(|due| !due.over);
        for due in due {
            let called = of(output, &due.called);
            println!("    {} {}", plain(called), due.day);
        }
        for flag in &view.flags {
            println!("    ! {}", plain(flag));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn short_id(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

fn show(output: &Output, view: &MatterView) {
    println!("{}", plain(&view.title));
    let line = |name: &str, value: &str| println!("  {name} {}", plain(value));
    line(output.t("matter", "事项"), &view.id);
    line(output.t("of", "所属"), &format!("{}/{}", view.module, view.case));
    if let Some(office) = &view.office {
        line(output.t("office", "处所"), office);
    }
    let state = output.t(&view.state_en, &view.state_zh);
    line(output.t("state", "状态"), &format!("{state}  {}", time(view.since)));
    line(output.t("step", "步次"), &view.sequence.to_string());
    for (name, value) in &view.set {
        line(name, value);
    }
    for flag in &view.flags {
        line("!", flag);
    }
    for due in &view.deadlines {
        let over = if due.over { output.t(" (over)", "（已结束）") } else { "" };
        println!("  {} {}{over}  {}", plain(of(output, &due.called)), due.day, plain(&due.law));
        for step in &due.counted {
            println!("      {}", plain(of(output, step)));
        }
    }
    for done in &view.done {
        println!(
            "  {}  {}  {}",
            time(done.at),
            plain(of(output, &done.called)),
            done.by.join(", ")
        );
        if let (Some(hand), Some(how)) = (&done.hand, &done.how) {
            let how = match how.as_str() {
                "agent" => output.t("as agent", "代理"),
                "guardian" => output.t("as guardian", "监护人"),
                _ => output.t("assisted by", "帮办"),
            };
            println!("      {how} {}", plain(hand));
        }
    }
    if !view.possible.is_empty() {
        println!("  {}", output.t("can be done now:", "现在可以办理："));
        for possible in &view.possible {
            let by = possible.by.join(", ");
            println!("      {}  {}  ({by})", possible.act, plain(of(output, &possible.called)));
        }
    }
}

fn describe(output: &Output, module: &Module) {
    let language = language(output);
    let text = |name: String| module.text(language, &name).map(plain).unwrap_or_default();
    if output.json {
        let acts = module.authorities().into_iter().map(|one| {
            let form = module.form_of(&one.case, &one.act).map(|(form, _)| form.to_owned());
            serde_json::json!({
                "case": one.case, "act": one.act, "form": form, "from": one.from, "to": one.to,
                "by": one.by, "not_by": one.not_by,
            })
        });
        output.print_json(&serde_json::json!({
            "module": module.name(), "version": module.version(), "digest": module.digest(),
            "acts": acts.collect::<Vec<_>>(),
            "questions": module.questions().iter().map(|(registry, ask, by)| {
                serde_json::json!({ "registry": registry, "ask": ask, "by": by })
            }).collect::<Vec<_>>(),
        }));
        return;
    }
    println!("{} ({} {})", plain(module.names().say(language)), module.name(), module.version());
    let role =
        |name: &String| module.text(language, &format!("role-{name}")).unwrap_or(name).to_owned();
    for (registry, ask, by) in module.questions() {
        let Some((form, _)) = module.form_of(registry, ask) else { continue };
        println!("{registry}/{ask}  {}", text(format!("ask-{registry}-{ask}")));
        let by: Vec<_> = by.iter().map(role).collect();
        println!("      {} {}", output.t("by:", "由："), by.join(output.t(", ", "、")));
        for (field, kind, must) in module.fields(form) {
            let must = if must { "*" } else { " " };
            println!("      {must} {field} ({kind})  {}", text(format!("form-{form}-{field}")));
        }
    }
    for case in module.cases() {
        println!("{case}  {}", text(format!("case-{case}")));
        for one in module.authorities().into_iter().filter(|one| one.case == case) {
            let Some((form, reason)) = module.form_of(case, &one.act) else { continue };
            let by: Vec<_> = one
                .by
                .iter()
                .map(|name| module.text(language, &format!("role-{name}")).unwrap_or(name))
                .collect();
            println!("  {case}/{}  {}", one.act, text(format!("act-{case}-{}", one.act)));
            println!("      {} {}", output.t("by:", "由："), by.join(output.t(", ", "、")));
            for (field, kind, must) in module.fields(form) {
                let must = if must { "*" } else { " " };
                println!("      {must} {field} ({kind})  {}", text(format!("form-{form}-{field}")));
            }
            if reason {
                println!("      * --reason  {}", output.t("why", "理由"));
            }
        }
    }
}

impl Do {
    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        if let Some(path) = &self.receipt {
            Failure::unless_new(path)?;
        }
        let mut door = self.way.open(Some(&self.signer))?;
        let module = door.module(&self.module)?;
        let about = match &self.on {
            Some(id) => Some(door.matter(id)?),
            None => None,
        };
        let (case, act) = match (self.act.split_once('/'), &about) {
            (Some((case, act)), _) => (case.to_owned(), act.to_owned()),
            (None, Some(view)) => (view.case.clone(), self.act.clone()),
            (None, None) => (case_of(&module, &self.act)?, self.act.clone()),
        };
        let (kind, _) = module.form_of(&case, &act).ok_or_else(|| no_act(&module, &self.act))?;
        let text = |of: &str| module.text(language(output), &format!("{of}-{case}-{act}"));
        let called = text("act").or_else(|| text("ask"));
        let title = self.title.clone().or_else(|| called.map(str::to_owned)).unwrap_or_default();
        let form = self.fill(&module, kind)?;
        let filed = Filed {
            module: module.name(),
            kind,
            act: &format!("{case}/{act}"),
            title,
            // A matter keeps the version under which it was opened; the node knows which that is.
            version: about.is_none().then(|| module.digest()),
            about: about.map(|view| view.id),
            behalf: self.behalf(),
            seen: self.seen,
            reason: self.reason.clone(),
            form,
            folder: None,
        };
        let done = match &mut door {
            Door::Local(client) => filed.file(client, &self.signer)?,
            Door::Web(web) => filed.file_at(web)?,
        };
        let applied = &done.applied;
        let kept = self.keep(&mut door, &done.document.to_string())?;
        let asked = module
            .questions()
            .iter()
            .any(|(registry, ask, _)| (*registry, *ask) == (case.as_str(), act.as_str()));
        if asked && matches!(door, Door::Local(_)) {
            let id = done.document.to_string();
            let answer = told::answer(&mut door, module.name(), &id)?;
            if output.json {
                let mut json = told::json(&answer);
                if let Some(map) = json.as_object_mut() {
                    map.insert("document".into(), id.into());
                }
                output.print_json(&json);
            } else {
                told::show(output, &answer);
            }
            return Ok(ExitCode::SUCCESS);
        }
        if output.json {
            output.print_json(&serde_json::json!({
                "document": done.document, "module": module.name(), "case": applied.case,
                "matter": applied.thing, "state": applied.state, "sequence": applied.sequence,
                "numbers": applied.numbers, "flags": applied.flags, "receipt": kept,
            }));
            return Ok(ExitCode::SUCCESS);
        }
        let state = module.text(language(output), &format!("state-{case}-{}", applied.state));
        println!("{} {}", output.t("decided:", "已办理："), plain(state.unwrap_or(&applied.state)));
        println!("  {} {}", output.t("matter", "事项"), applied.thing);
        println!("  {} {}", output.t("document", "文件编号"), done.document);
        for number in &applied.numbers {
            println!("  {} {}", output.t("number", "编号"), plain(number));
        }
        for flag in &applied.flags {
            println!("  ! {}", plain(flag));
        }
        if let (Some(receipt), Some(path)) = (&kept, &self.receipt) {
            println!("  {} {}", output.t("receipt", "回执"), path.display());
            print_receipt(output, receipt);
        }
        Ok(ExitCode::SUCCESS)
    }

    /// For whom it is done, and as what.
    fn behalf(&self) -> Option<Behalf> {
        let how = self.how.as_deref()?;
        let how = Hand::ALL.into_iter().find(|hand| hand.name() == how)?;
        Some(Behalf { party: self.party.clone()?, how })
    }

    /// Keeps the node's receipt, once it is found to hold.
    fn keep(&self, door: &mut Door, document: &str) -> Result<Option<FilingReceipt>, Failure> {
        let (Door::Web(web), Some(path)) = (door, &self.receipt) else { return Ok(None) };
        let bytes = web.receipt(document)?;
        let trust = TrustStore::new(web.anchors().iter().cloned())?;
        let by = Validation::new(&trust, unix_now());
        let (receipt, _) = FilingReceiptFile::decode(&bytes)?.verify(&by)?;
        write_new(path, &bytes)?;
        Ok(Some(receipt))
    }

    /// The form as it was given: a file, and fields beside it.
    fn fill(&self, module: &Module, kind: &str) -> Result<Form, Failure> {
        let mut form = Form::new();
        if let Some(path) = &self.form {
            let bytes = read_file(path)?;
            let json: serde_json::Value = serde_json::from_slice(&bytes)
                .map_err(|error| no_form(error.to_string()).at(path))?;
            match form_value(&json) {
                Some(FormValue::Map(map)) => form = map,
                _ => {
                    let why = "a form is a JSON object without null and without fractions (write amounts in quotes)";
                    return Err(no_form(why.to_owned()).at(path));
                }
            }
        }
        let fields = module.fields(kind);
        for set in &self.set {
            let given = set.split_once('=');
            let (name, value) =
                given.ok_or_else(|| no_form(format!("{set:?} is no NAME=VALUE")))?;
            let known = fields.iter().find(|(field, ..)| field == name);
            let text = match value.strip_prefix('@') {
                Some(file) => {
                    let path = PathBuf::from(file);
                    let text = String::from_utf8(read_file(&path)?);
                    text.map_err(|_| no_form("it is no UTF-8".into()).at(&path))?
                }
                None => value.to_owned(),
            };
            let bad = || no_form(format!("{name}: {text:?}"));
            let value = match known.map(|(_, kind, _)| kind.as_str()) {
                Some("int") => FormValue::Int(text.parse().map_err(|_| bad())?),
                Some("bool") => FormValue::Bool(text.parse().map_err(|_| bad())?),
                // Lists and named values are given as JSON.
                Some(kind) if kind.starts_with("list") || kind == "map" => {
                    let json = serde_json::from_str(&text).map_err(|_| bad())?;
                    form_value(&json).ok_or_else(bad)?
                }
                _ => FormValue::Text(text),
            };
            form.insert(name.to_owned(), value);
        }
        Ok(form)
    }
}

fn no_form(why: String) -> Failure {
    Failure::usage(
        "CHY-7004",
        why,
        "See the fields of the form with `chancery app describe MODULE`.",
    )
}

fn no_act(module: &Module, act: &str) -> Failure {
    let known = module
        .cases()
        .flat_map(|case| module.acts(case).into_iter().map(move |act| format!("{case}/{act}")));
    let known = known.collect::<Vec<_>>().join(", ");
    let why = format!("{:?} is no act of {}: {known}", act, module.name());
    Failure::usage(
        "CHY-7005",
        why,
        "Choose one of them; `chancery app describe` says what each does.",
    )
}

/// The one case that has an act of a name.
fn case_of(module: &Module, act: &str) -> Result<String, Failure> {
    let having: Vec<_> = module.cases().filter(|case| module.acts(case).contains(&act)).collect();
    match having.as_slice() {
        [one] => Ok((*one).to_owned()),
        _ => Err(no_act(module, act)),
    }
}

impl From<chancery_apps::NoFolder> for Failure {
    fn from(error: chancery_apps::NoFolder) -> Self {
        let remedy = "A module has text files only, at most 4 MiB of them, in its folder or one below; see docs/modules.md.";
        Self::usage("CHY-7002", error.to_string(), remedy)
    }
}
