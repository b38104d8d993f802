//! `chancery cert`: looking at certificates and verifying them.

use std::{path::PathBuf, process::ExitCode};

use chancery_certs::{Certificate, PathError, PathReason, Purpose};

use crate::{
    failure::{Failure, NO},
    keys::read_chain,
    output::{Output, plain, time},
    trust::TrustArgs,
};

#[derive(Debug, clap::Subcommand)]
pub enum Cert {
    /// Show what certificates say
    #[command(after_help = "Example:\n  chancery cert show seal.pem")]
    Show {
        /// Certificates, PEM or DER
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Verify a certificate's path (RFC 5280 §6); exit 0 valid, 1 not valid, 2 unreadable
    #[command(
        after_help = "Example:\n  chancery cert verify --anchor root.pem --purpose sign --name email:li@justice.zj.gov.cn li.pem"
    )]
    Verify(Verify),
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum PurposeArg {
    /// A node in mutual TLS
    Node,
    /// A seal or an officer's signature
    Sign,
    /// Any
    Any,
}

#[derive(Debug, clap::Args)]
pub struct Verify {
    #[command(flatten)]
    trust: TrustArgs,
    /// Further certificates for building the path
    #[arg(long = "intermediate", value_name = "FILE")]
    intermediates: Vec<PathBuf>,
    /// What it must be for
    #[arg(long, value_enum, default_value = "any")]
    purpose: PurposeArg,
    /// The name that it must have: dns:NAME or email:NAME
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The certificate, and its chain if that is in the same file
    #[arg(value_name = "FILE")]
    leaf: PathBuf,
}

impl Cert {
    pub fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        match self {
            Self::Show { files } => show(output, &files),
            Self::Verify(verify) => verify.run(output),
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

impl Verify {
    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let mut chain = read_chain(&self.leaf)?.into_iter();
        let leaf = chain.next().ok_or_else(Failure::unexpected)?;
        let mut intermediates: Vec<_> = chain.collect();
        for path in &self.intermediates {
            intermediates.extend(read_chain(path)?);
        }
        let purpose = match self.purpose {
            PurposeArg::Node => Purpose::Node,
            PurposeArg::Sign => Purpose::Sign,
            PurposeArg::Any => Purpose::Any,
        };
        let trust = self.trust.store()?;
        let verdict = trust
            .validate(&leaf, &intermediates, self.trust.at(), purpose)
            .and_then(|path| self.check_name(&leaf).map(|()| path));
        let note = output.t("revocation was not checked", "未检查吊销状态");
        match verdict {
            Ok(path) if output.json => output.print_json(&serde_json::json!({
                "valid": true, "anchor": path.anchor, "revocation_checked": false,
            })),
            Ok(path) => {
                let valid = output.t("valid under", "有效，信任锚为");
                println!("✓ {}: {valid} {} ({note})", plain(leaf.subject()), plain(&path.anchor));
            }
            Err(error) => {
                let reason = format!("{:?}", error.reason);
                if output.json {
                    output.print_json(&serde_json::json!({
                        "valid": false, "reason": reason, "sentence": error.sentence,
                        "revocation_checked": false,
                    }));
                } else {
                    println!("✗ {}: {} ({reason})", output.t("not valid", "无效"), error.sentence);
                }
                return Ok(ExitCode::from(NO));
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn check_name(&self, leaf: &Certificate) -> Result<(), PathError> {
        let Some(name) = &self.name else { return Ok(()) };
        let found = match name.split_once(':') {
            Some(("dns", name)) => leaf.dns_names().iter().any(|n| n == name),
            Some(("email", name)) => leaf.emails().iter().any(|n| n == name),
            _ => false,
        };
        if found {
            return Ok(());
        }
        let sentence = format!("{:?} does not have the name {name}", leaf.subject());
        Err(PathError { reason: PathReason::NameConstraints, sentence })
    }
}
