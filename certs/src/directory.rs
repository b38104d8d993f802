use chancery_crypto::{CoseSign, CryptoError, KemPublicKey, cbor};
use serde::{Deserialize, Serialize};

use crate::{
    AgencyName, Certificate, Credential, Crl, Opened, Scrutiny, SealError, SignerName, open_sealed,
    seal,
    sealed::{open_sealed_within, seal_within},
};

/// The largest directory, in bytes: some four kilobytes an agency.
pub const MAX_DIRECTORY: usize = 32 << 20;

const STATEMENT: &str = "application/vnd.chancery.encryption-key+cbor";
const CARD: &str = "application/vnd.chancery.agency-card+cbor";
const DIRECTORY: &str = "application/vnd.chancery.directory+cbor";

/// An agency's encryption key, stated by its seal: the HPKE key is no X.509 key, so it rotates
/// without the CA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncryptionKeyStatement {
    /// The agency.
    pub agency: AgencyName,
    /// Its key.
    pub key: KemPublicKey,
    /// The first second of use, since 1970 UTC.
    pub not_before: i64,
    /// The last second of use.
    pub not_after: i64,
}

impl EncryptionKeyStatement {
    /// Signs the statement by the agency's seal.
    ///
    /// # Errors
    /// [`CryptoError`] when signing fails.
    pub fn seal(&self, by: &Credential, now: i64) -> Result<Vec<u8>, CryptoError> {
        seal(STATEMENT, self, by, now)
    }

    /// Verifies a statement: signed by the very agency that it speaks of, and in use at that time.
    ///
    /// # Errors
    /// [`SealError`], saying why it is not accepted.
    pub fn open(bytes: &[u8], by: &Scrutiny<'_>) -> Result<Self, SealError> {
        let opened: Opened<Self> = open_sealed(STATEMENT, bytes, by)?;
        expect_signer(&opened.signer, &opened.value.agency)?;
        if !(opened.value.not_before..=opened.value.not_after).contains(&by.at) {
            return Err(SealError::Content("the encryption key is not in use at that time".into()));
        }
        Ok(opened.value)
    }
}

/// What an agency says of itself, signed by its seal, for the registrar to publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgencyCard {
    /// The agency.
    pub agency: AgencyName,
    /// Its name for people.
    pub display: String,
    /// Where its node listens: `host:port`.
    pub address: String,
    /// The superior whose node relays to and from it, when it is reached through one only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<AgencyName>,
    /// Its sealed [`EncryptionKeyStatement`].
    #[serde(with = "serde_bytes")]
    pub encryption_key: Vec<u8>,
}

impl AgencyCard {
    /// Signs the card by the agency's seal.
    ///
    /// # Errors
    /// [`CryptoError`] when signing fails.
    pub fn seal(&self, by: &Credential, now: i64) -> Result<Vec<u8>, CryptoError> {
        seal(CARD, self, by, now)
    }

    /// Verifies a card: signed by the very agency that it speaks of. The chain that comes with it
    /// is that of the agency's seal.
    ///
    /// # Errors
    /// [`SealError`], saying why it is not accepted.
    pub fn open(bytes: &[u8], by: &Scrutiny<'_>) -> Result<Opened<Self>, SealError> {
        let opened: Opened<Self> = open_sealed(CARD, bytes, by)?;
        expect_signer(&opened.signer, &opened.value.agency)?;
        Ok(opened)
    }
}

/// The directory of a trust domain: who is on the bus, where, and under which keys. Signed and
/// versioned; a node keeps the newest it has seen and refuses an older one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// The registrar whose seal signs it.
    pub registrar: AgencyName,
    /// Grows with each publication.
    pub version: u64,
    /// When it was published, in seconds since 1970 UTC.
    pub issued: i64,
    /// Until when it may be used without a newer one.
    pub expires: i64,
    /// The sealed [`AgencyCard`]s.
    pub agencies: Vec<serde_bytes::ByteBuf>,
    /// The newest revocation lists of the domain's CAs, DER.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crls: Vec<serde_bytes::ByteBuf>,
    /// The time-stamping authorities of the domain, or CAs of such, DER: for those that take the registrar's word.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorities: Vec<serde_bytes::ByteBuf>,
}

impl Directory {
    /// Signs the directory by the registrar's seal.
    ///
    /// # Errors
    /// [`CryptoError`] when signing fails.
    pub fn seal(&self, by: &Credential, now: i64) -> Result<Vec<u8>, CryptoError> {
        seal_within(DIRECTORY, self, by, now, MAX_DIRECTORY)
    }

    /// The time-stamping authorities that it names. One that cannot be read is left out.
    pub fn time_authorities(&self) -> Vec<Certificate> {
        self.authorities.iter().filter_map(|der| Certificate::from_der(der).ok()).collect()
    }

    /// The revocation lists in a directory, without verifying it: each is verified by itself when it is to speak.
    pub fn crls_unverified(bytes: &[u8]) -> Vec<Crl> {
        let Ok(cose) = CoseSign::decode_within(bytes, MAX_DIRECTORY) else { return Vec::new() };
        let read = cbor::decode_within::<Self>(cose.payload(), MAX_DIRECTORY);
        let lists = read.map(|directory| directory.crls).unwrap_or_default();
        lists.iter().filter_map(|der| Crl::from_der(der).ok()).collect()
    }

    /// Until when a directory says it may be used, without verifying it: to know as of when to verify one that has
    /// expired.
    pub fn expires_unverified(bytes: &[u8]) -> Option<i64> {
        let cose = CoseSign::decode_within(bytes, MAX_DIRECTORY).ok()?;
        cbor::decode_within::<Self>(cose.payload(), MAX_DIRECTORY)
            .ok()
            .map(|directory| directory.expires)
    }

    /// Verifies a directory: signed by `registrar`, and not past its expiry at that time.
    ///
    /// # Errors
    /// [`SealError`], saying why it is not accepted.
    pub fn open(
        bytes: &[u8],
        registrar: &AgencyName,
        by: &Scrutiny<'_>,
    ) -> Result<Self, SealError> {
        let opened: Opened<Self> = open_sealed_within(DIRECTORY, bytes, by, MAX_DIRECTORY)?;
        expect_signer(&opened.signer, registrar)?;
        expect_signer(&SignerName::Agency(opened.value.registrar.clone()), registrar)?;
        if by.at > opened.value.expires {
            let why = format!("version {} of the directory has expired", opened.value.version);
            return Err(SealError::Content(why));
        }
        Ok(opened.value)
    }
}

fn expect_signer(found: &SignerName, want: &AgencyName) -> Result<(), SealError> {
    if *found == SignerName::Agency(want.clone()) {
        return Ok(());
    }
    Err(SealError::Signer { want: want.to_string(), found: found.to_string() })
}
