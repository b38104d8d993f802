//! Wrapping a content key for one recipient with HPKE (RFC 9180), base mode.

use hpke::{
    Deserializable, Kem as _, OpModeR, OpModeS, Serializable,
    aead::AesGcm256,
    kdf::HkdfSha256,
    kem::{X25519HkdfSha256, XWing},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{ContentKey, CryptoError};

/// The key encapsulation mechanism of a recipient key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kem {
    /// X-Wing: X25519 with ML-KEM-768 (draft-connolly-cfrg-xwing-kem). The default: what is
    /// recorded today must stay closed when quantum computers come.
    XWing,
    /// DHKEM(X25519, HKDF-SHA256) of RFC 9180 §7.1.
    X25519,
}

/// A recipient's public key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KemPublicKey {
    /// The mechanism.
    pub kem: Kem,
    /// The encoded public key (1216 bytes for X-Wing, 32 for X25519).
    #[serde(with = "serde_bytes")]
    pub key: Vec<u8>,
}

/// A recipient's private key. Zeroized when dropped.
pub struct KemPrivateKey {
    kem: Kem,
    seed: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for KemPrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KemPrivateKey({:?})", self.kem)
    }
}

impl KemPrivateKey {
    /// A fresh key pair's private half.
    pub fn generate(kem: Kem) -> Self {
        let seed = match kem {
            Kem::XWing => XWing::gen_keypair().0.to_bytes().to_vec(),
            Kem::X25519 => X25519HkdfSha256::gen_keypair().0.to_bytes().to_vec(),
        };
        Self { kem, seed: Zeroizing::new(seed) }
    }

    /// A private key from its encoding (32 bytes for either mechanism).
    ///
    /// # Errors
    /// [`CryptoError::PrivateKey`] when the length is wrong.
    pub fn from_bytes(kem: Kem, bytes: &[u8]) -> Result<Self, CryptoError> {
        let key = Self { kem, seed: Zeroizing::new(bytes.to_vec()) };
        key.public_key()?;
        Ok(key)
    }

    /// The encoding that [`KemPrivateKey::from_bytes`] reads.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        self.seed.clone()
    }

    /// The mechanism.
    pub fn kem(&self) -> Kem {
        self.kem
    }

    /// The public half.
    ///
    /// # Errors
    /// [`CryptoError::PrivateKey`] when the private bytes are no key.
    pub fn public_key(&self) -> Result<KemPublicKey, CryptoError> {
        fn public<K: hpke::Kem>(seed: &[u8]) -> Result<Vec<u8>, CryptoError> {
            let private = K::PrivateKey::from_bytes(seed)
                .map_err(|e| CryptoError::PrivateKey(e.to_string()))?;
            Ok(K::sk_to_pk(&private).to_bytes().to_vec())
        }
        let key = match self.kem {
            Kem::XWing => public::<XWing>(&self.seed)?,
            Kem::X25519 => public::<X25519HkdfSha256>(&self.seed)?,
        };
        Ok(KemPublicKey { kem: self.kem, key })
    }
}

/// A content key, encrypted for one recipient key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrappedKey {
    /// The content key under AES-256-GCM.
    #[serde(with = "serde_bytes")]
    pub ct: Vec<u8>,
    /// The encapsulated shared secret (`enc` in RFC 9180).
    #[serde(with = "serde_bytes")]
    pub enc: Vec<u8>,
    /// The mechanism.
    pub kem: Kem,
}

/// Wraps `content_key` for `recipient`. `info` names the use and is bound into the key schedule.
///
/// # Errors
/// [`CryptoError::Hpke`] when the recipient's key is no key of its mechanism.
pub fn wrap_key(
    recipient: &KemPublicKey,
    content_key: &ContentKey,
    info: &[u8],
) -> Result<WrappedKey, CryptoError> {
    fn wrap<K: hpke::Kem>(
        key: &[u8],
        plain: &[u8],
        info: &[u8],
    ) -> Result<(Vec<u8>, Vec<u8>), hpke::HpkeError> {
        let key = K::PublicKey::from_bytes(key)?;
        let (enc, ct) = hpke::single_shot_seal::<AesGcm256, HkdfSha256, K>(
            &OpModeS::Base,
            &key,
            info,
            plain,
            b"",
        )?;
        Ok((enc.to_bytes().to_vec(), ct))
    }
    let plain = content_key.expose();
    let (enc, ct) = match recipient.kem {
        Kem::XWing => wrap::<XWing>(&recipient.key, plain, info),
        Kem::X25519 => wrap::<X25519HkdfSha256>(&recipient.key, plain, info),
    }
    .map_err(|_| CryptoError::Hpke("wrapped: the recipient's public key is not valid"))?;
    Ok(WrappedKey { kem: recipient.kem, enc, ct })
}

/// Unwraps a content key that [`wrap_key`] made with the same `info`.
///
/// # Errors
/// [`CryptoError::Hpke`] when the key was wrapped for another key or altered.
pub fn unwrap_key(
    private: &KemPrivateKey,
    wrapped: &WrappedKey,
    info: &[u8],
) -> Result<ContentKey, CryptoError> {
    fn unwrap<K: hpke::Kem>(
        private: &[u8],
        wrapped: &WrappedKey,
        info: &[u8],
    ) -> Result<Vec<u8>, hpke::HpkeError> {
        let private = K::PrivateKey::from_bytes(private)?;
        let enc = K::EncappedKey::from_bytes(&wrapped.enc)?;
        hpke::single_shot_open::<AesGcm256, HkdfSha256, K>(
            &OpModeR::Base,
            &private,
            &enc,
            info,
            &wrapped.ct,
            b"",
        )
    }
    if private.kem != wrapped.kem {
        return Err(CryptoError::Hpke("unwrapped: it was wrapped for a key of another kind"));
    }
    let plain = match private.kem {
        Kem::XWing => unwrap::<XWing>(&private.seed, wrapped, info),
        Kem::X25519 => unwrap::<X25519HkdfSha256>(&private.seed, wrapped, info),
    }
    .map(Zeroizing::new)
    .map_err(|_| CryptoError::Hpke("unwrapped: it was wrapped for another key, or altered"))?;
    ContentKey::from_slice(&plain)
        .ok_or(CryptoError::Hpke("unwrapped: it has not the length of a content key"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_recipient_with_the_same_info_unwraps_a_key() {
        for kem in [Kem::XWing, Kem::X25519] {
            let mine = KemPrivateKey::generate(kem);
            let other = KemPrivateKey::generate(kem);
            let content = ContentKey::generate().expect("random bytes");
            let wrapped = wrap_key(&mine.public_key().expect("a key"), &content, b"a")
                .expect("a valid recipient");
            let back = unwrap_key(&mine, &wrapped, b"a").expect("our own key");
            assert_eq!(back.expose(), content.expose());
            assert!(unwrap_key(&other, &wrapped, b"a").is_err());
            assert!(unwrap_key(&mine, &wrapped, b"b").is_err());
            let mut cut = wrapped.clone();
            cut.enc.pop();
            assert!(unwrap_key(&mine, &cut, b"a").is_err());
        }
    }
}
