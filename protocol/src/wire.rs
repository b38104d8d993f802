//! What two nodes say to each other on a stream: a frame is four bytes of length, big-endian, and
//! a deterministic CBOR message.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use chancery_certs::AgencyName;
use chancery_crypto::{Digest, cbor};

use crate::{Growth, MessageFault, ProtocolError, Receipt, SealedNote};

/// The largest frame, in bytes without its length.
pub const MAX_FRAME: usize = cbor::MAX_BYTES;

/// The most ciphertext that an offer may bring along, in bytes: with the largest header it still
/// fits a frame.
pub const MAX_INLINE: usize = 512 * 1024;

/// Why a peer does not take an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// A stable code (`CHY-nnnn`).
    pub code: String,
    /// One sentence.
    pub reason: String,
    /// Seconds after which to try again; none when trying again is of no use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
}

impl Refusal {
    /// The refusal as it may be kept and shown: a peer's words, cut to a sentence's length and
    /// without what would steer a terminal, under a code of the known form.
    #[must_use]
    pub fn bounded(self) -> Self {
        let digits = self.code.strip_prefix("CHY-").filter(|d| d.len() == 4);
        let known = digits.is_some_and(|d| d.bytes().all(|b| b.is_ascii_digit()));
        let code = if known { self.code } else { "CHY-5000".into() };
        let reason = self.reason.chars().filter(|c| !c.is_control()).take(500).collect();
        Self { code, reason, ..self }
    }
}

/// A message between nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PeerMessage {
    /// The sender has an envelope. Small ones bring their ciphertext along.
    Offer {
        /// The whole ciphertext, when it is small.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content: Option<serde_bytes::ByteBuf>,
        /// The sealed outer header.
        #[serde(with = "serde_bytes")]
        envelope: Vec<u8>,
        /// The recipient to whom the receiver is to carry it on; none when it is the recipient itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recipient: Option<AgencyName>,
    },
    /// The receiver wants the ciphertext from this chunk on. It follows raw, to the stream's end.
    Want {
        /// The first chunk wanted.
        from_chunk: u64,
    },
    /// The receiver had the envelope already: the same evidence again.
    Have {
        /// The receipt of consignment.
        receipt: Receipt,
    },
    /// The receiver does not take it.
    Refuse(Refusal),
    /// The receiver has it durably.
    Evidence {
        /// The receipt of consignment.
        receipt: Receipt,
    },
    /// The receiver has it durably and carries it on. The recipient's evidence follows on the stream if it
    /// comes soon; else the sender asks again.
    Relayed {
        /// The receipt of the relay's acceptance.
        receipt: Receipt,
    },
    /// Is there a newer directory than this version?
    AskDirectory {
        /// The version that the asking node holds; 0 for none.
        version: u64,
        /// Its digest: whoever holds another directory of that version answers with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<Digest>,
    },
    /// The newest directory, if it is newer, or another of the same version. It follows raw, to the stream's end.
    Directory {
        /// The length of the signed directory.
        size: Option<u64>,
    },
    /// A witness asks how the ledger grew since these sizes.
    AskGrowth {
        /// What the witness's clock says, in seconds since 1970 UTC; earlier releases do not say it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        now: Option<i64>,
        /// Sizes that the witness has seen sealed.
        sizes: Vec<u64>,
    },
    /// How it grew into its newest checkpoint.
    Growth {
        /// What the clock says here, in seconds since 1970 UTC; earlier releases do not say it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        now: Option<i64>,
        /// The newest checkpoint, a signed note.
        note: String,
        /// The time of the newest entry. An audit finds out whether that is true.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        newest: Option<i64>,
        /// One for every size asked for that is not larger.
        growths: Vec<Growth>,
        /// The compact range of the newest checkpoint's tree; see [`crate::merkle::verify_range`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        range: Option<Vec<Digest>>,
    },
    /// What is the newest checkpoint of the asking node's ledger that was seen here? It asks so before it seals anything, so that
    /// a ledger that was restored or copied does not go on where it already had gone on.
    AskSeen,
    /// The newest that was seen, with the chain of its seal; none when none was.
    Seen {
        /// The checkpoint.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sealed: Option<SealedNote>,
    },
    /// The witness found that consistent (C2SP tlog-cosignature).
    Cosignature {
        /// The signature line.
        line: String,
        /// The witness's sealed statement of its key.
        statement: serde_bytes::ByteBuf,
    },
}

/// Encodes a message as one frame.
///
/// # Errors
/// [`ProtocolError::Message`] when it is larger than [`MAX_FRAME`].
pub fn encode_frame<T: Serialize>(message: &T) -> Result<Vec<u8>, ProtocolError> {
    let body = cbor::encode(message)?;
    let length = u32::try_from(body.len()).ok().filter(|_| body.len() <= MAX_FRAME);
    let length = length.ok_or(MessageFault::FrameLength { bytes: body.len() })?;
    let mut frame = Vec::with_capacity(4 + body.len());
    frame.extend(length.to_be_bytes());
    frame.extend(body);
    Ok(frame)
}

/// Decodes the body of a frame.
///
/// # Errors
/// [`ProtocolError::Crypto`] when it is no such message.
pub fn decode_frame<T: DeserializeOwned>(body: &[u8]) -> Result<T, ProtocolError> {
    Ok(cbor::decode_open(body, MAX_FRAME)?)
}

#[cfg(test)]
mod tests {
    use chancery_crypto::{Kem, WrappedKey};

    use super::*;
    use crate::{
        EnvelopeHeader, Recipient, RecipientPart, RecipientParts, Urgency, document::MAX_RECIPIENTS,
    };

    #[test]
    fn the_largest_offer_fits_a_frame() {
        // Names as long as a DNS name may be.
        let label = "a".repeat(62);
        let tail = "a".repeat(55);
        let name = |n: usize| {
            format!("n{n:04}.{label}.{label}.{label}.{tail}.cn").parse().expect("a name")
        };
        let key = WrappedKey { kem: Kem::XWing, enc: vec![0; 1120], ct: vec![0; 48] };
        let header = EnvelopeHeader {
            sender: name(0),
            recipients: (0..MAX_RECIPIENTS)
                .map(|n| Recipient { agency: name(n), key: key.clone() })
                .collect(),
            size: u64::MAX,
            root: Digest::of(b""),
            commitment: Digest::of(b""),
            urgency: Urgency::Routine,
            created: i64::MAX,
            expires: i64::MAX,
        };
        // A part that tells a number has a salt, a map and a tag.
        let part = RecipientPart { sealed: vec![0; 64].into(), commitment: header.root };
        let parts = RecipientParts::new(vec![Some(part); MAX_RECIPIENTS]);
        let parts = cbor::encode(&parts).expect("encodes");
        // The seal adds a signature and a chain of at most 8 certificates.
        let header = cbor::encode(&header).expect("encodes");
        let envelope = [header, parts, vec![0; 64 * 1024]].concat();
        let content = Some(vec![0; MAX_INLINE].into());
        let frame =
            encode_frame(&PeerMessage::Offer { envelope, content, recipient: Some(name(1)) })
                .expect("fits");
        assert!(frame.len() > MAX_FRAME / 2, "the limits are lower than they need to be");
    }

    #[test]
    fn messages_of_a_newer_version_are_read_or_named() {
        #[derive(Serialize)]
        #[serde(rename_all = "kebab-case")]
        enum Newer {
            AskDirectory { version: u64, mood: &'static str },
            AskMood { how: u64 },
            Goodbye,
        }
        let read = |message: &Newer| {
            decode_frame::<PeerMessage>(&encode_frame(message).expect("encodes")[4..])
        };
        let message = read(&Newer::AskDirectory { version: 7, mood: "fine" }).expect("reads");
        assert_eq!(message, PeerMessage::AskDirectory { version: 7, digest: None });
        for (message, name) in
            [(Newer::AskMood { how: 1 }, "ask-mood"), (Newer::Goodbye, "goodbye")]
        {
            let error = read(&message).expect_err("not known");
            let unknown = chancery_crypto::Unknown::Name { name: name.into() };
            assert_eq!(error, ProtocolError::newer(unknown));
            assert!(error.needs_newer());
        }
    }

    #[test]
    fn a_refusal_from_outside_is_cut_to_a_plain_sentence() {
        let refusal = |code: &str, reason: &str| {
            Refusal { code: code.into(), reason: reason.into(), retry_after: None }.bounded()
        };
        assert_eq!(refusal("CHY-5004", "too large"), refusal("CHY-5004", "too\u{7} large"));
        let long = refusal("<script>", &"x".repeat(1 << 20));
        assert_eq!((long.code.as_str(), long.reason.len()), ("CHY-5000", 500));
    }

    #[test]
    fn a_frame_that_is_too_large_is_not_made() {
        let content = Some(vec![0; MAX_FRAME].into());
        assert!(
            encode_frame(&PeerMessage::Offer { envelope: Vec::new(), content, recipient: None })
                .is_err()
        );
    }
}
