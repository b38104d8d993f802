//! The trust hierarchy of Chancery: names, certificates and their profiles, issuing, path
//! validation (RFC 5280 §6), signed statements and the directory of a trust domain.
//!
//! No I/O, no async and no clock: bytes and times come in as arguments.
//!
//! ```
//! use chancery_certs::{AgencyName, Issuer, Profile, Purpose, Scrutiny, Subject, TrustStore};
//! use chancery_crypto::{Algorithm, SigningKey};
//! let now = 1_790_000_000;
//! let root = Issuer::new_root("National root", &["gov.cn".parse()?], Algorithm::Es256, now)?;
//! let key = SigningKey::generate(Algorithm::Es256)?;
//! let name: AgencyName = "justice.gov.cn".parse()?;
//! let seal = root.issue(&Subject::agency(Profile::Seal, name, "Justice"), &key.public_key(), now)?;
//! let trust = TrustStore::new([root.certificate().clone()])?;
//! let by = Scrutiny::without_lists(&trust, now);
//! assert!(by.check(&seal, &[], Purpose::Sign).is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
mod ber;
mod certificate;
mod cms;
mod directory;
mod distinguished;
mod encoding;
mod error;
mod extensions;
mod fault;
mod formats;
mod general_name;
mod issuer;
mod name;
mod oid;
mod party;
mod path;
mod profile;
mod request;
mod revocation;
mod rules;
mod sealed;
mod strict;
mod timestamp;
mod tls;
mod trust;
mod usage;
mod wording;

pub use ber::ber_to_der;
pub use certificate::{
    Certificate, certificate_blocks, decode_pem_chain, decode_public_key, encode_pem_chain,
};
pub use cms::{SignedCms, sign_cades};
pub use directory::{
    AgencyCard, Directory, DirectoryMore, EncryptionKeyStatement, LEAST_WITNESSES, Line,
    MAX_DIRECTORY, MAX_WITNESSES, OpenedDirectory, Previous, WitnessGaps,
};
pub use error::CertError;
pub use fault::{
    CmsFault, CrlFault, FaultyList, GeneralNameFault, NameFault, NameKind, PathFault, ProfileFault,
    RefusalFault, RequestFault, StatementFault, SubtreeFault, TimeStampFault,
};
pub use formats::Formats;
pub use issuer::{Issuer, RevocationReason, Revoked, Subject};
pub use name::{AgencyName, OfficerName, SignerName};
pub use party::{Assurance, PartyKind, PartyName, is_credit_code};
pub use path::{
    KnownCrl, PathError, PathReason, RevocationCheck, SignatureBudget, TrustStore, ValidPath,
    anchors_of_file, rfc3339,
};
pub use profile::Profile;
pub use request::CertificateRequest;
pub use revocation::{Crl, decode_crls, encode_crl};
pub use sealed::{Credential, Opened, SealError, open_sealed, open_sealed_within, seal, seal_with};
pub use timestamp::{
    MAX_TIME_STAMP_REQUEST, TimeStampAnswer, TimeStampAuthority, TimeStampRequest, TimeStampToken,
    VerifiedTimeStamp,
};
pub use tls::{SubjectName, check_name};
pub use trust::{Scrutiny, TimeAuthorities, Uncovered};
pub use usage::Purpose;
