//! What is known of envelopes that were opened.

use std::sync::Arc;

use chancery_crypto::Digest;
use chancery_protocol::{DocumentHeader, EnvelopeId, SignedDocument, VerificationReport};

use crate::limited::LimitedCache;

/// Opened heads that are remembered.
const MAX_OPENED: usize = 2_000;
/// Headers that are remembered: of all that one search looks at, both ways.
const MAX_SEARCHED: usize = 20_000;

/// The head of an opened envelope: everything but the parts' bytes.
#[derive(Debug)]
pub struct OpenedHead {
    /// The envelope.
    pub envelope: EnvelopeId,
    /// Whether it came from a peer.
    pub incoming: bool,
    /// When the envelope came, in seconds since 1970 UTC.
    pub arrived: i64,
    /// The number of this agency's copy, if its sender gave it one.
    pub copy: Option<u64>,
    /// The salt of the document's commitments in the ledger.
    pub salt: Digest,
    /// The document, whatever the verdict on it.
    pub document: SignedDocument,
    /// The verdict when it was opened.
    pub report: VerificationReport,
}

/// What is searched of a document: its header, and the texts in it as they are compared.
#[derive(Debug)]
pub(crate) struct Searched {
    pub(crate) header: DocumentHeader,
    pub(crate) incoming: bool,
    /// What stands over it for whoever may see that.
    pub(crate) over: Vec<String>,
    /// What everybody sees who may list it.
    pub(crate) always: Vec<String>,
}

/// What was opened since the start. Only in memory: at rest all stays encrypted.
#[derive(Debug)]
pub(crate) struct Opened {
    /// Heads, each with its verdict.
    pub(crate) heads: LimitedCache<EnvelopeId, Arc<OpenedHead>>,
    /// What is searched: ten times as many, of which each takes a kilobyte or two.
    pub(crate) searched: LimitedCache<EnvelopeId, Arc<Searched>>,
}

impl Default for Opened {
    fn default() -> Self {
        Self { heads: LimitedCache::new(MAX_OPENED), searched: LimitedCache::new(MAX_SEARCHED) }
    }
}

impl Opened {
    /// Forgets an envelope.
    pub(crate) fn forget(&self, id: &EnvelopeId) {
        self.heads.forget(id);
        self.searched.forget(id);
    }
}
