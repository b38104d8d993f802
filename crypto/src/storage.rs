//! Content keys at rest, under a key that only this node has.

use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Salt},
    hmac,
};
use zeroize::Zeroizing;

use crate::{ContentKey, CryptoError, Digest, KemPrivateKey, WrapFault};

/// A symmetric key derived (HKDF-SHA-256, RFC 5869) from a node's encryption key. What it seals is
/// read by that node alone, so no key encapsulation is needed.
pub struct StorageKey(LessSafeKey);

/// A key under which values stand in keys of rows, so that whoever holds the disk does not read them. It stays the same as long as
/// the rows do, whatever becomes of other keys.
pub struct IndexKey(hmac::Key);

impl std::fmt::Debug for IndexKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IndexKey(..)")
    }
}

impl IndexKey {
    /// The length of its bytes.
    pub const LEN: usize = 32;

    /// A key of these random bytes.
    pub fn new(bytes: &[u8; Self::LEN]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// What stands in a key in place of a value: the same for the same value.
    pub fn blind(&self, value: &[u8]) -> Digest {
        let tag = hmac::sign(&self.0, value);
        Digest::from_slice(tag.as_ref()).expect("HMAC-SHA-256 gives 32 bytes")
    }
}

impl std::fmt::Debug for StorageKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StorageKey(..)")
    }
}

impl StorageKey {
    /// The storage key that belongs to an encryption key.
    pub fn derive(from: &KemPrivateKey) -> Self {
        let secret = Salt::new(HKDF_SHA256, b"chancery/1").extract(&from.to_bytes());
        let info: [&[u8]; 1] = [b"storage key"];
        // The output has the length that the algorithm itself names.
        let okm = secret.expand(&info, &AES_256_GCM).expect("an AES-256 key is short enough");
        Self(LessSafeKey::new(UnboundKey::from(okm)))
    }

    /// Seals a row; `context` (its key, and what wrote it) must be the same on opening.
    ///
    /// # Errors
    /// [`CryptoError::Random`].
    pub fn seal_row(&self, row: &[u8], context: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut body = Zeroizing::new(row.to_vec());
        self.seal_in_place(&mut body, context)
    }

    fn seal_in_place(&self, body: &mut [u8], context: &[u8]) -> Result<Vec<u8>, CryptoError> {
        // Random 96-bit nonces: safe for 2^32 contents under one encryption key (SP 800-38D §8.3).
        let nonce = crate::random::<NONCE_LEN>()?;
        let aad = Aad::from(context);
        let sealed =
            self.0.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, body);
        let tag = sealed.map_err(|_| CryptoError::Random)?;
        Ok(nonce.iter().chain(body.iter()).chain(tag.as_ref()).copied().collect())
    }

    /// Opens what [`StorageKey::seal_row`] made.
    ///
    /// # Errors
    /// [`CryptoError::Hpke`] when it was altered, or sealed under another key or context: it is another row's, or an older
    /// one's.
    pub fn open_row(&self, sealed: &[u8], context: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let refused = || CryptoError::Hpke(WrapFault::Opened);
        let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>().ok_or_else(refused)?;
        let mut body = body.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self.0.open_in_place(nonce, Aad::from(context), &mut body);
        let length = plain.map_err(|_| refused())?.len();
        body.truncate(length);
        Ok(body)
    }

    /// Seals a content key; `context` (the envelope's commitment, say) must be the same on opening.
    ///
    /// # Errors
    /// [`CryptoError::Random`].
    pub fn seal(&self, key: &ContentKey, context: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut body = Zeroizing::new(key.expose().to_vec());
        self.seal_in_place(&mut body, context)
    }

    /// Opens what [`StorageKey::seal`] made.
    ///
    /// # Errors
    /// [`CryptoError::Hpke`] when it was altered or sealed under another key or context.
    pub fn open(&self, sealed: &[u8], context: &[u8]) -> Result<ContentKey, CryptoError> {
        let refused = || CryptoError::Hpke(WrapFault::Opened);
        let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>().ok_or_else(refused)?;
        let mut body = Zeroizing::new(body.to_vec());
        let plain = self
            .0
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(context), &mut body)
            .map_err(|_| refused())?;
        ContentKey::from_slice(plain).ok_or_else(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kem;

    #[test]
    fn a_content_key_opens_only_under_its_own_key_and_context() {
        let mine = KemPrivateKey::generate(Kem::XWing);
        let content = ContentKey::generate().expect("random bytes");
        let sealed = StorageKey::derive(&mine).seal(&content, b"a").expect("seals");
        // Derived again, as after a restart.
        let again = StorageKey::derive(&mine);
        assert_eq!(again.open(&sealed, b"a").expect("opens").expose(), content.expose());
        assert!(again.open(&sealed, b"b").is_err());
        let row = again.seal_row(b"row", b"key 1").expect("seals");
        assert_eq!(again.open_row(&row, b"key 1").expect("opens"), b"row");
        assert!(
            again.open_row(&row, b"key 2").is_err() && again.open_row(&row[..9], b"key 1").is_err()
        );
        let other = StorageKey::derive(&KemPrivateKey::generate(Kem::XWing));
        assert_eq!(IndexKey::new(&[1; 32]).blind(b"a"), IndexKey::new(&[1; 32]).blind(b"a"));
        assert_ne!(IndexKey::new(&[1; 32]).blind(b"a"), IndexKey::new(&[2; 32]).blind(b"a"));
        assert!(other.open(&sealed, b"a").is_err());
        assert!(again.open(&sealed[..sealed.len() - 1], b"a").is_err());
        assert!(again.open(b"", b"a").is_err());
    }
}
