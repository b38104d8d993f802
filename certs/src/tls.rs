//! Certificates as TLS libraries look at them: the rules of rustls-webpki (RFC 9525 names, CA/Browser
//! Forum usages) on top of the path validation of RFC 5280.

use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{EndEntityCert, Error as WebPkiError, KeyUsage, anchor_from_trusted_cert};

use crate::{Certificate, PathError, PathReason, Purpose, TrustStore};

/// A name that a certificate is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectName {
    /// A dNSName.
    Dns(String),
    /// An rfc822Name.
    Email(String),
    /// An iPAddress.
    Ip(std::net::IpAddr),
}

impl std::str::FromStr for SubjectName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write it as dns:NAME, email:NAME or ip:ADDRESS".to_owned();
        let (kind, name) = text.split_once(':').ok_or_else(wrong)?;
        match kind {
            "dns" if !name.is_empty() => Ok(Self::Dns(name.to_owned())),
            "email" if name.contains('@') => Ok(Self::Email(name.to_owned())),
            "ip" => name.parse().map(Self::Ip).map_err(|_| format!("{name:?} is no IP address")),
            _ => Err(wrong()),
        }
    }
}

impl std::fmt::Display for SubjectName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dns(name) => write!(f, "dns:{name}"),
            Self::Email(name) => write!(f, "email:{name}"),
            Self::Ip(address) => write!(f, "ip:{address}"),
        }
    }
}

/// Checks that a certificate has a name among its alternative names. For a TLS server a dNSName may
/// have a wildcard (RFC 9525 §6.3); otherwise names are compared whole. The subject's common name
/// counts for nothing.
///
/// # Errors
/// [`PathReason::NameMismatch`].
pub fn check_name(
    leaf: &Certificate,
    name: &SubjectName,
    purpose: Purpose,
) -> Result<(), PathError> {
    let found = match name {
        SubjectName::Dns(name) if purpose == Purpose::Server => serves(leaf, name),
        SubjectName::Ip(address) if purpose == Purpose::Server => {
            serves(leaf, &address.to_string())
        }
        SubjectName::Dns(name) => leaf.dns_names().iter().any(|n| n.eq_ignore_ascii_case(name)),
        SubjectName::Ip(address) => leaf.ips().contains(address),
        SubjectName::Email(name) => leaf.emails().iter().any(|n| same_mailbox(n, name)),
    };
    if found {
        return Ok(());
    }
    let sentence = format!("{:?} does not have the name {name}", leaf.subject());
    let zh = format!("“{}”没有名称 {name}", leaf.subject());
    Err(PathError { reason: PathReason::NameMismatch, sentence, zh })
}

fn serves(leaf: &Certificate, name: &str) -> bool {
    let der = CertificateDer::from(leaf.der());
    let Ok(name) = ServerName::try_from(name) else { return false };
    EndEntityCert::try_from(&der).is_ok_and(|e| e.verify_is_valid_for_subject_name(&name).is_ok())
}

/// The part before the @ as it stands, the host in any case (RFC 5280 §7.5).
fn same_mailbox(left: &str, right: &str) -> bool {
    match (left.rsplit_once('@'), right.rsplit_once('@')) {
        (Some((l, left)), Some((r, right))) => l == r && left.eq_ignore_ascii_case(right),
        _ => false,
    }
}

/// Validates a path as a TLS library does, which is stricter here and there than RFC 5280.
///
/// # Errors
/// [`PathError`] with the library's reason.
pub(crate) fn check_tls(
    trust: &TrustStore,
    leaf: &Certificate,
    intermediates: &[Certificate],
    at: i64,
    purpose: Purpose,
) -> Result<(), PathError> {
    let usage = match purpose {
        Purpose::Server => KeyUsage::server_auth(),
        Purpose::Client => KeyUsage::client_auth(),
        _ => return Ok(()),
    };
    let refused = |error: &WebPkiError| PathError {
        reason: reason(error),
        sentence: format!("TLS libraries do not take {:?}: {error}", leaf.subject()),
        zh: format!("TLS 库不接受“{}”：{error}", leaf.subject()),
    };
    let roots: Vec<_> = trust.anchors().map(|a| CertificateDer::from(a.der())).collect();
    // An anchor that the library cannot use anchors nothing for it.
    let roots: Vec<_> = roots.iter().filter_map(|a| anchor_from_trusted_cert(a).ok()).collect();
    let above: Vec<_> = intermediates.iter().map(|c| CertificateDer::from(c.der())).collect();
    let der = CertificateDer::from(leaf.der());
    let seconds = u64::try_from(at).unwrap_or_default();
    let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    let leaf = EndEntityCert::try_from(&der).map_err(|e| refused(&e))?;
    leaf.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &roots, &above, time, usage, None, None)
        .map(drop)
        .map_err(|e| refused(&e))
}

fn reason(error: &WebPkiError) -> PathReason {
    match error {
        WebPkiError::CertExpired { .. } => PathReason::Expired,
        WebPkiError::CertNotValidYet { .. } => PathReason::NotYetValid,
        WebPkiError::NameConstraintViolation => PathReason::NameConstraints,
        WebPkiError::UnknownIssuer => PathReason::UnknownAuthority,
        WebPkiError::EndEntityUsedAsCa
        | WebPkiError::CaUsedAsEndEntity
        | WebPkiError::PathLenConstraintViolated => PathReason::NotAnAuthority,
        WebPkiError::UnsupportedCriticalExtension => PathReason::CriticalExtension,
        WebPkiError::InvalidSignatureForPublicKey => PathReason::BadSignature,
        WebPkiError::RequiredEkuNotFoundContext(_) => PathReason::KeyUsage,
        _ => PathReason::Malformed,
    }
}
