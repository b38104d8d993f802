//! `chancery audit`: whole ledgers, offline.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use chancery_bus::NodeError;
use chancery_certs::{AgencyName, Certificate};
use chancery_crypto::{Digest, Hasher, cbor};
use chancery_desk::DataFolder;
use chancery_ledger::PastCosignature;
use chancery_protocol::{
    AuditReport, CheckedEvidence, Evidence, EvidenceVerifier, ForkProof, Held, HeldItem,
    Indication, KeptCheckpoint, LedgerAudit, LogKey, ProtocolError, SealedNote, SeenCheckpoint,
    SignedCheckpoint, Unread, Validation,
    merkle::leaf_hash,
    tile::{TILE_WIDTH, Tile, TileEdge, entries_path, tile_path, whole_entries},
};
use chancery_store::files::{every_member, open_log, read_file, read_member};

use crate::{
    failure::Failure,
    output::{Output, time},
    source::{Folder, Remark, Source, is_left_behind, shown_name},
    trust::{MaterialArgs, TrustArgs},
    verify::{ReportForm, name, print_advice, print_finding},
};

/// Evidence files that are read before they are checked together.
const EVIDENCE_BATCH: usize = 1024;
/// Bundles of the history that are read before they are checked together.
const HISTORY_BATCH: usize = 16;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  chancery audit ledger-hz --anchor root.pem
  chancery audit ledger-hz --against ledger-nb --against received --anchor root.pem
  chancery audit ledger-hz --anchor root.pem --crl root.crl --crl zj.crl --report html > audit.html
  chancery audit ledger-hz --anchor root.pem --at 2026-12-31T00:00:00Z --resume audit.state
  chancery audit backups/2026-11-24T093000Z --anchor root.pem
Each ledger is a folder as `chancery ledger export` writes it, or the data folder of a node (a stopped one's,
or a backup), of which every index, delivery and content is checked as well. Nothing in it is changed. --against takes other exports, opened
documents, evidence files, or proofs of forks: every receipt in them that the audited ledger gave must be true of it.
Exit 0: passed; 1: failed; 5: indeterminate.")]
pub(crate) struct Audit {
    /// Exported ledgers, or data folders of stopped nodes
    #[arg(required = true, value_name = "LEDGER")]
    ledgers: Vec<PathBuf>,
    /// What others hold: exports, opened documents or evidence files (may be given several times)
    #[arg(long, value_name = "PATH")]
    against: Vec<PathBuf>,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    material: MaterialArgs,
    /// Remember in this file which signatures were verified, and do not verify them again when the audit
    /// is taken up after an interruption; it counts only for the same anchors, CRLs and time
    #[arg(long, value_name = "FILE", requires = "at")]
    resume: Option<PathBuf>,
    /// Print a report for people to keep
    #[arg(long, value_enum, value_name = "FORM", conflicts_with = "json")]
    report: Option<ReportForm>,
}

impl Audit {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let trust = self.trust.store()?;
        let material = self.material.read()?;
        let by = material.validation(&trust, self.trust.at());
        let mut done = match &self.resume {
            Some(path) => Done::open(path, self.policy()?)?,
            None => Done::default(),
        };
        let mut held = Vec::new();
        for path in self.against.iter().chain(&self.ledgers) {
            collect_held(path, &mut held)?;
        }
        let named = self.trust.file()?.witnesses(&trust)?;
        let mut worst = Indication::TotalPassed;
        let mut reports = Vec::new();
        for folder in &self.ledgers {
            let report = audit_one(output, folder, held.clone(), &by, &named, &mut done)?;
            worst = worst.max(report.indication);
            if output.json || self.report.is_some() {
                let mut value = serde_json::to_value(&report).unwrap_or_default();
                if let Some(object) = value.as_object_mut() {
                    object.insert("path".into(), folder.to_string_lossy().into());
                }
                reports.push(value);
            } else {
                print(output, &report);
                self.trust.note_lenience(output);
            }
        }
        let whole = serde_json::json!({
            "indication": worst.name(), "lenient": self.trust.is_lenient(), "ledgers": reports,
        });
        if output.json {
            output.print_json(&whole);
        } else if self.report.is_some() {
            print!("{}", crate::report::audit_html(&whole, output));
        }
        Ok(ExitCode::from(worst.exit_code()))
    }

    /// What a verdict on a signature depends on besides the signature: anchors, CRLs, certificates, time, and
    /// whether revocation must be checked.
    fn policy(&self) -> Result<Digest, Failure> {
        let mut hasher = Hasher::new();
        hasher.update(&self.trust.at().to_be_bytes());
        hasher.update(&[u8::from(self.material.requires_revocation())]);
        hasher.update(&[u8::from(self.trust.is_lenient())]);
        // Anchors and the rest apart: a file does not mean the same as either.
        for path in &self.trust.files()? {
            hasher.update(Digest::of(&read_file(path)?).as_bytes());
        }
        hasher.update(Digest::of(b"").as_bytes());
        for path in self.material.files() {
            hasher.update(Digest::of(&read_file(path)?).as_bytes());
        }
        Ok(hasher.finish())
    }
}

/// What the file of `--resume` begins with: as long as a digest.
const NOTES: &[u8] = b"chancery audit notes, version 1\n";

/// The signatures that an earlier run has verified: behind the mark digests, each of what was verified.
#[derive(Debug, Default)]
struct Done {
    file: Option<File>,
    policy: Option<Digest>,
    known: HashSet<Digest>,
}

impl Done {
    fn open(path: &Path, policy: Digest) -> Result<Self, Failure> {
        let mut file = open_log(path)?;
        let bytes = read_member(path)?;
        // Only a file with the mark is cut or added to: any other is somebody's. An interruption may have cut the mark.
        let Some(notes) =
            bytes.strip_prefix(NOTES).or(NOTES.starts_with(&bytes).then_some(&[][..]))
        else {
            let what = "it exists already, and holds no notes of an audit";
            let remedy = "Choose another place; nothing was changed.";
            return Err(Failure::usage("CHY-6015", what, remedy).at(path));
        };
        let failed = || NodeError::file(path);
        // A piece at the end was cut off by the interruption; what follows it would be misread.
        let whole = notes.len() / Digest::LEN * Digest::LEN;
        match bytes.starts_with(NOTES) {
            true => file.set_len((NOTES.len() + whole) as u64).map_err(failed())?,
            false => {
                file.set_len(0).and_then(|()| file.write_all(NOTES)).map_err(failed())?;
            }
        }
        let known = notes.chunks_exact(Digest::LEN).filter_map(Digest::from_slice).collect();
        Ok(Self { file: Some(file), policy: Some(policy), known })
    }

    /// What stands in the file for bytes that were verified under this policy. `by` tells apart what was
    /// verified by different keys.
    fn mark(&self, by: &Digest, bytes: &[u8]) -> Option<Digest> {
        let policy = self.policy?;
        let mut hasher = Hasher::new();
        hasher.update(policy.as_bytes());
        hasher.update(by.as_bytes());
        hasher.update(bytes);
        Some(hasher.finish())
    }

    fn has(&self, by: &Digest, bytes: &[u8]) -> bool {
        self.mark(by, bytes).is_some_and(|mark| self.known.contains(&mark))
    }

    /// Notes what was verified, when all of it held.
    fn add<'a>(
        &mut self,
        by: &Digest,
        verified: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), Failure> {
        let mut marks = Vec::new();
        let new: Vec<_> = verified.filter_map(|bytes| self.mark(by, bytes)).collect();
        for mark in new {
            if self.known.insert(mark) {
                marks.extend(mark.as_bytes());
            }
        }
        if let Some(file) = &mut self.file {
            file.write_all(&marks).map_err(NodeError::file("the file given by --resume"))?;
        }
        Ok(())
    }
}

/// What an export, a data folder, an opened document or an evidence file holds of other ledgers: receipts, and checkpoints
/// that were seen.
fn collect_held(path: &Path, held: &mut Vec<Held>) -> Result<(), Failure> {
    if DataFolder::is_one(path) {
        let data = DataFolder::open(path).map_err(|e| Failure::from(e).at(path))?;
        let holder = data.seal()?.first().map_or_else(String::new, |c| c.subject().to_owned());
        for name in data.evidence_names()? {
            let what = HeldItem::Receipt(Evidence::decode(&data.evidence(&name)?)?);
            held.push(Held { holder: holder.clone(), what });
        }
        for (name, bytes) in Source::seen(&data)? {
            held.push(Held { holder: holder.clone(), what: held_item("seen", &name, &bytes)? });
        }
        for (name, bytes) in Source::forks(&data)? {
            held.push(Held { holder: holder.clone(), what: held_item("fork", &name, &bytes)? });
        }
        return Ok(());
    }
    if !path.is_dir() {
        let (holder, bytes) = (path.display().to_string(), read_file(path)?);
        let kind = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let what = held_item(kind, &shown_name(path), &bytes);
        held.push(Held { holder, what: what.map_err(|e| Failure::from(e).at(path))? });
        return Ok(());
    }
    // An export is held by the agency whose ledger it is; anything else by whoever gave it.
    let seal = path.join("seal.pem");
    let folder = Folder::new(path.to_owned());
    let seal = seal.exists().then(|| folder.seal().ok()).flatten();
    // It is a copy of that ledger itself, too: two copies must not tell two histories.
    if let (Some(chain), Ok(note)) = (&seal, folder.note())
        && let Some(agency) = chain.first().and_then(|seal| seal.agency_name().ok())
    {
        let chain = chain.iter().map(|c| c.der().to_vec().into()).collect();
        let what = HeldItem::Copy(agency, SealedNote { note, chain });
        held.push(Held { holder: path.display().to_string(), what });
    }
    let holder = seal.and_then(|chain| Some(chain.first()?.subject().to_owned()));
    let holder = holder.unwrap_or_else(|| path.display().to_string());
    for (folder, kind) in [("evidence", "evidence"), ("seen", "seen"), ("forks", "fork")] {
        // What stands in its place is for the audit of that folder itself to say.
        let files = match every_member(&path.join(folder)) {
            Err(error) if error.is_out_of_place() => continue,
            files => files?,
        };
        for file in files {
            if is_left_behind(&shown_name(&file)) || !file.is_file() {
                continue;
            }
            let name = format!("{folder}/{}", shown_name(&file));
            let read = read_member(&file).map_err(|error| Unread::from(error.to_string()));
            let read = read.and_then(|bytes| held_item(kind, &name, &bytes).map_err(Unread::from));
            let what = read.unwrap_or_else(|why| HeldItem::Unreadable(name, why));
            held.push(Held { holder: holder.clone(), what });
        }
    }
    Ok(())
}

/// What a file of somebody says of a ledger, by the kind of file that it is.
fn held_item(kind: &str, name: &str, bytes: &[u8]) -> Result<HeldItem, ProtocolError> {
    match kind {
        "seen" => seen(bytes),
        "fork" => Ok(HeldItem::Fork(name.to_owned(), Box::new(ForkProof::decode(bytes)?))),
        _ => Ok(HeldItem::Receipt(Evidence::decode(bytes)?)),
    }
}

fn seen(bytes: &[u8]) -> Result<HeldItem, ProtocolError> {
    let SeenCheckpoint { agency, sealed } = SeenCheckpoint::decode(bytes)?;
    Ok(HeldItem::Checkpoint(agency, sealed))
}

/// Does work on every item, on all cores; the results come back in order.
pub(crate) fn on_all_cores<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let each = items.len().div_ceil(cores).max(1);
    let work = &work;
    std::thread::scope(|scope| {
        let workers: Vec<_> = items
            .chunks(each)
            .map(|items| scope.spawn(move || items.iter().map(work).collect::<Vec<_>>()))
            .collect();
        workers.into_iter().flat_map(|w| w.join().expect("no check panics")).collect()
    })
}

/// The audit of one export that nobody else has anything to say about.
pub(crate) fn audit_export(
    output: &Output,
    folder: &Path,
    by: &Validation<'_>,
) -> Result<AuditReport, Failure> {
    audit_one(output, folder, Vec::new(), by, &Named::new(), &mut Done::default())
}

/// The witnesses of ledgers, by the agencies whose they are, as far as a directory names them.
type Named = BTreeMap<AgencyName, BTreeSet<AgencyName>>;

/// A ledger to audit.
enum Audited {
    Export(Folder),
    Data(DataFolder),
}

impl Audited {
    fn open(path: &Path) -> Result<Self, Failure> {
        // A data folder, or a backup of one.
        if DataFolder::is_one(path) {
            return Ok(Self::Data(DataFolder::open(path).map_err(|e| Failure::from(e).at(path))?));
        }
        Ok(Self::Export(Folder::new(path.to_owned())))
    }

    fn source(&self) -> &dyn Source {
        match self {
            Self::Export(folder) => folder,
            Self::Data(data) => data,
        }
    }
}

fn audit_one(
    output: &Output,
    folder: &Path,
    held: Vec<Held>,
    by: &Validation<'_>,
    named: &Named,
    done: &mut Done,
) -> Result<AuditReport, Failure> {
    let audited = Audited::open(folder)?;
    let source = audited.source();
    let chain = source.seal()?;
    let note = source.note()?;
    let mut audit =
        LedgerAudit::begin(&chain, &note, held, by).map_err(|e| Failure::from(e).at(folder))?;
    let agency = chain.first().and_then(|seal| seal.agency_name().ok());
    if let Some(witnesses) = agency.and_then(|agency| named.get(&agency)) {
        audit.only_witnesses(witnesses.clone());
    }
    for chain in source.old_seals()? {
        audit.add_old_seal(&chain);
    }
    for (_, kept) in source.cosignatures()? {
        audit.add_cosignature(&kept.note, &kept.line, &kept.statement);
    }
    take_cosigned(source, &mut audit)?;
    for (name, bytes) in source.forks()? {
        let judged = ForkProof::decode(&bytes)
            .and_then(|proof| proof.verify(&by.scrutiny()).map(|found| (proof, found)));
        match judged {
            Ok((proof, (first, _))) => audit.found_fork(&proof.agency, first.checkpoint.size),
            Err(ProtocolError::Path(path)) => audit.disbelieved(&name, path),
            Err(_) => audit.unexplained(&name),
        }
    }
    for (name, bytes) in source.seen()? {
        audit.push_seen(&name, &bytes);
    }
    check_entries(output, source, &mut audit, sealed_size(&chain, &note), done)?;
    check_evidence(output, source, &mut audit, by, done)?;
    for (name, order) in source.orders()? {
        audit.push_order(&name, &order);
    }
    for remark in source.remarks() {
        match remark {
            Remark::Note(en, zh) => audit.note(en, zh),
            Remark::Unexplained(what) => audit.unexplained(&what),
            Remark::Unreadable(name, why) => audit.unreadable(&name, why),
        }
    }
    if let Audited::Data(data) = &audited {
        let progress = output.count_bar(data.envelopes()?, output.t("contents", "内容"));
        data.check(&mut audit, by, &|| progress.inc(1))?;
        progress.finish_and_clear();
    }
    Ok(audit.finish())
}

/// The cosignatures of the ledger's history, by the statements that come with them.
fn take_cosigned(source: &dyn Source, audit: &mut LedgerAudit<'_>) -> Result<(), Failure> {
    let mut all = Vec::new();
    let mut first: HashMap<Digest, i64> = HashMap::new();
    let kept = match source.cosigned() {
        Ok(kept) => kept,
        Err(failure) => {
            audit.unreadable("cosigned/", failure.message);
            Vec::new()
        }
    };
    for kept in kept {
        let past: PastCosignature = match cbor::decode_open(&kept, cbor::MAX_BYTES) {
            Ok(past) => past,
            Err(error) => {
                audit.unreadable("a cosignature in cosigned/", error);
                continue;
            }
        };
        first.entry(past.statement).or_insert(past.time);
        all.push(past);
    }
    for statement in source.statements()? {
        match first.remove(&Digest::of(&statement)) {
            Some(time) => audit.add_statement(&statement, time),
            None => audit.unexplained("a witness's statement in statements/"),
        }
    }
    for PastCosignature { size, line, time, witness, statement } in all {
        audit.add_kept_cosignature((size, time), witness, line, statement);
    }
    Ok(())
}

/// The entries against the tiles, and every checkpoint of the history against the entries.
fn check_entries(
    output: &Output,
    source: &dyn Source,
    audit: &mut LedgerAudit<'_>,
    size: u64,
    done: &mut Done,
) -> Result<(), Failure> {
    let progress = output.count_bar(size, output.t("auditing", "审计"));
    let width = TILE_WIDTH as u64;
    let mut edge = TileEdge::default();
    let mut wrong = Vec::new();
    let mut history = source.history();
    let (mut bundle, mut more) = (0, true);
    // A tile that is missing fits no more than one with other hashes.
    let fits = |level, index, tile: &Tile| {
        source.tile(level, index, tile.width()).is_some_and(|bytes| bytes == tile.encode())
    };
    // As far as there are entries: more or fewer than the checkpoint seals is for the audit to say.
    while let Some(bytes) = source.entries(bundle)? {
        while more && audit.wants_history((bundle + 1) * width) {
            more = check_history(&mut history, audit, done)?;
        }
        let path = entries_path(bundle, TILE_WIDTH);
        let (leaves, whole) = whole_entries(&bytes);
        if !whole {
            audit.cut_off(&path);
        }
        let mut stored = None;
        for (place, leaf) in leaves.iter().enumerate() {
            let hash = leaf_hash(leaf);
            audit.push_leaf(leaf);
            edge.push(hash, &mut |level, index, tile: &Tile| {
                if !fits(level, index, tile) {
                    wrong.push(tile_path(level, index, tile.width()));
                }
            });
            // The tile beside the bundle says which of its entries is another than it was.
            let tile = stored.get_or_insert_with(|| {
                let bytes = source.tile(0, bundle, leaves.len());
                bytes.and_then(|bytes| Tile::decode(&bytes).ok())
            });
            let index = bundle * width + place as u64;
            if let Some(tile) = tile
                && tile.node(0, place as u64) != Some(hash)
            {
                audit.wrong_entry(index);
            }
        }
        progress.set_position((bundle + 1) * width);
        bundle += 1;
    }
    while more {
        more = check_history(&mut history, audit, done)?;
    }
    edge.partial().for_each(|(level, index, tile)| {
        if !fits(level, index, tile) {
            wrong.push(tile_path(level, index, tile.width()));
        }
    });
    progress.finish_and_clear();
    wrong.iter().for_each(|path| audit.wrong_tile(path));
    Ok(())
}

/// Verifies some bundles of the history, on all cores. Says whether there may be more.
fn check_history(
    history: &mut dyn Iterator<Item = Result<Vec<u8>, Failure>>,
    audit: &mut LedgerAudit<'_>,
    done: &mut Done,
) -> Result<bool, Failure> {
    let bundles = history.take(HISTORY_BATCH).collect::<Result<Vec<_>, _>>()?;
    let mut kept = Vec::new();
    for bytes in &bundles {
        let (checkpoints, whole) = whole_entries(bytes);
        if !whole {
            audit.cut_off("history");
        }
        kept.extend(checkpoints);
    }
    let keys = audit.keys();
    // The keys come with the ledger: what one has signed says nothing of another.
    let by = Digest::of(format!("{keys:?}").as_bytes());
    let opened = on_all_cores(&kept, |bytes| match done.has(&by, bytes) {
        true => KeptCheckpoint::read_unverified(bytes),
        false => KeptCheckpoint::open(bytes, &keys),
    });
    done.add(&by, kept.iter().zip(&opened).filter(|(_, o)| o.is_ok()).map(|(bytes, _)| *bytes))?;
    opened.into_iter().for_each(|opened| audit.push_history(opened));
    Ok(bundles.len() == HISTORY_BATCH)
}

/// All evidence that the ledger received, verified on all cores.
fn check_evidence(
    output: &Output,
    source: &dyn Source,
    audit: &mut LedgerAudit<'_>,
    by: &Validation<'_>,
    done: &mut Done,
) -> Result<(), Failure> {
    let names = source.evidence_names()?;
    let verifier = EvidenceVerifier::new(by);
    // Evidence brings its seal along, and the policy says which are believed.
    let any = Digest::of(b"evidence");
    let progress = output.count_bar(names.len() as u64, output.t("evidence", "证据"));
    for batch in names.chunks(EVIDENCE_BATCH) {
        let read = on_all_cores(batch, |name| {
            let bytes = source.evidence(name)?;
            let checked = match done.has(&any, &bytes) {
                true => CheckedEvidence::trusted(&format!("evidence/{name}"), &bytes),
                false => CheckedEvidence::check(&format!("evidence/{name}"), &bytes, &verifier),
            };
            Ok::<_, Failure>((checked, bytes))
        });
        let read = read.into_iter().collect::<Result<Vec<_>, _>>()?;
        done.add(&any, read.iter().filter(|(c, _)| c.holds()).map(|(_, bytes)| bytes.as_slice()))?;
        progress.inc(read.len() as u64);
        read.into_iter().for_each(|(checked, _)| audit.push_evidence(checked));
    }
    progress.finish_and_clear();
    Ok(())
}

/// The size that the checkpoint seals, or 0 when it is not sealed (the audit says so).
fn sealed_size(chain: &[Certificate], note: &str) -> u64 {
    let key = chain.first().and_then(|seal| LogKey::of_seal(seal).ok());
    let signed = key.and_then(|key| SignedCheckpoint::open(note, &key).ok());
    signed.map_or(0, |signed| signed.checkpoint.size)
}

fn print(output: &Output, report: &AuditReport) {
    let sub = report.sub_indication.map_or_else(String::new, |s| format!("  {}", name(s)));
    println!("{}{sub}  {}", report.indication.name(), report.agency);
    println!(
        "  {} {}; {} {}; {} {}",
        report.entries,
        output.t("entries", "条目"),
        report.evidence,
        output.t("pieces of evidence", "份证据"),
        report.held_receipts,
        output.t("receipts held by others", "份他方持有的回执")
    );
    println!(
        "  {} {}; {} {}; {} {}",
        report.checkpoints,
        output.t("checkpoints of the history", "个历史检查点"),
        report.witnesses.len(),
        output.t("witnesses", "个见证人"),
        report.cosignatures,
        output.t("cosignatures of the history", "个历史见证签名")
    );
    if report.contents + report.purged > 0 {
        println!(
            "  {} {}; {} {}",
            report.contents,
            output.t("contents", "份内容"),
            report.purged,
            output.t("purged by order", "份依令清除")
        );
    }
    report.findings.iter().for_each(|finding| print_finding(output, finding));
    if report.more_findings > 0 {
        println!("  … {} {}", report.more_findings, output.t("more", "项未列出"));
    }
    println!(
        "  {} {}; {}",
        output.t("certificates validated at", "证书验证时间"),
        time(report.validation_time),
        match report.revocation_checked {
            true => output.t("revocation was checked", "已检查吊销状态"),
            false => output.t("revocation was not checked", "未检查吊销状态"),
        }
    );
    if let Some(sub) = report.sub_indication {
        print_advice(output, sub);
    }
}
