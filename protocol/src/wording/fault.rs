//! What is wrong with what is read or made here.

use chancery_certs::rfc3339;
use chancery_crypto::{Language, say};

use crate::{
    CheckpointFault, ClassificationFault, ContainerFault, ContentFault, EncryptedFormatFault,
    EntryFault, EnvelopeFault, HeaderFault, HeaderLine, ManifestFault, MessageFault, NameFault,
    OrderFault, ProofFault, ReceiptFault, TimeFault, UnsupportedFault, ZipFault, text::TextFault,
};

impl TextFault {
    /// Why a text is no line for people.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Blank => say!(language, ("it is blank"), ("为空白")),
            Self::Hidden(c) => {
                let code = u32::from(*c);
                say!(
                    language,
                    ("it holds U+{code:04X}, a control, direction or invisible character"),
                    ("含有 U+{code:04X}，是控制字符、方向字符或不可见字符")
                )
            }
        }
    }
}

impl HeaderLine {
    fn say(self, language: Language) -> &'static str {
        match self {
            Self::Type => language.pick("type", "文种"),
            Self::Title => language.pick("title", "标题"),
            Self::Module => language.pick("module", "模块"),
            Self::Number => language.pick("number", "文号"),
            Self::Field => language.pick("field", "字段"),
            Self::MediaType => language.pick("media type", "媒体类型"),
        }
    }
}

impl EntryFault {
    /// What is wrong with an entry of this name.
    fn say(self, name: &str, language: Language) -> String {
        match self {
            Self::Missing => say!(language, ("{name:?} is not there"), ("缺少“{name}”")),
            Self::Unreadable => say!(language, ("{name:?} cannot be read"), ("“{name}”无法读取")),
            Self::Packing => say!(language, ("{name:?} cannot be unpacked"), ("“{name}”无法解压")),
            Self::Longer => say!(
                language,
                ("{name:?} unpacks to more than its directory says"),
                ("“{name}”解压后多于目录所载")
            ),
            Self::Differs => say!(
                language,
                ("{name:?} does not unpack to what its directory says"),
                ("“{name}”解压后与目录所载不符")
            ),
            Self::Size(limit) => say!(
                language,
                ("{name:?} is larger than {limit} bytes"),
                ("“{name}”超过 {limit} 字节")
            ),
            Self::Encrypted => say!(language, ("{name:?} is encrypted"), ("“{name}”已加密")),
            Self::Method(method) => say!(
                language,
                ("{name:?} is packed by method {method}"),
                ("“{name}”的压缩方法为 {method}")
            ),
            Self::TwoSizes => say!(language, ("{name:?} has two sizes"), ("“{name}”有两个大小")),
            Self::OwnHeader => say!(
                language,
                ("{name:?} is another entry by its own header"),
                ("“{name}”与其自身头部所载不符")
            ),
            Self::BytesBehind => {
                say!(language, ("bytes stand behind {name:?}"), ("“{name}”之后有多余数据"))
            }
            Self::FullFolder => say!(
                language,
                ("the folder {name:?} holds something itself"),
                ("文件夹“{name}”自身带有内容")
            ),
            Self::Special => say!(
                language,
                ("{name:?} is a link, a device or a folder"),
                ("“{name}”是链接、设备或文件夹")
            ),
            Self::Twice => {
                say!(language, ("{name:?} stands in it twice"), ("“{name}”在其中出现两次"))
            }
            Self::FileAndFolder => say!(
                language,
                ("{name:?} is a file and a folder in it"),
                ("“{name}”在其中既是文件又是文件夹")
            ),
            Self::NotOfMetaInf => say!(
                language,
                ("{name:?} is nothing that META-INF may hold"),
                ("“{name}”不是 META-INF 中可有的文件")
            ),
            Self::OutsideMetaInf => say!(
                language,
                ("the signature {name:?} lies outside of META-INF"),
                ("签名“{name}”不在 META-INF 之内")
            ),
            Self::OverTwo => {
                say!(language, ("{name:?} is to be over two manifests"), ("“{name}”被两份清单指向"))
            }
            Self::Changed => say!(
                language,
                ("{name:?} was changed while it was taken out"),
                ("“{name}”在取出过程中被改动")
            ),
        }
    }
}

impl HeaderFault {
    /// What is wrong with the header.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::NoId { given } => {
                say!(language, ("{given:?} is no document id"), ("{given:?} 不是公文编号"))
            }
            Self::Line { line, text, fault } => {
                let (line, fault) = (line.say(language), fault.say(language));
                say!(language, ("its {line} {text:?}: {fault}"), ("其{line}“{text}”：{fault}"))
            }
            Self::Field { name, value, fault } => {
                let fault = fault.say(language);
                say!(
                    language,
                    ("its field {name:?} {value:?}: {fault}"),
                    ("其字段“{name}”的值“{value}”：{fault}")
                )
            }
            Self::PartLine { part, fault } => {
                let fault = fault.say(language);
                say!(language, ("its part {part:?}: {fault}"), ("其附件“{part}”：{fault}"))
            }
            Self::PartTwin { part } => say!(
                language,
                ("its part {part:?}: it is the name of another part, to some systems"),
                ("其附件“{part}”：在某些系统中与另一附件同名")
            ),
            Self::PartName { part } => {
                say!(language, ("{part:?} is no plain file name"), ("“{part}”不是普通的文件名"))
            }
            Self::PartTwice { part } => {
                say!(language, ("two parts are named {part:?}"), ("有两个附件同名“{part}”"))
            }
            Self::NoRecipient => say!(language, ("it names no recipient"), ("未列收件机关")),
            Self::Recipients { most } => {
                say!(language, ("it names more than {most} recipients"), ("收件机关超过 {most} 个"))
            }
            Self::Parts { most } => {
                say!(language, ("it has more than {most} parts"), ("附件超过 {most} 个"))
            }
            Self::TextLength { most } => say!(
                language,
                ("a text in it is longer than {most} bytes"),
                ("其中有文字超过 {most} 字节")
            ),
            Self::Misleading => say!(
                language,
                ("a text in it holds control or direction characters"),
                ("其中有文字含控制字符或方向字符")
            ),
            Self::PartsSize => say!(
                language,
                ("its parts are larger than any content can be"),
                ("其附件总量超出任何内容的上限")
            ),
            Self::NotCritical { field } => say!(
                language,
                ("it has a field {field:?} and does not list it as critical, so that older programs would show it without"),
                ("其字段“{field}”未列为关键字段，旧版程序会略去它")
            ),
            Self::FormLength { most } => {
                say!(language, ("its form is longer than {most} bytes"), ("其表单超过 {most} 字节"))
            }
            Self::ContentType { found } => say!(
                language,
                ("it is {found:?}, not a document"),
                ("其类型为 {found:?}，不是公文")
            ),
        }
    }
}

impl ClassificationFault {
    /// What is wrong with the classification.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Unknown { given } => say!(
                language,
                ("{given:?} is no classification; there are 绝密, 机密, 秘密, 内部 and none, the first three with \
 a secrecy period if need be: 机密★10年"),
                ("“{given}”不是密级；密级有绝密、机密、秘密、内部或无，前三者可带保密期限：机密★10年")
            ),
            Self::TermWithoutSecret => say!(
                language,
                ("a secrecy period (保密期限) belongs to 秘密, 机密 or 绝密"),
                ("只有秘密、机密、绝密才有保密期限")
            ),
            Self::TwoTerms { first, second } => say!(
                language,
                ("it has two secrecy periods, {first} and {second}"),
                ("有两个保密期限：{first} 与 {second}")
            ),
            Self::TermLine(fault) => {
                let fault = fault.say(language);
                say!(language, ("its secrecy period: {fault}"), ("其保密期限：{fault}"))
            }
            Self::TermLength { most } => say!(
                language,
                ("its secrecy period: it is longer than {most} bytes"),
                ("其保密期限超过 {most} 字节")
            ),
            Self::TermNamesLevel { term } => say!(
                language,
                ("its secrecy period: {term:?} names a level"),
                ("其保密期限“{term}”中写有密级")
            ),
            Self::TermStars { term } => say!(
                language,
                ("its secrecy period: {term:?} has more than one ★"),
                ("其保密期限“{term}”有多于一个★")
            ),
        }
    }
}

impl ContentFault {
    /// What is wrong with the content.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::DocumentLength { length } => say!(
                language,
                ("the signed document has {length} bytes without its parts"),
                ("签署的公文不含附件已有 {length} 字节")
            ),
            Self::ClaimedLength { length } => say!(
                language,
                ("its signed document claims {length} bytes"),
                ("其签署的公文声称有 {length} 字节")
            ),
            Self::Trailing => {
                say!(language, ("bytes follow the last part"), ("最后一个附件之后还有数据"))
            }
            Self::OutOfRange => say!(language, ("out of range"), ("超出范围")),
            Self::PartCut { part } => {
                say!(language, ("part {part:?} is cut off"), ("附件“{part}”不完整"))
            }
            Self::Magic => say!(
                language,
                ("it does not start as a Chancery content of version 1 does"),
                ("开头不是第 1 版文驿内容的标记")
            ),
            Self::Cut => say!(language, ("it is cut off"), ("不完整，末尾被截断")),
            Self::CutInDocument => {
                say!(language, ("it is cut off before the document ends"), ("在公文结束之前被截断"))
            }
        }
    }
}

impl EnvelopeFault {
    /// What is wrong with the envelope.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::NoId { given } => {
                say!(language, ("{given:?} is no envelope id"), ("{given:?} 不是信封编号"))
            }
            Self::PartLength { most } => say!(
                language,
                ("the part of a recipient has more than {most} bytes"),
                ("某收件机关的专属部分超过 {most} 字节")
            ),
            Self::PartCut => say!(
                language,
                ("the part of the recipient is cut off"),
                ("收件机关的专属部分不完整")
            ),
            Self::PartCommitment => say!(
                language,
                ("the part of the recipient is not the one that it commits to"),
                ("收件机关的专属部分与其承诺值不符")
            ),
            Self::PartPlaces => say!(
                language,
                ("it does not have one place for a part for each recipient"),
                ("专属部分的位置数与收件机关数不符")
            ),
            Self::Size { size } => say!(
                language,
                ("no content has a ciphertext of {size} bytes"),
                ("没有内容的密文恰为 {size} 字节")
            ),
            Self::NoKey { agency } => {
                say!(language, ("it holds no key for {agency}"), ("其中没有给 {agency} 的密钥"))
            }
            Self::Overrun => say!(
                language,
                ("more ciphertext comes than its header says"),
                ("密文多于信封头所载")
            ),
            Self::OtherDocument => say!(
                language,
                ("the document inside is not the one that the envelope commits to"),
                ("其中的公文与信封的承诺值不符")
            ),
            Self::OtherSender { sender, from } => say!(
                language,
                ("it is of {sender} and holds a document of {from}"),
                ("信封出自 {sender}，内含的却是 {from} 的公文")
            ),
            Self::OtherRecipient { from, recipient } => say!(
                language,
                ("it holds a document of {from} that is not for {recipient}"),
                ("内含的 {from} 公文不是发给 {recipient} 的")
            ),
        }
    }
}

impl CheckpointFault {
    /// What is wrong with the checkpoint.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::WitnessKeyKind => {
                say!(language, ("a witness needs an Ed25519 key"), ("见证人须用 Ed25519 密钥"))
            }
            Self::NoCertificate => say!(language, ("it has no certificate"), ("未附证书")),
            Self::Sealer { subject, agency } => say!(
                language,
                ("it is sealed by {subject:?}, not by {agency}"),
                ("由“{subject}”盖章，而非 {agency}")
            ),
            Self::Form => say!(
                language,
                ("it is not in the form in which it is written"),
                ("其形式与规定的写法不同")
            ),
            Self::NoForkProof { kind } => say!(
                language,
                ("it is no fork proof but {kind:?}"),
                ("不是分叉证明，而是 {kind:?}")
            ),
            Self::ForkProofForm => say!(
                language,
                ("the fork proof is not in the form in which it is written"),
                ("分叉证明的形式与规定的写法不同")
            ),
            Self::RsaKey => {
                say!(language, ("an RSA key signs no checkpoints"), ("RSA 密钥不能签署检查点"))
            }
            Self::UnknownKeyKind => {
                say!(language, ("the seal's key is of an unknown kind"), ("印章的密钥类型未知"))
            }
            Self::NoKey => {
                say!(language, ("there is no key to check it with"), ("没有可用于检验的密钥"))
            }
            Self::Origin { found, want } => say!(
                language,
                ("it is of the ledger {found:?}, not {want:?}"),
                ("属于账本 {found:?}，而非 {want:?}")
            ),
            Self::KeySignsNone => {
                say!(language, ("the key signs no checkpoints"), ("该密钥不能签署检查点"))
            }
            Self::KeySignsNothing => say!(language, ("the key signs nothing"), ("该密钥不能签署")),
            Self::SealSignature => say!(
                language,
                ("the signature of the ledger's seal is wrong"),
                ("账本印章的签名不符")
            ),
            Self::NotSealed => {
                say!(language, ("it is not signed by the ledger's seal"), ("未由账本的印章签署"))
            }
            Self::NotCosigned { witness } => {
                say!(language, ("{witness} has not cosigned it"), ("{witness} 未作见证签名"))
            }
            Self::Before1970 => say!(language, ("the time lies before 1970"), ("时间早于 1970 年")),
            Self::NotWitnessKey => {
                say!(language, ("this is not the witness's private key"), ("这不是该见证人的私钥"))
            }
            Self::CosignatureCut { name } => say!(
                language,
                ("the cosignature of {name} is cut off"),
                ("{name} 的见证签名不完整")
            ),
            Self::CosignatureWrong { name } => {
                say!(language, ("the cosignature of {name} is wrong"), ("{name} 的见证签名不符"))
            }
            Self::TooLongOrControl => {
                say!(language, ("it is too long or holds control characters"), ("过长或含控制字符"))
            }
            Self::NoSignatures => say!(language, ("it has no signatures"), ("没有签名")),
            Self::Cut => say!(language, ("it is cut off"), ("不完整")),
            Self::SignatureLine => {
                say!(language, ("a signature line is malformed"), ("有签名行格式有误"))
            }
            Self::SignatureBase64 => {
                say!(language, ("a signature is not base64"), ("有签名不是 base64"))
            }
            Self::TooManySignatures => say!(language, ("it has too many signatures"), ("签名过多")),
            Self::TooFewLines => say!(language, ("it has fewer than three lines"), ("少于三行")),
            Self::Size => say!(language, ("its size is no number"), ("其条数不是数字")),
            Self::PlainForm => say!(
                language,
                ("its origin or size is not in plain form"),
                ("其来源或条数写法不规范")
            ),
            Self::Root => say!(
                language,
                ("its root is no SHA-256 in base64"),
                ("其根摘要不是 base64 形式的 SHA-256")
            ),
            Self::NoSealChain => {
                say!(language, ("the ledger has no seal chain"), ("账本没有印章的证书链"))
            }
            Self::LedgerWithoutKey => say!(language, ("the ledger has no key"), ("账本没有密钥")),
            Self::SaysElse => say!(language, ("it says something else"), ("所述内容不同")),
            Self::RolledBack { size, sealed } => say!(
                language,
                ("its ledger has {size} entries, and it had sealed {sealed} before"),
                ("其账本有 {size} 条，而此前已封存 {sealed} 条")
            ),
            Self::ForeignCosignature { peer } => say!(
                language,
                ("{peer} gives a cosignature that is not its own"),
                ("{peer} 给出的见证签名不是其自己的")
            ),
        }
    }
}

impl ProofFault {
    /// What does not hold.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::OtherCheckpoints => say!(
                language,
                ("the proof is for other checkpoints than these"),
                ("证明针对的是别的检查点")
            ),
            Self::NoFork => say!(
                language,
                ("the two checkpoints are consistent: this shows no fork"),
                ("两个检查点一致，不能证明分叉")
            ),
            Self::Tile { bytes } => say!(
                language,
                ("a tile of {bytes} bytes is no list of hashes"),
                ("{bytes} 字节的树块不是摘要列表")
            ),
            Self::EntryLength => {
                say!(language, ("an entry is longer than 65,535 bytes"), ("有条目超过 65,535 字节"))
            }
            Self::BundleCut => say!(language, ("a bundle of entries is cut off"), ("条目束不完整")),
            Self::RangeLength => say!(
                language,
                ("the compact range has not as many hashes as its tree has subtrees"),
                ("紧凑范围的摘要数与树的子树数不符")
            ),
            Self::RangeRoot => say!(
                language,
                ("the compact range does not join to the checkpoint's root"),
                ("紧凑范围不能合成检查点的根摘要")
            ),
            Self::InclusionRoot => say!(
                language,
                ("the inclusion proof does not lead to the checkpoint's root"),
                ("包含证明不通向检查点的根摘要")
            ),
            Self::OutsideTree => {
                say!(language, ("the leaf lies outside the tree"), ("该叶不在树内"))
            }
            Self::InclusionLong => {
                say!(language, ("the inclusion proof is too long"), ("包含证明过长"))
            }
            Self::InclusionShort => {
                say!(language, ("the inclusion proof is too short"), ("包含证明过短"))
            }
            Self::Smaller => say!(
                language,
                ("the newer tree is smaller than the older"),
                ("较新的树小于较旧的树")
            ),
            Self::TwoRoots => say!(
                language,
                ("two trees of one size have different roots"),
                ("同样大小的两棵树根摘要不同")
            ),
            Self::ConsistencyNotEmpty => {
                say!(language, ("the consistency proof should be empty"), ("一致性证明应为空"))
            }
            Self::ConsistencyLong => {
                say!(language, ("the consistency proof is too long"), ("一致性证明过长"))
            }
            Self::ConsistencyShort => {
                say!(language, ("the consistency proof is too short"), ("一致性证明过短"))
            }
            Self::ConsistencyRoots => say!(
                language,
                ("the consistency proof does not join the two roots"),
                ("一致性证明未能连接两个根摘要")
            ),
        }
    }
}

impl ReceiptFault {
    /// What is wrong with the receipt.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::ProofLength => say!(language, ("its proof is too long"), ("其证明过长")),
            Self::Size { bytes } => {
                say!(language, ("it is too large: {bytes} bytes"), ("过大：{bytes} 字节"))
            }
            Self::NoCertificate => say!(language, ("it has no certificate"), ("未附证书")),
            Self::SomethingElse => {
                say!(language, ("it is for something else"), ("针对的是别的内容"))
            }
            Self::OtherSeal { agency, seal } => say!(
                language,
                ("it speaks for {agency} with the seal of {seal}"),
                ("以 {seal} 的印章代表 {agency}")
            ),
            Self::OtherCheckpoint => {
                say!(language, ("it is under another checkpoint"), ("处于另一检查点之下"))
            }
            Self::NoCose => say!(
                language,
                ("the ledger gave no COSE signature with it"),
                ("账本未随之给出 COSE 签名")
            ),
            Self::NoEntry => say!(language, ("it has no entry"), ("没有条目")),
            Self::NoInclusion => say!(language, ("it has no inclusion proof"), ("没有包含证明")),
            Self::CoseOrigin { found, want } => say!(
                language,
                ("its COSE signature is of {found:?}, not of {want:?}"),
                ("其 COSE 签名属于 {found:?}，而非 {want:?}")
            ),
            Self::CoseSignature => say!(
                language,
                ("the COSE signature of the ledger's seal is wrong"),
                ("账本印章的 COSE 签名不符")
            ),
        }
    }
}

impl TimeFault {
    /// Why the time cannot be right.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Before { time, created } => {
                let (time, created) = (rfc3339(*time), rfc3339(*created));
                say!(
                    language,
                    ("its time {time} lies before {created}"),
                    ("其时间 {time} 早于 {created}")
                )
            }
            Self::After { time, at } => {
                let (time, at) = (rfc3339(*time), rfc3339(*at));
                say!(language, ("its time {time} lies after {at}"), ("其时间 {time} 晚于 {at}"))
            }
        }
    }
}

impl MessageFault {
    /// What is wrong with the message.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::FrameLength { bytes } => {
                say!(language, ("a frame of {bytes} bytes"), ("一帧有 {bytes} 字节"))
            }
            Self::FrameClaim { bytes } => {
                say!(language, ("a frame claims {bytes} bytes"), ("一帧声称有 {bytes} 字节"))
            }
            Self::NotTheOffers => say!(
                language,
                ("the peer's answer does not fit the offer"),
                ("对方的应答与所递送的不符")
            ),
            Self::NotTheAnswer => {
                say!(language, ("it does not answer what was asked"), ("所答非所问"))
            }
            Self::Sizes { count } => say!(
                language,
                ("it asks about {count} sizes at once"),
                ("一次询问了 {count} 个条数")
            ),
            Self::StreamStart => say!(
                language,
                ("a stream starts with an offer or a question"),
                ("流须以递送或询问开始")
            ),
            Self::NotHere => {
                say!(language, ("a frame does not belong here"), ("此处不应有这样的帧"))
            }
            Self::FactMisfit => say!(
                language,
                ("a fact about an envelope does not fit what was asked"),
                ("关于信封的事实与所问不符")
            ),
            Self::DirectoryLength { most } => {
                say!(language, ("a directory has at most {most} bytes"), ("目录最多 {most} 字节"))
            }
        }
    }
}

impl NameFault {
    /// What is wrong with the name.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Length => say!(language, ("is empty or too long"), ("为空或过长")),
            Self::Absolute => say!(language, ("is absolute"), ("是绝对路径")),
            Self::Drive => say!(language, ("begins with a drive letter"), ("以盘符开头")),
            Self::Backslash => say!(language, ("holds a backslash"), ("含反斜杠")),
            Self::Unseen => {
                say!(language, ("holds characters that are not seen"), ("含不可见字符"))
            }
            Self::PartLength => {
                say!(language, ("has a part that is empty or too long"), ("有一段为空或过长"))
            }
            Self::Dot => say!(language, ("has a part that begins with a dot"), ("有一段以点开头")),
            Self::MetaInf => {
                say!(language, ("is META-INF in other letters"), ("是大小写不同的 META-INF"))
            }
            Self::Folder => say!(language, ("is a folder's"), ("是文件夹的名称")),
        }
    }
}

impl ZipFault {
    /// What is wrong with the ZIP.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::HeaderCut => say!(language, ("a header is cut off"), ("有头部不完整")),
            Self::ExtraTwice => say!(
                language,
                ("an extra field of an entry stands twice"),
                ("某条目的附加字段重复")
            ),
            Self::ExtraCut => say!(
                language,
                ("the extra fields of an entry are cut off"),
                ("某条目的附加字段不完整")
            ),
            Self::NoWideSize => {
                say!(language, ("a size of 64 bits is not there"), ("缺少 64 位的大小"))
            }
            Self::TwoSizes => say!(language, ("an entry has two sizes"), ("某条目有两个大小")),
            Self::DirectoryLonger => {
                say!(language, ("its directory holds more than it says"), ("其目录多于所声明的"))
            }
            Self::Overlap => say!(
                language,
                ("its entries overlap, or bytes stand between them"),
                ("其条目重叠，或其间有多余数据")
            ),
            Self::EntriesOverlap => say!(language, ("its entries overlap"), ("其条目重叠")),
            Self::BeforeDirectory => {
                say!(language, ("bytes stand before its directory"), ("其目录之前有多余数据"))
            }
            Self::Cut => say!(language, ("it is cut off"), ("不完整")),
            Self::NoZip => {
                say!(language, ("it is no ZIP file, or is cut off"), ("不是 ZIP 文件，或不完整"))
            }
            Self::Trailing => say!(language, ("bytes follow its end"), ("其结尾之后还有数据")),
            Self::WideEndPlace => say!(
                language,
                ("its end of 64 bits is not where it should be"),
                ("其 64 位结尾不在应在之处")
            ),
            Self::TwoEnds => {
                say!(language, ("its two ends say different things"), ("其两个结尾所述不一"))
            }
            Self::Volumes => say!(language, ("it is one of several volumes"), ("是分卷之一")),
            Self::Entries(most) => say!(
                language,
                ("it has more than {most} entries, or a huge directory"),
                ("条目超过 {most} 个，或目录过大")
            ),
            Self::AroundDirectory => say!(
                language,
                ("bytes stand before it, or between its directory and its end"),
                ("其前或其目录与结尾之间有多余数据")
            ),
            Self::Directory => say!(language, ("its directory is malformed"), ("其目录格式有误")),
            Self::UnicodeName => say!(
                language,
                ("the name of an entry in Unicode is not that of the entry"),
                ("某条目的 Unicode 名称与其名称不符")
            ),
            Self::TwoNames => say!(language, ("an entry has two names"), ("某条目有两个名称")),
            Self::NameEncoding => {
                say!(language, ("a name in it is not UTF-8"), ("其中有名称不是 UTF-8"))
            }
        }
    }
}

impl ManifestFault {
    /// What is wrong with the manifest.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Size => {
                say!(language, ("its manifest is larger than 1 MiB"), ("其清单超过 1 MiB"))
            }
            Self::Encoding => say!(language, ("its manifest is not UTF-8"), ("其清单不是 UTF-8")),
            Self::Xml { detail } => {
                say!(language, ("its manifest is no XML: {detail}"), ("其清单不是 XML（{detail}）"))
            }
            Self::Root => {
                say!(language, ("its manifest is no ASiCManifest"), ("其清单不是 ASiCManifest"))
            }
            Self::TwoSignatures => {
                say!(language, ("its manifest names two signatures"), ("其清单指向两个签名"))
            }
            Self::NoSignature => {
                say!(language, ("its manifest names no signature"), ("其清单未指向签名"))
            }
            Self::Objects { most } => say!(
                language,
                ("its manifest lists more than {most} files"),
                ("其清单所列文件超过 {most} 个")
            ),
            Self::NoObject => say!(language, ("its manifest lists no file"), ("其清单未列文件")),
            Self::Holds { element } => {
                say!(language, ("its manifest holds {element:?}"), ("其清单含有 {element:?}"))
            }
            Self::Reference => say!(
                language,
                ("a reference in its manifest has no name that can be read"),
                ("其清单中有引用的名称无法读取")
            ),
            Self::DigestText { file } => {
                say!(language, ("the digest of {file:?} is no text"), ("“{file}”的摘要不是文字"))
            }
            Self::TwoDigests { file } => say!(
                language,
                ("{file:?} has two digests in its manifest"),
                ("“{file}”在清单中有两个摘要")
            ),
            Self::NoDigest { file } => {
                say!(language, ("{file:?} has no digest"), ("“{file}”没有摘要"))
            }
            Self::Cut => say!(language, ("its manifest is cut off"), ("其清单不完整")),
            Self::DocumentType => {
                say!(language, ("its manifest declares a document type"), ("其清单声明了文档类型"))
            }
            Self::TagLength => {
                say!(language, ("a tag in its manifest is too long"), ("其清单中有标签过长"))
            }
            Self::Depth => say!(
                language,
                ("its manifest is nested too deeply, or has too many namespaces"),
                ("其清单嵌套过深，或命名空间过多")
            ),
        }
    }
}

impl ContainerFault {
    /// What is wrong with the container.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Name { name, fault } => {
                let fault = fault.say(language);
                say!(language, ("the name {name:?} {fault}"), ("名称 {name:?} {fault}"))
            }
            Self::Entry { name, fault } => fault.say(name, language),
            Self::Zip(fault) => fault.say(language),
            Self::Manifest(fault) => fault.say(language),
            Self::Manifests { most } => {
                say!(language, ("it has more than {most} manifests"), ("清单超过 {most} 个"))
            }
            Self::References { most } => say!(
                language,
                ("its manifests list more than {most} files"),
                ("各清单所列文件超过 {most} 个")
            ),
            Self::Signers { most } => {
                say!(language, ("it has more than {most} signers"), ("签署人超过 {most} 个"))
            }
            Self::NoSignature => say!(language, ("it holds no signature"), ("没有签名")),
            Self::Io { detail } => say!(language, ("{detail}"), ("读写出错（{detail}）")),
        }
    }
}

impl UnsupportedFault {
    /// What is not read here.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Namespace { found, known } => say!(
                language,
                ("its manifest is in the namespace {found:?}, not in {known:?}"),
                ("其清单的命名空间为 {found:?}，而非 {known:?}")
            ),
            Self::Extension { name } => say!(
                language,
                ("its manifest has the critical extension {name:?}"),
                ("其清单有关键扩展 {name:?}")
            ),
            Self::Digest { file, algorithm } => say!(
                language,
                ("{file:?} has a digest by {algorithm:?} (SHA-256, SHA-384 and SHA-512 are accepted)"),
                ("“{file}”的摘要算法为 {algorithm:?}（接受 SHA-256、SHA-384 和 SHA-512）")
            ),
            Self::Mimetype { stated, known } => say!(
                language,
                ("its mimetype is {stated:?}; ASiC-E containers ({known}) are read here"),
                ("其 mimetype 为 {stated:?}；此处读取 ASiC-E 容器（{known}）")
            ),
            Self::Xades { file } => say!(
                language,
                ("XAdES signatures ({file}); CAdES signatures are read here"),
                ("XAdES 签名（{file}）；此处读取 CAdES 签名")
            ),
            Self::NoManifest { file } => say!(
                language,
                ("{file} without an ASiCManifest that says what it is over"),
                ("{file} 没有说明其所签内容的 ASiCManifest")
            ),
            Self::EvidenceRecord { file } => say!(
                language,
                ("an evidence record ({file}), and no signature"),
                ("只有证据记录（{file}），没有签名")
            ),
        }
    }
}

impl EncryptedFormatFault {
    /// What is wrong with the form of the file.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Recipients { most } => say!(
                language,
                ("a file has 1 to {most} recipients"),
                ("一个文件可有 1 至 {most} 个收件机关")
            ),
            Self::TooLarge => {
                say!(language, ("it is larger than any file can be"), ("超出任何文件的上限"))
            }
            Self::Magic => say!(language, ("it does not start as one"), ("开头不是加密文件的标记")),
            Self::HeaderLength => say!(language, ("its header is too large"), ("其文件头过大")),
            Self::HeaderCut => say!(language, ("its header is cut off"), ("其文件头不完整")),
            Self::Header(error) => error.say(language),
            Self::HeaderContent => {
                say!(language, ("its header says what it may not say"), ("其文件头有不允许的内容"))
            }
            Self::Size => say!(language, ("its size cannot be"), ("其大小不可能")),
        }
    }
}

impl OrderFault {
    /// What is wrong with the order.
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Envelopes { most } => say!(
                language,
                ("an order names 1 to {most} envelopes"),
                ("一份清除令须列 1 至 {most} 个信封")
            ),
            Self::Reason { most } => say!(
                language,
                ("an order gives a reason of 1 to {most} bytes"),
                ("清除令须写明理由，1 至 {most} 字节")
            ),
            Self::Control => {
                say!(language, ("a reason holds no control characters"), ("理由不得含控制字符"))
            }
        }
    }
}
