use std::{fmt, sync::Arc};

use chancery_crypto::{Digest, PublicKey};
use x509_parser::{
    extensions::{GeneralName, ParsedExtension},
    oid_registry as oid,
    prelude::{FromDer, X509Certificate},
    public_key::PublicKey as SpkiKey,
};

use crate::{AgencyName, CertError, OfficerName, SignerName};

/// The largest certificate that is read, in bytes.
const MAX_CERTIFICATE: usize = 64 * 1024;

/// A parsed X.509 v3 certificate and its DER. Parsing verifies nothing; see
/// [`crate::TrustStore::validate`]. A clone is another handle.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate(pub(crate) Arc<Fields>);

/// What was read of a certificate.
#[derive(PartialEq, Eq)]
pub(crate) struct Fields {
    der: Vec<u8>,
    fingerprint: Digest,
    pub(crate) subject_der: Vec<u8>,
    pub(crate) issuer_der: Vec<u8>,
    pub(crate) subject_key_id: Option<Vec<u8>>,
    pub(crate) authority_key_id: Option<Vec<u8>>,
    subject: String,
    issuer: String,
    serial: String,
    not_before: i64,
    not_after: i64,
    public_key: Option<PublicKey>,
    key_kind: String,
    dns_names: Vec<String>,
    emails: Vec<String>,
    ca: Option<Option<u32>>,
    pub(crate) has_key_usage: bool,
    key_usages: Vec<&'static str>,
    pub(crate) has_extended_key_usage: bool,
    pub(crate) critical_extended_key_usage: bool,
    extended_key_usages: Vec<&'static str>,
    permitted: Vec<String>,
    ips: Vec<std::net::IpAddr>,
    /// The value of its cRLDistributionPoints.
    pub(crate) distribution_points: Option<Vec<u8>>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({}, serial {})", self.0.subject, self.0.serial)
    }
}

impl Certificate {
    /// Parses one certificate.
    ///
    /// # Errors
    /// [`CertError::Malformed`], saying why.
    pub fn from_der(der: &[u8]) -> Result<Self, CertError> {
        let malformed = |e: &dyn fmt::Display| CertError::Malformed(e.to_string());
        if der.len() > MAX_CERTIFICATE {
            return Err(malformed(&"it is larger than 64 KiB"));
        }
        let (rest, cert) = X509Certificate::from_der(der).map_err(|e| malformed(&e))?;
        if !rest.is_empty() {
            return Err(malformed(&"bytes follow it"));
        }
        let tbs = &cert.tbs_certificate;
        // The display name is what people read; it is never compared.
        let shown = |name: &x509_parser::x509::X509Name<'_>| {
            let common = name.iter_common_name().next().and_then(|a| a.as_str().ok());
            common.map_or_else(|| name.to_string(), str::to_owned)
        };
        let mut out = Fields {
            der: der.to_vec(),
            fingerprint: Digest::of(der),
            subject_der: tbs.subject.as_raw().to_vec(),
            issuer_der: tbs.issuer.as_raw().to_vec(),
            subject_key_id: None,
            authority_key_id: None,
            subject: shown(&tbs.subject),
            issuer: shown(&tbs.issuer),
            serial: hex::encode(tbs.raw_serial()),
            not_before: tbs.validity.not_before.timestamp(),
            not_after: tbs.validity.not_after.timestamp(),
            public_key: None,
            key_kind: tbs.subject_pki.algorithm.algorithm.to_id_string(),
            dns_names: Vec::new(),
            emails: Vec::new(),
            ca: None,
            has_key_usage: false,
            key_usages: Vec::new(),
            has_extended_key_usage: false,
            critical_extended_key_usage: false,
            extended_key_usages: Vec::new(),
            permitted: Vec::new(),
            ips: Vec::new(),
            distribution_points: None,
        };
        out.public_key = public_key(&tbs.subject_pki);
        if let Some(key) = &out.public_key {
            out.key_kind = key.kind().to_owned();
        }
        for extension in tbs.extensions() {
            out.read_extension(extension.parsed_extension()).map_err(|e| malformed(&e))?;
            if extension.oid.to_id_string() == "2.5.29.31" {
                out.distribution_points = Some(extension.value.to_vec());
            }
            if extension.oid == oid::OID_X509_EXT_EXTENDED_KEY_USAGE {
                out.critical_extended_key_usage = extension.critical;
            }
        }
        Ok(Self(Arc::new(out)))
    }

    /// The certificate's DER.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The SHA-256 fingerprint of the DER.
    pub fn fingerprint(&self) -> Digest {
        self.0.fingerprint
    }

    /// The subject's display name: for people, never compared.
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The issuer's display name: for people, never compared.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The subject's Name, as it stands in the certificate.
    pub fn subject_der(&self) -> &[u8] {
        &self.0.subject_der
    }

    /// The key identifier of its subject, if it has one.
    pub fn subject_key_id(&self) -> Option<&[u8]> {
        self.0.subject_key_id.as_deref()
    }

    /// The serial number in hexadecimal.
    pub fn serial(&self) -> &str {
        &self.0.serial
    }

    /// The first second of validity, since 1970 UTC.
    pub fn not_before(&self) -> i64 {
        self.0.not_before
    }

    /// The last second of validity, since 1970 UTC.
    pub fn not_after(&self) -> i64 {
        self.0.not_after
    }

    /// The subject's key, when it is of a kind we verify with.
    pub fn public_key(&self) -> Option<&PublicKey> {
        self.0.public_key.as_ref()
    }

    /// The key's kind in a word, or its algorithm's object identifier.
    pub fn key_kind(&self) -> &str {
        &self.0.key_kind
    }

    /// The dNSName alternative names.
    pub fn dns_names(&self) -> &[String] {
        &self.0.dns_names
    }

    /// The rfc822Name alternative names.
    pub fn emails(&self) -> &[String] {
        &self.0.emails
    }

    /// The iPAddress alternative names.
    pub fn ips(&self) -> &[std::net::IpAddr] {
        &self.0.ips
    }

    /// Whether basicConstraints say CA.
    pub fn is_ca(&self) -> bool {
        self.0.ca.is_some()
    }

    /// pathLenConstraint, when it is a CA that has one.
    pub fn path_len(&self) -> Option<u32> {
        self.0.ca.flatten()
    }

    /// The key usages by their RFC 5280 names.
    pub fn key_usages(&self) -> &[&'static str] {
        &self.0.key_usages
    }

    /// The extended key usages by their RFC 5280 names.
    pub fn extended_key_usages(&self) -> &[&'static str] {
        &self.0.extended_key_usages
    }

    /// The permitted subtrees of its name constraints, as `dns:…` and `email:…`.
    pub fn permitted_subtrees(&self) -> &[String] {
        &self.0.permitted
    }

    /// Whether it names itself as its issuer.
    pub fn is_self_issued(&self) -> bool {
        self.0.subject_der == self.0.issuer_der
    }

    /// Who signs with it: the one officer or, without officers, the one agency that it names.
    ///
    /// # Errors
    /// [`CertError::Name`] when it names nobody, or more than one.
    pub fn signer_name(&self) -> Result<SignerName, CertError> {
        let bad = |why| CertError::Name {
            what: "certificate subject",
            given: self.0.subject.clone(),
            why,
        };
        match (self.0.emails.as_slice(), self.0.dns_names.as_slice()) {
            ([email], []) => email.parse::<OfficerName>().map(SignerName::Officer),
            ([], [dns]) => dns.parse::<AgencyName>().map(SignerName::Agency),
            ([], []) => Err(bad("it has no dNSName or rfc822Name")),
            _ => Err(bad("it has several alternative names; who signs is not clear")),
        }
    }

    /// The one agency that it names.
    ///
    /// # Errors
    /// [`CertError::Name`] when it names none, or an officer.
    pub fn agency_name(&self) -> Result<AgencyName, CertError> {
        match self.signer_name()? {
            SignerName::Agency(name) => Ok(name),
            SignerName::Officer(_) => Err(CertError::Name {
                what: "certificate subject",
                given: self.0.subject.clone(),
                why: "it is an officer's, not an agency's",
            }),
        }
    }
}

impl Fields {
    fn read_extension(&mut self, extension: &ParsedExtension<'_>) -> Result<(), String> {
        match extension {
            ParsedExtension::SubjectAlternativeName(san) => {
                for name in &san.general_names {
                    match name {
                        GeneralName::DNSName(n) => self.dns_names.push((*n).to_owned()),
                        GeneralName::RFC822Name(n) => self.emails.push((*n).to_owned()),
                        GeneralName::IPAddress(n) => {
                            let v4 = <[u8; 4]>::try_from(*n).map(std::net::IpAddr::from);
                            let v6 = || <[u8; 16]>::try_from(*n).map(std::net::IpAddr::from);
                            self.ips.extend(v4.or_else(|_| v6()));
                        }
                        _ => {}
                    }
                }
            }
            ParsedExtension::BasicConstraints(b) if b.ca => self.ca = Some(b.path_len_constraint),
            ParsedExtension::KeyUsage(usage) => {
                self.has_key_usage = true;
                self.key_usages = [
                    (usage.digital_signature(), "digitalSignature"),
                    (usage.non_repudiation(), "contentCommitment"),
                    (usage.key_encipherment(), "keyEncipherment"),
                    (usage.key_agreement(), "keyAgreement"),
                    (usage.key_cert_sign(), "keyCertSign"),
                    (usage.crl_sign(), "cRLSign"),
                ]
                .into_iter()
                .filter_map(|(on, name)| on.then_some(name))
                .collect();
            }
            ParsedExtension::ExtendedKeyUsage(usage) => {
                self.has_extended_key_usage = true;
                self.extended_key_usages = [
                    (usage.any, "anyExtendedKeyUsage"),
                    (usage.server_auth, "serverAuth"),
                    (usage.client_auth, "clientAuth"),
                    (usage.email_protection, "emailProtection"),
                    (usage.time_stamping, "timeStamping"),
                    (usage.code_signing, "codeSigning"),
                    (usage.ocsp_signing, "OCSPSigning"),
                    (!usage.other.is_empty(), "other"),
                ]
                .into_iter()
                .filter_map(|(on, name)| on.then_some(name))
                .collect();
            }
            ParsedExtension::NameConstraints(constraints) => {
                for tree in constraints.permitted_subtrees.iter().flatten() {
                    self.permitted.push(match &tree.base {
                        GeneralName::DNSName(n) => format!("dns:{n}"),
                        GeneralName::RFC822Name(n) => format!("email:{n}"),
                        other => other.to_string(),
                    });
                }
            }
            ParsedExtension::SubjectKeyIdentifier(id) => self.subject_key_id = Some(id.0.to_vec()),
            ParsedExtension::AuthorityKeyIdentifier(id) => {
                self.authority_key_id = id.key_identifier.as_ref().map(|id| id.0.to_vec());
            }
            ParsedExtension::ParseError { error } => return Err(error.to_string()),
            _ => {}
        }
        Ok(())
    }
}

/// The key in a SubjectPublicKeyInfo, when it is of a kind we verify with.
pub(crate) fn public_key(spki: &x509_parser::x509::SubjectPublicKeyInfo<'_>) -> Option<PublicKey> {
    let algorithm = &spki.algorithm.algorithm;
    let bits = spki.subject_public_key.data.to_vec();
    if *algorithm == oid::OID_SIG_ED25519 {
        return (bits.len() == 32).then_some(PublicKey::Ed25519(bits));
    }
    match spki.parsed().ok()? {
        SpkiKey::EC(_) => {
            let curve = spki.algorithm.parameters.as_ref()?.as_oid().ok()?;
            if curve == oid::OID_EC_P256 {
                Some(PublicKey::P256(bits))
            } else if curve == oid::OID_NIST_EC_P384 {
                Some(PublicKey::P384(bits))
            } else {
                None
            }
        }
        SpkiKey::RSA(_) => Some(PublicKey::Rsa(bits)),
        _ => None,
    }
}

/// Reads a public key, or that of a certificate, PEM or DER.
///
/// # Errors
/// [`CertError::Malformed`], also for a kind of key that is not used here.
pub fn decode_public_key(bytes: &[u8]) -> Result<PublicKey, CertError> {
    let malformed = |e: &dyn fmt::Display| CertError::Malformed(e.to_string());
    let der = if bytes.first() == Some(&0x30) {
        bytes.to_vec()
    } else {
        pem::parse(bytes).map_err(|e| malformed(&e))?.into_contents()
    };
    let unknown = || malformed(&"its key is of a kind that is not used here");
    if let Ok((rest, spki)) = x509_parser::x509::SubjectPublicKeyInfo::from_der(&der)
        && rest.is_empty()
    {
        return public_key(&spki).ok_or_else(unknown);
    }
    Certificate::from_der(&der)?.public_key().cloned().ok_or_else(unknown)
}

/// Reads the certificates of a PEM text or of one DER, in order.
///
/// # Errors
/// [`CertError::NoCertificate`] or [`CertError::Malformed`].
pub fn decode_pem_chain(bytes: &[u8]) -> Result<Vec<Certificate>, CertError> {
    certificate_blocks(bytes)?.iter().map(|der| Certificate::from_der(der)).collect()
}

/// The DER of each certificate in a PEM text, or the one DER that it is. Nothing is parsed further, so
/// that one that is malformed can be told from a file that holds none.
///
/// # Errors
/// [`CertError::NoCertificate`] or [`CertError::Malformed`].
pub fn certificate_blocks(bytes: &[u8]) -> Result<Vec<Vec<u8>>, CertError> {
    if bytes.first() == Some(&0x30) {
        return Ok(vec![bytes.to_vec()]);
    }
    let blocks = pem::parse_many(bytes).map_err(|e| CertError::Malformed(e.to_string()))?;
    let certificates = blocks.into_iter().filter(|block| block.tag() == "CERTIFICATE");
    let blocks: Vec<_> = certificates.map(pem::Pem::into_contents).collect();
    if blocks.is_empty() { Err(CertError::NoCertificate) } else { Ok(blocks) }
}

/// Writes certificates as PEM, in order.
pub fn encode_pem_chain<'a>(chain: impl IntoIterator<Item = &'a Certificate>) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    let blocks = chain.into_iter().map(|c| pem::Pem::new("CERTIFICATE", c.der()));
    blocks.map(|block| pem::encode_config(&block, config)).collect()
}
