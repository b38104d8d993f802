//! Trust anchors and times, as the verifying commands take them.

use std::path::PathBuf;

use chancery_certs::TrustStore;
use chancery_node::unix_now;

use crate::{failure::Failure, keys::read_chain, output::parse_time};

/// What to verify against.
#[derive(Debug, Clone, clap::Args)]
pub struct TrustArgs {
    /// Trust anchor: a root certificate, PEM or DER (may be given several times)
    #[arg(long = "anchor", value_name = "FILE", required = true, env = "CHANCERY_ANCHOR")]
    anchors: Vec<PathBuf>,
    /// Validate certificates at this time, RFC 3339 (default: now)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<i64>,
}

impl TrustArgs {
    /// The anchors.
    pub fn store(&self) -> Result<TrustStore, Failure> {
        let mut anchors = Vec::new();
        for path in &self.anchors {
            anchors.extend(read_chain(path)?);
        }
        Ok(TrustStore::new(anchors)?)
    }

    /// The time.
    pub fn at(&self) -> i64 {
        self.at.unwrap_or_else(unix_now)
    }
}
