//! `chancery ca`: certificate authorities in folders.

use std::{
    fs::OpenOptions,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use chancery_certs::{
    AgencyName, Certificate, Issuer, OfficerName, Profile, Subject, encode_pem_chain,
};
use chancery_crypto::{Algorithm, SigningKey};
use chancery_node::{NodeError, unix_now, write_new, write_private};

use crate::{
    failure::Failure,
    keys::{NewKey, OpenKey, read_chain},
    output::{Output, time},
};

#[derive(Debug, clap::Subcommand)]
pub enum Ca {
    /// Make a root CA in a new folder
    #[command(
        after_help = "Example:\n  chancery ca init --dir ca/root --display 国家根 --permit gov.cn"
    )]
    Init(Init),
    /// Issue a certificate: for a CA below, a node, a seal or an officer
    #[command(after_help = "Examples:
  chancery ca issue --ca ca/root --profile intermediate --display 浙江省 --permit zj.gov.cn --out ca/zj
  chancery ca issue --ca ca/zj --profile seal --name justice.zj.gov.cn --display 浙江省司法厅 --out justice --no-passphrase
  chancery ca issue --ca ca/zj --profile officer --name li@justice.zj.gov.cn --display 李明 --out li")]
    Issue(Issue),
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum KeyAlgorithm {
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

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum IssuedProfile {
    Intermediate,
    Node,
    Seal,
    Officer,
}

#[derive(Debug, clap::Args)]
pub struct Init {
    /// The new CA's folder
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Its name for people
    #[arg(long, value_name = "NAME")]
    display: String,
    /// Agencies under this name only (may be given several times)
    #[arg(long = "permit", value_name = "SUBTREE")]
    permitted: Vec<AgencyName>,
    /// The key's algorithm
    #[arg(long, value_enum, default_value = "p256")]
    algorithm: KeyAlgorithm,
    #[command(flatten)]
    new_key: NewKey,
}

#[derive(Debug, clap::Args)]
pub struct Issue {
    /// The issuing CA's folder
    #[arg(long, value_name = "DIR")]
    ca: PathBuf,
    /// What the certificate is for
    #[arg(long, value_enum)]
    profile: IssuedProfile,
    /// The agency (node, seal) or officer that it names
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The name for people
    #[arg(long, value_name = "NAME")]
    display: String,
    /// For a CA: agencies under this name only (may be given several times)
    #[arg(long = "permit", value_name = "SUBTREE")]
    permitted: Vec<AgencyName>,
    /// For a CA: how many CAs may follow below it
    #[arg(long, value_name = "N")]
    path_len: Option<u8>,
    /// Validity in days (default: the profile's)
    #[arg(long, value_name = "N")]
    days: Option<u32>,
    /// The key's algorithm
    #[arg(long, value_enum, default_value = "p256")]
    algorithm: KeyAlgorithm,
    /// The folder that key and certificate go to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    open: OpenKey,
    #[command(flatten)]
    new_key: NewKey,
    /// Issue even what no verifier accepts. For testing verifiers only
    #[arg(long, hide = true)]
    unsafe_skip_checks: bool,
}

impl Ca {
    pub fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        match self {
            Self::Init(init) => init.run(output),
            Self::Issue(issue) => issue.run(output),
        }
    }
}

/// Refuses, before any work, to write over what is there.
fn must_be_new(path: &Path) -> Result<(), Failure> {
    if path.exists() {
        return Err(Failure::exists(path));
    }
    Ok(())
}

/// Appends to the CA's own log of what it issued, and syncs it, before the certificate goes out.
fn log(dir: &Path, profile: Profile, made: &Certificate, now: i64) -> Result<(), Failure> {
    let path = dir.join("issued.jsonl");
    let names: Vec<_> = made.dns_names().iter().chain(made.emails()).collect();
    let line = serde_json::json!({
        "time": time(now), "profile": profile.name(), "serial": made.serial(),
        "subject": made.subject(), "names": names, "not_after": time(made.not_after()),
        "sha256": made.fingerprint(),
    });
    let file = OpenOptions::new().append(true).create(true).open(&path);
    let written = file.and_then(|mut file| {
        writeln!(file, "{line}")?;
        file.sync_all()
    });
    Ok(written.map_err(NodeError::file(&path))?)
}

fn report(output: &Output, made: &Certificate, key: &Path, cert: &Path) {
    if output.json {
        output.print_json(&serde_json::json!({
            "subject": made.subject(), "serial": made.serial(), "not_after": time(made.not_after()),
            "sha256": made.fingerprint(), "key": key, "certificate": cert,
        }));
        return;
    }
    println!("{}: {}", output.t("issued", "已签发"), made.subject());
    for name in made.dns_names().iter().chain(made.emails()).chain(made.permitted_subtrees()) {
        println!("  {name}");
    }
    println!("  {} {}", output.t("valid until", "有效期至"), time(made.not_after()));
    println!("  {} {}", output.t("key", "私钥"), key.display());
    println!("  {} {}", output.t("certificate", "证书"), cert.display());
}

impl Init {
    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let (key_path, cert_path) = (self.dir.join("ca.key"), self.dir.join("ca.pem"));
        must_be_new(&key_path)?;
        must_be_new(&cert_path)?;
        let passphrase = self.new_key.passphrase()?;
        let now = unix_now();
        let root = Issuer::new_root(&self.display, &self.permitted, self.algorithm.into(), now)?;
        let pem = root.key().to_pem(passphrase.as_deref().map(Vec::as_slice))?;
        write_private(&key_path, pem.as_bytes())?;
        log(&self.dir, Profile::Root, root.certificate(), now)?;
        write_new(&cert_path, encode_pem_chain([root.certificate()]).as_bytes())?;
        report(output, root.certificate(), &key_path, &cert_path);
        Ok(ExitCode::SUCCESS)
    }
}

impl Issue {
    fn subject(&self) -> Result<(Profile, Subject, String), Failure> {
        let missing = || {
            Failure::usage(
                "CHY-6005",
                "this profile needs a name",
                "Give --name, such as justice.zj.gov.cn or li@justice.zj.gov.cn.",
            )
        };
        let name = || self.name.as_deref().ok_or_else(missing);
        let (profile, subject, stem) = match self.profile {
            IssuedProfile::Intermediate => {
                let subject = Subject::authority(&self.display, &self.permitted, self.path_len);
                (Profile::Intermediate, subject, "ca".to_owned())
            }
            IssuedProfile::Node | IssuedProfile::Seal => {
                let profile = match self.profile {
                    IssuedProfile::Node => Profile::Node,
                    _ => Profile::Seal,
                };
                let subject = Subject::agency(profile, name()?.parse()?, &self.display);
                (profile, subject, profile.name().to_owned())
            }
            IssuedProfile::Officer => {
                let name: OfficerName = name()?.parse()?;
                let stem = name.as_str().split('@').next().unwrap_or("officer").to_owned();
                (Profile::Officer, Subject::officer(name, &self.display), stem)
            }
        };
        let validity = self.days.map(|days| i64::from(days) * 86_400);
        let skip_checks = self.unsafe_skip_checks;
        Ok((profile, Subject { validity, skip_checks, ..subject }, stem))
    }

    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let (profile, subject, stem) = self.subject()?;
        let key_path = self.out.join(format!("{stem}.key"));
        let cert_path = self.out.join(format!("{stem}.pem"));
        must_be_new(&key_path)?;
        must_be_new(&cert_path)?;
        let ca_key = self.open.load(&self.ca.join("ca.key"))?;
        let issuer = Issuer::new(ca_key, read_chain(&self.ca.join("ca.pem"))?)
            .map_err(|e| Failure::from(e).at(&self.ca))?;
        let passphrase = self.new_key.passphrase()?;
        let key = SigningKey::generate(self.algorithm.into())?;
        let now = unix_now();
        let made = issuer.issue(&subject, &key.public_key(), now)?;
        log(&self.ca, profile, &made, now)?;
        let pem = key.to_pem(passphrase.as_deref().map(Vec::as_slice))?;
        write_private(&key_path, pem.as_bytes())?;
        let chain = std::iter::once(&made).chain(issuer.chain());
        write_new(&cert_path, encode_pem_chain(chain).as_bytes())?;
        report(output, &made, &key_path, &cert_path);
        Ok(ExitCode::SUCCESS)
    }
}
