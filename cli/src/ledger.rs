//! `chancery ledger`: the local node's ledger.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use chancery_certs::Certificate;
use chancery_node::{LocalClient, LocalReply, LocalRequest, NodeError, write_new};
use chancery_protocol::{Leaf, LogKey, SignedCheckpoint, merkle};

use crate::{
    failure::Failure,
    local::{Local, is_inside},
    output::{Output, time},
};

#[derive(Debug, clap::Subcommand)]
pub enum Ledger {
    /// Show the newest sealed checkpoint
    Status {
        #[command(flatten)]
        local: Local,
    },
    /// Prove that an entry stands in the ledger, or that the ledger only grew since a size
    #[command(
        after_help = "Examples:\n  chancery ledger prove --entry 17\n  chancery ledger prove --since 1000"
    )]
    Prove(Prove),
    /// Write the whole ledger as a static log (C2SP tlog-tiles) with all received evidence
    #[command(
        after_help = "Example:\n  chancery ledger export --out ledger-2026\n  chancery audit ledger-2026 --anchor root.pem"
    )]
    Export {
        /// A new folder
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        local: Local,
    },
}

#[derive(Debug, clap::Args)]
#[group(id = "what", required = true, multiple = false, args = ["entry", "since"])]
pub struct Prove {
    /// The entry's number
    #[arg(long, value_name = "N")]
    entry: Option<u64>,
    /// An older size of the ledger
    #[arg(long, value_name = "SIZE")]
    since: Option<u64>,
    #[command(flatten)]
    local: Local,
}

impl Ledger {
    pub fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        match self {
            Self::Status { local } => status(output, &local),
            Self::Prove(prove) => prove.run(output),
            Self::Export { out, local } => export(output, &out, &local),
        }
    }
}

/// Asks for the newest checkpoint and checks it under the node's own seal.
fn checkpoint(client: &mut LocalClient) -> Result<(SignedCheckpoint, LogKey), Failure> {
    let reply = client.ask(&LocalRequest::Checkpoint)?;
    let LocalReply::Checkpoint { note, chain } = reply else {
        return Err(Failure::from_reply(reply));
    };
    let seal = chain.first().ok_or_else(Failure::unexpected)?;
    let key = LogKey::of_seal(&Certificate::from_der(seal)?)?;
    Ok((SignedCheckpoint::open(&note, &key)?, key))
}

fn status(output: &Output, local: &Local) -> Result<ExitCode, Failure> {
    let (signed, _) = checkpoint(&mut local.connect()?)?;
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

impl Prove {
    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let mut client = self.local.connect()?;
        let (_, key) = checkpoint(&mut client)?;
        if let Some(index) = self.entry {
            return prove_entry(output, &mut client, &key, index);
        }
        let size = self.since.unwrap_or_default();
        let reply = client.ask(&LocalRequest::ProveConsistency { size })?;
        let LocalReply::Consistency { old_size, old_root, proof, note } = reply else {
            return Err(Failure::from_reply(reply));
        };
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
    client: &mut LocalClient,
    key: &LogKey,
    index: u64,
) -> Result<ExitCode, Failure> {
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
    Ok(ExitCode::SUCCESS)
}

fn export(output: &Output, out: &Path, local: &Local) -> Result<ExitCode, Failure> {
    if out.exists() {
        return Err(Failure::exists(out));
    }
    let mut client = local.connect()?;
    client.send(&LocalRequest::Export)?;
    let mut partial = out.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let written = write_files(&mut client, &partial);
    let files = match written {
        Ok(files) => files,
        Err(failure) => {
            // A half export must not be mistaken for a whole one.
            drop(std::fs::remove_dir_all(&partial));
            return Err(failure);
        }
    };
    std::fs::rename(&partial, out).map_err(NodeError::file(out))?;
    if output.json {
        output.print_json(&serde_json::json!({ "folder": out, "files": files }));
    } else {
        println!("{} {} ({files})", output.t("ledger exported:", "账本已导出："), out.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn write_files(client: &mut LocalClient, folder: &Path) -> Result<u64, Failure> {
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
