//! What the effects of an act come to, and carrying that out.

use std::collections::BTreeMap;

use chancery_crypto::Hasher;

use super::{
    account, booking,
    more::{self, MoreDeed},
    notice, publication, registry,
    run::Ran,
    send,
};
use crate::{
    case::{Decided, Deciding, MOST_INNER, Made},
    environment::CaseEnvironment,
    input::Document,
    manifest::{Act, Effect, Fields, Placed, Verb},
    reason::{Reason, Refusal},
    record::Also,
    state::{Overlay, StateError},
    thing::{Parent, Thing},
    value::{Value, Why},
};

/// An effect with the values that it has.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    /// `act/effect`, for refusals.
    pub rule: String,
    /// Which one of an effect that is done for each of a list.
    pub place: usize,
    pub deed: Deed,
}

#[derive(Debug, Clone)]
pub(crate) enum Deed {
    Open { case: String, with: Value },
    Tell { case: String, act: String, thing: String, with: Value, skip: bool },
    Record { registry: String, with: BTreeMap<String, Value>, revise: bool },
    Move(account::Move),
    Book(booking::Wanted),
    Booked { booking: String, keep: bool },
    Send(Box<send::Sending>),
    Notify { who: Vec<String>, say: String },
    More(MoreDeed),
    Run(Ran),
    Publish(publication::Wanted),
}

/// The most times that an effect is done for the elements of a list.
const MOST_EACH: usize = 1_000;

impl Deciding<'_> {
    /// Works out what the effects of an act are. `environment` has the thing as it will be by what the act sets.
    pub(crate) fn plan<'e>(
        &'e self,
        environment: impl Fn(Option<Value>) -> CaseEnvironment<'e>,
        act: &Act,
        refused: &mut Vec<Reason>,
    ) -> Result<Vec<Planned>, StateError> {
        // A roll that is frozen is there for what is owed to its members by the same act.
        let frozen = more::frozen(self, act).into_iter();
        let frozen = frozen.map(|(rule, deed)| Planned { rule, place: 0, deed: Deed::More(deed) });
        let mut planned: Vec<_> = frozen.collect();
        for effect in &act.effects {
            let rule = format!("{}/{}", act.name, effect.name);
            if let Some(deed) = more::owes(act, effect) {
                planned.push(Planned { rule, place: 0, deed: Deed::More(deed) });
                continue;
            }
            let all = environment(None);
            let elements = match &effect.each {
                None => vec![None],
                Some(each) => match each.formula.value(&all) {
                    Value::List(list) if list.len() <= MOST_EACH => {
                        list.into_iter().map(Some).collect()
                    }
                    Value::List(_) => {
                        refused.push(self.reason(&rule, None, Refusal::Cost));
                        continue;
                    }
                    other => {
                        refused.push(self.reason(&rule, None, unknown(&other)));
                        continue;
                    }
                },
            };
            all.check()?;
            for (place, x) in elements.into_iter().enumerate() {
                let environment = environment(x);
                match self.deed(&environment, effect) {
                    Ok(None) => {}
                    Ok(Some(deed)) => planned.push(Planned { rule: rule.clone(), place, deed }),
                    Err(why) => refused.push(self.reason(&rule, None, why)),
                }
                environment.check()?;
            }
        }
        Ok(planned)
    }

    /// What an effect comes to; nothing where its `if` does not hold.
    pub(super) fn deed(
        &self,
        environment: &CaseEnvironment<'_>,
        effect: &Effect,
    ) -> Result<Option<Deed>, Refusal> {
        if let Some(condition) = &effect.condition {
            match condition.formula.value(environment) {
                Value::Bool(true) => {}
                Value::Bool(false) => return Ok(None),
                other => return Err(unknown(&other)),
            }
        }
        let value = |placed: &Placed| known(placed, environment);
        let text = |placed: &Placed| match value(placed)? {
            Value::Text(text) => Ok(text),
            other => Err(unknown(&other)),
        };
        let moment = |placed: &Placed| match value(placed)? {
            Value::Instant(at) => Ok(at),
            other => Err(unknown(&other)),
        };
        let with = |with: &Option<Fields>| match with {
            None => Ok(Value::Map(BTreeMap::new())),
            Some(fields) => map(fields, environment).map(Value::Map),
        };
        Ok(Some(match &effect.verb {
            Verb::Open { case, with: fields } => {
                Deed::Open { case: case.clone(), with: with(fields)? }
            }
            Verb::Tell { case, act, on, with: fields, skip } => Deed::Tell {
                case: case.clone(),
                act: act.clone(),
                thing: text(on)?,
                with: with(fields)?,
                skip: *skip,
            },
            Verb::Record { registry, with, revise } => Deed::Record {
                registry: registry.clone(),
                with: map(with, environment)?,
                revise: *revise,
            },
            Verb::Move { account, of, from, to, amount, value_date } => {
                let mut dims = BTreeMap::new();
                for (name, placed) in of {
                    dims.insert(name.clone(), value(placed)?.to_string());
                }
                let amount = match value(amount)? {
                    Value::Int(n) => n,
                    Value::Money(fen) => {
                        fen.mantissa().checked_div(10i128.pow(fen.scale())).unwrap_or_default()
                    }
                    other => return Err(unknown(&other)),
                };
                if amount < 0 {
                    return Err(Refusal::Unknown { what: format!("{amount}") });
                }
                let value_date = value_date.as_ref().map(value).transpose()?;
                let (account, from, to) = (account.clone(), from.clone(), to.clone());
                Deed::Move(account::Move { account, dims, from, to, amount, value_date })
            }
            Verb::Book { booking, of, from, to, units, firm } => {
                let units = match units.as_ref().map(value).transpose()? {
                    None => 1,
                    Some(Value::Int(n)) if n > 0 => u32::try_from(n).unwrap_or(u32::MAX),
                    Some(other) => return Err(unknown(&other)),
                };
                Deed::Book(booking::Wanted {
                    booking: booking.clone(),
                    resource: text(of)?,
                    from: moment(from)?,
                    to: moment(to)?,
                    units,
                    firm: *firm,
                })
            }
            Verb::Booked { booking, keep } => {
                Deed::Booked { booking: booking.clone(), keep: *keep }
            }
            Verb::Run(run) => Deed::Run(Ran::plan(run, environment)?),
            Verb::Send { form, to, on, title, with: fields, refused } => {
                let values = match fields {
                    None => BTreeMap::new(),
                    Some(fields) => map(fields, environment)?,
                };
                let taken = self.module.receiving(form);
                let (case, act) = taken.ok_or_else(|| Refusal::Unknown { what: form.clone() })?;
                let about = on.as_ref().map(text).transpose()?;
                Deed::Send(Box::new(send::Sending {
                    form: form.clone(),
                    act: format!("{}/{}", case.name, act.name),
                    refused: refused.clone(),
                    to: send::recipients(&value(to)?, self.home)?,
                    about,
                    title: title.as_ref().map(text).transpose()?,
                    with: send::form(&values)?,
                }))
            }
            Verb::Notify { names, say } => {
                let names = value(names)?;
                let who = names.names().into_iter().map(str::to_owned).collect();
                Deed::Notify { who, say: say.clone() }
            }
            Verb::More(verb) => Deed::More(more::deed(environment, verb)?),
            Verb::Publish { publication, event, work, form, parts, from, reason } => {
                let day = |placed: &Placed| match value(placed)? {
                    Value::Date(day) => Ok(Some(day)),
                    Value::None => Ok(None),
                    other => Err(unknown(&other)),
                };
                let parts = match parts.as_ref().map(value).transpose()? {
                    None | Some(Value::None) => Vec::new(),
                    Some(Value::List(list)) => list,
                    Some(one) => vec![one],
                };
                // What the signer gave as his reason is what readers are told, where nothing else is.
                let given = environment.document.and_then(Document::filing);
                let given = given.and_then(|filing| filing.reason.clone());
                let reason = match reason {
                    Some(reason) => Some(text(reason)?),
                    None => given,
                };
                Deed::Publish(publication::Wanted {
                    publication: publication.clone(),
                    event: event.clone(),
                    work: text(work)?,
                    fields: form
                        .as_ref()
                        .map(|form| map(form, environment))
                        .transpose()?
                        .unwrap_or_default(),
                    parts,
                    from: from.as_ref().map(day).transpose()?,
                    reason,
                })
            }
        }))
    }

    /// Carries out what was planned. The thing whose act it is has been written; what a booking holds stands in it, so that it
    /// is written again when that changes.
    pub(crate) fn carry_out(
        &self,
        overlay: &mut Overlay<'_>,
        thing: &mut Thing,
        document: Option<&Document>,
        planned: Vec<Planned>,
        also: &mut Vec<Also>,
        depth: usize,
    ) -> Decided<()> {
        if depth > MOST_INNER && !planned.is_empty() {
            return Ok(Err(vec![self.reason("then", None, Refusal::Cost)]));
        }
        // What stands in the thing itself comes first: others may tell it something, and are not to be overwritten.
        let (others, own): (Vec<_>, Vec<_>) = planned
            .into_iter()
            .partition(|one| matches!(one.deed, Deed::Open { .. } | Deed::Tell { .. }));
        let (mut moves, mut runs, before) = (Vec::new(), Vec::new(), thing.clone());
        for Planned { rule, place, deed } in own {
            let done = match deed {
                Deed::More(deed) => more::carry_out(self, overlay, &rule, deed, thing)?,
                Deed::Open { .. } | Deed::Tell { .. } => Ok(()),
                Deed::Record { registry, with, revise } => {
                    registry::write(self, overlay, &rule, &registry, with, revise, document, thing)?
                }
                Deed::Move(one) => {
                    moves.push((rule, one));
                    Ok(())
                }
                Deed::Book(wanted) => booking::book(self, overlay, &rule, &wanted, thing)?,
                Deed::Booked { booking, keep } => {
                    booking::settle(overlay, &booking, keep, thing)?;
                    Ok(())
                }
                Deed::Run(run) => {
                    runs.push((rule, run));
                    Ok(())
                }
                Deed::Send(sending) => {
                    send::owe(self, overlay, (&rule, place), &sending, document, thing)?;
                    Ok(())
                }
                Deed::Notify { who, say } => {
                    notice::tell(self, overlay, &rule, place, &who, &say, thing);
                    Ok(())
                }
                Deed::Publish(wanted) => {
                    publication::publish(self, overlay, &rule, wanted, document)?
                }
            };
            if let Err(reasons) = done {
                return Ok(Err(reasons));
            }
        }
        if before != *thing {
            overlay.put(Thing::key(self.module.name(), &self.case.name, self.id), thing.encode());
        }
        if let Err(reasons) = account::post(self, overlay, moves)? {
            return Ok(Err(reasons));
        }
        // Mechanisms work over what else the act has done: a record that it corrects is corrected for them.
        let mut others = others;
        for (rule, run) in runs {
            let opened = match run.carry_out(self, overlay, &rule, document)? {
                Ok(opened) => opened,
                Err(reasons) => return Ok(Err(reasons)),
            };
            let planned = (0..).zip(opened).map(|(place, (case, with))| Planned {
                rule: rule.clone(),
                place,
                deed: Deed::Open { case, with },
            });
            others.extend(planned);
        }
        for Planned { rule, place, deed } in others {
            let done = match deed {
                Deed::Open { case, with } => {
                    let child = (case.as_str(), &*thing, with);
                    self.open_child(overlay, &rule, place, child, document, also, depth)?
                }
                Deed::Tell { case, act, thing, with, skip } => {
                    let told =
                        self.tell(overlay, (&case, &act, &thing), with, document, also, depth)?;
                    if skip { Ok(()) } else { told }
                }
                _ => Ok(()),
            };
            if let Err(reasons) = done {
                return Ok(Err(reasons));
            }
        }
        Ok(Ok(()))
    }

    #[expect(clippy::too_many_arguments, reason = "they are what a child is opened with")]
    fn open_child(
        &self,
        overlay: &mut Overlay<'_>,
        rule: &str,
        place: usize,
        (case, above, with): (&str, &Thing, Value),
        document: Option<&Document>,
        also: &mut Vec<Also>,
        depth: usize,
    ) -> Decided<()> {
        let gone = || StateError::damaged(format!("no case {case}"));
        let case = self.module.cases.get(case).ok_or_else(gone)?;
        let act = case.opening().ok_or_else(gone)?;
        let id = child_id(self.module.name(), (self.id, above.sequence), rule, place, overlay)?;
        let child = Deciding { case, id: &id, ..self.clone() };
        let parent = Parent { case: self.case.name.clone(), thing: self.id.to_owned() };
        let thing = Thing {
            version: Some(self.module.digest()),
            // What held when its parent was opened holds for it.
            variant: above.variant.clone(),
            params: above.params.clone(),
            // It belongs where its parent does.
            office: above.office.clone(),
            parent: Some(parent),
            place: u32::try_from(place).unwrap_or(u32::MAX),
            title: document.map(|document| document.header.title.clone()).unwrap_or_default(),
            ..Thing::default()
        };
        child.inner_act(overlay, thing, act, document, with, also, depth + 1)
    }

    fn tell(
        &self,
        overlay: &mut Overlay<'_>,
        (case, act, id): (&str, &str, &str),
        with: Value,
        document: Option<&Document>,
        also: &mut Vec<Also>,
        depth: usize,
    ) -> Decided<()> {
        let rule = format!("tell/{case}/{act}");
        let Some(thing) = Thing::get(overlay, self.module.name(), case, id)? else {
            return Ok(Err(vec![self.reason(&rule, None, Refusal::NoThing)]));
        };
        let version = thing.version.unwrap_or_else(|| self.module.digest());
        let module = self.kernel.module(overlay, &version)?;
        let found = module.cases.get(case).and_then(|case| Some((case, case.act(act)?)));
        let Some((case, act)) = found.filter(|(_, act)| act.inner()) else {
            return Ok(Err(vec![self.reason(&rule, None, Refusal::NoAct)]));
        };
        let other = Deciding { module: &module, case, id, ..self.clone() };
        let refused = other.place(act, Some(&thing));
        if !refused.is_empty() {
            return Ok(Err(refused));
        }
        // What is refused inside has changed nothing, whoever goes on without it.
        let mut inner = Overlay::new(overlay);
        let mut more = Vec::new();
        let done = other.inner_act(&mut inner, thing, act, document, with, &mut more, depth + 1)?;
        if done.is_ok() {
            let writes = inner.into_writes();
            overlay.extend(writes);
            also.append(&mut more);
        }
        Ok(done)
    }

    /// An act that no document makes, of a thing that another act opens or tells.
    #[expect(clippy::too_many_arguments, reason = "they are what it is run with")]
    fn inner_act(
        &self,
        overlay: &mut Overlay<'_>,
        mut thing: Thing,
        act: &Act,
        document: Option<&Document>,
        with: Value,
        also: &mut Vec<Also>,
        depth: usize,
    ) -> Decided<()> {
        let (refused, flags) = {
            let there = (!thing.state.is_empty()).then_some(&thing);
            let environment = self.environment(overlay, there, document, with.clone());
            let parent = thing.parent.clone();
            let environment = CaseEnvironment { parent, ..environment };
            let found = self.needs(&environment, act);
            environment.check()?;
            found
        };
        if !refused.is_empty() {
            return Ok(Err(refused));
        }
        thing.flags.extend(flags);
        let made = Made { document, doc: with, signed: false };
        Ok(self.change(overlay, &mut thing, act, made, also, depth)?.map(|applied| {
            also.push(Also {
                case: applied.case,
                thing: applied.thing,
                sequence: applied.sequence,
                state: applied.state,
            });
        }))
    }
}

/// The name of a child: nobody chooses it, and everybody who decides again comes to the same.
fn child_id(
    module: &str,
    (parent, step): (&str, u64),
    rule: &str,
    place: usize,
    overlay: &Overlay<'_>,
) -> Result<String, StateError> {
    let mut hasher = Hasher::new();
    hasher.update(b"chancery/1 child\0");
    let number = crate::kernel::decisions(overlay)?;
    let numbers = [number, step, place as u64].map(|n| n.to_string());
    let numbers = numbers.iter().map(String::as_str);
    for part in [module, parent, rule].into_iter().chain(numbers) {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let id = chancery_protocol::DocumentId::from_slice(hasher.finish().as_bytes());
    id.map(|id| id.to_string()).ok_or_else(|| StateError::damaged("a digest is no id"))
}

pub(super) fn unknown(value: &Value) -> Refusal {
    match value {
        Value::Unknown(Why::Cost) => Refusal::Cost,
        Value::Unknown(why) => Refusal::Unknown { what: why.to_string() },
        other => Refusal::Unknown { what: other.kind().to_owned() },
    }
}

/// A value that can be kept.
pub(super) fn known(placed: &Placed, environment: &CaseEnvironment<'_>) -> Result<Value, Refusal> {
    let value = placed.formula.value(environment);
    match value.unkept() {
        None => Ok(value),
        Some(why) => Err(unknown(&Value::Unknown(why))),
    }
}

pub(super) fn map(
    fields: &Fields,
    environment: &CaseEnvironment<'_>,
) -> Result<BTreeMap<String, Value>, Refusal> {
    match fields {
        Fields::Each(each) => {
            let each =
                each.iter().map(|(name, placed)| Ok((name.clone(), known(placed, environment)?)));
            // What is not there is not in it.
            let all: Result<BTreeMap<_, _>, Refusal> = each.collect();
            all.map(|all| all.into_iter().filter(|(_, value)| value.is_some()).collect())
        }
        Fields::Whole(placed) => match known(placed, environment)? {
            Value::Map(map) => Ok(map),
            other => Err(unknown(&other)),
        },
    }
}
