//! Others' receipts as they are kept.

use chancery_certs::AgencyName;
use chancery_crypto::{Digest, cbor};
use chancery_ledger::records::ReceivedEvidence;
use chancery_protocol::Evidence;
use chancery_store::{Blocking, Table};

use crate::{Bus, NodeError};

/// The evidence that was received from a peer, with the chain under which it was accepted.
pub fn received(
    here: &Blocking,
    bus: &Bus,
    digest: &Digest,
    agency: &AgencyName,
    salt: Option<Digest>,
) -> Result<Evidence, NodeError> {
    let stored = kept_evidence(here, bus, digest)?;
    Ok(Evidence { agency: agency.clone(), receipt: stored.receipt, chain: stored.chain, salt })
}

/// A peer's receipt as it is kept, by its digest.
///
/// # Errors
/// [`NodeError::Store`] when it is not there.
pub fn kept_evidence(
    here: &Blocking,
    bus: &Bus,
    digest: &Digest,
) -> Result<ReceivedEvidence, NodeError> {
    let missing = || NodeError::damaged(format!("the evidence {digest} is missing"));
    let bytes = bus.store.on(here).get(Table::Evidence, digest.as_bytes())?.ok_or_else(missing)?;
    Ok(cbor::decode(&bytes)?)
}
