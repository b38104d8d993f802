use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use chancery_certs::{AgencyName, Certificate, PathReason};
use chancery_crypto::{CoseReceipt, Digest, Hasher, ReceiptProof, cbor};
use serde::{Deserialize, Serialize};

use crate::{
    Checkpoint, EnvelopeId, Event, Leaf, LogKey, ProtocolError, ReceiptFault, SignedCheckpoint,
    TimeFault, Validation, merkle,
};

/// The most seals that a verifier remembers.
const MAX_SEALS: usize = 4096;
/// The largest receipt that is looked at, in bytes. One of a ledger with a billion entries takes some 2 KiB.
pub const MAX_RECEIPT: usize = 64 * 1024;
/// How far the time of an entry may lie ahead of the clock of whoever judges it, in seconds.
const AHEAD: i64 = 60;
/// How far it may lie before the time at which, by another clock, what it is about was made.
const BEFORE: i64 = 300;

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
        self.bounded()?;
        self.included(SignedCheckpoint::open(&self.checkpoint, key)?)
    }

    /// What is too large is not looked at.
    fn bounded(&self) -> Result<(), ProtocolError> {
        if self.proof.len() > merkle::MAX_PROOF {
            return Err(ReceiptFault::ProofLength.into());
        }
        let cose = self.cose.as_ref().map_or(0, |cose| cose.len());
        let size = self.leaf.len() + self.checkpoint.len() + cose;
        if size > MAX_RECEIPT {
            return Err(ReceiptFault::Size { bytes: size }.into());
        }
        Ok(())
    }

    /// That the entry stands under a checkpoint that was opened.
    fn included(&self, checkpoint: SignedCheckpoint) -> Result<VerifiedReceipt, ProtocolError> {
        let state = &checkpoint.checkpoint;
        let hash = merkle::leaf_hash(&self.leaf);
        merkle::verify_inclusion(&hash, self.index, state.size, &self.proof, &state.root)?;
        self.check_range(state)?;
        Ok(VerifiedReceipt { leaf: Leaf::decode(&self.leaf)?, index: self.index, checkpoint })
    }
}

/// The sealed root that a receipt is under, with all that signs it verified. The receipts of one batch have one, so
/// that it can be kept for the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedRoot {
    checkpoint: SignedCheckpoint,
    cose: Option<serde_bytes::ByteBuf>,
}

impl OpenedRoot {
    /// Verifies a receipt's checkpoint and, if there is one, its COSE signature.
    ///
    /// # Errors
    /// [`ProtocolError`], saying what does not hold.
    pub fn open(receipt: &Receipt, key: &LogKey) -> Result<Self, ProtocolError> {
        receipt.bounded()?;
        let checkpoint = SignedCheckpoint::open(&receipt.checkpoint, key)?;
        if let Some(cose) = &receipt.cose {
            key.verify_cose(&CoseReceipt::decode(cose)?, &checkpoint.checkpoint.root)?;
        }
        Ok(Self { checkpoint, cose: receipt.cose.clone() })
    }

    /// Whether it is the very one that a receipt is under.
    pub fn is_of(&self, receipt: &Receipt) -> bool {
        self.checkpoint.note == receipt.checkpoint && self.cose == receipt.cose
    }
}

/// The seal of a ledger, as a chain of certificates shows it, judged under a policy.
#[derive(Debug, Clone)]
pub struct LedgerSeal {
    agency: AgencyName,
    key: LogKey,
    path: Result<(), ProtocolError>,
}

impl LedgerSeal {
    /// Reads a chain, own certificate first, and validates its path.
    ///
    /// # Errors
    /// [`ProtocolError`] when it is not even clear whose it is. A path that is not valid is kept with it, and said when
    /// all else of a receipt holds.
    pub fn judge(chain: &[Certificate], by: &Validation<'_>) -> Result<Self, ProtocolError> {
        let (seal, above) = chain.split_first().ok_or(ReceiptFault::NoCertificate)?;
        let path = by.path(seal, above).map_err(ProtocolError::from);
        Ok(Self { agency: seal.agency_name()?, key: LogKey::of_seal(seal)?, path })
    }

    /// Whether its path is not decided by the revocation lists at hand.
    pub fn is_open(&self) -> bool {
        matches!(&self.path, Err(ProtocolError::Path(e)) if e.reason == PathReason::RevocationUnknown)
    }

    /// The key that it seals checkpoints with.
    pub fn key(&self) -> &LogKey {
        &self.key
    }
}

/// What a receipt must be of, for a delivery or an entry to rest on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited<'a> {
    /// Whose ledger it is of.
    pub agency: &'a AgencyName,
    /// What it records.
    pub event: Event,
    /// Of which envelope.
    pub envelope: EnvelopeId,
    /// With which document in it.
    pub commitment: Digest,
    /// The envelope's sender, to whom it was given, whoever carried the envelope.
    pub sender: &'a AgencyName,
    /// The commitment to what the recipient was told alone, if it was told anything and is the one to attest it.
    pub part: Option<Digest>,
}

impl Awaited<'_> {
    /// Whether an entry of an agency's ledger is that.
    ///
    /// # Errors
    /// [`ProtocolError::Receipt`] when it is of something else.
    pub fn check(&self, agency: &AgencyName, leaf: &Leaf) -> Result<(), ProtocolError> {
        let fits = agency == self.agency
            && leaf.event == self.event
            && leaf.envelope == self.envelope
            && leaf.commitment == self.commitment
            && leaf.counterpart == *self.sender
            && self.part.is_none_or(|part| leaf.evidence == Some(part));
        match fits {
            true => Ok(()),
            false => Err(ReceiptFault::SomethingElse.into()),
        }
    }

    /// Whether its time can be: not long before what it is about was made. (It may lie after the envelope has expired: a
    /// large one takes its time to arrive.)
    ///
    /// # Errors
    /// [`ProtocolError::Time`] when somebody's clock is wrong.
    pub fn check_time(&self, leaf: &Leaf, created: i64) -> Result<(), ProtocolError> {
        not_before(leaf.time, created)
    }
}

/// That an entry's time does not lie before what it is about was made.
pub(crate) fn not_before(time: i64, created: i64) -> Result<(), ProtocolError> {
    if time.saturating_add(BEFORE) >= created {
        return Ok(());
    }
    Err(TimeFault::Before { time, created }.into())
}

/// That an entry's time does not lie ahead: somebody's clock is wrong then, and that alone says nothing against either.
fn not_ahead(time: i64, at: i64) -> Result<(), ProtocolError> {
    if time.saturating_sub(AHEAD) <= at {
        return Ok(());
    }
    Err(TimeFault::After { time, at }.into())
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

    /// Judges it by what is known of the seal: the one judgement of evidence there is, for the node that takes it in and
    /// for whoever audits that later. The leaf's time is the seal holder's own word, so it does not stand in for a
    /// time-stamp: a seal that has expired is not accepted for what it claims to have sealed earlier.
    ///
    /// # Errors
    /// [`ProtocolError`], saying what does not hold; [`ProtocolError::Time`] when all else does, and its time lies ahead.
    pub fn judge(
        &self,
        seal: &LedgerSeal,
        root: OpenedRoot,
        at: i64,
    ) -> Result<VerifiedReceipt, ProtocolError> {
        if seal.agency != self.agency {
            let (agency, seal) = (self.agency.clone(), seal.agency.clone());
            return Err(ReceiptFault::OtherSeal { agency, seal }.into());
        }
        self.receipt.bounded()?;
        if !root.is_of(&self.receipt) {
            return Err(ReceiptFault::OtherCheckpoint.into());
        }
        let verified = self.receipt.included(root.checkpoint)?;
        seal.path.clone()?;
        not_ahead(verified.leaf.time, at)?;
        Ok(verified)
    }

    /// Verifies the seal's path, the checkpoint and the inclusion proof, and the COSE signature if
    /// there is one; see [`Evidence::judge`].
    ///
    /// # Errors
    /// [`ProtocolError`], saying what does not hold.
    pub fn verify(&self, by: &Validation<'_>) -> Result<VerifiedReceipt, ProtocolError> {
        EvidenceVerifier::new(by).verify(self)
    }

    /// The evidence as a COSE receipt (RFC 9942): the entry, its inclusion proof and the seal's signature
    /// over the root, with the chain and the salt beside them.
    ///
    /// # Errors
    /// [`ProtocolError`] when the ledger gave no COSE signature (ledgers of the first version did not) or
    /// the checkpoint cannot be read.
    pub fn to_cose(&self) -> Result<Vec<u8>, ProtocolError> {
        let signature = self.receipt.cose.as_ref().ok_or(ReceiptFault::NoCose)?;
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

/// Verifies much evidence under one policy. The path of each seal is validated once, so that what is left is
/// the signature checks. It can be shared by threads.
#[derive(Debug)]
pub struct EvidenceVerifier<'a> {
    by: &'a Validation<'a>,
    seals: RwLock<HashMap<Digest, Result<LedgerSeal, ProtocolError>>>,
}

impl<'a> EvidenceVerifier<'a> {
    /// A verifier by a policy.
    pub fn new(by: &'a Validation<'a>) -> Self {
        Self { by, seals: RwLock::default() }
    }

    fn seal(&self, chain: &[serde_bytes::ByteBuf]) -> Result<LedgerSeal, ProtocolError> {
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

    fn look_at(&self, chain: &[serde_bytes::ByteBuf]) -> Result<LedgerSeal, ProtocolError> {
        let chain = chain.iter().map(|der| Certificate::from_der(der));
        LedgerSeal::judge(&chain.collect::<Result<Vec<_>, _>>()?, self.by)
    }

    /// Judges an evidence at the time of validation; see [`Evidence::judge`].
    ///
    /// # Errors
    /// [`ProtocolError`], saying what does not hold.
    pub fn verify(&self, evidence: &Evidence) -> Result<VerifiedReceipt, ProtocolError> {
        let seal = self.seal(&evidence.chain)?;
        let root = OpenedRoot::open(&evidence.receipt, &seal.key)?;
        evidence.judge(&seal, root, self.by.at)
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
    let chain = receipt.chain.iter().map(|der| Certificate::from_der(der));
    let chain = chain.collect::<Result<Vec<_>, _>>()?;
    let (seal, above) = chain.split_first().ok_or(ReceiptFault::NoCertificate)?;
    let entry = receipt.entry.as_ref().ok_or(ReceiptFault::NoEntry)?;
    let Some(ReceiptProof::Inclusion { size, index, path }) = receipt.proof() else {
        return Err(ReceiptFault::NoInclusion.into());
    };
    let (size, index) = (*size, *index);
    let root = merkle::root_of_inclusion(&merkle::leaf_hash(entry), index, size, path)?;
    if let Some(range) = &receipt.range {
        merkle::verify_range(size, range, &root)?;
    }
    by.spend_one()?;
    LogKey::of_seal(seal)?.verify_cose(&receipt, &root)?;
    let leaf = Leaf::decode(entry)?;
    by.path(seal, above)?;
    not_ahead(leaf.time, by.at)?;
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
    use proptest::prelude::*;

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
        held.verify(&Validation::new(&world.trust, NOW)).expect("holds");
        assert_eq!(held.receipt.range(), Ok(Some(vec![left, hash(1)])));
        assert_eq!(good.receipt.range(), Ok(None));
        let by = Validation::new(&world.trust, NOW);
        let cose = held.to_cose().expect("writes");
        assert_eq!(cose, good.to_cose().expect("writes"));
        verify_cose_receipt(&cose, &by).expect("holds");
        for wrong in [vec![], vec![left], vec![hash(1), left], vec![left, hash(1), hash(1)]] {
            let wrong = with(wrong);
            let error = wrong.verify(&by).expect_err("another tree's");
            assert!(matches!(error, ProtocolError::Proof(_)), "{error}");
            let mut receipt = CoseReceipt::decode(&cose).expect("reads");
            receipt.range = wrong.receipt.range().expect("reads");
            let bytes = receipt.encode().expect("writes");
            verify_cose_receipt(&bytes, &by).expect_err("refused");
        }
    }

    #[test]
    fn a_receipt_that_names_another_part_than_its_recipient_was_told_is_of_something_else() {
        let world = world();
        let foreign = Subject::agency(
            chancery_certs::Profile::Seal,
            "b.gov.cn".parse().expect("a name"),
            "B",
        );
        let foreign = credential(&world.root, &foreign);
        let bytes = evidence(&world).encode().expect("plain");
        let honest = Leaf::decode(&evidence(&world).receipt.leaf).expect("a leaf");
        let audit = |told| {
            let (counterpart, digest) =
                (world.seal.name().agency(), Evidence::receipt_digest(&bytes));
            let entry = |event, evidence| Leaf {
                event,
                evidence,
                counterpart: counterpart.clone(),
                ..honest.clone()
            };
            let entries = [
                entry(Event::SubmissionAcceptance, told),
                entry(Event::EvidenceReceived, Some(digest)),
            ];
            let by = Validation::new(&world.trust, NOW);
            crate::audit::tests::audit_by(&foreign, &entries, &by, &[&bytes]).indication
        };
        assert_eq!(audit(None), crate::Indication::TotalPassed);
        assert_eq!(audit(Some(Digest::of(b"copy 7"))), crate::Indication::TotalFailed);
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
        read.verify(&Validation::new(&world.trust, NOW)).expect("holds");
        assert_ne!(Evidence::receipt_digest(&bytes), own);
        let error = Evidence::decode(&newer(Some(["mood"]))).expect_err("critical");
        assert_eq!(
            error,
            ProtocolError::newer(chancery_crypto::Unknown::CriticalField { name: "mood".into() })
        );
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

    /// The ways in which a recipient may bend a receipt.
    #[derive(Debug, Clone)]
    enum Bend {
        Nothing,
        Time(i64),
        Event(Event),
        Envelope,
        Commitment,
        Counterpart,
        Agency,
        Index(u64),
        Proof(usize),
        Cose(u8),
        Note(usize, u8),
        Chain(u8),
        Byte(usize, u8),
    }

    fn bend() -> impl Strategy<Value = Bend> {
        let time = prop_oneof![
            -400i64..400,
            Just(-NOW),
            Just(4_102_444_800 - NOW),
            Just(i64::MAX - NOW),
            Just(i64::MIN + NOW)
        ];
        prop_oneof![
            3 => Just(Bend::Nothing),
            4 => time.prop_map(Bend::Time),
            1 => prop_oneof![
                Just(Event::RelayAcceptance),
                Just(Event::ContentHandover),
                Just(Event::EvidenceReceived)
            ]
            .prop_map(Bend::Event),
            1 => Just(Bend::Envelope),
            1 => Just(Bend::Commitment),
            1 => Just(Bend::Counterpart),
            1 => Just(Bend::Agency),
            1 => (0u64..4).prop_map(Bend::Index),
            1 => (0usize..70).prop_map(Bend::Proof),
            2 => (0u8..5).prop_map(Bend::Cose),
            2 => (0usize..400, any::<u8>()).prop_map(|(at, bit)| Bend::Note(at, bit)),
            1 => (0u8..3).prop_map(Bend::Chain),
            3 => (0usize..4000, 0u8..8).prop_map(|(at, bit)| Bend::Byte(at, bit)),
        ]
    }

    /// A receipt of `a` for an envelope of `b`, bent as a recipient may that has the seal.
    fn bent(world: &World, foreign: &chancery_certs::Credential, bend: &Bend) -> Evidence {
        let good = evidence(world);
        let mut leaf = Leaf::decode(&good.receipt.leaf).expect("a leaf");
        match bend {
            Bend::Time(by) => leaf.time = leaf.time.saturating_add(*by),
            Bend::Event(event) => leaf.event = *event,
            Bend::Envelope => leaf.envelope = EnvelopeId::from_slice(&[9; 32]).expect("32 bytes"),
            Bend::Commitment => leaf.commitment = Digest::of(b"another"),
            Bend::Counterpart => leaf.counterpart = "c.gov.cn".parse().expect("a name"),
            _ => {}
        }
        // What a liar seals, it seals well.
        let leaf = leaf.encode().expect("plain");
        let origin = "a.gov.cn/ledger".to_owned();
        let checkpoint = Checkpoint { origin, size: 1, root: merkle::leaf_hash(&leaf) };
        let cose = |by: &chancery_certs::Credential, root| {
            let other = Checkpoint { root, ..checkpoint.clone() };
            Some(other.sign_cose(by).expect("signs").into())
        };
        let mut told = Evidence {
            receipt: Receipt {
                cose: cose(&world.seal, checkpoint.root),
                leaf,
                index: 0,
                proof: Vec::new(),
                checkpoint: checkpoint.sign(&world.seal).expect("signs"),
            },
            ..good
        };
        match bend {
            Bend::Agency => told.agency = "b.gov.cn".parse().expect("a name"),
            Bend::Index(index) => told.receipt.index = *index,
            Bend::Proof(count) => told.receipt.proof = vec![Digest::of(b"x"); *count],
            Bend::Cose(0) => told.receipt.cose = None,
            Bend::Cose(1) => told.receipt.cose = Some(b"junk".to_vec().into()),
            Bend::Cose(2) => told.receipt.cose = cose(&world.seal, Digest::of(b"other")),
            Bend::Cose(3) => told.receipt.cose = cose(foreign, checkpoint.root),
            Bend::Cose(_) => told.receipt.cose = Some(vec![0; MAX_RECEIPT].into()),
            Bend::Note(at, bit) => {
                let mut note = told.receipt.checkpoint.clone().into_bytes();
                let at = at % note.len();
                note[at] ^= bit;
                if let Ok(note) = String::from_utf8(note) {
                    told.receipt.checkpoint = note;
                }
            }
            Bend::Chain(0) => told.chain.truncate(1),
            Bend::Chain(1) => told.chain.clear(),
            Bend::Chain(_) => {
                told.chain = foreign.chain().iter().map(|c| c.der().to_vec().into()).collect();
            }
            Bend::Byte(at, bit) => {
                let mut bytes = told.encode().expect("plain");
                let at = at % bytes.len();
                bytes[at] ^= 1 << bit;
                if let Ok(read) = Evidence::decode(&bytes) {
                    told = read;
                }
            }
            _ => {}
        }
        told
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        /// A node and an auditor say the same of every receipt, at the same time; and what a node has taken in passes for
        /// ever after: in the audit of its ledger, beside the document, and in it.
        #[test]
        fn what_a_node_takes_in_is_what_an_auditor_accepts(bend in bend(), later in 0i64..86_400) {
            let world = world();
            let foreign = Subject::agency(chancery_certs::Profile::Seal, "b.gov.cn".parse().expect("a name"), "B");
            let foreign = credential(&world.root, &foreign);
            let told = bent(&world, &foreign, &bend);
            let (agency, sender) = (world.seal.name().agency(), "b.gov.cn".parse().expect("a name"));
            let honest = Leaf::decode(&evidence(&world).receipt.leaf).expect("a leaf");
            let awaited = Awaited {
                agency,
                event: Event::ContentConsignment,
                envelope: honest.envelope,
                commitment: honest.commitment,
                sender: &sender,
                part: None,
            };
            // The node judges by the seal that its directory names, and keeps that chain.
            let by = Validation::new(&world.trust, NOW);
            let taken = || {
                let seal = LedgerSeal::judge(world.seal.chain(), &by)?;
                let kept = Evidence {
                    agency: agency.clone(),
                    chain: world.seal.chain().iter().map(|c| c.der().to_vec().into()).collect(),
                    receipt: told.receipt.clone(),
                    salt: None,
                };
                let root = OpenedRoot::open(&kept.receipt, seal.key())?;
                let verified = kept.judge(&seal, root, NOW)?;
                awaited.check(&kept.agency, &verified.leaf)?;
                Ok::<_, ProtocolError>(kept)
            };
            let taken = taken();
            if matches!(bend, Bend::Nothing | Bend::Cose(0) | Bend::Agency | Bend::Chain(_)) {
                prop_assert!(taken.is_ok(), "{:?}: {:?}", bend, taken);
            }
            let accepted = EvidenceVerifier::new(&by).verify(&told);
            let fits = accepted.as_ref().is_ok_and(|verified| {
                awaited.check(&told.agency, &verified.leaf).is_ok()
            });
            if fits {
                prop_assert!(taken.is_ok(), "an auditor accepts what a node does not: {:?}", bend);
            }
            let Ok(kept) = taken else { return Ok(()) };
            let by = Validation::new(&world.trust, NOW + later);
            let bytes = kept.encode().expect("plain");
            let read = Evidence::decode(&bytes).expect("it is kept as it is written");
            prop_assert_eq!(&read, &kept);
            EvidenceVerifier::new(&by).verify(&read).expect("it passes");
            if read.receipt.cose.is_some() {
                let cose = read.to_cose().expect("it has a COSE signature");
                verify_cose_receipt(&cose, &by).expect("it passes");
            }
            // In the ledger of who took it in, beside the submission.
            let digest = Digest::of(&cbor::encode(&read.receipt).expect("plain"));
            let entry = |event, evidence| Leaf { event, evidence, counterpart: agency.clone(), ..honest.clone() };
            let entries = [
                entry(Event::SubmissionAcceptance, None),
                entry(Event::EvidenceReceived, Some(digest)),
            ];
            let report = crate::audit::tests::audit_by(&foreign, &entries, &by, &[&bytes]);
            prop_assert_eq!(report.indication, crate::Indication::TotalPassed, "{:?}", report);
        }
    }

    fn told_checkpoint(evidence: &Evidence) -> Checkpoint {
        Checkpoint::read_unverified(&evidence.receipt.checkpoint).expect("a checkpoint")
    }

    #[test]
    fn evidence_holds_for_its_very_entry_ledger_and_seal_only() {
        let world = world();
        let good = evidence(&world);
        let verified = good.verify(&Validation::new(&world.trust, NOW)).expect("holds");
        assert_eq!((verified.index, verified.checkpoint.checkpoint.size), (1, 3));

        let changed = |change: &dyn Fn(&mut Evidence)| {
            let mut evidence = good.clone();
            change(&mut evidence);
            evidence.verify(&Validation::new(&world.trust, NOW))
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
        good.verify(&Validation::new(&world.trust, NOW - AHEAD))
            .expect("clocks may differ a little");
        let ahead = good.verify(&Validation::new(&world.trust, NOW - AHEAD - 1));
        assert!(matches!(ahead, Err(ProtocolError::Time(_))), "{ahead:?}");

        // In COSE form it says the same, and is as hard to bend.
        let cose = good.to_cose().expect("it has a COSE signature");
        let told = verify_cose_receipt(&cose, &Validation::new(&world.trust, NOW)).expect("holds");
        assert_eq!((told.agency.as_str(), told.index, told.size), ("a.gov.cn", 1, 3));
        assert_eq!((told.leaf, told.root), (verified.leaf, verified.checkpoint.checkpoint.root));
        let early = Validation::new(&world.trust, NOW - AHEAD - 1);
        let ahead = verify_cose_receipt(&cose, &early);
        assert!(matches!(ahead, Err(ProtocolError::Time(_))), "{ahead:?}");
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
        let result = evidence(&foreign).verify(&Validation::new(&world.trust, NOW));
        assert!(matches!(result, Err(ProtocolError::Path(_))), "{result:?}");
    }
}
