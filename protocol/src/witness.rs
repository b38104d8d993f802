//! Witnesses: agencies that watch each other's ledgers grow, and what they hold when one was forked.

use chancery_certs::{
    AgencyName, Certificate, Credential, Purpose, Scrutiny, SealError, SignerName,
};
use chancery_crypto::{Digest, PublicKey, Unknown, cbor};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{
    Checkpoint, CheckpointFault, LogKey, ProofFault, ProtocolError, SignedCheckpoint, Validation,
    WitnessKey, merkle,
};

/// The content type of a sealed [`WitnessStatement`].
const STATEMENT: &str = "application/vnd.chancery.witness+cbor";
/// What a fork proof's file says it is.
const FORK: &str = "chancery-fork-proof-1";
/// How the kinds of fork proofs begin, of whatever version.
const FORKS: &str = "chancery-fork-proof-";

/// An agency's word, under its seal, that a key is the one that it witnesses with. Cosignatures know
/// only Ed25519 (C2SP tlog-cosignature), seals may be of other kinds: so a witness has a key of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitnessStatement {
    /// The witness.
    pub agency: AgencyName,
    /// Its Ed25519 public key, raw.
    pub key: ByteBuf,
}

impl WitnessStatement {
    /// Makes and seals the statement at `now`, seconds since 1970 UTC.
    ///
    /// # Errors
    /// [`ProtocolError`] when the key is of another kind or sealing fails.
    pub fn seal(key: &PublicKey, by: &Credential, now: i64) -> Result<Vec<u8>, ProtocolError> {
        let agency = by.name().agency().clone();
        WitnessKey::new(&agency, key)?;
        let PublicKey::Ed25519(raw) = key else {
            return Err(CheckpointFault::WitnessKeyKind.into());
        };
        let statement = Self { agency, key: ByteBuf::from(raw.clone()) };
        Ok(chancery_certs::seal(STATEMENT, &statement, by, now)?)
    }

    /// Verifies the seal and its path, and gives the witness and its key.
    ///
    /// # Errors
    /// [`ProtocolError::Seal`], saying what is not accepted.
    pub fn open(
        bytes: &[u8],
        by: &Scrutiny<'_>,
    ) -> Result<(AgencyName, WitnessKey), ProtocolError> {
        let opened = chancery_certs::open_sealed::<Self>(STATEMENT, bytes, by)?;
        let Self { agency, key } = opened.value;
        if opened.signer != SignerName::Agency(agency.clone()) {
            let (want, found) = (agency.to_string(), opened.signer.to_string());
            return Err(SealError::Signer { want, found }.into());
        }
        let key = WitnessKey::new(&agency, &PublicKey::Ed25519(key.into_vec()))?;
        Ok((agency, key))
    }
}

/// What a ledger says about how an older checkpoint of it leads to a newer one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Growth {
    /// The older size.
    pub old_size: u64,
    /// The root that the newer tree has at that size.
    pub old_root: Digest,
    /// The consistency proof (RFC 6962 §2.1.2).
    pub proof: Vec<Digest>,
}

/// What a witness finds when it compares two checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// The newer tree grew out of the older.
    Consistent,
    /// It did not: the ledger has shown two histories.
    Forked,
}

impl Growth {
    /// Compares the older checkpoint with the newer. Both signatures must be verified already.
    ///
    /// # Errors
    /// [`ProtocolError::Proof`] when the growth proves nothing about them: then neither holds.
    pub fn judge(
        &self,
        old: &SignedCheckpoint,
        new: &SignedCheckpoint,
    ) -> Result<Consistency, ProtocolError> {
        let (old, new) = (&old.checkpoint, &new.checkpoint);
        if self.old_size != old.size || old.origin != new.origin {
            return Err(ProofFault::OtherCheckpoints.into());
        }
        if self.proof.len() > merkle::MAX_PROOF {
            return Err(ProofFault::ConsistencyLong.into());
        }
        if old.size == 0 {
            // Every tree grows out of the empty one, which has one root.
            let empty = old.root == merkle::empty_root();
            return Ok(if empty { Consistency::Consistent } else { Consistency::Forked });
        }
        let proved = (self.old_size, &self.old_root);
        merkle::verify_consistency(proved, (new.size, &new.root), &self.proof)?;
        Ok(match self.old_root == old.root {
            true => Consistency::Consistent,
            false => Consistency::Forked,
        })
    }
}

/// A checkpoint with the chain of the seal that signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedNote {
    /// The note.
    pub note: String,
    /// The seal's chain, own certificate first, DER.
    pub chain: Vec<ByteBuf>,
}

impl SealedNote {
    /// A note with its chain.
    pub fn new(note: &str, chain: &[Certificate]) -> Self {
        let chain = chain.iter().map(|c| ByteBuf::from(c.der().to_vec())).collect();
        Self { note: note.to_owned(), chain }
    }

    fn open(
        &self,
        agency: &AgencyName,
        by: &Scrutiny<'_>,
    ) -> Result<SignedCheckpoint, ProtocolError> {
        let chain = self.read(agency)?;
        let (seal, above) = chain.split_first().ok_or_else(no_certificate)?;
        by.check(seal, above, Purpose::Sign)?;
        SignedCheckpoint::open(&self.note, &LogKey::of_seal(seal)?)
    }

    /// The chain, which must be of the agency's seal.
    fn read(&self, agency: &AgencyName) -> Result<Vec<Certificate>, ProtocolError> {
        let chain = self.chain.iter().map(|der| Certificate::from_der(der));
        let chain = chain.collect::<Result<Vec<_>, _>>()?;
        let seal = chain.first().ok_or_else(no_certificate)?;
        if seal.agency_name()? != *agency {
            let (subject, agency) = (seal.subject().to_owned(), agency.clone());
            return Err(CheckpointFault::Sealer { subject, agency }.into());
        }
        Ok(chain)
    }

    /// Verifies a note that was seen before: its seal may have expired since.
    ///
    /// # Errors
    /// [`ProtocolError::Path`] when its seal is not believed, or what else does not hold.
    pub fn open_then(
        &self,
        agency: &AgencyName,
        by: &Validation<'_>,
    ) -> Result<SignedCheckpoint, ProtocolError> {
        let chain = self.read(agency)?;
        let (seal, above) = chain.split_first().ok_or_else(no_certificate)?;
        let signed = SignedCheckpoint::open(&self.note, &LogKey::of_seal(seal)?)?;
        let then = Validation { at: by.at.min(seal.not_after()), ..*by };
        then.path(seal, above)?;
        Ok(signed)
    }
}

fn no_certificate() -> ProtocolError {
    CheckpointFault::NoCertificate.into()
}

/// A checkpoint of another agency's ledger as it is exported by who has seen it, in a receipt or as a witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeenCheckpoint {
    /// Whose ledger it is.
    pub agency: AgencyName,
    /// The checkpoint.
    pub sealed: SealedNote,
}

impl SeenCheckpoint {
    /// The file's bytes.
    ///
    /// # Errors
    /// [`ProtocolError::Crypto`] never in practice; the form is plain.
    pub fn encode(&self) -> Result<Vec<u8>, ProtocolError> {
        Ok(cbor::encode(self)?)
    }

    /// Reads a file. Nothing is verified yet.
    ///
    /// # Errors
    /// [`ProtocolError`] when the bytes are no such checkpoint in the form in which it is written.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProtocolError> {
        let seen: Self = cbor::decode_open(bytes, cbor::MAX_BYTES)?;
        // The reader takes a byte string for a text.
        if seen.encode()? != bytes {
            return Err(CheckpointFault::Form.into());
        }
        Ok(seen)
    }

    /// The size of the tree that it speaks of.
    ///
    /// # Errors
    /// [`ProtocolError::Checkpoint`] when it is malformed.
    pub fn size(&self) -> Result<u64, ProtocolError> {
        Ok(Checkpoint::read_unverified(&self.sealed.note)?.size)
    }
}

/// Two checkpoints that one ledger has sealed and that cannot both be true, with what shows it. Whoever
/// holds the trust anchors can judge it, offline and for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForkProof {
    kind: String,
    /// The agency whose ledger it is.
    pub agency: AgencyName,
    /// The checkpoint of the smaller tree (of either, when they have one size).
    pub first: SealedNote,
    /// The checkpoint of the larger tree.
    pub second: SealedNote,
    /// How the larger tree grew: at the first one's size, with another root than it.
    pub growth: Growth,
}

impl ForkProof {
    /// Puts a proof together. Nothing is verified; see [`ForkProof::verify`].
    pub fn new(agency: AgencyName, first: SealedNote, second: SealedNote, growth: Growth) -> Self {
        Self { kind: FORK.into(), agency, first, second, growth }
    }

    /// The proof from two checkpoints of one size, which needs no tree.
    pub fn of_one_size(
        agency: AgencyName,
        first: SealedNote,
        second: &SignedCheckpoint,
        chain: &[Certificate],
    ) -> Self {
        let (old_size, old_root) = (second.checkpoint.size, second.checkpoint.root);
        let growth = Growth { old_size, old_root, proof: Vec::new() };
        Self::new(agency, first, SealedNote::new(&second.note, chain), growth)
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// [`ProtocolError::Crypto`] never in practice; the form is plain.
    pub fn encode(&self) -> Result<Vec<u8>, ProtocolError> {
        Ok(cbor::encode(self)?)
    }

    /// Reads a file. Nothing is verified yet.
    ///
    /// # Errors
    /// [`ProtocolError::Crypto`] when the bytes are no fork proof.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProtocolError> {
        let proof: Self = cbor::decode_open(bytes, cbor::MAX_BYTES)?;
        let version = proof.kind.strip_prefix(FORKS);
        if proof.kind != FORK && version.is_some_and(|v| v.parse::<u32>().is_ok_and(|v| v > 1)) {
            return Err(ProtocolError::newer(Unknown::Name { name: proof.kind }));
        }
        if proof.kind != FORK {
            return Err(CheckpointFault::NoForkProof { kind: proof.kind }.into());
        }
        // The reader takes a byte string for a text: one proof is to have one form.
        if proof.encode()? != bytes {
            return Err(CheckpointFault::ForkProofForm.into());
        }
        Ok(proof)
    }

    /// Verifies that the ledger's own seal signed both checkpoints, with its path valid and, as far as is known, not
    /// revoked, and that they exclude each other. Gives them, smaller first.
    ///
    /// # Errors
    /// [`ProtocolError`] when that is not shown; it says nothing against the ledger then.
    pub fn verify(
        &self,
        by: &Scrutiny<'_>,
    ) -> Result<(SignedCheckpoint, SignedCheckpoint), ProtocolError> {
        let first = self.first.open(&self.agency, by)?;
        let second = self.second.open(&self.agency, by)?;
        match self.growth.judge(&first, &second)? {
            Consistency::Forked => Ok((first, second)),
            Consistency::Consistent => Err(ProofFault::NoFork.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use chancery_crypto::{Algorithm, SigningKey};
    use proptest::prelude::*;

    use super::*;
    use crate::{
        Checkpoint,
        document::tests::{NOW, World, world},
    };

    /// The leaves of a history; `fork` is where it leaves the common one.
    fn leaves(size: u64, fork: u64) -> Vec<Digest> {
        let leaf = |n: u64| {
            merkle::leaf_hash(&[n.to_be_bytes(), u64::from(n >= fork).to_be_bytes()].concat())
        };
        (0..size).map(leaf).collect()
    }

    fn node(leaves: &[Digest]) -> impl FnMut(u32, u64) -> Result<Digest, Infallible> + '_ {
        |level, index| {
            let start = (index << level) as usize;
            let mut range = merkle::CompactRange::default();
            leaves[start..start + (1 << level)].iter().for_each(|leaf| range.push(*leaf));
            Ok(range.root())
        }
    }

    fn root(leaves: &[Digest], size: u64) -> Digest {
        merkle::root(size, node(leaves)).expect("infallible")
    }

    fn sealed(world: &World, leaves: &[Digest], size: u64) -> SignedCheckpoint {
        let origin = "a.gov.cn/ledger".to_owned();
        let checkpoint = Checkpoint { origin, size, root: root(leaves, size) };
        let note = checkpoint.sign(&world.seal).expect("signs");
        SignedCheckpoint { checkpoint, note }
    }

    fn growth(leaves: &[Digest], old: u64, new: u64) -> Growth {
        let proof = merkle::consistency_proof(old, new, node(leaves)).expect("infallible");
        Growth { old_size: old, old_root: root(leaves, old), proof: proof.expect("it is smaller") }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// A ledger that left its history is caught exactly when the difference lies in what was seen.
        #[test]
        fn every_fork_below_a_seen_size_is_proved_and_honest_growth_never_is(
            old in 1u64..150, more in 0u64..150, fork in 0u64..320
        ) {
            let world = world();
            let new = old + more;
            let (shown, kept) = (leaves(new, new), leaves(new, fork));
            let (first, second) = (sealed(&world, &shown, old), sealed(&world, &kept, new));
            let growth = growth(&kept, old, new);
            let found = growth.judge(&first, &second).expect("it is a true proof");
            prop_assert_eq!(found == Consistency::Forked, fork < old);
            let note = |c: &SignedCheckpoint| SealedNote::new(&c.note, world.seal.chain());
            let agency = "a.gov.cn".parse().expect("a name");
            let proof = ForkProof::new(agency, note(&first), note(&second), growth);
            let proof = ForkProof::decode(&proof.encode().expect("encodes")).expect("decodes");
            prop_assert_eq!(proof.verify(&Scrutiny::without_lists(&world.trust, NOW)).is_ok(), fork < old);
        }
    }

    #[test]
    fn a_fork_cannot_be_invented() {
        let world = world();
        let (shown, kept) = (leaves(40, 99), leaves(70, 10));
        let (first, second) = (sealed(&world, &shown, 32), sealed(&world, &kept, 70));
        let note = |c: &SignedCheckpoint| SealedNote::new(&c.note, world.seal.chain());
        let agency: AgencyName = "a.gov.cn".parse().expect("a name");
        let good = ForkProof::new(agency, note(&first), note(&second), growth(&kept, 32, 70));
        good.verify(&Scrutiny::without_lists(&world.trust, NOW)).expect("it is forked");
        let refused = |change: &dyn Fn(&mut ForkProof)| {
            let mut proof = good.clone();
            change(&mut proof);
            proof.verify(&Scrutiny::without_lists(&world.trust, NOW)).expect_err("shows nothing");
        };
        // A root that the larger tree never had, other sizes, other checkpoints, other signers.
        refused(&|p| p.growth.old_root = Digest::of(b"made up"));
        refused(&|p| p.growth.old_size = 31);
        refused(&|p| p.growth.proof.clear());
        refused(&|p| p.growth.proof = vec![Digest::of(b""); merkle::MAX_PROOF + 1]);
        refused(&|p| p.second = p.first.clone());
        refused(&|p| p.first.note = p.first.note.replace("\n32\n", "\n33\n"));
        refused(&|p| p.first.chain.clear());
        refused(&|p| p.agency = "b.gov.cn".parse().expect("a name"));
        assert!(
            good.verify(&Scrutiny::without_lists(&world.trust, NOW + (99 << 30))).is_err(),
            "its seal is valid then"
        );
        let mut other = good.clone();
        other.kind = "something else".into();
        assert!(ForkProof::decode(&other.encode().expect("encodes")).is_err());
        // Two of one size need no tree.
        let other = sealed(&world, &leaves(32, 5), 32);
        let proof =
            ForkProof::of_one_size(good.agency.clone(), note(&first), &other, world.seal.chain());
        proof.verify(&Scrutiny::without_lists(&world.trust, NOW)).expect("it is forked");
        let proof = ForkProof::of_one_size(good.agency, note(&first), &first, world.seal.chain());
        proof.verify(&Scrutiny::without_lists(&world.trust, NOW)).expect_err("they are the same");
    }

    #[test]
    fn a_witness_is_who_its_seal_says_and_its_cosignature_covers_the_very_checkpoint() {
        let world = world();
        let key = SigningKey::generate(Algorithm::EdDsa).expect("random bytes");
        let sealed_key =
            WitnessStatement::seal(&key.public_key(), &world.seal, NOW).expect("seals");
        let (agency, witness) =
            WitnessStatement::open(&sealed_key, &Scrutiny::without_lists(&world.trust, NOW))
                .expect("holds");
        assert_eq!((agency.as_str(), witness.name()), ("a.gov.cn", "a.gov.cn/witness"));
        assert!(
            WitnessStatement::open(
                &sealed_key,
                &Scrutiny::without_lists(&world.trust, NOW - (9 << 30))
            )
            .is_err()
        );
        let p256 = SigningKey::generate(Algorithm::Es256).expect("random bytes");
        assert!(WitnessStatement::seal(&p256.public_key(), &world.seal, NOW).is_err());

        let all = leaves(9, 9);
        let (seen, other) = (sealed(&world, &all, 8), sealed(&world, &all, 9));
        let line = witness.cosign(&seen, &key, NOW).expect("cosigns");
        let both = seen.with_line(&line).expect("fits");
        assert_eq!(witness.cosigned(&both), Ok(Some(NOW)));
        assert_eq!(witness.cosigned(&seen), Ok(None));
        assert_eq!(both.signers(), ["a.gov.cn/ledger", "a.gov.cn/witness"]);
        // The log's own signature still holds, and the line fits no other checkpoint.
        let log = LogKey::of_seal(&world.seal.chain()[0]).expect("a seal");
        SignedCheckpoint::open(&both.note, &log).expect("holds");
        assert!(witness.cosigned(&other.with_line(&line).expect("fits")).is_err());
        assert!(witness.cosign(&seen, &p256, NOW).is_err());
        assert!(witness.cosign(&seen, &key, -1).is_err());
        assert!(seen.with_line("— broken\n").is_err());
    }
}
