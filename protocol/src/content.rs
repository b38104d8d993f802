//! The content of an envelope: salt, signed document and parts as one stream, sealed in chunks.

use chancery_crypto::{
    CHUNK_OVERHEAD, CHUNK_PLAINTEXT, ContentKey, Digest, Hasher, StreamSealer, Unknown,
};

use crate::{ContentFault, DocumentHeader, ProtocolError, SignedDocument, merkle};

/// The first bytes of every content: a name and a version.
pub const CONTENT_MAGIC: [u8; 8] = *b"CHYDOC\x00\x01";
const MAGIC: [u8; 8] = CONTENT_MAGIC;
/// Magic, salt and the length of the signed document.
const HEAD: usize = MAGIC.len() + Digest::LEN + 4;
/// The largest signed document, without its parts, that is read.
const MAX_READ: usize = chancery_crypto::cbor::MAX_BYTES;
/// The largest that is sealed or taken in: there must be room for what whoever hands it out says with it.
pub const MAX_DOCUMENT: usize = MAX_READ - 64 * 1024;

/// The version of a form whose first bytes end with it, when that is above our own.
pub(crate) fn newer(found: &[u8], own: &[u8]) -> Option<u8> {
    let ((version, form), (known, own)) = (found.split_last()?, own.split_last()?);
    (form == own && version > known).then_some(*version)
}

fn bad(fault: ContentFault) -> ProtocolError {
    ProtocolError::Content(fault)
}

/// What sealing a content came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedContent {
    /// Bytes of ciphertext.
    pub size: u64,
    /// The Merkle root (RFC 6962 hashing) over the ciphertext chunks.
    pub root: Digest,
}

/// The head of a content, which the bytes of the parts follow: as it is sealed in envelopes, and as it
/// stands in an attached container, unsealed.
///
/// # Errors
/// [`ProtocolError::Content`] when the signed document is too large.
pub fn content_head(salt: &Digest, document: &SignedDocument) -> Result<Vec<u8>, ProtocolError> {
    let length = document.bytes().len();
    if length > MAX_DOCUMENT {
        return Err(bad(ContentFault::DocumentLength { length }));
    }
    let length = u32::try_from(length).map_err(|_| bad(ContentFault::DocumentLength { length }))?;
    let length = length.to_be_bytes();
    Ok([&MAGIC[..], salt.as_bytes(), &length, document.bytes()].concat())
}

/// Seals one content. Bytes go in in any pieces; whole sealed chunks come out.
#[derive(Debug)]
pub struct ContentSealer {
    sealer: StreamSealer,
    buffer: Vec<u8>,
    tree: merkle::CompactRange,
    size: u64,
    header: DocumentHeader,
    part: usize,
    part_left: u64,
    part_hash: Hasher,
}

impl ContentSealer {
    /// A sealer for a document. Its parts must follow, in order, through
    /// [`ContentSealer::push`].
    ///
    /// # Errors
    /// [`ProtocolError::Content`] when the signed document is too large.
    pub fn new(
        key: &ContentKey,
        salt: &Digest,
        document: &SignedDocument,
        out: &mut Vec<u8>,
    ) -> Result<Self, ProtocolError> {
        let head = content_head(salt, document)?;
        let header = document.header().clone();
        let mut sealer = Self {
            sealer: StreamSealer::new(key),
            buffer: Vec::with_capacity(CHUNK_PLAINTEXT + CHUNK_OVERHEAD),
            tree: merkle::CompactRange::default(),
            size: 0,
            part: 0,
            part_left: header.parts.first().map_or(0, |part| part.size),
            part_hash: Hasher::new(),
            header,
        };
        sealer.append(&head, out)?;
        sealer.finish_parts()?;
        Ok(sealer)
    }

    /// Takes the next bytes of the parts and appends sealed chunks to `out`.
    ///
    /// # Errors
    /// [`ProtocolError::Content`] when there are more bytes than the header says, and
    /// [`ProtocolError::PartDigest`] when a part is not the one that was signed.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> Result<(), ProtocolError> {
        while !bytes.is_empty() {
            if self.part >= self.header.parts.len() {
                return Err(bad(ContentFault::Trailing));
            }
            let take = usize::try_from(self.part_left).unwrap_or(usize::MAX).min(bytes.len());
            let (now, later) =
                bytes.split_at_checked(take).ok_or_else(|| bad(ContentFault::OutOfRange))?;
            self.part_hash.update(now);
            self.append(now, out)?;
            self.part_left -= now.len() as u64;
            bytes = later;
            self.finish_parts()?;
        }
        Ok(())
    }

    /// Closes every part that is complete, checking its digest.
    fn finish_parts(&mut self) -> Result<(), ProtocolError> {
        while self.part_left == 0
            && let Some(part) = self.header.parts.get(self.part)
        {
            let found = std::mem::take(&mut self.part_hash).finish();
            check_digest(part, found)?;
            self.part += 1;
            self.part_left = self.header.parts.get(self.part).map_or(0, |part| part.size);
        }
        Ok(())
    }

    fn append(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> Result<(), ProtocolError> {
        while !bytes.is_empty() {
            // A full buffer is sealed only when more follows: the last chunk is marked as such.
            if self.buffer.len() == CHUNK_PLAINTEXT {
                self.flush(false, out)?;
            }
            let take = (CHUNK_PLAINTEXT - self.buffer.len()).min(bytes.len());
            let (now, later) =
                bytes.split_at_checked(take).ok_or_else(|| bad(ContentFault::OutOfRange))?;
            self.buffer.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    fn flush(&mut self, last: bool, out: &mut Vec<u8>) -> Result<(), ProtocolError> {
        self.sealer.seal(&mut self.buffer, last)?;
        self.tree.push(merkle::leaf_hash(&self.buffer));
        self.size += self.buffer.len() as u64;
        out.append(&mut self.buffer);
        Ok(())
    }

    /// Seals the last chunk.
    ///
    /// # Errors
    /// [`ProtocolError::Content`] when parts are missing.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<SealedContent, ProtocolError> {
        if let Some(part) = self.header.parts.get(self.part) {
            return Err(bad(ContentFault::PartCut { part: part.name.clone() }));
        }
        self.flush(true, out)?;
        Ok(SealedContent { size: self.size, root: self.tree.root() })
    }
}

fn check_digest(part: &crate::Part, found: Digest) -> Result<(), ProtocolError> {
    if part.digest == found {
        return Ok(());
    }
    Err(ProtocolError::PartDigest { name: part.name.clone(), signed: part.digest, found })
}

/// What [`ContentOpener::push`] found.
#[derive(Debug)]
pub enum Opening<'a> {
    /// The document, before any of its parts.
    Document(&'a SignedDocument),
    /// The next bytes of part `index`.
    Part {
        /// The part's place in the header.
        index: usize,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// Part `index` is complete and has the digest that was signed.
    PartEnd {
        /// The part's place in the header.
        index: usize,
    },
}

/// Reads the plaintext of a content in any pieces and takes it apart again.
#[derive(Debug, Default)]
pub struct ContentOpener {
    head: Vec<u8>,
    salt: Option<Digest>,
    document: Option<SignedDocument>,
    part: usize,
    part_done: u64,
    part_hash: Hasher,
}

impl ContentOpener {
    /// The document, once it has been read.
    pub fn document(&self) -> Option<&SignedDocument> {
        self.document.as_ref()
    }

    /// The salt of the document commitment, once it has been read.
    pub fn salt(&self) -> Option<&Digest> {
        self.salt.as_ref()
    }

    /// Takes the next bytes and tells `sink` what they were.
    ///
    /// # Errors
    /// [`ProtocolError`] when the content is not well-formed or a part was altered, and whatever
    /// `sink` returns.
    pub fn push<E: From<ProtocolError>>(
        &mut self,
        mut bytes: &[u8],
        mut sink: impl FnMut(Opening<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.document.is_none() {
            bytes = self.push_head(bytes)?;
            let Some(document) = &self.document else { return Ok(()) };
            sink(Opening::Document(document))?;
        }
        loop {
            let Some(part) = self.document.as_ref().and_then(|d| d.header().parts.get(self.part))
            else {
                let more = !bytes.is_empty();
                return if more { Err(bad(ContentFault::Trailing).into()) } else { Ok(()) };
            };
            let left = part.size.saturating_sub(self.part_done);
            if left == 0 {
                check_digest(part, std::mem::take(&mut self.part_hash).finish())?;
                sink(Opening::PartEnd { index: self.part })?;
                self.part += 1;
                self.part_done = 0;
                continue;
            }
            if bytes.is_empty() {
                return Ok(());
            }
            let take = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
            let (now, later) =
                bytes.split_at_checked(take).ok_or_else(|| bad(ContentFault::OutOfRange))?;
            self.part_hash.update(now);
            self.part_done += now.len() as u64;
            sink(Opening::Part { index: self.part, bytes: now })?;
            bytes = later;
        }
    }

    /// Collects bytes until the signed document is whole; returns what follows it.
    fn push_head<'a>(&mut self, mut bytes: &'a [u8]) -> Result<&'a [u8], ProtocolError> {
        loop {
            let want = self.head_len()?.saturating_sub(self.head.len());
            if want == 0 {
                break;
            }
            if bytes.is_empty() {
                return Ok(bytes);
            }
            let (now, later) = bytes.split_at(want.min(bytes.len()));
            self.head.extend_from_slice(now);
            bytes = later;
        }
        let document = self.head.get(HEAD..).ok_or_else(|| bad(ContentFault::OutOfRange))?;
        self.document = Some(SignedDocument::decode(document)?);
        self.head = Vec::new();
        Ok(bytes)
    }

    /// How long the head is, as far as is known yet.
    fn head_len(&mut self) -> Result<usize, ProtocolError> {
        let Some(head) = self.head.first_chunk::<HEAD>() else { return Ok(HEAD) };
        let (magic, rest) = head.split_at(MAGIC.len());
        let (salt, length) = rest.split_at(Digest::LEN);
        if let Some(version) = newer(magic, &MAGIC) {
            return Err(ProtocolError::newer(Unknown::Content { version }));
        }
        if magic != MAGIC {
            return Err(bad(ContentFault::Magic));
        }
        self.salt = Digest::from_slice(salt);
        let length = length.iter().fold(0usize, |n, b| (n << 8) | usize::from(*b));
        if length > MAX_READ {
            return Err(bad(ContentFault::ClaimedLength { length }));
        }
        Ok(HEAD + length)
    }

    /// Checks that the content is complete, and hands out salt and document.
    ///
    /// # Errors
    /// [`ProtocolError::Content`] when it is cut off.
    pub fn finish(self) -> Result<(Digest, SignedDocument), ProtocolError> {
        let cut = || bad(ContentFault::Cut);
        let (salt, document) = self.salt.zip(self.document).ok_or_else(cut)?;
        if self.part < document.header().parts.len() {
            return Err(cut());
        }
        Ok((salt, document))
    }
}

#[cfg(test)]
mod tests {
    use chancery_crypto::{CHUNK_SIZE, Commitment, StreamOpener};
    use proptest::prelude::*;

    use super::*;
    use crate::document::tests::{NOW, header, world};
    use crate::sign_document;

    fn sign(parts: &[(&str, &[u8])]) -> SignedDocument {
        sign_document(&header(parts), &world().officer, Commitment::Approval, NOW).expect("signs")
    }

    fn seal(
        document: &SignedDocument,
        key: &ContentKey,
        bytes: &[u8],
        piece: usize,
    ) -> Result<(Vec<u8>, SealedContent), ProtocolError> {
        let mut out = Vec::new();
        let mut sealer = ContentSealer::new(key, &Digest::of(b"salt"), document, &mut out)?;
        for piece in bytes.chunks(piece) {
            sealer.push(piece, &mut out)?;
        }
        let sealed = sealer.finish(&mut out)?;
        Ok((out, sealed))
    }

    fn plain(key: &ContentKey, sealed: &[u8]) -> Vec<u8> {
        let opener = StreamOpener::new(key, sealed.len() as u64).expect("a length");
        let mut out = Vec::new();
        for (i, chunk) in sealed.chunks(CHUNK_SIZE).enumerate() {
            let mut chunk = chunk.to_vec();
            opener.open(i as u64, &mut chunk).expect("opens");
            out.extend(chunk);
        }
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_content_comes_back_whole_whatever_the_pieces(
            sizes in prop::collection::vec(0usize..90_000, 0..4), piece in 1usize..70_000
        ) {
            let bytes: Vec<Vec<u8>> =
                sizes.iter().enumerate().map(|(i, n)| vec![i as u8; *n]).collect();
            let names: Vec<String> = (0..sizes.len()).map(|i| format!("part {i}")).collect();
            let parts: Vec<(&str, &[u8])> =
                names.iter().map(String::as_str).zip(bytes.iter().map(Vec::as_slice)).collect();
            let document = sign(&parts);
            let key = ContentKey::generate().expect("random bytes");
            let (sealed, summary) =
                seal(&document, &key, &bytes.concat(), piece).expect("seals");
            prop_assert_eq!(summary.size, sealed.len() as u64);
            let mut tree = merkle::CompactRange::default();
            sealed.chunks(CHUNK_SIZE).for_each(|c| tree.push(merkle::leaf_hash(c)));
            prop_assert_eq!(summary.root, tree.root());

            let mut opener = ContentOpener::default();
            let mut back = vec![Vec::new(); sizes.len()];
            let mut ended = 0;
            for piece in plain(&key, &sealed).chunks(piece) {
                opener.push(piece, |event| {
                    match event {
                        Opening::Part { index, bytes } => back[index].extend_from_slice(bytes),
                        Opening::PartEnd { .. } => ended += 1,
                        Opening::Document(_) => {}
                    }
                    Ok::<(), ProtocolError>(())
                }).expect("opens");
            }
            prop_assert_eq!(ended, sizes.len());
            prop_assert_eq!(back, bytes);
            let (salt, read) = opener.finish().expect("whole");
            prop_assert_eq!(salt, Digest::of(b"salt"));
            prop_assert_eq!(read.id(), document.id());
        }
    }

    #[test]
    fn parts_that_are_altered_too_long_or_cut_off_are_refused_on_both_sides() {
        let document = sign(&[("a", b"hello")]);
        let key = ContentKey::generate().expect("random bytes");
        assert!(matches!(
            seal(&document, &key, b"hellO", 3),
            Err(ProtocolError::PartDigest { .. })
        ));
        assert!(matches!(seal(&document, &key, b"hello!", 3), Err(ProtocolError::Content(_))));
        assert!(matches!(seal(&document, &key, b"hell", 3), Err(ProtocolError::Content(_))));

        let good = plain(&key, &seal(&document, &key, b"hello", 3).expect("seals").0);
        let open = |bytes: &[u8]| {
            let mut opener = ContentOpener::default();
            opener.push(bytes, |_| Ok::<(), ProtocolError>(()))?;
            opener.finish().map(drop)
        };
        assert_eq!(open(&good), Ok(()));
        let mut altered = good.clone();
        *altered.last_mut().expect("bytes") ^= 1;
        assert!(matches!(open(&altered), Err(ProtocolError::PartDigest { .. })));
        assert!(matches!(open(&good[..good.len() - 1]), Err(ProtocolError::Content(_))));
        assert!(open(&[good.as_slice(), b"x"].concat()).is_err());
        assert!(open(b"CHYDOC\x00\x02").is_err());
        let mut newer = good.clone();
        newer[MAGIC.len() - 1] = 2;
        assert_eq!(open(&newer), Err(ProtocolError::newer(Unknown::Content { version: 2 })));
        assert!(open(b"").is_err());
        let mut huge = good[..HEAD].to_vec();
        huge[HEAD - 4..].fill(0xff);
        assert!(matches!(open(&huge), Err(ProtocolError::Content(_))));
    }
}
