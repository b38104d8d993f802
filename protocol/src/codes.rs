//! Codes and remedies as functions, for rooms that do not call the methods yet.

use chancery_certs::CertError;
use chancery_crypto::{CryptoError, Language};

use crate::ProtocolError;

/// As [`ProtocolError::code`].
pub fn protocol_code(error: &ProtocolError) -> &'static str {
    error.code()
}

/// As [`CertError::code`].
pub fn cert_code(error: &CertError) -> &'static str {
    error.code()
}

/// As [`CryptoError::code`].
pub fn crypto_code(error: &CryptoError) -> &'static str {
    error.code()
}

/// As [`ProtocolError::remedy`], in English.
pub fn protocol_remedy(error: &ProtocolError) -> &'static str {
    error.remedy(Language::En)
}

/// As [`CertError::remedy`], in English.
pub fn cert_remedy(error: &CertError) -> &'static str {
    error.remedy(Language::En)
}

/// As [`CryptoError::remedy`], in English.
pub fn crypto_remedy(error: &CryptoError) -> &'static str {
    error.remedy(Language::En)
}
