//! `chancery encrypt` and `decrypt`: files for agencies, outside any envelope.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use chancery_bus::NodeError;
use chancery_certs::{AgencyName, EncryptionKeyStatement};
use chancery_crypto::{Kem, KemPrivateKey, KemPublicKey};
use chancery_ledger::unix_now;
use chancery_protocol::{
    ENCRYPTED_CHUNK, ENCRYPTED_FILE_CHUNK_PLAINTEXT, EncryptedFileError, FileOpener, FileSealer,
    ProtocolError, encrypted_head_len,
};
use chancery_store::files::{Staged, open_file, read_file, write_new, write_private};
use zeroize::Zeroizing;

use crate::{
    failure::Failure,
    keys::Signer,
    output::{Output, time},
    trust::{ListArgs, TrustArgs},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  chancery encrypt --to hz.statement --to nb.statement --anchor root.pem --out plan.pdf.chyenc plan.pdf
A statement says which key an agency decrypts with, signed by its seal (`chancery key statement`).")]
pub(crate) struct Encrypt {
    /// Encryption key statements of the recipients (may be given several times)
    #[arg(long = "to", required = true, value_name = "STATEMENT")]
    to: Vec<PathBuf>,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    lists: ListArgs,
    /// The new file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The file to encrypt
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  chancery decrypt --key encryption.key --out plan.pdf plan.pdf.chyenc
What does not open whole is not written at all.")]
pub(crate) struct Decrypt {
    /// The agency's encryption key (`chancery key encryption`, or a node's encryption.key)
    #[arg(long, value_name = "FILE", env = "CHANCERY_ENCRYPTION_KEY")]
    key: PathBuf,
    /// The new file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The encrypted file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// A key encapsulation mechanism, as on the command line.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum KemArg {
    /// X25519 and ML-KEM-768 together
    XWing,
    /// X25519 alone
    X25519,
}

#[derive(Debug, clap::Args)]
pub(crate) struct NewEncryptionKey {
    /// The kind of key
    #[arg(long, value_enum, default_value = "x-wing")]
    kem: KemArg,
    /// The new file, mode 0600
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Statement {
    /// The encryption key
    #[arg(long, value_name = "FILE")]
    encryption_key: PathBuf,
    /// For how many days it may be used
    #[arg(long, value_name = "N", default_value_t = 365)]
    days: u32,
    /// The new file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    signer: Signer,
}

/// Reads an encryption key: hexadecimal on one line, whose length says its kind… both kinds have 32 bytes,
/// so one of X25519 is marked.
fn read_key(path: &Path) -> Result<KemPrivateKey, Failure> {
    let bytes = Zeroizing::new(read_file(path)?);
    // A line end, and the mark that some editors put before a text, mean nothing.
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    let text = text.trim_start_matches('\u{feff}').trim();
    let (kem, digits) = match text.strip_prefix("x25519:") {
        Some(digits) => (Kem::X25519, digits),
        None => (Kem::XWing, text),
    };
    let seed = hex::decode(digits).map(Zeroizing::new).map_err(|_| {
        let what = "it is no encryption key";
        Failure::usage("CHY-6034", what, "Give one that `chancery key encryption` made.").at(path)
    })?;
    KemPrivateKey::from_bytes(kem, &seed).map_err(|e| Failure::from(e).at(path))
}

impl NewEncryptionKey {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let (kem, mark) = match self.kem {
            KemArg::XWing => (Kem::XWing, ""),
            KemArg::X25519 => (Kem::X25519, "x25519:"),
        };
        let key = KemPrivateKey::generate(kem);
        let digits = Zeroizing::new(hex::encode(&*key.to_bytes()));
        let line = Zeroizing::new(format!("{mark}{}\n", &*digits));
        write_private(&self.out, line.as_bytes())?;
        if output.json {
            output.print_json(&serde_json::json!({ "key": self.out }));
        } else {
            println!("{} {}", output.t("encryption key", "加密私钥"), self.out.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Statement {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let key = read_key(&self.encryption_key)?;
        let seal = self.signer.load()?;
        let chancery_certs::SignerName::Agency(agency) = seal.name() else {
            let what = "it is an officer's key";
            return Err(Failure::usage("CHY-6011", what, "Give the agency's seal."));
        };
        let now = unix_now();
        let not_after = now.saturating_add(i64::from(self.days) * 86_400);
        let statement = EncryptionKeyStatement {
            agency: agency.clone(),
            key: key.public_key(),
            not_before: now.saturating_sub(300),
            not_after,
        };
        write_new(&self.out, &statement.seal(&seal, now)?)?;
        if output.json {
            output.print_json(&serde_json::json!({
                "agency": agency, "statement": self.out, "not_after": time(not_after),
            }));
        } else {
            println!("{} {}", output.t("statement", "加密公钥声明"), self.out.display());
            println!("  {agency}, {} {}", output.t("valid until", "有效期至"), time(not_after));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Fills a buffer as far as the file goes.
fn fill(file: &mut File, buffer: &mut Vec<u8>, want: usize, path: &Path) -> Result<(), Failure> {
    buffer.clear();
    file.take(want as u64).read_to_end(buffer).map_err(NodeError::file(path))?;
    Ok(())
}

impl Encrypt {
    fn recipients(&self) -> Result<Vec<(AgencyName, KemPublicKey)>, Failure> {
        let trust = self.trust.store()?;
        let crls = self.lists.read()?;
        let by = self.trust.scrutiny(&trust, &crls);
        let mut out: Vec<(AgencyName, KemPublicKey)> = Vec::new();
        for path in &self.to {
            let statement = EncryptionKeyStatement::open(&read_file(path)?, &by);
            let statement =
                statement.map_err(|e| Failure::from(ProtocolError::from(e)).at(path))?;
            out.push((statement.agency, statement.key));
        }
        Ok(out)
    }

    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let recipients = self.recipients()?;
        let path = &self.file;
        let mut file = open_file(path)?;
        let size = file.metadata().map_err(NodeError::file(path))?.len();
        Failure::unless_new(&self.out)?;
        let (staged, mut out) = Staged::file(&self.out, 0o644)?;
        let failed = || NodeError::file(self.out.clone());
        let (mut sealer, head) = FileSealer::new(&recipients, size)?;
        out.write_all(&head).map_err(failed())?;
        let progress = output.bytes_bar(size, output.t("encrypting", "加密"));
        let chunk_len = ENCRYPTED_FILE_CHUNK_PLAINTEXT as u64;
        let chunks = size.div_ceil(chunk_len).max(1);
        let (mut chunk, mut sealed) = (Vec::with_capacity(ENCRYPTED_CHUNK), Vec::new());
        for index in 0..chunks {
            let last = index + 1 == chunks;
            let want = if last { size - index * chunk_len } else { chunk_len };
            fill(&mut file, &mut chunk, want as usize, path)?;
            if chunk.len() as u64 != want {
                return Err(changed(path));
            }
            sealer.seal(&mut chunk, last, &mut sealed)?;
            out.write_all(&sealed).map_err(failed())?;
            sealed.clear();
            progress.inc(want);
        }
        if file.read(&mut [0]).map_err(NodeError::file(path))? != 0 {
            return Err(changed(path));
        }
        out.sync_all().map_err(failed())?;
        staged.finish()?;
        progress.finish_and_clear();
        if output.json {
            let names: Vec<_> = recipients.iter().map(|(agency, _)| agency).collect();
            output.print_json(&serde_json::json!({ "file": self.out, "recipients": names }));
        } else {
            println!("{} {}", output.t("encrypted", "已加密"), self.out.display());
            for (agency, _) in &recipients {
                println!("  {agency}");
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn changed(path: &Path) -> Failure {
    let what = "the file changed while it was being read";
    Failure::usage("CHY-6006", what, "Do it again when nobody writes to it.").at(path)
}

impl Decrypt {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let key = read_key(&self.key)?;
        let path = &self.file;
        self.open(&key, output).map_err(|failure| {
            if failure.code.starts_with("CHY-3") { failure.at(path) } else { failure }
        })?;
        if output.json {
            output.print_json(&serde_json::json!({ "file": self.out }));
        } else {
            println!("{} {}", output.t("decrypted", "已解密"), self.out.display());
        }
        Ok(ExitCode::SUCCESS)
    }

    fn open(&self, key: &KemPrivateKey, output: &Output) -> Result<(), Failure> {
        let path = &self.file;
        let mut file = open_file(path)?;
        let length = file.metadata().map_err(NodeError::file(path))?.len();
        let mut head = Vec::new();
        fill(&mut file, &mut head, 12, path)?;
        let want = encrypted_head_len(&head)?;
        let cut =
            |want: u64| ProtocolError::from(EncryptedFileError::Truncated { found: length, want });
        let want = want.ok_or_else(|| cut(12))?;
        if length < want as u64 {
            return Err(cut(want as u64).into());
        }
        let mut rest = Vec::new();
        fill(&mut file, &mut rest, want - head.len(), path)?;
        head.append(&mut rest);
        let mut opener = FileOpener::new(&head, length, key)?;
        Failure::unless_new(&self.out)?;
        let (staged, mut out) = Staged::file(&self.out, 0o600)?;
        let failed = || NodeError::file(self.out.clone());
        let progress = output.bytes_bar(opener.size(), output.t("decrypting", "解密"));
        let mut chunk = Vec::with_capacity(ENCRYPTED_CHUNK);
        let chunks = opener.size().div_ceil(ENCRYPTED_FILE_CHUNK_PLAINTEXT as u64).max(1);
        for _ in 0..chunks {
            fill(&mut file, &mut chunk, ENCRYPTED_CHUNK, path)?;
            opener.open(&mut chunk)?;
            out.write_all(&chunk).map_err(failed())?;
            progress.inc(chunk.len() as u64);
        }
        out.sync_all().map_err(failed())?;
        staged.finish()?;
        progress.finish_and_clear();
        Ok(())
    }
}
