use std::collections::BTreeMap;

use chancery_crypto::Digest;
use chancery_protocol::{DocumentHeader, Urgency};
use proptest::prelude::*;

use super::*;
use crate::{
    civil::Instant,
    input::{Document, Signer},
    kernel::Salt,
    record::Facts,
    state::MemoryState,
};

const A: &str = "a.cn";
const B: &str = "b.cn";

fn agency(name: &str) -> AgencyName {
    name.parse().expect("a name")
}

fn id(n: u8) -> DocumentId {
    DocumentId::from_slice(&[n; 32]).expect("32 bytes")
}

/// An act on document 7, which A has sent to B, as B decides it.
fn act(kind: &str, from: &str, to: &str, own: u8) -> Input {
    let fields = BTreeMap::from([(REASON.to_owned(), "内容有误".to_owned())]);
    let header = DocumentHeader {
        kind: kind.to_owned(),
        number: None,
        title: "T".into(),
        from: agency(from),
        to: vec![agency(to)],
        cc: Vec::new(),
        classification: None,
        secrecy_period: None,
        urgency: Urgency::Routine,
        created: 0,
        deadline: None,
        in_reply_to: Some(id(7)),
        module: "official-documents".into(),
        fields,
        crit: Vec::new(),
        filing: None,
        form: Default::default(),
        parts: Vec::new(),
        nonce: Digest::of(&[own]),
    };
    let signers = vec![Signer::named(&format!("li@{from}"))];
    Input {
        at: Instant(5),
        lodged: Instant(5),
        home: B.into(),
        salt: Salt::Fresh(Digest::of(b"")),
        facts: Facts::default(),
        document: Document { id: id(own), header, signers, part: None },
    }
}

fn came() -> Exchange {
    Exchange { on: Some(Original { from: agency(A), to: vec![agency(B)], incoming: true }) }
}

fn judge(rules: Exchange, state: &MemoryState, input: &Input) -> Result<Writes, Refusal> {
    rules.judge(state, input).expect("reads")
}

#[test]
fn each_rule_refuses_what_breaks_it_and_nothing_is_written() {
    let state = MemoryState::default();
    let refused =
        |rules: Exchange, input: &Input| judge(rules, &state, input).expect_err("is refused");
    let receive = act("签收", B, A, 1);
    assert_eq!(refused(came(), &act("撤回答复", B, A, 1)), Refusal::OfTheNode);
    assert_eq!(refused(came(), &act("办理答复", B, A, 1)), Refusal::OfTheNode);
    assert!(matches!(refused(Exchange { on: None }, &receive), Refusal::NotHere { .. }));
    assert!(matches!(refused(came(), &act("签收", B, "c.cn", 1)), Refusal::GoesElsewhere { .. }));
    let mut nothing = receive.clone();
    nothing.document.header.in_reply_to = None;
    assert!(matches!(refused(came(), &nothing), Refusal::NamesNothing { .. }));
    let mut silent = act("退回", B, A, 1);
    silent.document.header.fields.insert(REASON.into(), " ".into());
    assert_eq!(refused(came(), &silent), Refusal::NoReason);
    // What came in is not withdrawn, and what went out goes back from those to whom it went.
    assert!(matches!(refused(came(), &act("撤回", B, A, 1)), Refusal::NotHere { .. }));
    let went = || Exchange {
        on: Some(Original { from: agency(B), to: vec![agency(A)], incoming: false }),
    };
    assert!(matches!(refused(went(), &act("撤回", B, "c.cn", 1)), Refusal::NotSentTo { .. }));
    assert!(judge(went(), &state, &act("撤回", B, A, 1)).expect("is taken").is_empty());
    assert!(matches!(refused(went(), &act("签收", B, A, 1)), Refusal::NotHere { .. }));
}

#[test]
fn a_withdrawal_takes_effect_before_the_document_has_come() {
    let mut state = MemoryState::default();
    let writes = judge(Exchange { on: None }, &state, &act("撤回", A, B, 3)).expect("is taken");
    state.apply(&writes);
    let late = judge(came(), &state, &act("签收", B, A, 4)).expect_err("it was withdrawn");
    assert_eq!(late, Refusal::TookEffect { kind: "撤回".into(), time: 5 });
    // One of another sender is none on it.
    let others =
        judge(came(), &MemoryState::default(), &act("撤回", "c.cn", B, 5)).expect("is taken");
    assert!(others.keys().all(|key| *key != effect_key(&id(7), &agency(A), "official-documents")));
}

proptest! {
    /// Of acts on one document, in whatever order and however often, the first takes effect and no other ever does.
    #[test]
    fn the_first_act_takes_effect(acts in prop::collection::vec((0usize..3, 1u8..5), 1..20)) {
        let mut state = MemoryState::default();
        let mut first = None;
        for (kind, own) in acts {
            let input = match kind {
                0 => act("签收", B, A, own),
                1 => act("退回", B, A, own + 100),
                _ => act("撤回", A, B, own + 200),
            };
            let own = input.document.id;
            match judge(came(), &state, &input) {
                Ok(writes) => {
                    prop_assert_eq!(*first.get_or_insert(own), own);
                    state.apply(&writes);
                }
                Err(why) => {
                    let took = matches!(why, Refusal::TookEffect { .. });
                    prop_assert!(took && first.is_some_and(|first| first != own), "{why:?}");
                }
            }
        }
    }
}
