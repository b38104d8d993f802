//! `chancery directory`: the signed list of who is on the bus.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
    str::FromStr,
};

use chancery_bus::NodeError;
use chancery_certs::{
    AgencyCard, AgencyName, CertError, Credential, Crl, Directory as DirectoryValue, DirectoryMore,
    LEAST_WITNESSES, Line, MAX_WITNESSES, OpenedDirectory, Previous, Scrutiny, SealError,
    SignerName, decode_crls,
};
use chancery_crypto::{CborError, CryptoError, Unknown};
use chancery_desk::asking::{LocalReply, LocalRequest};
use chancery_ledger::unix_now;
use chancery_store::files::{read_file, write_new};

use serde_bytes::ByteBuf;

use crate::{
    failure::Failure,
    keys::{Signer, read_chain},
    local::Local,
    output::{Output, plain, time},
    trust::TrustArgs,
};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Directory {
    /// Sign a directory of agency cards by the registrar's seal
    #[command(after_help = "Example:
  chancery directory publish --key registry/seal.key --cert registry/seal.pem --anchor root.pem --version-number 1 --out directory.cose hz/agency.card nb/agency.card
  chancery directory publish … --version-number 2 --previous directory.cose --witness hz.gov.cn=nb.gov.cn,sz.js.gov.cn,audit.gov.cn --independent audit.gov.cn")]
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
pub(crate) struct Publish {
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
    /// The directory before this one, whose digest is named in it
    #[arg(long, value_name = "FILE")]
    previous: Option<PathBuf>,
    #[command(flatten)]
    witnesses: WitnessArgs,
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

/// Who witnesses whose ledger.
#[derive(Debug, clap::Args)]
struct WitnessArgs {
    /// The witnesses of an agency's ledger, at least three (may be given several times)
    #[arg(long = "witness", value_name = "AGENCY=W1,W2,W3")]
    named: Vec<Witnesses>,
    /// An agency that you hold for independent of all others as a witness (may be given several times)
    #[arg(long = "independent", value_name = "AGENCY")]
    independent: Vec<AgencyName>,
}

/// An agency and its witnesses.
#[derive(Debug, Clone)]
struct Witnesses {
    agency: AgencyName,
    witnesses: Vec<AgencyName>,
}

impl FromStr for Witnesses {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || "write it as AGENCY=W1,W2,W3".to_owned();
        let (agency, witnesses) = text.split_once('=').ok_or_else(form)?;
        let name = |text: &str| text.parse::<AgencyName>().map_err(|error| error.to_string());
        let witnesses = witnesses.split(',').map(name).collect::<Result<Vec<_>, _>>()?;
        let agency = name(agency)?;
        if witnesses.len() > MAX_WITNESSES {
            return Err(format!("{agency} has more than {MAX_WITNESSES} witnesses"));
        }
        if witnesses.contains(&agency) {
            return Err(format!("{agency} cannot be its own witness"));
        }
        Ok(Self { agency, witnesses })
    }
}

impl WitnessArgs {
    /// Puts what is given in place of what was said of the same agencies before.
    fn put(&self, more: &mut DirectoryMore) {
        for Witnesses { agency, witnesses } in &self.named {
            more.witnesses.insert(agency.clone(), witnesses.iter().cloned().collect());
        }
        more.independent.extend(self.independent.iter().cloned());
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct AddAgency {
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
    #[command(flatten)]
    witnesses: WitnessArgs,
    /// The new file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    signer: Signer,
}

/// Reads a directory of the registrar. One that has run out is what is being renewed: it is read as of its last second.
fn read_directory(
    path: &Path,
    bytes: &[u8],
    registrar: &AgencyName,
    by: &Scrutiny<'_>,
) -> Result<OpenedDirectory, Failure> {
    let open = |by: &Scrutiny<'_>| DirectoryValue::open_whole(bytes, registrar, by);
    let failed = |e| Failure::from(chancery_protocol::ProtocolError::from(e)).at(path);
    open(by).or_else(|error| {
        let expires = DirectoryValue::expires_unverified(bytes);
        let at = expires.filter(|expires| *expires < by.at).ok_or_else(|| failed(error))?;
        open(&by.as_of(at)).map_err(failed)
    })
}

/// The agencies of cards, each with the line that its seal stands in.
fn lines<'a>(
    cards: impl IntoIterator<Item = &'a ByteBuf>,
    by: &Scrutiny<'_>,
) -> BTreeMap<AgencyName, Line> {
    let opened = cards.into_iter().filter_map(|card| AgencyCard::open(card, by).ok());
    opened.map(|card| (card.value.agency, Line::of(&card.chain, by.trust))).collect()
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
        let given = read_crls(&self.crls)?;
        let read = read_file(&self.to)?;
        let mut lists = DirectoryValue::crls_unverified(&read);
        lists.extend(given.iter().cloned());
        let by = Scrutiny::by(&trust, &lists, now);
        let OpenedDirectory { directory: old, mut more, digest, known_whole } =
            read_directory(&self.to, &read, &registrar, &by)?;
        if !known_whole {
            let newer = CborError::Newer(Unknown::InDirectory);
            return Err(Failure::from(CryptoError::from(newer)).at(&self.to));
        }
        more.previous = Some(Previous { version: old.version, digest });
        let mut agencies = BTreeMap::new();
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
                return Err(NodeError::UnknownAgency(agency.to_string()).into());
            }
            more.witnesses.remove(agency);
            more.independent.remove(agency);
        }
        self.witnesses.put(&mut more);
        if !self.authorities.is_empty() {
            more.authorities = read_authorities(&self.authorities)?;
        }
        let crls = if given.is_empty() { old.crls } else { encode_crls(&given) };
        let directory = DirectoryValue {
            registrar,
            version: old.version.saturating_add(1),
            issued: now,
            expires: now + i64::from(self.days) * 86_400,
            agencies: agencies.into_values().collect(),
            crls,
        };
        write_new(&self.out, &directory.seal_with(&more, &signer, now)?)?;
        let missing = missing(output, &more, &lines(&directory.agencies, &by));
        report_published(output, &directory, &self.out, &missing);
        Ok(ExitCode::SUCCESS)
    }
}

/// What is missing in the witnesses of the agencies, a sentence for each.
fn missing(
    output: &Output,
    more: &DirectoryMore,
    lines: &BTreeMap<AgencyName, Line>,
) -> Vec<String> {
    let each = lines.keys().filter_map(|agency| {
        let gaps = more.witness_gaps(agency, |name| lines.get(name).cloned());
        witness_gaps(output, agency, gaps.witnesses as u64, gaps.independent)
    });
    each.collect()
}

/// What is missing in an agency's witnesses, in a sentence, if anything is.
pub(crate) fn witness_gaps(
    output: &Output,
    agency: &AgencyName,
    witnesses: u64,
    independent: bool,
) -> Option<String> {
    if witnesses < LEAST_WITNESSES as u64 {
        return Some(match output.chinese {
            true => format!("{agency} 有 {witnesses} 个见证机关，至少应有 {LEAST_WITNESSES} 个"),
            false => format!("{agency} has {witnesses} witnesses of at least {LEAST_WITNESSES}"),
        });
    }
    (!independent).then(|| match output.chinese {
        true => format!("{agency} 的见证机关都在其自身系统之内，应有一个独立的见证机关"),
        false => format!("no witness of {agency} is independent of it"),
    })
}

/// The registrar's seal, and whose it is.
fn load_registrar(signer: &Signer) -> Result<(Credential, AgencyName), Failure> {
    let signer = signer.load()?;
    match signer.name().clone() {
        SignerName::Agency(registrar) => Ok((signer, registrar)),
        SignerName::Officer(_) | SignerName::Party(_) => Err(Failure::usage(
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

/// Warnings that are printed at once.
const SHOWN: usize = 20;

fn report_published(output: &Output, directory: &DirectoryValue, out: &Path, missing: &[String]) {
    if !output.json {
        for sentence in missing.iter().take(SHOWN) {
            eprintln!("{} {sentence}", output.t("warning:", "警告："));
        }
        if let Some(more) = missing.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            eprintln!("{} {more}", output.t("warning: more of that kind:", "警告：同类另有"));
        }
        if !missing.is_empty() {
            let how = output.t("name them with --witness", "请用 --witness 指定");
            eprintln!("  {how}");
        }
    }
    if output.json {
        output.print_json(&serde_json::json!({
            "version": directory.version, "agencies": directory.agencies.len(),
            "expires": time(directory.expires), "file": out, "warnings": missing,
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
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
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
        let authorities = read_authorities(&self.authorities)?;
        let mut more = DirectoryMore { authorities, ..DirectoryMore::default() };
        if let Some(path) = &self.previous {
            let bytes = read_file(path)?;
            let mut lists = DirectoryValue::crls_unverified(&bytes);
            lists.extend(crls.iter().cloned());
            let by = Scrutiny::by(&trust, &lists, now);
            let previous = read_directory(path, &bytes, &registrar, &by)?;
            let version = previous.directory.version;
            if version >= self.version_number {
                let offered = self.version_number;
                return Err(NodeError::OldDirectory { offered, held: version }.into());
            }
            more.previous = Some(Previous { version, digest: previous.digest });
        }
        self.witnesses.put(&mut more);
        let directory = DirectoryValue {
            registrar,
            version: self.version_number,
            issued: now,
            expires: now + i64::from(self.days) * 86_400,
            agencies,
            crls: encode_crls(&crls),
        };
        write_new(&self.out, &directory.seal_with(&more, &signer, now)?)?;
        let missing = missing(output, &more, &lines(&directory.agencies, &by));
        report_published(output, &directory, &self.out, &missing);
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
    let opened = DirectoryValue::open_whole(&bytes, registrar, &by).map_err(seal)?;
    let authorities = opened.time_authorities();
    let OpenedDirectory { directory, more, digest, .. } = opened;
    let cards = directory
        .agencies
        .iter()
        .map(|card| {
            let opened = AgencyCard::open(card, &by)?;
            Ok((opened.formats()?, opened.value))
        })
        .collect::<Result<Vec<_>, SealError>>()
        .map_err(seal)?;
    if output.json {
        let list: Vec<_> = cards
            .iter()
            .map(|(formats, c)| {
                serde_json::json!({
                    "agency": c.agency, "display": c.display, "address": c.address, "via": c.via,
                    "formats": formats, "witnesses": more.witnesses.get(&c.agency),
                })
            })
            .collect();
        output.print_json(&serde_json::json!({
            "registrar": directory.registrar, "version": directory.version,
            "expires": time(directory.expires), "agencies": list, "crls": directory.crls.len(),
            "digest": digest, "previous": more.previous, "independent": more.independent,
            "time_stamping": authorities.iter().map(|c| c.subject()).collect::<Vec<_>>(),
        }));
        return Ok(ExitCode::SUCCESS);
    }
    println!("{} {} – {}", directory.registrar, directory.version, time(directory.expires));
    println!("  {} {digest}", output.t("digest", "摘要"));
    if let Some(Previous { version, digest }) = &more.previous {
        println!("  {} {version}  {digest}", output.t("before it", "前一版本"));
    }
    for authority in &authorities {
        println!("  {} {}", output.t("time-stamping", "时间戳"), plain(authority.subject()));
    }
    for (_, card) in cards {
        let via = card.via.map_or_else(String::new, |via| format!("  ← {via}"));
        println!("  {}  {}  {}{via}", card.agency, card.address, plain(&card.display));
        let named = more.witnesses.get(&card.agency).into_iter().flatten();
        for witness in named {
            let own = more.independent.contains(witness);
            let independent = if own { output.t(" (independent)", "（独立）") } else { "" };
            println!("    {} {witness}{independent}", output.t("witness", "见证机关"));
        }
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
