//! `chancery directory`: the signed list of who is on the bus.

use std::{path::PathBuf, process::ExitCode};

use chancery_certs::{
    AgencyCard, AgencyName, Directory as DirectoryValue, SignerName, decode_crls,
};
use chancery_node::{LocalReply, LocalRequest, read_file, unix_now, write_new};

use serde_bytes::ByteBuf;

use crate::{
    failure::Failure,
    keys::Signer,
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
    /// The new file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    signer: Signer,
}

impl Directory {
    pub fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        match self {
            Self::Publish(publish) => publish.run(output),
            Self::Show { trust, registrar, file } => show(output, &trust, &registrar, &file),
            Self::Install { file, local } => install(output, &file, &local),
        }
    }
}

impl Publish {
    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let trust = self.trust.store()?;
        let now = unix_now();
        let mut agencies = Vec::new();
        for path in &self.cards {
            let card = read_file(path)?;
            // What nobody could use is not published.
            AgencyCard::open(&card, &trust, now)
                .map_err(|e| Failure::from(chancery_protocol::ProtocolError::from(e)).at(path))?;
            agencies.push(card.into());
        }
        let mut crls = Vec::new();
        for path in &self.crls {
            let read = decode_crls(&read_file(path)?).map_err(|e| Failure::from(e).at(path))?;
            crls.extend(read.iter().map(|crl| ByteBuf::from(crl.der())));
        }
        let signer = self.signer.load()?;
        let SignerName::Agency(registrar) = signer.name().clone() else {
            return Err(Failure::usage(
                "CHY-6010",
                format!("{} is an officer; a directory is signed by a seal", signer.name()),
                "Give the registrar's seal with --key and --cert.",
            ));
        };
        let directory = DirectoryValue {
            registrar,
            version: self.version_number,
            issued: now,
            expires: now + i64::from(self.days) * 86_400,
            agencies,
            crls,
        };
        write_new(&self.out, &directory.seal(&signer, now)?)?;
        if output.json {
            output.print_json(&serde_json::json!({
                "version": directory.version, "agencies": directory.agencies.len(),
                "expires": time(directory.expires), "file": self.out,
            }));
        } else {
            println!(
                "{} {} ({} {})",
                output.t("directory published:", "目录已发布："),
                self.out.display(),
                directory.agencies.len(),
                output.t("agencies", "个机关")
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn show(
    output: &Output,
    trust: &TrustArgs,
    registrar: &AgencyName,
    file: &std::path::Path,
) -> Result<ExitCode, Failure> {
    let store = trust.store()?;
    let seal = |e| Failure::from(chancery_protocol::ProtocolError::from(e)).at(file);
    let directory =
        DirectoryValue::open(&read_file(file)?, registrar, &store, trust.at()).map_err(seal)?;
    let cards = directory
        .agencies
        .iter()
        .map(|card| AgencyCard::open(card, &store, trust.at()).map(|opened| opened.value))
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

fn install(output: &Output, file: &std::path::Path, local: &Local) -> Result<ExitCode, Failure> {
    let directory = read_file(file)?;
    let mut client = local.connect()?;
    match client.ask(&LocalRequest::InstallDirectory { directory })? {
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
