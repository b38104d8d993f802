//! A file encrypted to agencies, by itself and outside any envelope: the STREAM chunks of envelopes
//! behind a header with a wrapped key for each recipient.
//!
//! ```text
//! "CHYENC" 00 01 | length of the header, 4 bytes big-endian | header, CBOR | tag, 32 bytes | chunks
//! header { file: 8 bytes, size, recipients: [{ agency, key: { kem, enc, ct } }] }
//! chunk  { file: 8 bytes | sealed chunk of the STREAM construction }
//! ```
//!
//! Each key is wrapped with `info` = `"chancery/1 file\n"`, the recipient, `"\n"`, and the SHA-256 of
//! file and size. The tag is the HMAC-SHA-256 under the content key of `"chancery/1 file header\n"` and the
//! header, so that none of it can be changed unnoticed. The file's random name before each chunk says whose
//! chunk it is: what was moved within the file, taken from another, or altered can be told apart.

use chancery_certs::AgencyName;
use chancery_crypto::{
    CHUNK_PLAINTEXT, CHUNK_SIZE, CborError, ContentKey, CryptoError, Digest, KemPrivateKey,
    KemPublicKey, StreamOpener, StreamSealer, Unknown, WrappedKey, cbor, ciphertext_len,
    unwrap_key, wrap_key,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    EncryptedFormatFault, ProtocolError, Recipient, content::newer, document::MAX_RECIPIENTS,
};

/// The first bytes of an encrypted file: a name and a version.
pub const ENCRYPTED_FILE_MAGIC: [u8; 8] = *b"CHYENC\x00\x01";
/// Magic and the length of the header.
const HEAD: usize = ENCRYPTED_FILE_MAGIC.len() + 4;
/// The random name of a file.
const NAME: usize = 8;
/// What the header's tag is labelled with.
const HEADER_TAG: &str = "chancery/1 file header";
/// The largest chunk as it stands in the file.
pub const ENCRYPTED_CHUNK: usize = NAME + CHUNK_SIZE;
/// Bytes of the file itself in a whole chunk.
pub const ENCRYPTED_FILE_CHUNK_PLAINTEXT: usize = CHUNK_PLAINTEXT;

/// Why an encrypted file does not open. Each kind of damage has its own.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EncryptedFileError {
    /// It is no encrypted file, or its header is malformed.
    Format(EncryptedFormatFault),
    /// Its end is missing.
    Truncated {
        /// Bytes that are there.
        found: u64,
        /// Bytes that its header speaks of.
        want: u64,
    },
    /// Bytes follow its end.
    Trailing {
        /// How many.
        more: u64,
    },
    /// A chunk stands in another's place.
    Reordered {
        /// The chunk that is there.
        found: u64,
        /// The chunk that should be.
        want: u64,
    },
    /// A chunk is another file's.
    Spliced {
        /// The chunk.
        chunk: u64,
    },
    /// Bytes of a chunk are not those that were written.
    Altered {
        /// The chunk.
        chunk: u64,
    },
    /// The header is not the one that was written.
    HeaderAltered,
    /// No key in the header opens with the key at hand.
    NotARecipient,
}

impl EncryptedFileError {
    /// Its stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Format(_) => "CHY-3010",
            Self::Truncated { .. } => "CHY-3011",
            Self::Trailing { .. } => "CHY-3012",
            Self::Reordered { .. } => "CHY-3013",
            Self::Spliced { .. } => "CHY-3014",
            Self::Altered { .. } => "CHY-3015",
            Self::NotARecipient => "CHY-3016",
            Self::HeaderAltered => "CHY-3017",
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    #[serde(with = "serde_bytes")]
    file: Vec<u8>,
    size: u64,
    recipients: Vec<Recipient>,
}

fn format(fault: EncryptedFormatFault) -> ProtocolError {
    EncryptedFileError::Format(fault).into()
}

impl Header {
    fn info(&self, recipient: &AgencyName) -> Vec<u8> {
        let bound = Digest::of(&[&self.file[..], &self.size.to_be_bytes()].concat());
        [b"chancery/1 file\n", recipient.as_str().as_bytes(), b"\n", &bound.as_bytes()[..]].concat()
    }

    /// The file's whole length, behind its header.
    fn body_len(&self) -> Option<u64> {
        let chunks = self.size.div_ceil(CHUNK_PLAINTEXT as u64).max(1);
        ciphertext_len(self.size)?.checked_add(chunks.checked_mul(NAME as u64)?)
    }
}

/// Encrypts one file, chunk by chunk.
#[derive(Debug)]
pub struct FileSealer {
    sealer: StreamSealer,
    name: [u8; NAME],
}

impl FileSealer {
    /// Starts a file of `size` bytes for some agencies; returns what stands before its chunks.
    ///
    /// # Errors
    /// [`ProtocolError`] without recipients, with too many, or when a key cannot be wrapped.
    pub fn new(
        recipients: &[(AgencyName, KemPublicKey)],
        size: u64,
    ) -> Result<(Self, Vec<u8>), ProtocolError> {
        if recipients.is_empty() || recipients.len() > MAX_RECIPIENTS {
            return Err(format(EncryptedFormatFault::Recipients { most: MAX_RECIPIENTS }));
        }
        let name = chancery_crypto::random::<NAME>()?;
        let key = ContentKey::generate()?;
        let mut header = Header { file: name.to_vec(), size, recipients: Vec::new() };
        for (agency, public) in recipients {
            let wrapped = wrap_key(public, &key, &header.info(agency))?;
            header.recipients.push(Recipient { agency: agency.clone(), key: wrapped });
        }
        if header.body_len().is_none() {
            return Err(format(EncryptedFormatFault::TooLarge));
        }
        let bytes = cbor::encode(&header)?;
        let length = u32::try_from(bytes.len())
            .map_err(|_| format(EncryptedFormatFault::HeaderLength))?
            .to_be_bytes();
        let tag = key.authenticate(HEADER_TAG, &bytes);
        let head = [&ENCRYPTED_FILE_MAGIC[..], &length, &bytes, tag.as_bytes()].concat();
        Ok((Self { sealer: StreamSealer::new(&key), name }, head))
    }

    /// Encrypts the next chunk and appends it to `out`: a whole one of
    /// [`ENCRYPTED_FILE_CHUNK_PLAINTEXT`] bytes, or the last.
    ///
    /// # Errors
    /// [`ProtocolError::Crypto`] when a chunk has not the length of its place.
    pub fn seal(
        &mut self,
        chunk: &mut Vec<u8>,
        last: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), ProtocolError> {
        self.sealer.seal(chunk, last)?;
        out.extend_from_slice(&self.name);
        out.append(chunk);
        Ok(())
    }
}

/// Opens one file, chunk by chunk.
#[derive(Debug)]
pub struct FileOpener {
    opener: StreamOpener,
    name: Vec<u8>,
    size: u64,
    next: u64,
}

/// How long the head of a file is, from its first bytes (12 are enough), or `None` with fewer.
///
/// # Errors
/// [`EncryptedFileError::Format`] when it is no encrypted file.
pub fn encrypted_head_len(bytes: &[u8]) -> Result<Option<usize>, ProtocolError> {
    let Some(head) = bytes.first_chunk::<HEAD>() else {
        let known = bytes.len().min(ENCRYPTED_FILE_MAGIC.len());
        let fits = bytes.get(..known) == ENCRYPTED_FILE_MAGIC.get(..known);
        return if fits { Ok(None) } else { Err(format(EncryptedFormatFault::Magic)) };
    };
    let (magic, length) = head.split_at(ENCRYPTED_FILE_MAGIC.len());
    if let Some(version) = newer(magic, &ENCRYPTED_FILE_MAGIC) {
        return Err(ProtocolError::newer(Unknown::File { version }));
    }
    if magic != ENCRYPTED_FILE_MAGIC {
        return Err(format(EncryptedFormatFault::Magic));
    }
    let length = length.iter().fold(0usize, |n, b| (n << 8) | usize::from(*b));
    if length > cbor::MAX_BYTES {
        return Err(format(EncryptedFormatFault::HeaderLength));
    }
    Ok(Some(HEAD + length + Digest::LEN))
}

impl FileOpener {
    /// Opens the head of a file that has `length` bytes in all.
    ///
    /// # Errors
    /// [`EncryptedFileError`], and nothing is decrypted.
    pub fn new(head: &[u8], length: u64, key: &KemPrivateKey) -> Result<Self, ProtocolError> {
        if encrypted_head_len(head)? != Some(head.len()) {
            return Err(format(EncryptedFormatFault::HeaderCut));
        }
        let (header_bytes, tag) = head
            .get(HEAD..)
            .and_then(|rest| rest.split_last_chunk::<{ Digest::LEN }>())
            .ok_or_else(|| format(EncryptedFormatFault::HeaderCut))?;
        let header = cbor::decode_open(header_bytes, cbor::MAX_BYTES);
        let header: Header = header.map_err(|error| match error {
            CborError::Newer(_) => error.into(),
            other => format(EncryptedFormatFault::Header(other)),
        })?;
        let body = header.body_len().ok_or_else(|| format(EncryptedFormatFault::Size))?;
        if header.file.len() != NAME || header.recipients.len() > MAX_RECIPIENTS {
            return Err(format(EncryptedFormatFault::HeaderContent));
        }
        let try_one = |one: &Recipient| unwrap_key(key, &one.key, &header.info(&one.agency)).ok();
        let fits = |one: &&Recipient| fits(&one.key, key);
        let content = header.recipients.iter().filter(fits).find_map(try_one);
        let content = content.ok_or(EncryptedFileError::NotARecipient)?;
        if content.authenticate(HEADER_TAG, header_bytes) != Digest::from_bytes(*tag) {
            return Err(EncryptedFileError::HeaderAltered.into());
        }
        let want = body.saturating_add(head.len() as u64);
        if length < want {
            return Err(EncryptedFileError::Truncated { found: length, want }.into());
        }
        if length > want {
            return Err(EncryptedFileError::Trailing { more: length - want }.into());
        }
        let sealed =
            ciphertext_len(header.size).ok_or_else(|| format(EncryptedFormatFault::Size))?;
        let opener = StreamOpener::new(&content, sealed)?;
        Ok(Self { opener, name: header.file, size: header.size, next: 0 })
    }

    /// The length of what is inside.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Opens the next chunk in place, as it stands in the file.
    ///
    /// # Errors
    /// [`EncryptedFileError`]: moved, taken from another file, or altered.
    pub fn open(&mut self, chunk: &mut Vec<u8>) -> Result<(), ProtocolError> {
        let index = self.next;
        if chunk.get(..NAME) != Some(&self.name[..]) {
            return Err(EncryptedFileError::Spliced { chunk: index }.into());
        }
        chunk.drain(..NAME);
        let sealed = chunk.clone();
        match self.opener.open(index, chunk) {
            Ok(()) => {
                self.next += 1;
                Ok(())
            }
            Err(CryptoError::Chunk(_)) => Err(self.diagnose(index, &sealed).into()),
            Err(other) => Err(other.into()),
        }
    }

    /// Whether a chunk that does not open in its place does in another's.
    fn diagnose(&self, want: u64, sealed: &[u8]) -> EncryptedFileError {
        // Bounded: a file of any size must not cost more than a moment to refuse.
        let others = (0..self.opener.chunks().min(4096)).filter(|found| *found != want);
        let mut others =
            others.filter(|found| self.opener.open(*found, &mut sealed.to_vec()).is_ok());
        match others.next() {
            Some(found) => EncryptedFileError::Reordered { found, want },
            None => EncryptedFileError::Altered { chunk: want },
        }
    }
}

fn fits(wrapped: &WrappedKey, key: &KemPrivateKey) -> bool {
    wrapped.kem == key.kem()
}
