//! The tables of a node: from one engine to another.

use std::{path::PathBuf, process::ExitCode, sync::Arc, sync::atomic::AtomicBool};

use chancery_bus::NodeConfig;
use chancery_crypto::Hasher;
use chancery_ledger::LedgerView;
use chancery_store::{Store, Table, all, check_known, note_moved};
use serde_json::json;

use crate::{failure::Failure, output::Output};

/// Move a node's tables to another engine
#[derive(Debug, clap::Subcommand)]
pub(crate) enum StoreCommand {
    /// Copy a node's tables into those of another configuration, whose engine may be another
    #[command(
        after_help = "Examples:\n  chancery store copy --config node.toml --to node-database.toml\n  \
                      chancery store copy --config node-database.toml --to node.toml\n\
                      The node must be stopped. The second must be empty. Both are read again, and must hold the same; then the first \
                      is marked, and no node goes on in it any more. Large contents are files: copy their folder, or name it in both.\n\
                      Exit 0: copied, and the same; 1: not the same; 2, 3: nothing was copied."
    )]
    Copy {
        /// The configuration to copy from
        #[arg(long, value_name = "FILE", default_value = "node.toml")]
        config: PathBuf,
        /// The configuration to copy to
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
}

/// What a store holds: its ledger's checkpoint, and how many rows with which digest.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    note: Option<String>,
    entries: u64,
    rows: u64,
    digest: String,
}

fn held(store: &Arc<dyn Store>, output: &Output, rows: u64) -> Result<Held, Failure> {
    let bar = output.count_bar(rows, output.t("reading again", "复核"));
    let (mut digest, mut rows) = (Hasher::new(), 0);
    let tables = store.snapshot()?;
    for table in Table::ALL {
        for row in all(&*tables, table, &[]) {
            let (key, value) = row?;
            for part in [&table.number().to_be_bytes()[..], key.as_slice(), value.as_slice()] {
                digest.update(&(part.len() as u64).to_be_bytes());
                digest.update(part);
            }
            rows += 1;
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    // The tree must give the root of the sealed checkpoint.
    let ledger = match tables.scan(Table::Leaves, &[], &[], 1)?.is_empty() {
        true => None,
        false => Some(LedgerView::open(store.clone())?.checkpoint()),
    };
    let entries = ledger.as_ref().map_or(0, |ledger| ledger.checkpoint.size);
    let digest = digest.finish().to_string();
    Ok(Held { note: ledger.map(|ledger| ledger.note), entries, rows, digest })
}

impl StoreCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Failure`]: what could not be opened, read or written.
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let Self::Copy { config, to: to_config } = self;
        let [from, to] = [NodeConfig::load(&config)?, NodeConfig::load(&to_config)?];
        if from.agency != to.agency {
            return Err(Failure::usage(
                "CHY-4002",
                format!("the configurations are of {} and of {}", from.agency, to.agency),
                "Name two configurations of the same agency.",
            ));
        }
        let open = |config: &NodeConfig| -> Result<Arc<dyn Store>, Failure> {
            let store = config.store.open(&config.files.data.join("store"))?;
            // Nobody else writes meanwhile.
            store.lead("chancery store copy", &AtomicBool::new(false))?;
            check_known(&*store)?;
            Ok(store)
        };
        chancery_store::files::create_private(&to.files.data)?;
        let target = to_config.display().to_string();
        let (from, to) = (open(&from)?, open(&to)?);
        let bar = output.count_bar(0, output.t("copying", "复制"));
        let rows = chancery_store::copy(&*from, &*to, &mut |rows| bar.set_position(rows))?;
        bar.finish_and_clear();
        let (was, is) = (held(&from, output, rows)?, held(&to, output, rows)?);
        let same = was == is;
        if same {
            // Whoever starts the first again, to look, would fork the ledger.
            note_moved(&*from, &target)?;
        }
        if output.json {
            output.print_json(&json!({
                "same": same, "rows": is.rows, "entries": is.entries, "digest": is.digest,
                "checkpoint": is.note,
            }));
        } else if same {
            let (rows, entries) = (is.rows, is.entries);
            let said = match output.chinese {
                true => format!(
                    "已复制并复核 {rows} 行，账本 {entries} 条；请用 chancery audit 审计两侧的导出。"
                ),
                false => format!(
                    "copied and read again: {rows} rows, {entries} entries; audit an export of both with `chancery audit`."
                ),
            };
            println!("{said}");
        } else {
            eprintln!(
                "{}",
                output.t(
                    "the copy does not hold the same; do not use it",
                    "副本与原件不一致，请勿使用"
                )
            );
        }
        Ok(ExitCode::from(u8::from(!same)))
    }
}
