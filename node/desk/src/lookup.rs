//! Finding envelopes and documents by their ids.

use std::sync::Arc;

use chancery_bus::NodeError;
use chancery_certs::AgencyName;
use chancery_ledger::records::{EnvelopeRecord, indexed_envelope, journal_envelope};
use chancery_protocol::{DocumentId, EnvelopeId};
use chancery_store::{Blocking, Table};

use crate::{Office, heads::OpenedHead, opening::open_head};

/// The most index entries that one look-up reads.
pub(crate) const MAX_FOUND: usize = 10_000;

/// The newest envelopes of a direction, or the newest of those before another, newest first.
pub fn newest(
    here: &Blocking,
    office: &Office,
    incoming: bool,
    before: Option<&EnvelopeId>,
    limit: usize,
) -> Result<Vec<EnvelopeId>, NodeError> {
    let place = |id: &EnvelopeId| {
        let record = EnvelopeRecord::get(office.store(here), id)?;
        let record = record.filter(|record| record.incoming == incoming && !record.transit);
        let record = record.ok_or_else(|| NodeError::NotFound(id.to_string()))?;
        Ok::<_, NodeError>(record.journal_key(id))
    };
    let before = before.map(place).transpose()?;
    let prefix = [if incoming { b'i' } else { b'o' }];
    let entries =
        office.store(here).scan_back(Table::Journal, &prefix, before.as_deref(), limit)?;
    Ok(entries.iter().filter_map(|(key, _)| journal_envelope(key)).collect())
}

/// The envelopes in keys of a table that start with hexadecimal digits.
fn with_prefix(
    here: &Blocking,
    office: &Office,
    table: Table,
    digits: &str,
    envelope: impl Fn(&[u8]) -> Option<EnvelopeId>,
) -> Result<Vec<EnvelopeId>, NodeError> {
    // Whole bytes narrow the search; an odd digit at the end is compared one by one.
    let whole = hex::decode(digits.get(..digits.len() & !1).unwrap_or_default());
    let whole = whole.map_err(|_| NodeError::NotFound(digits.to_owned()))?;
    let found = office.store(here).scan(table, &whole, &whole, MAX_FOUND)?;
    let fits = found.iter().filter(|(key, _)| hex::encode(key).starts_with(digits));
    Ok(fits.filter_map(|(key, _)| envelope(key)).collect())
}

/// Finds the one kept document whose id, or whose envelope's id, starts with `digits`, among those that are known to
/// whoever asks; of what cannot be opened there is no head to judge by.
pub fn find(
    here: &Blocking,
    office: &Office,
    digits: &str,
    known: impl Fn(Option<&OpenedHead>) -> bool,
) -> Result<Arc<OpenedHead>, NodeError> {
    let digits = digits.to_ascii_lowercase();
    let not_found = || NodeError::NotFound(digits.clone());
    if digits.len() < 4 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(not_found());
    }
    let mut found = with_prefix(here, office, Table::Documents, &digits, indexed_envelope)?;
    found.extend(with_prefix(here, office, Table::Envelopes, &digits, EnvelopeId::from_slice)?);
    let heads = found.iter().map(|id| open_head(here, office, id));
    let mut heads = heads.filter(|head| known(head.as_ref().ok().map(Arc::as_ref)));
    let first = heads.next().ok_or_else(not_found)??;
    for head in heads {
        // The same document may have come twice; another one makes the digits ambiguous.
        if head?.document.id() != first.document.id() {
            return Err(NodeError::Ambiguous(digits));
        }
    }
    Ok(first)
}

/// All envelopes that hold a document.
pub fn envelopes_of(
    here: &Blocking,
    office: &Office,
    document: &DocumentId,
) -> Result<Vec<EnvelopeId>, NodeError> {
    let prefix = document.digest().as_bytes();
    let found = office.store(here).scan(Table::Documents, prefix, prefix, MAX_FOUND)?;
    Ok(found.iter().filter_map(|(key, _)| indexed_envelope(key)).collect())
}

/// The documents that answer a document, from either side.
pub fn answers(
    here: &Blocking,
    office: &Office,
    document: &DocumentId,
) -> Result<Vec<Arc<OpenedHead>>, NodeError> {
    let prefix = document.digest().as_bytes();
    let found = office.store(here).scan(Table::Answers, prefix, prefix, MAX_FOUND)?;
    let ids = found.iter().filter_map(|(key, _)| indexed_envelope(key));
    // What cannot be opened answers nothing.
    Ok(ids.filter_map(|id| open_head(here, office, &id).ok()).collect())
}

/// The module of a document that a sender has sent here, if it is here and can be opened.
pub fn module_of(
    here: &Blocking,
    office: &Office,
    document: &DocumentId,
    sender: &AgencyName,
) -> Result<Option<String>, NodeError> {
    let envelopes = envelopes_of(here, office, document)?;
    let inside = envelopes.iter().filter_map(|id| crate::opening::inside(here, office, id).ok());
    let mut headers = inside.map(|(_, document)| document.header().clone());
    Ok(headers.find(|header| header.from == *sender).map(|header| header.module))
}
