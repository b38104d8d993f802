//! Submissions that the node refused: the event `SubmissionRejection` of EN 319 522-1, so that an officer can show
//! when the agency's own node did not take a document, and why.

use chancery_bus::NodeError;
use chancery_crypto::{Digest, cbor};
use chancery_ledger::{Commit, unix_now};
use chancery_protocol::{
    DocumentId, EnvelopeId, Event, Indication, Leaf, SignedDocument, commit_to_document,
};
use chancery_store::{Blocking, Table, in_place};
use serde::{Deserialize, Serialize};

use crate::{
    Office,
    access::{Action, Caller, Object},
    views::{DocumentView, TraceStep, TraceView},
};

/// Where they are kept, in [`Table::Modules`].
const REJECTED: &[u8] = b"official-documents/rejected/";

/// The fewest digits of an id that are looked for.
const MIN_DIGITS: usize = 4;

/// The most that one look-up reads.
const MAX_FOUND: usize = 100;

/// A submission that was refused. Nothing of the document's header is here: that is nowhere at rest in the clear.
#[derive(Debug, Serialize, Deserialize)]
struct Rejection {
    /// With it, the ledger's entry shows which document it was.
    salt: Digest,
    /// The error's code.
    code: String,
    /// The rule, if one was the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    /// When, in seconds since 1970 UTC.
    time: i64,
}

impl Rejection {
    /// The code, and the rule if there was one: the same in every language.
    fn reason(&self) -> String {
        match &self.rule {
            Some(rule) => format!("{}: {rule}", self.code),
            None => self.code.clone(),
        }
    }
}

/// Records, once for each reason, that a document of an officer of this agency was refused. Returns the document, if
/// that is recorded now or was before.
///
/// What nobody signed, or somebody else did, is no submission, and what failed by the node's own fault was not refused.
pub(crate) async fn record(
    office: &Office,
    document: &[u8],
    error: &NodeError,
) -> Option<DocumentId> {
    let rule = match error {
        NodeError::NotPermitted { rule, .. } => Some(rule.clone()),
        NodeError::Declined { rules, .. } => Some(rules.clone()),
        NodeError::UnknownAgency(_) | NodeError::NotAccepted(_) | NodeError::Withdrawn { .. } => {
            None
        }
        _ => return None,
    };
    let document = SignedDocument::decode(document).ok()?;
    let own = &office.identity().agency;
    // It may have many signatures.
    let judged = in_place(|_| office.verify(document));
    let (document, report) = judged.into_parts();
    let signer =
        report.signatures.first().filter(|s| s.finding.indication == Indication::TotalPassed);
    let signer = signer.and_then(|s| s.signer.as_ref())?;
    if document.header().from != *own || signer.agency() != own {
        return None;
    }
    let id = document.id();
    match commit(office, &id, error.code(), rule).await {
        Ok(()) => Some(id),
        Err(error) => {
            tracing::error!(%error, document = %id, "a refused submission could not be recorded");
            None
        }
    }
}

async fn commit(
    office: &Office,
    document: &DocumentId,
    code: &str,
    rule: Option<String>,
) -> Result<(), NodeError> {
    let (salt, time) = (Digest::from_bytes(chancery_crypto::random()?), unix_now());
    let commitment = commit_to_document(&salt, document);
    let own = &office.identity().agency;
    let key = [REJECTED, document.digest().as_bytes(), code.as_bytes()].concat();
    let leaf = Leaf {
        event: Event::SubmissionRejection,
        envelope: no_envelope(&commitment)?,
        commitment,
        counterpart: own.clone(),
        time,
        evidence: None,
    };
    let mut commit = Commit { leaves: vec![leaf], ..Commit::default() };
    commit.absent(Table::Modules, key.clone());
    let rejection = Rejection { salt, code: code.to_owned(), rule, time };
    commit.batch.put(Table::Modules, key, cbor::encode(&rejection)?);
    office.ledger().commit(commit).await?;
    tracing::info!(%document, code, "a submission was refused");
    Ok(())
}

/// What stands in an entry in place of the envelope, which was never made: the commitment.
fn no_envelope(commitment: &Digest) -> Result<EnvelopeId, NodeError> {
    let id = EnvelopeId::from_slice(commitment.as_bytes());
    id.ok_or_else(|| NodeError::damaged("a commitment is no digest"))
}

/// What stands in place of an envelope in the entry of a kept refusal; nothing for a row of something else.
///
/// # Errors
/// [`NodeError`] when the record cannot be read.
pub(crate) fn entry_of(key: &[u8], value: &[u8]) -> Option<Result<EnvelopeId, NodeError>> {
    let id = key.strip_prefix(REJECTED)?.get(..Digest::LEN).and_then(DocumentId::from_slice);
    let read = || {
        let id = id.ok_or_else(|| NodeError::damaged("a refusal names no document"))?;
        let rejection: Rejection = cbor::decode(value)?;
        no_envelope(&commit_to_document(&rejection.salt, &id))
    };
    Some(read())
}

/// The refusals of the documents whose id starts with some bytes.
fn find(
    here: &Blocking,
    office: &Office,
    prefix: &[u8],
) -> Result<Vec<(DocumentId, Rejection)>, NodeError> {
    let prefix = [REJECTED, prefix].concat();
    let found = office.store(here).scan(Table::Modules, &prefix, &prefix, MAX_FOUND)?;
    let mut out = Vec::with_capacity(found.len());
    for (key, value) in found {
        let id = key.get(REJECTED.len()..).and_then(|rest| rest.get(..Digest::LEN));
        if let Some(id) = id.and_then(DocumentId::from_slice) {
            out.push((id, cbor::decode(&value)?));
        }
    }
    Ok(out)
}

/// The steps of a document's journey that ended with its refusal by the own node.
pub(crate) fn steps(
    here: &Blocking,
    office: &Office,
    document: &DocumentId,
) -> Result<Vec<TraceStep>, NodeError> {
    let found = find(here, office, document.digest().as_bytes())?;
    found.iter().map(|(id, rejection)| step(here, office, id, rejection)).collect()
}

fn step(
    here: &Blocking,
    office: &Office,
    document: &DocumentId,
    rejection: &Rejection,
) -> Result<TraceStep, NodeError> {
    let commitment = commit_to_document(&rejection.salt, document);
    let receipts = office.ledger().view(here).given_receipts(commitment.as_bytes())?;
    Ok(TraceStep {
        time: rejection.time,
        event: Event::SubmissionRejection.name().to_owned(),
        agency: office.identity().agency.clone(),
        entry: receipts.first().map(|receipt| receipt.index),
        by: None,
        indication: None,
        note: Some(rejection.reason()),
    })
}

/// The journey of a document that was refused and never taken, by the first digits of its id.
///
/// # Errors
/// [`NodeError::NotFound`] when none was, [`NodeError::Ambiguous`], [`NodeError::NotPermitted`]: there is no header
/// here that rules could look at, so it is for those who may read the ledger.
pub(crate) fn trace(
    here: &Blocking,
    office: &Office,
    caller: &Caller,
    digits: &str,
) -> Result<TraceView, NodeError> {
    let not_found = || NodeError::NotFound(digits.to_owned());
    let digits = digits.to_ascii_lowercase();
    if digits.len() < MIN_DIGITS {
        return Err(not_found());
    }
    let whole = hex::decode(digits.get(..digits.len() & !1).unwrap_or_default());
    let mut found = find(here, office, &whole.map_err(|_| not_found())?)?;
    found.retain(|(id, _)| id.to_string().starts_with(&digits));
    let last = found.iter().max_by_key(|(_, rejection)| rejection.time);
    let (id, last) = last.ok_or_else(not_found)?;
    if found.iter().any(|(other, _)| other != id) {
        return Err(NodeError::Ambiguous(digits));
    }
    office.permit(caller, Action::AUDIT, Object::Node)?;
    let envelope = no_envelope(&commit_to_document(&last.salt, id))?;
    let unopened = DocumentView::unopened(envelope, false, last.reason());
    let document = DocumentView {
        document: Some(*id),
        from: Some(office.identity().agency.clone()),
        ..unopened
    };
    let mut steps = steps(here, office, id)?;
    steps.sort_by_key(|step| step.time);
    Ok(TraceView { document, steps })
}

#[cfg(test)]
mod tests {
    use chancery_protocol::DocumentHeader;
    use chancery_test_domain::Domain;

    use super::*;
    use crate::{
        access::Caller,
        testing::{events, hand_in, header, office, part, send, signed},
    };

    const A: &str = "a.gov.cn";

    #[tokio::test(flavor = "multi_thread")]
    async fn a_refusal_is_recorded_once_for_each_reason_and_shown_to_those_who_read_the_ledger() {
        let domain = Domain::new(&[(A, None), ("b.gov.cn", None)]);
        let desk = office(&domain, A, |config| {
            let roles = [("clerk", "li@a.gov.cn"), ("auditor", "audit@a.gov.cn")];
            config.access.roles =
                roles.map(|(role, who)| (role.to_owned(), vec![who.to_owned()])).into();
        });
        let li = domain.officer("li@a.gov.cn");
        let document = signed(&header(A, "x.gov.cn", "通知"), &li);
        for _ in 0..3 {
            let refused =
                hand_in(&desk, &li, &document, &[]).await.expect_err("nobody is called so");
            assert_eq!(refused.recorded, Some(document.id()));
        }
        assert_eq!(events(&desk), [Event::SubmissionRejection]);
        let id = document.id().to_string();
        let shown = |who: &str| in_place(|here| trace(here, &desk, &Caller::signer(who), &id));
        let found = shown("audit@a.gov.cn").expect("an auditor sees it");
        assert_eq!(found.steps.len(), 1);
        assert_eq!(found.steps[0].entry, Some(0));
        assert!(found.steps[0].note.as_ref().is_some_and(|note| note.contains("CHY-4008")));
        assert!(shown("nobody@a.gov.cn").is_err());
        in_place(|here| {
            let steps = steps(here, &desk, &document.id()).expect("it is read");
            assert_eq!(steps.len(), 1);
        });
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_the_node_could_not_do_or_nobody_of_it_has_signed_is_no_refusal() {
        let domain = Domain::new(&[(A, None), ("b.gov.cn", None)]);
        let desk = office(&domain, A, |_| {});
        let (li, wang) = (domain.officer("li@a.gov.cn"), domain.officer("wang@b.gov.cn"));
        let stranger = send(&desk, &wang, &header(A, "b.gov.cn", "通知")).await;
        assert_eq!(stranger.expect_err("it is not of A").recorded, None);
        // The parts are missing: what comes again may be whole.
        let with = DocumentHeader { parts: vec![part(b"12")], ..header(A, "b.gov.cn", "通知") };
        let cut = hand_in(&desk, &li, &signed(&with, &li), b"1").await;
        assert_eq!(cut.expect_err("it is cut").recorded, None);
        assert_eq!(events(&desk), []);
        assert_eq!(
            record(
                &desk,
                b"no document",
                &NodeError::NotAccepted(chancery_bus::UnacceptedFault::Unsigned)
            )
            .await,
            None
        );
    }
}
