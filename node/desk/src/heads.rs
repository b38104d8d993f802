//! What is known of envelopes that were opened.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use chancery_crypto::Digest;
use chancery_protocol::{EnvelopeId, SignedDocument, VerificationReport};

/// Opened heads that are remembered.
const MAX_OPENED: usize = 2_000;

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

/// Heads that were opened since the start. Only in memory: at rest all stays encrypted.
#[derive(Debug, Default)]
pub struct OpenedHeads(Mutex<HashMap<EnvelopeId, Arc<OpenedHead>>>);

impl OpenedHeads {
    /// A remembered head.
    pub fn get(&self, id: &EnvelopeId) -> Option<Arc<OpenedHead>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Forgets a head.
    pub fn forget(&self, id: &EnvelopeId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// Remembers a head.
    pub fn put(&self, head: Arc<OpenedHead>) {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if map.len() >= MAX_OPENED {
            map.clear();
        }
        map.insert(head.envelope, head);
    }
}
