//! Carrying on what is for others: stored like what came in, and sent like what goes out, by a node that
//! cannot open it.

use std::{sync::PoisonError, time::Duration};

use chancery_certs::AgencyName;
use chancery_crypto::cbor;
use chancery_protocol::{EnvelopeId, OpenedEnvelope, PeerMessage, Refusal, Rejection};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::evidence;
use crate::{Bus, NodeError, witness};
use chancery_ledger::{
    records::{DeliveryRecord, DeliveryState, EnvelopeRecord, delivery_key},
    unix_now,
};
use chancery_store::{Batch, Blocking, Table};

/// For how long the recipient's evidence is waited for on the stream of an offer. After that the sender
/// asks again.
const SOON: Duration = Duration::from_secs(2);

/// Notes a delivery to a recipient as pending.
pub(crate) fn begin(
    bus: &Bus,
    batch: &mut Batch,
    id: &EnvelopeId,
    recipient: &AgencyName,
) -> Result<(), NodeError> {
    let key = delivery_key(id, recipient);
    let pending = DeliveryRecord::pending(unix_now(), witness::seen_size(bus, recipient)?);
    batch.put(Table::Deliveries, key.clone(), cbor::encode(&pending)?);
    batch.put(Table::Pending, key, []);
    Ok(())
}

/// Begins the delivery of an envelope that is here to one more recipient, unless it has begun. Says whether it
/// is under way: not so when its content has gone already.
pub(crate) fn carry_on(
    here: &Blocking,
    bus: &Bus,
    opened: &OpenedEnvelope,
    recipient: &AgencyName,
) -> Result<bool, NodeError> {
    // The content must not go between the look and the record.
    let _one = bus.relaying.lock().unwrap_or_else(PoisonError::into_inner);
    if DeliveryRecord::get(bus.store.on(here), &opened.id, recipient)?.is_some() {
        return Ok(true);
    }
    let key = opened.id.digest().as_bytes();
    if !bus.content.has_whole(&opened.id)? && bus.store.on(here).get(Table::Content, key)?.is_none()
    {
        return Ok(false);
    }
    let mut batch = Batch::default();
    begin(bus, &mut batch, &opened.id, recipient)?;
    bus.store.on(here).write(batch)?;
    bus.outbound.enqueue(opened.id, recipient.clone(), opened.header.urgency);
    Ok(true)
}

/// Keeps the content of an envelope that was carried on before and that one more recipient is to have.
pub(crate) fn refill(
    here: &Blocking,
    bus: &Bus,
    opened: &OpenedEnvelope,
    recipient: &AgencyName,
    inline: Option<Vec<u8>>,
) -> Result<(), NodeError> {
    let _one = bus.relaying.lock().unwrap_or_else(PoisonError::into_inner);
    let id = &opened.id;
    let record = EnvelopeRecord::get(bus.store.on(here), id)?
        .ok_or_else(|| NodeError::damaged(format!("envelope {id} is missing")))?;
    let mut batch = Batch::default();
    if record.transit {
        let record = EnvelopeRecord { in_file: inline.is_none(), ..record };
        batch.put(Table::Envelopes, *id.digest().as_bytes(), cbor::encode(&record)?);
    }
    if let Some(content) = inline {
        batch.put(Table::Content, *id.digest().as_bytes(), content);
    }
    begin(bus, &mut batch, id, recipient)?;
    bus.store.on(here).write(batch)?;
    bus.outbound.enqueue(*id, recipient.clone(), opened.header.urgency);
    Ok(())
}

/// Removes the content of what was only carried on, once it is with everybody it was carried to.
pub(crate) fn drop_carried(here: &Blocking, bus: &Bus, id: &EnvelopeId) -> Result<(), NodeError> {
    let _one = bus.relaying.lock().unwrap_or_else(PoisonError::into_inner);
    let record = EnvelopeRecord::get(bus.store.on(here), id)?;
    let Some(record) = record.filter(|record| record.transit) else { return Ok(()) };
    let prefix = id.digest().as_bytes();
    if !bus.store.on(here).scan(Table::Pending, prefix, prefix, 1)?.is_empty() {
        return Ok(());
    }
    let (_, header) = record.header()?;
    let size = i64::try_from(header.size).unwrap_or(i64::MAX);
    if record.in_file {
        bus.content.remove(id)?;
        bus.limits.carry(&header.sender, -size);
        return Ok(());
    }
    let mut batch = Batch::default();
    batch.delete(Table::Content, *prefix);
    bus.store.on(here).write(batch)?;
    bus.limits.carry(&header.sender, -size);
    Ok(())
}

/// What became of a delivery that this node carries on, waiting for it a little.
pub(crate) async fn outcome(
    bus: &Bus,
    id: &EnvelopeId,
    recipient: &AgencyName,
    concluded: &mut Receiver<(EnvelopeId, AgencyName)>,
) -> Result<Option<PeerMessage>, NodeError> {
    let end = tokio::time::sleep(SOON);
    tokio::pin!(end);
    loop {
        if let Some(outcome) = bus.store.briefly(|here| look(here, bus, id, recipient))? {
            return Ok(Some(outcome));
        }
        loop {
            let said = tokio::select! {
                said = concluded.recv() => said,
                () = &mut end => return Ok(None),
            };
            match said {
                Ok((envelope, agency)) if envelope == *id && agency == *recipient => break,
                Ok(_) => {}
                // Too much was said to hear it all.
                Err(RecvError::Lagged(_)) => break,
                Err(RecvError::Closed) => return Ok(None),
            }
        }
    }
}

fn look(
    here: &Blocking,
    bus: &Bus,
    id: &EnvelopeId,
    recipient: &AgencyName,
) -> Result<Option<PeerMessage>, NodeError> {
    let Some(delivery) = DeliveryRecord::get(bus.store.on(here), id, recipient)? else {
        return Ok(None);
    };
    Ok(match delivery.state {
        DeliveryState::Pending => None,
        DeliveryState::Delivered => {
            let missing = || NodeError::damaged(format!("the evidence of {id} is missing"));
            let digest = delivery.evidence.ok_or_else(missing)?;
            let evidence = evidence::received(here, bus, &digest, recipient, None)?;
            Some(PeerMessage::Have { receipt: evidence.receipt })
        }
        DeliveryState::Refused => {
            let unknown = || Rejection::ByRecipient(recipient.clone()).refusal();
            let refusal = delivery.refusal.unwrap_or_else(unknown);
            Some(PeerMessage::Refuse(Refusal { retry_after: None, ..refusal }))
        }
        DeliveryState::Expired => {
            let expired = Rejection::ExpiredOnTheWay(recipient.clone());
            Some(PeerMessage::Refuse(expired.refusal()))
        }
    })
}

#[cfg(test)]
mod tests {
    use chancery_store::{Read, in_place};
    use chancery_test_domain::Domain;

    use super::*;
    use crate::testing::{bus, name, sealed};

    /// A relay, and two agencies below it.
    fn domain() -> Domain {
        let below = Some("r.cn");
        Domain::new(&[("r.cn", None), ("x.r.cn", below), ("y.r.cn", below), ("a.cn", None)])
    }

    fn pending(tables: &(impl Read + ?Sized), id: &EnvelopeId) -> usize {
        let prefix = id.digest().as_bytes();
        tables.scan(Table::Pending, prefix, prefix, 10).expect("it is read").len()
    }

    /// Notes that a delivery is over.
    fn over(here: &Blocking, bus: &Bus, id: &EnvelopeId, recipient: &AgencyName) {
        let mut batch = Batch::default();
        batch.delete(Table::Pending, delivery_key(id, recipient));
        bus.store.on(here).write(batch).expect("it is written");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_carried_goes_when_everybody_has_it_and_comes_back_for_one_more() {
        let domain = domain();
        let bus = bus(&domain, "r.cn");
        let envelope = sealed(&domain, "a.cn", &["x.r.cn", "y.r.cn"], |_| {});
        let (opened, id) = (&envelope.opened, envelope.opened.id);
        let (x, y) = (name("x.r.cn"), name("y.r.cn"));
        envelope.keep(&bus, true);
        in_place(|here| {
            let tables = bus.store.on(here);
            assert!(carry_on(here, &bus, opened, &x).expect("it is written"));
            assert!(carry_on(here, &bus, opened, &x).expect("it has begun"));
            assert!(carry_on(here, &bus, opened, &y).expect("it is written"));
            assert_eq!(pending(tables, &id), 2);
            over(here, &bus, &id, &x);
            drop_carried(here, &bus, &id).expect("it is looked at");
            assert!(envelope.is_kept(&bus), "the other waits for it");
            over(here, &bus, &id, &y);
            drop_carried(here, &bus, &id).expect("it is dropped");
            assert!(!envelope.is_kept(&bus));
            // A third one: what has begun goes on, what has not needs the content again.
            assert!(carry_on(here, &bus, opened, &x).expect("it has begun"));
            let third = name("z.r.cn");
            assert!(!carry_on(here, &bus, opened, &third).expect("it is looked at"));
            let again = Some(envelope.ciphertext.clone());
            refill(here, &bus, opened, &third, again).expect("it is written");
            assert!(envelope.is_kept(&bus));
            assert_eq!(pending(tables, &id), 1);
        });
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_for_the_relay_itself_stays_when_everybody_has_it() {
        let domain = domain();
        let bus = bus(&domain, "r.cn");
        let envelope = sealed(&domain, "a.cn", &["r.cn", "x.r.cn"], |_| {});
        envelope.keep(&bus, false);
        in_place(|here| {
            let id = envelope.opened.id;
            assert!(
                carry_on(here, &bus, &envelope.opened, &name("x.r.cn")).expect("it is written")
            );
            over(here, &bus, &id, &name("x.r.cn"));
            drop_carried(here, &bus, &id).expect("it is looked at");
            assert!(envelope.is_kept(&bus));
        });
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_became_of_it_is_said_as_it_was_recorded() {
        let domain = domain();
        let bus = bus(&domain, "r.cn");
        let (id, x) = (sealed(&domain, "a.cn", &["x.r.cn"], |_| {}).opened.id, name("x.r.cn"));
        let say = |state, refusal: Option<Refusal>| {
            let record = DeliveryRecord {
                state,
                refusal,
                seen: None,
                since: 1,
                evidence: None,
                relayed: None,
            };
            let mut batch = Batch::default();
            let record = cbor::encode(&record).expect("it encodes");
            batch.put(Table::Deliveries, delivery_key(&id, &x), record);
            in_place(|here| {
                bus.store.on(here).write(batch).expect("it is written");
                look(here, &bus, &id, &x)
            })
        };
        assert_eq!(in_place(|here| look(here, &bus, &id, &x)).expect("it is read"), None);
        assert_eq!(say(DeliveryState::Pending, None).expect("it is read"), None);
        let refused = Rejection::TooLarge { bytes: 2, limit: 1 }.refusal();
        // Whatever it was told: a refusal that is recorded is final.
        let again = Refusal { retry_after: Some(3), ..refused.clone() };
        let said = say(DeliveryState::Refused, Some(again)).expect("it is read");
        assert_eq!(said, Some(PeerMessage::Refuse(refused)));
        let said = say(DeliveryState::Expired, None).expect("it is read");
        let Some(PeerMessage::Refuse(said)) = said else { panic!("{said:?}") };
        assert_eq!((said.code.as_str(), said.retry_after), ("CHY-5003", None));
        assert!(say(DeliveryState::Delivered, None).is_err(), "the evidence is missing");
    }
}
