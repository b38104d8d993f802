//! Wrapping a content key for one recipient with HPKE (RFC 9180), base mode.

use hpke::{
    Deserializable, Kem as _, OpModeR, OpModeS, Serializable, aead::AesGcm256, kdf::HkdfSha256,
    kem::X25519HkdfSha256,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    ContentKey, CryptoError, KeyFault, WrapFault,
    xwing::{self, XWing},
};

/// Bytes of a private key's encoding, with either mechanism.
const PRIVATE_LEN: usize = 32;

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

/// Which library computes X-Wing. What either makes, the other opens: they agree in every bit, on damaged input too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum XWingBy {
    /// `graviola`: assembly for processors since about 2014 (x86-64 with AVX2, ADX, BMI2, AES; 64-bit Arm with AES).
    Graviola,
    /// RustCrypto's, on every processor: what stands in where the first does not run, and what it is held to.
    Reference,
}

impl XWingBy {
    /// The faster of those that run on this processor.
    pub fn here() -> Self {
        if xwing::supported() { Self::Graviola } else { Self::Reference }
    }

    /// Its short name, for measurements.
    pub fn name(self) -> &'static str {
        match self {
            Self::Graviola => "graviola",
            Self::Reference => "rustcrypto",
        }
    }
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

impl KemPublicKey {
    /// Reads and checks the key, for whoever wraps more than one content key for it.
    ///
    /// # Errors
    /// [`CryptoError::Hpke`] when it is no key of its mechanism.
    pub fn prepare(&self) -> Result<RecipientKey, CryptoError> {
        self.prepare_by(XWingBy::here())
    }

    /// As [`KemPublicKey::prepare`], by a named library.
    ///
    /// # Errors
    /// As there; also when that library does not run on this processor.
    pub fn prepare_by(&self, by: XWingBy) -> Result<RecipientKey, CryptoError> {
        let read = match self.kem {
            Kem::XWing => PublicOf::<XWing>::read(&self.key, by).map(Public::XWing),
            Kem::X25519 => Deserializable::from_bytes(&self.key).map(Public::X25519),
        };
        let invalid = CryptoError::Hpke(WrapFault::Recipient);
        Ok(RecipientKey(read.map_err(|_| invalid)?))
    }
}

type PublicOf<K> = <K as hpke::Kem>::PublicKey;
type PrivateOf<K> = <K as hpke::Kem>::PrivateKey;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Public {
    XWing(PublicOf<XWing>),
    X25519(PublicOf<X25519HkdfSha256>),
}

/// A recipient's public key, read and checked (FIPS 203 §7.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipientKey(Public);

impl RecipientKey {
    /// Wraps a content key; see [`wrap_key`].
    ///
    /// # Errors
    /// [`CryptoError::Hpke`] never for a key that was read.
    pub fn wrap(&self, content_key: &ContentKey, info: &[u8]) -> Result<WrappedKey, CryptoError> {
        fn wrap<K: hpke::Kem>(
            key: &K::PublicKey,
            plain: &[u8],
            info: &[u8],
        ) -> Result<(Vec<u8>, Vec<u8>), hpke::HpkeError> {
            let (enc, ct) = hpke::single_shot_seal::<AesGcm256, HkdfSha256, K>(
                &OpModeS::Base,
                key,
                info,
                plain,
                b"",
            )?;
            Ok((enc.to_bytes().to_vec(), ct))
        }
        let plain = content_key.expose();
        let (kem, wrapped) = match &self.0 {
            Public::XWing(key) => (Kem::XWing, wrap::<XWing>(key, plain, info)),
            Public::X25519(key) => (Kem::X25519, wrap::<X25519HkdfSha256>(key, plain, info)),
        };
        let invalid = CryptoError::Hpke(WrapFault::Recipient);
        let (enc, ct) = wrapped.map_err(|_| invalid)?;
        Ok(WrappedKey { kem, enc, ct })
    }
}

/// Seals a second message to the recipient for whom a content key was wrapped, in the same HPKE context: nobody else
/// who has the content key can open it.
pub struct PartSealer(Sending);

enum Sending {
    XWing(Box<hpke::aead::AeadCtxS<AesGcm256, HkdfSha256, XWing>>),
    X25519(Box<hpke::aead::AeadCtxS<AesGcm256, HkdfSha256, X25519HkdfSha256>>),
}

impl std::fmt::Debug for PartSealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PartSealer")
    }
}

impl PartSealer {
    /// Seals the message, bound to `aad`. One only: the context ends with it.
    ///
    /// # Errors
    /// [`CryptoError::Hpke`] never in practice.
    pub fn seal(self, plain: &[u8], aad: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let sealed = match self.0 {
            Sending::XWing(mut context) => context.seal(plain, aad),
            Sending::X25519(mut context) => context.seal(plain, aad),
        };
        sealed.map_err(|_| CryptoError::Hpke(WrapFault::Joining))
    }
}

impl RecipientKey {
    /// Wraps a content key as [`RecipientKey::wrap`] does, and goes on to seal a part for the same recipient.
    ///
    /// # Errors
    /// [`CryptoError::Hpke`] never for a key that was read.
    pub fn wrap_with_part(
        &self,
        content_key: &ContentKey,
        info: &[u8],
    ) -> Result<(WrappedKey, PartSealer), CryptoError> {
        type Context<K> = hpke::aead::AeadCtxS<AesGcm256, HkdfSha256, K>;
        type Wrapped<K> = (Vec<u8>, Vec<u8>, Box<Context<K>>);
        fn wrap<K: hpke::Kem>(
            key: &K::PublicKey,
            plain: &[u8],
            info: &[u8],
        ) -> Result<Wrapped<K>, hpke::HpkeError> {
            let (enc, mut context) =
                hpke::setup_sender::<AesGcm256, HkdfSha256, K>(&OpModeS::Base, key, info)?;
            let ct = context.seal(plain, b"")?;
            Ok((enc.to_bytes().to_vec(), ct, Box::new(context)))
        }
        let invalid = |_| CryptoError::Hpke(WrapFault::Recipient);
        let plain = content_key.expose();
        Ok(match &self.0 {
            Public::XWing(key) => {
                let (enc, ct, context) = wrap::<XWing>(key, plain, info).map_err(invalid)?;
                (WrappedKey { kem: Kem::XWing, enc, ct }, PartSealer(Sending::XWing(context)))
            }
            Public::X25519(key) => {
                let (enc, ct, context) =
                    wrap::<X25519HkdfSha256>(key, plain, info).map_err(invalid)?;
                (WrappedKey { kem: Kem::X25519, enc, ct }, PartSealer(Sending::X25519(context)))
            }
        })
    }
}

/// Opens the part that [`PartSealer::seal`] made in the context of a wrapped key, after that key.
pub struct PartOpener(Receiving);

enum Receiving {
    XWing(Box<hpke::aead::AeadCtxR<AesGcm256, HkdfSha256, XWing>>),
    X25519(Box<hpke::aead::AeadCtxR<AesGcm256, HkdfSha256, X25519HkdfSha256>>),
}

impl std::fmt::Debug for PartOpener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PartOpener")
    }
}

impl PartOpener {
    /// Opens the part.
    ///
    /// # Errors
    /// [`CryptoError::Hpke`] when it is of another context, or bound to something else than `aad`.
    pub fn open(self, part: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let plain = match self.0 {
            Receiving::XWing(mut context) => context.open(part, aad),
            Receiving::X25519(mut context) => context.open(part, aad),
        };
        plain.map(Zeroizing::new).map_err(|_| CryptoError::Hpke(WrapFault::OtherPart))
    }
}

/// Unwraps a content key as [`unwrap_key`] does, and goes on to open a part: with one decapsulation for both.
///
/// # Errors
/// As [`unwrap_key`].
pub fn unwrap_key_with_part(
    private: &KemPrivateKey,
    wrapped: &WrappedKey,
    info: &[u8],
) -> Result<(ContentKey, PartOpener), CryptoError> {
    type Context<K> = hpke::aead::AeadCtxR<AesGcm256, HkdfSha256, K>;
    type Unwrapped<K> = (Zeroizing<Vec<u8>>, Box<Context<K>>);
    fn unwrap<K: hpke::Kem>(
        private: &K::PrivateKey,
        wrapped: &WrappedKey,
        info: &[u8],
    ) -> Result<Unwrapped<K>, hpke::HpkeError> {
        let enc = K::EncappedKey::from_bytes(&wrapped.enc)?;
        let mut context =
            hpke::setup_receiver::<AesGcm256, HkdfSha256, K>(&OpModeR::Base, private, &enc, info)?;
        // Each message of a context has its own number: the key is the first.
        let plain = Zeroizing::new(context.open(&wrapped.ct, b"")?);
        Ok((plain, Box::new(context)))
    }
    if private.kem() != wrapped.kem {
        return Err(CryptoError::Hpke(WrapFault::OtherKind));
    }
    let altered = |_| CryptoError::Hpke(WrapFault::OtherKey);
    let (plain, opener) = match &private.0 {
        Private::XWing(key) => {
            let (plain, context) = unwrap::<XWing>(key, wrapped, info).map_err(altered)?;
            (plain, PartOpener(Receiving::XWing(context)))
        }
        Private::X25519(key) => {
            let (plain, context) =
                unwrap::<X25519HkdfSha256>(key, wrapped, info).map_err(altered)?;
            (plain, PartOpener(Receiving::X25519(context)))
        }
    };
    let key = ContentKey::from_slice(&plain).ok_or(CryptoError::Hpke(WrapFault::Length))?;
    Ok((key, opener))
}

enum Private {
    XWing(PrivateOf<XWing>),
    X25519(PrivateOf<X25519HkdfSha256>),
}

/// A recipient's private key. Zeroized when dropped: what holds it does that.
pub struct KemPrivateKey(Private);

impl std::fmt::Debug for KemPrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KemPrivateKey({:?})", self.kem())
    }
}

impl KemPrivateKey {
    /// A fresh key pair's private half.
    pub fn generate(kem: Kem) -> Self {
        Self(match kem {
            Kem::XWing => Private::XWing(XWing::gen_keypair().0),
            Kem::X25519 => Private::X25519(X25519HkdfSha256::gen_keypair().0),
        })
    }

    /// A private key from its encoding (32 bytes for either mechanism).
    ///
    /// # Errors
    /// [`CryptoError::PrivateKey`] when the length is wrong.
    pub fn from_bytes(kem: Kem, bytes: &[u8]) -> Result<Self, CryptoError> {
        Self::from_bytes_by(kem, bytes, XWingBy::here())
    }

    /// As [`KemPrivateKey::from_bytes`], by a named library.
    ///
    /// # Errors
    /// As there; also when that library does not run on this processor.
    pub fn from_bytes_by(kem: Kem, bytes: &[u8], by: XWingBy) -> Result<Self, CryptoError> {
        let read = match kem {
            Kem::XWing => PrivateOf::<XWing>::read(bytes, by).map(Private::XWing),
            Kem::X25519 => Deserializable::from_bytes(bytes).map(Private::X25519),
        };
        read.map(Self)
            .map_err(|e| CryptoError::PrivateKey(KeyFault::Other { detail: e.to_string() }))
    }

    /// The encoding that [`KemPrivateKey::from_bytes`] reads.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(vec![0; PRIVATE_LEN]);
        match &self.0 {
            Private::XWing(key) => key.write_exact(&mut bytes),
            Private::X25519(key) => key.write_exact(&mut bytes),
        }
        bytes
    }

    /// The mechanism.
    pub fn kem(&self) -> Kem {
        match self.0 {
            Private::XWing(_) => Kem::XWing,
            Private::X25519(_) => Kem::X25519,
        }
    }

    /// The public half.
    pub fn public_key(&self) -> KemPublicKey {
        let key = match &self.0 {
            Private::XWing(key) => XWing::sk_to_pk(key).to_bytes().to_vec(),
            Private::X25519(key) => X25519HkdfSha256::sk_to_pk(key).to_bytes().to_vec(),
        };
        KemPublicKey { kem: self.kem(), key }
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
    recipient.prepare()?.wrap(content_key, info)
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
        private: &K::PrivateKey,
        wrapped: &WrappedKey,
        info: &[u8],
    ) -> Result<Vec<u8>, hpke::HpkeError> {
        let enc = K::EncappedKey::from_bytes(&wrapped.enc)?;
        hpke::single_shot_open::<AesGcm256, HkdfSha256, K>(
            &OpModeR::Base,
            private,
            &enc,
            info,
            &wrapped.ct,
            b"",
        )
    }
    if private.kem() != wrapped.kem {
        return Err(CryptoError::Hpke(WrapFault::OtherKind));
    }
    let plain = match &private.0 {
        Private::XWing(key) => unwrap::<XWing>(key, wrapped, info),
        Private::X25519(key) => unwrap::<X25519HkdfSha256>(key, wrapped, info),
    }
    .map(Zeroizing::new)
    .map_err(|_| CryptoError::Hpke(WrapFault::OtherKey))?;
    ContentKey::from_slice(&plain).ok_or(CryptoError::Hpke(WrapFault::Length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open_part(
        private: &KemPrivateKey,
        wrapped: &WrappedKey,
        info: &[u8],
        part: &[u8],
        aad: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        unwrap_key_with_part(private, wrapped, info)?.1.open(part, aad)
    }

    #[test]
    fn a_part_opens_for_its_recipient_its_wrap_and_what_it_is_bound_to_only() {
        for kem in [Kem::XWing, Kem::X25519] {
            let (mine, other) = (KemPrivateKey::generate(kem), KemPrivateKey::generate(kem));
            let content = ContentKey::generate().expect("random bytes");
            let key = mine.public_key().prepare().expect("a key");
            let (wrapped, sealer) = key.wrap_with_part(&content, b"a").expect("wraps");
            let back = unwrap_key(&mine, &wrapped, b"a").expect("it is wrapped as others are");
            assert_eq!(back.expose(), content.expose());
            let part = sealer.seal(b"copy 7", b"id").expect("seals");
            let opened = open_part(&mine, &wrapped, b"a", &part, b"id").expect("opens");
            assert_eq!(*opened, b"copy 7");
            let (both, opener) = unwrap_key_with_part(&mine, &wrapped, b"a").expect("unwraps");
            assert_eq!(both.expose(), content.expose());
            assert_eq!(*opener.open(&part, b"id").expect("opens"), b"copy 7");
            assert!(open_part(&other, &wrapped, b"a", &part, b"id").is_err());
            assert!(open_part(&mine, &wrapped, b"b", &part, b"id").is_err());
            assert!(open_part(&mine, &wrapped, b"a", &part, b"other").is_err());
            assert!(open_part(&mine, &wrapped, b"a", &wrapped.ct, b"").is_err());
            let mut altered = part.clone();
            altered[0] ^= 1;
            assert!(open_part(&mine, &wrapped, b"a", &altered, b"id").is_err());
            // The same content for the same recipient once more is another wrap.
            let (again, _) = key.wrap_with_part(&content, b"a").expect("wraps");
            assert!(open_part(&mine, &again, b"a", &part, b"id").is_err());
        }
    }

    #[test]
    fn only_the_named_recipient_with_the_same_info_unwraps_a_key() {
        for kem in [Kem::XWing, Kem::X25519] {
            let mine = KemPrivateKey::generate(kem);
            let other = KemPrivateKey::generate(kem);
            let content = ContentKey::generate().expect("random bytes");
            let wrapped = wrap_key(&mine.public_key(), &content, b"a").expect("a valid recipient");
            let back = unwrap_key(&mine, &wrapped, b"a").expect("our own key");
            assert_eq!(back.expose(), content.expose());
            assert!(unwrap_key(&other, &wrapped, b"a").is_err());
            assert!(unwrap_key(&mine, &wrapped, b"b").is_err());
            let mut cut = wrapped.clone();
            cut.enc.pop();
            assert!(unwrap_key(&mine, &cut, b"a").is_err());
            let read = KemPrivateKey::from_bytes(kem, &mine.to_bytes()).expect("its own encoding");
            assert_eq!(read.public_key(), mine.public_key());
            assert!(unwrap_key(&read, &wrapped, b"a").is_ok());
            assert!(KemPrivateKey::from_bytes(kem, &mine.to_bytes()[1..]).is_err());
        }
    }
}
