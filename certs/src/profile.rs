use rcgen::{ExtendedKeyUsagePurpose, KeyUsagePurpose};
use serde::{Deserialize, Serialize};

/// A certificate profile: what a certificate of this kind holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// The root of a trust domain.
    Root,
    /// A ministry's or province's CA, with name constraints and pathLen.
    Intermediate,
    /// An agency's node: QUIC with mutual TLS. Short-lived.
    Node,
    /// An agency's electronic seal on documents, evidence and checkpoints.
    Seal,
    /// A person's signature.
    Officer,
    /// The signature of an enterprise or a citizen.
    Party,
    /// A time-stamping authority (RFC 3161 §2.3).
    Timestamp,
}

const DAY: i64 = 24 * 3600;

/// id-kp-documentSigning (RFC 9336).
const DOCUMENT_SIGNING: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 3, 36];

impl Profile {
    /// The profile's name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Intermediate => "intermediate",
            Self::Node => "node",
            Self::Seal => "seal",
            Self::Officer => "officer",
            Self::Party => "party",
            Self::Timestamp => "timestamp",
        }
    }

    /// Whether certificates of this profile are CAs.
    pub fn is_ca(self) -> bool {
        matches!(self, Self::Root | Self::Intermediate)
    }

    /// The validity that is given when none is asked for, in seconds.
    pub fn default_validity(self) -> i64 {
        match self {
            Self::Root => 20 * 365 * DAY,
            Self::Intermediate => 10 * 365 * DAY,
            Self::Node => 90 * DAY,
            Self::Seal => 3 * 365 * DAY,
            Self::Officer | Self::Party => 2 * 365 * DAY,
            // Tokens can be relied on for as long as this lasts, and longer with archive time-stamps.
            Self::Timestamp => 10 * 365 * DAY,
        }
    }

    pub(crate) fn key_usages(self) -> Vec<KeyUsagePurpose> {
        match self {
            Self::Root | Self::Intermediate => {
                vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign]
            }
            Self::Node | Self::Timestamp => vec![KeyUsagePurpose::DigitalSignature],
            Self::Seal | Self::Officer | Self::Party => vec![KeyUsagePurpose::ContentCommitment],
        }
    }

    pub(crate) fn extended_key_usages(self) -> Vec<ExtendedKeyUsagePurpose> {
        match self {
            Self::Node => {
                vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth]
            }
            // So that it can certify no time-stamping authority: extended key usage bounds those below.
            Self::Intermediate => vec![
                ExtendedKeyUsagePurpose::ServerAuth,
                ExtendedKeyUsagePurpose::ClientAuth,
                ExtendedKeyUsagePurpose::EmailProtection,
                ExtendedKeyUsagePurpose::Other(DOCUMENT_SIGNING.to_vec()),
            ],
            _ => Vec::new(),
        }
    }
}
