//! The evidence that belongs to an envelope.

use std::collections::HashSet;

use chancery_bus::{NodeError, evidence::received};
use chancery_certs::{AgencyName, Certificate};
use chancery_crypto::cbor;
use chancery_ledger::{Commit, receipt_key, records::DeliveryRecord, unix_now};
use chancery_protocol::{Event, Evidence, Leaf, commit_to_document};
use chancery_store::{Blocking, Table, all};

use crate::{Office, heads::OpenedHead};

/// Records, once, that a document was handed over to an officer.
pub async fn hand_over(office: &Office, head: &OpenedHead) -> Result<(), NodeError> {
    let leaf = Leaf {
        event: Event::ContentHandover,
        envelope: head.envelope,
        commitment: commit_to_document(&head.salt, &head.document.id()),
        counterpart: head.document.header().from.clone(),
        time: unix_now(),
        evidence: None,
    };
    let mut commit = Commit::default();
    commit.absent(Table::Receipts, receipt_key(&leaf));
    commit.leaves.push(leaf);
    office.ledger().commit(commit).await?;
    Ok(())
}

/// All evidence that this node holds about an envelope: its own receipts and those of others.
pub fn evidence(
    here: &Blocking,
    office: &Office,
    head: &OpenedHead,
) -> Result<Vec<Evidence>, NodeError> {
    let seal = office.identity().seal();
    let own_chain = seal.chain();
    let make = |agency: &AgencyName, receipt, chain: &[chancery_certs::Certificate]| Evidence {
        agency: agency.clone(),
        receipt,
        chain: chain.iter().map(|c| c.der().to_vec().into()).collect(),
        salt: Some(head.salt),
    };
    let prefix = head.envelope.digest().as_bytes();
    let (mut out, mut relays) = (Vec::new(), HashSet::new());
    for receipt in office.ledger().view(here).given_receipts(prefix)? {
        // The entry of a decision commits to its record, and says nothing of the document to who has that alone.
        if Leaf::decode(&receipt.leaf)?.event == Event::Decided {
            continue;
        }
        // It may be older than the seal in use.
        let kept = office.ledger().former_seal(here, &receipt)?;
        let chain = kept.as_deref().unwrap_or(own_chain);
        out.push(make(&office.identity().agency, receipt, chain));
    }
    for row in all(office.store(here), Table::Deliveries, prefix) {
        let (key, bytes) = row?;
        let record: DeliveryRecord = cbor::decode(&bytes)?;
        let agency = chancery_ledger::records::delivery_of(&key).map(|(_, agency)| agency);
        if let Some((digest, agency)) = record.evidence.zip(agency) {
            out.push(received(here, office, &digest, &agency, Some(head.salt))?);
        }
        // One relay's receipt may stand for several recipients.
        if let Some(digest) = record.relayed.filter(|digest| relays.insert(*digest)) {
            let kept = chancery_bus::evidence::kept_evidence(here, office, &digest)?;
            let seal = kept.chain.first().map(|der| Certificate::from_der(der)).transpose()?;
            if let Some(seal) = seal {
                out.push(received(here, office, &digest, &seal.agency_name()?, Some(head.salt))?);
            }
        }
    }
    Ok(out)
}
