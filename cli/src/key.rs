//! `chancery key`: private keys in files.

use std::{path::PathBuf, process::ExitCode};

use chancery_certs::encode_pem_chain;
use chancery_crypto::{Algorithm, SigningKey};
use chancery_store::files::{write_new, write_private};

use crate::{
    encrypt::{NewEncryptionKey, Statement},
    failure::Failure,
    keys::{NewKey, OpenKey, read_chain},
    output::Output,
    pkcs12,
};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Key {
    /// Make a private key: encrypted PKCS#8 PEM, mode 0600
    #[command(after_help = "Example:\n  chancery key new --out li.key\n  chancery cert request \
                            --key li.key --name li@justice.zj.gov.cn --display 李明 --out li.csr")]
    New(New),
    /// Take key and certificates out of a PKCS #12 file: encrypted PKCS #8 PEM and PEM
    #[command(after_help = "Example:
  chancery key import li.p12 --out li.key --cert-out li.pem
A PKCS #12 file can also be given to --key as it is.")]
    Import(Import),
    /// Put key and certificates into a PKCS #12 file, for other programs
    #[command(after_help = "Example:
  chancery key export --key li.key --cert li.pem --out li.p12
  openssl pkcs12 -in li.p12 -info -noout")]
    Export(Export),
    /// Make an agency's encryption key (HPKE), mode 0600
    #[command(after_help = "Example:\n  chancery key encryption --out encryption.key")]
    Encryption(NewEncryptionKey),
    /// State an agency's encryption key, signed by its seal
    #[command(after_help = "Example:
  chancery key statement --encryption-key encryption.key --key seal.key --cert seal.pem --out hz.statement")]
    Statement(Statement),
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
pub(crate) struct New {
    /// The key's algorithm
    #[arg(long, value_enum, default_value = "p256")]
    algorithm: KeyAlgorithm,
    /// The new file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    new_key: NewKey,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Import {
    /// The PKCS #12 file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The new key file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The new certificate file
    #[arg(long, value_name = "FILE")]
    cert_out: PathBuf,
    #[command(flatten)]
    open: OpenKey,
    #[command(flatten)]
    new_key: NewKey,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Export {
    /// The private key
    #[arg(long, value_name = "FILE", env = "CHANCERY_KEY")]
    key: PathBuf,
    /// The certificate and its chain
    #[arg(long, value_name = "FILE", env = "CHANCERY_CERT")]
    cert: PathBuf,
    /// The new PKCS #12 file, mode 0600
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    open: OpenKey,
    #[command(flatten)]
    new_key: NewKey,
}

impl Import {
    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        for path in [&self.out, &self.cert_out] {
            if path.symlink_metadata().is_ok() {
                return Err(Failure::exists(path));
            }
        }
        let (key, chain) = self.open.load_with_chain(&self.file)?;
        let passphrase = self.new_key.passphrase()?;
        let pem = key.to_pem(passphrase.as_deref().map(Vec::as_slice))?;
        write_private(&self.out, pem.as_bytes())?;
        write_new(&self.cert_out, encode_pem_chain(&chain).as_bytes())?;
        if output.json {
            output.print_json(&serde_json::json!({
                "key": self.out, "certificate": self.cert_out, "certificates": chain.len(),
            }));
        } else {
            println!("{} {}", output.t("key", "私钥"), self.out.display());
            println!("{} {}", output.t("certificate", "证书"), self.cert_out.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Export {
    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        if self.out.symlink_metadata().is_ok() {
            return Err(Failure::exists(&self.out));
        }
        let chain = read_chain(&self.cert)?;
        let key = self.open.load(&self.key)?;
        if chain.first().and_then(|c| c.public_key()) != Some(&key.public_key()) {
            let what = "the key is not that of the certificate";
            let remedy = "Give key and certificate that belong together.";
            return Err(Failure::usage("CHY-6011", what, remedy).at(&self.cert));
        }
        // A PKCS #12 file always has a passphrase; an empty one protects nothing.
        let passphrase = self.new_key.passphrase()?.unwrap_or_default();
        let bytes = pkcs12::write(&key, &chain, &passphrase)?;
        write_private(&self.out, &bytes)?;
        if output.json {
            output.print_json(&serde_json::json!({ "pkcs12": self.out }));
        } else {
            println!("PKCS #12 {}", self.out.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Key {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let new = match self {
            Self::New(new) => new,
            Self::Import(import) => return import.run(output),
            Self::Export(export) => return export.run(output),
            Self::Encryption(new) => return new.run(output),
            Self::Statement(statement) => return statement.run(output),
        };
        if new.out.symlink_metadata().is_ok() {
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
