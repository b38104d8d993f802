//! COSE receipts (RFC 9942) with the verifiable data structure `RFC9162_SHA256`.
//!
//! A receipt is a COSE_Sign1 whose detached payload is the root of a Merkle tree, with the proof that
//! leads to that root in its unprotected header. What a root is and how a proof leads to it is not
//! known here.

use coset::{
    CoseSign1, CoseSign1Builder, Header, HeaderBuilder, Label, TaggedCborSerializable as _,
    cbor::value::Value,
};

use crate::{
    Algorithm, CoseFault, CryptoError, Digest, PublicKey, SigningKey, cbor,
    cose::{check_known, iana_name, known_algorithm},
};

/// The label of the verifiable data structure (RFC 9942 §2).
const VDS: i64 = 395;
/// The label of its proofs (RFC 9942 §2).
const VDP: i64 = 396;
/// The value of [`VDS`] for the tree of RFC 9162 with SHA-256.
const RFC9162_SHA256: i64 = 1;
/// The labels of inclusion and consistency proofs inside [`VDP`] (RFC 9942 §5).
const INCLUSION: i64 = -1;
const CONSISTENCY: i64 = -2;
/// The signer's certificates (RFC 9360 §2).
const X5CHAIN: i64 = 33;
/// Ours: the entry that the receipt is for, and the salt that ties it to a document.
const ENTRY: &str = "chancery-entry";
const SALT: &str = "chancery-salt";
/// Ours: the compact range of the signed tree, its hashes one after the other, the largest subtree first.
const RANGE: &str = "chancery-range";
/// The most hashes in a compact range: one for each bit of a size.
const MAX_RANGE: usize = 64;
/// The most bytes of a receipt that is read.
const MAX_RECEIPT: usize = 64 * 1024;
/// The most certificates in its chain.
const MAX_CHAIN: usize = 8;
/// The most hashes in one proof.
const MAX_PATH: usize = 128;

/// The proof that a receipt carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiptProof {
    /// A leaf stands in the tree (RFC 9942 §5.2).
    Inclusion {
        /// The number of leaves.
        size: u64,
        /// The leaf's index.
        index: u64,
        /// From the leaf to the root.
        path: Vec<Digest>,
    },
    /// A tree grew out of a smaller one (RFC 9942 §5.3).
    Consistency {
        /// The number of leaves of the smaller tree.
        old_size: u64,
        /// The number of leaves of the signed tree.
        size: u64,
        /// The consistency proof.
        path: Vec<Digest>,
    },
}

/// A COSE receipt. Its signature is not verified by reading it.
#[derive(Debug, Clone, PartialEq)]
pub struct CoseReceipt {
    inner: CoseSign1,
    algorithm: Algorithm,
    proof: Option<ReceiptProof>,
    /// The signer's chain, own certificate first, DER; not signed, as every chain proves itself.
    pub chain: Vec<Vec<u8>>,
    /// The entry whose inclusion is proved.
    pub entry: Option<Vec<u8>>,
    /// What ties the entry to a document.
    pub salt: Option<Digest>,
    /// The roots of the complete subtrees of the signed tree, the largest first; not signed, as they prove themselves by
    /// the root.
    pub range: Option<Vec<Digest>>,
}

fn refuse(fault: CoseFault) -> CryptoError {
    CryptoError::Cose(fault)
}

fn other(error: impl std::fmt::Display) -> CryptoError {
    refuse(CoseFault::Other { detail: error.to_string() })
}

fn protected_bytes(header: &coset::ProtectedHeader) -> Result<Vec<u8>, CryptoError> {
    let value = header.clone().cbor_bstr().map_err(other)?;
    value.into_bytes().map_err(|_| refuse(CoseFault::HeaderBytes))
}

impl CoseReceipt {
    /// Signs a root. Proofs are put in later, by [`CoseReceipt::with_proof`]: one signature serves
    /// every leaf of the tree.
    ///
    /// # Errors
    /// [`CryptoError`] when signing fails.
    pub fn sign(root: &Digest, key_id: &[u8], key: &SigningKey) -> Result<Self, CryptoError> {
        let algorithm = key.algorithm();
        let mut protected = HeaderBuilder::new()
            .key_id(key_id.to_vec())
            .value(VDS, Value::from(RFC9162_SHA256))
            .build();
        protected.alg = Some(coset::Algorithm::Assigned(iana_name(algorithm)));
        let mut inner = CoseSign1Builder::new().protected(protected).build();
        inner.protected.original_data = Some(protected_bytes(&inner.protected)?);
        inner.signature = key.sign(&inner.tbs_detached_data(root.as_ref(), b""))?;
        let (chain, entry, salt, range) = (Vec::new(), None, None, None);
        Ok(Self { inner, algorithm, proof: None, chain, entry, salt, range })
    }

    /// The receipt with a proof that leads to the signed root.
    #[must_use]
    pub fn with_proof(mut self, proof: ReceiptProof) -> Self {
        self.proof = Some(proof);
        self
    }

    /// The proof, if it carries one.
    pub fn proof(&self) -> Option<&ReceiptProof> {
        self.proof.as_ref()
    }

    /// The key identifier: here the name of the ledger.
    pub fn key_id(&self) -> &[u8] {
        &self.inner.protected.header.key_id
    }

    /// Verifies the signature over a root.
    ///
    /// # Errors
    /// [`CryptoError::BadSignature`] or [`CryptoError::AlgorithmMismatch`].
    pub fn verify(&self, root: &Digest, key: &PublicKey) -> Result<(), CryptoError> {
        let signed = self.inner.tbs_detached_data(root.as_ref(), b"");
        key.verify(self.algorithm, &signed, &self.inner.signature)
    }

    /// The tagged COSE_Sign1 (tag 18) in deterministic form.
    ///
    /// # Errors
    /// [`CryptoError::Cose`] when it cannot be encoded.
    pub fn encode(&self) -> Result<Vec<u8>, CryptoError> {
        let mut inner = self.inner.clone();
        let mut rest = Vec::new();
        match self.chain.as_slice() {
            [] => {}
            [one] => rest.push((Label::Int(X5CHAIN), Value::Bytes(one.clone()))),
            many => {
                let many = many.iter().cloned().map(Value::Bytes).collect();
                rest.push((Label::Int(X5CHAIN), Value::Array(many)));
            }
        }
        if let Some(proof) = &self.proof {
            rest.push((Label::Int(VDP), write_proof(proof)?));
        }
        // Deterministic order: by encoded label; text labels come last, shorter ones first.
        if let Some(salt) = &self.salt {
            rest.push((Label::Text(SALT.into()), Value::Bytes(salt.as_bytes().to_vec())));
        }
        if let Some(entry) = &self.entry {
            rest.push((Label::Text(ENTRY.into()), Value::Bytes(entry.clone())));
        }
        if let Some(range) = &self.range {
            let hashes = range.iter().flat_map(|hash| *hash.as_bytes()).collect();
            rest.push((Label::Text(RANGE.into()), Value::Bytes(hashes)));
        }
        inner.unprotected = Header { rest, ..Header::default() };
        let bytes = inner.to_tagged_vec().map_err(other)?;
        cbor::check(&bytes)?;
        Ok(bytes)
    }

    /// Reads a receipt.
    ///
    /// # Errors
    /// [`CryptoError::Cbor`] or [`CryptoError::Cose`], naming what is not acceptable.
    pub fn decode(bytes: &[u8]) -> Result<Self, CryptoError> {
        if bytes.len() > MAX_RECEIPT {
            return Err(refuse(CoseFault::ReceiptLength));
        }
        cbor::check(bytes)?;
        let inner = CoseSign1::from_tagged_slice(bytes).map_err(other)?;
        let protected = &inner.protected.header;
        check_known(protected)?;
        if inner.payload.is_some() {
            return Err(refuse(CoseFault::ReceiptAttached));
        }
        if get(protected, &Label::Int(VDS)) != Some(&Value::from(RFC9162_SHA256)) {
            return Err(refuse(CoseFault::Structure));
        }
        let algorithm =
            known_algorithm(protected.alg.as_ref()).ok_or_else(|| refuse(CoseFault::Algorithm))?;
        let unprotected = &inner.unprotected;
        let proof = get(unprotected, &Label::Int(VDP)).map(read_proof).transpose()?;
        let chain = match get(unprotected, &Label::Int(X5CHAIN)) {
            None => Vec::new(),
            Some(Value::Bytes(one)) => vec![one.clone()],
            Some(Value::Array(many)) if many.len() <= MAX_CHAIN => {
                let each = many.iter().map(|one| one.as_bytes().cloned());
                each.collect::<Option<Vec<_>>>().ok_or_else(|| refuse(CoseFault::ChainBytes))?
            }
            Some(_) => return Err(refuse(CoseFault::Chain)),
        };
        let bytes_of = |name: &str| match get(unprotected, &Label::Text(name.into())) {
            None => Ok(None),
            Some(Value::Bytes(bytes)) => Ok(Some(bytes.clone())),
            Some(_) => Err(refuse(CoseFault::NamedBytes { name: name.to_owned() })),
        };
        let entry = bytes_of(ENTRY)?;
        let salt = match bytes_of(SALT)? {
            None => None,
            Some(salt) => Some(Digest::from_slice(&salt).ok_or_else(|| refuse(CoseFault::Salt))?),
        };
        let range = bytes_of(RANGE)?.map(|hashes| read_range(&hashes)).transpose()?;
        Ok(Self { inner, algorithm, proof, chain, entry, salt, range })
    }
}

fn read_range(hashes: &[u8]) -> Result<Vec<Digest>, CryptoError> {
    let whole = hashes.len().is_multiple_of(Digest::LEN) && hashes.len() <= MAX_RANGE * Digest::LEN;
    let read = hashes.chunks(Digest::LEN).map(Digest::from_slice).collect::<Option<_>>();
    read.filter(|_| whole).ok_or_else(|| refuse(CoseFault::Range))
}

fn get<'a>(header: &'a Header, label: &Label) -> Option<&'a Value> {
    header.rest.iter().find(|(l, _)| l == label).map(|(_, value)| value)
}

fn write_proof(proof: &ReceiptProof) -> Result<Value, CryptoError> {
    let (label, first, second, path) = match proof {
        ReceiptProof::Inclusion { size, index, path } => (INCLUSION, *size, *index, path),
        ReceiptProof::Consistency { old_size, size, path } => (CONSISTENCY, *old_size, *size, path),
    };
    let bytes = cbor::encode(&(first, second, path))?;
    let proofs = Value::Array(vec![Value::Bytes(bytes)]);
    Ok(Value::Map(vec![(Value::from(label), proofs)]))
}

fn read_proof(value: &Value) -> Result<ReceiptProof, CryptoError> {
    let one = value.as_map().filter(|map| map.len() == 1).and_then(|map| map.first());
    let (label, proofs) = one.ok_or_else(|| refuse(CoseFault::Proofs))?;
    let [Value::Bytes(bytes)] = proofs.as_array().map_or(&[][..], Vec::as_slice) else {
        return Err(refuse(CoseFault::OneProof));
    };
    let (first, second, path): (u64, u64, Vec<Digest>) = cbor::decode(bytes)?;
    if path.len() > MAX_PATH {
        return Err(refuse(CoseFault::ProofLength));
    }
    if *label == Value::from(INCLUSION) {
        Ok(ReceiptProof::Inclusion { size: first, index: second, path })
    } else if *label == Value::from(CONSISTENCY) {
        Ok(ReceiptProof::Consistency { old_size: first, size: second, path })
    } else {
        Err(refuse(CoseFault::ProofKind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_read_back_and_holds_for_its_root_and_key_only() {
        for algorithm in [Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa] {
            let key = SigningKey::generate(algorithm).expect("random bytes");
            let other = SigningKey::generate(algorithm).expect("random bytes");
            let (root, path) = (Digest::of(b"root"), vec![Digest::of(b"a"), Digest::of(b"b")]);
            let inclusion = ReceiptProof::Inclusion { size: 7, index: 3, path: path.clone() };
            let consistency = ReceiptProof::Consistency { old_size: 3, size: 7, path };
            for proof in [inclusion, consistency] {
                let mut receipt = CoseReceipt::sign(&root, b"a.gov.cn/ledger", &key)
                    .expect("signs")
                    .with_proof(proof.clone());
                for chain in [vec![], vec![vec![1]], vec![vec![1], vec![2, 3]]] {
                    receipt.chain = chain;
                    receipt.entry = Some(vec![9; 300]);
                    receipt.salt = Some(Digest::of(b"salt"));
                    receipt.range = Some(vec![root; receipt.chain.len()]);
                    let bytes = receipt.encode().expect("encodes");
                    let back = CoseReceipt::decode(&bytes).expect("decodes");
                    assert_eq!(back.encode().expect("encodes"), bytes);
                    assert_eq!(
                        (back.proof(), &back.chain, &back.entry, &back.salt, back.key_id()),
                        (
                            Some(&proof),
                            &receipt.chain,
                            &receipt.entry,
                            &receipt.salt,
                            &b"a.gov.cn/ledger"[..]
                        )
                    );
                    assert_eq!(back.range, receipt.range);
                    back.verify(&root, &key.public_key()).expect("holds");
                    assert!(back.verify(&Digest::of(b"other"), &key.public_key()).is_err());
                    assert!(back.verify(&root, &other.public_key()).is_err());
                }
            }
        }
    }

    #[test]
    fn what_is_no_such_receipt_is_refused() {
        let key = SigningKey::generate(Algorithm::EdDsa).expect("random bytes");
        let root = Digest::of(b"root");
        let good = CoseReceipt::sign(&root, b"x", &key).expect("signs");
        let refused = |change: &dyn Fn(&mut CoseSign1)| {
            let mut inner = good.inner.clone();
            change(&mut inner);
            inner.protected.original_data = None;
            CoseReceipt::decode(&inner.to_tagged_vec().expect("encodes")).expect_err("refused")
        };
        refused(&|r| r.payload = Some(vec![1]));
        refused(&|r| r.protected.header.rest.clear());
        refused(&|r| r.protected.header.rest = vec![(Label::Int(VDS), Value::from(2))]);
        refused(&|r| r.protected.header.alg = None);
        let vdp = |value| {
            refused(&move |r: &mut CoseSign1| {
                r.unprotected.rest = vec![(Label::Int(VDP), Value::clone(&value))];
            })
        };
        let proof = Value::Bytes(cbor::encode(&(1, 0, Vec::<u8>::new())).expect("encodes"));
        vdp(Value::from(1));
        vdp(Value::Map(vec![]));
        vdp(Value::Map(vec![(Value::from(-3), Value::Array(vec![proof.clone()]))]));
        vdp(Value::Map(vec![(Value::from(-1), Value::Array(vec![proof.clone(), proof]))]));
        let long = cbor::encode(&(1, 0, vec![root; MAX_PATH + 1])).expect("encodes");
        vdp(Value::Map(vec![(Value::from(-1), Value::Array(vec![Value::Bytes(long)]))]));
        for len in [1, 31, 33, (MAX_RANGE + 1) * Digest::LEN] {
            refused(&move |r: &mut CoseSign1| {
                r.unprotected.rest = vec![(Label::Text(RANGE.into()), Value::Bytes(vec![0; len]))];
            });
        }
        assert!(CoseReceipt::decode(&vec![0; MAX_RECEIPT + 1]).is_err());
    }
}
