use std::{collections::HashMap, fmt, sync::Mutex};

use certval::{
    CertificationPath, CertificationPathResults, CertificationPathSettings, PDVCertificate,
    PDVTrustAnchorChoice, PathValidationStatus, PkiEnvironment, TimeOfInterest,
    validate_path_rfc5280,
};
use chancery_crypto::{Digest, HashAlgorithm, Hasher, PublicKey, SignatureScheme};
use der::{
    Decode as _,
    asn1::{BitString, ObjectIdentifier},
};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use thiserror::Error;
use x509_cert::name::Name;

use crate::{CertError, Certificate, Crl, revocation::Revocation, tls::check_tls};

/// The longest chain below an anchor that is tried.
const MAX_DEPTH: usize = 8;
/// The most complete candidate paths that are tried for one leaf.
const MAX_PATHS: usize = 256;
/// The most partial paths that are looked at for one leaf.
const MAX_STEPS: usize = 4096;
/// The most certificates that are remembered.
const MAX_PARSED: usize = 1024;
/// The most results that are remembered.
const MAX_REMEMBERED: usize = 16 * 1024;

/// What a certificate is to be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A node in QUIC mutual TLS: digitalSignature, serverAuth and clientAuth.
    Node,
    /// A seal or an officer's signature: contentCommitment.
    Sign,
    /// A TLS server, by the rules of TLS libraries and the CA/Browser Forum: serverAuth, and a name
    /// among its alternative names (RFC 9525).
    Server,
    /// A TLS client: clientAuth.
    Client,
    /// A time-stamping authority: timeStamping alone, critical (RFC 3161 §2.3).
    TimeStamp,
    /// A CAdES signature of others: digitalSignature or contentCommitment, and no extended key usage that is for
    /// machines (TLS, time-stamps).
    Cades,
    /// Any purpose: only the path itself is checked.
    Any,
}

impl Purpose {
    /// The purpose in a word, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Sign => "sign",
            Self::Server => "server",
            Self::Client => "client",
            Self::TimeStamp => "timestamp",
            Self::Cades => "cades",
            Self::Any => "any",
        }
    }
}

/// Why a path is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathReason {
    /// No chain leads to an anchor.
    UnknownAuthority,
    /// A certificate is not valid any more.
    Expired,
    /// A certificate is not valid yet.
    NotYetValid,
    /// A name lies outside an issuer's name constraints.
    NameConstraints,
    /// A certificate's signature does not verify.
    BadSignature,
    /// An issuer is no CA, or its pathLenConstraint is exceeded.
    NotAnAuthority,
    /// Key usage or extended key usage does not fit the purpose.
    KeyUsage,
    /// An extension is critical and not known.
    CriticalExtension,
    /// The certificate policies leave nothing valid.
    Policy,
    /// A certificate is revoked.
    Revoked,
    /// CRLs were given, and none of them says whether a certificate is revoked.
    RevocationUnknown,
    /// The certificate does not have the name that was asked for.
    NameMismatch,
    /// Anything else: the certificate or its encoding is not acceptable.
    Malformed,
}

/// Why a path is not valid, and at which certificate.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{sentence}")]
pub struct PathError {
    /// The reason.
    pub reason: PathReason,
    /// One sentence for people, naming the certificate.
    pub sentence: String,
    /// The same in Chinese.
    pub zh: String,
}

/// A path that was found valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidPath {
    /// The first second at which the whole path is valid.
    pub not_before: i64,
    /// The last second at which the whole path is valid.
    pub not_after: i64,
    /// The display name of the anchor that it ends at.
    pub anchor: String,
}

struct Anchor {
    certificate: Certificate,
    choice: PDVTrustAnchorChoice,
}

/// A CRL, and since when it is known to have existed.
#[derive(Debug, Clone, Copy)]
pub struct KnownCrl<'a> {
    /// The CRL.
    pub crl: &'a Crl,
    /// The earliest time at which it is proven to have existed (seconds since 1970 UTC): now, or that of a
    /// time-stamp over it.
    pub since: i64,
}

/// How revocation is looked at.
#[derive(Debug, Clone, Copy)]
pub enum RevocationCheck<'a> {
    /// Not at all.
    None,
    /// Every certificate below the anchor must be covered by a CRL that is current at the time of
    /// validation, and not be listed in it.
    Current(&'a [KnownCrl<'a>]),
    /// As of a time in the past (ETSI EN 319 102-1 §5.6.2.2): every certificate below the anchor must be
    /// covered by a CRL that was current at `fresh` or is younger, and must not have been revoked by the
    /// time of validation. A CRL counts only if its issuer's certificate was good when the CRL is known to
    /// have existed.
    Past {
        /// The CRLs.
        crls: &'a [KnownCrl<'a>],
        /// What CRLs must not be too old for, in seconds since 1970 UTC.
        fresh: i64,
    },
}

/// The trust anchors of a verifier, and the paths it has found valid under them.
pub struct TrustStore {
    anchors: Vec<Anchor>,
    environment: PkiEnvironment,
    known: Mutex<HashMap<Digest, ValidPath>>,
    /// Certificates that were read lately, by their fingerprints: the same few stand in every document.
    parsed: Mutex<HashMap<Digest, Certificate>>,
}

impl fmt::Debug for TrustStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.anchors.iter().map(|a| &a.certificate)).finish()
    }
}

impl TrustStore {
    /// A store of these anchors.
    ///
    /// # Errors
    /// [`CertError::Malformed`] when an anchor cannot be read, [`CertError::NoCertificate`] when
    /// there is none.
    pub fn new(anchors: impl IntoIterator<Item = Certificate>) -> Result<Self, CertError> {
        let anchors = anchors
            .into_iter()
            .map(|certificate| {
                let choice = PDVTrustAnchorChoice::create(certificate.der(), "")
                    .map_err(|e| CertError::Malformed(e.to_string()))?;
                Ok(Anchor { certificate, choice })
            })
            .collect::<Result<Vec<_>, CertError>>()?;
        if anchors.is_empty() {
            return Err(CertError::NoCertificate);
        }
        let mut environment = PkiEnvironment::new();
        environment.clear_all_callbacks();
        environment.add_verify_signature_message_callback(verify_with_ring);
        Ok(Self { anchors, environment, known: Mutex::default(), parsed: Mutex::default() })
    }

    /// The anchors.
    pub fn anchors(&self) -> impl Iterator<Item = &Certificate> {
        self.anchors.iter().map(|a| &a.certificate)
    }

    /// Reads a certificate, as [`Certificate::from_der`] does, and remembers it for the next time.
    ///
    /// # Errors
    /// [`CertError::Malformed`], saying why.
    pub fn read(&self, der: &[u8]) -> Result<Certificate, CertError> {
        // A poisoned lock still holds whole entries: each is inserted at once.
        let parsed = || self.parsed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let fingerprint = Digest::of(der);
        if let Some(certificate) = parsed().get(&fingerprint) {
            return Ok(certificate.clone());
        }
        let certificate = Certificate::from_der(der)?;
        let mut parsed = parsed();
        if parsed.len() >= MAX_PARSED {
            parsed.clear();
        }
        parsed.insert(fingerprint, certificate.clone());
        Ok(certificate)
    }

    /// Finds and validates a path from `leaf` to an anchor (RFC 5280 §6.1) at a time in seconds
    /// since 1970 UTC. Revocation is not looked at. A path found valid is remembered for as long
    /// as all of it is valid.
    ///
    /// # Errors
    /// [`PathError`]: the most telling reason among the candidate paths.
    pub fn validate(
        &self,
        leaf: &Certificate,
        intermediates: &[Certificate],
        at: i64,
        purpose: Purpose,
    ) -> Result<ValidPath, PathError> {
        check_purpose(leaf, purpose)?;
        let mut key = Hasher::new();
        for certificate in std::iter::once(leaf).chain(intermediates) {
            key.update(certificate.fingerprint().as_bytes());
        }
        // What TLS libraries ask besides is not asked of the others.
        let tls = matches!(purpose, Purpose::Server | Purpose::Client);
        key.update(if tls { purpose.name().as_bytes() } else { b"" });
        let key = key.finish();
        if let Some(path) = self.known().get(&key)
            && (path.not_before..=path.not_after).contains(&at)
        {
            return Ok(path.clone());
        }
        let path = self.search(leaf, intermediates, at, &|_, _| Ok(()))?;
        check_tls(self, leaf, intermediates, at, purpose)?;
        let mut known = self.known();
        if known.len() >= MAX_REMEMBERED {
            known.clear();
        }
        known.insert(key, path.clone());
        Ok(path)
    }

    /// Like [`TrustStore::validate`], and revocation is looked at as well (RFC 5280 §6.3). Issuers of CRLs
    /// other than those in the path are looked for among the intermediates.
    ///
    /// # Errors
    /// [`PathError`], also with [`PathReason::Revoked`] and [`PathReason::RevocationUnknown`].
    pub fn validate_by(
        &self,
        leaf: &Certificate,
        intermediates: &[Certificate],
        revocation: &RevocationCheck<'_>,
        at: i64,
        purpose: Purpose,
    ) -> Result<ValidPath, PathError> {
        if matches!(revocation, RevocationCheck::None) {
            return self.validate(leaf, intermediates, at, purpose);
        }
        check_purpose(leaf, purpose)?;
        let revocation = Revocation::new(self, revocation, intermediates, at);
        let check =
            |chain: &[&Certificate], anchor: &Certificate| revocation.check_path(chain, anchor);
        let path = self.search(leaf, intermediates, at, &check)?;
        check_tls(self, leaf, intermediates, at, purpose)?;
        Ok(path)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, ValidPath>> {
        // A poisoned lock still holds whole entries: each is inserted at once.
        self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Depth-first search over issuers, with a bound on complete paths tried. A path that is valid
    /// must also be accepted: it is given leaf first, with its anchor.
    pub(crate) fn search(
        &self,
        leaf: &Certificate,
        intermediates: &[Certificate],
        at: i64,
        accept: Accept<'_>,
    ) -> Result<ValidPath, PathError> {
        let (who, by) = (leaf.subject(), leaf.issuer());
        let mut failure = PathError {
            reason: PathReason::UnknownAuthority,
            sentence: format!("no chain leads from {who:?} (issued by {by:?}) to a trust anchor"),
            zh: format!("从“{who}”（由“{by}”签发）没有通向信任锚的证书链"),
        };
        let (mut tried, mut steps) = (0, 0);
        let mut open: Vec<Vec<&Certificate>> = vec![vec![leaf]];
        while let Some(chain) = open.pop() {
            steps += 1;
            if steps > MAX_STEPS {
                return Err(failure);
            }
            let Some(top) = chain.last() else { continue };
            for anchor in &self.anchors {
                if !issued(&anchor.certificate, top) && anchor.certificate != **top {
                    continue;
                }
                tried += 1;
                if tried > MAX_PATHS {
                    return Err(failure);
                }
                let path = self.check(anchor, &chain, at);
                let accepted = |path| accept(&chain, &anchor.certificate).map(|()| path);
                match path.and_then(accepted) {
                    Ok(path) => return Ok(path),
                    // Another CA of the same name, by its key identifier and in fact.
                    Err(error)
                        if error.reason == PathReason::BadSignature
                            && !has_named_key(&anchor.certificate, top) => {}
                    Err(error) => failure = error,
                }
            }
            if chain.len() > MAX_DEPTH || open.len() > MAX_STEPS {
                continue;
            }
            // What fits by its key identifier is tried first, which is last on the stack.
            let mut issuers: Vec<_> = intermediates
                .iter()
                .filter(|issuer| issued(issuer, top) && !chain.contains(issuer))
                .collect();
            issuers.sort_by_key(|issuer| has_named_key(issuer, top));
            for issuer in issuers {
                let mut longer = chain.clone();
                longer.push(issuer);
                open.push(longer);
            }
        }
        Err(failure)
    }

    /// Validates one complete path: `chain` is the leaf first, the anchor's child last.
    fn check(
        &self,
        anchor: &Anchor,
        chain: &[&Certificate],
        at: i64,
    ) -> Result<ValidPath, PathError> {
        let all = || chain.iter().copied().chain([&anchor.certificate]);
        let decode = |certificate: &Certificate| {
            PDVCertificate::try_from(certificate.der()).map_err(|e| PathError {
                reason: PathReason::Malformed,
                sentence: format!("{:?} cannot be decoded: {e}", certificate.subject()),
                zh: format!("“{}”的证书无法解码：{e}", certificate.subject()),
            })
        };
        let Some((leaf, issuers)) = chain.split_first() else {
            return Err(PathError {
                reason: PathReason::Malformed,
                sentence: "the chain is empty".into(),
                zh: "证书链为空".into(),
            });
        };
        // certval wants the anchor's child first; an anchor that is itself the leaf has no issuers.
        let target = decode(leaf)?;
        let intermediates = issuers.iter().rev().map(|c| decode(c)).collect::<Result<_, _>>()?;
        let mut settings = CertificationPathSettings::new();
        let time = u64::try_from(at).ok().filter(|at| *at > 0);
        let time = time.and_then(|at| TimeOfInterest::from_unix_secs(at).ok());
        settings.set_time_of_interest(time.ok_or_else(|| PathError {
            reason: PathReason::Malformed,
            sentence: format!("{at} is no time at which a certificate can be validated"),
            zh: format!("{at} 不是可用于验证证书的时间"),
        })?);
        settings.set_require_ta_store(false);
        settings.set_enforce_trust_anchor_constraints(true);
        let path = CertificationPath::new(anchor.choice.clone(), intermediates, target);
        let mut results = CertificationPathResults::new();
        // RFC 5937: the constraints that stand in an anchor bind as those of any CA.
        let valid = certval::enforce_trust_anchor_constraints(&settings, &anchor.choice).and_then(
            |settings| validate_path_rfc5280(&self.environment, &settings, &path, &mut results),
        );
        if let Err(error) = valid {
            // The index counts from the anchor, which is 0.
            let index = results.get_failure_index().and_then(|i| usize::try_from(i).ok());
            let at_fault = index.and_then(|i| chain.len().checked_sub(i));
            let at_fault = at_fault.and_then(|i| all().nth(i)).unwrap_or(leaf);
            return Err(explain(&error, at_fault, at));
        }
        Ok(ValidPath {
            not_before: all().map(Certificate::not_before).max().unwrap_or(i64::MAX),
            not_after: all().map(Certificate::not_after).min().unwrap_or(i64::MIN),
            anchor: anchor.certificate.subject().to_owned(),
        })
    }
}

/// What must hold of a valid path besides, leaf first, with its anchor.
pub(crate) type Accept<'a> = &'a dyn Fn(&[&Certificate], &Certificate) -> Result<(), PathError>;

/// Whether `issuer` may have issued `subject`, by name (RFC 5280 §7.1).
fn issued(issuer: &Certificate, subject: &Certificate) -> bool {
    if issuer.0.subject_der == subject.0.issuer_der {
        return true;
    }
    let name = |der: &[u8]| Name::from_der(der).ok();
    let names = name(&issuer.0.subject_der).zip(name(&subject.0.issuer_der));
    names.is_some_and(|(left, right)| certval::compare_names(&left, &right))
}

/// Whether the key identifiers, which are only a hint (RFC 5280 §4.2.1.1), speak for an issuer.
fn has_named_key(issuer: &Certificate, subject: &Certificate) -> bool {
    match (&issuer.0.subject_key_id, &subject.0.authority_key_id) {
        (Some(own), Some(named)) => own == named,
        _ => true,
    }
}

fn check_purpose(leaf: &Certificate, purpose: Purpose) -> Result<(), PathError> {
    let (usage, extended): (_, &[&str]) = match purpose {
        Purpose::Any => return Ok(()),
        Purpose::Node => ("digitalSignature", &["serverAuth", "clientAuth"]),
        Purpose::Sign => ("contentCommitment", &[]),
        Purpose::Server => ("digitalSignature", &["serverAuth"]),
        Purpose::Client => ("digitalSignature", &["clientAuth"]),
        Purpose::TimeStamp => return check_time_stamping(leaf),
        Purpose::Cades if !is_for_documents(leaf) => {
            return Err(PathError {
                reason: PathReason::KeyUsage,
                sentence: format!(
                    "the certificate of {:?} is for {}, not for signing documents",
                    leaf.subject(),
                    leaf.extended_key_usages().join(", ")
                ),
                zh: format!(
                    "“{}”的证书用于 {}，不可用于签署文件",
                    leaf.subject(),
                    leaf.extended_key_usages().join("、")
                ),
            });
        }
        Purpose::Cades if leaf.key_usages().contains(&"digitalSignature") => {
            ("digitalSignature", &[])
        }
        Purpose::Cades => ("contentCommitment", &[]),
    };
    // TLS certificates of others may leave key usage out, which allows every use; ours never do. A signature
    // binds who made it only under a certificate that says so.
    let others = matches!(purpose, Purpose::Server | Purpose::Client) && !leaf.0.has_key_usage;
    let missing = std::iter::once(&usage)
        .filter(|usage| !others && !leaf.key_usages().contains(usage))
        // A server's RSA key may be for encipherment.
        .filter(|_| {
            !(purpose == Purpose::Server && leaf.key_usages().contains(&"keyEncipherment"))
        });
    let extended = extended.iter().filter(|usage| !leaf.extended_key_usages().contains(usage));
    match missing.chain(extended).next() {
        None if leaf.is_ca() => Err(PathError {
            reason: PathReason::KeyUsage,
            sentence: format!(
                "{:?} is a CA certificate and signs only certificates",
                leaf.subject()
            ),
            zh: format!("“{}”是签发机构证书，只能签发证书", leaf.subject()),
        }),
        None => Ok(()),
        Some(usage) => Err(PathError {
            reason: PathReason::KeyUsage,
            sentence: format!("{:?} has not the key usage {usage}", leaf.subject()),
            zh: format!("“{}”的证书没有密钥用途 {usage}", leaf.subject()),
        }),
    }
}

/// Whether the extended key usages, if there are any, leave signing documents open: a node's TLS key, a time-stamping
/// authority's or an OCSP responder's signs what its machine is told to, and nobody stands for it.
fn is_for_documents(leaf: &Certificate) -> bool {
    let has = |usage: &str| leaf.extended_key_usages().contains(&usage);
    if !leaf.0.has_extended_key_usage || has("anyExtendedKeyUsage") || has("emailProtection") {
        return !has("timeStamping") && !has("OCSPSigning");
    }
    // Document signing (RFC 9336) is among the others.
    let machine = ["serverAuth", "codeSigning", "timeStamping", "OCSPSigning"];
    has("other") && !machine.into_iter().any(has)
}

/// RFC 3161 §2.3: the key is for time-stamps and nothing else, and the certificate insists on it.
pub(crate) fn check_time_stamping(leaf: &Certificate) -> Result<(), PathError> {
    let only = leaf.extended_key_usages() == ["timeStamping"] && leaf.0.critical_extended_key_usage;
    let signs = |usage: &&str| matches!(*usage, "digitalSignature" | "contentCommitment");
    let usable = !leaf.0.has_key_usage || leaf.key_usages().iter().all(signs);
    if only && usable && !leaf.is_ca() {
        return Ok(());
    }
    let who = leaf.subject();
    Err(PathError {
        reason: PathReason::KeyUsage,
        sentence: format!("{who:?} is no time-stamping authority (critical timeStamping, alone)"),
        zh: format!("“{who}”不是时间戳机构（须仅有且关键的 timeStamping 用途）"),
    })
}

fn explain(error: &certval::Error, at_fault: &Certificate, at: i64) -> PathError {
    use PathValidationStatus as Status;
    let (who, issuer) = (at_fault.subject(), at_fault.issuer());
    let certval::Error::PathValidation(status) = error else {
        return PathError {
            reason: PathReason::Malformed,
            sentence: format!("the certificate of {who:?} is not acceptable: {error:?}"),
            zh: format!("“{who}”的证书不可接受：{error:?}"),
        };
    };
    let (reason, sentence, zh) = match status {
        Status::InvalidNotAfterDate => {
            let end = rfc3339(at_fault.not_after());
            let sentence = format!("the certificate of {who:?} expired {end}");
            (PathReason::Expired, sentence, format!("“{who}”的证书已于 {end} 过期"))
        }
        Status::InvalidNotBeforeDate => {
            let (start, at) = (rfc3339(at_fault.not_before()), rfc3339(at));
            let sentence = format!("the certificate of {who:?} is valid from {start}, after {at}");
            let zh = format!("“{who}”的证书自 {start} 起有效，晚于 {at}");
            (PathReason::NotYetValid, sentence, zh)
        }
        Status::NameConstraintsViolation => {
            let names: Vec<_> =
                at_fault.emails().iter().chain(at_fault.dns_names()).map(String::as_str).collect();
            let names = names.join(", ");
            let sentence = format!(
                "{who:?} ({names}) lies outside the name constraints of its issuers (issued by \
                 {issuer:?})"
            );
            let zh = format!("“{who}”（{names}）超出其签发机构的名称约束（由“{issuer}”签发）");
            (PathReason::NameConstraints, sentence, zh)
        }
        Status::SignatureVerificationFailure => (
            PathReason::BadSignature,
            format!("the certificate of {who:?} was not signed by the key of {issuer:?}"),
            format!("“{who}”的证书不是由“{issuer}”的密钥签署的"),
        ),
        Status::MissingBasicConstraints
        | Status::InvalidBasicConstraints
        | Status::InvalidPathLength => (
            PathReason::NotAnAuthority,
            format!("{who:?} is not allowed to issue certificates here ({status:?})"),
            format!("“{who}”无权在此签发证书（{status:?}）"),
        ),
        Status::InvalidKeyUsage => (
            PathReason::KeyUsage,
            format!("the key usage of {who:?} does not allow what the path needs"),
            format!("“{who}”的密钥用途不允许证书链所需的操作"),
        ),
        Status::UnprocessedCriticalExtension => (
            PathReason::CriticalExtension,
            format!("the certificate of {who:?} has a critical extension that is not known here"),
            format!("“{who}”的证书含有此处未知的关键扩展"),
        ),
        Status::NullPolicySet | Status::InvalidPolicyMapping => (
            PathReason::Policy,
            format!("no certificate policy is valid along the path of {who:?}"),
            format!("“{who}”的证书链上没有有效的证书策略"),
        ),
        Status::NameChainingFailure | Status::MissingTrustAnchor | Status::NoPathsFound => (
            PathReason::UnknownAuthority,
            format!("{who:?} does not chain to the issuer it names, {issuer:?}"),
            format!("“{who}”无法链接到其所称的签发机构“{issuer}”"),
        ),
        other => (
            PathReason::Malformed,
            format!("the certificate of {who:?} is not acceptable: {other:?}"),
            format!("“{who}”的证书不可接受：{other:?}"),
        ),
    };
    PathError { reason, sentence, zh }
}

/// A time in seconds since 1970 UTC for people: RFC 3339, or the number where that cannot say it.
pub fn rfc3339(at: i64) -> String {
    let time = time::OffsetDateTime::from_unix_timestamp(at).ok();
    let text = time.and_then(|t| t.format(&time::format_description::well_known::Rfc3339).ok());
    text.unwrap_or_else(|| at.to_string())
}

/// The signature scheme of an algorithm's object identifier. What is not listed is not accepted
/// (MD5, SHA-1 and DSA among them).
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

/// RSASSA-PSS-params (RFC 4055 §3.1). What is left out stands for SHA-1, which is not accepted.
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

/// The signature scheme of an algorithm with its parameters.
pub(crate) fn scheme_of_algorithm(algorithm: &AlgorithmIdentifierOwned) -> Option<SignatureScheme> {
    if algorithm.oid != RSA_PSS {
        return scheme_of(&algorithm.oid.to_string());
    }
    let parameters = algorithm.parameters.as_ref()?.decode_as::<PssParameters>().ok()?;
    let hash = HashAlgorithm::from_oid(&parameters.hash?.oid.to_string())?;
    let mask = parameters.mask.filter(|mask| mask.oid == MGF1)?.parameters?;
    let mask = mask.decode_as::<AlgorithmIdentifierOwned>().ok()?;
    let salt = usize::try_from(parameters.salt?).ok()?;
    if mask.oid.to_string() != hash.oid()
        || salt != hash.digest_len()
        || parameters.trailer.is_some_and(|trailer| trailer != 1)
    {
        return None;
    }
    Some(match hash {
        HashAlgorithm::Sha256 => SignatureScheme::RsaPssSha256,
        HashAlgorithm::Sha384 => SignatureScheme::RsaPssSha384,
        HashAlgorithm::Sha512 => SignatureScheme::RsaPssSha512,
    })
}

const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const EC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const RSA_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

/// The signature check that the path validator calls, by `ring`. An algorithm that is not listed
/// is not accepted (MD5, SHA-1, DSA and short RSA keys among them).
fn verify_with_ring(
    _: &PkiEnvironment,
    message: &[u8],
    signature: &BitString,
    algorithm: &AlgorithmIdentifierOwned,
    spki: &SubjectPublicKeyInfoOwned,
) -> certval::Result<()> {
    let refused =
        || certval::Error::PathValidation(PathValidationStatus::SignatureVerificationFailure);
    let bits = spki.subject_public_key.as_bytes().ok_or_else(refused)?.to_vec();
    let curve = || spki.algorithm.parameters.as_ref()?.decode_as::<ObjectIdentifier>().ok();
    let key = match spki.algorithm.oid {
        EC_KEY if curve() == Some(P256) => PublicKey::P256(bits),
        EC_KEY if curve() == Some(P384) => PublicKey::P384(bits),
        ED25519 => PublicKey::Ed25519(bits),
        RSA_KEY => PublicKey::Rsa(bits),
        _ => return Err(refused()),
    };
    let scheme = scheme_of_algorithm(algorithm).ok_or_else(refused)?;
    let signature = signature.as_bytes().ok_or_else(refused)?;
    key.verify_der(scheme, message, signature).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use chancery_crypto::{Algorithm, SigningKey};

    use super::*;
    use crate::{AgencyName, Issuer, Profile, Subject};

    const NOW: i64 = 1_790_000_000;
    const YEAR: i64 = 365 * 24 * 3600;

    fn agency(name: &str) -> AgencyName {
        name.parse().expect("a good name")
    }

    fn key() -> SigningKey {
        SigningKey::generate(Algorithm::Es256).expect("random bytes")
    }

    struct World {
        trust: TrustStore,
        province: Issuer,
        chain: Vec<Certificate>,
    }

    /// A root for gov.cn and a province for zj.gov.cn below it.
    fn world() -> World {
        let root =
            Issuer::new_root("Root", &[agency("gov.cn")], Algorithm::EdDsa, NOW).expect("a root");
        let key = key();
        let subject = Subject::authority("Zhejiang", &[agency("zj.gov.cn")], Some(0));
        let cert = root.issue(&subject, &key.public_key(), NOW).expect("a province");
        let chain = vec![cert, root.certificate().clone()];
        let province = Issuer::new(key, chain.clone()).expect("a CA");
        let trust = TrustStore::new([root.certificate().clone()]).expect("an anchor");
        World { trust, province, chain }
    }

    fn reason(result: Result<ValidPath, PathError>) -> Option<PathReason> {
        result.err().map(|error| error.reason)
    }

    fn officer(name: &str) -> Subject {
        Subject::officer(name.parse().expect("a good name"), "Officer")
    }

    #[test]
    fn certificates_inside_the_constraints_validate_for_their_purpose_only() {
        let World { trust, province, chain } = world();
        let key = key().public_key();
        let seal = Subject::agency(Profile::Seal, agency("justice.zj.gov.cn"), "司法厅");
        let seal = province.issue(&seal, &key, NOW).expect("inside");
        let path = trust.validate(&seal, &chain, NOW, Purpose::Sign).expect("valid");
        assert_eq!(path.anchor, "Root");
        assert_eq!(
            reason(trust.validate(&seal, &chain, NOW, Purpose::Node)),
            Some(PathReason::KeyUsage)
        );
        let node = Subject::agency(Profile::Node, agency("justice.zj.gov.cn"), "司法厅");
        let node = province.issue(&node, &key, NOW).expect("inside");
        assert!(trust.validate(&node, &chain, NOW, Purpose::Node).is_ok());
        assert!(trust.validate(&node, &chain, NOW, Purpose::Sign).is_err());
        let person = province.issue(&officer("li@justice.zj.gov.cn"), &key, NOW).expect("inside");
        assert!(trust.validate(&person, &chain, NOW, Purpose::Sign).is_ok());
        let ca = &chain[0];
        assert!(trust.validate(ca, &chain, NOW, Purpose::Sign).is_err());
    }

    #[test]
    fn keys_of_machines_are_not_for_signing_documents() {
        let World { trust, province, chain } = world();
        let key = key().public_key();
        for (profile, fits) in [(Profile::Seal, true), (Profile::Node, false)] {
            let subject = Subject::agency(profile, agency("justice.zj.gov.cn"), "司法厅");
            let made = province.issue(&subject, &key, NOW).expect("inside");
            let result = trust.validate(&made, &chain, NOW, Purpose::Cades);
            assert_eq!(reason(result), (!fits).then_some(PathReason::KeyUsage), "{profile:?}");
        }
    }

    #[test]
    fn a_name_outside_the_constraints_is_refused_at_issuing_and_at_validation() {
        let World { trust, province, chain } = world();
        let key = key().public_key();
        for subject in [
            officer("li@justice.sh.gov.cn"),
            officer("li@xzj.gov.cn"),
            Subject::agency(Profile::Seal, agency("justice.sh.gov.cn"), "Shanghai"),
        ] {
            let refused = province.issue(&subject, &key, NOW);
            assert!(matches!(refused, Err(CertError::Unverifiable(_))), "{refused:?}");
            let forced = Subject { skip_checks: true, ..subject };
            let rogue = province.issue(&forced, &key, NOW).expect("forced");
            assert_eq!(
                reason(trust.validate(&rogue, &chain, NOW, Purpose::Sign)),
                Some(PathReason::NameConstraints)
            );
        }
    }

    #[test]
    fn expired_early_unchained_and_forged_certificates_each_have_their_reason() {
        let World { trust, province, chain } = world();
        let key = key().public_key();
        let seal = Subject::agency(Profile::Seal, agency("a.zj.gov.cn"), "A");
        let seal = province.issue(&seal, &key, NOW).expect("inside");
        let at = |at| reason(trust.validate(&seal, &chain, at, Purpose::Sign));
        assert_eq!(at(NOW), None);
        assert_eq!(at(NOW + 4 * YEAR), Some(PathReason::Expired));
        assert_eq!(at(NOW - YEAR), Some(PathReason::NotYetValid));
        assert_eq!(at(0), Some(PathReason::Malformed));
        assert_eq!(
            reason(trust.validate(&seal, &[], NOW + 1, Purpose::Sign)),
            Some(PathReason::UnknownAuthority)
        );
        let mut der = seal.der().to_vec();
        let last = der.len() - 1;
        der[last] ^= 1;
        let forged = Certificate::from_der(&der).expect("still parses");
        assert_eq!(
            reason(trust.validate(&forged, &chain, NOW, Purpose::Sign)),
            Some(PathReason::BadSignature)
        );
    }

    #[test]
    fn a_ca_issues_no_deeper_and_no_longer_than_it_may() {
        let World { province, .. } = world();
        let key = key().public_key();
        let deeper = Subject::authority("City", &[agency("hz.zj.gov.cn")], None);
        assert!(matches!(province.issue(&deeper, &key, NOW), Err(CertError::Refused(_))));
        let longer = Subject { validity: Some(30 * YEAR), ..officer("li@a.zj.gov.cn") };
        assert!(matches!(province.issue(&longer, &key, NOW), Err(CertError::Refused(_))));
    }
}
