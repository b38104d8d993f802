//! Alternative names of every kind, and the subtrees that bind them (RFC 5280 §4.2.1.6, §4.2.1.10).

use std::net::IpAddr;

use x509_parser::extensions::GeneralName as Parsed;

use crate::{
    GeneralNameFault, SubtreeFault,
    distinguished::DistinguishedName,
    encoding::{self, tlv},
    oid::ObjectId,
};

/// A GeneralName. What is never compared is kept as the content that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GeneralName {
    /// otherName: its type, and all that follows.
    Other(ObjectId, Vec<u8>),
    Email(String),
    Dns(String),
    X400(Vec<u8>),
    Directory(DistinguishedName),
    Edi(Vec<u8>),
    Uri(String),
    /// An address of 4 or 16 octets; in a constraint, an address and its mask. Other lengths mean nothing.
    Ip(Vec<u8>),
    Registered(ObjectId),
}

/// The kinds of names, as constraints tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameKind {
    Email,
    Dns,
    Directory,
    Uri,
    Ip,
    /// What is read, and compared with nothing.
    Other(u8),
}

impl NameKind {
    /// The kind's name in RFC 5280.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Email => "rfc822Name",
            Self::Dns => "dNSName",
            Self::Directory => "directoryName",
            Self::Uri => "uniformResourceIdentifier",
            Self::Ip => "iPAddress",
            Self::Other(0) => "otherName",
            Self::Other(3) => "x400Address",
            Self::Other(5) => "ediPartyName",
            Self::Other(_) => "registeredID",
        }
    }
}

impl GeneralName {
    /// Takes over what the parser read. Whether it is all that stood there shows when it is encoded again.
    pub(crate) fn read(name: &Parsed<'_>) -> Result<Self, &'static str> {
        let ascii = |text: &str| {
            if text.is_ascii() { Ok(text.to_owned()) } else { Err("a name in it is not ASCII") }
        };
        let oid = |oid: &[u8]| ObjectId::new(oid).ok_or("an object identifier in it is none");
        Ok(match name {
            Parsed::OtherName(kind, value) => Self::Other(oid(kind.as_bytes())?, value.to_vec()),
            Parsed::RFC822Name(text) => Self::Email(ascii(text)?),
            Parsed::DNSName(text) => Self::Dns(ascii(text)?),
            Parsed::X400Address(any) => Self::X400(any.data.to_vec()),
            Parsed::DirectoryName(name) => {
                let name = DistinguishedName::read(name);
                Self::Directory(name.ok_or("a directoryName in it is not DER")?)
            }
            Parsed::EDIPartyName(any) => Self::Edi(any.data.to_vec()),
            Parsed::URI(text) => Self::Uri(ascii(text)?),
            Parsed::IPAddress(octets) => Self::Ip(octets.to_vec()),
            Parsed::RegisteredID(id) => Self::Registered(oid(id.as_bytes())?),
            Parsed::Invalid(..) => {
                return Err("a name in it is of no kind that there is, or not of its kind");
            }
        })
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Other(kind, value) => {
                let kind = tlv(encoding::OBJECT_ID, kind.as_bytes());
                tlv(0xa0, &[kind.as_slice(), value].concat())
            }
            Self::Email(text) => tlv(0x81, text.as_bytes()),
            Self::Dns(text) => tlv(0x82, text.as_bytes()),
            Self::X400(content) => tlv(0xa3, content),
            Self::Directory(name) => tlv(0xa4, name.der()),
            Self::Edi(content) => tlv(0xa5, content),
            Self::Uri(text) => tlv(0x86, text.as_bytes()),
            Self::Ip(octets) => tlv(0x87, octets),
            Self::Registered(id) => tlv(0x88, id.as_bytes()),
        }
    }

    pub(crate) fn kind(&self) -> NameKind {
        match self {
            Self::Other(..) => NameKind::Other(0),
            Self::Email(_) => NameKind::Email,
            Self::Dns(_) => NameKind::Dns,
            Self::X400(_) => NameKind::Other(3),
            Self::Directory(_) => NameKind::Directory,
            Self::Edi(_) => NameKind::Other(5),
            Self::Uri(_) => NameKind::Uri,
            Self::Ip(_) => NameKind::Ip,
            Self::Registered(_) => NameKind::Other(8),
        }
    }

    /// For people.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Email(text) => format!("email:{text}"),
            Self::Dns(text) => format!("dns:{text}"),
            Self::Uri(text) => format!("uri:{text}"),
            Self::Directory(name) => format!("directory:{}", name.shown()),
            Self::Ip(octets) => address(octets).map_or_else(
                || format!("ip:{}", subtree_shown(octets)),
                |address| format!("ip:{address}"),
            ),
            Self::Other(kind, _) => format!("otherName {kind}"),
            Self::Registered(id) => format!("registeredID {id}"),
            Self::X400(_) | Self::Edi(_) => self.kind().name().to_owned(),
        }
    }

    /// Why it is no name of its kind, in the words of RFC 5280 §4.2.1.6, if so.
    pub(crate) fn fault(&self) -> Option<GeneralNameFault> {
        match self {
            Self::Email(text) => (!is_mailbox(text)).then_some(GeneralNameFault::Mailbox),
            Self::Dns(text) => {
                let host = text.strip_prefix("*.").unwrap_or(text);
                (!is_host(host)).then_some(GeneralNameFault::Dns)
            }
            Self::Uri(text) => {
                let scheme = text.split_once(':').filter(|(scheme, rest)| {
                    let mut scheme = scheme.chars();
                    let starts = scheme.next().is_some_and(|c| c.is_ascii_alphabetic());
                    starts
                        && scheme.all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
                        && !rest.is_empty()
                });
                let plain = text.bytes().all(|b| b.is_ascii_graphic());
                (scheme.is_none() || !plain).then_some(GeneralNameFault::Uri)
            }
            Self::Ip(octets) => address(octets).is_none().then_some(GeneralNameFault::Ip),
            Self::Directory(name) => name.is_empty().then_some(GeneralNameFault::Directory),
            _ => None,
        }
    }

    /// Why it is no subtree (RFC 5280 §4.2.1.10), if so.
    pub(crate) fn subtree_fault(&self) -> Option<SubtreeFault> {
        let host = |text: &str| text.is_empty() || is_host(text);
        match self {
            Self::Email(text) if text.contains('@') => {
                (!is_mailbox(text)).then_some(SubtreeFault::Mailbox)
            }
            Self::Email(text) | Self::Uri(text) => {
                let bare = text.strip_prefix('.').unwrap_or(text);
                (!is_host(bare)).then_some(SubtreeFault::Host)
            }
            Self::Dns(text) => (!host(text)).then_some(SubtreeFault::Dns),
            Self::Ip(octets) => (!is_range(octets)).then_some(SubtreeFault::Ip),
            _ => None,
        }
    }

    /// Whether a name lies in this subtree. `None` when that cannot be said: the name is none of its kind, or
    /// the subtree is of a kind that is not judged here.
    pub(crate) fn holds(&self, name: &Self) -> Option<bool> {
        match (self, name) {
            (Self::Directory(base), Self::Directory(name)) => name.lies_within(base),
            (Self::Dns(base), Self::Dns(name)) => {
                // What a wildcard stands for lies where the rest of it does.
                let name = name.strip_prefix("*.").unwrap_or(name);
                loose_host(name).then(|| host_within(name, base))
            }
            (Self::Email(base), Self::Email(name)) => {
                let (local, host) = mailbox(name)?;
                Some(match base.split_once('@') {
                    Some((own, at)) => own == local && at.eq_ignore_ascii_case(host),
                    None => match base.strip_prefix('.') {
                        Some(domain) => host_below(host, domain),
                        None => host.eq_ignore_ascii_case(base),
                    },
                })
            }
            (Self::Uri(base), Self::Uri(name)) => {
                let host = uri_host(name)?;
                Some(match base.strip_prefix('.') {
                    Some(domain) => host_below(host, domain),
                    None => host.eq_ignore_ascii_case(base),
                })
            }
            (Self::Ip(range), Self::Ip(octets)) => {
                address(octets)?;
                if !matches!(range.len(), 8 | 32) {
                    return None;
                }
                // An IPv4 address may be written as an IPv6 one (RFC 4291 §2.5.5.2) and is the same host.
                let octets = unmapped(octets);
                let (base, mask) = range.split_at(range.len() / 2);
                let (base, mask) = match (unmapped(base), mask.split_at(mask.len() - 4)) {
                    (v4, ([0xff, 0xff, .., 0xff], last)) if v4.len() < base.len() => (v4, last),
                    _ => (base, mask),
                };
                let same =
                    octets.iter().zip(base.iter().zip(mask)).all(|(o, (b, m))| o & m == b & m);
                Some(octets.len() == base.len() && same)
            }
            _ => None,
        }
    }

    /// Whether a name could stand for one in this subtree, though it does not lie in it: a wildcard whose
    /// place is taken by the first label of the subtree.
    pub(crate) fn touches(&self, name: &Self) -> bool {
        let (Self::Dns(base), Self::Dns(name)) = (self, name) else { return false };
        let parent = base.split_once('.').map(|(_, parent)| parent);
        name.strip_prefix("*.").zip(parent).is_some_and(|(n, p)| n.eq_ignore_ascii_case(p))
    }
}

/// The address that 4 or 16 octets are.
pub(crate) fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
}

/// The four octets of an IPv4 address that is written as an IPv6 one, and all others as they are.
fn unmapped(octets: &[u8]) -> &[u8] {
    match octets {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, v4 @ ..] if v4.len() == 4 => v4,
        _ => octets,
    }
}

fn subtree_shown(octets: &[u8]) -> String {
    let (base, mask) = octets.split_at(octets.len() / 2);
    match address(base).zip(address(mask)) {
        Some((base, mask)) => format!("{base}/{mask}"),
        None => hex::encode(octets),
    }
}

fn is_range(octets: &[u8]) -> bool {
    let (base, mask) = octets.split_at(octets.len() / 2);
    let ones: u32 = mask.iter().map(|octet| octet.leading_ones()).sum();
    let set: u32 = mask.iter().map(|octet| octet.count_ones()).sum();
    // All ones of the mask stand in front.
    let leading = mask.iter().flat_map(|o| (0..8).rev().map(move |bit| o >> bit & 1));
    let prefix = leading.take_while(|bit| *bit == 1).count();
    let inside = base.iter().zip(mask).all(|(base, mask)| base & !mask == 0);
    matches!(octets.len(), 8 | 32) && ones == set && prefix == set as usize && inside
}

/// A host name in the preferred syntax (RFC 1034 §3.5 as RFC 1123 has it).
pub(crate) fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// Labels that are not empty, and nothing that a reader could take for something else.
fn loose_host(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// Whether a host is `domain` or lies below it.
fn host_within(host: &str, domain: &str) -> bool {
    match domain.strip_prefix('.') {
        // RFC 5280 does not have it; where it is read, it means what it means for mailboxes.
        Some(domain) => host_below(host, domain),
        None => domain.is_empty() || host.eq_ignore_ascii_case(domain) || host_below(host, domain),
    }
}

fn host_below(host: &str, domain: &str) -> bool {
    let split = host.len().checked_sub(domain.len() + 1).filter(|at| *at > 0);
    let end = split.and_then(|at| host.get(at..));
    end.and_then(|end| end.strip_prefix('.')).is_some_and(|end| end.eq_ignore_ascii_case(domain))
}

/// Local part and host of a mailbox, when it is clear which is which.
fn mailbox(text: &str) -> Option<(&str, &str)> {
    let (local, host) = text.split_once('@')?;
    let plain = |b: u8| b.is_ascii_graphic() && !b"\"(),:;<>[\\]@".contains(&b);
    let fits = !local.is_empty() && local.len() <= 64 && local.bytes().all(plain);
    (fits && loose_host(host)).then_some((local, host))
}

fn is_mailbox(text: &str) -> bool {
    mailbox(text)
        .is_some_and(|(local, host)| is_host(host) && local.split('.').all(|atom| !atom.is_empty()))
}

/// The host of a URI, when it has one and that is a name.
fn uri_host(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    // More than one @ means different hosts to different readers.
    let host = match authority.split_once('@') {
        Some((_, host)) if !host.contains('@') => host,
        Some(_) => return None,
        None => authority,
    };
    let host = match host.split_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        Some(_) => return None,
        None => host,
    };
    (loose_host(host) && host.parse::<IpAddr>().is_err()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_lies_in_a_subtree_or_does_not_or_cannot_be_judged() {
        let dns = |text: &str| GeneralName::Dns(text.into());
        let email = |text: &str| GeneralName::Email(text.into());
        let uri = |text: &str| GeneralName::Uri(text.into());
        let ip = |octets: &[u8]| GeneralName::Ip(octets.to_vec());
        let mapped = |v4: [u8; 4]| {
            let mut octets = [0; 16];
            octets[10..12].fill(0xff);
            octets[12..].copy_from_slice(&v4);
            octets
        };
        let mut eight = [0xff; 16];
        eight[13..].fill(0);
        for (base, name, want) in [
            (dns("zj.gov.cn"), dns("zj.gov.cn"), Some(true)),
            (dns("zj.gov.cn"), dns("a.ZJ.gov.cn"), Some(true)),
            (dns("zj.gov.cn"), dns("*.zj.gov.cn"), Some(true)),
            (dns("zj.gov.cn"), dns("xzj.gov.cn"), Some(false)),
            (dns("zj.gov.cn"), dns("gov.cn"), Some(false)),
            (dns(""), dns("a.b"), Some(true)),
            (dns("zj.gov.cn"), dns("d.js.gov.cn\0.zj.gov.cn"), None),
            (dns("zj.gov.cn"), dns(".zj.gov.cn"), None),
            (dns("zj.gov.cn"), dns("a.zj.gov.cn."), None),
            (email("zj.gov.cn"), email("li@zj.gov.cn"), Some(true)),
            (email("zj.gov.cn"), email("li@a.zj.gov.cn"), Some(false)),
            (email(".zj.gov.cn"), email("li@a.zj.gov.cn"), Some(true)),
            (email(".zj.gov.cn"), email("li@zj.gov.cn"), Some(false)),
            (email("li@zj.gov.cn"), email("li@ZJ.gov.cn"), Some(true)),
            (email("li@zj.gov.cn"), email("Li@zj.gov.cn"), Some(false)),
            (email("zj.gov.cn"), email("li@js.gov.cn@zj.gov.cn"), None),
            (email("zj.gov.cn"), email("\"li@js.gov.cn\"@zj.gov.cn"), None),
            (uri("a.b"), uri("https://a.b:8/x"), Some(true)),
            (uri(".b"), uri("https://u@a.b"), Some(true)),
            (uri("a.b"), uri("https://c.d/@a.b"), Some(false)),
            (uri("a.b"), uri("https://c.d@x@a.b"), None),
            (uri("a.b"), uri("urn:x"), None),
            (ip(&[10, 0, 0, 0, 255, 0, 0, 0]), ip(&[10, 1, 2, 3]), Some(true)),
            (ip(&[10, 0, 0, 0, 255, 0, 0, 0]), ip(&[11, 1, 2, 3]), Some(false)),
            (ip(&[10, 0, 0, 0, 255, 0, 0, 0]), ip(&[0; 16]), Some(false)),
            (ip(&[10, 0, 0, 0, 255, 0, 0, 0]), ip(&mapped([10, 1, 2, 3])), Some(true)),
            (ip(&[10, 0, 0, 0, 255, 0, 0, 0]), ip(&mapped([11, 1, 2, 3])), Some(false)),
            (ip(&[mapped([10, 0, 0, 0]), eight].concat()), ip(&[10, 1, 2, 3]), Some(true)),
            (ip(&[mapped([10, 0, 0, 0]), eight].concat()), ip(&mapped([10, 9, 9, 9])), Some(true)),
            (ip(&[mapped([10, 0, 0, 0]), eight].concat()), ip(&[11, 1, 2, 3]), Some(false)),
            (ip(&[[0; 16], [0; 16]].concat()), ip(&[0; 16]), Some(true)),
            (ip(&[10, 0, 0, 0, 255, 0, 0, 0]), ip(&[10, 0, 0, 0, 255, 0, 0, 0]), None),
        ] {
            assert_eq!(base.holds(&name), want, "{base:?} {name:?}");
        }
        assert!(dns("bar.b.c").touches(&dns("*.b.c")) && !dns("bar.b.c").touches(&dns("*.c")));
        assert!(is_range(&[10, 0, 0, 0, 255, 0, 0, 0]) && is_range(&[0; 8]));
        assert!(!is_range(&[10, 0, 0, 0, 0, 255, 0, 0]) && !is_range(&[10, 0, 0, 1, 255, 0, 0, 0]));
        for bad in ["a_b.cn", "-a.cn", "a..cn", "", "*.a.cn", "a.cn."] {
            assert!(!is_host(bad), "{bad}");
        }
    }
}
