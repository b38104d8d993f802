//! Acts between two desks over the memory store, which meet on the loopback.

use std::sync::Arc;

use chancery_certs::Credential;
use chancery_protocol::{DocumentId, Event, OUTCOME};
use chancery_store::in_place;
use chancery_test_domain::Domain;

use super::{Subject, of};
use crate::{
    Office,
    submit::{Refused, Taken},
    testing::{act, envelope_of, events, header, running, send, until},
};

const A: &str = "a.gov.cn";
const B: &str = "b.gov.cn";

/// Two agencies, an officer of each, and a document of the first that has come to the second.
struct Two {
    _domain: Domain,
    a: Arc<Office>,
    b: Arc<Office>,
    li: Credential,
    wang: Credential,
    document: DocumentId,
    _tasks: [chancery_bus::tasks::Tasks; 2],
}

impl Two {
    async fn new() -> Self {
        let domain = Domain::new(&[(A, None), (B, None)]);
        let ((a, of_a), (b, of_b)) = (running(&domain, A), running(&domain, B));
        let (li, wang) = (domain.officer("li@a.gov.cn"), domain.officer("wang@b.gov.cn"));
        let document = send(&a, &li, &header(A, B, "通知")).await.expect("it is taken");
        let document = document.accepted.document;
        until("it has come", || envelope_of(&b, &document).is_some()).await;
        Self { _domain: domain, a, b, li, wang, document, _tasks: [of_a, of_b] }
    }

    async fn withdraw(&self) -> Result<Taken, Refused> {
        send(&self.a, &self.li, &act(A, B, "撤回", self.document)).await
    }

    async fn of_b(&self, kind: &str) -> Result<Taken, Refused> {
        send(&self.b, &self.wang, &act(B, A, kind, self.document)).await
    }

    /// What the sender of a withdrawal is told, once it has come.
    async fn told(&self, withdrawal: &DocumentId) -> String {
        let answers = || {
            in_place(|here| crate::lookup::answers(here, &self.a, withdrawal)).expect("it is read")
        };
        until("the withdrawal is answered", || !answers().is_empty()).await;
        let answers = answers();
        assert_eq!(answers.len(), 1, "it is answered once");
        answers[0].document.header().fields[OUTCOME].clone()
    }

    fn effect(&self) -> Option<String> {
        let on = Subject::new(self.document, &A.parse().expect("a name"), "official-documents");
        in_place(|here| of(here, &self.b, &on)).expect("it is read").map(|act| act.kind)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_was_received_cannot_be_withdrawn_and_its_sender_is_told() {
    let two = Two::new().await;
    two.of_b("签收").await.expect("it is received");
    let withdrawal = two.withdraw().await.expect("it is sent").accepted.document;
    assert_eq!(two.told(&withdrawal).await, "refused");
    assert_eq!(two.effect().as_deref(), Some("签收"));
    let events = events(&two.b);
    assert!(events.contains(&Event::WithdrawalRejection), "{events:?}");
    assert!(!events.contains(&Event::WithdrawalAcceptance), "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_first_counts_also_when_it_has_not_been_looked_at() {
    let two = Two::new().await;
    let withdrawal = two.withdraw().await.expect("it is sent").accepted.document;
    until("the withdrawal has come", || envelope_of(&two.b, &withdrawal).is_some()).await;
    // At once: whether the desk has taken it up by itself or not.
    let refused = two.of_b("签收").await.expect_err("it was withdrawn");
    assert_eq!(refused.error.code(), "CHY-4020");
    assert_eq!(two.told(&withdrawal).await, "accepted");
    assert_eq!(two.of_b("退回").await.expect_err("so it stays").error.code(), "CHY-4020");
    assert_eq!(two.effect().as_deref(), Some("撤回"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_acts_at_the_same_time_one_takes_effect_and_each_is_told_so() {
    let two = Two::new().await;
    let (received, returned, withdrawn) =
        tokio::join!(two.of_b("签收"), two.of_b("退回"), two.withdraw());
    let told = two.told(&withdrawn.expect("it is sent").accepted.document).await;
    let effects = [received.is_ok(), returned.is_ok(), told == "accepted"];
    assert_eq!(effects.into_iter().filter(|effect| *effect).count(), 1, "{effects:?}");
    let expected = ["签收", "退回", "撤回"].into_iter().zip(effects).find(|(_, effect)| *effect);
    assert_eq!(two.effect().as_deref(), expected.map(|(kind, _)| kind));
    for refused in [received, returned].into_iter().filter_map(Result::err) {
        assert!(["CHY-4010", "CHY-4020"].contains(&refused.error.code()), "{}", refused.error);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn acts_that_name_nothing_or_somebody_elses_document_are_refused() {
    let two = Two::new().await;
    let unknown = DocumentId::from_slice(&[9; 32]).expect("32 bytes");
    let no_reason = {
        let mut header = act(B, A, "退回", two.document);
        header.fields.clear();
        header
    };
    let nothing = {
        let mut header = act(B, A, "签收", two.document);
        header.in_reply_to = None;
        header
    };
    for header in [act(B, A, "签收", unknown), no_reason, nothing, act(B, A, "撤回", two.document)]
    {
        let refused = send(&two.b, &two.wang, &header).await.expect_err("it is refused");
        assert_eq!(refused.error.code(), "CHY-4010", "{}: {}", header.kind, refused.error);
    }
    assert_eq!(two.effect(), None);
    // The sender itself receives nothing that it has sent.
    let own = send(&two.a, &two.li, &act(A, B, "签收", two.document)).await;
    assert_eq!(own.expect_err("it is its own").error.code(), "CHY-4010");
}
