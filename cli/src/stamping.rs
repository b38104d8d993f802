//! Adding time-stamps and validation data to signatures, from a time-stamping authority over HTTP.

use std::{path::PathBuf, time::Duration};

use chancery_certs::{
    Credential, Crl, SignedCms, TimeStampRequest, TimeStampToken, decode_crls, sign_cades,
};
use chancery_crypto::{SignatureAt, UnsignedElement};
use chancery_protocol::{Manifest, SignedDocument};
use chancery_store::files::read_file;

use crate::{
    failure::{ENVIRONMENT, Failure},
    keys::read_chain,
};

/// How long an authority may take to answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The largest answer that is read, in bytes.
const MAX_ANSWER: u64 = 1 << 20;

/// The level that signatures are to reach (ETSI EN 319 122-1 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum LevelArg {
    /// With a time-stamp
    T,
    /// With certificates and CRLs as well
    Lt,
    /// With an archive time-stamp over all of it
    Lta,
}

/// What is added to signatures.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Stamping {
    /// Time-stamping authority (RFC 3161) to ask, such as `http://tsa.gov.cn:3180/`
    #[arg(long, value_name = "URL", env = "CHANCERY_TSA")]
    pub tsa: Option<String>,
    /// CRLs to embed, PEM or DER (may be given several times)
    #[arg(long = "crl", value_name = "FILE")]
    crls: Vec<PathBuf>,
    /// Further certificates to embed (may be given several times)
    #[arg(long = "intermediate", value_name = "FILE")]
    certificates: Vec<PathBuf>,
    /// Level to reach (default: LT with --crl, else T)
    #[arg(long, value_enum, ignore_case = true)]
    level: Option<LevelArg>,
}

/// Asks an authority for a time-stamp of some bytes, and checks that it is one.
pub(crate) fn fetch(url: &str, data: &[u8]) -> Result<TimeStampToken, Failure> {
    let failed = |what: String| Failure {
        code: "CHY-6024".into(),
        message: format!("{url}: {what}"),
        remedy: "Check the address, and that the authority is up; nothing was changed.".into(),
        exit: ENVIRONMENT,
    };
    let request = TimeStampRequest::new(data)?;
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).build().into();
    let sent = agent
        .post(url)
        .header("Content-Type", "application/timestamp-query")
        .header("Accept", "application/timestamp-reply")
        .send(request.der());
    let mut answer = sent.map_err(|e| failed(e.to_string()))?;
    let body = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
    let body = body.map_err(|e| failed(e.to_string()))?;
    let token = request.accept(&body).map_err(|e| failed(e.to_string()))?;
    // Genuine in itself; whether its authority is trusted is for those who verify.
    token.signer(&[]).map_err(|e| failed(e.to_string()))?;
    Ok(token)
}

impl Stamping {
    /// Whether anything is asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.tsa.is_none() && self.crls.is_empty() && self.certificates.is_empty()
    }

    fn level(&self) -> LevelArg {
        let default = if self.crls.is_empty() { LevelArg::T } else { LevelArg::Lt };
        self.level.unwrap_or(default)
    }

    fn authority(&self) -> Result<&str, Failure> {
        self.tsa.as_deref().ok_or_else(|| {
            let what = "a time-stamp needs an authority";
            Failure::usage("CHY-6025", what, "Give --tsa URL, or set CHANCERY_TSA.")
        })
    }

    fn elements(&self) -> Result<Vec<UnsignedElement>, Failure> {
        let mut certificates = Vec::new();
        for path in &self.certificates {
            certificates.extend(read_chain(path)?.iter().map(|c| c.der().to_vec()));
        }
        let mut crls: Vec<Crl> = Vec::new();
        for path in &self.crls {
            crls.extend(decode_crls(&read_file(path)?).map_err(|e| Failure::from(e).at(path))?);
        }
        if self.level() > LevelArg::T && crls.is_empty() && self.level.is_some() {
            let what = "levels LT and LTA embed revocation data";
            return Err(Failure::usage("CHY-6026", what, "Give the CAs' current CRLs with --crl."));
        }
        let crls: Vec<_> = crls.iter().map(|crl| crl.der().to_vec()).collect();
        let mut elements = Vec::new();
        if !certificates.is_empty() {
            elements.push(UnsignedElement::Certificates(certificates));
        }
        if !crls.is_empty() {
            elements.push(UnsignedElement::Crls(crls));
        }
        Ok(elements)
    }

    /// Adds to a signature just made what was asked for besides it.
    pub(crate) fn finish(
        &self,
        mut document: SignedDocument,
        own: SignatureAt,
        signer: &Credential,
        with_cades: bool,
        now: i64,
    ) -> Result<SignedDocument, Failure> {
        if with_cades {
            let index = document.cades_before(own);
            let manifest = Manifest::of_document(&document, index)?.to_xml();
            let mut cades = sign_cades(manifest.as_bytes(), signer, now)?;
            if let Some(url) = &self.tsa {
                let cms = SignedCms::from_der(&cades)?;
                let token = fetch(url, cms.signature_value(0)?)?;
                cades = cms.with_time_stamp(0, token.der())?;
            }
            document = document.add_unsigned(own, &UnsignedElement::Cades(cades))?;
        }
        if self.is_empty() { Ok(document) } else { self.apply(document, &[own]) }
    }

    /// Brings signatures of a document to the level that is asked for; what they have already stays.
    pub(crate) fn apply(
        &self,
        mut document: SignedDocument,
        signatures: &[SignatureAt],
    ) -> Result<SignedDocument, Failure> {
        let elements = self.elements()?;
        for at in signatures.iter().copied() {
            let stamped = document.cose().read_at(at)?.unsigned.iter().any(is_signature_stamp);
            if !stamped {
                let value = document.cose().signature_value(at)?;
                let token = fetch(self.authority()?, &value)?.der().to_vec();
                let element = UnsignedElement::SignatureTimeStamp(vec![token]);
                document = document.add_unsigned(at, &element)?;
            }
            for element in &elements {
                // The same lists once more would say nothing new.
                if !document.cose().read_at(at)?.unsigned.contains(element) {
                    document = document.add_unsigned(at, element)?;
                }
            }
            if self.level() == LevelArg::Lta {
                let place = document.cose().read_at(at)?.unsigned.len();
                let input = document.cose().archive_input(at, place)?;
                let token = fetch(self.authority()?, &input)?.der().to_vec();
                let element = UnsignedElement::ArchiveTimeStamp(vec![token]);
                document = document.add_unsigned(at, &element)?;
            }
        }
        Ok(document)
    }
}

fn is_signature_stamp(element: &UnsignedElement) -> bool {
    matches!(element, UnsignedElement::SignatureTimeStamp(_))
}
