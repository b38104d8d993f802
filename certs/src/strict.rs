//! What RFC 5280 §4 asks of every certificate, and what the CA/Browser Forum and RFC 9525 ask of a TLS server's.
//! Lenient verification, of what others made, does without.

use crate::{
    Certificate, ProfileFault as Fault, Purpose,
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

const KEY_CERT_SIGN: u32 = 5;

/// The longest serial number, in octets (RFC 5280 §4.1.2.2).
const MAX_SERIAL: usize = 20;

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
        _ if fields.version != 2 => Fault::Version,
        _ if serial.iter().all(|octet| *octet == 0) => Fault::SerialZero,
        _ if negative => Fault::SerialNegative,
        _ if serial.len() > MAX_SERIAL => Fault::SerialLong,
        _ if fields.issuer_name.is_empty() => Fault::IssuerUnnamed,
        _ if certificate.not_before() > certificate.not_after() => Fault::Validity,
        _ if !fields.algorithm.plain_parameters => Fault::AlgorithmParameters,
        Some(Oddity::SpelledDefault) => Fault::SpelledDefault,
        Some(Oddity::TimeKind) => Fault::TimeKind,
        Some(Oddity::UniqueId) => Fault::UniqueId,
        Some(Oddity::NameText) => Fault::NameText,
        None => return None,
    })
}

fn key(certificate: &Certificate) -> Option<Fault> {
    let bits = certificate.public_key()?.rsa_bits()?;
    if bits < 2048 {
        return Some(Fault::RsaWeak { bits });
    }
    (bits % 8 != 0).then_some(Fault::RsaOdd { bits })
}

/// RFC 5280 §4.2.1.1 and §4.2.1.2.
fn key_identifiers(certificate: &Certificate, place: Place) -> Option<Fault> {
    let extensions = &certificate.0.extensions;
    let own = certificate.subject_key_id();
    if extensions.subject_key.as_ref().is_some_and(|id| id.critical) {
        return Some(Fault::SubjectKeyCritical);
    }
    if certificate.is_ca() && own.is_none_or(<[u8]>::is_empty) {
        return Some(Fault::CaWithoutSubjectKey);
    }
    let self_signed = certificate.is_self_issued() && certificate.signed_by_itself();
    let Some(authority) = &extensions.authority_key else {
        let exempt = self_signed && place != Place::Between;
        return (!exempt).then_some(Fault::NoAuthorityKey);
    };
    let value = &authority.value;
    Some(if authority.critical {
        Fault::AuthorityKeyCritical
    } else if value.id.is_none() {
        Fault::AuthorityKeyWithoutId
    } else if value.issuer.is_some() != value.serial.is_some() {
        Fault::AuthorityKeyHalf
    } else if self_signed && own.is_some() && own != value.id.as_deref() {
        Fault::OwnKeyIds
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
        Fault::NoUsageBit
    } else if !certificate.is_ca() && signs == Some(true) {
        Fault::CertSignWithoutCa
    } else if !issues {
        return None;
    } else if !certificate.is_ca() {
        Fault::IssuesWithoutCa
    } else if !extensions.basic.as_ref().is_some_and(|basic| basic.critical) {
        Fault::BasicNotCritical
    } else if signs.is_none() {
        Fault::CaWithoutUsage
    } else if place != Place::Leaf && signs == Some(false) {
        Fault::IssuesWithoutCertSign
    } else if certificate.0.subject_name.is_empty() {
        Fault::CaWithoutSubject
    } else {
        return None;
    })
}

/// RFC 5280 §4.2.1.10, §4.2.1.11 and §4.2.1.14.
fn constraints(certificate: &Certificate) -> Option<Fault> {
    let extensions = &certificate.0.extensions;
    let ca = certificate.is_ca();
    let misplaced = |extension: &'static str, critical: bool| match ca {
        false => Some(Fault::NotACas { extension }),
        true => (!critical).then_some(Fault::NotCritical { extension }),
    };
    if let Some(names) = &extensions.name_constraints {
        let both = [&names.value.permitted, &names.value.excluded];
        let empty = both.iter().all(|list| list.is_none())
            || both.iter().any(|list| list.as_ref().is_some_and(Vec::is_empty));
        if let Some(found) = misplaced("nameConstraints", names.critical) {
            return Some(found);
        }
        if empty {
            return Some(Fault::ConstraintsEmpty);
        }
        let mut trees = both.into_iter().flatten().flatten();
        if let Some(why) = trees.find_map(GeneralName::subtree_fault) {
            return Some(Fault::Subtree(why));
        }
    }
    if let Some(policy) = &extensions.policy_constraints {
        if let Some(found) = misplaced("policyConstraints", policy.critical) {
            return Some(found);
        }
        if policy.value.require_explicit.is_none() && policy.value.inhibit_mapping.is_none() {
            return Some(Fault::PolicyConstraintsEmpty);
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
        return Some(Fault::IssuerNamesEmpty);
    }
    let Some(names) = &extensions.subject_names else {
        return anonymous.then_some(Fault::NamesNobody);
    };
    if names.value.is_empty() {
        return Some(Fault::NamesEmpty);
    }
    if names.critical != anonymous {
        return Some(if anonymous { Fault::NamesNotCritical } else { Fault::NamesCritical });
    }
    let why = names.value.iter().find_map(GeneralName::fault)?;
    Some(Fault::AlternativeName(why))
}

/// RFC 5280 §4.2.1.4 and §4.2.1.5.
fn policies(certificate: &Certificate) -> Option<Fault> {
    let extensions = &certificate.0.extensions;
    if let Some(policies) = &extensions.policies {
        let mut seen = std::collections::HashSet::new();
        let empty = policies.value.is_empty();
        if empty || policies.value.iter().any(|(policy, _)| !seen.insert(policy)) {
            return Some(Fault::PoliciesTwice);
        }
    }
    let mappings = extensions.mappings.as_ref()?;
    if !certificate.is_ca() {
        return Some(Fault::MappingsWithoutCa);
    }
    let any =
        |(from, to): &(ObjectId, ObjectId)| from.is(known::ANY_POLICY) || to.is(known::ANY_POLICY);
    (mappings.value.is_empty() || mappings.value.iter().any(any)).then_some(Fault::MapsAny)
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
    if let Some((extension, _)) = wrongly.into_iter().find(|(_, critical)| *critical) {
        return Some(Fault::WronglyCritical { extension });
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
    if let Some((extension, _)) = empty.into_iter().find(|(_, empty)| *empty) {
        return Some(Fault::Empty { extension });
    }
    let points = [&extensions.points, &extensions.freshest].into_iter().flatten();
    let mut points = points.flat_map(|points| &points.value);
    points
        .any(|point| point.name.is_none() && point.issuer.is_none())
        .then_some(Fault::PointNowhere)
}

/// What the CA/Browser Forum's Baseline Requirements (§7.1.2) ask of TLS servers and their roots.
fn server(certificate: &Certificate, place: Place) -> Option<Fault> {
    let extensions = &certificate.0.extensions;
    if place == Place::Anchor {
        if extensions.extended.is_some() {
            return Some(Fault::RootWithUsage);
        }
        let key = extensions.authority_key.as_ref().map(|key| &key.value);
        return key
            .filter(|key| key.issuer.is_some() || key.serial.is_some())
            .map(|_| Fault::RootAuthorityKey);
    }
    if place == Place::Between {
        return None;
    }
    let Some(extended) = &extensions.extended else {
        return Some(Fault::ServerWithoutUsage);
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
        return Some(Fault::UsageCritical);
    }
    if let Some(usage) = extended.value.iter().find(|usage| FORBIDDEN.iter().any(|id| usage.is(id)))
    {
        return Some(Fault::ForbiddenUsage { usage: usage.to_string() });
    }
    let names = extensions.subject_names();
    if names.is_empty() {
        return Some(Fault::ServerWithoutNames);
    }
    let public = |name: &&GeneralName| match name {
        GeneralName::Dns(text) => text.strip_prefix("*.").is_some_and(is_public_suffix),
        _ => false,
    };
    if let Some(name) = names.iter().find(public) {
        return Some(Fault::Wildcard { name: name.shown() });
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
    (!copied || common.next().is_some()).then_some(Fault::CommonName)
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
