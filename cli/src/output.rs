//! What people and programs see: language, times, sizes, progress.

use std::io::IsTerminal as _;

use ::time::{OffsetDateTime, format_description::well_known::Rfc3339};
/// A time for people: RFC 3339, UTC.
pub use chancery_certs::rfc3339 as time;
use indicatif::{ProgressBar, ProgressStyle};

/// How a command speaks.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    pub json: bool,
    pub chinese: bool,
}

/// The language of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// English.
    En,
    /// 中文.
    Zh,
}

impl Output {
    /// From the flags, or the environment's LC_ALL, LC_MESSAGES or LANG.
    pub fn new(json: bool, language: Option<Language>) -> Self {
        let locale = || {
            let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
            ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set).unwrap_or_default()
        };
        let chinese = match language {
            Some(language) => language == Language::Zh,
            None => locale().starts_with("zh"),
        };
        Self { json, chinese }
    }

    /// One of two texts, by language.
    pub fn t<'a>(&self, en: &'a str, zh: &'a str) -> &'a str {
        if self.chinese { zh } else { en }
    }

    /// Prints a JSON value on stdout, on one line.
    pub fn print_json(&self, value: &serde_json::Value) {
        println!("{value}");
    }

    /// A progress bar over bytes, on a terminal only.
    pub fn bytes_bar(&self, total: u64, what: &str) -> ProgressBar {
        self.bar(total, what, "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}")
    }

    /// A progress bar over things, on a terminal only.
    pub fn count_bar(&self, total: u64, what: &str) -> ProgressBar {
        self.bar(total, what, "{msg} [{bar:30}] {pos}/{len} {eta}")
    }

    fn bar(&self, total: u64, what: &str, template: &str) -> ProgressBar {
        // A bar that flashes up and goes is only noise.
        if self.json || !std::io::stderr().is_terminal() || total == 0 {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new(total).with_message(what.to_owned());
        match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }
}

/// A text from outside for a terminal: what would steer it or turn its writing shows as a mark.
pub fn plain(text: &str) -> String {
    let steers =
        |c: char| c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if steers(c) { '\u{FFFD}' } else { c }).collect()
}

/// Reads a time in RFC 3339.
pub fn parse_time(text: &str) -> Result<i64, String> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map(OffsetDateTime::unix_timestamp)
        .map_err(|_| "write it as 2026-03-31T08:00:00Z".to_owned())
}

/// A size for people.
pub fn size(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

/// The first digits of an id, enough to name it.
pub fn short(id: impl std::fmt::Display) -> String {
    id.to_string().chars().take(16).collect()
}
