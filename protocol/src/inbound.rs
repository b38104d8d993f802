//! What a node does with an envelope that it is offered, decided apart from sockets, clocks and disks: facts go in, the next
//! step comes out. The node finds out the facts and carries out the steps, and decides nothing; so does the simulation.
//!
//! Nothing is doubled: what a receipt was given for is answered with that receipt, and never taken again. Nothing is lost: a
//! receipt is given only for what was opened (or, by a relay, kept) and made durable, and only what can never be otherwise is
//! refused for good.

use chancery_certs::AgencyName;

use crate::{EnvelopeHeader, MessageFault, ProtocolError, Rejection, Routes};

/// By what an envelope whose seal holds is let in or not.
#[derive(Debug)]
pub struct Entrance<'a> {
    /// This agency.
    pub own: &'a AgencyName,
    /// Who hands it over.
    pub peer: &'a AgencyName,
    /// The superior that this node's own settings name.
    pub superior: Option<&'a AgencyName>,
    /// The version and the routes of the directory that is held and valid.
    pub directory: Option<(u64, &'a Routes)>,
    /// For whom else than this agency it is handed over.
    pub recipient: Option<&'a AgencyName>,
    /// The most bytes of ciphertext that are taken.
    pub limit: u64,
    /// Seconds until a newer directory will have been asked for.
    pub directory_again: u32,
}

impl Entrance<'_> {
    /// Checks what can be checked before anything is looked up. Whether it has expired is asked of [`Inbound`]: also then it is
    /// answered with the receipt that it was given in time.
    ///
    /// # Errors
    /// The reason why it is not taken.
    pub fn check(&self, header: &EnvelopeHeader) -> Result<(), Rejection> {
        self.on_the_way(&header.sender)?;
        let to = self.recipient.unwrap_or(self.own);
        if !header.is_for(to) {
            return Err(Rejection::NotFor(to.clone()));
        }
        if let Some(recipient) = self.recipient {
            // A directory that has not come yet may say otherwise: the sender tries again.
            let routes = self.directory.map(|(_, routes)| routes);
            if !routes.is_some_and(|routes| routes.relays(self.own, &header.sender, recipient)) {
                return Err(Rejection::NotRelayed {
                    own: self.own.clone(),
                    sender: header.sender.clone(),
                    recipient: recipient.clone(),
                });
            }
        }
        match header.size > self.limit {
            true => Err(Rejection::TooLarge { bytes: header.size, limit: self.limit }),
            false => Ok(()),
        }
    }

    /// Whose an envelope is, its seal says; who hands it over must be on the way: its sender, a relay above one of the two, or
    /// the superior that this node's own settings name. A directory that is old, has run out or is not there yet may not know
    /// the way, so nobody is refused for good by it: the sender tries again, and meanwhile the directory comes from a peer
    /// that is connected.
    fn on_the_way(&self, sender: &AgencyName) -> Result<(), Rejection> {
        let peer = self.peer;
        let named =
            self.directory.is_some_and(|(_, routes)| routes.carries(self.own, peer, sender));
        if peer == sender || self.superior == Some(peer) || named {
            return Ok(());
        }
        Err(Rejection::Stranger {
            peer: peer.clone(),
            sender: sender.clone(),
            directory: self.directory.map(|(version, _)| version),
            again: self.directory_again,
        })
    }
}

/// What is to be found out or done next, and the fact that it gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InboundStep {
    /// Claim the envelope for this stream, as long as it lasts; then look for it: [`InboundFact::Looked`].
    Look,
    /// Unwrap the content key, and open what this agency alone is told: [`InboundFact::Unwrapped`].
    Unwrap,
    /// Begin the delivery to the recipient whom the offer names, if the content is here or the delivery has begun:
    /// [`InboundFact::CarriedOn`].
    CarryOn,
    /// Make room for it among what is arriving: [`InboundFact::Room`].
    MakeRoom,
    /// Compare the ciphertext that came along with the sealed root, and open it if there is a key: [`InboundFact::Checked`].
    CheckInline,
    /// Look for ciphertext that has arrived before: [`InboundFact::Found`].
    Find,
    /// Say WANT, take in the chunks from this one on, and check the whole: [`InboundFact::Checked`].
    Receive {
        /// The first chunk that is wanted.
        from: u64,
    },
    /// Open the ciphertext that is here whole, if there is a key: [`InboundFact::Checked`].
    CheckKept,
    /// Remove ciphertext that nothing speaks of: [`InboundFact::Discarded`].
    Discard,
    /// Make envelope, content, entry and the way on durable in one commit, unless there is an entry: [`InboundFact::Committed`].
    Commit,
    /// Keep the content of what was carried on before, for one more recipient: [`InboundFact::Refilled`].
    Refill,
    /// Say this. It is over.
    Say(InboundAnswer),
}

/// What is said in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InboundAnswer {
    /// HAVE, with the receipt that was given before.
    Have,
    /// EVIDENCE, with the receipt that was given now.
    Evidence,
    /// RELAYED, with the relay's receipt, given now or before; what becomes of it follows.
    Relayed,
    /// It is not taken.
    Refuse(Rejection),
}

/// What a node holds of an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Holding {
    /// Whether there is a record of it: as its recipient or as a relay.
    pub record: bool,
    /// Whether its ciphertext belongs to that record and is here whole.
    pub content: bool,
    /// Whether the receipt that it would be given was given: consignment for this agency, or acceptance as a relay.
    pub receipt: bool,
}

/// What the check of a ciphertext gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// It has its root; where there is a key it was opened whole, and is what its envelope says.
    Sound,
    /// It does not have the sealed root.
    OtherRoot,
    /// It does not open, or is something else than its envelope says.
    NotAsSealed(ProtocolError),
}

/// Ciphertext that has arrived before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrived {
    /// Its first chunks, or none.
    Chunks(u64),
    /// All of it, and the node stopped before it could commit.
    Whole,
}

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InboundFact {
    /// Whether it could be claimed, and what was held then.
    Looked {
        /// Whether no other stream has it.
        claimed: bool,
        /// What is held.
        holding: Holding,
    },
    /// Whether there is a key to it here.
    Unwrapped(Result<(), ProtocolError>),
    /// Whether the delivery goes on.
    CarriedOn(bool),
    /// Whether there is room.
    Room(Result<(), Rejection>),
    /// What has arrived before.
    Found(Arrived),
    /// What the ciphertext is.
    Checked(Checked),
    /// It is removed.
    Discarded,
    /// True when it is durable; false when somebody else gave a receipt meanwhile, and nothing was written.
    Committed(bool),
    /// It is kept.
    Refilled,
}

/// The decisions on one offer.
#[derive(Debug)]
pub struct Inbound {
    /// Whether it is to be carried on, and not for this agency.
    transit: bool,
    /// Whether its ciphertext came along.
    inline: bool,
    /// Whether its time is over.
    expired: bool,
    holding: Holding,
    /// Whether no other stream is at work on it.
    claimed: bool,
    asked: InboundStep,
    /// Whether ciphertext was here before the offer: its first chunks, or all of it.
    resumed: bool,
    /// Why it is refused once what lies here is removed.
    refused: Option<Rejection>,
}

impl Inbound {
    /// Begins with an offer that was let in. `transit`: it is to be carried on; `inline`: its ciphertext came along; `expired`: its
    /// time is over.
    pub fn new(transit: bool, inline: bool, expired: bool) -> Self {
        Self {
            transit,
            inline,
            expired,
            holding: Holding::default(),
            claimed: false,
            asked: InboundStep::Look,
            resumed: false,
            refused: None,
        }
    }

    /// The first step.
    pub fn begin(&self) -> InboundStep {
        self.asked.clone()
    }

    /// Takes the fact that the last step gave, and says what is next.
    ///
    /// # Errors
    /// [`ProtocolError::Message`] when the fact is not one that the last step gives, or contradicts an earlier one: the node's
    /// fault, and never the peer's.
    pub fn next(&mut self, fact: InboundFact) -> Result<InboundStep, ProtocolError> {
        use InboundFact as Fact;
        use InboundStep as Step;
        let refuse = |rejection| Step::Say(InboundAnswer::Refuse(rejection));
        let next = match (&self.asked, fact) {
            (Step::Look, Fact::Looked { claimed, holding }) => {
                (self.holding, self.claimed) = (holding, claimed);
                match (holding.receipt, claimed, self.transit) {
                    // Whoever else is at work on it: it is here.
                    (true, _, _) => self.held(),
                    _ if self.expired => refuse(Rejection::Expired),
                    (false, false, _) => refuse(Rejection::Arriving),
                    (false, true, true) => self.take_content(),
                    // What is for this agency must open here, so that is tried first.
                    (false, true, false) => Step::Unwrap,
                }
            }
            (Step::CarryOn, Fact::CarriedOn(true)) => Step::Say(InboundAnswer::Relayed),
            (Step::CarryOn, Fact::CarriedOn(false)) if self.expired => refuse(Rejection::Expired),
            // Only its content had gone, once it was with everybody else: it is taken once more.
            (Step::CarryOn, Fact::CarriedOn(false)) if self.claimed => self.take_content(),
            (Step::CarryOn, Fact::CarriedOn(false)) => refuse(Rejection::Arriving),
            (Step::Unwrap, Fact::Unwrapped(Ok(()))) => self.take_content(),
            (Step::Unwrap, Fact::Unwrapped(Err(error))) => refuse(Rejection::NotAsSealed(error)),
            (Step::MakeRoom, Fact::Room(Err(rejection))) => refuse(rejection),
            (Step::MakeRoom, Fact::Room(Ok(()))) if self.inline => Step::CheckInline,
            (Step::MakeRoom, Fact::Room(Ok(()))) => Step::Find,
            (Step::Find, Fact::Found(Arrived::Whole)) => {
                self.resumed = true;
                Step::CheckKept
            }
            (Step::Find, Fact::Found(Arrived::Chunks(from))) => {
                self.resumed = from > 0;
                Step::Receive { from }
            }
            (
                Step::CheckInline | Step::CheckKept | Step::Receive { .. },
                Fact::Checked(checked),
            ) => {
                match checked {
                    Checked::Sound if self.transit && self.holding.receipt => Step::Refill,
                    Checked::Sound => Step::Commit,
                    // What was resumed may have been torn here: start afresh before the sender is blamed.
                    Checked::OtherRoot => refuse(Rejection::OtherRoot { torn: self.resumed }),
                    // It was opened when it came, or it would not lie here: what does not open now, this disk has lost.
                    Checked::NotAsSealed(_)
                        if self.asked == Step::CheckKept && !self.holding.record =>
                    {
                        self.refused = Some(Rejection::OtherRoot { torn: true });
                        Step::Discard
                    }
                    Checked::NotAsSealed(error) => refuse(Rejection::NotAsSealed(error)),
                }
            }
            (Step::Discard, Fact::Discarded) => match self.refused.take() {
                Some(rejection) => refuse(rejection),
                None => return Err(misfit()),
            },
            (Step::Commit, Fact::Committed(true)) if self.transit => {
                Step::Say(InboundAnswer::Relayed)
            }
            (Step::Commit, Fact::Committed(true)) => Step::Say(InboundAnswer::Evidence),
            (Step::Commit, Fact::Committed(false)) if !self.holding.receipt => {
                // Another process that writes this ledger was faster: what it gave is the answer. What came here is not taken
                // a second time.
                (self.holding.receipt, self.claimed) = (true, false);
                self.held()
            }
            (Step::Refill, Fact::Refilled) => Step::Say(InboundAnswer::Relayed),
            _ => return Err(misfit()),
        };
        self.asked = next.clone();
        Ok(next)
    }

    /// The receipt was given before.
    fn held(&self) -> InboundStep {
        match self.transit {
            true => InboundStep::CarryOn,
            false => InboundStep::Say(InboundAnswer::Have),
        }
    }

    /// Takes the ciphertext from where it is. It may be here for another reason: a relay can be a recipient, too.
    fn take_content(&self) -> InboundStep {
        match self.holding.content {
            true => InboundStep::CheckKept,
            false => InboundStep::MakeRoom,
        }
    }
}

fn misfit() -> ProtocolError {
    MessageFault::FactMisfit.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        Arrived::*, Checked::*, InboundAnswer::*, InboundFact as Fact, InboundStep as Step, *,
    };

    const NOTHING: Holding = Holding { record: false, content: false, receipt: false };
    /// Here, for the same part in it.
    const HERE: Holding = Holding { record: true, content: true, receipt: true };

    fn looked(holding: Holding) -> Fact {
        Fact::Looked { claimed: true, holding }
    }

    fn error() -> ProtocolError {
        crate::ContentFault::Cut.into()
    }

    fn steps(transit: bool, inline: bool, facts: impl IntoIterator<Item = Fact>) -> Vec<Step> {
        let mut inbound = Inbound::new(transit, inline, false);
        facts.into_iter().map(|fact| inbound.next(fact).expect("it fits")).collect()
    }

    #[test]
    fn what_is_new_is_opened_before_its_receipt_is_given() {
        let facts = [looked(NOTHING), Fact::Unwrapped(Ok(())), Fact::Room(Ok(()))];
        let end = [Fact::Checked(Sound), Fact::Committed(true)];
        assert_eq!(
            steps(false, true, facts.clone().into_iter().chain(end.clone())),
            [Step::Unwrap, Step::MakeRoom, Step::CheckInline, Step::Commit, Step::Say(Evidence)]
        );
        let facts = facts.into_iter().chain([Fact::Found(Chunks(3))]).chain(end);
        assert_eq!(
            steps(false, false, facts),
            [
                Step::Unwrap,
                Step::MakeRoom,
                Step::Find,
                Step::Receive { from: 3 },
                Step::Commit,
                Step::Say(Evidence)
            ]
        );
    }

    #[test]
    fn what_is_here_is_answered_with_its_receipt_also_while_it_arrives_again() {
        for claimed in [true, false] {
            let fact = Fact::Looked { claimed, holding: HERE };
            assert_eq!(steps(false, true, [fact.clone()]), [Step::Say(Have)]);
            assert_eq!(
                steps(true, true, [fact, Fact::CarriedOn(true)]),
                [Step::CarryOn, Step::Say(Relayed)]
            );
        }
        let busy = Fact::Looked { claimed: false, holding: NOTHING };
        let refused = Step::Say(Refuse(Rejection::Arriving));
        assert_eq!(steps(false, true, [busy]), std::slice::from_ref(&refused));
        let busy = Fact::Looked { claimed: false, holding: HERE };
        assert_eq!(steps(true, true, [busy, Fact::CarriedOn(false)]), [Step::CarryOn, refused]);
    }

    #[test]
    fn what_went_on_to_others_is_taken_once_more_for_one_recipient_more() {
        let gone = Holding { content: false, ..HERE };
        let facts =
            [looked(gone), Fact::CarriedOn(false), Fact::Room(Ok(())), Fact::Checked(Sound)];
        assert_eq!(
            steps(true, true, facts.into_iter().chain([Fact::Refilled])),
            [Step::CarryOn, Step::MakeRoom, Step::CheckInline, Step::Refill, Step::Say(Relayed)]
        );
    }

    #[test]
    fn a_relay_that_is_a_recipient_too_takes_what_it_has_and_gives_another_receipt() {
        let other_part = Holding { receipt: false, ..HERE };
        let facts = [looked(other_part), Fact::Unwrapped(Ok(())), Fact::Checked(Sound)];
        assert_eq!(
            steps(false, false, facts.into_iter().chain([Fact::Committed(true)])),
            [Step::Unwrap, Step::CheckKept, Step::Commit, Step::Say(Evidence)]
        );
    }

    #[test]
    fn what_does_not_open_is_refused_for_good_and_what_nothing_speaks_of_is_removed() {
        let refused = Step::Say(Refuse(Rejection::NotAsSealed(error())));
        let wrong = || Fact::Checked(NotAsSealed(error()));
        let begin = || [looked(NOTHING), Fact::Unwrapped(Ok(())), Fact::Room(Ok(()))].into_iter();
        assert_eq!(
            steps(false, false, [looked(NOTHING), Fact::Unwrapped(Err(error()))]).last(),
            Some(&refused)
        );
        assert_eq!(steps(false, true, begin().chain([wrong()])).last(), Some(&refused));
        // What had arrived whole, and been opened, is this disk's loss: it is sent afresh.
        let kept = begin().chain([Fact::Found(Whole), wrong(), Fact::Discarded]);
        let again = Step::Say(Refuse(Rejection::OtherRoot { torn: true }));
        assert_eq!(steps(false, false, kept)[4..], [Step::Discard, again]);
        // A record speaks of it: it stays.
        let facts = [looked(Holding { receipt: false, ..HERE }), Fact::Unwrapped(Ok(())), wrong()];
        assert_eq!(steps(false, false, facts).last(), Some(&refused));
    }

    #[test]
    fn another_root_is_final_unless_part_of_it_lay_here() {
        let begin = || [looked(NOTHING), Fact::Unwrapped(Ok(())), Fact::Room(Ok(()))].into_iter();
        for (from, again) in [(0, None), (1, Some(1))] {
            let facts = begin().chain([Fact::Found(Chunks(from)), Fact::Checked(OtherRoot)]);
            let Some(Step::Say(Refuse(rejection))) = steps(false, false, facts).pop() else {
                panic!("it is refused")
            };
            assert_eq!((rejection.code(), rejection.retry_after()), ("CHY-5006", again));
        }
        let facts = begin().chain([Fact::Checked(OtherRoot)]);
        let refused = Step::Say(Refuse(Rejection::OtherRoot { torn: false }));
        assert_eq!(steps(false, true, facts).last(), Some(&refused));
    }

    #[test]
    fn who_was_faster_gives_the_answer() {
        let facts = [looked(NOTHING), Fact::Unwrapped(Ok(())), Fact::Room(Ok(()))];
        let facts = facts.into_iter().chain([Fact::Checked(Sound), Fact::Committed(false)]);
        assert_eq!(steps(false, true, facts).last(), Some(&Step::Say(Have)));
        let facts = [looked(NOTHING), Fact::Room(Ok(())), Fact::Checked(Sound)];
        let facts = facts.into_iter().chain([Fact::Committed(false), Fact::CarriedOn(true)]);
        assert_eq!(steps(true, true, facts).last(), Some(&Step::Say(Relayed)));
    }

    #[test]
    fn what_has_expired_is_answered_with_the_receipt_that_it_was_given_in_time() {
        for (transit, holding, end) in [
            (false, HERE, Step::Say(Have)),
            (true, HERE, Step::CarryOn),
            (false, NOTHING, Step::Say(Refuse(Rejection::Expired))),
            (true, NOTHING, Step::Say(Refuse(Rejection::Expired))),
        ] {
            let mut inbound = Inbound::new(transit, true, true);
            assert_eq!(inbound.next(looked(holding)).expect("it fits"), end);
        }
    }

    fn facts() -> impl Strategy<Value = Fact> {
        let rejection = || Rejection::NoRoom;
        prop_oneof![
            any::<(bool, bool, bool, bool)>().prop_map(|(claimed, record, content, receipt)| {
                let content = content && record;
                let receipt = receipt && record;
                Fact::Looked { claimed, holding: Holding { record, content, receipt } }
            }),
            any::<bool>().prop_map(|ok| Fact::Unwrapped(if ok { Ok(()) } else { Err(error()) })),
            any::<bool>().prop_map(Fact::CarriedOn),
            any::<bool>().prop_map(move |ok| Fact::Room(if ok {
                Ok(())
            } else {
                Err(rejection())
            })),
            prop_oneof![Just(Fact::Found(Whole)), (0u64..5).prop_map(|n| Fact::Found(Chunks(n)))],
            prop_oneof![Just(Sound), Just(OtherRoot), Just(NotAsSealed(error()))]
                .prop_map(Fact::Checked),
            Just(Fact::Discarded),
            any::<bool>().prop_map(Fact::Committed),
            Just(Fact::Refilled),
        ]
    }

    proptest! {
        /// A fact that does not belong is said to be one, and changes nothing; what fits comes to an end soon.
        #[test]
        fn no_sequence_of_facts_gives_a_receipt_for_what_was_not_made_durable(
            transit: bool, inline: bool, facts in prop::collection::vec(facts(), 0..200)
        ) {
            let mut inbound = Inbound::new(transit, inline, false);
            let (mut sound, mut durable, mut held, mut steps) = (false, false, false, 0);
            for fact in facts {
                let before = format!("{inbound:?}");
                let Ok(step) = inbound.next(fact.clone()) else {
                    prop_assert_eq!(before, format!("{inbound:?}"));
                    continue;
                };
                steps += 1;
                prop_assert!(steps < 12);
                match fact {
                    Fact::Looked { holding, .. } => held = holding.receipt,
                    Fact::Checked(checked) => sound = checked == Sound,
                    Fact::Committed(done) => (durable, held) = (done, held || !done),
                    Fact::Refilled | Fact::CarriedOn(true) => durable = true,
                    _ => {}
                }
                match step {
                    Step::Commit | Step::Refill => prop_assert!(sound),
                    Step::Say(Have) => prop_assert!(held && !transit),
                    Step::Say(Evidence) => prop_assert!(sound && durable && !transit),
                    Step::Say(Relayed) => prop_assert!(durable && transit),
                    _ => {}
                }
                if matches!(step, Step::Say(_)) {
                    break;
                }
            }
        }
    }
}
