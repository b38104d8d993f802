//! Who is believed and as of when, as the verifying commands take it.

use std::path::PathBuf;

use chancery_bus::TrustFile;
use chancery_certs::{Certificate, Crl, Scrutiny, TrustStore, Uncovered, decode_crls};
use chancery_ledger::unix_now;
use chancery_protocol::Validation;
use chancery_store::files::read_file;

use crate::{
    failure::Failure,
    keys::read_chain,
    output::{Output, parse_time},
};

/// What a verdict says that was reached leniently.
pub(crate) const LENIENT: (&str, &str) = (
    "lenient: certificates were held to path validation (RFC 5280 §6) only, not to the profile (§4)",
    "宽松：证书仅按路径验证（RFC 5280 第 6 节）检查，未按证书格式要求（第 4 节）检查",
);

/// What else a verification may go by.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct MaterialArgs {
    /// Certificate revocation lists, PEM or DER; with any, revocation is looked at, and every certificate below
    /// the anchor must be covered by them or by those that the documents carry (may be given several times)
    #[arg(long = "crl", value_name = "FILE")]
    crls: Vec<PathBuf>,
    /// Further certificates for building paths (may be given several times)
    #[arg(long = "intermediate", value_name = "FILE")]
    certificates: Vec<PathBuf>,
    /// Without any CRL, leave the verdict open instead of only saying that revocation was not checked
    #[arg(long)]
    require_revocation: bool,
    /// Let a countersignature that does not hold count against the document; anybody can add one, so that it is only
    /// reported otherwise
    #[arg(long)]
    require_countersignatures: bool,
}

/// What [`MaterialArgs`] names, read.
#[derive(Debug)]
pub(crate) struct Material {
    crls: Vec<Crl>,
    certificates: Vec<Certificate>,
    require_revocation: bool,
    require_countersignatures: bool,
}

impl MaterialArgs {
    /// Whether revocation must be checked.
    pub(crate) fn requires_revocation(&self) -> bool {
        self.require_revocation
    }

    /// The files that it names.
    pub(crate) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.crls.iter().chain(&self.certificates)
    }

    /// Reads the files.
    pub(crate) fn read(&self) -> Result<Material, Failure> {
        let mut crls = Vec::new();
        for path in &self.crls {
            crls.extend(decode_crls(&read_file(path)?).map_err(|e| Failure::from(e).at(path))?);
        }
        let mut certificates = Vec::new();
        for path in &self.certificates {
            certificates.extend(read_chain(path)?);
        }
        Ok(Material {
            crls,
            certificates,
            require_revocation: self.require_revocation,
            require_countersignatures: self.require_countersignatures,
        })
    }
}

impl Material {
    /// The validation that these files and anchors make.
    pub(crate) fn validation<'a>(&'a self, trust: &'a TrustStore, at: i64) -> Validation<'a> {
        Validation {
            trust,
            at,
            crls: &self.crls,
            certificates: &self.certificates,
            require_revocation: self.require_revocation,
            uncovered: Uncovered::Open,
            require_countersignatures: self.require_countersignatures,
            budget: None,
        }
    }
}

/// The lists by which a signed statement is judged.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ListArgs {
    /// Certificate revocation lists, PEM or DER: who is named in one is not believed (may be given several times)
    #[arg(long = "crl", value_name = "FILE")]
    crls: Vec<PathBuf>,
}

impl ListArgs {
    /// Reads the files.
    pub(crate) fn read(&self) -> Result<Vec<Crl>, Failure> {
        let mut crls = Vec::new();
        for path in &self.crls {
            crls.extend(decode_crls(&read_file(path)?).map_err(|e| Failure::from(e).at(path))?);
        }
        Ok(crls)
    }
}

/// What to verify against.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct TrustArgs {
    /// Trust anchor: a root certificate, PEM or DER; of a file with a chain its top (may be given several times). Time-stamping authorities that it
    /// has certified itself may say what time it was; others are named with --tsa or --trust
    #[arg(
        long = "anchor",
        value_name = "FILE",
        required_unless_present = "trust",
        env = "CHANCERY_ANCHOR"
    )]
    anchors: Vec<PathBuf>,
    /// Trust file, TOML: anchors, registrar, and the time-stamping authorities that are believed, and no others
    #[arg(long, value_name = "FILE", env = "CHANCERY_TRUST")]
    trust: Option<PathBuf>,
    /// A time-stamping authority that is believed, or a CA of such: its certificate, PEM or DER (may be given several
    /// times)
    #[arg(long = "tsa", value_name = "FILE")]
    authorities: Vec<PathBuf>,
    /// Validate certificates at this time, RFC 3339 (default: now)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<i64>,
    /// Hold certificates to path validation (RFC 5280 §6) only, not to the profile (§4): for what others made;
    /// the answer says so
    #[arg(long)]
    lenient: bool,
}

impl TrustArgs {
    /// What the options and the trust file say together.
    pub(crate) fn file(&self) -> Result<TrustFile, Failure> {
        let mut all = match &self.trust {
            Some(path) => TrustFile::load(path)?,
            None => TrustFile::default(),
        };
        all.anchors.extend(self.anchors.iter().cloned());
        all.time.extend(self.authorities.iter().cloned());
        Ok(all)
    }

    /// The files that it goes by.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>, Failure> {
        let named = self.file()?;
        Ok(self.trust.iter().chain(named.files()).cloned().collect())
    }

    /// Who is believed.
    pub(crate) fn store(&self) -> Result<TrustStore, Failure> {
        let store = self.file()?.store()?;
        Ok(if self.lenient { store.lenient() } else { store })
    }

    /// By what a signed statement is judged.
    pub(crate) fn scrutiny<'a>(&self, trust: &'a TrustStore, crls: &'a [Crl]) -> Scrutiny<'a> {
        Scrutiny::by(trust, crls, self.at())
    }

    /// Whether certificates are held to path validation only.
    pub(crate) fn is_lenient(&self) -> bool {
        self.lenient
    }

    /// Says so to people, where that is so.
    pub(crate) fn note_lenience(&self, output: &Output) {
        if self.lenient {
            println!("  ({})", output.t(LENIENT.0, LENIENT.1));
        }
    }

    /// The time.
    pub(crate) fn at(&self) -> i64 {
        self.at.unwrap_or_else(unix_now)
    }
}
