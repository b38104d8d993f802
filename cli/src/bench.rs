//! `chancery bench`: how fast, and where the time goes.

use std::{
    net::UdpSocket,
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use chancery_bus::NodeError;
use chancery_certs::{AgencyName, Credential, Scrutiny, TrustStore, decode_pem_chain};
use chancery_crypto::{
    CHUNK_SIZE, Commitment, ContentKey, Digest, Hasher, Kem, KemPrivateKey, SigningKey, unwrap_key,
    wrap_key,
};
use chancery_desk::{
    asking::{LocalReply, LocalRequest},
    views::StatusView,
};
use chancery_doors::LocalClient;
use chancery_ledger::unix_now;
use chancery_protocol::{
    ContentSealer, DocumentHeader, EnvelopeHeader, Part, Recipient, SealedContent, SignedDocument,
    Urgency, commit_to_document, merkle, recipient_info, sign_document, verify_document,
};
use chancery_store::{Batch, Table, files::read_file};
use serde_json::{Value, json};

use crate::{
    bench_crypto::Crypto,
    bench_ledger::LedgerBench,
    failure::{ENVIRONMENT, Failure},
    output::Output,
};

/// The clock ticks of /proc/PID/stat: USER_HZ is 100 on every Linux that matters.
const TICKS_PER_SECOND: f64 = 100.0;
/// How long anything may take before the benchmark gives up.
const PATIENCE: Duration = Duration::from_secs(600);

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Bench {
    /// Two node processes on this machine, durable on both sides
    #[command(after_help = "Example:\n  chancery bench exchange --documents 2000 --file-mib 1024")]
    Exchange(Exchange),
    /// Appends to a ledger, each durable and with its proof, at growing sizes
    #[command(after_help = "Example:\n  chancery bench ledger --entries 10000000")]
    Ledger(LedgerBench),
    /// Decisions of modules in memory: how long each takes, what it weighs, and how fast they are made again
    #[command(after_help = "Example:\n  chancery bench modules --matters 50000")]
    Modules(crate::bench_modules::Modules),
    /// Signatures, paths, verdicts and encryption, beside ring's raw rate
    Crypto(Crypto),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Exchange {
    /// Documents of 10 KB to send as fast as it goes
    #[arg(long, value_name = "N", default_value_t = 2000)]
    documents: usize,
    /// Clerks that send at once
    #[arg(long, value_name = "N", default_value_t = 32)]
    clerks: usize,
    /// Lone documents, one after the other
    #[arg(long, value_name = "N", default_value_t = 100)]
    lone: usize,
    /// Size of the large file in MiB; 0 leaves it out
    #[arg(long, value_name = "N", default_value_t = 1024)]
    file_mib: u64,
    /// Fill the stores with so many documents, and measure at every power of ten from a thousand on
    #[arg(long, value_name = "N", default_value_t = 0)]
    stored: usize,
    /// Where to work (default: a new folder in the system's temporary folder)
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Bench {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        match self {
            Self::Exchange(exchange) => exchange.run(output),
            Self::Ledger(ledger) => ledger.run(output),
            Self::Crypto(crypto) => crypto.run(output),
            Self::Modules(modules) => modules.run(output),
        }
    }
}

fn environment(message: impl Into<String>) -> Failure {
    Failure {
        code: "CHY-6020".into(),
        message: message.into(),
        remedy: "See the line above; the benchmark needs a free port, disk and two processes."
            .into(),
        exit: ENVIRONMENT,
    }
}

/// A node process; killed when dropped.
struct Process {
    child: Child,
    socket: PathBuf,
    dir: PathBuf,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to stop.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Process {
    fn client(&self) -> Result<LocalClient, Failure> {
        Ok(LocalClient::connect(&self.socket)?)
    }

    /// How many signatures it has verified since it began.
    fn verified(&self) -> Result<f64, Failure> {
        Ok(self.status(&mut self.client()?)?.signatures_verified as f64)
    }

    fn status(&self, client: &mut LocalClient) -> Result<StatusView, Failure> {
        match client.ask(&LocalRequest::Status)? {
            LocalReply::Status(status) => Ok(*status),
            other => Err(Failure::from_reply(other)),
        }
    }

    /// Processor time so far, in seconds.
    fn cpu(&self) -> Result<f64, Failure> {
        let stat = proc_file(self.child.id(), "stat")?;
        // The fields after the command's closing parenthesis start with number 3.
        let fields: Vec<_> =
            stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |n: usize| fields.get(n - 3).and_then(|f| f.parse::<f64>().ok());
        let (user, system) = ticks(14).zip(ticks(15)).ok_or_else(|| environment("no CPU time"))?;
        Ok((user + system) / TICKS_PER_SECOND)
    }

    /// Peak resident memory, in MiB.
    fn peak(&self) -> Result<f64, Failure> {
        let status = proc_file(self.child.id(), "status")?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        let kib = line.and_then(|l| l.trim().trim_end_matches(" kB").trim().parse::<f64>().ok());
        kib.map(|kib| kib / 1024.0).ok_or_else(|| environment("no peak memory"))
    }
}

fn proc_file(pid: u32, name: &str) -> Result<String, Failure> {
    let path = PathBuf::from(format!("/proc/{pid}/{name}"));
    Ok(std::fs::read_to_string(&path).map_err(NodeError::file(path))?)
}

/// Two agencies with their nodes, set up with the commands that an operator would type.
struct World {
    sender: Process,
    receiver: Process,
    officer: Credential,
    root: PathBuf,
    /// Whether the folder is ours to remove.
    temporary: bool,
}

impl Drop for World {
    fn drop(&mut self) {
        if self.temporary {
            drop(self.sender.child.kill());
            drop(self.receiver.child.kill());
            drop(std::fs::remove_dir_all(&self.root));
        }
    }
}

fn chancery(root: &Path, line: &str) -> Result<(), Failure> {
    let program = std::env::current_exe().map_err(NodeError::file("chancery"))?;
    let mut command = Command::new(program);
    command.current_dir(root).args(line.split_whitespace()).stdin(Stdio::null());
    let done = command.stdout(Stdio::null()).status().map_err(NodeError::file("chancery"))?;
    if done.success() { Ok(()) } else { Err(environment(format!("chancery {line} failed"))) }
}

fn free_port() -> Result<u16, Failure> {
    let socket = UdpSocket::bind("127.0.0.1:0").map_err(NodeError::file("127.0.0.1"))?;
    Ok(socket.local_addr().map_err(NodeError::file("127.0.0.1"))?.port())
}

fn start(dir: PathBuf) -> Result<Process, Failure> {
    let program = std::env::current_exe().map_err(NodeError::file("chancery"))?;
    let child = Command::new(program)
        .args(["node", "run", "--config"])
        .arg(dir.join("node.toml"))
        .env("CHANCERY_LOG", "error")
        // As the systemd unit sets it.
        .env("MALLOC_ARENA_MAX", "4")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(NodeError::file("chancery node run"))?;
    let mut process = Process { child, socket: dir.join("node.sock"), dir };
    let end = Instant::now() + Duration::from_secs(20);
    while LocalClient::connect(&process.socket).is_err() {
        let ended = process.child.try_wait().ok().flatten();
        if let Some(status) = ended.filter(|_| Instant::now() < end) {
            return Err(environment(format!("a node ended at once: {status}")));
        }
        if Instant::now() > end {
            return Err(environment("a node did not start in time"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(process)
}

fn world(dir: Option<&Path>) -> Result<World, Failure> {
    let root = match dir {
        Some(dir) => dir.to_owned(),
        None => std::env::temp_dir().join(format!("chancery-bench-{}", std::process::id())),
    };
    std::fs::create_dir_all(&root).map_err(NodeError::file(&root))?;
    let run = |line: String| chancery(&root, &line);
    run("ca init --dir ca --display Root --permit gov.cn --no-passphrase".into())?;
    let issue = |profile: &str, name: &str, out: &str| {
        run(format!(
            "ca issue --ca ca --profile {profile} --name {name} --display {name} --out {out} \
             --no-passphrase"
        ))
    };
    issue("seal", "registry.gov.cn", "registry")?;
    for agency in ["a", "b"] {
        issue("seal", &format!("{agency}.gov.cn"), agency)?;
        issue("node", &format!("{agency}.gov.cn"), agency)?;
        run(format!(
            "node init --dir node-{agency} --agency {agency}.gov.cn --display {agency} \
             --listen 127.0.0.1:{} --anchor ca/ca.pem --registrar registry.gov.cn \
             --seal-cert {agency}/seal.pem --seal-key {agency}/seal.key \
             --node-cert {agency}/node.pem --node-key {agency}/node.key",
            free_port()?
        ))?;
    }
    issue("officer", "clerk@a.gov.cn", "a")?;
    run("directory publish --key registry/seal.key --cert registry/seal.pem --anchor ca/ca.pem \
         --version-number 1 --out directory.cose node-a/agency.card node-b/agency.card"
        .into())?;
    for agency in ["a", "b"] {
        let to = root.join(format!("node-{agency}/directory.cose"));
        std::fs::copy(root.join("directory.cose"), &to).map_err(NodeError::file(to))?;
    }
    let pem = read_file(&root.join("a/clerk.key"))?;
    let key = SigningKey::from_pem(&String::from_utf8_lossy(&pem), None)?;
    let officer = Credential::new(key, decode_pem_chain(&read_file(&root.join("a/clerk.pem"))?)?)?;
    let receiver = start(root.join("node-b"))?;
    let sender = start(root.join("node-a"))?;
    Ok(World { sender, receiver, officer, root, temporary: dir.is_none() })
}

fn header(part: Part) -> Result<DocumentHeader, Failure> {
    Ok(DocumentHeader {
        kind: "通知".into(),
        number: None,
        title: "A document of the benchmark".into(),
        from: "a.gov.cn".parse()?,
        to: vec!["b.gov.cn".parse()?],
        cc: Vec::new(),
        classification: None,
        secrecy_period: None,
        urgency: Urgency::Routine,
        created: unix_now(),
        deadline: None,
        in_reply_to: None,
        module: "official-documents".into(),
        fields: std::collections::BTreeMap::new(),
        crit: Vec::new(),
        filing: None,
        form: Default::default(),
        parts: vec![part],
        nonce: Digest::from_bytes(chancery_crypto::random()?),
    })
}

/// Signs a document of 10 KB and hands it to the node; returns when the node has accepted it.
fn send_small(client: &mut LocalClient, officer: &Credential, text: &[u8]) -> Result<(), Failure> {
    let part = Part {
        name: "text.txt".into(),
        media_type: "text/plain".into(),
        size: text.len() as u64,
        digest: Digest::of(text),
    };
    let document = sign_document(&header(part)?, officer, Commitment::Approval, unix_now())?;
    let request = LocalRequest::Submit { document: document.bytes().to_vec() };
    match client.ask(&request)? {
        LocalReply::Ready => {}
        other => return Err(Failure::from_reply(other)),
    }
    client.send_raw(text)?;
    match client.reply()? {
        LocalReply::Submitted { .. } => Ok(()),
        other => Err(Failure::from_reply(other)),
    }
}

fn wait_delivered(node: &Process, client: &mut LocalClient) -> Result<(), Failure> {
    let end = Instant::now() + PATIENCE;
    while node.status(client)?.pending > 0 {
        if Instant::now() > end {
            return Err(environment("documents were not delivered in time"));
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

pub(crate) fn percentile(sorted: &[f64], part: f64) -> f64 {
    let at = (sorted.len().saturating_sub(1)) as f64 * part;
    sorted.get(at.round() as usize).copied().unwrap_or_default()
}

/// Microseconds that `work` takes, the median of five rounds.
fn micros(rounds: u32, mut work: impl FnMut() -> Result<(), Failure>) -> Result<f64, Failure> {
    let mut times = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        for _ in 0..rounds {
            work()?;
        }
        times.push(start.elapsed().as_secs_f64() * 1e6 / f64::from(rounds));
    }
    times.sort_by(f64::total_cmp);
    Ok(percentile(&times, 0.5))
}

impl Exchange {
    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        if self.clerks == 0 {
            return Err(Failure::usage("CHY-6021", "there must be a clerk", "Give --clerks 1."));
        }
        let world = world(self.dir.as_deref())?;
        let mut results = Vec::new();
        results.push(("limits", limits(&world)?));
        let mut client = world.sender.client()?;
        // The first document opens the connection; it is not counted.
        send_small(&mut client, &world.officer, &[7; 10_240])?;
        wait_delivered(&world.sender, &mut client)?;
        let throughput = self.throughput(&world, self.documents)?;
        results.push(("steps", steps(&world, &throughput)?));
        results.push(("throughput", throughput));
        results.push(("lone", self.lone(&world)?));
        if self.file_mib > 0 {
            settle(&world, self.documents)?;
            results.push(("file", self.file(&world)?));
        }
        let mut growth = serde_json::Map::new();
        for size in (3..).map(|power| 10usize.pow(power)).take_while(|size| *size <= self.stored) {
            let at = self.at_size(&world, size)?;
            growth.insert(size.to_string(), at);
        }
        for (size, value) in &growth {
            results
                .push(("stored", json!({ "documents": size.parse::<u64>().unwrap_or_default() })));
            results.push(("", value.clone()));
        }
        let before = world.receiver.status(&mut world.receiver.client()?)?.entries;
        results.push(("receiver_entries", json!(before)));
        if output.json {
            let plain = results.into_iter().filter(|(name, _)| !matches!(*name, "stored" | ""));
            let mut map: serde_json::Map<_, _> =
                plain.map(|(name, value)| (name.to_owned(), value)).collect();
            if !growth.is_empty() {
                map.insert("stored".into(), Value::Object(growth));
            }
            output.print_json(&Value::Object(map));
        } else {
            results.iter().for_each(|(name, value)| print(name, value));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Fills the stores up to a size, and measures there.
    fn at_size(&self, world: &World, size: usize) -> Result<Value, Failure> {
        let entries = world.receiver.status(&mut world.receiver.client()?)?.entries;
        let held = usize::try_from(entries).unwrap_or(usize::MAX);
        let missing = size.saturating_sub(held);
        let fill = (missing > 0).then(|| self.throughput(world, missing)).transpose()?;
        settle(world, missing)?;
        // Enough for what is flushed and merged now and then to have its share.
        let mut measured = self.throughput(world, (size / 20).clamp(2000, 50_000))?;
        if let Some(map) = measured.as_object_mut() {
            // The way there, at the end of which the store was as large as it is here.
            for name in [
                "documents",
                "delivered_per_second",
                "sender_cpu_us_per_document",
                "receiver_cpu_us_per_document",
            ] {
                if let Some(value) = fill.as_ref().and_then(|fill| fill.get(name)) {
                    map.insert(format!("fill_{name}"), value.clone());
                }
            }
            map.insert("sender_peak_mib".into(), json!(world.sender.peak()?));
            map.insert("receiver_peak_mib".into(), json!(world.receiver.peak()?));
        }
        Ok(measured)
    }

    fn throughput(&self, world: &World, documents: usize) -> Result<Value, Failure> {
        let text = vec![42u8; 10_240];
        let next = AtomicUsize::new(0);
        let failed: Mutex<Option<Failure>> = Mutex::new(None);
        let cpu = (world.sender.cpu()?, world.receiver.cpu()?);
        let verified = (world.sender.verified()?, world.receiver.verified()?);
        let start = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..self.clerks {
                scope.spawn(|| {
                    let work = || -> Result<(), Failure> {
                        let mut client = world.sender.client()?;
                        while next.fetch_add(1, Ordering::Relaxed) < documents {
                            send_small(&mut client, &world.officer, &text)?;
                        }
                        Ok(())
                    };
                    if let Err(failure) = work()
                        && let Ok(mut slot) = failed.lock()
                    {
                        slot.get_or_insert(failure);
                    }
                });
            }
        });
        if let Ok(Some(failure)) = failed.into_inner() {
            return Err(failure);
        }
        let accepted = start.elapsed().as_secs_f64();
        wait_delivered(&world.sender, &mut world.sender.client()?)?;
        let delivered = start.elapsed().as_secs_f64();
        let count = documents as f64;
        let each = |before: f64, after: f64| (after - before) * 1e6 / count;
        Ok(json!({
            "documents": documents, "bytes_each": 10_240, "clerks": self.clerks,
            "accepted_per_second": count / accepted,
            "delivered_per_second": count / delivered,
            "sender_cpu_us_per_document": each(cpu.0, world.sender.cpu()?),
            "receiver_cpu_us_per_document": each(cpu.1, world.receiver.cpu()?),
            "sender_verifications_per_document": (world.sender.verified()? - verified.0) / count,
            "receiver_verifications_per_document": (world.receiver.verified()? - verified.1) / count,
        }))
    }

    fn lone(&self, world: &World) -> Result<Value, Failure> {
        let text = vec![43u8; 10_240];
        let mut client = world.sender.client()?;
        let (mut accepted, mut delivered) = (Vec::new(), Vec::new());
        for _ in 0..self.lone {
            let start = Instant::now();
            send_small(&mut client, &world.officer, &text)?;
            accepted.push(start.elapsed().as_secs_f64() * 1e3);
            wait_delivered(&world.sender, &mut client)?;
            delivered.push(start.elapsed().as_secs_f64() * 1e3);
            std::thread::sleep(Duration::from_millis(2));
        }
        accepted.sort_by(f64::total_cmp);
        delivered.sort_by(f64::total_cmp);
        Ok(json!({
            "documents": self.lone,
            "accepted_p50_ms": percentile(&accepted, 0.5),
            "accepted_p99_ms": percentile(&accepted, 0.99),
            "delivered_p50_ms": percentile(&delivered, 0.5),
            "delivered_p99_ms": percentile(&delivered, 0.99),
        }))
    }

    fn file(&self, world: &World) -> Result<Value, Failure> {
        let mib = vec![44u8; 1 << 20];
        let size = self.file_mib << 20;
        let mut hasher = Hasher::new();
        (0..self.file_mib).for_each(|_| hasher.update(&mib));
        let part = Part {
            name: "large.bin".into(),
            media_type: "application/octet-stream".into(),
            size,
            digest: hasher.finish(),
        };
        let document =
            sign_document(&header(part)?, &world.officer, Commitment::Approval, unix_now())?;
        let mut client = world.sender.client()?;
        let cpu = (world.sender.cpu()?, world.receiver.cpu()?);
        let start = Instant::now();
        let request = LocalRequest::Submit { document: document.bytes().to_vec() };
        match client.ask(&request)? {
            LocalReply::Ready => {}
            other => return Err(Failure::from_reply(other)),
        }
        for _ in 0..self.file_mib {
            client.send_raw(&mib)?;
        }
        match client.reply()? {
            LocalReply::Submitted { .. } => {}
            other => return Err(Failure::from_reply(other)),
        }
        let accepted = start.elapsed().as_secs_f64();
        wait_delivered(&world.sender, &mut client)?;
        let delivered = start.elapsed().as_secs_f64();
        let mib = self.file_mib as f64;
        Ok(json!({
            "mib": self.file_mib,
            "sealing_mib_per_second": mib / accepted,
            "transfer_mib_per_second": mib / (delivered - accepted),
            "whole_mib_per_second": mib / delivered,
            "sender_cpu_seconds": world.sender.cpu()? - cpu.0,
            "receiver_cpu_seconds": world.receiver.cpu()? - cpu.1,
            "sender_peak_mib": world.sender.peak()?,
            "receiver_peak_mib": world.receiver.peak()?,
        }))
    }
}

/// Waits until both nodes are quiet after so many documents: what came is indexed then, and both stores compact. That is no
/// part of what comes next.
fn settle(world: &World, documents: usize) -> Result<(), Failure> {
    let used = || -> Result<f64, Failure> { Ok(world.sender.cpu()? + world.receiver.cpu()?) };
    let mut idle = (used()?, Instant::now());
    let indexed = Duration::from_millis(2 * u64::try_from(documents).unwrap_or_default());
    let end = Instant::now() + PATIENCE + indexed;
    while Instant::now() < end {
        std::thread::sleep(Duration::from_millis(500));
        let now = (used()?, Instant::now());
        let busy = (now.0 - idle.0) / (now.1 - idle.1).as_secs_f64();
        idle = now;
        if busy < 0.05 {
            break;
        }
    }
    Ok(())
}

/// What each step of a document costs the two nodes, one core, warm; the rest is the store, the network, encoding, and
/// threads waking one another.
fn steps(world: &World, throughput: &Value) -> Result<Value, Failure> {
    let now = unix_now();
    let trust = TrustStore::new(decode_pem_chain(&read_file(&world.root.join("ca/ca.pem"))?)?)?;
    let seal = SigningKey::from_pem(
        &String::from_utf8_lossy(&read_file(&world.root.join("a/seal.key"))?),
        None,
    )?;
    let seal =
        Credential::new(seal, decode_pem_chain(&read_file(&world.root.join("a/seal.pem"))?)?)?;
    let text = vec![45u8; 10_240];
    let part = Part {
        name: "text.txt".into(),
        media_type: "text/plain".into(),
        size: text.len() as u64,
        digest: Digest::of(&text),
    };
    let document = sign_document(&header(part)?, &world.officer, Commitment::Approval, now)?;
    let sealed_document = document.clone().add_signature(&seal, Commitment::Origin, now)?;
    let private = KemPrivateKey::generate(Kem::XWing);
    let recipient = private.public_key();
    let key = ContentKey::generate()?;
    let salt = Digest::from_bytes(chancery_crypto::random()?);
    let content = || -> Result<(Vec<u8>, SealedContent), Failure> {
        let mut out = Vec::new();
        let mut sealer = ContentSealer::new(&key, &salt, &sealed_document, &mut out)?;
        sealer.push(&text, &mut out)?;
        let sealed = sealer.finish(&mut out)?;
        Ok((out, sealed))
    };
    let (bytes, sealed) = content()?;
    let agency = "b.gov.cn".parse()?;
    let info = recipient_info(&header_sender()?, &agency);
    let envelope = EnvelopeHeader {
        sender: header_sender()?,
        recipients: vec![Recipient { agency, key: wrap_key(&recipient, &key, &info)? }],
        size: sealed.size,
        root: sealed.root,
        commitment: commit_to_document(&salt, &document.id()),
        urgency: Urgency::Routine,
        created: now,
        expires: now + 3600,
    };
    let outer = envelope.seal(&seal, now)?;
    let hash = || {
        let mut tree = merkle::CompactRange::default();
        bytes.chunks(CHUNK_SIZE).for_each(|chunk| tree.push(merkle::leaf_hash(chunk)));
        let _ = tree.root();
    };
    let sender = [
        (
            "read_and_verify_document_us",
            micros(50, || {
                let read = SignedDocument::decode(document.bytes())?;
                verify_document(&read, &trust, now);
                Ok(())
            })?,
        ),
        (
            "seal_document_us",
            micros(50, || {
                Ok(document.clone().add_signature(&seal, Commitment::Origin, now).map(drop)?)
            })?,
        ),
        ("wrap_key_us", micros(50, || Ok(wrap_key(&recipient, &key, &info).map(drop)?))?),
        ("encrypt_and_hash_content_us", micros(50, || content().map(drop))?),
        ("seal_envelope_us", micros(50, || Ok(envelope.seal(&seal, now).map(drop)?))?),
    ];
    let receiver = [
        (
            "open_envelope_us",
            micros(50, || {
                Ok(EnvelopeHeader::open(&outer, &Scrutiny::without_lists(&trust, now)).map(drop)?)
            })?,
        ),
        (
            "hash_ciphertext_us",
            micros(50, || {
                hash();
                Ok(())
            })?,
        ),
    ];
    let side = |name: &str, known: &[(&str, f64)]| {
        let all = throughput.get(name).and_then(Value::as_f64).unwrap_or_default();
        all - known.iter().map(|(_, micros)| micros).sum::<f64>()
    };
    let mut out = serde_json::Map::new();
    for (name, micros) in sender {
        out.insert(format!("sender_{name}"), json!(micros));
    }
    out.insert("sender_rest_us".into(), json!(side("sender_cpu_us_per_document", &sender)));
    for (name, micros) in receiver {
        out.insert(format!("receiver_{name}"), json!(micros));
    }
    out.insert("receiver_rest_us".into(), json!(side("receiver_cpu_us_per_document", &receiver)));
    Ok(Value::Object(out))
}

fn header_sender() -> Result<AgencyName, Failure> {
    Ok("a.gov.cn".parse()?)
}

/// What this machine's cryptography and disk allow, in the same run.
fn limits(world: &World) -> Result<Value, Failure> {
    let key = world.officer.key();
    let message = [5u8; 512];
    let signature = key.sign(&message)?;
    let public = key.public_key();
    let private = KemPrivateKey::generate(Kem::XWing);
    let recipient = private.public_key();
    let content = ContentKey::generate()?;
    let wrapped = wrap_key(&recipient, &content, b"")?;
    let block = vec![6u8; 1 << 20];
    let store = chancery_store::open(&world.sender.dir.join("scratch"))?;
    let mut at = 0u64;
    let mut write = |count: u64| -> Result<(), Failure> {
        let mut batch = Batch::default();
        for _ in 0..count {
            at += 1;
            batch.put(Table::Content, at.to_be_bytes(), [7u8; 10_240].as_slice());
        }
        Ok(store.write(batch)?)
    };
    let one = micros(20, || write(1))?;
    let many = micros(5, || write(64))?;
    Ok(json!({
        "sign_us": micros(200, || Ok(key.sign(&message).map(drop)?))?,
        "verify_us": micros(200, || Ok(public.verify(key.algorithm(), &message, &signature)?))?,
        "xwing_wrap_us": micros(50, || Ok(wrap_key(&recipient, &content, b"").map(drop)?))?,
        "xwing_unwrap_us": micros(50, || Ok(unwrap_key(&private, &wrapped, b"").map(drop)?))?,
        "sha256_us_per_mib": micros(5, || { let _ = Digest::of(&block); Ok(()) })?,
        "synced_put_10kb_us": one,
        "synced_batch_64x10kb_us": many,
    }))
}

pub(crate) fn print(name: &str, value: &Value) {
    let Some(object) = value.as_object() else {
        println!("{name:<34}{value:>14}");
        return;
    };
    println!("{name}");
    for (key, value) in object {
        match value.as_f64().filter(|_| value.is_f64()) {
            Some(number) => println!("  {key:<32}{number:>14.1}"),
            None => println!("  {key:<32}{value:>14}"),
        }
    }
}
