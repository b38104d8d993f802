//! What RFC 5280 §4 asks of every certificate, and what the CA/Browser Forum and RFC 9525 ask of a TLS server's.
//! Lenient verification, of what others made, does without.

use crate::{
    Certificate, Purpose,
    certificate::Oddity,
    extensions::{Extension, Extensions},
    general_name::GeneralName,
    oid::{ObjectId, known},
};

/// Where a certificate stands in a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Anchor,
    Between,
    Leaf,
}

/// What is wrong, in English and Chinese.
pub(crate) type Fault = (String, String);

const KEY_CERT_SIGN: u32 = 5;

/// The longest serial number, in octets (RFC 5280 §4.1.2.2).
const MAX_SERIAL: usize = 20;

fn fault(en: impl Into<String>, zh: impl Into<String>) -> Fault {
    (en.into(), zh.into())
}

/// The first thing in which a certificate is not as RFC 5280 §4 wants it.
pub(crate) fn first_fault(
    certificate: &Certificate,
    place: Place,
    purpose: Purpose,
) -> Option<Fault> {
    fields(certificate)
        .or_else(|| key(certificate))
        .or_else(|| key_identifiers(certificate, place))
        .or_else(|| usages(certificate, place))
        .or_else(|| constraints(certificate))
        .or_else(|| names(certificate))
        .or_else(|| policies(certificate))
        .or_else(|| others(&certificate.0.extensions))
        .or_else(|| (purpose == Purpose::Server).then(|| server(certificate, place)).flatten())
}

fn fields(certificate: &Certificate) -> Option<Fault> {
    let fields = &certificate.0;
    let serial = &fields.serial_octets;
    let negative = serial.first().is_some_and(|first| first & 0x80 != 0);
    Some(match fields.oddity {
        _ if fields.version != 2 => fault("it is not of version 3", "不是第 3 版证书"),
        _ if serial.iter().all(|octet| *octet == 0) => {
            fault("its serial number is zero", "序列号为零")
        }
        _ if negative => fault("its serial number is negative", "序列号为负"),
        _ if serial.len() > MAX_SERIAL => {
            fault("its serial number is longer than 20 octets", "序列号超过 20 个字节")
        }
        _ if fields.issuer_name.is_empty() => fault("its issuer has no name", "签发者名称为空"),
        _ if certificate.not_before() > certificate.not_after() => {
            fault("its validity ends before it begins", "有效期的结束早于开始")
        }
        _ if !fields.algorithm.plain_parameters => fault(
            "its signature algorithm has parameters that do not belong there",
            "签名算法带有不应有的参数",
        ),
        Some(Oddity::SpelledDefault) => fault(
            "a default is spelled out in it, which DER forbids",
            "其中写出了 DER 不允许写出的默认值",
        ),
        Some(Oddity::TimeKind) => fault(
            "a time in it is UTCTime from 2050 on, or GeneralizedTime before",
            "其时间类型与年份不符（2050 年前用 UTCTime，之后用 GeneralizedTime）",
        ),
        Some(Oddity::UniqueId) => fault("it has a unique identifier", "含有唯一标识符字段"),
        Some(Oddity::NameText) => {
            fault("a text in a name is not of its kind", "名称中的文字与其字符串类型不符")
        }
        None => return None,
    })
}

fn key(certificate: &Certificate) -> Option<Fault> {
    let bits = certificate.public_key()?.rsa_bits()?;
    if bits < 2048 {
        let zh = format!("其 RSA 密钥仅 {bits} 位，过弱");
        return Some(fault(format!("its RSA key of {bits} bits is too weak"), zh));
    }
    (bits % 8 != 0).then(|| {
        let en = format!("its RSA key has {bits} bits, which is not a multiple of 8");
        fault(en, format!("其 RSA 密钥为 {bits} 位，不是 8 的倍数"))
    })
}

/// RFC 5280 §4.2.1.1 and §4.2.1.2.
fn key_identifiers(certificate: &Certificate, place: Place) -> Option<Fault> {
    let extensions = &certificate.0.extensions;
    let own = certificate.subject_key_id();
    if extensions.subject_key.as_ref().is_some_and(|id| id.critical) {
        return Some(fault("its subjectKeyIdentifier is critical", "主体密钥标识符被标为关键"));
    }
    if certificate.is_ca() && own.is_none_or(<[u8]>::is_empty) {
        return Some(fault(
            "it is a CA's and has no subjectKeyIdentifier",
            "机构证书没有主体密钥标识符",
        ));
    }
    let self_signed = certificate.is_self_issued() && certificate.signed_by_itself();
    let Some(authority) = &extensions.authority_key else {
        let exempt = self_signed && place != Place::Between;
        return (!exempt)
            .then(|| fault("it has no authorityKeyIdentifier", "没有签发者密钥标识符"));
    };
    let value = &authority.value;
    Some(if authority.critical {
        fault("its authorityKeyIdentifier is critical", "签发者密钥标识符被标为关键")
    } else if value.id.is_none() {
        fault(
            "its authorityKeyIdentifier has no keyIdentifier",
            "签发者密钥标识符扩展中没有 keyIdentifier",
        )
    } else if value.issuer.is_some() != value.serial.is_some() {
        fault(
            "its authorityKeyIdentifier has an issuer without a serial number, or the other way",
            "签发者密钥标识符中签发者与序列号未同时出现",
        )
    } else if self_signed && own.is_some() && own != value.id.as_deref() {
        fault(
            "it is self-signed, and its key identifiers differ",
            "自签名证书的两个密钥标识符不一致",
        )
    } else {
        return None;
    })
}

/// RFC 5280 §4.2.1.3 and §4.2.1.9.
fn usages(certificate: &Certificate, place: Place) -> Option<Fault> {
    let extensions = &certificate.0.extensions;
    let signs = extensions.key_usage_has(KEY_CERT_SIGN);
    let none = extensions.key_usage.as_ref().is_some_and(|usage| usage.value == 0);
    let issues = certificate.is_ca() || place != Place::Leaf;
    Some(if none {
        fault("its keyUsage has no bit set", "密钥用途扩展没有任何一位")
    } else if !certificate.is_ca() && signs == Some(true) {
        fault("it has keyCertSign and is no CA's", "不是机构证书却有 keyCertSign 用途")
    } else if !issues {
        return None;
    } else if !certificate.is_ca() {
        fault(
            "it issues certificates and has no basicConstraints that say CA",
            "签发证书却没有表明 CA 的基本约束",
        )
    } else if !extensions.basic.as_ref().is_some_and(|basic| basic.critical) {
        fault("its basicConstraints are not critical", "基本约束未标为关键")
    } else if signs.is_none() {
        fault("it is a CA's and has no keyUsage", "机构证书没有密钥用途扩展")
    } else if place != Place::Leaf && signs == Some(false) {
        fault("it issues certificates without keyCertSign", "签发证书却没有 keyCertSign 用途")
    } else if certificate.0.subject_name.is_empty() {
        fault("it is a CA's and has no subject", "机构证书的主体为空")
    } else {
        return None;
    })
}

/// RFC 5280 §4.2.1.10, §4.2.1.11 and §4.2.1.14.
fn constraints(certificate: &Certificate) -> Option<Fault> {
    let extensions = &certificate.0.extensions;
    let ca = certificate.is_ca();
    let misplaced = |name: &str, critical: bool| {
        if !ca {
            let zh = format!("最终实体证书含有 {name}");
            return Some(fault(format!("it is no CA's and has {name}"), zh));
        }
        (!critical)
            .then(|| fault(format!("its {name} are not critical"), format!("{name} 未标为关键")))
    };
    if let Some(names) = &extensions.name_constraints {
        let both = [&names.value.permitted, &names.value.excluded];
        let empty = both.iter().all(|list| list.is_none())
            || both.iter().any(|list| list.as_ref().is_some_and(Vec::is_empty));
        if let Some(found) = misplaced("nameConstraints", names.critical) {
            return Some(found);
        }
        if empty {
            return Some(fault("its nameConstraints are empty", "名称约束为空"));
        }
        let mut trees = both.into_iter().flatten().flatten();
        if let Some(why) = trees.find_map(GeneralName::subtree_fault) {
            let zh = format!("名称约束中的子树不合规（{why}）");
            return Some(fault(format!("its nameConstraints are malformed: {why}"), zh));
        }
    }
    if let Some(policy) = &extensions.policy_constraints {
        if let Some(found) = misplaced("policyConstraints", policy.critical) {
            return Some(found);
        }
        if policy.value.require_explicit.is_none() && policy.value.inhibit_mapping.is_none() {
            return Some(fault("its policyConstraints are empty", "策略约束为空"));
        }
    }
    extensions.inhibit_any.as_ref().and_then(|skip| misplaced("inhibitAnyPolicy", skip.critical))
}

/// RFC 5280 §4.2.1.6.
fn names(certificate: &Certificate) -> Option<Fault> {
    let extensions = &certificate.0.extensions;
    let anonymous = certificate.0.subject_name.is_empty();
    if let Some(names) = &extensions.issuer_names
        && names.value.is_empty()
    {
        return Some(fault("its issuerAltName is empty", "签发者备用名称为空"));
    }
    let Some(names) = &extensions.subject_names else {
        return anonymous.then(|| fault("it names nobody", "没有任何主体名称"));
    };
    if names.value.is_empty() {
        return Some(fault("its subjectAltName is empty", "主体备用名称为空"));
    }
    if names.critical != anonymous {
        return Some(if anonymous {
            fault(
                "its subject is empty and its subjectAltName is not critical",
                "主体为空而主体备用名称未标为关键",
            )
        } else {
            fault(
                "its subjectAltName is critical though it has a subject",
                "主体非空而主体备用名称被标为关键",
            )
        });
    }
    let why = names.value.iter().find_map(GeneralName::fault)?;
    Some(fault(
        format!("its subjectAltName is malformed: {why}"),
        format!("主体备用名称不合规（{why}）"),
    ))
}

/// RFC 5280 §4.2.1.4 and §4.2.1.5.
fn policies(certificate: &Certificate) -> Option<Fault> {
    let extensions = &certificate.0.extensions;
    if let Some(policies) = &extensions.policies {
        let mut seen = std::collections::HashSet::new();
        let empty = policies.value.is_empty();
        if empty || policies.value.iter().any(|(policy, _)| !seen.insert(policy)) {
            return Some(fault("a policy stands twice in it, or none", "证书策略重复或为空"));
        }
    }
    let mappings = extensions.mappings.as_ref()?;
    if !certificate.is_ca() {
        return Some(fault("it is no CA's and has policyMappings", "最终实体证书含有策略映射"));
    }
    let any =
        |(from, to): &(ObjectId, ObjectId)| from.is(known::ANY_POLICY) || to.is(known::ANY_POLICY);
    (mappings.value.is_empty() || mappings.value.iter().any(any))
        .then(|| fault("it maps anyPolicy, or nothing", "策略映射为空或涉及 anyPolicy"))
}

fn others(extensions: &Extensions) -> Option<Fault> {
    fn critical<T>(extension: Option<&Extension<T>>) -> bool {
        extension.is_some_and(|extension| extension.critical)
    }
    let attributes = |other: &&Extension<ObjectId>| other.value.is(known::DIRECTORY_ATTRIBUTES);
    let wrongly = [
        ("authorityInfoAccess", critical(extensions.authority_access.as_ref())),
        ("subjectInfoAccess", critical(extensions.subject_access.as_ref())),
        ("freshestCRL", critical(extensions.freshest.as_ref())),
        ("subjectDirectoryAttributes", critical(extensions.others.iter().find(attributes))),
    ];
    if let Some((name, _)) = wrongly.iter().find(|(_, critical)| *critical) {
        return Some(fault(format!("its {name} is critical"), format!("{name} 被标为关键")));
    }
    fn none<T>(extension: Option<&Extension<Vec<T>>>) -> bool {
        extension.is_some_and(|extension| extension.value.is_empty())
    }
    let empty = [
        ("extKeyUsage", none(extensions.extended.as_ref())),
        ("authorityInfoAccess", none(extensions.authority_access.as_ref())),
        ("subjectInfoAccess", none(extensions.subject_access.as_ref())),
        ("cRLDistributionPoints", none(extensions.points.as_ref())),
        ("freshestCRL", none(extensions.freshest.as_ref())),
    ];
    if let Some((name, _)) = empty.iter().find(|(_, empty)| *empty) {
        return Some(fault(format!("its {name} is empty"), format!("{name} 为空")));
    }
    let points = [&extensions.points, &extensions.freshest].into_iter().flatten();
    let mut points = points.flat_map(|points| &points.value);
    points
        .any(|point| point.name.is_none() && point.issuer.is_none())
        .then(|| fault("a distribution point in it names no place", "吊销列表分发点没有指明位置"))
}

/// What the CA/Browser Forum's Baseline Requirements (§7.1.2) ask of TLS servers and their roots.
fn server(certificate: &Certificate, place: Place) -> Option<Fault> {
    let extensions = &certificate.0.extensions;
    if place == Place::Anchor {
        if extensions.extended.is_some() {
            return Some(fault("it is a root's and has extKeyUsage", "根证书含有扩展密钥用途"));
        }
        let key = extensions.authority_key.as_ref().map(|key| &key.value);
        return key.filter(|key| key.issuer.is_some() || key.serial.is_some()).map(|_| {
            fault(
                "it is a root's and its authorityKeyIdentifier names more than a key",
                "根证书的签发者密钥标识符不止含有密钥",
            )
        });
    }
    if place == Place::Between {
        return None;
    }
    let Some(extended) = &extensions.extended else {
        return Some(fault(
            "it has no extKeyUsage, as a server must",
            "服务器证书没有扩展密钥用途",
        ));
    };
    const FORBIDDEN: [&[u8]; 6] = [
        known::ANY_USAGE,
        known::CODE_SIGNING,
        known::EMAIL_PROTECTION,
        known::TIME_STAMPING,
        known::OCSP_SIGNING,
        known::PRECERTIFICATE,
    ];
    if extended.critical {
        return Some(fault("its extKeyUsage is critical", "扩展密钥用途被标为关键"));
    }
    if let Some(usage) = extended.value.iter().find(|usage| FORBIDDEN.iter().any(|id| usage.is(id)))
    {
        let zh = format!("其扩展密钥用途含有服务器不得有的 {usage}");
        return Some(fault(format!("its extKeyUsage has {usage}, which no server may have"), zh));
    }
    let names = extensions.subject_names();
    if names.is_empty() {
        return Some(fault("it has no subjectAltName", "没有主体备用名称"));
    }
    let public = |name: &&GeneralName| match name {
        GeneralName::Dns(text) => text.strip_prefix("*.").is_some_and(is_public_suffix),
        _ => false,
    };
    if let Some(name) = names.iter().find(public) {
        let en = format!("its wildcard {:?} is over a public suffix", name.shown());
        return Some(fault(en, format!("其通配名 {} 覆盖公共后缀", name.shown())));
    }
    let mut common = certificate.0.subject_name.of_kind(known::COMMON_NAME);
    let first = common.next()?;
    let copied = first.text().is_some_and(|text| {
        names.iter().any(|name| match name {
            GeneralName::Dns(dns) => *dns == text,
            GeneralName::Ip(octets) => {
                crate::general_name::address(octets).is_some_and(|ip| ip.to_string() == text)
            }
            _ => false,
        })
    });
    (!copied || common.next().is_some()).then(|| {
        fault(
            "its common name is no exact copy of one of its alternative names",
            "其通用名不是某个备用名称的逐字副本",
        )
    })
}

/// Whether a domain is one under which others register theirs.
fn is_public_suffix(domain: &str) -> bool {
    let domain = domain.to_ascii_lowercase();
    // Not where a company lets others register: such wildcards are issued.
    let private = |suffix: &psl::Suffix<'_>| suffix.typ() == Some(psl::Type::Private);
    !domain.contains('.')
        || psl::suffix(domain.as_bytes())
            .is_some_and(|suffix| suffix == domain.as_bytes() && !private(&suffix))
}
