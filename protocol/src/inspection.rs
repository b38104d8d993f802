//! Opening a content while it arrives, before a receipt says that it is here.

use chancery_certs::AgencyName;
use chancery_crypto::{ContentKey, Digest, StreamOpener};

use crate::{
    ContentFault, ContentOpener, EnvelopeFault, EnvelopeHeader, MAX_DOCUMENT, ProtocolError,
    SignedDocument, commit_to_document,
};

/// What an envelope's content is looked at by: sealed chunks go in, in order, and at the end it is known that all of
/// them open, that the document inside is the one that the envelope commits to, of its sender and to this recipient, and
/// that each part is the one that was signed. Takes the memory of one chunk and of the signed document. No signature is
/// verified: whose they are is a matter of opinion and of time, and stands in the verdict.
#[derive(Debug)]
pub struct ContentInspection {
    header: EnvelopeHeader,
    recipient: AgencyName,
    stream: StreamOpener,
    next: u64,
    opener: ContentOpener,
    compared: bool,
    chunk: Vec<u8>,
}

/// What was found in a content that is as its envelope says.
#[derive(Debug, Clone)]
pub struct InspectedContent {
    /// The salt of the document commitment.
    pub salt: Digest,
    /// The document.
    pub document: SignedDocument,
}

impl ContentInspection {
    /// Begins to look at the content of an envelope that is for `recipient`.
    ///
    /// # Errors
    /// [`ProtocolError`] when no content has the length that the header says.
    pub fn new(
        key: &ContentKey,
        header: EnvelopeHeader,
        recipient: &AgencyName,
    ) -> Result<Self, ProtocolError> {
        Ok(Self {
            stream: StreamOpener::new(key, header.size)?,
            header,
            recipient: recipient.clone(),
            next: 0,
            opener: ContentOpener::default(),
            compared: false,
            chunk: Vec::new(),
        })
    }

    /// Takes the next sealed chunk.
    ///
    /// # Errors
    /// [`ProtocolError`], saying what is not as it should be, as soon as that is known; the inspection is over then.
    pub fn push(&mut self, sealed: &[u8]) -> Result<(), ProtocolError> {
        self.chunk.clear();
        self.chunk.extend_from_slice(sealed);
        self.stream.open(self.next, &mut self.chunk)?;
        self.next += 1;
        // A part that was altered is told from a document that does not belong here by what comes first.
        self.opener.push(&self.chunk, |_| Ok::<_, ProtocolError>(()))?;
        if !self.compared
            && let Some((salt, document)) = self.opener.salt().zip(self.opener.document())
        {
            let length = document.bytes().len();
            if length > MAX_DOCUMENT {
                return Err(ContentFault::DocumentLength { length }.into());
            }
            check_inside(&self.header, Some(&self.recipient), salt, document)?;
            self.compared = true;
        }
        Ok(())
    }

    /// The end: that nothing is missing.
    ///
    /// # Errors
    /// [`ProtocolError::Content`] when it is cut off.
    pub fn finish(self) -> Result<InspectedContent, ProtocolError> {
        if self.next < self.stream.chunks() {
            return Err(ContentFault::Cut.into());
        }
        let (salt, document) = self.opener.finish()?;
        Ok(InspectedContent { salt, document })
    }
}

/// That the document in an envelope is the one that the envelope commits to, of its sender and, where one is given, to
/// that recipient.
///
/// # Errors
/// [`ProtocolError::Envelope`], saying what does not belong together.
pub fn check_inside(
    header: &EnvelopeHeader,
    recipient: Option<&AgencyName>,
    salt: &Digest,
    document: &SignedDocument,
) -> Result<(), ProtocolError> {
    // The sender vouched for the commitment in the sealed header and in its ledger: a document
    // that does not fit it would make every receipt worthless.
    if commit_to_document(salt, &document.id()) != header.commitment {
        return Err(EnvelopeFault::OtherDocument.into());
    }
    // Whoever has a genuine document of another agency could hand it on in an envelope of its own: it would look as
    // if that agency had sent it here.
    let inner = document.header();
    let (from, sender) = (inner.sender(), &header.sender);
    if from != sender {
        let (sender, from) = (sender.clone(), from.clone());
        return Err(EnvelopeFault::OtherSender { sender, from }.into());
    }
    if let Some(recipient) = recipient
        && !inner.recipients().contains(&recipient)
    {
        let (from, recipient) = (from.clone(), recipient.clone());
        return Err(EnvelopeFault::OtherRecipient { from, recipient }.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chancery_crypto::{CHUNK_SIZE, Commitment};
    use proptest::prelude::*;

    use super::*;
    use crate::{
        ContentSealer, DocumentHeader, Urgency,
        document::tests::{NOW, header, world},
        sign_document,
    };

    /// A content with one part, and the envelope that it is in.
    fn sealed(
        key: &ContentKey,
        part: &[u8],
        change: impl FnOnce(&mut DocumentHeader, &mut Digest),
    ) -> (EnvelopeHeader, Vec<u8>) {
        let (mut inner, salt) = (header(&[("a", part)]), Digest::of(b"salt"));
        inner.fields = BTreeMap::new();
        let mut commitment = Digest::of(b"");
        change(&mut inner, &mut commitment);
        let document = sign_document(&inner, &world().officer, Commitment::Approval, NOW);
        let document = document.expect("signs");
        if commitment == Digest::of(b"") {
            commitment = commit_to_document(&salt, &document.id());
        }
        let mut out = Vec::new();
        let mut sealer = ContentSealer::new(key, &salt, &document, &mut out).expect("fits");
        sealer.push(part, &mut out).expect("as signed");
        let content = sealer.finish(&mut out).expect("whole");
        let outer = EnvelopeHeader {
            root: content.root,
            size: content.size,
            sender: "a.gov.cn".parse().expect("a name"),
            created: NOW,
            expires: NOW + 60,
            urgency: Urgency::Routine,
            commitment,
            recipients: Vec::new(),
        };
        (outer, out)
    }

    fn inspect(
        key: &ContentKey,
        header: &EnvelopeHeader,
        sealed: &[u8],
        recipient: &str,
    ) -> Result<InspectedContent, ProtocolError> {
        let recipient = recipient.parse().expect("a name");
        let mut inspection = ContentInspection::new(key, header.clone(), &recipient)?;
        sealed.chunks(CHUNK_SIZE).try_for_each(|chunk| inspection.push(chunk))?;
        inspection.finish()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// What is whole is found; of anything changed, cut off or repeated nothing is.
        #[test]
        fn only_a_whole_content_passes(size in 0usize..200_000, at: prop::sample::Index, bit in 0u8..8) {
            let key = ContentKey::generate().expect("random bytes");
            let (header, good) = sealed(&key, &vec![7; size], |_, _| ());
            inspect(&key, &header, &good, "b.gov.cn").expect("it is whole");
            let mut bad = good.clone();
            bad[at.index(good.len())] ^= 1 << bit;
            prop_assert!(inspect(&key, &header, &bad, "b.gov.cn").is_err());
            let cut = good.len().saturating_sub(CHUNK_SIZE);
            prop_assert!(inspect(&key, &header, &good[..cut], "b.gov.cn").is_err());
            let twice = [&good[..], &good[..]].concat();
            prop_assert!(inspect(&key, &header, &twice, "b.gov.cn").is_err());
        }
    }

    #[test]
    fn what_the_envelope_does_not_say_is_refused() {
        let key = ContentKey::generate().expect("random bytes");
        let inside = |change: &dyn Fn(&mut DocumentHeader, &mut Digest), recipient| {
            let (header, content) = sealed(&key, b"text", change);
            inspect(&key, &header, &content, recipient).map(drop)
        };
        assert_eq!(inside(&|_, _| (), "b.gov.cn"), Ok(()));
        let refused = [
            inside(&|_, commitment| *commitment = Digest::of(b"another"), "b.gov.cn"),
            inside(&|inner, _| inner.from = "c.gov.cn".parse().expect("a name"), "b.gov.cn"),
            inside(&|_, _| (), "d.gov.cn"),
        ];
        for result in refused {
            assert!(matches!(result, Err(ProtocolError::Envelope(_))), "{result:?}");
        }
        // A part that opens and is not the one that was signed: sealed honestly, then put into another envelope.
        let (_, other) = sealed(&key, b"teXt", |_, _| ());
        let (header, _) = sealed(&key, b"text", |_, _| ());
        let result = inspect(&key, &header, &other, "b.gov.cn").map(drop);
        assert!(matches!(result, Err(ProtocolError::Envelope(_))), "{result:?}");
        // Another key, and noise.
        let other = ContentKey::generate().expect("random bytes");
        let (header, content) = sealed(&key, b"text", |_, _| ());
        assert!(inspect(&other, &header, &content, "b.gov.cn").is_err());
        assert!(inspect(&key, &header, &vec![9; content.len()], "b.gov.cn").is_err());
    }
}
