//! What is said of keys, signatures and their structures. What a library or a device says stands as it says it.

use crate::{
    CoseFault, KeyFault, Language, Many, PublicKeyFault, StructureFault, Unknown, WrapFault, say,
};

impl KeyFault {
    /// Why it cannot be used.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Kind { detail } => say!(
                language,
                ("no P-256, P-384 or Ed25519 key: {detail}"),
                ("不是 P-256、P-384 或 Ed25519 密钥（{detail}）")
            ),
            Self::NotPkcs8 { detail } => {
                say!(language, ("not PKCS#8: {detail}"), ("不是 PKCS#8（{detail}）"))
            }
            Self::NoBlock => {
                say!(language, ("not PKCS#8: it holds no PEM block"), ("不是 PKCS#8：没有 PEM 块"))
            }
            Self::Block { tag } => say!(
                language,
                ("not PKCS#8: the PEM block is {tag:?}"),
                ("不是 PKCS#8：PEM 块为 {tag:?}")
            ),
            Self::OldEncryption => say!(
                language,
                ("it is encrypted in OpenSSL's old way, which is weak; `openssl pkcs8 -topk8` makes PKCS#8 of it"),
                ("以 OpenSSL 的旧方式加密，强度不足；可用 `openssl pkcs8 -topk8` 转为 PKCS#8")
            ),
            Self::InDevice => say!(
                language,
                ("it lives in a device and cannot leave it"),
                ("密钥在设备中，不能取出")
            ),
            Self::NotPbes2 => {
                say!(language, ("the encryption is not PBES2"), ("加密方式不是 PBES2"))
            }
            Self::TooMuchWork => say!(
                language,
                ("the key derivation asks for too much work"),
                ("密钥派生所需的计算量过大")
            ),
            Self::Other { detail } => detail.clone(),
        }
    }
}

impl PublicKeyFault {
    /// Why it cannot be used.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::PssKey { salt } => say!(
                language,
                ("RSASSA-PSS with a salt of {salt} octets is verified by keys of 2048, 3072, 4096, 6144 or 8192 \
 bits with the exponent 65537"),
                ("盐为 {salt} 字节的 RSASSA-PSS 只能用 2048、3072、4096、6144 或 8192 位、指数为 65537 的密钥验证")
            ),
            Self::Kind { kind } => say!(language, ("{kind} is not used here"), ("此处不用 {kind}")),
            Self::Other { detail } => detail.clone(),
        }
    }
}

impl WrapFault {
    /// What the content key cannot be, and why.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Opened => say!(
                language,
                ("opened: it was sealed under another key, or altered"),
                ("内容密钥无法打开：由另一密钥封存，或被改动")
            ),
            Self::Recipient => say!(
                language,
                ("wrapped: the recipient's public key is not valid"),
                ("内容密钥无法封装：收件方的公钥无效")
            ),
            Self::Joining => say!(
                language,
                ("joined by a part for its recipient"),
                ("内容密钥无法附上收件方的专属部分")
            ),
            Self::OtherPart => say!(
                language,
                ("joined by this part: it is for another, or was altered"),
                ("内容密钥与该部分不相配：属于他人，或被改动")
            ),
            Self::OtherKind => say!(
                language,
                ("unwrapped: it was wrapped for a key of another kind"),
                ("内容密钥无法解封：是为另一种密钥封装的")
            ),
            Self::OtherKey => say!(
                language,
                ("unwrapped: it was wrapped for another key, or altered"),
                ("内容密钥无法解封：是为另一密钥封装的，或被改动")
            ),
            Self::Length => say!(
                language,
                ("unwrapped: it has not the length of a content key"),
                ("内容密钥无法解封：长度不对")
            ),
        }
    }
}

impl Many {
    /// What they are.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Signatures => say!(language, ("signatures"), ("签名")),
            Self::Receipts => say!(language, ("receipts"), ("回执")),
            Self::HeaderItems => say!(language, ("items in a header"), ("头部项")),
            Self::UnsignedElements => {
                say!(language, ("unsigned header elements"), ("未签署的头部元素"))
            }
            Self::Countersignatures => {
                say!(language, ("countersignatures of one signature"), ("同一签名的副署"))
            }
            Self::Chain => say!(language, ("certificates in an x5chain"), ("x5chain 中的证书")),
            Self::TimeStamps => say!(language, ("time-stamps"), ("时间戳")),
            Self::Material => say!(
                language,
                ("certificates and CRLs beside its signatures"),
                ("签名所附证书与吊销列表")
            ),
            Self::AllCountersignatures => say!(language, ("countersignatures"), ("副署")),
        }
    }
}

impl Unknown {
    /// What it is.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Name { name } => say!(language, ("{name:?}"), ("{name:?}")),
            Self::Form { form } => say!(language, ("form {form}"), ("第 {form} 种形式")),
            Self::CriticalField { name } => {
                say!(language, ("the critical field {name:?}"), ("关键字段 {name:?}"))
            }
            Self::Parameter { name } => {
                say!(language, ("the critical header parameter {name}"), ("关键头部参数 {name}"))
            }
            Self::Content { version } => {
                say!(language, ("content of version {version}"), ("第 {version} 版内容"))
            }
            Self::File { version } => say!(
                language,
                ("an encrypted file of version {version}"),
                ("第 {version} 版加密文件")
            ),
            Self::InDirectory => say!(language, ("what stands in the directory"), ("目录中的内容")),
        }
    }
}

impl StructureFault {
    /// In what it differs.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::NoNames => say!(language, ("its fields have no names"), ("其字段没有名称")),
            Self::CriticalCount { count } => {
                say!(language, ("it lists {count} critical fields"), ("其列有 {count} 个关键字段"))
            }
            Self::CriticalName => {
                say!(language, ("a critical field has no plain name"), ("有关键字段的名称不规范"))
            }
            Self::CriticalMissing { name } => say!(
                language,
                ("it has no field {name:?}, which it says is critical"),
                ("缺少其称为关键的字段 {name:?}")
            ),
            Self::Other { detail } => detail.clone(),
        }
    }
}

impl CoseFault {
    /// What is wrong with it.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::NoContentType => say!(
                language,
                ("its protected header names no content type"),
                ("其受保护头部未写明内容类型")
            ),
            Self::Detached => say!(language, ("its payload is detached"), ("其载荷与结构分离")),
            Self::NoSignature => say!(language, ("it has no signature"), ("没有签名")),
            Self::ReceiptsForm => say!(language, ("its receipts are no list"), ("其回执不是列表")),
            Self::ReceiptForm => {
                say!(language, ("a receipt in it is no byte string"), ("其中有回执不是字节串"))
            }
            Self::NoSuchSignature => say!(language, ("it has no such signature"), ("没有这个签名")),
            Self::HeaderBytes => {
                say!(language, ("a protected header is no bytes"), ("受保护头部不是字节"))
            }
            Self::NoSign => say!(
                language,
                ("it is no tagged COSE_Sign, which is an array of four items"),
                ("不是带标签的 COSE_Sign（四项数组）")
            ),
            Self::PayloadForm => {
                say!(language, ("its payload is no byte string"), ("其载荷不是字节串"))
            }
            Self::SignaturesForm => {
                say!(language, ("its signatures are no list"), ("其签名不是列表"))
            }
            Self::SignatureItems => say!(
                language,
                ("a COSE_Signature is an array of three items"),
                ("COSE_Signature 应为三项数组")
            ),
            Self::SignatureForm => {
                say!(language, ("a signature is no byte string"), ("有签名不是字节串"))
            }
            Self::HeaderForm => {
                say!(language, ("a protected header is no byte string"), ("受保护头部不是字节串"))
            }
            Self::NoUnprotected => {
                say!(language, ("an unprotected header is missing"), ("缺少未受保护的头部"))
            }
            Self::UnsignedForm => {
                say!(language, ("its unsigned headers are no list"), ("其未签署头部不是列表"))
            }
            Self::CounterForm => {
                say!(language, ("its countersignature is no list"), ("其副署不是列表"))
            }
            Self::UnknownElement => {
                say!(language, ("an unknown element cannot be written"), ("未知元素不能写出"))
            }
            Self::ElementForm => say!(
                language,
                ("an unsigned header element is no map with one name"),
                ("有未签署头部元素不是单名映射")
            ),
            Self::Element { name } => say!(
                language,
                ("the unsigned header element {name:?} is malformed"),
                ("未签署头部元素 {name:?} 格式有误")
            ),
            Self::ChainLength { count } => say!(
                language,
                ("its chain has {count} certificates"),
                ("其证书链有 {count} 份证书")
            ),
            Self::SignatureAlgorithm { found } => say!(
                language,
                ("signature algorithm {found} is not known here"),
                ("不识别签名算法 {found}")
            ),
            Self::CounterOfCounter => {
                say!(language, ("a countersignature is itself countersigned"), ("副署又被副署"))
            }
            Self::ClaimsForm => {
                say!(language, ("its CWT claims are no map"), ("其 CWT 声明不是映射"))
            }
            Self::SigningTime => {
                say!(language, ("its signing time is no integer"), ("其签署时间不是整数"))
            }
            Self::ChainForm => say!(
                language,
                ("its x5chain is no certificate or list of certificates"),
                ("其 x5chain 不是证书或证书列表")
            ),
            Self::ChainEmpty => say!(language, ("its x5chain is empty"), ("其 x5chain 为空")),
            Self::Commitment { urn } => say!(
                language,
                ("its commitment {urn:?} is not known here"),
                ("不识别其承诺类型 {urn:?}")
            ),
            Self::MessageSize => {
                say!(language, ("the message is larger than 64 MiB"), ("消息超过 64 MiB"))
            }
            Self::MessageTrailing => {
                say!(language, ("bytes follow the message"), ("消息之后还有数据"))
            }
            Self::Tag { tag } => say!(
                language,
                ("tag {tag} is not that of a signed message"),
                ("标签 {tag} 不属于已签署的消息")
            ),
            Self::MessageSignatures { most } => say!(
                language,
                ("the message has more than {most} signatures"),
                ("消息的签名超过 {most} 个")
            ),
            Self::Label11 => say!(language, ("label 11 is no list"), ("标号 11 不是列表")),
            Self::NoBytes => say!(language, ("it is no byte string"), ("不是字节串")),
            Self::Attached => say!(
                language,
                ("its payload is attached; another was given"),
                ("其载荷已在结构内，却另给了载荷")
            ),
            Self::Algorithm => {
                say!(language, ("its algorithm is not known here"), ("不识别其算法"))
            }
            Self::CriticalUnsigned => say!(
                language,
                ("critical header parameters are listed where nothing signs them"),
                ("关键头部参数列在未签署之处")
            ),
            Self::Critical { name } => say!(
                language,
                ("its critical header parameter {name:?} is not known here"),
                ("不识别其关键头部参数 {name:?}")
            ),
            Self::ReceiptLength => say!(language, ("the receipt is too long"), ("回执过长")),
            Self::ReceiptAttached => {
                say!(language, ("a receipt's payload is detached"), ("回执的载荷应与结构分离"))
            }
            Self::Structure => say!(
                language,
                ("its verifiable data structure is not RFC9162_SHA256"),
                ("其可验证数据结构不是 RFC9162_SHA256")
            ),
            Self::ChainBytes => say!(language, ("its chain is no bytes"), ("其证书链不是字节")),
            Self::Chain => say!(language, ("its chain is not acceptable"), ("其证书链不可接受")),
            Self::NamedBytes { name } => {
                say!(language, ("its {name} is no bytes"), ("其 {name} 不是字节"))
            }
            Self::Salt => say!(language, ("its salt is no digest"), ("其盐不是摘要")),
            Self::Range => say!(
                language,
                ("its compact range is no list of hashes"),
                ("其紧凑范围不是摘要列表")
            ),
            Self::Proofs => {
                say!(language, ("its proofs are not of one kind"), ("其证明不是同一种"))
            }
            Self::OneProof => {
                say!(language, ("it does not have exactly one proof"), ("其证明不是恰好一个"))
            }
            Self::ProofLength => say!(language, ("its proof is too long"), ("其证明过长")),
            Self::ProofKind => say!(
                language,
                ("its proof is of a kind that is not known here"),
                ("不识别其证明的种类")
            ),
            Self::NoEnvelope => say!(language, ("it is no envelope"), ("不是信封")),
            Self::OneSignature => {
                say!(language, ("it should have exactly one signature"), ("应恰好有一个签名"))
            }
            Self::Other { detail } => detail.clone(),
        }
    }
}
