//! What is owed to the members of rolls, a decision each.

use super::{By, Coming, Decision, Kernel, Salt};
use crate::{
    civil::Instant,
    mechanism,
    record::{Facts, Outcome, Subject},
    state::{Overlay, State, StateError},
};

/// How many members are decided upon at once: they are one commit.
pub(super) const MOST_AT_ONCE: usize = 250;

impl Kernel {
    /// Decides upon the next members to whom a thing owes something.
    pub(super) fn owed(
        &self,
        overlay: &mut Overlay<'_>,
        coming: &Coming,
        home: &str,
        by: &By,
        most: usize,
        all: &mut Vec<Decision>,
    ) -> Result<(), StateError> {
        let calendar = self.calendar(overlay)?;
        for _ in 0..most {
            let Some((module, thing)) = self.thing(overlay, coming)? else { return Ok(()) };
            let Some(case) = module.cases.get(&coming.case) else { return Ok(()) };
            let found = mechanism::first_owed(overlay, &coming.module, &coming.thing)?;
            let Some((key, owed)) = found else { return Ok(()) };
            let since = Instant(owed.at);
            let deciding =
                self.deciding(&module, case, &calendar, home, &coming.thing, by.at, since);
            let mut inner = Overlay::new(overlay);
            let outcome = match deciding.owed(&mut inner, thing, (key, &owed))? {
                Ok(applied) => Outcome::Applied(applied),
                Err(reasons) => Outcome::Refused(reasons),
            };
            let writes = inner.into_writes();
            let subject = Subject::Owed {
                case: coming.case.clone(),
                thing: coming.thing.clone(),
                rule: format!("{}/{}", owed.act, owed.effect),
                member: owed.next,
            };
            let by = By { lodged: since, tables: deciding.looks.consulted(), ..by.clone() };
            let version = Some(module.digest());
            let decision =
                self.record(overlay, &coming.module, version, subject, outcome, writes, &by)?;
            overlay.extend(decision.writes.clone());
            all.push(decision);
        }
        Ok(())
    }

    /// The decision upon the next member to whom a thing owes something.
    pub(crate) fn owed_once(
        &self,
        state: &dyn State,
        coming: &Coming,
        home: &str,
        at: Instant,
        salt: Salt,
    ) -> Result<Option<Decision>, StateError> {
        let mut all = Vec::new();
        let by = By { at, lodged: at, salt, facts: Facts::default(), tables: Vec::new() };
        self.owed(&mut Overlay::new(state), coming, home, &by, 1, &mut all)?;
        Ok(all.into_iter().next())
    }
}
