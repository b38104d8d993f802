//! The exchange of documents (签收 退回 撤回 答复): the first module, in Rust. Of the acts on a document one takes effect, the first that
//! comes. Its records lie where they did before there were modules: whoever has them decide keeps them there.

use chancery_certs::AgencyName;
use chancery_crypto::cbor;
use chancery_protocol::{Act, DocumentId, REASON};
use serde::{Deserialize, Serialize};

use crate::{
    case::Decided,
    input::Input,
    reason::{Reason, Refusal},
    record::Applied,
    rules::Rules,
    state::{Family, Key, Overlay, State, StateError, Writes},
};

/// The act that took effect on a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TookEffect {
    /// The act's document type.
    pub kind: String,
    /// The act's document.
    pub document: DocumentId,
    /// When it took effect, in seconds since 1970 UTC.
    pub time: i64,
    /// Its module, which earlier versions did not keep: they took an act of any for one on any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
}

/// A document on which somebody acts, as far as it is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    /// Who sent it.
    pub from: AgencyName,
    /// To whom it went.
    pub to: Vec<AgencyName>,
    /// Whether it has come here; else it went out.
    pub incoming: bool,
}

/// The rules of the exchange, for an act on a document.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The document on which somebody acts, if it is here.
    pub on: Option<Original>,
}

/// The key of the act that took effect on a document of a sender, in a module: an act of another module is none on it, and nobody else's
/// withdrawal stands in the way.
pub fn effect_key(document: &DocumentId, sender: &AgencyName, module: &str) -> Key {
    Key::new(Family::Effect, module).name("effect").value(sender.as_str()).id(&document.to_string())
}

impl Exchange {
    /// Decides an act: what it writes, which is nothing for one whose effect is elsewhere; or why it is refused.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn judge(
        self,
        state: &dyn State,
        input: &Input,
    ) -> Result<Result<Writes, Refusal>, StateError> {
        let mut overlay = Overlay::new(state);
        let decided = self.decide(&mut overlay, input)?;
        Ok(match decided {
            Ok(_) => Ok(overlay.into_writes()),
            Err(reasons) => {
                Err(reasons.into_iter().next().map_or(Refusal::NoAct, |reason| reason.why))
            }
        })
    }

    /// Whether an act is one that may be done, before it is looked whether another came first.
    fn allowed(&self, act: Act, input: &Input) -> Result<(), Refusal> {
        let header = &input.document.header;
        let here = header.from.as_str() == input.home;
        if matches!(act, Act::WithdrawalAnswer | Act::Decision) {
            return Err(Refusal::OfTheNode);
        }
        let Some(document) = header.in_reply_to else {
            return Err(Refusal::NamesNothing { kind: header.kind.clone() });
        };
        if act == Act::Withdraw && !here {
            // It is its sender's to take back, also before it has come.
            return Ok(());
        }
        // What came in is received or returned, what went out is withdrawn.
        let on = self.on.as_ref().filter(|on| on.incoming == (act != Act::Withdraw));
        let Some(on) = on else {
            return Err(Refusal::NotHere { document: document.to_string() });
        };
        match act {
            Act::Withdraw => {
                let recipients = header.recipients();
                let mut others = recipients.into_iter().filter(|to| !on.to.contains(to));
                match others.next() {
                    Some(other) => Err(Refusal::NotSentTo { agency: other.to_string() }),
                    None => Ok(()),
                }
            }
            _ if header.to != [on.from.clone()] => {
                Err(Refusal::GoesElsewhere { to: on.from.to_string() })
            }
            Act::Return if header.fields.get(REASON).is_none_or(|r| r.trim().is_empty()) => {
                Err(Refusal::NoReason)
            }
            _ => Ok(()),
        }
    }
}

impl Rules for Exchange {
    fn decide(self, overlay: &mut Overlay<'_>, input: &Input) -> Decided<Applied> {
        let header = &input.document.header;
        let module = &header.module;
        let refused = |why| Ok(Err(vec![Reason { rule: module.clone(), law: None, why }]));
        let Some(act) = Act::of(&header.kind) else { return refused(Refusal::NoAct) };
        if let Err(why) = self.allowed(act, input) {
            return refused(why);
        }
        let here = header.from.as_str() == input.home;
        let (Some(document), false) = (header.in_reply_to, act == Act::Withdraw && here) else {
            // It takes effect where its recipient decides.
            return Ok(Ok(Applied::default()));
        };
        let sender = match (&self.on, act) {
            (Some(on), Act::Receive | Act::Return) => &on.from,
            _ => &header.from,
        };
        let key = effect_key(&document, sender, module);
        if let Some(bytes) = overlay.get(&key)? {
            let TookEffect { kind, document, time, .. } =
                cbor::decode(&bytes).map_err(StateError::damaged)?;
            // The same once more changes nothing.
            return match document == input.document.id {
                true => Ok(Ok(Applied::default())),
                false => refused(Refusal::TookEffect { kind, time }),
            };
        }
        let took = TookEffect {
            kind: act.kind().to_owned(),
            document: input.document.id,
            time: input.at.0,
            module: Some(module.clone()),
        };
        overlay.put(key, cbor::encode(&took).expect("plain"));
        Ok(Ok(Applied::default()))
    }
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
