//! `chancery module`: what belongs to versions. What a folder extends, second officers, plans of migration, publishers, code lists.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use chancery_apps::{
    CODES_MEDIA_TYPE, Change, Cover, Folder, How, Loosens, Proposed, TABLE_MEDIA_TYPE,
};
use chancery_crypto::Digest;
use chancery_desk::asking::{LocalReply, LocalRequest};
use chancery_protocol::FormValue;
use chancery_store::files::read_file;

use crate::{
    failure::Failure,
    filing::{Filed, form_value},
    keys::Signer,
    local::Local,
    module::{of_office, read_folder, report, texts},
    output::{Output, plain},
};

/// The most folders that one extends, one above the other.
const MOST_ABOVE: usize = 4;

/// A folder with those that it extends: the one that is named, and else each beside the one that extends it, under its name.
pub(crate) fn read_whole(path: &Path, parent: Option<&Path>) -> Result<Folder, Failure> {
    below(path, parent, MOST_ABOVE)
}

fn below(path: &Path, parent: Option<&Path>, most: usize) -> Result<Folder, Failure> {
    let folder = read_folder(path)?;
    let Some(extends) = folder.extends().filter(|_| most > 0) else { return Ok(folder) };
    let beside = || {
        let own = path.canonicalize().ok()?;
        let plain = !extends.name.contains(['/', '\\']) && !extends.name.starts_with('.');
        let beside = own.parent().filter(|_| plain)?.join(&extends.name);
        beside.is_dir().then_some(beside)
    };
    match parent.map(Path::to_owned).or_else(beside) {
        Some(above) => Ok(folder.over(below(&above, None, most - 1)?)),
        // That it is not there is said, with the line.
        None => Ok(folder),
    }
}

fn marks(output: &Output, change: &Change) -> (&'static str, &'static str) {
    let how = match change.how {
        How::Added => "+",
        How::Removed => "-",
        How::Changed => "~",
    };
    let loosens = match change.loosens {
        Loosens::Yes => output.t("LOOSENS", "放宽"),
        Loosens::Perhaps => output.t("may loosen", "可能放宽"),
        Loosens::No => "",
    };
    (how, loosens)
}

/// Says what a folder changes of what it extends, and what of that loosens.
pub(crate) fn print_overrides(output: &Output, folder: &Folder) {
    let all = folder.overrides();
    if all.is_empty() {
        return;
    }
    println!("{}", output.t("what it changes of what it extends:", "对所扩展模块的改动："));
    for one in all {
        let (how, loosens) = marks(output, &one);
        let (path, touches) = (plain(&one.path), one.touches.name());
        println!("  {how} {path}  [{touches}]  {loosens}  {}:{}", one.at.file, one.at.line);
        for (sign, text) in [("<", &one.before), (">", &one.after)] {
            if !text.is_empty() {
                println!("      {sign} {}", plain(text));
            }
        }
    }
}

pub(crate) fn overrides_json(folder: &Folder) -> serde_json::Value {
    let each = folder.overrides().into_iter().map(|one| {
        let how = match one.how {
            How::Added => "added",
            How::Removed => "removed",
            How::Changed => "changed",
        };
        let loosens = match one.loosens {
            Loosens::Yes => "yes",
            Loosens::Perhaps => "perhaps",
            Loosens::No => "no",
        };
        serde_json::json!({
            "path": one.path, "how": how, "touches": one.touches.name(), "loosens": loosens,
            "file": one.at.file, "line": one.at.line, "before": one.before, "after": one.after,
        })
    });
    each.collect()
}

#[derive(Debug, clap::Args)]
pub(crate) struct Confirm {
    /// The module (default: list what waits)
    module: Option<String>,
    /// The digest of the folder that was proposed
    #[arg(long, value_name = "DIGEST", requires = "module")]
    digest: Option<String>,
    #[command(flatten)]
    signer: Signer,
    #[command(flatten)]
    local: Local,
}

impl Confirm {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let (Some(module), Some(digest)) = (self.module, self.digest) else {
            return match self.local.connect()?.ask(&LocalRequest::Waiting)? {
                LocalReply::Waiting(found) => Ok(print_waiting(output, &found)),
                other => Err(Failure::from_reply(other)),
            };
        };
        let form = texts([("of", Some(module.clone())), ("digest", Some(digest))]);
        let filed = of_office("confirm", format!("确认启用模块 {module}"), form);
        let done = filed.file(&mut self.local.connect()?, &self.signer)?;
        report(output, &done, format!("{} {module}", output.t("confirmed:", "已确认：")));
        Ok(ExitCode::SUCCESS)
    }
}

fn print_waiting(output: &Output, found: &[(String, Proposed)]) -> ExitCode {
    if output.json {
        let each = found.iter().map(|(module, one)| {
            serde_json::json!({
                "module": module, "digest": one.version.digest, "version": one.version.version,
                "by": one.version.by, "touches": one.touches, "against": one.base,
            })
        });
        output.print_json(&each.collect::<serde_json::Value>());
        return ExitCode::SUCCESS;
    }
    if found.is_empty() {
        println!("{}", output.t("nothing waits for a second officer", "没有待确认的模块"));
    }
    for (module, one) in found {
        let (version, by) = (plain(&one.version.version), plain(&one.version.by));
        println!("{module} {version}  {by}  [{}]", one.touches.join(", "));
        println!("  chancery module confirm {module} --digest {}", one.version.digest);
    }
    ExitCode::SUCCESS
}

#[derive(Debug, clap::Args)]
pub(crate) struct Migrate {
    /// The plan: migration = "NAME"
    file: PathBuf,
    /// The module's name
    #[arg(long, value_name = "MODULE")]
    of: String,
    /// The digest of the version in force
    #[arg(long, value_name = "DIGEST", required_unless_present = "look")]
    to: Option<String>,
    /// Say what the plan covers and which matters do not map, and sign nothing
    #[arg(long = "try")]
    look: bool,
    /// The matters that do not map, each with why: JSON
    #[arg(long, value_name = "FILE")]
    unmapped: Option<PathBuf>,
    #[command(flatten)]
    signer: Signer,
    #[command(flatten)]
    local: Local,
}

impl Migrate {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let bytes = read_file(&self.file)?;
        let table =
            std::str::from_utf8(&bytes).ok().and_then(|text| text.parse::<toml::Table>().ok());
        let from = table.and_then(|table| table.get("from")?.as_str().map(str::to_owned));
        let Some(from) = from else {
            let said = output.t("the file is no plan", "该文件不是迁移计划");
            let remedy = output.t(
                "it says migration = \"NAME\" and from = \"DIGEST\"",
                "其中应有 migration = \"名称\" 和 from = \"摘要\"",
            );
            return Err(Failure::usage("CHY-7111", said, remedy).at(&self.file));
        };
        if self.look {
            let plan = String::from_utf8_lossy(&bytes).into_owned();
            let asked = LocalRequest::TryMigration { module: self.of.clone(), plan };
            return match self.local.connect()?.ask(&asked)? {
                LocalReply::Cover(cover) => Ok(print_cover(output, &cover)),
                other => Err(Failure::from_reply(other)),
            };
        }
        let mut form = texts([
            ("of", Some(self.of.clone())),
            ("from", Some(from)),
            ("to", self.to),
            ("digest", Some(Digest::of(&bytes).to_string())),
        ]);
        if let Some(path) = &self.unmapped {
            let bad = |why: String| {
                let remedy = "Give [{\"case\": …, \"thing\": …, \"reason\": …}, …].";
                Failure::usage("CHY-7004", why, remedy).at(path)
            };
            let json: serde_json::Value = serde_json::from_slice(&read_file(path)?)
                .map_err(|error| bad(error.to_string()))?;
            let list = form_value(&json).filter(|value| matches!(value, FormValue::List(_)));
            form.insert("unmapped".into(), list.ok_or_else(|| bad("it is no list".into()))?);
        }
        let filed = of_office("migrate", format!("在办事项迁移 {}", self.of), form);
        let filed = Filed { folder: Some((bytes, TABLE_MEDIA_TYPE)), ..filed };
        let done = filed.file(&mut self.local.connect()?, &self.signer)?;
        report(output, &done, format!("{} {}", output.t("migrated:", "已迁移："), self.of));
        Ok(ExitCode::SUCCESS)
    }
}

/// Says what a plan covers. The list of what does not map is that which is to be signed, without its reasons.
fn print_cover(output: &Output, cover: &Cover) -> ExitCode {
    if output.json {
        let each = cover.unmapped.iter().map(|one| {
            serde_json::json!({ "case": one.case, "thing": one.thing, "why": one.why, "reason": "" })
        });
        output.print_json(&serde_json::json!({
            "mapped": cover.mapped, "ended": cover.ended, "unmapped": each.collect::<Vec<_>>(),
        }));
        return ExitCode::SUCCESS;
    }
    let (mapped, ended, unmapped) = (cover.mapped, cover.ended, cover.unmapped.len());
    println!(
        "{}",
        output.t(
            &format!("{mapped} running matters go over, {unmapped} do not map, {ended} have ended"),
            &format!("可迁移的在办事项 {mapped} 件，无法对应 {unmapped} 件，已办结 {ended} 件"),
        )
    );
    for one in &cover.unmapped {
        println!("  {}/{}  {}", one.case, one.thing, plain(&one.why.join(", ")));
    }
    ExitCode::SUCCESS
}

#[derive(Debug, clap::Args)]
pub(crate) struct NamePublisher {
    /// The agency
    agency: String,
    /// How high it stands, from 1 to 99: the highest holds
    #[arg(long)]
    rank: i64,
    /// The module of which it speaks (default: all)
    #[arg(long, value_name = "MODULE")]
    of: Option<String>,
    #[command(flatten)]
    signer: Signer,
    #[command(flatten)]
    local: Local,
}

impl NamePublisher {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let mut form = texts([("agency", Some(self.agency.clone())), ("of", self.of)]);
        form.insert("rank".into(), FormValue::Int(self.rank));
        let filed = of_office("publisher", format!("登记发布机关 {}", self.agency), form);
        let done = filed.file(&mut self.local.connect()?, &self.signer)?;
        let said = output.t("named as a publisher:", "已登记发布机关：");
        report(output, &done, format!("{said} {} ({})", self.agency, self.rank));
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Codes {
    /// The file: NAME.csv
    file: PathBuf,
    /// The module's name
    #[arg(long, value_name = "MODULE")]
    of: String,
    /// The day from which on it holds
    #[arg(long, value_name = "DATE")]
    from: String,
    /// The agency that publishes it, which has a rank by "module publisher"
    #[arg(long, value_name = "AGENCY")]
    publisher: Option<String>,
    #[command(flatten)]
    signer: Signer,
    #[command(flatten)]
    local: Local,
}

impl Codes {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let bytes = read_file(&self.file)?;
        let list = self.file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let list = list.unwrap_or_default();
        let form = texts([
            ("of", Some(self.of.clone())),
            ("list", Some(list.clone())),
            ("from", Some(self.from)),
            ("digest", Some(Digest::of(&bytes).to_string())),
            ("publisher", self.publisher),
        ]);
        let filed = of_office("codes", format!("发布代码表 {}/{list}", self.of), form);
        let filed = Filed { folder: Some((bytes, CODES_MEDIA_TYPE)), ..filed };
        let done = filed.file(&mut self.local.connect()?, &self.signer)?;
        let said = output.t("in force:", "已启用：");
        report(output, &done, format!("{said} {}/{list}", self.of));
        Ok(ExitCode::SUCCESS)
    }
}
