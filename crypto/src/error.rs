use thiserror::Error;

/// What is wrong with a CBOR item that should be deterministic (RFC 8949 §4.2.1).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CborError {
    /// The input ended inside an item.
    #[error("the CBOR item is cut off at byte {0}")]
    Truncated(usize),
    /// Bytes follow the one item that was expected.
    #[error("bytes follow the CBOR item at byte {0}")]
    Trailing(usize),
    /// A head is longer than it need be, or a length is indefinite.
    #[error("the CBOR head at byte {0} is not in its shortest definite form")]
    NotShortest(usize),
    /// Map keys are not in ascending bytewise order, or one stands twice.
    #[error("the CBOR map key at byte {0} is out of order or stands twice")]
    KeyOrder(usize),
    /// A simple value, float or reserved head that this profile does not use.
    #[error("the CBOR item at byte {0} is of a kind that this format does not use")]
    Unsupported(usize),
    /// A text string is not UTF-8.
    #[error("the CBOR text at byte {0} is not UTF-8")]
    Utf8(usize),
    /// Items are nested deeper than the limit.
    #[error("CBOR items are nested deeper than {0} levels")]
    Depth(usize),
    /// The input is larger than the limit.
    #[error("the CBOR item has {0} bytes; at most {1} are allowed here")]
    TooLarge(usize, usize),
    /// Written by a newer version, in a way that this one cannot pass over.
    #[error("a newer version is needed: {0} is not known here")]
    Newer(String),
    /// Well-formed and deterministic, but not the structure that was expected.
    #[error("the CBOR item has not the expected structure: {0}")]
    Structure(String),
}

/// What went wrong in a cryptographic operation or while reading its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CryptoError {
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Random,
    /// A private key could not be read.
    #[error("the private key cannot be used: {0}")]
    PrivateKey(String),
    /// A private key file is encrypted and no passphrase was given.
    #[error("the private key is encrypted and no passphrase was given")]
    PassphraseNeeded,
    /// The passphrase does not open the private key.
    #[error("the passphrase does not open the private key")]
    WrongPassphrase,
    /// A public key is of no accepted kind.
    #[error("the public key cannot be used: {0}")]
    PublicKey(String),
    /// The signature does not verify.
    #[error("the signature does not match the signed bytes and the key")]
    BadSignature,
    /// The signature's algorithm does not fit the key.
    #[error("the signature algorithm {0} does not fit the key")]
    AlgorithmMismatch(String),
    /// A COSE structure is not as RFC 9052 wants it, or uses what we do not know.
    #[error("the COSE structure is not acceptable: {0}")]
    Cose(String),
    /// The CBOR underneath is not acceptable.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// More than a verifier should be made to work through.
    #[error("it has more than {most} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many are allowed.
        most: usize,
    },
    /// HPKE could not wrap or unwrap the key.
    #[error("the content key cannot be {0}")]
    Hpke(&'static str),
    /// An encrypted chunk does not authenticate.
    #[error(
        "encrypted chunk {0} does not authenticate: it was altered, moved, or the key is wrong"
    )]
    Chunk(u64),
    /// The encrypted stream ended before its last chunk, or goes on after it.
    #[error("the encrypted stream is cut off or too long at chunk {0}")]
    StreamEnd(u64),
}
