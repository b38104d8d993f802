//! What the reasons of verdicts mean, and what to do about them.

use crate::SubIndication;

impl SubIndication {
    /// What it means and what to do, in English and Chinese.
    pub fn explain(self) -> (&'static str, &'static str) {
        match self {
            Self::FormatFailure => (
                "The file cannot be read as what it should be. Ask the sender for it again.",
                "文件格式无法识别。请向发送方重新索取。",
            ),
            Self::HashFailure => (
                "The content was changed after signing. Do not rely on it; ask the sender for the \
                 original.",
                "内容在签署后被改动。请勿采信，并向发送方索取原件。",
            ),
            Self::SigCryptoFailure => (
                "The signature does not belong to these bytes: either was changed. Do not rely on \
                 it.",
                "签名与内容不符，二者之一被改动。请勿采信。",
            ),
            Self::SignedDataNotFound => (
                "A signed part is missing. Put it back beside the document and verify again.",
                "缺少已签署的附件。请放回原处后重新验证。",
            ),
            Self::UnsignedContent => (
                "A file lies with the signed parts that nobody signed. Take it away, and do not \
                 take it for a part of the document.",
                "附件目录中有未经签署的文件。请将其移走，不可视为文件的组成部分。",
            ),
            Self::SigConstraintsFailure => (
                "The signature is genuine, but not one that this document needs. Ask the sender \
                 who should have signed.",
                "签名真实，但不符合本文件的签署要求。请向发送方核实签署人。",
            ),
            Self::ChainConstraintsFailure => (
                "The signer's CA was not entitled to issue this certificate. Do not rely on it; \
                 report it to the CA above.",
                "签发机构无权签发该证书。请勿采信，并报告上级证书机构。",
            ),
            Self::CertificateChainGeneralFailure => (
                "The certificate chain is broken. Ask the signer for the right chain.",
                "证书链已损坏。请向签署人索取正确的证书链。",
            ),
            Self::NoCertificateChainFound => (
                "The signer is not under any trust anchor that was given. Give the right root with \
                 --anchor.",
                "签署人不在所给信任锚之下。请用 --anchor 指定正确的根证书。",
            ),
            Self::NoSigningCertificateFound => (
                "The signature carries no usable certificate. Ask the signer for one.",
                "签名未附可用的签署证书。请向签署人索取。",
            ),
            Self::RevokedNoPoe => (
                "The certificate was revoked, and no trusted time-stamp shows that it signed \
                 before. Do not rely on it; ask the signer.",
                "证书已被吊销，且无可信时间戳证明签署在先。请勿采信，并向签署人核实。",
            ),
            Self::TryLater => (
                "No current CRL says whether the certificate is revoked. Fetch the CA's newest CRL \
                 and verify again.",
                "没有现行的吊销列表说明该证书是否被吊销。请获取最新吊销列表后重新验证。",
            ),
            Self::OutOfBoundsNoPoe => (
                "The certificate is out of its validity now, and no trusted time-stamp shows that \
                 it was valid when it signed. Verify at a known time with --at.",
                "证书现已超出有效期，且无可信时间戳证明签署时有效。可用 --at 指定已知时间验证。",
            ),
            Self::NotYetValid => (
                "The certificate was not valid yet when a time-stamp shows that the signature existed. \
                 Do not rely on it.",
                "时间戳表明签署时证书尚未生效。请勿采信。",
            ),
            Self::TimestampOrderFailure => (
                "The signature claims a later time than its time-stamp proves. Ask the signer.",
                "签名声称的时间晚于时间戳所证明的时间。请向签署人核实。",
            ),
            Self::TimestampFailure => (
                "The time-stamp is not one of a trusted authority over this signature. It counts for \
                 nothing; the rest of the verdict stands.",
                "时间戳不是可信机构对此签名所作，不予采信；其余结论不受影响。",
            ),
            Self::EvidenceFailure => (
                "The evidence proves nothing for this document. Ask the agency for the right one.",
                "该证据不能证明本文件。请向相关机关索取正确的证据。",
            ),
            Self::TimeNotProven => (
                "What it says is genuine, and when it happened is not shown: a clock was wrong, or the time of \
                 validation lies before it. Nothing is taken for false by it, and no time limit may rest on it: compare with \
                 other evidence, or ask for another proof of the time, such as a time-stamp.",
                "内容真实，但发生时间未得到证明：某处时钟有误，或验证时间早于该时间。这并不表示内容不实，但不得据以计算期限；请与其他证据核对，或索取其他时间证明，如时间戳。",
            ),
            Self::NotSupported => (
                "It is of a form that is not read here, and nothing can be said of it. Use a program that reads \
                 that form, or ask for the document in another.",
                "其形式此处无法读取，不作结论。请使用支持该形式的程序，或索取其他形式的文件。",
            ),
            Self::LedgerAltered => (
                "Entries were changed, added or removed. Keep this copy as proof and inform the \
                 supervisor.",
                "账本条目被改动、增加或删除。请保留此副本作为证据并报告监管机关。",
            ),
            Self::LedgerRolledBack => (
                "The ledger was rolled back to an earlier state. Keep both copies as proof and \
                 inform the supervisor.",
                "账本被回退到较早状态。请保留两份副本作为证据并报告监管机关。",
            ),
            Self::LedgerForked => (
                "The ledger shows different histories to different parties. Keep both copies as \
                 proof and inform the supervisor.",
                "账本向不同对象出示了不同历史。请保留两份副本作为证据并报告监管机关。",
            ),
            Self::LedgerGap => (
                "The record is not complete. Ask the agency for the missing evidence.",
                "记录不完整。请向该机关索取缺失的证据。",
            ),
        }
    }
}
