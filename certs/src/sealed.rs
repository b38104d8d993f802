use chancery_crypto::{
    Commitment, CoseBuilder, CoseFault, CoseSign, CryptoError, Digest, ProtectedAttributes,
    PublicKeyFault, SigningKey, cbor,
};
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

use crate::{CertError, Certificate, PathError, Purpose, Scrutiny, SignerName, StatementFault};

/// A signer: a private key and the certificates that say whose it is.
pub struct Credential {
    key: SigningKey,
    chain: Vec<Certificate>,
    name: SignerName,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credential({})", self.name)
    }
}

impl Credential {
    /// A signer from its key and its chain (own certificate first; a root at the end is dropped,
    /// since a verifier must have it already).
    ///
    /// # Errors
    /// [`CertError::Mismatch`] when the key is not the certificate's, [`CertError::Name`] when the
    /// certificate names no agency or officer.
    pub fn new(key: SigningKey, mut chain: Vec<Certificate>) -> Result<Self, CertError> {
        let own = chain.first().ok_or(CertError::NoCertificate)?;
        if own.public_key() != Some(&key.public_key()) {
            return Err(CertError::Mismatch { subject: own.subject().to_owned() });
        }
        let name = own.signer_name()?;
        chain.retain(|certificate| !certificate.is_self_issued());
        Ok(Self { key, chain, name })
    }

    /// Who signs.
    pub fn name(&self) -> &SignerName {
        &self.name
    }

    /// The private key.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The chain without the root, own certificate first.
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// Adds this signer's signature to a COSE structure.
    ///
    /// # Errors
    /// [`CryptoError`] when signing fails.
    pub fn sign(
        &self,
        builder: CoseBuilder,
        commitment: Commitment,
        now: i64,
    ) -> Result<CoseBuilder, CryptoError> {
        builder.sign(&self.key, self.attributes(commitment, now))
    }

    /// The signed attributes of a signature by this signer.
    pub fn attributes(&self, commitment: Commitment, now: i64) -> ProtectedAttributes {
        ProtectedAttributes {
            x5chain: self.chain.iter().map(|c| c.der().to_vec()).collect(),
            signing_time: Some(now),
            commitment: Some(commitment),
        }
    }
}

/// Why a sealed statement is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SealError {
    /// The structure cannot be read or its signature is wrong.
    Crypto(#[from] CryptoError),
    /// The signer's certificate cannot be read or names nobody.
    Certificate(#[from] CertError),
    /// The signer's path is not valid.
    Path(#[from] PathError),
    /// It is some other kind of statement.
    ContentType {
        /// The content type that was wanted.
        want: String,
        /// The content type it has.
        found: String,
    },
    /// It is signed by somebody other than it must be.
    Signer {
        /// Who should have signed.
        want: String,
        /// Who did.
        found: String,
    },
    /// What it says cannot be so.
    Content(StatementFault),
}

impl SealError {
    /// Its stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Crypto(error) => error.code(),
            Self::Certificate(error) => error.code(),
            Self::Path(error) => error.code(),
            Self::ContentType { .. } => "CHY-2011",
            Self::Signer { .. } => "CHY-2012",
            Self::Content(_) => "CHY-2013",
        }
    }
}

/// A statement whose one signature and path were verified.
#[derive(Debug, Clone)]
pub struct Opened<T> {
    /// The statement.
    pub value: T,
    /// Who signed it.
    pub signer: SignerName,
    /// The signer's chain, own certificate first.
    pub chain: Vec<Certificate>,
    /// The digest of the very bytes that were signed.
    pub digest: Digest,
    /// What stands beside the statement, signed like it: see [`CoseSign::more`].
    pub more: Option<Vec<u8>>,
    /// The digest of both; see [`CoseSign::signed_digest`].
    pub whole: Digest,
    /// Lists were asked, and none of them says whether the certificate of this one is revoked: where that passes.
    pub uncovered: Option<String>,
}

/// Signs a statement: COSE_Sign with one signature over its deterministic CBOR.
///
/// # Errors
/// [`CryptoError`] when it cannot be encoded or signed.
pub fn seal<T: Serialize>(
    content_type: &str,
    value: &T,
    by: &Credential,
    now: i64,
) -> Result<Vec<u8>, CryptoError> {
    seal_within(content_type, value, by, now, cbor::MAX_BYTES)
}

/// As [`seal`], for what may be larger or must be smaller than [`cbor::MAX_BYTES`].
///
/// # Errors
/// As [`seal`].
pub(crate) fn seal_within<T: Serialize>(
    content_type: &str,
    value: &T,
    by: &Credential,
    now: i64,
    most: usize,
) -> Result<Vec<u8>, CryptoError> {
    seal_with(content_type, value, None, by, now, most)
}

/// As `seal_within`, with something beside the statement that readers of before pass over.
///
/// # Errors
/// As [`seal`].
pub fn seal_with<T: Serialize>(
    content_type: &str,
    value: &T,
    more: Option<Vec<u8>>,
    by: &Credential,
    now: i64,
    most: usize,
) -> Result<Vec<u8>, CryptoError> {
    let mut builder = CoseSign::builder(content_type, cbor::encode_within(value, most)?);
    if let Some(more) = more {
        builder = builder.more(more);
    }
    by.sign(builder, Commitment::Origin, now)?.encode_within(most)
}

/// Verifies and opens a statement that [`seal`] made: its signature, and the signer's path with what is known of
/// revocation.
///
/// # Errors
/// [`SealError`]; nothing of an unverified statement is returned.
pub fn open_sealed<T: DeserializeOwned>(
    content_type: &str,
    bytes: &[u8],
    by: &Scrutiny<'_>,
) -> Result<Opened<T>, SealError> {
    open_sealed_within(content_type, bytes, by, cbor::MAX_BYTES)
}

/// As [`open_sealed`], for what may be larger or must be smaller than [`cbor::MAX_BYTES`].
///
/// # Errors
/// As [`open_sealed`].
pub fn open_sealed_within<T: DeserializeOwned>(
    content_type: &str,
    bytes: &[u8],
    by: &Scrutiny<'_>,
    most: usize,
) -> Result<Opened<T>, SealError> {
    let cose = CoseSign::decode_within(bytes, most)?;
    if cose.content_type() != content_type {
        return Err(SealError::ContentType {
            want: content_type.into(),
            found: cose.content_type().into(),
        });
    }
    let [signature] = cose.signatures() else {
        return Err(CryptoError::Cose(CoseFault::OneSignature).into());
    };
    let chain = signature
        .attributes
        .x5chain
        .iter()
        .map(|der| by.trust.read(der))
        .collect::<Result<Vec<_>, _>>()?;
    let (leaf, above) = chain.split_first().ok_or(CertError::NoCertificate)?;
    let key = leaf.public_key().ok_or_else(|| {
        CryptoError::PublicKey(PublicKeyFault::Kind { kind: leaf.key_kind().to_owned() })
    })?;
    cose.verify(0, key)?;
    let uncovered = by.check(leaf, above, Purpose::Sign)?.uncovered;
    let signer = leaf.signer_name()?;
    let value = cbor::decode_open(cose.payload(), most).map_err(CryptoError::Cbor)?;
    let (digest, whole) = (Digest::of(cose.payload()), cose.signed_digest()?);
    let more = cose.more().map(<[u8]>::to_vec);
    Ok(Opened { value, signer, chain, digest, more, whole, uncovered })
}

#[cfg(test)]
mod tests {
    use chancery_crypto::Algorithm;

    use super::*;
    use crate::{AgencyName, Issuer, PathReason, Profile, Subject, TrustStore};

    const NOW: i64 = 1_790_000_000;
    const KIND: &str = "application/vnd.chancery.test+cbor";

    fn root() -> Issuer {
        Issuer::new_root("Root", &[], Algorithm::EdDsa, NOW).expect("a root")
    }

    fn seal_of(root: &Issuer) -> Credential {
        let key = SigningKey::generate(Algorithm::EdDsa).expect("random bytes");
        let agency: AgencyName = "a.gov.cn".parse().expect("a name");
        let subject = Subject::agency(Profile::Seal, agency, "A");
        let certificate = root.issue(&subject, &key.public_key(), NOW).expect("a seal");
        Credential::new(key, vec![certificate]).expect("fits")
    }

    fn open(bytes: &[u8], trust: &TrustStore, at: i64) -> Result<Opened<String>, SealError> {
        open_sealed(KIND, bytes, &Scrutiny::without_lists(trust, at))
    }

    #[test]
    fn only_one_signature_by_a_valid_seal_over_the_right_kind_opens_a_statement() {
        let root = root();
        let trust = TrustStore::new([root.certificate().clone()]).expect("an anchor");
        let good = seal_of(&root);
        let bytes = seal(KIND, &"what it says", &good, NOW).expect("seals");
        let opened = open(&bytes, &trust, NOW).expect("opens");
        assert_eq!((opened.value.as_str(), &opened.signer), ("what it says", good.name()));

        // Genuine in every byte, but under a root that is not ours.
        let foreign = seal(KIND, &"what it says", &seal_of(&self::root()), NOW).expect("seals");
        let path = |result: Result<_, SealError>| match result {
            Err(SealError::Path(error)) => Some(error.reason),
            _ => None,
        };
        assert_eq!(path(open(&foreign, &trust, NOW)), Some(PathReason::UnknownAuthority));
        // Out of the seal's time.
        let late = NOW + Profile::Seal.default_validity() + 1;
        assert_eq!(path(open(&bytes, &trust, late)), Some(PathReason::Expired));
        // Another kind of statement, and two signatures where one must stand.
        let other = seal("text/plain", &"what it says", &good, NOW).expect("seals");
        assert!(matches!(open(&other, &trust, NOW), Err(SealError::ContentType { .. })));
        let twice = CoseSign::decode(&bytes).expect("decodes").into_builder();
        let twice = good.sign(twice, Commitment::Origin, NOW).and_then(CoseBuilder::encode);
        assert!(matches!(open(&twice.expect("signs"), &trust, NOW), Err(SealError::Crypto(_))));
    }
}
