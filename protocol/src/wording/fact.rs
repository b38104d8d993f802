//! What is found of documents, signatures, evidence and containers.

use chancery_certs::rfc3339;
use chancery_crypto::{Language, say};

use crate::{
    ASIC_DOCUMENT, ASIC_HEADER, Caveat, ContainerFact, DocumentFact, EvidenceFact, SignatureFact,
    StampFact,
};

impl DocumentFact {
    /// What was found, in a sentence.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::PutOff => say!(
                language,
                ("it was not looked at yet: the documents of its sender have taken too many checks lately"),
                ("尚未检查：其发件机关的文件近来所需的检查过多，请稍后再看")
            ),
            Self::PartSame { part } => say!(
                language,
                ("part {part:?} is the one that was signed"),
                ("附件“{part}”与签署时一致")
            ),
            Self::PartChanged { part, found, signed } => say!(
                language,
                ("part {part:?} was changed: its SHA-256 is {found}, signed was {signed}"),
                ("附件“{part}”被改动：其 SHA-256 为 {found}，签署的是 {signed}")
            ),
            Self::PartMissing { part } => {
                say!(language, ("part {part:?} is not there"), ("缺少附件“{part}”"))
            }
            Self::FileSame { file } => say!(
                language,
                ("file {file:?} is the one that was signed"),
                ("文件“{file}”与签署时一致")
            ),
            Self::FileChanged { file } => {
                say!(language, ("file {file:?} was changed"), ("文件“{file}”被改动"))
            }
            Self::FileMissing { file } => {
                say!(language, ("file {file:?} is not there"), ("缺少文件“{file}”"))
            }
            Self::NoPart { file } => say!(
                language,
                ("{file:?} is no part of the document: no signature covers it"),
                ("“{file}”不是文件的组成部分，没有签名覆盖它")
            ),
            Self::SignedBySender { sender } => say!(
                language,
                ("the sender, {sender}, or an officer of it has signed"),
                ("发件机关 {sender} 或其人员已签署")
            ),
            Self::NotSignedBySender { sender } => say!(
                language,
                ("no valid signature is by the sender, {sender}, or an officer of it"),
                ("没有发件机关 {sender} 或其人员的有效签名")
            ),
        }
    }
}

impl SignatureFact {
    /// What was found, in a sentence.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::NoCertificate => {
                say!(language, ("the signature carries no certificate"), ("签名未附证书"))
            }
            Self::CertificateUnreadable(error) => {
                let error = error.say(language);
                say!(
                    language,
                    ("the signature's certificate cannot be read: {error}"),
                    ("签名所附证书无法读取：{error}")
                )
            }
            Self::TooDear => say!(
                language,
                ("it was not looked at: what is in this document takes more checks than one document may"),
                ("未予检查：此文件所需的检查次数超出单个文件的限度")
            ),
            Self::OtherContent => say!(
                language,
                ("the CMS signature holds another content than the one that it is said to sign"),
                ("CMS 签名内含的内容与所称签署的内容不同")
            ),
            Self::UnknownAlgorithm(fault) => {
                let why = fault.say(language);
                say!(language, ("the CMS signature: {why}"), ("CMS 签名：不支持其算法（{why}）"))
            }
            Self::CmsWrong(error) => {
                let error = error.say(language);
                say!(
                    language,
                    ("the CMS signature is wrong: {error}"),
                    ("CMS 签名值或摘要不符：{error}")
                )
            }
            Self::CmsRefused(error) => {
                let error = error.say(language);
                say!(language, ("{error}"), ("CMS 签名不可接受：{error}"))
            }
            Self::NotBound => say!(
                language,
                ("the signature does not bind its certificate (signing-certificate-v2)"),
                ("签名未绑定其证书（signing-certificate-v2）")
            ),
            Self::Valid { who, caveat } => {
                let caveat = caveat.as_ref().map(|one| one.say(language)).unwrap_or_default();
                say!(
                    language,
                    ("the signature of {who} is valid{caveat}"),
                    ("{who} 的签名有效{caveat}")
                )
            }
            Self::ValidThen { who, then, now } => {
                let (at, now) = (rfc3339(*then), now.say(language));
                say!(
                    language,
                    ("the signature of {who} is valid: a trusted time-stamp shows that it existed \
                      at {at}, when the certificate was good (now: {now})"),
                    ("{who} 的签名有效：可信时间戳证明签名在 {at} 已存在，当时证书有效（现在：{now}）")
                )
            }
            Self::NamesNobody { who } => say!(
                language,
                ("the certificate of {who} names no agency or officer"),
                ("{who} 的证书未指明机关或人员")
            ),
            Self::ClaimsFuture { who } => say!(
                language,
                ("the signature of {who} claims a time in the future"),
                ("{who} 的签名声称的时间在未来")
            ),
            Self::ClaimsLater { who } => say!(
                language,
                ("the signature of {who} claims a time after the one that a time-stamp proves"),
                ("{who} 的签名声称的时间晚于时间戳所证明的时间")
            ),
            Self::KeyKind { kind } => say!(
                language,
                ("the certificate's key is of a kind that is not used here: {kind}"),
                ("证书的密钥类型此处不用：{kind}")
            ),
            Self::Wrong { subject, error } => {
                let error = error.say(language);
                say!(
                    language,
                    ("the signature of {subject:?} is wrong: {error}"),
                    ("“{subject}”的签名值不符")
                )
            }
            Self::Structure(error) => {
                let error = error.say(language);
                say!(language, ("{error}"), ("签名结构不可接受：{error}"))
            }
            Self::OtherCades => say!(
                language,
                ("the CAdES signature that came along is not that of this signer and document"),
                ("随附的 CAdES 签名不属于此签署人或此文件")
            ),
        }
    }
}

impl Caveat {
    /// What is said behind that it is valid.
    fn say(&self, language: Language) -> String {
        match self {
            Self::Listed(error) => {
                let error = error.say(language);
                say!(
                    language,
                    ("; but a list that came along says that {error}: give the CAs' lists (--crl) to have that \
                      decided"),
                    ("；但随附的吊销列表称{error}：请用 --crl 提供吊销列表以作判定")
                )
            }
            Self::Uncovered(who) => say!(
                language,
                ("; no list at hand says whether the certificate of {who:?} is revoked"),
                ("；手头没有吊销列表说明“{who}”的证书是否被吊销")
            ),
        }
    }
}

impl StampFact {
    /// What was found, in a sentence.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Unreadable(error) => {
                let error = error.say(language);
                say!(language, ("{error}"), ("时间戳无法读取：{error}"))
            }
            Self::Elsewhere { kind } => say!(
                language,
                ("the time-stamp is of something else than this {kind}"),
                ("时间戳不是针对此签名的（{kind}）")
            ),
            Self::Future { time } => {
                let at = rfc3339(*time);
                say!(
                    language,
                    ("the time-stamp is of a time that has not come yet, {at}"),
                    ("时间戳的时间 {at} 尚未到来")
                )
            }
            Self::Confirms { authority, kind, time } => {
                let at = rfc3339(*time);
                match *kind {
                    "archive" => say!(
                        language,
                        ("{authority:?} confirms that everything up to here existed at {at}"),
                        ("“{authority}”证明此前全部内容在 {at} 已存在")
                    ),
                    "container" => say!(
                        language,
                        ("{authority:?} confirms that what its manifest lists existed at {at}"),
                        ("“{authority}”证明其清单所列内容在 {at} 已存在")
                    ),
                    _ => say!(
                        language,
                        ("{authority:?} confirms that the signature existed at {at}"),
                        ("“{authority}”证明签名在 {at} 已存在")
                    ),
                }
            }
            Self::Refused { time, error } => {
                let (at, error) = (rfc3339(*time), error.say(language));
                say!(
                    language,
                    ("the time-stamp of {at} is not accepted: {error}"),
                    ("{at} 的时间戳不被接受：{error}")
                )
            }
            Self::OtherState { stamp, over } => say!(
                language,
                ("the time-stamp {stamp:?} is of another state of {over:?}"),
                ("时间戳“{stamp}”所证明的并非当前的“{over}”")
            ),
            Self::NotListed { stamp, over } => say!(
                language,
                ("the time-stamp {stamp:?} does not list {over:?}"),
                ("时间戳“{stamp}”未列出“{over}”")
            ),
        }
    }
}

impl EvidenceFact {
    /// What was found, in a sentence.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::OtherDocument { agency } => say!(
                language,
                ("the evidence of {agency} is of another document than this one"),
                ("{agency} 的证据属于另一份文件")
            ),
            Self::Recorded { agency, event, time, index } => {
                let (event, at) = (event.say(language), rfc3339(*time));
                say!(
                    language,
                    ("{agency} recorded {event} at {at} as entry {index} of its ledger"),
                    ("{agency} 于 {at} 在其账本第 {index} 条记录了 {event}")
                )
            }
            Self::Unreadable { file, why } => {
                let why = why.say(language);
                say!(
                    language,
                    ("the evidence file {file:?} cannot be read: {why}"),
                    ("证据文件“{file}”无法读取：{why}")
                )
            }
            Self::Path { whose, error } => {
                let (whose, error) = (whose.say(language), error.say(language));
                say!(language, ("the evidence of {whose}: {error}"), ("{whose} 的证据：{error}"))
            }
            Self::Time { whose, why } => {
                let (whose, why) = (whose.say(language), why.say(language));
                say!(
                    language,
                    ("the evidence of {whose} is genuine, but its time is not proven: {why}"),
                    ("{whose} 的证据真实，但其时间未得到证明：{why}")
                )
            }
            Self::Broken { whose, error } => {
                let (whose, error) = (whose.say(language), error.say(language));
                say!(
                    language,
                    ("the evidence of {whose} does not hold: {error}"),
                    ("{whose} 的证据不成立：{error}")
                )
            }
            Self::NoPart { agency, event } => {
                let event = event.name();
                say!(
                    language,
                    ("{agency} has no part in the document's journey by which it could attest {event}"),
                    ("{agency} 在该文件的流转中无权证明 {event}")
                )
            }
            Self::OtherPart { agency, event, other } => {
                let event = event.name();
                say!(
                    language,
                    ("{agency} attests {event} with {other}, who has no such part in the document"),
                    ("{agency} 证明的 {event} 涉及 {other}，而后者在该文件中并无此角色")
                )
            }
        }
    }
}

impl ContainerFact {
    /// What was found, in a sentence.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Hopeless => say!(
                language,
                ("no signature is right, so the files were not looked at"),
                ("没有正确的签名，故未检查各文件")
            ),
            Self::SignatureMissing { over, manifest } => say!(
                language,
                ("the signature {over:?} that {manifest:?} names is not there"),
                ("缺少清单“{manifest}”所指的签名“{over}”")
            ),
            Self::SignatureUnreadable { over, error } => {
                let why = error.say(language);
                say!(language, ("{over:?} cannot be read: {why}"), ("“{over}”无法读取：{why}"))
            }
            Self::MimetypeForm { stated } => say!(
                language,
                ("its mimetype is written in another form ({stated:?}); that is tolerated"),
                ("其 mimetype 写法不规范（{stated:?}），予以容许")
            ),
            Self::MimetypeInComment => say!(
                language,
                ("its mimetype stands in the comment of the ZIP only; that is tolerated"),
                ("其 mimetype 仅见于 ZIP 注释，予以容许")
            ),
            Self::NoMimetype => say!(
                language,
                ("it has no mimetype; that is tolerated"),
                ("容器没有 mimetype，予以容许")
            ),
            Self::NobodySigned => say!(
                language,
                ("it holds time-stamps and no signature: nobody has signed it"),
                ("容器仅有时间戳而无签名：无人签署")
            ),
            Self::Stamped { file } => say!(
                language,
                ("file {file:?} is the one that a time-stamp is over"),
                ("文件“{file}”与时间戳所证明的一致")
            ),
            Self::NotCovered { over, file } => say!(
                language,
                ("the signature {over:?} does not cover {file:?}"),
                ("签名“{over}”未覆盖“{file}”")
            ),
            Self::Unplaced { file } => say!(
                language,
                ("no manifest names {file:?}: nobody can say what it signs"),
                ("没有清单指向“{file}”：无从知道它签署了什么")
            ),
            Self::OtherForm { file } => say!(
                language,
                ("{file:?} is of a form that is not read here; it was left aside"),
                ("“{file}”的形式此处无法读取，未予考虑")
            ),
            Self::UnplacedStamp { file } => say!(
                language,
                ("no manifest names {file:?}; it was left aside"),
                ("没有清单指向“{file}”，未予考虑")
            ),
            Self::ForeignSigner { over } => say!(
                language,
                ("the signature {over:?} is not that of a signer of the document inside"),
                ("签名“{over}”不属于容器内文件的签署人")
            ),
            Self::HeaderAlone => say!(
                language,
                ("{ASIC_HEADER:?} is the header of a document whose own signatures, {ASIC_DOCUMENT:?}, are not there"),
                ("“{ASIC_HEADER}”是一份文件的文件头，但缺少该文件自身的签名“{ASIC_DOCUMENT}”")
            ),
        }
    }
}
