//! What people read: the one place of this room in which sentences stand, in English and Chinese. Everything else makes
//! values.

mod fault;
#[cfg(test)]
mod tests;

use std::fmt;

use chancery_crypto::{Language, say};

use crate::{CertError, CrlFault, PathError, SealError};

impl PathError {
    /// Why the path is not valid, in a sentence that names the certificate.
    pub fn say(&self, language: Language) -> String {
        self.fault.say(language)
    }
}

impl CertError {
    /// What went wrong, in a sentence.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Name { what, given, why } => {
                let (what, why) = (what.say(language), why.say(language));
                say!(
                    language,
                    ("{what} {given:?} is not acceptable: {why}"),
                    ("{what} {given:?} 不可接受：{why}")
                )
            }
            Self::Malformed(why) => say!(
                language,
                ("this is no X.509 certificate: {why}"),
                ("这不是 X.509 证书（{why}）")
            ),
            Self::Crl(why) => say!(
                language,
                ("this is no certificate revocation list: {why}"),
                ("这不是证书吊销列表（{why}）")
            ),
            Self::NoCertificate => {
                say!(language, ("no CERTIFICATE block was found"), ("未找到 CERTIFICATE 块"))
            }
            Self::Refused(fault) => {
                let why = fault.say(language);
                say!(
                    language,
                    ("the CA refuses to issue this certificate: {why}"),
                    ("签发机构拒绝签发该证书：{why}")
                )
            }
            Self::Mismatch { subject } => say!(
                language,
                ("key and certificate do not belong together: the certificate is that of {subject:?}"),
                ("密钥与证书不匹配：证书属于“{subject}”")
            ),
            Self::Unverifiable(error) => {
                let error = error.say(language);
                say!(
                    language,
                    ("the CA refuses to issue a certificate that nobody could validate: {error}"),
                    ("签发机构拒绝签发无人能够验证的证书：{error}")
                )
            }
            Self::Issue(why) => say!(
                language,
                ("the certificate could not be made: {why}"),
                ("证书无法生成（{why}）")
            ),
            Self::Cms(fault) => {
                let why = fault.say(language);
                say!(
                    language,
                    ("the CMS structure is not acceptable: {why}"),
                    ("CMS 结构不可接受：{why}")
                )
            }
            Self::TimeStamp(fault) => {
                let why = fault.say(language);
                say!(
                    language,
                    ("the time-stamp is not acceptable: {why}"),
                    ("时间戳不可接受：{why}")
                )
            }
            Self::Path(error) => error.say(language),
            Self::Crypto(error) => error.say(language),
        }
    }

    /// What to do about it.
    pub fn remedy(&self, language: Language) -> &'static str {
        match self {
            Self::Name { .. } => language.pick(
                "Write agencies as justice.gov.cn, officers as li@justice.gov.cn.",
                "机关写作 justice.gov.cn，人员写作 li@justice.gov.cn。",
            ),
            Self::Malformed(_) | Self::NoCertificate => language.pick(
                "Give an X.509 certificate in PEM or DER.",
                "请提供 PEM 或 DER 形式的 X.509 证书。",
            ),
            Self::Crl(_) => language.pick(
                "Give a revocation list as its CA made it, in PEM or DER.",
                "请提供签发机构制作的吊销列表（PEM 或 DER）。",
            ),
            Self::Cms(_) | Self::TimeStamp(_) => language.pick(
                "Ask the signer or the time-stamping authority for it again.",
                "请向签署人或时间戳机构重新索取。",
            ),
            Self::Path(_) => language.pick(
                "Check the certificates and the trust anchor; ask the signer's CA if they are right.",
                "请检查证书与信任锚；如无误，请向签署人的证书机构核实。",
            ),
            Self::Refused(_) | Self::Unverifiable(_) => language.pick(
                "Ask for a name, depth and validity that lie within the CA's own.",
                "请申请在签发机构自身范围之内的名称、层级与有效期。",
            ),
            Self::Mismatch { .. } => language.pick(
                "Give key and certificate that were issued together, for this agency.",
                "请提供同时签发、且属于该机关的私钥与证书。",
            ),
            Self::Crypto(error) => error.remedy(language),
            Self::Issue(_) => language.pick(
                "Check the display name and the other values that were given.",
                "请核对显示名称及其他所给的值。",
            ),
        }
    }
}

impl SealError {
    /// Why it is not accepted, in a sentence.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Crypto(error) => error.say(language),
            Self::Certificate(error) => error.say(language),
            Self::Path(error) => {
                let error = error.say(language);
                say!(
                    language,
                    ("the signer's certificate is not accepted: {error}"),
                    ("签署人的证书不被接受：{error}")
                )
            }
            Self::ContentType { found, want } => {
                say!(
                    language,
                    ("this is {found:?}, not {want:?}"),
                    ("这是 {found:?}，而非 {want:?}")
                )
            }
            Self::Signer { found, want } => say!(
                language,
                ("it is signed by {found}, not by {want}"),
                ("由 {found} 签署，而非 {want}")
            ),
            Self::Content(fault) => {
                let why = fault.say(language);
                say!(language, ("what it says cannot hold: {why}"), ("其内容不能成立：{why}"))
            }
        }
    }
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.say(Language::En))
    }
}

impl fmt::Display for CrlFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.say(Language::En))
    }
}

impl fmt::Display for CertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.say(Language::En))
    }
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.say(Language::En))
    }
}
