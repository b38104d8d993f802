use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use chancery_certs::{AgencyName, Certificate, TrustStore, rfc3339};
use chancery_crypto::{CoseReceipt, Digest, Hasher, ReceiptProof, cbor};
use serde::{Deserialize, Serialize};

use crate::{Checkpoint, Event, Leaf, LogKey, ProtocolError, SignedCheckpoint, Validation, merkle};

/// The most seals that a verifier remembers.
const MAX_SEALS: usize = 4096;

/// A ledger receipt: a leaf, and the proof that it stands in the ledger whose sealed checkpoint is
/// beside it. One checkpoint signature covers every leaf of a group commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The seal's COSE signature over the checkpoint's root: what a COSE receipt (RFC 9942) is made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cose: Option<serde_bytes::ByteBuf>,
    /// The leaf's bytes.
    #[serde(with = "serde_bytes")]
    pub leaf: Vec<u8>,
    /// The leaf's index.
    pub index: u64,
    /// The inclusion proof (RFC 6962 §2.1.1) in the tree of the checkpoint.
    pub proof: Vec<Digest>,
    /// The sealed checkpoint, a C2SP signed note.
    pub checkpoint: String,
}

/// What a verified receipt says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedReceipt {
    /// The leaf.
    pub leaf: Leaf,
    /// Its index.
    pub index: u64,
    /// The checkpoint that it was proved under.
    pub checkpoint: SignedCheckpoint,
}

impl Receipt {
    /// The compact range of the checkpoint's tree, if the ledger gave it: it stands in the COSE signature's unprotected
    /// header, where readers of before pass over it.
    ///
    /// # Errors
    /// [`ProtocolError::Crypto`] when the COSE signature cannot be read.
    pub fn range(&self) -> Result<Option<Vec<Digest>>, ProtocolError> {
        let cose = self.cose.as_ref().map(|cose| CoseReceipt::decode(cose)).transpose()?;
        Ok(cose.and_then(|cose| cose.range))
    }

    fn check_range(&self, state: &Checkpoint) -> Result<(), ProtocolError> {
        match self.range()? {
            Some(range) => merkle::verify_range(state.size, &range, &state.root),
            None => Ok(()),
        }
    }

    /// A seal's COSE signature over a root ([`Checkpoint::sign_cose`]) with the compact range of the tree.
    ///
    /// # Errors
    /// [`ProtocolError::Crypto`] when the signature cannot be read.
    pub fn cose_with_range(cose: &[u8], range: Vec<Digest>) -> Result<Vec<u8>, ProtocolError> {
        let mut cose = CoseReceipt::decode(cose)?;
        cose.range = Some(range);
        Ok(cose.encode()?)
    }

    /// Verifies the inclusion proof and the checkpoint's signature by the ledger's key. Whether
    /// that key is to be trusted is the caller's question; see [`Evidence::verify`]. The COSE signature,
    /// which says the same again, is not looked at: whoever relies on it does.
    ///
    /// # Errors
    /// [`ProtocolError`], saying what does not hold.
    pub fn verify(&self, key: &LogKey) -> Result<VerifiedReceipt, ProtocolError> {
        if self.proof.len() > merkle::MAX_PROOF {
            return Err(ProtocolError::Receipt("its proof is too long".into()));
        }
        self.verify_under(SignedCheckpoint::open(&self.checkpoint, key)?)
    }

    /// As [`Receipt::verify`], when its checkpoint was opened already: the receipts of one batch have one checkpoint.
    ///
    /// # Errors
    /// [`ProtocolError`] when the receipt is not under that very checkpoint, or does not hold.
    pub fn verify_under(
        &self,
        checkpoint: SignedCheckpoint,
    ) -> Result<VerifiedReceipt, ProtocolError> {
        if self.proof.len() > merkle::MAX_PROOF {
            return Err(ProtocolError::Receipt("its proof is too long".into()));
        }
        if checkpoint.note != self.checkpoint {
            return Err(ProtocolError::Receipt("it is under another checkpoint".into()));
        }
        let state = &checkpoint.checkpoint;
        let hash = merkle::leaf_hash(&self.leaf);
        merkle::verify_inclusion(&hash, self.index, state.size, &self.proof, &state.root)?;
        self.check_range(state)?;
        Ok(VerifiedReceipt { leaf: Leaf::decode(&self.leaf)?, index: self.index, checkpoint })
    }
}

/// A receipt with what is needed to judge it years later, offline: the seal's chain and the salt
/// that ties it to a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The agency whose ledger it is.
    pub agency: AgencyName,
    /// The receipt.
    pub receipt: Receipt,
    /// The chain of the seal that signed the checkpoint, DER, own certificate first.
    pub chain: Vec<serde_bytes::ByteBuf>,
    /// The salt of the leaf's document commitment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<Digest>,
}

impl Evidence {
    /// The evidence file's bytes.
    ///
    /// # Errors
    /// [`ProtocolError::Crypto`] never in practice; the form is plain.
    pub fn encode(&self) -> Result<Vec<u8>, ProtocolError> {
        Ok(cbor::encode(self)?)
    }

    /// Reads an evidence file. Nothing is verified yet.
    ///
    /// # Errors
    /// [`ProtocolError::Crypto`] when the bytes are no evidence.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProtocolError> {
        let evidence = cbor::decode_open(bytes, cbor::MAX_BYTES)?;
        cbor::check_demands::<Receipt>(receipt_bytes(bytes))?;
        Ok(evidence)
    }

    /// The digest of the receipt in an evidence file, as ledgers name it: of its very bytes, which may hold more than is
    /// known here.
    pub fn receipt_digest(bytes: &[u8]) -> Digest {
        Digest::of(receipt_bytes(bytes))
    }

    /// Verifies the seal's path at `at`, the checkpoint and the inclusion proof, and the COSE signature if
    /// there is one; see [`EvidenceVerifier::verify`].
    ///
    /// # Errors
    /// [`ProtocolError`], saying what does not hold.
    pub fn verify(&self, trust: &TrustStore, at: i64) -> Result<VerifiedReceipt, ProtocolError> {
        EvidenceVerifier::new(&Validation::new(trust, at)).verify(self)
    }

    /// The evidence as a COSE receipt (RFC 9942): the entry, its inclusion proof and the seal's signature
    /// over the root, with the chain and the salt beside them.
    ///
    /// # Errors
    /// [`ProtocolError`] when the ledger gave no COSE signature (ledgers of the first version did not) or
    /// the checkpoint cannot be read.
    pub fn to_cose(&self) -> Result<Vec<u8>, ProtocolError> {
        let signature = self.receipt.cose.as_ref().ok_or_else(|| {
            ProtocolError::Receipt("the ledger gave no COSE signature with it".into())
        })?;
        let (index, path) = (self.receipt.index, self.receipt.proof.clone());
        let size = Checkpoint::read_unverified(&self.receipt.checkpoint)?.size;
        let mut receipt = CoseReceipt::decode(signature)?.with_proof(ReceiptProof::Inclusion {
            size,
            index,
            path,
        });
        receipt.chain = self.chain.iter().map(|der| der.to_vec()).collect();
        receipt.entry = Some(self.receipt.leaf.clone());
        receipt.salt = self.salt;
        // Whoever takes it in this form asks about the entry, not about the tree.
        receipt.range = None;
        Ok(receipt.encode()?)
    }

    /// The file name under which an evidence is kept beside its document.
    pub fn file_name(&self, event: Event) -> String {
        format!("{}.{}.evidence", event.name(), self.agency)
    }
}

fn receipt_bytes(evidence: &[u8]) -> &[u8] {
    cbor::field(evidence, "receipt").unwrap_or_default()
}

/// What is known of a seal's chain.
#[derive(Debug, Clone)]
struct Seal {
    agency: AgencyName,
    key: LogKey,
    path: Result<(), ProtocolError>,
}

/// Verifies much evidence under one policy. The path of each seal is validated once, so that what is left is
/// the signature checks. It can be shared by threads.
#[derive(Debug)]
pub struct EvidenceVerifier<'a> {
    by: &'a Validation<'a>,
    seals: RwLock<HashMap<Digest, Result<Seal, ProtocolError>>>,
}

impl<'a> EvidenceVerifier<'a> {
    /// A verifier by a policy.
    pub fn new(by: &'a Validation<'a>) -> Self {
        Self { by, seals: RwLock::default() }
    }

    fn seal(&self, chain: &[serde_bytes::ByteBuf]) -> Result<Seal, ProtocolError> {
        let mut hasher = Hasher::new();
        for der in chain {
            hasher.update(&(der.len() as u64).to_be_bytes());
            hasher.update(der);
        }
        let digest = hasher.finish();
        // What it guards is replaced whole, so it is sound even after a panic elsewhere.
        let held = self.seals.read().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned();
        if let Some(held) = held {
            return held;
        }
        let found = self.look_at(chain);
        let mut seals = self.seals.write().unwrap_or_else(PoisonError::into_inner);
        // Outside bytes must not fill the memory: a few seals are all that honest evidence needs.
        if seals.len() < MAX_SEALS {
            seals.insert(digest, found.clone());
        }
        found
    }

    fn look_at(&self, chain: &[serde_bytes::ByteBuf]) -> Result<Seal, ProtocolError> {
        let chain = chain.iter().map(|der| Certificate::from_der(der));
        let chain = chain.collect::<Result<Vec<_>, _>>()?;
        let (seal, above) = chain
            .split_first()
            .ok_or_else(|| ProtocolError::Receipt("it has no certificate".into()))?;
        let path = self.by.path(seal, above).map_err(ProtocolError::from);
        Ok(Seal { agency: seal.agency_name()?, key: LogKey::of_seal(seal)?, path })
    }

    /// Verifies the seal's path at the time of validation, the checkpoint, the inclusion proof, and the COSE
    /// signature if there is one. The leaf's time is the seal holder's own word, so it does not stand in for
    /// a time-stamp: a seal that has expired is not accepted for what it claims to have sealed earlier.
    ///
    /// # Errors
    /// [`ProtocolError`], saying what does not hold.
    pub fn verify(&self, evidence: &Evidence) -> Result<VerifiedReceipt, ProtocolError> {
        let seal = self.seal(&evidence.chain)?;
        if seal.agency != evidence.agency {
            let why = format!("it speaks for {} with the seal of {}", evidence.agency, seal.agency);
            return Err(ProtocolError::Receipt(why));
        }
        let verified = evidence.receipt.verify(&seal.key)?;
        if let Some(cose) = &evidence.receipt.cose {
            let root = &verified.checkpoint.checkpoint.root;
            seal.key.verify_cose(&CoseReceipt::decode(cose)?, root)?;
        }
        let time = verified.leaf.time;
        if time > self.by.at {
            return Err(ProtocolError::Receipt(format!(
                "its time {} lies in the future",
                rfc3339(time)
            )));
        }
        seal.path?;
        Ok(verified)
    }
}

/// A verified COSE receipt of a ledger entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCoseReceipt {
    /// The agency whose ledger it is.
    pub agency: AgencyName,
    /// The entry.
    pub leaf: Leaf,
    /// Its index.
    pub index: u64,
    /// The size and root of the tree that the seal signed.
    pub size: u64,
    /// The root of that tree.
    pub root: Digest,
    /// The salt of the entry's document commitment.
    pub salt: Option<Digest>,
}

/// Verifies a COSE receipt (RFC 9942) as [`Evidence::to_cose`] makes it: the seal's path, the
/// inclusion proof, and the seal's signature over the root to which it leads.
///
/// # Errors
/// [`ProtocolError`], saying what does not hold.
pub fn verify_cose_receipt(
    bytes: &[u8],
    by: &Validation<'_>,
) -> Result<VerifiedCoseReceipt, ProtocolError> {
    let receipt = CoseReceipt::decode(bytes)?;
    let bad = |why: &str| ProtocolError::Receipt(why.to_owned());
    let chain = receipt.chain.iter().map(|der| Certificate::from_der(der));
    let chain = chain.collect::<Result<Vec<_>, _>>()?;
    let (seal, above) = chain.split_first().ok_or_else(|| bad("it has no certificate"))?;
    let entry = receipt.entry.as_ref().ok_or_else(|| bad("it has no entry"))?;
    let Some(ReceiptProof::Inclusion { size, index, path }) = receipt.proof() else {
        return Err(bad("it has no inclusion proof"));
    };
    let (size, index) = (*size, *index);
    let root = merkle::root_of_inclusion(&merkle::leaf_hash(entry), index, size, path)?;
    if let Some(range) = &receipt.range {
        merkle::verify_range(size, range, &root)?;
    }
    LogKey::of_seal(seal)?.verify_cose(&receipt, &root)?;
    let leaf = Leaf::decode(entry)?;
    if leaf.time > by.at {
        return Err(bad(&format!("its time {} lies in the future", rfc3339(leaf.time))));
    }
    by.path(seal, above)?;
    Ok(VerifiedCoseReceipt {
        agency: seal.agency_name()?,
        leaf,
        index,
        size,
        root,
        salt: receipt.salt,
    })
}

#[cfg(test)]
mod tests {
    use chancery_certs::{Issuer, Subject};
    use chancery_crypto::{Kem, WrappedKey};

    use super::*;
    use crate::{
        EnvelopeHeader, EnvelopeId, KeptCheckpoint, PeerMessage, Recipient, Urgency,
        document::tests::{NOW, World, credential, world},
    };

    /// The evidence of entry 1 in a ledger of three.
    fn evidence(world: &World) -> Evidence {
        let entry = |n: u8| {
            let leaf = Leaf {
                event: Event::ContentConsignment,
                envelope: EnvelopeId::from_slice(&[n; 32]).expect("32 bytes"),
                commitment: Digest::of(&[n]),
                counterpart: "b.gov.cn".parse().expect("a name"),
                time: NOW,
                evidence: None,
            };
            leaf.encode().expect("encodes")
        };
        let hash = |n| merkle::leaf_hash(&entry(n));
        let left = merkle::node_hash(&hash(0), &hash(1));
        let root = merkle::node_hash(&left, &hash(2));
        let checkpoint = Checkpoint { origin: "a.gov.cn/ledger".into(), size: 3, root };
        Evidence {
            agency: "a.gov.cn".parse().expect("a name"),
            receipt: Receipt {
                leaf: entry(1),
                index: 1,
                proof: vec![hash(0), hash(2)],
                checkpoint: checkpoint.sign(&world.seal).expect("signs"),
                cose: Some(checkpoint.sign_cose(&world.seal).expect("signs").into()),
            },
            chain: world.seal.chain().iter().map(|c| c.der().to_vec().into()).collect(),
            salt: None,
        }
    }

    #[test]
    fn a_compact_range_that_is_not_the_trees_spoils_its_receipt() {
        let world = world();
        let good = evidence(&world);
        let hash = |n: usize| good.receipt.proof[n];
        let left = merkle::node_hash(&hash(0), &merkle::leaf_hash(&good.receipt.leaf));
        let with = |range: Vec<Digest>| {
            let mut evidence = good.clone();
            let cose = good.receipt.cose.as_ref().expect("signed");
            let cose = Receipt::cose_with_range(cose, range).expect("reads");
            evidence.receipt.cose = Some(cose.into());
            evidence
        };
        let held = with(vec![left, hash(1)]);
        held.verify(&world.trust, NOW).expect("holds");
        assert_eq!(held.receipt.range(), Ok(Some(vec![left, hash(1)])));
        assert_eq!(good.receipt.range(), Ok(None));
        let by = Validation::new(&world.trust, NOW);
        let cose = held.to_cose().expect("writes");
        assert_eq!(cose, good.to_cose().expect("writes"));
        verify_cose_receipt(&cose, &by).expect("holds");
        for wrong in [vec![], vec![left], vec![hash(1), left], vec![left, hash(1), hash(1)]] {
            let wrong = with(wrong);
            let error = wrong.verify(&world.trust, NOW).expect_err("another tree's");
            assert!(matches!(error, ProtocolError::Proof(_)), "{error}");
            let mut receipt = CoseReceipt::decode(&cose).expect("reads");
            receipt.range = wrong.receipt.range().expect("reads");
            let bytes = receipt.encode().expect("writes");
            verify_cose_receipt(&bytes, &by).expect_err("refused");
        }
    }

    #[test]
    fn the_digest_of_a_receipt_is_of_its_bytes_whatever_a_newer_version_put_into_them() {
        #[derive(Serialize)]
        struct NewerReceipt {
            #[serde(flatten)]
            receipt: Receipt,
            mood: u8,
            #[serde(skip_serializing_if = "Option::is_none")]
            crit: Option<[&'static str; 1]>,
        }
        #[derive(Serialize)]
        struct Newer {
            agency: AgencyName,
            receipt: NewerReceipt,
            chain: Vec<serde_bytes::ByteBuf>,
        }
        let world = world();
        let good = evidence(&world);
        let bytes = good.encode().expect("encodes");
        let own = Digest::of(&cbor::encode(&good.receipt).expect("plain"));
        assert_eq!(Evidence::receipt_digest(&bytes), own);
        let newer = |crit| {
            let receipt = NewerReceipt { receipt: good.receipt.clone(), mood: 7, crit };
            let (agency, chain) = (good.agency.clone(), good.chain.clone());
            cbor::encode(&Newer { agency, receipt, chain }).expect("plain")
        };
        let bytes = newer(None);
        let read = Evidence::decode(&bytes).expect("reads");
        assert_eq!(read, good);
        read.verify(&world.trust, NOW).expect("holds");
        assert_ne!(Evidence::receipt_digest(&bytes), own);
        let error = Evidence::decode(&newer(Some(["mood"]))).expect_err("critical");
        assert_eq!(error, ProtocolError::newer("the critical field \"mood\""));
    }

    #[test]
    fn what_every_delivery_writes_is_written_in_one_go() {
        let receipt = evidence(&world()).receipt;
        let leaf = Leaf::decode(&receipt.leaf).expect("a leaf");
        assert!(cbor::is_in_order(&leaf) && cbor::is_in_order(&receipt));
        let key = WrappedKey { kem: Kem::XWing, enc: vec![1; 9], ct: vec![2; 9] };
        let header = EnvelopeHeader {
            sender: leaf.counterpart.clone(),
            recipients: vec![Recipient { agency: leaf.counterpart.clone(), key }],
            size: 1,
            root: leaf.commitment,
            commitment: leaf.commitment,
            urgency: Urgency::Flash,
            created: NOW,
            expires: NOW,
        };
        assert!(cbor::is_in_order(&header));
        let (envelope, content) = (vec![1; 9], Some(vec![2; 9].into()));
        let offer = PeerMessage::Offer { envelope, content, recipient: Some(leaf.counterpart) };
        assert!(cbor::is_in_order(&offer));
        let (note, cose) = (receipt.checkpoint.clone(), receipt.cose.clone());
        assert!(cbor::is_in_order(&KeptCheckpoint { note, cose }));
        assert!(cbor::is_in_order(&PeerMessage::Evidence { receipt }));
    }

    fn told_checkpoint(evidence: &Evidence) -> Checkpoint {
        Checkpoint::read_unverified(&evidence.receipt.checkpoint).expect("a checkpoint")
    }

    #[test]
    fn evidence_holds_for_its_very_entry_ledger_and_seal_only() {
        let world = world();
        let good = evidence(&world);
        let verified = good.verify(&world.trust, NOW).expect("holds");
        assert_eq!((verified.index, verified.checkpoint.checkpoint.size), (1, 3));

        let changed = |change: &dyn Fn(&mut Evidence)| {
            let mut evidence = good.clone();
            change(&mut evidence);
            evidence.verify(&world.trust, NOW)
        };
        // Another entry, place, proof or root than was sealed.
        let proof = [
            changed(&|e| e.receipt.leaf[40] ^= 1),
            changed(&|e| e.receipt.index = 0),
            changed(&|e| e.receipt.index = 3),
            changed(&|e| e.receipt.proof[0] = Digest::of(b"other")),
            changed(&|e| e.receipt.proof.truncate(1)),
            changed(&|e| e.receipt.proof.push(Digest::of(b"more"))),
        ];
        for result in proof {
            assert!(matches!(result, Err(ProtocolError::Proof(_))), "{result:?}");
        }
        let long = changed(&|e| e.receipt.proof = vec![Digest::of(b""); merkle::MAX_PROOF + 1]);
        assert!(matches!(long, Err(ProtocolError::Receipt(_))), "{long:?}");
        let note =
            changed(&|e| e.receipt.checkpoint = e.receipt.checkpoint.replace("\n3\n", "\n4\n"));
        assert!(matches!(note, Err(ProtocolError::Checkpoint(_))), "{note:?}");
        // Another agency's word, no seal, and a time that has not come.
        assert!(changed(&|e| e.agency = "b.gov.cn".parse().expect("a name")).is_err());
        assert!(changed(&|e| e.chain.clear()).is_err());
        assert!(good.verify(&world.trust, NOW - 1).is_err());

        // In COSE form it says the same, and is as hard to bend.
        let cose = good.to_cose().expect("it has a COSE signature");
        let told = verify_cose_receipt(&cose, &Validation::new(&world.trust, NOW)).expect("holds");
        assert_eq!((told.agency.as_str(), told.index, told.size), ("a.gov.cn", 1, 3));
        assert_eq!((told.leaf, told.root), (verified.leaf, verified.checkpoint.checkpoint.root));
        assert!(verify_cose_receipt(&cose, &Validation::new(&world.trust, NOW - 1)).is_err());
        for at in 0..cose.len() {
            let mut bent = cose.clone();
            bent[at] ^= 1;
            assert!(
                verify_cose_receipt(&bent, &Validation::new(&world.trust, NOW)).is_err(),
                "byte {at}"
            );
        }
        let other = Checkpoint { root: Digest::of(b"x"), ..told_checkpoint(&good) };
        let other = other.sign_cose(&world.seal).expect("signs");
        assert!(changed(&|e| e.receipt.cose = Some(other.clone().into())).is_err());

        // The seal of an agency that is not ours.
        let key = chancery_crypto::Algorithm::EdDsa;
        let other = Issuer::new_root("Other", &[], key, NOW).expect("a root");
        let agency = "a.gov.cn".parse().expect("a name");
        let subject = Subject::agency(chancery_certs::Profile::Seal, agency, "A");
        let foreign = World { seal: credential(&other, &subject), ..self::world() };
        let result = evidence(&foreign).verify(&world.trust, NOW);
        assert!(matches!(result, Err(ProtocolError::Path(_))), "{result:?}");
    }
}
