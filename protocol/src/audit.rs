//! The audit of one ledger: its own checkpoint, every entry, the evidence it received, and the
//! receipts that others hold against it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use chancery_certs::{AgencyName, Certificate, PathError, PathReason, Purpose, SealError};
use chancery_crypto::Digest;
use serde::Serialize;

use crate::{
    Awaited, Checkpoint, CheckpointFault, EntryFact, EnvelopeId, Event, Evidence, EvidenceVerifier,
    Fact, FileFact, Finding, ForkProof, Indication, Leaf, LedgerFact, LogKey, ProtocolError,
    PurgeOrder, SealedNote, SeenCheckpoint, SignedCheckpoint, SubIndication, TimesFact, Unread,
    Validation, VerifiedReceipt, Whose, WitnessKey, WitnessStatement, merkle,
    time_proof::{TimeProof, TimesFound, WITNESSES_NEEDED},
    verdict::{judge_evidence, judge_path},
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
    Unreadable(String, Unread),
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
        let (seal, above) = chain.split_first().ok_or(CheckpointFault::NoSealChain)?;
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
                audit.add(Finding::passed(LedgerFact::Sealed { size: signed.checkpoint.size }));
                audit.lines = signed.others();
                audit.checkpoint = Some(signed.checkpoint);
            }
            Err(error) => {
                let fact = LedgerFact::CheckpointRefused(error);
                audit.add(Finding::failed(SubIndication::SigCryptoFailure, fact));
            }
        }
        let verifier = EvidenceVerifier::new(by);
        for held in held {
            audit.add_held(held, &verifier);
        }
        Ok(audit)
    }

    fn check_seal(&mut self, seal: &Certificate, above: &[Certificate]) {
        match self.by.path(seal, above) {
            Ok(()) => {
                let agency = self.report.agency.clone();
                self.add(Finding::passed(LedgerFact::SealValid { agency }));
            }
            Err(error) => {
                let why = judge_path(&error);
                self.add(Finding::open(why, error));
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
                let subject = seal.subject().to_owned();
                self.fail(SubIndication::LedgerAltered, LedgerFact::OldSealElsewhere { subject });
            }
            Err(error) => {
                // What it has sealed is what it has sealed, as with the seal in use: whether it is believed is what stays
                // open, and no signature is wrong for that.
                if own {
                    self.keys.extend(LogKey::of_seal(seal));
                }
                let why = judge_path(&error);
                self.add(Finding::open(why, error));
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
                self.fail(SubIndication::LedgerAltered, LedgerFact::HistoryOrder { size });
            }
            Err(error) => {
                let after = self.history_through;
                let fact = LedgerFact::HistoryBroken { after, error };
                self.fail(SubIndication::SigCryptoFailure, fact);
            }
        }
    }

    /// Takes in a witness's cosignature of a checkpoint of this ledger, with the witness's statement.
    pub fn add_cosignature(&mut self, note: &str, line: &str, statement: &[u8]) {
        let judge = || {
            let mut signed = Err(CheckpointFault::LedgerWithoutKey.into());
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
                None => Err(CheckpointFault::NotCosigned { witness: witness.to_string() }.into()),
            }
        };
        match judge() {
            Ok((witness, ..)) if witness == self.report.agency => {
                let fact = LedgerFact::OwnWitness { witness };
                self.add(Finding::open(SubIndication::EvidenceFailure, fact));
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
                self.add(Finding::open(judge_path(&path), LedgerFact::WitnessPath(path)));
            }
            Err(error) => {
                let fact = LedgerFact::CosignatureBroken(error);
                self.fail(SubIndication::SigCryptoFailure, fact);
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
                self.add(Finding::passed(LedgerFact::PastWitness(error)));
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
            let fact = LedgerFact::StatementMissing { witness, size };
            self.fail(SubIndication::LedgerGap, fact);
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
                    false => Err(CheckpointFault::SaysElse.into()),
                }
            });
            match cosigned {
                Ok(time) => {
                    let counts = self.proof.add(witness, key, size, time);
                    self.report.cosignatures += u64::from(counts);
                }
                Err(error) => {
                    let witness = witness.clone();
                    let fact = LedgerFact::PastCosignatureBroken { size, witness, error };
                    self.fail(SubIndication::SigCryptoFailure, fact);
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
            self.add(Finding::passed(TimesFact::FewWitnesses { witnesses }));
        }
        let times = std::mem::replace(&mut self.times, TimesFound::new(self.by.at));
        for finding in times.judge(&proof.settle()) {
            self.add(finding);
        }
    }

    /// Takes in that a file is there which nothing in the ledger explains.
    pub fn unexplained(&mut self, what: &str) {
        let fact = FileFact::Unexplained { what: what.to_owned() };
        self.fail(SubIndication::LedgerAltered, fact);
    }

    /// Takes in that a file of the ledger ends in the middle of something.
    pub fn cut_off(&mut self, file: &str) {
        self.fail(SubIndication::LedgerGap, FileFact::CutOff { file: file.to_owned() });
    }

    /// Takes in that a ledger of another agency was forked, as this one has proved.
    pub fn found_fork(&mut self, agency: &AgencyName, size: u64) {
        self.add(Finding::passed(FileFact::HoldsFork { agency: agency.clone(), size }));
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

    fn fail(&mut self, why: SubIndication, fact: impl Into<Fact>) {
        self.add(Finding::failed(why, fact));
    }

    fn add_held(&mut self, held: Held, verifier: &EvidenceVerifier<'_>) {
        let (agency, read) = match held.what {
            HeldItem::Receipt(evidence) if evidence.agency == self.report.agency => {
                let read = verifier.verify(&evidence).map(|receipt| {
                    let hash = merkle::leaf_hash(&evidence.receipt.leaf);
                    (Some((receipt.index, hash)), receipt.checkpoint.checkpoint)
                });
                (evidence.agency, read)
            }
            HeldItem::Checkpoint(agency, note) if agency == self.report.agency => {
                let read = note.open_then(&agency, self.by);
                (agency, read.map(|signed| (None, signed.checkpoint)))
            }
            HeldItem::Copy(agency, note) if agency == self.report.agency => {
                // What a copy lacks is found in its own audit.
                let Ok(signed) = note.open_then(&agency, self.by) else { return };
                let (theirs, holder) = (signed.checkpoint.size, held.holder);
                if self.checkpoint.as_ref().is_none_or(|own| own.size < theirs) {
                    let fact = FileFact::LaterCopy { holder, size: theirs };
                    return self.add(Finding::passed(fact));
                }
                // Of an empty ledger there is nothing to tell.
                if theirs > 0 {
                    let claim = Claim { holder, entry: None, checkpoint: signed.checkpoint };
                    self.claims.entry(theirs).or_default().push(claim);
                }
                return;
            }
            HeldItem::Fork(name, proof) if proof.agency == self.report.agency => {
                return match proof.verify(&self.by.scrutiny()) {
                    Ok((first, second)) => {
                        let (first, second) = (first.checkpoint.size, second.checkpoint.size);
                        let holder = held.holder;
                        let fact = FileFact::Forked { proof: name, holder, first, second };
                        self.fail(SubIndication::LedgerForked, fact);
                    }
                    Err(error) => {
                        let finding = judge_evidence(error, Whose::Agency(proof.agency));
                        self.add(Finding { indication: Indication::Indeterminate, ..finding });
                    }
                };
            }
            HeldItem::Unreadable(file, why) => {
                let fact = FileFact::HeldUnreadable { file, holder: held.holder, why };
                return self.add(Finding::open(SubIndication::FormatFailure, fact));
            }
            _ => return,
        };
        match read {
            Ok((entry, checkpoint)) => {
                if let Some((index, hash)) = entry {
                    self.wanted.entry(index).or_default().push(hash);
                }
                let claim = Claim { holder: held.holder, entry, checkpoint };
                self.claims.entry(claim.checkpoint.size).or_default().push(claim);
                match entry {
                    Some(_) => self.report.held_receipts += 1,
                    None => self.report.held_checkpoints += 1,
                }
            }
            // Somebody's broken paper says nothing against this ledger.
            Err(error) => {
                let finding = judge_evidence(error, Whose::Agency(agency));
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
            Err(ProtocolError::Path(path)) => self.disbelieved(name, path),
            Err(error) => {
                let fact = FileFact::SeenBroken { file: name.to_owned(), error };
                self.fail(SubIndication::SigCryptoFailure, fact);
            }
        }
    }

    /// Takes in that a file rests on a seal whose path is not valid. One that was good once says nothing any more, for or
    /// against; what the rest is, is open.
    pub fn disbelieved(&mut self, name: &str, error: PathError) {
        let why = match error.reason {
            PathReason::Expired
            | PathReason::NotYetValid
            | PathReason::Revoked
            | PathReason::RevocationUnknown => None,
            _ => Some(judge_path(&error)),
        };
        let fact = FileFact::Disbelieved { file: name.to_owned(), error };
        self.add(match why {
            None => Finding::passed(fact),
            Some(why) => Finding::open(why, fact),
        });
    }

    /// Says something that is to be known and changes nothing.
    pub fn note(&mut self, en: String, zh: String) {
        self.add(Finding::passed(Fact::Told { en, zh }));
    }

    /// Takes in that a file of the ledger cannot be read as what it should be.
    pub fn unreadable(&mut self, name: &str, why: impl Into<Unread>) {
        let fact = FileFact::Unreadable { file: name.to_owned(), why: why.into() };
        self.fail(SubIndication::FormatFailure, fact);
    }

    /// Takes in the next entry.
    pub fn push_leaf(&mut self, bytes: &[u8]) {
        let index = self.range.size();
        let hash = merkle::leaf_hash(bytes);
        self.range.push(hash);
        self.report.entries += 1;
        for claimed in self.wanted.remove(&index).unwrap_or_default() {
            if claimed != hash {
                self.fail(SubIndication::LedgerForked, EntryFact::NotTheReceipted { index });
            }
        }
        match Leaf::decode(bytes) {
            Ok(leaf) => {
                self.times.entry(index, leaf.time);
                self.follow(index, leaf);
            }
            Err(error) => {
                let fact = EntryFact::EntryUnreadable { index, error };
                self.fail(SubIndication::FormatFailure, fact);
            }
        }
        let size = self.range.size();
        if self.history.front().is_some_and(|next| next.size == size)
            && let Some(kept) = self.history.pop_front()
        {
            self.report.checkpoints += 1;
            if kept.root != self.range.root() {
                self.fail(SubIndication::LedgerAltered, LedgerFact::PastRoot { size });
            }
        }
        self.check_kept(size);
        for cosigned in self.cosigned.remove(&size).unwrap_or_default() {
            let Cosigned { witness, checkpoint, counts } = cosigned;
            if checkpoint.root == self.range.root() {
                self.report.witnesses.extend(counts.then_some(witness));
            } else {
                let fact = LedgerFact::CosignedRoot { size, witness };
                self.fail(SubIndication::LedgerForked, fact);
            }
        }
        let Some(claims) = self.claims.remove(&size) else { return };
        let root = self.range.root();
        for claim in claims {
            if claim.checkpoint.root != root {
                let (holder, held) = (claim.holder, claim.checkpoint.root);
                let fact = LedgerFact::HeldRoot { size, root, holder, held };
                self.fail(SubIndication::LedgerForked, fact);
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
        let (event, envelope, other) = (leaf.event, leaf.envelope, leaf.counterpart.clone());
        // The release before recorded twice what an order named twice.
        if leaf.event == Event::ContentPurged {
            let fact = EntryFact::PurgedTwice { index, envelope, first };
            return self.add(Finding::passed(fact));
        }
        let fact = match key.2 {
            Once::End => EntryFact::EndedTwice { index, envelope, other, event, first },
            Once::Event(_) => EntryFact::RecordedTwice { index, envelope, event, first },
        };
        self.fail(SubIndication::LedgerAltered, fact);
    }

    /// Whether the entry can follow what stands before it.
    fn follow(&mut self, index: u64, leaf: Leaf) {
        let envelope = leaf.envelope;
        // What is not known may be what brought it here, and may have another document in it.
        let unclear = self.unclear.contains(&envelope);
        // What is decided is committed to by itself.
        if leaf.event == Event::Decided {
            self.once(index, &leaf);
        } else if !matches!(leaf.event, Event::Unknown(_)) {
            self.once(index, &leaf);
            let commitment = *self.commitments.entry(envelope).or_insert(leaf.commitment);
            if commitment != leaf.commitment {
                let fact = EntryFact::OtherDocument { index, envelope };
                self.fail(SubIndication::LedgerAltered, fact);
            }
        }
        match leaf.event {
            Event::SubmissionAcceptance => {
                self.submitted.insert(envelope);
                self.sent.insert((envelope, leaf.counterpart), leaf.evidence);
            }
            Event::SubmissionRejection => {
                if *envelope.digest() != leaf.commitment {
                    self.fail(SubIndication::LedgerAltered, EntryFact::RefusedEnvelope { index });
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
                    let fact = EntryFact::NeverSubmitted { index, envelope };
                    self.fail(SubIndication::LedgerGap, fact);
                }
                if matches!(leaf.event, Event::EvidenceReceived | Event::RelayEvidenceReceived) {
                    match leaf.evidence {
                        Some(digest) => {
                            self.expected.entry(digest).or_default().push((index, leaf));
                        }
                        None => {
                            self.fail(SubIndication::LedgerGap, EntryFact::NoEvidence { index });
                        }
                    }
                }
            }
            Event::ContentHandover | Event::WithdrawalAcceptance | Event::WithdrawalRejection => {
                if !self.consigned.contains(&envelope) && !unclear {
                    let fact = EntryFact::NeverArrived { index, envelope, event: leaf.event };
                    self.fail(SubIndication::LedgerGap, fact);
                }
            }
            Event::ContentPurged => {
                let here = [&self.consigned, &self.submitted].iter().any(|s| s.contains(&envelope));
                if !here && !self.relayed.contains_key(&envelope) && !unclear {
                    let fact = EntryFact::NeverHere { index, envelope };
                    self.fail(SubIndication::LedgerGap, fact);
                }
                match leaf.evidence {
                    Some(digest) => self.orders.entry(digest).or_default().push((index, leaf)),
                    None => self.fail(SubIndication::LedgerGap, EntryFact::NoOrder { index }),
                }
            }
            Event::Decided => {
                let passed = *envelope.digest() == leaf.commitment;
                let here = [&self.consigned, &self.submitted].iter().any(|s| s.contains(&envelope));
                if !passed && !here && !unclear {
                    let fact = EntryFact::NeverHere { index, envelope };
                    self.fail(SubIndication::LedgerGap, fact);
                }
            }
            Event::Unknown(event) => {
                self.unknown.extend(leaf.evidence);
                self.unclear.insert(envelope);
                self.add(Finding::passed(EntryFact::UnknownEvent { index, event }));
            }
        }
    }

    /// Says that an entry does not have the hash that stands for it in its tile.
    pub fn wrong_entry(&mut self, index: u64) {
        self.fail(SubIndication::LedgerAltered, EntryFact::WrongEntry { index });
    }

    /// Says that a stored tile is not the one that the entries give.
    pub fn wrong_tile(&mut self, path: &str) {
        self.fail(SubIndication::LedgerAltered, FileFact::WrongTile { path: path.to_owned() });
    }

    /// Takes in an evidence file of this ledger. Every entry that speaks of it must rest on it.
    pub fn push_evidence(&mut self, checked: CheckedEvidence) {
        let file = checked.name;
        let (evidence, digest, verified) = match checked.read {
            Ok(read) => read,
            Err(error) => {
                let fact = FileFact::EvidenceUnreadable { file, error };
                return self.fail(SubIndication::FormatFailure, fact);
            }
        };
        let Some(entries) = self.expected.remove(&digest) else {
            if self.seen.contains(&digest) {
                return self.add(Finding::passed(FileFact::EvidenceTwice { file }));
            }
            if self.unknown.contains(&digest) {
                // It is what it is; what the entry says of it is not known here.
                self.report.evidence += 1;
                if let Err(error) = verified {
                    self.add(judge_evidence(error, Whose::Agency(evidence.agency)));
                }
                return;
            }
            return self.fail(SubIndication::LedgerAltered, FileFact::EvidenceUnasked { file });
        };
        self.seen.insert(digest);
        self.report.evidence += 1;
        let receipt = match verified {
            Err(error) => {
                return self.add(judge_evidence(error, Whose::Agency(evidence.agency)));
            }
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
                self.fail(SubIndication::EvidenceFailure, EntryFact::EvidenceElsewhere { index });
            }
        }
    }

    /// Takes in an order to remove content, after the entries that follow it. Its path is validated at the
    /// time of those entries: what an officer was entitled to then stays done.
    pub fn push_order(&mut self, name: &str, bytes: &[u8]) {
        let (digest, file) = (Digest::of(bytes), name.to_owned());
        let Some(entries) = self.orders.remove(&digest) else {
            if self.seen_orders.contains(&digest) {
                return self.add(Finding::passed(FileFact::OrderTwice { file }));
            }
            if self.unknown.contains(&digest) {
                return;
            }
            return self.fail(SubIndication::LedgerAltered, FileFact::OrderUnasked { file });
        };
        self.seen_orders.insert(digest);
        for (index, leaf) in entries {
            match PurgeOrder::open(bytes, &self.by.scrutiny().as_of(leaf.time)) {
                Ok(opened)
                    if opened.order.agency == self.report.agency
                        && opened.order.envelopes.contains(&leaf.envelope) =>
                {
                    self.report.purged += 1;
                    let (officer, envelope, time) = (opened.officer, leaf.envelope, leaf.time);
                    self.add(Finding::passed(FileFact::Purged { envelope, time, officer }));
                }
                Ok(_) => {
                    self.fail(SubIndication::EvidenceFailure, EntryFact::OrderElsewhere { index });
                }
                Err(ProtocolError::Seal(SealError::Path(error))) => {
                    let why = judge_path(&error);
                    self.add(Finding::open(why, EntryFact::OrderPath { index, error }));
                }
                Err(error) => {
                    let fact = EntryFact::OrderBroken { index, error };
                    self.fail(SubIndication::EvidenceFailure, fact);
                }
            }
        }
    }

    /// Takes in that what is audited was made from an export, and holds the ledger and nothing of documents.
    pub fn holds_ledger_alone(&mut self) {
        self.add(Finding::passed(FileFact::FromExport));
    }

    /// Takes in that a content was read and is the one that its envelope seals.
    pub fn content_holds(&mut self) {
        self.report.contents += 1;
    }

    /// Takes in that something of the node's store contradicts the ledger.
    pub fn contradicted(&mut self, en: String, zh: String) {
        self.fail(SubIndication::LedgerAltered, Fact::Told { en, zh });
    }

    /// Takes in that something that the ledger speaks of is not in the node's store.
    pub fn missing(&mut self, en: String, zh: String) {
        self.fail(SubIndication::LedgerGap, Fact::Told { en, zh });
    }

    /// Takes in that something is there which may or may not have its reason.
    pub fn unclear(&mut self, en: String, zh: String) {
        self.add(Finding::open(SubIndication::LedgerGap, Fact::Told { en, zh }));
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
                        LedgerFact::LineBroken(error),
                    ),
                    None if self.witness_keys.iter().any(|(_, key)| key.name() == name) => {
                        Finding::open(
                            SubIndication::SigCryptoFailure,
                            LedgerFact::LineOfOtherKey { name },
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
            self.add(Finding::passed(LedgerFact::UnknownLines { count, first }));
        }
    }

    /// Judges what is left over and gives the report.
    pub fn finish(mut self) -> AuditReport {
        let (read, root) = (self.range.size(), self.range.root());
        if let Some(checkpoint) = self.checkpoint.take() {
            if read != checkpoint.size {
                let fact = LedgerFact::SizeDiffers { sealed: checkpoint.size, read };
                self.fail(SubIndication::LedgerAltered, fact);
            } else if root != checkpoint.root {
                let fact = LedgerFact::RootDiffers { root, sealed: checkpoint.root };
                self.fail(SubIndication::LedgerAltered, fact);
            } else {
                self.add(Finding::passed(LedgerFact::RootHolds { size: read }));
            }
        }
        self.judge_lines();
        for cosigned in std::mem::take(&mut self.cosigned).into_values().flatten() {
            let Cosigned { witness, checkpoint, .. } = cosigned;
            let size = checkpoint.size;
            let fact = LedgerFact::CosignedMore { read, witness, size };
            self.fail(SubIndication::LedgerRolledBack, fact);
        }
        if let Some((size, _)) = std::mem::take(&mut self.kept).pop_last() {
            let fact = LedgerFact::PastCosignedMore { read, size };
            self.fail(SubIndication::LedgerRolledBack, fact);
        }
        self.judge_times();
        if self.history_through < self.report.size {
            let (through, size) = (self.history_through, self.report.size);
            self.fail(SubIndication::LedgerGap, LedgerFact::HistoryEnds { through, size });
        }
        if let Some(ahead) = self.history.back() {
            let fact = LedgerFact::HistorySealsMore { read, size: ahead.size };
            self.fail(SubIndication::LedgerRolledBack, fact);
        }
        self.report.witnesses.sort();
        self.report.witnesses.dedup();
        for claim in std::mem::take(&mut self.claims).into_values().flatten() {
            let (holder, size) = (claim.holder, claim.checkpoint.size);
            let fact = match claim.entry {
                Some((index, hash)) => {
                    LedgerFact::ReceiptBeyond { read, holder, index, hash, size }
                }
                None => LedgerFact::SeenBeyond { read, holder, size },
            };
            self.fail(SubIndication::LedgerRolledBack, fact);
        }
        let missing = self.expected.drain().flat_map(|(_, entries)| entries);
        let mut missing: Vec<_> = missing.map(|(index, _)| index).collect();
        missing.sort_unstable();
        let mut unseen: Vec<_> = self.orders.drain().flat_map(|(_, entries)| entries).collect();
        unseen.sort_unstable_by_key(|(index, _)| *index);
        for (index, _) in unseen {
            self.fail(SubIndication::LedgerGap, EntryFact::OrderMissing { index });
        }
        for index in missing {
            self.fail(SubIndication::LedgerGap, EntryFact::EvidenceMissing { index });
        }
        self.report
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use chancery_crypto::Language;

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
            let mut sentences = report.findings.iter().map(|f| f.say(Language::En));
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
                && *f.fact == EntryFact::RefusedEnvelope { index: 1 }.into()
        });
        assert!(said, "{bad:?}");
    }
}
