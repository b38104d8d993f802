use crate::{
    CborError, CoseFault, CryptoError, KeyFault, Language, Many, PublicKeyFault, StructureFault,
    Unknown, WrapFault,
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

#[test]
fn every_fault_is_said_in_both_languages() {
    check_each! {
        WrapFault { Opened, Recipient, Joining, OtherPart, OtherKind, OtherKey, Length, }
        Many { Signatures, Receipts, HeaderItems, UnsignedElements, Countersignatures, Chain, TimeStamps,
            Material, AllCountersignatures, }
    }
    for one in each!(Unknown: Name { name: text() }, Form { form: 7 }, CriticalField { name: text() },
        Parameter { name: text() }, Content { version: 7 }, File { version: 7 }, InDirectory, )
    {
        let error = CborError::Newer(one);
        check(&error, |language| error.say(language));
    }
    for one in each!(StructureFault: NoNames, CriticalCount { count: 7 }, CriticalName,
        CriticalMissing { name: text() }, Other { detail: text() }, )
    {
        let error = CborError::Structure(one);
        check(&error, |language| error.say(language));
    }
    for one in each!(KeyFault: Kind { detail: text() }, NotPkcs8 { detail: text() }, NoBlock,
    Block { tag: text() }, OldEncryption, InDevice, NotPbes2, TooMuchWork, Other { detail: text() },
    ) {
        let error = CryptoError::PrivateKey(one);
        check(&error, |language| error.say(language));
    }
    for one in
        each!(PublicKeyFault: PssKey { salt: 7 }, Kind { kind: text() }, Other { detail: text() },)
    {
        let error = CryptoError::PublicKey(one);
        check(&error, |language| error.say(language));
    }
    for one in each!(CoseFault: NoContentType, Detached, NoSignature, ReceiptsForm, ReceiptForm,
        NoSuchSignature, HeaderBytes, NoSign, PayloadForm, SignaturesForm, SignatureItems, SignatureForm,
        HeaderForm, NoUnprotected, UnsignedForm, CounterForm, UnknownElement, ElementForm,
        Element { name: text() }, ChainLength { count: 7 }, SignatureAlgorithm { found: text() },
        CounterOfCounter, ClaimsForm, SigningTime, ChainForm, ChainEmpty, Commitment { urn: text() },
        MessageSize, MessageTrailing, Tag { tag: 7 }, MessageSignatures { most: 7 }, Label11, NoBytes,
        Attached, Algorithm, CriticalUnsigned, Critical { name: text() }, ReceiptLength, ReceiptAttached,
        Structure, ChainBytes, Chain, NamedBytes { name: text() }, Salt, Range, Proofs, OneProof,
        ProofLength, ProofKind, NoEnvelope, OneSignature, Other { detail: text() }, )
    {
        let error = CryptoError::Cose(one);
        check(&error, |language| error.say(language));
    }
}

#[test]
fn every_error_is_said_in_both_languages_with_a_remedy_and_has_a_code_of_its_own() {
    for one in each!(CborError: Truncated(7), Trailing(7), NotShortest(7), KeyOrder(7), Unsupported(7),
    Utf8(7), Depth(7), TooLarge(7, 7), Newer(Unknown::InDirectory), Structure(StructureFault::NoNames),
    ) {
        check(&one, |language| one.say(language));
        assert_eq!(one.to_string(), one.say(Language::En));
    }
    let mut codes = std::collections::BTreeSet::new();
    for one in each!(CryptoError: Random, PrivateKey(KeyFault::NoBlock), PassphraseNeeded, WrongPassphrase,
        PublicKey(PublicKeyFault::PssKey { salt: 7 }), BadSignature, AlgorithmMismatch(text()),
        Cose(CoseFault::Detached), Cbor(CborError::Utf8(3)), TooMany { what: Many::Receipts, most: 7 },
        Hpke(WrapFault::Length), Chunk(7), StreamEnd(7), )
    {
        check(&one, |language| one.say(language));
        check(&one, |language| one.remedy(language).to_owned());
        assert_eq!(one.to_string(), one.say(Language::En));
        assert!(codes.insert(one.code()), "{one:?}: {}", one.code());
    }
}
