//! Trust anchors and times, as the verifying commands take them.

use std::path::PathBuf;

use chancery_certs::{Certificate, Crl, TrustStore, decode_crls};
use chancery_node::{read_file, unix_now};
use chancery_protocol::Validation;

use crate::{
    failure::Failure,
    keys::read_chain,
    output::{Output, parse_time},
};

/// What a verdict says that was reached leniently.
pub const LENIENT: (&str, &str) = (
    "lenient: certificates were held to path validation (RFC 5280 §6) only, not to the profile (§4)",
    "宽松：证书仅按路径验证（RFC 5280 第 6 节）检查，未按证书格式要求（第 4 节）检查",
);

/// What else a verification may go by.
#[derive(Debug, Clone, clap::Args)]
pub struct MaterialArgs {
    /// Certificate revocation lists besides those that the documents carry, PEM or DER; with any, every
    /// certificate below the anchor must be covered (may be given several times)
    #[arg(long = "crl", value_name = "FILE")]
    crls: Vec<PathBuf>,
    /// Further certificates for building paths (may be given several times)
    #[arg(long = "intermediate", value_name = "FILE")]
    certificates: Vec<PathBuf>,
    /// Without any CRL, leave the verdict open instead of only saying that revocation was not checked
    #[arg(long)]
    require_revocation: bool,
}

/// What [`MaterialArgs`] names, read.
#[derive(Debug)]
pub struct Material {
    crls: Vec<Crl>,
    certificates: Vec<Certificate>,
    require_revocation: bool,
}

impl MaterialArgs {
    /// Whether revocation must be checked.
    pub fn requires_revocation(&self) -> bool {
        self.require_revocation
    }

    /// The files that it names.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.crls.iter().chain(&self.certificates)
    }

    /// Reads the files.
    pub fn read(&self) -> Result<Material, Failure> {
        let mut crls = Vec::new();
        for path in &self.crls {
            crls.extend(decode_crls(&read_file(path)?).map_err(|e| Failure::from(e).at(path))?);
        }
        let mut certificates = Vec::new();
        for path in &self.certificates {
            certificates.extend(read_chain(path)?);
        }
        Ok(Material { crls, certificates, require_revocation: self.require_revocation })
    }
}

impl Material {
    /// The validation that these files and anchors make.
    pub fn validation<'a>(&'a self, trust: &'a TrustStore, at: i64) -> Validation<'a> {
        Validation {
            trust,
            at,
            crls: &self.crls,
            certificates: &self.certificates,
            require_revocation: self.require_revocation,
        }
    }
}

/// What to verify against.
#[derive(Debug, Clone, clap::Args)]
pub struct TrustArgs {
    /// Trust anchor: a root certificate, PEM or DER (may be given several times)
    #[arg(long = "anchor", value_name = "FILE", required = true, env = "CHANCERY_ANCHOR")]
    anchors: Vec<PathBuf>,
    /// Validate certificates at this time, RFC 3339 (default: now)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<i64>,
    /// Hold certificates to path validation (RFC 5280 §6) only, not to the profile (§4): for what others made;
    /// the answer says so
    #[arg(long)]
    lenient: bool,
}

impl TrustArgs {
    /// The files of the anchors.
    pub fn files(&self) -> &[PathBuf] {
        &self.anchors
    }

    /// The anchors.
    pub fn store(&self) -> Result<TrustStore, Failure> {
        let mut anchors = Vec::new();
        for path in &self.anchors {
            anchors.extend(read_chain(path)?);
        }
        let store = TrustStore::new(anchors)?;
        Ok(if self.lenient { store.lenient() } else { store })
    }

    /// Whether certificates are held to path validation only.
    pub fn is_lenient(&self) -> bool {
        self.lenient
    }

    /// Says so to people, where that is so.
    pub fn note_lenience(&self, output: &Output) {
        if self.lenient {
            println!("  ({})", output.t(LENIENT.0, LENIENT.1));
        }
    }

    /// The time.
    pub fn at(&self) -> i64 {
        self.at.unwrap_or_else(unix_now)
    }
}
