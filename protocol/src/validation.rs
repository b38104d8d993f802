//! Validation of signatures after ETSI EN 319 102-1 §5.3, §5.5 and §5.6: proofs of existence from
//! time-stamps, and the state of certificates at the best signature time.

use std::collections::HashSet;

use chancery_certs::{
    CertError, Certificate, Crl, KnownCrl, PathError, PathReason, Purpose, RevocationCheck,
    Scrutiny, SignatureBudget, SignedCms, SignerName, TimeStampToken, TrustStore, Uncovered,
    ValidPath, VerifiedTimeStamp,
};
use chancery_crypto::{CoseSignature, CryptoError, SignatureAt, UnsignedElement};

use crate::{
    Caveat, DocumentFact, Fact, Finding, Indication, Level, SignatureFact, SignatureReport,
    StampFact, SubIndication, TimeStampReport, VerificationReport, asic::Manifest,
    document::SignedDocument, verdict::judge_path,
};

/// How far a claimed time may lie ahead of another clock, in seconds.
pub(crate) const CLOCK_TOLERANCE: i64 = 300;

/// What a validation goes by.
#[derive(Debug, Clone, Copy)]
pub struct Validation<'a> {
    /// Who is believed.
    pub trust: &'a TrustStore,
    /// The time of validation, in seconds since 1970 UTC.
    pub at: i64,
    /// The verifier's own CRLs. With any, revocation is looked at, and what the document carries helps to cover
    /// who is not covered by them. Without, what a document carries does not make it looked at: whoever
    /// hands the document on can add that and take it away.
    pub crls: &'a [Crl],
    /// Certificates besides those that the document carries, for building paths.
    pub certificates: &'a [Certificate],
    /// Whether revocation is looked at even without any CRL of one's own.
    pub require_revocation: bool,
    /// What becomes of a certificate that no CRL covers, when revocation is looked at: it is open, or passes.
    pub uncovered: Uncovered,
    /// Whether a countersignature that does not hold counts against the document. Anybody can add one.
    pub require_countersignatures: bool,
    /// What may be spent on what is validated; without it, each document has what a document has.
    pub budget: Option<&'a DocumentBudget>,
}

/// What one document may cost whoever verifies it, in units of [`SignatureBudget`]: 64 signatures of 64 officers with chains
/// of three and the dearest keys fit, and what is made to be dear ends in a part of a second.
const SIGNATURES: u32 = 2048;
/// And what nobody has signed in it.
const ADDITIONS: u32 = 2048;
/// The most certificates of its time-stamps that others may be certified by: as many as may stand beside its signatures.
const OF_TIME_STAMPS: usize = 128;

/// What may be spent on one document. What anybody can add to it has a share of its own: it cannot use up what the
/// signatures need.
#[derive(Debug)]
pub struct DocumentBudget {
    signatures: SignatureBudget,
    additions: SignatureBudget,
}

impl DocumentBudget {
    /// What a document may cost. The lists are the verifier's own, and cost nothing of it.
    pub fn new(own: &[Crl]) -> Self {
        Self {
            signatures: SignatureBudget::new(SIGNATURES).with_own(own),
            additions: SignatureBudget::new(ADDITIONS).with_own(own),
        }
    }

    /// How much was spent.
    pub fn spent(&self) -> u32 {
        self.signatures.spent().saturating_add(self.additions.spent())
    }
}

/// What is said of what would cost more than a document may.
fn too_dear() -> Finding {
    Finding::open(SubIndication::TryLater, SignatureFact::TooDear)
}

impl<'a> Validation<'a> {
    /// By these anchors, at a time in seconds since 1970 UTC, with what the document carries.
    pub fn new(trust: &'a TrustStore, at: i64) -> Self {
        Self {
            trust,
            at,
            crls: &[],
            certificates: &[],
            require_revocation: false,
            uncovered: Uncovered::Open,
            require_countersignatures: false,
            budget: None,
        }
    }

    /// What becomes of whom no list covers.
    fn uncovered(&self) -> Uncovered {
        match (self.require_revocation, self.crls.is_empty()) {
            (true, _) => Uncovered::Open,
            (false, true) => Uncovered::Passes,
            (false, false) => self.uncovered,
        }
    }

    /// By what the signers of statements are judged, that carry nothing themselves.
    pub fn scrutiny(&self) -> Scrutiny<'a> {
        Scrutiny {
            trust: self.trust,
            at: self.at,
            now: self.at,
            crls: self.crls,
            certificates: self.certificates,
            uncovered: self.uncovered(),
            // Statements and evidence are nothing that a document's signers have signed.
            budget: self.budget.map(|budget| &budget.additions),
        }
    }

    /// Takes what the check of a signature costs that nobody has signed for, where that is bounded.
    ///
    /// # Errors
    /// [`PathReason::TooComplex`] when nothing is left.
    pub(crate) fn spend_one(&self) -> Result<(), PathError> {
        match self.budget.is_none_or(|budget| budget.additions.spend_one()) {
            true => Ok(()),
            false => Err(PathError::too_dear()),
        }
    }

    /// Whether revocation is looked at.
    pub fn checks_revocation(&self) -> bool {
        !self.crls.is_empty() || self.require_revocation
    }

    /// Validates the path of a certificate that was used for signing, at the time of validation.
    ///
    /// # Errors
    /// [`PathError`], saying what does not hold.
    pub fn path(&self, leaf: &Certificate, above: &[Certificate]) -> Result<(), PathError> {
        self.scrutiny().check(leaf, above, Purpose::Sign).map(drop)
    }
}

/// Verifies every signature of a document with certificates valid at `at` (seconds since 1970
/// UTC); see [`verify_document_by`].
pub fn verify_document(
    document: &SignedDocument,
    trust: &TrustStore,
    at: i64,
) -> VerificationReport {
    verify_document_by(document, &Validation::new(trust, at))
}

/// Verifies every signature and countersignature of a document. The policy: each signature must pass, and at
/// least one must be by the agency that the header names as sender, or by an officer of
/// it. What nobody has signed (countersignatures, lists, time-stamps, receipts that it carries) can help a
/// signature and never worsens it: what of that does not hold is said beside. A signature whose certificate has expired or was revoked passes when a trusted time-stamp
/// shows that it was made before. Parts and
/// evidence files are added to the report by the caller, who has
/// their bytes.
pub fn verify_document_by(document: &SignedDocument, by: &Validation<'_>) -> VerificationReport {
    let own = DocumentBudget::new(by.crls);
    let budget = by.budget.unwrap_or(&own);
    let by = &Validation { budget: Some(budget), ..*by };
    let mut report = VerificationReport::new(Some(document), by.at);
    let judge = |at| Judge { source: Source::Cose(document, at), by, budget }.signature();
    for (index, signature) in document.cose().signatures().iter().enumerate() {
        let mut one = judge(SignatureAt::Signature(index));
        for counter in 0..signature.countersignatures.len() {
            let counter = judge(SignatureAt::Countersignature(index, counter));
            if by.require_countersignatures {
                report.judge(&counter.finding);
            }
            one.countersignatures.push(counter);
        }
        report.judge(&one.finding);
        report.signatures.push(one);
    }
    summarize(&mut report);
    let from = &document.header().from;
    let by_sender = |s: &SignatureReport| {
        s.finding.indication == Indication::TotalPassed
            && s.signer.as_ref().is_some_and(|signer| match signer {
                // What a registrar's parties sign is none of its own letters.
                SignerName::Party(name) => {
                    name.registrar() == from && document.header().is_internal()
                }
                signer => signer.agency() == from,
            })
    };
    let finding = if report.signatures.iter().any(by_sender) {
        Finding::passed(DocumentFact::SignedBySender { sender: from.clone() })
    } else {
        Finding::open(
            SubIndication::SigConstraintsFailure,
            DocumentFact::NotSignedBySender { sender: from.clone() },
        )
    };
    report.add(finding);
    document.cose().receipts().iter().for_each(|receipt| report.check_receipt(receipt, by));
    report
}

/// What holds of all signatures together.
fn summarize(report: &mut VerificationReport) {
    let level = report.signatures.iter().map(|one| one.level).min().unwrap_or(Level::B);
    let checked = report.signatures.iter().all(|one| one.revocation_checked);
    (report.level, report.revocation_checked) = (level, checked);
}

/// Verifies every signature of a CMS structure over a content, as CAdES (ETSI EN 319 122-1) has it:
/// each must bind its certificate. Who the signers are is for the caller to judge.
pub fn verify_cms(cms: &SignedCms, content: &[u8], by: &Validation<'_>) -> VerificationReport {
    verify_stamped_cms(cms, content, &[], by)
}

/// As [`verify_cms`], with time-stamps over the whole structure, which the caller has judged: those that hold prove that
/// it existed.
pub(crate) fn verify_stamped_cms(
    cms: &SignedCms,
    content: &[u8],
    stamps: &[TimeStampReport],
    by: &Validation<'_>,
) -> VerificationReport {
    let mut report = VerificationReport::new(None, by.at);
    let own = DocumentBudget::new(by.crls);
    let budget = by.budget.unwrap_or(&own);
    for index in 0..cms.signers() {
        let source = Source::Cms(cms, index, content, stamps);
        let one = Judge { source, by, budget }.signature();
        report.judge(&one.finding);
        report.signatures.push(one);
    }
    summarize(&mut report);
    report
}

/// The verdict on a time-stamp that stands beside what it covers, as in a container.
pub(crate) fn verify_time_stamp(
    token: &[u8],
    cms: &SignedCms,
    content: &[u8],
    by: &Validation<'_>,
) -> TimeStampReport {
    let own = DocumentBudget::new(by.crls);
    let budget = by.budget.unwrap_or(&own);
    let judge = Judge { source: Source::Cms(cms, 0, content, &[]), by, budget };
    let element = UnsignedElement::SignatureTimeStamp(vec![token.to_vec()]);
    let material = judge.material(&[element], cms.certificates(), cms.crls());
    judge.time_stamp(token, "container", content, 0, &material).0
}

/// Whether a CAdES signature over a manifest is that which one of a document's own signers made beside the signature in
/// COSE: the same certificate, and the manifest of this document with its place.
pub(crate) fn accompanies(document: &SignedDocument, cms: &SignedCms, manifest: &[u8]) -> bool {
    let Ok(by) = cms.verify(0, manifest, &[]) else { return false };
    let signatures = document.cose().signatures().iter().enumerate();
    let mut own = signatures.filter(|(_, signature)| {
        let leaf = signature.attributes.x5chain.first();
        leaf.is_some_and(|leaf| leaf.as_slice() == by.der())
    });
    cms.signers() == 1
        && own.any(|(index, _)| {
            let place = document.cades_before(SignatureAt::Signature(index));
            Manifest::of_document(document, place)
                .is_ok_and(|expected| expected.to_xml().as_bytes() == manifest)
        })
}

/// Where a signature stands.
#[derive(Clone, Copy)]
enum Source<'a> {
    Cose(&'a SignedDocument, SignatureAt),
    /// With the time-stamps that were judged already.
    Cms(&'a SignedCms, usize, &'a [u8], &'a [TimeStampReport]),
}

impl Source<'_> {
    fn signature_value(self) -> Option<Vec<u8>> {
        match self {
            Self::Cose(document, at) => document.cose().signature_value(at).ok(),
            Self::Cms(cms, index, ..) => cms.signature_value(index).ok().map(<[u8]>::to_vec),
        }
    }

    fn archive_input(self, place: usize) -> Option<Vec<u8>> {
        match self {
            Self::Cose(document, at) => document.cose().archive_input(at, place).ok(),
            Self::Cms(..) => None,
        }
    }

    /// Whether anybody can add it to what somebody else has signed.
    fn is_added(self) -> bool {
        matches!(self, Self::Cose(_, SignatureAt::Countersignature(..)))
    }

    /// What the signer's certificate must be good for.
    fn purpose(self) -> Purpose {
        match self {
            Self::Cose(..) => Purpose::Sign,
            Self::Cms(..) => Purpose::Cades,
        }
    }
}

struct Judge<'a> {
    source: Source<'a>,
    by: &'a Validation<'a>,
    budget: &'a DocumentBudget,
}

/// What stands beside one signature, and since when it is known to have existed.
struct Material {
    elements: Vec<UnsignedElement>,
    /// For each element, a proof of existence: the time of validation, or that of a later time-stamp.
    since: Vec<i64>,
    /// The same for the signature itself: the best signature time.
    signature: i64,
    crls: Vec<(usize, Crl)>,
    pool: Vec<Certificate>,
    /// How many of the pool, from its begin, the signer or the verifier stands for. What follows anybody can have added.
    bound: usize,
}

impl Material {
    /// The certificates that nobody else can have added.
    fn bound(&self) -> &[Certificate] {
        self.pool.get(..self.bound).unwrap_or(&self.pool)
    }

    /// These and those that were added, if there are any.
    fn wider(&self) -> Option<&[Certificate]> {
        (self.bound < self.pool.len()).then_some(self.pool.as_slice())
    }

    /// The lists that came along.
    fn own<'a>(&'a self, by: &'a Validation<'_>) -> impl Iterator<Item = KnownCrl<'a>> {
        self.crls.iter().map(|(element, crl)| KnownCrl {
            crl,
            since: self.since.get(*element).copied().unwrap_or(by.at),
        })
    }

    /// The lists that count: the verifier's, and where nothing may stay open what came along, too. Where it may,
    /// what came along could only add doubt.
    fn known<'a>(&'a self, by: &'a Validation<'_>) -> Vec<KnownCrl<'a>> {
        let own = self.own(by).filter(|_| by.uncovered() == Uncovered::Open);
        own.chain(by.crls.iter().map(|crl| KnownCrl { crl, since: by.at })).collect()
    }
}

impl Judge<'_> {
    /// What may be spent on the signature itself.
    fn own(&self) -> &SignatureBudget {
        match self.source.is_added() {
            true => &self.budget.additions,
            false => &self.budget.signatures,
        }
    }

    fn signature(&self) -> SignatureReport {
        match self.source {
            Source::Cose(document, at) => match document.cose().read_at(at) {
                Ok(read) => self.cose(document, at, read),
                Err(_) => SignatureReport::of_nothing(),
            },
            Source::Cms(cms, index, content, stamps) => self.cms(cms, index, content, stamps),
        }
    }

    fn cose(
        &self,
        document: &SignedDocument,
        at: SignatureAt,
        read: &CoseSignature,
    ) -> SignatureReport {
        let attributes = &read.attributes;
        let mut report = SignatureReport {
            commitment: attributes.commitment.map(chancery_crypto::Commitment::name),
            algorithm: read.algorithm.name(),
            signing_time: attributes.signing_time,
            ..SignatureReport::of_nothing()
        };
        let chain = attributes.x5chain.iter().map(|der| self.by.trust.read(der));
        let chain = match chain.collect::<Result<Vec<_>, _>>() {
            Ok(chain) => chain,
            Err(error) => {
                report.finding = Finding::open(
                    SubIndication::NoSigningCertificateFound,
                    SignatureFact::CertificateUnreadable(error),
                );
                return report;
            }
        };
        let Some((leaf, above)) = chain.split_first() else { return report };
        let mut material = self.material(&read.unsigned, above, &[]);
        let value = match leaf.public_key().is_none_or(|key| self.own().spend(key)) {
            true => check_value(document, at, leaf),
            false => Err(too_dear()),
        };
        self.conclude(&mut report, leaf, &mut material, value);
        self.check_cades(document, at, &read.unsigned, leaf, &mut report);
        report
    }

    fn cms(
        &self,
        cms: &SignedCms,
        index: usize,
        content: &[u8],
        judged: &[TimeStampReport],
    ) -> SignatureReport {
        let mut report = SignatureReport {
            signing_time: cms.signing_time(index),
            time_stamps: judged.to_vec(),
            ..SignatureReport::of_nothing()
        };
        if !cms.holds(content) {
            report.finding =
                Finding::failed(SubIndication::HashFailure, SignatureFact::OtherContent);
            return report;
        }
        if let Some(fault) = cms.unsupported(index) {
            let fact = SignatureFact::UnknownAlgorithm(fault);
            report.finding = Finding::open(SubIndication::NotSupported, fact);
            return report;
        }
        if !self.own().spend_one() {
            report.finding = too_dear();
            return report;
        }
        let leaf = match cms.verify(index, content, self.by.certificates) {
            Ok(leaf) => leaf,
            Err(CertError::Crypto(error)) => {
                let fact = SignatureFact::CmsWrong(error);
                report.finding = Finding::failed(SubIndication::SigCryptoFailure, fact);
                return report;
            }
            Err(error) => {
                let fact = SignatureFact::CmsRefused(error);
                report.finding = Finding::open(SubIndication::NoSigningCertificateFound, fact);
                return report;
            }
        };
        report.algorithm = leaf.public_key().map_or("", |key| key.kind());
        let stamps = cms.time_stamps(index);
        let elements = if stamps.is_empty() {
            Vec::new()
        } else {
            vec![UnsignedElement::SignatureTimeStamp(stamps)]
        };
        let mut material = self.material(&elements, cms.certificates(), cms.crls());
        let passed = |one: &&TimeStampReport| one.finding.indication == Indication::TotalPassed;
        if let Some(time) = judged.iter().filter(passed).filter_map(|one| one.time).min() {
            material.signature = material.signature.min(time);
            material.since.iter_mut().for_each(|since| *since = (*since).min(time));
        }
        let bound = cms.binds_certificate(index).unwrap_or(false);
        let value = if bound {
            Ok(())
        } else {
            Err(Finding::open(SubIndication::SigConstraintsFailure, SignatureFact::NotBound))
        };
        self.conclude(&mut report, &leaf, &mut material, value);
        report
    }

    /// The verdict, from the signature value and everything that stands beside it.
    fn conclude(
        &self,
        report: &mut SignatureReport,
        leaf: &Certificate,
        material: &mut Material,
        value: Result<(), Finding>,
    ) {
        report.display = Some(leaf.subject().to_owned());
        let name = leaf.signer_name();
        report.signer = name.as_ref().ok().cloned();
        let who = name.map_or_else(|_| format!("{:?}", leaf.subject()), |name| name.to_string());
        // What stands beside a signature that is wrong proves nothing, and is not looked at.
        let judged = value.and_then(|()| {
            self.prove_existence(material, report);
            self.judge(report, leaf, material, &who)
        });
        report.finding = match judged {
            Err(finding) => finding,
            Ok(finding) => self.constrain(report, material, &who).unwrap_or(finding),
        };
        if report.finding.indication == Indication::TotalPassed {
            report.level = self.level(report, leaf, material);
        }
    }

    fn material(
        &self,
        elements: &[UnsignedElement],
        above: &[Certificate],
        lists: &[Crl],
    ) -> Material {
        let mut pool = above.to_vec();
        pool.extend(self.by.certificates.iter().cloned());
        let mut bound = pool.len();
        let mut of_time_stamps = Vec::new();
        // What came with the signature but in no element is known since now.
        let mut crls: Vec<_> = lists.iter().map(|crl| (usize::MAX, crl.clone())).collect();
        for (index, element) in elements.iter().enumerate() {
            // What cannot be read does not help; whether the rest suffices is judged below.
            match element {
                UnsignedElement::Certificates(list) => {
                    pool.extend(list.iter().filter_map(|der| self.by.trust.read(der).ok()));
                }
                UnsignedElement::Crls(list) => {
                    let read = list.iter().filter_map(|der| Crl::from_der(der).ok());
                    crls.extend(read.map(|crl| (index, crl)));
                }
                UnsignedElement::SignatureTimeStamp(list)
                | UnsignedElement::ArchiveTimeStamp(list) => {
                    let tokens = list.iter().filter_map(|der| TimeStampToken::from_der(der).ok());
                    for token in tokens {
                        let room = OF_TIME_STAMPS.saturating_sub(of_time_stamps.len());
                        of_time_stamps.extend(token.certificates().iter().take(room).cloned());
                        crls.extend(token.crls().iter().map(|crl| (index, crl.clone())));
                    }
                }
                UnsignedElement::Cades(_) | UnsignedElement::Unknown => {}
            }
        }
        // A time-stamp's own path is looked for among its own, however many others there are.
        pool.extend(of_time_stamps);
        // What the signer has bound, and the verifier has brought, stays first: nothing that was added is looked at
        // before it.
        if pool.len() > above.len() {
            let (mut seen, mut place, given) = (HashSet::new(), 0, bound);
            pool.retain(|certificate| {
                let first = seen.insert(certificate.fingerprint());
                bound -= usize::from(!first && place < given);
                place += 1;
                first
            });
        }
        let since = vec![self.by.at; elements.len()];
        Material { elements: elements.to_vec(), since, signature: self.by.at, crls, pool, bound }
    }

    /// EN 319 102-1 §5.6.2.3: archive time-stamps from the last to the first, then those of the
    /// signature. Each proves that what it covers existed at its time, if its authority can still be
    /// trusted at the time when the token itself is known to have existed.
    fn prove_existence(&self, material: &mut Material, report: &mut SignatureReport) {
        let archive =
            |element: &UnsignedElement| matches!(element, UnsignedElement::ArchiveTimeStamp(_));
        let places: Vec<_> = (0..material.elements.len()).collect();
        let (last_first, rest): (Vec<_>, Vec<_>) = places
            .into_iter()
            .rev()
            .partition(|place| material.elements.get(*place).is_some_and(archive));
        for place in last_first.into_iter().chain(rest.into_iter().rev()) {
            let (tokens, kind, input) = match material.elements.get(place) {
                Some(UnsignedElement::ArchiveTimeStamp(tokens)) => {
                    (tokens.clone(), "archive", self.source.archive_input(place))
                }
                Some(UnsignedElement::SignatureTimeStamp(tokens)) => {
                    (tokens.clone(), "signature", self.source.signature_value())
                }
                _ => continue,
            };
            let Some(input) = input else { continue };
            for der in tokens {
                let (one, time) = self.time_stamp(&der, kind, &input, place, material);
                if let Some(time) = time {
                    material.signature = material.signature.min(time);
                    if kind == "archive" {
                        let before = material.since.iter_mut().take(place);
                        before.for_each(|since| *since = (*since).min(time));
                    }
                }
                report.time_stamps.push(one);
            }
        }
        if material.signature < self.by.at {
            report.best_signature_time = Some(material.signature);
        }
    }

    fn time_stamp(
        &self,
        der: &[u8],
        kind: &'static str,
        input: &[u8],
        place: usize,
        material: &Material,
    ) -> (TimeStampReport, Option<i64>) {
        let bad = |time, fact: StampFact| {
            let finding = Finding::open(SubIndication::TimestampFailure, fact);
            (TimeStampReport { kind, time, authority: None, finding }, None)
        };
        let token = match TimeStampToken::from_der(der) {
            Ok(token) => token,
            Err(error) => return bad(None, StampFact::Unreadable(error)),
        };
        let time = token.time();
        if !token.covers(input) {
            return bad(Some(time), StampFact::Elsewhere { kind });
        }
        let since = material.since.get(place).copied().unwrap_or(self.by.at);
        if time > since.saturating_add(CLOCK_TOLERANCE) {
            return bad(Some(time), StampFact::Future { time });
        }
        let known = material.known(self.by);
        let check = self.past(&known, time);
        let additions = &self.budget.additions;
        if !additions.spend_one() {
            let finding = too_dear();
            return (TimeStampReport { kind, time: Some(time), authority: None, finding }, None);
        }
        match self.verify_token(&token, material, &check, since) {
            Ok(verified) => {
                let authority = verified.authority;
                let finding = Finding::passed(StampFact::Confirms {
                    authority: authority.clone(),
                    kind,
                    time,
                });
                let time = time.min(since);
                let authority = Some(authority);
                (TimeStampReport { kind, time: Some(time), authority, finding }, Some(time))
            }
            Err(error) => bad(Some(time), StampFact::Refused { time, error }),
        }
    }

    /// Whether a time-stamp holds: by what came in it and nobody can have added beside, else by all that is there.
    fn verify_token(
        &self,
        token: &TimeStampToken,
        material: &Material,
        check: &RevocationCheck<'_>,
        since: i64,
    ) -> Result<VerifiedTimeStamp, CertError> {
        let additions = &self.budget.additions;
        let verify = |among| token.verify_within(self.by.trust, among, check, since, additions);
        let error = match verify(material.bound()) {
            // A signature that is wrong stays so among others.
            Err(error) if !matches!(error, CertError::Crypto(_)) => error,
            found => return found,
        };
        let Some(wider) = material.wider().filter(|_| additions.spend_one()) else {
            return Err(error);
        };
        verify(wider).map_err(|more| match (error, more) {
            (CertError::Path(error), CertError::Path(more)) => {
                CertError::Path(error.or_among_more(more))
            }
            (_, more) => more,
        })
    }

    /// How revocation is looked at as of a time in the past.
    fn past<'a>(&self, known: &'a [KnownCrl<'a>], fresh: i64) -> RevocationCheck<'a> {
        match self.by.checks_revocation() {
            true => RevocationCheck::Past { crls: known, fresh, uncovered: self.by.uncovered() },
            false => RevocationCheck::None,
        }
    }

    /// What else is to be said of a path that is accepted: that nobody knows whether it is revoked, or that a list
    /// which came along, and does not count by the policy, says that it is.
    fn note(
        &self,
        report: &mut SignatureReport,
        leaf: &Certificate,
        material: &Material,
        path: &ValidPath,
    ) -> Option<Caveat> {
        report.revocation_checked = self.by.checks_revocation() && path.uncovered.is_none();
        let own: Vec<_> = material.own(self.by).collect();
        if self.by.uncovered() == Uncovered::Passes && !own.is_empty() {
            let check = RevocationCheck::Listed(&own);
            let (pool, purpose) = (&material.pool, self.source.purpose());
            let additions = &self.budget.additions;
            let by_own = self
                .by
                .trust
                .validate_by_within(leaf, pool, &check, self.by.at, purpose, additions);
            if let Err(error) = by_own.map(drop)
                && error.reason == PathReason::Revoked
            {
                return Some(Caveat::Listed(error));
            }
        }
        path.uncovered.clone().map(Caveat::Uncovered)
    }

    /// The signer's path: now or, failing that for reasons of time, at the best signature time.
    fn judge(
        &self,
        report: &mut SignatureReport,
        leaf: &Certificate,
        material: &Material,
        who: &str,
    ) -> Result<Finding, Finding> {
        let known = material.known(self.by);
        report.revocation_checked = self.by.checks_revocation();
        let (trust, purpose) = (self.by.trust, self.source.purpose());
        let now = match (self.by.checks_revocation(), self.by.uncovered()) {
            (false, _) => RevocationCheck::None,
            (true, Uncovered::Open) => RevocationCheck::Current(&known),
            (true, Uncovered::Passes) => RevocationCheck::Listed(&known),
        };
        // What was added is looked at only when the rest does not do, and at its own cost.
        let validate = |check: &RevocationCheck<'_>, at| {
            let among =
                |pool, budget| trust.validate_by_within(leaf, pool, check, at, purpose, budget);
            among(material.bound(), self.own()).or_else(|error| match material.wider() {
                Some(wider) => {
                    among(wider, &self.budget.additions).map_err(|more| error.or_among_more(more))
                }
                None => Err(error),
            })
        };
        let error = match validate(&now, self.by.at) {
            Ok(path) => {
                let caveat = self.note(report, leaf, material, &path);
                return Ok(Finding::passed(SignatureFact::Valid { who: who.to_owned(), caveat }));
            }
            Err(error) => error,
        };
        let of_time = matches!(
            error.reason,
            PathReason::Expired | PathReason::Revoked | PathReason::RevocationUnknown
        );
        let open = |error: PathError| Finding::open(judge_path(&error), Fact::Path(error));
        let Some(best) = report.best_signature_time.filter(|_| of_time) else {
            return Err(open(error));
        };
        match validate(&self.past(&known, best), best) {
            Ok(path) => {
                report.revocation_checked &= path.uncovered.is_none();
                let (who, then) = (who.to_owned(), best);
                Ok(Finding::passed(SignatureFact::ValidThen { who, then, now: error }))
            }
            Err(past) if past.reason == PathReason::NotYetValid => {
                Err(Finding::failed(SubIndication::NotYetValid, past))
            }
            // What is wrong now says more than that nothing is known of then.
            Err(past) if past.reason == PathReason::RevocationUnknown => Err(open(error)),
            Err(past) => Err(open(past)),
        }
    }

    /// What the policy asks of a signature that is good in itself.
    fn constrain(
        &self,
        report: &SignatureReport,
        material: &Material,
        who: &str,
    ) -> Option<Finding> {
        let who = || who.to_owned();
        if report.signer.is_none() && matches!(self.source, Source::Cose(..)) {
            let fact = SignatureFact::NamesNobody { who: who() };
            return Some(Finding::open(SubIndication::SigConstraintsFailure, fact));
        }
        let claimed = report.signing_time?;
        if claimed > self.by.at.saturating_add(CLOCK_TOLERANCE) {
            let fact = SignatureFact::ClaimsFuture { who: who() };
            return Some(Finding::open(SubIndication::SigConstraintsFailure, fact));
        }
        if claimed > material.signature.saturating_add(CLOCK_TOLERANCE) {
            let fact = SignatureFact::ClaimsLater { who: who() };
            return Some(Finding::open(SubIndication::TimestampOrderFailure, fact));
        }
        None
    }

    /// The level that a valid signature reaches (ETSI EN 319 122-1 §6): what it carries by itself, whatever
    /// the verifier brought along.
    fn level(&self, report: &SignatureReport, leaf: &Certificate, material: &Material) -> Level {
        let good = |kind: &str| {
            let mut good = report.time_stamps.iter().filter(|t| t.finding.sub_indication.is_none());
            good.any(|t| t.kind == kind)
        };
        if !good("signature") {
            return Level::B;
        }
        let own: Vec<_> = material.own(self.by).collect();
        if own.is_empty() {
            return Level::T;
        }
        let uncovered = Uncovered::Open;
        let check = |fresh| RevocationCheck::Past { crls: &own, fresh, uncovered };
        let best = material.signature;
        let additions = &self.budget.additions;
        let signer = self.by.trust.validate_by_within(
            leaf,
            &material.pool,
            &check(best),
            best,
            self.source.purpose(),
            additions,
        );
        // Of one time-stamp over it: others may have been hung on by anybody.
        let authority = || {
            material.elements.iter().zip(&material.since).any(|(element, since)| {
                let UnsignedElement::SignatureTimeStamp(list) = element else { return false };
                list.iter().any(|der| {
                    TimeStampToken::from_der(der).is_ok_and(|token| {
                        let check = check(token.time());
                        additions.spend_one()
                            && self.verify_token(&token, material, &check, *since).is_ok()
                    })
                })
            })
        };
        if signer.is_err() || !authority() {
            return Level::T;
        }
        if good("archive") { Level::Lta } else { Level::Lt }
    }
}

/// The signature value under the key of the certificate.
fn check_value(
    document: &SignedDocument,
    at: SignatureAt,
    leaf: &Certificate,
) -> Result<(), Finding> {
    let key = leaf.public_key().ok_or_else(|| {
        let kind = leaf.key_kind().to_owned();
        Finding::open(SubIndication::NoSigningCertificateFound, SignatureFact::KeyKind { kind })
    })?;
    document.cose().verify_at(at, key).map_err(|error| match error {
        CryptoError::BadSignature | CryptoError::AlgorithmMismatch(_) => Finding::failed(
            SubIndication::SigCryptoFailure,
            SignatureFact::Wrong { subject: leaf.subject().to_owned(), error },
        ),
        other => Finding::failed(SubIndication::FormatFailure, SignatureFact::Structure(other)),
    })
}

impl Judge<'_> {
    /// A CAdES signature that came along is to be the same signer's, over the manifest of this very document. One that is
    /// not proves nothing, and is said beside: anybody could have added it.
    fn check_cades(
        &self,
        document: &SignedDocument,
        at: SignatureAt,
        elements: &[UnsignedElement],
        leaf: &Certificate,
        report: &mut SignatureReport,
    ) {
        let ders = elements.iter().filter_map(|element| match element {
            UnsignedElement::Cades(der) => Some(der),
            _ => None,
        });
        for der in ders {
            if !self.budget.additions.spend_one() {
                return report.notes.push(too_dear());
            }
            let fits = matches!(at, SignatureAt::Signature(_))
                && SignedCms::from_der(der).is_ok_and(|cms| {
                    let manifest = Manifest::of_document(document, document.cades_before(at));
                    manifest.is_ok_and(|manifest| {
                        let signer = cms.verify(0, manifest.to_xml().as_bytes(), &[]);
                        cms.signers() == 1 && signer.is_ok_and(|signer| signer == *leaf)
                    })
                });
            if !fits {
                let fact = SignatureFact::OtherCades;
                report.notes.push(Finding::failed(SubIndication::SigCryptoFailure, fact));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chancery_certs::{
        Credential, Issuer, Profile, RevocationReason, Revoked, Subject, TimeStampAuthority,
        TimeStampRequest, sign_cades,
    };
    use chancery_crypto::{
        Algorithm, Commitment, CoseSign, Language, ProtectedAttributes, SigningKey, cbor,
    };

    use super::*;
    use crate::{
        document::tests::{NOW, World, credential, header, world},
        sign_document,
    };

    const DAY: i64 = 86_400;
    const YEAR: i64 = 365 * DAY;
    const OWN: SignatureAt = SignatureAt::Signature(0);
    const POLICY: &str = "1.3.6.1.4.1.99999.1";

    fn authority(root: &Issuer, years: i64) -> TimeStampAuthority {
        let name = "tsa.gov.cn".parse().expect("a name");
        let subject = Subject::agency(Profile::Timestamp, name, "TSA");
        let subject = Subject { validity: Some(years * YEAR), ..subject };
        TimeStampAuthority::new(credential(root, &subject), POLICY).expect("an authority")
    }

    fn token(tsa: &TimeStampAuthority, data: &[u8], at: i64) -> Vec<u8> {
        let request = TimeStampRequest::new(data).expect("random bytes");
        let answer = tsa.answer(request.der(), at).expect("signs");
        request.accept(&answer.der).expect("a token").der().to_vec()
    }

    fn signed(world: &World) -> SignedDocument {
        sign_document(&header(&[]), &world.officer, Commitment::Approval, NOW).expect("signs")
    }

    fn stamped(document: SignedDocument, tsa: &TimeStampAuthority, at: i64) -> SignedDocument {
        let value = document.cose().signature_value(OWN).expect("a signature");
        let element = UnsignedElement::SignatureTimeStamp(vec![token(tsa, &value, at)]);
        document.add_unsigned(OWN, &element).expect("adds")
    }

    fn archived(document: SignedDocument, tsa: &TimeStampAuthority, at: i64) -> SignedDocument {
        let place = document.cose().signatures()[0].unsigned.len();
        let input = document.cose().archive_input(OWN, place).expect("a signature");
        let element = UnsignedElement::ArchiveTimeStamp(vec![token(tsa, &input, at)]);
        document.add_unsigned(OWN, &element).expect("adds")
    }

    /// A CRL of the root, current for a week, that revokes what is listed with its time.
    fn crl(root: &Issuer, revoked: &[(&Credential, i64)], number: u64, at: i64) -> Vec<u8> {
        let revoked: Vec<_> = revoked
            .iter()
            .map(|(who, time)| Revoked {
                serial: who.chain()[0].serial().to_owned(),
                time: *time,
                reason: RevocationReason::KeyCompromise,
            })
            .collect();
        root.crl(&revoked, number, at, at + 7 * DAY).expect("a CRL")
    }

    fn embedding(document: SignedDocument, crl: Vec<u8>) -> SignedDocument {
        document.add_unsigned(OWN, &UnsignedElement::Crls(vec![crl])).expect("adds")
    }

    type Verdict = (Indication, Option<SubIndication>, Level);

    fn verdict(document: &SignedDocument, world: &World, crls: &[Vec<u8>], at: i64) -> Verdict {
        let crls: Vec<_> = crls.iter().map(|der| Crl::from_der(der).expect("a CRL")).collect();
        let by = Validation { crls: &crls, ..Validation::new(&world.trust, at) };
        let report = verify_document_by(document, &by);
        let one = &report.signatures[0];
        (one.finding.indication, one.finding.sub_indication, one.level)
    }

    /// The same by a verifier that brings no list and insists on revocation all the same.
    fn insisting(document: &SignedDocument, world: &World, at: i64) -> Verdict {
        let by = Validation { require_revocation: true, ..Validation::new(&world.trust, at) };
        let report = verify_document_by(document, &by);
        let one = &report.signatures[0];
        (one.finding.indication, one.finding.sub_indication, one.level)
    }

    fn open(why: SubIndication) -> Verdict {
        (Indication::Indeterminate, Some(why), Level::B)
    }

    fn passed(level: Level) -> Verdict {
        (Indication::TotalPassed, None, level)
    }

    /// A document with a signature by each of these.
    fn signed_by<'a>(signers: impl IntoIterator<Item = &'a Credential>) -> SignedDocument {
        let mut document: Option<SignedDocument> = None;
        for signer in signers {
            document = Some(
                match document {
                    None => sign_document(&header(&[]), signer, Commitment::Approval, NOW),
                    Some(document) => document.add_signature(signer, Commitment::Approval, NOW),
                }
                .expect("signs"),
            );
        }
        document.expect("a signer")
    }

    /// The verdict on a document by its own budget, and what it has cost.
    fn costing(document: &SignedDocument, by: &Validation<'_>) -> (VerificationReport, SignedCost) {
        let budget = DocumentBudget::new(by.crls);
        let by = Validation { budget: Some(&budget), ..*by };
        let report = verify_document_by(document, &by);
        let (signatures, additions) = (budget.signatures.spent(), budget.additions.spent());
        (report, SignedCost { signatures, additions })
    }

    #[derive(Debug)]
    struct SignedCost {
        signatures: u32,
        additions: u32,
    }

    /// An officer of the agency by a CA of the province, below the root.
    fn officer_of(province: &Issuer, algorithm: Algorithm, n: usize) -> Credential {
        let subject = Subject::officer(format!("o{n}@a.gov.cn").parse().expect("a name"), "O");
        let key = SigningKey::generate(algorithm).expect("random bytes");
        let cert = province.issue(&subject, &key.public_key(), NOW).expect("issues");
        let chain = std::iter::once(cert).chain(province.chain().cloned()).collect();
        Credential::new(key, chain).expect("fits")
    }

    fn province_by(root: &Issuer, algorithm: Algorithm) -> Issuer {
        let domain = "gov.cn".parse().expect("a name");
        let subject = Subject::authority("Province", &[domain], Some(0));
        let key = SigningKey::generate(algorithm).expect("random bytes");
        let cert = root.issue(&subject, &key.public_key(), NOW).expect("issues");
        Issuer::new(key, vec![cert, root.certificate().clone()]).expect("a CA")
    }

    #[test]
    fn sixty_four_officers_with_chains_of_three_and_the_dearest_keys_fit_what_a_document_may_cost()
    {
        for (algorithm, most) in [(Algorithm::Es256, 200), (Algorithm::Es384, 800)] {
            let world = world();
            let province = province_by(&world.root, algorithm);
            let officers: Vec<_> = (0..64).map(|n| officer_of(&province, algorithm, n)).collect();
            let document = signed_by(&officers);
            let own = province.crl(&[], 1, NOW, NOW + 7 * DAY).expect("a CRL");
            let lists = [crl(&world.root, &[], 1, NOW), own];
            let lists = lists.map(|der| Crl::from_der(&der).expect("a CRL"));
            for crls in [&[][..], &lists] {
                let by = Validation { crls, ..Validation::new(&world.trust, NOW) };
                let (report, cost) = costing(&document, &by);
                assert_eq!(report.indication, Indication::TotalPassed, "{report:?}");
                assert_eq!(report.revocation_checked, !crls.is_empty());
                assert!(cost.signatures <= most && cost.additions == 0, "{cost:?}");
            }
        }
    }

    /// A key, and certificates of it that it has signed itself, in the name of the root: each may have issued all others.
    fn fakes(root: &Issuer, count: usize) -> (Issuer, Vec<Certificate>) {
        let domains = ["gov.cn".parse().expect("a name")];
        let name = root.certificate().subject().trim_start_matches("CN=").to_owned();
        let fake = Issuer::new_root(&name, &domains, Algorithm::Es256, NOW).expect("a root");
        let subject = Subject { skip_checks: true, ..Subject::authority(&name, &domains, None) };
        let one = || fake.issue(&subject, &fake.key().public_key(), NOW).expect("issues");
        let all = (0..count).map(|_| one()).collect();
        (fake, all)
    }

    fn bomb(world: &World, signatures: usize) -> SignedDocument {
        let (fake, above) = fakes(&world.root, 7);
        let mut builder = CoseSign::builder(
            "application/vnd.chancery.document+cbor",
            cbor::encode(&header(&[])).expect("encodes"),
        );
        for n in 0..signatures {
            let name = format!("o{n}@a.gov.cn").parse().expect("a name");
            let key = SigningKey::generate(Algorithm::Es256).expect("random bytes");
            let leaf = fake.issue(&Subject::officer(name, "O"), &key.public_key(), NOW);
            let chain = std::iter::once(leaf.expect("issues")).chain(above.iter().cloned());
            let attributes = ProtectedAttributes {
                x5chain: chain.map(|c| c.der().to_vec()).collect(),
                signing_time: Some(NOW),
                commitment: Some(Commitment::Approval),
            };
            builder = builder.sign(&key, attributes).expect("signs");
        }
        SignedDocument::decode(&builder.encode().expect("encodes")).expect("reads")
    }

    #[test]
    fn chains_that_nobody_certified_cost_a_check_for_each_certificate_and_no_more() {
        let world = world();
        let (report, cost) = costing(&bomb(&world, 64), &Validation::new(&world.trust, NOW));
        assert_eq!(report.indication, Indication::Indeterminate);
        let of_each = report.signatures.iter().map(|one| one.finding.sub_indication);
        assert!(
            of_each.clone().all(|sub| sub == Some(SubIndication::NoCertificateChainFound)
                || sub == Some(SubIndication::CertificateChainGeneralFailure)),
            "{report:?}"
        );
        // Each signature, each leaf, and each of the seven once.
        assert!(cost.signatures <= 64 + 64 + 7, "{cost:?}");
    }

    #[test]
    fn what_is_hung_on_a_document_cannot_use_up_what_its_signatures_need() {
        let world = world();
        let province = province_by(&world.root, Algorithm::Es256);
        let officer = officer_of(&province, Algorithm::Es256, 0);
        let good = signed_by([&officer]);
        let (fake, more) = fakes(&world.root, 60);
        let ders = more.iter().map(|c| c.der().to_vec()).collect();
        let mut hung = good.add_unsigned(OWN, &UnsignedElement::Certificates(ders)).expect("adds");
        // By whoever has a certificate of any key: each is dear, and none of them is anybody's.
        let stranger = Subject::officer("x@a.gov.cn".parse().expect("a name"), "X");
        let stranger = credential(&fake, &stranger);
        for _ in 0..16 {
            hung = hung.countersign(0, &stranger, NOW).expect("signs");
        }
        // Lists that nobody made, in the name of the province.
        let other = Issuer::new_root(
            "Province",
            &["gov.cn".parse().expect("a name")],
            Algorithm::Es256,
            NOW,
        )
        .expect("a root");
        for round in 0..3 {
            let lists = (0..20)
                .map(|n| other.crl(&[], 20 * round + n, NOW, NOW + DAY).expect("a CRL"))
                .collect();
            hung = hung.add_unsigned(OWN, &UnsignedElement::Crls(lists)).expect("adds");
        }
        let lists = [
            crl(&world.root, &[], 1, NOW),
            province.crl(&[], 1, NOW, NOW + 7 * DAY).expect("a CRL"),
        ];
        let lists = lists.map(|der| Crl::from_der(&der).expect("a CRL"));
        for (crls, uncovered) in
            [(&[][..], Uncovered::Open), (&lists, Uncovered::Open), (&lists, Uncovered::Passes)]
        {
            let by = Validation { crls, uncovered, ..Validation::new(&world.trust, NOW) };
            let (report, cost) = costing(&hung, &by);
            assert_eq!(
                report.signatures[0].finding.indication,
                Indication::TotalPassed,
                "{report:?}"
            );
            assert_eq!(report.indication, Indication::TotalPassed);
            assert!(cost.signatures + cost.additions < 3 * (SIGNATURES / 4), "{cost:?}");
            // However much there may be of it.
            let (signatures, additions) =
                (SignatureBudget::new(SIGNATURES).with_own(crls), SignatureBudget::new(0));
            let none_left = DocumentBudget { signatures, additions };
            let by = Validation { budget: Some(&none_left), ..by };
            let report = verify_document_by(&hung, &by);
            assert_eq!(report.indication, Indication::TotalPassed, "{report:?}");
        }
    }

    /// Time-stamps of nobody, each with as many certificates as one may hold, by the name of a CA: by an issuer
    /// whom nobody knows, or by the name of an anchor.
    fn stamps_with_fakes(subject: &str, issuer: &str, count: usize) -> UnsignedElement {
        let domains = ["gov.cn".parse().expect("a name")];
        let by = Issuer::new_root(issuer, &domains, Algorithm::Es256, NOW).expect("a root");
        let fake = Subject { skip_checks: true, ..Subject::authority(subject, &domains, None) };
        let tsa = Subject::agency(Profile::Timestamp, domains[0].clone(), "TSA");
        let tsa = Subject { skip_checks: true, ..tsa };
        let tokens = (0..count).map(|_| {
            let key = SigningKey::generate(Algorithm::Es256).expect("random bytes");
            let mut chain = vec![by.issue(&tsa, &key.public_key(), NOW).expect("issues")];
            chain.extend((0..63).map(|_| by.issue(&fake, &key.public_key(), NOW).expect("issues")));
            let credential = Credential::new(key, chain).expect("fits");
            let tsa = TimeStampAuthority::new(credential, POLICY).expect("an authority");
            token(&tsa, b"anything", NOW)
        });
        let tokens: Vec<_> = tokens.collect();
        let read = TimeStampToken::from_der(&tokens[0]).expect("reads");
        assert_eq!(read.certificates().len(), 64);
        UnsignedElement::SignatureTimeStamp(tokens)
    }

    #[test]
    fn certificates_in_time_stamps_of_nobody_cost_the_signatures_nothing() {
        let domains = ["gov.cn".parse().expect("a name")];
        let root = Issuer::new_root("Root", &domains, Algorithm::Es384, NOW).expect("a root");
        let trust = TrustStore::new([root.certificate().clone()]).expect("an anchor");
        let province = province_by(&root, Algorithm::Es384);
        let (gone, one, other) = (0, 1, 2);
        let officers = [gone, one, other].map(|n| officer_of(&province, Algorithm::Es256, n));
        let revoked = Revoked {
            serial: officers[0].chain()[0].serial().to_owned(),
            time: NOW,
            reason: RevocationReason::KeyCompromise,
        };
        let own = province.crl(&[revoked], 1, NOW, NOW + 7 * DAY).expect("a CRL");
        let lists = [crl(&root, &[], 1, NOW), own];
        let lists = lists.map(|der| Crl::from_der(&der).expect("a CRL"));
        let by = Validation { crls: &lists, ..Validation::new(&trust, NOW) };
        for issuer in ["Nobody", "Root"] {
            let fakes = stamps_with_fakes("Province", issuer, 30);
            let hang = |document: SignedDocument| document.add_unsigned(OWN, &fakes).expect("adds");
            let good = signed_by(&officers[1..]);
            let (plain, before) = costing(&good, &by);
            assert_eq!(plain.indication, Indication::TotalPassed, "{plain:?}");
            let (report, cost) = costing(&hang(good), &by);
            assert_eq!(report.indication, Indication::TotalPassed, "{report:?}");
            assert_eq!(cost.signatures, before.signatures);
            // Nor where no path holds, so that all of them are tried: who has signed besides is not left without.
            let mixed = signed_by(&officers[..2]);
            let before = costing(&mixed, &by).1;
            let (report, cost) = costing(&hang(mixed), &by);
            let found = report.signatures.iter().map(|one| one.finding.sub_indication);
            assert_eq!(found.collect::<Vec<_>>(), [Some(SubIndication::RevokedNoPoe), None]);
            assert_eq!(cost.signatures, before.signatures);
            assert!(cost.additions <= ADDITIONS + ADDITIONS / 4, "{cost:?}");
        }
    }

    #[test]
    fn an_expired_certificate_passes_with_a_time_stamp_from_before_and_not_without() {
        let world = world();
        let tsa = authority(&world.root, 10);
        let late = NOW + 4 * YEAR;
        let plain = signed(&world);
        assert_eq!(verdict(&plain, &world, &[], late), open(SubIndication::OutOfBoundsNoPoe));
        let in_time = stamped(plain.clone(), &tsa, NOW + DAY);
        assert_eq!(verdict(&in_time, &world, &[], NOW + 2 * DAY), passed(Level::T));
        assert_eq!(verdict(&in_time, &world, &[], late), passed(Level::T));
        let too_late = stamped(plain.clone(), &tsa, NOW + 3 * YEAR);
        assert_eq!(verdict(&too_late, &world, &[], late), open(SubIndication::OutOfBoundsNoPoe));
        // Proven to have existed before its certificate did.
        let early = stamped(plain, &tsa, NOW - DAY);
        let at = verdict(&early, &world, &[], late);
        assert_eq!(
            (at.0, at.1),
            (Indication::Indeterminate, Some(SubIndication::OutOfBoundsNoPoe))
        );
    }

    #[test]
    fn a_time_stamp_of_something_else_or_of_nobody_proves_nothing() {
        let world = world();
        let late = NOW + 4 * YEAR;
        let none = open(SubIndication::OutOfBoundsNoPoe);
        let document = signed(&world);
        let value = document.cose().signature_value(OWN).expect("a signature");
        let with = |token: Vec<u8>| {
            let element = UnsignedElement::SignatureTimeStamp(vec![token]);
            document.clone().add_unsigned(OWN, &element).expect("adds")
        };
        let tsa = authority(&world.root, 10);
        let good = token(&tsa, &value, NOW);
        assert_eq!(verdict(&with(good.clone()), &world, &[], late), passed(Level::T));
        let of_another = with(token(&tsa, b"something else", NOW));
        assert_eq!(verdict(&of_another, &world, &[], late), none);
        let stranger = crate::document::tests::world();
        let foreign = with(token(&authority(&stranger.root, 10), &value, NOW));
        assert_eq!(verdict(&foreign, &world, &[], late), none);
        // Every changed byte, but for those that name no value (there are none that matter).
        for place in (0..good.len()).step_by(7) {
            let mut bad = good.clone();
            bad[place] ^= 1;
            let at = verdict(&with(bad), &world, &[], late);
            assert!(at == none || at == passed(Level::T), "byte {place}: {at:?}");
        }
        // A seal that plays the authority: the same key and chain could sign a token by other means.
        let seal = TimeStampAuthority::new(credential(&world.root, &seal_subject()), POLICY);
        assert!(seal.is_err());
    }

    fn seal_subject() -> Subject {
        Subject::agency(Profile::Seal, "a.gov.cn".parse().expect("a name"), "A")
    }

    #[test]
    fn revoked_after_the_time_stamp_passes_and_before_does_not() {
        let world = world();
        let tsa = authority(&world.root, 10);
        let document = stamped(signed(&world), &tsa, NOW + DAY);
        let at = NOW + 10 * DAY;
        let revoked = |time| [crl(&world.root, &[(&world.officer, time)], 2, at)];
        assert_eq!(verdict(&document, &world, &revoked(NOW + 2 * DAY), at), passed(Level::T));
        let before = verdict(&document, &world, &revoked(NOW + DAY - 60), at);
        assert_eq!(before, open(SubIndication::RevokedNoPoe));
        // Without a time-stamp, whenever it was.
        let plain = verdict(&signed(&world), &world, &revoked(NOW + 2 * DAY), at);
        assert_eq!(plain, open(SubIndication::RevokedNoPoe));
        // A revoked authority's word counts only if it is proven to be older than the revocation.
        let gone = crl(&world.root, &[(&world.officer, NOW + 2 * DAY)], 2, at);
        let own = authority(&world.root, 10);
        let own = stamped(signed(&world), &own, NOW + DAY);
        assert_eq!(verdict(&own, &world, &[gone], at), passed(Level::T));
    }

    #[test]
    fn what_is_embedded_is_enough_for_years_and_stale_lists_alone_are_not() {
        let world = world();
        let tsa = authority(&world.root, 10);
        let list = crl(&world.root, &[], 1, NOW);
        let late = NOW + 3 * YEAR;
        let lt = embedding(stamped(signed(&world), &tsa, NOW + 60), list.clone());
        assert_eq!(verdict(&lt, &world, &[], NOW + DAY), passed(Level::Lt));
        assert_eq!(verdict(&lt, &world, &[], late), passed(Level::Lt));
        assert_eq!(insisting(&lt, &world, late), passed(Level::Lt));
        // The list alone proves nothing about later.
        let b = embedding(signed(&world), list.clone());
        assert_eq!(insisting(&b, &world, NOW + DAY), passed(Level::B));
        assert_eq!(insisting(&b, &world, NOW + 30 * DAY), open(SubIndication::TryLater));
        // Whether it is asked is the verifier's word alone: who takes the list away changes nothing.
        assert_eq!(verdict(&b, &world, &[], NOW + 30 * DAY), passed(Level::B));
        assert_eq!(verdict(&signed(&world), &world, &[], NOW + 30 * DAY), passed(Level::B));
        // A list that was over before the signature was made says nothing about it.
        let old = crl(&world.root, &[], 1, NOW - 30 * DAY);
        let stale = embedding(stamped(signed(&world), &tsa, NOW + 60), old);
        let at = insisting(&stale, &world, NOW + 30 * DAY);
        assert_eq!(at, open(SubIndication::TryLater));
        // A newer list that the auditor brings along outweighs the embedded one.
        let newer = crl(&world.root, &[(&world.officer, NOW)], 9, NOW + 2 * DAY);
        let at = verdict(&lt, &world, &[newer], NOW + 3 * DAY);
        assert_eq!(at, open(SubIndication::RevokedNoPoe));
        // A list made after the certificate had expired may have dropped it.
        let after = crl(&world.root, &[], 9, NOW + 3 * YEAR);
        let t = stamped(signed(&world), &tsa, NOW + 60);
        let at = verdict(&t, &world, &[after], NOW + 3 * YEAR + DAY);
        assert_ne!(at.0, Indication::TotalPassed);
    }

    #[test]
    fn an_archive_time_stamp_carries_over_the_end_of_the_first_authority() {
        let world = world();
        let (first, second) = (authority(&world.root, 2), authority(&world.root, 15));
        let list = crl(&world.root, &[], 1, NOW);
        let lt = embedding(stamped(signed(&world), &first, NOW + 60), list);
        let late = NOW + 5 * YEAR;
        assert_ne!(verdict(&lt, &world, &[], late).0, Indication::TotalPassed);
        // Its own authority needs revocation data too, added with the archive time-stamp's year.
        let list = crl(&world.root, &[], 2, NOW + YEAR);
        let lta = archived(embedding(lt.clone(), list), &second, NOW + YEAR);
        assert_eq!(verdict(&lta, &world, &[], late), passed(Level::Lta));
        // Made only after the first authority's certificate had ended.
        let list = crl(&world.root, &[], 2, NOW + 3 * YEAR);
        let too_late = archived(embedding(lt.clone(), list), &second, NOW + 3 * YEAR);
        assert_ne!(verdict(&too_late, &world, &[], late).0, Indication::TotalPassed);
        // Over another state than the one that it stands on.
        let moved = archived(lt, &second, NOW + YEAR);
        let element = moved.cose().signatures()[0].unsigned.last().expect("one").clone();
        let list = crl(&world.root, &[], 2, NOW + YEAR);
        let other = embedding(stamped(signed(&world), &first, NOW + 60), list);
        let other = other.add_unsigned(OWN, &element).expect("adds");
        assert_ne!(verdict(&other, &world, &[], late).0, Indication::TotalPassed);
    }

    #[test]
    fn a_list_that_may_have_been_made_with_a_stolen_ca_key_does_not_count() {
        let world = world();
        let domain = "a.gov.cn".parse().expect("a name");
        let key = chancery_crypto::SigningKey::generate(chancery_crypto::Algorithm::Es256);
        let key = key.expect("random bytes");
        let subject = Subject::authority("Province", &[domain], Some(0));
        let subject = Subject { validity: Some(YEAR), ..subject };
        let made = world.root.issue(&subject, &key.public_key(), NOW).expect("issues");
        let chain = vec![made, world.root.certificate().clone()];
        let province = Issuer::new(key, chain).expect("a CA");
        let officer = Subject::officer("li@a.gov.cn".parse().expect("a name"), "李");
        let officer = Subject { validity: Some(YEAR / 2), ..officer };
        let key = chancery_crypto::SigningKey::generate(chancery_crypto::Algorithm::Es256);
        let key = key.expect("random bytes");
        let made = province.issue(&officer, &key.public_key(), NOW).expect("issues");
        let chain = std::iter::once(made).chain(province.chain().cloned()).collect();
        let officer = Credential::new(key, chain).expect("fits");
        let world = World { officer, ..world };
        let tsa = authority(&world.root, 10);
        let root_list = crl(&world.root, &[], 1, NOW);
        let own_list = province.crl(&[], 1, NOW, NOW + 7 * DAY).expect("a CRL");
        let lists = UnsignedElement::Crls(vec![own_list, root_list]);
        let lt = stamped(signed(&world), &tsa, NOW + 60).add_unsigned(OWN, &lists).expect("adds");
        assert_eq!(insisting(&lt, &world, NOW + YEAR / 2 + DAY), passed(Level::Lt));
        // Once the CA's certificate has ended nobody can tell any more when the list was made …
        let late = NOW + 2 * YEAR;
        assert_ne!(insisting(&lt, &world, late).0, Indication::TotalPassed);
        // … unless an archive time-stamp from before says so.
        let more = embedding(lt, crl(&world.root, &[], 2, NOW + YEAR / 2));
        let lta = archived(more, &tsa, NOW + YEAR / 2);
        assert_eq!(insisting(&lta, &world, late), passed(Level::Lta));
    }

    #[test]
    fn a_list_of_a_ca_that_is_revoked_by_now_counts_only_if_it_is_proven_older() {
        let world = world();
        let key = || {
            let key = chancery_crypto::SigningKey::generate(chancery_crypto::Algorithm::Es256);
            key.expect("random bytes")
        };
        let (ca_key, own_key) = (key(), key());
        let subject =
            Subject::authority("Province", &["a.gov.cn".parse().expect("a name")], Some(0));
        let made = world.root.issue(&subject, &ca_key.public_key(), NOW).expect("issues");
        let ca = vec![made.clone(), world.root.certificate().clone()];
        let province = Issuer::new(ca_key, ca).expect("a CA");
        let officer = Subject::officer("li@a.gov.cn".parse().expect("a name"), "李");
        let leaf = province.issue(&officer, &own_key.public_key(), NOW).expect("issues");
        let chain = std::iter::once(leaf).chain(province.chain().cloned()).collect();
        let world = World { officer: Credential::new(own_key, chain).expect("fits"), ..world };
        let tsa = authority(&world.root, 10);
        let own_list = province.crl(&[], 1, NOW, NOW + 7 * DAY).expect("a CRL");
        let lists = UnsignedElement::Crls(vec![own_list, crl(&world.root, &[], 1, NOW)]);
        let lt = stamped(signed(&world), &tsa, NOW + 60).add_unsigned(OWN, &lists).expect("adds");
        let revoked = Revoked {
            serial: made.serial().to_owned(),
            time: NOW + 10 * DAY,
            reason: RevocationReason::CaCompromise,
        };
        let at = NOW + 20 * DAY;
        let newer = world.root.crl(&[revoked], 2, at, at + 7 * DAY).expect("a CRL");
        // Its thief could have made the embedded list yesterday.
        let verdict_now = verdict(&lt, &world, std::slice::from_ref(&newer), at);
        assert_eq!(verdict_now, open(SubIndication::RevokedNoPoe));
        let before = archived(lt.clone(), &tsa, NOW + 5 * DAY);
        assert_eq!(verdict(&before, &world, std::slice::from_ref(&newer), at), passed(Level::Lta));
        let after = archived(lt, &tsa, NOW + 15 * DAY);
        assert_ne!(verdict(&after, &world, &[newer], at).0, Indication::TotalPassed);
    }

    #[test]
    fn a_time_stamp_from_the_future_proves_nothing_yet() {
        let world = world();
        let document = stamped(signed(&world), &authority(&world.root, 10), NOW + DAY);
        assert_eq!(verdict(&document, &world, &[], NOW), passed(Level::B));
        let report = verify_document(&document, &world.trust, NOW);
        let stamp = &report.signatures[0].time_stamps[0];
        assert_eq!(stamp.finding.sub_indication, Some(SubIndication::TimestampFailure));
        assert_eq!(verdict(&document, &world, &[], NOW + 2 * DAY), passed(Level::T));
    }

    #[test]
    fn countersignatures_are_judged_and_named() {
        let world = world();
        let document = signed(&world).countersign(0, &world.seal, NOW).expect("countersigns");
        let report = verify_document(&document, &world.trust, NOW);
        assert_eq!(report.indication, Indication::TotalPassed, "{report:#?}");
        let counter = &report.signatures[0].countersignatures[0];
        assert_eq!(counter.commitment, Some("countersignature"));
        assert_eq!(document.id(), signed(&world).id());
        // One by a stranger, which anybody can add, is said beside, and counts where the policy asks for it.
        let stranger = crate::document::tests::world();
        let bad = document.countersign(0, &stranger.seal, NOW).expect("countersigns");
        let report = verify_document(&bad, &world.trust, NOW);
        assert_eq!(report.indication, Indication::TotalPassed);
        let counters = &report.signatures[0].countersignatures;
        let sub = counters.last().expect("it is said").finding.sub_indication;
        assert_eq!(sub, Some(SubIndication::NoCertificateChainFound));
        let by =
            Validation { require_countersignatures: true, ..Validation::new(&world.trust, NOW) };
        assert_eq!(verify_document_by(&bad, &by).sub_indication, sub);
    }

    #[test]
    fn a_cades_signature_must_be_of_the_same_signer_and_document() {
        let world = world();
        let document = signed(&world);
        let manifest = Manifest::of_document(&document, 0).expect("good names").to_xml();
        let with = |cades: Vec<u8>| {
            document.clone().add_unsigned(OWN, &UnsignedElement::Cades(cades)).expect("adds")
        };
        let good = sign_cades(manifest.as_bytes(), &world.officer, NOW).expect("signs");
        assert_eq!(verdict(&with(good.clone()), &world, &[], NOW), passed(Level::B));
        let notes = |cades: Vec<u8>| {
            let report = verify_document(&with(cades), &world.trust, NOW);
            // Anybody could have added it: the signature is none the worse.
            assert_eq!(report.indication, Indication::TotalPassed);
            report.signatures[0].notes.iter().filter_map(|n| n.sub_indication).collect::<Vec<_>>()
        };
        assert_eq!(notes(good), []);
        let other = sign_cades(b"other", &world.officer, NOW).expect("signs");
        assert_eq!(notes(other), [SubIndication::SigCryptoFailure]);
        let stranger = sign_cades(manifest.as_bytes(), &world.seal, NOW).expect("signs");
        assert_eq!(notes(stranger), [SubIndication::SigCryptoFailure]);
        assert_eq!(notes(b"junk".to_vec()), [SubIndication::SigCryptoFailure]);
    }

    #[test]
    fn a_claimed_time_after_the_proven_one_is_a_contradiction() {
        let world = world();
        let tsa = authority(&world.root, 10);
        let later = sign_document(&header(&[]), &world.officer, Commitment::Approval, NOW + DAY);
        let document = stamped(later.expect("signs"), &tsa, NOW);
        let at = verdict(&document, &world, &[], NOW + 2 * DAY);
        assert_eq!(at, open(SubIndication::TimestampOrderFailure));
    }

    /// A CA of the province below the root, its own key, and its chain.
    fn province(world: &World) -> Issuer {
        let key = chancery_crypto::SigningKey::generate(chancery_crypto::Algorithm::Es256);
        let key = key.expect("random bytes");
        let subject = Subject::authority("Province", &["gov.cn".parse().expect("a name")], Some(0));
        let made = world.root.issue(&subject, &key.public_key(), NOW).expect("issues");
        Issuer::new(key, vec![made, world.root.certificate().clone()]).expect("a CA")
    }

    /// The certificate of an authority, whoever issued it.
    fn authority_of(issuer: &Issuer) -> (TimeStampAuthority, Vec<Certificate>) {
        let key = chancery_crypto::SigningKey::generate(chancery_crypto::Algorithm::Es256);
        let key = key.expect("random bytes");
        let name = "tsa.gov.cn".parse().expect("a name");
        let subject = Subject::agency(Profile::Timestamp, name, "TSA");
        // A CA that does not care what it may issue.
        let subject = Subject { skip_checks: true, ..subject };
        let made = issuer.issue(&subject, &key.public_key(), NOW).expect("issues");
        let chain: Vec<_> = std::iter::once(made).chain(issuer.chain().cloned()).collect();
        let credential = Credential::new(key, chain.clone()).expect("fits");
        (TimeStampAuthority::new(credential, POLICY).expect("an authority"), chain)
    }

    #[test]
    fn a_time_stamp_counts_from_those_who_are_named_and_a_ca_below_cannot_name_itself() {
        use chancery_certs::TimeAuthorities;
        let world = world();
        let (at, made) = (NOW + 10 * DAY, NOW + DAY);
        let below = province(&world);
        let gone = crl(&world.root, &[(&world.officer, NOW + 2 * DAY)], 2, at);
        let lists = [gone, below.crl(&[], 1, at, at + DAY).expect("a CRL")];
        let crls: Vec<_> = lists.iter().map(|der| Crl::from_der(der).expect("a CRL")).collect();
        let judged = |trust: &TrustStore, tsa: &TimeStampAuthority| {
            let by = Validation { crls: &crls, ..Validation::new(trust, at) };
            let document = stamped(signed(&world), tsa, made);
            let one = verify_document_by(&document, &by).signatures.remove(0);
            (one.finding.sub_indication, one.time_stamps[0].finding.say(Language::En))
        };
        let revoked = Some(SubIndication::RevokedNoPoe);
        // The anchor is the same, the path is valid, and the word counts for nothing.
        let (why, says) = judged(&world.trust, &authority_of(&below).0);
        assert_eq!(why, revoked);
        assert!(says.contains("is not accepted"), "{says}");
        // One that the anchor itself has certified counts when nobody is named.
        let (direct, chain) = authority_of(&world.root);
        assert_eq!(judged(&world.trust, &direct).0, None);
        let with = |tsa: &TimeStampAuthority, add: &dyn Fn(&mut TimeAuthorities)| {
            let mut time = TimeAuthorities::named();
            add(&mut time);
            let trust = TrustStore::new([world.root.certificate().clone()]).expect("an anchor");
            judged(&trust.with_time(time).expect("readable"), tsa).0
        };
        assert_eq!(with(&direct, &|_| {}), revoked);
        // Named by its certificate, or by its name with the CA that certifies it.
        let name = |name: &str| name.parse().expect("a name");
        let root = world.root.certificate();
        assert_eq!(with(&direct, &|time| time.add(&chain)), None);
        assert_eq!(with(&direct, &|time| time.add_name(name("tsa.gov.cn"), root.clone())), None);
        // Another name, another CA of the same name, another authority.
        let twin = crate::document::tests::world().root.certificate().clone();
        let other = authority_of(&world.root).1;
        for open in [
            with(&direct, &|time| time.add_name(name("other.gov.cn"), root.clone())),
            with(&direct, &|time| time.add_name(name("tsa.gov.cn"), twin.clone())),
            with(&direct, &|time| time.add(&other)),
        ] {
            assert_eq!(open, revoked);
        }
        // A CA that is believed in this alone.
        let list = Issuer::new_root("Time", &[], chancery_crypto::Algorithm::EdDsa, NOW);
        let of_time = list.expect("a root");
        let (foreign, _) = authority_of(&of_time);
        assert_eq!(judged(&world.trust, &foreign).0, revoked);
        let add =
            |time: &mut TimeAuthorities| time.add(std::slice::from_ref(of_time.certificate()));
        let own = Crl::from_der(&of_time.crl(&[], 1, at, at + DAY).expect("a CRL")).expect("a CRL");
        let mut time = TimeAuthorities::of_anchors();
        add(&mut time);
        let trust = TrustStore::new([root.clone()]).expect("an anchor").with_time(time);
        let trust = trust.expect("readable");
        let crls: Vec<_> = crls.iter().cloned().chain([own]).collect();
        let by = Validation { crls: &crls, ..Validation::new(&trust, at) };
        let document = stamped(signed(&world), &foreign, made);
        assert_eq!(verify_document_by(&document, &by).signatures[0].finding.sub_indication, None);
        // It certifies nobody else.
        let stranger = credential(&of_time, &seal_subject());
        let stranger = sign_document(&header(&[]), &stranger, Commitment::Approval, NOW);
        let report = verify_document(&stranger.expect("signs"), &trust, NOW);
        assert_eq!(report.sub_indication, Some(SubIndication::NoCertificateChainFound));
    }

    /// What anybody can hang on a document: nothing of it is by a CA or an authority of the domain that speaks of the
    /// signer, but for lists that say nothing new.
    fn hung_on(world: &World, value: &[u8], which: usize, seed: u8) -> UnsignedElement {
        let rival = Issuer::new_root("Root", &[], chancery_crypto::Algorithm::Es256, NOW - DAY);
        let rival = rival.expect("a root of the same name");
        match which {
            0 => UnsignedElement::Crls(vec![vec![seed; 40]]),
            // Of the right name and the wrong key: everybody is revoked, or nobody, and it is very new.
            1 => UnsignedElement::Crls(vec![crl(&rival, &[(&world.officer, NOW)], 99, NOW + DAY)]),
            2 => UnsignedElement::Crls(vec![crl(&rival, &[], 99, NOW + DAY)]),
            3 => UnsignedElement::Crls(vec![crl(&world.root, &[], 1, NOW - 300 * DAY)]),
            4 => UnsignedElement::Crls(vec![crl(&world.root, &[], 7, NOW)]),
            5 => {
                let mut bent = crl(&world.root, &[(&world.officer, NOW)], 8, NOW);
                let place = usize::from(seed) % bent.len();
                bent[place] ^= 0x10;
                UnsignedElement::Crls(vec![bent])
            }
            6 => UnsignedElement::SignatureTimeStamp(vec![vec![seed; 40]]),
            7 => {
                let (tsa, _) = authority_of(&province(world));
                UnsignedElement::SignatureTimeStamp(vec![token(&tsa, value, NOW - DAY)])
            }
            8 => UnsignedElement::ArchiveTimeStamp(vec![token(&authority(&rival, 9), value, NOW)]),
            9 => UnsignedElement::Cades(vec![seed; 40]),
            10 => UnsignedElement::Cades(sign_cades(b"x", &world.seal, NOW).expect("signs")),
            11 => UnsignedElement::Certificates(vec![rival.certificate().der().to_vec()]),
            _ => UnsignedElement::Certificates(vec![vec![seed; 40]]),
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
        /// What nobody has signed can help a verdict and never harms it. Read the other way round: who takes
        /// it away can only weaken the verdict.
        #[test]
        fn what_anybody_can_hang_on_a_document_adds_no_doubt(
            additions in proptest::collection::vec((0usize..13, proptest::prelude::any::<u8>()), 1..4),
            counter in 0u8..3, base in 0u8..4, policy in 0u8..6,
        ) {
            let world = world();
            let tsa = authority(&world.root, 10);
            let mut document = signed(&world);
            if base > 0 {
                document = stamped(document, &tsa, NOW + 60);
            }
            if base > 1 {
                document = embedding(document, crl(&world.root, &[], 1, NOW));
            }
            if base > 2 {
                document = archived(document, &tsa, NOW + 120);
            }
            let (good, gone) = (
                crl(&world.root, &[], 5, NOW + DAY),
                crl(&world.root, &[(&world.officer, NOW + DAY)], 5, NOW + DAY),
            );
            let given = match policy { 0 | 4 => vec![], 1 | 5 => vec![good], _ => vec![gone] };
            let given: Vec<_> = given.iter().map(|der| Crl::from_der(der).expect("a CRL")).collect();
            let by = Validation {
                crls: &given,
                require_revocation: policy == 4,
                uncovered: if policy == 3 { Uncovered::Passes } else { Uncovered::Open },
                ..Validation::new(&world.trust, NOW + 2 * DAY)
            };
            let before = verify_document_by(&document, &by);
            let value = document.cose().signature_value(OWN).expect("a signature");
            // A list of the root that says nothing new may cover who was not covered.
            let helps = additions.iter().any(|(which, _)| *which == 4);
            let mut hung = document.clone();
            for (which, seed) in additions {
                hung = hung.add_unsigned(OWN, &hung_on(&world, &value, which, seed)).expect("adds");
            }
            let stranger = crate::document::tests::world();
            if counter > 0 {
                let by = if counter == 1 { &stranger.seal } else { &world.seal };
                hung = hung.countersign(0, by, NOW).expect("countersigns");
            }
            let after = verify_document_by(&hung, &by);
            proptest::prop_assert!(
                after.indication <= before.indication && after.level >= before.level,
                "{before:#?} {after:#?}"
            );
            // Nor does what is nobody's change what the verdict says.
            proptest::prop_assert!(helps || after.sub_indication == before.sub_indication);
        }
    }

    #[test]
    fn asked_to_insist_on_revocation_it_does() {
        let world = world();
        let by = Validation { require_revocation: true, ..Validation::new(&world.trust, NOW) };
        let report = verify_document_by(&signed(&world), &by);
        assert_eq!(report.sub_indication, Some(SubIndication::TryLater));
    }
}
