use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use chancery_crypto::{CryptoError, Digest, Hasher, PublicKey};
use thiserror::Error;

pub(crate) use crate::algorithm::{scheme_of, scheme_of_algorithm};
pub(crate) use crate::usage::check_time_stamping;
use crate::{
    CertError, Certificate, Crl, PathFault, Purpose,
    rules::Path,
    trust::{Named, Uncovered},
    usage::check_purpose,
};

/// The longest chain below an anchor that is tried.
const MAX_DEPTH: usize = 8;
/// The most complete candidate paths that are tried for one leaf.
const MAX_PATHS: usize = 256;
/// The most partial paths that are looked at for one leaf.
const MAX_STEPS: usize = 4096;
/// What the signatures that are checked for one question may cost, where nobody says otherwise.
const MAX_SIGNATURES: u32 = 256;
/// How many steps of searches may be made for all questions that share a budget, for each unit of it.
const STEPS_PER_CHECK: u32 = 16;
/// How many names are compared in one step.
const NAMES_PER_STEP: usize = 64;
/// How far up it is looked for whether a certificate may issue: a path of that length is in no case valid.
const MAX_CLIMB: usize = 64;
/// Which part of a budget may be spent besides on lists that are not a verifier's own.
const FOR_LISTS: u32 = 4;
/// The most certificates that are remembered.
const MAX_PARSED: usize = 1024;
/// The most results that are remembered.
const MAX_REMEMBERED: usize = 16 * 1024;

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
    /// Nobody has named it as one that is believed in this.
    NotNamed,
    /// The certificate does not have the name that was asked for.
    NameMismatch,
    /// A key or a signature is by an algorithm that is not accepted.
    UnsupportedAlgorithm,
    /// A certificate is not as RFC 5280 §4, or the profile of its purpose, wants it.
    Profile,
    /// Finding a path would take more work than is given to one question.
    TooComplex,
    /// Anything else: the certificate or its encoding is not acceptable.
    Malformed,
}

/// Why a path is not valid, and at which certificate.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct PathError {
    /// The reason.
    pub reason: PathReason,
    /// What is wrong, with the certificate; [`PathError::say`] makes a sentence of it.
    pub fault: Box<PathFault>,
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
    /// Lists were asked, and none of them says whether the certificate of this one is revoked: where that passes.
    pub uncovered: Option<String>,
}

impl PathError {
    /// Its stable code.
    pub fn code(&self) -> &'static str {
        "CHY-2010"
    }

    /// That what came along would cost more than one document may.
    pub fn too_dear() -> Self {
        path_error(PathReason::TooComplex, PathFault::TooDear)
    }

    /// Which of two failures says more: this one, or that of a search for the same among more certificates, which may have
    /// been given up for what they are.
    #[must_use]
    pub fn or_among_more(self, more: Self) -> Self {
        let given_up = more.reason == PathReason::TooComplex;
        if !given_up && rank(&more) > rank(&self) { more } else { self }
    }
}

pub(crate) fn path_error(reason: PathReason, fault: PathFault) -> PathError {
    PathError { reason, fault: Box::new(fault) }
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
    /// Not at all: nothing is known of it, and nothing is asked.
    None,
    /// As far as these lists speak: who is named in one is revoked, who is not covered passes, and the path says
    /// so.
    Listed(&'a [KnownCrl<'a>]),
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
        /// What a certificate is that none of them covers.
        uncovered: Uncovered,
    },
}

impl<'a> RevocationCheck<'a> {
    /// The lists that are asked.
    fn lists(&self) -> &'a [KnownCrl<'a>] {
        match *self {
            Self::None => &[],
            Self::Listed(crls) | Self::Current(crls) | Self::Past { crls, .. } => crls,
        }
    }
}

/// What may still be spent on signature checks to answer one question, or several that share it: one unit is a check with
/// the cheapest keys. What was checked once is not checked again, so that what many signatures share costs once.
#[derive(Debug)]
pub struct SignatureBudget {
    checks: AtomicU32,
    steps: AtomicU32,
    /// For lists that are not the verifier's own. They have a share of their own: whoever adds bad ones does not push
    /// aside what does not rest on them.
    lists: AtomicU32,
    /// The lists that cost nothing: the verifier has brought them himself.
    own: HashSet<Digest>,
    /// Whether what has this digest was signed by the key that has that one.
    signed: Mutex<HashMap<(Digest, Digest), bool>>,
    given: u32,
}

impl Default for SignatureBudget {
    fn default() -> Self {
        Self::new(MAX_SIGNATURES)
    }
}

/// What a check under a key costs, in units of the cheapest.
fn cost(key: &PublicKey) -> u32 {
    match key {
        PublicKey::P256(_) | PublicKey::Ed25519(_) => 1,
        PublicKey::P384(_) => 4,
        PublicKey::Rsa(_) => {
            1 + u32::try_from(key.rsa_bits().unwrap_or_default()).unwrap_or(0) / 2048
        }
    }
}

/// What tells a key from all others.
fn digest_of(key: &PublicKey) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(key.kind().as_bytes());
    match key {
        PublicKey::P256(key)
        | PublicKey::P384(key)
        | PublicKey::Ed25519(key)
        | PublicKey::Rsa(key) => hasher.update(key),
    }
    hasher.finish()
}

fn spend(of: &AtomicU32, cost: u32) -> bool {
    let less = |left: u32| left.checked_sub(cost);
    of.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
}

impl SignatureBudget {
    /// A budget of this many units.
    pub fn new(checks: u32) -> Self {
        Self {
            checks: AtomicU32::new(checks),
            steps: AtomicU32::new(checks.saturating_mul(STEPS_PER_CHECK)),
            lists: AtomicU32::new(checks / FOR_LISTS),
            own: HashSet::new(),
            signed: Mutex::default(),
            given: checks,
        }
    }

    /// The same, when these lists are the verifier's own: they cost nothing of it.
    #[must_use]
    pub fn with_own<'a>(mut self, lists: impl IntoIterator<Item = &'a Crl>) -> Self {
        self.own = lists.into_iter().map(Crl::digest).collect();
        self
    }

    /// What one question may cost whose lists are all of whoever asks it: no list of theirs is left out because others of
    /// theirs were dear.
    pub fn asking(revocation: &RevocationCheck<'_>) -> Self {
        Self::default().with_own(revocation.lists().iter().map(|known| known.crl))
    }

    /// How much is left.
    pub fn left(&self) -> u32 {
        self.checks.load(Ordering::Relaxed)
    }

    /// How much was spent, also on lists.
    pub fn spent(&self) -> u32 {
        let lists = (self.given / FOR_LISTS).saturating_sub(self.lists.load(Ordering::Relaxed));
        self.given.saturating_sub(self.left()).saturating_add(lists)
    }

    /// Takes what a signature check under a key costs. Says whether it may be made.
    pub fn spend(&self, key: &PublicKey) -> bool {
        spend(&self.checks, cost(key))
    }

    /// As [`SignatureBudget::spend`], when it is not known yet under which key: as much as the dearest usual one.
    pub fn spend_one(&self) -> bool {
        spend(&self.checks, 4)
    }

    /// Takes steps of a search. Says whether they may be made.
    fn step(&self, steps: u32) -> bool {
        spend(&self.steps, steps)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<(Digest, Digest), bool>> {
        // A poisoned lock still holds whole entries: each is inserted at once.
        self.signed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a list was signed by a key; `None` when that may not be found out any more.
    pub(crate) fn list(&self, list: &Crl, key: &PublicKey) -> Option<bool> {
        let pair = (list.digest(), digest_of(key));
        if let Some(known) = self.known().get(&pair) {
            return Some(*known);
        }
        if !self.own.contains(&pair.0) && !spend(&self.lists, cost(key)) {
            return None;
        }
        let holds = list.verifies(key);
        self.known().insert(pair, holds);
        Some(holds)
    }
}

/// The trust anchors of a verifier, and the paths it has found valid under them.
pub struct TrustStore {
    anchors: Vec<Certificate>,
    lenient: bool,
    /// Who else is believed, and in what.
    pub(crate) named: Named,
    known: Mutex<HashMap<Digest, ValidPath>>,
    /// Certificates that were read lately, by their fingerprints: the same few stand in every document.
    parsed: Mutex<HashMap<Digest, Certificate>>,
}

impl fmt::Debug for TrustStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.anchors).finish()
    }
}

impl TrustStore {
    /// A store of these anchors. Certificates are held to all of RFC 5280 §4 and §6; see
    /// [`TrustStore::lenient`].
    ///
    /// # Errors
    /// [`CertError::NoCertificate`] when there is none.
    pub fn new(anchors: impl IntoIterator<Item = Certificate>) -> Result<Self, CertError> {
        let anchors: Vec<_> = anchors.into_iter().collect();
        if anchors.is_empty() {
            return Err(CertError::NoCertificate);
        }
        let (known, parsed) = (Mutex::default(), Mutex::default());
        Ok(Self { anchors, lenient: false, named: Named::default(), known, parsed })
    }

    /// The same, for certificates that others made: only path validation (RFC 5280 §6) is asked, not the profile
    /// of §4 and of purposes. What is read in two ways stays refused.
    #[must_use]
    pub fn lenient(self) -> Self {
        let named = self.named.lenient();
        Self { lenient: true, named, known: Mutex::default(), ..self }
    }

    /// Whether it is lenient.
    pub fn is_lenient(&self) -> bool {
        self.lenient
    }

    /// The anchors.
    pub fn anchors(&self) -> impl Iterator<Item = &Certificate> {
        self.anchors.iter()
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
    /// since 1970 UTC. Revocation is not looked at, so only this crate may ask like this. A path found
    /// valid is remembered for as long as all of it is valid.
    ///
    /// # Errors
    /// [`PathError`]: the most telling reason among the candidate paths.
    pub(crate) fn validate(
        &self,
        leaf: &Certificate,
        intermediates: &[Certificate],
        at: i64,
        purpose: Purpose,
    ) -> Result<ValidPath, PathError> {
        self.validate_within(leaf, intermediates, at, purpose, &SignatureBudget::default())
    }

    /// Like [`TrustStore::validate`], with a bound on the signatures that are checked.
    ///
    /// # Errors
    /// As [`TrustStore::validate`], and [`PathReason::TooComplex`].
    pub(crate) fn validate_within(
        &self,
        leaf: &Certificate,
        intermediates: &[Certificate],
        at: i64,
        purpose: Purpose,
        budget: &SignatureBudget,
    ) -> Result<ValidPath, PathError> {
        check_purpose(leaf, purpose, self.lenient)?;
        let mut key = Hasher::new();
        for certificate in std::iter::once(leaf).chain(intermediates) {
            key.update(certificate.fingerprint().as_bytes());
        }
        // What is asked of issuers depends on what the leaf is for.
        key.update(purpose.name().as_bytes());
        let key = key.finish();
        if let Some(path) = self.known().get(&key)
            && (path.not_before..=path.not_after).contains(&at)
        {
            return Ok(path.clone());
        }
        let path =
            self.search(leaf, intermediates, Asked { at, purpose, budget }, &|_, _| Ok(()))?;
        let mut known = self.known();
        if known.len() >= MAX_REMEMBERED {
            known.clear();
        }
        known.insert(key, path.clone());
        Ok(path)
    }

    /// Finds and validates a path from `leaf` to an anchor (RFC 5280 §6.1) at a time in seconds since 1970
    /// UTC, with what is known of revocation (RFC 5280 §6.3). Issuers of CRLs other than those in the
    /// path are looked for among the intermediates. For [`Purpose::TimeStamp`] it must be one that may say
    /// what time it was.
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
        let budget = SignatureBudget::asking(revocation);
        self.validate_by_within(leaf, intermediates, revocation, at, purpose, &budget)
    }

    /// As [`TrustStore::validate_by`], with a bound on what may be checked, which several questions may share.
    ///
    /// # Errors
    /// As [`TrustStore::validate_by`], and [`PathReason::TooComplex`].
    pub fn validate_by_within(
        &self,
        leaf: &Certificate,
        intermediates: &[Certificate],
        revocation: &RevocationCheck<'_>,
        at: i64,
        purpose: Purpose,
        budget: &SignatureBudget,
    ) -> Result<ValidPath, PathError> {
        if purpose == Purpose::TimeStamp {
            return self.validate_time(leaf, intermediates, revocation, at, budget);
        }
        if matches!(revocation, RevocationCheck::None) {
            return self.validate_within(leaf, intermediates, at, purpose, budget);
        }
        check_purpose(leaf, purpose, self.lenient)?;
        self.search_by(leaf, intermediates, revocation, Asked { at, purpose, budget }, &|_, _| {
            Ok(())
        })
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, ValidPath>> {
        // A poisoned lock still holds whole entries: each is inserted at once.
        self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A path for a purpose. A path that is valid must also be accepted: it is given leaf first, with its
    /// anchor.
    pub(crate) fn search(
        &self,
        leaf: &Certificate,
        intermediates: &[Certificate],
        asked: Asked<'_>,
        accept: Accept<'_>,
    ) -> Result<ValidPath, PathError> {
        let Asked { at, purpose, budget } = asked;
        if at <= 0 {
            return Err(path_error(PathReason::Malformed, PathFault::NoTime { at }));
        }
        let search = Search { store: self, at, purpose, budget, accept };
        search.run(leaf, intermediates)
    }
}

/// What is asked of a path, and what may be spent on the answer.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// The time at which it must be valid, in seconds since 1970 UTC.
    pub at: i64,
    /// What its leaf must be good for.
    pub purpose: Purpose,
    /// What may be spent.
    pub budget: &'a SignatureBudget,
}

/// What must hold of a valid path besides, leaf first, with its anchor.
pub(crate) type Accept<'a> = &'a dyn Fn(&[&Certificate], &Certificate) -> Result<(), PathError>;

/// One search for a path.
struct Search<'a> {
    store: &'a TrustStore,
    at: i64,
    purpose: Purpose,
    budget: &'a SignatureBudget,
    accept: Accept<'a>,
}

/// The most telling failure so far.
struct Failure {
    rank: u8,
    error: PathError,
}

impl Failure {
    fn take(&mut self, rank: u8, error: PathError) {
        if rank > self.rank {
            *self = Self { rank, error };
        }
    }
}

/// How telling a reason is: one that another time may mend says that all else holds.
fn rank(error: &PathError) -> u8 {
    match error.reason {
        PathReason::Revoked => 9,
        PathReason::RevocationUnknown | PathReason::NotNamed => 8,
        PathReason::Expired | PathReason::NotYetValid => 7,
        PathReason::UnknownAuthority => 1,
        // The signatures of a whole path hold.
        _ => 6,
    }
}

/// The certificates of one search that might be issuers, and what is known of them.
struct Pool<'a> {
    all: Vec<&'a Certificate>,
    /// Whether a chain of signatures leads from it to an anchor, of those of which it is known.
    anchored: HashMap<Digest, bool>,
}

impl<'a> Pool<'a> {
    /// Each certificate once, in the order in which they were given: what a signer has bound comes first, and what
    /// others have added does not come before it.
    fn new(intermediates: &'a [Certificate]) -> Self {
        let mut seen = HashSet::new();
        let all = intermediates.iter().filter(|c| seen.insert(c.fingerprint())).collect();
        Self { all, anchored: HashMap::new() }
    }

    /// Who may have issued a certificate, by name. What fits by its key identifier comes first.
    fn issuers(&self, of: &Certificate) -> Vec<&'a Certificate> {
        let mut found: Vec<_> =
            self.all.iter().copied().filter(|issuer| issued(issuer, of)).collect();
        found.sort_by_key(|issuer| !has_named_key(issuer, of));
        found
    }

    /// What it costs to look through it.
    fn steps(&self) -> u32 {
        u32::try_from(self.all.len() / NAMES_PER_STEP).unwrap_or(u32::MAX).saturating_add(1)
    }
}

impl Search<'_> {
    /// Whether a chain of signatures leads from a certificate to an anchor, so that it can be anybody's issuer. Whoever has
    /// no CA under an anchor can make none that is: what he adds costs a check for each anchor of that name, once, and
    /// no path through it is looked at. It is found out from below, as far as the first that is, so that what was added
    /// to a good chain is not even looked at.
    fn anchored(
        &self,
        certificate: &Certificate,
        pool: &mut Pool<'_>,
        failure: &mut Failure,
    ) -> bool {
        loop {
            let (mut visited, before) = (HashSet::new(), pool.anchored.len());
            if self.climb(certificate, pool, 0, &mut visited, failure) {
                return true;
            }
            // Somebody may have been left because one above it was still being looked at, which is anchored after all.
            if pool.anchored.len() == before {
                pool.anchored.extend(visited.into_iter().map(|visited| (visited, false)));
                return false;
            }
        }
    }

    /// One attempt at it, by which nobody is looked at twice.
    fn climb(
        &self,
        certificate: &Certificate,
        pool: &mut Pool<'_>,
        height: usize,
        visited: &mut HashSet<Digest>,
        failure: &mut Failure,
    ) -> bool {
        let own = certificate.fingerprint();
        if let Some(known) = pool.anchored.get(&own) {
            return *known;
        }
        if height > MAX_CLIMB || !visited.insert(own) || !self.budget.step(pool.steps()) {
            return false;
        }
        let mut holds = |issuer: &Certificate| match self.signed(certificate, issuer) {
            Ok(()) => true,
            Err((rank, error)) => {
                failure.take(rank, error);
                false
            }
        };
        let mut anchors = self.store.anchors.iter().filter(|anchor| issued(anchor, certificate));
        let found = anchors.any(&mut holds)
            || pool.issuers(certificate).into_iter().any(|issuer| {
                self.climb(issuer, pool, height + 1, visited, failure)
                    && self.signed(certificate, issuer).is_ok()
            });
        if found {
            pool.anchored.insert(own, true);
        }
        found
    }

    /// Depth first over issuers, each looked at only when all above the one before it were no good. A signature is checked
    /// before a path is made longer, and only by keys from which a chain of signatures leads to an anchor, so what is tried
    /// are chains that hold. What others add at will costs nothing beside a good chain that stands before it, and else one
    /// check each.
    fn run(
        &self,
        leaf: &Certificate,
        intermediates: &[Certificate],
    ) -> Result<ValidPath, PathError> {
        let (who, by) = (leaf.subject().to_owned(), leaf.issuer().to_owned());
        let mut failure = Failure {
            rank: 0,
            error: path_error(PathReason::UnknownAuthority, PathFault::NoChain { who, by }),
        };
        let mut pool = Pool::new(intermediates);
        let (mut tried, mut steps) = (0, 0);
        // The paths from the leaf up to here, and who is still to be tried above each.
        let mut open: Vec<(Vec<&Certificate>, std::vec::IntoIter<&Certificate>)> = Vec::new();
        let mut longer = Some(vec![leaf]);
        loop {
            if let Some(chain) = longer.take() {
                steps += 1;
                let Some(top) = chain.last().copied() else { continue };
                if steps > MAX_STEPS || tried >= MAX_PATHS || !self.budget.step(pool.steps()) {
                    failure.take(5, too_complex(leaf));
                    break;
                }
                for anchor in self.store.anchors.iter().filter(|anchor| issued(anchor, top)) {
                    if let Err((rank, error)) = self.signed(top, anchor) {
                        failure.take(rank, error);
                        continue;
                    }
                    tried += 1;
                    match self.judge(&chain, anchor) {
                        Ok(path) => return Ok(path),
                        Err(error) => failure.take(rank(&error), error),
                    }
                }
                if chain.len() <= MAX_DEPTH {
                    open.push((chain, pool.issuers(top).into_iter()));
                }
            }
            let Some((chain, issuers)) = open.last_mut() else { break };
            let Some((issuer, top)) = issuers.next().zip(chain.last()) else {
                open.pop();
                continue;
            };
            if chain.contains(&issuer) || !self.anchored(issuer, &mut pool, &mut failure) {
                continue;
            }
            match self.signed(top, issuer) {
                Ok(()) => longer = Some([chain.as_slice(), &[issuer]].concat()),
                Err((rank, error)) => failure.take(rank, error),
            }
        }
        Err(failure.error)
    }

    /// Whether an issuer's key signed a certificate; else why not, and how telling that is.
    fn signed(&self, subject: &Certificate, issuer: &Certificate) -> Result<(), (u8, PathError)> {
        let who = || subject.subject().to_owned();
        let by = || issuer.subject().to_owned();
        let unsupported = |fault| {
            let rank = if has_named_key(issuer, subject) { 4 } else { 2 };
            (rank, path_error(PathReason::UnsupportedAlgorithm, fault))
        };
        let algorithm = &subject.0.algorithm;
        let Some(scheme) = algorithm.scheme else {
            let oid = algorithm.oid.to_string();
            return Err(unsupported(PathFault::Algorithm { who: who(), oid }));
        };
        let Some(key) = issuer.public_key() else {
            let kind = issuer.key_kind().to_owned();
            return Err(unsupported(PathFault::KeyKind { who: by(), kind }));
        };
        if let Some(bits) = key.rsa_bits().filter(|bits| !(2048..=8192).contains(bits)) {
            return Err(unsupported(PathFault::RsaBits { who: by(), bits }));
        }
        let pair = (subject.fingerprint(), issuer.fingerprint());
        let known = self.budget.known().get(&pair).copied();
        let holds = match known {
            Some(holds) => holds,
            None => {
                if !self.budget.spend(key) {
                    return Err((5, too_complex(subject)));
                }
                let verified = key.verify_der(scheme, &subject.0.tbs, &subject.0.signature);
                if matches!(verified, Err(CryptoError::PublicKey(_))) {
                    let (oid, scheme) = (algorithm.oid.to_string(), format!("{scheme:?}"));
                    let fault = PathFault::AlgorithmWithKey { who: who(), oid, scheme };
                    return Err(unsupported(fault));
                }
                self.budget.known().insert(pair, verified.is_ok());
                verified.is_ok()
            }
        };
        if holds {
            return Ok(());
        }
        // Another CA of the same name, by its key identifier and in fact, says little.
        let rank = if has_named_key(issuer, subject) { 3 } else { 0 };
        Err((
            rank,
            path_error(PathReason::BadSignature, PathFault::Signature { who: who(), by: by() }),
        ))
    }

    /// Judges one complete path whose signatures hold: what is final first, then what time may mend.
    fn judge(&self, chain: &[&Certificate], anchor: &Certificate) -> Result<ValidPath, PathError> {
        let all = || chain.iter().copied().chain([anchor]);
        Path { chain, anchor, purpose: self.purpose, lenient: self.store.lenient }.check()?;
        for certificate in all() {
            check_time(certificate, self.at)?;
        }
        (self.accept)(chain, anchor)?;
        Ok(ValidPath {
            not_before: all().map(Certificate::not_before).max().unwrap_or(i64::MAX),
            not_after: all().map(Certificate::not_after).min().unwrap_or(i64::MIN),
            anchor: anchor.subject().to_owned(),
            uncovered: None,
        })
    }
}

fn check_time(certificate: &Certificate, at: i64) -> Result<(), PathError> {
    let who = || certificate.subject().to_owned();
    if at > certificate.not_after() {
        let (who, end) = (who(), certificate.not_after());
        return Err(path_error(PathReason::Expired, PathFault::Expired { who, end }));
    }
    if at < certificate.not_before() {
        let (who, start) = (who(), certificate.not_before());
        let fault = PathFault::NotYetValid { who, start, at };
        return Err(path_error(PathReason::NotYetValid, fault));
    }
    Ok(())
}

fn too_complex(certificate: &Certificate) -> PathError {
    let who = certificate.subject().to_owned();
    path_error(PathReason::TooComplex, PathFault::TooManyPaths { who })
}

/// Whether `issuer` may have issued `subject`, by name (RFC 5280 §7.1).
pub(crate) fn issued(issuer: &Certificate, subject: &Certificate) -> bool {
    issuer.0.subject_name.matches(&subject.0.issuer_name)
}

/// Whether the key identifiers, which are only a hint (RFC 5280 §4.2.1.1), speak for an issuer.
fn has_named_key(issuer: &Certificate, subject: &Certificate) -> bool {
    match (&issuer.0.subject_key_id, &subject.0.authority_key_id) {
        (Some(own), Some(named)) => own == named,
        _ => true,
    }
}

impl Certificate {
    /// Whether its own key signed it.
    pub(crate) fn signed_by_itself(&self) -> bool {
        self.signed_by(self)
    }

    fn signed_by(&self, issuer: &Self) -> bool {
        let verifies = |key: &PublicKey| {
            let scheme = self.0.algorithm.scheme?;
            key.verify_der(scheme, &self.0.tbs, &self.0.signature).ok()
        };
        issuer.public_key().and_then(verifies).is_some()
    }
}

/// Those certificates of a file of trust anchors that are anchors: of a chain its top, for who names the file of a seal with
/// what stands above it believes none of those below by themselves. One that signed itself is always one.
pub fn anchors_of_file(all: Vec<Certificate>) -> Vec<Certificate> {
    let below = |one: &Certificate| {
        let by = all.iter().filter(|ca| ca.der() != one.der() && issued(ca, one));
        !one.signed_by_itself() && by.take(MAX_ISSUERS).any(|ca| one.signed_by(ca))
    };
    all.iter().filter(|one| !below(one)).cloned().collect()
}

/// Certificates by one name that are tried as the issuer of another in a file of anchors.
const MAX_ISSUERS: usize = 16;

/// A time in seconds since 1970 UTC for people: RFC 3339, or the number where that cannot say it.
pub fn rfc3339(at: i64) -> String {
    let time = time::OffsetDateTime::from_unix_timestamp(at).ok();
    let text = time.and_then(|t| t.format(&time::format_description::well_known::Rfc3339).ok());
    text.unwrap_or_else(|| at.to_string())
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
    fn the_anchor_of_a_file_with_a_chain_is_its_top() {
        let root = Issuer::new_root("Root", &[], Algorithm::EdDsa, NOW).expect("a root");
        let subject = Subject::authority("CA", &[agency("zj.gov.cn")], None);
        let key = key();
        let ca = root.issue(&subject, &key.public_key(), NOW).expect("a CA");
        let ca = Issuer::new(key, vec![ca]).expect("fits");
        let seal = Subject::agency(Profile::Seal, agency("a.zj.gov.cn"), "A");
        let seal = ca.issue(&seal, &self::key().public_key(), NOW).expect("a seal");
        // By the root's name, and not by its key.
        let other = Issuer::new_root("Root", &[], Algorithm::EdDsa, NOW).expect("a root");
        let of = |list: &[&Certificate]| anchors_of_file(list.iter().copied().cloned().collect());
        let (root, ca, other) = (root.certificate(), ca.certificate(), other.certificate());
        for (file, anchors) in [
            (&[&seal, ca, root][..], &[root][..]),
            (&[&seal, ca], &[ca]),
            (&[root, other], &[root, other]),
            (&[ca, other], &[ca, other]),
            (&[root, root], &[root, root]),
        ] {
            assert_eq!(of(file).iter().collect::<Vec<_>>(), anchors);
        }
    }

    #[test]
    fn what_stands_behind_a_good_chain_is_not_looked_at() {
        let World { trust, province, chain } = world();
        let subject = Subject::agency(Profile::Seal, agency("a.zj.gov.cn"), "A");
        let seal = province.issue(&subject, &key().public_key(), NOW).expect("a seal");
        let own = SignatureBudget::default();
        trust.validate_within(&seal, &chain, NOW, Purpose::Sign, &own).expect("valid");
        // By the CA's name, and by the name of the anchor or of nobody.
        for issuer in ["Root", "Nobody"] {
            let by = Issuer::new_root(issuer, &[agency("gov.cn")], Algorithm::EdDsa, NOW);
            let by = by.expect("a root");
            let fake = Subject::authority("Zhejiang", &[agency("zj.gov.cn")], None);
            let fake = Subject { skip_checks: true, ..fake };
            let fakes = (0..200).map(|_| by.issue(&fake, &key().public_key(), NOW));
            let pool: Vec<_> = chain.iter().cloned().map(Ok).chain(fakes).collect();
            let pool: Vec<_> = pool.into_iter().collect::<Result<_, _>>().expect("issues");
            let trust = TrustStore::new([chain[1].clone()]).expect("an anchor");
            let budget = SignatureBudget::default();
            trust.validate_within(&seal, &pool, NOW, Purpose::Sign, &budget).expect("valid");
            assert_eq!(budget.spent(), own.spent());
            assert!(budget.steps.load(Ordering::Relaxed) > MAX_SIGNATURES * (STEPS_PER_CHECK - 1));
        }
    }

    #[test]
    fn a_verifiers_own_lists_do_not_push_each_other_aside() {
        let root = Issuer::new_root("Root", &[], Algorithm::Es384, NOW).expect("a root");
        let made = |algorithm: Algorithm| SigningKey::generate(algorithm).expect("random bytes");
        let ca_key = made(Algorithm::Es384);
        let subject = Subject::authority("CA", &[agency("zj.gov.cn")], Some(0));
        let cert = root.issue(&subject, &ca_key.public_key(), NOW).expect("a CA");
        let ca = Issuer::new(ca_key, vec![cert, root.certificate().clone()]).expect("fits");
        let subject = Subject::agency(Profile::Node, agency("a.zj.gov.cn"), "A");
        let node = ca.issue(&subject, &key().public_key(), NOW).expect("a node");
        let gone = crate::Revoked {
            serial: node.serial().to_owned(),
            time: NOW,
            reason: crate::RevocationReason::KeyCompromise,
        };
        let list = |of: &Issuer, revoked: &[crate::Revoked], n: u64, at: i64| {
            Crl::from_der(&of.crl(revoked, n, at, at + 1000).expect("a CRL")).expect("a CRL")
        };
        // Newer ones by another of its name, under the key that it has none of: each has to be checked.
        let other = Issuer::new_root("CA", &[], Algorithm::Es384, NOW).expect("a root");
        let newer = (0..40).map(|n| list(&other, &[], 10 + n, NOW + 10));
        let crls: Vec<_> = newer.chain([list(&ca, &[gone], 1, NOW)]).collect();
        let trust = TrustStore::new([root.certificate().clone()]).expect("an anchor");
        let above: Vec<_> = ca.chain().cloned().collect();
        let by = crate::Scrutiny::by(&trust, &crls, NOW + 20);
        let revoked = Some(PathReason::Revoked);
        assert_eq!(reason(by.check(&node, &above, Purpose::Node)), revoked);
        let known: Vec<_> = crls.iter().map(|crl| KnownCrl { crl, since: NOW }).collect();
        let listed = RevocationCheck::Listed(&known);
        let found = trust.validate_by(&node, &above, &listed, NOW + 20, Purpose::Node);
        assert_eq!(reason(found), revoked);
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
