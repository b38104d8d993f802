//! Notices: what people are told inside the system. Service by law is an act of its own; mail and messages are reminders of it.

use chancery_crypto::cbor;
use serde::{Deserialize, Serialize};

use crate::{
    case::Deciding,
    civil::Instant,
    state::{Family, Key, Overlay, State, StateError},
    thing::Thing,
};

/// What somebody was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// The case.
    pub case: String,
    /// The thing.
    pub thing: String,
    /// How it was called then.
    pub title: String,
    /// The name of the text.
    pub say: String,
    /// When, in seconds since 1970 UTC.
    pub at: i64,
}

fn key(module: &str, who: &str) -> Key {
    Key::new(Family::Notice, module).name("notice").value(who)
}

pub(super) fn tell(
    deciding: &Deciding<'_>,
    overlay: &mut Overlay<'_>,
    rule: &str,
    place: usize,
    who: &[String],
    say: &str,
    thing: &Thing,
) {
    let notice = Notice {
        case: deciding.case.name.clone(),
        thing: deciding.id.to_owned(),
        title: thing.title.clone(),
        say: say.to_owned(),
        at: deciding.at.0,
    };
    for who in who {
        let id = format!(
            "{:020}/{}/{}/{rule}/{place}",
            deciding.at.0.max(0),
            deciding.id,
            thing.sequence
        );
        let key = key(deciding.module.name(), who).id(&id);
        overlay.put(key, cbor::encode(&notice).expect("plain"));
    }
}

/// What somebody was told by a module since a moment, oldest first.
///
/// # Errors
/// [`StateError`].
pub fn notices(
    state: &dyn State,
    module: &str,
    who: &str,
    since: Instant,
    most: usize,
) -> Result<Vec<Notice>, StateError> {
    let after = format!("{:020}", since.0.max(0));
    let rows = state.scan(&key(module, who), &after, most)?;
    rows.into_iter().map(|(_, bytes)| cbor::decode(&bytes).map_err(StateError::damaged)).collect()
}
