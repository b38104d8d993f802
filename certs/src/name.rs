use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{CertError, NameFault, NameKind, PartyName};

/// An agency, named as in DNS from the leaf up: `justice.hangzhou.gov.cn`. Lower case, two labels
/// or more (RFC 1123 §2.1 syntax). No DNS look-up is ever made.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AgencyName(String);

impl AgencyName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AgencyName {
    type Err = CertError;

    fn from_str(text: &str) -> Result<Self, CertError> {
        let bad = |why| CertError::Name { what: NameKind::Agency, given: text.into(), why };
        if text.len() > 253 {
            return Err(bad(NameFault::Length));
        }
        if !text.contains('.') {
            return Err(bad(NameFault::OneLabel));
        }
        for label in text.split('.') {
            if label.is_empty() || label.len() > 63 {
                return Err(bad(NameFault::LabelLength));
            }
            if !label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
                return Err(bad(NameFault::Characters));
            }
            if label.starts_with('-') || label.ends_with('-') {
                return Err(bad(NameFault::Hyphen));
            }
        }
        Ok(Self(text.to_owned()))
    }
}

/// An officer, named as a mailbox: `clerk.07@justice.hangzhou.gov.cn`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OfficerName {
    text: String,
    agency: AgencyName,
}

impl OfficerName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The agency after the @.
    pub fn agency(&self) -> &AgencyName {
        &self.agency
    }
}

impl FromStr for OfficerName {
    type Err = CertError;

    fn from_str(text: &str) -> Result<Self, CertError> {
        let bad = |why| CertError::Name { what: NameKind::Officer, given: text.into(), why };
        let (local, agency) = text.split_once('@').ok_or(bad(NameFault::NoAt))?;
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-+".contains(&b);
        if local.is_empty() || local.len() > 64 || !local.bytes().all(fits) {
            return Err(bad(NameFault::LocalPart));
        }
        Ok(Self { text: text.to_owned(), agency: agency.parse()? })
    }
}

/// Who signed: an agency by its seal, or a person.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignerName {
    /// An agency's seal.
    Agency(AgencyName),
    /// An officer's signature.
    Officer(OfficerName),
    /// The signature of an enterprise or a citizen.
    Party(PartyName),
}

impl SignerName {
    /// The agency that the signer is or belongs to; of a party, the registrar's domain.
    pub fn agency(&self) -> &AgencyName {
        match self {
            Self::Agency(name) => name,
            Self::Officer(name) => name.agency(),
            Self::Party(name) => name.registrar(),
        }
    }
}

impl fmt::Display for SignerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agency(name) => name.fmt(f),
            Self::Officer(name) => name.fmt(f),
            Self::Party(name) => name.fmt(f),
        }
    }
}

macro_rules! text_name {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl TryFrom<String> for $name {
            type Error = CertError;

            fn try_from(text: String) -> Result<Self, CertError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.as_str().to_owned()
            }
        }
    };
}

text_name!(AgencyName);
text_name!(OfficerName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_strictly() {
        assert!("justice.hangzhou.gov.cn".parse::<AgencyName>().is_ok());
        for bad in ["", "gov", "Gov.cn", "a..b", "-a.b", "a-.b", "a.b ", "杭州.cn", ".gov.cn"] {
            assert!(bad.parse::<AgencyName>().is_err(), "{bad:?}");
        }
        let officer: OfficerName = "clerk.07@justice.gov.cn".parse().expect("a good name");
        assert_eq!(officer.agency().as_str(), "justice.gov.cn");
        for bad in ["justice.gov.cn", "@gov.cn", "a b@gov.cn", "a@b@gov.cn", "a@gov"] {
            assert!(bad.parse::<OfficerName>().is_err(), "{bad:?}");
        }
    }
}
