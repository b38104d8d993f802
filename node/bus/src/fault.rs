//! What exactly is wrong, where an error can have many reasons: values, whose sentences stand in `wording`.

use chancery_certs::AgencyName;
use chancery_protocol::{DocumentId, Finding};

/// Why a document of an own officer is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnacceptedFault {
    /// It is another agency's.
    OtherAgency {
        /// From whom it is.
        from: AgencyName,
        /// Whose node this is.
        own: AgencyName,
    },
    /// Nobody has signed it.
    Unsigned,
    /// An enterprise or a citizen has signed it, and it is to go to agencies: those file with modules.
    SendsNothing,
    /// It does not verify: what was found besides what holds.
    Unverified(Vec<Finding>),
    /// The agency is its own recipient.
    ToItself(AgencyName),
    /// The encryption key of a recipient is out of use.
    KeyEnded {
        /// Whose.
        agency: AgencyName,
        /// Its last second, since 1970 UTC.
        until: i64,
    },
    /// Numbers of copies would be too large.
    CopyNumbers,
    /// Sealed, it is larger than may be.
    TooLarge {
        /// Bytes.
        bytes: u64,
        /// The most.
        limit: u64,
    },
    /// It is an act that only the node itself does.
    OfTheNode,
    /// An act names no document.
    NamesNothing {
        /// The act.
        kind: String,
    },
    /// The document that an act names is not here for it.
    NotHere {
        /// The document.
        document: DocumentId,
        /// The act.
        kind: String,
    },
    /// A recipient of a withdrawal was not sent what is withdrawn.
    NotSent(AgencyName),
    /// An act goes to somebody else than the sender of what it is about.
    GoesElsewhere {
        /// The act.
        kind: String,
        /// To whom it goes.
        to: AgencyName,
    },
    /// A document is returned without a reason.
    NoReason,
    /// Another act took effect before.
    TookEffect {
        /// The act.
        kind: String,
        /// When, in seconds since 1970 UTC.
        time: i64,
    },
    /// Another act has just taken effect.
    JustTookEffect,
}
