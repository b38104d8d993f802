//! The bus: a node's QUIC endpoint, couriers, what comes in, relays, the witness, contents, clock and limits.
//!
//! `protocol` decides, this crate does: it owns sockets, disk and tasks. Nothing here knows of clerks, of rules about who may do
//! what, or of applications. Start reading at [`Bus`].

pub mod accept;
mod bus;
mod checks;
mod clock;
mod config;
pub mod content;
mod continuity;
mod directories;
mod directory;
mod endpoint;
mod error;
pub mod evidence;
mod fault;
mod frames;
pub mod fresh;
mod handshakes;
mod identity;
mod inbound;
mod limits;
mod listener;
mod metrics;
pub mod opening;
mod outbound;
pub mod places;
mod queue;
mod refused;
mod relay;
mod standing;
pub mod tasks;
#[cfg(test)]
mod testing;
mod trust;
pub mod upkeep;
pub mod witness;
mod wording;

pub use self::{
    bus::{Bus, ELSEWHERE},
    config::{
        AccessSettings, ApiSettings, FileSettings, LimitSettings, MonitorSettings, NodeConfig,
        PurgeSettings, SAMPLE_CONFIG, TokenSettings, with_suggestion,
    },
    continuity::{Mark, NEW_MARK, note_restored},
    error::NodeError,
    fault::UnacceptedFault,
    identity::{EncryptionKeys, Identity},
    trust::TrustFile,
    witness::Witness,
};
use chancery_ledger::unix_now;
use chancery_store::files::read_file;

/// What is missing in the witnesses of a node's agency, by the directory that lies in its file; nothing is said without
/// one, or when it is not valid now.
///
/// # Errors
/// [`NodeError::Store`] when the file cannot be read.
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
