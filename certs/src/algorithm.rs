//! Signature algorithms by their identifiers and parameters. What is not listed is not accepted (MD5, SHA-1 and
//! DSA among them), and is called that, with its identifier.

use chancery_crypto::{HashAlgorithm, SignatureScheme};
use der::{Decode as _, asn1::ObjectIdentifier};
use spki::AlgorithmIdentifierOwned;

/// The signature scheme of an algorithm's object identifier.
pub(crate) fn scheme_of(oid: &str) -> Option<SignatureScheme> {
    Some(match oid {
        "1.2.840.10045.4.3.2" => SignatureScheme::EcdsaSha256,
        "1.2.840.10045.4.3.3" => SignatureScheme::EcdsaSha384,
        "1.3.101.112" => SignatureScheme::Ed25519,
        "1.2.840.113549.1.1.11" => SignatureScheme::RsaPkcs1Sha256,
        "1.2.840.113549.1.1.12" => SignatureScheme::RsaPkcs1Sha384,
        "1.2.840.113549.1.1.13" => SignatureScheme::RsaPkcs1Sha512,
        _ => return None,
    })
}

/// RSASSA-PSS-params (RFC 4055 §3.1). What is left out stands for SHA-1, which is not accepted; a salt that is
/// left out has 20 octets.
#[derive(der::Sequence)]
struct PssParameters {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    hash: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    mask: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    salt: Option<u32>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    trailer: Option<u32>,
}

const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");

/// The signature scheme of an algorithm with its parameters.
pub(crate) fn scheme_of_algorithm(algorithm: &AlgorithmIdentifierOwned) -> Option<SignatureScheme> {
    if algorithm.oid != RSA_PSS {
        return scheme_of(&algorithm.oid.to_string());
    }
    let parameters = algorithm.parameters.as_ref()?.decode_as::<PssParameters>().ok()?;
    let hash = HashAlgorithm::from_oid(&parameters.hash?.oid.to_string())?;
    let mask = parameters.mask.filter(|mask| mask.oid == MGF1)?.parameters?;
    let mask = mask.decode_as::<AlgorithmIdentifierOwned>().ok()?;
    if mask.oid.to_string() != hash.oid() || parameters.trailer.is_some_and(|trailer| trailer != 1)
    {
        return None;
    }
    let salt = parameters.salt.unwrap_or(20);
    Some(match hash {
        _ if usize::try_from(salt).ok()? != hash.digest_len() => {
            SignatureScheme::RsaPss { hash, salt }
        }
        HashAlgorithm::Sha256 => SignatureScheme::RsaPssSha256,
        HashAlgorithm::Sha384 => SignatureScheme::RsaPssSha384,
        HashAlgorithm::Sha512 => SignatureScheme::RsaPssSha512,
    })
}

/// The same for the DER of an AlgorithmIdentifier whose object identifier is `oid`.
pub(crate) fn scheme_of_der(oid: &str, der: &[u8]) -> Option<SignatureScheme> {
    if oid != "1.2.840.113549.1.1.10" {
        return scheme_of(oid);
    }
    scheme_of_algorithm(&AlgorithmIdentifierOwned::from_der(der).ok()?)
}
