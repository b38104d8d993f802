//! Rounds: many sign one thing. They begin when their state is entered, take votes, and end when these decide them.

use std::collections::BTreeMap;

use crate::{
    acts::{MOST_ASKED, MOST_VOID},
    case::{Decided, Deciding, Out},
    environment::CaseEnvironment,
    input::Document,
    manifest::{Act, Placed, Round},
    reason::Refusal,
    state::Overlay,
    thing::{Thing, Votes},
    turns::Void,
    value::Value,
};

impl Votes {
    /// Shows a vote that does not count any more. Of more than anybody reads, the oldest go.
    pub(crate) fn void(&mut self, void: Void) {
        if self.void.len() >= MOST_VOID {
            self.void.remove(0);
        }
        self.void.push(void);
    }

    /// Those who are asked and have not answered.
    pub(crate) fn open(&self) -> impl Iterator<Item = &String> {
        self.of.iter().filter(|who| !self.said.contains_key(*who))
    }
}

impl Deciding<'_> {
    /// Has a thing come into a state, and the round of that begin.
    pub(crate) fn enter(
        &self,
        overlay: &mut Overlay<'_>,
        thing: &mut Thing,
        to: &str,
        out: &mut Out,
        depth: usize,
    ) -> Decided<()> {
        if thing.state != to {
            // A duty was handed over as it was here.
            thing.turns.handed.clear();
        }
        thing.state = to.to_owned();
        thing.did(to, self.lodged);
        let round = self.case.state(to).and_then(|state| state.round.as_ref());
        let Some(round) = round.and_then(|name| self.case.round(name)) else { return Ok(Ok(())) };
        let environment = self.environment(overlay, Some(&*thing), None, Value::None);
        let value = round.of.formula.value(&environment);
        environment.check()?;
        drop(environment);
        let mut of: Vec<String> = Vec::new();
        for who in value.names() {
            if !of.iter().any(|known| known == who) {
                of.push(who.to_owned());
            }
        }
        let why = match of.len() {
            0 => Some(Refusal::Unknown { what: format!("round.{}", round.name) }),
            1..=MOST_ASKED => None,
            _ => Some(Refusal::Cost),
        };
        if let Some(why) = why {
            return Ok(Err(vec![self.reason(&round.name, None, why)]));
        }
        let text = self.text(overlay, thing)?.filter(|_| round.bind);
        let mut votes = Votes { of, ..Votes::default() };
        // Of a round to which the thing was returned, what was said of the same text counts.
        if let Some(before) = thing.rounds.remove(&round.name).filter(|before| before.again) {
            votes.void = before.void;
            for (who, said) in before.said {
                let of = before.texts.get(&who).cloned();
                match of.filter(|of| text.as_ref() == Some(of) && votes.of.contains(&who)) {
                    Some(of) => {
                        votes.said.insert(who.clone(), said);
                        votes.texts.insert(who, of);
                    }
                    None => {
                        let text = before.texts.get(&who).cloned().unwrap_or_default();
                        votes.void(Void { who, said, text });
                    }
                }
            }
        }
        let said = !votes.said.is_empty();
        thing.rounds.insert(round.name.clone(), votes);
        if said { self.settle(overlay, thing, round, out, depth) } else { Ok(Ok(())) }
    }

    #[expect(clippy::too_many_arguments, reason = "they are what a vote is cast with")]
    pub(crate) fn vote(
        &self,
        overlay: &mut Overlay<'_>,
        thing: &mut Thing,
        act: &Act,
        (vote, doc): (&Value, &Value),
        document: Option<&Document>,
        out: &mut Out,
        depth: usize,
    ) -> Decided<()> {
        let signer = document.map(Document::signer);
        let Some(signer) = signer else { return Ok(Ok(())) };
        let round = self.case.rounds.iter().find(|round| {
            let here = self.case.state(&thing.state).and_then(|state| state.round.as_ref());
            round.act == act.name && here == Some(&round.name)
        });
        let refused = |why| {
            Ok(Err(vec![self.reason(&format!("{}/vote", act.name), act.law.as_deref(), why)]))
        };
        let nobody = || Refusal::NoVote { who: signer.name.clone() };
        let Some(round) = round else { return refused(nobody()) };
        let text = self.text(overlay, thing)?.filter(|_| round.bind);
        let acts_for = Self::acts_for(Some(thing), &signer);
        let Some(votes) = thing.rounds.get_mut(&round.name) else { return refused(nobody()) };
        let next = votes.open().next().cloned();
        let his =
            |who: &&String| acts_for.iter().any(|one| one.name == **who || one.agency == **who);
        // Who has voted for himself may still have to for somebody whose duty has come to him.
        let who = votes.open().find(his).cloned();
        let turn = !round.listed || next == who;
        let Some(who) = who.filter(|_| turn) else { return refused(nobody()) };
        let said = match vote {
            Value::Text(said) if matches!(said.as_str(), "yes" | "no" | "abstain") => said.clone(),
            other => return refused(Refusal::Unknown { what: other.to_string() }),
        };
        if round.bind {
            // A vote says for which text it is, so that nobody's vote counts for what he has not seen.
            let given = doc.field("text");
            match text {
                Some(text) if given.as_text() == Some(text.as_str()) => {
                    votes.texts.insert(who.clone(), text);
                }
                Some(_) => return refused(Refusal::OtherText),
                None => return refused(Refusal::Unknown { what: "text".into() }),
            }
        }
        votes.said.insert(who, said);
        self.settle(overlay, thing, round, out, depth)
    }

    /// Ends a round when it is decided.
    pub(crate) fn settle(
        &self,
        overlay: &mut Overlay<'_>,
        thing: &mut Thing,
        round: &Round,
        out: &mut Out,
        depth: usize,
    ) -> Decided<()> {
        let votes = thing.rounds.get(&round.name).cloned().unwrap_or_default();
        let said = |word: &str| -> Vec<String> {
            let each = votes.said.iter().filter(|(_, said)| *said == word);
            each.map(|(who, _)| who.clone()).collect()
        };
        let count = |word| Value::Int(said(word).len() as i128);
        let counts = BTreeMap::from([
            ("yes", count("yes")),
            ("no", count("no")),
            ("abstain", count("abstain")),
            ("open", Value::Int((votes.of.len() - votes.said.len()) as i128)),
            ("all", Value::Int(votes.of.len() as i128)),
            ("who_yes", Value::texts(said("yes"))),
            ("who_no", Value::texts(said("no"))),
        ]);
        let environment = CaseEnvironment {
            counts,
            ..self.environment(overlay, Some(&*thing), None, Value::None)
        };
        let holds = |placed: &Placed| placed.formula.value(&environment) == Value::Bool(true);
        let ending = if round.fail.as_ref().is_some_and(holds) {
            round.failed.clone()
        } else if holds(&round.done) {
            round.agreed.clone()
        } else {
            None
        };
        environment.check()?;
        drop(environment);
        match ending {
            Some(ending) => self.end(overlay, thing, &ending, &round.name, out, depth),
            None => Ok(Ok(())),
        }
    }
}
