//! `chancery bench ledger`: appends to a real ledger in a real store, at growing sizes.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use chancery_bus::{NodeConfig, NodeError};
use chancery_certs::{AgencyName, Credential, Issuer, Profile, Subject, TrustStore};
use chancery_crypto::{Algorithm, Digest, SigningKey};
use chancery_desk::DataFolder;
use chancery_ledger::{Commit, Ledger, Outcome, unix_now};
use chancery_protocol::{EnvelopeId, Event, Indication, Leaf, LogKey, Validation};
use chancery_store::{Batch, Table, in_place};
use serde_json::{Value, json};

use crate::{
    audit::{audit_export, on_all_cores},
    bench::{percentile, print},
    failure::Failure,
    output::Output,
};

/// Entries in one commit when a size is only to be reached, not measured.
const FILL: u64 = 4096;

#[derive(Debug, clap::Args)]
pub(crate) struct LedgerBench {
    /// The largest ledger, in entries; sizes are 1000 and every ten-fold of it up to this
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    entries: u64,
    /// Entries that are appended at each size, each by a caller of its own that waits for its receipt
    #[arg(long, value_name = "N", default_value_t = 40_000)]
    sample: u64,
    /// Callers that append at once
    #[arg(long, value_name = "N", default_value_t = 1024)]
    callers: u64,
    /// Lone appends at each size, one after the other
    #[arg(long, value_name = "N", default_value_t = 1000)]
    lone: u64,
    /// Checkpoints of the ledger that is audited, two signatures each
    #[arg(long, value_name = "N", default_value_t = 5000)]
    audited: u64,
    /// Contents of each size that are written in each way
    #[arg(long, value_name = "N", default_value_t = 64)]
    contents: u64,
    /// Where to work (default: a new folder in the system's temporary folder)
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Measure the engine that this configuration's `[store]` names (default: the one whose tables are files); it must be empty
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// An entry of about 300 bytes.
fn leaf(n: u64) -> Result<Leaf, NodeError> {
    let digest = Digest::of(&n.to_be_bytes());
    let counterpart = format!("agency.{}.{}.gov.cn", "a".repeat(60), "b".repeat(30));
    let envelope = EnvelopeId::from_slice(digest.as_bytes());
    Ok(Leaf {
        event: Event::ContentConsignment,
        envelope: envelope.ok_or_else(|| NodeError::broken("no id"))?,
        commitment: digest,
        counterpart: counterpart.parse().map_err(NodeError::from)?,
        time: unix_now(),
        evidence: Some(digest),
    })
}

fn seal(root: &Issuer) -> Result<Credential, Failure> {
    let name: AgencyName = "a.gov.cn".parse()?;
    let key = SigningKey::generate(Algorithm::Es256)?;
    let subject = Subject::agency(Profile::Seal, name, "Agency");
    let certificate = root.issue(&subject, &key.public_key(), unix_now())?;
    Ok(Credential::new(key, vec![certificate])?)
}

/// Appends entries `from` to `to` by many callers, each waiting for its receipt. Gives entries a second.
async fn append(ledger: &Arc<Ledger>, from: u64, to: u64, callers: u64) -> Result<f64, NodeError> {
    let next = Arc::new(AtomicU64::new(from));
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..callers {
        let (ledger, next) = (ledger.clone(), next.clone());
        tasks.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= to {
                    return Ok::<_, NodeError>(());
                }
                one(&ledger, n).await?;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(NodeError::broken)??;
    }
    Ok((to - from) as f64 / start.elapsed().as_secs_f64())
}

async fn one(ledger: &Ledger, n: u64) -> Result<(), NodeError> {
    append_one(ledger, leaf(n)?).await
}

async fn append_one(ledger: &Ledger, leaf: Leaf) -> Result<(), NodeError> {
    let commit = Commit { leaves: vec![leaf], ..Commit::default() };
    match ledger.commit(commit).await? {
        Outcome::Committed(receipts) if receipts.len() == 1 => Ok(()),
        other => Err(NodeError::damaged(format!("an append gave {other:?}"))),
    }
}

/// The folder to work in; one that was not asked for is removed in the end.
struct Scratch {
    path: PathBuf,
    temporary: bool,
}

impl Scratch {
    fn new(asked: Option<&Path>) -> Result<Self, NodeError> {
        let own = || std::env::temp_dir().join(format!("chancery-bench-{}", std::process::id()));
        let path = asked.map_or_else(own, Path::to_owned);
        std::fs::create_dir_all(&path).map_err(NodeError::file(&path))?;
        Ok(Self { path, temporary: asked.is_none() })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.temporary {
            drop(std::fs::remove_dir_all(&self.path));
        }
    }
}

impl LedgerBench {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let scratch = Scratch::new(self.dir.as_deref())?;
        let runtime = crate::node::threads()?;
        let root = Issuer::new_root("Bench", &[], Algorithm::Es256, unix_now())?;
        let seal = Arc::new(seal(&root)?);
        let path = scratch.path.join("store");
        let config = self.config.as_deref().map(NodeConfig::load).transpose()?;
        let settings = config.map(|config| config.store).unwrap_or_default();
        let open = || {
            let store = settings.open(&path)?;
            store.lead("chancery bench ledger", &AtomicBool::new(false))?;
            Ok::<_, NodeError>((store.clone(), Arc::new(Ledger::open(store, seal.clone())?)))
        };
        let (mut store, mut ledger) = open()?;
        if !store.scan(Table::Leaves, &[], &[], 1)?.is_empty() {
            return Err(Failure::usage(
                "CHY-4002",
                "there is a ledger in the store that is to be measured".to_owned(),
                "Name a configuration whose database, or a folder that, is empty.",
            ));
        }
        let mut sizes = Vec::new();
        let (mut size, mut target) = (0, 1000);
        let progress = output.count_bar(self.entries, output.t("appending", "追加"));
        while target <= self.entries {
            while size < target {
                let to = target.min(size + FILL);
                let leaves = (size..to).map(leaf).collect::<Result<_, _>>()?;
                runtime.block_on(ledger.commit(Commit { leaves, ..Commit::default() }))?;
                size = to;
                progress.set_position(size);
            }
            // What the fill has left to compact is not what an append costs.
            if let Some(engine) = store.maintenance() {
                engine.scrub(&[
                    Table::Leaves,
                    Table::Tiles,
                    Table::Receipts,
                    Table::Checkpoints,
                ])?;
            }
            // Opened anew, from the disk alone.
            in_place(|here| ledger.close(here));
            drop((store, ledger));
            let start = Instant::now();
            (store, ledger) = open()?;
            let start_up = start.elapsed().as_secs_f64() * 1e3;
            let to = size + self.sample;
            let rate = runtime.block_on(append(&ledger, size, to, self.callers))?;
            size = to;
            let mut lone = Vec::new();
            let mut raw = Vec::new();
            for _ in 0..self.lone {
                let start = Instant::now();
                runtime.block_on(one(&ledger, size))?;
                lone.push(start.elapsed().as_secs_f64() * 1e6);
                size += 1;
                let mut batch = Batch::default();
                batch.put(Table::Meta, *b"scratch", [7u8; 300].as_slice());
                let start = Instant::now();
                store.write(batch)?;
                raw.push(start.elapsed().as_secs_f64() * 1e6);
            }
            lone.sort_by(f64::total_cmp);
            raw.sort_by(f64::total_cmp);
            sizes.push(json!({
                "entries": target, "start_up_ms": start_up, "entries_per_second": rate,
                "append_us": 1e6 / rate,
                "lone_append_p50_us": percentile(&lone, 0.5),
                "lone_append_p99_us": percentile(&lone, 0.99),
                "synced_put_300b_p50_us": percentile(&raw, 0.5),
            }));
            target *= 10;
        }
        progress.finish_and_clear();
        // What was measured is what a verifier accepts.
        let key = LogKey::of_seal(seal.chain().first().ok_or_else(Failure::unexpected)?)?;
        let receipt =
            in_place(|here| ledger.view(here).prove(size / 2))?.ok_or_else(Failure::unexpected)?;
        receipt.verify(&key)?;
        in_place(|here| ledger.close(here));
        drop((store, ledger));
        let audit = self.audit(output, &scratch.path, &root, &seal, &runtime)?;
        let contents = self.contents(&scratch.path)?;
        let report = json!({
            "callers": self.callers, "entry_bytes": receipt.leaf.len(), "final_entries": size,
            "sizes": sizes, "audit": audit, "contents": contents,
        });
        if output.json {
            output.print_json(&report);
        } else {
            for one in report.get("sizes").and_then(Value::as_array).into_iter().flatten() {
                print(output.t("ledger", "账本"), one);
            }
            print(output.t("audit", "审计"), report.get("audit").unwrap_or(&Value::Null));
            for one in report.get("contents").and_then(Value::as_array).into_iter().flatten() {
                print(output.t("contents", "内容"), one);
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// An audit of a ledger in which every entry has a checkpoint of its own, beside the bare checks of as many
    /// signatures on all cores.
    fn audit(
        &self,
        output: &Output,
        scratch: &Path,
        root: &Issuer,
        seal: &Arc<Credential>,
        runtime: &tokio::runtime::Runtime,
    ) -> Result<Value, Failure> {
        let data = scratch.join("audited");
        let store = chancery_store::open(&data.join("store"))?;
        let ledger = Ledger::open(store, seal.clone())?;
        for n in 0..self.audited {
            let leaf = Leaf { evidence: None, ..leaf(n)? };
            runtime.block_on(append_one(&ledger, leaf))?;
        }
        in_place(|here| ledger.close(here));
        drop(ledger);
        let export = scratch.join("export");
        DataFolder::open(&data)?.files().for_each(&|path, bytes| -> Result<(), NodeError> {
            Ok(chancery_store::files::write_new(&export.join(path), &bytes)?)
        })?;
        let trust = TrustStore::new([root.certificate().clone()])?;
        let by = Validation::new(&trust, unix_now());
        let start = Instant::now();
        let report = audit_export(output, &export, &by)?;
        let took = start.elapsed().as_secs_f64();
        if report.indication != Indication::TotalPassed || report.checkpoints != self.audited {
            return Err(NodeError::damaged(format!("the audit says {report:?}")).into());
        }
        // Each kept checkpoint is a note and a COSE signature over its root.
        let signatures = 2 * self.audited;
        let (key, message) = (seal.key().public_key(), [7; 200]);
        let signature = seal.key().sign(&message)?;
        let start = Instant::now();
        let checks = vec![(); usize::try_from(signatures).unwrap_or_default()];
        let good =
            on_all_cores(&checks, |()| key.verify(Algorithm::Es256, &message, &signature).is_ok());
        let raw = start.elapsed().as_secs_f64();
        if good.contains(&false) {
            return Err(Failure::unexpected());
        }
        Ok(json!({
            "checkpoints": self.audited, "signatures_per_second": signatures as f64 / took,
            "raw_checks_per_second": signatures as f64 / raw, "share_of_raw": raw / took,
        }))
    }

    /// Durable contents in the store's blob files and in files of their own, one at a time.
    fn contents(&self, scratch: &Path) -> Result<Vec<Value>, Failure> {
        let store = chancery_store::open(&scratch.join("contents").join("store"))?;
        let folder = scratch.join("contents").join("files");
        std::fs::create_dir_all(&folder).map_err(NodeError::file(&folder))?;
        let mut out = Vec::new();
        for size in [10 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20] {
            let (mut blobs, mut files) = (Vec::new(), Vec::new());
            for n in 0..self.contents {
                let content: Vec<u8> = chancery_crypto::random::<32>()?.repeat(size / 32);
                let key = Digest::of(&[&size.to_be_bytes()[..], &n.to_be_bytes()].concat());
                let start = Instant::now();
                let mut batch = Batch::default();
                batch.put(Table::Content, *key.as_bytes(), content.as_slice());
                store.write(batch)?;
                blobs.push(start.elapsed().as_secs_f64() * 1e6);
                let start = Instant::now();
                let path = folder.join(key.to_string());
                chancery_store::files::write_private(&path.with_extension("tmp"), &content)?;
                std::fs::rename(path.with_extension("tmp"), &path)
                    .map_err(NodeError::file(&path))?;
                chancery_store::files::sync_directory(&folder)?;
                let mut batch = Batch::default();
                batch.put(Table::Envelopes, *key.as_bytes(), [7; 300]);
                store.write(batch)?;
                files.push(start.elapsed().as_secs_f64() * 1e6);
            }
            blobs.sort_by(f64::total_cmp);
            files.sort_by(f64::total_cmp);
            out.push(json!({
                "bytes": size, "in_store_p50_us": percentile(&blobs, 0.5),
                "in_store_p99_us": percentile(&blobs, 0.99),
                "as_file_p50_us": percentile(&files, 0.5),
                "as_file_p99_us": percentile(&files, 0.99),
            }));
        }
        Ok(out)
    }
}
