//! X-Wing over `graviola`'s ML-KEM-768, X25519 and SHA-3. What it computes is bit for bit what `hpke`'s own does, in a fourth of the
//! time: formally proved assembly underneath, and a private key is expanded once, when it is read, instead of at every
//! decapsulation.
//!
//! `graviola` stops the program on a processor that lacks what it is written for, and its functions that take a key by
//! reference do not ask. So nothing here can be made before the processor was asked: keys come from `from_bytes` alone.

use std::sync::Arc;

use graviola::{
    hashing::sha3::{Sha3_256Context, Shake256},
    key_agreement::{
        mlkem768::{Ciphertext, DecapKey, EncapKey, Message},
        x25519::{PublicKey as Point, StaticPrivateKey as Scalar},
    },
};
use hpke::{
    Deserializable, HpkeError, Kem, Serializable,
    hybrid_array::typenum::Unsigned as _,
    kem::{SharedSecret, XWing as Reference},
    rand_core::CryptoRng,
};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

/// Bytes of an ML-KEM-768 encapsulation key and ciphertext (FIPS 203 §8). X25519's 32 follow either.
const ENCAP_KEY: usize = 1184;
const CIPHERTEXT: usize = 1088;

/// What binds the combined secret to X-Wing (§5.3).
const LABEL: &[u8; 6] = br"\.//^\";

/// Whether this processor has what `graviola` is written for.
pub(crate) fn supported() -> bool {
    graviola::util::is_cpu_supported()
}

/// The mechanism. Sizes and number are those of the one it stands in for.
#[derive(Debug)]
pub(crate) struct XWing;

type Private = <Reference as Kem>::PrivateKey;
type Public = <Reference as Kem>::PublicKey;
type Encapped = <Reference as Kem>::EncappedKey;

/// The bytes of an encoding of `T`'s length.
fn exactly<T: Serializable, const N: usize>(encoded: &[u8]) -> Result<[u8; N], HpkeError> {
    let wrong = HpkeError::IncorrectInputLength(T::OutputSize::USIZE, encoded.len());
    encoded.try_into().map_err(|_| wrong)
}

/// A public key whose halves were read, the first of them checked (FIPS 203 §7.2).
#[derive(Clone)]
pub(crate) struct PublicKey {
    ml_kem: EncapKey,
    x25519: [u8; 32],
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PublicKey(X-Wing)")
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.x25519 == other.x25519 && self.ml_kem.as_bytes() == other.ml_kem.as_bytes()
    }
}

impl Eq for PublicKey {}

impl Serializable for PublicKey {
    type OutputSize = <Public as Serializable>::OutputSize;

    fn write_exact(&self, out: &mut [u8]) {
        let (ml_kem, x25519) = out.split_at_mut(ENCAP_KEY);
        ml_kem.copy_from_slice(&self.ml_kem.as_bytes());
        x25519.copy_from_slice(&self.x25519);
    }
}

impl Deserializable for PublicKey {
    fn from_bytes(encoded: &[u8]) -> Result<Self, HpkeError> {
        if !supported() {
            return Err(HpkeError::ValidationError);
        }
        let encoded: [u8; ENCAP_KEY + 32] = exactly::<Self, _>(encoded)?;
        let (ml_kem, x25519) = encoded.split_at(ENCAP_KEY);
        let ml_kem = ml_kem.try_into().map_err(|_| HpkeError::ValidationError)?;
        let ml_kem = EncapKey::from_bytes(ml_kem).map_err(|_| HpkeError::ValidationError)?;
        let x25519 = x25519.try_into().map_err(|_| HpkeError::ValidationError)?;
        Ok(Self { ml_kem, x25519 })
    }
}

/// What a private key's seed expands to. Each half is zeroized by its library when it is dropped, the seed by us.
struct Expanded {
    seed: Zeroizing<[u8; 32]>,
    ml_kem: DecapKey,
    x25519: Scalar,
    public: PublicKey,
}

/// A private key, expanded.
#[derive(Clone)]
pub(crate) struct PrivateKey(Arc<Expanded>);

impl PrivateKey {
    /// Expands a seed (`expandDecapsulationKey`, §5.2).
    fn expand(seed: Zeroizing<[u8; 32]>) -> Self {
        let (mut ml_kem, mut x25519) = (Zeroizing::new([0; 64]), Zeroizing::new([0; 32]));
        let mut stream = Shake256::new(&[seed.as_slice()]);
        stream.read(ml_kem.as_mut_slice());
        stream.read(x25519.as_mut_slice());
        Self::of_halves(seed, &ml_kem, &x25519)
    }

    fn of_halves(seed: Zeroizing<[u8; 32]>, ml_kem: &[u8; 64], x25519: &[u8; 32]) -> Self {
        let ml_kem = DecapKey::keygen_internal(ml_kem);
        let x25519 = Scalar::from_array(x25519);
        let public = PublicKey {
            ml_kem: ml_kem.encapsulation_key(),
            x25519: x25519.public_key().as_bytes(),
        };
        Self(Arc::new(Expanded { seed, ml_kem, x25519, public }))
    }
}

impl Serializable for PrivateKey {
    type OutputSize = <Private as Serializable>::OutputSize;

    fn write_exact(&self, out: &mut [u8]) {
        out.copy_from_slice(self.0.seed.as_slice());
    }
}

impl Deserializable for PrivateKey {
    fn from_bytes(encoded: &[u8]) -> Result<Self, HpkeError> {
        if !supported() {
            return Err(HpkeError::ValidationError);
        }
        exactly::<Self, _>(encoded).map(Zeroizing::new).map(Self::expand)
    }
}

impl ConstantTimeEq for PrivateKey {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.seed.ct_eq(other.0.seed.as_slice())
    }
}

/// A ciphertext: ML-KEM's, then an ephemeral X25519 key. Any bytes of this length are one.
#[derive(Clone)]
pub(crate) struct EncappedKey {
    ml_kem: Ciphertext,
    x25519: [u8; 32],
}

impl Serializable for EncappedKey {
    type OutputSize = <Encapped as Serializable>::OutputSize;

    fn write_exact(&self, out: &mut [u8]) {
        let (ml_kem, x25519) = out.split_at_mut(CIPHERTEXT);
        ml_kem.copy_from_slice(self.ml_kem.as_ref());
        x25519.copy_from_slice(&self.x25519);
    }
}

impl Deserializable for EncappedKey {
    fn from_bytes(encoded: &[u8]) -> Result<Self, HpkeError> {
        let encoded: [u8; CIPHERTEXT + 32] = exactly::<Self, _>(encoded)?;
        let (ml_kem, x25519) = encoded.split_at(CIPHERTEXT);
        let ml_kem: [u8; CIPHERTEXT] = ml_kem.try_into().map_err(|_| HpkeError::ValidationError)?;
        let x25519 = x25519.try_into().map_err(|_| HpkeError::ValidationError)?;
        Ok(Self { ml_kem: ml_kem.into(), x25519 })
    }
}

/// X25519 (RFC 7748 §5). A point of small order gives zeros, which X-Wing takes as they are: its secret is then ML-KEM's alone.
/// `graviola` refuses there; `hpke`'s own does not, and two implementations must not differ over a ciphertext.
fn agree(private: &Scalar, public: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    let shared = private.diffie_hellman(&Point::from_array(public));
    Zeroizing::new(shared.map_or([0; 32], |shared| shared.0))
}

/// X-Wing's combiner (§5.3).
fn combine(
    ml_kem: &[u8; 32],
    x25519: &[u8; 32],
    sent: &[u8; 32],
    to: &[u8; 32],
) -> SharedSecret<XWing> {
    let mut hash = Sha3_256Context::new();
    for part in [ml_kem.as_slice(), x25519, sent, to, LABEL] {
        hash.update(part);
    }
    let mut secret = SharedSecret::default();
    secret.0.copy_from_slice(Zeroizing::new(hash.finish()).as_slice());
    secret
}

impl Kem for XWing {
    const KEM_ID: u16 = Reference::KEM_ID;

    type NSecret = <Reference as Kem>::NSecret;
    type PublicKey = PublicKey;
    type PrivateKey = PrivateKey;
    type EncappedKey = EncappedKey;

    fn sk_to_pk(private: &PrivateKey) -> PublicKey {
        private.0.public.clone()
    }

    fn derive_keypair(ikm: &[u8]) -> (PrivateKey, PublicKey) {
        let seed = Zeroizing::new(Reference::derive_keypair(ikm).0.to_bytes());
        let private = PrivateKey::from_bytes(&seed).expect("a processor that was asked before");
        let public = Self::sk_to_pk(&private);
        (private, public)
    }

    // In both, ML-KEM comes first: X25519 clears the vector registers when it ends, ML-KEM by reference does not.

    fn decap(
        private: &PrivateKey,
        sender: Option<&PublicKey>,
        encapped: &EncappedKey,
    ) -> Result<SharedSecret<Self>, HpkeError> {
        if sender.is_some() {
            return Err(HpkeError::DecapError);
        }
        let key = &*private.0;
        let ml_kem = key.ml_kem.decaps_internal(&encapped.ml_kem);
        let x25519 = agree(&key.x25519, &encapped.x25519);
        Ok(combine(ml_kem.as_ref(), &x25519, &encapped.x25519, &key.public.x25519))
    }

    fn encap_with_rng(
        public: &PublicKey,
        sender: Option<(&PrivateKey, &PublicKey)>,
        rng: &mut impl CryptoRng,
    ) -> Result<(SharedSecret<Self>, EncappedKey), HpkeError> {
        if sender.is_some() {
            return Err(HpkeError::EncapError);
        }
        let (mut message, mut ephemeral) = (Message([0; 32]), Zeroizing::new([0; 32]));
        rng.fill_bytes(&mut message.0);
        rng.fill_bytes(ephemeral.as_mut_slice());
        let (shared, ml_kem) = public.ml_kem.clone().encaps_internal(message);
        let ephemeral = Scalar::from_array(&ephemeral);
        let x25519 = ephemeral.public_key().as_bytes();
        let agreed = agree(&ephemeral, &public.x25519);
        let secret = combine(shared.as_ref(), &agreed, &x25519, &public.x25519);
        Ok((secret, EncappedKey { ml_kem, x25519 }))
    }
}

#[cfg(test)]
mod tests;
