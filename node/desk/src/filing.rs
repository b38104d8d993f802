//! What whoever has filed something with a module keeps of it: the node's word, and the proof that it stands in the ledger.

use chancery_bus::NodeError;
use chancery_ledger::unix_now;
use chancery_protocol::{Event, FilingReceipt, FilingReceiptFile, Leaf};
use chancery_store::Blocking;

use crate::{
    Office,
    access::{Action, Caller, Object},
    finding::find,
    heads::OpenedHead,
    lookup, proofs,
};

/// The receipt of a document that was filed here, for whoever has signed it and for those who may read it.
///
/// # Errors
/// [`NodeError::NotFound`], also for what somebody else has filed; [`NodeError::NotPermitted`].
pub fn receipt(
    here: &Blocking,
    office: &Office,
    caller: &Caller,
    id: &str,
) -> Result<Vec<u8>, NodeError> {
    let head = match caller.party() {
        Some(name) => {
            office.permit(caller, Action::FILE, Object::Node)?;
            let own = |head: Option<&OpenedHead>| head.is_some_and(|head| is_by(head, name));
            lookup::find(here, office, id, own)?
        }
        None => find(here, office, caller, id, Action::READ)?,
    };
    let identity = office.identity();
    let filing = head.document.header().filing.as_ref();
    if filing.is_none_or(|filing| filing.home != identity.agency) {
        return Err(NodeError::NotFound(id.to_owned()));
    }
    let (mut entry, mut evidence) = (None, Vec::new());
    for proof in proofs::evidence(here, office, &head)? {
        let leaf = Leaf::decode(&proof.receipt.leaf)?;
        let taken = leaf.event == Event::SubmissionAcceptance && proof.agency == identity.agency;
        if taken {
            entry = Some((proof.receipt.index, leaf.time));
            evidence.push(proof.encode()?);
        }
    }
    let missing = || NodeError::damaged("a document that was filed has no entry");
    let (entry, time) = entry.ok_or_else(missing)?;
    let receipt = FilingReceipt {
        agency: identity.agency.clone(),
        document: head.document.id(),
        envelope: head.envelope,
        entry,
        time,
        // What is filed goes nowhere, and nobody mirrors contents yet: when this node's disk is lost, so is what it holds.
        one_copy: true,
    };
    let sealed = receipt.seal(&identity.seal(), unix_now())?;
    Ok(FilingReceiptFile::new(sealed, head.document.bytes().to_vec(), evidence).encode()?)
}

/// Whether a party has signed a document first.
fn is_by(head: &OpenedHead, name: &str) -> bool {
    let first = head.report.signatures.first().and_then(|signature| signature.signer.as_ref());
    first.is_some_and(|signer| Caller::of(signer).party() == Some(name))
}
