//! Code lists as signed documents: an officer files a list from a date on, as its publisher gave it, and whatever is asked of a day
//! from then on goes by it. Nothing that was decided changes.

use std::sync::Arc;

use chancery_crypto::{Digest, cbor};
use chancery_protocol::FormValue;
use serde::{Deserialize, Serialize};

use crate::{
    civil::Date,
    codes::Codes,
    input::Input,
    kernel::Kernel,
    manifest::read_codes,
    office::{self, OFFICE, text},
    publisher,
    reason::{Reason, Refusal},
    record::Applied,
    state::{Family, Key, Overlay, State, StateError},
};

/// The media type of a code list, as the part of the document that files it.
pub const CODES_MEDIA_TYPE: &str = "text/csv";

/// The most bytes of a list's file, and the most lists of a name that are filed.
const MOST_BYTES: usize = 1 << 20;
const MOST_FILED: usize = 1_000;

/// A code list that was filed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FiledCodes {
    /// Since when it is so.
    pub from: Date,
    /// The rank of its publisher: what stands higher holds.
    pub rank: u8,
    /// Its publisher, if it is not the agency itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publisher: Option<String>,
    /// When it was lodged, in seconds since 1970 UTC.
    pub known: i64,
    /// By which document.
    pub document: String,
    /// The digest of its file.
    pub digest: Digest,
}

fn listed(module: &str, list: &str) -> Key {
    Key::new(Family::Table, module).name(list).value("codes")
}

/// The lists of a name that were filed, in the order in which they were.
///
/// # Errors
/// [`StateError`].
pub fn filed_codes(
    state: &dyn State,
    module: &str,
    list: &str,
) -> Result<Vec<FiledCodes>, StateError> {
    match state.get(&listed(module, list))? {
        None => Ok(Vec::new()),
        Some(bytes) => cbor::decode_within(&bytes, bytes.len()).map_err(StateError::damaged),
    }
}

/// The list that was filed and holds for a day: of those that are in force then that of the highest rank, of these the one that came
/// into force last. None where the module's own holds.
pub(crate) fn chosen(
    state: &dyn State,
    module: &str,
    list: &str,
    on: Date,
) -> Result<Option<(Date, Digest, Arc<Codes>)>, StateError> {
    let filed = filed_codes(state, module, list)?;
    let in_force = filed.into_iter().filter(|one| one.from <= on);
    let Some(best) = in_force.max_by_key(|one| (one.rank, one.from)) else { return Ok(None) };
    let gone = || StateError::damaged("a code list that was filed is gone");
    let bytes = state.get(&office::folder(&best.digest))?.ok_or_else(gone)?;
    let text = String::from_utf8(bytes).map_err(StateError::damaged)?;
    let codes = read_codes(list, &text).map_err(|_| gone())?;
    Ok(Some((best.from, best.digest, Arc::new(codes))))
}

/// Decides that a code list is filed. Whoever may is asked before.
pub(crate) fn file(
    kernel: &Kernel,
    overlay: &mut Overlay<'_>,
    input: &Input,
) -> Result<Result<Applied, Vec<Reason>>, StateError> {
    let refused = |why| {
        let rule = format!("{OFFICE}/codes");
        Ok(Err(vec![Reason { rule, law: None, why }]))
    };
    let field = |name: &str| refused(Refusal::Field { field: name.to_owned() });
    let Some(of) = text(input, "of") else { return field("of") };
    let Some(name) = text(input, "list") else { return field("list") };
    let from = match input.document.form().get("from") {
        Some(FormValue::Text(day)) => day.parse::<Date>().ok(),
        _ => None,
    };
    let Some(from) = from else { return field("from") };
    let other = || refused(Refusal::OtherTable { table: name.to_owned() });
    let bytes = match (&input.document.part, input.document.header.parts.as_slice()) {
        (Some(bytes), [part])
            if part.media_type == CODES_MEDIA_TYPE
                && bytes.len() <= MOST_BYTES
                && Digest::of(bytes) == part.digest
                && text(input, "digest") == Some(part.digest.to_string().as_str()) =>
        {
            bytes
        }
        _ => return other(),
    };
    let Some((_, module)) = kernel.in_force(overlay, of)? else {
        return refused(Refusal::NoModule);
    };
    if !module.codes.contains_key(name) {
        return field("list");
    }
    let Ok(csv) = std::str::from_utf8(bytes) else { return other() };
    if let Err(mistakes) = read_codes(name, csv) {
        let first = mistakes.first().map(|mistake| {
            format!("{}:{} {}", mistake.at.file, mistake.at.line, mistake.what.code())
        });
        let (mistakes, first) = (mistakes.len(), first.unwrap_or_default());
        return refused(Refusal::Folder { mistakes, first });
    }
    let publisher = match publisher::of(overlay, input, of, None)? {
        Ok(publisher) => publisher,
        Err(why) => return refused(why),
    };
    let mut filed = filed_codes(overlay, of, name)?;
    if filed.len() >= MOST_FILED {
        return field("list");
    }
    let rank = publisher.rank;
    if filed.iter().any(|one| (one.from, one.rank) == (from, rank)) {
        return refused(Refusal::FiledTwice {
            what: name.to_owned(),
            from: from.to_string(),
            rank,
        });
    }
    let digest = Digest::of(bytes);
    filed.push(FiledCodes {
        from,
        rank,
        publisher: Some(publisher.name).filter(|name| !name.is_empty()),
        known: input.lodged.0,
        document: input.document.id.to_string(),
        digest,
    });
    overlay.put(listed(of, name), cbor::encode(&filed).expect("plain"));
    overlay.put(office::folder(&digest), bytes.clone());
    Ok(Ok(Applied {
        case: "codes".to_owned(),
        thing: format!("{of}/{name}"),
        sequence: u64::try_from(filed.len()).unwrap_or(u64::MAX),
        state: "in-force".to_owned(),
        ..Applied::default()
    }))
}
