//! The STREAM construction over AES-256-GCM (Hoang, Reyhanitabar, Rogaway, Vizár 2015).
//!
//! A content of any size is cut into chunks of [`CHUNK_PLAINTEXT`] bytes. Chunk `i` is sealed under
//! the nonce `0^3 || i as 8 bytes big-endian || last`, where `last` is 1 for the final chunk only.
//! So a chunk that is altered, moved, repeated or missing at the tail does not open, any chunk can
//! be opened by itself, and memory stays at one chunk. A content key is used for one content only.
//! An empty content is one empty last chunk.

use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hmac,
};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{CryptoError, Digest};

/// Bytes of plaintext in a full chunk.
pub const CHUNK_PLAINTEXT: usize = 64 * 1024;
/// Bytes that sealing adds to each chunk (the GCM tag).
pub const CHUNK_OVERHEAD: usize = 16;
/// Bytes of ciphertext in a full chunk.
pub const CHUNK_SIZE: usize = CHUNK_PLAINTEXT + CHUNK_OVERHEAD;

/// The ciphertext length of a content of `plaintext` bytes, or `None` past 2^64.
pub fn ciphertext_len(plaintext: u64) -> Option<u64> {
    let chunks = plaintext.div_ceil(CHUNK_PLAINTEXT as u64).max(1);
    plaintext.checked_add(chunks.checked_mul(CHUNK_OVERHEAD as u64)?)
}

/// The plaintext length in a ciphertext of `ciphertext` bytes, or `None` if no content has it.
pub fn plaintext_len(ciphertext: u64) -> Option<u64> {
    let chunks = ciphertext.div_ceil(CHUNK_SIZE as u64);
    let plain = ciphertext.checked_sub(chunks.checked_mul(CHUNK_OVERHEAD as u64)?)?;
    (ciphertext_len(plain) == Some(ciphertext)).then_some(plain)
}

/// A fresh key that encrypts exactly one content. Zeroized when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ContentKey([u8; 32]);

impl ContentKey {
    /// A key from the operating system's random source.
    ///
    /// # Errors
    /// [`CryptoError::Random`].
    pub fn generate() -> Result<Self, CryptoError> {
        crate::random().map(Self)
    }

    /// A key from its 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The key's bytes, for wrapping.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// An authentication tag (HMAC-SHA-256) under this key on bytes that belong to the content, for a purpose
    /// that `label` names.
    pub fn authenticate(&self, label: &str, bytes: &[u8]) -> Digest {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let mut context = hmac::Context::with_key(&key);
        for piece in [label.as_bytes(), b"\n", bytes] {
            context.update(piece);
        }
        let mut tag = [0; Digest::LEN];
        // HMAC-SHA-256 gives 32 bytes, so the zip covers both sides whole.
        tag.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        Digest::from_bytes(tag)
    }

    fn aead(&self) -> LessSafeKey {
        // UnboundKey::new fails on a wrong length only, and ours is 32 by type.
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &self.0).expect("AES-256 takes 32 bytes"))
    }
}

impl std::fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ContentKey(..)")
    }
}

fn nonce(index: u64, last: bool) -> Nonce {
    let mut bytes = [0u8; 12];
    for (to, from) in bytes.iter_mut().skip(3).zip(index.to_be_bytes()) {
        *to = from;
    }
    if let Some(flag) = bytes.last_mut() {
        *flag = u8::from(last);
    }
    Nonce::assume_unique_for_key(bytes)
}

/// Seals the chunks of one content, in order.
pub struct StreamSealer {
    key: LessSafeKey,
    next: Option<u64>,
}

impl StreamSealer {
    /// A sealer at chunk 0. Taking the key by value is a reminder: one key, one content.
    pub fn new(key: &ContentKey) -> Self {
        Self { key: key.aead(), next: Some(0) }
    }

    /// Seals the next chunk in place; the tag is appended. Every chunk but the last must have
    /// [`CHUNK_PLAINTEXT`] bytes.
    ///
    /// # Errors
    /// [`CryptoError::StreamEnd`] when a chunk has a wrong length or follows the last one.
    pub fn seal(&mut self, chunk: &mut Vec<u8>, last: bool) -> Result<(), CryptoError> {
        let index = self.next.ok_or(CryptoError::StreamEnd(u64::MAX))?;
        let fits = if last {
            chunk.len() <= CHUNK_PLAINTEXT && (index == 0 || !chunk.is_empty())
        } else {
            chunk.len() == CHUNK_PLAINTEXT
        };
        if !fits {
            return Err(CryptoError::StreamEnd(index));
        }
        self.key
            .seal_in_place_append_tag(nonce(index, last), Aad::empty(), chunk)
            .map_err(|_| CryptoError::Chunk(index))?;
        self.next = if last { None } else { index.checked_add(1) };
        Ok(())
    }
}

impl std::fmt::Debug for StreamSealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StreamSealer(next: {:?})", self.next)
    }
}

/// Opens the chunks of one content whose ciphertext length is known, in any order.
pub struct StreamOpener {
    key: LessSafeKey,
    chunks: u64,
}

impl StreamOpener {
    /// An opener for a content of `ciphertext` bytes.
    ///
    /// # Errors
    /// [`CryptoError::StreamEnd`] when no content has that length.
    pub fn new(key: &ContentKey, ciphertext: u64) -> Result<Self, CryptoError> {
        let chunks = ciphertext.div_ceil(CHUNK_SIZE as u64);
        if chunks == 0 || plaintext_len(ciphertext).is_none() {
            return Err(CryptoError::StreamEnd(chunks));
        }
        Ok(Self { key: key.aead(), chunks })
    }

    /// The number of chunks.
    pub fn chunks(&self) -> u64 {
        self.chunks
    }

    /// Opens chunk `index` in place and leaves its plaintext.
    ///
    /// # Errors
    /// [`CryptoError::Chunk`] when it does not authenticate at that place.
    pub fn open(&self, index: u64, chunk: &mut Vec<u8>) -> Result<(), CryptoError> {
        let last = index.checked_add(1) == Some(self.chunks);
        let plain = self
            .key
            .open_in_place(nonce(index, last), Aad::empty(), chunk)
            .map_err(|_| CryptoError::Chunk(index))?
            .len();
        chunk.truncate(plain);
        Ok(())
    }
}

impl std::fmt::Debug for StreamOpener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StreamOpener(chunks: {})", self.chunks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(key: &ContentKey, plain: &[u8]) -> Vec<Vec<u8>> {
        let mut sealer = StreamSealer::new(key);
        let mut chunks: Vec<Vec<u8>> = plain.chunks(CHUNK_PLAINTEXT).map(<[u8]>::to_vec).collect();
        if chunks.is_empty() {
            chunks.push(Vec::new());
        }
        let count = chunks.len();
        for (i, chunk) in chunks.iter_mut().enumerate() {
            sealer.seal(chunk, i + 1 == count).expect("chunks in order");
        }
        chunks
    }

    #[test]
    fn lengths_agree_both_ways_around_every_chunk_border() {
        for plain in [0, 1, 65_535, 65_536, 65_537, 131_072, 131_073, 10 << 30] {
            let cipher = ciphertext_len(plain).expect("small");
            assert_eq!(plaintext_len(cipher), Some(plain));
        }
        for no in [0, 1, 15, CHUNK_SIZE as u64 + 1, CHUNK_SIZE as u64 + 16] {
            assert_eq!(plaintext_len(no).filter(|_| no != 0), None, "{no}");
        }
        assert_eq!(ciphertext_len(u64::MAX), None);
    }

    #[test]
    fn altered_moved_cut_or_wrongly_keyed_chunks_do_not_open() {
        let key = ContentKey::generate().expect("random bytes");
        let plain = vec![7u8; CHUNK_PLAINTEXT * 2 + 5];
        let chunks = sealed(&key, &plain);
        let total = chunks.iter().map(Vec::len).sum::<usize>() as u64;
        let opener = StreamOpener::new(&key, total).expect("a valid length");
        let mut back = Vec::new();
        for (i, chunk) in chunks.iter().enumerate() {
            let mut chunk = chunk.clone();
            opener.open(i as u64, &mut chunk).expect("in place");
            back.extend(chunk);
        }
        assert_eq!(back, plain);

        let mut moved = chunks[1].clone();
        assert_eq!(opener.open(0, &mut moved), Err(CryptoError::Chunk(0)));
        let mut flipped = chunks[0].clone();
        flipped[9] ^= 1;
        assert_eq!(opener.open(0, &mut flipped), Err(CryptoError::Chunk(0)));
        // Two full chunks of three: the length is one that a content may have, the tail is missed.
        let cut = StreamOpener::new(&key, 2 * CHUNK_SIZE as u64).expect("a valid length");
        assert_eq!(cut.open(1, &mut chunks[1].clone()), Err(CryptoError::Chunk(1)));
        let other = ContentKey::generate().expect("random bytes");
        let other = StreamOpener::new(&other, total).expect("a valid length");
        assert!(other.open(0, &mut chunks[0].clone()).is_err());
    }

    #[test]
    fn a_sealer_refuses_short_inner_chunks_and_anything_after_the_last() {
        let key = ContentKey::generate().expect("random bytes");
        let mut sealer = StreamSealer::new(&key);
        assert!(sealer.seal(&mut vec![0; 10], false).is_err());
        sealer.seal(&mut vec![0; 10], true).expect("a last chunk");
        assert!(sealer.seal(&mut vec![0; 10], true).is_err());
    }
}
