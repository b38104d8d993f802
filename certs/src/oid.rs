use std::fmt;

/// An object identifier by the octets of its DER, so that arcs may be of any size: 2.25.UUID and arcs above
/// 2^32 are legal, and libraries that hold arcs in integers take them for malformed.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ObjectId(Vec<u8>);

/// The content octets of those that are asked for.
pub(crate) mod known {
    pub(crate) const COMMON_NAME: &[u8] = &[0x55, 4, 3];
    pub(crate) const EMAIL_ADDRESS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1];
    pub(crate) const DIRECTORY_ATTRIBUTES: &[u8] = &[0x55, 0x1d, 9];
    pub(crate) const SUBJECT_KEY: &[u8] = &[0x55, 0x1d, 14];
    pub(crate) const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
    pub(crate) const SUBJECT_NAMES: &[u8] = &[0x55, 0x1d, 17];
    pub(crate) const ISSUER_NAMES: &[u8] = &[0x55, 0x1d, 18];
    pub(crate) const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
    pub(crate) const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 30];
    pub(crate) const DISTRIBUTION_POINTS: &[u8] = &[0x55, 0x1d, 31];
    pub(crate) const POLICIES: &[u8] = &[0x55, 0x1d, 32];
    pub(crate) const ANY_POLICY: &[u8] = &[0x55, 0x1d, 32, 0];
    pub(crate) const POLICY_MAPPINGS: &[u8] = &[0x55, 0x1d, 33];
    pub(crate) const AUTHORITY_KEY: &[u8] = &[0x55, 0x1d, 35];
    pub(crate) const POLICY_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 36];
    pub(crate) const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
    pub(crate) const ANY_USAGE: &[u8] = &[0x55, 0x1d, 37, 0];
    pub(crate) const FRESHEST_CRL: &[u8] = &[0x55, 0x1d, 46];
    pub(crate) const INHIBIT_ANY: &[u8] = &[0x55, 0x1d, 54];
    pub(crate) const AUTHORITY_ACCESS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 1];
    pub(crate) const SUBJECT_ACCESS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 11];
    pub(crate) const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
    pub(crate) const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
    pub(crate) const CODE_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 3];
    pub(crate) const EMAIL_PROTECTION: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 4];
    pub(crate) const TIME_STAMPING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 8];
    pub(crate) const OCSP_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 9];
    /// id-kp-documentSigning (RFC 9336).
    pub(crate) const DOCUMENT_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 36];
    /// Document signing as Microsoft and Adobe named it before RFC 9336.
    pub(crate) const MS_DOCUMENTS: &[u8] = &[0x2b, 6, 1, 4, 1, 0x82, 0x37, 10, 3, 12];
    pub(crate) const ADOBE_DOCUMENTS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x2f, 1, 1, 5];
    /// 2.25.2931456848727973727: the certificate is a party's. See docs/formats.md.
    pub(crate) const PARTY: &[u8] = &[0x69, 0xa8, 0xd7, 0xa8, 0x8f, 0x8e, 0xf6, 0xc4, 0xbe, 0x5f];
    pub(crate) const PRECERTIFICATE: &[u8] = &[0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 4, 4];
    pub(crate) const EC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    pub(crate) const RSA_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
    pub(crate) const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
}

impl ObjectId {
    /// From the content octets of its DER; `None` when they are none (X.690 §8.19).
    pub(crate) fn new(content: &[u8]) -> Option<Self> {
        let ends = content.last().is_some_and(|last| last & 0x80 == 0);
        // The first octet of an arc is no padding.
        let starts = std::iter::once(&0).chain(content).zip(content);
        let padded = starts.clone().any(|(before, own)| before & 0x80 == 0 && *own == 0x80);
        (ends && !padded).then(|| Self(content.to_vec()))
    }

    /// From its dotted form.
    pub(crate) fn parse(dotted: &str) -> Option<Self> {
        let arcs = dotted.split('.').map(|arc| {
            let plain = arc.bytes().all(|b| b.is_ascii_digit());
            arc.parse::<u128>().ok().filter(|_| plain)
        });
        let arcs = arcs.collect::<Option<Vec<_>>>()?;
        let [first, second, rest @ ..] = arcs.as_slice() else { return None };
        if *first > 2 || (*first < 2 && *second > 39) {
            return None;
        }
        let mut content = Vec::new();
        for arc in std::iter::once((first * 40).checked_add(*second)?).chain(rest.iter().copied()) {
            let mut groups = vec![(arc & 0x7f) as u8];
            let mut left = arc >> 7;
            while left > 0 {
                groups.push(0x80 | (left & 0x7f) as u8);
                left >>= 7;
            }
            content.extend(groups.into_iter().rev());
        }
        Self::new(&content)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is one of those in [`known`].
    pub(crate) fn is(&self, content: &[u8]) -> bool {
        self.0 == content
    }
}

impl der::FixedTag for ObjectId {
    const TAG: der::Tag = der::Tag::ObjectIdentifier;
}

impl<'a> der::DecodeValue<'a> for ObjectId {
    type Error = der::Error;

    fn decode_value<R: der::Reader<'a>>(reader: &mut R, header: der::Header) -> der::Result<Self> {
        let content = reader.read_vec(header.length())?;
        Self::new(&content).ok_or_else(|| der::Tag::ObjectIdentifier.value_error().into())
    }
}

impl der::EncodeValue for ObjectId {
    fn value_len(&self) -> der::Result<der::Length> {
        der::Length::try_from(self.0.len())
    }

    fn encode_value(&self, writer: &mut impl der::Writer) -> der::Result<()> {
        writer.write(&self.0)
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arcs = self.0.split_inclusive(|octet| octet & 0x80 == 0);
        for (index, arc) in arcs.enumerate() {
            if index > 0 {
                write!(f, ".{}", decimal(arc, 0))?;
                continue;
            }
            // The first two arcs stand in one: 40 X + Y, and only below 2 are there less than 40.
            let first = match arc {
                [small] => (small / 40).min(2),
                _ => 2,
            };
            write!(f, "{first}.{}", decimal(arc, first * 40))?;
        }
        Ok(())
    }
}

/// A number in groups of seven bits, less a small one, in decimal.
fn decimal(groups: &[u8], less: u8) -> String {
    let mut digits: Vec<u32> = vec![0];
    for group in groups {
        let mut carry = u32::from(group & 0x7f);
        for digit in &mut digits {
            carry += *digit * 128;
            *digit = carry % 10;
            carry /= 10;
        }
        while carry > 0 {
            digits.push(carry % 10);
            carry /= 10;
        }
    }
    let mut borrow = u32::from(less);
    for digit in &mut digits {
        let part = borrow % 10;
        borrow /= 10;
        if *digit < part {
            *digit += 10;
            borrow += 1;
        }
        *digit -= part;
    }
    while digits.len() > 1 && digits.last() == Some(&0) {
        digits.pop();
    }
    digits.iter().rev().filter_map(|digit| char::from_digit(*digit, 10)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arcs_of_any_size_are_shown_in_full() {
        for (content, shown) in [
            (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1][..], "1.2.840.10045.2.1"),
            (&[0x55, 4, 3], "2.5.4.3"),
            (&[0x27], "0.39"),
            (&[0x88, 0x37, 1], "2.999.1"),
            (&[0x78], "2.40"),
            // 2.25 and the largest UUID.
            (
                &[
                    0x69, 0x83, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
                ],
                "2.25.340282366920938463463374607431768211455",
            ),
        ] {
            let id = ObjectId::new(content).expect("legal");
            assert_eq!(id.to_string(), shown);
            assert_eq!(ObjectId::parse(shown), Some(id));
        }
        for bad in [&[][..], &[0x80, 1], &[0x2a, 0x86], &[0x2a, 0x80, 1]] {
            assert!(ObjectId::new(bad).is_none(), "{bad:?}");
        }
        for bad in ["", "1", "3.1", "1.40", "1..2", "1.2.+3", "1.2.x", "1.2."] {
            assert!(ObjectId::parse(bad).is_none(), "{bad:?}");
        }
    }
}
