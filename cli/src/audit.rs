//! `chancery audit`: whole ledgers, offline.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use chancery_certs::{Certificate, TrustStore};
use chancery_node::read_file;
use chancery_protocol::{
    AuditReport, Evidence, HeldReceipt, Indication, LedgerAudit, LogKey, SignedCheckpoint,
    merkle::leaf_hash,
    tile::{TILE_WIDTH, Tile, TileEdge, entries, entries_path, tile_path},
};

use crate::{
    failure::Failure,
    keys::read_chain,
    output::{Output, time},
    trust::TrustArgs,
    verify::{files_in, name, print_advice, print_finding},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  chancery audit ledger-hz --anchor root.pem
  chancery audit ledger-hz --against ledger-nb --against received --anchor root.pem
Each ledger is a folder as `chancery ledger export` writes it. --against takes other exports, opened
documents, or evidence files: every receipt in them that the audited ledger gave must be true of it.
Exit 0: passed; 1: failed; 5: indeterminate.")]
pub struct Audit {
    /// Exported ledgers
    #[arg(required = true, value_name = "EXPORT")]
    ledgers: Vec<PathBuf>,
    /// What others hold: exports, opened documents or evidence files (may be given several times)
    #[arg(long, value_name = "PATH")]
    against: Vec<PathBuf>,
    #[command(flatten)]
    trust: TrustArgs,
}

impl Audit {
    pub fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let trust = self.trust.store()?;
        let mut held = Vec::new();
        for path in self.against.iter().chain(&self.ledgers) {
            collect_held(path, &mut held)?;
        }
        let mut worst = Indication::TotalPassed;
        let mut reports = Vec::new();
        for folder in &self.ledgers {
            let report = audit_one(output, folder, held.clone(), &trust, self.trust.at())?;
            worst = worst.max(report.indication);
            if output.json {
                reports.push(serde_json::to_value(&report).unwrap_or_default());
            } else {
                print(output, &report);
            }
        }
        if output.json {
            output.print_json(&serde_json::json!({
                "indication": worst.name(), "ledgers": reports,
            }));
        }
        Ok(ExitCode::from(worst.exit_code()))
    }
}

/// The receipts in an export, an opened document or an evidence file.
fn collect_held(path: &Path, held: &mut Vec<HeldReceipt>) -> Result<(), Failure> {
    let files = match path.is_dir() {
        true => files_in(&path.join("evidence"))?,
        false => vec![path.to_owned()],
    };
    // An export is held by the agency whose ledger it is; anything else by whoever gave it.
    let seal = path.join("seal.pem");
    let holder = match seal.exists() {
        true => read_chain(&seal)?.first().map(|c| c.subject().to_owned()),
        false => None,
    };
    let holder = holder.unwrap_or_else(|| path.display().to_string());
    for file in files {
        let evidence =
            Evidence::decode(&read_file(&file)?).map_err(|e| Failure::from(e).at(&file))?;
        held.push(HeldReceipt { holder: holder.clone(), evidence });
    }
    Ok(())
}

fn audit_one(
    output: &Output,
    folder: &Path,
    held: Vec<HeldReceipt>,
    trust: &TrustStore,
    at: i64,
) -> Result<AuditReport, Failure> {
    let chain = read_chain(&folder.join("seal.pem"))?;
    let note_path = folder.join("checkpoint");
    let note = String::from_utf8(read_file(&note_path)?).map_err(|_| {
        let remedy = "Export the ledger again.";
        Failure::usage("CHY-6014", "it is no text", remedy).at(&note_path)
    })?;
    let mut audit = LedgerAudit::begin(&chain, &note, held, trust, at)
        .map_err(|e| Failure::from(e).at(folder))?;
    let size = sealed_size(&chain, &note);
    let progress = output.count_bar(size, output.t("auditing", "审计"));
    let width = TILE_WIDTH as u64;
    let mut bundle = 0;
    let mut edge = TileEdge::default();
    let mut wrong = Vec::new();
    let mut check = |level, index, tile: &Tile| {
        let path = tile_path(level, index, tile.width());
        // A tile that is missing fits no more than one with other hashes.
        if read_file(&folder.join(&path)).ok() != Some(tile.encode()) {
            wrong.push(path);
        }
    };
    // As far as there are entries: more or fewer than the checkpoint seals is for the audit to say.
    while let Some(bytes) = read_bundle(folder, bundle)? {
        for leaf in entries(&bytes).map_err(|e| Failure::from(e).at(folder))? {
            audit.push_leaf(leaf);
            edge.push(leaf_hash(leaf), &mut check);
        }
        progress.set_position((bundle + 1) * width);
        bundle += 1;
    }
    edge.partial().for_each(|(level, index, tile)| check(level, index, tile));
    progress.finish_and_clear();
    wrong.iter().for_each(|path| audit.wrong_tile(path));
    for file in files_in(&folder.join("evidence"))? {
        let shown = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        audit.push_evidence(&shown, &read_file(&file)?);
    }
    Ok(audit.finish())
}

/// The size that the checkpoint seals, or 0 when it is not sealed (the audit says so).
fn sealed_size(chain: &[Certificate], note: &str) -> u64 {
    let key = chain.first().and_then(|seal| LogKey::of_seal(seal).ok());
    let signed = key.and_then(|key| SignedCheckpoint::open(note, &key).ok());
    signed.map_or(0, |signed| signed.checkpoint.size)
}

/// A bundle of entries: the full one, or the widest partial one.
fn read_bundle(folder: &Path, bundle: u64) -> Result<Option<Vec<u8>>, Failure> {
    let full = folder.join(entries_path(bundle, TILE_WIDTH));
    if full.exists() {
        return Ok(Some(read_file(&full)?));
    }
    let partial = (1..TILE_WIDTH).rev().map(|width| folder.join(entries_path(bundle, width)));
    match partial.into_iter().find(|path| path.exists()) {
        Some(path) => Ok(Some(read_file(&path)?)),
        None => Ok(None),
    }
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
    report.findings.iter().for_each(|finding| print_finding(output, finding));
    if report.more_findings > 0 {
        println!("  … {} {}", report.more_findings, output.t("more", "项未列出"));
    }
    println!(
        "  {} {}; {}",
        output.t("certificates validated at", "证书验证时间"),
        time(report.validation_time),
        output.t("revocation was not checked", "未检查吊销状态")
    );
    if let Some(sub) = report.sub_indication {
        print_advice(output, sub);
    }
}
