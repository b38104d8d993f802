//! A copy of a publication as plain files, for whoever serves or keeps it without a node: a page for each version that is read, an
//! index, the feed, and a manifest with the digest of each, which the agency's seal signs as a document.
//!
//! Nothing that somebody wrote is markup, and no page loads or runs anything.

use std::{collections::BTreeMap, fmt::Write as _};

use chancery_crypto::{Digest, Language};
use serde_json::json;

use super::{
    feed::{escape, feed},
    read::{Opened, Published, WorkView},
    timeline::{Event, Status},
};
use crate::{
    civil::Instant,
    state::StateError,
    statute::{Level, Part},
    wording::PageWord,
};

/// The files of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// By their paths.
    pub files: BTreeMap<String, Vec<u8>>,
    /// What names them all with their digests: to be signed.
    pub manifest: Vec<u8>,
}

/// The most works of a copy.
const MOST_WORKS: usize = 100_000;

/// The most versions of a work that have a page.
const MOST_VERSIONS: u32 = 200;

/// Where the page of a work is, or of one of its versions: a name that tells nothing, and that no work can choose.
pub(super) fn path_of(work: &str, version: Option<u32>) -> String {
    let digest = Digest::of(work.as_bytes()).to_string();
    let short = digest.get(..32).unwrap_or(&digest);
    match version {
        None => format!("{short}.html"),
        Some(version) => format!("{short}-{version}.html"),
    }
}

/// Makes the copy of a publication as everybody reads it at a moment. `base` is where it will be served, for the feed.
///
/// # Errors
/// [`StateError`].
pub fn copy(
    published: &Published<'_>,
    publication: &str,
    base: &str,
    language: Language,
) -> Result<Copy, StateError> {
    let pages = Pages { published, publication, language };
    let (mut files, mut listed, mut after) = (BTreeMap::new(), Vec::new(), String::new());
    let today = published.today();
    loop {
        let (works, next) = published.works(publication, today, &after, 1_000)?;
        for work in works {
            let all = work.events.iter().filter_map(|event| event.version).max().unwrap_or(1);
            for version in 1..=all.min(MOST_VERSIONS) {
                let opened = published.open_version(publication, &work.work, version, today)?;
                let Some(opened) = opened else { continue };
                let page = pages.page(&opened).into_bytes();
                if version == work.version {
                    files.insert(path_of(&work.work, None), page.clone());
                }
                files.insert(path_of(&work.work, Some(version)), page);
            }
            listed.push(work);
        }
        match next.filter(|_| listed.len() < MOST_WORKS) {
            Some(next) => after = next,
            None => break,
        }
    }
    // The newest first, and of one moment in the order of their names.
    let newest = |work: &WorkView| work.events.iter().map(|event| event.shown).max().unwrap_or(0);
    listed.sort_by(|a, b| (newest(b), &a.work).cmp(&(newest(a), &b.work)));
    files.insert("index.html".into(), pages.index(&listed).into_bytes());
    if let Some(feed) = feed(published, publication, base, language)? {
        files.insert("feed.xml".into(), feed);
    }
    let each = files.iter().map(|(path, bytes)| {
        let sha256 = Digest::of(bytes).to_string();
        json!({ "path": path, "sha256": sha256, "bytes": bytes.len() })
    });
    let manifest = json!({
        "format": "chancery-copy/1",
        "module": published.module().name(),
        "version": published.module().digest().to_string(),
        "publication": publication,
        "at": published.module().zone().show(published.at()),
        "files": each.collect::<Vec<_>>(),
    });
    let mut manifest = serde_json::to_vec_pretty(&manifest).map_err(StateError::damaged)?;
    manifest.push(b'\n');
    Ok(Copy { files, manifest })
}

struct Pages<'a> {
    published: &'a Published<'a>,
    publication: &'a str,
    language: Language,
}

impl Pages<'_> {
    fn say(&self, word: PageWord) -> &'static str {
        word.say(self.language)
    }

    fn head(&self, title: &str) -> String {
        let lang = self.language.pick("en", "zh-CN");
        format!(
            "<!DOCTYPE html>\n<html lang=\"{lang}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; base-uri 'none'; form-action 'none'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{}</title>\n</head>\n<body>\n<main>\n",
            escape(title)
        )
    }

    fn time(&self, at: i64) -> String {
        self.published.module().zone().show(Instant(at))
    }

    fn index(&self, works: &[WorkView]) -> String {
        let title = self.published.title_of(self.publication);
        let title = title.say(self.language);
        let mut html = self.head(title);
        let _ = writeln!(html, "<h1>{}</h1>\n<ul>", escape(title));
        for work in works {
            let (path, name) = (path_of(&work.work, None), escape(&work.title));
            let first = work.events.iter().map(|event| event.shown).min().unwrap_or_default();
            let status = match self.shows(work.status) {
                true => format!(" <strong>{}</strong>", escape(work.status.say(self.language))),
                false => String::new(),
            };
            let _ = writeln!(
                html,
                "<li><a href=\"{path}\">{name}</a> <time>{}</time>{status}</li>",
                self.time(first)
            );
        }
        html.push_str("</ul>\n</main>\n</body>\n</html>\n");
        html
    }

    /// Whether readers are told a status: that something is in force is worth saying only where it could be otherwise.
    fn shows(&self, status: Status) -> bool {
        status != Status::InForce || self.published.has_force(self.publication)
    }

    fn page(&self, opened: &Opened) -> String {
        let mut html = self.head(&opened.of.title);
        let _ = writeln!(html, "<h1>{}</h1>", escape(&opened.of.title));
        html.push_str("<dl>\n");
        let mut row = |name: &str, value: &str| {
            let _ = writeln!(html, "<dt>{}</dt><dd>{}</dd>", escape(name), escape(value));
        };
        let first = opened.of.events.iter().map(|event| event.shown).min().unwrap_or_default();
        row(self.say(PageWord::Published), &self.time(first));
        if self.shows(opened.status) {
            row(self.say(PageWord::Status), opened.status.say(self.language));
        }
        if opened.of.events.iter().filter_map(|event| event.version).max() > Some(1) {
            row(self.say(PageWord::Version), &opened.version.to_string());
        }
        if let Some(issuer) = &opened.of.issuer {
            row(self.say(PageWord::Issuer), issuer);
        }
        if let Some(digest) = &opened.digest {
            row(self.say(PageWord::Digest), &digest.to_string());
        }
        html.push_str("</dl>\n");
        self.happened(&mut html, opened);
        html.push_str("<article>\n");
        let known: BTreeMap<&str, Status> =
            opened.parts.iter().map(|(part, status)| (part.address.as_str(), *status)).collect();
        for (part, status) in &opened.parts {
            // What a part is, is said where it is otherwise than what it lies in.
            let above = part.address.rsplit_once('.').and_then(|(above, _)| known.get(above));
            self.part(&mut html, part, *status, above.copied().unwrap_or(opened.status));
        }
        html.push_str("</article>\n");
        if !opened.attached.is_empty() {
            let _ = writeln!(html, "<h2>{}</h2>\n<ul>", escape(self.say(PageWord::Attached)));
            for part in &opened.attached {
                let (name, digest) = (escape(&part.name), escape(&part.digest));
                let _ = writeln!(html, "<li>{name} <code>{digest}</code></li>");
            }
            html.push_str("</ul>\n");
        }
        html.push_str("</main>\n</body>\n</html>\n");
        html
    }

    /// What has happened since it was published, each with its reason.
    fn happened(&self, html: &mut String, opened: &Opened) {
        let since: Vec<&Event> = opened.of.events.iter().skip(1).collect();
        if since.is_empty() {
            return;
        }
        let _ = writeln!(html, "<section>\n<h2>{}</h2>\n<ol>", escape(self.say(PageWord::Since)));
        for event in since {
            let name = self.published.event_name(self.publication, event, self.language);
            let _ = write!(html, "<li><time>{}</time> {}", event.on, escape(&name));
            if !event.parts.is_empty() {
                let _ = write!(html, " ({})", escape(&event.parts.join(", ")));
            }
            if let Some(by) = &event.by {
                let name = self.title_of(by);
                let path = path_of(by, None);
                let _ = write!(html, " <a href=\"{path}\">{}</a>", escape(&name));
            }
            if let Some(reason) = &event.reason {
                let colon = self.language.pick(": ", "：");
                let _ = write!(html, "{colon}{}", escape(reason));
            }
            html.push_str("</li>\n");
        }
        html.push_str("</ol>\n</section>\n");
    }

    /// How a work is called that others name; its name where it is not read.
    fn title_of(&self, work: &str) -> String {
        let opened = self.published.open(self.publication, work, self.published.today());
        let title = opened.ok().flatten().map(|opened| opened.of.title);
        title.unwrap_or_else(|| work.to_owned())
    }

    fn part(&self, html: &mut String, part: &Part, status: Status, above: Status) {
        let (id, label) = (escape(&part.address), escape(&part.label));
        let note = match status == above {
            true => String::new(),
            false => format!(" <strong>{}</strong>", escape(status.say(self.language))),
        };
        let text = escape(&part.text).replace('\n', "<br>\n");
        let space = if label.is_empty() || text.is_empty() { "" } else { " " };
        let _ = match part.level {
            Level::Book | Level::Division | Level::Annex | Level::Preamble => {
                writeln!(html, "<h2 id=\"{id}\">{label}{space}{text}{note}</h2>")
            }
            Level::Chapter => writeln!(html, "<h3 id=\"{id}\">{label}{space}{text}{note}</h3>"),
            Level::Section => writeln!(html, "<h4 id=\"{id}\">{label}{space}{text}{note}</h4>"),
            Level::Article => writeln!(html, "<h5 id=\"{id}\">{label}{note}</h5>{}", body(&text)),
            Level::Field => writeln!(html, "<p id=\"{id}\"><b>{id}</b> {text}{note}</p>"),
            Level::Paragraph | Level::Item | Level::Point => {
                writeln!(html, "<p id=\"{id}\">{label}{space}{text}{note}</p>")
            }
        };
    }
}

fn body(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("\n<p>{text}</p>") }
}
