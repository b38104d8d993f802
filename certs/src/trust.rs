//! Who is believed besides the anchors, and by what signers are judged.

use crate::{
    AgencyName, CertError, Certificate, Crl, KnownCrl, PathError, PathFault, PathReason, Purpose,
    RevocationCheck, SignatureBudget, TrustStore, ValidPath,
    path::{Asked, issued, path_error},
    revocation::Revocation,
    usage::check_purpose,
};

/// Who may say what time it was. A path to an anchor is not enough: any CA under it could certify an authority,
/// and one authority with a wrong clock undoes every revocation.
#[derive(Debug, Clone)]
pub struct TimeAuthorities {
    /// Those that an anchor itself has certified count.
    direct: bool,
    certificates: Vec<Certificate>,
    /// By name, certified by this very CA.
    names: Vec<(AgencyName, Certificate)>,
    /// CAs whose authorities all count.
    anchors: Vec<Certificate>,
    /// For building paths.
    pool: Vec<Certificate>,
}

impl TimeAuthorities {
    /// Those that an anchor itself has certified: what counts when nobody is named. No CA below can make one.
    pub fn of_anchors() -> Self {
        Self { direct: true, ..Self::named() }
    }

    /// Only those that are added.
    pub fn named() -> Self {
        Self {
            direct: false,
            certificates: Vec::new(),
            names: Vec::new(),
            anchors: Vec::new(),
            pool: Vec::new(),
        }
    }

    /// Adds what a file of certificates names by its first one: an authority, or a CA whose authorities count,
    /// wherever that CA stands. The others help to build paths.
    pub fn add(&mut self, chain: &[Certificate]) {
        let Some((first, above)) = chain.split_first() else { return };
        if first.is_ca() || first.is_self_issued() {
            self.anchors.push(first.clone());
        } else {
            self.certificates.push(first.clone());
        }
        self.pool.extend(above.iter().cloned());
    }

    /// Adds whoever has this name by a certificate of this very CA, so that it may be renewed.
    pub fn add_name(&mut self, name: AgencyName, issuer: Certificate) {
        self.names.push((name, issuer));
    }

    /// Whether the leaf of a valid path is one of them.
    fn check(&self, chain: &[&Certificate], anchor: &Certificate) -> Result<(), PathError> {
        let Some(leaf) = chain.first().copied() else { return Ok(()) };
        let issuer = chain.get(1).copied().unwrap_or(anchor);
        let by = |named: &Certificate| {
            named.public_key().is_some()
                && named.public_key() == issuer.public_key()
                && issued(named, leaf)
        };
        let has_name = |name: &AgencyName| leaf.agency_name().is_ok_and(|own| own == *name);
        if (self.direct && issuer == anchor)
            || self.certificates.contains(leaf)
            || self.names.iter().any(|(name, issuer)| has_name(name) && by(issuer))
        {
            return Ok(());
        }
        let (who, by) = (leaf.subject().to_owned(), leaf.issuer().to_owned());
        Err(path_error(PathReason::NotNamed, PathFault::NotNamed { who, by }))
    }
}

impl Default for TimeAuthorities {
    fn default() -> Self {
        Self::of_anchors()
    }
}

/// Whom a verifier believes besides its anchors.
#[derive(Debug, Default)]
pub(crate) struct Named {
    time: TimeAuthorities,
    /// The CAs of time-stamping authorities that are no anchors of anything else.
    of_time: Option<Box<TrustStore>>,
    registrar: Option<AgencyName>,
    publishers: Vec<AgencyName>,
}

impl Named {
    /// The same, for certificates that others made.
    pub(crate) fn lenient(self) -> Self {
        Self { of_time: self.of_time.map(|own| Box::new(own.lenient())), ..self }
    }
}

impl TrustStore {
    /// Says who may say what time it was.
    ///
    /// # Errors
    /// [`CertError::Malformed`] when a CA among them cannot be read.
    pub fn with_time(mut self, time: TimeAuthorities) -> Result<Self, CertError> {
        self.named.of_time = match time.anchors.is_empty() {
            true => None,
            false => {
                let own = Self::new(time.anchors.clone())?;
                Some(Box::new(if self.is_lenient() { own.lenient() } else { own }))
            }
        };
        self.named.time = time;
        Ok(self)
    }

    /// Says whose seal signs the directory.
    #[must_use]
    pub fn with_registrar(mut self, registrar: AgencyName) -> Self {
        self.named.registrar = Some(registrar);
        self
    }

    /// Says who publishes what is for everybody.
    #[must_use]
    pub fn with_publishers(mut self, publishers: Vec<AgencyName>) -> Self {
        self.named.publishers = publishers;
        self
    }

    /// Who may say what time it was.
    pub fn time(&self) -> &TimeAuthorities {
        &self.named.time
    }

    /// Whose seal signs the directory, when that was said.
    pub fn registrar(&self) -> Option<&AgencyName> {
        self.named.registrar.as_ref()
    }

    /// Who publishes what is for everybody.
    pub fn publishers(&self) -> &[AgencyName] {
        &self.named.publishers
    }

    /// Validates the path of a time-stamping authority, which must be one of those that may say what time it was.
    pub(crate) fn validate_time(
        &self,
        leaf: &Certificate,
        intermediates: &[Certificate],
        revocation: &RevocationCheck<'_>,
        at: i64,
        budget: &SignatureBudget,
    ) -> Result<ValidPath, PathError> {
        let purpose = Purpose::TimeStamp;
        let asked = Asked { at, purpose, budget };
        check_purpose(leaf, purpose, self.is_lenient())?;
        let own = self.named.time.pool.iter().chain(&self.named.time.anchors);
        let pool: Vec<_> = intermediates.iter().chain(own).cloned().collect();
        let named =
            |chain: &[&Certificate], anchor: &Certificate| self.named.time.check(chain, anchor);
        let found = self.search_by(leaf, &pool, revocation, asked, &named);
        let (Err(error), Some(own)) = (&found, &self.named.of_time) else { return found };
        // Who is revoked where it is known stays so: also a named CA that stands under an anchor, and is revoked there.
        if error.reason == PathReason::Revoked {
            return found;
        }
        let under_anchors = self.search_by(leaf, &pool, revocation, asked, &|_, _| Ok(()));
        if let Err(revoked) = under_anchors
            && revoked.reason == PathReason::Revoked
        {
            return Err(revoked);
        }
        own.search_by(leaf, &pool, revocation, asked, &|_, _| Ok(())).map_err(|other| {
            match other.reason {
                PathReason::UnknownAuthority => error.clone(),
                _ => other,
            }
        })
    }

    /// Finds a path that is valid, acceptable, and as far as it is asked not revoked.
    pub(crate) fn search_by(
        &self,
        leaf: &Certificate,
        pool: &[Certificate],
        revocation: &RevocationCheck<'_>,
        asked: Asked<'_>,
        accept: crate::path::Accept<'_>,
    ) -> Result<ValidPath, PathError> {
        let revocation = Revocation::new(self, revocation, pool, asked.at, asked.budget);
        let check = |chain: &[&Certificate], anchor: &Certificate| {
            accept(chain, anchor)?;
            revocation.as_ref().map_or(Ok(()), |revocation| revocation.check_path(chain, anchor))
        };
        let mut path = self.search(leaf, pool, asked, &check)?;
        path.uncovered = revocation.and_then(|revocation| revocation.uncovered());
        Ok(path)
    }

    /// Whether a list that is not as RFC 5280 §5 wants it may speak all the same.
    pub(crate) fn takes(&self, crl: &Crl) -> bool {
        self.is_lenient() || crl.fault().is_none()
    }
}

/// What a certificate is that no list at hand covers: who is named in one is revoked in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Uncovered {
    /// Not known, so that what hangs on it is open.
    #[default]
    Open,
    /// Taken for good, and said.
    Passes,
}

/// By what signers are judged: who is believed, as of when, and what is known of revocation. Whoever validates a
/// signer is given one, so that nobody can forget the lists.
#[derive(Debug, Clone, Copy)]
pub struct Scrutiny<'a> {
    /// Who is believed.
    pub trust: &'a TrustStore,
    /// The time at which paths must be valid, in seconds since 1970 UTC.
    pub at: i64,
    /// The time at which it is judged; later than `at` when something of the past is.
    pub now: i64,
    /// The lists at hand.
    pub crls: &'a [Crl],
    /// Certificates at hand for building paths.
    pub certificates: &'a [Certificate],
    /// What becomes of whom they do not cover.
    pub uncovered: Uncovered,
    /// What may be spent on signature checks, when several questions share that.
    pub budget: Option<&'a SignatureBudget>,
}

impl<'a> Scrutiny<'a> {
    /// By the lists at hand, as far as they speak: who is not covered passes.
    pub fn by(trust: &'a TrustStore, crls: &'a [Crl], at: i64) -> Self {
        let uncovered = Uncovered::Passes;
        Self { trust, at, now: at, crls, certificates: &[], uncovered, budget: None }
    }

    /// Where no list can be at hand.
    pub fn without_lists(trust: &'a TrustStore, at: i64) -> Self {
        Self::by(trust, &[], at)
    }

    /// The same as of an earlier time: what was revoked by then counts, what was revoked later does not.
    #[must_use]
    pub fn as_of(self, then: i64) -> Self {
        Self { at: then.min(self.at), ..self }
    }

    /// Validates the path of a certificate for a purpose, with revocation.
    ///
    /// # Errors
    /// [`PathError`], saying what does not hold.
    pub fn check(
        &self,
        leaf: &Certificate,
        above: &[Certificate],
        purpose: Purpose,
    ) -> Result<ValidPath, PathError> {
        let known: Vec<_> = self.crls.iter().map(|crl| KnownCrl { crl, since: self.now }).collect();
        let check = match self.uncovered {
            Uncovered::Passes if known.is_empty() => RevocationCheck::None,
            uncovered if self.at < self.now => {
                RevocationCheck::Past { crls: &known, fresh: self.at, uncovered }
            }
            Uncovered::Passes => RevocationCheck::Listed(&known),
            Uncovered::Open => RevocationCheck::Current(&known),
        };
        // All lists here are the verifier's own.
        let default = SignatureBudget::asking(&check);
        let (at, budget) = (self.at, self.budget.unwrap_or(&default));
        if self.certificates.is_empty() {
            return self.trust.validate_by_within(leaf, above, &check, at, purpose, budget);
        }
        let pool: Vec<_> = above.iter().chain(self.certificates).cloned().collect();
        self.trust.validate_by_within(leaf, &pool, &check, at, purpose, budget)
    }
}
