use std::collections::{BTreeMap, BTreeSet};

use chancery_crypto::{CoseSign, CryptoError, Digest, KemPublicKey, cbor};
use serde::{Deserialize, Serialize};

use crate::{
    AgencyName, Certificate, Credential, Crl, Formats, Opened, Scrutiny, SealError, SignerName,
    StatementFault, TrustStore, open_sealed,
    sealed::{open_sealed_within, seal, seal_with},
};

/// The largest directory, in bytes: some four kilobytes an agency.
pub const MAX_DIRECTORY: usize = 32 << 20;

/// The most bytes beside a card.
const MAX_CARD_MORE: usize = 16 << 10;
/// Witnesses that each agency should have at least.
pub const LEAST_WITNESSES: usize = 3;
/// The most witnesses of one agency.
pub const MAX_WITNESSES: usize = 64;

const STATEMENT: &str = "application/vnd.chancery.encryption-key+cbor";
const CARD: &str = "application/vnd.chancery.agency-card+cbor";
const DIRECTORY: &str = "application/vnd.chancery.directory+cbor";

/// An agency's encryption key, stated by its seal: the HPKE key is no X.509 key, so it rotates
/// without the CA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncryptionKeyStatement {
    /// The agency.
    pub agency: AgencyName,
    /// Its key.
    pub key: KemPublicKey,
    /// The first second of use, since 1970 UTC.
    pub not_before: i64,
    /// The last second of use.
    pub not_after: i64,
}

impl EncryptionKeyStatement {
    /// Signs the statement by the agency's seal.
    ///
    /// # Errors
    /// [`CryptoError`] when signing fails.
    pub fn seal(&self, by: &Credential, now: i64) -> Result<Vec<u8>, CryptoError> {
        seal(STATEMENT, self, by, now)
    }

    /// Verifies a statement: signed by the very agency that it speaks of, and in use at that time.
    ///
    /// # Errors
    /// [`SealError`], saying why it is not accepted.
    pub fn open(bytes: &[u8], by: &Scrutiny<'_>) -> Result<Self, SealError> {
        let opened: Opened<Self> = open_sealed(STATEMENT, bytes, by)?;
        expect_signer(&opened.signer, &opened.value.agency)?;
        if !(opened.value.not_before..=opened.value.not_after).contains(&by.at) {
            return Err(SealError::Content(StatementFault::KeyNotInUse));
        }
        Ok(opened.value)
    }
}

/// What an agency says of itself, signed by its seal, for the registrar to publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgencyCard {
    /// The agency.
    pub agency: AgencyName,
    /// Its name for people.
    pub display: String,
    /// Where its node listens: `host:port`.
    pub address: String,
    /// The superior whose node relays to and from it, when it is reached through one only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<AgencyName>,
    /// Its sealed [`EncryptionKeyStatement`].
    #[serde(with = "serde_bytes")]
    pub encryption_key: Vec<u8>,
}

impl AgencyCard {
    /// Signs the card by the agency's seal, with the formats that this program reads and writes beside it.
    ///
    /// # Errors
    /// [`CryptoError`] when signing fails.
    pub fn seal(&self, by: &Credential, now: i64) -> Result<Vec<u8>, CryptoError> {
        self.seal_with(Some(&Formats::own()), by, now)
    }

    /// As [`AgencyCard::seal`], with other formats; none for a card as the first release made it.
    ///
    /// # Errors
    /// As [`AgencyCard::seal`].
    pub fn seal_with(
        &self,
        formats: Option<&Formats>,
        by: &Credential,
        now: i64,
    ) -> Result<Vec<u8>, CryptoError> {
        let more = |formats: &Formats| cbor::encode(&CardMore { formats: formats.clone() });
        seal_with(CARD, self, formats.map(more).transpose()?, by, now, cbor::MAX_BYTES)
    }

    /// Verifies a card: signed by the very agency that it speaks of. The chain that comes with it
    /// is that of the agency's seal.
    ///
    /// # Errors
    /// [`SealError`], saying why it is not accepted.
    pub fn open(bytes: &[u8], by: &Scrutiny<'_>) -> Result<Opened<Self>, SealError> {
        let opened: Opened<Self> = open_sealed(CARD, bytes, by)?;
        expect_signer(&opened.signer, &opened.value.agency)?;
        Ok(opened)
    }
}

/// What stands beside a card: nodes of the first release, which take no card with a field that they do not know, pass
/// over it.
#[derive(Debug, Serialize, Deserialize)]
struct CardMore {
    #[serde(default)]
    formats: Formats,
}

impl Opened<AgencyCard> {
    /// The formats that the agency's node announces; those of the first release when its card says nothing.
    ///
    /// # Errors
    /// [`SealError`] when what stands beside the card cannot be read.
    pub fn formats(&self) -> Result<Formats, SealError> {
        let Some(more) = &self.more else { return Ok(Formats::default()) };
        let more: CardMore = cbor::decode_open(more, MAX_CARD_MORE).map_err(CryptoError::Cbor)?;
        Ok(more.formats)
    }
}

/// The directory of a trust domain: who is on the bus, where, and under which keys. Signed and
/// versioned; a node keeps the newest it has seen and refuses an older one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    /// The registrar whose seal signs it.
    pub registrar: AgencyName,
    /// Grows with each publication.
    pub version: u64,
    /// When it was published, in seconds since 1970 UTC.
    pub issued: i64,
    /// Until when it may be used without a newer one.
    pub expires: i64,
    /// The sealed [`AgencyCard`]s.
    pub agencies: Vec<serde_bytes::ByteBuf>,
    /// The newest revocation lists of the domain's CAs, DER.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crls: Vec<serde_bytes::ByteBuf>,
}

impl Directory {
    /// Signs the directory by the registrar's seal.
    ///
    /// # Errors
    /// [`CryptoError`] when signing fails.
    pub fn seal(&self, by: &Credential, now: i64) -> Result<Vec<u8>, CryptoError> {
        self.seal_with(&DirectoryMore::default(), by, now)
    }

    /// As [`Directory::seal`], with more beside it that the registrar says.
    ///
    /// # Errors
    /// As [`Directory::seal`].
    pub fn seal_with(
        &self,
        more: &DirectoryMore,
        by: &Credential,
        now: i64,
    ) -> Result<Vec<u8>, CryptoError> {
        let said = (*more != DirectoryMore::default()).then(|| cbor::encode(more)).transpose()?;
        seal_with(DIRECTORY, self, said, by, now, MAX_DIRECTORY)
    }

    /// The revocation lists in a directory, without verifying it: each is verified by itself when it is to speak.
    pub fn crls_unverified(bytes: &[u8]) -> Vec<Crl> {
        let Ok(cose) = CoseSign::decode_within(bytes, MAX_DIRECTORY) else { return Vec::new() };
        let read = cbor::decode_open::<Self>(cose.payload(), MAX_DIRECTORY);
        let lists = read.map(|directory| directory.crls).unwrap_or_default();
        lists.iter().filter_map(|der| Crl::from_der(der).ok()).collect()
    }

    /// Until when a directory says it may be used, without verifying it: to know as of when to verify one that has
    /// expired.
    pub fn expires_unverified(bytes: &[u8]) -> Option<i64> {
        let cose = CoseSign::decode_within(bytes, MAX_DIRECTORY).ok()?;
        cbor::decode_open::<Self>(cose.payload(), MAX_DIRECTORY)
            .ok()
            .map(|directory| directory.expires)
    }

    /// Verifies a directory: signed by `registrar`, and not past its expiry at that time.
    ///
    /// # Errors
    /// [`SealError`], saying why it is not accepted.
    pub fn open(
        bytes: &[u8],
        registrar: &AgencyName,
        by: &Scrutiny<'_>,
    ) -> Result<Self, SealError> {
        Self::open_whole(bytes, registrar, by).map(|opened| opened.directory)
    }

    /// As [`Directory::open`], with what stands beside it.
    ///
    /// # Errors
    /// As [`Directory::open`].
    pub fn open_whole(
        bytes: &[u8],
        registrar: &AgencyName,
        by: &Scrutiny<'_>,
    ) -> Result<OpenedDirectory, SealError> {
        let opened: Opened<Self> = open_sealed_within(DIRECTORY, bytes, by, MAX_DIRECTORY)?;
        expect_signer(&opened.signer, registrar)?;
        expect_signer(&SignerName::Agency(opened.value.registrar.clone()), registrar)?;
        if by.at > opened.value.expires {
            let fault = StatementFault::Expired { version: opened.value.version };
            return Err(SealError::Content(fault));
        }
        let more = DirectoryMore::read(opened.more.as_deref())?;
        let (directory, digest) = (opened.value, opened.whole);
        // What is written again loses what is not known here.
        let payload = CoseSign::decode_within(bytes, MAX_DIRECTORY)?;
        let same = cbor::encode_within(&directory, MAX_DIRECTORY)
            .is_ok_and(|again| again == payload.payload())
            && opened.more.is_none_or(|bytes| cbor::encode(&more).is_ok_and(|m| m == bytes));
        Ok(OpenedDirectory { directory, more, digest, known_whole: same })
    }
}

/// What a registrar says beside the directory: nodes of the first release, which take no directory with a field that
/// they do not know, pass over it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryMore {
    /// The directory before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Previous>,
    /// Who witnesses the ledger of an agency.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub witnesses: BTreeMap<AgencyName, BTreeSet<AgencyName>>,
    /// Agencies that the registrar holds for independent of all others, as witnesses.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub independent: BTreeSet<AgencyName>,
    /// The time-stamping authorities of the domain, or CAs of such, DER: for those that take the registrar's word.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorities: Vec<serde_bytes::ByteBuf>,
}

/// The directory before another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// Its digest; see [`OpenedDirectory`].
    pub digest: Digest,
    /// Its version.
    pub version: u64,
}

impl DirectoryMore {
    fn read(bytes: Option<&[u8]>) -> Result<Self, SealError> {
        let Some(bytes) = bytes else { return Ok(Self::default()) };
        let more: Self = cbor::decode_open(bytes, cbor::MAX_BYTES).map_err(CryptoError::Cbor)?;
        if let Some((agency, _)) = more.witnesses.iter().find(|(_, w)| w.len() > MAX_WITNESSES) {
            let (agency, most) = (agency.clone(), MAX_WITNESSES);
            return Err(SealError::Content(StatementFault::Witnesses { agency, most }));
        }
        Ok(more)
    }
}

/// A directory that was verified, with what stands beside it.
#[derive(Debug, Clone)]
pub struct OpenedDirectory {
    /// The directory.
    pub directory: Directory,
    /// What stands beside it.
    pub more: DirectoryMore,
    /// The digest of both, as they were signed ([`CoseSign::signed_digest`]): whoever signs the same again, later or with
    /// another key, has published nothing else.
    pub digest: Digest,
    /// Whether nothing stands in it that is not known here: else whoever makes the next of it must be of a newer version, or
    /// would lose something.
    pub known_whole: bool,
}

impl OpenedDirectory {
    /// The time-stamping authorities that it names. One that cannot be read is left out.
    pub fn time_authorities(&self) -> Vec<Certificate> {
        self.more.authorities.iter().filter_map(|der| Certificate::from_der(der).ok()).collect()
    }
}

/// What is missing in an agency's witnesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WitnessGaps {
    /// How many it has that are in the directory and not itself.
    pub witnesses: usize,
    /// Whether one of them stands outside its own line: under another CA directly below the root, or named independent by
    /// the registrar.
    pub independent: bool,
}

impl WitnessGaps {
    /// Whether nothing is missing.
    pub fn is_none(&self) -> bool {
        self.witnesses >= LEAST_WITNESSES && self.independent
    }
}

impl DirectoryMore {
    /// What is missing in the witnesses of `agency`. `line` gives the line of an agency that is in the directory.
    pub fn witness_gaps(
        &self,
        agency: &AgencyName,
        line: impl Fn(&AgencyName) -> Option<Line>,
    ) -> WitnessGaps {
        let own = line(agency);
        let named = self.witnesses.get(agency).into_iter().flatten();
        let mut gaps = WitnessGaps::default();
        for witness in named.filter(|witness| *witness != agency) {
            let Some(theirs) = line(witness) else { continue };
            gaps.witnesses += 1;
            let other = match (&own, &theirs) {
                (Some(Line::Ca(own)), Line::Ca(theirs)) => own != theirs,
                (Some(Line::Root), Line::Ca(_)) => true,
                _ => false,
            };
            gaps.independent |= other || self.independent.contains(witness);
        }
        gaps
    }
}

/// Under whom an agency's seal stands, directly below an anchor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// The anchor issued the seal itself.
    Root,
    /// A CA, by its name.
    Ca(Vec<u8>),
    /// Its chain leads to more than one: it makes nobody independent, and nobody is independent of it.
    Unclear,
}

impl Line {
    /// The line of a seal with a valid path. A chain may hold certificates that the path does not use: they must not put
    /// the seal into another line.
    pub fn of(chain: &[Certificate], trust: &TrustStore) -> Self {
        let below = |one: &&Certificate| {
            trust.anchors().any(|anchor| anchor.0.subject_der == one.0.issuer_der)
        };
        let mut tops: Vec<_> = chain.iter().filter(below).collect();
        tops.dedup_by(|a, b| a.0.subject_der == b.0.subject_der);
        match (tops.as_slice(), chain.first()) {
            ([top], Some(own)) if top.der() == own.der() => Self::Root,
            ([top], _) => Self::Ca(top.0.subject_der.clone()),
            _ => Self::Unclear,
        }
    }
}

fn expect_signer(found: &SignerName, want: &AgencyName) -> Result<(), SealError> {
    if *found == SignerName::Agency(want.clone()) {
        return Ok(());
    }
    Err(SealError::Signer { want: want.to_string(), found: found.to_string() })
}

#[cfg(test)]
mod tests {
    use chancery_crypto::{Algorithm, SigningKey};
    use proptest::prelude::*;

    use super::*;
    use crate::{Issuer, Profile, Subject};

    const NOW: i64 = 1_790_000_000;

    fn name(text: &str) -> AgencyName {
        text.parse().expect("a name")
    }

    /// A root, two CAs below it, and a seal under each of the three.
    fn world() -> (TrustStore, Vec<Credential>, [Certificate; 2]) {
        let root = Issuer::new_root("Root", &[], Algorithm::EdDsa, NOW).expect("a root");
        let ca = |display: &str, domain: &str| {
            let key = SigningKey::generate(Algorithm::EdDsa).expect("random bytes");
            let subject = Subject::authority(display, &[name(domain)], None);
            let certificate = root.issue(&subject, &key.public_key(), NOW).expect("a CA");
            Issuer::new(key, vec![certificate]).expect("fits")
        };
        let (one, two) = (ca("One", "one.cn"), ca("Two", "two.cn"));
        let seal = |by: &Issuer, agency: &str, above: &[&Issuer]| {
            let key = SigningKey::generate(Algorithm::EdDsa).expect("random bytes");
            let subject = Subject::agency(Profile::Seal, name(agency), agency);
            let own = by.issue(&subject, &key.public_key(), NOW).expect("a seal");
            let above = above.iter().map(|issuer| issuer.certificate().clone());
            Credential::new(key, std::iter::once(own).chain(above).collect()).expect("fits")
        };
        let seals = vec![
            seal(&root, "root.cn", &[]),
            seal(&one, "a.one.cn", &[&one]),
            seal(&one, "b.one.cn", &[&one]),
            seal(&two, "a.two.cn", &[&two]),
            // It would like to stand under both.
            seal(&one, "both.one.cn", &[&one, &two]),
        ];
        let trust = TrustStore::new([root.certificate().clone()]).expect("an anchor");
        (trust, seals, [one.certificate().clone(), two.certificate().clone()])
    }

    #[test]
    fn it_is_known_when_a_directory_holds_what_this_version_does_not_know() {
        let (trust, seals, _) = world();
        let directory = Directory {
            registrar: name("root.cn"),
            version: 1,
            issued: NOW,
            expires: NOW + 9,
            agencies: Vec::new(),
            crls: Vec::new(),
        };
        let by = Scrutiny::without_lists(&trust, NOW);
        let whole = |bytes: &[u8]| {
            let opened = Directory::open_whole(bytes, &name("root.cn"), &by);
            opened.expect("it holds").known_whole
        };
        let more = DirectoryMore { independent: [name("a.one.cn")].into(), ..Default::default() };
        for more in [&DirectoryMore::default(), &more] {
            assert!(whole(&directory.seal_with(more, &seals[0], NOW).expect("sealed")));
        }
        #[derive(Serialize)]
        struct Newer {
            later: u8,
        }
        let later = cbor::encode(&Newer { later: 1 }).expect("plain");
        let sealed = seal_with(DIRECTORY, &directory, Some(later), &seals[0], NOW, MAX_DIRECTORY);
        assert!(!whole(&sealed.expect("sealed")));
    }

    #[test]
    fn a_witness_is_independent_under_another_ca_or_by_the_registrars_word() {
        let (trust, seals, [one, two]) = world();
        let line = |agency: &AgencyName| {
            let seal = seals.iter().find(|seal| seal.name().agency() == agency)?;
            Some(Line::of(seal.chain(), &trust))
        };
        assert_eq!(line(&name("root.cn")), Some(Line::Root));
        assert_eq!(line(&name("a.one.cn")), Some(Line::Ca(one.0.subject_der.clone())));
        assert_eq!(line(&name("a.two.cn")), Some(Line::Ca(two.0.subject_der.clone())));
        assert_eq!(line(&name("both.one.cn")), Some(Line::Unclear));
        let gaps = |agency: &str, witnesses: &[&str], independent: &[&str]| {
            let all = |names: &[&str]| names.iter().map(|n| name(n)).collect::<BTreeSet<_>>();
            let witnesses = [(name(agency), all(witnesses))].into_iter().collect();
            let independent = all(independent);
            let more = DirectoryMore { witnesses, independent, ..DirectoryMore::default() };
            let gaps = more.witness_gaps(&name(agency), line);
            (gaps.witnesses, gaps.independent, gaps.is_none())
        };
        let three = ["b.one.cn", "a.two.cn", "root.cn"];
        assert_eq!(gaps("a.one.cn", &three, &[]), (3, true, true));
        assert_eq!(gaps("a.one.cn", &three[..2], &[]), (2, true, false));
        assert_eq!(gaps("a.one.cn", &["b.one.cn", "root.cn"], &[]), (2, false, false));
        assert_eq!(gaps("a.one.cn", &["b.one.cn", "root.cn"], &["root.cn"]), (2, true, false));
        // Itself, and one that is in no directory, are no witnesses.
        assert_eq!(gaps("a.one.cn", &["a.one.cn", "away.cn"], &["away.cn"]), (0, false, false));
        // What leaves its line open gains nothing by it, neither as a witness nor as who is witnessed.
        assert_eq!(gaps("a.two.cn", &["both.one.cn"], &[]), (1, false, false));
        assert_eq!(
            gaps("both.one.cn", &["a.two.cn", "b.one.cn", "root.cn"], &[]),
            (3, false, false)
        );
        assert_eq!(gaps("away.cn", &["a.two.cn"], &[]), (1, false, false));
    }

    fn directory(registrar: &AgencyName, version: u64) -> Directory {
        let (agencies, crls) = (Vec::new(), Vec::new());
        let expires = NOW + 100;
        Directory { registrar: registrar.clone(), version, issued: NOW, expires, agencies, crls }
    }

    #[test]
    fn a_directory_has_one_digest_however_often_it_is_signed_and_another_when_it_says_else() {
        let (trust, seals, _) = world();
        let (seal, registrar) = (&seals[0], name("root.cn"));
        let by = Scrutiny::without_lists(&trust, NOW);
        let open = |bytes: &[u8]| Directory::open_whole(bytes, &registrar, &by);
        let plain = directory(&registrar, 7);
        let more = DirectoryMore {
            previous: Some(Previous { version: 6, digest: Digest::of(b"6") }),
            ..DirectoryMore::default()
        };
        let first = plain.seal_with(&more, seal, NOW).expect("seals");
        let again = plain.seal_with(&more, seal, NOW + 1).expect("seals");
        let other = plain.seal(seal, NOW).expect("seals");
        assert!(first != again);
        let [first, again, other] =
            [&first, &again, &other].map(|bytes| open(bytes).expect("opens"));
        assert_eq!(first.digest, again.digest);
        assert_ne!(first.digest, other.digest, "what stands beside it counts");
        assert_eq!((first.more, other.more), (more, DirectoryMore::default()));
        assert_eq!(first.directory, other.directory);
    }

    #[test]
    fn a_statement_of_a_newer_version_is_read_or_says_what_is_not_known() {
        #[derive(Serialize)]
        struct Newer<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            crit: Option<[&'a str; 1]>,
            agency: AgencyName,
            display: &'a str,
            address: &'a str,
            mood: &'a str,
            #[serde(with = "serde_bytes")]
            encryption_key: &'a [u8],
        }
        let (trust, seals, _) = world();
        let card = |crit| Newer {
            crit,
            agency: name("root.cn"),
            display: "R",
            address: "r:1",
            mood: "fine",
            encryption_key: &[1],
        };
        let open = |crit| {
            let bytes = seal(CARD, &card(crit), &seals[0], NOW).expect("seals");
            AgencyCard::open(&bytes, &Scrutiny::without_lists(&trust, NOW))
        };
        let read = open(None).expect("reads");
        assert_eq!(read.value.display, "R");
        // A card of before announces nothing: it is of the first release.
        assert_eq!(read.formats(), Ok(Formats::default()));
        let error = open(Some(["mood"])).expect_err("it must know that field");
        let newer = chancery_crypto::CborError::Newer(chancery_crypto::Unknown::CriticalField {
            name: "mood".into(),
        });
        assert_eq!(error, SealError::Crypto(CryptoError::Cbor(newer)));
        let own = AgencyCard {
            agency: name("root.cn"),
            display: "R".into(),
            address: "r:1".into(),
            via: None,
            encryption_key: vec![1],
        };
        let bytes = own.seal(&seals[0], NOW).expect("seals");
        let opened =
            AgencyCard::open(&bytes, &Scrutiny::without_lists(&trust, NOW)).expect("opens");
        assert_eq!(opened.formats(), Ok(Formats::own()));
    }

    fn names() -> impl Strategy<Value = BTreeSet<AgencyName>> {
        prop::collection::btree_set("[a-z]{1,8}\\.cn", 0..5)
            .prop_map(|set| set.iter().map(|text| name(text)).collect())
    }

    proptest! {
        #[test]
        fn what_stands_beside_a_directory_comes_back(
            witnesses in prop::collection::vec(("[a-z]{1,8}\\.cn", names()), 0..5),
            independent in names(), version in any::<u64>(), digest in any::<[u8; 32]>(),
            authorities in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..3)
        ) {
            let witnesses = witnesses.iter().map(|(a, w)| (name(a), w.clone())).collect();
            let previous = Some(Previous { version, digest: Digest::from_bytes(digest) });
            let authorities = authorities.into_iter().map(Into::into).collect();
            let more = DirectoryMore { previous, witnesses, independent, authorities };
            let bytes = cbor::encode(&more).expect("plain");
            prop_assert_eq!(DirectoryMore::read(Some(&bytes)).expect("reads"), more);
        }

        #[test]
        fn nothing_beside_a_directory_or_a_card_makes_a_reader_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200)
        ) {
            drop(DirectoryMore::read(Some(&bytes)));
            drop(cbor::decode_open::<CardMore>(&bytes, MAX_CARD_MORE));
        }
    }
}
