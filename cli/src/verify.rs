//! `chancery verify`: documents and their evidence, offline.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use chancery_certs::TrustStore;
use chancery_node::{NodeError, read_file};
use chancery_protocol::{
    Evidence, Finding, Indication, SignedDocument, SubIndication, VerificationReport,
    verify_document,
};

use crate::{
    draft::digest_file,
    failure::Failure,
    output::{Output, plain, time},
    trust::TrustArgs,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  chancery verify received --anchor root.pem
  chancery verify a/document.cose b/document.cose --anchor root.pem --at 2026-03-31T00:00:00Z --json
A document is a folder as `chancery open` writes it, or its document.cose, with `parts/` and
`evidence/` beside it. The network is never used. Exit 0: all passed; 1: one failed; 5: none failed
and one is indeterminate.")]
pub struct Verify {
    /// Folders or document.cose files
    #[arg(required = true, value_name = "DOCUMENT")]
    documents: Vec<PathBuf>,
    #[command(flatten)]
    trust: TrustArgs,
}

impl Verify {
    pub fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let trust = self.trust.store()?;
        let at = self.trust.at();
        let progress = output.count_bar(self.documents.len() as u64, output.t("verifying", "验证"));
        let mut worst = Indication::TotalPassed;
        let mut reports = Vec::new();
        for path in &self.documents {
            let verdict = verify_one(path, &trust, at)?;
            worst = worst.max(verdict.indication());
            progress.inc(1);
            if output.json {
                reports.push(verdict.json(path));
            } else {
                progress.suspend(|| verdict.print(output, path));
            }
        }
        progress.finish_and_clear();
        if output.json {
            output.print_json(&serde_json::json!({
                "indication": worst.name(), "documents": reports,
            }));
        }
        Ok(ExitCode::from(worst.exit_code()))
    }
}

/// The verdict on one file.
enum Verdict {
    /// It is a document.
    Report { title: String, report: Box<VerificationReport> },
    /// It cannot be read as one.
    Unreadable(String),
}

fn verify_one(path: &Path, trust: &TrustStore, at: i64) -> Result<Verdict, Failure> {
    let (cose, folder) = if path.is_dir() {
        (path.join("document.cose"), path.to_owned())
    } else {
        (path.to_owned(), path.parent().unwrap_or(Path::new(".")).to_owned())
    };
    let document = match SignedDocument::decode(&read_file(&cose)?) {
        Ok(document) => document,
        Err(error) => return Ok(Verdict::Unreadable(error.to_string())),
    };
    let mut report = verify_document(&document, trust, at);
    let hidden = indicatif::ProgressBar::hidden();
    for part in &document.header().parts {
        // The name was checked to be a plain file name when the header was decoded.
        let file = folder.join("parts").join(&part.name);
        let found = if file.exists() { Some(digest_file(&file, &hidden)?.1) } else { None };
        report.check_part(part, found);
    }
    for file in files_in(&folder.join("parts"))? {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if !document.header().parts.iter().any(|part| part.name == name) {
            report.unsigned_content(&name);
        }
    }
    for file in files_in(&folder.join("evidence"))? {
        match Evidence::decode(&read_file(&file)?) {
            Ok(evidence) => drop(report.check_evidence(&evidence, trust)),
            Err(error) => {
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                report.unreadable_evidence(&name, &error);
            }
        }
    }
    let title = document.header().title.clone();
    Ok(Verdict::Report { title, report: Box::new(report) })
}

/// The files of a folder, in the order of their names; none when there is no folder.
pub fn files_in(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(folder).map_err(NodeError::file(folder))?;
    let mut files = entries
        .map(|entry| entry.map(|e| e.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(NodeError::file(folder))?;
    files.sort();
    Ok(files)
}

impl Verdict {
    fn indication(&self) -> Indication {
        match self {
            Self::Report { report, .. } => report.indication,
            Self::Unreadable(_) => Indication::TotalFailed,
        }
    }

    fn json(&self, path: &Path) -> serde_json::Value {
        match self {
            Self::Report { report, title } => {
                // Every field is plain data; it always has a JSON form.
                let mut value = serde_json::to_value(report).unwrap_or_default();
                if let Some(object) = value.as_object_mut() {
                    object.insert("path".into(), path.to_string_lossy().into());
                    object.insert("title".into(), title.as_str().into());
                }
                value
            }
            Self::Unreadable(why) => serde_json::json!({
                "path": path, "indication": Indication::TotalFailed,
                "sub_indication": SubIndication::FormatFailure, "sentence": why,
            }),
        }
    }

    fn print(&self, output: &Output, path: &Path) {
        let (title, report) = match self {
            Self::Unreadable(why) => {
                println!("TOTAL-FAILED  FORMAT_FAILURE  {}", path.display());
                println!("  ✗ {why}");
                print_advice(output, SubIndication::FormatFailure);
                return;
            }
            Self::Report { title, report } => (title, report),
        };
        let sub = report.sub_indication.map_or_else(String::new, |s| format!("  {}", name(s)));
        println!("{}{sub}  {}", report.indication.name(), plain(title));
        println!("  {} {}", output.t("document", "文件编号"), report.document);
        for signature in &report.signatures {
            let signer = signature.display.as_deref().unwrap_or("?");
            let commitment = signature.commitment.unwrap_or("-");
            let claimed = signature.signing_time.map_or_else(|| "-".to_owned(), time);
            let what = output.t("signature", "签名");
            println!(
                "  {what}: {} ({commitment}, {}, {claimed})",
                plain(signer),
                signature.algorithm
            );
            print_finding(&signature.finding);
        }
        report.findings.iter().chain(&report.evidence).for_each(print_finding);
        let level = output.t("level", "级别");
        println!(
            "  {level} {}; {} {}; {}",
            report.level,
            output.t("certificates validated at", "证书验证时间"),
            time(report.validation_time),
            output.t("revocation was not checked", "未检查吊销状态")
        );
        if let Some(sub) = report.sub_indication {
            print_advice(output, sub);
        }
    }
}

/// The sub-indication's name in the standard.
pub fn name(sub: SubIndication) -> String {
    // A plain enum: its JSON form is its name.
    let value = serde_json::to_value(sub).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

pub fn print_finding(finding: &Finding) {
    let mark = match finding.indication {
        Indication::TotalPassed => "✓",
        Indication::Indeterminate => "?",
        Indication::TotalFailed => "✗",
    };
    println!("  {mark} {}", plain(&finding.sentence));
}

pub fn print_advice(output: &Output, sub: SubIndication) {
    let (en, zh) = sub.explain();
    println!("  → {}", output.t(en, zh));
}
