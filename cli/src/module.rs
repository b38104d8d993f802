//! `chancery module`: folders of modules, made, checked, tried, installed, and decided again.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::ExitCode,
};

use chancery_apps::{
    Broken, Document, Folder, KEEPER, MEDIA_TYPE, Mistake, Module, NoFolder, OFFICE, Outcome,
    Record, Replay, ReplayFault, Signer as DocumentSigner, Subject, TABLE_MEDIA_TYPE, Tale,
};
use chancery_bus::NodeError;
use chancery_crypto::{Digest, Language, cbor};
use chancery_desk::{
    asking::{LocalReply, LocalRequest},
    matters::ExportedDecision,
};
use chancery_protocol::{
    Event, Form, FormValue, Indication, Leaf, SignedDocument, Validation, tile, verify_document_by,
};
use chancery_store::files::{Staged, every_member, read_file, read_member, write_new};
use clap::Subcommand;

use crate::{
    audit::audit_export,
    failure::{Failure, NO},
    filing::Filed,
    keys::Signer,
    local::{Local, is_inside},
    module_versions::{
        Codes, Confirm, Migrate, NamePublisher, overrides_json, print_overrides, read_whole,
    },
    output::{Output, plain, time},
    source::{Folder as Export, Source as _},
    trust::{MaterialArgs, TrustArgs},
};

#[derive(Debug, Subcommand)]
pub(crate) enum ModuleCommand {
    /// Make a folder to begin a module with: a case of three states, with its texts and a story
    #[command(after_help = "Example:\n  chancery module new leave --into modules/leave")]
    New {
        /// The module's name: small letters, digits, _ and -, or several such names with dots between
        name: String,
        /// The new folder
        #[arg(long, value_name = "DIR")]
        into: PathBuf,
    },
    /// Say what is wrong with a module's folder, with file and line, and who can move what where
    #[command(
        after_help = "Examples:\n  chancery module check modules/leave\n  chancery module check modules/leave --json"
    )]
    Check {
        /// The folder
        folder: PathBuf,
        /// The folder that it extends (default: that of its name beside it)
        #[arg(long, value_name = "DIR")]
        parent: Option<PathBuf>,
    },
    /// Write out what a module's stock acts stand for: plain acts, with their forms and texts
    #[command(after_help = "Example:\n  chancery module expand modules/leave")]
    Expand {
        /// The folder
        folder: PathBuf,
        /// The folder that it extends (default: that of its name beside it)
        #[arg(long, value_name = "DIR")]
        parent: Option<PathBuf>,
    },
    /// Tell the stories in a module's folder, with a clock of their own
    #[command(after_help = "Example:\n  chancery module test modules/leave")]
    Test {
        /// The folder
        folder: PathBuf,
        /// The folder that it extends (default: that of its name beside it)
        #[arg(long, value_name = "DIR")]
        parent: Option<PathBuf>,
    },
    /// Put a module into force at this agency, by your signed act (role module-keeper)
    #[command(
        after_help = "Example:\n  chancery module install modules/leave\nWhat was begun under an earlier version ends under it. Where a guard, a policy, a deadline or what is public is touched, it waits until
a second module-keeper confirms it."
    )]
    Install {
        /// The folder
        folder: PathBuf,
        /// The folder that it extends (default: that of its name beside it)
        #[arg(long, value_name = "DIR")]
        parent: Option<PathBuf>,
        /// The day from which on it is in force (default: at once)
        #[arg(long, value_name = "DATE")]
        from: Option<String>,
        /// The agency that publishes it
        #[arg(long, value_name = "AGENCY")]
        publisher: Option<String>,
        #[command(flatten)]
        signer: Signer,
        #[command(flatten)]
        local: Local,
    },
    /// Confirm what another module-keeper has proposed, by your signed act
    #[command(
        after_help = "Examples:\n  chancery module confirm                        # what waits\n  chancery module confirm news --digest 9c41…"
    )]
    Confirm(Confirm),
    /// Lead running matters over to the version in force by a plan, by your signed act (role module-keeper)
    #[command(after_help = "Examples:
  chancery module migrate from-1.toml --of news --try
  chancery module migrate from-1.toml --of news --to 9c41… --unmapped unmapped.json
The list is [{\"case\": …, \"thing\": …, \"reason\": …}]: exactly the matters that do not map, which --try lists.")]
    Migrate(Migrate),
    /// Name an agency as a publisher of tables, code lists, calendars and modules, with its rank (role appointer)
    #[command(after_help = "Example:\n  chancery module publisher mof.gov.cn --rank 90 --of tax")]
    Publisher(NamePublisher),
    /// File a code list from a day on, by your signed act (role module-keeper)
    #[command(after_help = "Example:\n  chancery module codes area.csv --of tax --from 2027-01-01")]
    Codes(Codes),
    /// File a new version of a parameter table of a module, by your signed act (role module-keeper)
    #[command(after_help = "Example:
  chancery module table iit-annual.toml --of tax
The file is a table as in the module's folder, with the same columns, and its new [from.DATE]. It holds by the date of the fact for
whatever is decided from then on; nothing that was decided changes.")]
    Table {
        /// The file: table = "NAME"
        file: PathBuf,
        /// The module's name
        #[arg(long, value_name = "MODULE")]
        of: String,
        /// The rank of its publisher: the highest holds (default 0)
        #[arg(long)]
        rank: Option<i64>,
        /// The agency that publishes it, which has a rank by "module publisher"
        #[arg(long, value_name = "AGENCY")]
        publisher: Option<String>,
        #[command(flatten)]
        signer: Signer,
        #[command(flatten)]
        local: Local,
    },
    /// Appoint an officer to a role of a module, by your signed act (role appointer)
    #[command(after_help = "Examples:
  chancery module appoint li@justice.hz.gov.cn --role module-keeper
  chancery module appoint wang@justice.hz.gov.cn --role reviewer --of news --until 2026-12-31
  chancery module appoint zhou@justice.hz.gov.cn --role clerk --of permits --office xihu")]
    Appoint(Appoint),
    /// End an appointment, by your signed act (role appointer)
    #[command(
        after_help = "Examples:\n  chancery module dismiss wang@justice.hz.gov.cn --role reviewer --of news
  chancery module dismiss zhou@justice.hz.gov.cn --role clerk --of permits --office xihu"
    )]
    Dismiss(Appoint),
    /// List who was appointed to the roles of a module (default: of the office), as far as you may see it
    #[command(after_help = "Example:\n  chancery module roles --of news")]
    Roles {
        /// The module
        #[arg(long, value_name = "MODULE", default_value = OFFICE)]
        of: String,
        #[command(flatten)]
        local: Local,
    },
    /// Record the order of a year's days off, by your signed act (role module-keeper)
    #[command(
        after_help = "Example:\n  chancery module calendar 2027.json --source '国务院办公厅关于2027年部分节假日安排的通知'
The file has {\"days\": [{\"date\": \"2027-01-01\", \"isOffDay\": true}, …]}: days off, and days of weekends on which people work."
    )]
    Calendar {
        /// The file
        file: PathBuf,
        /// The text that says so
        #[arg(long, value_name = "TEXT")]
        source: String,
        /// The agency that publishes it, which has a rank by "module publisher"
        #[arg(long, value_name = "AGENCY")]
        publisher: Option<String>,
        #[command(flatten)]
        signer: Signer,
        #[command(flatten)]
        local: Local,
    },
    /// List the modules in force, with the digest of each one's state
    List {
        #[command(flatten)]
        local: Local,
    },
    /// Write the ledger with every decision of modules, for whoever decides again
    #[command(
        after_help = "Example:\n  chancery module export --out decisions-2026\n  chancery module replay decisions-2026 --anchor root.pem
It holds the forms of documents in the clear: keep it as you keep those."
    )]
    Export {
        /// A new folder
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        local: Local,
    },
    /// Decide everything again from an export, and say what comes out otherwise
    #[command(after_help = "Example:\n  chancery module replay decisions-2026 --anchor root.pem
The ledger is audited first. Then each decision is made again, from its document, in its order: the digests are those of
`chancery module list`, or the entry is named that is not what was decided.")]
    Replay {
        /// The folder that `module export` wrote
        export: PathBuf,
        #[command(flatten)]
        trust: TrustArgs,
        #[command(flatten)]
        material: MaterialArgs,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Appoint {
    /// The officer
    officer: String,
    /// The role
    #[arg(long)]
    role: String,
    /// The module whose role it is (default: the office, which has appointer and module-keeper)
    #[arg(long, value_name = "MODULE")]
    of: Option<String>,
    /// The office in which, by its path: xihu, xihu/gulou (default: the whole agency)
    #[arg(long, value_name = "PATH")]
    office: Option<String>,
    /// The last day
    #[arg(long, value_name = "DATE")]
    until: Option<String>,
    #[command(flatten)]
    signer: Signer,
    #[command(flatten)]
    local: Local,
}

pub(crate) fn language(output: &Output) -> Language {
    if output.chinese { Language::Zh } else { Language::En }
}

/// Reads a module's folder from the disk. Each file is read or refused: links, FIFOs and devices are no files of a module.
pub(crate) fn read_folder(path: &Path) -> Result<Folder, Failure> {
    let mut folder = Folder::default();
    read_below(path, "", &mut folder)?;
    Ok(folder)
}

/// Reads the files of a folder whose path in the module is `above`: nothing, or a path with a slash behind it.
fn read_below(path: &Path, above: &str, folder: &mut Folder) -> Result<(), Failure> {
    for member in every_member(path)? {
        let name = member.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        // What editors and version control leave is none of it.
        if name.starts_with('.') {
            continue;
        }
        let below = format!("{above}{name}");
        let refused = |error: NoFolder| Failure::from(error).at(&member);
        // The link itself, if it is one: it is not followed.
        let found = member.symlink_metadata().ok();
        if found.as_ref().is_some_and(|found| found.is_dir()) {
            if above.matches('/').count() == MOST_BELOW {
                return Err(refused(NoFolder::Path(below)));
            }
            read_below(&member, &format!("{below}/"), folder)?;
            continue;
        }
        if found.is_some_and(|found| found.len() > folder.room() as u64) {
            return Err(refused(NoFolder::Size));
        }
        let text = String::from_utf8(read_member(&member)?).map_err(|_| {
            Failure::usage("CHY-7002", "it is no UTF-8", "Save it as UTF-8.").at(&member)
        })?;
        folder.add(&below, text).map_err(refused)?;
    }
    Ok(())
}

/// How many folders deep files of a module lie.
const MOST_BELOW: usize = 2;

/// Says what is wrong with a folder.
fn print_mistakes(output: &Output, mistakes: &[Mistake]) {
    for mistake in mistakes {
        let kind = match mistake.what.is_warning() {
            true => output.t("warning", "提示"),
            false => output.t("mistake", "错误"),
        };
        println!("{kind}: {}", plain(&mistake.say(language(output))));
    }
}

fn mistakes_json(output: &Output, mistakes: &[Mistake]) -> serde_json::Value {
    let each = mistakes.iter().map(|mistake| {
        serde_json::json!({
            "file": mistake.at.file, "line": mistake.at.line, "code": mistake.what.code(),
            "warning": mistake.what.is_warning(), "message": mistake.what.say(language(output)),
        })
    });
    each.collect()
}

/// A module without mistakes, or what is wrong.
fn sound(output: &Output, folder: &Folder) -> Result<Module, Failure> {
    Module::read(folder).map_err(|mistakes| {
        if !output.json {
            print_mistakes(output, &mistakes);
        }
        let what = match output.chinese {
            true => format!("该模块有 {} 处错误", mistakes.len()),
            false => format!("the module has {} mistakes", mistakes.len()),
        };
        Failure {
            exit: NO,
            ..Failure::usage(
                "CHY-7111",
                what,
                "Mend them: `chancery module check` names file and line.",
            )
        }
    })
}

impl ModuleCommand {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        match self {
            Self::New { name, into } => new(output, &name, &into),
            Self::Check { folder, parent } => {
                check(output, &read_whole(&folder, parent.as_deref())?)
            }
            Self::Expand { folder, parent } => {
                let folder = read_whole(&folder, parent.as_deref())?;
                let written = sound(output, &folder)?.expanded();
                match output.json {
                    true => output.print_json(&serde_json::json!({ "expanded": written })),
                    false => print!("{written}"),
                }
                Ok(ExitCode::SUCCESS)
            }
            Self::Test { folder, parent } => test(output, &read_whole(&folder, parent.as_deref())?),
            Self::Install { folder, parent, from, publisher, signer, local } => {
                let folder = read_whole(&folder, parent.as_deref())?;
                install(output, &folder, (from, publisher), &signer, &local)
            }
            Self::Confirm(confirm) => confirm.run(output),
            Self::Migrate(migrate) => migrate.run(output),
            Self::Publisher(publisher) => publisher.run(output),
            Self::Codes(codes) => codes.run(output),
            Self::Table { file, of, rank, publisher, signer, local } => {
                table(output, &file, (of, rank, publisher), &signer, &local)
            }
            Self::Appoint(appoint) => appoint.run(output, "appoint"),
            Self::Dismiss(appoint) => appoint.run(output, "dismiss"),
            Self::Calendar { file, source, publisher, signer, local } => {
                calendar(output, &file, (source, publisher), &signer, &local)
            }
            Self::Roles { of, local } => roles(output, &of, &local),
            Self::List { local } => list(output, &local),
            Self::Export { out, local } => export(output, &out, &local),
            Self::Replay { export, trust, material } => {
                let (store, material) = (trust.store()?, material.read()?);
                let by = material.validation(&store, trust.at());
                replay(output, &export, &by)
            }
        }
    }
}

fn check(output: &Output, folder: &Folder) -> Result<ExitCode, Failure> {
    let (module, mistakes) = match Module::read_with_warnings(folder) {
        Ok((module, warnings)) => (Some(module), warnings),
        Err(mistakes) => (None, mistakes),
    };
    let code = ExitCode::from(if module.is_some() { 0 } else { NO });
    if output.json {
        let authorities = module.iter().flat_map(Module::authorities).map(|one| {
            serde_json::json!({
                "case": one.case, "act": one.act, "from": one.from, "to": one.to, "by": one.by,
                "not_by": one.not_by,
            })
        });
        output.print_json(&serde_json::json!({
            "sound": module.is_some(), "digest": folder.digest(),
            "mistakes": mistakes_json(output, &mistakes),
            "authorities": authorities.collect::<Vec<_>>(), "overrides": overrides_json(folder),
        }));
        return Ok(code);
    }
    print_mistakes(output, &mistakes);
    let Some(module) = module else {
        let count = mistakes.iter().filter(|mistake| !mistake.what.is_warning()).count();
        println!("{}", output.t(&format!("{count} mistakes"), &format!("共 {count} 处错误")));
        return Ok(code);
    };
    println!("{} {}", output.t("sound:", "检查通过："), module.digest());
    println!("{}", output.t("who can move what where:", "谁能把什么移到哪里："));
    for one in module.authorities() {
        let from = if one.from.is_empty() { "·".to_owned() } else { one.from.join(" | ") };
        let to = if one.to.is_empty() { "=".to_owned() } else { one.to.join(" | ") };
        let by = if one.by.is_empty() {
            output.t("by itself", "自动").to_owned()
        } else {
            one.by.join(", ")
        };
        let not = match one.not_by.is_empty() {
            true => String::new(),
            false => format!(" {} {}", output.t("but not", "但不得为"), one.not_by.join(", ")),
        };
        println!("  {}/{}  {from} -> {to}  {by}{not}", one.case, one.act);
    }
    print_overrides(output, folder);
    Ok(code)
}

fn test(output: &Output, folder: &Folder) -> Result<ExitCode, Failure> {
    let module = sound(output, folder)?;
    let (mut told, mut results) = (chancery_apps::Told::default(), Vec::new());
    for Tale { path, title, changed, told: one } in chancery_apps::tell(folder, &module) {
        match (one, changed) {
            (Ok(one), None) => {
                results.push((path, title, None));
                told.decisions += one.decisions;
                told.acts.extend(one.acts);
                told.refused.extend(one.refused);
                told.passed.extend(one.passed);
            }
            // As the module says.
            (Err(_), Some(why)) => results.push((path, format!("{title}  [{why}]"), None)),
            (Ok(_), Some(_)) => {
                let why = output.t(
                    "[changes] says that it comes out otherwise, and it does not",
                    "[changes] 声明结果不同，实际却相同",
                );
                results.push((path, title, Some(Broken { step: 0, why: why.to_owned() })));
            }
            (Err(broken), None) => results.push((path, title, Some(broken))),
        }
    }
    let failed = results.iter().filter(|(_, _, broken)| broken.is_some()).count();
    // What no story shows, nobody has seen work.
    let acts = module
        .cases()
        .flat_map(|case| module.acts(case).into_iter().map(move |act| format!("{case}/{act}")));
    let untold: Vec<_> = acts
        .filter(|act| {
            let plain = act.split_once('/').map_or(act.as_str(), |(_, act)| act);
            !told.acts.iter().any(|done| {
                done == act
                    || done.ends_with(&format!("/{act}"))
                    || done.ends_with(&format!("/{plain}"))
            })
        })
        .collect();
    if output.json {
        let each = results.iter().map(|(path, title, broken)| {
            serde_json::json!({
                "story": path, "title": title, "passed": broken.is_none(),
                "step": broken.as_ref().map(|b| b.step), "why": broken.as_ref().map(|b| &b.why),
            })
        });
        output.print_json(&serde_json::json!({
            "stories": each.collect::<Vec<_>>(), "decisions": told.decisions, "untold": untold,
        }));
    } else {
        for (path, title, broken) in &results {
            match broken {
                None => println!("{} {path}  {}", output.t("ok", "通过"), plain(title)),
                Some(Broken { step, why }) => println!(
                    "{} {path}  {}: {}",
                    output.t("FAILED", "未通过"),
                    output.t(&format!("step {step}"), &format!("第 {step} 步")),
                    plain(why)
                ),
            }
        }
        let (stories, decisions) = (results.len(), told.decisions);
        println!(
            "{}",
            output.t(
                &format!(
                    "{stories} stories, {failed} failed, {decisions} decisions, each replayed"
                ),
                &format!("共 {stories} 个情景，{failed} 个未通过；{decisions} 次裁定，均已重演"),
            )
        );
        if !untold.is_empty() {
            println!(
                "{} {}",
                output.t("told by no story:", "没有情景涉及的动作："),
                untold.join(", ")
            );
        }
    }
    Ok(ExitCode::from(if failed > 0 { NO } else { 0 }))
}

pub(crate) fn report(output: &Output, done: &crate::filing::Done, said: String) {
    if output.json {
        output.print_json(&serde_json::json!({
            "document": done.document, "thing": done.applied.thing, "state": done.applied.state,
        }));
    } else {
        println!("{}", plain(&said));
        println!("  {} {}", output.t("document", "文件编号"), done.document);
    }
}

/// An act of the office.
pub(crate) fn of_office<'a>(act: &'a str, title: String, form: Form) -> Filed<'a> {
    let (about, behalf, seen, reason, version, folder) = Default::default();
    let module = OFFICE;
    Filed { module, kind: act, act, title, about, behalf, seen, reason, version, form, folder }
}

pub(crate) fn texts<const N: usize>(fields: [(&str, Option<String>); N]) -> Form {
    let given = fields
        .into_iter()
        .filter_map(|(name, text)| Some((name.to_owned(), FormValue::Text(text?))));
    given.collect()
}

fn install(
    output: &Output,
    folder: &Folder,
    (from, publisher): (Option<String>, Option<String>),
    signer: &Signer,
    local: &Local,
) -> Result<ExitCode, Failure> {
    let module = sound(output, folder)?;
    let title = format!("启用模块 {} {}", module.name(), module.version());
    let form = texts([
        ("module", Some(module.name().to_owned())),
        ("version", Some(module.version().to_owned())),
        ("digest", Some(module.digest().to_string())),
        ("from", from),
        ("publisher", publisher),
    ]);
    let filed =
        Filed { folder: Some((folder.encode(), MEDIA_TYPE)), ..of_office("install", title, form) };
    let done = filed.file(&mut local.connect()?, signer)?;
    let names = module.names().say(language(output)).to_owned();
    let said = format!(
        "{} {names} ({} {}) {}",
        match done.applied.state.as_str() {
            "proposed" => output.t(
                "proposed, until a second officer confirms it (chancery module confirm):",
                "已提出，待另一名经办人确认（chancery module confirm）：",
            ),
            "coming" => output.t("in force from its day on:", "将自指定日期起启用："),
            _ => output.t("in force:", "已启用："),
        },
        module.name(),
        module.version(),
        module.digest()
    );
    report(output, &done, said);
    Ok(ExitCode::SUCCESS)
}

/// Files a table.
fn table(
    output: &Output,
    file: &Path,
    (of, rank, publisher): (String, Option<i64>, Option<String>),
    signer: &Signer,
    local: &Local,
) -> Result<ExitCode, Failure> {
    let bytes = read_file(file)?;
    let text = std::str::from_utf8(&bytes).ok();
    let name = text.and_then(|text| text.parse::<toml::Table>().ok());
    let name = name.and_then(|table| table.get("table")?.as_str().map(str::to_owned));
    let Some(name) = name else {
        let said = output.t("the file is no table", "该文件不是参数表");
        let remedy = output.t(
            "its first line is table = \"NAME\", as in the module's folder",
            "首行应为 table = \"名称\"，与模块文件夹中的相同",
        );
        return Err(Failure::usage("CHY-7111", said, remedy).at(file));
    };
    let mut form = texts([
        ("of", Some(of.clone())),
        ("table", Some(name.clone())),
        ("digest", Some(Digest::of(&bytes).to_string())),
        ("publisher", publisher),
    ]);
    form.extend(rank.map(|rank| ("rank".to_owned(), FormValue::Int(rank))));
    let filed = of_office("table", format!("发布参数表 {of}/{name}"), form);
    let filed = Filed { folder: Some((bytes, TABLE_MEDIA_TYPE)), ..filed };
    let done = filed.file(&mut local.connect()?, signer)?;
    let said = format!("{} {of}/{name}", output.t("in force:", "已启用："));
    report(output, &done, said);
    Ok(ExitCode::SUCCESS)
}

impl Appoint {
    fn run(self, output: &Output, act: &str) -> Result<ExitCode, Failure> {
        let of = self.of.clone().unwrap_or_else(|| OFFICE.to_owned());
        let role = match &self.office {
            None => format!("{of}/{}", self.role),
            Some(office) => format!("{of}/{} ({office})", self.role),
        };
        let title = match act {
            "appoint" => format!("任命 {} 为 {role}", self.officer),
            _ => format!("免去 {} 的 {role}", self.officer),
        };
        let form = texts([
            ("officer", Some(self.officer.clone())),
            ("role", Some(self.role.clone())),
            ("of", self.of),
            ("office", self.office),
            ("until", self.until),
        ]);
        let done = of_office(act, title, form).file(&mut self.local.connect()?, &self.signer)?;
        let said = match act {
            "appoint" => output.t("appointed:", "已任命："),
            _ => output.t("dismissed:", "已免去："),
        };
        report(output, &done, format!("{said} {} {role}", self.officer));
        Ok(ExitCode::SUCCESS)
    }
}

fn calendar(
    output: &Output,
    file: &Path,
    (source, publisher): (String, Option<String>),
    signer: &Signer,
    local: &Local,
) -> Result<ExitCode, Failure> {
    let bad = |why: String| {
        let remedy = "Give {\"days\": [{\"date\": \"2027-01-01\", \"isOffDay\": true}, …]}.";
        Failure::usage("CHY-7004", why, remedy).at(file)
    };
    let json: serde_json::Value =
        serde_json::from_slice(&read_file(file)?).map_err(|error| bad(error.to_string()))?;
    let days = json.get("days").and_then(|days| days.as_array());
    let days = days.ok_or_else(|| bad("it has no \"days\"".into()))?;
    let (mut off, mut work, mut years) = (Vec::new(), Vec::new(), HashMap::<String, u32>::new());
    for day in days {
        let date = day.get("date").and_then(|date| date.as_str());
        let is_off = day.get("isOffDay").and_then(|off| off.as_bool());
        let (Some(date), Some(is_off)) = (date, is_off) else {
            return Err(bad(format!("{day}: a day has \"date\" and \"isOffDay\"")));
        };
        *years.entry(date.get(..4).unwrap_or_default().to_owned()).or_default() += 1;
        let list = if is_off { &mut off } else { &mut work };
        list.push(FormValue::Text(date.to_owned()));
    }
    // An order may name days of the years beside its own; each belongs to the order of its year.
    let named = json.get("year").and_then(serde_json::Value::as_i64);
    let most = years.into_iter().max_by_key(|(_, count)| *count).map(|(year, _)| year);
    let year = named.or_else(|| most?.parse().ok()).ok_or_else(|| bad("it names no day".into()))?;
    let own = |list: Vec<FormValue>| {
        let of_year = |day: &FormValue| matches!(day, FormValue::Text(day) if day.starts_with(&year.to_string()));
        FormValue::List(list.into_iter().filter(of_year).collect())
    };
    let mut form = texts([("source", Some(source.clone())), ("publisher", publisher)]);
    form.insert("year".into(), FormValue::Int(year));
    form.insert("off".into(), own(off));
    form.insert("work".into(), own(work));
    let title = format!("{year} 年放假安排");
    let done = of_office("calendar", title, form).file(&mut local.connect()?, signer)?;
    report(output, &done, format!("{} {year} {source}", output.t("in force:", "已登记：")));
    Ok(ExitCode::SUCCESS)
}

fn list(output: &Output, local: &Local) -> Result<ExitCode, Failure> {
    let mut client = local.connect()?;
    let modules = match client.ask(&LocalRequest::Modules)? {
        LocalReply::Modules(modules) => modules,
        other => return Err(Failure::from_reply(other)),
    };
    if output.json {
        output.print_json(&serde_json::json!(modules));
        return Ok(ExitCode::SUCCESS);
    }
    if modules.is_empty() {
        println!(
            "{}",
            output.t(
                &format!("no module is in force: chancery module install (role {KEEPER})"),
                &format!("尚未启用任何模块：chancery module install（角色 {KEEPER}）"),
            )
        );
    }
    for view in modules {
        println!("{}  {} {}", view.name, plain(output.t(&view.en, &view.zh)), plain(&view.version));
        println!("  {} {}", output.t("folder", "模块摘要"), view.digest);
        println!("  {} {}", output.t("since", "启用于"), time(view.since));
        if let (Some(decisions), Some(state)) = (view.decisions, view.state) {
            println!("  {} {decisions}", output.t("decisions", "裁定数"));
            println!("  {} {state}", output.t("state", "状态摘要"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn roles(output: &Output, of: &str, local: &Local) -> Result<ExitCode, Failure> {
    let asked = LocalRequest::Appointed { module: of.to_owned() };
    let found = match local.connect()?.ask(&asked)? {
        LocalReply::Appointed(found) => found,
        other => return Err(Failure::from_reply(other)),
    };
    if output.json {
        output.print_json(&serde_json::json!(found));
        return Ok(ExitCode::SUCCESS);
    }
    if found.is_empty() {
        println!("{}", output.t("nobody was appointed", "尚无任命"));
    }
    for one in found {
        let until = one.until.map(|until| format!("{} {}", output.t("until", "至"), time(until)));
        let until = until.unwrap_or_default();
        let office = one.office.map(|office| format!(" ({office})")).unwrap_or_default();
        println!(
            "{of}/{}{office}  {}  {} {} {until}",
            one.role,
            plain(&one.officer),
            output.t("since", "自"),
            time(one.from)
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn export(output: &Output, out: &Path, local: &Local) -> Result<ExitCode, Failure> {
    Failure::unless_new(out)?;
    // A half export must not be mistaken for a whole one.
    let staged = Staged::folder(out)?;
    let mut client = local.connect()?;
    let mut files = 0u64;
    // The ledger first: what is decided after it has entries that the ledger does not have yet, and is left out in a replay.
    for request in [LocalRequest::Export, LocalRequest::ExportDecisions] {
        client.send(&request)?;
        loop {
            match client.reply()? {
                LocalReply::File(file) if is_inside(Path::new(&file.path)) => {
                    write_new(&staged.path().join(&file.path), &file.bytes)?;
                    files += 1;
                }
                LocalReply::Done => break,
                other => return Err(Failure::from_reply(other)),
            }
        }
    }
    staged.finish()?;
    if output.json {
        output.print_json(&serde_json::json!({ "folder": out, "files": files }));
    } else {
        println!("{} {} ({files})", output.t("exported:", "已导出："), out.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// A decision that comes out otherwise, or whose entry is not what it should be.
struct Wrong {
    entry: Option<u64>,
    number: u64,
    why: String,
}

/// Decides everything again.
fn replay(output: &Output, path: &Path, by: &Validation<'_>) -> Result<ExitCode, Failure> {
    let audited = audit_export(output, path, by)?;
    let export = Export::new(path.to_owned());
    let seal = export.seal()?;
    let agency = seal.first().ok_or_else(Failure::unexpected)?.agency_name()?;
    let entries = decided(&export)?;
    let mut replay = Replay::of(agency.as_str());
    let (mut made, mut later, mut wrong, mut unproved) = (0u64, 0u64, None, 0u64);
    let mut place = 0usize;
    'all: for file in bundles(path)? {
        let bytes = read_member(&file)?;
        let all: Vec<ExportedDecision> = cbor::decode_within(&bytes, bytes.len())
            .map_err(|error| Failure::usage("CHY-7003", error.to_string(), REMEDY).at(&file))?;
        for decision in all {
            let commitment = Record::commitment(&decision.record, &decision.salt);
            let entry = entries.get(place);
            let found =
                entries.iter().find(|one| one.commitment == commitment).map(|one| one.index);
            match (entry, found) {
                (Some(DecidedEntry { index, commitment: known, came }), _)
                    if *known == commitment =>
                {
                    place += 1;
                    match step(&mut replay, path, &decision, *came, by) {
                        Ok(proved) => {
                            made += 1;
                            unproved += u64::from(!proved);
                        }
                        Err(why) => {
                            wrong = Some(Wrong { entry: Some(*index), number: made, why });
                            break 'all;
                        }
                    }
                }
                // Made after the ledger was taken.
                (None, _) => later += 1,
                (Some(DecidedEntry { index, .. }), None) => {
                    let why = output.t(
                        "the record is not the one that the entry commits to",
                        "记录与条目的承诺不符",
                    );
                    wrong = Some(Wrong { entry: Some(*index), number: made, why: why.to_owned() });
                    break 'all;
                }
                (Some(DecidedEntry { index, .. }), Some(other)) => {
                    let why = match output.chinese {
                        true => format!("此处是第 {other} 条的记录：缺少记录或者次序有误"),
                        false => format!(
                            "the record of entry {other} stands here: one is missing, or two are swapped"
                        ),
                    };
                    wrong = Some(Wrong { entry: Some(*index), number: made, why });
                    break 'all;
                }
            }
        }
    }
    if wrong.is_none()
        && let Some(DecidedEntry { index, .. }) = entries.get(place)
    {
        let why = output.t("its record is missing", "缺少该条的记录").to_owned();
        wrong = Some(Wrong { entry: Some(*index), number: made, why });
    }
    let heads =
        replay.heads().map_err(|error| Failure::from(NodeError::damaged(error.to_string())))?;
    let failed = wrong.is_some() || audited.indication == Indication::TotalFailed;
    if output.json {
        let each = heads.iter().map(|(name, head)| {
            serde_json::json!({ "module": name, "decisions": head.decisions, "state": head.digest })
        });
        output.print_json(&serde_json::json!({
            "agency": agency, "ledger": audited.indication.name(), "replayed": made, "later": later,
            "unproved": unproved, "modules": each.collect::<Vec<_>>(),
            "wrong": wrong.as_ref().map(|w| serde_json::json!({
                "entry": w.entry, "decision": w.number, "why": w.why,
            })),
        }));
    } else {
        println!(
            "{} {}  {} {}",
            output.t("ledger of", "账本："),
            agency,
            output.t("audit:", "审计："),
            audited.indication.name()
        );
        if let Some(wrong) = &wrong {
            let entry = wrong.entry.map_or_else(|| "-".to_owned(), |entry| entry.to_string());
            println!(
                "{} {entry}, {} {}: {}",
                output.t("NOT WHAT WAS DECIDED: entry", "与裁定不符：第几条"),
                output.t("decision", "第几次裁定"),
                wrong.number,
                plain(&wrong.why)
            );
        }
        println!(
            "{}",
            output.t(
                &format!("{made} decisions made again; {later} are later than the ledger; signatures of {unproved} documents are not proved by the anchors"),
                &format!("重演 {made} 次裁定；{later} 次晚于账本；{unproved} 份文件的签名未能由信任锚证明"),
            )
        );
        for (name, head) in &heads {
            println!(
                "  {name}  {} {}  {}",
                output.t("decisions", "裁定数"),
                head.decisions,
                head.digest
            );
        }
    }
    Ok(ExitCode::from(if failed { NO } else { 0 }))
}

const REMEDY: &str = "Check that this is the right folder; if it is, ask for the export again.";

/// The entry of a decision.
struct DecidedEntry {
    index: u64,
    commitment: Digest,
    /// The time of the entry by which its document came from another agency, if it did.
    came: Option<i64>,
}

/// The entries of decisions, in order.
fn decided(export: &Export) -> Result<Vec<DecidedEntry>, Failure> {
    let (mut found, mut came) = (Vec::new(), HashMap::new());
    let mut bundle = 0;
    while let Some(bytes) = export.entries(bundle)? {
        let first = bundle * tile::TILE_WIDTH as u64;
        for (index, leaf) in (first..).zip(tile::entries(&bytes)?) {
            let leaf = Leaf::decode(leaf)?;
            if leaf.event == Event::ContentConsignment {
                came.insert(leaf.envelope, leaf.time);
            }
            if leaf.event == Event::Decided {
                let (commitment, came) = (leaf.commitment, came.get(&leaf.envelope).copied());
                found.push(DecidedEntry { index, commitment, came });
            }
        }
        bundle += 1;
    }
    Ok(found)
}

/// The files of decisions, in order.
fn bundles(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let folder = path.join("decisions");
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = every_member(&folder)?;
    files.sort();
    Ok(files)
}

/// Makes one decision again. Says whether the signatures of its document are proved.
fn step(
    replay: &mut Replay,
    path: &Path,
    decision: &ExportedDecision,
    came: Option<i64>,
    by: &Validation<'_>,
) -> Result<bool, String> {
    let record = Record::decode(&decision.record).map_err(|error| error.to_string())?;
    // What comes from elsewhere is lodged by the entry of its arrival, whoever would rather have it otherwise.
    if came.is_some_and(|came| came != record.lodged) {
        return Err("it was lodged at another time than that of its arrival's entry".into());
    }
    let mut proved = true;
    let document = match &decision.document {
        None => None,
        Some(bytes) => {
            let document = SignedDocument::decode(bytes).map_err(|error| error.to_string())?;
            // As it was when it was lodged.
            let report = verify_document_by(&document, &Validation { at: record.lodged, ..*by });
            if report.indication == Indication::TotalFailed {
                return Err(format!("the document {} does not verify", document.id()));
            }
            proved = report.indication == Indication::TotalPassed;
            let named = report.signatures.iter().filter_map(|signature| signature.signer.as_ref());
            let signers = named.map(DocumentSigner::of);
            let header = document.header();
            let part = match header.form.get("digest") {
                Some(FormValue::Text(digest)) if header.module == OFFICE && is_plain(digest) => {
                    Some(
                        read_member(&path.join("modules").join(digest))
                            .map_err(|e| e.to_string())?,
                    )
                }
                _ => None,
            };
            Some(Document {
                id: document.id(),
                header: header.clone(),
                signers: signers.collect(),
                part,
            })
        }
    };
    if matches!(record.subject, Subject::Document(_)) && document.is_none() {
        return Err("its document is missing".into());
    }
    match replay.step(&decision.record, &decision.salt, document) {
        Ok(_) => Ok(proved),
        Err(ReplayFault::Other { parts, now }) => {
            let now = match now.outcome {
                Outcome::Applied(applied) => format!("{}/{}", applied.case, applied.state),
                Outcome::Refused(reasons) => {
                    let each = reasons.iter().map(|reason| reason.rule.clone());
                    format!("refused by {}", each.collect::<Vec<_>>().join(", "))
                }
                Outcome::Deferred(waits) => format!("waits ({})", waits.why.rule),
                Outcome::Quarantined { program } => format!("set apart by {program}"),
            };
            Err(format!("it comes out otherwise ({}): {now}", parts.join(", ")))
        }
        Err(fault) => Err(format!("{fault:?}")),
    }
}

/// Whether a text is a digest, as a file's name may be.
fn is_plain(digest: &str) -> bool {
    Digest::from_hex(digest).is_some()
}

/// The files of a folder to begin with.
const BEGINNING: [(&str, &str); 6] = [
    ("module.toml", include_str!("module/module.toml")),
    ("cases/request.toml", include_str!("module/request.toml")),
    ("forms/request.json", include_str!("module/request.json")),
    ("forms/answer.json", include_str!("module/answer.json")),
    ("texts/zh-CN.ftl", include_str!("module/zh-CN.ftl")),
    ("texts/en.ftl", include_str!("module/en.ftl")),
];

const STORY: &str = include_str!("module/first.toml");

/// The folder that a module of a name begins with.
pub(crate) fn beginning(name: &str) -> Result<Folder, Failure> {
    let files = BEGINNING.into_iter().chain([("scenarios/first.toml", STORY)]);
    let files = files.map(|(path, text)| (path, text.replace("EXAMPLE", name)));
    Ok(Folder::of(files)?)
}

fn new(output: &Output, name: &str, into: &Path) -> Result<ExitCode, Failure> {
    Failure::unless_new(into)?;
    let folder = beginning(name)?;
    // What is begun with is sound, or the name is not.
    sound(output, &folder)?;
    let staged = Staged::folder(into)?;
    for (path, text) in folder.files() {
        write_new(&staged.path().join(path), text.as_bytes())?;
    }
    staged.finish()?;
    if output.json {
        output.print_json(&serde_json::json!({ "folder": into, "files": folder.files().count() }));
    } else {
        println!("{} {}", output.t("made:", "已建立："), into.display());
        println!("  chancery module check {0}\n  chancery module test {0}", into.display());
    }
    Ok(ExitCode::SUCCESS)
}
