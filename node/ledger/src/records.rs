//! What the store keeps about envelopes and deliveries, and under which keys.

use chancery_certs::AgencyName;
use chancery_crypto::{Digest, cbor};
use chancery_protocol::{DocumentHeader, DocumentId, EnvelopeHeader, EnvelopeId, Receipt, Refusal};
use serde::{Deserialize, Serialize};

use chancery_store::{Batch, Read, Table};

use crate::LedgerError;

/// An envelope in the node's keeping.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EnvelopeRecord {
    /// When it came, in microseconds since 1970 UTC.
    pub time: i64,
    /// The digest of the order by which the content was removed, in [`Table::Orders`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purged: Option<Digest>,
    /// The sealed outer header.
    #[serde(with = "serde_bytes")]
    pub sealed: Vec<u8>,
    /// Whether its ciphertext is a file (else it is in the store).
    pub in_file: bool,
    /// For what our clerk sent: the content key under our storage key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_key: Option<serde_bytes::ByteBuf>,
    /// Whether it is only carried on to others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub transit: bool,
    /// Whether it came from a peer (else from our own clerk).
    pub incoming: bool,
}

impl EnvelopeRecord {
    /// The outer header, which was verified before it was stored.
    pub fn header(&self) -> Result<(EnvelopeId, EnvelopeHeader), LedgerError> {
        Ok(EnvelopeHeader::reopen(&self.sealed)?)
    }

    /// Whether its content may have gone: a relay keeps nothing of what it has carried on.
    pub fn emptied(&self) -> bool {
        self.transit || self.purged.is_some()
    }

    /// Puts the record and its place in the journal.
    pub fn put(&self, id: &EnvelopeId, batch: &mut Batch) -> Result<(), LedgerError> {
        batch.put(Table::Envelopes, *id.digest().as_bytes(), cbor::encode(self)?);
        batch.put(Table::Journal, self.journal_key(id), []);
        Ok(())
    }

    /// Its place in the journal: direction (`i` in, `o` out, `t` in transit), time, id.
    pub fn journal_key(&self, id: &EnvelopeId) -> Vec<u8> {
        let [incoming, outgoing, transit] = DIRECTIONS;
        let direction = match self {
            Self { transit: true, .. } => transit,
            Self { incoming: true, .. } => incoming,
            _ => outgoing,
        };
        let mut key = vec![direction];
        key.extend(self.time.to_be_bytes());
        key.extend(id.digest().as_bytes());
        key
    }

    /// Reads the record of an envelope.
    pub fn get(store: &(impl Read + ?Sized), id: &EnvelopeId) -> Result<Option<Self>, LedgerError> {
        let found = store.get(Table::Envelopes, id.digest().as_bytes())?;
        Ok(found.map(|bytes| cbor::decode(&bytes)).transpose()?)
    }

    /// Reads the records of several envelopes, in their order, by one question.
    pub fn all(
        store: &(impl Read + ?Sized),
        ids: &[EnvelopeId],
    ) -> Result<Vec<Option<Self>>, LedgerError> {
        let keys: Vec<_> = ids.iter().map(|id| id.digest().as_bytes().to_vec()).collect();
        let found = store.get_many(Table::Envelopes, &keys)?;
        found
            .into_iter()
            .map(|bytes| Ok(bytes.map(|bytes| cbor::decode(&bytes)).transpose()?))
            .collect()
    }
}

/// What the keys of the journal start with: what came in, what went out, what is only carried on.
pub const DIRECTIONS: [u8; 3] = [b'i', b'o', b't'];

/// The time in a journal key, in microseconds since 1970 UTC.
pub fn journal_time(key: &[u8]) -> Option<i64> {
    key.get(1..)?.first_chunk::<8>().map(|time| i64::from_be_bytes(*time))
}

/// The envelope that a journal key speaks of.
pub fn journal_envelope(key: &[u8]) -> Option<EnvelopeId> {
    key.get(9..).and_then(EnvelopeId::from_slice)
}

/// Notes which document an envelope holds, and which it answers. Document ids are digests: the
/// index says nothing of the content.
pub fn index(batch: &mut Batch, id: &EnvelopeId, header: &DocumentHeader, document: &DocumentId) {
    batch.put(Table::Documents, pair(document, id), []);
    if let Some(answered) = &header.in_reply_to {
        batch.put(Table::Answers, pair(answered, id), []);
    }
}

/// Takes a document and its envelope out of the index.
pub fn unindex(batch: &mut Batch, id: &EnvelopeId, header: &DocumentHeader, document: &DocumentId) {
    batch.delete(Table::Documents, pair(document, id));
    if let Some(answered) = &header.in_reply_to {
        batch.delete(Table::Answers, pair(answered, id));
    }
}

fn pair(document: &DocumentId, id: &EnvelopeId) -> Vec<u8> {
    [document.digest().as_bytes().as_slice(), id.digest().as_bytes()].concat()
}

/// The envelope in a key of [`Table::Documents`] or [`Table::Answers`].
pub fn indexed_envelope(key: &[u8]) -> Option<EnvelopeId> {
    key.get(Digest::LEN..).and_then(EnvelopeId::from_slice)
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryState {
    /// It is being tried.
    Pending,
    /// The recipient's evidence is here.
    Delivered,
    /// The recipient refused it for good.
    Refused,
    /// It could not be delivered in time.
    Expired,
}

/// One envelope's way to one recipient.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeliveryRecord {
    /// How many entries the recipient's ledger was seen to have when the delivery began: its receipt is of a later one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<u64>,
    /// Since when, in seconds since 1970 UTC.
    pub since: i64,
    /// Where it stands.
    pub state: DeliveryState,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// The digest of the relay's receipt, when it goes through one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relayed: Option<Digest>,
    /// The digest of the recipient's receipt, in [`Table::Evidence`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Digest>,
}

impl DeliveryRecord {
    /// A delivery that begins, to a recipient whose ledger was seen to have so many entries.
    pub fn pending(now: i64, seen: Option<u64>) -> Self {
        let state = DeliveryState::Pending;
        Self { seen, state, since: now, refusal: None, evidence: None, relayed: None }
    }

    /// Reads the record of a delivery.
    pub fn get(
        store: &(impl Read + ?Sized),
        id: &EnvelopeId,
        agency: &AgencyName,
    ) -> Result<Option<Self>, LedgerError> {
        let found = store.get(Table::Deliveries, &delivery_key(id, agency))?;
        Ok(found.map(|bytes| cbor::decode(&bytes)).transpose()?)
    }
}

/// The key of a delivery: envelope, recipient.
pub fn delivery_key(id: &EnvelopeId, agency: &AgencyName) -> Vec<u8> {
    let mut key = id.digest().as_bytes().to_vec();
    key.extend(agency.as_str().as_bytes());
    key
}

/// The envelope and recipient that a delivery key speaks of.
pub fn delivery_of(key: &[u8]) -> Option<(EnvelopeId, AgencyName)> {
    let (id, agency) = key.split_at_checked(Digest::LEN)?;
    let agency = std::str::from_utf8(agency).ok()?.parse().ok()?;
    Some((EnvelopeId::from_slice(id)?, agency))
}

/// A peer's receipt as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReceivedEvidence {
    /// The chain of the seal under which it was accepted, DER.
    pub chain: Vec<serde_bytes::ByteBuf>,
    /// The receipt.
    pub receipt: Receipt,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_delivery_writes_is_written_in_one_go() {
        let digest = Some(Digest::of(b"x"));
        let record = EnvelopeRecord {
            sealed: vec![1; 9],
            incoming: true,
            time: 1,
            in_file: false,
            own_key: Some(vec![1; 9].into()),
            purged: digest,
            transit: true,
        };
        let refusal = Refusal { code: "CHY-5001".into(), reason: "x".into(), retry_after: None };
        let delivery = DeliveryRecord {
            evidence: digest,
            relayed: digest,
            ..DeliveryRecord::pending(1, Some(7))
        };
        let receipt =
            Receipt { leaf: vec![1], index: 0, proof: vec![], checkpoint: "x".into(), cose: None };
        let received = ReceivedEvidence { receipt, chain: vec![vec![1; 9].into()] };
        assert!(cbor::is_in_order(&record) && cbor::is_in_order(&delivery));
        assert!(cbor::is_in_order(&received));
        // What is rare may be sorted.
        let refused = DeliveryRecord { refusal: Some(refusal), ..delivery };
        assert!(cbor::encode(&refused).is_ok());
    }
}
