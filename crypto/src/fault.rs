//! What can be wrong in cryptography and in the bytes of its structures, down to the leaf. What people read is made of it in
//! `wording`.

/// Why a private key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
#[non_exhaustive]
pub enum KeyFault {
    /// It is of no kind that is used here; why, or of which.
    Kind { detail: String },
    /// It is no PKCS#8; why, as its reader says.
    NotPkcs8 { detail: String },
    /// It holds no PEM block.
    NoBlock,
    /// Its PEM block is another.
    Block { tag: String },
    /// It is encrypted in an old, weak way.
    OldEncryption,
    /// It lives in a device.
    InDevice,
    /// It is encrypted otherwise than by PBES2.
    NotPbes2,
    /// Its key derivation asks for too much work.
    TooMuchWork,
    /// What a library, a device or another program says.
    Other { detail: String },
}

/// Why a public key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
#[non_exhaustive]
pub enum PublicKeyFault {
    /// A signature with such a salt is verified by few keys.
    PssKey { salt: u32 },
    /// It is of a kind that is not used here.
    Kind { kind: String },
    /// What a library says.
    Other { detail: String },
}

/// Why a content key cannot be wrapped or unwrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WrapFault {
    /// Sealed under another key, or altered.
    Opened,
    /// The recipient's public key is not valid.
    Recipient,
    /// No part could be joined to it.
    Joining,
    /// The part is for another, or was altered.
    OtherPart,
    /// Wrapped for a key of another kind.
    OtherKind,
    /// Wrapped for another key, or altered.
    OtherKey,
    /// What was wrapped has another length.
    Length,
}

/// Of what there is more than a verifier should be made to work through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Many {
    /// Signatures.
    Signatures,
    /// Receipts.
    Receipts,
    /// Items in a header.
    HeaderItems,
    /// Unsigned header elements.
    UnsignedElements,
    /// Countersignatures of one signature.
    Countersignatures,
    /// Certificates in an x5chain.
    Chain,
    /// Time-stamps.
    TimeStamps,
    /// Certificates and lists beside its signatures.
    Material,
    /// Countersignatures.
    AllCountersignatures,
}

/// What a newer version has written and this one does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
#[non_exhaustive]
pub enum Unknown {
    /// A field or variant.
    Name { name: String },
    /// A form of the whole.
    Form { form: u64 },
    /// A field that must not be passed over.
    CriticalField { name: String },
    /// A header parameter that must not be passed over.
    Parameter { name: String },
    /// A content.
    Content { version: u8 },
    /// An encrypted file.
    File { version: u8 },
    /// What stands in a directory.
    InDirectory,
}

/// In what a CBOR item has not the expected structure.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
#[non_exhaustive]
pub enum StructureFault {
    /// Its fields have no names.
    NoNames,
    /// It lists no critical field, or too many.
    CriticalCount { count: usize },
    /// A critical field has no plain name.
    CriticalName,
    /// A critical field is not there.
    CriticalMissing { name: String },
    /// What the reader says.
    Other { detail: String },
}

/// What is wrong with a COSE structure.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
#[non_exhaustive]
pub enum CoseFault {
    /// Its protected header names no content type.
    NoContentType,
    /// Its payload is detached.
    Detached,
    /// It has no signature.
    NoSignature,
    /// Its receipts are no list.
    ReceiptsForm,
    /// A receipt in it is no byte string.
    ReceiptForm,
    /// It has no such signature.
    NoSuchSignature,
    /// A protected header is no bytes.
    HeaderBytes,
    /// It is no tagged COSE_Sign.
    NoSign,
    /// Its payload is no byte string.
    PayloadForm,
    /// Its signatures are no list.
    SignaturesForm,
    /// A COSE_Signature is no array of three items.
    SignatureItems,
    /// A signature is no byte string.
    SignatureForm,
    /// A protected header is no byte string.
    HeaderForm,
    /// An unprotected header is missing.
    NoUnprotected,
    /// Its unsigned headers are no list.
    UnsignedForm,
    /// Its countersignature is no list.
    CounterForm,
    /// An unknown element is to be written.
    UnknownElement,
    /// An unsigned header element is no map with one name.
    ElementForm,
    /// An unsigned header element is malformed.
    Element { name: String },
    /// Its chain has no certificate, or too many.
    ChainLength { count: usize },
    /// Its signature algorithm is not known here.
    SignatureAlgorithm { found: String },
    /// A countersignature is itself countersigned.
    CounterOfCounter,
    /// Its CWT claims are no map.
    ClaimsForm,
    /// Its signing time is no integer.
    SigningTime,
    /// Its x5chain is no certificate or list of them.
    ChainForm,
    /// Its x5chain is empty.
    ChainEmpty,
    /// Its commitment is not known here.
    Commitment { urn: String },
    /// The message is larger than is read.
    MessageSize,
    /// Bytes follow the message.
    MessageTrailing,
    /// Its tag is not that of a signed message.
    Tag { tag: u64 },
    /// The message has too many signatures.
    MessageSignatures { most: usize },
    /// Label 11 is no list.
    Label11,
    /// Something is no byte string.
    NoBytes,
    /// Its payload is attached, and another was given.
    Attached,
    /// Its algorithm is not known here.
    Algorithm,
    /// Critical parameters are listed where nothing signs them.
    CriticalUnsigned,
    /// Its critical header parameter is not known here.
    Critical { name: String },
    /// The receipt is too long.
    ReceiptLength,
    /// A receipt's payload is not detached.
    ReceiptAttached,
    /// Its verifiable data structure is another.
    Structure,
    /// Its chain is no bytes.
    ChainBytes,
    /// Its chain is not acceptable.
    Chain,
    /// Something of a name is no bytes.
    NamedBytes { name: String },
    /// Its salt is no digest.
    Salt,
    /// Its compact range is no list of hashes.
    Range,
    /// Its proofs are not of one kind.
    Proofs,
    /// It does not have exactly one proof.
    OneProof,
    /// Its proof is too long.
    ProofLength,
    /// Its proof is of a kind that is not known here.
    ProofKind,
    /// It is no envelope.
    NoEnvelope,
    /// It should have exactly one signature.
    OneSignature,
    /// What the reader says.
    Other { detail: String },
}

impl From<String> for KeyFault {
    fn from(detail: String) -> Self {
        Self::Other { detail }
    }
}

impl From<&str> for KeyFault {
    fn from(detail: &str) -> Self {
        detail.to_owned().into()
    }
}
