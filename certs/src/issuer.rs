use chancery_crypto::{Algorithm, PublicKey, SigningKey};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType,
    GeneralSubtree, IsCa, NameConstraints, SanType, SerialNumber,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    AgencyName, Assurance, CertError, Certificate, NameFault, NameKind, OfficerName, PartyName,
    Profile, Purpose, RefusalFault, TrustStore, party::holds_identity_number,
};

/// How far before now a certificate starts, so that a clock a little behind accepts it.
const BACKDATE: i64 = 300;

/// The last moment an X.509 UTCTime or GeneralizedTime of ours may say: the end of 9998.
const LAST_TIME: i64 = 253_370_764_799;

/// id-ce-extKeyUsage.
const EXTENDED_KEY_USAGE: &[u64] = &[2, 5, 29, 37];
/// What marks a party's certificate: 2.25.2931456848727973727.
const PARTY: &[u64] = &[2, 25, 2_931_456_848_727_973_727];
/// An ExtKeyUsageSyntax of id-kp-timeStamping alone.
const TIME_STAMPING: [u8; 12] =
    [0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];

/// The shortest RSA key that is certified, in bits (NIST SP 800-57 part 1: good beyond 2030).
const MIN_RSA_BITS: usize = 3072;

/// What a certificate is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The profile.
    pub profile: Profile,
    /// The display name (CN), for people: 杭州市司法局. Never compared.
    pub display: String,
    /// The agency (node, seal), officer or party that it names.
    pub name: Option<String>,
    /// Of a party: how surely the key is its own.
    pub assurance: Option<Assurance>,
    /// For a CA: the subtrees of agency names under which it may certify.
    pub permitted: Vec<AgencyName>,
    /// For a CA: how many CAs may follow below it.
    pub path_len: Option<u8>,
    /// Validity in seconds; the profile's own, cut to the issuer's end, when `None`.
    pub validity: Option<i64>,
    /// Issue even what validates under nobody. For testing verifiers only.
    pub skip_checks: bool,
}

impl Subject {
    /// An agency's node or seal, or a time-stamping authority.
    pub fn agency(profile: Profile, name: AgencyName, display: &str) -> Self {
        Self::new(profile, Some(name.into()), display)
    }

    /// An officer.
    pub fn officer(name: OfficerName, display: &str) -> Self {
        Self::new(Profile::Officer, Some(name.into()), display)
    }

    /// An enterprise or a citizen.
    pub fn party(name: PartyName, display: &str, assurance: Assurance) -> Self {
        let base = Self::new(Profile::Party, Some(name.into()), display);
        Self { assurance: Some(assurance), ..base }
    }

    /// A CA that may certify only below `permitted`.
    pub fn authority(display: &str, permitted: &[AgencyName], path_len: Option<u8>) -> Self {
        let base = Self::new(Profile::Intermediate, None, display);
        Self { permitted: permitted.to_vec(), path_len, ..base }
    }

    fn new(profile: Profile, name: Option<String>, display: &str) -> Self {
        Self {
            profile,
            display: display.to_owned(),
            name,
            assurance: None,
            permitted: Vec::new(),
            path_len: None,
            validity: None,
            skip_checks: false,
        }
    }
}

/// Why a certificate is revoked (RFC 5280 §5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are those of the standard")]
pub enum RevocationReason {
    Unspecified,
    KeyCompromise,
    #[serde(rename = "cACompromise")]
    CaCompromise,
    AffiliationChanged,
    Superseded,
    CessationOfOperation,
    PrivilegeWithdrawn,
}

impl RevocationReason {
    /// The code in a CRL; unspecified has none (RFC 5280 §5.3.1).
    fn code(self) -> Option<rcgen::RevocationReason> {
        use rcgen::RevocationReason as Code;
        match self {
            Self::Unspecified => None,
            Self::KeyCompromise => Some(Code::KeyCompromise),
            Self::CaCompromise => Some(Code::CaCompromise),
            Self::AffiliationChanged => Some(Code::AffiliationChanged),
            Self::Superseded => Some(Code::Superseded),
            Self::CessationOfOperation => Some(Code::CessationOfOperation),
            Self::PrivilegeWithdrawn => Some(Code::PrivilegeWithdrawn),
        }
    }
}

/// A certificate that its CA has revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoked {
    /// The serial number in hexadecimal.
    pub serial: String,
    /// When, in seconds since 1970 UTC.
    pub time: i64,
    /// Why.
    pub reason: RevocationReason,
}

/// A CA: its key, its certificate and the chain above it.
pub struct Issuer {
    key: SigningKey,
    certificate: Certificate,
    above: Vec<Certificate>,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Issuer({:?})", self.certificate)
    }
}

impl Issuer {
    /// A fresh root, self-signed, bound to the subtrees in `permitted` if there are any.
    ///
    /// # Errors
    /// [`CertError`] when the key or certificate cannot be made.
    pub fn new_root(
        display: &str,
        permitted: &[AgencyName],
        algorithm: Algorithm,
        now: i64,
    ) -> Result<Self, CertError> {
        Self::new_root_for(display, permitted, algorithm, now, Profile::Root.default_validity())
    }

    /// The same, valid for some seconds.
    ///
    /// # Errors
    /// As [`Issuer::new_root`], and [`CertError::Refused`] for no time at all.
    pub fn new_root_for(
        display: &str,
        permitted: &[AgencyName],
        algorithm: Algorithm,
        now: i64,
        validity: i64,
    ) -> Result<Self, CertError> {
        if validity <= 0 {
            return Err(RefusalFault::RootValidity.into());
        }
        let key = SigningKey::generate(algorithm)?;
        let subject =
            Subject { profile: Profile::Root, ..Subject::authority(display, permitted, None) };
        let end = now.saturating_add(validity);
        let params = params(&subject, now, end)?;
        let made = params.self_signed(&key_pair(&key)).map_err(|e| issue_error(&e))?;
        let certificate = Certificate::from_der(made.der())?;
        Ok(Self { key, certificate, above: Vec::new() })
    }

    /// A CA from its key and chain: its own certificate first, the root last.
    ///
    /// # Errors
    /// [`CertError::Refused`] when the certificate is no CA's, [`CertError::Mismatch`] when it is not this key's.
    pub fn new(key: SigningKey, chain: Vec<Certificate>) -> Result<Self, CertError> {
        let mut chain = chain.into_iter();
        let certificate = chain.next().ok_or(CertError::NoCertificate)?;
        if !certificate.is_ca() {
            return Err(RefusalFault::NoCa { who: certificate.subject().to_owned() }.into());
        }
        if certificate.public_key() != Some(&key.public_key()) {
            return Err(CertError::Mismatch { subject: certificate.subject().to_owned() });
        }
        Ok(Self { key, certificate, above: chain.collect() })
    }

    /// The CA's key.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The CA's certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The chain: the CA's certificate first, the root last.
    pub fn chain(&self) -> impl Iterator<Item = &Certificate> {
        std::iter::once(&self.certificate).chain(&self.above)
    }

    /// Issues a certificate for a key.
    ///
    /// # Errors
    /// [`CertError::Refused`] or [`CertError::Unverifiable`] when the CA may not: outside its name
    /// constraints, longer than its own validity, too deep.
    pub fn issue(
        &self,
        subject: &Subject,
        key: &PublicKey,
        now: i64,
    ) -> Result<Certificate, CertError> {
        let refuse = |fault| Err(CertError::Refused(fault));
        if subject.profile == Profile::Root {
            return refuse(RefusalFault::IssuesRoot);
        }
        if subject.profile == Profile::Intermediate && subject.permitted.is_empty() {
            return refuse(RefusalFault::NoSubtree);
        }
        // A path that ends at a CA does not count that CA against pathLenConstraint, so validation
        // alone would let one be issued that can never issue anything itself.
        let too_deep = |(depth, ca): (usize, &Certificate)| {
            ca.path_len()
                .is_some_and(|limit| depth >= limit as usize)
                .then(|| ca.subject().to_owned())
        };
        if subject.profile.is_ca()
            && !subject.skip_checks
            && let Some(ca) = self.chain().enumerate().find_map(too_deep)
        {
            return refuse(RefusalFault::Depth { ca });
        }
        check_names(subject)?;
        let own_end = self.certificate.not_after();
        let end = match subject.validity {
            None => now.saturating_add(subject.profile.default_validity()).min(own_end),
            Some(validity) => now.saturating_add(validity),
        };
        if end > own_end && !subject.skip_checks {
            return refuse(RefusalFault::Beyond { ca: self.certificate.subject().to_owned() });
        }
        if end <= now {
            return refuse(RefusalFault::Over);
        }
        if let Some(bits) = key.rsa_bits().filter(|bits| *bits < MIN_RSA_BITS) {
            return refuse(RefusalFault::RsaBits { bits, least: MIN_RSA_BITS });
        }
        let spki = CertifiedKey::new(key);
        let params = params(subject, now, end)?;
        let own = rustls_pki_types::CertificateDer::from(self.certificate.der());
        let issuer = rcgen::Issuer::from_ca_cert_der(&own, key_pair(&self.key))
            .map_err(|e| issue_error(&e))?;
        let made = params.signed_by(&spki, &issuer).map_err(|e| issue_error(&e))?;
        let made = Certificate::from_der(made.der())?;
        if !subject.skip_checks {
            self.check(&made, subject.profile, now)?;
        }
        Ok(made)
    }

    /// Signs a complete CRL (RFC 5280 §5) of what this CA has revoked. `number` must grow with each.
    ///
    /// # Errors
    /// [`CertError::Refused`] when it would end before it starts, [`CertError::Issue`] otherwise.
    pub fn crl(
        &self,
        revoked: &[Revoked],
        number: u64,
        now: i64,
        next_update: i64,
    ) -> Result<Vec<u8>, CertError> {
        if next_update <= now {
            return Err(RefusalFault::CrlValidity.into());
        }
        let moment = |at: i64| {
            OffsetDateTime::from_unix_timestamp(at.min(LAST_TIME))
                .map_err(|e| CertError::Issue(e.to_string()))
        };
        let entry = |revoked: &Revoked| {
            let serial = hex::decode(&revoked.serial)
                .map_err(|_| RefusalFault::NoSerial { given: revoked.serial.clone() })?;
            Ok::<_, CertError>(rcgen::RevokedCertParams {
                serial_number: SerialNumber::from_slice(&serial),
                revocation_time: moment(revoked.time)?,
                reason_code: revoked.reason.code(),
                invalidity_date: None,
            })
        };
        let params = rcgen::CertificateRevocationListParams {
            this_update: moment(now.saturating_sub(BACKDATE))?,
            next_update: moment(next_update)?,
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect::<Result<_, _>>()?,
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        let own = rustls_pki_types::CertificateDer::from(self.certificate.der());
        let issuer = rcgen::Issuer::from_ca_cert_der(&own, key_pair(&self.key))
            .map_err(|e| issue_error(&e))?;
        let made = params.signed_by(&issuer).map_err(|e| issue_error(&e))?;
        Ok(made.der().to_vec())
    }

    /// What we issue must validate for a stranger who holds only our root.
    fn check(&self, made: &Certificate, profile: Profile, now: i64) -> Result<(), CertError> {
        let chain: Vec<_> = self.chain().cloned().collect();
        let root = chain.last().cloned().ok_or(CertError::NoCertificate)?;
        let purpose = match profile {
            Profile::Root | Profile::Intermediate => Purpose::Any,
            Profile::Node => Purpose::Node,
            Profile::Seal | Profile::Officer | Profile::Party => Purpose::Sign,
            Profile::Timestamp => Purpose::TimeStamp,
        };
        TrustStore::new([root])?
            .validate(made, &chain, now, purpose)
            .map(drop)
            .map_err(CertError::Unverifiable)
    }
}

/// Nobody but a party is named as parties are, and no certificate shows an identity number.
fn check_names(subject: &Subject) -> Result<(), CertError> {
    let of = |what, given: &str, why| Err(CertError::Name { what, given: given.to_owned(), why });
    let name = subject.name.as_deref().unwrap_or_default();
    if holds_identity_number(&subject.display) {
        return of(NameKind::Subject, &subject.display, NameFault::Identity);
    }
    if subject.profile == Profile::Officer && name.parse::<PartyName>().is_ok() {
        return of(NameKind::Officer, name, NameFault::OfAParty);
    }
    Ok(())
}

fn params(subject: &Subject, now: i64, end: i64) -> Result<CertificateParams, CertError> {
    let issue_time = |at: i64| {
        OffsetDateTime::from_unix_timestamp(at.min(LAST_TIME))
            .map_err(|e| CertError::Issue(e.to_string()))
    };
    let mut out = CertificateParams::default();
    out.not_before = issue_time(now.saturating_sub(BACKDATE))?;
    out.not_after = issue_time(end)?;
    let mut serial = chancery_crypto::random::<20>()?;
    if let Some(first) = serial.first_mut() {
        // Positive, and never short: 158 random bits in 20 octets (RFC 5280 §4.1.2.2).
        *first = (*first & 0x7f) | 0x40;
    }
    out.serial_number = Some(SerialNumber::from_slice(&serial));
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, subject.display.as_str());
    out.distinguished_name = name;
    out.use_authority_key_identifier_extension = true;
    out.key_usages = subject.profile.key_usages();
    out.extended_key_usages = subject.profile.extended_key_usages();
    if subject.profile == Profile::Timestamp {
        // It must be critical and alone (RFC 3161 §2.3), which the library's own list never is.
        let mut usage = CustomExtension::from_oid_content(EXTENDED_KEY_USAGE, TIME_STAMPING.into());
        usage.set_criticality(true);
        out.custom_extensions = vec![usage];
    }
    if let Some(assurance) = subject.assurance.filter(|_| subject.profile == Profile::Party) {
        // Not critical: to software that does not know it, it is an ordinary certificate for signing.
        out.custom_extensions = vec![CustomExtension::from_oid_content(PARTY, assurance.der())];
    }
    if subject.profile.is_ca() {
        let constraint = subject.path_len;
        out.is_ca = IsCa::Ca(match constraint {
            Some(depth) => BasicConstraints::Constrained(depth),
            None => BasicConstraints::Unconstrained,
        });
        out.name_constraints = name_constraints(&subject.permitted);
    } else {
        out.is_ca = IsCa::ExplicitNoCa;
        let name = subject.name.as_deref().unwrap_or_default();
        out.subject_alt_names = vec![alternative_name(subject.profile, name)?];
    }
    Ok(out)
}

/// A subtree permits the agency itself and all below it: as dNSName one entry, as rfc822Name two
/// (mailboxes at the host, and at any host below; RFC 5280 §4.2.1.10).
fn name_constraints(permitted: &[AgencyName]) -> Option<NameConstraints> {
    let subtrees = permitted.iter().flat_map(|name| {
        [
            GeneralSubtree::DnsName(name.to_string()),
            GeneralSubtree::Rfc822Name(name.to_string()),
            GeneralSubtree::Rfc822Name(format!(".{name}")),
        ]
    });
    let permitted_subtrees: Vec<_> = subtrees.collect();
    (!permitted_subtrees.is_empty())
        .then(|| NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() })
}

pub(crate) fn alternative_name(profile: Profile, name: &str) -> Result<SanType, CertError> {
    let ia5 = |text: &str| text.try_into().map_err(|e: rcgen::Error| issue_error(&e));
    match profile {
        Profile::Officer => {
            let name: OfficerName = name.parse()?;
            Ok(SanType::Rfc822Name(ia5(name.as_str())?))
        }
        Profile::Party => {
            let name: PartyName = name.parse()?;
            Ok(SanType::Rfc822Name(ia5(name.as_str())?))
        }
        _ => {
            let name: AgencyName = name.parse()?;
            Ok(SanType::DnsName(ia5(name.as_str())?))
        }
    }
}

/// The key of a certificate that is issued.
struct CertifiedKey {
    bits: Vec<u8>,
    algorithm: &'static rcgen::SignatureAlgorithm,
}

impl CertifiedKey {
    fn new(key: &PublicKey) -> Self {
        let (bits, algorithm) = match key {
            PublicKey::P256(bits) => (bits, &rcgen::PKCS_ECDSA_P256_SHA256),
            PublicKey::P384(bits) => (bits, &rcgen::PKCS_ECDSA_P384_SHA384),
            PublicKey::Ed25519(bits) => (bits, &rcgen::PKCS_ED25519),
            PublicKey::Rsa(bits) => (bits, &rcgen::PKCS_RSA_SHA256),
        };
        Self { bits: bits.clone(), algorithm }
    }
}

impl rcgen::PublicKeyData for CertifiedKey {
    fn der_bytes(&self) -> &[u8] {
        &self.bits
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.algorithm
    }
}

/// A key as the certificate library asks for it, wherever the key lives.
pub(crate) struct IssuingKey<'a> {
    key: &'a SigningKey,
    bits: Vec<u8>,
}

pub(crate) fn key_pair(key: &SigningKey) -> IssuingKey<'_> {
    let (PublicKey::P256(bits)
    | PublicKey::P384(bits)
    | PublicKey::Ed25519(bits)
    | PublicKey::Rsa(bits)) = key.public_key();
    IssuingKey { key, bits }
}

impl rcgen::PublicKeyData for IssuingKey<'_> {
    fn der_bytes(&self) -> &[u8] {
        &self.bits
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        match self.key.algorithm() {
            Algorithm::Es256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            Algorithm::Es384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            Algorithm::EdDsa => &rcgen::PKCS_ED25519,
        }
    }
}

impl rcgen::SigningKey for IssuingKey<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.key.sign_der(message).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

pub(crate) fn issue_error(error: &rcgen::Error) -> CertError {
    CertError::Issue(error.to_string())
}
