use std::fmt;

use chancery_certs::AgencyName;
use chancery_crypto::{Digest, cbor};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{EnvelopeId, ProtocolError};

/// What a leaf records: the events of ETSI EN 319 522-1 §6, and the evidence a node received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// This agency accepted a document from its own clerk for sending.
    SubmissionAcceptance,
    /// This agency refused a document of its own clerk: there is no envelope, and its commitment stands in place of
    /// one.
    SubmissionRejection,
    /// This agency took an envelope addressed to it into its keeping.
    ContentConsignment,
    /// An officer of this agency opened the document.
    ContentHandover,
    /// This agency took an envelope into its keeping to carry it on to another.
    RelayAcceptance,
    /// The recipient refused the envelope for good.
    RelayRejection,
    /// The envelope could not be delivered before it expired.
    RelayFailure,
    /// This agency received another's evidence, whose digest the leaf holds.
    EvidenceReceived,
    /// Ours: this agency received a relay's evidence, whose digest the leaf holds.
    RelayEvidenceReceived,
    /// Ours: the sender's withdrawal, which is in this envelope, came before the document was received.
    WithdrawalAcceptance,
    /// Ours: the sender's withdrawal, which is in this envelope, came too late.
    WithdrawalRejection,
    /// Ours: the content was removed for good, by the order whose digest the leaf holds.
    ContentPurged,
    /// Ours: this agency's modules have decided upon the document in this envelope, or upon a deadline that has passed, which has
    /// no envelope, and its commitment in place of one. The commitment is to the record of the decision.
    Decided,
    /// An event of a newer version. It is kept and shown; what it says is not known here, so that nothing rests on it.
    Unknown(EventName),
}

/// The name of an event that is not known here: ASCII letters, digits and hyphens, as it may be shown, and be part of a
/// file's name.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventName {
    len: u8,
    bytes: [u8; EventName::MAX],
}

impl EventName {
    /// The longest name, in bytes.
    pub const MAX: usize = 48;

    /// A name, if it is one that a newer version may give an event.
    fn new(name: &str) -> Option<Self> {
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let mut bytes = [0; Self::MAX];
        bytes.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        let len = u8::try_from(name.len()).ok()?;
        (plain && !name.is_empty()).then_some(Self { len, bytes })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        // It was made from a text.
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl fmt::Debug for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Event {
    /// All that are known.
    const KNOWN: [Self; 13] = [
        Self::SubmissionAcceptance,
        Self::SubmissionRejection,
        Self::ContentConsignment,
        Self::ContentHandover,
        Self::RelayAcceptance,
        Self::RelayRejection,
        Self::RelayFailure,
        Self::EvidenceReceived,
        Self::RelayEvidenceReceived,
        Self::WithdrawalAcceptance,
        Self::WithdrawalRejection,
        Self::ContentPurged,
        Self::Decided,
    ];

    /// The event of a name, known or not; none when no event can have it.
    pub fn of(name: &str) -> Option<Self> {
        let known = Self::KNOWN.into_iter().find(|event| event.name() == name);
        known.or_else(|| EventName::new(name).map(Self::Unknown))
    }

    /// Whether this version knows what it says.
    pub fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown(_))
    }

    /// The event's name in the terms of the standard.
    pub fn name(&self) -> &str {
        match self {
            Self::SubmissionAcceptance => "SubmissionAcceptance",
            Self::SubmissionRejection => "SubmissionRejection",
            Self::ContentConsignment => "ContentConsignment",
            Self::ContentHandover => "ContentHandover",
            Self::RelayAcceptance => "RelayAcceptance",
            Self::RelayRejection => "RelayRejection",
            Self::RelayFailure => "RelayFailure",
            Self::EvidenceReceived => "EvidenceReceived",
            Self::RelayEvidenceReceived => "RelayEvidenceReceived",
            Self::WithdrawalAcceptance => "WithdrawalAcceptance",
            Self::WithdrawalRejection => "WithdrawalRejection",
            Self::ContentPurged => "ContentPurged",
            Self::Decided => "Decided",
            Self::Unknown(name) => name.as_str(),
        }
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl de::Visitor<'_> for Name {
            type Value = Event;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of an event")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Event, E> {
                Event::of(name).ok_or_else(|| E::custom("no event can have this name"))
            }
        }
        deserializer.deserialize_str(Name)
    }
}

/// One entry of a ledger. It holds digests only: content can be purged by law and every proof
/// stays; the document shows only as a salted commitment. A newer version may add fields and events: the tree hashes the
/// leaf's bytes, which are kept as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaf {
    /// When, in seconds since 1970 UTC, by this node's clock.
    pub time: i64,
    /// What happened.
    pub event: Event,
    /// To which envelope.
    pub envelope: EnvelopeId,
    /// The digest of the evidence that came with it, or of the order that it follows, if any. Of an envelope with a part
    /// for its recipient alone: the commitment to that part (see [`crate::RecipientPart`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Digest>,
    /// The salted commitment to the document inside; see [`crate::commit_to_document`].
    pub commitment: Digest,
    /// The other agency: the sender of what came in, the recipient of what went out.
    pub counterpart: AgencyName,
}

impl Leaf {
    /// The leaf's deterministic CBOR, which is what the tree hashes.
    ///
    /// # Errors
    /// [`ProtocolError::Crypto`] never in practice; the form is plain.
    pub fn encode(&self) -> Result<Vec<u8>, ProtocolError> {
        Ok(cbor::encode(self)?)
    }

    /// Reads a leaf.
    ///
    /// # Errors
    /// [`ProtocolError::Crypto`] when the bytes are no leaf.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProtocolError> {
        Ok(cbor::decode_open(bytes, cbor::MAX_BYTES)?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chancery_crypto::{CborError, Unknown};
    use proptest::prelude::*;

    use super::*;

    fn leaf(event: Event) -> Leaf {
        Leaf {
            time: 1_790_000_000,
            event,
            envelope: EnvelopeId::from_slice(&[1; 32]).expect("32 bytes"),
            evidence: None,
            commitment: Digest::of(b"commitment"),
            counterpart: "b.gov.cn".parse().expect("a name"),
        }
    }

    proptest! {
        #[test]
        fn every_event_comes_back_as_it_was_written(name in "[A-Za-z0-9-]{1,48}") {
            let event = Event::of(&name).expect("a name");
            prop_assert_eq!(event.name(), name);
            let bytes = leaf(event).encode().expect("encodes");
            let read = Leaf::decode(&bytes).expect("reads");
            prop_assert_eq!(read.event, event);
            prop_assert_eq!(read.encode().expect("encodes"), bytes);
        }

        #[test]
        fn no_other_name_is_an_events(name in "\\PC{0,60}") {
            let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            let fits = plain && (1..=EventName::MAX).contains(&name.len());
            prop_assert_eq!(Event::of(&name).is_some(), fits);
            let bytes = cbor::encode(&name).expect("a text");
            prop_assert_eq!(cbor::decode::<Event>(&bytes).is_ok(), fits);
        }
    }

    #[test]
    fn known_events_are_known_by_their_names() {
        for event in Event::KNOWN {
            assert!(event.is_known());
            assert_eq!(Event::of(event.name()), Some(event));
        }
        assert!(!Event::of("ContentDevoured").expect("a name").is_known());
    }

    #[test]
    fn fields_of_a_newer_version_are_passed_over_unless_they_are_critical() {
        #[derive(Serialize)]
        struct Newer {
            #[serde(skip_serializing_if = "Option::is_none")]
            crit: Option<[&'static str; 1]>,
            time: i64,
            event: &'static str,
            weather: BTreeMap<u8, &'static str>,
            envelope: EnvelopeId,
            commitment: Digest,
            counterpart: AgencyName,
        }
        let Leaf { envelope, commitment, counterpart, time, .. } = leaf(Event::ContentPurged);
        let weather = [(1, "rain")].into();
        let event = "ContentPurged";
        let mut newer =
            Newer { crit: None, time, event, weather, envelope, commitment, counterpart };
        let read = Leaf::decode(&cbor::encode(&newer).expect("plain")).expect("reads");
        assert_eq!(read, leaf(Event::ContentPurged));
        newer.crit = Some(["weather"]);
        let error = Leaf::decode(&cbor::encode(&newer).expect("plain")).expect_err("critical");
        let want = CborError::Newer(Unknown::CriticalField { name: "weather".into() });
        assert_eq!(error, want.into());
    }
}
