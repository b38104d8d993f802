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

#[cfg(test)]
mod tests {
    use chancery_certs::Credential;
    use chancery_protocol::{DocumentHeader, Event};
    use chancery_store::Table;
    use chancery_test_domain::Domain;

    use super::*;
    use crate::testing::{
        envelope_of, events, hand_in, header, office, part, record, rows, send, signed,
    };

    const A: &str = "a.gov.cn";
    const B: &str = "b.gov.cn";

    fn domain() -> Domain {
        Domain::new(&[(A, None), (B, None), ("c.gov.cn", None)])
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_taken_is_durable_with_an_entry_and_a_delivery_for_each_recipient() {
        let domain = domain();
        let desk = office(&domain, A, |_| {});
        let li = domain.officer("li@a.gov.cn");
        let whole = b"whole text".as_slice();
        let two =
            DocumentHeader { parts: vec![part(whole)], ..header(A, "b.gov.cn c.gov.cn", "通知") };
        let document = signed(&two, &li);
        let Taken { accepted, again } =
            hand_in(&desk, &li, &document, whole).await.expect("it is taken");
        assert!(!again);
        assert_eq!(accepted.document, document.id());
        assert_eq!(accepted.recipients.len(), 2);
        assert_eq!(events(&desk), [Event::SubmissionAcceptance; 2]);
        assert_eq!(envelope_of(&desk, &document.id()), Some(accepted.envelope));
        let kept = record(&desk, &accepted.envelope).expect("it is here");
        assert!(!kept.incoming && kept.own_key.is_some() && !kept.in_file);
        in_place(|here| {
            assert_eq!(rows(here, &desk, Table::Pending), 2);
            assert_eq!(rows(here, &desk, Table::Deliveries), 2);
            let (_, found) =
                crate::opening::inside(here, &desk, &accepted.envelope).expect("opens");
            // The agency's seal stands beside the officer's signature.
            assert_eq!(found.cose().signatures().len(), 2);
        });
    }

    /// A refusal changes nothing but that it is recorded.
    async fn is_refused(
        office: &Office,
        by: &Credential,
        header: &DocumentHeader,
        code: &str,
    ) -> bool {
        let before = events(office).len();
        let refused = send(office, by, header).await.expect_err("it is refused");
        assert_eq!(refused.error.code(), code, "{}", refused.error);
        let after = events(office);
        let recorded = refused.recorded.is_some();
        assert_eq!(after.len(), before + usize::from(recorded), "{after:?}");
        in_place(|here| {
            for table in [Table::Envelopes, Table::Documents, Table::Content, Table::Pending] {
                assert_eq!(rows(here, office, table), 0, "{table:?}");
            }
        });
        recorded
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_refused_changes_nothing_but_that_this_is_recorded() {
        let domain = domain();
        let desk = office(&domain, A, |_| {});
        let (li, wang) = (domain.officer("li@a.gov.cn"), domain.officer("wang@b.gov.cn"));
        assert!(is_refused(&desk, &li, &header(A, A, "通知"), "CHY-4010").await, "to itself");
        assert!(
            is_refused(&desk, &li, &header(A, "x.gov.cn", "通知"), "CHY-4008").await,
            "unknown"
        );
        // What somebody else has signed is no submission of this agency's.
        assert!(!is_refused(&desk, &wang, &header(B, A, "通知"), "CHY-4010").await);
        assert!(!is_refused(&desk, &wang, &header(A, B, "通知"), "CHY-4010").await);
        let nobody = office(&domain, A, |config| {
            config.access.roles = [("clerk".to_owned(), vec!["wang@a.gov.cn".to_owned()])].into();
        });
        assert!(is_refused(&nobody, &li, &header(A, B, "通知"), "CHY-4018").await, "no clerk");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn parts_are_as_many_bytes_as_the_header_says_and_those() {
        let domain = domain();
        let desk = office(&domain, A, |_| {});
        let li = domain.officer("li@a.gov.cn");
        let with = DocumentHeader { parts: vec![part(b"12345")], ..header(A, B, "通知") };
        let document = signed(&with, &li);
        for (bytes, code) in
            [(&b"1234"[..], "CHY-4022"), (b"123456", "CHY-4022"), (b"12346", "CHY-3003")]
        {
            let refused = hand_in(&desk, &li, &document, bytes).await.expect_err("it is refused");
            assert_eq!(refused.error.code(), code, "{bytes:?}: {}", refused.error);
        }
        assert_eq!(events(&desk), []);
        hand_in(&desk, &li, &document, b"12345").await.expect("it is taken");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_same_request_twice_is_done_once_also_at_the_same_time() {
        let domain = domain();
        let desk = office(&domain, A, |_| {});
        let li = domain.officer("li@a.gov.cn");
        let caller = Caller::signer(li.name());
        let (one, other) = (signed(&header(A, B, "通知"), &li), signed(&header(A, B, "函"), &li));
        struct Nothing;
        impl Parts for Nothing {
            async fn give(&mut self, _: &mut Taking) -> Result<(), NodeError> {
                Ok(())
            }
        }
        let ask = async |document: &SignedDocument| {
            let request = Some(RequestKey::new(&caller, "k1"));
            let handed =
                Handed { caller: &caller, document: document.bytes(), copies: None, request };
            submit(&desk, handed, &mut Nothing).await
        };
        let (first, second) = tokio::join!(ask(&one), ask(&one));
        let (first, second) = (first.expect("it is taken"), second.expect("it is taken"));
        assert_eq!(first.accepted.envelope, second.accepted.envelope);
        let third = ask(&one).await.expect("it was taken");
        assert!(third.again && third.accepted.envelope == first.accepted.envelope);
        assert_eq!(events(&desk).len(), 1);
        let reused = ask(&other).await.expect_err("the key was used");
        assert_eq!(reused.error.code(), "CHY-4021");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_larger_than_may_be_is_refused_once_it_is_known() {
        let domain = domain();
        let desk = office(&domain, A, |config| config.limits.envelope_bytes = 1000);
        let li = domain.officer("li@a.gov.cn");
        let large = vec![7; 2000];
        let with = DocumentHeader { parts: vec![part(&large)], ..header(A, B, "通知") };
        let refused = hand_in(&desk, &li, &signed(&with, &li), &large).await;
        assert_eq!(refused.expect_err("it is too large").error.code(), "CHY-4010");
        assert_eq!(in_place(|here| rows(here, &desk, Table::Envelopes)), 0);
    }
}
