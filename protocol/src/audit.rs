//! The audit of one ledger: its own checkpoint, every entry, the evidence it received, and the
//! receipts that others hold against it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use chancery_certs::{AgencyName, Certificate, PathError, PathReason, Purpose, SealError, rfc3339};
use chancery_crypto::Digest;
use serde::Serialize;

use crate::{
    Awaited, Checkpoint, EnvelopeId, Event, Evidence, EvidenceVerifier, Finding, ForkProof,
    Indication, Leaf, LogKey, ProtocolError, PurgeOrder, SealedNote, SeenCheckpoint,
    SignedCheckpoint, SubIndication, Validation, VerifiedReceipt, WitnessKey, WitnessStatement,
    merkle,
    time_proof::{TimeProof, TimesFound, WITNESSES_NEEDED},
    verdict::{Text, judge_evidence, judge_path, text},
};

/// The most findings that are kept; beyond, they are only counted.
const MAX_FINDINGS: usize = 1000;

/// What somebody else holds of a ledger that is audited.
#[derive(Debug, Clone)]
pub struct Held {
    /// Who holds it, for the report.
    pub holder: String,
    /// What they hold.
    pub what: HeldItem,
}

/// Something that a ledger has sealed, in the hands of somebody else.
#[derive(Debug, Clone)]
pub enum HeldItem {
    /// A receipt.
    Receipt(Evidence),
    /// A checkpoint of an agency's ledger that was seen.
    Checkpoint(AgencyName, SealedNote),
    /// The checkpoint of another copy of an agency's ledger. It may have been made earlier or later.
    Copy(AgencyName, SealedNote),
    /// The proof that an agency's ledger was forked, and what it is called.
    Fork(String, Box<ForkProof>),
    /// A file that cannot be read as either, and why.
    Unreadable(String, String),
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
    /// Checkpoints that others have seen and that were verified against the entries.
    pub held_checkpoints: u64,
    /// Checkpoints of the ledger's history that were verified.
    pub checkpoints: u64,
    /// Envelopes whose content was removed by a valid order.
    pub purged: u64,
    /// Contents that were read and have the root that their envelope seals.
    pub contents: u64,
    /// Checkpoints of other ledgers that this agency has seen, and that were verified.
    pub seen: u64,
    /// Witnesses whose cosignatures were verified.
    pub witnesses: Vec<AgencyName>,
    /// Cosignatures of its history, by those of them that count, that say when it was how large.
    pub cosignatures: u64,
    /// Whether revocation of certificates was looked at.
    pub revocation_checked: bool,
    /// What is to be said, worst and first come first served up to a limit.
    pub findings: Vec<Finding>,
    /// Findings beyond that limit.
    pub more_findings: u64,
}

/// What a verified receipt or checkpoint, held by somebody, says the ledger once was.
struct Claim {
    holder: String,
    /// The entry, when it is a receipt.
    entry: Option<(u64, Digest)>,
    checkpoint: Checkpoint,
}

/// Something that a ledger must not say twice of the same envelope and agency.
#[derive(PartialEq, Eq, Hash)]
enum Once {
    /// That it was taken in, or handed over, or acted on.
    Event(Event),
    /// How its delivery ended.
    End,
}

/// A checkpoint that somebody cosigned.
struct Cosigned {
    witness: AgencyName,
    checkpoint: Checkpoint,
    /// Nobody is the witness of its own ledger, and none is so under two names.
    counts: bool,
}

/// A cosignature of the history, and what is kept beside its line.
struct PastLine {
    witness: AgencyName,
    time: i64,
    line: String,
    statement: Digest,
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
    /// Each signature line of the checkpoint that is not the ledger's own.
    lines: Vec<(String, SignedCheckpoint)>,
    /// The keys of witnesses that are believed.
    witness_keys: Vec<(AgencyName, WitnessKey)>,
    /// Verified checkpoints of the history that lie ahead, and the size of the last that was taken in.
    history: VecDeque<Checkpoint>,
    history_through: u64,
    /// Notes that somebody cosigned, by size.
    cosigned: BTreeMap<u64, Vec<Cosigned>>,
    /// Statements of witnesses' keys that hold, by digest.
    statements: HashMap<Digest, (AgencyName, WitnessKey)>,
    /// Cosignatures of the history that lie ahead, by size.
    kept: BTreeMap<u64, Vec<PastLine>>,
    /// Statements of witnesses that are not believed.
    disbelieved: HashSet<Digest>,
    /// The times of the entries, and what the witnesses say of them.
    times: TimesFound,
    proof: TimeProof,
    report: AuditReport,
    checkpoint: Option<Checkpoint>,
    range: merkle::CompactRange,
    /// Claims by the size of tree that they speak of.
    claims: BTreeMap<u64, Vec<Claim>>,
    /// Leaf hashes that claims want to see, by index.
    wanted: HashMap<u64, Vec<Digest>>,
    /// What was submitted, and to whom.
    submitted: HashSet<EnvelopeId>,
    sent: HashMap<(EnvelopeId, AgencyName), Option<Digest>>,
    consigned: HashSet<EnvelopeId>,
    /// Envelopes that were taken in to be carried on, and who sent them.
    relayed: HashMap<EnvelopeId, AgencyName>,
    /// The commitment that the entries of an envelope have.
    commitments: HashMap<EnvelopeId, Digest>,
    /// What may be said once only, and where it was.
    said: HashMap<(EnvelopeId, AgencyName, Once), u64>,
    /// Evidence that entries speak of and that has not been seen yet, with those entries.
    expected: HashMap<Digest, Vec<(u64, Leaf)>>,
    /// Evidence that was seen.
    seen: HashSet<Digest>,
    /// Orders that entries follow and that have not been seen yet, with those entries.
    orders: HashMap<Digest, Vec<(u64, Leaf)>>,
    /// What entries of unknown events speak of, and the envelopes that they are about.
    unknown: HashSet<Digest>,
    unclear: HashSet<EnvelopeId>,
    /// Orders that were seen.
    seen_orders: HashSet<Digest>,
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
        held: Vec<Held>,
        by: &'a Validation<'a>,
    ) -> Result<Self, ProtocolError> {
        let (seal, above) = chain
            .split_first()
            .ok_or_else(|| ProtocolError::Checkpoint("the ledger has no seal chain".into()))?;
        let agency = seal.agency_name()?;
        let mut audit = Self {
            statements: HashMap::new(),
            kept: BTreeMap::new(),
            disbelieved: HashSet::new(),
            times: TimesFound::new(by.at),
            proof: TimeProof::new(agency.clone(), None),
            by,
            keys: Vec::new(),
            lines: Vec::new(),
            witness_keys: Vec::new(),
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
                held_checkpoints: 0,
                checkpoints: 0,
                purged: 0,
                contents: 0,
                seen: 0,
                witnesses: Vec::new(),
                cosignatures: 0,
                revocation_checked: by.checks_revocation(),
                findings: Vec::new(),
                more_findings: 0,
            },
            checkpoint: None,
            range: merkle::CompactRange::default(),
            claims: BTreeMap::new(),
            wanted: HashMap::new(),
            submitted: HashSet::new(),
            sent: HashMap::new(),
            consigned: HashSet::new(),
            relayed: HashMap::new(),
            commitments: HashMap::new(),
            said: HashMap::new(),
            expected: HashMap::new(),
            seen: HashSet::new(),
            orders: HashMap::new(),
            unknown: HashSet::new(),
            unclear: HashSet::new(),
            seen_orders: HashSet::new(),
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
                audit.lines = signed.others();
                audit.checkpoint = Some(signed.checkpoint);
            }
            Err(error) => {
                let text = text!(("{error}"), ("检查点不可接受：{error}"));
                audit.add(Finding::failed(SubIndication::SigCryptoFailure, text));
            }
        }
        let verifier = EvidenceVerifier::new(by);
        for held in held {
            audit.add_held(&held, &verifier);
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
        self.times.not_before(seal.not_before());
    }

    /// Has only these agencies count as witnesses of when the ledger was how large: those that the directory names for it.
    pub fn only_witnesses(&mut self, named: BTreeSet<AgencyName>) {
        self.proof = TimeProof::new(self.report.agency.clone(), Some(named));
    }

    /// Takes in the chain of a seal that the ledger had before. All that it sealed lies under the newest
    /// checkpoint, so that it may have expired since.
    pub fn add_old_seal(&mut self, chain: &[Certificate]) {
        let Some((seal, above)) = chain.split_first() else { return };
        let then = self.by.scrutiny().as_of(seal.not_after());
        let own = seal.agency_name().is_ok_and(|name| name == self.report.agency);
        if own {
            self.times.not_before(seal.not_before());
        }
        match then.check(seal, above, Purpose::Sign).map(drop) {
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
                // What it has sealed is what it has sealed, as with the seal in use: whether it is believed is what stays
                // open, and no signature is wrong for that.
                if own {
                    self.keys.extend(LogKey::of_seal(seal));
                }
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
            let (witness, key) = WitnessStatement::open(statement, &self.by.scrutiny())?;
            match key.cosigned(&signed)? {
                Some(time) => Ok((witness, key, time, signed.checkpoint)),
                None => Err(ProtocolError::Checkpoint(format!("{witness} has not cosigned it"))),
            }
        };
        match judge() {
            Ok((witness, ..)) if witness == self.report.agency => {
                let text = text!(
                    ("{witness} cosigned its own ledger; that is no witness"),
                    ("{witness} 为自己的账本作了见证签名，不算见证")
                );
                self.add(Finding::open(SubIndication::EvidenceFailure, text));
            }
            Ok((witness, key, time, checkpoint)) => {
                let counts = self.proof.add(&witness, &key, checkpoint.size, time);
                self.times.cut(checkpoint.size);
                self.witness_keys.push((witness.clone(), key));
                let cosigned = Cosigned { witness, checkpoint, counts };
                self.cosigned.entry(cosigned.checkpoint.size).or_default().push(cosigned);
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

    /// Takes in a witness's statement of its key, by which it has cosigned the history. Cosignatures are older than the audit,
    /// and so may the witness's certificate be: it is asked for when it was the witness's.
    pub fn add_statement(&mut self, statement: &[u8], cosigned: i64) {
        let mut opened = WitnessStatement::open(statement, &self.by.scrutiny());
        if matches!(opened, Err(ProtocolError::Seal(SealError::Path(_)))) {
            opened = WitnessStatement::open(statement, &self.by.scrutiny().as_of(cosigned));
        }
        match opened {
            Ok(known) => {
                self.statements.insert(Digest::of(statement), known);
            }
            Err(error) => {
                self.disbelieved.insert(Digest::of(statement));
                let text = text!(
                    ("a witness of the history is not believed: {error}"),
                    ("历史见证人不可信：{error}")
                );
                self.add(Finding::passed(text));
            }
        }
    }

    /// Takes in a cosignature of the history, before the entries up to its size: the line, what it says, and the digest of the
    /// witness's statement. Those of witnesses that are not believed say nothing.
    pub fn add_kept_cosignature(
        &mut self,
        (size, time): (u64, i64),
        witness: AgencyName,
        line: String,
        statement: Digest,
    ) {
        if self.statements.contains_key(&statement) {
            self.times.cut(size);
            let past = PastLine { witness, time, line, statement };
            self.kept.entry(size).or_default().push(past);
        } else if !self.disbelieved.contains(&statement) {
            let text = text!(
                ("the statement by which {witness} has cosigned {size} entries is not there"),
                ("{witness} 见证签名 {size} 条所依据的声明不在")
            );
            self.fail(SubIndication::LedgerGap, text);
        }
    }

    /// Verifies the cosignatures of the history at the size that the tree has now.
    fn check_kept(&mut self, size: u64) {
        let Some(kept) = self.kept.remove(&size) else { return };
        let origin = Checkpoint::origin_of(&self.report.agency);
        let checkpoint = Checkpoint { origin, size, root: self.range.root() };
        for past in kept {
            let Some((witness, key)) = self.statements.get(&past.statement) else { continue };
            let cosigned = key.cosigned_line(&checkpoint, &past.line).and_then(|time| {
                match time == past.time && *witness == past.witness {
                    true => Ok(time),
                    false => Err(ProtocolError::Checkpoint("it says something else".into())),
                }
            });
            match cosigned {
                Ok(time) => {
                    let counts = self.proof.add(witness, key, size, time);
                    self.report.cosignatures += u64::from(counts);
                }
                Err(error) => {
                    let text = text!(
                        ("at {size} entries the cosignature of {witness} does not hold: {error}"),
                        ("{size} 条时 {witness} 的见证签名不成立：{error}")
                    );
                    self.fail(SubIndication::SigCryptoFailure, text);
                }
            }
        }
    }

    /// Says which times are not those that the witnesses saw. That is no proof that anything was forged: a clock may have
    /// been wrong.
    fn judge_times(&mut self) {
        let owner = self.report.agency.clone();
        let proof = std::mem::replace(&mut self.proof, TimeProof::new(owner, None));
        let witnesses = proof.witnesses();
        if witnesses < WITNESSES_NEEDED && self.report.entries > 0 {
            let text = text!(
                ("not enough witnesses to prove times: {witnesses} have cosigned, of at least \
                     {WITNESSES_NEEDED}"),
                ("见证人不足，无法证明时间：已有 {witnesses} 个见证签名，至少需 {WITNESSES_NEEDED} 个")
            );
            self.add(Finding::passed(text));
        }
        let times = std::mem::replace(&mut self.times, TimesFound::new(self.by.at));
        for finding in times.judge(&proof.settle()) {
            self.add(finding);
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

    fn add_held(&mut self, held: &Held, verifier: &EvidenceVerifier<'_>) {
        let (agency, read) = match &held.what {
            HeldItem::Receipt(evidence) if evidence.agency == self.report.agency => {
                let read = verifier.verify(evidence).map(|receipt| {
                    let hash = merkle::leaf_hash(&evidence.receipt.leaf);
                    (Some((receipt.index, hash)), receipt.checkpoint.checkpoint)
                });
                (&evidence.agency, read)
            }
            HeldItem::Checkpoint(agency, note) if *agency == self.report.agency => {
                let read = note.open_then(agency, self.by);
                (agency, read.map(|signed| (None, signed.checkpoint)))
            }
            HeldItem::Copy(agency, note) if *agency == self.report.agency => {
                // What a copy lacks is found in its own audit.
                let Ok(signed) = note.open_then(agency, self.by) else { return };
                let (theirs, holder) = (signed.checkpoint.size, held.holder.clone());
                if self.checkpoint.as_ref().is_none_or(|own| own.size < theirs) {
                    let text = text!(
                        ("{holder} is a later copy of this ledger, of {theirs} entries"),
                        ("{holder} 是该账本较晚的副本，有 {theirs} 条")
                    );
                    return self.add(Finding::passed(text));
                }
                // Of an empty ledger there is nothing to tell.
                if theirs > 0 {
                    let claim = Claim { holder, entry: None, checkpoint: signed.checkpoint };
                    self.claims.entry(theirs).or_default().push(claim);
                }
                return;
            }
            HeldItem::Fork(name, proof) if proof.agency == self.report.agency => {
                let (holder, agency) = (&held.holder, &proof.agency);
                return match proof.verify(&self.by.scrutiny()) {
                    Ok((first, second)) => {
                        let (first, second) = (first.checkpoint.size, second.checkpoint.size);
                        let text = text!(
                            ("{name} of {holder} proves that this ledger was forked: its seal has signed two \
                                 histories, of {first} and of {second} entries, that exclude each other"),
                            ("{holder} 的 {name} 证明该账本已分叉：其印章签署了互相排斥的两段历史，分别为 {first} \
                                 条和 {second} 条")
                        );
                        self.fail(SubIndication::LedgerForked, text);
                    }
                    Err(error) => {
                        let finding = judge_evidence(&error, agency.as_str());
                        self.add(Finding { indication: Indication::Indeterminate, ..finding });
                    }
                };
            }
            HeldItem::Unreadable(name, why) => {
                let holder = &held.holder;
                let text = text!(
                    ("{name} of {holder} cannot be read: {why}"),
                    ("{holder} 的 {name} 无法读取：{why}")
                );
                return self.add(Finding::open(SubIndication::FormatFailure, text));
            }
            _ => return,
        };
        match read {
            Ok((entry, checkpoint)) => {
                if let Some((index, hash)) = entry {
                    self.wanted.entry(index).or_default().push(hash);
                }
                let claim = Claim { holder: held.holder.clone(), entry, checkpoint };
                self.claims.entry(claim.checkpoint.size).or_default().push(claim);
                match entry {
                    Some(_) => self.report.held_receipts += 1,
                    None => self.report.held_checkpoints += 1,
                }
            }
            // Somebody's broken paper says nothing against this ledger.
            Err(error) => {
                let finding = judge_evidence(&error, agency.as_str());
                self.add(Finding { indication: Indication::Indeterminate, ..finding });
            }
        }
    }

    /// Takes in a checkpoint of another ledger that this agency has seen, as a file of its export.
    pub fn push_seen(&mut self, name: &str, bytes: &[u8]) {
        let read = SeenCheckpoint::decode(bytes);
        let judged = read.and_then(|seen| seen.sealed.open_then(&seen.agency, self.by));
        match judged {
            Ok(_) => self.report.seen += 1,
            Err(ProtocolError::Path(path)) => self.disbelieved(name, &path),
            Err(error) => {
                let text = text!(("{name} does not hold: {error}"), ("{name} 不成立：{error}"));
                self.fail(SubIndication::SigCryptoFailure, text);
            }
        }
    }

    /// Takes in that a file rests on a seal whose path is not valid. One that was good once says nothing any more, for or
    /// against; what the rest is, is open.
    pub fn disbelieved(&mut self, name: &str, path: &PathError) {
        let text = text!(
            ("{name} is of a seal that is not believed: {path}"),
            ("{name} 的印章不可信：{}", path.zh)
        );
        self.add(match path.reason {
            PathReason::Expired
            | PathReason::NotYetValid
            | PathReason::Revoked
            | PathReason::RevocationUnknown => Finding::passed(text),
            _ => Finding::open(judge_path(path), text),
        });
    }

    /// Says something that is to be known and changes nothing.
    pub fn note(&mut self, en: String, zh: String) {
        self.add(Finding::passed(Text::new(en, zh)));
    }

    /// Takes in that a file of the ledger cannot be read as what it should be.
    pub fn unreadable(&mut self, name: &str, why: &str) {
        let text = text!(("{name} cannot be read: {why}"), ("{name} 无法读取：{why}"));
        self.fail(SubIndication::FormatFailure, text);
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
            Ok(leaf) => {
                self.times.entry(index, leaf.time);
                self.follow(index, leaf);
            }
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
        self.check_kept(size);
        for cosigned in self.cosigned.remove(&size).unwrap_or_default() {
            let Cosigned { witness, checkpoint, counts } = cosigned;
            if checkpoint.root == self.range.root() {
                self.report.witnesses.extend(counts.then_some(witness));
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

    /// That something is said once only of an envelope and an agency.
    fn once(&mut self, index: u64, leaf: &Leaf) {
        let what = match leaf.event {
            Event::EvidenceReceived | Event::RelayRejection | Event::RelayFailure => Once::End,
            event => Once::Event(event),
        };
        let key = (leaf.envelope, leaf.counterpart.clone(), what);
        let Some(first) = self.said.get(&key).copied() else {
            self.said.insert(key, index);
            return;
        };
        let (event, envelope, other) = (leaf.event.name(), leaf.envelope, &leaf.counterpart);
        // The release before recorded twice what an order named twice.
        if leaf.event == Event::ContentPurged {
            let text = text!(
                ("entry {index} purges {envelope} as entry {first} does"),
                ("第 {index} 条与第 {first} 条重复清除信封 {envelope}")
            );
            return self.add(Finding::passed(text));
        }
        let text = match key.2 {
            Once::End => text!(
                ("entry {index} ends the delivery of {envelope} to {other} by {event}; entry \
                     {first} has ended it before"),
                ("第 {index} 条以 {event} 结束信封 {envelope} 向 {other} 的投递，第 {first} 条已结束过")
            ),
            Once::Event(_) => text!(
                ("entry {index} records {event} of {envelope} a second time, after entry {first}"),
                ("第 {index} 条就信封 {envelope} 重复记录了第 {first} 条的 {event}")
            ),
        };
        self.fail(SubIndication::LedgerAltered, text);
    }

    /// Whether the entry can follow what stands before it.
    fn follow(&mut self, index: u64, leaf: Leaf) {
        let envelope = leaf.envelope;
        // What is not known may be what brought it here, and may have another document in it.
        let unclear = self.unclear.contains(&envelope);
        if !matches!(leaf.event, Event::Unknown(_)) {
            self.once(index, &leaf);
            let commitment = *self.commitments.entry(envelope).or_insert(leaf.commitment);
            if commitment != leaf.commitment {
                let text = text!(
                    ("entry {index} has another document in {envelope} than earlier entries"),
                    ("第 {index} 条所记信封 {envelope} 中的文件与先前条目不同")
                );
                self.fail(SubIndication::LedgerAltered, text);
            }
        }
        match leaf.event {
            Event::SubmissionAcceptance => {
                self.submitted.insert(envelope);
                self.sent.insert((envelope, leaf.counterpart), leaf.evidence);
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
                self.consigned.insert(envelope);
            }
            Event::RelayAcceptance => {
                self.relayed.insert(envelope, leaf.counterpart);
            }
            Event::EvidenceReceived
            | Event::RelayEvidenceReceived
            | Event::RelayRejection
            | Event::RelayFailure => {
                // A relay's receipt is from whoever is next on the way; the rest is about a recipient.
                let hop = leaf.event == Event::RelayEvidenceReceived;
                let sent = match hop {
                    true => self.submitted.contains(&envelope),
                    false => self.sent.contains_key(&(envelope, leaf.counterpart.clone())),
                };
                if !sent && !self.relayed.contains_key(&envelope) && !unclear {
                    self.fail(
                        SubIndication::LedgerGap,
                        text!(
                            ("entry {index} ends the delivery of {envelope}, never submitted"),
                            ("第 {index} 条结束了从未提交的信封 {envelope} 的投递")
                        ),
                    );
                }
                if matches!(leaf.event, Event::EvidenceReceived | Event::RelayEvidenceReceived) {
                    match leaf.evidence {
                        Some(digest) => {
                            self.expected.entry(digest).or_default().push((index, leaf));
                        }
                        None => {
                            let text = text!(
                                ("entry {index} names no evidence"),
                                ("第 {index} 条未指明证据")
                            );
                            self.fail(SubIndication::LedgerGap, text);
                        }
                    }
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

    /// Takes in an evidence file of this ledger. Every entry that speaks of it must rest on it.
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
        let Some(entries) = self.expected.remove(&digest) else {
            if self.seen.contains(&digest) {
                let text = text!(
                    ("{name} is a second copy of an evidence"),
                    ("{name} 是某份证据的重复副本")
                );
                return self.add(Finding::passed(text));
            }
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
        self.seen.insert(digest);
        self.report.evidence += 1;
        let receipt = match verified {
            Err(error) => return self.add(judge_evidence(&error, evidence.agency.as_str())),
            Ok(receipt) => receipt,
        };
        for (index, leaf) in entries {
            let event = match leaf.event {
                Event::RelayEvidenceReceived => Event::RelayAcceptance,
                _ => Event::ContentConsignment,
            };
            // What was carried on for another is receipted to that other.
            let sent = self.submitted.contains(&leaf.envelope);
            let relayed = self.relayed.get(&leaf.envelope).filter(|_| !sent);
            let told = self.sent.get(&(leaf.envelope, leaf.counterpart.clone())).copied().flatten();
            let part = told.filter(|_| event == Event::ContentConsignment);
            let awaited = Awaited {
                agency: &leaf.counterpart,
                event,
                envelope: leaf.envelope,
                commitment: leaf.commitment,
                sender: relayed.unwrap_or(&self.report.agency),
                part,
            };
            if awaited.check(&evidence.agency, &receipt.leaf).is_err() {
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

    /// Takes in an order to remove content, after the entries that follow it. Its path is validated at the
    /// time of those entries: what an officer was entitled to then stays done.
    pub fn push_order(&mut self, name: &str, bytes: &[u8]) {
        let digest = Digest::of(bytes);
        let Some(entries) = self.orders.remove(&digest) else {
            if self.seen_orders.contains(&digest) {
                let text = text!(
                    ("{name} is a second copy of an order"),
                    ("{name} 是某份清除令的重复副本")
                );
                return self.add(Finding::passed(text));
            }
            if self.unknown.contains(&digest) {
                return;
            }
            let text =
                text!(("no entry follows the order {name:?}"), ("没有条目依据清除令“{name}”"));
            return self.fail(SubIndication::LedgerAltered, text);
        };
        self.seen_orders.insert(digest);
        for (index, leaf) in entries {
            match PurgeOrder::open(bytes, &self.by.scrutiny().as_of(leaf.time)) {
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

    /// Takes in that what is audited was made from an export, and holds the ledger and nothing of documents.
    pub fn holds_ledger_alone(&mut self) {
        let text = text!(
            ("it was made from an export: it holds the ledger, and no documents"),
            ("由导出的账本生成：只含账本，不含公文")
        );
        self.add(Finding::passed(text));
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

    /// The signature lines in the checkpoint that are not the ledger's own. Those of witnesses whose keys are here must
    /// hold; what others put there is not looked at, as C2SP signed-note has it, and is said.
    fn judge_lines(&mut self) {
        let mut unknown = Vec::new();
        for (name, line) in std::mem::take(&mut self.lines) {
            let keys = self.witness_keys.iter().map(|(_, key)| key);
            let mut known = keys.filter(|key| key.name() == name).map(|key| key.cosigned(&line));
            let finding = match known.clone().find(|found| matches!(found, Ok(Some(_)))) {
                Some(_) => continue,
                None => match known.find_map(Result::err) {
                    Some(error) => Finding::failed(
                        SubIndication::SigCryptoFailure,
                        text!(
                            ("a signature line in the checkpoint does not hold: {error}"),
                            ("检查点中的一行签名不成立：{error}")
                        ),
                    ),
                    None if self.witness_keys.iter().any(|(_, key)| key.name() == name) => {
                        Finding::open(
                            SubIndication::SigCryptoFailure,
                            text!(
                                ("a signature line in the checkpoint is of another key of {name:?}"),
                                ("检查点中有一行签名出自“{name}”的另一密钥")
                            ),
                        )
                    }
                    None => {
                        unknown.push(name);
                        continue;
                    }
                },
            };
            self.add(finding);
        }
        if !unknown.is_empty() {
            let (count, first) = (unknown.len(), unknown.first().cloned().unwrap_or_default());
            let text = text!(
                ("{count} signature lines in the checkpoint are of keys that are not here and were \
                     not looked at (the first of {first:?})"),
                ("检查点中有 {count} 行签名的密钥不在其中，未作检验（首行属“{first}”）")
            );
            self.add(Finding::passed(text));
        }
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
        self.judge_lines();
        for cosigned in std::mem::take(&mut self.cosigned).into_values().flatten() {
            let Cosigned { witness, checkpoint, .. } = cosigned;
            let size = checkpoint.size;
            self.fail(
                SubIndication::LedgerRolledBack,
                text!(
                    ("the ledger has {read} entries, but {witness} has cosigned {size}"),
                    ("账本有 {read} 条，但 {witness} 已见证签名 {size} 条")
                ),
            );
        }
        if let Some((size, _)) = std::mem::take(&mut self.kept).pop_last() {
            self.fail(
                SubIndication::LedgerRolledBack,
                text!(
                    ("the ledger has {read} entries, and a witness has cosigned {size}"),
                    ("账本有 {read} 条，而有见证人已见证签名 {size} 条")
                ),
            );
        }
        self.judge_times();
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
        self.report.witnesses.dedup();
        for claim in std::mem::take(&mut self.claims).into_values().flatten() {
            let (holder, size) = (claim.holder, claim.checkpoint.size);
            let text = match claim.entry {
                Some((index, hash)) => text!(
                    ("the ledger has {read} entries, but {holder} holds its sealed receipt for entry \
                         {index} (leaf hash {hash}) in a ledger of {size}"),
                    ("账本有 {read} 条，但 {holder} 持有其第 {index} 条（叶摘要 {hash}）的已盖章回执，当时账本有 {size} 条")
                ),
                None => text!(
                    ("the ledger has {read} entries, but {holder} has seen its sealed checkpoint of \
                         {size}"),
                    ("账本有 {read} 条，但 {holder} 见过其 {size} 条时的已盖章检查点")
                ),
            };
            self.fail(SubIndication::LedgerRolledBack, text);
        }
        let missing = self.expected.drain().flat_map(|(_, entries)| entries);
        let mut missing: Vec<_> = missing.map(|(index, _)| index).collect();
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
pub(crate) mod tests {
    use super::*;
    use crate::{
        EnvelopeId,
        document::tests::{NOW, World, world},
    };

    /// Audits a ledger of these entries, sealed by the world's seal.
    fn audit(world: &World, leaves: &[Leaf]) -> AuditReport {
        audit_by(&world.seal, leaves, &Validation::new(&world.trust, NOW), &[])
    }

    /// Audits a ledger of these entries, sealed by a seal, with the evidence that it received.
    pub(crate) fn audit_by(
        seal: &chancery_certs::Credential,
        leaves: &[Leaf],
        by: &Validation<'_>,
        evidence: &[&[u8]],
    ) -> AuditReport {
        let entries: Vec<_> = leaves.iter().map(|leaf| leaf.encode().expect("plain")).collect();
        audit_entries(seal, &entries, by, evidence)
    }

    fn audit_bytes(world: &World, entries: &[Vec<u8>]) -> AuditReport {
        audit_entries(&world.seal, entries, &Validation::new(&world.trust, NOW), &[])
    }

    fn audit_entries(
        seal: &chancery_certs::Credential,
        entries: &[Vec<u8>],
        by: &Validation<'_>,
        evidence: &[&[u8]],
    ) -> AuditReport {
        let mut range = merkle::CompactRange::default();
        entries.iter().for_each(|entry| range.push(merkle::leaf_hash(entry)));
        let origin = Checkpoint::origin_of(seal.name().agency());
        let checkpoint = Checkpoint { origin, size: range.size(), root: range.root() };
        let note = checkpoint.sign(seal).expect("signs");
        let audit = LedgerAudit::begin(seal.chain(), &note, Vec::new(), by);
        let mut audit = audit.expect("begins");
        audit.push_history(Ok(checkpoint));
        entries.iter().for_each(|entry| audit.push_leaf(entry));
        let verifier = EvidenceVerifier::new(by);
        for bytes in evidence {
            audit.push_evidence(CheckedEvidence::check("evidence", bytes, &verifier));
        }
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
