//! Revocation by CRLs (RFC 5280 §5 and §6.3): complete, partitioned by distribution point or reason,
//! indirect, and with deltas.

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use chancery_crypto::{Digest, PublicKey, SignatureScheme};
use der::{Decode as _, Encode as _};
use x509_cert::{
    ext::pkix::{
        CrlDistributionPoints,
        crl::dp::{DistributionPoint, IssuingDistributionPoint, ReasonFlags, Reasons},
        name::{DistributionPointName, GeneralName},
    },
    name::{Name, RelativeDistinguishedName},
};
use x509_parser::{
    extensions::X509Extension,
    prelude::{CertificateRevocationList, FromDer as _},
};

use crate::{
    CertError, Certificate, PathError, PathReason, RevocationCheck, TrustStore,
    distinguished::compare_names, path::scheme_of_algorithm, rfc3339,
};

/// The largest CRL that is read, in bytes.
const MAX_CRL: usize = 64 << 20;
/// The most signature checks that one question may cost.
const MAX_WORK: u32 = 256;
/// The deepest chain of CRL issuers whose own revocation is checked.
const MAX_DEPTH: usize = 4;

const CRL_NUMBER: &str = "2.5.29.20";
const REASON_CODE: &str = "2.5.29.21";
const CERTIFICATE_ISSUER: &str = "2.5.29.29";
const DELTA_INDICATOR: &str = "2.5.29.27";
const ISSUING_POINT: &str = "2.5.29.28";
const AUTHORITY_KEY: &str = "2.5.29.35";
/// reasonCode removeFromCRL, which only stands in deltas.
const REMOVE_FROM_CRL: u8 = 8;

/// One revoked certificate.
#[derive(Debug, Clone)]
struct Entry {
    /// Who issued it, when that is not the CRL's issuer.
    issuer: Option<Arc<Name>>,
    reason: Option<u8>,
    date: i64,
}

/// A certificate revocation list and its DER. Parsing verifies nothing.
#[derive(Clone)]
pub struct Crl {
    der: Vec<u8>,
    tbs: Vec<u8>,
    signature: Vec<u8>,
    scheme: Option<SignatureScheme>,
    issuer: Name,
    shown_issuer: String,
    this_update: i64,
    next_update: Option<i64>,
    /// Extensions that say what it covers, as they stand in it.
    scope_der: Option<Vec<u8>>,
    scope: Option<IssuingDistributionPoint>,
    authority_key: Option<Vec<u8>>,
    number: Option<Vec<u8>>,
    /// The number of the CRL that it builds on, when it is a delta.
    base: Option<Vec<u8>>,
    /// It holds something critical that is not known here.
    unknown_critical: bool,
    entries: HashMap<Vec<u8>, Vec<Entry>>,
}

impl std::fmt::Debug for Crl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Crl({}, {} entries)", self.shown_issuer, self.entries.len())
    }
}

fn malformed(what: impl std::fmt::Display) -> CertError {
    CertError::Malformed(format!("the CRL cannot be read: {what}"))
}

/// The scheme of a CRL's signature, with its parameters.
fn signature_scheme(read: &x509_parser::x509::AlgorithmIdentifier<'_>) -> Option<SignatureScheme> {
    let oid = der::asn1::ObjectIdentifier::new(&read.algorithm.to_id_string()).ok()?;
    // Only RSASSA-PSS has parameters that count, and they are a SEQUENCE.
    let parameters =
        read.parameters.as_ref().map(|any| der::Any::new(der::Tag::Sequence, any.data));
    let parameters = parameters.and_then(Result::ok);
    scheme_of_algorithm(&spki::AlgorithmIdentifierOwned { oid, parameters })
}

/// The value of an INTEGER without leading zeros, for comparing by length and then by bytes.
fn integer(der: &[u8]) -> Option<Vec<u8>> {
    let uint = der::asn1::UintRef::from_der(der).ok()?;
    Some(uint.as_bytes().to_vec())
}

fn at_least(left: &[u8], right: &[u8]) -> bool {
    (left.len(), left) >= (right.len(), right)
}

impl Crl {
    /// Parses one CRL.
    ///
    /// # Errors
    /// [`CertError::Malformed`], saying why.
    pub fn from_der(der: &[u8]) -> Result<Self, CertError> {
        if der.len() > MAX_CRL {
            return Err(malformed("it is larger than 64 MiB"));
        }
        let (rest, list) = CertificateRevocationList::from_der(der).map_err(malformed)?;
        if !rest.is_empty() {
            return Err(malformed("bytes follow it"));
        }
        let tbs = &list.tbs_cert_list;
        if tbs.signature != list.signature_algorithm {
            return Err(malformed("it names two signature algorithms"));
        }
        if list.signature_value.unused_bits != 0 {
            return Err(malformed("its signature is not whole bytes"));
        }
        let mut crl = Self {
            der: der.to_vec(),
            tbs: tbs.as_ref().to_vec(),
            signature: list.signature_value.data.to_vec(),
            scheme: signature_scheme(&list.signature_algorithm),
            issuer: Name::from_der(tbs.issuer.as_raw()).map_err(malformed)?,
            shown_issuer: tbs.issuer.to_string(),
            this_update: tbs.this_update.timestamp(),
            next_update: tbs.next_update.map(|time| time.timestamp()),
            scope_der: None,
            scope: None,
            authority_key: None,
            number: None,
            base: None,
            unknown_critical: false,
            entries: HashMap::new(),
        };
        for extension in tbs.extensions() {
            crl.read_extension(extension)?;
        }
        // An entry without certificateIssuer is of the same issuer as the one before it.
        let mut issuer = None;
        for revoked in &tbs.revoked_certificates {
            let mut reason = None;
            for extension in revoked.extensions() {
                match extension.oid.to_id_string().as_str() {
                    REASON_CODE => {
                        reason =
                            extension.value.last().copied().filter(|_| extension.value.len() == 3);
                    }
                    CERTIFICATE_ISSUER => {
                        let names =
                            Vec::<GeneralName>::from_der(extension.value).map_err(malformed)?;
                        // Shared: thousands of entries may follow one long name.
                        issuer = directory_names(&names).next().cloned().map(Arc::new);
                        if issuer.is_none() {
                            return Err(malformed("an entry's certificate issuer is no name"));
                        }
                    }
                    // invalidityDate and holdInstructionCode decide nothing.
                    "2.5.29.24" | "2.5.29.23" => {}
                    _ => crl.unknown_critical |= extension.critical,
                }
            }
            let date = revoked.revocation_date.timestamp();
            let entry = Entry { issuer: issuer.clone(), reason, date };
            crl.entries.entry(revoked.raw_serial().to_vec()).or_default().push(entry);
        }
        Ok(crl)
    }

    fn read_extension(&mut self, extension: &X509Extension<'_>) -> Result<(), CertError> {
        let value = extension.value;
        match extension.oid.to_id_string().as_str() {
            CRL_NUMBER => {
                self.number = Some(integer(value).ok_or_else(|| malformed("its number is none"))?);
            }
            DELTA_INDICATOR => {
                let base = integer(value).ok_or_else(|| malformed("its base number is none"))?;
                self.base = Some(base);
            }
            ISSUING_POINT => {
                self.scope_der = Some(value.to_vec());
                let scope = IssuingDistributionPoint::from_der(value).map_err(malformed)?;
                self.scope = Some(scope);
            }
            AUTHORITY_KEY => {
                let key = x509_cert::ext::pkix::AuthorityKeyIdentifier::from_der(value);
                let key = key.map_err(malformed)?.key_identifier;
                self.authority_key = key.map(|key| key.as_bytes().to_vec());
            }
            // freshestCRL, issuerAltName, authorityInfoAccess: where to look further, not what holds.
            "2.5.29.46" | "2.5.29.18" | "1.3.6.1.5.5.7.1.1" => {}
            _ => self.unknown_critical |= extension.critical,
        }
        Ok(())
    }

    /// The CRL's DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Who issued it, for people.
    pub fn issuer(&self) -> &str {
        &self.shown_issuer
    }

    /// When it was issued, in seconds since 1970 UTC.
    pub fn this_update(&self) -> i64 {
        self.this_update
    }

    /// Until when it may be used, in seconds since 1970 UTC.
    pub fn next_update(&self) -> Option<i64> {
        self.next_update
    }

    /// The number of certificates that it revokes.
    pub fn len(&self) -> usize {
        self.entries.values().map(Vec::len).sum()
    }

    /// Whether it revokes nothing.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Its number, in an order of numbers.
    fn order(&self) -> Option<(usize, &[u8])> {
        self.number.as_deref().map(|number| (number.len(), number))
    }

    fn is_current(&self, at: i64) -> bool {
        self.this_update <= at && self.next_update.is_some_and(|next| at <= next)
    }

    fn verifies(&self, key: &PublicKey) -> bool {
        self.scheme.is_some_and(|scheme| key.verify_der(scheme, &self.tbs, &self.signature).is_ok())
    }

    /// The entry for a certificate of this issuer and serial number.
    fn entry(&self, issuer: &Name, serial: &[u8]) -> Option<&Entry> {
        let of_issuer =
            |entry: &&Entry| compare_names(entry.issuer.as_deref().unwrap_or(&self.issuer), issuer);
        self.entries.get(serial)?.iter().find(of_issuer)
    }
}

/// Reads the CRLs of a PEM text or of one DER, in order.
///
/// # Errors
/// [`CertError::Malformed`], also when there is none.
pub fn decode_crls(bytes: &[u8]) -> Result<Vec<Crl>, CertError> {
    if bytes.first() == Some(&0x30) {
        return Crl::from_der(bytes).map(|crl| vec![crl]);
    }
    let blocks = pem::parse_many(bytes).map_err(malformed)?;
    let crls = blocks.iter().filter(|block| block.tag() == "X509 CRL");
    let crls = crls.map(|block| Crl::from_der(block.contents())).collect::<Result<Vec<_>, _>>()?;
    if crls.is_empty() { Err(malformed("there is none in it")) } else { Ok(crls) }
}

/// Writes a CRL as PEM.
pub fn encode_crl(der: &[u8]) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new("X509 CRL", der), config)
}

fn directory_names(names: &[GeneralName]) -> impl Iterator<Item = &Name> {
    names.iter().filter_map(|name| match name {
        GeneralName::DirectoryName(name) => Some(name),
        _ => None,
    })
}

fn same(left: &GeneralName, right: &GeneralName) -> bool {
    match (left, right) {
        (GeneralName::DirectoryName(left), GeneralName::DirectoryName(right)) => {
            compare_names(left, right)
        }
        _ => left == right,
    }
}

fn overlap(left: &[GeneralName], right: &[GeneralName]) -> bool {
    left.iter().any(|l| right.iter().any(|r| same(l, r)))
}

/// A name with one more part at its end.
fn below(name: &Name, part: &RelativeDistinguishedName) -> Option<GeneralName> {
    let mut parts = Vec::new();
    for rdn in name.iter_rdn().chain([part]) {
        parts.extend(rdn.to_der().ok()?);
    }
    let header = der::Header::new(der::Tag::Sequence, der::Length::try_from(parts.len()).ok()?);
    let der = [header.to_der().ok()?, parts].concat();
    Some(GeneralName::DirectoryName(Name::from_der(&der).ok()?))
}

/// The names of a distribution point; relative ones are below `issuer`.
fn point_names(point: &DistributionPointName, issuer: &Name) -> Vec<GeneralName> {
    match point {
        DistributionPointName::FullName(names) => names.clone(),
        DistributionPointName::NameRelativeToCRLIssuer(part) => {
            below(issuer, part).into_iter().collect()
        }
    }
}

fn all_reasons() -> ReasonFlags {
    Reasons::KeyCompromise
        | Reasons::CaCompromise
        | Reasons::AffiliationChanged
        | Reasons::Superseded
        | Reasons::CessationOfOperation
        | Reasons::CertificateHold
        | Reasons::PrivilegeWithdrawn
        | Reasons::AaCompromise
}

enum Status {
    /// Good, and when the past is asked about: until when.
    Good {
        until: i64,
    },
    Revoked(Entry),
    Unknown,
}

const GOOD: Status = Status::Good { until: i64::MAX };

/// Answers, from a set of CRLs, whether the certificates of a path are revoked.
pub(crate) struct Revocation<'a> {
    pub store: &'a TrustStore,
    /// The newest first: an older one that is still current must not hide what a newer one says.
    crls: Vec<&'a Crl>,
    /// Since when each is known to have existed, by its place in memory.
    since: HashMap<*const Crl, i64>,
    /// When it is asked about the past: what CRLs must not be too old for.
    fresh: Option<i64>,
    /// Where issuers of CRLs are looked for.
    pub pool: &'a [Certificate],
    pub at: i64,
    /// Issuers of CRLs whose own paths are being validated.
    visiting: RefCell<Vec<Digest>>,
    /// What was found of such issuers.
    valid: RefCell<HashMap<Digest, bool>>,
    work: RefCell<u32>,
}

impl<'a> Revocation<'a> {
    pub fn new(
        store: &'a TrustStore,
        check: &RevocationCheck<'a>,
        pool: &'a [Certificate],
        at: i64,
    ) -> Self {
        let (known, fresh) = match *check {
            RevocationCheck::None => (&[][..], None),
            RevocationCheck::Current(known) => (known, None),
            RevocationCheck::Past { crls, fresh } => (crls, Some(fresh)),
        };
        let since =
            known.iter().map(|known| (std::ptr::from_ref(known.crl), known.since)).collect();
        let mut crls: Vec<&Crl> = known.iter().map(|known| known.crl).collect();
        crls.sort_by_key(|crl| std::cmp::Reverse((crl.this_update, crl.order())));
        let (visiting, work) = (RefCell::default(), RefCell::new(MAX_WORK));
        Self { store, crls, since, fresh, pool, at, visiting, valid: RefCell::default(), work }
    }

    /// Checks every certificate of a path below its anchor: leaf first.
    ///
    /// # Errors
    /// [`PathReason::Revoked`] or [`PathReason::RevocationUnknown`].
    pub fn check_path(
        &self,
        chain: &[&Certificate],
        anchor: &Certificate,
    ) -> Result<(), PathError> {
        // From when on the issuer's word counts for nothing, when the past is asked about.
        let mut revoked = i64::MAX;
        for (index, certificate) in chain.iter().enumerate().rev() {
            if *certificate == anchor {
                continue;
            }
            let issuer = chain.get(index + 1).copied().unwrap_or(anchor);
            let (who, at) = (certificate.subject(), rfc3339(self.at));
            match self.status(certificate, issuer, anchor, revoked) {
                Some(Status::Good { until }) => revoked = until,
                Some(Status::Revoked(entry)) => {
                    let why = entry.reason.map_or("no reason given", reason_name);
                    let when = rfc3339(entry.date);
                    return Err(PathError {
                        reason: PathReason::Revoked,
                        sentence: format!("the certificate of {who:?} was revoked {when} ({why})"),
                        zh: format!("“{who}”的证书已于 {when} 被吊销（{why}）"),
                    });
                }
                Some(Status::Unknown) | None => {
                    return Err(PathError {
                        reason: PathReason::RevocationUnknown,
                        sentence: format!(
                            "no CRL at hand that is current at {at} says whether the certificate of \
                             {who:?} is revoked"
                        ),
                        zh: format!("没有在 {at} 有效的吊销列表说明“{who}”的证书是否被吊销"),
                    });
                }
            }
        }
        Ok(())
    }

    /// RFC 5280 §6.3.3 for one certificate.
    fn status(
        &self,
        certificate: &Certificate,
        issuer: &Certificate,
        anchor: &Certificate,
        issuer_revoked: i64,
    ) -> Option<Status> {
        let issuer_name = Name::from_der(&certificate.0.issuer_der).ok()?;
        let serial = hex::decode(certificate.serial()).ok()?;
        let points = match &certificate.0.distribution_points {
            Some(der) => CrlDistributionPoints::from_der(der).ok()?.0,
            None => Vec::new(),
        };
        let (mut covered, mut until) = (ReasonFlags::default(), i64::MAX);
        let question =
            Question { certificate, issuer, anchor, issuer_name, serial, issuer_revoked };
        // What its distribution points name, and then whatever its issuer has issued.
        for point in points.iter().map(Some).chain([None]) {
            for crl in self.crls.iter().copied().filter(|crl| crl.base.is_none()) {
                let Some(reasons) = question.covers(crl, point) else { continue };
                if (reasons - covered).is_empty() {
                    continue;
                }
                match self.look_up(crl, &question) {
                    Some(Status::Revoked(entry)) => return Some(Status::Revoked(entry)),
                    Some(Status::Good { until: later }) => {
                        covered |= reasons;
                        until = until.min(later);
                    }
                    Some(Status::Unknown) | None => {}
                }
                if covered.contains(all_reasons()) {
                    return Some(Status::Good { until });
                }
            }
        }
        Some(Status::Unknown)
    }

    /// Whether a CRL is of the right time to say something: current, or, when the past is asked about,
    /// not too old for that.
    fn timely(&self, crl: &Crl) -> bool {
        match self.fresh {
            None => crl.is_current(self.at),
            Some(fresh) => {
                crl.this_update >= fresh || crl.next_update.is_some_and(|next| next >= fresh)
            }
        }
    }

    /// Looks a certificate up in a complete CRL that covers it, and in its newest delta.
    fn look_up(&self, crl: &Crl, question: &Question<'_>) -> Option<Status> {
        if crl.unknown_critical || (self.fresh.is_none() && crl.this_update > self.at) {
            return None;
        }
        let is_delta = |delta: &&&Crl| self.timely(delta) && is_delta_of(delta, crl);
        let mut deltas = self.crls.iter().filter(is_delta).peekable();
        if !self.timely(crl) && deltas.peek().is_none() {
            return None;
        }
        let key = self.signer(crl, question)?;
        // Only those of the same signer count; a forged one must not push a true one aside.
        let delta = deltas.filter(|delta| self.verifies(delta, &key));
        let delta = delta.max_by_key(|delta| delta.order()).copied();
        if !self.timely(crl) && delta.is_none() {
            return None;
        }
        let find = |crl: &Crl| crl.entry(&question.issuer_name, &question.serial).cloned();
        if let Some(entry) = delta.and_then(find) {
            let removed = entry.reason == Some(REMOVE_FROM_CRL);
            return Some(if removed { GOOD } else { self.judge(entry) });
        }
        match find(crl) {
            Some(entry) => Some(self.judge(entry)),
            // A CA may drop a certificate from its lists once it has expired (RFC 5280 §3.3).
            None if self.fresh.is_some() && crl.this_update > question.certificate.not_after() => {
                None
            }
            None => Some(GOOD),
        }
    }

    /// What an entry says: revoked or, when the past is asked about, not until then.
    fn judge(&self, entry: Entry) -> Status {
        if self.fresh.is_some() && entry.date > self.at {
            Status::Good { until: entry.date }
        } else {
            Status::Revoked(entry)
        }
    }

    /// Whether the word of a CRL's issuer counted when the CRL is known to have existed.
    fn was_good(&self, crl: &Crl, signer: &Certificate, question: &Question<'_>) -> bool {
        if self.fresh.is_none() || signer == question.anchor {
            return true;
        }
        let since = self.since.get(&std::ptr::from_ref(crl)).copied().unwrap_or(i64::MAX);
        let revoked = if signer == question.issuer { question.issuer_revoked } else { i64::MAX };
        since <= signer.not_after() && since < revoked
    }

    /// The key that signed a CRL, once it is known to be its issuer's under the same anchor.
    fn signer(&self, crl: &Crl, question: &Question<'_>) -> Option<PublicKey> {
        let named = |c: &Certificate| {
            Name::from_der(&c.0.subject_der).is_ok_and(|name| compare_names(&name, &crl.issuer))
        };
        let may_sign = |c: &Certificate| !c.0.has_key_usage || c.key_usages().contains(&"cRLSign");
        let signed = |c: &Certificate| c.public_key().is_some_and(|key| self.verifies(crl, key));
        let in_time = |c: &Certificate| self.was_good(crl, c, question);
        let fits = |c: &&Certificate| named(c) && may_sign(c) && in_time(c) && signed(c);
        // The path's own issuer and the anchor: their paths are validated already.
        if let Some(own) = [question.issuer, question.anchor].into_iter().find(fits) {
            return own.public_key().cloned();
        }
        let other = self.pool.iter().filter(fits).find(|c| self.is_valid_issuer(c, question))?;
        other.public_key().cloned()
    }

    /// Checks a CRL's signature, as long as there is work left to spend.
    fn verifies(&self, crl: &Crl, key: &PublicKey) -> bool {
        let left = self.work.replace_with(|left| left.saturating_sub(1));
        left > 0 && crl.verifies(key)
    }

    /// Validates the path of an issuer of CRLs, with revocation, to the same anchor.
    fn is_valid_issuer(&self, certificate: &Certificate, question: &Question<'_>) -> bool {
        let own = certificate.fingerprint();
        if let Some(valid) = self.valid.borrow().get(&own) {
            return *valid;
        }
        {
            let visiting = self.visiting.borrow();
            if visiting.contains(&own) {
                // Its CA has made it answer for its own certificate: the path is under validation,
                // and what is left to ask is what its CRL says of itself.
                return question.certificate.fingerprint() == own;
            }
            if visiting.len() >= MAX_DEPTH {
                return false;
            }
        }
        self.visiting.borrow_mut().push(own);
        let valid = self.store.search(certificate, self.pool, self.at, &|chain, anchor| {
            if *anchor != *question.anchor {
                return Err(PathError {
                    reason: PathReason::RevocationUnknown,
                    sentence: "the CRL is of another trust anchor".into(),
                    zh: "吊销列表属于另一信任锚".into(),
                });
            }
            self.check_path(chain, anchor)
        });
        self.visiting.borrow_mut().pop();
        // Inside another's validation a no may only mean that it went too deep.
        if valid.is_ok() || self.visiting.borrow().is_empty() {
            self.valid.borrow_mut().insert(own, valid.is_ok());
        }
        valid.is_ok()
    }
}

/// The certificate that is asked about.
struct Question<'a> {
    certificate: &'a Certificate,
    issuer: &'a Certificate,
    anchor: &'a Certificate,
    issuer_name: Name,
    serial: Vec<u8>,
    /// When its issuer's own certificate was revoked.
    issuer_revoked: i64,
}

impl Question<'_> {
    /// For which reasons a CRL says whether the certificate is revoked, when looked at through one
    /// of its distribution points, or through none: RFC 5280 §6.3.3 (b), (d).
    fn covers(&self, crl: &Crl, point: Option<&DistributionPoint>) -> Option<ReasonFlags> {
        let scope = crl.scope.as_ref();
        let crl_issuers = point.and_then(|point| point.crl_issuer.as_ref());
        let issued_here = match crl_issuers {
            Some(names) => {
                scope.is_some_and(|scope| scope.indirect_crl)
                    && directory_names(names).any(|name| compare_names(name, &crl.issuer))
            }
            None => compare_names(&crl.issuer, &self.issuer_name),
        };
        if !issued_here {
            return None;
        }
        let mut reasons = point.and_then(|point| point.reasons).unwrap_or_else(all_reasons);
        if let Some(scope) = scope {
            let ca = self.certificate.is_ca();
            if scope.only_contains_attribute_certs
                || (scope.only_contains_user_certs && ca)
                || (scope.only_contains_ca_certs && !ca)
            {
                return None;
            }
            if let Some(name) = &scope.distribution_point {
                let of_crl = point_names(name, &crl.issuer);
                let base = crl_issuers.and_then(|names| directory_names(names).next());
                let own = match point.and_then(|point| point.distribution_point.as_ref()) {
                    Some(name) => point_names(name, base.unwrap_or(&self.issuer_name)),
                    None => crl_issuers.cloned().unwrap_or_else(|| {
                        vec![GeneralName::DirectoryName(self.issuer_name.clone())]
                    }),
                };
                if !overlap(&of_crl, &own) {
                    return None;
                }
            }
            if let Some(some) = scope.only_some_reasons {
                reasons &= some;
            }
        }
        Some(reasons & all_reasons())
    }
}

/// Whether a CRL is a delta to a complete one: RFC 5280 §6.3.3 (c).
fn is_delta_of(delta: &Crl, complete: &Crl) -> bool {
    let Some(base) = &delta.base else { return false };
    let (Some(number), Some(newer)) = (&complete.number, &delta.number) else { return false };
    !delta.unknown_critical
        && compare_names(&delta.issuer, &complete.issuer)
        && delta.scope_der == complete.scope_der
        && delta.authority_key == complete.authority_key
        && at_least(number, base)
        && at_least(newer, number)
}

/// A reason code's name (RFC 5280 §5.3.1).
fn reason_name(code: u8) -> &'static str {
    match code {
        1 => "keyCompromise",
        2 => "cACompromise",
        3 => "affiliationChanged",
        4 => "superseded",
        5 => "cessationOfOperation",
        6 => "certificateHold",
        8 => "removeFromCRL",
        9 => "privilegeWithdrawn",
        10 => "aACompromise",
        _ => "unspecified",
    }
}
