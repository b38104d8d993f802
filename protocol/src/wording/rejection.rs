//! What a peer is told that offers something, and what an operator reads of it.

use std::fmt;

use chancery_crypto::{Language, say};

use crate::Rejection;

impl Rejection {
    /// Why it is not taken, in a sentence.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Stranger { peer, sender, directory: Some(version), .. } => say!(
                language,
                ("{peer} offers an envelope of {sender}, and by directory {version}, which is held here, it is no relay on \
                     the way"),
                ("{peer} 递送 {sender} 的信封，而按本机关所持的第 {version} 版目录，它不是途中的转递机关")
            ),
            Self::Stranger { peer, sender, directory: None, .. } => say!(
                language,
                ("{peer} offers an envelope of {sender}, and without a valid directory it is no relay on the way"),
                ("{peer} 递送 {sender} 的信封，而本机关没有有效目录，无从得知它是途中的转递机关")
            ),
            Self::NotFor(agency) => {
                say!(language, ("it is not for {agency}"), ("信封不是发给 {agency} 的"))
            }
            Self::Expired => say!(language, ("it has expired"), ("信封已过期")),
            Self::ExpiredOnTheWay(agency) => {
                say!(
                    language,
                    ("it expired on its way to {agency}"),
                    ("信封在送往 {agency} 的途中过期")
                )
            }
            Self::TooLarge { bytes, limit } => say!(
                language,
                ("it has {bytes} bytes; the limit here is {limit}"),
                ("信封有 {bytes} 字节，此处上限为 {limit} 字节")
            ),
            Self::Arriving => {
                say!(language, ("it is arriving on another stream"), ("信封正由另一条流接收"))
            }
            Self::OtherRoot { .. } => say!(
                language,
                ("the ciphertext does not have the root that its header seals"),
                ("密文与信封所载根摘要不符")
            ),
            Self::Revoked(error) => error.say(language),
            Self::NotRelayed { own, sender, recipient } => say!(
                language,
                ("{own} does not relay from {sender} to {recipient}"),
                ("{own} 不为 {sender} 向 {recipient} 转递")
            ),
            Self::TooOften { rate, .. } => say!(
                language,
                ("more than {rate} envelopes a second were offered"),
                ("每秒递送的信封超过 {rate} 个")
            ),
            Self::ManyArriving { own, all } => say!(
                language,
                ("{own} of its documents are arriving already, and {all} in all"),
                ("该机关已有 {own} 件公文正在传入，全部共 {all} 件")
            ),
            Self::MuchArriving { bytes, limit } => say!(
                language,
                ("{bytes} bytes are arriving already; the limit here is {limit}"),
                ("已有 {bytes} 字节正在传入，此处上限为 {limit} 字节")
            ),
            Self::MuchKept { sender, bytes, limit } => say!(
                language,
                ("of {sender} {bytes} bytes are kept; the limit here is {limit}"),
                ("已为 {sender} 保存 {bytes} 字节，此处上限为 {limit} 字节")
            ),
            Self::NoRoom => {
                say!(language, ("the disk here is full, or nearly"), ("此处磁盘已满或将满"))
            }
            Self::ManyRefused { most, .. } => say!(
                language,
                ("more than {most} documents in an hour had to be refused"),
                ("一小时内被拒收的公文超过 {most} 件")
            ),
            Self::NotAsSealed(error) | Self::Unacceptable(error) => error.say(language),
            // In the words of the room that found it.
            Self::Passing(why) | Self::Clock(why) | Self::Ledger(why) => why.clone(),
            Self::ByRecipient(agency) => {
                say!(language, ("{agency} refuses it"), ("{agency} 拒收"))
            }
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.say(Language::En))
    }
}
