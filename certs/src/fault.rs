//! What can be wrong with certificates, their lists and their paths, down to the leaf. What people read is made of it in
//! `wording`.

use crate::{AgencyName, CertError};

/// What is wrong with a path. `who` is a certificate by its display name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
#[non_exhaustive]
pub enum PathFault {
    /// It is asked about a time that is none.
    NoTime { at: i64 },
    /// No chain leads to an anchor.
    NoChain { who: String, by: String },
    /// It is signed by an algorithm that is not accepted.
    Algorithm { who: String, oid: String },
    /// It is signed by an algorithm that is not accepted with such a key.
    AlgorithmWithKey { who: String, oid: String, scheme: String },
    /// A key is of a kind that is not accepted.
    KeyKind { who: String, kind: String },
    /// An RSA key is too short or too long.
    RsaBits { who: String, bits: usize },
    /// It was not signed by the key of its issuer.
    Signature { who: String, by: String },
    /// It has expired.
    Expired { who: String, end: i64 },
    /// It is not valid yet.
    NotYetValid { who: String, start: i64, at: i64 },
    /// A time-stamp lies outside the validity of its authority.
    OutsideAuthority,
    /// The certificates around it allow more paths than are tried.
    TooManyPaths { who: String },
    /// What came along takes more checks than one document may.
    TooDear,
    /// It was revoked.
    Revoked { who: String, time: i64, reason: Option<u8> },
    /// No list at hand says whether it is revoked; a list that does not count.
    NotCovered { who: String, at: i64, list: Option<FaultyList> },
    /// The list is by somebody else than the certificate's issuer.
    OtherIssuer,
    /// It is not among the time-stamping authorities that are believed.
    NotNamed { who: String, by: String },
    /// It does not have the name that was asked for.
    OtherName { who: String, name: String },
    /// Its key is not for this use.
    NoUsage { who: String, usage: &'static str },
    /// It is a CA's, and signs only certificates.
    CaSigns { who: String },
    /// It is no time-stamping authority.
    NoStamping { who: String },
    /// The extended key usage of a CA does not allow it.
    UsageAbove { who: String, above: String },
    /// It is not as RFC 5280 §4 and its purpose want it.
    Profile { who: String, fault: ProfileFault },
    /// A name lies outside the name constraints of its issuers.
    OutsideNames { who: String, name: String, kind: String, issuer: String },
    /// A name is of a kind that is not taken where name constraints bind.
    NameKind { who: String, name: String, kind: String, issuer: String },
    /// It has a critical extension that is not known.
    CriticalExtension { who: String, oid: String },
    /// No certificate policy is valid along its path.
    NoPolicy { who: String },
    /// It maps any policy to another.
    MapsAnyPolicy { who: String },
    /// It issues certificates and is no CA.
    NoCa { who: String },
    /// The path length constraint of a CA above it is exceeded.
    PathLength { who: String },
    /// The key usage of a CA does not allow it to issue certificates.
    UsageOfCa { who: String },
    /// The certificate cannot be read.
    Unreadable(Box<CertError>),
}

/// A list by the issuer's name that does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultyList {
    /// Its issuer, by its display name.
    pub issuer: String,
    /// Why it does not count.
    pub fault: CrlFault,
}

/// In what a certificate is not as RFC 5280 §4, or the profile of its purpose, wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
#[non_exhaustive]
pub enum ProfileFault {
    /// It is not of version 3.
    Version,
    /// Its serial number is zero.
    SerialZero,
    /// Its serial number is negative.
    SerialNegative,
    /// Its serial number is too long.
    SerialLong,
    /// Its issuer has no name.
    IssuerUnnamed,
    /// Its validity ends before it begins.
    Validity,
    /// Its signature algorithm has parameters that do not belong there.
    AlgorithmParameters,
    /// A default is spelled out in it.
    SpelledDefault,
    /// A time in it is of the wrong kind.
    TimeKind,
    /// It has a unique identifier.
    UniqueId,
    /// A text in a name is not of its kind.
    NameText,
    /// Its RSA key is too weak.
    RsaWeak { bits: usize },
    /// Its RSA key has a length that is no multiple of 8.
    RsaOdd { bits: usize },
    /// Its subjectKeyIdentifier is critical.
    SubjectKeyCritical,
    /// It is a CA's and has no subjectKeyIdentifier.
    CaWithoutSubjectKey,
    /// It has no authorityKeyIdentifier.
    NoAuthorityKey,
    /// Its authorityKeyIdentifier is critical.
    AuthorityKeyCritical,
    /// Its authorityKeyIdentifier has no keyIdentifier.
    AuthorityKeyWithoutId,
    /// Its authorityKeyIdentifier has an issuer or a serial number alone.
    AuthorityKeyHalf,
    /// It is self-signed, and its key identifiers differ.
    OwnKeyIds,
    /// Its keyUsage has no bit set.
    NoUsageBit,
    /// It has keyCertSign and is no CA's.
    CertSignWithoutCa,
    /// It issues certificates and is no CA by its basicConstraints.
    IssuesWithoutCa,
    /// Its basicConstraints are not critical.
    BasicNotCritical,
    /// It is a CA's and has no keyUsage.
    CaWithoutUsage,
    /// It issues certificates without keyCertSign.
    IssuesWithoutCertSign,
    /// It is a CA's and has no subject.
    CaWithoutSubject,
    /// It is no CA's and has an extension of CAs.
    NotACas { extension: &'static str },
    /// An extension is not critical that must be.
    NotCritical { extension: &'static str },
    /// Its nameConstraints are empty.
    ConstraintsEmpty,
    /// A subtree in its nameConstraints is malformed.
    Subtree(SubtreeFault),
    /// Its policyConstraints are empty.
    PolicyConstraintsEmpty,
    /// Its issuerAltName is empty.
    IssuerNamesEmpty,
    /// It names nobody.
    NamesNobody,
    /// Its subjectAltName is empty.
    NamesEmpty,
    /// Its subject is empty and its subjectAltName is not critical.
    NamesNotCritical,
    /// Its subjectAltName is critical though it has a subject.
    NamesCritical,
    /// A name in its subjectAltName is malformed.
    AlternativeName(GeneralNameFault),
    /// A policy stands twice in it, or none.
    PoliciesTwice,
    /// It is no CA's and has policyMappings.
    MappingsWithoutCa,
    /// It maps anyPolicy, or nothing.
    MapsAny,
    /// An extension is critical that must not be.
    WronglyCritical { extension: &'static str },
    /// An extension is empty.
    Empty { extension: &'static str },
    /// A distribution point in it names no place.
    PointNowhere,
    /// It is a root's and has extKeyUsage.
    RootWithUsage,
    /// It is a root's and its authorityKeyIdentifier names more than a key.
    RootAuthorityKey,
    /// It has no extKeyUsage, as a server must.
    ServerWithoutUsage,
    /// Its extKeyUsage is critical.
    UsageCritical,
    /// Its extKeyUsage has what no server may have.
    ForbiddenUsage { usage: String },
    /// It has no subjectAltName.
    ServerWithoutNames,
    /// Its wildcard is over a public suffix.
    Wildcard { name: String },
    /// Its common name is no copy of an alternative name.
    CommonName,
}

/// What is wrong with a subtree of name constraints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubtreeFault {
    /// A mailbox is none.
    Mailbox,
    /// A host or domain is none.
    Host,
    /// A dNSName is no host name.
    Dns,
    /// An iPAddress is no address with its mask.
    Ip,
}

/// What is wrong with an alternative name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GeneralNameFault {
    /// A mailbox is none.
    Mailbox,
    /// A dNSName is no host name.
    Dns,
    /// A URI is not absolute.
    Uri,
    /// An iPAddress has another length.
    Ip,
    /// A directoryName is empty.
    Directory,
}

/// In what a list that can be read is not as RFC 5280 §5 wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CrlFault {
    /// It is not of version 2.
    Version,
    /// It has no number.
    NoNumber,
    /// Its times have another form.
    Times,
    /// A certificate issuer in it is not critical.
    EntryIssuer,
    /// Its number is critical.
    NumberCritical,
    /// That it is a delta is not critical.
    DeltaNotCritical,
    /// Its scope is not critical.
    ScopeNotCritical,
}

/// Why a CA does not issue what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
#[non_exhaustive]
pub enum RefusalFault {
    /// A root is to be valid for no time.
    RootValidity,
    /// A list is to be valid for no time.
    CrlValidity,
    /// The certificate is no CA's.
    NoCa { who: String },
    /// A root is to be issued.
    IssuesRoot,
    /// An intermediate CA is to have no permitted subtree.
    NoSubtree,
    /// A pathLenConstraint allows no further CA below.
    Depth { ca: String },
    /// The validity would end after that of the CA.
    Beyond { ca: String },
    /// The validity is over already.
    Over,
    /// An RSA key is too weak.
    RsaBits { bits: usize, least: usize },
    /// A text is no serial number.
    NoSerial { given: String },
    /// A text is no object identifier.
    NoObjectId { given: String },
    /// The certificate is not for this use.
    Usage(Box<PathFault>),
    /// The request is not acceptable.
    Request(RequestFault),
}

/// What is wrong with a certificate request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
#[non_exhaustive]
pub enum RequestFault {
    /// Its key is of a kind that is not accepted.
    Key { kind: String },
    /// Its RSA key is too weak.
    WeakRsa,
    /// Its signature algorithm is not accepted.
    Algorithm { oid: String },
    /// It is not signed by the key that it asks for.
    NotSigned,
    /// It asks for a name of a kind that is not issued.
    Name { name: String },
    /// It asks for several names.
    Names,
}

/// Which name is not of the form that it should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameKind {
    /// That of an agency.
    Agency,
    /// That of an officer.
    Officer,
    /// That of an enterprise or citizen.
    Party,
    /// The subject of a certificate.
    Subject,
}

/// What is wrong with a name, or with a certificate that should say one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameFault {
    /// It is too long.
    Length,
    /// It has one label only.
    OneLabel,
    /// A label is empty or too long.
    LabelLength,
    /// It holds other characters than may stand in it.
    Characters,
    /// A label starts or ends with a hyphen.
    Hyphen,
    /// It has no @.
    NoAt,
    /// What stands before the @ is not acceptable.
    LocalPart,
    /// It has no name that says who signs.
    NoName,
    /// It has several alternative names.
    SeveralNames,
    /// It is an officer's.
    OfAnOfficer,
    /// It is no unified social credit code, nor a pseudonym.
    CreditCode,
    /// The pseudonym is too short, too long, or of other characters.
    Pseudonym,
    /// A citizen's identity number stands in it.
    Identity,
    /// Only parties are named so.
    OfAParty,
}

/// Why what a sealed statement says cannot hold.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
#[non_exhaustive]
pub enum StatementFault {
    /// An encryption key is not in use at that time.
    KeyNotInUse,
    /// The directory has expired.
    Expired { version: u64 },
    /// An agency has too many witnesses.
    Witnesses { agency: AgencyName, most: usize },
}

/// What is wrong with a CMS structure.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
#[non_exhaustive]
pub enum CmsFault {
    /// It is larger than is read.
    Size,
    /// It is no signed data.
    NoSignedData,
    /// Its content is no OCTET STRING.
    ContentKind,
    /// It has no signer, or too many.
    Signers { count: usize },
    /// It has no such signer.
    NoSuchSigner,
    /// It holds another content than the one that it is to sign.
    OtherContent,
    /// An algorithm is not accepted.
    Algorithm { oid: String },
    /// Its signed content type is another than its content's.
    ContentType,
    /// A key is of a kind that is not used here.
    KeyKind { kind: String },
    /// It has no signed attributes.
    NoSignedAttributes,
    /// It binds no certificate.
    BindsNone,
    /// It binds its certificate by a weak digest.
    WeakBinding,
    /// The certificate that its signature binds is not there.
    BoundMissing,
    /// The certificate of its signer is not there.
    SignerMissing,
    /// A signed attribute does not stand once, alone.
    Attribute { oid: String },
    /// It is no BER that can be read; why, as the reader says.
    Ber { detail: String },
}

/// What is wrong with a time-stamp, or with an answer about one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant speaks of, by its name")]
#[non_exhaustive]
pub enum TimeStampFault {
    /// The answer is larger than is read.
    AnswerSize,
    /// The authority refuses.
    Refused { status: u8, text: Option<String> },
    /// The answer holds no token.
    NoToken,
    /// The token is of other bytes than were asked about.
    OtherBytes,
    /// The token does not answer this request.
    Nonce,
    /// It holds something else.
    NoStamp,
    /// It is empty.
    Empty,
    /// Its policy is no object identifier.
    Policy,
    /// It has another version, or several signers.
    Version,
    /// Its digest algorithm is not accepted.
    Digest,
    /// Its digest has not the length of its algorithm.
    DigestLength,
    /// It has a critical extension that is not known.
    CriticalExtension,
    /// It does not bind the certificate of its authority.
    NotBound,
    /// It does not decode; why, as the reader says.
    Der { detail: String },
}
