//! `chancery doc`: signed documents without a node.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use chancery_bus::NodeError;
use chancery_certs::Certificate;
use chancery_crypto::{Commitment, CoseSignature, SignatureAt, UnsignedElement};
use chancery_ledger::unix_now;
use chancery_protocol::{
    CONTENT_MAGIC, ContentOpener, DocumentHeader, Opening, SignedDocument, sign_document,
    unsigned_header,
};
use chancery_store::files::{
    Staged, create_private_file, new_folder, open_file, open_member, write_new, write_private,
};

use crate::{
    draft::{Draft, digest_member, each_piece},
    failure::Failure,
    keys::Signer,
    output::{Output, plain, time},
    place::{DOCUMENT, HEADER, PARTS, Place, Placed, first_bytes, read_draft, write_attached},
    stamping::Stamping,
};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Doc {
    /// Make a document of files that nobody has signed yet, as a new folder
    #[command(after_help = "Example:
  chancery doc new notice.pdf --from justice.hz.gov.cn --to justice.nb.gov.cn --type 通知 --title 关于换届的通知 --out draft
  chancery doc sign draft")]
    New(Box<New>),
    /// Sign a document: a draft or one that others have signed, or files at once
    #[command(after_help = "Examples:
  chancery doc sign draft
  chancery doc sign notice.pdf --to justice.hz.gov.cn --type 通知 --title 关于换届的通知 --out signed
  chancery doc sign draft --attached --out notice.chy --tsa http://tsa.gov.cn:3180/ --with-cades
A document in its folder is signed in place; the signatures that it has stay as they are.")]
    Sign(Box<Sign>),
    /// Countersign a signature (RFC 9338): confirm it, in its place
    #[command(after_help = "Example:
  chancery doc countersign signed --signature 1 --key chen.key --cert chen.pem")]
    Countersign(Countersign),
    /// Add time-stamps, certificates and CRLs to all signatures, so that they last
    #[command(after_help = "Examples:
  chancery doc timestamp signed --tsa http://tsa.gov.cn:3180/
  chancery doc timestamp signed --tsa http://tsa.gov.cn:3180/ --crl root.crl --crl zj.crl
  chancery doc timestamp signed --tsa http://tsa.gov.cn:3180/ --crl root.crl --crl zj.crl --level lta
Level T shows when a signature existed; LT carries what verifies it offline for as long as the authority's
certificate lasts; LTA renews it for longer: repeat it before the newest time-stamp's certificate ends.")]
    Timestamp(Timestamp),
    /// Show what a document says and carries; nothing is verified
    #[command(after_help = "Example:\n  chancery doc show signed")]
    Show {
        /// A folder, its document.cose, or a file with its parts
        #[arg(value_name = "DOCUMENT")]
        document: PathBuf,
    },
    /// Take a document and its parts out of one file into a new folder
    #[command(after_help = "Example:\n  chancery doc extract notice.chy --out notice")]
    Extract {
        /// A file that holds a document and its parts
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// A new folder
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct New {
    #[command(flatten)]
    draft: Draft,
    /// The sending agency
    #[arg(long, value_name = "AGENCY")]
    from: chancery_certs::AgencyName,
    /// A new folder
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum CommitmentArg {
    /// The signer approves its content
    Approval,
    /// The signer made and sent it: an agency's seal
    Origin,
    /// The signer made it
    Creation,
    /// The signer received it (签收)
    Receipt,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Sign {
    #[command(flatten)]
    draft: Draft,
    /// What you declare by signing
    #[arg(long, value_enum, default_value = "approval")]
    commitment: CommitmentArg,
    /// A new folder, or with --attached a new file (default: in place)
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// Write one file that holds the document and its parts
    #[arg(long, requires = "out")]
    attached: bool,
    /// Make a CAdES signature as well, for `chancery export asic`
    #[arg(long)]
    with_cades: bool,
    #[command(flatten)]
    stamping: Stamping,
    #[command(flatten)]
    signer: Signer,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Countersign {
    /// A folder, its document.cose, or a file with its parts
    #[arg(value_name = "DOCUMENT")]
    document: PathBuf,
    /// Which signature, counted from 1
    #[arg(long, value_name = "N", default_value_t = 1)]
    signature: usize,
    #[command(flatten)]
    stamping: Stamping,
    #[command(flatten)]
    signer: Signer,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Timestamp {
    /// A folder, its document.cose, or a file with its parts
    #[arg(value_name = "DOCUMENT")]
    document: PathBuf,
    #[command(flatten)]
    stamping: Stamping,
}

impl Doc {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        match self {
            Self::New(new) => new.run(output),
            Self::Sign(sign) => sign.run(output),
            Self::Countersign(countersign) => countersign.run(output),
            Self::Timestamp(timestamp) => timestamp.run(output),
            Self::Show { document } => show(&document, output),
            Self::Extract { file, out } => extract(&file, &out, output),
        }
    }
}

fn say(output: &Output, word: &str, document: impl serde::Serialize, path: &Path) {
    if output.json {
        output.print_json(&serde_json::json!({ "document": document, "path": path }));
    } else {
        println!("{word} {}", path.display());
    }
}

/// Copies the parts of a document, which somebody named or which lie in a folder, into a folder.
fn copy_parts(
    header: &DocumentHeader,
    files: &[PathBuf],
    named: bool,
    out: &Path,
) -> Result<(), Failure> {
    let parts = out.join(PARTS);
    new_folder(&parts)?;
    for (from, part) in files.iter().zip(&header.parts) {
        let mut source = if named { open_file(from)? } else { open_member(from)? };
        let mut to = create_private_file(&parts.join(&part.name))?;
        let copied = std::io::copy(&mut source, &mut to).and_then(|_| to.sync_all());
        copied.map_err(NodeError::file(from))?;
    }
    Ok(())
}

impl New {
    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let out = &self.out;
        Failure::unless_new(out)?;
        let header = self.draft.header(&self.from, output)?;
        let bytes = unsigned_header::encode(&header)?;
        let staged = Staged::folder(out)?;
        copy_parts(&header, &self.draft.files, true, staged.path())?;
        write_private(&staged.path().join(HEADER), &bytes)?;
        staged.finish()?;
        let id = chancery_crypto::Digest::of(&bytes);
        say(output, output.t("draft", "草稿"), id, out);
        Ok(ExitCode::SUCCESS)
    }
}

/// What is to be signed.
enum Subject {
    /// Files, as a new document.
    Files,
    /// A draft in a folder.
    Draft(Box<DocumentHeader>),
    /// A document that has signatures.
    Signed(Box<Placed>),
}

impl Sign {
    fn subject(&self) -> Result<Subject, Failure> {
        let [path] = self.draft.files.as_slice() else { return Ok(Subject::Files) };
        if let Some(header) = read_draft(path)? {
            return Ok(Subject::Draft(Box::new(header)));
        }
        let document = path.file_name().is_some_and(|name| name == DOCUMENT);
        if path.is_dir() || document || first_bytes(path)? == CONTENT_MAGIC {
            return Placed::read(path).map(|placed| Subject::Signed(Box::new(placed)));
        }
        Ok(Subject::Files)
    }

    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        self.out.as_deref().map_or(Ok(()), Failure::unless_new)?;
        let subject = self.subject()?;
        if matches!(subject, Subject::Files) && self.out.is_none() {
            let what = "files are signed into a new document";
            return Err(Failure::usage("CHY-6027", what, "Say where with --out DIR."));
        }
        let signer = self.signer.load()?;
        let commitment = match self.commitment {
            CommitmentArg::Approval => Commitment::Approval,
            CommitmentArg::Origin => Commitment::Origin,
            CommitmentArg::Creation => Commitment::Creation,
            CommitmentArg::Receipt => Commitment::Receipt,
        };
        let now = unix_now();
        let first = self.draft.files.first().map(PathBuf::as_path).unwrap_or(Path::new("."));
        let (document, parts) = match &subject {
            Subject::Files => {
                let header = self.draft.header(signer.name().agency(), output)?;
                (sign_document(&header, &signer, commitment, now)?, self.draft.files.clone())
            }
            Subject::Draft(header) => {
                let parts = parts_in(first, header);
                check_parts(header, &parts, output)?;
                (sign_document(header, &signer, commitment, now)?, parts)
            }
            Subject::Signed(placed) => {
                let header = placed.document.header();
                let parts = match &placed.place {
                    Place::Folder { folder, .. } => parts_in(folder, header),
                    Place::Attached { .. } => Vec::new(),
                };
                let document = placed.document.clone();
                (document.add_signature(&signer, commitment, now)?, parts)
            }
        };
        let own = SignatureAt::Signature(document.cose().signatures().len().saturating_sub(1));
        let document = self.stamping.finish(document, own, &signer, self.with_cades, now)?;
        let place = self.write(&subject, &document, &parts, first, output)?;
        say(output, output.t("signed", "已签署"), document.id(), &place);
        Ok(ExitCode::SUCCESS)
    }

    fn write(
        &self,
        subject: &Subject,
        document: &SignedDocument,
        parts: &[PathBuf],
        first: &Path,
        output: &Output,
    ) -> Result<PathBuf, Failure> {
        let header = document.header();
        let named = matches!(subject, Subject::Files);
        match (&self.out, subject) {
            (Some(out), Subject::Signed(placed))
                if matches!(placed.place, Place::Attached { .. }) =>
            {
                let what = "a document attached to its parts is signed in place";
                let remedy = "Leave --out away, or take it out first with `chancery doc extract`.";
                Err(Failure::usage("CHY-6028", what, remedy).at(out))
            }
            (Some(out), _) if self.attached => {
                let progress = output.bytes_bar(header.parts_size(), output.t("writing", "写入"));
                write_attached(out, document, parts, named, &progress)?;
                progress.finish_and_clear();
                Ok(out.clone())
            }
            (Some(out), _) => {
                let staged = Staged::folder(out)?;
                copy_parts(header, parts, named, staged.path())?;
                // Last: a folder without it is no document.
                write_private(&staged.path().join(DOCUMENT), document.bytes())?;
                staged.finish()?;
                Ok(out.clone())
            }
            (None, Subject::Signed(placed)) => {
                placed.replace(document)?;
                Ok(first.to_owned())
            }
            (None, _) => {
                write_new(&first.join(DOCUMENT), document.bytes())?;
                let draft = first.join(HEADER);
                std::fs::remove_file(&draft).map_err(NodeError::file(&draft))?;
                Ok(first.to_owned())
            }
        }
    }
}

fn parts_in(folder: &Path, header: &DocumentHeader) -> Vec<PathBuf> {
    header.parts.iter().map(|part| folder.join(PARTS).join(&part.name)).collect()
}

/// Nobody should sign for a part that is not there any more, or another than it was.
fn check_parts(header: &DocumentHeader, files: &[PathBuf], output: &Output) -> Result<(), Failure> {
    let progress = output.bytes_bar(header.parts_size(), output.t("reading", "读取"));
    for (path, part) in files.iter().zip(&header.parts) {
        let (_, found) = digest_member(path, &progress)?;
        if found != part.digest {
            let name = part.name.clone();
            let signed = part.digest;
            let error = chancery_protocol::ProtocolError::PartDigest { name, signed, found };
            return Err(Failure::from(error).at(path));
        }
    }
    progress.finish_and_clear();
    Ok(())
}

impl Countersign {
    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let placed = Placed::read(&self.document)?;
        let index = self.signature.wrapping_sub(1);
        let signatures = placed.document.cose().signatures();
        if index >= signatures.len() {
            let what = format!("it has {} signatures", signatures.len());
            let failure = Failure::usage("CHY-6029", what, "Give one of them with --signature.");
            return Err(failure.at(&self.document));
        }
        let signer = self.signer.load()?;
        let mut document = placed.document.clone().countersign(index, &signer, unix_now())?;
        let counters = document.cose().signatures().get(index);
        let own = counters.map_or(0, |s| s.countersignatures.len().saturating_sub(1));
        if !self.stamping.is_empty() {
            let own = [SignatureAt::Countersignature(index, own)];
            document = self.stamping.apply(document, &own)?;
        }
        placed.replace(&document)?;
        say(output, output.t("countersigned", "已会签"), document.id(), &self.document);
        Ok(ExitCode::SUCCESS)
    }
}

impl Timestamp {
    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let placed = Placed::read(&self.document)?;
        let all = placed.document.signatures();
        let document = self.stamping.apply(placed.document.clone(), &all)?;
        placed.replace(&document)?;
        say(output, output.t("time-stamped", "已加盖时间戳"), document.id(), &self.document);
        Ok(ExitCode::SUCCESS)
    }
}

/// What a signature says of itself.
fn describe(signature: &CoseSignature) -> serde_json::Value {
    let leaf = signature.attributes.x5chain.first().map(|der| Certificate::from_der(der));
    let leaf = leaf.and_then(Result::ok);
    let stamp = |tokens: &[Vec<u8>]| -> Vec<_> {
        let read = tokens.iter().map(|der| chancery_certs::TimeStampToken::from_der(der));
        read.map(|token| token.map_or_else(|e| e.to_string(), |t| time(t.time()))).collect()
    };
    let unsigned = signature.unsigned.iter().map(|element| match element {
        UnsignedElement::SignatureTimeStamp(tokens) => {
            serde_json::json!({ "sigTst": stamp(tokens) })
        }
        UnsignedElement::ArchiveTimeStamp(tokens) => serde_json::json!({ "arcTst": stamp(tokens) }),
        UnsignedElement::Certificates(list) => serde_json::json!({ "xVals": list.len() }),
        UnsignedElement::Crls(list) => serde_json::json!({ "rVals": list.len() }),
        UnsignedElement::Cades(der) => serde_json::json!({ "cades": der.len() }),
        UnsignedElement::Unknown => serde_json::json!("unknown"),
    });
    serde_json::json!({
        "signer": leaf.as_ref().and_then(|c| c.signer_name().ok()).map(|n| n.to_string()),
        "display": leaf.as_ref().map(Certificate::subject),
        "algorithm": signature.algorithm.name(),
        "commitment": signature.attributes.commitment.map(Commitment::name),
        "signing_time": signature.attributes.signing_time.map(time),
        "unsigned": unsigned.collect::<Vec<_>>(),
        "countersignatures": signature.countersignatures.iter().map(describe).collect::<Vec<_>>(),
    })
}

fn show(path: &Path, output: &Output) -> Result<ExitCode, Failure> {
    if let Some(header) = read_draft(path)? {
        let shown = serde_json::json!({ "draft": true, "header": header, "signatures": [] });
        print_shown(&shown, &header, output);
        return Ok(ExitCode::SUCCESS);
    }
    let placed = Placed::read(path)?;
    let document = &placed.document;
    let signatures = document.cose().signatures().iter().map(describe).collect::<Vec<_>>();
    let shown = serde_json::json!({
        "document": document.id(), "header": document.header(), "signatures": signatures,
        "attached": matches!(placed.place, Place::Attached { .. }),
    });
    print_shown(&shown, document.header(), output);
    Ok(ExitCode::SUCCESS)
}

fn print_shown(shown: &serde_json::Value, header: &DocumentHeader, output: &Output) {
    if output.json {
        output.print_json(shown);
        return;
    }
    println!("{}  {}", plain(&header.kind), plain(&header.title));
    let id = shown.get("document").and_then(serde_json::Value::as_str);
    println!("  {} {}", output.t("document", "文件编号"), id.unwrap_or("-"));
    let list = |names: &[chancery_certs::AgencyName]| {
        names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    println!("  {} {}", output.t("from", "发件机关"), header.from);
    println!("  {} {}", output.t("to", "主送"), list(&header.to));
    if !header.cc.is_empty() {
        println!("  {} {}", output.t("cc", "抄送"), list(&header.cc));
    }
    println!("  {} {}", output.t("created", "成文时间"), time(header.created));
    if let Some(filing) = &header.filing {
        let about = filing.about.as_deref().map(|id| format!("  {id}")).unwrap_or_default();
        println!("  {} {}{}", output.t("act", "办理"), plain(&filing.act), plain(&about));
        if let Some(reason) = &filing.reason {
            println!("  {} {}", output.t("reason", "理由"), plain(reason));
        }
    }
    for (name, value) in &header.fields {
        println!("  {} {}", plain(name), plain(value));
    }
    for (name, value) in &header.form {
        println!("  {} {}", plain(name), plain(&serde_json::json!(value).to_string()));
    }
    for part in &header.parts {
        println!("  {} {} ({} B)", output.t("part", "附件"), plain(&part.name), part.size);
    }
    let none = Vec::new();
    let signatures = shown.get("signatures").and_then(serde_json::Value::as_array);
    for signature in signatures.unwrap_or(&none) {
        print_signature(signature, output, 1);
    }
    let note =
        output.t("nothing was verified; see: chancery verify", "未作验证；请用 chancery verify");
    println!("  {note}");
}

fn print_signature(signature: &serde_json::Value, output: &Output, depth: usize) {
    let text = |name: &str| {
        let value = signature.get(name).and_then(serde_json::Value::as_str);
        plain(value.unwrap_or("-"))
    };
    let indent = "  ".repeat(depth);
    let what = if depth == 1 {
        output.t("signature", "签名")
    } else {
        output.t("countersignature", "会签")
    };
    println!(
        "{indent}{what} {} {} ({}, {}, {})",
        text("display"),
        text("signer"),
        text("commitment"),
        text("algorithm"),
        text("signing_time")
    );
    let items = |name: &str| {
        signature.get(name).and_then(serde_json::Value::as_array).cloned().unwrap_or_default()
    };
    for element in items("unsigned") {
        println!("{indent}  {element}");
    }
    for counter in items("countersignatures") {
        print_signature(&counter, output, depth + 1);
    }
}

fn extract(path: &Path, out: &Path, output: &Output) -> Result<ExitCode, Failure> {
    Failure::unless_new(out)?;
    if first_bytes(path)? != CONTENT_MAGIC {
        let what = "it does not hold a document with its parts";
        let remedy = "Give a file that `chancery doc sign --attached` made.";
        return Err(Failure::usage("CHY-6030", what, remedy).at(path));
    }
    // Nothing stands at its place before every part is known to be the one that was signed.
    let staged = Staged::folder(out)?;
    let id = take_out(path, staged.path(), output)?;
    staged.finish()?;
    say(output, output.t("extracted", "已取出"), id, out);
    Ok(ExitCode::SUCCESS)
}

fn take_out(
    path: &Path,
    staging: &Path,
    output: &Output,
) -> Result<chancery_protocol::DocumentId, Failure> {
    let folder = staging.join(PARTS);
    new_folder(&folder)?;
    let size = path.metadata().map_err(NodeError::file(path))?.len();
    let progress = output.bytes_bar(size, output.t("extracting", "取出"));
    let mut opener = ContentOpener::default();
    let mut header: Option<DocumentHeader> = None;
    let mut open: Option<(usize, PathBuf, File)> = None;
    each_piece(path, |bytes| {
        progress.inc(bytes.len() as u64);
        opener
            .push(bytes, |event| {
                match event {
                    Opening::Document(document) => header = Some(document.header().clone()),
                    Opening::Part { index, bytes } => {
                        let (_, path, file) =
                            part_file(&mut open, header.as_ref(), index, &folder)?;
                        file.write_all(bytes).map_err(NodeError::file(&*path))?;
                    }
                    Opening::PartEnd { index } => {
                        // Also of an empty part, which has no bytes to be written.
                        let (_, path, file) =
                            part_file(&mut open, header.as_ref(), index, &folder)?;
                        file.sync_all().map_err(NodeError::file(&*path))?;
                    }
                }
                Ok::<_, Failure>(())
            })
            .map_err(|failure| failure.at(path))
    })?;
    progress.finish_and_clear();
    let document = opener.document().cloned();
    opener.finish().map_err(|e| Failure::from(e).at(path))?;
    let document = document.ok_or_else(Failure::unexpected)?;
    write_private(&staging.join(DOCUMENT), document.bytes())?;
    Ok(document.id())
}

/// The file that a part goes to.
fn part_file<'a>(
    open: &'a mut Option<(usize, PathBuf, File)>,
    header: Option<&DocumentHeader>,
    index: usize,
    folder: &Path,
) -> Result<&'a mut (usize, PathBuf, File), Failure> {
    if open.as_ref().is_none_or(|(at, ..)| *at != index) {
        let part = header.and_then(|header| header.parts.get(index));
        let path = folder.join(&part.ok_or_else(Failure::unexpected)?.name);
        let file = create_private_file(&path)?;
        *open = Some((index, path, file));
    }
    open.as_mut().ok_or_else(Failure::unexpected)
}
