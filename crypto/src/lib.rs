//! Keys, digests, COSE signatures, HPKE key wrapping, the STREAM cipher and deterministic CBOR.
//!
//! This is the lowest room of Chancery: no I/O, no async, no clock. Every primitive comes from a
//! library (`ring`, `hpke`, `graviola`); this crate only fixes which ones, how they are put together, and how
//! their bytes look. Nothing here knows what a certificate or a document is.
//!
//! ```
//! use chancery_crypto::{Algorithm, CoseSign, SigningKey};
//! let key = SigningKey::generate(Algorithm::Es256)?;
//! let signed = CoseSign::builder("text/plain", b"hello".to_vec())
//!     .sign(&key, Default::default())?
//!     .encode()?;
//! let parsed = CoseSign::decode(&signed)?;
//! assert!(parsed.verify(0, &key.public_key()).is_ok());
//! # Ok::<(), chancery_crypto::CryptoError>(())
//! ```

pub mod cbor;
mod cose;
mod digest;
mod error;
mod fault;
mod key;
mod language;
mod message;
mod receipt;
mod recipient;
mod storage;
mod stream;
mod wording;
mod xwing;

pub use cose::{
    Commitment, CoseBuilder, CoseSign, CoseSignature, MAX_RECEIPTS, ProtectedAttributes,
    SignatureAt, UnsignedElement,
};
pub use digest::{Digest, HashAlgorithm, Hasher, StreamingHash, sha1_of_certificate};
pub use error::{CborError, CryptoError};
pub use fault::{CoseFault, KeyFault, Many, PublicKeyFault, StructureFault, Unknown, WrapFault};
pub use key::{
    Algorithm, ExternalKey, PublicKey, SignatureScheme, SigningKey, verified_signatures,
};
pub use language::Language;
pub use message::{CoseMessage, MessageSignature, MessageSignatureKind};
pub use receipt::{CoseReceipt, ReceiptProof};
pub use recipient::{
    Kem, KemPrivateKey, KemPublicKey, PartOpener, PartSealer, RecipientKey, WrappedKey, XWingBy,
    unwrap_key, unwrap_key_with_part, wrap_key,
};
pub use storage::{IndexKey, StorageKey};
pub use stream::{
    CHUNK_OVERHEAD, CHUNK_PLAINTEXT, CHUNK_SIZE, ContentKey, StreamOpener, StreamSealer,
    ciphertext_len, plaintext_len,
};

/// Fills a fixed-size array from the operating system's random source.
///
/// # Errors
/// [`CryptoError::Random`] when the operating system gives none.
pub fn random<const N: usize>() -> Result<[u8; N], CryptoError> {
    let mut out = [0u8; N];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut out)
        .map_err(|_| CryptoError::Random)?;
    Ok(out)
}

/// Compares bytes in constant time; only their lengths can be learned from how long it takes.
pub fn equal(left: &[u8], right: &[u8]) -> bool {
    subtle::ConstantTimeEq::ct_eq(left, right).into()
}
