use chancery_crypto::CryptoError;
use thiserror::Error;

use crate::PathError;

/// What went wrong with names, certificates or issuing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CertError {
    /// A name is not of the form it should have.
    #[error("{what} {given:?} is not acceptable: {why}")]
    Name {
        /// What kind of name.
        what: &'static str,
        /// The name as given.
        given: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Bytes that should be a certificate are none.
    #[error("this is no X.509 certificate: {0}")]
    Malformed(String),
    /// Bytes that should be a certificate revocation list are none.
    #[error("this is no certificate revocation list: {0}")]
    Crl(String),
    /// A PEM file holds no certificate.
    #[error("no CERTIFICATE block was found")]
    NoCertificate,
    /// The issuer may not or will not issue what was asked.
    #[error("the CA refuses to issue this certificate: {0}")]
    Refused(String),
    /// A private key is not that of the certificate it came with.
    #[error("key and certificate do not belong together: {0}")]
    Mismatch(String),
    /// The new certificate does not validate under its own issuer.
    #[error("the CA refuses to issue a certificate that nobody could validate: {0}")]
    Unverifiable(PathError),
    /// The certificate library failed.
    #[error("the certificate could not be made: {0}")]
    Issue(String),
    /// A CMS structure is not acceptable.
    #[error("the CMS structure is not acceptable: {0}")]
    Cms(String),
    /// A time-stamp, or an answer about one, is not acceptable.
    #[error("the time-stamp is not acceptable: {0}")]
    TimeStamp(String),
    /// A certificate's path is not valid.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A key operation failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}
