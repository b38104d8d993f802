//! Distinguished names: how they are shown, and when two are the same (RFC 5280 §7.1).

use std::borrow::Cow;

use stringprep::x520prep;
use x509_parser::{asn1_rs::Any, x509::X509Name};

use crate::{
    encoding::{self, BMP, IA5, NUMERIC, PRINTABLE, TELETEX, UNIVERSAL, UTF8, VISIBLE, tlv},
    oid::{ObjectId, known},
};

/// An attribute of a name: its type, the tag and the content of its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attribute {
    pub(crate) kind: ObjectId,
    pub(crate) tag: u8,
    pub(crate) value: Vec<u8>,
}

/// A Name, decoded, and the bytes that it was decoded from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DistinguishedName {
    der: Vec<u8>,
    parts: Vec<Vec<Attribute>>,
}

/// The one identifier octet of a value.
pub(crate) fn tag_of(any: &Any<'_>) -> Option<u8> {
    let number = u8::try_from(any.tag().0).ok().filter(|number| *number < 0x1f)?;
    Some((any.class() as u8) << 6 | u8::from(any.header.constructed()) << 5 | number)
}

impl Attribute {
    fn encode(&self) -> Vec<u8> {
        let kind = tlv(encoding::OBJECT_ID, self.kind.as_bytes());
        tlv(encoding::SEQUENCE, &[kind, tlv(self.tag, &self.value)].concat())
    }

    /// The value as text; `None` when it is no text, or not of its kind.
    pub(crate) fn text(&self) -> Option<Cow<'_, str>> {
        let utf8 = || std::str::from_utf8(&self.value).ok();
        let pairs = || self.value.chunks(2).map(|pair| pair.try_into().map(u16::from_be_bytes));
        let fours = || self.value.chunks(4).map(|four| four.try_into().map(u32::from_be_bytes));
        match self.tag {
            UTF8 => utf8().map(Cow::Borrowed),
            NUMERIC | PRINTABLE | IA5 | VISIBLE => {
                utf8().filter(|text| text.is_ascii()).map(Cow::Borrowed)
            }
            BMP => {
                let units = pairs().collect::<Result<Vec<u16>, _>>().ok()?;
                String::from_utf16(&units).ok().map(Cow::Owned)
            }
            UNIVERSAL => {
                let points = fours().collect::<Result<Vec<u32>, _>>().ok()?;
                points.into_iter().map(char::from_u32).collect::<Option<String>>().map(Cow::Owned)
            }
            // T.61 in the standard, Latin-1 in practice; UTF-8 where somebody put that.
            TELETEX => Some(utf8().map_or_else(
                || self.value.iter().copied().map(char::from).collect::<String>().into(),
                Cow::Borrowed,
            )),
            _ => None,
        }
    }

    /// Whether it is a text of its kind, in characters that its kind has.
    pub(crate) fn is_well_formed(&self) -> bool {
        let printable = |c: char| c.is_ascii_alphanumeric() || " '()+,-./:=?".contains(c);
        match self.tag {
            PRINTABLE => self.text().is_some_and(|text| text.chars().all(printable)),
            NUMERIC => {
                self.text().is_some_and(|t| t.chars().all(|c| c.is_ascii_digit() || c == ' '))
            }
            UTF8 | IA5 | VISIBLE | BMP | UNIVERSAL => self.text().is_some(),
            _ => true,
        }
    }

    /// The value for people; as `#` and its DER in hexadecimal where it is no text (RFC 4514 §2.4).
    fn shown(&self) -> String {
        let text = self.text().map(Cow::into_owned);
        text.unwrap_or_else(|| format!("#{}", hex::encode(tlv(self.tag, &self.value))))
    }

    /// The value prepared for comparison: case, spaces, what has no look.
    fn prepared(&self) -> Option<String> {
        let text = self.text()?;
        let text: Cow<'_, str> = match text.contains(is_without_look) {
            true => text.chars().filter(|c| !is_without_look(*c)).collect::<String>().into(),
            false => text,
        };
        // Folding case alone leaves forms of compatibility as they are.
        let normal = if text.is_empty() { "".into() } else { x520prep(&text, false).ok()? };
        let prepared = if normal.is_empty() { "".into() } else { x520prep(&normal, true).ok()? };
        Some(prepared.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "))
    }

    fn matches(&self, other: &Self) -> bool {
        self.kind == other.kind
            && ((self.tag == other.tag && self.value == other.value)
                || self.prepared().zip(other.prepared()).is_some_and(|(own, its)| own == its))
    }
}

/// Characters that are mapped to nothing before names are compared (RFC 4518 §2.2), and the direction marks that came later.
fn is_without_look(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{8}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{ad}' | '\u{34f}'
        | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{1806}' | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffc}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}')
}

impl DistinguishedName {
    /// Takes over what the parser read; `None` when that does not encode to the same bytes.
    pub(crate) fn read(name: &X509Name<'_>) -> Option<Self> {
        let mut parts = Vec::new();
        for part in name.iter_rdn() {
            let attributes = part.iter().map(|attribute| {
                let kind = ObjectId::new(attribute.attr_type().as_bytes())?;
                let tag = tag_of(attribute.attr_value())?;
                Some(Attribute { kind, tag, value: attribute.as_slice().to_vec() })
            });
            parts.push(attributes.collect::<Option<Vec<_>>>()?);
        }
        let made = Self { der: name.as_raw().to_vec(), parts };
        (made.encode() == made.der).then_some(made)
    }

    fn encode(&self) -> Vec<u8> {
        let parts: Vec<_> = self.parts.iter().map(|part| encode_part(part)).collect();
        tlv(encoding::SEQUENCE, &parts.concat())
    }

    /// Its DER.
    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// All attributes.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.parts.iter().flatten()
    }

    /// The attributes of a type.
    pub(crate) fn of_kind<'a>(&'a self, kind: &'a [u8]) -> impl Iterator<Item = &'a Attribute> {
        self.attributes().filter(move |attribute| attribute.kind.is(kind))
    }

    /// For people: the common name or, without one, all of it (RFC 4514).
    pub(crate) fn shown(&self) -> String {
        if let Some(common) = self.of_kind(known::COMMON_NAME).next() {
            return common.shown();
        }
        let part = |part: &Vec<Attribute>| {
            let attributes = part.iter().map(|a| format!("{}={}", short_name(&a.kind), a.shown()));
            attributes.collect::<Vec<_>>().join("+")
        };
        self.parts.iter().rev().map(part).collect::<Vec<_>>().join(",")
    }

    /// Whether two names are the same (RFC 5280 §7.1).
    pub(crate) fn matches(&self, other: &Self) -> bool {
        self.der == other.der || (self.parts.len() == other.parts.len() && other.within(self))
    }

    /// Whether it lies in the subtree of a name: starts with all of its parts.
    pub(crate) fn within(&self, base: &Self) -> bool {
        let same = |(own, base): (&Vec<Attribute>, &Vec<Attribute>)| {
            own.len() == base.len() && base.iter().all(|b| own.iter().any(|a| a.matches(b)))
        };
        base.parts.len() <= self.parts.len() && self.parts.iter().zip(&base.parts).all(same)
    }

    /// The same, and `None` when that cannot be said: an attribute that would have to be compared has no form for
    /// comparison, as it is no text, or has characters that preparation does not know.
    pub(crate) fn lies_within(&self, base: &Self) -> Option<bool> {
        if self.within(base) {
            return Some(true);
        }
        let unclear = |own: &Attribute, its: &Attribute| {
            own.kind == its.kind
                && (own.tag, &own.value) != (its.tag, &its.value)
                && (own.prepared().is_none() || its.prepared().is_none())
        };
        let mut pairs = self.parts.iter().zip(&base.parts);
        let open = pairs.any(|(own, its)| its.iter().any(|i| own.iter().any(|o| unclear(o, i))));
        (!open).then_some(false)
    }
}

/// The DER of a RelativeDistinguishedName.
pub(crate) fn encode_part(part: &[Attribute]) -> Vec<u8> {
    tlv(encoding::SET, &part.iter().map(Attribute::encode).collect::<Vec<_>>().concat())
}

fn short_name(kind: &ObjectId) -> String {
    let name = match kind.as_bytes() {
        [0x55, 4, 4] => "SN",
        [0x55, 4, 5] => "serialNumber",
        [0x55, 4, 6] => "C",
        [0x55, 4, 7] => "L",
        [0x55, 4, 8] => "ST",
        [0x55, 4, 10] => "O",
        [0x55, 4, 11] => "OU",
        [0x55, 4, 12] => "title",
        [0x55, 4, 42] => "givenName",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25] => "DC",
        _ if kind.is(known::EMAIL_ADDRESS) => "emailAddress",
        _ => return kind.to_string(),
    };
    name.to_owned()
}

/// Whether two names that another library decoded are the same (RFC 5280 §7.1).
pub(crate) fn compare_names(left: &x509_cert::name::Name, right: &x509_cert::name::Name) -> bool {
    use der::Encode as _;
    use x509_parser::prelude::FromDer as _;
    if left == right {
        return true;
    }
    let read = |name: &x509_cert::name::Name| {
        let der = name.to_der().ok()?;
        DistinguishedName::read(&X509Name::from_der(&der).ok()?.1)
    };
    read(left).zip(read(right)).is_some_and(|(left, right)| left.matches(&right))
}

#[cfg(test)]
mod tests {
    use x509_parser::prelude::FromDer as _;

    use super::*;

    fn name(parts: &[(u8, &[u8])]) -> DistinguishedName {
        let parts: Vec<_> = parts
            .iter()
            .map(|(tag, value)| {
                let kind = ObjectId::new(known::COMMON_NAME).expect("legal");
                encode_part(&[Attribute { kind, tag: *tag, value: value.to_vec() }])
            })
            .collect();
        let der = tlv(encoding::SEQUENCE, &parts.concat());
        let (_, read) = X509Name::from_der(&der).expect("a name");
        DistinguishedName::read(&read).expect("the same bytes")
    }

    #[test]
    fn case_spaces_and_kinds_of_text_make_no_other_name() {
        let own = name(&[(UTF8, b"Root  CA")]);
        for same in [
            name(&[(PRINTABLE, b" root ca ")]),
            name(&[(BMP, b"\0R\0o\0o\0t\0 \0C\0A")]),
            name(&[(UTF8, "Ro\u{ad}ot ｃa".as_bytes())]),
        ] {
            assert!(own.matches(&same) && same.matches(&own), "{same:?}");
        }
        for other in [
            name(&[(UTF8, b"RootCA")]),
            name(&[(UTF8, b"Root CA"), (UTF8, b"Root CA")]),
            name(&[]),
            name(&[(UTF8, b"Root\xff CA")]),
        ] {
            assert!(!own.matches(&other) && !other.matches(&own), "{other:?}");
        }
        assert!(name(&[(UTF8, b"A"), (UTF8, b"B")]).within(&name(&[(PRINTABLE, b"a")])));
        assert!(!name(&[(UTF8, b"A")]).within(&name(&[(UTF8, b"A"), (UTF8, b"B")])));
    }

    #[test]
    fn no_character_and_no_kind_of_value_leads_out_of_a_subtree_unseen() {
        let base = name(&[(UTF8, b"Evil Corp")]);
        for hidden in
            ["Ev\u{200d}il Corp", "Evil \u{2060}Corp", "\u{202e}EVIL corp", "Evil\u{e0001} Corp"]
        {
            assert_eq!(
                name(&[(UTF8, hidden.as_bytes())]).lies_within(&base),
                Some(true),
                "{hidden:?}"
            );
        }
        // What has no form for comparison cannot be said to lie outside.
        for odd in [&b"Evil\xff Corp"[..], "Evil \u{9fff} Corp".as_bytes(), "\u{e000}".as_bytes()] {
            assert_eq!(name(&[(UTF8, odd)]).lies_within(&base), None, "{odd:?}");
        }
        assert_eq!(name(&[(encoding::OCTET_STRING, b"Evil Corp")]).lies_within(&base), None);
        assert_eq!(name(&[(UTF8, b"Good Corp")]).lies_within(&base), Some(false));
    }

    #[test]
    fn whatever_stands_in_a_name_is_shown() {
        assert_eq!(name(&[(BMP, &[0x67, 0x4e, 0x66, 0x0e])]).shown(), "李明");
        assert_eq!(name(&[(TELETEX, b"M\xfcller")]).shown(), "Müller");
        assert_eq!(name(&[(UNIVERSAL, &[0, 2, 0xc, 0x56])]).shown(), "\u{20c56}");
        assert_eq!(name(&[(UTF8, &[0xc0, 0xee])]).shown(), "#0c02c0ee");
    }
}
