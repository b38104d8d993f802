//! What is decided upon, and nothing else: no clock, disk, randomness or setting.

use chancery_protocol::{DocumentHeader, DocumentId, Filing, Form, VerifiedDocument};

use crate::{civil::Instant, kernel::Salt, record::Facts};

/// A document that is to be decided upon.
#[derive(Debug, Clone)]
pub struct Input {
    /// When it is decided.
    pub at: Instant,
    /// When it was lodged, by whoever has to prove that. Rules on being in time go by it.
    pub lodged: Instant,
    /// Whose ledger decides.
    pub home: String,
    /// Random bytes of whoever keeps the record: what is written is committed to under them.
    pub salt: Salt,
    /// What others than the kernel found. That of the form is found by the kernel's host, by [`crate::Kernel::judge_form`].
    pub facts: Facts,
    /// The document.
    pub document: Document,
}

/// Somebody who has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The officer, or the agency.
    pub name: String,
    /// The agency.
    pub agency: String,
}

impl Signer {
    /// Somebody by his name: an officer of the agency behind the `@`, or an agency.
    pub(crate) fn named(name: &str) -> Self {
        let agency = name.split_once('@').map_or(name, |(_, agency)| agency);
        Self { name: name.to_owned(), agency: agency.to_owned() }
    }
}

/// What the kernel knows of a document.
#[derive(Debug, Clone)]
pub struct Document {
    /// Which one.
    pub id: DocumentId,
    /// Its header.
    pub header: DocumentHeader,
    /// Who has signed it, in order.
    pub signers: Vec<Signer>,
    /// The bytes of the part that its type reads.
    pub part: Option<Vec<u8>>,
}

impl Document {
    /// A verified document, with the bytes of the part that its type reads.
    pub fn of(document: &VerifiedDocument, part: Option<Vec<u8>>) -> Self {
        let signatures = document.report().signatures.iter();
        let named = signatures.filter_map(|signature| signature.signer.as_ref());
        let signers = named
            .map(|signer| Signer { name: signer.to_string(), agency: signer.agency().to_string() });
        Self {
            id: document.id(),
            header: document.header().clone(),
            signers: signers.collect(),
            part,
        }
    }

    /// What it says of where it belongs.
    pub fn filing(&self) -> Option<&Filing> {
        self.header.filing.as_ref()
    }

    pub(crate) fn form(&self) -> &Form {
        &self.header.form
    }
}
