//! The way to the local node.

use std::path::{Component, Path, PathBuf};

use chancery_doors::LocalClient;

use crate::failure::{ENVIRONMENT, Failure};

/// Where the local node is.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Local {
    /// The Unix socket of the local node
    #[arg(
        long,
        value_name = "FILE",
        env = "CHANCERY_SOCKET",
        default_value = "/run/chancery/node.sock"
    )]
    socket: PathBuf,
}

impl Local {
    /// Connects to the node.
    pub(crate) fn connect(&self) -> Result<LocalClient, Failure> {
        LocalClient::connect(&self.socket).map_err(|error| Failure {
            remedy: "Start the node with `chancery node run`, or name its socket with --socket."
                .into(),
            exit: ENVIRONMENT,
            ..error.into()
        })
    }
}

/// Whether a path from the node stays inside the folder that it is written to.
pub(crate) fn is_inside(path: &Path) -> bool {
    path.components().all(|c| matches!(c, Component::Normal(_)))
}
