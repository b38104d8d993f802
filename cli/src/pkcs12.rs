//! PKCS #12 files (RFC 7292): a key and its certificates under one passphrase, as browsers and tokens'
//! tools write them.

use chancery_certs::Certificate;
use chancery_crypto::{CryptoError, SigningKey};
use p12_keystore::{
    Certificate as Stored, EncryptionAlgorithm, KeyStore, KeyStoreEntry, MacAlgorithm,
    PrivateKeyChain,
};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// Key derivation rounds of files that are written: as OpenSSL reads in a moment.
const ROUNDS: u64 = 100_000;

fn unreadable(what: impl std::fmt::Display) -> Failure {
    CryptoError::PrivateKey(format!("not PKCS #12: {what}").into()).into()
}

fn no_key() -> Failure {
    let what = "it holds no encrypted key with a certificate of its own; if the key in it is not encrypted, \
                `openssl pkcs12 -in FILE -nodes` makes PEM of key and certificates";
    CryptoError::PrivateKey(what.into()).into()
}

/// Whether bytes begin as a PFX does: a SEQUENCE whose first element is the INTEGER 3. In PKCS #8 and in SEC 1's form it is
/// another, and an encrypted PKCS #8 begins with a SEQUENCE.
pub(crate) fn is(bytes: &[u8]) -> bool {
    let [0x30, length, rest @ ..] = bytes else { return false };
    let more = if *length > 0x80 { usize::from(length & 0x7f) } else { 0 };
    rest.get(more..).is_some_and(|inside| inside.starts_with(&[0x02, 0x01, 0x03]))
}

/// The passphrase as the text that PKCS #12 makes of it: UCS-2 (RFC 7292, appendix B.1), which ends at U+FFFF.
fn text(passphrase: &[u8]) -> Result<&str, Failure> {
    let wrong = |what: String| Failure::from(CryptoError::PrivateKey(what.into()));
    let text = std::str::from_utf8(passphrase)
        .map_err(|e| wrong(format!("the passphrase of a PKCS #12 file is text in UTF-8: {e}")))?;
    match text.chars().find(|c| u32::from(*c) > 0xffff) {
        None => Ok(text),
        Some(c) => Err(wrong(format!(
            "the passphrase of a PKCS #12 file cannot hold {c:?}, which is beyond U+FFFF: give the file another passphrase"
        ))),
    }
}

/// Reads a key and the certificates that came with it: its own first.
pub(crate) fn read(
    bytes: &[u8],
    passphrase: &[u8],
) -> Result<(SigningKey, Vec<Certificate>), Failure> {
    let passphrase = text(passphrase)?;
    let store = KeyStore::from_pkcs12(bytes, passphrase).map_err(|error| match error {
        p12_keystore::error::Error::MacError(_) => CryptoError::WrongPassphrase.into(),
        other => unreadable(other),
    })?;
    let (_, chain) = store.private_key_chain().ok_or_else(no_key)?;
    let key = SigningKey::from_pkcs8_der(Zeroizing::new(chain.key().to_vec()))?;
    let certificates = chain.chain().iter().map(|c| Certificate::from_der(c.as_der()));
    let mut certificates = certificates.collect::<Result<Vec<_>, _>>()?;
    let own = key.public_key();
    certificates.sort_by_key(|certificate| certificate.public_key() != Some(&own));
    Ok((key, certificates))
}

/// Writes a key and its chain: AES-256 and SHA-256 throughout.
pub(crate) fn write(
    key: &SigningKey,
    chain: &[Certificate],
    passphrase: &[u8],
) -> Result<Vec<u8>, Failure> {
    let passphrase = text(passphrase)?;
    let stored = chain.iter().map(|c| Stored::from_der(c.der())).collect::<Result<Vec<_>, _>>();
    let stored = stored.map_err(unreadable)?;
    let name = chain.first().map_or("key", Certificate::subject).to_owned();
    let entry = PrivateKeyChain::new(key.pkcs8_der()?.as_slice(), [1u8], stored);
    let mut store = KeyStore::new();
    store.add_entry(&name, KeyStoreEntry::PrivateKeyChain(entry));
    store
        .writer(passphrase)
        .encryption_algorithm(EncryptionAlgorithm::PbeWithHmacSha256AndAes256)
        .encryption_iterations(ROUNDS)
        .mac_algorithm(MacAlgorithm::HmacSha256)
        .mac_iterations(ROUNDS)
        .write()
        .map_err(unreadable)
}
