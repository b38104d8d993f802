//! A document with the verdict on it, which only verification makes.

use std::{ops::Deref, sync::Arc};

use chancery_certs::Crl;
use chancery_crypto::{Digest, Hasher};

use crate::{
    Indication, VerificationReport,
    document::{DocumentHeader, DocumentId, SignedDocument},
    validation::{Validation, verify_document_by},
};

/// The revocation lists that a verifier holds, and what they are known by: the SHA-256 of the digests of their DER forms, sorted,
/// so that the same lists have the same digest in whatever order they came.
#[derive(Debug, Clone)]
pub struct Lists {
    crls: Arc<[Crl]>,
    digest: Digest,
}

impl Default for Lists {
    fn default() -> Self {
        Self::from(Vec::new())
    }
}

impl From<Vec<Crl>> for Lists {
    fn from(crls: Vec<Crl>) -> Self {
        let mut digests: Vec<_> = crls.iter().map(|crl| Digest::of(crl.der())).collect();
        digests.sort_unstable_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
        digests.dedup();
        let mut hasher = Hasher::new();
        digests.iter().for_each(|digest| hasher.update(digest.as_bytes()));
        Self { crls: crls.into(), digest: hasher.finish() }
    }
}

impl Deref for Lists {
    type Target = [Crl];

    fn deref(&self) -> &[Crl] {
        &self.crls
    }
}

impl Lists {
    /// What they are known by.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

/// A document, and the verdict that verification gave on it: when, and by which lists.
#[derive(Debug, Clone)]
pub struct JudgedDocument {
    document: SignedDocument,
    report: VerificationReport,
    at: i64,
    lists: Digest,
}

impl JudgedDocument {
    /// Verifies a document by what a validation says, with these lists.
    pub fn judge(document: SignedDocument, by: &Validation<'_>, lists: &Lists) -> Self {
        let by = Validation { crls: lists, ..*by };
        let report = verify_document_by(&document, &by);
        Self { document, report, at: by.at, lists: lists.digest }
    }

    /// The verdict.
    pub fn report(&self) -> &VerificationReport {
        &self.report
    }

    /// The document, whatever the verdict.
    pub fn document(&self) -> &SignedDocument {
        &self.document
    }

    /// The document and the verdict, apart: to be shown.
    pub fn into_parts(self) -> (SignedDocument, VerificationReport) {
        (self.document, self.report)
    }

    /// The document as one that may have an effect.
    ///
    /// # Errors
    /// Itself, when the verdict is not TOTAL-PASSED.
    pub fn passed(self) -> Result<VerifiedDocument, Box<Self>> {
        match self.report.indication {
            Indication::TotalPassed => Ok(VerifiedDocument(self)),
            _ => Err(Box::new(self)),
        }
    }
}

/// A document whose verdict is TOTAL-PASSED. There is no other way to one than [`JudgedDocument::passed`], so whatever takes one need
/// not ask, and cannot forget to.
#[derive(Debug, Clone)]
pub struct VerifiedDocument(JudgedDocument);

impl VerifiedDocument {
    /// The document.
    pub fn document(&self) -> &SignedDocument {
        &self.0.document
    }

    /// Its header.
    pub fn header(&self) -> &DocumentHeader {
        self.0.document.header()
    }

    /// Its id.
    pub fn id(&self) -> DocumentId {
        self.0.document.id()
    }

    /// The verdict, with all signatures.
    pub fn report(&self) -> &VerificationReport {
        &self.0.report
    }

    /// The time of validation, in seconds since 1970 UTC.
    pub fn at(&self) -> i64 {
        self.0.at
    }

    /// The digest of the revocation lists by which it was judged; see [`Lists`].
    pub fn lists(&self) -> &Digest {
        &self.0.lists
    }

    /// The document alone: what is written of it from here on is no longer what was verified.
    pub fn into_document(self) -> SignedDocument {
        self.0.document
    }
}

#[cfg(test)]
mod tests {
    use chancery_certs::{AgencyName, Credential, Issuer, Subject, TrustStore};
    use chancery_crypto::{Algorithm, Commitment, SigningKey};

    use super::*;
    use crate::{Urgency, sign_document};

    const NOW: i64 = 1_790_000_000;

    fn header() -> DocumentHeader {
        let agency = |name: &str| name.parse::<AgencyName>().expect("a name");
        DocumentHeader {
            kind: "通知".into(),
            number: None,
            title: "t".into(),
            from: agency("a.gov.cn"),
            to: vec![agency("b.gov.cn")],
            cc: Vec::new(),
            classification: None,
            secrecy_period: None,
            nonce: Digest::of(b"nonce"),
            urgency: Urgency::Routine,
            created: NOW,
            deadline: None,
            in_reply_to: None,
            module: "official-documents".into(),
            fields: Default::default(),
            crit: Vec::new(),
            filing: None,
            form: Default::default(),
            parts: Vec::new(),
        }
    }

    #[test]
    fn only_what_passes_becomes_verified_and_says_when_and_by_which_lists() {
        let root = Issuer::new_root("Root", &[], Algorithm::EdDsa, NOW).expect("a root");
        let key = SigningKey::generate(Algorithm::EdDsa).expect("random bytes");
        let officer = "li@a.gov.cn".parse().expect("a name");
        let subject = Subject::officer(officer, "Li");
        let certificate = root.issue(&subject, &key.public_key(), NOW).expect("a certificate");
        let li = Credential::new(key, vec![certificate]).expect("fits");
        let document = sign_document(&header(), &li, Commitment::Approval, NOW).expect("signed");
        let trust = TrustStore::new([root.certificate().clone()]).expect("an anchor");
        let by = Validation::new(&trust, NOW + 5);
        let none = Lists::default();
        let verified =
            JudgedDocument::judge(document.clone(), &by, &none).passed().expect("passes");
        assert_eq!((verified.at(), verified.lists()), (NOW + 5, none.digest()));
        assert_eq!(verified.id(), document.id());

        // By others it does not pass, and what was judged is given back.
        let other = Issuer::new_root("Other", &[], Algorithm::EdDsa, NOW).expect("a root");
        let strangers = TrustStore::new([other.certificate().clone()]).expect("an anchor");
        let by = Validation::new(&strangers, NOW + 5);
        let judged = JudgedDocument::judge(document.clone(), &by, &none).passed();
        let judged = judged.expect_err("nobody that is believed has certified him");
        assert_ne!(judged.report().indication, Indication::TotalPassed);
        assert_eq!(judged.document().id(), document.id());
    }

    #[test]
    fn the_same_lists_have_the_same_digest_in_any_order() {
        let list = |name: &str| {
            let ca = Issuer::new_root(name, &[], Algorithm::EdDsa, NOW).expect("a root");
            Crl::from_der(&ca.crl(&[], 1, NOW, NOW + 86_400).expect("a list")).expect("a list")
        };
        let (one, two) = (list("One"), list("Two"));
        let lists = |crls: &[&Crl]| {
            let crls: Vec<_> = crls.iter().map(|crl| (*crl).clone()).collect();
            *Lists::from(crls).digest()
        };
        assert_eq!(lists(&[&one, &two]), lists(&[&two, &one, &two]));
        assert_ne!(lists(&[&one, &two]), lists(&[&one]));
        assert_ne!(lists(&[]), lists(&[&one]));
    }
}
