//! Matters on paper, with the fonts that this machine has.

use std::sync::{Arc, Mutex, PoisonError};

use chancery_bus::NodeError;
use chancery_crypto::Language;
use chancery_desk::{Office, access::Caller, matters};
use chancery_print::{FontError, Fonts};
use chancery_store::Blocking;

/// What is printed, and which of its characters no font has: in English and in Chinese.
type Printed = (Vec<u8>, Vec<(String, String)>);

/// The fonts, once they were asked for: they are large, and do not change while the node runs.
static FONTS: Mutex<Option<Arc<Fonts>>> = Mutex::new(None);

/// Prints a matter by a template of its module, as the caller may read it.
///
/// # Errors
/// [`NodeError`]: there is no such matter for him; [`NodeError::Declined`] with CHY-7113 when it cannot be printed.
pub(crate) fn print(
    here: &Blocking,
    office: &Office,
    caller: &Caller,
    (id, template): (&str, &str),
    language: Language,
) -> Result<Printed, NodeError> {
    let unprinted = |say: &dyn Fn(Language) -> String| NodeError::Declined {
        code: "CHY-7113",
        en: say(Language::En),
        zh: say(Language::Zh),
        rules: template.to_owned(),
    };
    let fonts = fonts().map_err(|error| unprinted(&|of| error.say(of)))?;
    let printed = matters::with_matter(here, office, caller, id, |reading, matter, at| {
        chancery_print::print(reading, matter, template, language, &fonts, at)
    })?;
    let printed = printed.map_err(|error| unprinted(&|of| error.say(of)))?;
    let say =
        |warning: &chancery_print::Warning| (warning.say(Language::En), warning.say(Language::Zh));
    Ok((printed.bytes, printed.warnings.iter().map(say).collect()))
}

/// The fonts: nobody waits for what another prints.
fn fonts() -> Result<Arc<Fonts>, FontError> {
    let mut held = FONTS.lock().unwrap_or_else(PoisonError::into_inner);
    match &*held {
        Some(fonts) => Ok(fonts.clone()),
        None => Ok(held.insert(Arc::new(Fonts::open(&Fonts::debian())?)).clone()),
    }
}
