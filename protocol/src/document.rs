use std::{collections::BTreeMap, collections::BTreeSet, fmt, str::FromStr};

use chancery_certs::{AgencyName, Credential, PartyName};
use chancery_crypto::{
    Commitment, CoseSign, Digest, Hasher, MAX_RECEIPTS, SignatureAt, UnsignedElement, cbor,
};
use serde::{Deserialize, Serialize};

use crate::{
    Classification, Form, FormValue, HeaderFault, HeaderLine, MAX_FORM, ProtocolError,
    SecrecyLevel,
    asic::EntryName,
    classification::level_of,
    text::{check_line, check_lines},
};

/// The media type of a signed document header.
pub(crate) const DOCUMENT: &str = "application/vnd.chancery.document+cbor";

/// The most parts in a document.
const MAX_PARTS: usize = 1000;
/// The most recipients of a document: an envelope's header with a wrapped key for each must fit a
/// frame between nodes.
pub(crate) const MAX_RECIPIENTS: usize = 2000;
/// The longest text in a header field, in bytes.
const MAX_TEXT: usize = 4096;

/// The identity of a document: the SHA-256 of its deterministic header. Same id, same document.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DocumentId(Digest);

impl DocumentId {
    /// The digest.
    pub fn digest(&self) -> &Digest {
        &self.0
    }

    /// An id from its 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Digest::from_slice(bytes).map(Self)
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DocumentId({})", self.0)
    }
}

impl FromStr for DocumentId {
    type Err = ProtocolError;

    fn from_str(text: &str) -> Result<Self, ProtocolError> {
        let digest = Digest::from_hex(text);
        digest.map(Self).ok_or_else(|| refuse(HeaderFault::NoId { given: text.to_owned() }))
    }
}

/// How urgent a document is (紧急程度).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Urgency {
    /// 平件.
    #[default]
    Routine,
    /// 加急.
    Urgent,
    /// 特急.
    Flash,
}

impl Urgency {
    /// Its name in headers and interfaces.
    pub fn name(self) -> &'static str {
        match self {
            Self::Routine => "routine",
            Self::Urgent => "urgent",
            Self::Flash => "flash",
        }
    }

    /// The priority of a stream that carries it; larger goes first.
    pub fn priority(self) -> i32 {
        match self {
            Self::Routine => 0,
            Self::Urgent => 1,
            Self::Flash => 2,
        }
    }
}

/// A part of a document, covered by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// A plain file name.
    pub name: String,
    /// The media type.
    pub media_type: String,
    /// The length in bytes.
    pub size: u64,
    /// The digest of the bytes.
    #[serde(rename = "sha-256")]
    pub digest: Digest,
}

/// Where an act on what a module keeps belongs. It is decided there and then, or not at all: in this ledger, on this thing, until
/// this moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filing {
    /// Whose ledger decides it.
    pub home: AgencyName,
    /// The act: `case/act`.
    pub act: String,
    /// The thing; none of an act that opens one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// How many decisions the thing had seen when its signer saw it, if it rests on that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<u64>,
    /// Why, where a reason must be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The digest of the module's folder by which it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Digest>,
    /// Until when it may be lodged, in seconds since 1970 UTC.
    pub until: i64,
    /// For whom its signer acts, if not for himself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behalf: Option<Behalf>,
}

/// For whom an act is done that another signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Behalf {
    /// The enterprise or citizen.
    pub party: PartyName,
    /// As what whoever signs acts.
    #[serde(rename = "as")]
    pub how: Hand,
}

/// As what somebody acts for a party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hand {
    /// By a power of attorney.
    Agent,
    /// As its guardian.
    Guardian,
    /// As an officer who helps: the party stands beside him.
    Assisted,
}

impl Hand {
    /// All that there are.
    pub const ALL: [Self; 3] = [Self::Agent, Self::Guardian, Self::Assisted];

    /// Its name in headers and interfaces.
    pub fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Guardian => "guardian",
            Self::Assisted => "assisted",
        }
    }
}

/// What is signed. Unknown fields of a header from a newer version are ignored on reading, but the
/// bytes that were signed are kept, so they stay part of what the signatures cover. Fields that its `crit` lists must be
/// known: see [`cbor::decode_open`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentHeader {
    /// The document type: 通知, 函, …
    #[serde(rename = "type")]
    pub kind: String,
    /// The registry number: 浙司〔2026〕12号.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// The title.
    pub title: String,
    /// The sending agency.
    pub from: AgencyName,
    /// The main recipients (主送).
    pub to: Vec<AgencyName>,
    /// The copies (抄送).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cc: Vec<AgencyName>,
    /// How secret it is (密级): 内部, 秘密, 机密 or 绝密. Others may have written it otherwise; see [`DocumentHeader::level`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classification: Option<String>,
    /// For how long, or until when, it is secret (保密期限): `10年`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrecy_period: Option<String>,
    /// The urgency.
    #[serde(default)]
    pub urgency: Urgency,
    /// When it was made, in seconds since 1970 UTC.
    pub created: i64,
    /// Until when it wants an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<i64>,
    /// The document that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_reply_to: Option<DocumentId>,
    /// The application module that its type belongs to.
    pub module: String,
    /// The form of the type.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
    /// Fields without which it cannot be understood: a reader that does not know one of them refuses it. See
    /// [`DocumentHeader::critical`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crit: Vec<String>,
    /// Of an act on what a module keeps: where it belongs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filing: Option<Filing>,
    /// The form of its type, as the type's schema has it.
    #[serde(default, skip_serializing_if = "Form::is_empty")]
    pub form: Form,
    /// The parts, in order.
    #[serde(default)]
    pub parts: Vec<Part>,
    /// Random bytes that keep two documents with the same words apart.
    pub nonce: Digest,
}

fn refuse(fault: HeaderFault) -> ProtocolError {
    ProtocolError::Header(fault)
}

impl DocumentHeader {
    /// All recipients, each once, `to` before `cc`. An internal document names none: it is for those who decide it.
    pub fn recipients(&self) -> Vec<&AgencyName> {
        let mut seen = BTreeSet::new();
        let home = self.filing.iter().filter(|_| self.is_internal()).map(|filing| &filing.home);
        self.to.iter().chain(&self.cc).chain(home).filter(|name| seen.insert(*name)).collect()
    }

    /// Whether it goes to nobody: an act within the agency, for its own ledger.
    pub fn is_internal(&self) -> bool {
        self.to.is_empty() && self.cc.is_empty() && self.filing.is_some()
    }

    /// Whose envelope it goes in: the sending agency's. What is filed goes nowhere, and is put into one by whose ledger decides it,
    /// whoever has signed it.
    pub fn sender(&self) -> &AgencyName {
        match &self.filing {
            Some(filing) if self.is_internal() => &filing.home,
            _ => &self.from,
        }
    }

    /// Which of its fields are critical: without them, it would say something else.
    pub fn critical(&self) -> Vec<String> {
        let form = (!self.form.is_empty()).then_some("form");
        let filing = self.filing.as_ref().map(|_| "filing");
        filing.into_iter().chain(form).map(str::to_owned).collect()
    }

    /// The bytes of all parts together.
    pub fn parts_size(&self) -> u64 {
        self.parts.iter().map(|part| part.size).sum()
    }

    /// How secret it is held to be here: what is written in a way that nobody knows is as secret as can be.
    pub fn level(&self) -> SecrecyLevel {
        level_of(self.classification.as_deref(), self.secrecy_period.as_deref())
    }

    /// How secret it is, and for how long, as it is written over it; nothing when it is not classified.
    pub fn marking(&self) -> String {
        let said = self.classification.as_deref().unwrap_or_default();
        match (said.parse::<Classification>(), &self.secrecy_period) {
            (Ok(known), Some(term)) => {
                Classification { term: Some(term.clone()), ..known }.to_string()
            }
            (Ok(known), None) => known.to_string(),
            (Err(_), Some(term)) => format!("{said}★{term}"),
            (Err(_), None) => said.to_owned(),
        }
    }

    /// The classification and secrecy period of a document that answers this one: the same, as they are written here.
    pub fn classification_of_answer(&self) -> (Option<String>, Option<String>) {
        let said = self.classification.as_deref().unwrap_or_default();
        let known = said.parse::<Classification>().unwrap_or_default();
        let known = Classification { level: self.level(), ..known };
        let level = known.level_field();
        let with = |term: &String| known.clone().with_term(term).ok().and_then(|known| known.term);
        (level, self.secrecy_period.as_ref().and_then(with).or(known.term))
    }

    /// Checks what is not asked of headers that were signed before: that all of it is seen by whoever reads it, and that
    /// its classification is one that there is. It is asked where a document is made, signed first, or sent.
    ///
    /// # Errors
    /// [`ProtocolError::Header`] or [`ProtocolError::Classification`], naming the text.
    pub fn check_new(&self) -> Result<(), ProtocolError> {
        self.check()?;
        let line = |line: HeaderLine, text: &str| {
            let wrong = |fault| HeaderFault::Line { line, text: text.to_owned(), fault };
            check_line(text).map_err(|fault| refuse(wrong(fault)))
        };
        line(HeaderLine::Type, &self.kind)?;
        line(HeaderLine::Title, &self.title)?;
        line(HeaderLine::Module, &self.module)?;
        self.number.iter().try_for_each(|number| line(HeaderLine::Number, number))?;
        for (name, value) in &self.fields {
            line(HeaderLine::Field, name)?;
            let (name, text) = (name.clone(), value.clone());
            let wrong = |fault| refuse(HeaderFault::Field { name, value: text, fault });
            check_lines(value).map_err(wrong)?;
        }
        let mut wrong = None;
        let filed = self.filing.iter().flat_map(|filing| {
            [
                ("act", Some(&filing.act)),
                ("about", filing.about.as_ref()),
                ("reason", filing.reason.as_ref()),
            ]
        });
        for (name, text) in filed.filter_map(|(name, text)| Some((name, text?))) {
            if let Err(fault) = check_lines(text) {
                wrong = Some((format!("filing/{name}"), text.clone(), fault));
            }
        }
        FormValue::Map(self.form.clone()).texts("form", &mut |at, text| {
            if let Err(fault) = check_lines(text) {
                wrong = Some((at.to_owned(), text.to_owned(), fault));
            }
        });
        if let Some((name, value, fault)) = wrong {
            return Err(refuse(HeaderFault::Field { name, value, fault }));
        }
        self.parts.iter().try_for_each(|part| line(HeaderLine::MediaType, &part.media_type))?;
        self.check_new_names()?;
        if let Some(said) = &self.classification {
            let known: Classification = said.parse()?;
            self.secrecy_period.iter().try_for_each(|term| known.clone().with_term(term).map(drop))
        } else if let Some(term) = &self.secrecy_period {
            Classification::default().with_term(term).map(drop)
        } else {
            Ok(())
        }
    }

    /// All that is asked of the names of new parts: a part's name is a line that people read, and the name of a file that can
    /// go into a container, and come out of it, as itself and as no other part.
    fn check_new_names(&self) -> Result<(), ProtocolError> {
        let mut keys = BTreeSet::new();
        for part in &self.parts {
            let own = || part.name.clone();
            check_line(&part.name)
                .map_err(|fault| refuse(HeaderFault::PartLine { part: own(), fault }))?;
            let name = EntryName::of_part(&part.name);
            let name = name.map_err(|_| refuse(HeaderFault::PartName { part: own() }))?;
            if !keys.insert(name.key()) {
                return Err(refuse(HeaderFault::PartTwin { part: own() }));
            }
        }
        Ok(())
    }

    /// A form, and where it belongs, are critical wherever they stand, and no larger than may be.
    fn check_form(&self) -> Result<(), ProtocolError> {
        if let Some(field) = self.critical().into_iter().find(|field| !self.crit.contains(field)) {
            return Err(refuse(HeaderFault::NotCritical { field }));
        }
        if !self.form.is_empty() && cbor::encode(&self.form)?.len() > MAX_FORM {
            return Err(refuse(HeaderFault::FormLength { most: MAX_FORM }));
        }
        let texts =
            self.filing.iter().flat_map(|f| [Some(&f.act), f.about.as_ref(), f.reason.as_ref()]);
        if texts.flatten().any(|text| text.len() > MAX_TEXT) {
            return Err(refuse(HeaderFault::TextLength { most: MAX_TEXT }));
        }
        Ok(())
    }

    fn check(&self) -> Result<(), ProtocolError> {
        if self.to.is_empty() && !self.is_internal() {
            return Err(refuse(HeaderFault::NoRecipient));
        }
        self.check_form()?;
        if self.to.len() + self.cc.len() > MAX_RECIPIENTS {
            return Err(refuse(HeaderFault::Recipients { most: MAX_RECIPIENTS }));
        }
        if self.parts.len() > MAX_PARTS {
            return Err(refuse(HeaderFault::Parts { most: MAX_PARTS }));
        }
        let optional = optional_lines(self);
        let fields = self.fields.iter().flat_map(|(name, value)| [name, value]);
        let texts = [&self.kind, &self.title, &self.module].into_iter().chain(optional);
        if texts.chain(fields).any(|text| text.len() > MAX_TEXT) {
            return Err(refuse(HeaderFault::TextLength { most: MAX_TEXT }));
        }
        // These are shown on one line, to people, on terminals.
        let lines = [&self.kind, &self.title, &self.module].into_iter().chain(optional_lines(self));
        if lines.flat_map(|text| text.chars()).any(misleading) {
            return Err(refuse(HeaderFault::Misleading));
        }
        let mut names = BTreeSet::new();
        for part in &self.parts {
            check_part_name(&part.name)?;
            if !names.insert(&part.name) {
                return Err(refuse(HeaderFault::PartTwice { part: part.name.clone() }));
            }
        }
        let total = self.parts.iter().try_fold(0u64, |sum, part| sum.checked_add(part.size));
        // Far above any content, far below where lengths in bytes overflow.
        if total.is_none_or(|total| total > 1 << 56) {
            return Err(refuse(HeaderFault::PartsSize));
        }
        Ok(())
    }
}

fn optional_lines(header: &DocumentHeader) -> impl Iterator<Item = &String> {
    [&header.number, &header.classification, &header.secrecy_period].into_iter().flatten()
}

/// Characters that make a line say something else than it holds: controls (which also steer
/// terminals) and the overrides of writing direction (Unicode Standard Annex 9).
fn misleading(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// A part is written to disk under its name, so the name must not lead elsewhere.
fn check_part_name(name: &str) -> Result<(), ProtocolError> {
    let separators = |c: char| c == '/' || c == '\\' || misleading(c);
    if name.is_empty() || name.len() > 255 || name.starts_with('.') || name.contains(separators) {
        return Err(refuse(HeaderFault::PartName { part: name.to_owned() }));
    }
    Ok(())
}

/// A document with its signatures: decoded and well-formed, not yet verified.
#[derive(Debug, Clone)]
pub struct SignedDocument {
    bytes: Vec<u8>,
    id: DocumentId,
    header: DocumentHeader,
    cose: CoseSign,
}

impl SignedDocument {
    /// Decodes the COSE_Sign structure around a document header.
    ///
    /// # Errors
    /// [`ProtocolError`], saying what is not acceptable.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProtocolError> {
        let cose = CoseSign::decode(bytes)?;
        if cose.content_type() != DOCUMENT {
            return Err(refuse(HeaderFault::ContentType { found: cose.content_type().to_owned() }));
        }
        let header: DocumentHeader = cbor::decode_open(cose.payload(), cbor::MAX_BYTES)?;
        header.check()?;
        let id = DocumentId(Digest::of(cose.payload()));
        Ok(Self { bytes: bytes.to_vec(), id, header, cose })
    }

    /// The document's identity.
    pub fn id(&self) -> DocumentId {
        self.id
    }

    /// The header.
    pub fn header(&self) -> &DocumentHeader {
        &self.header
    }

    /// The COSE_Sign structure.
    pub fn cose(&self) -> &CoseSign {
        &self.cose
    }

    /// The encoded structure.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same document with a countersignature of signature `index` (RFC 9338).
    ///
    /// # Errors
    /// [`ProtocolError::Crypto`] when there is no such signature or signing fails.
    pub fn countersign(
        self,
        index: usize,
        by: &Credential,
        now: i64,
    ) -> Result<Self, ProtocolError> {
        let attributes = by.attributes(Commitment::Countersignature, now);
        let cose = self.cose.countersign(index, by.key(), attributes)?;
        Self::decode(&cose.encode()?)
    }

    /// The same document with an element added to a signature's unsigned headers.
    ///
    /// # Errors
    /// [`ProtocolError::Crypto`] when there is no such signature or it is full.
    pub fn add_unsigned(
        self,
        at: SignatureAt,
        element: &UnsignedElement,
    ) -> Result<Self, ProtocolError> {
        let cose = self.cose.add_unsigned(at, element)?;
        Self::decode(&cose.encode()?)
    }

    /// The same document with the COSE receipts of ledgers (RFC 9942 §2) in place of those that it carries;
    /// of more than [`MAX_RECEIPTS`], the first.
    ///
    /// # Errors
    /// [`ProtocolError::Crypto`] never in practice; the form is plain.
    pub fn with_receipts(self, mut receipts: Vec<Vec<u8>>) -> Result<Self, ProtocolError> {
        receipts.truncate(MAX_RECEIPTS);
        Self::decode(&self.cose.with_receipts(receipts)?.encode()?)
    }

    /// How many CAdES signatures came along with the signatures before one: its own has that number.
    pub fn cades_before(&self, at: SignatureAt) -> usize {
        let (SignatureAt::Signature(index) | SignatureAt::Countersignature(index, _)) = at;
        let before = self.cose.signatures().iter().take(index).flat_map(|s| &s.unsigned);
        before.filter(|element| matches!(element, UnsignedElement::Cades(_))).count()
    }

    /// Every signature and countersignature.
    pub fn signatures(&self) -> Vec<SignatureAt> {
        let signatures = self.cose.signatures().iter().enumerate();
        let all = signatures.flat_map(|(index, signature)| {
            let counters = 0..signature.countersignatures.len();
            std::iter::once(SignatureAt::Signature(index))
                .chain(counters.map(move |counter| SignatureAt::Countersignature(index, counter)))
        });
        all.collect()
    }

    /// The same document with one more signature.
    ///
    /// # Errors
    /// [`ProtocolError::Crypto`] when signing fails.
    pub fn add_signature(
        self,
        by: &Credential,
        commitment: Commitment,
        now: i64,
    ) -> Result<Self, ProtocolError> {
        let cose = self.cose.add_signature(by.key(), by.attributes(commitment, now))?;
        let bytes = cose.encode()?;
        Ok(Self { bytes, cose, ..self })
    }
}

/// Signs a new document.
///
/// # Errors
/// [`ProtocolError::Header`] when the header is not acceptable, [`ProtocolError::Crypto`] when
/// signing fails.
pub fn sign_document(
    header: &DocumentHeader,
    by: &Credential,
    commitment: Commitment,
    now: i64,
) -> Result<SignedDocument, ProtocolError> {
    header.check_new()?;
    let builder = CoseSign::builder(DOCUMENT, cbor::encode(header)?);
    let bytes = by.sign(builder, commitment, now)?.encode()?;
    SignedDocument::decode(&bytes)
}

/// The deterministic bytes of a header that is not signed yet, and back.
pub mod unsigned_header {
    use super::{DocumentHeader, ProtocolError, cbor};

    /// The bytes whose digest will be the document id.
    ///
    /// # Errors
    /// [`ProtocolError::Header`] when the header is not acceptable.
    pub fn encode(header: &DocumentHeader) -> Result<Vec<u8>, ProtocolError> {
        header.check_new()?;
        Ok(cbor::encode(header)?)
    }

    /// Reads what [`encode`] wrote.
    ///
    /// # Errors
    /// [`ProtocolError`], saying what is not acceptable.
    pub fn decode(bytes: &[u8]) -> Result<DocumentHeader, ProtocolError> {
        let header: DocumentHeader = cbor::decode_open(bytes, cbor::MAX_BYTES)?;
        header.check()?;
        Ok(header)
    }
}

/// The salted commitment to a document that ledgers and envelopes show in its place: SHA-256 of
/// the salt and the document id. Without the salt it says nothing.
pub fn commit_to_document(salt: &Digest, document: &DocumentId) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(salt.as_bytes());
    hasher.update(document.digest().as_bytes());
    hasher.finish()
}

#[cfg(test)]
pub(crate) mod tests {
    use chancery_certs::{Issuer, Profile, Subject, TrustStore};
    use chancery_crypto::{Algorithm, SigningKey};

    use super::*;

    pub(crate) const NOW: i64 = 1_790_000_000;

    /// A root and two signers of `a.gov.cn`: an officer and the seal.
    pub(crate) struct World {
        pub trust: TrustStore,
        pub root: Issuer,
        pub officer: Credential,
        pub seal: Credential,
    }

    pub(crate) fn credential(root: &Issuer, subject: &Subject) -> Credential {
        let key = SigningKey::generate(Algorithm::Es256).expect("random bytes");
        let cert = root.issue(subject, &key.public_key(), NOW).expect("issues");
        Credential::new(key, vec![cert, root.certificate().clone()]).expect("fits")
    }

    pub(crate) fn world() -> World {
        let domain = "gov.cn".parse().expect("a name");
        let root = Issuer::new_root("Root", &[domain], Algorithm::EdDsa, NOW).expect("a root");
        let officer = Subject::officer("li@a.gov.cn".parse().expect("a name"), "李");
        let officer = credential(&root, &officer);
        let seal = Subject::agency(Profile::Seal, "a.gov.cn".parse().expect("a name"), "A");
        let seal = credential(&root, &seal);
        let trust = TrustStore::new([root.certificate().clone()]).expect("an anchor");
        World { trust, root, officer, seal }
    }

    pub(crate) fn header(parts: &[(&str, &[u8])]) -> DocumentHeader {
        let part = |(name, bytes): &(&str, &[u8])| Part {
            name: (*name).to_owned(),
            media_type: "text/plain".into(),
            size: bytes.len() as u64,
            digest: Digest::of(bytes),
        };
        DocumentHeader {
            kind: "通知".into(),
            number: None,
            title: "A title".into(),
            from: "a.gov.cn".parse().expect("a name"),
            to: vec!["b.gov.cn".parse().expect("a name")],
            cc: vec!["c.gov.cn".parse().expect("a name"), "b.gov.cn".parse().expect("a name")],
            classification: None,
            secrecy_period: None,
            urgency: Urgency::Routine,
            created: NOW,
            deadline: None,
            in_reply_to: None,
            module: "official-documents".into(),
            fields: BTreeMap::new(),
            crit: Vec::new(),
            filing: None,
            form: Default::default(),
            parts: parts.iter().map(part).collect(),
            nonce: Digest::of(b"nonce"),
        }
    }

    #[test]
    fn a_second_signature_leaves_the_id_and_the_first_as_they_are() {
        let world = world();
        let first =
            sign_document(&header(&[]), &world.officer, Commitment::Approval, NOW).expect("signs");
        let id = first.id();
        let both = first.add_signature(&world.seal, Commitment::Origin, NOW).expect("signs");
        assert_eq!(both.id(), id);
        assert_eq!(both.cose().signatures().len(), 2);
        let recipients: Vec<_> = both.header().recipients().iter().map(|r| r.as_str()).collect();
        assert_eq!(recipients, ["b.gov.cn", "c.gov.cn"]);
    }

    #[test]
    fn part_names_that_lead_elsewhere_or_stand_twice_are_refused() {
        let world = world();
        let sign = |parts: &[(&str, &[u8])]| {
            sign_document(&header(parts), &world.officer, Commitment::Approval, NOW)
        };
        for name in ["../x", "a/b", "a\\b", "", ".hidden", "a\0b", "a\nb", "a\u{202e}fdp.exe"] {
            assert!(matches!(sign(&[(name, b"")]), Err(ProtocolError::Header(_))), "{name:?}");
        }
        assert!(sign(&[("a", b""), ("a", b"")]).is_err());
        for title in ["a\u{1b}[2Jb", "a\nb", "\u{202e}cba"] {
            let header = DocumentHeader { title: title.into(), ..header(&[]) };
            let signed = sign_document(&header, &world.officer, Commitment::Approval, NOW);
            assert!(matches!(signed, Err(ProtocolError::Header(_))), "{title:?}");
        }
        assert!(sign(&[("决定.pdf", b""), ("附件 1.xlsx", b"")]).is_ok());
        assert!(sign(&[("家👨\u{200d}👩\u{200d}👧.png", b""), ("芦\u{e0100}田.pdf", b"")]).is_ok());
        // Each of these is refused by one of the two rules alone: that of lines, and that of files in containers.
        for names in
            [&["a\u{e000}.txt"][..], &["a\u{a0}b.txt"], &["A.txt", "a.txt"], &["a.txt", "a.txt."]]
        {
            let parts: Vec<_> = names.iter().map(|name| (*name, &b""[..])).collect();
            let signed = sign(&parts);
            assert!(matches!(signed, Err(ProtocolError::Header(_))), "{names:?}: {signed:?}");
        }
    }

    #[test]
    fn what_is_not_seen_or_not_known_is_not_signed_and_what_was_signed_is_read() {
        let world = world();
        let with = |change: fn(&mut DocumentHeader)| {
            let mut header = header(&[("a.txt", b"")]);
            change(&mut header);
            header
        };
        for bad in [
            with(|h| h.title = " ".into()),
            with(|h| h.title = "A\u{200b}".into()),
            with(|h| h.number = Some("　".into())),
            with(|h| h.kind = "通\u{2060}知".into()),
            with(|h| h.parts[0].name = "a\u{200f}.txt".into()),
            with(|h| drop(h.fields.insert("note".into(), "\u{1b}[2J".into()))),
            with(|h| h.classification = Some("机秘".into())),
            with(|h| h.secrecy_period = Some("10年".into())),
            with(|h| {
                h.classification = Some("机密★10年".into());
                h.secrecy_period = Some("20年".into());
            }),
        ] {
            let signed = sign_document(&bad, &world.officer, Commitment::Approval, NOW);
            assert!(signed.is_err(), "{bad:?}");
            assert!(unsigned_header::encode(&bad).is_err(), "{bad:?}");
            // As one that was made before, or by others.
            let builder = CoseSign::builder(DOCUMENT, cbor::encode(&bad).expect("encodes"));
            let signed = world.officer.sign(builder, Commitment::Approval, NOW).expect("signs");
            let bytes = signed.encode().expect("encodes");
            match SignedDocument::decode(&bytes) {
                Ok(read) => assert_eq!(*read.header(), bad),
                // Controls and directions were never read.
                Err(_) => assert!(format!("{bad:?}").contains("1b"), "{bad:?}"),
            }
        }
        let good = with(|h| {
            h.classification = Some("机密".into());
            h.secrecy_period = Some("10年".into());
            h.fields.insert("note".into(), "一\n二".into());
        });
        let signed = sign_document(&good, &world.officer, Commitment::Approval, NOW);
        let header = signed.expect("signs").header().clone();
        assert_eq!(
            (header.level(), header.marking().as_str()),
            (SecrecyLevel::HighlySecret, "机密★10年")
        );
    }
}
