//! The feed of a publication: Atom (RFC 4287), the same bytes for the same state and moment.

use std::fmt::Write as _;

use chancery_crypto::Language;

use super::{copy::path_of, read::Published};
use crate::{civil::Instant, state::StateError};

/// The most entries of a feed.
const MOST_ENTRIES: usize = 100;

/// What stands in place of a character that XML may not have.
const REPLACED: char = '\u{FFFD}';

/// A text as XML and HTML take it, in an element or in a quoted attribute. Nothing of it is markup.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' => out.push(c),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => out.push(REPLACED),
            c => out.push(c),
        }
    }
    out
}

/// The feed of a publication, with addresses below `base`; none of one that has no feed.
///
/// # Errors
/// [`StateError`].
pub fn feed(
    published: &Published<'_>,
    publication: &str,
    base: &str,
    language: Language,
) -> Result<Option<Vec<u8>>, StateError> {
    if published.names().iter().all(|(name, feed, _)| *name != publication || !feed) {
        return Ok(None);
    }
    let entries = published.newest(publication, MOST_ENTRIES)?;
    let zone = published.module().zone();
    let base = base.trim_end_matches('/');
    let home = escape(&format!("{base}/{publication}/"));
    let updated = entries.first().map_or(published.at(), |(_, event)| Instant(event.shown));
    let title = published.title_of(publication);
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n");
    let mut line = |text: &str| {
        xml.push_str(text);
        xml.push('\n');
    };
    line(&format!(
        "<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"{}\">",
        language.pick("en", "zh-CN")
    ));
    line(&format!("  <title>{}</title>", escape(title.say(language))));
    line(&format!("  <id>{home}</id>"));
    line(&format!("  <link rel=\"self\" type=\"application/atom+xml\" href=\"{home}feed.xml\"/>"));
    line(&format!("  <link rel=\"alternate\" type=\"text/html\" href=\"{home}index.html\"/>"));
    line(&format!("  <updated>{}</updated>", zone.show(updated)));
    let maker = published.module().names().say(language);
    line(&format!("  <author><name>{}</name></author>", escape(maker)));
    for (work, event) in &entries {
        let address = format!("{home}{}", path_of(&work.work, None));
        let first = work.events.iter().map(|event| event.shown).min().unwrap_or(event.shown);
        line("  <entry>");
        line(&format!("    <title>{}</title>", escape(&work.title)));
        line(&format!("    <id>{address}</id>"));
        line(&format!("    <link rel=\"alternate\" type=\"text/html\" href=\"{address}\"/>"));
        line(&format!("    <published>{}</published>", zone.show(Instant(first))));
        line(&format!("    <updated>{}</updated>", zone.show(Instant(event.shown))));
        let label = escape(&published.event_name(publication, event, language));
        let kind = event.kind.name();
        line(&format!("    <category term=\"{kind}\" label=\"{label}\"/>"));
        let mut summary = label;
        if let Some(reason) = &event.reason {
            let _ = write!(summary, "{}{}", language.pick(": ", "："), escape(reason));
        }
        line(&format!("    <summary>{summary}</summary>"));
        line("  </entry>");
    }
    line("</feed>");
    Ok(Some(xml.into_bytes()))
}
