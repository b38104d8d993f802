//! Revocation by CRLs (RFC 5280 §5 and §6.3): complete, partitioned by distribution point or reason,
//! indirect, and with deltas.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    sync::Arc,
};

use chancery_crypto::{Digest, PublicKey, SignatureScheme};
use der::{Decode as _, Encode as _, Sequence, Tag, Tagged as _};
use spki::AlgorithmIdentifierOwned;
use x509_cert::{
    ext::{
        Extension,
        pkix::{
            AuthorityKeyIdentifier, CrlDistributionPoints,
            crl::dp::{DistributionPoint, IssuingDistributionPoint, ReasonFlags, Reasons},
            name::{DistributionPointName, GeneralName},
        },
    },
    name::{Name, RelativeDistinguishedName},
    time::Time,
};

use crate::{
    CertError, Certificate, CrlFault, FaultyList, PathError, PathFault, PathReason, Purpose,
    RevocationCheck, SignatureBudget, TrustStore, Uncovered,
    path::{Asked, issued, path_error, scheme_of_algorithm},
};

/// The largest CRL that is read, in bytes.
const MAX_CRL: usize = 64 << 20;
/// The most keys that one list is held against: those of the path come first.
const MAX_KEYS: usize = 8;
/// The most issuers of CRLs outside the path whose own paths are validated for one question.
const MAX_ISSUERS: u32 = 64;
/// The deepest chain of CRL issuers whose own revocation is checked.
const MAX_DEPTH: usize = 4;

const CRL_NUMBER: &str = "2.5.29.20";
const REASON_CODE: &str = "2.5.29.21";
const CERTIFICATE_ISSUER: &str = "2.5.29.29";
const DELTA_INDICATOR: &str = "2.5.29.27";
const ISSUING_POINT: &str = "2.5.29.28";
const AUTHORITY_KEY: &str = "2.5.29.35";
/// reasonCode certificateHold: the only one that may be taken back.
const HOLD: u8 = 6;
/// reasonCode removeFromCRL, which only stands in deltas.
const REMOVE_FROM_CRL: u8 = 8;

/// CertificateList (RFC 5280 §5.1). Decoded and encoded again it must be the same bytes.
#[derive(Sequence)]
struct List {
    tbs: TbsList,
    algorithm: AlgorithmIdentifierOwned,
    signature: der::asn1::BitString,
}

#[derive(Sequence)]
struct TbsList {
    #[asn1(optional = "true")]
    version: Option<u8>,
    algorithm: AlgorithmIdentifierOwned,
    issuer: Name,
    this_update: Time,
    #[asn1(optional = "true")]
    next_update: Option<Time>,
    #[asn1(optional = "true")]
    revoked: Option<Vec<ListEntry>>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Vec<Extension>>,
}

#[derive(Sequence)]
struct ListEntry {
    serial: der::asn1::Int,
    date: Time,
    #[asn1(optional = "true")]
    extensions: Option<Vec<Extension>>,
}

/// One revoked certificate.
#[derive(Debug, Clone)]
struct Entry {
    /// Who issued it, when that is not the CRL's issuer.
    issuer: Option<Arc<Name>>,
    reason: Option<u8>,
    date: i64,
}

impl Entry {
    /// Whether the word may be taken back: a hold, or the end of one.
    fn is_passing(&self) -> bool {
        matches!(self.reason, Some(HOLD | REMOVE_FROM_CRL))
    }
}

/// A certificate revocation list and its DER. Parsing verifies nothing.
#[derive(Clone)]
pub struct Crl {
    der: Vec<u8>,
    digest: Digest,
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
    /// Where it is not as RFC 5280 §5 wants it.
    fault: Option<CrlFault>,
    entries: HashMap<Vec<u8>, Vec<Entry>>,
}

impl std::fmt::Debug for Crl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Crl({}, {} entries)", self.shown_issuer, self.entries.len())
    }
}

fn malformed(what: impl std::fmt::Display) -> CertError {
    CertError::Crl(what.to_string())
}

/// Decodes what must be DER and nothing else: what does not encode to the same bytes again is not read.
fn exact<T: for<'a> der::Decode<'a, Error = der::Error> + der::Encode>(
    bytes: &[u8],
    what: &str,
) -> Result<T, CertError> {
    let value = T::from_der(bytes).map_err(|e| malformed(format_args!("{what}: {e}")))?;
    match value.to_der() {
        Ok(again) if again == bytes => Ok(value),
        _ => Err(malformed(format_args!("{what} is not DER"))),
    }
}

/// The value of an INTEGER without leading zeros, for comparing by length and then by bytes.
fn integer(der: &[u8], what: &str) -> Result<Vec<u8>, CertError> {
    Ok(exact::<der::asn1::Uint>(der, what)?.as_bytes().to_vec())
}

/// Each extension once, in order.
fn once(extensions: Option<&Vec<Extension>>) -> Result<&[Extension], CertError> {
    let Some(extensions) = extensions else { return Ok(&[]) };
    if extensions.is_empty() {
        return Err(malformed("an empty list of extensions stands in it"));
    }
    for (index, extension) in extensions.iter().enumerate() {
        if extensions.iter().take(index).any(|other| other.extn_id == extension.extn_id) {
            return Err(malformed(format_args!(
                "the extension {} stands twice",
                extension.extn_id
            )));
        }
    }
    Ok(extensions)
}

fn seconds(time: &Time) -> i64 {
    i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX)
}

/// Whether a time has the form that RFC 5280 §5.1.2.4 asks for: UTCTime through 2049.
fn has_form(time: &Time) -> bool {
    const Y2050: i64 = 2_524_608_000;
    matches!(time, Time::UtcTime(_)) == (seconds(time) < Y2050)
}

fn same_name(left: &Name, right: &Name) -> bool {
    crate::distinguished::compare_names(left, right)
}

fn at_least(left: &[u8], right: &[u8]) -> bool {
    (left.len(), left) >= (right.len(), right)
}

impl Crl {
    /// Parses one CRL. What is not DER in all that it says is no list.
    ///
    /// # Errors
    /// [`CertError::Crl`], saying why.
    pub fn from_der(der: &[u8]) -> Result<Self, CertError> {
        if der.len() > MAX_CRL {
            return Err(malformed("it is larger than 64 MiB"));
        }
        let list: List = exact(der, "its encoding")?;
        let tbs = &list.tbs;
        if tbs.algorithm != list.algorithm {
            return Err(malformed("it names two signature algorithms"));
        }
        let signature = list.signature.as_bytes();
        let signature = signature.ok_or_else(|| malformed("its signature is not whole bytes"))?;
        let extensions = once(tbs.extensions.as_ref())?;
        let issuer_der = tbs.issuer.to_der().map_err(malformed)?;
        let mut crl = Self {
            der: der.to_vec(),
            digest: Digest::of(der),
            tbs: tbs.to_der().map_err(malformed)?,
            signature: signature.to_vec(),
            scheme: scheme_of_algorithm(&list.algorithm),
            issuer: tbs.issuer.clone(),
            shown_issuer: show(&issuer_der),
            this_update: seconds(&tbs.this_update),
            next_update: tbs.next_update.as_ref().map(seconds),
            scope_der: None,
            scope: None,
            authority_key: None,
            number: None,
            base: None,
            unknown_critical: false,
            fault: None,
            entries: HashMap::new(),
        };
        if tbs.version != Some(1) {
            // Version 1 has no extensions, so it cannot say which of two is the newer.
            crl.find_fault(CrlFault::Version);
        }
        for extension in extensions {
            crl.read_extension(extension)?;
        }
        if crl.number.is_none() {
            crl.find_fault(CrlFault::NoNumber);
        }
        let mut times = tbs.next_update.iter().chain([&tbs.this_update]);
        if !times.all(has_form) {
            crl.find_fault(CrlFault::Times);
        }
        crl.read_entries(tbs.revoked.as_deref().unwrap_or_default())?;
        Ok(crl)
    }

    fn find_fault(&mut self, fault: CrlFault) {
        self.fault.get_or_insert(fault);
    }

    fn read_entries(&mut self, list: &[ListEntry]) -> Result<(), CertError> {
        // An entry without certificateIssuer is of the same issuer as the one before it.
        let mut issuer = None;
        for revoked in list {
            let mut reason = None;
            for extension in once(revoked.extensions.as_ref())? {
                let value = extension.extn_value.as_bytes();
                match extension.extn_id.to_string().as_str() {
                    REASON_CODE => {
                        let code: der::Any = exact(value, "a reason")?;
                        reason = match (code.tag(), code.value()) {
                            (Tag::Enumerated, [code]) => Some(*code),
                            _ => return Err(malformed("a reason is no code")),
                        };
                    }
                    CERTIFICATE_ISSUER => {
                        let names: Vec<GeneralName> = exact(value, "a certificate issuer")?;
                        // Shared: thousands of entries may follow one long name.
                        issuer = directory_names(&names).next().cloned().map(Arc::new);
                        if issuer.is_none() {
                            return Err(malformed("an entry's certificate issuer is no name"));
                        }
                        if !extension.critical {
                            self.find_fault(CrlFault::EntryIssuer);
                        }
                    }
                    // invalidityDate and holdInstructionCode decide nothing.
                    "2.5.29.24" | "2.5.29.23" => {}
                    _ => self.unknown_critical |= extension.critical,
                }
            }
            let entry = Entry { issuer: issuer.clone(), reason, date: seconds(&revoked.date) };
            self.entries.entry(revoked.serial.as_bytes().to_vec()).or_default().push(entry);
        }
        Ok(())
    }

    fn read_extension(&mut self, extension: &Extension) -> Result<(), CertError> {
        let value = extension.extn_value.as_bytes();
        match extension.extn_id.to_string().as_str() {
            CRL_NUMBER => {
                self.number = Some(integer(value, "its number")?);
                if extension.critical {
                    self.find_fault(CrlFault::NumberCritical);
                }
            }
            DELTA_INDICATOR => {
                self.base = Some(integer(value, "its base number")?);
                if !extension.critical {
                    self.find_fault(CrlFault::DeltaNotCritical);
                }
            }
            ISSUING_POINT => {
                self.scope = Some(exact(value, "its scope")?);
                self.scope_der = Some(value.to_vec());
                if !extension.critical {
                    self.find_fault(CrlFault::ScopeNotCritical);
                }
            }
            AUTHORITY_KEY => {
                let key: AuthorityKeyIdentifier = exact(value, "its issuer's key identifier")?;
                self.authority_key = key.key_identifier.map(|key| key.as_bytes().to_vec());
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

    /// Whether it says all that an older list says, or more: by the same issuer, of the same scope, and not older.
    pub fn replaces(&self, old: &Self) -> bool {
        same_name(&self.issuer, &old.issuer)
            && self.authority_key == old.authority_key
            && self.scope_der == old.scope_der
            && self.base.is_none() == old.base.is_none()
            && self.fault.is_none()
            && (self.this_update, self.order()) >= (old.this_update, old.order())
    }

    /// Its number, in an order of numbers.
    fn order(&self) -> Option<(usize, &[u8])> {
        self.number.as_deref().map(|number| (number.len(), number))
    }

    /// Why it is not one of those that count in the trust domain, if it is not.
    pub fn fault(&self) -> Option<CrlFault> {
        self.fault
    }

    fn is_current(&self, at: i64) -> bool {
        self.this_update <= at && self.next_update.is_some_and(|next| at <= next)
    }

    /// The digest of its DER.
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether a key signed it.
    pub(crate) fn verifies(&self, key: &PublicKey) -> bool {
        self.scheme.is_some_and(|scheme| key.verify_der(scheme, &self.tbs, &self.signature).is_ok())
    }

    /// The entry for a certificate of this issuer and serial number.
    fn entry(&self, issuer: &Name, serial: &[u8]) -> Option<&Entry> {
        let of_issuer =
            |entry: &&Entry| same_name(entry.issuer.as_deref().unwrap_or(&self.issuer), issuer);
        // Where it stands twice, what is for good counts.
        let mut entries = self.entries.get(serial)?.iter().filter(of_issuer);
        entries.clone().find(|entry| !entry.is_passing()).or_else(|| entries.next())
    }
}

/// Reads the CRLs of a PEM text or of one DER, in order.
///
/// # Errors
/// [`CertError::Crl`], also when there is none.
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

/// A name for people.
fn show(name: &[u8]) -> String {
    use x509_parser::prelude::FromDer as _;
    let read = x509_parser::x509::X509Name::from_der(name);
    read.map_or_else(|_| "?".to_owned(), |(_, name)| name.to_string())
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
            same_name(left, right)
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

/// What the lists say of a certificate.
enum Status {
    /// Good, and when the past is asked about: until when.
    Good {
        until: i64,
    },
    Revoked(Entry),
    Unknown,
}

/// What one list says of a certificate.
#[derive(Default)]
struct Answer {
    /// Revoked by the time that is asked about.
    revoked: Option<Entry>,
    /// Revoked, but not until then.
    until: Option<i64>,
    /// The list is of the right time, so that who is not named in it is good.
    timely: bool,
}

/// Answers, from a set of CRLs, whether the certificates of a path are revoked.
pub(crate) struct Revocation<'a> {
    pub store: &'a TrustStore,
    budget: &'a SignatureBudget,
    /// The newest first: an older one that is still current must not hide what a newer one says.
    crls: Vec<&'a Crl>,
    /// Since when each is known to have existed, by its place in memory.
    since: HashMap<*const Crl, i64>,
    /// When it is asked about the past: what CRLs must not be too old for.
    fresh: Option<i64>,
    /// What a certificate is that no list covers.
    unknown: Uncovered,
    /// Lists that do not count, and why.
    faulty: Vec<(&'a Crl, CrlFault)>,
    /// Where issuers of CRLs are looked for.
    pub pool: &'a [Certificate],
    pub at: i64,
    /// Issuers of CRLs whose own paths are being validated.
    visiting: RefCell<Vec<Digest>>,
    /// What was found of such issuers, under the key that certified them.
    valid: RefCell<HashMap<(Digest, Digest), Option<i64>>>,
    /// By which keys each list verifies. Lists do not share what they may cost: one who adds bad ones must not
    /// be able to push a good one aside.
    verified: RefCell<HashMap<*const Crl, Vec<(PublicKey, bool)>>>,
    issuers_left: RefCell<u32>,
    /// Who in the path that was looked at last is not covered.
    uncovered: RefCell<Option<String>>,
}

impl<'a> Revocation<'a> {
    /// `None`: nothing is known of revocation, and nothing is asked.
    pub(crate) fn new(
        store: &'a TrustStore,
        check: &RevocationCheck<'a>,
        pool: &'a [Certificate],
        at: i64,
        budget: &'a SignatureBudget,
    ) -> Option<Self> {
        let (known, fresh, unknown) = match *check {
            RevocationCheck::None => return None,
            RevocationCheck::Listed(known) => (known, None, Uncovered::Passes),
            RevocationCheck::Current(known) => (known, None, Uncovered::Open),
            RevocationCheck::Past { crls, fresh, uncovered } => (crls, Some(fresh), uncovered),
        };
        let since =
            known.iter().map(|known| (std::ptr::from_ref(known.crl), known.since)).collect();
        let mut crls: Vec<&Crl> = known.iter().map(|known| known.crl).collect();
        let faulty = crls.iter().filter(|crl| !store.takes(crl));
        let faulty = faulty.filter_map(|crl| Some((*crl, crl.fault?))).collect();
        crls.retain(|crl| !crl.unknown_critical && store.takes(crl));
        crls.sort_by_key(|crl| std::cmp::Reverse((crl.this_update, crl.order())));
        Some(Self {
            store,
            budget,
            crls,
            since,
            fresh,
            unknown,
            faulty,
            pool,
            at,
            visiting: RefCell::default(),
            valid: RefCell::default(),
            verified: RefCell::default(),
            issuers_left: RefCell::new(MAX_ISSUERS),
            uncovered: RefCell::default(),
        })
    }

    /// Who in the path that was accepted is not covered by any list, when that passes.
    pub(crate) fn uncovered(&self) -> Option<String> {
        self.uncovered.borrow().clone()
    }

    /// Checks every certificate of a path below its anchor: leaf first.
    ///
    /// # Errors
    /// [`PathReason::Revoked`], or [`PathReason::RevocationUnknown`] where what is not known does not pass.
    pub(crate) fn check_path(
        &self,
        chain: &[&Certificate],
        anchor: &Certificate,
    ) -> Result<(), PathError> {
        self.walk(chain, anchor).map(drop)
    }

    /// The same, and from when on the word of the leaf counts for nothing, when the past is asked about: a CA above it that
    /// lost its key could have certified another leaf.
    fn walk(&self, chain: &[&Certificate], anchor: &Certificate) -> Result<i64, PathError> {
        if self.visiting.borrow().is_empty() {
            self.uncovered.replace(None);
        }
        let below = chain.iter().copied().take_while(|certificate| *certificate != anchor);
        let path: Vec<_> = below.chain([anchor]).collect();
        // From when on the word of each counts for nothing, when the past is asked about: of an anchor never.
        let mut ends = vec![i64::MAX; path.len()];
        // That somebody above is not covered does not hide that somebody below is revoked.
        let mut open = None;
        for index in (0..path.len().saturating_sub(1)).rev() {
            let (Some(certificate), Some(above)) = (path.get(index), path.get(index + 1..)) else {
                continue;
            };
            let upper = ends.get(index + 1..).unwrap_or_default();
            let who = certificate.subject();
            match self.status(certificate, above, upper) {
                Status::Good { until } => {
                    if let Some(end) = ends.get_mut(index) {
                        *end = until;
                    }
                }
                Status::Revoked(entry) => {
                    let (who, time) = (who.to_owned(), entry.date);
                    let fault = PathFault::Revoked { who, time, reason: entry.reason };
                    return Err(path_error(PathReason::Revoked, fault));
                }
                Status::Unknown if self.unknown == Uncovered::Passes => {
                    self.uncovered.borrow_mut().get_or_insert_with(|| who.to_owned());
                }
                Status::Unknown => {
                    open.get_or_insert_with(|| {
                        let (who, list) = (who.to_owned(), self.faulty_list(certificate));
                        let fault = PathFault::NotCovered { who, at: self.at, list };
                        path_error(PathReason::RevocationUnknown, fault)
                    });
                }
            }
        }
        open.map_or_else(|| Ok(ends.into_iter().min().unwrap_or(i64::MAX)), Err)
    }

    /// Why a list by the issuer's name does not count, if there is one.
    fn faulty_list(&self, certificate: &Certificate) -> Option<FaultyList> {
        let name = Name::from_der(&certificate.0.issuer_der).ok()?;
        let (crl, fault) = self.faulty.iter().find(|(crl, _)| same_name(&crl.issuer, &name))?;
        Some(FaultyList { issuer: crl.shown_issuer.clone(), fault: *fault })
    }

    /// RFC 5280 §6.3.3 for one certificate, with the CAs above it in its path and their ends. Who is named
    /// stays revoked, other than on hold, when the list runs out (§3.3: an entry stays until after the
    /// certificate's own end).
    fn status(&self, certificate: &Certificate, above: &[&Certificate], ends: &[i64]) -> Status {
        let Some(question) = Question::new(certificate, above, ends) else {
            return Status::Unknown;
        };
        let points = match &certificate.0.distribution_points {
            Some(der) => match CrlDistributionPoints::from_der(der) {
                Ok(points) => points.0,
                Err(_) => return Status::Unknown,
            },
            None => Vec::new(),
        };
        let (mut covered, mut until) = (ReasonFlags::default(), i64::MAX);
        // What its distribution points name, and then whatever its issuer has issued.
        for point in points.iter().map(Some).chain([None]) {
            for crl in self.crls.iter().copied() {
                let Some(scope) = question.covers(crl, point) else { continue };
                // What a newer list says of it outweighs this one, but for what is for good. A delta by itself says nothing
                // else either: that it does not name a certificate means something only beside the list that it builds on.
                let news = crl.base.is_none() && !(scope.reasons - covered).is_empty();
                let answer = self.look_up(crl, &question, scope.indirect, news);
                if let Some(entry) = answer.revoked {
                    return Status::Revoked(entry);
                }
                until = until.min(answer.until.unwrap_or(i64::MAX));
                if answer.timely {
                    covered |= scope.reasons;
                }
            }
        }
        if covered.contains(all_reasons()) { Status::Good { until } } else { Status::Unknown }
    }

    /// Whether a CRL is of the right time to say who is good: current, or, when the past is asked about,
    /// not too old for that.
    fn timely(&self, crl: &Crl) -> bool {
        match self.fresh {
            None => crl.is_current(self.at),
            Some(fresh) => {
                crl.this_update >= fresh || crl.next_update.is_some_and(|next| next >= fresh)
            }
        }
    }

    /// Looks a certificate up in a complete CRL that covers it, and in its deltas. `news`: whether anything but
    /// what is for good is of interest.
    fn look_up(&self, crl: &Crl, question: &Question<'_>, indirect: bool, news: bool) -> Answer {
        let find = |crl: &Crl| crl.entry(&question.issuer_name, &question.serial).cloned();
        let deltas = || self.crls.iter().copied().filter(|delta| is_delta_of(delta, crl));
        if !news && find(crl).is_none() && !deltas().any(|delta| find(delta).is_some()) {
            return Answer::default();
        }
        let Some(key) = self.signer(crl, question, indirect) else { return Answer::default() };
        // Only those of the same signer count; a forged one must not push a true one aside.
        let deltas: Vec<_> = deltas().filter(|delta| self.verifies(delta, &key)).collect();
        let mut answer = Answer::default();
        for list in deltas.iter().copied().chain([crl]) {
            let Some(entry) = find(list).filter(|entry| !entry.is_passing()) else { continue };
            self.judge(entry, list, &mut answer);
        }
        let timely_delta = deltas.iter().filter(|delta| self.timely(delta));
        let delta = timely_delta.max_by_key(|delta| delta.order()).copied();
        let early = self.fresh.is_none() && crl.this_update > self.at;
        if !news || answer.revoked.is_some() || early || !(self.timely(crl) || delta.is_some()) {
            return answer;
        }
        // A hold stands in the newest word, and ends with it.
        let held = delta.and_then(find).or_else(|| find(crl)).filter(Entry::is_passing);
        if let Some(entry) = held.filter(|entry| entry.reason == Some(HOLD)) {
            self.judge(entry, crl, &mut answer);
        }
        // A CA may drop a certificate from its lists once it has expired (RFC 5280 §3.3).
        let dropped = self.fresh.is_some() && crl.this_update > question.certificate.not_after();
        answer.timely = !dropped || answer.until.is_some();
        answer
    }

    /// What an entry says: revoked or, when the past is asked about, not until then.
    fn judge(&self, entry: Entry, list: &Crl, answer: &mut Answer) {
        let past = self.fresh.is_some() || list.this_update > self.at;
        if past && entry.date > self.at {
            answer.until = Some(answer.until.unwrap_or(i64::MAX).min(entry.date));
        } else {
            answer.revoked.get_or_insert(entry);
        }
    }

    /// Whether the word of a CRL's issuer counted when the CRL is known to have existed.
    fn was_good(&self, crl: &Crl, signer: &Certificate, end: i64) -> bool {
        if self.fresh.is_none() {
            return true;
        }
        let since = self.since.get(&std::ptr::from_ref(crl)).copied().unwrap_or(i64::MAX);
        since <= signer.not_after() && since < end
    }

    /// The key that signed a CRL, once it is known to be entitled to speak of the certificate: its issuer's own or, of a
    /// signer of lists by the issuer's name, one that the issuer itself, or the CA that certified it, certified
    /// for that. Names are not enough, since nothing
    /// stops a CA from certifying another CA's. An indirect list, which the certificate itself asks for
    /// (§6.3.3), may also be by a CA further up in the path, or one that such a CA certified.
    fn signer(&self, crl: &Crl, question: &Question<'_>, indirect: bool) -> Option<PublicKey> {
        let named = |c: &Certificate| {
            Name::from_der(&c.0.subject_der).is_ok_and(|name| same_name(&name, &crl.issuer))
        };
        let may_sign = |c: &Certificate| !c.0.has_key_usage || c.key_usages().contains(&"cRLSign");
        let signed = |c: &Certificate| c.public_key().is_some_and(|key| self.verifies(crl, key));
        let entitled = question.entitled(indirect);
        let last = question.above.len().saturating_sub(1);
        // The path's own CAs: their paths are validated already.
        for (index, (ca, end)) in question.above.iter().zip(question.ends).enumerate() {
            // An anchor is believed without regard to its end, as in the path.
            let in_time = index == last || self.was_good(crl, ca, *end);
            if index < entitled && named(ca) && may_sign(ca) && in_time && signed(ca) {
                return ca.public_key().cloned();
            }
        }
        // Who has certified the issuer may have certified the same CA with a key for lists, by the same name.
        let by_whom = question.above.iter().take(entitled + 1);
        // Whose key one of the path's CAs has was asked above, by when that CA's word ended.
        let of_path = |c: &Certificate| {
            question
                .above
                .iter()
                .any(|ca| c.public_key().is_some() && ca.public_key() == c.public_key())
        };
        let fits = |c: &&Certificate| named(c) && may_sign(c) && !of_path(c) && signed(c);
        let other = self.pool.iter().filter(fits).find(|c| {
            let end = by_whom.clone().filter(|ca| issued(ca, c));
            let end = end.filter_map(|ca| self.issuer_end(c, ca, question)).max();
            end.is_some_and(|end| self.was_good(crl, c, end))
        })?;
        other.public_key().cloned()
    }

    /// Checks a CRL's signature, once for each key, and not with more keys than a few.
    fn verifies(&self, crl: &Crl, key: &PublicKey) -> bool {
        let mut verified = self.verified.borrow_mut();
        let tried = verified.entry(std::ptr::from_ref(crl)).or_default();
        if let Some((_, known)) = tried.iter().find(|(tried, _)| tried == key) {
            return *known;
        }
        let verifies = tried.len() < MAX_KEYS && self.budget.list(crl, key) == Some(true);
        tried.push((key.clone(), verifies));
        verifies
    }

    /// Validates the path of an issuer of CRLs, with revocation: to the same anchor, and by the very key of the CA
    /// that is to have certified it. If it is valid, from when on its word counts for nothing.
    fn issuer_end(
        &self,
        certificate: &Certificate,
        by: &Certificate,
        question: &Question<'_>,
    ) -> Option<i64> {
        let (own, above) = (certificate.fingerprint(), by.fingerprint());
        if let Some(valid) = self.valid.borrow().get(&(own, above)) {
            return *valid;
        }
        {
            let visiting = self.visiting.borrow();
            if visiting.contains(&own) {
                // Its CA has made it answer for its own certificate: the path is under validation,
                // and what is left to ask is what its CRL says of itself.
                return (question.certificate.fingerprint() == own).then_some(i64::MAX);
            }
            if visiting.len() >= MAX_DEPTH {
                return None;
            }
        }
        let left = self.issuers_left.replace_with(|left| left.saturating_sub(1));
        if left == 0 {
            return None;
        }
        self.visiting.borrow_mut().push(own);
        let end = Cell::new(i64::MAX);
        let (at, purpose, budget) = (self.at, Purpose::Any, self.budget);
        let asked = Asked { at, purpose, budget };
        let valid = self.store.search(certificate, self.pool, asked, &|chain, anchor| {
            let issuer = chain.get(1).copied().unwrap_or(anchor);
            let same = issuer.0.subject_der == by.0.subject_der
                && issuer.public_key().is_some()
                && issuer.public_key() == by.public_key();
            if *anchor != *question.anchor() || !same {
                return Err(path_error(PathReason::RevocationUnknown, PathFault::OtherIssuer));
            }
            self.walk(chain, anchor).map(|until| end.set(until))
        });
        self.visiting.borrow_mut().pop();
        // Inside another's validation a no may only mean that it went too deep.
        let end = valid.is_ok().then(|| end.get());
        if end.is_some() || self.visiting.borrow().is_empty() {
            self.valid.borrow_mut().insert((own, above), end);
        }
        end
    }
}

/// The certificate that is asked about.
struct Question<'a> {
    certificate: &'a Certificate,
    /// The CAs above it in its path, the issuer first, the anchor last.
    above: &'a [&'a Certificate],
    /// From when on the word of each counts for nothing.
    ends: &'a [i64],
    issuer_name: Name,
    serial: Vec<u8>,
}

/// What a list speaks of.
struct Scope {
    reasons: ReasonFlags,
    /// The certificate's own cRLIssuer asks for it.
    indirect: bool,
}

impl<'a> Question<'a> {
    fn new(
        certificate: &'a Certificate,
        above: &'a [&'a Certificate],
        ends: &'a [i64],
    ) -> Option<Self> {
        let issuer_name = Name::from_der(&certificate.0.issuer_der).ok()?;
        let serial = hex::decode(certificate.serial()).ok()?;
        (!above.is_empty()).then_some(Self { certificate, above, ends, issuer_name, serial })
    }

    fn anchor(&self) -> &'a Certificate {
        self.above.last().copied().unwrap_or(self.certificate)
    }

    /// How many of the CAs above may sign, or have signed, a list about the certificate: its issuer, and those above
    /// that are the same CA with another key (self-issued certificates lead from one to the next); all of
    /// them when the list is indirect.
    fn entitled(&self, indirect: bool) -> usize {
        if indirect {
            return self.above.len();
        }
        let same = self.above.iter().take_while(|ca| ca.is_self_issued()).count();
        (same + 1).min(self.above.len())
    }

    /// Of what a CRL says whether the certificate is revoked, when looked at through one of its distribution
    /// points, or through none: RFC 5280 §6.3.3 (b), (d).
    fn covers(&self, crl: &Crl, point: Option<&DistributionPoint>) -> Option<Scope> {
        let scope = crl.scope.as_ref();
        let crl_issuers = point.and_then(|point| point.crl_issuer.as_ref());
        let issued_here = match crl_issuers {
            Some(names) => {
                scope.is_some_and(|scope| scope.indirect_crl)
                    && directory_names(names).any(|name| same_name(name, &crl.issuer))
            }
            None => same_name(&crl.issuer, &self.issuer_name),
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
        Some(Scope { reasons: reasons & all_reasons(), indirect: crl_issuers.is_some() })
    }
}

/// Whether a CRL is a delta to a complete one: RFC 5280 §6.3.3 (c).
fn is_delta_of(delta: &Crl, complete: &Crl) -> bool {
    let Some(base) = &delta.base else { return false };
    let (Some(number), Some(newer)) = (&complete.number, &delta.number) else { return false };
    same_name(&delta.issuer, &complete.issuer)
        && delta.scope_der == complete.scope_der
        && delta.authority_key == complete.authority_key
        && at_least(number, base)
        && at_least(newer, number)
}

/// A reason code's name (RFC 5280 §5.3.1).
pub(crate) fn reason_name(code: u8) -> &'static str {
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

#[cfg(test)]
mod tests {
    use chancery_crypto::{Algorithm, SigningKey};

    use super::*;
    use crate::{
        AgencyName, Issuer, Profile, Purpose, RevocationReason, Revoked, Scrutiny, Subject,
    };

    const NOW: i64 = 1_790_000_000;
    const DAY: i64 = 86_400;

    fn name(name: &str) -> AgencyName {
        name.parse().expect("a name")
    }

    fn root() -> Issuer {
        Issuer::new_root("Root", &[name("gov.cn")], Algorithm::EdDsa, NOW).expect("a root")
    }

    fn below(issuer: &Issuer, display: &str, domain: &str, path_len: u8) -> Issuer {
        let key = SigningKey::generate(Algorithm::Es256).expect("random bytes");
        let subject = Subject::authority(display, &[name(domain)], Some(path_len));
        let made = issuer.issue(&subject, &key.public_key(), NOW).expect("issues");
        let chain = std::iter::once(made).chain(issuer.chain().cloned()).collect();
        Issuer::new(key, chain).expect("a CA")
    }

    fn seal(issuer: &Issuer, of: &str) -> Vec<Certificate> {
        let key = SigningKey::generate(Algorithm::Es256).expect("random bytes").public_key();
        let subject = Subject::agency(Profile::Seal, name(of), "A");
        let made = issuer.issue(&subject, &key, NOW).expect("issues");
        std::iter::once(made).chain(issuer.chain().cloned()).collect()
    }

    fn list(by: &Issuer, revoked: &[(&Certificate, RevocationReason)], at: i64) -> Crl {
        let entry = |(certificate, reason): &(&Certificate, RevocationReason)| Revoked {
            serial: certificate.serial().to_owned(),
            time: at,
            reason: *reason,
        };
        let revoked: Vec<_> = revoked.iter().map(entry).collect();
        let number = u64::try_from(at - NOW).expect("later") + 1;
        let der = by.crl(&revoked, number, at, at + 7 * DAY).expect("signs");
        Crl::from_der(&der).expect("a list")
    }

    /// How a chain is judged by lists, and whether who is not covered passes.
    fn judge(
        root: &Issuer,
        chain: &[Certificate],
        lists: &[&Crl],
        at: i64,
        uncovered: Uncovered,
    ) -> Result<Option<String>, PathReason> {
        let trust = TrustStore::new([root.certificate().clone()]).expect("an anchor");
        let crls: Vec<_> = lists.iter().copied().cloned().collect();
        let by = Scrutiny { uncovered, ..Scrutiny::by(&trust, &crls, at) };
        let (leaf, above) = chain.split_first().expect("a chain");
        by.check(leaf, above, Purpose::Sign).map(|p| p.uncovered).map_err(|e| e.reason)
    }

    #[test]
    fn a_list_speaks_only_for_certificates_of_the_very_key_that_signed_it() {
        let root = root();
        let js = below(&root, "Jiangsu", "js.gov.cn", 0);
        let zj = below(&root, "Zhejiang", "zj.gov.cn", 1);
        // Nothing stops one CA from giving another the name of a third.
        let twin = below(&zj, "Jiangsu", "zj.gov.cn", 0);
        let of_js = seal(&js, "a.js.gov.cn");
        let mut chain = of_js.clone();
        chain.extend(twin.chain().cloned());
        let compromised = [(&of_js[0], RevocationReason::KeyCompromise)];
        let (ours, own) = (list(&root, &[], NOW), list(&js, &compromised, NOW));
        let (frees, condemns) = (list(&twin, &[], NOW + 60), list(&twin, &compromised, NOW + 60));
        let judged = |lists: &[&Crl], uncovered| judge(&root, &chain, lists, NOW + 90, uncovered);
        for uncovered in [Uncovered::Open, Uncovered::Passes] {
            let revoked = judged(&[&ours, &own, &frees], uncovered);
            assert_eq!(revoked, Err(PathReason::Revoked), "a newer list of the namesake");
        }
        let good = list(&js, &[], NOW);
        assert_eq!(judged(&[&ours, &good, &condemns], Uncovered::Open), Ok(None));
        assert_eq!(judged(&[&ours, &frees], Uncovered::Open), Err(PathReason::RevocationUnknown));
        let nobody = judged(&[&ours, &condemns], Uncovered::Passes);
        assert_eq!(nobody, Ok(Some("A".into())), "not covered, and that is said");
        // Nor does the CA above speak for those below, nor one beside.
        let above = list(&root, &compromised, NOW);
        assert_eq!(judged(&[&above], Uncovered::Passes), Ok(Some("A".into())));
        let beside = list(&zj, &compromised, NOW);
        assert_eq!(judged(&[&beside], Uncovered::Passes), Ok(Some("Jiangsu".into())));
    }

    #[test]
    fn who_was_revoked_stays_so_when_lists_run_out_and_a_hold_ends_with_its_list() {
        let root = root();
        let chain = seal(&root, "a.gov.cn");
        let later = NOW + 30 * DAY;
        for uncovered in [Uncovered::Open, Uncovered::Passes] {
            let judged = |lists: &[&Crl], at| judge(&root, &chain, lists, at, uncovered);
            let gone = list(&root, &[(&chain[0], RevocationReason::KeyCompromise)], NOW);
            assert_eq!(judged(&[&gone], NOW + DAY), Err(PathReason::Revoked));
            assert_eq!(judged(&[&gone], later), Err(PathReason::Revoked));
            // Nor does a newer list that forgets it make it good again.
            let newer = list(&root, &[], later - DAY);
            assert_eq!(judged(&[&gone, &newer], later), Err(PathReason::Revoked));
        }
        // A hold is taken back by a newer list, and ends with the list that says it.
        let gone = list(&root, &[(&chain[0], RevocationReason::Superseded)], NOW);
        let held = signed_anew(&root, &gone, &|l| {
            let entries = l.tbs.revoked.as_mut().expect("one");
            let reason = der::asn1::OctetString::new([0x0a, 1, HOLD]).expect("short");
            entries[0].extensions.as_mut().expect("one")[0].extn_value = reason;
        });
        let judged = |lists: &[&Crl], at| judge(&root, &chain, lists, at, Uncovered::Open);
        assert_eq!(judged(&[&held], NOW + DAY), Err(PathReason::Revoked));
        assert_eq!(judged(&[&held], later), Err(PathReason::RevocationUnknown));
        let newer = list(&root, &[], NOW + 2 * DAY);
        assert_eq!(judged(&[&held, &newer], NOW + 3 * DAY), Ok(None));
        let gone = list(&root, &[], NOW);
        let open = judge(&root, &chain, &[&gone], later, Uncovered::Open);
        assert_eq!(open, Err(PathReason::RevocationUnknown));
        let passes = judge(&root, &chain, &[&gone], later, Uncovered::Passes);
        assert_eq!(passes, Ok(Some("A".into())));
    }

    #[test]
    fn what_was_revoked_later_does_not_count_before_and_what_was_revoked_before_does() {
        let root = root();
        let chain = seal(&root, "a.gov.cn");
        let trust = TrustStore::new([root.certificate().clone()]).expect("an anchor");
        let crls = [list(&root, &[(&chain[0], RevocationReason::Superseded)], NOW + 5 * DAY)];
        let by = Scrutiny::by(&trust, &crls, NOW + 6 * DAY);
        let judged = |then: i64| {
            let path = by.as_of(then).check(&chain[0], &chain[1..], Purpose::Sign);
            path.map(drop).map_err(|e| e.reason)
        };
        assert_eq!(judged(NOW + 6 * DAY), Err(PathReason::Revoked));
        assert_eq!(judged(NOW + 5 * DAY + 1), Err(PathReason::Revoked));
        assert_eq!(judged(NOW + 4 * DAY), Ok(()));
        // As of a time that the lists at hand are too young for, who asks about that time is told the same.
        let early = Scrutiny::by(&trust, &crls, NOW + 4 * DAY);
        assert!(early.check(&chain[0], &chain[1..], Purpose::Sign).is_ok());
    }

    #[test]
    fn that_a_ca_is_not_covered_does_not_hide_that_a_certificate_below_is_revoked() {
        let root = root();
        let zj = below(&root, "Zhejiang", "zj.gov.cn", 0);
        let chain = seal(&zj, "a.zj.gov.cn");
        let gone = list(&zj, &[(&chain[0], RevocationReason::KeyCompromise)], NOW);
        let judged = |lists: &[&Crl], uncovered| judge(&root, &chain, lists, NOW + DAY, uncovered);
        for uncovered in [Uncovered::Open, Uncovered::Passes] {
            assert_eq!(judged(&[&gone], uncovered), Err(PathReason::Revoked));
        }
        let good = list(&zj, &[], NOW);
        assert_eq!(judged(&[&good], Uncovered::Open), Err(PathReason::RevocationUnknown));
    }

    /// A list with these changes to what it holds, signed or not.
    fn changed(of: &Crl, change: &dyn Fn(&mut List)) -> Result<Crl, CertError> {
        let mut list = List::from_der(of.der()).expect("a list");
        change(&mut list);
        Crl::from_der(&list.to_der().expect("encodes"))
    }

    /// The same list with changes to what it holds, signed by its CA.
    fn signed_anew(by: &Issuer, of: &Crl, change: &dyn Fn(&mut List)) -> Crl {
        let mut list = List::from_der(of.der()).expect("a list");
        change(&mut list);
        let signature = by.key().sign_der(&list.tbs.to_der().expect("encodes")).expect("signs");
        list.signature = der::asn1::BitString::from_bytes(&signature).expect("short");
        Crl::from_der(&list.to_der().expect("encodes")).expect("a list")
    }

    #[test]
    fn a_list_that_is_not_der_is_no_list() {
        let root = root();
        let chain = seal(&root, "a.gov.cn");
        let good = list(&root, &[(&chain[0], RevocationReason::KeyCompromise)], NOW);
        let der = good.der().to_vec();
        let body = usize::from(der[1] & 0x7f) + 2;
        let wrap = |head: &[u8], tail: &[u8]| [head, &der[body..], tail].concat();
        let length = u32::try_from(der.len() - body).expect("short").to_be_bytes();
        let bad = [
            ("bytes behind", [&der[..], b"x"].concat()),
            ("a long length", wrap(&[&[0x30, 0x84], &length[..]].concat(), b"")),
            ("an indefinite length", wrap(&[0x30, 0x80], &[0, 0])),
            ("cut off", der[..der.len() - 1].to_vec()),
            ("another tag", wrap(&[&[0x31], &der[1..body]].concat(), b"")),
        ];
        for (what, bytes) in bad {
            assert!(matches!(Crl::from_der(&bytes), Err(CertError::Crl(_))), "{what}");
        }
        let extensions = |list: &mut List, change: &dyn Fn(&mut Vec<Extension>)| {
            change(list.tbs.extensions.as_mut().expect("some"));
        };
        let value = |bytes: &[u8]| der::asn1::OctetString::new(bytes).expect("short");
        let number = |of: &mut Vec<Extension>, bytes: &[u8]| {
            let at = of.iter().position(|e| e.extn_id.to_string() == CRL_NUMBER).expect("one");
            of[at].extn_value = value(bytes);
        };
        let twice = changed(&good, &|l| extensions(l, &|e| e.push(e[0].clone())));
        assert!(matches!(twice, Err(CertError::Crl(_))), "an extension twice: {twice:?}");
        for (what, bytes) in [
            ("a number of another type", &[0x04, 1, 5][..]),
            ("a number with a leading zero", &[0x02, 2, 0, 5]),
            ("a negative number", &[0x02, 1, 0x85]),
            ("a number with a long length", &[0x02, 0x81, 1, 5]),
            ("bytes behind the number", &[0x02, 1, 5, 0]),
            ("no number", &[]),
        ] {
            let list = changed(&good, &|l| extensions(l, &|e| number(e, bytes)));
            assert!(matches!(list, Err(CertError::Crl(_))), "{what}");
        }
        for (what, bytes) in [
            ("a reason that is an integer", &[0x02, 1, 1][..]),
            ("a reason that is long", &[0x0a, 2, 0, 1]),
            ("bytes behind a reason", &[0x0a, 1, 1, 0]),
        ] {
            let list = changed(&good, &|l| {
                let entries = l.tbs.revoked.as_mut().expect("one");
                entries[0].extensions.as_mut().expect("one")[0].extn_value = value(bytes);
            });
            assert!(matches!(list, Err(CertError::Crl(_))), "{what}");
        }
        let empty = changed(&good, &|l| l.tbs.extensions = Some(Vec::new()));
        assert!(matches!(empty, Err(CertError::Crl(_))));
    }

    #[test]
    fn a_list_that_is_not_as_the_profile_wants_it_does_not_count() {
        let root = root();
        let good = list(&root, &[], NOW);
        assert_eq!(good.fault(), None);
        let with = |change: &dyn Fn(&mut Vec<Extension>)| {
            let list = changed(&good, &|l| change(l.tbs.extensions.as_mut().expect("some")));
            list.expect("it is DER").fault()
        };
        let is_number = |e: &Extension| e.extn_id.to_string() == CRL_NUMBER;
        assert_eq!(with(&|all| all.retain(|e| !is_number(e))), Some(CrlFault::NoNumber));
        let critical = with(&|all| {
            all.iter_mut().filter(|e| is_number(e)).for_each(|e| e.critical = true);
        });
        assert_eq!(critical, Some(CrlFault::NumberCritical));
        let first = changed(&good, &|l| {
            l.tbs.version = None;
            l.tbs.extensions = None;
        });
        assert_eq!(first.expect("it is DER").fault(), Some(CrlFault::Version));
        // It neither frees nor condemns, and whoever brought it is told why.
        let chain = seal(&root, "a.gov.cn");
        let trust = TrustStore::new([root.certificate().clone()]).expect("an anchor");
        let faulty = changed(&good, &|l| {
            l.tbs.extensions.as_mut().expect("some").retain(|e| !is_number(e));
        });
        let crls = [faulty.expect("it is DER")];
        let by = Scrutiny { uncovered: Uncovered::Open, ..Scrutiny::by(&trust, &crls, NOW) };
        let error = by.check(&chain[0], &chain[1..], Purpose::Sign).expect_err("not covered");
        assert_eq!(error.reason, PathReason::RevocationUnknown);
        assert!(error.to_string().contains("it has no number"), "{error}");
    }

    #[test]
    fn a_namesake_of_the_issuer_does_not_hide_that_a_certificate_is_revoked() {
        let root = root();
        let twin = self::root();
        let mut chain = seal(&root, "a.gov.cn");
        chain.insert(1, twin.certificate().clone());
        let gone = list(&root, &[(&chain[0], RevocationReason::KeyCompromise)], NOW);
        for chain in [
            chain.clone(),
            chain.iter().take(1).chain(chain.iter().skip(1).rev()).cloned().collect(),
        ] {
            let judged = judge(&root, &chain, &[&gone], NOW + DAY, Uncovered::Open);
            assert_eq!(judged, Err(PathReason::Revoked));
        }
    }
}
