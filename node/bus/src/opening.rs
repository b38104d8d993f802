//! Opening envelopes that come in, and what of them is indexed with their records.

use chancery_crypto::ContentKey;
use chancery_ledger::records::index;
use chancery_protocol::{
    Act, DocumentHeader, EnvelopeFault, EnvelopeHeader, EnvelopeId, OpenedEnvelope, ProtocolError,
    SignedDocument, recipient_info,
};
use chancery_store::{Batch, Table};

use crate::Bus;

/// Unwraps the content key of an envelope that came in.
///
/// # Errors
/// [`ProtocolError`] when it is not for this agency, or under no key that it has or had.
pub fn unwrap_for(bus: &Bus, header: &EnvelopeHeader) -> Result<ContentKey, ProtocolError> {
    let identity = &bus.identity;
    let wrapped = header.key_for(&identity.agency).ok_or_else(|| {
        ProtocolError::from(EnvelopeFault::NoKey { agency: identity.agency.clone() })
    })?;
    let info = recipient_info(&header.sender, &identity.agency);
    Ok(identity.encryption().unwrap(wrapped, &info)?)
}

/// As [`unwrap_for`], of an envelope that has only been verified: also what it tells this agency alone must open, and be
/// what it commits to.
///
/// # Errors
/// As [`unwrap_for`].
pub fn unwrap_opened(bus: &Bus, opened: &OpenedEnvelope) -> Result<ContentKey, ProtocolError> {
    let identity = &bus.identity;
    let (header, own) = (&opened.header, &identity.agency);
    let Some((part, wrapped)) = opened.parts.of(header, own).zip(header.key_for(own)) else {
        return unwrap_for(bus, header);
    };
    let info = recipient_info(&header.sender, own);
    let (key, opener) = identity.encryption().unwrap_with_part(wrapped, &info)?;
    part.open_by(opener, &opened.id)?;
    Ok(key)
}

/// Puts what came in and was opened into the index, together with its record: whoever looks something up waits for nothing.
/// A withdrawal acts besides, and is verified before it does: it waits for the desk.
pub fn index_opened(batch: &mut Batch, id: &EnvelopeId, document: &SignedDocument) {
    index(batch, id, document.header(), &document.id());
    if calls_for_an_answer(document.header()) {
        batch.put(Table::Unindexed, *id.digest().as_bytes(), []);
    }
}

/// Whether a document that has come calls for an answer of this node: a withdrawal of a document does. Answers and all other
/// acts do not, whatever they name, so that two nodes never go on by themselves.
pub fn calls_for_an_answer(header: &DocumentHeader) -> bool {
    match Act::of(&header.kind) {
        Some(Act::Withdraw) => header.in_reply_to.is_some(),
        Some(Act::Receive | Act::Return | Act::WithdrawalAnswer) | None => false,
    }
}
