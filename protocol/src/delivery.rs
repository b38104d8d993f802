//! The sender's decisions, apart from sockets, clocks and disks.
//!
//! The sender goes from `Waiting` through an attempt to `Delivered`, `Refused` or `Expired`; what the receiver does is decided in
//! `inbound`. Nothing is lost: only evidence, a final refusal or expiry ends the sender's trying.

use crate::{MessageFault, PeerMessage, ProtocolError, Receipt, Refusal};

/// The longest pause between two attempts, in milliseconds.
const MAX_DELAY: u64 = 60_000;
/// The pause after the first failure, in milliseconds.
const FIRST_DELAY: u64 = 200;

/// What the sender does after an answer to its offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutboundAction {
    /// Send the ciphertext from this chunk on.
    SendFrom(u64),
    /// The receipt came: verify it, and if it holds this delivery is over.
    Conclude(Receipt),
    /// A relay has it: verify and keep its receipt, and wait for the recipient's.
    Relayed(Receipt),
    /// Try again after so many milliseconds.
    RetryAfter(u64),
    /// Give up: the peer will never take it.
    GiveUp(Refusal),
}

/// Decides what to do with the receiver's answer. `sent` says whether the ciphertext was sent
/// whole on this stream, `chunks` how many chunks it has.
///
/// # Errors
/// [`ProtocolError::Message`] when the answer does not belong here.
pub fn on_reply(
    message: PeerMessage,
    sent: bool,
    chunks: u64,
) -> Result<OutboundAction, ProtocolError> {
    match message {
        PeerMessage::Have { receipt } => Ok(OutboundAction::Conclude(receipt)),
        PeerMessage::Evidence { receipt } if sent => Ok(OutboundAction::Conclude(receipt)),
        PeerMessage::Relayed { receipt } => Ok(OutboundAction::Relayed(receipt)),
        PeerMessage::Want { from_chunk } if !sent && from_chunk <= chunks => {
            Ok(OutboundAction::SendFrom(from_chunk))
        }
        PeerMessage::Refuse(refusal) => Ok(match refusal.retry_after {
            Some(seconds) => OutboundAction::RetryAfter(
                // At least a second: a peer must not make us spin.
                (u64::from(seconds) * 1000).clamp(1000, MAX_DELAY * 60),
            ),
            None => OutboundAction::GiveUp(refusal),
        }),
        _ => Err(MessageFault::NotTheOffers.into()),
    }
}

/// The pause before attempt number `attempt` (from 1) in milliseconds: exponential, with full
/// jitter in its upper half, drawn from `random`.
pub fn retry_delay(attempt: u32, random: u64) -> u64 {
    let doubled = FIRST_DELAY.saturating_mul(1 << attempt.saturating_sub(1).min(20));
    let ceiling = doubled.min(MAX_DELAY);
    ceiling / 2 + random % (ceiling / 2 + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn receipt() -> Receipt {
        Receipt {
            leaf: vec![1],
            index: 0,
            proof: Vec::new(),
            checkpoint: String::new(),
            cose: None,
        }
    }

    proptest! {
        #[test]
        fn pauses_grow_to_a_minute_and_no_further(attempt in 1u32..200, random: u64) {
            let delay = retry_delay(attempt, random);
            prop_assert!((FIRST_DELAY / 2..=MAX_DELAY).contains(&delay));
            if attempt > 10 { prop_assert!(delay >= MAX_DELAY / 2); }
        }
    }

    #[test]
    fn answers_out_of_place_end_the_attempt() {
        assert!(on_reply(PeerMessage::Want { from_chunk: 9 }, false, 8).is_err());
        assert!(on_reply(PeerMessage::Want { from_chunk: 0 }, true, 8).is_err());
        assert!(on_reply(PeerMessage::Evidence { receipt: receipt() }, false, 8).is_err());
        let refusal = |retry_after| {
            let refusal = Refusal { code: "CHY-1".into(), reason: String::new(), retry_after };
            on_reply(PeerMessage::Refuse(refusal), false, 8).expect("fits")
        };
        assert_eq!(refusal(Some(7)), OutboundAction::RetryAfter(7000));
        assert_eq!(refusal(Some(0)), OutboundAction::RetryAfter(1000), "no spinning");
        assert_eq!(refusal(Some(u32::MAX)), OutboundAction::RetryAfter(3_600_000));
        assert!(matches!(refusal(None), OutboundAction::GiveUp(_)));
    }
}
