use chancery_crypto::{Language, say};

use crate::mechanism::Status;

impl Status {
    /// How people call it.
    pub fn say(self, language: Language) -> &'static str {
        let (en, zh) = match self {
            Self::InForce => ("in force", "现行有效"),
            Self::Amended => ("amended since", "已被修改"),
            Self::Suspended => ("suspended", "暂停施行"),
            Self::NotYet => ("not in force yet", "尚未施行"),
            Self::Repealed => ("repealed", "已废止"),
            Self::Withdrawn => ("withdrawn", "已撤回"),
        };
        language.pick(en, zh)
    }

    /// How a refusal says that an event cannot follow on it.
    pub(super) fn said(name: Option<&str>, language: Language) -> String {
        let known = Self::ALL.into_iter().find(|status| Some(status.name()) == name);
        match known {
            Some(status) => status.say(language).to_owned(),
            None => say!(language, ("not published"), ("尚未发布")),
        }
    }
}

/// A word of the pages of a static copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageWord {
    Published,
    Status,
    Version,
    Issuer,
    Digest,
    Since,
    Attached,
}

impl PageWord {
    pub(crate) fn say(self, language: Language) -> &'static str {
        let (en, zh) = match self {
            Self::Published => ("Published", "发布时间"),
            Self::Status => ("Status", "时效性"),
            Self::Version => ("Version", "版本"),
            Self::Issuer => ("Issued by", "制定机关"),
            Self::Digest => ("Digest", "摘要值"),
            Self::Since => ("What has happened since", "发布后的变动"),
            Self::Attached => ("Attached", "附件"),
        };
        language.pick(en, zh)
    }
}
