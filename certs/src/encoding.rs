//! DER, as strictly as X.690 has it: what is read is checked by these rules, and what was decoded is encoded
//! again and compared, so that no two readers can see different things in the same bytes.

/// The deepest nesting that is looked into.
const MAX_NESTING: usize = 24;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_ID: u8 = 0x06;
pub(crate) const UTF8: u8 = 0x0c;
pub(crate) const NUMERIC: u8 = 0x12;
pub(crate) const PRINTABLE: u8 = 0x13;
pub(crate) const TELETEX: u8 = 0x14;
pub(crate) const IA5: u8 = 0x16;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const VISIBLE: u8 = 0x1a;
pub(crate) const UNIVERSAL: u8 = 0x1c;
pub(crate) const BMP: u8 = 0x1e;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// A tag of one octet, the length, the content.
pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 6);
    out.push(tag);
    let octets = content.len().to_be_bytes();
    let octets: Vec<u8> = octets.into_iter().skip_while(|octet| *octet == 0).collect();
    match octets.as_slice() {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            out.push(0x80 | u8::try_from(long.len()).unwrap_or_default());
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
    out
}

/// An INTEGER of a number that is not negative.
pub(crate) fn unsigned(tag: u8, number: u32) -> Vec<u8> {
    let mut octets: Vec<u8> = number.to_be_bytes().into_iter().skip_while(|o| *o == 0).collect();
    if octets.first().is_none_or(|first| first & 0x80 != 0) {
        octets.insert(0, 0);
    }
    tlv(tag, &octets)
}

/// A BIT STRING of named bits, the lowest first (X.690 §11.2.2: no zero bits behind).
pub(crate) fn named_bits(tag: u8, bits: u16) -> Vec<u8> {
    let Some(highest) = bits.checked_ilog2() else { return tlv(tag, &[0]) };
    let unused = 7 - highest % 8;
    let octets = bits.to_le_bytes().into_iter().take(highest as usize / 8 + 1);
    let content = std::iter::once(unused as u8).chain(octets.map(u8::reverse_bits));
    tlv(tag, &content.collect::<Vec<_>>())
}

/// One element: its identifier octet, its content, and what follows it.
type Element<'a> = (u8, &'a [u8], &'a [u8]);

/// Takes the first element off, by the rules for identifiers and lengths (X.690 §8.1.2, §10.1).
pub(crate) fn element(bytes: &[u8]) -> Result<Element<'_>, &'static str> {
    const SHORT: &str = "it ends too early";
    let (&tag, rest) = bytes.split_first().ok_or(SHORT)?;
    if tag & 0x1f == 0x1f {
        return Err("it has a tag that no certificate needs");
    }
    let (&first, rest) = rest.split_first().ok_or(SHORT)?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 {
            return Err("a length is not as in DER");
        }
        let octets = rest.get(..count).ok_or(SHORT)?;
        let length = octets.iter().fold(0u64, |length, octet| length << 8 | u64::from(*octet));
        if octets.first() == Some(&0) || length < 0x80 {
            return Err("a length is not the shortest, as DER wants it");
        }
        (usize::try_from(length).map_err(|_| SHORT)?, rest.get(count..).ok_or(SHORT)?)
    };
    let content = rest.get(..length).ok_or(SHORT)?;
    Ok((tag, content, rest.get(length..).unwrap_or_default()))
}

/// Checks that bytes are one element of DER and nothing else. Into OCTET STRINGs and BIT STRINGs nobody looks.
pub(crate) fn check(der: &[u8]) -> Result<(), &'static str> {
    let (tag, content, rest) = element(der)?;
    if !rest.is_empty() {
        return Err("bytes follow it");
    }
    check_content(tag, content, 0)
}

fn check_content(tag: u8, content: &[u8], depth: usize) -> Result<(), &'static str> {
    let constructed = tag & 0x20 != 0;
    if tag & 0xc0 == 0 {
        check_universal(tag & 0x1f, constructed, content)?;
    }
    if !constructed {
        return Ok(());
    }
    if depth > MAX_NESTING {
        return Err("it is nested too deeply");
    }
    let (mut rest, mut before): (&[u8], &[u8]) = (content, &[]);
    while !rest.is_empty() {
        let (inner, value, after) = element(rest)?;
        let whole = rest.get(..rest.len() - after.len()).unwrap_or_default();
        if tag == SET && before > whole {
            return Err("a SET is not in the order of DER");
        }
        check_content(inner, value, depth + 1)?;
        (rest, before) = (after, whole);
    }
    Ok(())
}

fn check_universal(number: u8, constructed: bool, content: &[u8]) -> Result<(), &'static str> {
    if constructed != matches!(number, 0x10 | 0x11) {
        return Err("a value is in pieces, as only BER has it");
    }
    let fits = match number {
        0 => return Err("an end of contents stands where DER has none"),
        BOOLEAN => matches!(content, [0 | 0xff]),
        INTEGER | 0x0a => match content {
            [] => false,
            [0, next, ..] => next & 0x80 != 0,
            [0xff, next, ..] => next & 0x80 == 0,
            _ => true,
        },
        BIT_STRING => match content {
            [0, ..] => true,
            [unused @ 1..=7, .., last] => last.trailing_zeros() >= u32::from(*unused),
            _ => false,
        },
        5 => content.is_empty(),
        OBJECT_ID => crate::oid::ObjectId::new(content).is_some(),
        IA5 => content.is_ascii(),
        UTC_TIME => content.len() == 13 && is_time(content),
        GENERALIZED_TIME => content.len() == 15 && is_time(content),
        _ => true,
    };
    if fits { Ok(()) } else { Err("a value is not encoded as in DER") }
}

fn is_time(content: &[u8]) -> bool {
    content
        .split_last()
        .is_some_and(|(zone, digits)| *zone == b'Z' && digits.iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_ber_allows_is_no_der() {
        for good in [
            &[0x30, 0][..],
            &[0x30, 3, 2, 1, 5],
            &[3, 2, 7, 0x80],
            &[1, 1, 0xff],
            &[2, 2, 0, 0x80],
            &[0x31, 6, 2, 1, 1, 2, 1, 2],
            &[0xa0, 2, 5, 0],
        ] {
            assert_eq!(check(good), Ok(()), "{good:?}");
        }
        for bad in [
            &[][..],
            &[0x30, 0x81, 0],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0, 0],
            &[0x30, 2, 5],
            &[1, 1, 1],
            &[2, 2, 0, 1],
            &[2, 0],
            &[3, 2, 7, 0x81],
            &[3, 1, 1],
            &[0x24, 3, 4, 1, 0],
            &[6, 2, 0x80, 1],
            &[0x16, 1, 0xc3],
            &[0x31, 6, 2, 1, 2, 2, 1, 1],
            &[0x1f, 0x20, 0],
            &[0x17, 3, b'1', b'2', b'Z'],
            &[0xa0, 2, 5, 1],
        ] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
        let deep = (0..40).fold(vec![5, 0], |inner, _| tlv(SEQUENCE, &inner));
        assert!(check(&deep).is_err());
        assert_eq!(named_bits(3, 0), [3, 1, 0]);
        assert_eq!(named_bits(3, 0b10), [3, 2, 6, 0x40]);
        assert_eq!(named_bits(3, 0x100), [3, 3, 7, 0, 0x80]);
        assert_eq!(unsigned(2, 0), [2, 1, 0]);
        assert_eq!(unsigned(2, 0x80), [2, 2, 0, 0x80]);
        assert_eq!(tlv(4, &[0; 200])[..3], [4, 0x81, 200]);
    }
}
