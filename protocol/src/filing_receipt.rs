//! What an enterprise or a citizen keeps of what it has filed: the agency's word under its seal, the document, and the proof that it
//! stands in the agency's ledger. Nothing else is needed to show it years later, and nobody is asked.

use chancery_certs::{AgencyName, Credential, SealError, SignerName};
use chancery_crypto::cbor;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{
    DocumentId, EnvelopeId, Event, Evidence, EvidenceVerifier, ProtocolError, ReceiptFault,
    SignedDocument, Validation, VerificationReport, verify_document_by,
};

/// The content type of a sealed [`FilingReceipt`].
const RECEIPT: &str = "application/vnd.chancery.filing-receipt+cbor";

/// What the file of a receipt says that it is.
const FILE: &str = "chancery-filing-receipt-1";

/// The most pieces of evidence in a file.
const MOST_EVIDENCE: usize = 16;

/// An agency's word that a document was filed with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilingReceipt {
    /// The agency.
    pub agency: AgencyName,
    /// The document.
    pub document: DocumentId,
    /// In which envelope it is kept.
    pub envelope: EnvelopeId,
    /// The entry of the agency's ledger.
    pub entry: u64,
    /// The time of that entry, in seconds since 1970 UTC: it was filed then.
    pub time: i64,
    /// Whether nobody but the agency has the document yet: what the agency loses then, only its party can show.
    #[serde(default)]
    pub one_copy: bool,
}

impl FilingReceipt {
    /// Puts the agency's seal under it, at `now` in seconds since 1970 UTC.
    ///
    /// # Errors
    /// [`ProtocolError::Crypto`] when sealing fails.
    pub fn seal(&self, by: &Credential, now: i64) -> Result<Vec<u8>, ProtocolError> {
        Ok(chancery_certs::seal(RECEIPT, self, by, now)?)
    }
}

/// The file that a party keeps. Nothing in it is verified yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilingReceiptFile {
    kind: String,
    /// The sealed [`FilingReceipt`].
    statement: ByteBuf,
    /// The document, with its signatures.
    document: ByteBuf,
    /// The proofs of entries.
    evidence: Vec<ByteBuf>,
}

impl FilingReceiptFile {
    /// A file of its pieces.
    pub fn new(statement: Vec<u8>, document: Vec<u8>, evidence: Vec<Vec<u8>>) -> Self {
        Self {
            kind: FILE.to_owned(),
            statement: statement.into(),
            document: document.into(),
            evidence: evidence.into_iter().map(ByteBuf::from).collect(),
        }
    }

    /// Its bytes: deterministic CBOR.
    ///
    /// # Errors
    /// [`ProtocolError::Crypto`] when it is too large.
    pub fn encode(&self) -> Result<Vec<u8>, ProtocolError> {
        Ok(cbor::encode(self)?)
    }

    /// Reads what [`FilingReceiptFile::encode`] gave.
    ///
    /// # Errors
    /// [`ProtocolError`] when the bytes are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProtocolError> {
        let file: Self = cbor::decode_open(bytes, cbor::MAX_BYTES)?;
        if file.kind != FILE || file.evidence.len() > MOST_EVIDENCE {
            return Err(ReceiptFault::SomethingElse.into());
        }
        Ok(file)
    }

    /// Verifies the agency's word, the document and the proofs, offline. What is said of the document beside it stands in the report;
    /// that it holds says its indication.
    ///
    /// # Errors
    /// [`ProtocolError`] when the word is not the agency's, or of another document, or no entry proves it.
    pub fn verify(
        &self,
        by: &Validation<'_>,
    ) -> Result<(FilingReceipt, VerificationReport), ProtocolError> {
        let document = SignedDocument::decode(&self.document)?;
        let opened =
            chancery_certs::open_sealed::<FilingReceipt>(RECEIPT, &self.statement, &by.scrutiny())?;
        let receipt = opened.value;
        if opened.signer != SignerName::Agency(receipt.agency.clone()) {
            let (want, found) = (receipt.agency.to_string(), opened.signer.to_string());
            return Err(SealError::Signer { want, found }.into());
        }
        let home = document.header().filing.as_ref().map(|filing| &filing.home);
        if receipt.document != document.id() || home != Some(&receipt.agency) {
            return Err(ReceiptFault::SomethingElse.into());
        }
        let mut report = verify_document_by(&document, by);
        // Its parts are with whoever has filed them; here they are not looked at, and that is said.
        document.header().parts.iter().for_each(|part| report.check_part(part, None));
        let verifier = EvidenceVerifier::new(by);
        let mut proved = false;
        for bytes in &self.evidence {
            let evidence = Evidence::decode(bytes)?;
            let found = report.check_evidence(&evidence, &verifier);
            proved |= evidence.agency == receipt.agency
                && found.is_some_and(|found| {
                    let leaf = &found.leaf;
                    (found.index, leaf.time) == (receipt.entry, receipt.time)
                        && (leaf.event, leaf.envelope)
                            == (Event::SubmissionAcceptance, receipt.envelope)
                });
        }
        match proved {
            true => Ok((receipt, report)),
            false => Err(ReceiptFault::NoEntry.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use chancery_certs::{Assurance, Subject};
    use chancery_crypto::{Commitment, Digest};

    use super::*;
    use crate::{
        Checkpoint, DocumentHeader, Filing, Indication, Leaf, Receipt, commit_to_document,
        document::tests::{NOW, World, credential, header, world},
        merkle, sign_document,
    };

    const FIRM: &str = "91350100m000100y43@party.gov.cn";

    fn firm(world: &World) -> Credential {
        let name = FIRM.parse().expect("a name");
        credential(&world.root, &Subject::party(name, "某公司", Assurance::Program))
    }

    fn filed() -> DocumentHeader {
        let filing = Filing {
            home: "a.gov.cn".parse().expect("a name"),
            act: "application/apply".into(),
            about: None,
            seen: None,
            reason: None,
            version: None,
            until: NOW + 3600,
            behalf: None,
        };
        let from = "party.gov.cn".parse().expect("a name");
        let base = header(&[]);
        let header = DocumentHeader {
            from,
            to: Vec::new(),
            cc: Vec::new(),
            module: "licence".into(),
            filing: Some(filing),
            ..base
        };
        DocumentHeader { crit: header.critical(), ..header }
    }

    /// What a node with the seal of `a.gov.cn` gives of a document.
    fn given(world: &World, document: &SignedDocument) -> (FilingReceipt, Evidence) {
        let salt = Digest::of(b"salt");
        let envelope = EnvelopeId::from_slice(&[7; 32]).expect("32 bytes");
        let agency: AgencyName = "a.gov.cn".parse().expect("a name");
        let leaf = Leaf {
            event: Event::SubmissionAcceptance,
            envelope,
            commitment: commit_to_document(&salt, &document.id()),
            counterpart: agency.clone(),
            time: NOW,
            evidence: None,
        };
        let leaf = leaf.encode().expect("encodes");
        let root = merkle::leaf_hash(&leaf);
        let checkpoint = Checkpoint { origin: "a.gov.cn/ledger".into(), size: 1, root };
        let receipt = Receipt {
            leaf,
            index: 0,
            proof: Vec::new(),
            checkpoint: checkpoint.sign(&world.seal).expect("signs"),
            cose: Some(checkpoint.sign_cose(&world.seal).expect("signs").into()),
        };
        let chain = world.seal.chain().iter().map(|c| c.der().to_vec().into()).collect();
        let evidence = Evidence { agency: agency.clone(), receipt, chain, salt: Some(salt) };
        let document = document.id();
        let receipt =
            FilingReceipt { agency, document, envelope, entry: 0, time: NOW, one_copy: true };
        (receipt, evidence)
    }

    fn file(
        world: &World,
        receipt: &FilingReceipt,
        document: &SignedDocument,
        evidence: &Evidence,
    ) -> FilingReceiptFile {
        let sealed = receipt.seal(&world.seal, NOW).expect("seals");
        let evidence = vec![evidence.encode().expect("encodes")];
        FilingReceiptFile::new(sealed, document.bytes().to_vec(), evidence)
    }

    #[test]
    fn what_a_party_keeps_shows_offline_what_it_has_filed_and_when() {
        let world = world();
        let document = sign_document(&filed(), &firm(&world), Commitment::Approval, NOW);
        let document = document.expect("signs");
        // The agency's seal stands beside it, as its node puts it there.
        let document = document.add_signature(&world.seal, Commitment::Origin, NOW).expect("signs");
        let (receipt, evidence) = given(&world, &document);
        let by = Validation::new(&world.trust, NOW);
        let bytes = file(&world, &receipt, &document, &evidence).encode().expect("encodes");
        let read = FilingReceiptFile::decode(&bytes).expect("reads");
        let (said, report) = read.verify(&by).expect("holds");
        assert_eq!(said, receipt);
        assert!(said.one_copy);
        assert_eq!(report.indication, Indication::TotalPassed, "{report:?}");
        let signer = report.signatures[0].signer.as_ref().expect("it is named");
        assert!(matches!(signer, SignerName::Party(name) if name.as_str() == FIRM));
    }

    #[test]
    fn a_receipt_of_something_else_or_by_somebody_else_shows_nothing() {
        let world = world();
        let sign = |header: &DocumentHeader| {
            sign_document(header, &firm(&world), Commitment::Approval, NOW).expect("signs")
        };
        let document = sign(&filed());
        let other = sign(&DocumentHeader { nonce: Digest::of(b"other"), ..filed() });
        let (receipt, evidence) = given(&world, &document);
        let by = Validation::new(&world.trust, NOW);
        let good = file(&world, &receipt, &document, &evidence);
        good.verify(&by).expect("holds");
        for bad in [
            // Another document, another time, another entry, and none.
            file(&world, &receipt, &other, &evidence),
            file(&world, &FilingReceipt { time: NOW - 1, ..receipt.clone() }, &document, &evidence),
            file(&world, &FilingReceipt { entry: 1, ..receipt.clone() }, &document, &evidence),
            FilingReceiptFile { evidence: Vec::new(), ..good.clone() },
            // The word of the party itself.
            FilingReceiptFile {
                statement: receipt.seal(&firm(&world), NOW).expect("seals").into(),
                ..good.clone()
            },
        ] {
            bad.verify(&by).expect_err("it does not hold");
        }
        // A proof of another document beside the right words.
        let (_, wrong) = given(&world, &other);
        let bad = file(&world, &receipt, &document, &wrong);
        bad.verify(&by).expect_err("it does not hold");
    }

    #[test]
    fn a_partys_signature_makes_no_letter_of_its_registrar() {
        let world = world();
        let letter =
            DocumentHeader { from: "party.gov.cn".parse().expect("a name"), ..header(&[]) };
        let document = sign_document(&letter, &firm(&world), Commitment::Approval, NOW);
        let by = Validation::new(&world.trust, NOW);
        let report = verify_document_by(&document.expect("signs"), &by);
        assert_eq!(report.indication, Indication::Indeterminate, "{report:?}");
    }
}
