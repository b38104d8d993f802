use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use chancery_certs::{AgencyName, OfficerName};
use chancery_crypto::Digest;
use chancery_protocol::{MAX_INLINE, text::check_line};
use serde::{Deserialize, Serialize};

use crate::NodeError;
use chancery_store::{StoreSettings, files::read_text};

/// Every setting with its default and what it is for.
pub const SAMPLE_CONFIG: &str = include_str!("node.sample.toml");
/// Environment variables that start so override a setting: `CHANCERY_NODE__LIMITS__PEER_STREAMS=64`.
const OVERRIDE: &str = "CHANCERY_NODE__";

/// The settings of a node, as in `node.toml`. Relative paths are relative to that file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// The agency that runs the node.
    pub agency: AgencyName,
    /// Its name for people.
    pub display: String,
    /// Where the node listens for QUIC (UDP).
    pub listen: SocketAddr,
    /// Where others reach it, when that is not `listen`: `host:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advertise: Option<String>,
    /// The registrar whose seal signs the directory.
    pub registrar: AgencyName,
    /// The superior whose node relays to and from this one: it goes into the agency's card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay: Option<AgencyName>,
    /// The files it uses.
    #[serde(default)]
    pub files: FileSettings,
    /// Where its tables are.
    #[serde(default)]
    pub store: StoreSettings,
    /// Its limits.
    #[serde(default)]
    pub limits: LimitSettings,
    /// Who may have content removed for good.
    #[serde(default)]
    pub purge: PurgeSettings,
    /// Who may do what here.
    #[serde(default)]
    pub access: AccessSettings,
    /// The HTTP interface for the agency's own systems.
    #[serde(default)]
    pub api: ApiSettings,
    /// Health and metrics.
    #[serde(default)]
    pub monitor: MonitorSettings,
}

/// Who may do what, by roles and Cedar policies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccessSettings {
    /// Cedar policies in place of the default ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policies: Option<PathBuf>,
    /// The first officer who appoints others to roles of modules. It is read once: when somebody was appointed, the ledger says
    /// who may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appointer: Option<String>,
    /// Who is in which role: officers (`li@a.gov.cn`, `*@a.gov.cn`), users of this machine (`unix:li`, `unix:*`),
    /// holders of tokens (`token:erp`). A role that is not named here has the members that it has by default.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<String, Vec<String>>,
    /// Which officer a user of this machine is: `li = "li@a.gov.cn"`. Whoever comes by the socket as that user is in the
    /// officer's roles and has the officer's clearance, so that neither is said twice.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub users: BTreeMap<String, OfficerName>,
}

/// The HTTP interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiSettings {
    /// Where it listens (TCP); none: there is no HTTP interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// Plain HTTP in place of HTTPS; only on loopback, for a reverse proxy on the same machine.
    pub plain: bool,
    /// Whether officers may show their certificate in place of a token.
    pub officer_certificates: bool,
    /// Who may come in with a bearer token.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<TokenSettings>,
}

/// A bearer token, of which only the digest is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSettings {
    /// Whose it is: it acts as `token:NAME`.
    pub name: String,
    /// SHA-256 of the token.
    pub digest: Digest,
    /// The officer as whom it reads what modules keep. None: it reads what is for all, unless its role may export.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub officer: Option<OfficerName>,
}

/// Health and metrics over plain HTTP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MonitorSettings {
    /// Where it listens (TCP): `/healthz`, `/readyz`, `/metrics`; none: nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
}

/// The rules for removing content for good.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PurgeSettings {
    /// The officers whose signed orders are carried out; none by default.
    pub officers: Vec<OfficerName>,
    /// For how many days after it came here every content is kept, whatever an order says.
    pub keep_days: u32,
}

/// Where a node's files are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FileSettings {
    /// Trust anchors, PEM.
    pub anchors: PathBuf,
    /// A trust file, which says who is believed, in place of the anchors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<PathBuf>,
    /// The agency's seal: chain, PEM.
    pub seal_cert: PathBuf,
    /// The agency's seal: private key, PKCS#8 PEM.
    pub seal_key: PathBuf,
    /// The node's certificate chain, PEM.
    pub node_cert: PathBuf,
    /// The node's private key, PKCS#8 PEM.
    pub node_key: PathBuf,
    /// The agency's HPKE private key.
    pub encryption_key: PathBuf,
    /// The folder of earlier HPKE private keys, `*.key`, which still open what was encrypted to them.
    pub retired_keys: PathBuf,
    /// The signed directory; read at start-up when it is there.
    pub directory: PathBuf,
    /// The data directory: store and large contents.
    pub data: PathBuf,
    /// The file in which the node notes what it has sealed. It must lie outside of the data folder, so that a lost disk does not
    /// take it along.
    pub mark: PathBuf,
    /// The Unix socket for clerks and operators.
    pub socket: PathBuf,
    /// Whether the socket is open to the group of the node's process (mode 0660), and not only to
    /// its user (mode 0600). Whoever can open it can read what came in.
    pub socket_group: bool,
}

impl Default for FileSettings {
    fn default() -> Self {
        Self {
            anchors: "anchors.pem".into(),
            trust: None,
            seal_cert: "seal.pem".into(),
            seal_key: "seal.key".into(),
            node_cert: "node.pem".into(),
            node_key: "node.key".into(),
            encryption_key: "encryption.key".into(),
            retired_keys: "retired".into(),
            directory: "directory.cose".into(),
            data: "data".into(),
            mark: "ledger.mark".into(),
            socket: "node.sock".into(),
            socket_group: false,
        }
    }
}

/// What a node takes and for how long it tries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// The largest envelope that is taken, in bytes of ciphertext.
    pub envelope_bytes: u64,
    /// Envelopes up to this size travel with their offer and are kept in the store; larger ones
    /// are files.
    pub inline_bytes: u64,
    /// For how long delivery is tried, in hours.
    pub expiry_hours: u32,
    /// Streams that one peer may have open at once.
    pub peer_streams: u32,
    /// Deliveries to one peer that are under way at once.
    pub peer_deliveries: usize,
    /// Seconds between two looks at how the peers' ledgers have grown.
    pub witness_seconds: u32,
    /// Envelopes that one peer may offer in a second; it may save up ten seconds' worth.
    pub peer_rate: u32,
    /// Documents of one peer that may be refused in an hour; beyond, it is put off before anything of it is looked at.
    pub peer_refused: u32,
    /// Bytes of ciphertext of one peer that may be arriving at once.
    pub peer_arriving_bytes: u64,
    /// Bytes of ciphertext of one sender that are kept here at most.
    pub peer_stored_bytes: u64,
    /// Bytes that must stay free on the disk: below that nothing is taken.
    pub free_bytes: u64,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            envelope_bytes: 16 << 30,
            inline_bytes: 256 << 10,
            expiry_hours: 14 * 24,
            peer_streams: 128,
            peer_deliveries: 120,
            witness_seconds: 10,
            peer_rate: 20_000,
            peer_refused: 300,
            peer_arriving_bytes: 64 << 30,
            peer_stored_bytes: 1 << 40,
            free_bytes: 256 << 20,
        }
    }
}

impl NodeConfig {
    /// Reads `node.toml` and makes its paths absolute.
    ///
    /// # Errors
    /// [`NodeError::Store`] or [`NodeError::Config`], naming the setting.
    pub fn load(path: &Path) -> Result<Self, NodeError> {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            // What is no text cannot be the name of a setting.
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Self::load_with(path, variables)
    }

    /// As [`NodeConfig::load`], with the given environment.
    ///
    /// # Errors
    /// As [`NodeConfig::load`].
    pub fn load_with(
        path: &Path,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, NodeError> {
        let wrong = |why: String| NodeError::Config { path: path.to_owned(), why };
        let text = read_text(path)?;
        // First as it stands, so that a mistake in the file is shown with its line.
        let parsed = toml::from_str::<toml::Table>(&text);
        let mut table = parsed.map_err(|e| wrong(e.to_string().trim_end().to_owned()))?;
        let mut overridden = false;
        for (name, value) in variables {
            if let Some(setting) = name.strip_prefix(OVERRIDE) {
                overridden = true;
                override_setting(&mut table, setting, &value)
                    .ok_or_else(|| wrong(format!("{name} names no setting")))?;
            }
        }
        let parsed = match overridden {
            true => table.try_into::<Self>().map_err(|e| e.to_string()),
            false => toml::from_str(&text).map_err(|e| e.to_string()),
        };
        let mut config = parsed.map_err(|e| wrong(with_suggestion(e.trim_end())))?;
        if let Err(fault) = check_line(&config.display) {
            return Err(wrong(format!("display is {:?}: {fault}", config.display)));
        }
        let foreign = config.access.users.iter().find(|(_, o)| *o.agency() != config.agency);
        if let Some((user, officer)) = foreign {
            let why = format!(
                "access.users: {user} is {officer}, who is no officer of {}",
                config.agency
            );
            return Err(wrong(why));
        }
        if config.limits.inline_bytes > MAX_INLINE as u64 {
            return Err(wrong(format!("limits.inline_bytes may be at most {MAX_INLINE}")));
        }
        if config.limits.peer_deliveries == 0 || config.limits.peer_streams == 0 {
            return Err(wrong("limits.peer_deliveries and peer_streams must not be 0".into()));
        }
        if config.limits.peer_refused == 0 {
            return Err(wrong("limits.peer_refused must not be 0: anybody errs once".into()));
        }
        if config.limits.witness_seconds == 0 {
            return Err(wrong("limits.witness_seconds must not be 0".into()));
        }
        if let Some(listen) =
            config.api.listen.filter(|l| config.api.plain && !l.ip().is_loopback())
        {
            return Err(wrong(format!(
                "api.plain sends tokens and documents in the clear, and {listen} is no loopback address"
            )));
        }
        let mut names = std::collections::HashSet::new();
        if let Some(twice) = config.api.tokens.iter().find(|token| !names.insert(&token.name)) {
            return Err(wrong(format!("api.tokens has two tokens named {}", twice.name)));
        }
        let plain = |name: &str| {
            let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
            !name.is_empty() && name.bytes().all(fits)
        };
        if let Some(odd) = config.api.tokens.iter().find(|token| !plain(&token.name)) {
            let why = "may have letters, digits, '-', '_' and '.'";
            return Err(wrong(format!("api.tokens: the name {:?} {why}", odd.name)));
        }
        let base = path.parent().unwrap_or(Path::new("."));
        let base = std::path::absolute(base).map_err(NodeError::file(base))?;
        let files = &mut config.files;
        for file in
            [
                &mut files.anchors,
                &mut files.seal_cert,
                &mut files.seal_key,
                &mut files.node_cert,
                &mut files.node_key,
                &mut files.encryption_key,
                &mut files.retired_keys,
                &mut files.directory,
                &mut files.data,
                &mut files.mark,
                &mut files.socket,
            ]
            .into_iter()
            .chain(&mut files.trust)
            .chain(&mut config.store.password_file)
            .chain(&mut config.store.tls_ca)
            .chain(&mut config.store.contents)
            .chain(config.store.objects.iter_mut().flat_map(|objects| {
                std::iter::once(&mut objects.credentials).chain(&mut objects.ca)
            }))
            .chain(&mut config.access.policies)
        {
            *file = base.join(&*file);
        }
        Ok(config)
    }

    /// The settings as TOML.
    ///
    /// # Errors
    /// [`NodeError::Config`] never in practice; the form is plain.
    pub fn to_toml(&self) -> Result<String, NodeError> {
        toml::to_string(self)
            .map_err(|e| NodeError::Config { path: "node.toml".into(), why: e.to_string() })
    }

    /// The folder of large contents.
    pub fn contents(&self) -> PathBuf {
        let beside = || self.files.data.join("content");
        self.store.contents.clone().unwrap_or_else(beside)
    }

    /// Whether large contents lie elsewhere than beside the tables.
    pub fn contents_elsewhere(&self) -> bool {
        self.store.contents.is_some() || self.store.objects.is_some()
    }

    /// The address that others are told.
    pub fn advertised(&self) -> String {
        self.advertise.clone().unwrap_or_else(|| self.listen.to_string())
    }
}

/// Sets what a variable names: `LIMITS__PEER_STREAMS`. A value that is no TOML is taken as text. `None`: it names
/// nothing that a setting could be under.
fn override_setting(table: &mut toml::Table, setting: &str, value: &str) -> Option<()> {
    let setting = setting.to_ascii_lowercase();
    let mut names = setting.split("__").collect::<Vec<_>>();
    let last = names.pop().filter(|name| !name.is_empty())?;
    let mut at = table;
    for name in names {
        let inner = at.entry(name).or_insert_with(|| toml::Table::new().into());
        at = inner.as_table_mut()?;
    }
    let parsed = toml::from_str::<toml::Table>(&format!("value = {value}")).ok();
    let parsed = parsed.and_then(|mut table| table.remove("value"));
    at.insert(last.to_owned(), parsed.unwrap_or_else(|| value.into()));
    Some(())
}

/// The parser's complaint, with the setting that was probably meant. It names what it does not know first, and
/// then what it does, each in back-quotes.
pub fn with_suggestion(complaint: &str) -> String {
    let Some(at) = complaint.find("unknown field") else { return complaint.to_owned() };
    let quoted = complaint.get(at..).unwrap_or_default();
    let mut quoted = quoted.split('`').skip(1).step_by(2);
    let Some(unknown) = quoted.next() else { return complaint.to_owned() };
    let near = quoted.map(|known| (strsim::jaro_winkler(unknown, known), known));
    let near = near.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(likeness, _)| *likeness > 0.75);
    match near {
        Some((_, known)) => format!("{complaint} (did you mean `{known}`?)"),
        None => complaint.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "agency = 'a.gov.cn'\ndisplay = 'A'\nlisten = '127.0.0.1:7400'\n\
                         registrar = 'r.gov.cn'\n";

    fn load(text: &str) -> Result<NodeConfig, String> {
        let dir = tempfile::TempDir::new().expect("a folder");
        let path = dir.path().join("node.toml");
        std::fs::write(&path, text).expect("writes");
        let config = NodeConfig::load(&path).map_err(|e| {
            assert_eq!(e.code(), "CHY-4002");
            e.to_string()
        })?;
        assert!(config.files.socket.is_absolute(), "relative to the file, not to where it runs");
        Ok(config)
    }

    #[test]
    fn settings_have_defaults_and_what_is_not_known_or_not_possible_is_named() {
        let config = load(PLAIN).expect("enough");
        assert_eq!(config.limits, LimitSettings::default());
        assert_eq!(config.advertised(), "127.0.0.1:7400");
        for (more, named) in [
            ("colour = 'red'", "colour"),
            ("[files]\nsockets = 'x'", "sockets"),
            ("[limits]\ninline_bytes = 99999999", "inline_bytes"),
            ("[limits]\npeer_streams = 0", "peer_streams"),
            ("[limits]\nexpiry_hours = -1", "expiry_hours"),
        ] {
            let refused = load(&format!("{PLAIN}{more}\n")).expect_err(more);
            assert!(refused.contains(named), "{refused}");
        }
        for (typed, meant) in [
            ("[limits]\nenvelop_bytes = 1", "envelope_bytes"),
            ("[limit]\nexpiry_hours = 1", "limits"),
            ("[files]\nsockets = 'x'", "socket"),
            ("[api]\nlisten_on = '127.0.0.1:1'", "listen"),
        ] {
            let refused = load(&format!("{PLAIN}{typed}\n")).expect_err(typed);
            assert!(refused.contains(&format!("did you mean `{meant}`?")), "{refused}");
        }
        let far = load(&format!("{PLAIN}zzz = 1\n")).expect_err("unknown");
        assert!(!far.contains("did you mean"), "{far}");
        let open = format!("{PLAIN}[api]\nplain = true\nlisten = '192.0.2.1:7480'\n");
        assert!(load(&open).expect_err("in the clear").contains("api.plain"));
        assert!(load(&PLAIN.replace("a.gov.cn", "A gov")).expect_err("a name").contains("A gov"));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut config = load(PLAIN).expect("enough");
        config.limits.expiry_hours = 1;
        config.advertise = Some("node.a.gov.cn:7400".into());
        assert_eq!(load(&config.to_toml().expect("plain")).expect("reads"), config);
    }
    #[test]
    fn variables_override_settings_and_those_that_name_none_are_refused() {
        let dir = tempfile::TempDir::new().expect("a folder");
        let path = dir.path().join("node.toml");
        std::fs::write(&path, PLAIN).expect("writes");
        let with = |name: &str, value: &str| {
            let variables = [("PATH", "/bin"), (name, value)].map(|(n, v)| (n.into(), v.into()));
            NodeConfig::load_with(&path, variables).map_err(|e| e.to_string())
        };
        let config = with("CHANCERY_NODE__LIMITS__PEER_STREAMS", "7").expect("a number");
        assert_eq!(config.limits.peer_streams, 7);
        assert_eq!(config.limits.peer_deliveries, LimitSettings::default().peer_deliveries);
        let config = with("CHANCERY_NODE__LISTEN", "127.0.0.1:1").expect("text");
        assert_eq!(config.listen.port(), 1);
        let config = with("CHANCERY_NODE__ACCESS__ROLES__CLERK", "['unix:li']").expect("a list");
        assert_eq!(config.access.roles["clerk"], ["unix:li"]);
        for (name, value) in [
            ("CHANCERY_NODE__LIMITS__PEER_STREAM", "7"),
            ("CHANCERY_NODE__LIMITS__PEER_STREAMS", "many"),
            ("CHANCERY_NODE__AGENCY__NAME", "x"),
            ("CHANCERY_NODE__", "x"),
        ] {
            with(name, value).expect_err(name);
        }
    }

    #[test]
    fn the_sample_has_every_setting_with_its_default() {
        let sample = load(SAMPLE_CONFIG).expect("it is a configuration");
        let dir = tempfile::TempDir::new().expect("a folder");
        let base = dir.path().join("node.toml");
        std::fs::write(&base, PLAIN).expect("writes");
        let plain = NodeConfig::load(&base).expect("a configuration");
        assert_eq!((&sample.limits, &sample.purge), (&plain.limits, &plain.purge));
        assert_eq!((&sample.api, &sample.monitor), (&plain.api, &plain.monitor));
        // Those without a default stand there too, as comments.
        let mut full = plain;
        full.relay = Some("r.gov.cn".parse().expect("a name"));
        full.advertise = Some("x".into());
        full.access.policies = Some("x".into());
        full.access.roles.insert("clerk".into(), Vec::new());
        full.access.users.insert("li".into(), "li@a.gov.cn".parse().expect("a name"));
        full.api.listen = Some(full.listen);
        full.monitor.listen = Some(full.listen);
        let table: toml::Table = full.to_toml().expect("plain").parse().expect("TOML");
        for (name, value) in &table {
            let inner = value.as_table().into_iter().flatten().map(|(name, _)| name);
            for name in inner.chain([name]) {
                let stands = SAMPLE_CONFIG.lines().any(|line| {
                    let line = line.trim_start_matches("# ");
                    line.starts_with(&format!("{name} ="))
                        || line == format!("[{name}]")
                        || line.starts_with(&format!("[access.{name}]"))
                });
                assert!(stands || name == "tokens", "{name} is missing");
            }
        }
        assert!(SAMPLE_CONFIG.contains("[[api.tokens]]"));
    }
}
