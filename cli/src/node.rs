//! `chancery node`: setting up and running a node.

use std::{
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use chancery_bus::{
    AccessSettings, ApiSettings, FileSettings, Identity, LimitSettings, MonitorSettings, NEW_MARK,
    NodeConfig, NodeError, PurgeSettings, SAMPLE_CONFIG, TrustFile,
};
use chancery_certs::{AgencyCard, AgencyName, Credential, EncryptionKeyStatement};
use chancery_crypto::{Kem, KemPrivateKey, SigningKey};
use chancery_desk::{
    DEFAULT_POLICIES, POLICY_SCHEMA,
    asking::{LocalReply, LocalRequest},
    views::ClockView,
};
use chancery_doors::{LocalClient, Node as Daemon, openapi};
use chancery_ledger::unix_now;
use chancery_protocol::{CLOCK_TOLERANCE, text::show_line};
use chancery_store::StoreError;
use chancery_store::files::{
    Staged, read_file, read_text, sync_directory, write_new, write_private,
};
use tracing_subscriber::{
    EnvFilter,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{self, Writer},
    },
    registry::LookupSpan,
};
use zeroize::Zeroizing;

use crate::{
    directory::witness_gaps,
    failure::{ENVIRONMENT, Failure},
    keys::read_chain,
    local::Local,
    output::{Output, plain, put_red, short, time},
};

/// How far the clocks of agencies may differ, in seconds: a key may be used so long before it was
/// made.
const CLOCK_DIFFERENCE: i64 = 300;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Node {
    /// Make a node's folder: configuration, keys, and the card for the registrar
    #[command(after_help = "Example:
  chancery node init --dir node --agency justice.hz.gov.cn --display 杭州市司法局 --listen 10.1.2.3:7400 \\
    --anchor root.pem --registrar registry.gov.cn --seal-cert seal.pem --seal-key seal.key \\
    --node-cert node.pem --node-key node.key
As a system service, with the paths that packaging/chancery.service expects:
  chancery node init --dir /etc/chancery --data /var/lib/chancery --socket /run/chancery/node.sock …
Then send node/agency.card to the registrar, put the directory that comes back at
node/directory.cose, and start with `chancery node run --config node/node.toml`.")]
    Init(Box<Init>),
    /// Run the node in the foreground, until SIGINT or SIGTERM
    Run(Run),
    /// Make the node's card for the registrar again: with a new validity of its encryption key, or
    /// with a new address
    #[command(after_help = "Example:
  chancery node card --config /etc/chancery/node.toml --out agency.card
Send it to the registrar before the old one's key runs out (`chancery node status` says when).")]
    Card(Card),
    /// Make a new encryption key; the old one goes on opening what was encrypted to it
    #[command(after_help = "Example:
  chancery node rotate-key --config /etc/chancery/node.toml --out agency.card
  chancery node reload
Then send agency.card to the registrar: others encrypt to the new key once they have the next directory.")]
    RotateKey(Card),
    /// Have the local node take up the seal, node certificate and encryption keys that lie in its files now
    #[command(
        after_help = "Example:\n  chancery node reload\nSIGHUP (systemctl reload chancery) does the same. \
        Connections that stand go on."
    )]
    Reload {
        #[command(flatten)]
        local: Local,
    },
    /// Have the local node wait for no peer to say how far its ledger was seen to go
    #[command(after_help = "Example:\n  chancery node alone\n\
        For a node that says CHY-4043 and whose peers cannot be reached at all. If the ledger is not the newest after all, what it\n\
        seals from then on proves it forked for ever: see \"A lost disk\" in docs/operators.md first.")]
    Alone {
        #[command(flatten)]
        local: Local,
    },
    /// Check a configuration, and the files that it names, without starting anything
    Check {
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Print every setting with its default and what it is for
    Settings,
    /// Print the default rules of who may do what (Cedar), to start one's own from
    Policies {
        /// Print what rules can speak of (a Cedar schema) instead
        #[arg(long)]
        schema: bool,
    },
    /// Make a bearer token for one of the agency's systems
    #[command(after_help = "Example:
  chancery node token erp
Keep the token where the system reads it; put the lines that are printed into node.toml and restart. They are made to fit
the file that --config names, when it can be read.")]
    Token {
        /// Whose it is; roles speak of token:NAME
        name: String,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Print the OpenAPI document of the HTTP interface
    Openapi,
    /// Show how the local node is
    Status {
        #[command(flatten)]
        local: Local,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Init {
    /// The node's new folder
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The agency's name
    #[arg(long, value_name = "NAME")]
    agency: AgencyName,
    /// Its name for people
    #[arg(long, value_name = "NAME")]
    display: String,
    /// Where to listen (UDP)
    #[arg(long, value_name = "IP:PORT")]
    listen: SocketAddr,
    /// Where others reach it, when that is not --listen
    #[arg(long, value_name = "HOST:PORT")]
    advertise: Option<String>,
    /// The trust anchor
    #[arg(long, value_name = "FILE", required_unless_present = "trust")]
    anchor: Vec<PathBuf>,
    /// Trust file in place of the anchor; node.toml names it where it lies
    #[arg(long, value_name = "FILE", conflicts_with = "anchor")]
    trust: Option<PathBuf>,
    /// The registrar whose seal signs the directory
    #[arg(long, value_name = "AGENCY")]
    registrar: AgencyName,
    /// The superior through whose node everything goes, both ways: for an agency that is not reached directly
    #[arg(long, value_name = "AGENCY")]
    relay: Option<AgencyName>,
    /// The agency's seal: certificate chain
    #[arg(long, value_name = "FILE")]
    seal_cert: PathBuf,
    /// The agency's seal: private key, unencrypted
    #[arg(long, value_name = "FILE")]
    seal_key: PathBuf,
    /// The node's certificate chain
    #[arg(long, value_name = "FILE")]
    node_cert: PathBuf,
    /// The node's private key, unencrypted
    #[arg(long, value_name = "FILE")]
    node_key: PathBuf,
    /// Where the store and large contents are kept (default: `data` in the node's folder)
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The Unix socket for clerks and operators (default: `node.sock` in the node's folder)
    #[arg(long, value_name = "FILE")]
    socket: Option<PathBuf>,
    /// For how many days the encryption key may be used
    #[arg(long, value_name = "N", default_value_t = 365)]
    key_days: u32,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Card {
    #[command(flatten)]
    config: ConfigFile,
    /// The new file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// For how many days the encryption key may be used
    #[arg(long, value_name = "N", default_value_t = 365)]
    key_days: u32,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ConfigFile {
    /// The node's configuration
    #[arg(
        long,
        value_name = "FILE",
        env = "CHANCERY_CONFIG",
        default_value = "/etc/chancery/node.toml"
    )]
    config: PathBuf,
}

impl ConfigFile {
    fn load(&self) -> Result<NodeConfig, Failure> {
        Ok(NodeConfig::load(&self.config)?)
    }
}

/// How a daemon logs.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  chancery node run --config node/node.toml --log-format json
CHANCERY_LOG sets what is logged, such as `info` or `chancery_bus=debug`.")]
pub(crate) struct Run {
    #[command(flatten)]
    config: ConfigFile,
    /// How to log, on stderr
    #[arg(long, value_enum, default_value = "text")]
    log_format: LogFormat,
}

impl Node {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        match self {
            Self::Init(init) => init.run(output),
            Self::Run(run) => run.run(),
            Self::Card(card) => card.run(output),
            Self::RotateKey(card) => card.rotate(output),
            Self::Reload { local } => reload(output, &local),
            Self::Alone { local } => alone(output, &local),
            Self::Check { config } => check(output, &config),
            Self::Settings => print_text(SAMPLE_CONFIG),
            Self::Policies { schema } => {
                print_text(if schema { POLICY_SCHEMA } else { DEFAULT_POLICIES })
            }
            Self::Token { name, config } => token(output, &name, &config),
            Self::Openapi => print_text(&openapi()),
            Self::Status { local } => status(output, &local),
        }
    }
}

fn daemon_key(path: &Path) -> Result<(Zeroizing<Vec<u8>>, SigningKey), Failure> {
    let bytes = Zeroizing::new(read_file(path)?);
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    let key = SigningKey::from_pem(text, None).map_err(|error| {
        let failure = Failure::from(error).at(path);
        let remedy = "A daemon's key is unencrypted PKCS#8 PEM: issue it with --no-passphrase.";
        Failure { remedy: remedy.into(), ..failure }
    })?;
    Ok((bytes, key))
}

impl Init {
    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let mut files = FileSettings::default();
        for (setting, given) in [(&mut files.data, &self.data), (&mut files.socket, &self.socket)] {
            if let Some(path) = given {
                // What is named in the command is relative to where the command is typed.
                *setting = std::path::absolute(path).map_err(NodeError::file(path))?;
            }
        }
        let config_path = self.dir.join("node.toml");
        if config_path.exists() {
            return Err(Failure::exists(&config_path));
        }
        // Everything is read and checked before anything is written.
        let mut anchors = Vec::new();
        for path in &self.anchor {
            anchors.extend(read_chain(path)?);
        }
        if let Some(path) = &self.trust {
            TrustFile::load(path)?.store()?;
            files.trust = Some(std::path::absolute(path).map_err(NodeError::file(path))?);
        }
        let (seal_pem, seal_key) = daemon_key(&self.seal_key)?;
        let seal_chain = read_chain(&self.seal_cert)?;
        let (node_pem, node_key) = daemon_key(&self.node_key)?;
        let node_chain = read_chain(&self.node_cert)?;
        for (key, chain, path) in
            [(&seal_key, &seal_chain, &self.seal_cert), (&node_key, &node_chain, &self.node_cert)]
        {
            let own = chain.first().filter(|c| c.public_key() == Some(&key.public_key()));
            let own = own.map(|c| c.agency_name()).transpose()?;
            if own.as_ref() != Some(&self.agency) {
                let what = format!("it is not the certificate of {} for that key", self.agency);
                let remedy = "Give key and certificate that were issued together, for this agency.";
                return Err(Failure::usage("CHY-6011", what, remedy).at(path));
            }
        }
        let seal = Credential::new(seal_key, seal_chain.clone())?;
        let encryption = KemPrivateKey::generate(Kem::XWing);
        let config = NodeConfig {
            agency: self.agency.clone(),
            display: self.display.clone(),
            listen: self.listen,
            advertise: self.advertise.clone(),
            registrar: self.registrar.clone(),
            relay: self.relay.clone(),
            files: files.clone(),
            store: chancery_store::StoreSettings::default(),
            limits: LimitSettings::default(),
            purge: PurgeSettings::default(),
            access: AccessSettings::default(),
            api: ApiSettings::default(),
            monitor: MonitorSettings::default(),
        };
        Failure::unless_shown("--display", &self.display)?;
        let card = seal_card(&config, &encryption, &seal, self.key_days)?;
        let at = |path: &Path| self.dir.join(path);
        let seed = Zeroizing::new(hex_line(&encryption.to_bytes()));
        write_private(&at(&files.encryption_key), seed.as_bytes())?;
        write_private(&at(&files.seal_key), &seal_pem)?;
        write_private(&at(&files.node_key), &node_pem)?;
        let pem = |chain: &[_]| chancery_certs::encode_pem_chain(chain);
        if !anchors.is_empty() {
            write_new(&at(&files.anchors), pem(&anchors).as_bytes())?;
        }
        write_new(&at(&files.seal_cert), pem(&seal_chain).as_bytes())?;
        write_new(&at(&files.node_cert), pem(&node_chain).as_bytes())?;
        let card_path = self.dir.join("agency.card");
        write_new(&card_path, &card)?;
        write_private(&at(&files.mark), NEW_MARK.as_bytes())?;
        write_new(&config_path, config.to_toml()?.as_bytes())?;
        if output.json {
            output.print_json(&serde_json::json!({
                "agency": self.agency, "config": config_path, "card": card_path,
            }));
        } else {
            println!("{} {}", output.t("node made:", "节点已创建："), self.agency);
            println!("  {} {}", output.t("configuration", "配置"), config_path.display());
            println!(
                "  {} {}",
                output.t("card for the registrar", "名片（交注册机关）"),
                card_path.display()
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What an agency says of itself, under its seal.
fn seal_card(
    config: &NodeConfig,
    encryption: &KemPrivateKey,
    seal: &Credential,
    key_days: u32,
) -> Result<Vec<u8>, Failure> {
    let now = unix_now();
    let statement = EncryptionKeyStatement {
        agency: config.agency.clone(),
        key: encryption.public_key(),
        not_before: now - CLOCK_DIFFERENCE,
        not_after: now + i64::from(key_days) * 86_400,
    };
    let card = AgencyCard {
        agency: config.agency.clone(),
        display: config.display.clone(),
        address: config.advertised(),
        via: config.relay.clone(),
        encryption_key: statement.seal(seal, now)?,
    };
    Ok(card.seal(seal, now)?)
}

impl Card {
    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let config = self.config.load()?;
        let identity = Identity::load(&config)?;
        let keys = identity.encryption();
        let card = seal_card(&config, &keys.current, &identity.seal(), self.key_days)?;
        write_new(&self.out, &card)?;
        if output.json {
            output.print_json(&serde_json::json!({ "agency": config.agency, "card": self.out }));
        } else {
            let what = output.t("card for the registrar", "名片（交注册机关）");
            println!("{what} {}", self.out.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Card {
    /// Makes a new encryption key and keeps the old one for what was encrypted to it.
    fn rotate(self, output: &Output) -> Result<ExitCode, Failure> {
        let config = self.config.load()?;
        let identity = Identity::load(&config)?;
        let new = KemPrivateKey::generate(Kem::XWing);
        let card = seal_card(&config, &new, &identity.seal(), self.key_days)?;
        Failure::unless_new(&self.out)?;
        let current = &config.files.encryption_key;
        let retired = config.files.retired_keys.join(format!("{}.key", unix_now()));
        let (staged, mut fresh) = Staged::replacing(current, 0o600)?;
        // The old key has its second name before it loses its first: there is no moment at which it is gone.
        let line = Zeroizing::new(hex_line(&new.to_bytes()));
        let written = fresh.write_all(line.as_bytes()).and_then(|()| fresh.sync_all());
        written.map_err(NodeError::file(staged.path()))?;
        write_private(&retired, &Zeroizing::new(read_file(current)?))?;
        sync_directory(&config.files.retired_keys)?;
        staged.replace()?;
        write_new(&self.out, &card)?;
        if output.json {
            output.print_json(&serde_json::json!({
                "agency": config.agency, "card": self.out, "retired": retired,
            }));
        } else {
            println!("{} {}", output.t("the old key:", "旧密钥："), retired.display());
            let what = output.t("card for the registrar", "名片（交注册机关）");
            println!("{what} {}", self.out.display());
            println!("{}", output.t("now: chancery node reload", "下一步：chancery node reload"));
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print_text(text: &str) -> Result<ExitCode, Failure> {
    println!("{}", text.trim_end());
    Ok(ExitCode::SUCCESS)
}

fn reload(output: &Output, local: &Local) -> Result<ExitCode, Failure> {
    match local.connect()?.ask(&LocalRequest::Reload)? {
        LocalReply::Done => {
            let done = output.t("taken up", "已启用");
            match output.json {
                true => output.print_json(&serde_json::json!({ "reloaded": true })),
                false => println!("{done}"),
            }
            Ok(ExitCode::SUCCESS)
        }
        other => Err(Failure::from_reply(other)),
    }
}

fn alone(output: &Output, local: &Local) -> Result<ExitCode, Failure> {
    match local.connect()?.ask(&LocalRequest::GoAlone)? {
        LocalReply::Done => {
            match output.json {
                true => output.print_json(&serde_json::json!({ "alone": true })),
                false => println!("{}", output.t("it waits for no peer", "不再等待其他节点")),
            }
            Ok(ExitCode::SUCCESS)
        }
        other => Err(Failure::from_reply(other)),
    }
}

fn check(output: &Output, config: &ConfigFile) -> Result<ExitCode, Failure> {
    let loaded = config.load()?;
    let identity = Identity::load(&loaded)?;
    check_contents(&loaded)?;
    let uncleared = chancery_desk::check_policies(&loaded)?;
    let gaps = chancery_bus::own_witnesses(&loaded, &identity)?;
    let missing = gaps.and_then(|gaps| {
        witness_gaps(output, &loaded.agency, gaps.witnesses as u64, gaps.independent)
    });
    // Of a node that runs, its clock can be told as well.
    let clock = running_clock(&loaded);
    if output.json {
        output.print_json(&serde_json::json!({
            "config": config.config, "valid": true, "uncleared": uncleared,
            "witnesses": gaps.map(|gaps| gaps.witnesses),
            "independent_witness": gaps.map(|gaps| gaps.independent), "warnings": missing.as_slice(),
            "clock": clock,
        }));
    } else {
        println!("{}: {}", config.config.display(), output.t("in order", "正确"));
        print_uncleared(output, &uncleared);
        if let Some(sentence) = missing {
            // It is for the registrar to mend: the node works all the same.
            put_red(&format!("✗ {sentence}"));
        }
        clock.iter().for_each(|clock| print_clock(output, clock));
    }
    match clock.and_then(|clock| clock.wrong) {
        Some(message) => Err(Failure {
            code: "CHY-4030".into(),
            message,
            remedy: "Set the clock of the machine that is wrong; the node goes on by itself."
                .into(),
            exit: ENVIRONMENT,
        }),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Whether large contents can be kept, read and removed where the settings say, if that is an object store.
fn check_contents(config: &NodeConfig) -> Result<(), Failure> {
    if config.store.objects.is_none() {
        return Ok(());
    }
    let scratch = std::env::temp_dir().join(format!("chancery-check-{}", std::process::id()));
    let place = config.store.open_contents(&config.contents())?;
    let name = format!("check-{}", std::process::id());
    std::fs::write(&scratch, b"probe").map_err(StoreError::file(&scratch))?;
    let kept = place.keep(&scratch, &name);
    if kept.is_err() {
        drop(std::fs::remove_file(&scratch));
    }
    kept?;
    let read = place.open(&name).and_then(|mut reader| reader.read_at(0, 5));
    place.remove(&name)?;
    match read? == b"probe" {
        true => Ok(()),
        false => {
            Err(StoreError::Damaged("the object store gives other bytes than it was given".into())
                .into())
        }
    }
}

fn print_uncleared(output: &Output, clerks: &[String]) {
    if clerks.is_empty() {
        return;
    }
    println!(
        "  {} {}",
        output.t(
            "clerks who cannot see or send 秘密, 机密 or 绝密, as no clearance is given to them:",
            "下列经办人未获涉密权限，不能查看或发送秘密、机密、绝密文件："
        ),
        clerks.join(", ")
    );
    println!(
        "  {} [access.roles] cleared = [...]",
        output.t("to clear them, name them in node.toml:", "如需授权，请在 node.toml 中列出：")
    );
}

/// How the clock of the node that runs by these settings does, if one does and says so.
fn running_clock(config: &NodeConfig) -> Option<ClockView> {
    let mut client = LocalClient::connect(&config.files.socket).ok()?;
    match client.ask(&LocalRequest::Status).ok()? {
        LocalReply::Status(status) => Some(status.clock),
        _ => None,
    }
}

fn print_clock(output: &Output, clock: &ClockView) {
    if let Some(wrong) = &clock.wrong {
        println!("  {}: {wrong}", output.t("the clock is wrong", "时钟有误"));
    }
    if let Some(why) = &clock.deadlines {
        println!("  {}: {why}", output.t("deadlines stand still", "期限停止推进"));
    }
    for peer in &clock.peers {
        let difference = difference(output, peer.ahead_seconds);
        println!("  {}: {}  {difference}", output.t("clock", "时钟"), peer.agency);
    }
}

/// How far this clock is ahead, in words.
fn difference(output: &Output, ahead: i64) -> String {
    let (apart, t) = (ahead.unsigned_abs(), |en, zh| output.t(en, zh));
    let length = match apart {
        0..120 => format!("{apart} {}", t("s", "秒")),
        120..7200 => format!("{} {}", apart / 60, t("min", "分钟")),
        _ => format!("{} {}", apart / 3600, t("h", "小时")),
    };
    match (apart > CLOCK_TOLERANCE.unsigned_abs(), ahead > 0) {
        (false, _) => format!("{} ({length})", t("agrees", "一致")),
        (true, true) => format!("{} {length}", t("this node's is ahead by", "本节点快")),
        (true, false) => format!("{} {length}", t("this node's is behind by", "本节点慢")),
    }
}

fn token(output: &Output, name: &str, config: &ConfigFile) -> Result<ExitCode, Failure> {
    let secret = Zeroizing::new(hex::encode(chancery_crypto::random::<32>()?));
    let digest = chancery_crypto::Digest::of(secret.as_bytes()).to_string();
    if output.json {
        output.print_json(&serde_json::json!({ "name": name, "token": *secret, "digest": digest }));
        return Ok(ExitCode::SUCCESS);
    }
    println!("{} {}", output.t("token, shown this once:", "令牌（仅显示一次）："), *secret);
    let path = config.config.display();
    // It may be on another machine, or not made yet.
    let file = config.load().ok().zip(read_text(&config.config).ok());
    let lines = match &file {
        Some((settings, text)) => TokenLines::fitting(settings, text, name, &digest),
        None => TokenLines::plain(name, &digest),
    };
    if let Some(line) = lines.remove {
        println!("{} {path}: {line}", output.t("remove from", "删去"));
    }
    println!("{}", output.t("add at the end of node.toml:", "在 node.toml 末尾加入："));
    println!("\n{}", lines.append);
    if let Some((there, line)) = lines.within {
        let (put, section) = match there {
            true => {
                ("replace `clerk` under [access.roles] by:", "将 [access.roles] 下的 clerk 改为：")
            }
            false => ("add under [access.roles]:", "在 [access.roles] 下加入："),
        };
        println!("{}\n\n{line}", output.t(put, section));
    }
    Ok(ExitCode::SUCCESS)
}

/// What makes a token known to a node, as lines of its configuration.
#[derive(Debug, PartialEq, Eq)]
struct TokenLines {
    /// A line that is to go: it says that there are no tokens.
    remove: Option<String>,
    /// What is put at the end.
    append: String,
    /// What is put into a section that is there, and whether something of the name is there already.
    within: Option<(bool, String)>,
}

impl TokenLines {
    fn of(name: &str, digest: &str) -> String {
        format!("[[api.tokens]]\nname = {name:?}\ndigest = \"{digest}\"\n")
    }

    /// For a file that is not known.
    fn plain(name: &str, digest: &str) -> Self {
        let token = Self::of(name, digest);
        let append = format!(
            "{token}\n[access.roles]\nclerk = [\"unix:*\", \"*@AGENCY\", \"token:{name}\"]\n"
        );
        Self { remove: None, append, within: None }
    }

    /// For a file that has these settings. No table may stand in it twice.
    fn fitting(settings: &NodeConfig, text: &str, name: &str, digest: &str) -> Self {
        let lines = || text.lines().map(str::trim);
        let remove = lines().find(|line| line.replace(' ', "") == "tokens=[]").map(str::to_owned);
        let roles = &settings.access.roles;
        let mut clerks = roles
            .get("clerk")
            .cloned()
            .unwrap_or_else(|| vec!["unix:*".to_owned(), format!("*@{}", settings.agency)]);
        clerks.push(format!("token:{name}"));
        let clerk = format!("clerk = {clerks:?}\n");
        let token = Self::of(name, digest);
        match lines().any(|line| line.starts_with("[access.roles]")) {
            true => {
                let within = Some((roles.contains_key("clerk"), clerk));
                Self { remove, append: token, within }
            }
            false => {
                Self { remove, append: format!("{token}\n[access.roles]\n{clerk}"), within: None }
            }
        }
    }
}

fn hex_line(bytes: &[u8]) -> String {
    let mut line = hex::encode(bytes);
    line.push('\n');
    line
}

impl Run {
    fn run(self) -> Result<ExitCode, Failure> {
        let config = self.config.load()?;
        start_logging(self.log_format)?;
        let (runtime, desk) = (threads()?, threads()?);
        let ended = runtime.block_on(async {
            let node = Daemon::start(config, desk.handle()).await?;
            node.run(stop_signal()).await?;
            Ok(ExitCode::SUCCESS)
        });
        // The node has drained as far as it waits; what still blocks is not waited for.
        desk.shutdown_background();
        ended
    }
}

/// A format of the log in which an event is one line, whatever stands in its fields: strangers write some of them.
struct OneLine<E>(E);

impl<S, N, E> FormatEvent<S, N> for OneLine<E>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    E: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> std::fmt::Result {
        let mut text = String::new();
        self.0.format_event(context, Writer::new(&mut text), event)?;
        writeln!(writer, "{}", show_line(text.strip_suffix('\n').unwrap_or(&text)))
    }
}

/// Starts logging on stderr, as CHANCERY_LOG has it.
pub(crate) fn start_logging(format: LogFormat) -> Result<(), Failure> {
    let filter = std::env::var("CHANCERY_LOG").unwrap_or_else(|_| "info".into());
    let filter = EnvFilter::try_new(&filter).map_err(|e| {
        Failure::usage("CHY-6012", e.to_string(), "Set CHANCERY_LOG to `info`, say.")
    })?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Saying on stderr that nothing can be written to it would end the process: a log has no room when its disk is full.
    let log = log.log_internal_errors(false);
    match format {
        LogFormat::Text => log.with_ansi(false).event_format(OneLine(format::format())).init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}

/// The threads of a daemon.
pub(crate) fn threads() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|e| Failure {
        code: "CHY-6013".into(),
        message: e.to_string(),
        remedy: "The operating system gives no threads; see its limits.".into(),
        exit: ENVIRONMENT,
    })
}

/// Resolves on SIGINT or SIGTERM.
pub(crate) async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        tracing::error!("signals cannot be caught; stop the node with SIGKILL");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

fn status(output: &Output, local: &Local) -> Result<ExitCode, Failure> {
    let mut client = local.connect()?;
    let reply = client.ask(&LocalRequest::Status)?;
    let LocalReply::Status(status) = reply else { return Err(Failure::from_reply(reply)) };
    if output.json {
        output.print_json(&serde_json::to_value(&*status).unwrap_or_default());
        return Ok(ExitCode::SUCCESS);
    }
    println!("{} ({})  chancery {}", status.agency, plain(&status.display), status.version);
    println!("  {}: {} UDP", output.t("listening", "监听"), status.listen);
    let entries = output.t("entries", "条目");
    println!(
        "  {}: {} {entries}, {}",
        output.t("ledger", "账本"),
        status.entries,
        short(status.root)
    );
    if let Some(why) = &status.not_sealing {
        put_red(&format!("  ✗ {why}"));
    }
    println!("  {}: {}", output.t("pending deliveries", "待投递"), status.pending);
    if let Some(disk) = &status.disk {
        match &disk.full {
            Some(why) => put_red(&format!("  ✗ {why}")),
            None => {
                let free = disk.free_bytes >> 20;
                println!("  {}: {free} MiB", output.t("free on the disk", "磁盘剩余"));
            }
        }
    }
    for peer in &status.connected {
        println!("  {}: {peer}", output.t("connected", "已连接"));
    }
    for peer in &status.forked {
        let forked = output
            .t("its ledger is forked; the proof is in data/forks", "账本已分叉，证明见 data/forks");
        put_red(&format!("  ✗ {peer}: {forked}"));
    }
    print_clock(output, &status.clock);
    for witness in &status.witnesses {
        let (size, at) = (witness.size, time(witness.time));
        println!("  {}: {}  {size}  {at}", output.t("cosigned by", "见证签名"), witness.agency);
    }
    match status.directory_version.zip(status.directory_expires) {
        Some((version, expires)) => {
            let until = output.t("valid until", "有效期至");
            println!("  {}: {version}, {until} {}", output.t("directory", "目录"), time(expires));
        }
        None => println!("  {}", output.t("no valid directory is held", "没有有效目录")),
    }
    for peer in &status.agencies {
        println!("    {}  {}", peer.agency, plain(&peer.display));
    }
    let (witnesses, independent) = (status.named_witnesses, status.independent_witness);
    let missing = witness_gaps(output, &status.agency, witnesses, independent);
    if let Some(sentence) = missing.filter(|_| status.directory_version.is_some()) {
        put_red(&format!("  ✗ {sentence}"));
    }
    let (node, seal) = (status.node_certificate_expires, status.seal_certificate_expires);
    println!("  {}: {}", output.t("node certificate until", "节点证书有效期至"), time(node));
    println!("  {}: {}", output.t("seal certificate until", "印章证书有效期至"), time(seal));
    if let Some(expires) = status.encryption_key_expires {
        println!("  {}: {}", output.t("encryption key until", "加密密钥有效期至"), time(expires));
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("nobody panics").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    const PLAIN: &str = "agency = 'a.gov.cn'\ndisplay = 'A'\nlisten = '127.0.0.1:7400'\n\
                         registrar = 'r.gov.cn'\n";

    fn load(text: &str) -> Result<NodeConfig, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn the_lines_of_a_token_fit_the_file_that_they_are_for() {
        let digest = chancery_crypto::Digest::of(b"x").to_string();
        // As it is made now; as it was made before; as an operator has it.
        let made = load(PLAIN).expect("in order").to_toml().expect("plain");
        let older = format!(
            "{PLAIN}[access]\n[access.roles]\n[access.users]\n[api]\nplain = false\ntokens = []\n"
        );
        let own =
            format!("{PLAIN}[access.roles] # ours\nclerk = [\"unix:li\"]\n[api]\nplain = true\n");
        for (text, clerks) in [
            (PLAIN, ["unix:*", "*@a.gov.cn"].as_slice()),
            (&made, &["unix:*", "*@a.gov.cn"]),
            (&older, &["unix:*", "*@a.gov.cn"]),
            (&own, &["unix:li"]),
        ] {
            let lines = TokenLines::fitting(&load(text).expect("in order"), text, "erp", &digest);
            let mut text = format!("{text}\n{}", lines.append);
            if let Some(line) = &lines.remove {
                text = text.replace(line, "");
            }
            if let Some((there, line)) = &lines.within {
                if *there {
                    text = text.replace("clerk = [\"unix:li\"]\n", "");
                }
                let at = text.find("[access.roles]").expect("it is there");
                let end = at + text[at..].find('\n').expect("a line") + 1;
                text.insert_str(end, line);
            }
            let config = load(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
            assert_eq!(config.api.tokens[0].name, "erp");
            let (last, others) = config.access.roles["clerk"].split_last().expect("members");
            assert_eq!(
                (last.as_str(), others),
                (
                    "token:erp",
                    clerks.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>().as_slice()
                )
            );
        }
        let plain = format!("{PLAIN}{}", TokenLines::plain("erp", &digest).append);
        load(&plain.replace("AGENCY", "a.gov.cn")).expect("in order");
    }

    #[test]
    fn an_event_is_one_line_of_the_log_whatever_strangers_write_into_its_fields() {
        let kept = Kept::default();
        let writer = kept.clone();
        let log = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false);
        let log = log.event_format(OneLine(format::format())).finish();
        let evil =
            "x\n2026-11-26T00:00:00Z  WARN forged\r\u{1b}[2J\u{9b}1A\u{202e}\u{2028}\u{200b}";
        tracing::subscriber::with_default(log, || {
            let span = tracing::info_span!("peer", name = evil);
            let _entered = span.enter();
            tracing::warn!(reason = %evil, debug = ?evil, "a peer says {evil}");
            tracing::info!("名称 2026");
        });
        let bytes = kept.0.lock().expect("nobody panics").clone();
        let text = String::from_utf8(bytes).expect("text");
        assert_eq!(text.lines().count(), 2, "{text}");
        let steers =
            |c: char| c != '\n' && (c.is_control() || "\u{202e}\u{2028}\u{200b}".contains(c));
        assert!(!text.contains(steers), "{text:?}");
        assert!(text.contains("forged") && text.contains("名称 2026"), "{text}");
    }
}
