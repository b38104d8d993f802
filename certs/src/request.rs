//! Certification requests (PKCS #10, RFC 2986).

use chancery_crypto::{PublicKey, SigningKey};
use rcgen::{CertificateParams, DistinguishedName, DnType};
use x509_parser::{
    certification_request::X509CertificationRequest,
    extensions::{GeneralName, ParsedExtension},
    prelude::FromDer as _,
};

use crate::{
    CertError, Profile, RefusalFault, RequestFault, SignerName,
    certificate::{key_identifiers, public_key},
    distinguished,
    issuer::{alternative_name, issue_error, key_pair},
    oid::known,
    path::scheme_of,
};

/// The largest request that is read, in bytes.
const MAX_REQUEST: usize = 64 * 1024;

/// A request whose signature was verified: whoever made it holds the private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRequest {
    /// The key to be certified.
    pub key: PublicKey,
    /// The display name that is asked for.
    pub display: Option<String>,
    /// The agency or officer that is asked for.
    pub name: Option<String>,
}

impl CertificateRequest {
    /// Makes a request for a key, as PEM.
    ///
    /// # Errors
    /// [`CertError::Name`] or [`CertError::Issue`].
    pub fn make(key: &SigningKey, name: &SignerName, display: &str) -> Result<String, CertError> {
        let profile = match name {
            SignerName::Officer(_) => Profile::Officer,
            SignerName::Party(_) => Profile::Party,
            SignerName::Agency(_) => Profile::Seal,
        };
        let mut params = CertificateParams::default();
        let mut subject = DistinguishedName::new();
        subject.push(DnType::CommonName, display);
        params.distinguished_name = subject;
        params.subject_alt_names = vec![alternative_name(profile, &name.to_string())?];
        let made = params.serialize_request(&key_pair(key)).map_err(|e| issue_error(&e))?;
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        let block = pem::Pem::new("CERTIFICATE REQUEST", made.der().to_vec());
        Ok(pem::encode_config(&block, config))
    }

    /// Reads a request, PEM or DER, and verifies that it was signed by its own key.
    ///
    /// # Errors
    /// [`CertError::Malformed`], or [`CertError::Refused`] for a key or signature that is not
    /// accepted.
    pub fn open(bytes: &[u8]) -> Result<Self, CertError> {
        let malformed =
            |e: &dyn std::fmt::Display| CertError::Malformed(format!("the request: {e}"));
        if bytes.len() > MAX_REQUEST {
            return Err(malformed(&"it is larger than 64 KiB"));
        }
        let der = if bytes.first() == Some(&0x30) {
            bytes.to_vec()
        } else {
            let block = pem::parse(bytes).map_err(|e| malformed(&e))?;
            if !matches!(block.tag(), "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST") {
                return Err(malformed(&format!("it is a {:?}", block.tag())));
            }
            block.into_contents()
        };
        let (rest, request) =
            X509CertificationRequest::from_der(&der).map_err(|e| malformed(&e))?;
        if !rest.is_empty() {
            return Err(malformed(&"bytes follow it"));
        }
        if request.signature_value.unused_bits != 0 {
            return Err(malformed(&"its signature is not whole bytes"));
        }
        let info = &request.certification_request_info;
        let refused = |fault| CertError::Refused(RefusalFault::Request(fault));
        let key = public_key(&info.subject_pki).ok_or_else(|| {
            let kind = key_identifiers(&info.subject_pki);
            refused(RequestFault::Key { kind })
        })?;
        if key.rsa_bits().is_some_and(|bits| bits < 2048) {
            return Err(refused(RequestFault::WeakRsa));
        }
        let scheme =
            scheme_of(&request.signature_algorithm.algorithm.to_id_string()).ok_or_else(|| {
                let oid = request.signature_algorithm.algorithm.to_string();
                refused(RequestFault::Algorithm { oid })
            })?;
        key.verify_der(scheme, info.raw, &request.signature_value.data)
            .map_err(|_| refused(RequestFault::NotSigned))?;
        let mut names = Vec::new();
        for extension in request.requested_extensions().into_iter().flatten() {
            if let ParsedExtension::SubjectAlternativeName(san) = extension {
                for name in &san.general_names {
                    match name {
                        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) => {
                            names.push((*name).to_owned());
                        }
                        other => {
                            return Err(refused(RequestFault::Name { name: other.to_string() }));
                        }
                    }
                }
            }
        }
        if names.len() > 1 {
            return Err(refused(RequestFault::Names));
        }
        let subject = distinguished::DistinguishedName::read(&info.subject);
        let common = subject.as_ref().and_then(|name| name.of_kind(known::COMMON_NAME).next());
        let display = common.and_then(|common| common.text()).map(|text| text.into_owned());
        Ok(Self { key, display, name: names.pop() })
    }
}

#[cfg(test)]
mod tests {
    use chancery_crypto::Algorithm;

    use super::*;

    #[test]
    fn a_request_says_what_it_asks_for_and_no_changed_byte_makes_it_say_else() {
        let key = SigningKey::generate(Algorithm::EdDsa).expect("random bytes");
        let name = SignerName::Officer("li@a.gov.cn".parse().expect("a name"));
        let made = CertificateRequest::make(&key, &name, "李明").expect("makes");
        let opened = CertificateRequest::open(made.as_bytes()).expect("opens");
        assert_eq!(opened.key, key.public_key());
        assert_eq!(opened.display.as_deref(), Some("李明"));
        assert_eq!(opened.name.as_deref(), Some("li@a.gov.cn"));

        let der = pem::parse(&made).expect("PEM").into_contents();
        for at in 0..der.len() {
            let mut bad = der.clone();
            if let Some(byte) = bad.get_mut(at) {
                *byte ^= 1;
            }
            // What is signed cannot change; the frame around it may be read as the same.
            let read = CertificateRequest::open(&bad);
            assert!(read.is_err() || read == Ok(opened.clone()), "byte {at}: {read:?}");
        }
    }
}
