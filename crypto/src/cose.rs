//! COSE_Sign (RFC 9052 §4.1) with x5chain (RFC 9360), as Chancery writes and reads it.
//!
//! The payload is attached; every signature has its own protected header with the algorithm, the
//! signer's chain, the claimed signing time (CWT claim `iat`, RFC 9597) and the commitment the
//! signer makes (`srCms`, after ETSI's JAdES and CB-AdES). What is added to a signature later stands
//! in its unprotected header: countersignatures (RFC 9338) and `uHeaders` (time-stamps, certificates,
//! revocation data). The whole structure is deterministic.

use std::borrow::Cow;

use coset::{
    AsCborValue as _, CborSerializable as _, CoseSignBuilder, CoseSignatureBuilder, HeaderBuilder,
    Label, ProtectedHeader, TaggedCborSerializable, cbor::value::Value, iana,
};

use crate::{
    Algorithm, CborError, CoseFault, CryptoError, Digest, Hasher, Many, PublicKey, SigningKey,
    Unknown, cbor,
};

/// The most signatures that one structure may hold.
const MAX_SIGNATURES: usize = 64;
/// The most CBOR items in one header. With all that may be added to a signature it has some two thousand.
const MAX_HEADER_ITEMS: usize = 8192;
/// The most certificates in one x5chain.
const MAX_CHAIN: usize = 8;
/// The most countersignatures of one signature.
const MAX_COUNTERSIGNATURES: usize = 16;
/// The most unsigned header elements of one signature.
const MAX_UNSIGNED: usize = 64;
/// The most time-stamps, and the most CRLs, that one structure may carry: each costs signature checks.
const MAX_MATERIAL: usize = 128;
/// The commitments header (IANA: srCms). Before it was registered it was written as a text.
const COMMITMENTS: i64 = 262;
const COMMITMENTS_TEXT: &str = "srCms";
/// Countersignature version 2 (RFC 9338 §3.1).
const COUNTERSIGNATURE: i64 = 11;
/// Receipts of transparency ledgers for the whole structure (RFC 9942 §2).
const RECEIPTS: i64 = 394;
/// The most receipts that one structure carries.
pub const MAX_RECEIPTS: usize = 64;
/// Ours, in the body's protected header: a map of what was added to a signed statement since its payload was fixed.
/// Readers of before ignore it, as they ignore every header parameter that is not critical, and it is signed.
const MORE: &str = "chancery-more";
/// The unsigned header elements of CB-AdES, in the order in which they were added (IANA: uHeaders).
const UNSIGNED_HEADERS: i64 = 268;

/// What a signer declares by signing: the commitment types of ETSI EN 319 122-1 §5.2.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commitment {
    /// The signer made, approved and sent it (proof of origin): an agency's seal.
    Origin,
    /// The signer received it (proof of receipt): 签收.
    Receipt,
    /// The signer approves its content (proof of approval): an officer.
    Approval,
    /// The signer made it, without approving or sending it (proof of creation).
    Creation,
    /// Ours: the signer confirms another's signature (会签, 核签).
    Countersignature,
}

impl Commitment {
    const ALL: [Self; 5] =
        [Self::Origin, Self::Receipt, Self::Approval, Self::Creation, Self::Countersignature];

    /// The commitment type's object identifier, as a URN (RFC 5126 §5.11.1), or a name of ours.
    pub fn urn(self) -> &'static str {
        match self {
            Self::Origin => "urn:oid:1.2.840.113549.1.9.16.6.1",
            Self::Receipt => "urn:oid:1.2.840.113549.1.9.16.6.2",
            Self::Approval => "urn:oid:1.2.840.113549.1.9.16.6.5",
            Self::Creation => "urn:oid:1.2.840.113549.1.9.16.6.6",
            Self::Countersignature => "urn:chancery:commitment:countersignature",
        }
    }

    /// The commitment in a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Origin => "origin",
            Self::Receipt => "receipt",
            Self::Approval => "approval",
            Self::Creation => "creation",
            Self::Countersignature => "countersignature",
        }
    }
}

/// The signed attributes of one signature.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProtectedAttributes {
    /// The signer's certificate first, then its issuers, DER, without the root.
    pub x5chain: Vec<Vec<u8>>,
    /// The time the signer claims, in seconds since 1970 UTC.
    pub signing_time: Option<i64>,
    /// What the signer declares.
    pub commitment: Option<Commitment>,
}

/// Something that was added to a signature after it was made, and that it does not cover: the
/// unsigned header elements of ETSI's JAdES and CB-AdES by their names there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnsignedElement {
    /// `sigTst`: RFC 3161 tokens over the signature value.
    SignatureTimeStamp(Vec<Vec<u8>>),
    /// `xVals`: certificates in DER.
    Certificates(Vec<Vec<u8>>),
    /// `rVals`: certificate revocation lists in DER.
    Crls(Vec<Vec<u8>>),
    /// `arcTst`: RFC 3161 tokens over everything before it; see [`CoseSign::archive_input`].
    ArchiveTimeStamp(Vec<Vec<u8>>),
    /// Ours, `cades`: the same signer's CAdES signature over the ASiC manifest of the same content.
    Cades(Vec<u8>),
    /// An element that is not known here; it is kept as it is.
    Unknown,
}

/// One signature of a [`CoseSign`], or a countersignature of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoseSignature {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The signed attributes.
    pub attributes: ProtectedAttributes,
    /// What was added later, in that order.
    pub unsigned: Vec<UnsignedElement>,
    /// Countersignatures of this signature; they have none of their own.
    pub countersignatures: Vec<CoseSignature>,
}

/// Which signature is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureAt {
    /// A signature, by its place.
    Signature(usize),
    /// A countersignature: the signature's place, and its own among that one's.
    Countersignature(usize, usize),
}

/// A decoded COSE_Sign structure. Decoding verifies nothing; see [`CoseSign::verify`].
#[derive(Debug, Clone)]
pub struct CoseSign {
    inner: coset::CoseSign,
    content_type: String,
    signatures: Vec<CoseSignature>,
    receipts: Vec<Vec<u8>>,
}

/// Critical parameters are what a newer version may not have passed over.
pub(crate) fn check_known(header: &coset::Header) -> Result<(), CryptoError> {
    let Some(first) = header.crit.first() else { return Ok(()) };
    let name = format!("{first:?}").chars().filter(|c| !c.is_control()).take(100).collect();
    Err(CborError::Newer(Unknown::Parameter { name }).into())
}

fn refuse(fault: CoseFault) -> CryptoError {
    CryptoError::Cose(fault)
}

fn other(error: impl std::fmt::Display) -> CryptoError {
    refuse(CoseFault::Other { detail: error.to_string() })
}

impl CoseSign {
    /// Starts a structure around a payload of a media type.
    pub fn builder(content_type: &str, payload: Vec<u8>) -> CoseBuilder {
        let protected = HeaderBuilder::new().content_type(content_type.to_owned()).build();
        CoseBuilder { inner: CoseSignBuilder::new().protected(protected).payload(payload).build() }
    }

    /// Decodes a tagged COSE_Sign (tag 98) in deterministic form.
    ///
    /// # Errors
    /// [`CryptoError::Cbor`] or [`CryptoError::Cose`], naming what is not acceptable. Critical
    /// header parameters that are not known here are refused; others are kept and ignored.
    pub fn decode(bytes: &[u8]) -> Result<Self, CryptoError> {
        Self::decode_within(bytes, cbor::MAX_BYTES)
    }

    /// As [`CoseSign::decode`], for what may be larger or must be smaller than [`cbor::MAX_BYTES`].
    ///
    /// # Errors
    /// As [`CoseSign::decode`].
    pub fn decode_within(bytes: &[u8], most: usize) -> Result<Self, CryptoError> {
        cbor::check_within(bytes, most)?;
        let inner = read(bytes)?;
        check_known(&inner.protected.header)?;
        let content_type = match &inner.protected.header.content_type {
            Some(coset::ContentType::Text(text)) => text.clone(),
            _ => return Err(refuse(CoseFault::NoContentType)),
        };
        if inner.payload.is_none() {
            return Err(refuse(CoseFault::Detached));
        }
        if inner.signatures.is_empty() {
            return Err(refuse(CoseFault::NoSignature));
        }
        let signatures = inner.signatures.iter().map(|s| read_signature(s, true));
        let signatures: Vec<CoseSignature> = signatures.collect::<Result<_, _>>()?;
        check_material(&signatures)?;
        let receipts = read_receipts(&inner.unprotected)?;
        Ok(Self { inner, content_type, signatures, receipts })
    }

    /// What stands beside the payload in the body's protected header, for readers that know of it: encoded, and signed
    /// like the payload.
    pub fn more(&self) -> Option<&[u8]> {
        let label = Label::Text(MORE.into());
        let found = self.inner.protected.header.rest.iter().find(|(l, _)| *l == label)?;
        found.1.as_bytes().map(Vec::as_slice)
    }

    /// The digest of all that every signature covers: of the CBOR array of the body's protected header and the payload.
    /// Signatures, and what was added to them, are not in it.
    ///
    /// # Errors
    /// [`CryptoError::Cose`] never for what was read.
    pub fn signed_digest(&self) -> Result<Digest, CryptoError> {
        let mut out = Vec::new();
        cbor::push_head(&mut out, 4, 2);
        cbor::push_bytes(&mut out, &protected_bytes(&self.inner.protected)?);
        cbor::push_head(&mut out, 2, self.payload().len() as u64);
        let mut hasher = Hasher::new();
        hasher.update(&out);
        hasher.update(self.payload());
        Ok(hasher.finish())
    }

    /// The receipts (RFC 9942 §2) that ledgers gave for the structure, each a COSE_Sign1; no signature covers
    /// them.
    pub fn receipts(&self) -> &[Vec<u8>] {
        &self.receipts
    }

    /// The same structure with these receipts in place of those that it has.
    ///
    /// # Errors
    /// [`CryptoError::TooMany`] for more than [`MAX_RECEIPTS`].
    pub fn with_receipts(mut self, receipts: Vec<Vec<u8>>) -> Result<Self, CryptoError> {
        if receipts.is_empty() {
            self.inner.unprotected.rest.retain(|(l, _)| *l != Label::Int(RECEIPTS));
        } else {
            let list = receipts.into_iter().map(Value::Bytes).collect();
            put(&mut self.inner.unprotected, RECEIPTS, Value::Array(list))?;
        }
        Self::decode(&self.encode()?)
    }

    /// The media type of the payload.
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// The payload's bytes, as they were signed.
    pub fn payload(&self) -> &[u8] {
        // Without one, it would not have been read.
        self.inner.payload.as_deref().unwrap_or_default()
    }

    /// The signatures, in the order in which they were made.
    pub fn signatures(&self) -> &[CoseSignature] {
        &self.signatures
    }

    /// Verifies signature `index` under a key.
    ///
    /// # Errors
    /// [`CryptoError::BadSignature`], [`CryptoError::AlgorithmMismatch`], or
    /// [`CryptoError::Cose`] when there is no such signature.
    pub fn verify(&self, index: usize, key: &PublicKey) -> Result<(), CryptoError> {
        self.verify_at(SignatureAt::Signature(index), key)
    }

    /// Verifies a signature or countersignature (RFC 9338 §3.3) under a key.
    ///
    /// # Errors
    /// As [`CoseSign::verify`].
    pub fn verify_at(&self, at: SignatureAt, key: &PublicKey) -> Result<(), CryptoError> {
        let read = self.read_at(at)?;
        let target = self.raw(match at {
            SignatureAt::Signature(index) | SignatureAt::Countersignature(index, _) => index,
        })?;
        match at {
            SignatureAt::Signature(_) => {
                let signed = signed_data(&self.inner, target)?;
                key.verify(read.algorithm, &signed, &target.signature)
            }
            SignatureAt::Countersignature(_, counter) => {
                let raw = counters_of(target)?.into_iter().nth(counter).ok_or_else(missing)?;
                key.verify(read.algorithm, &countersign_data(target, &raw)?, &raw.signature)
            }
        }
    }

    /// A signature or countersignature as it was read.
    ///
    /// # Errors
    /// [`CryptoError::Cose`] when there is no such one.
    pub fn read_at(&self, at: SignatureAt) -> Result<&CoseSignature, CryptoError> {
        let found = match at {
            SignatureAt::Signature(index) => self.signatures.get(index),
            SignatureAt::Countersignature(index, counter) => {
                self.signatures.get(index).and_then(|s| s.countersignatures.get(counter))
            }
        };
        found.ok_or_else(missing)
    }

    fn raw(&self, index: usize) -> Result<&coset::CoseSignature, CryptoError> {
        self.inner.signatures.get(index).ok_or_else(missing)
    }

    fn raw_at(&self, at: SignatureAt) -> Result<coset::CoseSignature, CryptoError> {
        match at {
            SignatureAt::Signature(index) => self.raw(index).cloned(),
            SignatureAt::Countersignature(index, counter) => {
                counters_of(self.raw(index)?)?.into_iter().nth(counter).ok_or_else(missing)
            }
        }
    }

    /// What a signature time-stamp covers: the signature value.
    ///
    /// # Errors
    /// [`CryptoError::Cose`] when there is no such signature.
    pub fn signature_value(&self, at: SignatureAt) -> Result<Vec<u8>, CryptoError> {
        self.raw_at(at).map(|raw| raw.signature)
    }

    /// What an archive time-stamp covers that stands at place `position` of a signature's unsigned
    /// elements: the CBOR array of the body's protected header, the signature's protected header, the
    /// payload, the signature value (all byte strings), and the array of the elements before it.
    ///
    /// # Errors
    /// [`CryptoError::Cose`] when there is no such signature or place.
    pub fn archive_input(&self, at: SignatureAt, position: usize) -> Result<Vec<u8>, CryptoError> {
        let raw = self.raw_at(at)?;
        let bstr = |header: &coset::ProtectedHeader| header.clone().cbor_bstr().map_err(other);
        let before = elements_of(&raw)?.get(..position).ok_or_else(missing)?.to_vec();
        let whole = Value::Array(vec![
            bstr(&self.inner.protected)?,
            bstr(&raw.protected)?,
            Value::Bytes(self.payload().to_vec()),
            Value::Bytes(raw.signature),
            Value::Array(before),
        ]);
        whole.to_vec().map_err(other)
    }

    /// Adds an element to a signature's unsigned headers, after those that are there.
    ///
    /// # Errors
    /// [`CryptoError::Cose`] when there is no such signature, or too many elements.
    pub fn add_unsigned(
        self,
        at: SignatureAt,
        element: &UnsignedElement,
    ) -> Result<Self, CryptoError> {
        let value = write_element(element)?;
        let mut raw = self.raw_at(at)?;
        let mut elements = elements_of(&raw)?;
        elements.push(value);
        put(&mut raw.unprotected, UNSIGNED_HEADERS, Value::Array(elements))?;
        self.replace(at, raw)
    }

    /// Countersigns signature `index` (RFC 9338).
    ///
    /// # Errors
    /// [`CryptoError::Random`] or [`CryptoError::Cose`].
    pub fn countersign(
        self,
        index: usize,
        key: &SigningKey,
        attributes: ProtectedAttributes,
    ) -> Result<Self, CryptoError> {
        let mut target = self.raw(index)?.clone();
        let mut counter = fresh_signature(key, attributes)?;
        counter.signature = key.sign(&countersign_data(&target, &counter)?)?;
        let mut counters = counters_of(&target)?;
        counters.push(counter);
        put_counters(&mut target, counters)?;
        self.replace(SignatureAt::Signature(index), target)
    }

    /// Puts a changed signature in its place, and reads the whole again.
    fn replace(mut self, at: SignatureAt, raw: coset::CoseSignature) -> Result<Self, CryptoError> {
        let (index, raw) = match at {
            SignatureAt::Signature(index) => (index, raw),
            SignatureAt::Countersignature(index, counter) => {
                let mut target = self.raw(index)?.clone();
                let mut counters = counters_of(&target)?;
                *counters.get_mut(counter).ok_or_else(missing)? = raw;
                put_counters(&mut target, counters)?;
                (index, target)
            }
        };
        *self.inner.signatures.get_mut(index).ok_or_else(missing)? = raw;
        Self::decode(&self.encode()?)
    }

    /// The same structure with one more signature, by `key`.
    ///
    /// # Errors
    /// [`CryptoError::Random`], [`CryptoError::TooMany`], or [`CryptoError::Cose`] when the attributes do not fit.
    pub fn add_signature(
        self,
        key: &SigningKey,
        attributes: ProtectedAttributes,
    ) -> Result<Self, CryptoError> {
        let Self { content_type, mut signatures, receipts, .. } = self;
        if signatures.len() >= MAX_SIGNATURES {
            return Err(CryptoError::TooMany { what: Many::Signatures, most: MAX_SIGNATURES });
        }
        let builder = CoseBuilder { inner: self.inner }.sign(key, attributes)?;
        let added = builder.inner.signatures.last().ok_or_else(missing)?;
        signatures.push(read_signature(added, true)?);
        Ok(Self { inner: builder.inner, content_type, signatures, receipts })
    }

    /// The tagged structure in deterministic form.
    ///
    /// # Errors
    /// [`CryptoError::Cbor`] when it is too large.
    pub fn encode(&self) -> Result<Vec<u8>, CryptoError> {
        encode_within(&self.inner, cbor::MAX_BYTES)
    }

    /// Goes on signing: the same payload and signatures, and more to come.
    pub fn into_builder(self) -> CoseBuilder {
        CoseBuilder { inner: self.inner }
    }
}

fn read_receipts(header: &coset::Header) -> Result<Vec<Vec<u8>>, CryptoError> {
    let Some(value) = get(header, RECEIPTS) else { return Ok(Vec::new()) };
    let list = value.as_array().ok_or_else(|| refuse(CoseFault::ReceiptsForm))?;
    if list.len() > MAX_RECEIPTS {
        return Err(CryptoError::TooMany { what: Many::Receipts, most: MAX_RECEIPTS });
    }
    let read = list.iter().map(|one| one.as_bytes().cloned());
    read.collect::<Option<_>>().ok_or_else(|| refuse(CoseFault::ReceiptForm))
}

/// Verifying must not cost whoever is handed a structure more than a moment.
fn check_material(signatures: &[CoseSignature]) -> Result<(), CryptoError> {
    let (mut tokens, mut crls, mut counters) = (0, 0, 0);
    for signature in signatures.iter().flat_map(|s| std::iter::once(s).chain(&s.countersignatures))
    {
        counters += signature.countersignatures.len();
        for element in &signature.unsigned {
            match element {
                UnsignedElement::SignatureTimeStamp(list)
                | UnsignedElement::ArchiveTimeStamp(list) => tokens += list.len(),
                UnsignedElement::Crls(list) | UnsignedElement::Certificates(list) => {
                    crls += list.len();
                }
                UnsignedElement::Cades(_) | UnsignedElement::Unknown => {}
            }
        }
    }
    for (what, count) in
        [(Many::TimeStamps, tokens), (Many::Material, crls), (Many::AllCountersignatures, counters)]
    {
        if count > MAX_MATERIAL {
            return Err(CryptoError::TooMany { what, most: MAX_MATERIAL });
        }
    }
    Ok(())
}

fn missing() -> CryptoError {
    refuse(CoseFault::NoSuchSignature)
}

/// The Sig_structure of a signature (RFC 9052 §4.4).
fn signed_data(
    sign: &coset::CoseSign,
    signature: &coset::CoseSignature,
) -> Result<Vec<u8>, CryptoError> {
    let payload = sign.payload.as_deref().unwrap_or_default();
    sig_structure("Signature", &sign.protected, &signature.protected, payload)
}

/// The Countersign_structure of RFC 9338 §3.3 for a COSE_Signature, which has no other fields.
fn countersign_data(
    target: &coset::CoseSignature,
    counter: &coset::CoseSignature,
) -> Result<Vec<u8>, CryptoError> {
    let context = "CounterSignature";
    sig_structure(context, &target.protected, &counter.protected, &target.signature)
}

/// As `coset::sig_structure_data` without external data: an array of the context, both protected headers, nothing,
/// and what is signed. coset copies each of them into a generic value first, for every signature that is made or
/// verified.
fn sig_structure(
    context: &str,
    body: &ProtectedHeader,
    sign: &ProtectedHeader,
    payload: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    let (body, sign) = (protected_bytes(body)?, protected_bytes(sign)?);
    let heads = 1 + 5 * 9;
    let len = heads + context.len() + body.len() + sign.len() + payload.len();
    let mut out = Vec::with_capacity(len);
    cbor::push_head(&mut out, 4, 5);
    cbor::push_head(&mut out, 3, context.len() as u64);
    out.extend_from_slice(context.as_bytes());
    for part in [&*body, &*sign, &[], payload] {
        cbor::push_bytes(&mut out, part);
    }
    Ok(out)
}

/// A protected header as it was signed, or will be.
fn protected_bytes(header: &ProtectedHeader) -> Result<Cow<'_, [u8]>, CryptoError> {
    if let Some(original) = &header.original_data {
        return Ok(Cow::Borrowed(original));
    }
    let value = header.clone().cbor_bstr().map_err(other)?;
    let bytes = value.into_bytes().map_err(|_| refuse(CoseFault::HeaderBytes))?;
    Ok(Cow::Owned(bytes))
}

/// As coset's `from_tagged_slice`, for what is known to be deterministic: headers are read by coset, and what stands
/// between them is not copied into a generic value first.
fn read(bytes: &[u8]) -> Result<coset::CoseSign, CryptoError> {
    let mut items = cbor::Reader::new(bytes);
    if items.tag() != Some(coset::CoseSign::TAG) || items.array() != Some(4) {
        return Err(refuse(CoseFault::NoSign));
    }
    let protected = read_protected(&mut items)?;
    let unprotected = read_unprotected(&mut items)?;
    // Detached, it is null.
    let payload = match items.bytes() {
        Some(payload) => Some(payload.to_vec()),
        None if items.item() == Some(&[NULL]) => None,
        None => return Err(refuse(CoseFault::PayloadForm)),
    };
    let count = items.array().ok_or_else(|| refuse(CoseFault::SignaturesForm))?;
    if count > MAX_SIGNATURES as u64 {
        return Err(CryptoError::TooMany { what: Many::Signatures, most: MAX_SIGNATURES });
    }
    let mut signatures = Vec::new();
    for _ in 0..count {
        if items.array() != Some(3) {
            return Err(refuse(CoseFault::SignatureItems));
        }
        let protected = read_protected(&mut items)?;
        let unprotected = read_unprotected(&mut items)?;
        let value = items.bytes().ok_or_else(|| refuse(CoseFault::SignatureForm))?;
        signatures.push(coset::CoseSignature { protected, unprotected, signature: value.to_vec() });
    }
    Ok(coset::CoseSign { protected, unprotected, payload, signatures })
}

/// `null` in CBOR.
const NULL: u8 = 0xf6;

/// Headers are read into generic values, which take some forty times the room of small items: whoever sends one must not
/// choose how much memory that is.
fn check_header(bytes: &[u8]) -> Result<(), CryptoError> {
    match cbor::count(bytes)? {
        0..=MAX_HEADER_ITEMS => Ok(()),
        _ => Err(CryptoError::TooMany { what: Many::HeaderItems, most: MAX_HEADER_ITEMS }),
    }
}

fn read_protected(items: &mut cbor::Reader<'_>) -> Result<ProtectedHeader, CryptoError> {
    let bytes = items.bytes().ok_or_else(|| refuse(CoseFault::HeaderForm))?;
    // An empty one stands for an empty map (RFC 9052 §3).
    if !bytes.is_empty() {
        check_header(bytes)?;
    }
    ProtectedHeader::from_cbor_bstr(Value::Bytes(bytes.to_vec())).map_err(other)
}

fn read_unprotected(items: &mut cbor::Reader<'_>) -> Result<coset::Header, CryptoError> {
    let bytes = items.item().ok_or_else(|| refuse(CoseFault::NoUnprotected))?;
    check_header(bytes)?;
    coset::Header::from_slice(bytes).map_err(other)
}

/// As coset's `to_tagged_vec`, without a copy of everything in a generic value.
fn write(sign: &coset::CoseSign) -> Result<Vec<u8>, CryptoError> {
    let payload = sign.payload.as_deref().unwrap_or_default();
    let parts = sign.signatures.iter().filter_map(|s| s.protected.original_data.as_ref());
    let about = payload.len() + parts.map(|part| part.len() + 128).sum::<usize>() + 256;
    let mut out = Vec::with_capacity(about);
    cbor::push_head(&mut out, 6, coset::CoseSign::TAG);
    cbor::push_head(&mut out, 4, 4);
    cbor::push_bytes(&mut out, &protected_bytes(&sign.protected)?);
    write_unprotected(&mut out, &sign.unprotected)?;
    cbor::push_bytes(&mut out, payload);
    cbor::push_head(&mut out, 4, sign.signatures.len() as u64);
    for signature in &sign.signatures {
        cbor::push_head(&mut out, 4, 3);
        cbor::push_bytes(&mut out, &protected_bytes(&signature.protected)?);
        write_unprotected(&mut out, &signature.unprotected)?;
        cbor::push_bytes(&mut out, &signature.signature);
    }
    Ok(out)
}

fn encode_within(sign: &coset::CoseSign, most: usize) -> Result<Vec<u8>, CryptoError> {
    let bytes = write(sign)?;
    cbor::check_within(&bytes, most)?;
    Ok(bytes)
}

fn write_unprotected(out: &mut Vec<u8>, header: &coset::Header) -> Result<(), CryptoError> {
    if header.is_empty() {
        cbor::push_head(out, 5, 0);
        return Ok(());
    }
    let value = header.clone().to_cbor_value().map_err(other)?;
    coset::cbor::ser::into_writer(&value, out).map_err(other)
}

fn get(header: &coset::Header, label: i64) -> Option<&Value> {
    header.rest.iter().find(|(l, _)| *l == Label::Int(label)).map(|(_, value)| value)
}

/// Puts an unprotected header in its place, so that the map stays in deterministic order.
fn put(header: &mut coset::Header, label: i64, value: Value) -> Result<(), CryptoError> {
    header.rest.retain(|(l, _)| *l != Label::Int(label));
    header.rest.push((Label::Int(label), value));
    let mut sorted = std::mem::take(&mut header.rest)
        .into_iter()
        .map(|(label, value)| Ok((label.clone().to_vec()?, label, value)))
        .collect::<Result<Vec<_>, coset::CoseError>>()
        .map_err(other)?;
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    header.rest = sorted.into_iter().map(|(_, label, value)| (label, value)).collect();
    Ok(())
}

fn elements_of(raw: &coset::CoseSignature) -> Result<Vec<Value>, CryptoError> {
    match get(&raw.unprotected, UNSIGNED_HEADERS) {
        None => Ok(Vec::new()),
        Some(Value::Array(elements)) if elements.len() <= MAX_UNSIGNED => Ok(elements.clone()),
        Some(Value::Array(_)) => {
            Err(CryptoError::TooMany { what: Many::UnsignedElements, most: MAX_UNSIGNED })
        }
        Some(_) => Err(refuse(CoseFault::UnsignedForm)),
    }
}

fn counters_of(raw: &coset::CoseSignature) -> Result<Vec<coset::CoseSignature>, CryptoError> {
    let Some(value) = get(&raw.unprotected, COUNTERSIGNATURE) else { return Ok(Vec::new()) };
    let list = value.as_array().ok_or_else(|| refuse(CoseFault::CounterForm))?;
    // One stands as it is, several in a list (RFC 9338 §3.1).
    let many = list.first().is_some_and(Value::is_array);
    let list = if many { list.clone() } else { vec![value.clone()] };
    if list.len() > MAX_COUNTERSIGNATURES {
        let what = Many::Countersignatures;
        return Err(CryptoError::TooMany { what, most: MAX_COUNTERSIGNATURES });
    }
    list.into_iter().map(|one| coset::CoseSignature::from_cbor_value(one).map_err(other)).collect()
}

fn put_counters(
    target: &mut coset::CoseSignature,
    counters: Vec<coset::CoseSignature>,
) -> Result<(), CryptoError> {
    let values = counters.into_iter().map(coset::CoseSignature::to_cbor_value);
    let mut values = values.collect::<Result<Vec<_>, _>>().map_err(other)?;
    let value = if values.len() == 1 { values.remove(0) } else { Value::Array(values) };
    put(&mut target.unprotected, COUNTERSIGNATURE, value)
}

fn single(name: &str, value: Value) -> Value {
    Value::Map(vec![(Value::from(name), value)])
}

fn tokens(tokens: &[Vec<u8>]) -> Value {
    let list = tokens.iter().map(|token| single("val", Value::Bytes(token.clone()))).collect();
    single("tstTokens", Value::Array(list))
}

fn write_element(element: &UnsignedElement) -> Result<Value, CryptoError> {
    let bytes = |list: &[Vec<u8>]| list.iter().cloned().map(Value::Bytes).collect::<Vec<_>>();
    Ok(match element {
        UnsignedElement::SignatureTimeStamp(list) => single("sigTst", tokens(list)),
        UnsignedElement::ArchiveTimeStamp(list) => single("arcTst", tokens(list)),
        UnsignedElement::Certificates(list) => {
            let list = bytes(list).into_iter().map(|der| single("x509Cert", der)).collect();
            single("xVals", Value::Array(list))
        }
        UnsignedElement::Crls(list) => {
            single("rVals", single("crlVals", Value::Array(bytes(list))))
        }
        UnsignedElement::Cades(der) => single("cades", Value::Bytes(der.clone())),
        UnsignedElement::Unknown => return Err(refuse(CoseFault::UnknownElement)),
    })
}

fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.as_map()?.iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value)
}

fn read_element(value: &Value) -> Result<UnsignedElement, CryptoError> {
    let [(Value::Text(name), inner)] = value.as_map().map(Vec::as_slice).unwrap_or_default() else {
        return Err(refuse(CoseFault::ElementForm));
    };
    let bytes = |list: Option<&Value>, of: &dyn Fn(&Value) -> Option<Vec<u8>>| {
        let list = list.and_then(Value::as_array)?;
        list.iter().map(of).collect::<Option<Vec<_>>>().filter(|list| !list.is_empty())
    };
    let plain = |value: &Value| value.as_bytes().cloned();
    let within = |name: &'static str| move |value: &Value| field(value, name)?.as_bytes().cloned();
    let read = match name.as_str() {
        "sigTst" => bytes(field(inner, "tstTokens"), &within("val"))
            .map(UnsignedElement::SignatureTimeStamp),
        "arcTst" => {
            bytes(field(inner, "tstTokens"), &within("val")).map(UnsignedElement::ArchiveTimeStamp)
        }
        "xVals" => bytes(Some(inner), &within("x509Cert")).map(UnsignedElement::Certificates),
        "rVals" => bytes(field(inner, "crlVals"), &plain).map(UnsignedElement::Crls),
        "cades" => plain(inner).map(UnsignedElement::Cades),
        _ => Some(UnsignedElement::Unknown),
    };
    read.ok_or_else(|| refuse(CoseFault::Element { name: name.clone() }))
}

/// A signature with its protected header and no value yet.
fn fresh_signature(
    key: &SigningKey,
    attributes: ProtectedAttributes,
) -> Result<coset::CoseSignature, CryptoError> {
    let protected = write_attributes(key.algorithm(), attributes)?;
    let mut signature = CoseSignatureBuilder::new().protected(protected).build();
    // Signatures made by others keep their protected bytes; ours are made here, once.
    let bytes = protected_bytes(&signature.protected)?.into_owned();
    signature.protected.original_data = Some(bytes);
    Ok(signature)
}

/// Collects signatures over one payload.
#[derive(Debug, Clone)]
pub struct CoseBuilder {
    inner: coset::CoseSign,
}

impl CoseBuilder {
    /// Puts something beside the payload; see [`CoseSign::more`]. It must be there before the first signature.
    #[must_use]
    pub fn more(mut self, more: Vec<u8>) -> Self {
        let rest = &mut self.inner.protected.header.rest;
        rest.retain(|(label, _)| *label != Label::Text(MORE.into()));
        rest.push((Label::Text(MORE.into()), Value::Bytes(more)));
        self
    }

    /// Adds a signature by `key`.
    ///
    /// # Errors
    /// [`CryptoError::Random`], or [`CryptoError::Cose`] when the attributes do not fit.
    pub fn sign(
        mut self,
        key: &SigningKey,
        attributes: ProtectedAttributes,
    ) -> Result<Self, CryptoError> {
        let mut signature = fresh_signature(key, attributes)?;
        signature.signature = key.sign(&signed_data(&self.inner, &signature)?)?;
        self.inner.signatures.push(signature);
        Ok(self)
    }

    /// The tagged structure in deterministic form.
    ///
    /// # Errors
    /// [`CryptoError::Cose`] when it cannot be encoded.
    pub fn encode(self) -> Result<Vec<u8>, CryptoError> {
        self.encode_within(cbor::MAX_BYTES)
    }

    /// As [`CoseBuilder::encode`], for what may be larger or must be smaller than [`cbor::MAX_BYTES`].
    ///
    /// # Errors
    /// As [`CoseBuilder::encode`].
    pub fn encode_within(self, most: usize) -> Result<Vec<u8>, CryptoError> {
        encode_within(&self.inner, most)
    }
}

/// The algorithm's registered name.
pub(crate) fn iana_name(algorithm: Algorithm) -> iana::Algorithm {
    match algorithm {
        Algorithm::Es256 => iana::Algorithm::ES256,
        Algorithm::Es384 => iana::Algorithm::ES384,
        Algorithm::EdDsa => iana::Algorithm::EdDSA,
    }
}

/// The algorithm that a header names, if it is one of ours.
pub(crate) fn known_algorithm(named: Option<&coset::Algorithm>) -> Option<Algorithm> {
    match named? {
        coset::Algorithm::Assigned(iana::Algorithm::ES256) => Some(Algorithm::Es256),
        coset::Algorithm::Assigned(iana::Algorithm::ES384) => Some(Algorithm::Es384),
        coset::Algorithm::Assigned(iana::Algorithm::EdDSA) => Some(Algorithm::EdDsa),
        _ => None,
    }
}

fn write_attributes(
    algorithm: Algorithm,
    attributes: ProtectedAttributes,
) -> Result<coset::Header, CryptoError> {
    let name = iana_name(algorithm);
    if attributes.x5chain.len() > MAX_CHAIN {
        return Err(refuse(CoseFault::ChainLength { count: attributes.x5chain.len() }));
    }
    let mut header = HeaderBuilder::new().algorithm(name);
    // Labels go in ascending order, so that the header is deterministic: 1, 15, 33, 262.
    if let Some(time) = attributes.signing_time {
        let claims = vec![(Value::from(6), Value::from(time))];
        header = header.value(iana::HeaderParameter::CwtClaims as i64, Value::Map(claims));
    }
    if !attributes.x5chain.is_empty() {
        let mut chain: Vec<Value> = attributes.x5chain.into_iter().map(Value::Bytes).collect();
        let value = match chain.len() {
            1 => chain.remove(0),
            _ => Value::Array(chain),
        };
        header = header.value(iana::HeaderParameter::X5Chain as i64, value);
    }
    if let Some(commitment) = attributes.commitment {
        let id = vec![(Value::from("id"), Value::from(commitment.urn()))];
        let one = Value::Map(vec![(Value::from("commId"), Value::Map(id))]);
        header = header.value(COMMITMENTS, Value::Array(vec![one]));
    }
    Ok(header.build())
}

fn read_signature(
    raw: &coset::CoseSignature,
    countersigned: bool,
) -> Result<CoseSignature, CryptoError> {
    let header = &raw.protected.header;
    check_known(header)?;
    let algorithm = known_algorithm(header.alg.as_ref()).ok_or_else(|| {
        refuse(CoseFault::SignatureAlgorithm { found: format!("{:?}", header.alg) })
    })?;
    let mut attributes = ProtectedAttributes::default();
    for (label, value) in &header.rest {
        match label {
            Label::Int(15) => attributes.signing_time = read_time(value)?,
            Label::Int(33) => attributes.x5chain = read_chain(value)?,
            Label::Int(COMMITMENTS) => attributes.commitment = Some(read_commitment(value)?),
            Label::Text(text) if text == COMMITMENTS_TEXT => {
                attributes.commitment = Some(read_commitment(value)?);
            }
            _ => {}
        }
    }
    let unsigned = elements_of(raw)?.iter().map(read_element).collect::<Result<_, _>>()?;
    let counters = counters_of(raw)?;
    if !counters.is_empty() && !countersigned {
        return Err(refuse(CoseFault::CounterOfCounter));
    }
    let countersignatures = counters.iter().map(|c| read_signature(c, false));
    let countersignatures = countersignatures.collect::<Result<_, _>>()?;
    Ok(CoseSignature { algorithm, attributes, unsigned, countersignatures })
}

fn read_time(claims: &Value) -> Result<Option<i64>, CryptoError> {
    let claims = claims.as_map().ok_or_else(|| refuse(CoseFault::ClaimsForm))?;
    let iat = claims.iter().find(|(key, _)| *key == Value::from(6));
    iat.map(|(_, time)| {
        let time = time.as_integer().and_then(|n| i64::try_from(n).ok());
        time.ok_or_else(|| refuse(CoseFault::SigningTime))
    })
    .transpose()
}

fn read_chain(value: &Value) -> Result<Vec<Vec<u8>>, CryptoError> {
    let bad = || refuse(CoseFault::ChainForm);
    let chain: Vec<Vec<u8>> = match value {
        Value::Bytes(one) => vec![one.clone()],
        Value::Array(many) => {
            many.iter().map(|v| v.as_bytes().cloned().ok_or_else(bad)).collect::<Result<_, _>>()?
        }
        _ => return Err(bad()),
    };
    if chain.is_empty() {
        return Err(refuse(CoseFault::ChainEmpty));
    }
    if chain.len() > MAX_CHAIN {
        return Err(CryptoError::TooMany { what: Many::Chain, most: MAX_CHAIN });
    }
    Ok(chain)
}

fn read_commitment(value: &Value) -> Result<Commitment, CryptoError> {
    let one = value.as_array().filter(|list| list.len() == 1).and_then(|list| list.first());
    let urn = one.and_then(|one| field(field(one, "commId")?, "id"));
    let urn = urn.and_then(Value::as_text).unwrap_or_default();
    let known = Commitment::ALL.into_iter().find(|c| c.urn() == urn);
    known.ok_or_else(|| refuse(CoseFault::Commitment { urn: urn.to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes() -> ProtectedAttributes {
        ProtectedAttributes {
            x5chain: vec![vec![1, 2, 3], vec![4, 5]],
            signing_time: Some(1_790_000_000),
            commitment: Some(Commitment::Approval),
        }
    }

    /// What is signed and what is written are as coset has them, which writes both by way of generic values.
    #[test]
    fn structures_are_those_of_coset() {
        let keys =
            [Algorithm::Es256, Algorithm::EdDsa].map(|a| SigningKey::generate(a).expect("random"));
        for len in [0, 23, 24, 255, 256, 70_000] {
            let payload = vec![7; len];
            let mut signed = CoseSign::builder("a/b", payload.clone());
            for key in &keys {
                signed = signed.sign(key, attributes()).expect("signs");
            }
            let inner = signed.inner.clone();
            let bytes = signed.encode().expect("encodes");
            assert_eq!(bytes, inner.to_tagged_vec().expect("encodes"));
            let read = CoseSign::decode(&bytes).expect("reads");
            assert_eq!(read.inner, coset::CoseSign::from_tagged_slice(&bytes).expect("reads"));
            let read = read.countersign(1, &keys[0], attributes()).expect("countersigns");
            let read = read.with_receipts(vec![vec![1; 300]]).expect("takes a receipt");
            let bytes = read.encode().expect("encodes");
            assert_eq!(bytes, read.inner.clone().to_tagged_vec().expect("encodes"));
            let again = CoseSign::decode(&bytes).expect("reads").inner;
            assert_eq!(again, coset::CoseSign::from_tagged_slice(&bytes).expect("reads"));
            for raw in &read.inner.signatures {
                assert_eq!(
                    signed_data(&read.inner, raw).expect("plain"),
                    read.inner.tbs_data(b"", raw)
                );
            }
            let target = read.inner.signatures[1].clone();
            let counter = counters_of(&target).expect("one").remove(0);
            let theirs = coset::sig_structure_data(
                coset::SignatureContext::CounterSignature,
                target.protected.clone(),
                Some(counter.protected.clone()),
                b"",
                &target.signature,
            );
            assert_eq!(countersign_data(&target, &counter).expect("plain"), theirs);
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(4096))]

        /// What is damaged is read or refused as coset does it.
        #[test]
        fn what_is_damaged_is_read_as_coset_reads_it(
            changes in proptest::collection::vec((0usize..2000, proptest::prelude::any::<u8>()), 1..3),
        ) {
            let key = SigningKey::generate(Algorithm::EdDsa).expect("random bytes");
            let signed = CoseSign::builder("a/b", vec![7; 30]).sign(&key, attributes());
            let signed = CoseSign::decode(&signed.and_then(CoseBuilder::encode).expect("signs"));
            let signed = signed.expect("reads").countersign(0, &key, attributes());
            let mut bytes = signed.expect("signs").encode().expect("encodes");
            for (at, byte) in changes {
                let at = at % bytes.len();
                bytes[at] = byte;
            }
            if cbor::check(&bytes).is_ok() {
                let theirs = coset::CoseSign::from_tagged_slice(&bytes).ok();
                // Protected headers must be deterministic here, too.
                let strict = |read: &coset::CoseSign| {
                    let mut all = read.signatures.iter().map(|s| &s.protected).chain([&read.protected]);
                    all.all(|header| cbor::check(header.original_data.as_deref().unwrap_or_default()).is_ok())
                };
                proptest::prop_assert_eq!(super::read(&bytes).ok(), theirs.filter(strict));
            }
        }
    }

    /// What is small must not become large by being read.
    #[test]
    fn many_signatures_and_many_items_in_a_header_are_refused_before_they_are_read() {
        let empty = [0x83, 0x40, 0xa0, 0x40];
        let head = [0xd8, 98, 0x84, 0x40, 0xa0, 0x40];
        let mut bytes = head.to_vec();
        cbor::push_head(&mut bytes, 4, 900_000);
        bytes.extend(empty.repeat(900_000));
        let many = CryptoError::TooMany { what: Many::Signatures, most: MAX_SIGNATURES };
        assert_eq!(CoseSign::decode(&bytes).expect_err("too many"), many);

        // {1000: [0, 0, …]}, protected and not.
        let mut header = vec![0xa1, 0x19, 0x03, 0xe8];
        cbor::push_head(&mut header, 4, MAX_HEADER_ITEMS as u64);
        header.extend([0].repeat(MAX_HEADER_ITEMS));
        let many = CryptoError::TooMany { what: Many::HeaderItems, most: MAX_HEADER_ITEMS };
        for protected in [true, false] {
            let mut bytes = vec![0xd8, 98, 0x84];
            match protected {
                true => cbor::push_bytes(&mut bytes, &header),
                false => bytes.push(0x40),
            }
            match protected {
                true => bytes.push(0xa0),
                false => bytes.extend(&header),
            }
            bytes.extend([0x40, 0x81]);
            bytes.extend(empty);
            assert_eq!(CoseSign::decode(&bytes).expect_err("too many"), many, "{protected}");
        }
    }

    /// What was signed once more is what is read of its bytes.
    #[test]
    fn a_signature_more_is_as_if_it_had_been_read() {
        let key = SigningKey::generate(Algorithm::Es256).expect("random");
        let first = CoseSign::builder("a/b", b"payload".to_vec()).sign(&key, attributes());
        let first = first.and_then(CoseBuilder::encode).expect("signs");
        let mut signed = CoseSign::decode(&first).expect("reads");
        for _ in 1..MAX_SIGNATURES {
            signed = signed.add_signature(&key, attributes()).expect("signs");
        }
        let read = CoseSign::decode(&signed.encode().expect("encodes")).expect("reads");
        assert_eq!(read.inner, signed.inner);
        assert_eq!(read.signatures(), signed.signatures());
        read.verify(MAX_SIGNATURES - 1, &key.public_key()).expect("verifies");
        let one_more = read.add_signature(&key, attributes());
        assert!(matches!(one_more, Err(CryptoError::TooMany { what: Many::Signatures, .. })));
    }

    #[test]
    fn two_signers_can_sign_one_after_the_other_and_both_verify() {
        let officer = SigningKey::generate(Algorithm::Es256).expect("random bytes");
        let seal = SigningKey::generate(Algorithm::EdDsa).expect("random bytes");
        let first = CoseSign::builder("a/b", b"payload".to_vec())
            .sign(&officer, attributes())
            .and_then(CoseBuilder::encode)
            .expect("signs");
        let both = CoseSign::decode(&first)
            .expect("decodes")
            .into_builder()
            .sign(&seal, ProtectedAttributes { signing_time: None, ..attributes() })
            .and_then(CoseBuilder::encode)
            .expect("signs");
        let read = CoseSign::decode(&both).expect("decodes");
        assert_eq!(read.payload(), b"payload");
        assert_eq!(read.signatures()[0].attributes, attributes());
        assert_eq!(read.verify(0, &officer.public_key()), Ok(()));
        assert_eq!(read.verify(1, &seal.public_key()), Ok(()));
        assert!(read.verify(1, &officer.public_key()).is_err());
        assert!(read.verify(2, &officer.public_key()).is_err());
    }

    #[test]
    fn receipts_stand_beside_the_signatures_and_are_bounded() {
        let key = SigningKey::generate(Algorithm::Es256).expect("random bytes");
        let signed = CoseSign::builder("a/b", b"payload".to_vec())
            .sign(&key, attributes())
            .and_then(CoseBuilder::encode)
            .expect("signs");
        let plain = CoseSign::decode(&signed).expect("decodes");
        let many = vec![vec![1, 2], vec![3; 300]];
        let with = plain.clone().with_receipts(many.clone()).expect("fits");
        let bytes = with.clone().into_builder().encode().expect("encodes");
        let read = CoseSign::decode(&bytes).expect("decodes");
        assert_eq!(read.receipts(), many);
        assert_eq!(read.verify(0, &key.public_key()), Ok(()));
        // By its registered label, as any COSE library finds it.
        let raw = coset::CoseSign::from_tagged_slice(&bytes).expect("COSE");
        assert_eq!(raw.unprotected.rest[0].0, Label::Int(394));
        let without = read.with_receipts(Vec::new()).expect("fits").into_builder();
        assert_eq!(without.encode().expect("encodes"), signed);
        assert!(plain.clone().with_receipts(vec![Vec::new(); MAX_RECEIPTS + 1]).is_err());
        for bad in [Value::from(1), Value::Array(vec![Value::from(1)])] {
            let mut inner = plain.inner.clone();
            inner.unprotected.rest = vec![(Label::Int(394), bad)];
            assert!(CoseSign::decode(&inner.to_tagged_vec().expect("encodes")).is_err());
        }
    }

    #[test]
    fn countersignatures_and_unsigned_elements_leave_the_signature_as_it_is() {
        let keys: Vec<_> = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Es384]
            .map(|algorithm| SigningKey::generate(algorithm).expect("random bytes"))
            .into();
        let first = CoseSign::builder("a/b", b"payload".to_vec())
            .sign(&keys[0], attributes())
            .and_then(CoseBuilder::encode)
            .expect("signs");
        let (own, counter) = (SignatureAt::Signature(0), SignatureAt::Countersignature(0, 1));
        let elements = [
            UnsignedElement::SignatureTimeStamp(vec![vec![1], vec![2]]),
            UnsignedElement::Certificates(vec![vec![3; 300]]),
            UnsignedElement::Crls(vec![vec![4]]),
            UnsignedElement::ArchiveTimeStamp(vec![vec![5]]),
            UnsignedElement::Cades(vec![6]),
        ];
        let mut cose = CoseSign::decode(&first).expect("decodes");
        for key in &keys[1..] {
            cose = cose.countersign(0, key, attributes()).expect("countersigns");
        }
        for element in &elements {
            cose = cose.add_unsigned(own, element).expect("adds");
        }
        cose = cose.add_unsigned(counter, &elements[0]).expect("adds");
        let bytes = cose.into_builder().encode().expect("encodes");
        let read = CoseSign::decode(&bytes).expect("decodes");
        assert_eq!(read.signatures()[0].unsigned, elements);
        assert_eq!(read.read_at(counter).expect("is there").unsigned, elements[..1]);
        assert_eq!(read.verify_at(own, &keys[0].public_key()), Ok(()));
        for (i, key) in keys[1..].iter().enumerate() {
            let at = SignatureAt::Countersignature(0, i);
            assert_eq!(read.verify_at(at, &key.public_key()), Ok(()));
            assert!(read.verify_at(at, &keys[0].public_key()).is_err());
        }
        assert!(
            read.verify_at(SignatureAt::Countersignature(0, 2), &keys[0].public_key()).is_err()
        );
        // An archive time-stamp covers what stands before it, and nothing after.
        let input = |cose: &CoseSign, n| cose.archive_input(own, n).expect("is there");
        let more = read.clone().add_unsigned(own, &elements[0]).expect("adds");
        assert_eq!(input(&read, 3), input(&more, 3));
        assert_ne!(input(&read, 3), input(&read, 2));
        assert!(read.archive_input(own, 6).is_err());
    }

    #[test]
    fn more_than_a_verifier_should_work_through_is_refused() {
        let key = SigningKey::generate(Algorithm::EdDsa).expect("random bytes");
        let signed = CoseSign::builder("a/b", b"x".to_vec()).sign(&key, attributes());
        let cose = signed.and_then(CoseBuilder::encode).and_then(|bytes| CoseSign::decode(&bytes));
        let cose = cose.expect("decodes");
        let tokens = UnsignedElement::SignatureTimeStamp(vec![vec![1]; MAX_MATERIAL + 1]);
        let crls = UnsignedElement::Crls(vec![vec![1]; MAX_MATERIAL + 1]);
        for element in [tokens, crls] {
            let result = cose.clone().add_unsigned(SignatureAt::Signature(0), &element);
            assert!(matches!(result, Err(CryptoError::TooMany { .. })), "{result:?}");
        }
        let mut builder = cose.into_builder();
        for _ in 0..MAX_SIGNATURES {
            builder = builder.sign(&key, ProtectedAttributes::default()).expect("signs");
        }
        let bytes = builder.encode().expect("encodes");
        assert!(matches!(CoseSign::decode(&bytes), Err(CryptoError::TooMany { .. })));
    }

    #[test]
    fn commitments_written_before_their_label_was_registered_are_still_read() {
        let id = Value::Map(vec![(Value::from("id"), Value::from(Commitment::Approval.urn()))]);
        let list = Value::Array(vec![single("commId", id)]);
        let header = HeaderBuilder::new()
            .algorithm(iana::Algorithm::ES256)
            .text_value(COMMITMENTS_TEXT.into(), list)
            .build();
        let raw = CoseSignatureBuilder::new().protected(header).build();
        let read = read_signature(&raw, true).expect("reads");
        assert_eq!(read.attributes.commitment, Some(Commitment::Approval));
    }

    #[test]
    fn no_byte_of_a_signed_structure_can_change_unnoticed() {
        let key = SigningKey::generate(Algorithm::Es256).expect("random bytes");
        let good = CoseSign::builder("a/b", b"payload".to_vec())
            .sign(&key, attributes())
            .and_then(CoseBuilder::encode)
            .expect("signs");
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x01;
            let verdict = CoseSign::decode(&bad).and_then(|c| c.verify(0, &key.public_key()));
            assert!(verdict.is_err(), "byte {at} can change");
        }
    }

    #[test]
    fn an_unknown_critical_parameter_is_refused() {
        let key = SigningKey::generate(Algorithm::EdDsa).expect("random bytes");
        let mut builder = CoseSign::builder("a/b", b"x".to_vec());
        builder.inner.protected.header.crit =
            vec![coset::RegisteredLabelWithPrivate::PrivateUse(-70_000)];
        let signed = builder.sign(&key, attributes()).expect("signs");
        let bytes = signed.inner.to_tagged_vec().expect("encodes");
        assert!(matches!(CoseSign::decode(&bytes), Err(CryptoError::Cbor(CborError::Newer(_)))));
    }
}
