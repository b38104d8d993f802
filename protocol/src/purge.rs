//! Orders to remove content for good: what the law may ask for, while every proof stays.

use chancery_certs::{
    AgencyName, Credential, OfficerName, Scrutiny, SealError, SignerName, open_sealed, seal,
};
use chancery_crypto::Digest;
use serde::{Deserialize, Serialize};

use crate::{EnvelopeId, OrderFault, ProtocolError};

/// The media type of a signed purge order.
const PURGE_ORDER: &str = "application/vnd.chancery.purge-order+cbor";
/// The most envelopes that one order names.
pub const MAX_PURGED: usize = 1000;
/// The longest reason, in bytes.
const MAX_REASON: usize = 1000;

/// What an officer orders: that the content of envelopes is removed from the agency's node. It names
/// envelopes, not documents, so that it says nothing of what is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PurgeOrder {
    /// The agency whose node it is for.
    pub agency: AgencyName,
    /// The envelopes.
    pub envelopes: Vec<EnvelopeId>,
    /// On what ground: the law, the schedule, the decision. It is kept for good.
    pub reason: String,
    /// When it was given, in seconds since 1970 UTC.
    pub created: i64,
}

/// An order whose signature and path were verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedPurgeOrder {
    /// The order.
    pub order: PurgeOrder,
    /// The officer who gave it.
    pub officer: OfficerName,
    /// The digest of the signed bytes, by which ledger entries name it.
    pub digest: Digest,
}

impl PurgeOrder {
    fn check(&self) -> Result<(), OrderFault> {
        if self.envelopes.is_empty() || self.envelopes.len() > MAX_PURGED {
            return Err(OrderFault::Envelopes { most: MAX_PURGED });
        }
        if self.reason.trim().is_empty() || self.reason.len() > MAX_REASON {
            return Err(OrderFault::Reason { most: MAX_REASON });
        }
        if self.reason.chars().any(char::is_control) {
            return Err(OrderFault::Control);
        }
        Ok(())
    }

    /// Signs the order by an officer.
    ///
    /// # Errors
    /// [`ProtocolError::Seal`] when it has no reason or names too much.
    pub fn sign(&self, by: &Credential) -> Result<Vec<u8>, ProtocolError> {
        self.check()?;
        Ok(seal(PURGE_ORDER, self, by, self.created)?)
    }

    /// Verifies an order as one by an officer of the very agency that it is for.
    ///
    /// # Errors
    /// [`ProtocolError::Seal`]; nothing of an unverified order is returned.
    pub fn open(bytes: &[u8], by: &Scrutiny<'_>) -> Result<OpenedPurgeOrder, ProtocolError> {
        let opened = open_sealed::<Self>(PURGE_ORDER, bytes, by)?;
        let order = opened.value;
        order.check()?;
        match opened.signer {
            SignerName::Officer(officer) if *officer.agency() == order.agency => {
                Ok(OpenedPurgeOrder { order, officer, digest: Digest::of(bytes) })
            }
            found => {
                let want = format!("an officer of {}", order.agency);
                Err(SealError::Signer { want, found: found.to_string() }.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::tests::{NOW, credential, world};

    #[test]
    fn only_an_officer_of_the_agency_gives_an_order_and_with_a_reason() {
        let world = world();
        let order = PurgeOrder {
            agency: "a.gov.cn".parse().expect("a name"),
            envelopes: vec![EnvelopeId::from_slice(&[1; 32]).expect("32 bytes")],
            reason: "档案法第二十七条".into(),
            created: NOW,
        };
        let bytes = order.sign(&world.officer).expect("signs");
        let by = Scrutiny::without_lists(&world.trust, NOW);
        let opened = PurgeOrder::open(&bytes, &by).expect("opens");
        assert_eq!((&opened.order, opened.digest), (&order, Digest::of(&bytes)));
        assert_eq!(opened.officer.as_str(), "li@a.gov.cn");

        // The seal is in the node: whoever holds the node may not order by it.
        let sealed = order.sign(&world.seal).expect("signs");
        assert!(PurgeOrder::open(&sealed, &by).is_err());
        let other =
            chancery_certs::Subject::officer("wang@b.gov.cn".parse().expect("a name"), "王");
        let foreign = order.sign(&credential(&world.root, &other)).expect("signs");
        assert!(PurgeOrder::open(&foreign, &by).is_err());
        for (reason, envelopes) in
            [(" ", 1), ("a\u{1b}[31m", 1), (&*"x".repeat(1001), 1), ("law", 0), ("law", 1001)]
        {
            let envelopes = vec![order.envelopes[0]; envelopes];
            let bad = PurgeOrder { reason: reason.into(), envelopes, ..order.clone() };
            assert!(bad.sign(&world.officer).is_err(), "{reason:?}");
        }
        for at in 0..bytes.len() {
            let mut bent = bytes.clone();
            bent[at] ^= 1;
            assert!(PurgeOrder::open(&bent, &by).is_err(), "byte {at}");
        }
    }
}
