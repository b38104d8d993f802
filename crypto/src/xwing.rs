//! X-Wing (draft-connolly-cfrg-xwing-kem-10, HPKE's KEM 0x647a) as one mechanism of `hpke` over two libraries. Each key is of one of
//! them, and works with that; what goes between keys is the same bytes.

use hpke::{
    Deserializable, HpkeError, Kem, Serializable,
    kem::{SharedSecret, XWing as Reference},
    rand_core::CryptoRng,
};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::XWingBy;

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod fast;
/// Elsewhere `graviola` does not exist, and the one that is everywhere stands in for it.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod fast {
    pub(crate) use hpke::kem::XWing;

    pub(crate) fn supported() -> bool {
        false
    }
}

use fast::XWing as Fast;

/// Whether `graviola` runs on this processor.
pub(crate) fn supported() -> bool {
    fast::supported()
}

/// The mechanism.
#[derive(Debug)]
pub(crate) struct XWing;

/// A public key, read and checked by one of the libraries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PublicKey {
    Graviola(Box<<Fast as Kem>::PublicKey>),
    Reference(Box<<Reference as Kem>::PublicKey>),
}

impl PublicKey {
    /// Reads a key with a library.
    pub(crate) fn read(encoded: &[u8], by: XWingBy) -> Result<Self, HpkeError> {
        Ok(match by {
            XWingBy::Graviola if !supported() => return Err(HpkeError::ValidationError),
            XWingBy::Graviola => Self::Graviola(Box::new(Deserializable::from_bytes(encoded)?)),
            XWingBy::Reference => Self::Reference(Box::new(Deserializable::from_bytes(encoded)?)),
        })
    }
}

impl Serializable for PublicKey {
    type OutputSize = <<Reference as Kem>::PublicKey as Serializable>::OutputSize;

    fn write_exact(&self, out: &mut [u8]) {
        match self {
            Self::Graviola(key) => key.write_exact(out),
            Self::Reference(key) => key.write_exact(out),
        }
    }
}

impl Deserializable for PublicKey {
    fn from_bytes(encoded: &[u8]) -> Result<Self, HpkeError> {
        Self::read(encoded, XWingBy::here())
    }
}

/// A private key, read by one of the libraries, which zeroizes it.
#[derive(Clone)]
pub(crate) enum PrivateKey {
    Graviola(<Fast as Kem>::PrivateKey),
    Reference(Box<<Reference as Kem>::PrivateKey>),
}

impl PrivateKey {
    /// Reads a key with a library.
    pub(crate) fn read(encoded: &[u8], by: XWingBy) -> Result<Self, HpkeError> {
        Ok(match by {
            XWingBy::Graviola if !supported() => return Err(HpkeError::ValidationError),
            XWingBy::Graviola => Self::Graviola(Deserializable::from_bytes(encoded)?),
            XWingBy::Reference => Self::Reference(Box::new(Deserializable::from_bytes(encoded)?)),
        })
    }
}

impl Serializable for PrivateKey {
    type OutputSize = <<Reference as Kem>::PrivateKey as Serializable>::OutputSize;

    fn write_exact(&self, out: &mut [u8]) {
        match self {
            Self::Graviola(key) => key.write_exact(out),
            Self::Reference(key) => key.write_exact(out),
        }
    }
}

impl Deserializable for PrivateKey {
    fn from_bytes(encoded: &[u8]) -> Result<Self, HpkeError> {
        Self::read(encoded, XWingBy::here())
    }
}

impl ConstantTimeEq for PrivateKey {
    fn ct_eq(&self, other: &Self) -> Choice {
        let [own, other] = [self, other].map(|key| Zeroizing::new(key.to_bytes()));
        own.as_slice().ct_eq(other.as_slice())
    }
}

/// The secret of one library as the mechanism's.
fn same<K: Kem<NSecret = <Reference as Kem>::NSecret>>(
    secret: &SharedSecret<K>,
) -> SharedSecret<XWing> {
    let mut out = SharedSecret::default();
    out.0.copy_from_slice(&secret.0);
    out
}

impl Kem for XWing {
    const KEM_ID: u16 = Reference::KEM_ID;

    type NSecret = <Reference as Kem>::NSecret;
    type PublicKey = PublicKey;
    type PrivateKey = PrivateKey;
    type EncappedKey = <Reference as Kem>::EncappedKey;

    fn sk_to_pk(private: &PrivateKey) -> PublicKey {
        match private {
            PrivateKey::Graviola(key) => PublicKey::Graviola(Box::new(Fast::sk_to_pk(key))),
            PrivateKey::Reference(key) => PublicKey::Reference(Box::new(Reference::sk_to_pk(key))),
        }
    }

    fn derive_keypair(ikm: &[u8]) -> (PrivateKey, PublicKey) {
        let seed = Zeroizing::new(Reference::derive_keypair(ikm).0.to_bytes());
        let private = PrivateKey::from_bytes(&seed).expect("a seed of the right length");
        let public = Self::sk_to_pk(&private);
        (private, public)
    }

    fn decap(
        private: &PrivateKey,
        sender: Option<&PublicKey>,
        encapped: &Self::EncappedKey,
    ) -> Result<SharedSecret<Self>, HpkeError> {
        match private {
            _ if sender.is_some() => Err(HpkeError::DecapError),
            PrivateKey::Graviola(key) => {
                let encapped = Deserializable::from_bytes(&encapped.to_bytes())?;
                Ok(same(&Fast::decap(key, None, &encapped)?))
            }
            PrivateKey::Reference(key) => Ok(same(&Reference::decap(key, None, encapped)?)),
        }
    }

    fn encap_with_rng(
        public: &PublicKey,
        sender: Option<(&PrivateKey, &PublicKey)>,
        rng: &mut impl CryptoRng,
    ) -> Result<(SharedSecret<Self>, Self::EncappedKey), HpkeError> {
        match public {
            _ if sender.is_some() => Err(HpkeError::EncapError),
            PublicKey::Graviola(key) => {
                let (secret, encapped) = Fast::encap_with_rng(key, None, rng)?;
                Ok((same(&secret), Deserializable::from_bytes(&encapped.to_bytes())?))
            }
            PublicKey::Reference(key) => {
                let (secret, encapped) = Reference::encap_with_rng(key, None, rng)?;
                Ok((same(&secret), encapped))
            }
        }
    }
}
