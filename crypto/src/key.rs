use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use ring::{
    rand::SystemRandom,
    signature::{self as sig, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{CryptoError, HashAlgorithm, KeyFault, PublicKeyFault};

/// PBKDF2 rounds for encrypted key files: OWASP's figure for HMAC-SHA-256.
const PBKDF2_ROUNDS: u32 = 600_000;

/// SubjectPublicKeyInfo up to the key bits (RFC 5480, RFC 8410); the key follows whole.
const SPKI_P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const SPKI_P384: [u8; 23] = [
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
    0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00,
];
const SPKI_ED25519: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// PKCS#8 version 1 of an Ed25519 seed (RFC 8410 §7); `ring` itself writes version 2, which
/// OpenSSL 3.0 does not read.
const PKCS8_ED25519: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// The algorithms Chancery signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256 (COSE ES256). The default: cards, HSMs and EU tools speak it.
    #[default]
    #[serde(rename = "p256")]
    Es256,
    /// ECDSA on P-384 with SHA-384 (COSE ES384).
    #[serde(rename = "p384")]
    Es384,
    /// Ed25519 (COSE EdDSA).
    #[serde(rename = "ed25519")]
    EdDsa,
}

impl Algorithm {
    /// The algorithm's short name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Es256 => "p256",
            Self::Es384 => "p384",
            Self::EdDsa => "ed25519",
        }
    }

    fn fixed(self) -> Option<&'static sig::EcdsaSigningAlgorithm> {
        match self {
            Self::Es256 => Some(&sig::ECDSA_P256_SHA256_FIXED_SIGNING),
            Self::Es384 => Some(&sig::ECDSA_P384_SHA384_FIXED_SIGNING),
            Self::EdDsa => None,
        }
    }

    fn der(self) -> Option<&'static sig::EcdsaSigningAlgorithm> {
        match self {
            Self::Es256 => Some(&sig::ECDSA_P256_SHA256_ASN1_SIGNING),
            Self::Es384 => Some(&sig::ECDSA_P384_SHA384_ASN1_SIGNING),
            Self::EdDsa => None,
        }
    }
}

#[expect(clippy::large_enum_variant, reason = "a handful of keys live in a process")]
enum Pair {
    /// The same key twice: `ring` ties the signature's encoding to the key object.
    Ecdsa {
        fixed: EcdsaKeyPair,
        der: EcdsaKeyPair,
    },
    Ed25519(Ed25519KeyPair),
    External(Box<dyn ExternalKey>),
}

/// A private key that lives elsewhere and never leaves there: in a smart card or an HSM.
pub trait ExternalKey: Send + Sync {
    /// The public half, which also says the algorithm.
    fn public_key(&self) -> PublicKey;

    /// Signs a message (which is hashed first where the algorithm asks for it), in the form that
    /// [`SigningKey::sign`] gives.
    ///
    /// # Errors
    /// [`CryptoError::PrivateKey`], saying what the device says.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError>;
}

/// A private signing key. Its PKCS#8 bytes, if they are here, are zeroized when dropped.
pub struct SigningKey {
    algorithm: Algorithm,
    pair: Pair,
    pkcs8: Option<Zeroizing<Vec<u8>>>,
    rng: SystemRandom,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.algorithm.name())
    }
}

impl SigningKey {
    /// A fresh key.
    ///
    /// # Errors
    /// [`CryptoError::Random`] when the operating system gives no random bytes.
    pub fn generate(algorithm: Algorithm) -> Result<Self, CryptoError> {
        let pkcs8 = match algorithm.fixed() {
            Some(ecdsa) => EcdsaKeyPair::generate_pkcs8(ecdsa, &SystemRandom::new())
                .map_err(|_| CryptoError::Random)?
                .as_ref()
                .to_vec(),
            None => {
                let seed = Zeroizing::new(crate::random::<32>()?);
                PKCS8_ED25519.iter().chain(seed.iter()).copied().collect()
            }
        };
        Self::from_pkcs8_der(Zeroizing::new(pkcs8))
    }

    /// A key from unencrypted PKCS#8 DER (RFC 5958). The public key that ECPrivateKey may hold (RFC 5915 §3) is checked when it
    /// is there, and computed when it is not.
    ///
    /// # Errors
    /// [`CryptoError::PrivateKey`] when it is no P-256, P-384 or Ed25519 key.
    pub fn from_pkcs8_der(pkcs8: Zeroizing<Vec<u8>>) -> Result<Self, CryptoError> {
        if let Some(key) = Self::ecdsa(&pkcs8).or_else(|| Self::ecdsa(&ec_pkcs8(&pkcs8)?)) {
            return Ok(key);
        }
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8)
            .map_err(|e| CryptoError::PrivateKey(KeyFault::Kind { detail: e.to_string() }))?;
        let (algorithm, pair) = (Algorithm::EdDsa, Pair::Ed25519(pair));
        Ok(Self { algorithm, pair, pkcs8: Some(pkcs8), rng: SystemRandom::new() })
    }

    /// An ECDSA key from PKCS#8 in the form that `ring` and other TLS stacks want: with the public key.
    fn ecdsa(pkcs8: &Zeroizing<Vec<u8>>) -> Option<Self> {
        let rng = SystemRandom::new();
        [Algorithm::Es256, Algorithm::Es384].into_iter().find_map(|algorithm| {
            let fixed = EcdsaKeyPair::from_pkcs8(algorithm.fixed()?, pkcs8, &rng).ok()?;
            let der = EcdsaKeyPair::from_pkcs8(algorithm.der()?, pkcs8, &rng).ok()?;
            let (pair, pkcs8) = (Pair::Ecdsa { fixed, der }, Some(pkcs8.clone()));
            Some(Self { algorithm, pair, pkcs8, rng: rng.clone() })
        })
    }

    /// A key from DER: PKCS#8, encrypted (RFC 8018 PBES2) or not, or SEC 1's ECPrivateKey (RFC 5915).
    ///
    /// # Errors
    /// [`CryptoError::PassphraseNeeded`], [`CryptoError::WrongPassphrase`] or [`CryptoError::PrivateKey`].
    pub fn from_der(
        der: Zeroizing<Vec<u8>>,
        passphrase: Option<&[u8]>,
    ) -> Result<Self, CryptoError> {
        if let Ok(info) = pkcs8::EncryptedPrivateKeyInfo::try_from(der.as_slice()) {
            let passphrase = passphrase.ok_or(CryptoError::PassphraseNeeded)?;
            check_work(&info)?;
            let plain = info.decrypt(passphrase).map_err(|_| CryptoError::WrongPassphrase)?;
            return Self::from_pkcs8_der(Zeroizing::new(plain.as_bytes().to_vec()));
        }
        match ec_sec1(&der).and_then(|pkcs8| Self::ecdsa(&pkcs8)) {
            Some(key) => Ok(key),
            None => Self::from_pkcs8_der(der),
        }
    }

    /// A key in a device.
    ///
    /// # Errors
    /// [`CryptoError::PrivateKey`] when it is of a kind that Chancery does not sign with.
    pub fn external(key: Box<dyn ExternalKey>) -> Result<Self, CryptoError> {
        let kind = key.public_key();
        let algorithm = kind.algorithm().ok_or_else(|| {
            CryptoError::PrivateKey(KeyFault::Kind { detail: kind.kind().to_owned() })
        })?;
        let (pair, rng) = (Pair::External(key), SystemRandom::new());
        Ok(Self { algorithm, pair, pkcs8: None, rng })
    }

    /// A key from PEM: PKCS#8, encrypted (RFC 8018 PBES2) or not, or SEC 1's ECPrivateKey (RFC 5915 §4).
    ///
    /// # Errors
    /// [`CryptoError::PassphraseNeeded`], [`CryptoError::WrongPassphrase`] or
    /// [`CryptoError::PrivateKey`].
    pub fn from_pem(text: &str, passphrase: Option<&[u8]>) -> Result<Self, CryptoError> {
        let blocks = pem::parse_many(text)
            .map_err(|e| CryptoError::PrivateKey(KeyFault::NotPkcs8 { detail: e.to_string() }))?;
        // OpenSSL's `ecparam -genkey` writes the curve before the key, which names it again.
        let block = blocks.into_iter().find(|block| block.tag() != "EC PARAMETERS");
        let block = block.ok_or(CryptoError::PrivateKey(KeyFault::NoBlock))?;
        match block.tag() {
            "EC PRIVATE KEY" if block.headers().iter().any(|(name, _)| name == "DEK-Info") => {
                Err(CryptoError::PrivateKey(KeyFault::OldEncryption))
            }
            "PRIVATE KEY" | "ENCRYPTED PRIVATE KEY" | "EC PRIVATE KEY" => {
                Self::from_der(Zeroizing::new(block.into_contents()), passphrase)
            }
            other => Err(CryptoError::PrivateKey(KeyFault::Block { tag: other.to_owned() })),
        }
    }

    /// The key as PKCS#8 PEM; encrypted (PBES2: PBKDF2-HMAC-SHA-256, AES-256-CBC) when a passphrase
    /// is given.
    ///
    /// # Errors
    /// [`CryptoError::Random`] or [`CryptoError::PrivateKey`].
    pub fn to_pem(&self, passphrase: Option<&[u8]>) -> Result<Zeroizing<String>, CryptoError> {
        let own = self.pkcs8_der()?;
        let Some(passphrase) = passphrase else {
            let block = pem::Pem::new("PRIVATE KEY", own.to_vec());
            return Ok(Zeroizing::new(encode_pem(&block)));
        };
        let failed = |e: &dyn fmt::Display| {
            CryptoError::PrivateKey(KeyFault::Other { detail: e.to_string() })
        };
        let (salt, iv) = (crate::random::<16>()?, crate::random::<16>()?);
        let parameters =
            pkcs8::pkcs5::pbes2::Parameters::pbkdf2_sha256_aes256cbc(PBKDF2_ROUNDS, &salt, &iv)
                .map_err(|e| failed(&e))?;
        let info = pkcs8::PrivateKeyInfo::try_from(own.as_slice()).map_err(|e| failed(&e))?;
        let sealed = info.encrypt_with_params(parameters, passphrase).map_err(|e| failed(&e))?;
        let block = pem::Pem::new("ENCRYPTED PRIVATE KEY", sealed.as_bytes().to_vec());
        Ok(Zeroizing::new(encode_pem(&block)))
    }

    /// The unencrypted PKCS#8 DER, for a TLS stack.
    ///
    /// # Errors
    /// [`CryptoError::PrivateKey`] when the key lives in a device and cannot leave it.
    pub fn pkcs8_der(&self) -> Result<&Zeroizing<Vec<u8>>, CryptoError> {
        let inside = || CryptoError::PrivateKey(KeyFault::InDevice);
        self.pkcs8.as_ref().ok_or_else(inside)
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        match (&self.pair, self.algorithm) {
            (Pair::Ecdsa { fixed, .. }, Algorithm::Es384) => {
                PublicKey::P384(fixed.public_key().as_ref().to_vec())
            }
            (Pair::Ecdsa { fixed, .. }, _) => PublicKey::P256(fixed.public_key().as_ref().to_vec()),
            (Pair::Ed25519(pair), _) => PublicKey::Ed25519(pair.public_key().as_ref().to_vec()),
            (Pair::External(key), _) => key.public_key(),
        }
    }

    /// Signs in the form COSE wants: `r || s` of fixed length (RFC 9053 §2.1), or Ed25519.
    ///
    /// # Errors
    /// [`CryptoError::Random`].
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match &self.pair {
            Pair::Ecdsa { fixed, .. } => fixed
                .sign(&self.rng, message)
                .map(|s| s.as_ref().to_vec())
                .map_err(|_| CryptoError::Random),
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::External(key) => key.sign(message),
        }
    }

    /// Signs in the form X.509 and signed notes want: a DER ECDSA-Sig-Value, or Ed25519.
    ///
    /// # Errors
    /// [`CryptoError::Random`].
    pub fn sign_der(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match &self.pair {
            Pair::Ecdsa { der, .. } => der
                .sign(&self.rng, message)
                .map(|s| s.as_ref().to_vec())
                .map_err(|_| CryptoError::Random),
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::External(key) if self.algorithm == Algorithm::EdDsa => key.sign(message),
            Pair::External(key) => key.sign(message).map(|fixed| ecdsa_der(&fixed)),
        }
    }
}

/// The PKCS#8 of an EC key in PKCS#8, its public key computed where it stood none.
fn ec_pkcs8(pkcs8: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    use p256::elliptic_curve::pkcs8::DecodePrivateKey;
    let p256 = p256::SecretKey::from_pkcs8_der(pkcs8).ok().and_then(|key| encode_ec(&key));
    p256.or_else(|| p384::SecretKey::from_pkcs8_der(pkcs8).ok().and_then(|key| encode_ec(&key)))
}

/// The PKCS#8 of an EC key in SEC 1's form. It need not name its curve: the private key's length tells the two apart.
fn ec_sec1(sec1: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    use pkcs8::der::{Decode as _, SliceReader, asn1};
    let sequence = asn1::AnyRef::from_der(sec1).ok()?;
    let mut reader = SliceReader::new(sequence.value()).ok()?;
    u8::decode(&mut reader).ok()?;
    match asn1::OctetStringRef::decode(&mut reader).ok()?.as_bytes().len() {
        32 => encode_ec(&p256::SecretKey::from_sec1_der(sec1).ok()?),
        48 => encode_ec(&p384::SecretKey::from_sec1_der(sec1).ok()?),
        _ => None,
    }
}

fn encode_ec(
    key: &impl p256::elliptic_curve::pkcs8::EncodePrivateKey,
) -> Option<Zeroizing<Vec<u8>>> {
    Some(Zeroizing::new(key.to_pkcs8_der().ok()?.as_bytes().to_vec()))
}

/// An ECDSA-Sig-Value (RFC 3279 §2.2.3) of a signature in fixed form.
fn ecdsa_der(fixed: &[u8]) -> Vec<u8> {
    let integer = |half: &[u8]| {
        let digits = half.iter().copied().skip_while(|byte| *byte == 0);
        let mut digits: Vec<u8> = digits.collect();
        if digits.first().is_none_or(|first| first & 0x80 != 0) {
            digits.insert(0, 0);
        }
        [&[0x02, digits.len() as u8], digits.as_slice()].concat()
    };
    // Two INTEGERs of at most 49 bytes: every length stands in one byte.
    let (r, s) = fixed.split_at(fixed.len() / 2);
    let both = [integer(r), integer(s)].concat();
    [&[0x30, both.len() as u8], both.as_slice()].concat()
}

fn encode_pem(block: &pem::Pem) -> String {
    pem::encode_config(block, pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF))
}

/// Refuses a key file whose key derivation asks for absurd work or memory.
fn check_work(info: &pkcs8::EncryptedPrivateKeyInfo<'_>) -> Result<(), CryptoError> {
    use pkcs8::pkcs5::{EncryptionScheme, pbes2::Kdf};
    let EncryptionScheme::Pbes2(parameters) = &info.encryption_algorithm else {
        return Err(CryptoError::PrivateKey(KeyFault::NotPbes2));
    };
    let fits = match &parameters.kdf {
        Kdf::Pbkdf2(p) => p.iteration_count <= 10_000_000,
        Kdf::Scrypt(p) => {
            p.cost_parameter <= 1 << 20 && p.block_size <= 16 && p.parallelization <= 16
        }
        _ => false,
    };
    if !fits {
        return Err(CryptoError::PrivateKey(KeyFault::TooMuchWork));
    }
    Ok(())
}

/// A public key that can verify signatures.
#[derive(Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// An uncompressed P-256 point.
    P256(Vec<u8>),
    /// An uncompressed P-384 point.
    P384(Vec<u8>),
    /// An Ed25519 key of 32 bytes.
    Ed25519(Vec<u8>),
    /// A PKCS#1 RSAPublicKey in DER; verifies certificates of others, never made here.
    Rsa(Vec<u8>),
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.kind())
    }
}

impl PublicKey {
    /// The key's kind in a word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::P256(_) => "p256",
            Self::P384(_) => "p384",
            Self::Ed25519(_) => "ed25519",
            Self::Rsa(_) => "rsa",
        }
    }

    /// The algorithm that COSE signatures by this key use, if we make such signatures.
    pub fn algorithm(&self) -> Option<Algorithm> {
        match self {
            Self::P256(_) => Some(Algorithm::Es256),
            Self::P384(_) => Some(Algorithm::Es384),
            Self::Ed25519(_) => Some(Algorithm::EdDsa),
            Self::Rsa(_) => None,
        }
    }

    /// The length of an RSA modulus in bits; `None` for other keys, and for one that cannot be read.
    pub fn rsa_bits(&self) -> Option<usize> {
        let Self::Rsa(der) = self else { return None };
        let sequence = pkcs8::der::asn1::AnyRef::try_from(der.as_slice()).ok()?;
        let mut reader = pkcs8::der::SliceReader::new(sequence.value()).ok()?;
        let modulus: pkcs8::der::asn1::UintRef<'_> =
            pkcs8::der::Decode::decode(&mut reader).ok()?;
        let bytes = modulus.as_bytes();
        let top = bytes.first()?.leading_zeros();
        (bytes.len() * 8).checked_sub(usize::try_from(top).ok()?)
    }

    /// The SubjectPublicKeyInfo DER (RFC 5280 §4.1.2.7), or `None` for RSA.
    pub fn spki_der(&self) -> Option<Vec<u8>> {
        let (prefix, key): (&[u8], _) = match self {
            Self::P256(key) => (&SPKI_P256, key),
            Self::P384(key) => (&SPKI_P384, key),
            Self::Ed25519(key) => (&SPKI_ED25519, key),
            Self::Rsa(_) => return None,
        };
        Some(prefix.iter().chain(key).copied().collect())
    }

    /// Verifies a signature in COSE form; see [`SigningKey::sign`].
    ///
    /// # Errors
    /// [`CryptoError::BadSignature`], or [`CryptoError::AlgorithmMismatch`] when `algorithm` does
    /// not fit this key.
    pub fn verify(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        match (self, algorithm) {
            (Self::P256(key), Algorithm::Es256) => {
                check(&sig::ECDSA_P256_SHA256_FIXED, key, message, signature)
            }
            (Self::P384(key), Algorithm::Es384) => {
                check(&sig::ECDSA_P384_SHA384_FIXED, key, message, signature)
            }
            (Self::Ed25519(key), Algorithm::EdDsa) => check(&sig::ED25519, key, message, signature),
            _ => Err(CryptoError::AlgorithmMismatch(algorithm.name().into())),
        }
    }

    /// Verifies a signature in X.509 form under a named scheme.
    ///
    /// # Errors
    /// As [`PublicKey::verify`].
    pub fn verify_der(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        use SignatureScheme as S;
        let algorithm: &'static dyn sig::VerificationAlgorithm = match (self, scheme) {
            (Self::P256(_), S::EcdsaSha256) => &sig::ECDSA_P256_SHA256_ASN1,
            (Self::P256(_), S::EcdsaSha384) => &sig::ECDSA_P256_SHA384_ASN1,
            (Self::P384(_), S::EcdsaSha256) => &sig::ECDSA_P384_SHA256_ASN1,
            (Self::P384(_), S::EcdsaSha384) => &sig::ECDSA_P384_SHA384_ASN1,
            (Self::Ed25519(_), S::Ed25519) => &sig::ED25519,
            (Self::Rsa(_), S::RsaPkcs1Sha256) => &sig::RSA_PKCS1_2048_8192_SHA256,
            (Self::Rsa(_), S::RsaPkcs1Sha384) => &sig::RSA_PKCS1_2048_8192_SHA384,
            (Self::Rsa(_), S::RsaPkcs1Sha512) => &sig::RSA_PKCS1_2048_8192_SHA512,
            (Self::Rsa(_), S::RsaPssSha256) => &sig::RSA_PSS_2048_8192_SHA256,
            (Self::Rsa(_), S::RsaPssSha384) => &sig::RSA_PSS_2048_8192_SHA384,
            (Self::Rsa(_), S::RsaPssSha512) => &sig::RSA_PSS_2048_8192_SHA512,
            (Self::Rsa(_), S::RsaPss { hash, salt }) => {
                return self.verify_pss(hash, salt, message, signature);
            }
            _ => {
                let scheme = format!("{scheme:?}");
                return Err(CryptoError::AlgorithmMismatch(scheme));
            }
        };
        let (Self::P256(key) | Self::P384(key) | Self::Ed25519(key) | Self::Rsa(key)) = self;
        check(algorithm, key, message, signature)
    }

    /// RSASSA-PSS with a salt of any length, which `ring` does not verify.
    fn verify_pss(
        &self,
        hash: HashAlgorithm,
        salt: u32,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        use libcrux_rsa::{DigestAlgorithm, VarLenPublicKey};
        let unsupported = || CryptoError::PublicKey(PublicKeyFault::PssKey { salt });
        let (modulus, exponent) = self.rsa_parts().ok_or_else(unsupported)?;
        // Whole octets: the library takes a modulus to be as long as its octets.
        if exponent != [1, 0, 1] || modulus.first().is_none_or(|first| first & 0x80 == 0) {
            return Err(unsupported());
        }
        let key = VarLenPublicKey::try_from(modulus.as_slice()).map_err(|_| unsupported())?;
        let hash = match hash {
            HashAlgorithm::Sha256 => DigestAlgorithm::Sha2_256,
            HashAlgorithm::Sha384 => DigestAlgorithm::Sha2_384,
            HashAlgorithm::Sha512 => DigestAlgorithm::Sha2_512,
        };
        // A salt that is longer than the signature can be none's.
        if salt as usize > modulus.len() {
            return Err(CryptoError::BadSignature);
        }
        libcrux_rsa::verify(hash, &key, message, salt, signature)
            .map_err(|_| CryptoError::BadSignature)
    }

    /// Modulus and public exponent, without leading zeros.
    fn rsa_parts(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        use pkcs8::der::{
            Decode as _, Reader as _, SliceReader,
            asn1::{AnyRef, UintRef},
        };
        let Self::Rsa(der) = self else { return None };
        let sequence = AnyRef::try_from(der.as_slice()).ok()?;
        let mut reader = SliceReader::new(sequence.value()).ok()?;
        let modulus = UintRef::decode(&mut reader).ok()?;
        let exponent = UintRef::decode(&mut reader).ok()?;
        reader.is_finished().then(|| (modulus.as_bytes().to_vec(), exponent.as_bytes().to_vec()))
    }

    /// The X.509 scheme that [`SigningKey::sign_der`] uses for this kind of key.
    pub fn own_scheme(&self) -> Option<SignatureScheme> {
        match self {
            Self::P256(_) => Some(SignatureScheme::EcdsaSha256),
            Self::P384(_) => Some(SignatureScheme::EcdsaSha384),
            Self::Ed25519(_) => Some(SignatureScheme::Ed25519),
            Self::Rsa(_) => None,
        }
    }
}

fn check(
    algorithm: &'static dyn sig::VerificationAlgorithm,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), CryptoError> {
    VERIFIED.fetch_add(1, Ordering::Relaxed);
    UnparsedPublicKey::new(algorithm, key)
        .verify(message, signature)
        .map_err(|_| CryptoError::BadSignature)
}

/// How many signatures this process has verified, or found bad: what a node mostly does, for whoever measures it.
static VERIFIED: AtomicU64 = AtomicU64::new(0);

/// How many signatures this process has verified, or found bad, since it began. Those of TLS are not among them.
pub fn verified_signatures() -> u64 {
    VERIFIED.load(Ordering::Relaxed)
}

/// A signature scheme of X.509: key type and hash together (RFC 5758, RFC 8410, RFC 4055 §5). RSASSA-PSS
/// is with MGF1 of the same hash and, where nothing else is said, a salt of its length (RFC 4055 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum SignatureScheme {
    EcdsaSha256,
    EcdsaSha384,
    Ed25519,
    RsaPkcs1Sha256,
    RsaPkcs1Sha384,
    RsaPkcs1Sha512,
    RsaPssSha256,
    RsaPssSha384,
    RsaPssSha512,
    /// RSASSA-PSS whose salt has another length.
    RsaPss {
        hash: HashAlgorithm,
        salt: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key that is not at hand, as one in a card is not.
    struct Card(SigningKey);

    impl ExternalKey for Card {
        fn public_key(&self) -> PublicKey {
            self.0.public_key()
        }

        fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
            self.0.sign(message)
        }
    }

    #[test]
    fn a_key_in_a_device_signs_in_both_forms_and_cannot_be_taken_out() {
        for algorithm in [Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa] {
            let inner = SigningKey::generate(algorithm).expect("random bytes");
            let key = SigningKey::external(Box::new(Card(inner))).expect("a key of ours");
            let public = key.public_key();
            // Many times: the DER form depends on the signature's leading bits.
            for message in 0..64u8 {
                let signature = key.sign(&[message]).expect("signs");
                assert_eq!(public.verify(algorithm, &[message], &signature), Ok(()));
                let der = key.sign_der(&[message]).expect("signs");
                let scheme = public.own_scheme().expect("a scheme");
                assert_eq!(public.verify_der(scheme, &[message], &der), Ok(()));
            }
            assert!(key.to_pem(None).is_err());
        }
    }

    #[test]
    fn each_algorithm_signs_and_a_changed_message_or_key_is_refused() {
        for algorithm in [Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa] {
            let key = SigningKey::generate(algorithm).expect("random bytes");
            let public = key.public_key();
            let signature = key.sign(b"text").expect("signs");
            public.verify(algorithm, b"text", &signature).expect("verifies");
            assert_eq!(
                public.verify(algorithm, b"Text", &signature),
                Err(CryptoError::BadSignature)
            );
            let scheme = public.own_scheme().expect("ours");
            let signature = key.sign_der(b"text").expect("signs");
            public.verify_der(scheme, b"text", &signature).expect("verifies");
            assert!(public.verify_der(scheme, b"Text", &signature).is_err());
            let other = SigningKey::generate(algorithm).expect("random bytes").public_key();
            assert!(other.verify_der(scheme, b"text", &signature).is_err());
        }
    }

    #[test]
    fn a_key_file_opens_with_its_passphrase_only() {
        let key = SigningKey::generate(Algorithm::EdDsa).expect("random bytes");
        let sealed = key.to_pem(Some(b"correct horse")).expect("encrypts");
        assert!(sealed.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
        let back = SigningKey::from_pem(&sealed, Some(b"correct horse")).expect("opens");
        assert_eq!(back.public_key(), key.public_key());
        let open = |pass: Option<&[u8]>| SigningKey::from_pem(&sealed, pass).map(drop);
        assert_eq!(open(Some(b"wrong")), Err(CryptoError::WrongPassphrase));
        assert_eq!(open(None), Err(CryptoError::PassphraseNeeded));
        let plain = key.to_pem(None).expect("encodes");
        assert!(SigningKey::from_pem(&plain, None).is_ok());
        assert!(matches!(SigningKey::from_pem("no key", None), Err(CryptoError::PrivateKey(_))));
    }

    const WITHOUT_P256: &[u8] = &[
        0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
        0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25,
        0x02, 0x01, 0x01, 0x04, 0x20,
    ];
    const WITHOUT_P384: &[u8] = &[
        0x30, 0x4e, 0x02, 0x01, 0x00, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
        0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x04, 0x37, 0x30, 0x35, 0x02, 0x01, 0x01,
        0x04, 0x30,
    ];
    const CURVES: [(Algorithm, &[u8], usize); 2] =
        [(Algorithm::Es256, WITHOUT_P256, 32), (Algorithm::Es384, WITHOUT_P384, 48)];

    /// The private scalar of a key in `ring`'s form.
    fn scalar(key: &SigningKey, length: usize) -> Vec<u8> {
        let der = key.pkcs8_der().expect("a key of ours");
        let before = [2, 1, 1, 4, length as u8];
        let at = der.windows(5).position(|bytes| bytes == before).expect("an ECPrivateKey") + 5;
        der[at..at + length].to_vec()
    }

    fn read(der: &[u8]) -> Result<SigningKey, CryptoError> {
        SigningKey::from_der(Zeroizing::new(der.to_vec()), None)
    }

    #[test]
    fn an_ec_key_without_its_public_key_is_read_and_written_with_it() {
        for (algorithm, without, length) in CURVES {
            for _ in 0..20 {
                let key = SigningKey::generate(algorithm).expect("random bytes");
                let scalar = scalar(&key, length);
                let back = read(&[without, &scalar].concat()).expect("it says all that is needed");
                assert_eq!(back.public_key(), key.public_key());
                assert_eq!(back.algorithm(), algorithm);
                let signature = back.sign(b"text").expect("signs");
                assert_eq!(key.public_key().verify(algorithm, b"text", &signature), Ok(()));
                // Whoever takes the DER, a TLS stack, wants the public key.
                assert_eq!(
                    back.pkcs8_der().expect("it is here"),
                    key.pkcs8_der().expect("it is here")
                );

                // SEC 1's own form, which is the end of the other.
                let sec1 = [&without[without.len() - 7..], &scalar].concat();
                let text = pem::encode(&pem::Pem::new("EC PRIVATE KEY", sec1.clone()));
                let curve = pem::encode(&pem::Pem::new("EC PARAMETERS", [6, 1, 0]));
                for read in [
                    read(&sec1),
                    SigningKey::from_pem(&text, None),
                    SigningKey::from_pem(&format!("{curve}{text}"), None),
                ] {
                    assert_eq!(read.expect("the same key").public_key(), key.public_key());
                }
            }
        }
    }

    #[test]
    fn an_ec_key_with_another_public_key_or_an_impossible_private_one_is_refused() {
        for (algorithm, without, length) in CURVES {
            let key = SigningKey::generate(algorithm).expect("random bytes");
            let other = SigningKey::generate(algorithm).expect("random bytes");
            let (mine, theirs) = (key.public_key(), other.public_key());
            let ((PublicKey::P256(mine), PublicKey::P256(theirs))
            | (PublicKey::P384(mine), PublicKey::P384(theirs))) = (mine, theirs)
            else {
                panic!("curves")
            };
            let mut der = key.pkcs8_der().expect("it is here").to_vec();
            let at = der.windows(mine.len()).position(|bytes| bytes == mine).expect("it is in it");
            der[at..at + theirs.len()].copy_from_slice(&theirs);
            assert!(matches!(read(&der), Err(CryptoError::PrivateKey(_))));
            for byte in [0, 0xff] {
                let impossible = [without, &vec![byte; length]].concat();
                assert!(matches!(read(&impossible), Err(CryptoError::PrivateKey(_))));
                let impossible = &impossible[without.len() - 7..];
                assert!(matches!(read(impossible), Err(CryptoError::PrivateKey(_))));
            }
            let whole = [without, &scalar(&key, length)].concat();
            for cut in 0..whole.len() {
                assert!(read(&whole[..cut]).is_err());
            }
            assert!(read(&[whole.as_slice(), &[0]].concat()).is_err());
        }
    }

    #[test]
    fn der_is_read_like_pem_and_what_openssl_encrypts_its_own_way_is_named() {
        let key = SigningKey::generate(Algorithm::Es256).expect("random bytes");
        let sealed = key.to_pem(Some(b"correct horse")).expect("encrypts");
        let sealed = Zeroizing::new(pem::parse(sealed.as_str()).expect("PEM").into_contents());
        let open = |pass: Option<&[u8]>| SigningKey::from_der(sealed.clone(), pass).map(drop);
        assert_eq!(open(Some(b"correct horse")), Ok(()));
        assert_eq!(open(Some(b"wrong")), Err(CryptoError::WrongPassphrase));
        assert_eq!(open(None), Err(CryptoError::PassphraseNeeded));
        assert!(read(key.pkcs8_der().expect("it is here")).is_ok());
        let old = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\
                   DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\nAAAA\n\
                   -----END EC PRIVATE KEY-----\n";
        let error = SigningKey::from_pem(old, Some(b"x")).expect_err("it is not read");
        assert_eq!(error, CryptoError::PrivateKey(KeyFault::OldEncryption));
        assert!(error.to_string().contains("pkcs8 -topk8"), "{error}");
    }
}
