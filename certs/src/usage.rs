//! What a certificate may be used for: key usage, extended key usage, and how the latter bounds those below.

use crate::{
    Certificate, PathError, PathFault, PathReason,
    oid::{ObjectId, known},
    path::path_error,
};

/// What a certificate is to be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A node in QUIC mutual TLS: digitalSignature, serverAuth and clientAuth.
    Node,
    /// A seal or an officer's signature: contentCommitment.
    Sign,
    /// A TLS server, by the rules of TLS libraries and the CA/Browser Forum: serverAuth, and a name
    /// among its alternative names (RFC 9525).
    Server,
    /// A TLS client: clientAuth.
    Client,
    /// A time-stamping authority: timeStamping alone, critical (RFC 3161 §2.3).
    TimeStamp,
    /// A CAdES signature of others: digitalSignature or contentCommitment, if it says anything.
    Cades,
    /// Any purpose: only the path itself is checked.
    Any,
}

/// Extended key usages under which documents are signed.
const DOCUMENTS: [&[u8]; 4] =
    [known::DOCUMENT_SIGNING, known::EMAIL_PROTECTION, known::MS_DOCUMENTS, known::ADOBE_DOCUMENTS];

/// Extended key usages of keys that a machine uses by itself.
const MACHINES: [&[u8]; 4] =
    [known::SERVER_AUTH, known::CODE_SIGNING, known::TIME_STAMPING, known::OCSP_SIGNING];

impl Purpose {
    /// The purpose in a word, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Sign => "sign",
            Self::Server => "server",
            Self::Client => "client",
            Self::TimeStamp => "timestamp",
            Self::Cades => "cades",
            Self::Any => "any",
        }
    }

    /// The extended key usages that must all be allowed for.
    fn all(self) -> &'static [&'static [u8]] {
        match self {
            Self::Node => &[known::SERVER_AUTH, known::CLIENT_AUTH],
            Self::Server => &[known::SERVER_AUTH],
            Self::Client => &[known::CLIENT_AUTH],
            Self::TimeStamp => &[known::TIME_STAMPING],
            Self::Sign | Self::Cades | Self::Any => &[],
        }
    }

    /// Whether a list of extended key usages allows for it. A list is all that a key may be used for, critical
    /// or not (RFC 5280 §4.2.1.12).
    fn allowed_by(self, list: &[ObjectId]) -> bool {
        let has = |id: &[u8]| list.iter().any(|usage| usage.is(id));
        if has(known::ANY_USAGE) {
            return true;
        }
        self.all().iter().all(|usage| has(usage))
            && (!matches!(self, Self::Sign | Self::Cades) || DOCUMENTS.into_iter().any(has))
    }
}

fn refused(leaf: &Certificate, usage: &'static str) -> PathError {
    let who = leaf.subject().to_owned();
    path_error(PathReason::KeyUsage, PathFault::NoUsage { who, usage })
}

/// Checks what a leaf itself says of its use.
pub(crate) fn check_purpose(
    leaf: &Certificate,
    purpose: Purpose,
    lenient: bool,
) -> Result<(), PathError> {
    let usages = leaf.key_usages();
    let usage = match purpose {
        Purpose::Any => return Ok(()),
        Purpose::TimeStamp => return check_time_stamping(leaf),
        Purpose::Node | Purpose::Client => "digitalSignature",
        // A server's RSA key may be for encipherment.
        Purpose::Server if usages.contains(&"keyEncipherment") => "keyEncipherment",
        Purpose::Server => "digitalSignature",
        Purpose::Cades if usages.contains(&"digitalSignature") => "digitalSignature",
        Purpose::Cades | Purpose::Sign => "contentCommitment",
    };
    // Certificates of others may leave key usage out, which allows every use; ours never do. A signature binds who made
    // it only under a certificate that says so, unless reading is lenient.
    let others = match purpose {
        Purpose::Server | Purpose::Client => true,
        Purpose::Cades => lenient,
        _ => false,
    };
    let unsaid = others && !leaf.0.has_key_usage;
    if !unsaid && !usages.contains(&usage) {
        return Err(refused(leaf, usage));
    }
    match &leaf.0.extensions.extended {
        None if purpose == Purpose::Node => return Err(refused(leaf, "serverAuth")),
        None => {}
        Some(extended) => {
            // Lenient reading takes a signer's list that is not critical for a hint.
            // What is for machines alone signs what its machine is told to, and nobody stands for it.
            let machines = MACHINES.into_iter().any(|id| extended.value.iter().any(|e| e.is(id)));
            let hint = lenient && !extended.critical && purpose == Purpose::Cades && !machines;
            if !hint && !purpose.allowed_by(&extended.value) {
                let wanted = match purpose {
                    Purpose::Client => "clientAuth",
                    Purpose::Sign | Purpose::Cades => "documentSigning or emailProtection",
                    _ if leaf.extended_key_usages().contains(&"serverAuth") => "clientAuth",
                    _ => "serverAuth",
                };
                return Err(refused(leaf, wanted));
            }
        }
    }
    if leaf.is_ca() {
        let who = leaf.subject().to_owned();
        return Err(path_error(PathReason::KeyUsage, PathFault::CaSigns { who }));
    }
    Ok(())
}

/// RFC 3161 §2.3: the key is for time-stamps and nothing else, and the certificate insists on it.
pub(crate) fn check_time_stamping(leaf: &Certificate) -> Result<(), PathError> {
    let only = leaf.extended_key_usages() == ["timeStamping"] && leaf.0.critical_extended_key_usage;
    let signs = |usage: &&str| matches!(*usage, "digitalSignature" | "contentCommitment");
    let usable = !leaf.0.has_key_usage || leaf.key_usages().iter().all(signs);
    if only && usable && !leaf.is_ca() {
        return Ok(());
    }
    let who = leaf.subject().to_owned();
    Err(path_error(PathReason::KeyUsage, PathFault::NoStamping { who }))
}

/// Extended key usage in a CA's certificate bounds those below it: for a purpose, every list on the way allows
/// for it; for none, something is left that all of them allow.
pub(crate) fn check_nesting(
    chain: &[&Certificate],
    anchor: &Certificate,
    purpose: Purpose,
) -> Result<(), PathError> {
    let Some((leaf, above)) = chain.split_first() else { return Ok(()) };
    let issuers = above.iter().copied().chain([anchor].into_iter().filter(|a| a != leaf));
    let list = |certificate: &Certificate| {
        certificate.0.extensions.extended.as_ref().map(|extended| extended.value.clone())
    };
    let mut left = list(leaf);
    for issuer in issuers {
        let Some(own) = list(issuer) else { continue };
        let any = |list: &[ObjectId]| list.iter().any(|usage| usage.is(known::ANY_USAGE));
        let both = match left {
            Some(list) if any(&own) => list,
            Some(list) if !any(&list) => {
                list.into_iter().filter(|usage| own.contains(usage)).collect()
            }
            _ => own.clone(),
        };
        if both.is_empty() || !purpose.allowed_by(&own) {
            let (who, above) = (leaf.subject().to_owned(), issuer.subject().to_owned());
            return Err(path_error(PathReason::KeyUsage, PathFault::UsageAbove { who, above }));
        }
        left = Some(both);
    }
    Ok(())
}
