//! Help and mistakes of the command line in Chinese. The commands are declared once, with their English texts; [`TEXTS`] has for each
//! of them the Chinese one, and a test finds those that it has not.

use std::{collections::HashMap, fmt::Write as _};

use clap::{
    Arg, ArgAction, Command,
    error::{ContextKind, ContextValue, ErrorKind},
};

/// Pairs of texts: lines with `< ` are English, the lines with `> ` after them say the same in Chinese.
const TEXTS: &str = include_str!("help/zh.txt");
/// How a command's help is laid out. The headings of its parts are set where the parts are.
const TEMPLATE: &str = "{about-with-newline}\n用法：{usage}\n\n{all-args}{after-help}";

/// What stands for each English text.
fn texts() -> HashMap<String, String> {
    let mut texts = HashMap::new();
    let (mut english, mut chinese) = (String::new(), String::new());
    for line in TEXTS.lines().chain([""]) {
        match (line.strip_prefix("< "), line.strip_prefix("> ")) {
            (Some(text), _) => english.push_str(&format!("{text}\n")),
            (_, Some(text)) => chinese.push_str(&format!("{text}\n")),
            _ if line == "<" => english.push('\n'),
            _ if line == ">" => chinese.push('\n'),
            _ if !english.is_empty() => {
                let english = std::mem::take(&mut english);
                texts.insert(english.trim_end().to_owned(), std::mem::take(&mut chinese));
            }
            _ => {}
        }
    }
    texts
}

/// The commands with all they say in Chinese.
pub(crate) fn in_chinese(mut command: Command) -> Command {
    // Its own flags and the command `help` are there only then.
    command.build();
    translated(command, &texts())
}

/// A text in Chinese; as it is where there is none, which the test below does not let pass.
fn said(texts: &HashMap<String, String>, english: &impl ToString) -> String {
    let english = english.to_string();
    let found = texts.get(english.trim_end());
    found.map_or(english, |chinese| chinese.trim_end().to_owned())
}

fn translated(mut command: Command, texts: &HashMap<String, String>) -> Command {
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim().replace("[OPTIONS]", "[选项]");
    let (about, long) = (command.get_about().cloned(), command.get_long_about().cloned());
    let after = command.get_after_help().cloned();
    let mut command = command
        .help_template(TEMPLATE)
        .override_usage(usage)
        .subcommand_help_heading("命令")
        .subcommand_value_name("命令")
        .mut_args(|argument| argument_in_chinese(argument, texts))
        .mut_subcommands(|below| translated(below, texts));
    if let Some(about) = about {
        command = command.about(said(texts, &about));
    }
    if let Some(long) = long {
        command = command.long_about(said(texts, &long));
    }
    if let Some(after) = after {
        command = command.after_help(examples(texts, &after.to_string()));
    }
    command
}

/// What stands below a help: commands as they are, and the words between them.
fn examples(texts: &HashMap<String, String>, after: &str) -> String {
    let each = parts(after).into_iter().map(|part| match part.as_str() {
        "Example:" | "Examples:" => "示例：".to_owned(),
        command if command.starts_with(' ') || command.is_empty() => part,
        words => said(texts, &words),
    });
    each.collect::<Vec<_>>().join("\n")
}

/// The lines below a help; words that go on over several lines are one.
fn parts(after: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for line in after.lines() {
        let of_words =
            |line: &str| !line.is_empty() && !line.starts_with(' ') && !line.ends_with(':');
        match parts.last_mut() {
            Some(last) if of_words(line) && of_words(last) => {
                last.push(' ');
                last.push_str(line);
            }
            _ => parts.push(line.to_owned()),
        }
    }
    parts
}

fn argument_in_chinese(argument: Arg, texts: &HashMap<String, String>) -> Arg {
    let heading = if argument.is_positional() { "参数" } else { "选项" };
    let mut more = String::new();
    let shown = |value: &std::ffi::OsStr| value.to_string_lossy().into_owned();
    let defaults: Vec<_> = argument.get_default_values().iter().map(|one| shown(one)).collect();
    if !defaults.is_empty() && !argument.is_hide_default_value_set() && takes(&argument) {
        more.push_str(&format!("（默认 {}）", defaults.join("、")));
    }
    let possible: Vec<_> = argument
        .get_possible_values()
        .iter()
        .filter(|one| !one.is_hide_set())
        .map(|one| one.get_name().to_owned())
        .collect();
    if !possible.is_empty() && takes(&argument) {
        more.push_str(&format!("（可取 {}）", possible.join("、")));
    }
    if let Some(variable) = argument.get_env() {
        more.push_str(&format!("（环境变量 {}）", shown(variable)));
    }
    let (help, long) = (argument.get_help().cloned(), argument.get_long_help().cloned());
    let mut argument = argument
        .help_heading(heading)
        .hide_default_value(true)
        .hide_possible_values(true)
        .hide_env(true);
    if let Some(help) = help {
        argument = argument.help(said(texts, &help) + &more);
    }
    if let Some(long) = long {
        argument = argument.long_help(said(texts, &long) + &more);
    }
    argument
}

fn takes(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::Set | ArgAction::Append)
}

/// What is wrong with a command line, in one sentence, and how it is written.
pub(crate) fn mistake(error: &clap::Error) -> String {
    let of = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join("、"),
        Some(ContextValue::StyledStr(text)) => text.to_string(),
        Some(ContextValue::StyledStrs(texts)) => {
            texts.iter().map(ToString::to_string).collect::<Vec<_>>().join("；")
        }
        Some(ContextValue::Number(number)) => number.to_string(),
        Some(ContextValue::Bool(is)) => is.to_string(),
        _ => String::new(),
    };
    let argument = of(ContextKind::InvalidArg);
    let value = of(ContextKind::InvalidValue);
    let mut said = match error.kind() {
        ErrorKind::InvalidValue if value.is_empty() => format!("{argument} 需要一个值"),
        ErrorKind::InvalidValue => format!("{argument} 不能取值“{value}”"),
        ErrorKind::ValueValidation => format!("{argument} 的值“{value}”不对"),
        ErrorKind::UnknownArgument => format!("没有参数“{argument}”"),
        ErrorKind::InvalidSubcommand => format!("没有命令“{}”", of(ContextKind::InvalidSubcommand)),
        ErrorKind::NoEquals => format!("{argument} 与其值之间须写等号"),
        ErrorKind::TooManyValues => format!("{argument} 的值太多：“{value}”"),
        ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => format!(
            "{argument} 需要 {}{} 个值，给了 {} 个",
            of(ContextKind::ExpectedNumValues),
            of(ContextKind::MinValues),
            of(ContextKind::ActualNumValues)
        ),
        ErrorKind::ArgumentConflict => {
            let prior = of(ContextKind::PriorArg);
            match prior == argument || prior.is_empty() {
                true => format!("{argument} 只能给一次"),
                false => format!("{argument} 与 {prior} 不能一起用"),
            }
        }
        ErrorKind::MissingRequiredArgument => format!("缺少：{argument}"),
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            "缺少下一级命令".to_owned()
        }
        ErrorKind::InvalidUtf8 => "参数不是 UTF-8 文字".to_owned(),
        _ => error.kind().to_string(),
    };
    if error.kind() == ErrorKind::ValueValidation
        && let Some(source) = std::error::Error::source(error)
    {
        let _ = write!(said, "（{source}）");
    }
    let possible = of(ContextKind::ValidValue) + &of(ContextKind::ValidSubcommand);
    if !possible.is_empty() {
        let _ = write!(said, "；可取：{possible}");
    }
    let near =
        [ContextKind::SuggestedArg, ContextKind::SuggestedValue, ContextKind::SuggestedSubcommand];
    let near: Vec<_> = near.map(of).into_iter().filter(|text| !text.is_empty()).collect();
    if !near.is_empty() {
        let _ = write!(said, "；是否想写 {}", near.join("、"));
    }
    let usage = of(ContextKind::Usage);
    let usage = usage.trim().trim_start_matches("Usage:").trim();
    if !usage.is_empty() {
        let _ = write!(said, "\n\n用法：{usage}\n");
    }
    said
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::*;
    use crate::Arguments;

    /// All that commands and their arguments say, each with where it stands.
    fn all(command: &Command, path: &str, found: &mut Vec<(String, String)>) {
        let mut note = |what: &str, text: Option<String>| {
            if let Some(text) = text {
                found.push((format!("{path} {what}"), text.trim_end().to_owned()));
            }
        };
        note("", command.get_about().map(ToString::to_string));
        note("(long)", command.get_long_about().map(ToString::to_string));
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for part in parts(&after) {
            if !part.is_empty() && !part.starts_with(' ') && !part.starts_with("Example") {
                note("(after)", Some(part));
            }
        }
        for argument in command.get_arguments() {
            let id = argument.get_id().as_str();
            note(id, argument.get_help().map(ToString::to_string));
            note(id, argument.get_long_help().map(ToString::to_string));
        }
        for below in command.get_subcommands() {
            match below.get_name() {
                // It has the others below it, once more.
                "help" => found.push((
                    path.to_owned(),
                    below.get_about().map(ToString::to_string).unwrap_or_default(),
                )),
                name => all(below, &format!("{path} {name}"), found),
            }
        }
    }

    fn everything() -> Vec<(String, String)> {
        let mut command = Arguments::command();
        command.build();
        let mut found = Vec::new();
        all(&command, "chancery", &mut found);
        found
    }

    #[test]
    fn every_text_of_the_help_is_there_in_chinese() {
        let texts = texts();
        let mut missing = String::new();
        let mut seen = std::collections::BTreeSet::new();
        for (place, text) in everything() {
            if !texts.contains_key(&text) && seen.insert(text.clone()) {
                let lines: Vec<_> = text.lines().map(|line| format!("< {line}")).collect();
                let _ = writeln!(missing, "{}   ({place})", lines.join("\n"));
            }
        }
        assert!(missing.is_empty(), "not in cli/src/help/zh.txt:\n{missing}");
    }

    #[test]
    fn no_text_stands_in_the_table_that_no_command_says() {
        let said: Vec<_> = everything().into_iter().map(|(_, text)| text).collect();
        let over: Vec<_> = texts().into_keys().filter(|text| !said.contains(text)).collect();
        assert!(over.is_empty(), "{over:#?}");
    }

    #[test]
    fn the_help_of_every_command_is_chinese() {
        fn each(command: &mut Command, path: &str) {
            let help = command.render_long_help().to_string();
            for english in [
                "Usage:",
                "[OPTIONS]",
                "Options:",
                "Commands:",
                "Arguments:",
                "Print ",
                "Example",
                "[default",
                "[possible",
            ] {
                assert!(!help.contains(english), "{path}: {english} stands in:\n{help}");
            }
            assert!(help.contains("用法："), "{path}:\n{help}");
            for below in command.get_subcommands_mut() {
                let path = format!("{path} {}", below.get_name());
                each(below, &path);
            }
        }
        each(&mut in_chinese(Arguments::command()), "chancery");
    }

    #[test]
    fn mistakes_are_said_in_chinese() {
        let lines = [
            ("chancery sned x", "没有命令“sned”；是否想写"),
            ("chancery send", "缺少："),
            ("chancery --lang fr inbox", "不能取值“fr”；可取：en、zh"),
            ("chancery inbox --limt 3", "没有参数“--limt”；是否想写 --limit"),
            ("chancery inbox --limit x", "的值“x”不对"),
        ];
        for (line, want) in lines {
            let error = Arguments::try_parse_from(line.split(' ')).expect_err(line);
            let said = mistake(&error);
            assert!(said.contains(want), "{line}: {said}");
        }
    }
}
