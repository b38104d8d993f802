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
    CryptoError::PrivateKey(format!("not PKCS #12: {what}")).into()
}

/// Reads a key and the certificates that came with it: its own first.
pub fn read(bytes: &[u8], passphrase: &[u8]) -> Result<(SigningKey, Vec<Certificate>), Failure> {
    let passphrase = std::str::from_utf8(passphrase).map_err(unreadable)?;
    let store = KeyStore::from_pkcs12(bytes, passphrase).map_err(|error| match error {
        p12_keystore::error::Error::MacError(_) => CryptoError::WrongPassphrase.into(),
        other => unreadable(other),
    })?;
    let (_, chain) = store.private_key_chain().ok_or_else(|| unreadable("it holds no key"))?;
    let key = SigningKey::from_pkcs8_der(Zeroizing::new(chain.key().to_vec()))?;
    let certificates = chain.chain().iter().map(|c| Certificate::from_der(c.as_der()));
    let mut certificates = certificates.collect::<Result<Vec<_>, _>>()?;
    let own = key.public_key();
    certificates.sort_by_key(|certificate| certificate.public_key() != Some(&own));
    Ok((key, certificates))
}

/// Writes a key and its chain: AES-256 and SHA-256 throughout.
pub fn write(
    key: &SigningKey,
    chain: &[Certificate],
    passphrase: &[u8],
) -> Result<Vec<u8>, Failure> {
    let passphrase = std::str::from_utf8(passphrase).map_err(unreadable)?;
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
