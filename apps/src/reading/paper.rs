//! Printing what may be read: whoever does not read a thing prints nothing of it, and what is hidden from him is on no paper.

use chancery_crypto::Language;

use super::{Readable, Reading};
use crate::{
    kernel::Coming,
    manifest::Placed,
    paper::{Metrics, NotPrinted, Paper, print},
    state::StateError,
};

impl Reading<'_> {
    /// A thing on paper, by a template of the version of its module by which it goes.
    ///
    /// # Errors
    /// [`StateError`]; inside, [`NotPrinted`].
    pub fn paper(
        &self,
        coming: &Coming,
        template: &str,
        language: Language,
        metrics: &dyn Metrics,
    ) -> Result<Result<Paper, NotPrinted>, StateError> {
        let Some((module, thing)) = self.kernel.thing(self.state, coming)? else {
            return Ok(Err(NotPrinted::Thing));
        };
        let Readable::Yes(hidden) = self.judge(&module, coming, &thing)? else {
            return Ok(Err(NotPrinted::Thing));
        };
        let Some(case) = module.cases.get(&coming.case) else { return Ok(Err(NotPrinted::Thing)) };
        let found = match module.template(&coming.case, template) {
            Ok(found) => found,
            Err(no) => return Ok(Err(no)),
        };
        let hides = |placed: &Placed| {
            let mut fields = hidden.fields.iter();
            fields.find(|name| case.shows(&placed.formula, name)).cloned()
        };
        let thing = hidden.mask(thing);
        let (calendar, id, at) = (&self.calendar, &coming.thing, self.at);
        let deciding = self.kernel.deciding(&module, case, calendar, self.home, id, at, at);
        let environment = deciding.looking(self.state, &thing);
        let paper = print(found, &environment, &hides, language, metrics);
        environment.check()?;
        Ok(paper)
    }
}
