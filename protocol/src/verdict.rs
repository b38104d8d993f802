//! Validation of a signed document, in the words of ETSI EN 319 102-1 §5.1.

use chancery_certs::{AgencyName, PathError, PathReason, SignerName};
use chancery_crypto::{Digest, Language};
use serde::{Deserialize, Serialize, Serializer};

use crate::{
    DocumentFact, DocumentId, Evidence, EvidenceFact, EvidenceVerifier, Fact, Leaf, Part,
    ProtocolError, SignatureFact, SignedDocument, Unread, Validation, VerifiedReceipt, Whose,
    commit_to_document, parties::Parties, verify_cose_receipt,
};

/// The main status indication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Indication {
    /// Every check that the policy asks for succeeded.
    #[serde(rename = "TOTAL-PASSED")]
    TotalPassed,
    /// What is at hand does not decide it.
    #[serde(rename = "INDETERMINATE")]
    Indeterminate,
    /// It is certainly not valid.
    #[serde(rename = "TOTAL-FAILED")]
    TotalFailed,
}

impl Indication {
    /// The indication's name in the standard.
    pub fn name(self) -> &'static str {
        match self {
            Self::TotalPassed => "TOTAL-PASSED",
            Self::Indeterminate => "INDETERMINATE",
            Self::TotalFailed => "TOTAL-FAILED",
        }
    }

    /// The process exit code for a verdict: 0 passed, 1 failed, 5 indeterminate.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::TotalPassed => 0,
            Self::TotalFailed => 1,
            Self::Indeterminate => 5,
        }
    }
}

/// The sub-indication: the reason, by its name in the standard or, for what the standard does not
/// speak of (ledgers), by our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SubIndication {
    /// The structure cannot be read.
    FormatFailure,
    /// A signed object does not have the digest that was signed.
    HashFailure,
    /// The signature value does not verify.
    SigCryptoFailure,
    /// A signed object is not at hand.
    SignedDataNotFound,
    /// Ours: something lies with the signed parts that no signature covers.
    UnsignedContent,
    /// The signature does not meet what the policy asks of it.
    SigConstraintsFailure,
    /// The chain breaks a constraint: names, key usage, path length, policies.
    ChainConstraintsFailure,
    /// The chain is broken for another reason.
    CertificateChainGeneralFailure,
    /// No chain leads to a trust anchor.
    NoCertificateChainFound,
    /// The signature names no signer's certificate.
    NoSigningCertificateFound,
    /// The certificate is revoked, and no proof shows that it was used before.
    RevokedNoPoe,
    /// The revocation data at hand does not decide it.
    TryLater,
    /// The certificate is out of its validity, and no proof shows that it was used within.
    OutOfBoundsNoPoe,
    /// A proof shows that the signature was made before its certificate.
    NotYetValid,
    /// Times contradict each other.
    TimestampOrderFailure,
    /// Ours: a time-stamp proves nothing here.
    TimestampFailure,
    /// Ours: an evidence does not hold or speaks of something else.
    EvidenceFailure,
    /// Ours: the time of an evidence or of an entry does not fit other times; whose clock is wrong, it does not show.
    TimeNotProven,
    /// Ours: it holds, or asks for, what is not read here; it may be right.
    NotSupported,
    /// Ours: the ledger has other entries than its checkpoint says.
    LedgerAltered,
    /// Ours: the ledger has fewer entries than it once gave a receipt for.
    LedgerRolledBack,
    /// Ours: the ledger's history is not the one that it gave receipts for.
    LedgerForked,
    /// Ours: something that the ledger says it received is not there.
    LedgerGap,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The verdict on it.
    pub indication: Indication,
    /// The reason, unless it passed.
    pub sub_indication: Option<SubIndication>,
    /// What was checked and what was found; [`Finding::say`] makes a sentence of it.
    pub fact: Box<Fact>,
}

impl Finding {
    fn new(indication: Indication, why: Option<SubIndication>, fact: impl Into<Fact>) -> Self {
        Self { indication, sub_indication: why, fact: Box::new(fact.into()) }
    }

    pub(crate) fn passed(fact: impl Into<Fact>) -> Self {
        Self::new(Indication::TotalPassed, None, fact)
    }

    pub(crate) fn failed(why: SubIndication, fact: impl Into<Fact>) -> Self {
        Self::new(Indication::TotalFailed, Some(why), fact)
    }

    pub(crate) fn open(why: SubIndication, fact: impl Into<Fact>) -> Self {
        Self::new(Indication::Indeterminate, Some(why), fact)
    }
}

/// Reports are read by programs and shown to people in either language: a finding goes out with both sentences.
impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Said {
            indication: Indication,
            #[serde(skip_serializing_if = "Option::is_none")]
            sub_indication: Option<SubIndication>,
            sentence: String,
            sentence_zh: String,
        }
        let said = Said {
            indication: self.indication,
            sub_indication: self.sub_indication,
            sentence: self.say(Language::En),
            sentence_zh: self.say(Language::Zh),
        };
        said.serialize(serializer)
    }
}

/// How much a signature carries to stay verifiable (ETSI EN 319 122-1 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Level {
    /// A signature.
    B,
    /// With a trusted time-stamp over it.
    T,
    /// With the chains and the revocation data of signer and time-stamp.
    #[serde(rename = "LT")]
    Lt,
    /// With an archive time-stamp over all of it.
    #[serde(rename = "LTA")]
    Lta,
}

impl Level {
    /// The level's name in the standard.
    pub fn name(self) -> &'static str {
        match self {
            Self::B => "B",
            Self::T => "T",
            Self::Lt => "LT",
            Self::Lta => "LTA",
        }
    }
}

/// The verdict on one time-stamp.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TimeStampReport {
    /// What it covers: `signature`, `archive` for everything before it, or `container` for what a manifest lists.
    pub kind: &'static str,
    /// Its time, in seconds since 1970 UTC; not to be believed unless the finding passed.
    pub time: Option<i64>,
    /// The authority, once it is verified.
    pub authority: Option<String>,
    /// The verdict. One that did not pass proves nothing, and worsens nothing by itself.
    #[serde(flatten)]
    pub finding: Finding,
}

/// The verdict on one signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignatureReport {
    /// Who signed, by the certificate; not to be believed unless the finding passed.
    pub signer: Option<SignerName>,
    /// The signer's display name.
    pub display: Option<String>,
    /// What the signer declares by signing.
    pub commitment: Option<&'static str>,
    /// The algorithm.
    pub algorithm: &'static str,
    /// The time the signer claims, in seconds since 1970 UTC.
    pub signing_time: Option<i64>,
    /// The earliest time at which time-stamps prove that the signature existed, if any does.
    pub best_signature_time: Option<i64>,
    /// The level that it reaches.
    pub level: Level,
    /// Whether revocation was looked at.
    pub revocation_checked: bool,
    /// The time-stamps over it.
    pub time_stamps: Vec<TimeStampReport>,
    /// The countersignatures of it. One that does not hold worsens nothing, unless the policy asks for them.
    pub countersignatures: Vec<SignatureReport>,
    /// What else came along unsigned and does not hold. It proves nothing, and worsens nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Finding>,
    /// The verdict.
    #[serde(flatten)]
    pub finding: Finding,
}

impl SignatureReport {
    /// Of a signature that carries nothing.
    pub(crate) fn of_nothing() -> Self {
        Self {
            signer: None,
            display: None,
            commitment: None,
            algorithm: "",
            signing_time: None,
            best_signature_time: None,
            level: Level::B,
            revocation_checked: false,
            time_stamps: Vec::new(),
            countersignatures: Vec::new(),
            notes: Vec::new(),
            finding: Finding::open(
                SubIndication::NoSigningCertificateFound,
                SignatureFact::NoCertificate,
            ),
        }
    }
}

/// The verdict on a document: the worst of all findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerificationReport {
    /// The document; a container made by others has none.
    pub document: Option<DocumentId>,
    /// The verdict on the whole.
    pub indication: Indication,
    /// The reason of the worst finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_indication: Option<SubIndication>,
    /// The level that all signatures reach.
    pub level: Level,
    /// Whether revocation was looked at for all signatures.
    pub revocation_checked: bool,
    /// The time at which certificates were validated.
    pub validation_time: i64,
    /// The signatures.
    pub signatures: Vec<SignatureReport>,
    /// Parts and policy.
    pub findings: Vec<Finding>,
    /// Evidence of delivery.
    pub evidence: Vec<Finding>,
    /// Who has a part in the document's journey; nobody is known of a container made by others.
    #[serde(skip)]
    pub(crate) parties: Option<Parties>,
}

impl VerificationReport {
    pub(crate) fn new(document: Option<&SignedDocument>, at: i64) -> Self {
        Self {
            document: document.map(SignedDocument::id),
            parties: document.map(|document| Parties::of(document.header())),
            indication: Indication::TotalPassed,
            sub_indication: None,
            level: Level::B,
            revocation_checked: false,
            validation_time: at,
            signatures: Vec::new(),
            findings: Vec::new(),
            evidence: Vec::new(),
        }
    }

    /// The verdict on a document that is not looked at now, because its sender's documents have cost too much lately.
    pub fn put_off(document: &SignedDocument, at: i64) -> Self {
        let mut report = Self::new(Some(document), at);
        report.add(Finding::open(SubIndication::TryLater, DocumentFact::PutOff));
        report
    }

    pub(crate) fn judge(&mut self, finding: &Finding) {
        if finding.indication > self.indication {
            self.indication = finding.indication;
            self.sub_indication = finding.sub_indication;
        }
    }

    pub(crate) fn add(&mut self, finding: Finding) {
        self.judge(&finding);
        self.findings.push(finding);
    }

    /// Adds the verdict on a part, from the digest of the bytes at hand or `None` without them.
    pub fn check_part(&mut self, part: &Part, found: Option<Digest>) {
        let (name, signed) = (part.name.clone(), part.digest);
        self.add(match found {
            Some(found) if found == signed => {
                Finding::passed(DocumentFact::PartSame { part: name })
            }
            Some(found) => Finding::failed(
                SubIndication::HashFailure,
                DocumentFact::PartChanged { part: name, found, signed },
            ),
            None => Finding::open(
                SubIndication::SignedDataNotFound,
                DocumentFact::PartMissing { part: name },
            ),
        });
    }

    /// Adds the verdict on a file of a container: whether it has the digest that was signed, or `None` when
    /// it is not there.
    pub fn check_object(&mut self, name: &str, right: Option<bool>) {
        let file = name.to_owned();
        self.add(match right {
            Some(true) => Finding::passed(DocumentFact::FileSame { file }),
            Some(false) => {
                Finding::failed(SubIndication::HashFailure, DocumentFact::FileChanged { file })
            }
            None => {
                Finding::open(SubIndication::SignedDataNotFound, DocumentFact::FileMissing { file })
            }
        });
    }

    /// Adds everything that another report says of the same content.
    pub fn absorb(&mut self, other: Self) {
        self.level = self.level.min(other.level);
        self.revocation_checked &= other.revocation_checked;
        self.take(other);
    }

    /// Adds what another report found, whatever levels it reached.
    pub(crate) fn take(&mut self, other: Self) {
        if other.indication > self.indication {
            self.indication = other.indication;
            self.sub_indication = other.sub_indication;
        }
        self.signatures.extend(other.signatures);
        self.findings.extend(other.findings);
        self.evidence.extend(other.evidence);
    }

    /// Adds that a file lies with the parts which is none of them.
    pub fn unsigned_content(&mut self, name: &str) {
        let fact = DocumentFact::NoPart { file: name.to_owned() };
        self.add(Finding::open(SubIndication::UnsignedContent, fact));
    }

    /// Adds the verdict on an evidence that stands beside the document. Returns what it says, if
    /// it holds.
    pub fn check_evidence(
        &mut self,
        evidence: &Evidence,
        verifier: &EvidenceVerifier<'_>,
    ) -> Option<VerifiedReceipt> {
        let agency = &evidence.agency;
        let (finding, receipt) = match verifier.verify(evidence) {
            Err(error) => (judge_evidence(error, Whose::Agency(agency.clone())), None),
            Ok(receipt) => {
                let finding =
                    self.judge_entry(agency, &receipt.leaf, receipt.index, evidence.salt.as_ref());
                let holds = finding.indication == Indication::TotalPassed;
                (finding, holds.then_some(receipt))
            }
        };
        self.add_evidence(finding);
        receipt
    }

    /// Adds the verdict on a COSE receipt (RFC 9942) that the document carries unsigned: one that does not hold
    /// proves nothing, and worsens nothing.
    pub(crate) fn check_receipt(&mut self, bytes: &[u8], by: &Validation<'_>) {
        let finding = match verify_cose_receipt(bytes, by) {
            Ok(found) => {
                self.judge_entry(&found.agency, &found.leaf, found.index, found.salt.as_ref())
            }
            // Without a path it is not known whose it is.
            Err(error) => judge_evidence(error, Whose::Carried),
        };
        self.say_evidence(finding);
    }

    /// What a document carries also lies beside it: it is said once.
    fn add_evidence(&mut self, finding: Finding) {
        self.judge(&finding);
        self.say_evidence(finding);
    }

    fn say_evidence(&mut self, finding: Finding) {
        if !self.evidence.contains(&finding) {
            self.evidence.push(finding);
        }
    }

    /// The verdict on a proven entry of a ledger: whether it speaks of this document.
    fn judge_entry(
        &self,
        agency: &AgencyName,
        leaf: &Leaf,
        index: u64,
        salt: Option<&Digest>,
    ) -> Finding {
        let committed = salt.zip(self.document.as_ref());
        let committed = committed.map(|(salt, document)| commit_to_document(salt, document));
        let Some(parties) = self.parties.as_ref().filter(|_| committed == Some(leaf.commitment))
        else {
            let fact = EvidenceFact::OtherDocument { agency: agency.clone() };
            return Finding::failed(SubIndication::EvidenceFailure, fact);
        };
        if let Err(finding) = parties.may_attest(agency, leaf) {
            return finding;
        }
        Finding::passed(EvidenceFact::Recorded {
            agency: agency.clone(),
            event: leaf.event,
            time: leaf.time,
            index,
        })
    }

    /// Adds the verdict on an evidence file that cannot even be read.
    pub fn unreadable_evidence(&mut self, name: &str, why: impl Into<Unread>) {
        let fact = EvidenceFact::Unreadable { file: name.to_owned(), why: why.into() };
        self.add_evidence(Finding::failed(SubIndication::FormatFailure, fact));
    }
}

pub(crate) fn judge_evidence(error: ProtocolError, whose: Whose) -> Finding {
    match error {
        ProtocolError::Path(error) => {
            Finding::open(judge_path(&error), EvidenceFact::Path { whose, error })
        }
        ProtocolError::Time(why) => {
            Finding::open(SubIndication::TimeNotProven, EvidenceFact::Time { whose, why })
        }
        other => Finding::failed(
            SubIndication::EvidenceFailure,
            EvidenceFact::Broken { whose, error: Box::new(other) },
        ),
    }
}

/// EN 319 102-1 table 6: what a failed path means for a signature.
pub(crate) fn judge_path(error: &PathError) -> SubIndication {
    match error.reason {
        PathReason::UnknownAuthority => SubIndication::NoCertificateChainFound,
        PathReason::Expired | PathReason::NotYetValid => SubIndication::OutOfBoundsNoPoe,
        PathReason::Revoked => SubIndication::RevokedNoPoe,
        PathReason::RevocationUnknown => SubIndication::TryLater,
        PathReason::NotNamed
        | PathReason::NameConstraints
        | PathReason::NotAnAuthority
        | PathReason::KeyUsage
        | PathReason::CriticalExtension
        | PathReason::Profile
        | PathReason::Policy => SubIndication::ChainConstraintsFailure,
        _ => SubIndication::CertificateChainGeneralFailure,
    }
}

#[cfg(test)]
mod tests {
    use chancery_certs::Subject;
    use chancery_crypto::Commitment;

    use super::*;
    use crate::document::tests::{NOW, World, credential, header, world};
    use crate::{SignedDocument, sign_document, verify_document};

    fn signed(world: &World) -> SignedDocument {
        sign_document(&header(&[("a", b"hello")]), &world.officer, Commitment::Approval, NOW)
            .and_then(|d| d.add_signature(&world.seal, Commitment::Origin, NOW))
            .expect("signs")
    }

    fn verdict(report: &VerificationReport) -> (Indication, Option<SubIndication>) {
        (report.indication, report.sub_indication)
    }

    #[test]
    fn a_good_document_passes_and_each_damage_has_its_own_word() {
        let world = world();
        let document = signed(&world);
        let part = &document.header().parts[0];
        let fresh = || verify_document(&document, &world.trust, NOW);

        let mut report = fresh();
        report.check_part(part, Some(Digest::of(b"hello")));
        assert_eq!(verdict(&report), (Indication::TotalPassed, None), "{report:?}");

        let mut report = fresh();
        report.check_part(part, Some(Digest::of(b"hellO")));
        let want = (Indication::TotalFailed, Some(SubIndication::HashFailure));
        assert_eq!(verdict(&report), want);

        let mut report = fresh();
        report.check_part(part, None);
        let want = (Indication::Indeterminate, Some(SubIndication::SignedDataNotFound));
        assert_eq!(verdict(&report), want);

        let late = verify_document(&document, &world.trust, NOW + 5 * 365 * 86_400);
        let want = (Indication::Indeterminate, Some(SubIndication::OutOfBoundsNoPoe));
        assert_eq!(verdict(&late), want);

        let stranger = crate::document::tests::world();
        let report = verify_document(&document, &stranger.trust, NOW);
        assert_eq!(report.indication, Indication::Indeterminate);

        // The last byte of the structure belongs to the seal's signature value.
        let mut bytes = document.bytes().to_vec();
        *bytes.last_mut().expect("bytes") ^= 1;
        let forged = SignedDocument::decode(&bytes).expect("decodes");
        let want = (Indication::TotalFailed, Some(SubIndication::SigCryptoFailure));
        assert_eq!(verdict(&verify_document(&forged, &world.trust, NOW)), want);
    }

    #[test]
    fn a_document_that_only_strangers_signed_does_not_pass() {
        let world = world();
        let other = Subject::officer("wang@b.gov.cn".parse().expect("a name"), "王");
        let other = credential(&world.root, &other);
        let document =
            sign_document(&header(&[]), &other, Commitment::Approval, NOW).expect("signs");
        let want = (Indication::Indeterminate, Some(SubIndication::SigConstraintsFailure));
        assert_eq!(verdict(&verify_document(&document, &world.trust, NOW)), want);
    }

    #[test]
    fn a_signature_from_the_future_does_not_pass() {
        let world = world();
        let document = sign_document(&header(&[]), &world.officer, Commitment::Approval, NOW + 900)
            .expect("signs");
        let report = verify_document(&document, &world.trust, NOW);
        assert_eq!(report.sub_indication, Some(SubIndication::SigConstraintsFailure));
    }
}
