//! The names that a certificate is asked for (RFC 9525), among those that path validation has checked.

use crate::{Certificate, PathError, PathFault, PathReason, Purpose, path::path_error};

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
        SubjectName::Dns(name) => leaf.dns_names().iter().any(|n| n.eq_ignore_ascii_case(name)),
        SubjectName::Ip(address) => leaf.ips().contains(address),
        SubjectName::Email(name) => leaf.emails().iter().any(|n| same_mailbox(n, name)),
    };
    if found {
        return Ok(());
    }
    let (who, name) = (leaf.subject().to_owned(), name.to_string());
    Err(path_error(PathReason::NameMismatch, PathFault::OtherName { who, name }))
}

/// RFC 9525 §6.3: a wildcard is a whole label, the first, and stands for one label.
fn serves(leaf: &Certificate, name: &str) -> bool {
    let matches = |own: &String| match own.strip_prefix("*.") {
        Some(rest) => name.split_once('.').is_some_and(|(first, parent)| {
            !first.is_empty() && parent.contains('.') && parent.eq_ignore_ascii_case(rest)
        }),
        None => own.eq_ignore_ascii_case(name),
    };
    leaf.dns_names().iter().any(matches)
}

/// The part before the @ as it stands, the host in any case (RFC 5280 §7.5).
fn same_mailbox(left: &str, right: &str) -> bool {
    match (left.rsplit_once('@'), right.rsplit_once('@')) {
        (Some((l, left)), Some((r, right))) => l == r && left.eq_ignore_ascii_case(right),
        _ => false,
    }
}
