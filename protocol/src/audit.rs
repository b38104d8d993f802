//! The audit of one ledger: its own checkpoint, every entry, the evidence it received, and the
//! receipts that others hold against it.

use std::collections::{BTreeMap, HashMap, HashSet};

use chancery_certs::{AgencyName, Certificate, Purpose, TrustStore};
use chancery_crypto::Digest;
use serde::Serialize;

use crate::{
    Checkpoint, EnvelopeId, Event, Evidence, Finding, Indication, Leaf, LogKey, ProtocolError,
    SignedCheckpoint, SubIndication, VerifiedReceipt, merkle,
    verdict::{judge_evidence, judge_path},
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

/// An audit in progress. Entries go in, in order, then evidence; [`LedgerAudit::finish`] judges.
pub struct LedgerAudit<'a> {
    trust: &'a TrustStore,
    report: AuditReport,
    checkpoint: Option<Checkpoint>,
    range: merkle::CompactRange,
    /// Claims by the size of tree that they speak of.
    claims: BTreeMap<u64, Vec<Claim>>,
    /// Leaf hashes that claims want to see, by index.
    wanted: HashMap<u64, Vec<Digest>>,
    submitted: HashSet<EnvelopeId>,
    consigned: HashSet<EnvelopeId>,
    /// Evidence that entries speak of and that has not been seen yet.
    expected: HashMap<Digest, (u64, Leaf)>,
}

impl std::fmt::Debug for LedgerAudit<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LedgerAudit({} of {})", self.range.size(), self.report.size)
    }
}

impl<'a> LedgerAudit<'a> {
    /// Starts an audit: checks the seal's path at `at` and the checkpoint's signature, and takes
    /// in the receipts of this ledger that others hold.
    ///
    /// # Errors
    /// [`ProtocolError`] when the seal's chain names no agency, so that it is not even clear whose
    /// ledger it is.
    pub fn begin(
        chain: &[Certificate],
        checkpoint: &str,
        held: Vec<HeldReceipt>,
        trust: &'a TrustStore,
        at: i64,
    ) -> Result<Self, ProtocolError> {
        let (seal, above) = chain
            .split_first()
            .ok_or_else(|| ProtocolError::Checkpoint("the ledger has no seal chain".into()))?;
        let agency = seal.agency_name()?;
        let mut audit = Self {
            trust,
            report: AuditReport {
                agency,
                indication: Indication::TotalPassed,
                sub_indication: None,
                validation_time: at,
                size: 0,
                entries: 0,
                evidence: 0,
                held_receipts: 0,
                findings: Vec::new(),
                more_findings: 0,
            },
            checkpoint: None,
            range: merkle::CompactRange::default(),
            claims: BTreeMap::new(),
            wanted: HashMap::new(),
            submitted: HashSet::new(),
            consigned: HashSet::new(),
            expected: HashMap::new(),
        };
        match trust.validate(seal, above, at, Purpose::Sign) {
            Ok(path) => audit.add(Finding::passed(format!(
                "the seal of {} is valid under {:?}",
                audit.report.agency, path.anchor
            ))),
            Err(error) => audit.add(Finding::open(judge_path(&error), error.to_string())),
        }
        match SignedCheckpoint::open(checkpoint, &LogKey::of_seal(seal)?) {
            Ok(signed) => {
                audit.report.size = signed.checkpoint.size;
                let size = signed.checkpoint.size;
                audit.add(Finding::passed(format!("the checkpoint of {size} entries is sealed")));
                audit.checkpoint = Some(signed.checkpoint);
            }
            Err(error) => {
                audit.add(Finding::failed(SubIndication::SigCryptoFailure, error.to_string()));
            }
        }
        for receipt in held {
            audit.add_held(&receipt);
        }
        Ok(audit)
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

    fn fail(&mut self, why: SubIndication, sentence: String) {
        self.add(Finding::failed(why, sentence));
    }

    fn add_held(&mut self, held: &HeldReceipt) {
        if held.evidence.agency != self.report.agency {
            return;
        }
        match held.evidence.verify(self.trust, self.report.validation_time) {
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
                    format!("entry {index} is not the one that a receipt was given for"),
                );
            }
        }
        match Leaf::decode(bytes) {
            Ok(leaf) => self.follow(index, leaf),
            Err(error) => {
                self.fail(
                    SubIndication::FormatFailure,
                    format!("entry {index} cannot be read: {error}"),
                );
            }
        }
        let Some(claims) = self.claims.remove(&self.range.size()) else { return };
        let root = self.range.root();
        for claim in claims {
            if claim.checkpoint.root != root {
                self.fail(
                    SubIndication::LedgerForked,
                    format!(
                        "at {} entries the root is {root}, but {} holds a sealed checkpoint with \
                         {}",
                        claim.checkpoint.size, claim.holder, claim.checkpoint.root
                    ),
                );
            }
        }
    }

    /// Whether the entry can follow what stands before it.
    fn follow(&mut self, index: u64, leaf: Leaf) {
        let envelope = leaf.envelope;
        match leaf.event {
            Event::SubmissionAcceptance => {
                self.submitted.insert(envelope);
            }
            Event::ContentConsignment => {
                if !self.consigned.insert(envelope) {
                    self.fail(
                        SubIndication::LedgerAltered,
                        format!("entry {index} takes in envelope {envelope} a second time"),
                    );
                }
            }
            Event::EvidenceReceived | Event::RelayRejection | Event::RelayFailure => {
                if !self.submitted.contains(&envelope) {
                    self.fail(
                        SubIndication::LedgerGap,
                        format!("entry {index} ends the delivery of {envelope}, never submitted"),
                    );
                }
            }
            Event::ContentHandover => {
                if !self.consigned.contains(&envelope) {
                    self.fail(
                        SubIndication::LedgerGap,
                        format!("entry {index} hands over {envelope}, which never came in"),
                    );
                }
            }
        }
        if leaf.event == Event::EvidenceReceived {
            match leaf.evidence {
                Some(digest) => {
                    self.expected.insert(digest, (index, leaf));
                }
                None => {
                    self.fail(SubIndication::LedgerGap, format!("entry {index} names no evidence"))
                }
            }
        }
    }

    /// Says that a stored tile is not the one that the entries give.
    pub fn wrong_tile(&mut self, path: &str) {
        self.fail(SubIndication::LedgerAltered, format!("{path} does not fit the entries"));
    }

    /// Takes in an evidence file of this ledger, by its bytes.
    pub fn push_evidence(&mut self, name: &str, bytes: &[u8]) {
        let evidence = match Evidence::decode(bytes) {
            Ok(evidence) => evidence,
            Err(error) => {
                let sentence = format!("the evidence {name:?} cannot be read: {error}");
                return self.fail(SubIndication::FormatFailure, sentence);
            }
        };
        let digest = match chancery_crypto::cbor::encode(&evidence.receipt) {
            Ok(bytes) => Digest::of(&bytes),
            Err(error) => return self.fail(SubIndication::FormatFailure, error.to_string()),
        };
        let Some((index, leaf)) = self.expected.remove(&digest) else {
            let sentence = format!("no entry speaks of the evidence {name:?}");
            return self.fail(SubIndication::LedgerAltered, sentence);
        };
        self.report.evidence += 1;
        match evidence.verify(self.trust, self.report.validation_time) {
            Err(error) => self.add(judge_evidence(&error, evidence.agency.as_str())),
            Ok(receipt) => {
                let theirs = &receipt.leaf;
                let fits = evidence.agency == leaf.counterpart
                    && theirs.envelope == leaf.envelope
                    && theirs.commitment == leaf.commitment
                    && theirs.counterpart == self.report.agency;
                if !fits {
                    self.fail(
                        SubIndication::EvidenceFailure,
                        format!("entry {index} rests on evidence of something else"),
                    );
                }
            }
        }
    }

    /// Judges what is left over and gives the report.
    pub fn finish(mut self) -> AuditReport {
        let (read, root) = (self.range.size(), self.range.root());
        if let Some(checkpoint) = self.checkpoint.take() {
            if read != checkpoint.size {
                self.fail(
                    SubIndication::LedgerAltered,
                    format!("the checkpoint seals {} entries, {read} are there", checkpoint.size),
                );
            } else if root != checkpoint.root {
                self.fail(
                    SubIndication::LedgerAltered,
                    format!("the entries give the root {root}, sealed was {}", checkpoint.root),
                );
            } else {
                self.add(Finding::passed(format!("all {read} entries give the sealed root")));
            }
        }
        for claim in std::mem::take(&mut self.claims).into_values().flatten() {
            self.fail(
                SubIndication::LedgerRolledBack,
                format!(
                    "the ledger has {read} entries, but {} holds its sealed receipt for entry {} \
                     (leaf hash {}) in a ledger of {}",
                    claim.holder, claim.index, claim.leaf_hash, claim.checkpoint.size
                ),
            );
        }
        let mut missing: Vec<_> = self.expected.drain().map(|(_, (index, _))| index).collect();
        missing.sort_unstable();
        for index in missing {
            self.fail(
                SubIndication::LedgerGap,
                format!("the evidence that entry {index} speaks of is not there"),
            );
        }
        self.report
    }
}
