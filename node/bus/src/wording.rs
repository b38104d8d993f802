//! What people read of this room, in English and Chinese. What other errors say still stands beside them in `error.rs`, in English:
//! their codes are explained in both languages by `chancery explain`.

use std::fmt;

use chancery_certs::rfc3339;
use chancery_crypto::{Language, say};

use crate::{NodeError, UnacceptedFault};

impl NodeError {
    /// What is wrong, in a sentence; in English where this room does not speak both languages yet.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Protocol(error) => error.say(language),
            Self::Certificates { path, error } => {
                format!("{}: {}", path.display(), error.say(language))
            }
            Self::NotAccepted(fault) => {
                let why = fault.say(language);
                say!(language, ("the document is not accepted: {why}"), ("公文未被受理：{why}"))
            }
            Self::Declined { en, zh, .. } => {
                say!(language, ("the module does not take it: {en}"), ("业务模块未予受理：{zh}"))
            }
            other => other.to_string(),
        }
    }
}

impl UnacceptedFault {
    /// Why it is not accepted.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::OtherAgency { from, own } => say!(
                language,
                ("it is from {from}, and this is the node of {own}"),
                ("其发文机关为 {from}，而本节点属于 {own}")
            ),
            Self::Unsigned => say!(language, ("nobody has signed it"), ("无人签署")),
            Self::Unverified(findings) => {
                let all: Vec<_> = findings.iter().map(|finding| finding.say(language)).collect();
                all.join(language.pick("; ", "；"))
            }
            Self::SendsNothing => say!(
                language,
                ("enterprises and citizens file acts with modules, and send no documents to agencies"),
                ("企业和公民只向业务模块提交办理文件，不得直接向机关发文")
            ),
            Self::ToItself(agency) => {
                say!(language, ("{agency} cannot send to itself"), ("{agency} 不能向自己发送"))
            }
            Self::KeyEnded { agency, until } => {
                let until = rfc3339(*until);
                say!(
                    language,
                    ("the encryption key of {agency} was for use until {until}; a newer directory is needed"),
                    ("{agency} 的加密密钥已于 {until} 停用，需要较新的目录")
                )
            }
            Self::CopyNumbers => {
                say!(language, ("the copies have no numbers that large"), ("份号超出范围"))
            }
            Self::TooLarge { bytes, limit } => say!(
                language,
                ("sealed it has {bytes} bytes; the limit here is {limit}"),
                ("封装后为 {bytes} 字节，此处上限为 {limit} 字节")
            ),
            Self::OfTheNode => say!(
                language,
                ("withdrawals are answered by the node itself"),
                ("撤回由节点自行答复")
            ),
            Self::NamesNothing { kind } => {
                say!(language, ("a {kind} names the document"), ("{kind}须指明所针对的公文"))
            }
            Self::NotHere { document, kind } => say!(
                language,
                ("the document {document} is not here for a {kind}"),
                ("本机关没有可供{kind}的公文 {document}")
            ),
            Self::NotSent(agency) => say!(
                language,
                ("{agency} was not sent the document that is withdrawn"),
                ("所撤回的公文未曾发给 {agency}")
            ),
            Self::GoesElsewhere { kind, to } => {
                say!(language, ("a {kind} goes to {to} alone"), ("{kind}只发给 {to}"))
            }
            Self::NoReason => {
                say!(language, ("a document is returned with a reason"), ("退回公文须说明理由"))
            }
            Self::TookEffect { kind, time } => {
                let time = rfc3339(*time);
                say!(language, ("{kind} took effect on it at {time}"), ("该公文已于 {time} {kind}"))
            }
            Self::JustTookEffect => say!(
                language,
                ("another act has just taken effect on it"),
                ("另一项办理刚刚对该公文生效")
            ),
        }
    }
}

impl fmt::Display for UnacceptedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.say(Language::En))
    }
}

#[cfg(test)]
mod tests {
    use chancery_protocol::DocumentId;

    use super::*;
    use crate::testing::name;

    #[test]
    fn every_reason_is_said_in_both_languages() {
        let (agency, kind) = (name("a.cn"), "退回".to_owned());
        let document = DocumentId::from_slice(&[7; 32]).expect("32 bytes");
        let all = [
            UnacceptedFault::OtherAgency { from: agency.clone(), own: agency.clone() },
            UnacceptedFault::Unsigned,
            UnacceptedFault::SendsNothing,
            UnacceptedFault::Unverified(Vec::new()),
            UnacceptedFault::ToItself(agency.clone()),
            UnacceptedFault::KeyEnded { agency: agency.clone(), until: 1_790_000_000 },
            UnacceptedFault::CopyNumbers,
            UnacceptedFault::TooLarge { bytes: 2, limit: 1 },
            UnacceptedFault::OfTheNode,
            UnacceptedFault::NamesNothing { kind: kind.clone() },
            UnacceptedFault::NotHere { document, kind: kind.clone() },
            UnacceptedFault::NotSent(agency.clone()),
            UnacceptedFault::GoesElsewhere { kind: kind.clone(), to: agency },
            UnacceptedFault::NoReason,
            UnacceptedFault::TookEffect { kind, time: 1_790_000_000 },
            UnacceptedFault::JustTookEffect,
        ];
        for fault in all {
            let error = NodeError::NotAccepted(fault);
            let (en, zh) = (error.say(Language::En), error.say(Language::Zh));
            assert_eq!(en, error.to_string());
            assert!(zh.starts_with("公文未被受理：") && !zh.contains(" the "), "{zh}");
        }
    }
}
