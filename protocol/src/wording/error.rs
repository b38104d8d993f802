//! What is said of errors, and what to do about them.

use std::fmt;

use chancery_certs::SealError;
use chancery_crypto::{Language, say};

use crate::{EncryptedFileError, ProtocolError};

impl ProtocolError {
    /// What is wrong, in a sentence.
    pub fn say(&self, language: Language) -> String {
        let (en, zh, why) = match self {
            Self::Header(why) => {
                ("the document header is not acceptable", "公文头不可接受", why.say(language))
            }
            Self::Classification(why) => {
                ("the classification is not acceptable", "密级不可接受", why.say(language))
            }
            Self::Content(why) => {
                ("the content is not as its header says", "内容与其头部所载不符", why.say(language))
            }
            Self::Envelope(why) => {
                ("the envelope is not acceptable", "信封不可接受", why.say(language))
            }
            Self::Checkpoint(why) => {
                ("the checkpoint is not acceptable", "检查点不可接受", why.say(language))
            }
            Self::Proof(why) => ("the proof does not hold", "证明不成立", why.say(language)),
            Self::Receipt(why) => {
                ("the receipt is not acceptable", "回执不可接受", why.say(language))
            }
            Self::Time(why) => ("the time is not proven", "时间未得到证明", why.say(language)),
            Self::Message(why) => {
                ("the message is not acceptable", "消息不可接受", why.say(language))
            }
            Self::Order(why) => ("what it says cannot hold", "其内容不能成立", why.say(language)),
            Self::Container(why) => {
                ("the container is not acceptable", "容器不可接受", why.say(language))
            }
            Self::Unsupported(why) => (
                "the container holds what is not read here",
                "容器含有此处无法读取的内容",
                why.say(language),
            ),
            Self::PartDigest { name, signed, found } => {
                return say!(
                    language,
                    ("part {name:?} was altered: its SHA-256 is {found}, signed was {signed}"),
                    ("附件“{name}”被改动：其 SHA-256 为 {found}，签署的是 {signed}")
                );
            }
            Self::EncryptedFile(error) => return error.say(language),
            Self::Seal(error) => return error.say(language),
            Self::Certificate(error) => return error.say(language),
            Self::Path(error) => return error.say(language),
            Self::Crypto(error) => return error.say(language),
        };
        say!(language, ("{en}: {why}"), ("{zh}：{why}"))
    }

    /// What to do about it.
    pub fn remedy(&self, language: Language) -> &'static str {
        match self {
            Self::Crypto(error) | Self::Seal(SealError::Crypto(error)) => error.remedy(language),
            Self::Certificate(error) | Self::Seal(SealError::Certificate(error)) => {
                error.remedy(language)
            }
            Self::Path(_) | Self::Seal(_) | Self::Order(_) => language.pick(
                "Check the certificates and the trust anchor; ask the signer's CA if they are right.",
                "请检查证书与信任锚；如无误，请向签署人的证书机构核实。",
            ),
            Self::Header(_) => language.pick("Correct the document's header.", "请更正公文头。"),
            Self::Classification(_) => language.pick(
                "Write 绝密, 机密, 秘密, 内部 or none, and the secrecy period apart from it or behind a star: 机密★10年.",
                "请写绝密、机密、秘密、内部或无；保密期限另写，或写在星号之后：机密★10年。",
            ),
            Self::Content(_) | Self::PartDigest { .. } => language.pick(
                "Do not rely on the content; ask the sender for it again.",
                "请勿采信其内容，并向发送方重新索取。",
            ),
            Self::Envelope(_) | Self::Message(_) => language.pick(
                "Report it to the operator of the sending node.",
                "请告知发送节点的运维人员。",
            ),
            Self::Time(_) => language.pick(
                "Compare the clocks of the agencies; nothing is taken for false by it.",
                "请核对各机关的时钟；这并不表示内容不实。",
            ),
            Self::Container(_) | Self::Unsupported(_) => language.pick(
                "Ask for the container again, or for the documents in another form.",
                "请重新索取该容器，或索取其他形式的文件。",
            ),
            Self::EncryptedFile(error) => error.remedy(language),
            Self::Checkpoint(_) | Self::Proof(_) | Self::Receipt(_) => language.pick(
                "Keep it as proof and report it to the agency whose ledger it is.",
                "请留作证据，并告知账本所属机关。",
            ),
        }
    }
}

impl EncryptedFileError {
    /// Why it does not open, in a sentence.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Format(why) => {
                let why = why.say(language);
                say!(
                    language,
                    ("this is no encrypted file of ours: {why}"),
                    ("这不是文驿的加密文件：{why}")
                )
            }
            Self::Truncated { found, want } => say!(
                language,
                ("the file is cut off: {found} of {want} bytes are there"),
                ("文件不完整：应有 {want} 字节，实有 {found} 字节")
            ),
            Self::Trailing { more } => say!(
                language,
                ("the file has {more} bytes more than its header speaks of"),
                ("文件比其头部所载多 {more} 字节")
            ),
            Self::Reordered { found, want } => say!(
                language,
                ("chunk {found} of the file stands where chunk {want} should"),
                ("文件的第 {found} 块位于第 {want} 块的位置")
            ),
            Self::Spliced { chunk } => say!(
                language,
                ("chunk {chunk} was taken from another file"),
                ("第 {chunk} 块取自另一文件")
            ),
            Self::Altered { chunk } => say!(
                language,
                ("chunk {chunk} of the file was altered"),
                ("文件的第 {chunk} 块被改动")
            ),
            Self::HeaderAltered => {
                say!(language, ("the file's header was altered"), ("文件头被改动"))
            }
            Self::NotARecipient => say!(
                language,
                ("the file is not encrypted to this key, or its header was altered"),
                ("文件不是加密给该密钥的，或文件头被改动")
            ),
        }
    }

    /// What to do about it.
    pub fn remedy(&self, language: Language) -> &'static str {
        match self {
            Self::Format(_) => language.pick(
                "Give a file that `chancery encrypt` made.",
                "请提供由 chancery encrypt 生成的文件。",
            ),
            Self::NotARecipient => language.pick(
                "Give the key of an agency that it was encrypted to, or ask the sender who that is.",
                "请提供收件机关的密钥，或向发送方核实收件机关。",
            ),
            _ => language.pick(
                "Nothing was written. Ask the sender for the file again.",
                "未写入任何内容。请向发送方重新索取该文件。",
            ),
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.say(Language::En))
    }
}

impl fmt::Display for EncryptedFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.say(Language::En))
    }
}
