//! `chancery ca`: certificate authorities in folders.

use std::{
    io::{BufRead as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use chancery_bus::NodeError;
use chancery_certs::{
    AgencyName, Assurance, Certificate, CertificateRequest, Issuer, OfficerName, PartyName,
    Profile, RevocationReason, Revoked, Subject, encode_crl, encode_pem_chain,
};
use chancery_crypto::SigningKey;
use chancery_ledger::unix_now;
use chancery_store::files::{open_log, open_member, read_file, write_new, write_private};

use crate::{
    failure::Failure,
    key::KeyAlgorithm,
    keys::{NewKey, OpenKey, read_chain},
    output::{Output, time},
};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Ca {
    /// Make a root CA in a new folder
    #[command(
        after_help = "Example:\n  chancery ca init --dir ca/root --display 国家根 --permit gov.cn"
    )]
    Init(Init),
    /// Issue a certificate: for a CA below, a node, a seal, an officer, an enterprise or a citizen
    #[command(after_help = "Examples:
  chancery ca issue --ca ca/root --profile intermediate --display 浙江省 --permit zj.gov.cn --out ca/zj
  chancery ca issue --ca ca/zj --profile seal --name justice.zj.gov.cn --display 浙江省司法厅 --out justice --no-passphrase
  chancery ca issue --ca ca/zj --profile officer --name li@justice.zj.gov.cn --display 李明 --out li
  chancery ca issue --ca ca/zj --profile party --name 91350100m000100y43@party.zj.gov.cn --display 某公司 --out firm
  chancery ca issue --ca ca/zj --profile party --name p-7hq2m4k9x3v6t5wa@party.zj.gov.cn --display 申请人 --out citizen
An enterprise is named by its unified social credit code, a citizen by a pseudonym drawn at random (p- and 16 to 40 of a-z, 0-9).")]
    Issue(Issue),
    /// Issue a certificate for the key of a request (PKCS #10)
    #[command(after_help = "Example:
  chancery ca sign-request --ca ca/zj --profile officer --out li.pem li.csr
The request is only a proposal: --name and --display overrule it, and the profile is the CA's.")]
    SignRequest(SignRequest),
    /// Revoke a certificate: it stands in every CRL from now on
    #[command(after_help = "Example:
  chancery ca revoke --ca ca/zj --reason key-compromise li.pem
Publish it with `chancery ca crl`.")]
    Revoke(Revoke),
    /// Sign a certificate revocation list
    #[command(after_help = "Example:\n  chancery ca crl --ca ca/zj --days 7 --out zj.crl")]
    Crl(CrlArgs),
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum IssuedProfile {
    Intermediate,
    Node,
    Seal,
    Officer,
    Party,
    Timestamp,
}

/// How surely a party's key is its own.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Held {
    /// Used at an agency's counter
    Counter,
    /// Kept by a browser
    Browser,
    /// Kept by a program, in a file
    Program,
    /// Kept in a token
    Token,
}

impl From<Held> for Assurance {
    fn from(held: Held) -> Self {
        match held {
            Held::Counter => Self::Counter,
            Held::Browser => Self::Browser,
            Held::Program => Self::Program,
            Held::Token => Self::Token,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Init {
    /// The new CA's folder
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Its name for people
    #[arg(long, value_name = "NAME")]
    display: String,
    /// Agencies under this name only (may be given several times)
    #[arg(long = "permit", value_name = "SUBTREE")]
    permitted: Vec<AgencyName>,
    /// Validity in days
    #[arg(long, value_name = "N", default_value_t = 7300)]
    days: u32,
    /// The key's algorithm
    #[arg(long, value_enum, default_value = "p256")]
    algorithm: KeyAlgorithm,
    #[command(flatten)]
    new_key: NewKey,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Issue {
    /// The issuing CA's folder
    #[arg(long, value_name = "DIR")]
    ca: PathBuf,
    /// What the certificate is for
    #[arg(long, value_enum)]
    profile: IssuedProfile,
    /// The agency (node, seal), officer or party that it names
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Of a party: how its key is kept
    #[arg(long, value_enum, default_value = "program")]
    assurance: Held,
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

#[derive(Debug, clap::Args)]
pub(crate) struct SignRequest {
    /// The issuing CA's folder
    #[arg(long, value_name = "DIR")]
    ca: PathBuf,
    /// What the certificate is for
    #[arg(long, value_enum)]
    profile: EndProfile,
    /// The agency, officer or party that it names (default: as requested)
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Of a party: how its key is kept
    #[arg(long, value_enum, default_value = "program")]
    assurance: Held,
    /// The name for people (default: as requested)
    #[arg(long, value_name = "NAME")]
    display: Option<String>,
    /// Validity in days (default: the profile's)
    #[arg(long, value_name = "N")]
    days: Option<u32>,
    /// The new file, with the chain
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    open: OpenKey,
    /// The request, PEM or DER
    #[arg(value_name = "FILE")]
    request: PathBuf,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum EndProfile {
    Node,
    Seal,
    Officer,
    Party,
    Timestamp,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Reason {
    Unspecified,
    KeyCompromise,
    CaCompromise,
    AffiliationChanged,
    Superseded,
    CessationOfOperation,
    PrivilegeWithdrawn,
}

impl From<Reason> for RevocationReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Unspecified => Self::Unspecified,
            Reason::KeyCompromise => Self::KeyCompromise,
            Reason::CaCompromise => Self::CaCompromise,
            Reason::AffiliationChanged => Self::AffiliationChanged,
            Reason::Superseded => Self::Superseded,
            Reason::CessationOfOperation => Self::CessationOfOperation,
            Reason::PrivilegeWithdrawn => Self::PrivilegeWithdrawn,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Revoke {
    /// The CA's folder
    #[arg(long, value_name = "DIR")]
    ca: PathBuf,
    /// Why
    #[arg(long, value_enum, default_value = "unspecified")]
    reason: Reason,
    /// The certificate
    #[arg(value_name = "FILE")]
    certificate: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CrlArgs {
    /// The CA's folder
    #[arg(long, value_name = "DIR")]
    ca: PathBuf,
    /// For how many days it may be used
    #[arg(long, value_name = "N", default_value_t = 7)]
    days: u32,
    /// The new file, PEM
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    open: OpenKey,
}

/// The CA in a folder.
fn open_ca(dir: &Path, open: &OpenKey) -> Result<Issuer, Failure> {
    let key = open.load(&dir.join("ca.key"))?;
    Issuer::new(key, read_chain(&dir.join("ca.pem"))?).map_err(|e| Failure::from(e).at(dir))
}

/// Appends a line to one of the CA's logs, and syncs it.
fn append(path: &Path, line: &serde_json::Value) -> Result<(), Failure> {
    let mut file = open_log(path)?;
    let written = writeln!(file, "{line}").and_then(|()| file.sync_all());
    Ok(written.map_err(NodeError::file(path))?)
}

/// The lines of one of the CA's logs; none when there is no log yet.
fn lines<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Vec<T>, Failure> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    // Line by line: the log of a large CA grows for decades.
    let file = open_member(path)?;
    let lines = std::io::BufReader::new(file).lines().collect::<Result<Vec<_>, _>>();
    let lines = lines.map_err(NodeError::file(path))?;
    let lines = lines.iter().filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_str(line)).collect::<Result<_, _>>().map_err(|e| {
        let what = format!("the CA's log cannot be read: {e}");
        Failure::usage("CHY-6019", what, "Restore the CA's folder from its backup.").at(path)
    })
}

#[derive(serde::Deserialize)]
struct IssuedLine {
    serial: String,
}

#[derive(serde::Deserialize)]
struct CrlLine {
    number: u64,
}

impl SignRequest {
    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        must_be_new(&self.out)?;
        let request = CertificateRequest::open(&read_file(&self.request)?)
            .map_err(|e| Failure::from(e).at(&self.request))?;
        let name = self.name.or(request.name).ok_or_else(nameless)?;
        let display = self.display.or(request.display).unwrap_or_else(|| name.clone());
        Failure::unless_shown("--display", &display)?;
        let profile = match self.profile {
            EndProfile::Node => Profile::Node,
            EndProfile::Seal => Profile::Seal,
            EndProfile::Officer => Profile::Officer,
            EndProfile::Party => Profile::Party,
            EndProfile::Timestamp => Profile::Timestamp,
        };
        let subject = match profile {
            Profile::Officer => Subject::officer(name.parse()?, &display),
            Profile::Party => Subject::party(name.parse()?, &display, self.assurance.into()),
            _ => Subject::agency(profile, name.parse()?, &display),
        };
        let validity = self.days.map(|days| i64::from(days) * 86_400);
        let issuer = open_ca(&self.ca, &self.open)?;
        let now = unix_now();
        let made = issuer.issue(&Subject { validity, ..subject }, &request.key, now)?;
        log(&self.ca, profile, &made, now)?;
        let chain = std::iter::once(&made).chain(issuer.chain());
        write_new(&self.out, encode_pem_chain(chain).as_bytes())?;
        report(output, &made, None, &self.out);
        Ok(ExitCode::SUCCESS)
    }
}

impl Revoke {
    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let chain = read_chain(&self.certificate)?;
        let certificate = chain.first().ok_or_else(Failure::unexpected)?;
        let serial = certificate.serial();
        let issued: Vec<IssuedLine> = lines(&self.ca.join("issued.jsonl"))?;
        if !issued.iter().any(|line| line.serial == serial) {
            let what = format!("this CA has not issued the certificate with serial {serial}");
            let remedy = "Give the folder of the CA that issued it.";
            return Err(Failure::usage("CHY-6022", what, remedy).at(&self.certificate));
        }
        let path = self.ca.join("revoked.jsonl");
        let before: Vec<Revoked> = lines(&path)?;
        if let Some(earlier) = before.iter().find(|revoked| revoked.serial == serial) {
            let what = format!("it is revoked since {}", time(earlier.time));
            return Err(Failure::usage("CHY-6023", what, "Publish it with `chancery ca crl`.")
                .at(&self.certificate));
        }
        let reason = self.reason.into();
        let revoked = Revoked { serial: serial.to_owned(), time: unix_now(), reason };
        append(&path, &serde_json::to_value(&revoked).unwrap_or_default())?;
        if output.json {
            output.print_json(&serde_json::to_value(&revoked).unwrap_or_default());
        } else {
            println!("{} {}", output.t("revoked:", "已吊销："), certificate.subject());
            println!("  {} {serial}", output.t("serial", "序列号"));
            println!(
                "  {}",
                output.t("publish it with: chancery ca crl", "请发布：chancery ca crl")
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl CrlArgs {
    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        must_be_new(&self.out)?;
        let revoked: Vec<Revoked> = lines(&self.ca.join("revoked.jsonl"))?;
        let path = self.ca.join("crls.jsonl");
        let made: Vec<CrlLine> = lines(&path)?;
        let number = made.last().map_or(1, |last| last.number.saturating_add(1));
        let issuer = open_ca(&self.ca, &self.open)?;
        let now = unix_now();
        let next = now + i64::from(self.days) * 86_400;
        let der = issuer.crl(&revoked, number, now, next)?;
        // Its number is used up before it goes out.
        append(&path, &serde_json::json!({ "number": number, "time": time(now) }))?;
        write_new(&self.out, encode_crl(&der).as_bytes())?;
        if output.json {
            output.print_json(&serde_json::json!({
                "number": number, "revoked": revoked.len(), "next_update": time(next),
                "file": self.out,
            }));
        } else {
            let what = output.t("CRL", "吊销列表");
            let revoked_word = output.t("revoked", "已吊销");
            println!("{what} {number}: {} {revoked_word}", revoked.len());
            println!("  {} {}", output.t("valid until", "有效期至"), time(next));
            println!("  {}", self.out.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Ca {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        match self {
            Self::Init(init) => init.run(output),
            Self::Issue(issue) => issue.run(output),
            Self::SignRequest(request) => request.run(output),
            Self::Revoke(revoke) => revoke.run(output),
            Self::Crl(crl) => crl.run(output),
        }
    }
}

/// Refuses, before any work, to write over what is there.
fn must_be_new(path: &Path) -> Result<(), Failure> {
    Failure::unless_new(path)
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
    append(&path, &line)
}

fn report(output: &Output, made: &Certificate, key: Option<&Path>, cert: &Path) {
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
    if let Some(key) = key {
        println!("  {} {}", output.t("key", "私钥"), key.display());
    }
    println!("  {} {}", output.t("certificate", "证书"), cert.display());
}

impl Init {
    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let (key_path, cert_path) = (self.dir.join("ca.key"), self.dir.join("ca.pem"));
        must_be_new(&key_path)?;
        must_be_new(&cert_path)?;
        let passphrase = self.new_key.passphrase()?;
        let now = unix_now();
        let validity = i64::from(self.days) * 86_400;
        let algorithm = self.algorithm.into();
        Failure::unless_shown("--display", &self.display)?;
        let root = Issuer::new_root_for(&self.display, &self.permitted, algorithm, now, validity)?;
        let pem = root.key().to_pem(passphrase.as_deref().map(Vec::as_slice))?;
        write_private(&key_path, pem.as_bytes())?;
        log(&self.dir, Profile::Root, root.certificate(), now)?;
        write_new(&cert_path, encode_pem_chain([root.certificate()]).as_bytes())?;
        report(output, root.certificate(), Some(&key_path), &cert_path);
        Ok(ExitCode::SUCCESS)
    }
}

fn nameless() -> Failure {
    Failure::usage(
        "CHY-6005",
        "this profile needs a name",
        "Give --name, such as justice.zj.gov.cn or li@justice.zj.gov.cn.",
    )
}

impl Issue {
    fn subject(&self) -> Result<(Profile, Subject, String), Failure> {
        let name = || self.name.as_deref().ok_or_else(nameless);
        let (profile, subject, stem) = match self.profile {
            IssuedProfile::Intermediate => {
                Failure::unless_shown("--display", &self.display)?;
                let subject = Subject::authority(&self.display, &self.permitted, self.path_len);
                (Profile::Intermediate, subject, "ca".to_owned())
            }
            IssuedProfile::Node | IssuedProfile::Seal | IssuedProfile::Timestamp => {
                let profile = match self.profile {
                    IssuedProfile::Node => Profile::Node,
                    IssuedProfile::Timestamp => Profile::Timestamp,
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
            IssuedProfile::Party => {
                let name: PartyName = name()?.parse()?;
                let stem = name.as_str().split('@').next().unwrap_or("party").to_owned();
                let subject = Subject::party(name, &self.display, self.assurance.into());
                (Profile::Party, subject, stem)
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
        let issuer = open_ca(&self.ca, &self.open)?;
        let passphrase = self.new_key.passphrase()?;
        let key = SigningKey::generate(self.algorithm.into())?;
        let now = unix_now();
        let made = issuer.issue(&subject, &key.public_key(), now)?;
        log(&self.ca, profile, &made, now)?;
        let pem = key.to_pem(passphrase.as_deref().map(Vec::as_slice))?;
        write_private(&key_path, pem.as_bytes())?;
        let chain = std::iter::once(&made).chain(issuer.chain());
        write_new(&cert_path, encode_pem_chain(chain).as_bytes())?;
        report(output, &made, Some(&key_path), &cert_path);
        Ok(ExitCode::SUCCESS)
    }
}
