use std::{fmt, sync::Arc};

use chancery_crypto::{Digest, PublicKey, SignatureScheme};
use x509_parser::{
    prelude::{FromDer, X509Certificate},
    x509::{AlgorithmIdentifier, SubjectPublicKeyInfo},
};

use crate::{
    AgencyName, Assurance, CertError, NameFault, NameKind, OfficerName, SignerName,
    algorithm::scheme_of_der,
    distinguished::{DistinguishedName, tag_of},
    encoding::{self, tlv},
    extensions::Extensions,
    general_name::{GeneralName, address},
    oid::{ObjectId, known},
};

/// The largest certificate that is read, in bytes.
const MAX_CERTIFICATE: usize = 64 * 1024;

/// A parsed X.509 certificate and its DER: the one decoded form, from which names, constraints, usages, validity
/// and all else are taken. It is strictly DER, and encodes to the same bytes again. Parsing verifies nothing; see
/// [`crate::TrustStore::validate_by`]. A clone is another handle.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate(pub(crate) Arc<Fields>);

/// What was read of a certificate.
pub(crate) struct Fields {
    der: Vec<u8>,
    fingerprint: Digest,
    /// What is signed, as it stands.
    pub(crate) tbs: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) algorithm: Algorithm,
    /// 0 for v1.
    pub(crate) version: u32,
    self_issued: bool,
    pub(crate) subject_name: DistinguishedName,
    pub(crate) issuer_name: DistinguishedName,
    pub(crate) extensions: Extensions,
    /// What is no error of DER that could be read in two ways, and yet not as RFC 5280 has it.
    pub(crate) oddity: Option<Oddity>,
    pub(crate) subject_der: Vec<u8>,
    pub(crate) issuer_der: Vec<u8>,
    pub(crate) subject_key_id: Option<Vec<u8>>,
    pub(crate) authority_key_id: Option<Vec<u8>>,
    subject: String,
    issuer: String,
    pub(crate) serial_octets: Vec<u8>,
    serial: String,
    not_before: i64,
    not_after: i64,
    public_key: Option<PublicKey>,
    key_kind: String,
    dns_names: Vec<String>,
    emails: Vec<String>,
    ips: Vec<std::net::IpAddr>,
    pub(crate) has_key_usage: bool,
    key_usages: Vec<&'static str>,
    pub(crate) critical_extended_key_usage: bool,
    extended_key_usages: Vec<&'static str>,
    permitted: Vec<String>,
    /// The value of its cRLDistributionPoints.
    pub(crate) distribution_points: Option<Vec<u8>>,
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Fields {}

/// A signature algorithm.
pub(crate) struct Algorithm {
    pub(crate) oid: ObjectId,
    /// The scheme, when it is one that is accepted.
    pub(crate) scheme: Option<SignatureScheme>,
    /// NULL or nothing where RFC 4055 and RFC 5758 want that.
    pub(crate) plain_parameters: bool,
}

/// What lenient reading passes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Oddity {
    /// A BOOLEAN that has its default is spelled out.
    SpelledDefault,
    /// UTCTime where GeneralizedTime should stand, or the other way.
    TimeKind,
    /// issuerUniqueID or subjectUniqueID.
    UniqueId,
    /// A text in a name is not of its kind.
    NameText,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({}, serial {})", self.0.subject, self.0.serial)
    }
}

/// The DER of an AlgorithmIdentifier that was read.
fn encode_algorithm(algorithm: &AlgorithmIdentifier<'_>) -> Option<Vec<u8>> {
    let mut content = tlv(encoding::OBJECT_ID, algorithm.algorithm.as_bytes());
    if let Some(parameters) = &algorithm.parameters {
        content.extend(tlv(tag_of(parameters)?, parameters.data));
    }
    Some(tlv(encoding::SEQUENCE, &content))
}

/// A time as RFC 5280 §4.1.2.5 wants it, and in the other form.
fn encode_time(at: i64) -> Option<[Vec<u8>; 2]> {
    let time = time::OffsetDateTime::from_unix_timestamp(at).ok()?;
    let (date, clock) = (time.date(), time.time());
    let rest = format!(
        "{:02}{:02}{:02}{:02}{:02}Z",
        u8::from(date.month()),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second()
    );
    let short = format!("{:02}{rest}", date.year().rem_euclid(100));
    let short = tlv(encoding::UTC_TIME, short.as_bytes());
    let long = tlv(encoding::GENERALIZED_TIME, format!("{:04}{rest}", date.year()).as_bytes());
    Some(if (1950..2050).contains(&date.year()) { [short, long] } else { [long, short] })
}

/// The elements that stand in a row.
fn elements(mut bytes: &[u8]) -> Result<Vec<&[u8]>, &'static str> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (_, _, rest) = encoding::element(bytes)?;
        all.push(bytes.get(..bytes.len() - rest.len()).unwrap_or_default());
        bytes = rest;
    }
    Ok(all)
}

fn inside(element: &[u8]) -> &[u8] {
    encoding::element(element).map(|(_, content, _)| content).unwrap_or_default()
}

impl Certificate {
    /// Parses one certificate. It must be DER to the last bit; an extension that stands twice, or one that is
    /// known here and does not decode completely, makes it none.
    ///
    /// # Errors
    /// [`CertError::Malformed`], saying why.
    pub fn from_der(der: &[u8]) -> Result<Self, CertError> {
        if der.len() > MAX_CERTIFICATE {
            return Err(CertError::Malformed("it is larger than 64 KiB".into()));
        }
        let wrong = |why: &str| CertError::Malformed(why.to_owned());
        encoding::check(der).map_err(wrong)?;
        // The decoder takes any class of the tag.
        if der.first() != Some(&encoding::SEQUENCE) {
            return Err(wrong("it is no SEQUENCE"));
        }
        let (_, read) = X509Certificate::from_der(der)
            .map_err(|error| CertError::Malformed(format!("it does not decode: {error}")))?;
        Fields::read(der, &read).map(|fields| Self(Arc::new(fields))).map_err(CertError::Malformed)
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

    /// The key's kind in a word, or the object identifiers of its algorithm and curve.
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
        self.0.extensions.basic.as_ref().is_some_and(|basic| basic.value.ca)
    }

    /// pathLenConstraint, when it is a CA that has one.
    pub fn path_len(&self) -> Option<u32> {
        self.0.extensions.basic.as_ref().filter(|b| b.value.ca).and_then(|b| b.value.path_len)
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

    /// Whether it names itself as its issuer (RFC 5280 §6.1, by the comparison of §7.1).
    pub fn is_self_issued(&self) -> bool {
        self.0.self_issued
    }

    /// Of a party: how surely the key is its own.
    pub fn assurance(&self) -> Option<Assurance> {
        self.0.extensions.party.as_ref().map(|party| party.value)
    }

    /// Who signs with it: the one officer or party or, without those, the one agency that it names.
    ///
    /// # Errors
    /// [`CertError::Name`] when it names nobody, or more than one.
    pub fn signer_name(&self) -> Result<SignerName, CertError> {
        let bad =
            |why| CertError::Name { what: NameKind::Subject, given: self.0.subject.clone(), why };
        match (self.0.emails.as_slice(), self.0.dns_names.as_slice()) {
            ([email], []) if self.assurance().is_some() => email.parse().map(SignerName::Party),
            ([email], []) => email.parse::<OfficerName>().map(SignerName::Officer),
            // What is marked as a party's names a party, or nobody.
            ([], [_]) if self.assurance().is_some() => Err(bad(NameFault::NoName)),
            ([], [dns]) => dns.parse::<AgencyName>().map(SignerName::Agency),
            ([], []) => Err(bad(NameFault::NoName)),
            _ => Err(bad(NameFault::SeveralNames)),
        }
    }

    /// The one agency that it names.
    ///
    /// # Errors
    /// [`CertError::Name`] when it names none, or an officer.
    pub fn agency_name(&self) -> Result<AgencyName, CertError> {
        match self.signer_name()? {
            SignerName::Agency(name) => Ok(name),
            SignerName::Officer(_) | SignerName::Party(_) => Err(CertError::Name {
                what: NameKind::Subject,
                given: self.0.subject.clone(),
                why: NameFault::OfAnOfficer,
            }),
        }
    }
}

/// Names of key usages by their bits. What is left out is shown and asked for nowhere.
const KEY_USAGES: [(u32, &str); 6] = [
    (0, "digitalSignature"),
    (1, "contentCommitment"),
    (2, "keyEncipherment"),
    (4, "keyAgreement"),
    (5, "keyCertSign"),
    (6, "cRLSign"),
];

const EXTENDED_KEY_USAGES: [(&[u8], &str); 8] = [
    (known::ANY_USAGE, "anyExtendedKeyUsage"),
    (known::SERVER_AUTH, "serverAuth"),
    (known::CLIENT_AUTH, "clientAuth"),
    (known::EMAIL_PROTECTION, "emailProtection"),
    (known::DOCUMENT_SIGNING, "documentSigning"),
    (known::TIME_STAMPING, "timeStamping"),
    (known::CODE_SIGNING, "codeSigning"),
    (known::OCSP_SIGNING, "OCSPSigning"),
];

impl Fields {
    fn read(der: &[u8], read: &X509Certificate<'_>) -> Result<Self, String> {
        const TWICE: &str = "it does not decode to what it says";
        let tbs = &read.tbs_certificate;
        let extensions = Extensions::read(tbs.extensions())?;
        let name = |name| DistinguishedName::read(name).ok_or("a name in it is not DER");
        let (subject_name, issuer_name) = (name(&tbs.subject)?, name(&tbs.issuer)?);
        let mut oddity = extensions.spelled_default.then_some(Oddity::SpelledDefault);

        // Every part is encoded again and compared with what stands there.
        let outer = elements(inside(der))?;
        let [tbs_der, algorithm_der, signature_der] = outer.as_slice() else {
            return Err(TWICE.into());
        };
        let parts = elements(inside(tbs_der))?;
        let mut parts = parts.into_iter().peekable();
        let mut same = |want: &[u8]| parts.next() == Some(want);
        if tbs.version.0 > 2 {
            return Err("its version is none that there is".into());
        }
        let version = tlv(0xa0, &encoding::unsigned(encoding::INTEGER, tbs.version.0));
        let algorithm = encode_algorithm(&tbs.signature).ok_or(TWICE)?;
        if encode_algorithm(&read.signature_algorithm).as_ref() != Some(&algorithm) {
            return Err("it names two signature algorithms".into());
        }
        let serial_octets = tbs.raw_serial().to_vec();
        let times = [tbs.validity.not_before.timestamp(), tbs.validity.not_after.timestamp()];
        let spki = &tbs.subject_pki;
        let mut well = (tbs.version.0 == 0 || same(&version))
            && same(&tlv(encoding::INTEGER, &serial_octets))
            && same(&algorithm)
            && *algorithm_der == algorithm.as_slice()
            && same(issuer_name.der());
        let validity = parts.next().map(inside).unwrap_or_default();
        for (found, time) in elements(validity)?.into_iter().zip(times) {
            let [right, other] = encode_time(time).ok_or("a time in it is none")?;
            if found == other {
                oddity = Some(Oddity::TimeKind);
            } else if found != right {
                return Err("a time in it is not as DER has it".into());
            }
        }
        well &= elements(validity)?.len() == 2;
        let bits = |bits: &[u8]| tlv(encoding::BIT_STRING, &[&[0], bits].concat());
        if read.signature_value.unused_bits != 0 || spki.subject_public_key.unused_bits != 0 {
            return Err("its key or signature is not whole bytes".into());
        }
        let key_algorithm = encode_algorithm(&spki.algorithm).ok_or(TWICE)?;
        let key_der = [key_algorithm, bits(&spki.subject_public_key.data)].concat();
        let mut same = |want: &[u8]| parts.next() == Some(want);
        well &= same(subject_name.der())
            && same(&tlv(encoding::SEQUENCE, &key_der))
            && *signature_der == bits(&read.signature_value.data).as_slice();
        for (tag, id) in [(0x81, &tbs.issuer_uid), (0x82, &tbs.subject_uid)] {
            if let Some(id) = id {
                oddity = Some(Oddity::UniqueId);
                let content = [&[id.0.unused_bits], id.0.data.as_ref()].concat();
                well &= parts.next() == Some(&tlv(tag, &content)[..]);
            }
        }
        let listed = match parts.next() {
            None => Vec::new(),
            Some(wrapped) if wrapped.first() == Some(&0xa3) && tbs.version.0 == 2 => {
                let list = inside(wrapped);
                well &= elements(list)?.len() == 1 && !inside(list).is_empty();
                elements(inside(list))?
            }
            Some(_) => return Err("extensions stand where its version has none".into()),
        };
        well &= parts.next().is_none() && listed.len() == tbs.extensions().len();
        for (found, extension) in listed.into_iter().zip(tbs.extensions()) {
            let flag = |octet: u8| tlv(encoding::BOOLEAN, &[octet]);
            let whole = |flag: Vec<u8>| {
                let id = tlv(encoding::OBJECT_ID, extension.oid.as_bytes());
                let value = tlv(encoding::OCTET_STRING, extension.value);
                tlv(encoding::SEQUENCE, &[id, flag, value].concat())
            };
            let right = whole(if extension.critical { flag(0xff) } else { Vec::new() });
            if found != right && !extension.critical && found == whole(flag(0)) {
                oddity = Some(Oddity::SpelledDefault);
            } else {
                well &= found == right;
            }
        }
        if !well {
            return Err(TWICE.into());
        }
        let names = subject_name.attributes().chain(issuer_name.attributes());
        if names.into_iter().any(|attribute| !attribute.is_well_formed()) {
            oddity = Some(Oddity::NameText);
        }

        let oid = ObjectId::new(tbs.signature.algorithm.as_bytes()).ok_or(TWICE)?;
        let plain = match (&tbs.signature.parameters, oid.as_bytes()) {
            (None, _) => true,
            (Some(parameters), [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, ..]) => {
                tag_of(parameters) == Some(5) || oid.is(known::RSA_PSS)
            }
            (Some(_), _) => false,
        };
        let scheme = scheme_of_der(&oid.to_string(), &algorithm);
        let algorithm = Algorithm { oid, scheme, plain_parameters: plain };
        let public_key = public_key(spki);
        let key_kind = match &public_key {
            Some(key) => key.kind().to_owned(),
            None => key_identifiers(spki),
        };
        let subject_names = extensions.subject_names();
        let texts = |pick: fn(&GeneralName) -> Option<&String>| {
            subject_names.iter().filter_map(pick).cloned().collect()
        };
        let usages = |bit: u32| extensions.key_usage_has(bit) == Some(true);
        let extended = extensions.extended.as_ref();
        let listed = extended.map(|e| e.value.as_slice()).unwrap_or_default();
        let mut extended_key_usages: Vec<_> = EXTENDED_KEY_USAGES
            .iter()
            .filter(|(id, _)| listed.iter().any(|usage| usage.is(id)))
            .map(|(_, name)| *name)
            .collect();
        if listed.iter().any(|usage| EXTENDED_KEY_USAGES.iter().all(|(id, _)| !usage.is(id))) {
            extended_key_usages.push("other");
        }
        let permitted = extensions.name_constraints.as_ref();
        let permitted = permitted.and_then(|constraints| constraints.value.permitted.as_deref());
        Ok(Self {
            der: der.to_vec(),
            fingerprint: Digest::of(der),
            tbs: tbs_der.to_vec(),
            signature: read.signature_value.data.to_vec(),
            algorithm,
            version: tbs.version.0,
            self_issued: subject_name.matches(&issuer_name),
            oddity,
            subject_der: subject_name.der().to_vec(),
            issuer_der: issuer_name.der().to_vec(),
            subject_key_id: extensions.subject_key.as_ref().map(|id| id.value.clone()),
            authority_key_id: extensions.authority_key.as_ref().and_then(|k| k.value.id.clone()),
            subject: subject_name.shown(),
            issuer: issuer_name.shown(),
            serial: hex::encode(&serial_octets),
            serial_octets,
            not_before: times[0],
            not_after: times[1],
            public_key,
            key_kind,
            dns_names: texts(|name| match name {
                GeneralName::Dns(text) => Some(text),
                _ => None,
            }),
            emails: texts(|name| match name {
                GeneralName::Email(text) => Some(text),
                _ => None,
            }),
            ips: subject_names
                .iter()
                .filter_map(|name| match name {
                    GeneralName::Ip(octets) => address(octets),
                    _ => None,
                })
                .collect(),
            has_key_usage: extensions.key_usage.is_some(),
            key_usages: KEY_USAGES
                .iter()
                .filter(|(bit, _)| usages(*bit))
                .map(|(_, name)| *name)
                .collect(),
            critical_extended_key_usage: extended.is_some_and(|usages| usages.critical),
            extended_key_usages,
            permitted: permitted.unwrap_or_default().iter().map(GeneralName::shown).collect(),
            distribution_points: extensions.points_der.clone(),
            subject_name,
            issuer_name,
            extensions,
        })
    }
}

/// The key in a SubjectPublicKeyInfo, when it is of a kind we verify with.
pub(crate) fn public_key(spki: &SubjectPublicKeyInfo<'_>) -> Option<PublicKey> {
    const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
    const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    const P384: &[u8] = &[0x2b, 0x81, 4, 0, 0x22];
    let bits = spki.subject_public_key.data.to_vec();
    let parameters = spki.algorithm.parameters.as_ref();
    let uncompressed = |length: usize| bits.len() == length && bits.first() == Some(&4);
    match spki.algorithm.algorithm.as_bytes() {
        ED25519 => (bits.len() == 32 && parameters.is_none()).then_some(PublicKey::Ed25519(bits)),
        known::EC_KEY => {
            match parameters.filter(|p| tag_of(p) == Some(encoding::OBJECT_ID))?.data {
                P256 if uncompressed(65) => Some(PublicKey::P256(bits)),
                P384 if uncompressed(97) => Some(PublicKey::P384(bits)),
                _ => None,
            }
        }
        known::RSA_KEY => {
            let key = PublicKey::Rsa(bits);
            key.rsa_bits().is_some().then_some(key)
        }
        _ => None,
    }
}

/// The object identifiers of a key's algorithm and curve.
pub(crate) fn key_identifiers(spki: &SubjectPublicKeyInfo<'_>) -> String {
    let kind = ObjectId::new(spki.algorithm.algorithm.as_bytes());
    let kind = kind.map(|kind| kind.to_string()).unwrap_or_default();
    let parameters = spki.algorithm.parameters.as_ref();
    let curve = parameters.filter(|parameters| tag_of(parameters) == Some(encoding::OBJECT_ID));
    match curve.and_then(|curve| ObjectId::new(curve.data)) {
        Some(curve) => format!("{kind}, {curve}"),
        None => kind,
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
    let unknown =
        |kind: &str| malformed(&format!("its key is of a kind that is not used here ({kind})"));
    if let Ok((rest, spki)) = SubjectPublicKeyInfo::from_der(&der)
        && rest.is_empty()
    {
        return public_key(&spki).ok_or_else(|| unknown(&key_identifiers(&spki)));
    }
    let certificate = Certificate::from_der(&der)?;
    certificate.public_key().cloned().ok_or_else(|| unknown(certificate.key_kind()))
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
