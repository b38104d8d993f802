//! The daemon: QUIC endpoint, RocksDB store and ledger, delivery workers and the local API.
//!
//! `protocol` decides, this crate does: it owns sockets, disk, clock and tasks. Start reading at
//! [`Node::run`].

mod accept;
mod access;
mod acts;
mod api;
mod archive;
mod backup;
mod checks;
mod clock;
mod config;
mod content;
mod continuity;
mod desk;
mod directories;
mod directory;
mod documents;
mod door;
mod endpoint;
mod error;
mod export;
mod files;
mod frames;
mod fresh;
mod handshakes;
mod heads;
mod identity;
mod inbound;
mod ledger;
mod limits;
mod local;
mod metrics;
mod migrate;
mod monitor;
mod outbound;
mod places;
mod purge;
mod queue;
mod records;
mod refused;
mod rejections;
mod relay;
mod requests;
mod runtime;
mod server;
mod shared;
mod standing;
mod store;
mod trust;
mod tsa;
mod witness;

pub use access::{DEFAULT_POLICIES, POLICY_SCHEMA};
pub use api::openapi;
pub use archive::{DataFolder, LedgerImport};
pub use backup::{BackupManifest, check as check_backup, restore as restore_backup};
pub use config::{
    AccessSettings, ApiSettings, FileSettings, LimitSettings, MonitorSettings, NodeConfig,
    PurgeSettings, SAMPLE_CONFIG, TokenSettings,
};
pub use continuity::NEW_MARK;
pub use error::{
    NodeError, cert_code, cert_remedy, crypto_code, crypto_remedy, protocol_code, protocol_remedy,
};
pub use export::LedgerFiles;
pub use files::{
    Staged, create_private_file, every_member, is_stray, members, new_folder, open_below,
    open_file, open_log, open_member, read_below, read_file, read_member, read_text,
    sync_directory, write_new, write_private,
};
pub use identity::Identity;
pub use ledger::{
    Commit, CosignedRow, KeptCosignature, Ledger, LedgerView, Outcome, PastCosignature,
};
pub use local::{
    AgencyView, ClockView, DeliveryView, DiskView, DocumentView, ExportedFile, LocalClient,
    LocalReply, LocalRequest, OpenedView, PartView, PeerClockView, StatusView, TraceStep,
    TraceView, WitnessView,
};
pub use records::DeliveryState;
pub use runtime::Node;
pub use store::{Batch, Entry, Read, RocksStore, Store, Table};
pub use trust::TrustFile;
pub use tsa::TimeStampServer;

/// Checks the rules that a configuration names. Returns who works with documents and is not cleared for what is secret, by
/// the entries of the role of clerks.
///
/// # Errors
/// [`NodeError::Config`], naming the rule that is not right.
pub fn check_policies(config: &NodeConfig) -> Result<Vec<String>, NodeError> {
    let access = access::Access::load(config)?;
    Ok(access.uncleared().into_iter().map(str::to_owned).collect())
}

/// What is missing in the witnesses of a node's agency, by the directory that lies in its file; nothing is said without
/// one, or when it is not valid now.
///
/// # Errors
/// [`NodeError::File`] when the file cannot be read.
pub fn own_witnesses(
    config: &NodeConfig,
    identity: &Identity,
) -> Result<Option<chancery_certs::WitnessGaps>, NodeError> {
    let path = &config.files.directory;
    if !path.exists() {
        return Ok(None);
    }
    let bytes = read_file(path)?;
    let now = unix_now();
    let (registrar, trust) = (&config.registrar, &identity.trust);
    let view = directory::DirectoryView::open(&bytes, registrar, trust, &[], now);
    Ok(view.ok().map(|view| view.witness_gaps(&config.agency)))
}

/// Seconds since 1970 UTC, by this machine's clock.
pub fn unix_now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}
