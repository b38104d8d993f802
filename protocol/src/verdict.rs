//! Validation of a signed document, in the words of ETSI EN 319 102-1 §5.1.

use chancery_certs::{AgencyName, PathError, PathReason, SignerName, rfc3339};
use chancery_crypto::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    DocumentId, Evidence, EvidenceVerifier, Leaf, Part, ProtocolError, SignedDocument, Validation,
    VerifiedReceipt, commit_to_document, parties::Parties, verify_cose_receipt,
};

/// A sentence in English and in Chinese.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    en: String,
    zh: String,
}

impl Text {
    pub(crate) fn new(en: String, zh: String) -> Self {
        Self { en, zh }
    }

    /// In English and in Chinese.
    pub(crate) fn both(self) -> (String, String) {
        (self.en, self.zh)
    }
}

/// One sentence in both languages: `text!(("english {x}"), ("中文 {x}"))`, each as for `format!`.
macro_rules! text {
    (($($en:tt)*), ($($zh:tt)*)) => {
        $crate::verdict::Text::new(format!($($en)*), format!($($zh)*))
    };
}
pub(crate) use text;

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
            Self::NotYetValid => (
                "The certificate was not valid yet when a time-stamp shows that the signature existed. \
                 Do not rely on it.",
                "时间戳表明签署时证书尚未生效。请勿采信。",
            ),
            Self::TimestampOrderFailure => (
                "The signature claims a later time than its time-stamp proves. Ask the signer.",
                "签名声称的时间晚于时间戳所证明的时间。请向签署人核实。",
            ),
            Self::TimestampFailure => (
                "The time-stamp is not one of a trusted authority over this signature. It counts for \
                 nothing; the rest of the verdict stands.",
                "时间戳不是可信机构对此签名所作，不予采信；其余结论不受影响。",
            ),
            Self::EvidenceFailure => (
                "The evidence proves nothing for this document. Ask the agency for the right one.",
                "该证据不能证明本文件。请向相关机关索取正确的证据。",
            ),
            Self::TimeNotProven => (
                "What it says is genuine, and when it happened is not shown: a clock was wrong, or the time of \
                 validation lies before it. Nothing is taken for false by it, and no time limit may rest on it: compare with \
                 other evidence, or ask for another proof of the time, such as a time-stamp.",
                "内容真实，但发生时间未得到证明：某处时钟有误，或验证时间早于该时间。这并不表示内容不实，但不得据以计算期限；请与其他证据核对，或索取其他时间证明，如时间戳。",
            ),
            Self::NotSupported => (
                "It is of a form that is not read here, and nothing can be said of it. Use a program that reads \
                 that form, or ask for the document in another.",
                "其形式此处无法读取，不作结论。请使用支持该形式的程序，或索取其他形式的文件。",
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
    /// The same in Chinese.
    pub sentence_zh: String,
}

impl Finding {
    fn new(indication: Indication, why: Option<SubIndication>, text: Text) -> Self {
        let Text { en: sentence, zh: sentence_zh } = text;
        Self { indication, sub_indication: why, sentence, sentence_zh }
    }

    pub(crate) fn passed(text: Text) -> Self {
        Self::new(Indication::TotalPassed, None, text)
    }

    pub(crate) fn failed(why: SubIndication, text: Text) -> Self {
        Self::new(Indication::TotalFailed, Some(why), text)
    }

    pub(crate) fn open(why: SubIndication, text: Text) -> Self {
        Self::new(Indication::Indeterminate, Some(why), text)
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
                text!(("the signature carries no certificate"), ("签名未附证书")),
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
        report.add(Finding::open(
            SubIndication::TryLater,
            text!(
                ("it was not looked at yet: the documents of its sender have taken too many checks lately"),
                ("尚未检查：其发件机关的文件近来所需的检查过多，请稍后再看")
            ),
        ));
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
        let (name, signed) = (&part.name, &part.digest);
        self.add(match found {
            Some(digest) if digest == part.digest => Finding::passed(text!(
                ("part {name:?} is the one that was signed"),
                ("附件“{name}”与签署时一致")
            )),
            Some(digest) => Finding::failed(
                SubIndication::HashFailure,
                text!(
                    ("part {name:?} was changed: its SHA-256 is {digest}, signed was {signed}"),
                    ("附件“{name}”被改动：其 SHA-256 为 {digest}，签署的是 {signed}")
                ),
            ),
            None => Finding::open(
                SubIndication::SignedDataNotFound,
                text!(("part {name:?} is not there"), ("缺少附件“{name}”")),
            ),
        });
    }

    /// Adds the verdict on a file of a container: whether it has the digest that was signed, or `None` when
    /// it is not there.
    pub fn check_object(&mut self, name: &str, right: Option<bool>) {
        self.add(match right {
            Some(true) => Finding::passed(text!(
                ("file {name:?} is the one that was signed"),
                ("文件“{name}”与签署时一致")
            )),
            Some(false) => Finding::failed(
                SubIndication::HashFailure,
                text!(("file {name:?} was changed"), ("文件“{name}”被改动")),
            ),
            None => Finding::open(
                SubIndication::SignedDataNotFound,
                text!(("file {name:?} is not there"), ("缺少文件“{name}”")),
            ),
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
        let text = text!(
            ("{name:?} is no part of the document: no signature covers it"),
            ("“{name}”不是文件的组成部分，没有签名覆盖它")
        );
        self.add(Finding::open(SubIndication::UnsignedContent, text));
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
            Err(error) => (judge_evidence(&error, agency.as_str()), None),
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
            Err(error) => judge_evidence(&error, "a ledger, carried in the document,"),
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
            let text = text!(
                ("the evidence of {agency} is of another document than this one"),
                ("{agency} 的证据属于另一份文件")
            );
            return Finding::failed(SubIndication::EvidenceFailure, text);
        };
        if let Err(finding) = parties.may_attest(agency, leaf) {
            return finding;
        }
        let (event, at) = (leaf.event, rfc3339(leaf.time));
        Finding::passed(text!(
            ("{agency} recorded {event} at {at} as entry {index} of its ledger"),
            ("{agency} 于 {at} 在其账本第 {index} 条记录了 {event}")
        ))
    }

    /// Adds the verdict on an evidence file that cannot even be read.
    pub fn unreadable_evidence(&mut self, name: &str, error: &dyn std::fmt::Display) {
        let text = text!(
            ("the evidence file {name:?} cannot be read: {error}"),
            ("证据文件“{name}”无法读取：{error}")
        );
        self.add_evidence(Finding::failed(SubIndication::FormatFailure, text));
    }
}

pub(crate) fn judge_evidence(error: &ProtocolError, agency: &str) -> Finding {
    match error {
        ProtocolError::Path(path) => Finding::open(
            judge_path(path),
            text!(("the evidence of {agency}: {path}"), ("{agency} 的证据：{}", path.zh)),
        ),
        ProtocolError::Time(why) => Finding::open(
            SubIndication::TimeNotProven,
            text!(
                ("the evidence of {agency} is genuine, but its time is not proven: {why}"),
                ("{agency} 的证据真实，但其时间未得到证明：{why}")
            ),
        ),
        other => Finding::failed(
            SubIndication::EvidenceFailure,
            text!(
                ("the evidence of {agency} does not hold: {other}"),
                ("{agency} 的证据不成立：{other}")
            ),
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
