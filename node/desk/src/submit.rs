//! The one way in for documents of this agency's people and systems. Doors hand over bytes and words, and say the answer; what
//! is asked, counted, sealed, committed, logged and recorded is the same whichever it was.

use bytes::Bytes;
use chancery_bus::NodeError;
use chancery_protocol::{DocumentId, SignedDocument};
use chancery_store::{Blocking, in_place};

use crate::{
    Office,
    access::Caller,
    rejections,
    request_key::RequestKey,
    submission::{Accepted, Filling, Submission},
};

/// The parts of a document, as a door gets them.
pub trait Parts: Send {
    /// Whether they are at hand as soon as they are asked for. Commits of others wait a moment for such a one.
    fn at_hand(&self) -> bool {
        false
    }

    /// The document is admitted: gives all of its parts, in the order of the header.
    fn give(&mut self, to: &mut Taking) -> impl Future<Output = Result<(), NodeError>> + Send;
}

/// What takes in the parts of a document.
pub struct Taking {
    filling: Filling,
    missing: u64,
}

impl std::fmt::Debug for Taking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Taking({} bytes missing)", self.missing)
    }
}

impl Taking {
    /// How many bytes are missing, by the header.
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// Takes in the next bytes.
    ///
    /// # Errors
    /// [`NodeError::Request`] when there are more than the header says; what taking in earlier ones gave.
    pub async fn push(&mut self, bytes: Bytes) -> Result<(), NodeError> {
        self.missing = self.missing.checked_sub(bytes.len() as u64).ok_or_else(|| {
            NodeError::Request("there is more in the parts than the header says".into())
        })?;
        self.filling.push(bytes).await
    }
}

/// What is handed in.
#[derive(Debug)]
pub struct Handed<'a> {
    /// Who hands it in.
    pub caller: &'a Caller,
    /// The signed document (COSE_Sign).
    pub document: &'a [u8],
    /// The number of the first recipient's copy, if copies are numbered.
    pub copies: Option<u64>,
    /// The request that it comes with, if that is to be done once.
    pub request: Option<RequestKey>,
}

/// What was taken.
#[derive(Debug)]
pub struct Taken {
    /// What its sender is told.
    pub accepted: Accepted,
    /// Whether the request was done before.
    pub again: bool,
}

/// Why something was not taken.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub error: NodeError,
    /// The document whose refusal is in the ledger.
    pub recorded: Option<DocumentId>,
}

impl<E: Into<NodeError>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self { error: error.into(), recorded: None }
    }
}

/// Takes in a document and its parts: when this returns, it is durable, and its delivery goes on. A request that was done before
/// is answered as it was, and its parts are not asked for.
///
/// # Errors
/// [`Refused`], with what was recorded of it.
pub async fn submit(
    office: &Office,
    handed: Handed<'_>,
    parts: &mut impl Parts,
) -> Result<Taken, Refused> {
    let (document, request) = (handed.document, handed.request.clone());
    let done = |here: &Blocking| done_before(here, office, request.as_ref(), document);
    if request.is_some()
        && let Some(accepted) = in_place(done)?
    {
        return Ok(Taken { accepted, again: true });
    }
    let error = match take(office, handed, parts).await {
        Ok(accepted) => return Ok(Taken { accepted, again: false }),
        Err(error) => error,
    };
    // The same request may have been done at the same time: then this is its answer, too.
    if request.is_some()
        && let Some(accepted) = in_place(done)?
    {
        return Ok(Taken { accepted, again: true });
    }
    let recorded = rejections::record(office, document, &error).await;
    Err(Refused { error, recorded })
}

/// What was answered to a request that was done before.
fn done_before(
    here: &Blocking,
    office: &Office,
    request: Option<&RequestKey>,
    document: &[u8],
) -> Result<Option<Accepted>, NodeError> {
    let Some(done) = request.map(|key| key.get(here, office)).transpose()?.flatten() else {
        return Ok(None);
    };
    let id = SignedDocument::decode(document)?.id();
    done.answer(&id).map(Some)
}

async fn take(
    office: &Office,
    handed: Handed<'_>,
    parts: &mut impl Parts,
) -> Result<Accepted, NodeError> {
    let Handed { caller, document, copies, request } = handed;
    let mut expected = parts.at_hand().then(|| office.ledger().expect());
    let mut submission = Submission::begin(office, caller, document, copies)?;
    if let Some(request) = request {
        submission.once(request);
    }
    let missing = submission.parts_size();
    office.room(missing.saturating_add(document.len() as u64))?;
    let mut taking = Taking { filling: submission.fill(office), missing };
    if !taking.filling.is_small() {
        // What is large takes its time; nobody is to wait for it.
        expected = None;
    }
    parts.give(&mut taking).await?;
    let Taking { filling, missing } = taking;
    if missing > 0 {
        return Err(NodeError::Request(format!("{missing} bytes of the parts are missing")));
    }
    let _expected = expected.unwrap_or_else(|| office.ledger().expect());
    let accepted = filling.seal(office).await?.commit(office).await?;
    tracing::info!(
        envelope = %accepted.envelope, recipients = accepted.recipients.len(), %caller, "accepted"
    );
    Ok(accepted)
}
