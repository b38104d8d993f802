//! Envelopes that any k of n holders open together, and no k - 1 of them: for whoever deposits one, and whoever opens it.
//!
//! There is no dealer. Whoever deposits makes a key for each holder and wraps it to that holder's own key (HPKE). The key of the content
//! is sealed once for every k of the holders, under the keys of all of these, one around the other: whoever lacks one of them is left
//! with a layer that he cannot open. That is all: AES-256-GCM, HPKE and SHA-256 as they are, and 35 layers at most.
//!
//! Making one takes fresh keys, which the kernel never does; opening takes none.

use std::collections::BTreeMap;

use chancery_crypto::{
    ContentKey, CryptoError, Digest, Hasher, Kem, KemPrivateKey, KemPublicKey, StorageKey,
    StreamOpener, StreamSealer, WrappedKey, cbor, unwrap_key, wrap_key,
};
use serde::{Deserialize, Serialize};

/// The most holders of an envelope: of seven, four open it in 35 ways.
pub const MOST_HOLDERS: usize = 7;

/// The most bytes of what is sealed.
pub const MOST_SEALED: usize = 16 * 1024;

/// The most bytes of an envelope: in hexadecimal it is a text of a form.
pub const MOST_ENVELOPE: usize = 32 * 1024;

/// What one holder has of an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Held {
    name: String,
    /// The holder's key of this envelope, for him alone.
    key: WrappedKey,
    /// The digest of that key, by which a share is known to be the right one.
    commitment: Digest,
}

/// A sealed envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// How many holders open it.
    k: u32,
    /// In the order of their names.
    holders: Vec<Held>,
    /// The key of the content, for every k of them, in the order of their places.
    #[serde(with = "layers")]
    layers: Vec<Vec<u8>>,
    /// The digest of the key of the content: whichever holders open it come to the same content.
    commitment: Digest,
    /// The content.
    #[serde(with = "bytes")]
    content: Vec<u8>,
}

/// Why an envelope does not open, or is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum EnvelopeFault {
    /// Its bytes are no envelope.
    #[error("the bytes are no envelope")]
    Unread,
    /// Its holders, or how many of them open it, are others.
    #[error("it is sealed to other holders")]
    Holders,
    /// What is to be sealed is longer than [`MOST_SEALED`].
    #[error("it is longer than an envelope holds")]
    Length,
    /// The share is not the key that belongs to it.
    #[error("the share is not the one that belongs to it")]
    Share,
    /// Too few shares.
    #[error("there are too few shares")]
    TooFew,
    /// The shares are right, and it does not open: whoever sealed it did not do so as he must.
    #[error("the shares are right and it does not open: it was sealed wrongly")]
    Sealed,
    /// No keys can be made here.
    #[error("no keys can be made here")]
    Keys,
}

impl From<CryptoError> for EnvelopeFault {
    fn from(_: CryptoError) -> Self {
        Self::Keys
    }
}

fn digest(label: &[u8], parts: &[&[u8]]) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(label);
    for part in parts {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finish()
}

/// To what an envelope is bound: it is nobody else's, and in no other matter.
pub fn envelope_context(module: &str, sealed: &str, thing: &str, sender: &str) -> Digest {
    let parts = [module, sealed, thing, sender].map(str::as_bytes);
    digest(b"chancery/1 envelope\0", &parts)
}

fn info(context: &Digest, name: &str) -> Vec<u8> {
    [b"chancery/1 envelope key\0", context.as_bytes().as_slice(), name.as_bytes()].concat()
}

/// To what a layer is bound: the envelope, and which k it is for.
fn layer_context(context: &Digest, of: &[usize]) -> Vec<u8> {
    let places = of.iter().map(|place| u8::try_from(*place).unwrap_or(u8::MAX));
    context.as_bytes().iter().copied().chain(places).collect()
}

fn key_digest(context: &Digest, name: &str, key: &ContentKey) -> Digest {
    let parts: [&[u8]; 3] = [context.as_bytes(), name.as_bytes(), key.expose()];
    digest(b"chancery/1 envelope share\0", &parts)
}

/// The key under which a layer is sealed, from a holder's key of the envelope.
fn layer_key(key: &ContentKey) -> Result<StorageKey, CryptoError> {
    Ok(StorageKey::derive(&KemPrivateKey::from_bytes(Kem::X25519, key.expose())?))
}

/// Every choice of k of n places, in order.
fn choices(n: usize, k: usize) -> Vec<Vec<usize>> {
    let all = (0u32..1 << n.min(MOST_HOLDERS)).filter(|set| set.count_ones() as usize == k);
    let mut all: Vec<Vec<usize>> =
        all.map(|set| (0..n).filter(|place| (set >> place) & 1 == 1).collect()).collect();
    all.sort();
    all
}

impl Envelope {
    /// Seals a content to holders, of whom any k open it. Takes fresh keys of the operating system.
    ///
    /// # Errors
    /// [`EnvelopeFault::Holders`] of more than [`MOST_HOLDERS`] holders, or of a k that is not from 2 up to less than all;
    /// [`EnvelopeFault::Length`]; [`EnvelopeFault::Keys`].
    pub fn seal(
        content: &[u8],
        holders: &BTreeMap<String, KemPublicKey>,
        k: usize,
        context: &Digest,
    ) -> Result<Self, EnvelopeFault> {
        if holders.len() > MOST_HOLDERS || !(2..holders.len()).contains(&k) {
            return Err(EnvelopeFault::Holders);
        }
        if content.len() > MOST_SEALED {
            return Err(EnvelopeFault::Length);
        }
        let key = ContentKey::generate()?;
        let (mut keys, mut held) = (Vec::new(), Vec::new());
        for (name, public) in holders {
            let own = ContentKey::generate()?;
            let commitment = key_digest(context, name, &own);
            let wrapped = wrap_key(public, &own, &info(context, name))?;
            keys.push(layer_key(&own)?);
            held.push(Held { name: name.clone(), key: wrapped, commitment });
        }
        let mut layers = Vec::new();
        for of in choices(keys.len(), k) {
            let bound = layer_context(context, &of);
            let mut layer = key.expose().to_vec();
            for place in of.iter().rev() {
                let own = keys.get(*place).ok_or(EnvelopeFault::Holders)?;
                layer = own.seal_row(&layer, &bound)?;
            }
            layers.push(layer);
        }
        let mut sealed = content.to_vec();
        StreamSealer::new(&key).seal(&mut sealed, true)?;
        Ok(Self {
            k: u32::try_from(k).map_err(|_| EnvelopeFault::Holders)?,
            holders: held,
            layers,
            commitment: key_digest(context, "", &key),
            content: sealed,
        })
    }

    /// Its bytes: deterministic CBOR.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self).expect("an envelope is plain")
    }

    /// Reads an envelope that is sealed to these holders, of whom k open it.
    ///
    /// # Errors
    /// [`EnvelopeFault::Unread`], [`EnvelopeFault::Holders`].
    pub fn decode(bytes: &[u8], holders: &[String], k: u32) -> Result<Self, EnvelopeFault> {
        let read: Self =
            cbor::decode_within(bytes, MOST_ENVELOPE).map_err(|_| EnvelopeFault::Unread)?;
        let own = read.holders.iter().map(|held| held.name.as_str());
        if read.k != k || !own.eq(holders.iter().map(String::as_str)) {
            return Err(EnvelopeFault::Holders);
        }
        let count = choices(holders.len(), k as usize).len();
        if read.layers.len() != count || read.layers.iter().any(|layer| layer.len() > 1_024) {
            return Err(EnvelopeFault::Unread);
        }
        Ok(read)
    }

    /// A holder's share: the key that was wrapped to him.
    ///
    /// # Errors
    /// [`EnvelopeFault::Holders`] of somebody else, [`EnvelopeFault::Share`] where what was wrapped to him is not what it is said to be:
    /// that is the fault of whoever sealed it, and he can show his key to nobody but need not.
    pub fn share(
        &self,
        name: &str,
        key: &KemPrivateKey,
        context: &Digest,
    ) -> Result<Digest, EnvelopeFault> {
        let held = self.held(name)?;
        let own = unwrap_key(key, &held.key, &info(context, name));
        let own = own.map_err(|_| EnvelopeFault::Share)?;
        let share = Digest::from_bytes(*own.expose());
        if self.fits(name, &share, context) { Ok(share) } else { Err(EnvelopeFault::Share) }
    }

    fn held(&self, name: &str) -> Result<&Held, EnvelopeFault> {
        self.holders.iter().find(|held| held.name == name).ok_or(EnvelopeFault::Holders)
    }

    /// Whether a share is the one that belongs to a holder.
    pub fn fits(&self, name: &str, share: &Digest, context: &Digest) -> bool {
        let key = ContentKey::from_slice(share.as_bytes());
        match (self.held(name), key) {
            (Ok(held), Some(key)) => key_digest(context, name, &key) == held.commitment,
            _ => false,
        }
    }

    /// Opens it with the shares of holders, by their names.
    ///
    /// # Errors
    /// [`EnvelopeFault::TooFew`], [`EnvelopeFault::Sealed`].
    pub fn open(
        &self,
        shares: &BTreeMap<String, Digest>,
        context: &Digest,
    ) -> Result<Vec<u8>, EnvelopeFault> {
        let mut keys = BTreeMap::new();
        for (place, held) in self.holders.iter().enumerate() {
            let share = shares.get(&held.name).filter(|of| self.fits(&held.name, of, context));
            if let Some(key) = share.and_then(|share| ContentKey::from_slice(share.as_bytes())) {
                keys.insert(place, layer_key(&key)?);
            }
        }
        if keys.len() < self.k as usize {
            return Err(EnvelopeFault::TooFew);
        }
        // One choice may be sealed wrongly so that whoever deposited it could pick when it opens: any that opens is enough.
        for (of, layer) in choices(self.holders.len(), self.k as usize).iter().zip(&self.layers) {
            let bound = layer_context(context, of);
            let opened = of.iter().try_fold(layer.clone(), |layer, place| {
                keys.get(place).and_then(|key| key.open_row(&layer, &bound).ok())
            });
            let key = opened.and_then(|opened| ContentKey::from_slice(&opened));
            let Some(key) = key.filter(|key| key_digest(context, "", key) == self.commitment)
            else {
                continue;
            };
            let mut content = self.content.clone();
            let opener = StreamOpener::new(&key, content.len() as u64);
            let opened = opener.and_then(|opener| match opener.chunks() {
                1 => opener.open(0, &mut content),
                n => Err(CryptoError::StreamEnd(n)),
            });
            return opened.map(|()| content).map_err(|_| EnvelopeFault::Sealed);
        }
        Err(EnvelopeFault::Sealed)
    }
}

/// Bytes as bytes, and not as a list of numbers.
mod bytes {
    use serde::{Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(super) struct Bytes;

    impl<'de> de::Visitor<'de> for Bytes {
        type Value = Vec<u8>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("bytes")
        }
        fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }
        fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
            Ok(bytes)
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        from.deserialize_byte_buf(Bytes)
    }
}

mod layers {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Layer(#[serde(with = "super::bytes")] Vec<u8>);

    pub(super) fn serialize<S: Serializer>(all: &[Vec<u8>], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(all.iter().map(|layer| Layer(layer.clone())))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<Vec<u8>>, D::Error> {
        let all = Vec::<Layer>::deserialize(from)?;
        Ok(all.into_iter().map(|layer| layer.0).collect())
    }
}
