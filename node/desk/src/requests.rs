//! What can be asked about a ledger, of a running node or of a data folder at rest.

use chancery_bus::NodeError;
use chancery_certs::Certificate;
use chancery_ledger::LedgerView;
use serde_bytes::ByteBuf;

use crate::asking::{LocalReply, LocalRequest};

/// Ledger entries in one answer.
const ENTRIES: usize = 1000;

/// Answers a question about the ledger.
///
/// # Errors
/// [`NodeError::NotFound`] for what is not in it; [`NodeError::Protocol`] for any other request.
pub fn answer(
    ledger: &LedgerView,
    seal: &[Certificate],
    request: &LocalRequest,
) -> Result<LocalReply, NodeError> {
    Ok(match request {
        LocalRequest::Checkpoint => {
            let chain = seal.iter().map(|c| ByteBuf::from(c.der())).collect();
            LocalReply::Checkpoint { note: ledger.cosigned_checkpoint()?.note, chain }
        }
        LocalRequest::Entries { from, limit } => {
            // What one frame holds with ease; the caller asks again.
            let limit = (*limit as usize).min(ENTRIES);
            let mut leaves = ledger.leaves(*from, limit + 1)?;
            let more = leaves.len() > limit;
            leaves.truncate(limit);
            LocalReply::Entries { leaves: leaves.into_iter().map(ByteBuf::from).collect(), more }
        }
        LocalRequest::Prove { index } => {
            let receipt = ledger.prove(*index)?;
            LocalReply::Proof(receipt.ok_or(NodeError::NotFound(format!("entry {index}")))?)
        }
        LocalRequest::ProveConsistency { size } => {
            let (growths, signed) = ledger.growth(&[*size])?;
            let growth = growths.into_iter().next();
            let growth =
                growth.ok_or(NodeError::NotFound(format!("a ledger of {size} entries")))?;
            LocalReply::Consistency { growth, note: signed.note }
        }
        _ => {
            let fault = chancery_protocol::MessageFault::NotHere;
            return Err(chancery_protocol::ProtocolError::from(fault).into());
        }
    })
}
