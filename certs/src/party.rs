//! Parties: enterprises and citizens, who file at agencies' nodes and run none.
//!
//! A party is named as a mailbox under its registrar's domain. Of which kind it is says what stands before the @: the unified
//! social credit code of a legal person in small letters, or `p-` and a pseudonym of a natural person. An identity number stands
//! in no certificate: whoever reads one would know it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    AgencyName, CertError, NameFault, NameKind, OfficerName,
    encoding::{self, unsigned},
};

/// What stands before a natural person's pseudonym.
const PSEUDONYM: &str = "p-";

/// The fewest and the most characters of a pseudonym: so many that none can be found by trying.
const PSEUDONYMS: std::ops::RangeInclusive<usize> = 16..=40;

/// What a party is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartyKind {
    /// An enterprise or other organisation, by its unified social credit code (GB 32100).
    Legal,
    /// A person, by a pseudonym.
    Natural,
}

/// An enterprise or a citizen, by its registrar's name for it: `91330106ma2axu4r8q@party.zj.gov.cn`,
/// `p-7hq2m4k9x3v6t5wa@party.zj.gov.cn`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PartyName {
    name: OfficerName,
    kind: PartyKind,
}

impl PartyName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        self.name.as_str()
    }

    /// The registrar's domain, after the @. A party is none of its officers.
    pub fn registrar(&self) -> &AgencyName {
        self.name.agency()
    }

    /// Whether it is an organisation or a person.
    pub fn kind(&self) -> PartyKind {
        self.kind
    }
}

impl FromStr for PartyName {
    type Err = CertError;

    fn from_str(text: &str) -> Result<Self, CertError> {
        let bad = |why| CertError::Name { what: NameKind::Party, given: text.into(), why };
        let name: OfficerName = text.parse()?;
        let local = text.split('@').next().unwrap_or_default();
        let kind = match local.strip_prefix(PSEUDONYM) {
            Some(rest) if holds_identity_number(rest) => return Err(bad(NameFault::Identity)),
            Some(rest) => {
                let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
                if !PSEUDONYMS.contains(&rest.len()) || !rest.bytes().all(fits) {
                    return Err(bad(NameFault::Pseudonym));
                }
                PartyKind::Natural
            }
            None if is_credit_code(&local.to_ascii_uppercase()) => PartyKind::Legal,
            None if holds_identity_number(local) => return Err(bad(NameFault::Identity)),
            None => return Err(bad(NameFault::CreditCode)),
        };
        Ok(Self { name, kind })
    }
}

impl fmt::Display for PartyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<String> for PartyName {
    type Error = CertError;

    fn try_from(text: String) -> Result<Self, CertError> {
        text.parse()
    }
}

impl From<PartyName> for String {
    fn from(name: PartyName) -> Self {
        name.as_str().to_owned()
    }
}

/// How surely a party's key is the party's own, from the least to the most. It stands in its certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Assurance {
    /// Used at an agency's counter.
    Counter,
    /// Kept by a browser.
    Browser,
    /// Kept by a program of the party's own, in a file.
    Program,
    /// Kept in a token that does not give it away.
    Token,
}

impl Assurance {
    const ALL: [Self; 4] = [Self::Counter, Self::Browser, Self::Program, Self::Token];

    /// Its name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Browser => "browser",
            Self::Program => "program",
            Self::Token => "token",
        }
    }

    /// The value of the extension that marks a party's certificate: an INTEGER from 1 to 4.
    pub(crate) fn der(self) -> Vec<u8> {
        let number = (1..).zip(Self::ALL).find(|(_, one)| *one == self).map_or(1, |(n, _)| n);
        unsigned(encoding::INTEGER, number)
    }

    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.der() == der)
    }
}

/// Whether a text is a unified social credit code (GB 32100): 18 characters, the last a check by MOD 31.
pub fn is_credit_code(text: &str) -> bool {
    const CHARACTERS: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
    let value = |c: u8| CHARACTERS.iter().position(|known| *known == c);
    let Some(values) = text.bytes().map(value).collect::<Option<Vec<_>>>() else { return false };
    let [body @ .., check] = values.as_slice() else { return false };
    if body.len() != 17 {
        return false;
    }
    let mut weight = 1;
    let sum: usize = body
        .iter()
        .map(|value| {
            let part = value * weight;
            weight = weight * 3 % 31;
            part
        })
        .sum();
    (31 - sum % 31) % 31 == *check
}

/// Whether a citizen's identity number (GB 11643) stands in a text, by its check character.
pub(crate) fn holds_identity_number(text: &str) -> bool {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let characters: Vec<_> = text.chars().collect();
    characters.windows(18).any(|window| {
        let [body @ .., check] = window else { return false };
        let digits: Option<Vec<_>> = body.iter().map(|c| c.to_digit(10)).collect();
        let Some(digits) = digits else { return false };
        let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| digit * weight).sum();
        let wanted = "10X98765432".chars().nth((sum % 11) as usize);
        wanted == Some(check.to_ascii_uppercase())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(text: &str) -> NameFault {
        match text.parse::<PartyName>() {
            Err(CertError::Name { why, .. }) => why,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_party_is_an_organisation_by_its_code_or_a_person_by_a_pseudonym() {
        let firm: PartyName = "91350100m000100y43@party.gov.cn".parse().expect("a good code");
        assert_eq!((firm.kind(), firm.registrar().as_str()), (PartyKind::Legal, "party.gov.cn"));
        let person: PartyName = "p-7hq2m4k9x3v6t5wa@party.gov.cn".parse().expect("a pseudonym");
        assert_eq!(person.kind(), PartyKind::Natural);
        // A digit that is another, a letter that no code has, and one that is missing.
        for bad in ["91350100m000100y44", "91350100i000100y43", "91350100m000100y4", "li"] {
            assert_eq!(why(&format!("{bad}@party.gov.cn")), NameFault::CreditCode, "{bad}");
        }
        for bad in ["p-short", "p-7hq2m4k9x3v6t5w.", "p-7hq2m4k9-3v6t5wa"] {
            assert_eq!(why(&format!("{bad}@party.gov.cn")), NameFault::Pseudonym, "{bad}");
        }
        // A person's number, as it is and in something else.
        for bad in ["11010519491231002x", "p-11010519491231002x", "p-a11010519491231002xb"] {
            assert_eq!(why(&format!("{bad}@party.gov.cn")), NameFault::Identity, "{bad}");
        }
    }

    #[test]
    fn assurance_stands_as_one_number_and_no_other() {
        for one in Assurance::ALL {
            assert_eq!(Assurance::read(&one.der()), Some(one));
        }
        for bad in [&[2, 1, 0][..], &[2, 1, 5], &[2, 2, 0, 1], &[2, 1, 1, 0], &[]] {
            assert_eq!(Assurance::read(bad), None, "{bad:?}");
        }
        assert!(Assurance::Token > Assurance::Browser);
    }
}
