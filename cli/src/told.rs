//! `chancery app looks`, `app notices`, and answers of registries.

use std::process::ExitCode;

use chancery_apps::Answer;
use chancery_desk::asking::{LocalReply, LocalRequest};

use crate::{
    failure::Failure,
    output::{Output, plain, time},
    way::Door,
};

/// What a registry has answered to a question that was just put to it.
pub(crate) fn answer(door: &mut Door, module: &str, document: &str) -> Result<Answer, Failure> {
    let Door::Local(client) = door else { return Err(Failure::unexpected()) };
    let (module, document) = (module.to_owned(), document.to_owned());
    match client.ask(&LocalRequest::Answer { module, document })? {
        LocalReply::Answer(answer) => Ok(*answer),
        other => Err(Failure::from_reply(other)),
    }
}

/// An answer as JSON: values as people write them.
pub(crate) fn json(answer: &Answer) -> serde_json::Value {
    let records = answer.records.iter().map(|record| {
        let each = record.iter().map(|(name, value)| (name.clone(), value.to_string().into()));
        serde_json::Value::Object(each.collect())
    });
    serde_json::json!({
        "registry": answer.registry, "ask": answer.ask, "yes": answer.yes, "count": answer.count,
        "records": records.collect::<Vec<_>>(), "more": answer.more,
    })
}

pub(crate) fn show(output: &Output, answer: &Answer) {
    if let Some(yes) = answer.yes {
        println!("{}", if yes { output.t("yes", "有") } else { output.t("no", "无") });
        return;
    }
    if let Some(count) = answer.count {
        println!("{count}");
        return;
    }
    if answer.records.is_empty() {
        println!("{}", output.t("nothing", "没有记录"));
    }
    for record in &answer.records {
        let each =
            record.iter().map(|(name, value)| format!("{name} {}", plain(&value.to_string())));
        println!("  {}", each.collect::<Vec<_>>().join("  "));
    }
    if answer.more {
        println!("{}", output.t("there are more than are given", "另有未列出的记录"));
    }
}

/// Who has looked at what is kept of somebody.
pub(crate) fn looks(
    output: &Output,
    door: &mut Door,
    of: Option<String>,
) -> Result<ExitCode, Failure> {
    let found = door.looks(of)?;
    if output.json {
        let each = found
            .iter()
            .map(|(module, look)| serde_json::json!({ "module": module, "look": look }));
        output.print_json(&each.collect::<serde_json::Value>());
        return Ok(ExitCode::SUCCESS);
    }
    if found.is_empty() {
        println!("{}", output.t("nobody has looked", "没有查询记录"));
    }
    for (module, look) in found {
        println!(
            "{}  {}  {module}/{}/{}  {}",
            time(look.at),
            plain(&look.who),
            look.registry,
            look.ask,
            plain(&look.law)
        );
        if let Some(purpose) = &look.purpose {
            println!("    {} {}", output.t("for", "目的"), plain(purpose));
        }
        if let Some(basis) = &look.basis {
            println!("    {} {}", output.t("basis", "依据"), plain(basis));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What somebody was told.
pub(crate) fn notices(
    output: &Output,
    door: &mut Door,
    of: Option<String>,
) -> Result<ExitCode, Failure> {
    let found = door.notices(of)?;
    if output.json {
        let each = found
            .iter()
            .map(|(module, notice)| serde_json::json!({ "module": module, "notice": notice }));
        output.print_json(&each.collect::<serde_json::Value>());
        return Ok(ExitCode::SUCCESS);
    }
    if found.is_empty() {
        println!("{}", output.t("nothing", "没有通知"));
    }
    for (name, notice) in found {
        let said = door.module(&name).ok();
        let language = crate::app::language(output);
        let said = said.and_then(|module| module.text(language, &notice.say).map(str::to_owned));
        let said = said.unwrap_or(notice.say);
        println!("{}  {}  {}", time(notice.at), plain(&notice.title), plain(&said));
        println!("    {name}/{} {}", notice.case, notice.thing);
    }
    Ok(ExitCode::SUCCESS)
}
