//! Who this node is: its seal, its TLS certificate, its encryption key and its trust anchors.

use std::{path::Path, sync::Arc};

use chancery_certs::decode_pem_chain;
use chancery_certs::{AgencyName, Certificate, Credential, SignerName, TrustStore};
use chancery_crypto::{Kem, KemPrivateKey, SigningKey, StorageKey};
use zeroize::Zeroizing;

use crate::{NodeConfig, NodeError, files::check_private, read_file};

/// The keys and certificates of a running node.
#[derive(Debug)]
pub struct Identity {
    /// The agency.
    pub agency: AgencyName,
    /// Its seal.
    pub seal: Arc<Credential>,
    /// The chain of its node certificate, own certificate first.
    pub node_chain: Vec<Certificate>,
    /// The key of that certificate.
    pub node_key: SigningKey,
    /// Opens what is encrypted to the agency.
    pub encryption: KemPrivateKey,
    /// Seals the content keys of what we sent, so that we can read it again.
    pub storage: StorageKey,
    /// The trust anchors.
    pub trust: TrustStore,
}

impl Identity {
    /// Loads and checks everything that the configuration names.
    pub fn load(config: &NodeConfig) -> Result<Self, NodeError> {
        let files = &config.files;
        let anchors = decode_pem_chain(&read_file(&files.anchors)?)?;
        let trust = TrustStore::new(anchors)?;
        let seal_chain = decode_pem_chain(&read_file(&files.seal_cert)?)?;
        let seal = Credential::new(load_key(&files.seal_key)?, seal_chain)?;
        let wrong = |path: &Path, why: String| NodeError::Config { path: path.to_owned(), why };
        if *seal.name() != SignerName::Agency(config.agency.clone()) {
            let why = format!("it is the seal of {}, not of {}", seal.name(), config.agency);
            return Err(wrong(&files.seal_cert, why));
        }
        let node_chain = decode_pem_chain(&read_file(&files.node_cert)?)?;
        let node_key = load_key(&files.node_key)?;
        let own = node_chain.first().map(Certificate::agency_name).transpose()?;
        if own.as_ref() != Some(&config.agency) {
            let why = format!("it is not a certificate of {}", config.agency);
            return Err(wrong(&files.node_cert, why));
        }
        check_private(&files.encryption_key)?;
        let seed = Zeroizing::new(read_file(&files.encryption_key)?);
        let seed = std::str::from_utf8(&seed).ok().map(str::trim).and_then(|t| hex::decode(t).ok());
        let seed =
            Zeroizing::new(seed.ok_or_else(|| {
                wrong(&files.encryption_key, "it is no key in hexadecimal".into())
            })?);
        let encryption = KemPrivateKey::from_bytes(Kem::XWing, &seed)?;
        let storage = StorageKey::derive(&encryption);
        Ok(Self {
            agency: config.agency.clone(),
            seal: Arc::new(seal),
            node_chain,
            node_key,
            encryption,
            storage,
            trust,
        })
    }
}

fn load_key(path: &Path) -> Result<SigningKey, NodeError> {
    check_private(path)?;
    let bytes = Zeroizing::new(read_file(path)?);
    let text = std::str::from_utf8(&bytes).map_err(|_| NodeError::Config {
        path: path.to_owned(),
        why: "it is no PEM text".into(),
    })?;
    Ok(SigningKey::from_pem(text, None)?)
}
