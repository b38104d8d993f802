//! The stable codes of what can go wrong below the node, and what to do about it.

use chancery_certs::{CertError, SealError};
use chancery_crypto::{CborError, CryptoError};

use crate::{EncryptedFileError, ProtocolError};

/// The stable code of a protocol error: 1xxx cryptography, 2xxx certificates, 3xxx documents.
pub fn protocol_code(error: &ProtocolError) -> &'static str {
    match error {
        ProtocolError::Crypto(e) => crypto_code(e),
        ProtocolError::Certificate(e) => cert_code(e),
        ProtocolError::Path(_) => "CHY-2010",
        ProtocolError::Seal(e) => match e {
            SealError::Crypto(e) => crypto_code(e),
            SealError::Certificate(e) => cert_code(e),
            SealError::Path(_) => "CHY-2010",
            SealError::ContentType { .. } => "CHY-2011",
            SealError::Signer { .. } => "CHY-2012",
            _ => "CHY-2013",
        },
        ProtocolError::Header(_) => "CHY-3001",
        ProtocolError::Classification(_) => "CHY-3050",
        ProtocolError::Content(_) => "CHY-3002",
        ProtocolError::PartDigest { .. } => "CHY-3003",
        ProtocolError::Envelope(_) => "CHY-3004",
        ProtocolError::Checkpoint(_) => "CHY-3005",
        ProtocolError::Proof(_) => "CHY-3006",
        ProtocolError::Receipt(_) => "CHY-3007",
        ProtocolError::Time(_) => "CHY-3040",
        ProtocolError::Container(_) => "CHY-3009",
        ProtocolError::Unsupported(_) => "CHY-3020",
        ProtocolError::EncryptedFile(e) => match e {
            EncryptedFileError::Format(_) => "CHY-3010",
            EncryptedFileError::Truncated { .. } => "CHY-3011",
            EncryptedFileError::Trailing { .. } => "CHY-3012",
            EncryptedFileError::Reordered { .. } => "CHY-3013",
            EncryptedFileError::Spliced { .. } => "CHY-3014",
            EncryptedFileError::Altered { .. } => "CHY-3015",
            EncryptedFileError::NotARecipient => "CHY-3016",
            EncryptedFileError::HeaderAltered => "CHY-3017",
        },
        _ => "CHY-3008",
    }
}

/// The stable code of a certificate error.
pub fn cert_code(error: &CertError) -> &'static str {
    match error {
        CertError::Name { .. } => "CHY-2001",
        CertError::Malformed(_) => "CHY-2002",
        CertError::NoCertificate => "CHY-2003",
        CertError::Crl(_) => "CHY-2020",
        CertError::Refused(_) => "CHY-2004",
        CertError::Mismatch(_) => "CHY-6011",
        CertError::Unverifiable(_) => "CHY-2005",
        CertError::Cms(_) => "CHY-2007",
        CertError::TimeStamp(_) => "CHY-2008",
        CertError::Path(_) => "CHY-2010",
        CertError::Crypto(e) => crypto_code(e),
        _ => "CHY-2006",
    }
}

/// The stable code of a cryptographic error.
pub fn crypto_code(error: &CryptoError) -> &'static str {
    match error {
        CryptoError::Random => "CHY-1001",
        CryptoError::PrivateKey(_) => "CHY-1002",
        CryptoError::PassphraseNeeded => "CHY-1003",
        CryptoError::WrongPassphrase => "CHY-1004",
        CryptoError::PublicKey(_) => "CHY-1005",
        CryptoError::BadSignature => "CHY-1006",
        CryptoError::AlgorithmMismatch(_) => "CHY-1007",
        CryptoError::Cose(_) => "CHY-1008",
        CryptoError::Cbor(CborError::Depth(_)) => "CHY-1013",
        CryptoError::Cbor(CborError::TooLarge(..)) => "CHY-1014",
        CryptoError::Cbor(CborError::Newer(_)) => "CHY-1016",
        CryptoError::TooMany { .. } => "CHY-1015",
        CryptoError::Cbor(_) => "CHY-1009",
        CryptoError::Hpke(_) => "CHY-1010",
        CryptoError::Chunk(_) => "CHY-1011",
        _ => "CHY-1012",
    }
}

/// What to do about a protocol error.
pub fn protocol_remedy(error: &ProtocolError) -> &'static str {
    match error {
        ProtocolError::Crypto(e) | ProtocolError::Seal(SealError::Crypto(e)) => crypto_remedy(e),
        ProtocolError::Certificate(e) | ProtocolError::Seal(SealError::Certificate(e)) => {
            cert_remedy(e)
        }
        ProtocolError::Path(_) | ProtocolError::Seal(_) => {
            "Check the certificates and the trust anchor; ask the signer's CA if they are right."
        }
        ProtocolError::Header(_) => "Correct the document's header.",
        ProtocolError::Classification(_) => {
            "Write 绝密, 机密, 秘密, 内部 or none, and the secrecy period apart from it or behind a star: 机密★10年."
        }
        ProtocolError::Content(_) | ProtocolError::PartDigest { .. } => {
            "Do not rely on the content; ask the sender for it again."
        }
        ProtocolError::Envelope(_) | ProtocolError::Message(_) => {
            "Report it to the operator of the sending node."
        }
        ProtocolError::Time(_) => {
            "Compare the clocks of the agencies; nothing is taken for false by it."
        }
        ProtocolError::Container(_) | ProtocolError::Unsupported(_) => {
            "Ask for the container again, or for the documents in another form."
        }
        ProtocolError::EncryptedFile(error) => match error {
            EncryptedFileError::Format(_) => "Give a file that `chancery encrypt` made.",
            EncryptedFileError::NotARecipient => {
                "Give the key of an agency that it was encrypted to, or ask the sender who that is."
            }
            _ => "Nothing was written. Ask the sender for the file again.",
        },
        _ => "Keep it as proof and report it to the agency whose ledger it is.",
    }
}

/// What to do about a certificate error.
pub fn cert_remedy(error: &CertError) -> &'static str {
    match error {
        CertError::Name { .. } => {
            "Write agencies as justice.gov.cn, officers as li@justice.gov.cn."
        }
        CertError::Malformed(_) | CertError::NoCertificate => {
            "Give an X.509 certificate in PEM or DER."
        }
        CertError::Crl(_) => "Give a revocation list as its CA made it, in PEM or DER.",
        CertError::Cms(_) | CertError::TimeStamp(_) => {
            "Ask the signer or the time-stamping authority for it again."
        }
        CertError::Path(_) => {
            "Check the certificates and the trust anchor; ask the signer's CA if they are right."
        }
        CertError::Refused(_) | CertError::Unverifiable(_) => {
            "Ask for a name, depth and validity that lie within the CA's own."
        }
        CertError::Mismatch(_) => {
            "Give key and certificate that were issued together, for this agency."
        }
        CertError::Crypto(e) => crypto_remedy(e),
        _ => "Check the display name and the other values that were given.",
    }
}

/// What to do about a cryptographic error.
pub fn crypto_remedy(error: &CryptoError) -> &'static str {
    match error {
        CryptoError::Random => "The operating system is not sound; try again later.",
        CryptoError::PrivateKey(_) => {
            "Give a PKCS#8 file, PEM or DER, with a P-256, P-384 or Ed25519 key."
        }
        CryptoError::PassphraseNeeded => {
            "Give --passphrase-file FILE, or set CHANCERY_PASSPHRASE, or use a terminal."
        }
        CryptoError::WrongPassphrase => "Check the passphrase.",
        CryptoError::Hpke(_) => "It is not for this recipient, or was altered on the way.",
        CryptoError::Cbor(CborError::Newer(_)) => {
            "Use a newer version of chancery; nothing is wrong with what was given."
        }
        CryptoError::Cose(_) | CryptoError::Cbor(_) | CryptoError::TooMany { .. } => {
            "Check that this is the right file; if it is, ask for it again."
        }
        _ => "Do not rely on it; ask the sender for it again.",
    }
}
