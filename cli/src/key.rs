//! `chancery key`: private keys in files.

use std::{path::PathBuf, process::ExitCode};

use chancery_crypto::{Algorithm, SigningKey};
use chancery_node::write_private;

use crate::{failure::Failure, keys::NewKey, output::Output};

#[derive(Debug, clap::Subcommand)]
pub enum Key {
    /// Make a private key: encrypted PKCS#8 PEM, mode 0600
    #[command(after_help = "Example:\n  chancery key new --out li.key\n  chancery cert request \
                            --key li.key --name li@justice.zj.gov.cn --display 李明 --out li.csr")]
    New(New),
}

/// A key's algorithm, as on the command line.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum KeyAlgorithm {
    P256,
    P384,
    Ed25519,
}

impl From<KeyAlgorithm> for Algorithm {
    fn from(algorithm: KeyAlgorithm) -> Self {
        match algorithm {
            KeyAlgorithm::P256 => Self::Es256,
            KeyAlgorithm::P384 => Self::Es384,
            KeyAlgorithm::Ed25519 => Self::EdDsa,
        }
    }
}

#[derive(Debug, clap::Args)]
pub struct New {
    /// The key's algorithm
    #[arg(long, value_enum, default_value = "p256")]
    algorithm: KeyAlgorithm,
    /// The new file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    new_key: NewKey,
}

impl Key {
    pub fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let Self::New(new) = self;
        if new.out.exists() {
            return Err(Failure::exists(&new.out));
        }
        let passphrase = new.new_key.passphrase()?;
        let key = SigningKey::generate(new.algorithm.into())?;
        let pem = key.to_pem(passphrase.as_deref().map(Vec::as_slice))?;
        write_private(&new.out, pem.as_bytes())?;
        if output.json {
            output.print_json(&serde_json::json!({ "key": new.out }));
        } else {
            println!("{} {}", output.t("key", "私钥"), new.out.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}
