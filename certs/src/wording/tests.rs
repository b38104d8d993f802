use chancery_crypto::{CryptoError, Language};

use crate::{
    AgencyName, CertError, CmsFault, CrlFault, FaultyList, GeneralNameFault, NameFault, NameKind,
    PathError, PathFault, ProfileFault, RefusalFault, RequestFault, SealError, StatementFault,
    SubtreeFault, TimeStampFault,
};

/// One value of each variant of an enum. The match is there for the compiler: it insists that no variant is missing.
macro_rules! each {
    ($kind:ident: $($variant:ident $({ $($fields:tt)* })? $(($($inner:tt)*))?,)+) => {{
        let complete = |one: &$kind| match one {
            $($kind::$variant { .. } => {})+
        };
        let all = vec![$($kind::$variant $({ $($fields)* })? $(($($inner)*))?),+];
        all.iter().for_each(complete);
        all
    }};
}

fn text() -> String {
    "x".to_owned()
}

/// That a sentence is there in both languages, and that the Chinese one is Chinese: what stands in it of Latin letters is
/// names and terms, never three words of English in a row.
fn check(what: &dyn std::fmt::Debug, say: impl Fn(Language) -> String) {
    let (en, zh) = (say(Language::En), say(Language::Zh));
    assert!(en.chars().filter(char::is_ascii_alphabetic).count() > 2, "{what:?}: {en:?}");
    assert!(zh.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "{what:?}: {zh:?}");
    let plain = |word: &&str| word.len() > 1 && word.bytes().all(|b| b.is_ascii_lowercase());
    let words: Vec<_> =
        zh.split(|c: char| !c.is_ascii_graphic()).filter(|w| !w.is_empty()).collect();
    let english = words.windows(3).any(|three| three.iter().all(plain));
    assert!(!english, "{what:?}: {zh:?}");
}

macro_rules! check_each {
    ($($kind:ident { $($all:tt)* })+) => {$(
        for one in each!($kind: $($all)*) {
            check(&one, |language| one.say(language));
        }
    )+};
}

fn agency() -> AgencyName {
    "a.gov.cn".parse().expect("a name")
}

#[test]
fn every_fault_is_said_in_both_languages() {
    check_each! {
        PathFault { NoTime { at: 1_790_000_000 }, NoChain { who: text(), by: text() },
            Algorithm { who: text(), oid: text() },
            AlgorithmWithKey { who: text(), oid: text(), scheme: text() },
            KeyKind { who: text(), kind: text() }, RsaBits { who: text(), bits: 7 },
            Signature { who: text(), by: text() }, Expired { who: text(), end: 1_790_000_000 },
            NotYetValid { who: text(), start: 1_790_000_000, at: 1_790_000_000 }, OutsideAuthority,
            TooManyPaths { who: text() }, TooDear,
            Revoked { who: text(), time: 1_790_000_000, reason: Some(1) },
            NotCovered { who: text(), at: 1_790_000_000, list: Some(FaultyList { issuer: text(), fault: CrlFault::Version }) },
            OtherIssuer, NotNamed { who: text(), by: text() }, OtherName { who: text(), name: text() },
            NoUsage { who: text(), usage: "serverAuth" }, CaSigns { who: text() },
            NoStamping { who: text() }, UsageAbove { who: text(), above: text() },
            Profile { who: text(), fault: ProfileFault::Version },
            OutsideNames { who: text(), name: text(), kind: text(), issuer: text() },
            NameKind { who: text(), name: text(), kind: text(), issuer: text() },
            CriticalExtension { who: text(), oid: text() }, NoPolicy { who: text() },
            MapsAnyPolicy { who: text() }, NoCa { who: text() }, PathLength { who: text() },
            UsageOfCa { who: text() }, Unreadable(Box::new(CertError::NoCertificate)), }
        ProfileFault { Version, SerialZero, SerialNegative, SerialLong, IssuerUnnamed, Validity,
            AlgorithmParameters, SpelledDefault, TimeKind, UniqueId, NameText, RsaWeak { bits: 7 },
            RsaOdd { bits: 7 }, SubjectKeyCritical, CaWithoutSubjectKey, NoAuthorityKey,
            AuthorityKeyCritical, AuthorityKeyWithoutId, AuthorityKeyHalf, OwnKeyIds, NoUsageBit,
            CertSignWithoutCa, IssuesWithoutCa, BasicNotCritical, CaWithoutUsage, IssuesWithoutCertSign,
            CaWithoutSubject, NotACas { extension: "serverAuth" }, NotCritical { extension: "serverAuth" },
            ConstraintsEmpty, Subtree(SubtreeFault::Ip), PolicyConstraintsEmpty, IssuerNamesEmpty,
            NamesNobody, NamesEmpty, NamesNotCritical, NamesCritical,
            AlternativeName(GeneralNameFault::Uri), PoliciesTwice, MappingsWithoutCa, MapsAny,
            WronglyCritical { extension: "serverAuth" }, Empty { extension: "serverAuth" }, PointNowhere,
            RootWithUsage, RootAuthorityKey, ServerWithoutUsage, UsageCritical,
            ForbiddenUsage { usage: text() }, ServerWithoutNames, Wildcard { name: text() }, CommonName, }
        SubtreeFault { Mailbox, Host, Dns, Ip, }
        GeneralNameFault { Mailbox, Dns, Uri, Ip, Directory, }
        CrlFault { Version, NoNumber, Times, EntryIssuer, NumberCritical, DeltaNotCritical, ScopeNotCritical, }
        RefusalFault { RootValidity, CrlValidity, NoCa { who: text() }, IssuesRoot, NoSubtree,
            Depth { ca: text() }, Beyond { ca: text() }, Over, RsaBits { bits: 7, least: 7 },
            NoSerial { given: text() }, NoObjectId { given: text() }, Usage(Box::new(PathFault::TooDear)),
            Request(RequestFault::WeakRsa), }
        RequestFault { Key { kind: text() }, WeakRsa, Algorithm { oid: text() }, NotSigned,
            Name { name: text() }, Names, }
        NameKind { Agency, Officer, Party, Subject, }
        NameFault { Length, OneLabel, LabelLength, Characters, Hyphen, NoAt, LocalPart, NoName,
            SeveralNames, OfAnOfficer, CreditCode, Pseudonym, Identity, OfAParty, }
        StatementFault { KeyNotInUse, Expired { version: 7 }, Witnesses { agency: agency(), most: 7 }, }
    }
    for one in each!(CmsFault: Size, NoSignedData, ContentKind, Signers { count: 7 }, NoSuchSigner,
        OtherContent, Algorithm { oid: text() }, ContentType, KeyKind { kind: text() }, NoSignedAttributes,
        BindsNone, WeakBinding, BoundMissing, SignerMissing, Attribute { oid: text() },
        Ber { detail: text() }, )
    {
        let error = CertError::Cms(one);
        check(&error, |language| error.say(language));
    }
    for one in each!(TimeStampFault: AnswerSize, Refused { status: 2, text: Some(text()) }, NoToken,
        OtherBytes, Nonce, NoStamp, Empty, Policy, Version, Digest, DigestLength, CriticalExtension,
        NotBound, Der { detail: text() }, )
    {
        let error = CertError::TimeStamp(one);
        check(&error, |language| error.say(language));
    }
}

#[test]
fn every_error_is_said_in_both_languages_with_a_remedy_and_has_a_code_of_its_own() {
    let mut codes = std::collections::BTreeSet::new();
    for one in each!(CertError: Name { what: NameKind::Officer, given: text(), why: NameFault::NoAt },
        Malformed(text()), Crl(text()), NoCertificate, Refused(RefusalFault::Over),
        Mismatch { subject: text() }, Unverifiable(PathError::too_dear()), Issue(text()),
        Cms(CmsFault::NoSignedData), TimeStamp(TimeStampFault::Nonce), Path(PathError::too_dear()),
        Crypto(CryptoError::BadSignature), )
    {
        check(&one, |language| one.say(language));
        check(&one, |language| one.remedy(language).to_owned());
        assert_eq!(one.to_string(), one.say(Language::En));
        assert!(codes.insert(one.code()), "{one:?}: {}", one.code());
    }
    for one in each!(SealError: Crypto(CryptoError::BadSignature), Certificate(CertError::NoCertificate),
        Path(PathError::too_dear()), ContentType { want: text(), found: text() },
        Signer { want: text(), found: text() }, Content(StatementFault::KeyNotInUse), )
    {
        check(&one, |language| one.say(language));
        assert_eq!(one.to_string(), one.say(Language::En));
        // What is wrong with its signer has the code of that.
        let own = matches!(
            one,
            SealError::ContentType { .. } | SealError::Signer { .. } | SealError::Content(_)
        );
        assert!(!own || codes.insert(one.code()), "{one:?}: {}", one.code());
    }
}
