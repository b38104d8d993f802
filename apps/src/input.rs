//! What is decided upon, and nothing else: no clock, disk, randomness or setting.

use chancery_certs::{PartyKind, PartyName, SignerName};
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
    /// The agency; empty of a party, who is of none.
    pub agency: String,
}

impl Signer {
    /// Somebody as a certificate names him.
    pub fn of(name: &SignerName) -> Self {
        let agency = match name {
            // The domain behind the @ is its registrar's, who keeps the names and has nothing to do with its matters.
            SignerName::Party(_) => String::new(),
            SignerName::Agency(agency) => agency.to_string(),
            SignerName::Officer(officer) => officer.agency().to_string(),
        };
        Self { name: name.to_string(), agency }
    }

    /// Somebody by his name: a party, an officer of the agency behind the `@`, or an agency. Only parties are named as they are.
    pub(crate) fn named(name: &str) -> Self {
        if name.parse::<PartyName>().is_ok() {
            return Self::party(name);
        }
        let agency = name.split_once('@').map_or(name, |(_, agency)| agency);
        Self { name: name.to_owned(), agency: agency.to_owned() }
    }

    pub(crate) fn party(name: &str) -> Self {
        Self { name: name.to_owned(), agency: String::new() }
    }

    /// Whether it is an enterprise or a citizen.
    pub fn is_party(&self) -> bool {
        self.agency.is_empty() && !self.name.is_empty()
    }

    /// Of which kind a party is.
    pub(crate) fn kind(&self) -> Option<PartyKind> {
        self.name.parse::<PartyName>().ok().filter(|_| self.is_party()).map(|name| name.kind())
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
        let signers = named.map(Signer::of);
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

    /// In whose name it is: that of whoever has signed it first, or of the party for whom he acts; of what comes from elsewhere that of
    /// the agency, whoever has signed it there.
    pub(crate) fn signer(&self) -> Signer {
        if self.is_from_elsewhere() {
            return Signer::named(self.header.from.as_str());
        }
        match self.filing().and_then(|filing| filing.behalf.as_ref()) {
            Some(behalf) => Signer::party(behalf.party.as_str()),
            None => self.hand(),
        }
    }

    /// Who has signed it first.
    pub(crate) fn hand(&self) -> Signer {
        let nobody = || Signer { name: String::new(), agency: String::new() };
        self.signers.first().cloned().unwrap_or_else(nobody)
    }
}
