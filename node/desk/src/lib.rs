//! The desk: who may do what. Submissions, what has come in, finding and opening, acts, purging, archives and backups.
//!
//! It stands above the bus and its ledger, and knows nothing of sockets or HTTP: doors translate bytes and words. Start reading
//! at [`Office`].

pub mod access;
mod acts;
mod agencies;
mod archive;
pub mod arrivals;
pub mod asking;
pub mod backup;
mod decider;
mod exchange;
pub mod filing;
pub mod finding;
pub mod heads;
mod limited;
pub mod lookup;
pub mod matters;
mod office;
pub mod opening;
pub mod proofs;
pub mod purge;
pub mod reading;
mod rejections;
pub mod request_key;
pub mod requests;
mod rows;
mod submission;
mod submit;
#[cfg(test)]
mod testing;
pub mod told;
mod upkeep;
pub mod views;

use chancery_bus::{NodeConfig, NodeError};

pub use self::{
    access::{DEFAULT_POLICIES, POLICY_SCHEMA},
    archive::{DataFolder, LedgerImport},
    backup::{BackupManifest, check as check_backup, restore as restore_backup},
    office::Office,
    submission::Accepted,
    submit::{Handed, Parts, Refused, Taken, Taking, submit},
};

/// Checks the rules that a configuration names. Returns who works with documents and is not cleared for what is secret, by
/// the entries of the role of clerks.
///
/// # Errors
/// [`NodeError::Config`], naming the rule that is not right.
pub fn check_policies(config: &NodeConfig) -> Result<Vec<String>, NodeError> {
    let access = access::Access::load(config)?;
    Ok(access.uncleared().into_iter().map(str::to_owned).collect())
}
