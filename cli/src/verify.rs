//! `chancery verify`: documents and their evidence, offline.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use chancery_bus::NodeError;
use chancery_protocol::{
    CONTENT_MAGIC, ContentOpener, Evidence, EvidenceVerifier, FilingReceipt, FilingReceiptFile,
    Finding, ForkProof, Indication, Opening, ProtocolError, SignatureReport, SignedDocument,
    SubIndication, Validation, VerificationReport, verify_document_by,
};
use chancery_store::StoreError;
use chancery_store::files::{members, open_member, read_file, read_member};

use crate::{
    draft::{digest_of, each_piece},
    failure::Failure,
    output::{Output, plain, time},
    place::{DOCUMENT, PARTS, Place, Placed, first_bytes},
    source::shown_name,
    trust::{MaterialArgs, TrustArgs},
};

/// The folder of the evidence beside a document.
const EVIDENCE: &str = "evidence";
/// Documents that are verified before their verdicts are shown.
const BATCH: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ReportForm {
    /// A page by itself, on standard output
    Html,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  chancery verify received --anchor root.pem
  chancery verify received --anchor root.pem --crl root.crl --crl zj.crl
  chancery verify a/document.cose b.chy c.asice --anchor root.pem --at 2026-03-31T00:00:00Z --json
  chancery verify received --anchor root.pem --report html > report.html
A document is a folder as `chancery open` writes it, its document.cose with `parts/` and `evidence/` beside
it, one file with its parts (`doc sign --attached`), or an ASiC-E container with CAdES signatures. A file
*.fork is the proof that a ledger was forked, a file *.receipt what a party keeps of what it has filed. The network is never used. Exit 0: all passed; 1: one failed; 5: none failed and one is indeterminate.")]
pub(crate) struct Verify {
    /// Folders or files
    #[arg(required = true, value_name = "DOCUMENT")]
    documents: Vec<PathBuf>,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    material: MaterialArgs,
    /// Print a report for people to keep
    #[arg(long, value_enum, value_name = "FORM", conflicts_with = "json")]
    report: Option<ReportForm>,
}

impl Verify {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let trust = self.trust.store()?;
        let material = self.material.read()?;
        let by = material.validation(&trust, self.trust.at());
        let progress = output.count_bar(self.documents.len() as u64, output.t("verifying", "验证"));
        let mut worst = Indication::TotalPassed;
        let mut reports = Vec::new();
        for batch in self.documents.chunks(BATCH) {
            for (path, verdict) in batch.iter().zip(verify_all(batch, &by, output)) {
                let verdict = verdict?;
                worst = worst.max(verdict.indication());
                progress.inc(1);
                if output.json || self.report.is_some() {
                    reports.push(verdict.json(path, by.trust.is_lenient()));
                } else {
                    progress.suspend(|| verdict.print(output, path));
                    self.trust.note_lenience(output);
                }
            }
        }
        progress.finish_and_clear();
        let whole = serde_json::json!({
            "indication": worst.name(), "lenient": self.trust.is_lenient(), "documents": reports,
        });
        if output.json {
            output.print_json(&whole);
        } else if self.report.is_some() {
            print!("{}", crate::report::html(&whole, output));
        }
        Ok(ExitCode::from(worst.exit_code()))
    }
}

/// The verdict on one file.
enum Verdict {
    /// It is the proof that a ledger was forked, and holds: a verdict on that ledger.
    Forked { agency: String, sizes: (u64, u64) },
    /// It is such a proof, and shows nothing.
    NoFork(String),
    /// It is the receipt of something that was filed, and shows it.
    Filed { receipt: FilingReceipt, report: Box<VerificationReport> },
    /// It is a document.
    Report { title: String, report: Box<VerificationReport> },
    /// It cannot be read as one.
    Unreadable(String),
    /// It may be one, of a form that is not read here.
    NotRead(String),
}

/// Verifies documents on all cores; the verdicts come back in order.
fn verify_all(
    batch: &[PathBuf],
    by: &Validation<'_>,
    output: &Output,
) -> Vec<Result<Verdict, Failure>> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let each = batch.len().div_ceil(cores).max(1);
    let one = |path: &PathBuf| verify_one(path, by, output);
    std::thread::scope(|scope| {
        let workers: Vec<_> = batch
            .chunks(each)
            .map(|paths| scope.spawn(move || paths.iter().map(one).collect::<Vec<_>>()))
            .collect();
        let joined = workers.into_iter().map(|worker| worker.join().expect("no check panics"));
        joined.flatten().collect()
    })
}

fn verify_one(path: &Path, by: &Validation<'_>, output: &Output) -> Result<Verdict, Failure> {
    if !path.is_dir() && crate::asic::is_container(path)? {
        return Ok(match crate::asic::verify(path, by)? {
            Ok(report) => {
                let title = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                Verdict::Report { title, report: Box::new(report) }
            }
            Err(error @ ProtocolError::Unsupported(_)) => Verdict::NotRead(error.to_string()),
            Err(error) => Verdict::Unreadable(error.to_string()),
        });
    }
    if path.extension().is_some_and(|e| e == "fork") {
        let proof = match ForkProof::decode(&read_file(path)?) {
            Ok(proof) => proof,
            Err(error) => return Ok(Verdict::Unreadable(error.to_string())),
        };
        return Ok(match proof.verify(&by.scrutiny()) {
            Ok((first, second)) => Verdict::Forked {
                agency: proof.agency.to_string(),
                sizes: (first.checkpoint.size, second.checkpoint.size),
            },
            Err(error) => Verdict::NoFork(error.to_string()),
        });
    }
    if path.extension().is_some_and(|e| e == "receipt") {
        let read = FilingReceiptFile::decode(&read_file(path)?);
        return Ok(match read.and_then(|file| file.verify(by)) {
            Ok((receipt, report)) => Verdict::Filed { receipt, report: Box::new(report) },
            Err(error) => Verdict::Unreadable(error.to_string()),
        });
    }
    if path.is_dir()
        && let Err(error) = open_member(&path.join(DOCUMENT))
        && error.is_out_of_place()
    {
        return Ok(Verdict::Unreadable(error.to_string()));
    }
    let placed = match Placed::read(path) {
        Ok(placed) => placed,
        // A file that is there and is no document fails; one that is not there is a mistake.
        Err(failure) if failure.code.starts_with("CHY-4") => return Err(failure),
        Err(failure) => return unlike_ours(path, failure),
    };
    let document = &placed.document;
    let mut report = verify_document_by(document, by);
    match &placed.place {
        Place::Folder { folder, .. } => check_folder(&mut report, document, folder, by, output)?,
        Place::Attached { file, .. } => check_attached(&mut report, document, file, output)?,
    }
    let title = document.header().title.clone();
    Ok(Verdict::Report { title, report: Box::new(report) })
}

/// What to say of a file that cannot be read as a document: what it is, where that can be seen.
fn unlike_ours(path: &Path, failure: Failure) -> Result<Verdict, Failure> {
    let path = if path.is_dir() { path.join(DOCUMENT) } else { path.to_owned() };
    let first = first_bytes(&path)?;
    let first = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&first);
    let known = [
        (&b"%PDF-"[..], "a PDF; signatures inside of PDFs (PAdES) are not read here"),
        (b"<", "an XML or HTML file; signatures inside of them (XAdES) are not read here"),
    ];
    let known = known.into_iter().find(|(start, _)| first.starts_with(start));
    if let Some((_, what)) = known {
        return Ok(Verdict::NotRead(format!("{}: it is {what}", path.display())));
    }
    // The tag of COSE_Sign (RFC 9052 §2), or the mark of a document with its parts.
    if first.starts_with(&[0xd8, 0x62]) || first == CONTENT_MAGIC {
        return Ok(Verdict::Unreadable(failure.message));
    }
    let what = "it is no signed document of Chancery, and no ASiC container";
    Ok(Verdict::Unreadable(format!("{}: {what}", path.display())))
}

fn check_folder(
    report: &mut VerificationReport,
    document: &SignedDocument,
    folder: &Path,
    by: &Validation<'_>,
    output: &Output,
) -> Result<(), Failure> {
    // A link, or anything else, in the place of the folder holds none of them.
    let files = in_place(members(&folder.join(PARTS)))?;
    let size = document.header().parts_size();
    let progress = output.bytes_bar(size, output.t("reading", "读取"));
    for part in &document.header().parts {
        // The name was checked to be a plain file name when the header was decoded.
        let file = folder.join(PARTS).join(&part.name);
        let open = match file.symlink_metadata() {
            Ok(_) if files.is_some() => in_place(open_member(&file))?,
            _ => None,
        };
        let found = open.map(|open| digest_of(open, &file, &progress)).transpose()?;
        report.check_part(part, found.map(|(_, digest)| digest));
    }
    progress.finish_and_clear();
    if files.is_none() {
        report.unsigned_content(PARTS);
    }
    for file in files.unwrap_or_default() {
        // As bytes: names that only look alike when they are shown are not the same.
        let name = file.file_name().unwrap_or_default();
        if !document.header().parts.iter().any(|part| part.name.as_str() == name) {
            report.unsigned_content(&shown_name(&file));
        }
    }
    check_folder_evidence(report, folder, by)
}

fn check_folder_evidence(
    report: &mut VerificationReport,
    folder: &Path,
    by: &Validation<'_>,
) -> Result<(), Failure> {
    let verifier = EvidenceVerifier::new(by);
    let Some(files) = in_place(members(&folder.join(EVIDENCE)))? else {
        report.unreadable_evidence(EVIDENCE, "it is no folder");
        return Ok(());
    };
    for file in files {
        let name = shown_name(&file);
        let Some(bytes) = in_place(read_member(&file))? else {
            report.unreadable_evidence(&name, "it is no plain file, or too large for one");
            continue;
        };
        match Evidence::decode(&bytes) {
            Ok(evidence) => drop(report.check_evidence(&evidence, &verifier)),
            Err(error) => report.unreadable_evidence(&name, error),
        }
    }
    Ok(())
}

/// What was read; nothing where something else stands than is to be read, which is for the verdict to say.
fn in_place<T>(read: Result<T, StoreError>) -> Result<Option<T>, Failure> {
    match read {
        Err(error) if error.is_out_of_place() => Ok(None),
        read => Ok(Some(read?)),
    }
}

/// The parts behind a document in one file.
fn check_attached(
    report: &mut VerificationReport,
    document: &SignedDocument,
    file: &Path,
    output: &Output,
) -> Result<(), Failure> {
    let parts = &document.header().parts;
    let size = file.metadata().map_err(NodeError::file(file))?.len();
    let progress = output.bytes_bar(size, output.t("reading", "读取"));
    let (mut opener, mut done, mut altered) = (ContentOpener::default(), 0, None);
    let mut trailing = false;
    each_piece(file, |bytes| {
        progress.inc(bytes.len() as u64);
        if altered.is_some() || trailing {
            return Ok(());
        }
        let pushed = opener.push(bytes, |event| {
            if let Opening::PartEnd { index } = event {
                done = index + 1;
            }
            Ok::<_, ProtocolError>(())
        });
        match pushed {
            Ok(()) => {}
            Err(ProtocolError::PartDigest { found, .. }) => altered = Some(found),
            Err(_) => trailing = true,
        }
        Ok(())
    })?;
    progress.finish_and_clear();
    for (index, part) in parts.iter().enumerate() {
        let found = match altered {
            _ if index < done => Some(part.digest),
            Some(found) if index == done => Some(found),
            _ => None,
        };
        report.check_part(part, found);
    }
    if trailing {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        report.unsigned_content(&name);
    }
    Ok(())
}

impl Verdict {
    fn indication(&self) -> Indication {
        match self {
            Self::Report { report, .. } | Self::Filed { report, .. } => report.indication,
            Self::Unreadable(_) | Self::Forked { .. } => Indication::TotalFailed,
            Self::NoFork(_) | Self::NotRead(_) => Indication::Indeterminate,
        }
    }

    fn json(&self, path: &Path, lenient: bool) -> serde_json::Value {
        match self {
            Self::Report { report, title } => {
                // Every field is plain data; it always has a JSON form.
                let mut value = serde_json::to_value(report).unwrap_or_default();
                if let Some(object) = value.as_object_mut() {
                    object.insert("path".into(), path.to_string_lossy().into());
                    object.insert("title".into(), title.as_str().into());
                    object.insert("lenient".into(), lenient.into());
                }
                value
            }
            Self::Filed { receipt, report } => {
                let mut value = serde_json::to_value(report).unwrap_or_default();
                if let Some(object) = value.as_object_mut() {
                    object.insert("path".into(), path.to_string_lossy().into());
                    object.insert("title".into(), shown_name(path).into());
                    object.insert("lenient".into(), lenient.into());
                    object.insert("receipt".into(), serde_json::json!(receipt));
                }
                value
            }
            Self::Forked { agency, .. } => {
                let (en, zh) = self.fork_sentences();
                serde_json::json!({
                    "path": path, "agency": agency, "indication": Indication::TotalFailed,
                    "sub_indication": SubIndication::LedgerForked, "sentence": en, "sentence_zh": zh,
                })
            }
            Self::NoFork(_) => {
                let (en, zh) = self.fork_sentences();
                serde_json::json!({
                    "path": path, "indication": Indication::Indeterminate,
                    "sub_indication": SubIndication::EvidenceFailure, "sentence": en, "sentence_zh": zh,
                })
            }
            Self::Unreadable(why) | Self::NotRead(why) => serde_json::json!({
                "path": path, "indication": self.indication(),
                "sub_indication": self.unread(), "sentence": why,
                "sentence_zh": format!("文件无法读取：{why}"),
            }),
        }
    }

    /// Why a file was not read.
    fn unread(&self) -> SubIndication {
        match self {
            Self::NotRead(_) => SubIndication::NotSupported,
            _ => SubIndication::FormatFailure,
        }
    }

    /// What a fork proof says, in English and Chinese.
    fn fork_sentences(&self) -> (String, String) {
        match self {
            Self::Forked { agency, sizes: (first, second) } => (
                format!(
                    "the ledger of {agency} is forked: its seal has signed two histories, of {first} and \
                     of {second} entries, that exclude each other"
                ),
                format!(
                    "{agency} 的账本已分叉：其印章签署了互相排斥的两段历史，分别为 {first} 条和 {second} 条"
                ),
            ),
            Self::NoFork(why) => {
                (format!("the file shows no fork: {why}"), format!("该文件不能证明分叉：{why}"))
            }
            _ => Default::default(),
        }
    }

    fn print(&self, output: &Output, path: &Path) {
        let (title, report, receipt) = match self {
            Self::Forked { .. } | Self::NoFork(_) => {
                let (mark, sub) = match self {
                    Self::Forked { .. } => ("✗", SubIndication::LedgerForked),
                    _ => ("?", SubIndication::EvidenceFailure),
                };
                println!("{}  {}  {}", self.indication().name(), name(sub), path.display());
                let (en, zh) = self.fork_sentences();
                println!("  {mark} {}", plain(output.t(&en, &zh)));
                print_advice(output, sub);
                return;
            }
            Self::Unreadable(why) | Self::NotRead(why) => {
                let sub = self.unread();
                println!("{}  {}  {}", self.indication().name(), name(sub), path.display());
                let mark = if matches!(self, Self::NotRead(_)) { "?" } else { "✗" };
                println!("  {mark} {}", plain(why));
                print_advice(output, sub);
                return;
            }
            Self::Filed { receipt, report } => (shown_name(path), report, Some(receipt)),
            Self::Report { title, report } => (title.clone(), report, None),
        };
        let sub = report.sub_indication.map_or_else(String::new, |s| format!("  {}", name(s)));
        println!("{}{sub}  {}", report.indication.name(), plain(&title));
        if let Some(receipt) = receipt {
            print_receipt(output, receipt);
        }
        if let Some(document) = &report.document {
            println!("  {} {document}", output.t("document", "文件编号"));
        }
        for signature in &report.signatures {
            print_signature(output, signature, output.t("signature", "签名"));
            for counter in &signature.countersignatures {
                print_signature(output, counter, output.t("countersignature", "会签"));
            }
        }
        let findings = report.findings.iter().chain(&report.evidence);
        findings.for_each(|finding| print_finding(output, finding));
        let checked = match report.revocation_checked {
            true => output.t("revocation was checked", "已检查吊销状态"),
            false => output.t("revocation was not checked", "未检查吊销状态"),
        };
        println!(
            "  {} {}; {} {}; {checked}",
            output.t("level", "级别"),
            report.level.name(),
            output.t("certificates validated at", "证书验证时间"),
            time(report.validation_time),
        );
        if let Some(sub) = report.sub_indication {
            print_advice(output, sub);
        }
    }
}

/// What an agency's receipt says.
pub(crate) fn print_receipt(output: &Output, receipt: &FilingReceipt) {
    println!("  {} {}", output.t("filed with", "受理机关"), receipt.agency);
    println!("  {} {}", output.t("filed at", "提交时间"), time(receipt.time));
    println!("  {} {}", output.t("entry", "账本条目"), receipt.entry);
    if receipt.one_copy {
        let words = output.t(
            "one copy: nobody but the agency has the document yet; keep yours",
            "仅有一份：除受理机关外尚无他方持有该文件，请自行保存",
        );
        println!("  ! {words}");
    }
}

fn print_signature(output: &Output, signature: &SignatureReport, what: &str) {
    let signer = signature.display.as_deref().unwrap_or("?");
    let commitment = signature.commitment.unwrap_or("-");
    let claimed = signature.signing_time.map_or_else(|| "-".to_owned(), time);
    let (algorithm, level) = (signature.algorithm, signature.level.name());
    println!("  {what}: {} ({commitment}, {algorithm}, {claimed}, {level})", plain(signer));
    print_finding(output, &signature.finding);
    signature.time_stamps.iter().for_each(|stamp| print_finding(output, &stamp.finding));
    signature.notes.iter().for_each(|note| print_finding(output, note));
}

/// The sub-indication's name in the standard.
pub(crate) fn name(sub: SubIndication) -> String {
    // A plain enum: its JSON form is its name.
    let value = serde_json::to_value(sub).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

pub(crate) fn print_finding(output: &Output, finding: &Finding) {
    let mark = match finding.indication {
        Indication::TotalPassed => "✓",
        Indication::Indeterminate => "?",
        Indication::TotalFailed => "✗",
    };
    let sentence = finding.say(output.language());
    println!("  {mark} {}", plain(&sentence));
}

pub(crate) fn print_advice(output: &Output, sub: SubIndication) {
    let (en, zh) = sub.explain();
    println!("  → {}", output.t(en, zh));
}
