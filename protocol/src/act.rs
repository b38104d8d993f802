//! Human acts on documents, each a signed document of its own that names the one it is about.

/// An act on a document that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// 签收: the recipient receives and registers it.
    Receive,
    /// 退回: the recipient sends it back, with a reason.
    Return,
    /// 撤回: the sender takes it back, before the recipient has received or returned it.
    Withdraw,
    /// 撤回答复: the recipient's node says whether the withdrawal came in time.
    WithdrawalAnswer,
    /// 办理答复: the node of the agency whose ledger decides a request says what was decided.
    Decision,
}

/// The field of a document that says why.
pub const REASON: &str = "reason";
/// The field of [`Act::WithdrawalAnswer`] that says `accepted` or `refused`, and of [`Act::Decision`] that says `applied` or `refused`.
pub const OUTCOME: &str = "outcome";

impl Act {
    const ALL: [Self; 5] =
        [Self::Receive, Self::Return, Self::Withdraw, Self::WithdrawalAnswer, Self::Decision];

    /// The document type of the act.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Receive => "签收",
            Self::Return => "退回",
            Self::Withdraw => "撤回",
            Self::WithdrawalAnswer => "撤回答复",
            Self::Decision => "办理答复",
        }
    }

    /// The act that a document type stands for, if it does: on documents of its own module, and no other.
    pub fn of(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.kind() == kind)
    }
}
