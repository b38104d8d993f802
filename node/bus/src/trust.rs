//! The trust file: whom a verifier believes, and in what.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use chancery_certs::{
    AgencyName, CertError, Certificate, Directory, OpenedDirectory, Scrutiny, TimeAuthorities,
    TrustStore, anchors_of_file, decode_pem_chain,
};
use serde::Deserialize;

use crate::{NodeError, config::with_suggestion};
use chancery_ledger::unix_now;
use chancery_store::files::{read_file, read_text};

/// What a verifier has said of whom it believes: files and names, of which [`TrustFile::store`] makes the trust.
#[derive(Debug, Clone, Default)]
pub struct TrustFile {
    /// The trust anchors, one or more in each file.
    pub anchors: Vec<PathBuf>,
    /// Whose seal signs the directory.
    pub registrar: Option<AgencyName>,
    /// A directory of the registrar that says who else may say what time it was.
    pub directory: Option<PathBuf>,
    /// Who publishes what is for everybody.
    pub publishers: Vec<AgencyName>,
    /// Time-stamping authorities, or CAs of such, one in each file with what leads from it.
    pub time: Vec<PathBuf>,
    /// Time-stamping authorities by name, with the CA that certifies them.
    pub time_names: Vec<(AgencyName, PathBuf)>,
    /// Only those that are named may say what time it was; else also those that an anchor itself has certified.
    pub named_only: bool,
}

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    anchors: Vec<PathBuf>,
    registrar: Option<AgencyName>,
    directory: Option<PathBuf>,
    #[serde(default)]
    publishers: Vec<AgencyName>,
    #[serde(default)]
    time_stamping: Vec<WrittenAuthority>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAuthority {
    certificate: Option<PathBuf>,
    name: Option<AgencyName>,
    issuer: Option<PathBuf>,
}

impl TrustFile {
    /// Reads a trust file. Relative paths in it are relative to it.
    ///
    /// # Errors
    /// [`NodeError::Store`] or [`NodeError::Config`], naming the key that is not right.
    pub fn load(path: &Path) -> Result<Self, NodeError> {
        let wrong = |why: String| NodeError::Config { path: path.to_owned(), why };
        let text = read_text(path)?;
        let read = toml::from_str::<Written>(&text);
        let read = read.map_err(|e| wrong(with_suggestion(e.to_string().trim_end())))?;
        if read.anchors.is_empty() {
            return Err(wrong("anchors names no file".into()));
        }
        if read.directory.is_some() && read.registrar.is_none() {
            return Err(wrong("directory needs registrar: whose seal must have signed it".into()));
        }
        let base = path.parent().unwrap_or(Path::new("."));
        let mut trust = Self {
            anchors: read.anchors.iter().map(|file| base.join(file)).collect(),
            registrar: read.registrar,
            directory: read.directory.map(|file| base.join(file)),
            publishers: read.publishers,
            named_only: true,
            ..Self::default()
        };
        for authority in read.time_stamping {
            match authority {
                WrittenAuthority { certificate: Some(file), name: None, issuer: None } => {
                    trust.time.push(base.join(file));
                }
                WrittenAuthority { certificate: None, name: Some(name), issuer: Some(issuer) } => {
                    trust.time_names.push((name, base.join(issuer)));
                }
                _ => {
                    let why = "each of time_stamping has either certificate, or name and issuer";
                    return Err(wrong(why.into()));
                }
            }
        }
        Ok(trust)
    }

    /// The files that it goes by.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let issuers = self.time_names.iter().map(|(_, issuer)| issuer);
        self.anchors.iter().chain(&self.directory).chain(&self.time).chain(issuers)
    }

    /// Reads all that it names.
    ///
    /// # Errors
    /// [`NodeError`], naming the file that is not right.
    pub fn store(&self) -> Result<TrustStore, NodeError> {
        let mut anchors = Vec::new();
        for path in &self.anchors {
            anchors.extend(anchors_of_file(read(path)?));
        }
        let mut time = match self.named_only {
            true => TimeAuthorities::named(),
            false => TimeAuthorities::of_anchors(),
        };
        for path in &self.time {
            time.add(&read(path)?);
        }
        for (name, path) in &self.time_names {
            let issuer = read(path)?.into_iter().next().ok_or(CertError::NoCertificate)?;
            time.add_name(name.clone(), issuer);
        }
        let mut trust = TrustStore::new(anchors)?;
        if let (Some(path), Some(registrar)) = (&self.directory, &self.registrar) {
            for one in open_directory(path, registrar, &trust)?.time_authorities() {
                time.add(std::slice::from_ref(&one));
            }
        }
        trust = trust.with_time(time)?.with_publishers(self.publishers.clone());
        Ok(match &self.registrar {
            Some(registrar) => trust.with_registrar(registrar.clone()),
            None => trust,
        })
    }

    /// The witnesses that its directory names, by the agency whose ledger they watch: of an agency that has none in it,
    /// nothing is said.
    ///
    /// # Errors
    /// [`NodeError`], naming the file that is not right.
    pub fn witnesses(
        &self,
        trust: &TrustStore,
    ) -> Result<BTreeMap<AgencyName, BTreeSet<AgencyName>>, NodeError> {
        match (&self.directory, &self.registrar) {
            (Some(path), Some(registrar)) => {
                Ok(open_directory(path, registrar, trust)?.more.witnesses)
            }
            _ => Ok(BTreeMap::new()),
        }
    }
}

/// The directory that a trust file names. One that has run out is read as of its last second: who could say what time it was may
/// still be asked about later.
fn open_directory(
    path: &Path,
    registrar: &AgencyName,
    trust: &TrustStore,
) -> Result<OpenedDirectory, NodeError> {
    let bytes = read_file(path)?;
    let now = unix_now();
    let at = Directory::expires_unverified(&bytes).map_or(now, |expires| expires.min(now));
    let lists = Directory::crls_unverified(&bytes);
    let by = Scrutiny { now, ..Scrutiny::by(trust, &lists, at) };
    let directory = Directory::open_whole(&bytes, registrar, &by);
    directory.map_err(|error| NodeError::Config {
        path: path.to_owned(),
        why: format!("it is no directory of {registrar}: {error}"),
    })
}

fn read(path: &Path) -> Result<Vec<Certificate>, NodeError> {
    decode_pem_chain(&read_file(path)?)
        .map_err(|error| NodeError::Certificates { path: path.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use chancery_certs::{Issuer, encode_pem_chain};
    use chancery_crypto::Algorithm;

    use super::*;

    #[test]
    fn a_trust_file_says_who_is_believed_and_a_word_that_is_not_known_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let root = Issuer::new_root("Root", &[], Algorithm::EdDsa, 1_790_000_000).expect("a root");
        let write = |name: &str, text: &str| {
            std::fs::write(dir.path().join(name), text).expect("writes");
        };
        write("root.pem", &encode_pem_chain([root.certificate()]));
        let load = |text: &str| {
            write("trust.toml", text);
            TrustFile::load(&dir.path().join("trust.toml"))
        };
        let good = "anchors = [\"root.pem\"]\nregistrar = \"registry.gov.cn\"\n\
                    publishers = [\"statistics.gov.cn\"]\n\
                    [[time_stamping]]\ncertificate = \"root.pem\"\n\
                    [[time_stamping]]\nname = \"tsa.gov.cn\"\nissuer = \"root.pem\"\n";
        let trust = load(good).expect("reads");
        assert_eq!(trust.files().count(), 3);
        let store = trust.store().expect("all there");
        assert_eq!(store.registrar().map(AgencyName::as_str), Some("registry.gov.cn"));
        assert_eq!(store.publishers().len(), 1);
        for (text, says) in [
            ("anchor = [\"root.pem\"]\n", "did you mean `anchors`"),
            ("anchors = []\n", "names no file"),
            (
                "anchors = [\"root.pem\"]\n[[time_stamping]]\nname = \"tsa.gov.cn\"\n",
                "either certificate",
            ),
            ("anchors = [\"root.pem\"]\ndirectory = \"d.cose\"\n", "needs registrar"),
        ] {
            let error = load(text).expect_err("it is not right").to_string();
            assert!(error.contains(says) && error.contains("trust.toml"), "{error}");
        }
        let gone = load("anchors = [\"gone.pem\"]\n").expect("the file itself is right").store();
        assert!(gone.expect_err("it is not there").to_string().contains("gone.pem"));
    }
}
