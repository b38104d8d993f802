use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use chancery_certs::{AgencyName, OfficerName};
use chancery_protocol::MAX_INLINE;
use serde::{Deserialize, Serialize};

use crate::{NodeError, read_file};

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
    /// Its limits.
    #[serde(default)]
    pub limits: LimitSettings,
    /// Who may have content removed for good.
    #[serde(default)]
    pub purge: PurgeSettings,
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
    /// The signed directory; read at start-up when it is there.
    pub directory: PathBuf,
    /// The data directory: store and large contents.
    pub data: PathBuf,
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
            seal_cert: "seal.pem".into(),
            seal_key: "seal.key".into(),
            node_cert: "node.pem".into(),
            node_key: "node.key".into(),
            encryption_key: "encryption.key".into(),
            directory: "directory.cose".into(),
            data: "data".into(),
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
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            envelope_bytes: 16 << 30,
            inline_bytes: 256 << 10,
            expiry_hours: 14 * 24,
            peer_streams: 128,
            peer_deliveries: 64,
            witness_seconds: 10,
        }
    }
}

impl NodeConfig {
    /// Reads `node.toml` and makes its paths absolute.
    ///
    /// # Errors
    /// [`NodeError::File`] or [`NodeError::Config`], naming the setting.
    pub fn load(path: &Path) -> Result<Self, NodeError> {
        let wrong = |why: String| NodeError::Config { path: path.to_owned(), why };
        let bytes = read_file(path)?;
        let text = String::from_utf8(bytes).map_err(|e| wrong(e.to_string()))?;
        let mut config: Self = toml::from_str(&text).map_err(|e| wrong(e.to_string()))?;
        if config.limits.inline_bytes > MAX_INLINE as u64 {
            return Err(wrong(format!("limits.inline_bytes may be at most {MAX_INLINE}")));
        }
        if config.limits.peer_deliveries == 0 || config.limits.peer_streams == 0 {
            return Err(wrong("limits.peer_deliveries and peer_streams must not be 0".into()));
        }
        if config.limits.witness_seconds == 0 {
            return Err(wrong("limits.witness_seconds must not be 0".into()));
        }
        let base = path.parent().unwrap_or(Path::new("."));
        let base = std::path::absolute(base).map_err(NodeError::file(base))?;
        let files = &mut config.files;
        for file in [
            &mut files.anchors,
            &mut files.seal_cert,
            &mut files.seal_key,
            &mut files.node_cert,
            &mut files.node_key,
            &mut files.encryption_key,
            &mut files.directory,
            &mut files.data,
            &mut files.socket,
        ] {
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

    /// The address that others are told.
    pub fn advertised(&self) -> String {
        self.advertise.clone().unwrap_or_else(|| self.listen.to_string())
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
        assert!(load(&PLAIN.replace("a.gov.cn", "A gov")).expect_err("a name").contains("A gov"));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut config = load(PLAIN).expect("enough");
        config.limits.expiry_hours = 1;
        config.advertise = Some("node.a.gov.cn:7400".into());
        assert_eq!(load(&config.to_toml().expect("plain")).expect("reads"), config);
    }
}
