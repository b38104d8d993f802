//! What the rules of the exchange are told by the desk, and how the desk says what they refuse. The records of acts lie where they lay
//! before there were modules.

use chancery_apps::{
    Document, Exchange, Facts, Input, Instant, Key, Original, Refusal, Row, Salt, Signer, State,
    StateError,
};
use chancery_bus::{NodeError, UnacceptedFault as Fault};
use chancery_certs::AgencyName;
use chancery_crypto::{Digest, cbor};
use chancery_ledger::unix_now;
use chancery_protocol::{DocumentHeader, DocumentId};
use chancery_store::Read;

use crate::{
    Office,
    acts::{Subject, of_in, refuse},
};

/// What took effect, as the rules of the exchange see it: the records that are kept here.
struct Effects<'a, S: Read + ?Sized>(&'a S);

impl<S: Read + ?Sized> State for Effects<'_, S> {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StateError> {
        let damaged = || StateError::damaged("a key of an act is none");
        let (original, sender) =
            (key.id.parse().map_err(|_| damaged())?, key.value.parse().map_err(|_| damaged())?);
        let found = of_in(self.0, &Subject::new(original, &sender, &key.module));
        let found = found.map_err(|error| StateError(Box::new(error)))?;
        found.map(|record| cbor::encode(&record).map_err(StateError::damaged)).transpose()
    }

    fn scan(&self, _: &Key, _: &str, _: usize) -> Result<Vec<Row>, StateError> {
        // They are asked for one by one.
        Ok(Vec::new())
    }
}

fn failed(error: StateError) -> NodeError {
    match error.0.downcast::<NodeError>() {
        Ok(error) => *error,
        Err(other) => NodeError::damaged(other.to_string()),
    }
}

/// What the rules of the exchange say of an act: whether it is the first of those that take effect.
pub(crate) fn judge(
    store: &(impl Read + ?Sized),
    office: &Office,
    (document, header): (DocumentId, &DocumentHeader),
    on: Option<Original>,
) -> Result<Result<(), Refusal>, NodeError> {
    let now = Instant(unix_now());
    let signer = Signer { name: header.from.to_string(), agency: header.from.to_string() };
    let input = Input {
        at: now,
        lodged: now,
        home: office.identity().agency.to_string(),
        // What is recorded of it, an entry of its own commits to.
        salt: Salt::Own(Digest::of(&[])),
        facts: Facts::default(),
        document: Document {
            id: document,
            header: header.clone(),
            signers: vec![signer],
            part: None,
        },
    };
    let judged = Exchange { on }.judge(&Effects(store), &input).map_err(failed)?;
    Ok(judged.map(drop))
}

/// A refusal by the rules of the exchange, in the words that the desk has for it.
pub(crate) fn fault_of(why: Refusal, header: &DocumentHeader, on: &DocumentId) -> NodeError {
    let agency = |name: &str| name.parse::<AgencyName>().ok();
    let fault = match why {
        Refusal::OfTheNode => Some(Fault::OfTheNode),
        Refusal::NamesNothing { kind } => Some(Fault::NamesNothing { kind }),
        Refusal::NotHere { .. } => {
            Some(Fault::NotHere { document: *on, kind: header.kind.clone() })
        }
        Refusal::NotSentTo { agency: other } => agency(&other).map(Fault::NotSent),
        Refusal::GoesElsewhere { to } => {
            agency(&to).map(|to| Fault::GoesElsewhere { kind: header.kind.clone(), to })
        }
        Refusal::NoReason => Some(Fault::NoReason),
        Refusal::TookEffect { kind, time } => Some(Fault::TookEffect { kind, time }),
        _ => None,
    };
    fault.map_or_else(|| NodeError::damaged("an act is refused for no reason"), refuse)
}
