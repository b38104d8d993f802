//! What may be seen of an exam: the paper once it is open, grades, and who would have another by other keys.

use std::{cell::Cell, collections::BTreeMap};

use chancery_crypto::{Digest, cbor};

use super::exam::{
    Paper, PaperSeen, Regraded, Script, Working, paper_key, read, script_key, scripts,
};
use crate::{
    civil::Instant,
    kernel::Kernel,
    manifest::{Exam, Module},
    state::{State, StateError},
    value::{Value, Why},
};

/// What formulas are told of a paper: its items, once it is open.
pub(crate) fn paper(
    state: &dyn State,
    module: &str,
    exam: &Exam,
    sitting: &str,
    at: Instant,
) -> Result<Value, StateError> {
    let found: Option<Paper> = read(state, &paper_key(module, exam, sitting))?;
    Ok(match found {
        None => Value::None,
        Some(paper) if at.0 < paper.opens => {
            Value::Unknown(Why::Sealed(crate::civil::Zone::CHINA.show(Instant(paper.opens))))
        }
        Some(paper) => Value::texts(paper.items),
    })
}

/// What formulas are told of a script: its points and whether it is passed, once it is graded.
pub(crate) fn graded(
    state: &dyn State,
    module: &str,
    exam: &Exam,
    (sitting, script): (&str, &str),
) -> Result<Value, StateError> {
    let found: Option<Script> = read(state, &script_key(module, exam, sitting, script))?;
    let Some(grade) = found.and_then(|script| script.grade) else { return Ok(Value::None) };
    let fields = [("points", grade.points), ("passed", Value::Bool(grade.passed))];
    Ok(Value::Map(fields.map(|(name, value)| (name.to_owned(), value)).into()))
}

/// As stories name it: `exam/NAME/paper` of a sitting; `exam/NAME/SCRIPT-CANDIDATE/points`, `passed`.
pub(super) fn shown(
    state: &dyn State,
    module: &Module,
    thing: &str,
    path: &[&str],
    at: Instant,
) -> Result<Option<String>, StateError> {
    let [exam, rest @ ..] = path else { return Ok(None) };
    let Some(exam) = module.exams.get(*exam) else { return Ok(None) };
    match rest {
        ["paper"] => Ok(Some(paper(state, module.name(), exam, thing, at)?.to_string())),
        [who, what] => {
            let all = scripts(state, module.name(), exam, thing)?;
            let script = all.into_iter().map(|(_, script)| script).find(|one| one.who == *who);
            let grade = script.and_then(|script| script.grade);
            Ok(grade.map(|grade| match *what {
                "points" => grade.points.to_string(),
                _ => grade.passed.to_string(),
            }))
        }
        _ => Ok(None),
    }
}

impl Kernel {
    /// The paper of a sitting, as anybody may see it at a moment.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn paper(
        &self,
        state: &dyn State,
        module: &str,
        exam: &str,
        sitting: &str,
        at: Instant,
    ) -> Result<Option<PaperSeen>, StateError> {
        let Some((_, module)) = self.in_force(state, module)? else { return Ok(None) };
        let Some(exam) = module.exams.get(exam) else { return Ok(None) };
        let paper: Option<Paper> = read(state, &paper_key(module.name(), exam, sitting))?;
        Ok(paper.map(|paper| match at.0 < paper.opens {
            true => PaperSeen::Sealed {
                until: paper.opens,
                digest: Digest::of(&cbor::encode(&paper).expect("plain")),
            },
            false => PaperSeen::Open(paper),
        }))
    }

    /// Whose grade would be another if the keys of some items were these, before anything is corrected. None where there is
    /// nothing that was graded, or something of it cannot be graded so.
    ///
    /// # Errors
    /// [`StateError`].
    #[expect(clippy::too_many_arguments, reason = "they are what is asked")]
    pub fn try_regrade(
        &self,
        state: &dyn State,
        module: &str,
        exam: &str,
        sitting: &str,
        keys: &BTreeMap<String, String>,
        home: &str,
        at: Instant,
    ) -> Result<Option<Vec<Regraded>>, StateError> {
        let Some((_, module)) = self.in_force(state, module)? else { return Ok(None) };
        let Some(exam) = module.exams.get(exam) else { return Ok(None) };
        let Some(case) = module.cases.get(&exam.sitting) else { return Ok(None) };
        let calendar = self.calendar(state)?;
        let deciding = self.deciding(&module, case, &calendar, home, sitting, at, at);
        let Ok(all) = (Working { deciding: &deciding, exam, steps: Cell::new(0) })
            .grades(state, sitting, keys)?
        else {
            return Ok(None);
        };
        let mut found = Vec::new();
        for (script, one, after) in all {
            let Some(before) = one.grade else { return Ok(None) };
            if (&before.points, before.passed) != (&after.points, after.passed) {
                found.push(Regraded { script, who: one.who, before, after });
            }
        }
        Ok(Some(found))
    }
}
