//! The clerk's commands. Signing happens here, with the clerk's own key; the node never sees it.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use chancery_bus::NodeError;
use chancery_certs::AgencyName;
use chancery_crypto::{Commitment, Digest, Hasher, SignatureAt};
use chancery_desk::{
    asking::{LocalReply, LocalRequest},
    views::{DocumentView, OpenedView, TraceView},
};
use chancery_doors::LocalClient;
use chancery_ledger::{records::DeliveryState, unix_now};
use chancery_protocol::{
    Act, DocumentHeader, DocumentId, Event, Indication, Part, REASON, SignedDocument, sign_document,
};
use chancery_store::files::{Staged, create_private_file, new_folder, write_new, write_private};

use crate::{
    draft::{Draft, Heading, each_piece},
    failure::{ENVIRONMENT, Failure, REFUSED},
    keys::Signer,
    local::{Local, is_inside},
    output::{Output, is_closed, plain, short, size, time},
    report::{escape, mark, page_head},
    stamping::Stamping,
};

/// The type of an answer, unless another is given.
const LETTER: &str = "函";
/// The type of what is forwarded, unless another is given.
const NOTICE: &str = "通知";
/// The name of a forwarded document among the parts.
const ORIGINAL: &str = "original.cose";
/// Characters of a title that the receipt for it repeats.
const TITLE: usize = 200;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  chancery send notice.pdf --to justice.hz.gov.cn --type 通知 --title 关于做好换届工作的通知
  chancery send reply.pdf data.xlsx --to a.gov.cn b.gov.cn --cc c.gov.cn --type letter --title 复函 --urgency urgent
Set CHANCERY_SOCKET, CHANCERY_KEY and CHANCERY_CERT once, and leave --socket, --key and --cert out.")]
pub(crate) struct Send {
    #[command(flatten)]
    sending: Sending,
    #[command(flatten)]
    local: Local,
}

/// A document that is to be signed and sent.
#[derive(Debug, clap::Args)]
struct Sending {
    #[command(flatten)]
    draft: Draft,
    /// Wait at most so many seconds until every recipient has confirmed
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u64>,
    /// Make a CAdES signature as well, for `chancery export asic`
    #[arg(long)]
    with_cades: bool,
    /// Number the copies (份号) from this number on, in the order of the recipients; each is told its own alone
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "1")]
    copies_from: Option<u64>,
    #[command(flatten)]
    stamping: Stamping,
    #[command(flatten)]
    signer: Signer,
}

/// The same, whose files are known from elsewhere.
#[derive(Debug, clap::Args)]
struct SendingOn {
    #[command(flatten)]
    heading: Heading,
    /// Wait at most so many seconds until every recipient has confirmed
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u64>,
    #[command(flatten)]
    stamping: Stamping,
    #[command(flatten)]
    signer: Signer,
}

impl SendingOn {
    fn with_files(self, files: Vec<PathBuf>) -> Sending {
        let Self { heading, wait, stamping, signer } = self;
        let draft = Draft { files, heading };
        let (with_cades, copies_from) = (false, None);
        Sending { draft, wait, with_cades, copies_from, stamping, signer }
    }
}

/// What the node said of a submission.
struct Submitted {
    document: DocumentId,
    recipients: Vec<AgencyName>,
    /// The number of each copy that has one.
    copies: Vec<(AgencyName, u64)>,
}

impl Submitted {
    fn copy_of(&self, agency: &AgencyName) -> Option<u64> {
        self.copies.iter().find(|(name, _)| name == agency).map(|(_, copy)| *copy)
    }
}

/// Hands a signed document and its parts to the node.
fn submit(
    client: &mut LocalClient,
    document: &SignedDocument,
    files: &[PathBuf],
    copies_from: Option<u64>,
    progress: &indicatif::ProgressBar,
) -> Result<Submitted, Failure> {
    let document_bytes = document.bytes().to_vec();
    let request = match copies_from {
        Some(first) => LocalRequest::SubmitCopies { document: document_bytes, first },
        None => LocalRequest::Submit { document: document_bytes },
    };
    match client.ask(&request)? {
        LocalReply::Ready => {}
        other => return Err(Failure::from_reply(other)),
    }
    for (path, part) in files.iter().zip(&document.header().parts) {
        let sent = each_piece(path, |bytes| {
            progress.inc(bytes.len() as u64);
            if client.send_raw(bytes).is_err() {
                // The node has hung up; it said why before.
                return Err(client.reply().map_or_else(Failure::from, Failure::from_reply));
            }
            Ok(())
        })?;
        if sent != part.size {
            let failure = Failure::usage(
                "CHY-6006",
                "the file changed while it was being sent",
                "Nothing was sent. Send it again when nobody writes to it.",
            );
            return Err(failure.at(path));
        }
    }
    match client.reply()? {
        LocalReply::Submitted { document, recipients, copies, .. } => {
            Ok(Submitted { document, recipients, copies })
        }
        other => Err(Failure::from_reply(other)),
    }
}

impl Send {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let mut client = self.local.connect()?;
        self.sending.run(&mut client, output)
    }
}

impl Sending {
    fn run(self, client: &mut LocalClient, output: &Output) -> Result<ExitCode, Failure> {
        let signer = self.signer.load()?;
        let header = self.draft.header(signer.name().agency(), output)?;
        let now = unix_now();
        let document = sign_document(&header, &signer, Commitment::Approval, now)?;
        let own = SignatureAt::Signature(0);
        let document = self.stamping.finish(document, own, &signer, self.with_cades, now)?;
        let progress = output.bytes_bar(header.parts_size(), output.t("handing over", "提交"));
        let (files, copies_from) = (&self.draft.files, self.copies_from);
        let submitted = submit(client, &document, files, copies_from, &progress)?;
        progress.finish_and_clear();
        report_submitted(output, &submitted, &header.title, copies_from.is_some());
        match self.wait {
            Some(seconds) => wait(client, output, &submitted, seconds),
            None => Ok(ExitCode::SUCCESS),
        }
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  chancery reply 3f2a91c0 answer.pdf
  chancery reply 3f2a91c0 answer.pdf --type 批复 --title 关于某事项的批复 --cc archive.gov.cn
It goes to the sender of the document, as a letter (函) that names it, unless you say otherwise.")]
pub(crate) struct Reply {
    /// The first digits of the document's id
    id: String,
    #[command(flatten)]
    sending: Sending,
    #[command(flatten)]
    local: Local,
}

impl Reply {
    pub(crate) fn run(mut self, output: &Output) -> Result<ExitCode, Failure> {
        let mut client = self.local.connect()?;
        let (view, document) = look(&mut client, &self.id)?;
        let original = document.header();
        let to = if view.incoming { vec![original.from.clone()] } else { original.to.clone() };
        let title = format!("{}：{}", output.t("Re", "复"), cut(&original.title, TITLE));
        let secrecy = original.classification_of_answer();
        self.sending.draft.fill(to, LETTER, title, secrecy);
        self.sending.draft.answer(document.id());
        self.sending.run(&mut client, output)
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  chancery forward 3f2a91c0 --to county.gov.cn
  chancery forward 3f2a91c0 cover.pdf --to a.gov.cn b.gov.cn --title 转发某通知
The document goes along with its parts and its signatures, in original.cose: whoever gets it verifies it as the
first recipient does. Files that you give stand before it.")]
pub(crate) struct Forward {
    /// The first digits of the document's id
    id: String,
    /// Files of your own, such as a cover letter
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    sending: SendingOn,
    #[command(flatten)]
    local: Local,
}

impl Forward {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let mut client = self.local.connect()?;
        client.send(&LocalRequest::Open { id: self.id, parts: true })?;
        let view = opened(client.reply()?)?;
        let document = SignedDocument::decode(&view.document)?;
        // What is encrypted in the node lies here for a moment, for this user's eyes only.
        let folder = TemporaryFolder::new()?;
        let inner = folder.0.join("document");
        new_folder(&inner)?;
        write_folder(output, &mut client, &view, &document, &inner)?;
        let original = folder.0.join(ORIGINAL);
        std::fs::rename(folder.0.join("document").join("document.cose"), &original)
            .map_err(NodeError::file(&original))?;
        let parts = folder.0.join("document").join("parts");
        let names = document.header().parts.iter().map(|part| parts.join(&part.name));
        let files = self.files.into_iter().chain([original]).chain(names).collect();
        let mut sending = self.sending.with_files(files);
        let title =
            format!("{}：{}", output.t("Fwd", "转发"), cut(&document.header().title, TITLE));
        let secrecy = document.header().classification_of_answer();
        sending.draft.fill(Vec::new(), NOTICE, title, secrecy);
        sending.run(&mut client, output)
    }
}

/// A folder of this user that goes when it is dropped.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn new() -> Result<Self, Failure> {
        let name = format!("chancery-{}", hex::encode(chancery_crypto::random::<16>()?));
        let path = std::env::temp_dir().join(name);
        new_folder(&path)?;
        Ok(Self(path))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn report_submitted(output: &Output, submitted: &Submitted, title: &str, numbered: bool) {
    if output.json {
        let mut said = serde_json::Map::new();
        said.insert("document".into(), serde_json::json!(submitted.document));
        said.insert("recipients".into(), serde_json::json!(submitted.recipients));
        if numbered {
            let each = submitted.recipients.iter();
            let copies = each.map(|agency| (agency.to_string(), submitted.copy_of(agency).into()));
            said.insert("copies".into(), serde_json::Value::Object(copies.collect()));
        }
        output.print_json(&said.into());
        return;
    }
    println!("{} {title}", output.t("accepted for sending:", "已受理发送："));
    println!("  {} {}", output.t("document", "文件编号"), submitted.document);
    for agency in &submitted.recipients {
        let copy = match submitted.copy_of(agency) {
            Some(copy) => format!("  {} {copy}", output.t("copy", "份号")),
            None if numbered => {
                let why = output.t(
                    "no copy number: its node is of an older version",
                    "无份号：对方节点版本较旧",
                );
                format!("  ({why})")
            }
            None => String::new(),
        };
        println!("  → {agency}{copy}");
    }
}

/// Waits until no delivery of a document is pending, or the time is over.
fn wait(
    client: &mut LocalClient,
    output: &Output,
    submitted: &Submitted,
    seconds: u64,
) -> Result<ExitCode, Failure> {
    let end = Instant::now() + Duration::from_secs(seconds);
    let id = submitted.document.to_string();
    loop {
        let reply = client.ask(&LocalRequest::Trace { id: id.clone() })?;
        let LocalReply::Traced(trace) = reply else { return Err(Failure::from_reply(reply)) };
        let deliveries = &trace.document.deliveries;
        if let Some(refused) = deliveries.iter().find(|d| d.state == DeliveryState::Refused) {
            let refusal = refused.refusal.as_ref();
            return Err(Failure {
                code: refusal.map_or_else(|| "CHY-5000".into(), |r| r.code.clone()),
                message: format!(
                    "{} refuses it: {}",
                    refused.agency,
                    refusal.map_or("", |r| r.reason.as_str())
                ),
                remedy: "Ask the operator of that agency's node.".into(),
                exit: REFUSED,
            });
        }
        if deliveries.iter().all(|d| d.state == DeliveryState::Delivered) {
            if !output.json {
                println!("{}", output.t("every recipient has confirmed", "全部收件机关已确认收到"));
            }
            return Ok(ExitCode::SUCCESS);
        }
        if Instant::now() > end {
            return Err(Failure {
                code: "CHY-6008".into(),
                message: format!("not every recipient has confirmed within {seconds} s"),
                remedy: "Delivery goes on; look with `chancery trace`.".into(),
                exit: ENVIRONMENT,
            });
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// At most so many, newest first
    #[arg(long, default_value_t = 20)]
    limit: u32,
    #[command(flatten)]
    local: Local,
}

impl List {
    pub(crate) fn run(self, output: &Output, incoming: bool) -> Result<ExitCode, Failure> {
        let mut client = self.local.connect()?;
        client.send(&LocalRequest::List { incoming, limit: self.limit })?;
        print_list(output, &documents(&mut client)?);
        Ok(ExitCode::SUCCESS)
    }
}

/// Reads documents up to the end of a list.
fn documents(client: &mut LocalClient) -> Result<Vec<DocumentView>, Failure> {
    let mut list = Vec::new();
    loop {
        match client.reply()? {
            LocalReply::Document(view) => list.push(*view),
            LocalReply::Done => return Ok(list),
            other => return Err(Failure::from_reply(other)),
        }
    }
}

fn print_list(output: &Output, list: &[DocumentView]) {
    if output.json {
        let list: Vec<_> = list.iter().map(document_json).collect();
        output.print_json(&list.into());
        return;
    }
    if list.is_empty() {
        println!("{}", output.t("nothing here yet", "暂无文件"));
    }
    for view in list {
        print_line(output, view);
    }
}

fn document_json(view: &DocumentView) -> serde_json::Value {
    // Every field is plain data; it always has a JSON form.
    serde_json::to_value(view).unwrap_or_default()
}

fn print_line(output: &Output, view: &DocumentView) {
    let Some(document) = &view.document else {
        let error = view.error.as_deref().unwrap_or_default();
        println!(
            "{}  ✗ {}: {}",
            short(view.envelope),
            output.t("cannot be opened", "无法打开"),
            plain(error)
        );
        return;
    };
    let agencies = match &view.from {
        Some(from) if view.incoming => from.to_string(),
        _ => view.to.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    println!(
        "{}  {}  {}  {}",
        short(document),
        time(view.arrived),
        plain(&view.kind),
        plain(&view.title)
    );
    let arrow = if view.incoming { "←" } else { "→" };
    let act = view.act.as_deref().map_or_else(String::new, |act| format!("   {}", plain(act)));
    println!("    {arrow} {agencies}   {}{act}", view.indication);
    if let Some(copy) = view.copy {
        println!("      {} {copy}", output.t("copy", "份号"));
    }
    if let Some(deadline) = view.deadline {
        // Whether it was answered is in `trace`; that its time is over can be seen here.
        let over = if deadline < unix_now() { output.t(" (over)", "（已过期）") } else { "" };
        println!(
            "      {} {}{over}",
            output.t("answer wanted by", "请于此前答复："),
            time(deadline)
        );
    }
    for delivery in &view.deliveries {
        println!("      {}: {}", delivery.agency, state_name(output, delivery.state));
    }
}

fn state_name<'a>(output: &Output, state: DeliveryState) -> &'a str {
    match state {
        DeliveryState::Pending => output.t("on its way", "投递中"),
        DeliveryState::Delivered => output.t("delivered", "已送达"),
        DeliveryState::Refused => output.t("refused", "被拒收"),
        DeliveryState::Expired => output.t("expired", "已过期"),
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  chancery open 3f2a91c0 --out received")]
pub(crate) struct Open {
    /// The first digits of the document's id
    id: String,
    /// A new folder to write it to (default: the first digits of its id)
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    local: Local,
}

/// Asks the node for a document, without its parts.
fn look(client: &mut LocalClient, id: &str) -> Result<(OpenedView, SignedDocument), Failure> {
    client.send(&LocalRequest::Open { id: id.to_owned(), parts: false })?;
    let opened = opened(client.reply()?)?;
    match client.reply()? {
        LocalReply::Done => {}
        other => return Err(Failure::from_reply(other)),
    }
    let document = SignedDocument::decode(&opened.document)?;
    Ok((opened, document))
}

/// The first characters of a text by others, as they may stand in a title of one's own.
fn cut(text: &str, most: usize) -> String {
    plain(&text.chars().take(most).collect::<String>())
}

fn opened(reply: LocalReply) -> Result<OpenedView, Failure> {
    match reply {
        LocalReply::Opened(view) => Ok(*view),
        other => Err(Failure::from_reply(other)),
    }
}

/// A file that gets its name only once it is whole and has the digest that was signed.
struct PartFile {
    temporary: PathBuf,
    file: File,
    hasher: Hasher,
    left: u64,
}

impl Open {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let mut client = self.local.connect()?;
        client.send(&LocalRequest::Open { id: self.id.clone(), parts: true })?;
        let view = opened(client.reply()?)?;
        let document = SignedDocument::decode(&view.document)?;
        let folder = self.out.unwrap_or_else(|| PathBuf::from(short(document.id())));
        Failure::unless_new(&folder)?;
        // Written beside its place and moved there whole: no half document is ever in sight, and nobody else can have put
        // anything where it is written.
        let staged = Staged::folder(&folder)?;
        write_folder(output, &mut client, &view, &document, staged.path())?;
        staged.finish()?;
        let header = document.header();
        if output.json {
            output.print_json(&serde_json::json!({
                "document": document.id(), "folder": folder, "title": header.title, "copy": view.copy,
                "parts": header.parts.iter().map(|p| &p.name).collect::<Vec<_>>(),
            }));
            return Ok(ExitCode::SUCCESS);
        }
        println!("{} {}", plain(&header.kind), plain(&header.title));
        println!("  {} {}", output.t("from", "发文机关"), header.from);
        if let Some(copy) = view.copy {
            println!("  {} {copy}", output.t("copy", "份号"));
        }
        for part in &header.parts {
            println!("  {} ({})", folder.join("parts").join(&part.name).display(), size(part.size));
        }
        println!("  {} chancery verify {}", output.t("check it with:", "验证："), folder.display());
        Ok(ExitCode::SUCCESS)
    }
}

fn write_folder(
    output: &Output,
    client: &mut LocalClient,
    view: &OpenedView,
    document: &SignedDocument,
    folder: &Path,
) -> Result<(), Failure> {
    // What was encrypted until now is for this user's eyes, wherever he moves it.
    let parts_dir = folder.join("parts");
    new_folder(&parts_dir)?;
    write_private(&folder.join("document.cose"), &view.document)?;
    loop {
        match client.reply()? {
            LocalReply::File(file) if is_inside(Path::new(&file.path)) => {
                write_private(&folder.join("evidence").join(&file.path), &file.bytes)?;
            }
            LocalReply::Done => break,
            other => return Err(Failure::from_reply(other)),
        }
    }
    let header = document.header();
    let progress = output.bytes_bar(header.parts_size(), output.t("opening", "打开"));
    let mut pending: Vec<u8> = Vec::new();
    for part in &header.parts {
        let temporary = parts_dir.join(&part.name);
        let file = create_private_file(&temporary)?;
        let mut target = PartFile { temporary, file, hasher: Hasher::new(), left: part.size };
        target.take(&mut pending)?;
        while target.left > 0 {
            match client.raw_or_reply()? {
                Ok(bytes) => {
                    progress.inc(bytes.len() as u64);
                    pending = bytes;
                    target.take(&mut pending)?;
                }
                Err(reply) => return Err(Failure::from_reply(reply)),
            }
        }
        target.finish(part)?;
    }
    progress.finish_and_clear();
    match client.reply()? {
        LocalReply::Done => Ok(()),
        other => Err(Failure::from_reply(other)),
    }
}

impl PartFile {
    /// Takes as much of `bytes` as belongs to this part, and leaves the rest.
    fn take(&mut self, bytes: &mut Vec<u8>) -> Result<(), Failure> {
        let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        let rest = bytes.split_off(count);
        self.hasher.update(bytes);
        self.file.write_all(bytes).map_err(NodeError::file(&self.temporary))?;
        self.left -= count as u64;
        *bytes = rest;
        Ok(())
    }

    fn finish(self, part: &Part) -> Result<(), Failure> {
        self.file.sync_all().map_err(NodeError::file(&self.temporary))?;
        let found = self.hasher.finish();
        if found != part.digest {
            let signed = part.digest;
            let name = part.name.clone();
            return Err(chancery_protocol::ProtocolError::PartDigest { name, signed, found }.into());
        }
        Ok(())
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  chancery receive 3f2a91c0 --note 已登记，收文第 12 号")]
pub(crate) struct Receive {
    /// The first digits of the document's id
    id: String,
    /// A remark for the sender
    #[arg(long)]
    note: Option<String>,
    /// Register it although its signatures do not verify
    #[arg(long)]
    unverified: bool,
    #[command(flatten)]
    signer: Signer,
    #[command(flatten)]
    local: Local,
}

impl Receive {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let mut client = self.local.connect()?;
        let (view, document) = look(&mut client, &self.id)?;
        incoming(&view, &document)?;
        if view.indication != Indication::TotalPassed && !self.unverified {
            return Err(Failure::usage(
                "CHY-6018",
                format!("its signatures do not verify: {}", view.indication.name()),
                "See why with `chancery open` and `chancery verify`; --unverified registers it all \
                 the same.",
            ));
        }
        let fields = self.note.map(|note| ("note".to_owned(), note));
        let said = output.t("received and registered:", "已签收：");
        act(&mut client, output, &self.signer, &document, Act::Receive, fields, said)
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  chancery return 3f2a91c0 --reason 附件缺页，请补齐后重发")]
pub(crate) struct Return {
    /// The first digits of the document's id
    id: String,
    /// Why; the sender reads it
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    signer: Signer,
    #[command(flatten)]
    local: Local,
}

impl Return {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let mut client = self.local.connect()?;
        let (view, document) = look(&mut client, &self.id)?;
        incoming(&view, &document)?;
        let fields = Some((REASON.to_owned(), self.reason));
        let said = output.t("returned:", "已退回：");
        act(&mut client, output, &self.signer, &document, Act::Return, fields, said)
    }
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  chancery withdraw 3f2a91c0 --reason 文号有误\n  chancery trace 3f2a91c0\n\
    Each recipient's node takes it back unless it has been received (签收) or returned there; either way it \
    answers, which `chancery trace` shows."
)]
pub(crate) struct Withdraw {
    /// The first digits of the document's id
    id: String,
    /// Why; the recipients read it
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    signer: Signer,
    #[command(flatten)]
    local: Local,
}

impl Withdraw {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let mut client = self.local.connect()?;
        let (view, document) = look(&mut client, &self.id)?;
        if view.incoming {
            return Err(Failure::usage(
                "CHY-6009",
                format!("{} came in; its sender alone can withdraw it", short(document.id())),
                "Send it back with `chancery return`, or choose from `chancery outbox`.",
            ));
        }
        let fields = Some((REASON.to_owned(), self.reason));
        let said = output.t("withdrawal sent:", "已发出撤回：");
        act(&mut client, output, &self.signer, &document, Act::Withdraw, fields, said)
    }
}

fn incoming(view: &OpenedView, document: &SignedDocument) -> Result<(), Failure> {
    if view.incoming {
        return Ok(());
    }
    Err(Failure::usage(
        "CHY-6009",
        format!("{} went out from here; it is not for you to receive", short(document.id())),
        "Choose a document from `chancery inbox`.",
    ))
}

/// Signs and sends an act on a document.
fn act(
    client: &mut LocalClient,
    output: &Output,
    signer: &Signer,
    document: &SignedDocument,
    act: Act,
    fields: Option<(String, String)>,
    said: &str,
) -> Result<ExitCode, Failure> {
    let original = document.header();
    let signer = signer.load()?;
    let now = unix_now();
    let to = match act {
        Act::Withdraw => original.recipients().into_iter().cloned().collect(),
        _ => vec![original.from.clone()],
    };
    let (classification, secrecy_period) = original.classification_of_answer();
    let header = DocumentHeader {
        kind: act.kind().to_owned(),
        number: None,
        // The longest title there may be leaves no room for more.
        title: format!("{}：{}", act.kind(), cut(&original.title, TITLE)),
        from: signer.name().agency().clone(),
        to,
        cc: Vec::new(),
        classification,
        secrecy_period,
        urgency: original.urgency,
        created: now,
        deadline: None,
        in_reply_to: Some(document.id()),
        module: original.module.clone(),
        fields: fields.into_iter().collect::<BTreeMap<_, _>>(),
        crit: Vec::new(),
        filing: None,
        form: Default::default(),
        parts: Vec::new(),
        nonce: Digest::from_bytes(chancery_crypto::random()?),
    };
    let commitment = match act {
        Act::Receive => Commitment::Receipt,
        _ => Commitment::Approval,
    };
    let signed = sign_document(&header, &signer, commitment, now)?;
    let progress = indicatif::ProgressBar::hidden();
    let submitted = submit(client, &signed, &[], None, &progress)?;
    if output.json {
        output.print_json(&serde_json::json!({
            "act": act.kind(), "on": document.id(), "received": document.id(),
            "document": submitted.document,
        }));
    } else {
        println!("{said} {}", plain(&original.title));
        println!("  {} {}", output.t("signed by", "签署人"), signer.name());
        for agency in &header.to {
            println!("  → {agency}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  chancery search 换届\n  chancery search justice.hz.gov.cn --limit 5 --json\n\
    Looks in titles, numbers, types, agencies, remarks and names of parts of the newest 10,000 documents of \
    each direction. Contents are not searched: they are encrypted at rest."
)]
pub(crate) struct Search {
    /// What to look for; upper and lower case are one
    text: String,
    /// At most so many, newest first
    #[arg(long, default_value_t = 20)]
    limit: u32,
    #[command(flatten)]
    local: Local,
}

impl Search {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let mut client = self.local.connect()?;
        client.send(&LocalRequest::Search { text: self.text, limit: self.limit })?;
        let list = documents(&mut client)?;
        print_list(output, &list);
        // As grep: nothing found is a no.
        Ok(ExitCode::from(u8::from(list.is_empty())))
    }
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  chancery watch --json | while read -r line; do …; done\nOne line, or one JSON object, \
    for every document that comes in or goes out and every delivery that ends, until it is interrupted."
)]
pub(crate) struct Watch {
    /// Stop after so many
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    #[command(flatten)]
    local: Local,
}

impl Watch {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let mut client = self.local.connect()?;
        client.send(&LocalRequest::Watch)?;
        match client.reply()? {
            LocalReply::Ready => {}
            other => return Err(Failure::from_reply(other)),
        }
        let mut left = self.count.unwrap_or(u64::MAX);
        while left > 0 {
            match client.reply()? {
                LocalReply::Document(view) if output.json => {
                    output.print_json(&document_json(&view))
                }
                LocalReply::Document(view) => print_line(output, &view),
                LocalReply::Done => break,
                other => return Err(Failure::from_reply(other)),
            }
            // Whoever reads along wants each line now.
            if is_closed() {
                break;
            }
            left -= 1;
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  chancery trace 3f2a91c0\n  chancery trace 3f2a91c0 --html journey.html"
)]
pub(crate) struct Trace {
    /// The first digits of the document's id
    id: String,
    /// Write it as an HTML page, too
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    local: Local,
}

impl Trace {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let mut client = self.local.connect()?;
        let reply = client.ask(&LocalRequest::Trace { id: self.id })?;
        let LocalReply::Traced(trace) = reply else { return Err(Failure::from_reply(reply)) };
        if let Some(path) = &self.html {
            write_new(path, trace_html(output, &trace).as_bytes())?;
        }
        if output.json {
            output.print_json(&serde_json::to_value(&*trace).unwrap_or_default());
        } else {
            print_trace(output, &trace);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print_trace(output: &Output, trace: &TraceView) {
    let document = &trace.document;
    match &document.error {
        Some(error) => println!("{}", plain(error)),
        None => println!("{} {}", plain(&document.kind), plain(&document.title)),
    }
    if let Some(id) = &document.document {
        println!("  {id}");
    }
    for step in &trace.steps {
        let event = event_name(output, &step.event);
        let entry = step.entry.map_or_else(String::new, |n| format!(" #{n}"));
        let by = step.by.as_deref().map_or_else(String::new, |by| format!("  {by}"));
        let verdict = step.indication.map_or_else(String::new, |i| format!("  {}", i.name()));
        let note =
            step.note.as_deref().map_or_else(String::new, |note| format!("  ({})", plain(note)));
        println!("  {}  {event}  {}{entry}{by}{verdict}{note}", time(step.time), step.agency);
    }
}

/// The journey as a page that needs nothing else.
fn trace_html(output: &Output, trace: &TraceView) -> String {
    let document = &trace.document;
    let title = match &document.error {
        Some(error) => error.clone(),
        None => format!("{} {}", document.kind, document.title),
    };
    let mut out =
        page_head(output.t("Journey of a document", "公文流转"), &document.indication, output);
    out += &format!("<section><h2>{}</h2>\n<dl>", escape(&title));
    let id = document.document.map(|id| id.to_string()).unwrap_or_default();
    let join = |names: &[chancery_certs::AgencyName]| {
        names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let from = document.from.as_ref().map(ToString::to_string).unwrap_or_default();
    for (label, value) in [
        (output.t("document", "文件编号"), id),
        (output.t("number", "文号"), document.number.clone().unwrap_or_default()),
        (output.t("from", "发文机关"), from),
        (output.t("to", "主送"), join(&document.to)),
        (output.t("copies", "抄送"), join(&document.cc)),
    ] {
        if !value.is_empty() {
            out += &format!("<dt>{label}</dt><dd><code>{}</code></dd>", escape(&value));
        }
    }
    out += "</dl>\n<ol class=\"steps\">";
    for step in &trace.steps {
        let verdict = step.indication.map_or_else(String::new, |i| mark(i.name(), ""));
        let evidence = match step.entry {
            Some(entry) => {
                let words = output.t("evidence: entry {} of its ledger", "证据：其账本第 {} 条");
                words.replace("{}", &entry.to_string())
            }
            None if step.indication.is_some() => {
                output.t("evidence: the signed document", "证据：签名文件").to_owned()
            }
            None => String::new(),
        };
        let said = [step.by.as_deref(), step.note.as_deref()];
        let said = said.into_iter().flatten().map(escape).collect::<Vec<_>>().join(" · ");
        out += &format!(
            "<li><time>{}</time> <strong>{}</strong> {} {verdict}<br>{said} <small>{evidence}</small></li>\n",
            time(step.time),
            escape(&event_name(output, &step.event)),
            escape(step.agency.as_str()),
        );
    }
    let note = output.t(
        "As the node knows it. `chancery open` writes the evidence out; `chancery verify` checks it offline.",
        "以本节点所知为准。chancery open 可导出证据，chancery verify 可离线验证。",
    );
    out + &format!("</ol></section>\n<p>{note}</p>\n</body></html>\n")
}

fn event_name(output: &Output, event: &str) -> String {
    // An event of a newer version's ledger is shown as what it is.
    if Event::of(event).is_some_and(|known| !known.is_known())
        && !matches!(event, "Created" | "Pending")
        && event.is_ascii()
    {
        return format!("{} ({event})", output.t("unknown", "未知事件"));
    }
    if !output.chinese {
        return event.to_owned();
    }
    let name = match event {
        "Created" => "拟制签发",
        "SubmissionAcceptance" => "受理发送",
        "SubmissionRejection" => "不予受理",
        "ContentConsignment" => "送达入库",
        "ContentHandover" => "交付经办",
        "RelayAcceptance" => "转递受理",
        "RelayRejection" => "对方拒收",
        "RelayFailure" => "投递失败",
        "WithdrawalAcceptance" => "撤回生效",
        "WithdrawalRejection" => "撤回被拒",
        "ContentPurged" => "内容已清除",
        "Decided" => "业务裁定",
        "Pending" => "投递中",
        other => other,
    };
    name.to_owned()
}
