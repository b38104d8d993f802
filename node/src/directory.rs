//! The newest directory that this node has accepted, with every card in it verified.

use std::{collections::BTreeMap, sync::Arc};

use chancery_certs::{AgencyCard, AgencyName, Certificate, Directory, EncryptionKeyStatement};
use chancery_crypto::KemPublicKey;
use chancery_protocol::LogKey;

use crate::{NodeError, identity::Identity};

/// An agency as the directory lists it.
#[derive(Debug, Clone)]
pub struct Peer {
    pub display: String,
    pub address: String,
    pub encryption: KemPublicKey,
    /// The last second in which that key may be used.
    pub encryption_expires: i64,
    pub seal_chain: Vec<Certificate>,
    pub log_key: LogKey,
}

/// A verified directory.
#[derive(Debug)]
pub struct DirectoryView {
    pub version: u64,
    pub expires: i64,
    /// The signed bytes, for keeping.
    pub bytes: Vec<u8>,
    peers: BTreeMap<AgencyName, Arc<Peer>>,
}

impl DirectoryView {
    /// Verifies a directory and every card in it. A card that does not verify is left out, with a
    /// line in the log: one agency's mistake must not cut off the others.
    pub fn open(
        bytes: &[u8],
        registrar: &AgencyName,
        identity: &Identity,
        now: i64,
    ) -> Result<Self, NodeError> {
        let directory = Directory::open(bytes, registrar, &identity.trust, now)?;
        let mut peers = BTreeMap::new();
        for card in &directory.agencies {
            match open_card(card, identity, now) {
                Ok((agency, peer)) => drop(peers.insert(agency, Arc::new(peer))),
                Err(error) => tracing::warn!(%error, "a card in the directory is not usable"),
            }
        }
        Ok(Self {
            version: directory.version,
            expires: directory.expires,
            bytes: bytes.to_vec(),
            peers,
        })
    }

    /// The agency's entry.
    pub fn peer(&self, agency: &AgencyName) -> Result<Arc<Peer>, NodeError> {
        let peer = self.peers.get(agency).cloned();
        peer.ok_or_else(|| NodeError::UnknownAgency(agency.to_string()))
    }

    /// All entries.
    pub fn peers(&self) -> impl Iterator<Item = (&AgencyName, &Arc<Peer>)> {
        self.peers.iter()
    }
}

fn open_card(card: &[u8], identity: &Identity, now: i64) -> Result<(AgencyName, Peer), NodeError> {
    let card = AgencyCard::open(card, &identity.trust, now)?;
    let seal_chain = card.chain;
    let card = card.value;
    let statement = EncryptionKeyStatement::open(&card.encryption_key, &identity.trust, now)?;
    if statement.agency != card.agency {
        return Err(NodeError::UnknownAgency(format!(
            "the encryption key of {} in the card of {}",
            statement.agency, card.agency
        )));
    }
    let seal = seal_chain.first().ok_or(chancery_certs::CertError::NoCertificate)?;
    let log_key = LogKey::of_seal(seal)?;
    let peer = Peer {
        display: card.display,
        address: card.address,
        encryption: statement.key,
        encryption_expires: statement.not_after,
        log_key,
        seal_chain,
    };
    Ok((card.agency, peer))
}
