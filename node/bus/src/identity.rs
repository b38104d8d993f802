//! Who this node is: its seal, its TLS certificate, its encryption key and its trust anchors.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use chancery_certs::{
    AgencyName, Certificate, Credential, Crl, Purpose, Scrutiny, SignerName, TrustStore,
    anchors_of_file, decode_pem_chain,
};
use chancery_crypto::{
    ContentKey, CryptoError, Kem, KemPrivateKey, PartOpener, SigningKey, StorageKey, WrappedKey,
    unwrap_key, unwrap_key_with_part,
};
use chancery_protocol::{EnvelopeId, OpenedPart, ProtocolError, RecipientPart};
use zeroize::Zeroizing;

use crate::{NodeConfig, NodeError, trust::TrustFile};
use chancery_ledger::unix_now;
use chancery_store::files::{check_private, is_stray, read_file};

/// The keys and certificates of a running node.
#[derive(Debug)]
pub struct Identity {
    /// The agency.
    pub agency: AgencyName,
    /// The trust anchors.
    pub trust: TrustStore,
    renewable: RwLock<Renewable>,
}

/// What is replaced while the node runs.
#[derive(Debug)]
struct Renewable {
    seal: Arc<Credential>,
    node: Arc<NodeCredential>,
    encryption: Arc<EncryptionKeys>,
}

/// With what content is opened.
#[derive(Debug)]
pub struct EncryptionKeys {
    /// Opens what is encrypted to the agency.
    pub current: KemPrivateKey,
    /// Earlier keys, which still open what was encrypted to them, the newest first.
    retired: Vec<KemPrivateKey>,
    /// Seals the content keys of what we sent, so that we can read it again.
    pub storage: StorageKey,
}

impl EncryptionKeys {
    fn load(config: &NodeConfig) -> Result<Self, NodeError> {
        let files = &config.files;
        let current = load_kem_key(&files.encryption_key)?;
        let retired = retired_keys(&files.retired_keys)?;
        let retired = retired.iter().map(|path| load_kem_key(path)).collect::<Result<_, _>>()?;
        let storage = StorageKey::derive(&current);
        Ok(Self { current, retired, storage })
    }

    /// Opens a content key that is wrapped for the agency. Only when the current key does not open it are the retired
    /// ones tried.
    pub fn unwrap(&self, wrapped: &WrappedKey, info: &[u8]) -> Result<ContentKey, CryptoError> {
        let error = match unwrap_key(&self.current, wrapped, info) {
            Ok(key) => return Ok(key),
            Err(error) => error,
        };
        self.retired.iter().find_map(|key| unwrap_key(key, wrapped, info).ok()).ok_or(error)
    }

    /// As [`EncryptionKeys::unwrap`], and with what opens the part that the agency is told alone.
    pub fn unwrap_with_part(
        &self,
        wrapped: &WrappedKey,
        info: &[u8],
    ) -> Result<(ContentKey, PartOpener), CryptoError> {
        let error = match unwrap_key_with_part(&self.current, wrapped, info) {
            Ok(unwrapped) => return Ok(unwrapped),
            Err(error) => error,
        };
        let mut retired = self.retired.iter();
        retired.find_map(|key| unwrap_key_with_part(key, wrapped, info).ok()).ok_or(error)
    }

    /// Opens what an envelope holds for the agency alone; see [`EncryptionKeys::unwrap`].
    pub fn open_part(
        &self,
        part: &RecipientPart,
        wrapped: &WrappedKey,
        info: &[u8],
        envelope: &EnvelopeId,
    ) -> Result<OpenedPart, ProtocolError> {
        let error = match part.open(&self.current, wrapped, info, envelope) {
            Ok(part) => return Ok(part),
            Err(error) => error,
        };
        let mut retired = self.retired.iter();
        retired.find_map(|key| part.open(key, wrapped, info, envelope).ok()).ok_or(error)
    }

    /// Opens a row that stands under the storage key of its time.
    pub fn open_row(&self, row: &[u8], context: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let error = match self.storage.open_row(row, context) {
            Ok(plain) => return Ok(plain),
            Err(error) => error,
        };
        let mut retired = self.retired.iter().map(StorageKey::derive);
        retired.find_map(|storage| storage.open_row(row, context).ok()).ok_or(error)
    }

    /// Opens a content key of what our clerk sent, which stands under the storage key of its time.
    pub fn open_own(&self, own: &[u8], context: &[u8]) -> Result<ContentKey, CryptoError> {
        let error = match self.storage.open(own, context) {
            Ok(key) => return Ok(key),
            Err(error) => error,
        };
        let mut retired = self.retired.iter().map(StorageKey::derive);
        retired.find_map(|storage| storage.open(own, context).ok()).ok_or(error)
    }
}

/// With what the node shows itself to its peers.
#[derive(Debug)]
pub struct NodeCredential {
    /// The chain of the node certificate, own certificate first.
    pub chain: Vec<Certificate>,
    /// The key of that certificate.
    pub key: SigningKey,
}

impl Renewable {
    fn load(config: &NodeConfig) -> Result<Self, NodeError> {
        let files = &config.files;
        let seal_chain = decode_pem_chain(&read_file(&files.seal_cert)?)?;
        let seal = Credential::new(load_key(&files.seal_key)?, seal_chain)?;
        if *seal.name() != SignerName::Agency(config.agency.clone()) {
            let why = format!("it is the seal of {}, not of {}", seal.name(), config.agency);
            return Err(wrong(&files.seal_cert, why));
        }
        let chain = decode_pem_chain(&read_file(&files.node_cert)?)?;
        let key = load_key(&files.node_key)?;
        let own = chain.first().map(Certificate::agency_name).transpose()?;
        if own.as_ref() != Some(&config.agency) {
            let why = format!("it is not a certificate of {}", config.agency);
            return Err(wrong(&files.node_cert, why));
        }
        if chain.first().and_then(Certificate::public_key) != Some(&key.public_key()) {
            return Err(wrong(&files.node_key, "it is not the key of the node certificate".into()));
        }
        let encryption = Arc::new(EncryptionKeys::load(config)?);
        let node = Arc::new(NodeCredential { chain, key });
        Ok(Self { seal: Arc::new(seal), node, encryption })
    }
}

fn wrong(path: &Path, why: String) -> NodeError {
    NodeError::Config { path: path.to_owned(), why }
}

impl Identity {
    /// Loads and checks everything that the configuration names.
    ///
    /// # Errors
    /// [`NodeError`], naming the file that is not right.
    pub fn load(config: &NodeConfig) -> Result<Self, NodeError> {
        let files = &config.files;
        let trust = match &files.trust {
            Some(path) => {
                let trust = TrustFile::load(path)?;
                if let Some(other) = trust.registrar.as_ref().filter(|r| **r != config.registrar) {
                    let why = format!("its registrar is {other}; here it is {}", config.registrar);
                    return Err(wrong(path, why));
                }
                trust.store()?
            }
            None => {
                TrustStore::new(anchors_of_file(decode_pem_chain(&read_file(&files.anchors)?)?))?
            }
        };
        let trust = trust.with_registrar(config.registrar.clone());
        let renewable = RwLock::new(Renewable::load(config)?);
        Ok(Self { agency: config.agency.clone(), trust, renewable })
    }

    /// The agency's seal.
    pub fn seal(&self) -> Arc<Credential> {
        self.renewable.read().unwrap_or_else(PoisonError::into_inner).seal.clone()
    }

    /// The node's certificate and its key.
    pub fn node(&self) -> Arc<NodeCredential> {
        self.renewable.read().unwrap_or_else(PoisonError::into_inner).node.clone()
    }

    /// Takes up the seal, the node certificate and the encryption keys that lie in the files now.
    ///
    /// # Errors
    /// [`NodeError`], naming the file that is not right; nothing is changed then.
    pub fn renew(&self, config: &NodeConfig, crls: &[Crl]) -> Result<(), NodeError> {
        let new = Renewable::load(config)?;
        let by = Scrutiny::by(&self.trust, crls, unix_now());
        let valid = |chain: &[Certificate], purpose| {
            let (leaf, above) =
                chain.split_first().ok_or(chancery_certs::CertError::NoCertificate)?;
            by.check(leaf, above, purpose).map_err(ProtocolError::from)?;
            Ok::<_, NodeError>(())
        };
        valid(new.seal.chain(), Purpose::Sign)?;
        valid(&new.node.chain, Purpose::Node)?;
        *self.renewable.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// The keys of content.
    pub fn encryption(&self) -> Arc<EncryptionKeys> {
        self.renewable.read().unwrap_or_else(PoisonError::into_inner).encryption.clone()
    }
}

/// The key files in a folder, which need not be there.
fn retired_keys(folder: &Path) -> Result<Vec<PathBuf>, NodeError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(NodeError::file(folder)(error)),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let paths = paths.collect::<Result<Vec<_>, _>>().map_err(NodeError::file(folder))?;
    let is_key = |path: &PathBuf| {
        path.extension().is_some_and(|e| e == "key") && !path.file_name().is_some_and(is_stray)
    };
    let mut keys: Vec<_> = paths.into_iter().filter(is_key).collect();
    // Newest first: they are named by when they were retired.
    keys.sort_by(|a, b| b.cmp(a));
    Ok(keys)
}

fn load_kem_key(path: &Path) -> Result<KemPrivateKey, NodeError> {
    check_private(path)?;
    let seed = Zeroizing::new(read_file(path)?);
    // A line end, and the mark that some editors put before a text, mean nothing.
    let text = std::str::from_utf8(&seed).ok().map(|t| t.trim_start_matches('\u{feff}').trim());
    let seed = text.and_then(|text| hex::decode(text).ok());
    let seed = seed.ok_or_else(|| wrong(path, "it is no key in hexadecimal".into()))?;
    Ok(KemPrivateKey::from_bytes(Kem::XWing, &Zeroizing::new(seed))?)
}

fn load_key(path: &Path) -> Result<SigningKey, NodeError> {
    check_private(path)?;
    let bytes = Zeroizing::new(read_file(path)?);
    let text = std::str::from_utf8(&bytes).map_err(|_| NodeError::Config {
        path: path.to_owned(),
        why: "it is no PEM text".into(),
    })?;
    Ok(SigningKey::from_pem(text.trim_start_matches('\u{feff}'), None)?)
}
