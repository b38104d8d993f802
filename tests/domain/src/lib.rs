//! A small trust domain in a temporary folder: a root, agencies with everything that a node's settings name, their officers and a
//! directory. Unit tests of the rooms above the protocol make their nodes of it, over whichever store they like.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "only tests use it, and they fail where it is said why"
)]

use std::{
    collections::BTreeMap,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use chancery_certs::{
    AgencyCard, AgencyName, Credential, Directory, EncryptionKeyStatement, Issuer, OfficerName,
    Profile, Subject, encode_pem_chain,
};
use chancery_crypto::{Algorithm, Kem, KemPrivateKey, KemPublicKey, SigningKey};

/// For how long everything is valid, in seconds.
const DAY: i64 = 86_400;

/// An agency of the domain.
#[derive(Debug)]
pub struct Agency {
    /// Its name.
    pub name: AgencyName,
    /// Its seal.
    pub seal: Credential,
    /// What is encrypted to.
    pub encryption: KemPublicKey,
    /// Its `node.toml`.
    pub config: PathBuf,
    card: Vec<u8>,
}

/// The domain. Its first agency is the registrar.
#[derive(Debug)]
pub struct Domain {
    folder: tempfile::TempDir,
    root: Issuer,
    agencies: BTreeMap<AgencyName, Agency>,
    registrar: AgencyName,
}

/// Now, in seconds since 1970 UTC.
pub fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    i64::try_from(now.as_secs()).expect("the clock is right")
}

fn private(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).expect("a key is written");
    let only_owner = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path, only_owner).expect("a key is its owner's");
}

/// A port on which nobody listens now.
fn free_port() -> u16 {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    socket.local_addr().expect("it has an address").port()
}

impl Domain {
    /// A domain of these agencies, each with the superior that relays to and from it, if there is one. The first is the
    /// registrar.
    pub fn new(agencies: &[(&str, Option<&str>)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder is made");
        let root = Issuer::new_root("Root", &[], Algorithm::Es256, now() - 60).expect("a root");
        let registrar = agencies.first().expect("there is one").0.parse().expect("a name");
        let mut domain = Self { folder, root, agencies: BTreeMap::new(), registrar };
        for (agency, via) in agencies {
            domain
                .add(agency.parse().expect("a name"), via.map(|via| via.parse().expect("a name")));
        }
        domain.publish(1);
        domain
    }

    fn add(&mut self, name: AgencyName, via: Option<AgencyName>) {
        let folder = self.folder.path().join(name.as_str());
        std::fs::create_dir(&folder).expect("a folder is made");
        let at = |file: &str| folder.join(file);
        let seal = self.credential(&Subject::agency(Profile::Seal, name.clone(), name.as_str()));
        let node = self.credential(&Subject::agency(Profile::Node, name.clone(), name.as_str()));
        for (credential, file) in [(&seal, "seal"), (&node, "node")] {
            let chain = encode_pem_chain(credential.chain());
            std::fs::write(at(&format!("{file}.pem")), chain).expect("it is written");
            let key = credential.key().to_pem(None).expect("a key is written");
            private(&at(&format!("{file}.key")), key.as_bytes());
        }
        let kem = KemPrivateKey::generate(Kem::XWing);
        private(&at("encryption.key"), hex::encode(&*kem.to_bytes()).as_bytes());
        let root = encode_pem_chain([self.root.certificate()]);
        std::fs::write(at("anchors.pem"), root).expect("it is written");
        std::fs::write(at("ledger.mark"), "no entries yet\n").expect("it is written");
        let port = free_port();
        let relay = via.as_ref().map(|via| format!("relay = \"{via}\"\n")).unwrap_or_default();
        let registrar = &self.registrar;
        let config = at("node.toml");
        let settings = format!(
            "agency = \"{name}\"\ndisplay = \"{name}\"\nlisten = \"127.0.0.1:{port}\"\nregistrar = \"{registrar}\"\n{relay}\
             [limits]\nfree_bytes = 0\nwitness_seconds = 1\n"
        );
        std::fs::write(&config, settings).expect("it is written");
        std::fs::create_dir(at("data")).expect("a folder is made");
        let (agency, key) = (name.clone(), kem.public_key());
        let (not_before, not_after) = (now() - 60, now() + DAY);
        let statement = EncryptionKeyStatement { agency, key: key.clone(), not_before, not_after };
        let card = AgencyCard {
            agency: name.clone(),
            display: name.to_string(),
            address: format!("127.0.0.1:{port}"),
            via,
            encryption_key: statement.seal(&seal, now()).expect("it is sealed"),
        };
        let card = card.seal(&seal, now()).expect("it is sealed");
        let agency = Agency { name: name.clone(), seal, encryption: key, config, card };
        self.agencies.insert(name, agency);
    }

    /// Certifies a new key.
    pub fn credential(&self, subject: &Subject) -> Credential {
        let key = SigningKey::generate(Algorithm::Es256).expect("a key");
        let certificate = self.root.issue(subject, &key.public_key(), now() - 60);
        let chain = vec![certificate.expect("it is issued")];
        Credential::new(key, chain).expect("they belong together")
    }

    /// A new officer, such as `li@a.gov.cn`.
    pub fn officer(&self, name: &str) -> Credential {
        let name: OfficerName = name.parse().expect("a name");
        self.credential(&Subject::officer(name, "李明"))
    }

    /// One of its agencies.
    pub fn agency(&self, name: &str) -> &Agency {
        self.agencies.get(&name.parse().expect("a name")).expect("it is of the domain")
    }

    /// Publishes a directory of all of them, into every agency's folder.
    pub fn publish(&self, version: u64) {
        let cards = self.agencies.values().map(|agency| agency.card.clone().into());
        let directory = Directory {
            registrar: self.registrar.clone(),
            version,
            issued: now() - 1,
            expires: now() + DAY,
            agencies: cards.collect(),
            crls: Vec::new(),
        };
        let seal = &self.agency(self.registrar.as_str()).seal;
        let bytes = directory.seal(seal, now()).expect("it is sealed");
        for agency in self.agencies.values() {
            std::fs::write(agency.config.with_file_name("directory.cose"), &bytes)
                .expect("it is written");
        }
    }
}
