//! Who may do an act: by a role where it is held, or as one who has to do with the thing. And of which office a thing is.

use crate::{
    case::{Decided, Deciding},
    environment::CaseEnvironment,
    formula::Environment as _,
    input::{Document, Signer},
    jurisdiction::is_path,
    manifest::Act,
    reason::Refusal,
    state::{State, StateError},
    thing::Thing,
    value::Value,
};

/// Where a thing is with which something is done.
enum Place<'a> {
    /// It belongs to this office; empty: to the whole agency.
    At(&'a str),
    /// It is being opened, and belongs where whoever opens it holds his role.
    Opener,
}

/// Whether somebody is one of those that a name stands for, and where.
struct Is {
    is: bool,
    /// The offices in which he is, where he is one by a role in some offices alone.
    offices: Vec<String>,
}

impl Deciding<'_> {
    /// Who may do it. Gives the office of the thing: that to which it belongs, or will belong when it is opened.
    pub(crate) fn who(
        &self,
        state: &dyn State,
        document: &Document,
        act: &Act,
        thing: Option<&Thing>,
        doc: &Value,
    ) -> Decided<String> {
        let law = act.law.as_deref();
        let declared = match thing {
            Some(thing) => Some(thing.office.clone()),
            None => match self.declared_office(state, document, act, doc)? {
                Ok(office) => office,
                Err(reasons) => return Ok(Err(reasons)),
            },
        };
        let place = declared.as_deref().map_or(Place::Opener, Place::At);
        let signer = document.signer();
        let mut environment = self.environment(state, thing, Some(document), Value::None);
        environment.office = declared.clone().unwrap_or_default();
        let (mut entitled, mut refused) = (None, Vec::new());
        let acts_for = Self::acts_for(thing, &signer);
        for one in &acts_for {
            // Nobody acts in place of one who may not himself.
            if one.name != signer.name && self.is_excluded(&environment, act, one, &place)? {
                continue;
            }
            for name in &act.by {
                let found = self.is_one(&environment, name, one, &place, false)?;
                // It is by the first of them that he does it.
                if found.is && entitled.is_none() {
                    entitled = Some(found.offices);
                }
            }
        }
        // Whoever is asked in a round may answer, by whatever name he came to it.
        if entitled.is_none() && self.is_asked(act, thing, &acts_for) {
            entitled = Some(Vec::new());
        }
        if entitled.is_none() {
            let office = declared.as_deref().filter(|office| !office.is_empty()).map(Box::from);
            let why = Refusal::NotEntitled { who: signer.name.clone(), by: act.by.clone(), office };
            refused.push(self.reason(&format!("{}/by", act.name), law, why));
        }
        // Who may not do it himself does not do it for another.
        let hand = document.hand();
        let both = [Some(&signer), Some(&hand).filter(|hand| **hand != signer)];
        for name in &act.not_by {
            for who in both.into_iter().flatten() {
                if self.is_one(&environment, name, who, &place, true)?.is {
                    let why = Refusal::Excluded { who: who.name.clone(), not_by: name.clone() };
                    refused.push(self.reason(&format!("{}/not_by", act.name), law, why));
                }
            }
        }
        environment.check()?;
        if !act.special.sign.is_empty() {
            let environment = self.environment(state, thing, Some(document), doc.clone());
            refused.extend(self.unsigned(&environment, act, document));
            environment.check()?;
        }
        let office = match (declared, entitled.unwrap_or_default().as_slice()) {
            (Some(office), _) => office,
            (None, []) => String::new(),
            (None, [office]) => office.clone(),
            // Nobody can say for which of them he opens it.
            (None, offices) => {
                let what = format!("office: {}", offices.join(", "));
                let rule = format!("{}/office", act.name);
                refused.push(self.reason(&rule, law, Refusal::Unknown { what }));
                String::new()
            }
        };
        Ok(if refused.is_empty() { Ok(office) } else { Err(refused) })
    }

    /// The office to which a thing will belong, if its case says so: by the document that opens it.
    fn declared_office(
        &self,
        state: &dyn State,
        document: &Document,
        act: &Act,
        doc: &Value,
    ) -> Decided<Option<String>> {
        let Some(placed) = &self.case.reading.office else { return Ok(Ok(None)) };
        let environment = self.environment(state, None, Some(document), doc.clone());
        let value = placed.formula.value(&environment);
        environment.check()?;
        let what = match value {
            Value::Text(office) if office.is_empty() || is_path(&office) => {
                return Ok(Ok(Some(office)));
            }
            Value::Unknown(why) => why.to_string(),
            other => format!("office: {other}"),
        };
        let rule = format!("{}/office", act.name);
        Ok(Err(vec![self.reason(&rule, act.law.as_deref(), Refusal::Unknown { what })]))
    }

    /// Whether somebody is one of those who may not.
    fn is_excluded(
        &self,
        environment: &CaseEnvironment<'_>,
        act: &Act,
        who: &Signer,
        place: &Place<'_>,
    ) -> Result<bool, StateError> {
        let mut excluded = false;
        for name in &act.not_by {
            excluded = excluded || self.is_one(environment, name, who, place, true)?.is;
        }
        Ok(excluded)
    }

    /// Whether somebody may do it with a thing, by who he is.
    pub(crate) fn may(
        &self,
        state: &dyn State,
        act: &Act,
        thing: &Thing,
        who: &str,
    ) -> Result<bool, StateError> {
        let signer = Signer::named(who);
        let environment = self.environment(state, Some(thing), None, Value::None);
        let place = Place::At(&thing.office);
        let acts_for = Self::acts_for(Some(thing), &signer);
        let mut may = self.is_asked(act, Some(thing), &acts_for);
        for one in &acts_for {
            if self.is_excluded(&environment, act, one, &place)? {
                continue;
            }
            for name in &act.by {
                may |= self.is_one(&environment, name, one, &place, false)?.is;
            }
        }
        may &= !self.is_excluded(&environment, act, &signer, &place)?;
        may &= self.held_up(act, thing).is_empty();
        environment.check()?;
        Ok(may)
    }

    /// Whether somebody holds a role anywhere, or is named.
    pub(crate) fn holds_or_is(
        &self,
        environment: &CaseEnvironment<'_>,
        name: &str,
        signer: &Signer,
    ) -> Result<bool, StateError> {
        Ok(self.is_one(environment, name, signer, &Place::Opener, false)?.is)
    }

    /// Whether somebody is one of those that a name stands for: a role by appointment, or one who has to do with the thing. A
    /// role entitles where it is held as it is to be; it excludes wherever it is held.
    fn is_one(
        &self,
        environment: &CaseEnvironment<'_>,
        name: &str,
        signer: &Signer,
        place: &Place<'_>,
        excluded: bool,
    ) -> Result<Is, StateError> {
        if self.module.is_of_parties(name) {
            let is = self.module.has_party(name, signer);
            return Ok(Is { is, offices: Vec::new() });
        }
        if self.module.roles.contains_key(name) {
            let held = match excluded {
                true => environment.held(name, &signer.name)?,
                false => environment.holds(name, &signer.name)?,
            };
            return Ok(match place {
                Place::At(office) => Is { is: held.covers(office), offices: Vec::new() },
                Place::Opener => {
                    let is = held.anywhere();
                    Is { is, offices: if held.whole { Vec::new() } else { held.offices } }
                }
            });
        }
        let is = names_one(&environment.root(name), signer);
        Ok(Is { is, offices: Vec::new() })
    }
}

/// Whether a value names somebody, or the agency that he is of.
pub(crate) fn names_one(people: &Value, signer: &Signer) -> bool {
    let mut named = people.names().into_iter().filter(|known| !known.is_empty());
    named.any(|known| known == signer.name || known == signer.agency)
}
