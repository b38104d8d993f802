//! Validation of a signed document, in the words of ETSI EN 319 102-1 §5.1.

use chancery_certs::{
    Certificate, PathError, PathReason, Purpose, SignerName, TrustStore, rfc3339,
};
use chancery_crypto::{CoseSignature, CryptoError, Digest};
use serde::{Deserialize, Serialize};

use crate::{
    DocumentId, Evidence, Part, ProtocolError, SignedDocument, VerifiedReceipt, commit_to_document,
};

/// How far a claimed time may lie ahead of the verifier's clock, in seconds.
const CLOCK_TOLERANCE: i64 = 300;

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
    /// Ours: an evidence does not hold or speaks of something else.
    EvidenceFailure,
    /// Ours: the ledger has other entries than its checkpoint says.
    LedgerAltered,
    /// Ours: the ledger has fewer entries than it once gave a receipt for.
    LedgerRolledBack,
    /// Ours: the ledger's history is not the one that it gave receipts for.
    LedgerForked,
    /// Ours: something that the ledger says it received is not there.
    LedgerGap,
}

impl SubIndication {
    /// What it means and what to do, in English and Chinese.
    pub fn explain(self) -> (&'static str, &'static str) {
        match self {
            Self::FormatFailure => (
                "The file cannot be read as what it should be. Ask the sender for it again.",
                "文件格式无法识别。请向发送方重新索取。",
            ),
            Self::HashFailure => (
                "The content was changed after signing. Do not rely on it; ask the sender for the \
                 original.",
                "内容在签署后被改动。请勿采信，并向发送方索取原件。",
            ),
            Self::SigCryptoFailure => (
                "The signature does not belong to these bytes: either was changed. Do not rely on \
                 it.",
                "签名与内容不符，二者之一被改动。请勿采信。",
            ),
            Self::SignedDataNotFound => (
                "A signed part is missing. Put it back beside the document and verify again.",
                "缺少已签署的附件。请放回原处后重新验证。",
            ),
            Self::UnsignedContent => (
                "A file lies with the signed parts that nobody signed. Take it away, and do not \
                 take it for a part of the document.",
                "附件目录中有未经签署的文件。请将其移走，不可视为文件的组成部分。",
            ),
            Self::SigConstraintsFailure => (
                "The signature is genuine, but not one that this document needs. Ask the sender \
                 who should have signed.",
                "签名真实，但不符合本文件的签署要求。请向发送方核实签署人。",
            ),
            Self::ChainConstraintsFailure => (
                "The signer's CA was not entitled to issue this certificate. Do not rely on it; \
                 report it to the CA above.",
                "签发机构无权签发该证书。请勿采信，并报告上级证书机构。",
            ),
            Self::CertificateChainGeneralFailure => (
                "The certificate chain is broken. Ask the signer for the right chain.",
                "证书链已损坏。请向签署人索取正确的证书链。",
            ),
            Self::NoCertificateChainFound => (
                "The signer is not under any trust anchor that was given. Give the right root with \
                 --anchor.",
                "签署人不在所给信任锚之下。请用 --anchor 指定正确的根证书。",
            ),
            Self::NoSigningCertificateFound => (
                "The signature carries no usable certificate. Ask the signer for one.",
                "签名未附可用的签署证书。请向签署人索取。",
            ),
            Self::RevokedNoPoe => (
                "The certificate was revoked, and no trusted time-stamp shows that it signed \
                 before. Do not rely on it; ask the signer.",
                "证书已被吊销，且无可信时间戳证明签署在先。请勿采信，并向签署人核实。",
            ),
            Self::TryLater => (
                "No current CRL says whether the certificate is revoked. Fetch the CA's newest CRL \
                 and verify again.",
                "没有现行的吊销列表说明该证书是否被吊销。请获取最新吊销列表后重新验证。",
            ),
            Self::OutOfBoundsNoPoe => (
                "The certificate is out of its validity now, and no trusted time-stamp shows that \
                 it was valid when it signed. Verify at a known time with --at.",
                "证书现已超出有效期，且无可信时间戳证明签署时有效。可用 --at 指定已知时间验证。",
            ),
            Self::EvidenceFailure => (
                "The evidence proves nothing for this document. Ask the agency for the right one.",
                "该证据不能证明本文件。请向相关机关索取正确的证据。",
            ),
            Self::LedgerAltered => (
                "Entries were changed, added or removed. Keep this copy as proof and inform the \
                 supervisor.",
                "账本条目被改动、增加或删除。请保留此副本作为证据并报告监管机关。",
            ),
            Self::LedgerRolledBack => (
                "The ledger was rolled back to an earlier state. Keep both copies as proof and \
                 inform the supervisor.",
                "账本被回退到较早状态。请保留两份副本作为证据并报告监管机关。",
            ),
            Self::LedgerForked => (
                "The ledger shows different histories to different parties. Keep both copies as \
                 proof and inform the supervisor.",
                "账本向不同对象出示了不同历史。请保留两份副本作为证据并报告监管机关。",
            ),
            Self::LedgerGap => (
                "The record is not complete. Ask the agency for the missing evidence.",
                "记录不完整。请向该机关索取缺失的证据。",
            ),
        }
    }
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The verdict on it.
    pub indication: Indication,
    /// The reason, unless it passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_indication: Option<SubIndication>,
    /// What was checked and what was found, in a sentence.
    pub sentence: String,
}

impl Finding {
    pub(crate) fn passed(sentence: impl Into<String>) -> Self {
        let sentence = sentence.into();
        Self { indication: Indication::TotalPassed, sub_indication: None, sentence }
    }

    pub(crate) fn failed(why: SubIndication, sentence: impl Into<String>) -> Self {
        Self {
            indication: Indication::TotalFailed,
            sub_indication: Some(why),
            sentence: sentence.into(),
        }
    }

    pub(crate) fn open(why: SubIndication, sentence: impl Into<String>) -> Self {
        Self {
            indication: Indication::Indeterminate,
            sub_indication: Some(why),
            sentence: sentence.into(),
        }
    }
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
    /// The verdict.
    #[serde(flatten)]
    pub finding: Finding,
}

/// The verdict on a document: the worst of all findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerificationReport {
    /// The document.
    pub document: DocumentId,
    /// The verdict on the whole.
    pub indication: Indication,
    /// The reason of the worst finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_indication: Option<SubIndication>,
    /// The signature level reached (ETSI EN 319 122-1 §6).
    pub level: &'static str,
    /// Whether revocation was looked at.
    pub revocation_checked: bool,
    /// The time at which certificates were validated.
    pub validation_time: i64,
    /// The signatures.
    pub signatures: Vec<SignatureReport>,
    /// Parts and policy.
    pub findings: Vec<Finding>,
    /// Evidence of delivery.
    pub evidence: Vec<Finding>,
}

impl VerificationReport {
    fn judge(&mut self, finding: &Finding) {
        if finding.indication > self.indication {
            self.indication = finding.indication;
            self.sub_indication = finding.sub_indication;
        }
    }

    /// Adds the verdict on a part, from the digest of the bytes at hand or `None` without them.
    pub fn check_part(&mut self, part: &Part, found: Option<Digest>) {
        let finding = match found {
            Some(digest) if digest == part.digest => {
                Finding::passed(format!("part {:?} is the one that was signed", part.name))
            }
            Some(digest) => Finding::failed(
                SubIndication::HashFailure,
                format!(
                    "part {:?} was changed: its SHA-256 is {digest}, signed was {}",
                    part.name, part.digest
                ),
            ),
            None => Finding::open(
                SubIndication::SignedDataNotFound,
                format!("part {:?} is not there", part.name),
            ),
        };
        self.judge(&finding);
        self.findings.push(finding);
    }

    /// Adds that a file lies with the parts which is none of them.
    pub fn unsigned_content(&mut self, name: &str) {
        let sentence = format!("{name:?} is no part of the document: no signature covers it");
        let finding = Finding::open(SubIndication::UnsignedContent, sentence);
        self.judge(&finding);
        self.findings.push(finding);
    }

    /// Adds the verdict on an evidence that stands beside the document. Returns what it says, if
    /// it holds.
    pub fn check_evidence(
        &mut self,
        evidence: &Evidence,
        trust: &TrustStore,
    ) -> Option<VerifiedReceipt> {
        let agency = &evidence.agency;
        let (finding, receipt) = match evidence.verify(trust, self.validation_time) {
            Err(error) => (judge_evidence(&error, agency.as_str()), None),
            Ok(receipt) => {
                let committed = evidence.salt.as_ref();
                let committed = committed.map(|salt| commit_to_document(salt, &self.document));
                if committed == Some(receipt.leaf.commitment) {
                    let sentence = format!(
                        "{agency} recorded {} at {} as entry {} of its ledger",
                        receipt.leaf.event.name(),
                        rfc3339(receipt.leaf.time),
                        receipt.index
                    );
                    (Finding::passed(sentence), Some(receipt))
                } else {
                    let sentence =
                        format!("the evidence of {agency} is of another document than this one");
                    (Finding::failed(SubIndication::EvidenceFailure, sentence), None)
                }
            }
        };
        self.judge(&finding);
        self.evidence.push(finding);
        receipt
    }

    /// Adds the verdict on an evidence file that cannot even be read.
    pub fn unreadable_evidence(&mut self, name: &str, error: &ProtocolError) {
        let sentence = format!("the evidence file {name:?} cannot be read: {error}");
        let finding = Finding::failed(SubIndication::FormatFailure, sentence);
        self.judge(&finding);
        self.evidence.push(finding);
    }
}

pub(crate) fn judge_evidence(error: &ProtocolError, agency: &str) -> Finding {
    match error {
        ProtocolError::Path(path) => {
            Finding::open(judge_path(path), format!("the evidence of {agency}: {path}"))
        }
        other => Finding::failed(
            SubIndication::EvidenceFailure,
            format!("the evidence of {agency} does not hold: {other}"),
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
        PathReason::NameConstraints
        | PathReason::NotAnAuthority
        | PathReason::KeyUsage
        | PathReason::CriticalExtension
        | PathReason::Policy => SubIndication::ChainConstraintsFailure,
        _ => SubIndication::CertificateChainGeneralFailure,
    }
}

/// Verifies every signature of a document with certificates valid at `at` (seconds since 1970
/// UTC). The policy: each signature must pass, and at least one must be by the agency that the
/// header names as sender, or by an officer of it. Parts and evidence are added to the report by
/// the caller, who has their bytes.
pub fn verify_document(
    document: &SignedDocument,
    trust: &TrustStore,
    at: i64,
) -> VerificationReport {
    let mut report = VerificationReport {
        document: document.id(),
        indication: Indication::TotalPassed,
        sub_indication: None,
        level: "B",
        revocation_checked: false,
        validation_time: at,
        signatures: Vec::new(),
        findings: Vec::new(),
        evidence: Vec::new(),
    };
    for (index, signature) in document.cose().signatures().iter().enumerate() {
        let one = verify_signature(document, index, signature, trust, at);
        report.judge(&one.finding);
        report.signatures.push(one);
    }
    let from = &document.header().from;
    let by_sender = |s: &SignatureReport| {
        s.finding.indication == Indication::TotalPassed
            && s.signer.as_ref().is_some_and(|signer| signer.agency() == from)
    };
    let finding = if report.signatures.iter().any(by_sender) {
        Finding::passed(format!("the sender, {from}, or an officer of it has signed"))
    } else {
        let sentence = format!("no valid signature is by the sender, {from}, or an officer of it");
        Finding::open(SubIndication::SigConstraintsFailure, sentence)
    };
    report.judge(&finding);
    report.findings.push(finding);
    report
}

fn verify_signature(
    document: &SignedDocument,
    index: usize,
    signature: &CoseSignature,
    trust: &TrustStore,
    at: i64,
) -> SignatureReport {
    let attributes = &signature.attributes;
    let mut report = SignatureReport {
        signer: None,
        display: None,
        commitment: attributes.commitment.map(chancery_crypto::Commitment::name),
        algorithm: signature.algorithm.name(),
        signing_time: attributes.signing_time,
        finding: Finding::open(
            SubIndication::NoSigningCertificateFound,
            "the signature carries no certificate",
        ),
    };
    let chain = attributes.x5chain.iter().map(|der| Certificate::from_der(der));
    let chain = match chain.collect::<Result<Vec<_>, _>>() {
        Ok(chain) => chain,
        Err(error) => {
            report.finding =
                Finding::open(SubIndication::NoSigningCertificateFound, error.to_string());
            return report;
        }
    };
    let Some((leaf, above)) = chain.split_first() else { return report };
    report.display = Some(leaf.subject().to_owned());
    let name = leaf.signer_name();
    report.signer = name.as_ref().ok().cloned();
    let who = name.map_or_else(|_| format!("{:?}", leaf.subject()), |name| name.to_string());
    report.finding = match judge_signature(document, index, leaf, above, trust, at) {
        Err(finding) => finding,
        Ok(()) if report.signer.is_none() => Finding::open(
            SubIndication::SigConstraintsFailure,
            format!("the certificate of {who} names no agency or officer"),
        ),
        Ok(()) if attributes.signing_time.is_some_and(|t| t > at + CLOCK_TOLERANCE) => {
            Finding::open(
                SubIndication::SigConstraintsFailure,
                format!("the signature of {who} claims a time in the future"),
            )
        }
        Ok(()) => Finding::passed(format!("the signature of {who} is valid")),
    };
    report
}

fn judge_signature(
    document: &SignedDocument,
    index: usize,
    leaf: &Certificate,
    above: &[Certificate],
    trust: &TrustStore,
    at: i64,
) -> Result<(), Finding> {
    let key = leaf.public_key().ok_or_else(|| {
        Finding::open(
            SubIndication::NoSigningCertificateFound,
            format!(
                "the certificate's key is of a kind that is not used here: {}",
                leaf.key_kind()
            ),
        )
    })?;
    document.cose().verify(index, key).map_err(|error| match error {
        CryptoError::BadSignature | CryptoError::AlgorithmMismatch(_) => Finding::failed(
            SubIndication::SigCryptoFailure,
            format!("the signature of {:?} is wrong: {error}", leaf.subject()),
        ),
        other => Finding::failed(SubIndication::FormatFailure, other.to_string()),
    })?;
    trust
        .validate(leaf, above, at, Purpose::Sign)
        .map(drop)
        .map_err(|error| Finding::open(judge_path(&error), error.to_string()))
}

#[cfg(test)]
mod tests {
    use chancery_certs::Subject;
    use chancery_crypto::Commitment;

    use super::*;
    use crate::document::tests::{NOW, World, credential, header, world};
    use crate::sign_document;

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
