use chancery_crypto::CryptoError;
use thiserror::Error;

use crate::{CmsFault, NameFault, NameKind, PathError, RefusalFault, TimeStampFault};

/// What went wrong with names, certificates or issuing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CertError {
    /// A name is not of the form it should have.
    Name {
        /// What kind of name.
        what: NameKind,
        /// The name as given.
        given: String,
        /// What is wrong with it.
        why: NameFault,
    },
    /// Bytes that should be a certificate are none.
    Malformed(String),
    /// Bytes that should be a certificate revocation list are none.
    Crl(String),
    /// A PEM file holds no certificate.
    NoCertificate,
    /// The issuer may not or will not issue what was asked.
    Refused(RefusalFault),
    /// A private key is not that of the certificate it came with.
    Mismatch {
        /// Whose certificate it is.
        subject: String,
    },
    /// The new certificate does not validate under its own issuer.
    Unverifiable(PathError),
    /// The certificate library failed.
    Issue(String),
    /// A CMS structure is not acceptable.
    Cms(CmsFault),
    /// A time-stamp, or an answer about one, is not acceptable.
    TimeStamp(TimeStampFault),
    /// A certificate's path is not valid.
    Path(#[from] PathError),
    /// A key operation failed.
    Crypto(#[from] CryptoError),
}

impl CertError {
    /// Its stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Name { .. } => "CHY-2001",
            Self::Malformed(_) => "CHY-2002",
            Self::NoCertificate => "CHY-2003",
            Self::Refused(_) => "CHY-2004",
            Self::Unverifiable(_) => "CHY-2005",
            Self::Issue(_) => "CHY-2006",
            Self::Cms(_) => "CHY-2007",
            Self::TimeStamp(_) => "CHY-2008",
            Self::Crl(_) => "CHY-2020",
            Self::Mismatch { .. } => "CHY-6011",
            Self::Path(error) => error.code(),
            Self::Crypto(error) => error.code(),
        }
    }
}

impl From<RefusalFault> for CertError {
    fn from(fault: RefusalFault) -> Self {
        Self::Refused(fault)
    }
}
