//! Private keys and passphrases: from a file, the environment or a terminal, never from argv.

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
};

use chancery_certs::{Certificate, Credential, decode_pem_chain};
use chancery_crypto::{CryptoError, SigningKey};
use chancery_store::files::read_file;
use zeroize::Zeroizing;

use crate::{failure::Failure, pkcs12, token};

/// How to open a private key that is there.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct OpenKey {
    /// File whose first line is the passphrase of the private key, or the PIN of the token; else
    /// CHANCERY_PASSPHRASE, else the terminal asks
    #[arg(long, value_name = "FILE", env = "CHANCERY_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
}

/// How to protect a private key that is made.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct NewKey {
    /// File whose first line is the passphrase for the new key; else CHANCERY_NEW_PASSPHRASE, else
    /// the terminal asks
    #[arg(long, value_name = "FILE", conflicts_with = "no_passphrase")]
    new_passphrase_file: Option<PathBuf>,
    /// Keep the new key unencrypted (mode 0600), as a daemon's key must be
    #[arg(long)]
    no_passphrase: bool,
}

/// A clerk's key and certificate.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Signer {
    /// Your private key: PKCS #8 (encrypted or not, PEM or DER), PKCS #12, or in a token
    /// (pkcs11:token=NAME;object=LABEL?module-path=FILE)
    #[arg(long, value_name = "KEY", env = "CHANCERY_KEY")]
    key: PathBuf,
    /// Your certificate and its chain, PEM (default: those in the PKCS #12 file)
    #[arg(long, value_name = "FILE", env = "CHANCERY_CERT")]
    cert: Option<PathBuf>,
    #[command(flatten)]
    open: OpenKey,
}

impl Signer {
    /// A key and certificate that were named, if a key was.
    pub(crate) fn named(
        key: Option<&PathBuf>,
        cert: Option<&PathBuf>,
        open: &OpenKey,
    ) -> Option<Self> {
        Some(Self { key: key?.clone(), cert: cert.cloned(), open: open.clone() })
    }
}

const NEW_PASSPHRASE: &str = "CHANCERY_NEW_PASSPHRASE";

/// A passphrase or PIN.
pub(crate) type Passphrase = Zeroizing<Vec<u8>>;

fn passphrase_in(path: &Path) -> Result<Passphrase, Failure> {
    let bytes = Zeroizing::new(read_file(path)?);
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // The mark that some editors put before a text is no part of a passphrase.
    let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
    if line.is_empty() {
        let failure = Failure::usage("CHY-6002", "the passphrase file is empty", "Write it there.");
        return Err(failure.at(path));
    }
    Ok(Zeroizing::new(line.to_vec()))
}

fn passphrase_from(
    file: Option<&Path>,
    variable: &str,
    prompt: &str,
) -> Result<Option<Passphrase>, Failure> {
    if let Some(path) = file {
        return passphrase_in(path).map(Some);
    }
    if let Ok(value) = std::env::var(variable) {
        return Ok(Some(Zeroizing::new(value.into_bytes())));
    }
    if !std::io::stdin().is_terminal() {
        return Ok(None);
    }
    let typed = rpassword::prompt_password(prompt)
        .map_err(|e| Failure::usage("CHY-6003", e.to_string(), "Give --passphrase-file."))?;
    Ok(Some(Zeroizing::new(typed.into_bytes())))
}

impl OpenKey {
    /// Reads a private key, asking for its passphrase only if it has one.
    pub(crate) fn load(&self, path: &Path) -> Result<SigningKey, Failure> {
        self.load_with_chain(path).map(|(key, _)| key)
    }

    /// The passphrase or PIN.
    pub(crate) fn passphrase(&self, prompt: &str) -> Result<Option<Passphrase>, Failure> {
        passphrase_from(self.passphrase_file.as_deref(), "CHANCERY_PASSPHRASE", prompt)
    }

    /// Reads a private key from wherever it is, and the certificates that came with it, if any did.
    pub(crate) fn load_with_chain(
        &self,
        path: &Path,
    ) -> Result<(SigningKey, Vec<Certificate>), Failure> {
        if let Some(uri) = path.to_str().filter(|text| text.starts_with(token::SCHEME)) {
            let key = token::open(uri, |prompt| self.passphrase(prompt))?;
            return Ok((key, Vec::new()));
        }
        let bytes = Zeroizing::new(read_file(path)?);
        let prompt = format!("Passphrase of {}: ", path.display());
        if pkcs12::is(&bytes) {
            let passphrase = self.passphrase(&prompt)?.ok_or(CryptoError::PassphraseNeeded);
            let passphrase = passphrase.map_err(|e| Failure::from(e).at(path))?;
            return pkcs12::read(&bytes, &passphrase).map_err(|f| f.at(path));
        }
        let open = |passphrase: Option<&[u8]>| match std::str::from_utf8(&bytes) {
            // DER, which no PEM text begins like.
            _ if bytes.first() == Some(&0x30) => SigningKey::from_der(bytes.clone(), passphrase),
            Ok(text) => SigningKey::from_pem(text.trim_start_matches('\u{feff}'), passphrase),
            Err(_) => Err(CryptoError::PrivateKey("it is neither PEM text nor DER".into())),
        };
        let opened = match open(None) {
            Err(CryptoError::PassphraseNeeded) => {
                open(self.passphrase(&prompt)?.as_deref().map(Vec::as_slice))
            }
            other => other,
        };
        opened.map(|key| (key, Vec::new())).map_err(|e| Failure::from(e).at(path))
    }
}

impl NewKey {
    /// The passphrase for a new key, or `None` when it is to stay unencrypted.
    pub(crate) fn passphrase(&self) -> Result<Option<Passphrase>, Failure> {
        if self.no_passphrase {
            return Ok(None);
        }
        let file = self.new_passphrase_file.as_deref();
        let asked = file.is_none() && std::env::var_os(NEW_PASSPHRASE).is_none();
        let found = passphrase_from(file, NEW_PASSPHRASE, "New passphrase: ")?;
        if asked && found.is_some() {
            // Typed blind: a slip would lock the key away for good.
            let again = passphrase_from(None, NEW_PASSPHRASE, "The same again: ")?;
            if again != found {
                let remedy = "Type the same passphrase twice; nothing was made.";
                return Err(Failure::usage("CHY-6017", "the two passphrases differ", remedy));
            }
        }
        match found {
            Some(passphrase) if !passphrase.is_empty() => Ok(Some(passphrase)),
            _ => Err(Failure::usage(
                "CHY-6004",
                "the new key needs a passphrase",
                "Give --new-passphrase-file FILE or set CHANCERY_NEW_PASSPHRASE, or say \
                 --no-passphrase to keep the key unencrypted.",
            )),
        }
    }
}

impl Signer {
    /// Opens key and certificate and checks that they fit.
    pub(crate) fn load(&self) -> Result<Credential, Failure> {
        // Before any passphrase is asked for.
        let given = self.cert.as_deref().map(read_chain).transpose()?;
        let (key, own) = self.open.load_with_chain(&self.key)?;
        let chain = given.unwrap_or(own);
        if chain.is_empty() {
            let what = "a signer needs a certificate";
            let remedy = "Give --cert FILE, or set CHANCERY_CERT.";
            return Err(Failure::usage("CHY-6037", what, remedy));
        }
        Credential::new(key, chain).map_err(|e| Failure::from(e).at(&self.key))
    }
}

/// Reads the certificates of a file.
pub(crate) fn read_chain(path: &Path) -> Result<Vec<Certificate>, Failure> {
    decode_pem_chain(&read_file(path)?).map_err(|e| Failure::from(e).at(path))
}
