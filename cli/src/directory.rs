//! `chancery directory`: the signed list of who is on the bus.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use chancery_certs::{
    AgencyCard, AgencyName, CertError, Credential, Crl, Directory as DirectoryValue, Scrutiny,
    SignerName, decode_crls,
};
use chancery_node::{LocalReply, LocalRequest, read_file, unix_now, write_new};

use serde_bytes::ByteBuf;

use crate::{
    failure::Failure,
    keys::{Signer, read_chain},
    local::Local,
    output::{Output, plain, time},
    trust::TrustArgs,
};

#[derive(Debug, clap::Subcommand)]
pub enum Directory {
    /// Sign a directory of agency cards by the registrar's seal
    #[command(after_help = "Example:
  chancery directory publish --key registry/seal.key --cert registry/seal.pem --anchor root.pem --version-number 1 --out directory.cose hz/agency.card nb/agency.card")]
    Publish(Publish),
    /// Add agencies to a directory, or replace their cards: the next version, signed by the registrar's seal
    #[command(after_help = "Examples:
  chancery directory add-agency sz/agency.card --to directory.cose --out directory-2.cose --key registry/seal.key \\
    --cert registry/seal.pem --anchor root.pem
  chancery directory add-agency --to directory.cose --remove old.gov.cn --crl zj.crl --out directory-3.cose …
Give the result to any node (`chancery directory install`): the others take it from there by themselves.")]
    AddAgency(AddAgency),
    /// Verify a directory and show what it lists
    Show {
        #[command(flatten)]
        trust: TrustArgs,
        /// The registrar that must have signed it
        #[arg(long, value_name = "AGENCY")]
        registrar: AgencyName,
        /// The directory
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Give a directory to the local node, which uses it unless it holds a newer one
    Install {
        /// The directory
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        local: Local,
    },
}

#[derive(Debug, clap::Args)]
pub struct Publish {
    /// The cards of the agencies
    #[arg(required = true, value_name = "CARD")]
    cards: Vec<PathBuf>,
    /// The version: larger than the last one
    #[arg(long, value_name = "N")]
    version_number: u64,
    /// For how many days it may be used
    #[arg(long, value_name = "N", default_value_t = 30)]
    days: u32,
    /// The newest revocation list of a CA, PEM or DER: nodes cut off what it names (may be given several times)
    #[arg(long = "crl", value_name = "FILE")]
    crls: Vec<PathBuf>,
    /// The certificate of a time-stamping authority of the domain, or of a CA of such, PEM or DER: nodes, and verifiers
    /// whose trust file names the directory, believe it (may be given several times)
    #[arg(long = "time-stamping", value_name = "FILE")]
    authorities: Vec<PathBuf>,
    /// The new file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    signer: Signer,
}

#[derive(Debug, clap::Args)]
pub struct AddAgency {
    /// The cards of the agencies
    #[arg(value_name = "CARD")]
    cards: Vec<PathBuf>,
    /// The directory as it is
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// An agency that is not listed any more (may be given several times)
    #[arg(long = "remove", value_name = "AGENCY")]
    removed: Vec<AgencyName>,
    /// For how many days it may be used
    #[arg(long, value_name = "N", default_value_t = 30)]
    days: u32,
    /// Revocation lists, PEM or DER, in place of those that it has (may be given several times)
    #[arg(long = "crl", value_name = "FILE")]
    crls: Vec<PathBuf>,
    /// Certificates of time-stamping authorities, PEM or DER, in place of those that it has (may be given several times)
    #[arg(long = "time-stamping", value_name = "FILE")]
    authorities: Vec<PathBuf>,
    /// The new file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    signer: Signer,
}

impl AddAgency {
    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let trust = self.trust.store()?;
        let now = unix_now();
        let (signer, registrar) = load_registrar(&self.signer)?;
        let seal = |path: &Path| {
            let path = path.to_owned();
            move |e| Failure::from(chancery_protocol::ProtocolError::from(e)).at(&path)
        };
        let old = read_file(&self.to)?;
        // One that has run out is what is being renewed: it is read as of its last second.
        let given = read_crls(&self.crls)?;
        let mut lists = DirectoryValue::crls_unverified(&old);
        lists.extend(given.iter().cloned());
        let by = Scrutiny::by(&trust, &lists, now);
        let old = match DirectoryValue::open(&old, &registrar, &by) {
            Ok(old) => old,
            Err(error) => {
                let expires = DirectoryValue::expires_unverified(&old);
                let at = expires.filter(|expires| *expires < now);
                let at = at.ok_or_else(|| seal(&self.to)(error))?;
                DirectoryValue::open(&old, &registrar, &by.as_of(at)).map_err(seal(&self.to))?
            }
        };
        let mut agencies = std::collections::BTreeMap::new();
        for card in old.agencies {
            // What cannot be used any more is left out, as every node leaves it out.
            if let Ok(opened) = AgencyCard::open(&card, &by) {
                agencies.insert(opened.value.agency, card);
            }
        }
        for path in &self.cards {
            let card = read_file(path)?;
            let opened = AgencyCard::open(&card, &by).map_err(seal(path))?;
            Failure::unless_shown("the agency's name", &opened.value.display)
                .map_err(|failure| failure.at(path))?;
            agencies.insert(opened.value.agency, card.into());
        }
        for agency in &self.removed {
            if agencies.remove(agency).is_none() {
                return Err(chancery_node::NodeError::UnknownAgency(agency.to_string()).into());
            }
        }
        let crls = if given.is_empty() { old.crls } else { encode_crls(&given) };
        let authorities = match self.authorities.is_empty() {
            true => old.authorities,
            false => read_authorities(&self.authorities)?,
        };
        let directory = DirectoryValue {
            registrar,
            version: old.version.saturating_add(1),
            issued: now,
            expires: now + i64::from(self.days) * 86_400,
            agencies: agencies.into_values().collect(),
            crls,
            authorities,
        };
        write_new(&self.out, &directory.seal(&signer, now)?)?;
        report_published(output, &directory, &self.out);
        Ok(ExitCode::SUCCESS)
    }
}

/// The registrar's seal, and whose it is.
fn load_registrar(signer: &Signer) -> Result<(Credential, AgencyName), Failure> {
    let signer = signer.load()?;
    match signer.name().clone() {
        SignerName::Agency(registrar) => Ok((signer, registrar)),
        SignerName::Officer(_) => Err(Failure::usage(
            "CHY-6010",
            format!("{} is an officer; a directory is signed by a seal", signer.name()),
            "Give the registrar's seal with --key and --cert.",
        )),
    }
}

fn read_crls(paths: &[PathBuf]) -> Result<Vec<Crl>, Failure> {
    let mut crls = Vec::new();
    for path in paths {
        crls.extend(decode_crls(&read_file(path)?).map_err(|e| Failure::from(e).at(path))?);
    }
    Ok(crls)
}

fn encode_crls(crls: &[Crl]) -> Vec<ByteBuf> {
    crls.iter().map(|crl| ByteBuf::from(crl.der())).collect()
}

/// The first certificate of each file: the authority itself, or the CA of authorities.
fn read_authorities(paths: &[PathBuf]) -> Result<Vec<ByteBuf>, Failure> {
    let mut authorities = Vec::new();
    for path in paths {
        let first = read_chain(path)?.into_iter().next().ok_or(CertError::NoCertificate)?;
        authorities.push(ByteBuf::from(first.der()));
    }
    Ok(authorities)
}

fn report_published(output: &Output, directory: &DirectoryValue, out: &Path) {
    if output.json {
        output.print_json(&serde_json::json!({
            "version": directory.version, "agencies": directory.agencies.len(),
            "expires": time(directory.expires), "file": out,
        }));
    } else {
        println!(
            "{} {} ({} {})",
            output.t("directory published:", "目录已发布："),
            out.display(),
            directory.agencies.len(),
            output.t("agencies", "个机关")
        );
    }
}

impl Directory {
    pub fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        match self {
            Self::Publish(publish) => publish.run(output),
            Self::AddAgency(add) => add.run(output),
            Self::Show { trust, registrar, file } => show(output, &trust, &registrar, &file),
            Self::Install { file, local } => install(output, &file, &local),
        }
    }
}

impl Publish {
    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let trust = self.trust.store()?;
        let now = unix_now();
        let crls = read_crls(&self.crls)?;
        let by = Scrutiny::by(&trust, &crls, now);
        let mut agencies = Vec::new();
        for path in &self.cards {
            let card = read_file(path)?;
            // What nobody could use is not published.
            let opened = AgencyCard::open(&card, &by)
                .map_err(|e| Failure::from(chancery_protocol::ProtocolError::from(e)).at(path))?;
            Failure::unless_shown("the agency's name", &opened.value.display)
                .map_err(|failure| failure.at(path))?;
            agencies.push(card.into());
        }
        let (signer, registrar) = load_registrar(&self.signer)?;
        let directory = DirectoryValue {
            registrar,
            version: self.version_number,
            issued: now,
            expires: now + i64::from(self.days) * 86_400,
            agencies,
            crls: encode_crls(&crls),
            authorities: read_authorities(&self.authorities)?,
        };
        write_new(&self.out, &directory.seal(&signer, now)?)?;
        report_published(output, &directory, &self.out);
        Ok(ExitCode::SUCCESS)
    }
}

fn show(
    output: &Output,
    trust: &TrustArgs,
    registrar: &AgencyName,
    file: &Path,
) -> Result<ExitCode, Failure> {
    let store = trust.store()?;
    let seal = |e| Failure::from(chancery_protocol::ProtocolError::from(e)).at(file);
    let bytes = read_file(file)?;
    // Also those that it brings itself: they may name its signer.
    let lists = DirectoryValue::crls_unverified(&bytes);
    let by = trust.scrutiny(&store, &lists);
    let directory = DirectoryValue::open(&bytes, registrar, &by).map_err(seal)?;
    let cards = directory
        .agencies
        .iter()
        .map(|card| AgencyCard::open(card, &by).map(|opened| opened.value))
        .collect::<Result<Vec<_>, _>>()
        .map_err(seal)?;
    if output.json {
        let list: Vec<_> = cards
            .iter()
            .map(|c| serde_json::json!({ "agency": c.agency, "display": c.display, "address": c.address, "via": c.via }))
            .collect();
        output.print_json(&serde_json::json!({
            "registrar": directory.registrar, "version": directory.version,
            "expires": time(directory.expires), "agencies": list, "crls": directory.crls.len(),
            "time_stamping": directory.time_authorities().iter().map(|c| c.subject()).collect::<Vec<_>>(),
        }));
        return Ok(ExitCode::SUCCESS);
    }
    println!("{} {} – {}", directory.registrar, directory.version, time(directory.expires));
    for card in cards {
        let via = card.via.map_or_else(String::new, |via| format!("  ← {via}"));
        println!("  {}  {}  {}{via}", card.agency, card.address, plain(&card.display));
    }
    Ok(ExitCode::SUCCESS)
}

fn install(output: &Output, file: &Path, local: &Local) -> Result<ExitCode, Failure> {
    let directory = read_file(file)?;
    let mut client = local.connect()?;
    match client.ask(&LocalRequest::InstallDirectory { size: directory.len() as u64 })? {
        LocalReply::Ready => client.send_raw(&directory)?,
        other => return Err(Failure::from_reply(other)),
    }
    match client.reply()? {
        LocalReply::DirectoryInstalled { version, agencies } => {
            if output.json {
                output.print_json(&serde_json::json!({ "version": version, "agencies": agencies }));
            } else {
                let what = output.t("directory in use: version", "目录已启用：版本");
                println!("{what} {version} ({agencies})");
            }
            Ok(ExitCode::SUCCESS)
        }
        other => Err(Failure::from_reply(other)),
    }
}
