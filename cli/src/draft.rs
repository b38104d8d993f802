//! What a clerk's document is made of, before it is signed.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use chancery_bus::NodeError;
use chancery_certs::AgencyName;
use chancery_crypto::{Digest, Hasher};
use chancery_ledger::unix_now;
use chancery_protocol::{Classification, DocumentHeader, DocumentId, Part, Urgency};
use chancery_store::files::{open_file, open_member};

use crate::{
    failure::Failure,
    output::{Output, parse_time},
};

/// Bytes read from a file at once.
const READ: usize = 512 * 1024;

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum UrgencyArg {
    /// 平件
    #[value(alias = "平件")]
    Routine,
    /// 加急
    #[value(alias = "加急")]
    Urgent,
    /// 特急
    #[value(alias = "特急")]
    Flash,
}

impl From<UrgencyArg> for Urgency {
    fn from(urgency: UrgencyArg) -> Self {
        match urgency {
            UrgencyArg::Routine => Self::Routine,
            UrgencyArg::Urgent => Self::Urgent,
            UrgencyArg::Flash => Self::Flash,
        }
    }
}

/// What a document is made of.
#[derive(Debug, clap::Args)]
pub(crate) struct Draft {
    /// The files of the document, main text first
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub heading: Heading,
}

/// What stands over a document.
#[derive(Debug, clap::Args)]
pub(crate) struct Heading {
    /// Main recipients (主送), of a new document
    #[arg(long, num_args = 1.., value_name = "AGENCY")]
    to: Vec<AgencyName>,
    /// Copies (抄送)
    #[arg(long, num_args = 1.., value_name = "AGENCY")]
    cc: Vec<AgencyName>,
    /// The document type, such as 通知 or notice, of a new document
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// The title of a new document
    #[arg(long)]
    title: Option<String>,
    /// The document number, such as 浙司〔2026〕12号
    #[arg(long)]
    number: Option<String>,
    /// The classification (密级): 绝密, 机密, 秘密, 内部 or none; with a secrecy period also 机密★10年
    #[arg(long, value_name = "LEVEL")]
    classification: Option<String>,
    /// The secrecy period (保密期限), such as 10年, 2030年12月31日 or 长期
    #[arg(long, value_name = "TERM")]
    secrecy_period: Option<String>,
    /// How urgent it is
    #[arg(long, value_enum, default_value = "routine")]
    urgency: UrgencyArg,
    /// Until when an answer is wanted, RFC 3339
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    deadline: Option<i64>,
    /// The document that this one answers
    #[arg(long, value_name = "ID")]
    reply_to: Option<DocumentId>,
}

/// The media type of a file, by its name's ending.
fn media_type(path: &Path) -> &'static str {
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    match ending.to_ascii_lowercase().as_str() {
        "pdf" => "application/pdf",
        "ofd" => "application/ofd",
        "txt" => "text/plain",
        "md" => "text/markdown",
        "html" => "text/html",
        "xml" => "application/xml",
        "json" => "application/json",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "mp4" => "video/mp4",
        "zip" => "application/zip",
        _ => "application/octet-stream",
    }
}

/// Reads a file that somebody named, piece by piece.
pub(crate) fn each_piece(
    path: &Path,
    take: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    each_piece_of(open_file(path)?, path, take)
}

/// Reads an open file, piece by piece.
pub(crate) fn each_piece_of(
    mut file: File,
    path: &Path,
    mut take: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    let mut buffer = vec![0; READ];
    let mut total = 0;
    loop {
        let read = file.read(&mut buffer).map_err(NodeError::file(path))?;
        match buffer.get(..read) {
            Some(bytes) if !bytes.is_empty() => take(bytes)?,
            _ => return Ok(total),
        }
        total += read as u64;
    }
}

/// The digest of a file in a folder, read piece by piece.
pub(crate) fn digest_member(
    path: &Path,
    progress: &indicatif::ProgressBar,
) -> Result<(u64, Digest), Failure> {
    digest_of(open_member(path)?, path, progress)
}

/// The digest of an open file, read piece by piece.
pub(crate) fn digest_of(
    file: File,
    path: &Path,
    progress: &indicatif::ProgressBar,
) -> Result<(u64, Digest), Failure> {
    let mut hasher = Hasher::new();
    let size = each_piece_of(file, path, |bytes| {
        hasher.update(bytes);
        progress.inc(bytes.len() as u64);
        Ok(())
    })?;
    Ok((size, hasher.finish()))
}

fn file_size(path: &Path) -> Result<u64, Failure> {
    Ok(open_file(path)?.metadata().map_err(NodeError::file(path))?.len())
}

impl Draft {
    /// Fills in what was not given: recipients, type, title and classification.
    pub(crate) fn fill(
        &mut self,
        to: Vec<AgencyName>,
        kind: &str,
        title: String,
        secrecy: (Option<String>, Option<String>),
    ) {
        let heading = &mut self.heading;
        // What an answer repeats of a secret is as secret as that, unless its author says otherwise.
        if heading.classification.is_none() && heading.secrecy_period.is_none() {
            (heading.classification, heading.secrecy_period) = secrecy;
        }
        if heading.to.is_empty() {
            heading.to = to;
        }
        heading.kind.get_or_insert_with(|| kind.to_owned());
        heading.title.get_or_insert(title);
    }

    /// Says which document it answers, unless that was given.
    pub(crate) fn answer(&mut self, document: DocumentId) {
        self.heading.reply_to.get_or_insert(document);
    }

    /// Reads the files and makes the header that is to be signed.
    pub(crate) fn header(
        &self,
        from: &AgencyName,
        output: &Output,
    ) -> Result<DocumentHeader, Failure> {
        let heading = &self.heading;
        let (Some(kind), Some(title), false) =
            (&heading.kind, &heading.title, heading.to.is_empty())
        else {
            let what = "a new document needs --to, --type and --title";
            let remedy = "Give all three; `--help` shows examples.";
            return Err(Failure::usage("CHY-6031", what, remedy));
        };
        let (module, kind) = chancery_apps::find_type(kind)?;
        let secrecy = match &heading.classification {
            Some(said) => said.parse::<Classification>()?,
            None => Classification::default(),
        };
        let secrecy = match &heading.secrecy_period {
            Some(term) => secrecy.with_term(term)?,
            None => secrecy,
        };
        let sizes = self.files.iter().map(|p| file_size(p)).collect::<Result<Vec<_>, _>>()?;
        let progress = output.bytes_bar(sizes.iter().sum(), output.t("reading", "读取"));
        let mut parts = Vec::new();
        for path in &self.files {
            let (size, digest) = digest_of(open_file(path)?, path, &progress)?;
            let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
                let what = "its name is not UTF-8";
                Failure::usage("CHY-6007", what, "Rename the file.").at(path)
            })?;
            let media_type = media_type(path).to_owned();
            parts.push(Part { name: name.to_owned(), media_type, size, digest });
        }
        progress.finish_and_clear();
        Ok(DocumentHeader {
            kind: kind.zh,
            number: heading.number.clone(),
            title: title.clone(),
            from: from.clone(),
            to: heading.to.clone(),
            cc: heading.cc.clone(),
            classification: secrecy.level_field(),
            secrecy_period: secrecy.term,
            urgency: heading.urgency.into(),
            created: unix_now(),
            deadline: heading.deadline,
            in_reply_to: heading.reply_to,
            module: module.name,
            fields: BTreeMap::new(),
            crit: Vec::new(),
            filing: None,
            form: Default::default(),
            parts,
            nonce: Digest::from_bytes(chancery_crypto::random()?),
        })
    }
}
