//! The audit of one ledger: its own checkpoint, every entry, the evidence it received, and the
//! receipts that others hold against it.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use chancery_certs::{AgencyName, Certificate, SealError, rfc3339};
use chancery_crypto::Digest;
use serde::Serialize;

use crate::{
    Checkpoint, EnvelopeId, Event, Evidence, EvidenceVerifier, Finding, Indication, Leaf, LogKey,
    ProtocolError, PurgeOrder, SignedCheckpoint, SubIndication, Validation, VerifiedReceipt,
    WitnessStatement, merkle,
    verdict::{Text, judge_evidence, judge_path, text},
};

/// The most findings that are kept; beyond, they are only counted.
const MAX_FINDINGS: usize = 1000;

/// A receipt of the audited ledger that somebody else holds.
#[derive(Debug, Clone)]
pub struct HeldReceipt {
    /// Who holds it, for the report.
    pub holder: String,
    /// What they hold.
    pub evidence: Evidence,
}

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditReport {
    /// The ledger's agency.
    pub agency: AgencyName,
    /// The verdict on the whole: the worst of all findings.
    pub indication: Indication,
    /// The reason of the worst finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_indication: Option<SubIndication>,
    /// The time at which certificates were validated.
    pub validation_time: i64,
    /// Entries that the checkpoint speaks of.
    pub size: u64,
    /// Entries that were read.
    pub entries: u64,
    /// Evidence files that were verified.
    pub evidence: u64,
    /// Receipts held by others that were verified against the entries.
    pub held_receipts: u64,
    /// Checkpoints of the ledger's history that were verified.
    pub checkpoints: u64,
    /// Envelopes whose content was removed by a valid order.
    pub purged: u64,
    /// Contents that were read and have the root that their envelope seals.
    pub contents: u64,
    /// Witnesses whose cosignatures were verified.
    pub witnesses: Vec<AgencyName>,
    /// Whether revocation of certificates was looked at.
    pub revocation_checked: bool,
    /// What is to be said, worst and first come first served up to a limit.
    pub findings: Vec<Finding>,
    /// Findings beyond that limit.
    pub more_findings: u64,
}

/// What a verified receipt, held by somebody, says the ledger once was.
struct Claim {
    holder: String,
    index: u64,
    leaf_hash: Digest,
    checkpoint: Checkpoint,
}

/// An evidence file that was read and verified. That is most of an audit's work, and can be done for many
/// files at once.
#[derive(Debug)]
pub struct CheckedEvidence {
    name: String,
    read: Result<(Evidence, Digest, Result<VerifiedReceipt, ProtocolError>), ProtocolError>,
}

impl CheckedEvidence {
    /// Reads and verifies a file's bytes.
    pub fn check(name: &str, bytes: &[u8], verifier: &EvidenceVerifier<'_>) -> Self {
        let read = || {
            let evidence = Evidence::decode(bytes)?;
            let digest = Evidence::receipt_digest(bytes);
            let verified = verifier.verify(&evidence);
            Ok((evidence, digest, verified))
        };
        Self { name: name.to_owned(), read: read() }
    }

    /// Reads a file's bytes that were verified before, under the same policy.
    pub fn trusted(name: &str, bytes: &[u8]) -> Self {
        let read = || {
            let evidence = Evidence::decode(bytes)?;
            let digest = Evidence::receipt_digest(bytes);
            let receipt = &evidence.receipt;
            let checkpoint = Checkpoint::read_unverified(&receipt.checkpoint)?;
            let checkpoint = SignedCheckpoint { checkpoint, note: receipt.checkpoint.clone() };
            let leaf = Leaf::decode(&receipt.leaf)?;
            let verified = Ok(VerifiedReceipt { leaf, index: receipt.index, checkpoint });
            Ok((evidence, digest, verified))
        };
        Self { name: name.to_owned(), read: read() }
    }

    /// Whether it was read and verified.
    pub fn holds(&self) -> bool {
        self.read.as_ref().is_ok_and(|(_, _, verified)| verified.is_ok())
    }
}

/// An audit in progress. Checkpoints of the history and entries go in, in order, then evidence;
/// [`LedgerAudit::finish`] judges.
pub struct LedgerAudit<'a> {
    by: &'a Validation<'a>,
    keys: Vec<LogKey>,
    /// Verified checkpoints of the history that lie ahead, and the size of the last that was taken in.
    history: VecDeque<Checkpoint>,
    history_through: u64,
    /// Notes that witnesses cosigned, by size.
    cosigned: BTreeMap<u64, Vec<(AgencyName, Checkpoint)>>,
    report: AuditReport,
    checkpoint: Option<Checkpoint>,
    range: merkle::CompactRange,
    /// Claims by the size of tree that they speak of.
    claims: BTreeMap<u64, Vec<Claim>>,
    /// Leaf hashes that claims want to see, by index.
    wanted: HashMap<u64, Vec<Digest>>,
    submitted: HashSet<EnvelopeId>,
    consigned: HashSet<EnvelopeId>,
    /// Envelopes that were taken in to be carried on, and who sent them.
    relayed: HashMap<EnvelopeId, AgencyName>,
    /// Evidence that entries speak of and that has not been seen yet.
    expected: HashMap<Digest, (u64, Leaf)>,
    /// Orders that entries follow and that have not been seen yet, with those entries.
    orders: HashMap<Digest, Vec<(u64, Leaf)>>,
    /// What entries of unknown events speak of, and the envelopes that they are about.
    unknown: HashSet<Digest>,
    unclear: HashSet<EnvelopeId>,
}

impl std::fmt::Debug for LedgerAudit<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LedgerAudit({} of {})", self.range.size(), self.report.size)
    }
}

impl<'a> LedgerAudit<'a> {
    /// Starts an audit: checks the seal's path at the time of validation and the checkpoint's signature, and takes
    /// in the receipts of this ledger that others hold.
    ///
    /// # Errors
    /// [`ProtocolError`] when the seal's chain names no agency, so that it is not even clear whose
    /// ledger it is.
    pub fn begin(
        chain: &[Certificate],
        checkpoint: &str,
        held: Vec<HeldReceipt>,
        by: &'a Validation<'a>,
    ) -> Result<Self, ProtocolError> {
        let (seal, above) = chain
            .split_first()
            .ok_or_else(|| ProtocolError::Checkpoint("the ledger has no seal chain".into()))?;
        let agency = seal.agency_name()?;
        let mut audit = Self {
            by,
            keys: Vec::new(),
            history: VecDeque::new(),
            history_through: 0,
            cosigned: BTreeMap::new(),
            report: AuditReport {
                agency,
                indication: Indication::TotalPassed,
                sub_indication: None,
                validation_time: by.at,
                size: 0,
                entries: 0,
                evidence: 0,
                held_receipts: 0,
                checkpoints: 0,
                purged: 0,
                contents: 0,
                witnesses: Vec::new(),
                revocation_checked: by.checks_revocation(),
                findings: Vec::new(),
                more_findings: 0,
            },
            checkpoint: None,
            range: merkle::CompactRange::default(),
            claims: BTreeMap::new(),
            wanted: HashMap::new(),
            submitted: HashSet::new(),
            consigned: HashSet::new(),
            relayed: HashMap::new(),
            expected: HashMap::new(),
            orders: HashMap::new(),
            unknown: HashSet::new(),
            unclear: HashSet::new(),
        };
        audit.check_seal(seal, above);
        match SignedCheckpoint::open(checkpoint, &LogKey::of_seal(seal)?) {
            Ok(signed) => {
                audit.report.size = signed.checkpoint.size;
                let size = signed.checkpoint.size;
                let text = text!(
                    ("the checkpoint of {size} entries is sealed"),
                    ("含 {size} 条的检查点已加盖印章")
                );
                audit.add(Finding::passed(text));
                audit.checkpoint = Some(signed.checkpoint);
            }
            Err(error) => {
                let text = text!(("{error}"), ("检查点不可接受：{error}"));
                audit.add(Finding::failed(SubIndication::SigCryptoFailure, text));
            }
        }
        let verifier = EvidenceVerifier::new(by);
        for receipt in held {
            audit.add_held(&receipt, &verifier);
        }
        Ok(audit)
    }

    fn check_seal(&mut self, seal: &Certificate, above: &[Certificate]) {
        match self.by.path(seal, above) {
            Ok(()) => {
                let agency = &self.report.agency;
                let text = text!(("the seal of {agency} is valid"), ("{agency} 的印章有效"));
                self.add(Finding::passed(text));
            }
            Err(error) => {
                let why = judge_path(&error);
                self.add(Finding::open(why, Text::new(error.sentence, error.zh)));
            }
        }
        self.keys.extend(LogKey::of_seal(seal));
    }

    /// Takes in the chain of a seal that the ledger had before. All that it sealed lies under the newest
    /// checkpoint, so that it may have expired since.
    pub fn add_old_seal(&mut self, chain: &[Certificate]) {
        let Some((seal, above)) = chain.split_first() else { return };
        let then = Validation { at: self.by.at.min(seal.not_after()), ..*self.by };
        let own = seal.agency_name().is_ok_and(|name| name == self.report.agency);
        match then.path(seal, above) {
            Ok(()) if own => self.keys.extend(LogKey::of_seal(seal)),
            Ok(()) => {
                let subject = seal.subject();
                let text = text!(
                    ("an older seal is that of {subject:?}, not of this agency"),
                    ("旧印章属于“{subject}”，不属于本机关")
                );
                self.fail(SubIndication::LedgerAltered, text);
            }
            Err(error) => {
                let why = judge_path(&error);
                self.add(Finding::open(why, Text::new(error.sentence, error.zh)));
            }
        }
    }

    /// The keys that checkpoints of the history are to be opened with; see [`KeptCheckpoint::open`].
    ///
    /// [`KeptCheckpoint::open`]: crate::KeptCheckpoint::open
    pub fn keys(&self) -> Vec<LogKey> {
        self.keys.clone()
    }

    /// Whether more of the history is needed before entries up to `size` go in.
    pub fn wants_history(&self, size: u64) -> bool {
        self.history_through < size
    }

    /// Takes in the next checkpoint of the history, in the order of sizes.
    pub fn push_history(&mut self, opened: Result<Checkpoint, ProtocolError>) {
        match opened {
            Ok(checkpoint) if checkpoint.size > self.history_through => {
                self.history_through = checkpoint.size;
                self.history.push_back(checkpoint);
            }
            Ok(checkpoint) => {
                let size = checkpoint.size;
                let text = text!(
                    ("the checkpoint of {size} entries stands at the wrong place of the history"),
                    ("{size} 条的检查点在历史中位置有误")
                );
                self.fail(SubIndication::LedgerAltered, text);
            }
            Err(error) => {
                let after = self.history_through;
                let text = text!(
                    ("the checkpoint after that of {after} entries does not hold: {error}"),
                    ("{after} 条之后的检查点不成立：{error}")
                );
                self.fail(SubIndication::SigCryptoFailure, text);
            }
        }
    }

    /// Takes in a witness's cosignature of a checkpoint of this ledger, with the witness's statement.
    pub fn add_cosignature(&mut self, note: &str, line: &str, statement: &[u8]) {
        let judge = || {
            let mut signed = Err(ProtocolError::Checkpoint("the ledger has no key".into()));
            for key in &self.keys {
                signed = SignedCheckpoint::open(note, key);
                if signed.is_ok() {
                    break;
                }
            }
            let signed = signed?.with_line(line)?;
            let (witness, key) = WitnessStatement::open(statement, self.by.trust, self.by.at)?;
            match key.cosigned(&signed)? {
                Some(_) => Ok((witness, signed.checkpoint)),
                None => Err(ProtocolError::Checkpoint(format!("{witness} has not cosigned it"))),
            }
        };
        match judge() {
            Ok((witness, checkpoint)) => {
                self.cosigned.entry(checkpoint.size).or_default().push((witness, checkpoint));
            }
            // A witness whose certificate cannot be believed (any more) says nothing, for or against.
            Err(ProtocolError::Seal(SealError::Path(path))) => {
                let text =
                    text!(("a witness is not believed: {path}"), ("见证人不可信：{}", path.zh));
                self.add(Finding::open(judge_path(&path), text));
            }
            Err(error) => {
                let text = text!(
                    ("a witness's cosignature does not hold: {error}"),
                    ("见证签名不成立：{error}")
                );
                self.fail(SubIndication::SigCryptoFailure, text);
            }
        }
    }

    /// Takes in that a file is there which nothing in the ledger explains.
    pub fn unexplained(&mut self, what: &str) {
        let text =
            text!(("nothing in the ledger explains {what}"), ("账本中没有任何内容说明 {what}"));
        self.fail(SubIndication::LedgerAltered, text);
    }

    /// Takes in that a file of the ledger ends in the middle of something.
    pub fn cut_off(&mut self, file: &str) {
        let text = text!(("{file} is cut off"), ("{file} 不完整，末尾被截断"));
        self.fail(SubIndication::LedgerGap, text);
    }

    /// Takes in that a ledger of another agency was forked, as this one has proved.
    pub fn found_fork(&mut self, agency: &AgencyName, size: u64) {
        let text = text!(
            ("it holds the proof that the ledger of {agency} was forked before entry {size}"),
            ("其中存有 {agency} 的账本在第 {size} 条之前分叉的证明")
        );
        self.add(Finding::passed(text));
    }

    /// The entries read so far.
    pub fn entries(&self) -> u64 {
        self.range.size()
    }

    fn add(&mut self, finding: Finding) {
        if finding.indication > self.report.indication {
            self.report.indication = finding.indication;
            self.report.sub_indication = finding.sub_indication;
        }
        if self.report.findings.len() < MAX_FINDINGS {
            self.report.findings.push(finding);
        } else {
            self.report.more_findings += 1;
        }
    }

    fn fail(&mut self, why: SubIndication, text: Text) {
        self.add(Finding::failed(why, text));
    }

    fn add_held(&mut self, held: &HeldReceipt, verifier: &EvidenceVerifier<'_>) {
        if held.evidence.agency != self.report.agency {
            return;
        }
        match verifier.verify(&held.evidence) {
            Ok(receipt) => self.claim(&held.holder, &held.evidence, &receipt),
            // Somebody's broken paper says nothing against this ledger.
            Err(error) => {
                let finding = judge_evidence(&error, held.evidence.agency.as_str());
                self.add(Finding { indication: Indication::Indeterminate, ..finding });
            }
        }
    }

    fn claim(&mut self, holder: &str, evidence: &Evidence, receipt: &VerifiedReceipt) {
        let checkpoint = receipt.checkpoint.checkpoint.clone();
        let leaf_hash = merkle::leaf_hash(&evidence.receipt.leaf);
        self.wanted.entry(receipt.index).or_default().push(leaf_hash);
        self.claims.entry(checkpoint.size).or_default().push(Claim {
            holder: holder.to_owned(),
            index: receipt.index,
            leaf_hash,
            checkpoint,
        });
        self.report.held_receipts += 1;
    }

    /// Takes in the next entry.
    pub fn push_leaf(&mut self, bytes: &[u8]) {
        let index = self.range.size();
        let hash = merkle::leaf_hash(bytes);
        self.range.push(hash);
        self.report.entries += 1;
        for claimed in self.wanted.remove(&index).unwrap_or_default() {
            if claimed != hash {
                self.fail(
                    SubIndication::LedgerForked,
                    text!(
                        ("entry {index} is not the one that a receipt was given for"),
                        ("第 {index} 条不是已出具回执的那一条")
                    ),
                );
            }
        }
        match Leaf::decode(bytes) {
            Ok(leaf) => self.follow(index, leaf),
            Err(error) => {
                self.fail(
                    SubIndication::FormatFailure,
                    text!(
                        ("entry {index} cannot be read: {error}"),
                        ("第 {index} 条无法读取：{error}")
                    ),
                );
            }
        }
        let size = self.range.size();
        if self.history.front().is_some_and(|next| next.size == size)
            && let Some(kept) = self.history.pop_front()
        {
            self.report.checkpoints += 1;
            if kept.root != self.range.root() {
                let text = text!(
                    ("at {size} entries the root is not that of the checkpoint sealed then"),
                    ("{size} 条时的根摘要与当时封存的检查点不符")
                );
                self.fail(SubIndication::LedgerAltered, text);
            }
        }
        for (witness, checkpoint) in self.cosigned.remove(&size).unwrap_or_default() {
            if checkpoint.root == self.range.root() {
                self.report.witnesses.push(witness);
            } else {
                let text = text!(
                    ("at {size} entries the root is not the one that {witness} cosigned"),
                    ("{size} 条时的根摘要不是 {witness} 见证签名的那个")
                );
                self.fail(SubIndication::LedgerForked, text);
            }
        }
        let Some(claims) = self.claims.remove(&size) else { return };
        let root = self.range.root();
        for claim in claims {
            if claim.checkpoint.root != root {
                self.fail(
                    SubIndication::LedgerForked,
                    text!(
                        (
                            "at {} entries the root is {root}, but {} holds a sealed checkpoint with \
                             {}",
                            claim.checkpoint.size, claim.holder, claim.checkpoint.root
                        ),
                        (
                            "{} 条时的根摘要为 {root}，但 {} 持有根摘要为 {} 的已盖章检查点",
                            claim.checkpoint.size, claim.holder, claim.checkpoint.root
                        )
                    ),
                );
            }
        }
    }

    /// Whether the entry can follow what stands before it.
    fn follow(&mut self, index: u64, leaf: Leaf) {
        let envelope = leaf.envelope;
        // What is not known may be what brought it here.
        let unclear = self.unclear.contains(&envelope);
        match leaf.event {
            Event::SubmissionAcceptance => {
                self.submitted.insert(envelope);
            }
            Event::SubmissionRejection => {
                if *envelope.digest() != leaf.commitment {
                    self.fail(
                        SubIndication::LedgerAltered,
                        text!(
                            ("entry {index} refuses a submission and names an envelope"),
                            ("第 {index} 条不予受理，却指明了信封")
                        ),
                    );
                }
            }
            Event::ContentConsignment => {
                if !self.consigned.insert(envelope) {
                    self.fail(
                        SubIndication::LedgerAltered,
                        text!(
                            ("entry {index} takes in envelope {envelope} a second time"),
                            ("第 {index} 条重复接收信封 {envelope}")
                        ),
                    );
                }
            }
            Event::RelayAcceptance => {
                if self.relayed.insert(envelope, leaf.counterpart.clone()).is_some() {
                    self.fail(
                        SubIndication::LedgerAltered,
                        text!(
                            ("entry {index} takes in {envelope} for relaying a second time"),
                            ("第 {index} 条重复接收待转信封 {envelope}")
                        ),
                    );
                }
            }
            Event::EvidenceReceived
            | Event::RelayEvidenceReceived
            | Event::RelayRejection
            | Event::RelayFailure => {
                let here = self.submitted.contains(&envelope);
                if !here && !self.relayed.contains_key(&envelope) && !unclear {
                    self.fail(
                        SubIndication::LedgerGap,
                        text!(
                            ("entry {index} ends the delivery of {envelope}, never submitted"),
                            ("第 {index} 条结束了从未提交的信封 {envelope} 的投递")
                        ),
                    );
                }
            }
            Event::ContentHandover | Event::WithdrawalAcceptance | Event::WithdrawalRejection => {
                if !self.consigned.contains(&envelope) && !unclear {
                    let event = leaf.event.name();
                    self.fail(
                        SubIndication::LedgerGap,
                        text!(
                            ("entry {index} records {event} of {envelope}, which never came in"),
                            ("第 {index} 条就从未收到的信封 {envelope} 记录了 {event}")
                        ),
                    );
                }
            }
            Event::ContentPurged => {
                let here = [&self.consigned, &self.submitted].iter().any(|s| s.contains(&envelope));
                if !here && !self.relayed.contains_key(&envelope) && !unclear {
                    self.fail(
                        SubIndication::LedgerGap,
                        text!(
                            ("entry {index} purges {envelope}, which was never here"),
                            ("第 {index} 条清除了从未存在的信封 {envelope}")
                        ),
                    );
                }
                match leaf.evidence {
                    Some(digest) => self.orders.entry(digest).or_default().push((index, leaf)),
                    None => {
                        let text =
                            text!(("entry {index} names no order"), ("第 {index} 条未指明清除令"));
                        self.fail(SubIndication::LedgerGap, text);
                    }
                }
                return;
            }
            Event::Unknown(name) => {
                let name = name.as_str();
                self.unknown.extend(leaf.evidence);
                self.unclear.insert(envelope);
                let text = text!(
                    ("entry {index} is of the event {name:?}, which is unknown here: a newer version may know it"),
                    ("第 {index} 条的事件“{name}”在本版本中未知，较新版本可能可以识别")
                );
                self.add(Finding::passed(text));
            }
        }
        if matches!(leaf.event, Event::EvidenceReceived | Event::RelayEvidenceReceived) {
            match leaf.evidence {
                Some(digest) => {
                    self.expected.insert(digest, (index, leaf));
                }
                None => {
                    let text =
                        text!(("entry {index} names no evidence"), ("第 {index} 条未指明证据"));
                    self.fail(SubIndication::LedgerGap, text);
                }
            }
        }
    }

    /// Says that an entry does not have the hash that stands for it in its tile.
    pub fn wrong_entry(&mut self, index: u64) {
        let text = text!(
            ("entry {index} does not have the hash in its tile"),
            ("第 {index} 条的摘要与其树块中的不符")
        );
        self.fail(SubIndication::LedgerAltered, text);
    }

    /// Says that a stored tile is not the one that the entries give.
    pub fn wrong_tile(&mut self, path: &str) {
        let text = text!(("{path} does not fit the entries"), ("{path} 与条目不符"));
        self.fail(SubIndication::LedgerAltered, text);
    }

    /// Takes in an evidence file of this ledger.
    pub fn push_evidence(&mut self, checked: CheckedEvidence) {
        let name = checked.name;
        let (evidence, digest, verified) = match checked.read {
            Ok(read) => read,
            Err(error) => {
                let sentence = text!(
                    ("the evidence {name:?} cannot be read: {error}"),
                    ("证据“{name}”无法读取：{error}")
                );
                return self.fail(SubIndication::FormatFailure, sentence);
            }
        };
        let Some((index, leaf)) = self.expected.remove(&digest) else {
            if self.unknown.contains(&digest) {
                // It is what it is; what the entry says of it is not known here.
                self.report.evidence += 1;
                if let Err(error) = verified {
                    self.add(judge_evidence(&error, evidence.agency.as_str()));
                }
                return;
            }
            let sentence =
                text!(("no entry speaks of the evidence {name:?}"), ("没有条目提到证据“{name}”"));
            return self.fail(SubIndication::LedgerAltered, sentence);
        };
        self.report.evidence += 1;
        match verified {
            Err(error) => self.add(judge_evidence(&error, evidence.agency.as_str())),
            Ok(receipt) => {
                let theirs = &receipt.leaf;
                // What was carried on for another is receipted to that other.
                let sender = self.relayed.get(&leaf.envelope);
                let fits = evidence.agency == leaf.counterpart
                    && theirs.envelope == leaf.envelope
                    && theirs.commitment == leaf.commitment
                    && (theirs.counterpart == self.report.agency
                        || sender == Some(&theirs.counterpart));
                if !fits {
                    self.fail(
                        SubIndication::EvidenceFailure,
                        text!(
                            ("entry {index} rests on evidence of something else"),
                            ("第 {index} 条所依据的证据属于别的内容")
                        ),
                    );
                }
            }
        }
    }

    /// Takes in an order to remove content, after the entries that follow it. Its path is validated at the
    /// time of those entries: what an officer was entitled to then stays done.
    pub fn push_order(&mut self, name: &str, bytes: &[u8]) {
        let digest = Digest::of(bytes);
        let Some(entries) = self.orders.remove(&digest) else {
            if self.unknown.contains(&digest) {
                return;
            }
            let text =
                text!(("no entry follows the order {name:?}"), ("没有条目依据清除令“{name}”"));
            return self.fail(SubIndication::LedgerAltered, text);
        };
        for (index, leaf) in entries {
            match PurgeOrder::open(bytes, self.by.trust, leaf.time.min(self.by.at)) {
                Ok(opened)
                    if opened.order.agency == self.report.agency
                        && opened.order.envelopes.contains(&leaf.envelope) =>
                {
                    self.report.purged += 1;
                    let (officer, envelope) = (opened.officer, leaf.envelope);
                    let at = rfc3339(leaf.time);
                    let text = text!(
                        ("the content of {envelope} was removed at {at} by order of {officer}"),
                        ("信封 {envelope} 的内容于 {at} 依 {officer} 的命令清除")
                    );
                    self.add(Finding::passed(text));
                }
                Ok(_) => {
                    let text = text!(
                        ("entry {index} follows an order that does not speak of its envelope"),
                        ("第 {index} 条所依据的清除令未提及其信封")
                    );
                    self.fail(SubIndication::EvidenceFailure, text);
                }
                Err(ProtocolError::Seal(SealError::Path(path))) => {
                    let text = text!(
                        ("the order that entry {index} follows: {path}"),
                        ("第 {index} 条所依据的清除令：{}", path.zh)
                    );
                    self.add(Finding::open(judge_path(&path), text));
                }
                Err(error) => {
                    let text = text!(
                        ("the order that entry {index} follows does not hold: {error}"),
                        ("第 {index} 条所依据的清除令不成立：{error}")
                    );
                    self.fail(SubIndication::EvidenceFailure, text);
                }
            }
        }
    }

    /// Takes in that a content was read and is the one that its envelope seals.
    pub fn content_holds(&mut self) {
        self.report.contents += 1;
    }

    /// Takes in that something of the node's store contradicts the ledger.
    pub fn contradicted(&mut self, en: String, zh: String) {
        self.fail(SubIndication::LedgerAltered, Text::new(en, zh));
    }

    /// Takes in that something that the ledger speaks of is not in the node's store.
    pub fn missing(&mut self, en: String, zh: String) {
        self.fail(SubIndication::LedgerGap, Text::new(en, zh));
    }

    /// Takes in that something is there which may or may not have its reason.
    pub fn unclear(&mut self, en: String, zh: String) {
        self.add(Finding::open(SubIndication::LedgerGap, Text::new(en, zh)));
    }

    /// Judges what is left over and gives the report.
    pub fn finish(mut self) -> AuditReport {
        let (read, root) = (self.range.size(), self.range.root());
        if let Some(checkpoint) = self.checkpoint.take() {
            if read != checkpoint.size {
                self.fail(
                    SubIndication::LedgerAltered,
                    text!(
                        ("the checkpoint seals {} entries, {read} are there", checkpoint.size),
                        ("检查点封存了 {} 条，实有 {read} 条", checkpoint.size)
                    ),
                );
            } else if root != checkpoint.root {
                self.fail(
                    SubIndication::LedgerAltered,
                    text!(
                        ("the entries give the root {root}, sealed was {}", checkpoint.root),
                        ("条目算得根摘要 {root}，封存的是 {}", checkpoint.root)
                    ),
                );
            } else {
                let text = text!(
                    ("all {read} entries give the sealed root"),
                    ("全部 {read} 条与封存的根摘要一致")
                );
                self.add(Finding::passed(text));
            }
        }
        for (witness, checkpoint) in std::mem::take(&mut self.cosigned).into_values().flatten() {
            let size = checkpoint.size;
            self.fail(
                SubIndication::LedgerRolledBack,
                text!(
                    ("the ledger has {read} entries, but {witness} has cosigned {size}"),
                    ("账本有 {read} 条，但 {witness} 已见证签名 {size} 条")
                ),
            );
        }
        if self.history_through < self.report.size {
            let (through, size) = (self.history_through, self.report.size);
            self.fail(
                SubIndication::LedgerGap,
                text!(
                    ("the history of checkpoints ends at {through} entries, sealed are {size}"),
                    ("检查点历史止于 {through} 条，已封存 {size} 条")
                ),
            );
        }
        if let Some(ahead) = self.history.back() {
            let size = ahead.size;
            self.fail(
                SubIndication::LedgerRolledBack,
                text!(
                    ("the ledger has {read} entries, but its history seals {size}"),
                    ("账本有 {read} 条，但其历史封存了 {size} 条")
                ),
            );
        }
        self.report.witnesses.sort();
        for claim in std::mem::take(&mut self.claims).into_values().flatten() {
            self.fail(
                SubIndication::LedgerRolledBack,
                text!(
                    (
                        "the ledger has {read} entries, but {} holds its sealed receipt for entry {} \
                         (leaf hash {}) in a ledger of {}",
                        claim.holder, claim.index, claim.leaf_hash, claim.checkpoint.size
                    ),
                    (
                        "账本有 {read} 条，但 {} 持有其第 {} 条（叶摘要 {}）的已盖章回执，当时账本有 {} 条",
                        claim.holder, claim.index, claim.leaf_hash, claim.checkpoint.size
                    )
                ),
            );
        }
        let mut missing: Vec<_> = self.expected.drain().map(|(_, (index, _))| index).collect();
        missing.sort_unstable();
        let mut unseen: Vec<_> = self.orders.drain().flat_map(|(_, entries)| entries).collect();
        unseen.sort_unstable_by_key(|(index, _)| *index);
        for (index, _) in unseen {
            self.fail(
                SubIndication::LedgerGap,
                text!(
                    ("the order that entry {index} follows is not there"),
                    ("第 {index} 条所依据的清除令不在")
                ),
            );
        }
        for index in missing {
            self.fail(
                SubIndication::LedgerGap,
                text!(
                    ("the evidence that entry {index} speaks of is not there"),
                    ("第 {index} 条所指的证据不在")
                ),
            );
        }
        self.report
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        EnvelopeId,
        document::tests::{NOW, World, world},
    };

    /// Audits a ledger of these entries, sealed by the world's seal.
    fn audit(world: &World, leaves: &[Leaf]) -> AuditReport {
        let entries: Vec<_> = leaves.iter().map(|leaf| leaf.encode().expect("plain")).collect();
        audit_bytes(world, &entries)
    }

    fn audit_bytes(world: &World, entries: &[Vec<u8>]) -> AuditReport {
        let mut range = merkle::CompactRange::default();
        entries.iter().for_each(|entry| range.push(merkle::leaf_hash(entry)));
        let origin = Checkpoint::origin_of(world.seal.name().agency());
        let checkpoint = Checkpoint { origin, size: range.size(), root: range.root() };
        let note = checkpoint.sign(&world.seal).expect("signs");
        let by = Validation::new(&world.trust, NOW);
        let audit = LedgerAudit::begin(world.seal.chain(), &note, Vec::new(), &by);
        let mut audit = audit.expect("begins");
        audit.push_history(Ok(checkpoint));
        entries.iter().for_each(|entry| audit.push_leaf(entry));
        audit.finish()
    }

    #[test]
    fn events_and_fields_of_a_newer_version_are_shown_and_the_audit_goes_on() {
        #[derive(serde::Serialize)]
        struct Newer {
            #[serde(flatten)]
            leaf: Leaf,
            weather: u8,
        }
        let world = world();
        let leaf = |event: &str, n: u8| Leaf {
            time: NOW,
            event: Event::of(event).expect("a name"),
            envelope: EnvelopeId::from_slice(&[n; 32]).expect("32 bytes"),
            evidence: None,
            commitment: Digest::of(&[n]),
            counterpart: "b.gov.cn".parse().expect("a name"),
        };
        let arrived = leaf("ContentConsignmentUnopened", 1);
        let report = audit(&world, &[arrived.clone(), leaf("ContentHandover", 1)]);
        assert_eq!(report.indication, Indication::TotalPassed, "{:?}", report.findings);
        let shown = |report: &AuditReport| {
            let mut sentences = report.findings.iter().map(|finding| &finding.sentence);
            sentences.any(|sentence| sentence.contains("\"ContentConsignmentUnopened\""))
        };
        assert!(shown(&report), "{:?}", report.findings);
        // It stands in for nothing that it is not about.
        let report = audit(&world, &[arrived.clone(), leaf("ContentHandover", 2)]);
        assert_eq!(report.indication, Indication::TotalFailed);
        // The bytes count, not what is read of them.
        let newer = Newer { leaf: leaf("ContentConsignment", 3), weather: 1 };
        let newer = chancery_crypto::cbor::encode(&newer).expect("plain");
        let report = audit_bytes(&world, &[arrived.encode().expect("plain"), newer]);
        assert_eq!((report.indication, report.entries), (Indication::TotalPassed, 2));
    }

    /// Nothing was made of what was refused, so its entry can name no envelope.
    #[test]
    fn a_refused_submission_names_no_envelope() {
        let world = world();
        let commitment = Digest::of(b"salt and document");
        let leaf = |envelope: &Digest| Leaf {
            event: Event::SubmissionRejection,
            envelope: EnvelopeId::from_slice(envelope.as_bytes()).expect("a digest"),
            commitment,
            counterpart: world.seal.name().agency().clone(),
            time: NOW,
            evidence: None,
        };
        let good = audit(&world, &[leaf(&commitment)]);
        assert_eq!(good.indication, Indication::TotalPassed, "{good:?}");
        let bad = audit(&world, &[leaf(&commitment), leaf(&Digest::of(b"an envelope"))]);
        assert_eq!(bad.indication, Indication::TotalFailed, "{bad:?}");
        let said = bad.findings.iter().any(|f| {
            f.sub_indication == Some(SubIndication::LedgerAltered)
                && f.sentence == "entry 1 refuses a submission and names an envelope"
        });
        assert!(said, "{bad:?}");
    }
}
