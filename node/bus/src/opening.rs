//! Opening envelopes that come in, and who is told of what is in them.

use chancery_crypto::ContentKey;
use chancery_protocol::{
    EnvelopeFault, EnvelopeHeader, EnvelopeId, OpenedEnvelope, ProtocolError, SignedDocument,
    recipient_info,
};
use chancery_store::Batch;

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

/// Whoever stands above the bus and is told of what comes in. What is to be known of a document from the moment that its receipt
/// is given is written in the same commit; everything else follows the ledger's feed.
pub trait Arrivals: std::fmt::Debug + Send + Sync {
    /// A document for this agency came in, and was opened; its signatures were not looked at yet. Puts what is to be known of it
    /// into the commit of its receipt. `time` is its place in the order of what came, in microseconds since 1970 UTC.
    fn arrived(&self, id: &EnvelopeId, document: &SignedDocument, time: i64, batch: &mut Batch);
}
