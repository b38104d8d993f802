use chancery_crypto::{Language, say};

use crate::manifest::StockFault;

impl StockFault {
    /// What is wrong, and how to mend it.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::NothingBefore(state) => say!(
                language,
                ("no state comes before \"{state}\" to which a matter could be returned: leave it out of \"from\""),
                ("状态“{state}”之前没有可退回的状态；请从 from 中删去")
            ),
            Self::NotBefore { to, from } => say!(
                language,
                ("a matter is returned to a state that comes before: \"{to}\" does not come before \"{from}\""),
                ("只能退回到之前的状态：“{to}”不在“{from}”之前")
            ),
            Self::Stays(act) => say!(
                language,
                ("what \"{act}\" does stays when it is recalled: name the act that undoes it (undo)"),
                ("撤回“{act}”后，其效果仍然存在；请以 undo 写明由哪个动作消除")
            ),
            Self::MovesNothing(act) => say!(
                language,
                ("\"{act}\" leads to no state, so that there is nothing to recall"),
                ("“{act}”不改变状态，没有可以撤回的内容")
            ),
            Self::Ended(act) => say!(
                language,
                ("\"{act}\" leads to ends alone, and nothing is recalled from an end: use \"reopen\""),
                ("“{act}”只通向终态，终态不能撤回；请用 reopen")
            ),
            Self::Vote(act) => say!(
                language,
                ("\"{act}\" is a vote, and votes are not recalled"),
                ("“{act}”是会签表态，不能撤回")
            ),
            Self::UndoElsewhere { undo, act } => say!(
                language,
                ("\"{undo}\" is possible in no state to which \"{act}\" leads, and cannot undo it"),
                ("“{act}”通向的状态都不能办理“{undo}”，无法以其撤回")
            ),
            Self::NeverSuspended => say!(
                language,
                ("nothing is ever suspended that could be resumed: add \"suspend\""),
                ("没有任何中止办理的动作，无从恢复；请加上 suspend")
            ),
            Self::NoNumber => say!(
                language,
                ("the case has no series of numbers, so that there is none to annul"),
                ("此类事项没有编号序列，没有可作废的编号")
            ),
            Self::NotAnEnd(state) => say!(
                language,
                ("\"{state}\" is no end, and it is to be one here (end = true)"),
                ("“{state}”不是终态，此处应为终态（end = true）")
            ),
            Self::NotEnded(state) => say!(
                language,
                ("\"{state}\" is no end: what goes on is not reopened"),
                ("“{state}”不是终态；仍在办理的事项不需重新办理")
            ),
            Self::NoText(round) => say!(
                language,
                ("the round \"{round}\" is bound to a text, and the case has none (text = \"…\")"),
                ("会签轮次“{round}”绑定文本，而此类事项没有文本（text = \"…\"）")
            ),
            Self::NoTextField(form) => say!(
                language,
                ("a vote says for which text it is: the form \"{form}\" has no field \"text\""),
                ("表态须写明所签文本：表单“{form}”没有字段“text”")
            ),
            Self::Several(name) => say!(
                language,
                ("\"{name}\" may be several people, and whoever must sign is one"),
                ("“{name}”可能是多人，而签名人须是一人")
            ),
        }
    }
}
