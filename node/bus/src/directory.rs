//! The newest directory that this node has accepted, with every card in it verified.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use chancery_certs::{
    AgencyCard, AgencyName, Certificate, Crl, Directory, DirectoryMore, EncryptionKeyStatement,
    Formats, Line, Previous, Scrutiny, TrustStore, WitnessGaps,
};
use chancery_crypto::{Digest, RecipientKey};
use chancery_protocol::{Lists, LogKey, Routes};

use crate::NodeError;

/// An agency as the directory lists it.
#[derive(Debug, Clone)]
pub struct Peer {
    pub display: String,
    pub address: String,
    /// The superior that relays to and from it.
    pub via: Option<AgencyName>,
    pub encryption: RecipientKey,
    /// The last second in which that key may be used.
    pub encryption_expires: i64,
    pub seal_chain: Vec<Certificate>,
    /// What its node reads.
    pub formats: Formats,
    /// Under whom its seal stands.
    pub line: Line,
}

/// A verified directory.
#[derive(Debug)]
pub struct DirectoryView {
    pub version: u64,
    pub expires: i64,
    /// The signed bytes, for keeping.
    pub bytes: Arc<[u8]>,
    /// The digest of what it says.
    pub digest: Digest,
    /// What the registrar says beside it.
    more: DirectoryMore,
    /// The revocation lists that came with it, and older ones that it has no newer for.
    pub crls: Lists,
    /// The anchors, and who may say what time it was: also those that the directory names.
    pub trust: Arc<TrustStore>,
    peers: BTreeMap<AgencyName, Arc<Peer>>,
    routes: Routes,
}

/// The newest directory that is held, if any.
#[derive(Debug, Default)]
pub struct HeldDirectory(RwLock<Option<Arc<DirectoryView>>>);

impl HeldDirectory {
    /// Also one that has expired: where agencies are, whom it revokes and what it was called stays known until a newer one
    /// says otherwise.
    pub fn newest(&self) -> Option<Arc<DirectoryView>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Unless it has expired: for whatever is sent or taken by it.
    pub fn valid(&self, now: i64) -> Option<Arc<DirectoryView>> {
        self.newest().filter(|held| now <= held.expires)
    }

    /// A newer one is held from now on.
    pub fn replace(&self, newer: Arc<DirectoryView>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(newer);
    }
}

impl DirectoryView {
    /// Verifies a directory and every card in it, with the revocation lists that are known already and those that it
    /// brings. A card that does not verify is left out, with a line in the log: one agency's mistake must not
    /// cut off the others.
    pub fn open(
        bytes: &[u8],
        registrar: &AgencyName,
        trust: &TrustStore,
        known: &[Crl],
        now: i64,
    ) -> Result<Self, NodeError> {
        // By the lists that are held: the directory's own may be old ones that its thief has chosen …
        let by = Scrutiny::by(trust, known, now);
        let opened = Directory::open_whole(bytes, registrar, &by)?;
        let authorities = opened.time_authorities();
        let (directory, more, digest) = (opened.directory, opened.more, opened.digest);
        let mut crls = Vec::new();
        for der in &directory.crls {
            match Crl::from_der(der) {
                Ok(crl) => {
                    if let Some(fault) = crl.fault() {
                        tracing::warn!(issuer = crl.issuer(), %fault, "a CRL does not count");
                    }
                    crls.push(crl);
                }
                Err(error) => tracing::warn!(%error, "a CRL in the directory is not usable"),
            }
        }
        let kept = known.iter().filter(|old| !crls.iter().any(|new| new.replaces(old)));
        let kept: Vec<_> = kept.cloned().collect();
        crls.extend(kept);
        let by = Scrutiny::by(trust, &crls, now);
        if !directory.crls.is_empty() {
            // … and by those that it brings itself: they may name its signer.
            Directory::open(bytes, registrar, &by)?;
        }
        let mut peers = BTreeMap::new();
        for card in &directory.agencies {
            match open_card(card, &by) {
                Ok((agency, peer)) => drop(peers.insert(agency, Arc::new(peer))),
                Err(error) => tracing::warn!(%error, "a card in the directory is not usable"),
            }
        }
        let routes = routes_of(&peers);
        let trust = Arc::new(with_authorities(trust, &authorities)?);
        Ok(Self {
            version: directory.version,
            expires: directory.expires,
            bytes: bytes.into(),
            digest,
            more,
            crls: crls.into(),
            trust,
            peers,
            routes,
        })
    }

    /// The directory that it says came before it.
    pub fn previous(&self) -> Option<&Previous> {
        self.more.previous.as_ref()
    }

    /// The witnesses that are named for an agency.
    pub fn witnesses(&self, agency: &AgencyName) -> Vec<AgencyName> {
        self.more.witnesses.get(agency).into_iter().flatten().cloned().collect()
    }

    /// What is missing in an agency's witnesses.
    pub fn witness_gaps(&self, agency: &AgencyName) -> WitnessGaps {
        self.more.witness_gaps(agency, |agency| self.peers.get(agency).map(|p| p.line.clone()))
    }

    /// Whether what is sent to `recipient` may have a form that came after the first release: whoever is to read it says
    /// so in its card. Relays on the way only carry it.
    pub fn reads(&self, recipient: &AgencyName, format: &str, version: u64) -> bool {
        self.peers.get(recipient).is_some_and(|peer| peer.formats.reads(format, version))
    }

    /// Who hands what to whom by it.
    pub fn routes(&self) -> &Routes {
        &self.routes
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

fn routes_of(peers: &BTreeMap<AgencyName, Arc<Peer>>) -> Routes {
    peers.iter().map(|(agency, peer)| (agency.clone(), peer.via.clone())).collect()
}

/// The same trust, and these may say what time it was as well: the registrar, whom the node believes, names them.
fn with_authorities(
    trust: &TrustStore,
    authorities: &[Certificate],
) -> Result<TrustStore, NodeError> {
    let mut time = trust.time().clone();
    authorities.iter().for_each(|one| time.add(std::slice::from_ref(one)));
    let mut all = TrustStore::new(trust.anchors().cloned())?.with_time(time)?;
    if let Some(registrar) = trust.registrar() {
        all = all.with_registrar(registrar.clone());
    }
    Ok(all.with_publishers(trust.publishers().to_vec()))
}

/// Says in the log that no list covers somebody, or that those which do are out of date: a registrar's outage must not
/// stop the bus, and must not go unnoticed.
pub(crate) fn note_uncovered(uncovered: Option<&str>) {
    if let Some(subject) = uncovered {
        tracing::warn!(subject, "no revocation list says whether its certificate is revoked");
    }
}

fn open_card(card: &[u8], by: &Scrutiny<'_>) -> Result<(AgencyName, Peer), NodeError> {
    let card = AgencyCard::open(card, by)?;
    note_uncovered(card.uncovered.as_deref());
    let formats = card.formats()?;
    let seal_chain = card.chain;
    let card = card.value;
    let statement = EncryptionKeyStatement::open(&card.encryption_key, by)?;
    if statement.agency != card.agency {
        return Err(NodeError::UnknownAgency(format!(
            "the encryption key of {} in the card of {}",
            statement.agency, card.agency
        )));
    }
    let seal = seal_chain.first().ok_or(chancery_certs::CertError::NoCertificate)?;
    // A seal that can sign no ledger is none of an agency's.
    LogKey::of_seal(seal)?;
    let peer = Peer {
        display: card.display,
        address: card.address,
        via: card.via,
        encryption: statement.key.prepare()?,
        encryption_expires: statement.not_after,
        line: Line::of(&seal_chain, by.trust),
        formats,
        seal_chain,
    };
    Ok((card.agency, peer))
}

#[cfg(test)]
pub(crate) mod tests {
    use chancery_certs::{Credential, Issuer, Profile, Subject};
    use chancery_crypto::{Algorithm, Kem, KemPrivateKey, KemPublicKey, SigningKey};

    use super::*;

    /// A directory of names and the superiors above them. Keys do not matter here.
    pub(crate) fn view(agencies: &[(&str, Option<&str>)]) -> DirectoryView {
        let key = chancery_crypto::KemPrivateKey::generate(chancery_crypto::Kem::X25519);
        let encryption = key.public_key().prepare().expect("a key");
        let peers = agencies.iter().map(|(agency, via)| {
            let name: AgencyName = agency.parse().expect("a name");
            let peer = Peer {
                display: String::new(),
                address: "192.0.2.1:7400".into(),
                via: via.map(|via| via.parse().expect("a name")),
                encryption: encryption.clone(),
                encryption_expires: 0,
                seal_chain: Vec::new(),
                formats: Formats::own(),
                line: Line::Root,
            };
            (name, Arc::new(peer))
        });
        let peers = peers.collect();
        let routes = routes_of(&peers);
        let root = Issuer::new_root("Root", &[], Algorithm::EdDsa, NOW).expect("a root");
        let trust = TrustStore::new([root.certificate().clone()]).expect("an anchor");
        DirectoryView {
            version: 1,
            expires: 0,
            bytes: Arc::new([]),
            digest: Digest::of(b""),
            more: DirectoryMore::default(),
            crls: Lists::default(),
            trust: Arc::new(trust),
            peers,
            routes,
        }
    }

    /// A new agency under a root, and its card with this encryption key.
    fn card(root: &Issuer, name: &str, encryption: KemPublicKey) -> (Credential, Vec<u8>) {
        let agency: AgencyName = name.parse().expect("a name");
        let key = SigningKey::generate(Algorithm::EdDsa).expect("random bytes");
        let subject = Subject::agency(Profile::Seal, agency.clone(), name);
        let certificate = root.issue(&subject, &key.public_key(), NOW).expect("a seal");
        let seal = Credential::new(key, vec![certificate]).expect("fits");
        let (not_before, not_after) = (NOW, NOW + 100);
        let statement = EncryptionKeyStatement {
            agency: agency.clone(),
            key: encryption,
            not_before,
            not_after,
        };
        let card = AgencyCard {
            agency,
            display: name.into(),
            address: "127.0.0.1:1".into(),
            via: None,
            encryption_key: statement.seal(&seal, NOW).expect("seals"),
        };
        let card = card.seal(&seal, NOW).expect("seals");
        (seal, card)
    }

    const NOW: i64 = 1_790_000_000;

    /// Else the first clerk who sends to it would find out.
    #[test]
    fn a_card_whose_encryption_key_is_none_is_left_out_and_the_others_stay() {
        let root = Issuer::new_root("Root", &[], Algorithm::EdDsa, NOW).expect("a root");
        let trust = TrustStore::new([root.certificate().clone()]).expect("an anchor");
        let key = |kem| KemPrivateKey::generate(kem).public_key();
        let mut short = key(Kem::XWing);
        short.key.pop();
        // Coefficients of ML-KEM are below 3,329 (FIPS 203 §7.2).
        let mut large = key(Kem::XWing);
        large.key[..3].fill(0xff);
        let keys = [key(Kem::XWing), short, large, key(Kem::X25519)];
        let cards = ["a", "b", "c", "d"].into_iter().zip(keys);
        let (mut seals, cards): (Vec<_>, Vec<_>) =
            cards.map(|(name, key)| card(&root, &format!("{name}.gov.cn"), key)).unzip();
        let registrar: AgencyName = "a.gov.cn".parse().expect("a name");
        let directory = Directory {
            registrar: registrar.clone(),
            version: 1,
            issued: NOW,
            expires: NOW + 100,
            agencies: cards.into_iter().map(Into::into).collect(),
            crls: Vec::new(),
        };
        let bytes = directory.seal(&seals.remove(0), NOW).expect("seals");
        let view = DirectoryView::open(&bytes, &registrar, &trust, &[], NOW).expect("opens");
        let names: Vec<_> = view.peers().map(|(name, _)| name.to_string()).collect();
        assert_eq!(names, ["a.gov.cn", "d.gov.cn"]);
    }
}
