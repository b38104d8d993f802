//! What is said of certificates, their lists and their paths.

use chancery_crypto::{Language, say};

use crate::{
    CmsFault, CrlFault, GeneralNameFault, NameFault, NameKind, PathFault, ProfileFault,
    RefusalFault, RequestFault, StatementFault, SubtreeFault, TimeStampFault, path::rfc3339,
    revocation::reason_name,
};

impl PathFault {
    /// Why the path is not valid, in a sentence that names the certificate.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::NoTime { at } => say!(
                language,
                ("{at} is no time at which a certificate can be validated"),
                ("{at} 不是可用于验证证书的时间")
            ),
            Self::NoChain { who, by } => say!(
                language,
                ("no chain leads from {who:?} (issued by {by:?}) to a trust anchor"),
                ("从“{who}”（由“{by}”签发）没有通向信任锚的证书链")
            ),
            Self::Algorithm { who, oid } => say!(
                language,
                ("the certificate of {who:?} is signed by an algorithm that is not accepted ({oid})"),
                ("“{who}”的证书由不被接受的算法签署（{oid}）")
            ),
            Self::AlgorithmWithKey { who, oid, scheme } => say!(
                language,
                ("the certificate of {who:?} is signed by an algorithm that is not accepted with such a key ({oid}, {scheme})"),
                ("“{who}”的证书以不被接受的算法与密钥组合签署（{oid}，{scheme}）")
            ),
            Self::KeyKind { who, kind } => say!(
                language,
                ("the key of {who:?} is of a kind that is not accepted ({kind})"),
                ("“{who}”的密钥属于不被接受的种类（{kind}）")
            ),
            Self::RsaBits { who, bits } => say!(
                language,
                ("the RSA key of {who:?} has {bits} bits; 2048 to 8192 are accepted"),
                ("“{who}”的 RSA 密钥为 {bits} 位；只接受 2048 至 8192 位")
            ),
            Self::Signature { who, by } => say!(
                language,
                ("the certificate of {who:?} was not signed by the key of {by:?}"),
                ("“{who}”的证书不是由“{by}”的密钥签署的")
            ),
            Self::Expired { who, end } => {
                let end = rfc3339(*end);
                say!(
                    language,
                    ("the certificate of {who:?} expired {end}"),
                    ("“{who}”的证书已于 {end} 过期")
                )
            }
            Self::NotYetValid { who, start, at } => {
                let (start, at) = (rfc3339(*start), rfc3339(*at));
                say!(
                    language,
                    ("the certificate of {who:?} is valid from {start}, after {at}"),
                    ("“{who}”的证书自 {start} 起有效，晚于 {at}")
                )
            }
            Self::OutsideAuthority => say!(
                language,
                ("its time lies outside the validity of its authority"),
                ("其时间不在时间戳机构证书的有效期内")
            ),
            Self::TooManyPaths { who } => say!(
                language,
                ("the certificates around {who:?} allow more paths than are tried"),
                ("“{who}”周围的证书构成过多候选路径，不再尝试")
            ),
            Self::TooDear => say!(
                language,
                ("it was not looked at: what is in this document takes more checks than one document may"),
                ("未予检查：此文件所需的检查次数超出单个文件的限度")
            ),
            Self::Revoked { who, time, reason } => {
                let (when, why) = (rfc3339(*time), reason.map(reason_name));
                let why = why.unwrap_or_else(|| language.pick("no reason given", "未说明原因"));
                say!(
                    language,
                    ("the certificate of {who:?} was revoked {when} ({why})"),
                    ("“{who}”的证书已于 {when} 被吊销（{why}）")
                )
            }
            Self::NotCovered { who, at, list } => {
                let (at, list) = (rfc3339(*at), list.as_ref());
                let note = list.map(|list| {
                    let (issuer, why) = (&list.issuer, list.fault.say(language));
                    say!(
                        language,
                        (" (a CRL of {issuer:?} does not count: {why})"),
                        ("（“{issuer}”的一份吊销列表不予采信：{why}）")
                    )
                });
                let note = note.unwrap_or_default();
                say!(
                    language,
                    ("no CRL at hand that is current at {at} says whether the certificate of {who:?} is revoked{note}"),
                    ("没有在 {at} 有效的吊销列表说明“{who}”的证书是否被吊销{note}")
                )
            }
            Self::OtherIssuer => say!(
                language,
                ("the CRL is by somebody else than the certificate's issuer"),
                ("吊销列表并非由该证书的签发机构签发")
            ),
            Self::NotNamed { who, by } => say!(
                language,
                ("{who:?} (certified by {by:?}) is not among the time-stamping authorities that are believed: \
                 name it with --tsa FILE, or in the trust file, if it is to be"),
                ("“{who}”（由“{by}”签发）不在可信的时间戳机构之列；如应采信，请用 --tsa 文件 或在信任文件中指明")
            ),
            Self::OtherName { who, name } => say!(
                language,
                ("{who:?} does not have the name {name}"),
                ("“{who}”没有名称 {name}")
            ),
            Self::NoUsage { who, usage } => say!(
                language,
                ("{who:?} has not the key usage {usage}"),
                ("“{who}”的证书没有密钥用途 {usage}")
            ),
            Self::CaSigns { who } => say!(
                language,
                ("{who:?} is a CA certificate and signs only certificates"),
                ("“{who}”是签发机构证书，只能签发证书")
            ),
            Self::NoStamping { who } => say!(
                language,
                ("{who:?} is no time-stamping authority (critical timeStamping, alone)"),
                ("“{who}”不是时间戳机构（须仅有且关键的 timeStamping 用途）")
            ),
            Self::UsageAbove { who, above } => say!(
                language,
                ("{above:?} may not certify {who:?} for this use: its own extended key usage does not allow it"),
                ("“{above}”的扩展密钥用途不允许其为此用途签发“{who}”的证书")
            ),
            Self::Profile { who, fault } => {
                let fault = fault.say(language);
                say!(
                    language,
                    ("the certificate of {who:?} is not as RFC 5280 §4 and its purpose want it: {fault}"),
                    ("“{who}”的证书不符合 RFC 5280 第 4 节及其用途的要求：{fault}")
                )
            }
            Self::OutsideNames { who, name, kind, issuer } => say!(
                language,
                ("{who:?} ({name}, {kind}) lies outside the name constraints of its issuers (issued by {issuer:?})"),
                ("“{who}”（{name}，{kind}）超出其签发机构的名称约束（由“{issuer}”签发）")
            ),
            Self::NameKind { who, name, kind, issuer } => say!(
                language,
                ("{who:?} has a name of a kind that is not taken where name constraints bind ({name}, {kind}; \
                 issued by {issuer:?})"),
                ("“{who}”含有受名称约束的路径不接受的名称类型（{name}，{kind}；由“{issuer}”签发）")
            ),
            Self::CriticalExtension { who, oid } => say!(
                language,
                ("the certificate of {who:?} has a critical extension that is not known here ({oid})"),
                ("“{who}”的证书含有此处未知的关键扩展（{oid}）")
            ),
            Self::NoPolicy { who } => say!(
                language,
                ("no certificate policy is valid along the path of {who:?}"),
                ("“{who}”的证书链上没有有效的证书策略")
            ),
            Self::MapsAnyPolicy { who } => say!(
                language,
                ("the certificate of {who:?} maps any policy to another"),
                ("“{who}”的证书映射了 anyPolicy")
            ),
            Self::NoCa { who } => say!(
                language,
                ("{who:?} is no CA and is not allowed to issue certificates"),
                ("“{who}”不是签发机构，无权签发证书")
            ),
            Self::PathLength { who } => say!(
                language,
                ("{who:?} is not allowed to issue certificates here: the path length constraint of a CA above it is exceeded"),
                ("“{who}”无权在此签发证书：超出上级机构的路径长度约束")
            ),
            Self::UsageOfCa { who } => say!(
                language,
                ("the key usage of {who:?} does not allow it to issue certificates"),
                ("“{who}”的密钥用途不允许签发证书")
            ),
            Self::Unreadable(error) => {
                let error = error.say(language);
                say!(language, ("{error}"), ("证书无法读取：{error}"))
            }
        }
    }
}

impl ProfileFault {
    /// In what it is not as it should be.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Version => say!(language, ("it is not of version 3"), ("不是第 3 版证书")),
            Self::SerialZero => say!(language, ("its serial number is zero"), ("序列号为零")),
            Self::SerialNegative => {
                say!(language, ("its serial number is negative"), ("序列号为负"))
            }
            Self::SerialLong => say!(
                language,
                ("its serial number is longer than 20 octets"),
                ("序列号超过 20 个字节")
            ),
            Self::IssuerUnnamed => say!(language, ("its issuer has no name"), ("签发者名称为空")),
            Self::Validity => {
                say!(language, ("its validity ends before it begins"), ("有效期的结束早于开始"))
            }
            Self::AlgorithmParameters => say!(
                language,
                ("its signature algorithm has parameters that do not belong there"),
                ("签名算法带有不应有的参数")
            ),
            Self::SpelledDefault => say!(
                language,
                ("a default is spelled out in it, which DER forbids"),
                ("其中写出了 DER 不允许写出的默认值")
            ),
            Self::TimeKind => say!(
                language,
                ("a time in it is UTCTime from 2050 on, or GeneralizedTime before"),
                ("其时间类型与年份不符（2050 年前用 UTCTime，之后用 GeneralizedTime）")
            ),
            Self::UniqueId => {
                say!(language, ("it has a unique identifier"), ("含有唯一标识符字段"))
            }
            Self::NameText => say!(
                language,
                ("a text in a name is not of its kind"),
                ("名称中的文字与其字符串类型不符")
            ),
            Self::RsaWeak { bits } => say!(
                language,
                ("its RSA key of {bits} bits is too weak"),
                ("其 RSA 密钥仅 {bits} 位，过弱")
            ),
            Self::RsaOdd { bits } => say!(
                language,
                ("its RSA key has {bits} bits, which is not a multiple of 8"),
                ("其 RSA 密钥为 {bits} 位，不是 8 的倍数")
            ),
            Self::SubjectKeyCritical => say!(
                language,
                ("its subjectKeyIdentifier is critical"),
                ("主体密钥标识符被标为关键")
            ),
            Self::CaWithoutSubjectKey => say!(
                language,
                ("it is a CA's and has no subjectKeyIdentifier"),
                ("机构证书没有主体密钥标识符")
            ),
            Self::NoAuthorityKey => {
                say!(language, ("it has no authorityKeyIdentifier"), ("没有签发者密钥标识符"))
            }
            Self::AuthorityKeyCritical => say!(
                language,
                ("its authorityKeyIdentifier is critical"),
                ("签发者密钥标识符被标为关键")
            ),
            Self::AuthorityKeyWithoutId => say!(
                language,
                ("its authorityKeyIdentifier has no keyIdentifier"),
                ("签发者密钥标识符扩展中没有 keyIdentifier")
            ),
            Self::AuthorityKeyHalf => say!(
                language,
                ("its authorityKeyIdentifier has an issuer without a serial number, or the other way"),
                ("签发者密钥标识符中签发者与序列号未同时出现")
            ),
            Self::OwnKeyIds => say!(
                language,
                ("it is self-signed, and its key identifiers differ"),
                ("自签名证书的两个密钥标识符不一致")
            ),
            Self::NoUsageBit => {
                say!(language, ("its keyUsage has no bit set"), ("密钥用途扩展没有任何一位"))
            }
            Self::CertSignWithoutCa => say!(
                language,
                ("it has keyCertSign and is no CA's"),
                ("不是机构证书却有 keyCertSign 用途")
            ),
            Self::IssuesWithoutCa => say!(
                language,
                ("it issues certificates and has no basicConstraints that say CA"),
                ("签发证书却没有表明 CA 的基本约束")
            ),
            Self::BasicNotCritical => {
                say!(language, ("its basicConstraints are not critical"), ("基本约束未标为关键"))
            }
            Self::CaWithoutUsage => {
                say!(language, ("it is a CA's and has no keyUsage"), ("机构证书没有密钥用途扩展"))
            }
            Self::IssuesWithoutCertSign => say!(
                language,
                ("it issues certificates without keyCertSign"),
                ("签发证书却没有 keyCertSign 用途")
            ),
            Self::CaWithoutSubject => {
                say!(language, ("it is a CA's and has no subject"), ("机构证书的主体为空"))
            }
            Self::NotACas { extension } => say!(
                language,
                ("it is no CA's and has {extension}"),
                ("最终实体证书含有 {extension}")
            ),
            Self::NotCritical { extension } => {
                say!(language, ("its {extension} are not critical"), ("{extension} 未标为关键"))
            }
            Self::ConstraintsEmpty => {
                say!(language, ("its nameConstraints are empty"), ("名称约束为空"))
            }
            Self::Subtree(fault) => {
                let why = fault.say(language);
                say!(
                    language,
                    ("its nameConstraints are malformed: {why}"),
                    ("名称约束中的子树不合规（{why}）")
                )
            }
            Self::PolicyConstraintsEmpty => {
                say!(language, ("its policyConstraints are empty"), ("策略约束为空"))
            }
            Self::IssuerNamesEmpty => {
                say!(language, ("its issuerAltName is empty"), ("签发者备用名称为空"))
            }
            Self::NamesNobody => say!(language, ("it names nobody"), ("没有任何主体名称")),
            Self::NamesEmpty => {
                say!(language, ("its subjectAltName is empty"), ("主体备用名称为空"))
            }
            Self::NamesNotCritical => say!(
                language,
                ("its subject is empty and its subjectAltName is not critical"),
                ("主体为空而主体备用名称未标为关键")
            ),
            Self::NamesCritical => say!(
                language,
                ("its subjectAltName is critical though it has a subject"),
                ("主体非空而主体备用名称被标为关键")
            ),
            Self::AlternativeName(fault) => {
                let why = fault.say(language);
                say!(
                    language,
                    ("its subjectAltName is malformed: {why}"),
                    ("主体备用名称不合规（{why}）")
                )
            }
            Self::PoliciesTwice => {
                say!(language, ("a policy stands twice in it, or none"), ("证书策略重复或为空"))
            }
            Self::MappingsWithoutCa => say!(
                language,
                ("it is no CA's and has policyMappings"),
                ("最终实体证书含有策略映射")
            ),
            Self::MapsAny => {
                say!(language, ("it maps anyPolicy, or nothing"), ("策略映射为空或涉及 anyPolicy"))
            }
            Self::WronglyCritical { extension } => {
                say!(language, ("its {extension} is critical"), ("{extension} 被标为关键"))
            }
            Self::Empty { extension } => {
                say!(language, ("its {extension} is empty"), ("{extension} 为空"))
            }
            Self::PointNowhere => say!(
                language,
                ("a distribution point in it names no place"),
                ("吊销列表分发点没有指明位置")
            ),
            Self::RootWithUsage => {
                say!(language, ("it is a root's and has extKeyUsage"), ("根证书含有扩展密钥用途"))
            }
            Self::RootAuthorityKey => say!(
                language,
                ("it is a root's and its authorityKeyIdentifier names more than a key"),
                ("根证书的签发者密钥标识符不止含有密钥")
            ),
            Self::ServerWithoutUsage => say!(
                language,
                ("it has no extKeyUsage, as a server must"),
                ("服务器证书没有扩展密钥用途")
            ),
            Self::UsageCritical => {
                say!(language, ("its extKeyUsage is critical"), ("扩展密钥用途被标为关键"))
            }
            Self::ForbiddenUsage { usage } => say!(
                language,
                ("its extKeyUsage has {usage}, which no server may have"),
                ("其扩展密钥用途含有服务器不得有的 {usage}")
            ),
            Self::ServerWithoutNames => {
                say!(language, ("it has no subjectAltName"), ("没有主体备用名称"))
            }
            Self::Wildcard { name } => say!(
                language,
                ("its wildcard {name:?} is over a public suffix"),
                ("其通配名 {name} 覆盖公共后缀")
            ),
            Self::CommonName => say!(
                language,
                ("its common name is no exact copy of one of its alternative names"),
                ("其通用名不是某个备用名称的逐字副本")
            ),
        }
    }
}

impl SubtreeFault {
    /// What is wrong with it.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Mailbox => say!(
                language,
                ("an rfc822Name in it is no mailbox"),
                ("其中有 rfc822Name 不是邮箱地址")
            ),
            Self::Host => {
                say!(language, ("a host or domain in it is none"), ("其中有主机名或域名不合规"))
            }
            Self::Dns => say!(
                language,
                ("a dNSName in it is no host name (no dot in front, no wildcard)"),
                ("其中有 dNSName 不是主机名（前不加点，不用通配）")
            ),
            Self::Ip => say!(
                language,
                ("an iPAddress in it is no address with its mask"),
                ("其中有 iPAddress 不是带掩码的地址")
            ),
        }
    }
}

impl GeneralNameFault {
    /// What is wrong with it.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Mailbox => {
                say!(language, ("an rfc822Name is no mailbox"), ("rfc822Name 不是邮箱地址"))
            }
            Self::Dns => say!(language, ("a dNSName is no host name"), ("dNSName 不是主机名")),
            Self::Uri => say!(language, ("a URI is not absolute"), ("URI 不是绝对形式")),
            Self::Ip => say!(
                language,
                ("an iPAddress has neither 4 nor 16 octets"),
                ("iPAddress 既非 4 字节也非 16 字节")
            ),
            Self::Directory => say!(language, ("a directoryName is empty"), ("directoryName 为空")),
        }
    }
}

impl CrlFault {
    /// Why it does not count.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Version => say!(language, ("it is not of version 2"), ("不是第 2 版")),
            Self::NoNumber => say!(language, ("it has no number"), ("没有编号")),
            Self::Times => say!(
                language,
                ("its times have another form than RFC 5280 asks for"),
                ("其时间形式与 RFC 5280 的要求不同")
            ),
            Self::EntryIssuer => say!(
                language,
                ("a certificate issuer in it is not critical"),
                ("其中的证书签发者扩展未标为关键")
            ),
            Self::NumberCritical => {
                say!(language, ("its number is critical"), ("其编号被标为关键"))
            }
            Self::DeltaNotCritical => {
                say!(language, ("that it is a delta is not critical"), ("其增量标记未标为关键"))
            }
            Self::ScopeNotCritical => {
                say!(language, ("its scope is not critical"), ("其范围未标为关键"))
            }
        }
    }
}

impl RefusalFault {
    /// Why it is not issued.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::RootValidity => {
                say!(language, ("a root must be valid for some time"), ("根证书须有一段有效期"))
            }
            Self::CrlValidity => {
                say!(language, ("a CRL must be valid for some time"), ("吊销列表须有一段有效期"))
            }
            Self::NoCa { who } => {
                say!(language, ("{who:?} is no CA certificate"), ("“{who}”不是签发机构证书"))
            }
            Self::IssuesRoot => say!(
                language,
                ("a root signs itself; it is not issued"),
                ("根证书由自身签署，不由他人签发")
            ),
            Self::NoSubtree => say!(
                language,
                ("an intermediate CA needs at least one permitted subtree"),
                ("中间签发机构至少须有一个许可的子树")
            ),
            Self::Depth { ca } => say!(
                language,
                ("the pathLenConstraint of {ca:?} allows no further CA below"),
                ("“{ca}”的路径长度约束不允许其下再设签发机构")
            ),
            Self::Beyond { ca } => say!(
                language,
                ("the validity asked for ends after that of {ca:?}"),
                ("所申请的有效期晚于“{ca}”的有效期")
            ),
            Self::Over => {
                say!(language, ("the validity asked for is over already"), ("所申请的有效期已过"))
            }
            Self::RsaBits { bits, least } => say!(
                language,
                ("an RSA key of {bits} bits is too weak; at least {least} are needed"),
                ("{bits} 位的 RSA 密钥过弱；至少须 {least} 位")
            ),
            Self::NoSerial { given } => {
                say!(language, ("{given:?} is no serial"), ("{given:?} 不是序列号"))
            }
            Self::NoObjectId { given } => {
                say!(language, ("{given:?} is no object identifier"), ("{given:?} 不是对象标识符"))
            }
            Self::Usage(fault) => fault.say(language),
            Self::Request(fault) => {
                let why = fault.say(language);
                say!(language, ("the request: {why}"), ("证书请求：{why}"))
            }
        }
    }
}

impl RequestFault {
    /// What is wrong with it.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Key { kind } => say!(
                language,
                ("keys are P-256, P-384, Ed25519 or RSA; others are too weak or not known here ({kind})"),
                ("密钥须为 P-256、P-384、Ed25519 或 RSA；其他的过弱或此处不识别（{kind}）")
            ),
            Self::WeakRsa => say!(language, ("its RSA key is too weak"), ("其 RSA 密钥过弱")),
            Self::Algorithm { oid } => say!(
                language,
                ("its signature algorithm is not accepted ({oid})"),
                ("其签名算法不被接受（{oid}）")
            ),
            Self::NotSigned => say!(
                language,
                ("it is not signed by the key that it asks for"),
                ("未由所申请的密钥签署")
            ),
            Self::Name { name } => {
                say!(language, ("it asks for the name {name}"), ("申请了名称 {name}"))
            }
            Self::Names => say!(language, ("it asks for several names"), ("申请了多个名称")),
        }
    }
}

impl NameKind {
    /// Which name it is.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Agency => say!(language, ("agency name"), ("机关名称")),
            Self::Officer => say!(language, ("officer name"), ("人员名称")),
            Self::Party => say!(language, ("party name"), ("当事人名称")),
            Self::Subject => say!(language, ("certificate subject"), ("证书主体")),
        }
    }
}

impl NameFault {
    /// What is wrong with it.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Length => {
                say!(language, ("it is longer than 253 characters"), ("超过 253 个字符"))
            }
            Self::OneLabel => say!(
                language,
                ("it needs two labels or more, such as justice.gov.cn"),
                ("须有两段以上，如 justice.gov.cn")
            ),
            Self::LabelLength => say!(
                language,
                ("each label between dots has 1 to 63 characters"),
                ("点与点之间每段须有 1 至 63 个字符")
            ),
            Self::Characters => {
                say!(language, ("only a-z, 0-9 and - stand in it"), ("只能含 a-z、0-9 与 -"))
            }
            Self::Hyphen => {
                say!(language, ("no label starts or ends with -"), ("任何一段不得以 - 开头或结尾"))
            }
            Self::NoAt => say!(
                language,
                ("it needs an @, such as wang@justice.gov.cn"),
                ("须有 @，如 wang@justice.gov.cn")
            ),
            Self::LocalPart => say!(
                language,
                ("before the @ stand 1 to 64 of a-z, 0-9, . _ - +"),
                ("@ 之前须为 1 至 64 个 a-z、0-9、. _ - + 字符")
            ),
            Self::NoName => {
                say!(language, ("it has no dNSName or rfc822Name"), ("没有 dNSName 或 rfc822Name"))
            }
            Self::SeveralNames => say!(
                language,
                ("it has several alternative names; who signs is not clear"),
                ("有多个备用名称，无法确定签署人")
            ),
            Self::OfAnOfficer => {
                say!(language, ("it is an officer's, not an agency's"), ("属于人员而非机关"))
            }
            Self::CreditCode => say!(
                language,
                ("before the @ stands a unified social credit code in small letters, with its check digit, or p- and a pseudonym"),
                ("@ 之前须为校验码正确的统一社会信用代码（小写），或者 p- 加代号")
            ),
            Self::Pseudonym => say!(
                language,
                ("a pseudonym is p- and 16 to 40 of a-z and 0-9, drawn at random"),
                ("代号须为 p- 加 16 至 40 个随机产生的 a-z、0-9 字符")
            ),
            Self::Identity => say!(
                language,
                ("an identity number stands in it, which no certificate shows: draw a pseudonym"),
                ("其中含有公民身份号码；证书中不得出现身份号码，请另取代号")
            ),
            Self::OfAParty => say!(
                language,
                ("it is of the form that only enterprises and citizens have: use the profile party"),
                ("该形式专用于企业和公民，请使用 party 类证书")
            ),
        }
    }
}

impl StatementFault {
    /// Why it cannot hold.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::KeyNotInUse => say!(
                language,
                ("the encryption key is not in use at that time"),
                ("该加密密钥当时并未使用")
            ),
            Self::Expired { version } => say!(
                language,
                ("version {version} of the directory has expired"),
                ("目录第 {version} 版已过期")
            ),
            Self::Witnesses { agency, most } => say!(
                language,
                ("{agency} has more than {most} witnesses"),
                ("{agency} 的见证人超过 {most} 个")
            ),
        }
    }
}

impl CmsFault {
    /// What is wrong with it.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Size => say!(language, ("it is larger than 4 MiB"), ("超过 4 MiB")),
            Self::NoSignedData => say!(language, ("it is no signed data"), ("不是签名数据")),
            Self::ContentKind => {
                say!(language, ("its content is no OCTET STRING"), ("其内容不是 OCTET STRING"))
            }
            Self::Signers { count } => {
                say!(language, ("it has {count} signers"), ("有 {count} 个签署人"))
            }
            Self::NoSuchSigner => say!(language, ("it has no such signer"), ("没有这个签署人")),
            Self::OtherContent => say!(
                language,
                ("it holds another content than the one that it is to sign"),
                ("内含的内容与所称签署的内容不同")
            ),
            Self::Algorithm { oid } => {
                say!(language, ("the algorithm {oid} is not accepted"), ("算法 {oid} 不被接受"))
            }
            Self::ContentType => say!(
                language,
                ("its signed content type is another than its content's"),
                ("所签署的内容类型与其内容不符")
            ),
            Self::KeyKind { kind } => say!(
                language,
                ("a key of kind {kind} is not used here"),
                ("此处不用 {kind} 类型的密钥")
            ),
            Self::NoSignedAttributes => {
                say!(language, ("it has no signed attributes"), ("没有已签署的属性"))
            }
            Self::BindsNone => say!(language, ("it binds no certificate"), ("未绑定证书")),
            Self::WeakBinding => {
                say!(language, ("it binds its certificate by a weak digest"), ("以弱摘要绑定证书"))
            }
            Self::BoundMissing => say!(
                language,
                ("the certificate that its signature binds is not there"),
                ("其签名所绑定的证书不在其中")
            ),
            Self::SignerMissing => say!(
                language,
                ("the certificate of its signer is not there"),
                ("签署人的证书不在其中")
            ),
            Self::Attribute { oid } => say!(
                language,
                ("the signed attribute {oid} must stand once, alone"),
                ("已签署的属性 {oid} 须恰好出现一次")
            ),
            Self::Ber { detail } => say!(language, ("{detail}"), ("编码无法读取（{detail}）")),
        }
    }
}

impl TimeStampFault {
    /// What is wrong with it.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::AnswerSize => {
                say!(language, ("the answer is larger than 1 MiB"), ("应答超过 1 MiB"))
            }
            Self::Refused { status, text } => {
                let text = text.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
                say!(
                    language,
                    ("the authority refuses (status {status}{text})"),
                    ("时间戳机构拒绝（状态 {status}{text}）")
                )
            }
            Self::NoToken => say!(language, ("the answer holds no token"), ("应答中没有时间戳")),
            Self::OtherBytes => say!(
                language,
                ("the token is of other bytes than were asked about"),
                ("时间戳不是针对所请求的数据的")
            ),
            Self::Nonce => say!(
                language,
                ("the token does not answer this request (nonce)"),
                ("时间戳不是对此请求的应答（nonce）")
            ),
            Self::NoStamp => {
                say!(language, ("it holds something else than a time-stamp"), ("内含的不是时间戳"))
            }
            Self::Empty => say!(language, ("it is empty"), ("内容为空")),
            Self::Policy => {
                say!(language, ("its policy is no object identifier"), ("其策略不是对象标识符"))
            }
            Self::Version => say!(
                language,
                ("it has another version, or several signers"),
                ("版本不同，或有多个签署人")
            ),
            Self::Digest => {
                say!(language, ("its digest algorithm is not accepted"), ("其摘要算法不被接受"))
            }
            Self::DigestLength => say!(
                language,
                ("its digest has not the length of its algorithm"),
                ("其摘要长度与算法不符")
            ),
            Self::CriticalExtension => say!(
                language,
                ("it has a critical extension that is not known here"),
                ("含有此处未知的关键扩展")
            ),
            Self::NotBound => say!(
                language,
                ("it does not bind the certificate of its authority"),
                ("未绑定时间戳机构的证书")
            ),
            Self::Der { detail } => say!(language, ("{detail}"), ("编码无法读取（{detail}）")),
        }
    }
}
