//! What people and programs see: language, times, sizes, progress.

use std::{
    io::{ErrorKind, IsTerminal as _, Write as _},
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
};

use ::time::{OffsetDateTime, format_description::well_known::Rfc3339};
/// A time for people: RFC 3339, UTC.
pub(crate) use chancery_certs::rfc3339 as time;
use chancery_protocol::text::{show_json, show_line, show_lines};
use indicatif::{ProgressBar, ProgressStyle};

macro_rules! print {
    ($($what:tt)*) => { $crate::output::put(format_args!($($what)*), "") };
}
macro_rules! println {
    ($($what:tt)*) => { $crate::output::put(format_args!($($what)*), "\n") };
}
macro_rules! eprintln {
    ($($what:tt)*) => { $crate::output::put_error(format_args!($($what)*), "\n") };
}

/// People are spoken to in Chinese. Failures are made far below those who know how the command speaks.
static CHINESE: AtomicBool = AtomicBool::new(false);
/// Nobody reads standard output any more.
static CLOSED: AtomicBool = AtomicBool::new(false);
/// Standard output could not be written for another reason.
static FAILED: AtomicBool = AtomicBool::new(false);
/// How a shell shows that a command ended because nobody read on (128 and SIGPIPE).
const PIPE: u8 = 141;

/// Prints on standard output: the one door for all that commands say. A reader who has gone is no fault; what was begun is
/// done to its end, and nothing more is said. Whatever would steer a terminal stands there by its number.
pub(crate) fn put(what: std::fmt::Arguments<'_>, end: &str) {
    put_raw(show_lines(&format!("{what}{end}")).as_bytes());
}

/// As [`put`], as it is.
pub(crate) fn put_raw(bytes: &[u8]) {
    if CLOSED.load(Ordering::Relaxed) || FAILED.load(Ordering::Relaxed) {
        return;
    }
    let mut out = std::io::stdout().lock();
    said(out.write_all(bytes));
}

/// Prints a line on standard output, red where there is somebody to see it.
pub(crate) fn put_red(text: &str) {
    let text = show_line(text);
    match std::io::stdout().is_terminal() {
        true => put_raw(format!("\u{1b}[31m{text}\u{1b}[0m\n").as_bytes()),
        false => put_raw(format!("{text}\n").as_bytes()),
    }
}

fn said(written: std::io::Result<()>) {
    match written {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {
            CLOSED.store(true, Ordering::Relaxed)
        }
        Err(_) => FAILED.store(true, Ordering::Relaxed),
    }
}

/// Prints on standard error; if that is closed, there is nobody to tell.
pub(crate) fn put_error(what: std::fmt::Arguments<'_>, end: &str) {
    let text = format!("{what}{end}");
    drop(std::io::stderr().write_all(show_lines(&text).as_bytes()));
}

/// Whether nobody reads standard output any more.
pub(crate) fn is_closed() -> bool {
    said(std::io::stdout().flush());
    CLOSED.load(Ordering::Relaxed) || FAILED.load(Ordering::Relaxed)
}

/// How a command ends whose output may not have been read or written.
pub(crate) fn end(code: ExitCode) -> ExitCode {
    said(std::io::stdout().flush());
    if FAILED.load(Ordering::Relaxed) {
        eprintln!("error[CHY-4001]: standard output cannot be written");
        return ExitCode::from(crate::failure::ENVIRONMENT);
    }
    match CLOSED.load(Ordering::Relaxed) && code == ExitCode::SUCCESS {
        true => ExitCode::from(PIPE),
        false => code,
    }
}

/// The language of what is said of failures.
pub(crate) fn language_of_failures() -> chancery_protocol::Language {
    match CHINESE.load(Ordering::Relaxed) {
        true => chancery_protocol::Language::Zh,
        false => chancery_protocol::Language::En,
    }
}

/// How a command speaks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub json: bool,
    pub chinese: bool,
}

/// The language of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Language {
    /// English.
    En,
    /// 中文.
    Zh,
}

impl Output {
    /// From the flags, or the environment's LC_ALL, LC_MESSAGES or LANG.
    pub(crate) fn new(json: bool, language: Option<Language>) -> Self {
        let locale = || {
            let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
            ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set).unwrap_or_default()
        };
        let chinese = match language {
            Some(language) => language == Language::Zh,
            None => locale().starts_with("zh"),
        };
        // What programs read is in English.
        CHINESE.store(chinese && !json, Ordering::Relaxed);
        Self { json, chinese }
    }

    /// From a command line that could not be read: what of it says how to answer is looked for by itself.
    pub(crate) fn of_words(words: &[std::ffi::OsString]) -> Self {
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        let language = words.iter().enumerate().find_map(|(place, word)| {
            let value = match word.strip_prefix("--lang=") {
                Some(value) => value,
                None if word == "--lang" => words.get(place + 1)?,
                None => return None,
            };
            <Language as clap::ValueEnum>::from_str(value, false).ok()
        });
        Self::new(words.iter().any(|word| word == "--json"), language)
    }

    /// The language of sentences.
    pub(crate) fn language(&self) -> chancery_protocol::Language {
        match self.chinese {
            true => chancery_protocol::Language::Zh,
            false => chancery_protocol::Language::En,
        }
    }

    /// One of two texts, by language.
    pub(crate) fn t<'a>(&self, en: &'a str, zh: &'a str) -> &'a str {
        if self.chinese { zh } else { en }
    }

    /// Prints a JSON value on stdout, on one line.
    pub(crate) fn print_json(&self, value: &serde_json::Value) {
        put_raw((show_json(&value.to_string()).into_owned() + "\n").as_bytes());
    }

    /// A progress bar over bytes, on a terminal only.
    pub(crate) fn bytes_bar(&self, total: u64, what: &str) -> ProgressBar {
        self.bar(total, what, "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}")
    }

    /// A progress bar over things, on a terminal only.
    pub(crate) fn count_bar(&self, total: u64, what: &str) -> ProgressBar {
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

/// A text from outside for one line: what would steer a terminal, turn its writing or not be seen stands there by its
/// number.
pub(crate) fn plain(text: &str) -> String {
    show_line(text).into_owned()
}

/// Reads a time in RFC 3339.
pub(crate) fn parse_time(text: &str) -> Result<i64, String> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map(OffsetDateTime::unix_timestamp)
        .map_err(|_| "write it as 2026-03-31T08:00:00Z".to_owned())
}

/// A size for people.
pub(crate) fn size(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

/// The first digits of an id, enough to name it.
pub(crate) fn short(id: impl std::fmt::Display) -> String {
    id.to_string().chars().take(16).collect()
}
