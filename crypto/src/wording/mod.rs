//! What people read: the one place of this room in which sentences stand, in English and Chinese. Everything else makes
//! values.

mod fault;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::{CborError, CryptoError, Language, say};

impl CborError {
    /// What is wrong, in a sentence.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Truncated(at) => say!(
                language,
                ("the CBOR item is cut off at byte {at}"),
                ("CBOR 数据在第 {at} 字节处中断")
            ),
            Self::Trailing(at) => say!(
                language,
                ("bytes follow the CBOR item at byte {at}"),
                ("CBOR 数据在第 {at} 字节之后还有数据")
            ),
            Self::NotShortest(at) => say!(
                language,
                ("the CBOR head at byte {at} is not in its shortest definite form"),
                ("第 {at} 字节处的 CBOR 头不是最短定长形式")
            ),
            Self::KeyOrder(at) => say!(
                language,
                ("the CBOR map key at byte {at} is out of order or stands twice"),
                ("第 {at} 字节处的 CBOR 键次序有误或重复")
            ),
            Self::Unsupported(at) => say!(
                language,
                ("the CBOR item at byte {at} is of a kind that this format does not use"),
                ("第 {at} 字节处的 CBOR 数据类型不为此格式所用")
            ),
            Self::Utf8(at) => say!(
                language,
                ("the CBOR text at byte {at} is not UTF-8"),
                ("第 {at} 字节处的 CBOR 文字不是 UTF-8")
            ),
            Self::Depth(most) => say!(
                language,
                ("CBOR items are nested deeper than {most} levels"),
                ("CBOR 数据嵌套超过 {most} 层")
            ),
            Self::TooLarge(bytes, most) => say!(
                language,
                ("the CBOR item has {bytes} bytes; at most {most} are allowed here"),
                ("CBOR 数据有 {bytes} 字节，此处最多 {most} 字节")
            ),
            Self::Newer(what) => {
                let what = what.say(language);
                say!(
                    language,
                    ("a newer version is needed: {what} is not known here"),
                    ("需要较新的版本：本版本不识别{what}")
                )
            }
            Self::Structure(fault) => {
                let why = fault.say(language);
                say!(
                    language,
                    ("the CBOR item has not the expected structure: {why}"),
                    ("CBOR 数据的结构不符：{why}")
                )
            }
        }
    }
}

impl CryptoError {
    /// What went wrong, in a sentence.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Random => say!(
                language,
                ("the operating system gave no random bytes"),
                ("操作系统未给出随机数")
            ),
            Self::PrivateKey(fault) => {
                let why = fault.say(language);
                say!(language, ("the private key cannot be used: {why}"), ("私钥无法使用：{why}"))
            }
            Self::PassphraseNeeded => say!(
                language,
                ("the private key is encrypted and no passphrase was given"),
                ("私钥已加密，但未给出口令")
            ),
            Self::WrongPassphrase => say!(
                language,
                ("the passphrase does not open the private key"),
                ("口令不能打开私钥")
            ),
            Self::PublicKey(fault) => {
                let why = fault.say(language);
                say!(language, ("the public key cannot be used: {why}"), ("公钥无法使用：{why}"))
            }
            Self::BadSignature => say!(
                language,
                ("the signature does not match the signed bytes and the key"),
                ("签名与所签内容及密钥不符")
            ),
            Self::AlgorithmMismatch(algorithm) => say!(
                language,
                ("the signature algorithm {algorithm} does not fit the key"),
                ("签名算法 {algorithm} 与密钥不符")
            ),
            Self::Cose(fault) => {
                let why = fault.say(language);
                say!(
                    language,
                    ("the COSE structure is not acceptable: {why}"),
                    ("COSE 结构不可接受：{why}")
                )
            }
            Self::Cbor(error) => error.say(language),
            Self::TooMany { what, most } => {
                let what = what.say(language);
                say!(language, ("it has more than {most} {what}"), ("{what}超过 {most} 个"))
            }
            Self::Hpke(fault) => {
                let why = fault.say(language);
                say!(language, ("the content key cannot be {why}"), ("{why}"))
            }
            Self::Chunk(chunk) => say!(
                language,
                ("encrypted chunk {chunk} does not authenticate: it was altered, moved, or the key is wrong"),
                ("加密的第 {chunk} 块未通过认证：被改动、被移位，或密钥不对")
            ),
            Self::StreamEnd(chunk) => say!(
                language,
                ("the encrypted stream is cut off or too long at chunk {chunk}"),
                ("加密流在第 {chunk} 块处中断或过长")
            ),
        }
    }

    /// What to do about it.
    pub fn remedy(&self, language: Language) -> &'static str {
        match self {
            Self::Random => language.pick(
                "The operating system is not sound; try again later.",
                "操作系统异常，请稍后再试。",
            ),
            Self::PrivateKey(_) => language.pick(
                "Give a PKCS#8 file, PEM or DER, with a P-256, P-384 or Ed25519 key.",
                "请提供含 P-256、P-384 或 Ed25519 密钥的 PKCS#8 文件（PEM 或 DER）。",
            ),
            Self::PassphraseNeeded => language.pick(
                "Give --passphrase-file FILE, or set CHANCERY_PASSPHRASE, or use a terminal.",
                "请用 --passphrase-file 指定，或设置 CHANCERY_PASSPHRASE，或在终端中输入。",
            ),
            Self::WrongPassphrase => language.pick("Check the passphrase.", "请核对口令。"),
            Self::Hpke(_) => language.pick(
                "It is not for this recipient, or was altered on the way.",
                "不是给此收件方的，或在途中被改动。",
            ),
            Self::Cbor(CborError::Newer(_)) => language.pick(
                "Use a newer version of chancery; nothing is wrong with what was given.",
                "请使用较新版本的 chancery；所给内容并无问题。",
            ),
            Self::Cose(_) | Self::Cbor(_) | Self::TooMany { .. } => language.pick(
                "Check that this is the right file; if it is, ask for it again.",
                "请确认文件无误；如无误，请重新索取。",
            ),
            _ => language.pick(
                "Do not rely on it; ask the sender for it again.",
                "请勿采信，并向发送方重新索取。",
            ),
        }
    }
}

impl fmt::Display for CborError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.say(Language::En))
    }
}

impl fmt::Display for CryptoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.say(Language::En))
    }
}
