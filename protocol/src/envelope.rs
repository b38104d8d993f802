use std::{fmt, str::FromStr};

use chancery_certs::{AgencyName, Certificate, Credential, Scrutiny, SealError, SignerName};
use chancery_certs::{open_sealed, seal_with};
use chancery_crypto::{
    CHUNK_SIZE, CoseFault, CoseSign, CryptoError, Digest, Hasher, KemPrivateKey, PartOpener,
    PartSealer, WrappedKey, cbor, plaintext_len, unwrap_key_with_part,
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{EnvelopeFault, ProtocolError, Urgency};

const ENVELOPE: &str = "application/vnd.chancery.envelope+cbor";

/// The identity of an envelope: the SHA-256 of its deterministic outer header.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EnvelopeId(Digest);

impl EnvelopeId {
    /// The digest.
    pub fn digest(&self) -> &Digest {
        &self.0
    }

    /// An id from its 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Digest::from_slice(bytes).map(Self)
    }
}

impl fmt::Display for EnvelopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for EnvelopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnvelopeId({})", self.0)
    }
}

impl FromStr for EnvelopeId {
    type Err = ProtocolError;

    fn from_str(text: &str) -> Result<Self, ProtocolError> {
        let digest = Digest::from_hex(text);
        digest.map(Self).ok_or_else(|| bad(EnvelopeFault::NoId { given: text.to_owned() }))
    }
}

/// One recipient of an envelope, and the content key under its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// The wrapped content key.
    pub key: WrappedKey,
    /// The agency.
    pub agency: AgencyName,
}

/// The use that a content key is wrapped for: it binds sender and recipient (`info` of RFC 9180).
pub fn recipient_info(sender: &AgencyName, recipient: &AgencyName) -> Vec<u8> {
    format!("chancery/1 envelope\n{sender}\n{recipient}").into_bytes()
}

/// The outer header: what a node must know to carry an envelope. Nothing of the content shows. A newer version may add
/// fields: the id is of the bytes that were signed, which are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvelopeHeader {
    /// The Merkle root over the ciphertext chunks.
    pub root: Digest,
    /// Bytes of ciphertext.
    pub size: u64,
    /// The sending agency.
    pub sender: AgencyName,
    /// When it was sealed, in seconds since 1970 UTC.
    pub created: i64,
    /// Until when delivery is tried.
    pub expires: i64,
    /// The urgency.
    pub urgency: Urgency,
    /// The salted commitment to the document inside.
    pub commitment: Digest,
    /// The recipients.
    pub recipients: Vec<Recipient>,
}

/// An envelope header whose seal and path were verified.
#[derive(Debug, Clone)]
pub struct OpenedEnvelope {
    /// Its identity.
    pub id: EnvelopeId,
    /// The header.
    pub header: EnvelopeHeader,
    /// The chain of the seal, own certificate first.
    pub chain: Vec<Certificate>,
    /// Lists were asked, and none of them says whether the certificate of this one is revoked.
    pub uncovered: Option<String>,
    /// What it holds for each recipient alone.
    pub parts: RecipientParts,
}

/// The longest sealed part of a recipient, in bytes.
pub const MAX_PART: usize = 512;

/// What an envelope holds for one recipient alone: only the sender and that recipient know what it says, and the
/// recipient's receipt names its commitment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientPart {
    /// The part, sealed in the context of the recipient's wrapped key (HPKE) and bound to the envelope's id.
    pub sealed: ByteBuf,
    /// The salted commitment to what it says.
    pub commitment: Digest,
}

/// What a recipient is told alone. Fields of newer versions are kept in [`OpenedPart::bytes`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartContent {
    /// The number of this copy (份号).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<u64>,
}

/// A part that was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedPart {
    /// What is known of what it says.
    pub content: PartContent,
    /// All that it says: a map in deterministic CBOR, as its sender wrote it.
    pub bytes: Vec<u8>,
    /// The salt of its commitment: with it, the recipient can show what it was told.
    pub salt: Digest,
    /// Its commitment.
    pub commitment: Digest,
}

fn commit_to_part(salt: &Digest, content: &[u8]) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(b"chancery/1 part\n");
    hasher.update(salt.as_bytes());
    hasher.update(content);
    hasher.finish()
}

impl RecipientPart {
    /// Seals what a recipient is told alone in an envelope.
    ///
    /// # Errors
    /// [`ProtocolError`] when it is too long, or there are no random bytes.
    pub fn seal(
        content: &PartContent,
        envelope: &EnvelopeId,
        sealer: PartSealer,
    ) -> Result<Self, ProtocolError> {
        Self::seal_bytes(&cbor::encode(content)?, envelope, sealer)
    }

    fn seal_bytes(
        content: &[u8],
        envelope: &EnvelopeId,
        sealer: PartSealer,
    ) -> Result<Self, ProtocolError> {
        let salt = Digest::from_bytes(chancery_crypto::random()?);
        let commitment = commit_to_part(&salt, content);
        let plain = [salt.as_bytes().as_slice(), content].concat();
        let sealed = sealer.seal(&plain, envelope.0.as_bytes())?;
        if sealed.len() > MAX_PART {
            return Err(bad(EnvelopeFault::PartLength { most: MAX_PART }));
        }
        Ok(Self { commitment, sealed: ByteBuf::from(sealed) })
    }

    /// Opens the part with the recipient's key, and checks that it says what the envelope commits to.
    ///
    /// # Errors
    /// [`ProtocolError`] when it is another's, of another envelope, altered, or of a newer version.
    pub fn open(
        &self,
        private: &KemPrivateKey,
        wrapped: &WrappedKey,
        info: &[u8],
        envelope: &EnvelopeId,
    ) -> Result<OpenedPart, ProtocolError> {
        let (_, opener) = unwrap_key_with_part(private, wrapped, info)?;
        self.open_by(opener, envelope)
    }

    /// As [`RecipientPart::open`], by what came of unwrapping the recipient's key.
    ///
    /// # Errors
    /// As [`RecipientPart::open`].
    pub fn open_by(
        &self,
        opener: PartOpener,
        envelope: &EnvelopeId,
    ) -> Result<OpenedPart, ProtocolError> {
        let plain = opener.open(&self.sealed, envelope.0.as_bytes())?;
        let cut = || bad(EnvelopeFault::PartCut);
        let (salt, content) = plain.split_at_checked(Digest::LEN).ok_or_else(cut)?;
        let salt = Digest::from_slice(salt).ok_or_else(cut)?;
        if commit_to_part(&salt, content) != self.commitment {
            return Err(bad(EnvelopeFault::PartCommitment));
        }
        let bytes = content.to_vec();
        let content = cbor::decode_open(&bytes, MAX_PART)?;
        Ok(OpenedPart { content, bytes, salt, commitment: self.commitment })
    }
}

/// The parts of an envelope, in the order of its recipients. They stand beside the outer header under the same seal, so
/// that they can be bound to its id, and so that nodes of the first release, which take no header with a field that they
/// do not know, pass over them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientParts {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parts: Vec<Option<RecipientPart>>,
}

impl RecipientParts {
    /// The parts, one place for each recipient of the header.
    pub fn new(parts: Vec<Option<RecipientPart>>) -> Self {
        Self { parts }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.parts.iter().all(Option::is_none)
    }

    /// The part of a recipient of the header that they stand beside.
    pub fn of(&self, header: &EnvelopeHeader, agency: &AgencyName) -> Option<&RecipientPart> {
        let place = header.recipients.iter().position(|r| r.agency == *agency)?;
        self.parts.get(place)?.as_ref()
    }

    fn read(more: Option<&[u8]>, header: &EnvelopeHeader) -> Result<Self, ProtocolError> {
        let Some(more) = more else { return Ok(Self::default()) };
        let parts: Self = cbor::decode_open(more, cbor::MAX_BYTES)?;
        if !parts.parts.is_empty() && parts.parts.len() != header.recipients.len() {
            return Err(bad(EnvelopeFault::PartPlaces));
        }
        if parts.parts.iter().flatten().any(|part| part.sealed.len() > MAX_PART) {
            return Err(bad(EnvelopeFault::PartLength { most: MAX_PART }));
        }
        Ok(parts)
    }
}

fn bad(fault: EnvelopeFault) -> ProtocolError {
    ProtocolError::Envelope(fault)
}

impl EnvelopeHeader {
    /// The envelope's identity.
    ///
    /// # Errors
    /// [`ProtocolError::Crypto`] never in practice; the form is plain.
    pub fn id(&self) -> Result<EnvelopeId, ProtocolError> {
        Ok(EnvelopeId(Digest::of(&cbor::encode(self)?)))
    }

    /// The number of ciphertext chunks.
    pub fn chunks(&self) -> u64 {
        self.size.div_ceil(CHUNK_SIZE as u64)
    }

    /// Whether `agency` is a recipient.
    pub fn is_for(&self, agency: &AgencyName) -> bool {
        self.recipients.iter().any(|recipient| recipient.agency == *agency)
    }

    /// The content key as wrapped for `agency`.
    pub fn key_for(&self, agency: &AgencyName) -> Option<&WrappedKey> {
        self.recipients.iter().find(|r| r.agency == *agency).map(|r| &r.key)
    }

    /// Seals the header by the sending agency.
    ///
    /// # Errors
    /// [`ProtocolError::Crypto`] when signing fails.
    pub fn seal(&self, by: &Credential, now: i64) -> Result<Vec<u8>, ProtocolError> {
        self.seal_with(&RecipientParts::default(), by, now)
    }

    /// As [`EnvelopeHeader::seal`], with what is for each recipient alone.
    ///
    /// # Errors
    /// As [`EnvelopeHeader::seal`].
    pub fn seal_with(
        &self,
        parts: &RecipientParts,
        by: &Credential,
        now: i64,
    ) -> Result<Vec<u8>, ProtocolError> {
        let more = (!parts.is_empty()).then(|| cbor::encode(parts)).transpose()?;
        Ok(seal_with(ENVELOPE, self, more, by, now, cbor::MAX_BYTES)?)
    }

    /// Verifies a sealed header: signed by the very agency that it names as sender, and with a
    /// size that a content can have.
    ///
    /// # Errors
    /// [`ProtocolError`], saying why it is not accepted.
    pub fn open(bytes: &[u8], by: &Scrutiny<'_>) -> Result<OpenedEnvelope, ProtocolError> {
        let opened = open_sealed::<Self>(ENVELOPE, bytes, by)?;
        let header = opened.value;
        if opened.signer != SignerName::Agency(header.sender.clone()) {
            let (want, found) = (header.sender.to_string(), opened.signer.to_string());
            return Err(SealError::Signer { want, found }.into());
        }
        if header.size == 0 || plaintext_len(header.size).is_none() {
            return Err(bad(EnvelopeFault::Size { size: header.size }));
        }
        // Of the bytes that were signed, not of how we would write them.
        let id = EnvelopeId(opened.digest);
        let parts = RecipientParts::read(opened.more.as_deref(), &header)?;
        let (chain, uncovered) = (opened.chain, opened.uncovered);
        Ok(OpenedEnvelope { id, header, chain, uncovered, parts })
    }

    /// Reads a sealed header that was verified before it was stored.
    ///
    /// # Errors
    /// [`ProtocolError`] when it cannot be read.
    pub fn reopen(bytes: &[u8]) -> Result<(EnvelopeId, Self), ProtocolError> {
        let (id, header, _) = Self::reopen_whole(bytes)?;
        Ok((id, header))
    }

    /// As [`EnvelopeHeader::reopen`], with what is for each recipient alone.
    ///
    /// # Errors
    /// As [`EnvelopeHeader::reopen`].
    pub fn reopen_whole(bytes: &[u8]) -> Result<(EnvelopeId, Self, RecipientParts), ProtocolError> {
        let cose = CoseSign::decode(bytes)?;
        if cose.content_type() != ENVELOPE {
            return Err(CryptoError::Cose(CoseFault::NoEnvelope).into());
        }
        let header: Self = cbor::decode_open(cose.payload(), cbor::MAX_BYTES)?;
        let parts = RecipientParts::read(cose.more(), &header)?;
        Ok((EnvelopeId(Digest::of(cose.payload())), header, parts))
    }
}

#[cfg(test)]
mod tests {
    use chancery_crypto::{CborError, ContentKey, Kem, Unknown};
    use proptest::prelude::*;

    use super::*;
    use crate::document::tests::{NOW, World, world};

    fn name(text: &str) -> AgencyName {
        text.parse().expect("a name")
    }

    /// An envelope of `a.gov.cn` for some agencies with keys, each told something alone.
    struct Made {
        header: EnvelopeHeader,
        keys: Vec<KemPrivateKey>,
        sealed: Vec<u8>,
    }

    fn header(recipients: Vec<Recipient>) -> EnvelopeHeader {
        EnvelopeHeader {
            root: Digest::of(b"root"),
            size: 100,
            sender: name("a.gov.cn"),
            created: NOW,
            expires: NOW + 100,
            urgency: Urgency::Routine,
            commitment: Digest::of(b"commitment"),
            recipients,
        }
    }

    fn made(world: &World, told: &[Option<&[u8]>]) -> Made {
        let content = ContentKey::generate().expect("random bytes");
        let (mut recipients, mut sealers, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        for n in 0..told.len() {
            let key = KemPrivateKey::generate(Kem::X25519);
            let agency = name(&format!("r{n}.gov.cn"));
            let info = recipient_info(&name("a.gov.cn"), &agency);
            let public = key.public_key().prepare().expect("a key");
            let (wrapped, sealer) = public.wrap_with_part(&content, &info).expect("wraps");
            recipients.push(Recipient { agency, key: wrapped });
            keys.push(key);
            sealers.push(sealer);
        }
        let header = header(recipients);
        let id = header.id().expect("encodes");
        let parts = told.iter().zip(sealers).map(|(told, sealer)| {
            told.map(|told| RecipientPart::seal_bytes(told, &id, sealer).expect("seals"))
        });
        let parts = RecipientParts::new(parts.collect());
        let sealed = header.seal_with(&parts, &world.seal, NOW).expect("seals");
        Made { header, keys, sealed }
    }

    impl Made {
        /// What recipient `n` finds in a part, with its own key and wrap.
        fn open(&self, n: usize, part: &RecipientPart) -> Result<OpenedPart, ProtocolError> {
            let recipient = &self.header.recipients[n];
            let info = recipient_info(&self.header.sender, &recipient.agency);
            let id = self.header.id().expect("encodes");
            part.open(&self.keys[n], &recipient.key, &info, &id)
        }
    }

    #[test]
    fn each_recipient_is_told_its_own_and_what_is_told_cannot_be_moved() {
        let world = world();
        let copy = |n| cbor::encode(&PartContent { copy: Some(n) }).expect("plain");
        let (one, two) = (copy(1), copy(2));
        let told = [Some(one.as_slice()), None, Some(two.as_slice())];
        let (made, other) = (made(&world, &told), made(&world, &told));
        let opened =
            EnvelopeHeader::open(&made.sealed, &Scrutiny::without_lists(&world.trust, NOW))
                .expect("opens");
        assert_eq!(opened.id, made.header.id().expect("encodes"), "parts are not in the id");
        let parts = &opened.parts;
        let part = |n: usize| parts.of(&opened.header, &opened.header.recipients[n].agency);
        assert_eq!(part(1), None);
        assert_eq!(parts.of(&opened.header, &name("x.gov.cn")), None);
        let (first, third) = (part(0).expect("told"), part(2).expect("told"));
        assert_eq!(made.open(0, first).expect("opens").content.copy, Some(1));
        assert_eq!(made.open(2, third).expect("opens").content.copy, Some(2));
        // Of another recipient, of another envelope, of another commitment.
        made.open(0, third).expect_err("it is another's");
        made.open(2, first).expect_err("it is another's");
        other.open(0, first).expect_err("it is another envelope's");
        let swapped = RecipientPart { commitment: third.commitment, ..first.clone() };
        let error = made.open(0, &swapped).expect_err("it commits to something else");
        assert!(matches!(error, ProtocolError::Envelope(_)), "{error}");
        let (id, header, again) = EnvelopeHeader::reopen_whole(&made.sealed).expect("reads");
        assert_eq!((id, &header, &again), (opened.id, &opened.header, parts));
    }

    #[test]
    fn parts_that_do_not_fit_their_header_are_refused() {
        let world = world();
        let made = made(&world, &[Some(&[0xa0]), None]);
        let opened =
            EnvelopeHeader::open(&made.sealed, &Scrutiny::without_lists(&world.trust, NOW))
                .expect("opens");
        let part = opened.parts.parts[0].clone().expect("told");
        let refused = |parts: Vec<Option<RecipientPart>>| {
            let parts = RecipientParts::new(parts);
            let sealed = made.header.seal_with(&parts, &world.seal, NOW).expect("seals");
            EnvelopeHeader::open(&sealed, &Scrutiny::without_lists(&world.trust, NOW))
                .expect_err("refused")
        };
        refused(vec![Some(part.clone())]);
        refused(vec![Some(part.clone()), None, None]);
        let sealed = ByteBuf::from(vec![0; MAX_PART + 1]);
        refused(vec![None, Some(RecipientPart { sealed, ..part })]);
    }

    #[test]
    fn what_a_newer_version_adds_is_kept_and_what_it_demands_is_refused_by_name() {
        #[derive(Serialize)]
        struct Newer {
            #[serde(flatten)]
            header: EnvelopeHeader,
            weather: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            crit: Option<[&'static str; 1]>,
            #[serde(skip_serializing_if = "Option::is_none")]
            format: Option<u64>,
        }
        let world = world();
        let header = header(Vec::new());
        let seal = |crit, format| {
            let newer = Newer { header: header.clone(), weather: "rain", crit, format };
            let seal = seal_with(ENVELOPE, &newer, None, &world.seal, NOW, cbor::MAX_BYTES);
            seal.expect("seals")
        };
        let open =
            |bytes: &[u8]| EnvelopeHeader::open(bytes, &Scrutiny::without_lists(&world.trust, NOW));
        let bytes = seal(None, None);
        let opened = open(&bytes).expect("opens");
        assert_eq!(opened.header, header);
        assert_ne!(opened.id, header.id().expect("encodes"), "the id is of what was signed");
        let newer = |what| {
            let newer = CryptoError::Cbor(CborError::Newer(what));
            ProtocolError::Seal(SealError::Crypto(newer))
        };
        let error = open(&seal(Some(["weather"]), None)).expect_err("critical");
        assert_eq!(error, newer(Unknown::CriticalField { name: "weather".into() }));
        assert!(error.needs_newer());
        let error = open(&seal(None, Some(2))).expect_err("another form");
        assert_eq!(error, newer(Unknown::Form { form: 2 }));
        // What is known may be critical.
        open(&seal(Some(["expires"]), None)).expect("opens");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// Whatever a newer version tells a recipient comes back byte for byte.
        #[test]
        fn parts_come_back_as_they_were_written(
            map in prop::collection::btree_map("[a-e]{1,5}", any::<u32>(), 0..6), copy in any::<Option<u64>>()
        ) {
            let world = world();
            let mut map: std::collections::BTreeMap<String, u64> =
                map.into_iter().map(|(name, value)| (name, u64::from(value))).collect();
            map.extend(copy.map(|copy| ("copy".to_owned(), copy)));
            let told = cbor::encode(&map).expect("plain");
            let made = made(&world, &[Some(&told)]);
            let (_, header, parts) = EnvelopeHeader::reopen_whole(&made.sealed).expect("reads");
            let part = parts.of(&header, &header.recipients[0].agency).expect("told");
            let opened = made.open(0, part).expect("opens");
            prop_assert_eq!(opened.content.copy, copy);
            prop_assert_eq!(opened.commitment, commit_to_part(&opened.salt, &told));
            prop_assert_eq!(opened.bytes, told);
        }

        #[test]
        fn no_bytes_for_parts_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            drop(RecipientParts::read(Some(&bytes), &header(Vec::new())));
        }
    }
}
