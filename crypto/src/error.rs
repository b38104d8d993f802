use thiserror::Error;

use crate::{CoseFault, KeyFault, Many, PublicKeyFault, StructureFault, Unknown, WrapFault};

/// What is wrong with a CBOR item that should be deterministic (RFC 8949 §4.2.1).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CborError {
    /// The input ended inside an item.
    Truncated(usize),
    /// Bytes follow the one item that was expected.
    Trailing(usize),
    /// A head is longer than it need be, or a length is indefinite.
    NotShortest(usize),
    /// Map keys are not in ascending bytewise order, or one stands twice.
    KeyOrder(usize),
    /// A simple value, float or reserved head that this profile does not use.
    Unsupported(usize),
    /// A text string is not UTF-8.
    Utf8(usize),
    /// Items are nested deeper than the limit.
    Depth(usize),
    /// The input is larger than the limit.
    TooLarge(usize, usize),
    /// Written by a newer version, in a way that this one cannot pass over.
    Newer(Unknown),
    /// Well-formed and deterministic, but not the structure that was expected.
    Structure(StructureFault),
}

/// What went wrong in a cryptographic operation or while reading its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CryptoError {
    /// The operating system gave no random bytes.
    Random,
    /// A private key could not be read.
    PrivateKey(KeyFault),
    /// A private key file is encrypted and no passphrase was given.
    PassphraseNeeded,
    /// The passphrase does not open the private key.
    WrongPassphrase,
    /// A public key is of no accepted kind.
    PublicKey(PublicKeyFault),
    /// The signature does not verify.
    BadSignature,
    /// The signature's algorithm does not fit the key.
    AlgorithmMismatch(String),
    /// A COSE structure is not as RFC 9052 wants it, or uses what we do not know.
    Cose(CoseFault),
    /// The CBOR underneath is not acceptable.
    Cbor(#[from] CborError),
    /// More than a verifier should be made to work through.
    TooMany {
        /// Of what.
        what: Many,
        /// How many are allowed.
        most: usize,
    },
    /// HPKE could not wrap or unwrap the key.
    Hpke(WrapFault),
    /// An encrypted chunk does not authenticate.
    Chunk(u64),
    /// The encrypted stream ended before its last chunk, or goes on after it.
    StreamEnd(u64),
}

impl CryptoError {
    /// Its stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Random => "CHY-1001",
            Self::PrivateKey(_) => "CHY-1002",
            Self::PassphraseNeeded => "CHY-1003",
            Self::WrongPassphrase => "CHY-1004",
            Self::PublicKey(_) => "CHY-1005",
            Self::BadSignature => "CHY-1006",
            Self::AlgorithmMismatch(_) => "CHY-1007",
            Self::Cose(_) => "CHY-1008",
            Self::Cbor(error) => error.code(),
            Self::Hpke(_) => "CHY-1010",
            Self::Chunk(_) => "CHY-1011",
            Self::StreamEnd(_) => "CHY-1012",
            Self::TooMany { .. } => "CHY-1015",
        }
    }
}

impl CborError {
    /// Its stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Depth(_) => "CHY-1013",
            Self::TooLarge(..) => "CHY-1014",
            Self::Newer(_) => "CHY-1016",
            _ => "CHY-1009",
        }
    }
}
