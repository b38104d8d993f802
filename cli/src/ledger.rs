//! `chancery ledger`: the local node's ledger.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use chancery_bus::NodeError;
use chancery_certs::Certificate;
use chancery_crypto::{Digest, cbor};
use chancery_desk::{
    DataFolder, LedgerImport,
    asking::{LocalReply, LocalRequest},
    check_backup, restore_backup,
};
use chancery_doors::LocalClient;
use chancery_ledger::unix_now;
use chancery_protocol::{
    Evidence, EvidenceVerifier, Growth, Indication, KeptCheckpoint, Leaf, LogKey, PurgeOrder,
    Receipt, SignedCheckpoint, merkle, tile, verify_cose_receipt,
};
use chancery_store::{
    Table,
    files::{Staged, read_file, write_new},
};
use serde_bytes::ByteBuf;

use crate::{
    failure::{Failure, NO},
    keys::Signer,
    local::{Local, is_inside},
    output::{Output, plain, time},
    source::{Folder, Source as _},
    trust::{MaterialArgs, TrustArgs},
};

/// Whose ledger to ask.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Asked {
    #[command(flatten)]
    local: Local,
    /// Read the ledger in this data folder instead of a running node's: a stopped node's, a backup's, or an
    /// imported one
    #[arg(long, value_name = "DIR", conflicts_with = "socket")]
    data: Option<PathBuf>,
}

/// Who answers.
enum Asking {
    Node(LocalClient),
    Data(Box<DataFolder>),
}

impl Asked {
    fn open(&self) -> Result<Asking, Failure> {
        Ok(match &self.data {
            None => Asking::Node(self.local.connect()?),
            Some(data) => {
                let opened = DataFolder::open(data).map_err(|e| Failure::from(e).at(data))?;
                Asking::Data(Box::new(opened))
            }
        })
    }
}

impl Asking {
    fn ask(&mut self, request: &LocalRequest) -> Result<LocalReply, Failure> {
        Ok(match self {
            Self::Node(client) => client.ask(request)?,
            Self::Data(data) => data.ask(request)?,
        })
    }
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Ledger {
    /// Show the newest sealed checkpoint
    Status {
        #[command(flatten)]
        asked: Asked,
    },
    /// Show the newest checkpoint with its cosignatures, and the keys to check it with
    #[command(
        after_help = "Example:\n  chancery ledger checkpoint > note\nThe note is a C2SP tlog-checkpoint; \
                      --keys prints what transparency-log clients check it with (Ed25519 only)."
    )]
    Checkpoint {
        /// Print the verifier key of the ledger instead of the note
        #[arg(long)]
        keys: bool,
        #[command(flatten)]
        asked: Asked,
    },
    /// Show entries
    #[command(
        after_help = "Examples:\n  chancery ledger show\n  chancery ledger show --from 1000 --limit 50 --json"
    )]
    Show {
        /// The first entry
        #[arg(long, value_name = "N", default_value_t = 0)]
        from: u64,
        /// At most so many
        #[arg(long, value_name = "COUNT", default_value_t = 100)]
        limit: u64,
        #[command(flatten)]
        asked: Asked,
    },
    /// Check proofs of entries that somebody gave you, offline
    #[command(
        after_help = "Examples:\n  chancery ledger check-proof entry-17.evidence --anchor root.pem\n  \
                      chancery ledger check-proof entry-17.cose --anchor root.pem --json\n\
                      Takes evidence files and COSE receipts (RFC 9942). Exit 0: all hold; 1: one does not."
    )]
    CheckProof {
        /// Files as `ledger prove --out` writes them, or evidence of an opened document
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        trust: TrustArgs,
        #[command(flatten)]
        material: MaterialArgs,
    },
    /// Prove that an entry stands in the ledger, or that the ledger only grew since a size
    #[command(
        after_help = "Examples:\n  chancery ledger prove --entry 17\n  chancery ledger prove --entry 17 --out entry-17.cose --cose\n  chancery ledger prove --since 1000"
    )]
    Prove(Prove),
    /// Make a backup of the running node's store and contents
    #[command(
        after_help = "Example:\n  chancery ledger backup\n  rsync -a node/data/backups/2026-11-24T093000Z \
                      vault:/backups/\nIt is made in the data folder, as links that cost nothing; copy it \
                      elsewhere. Keys and certificates are not in it: keep those apart."
    )]
    Backup {
        #[command(flatten)]
        local: Local,
    },
    /// Check a backup and put it in the place of a lost data folder
    #[command(
        after_help = "Examples:\n  chancery ledger restore 2026-11-24T093000Z --into node/data\n  \
                      chancery ledger restore 2026-11-24T093000Z --check\nWhat came after the backup is not \
                      in it. Peers remember what the ledger has sealed since: when they have seen more than the \
                      backup has, the node is for reading only. See \"A lost disk\" in docs/operators.md."
    )]
    Restore {
        /// The backup's folder
        #[arg(value_name = "BACKUP")]
        backup: PathBuf,
        /// The data folder to make; it must not be there
        #[arg(long, value_name = "DIR", required_unless_present = "check")]
        into: Option<PathBuf>,
        /// Only check that the backup is whole
        #[arg(long, conflicts_with = "into")]
        check: bool,
    },
    /// Write the whole ledger as a static log (C2SP tlog-tiles) with all received evidence
    #[command(
        after_help = "Example:\n  chancery ledger export --out ledger-2026\n  chancery audit ledger-2026 --anchor root.pem"
    )]
    Export {
        /// A new folder
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        asked: Asked,
    },
    /// Put an exported ledger into a data folder, to ask it what a node can be asked
    #[command(
        after_help = "Example:\n  chancery ledger import ledger-2026 --into archive/hz --anchor root.pem\n  \
                      chancery ledger prove --entry 17 --data archive/hz\nThe export is audited first: one \
                      that fails is not taken. An export holds no contents, so the archive has none."
    )]
    Import(Import),
    /// Remove the content of a document from the node for good, by your signed order
    #[command(
        after_help = "Example:\n  chancery ledger purge 3f2a91c0 --reason '档案法第二十七条，保管期满'\n\
                      The node must name you under [purge] officers in node.toml. The ledger records the \
                      order and keeps its entries: every proof still holds. Backups made before still hold \
                      the content; so do the other agencies that have it."
    )]
    Purge(Purge),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Import {
    /// The folder that `ledger export` wrote
    #[arg(value_name = "EXPORT")]
    export: PathBuf,
    /// The data folder to make; it must not be there
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    material: MaterialArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Purge {
    /// The first digits of the document's id
    id: String,
    /// On what ground: the law, the schedule, the decision; it is kept for good, so name nothing that is to go
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    signer: Signer,
    #[command(flatten)]
    local: Local,
}

#[derive(Debug, clap::Args)]
#[group(id = "what", required = true, multiple = false, args = ["entry", "since"])]
pub(crate) struct Prove {
    /// The entry's number
    #[arg(long, value_name = "N")]
    entry: Option<u64>,
    /// An older size of the ledger
    #[arg(long, value_name = "SIZE")]
    since: Option<u64>,
    /// Write the proof of the entry as an evidence file, which `ledger check-proof` checks offline
    #[arg(long, value_name = "FILE", requires = "entry")]
    out: Option<PathBuf>,
    /// Write it as a COSE receipt (RFC 9942) instead
    #[arg(long, requires = "out")]
    cose: bool,
    #[command(flatten)]
    asked: Asked,
}

impl Ledger {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        match self {
            Self::Status { asked } => status(output, &asked),
            Self::Checkpoint { keys, asked } => show_checkpoint(output, keys, &asked),
            Self::Show { from, limit, asked } => show(output, from, limit, &asked),
            Self::CheckProof { files, trust, material } => {
                check_proofs(output, &files, &trust, &material)
            }
            Self::Prove(prove) => prove.run(output),
            Self::Backup { local } => backup(output, &local),
            Self::Restore { backup, into, .. } => restore(output, &backup, into.as_deref()),
            Self::Export { out, asked } => export(output, &out, &asked),
            Self::Import(import) => import.run(output),
            Self::Purge(purge) => purge.run(output),
        }
    }
}

/// Asks for the newest checkpoint and checks it under the node's own seal, whose chain comes with it.
fn checkpoint(asking: &mut Asking) -> Result<(SignedCheckpoint, LogKey, Vec<ByteBuf>), Failure> {
    let reply = asking.ask(&LocalRequest::Checkpoint)?;
    let LocalReply::Checkpoint { note, chain } = reply else {
        return Err(Failure::from_reply(reply));
    };
    let seal = chain.first().ok_or_else(Failure::unexpected)?;
    let key = LogKey::of_seal(&Certificate::from_der(seal)?)?;
    Ok((SignedCheckpoint::open(&note, &key)?, key, chain))
}

fn status(output: &Output, asked: &Asked) -> Result<ExitCode, Failure> {
    let (signed, ..) = checkpoint(&mut asked.open()?)?;
    let state = &signed.checkpoint;
    if output.json {
        output.print_json(&serde_json::json!({
            "origin": state.origin, "size": state.size, "root": state.root, "note": signed.note,
        }));
    } else {
        print!("{}", signed.note);
    }
    Ok(ExitCode::SUCCESS)
}

fn show_checkpoint(output: &Output, keys: bool, asked: &Asked) -> Result<ExitCode, Failure> {
    let (signed, key, _) = checkpoint(&mut asked.open()?)?;
    if output.json {
        let state = &signed.checkpoint;
        output.print_json(&serde_json::json!({
            "origin": state.origin, "size": state.size, "root": state.root, "note": signed.note,
            "signers": signed.signers(), "vkey": key.vkey(),
        }));
    } else if keys {
        match key.vkey() {
            Some(vkey) => println!("{vkey}"),
            None => {
                let remedy =
                    "Check the note with the seal's certificate, as `chancery audit` does.";
                let why = "the seal's key is not Ed25519, and verifier keys know no other";
                return Err(Failure::usage("CHY-6014", why, remedy));
            }
        }
    } else {
        print!("{}", signed.note);
    }
    Ok(ExitCode::SUCCESS)
}

fn show(output: &Output, from: u64, limit: u64, asked: &Asked) -> Result<ExitCode, Failure> {
    let mut client = asked.open()?;
    let (mut at, mut left) = (from, limit);
    let mut all = Vec::new();
    while left > 0 {
        let asked = u32::try_from(left).unwrap_or(u32::MAX);
        let reply = client.ask(&LocalRequest::Entries { from: at, limit: asked })?;
        let LocalReply::Entries { leaves, more } = reply else {
            return Err(Failure::from_reply(reply));
        };
        for bytes in &leaves {
            let leaf = Leaf::decode(bytes)?;
            if output.json {
                all.push(serde_json::json!({
                    "entry": at, "leaf": leaf, "leaf_hash": merkle::leaf_hash(bytes),
                }));
            } else {
                let Leaf { event, envelope, counterpart, time: when, .. } = &leaf;
                println!("#{at} {} {} {envelope} {counterpart}", time(*when), event.name());
            }
            at += 1;
        }
        left = left.saturating_sub(leaves.len() as u64);
        if !more || leaves.is_empty() {
            break;
        }
    }
    if output.json {
        output.print_json(&serde_json::Value::Array(all));
    }
    Ok(ExitCode::SUCCESS)
}

/// Checks evidence files and COSE receipts. What is neither is a failed proof, not a mistake.
fn check_proofs(
    output: &Output,
    files: &[PathBuf],
    trust: &TrustArgs,
    material: &MaterialArgs,
) -> Result<ExitCode, Failure> {
    let (store, material) = (trust.store()?, material.read()?);
    let by = material.validation(&store, trust.at());
    let verifier = EvidenceVerifier::new(&by);
    let mut worst = ExitCode::SUCCESS;
    let mut all = Vec::new();
    for file in files {
        let bytes = read_file(file)?;
        let judged = match Evidence::decode(&bytes) {
            Ok(evidence) => verifier.verify(&evidence).map(|found| {
                (evidence.agency, found.index, found.checkpoint.checkpoint.size, found.leaf)
            }),
            Err(error) if error.needs_newer() => Err(error),
            Err(_) => verify_cose_receipt(&bytes, &by)
                .map(|found| (found.agency, found.index, found.size, found.leaf)),
        };
        match judged {
            Ok((agency, index, size, leaf)) if output.json => all.push(serde_json::json!({
                "path": file, "holds": true, "agency": agency, "entry": index, "size": size,
                "leaf": leaf,
            })),
            Ok((agency, index, size, leaf)) => {
                let (event, at) = (leaf.event, time(leaf.time));
                println!("✓ {}", file.display());
                println!(
                    "  {agency} #{index}/{size} {event} {} {} {at}",
                    leaf.envelope, leaf.counterpart
                );
            }
            Err(error) => {
                worst = ExitCode::from(1);
                let failure = Failure::from(error);
                if output.json {
                    all.push(serde_json::json!({
                        "path": file, "holds": false, "code": failure.code,
                        "sentence": failure.message,
                    }));
                } else {
                    println!("✗ {}", file.display());
                    println!("  [{}] {}", failure.code, failure.message);
                }
            }
        }
    }
    if output.json {
        output.print_json(&serde_json::Value::Array(all));
    }
    Ok(worst)
}

impl Prove {
    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let mut client = self.asked.open()?;
        let (_, key, chain) = checkpoint(&mut client)?;
        if let Some(index) = self.entry {
            let receipt = prove_entry(output, &mut client, &key, index)?;
            if let Some(out) = &self.out {
                let seal = chain.first().ok_or_else(Failure::unexpected)?;
                let agency = Certificate::from_der(seal)?.agency_name()?;
                let evidence = Evidence { agency, receipt, chain, salt: None };
                let bytes = if self.cose { evidence.to_cose()? } else { evidence.encode()? };
                write_new(out, &bytes)?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        let size = self.since.unwrap_or_default();
        let reply = client.ask(&LocalRequest::ProveConsistency { size })?;
        let LocalReply::Consistency { growth, note } = reply else {
            return Err(Failure::from_reply(reply));
        };
        let Growth { old_size, old_root, proof } = growth;
        let signed = SignedCheckpoint::open(&note, &key)?;
        let new = &signed.checkpoint;
        merkle::verify_consistency((old_size, &old_root), (new.size, &new.root), &proof)?;
        if output.json {
            output.print_json(&serde_json::json!({
                "old_size": old_size, "old_root": old_root, "size": new.size, "root": new.root,
                "proof": proof, "checkpoint": note,
            }));
        } else {
            println!("{old_size} {old_root}");
            println!("{} {}", new.size, new.root);
            for hash in &proof {
                println!("  {hash}");
            }
            println!("{}", output.t("the proof holds", "证明成立"));
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn prove_entry(
    output: &Output,
    client: &mut Asking,
    key: &LogKey,
    index: u64,
) -> Result<Receipt, Failure> {
    let reply = client.ask(&LocalRequest::Prove { index })?;
    let LocalReply::Proof(receipt) = reply else { return Err(Failure::from_reply(reply)) };
    let verified = receipt.verify(key)?;
    let Leaf { event, envelope, counterpart, time: at, .. } = &verified.leaf;
    if output.json {
        output.print_json(&serde_json::json!({
            "entry": index, "leaf": verified.leaf, "leaf_hash": merkle::leaf_hash(&receipt.leaf),
            "proof": receipt.proof, "checkpoint": receipt.checkpoint,
        }));
    } else {
        println!("#{index} {} {envelope} {counterpart} {}", event.name(), time(*at));
        for hash in &receipt.proof {
            println!("  {hash}");
        }
        print!("{}", receipt.checkpoint);
        println!("{}", output.t("the proof holds", "证明成立"));
    }
    Ok(receipt)
}

fn backup(output: &Output, local: &Local) -> Result<ExitCode, Failure> {
    let reply = local.connect()?.ask(&LocalRequest::Backup)?;
    let LocalReply::BackedUp { path, files, bytes, entries } = reply else {
        return Err(Failure::from_reply(reply));
    };
    if output.json {
        output.print_json(&serde_json::json!({
            "path": path, "files": files, "bytes": bytes, "entries": entries,
        }));
    } else {
        println!("{} {}", output.t("backup made:", "备份完成："), path.display());
        print_measure(output, files, bytes, entries);
    }
    Ok(ExitCode::SUCCESS)
}

fn print_measure(output: &Output, files: u64, bytes: u64, entries: u64) {
    println!(
        "  {files} {}, {bytes} {}, {entries} {}",
        output.t("files", "个文件"),
        output.t("bytes", "字节"),
        output.t("ledger entries", "条账本条目")
    );
}

fn restore(output: &Output, backup: &Path, into: Option<&Path>) -> Result<ExitCode, Failure> {
    let manifest = match into {
        Some(into) => restore_backup(backup, into)?,
        None => check_backup(backup)?,
    };
    let ((files, bytes), entries) = (manifest.measure(), manifest.entries()?);
    if output.json {
        output.print_json(&serde_json::json!({
            "backup": backup, "restored": into, "files": files, "bytes": bytes,
            "entries": entries, "made": manifest.made,
        }));
    } else {
        let said = match into {
            Some(_) => output.t("restored; made at", "已恢复；备份时间"),
            None => output.t("the backup is whole; made at", "备份完整；备份时间"),
        };
        println!("{said} {}", time(manifest.made));
        print_measure(output, files as u64, bytes, entries);
    }
    Ok(ExitCode::SUCCESS)
}

fn export(output: &Output, out: &Path, asked: &Asked) -> Result<ExitCode, Failure> {
    Failure::unless_new(out)?;
    // A half export must not be mistaken for a whole one.
    let staged = Staged::folder(out)?;
    let files = match asked.open()? {
        Asking::Node(mut client) => {
            client.send(&LocalRequest::Export)?;
            receive_files(&mut client, staged.path())?
        }
        Asking::Data(data) => write_files(&data, staged.path())?,
    };
    staged.finish()?;
    if output.json {
        output.print_json(&serde_json::json!({ "folder": out, "files": files }));
    } else {
        println!("{} {} ({files})", output.t("ledger exported:", "账本已导出："), out.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn receive_files(client: &mut LocalClient, folder: &Path) -> Result<u64, Failure> {
    let mut files = 0;
    loop {
        match client.reply()? {
            LocalReply::File(file) if is_inside(Path::new(&file.path)) => {
                write_new(&folder.join(&file.path), &file.bytes)?;
                files += 1;
            }
            LocalReply::Done => return Ok(files),
            other => return Err(Failure::from_reply(other)),
        }
    }
}

fn write_files(data: &DataFolder, folder: &Path) -> Result<u64, Failure> {
    let files = std::cell::Cell::new(0);
    data.files().for_each(&|path, bytes| -> Result<(), NodeError> {
        files.set(files.get() + 1);
        Ok(write_new(&folder.join(path), &bytes)?)
    })?;
    Ok(files.get())
}

impl Import {
    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let (trust, material) = (self.trust.store()?, self.material.read()?);
        let by = material.validation(&trust, self.trust.at());
        let report = crate::audit::audit_export(output, &self.export, &by)?;
        if report.indication == Indication::TotalFailed {
            return Err(Failure {
                exit: NO,
                ..Failure::usage(
                    "CHY-6038",
                    "the export fails its audit",
                    "See why with `chancery audit`; nothing was imported.",
                )
                .at(&self.export)
            });
        }
        let source = Folder::new(self.export);
        let mut import = LedgerImport::create(&self.into)?;
        let mut bundle = 0;
        while let Some(bytes) = source.entries(bundle)? {
            for entry in tile::entries(&bytes)? {
                import.entry(entry)?;
            }
            bundle += 1;
        }
        let mut newest = None;
        for bytes in source.history() {
            for kept in tile::entries(&bytes?)? {
                import.history(kept)?;
                newest = Some(cbor::decode::<KeptCheckpoint>(kept).map_err(NodeError::from)?);
            }
        }
        let chain = source.seal()?;
        for chain in std::iter::once(chain.clone()).chain(source.old_seals()?) {
            import.seal(&chain)?;
        }
        for (name, kept) in source.cosignatures()? {
            let name = name.strip_prefix("witness/").unwrap_or(&name);
            let witness = name.strip_suffix(".cosignature").unwrap_or(name);
            let kept = cbor::encode(&kept).map_err(NodeError::from)?;
            import.put(Table::Cosignatures, witness.as_bytes(), &kept)?;
        }
        for (number, kept) in (0..).zip(source.cosigned()?) {
            import.cosigned(number, &kept)?;
        }
        for statement in source.statements()? {
            import.statement(&statement)?;
        }
        for (_, proof) in source.forks()? {
            import.fork(&proof)?;
        }
        for (_, seen) in source.seen()? {
            import.seen(&seen)?;
        }
        for name in source.evidence_names()? {
            import.evidence(&Evidence::decode(&source.evidence(&name)?)?)?;
        }
        for (_, order) in source.orders()? {
            import.put(Table::Orders, Digest::of(&order).as_bytes(), &order)?;
        }
        let seal = chain.first().ok_or_else(Failure::unexpected)?;
        let signed = SignedCheckpoint::open(&source.note()?, &LogKey::of_seal(seal)?)?;
        // The note as the ledger signed it; cosignatures are kept apart.
        let newest = newest.filter(|kept| signed.note.starts_with(&kept.note));
        let (note, cose) =
            newest.map_or((signed.note.clone(), None), |kept| (kept.note, kept.cose));
        let entries = signed.checkpoint.size;
        import.finish(&SignedCheckpoint { checkpoint: signed.checkpoint, note }, cose)?;
        if output.json {
            output.print_json(&serde_json::json!({
                "into": self.into, "agency": report.agency, "entries": entries,
                "indication": report.indication,
            }));
        } else {
            println!(
                "{} {} ({entries}) → {}",
                output.t("ledger imported:", "账本已导入："),
                report.agency,
                self.into.display()
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Purge {
    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let mut client = self.local.connect()?;
        let reply = client.ask(&LocalRequest::PlanPurge { id: self.id })?;
        let LocalReply::PurgePlan { agency, title, envelopes } = reply else {
            return Err(Failure::from_reply(reply));
        };
        let signer = self.signer.load()?;
        let order = PurgeOrder { agency, envelopes, reason: self.reason, created: unix_now() };
        let request = LocalRequest::Purge { order: order.sign(&signer)? };
        let reply = client.ask(&request)?;
        let LocalReply::Purged { order: digest, entries, erased } = reply else {
            return Err(Failure::from_reply(reply));
        };
        if output.json {
            output.print_json(&serde_json::json!({
                "order": digest, "envelopes": order.envelopes, "entries": entries,
                "erased": erased,
            }));
            return Ok(ExitCode::SUCCESS);
        }
        println!("{} {}", output.t("purged:", "已清除："), plain(&title));
        for (envelope, entry) in order.envelopes.iter().zip(&entries) {
            println!("  {envelope} #{entry}");
        }
        println!("  {} {digest}", output.t("by order", "清除令"));
        println!(
            "  {}",
            match erased {
                true => output.t("it is off the disk of this node", "已从本节点磁盘抹除"),
                false => output.t(
                    "it can no longer be opened; the node erases it from the disk as soon as it can",
                    "内容已不可打开；节点将尽快从磁盘抹除"
                ),
            }
        );
        Ok(ExitCode::SUCCESS)
    }
}
