//! `chancery cert`: looking at certificates and verifying them.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use chancery_certs::{
    CertError, Certificate, CertificateRequest, Crl, PartyName, PathError, PathFault, PathReason,
    Purpose, Scrutiny, SignerName, SubjectName, TrustStore, Uncovered, ValidPath,
    certificate_blocks, check_name, decode_crls,
};
use chancery_protocol::Language;
use chancery_store::files::{read_file, write_new};

use crate::{
    failure::{Failure, NO},
    keys::{OpenKey, read_chain},
    output::{Output, plain, time},
    trust::TrustArgs,
};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Cert {
    /// Show what certificates say
    #[command(after_help = "Example:\n  chancery cert show seal.pem")]
    Show {
        /// Certificates, PEM or DER
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Make a request (PKCS #10) for a certificate of a key of yours
    #[command(after_help = "Example:
  chancery cert request --key li.key --name li@justice.zj.gov.cn --display 李明 --out li.csr
Send it to the CA, which answers with `chancery ca sign-request`. The key stays here.")]
    Request(Request),
    /// Verify a certificate's path (RFC 5280); exit 0 valid, 1 not valid, 2 unreadable
    #[command(after_help = "Examples:
  chancery cert verify --anchor root.pem --purpose sign --name email:li@justice.zj.gov.cn li.pem
  chancery cert verify --anchor root.pem --intermediate zj.pem --crl zj.crl --crl root.crl --at 2026-03-31T00:00:00Z li.pem
  chancery cert verify --anchor root.pem --purpose server --name dns:www.gov.cn www.pem
Certificates are held to all of RFC 5280 §4 and §6, and to the rules of the purpose; with --lenient to §6 only.")]
    Verify(Verify),
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum PurposeArg {
    /// A TLS server, by the rules of TLS libraries and the CA/Browser Forum
    Server,
    /// A TLS client
    Client,
    /// A node of Chancery: both
    Node,
    /// A seal or an officer's signature
    Sign,
    /// A time-stamping authority
    Timestamp,
    /// Any
    Any,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    trust: TrustArgs,
    /// Further certificates for building the path
    #[arg(long = "intermediate", value_name = "FILE")]
    intermediates: Vec<PathBuf>,
    /// Certificate revocation lists, PEM or DER; with them, every certificate below the anchor must be
    /// covered by one that is current (may be given several times)
    #[arg(long = "crl", value_name = "FILE")]
    crls: Vec<PathBuf>,
    /// What it must be for
    #[arg(long, value_enum, default_value = "any")]
    purpose: PurposeArg,
    /// The name that it must have: dns:NAME, email:NAME or ip:ADDRESS
    #[arg(long, value_name = "NAME")]
    name: Option<SubjectName>,
    /// The certificate, and its chain if that is in the same file
    #[arg(value_name = "FILE")]
    leaf: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Request {
    /// The private key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The agency or officer that the certificate is to name
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Its name for people
    #[arg(long, value_name = "NAME")]
    display: String,
    /// The new file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    open: OpenKey,
}

impl Request {
    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let name = match self.name.contains('@') {
            // What is named as parties are is a party.
            true if self.name.parse::<PartyName>().is_ok() => SignerName::Party(self.name.parse()?),
            true => SignerName::Officer(self.name.parse()?),
            false => SignerName::Agency(self.name.parse()?),
        };
        let key = self.open.load(&self.key)?;
        Failure::unless_shown("--display", &self.display)?;
        let request = CertificateRequest::make(&key, &name, &self.display)?;
        write_new(&self.out, request.as_bytes())?;
        if output.json {
            output.print_json(&serde_json::json!({ "request": self.out }));
        } else {
            println!("{} {}", output.t("request", "证书申请"), self.out.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Cert {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        match self {
            Self::Show { files } => show(output, &files),
            Self::Verify(verify) => verify.run(output),
            Self::Request(request) => request.run(output),
        }
    }
}

fn show(output: &Output, files: &[PathBuf]) -> Result<ExitCode, Failure> {
    let mut all = Vec::new();
    for path in files {
        all.extend(read_chain(path)?);
    }
    if output.json {
        let list: Vec<_> = all.iter().map(describe).collect();
        output.print_json(&list.into());
        return Ok(ExitCode::SUCCESS);
    }
    for cert in &all {
        println!("{}: {}", output.t("subject", "主体"), plain(cert.subject()));
        println!("  {}: {}", output.t("issuer", "签发者"), plain(cert.issuer()));
        println!("  {}: {}", output.t("serial", "序列号"), cert.serial());
        let (from, until) = (time(cert.not_before()), time(cert.not_after()));
        println!("  {}: {from} – {until}", output.t("validity", "有效期"));
        println!("  {}: {}", output.t("key", "密钥"), cert.key_kind());
        for name in cert.dns_names().iter().chain(cert.emails()) {
            println!("  {}: {}", output.t("name", "名称"), plain(name));
        }
        let usages: Vec<_> =
            cert.key_usages().iter().chain(cert.extended_key_usages()).copied().collect();
        println!("  {}: {}", output.t("key usage", "密钥用途"), usages.join(", "));
        if cert.is_ca() {
            let depth = cert.path_len().map_or_else(|| "-".to_owned(), |n| n.to_string());
            println!("  CA: pathLen {depth}");
        }
        for subtree in cert.permitted_subtrees() {
            println!("  {}: {subtree}", output.t("permitted", "允许范围"));
        }
        println!("  SHA-256: {}", cert.fingerprint());
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(cert: &Certificate) -> serde_json::Value {
    serde_json::json!({
        "subject": cert.subject(), "issuer": cert.issuer(), "serial": cert.serial(),
        "not_before": time(cert.not_before()), "not_after": time(cert.not_after()),
        "key": cert.key_kind(), "dns_names": cert.dns_names(), "emails": cert.emails(),
        "key_usages": cert.key_usages(), "extended_key_usages": cert.extended_key_usages(),
        "ca": cert.is_ca(), "path_len": cert.path_len(),
        "permitted_subtrees": cert.permitted_subtrees(), "sha256": cert.fingerprint(),
    })
}

/// Further certificates and CRLs that could not be read, and so cannot help.
fn passed_over(output: &Output, path: &Path, why: &CertError) {
    let what = output.t("passed over", "已略过");
    eprintln!("{what}: {}: {}", path.display(), plain(&why.to_string()));
}

impl Verify {
    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let at_file = |path: &Path| {
            let path = path.to_owned();
            move |error: CertError| Failure::from(error).at(&path)
        };
        let blocks = certificate_blocks(&read_file(&self.leaf)?).map_err(at_file(&self.leaf))?;
        let trust = self.trust.store()?;
        let mut above = Vec::new();
        let (leaf, rest) = blocks.split_first().ok_or_else(Failure::unexpected)?;
        let mut take = |path: &Path, blocks: &[Vec<u8>]| {
            for der in blocks {
                match Certificate::from_der(der) {
                    Ok(certificate) => above.push(certificate),
                    // It can be no part of a path; whether there is one without it is seen below.
                    Err(error) => passed_over(output, path, &error),
                }
            }
        };
        take(&self.leaf, rest);
        for path in &self.intermediates {
            let blocks = certificate_blocks(&read_file(path)?).map_err(at_file(path))?;
            take(path, &blocks);
        }
        let mut crls = Vec::new();
        for path in &self.crls {
            // What the caller relies on and nobody can read is no answer about the certificate.
            crls.extend(decode_crls(&read_file(path)?).map_err(at_file(path))?);
        }
        let verdict = self.judge(&trust, leaf, &above, &crls);
        self.report(output, verdict)
    }

    fn judge(
        &self,
        trust: &TrustStore,
        leaf: &[u8],
        above: &[Certificate],
        crls: &[Crl],
    ) -> Result<(Certificate, ValidPath), PathError> {
        let purpose = match self.purpose {
            PurposeArg::Server => Purpose::Server,
            PurposeArg::Client => Purpose::Client,
            PurposeArg::Node => Purpose::Node,
            PurposeArg::Sign => Purpose::Sign,
            PurposeArg::Timestamp => Purpose::TimeStamp,
            PurposeArg::Any => Purpose::Any,
        };
        let leaf = Certificate::from_der(leaf).map_err(|error| PathError {
            reason: PathReason::Malformed,
            fault: Box::new(PathFault::Unreadable(Box::new(error))),
        })?;
        let at = self.trust.at();
        let by = match crls {
            [] => Scrutiny::without_lists(trust, at),
            crls => Scrutiny { uncovered: Uncovered::Open, ..Scrutiny::by(trust, crls, at) },
        };
        let path = by.check(&leaf, above, purpose)?;
        if let Some(name) = &self.name {
            check_name(&leaf, name, purpose)?;
        }
        Ok((leaf, path))
    }

    fn report(
        &self,
        output: &Output,
        verdict: Result<(Certificate, ValidPath), PathError>,
    ) -> Result<ExitCode, Failure> {
        let checked = !self.crls.is_empty();
        let note = match checked {
            true => output.t("not revoked by the given CRLs", "未被所给吊销列表吊销"),
            false => output.t("revocation was not checked", "未检查吊销状态"),
        };
        match verdict {
            Ok((_, path)) if output.json => output.print_json(&serde_json::json!({
                "valid": true, "anchor": path.anchor, "revocation_checked": checked,
                "lenient": self.trust.is_lenient(),
            })),
            Ok((leaf, path)) => {
                let valid = output.t("valid under", "有效，信任锚为");
                println!("✓ {}: {valid} {} ({note})", plain(leaf.subject()), plain(&path.anchor));
                self.trust.note_lenience(output);
            }
            Err(error) => {
                let reason = format!("{:?}", error.reason);
                if output.json {
                    output.print_json(&serde_json::json!({
                        "valid": false, "reason": reason, "sentence": error.say(Language::En),
                        "sentence_zh": error.say(Language::Zh),
                        "revocation_checked": checked, "lenient": self.trust.is_lenient(),
                    }));
                } else {
                    let no = output.t("not valid", "无效");
                    let sentence = error.say(output.language());
                    println!("✗ {no}: {} ({reason})", plain(&sentence));
                    self.trust.note_lenience(output);
                }
                return Ok(ExitCode::from(NO));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
