//! CMS in BER made DER. RFC 5652 and RFC 3161 allow BER (indefinite lengths, strings in pieces, long lengths) for all but
//! the signed attributes, and BouncyCastle, OpenSSL with `-stream` and EU DSS write it. What is signed is never
//! re-encoded: signed attributes must be DER as they stand, and certificates and lists are kept byte for byte, for those
//! to judge who read them.

use crate::{CertError, CmsFault};

/// The deepest nesting that is followed: a time-stamp inside a signature has some twenty levels.
const MAX_DEPTH: usize = 48;
/// The longest identifier of a tag, in bytes.
const MAX_TAG: usize = 5;

/// The OBJECT IDENTIFIER id-signedData as it stands.
const SIGNED_DATA: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];

const BOOLEAN: u8 = 0x01;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const CONSTRUCTED: u8 = 0x20;
/// `[0]` and `[1]`, constructed.
const ZERO: u8 = 0xa0;
const ONE: u8 = 0xa1;

fn malformed(what: &str) -> CertError {
    CertError::Cms(CmsFault::Ber { detail: what.to_owned() })
}

/// The DER of a structure in BER; what is DER comes back as it was.
///
/// # Errors
/// [`CertError::Cms`] when it is no BER, is nested too deeply, or has signed attributes that are not DER.
pub fn ber_to_der(bytes: &[u8]) -> Result<Vec<u8>, CertError> {
    let (element, rest) = Element::read(bytes, 0)?;
    if !rest.is_empty() {
        return Err(malformed("bytes follow its end"));
    }
    let mut out = Vec::with_capacity(bytes.len());
    write_element(&element, &mut out, 0)?;
    Ok(out)
}

/// One element as it was read.
#[derive(Clone, Copy)]
struct Element<'a> {
    /// Its tag's octets.
    tag: &'a [u8],
    /// Its content, without the two zeros that end one of indefinite length.
    content: &'a [u8],
    /// All of it.
    raw: &'a [u8],
}

impl<'a> Element<'a> {
    /// Reads one element off the front.
    fn read(input: &'a [u8], depth: usize) -> Result<(Self, &'a [u8]), CertError> {
        let cut = || malformed("it is cut off, or no BER");
        let mut at = 1;
        let first = *input.first().ok_or_else(cut)?;
        if first == 0 {
            return Err(malformed("it ends an element that has not begun"));
        }
        if first & 0x1f == 0x1f {
            loop {
                let octet = *input.get(at).ok_or_else(cut)?;
                at += 1;
                if octet & 0x80 == 0 {
                    break;
                }
                if at >= MAX_TAG {
                    return Err(malformed("a tag in it is too large"));
                }
            }
        }
        let (tag, mut rest) = input.split_at_checked(at).ok_or_else(cut)?;
        let (&length, after) = rest.split_first().ok_or_else(cut)?;
        rest = after;
        if length == 0x80 {
            if first & CONSTRUCTED == 0 {
                return Err(malformed("a primitive element in it has no length"));
            }
            let content = rest;
            while !rest.starts_with(&[0, 0]) {
                if depth >= MAX_DEPTH {
                    return Err(malformed("it is nested too deeply"));
                }
                (_, rest) = Self::read(rest, depth + 1)?;
            }
            let (content, _) =
                content.split_at_checked(content.len() - rest.len()).ok_or_else(cut)?;
            let rest = rest.get(2..).ok_or_else(cut)?;
            let (raw, _) = input.split_at_checked(input.len() - rest.len()).ok_or_else(cut)?;
            return Ok((Self { tag, content, raw }, rest));
        }
        let mut size = usize::from(length);
        if length > 0x80 {
            let (octets, after) =
                rest.split_at_checked(usize::from(length & 0x7f)).ok_or_else(cut)?;
            rest = after;
            let add =
                |sum: usize, octet: &u8| sum.checked_mul(256)?.checked_add(usize::from(*octet));
            size = octets.iter().try_fold(0, add).ok_or_else(cut)?;
        }
        let (content, rest) = rest.split_at_checked(size).ok_or_else(cut)?;
        let (raw, _) = input.split_at_checked(input.len() - rest.len()).ok_or_else(cut)?;
        Ok((Self { tag, content, raw }, rest))
    }

    fn first(&self) -> u8 {
        self.tag.first().copied().unwrap_or_default()
    }

    fn is_constructed(&self) -> bool {
        self.first() & CONSTRUCTED != 0
    }

    /// What it holds, one after the other.
    fn children(&self, depth: usize) -> Children<'a> {
        Children { rest: self.content, depth }
    }

    /// Whether tag and length are written as DER has them, whatever is inside.
    fn has_der_header(&self) -> bool {
        let mut header = Vec::with_capacity(16);
        header.extend(self.tag);
        length(self.content.len(), &mut header);
        self.raw.len() == header.len() + self.content.len() && self.raw.starts_with(&header)
    }
}

struct Children<'a> {
    rest: &'a [u8],
    depth: usize,
}

impl<'a> Iterator for Children<'a> {
    type Item = Result<Element<'a>, CertError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let read = Element::read(self.rest, self.depth);
        self.rest = read.as_ref().map_or(&[], |(_, rest)| rest);
        Some(read.map(|(element, _)| element))
    }
}

/// A length as DER has it.
fn length(size: usize, out: &mut Vec<u8>) {
    if let Ok(short @ ..0x80) = u8::try_from(size) {
        return out.push(short);
    }
    let octets = size.to_be_bytes();
    let octets: Vec<_> = octets.into_iter().skip_while(|octet| *octet == 0).collect();
    out.push(0x80 | u8::try_from(octets.len()).unwrap_or_default());
    out.extend(octets);
}

/// Writes an element around what `body` writes.
fn put(
    tag: &[u8],
    out: &mut Vec<u8>,
    body: impl FnOnce(&mut Vec<u8>) -> Result<(), CertError>,
) -> Result<(), CertError> {
    out.extend(tag);
    let start = out.len();
    body(out)?;
    let mut size = Vec::with_capacity(9);
    length(out.len() - start, &mut size);
    out.splice(start..start, size);
    Ok(())
}

/// Any element; signed data inside is written as such.
fn write_element(element: &Element<'_>, out: &mut Vec<u8>, depth: usize) -> Result<(), CertError> {
    if depth >= MAX_DEPTH {
        return Err(malformed("it is nested too deeply"));
    }
    let first = element.first();
    let universal = first & 0xc0 == 0;
    if !element.is_constructed() {
        if matches!(first & 0x1f, 0x10 | 0x11) && universal {
            return Err(malformed("a SEQUENCE or SET in it is primitive"));
        }
        return put(element.tag, out, |out| {
            match (first, element.content) {
                (BOOLEAN, [value]) => out.push(if *value == 0 { 0 } else { 0xff }),
                _ => out.extend(element.content),
            }
            Ok(())
        });
    }
    if !universal || matches!(first, SEQUENCE | SET | 0x28 | 0x2b) {
        if first == SEQUENCE && is_signed_data(element, depth) {
            return content_info(element, out, depth);
        }
        return put(element.tag, out, |out| {
            element.children(depth).try_for_each(|child| write_element(&child?, out, depth + 1))
        });
    }
    match first & 0x1f {
        3 | 4 | 12 | 18..=30 => joined(element, first & 0x1f, out, depth),
        _ => Err(malformed("an element in it is constructed that may not be")),
    }
}

/// A string that stands in pieces, as one (X.690 §8.6.4, §8.7.3, §8.23.6).
fn joined(
    element: &Element<'_>,
    kind: u8,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), CertError> {
    let tag = [element.first() & !CONSTRUCTED];
    put(&tag, out, |out| {
        let start = out.len();
        if kind == BIT_STRING {
            out.push(0);
        }
        pieces(element, kind, out, (start, depth))
    })
}

fn pieces(
    element: &Element<'_>,
    kind: u8,
    out: &mut Vec<u8>,
    (start, depth): (usize, usize),
) -> Result<(), CertError> {
    if depth >= MAX_DEPTH {
        return Err(malformed("it is nested too deeply"));
    }
    for piece in element.children(depth) {
        let piece = piece?;
        let own = piece.first() & !CONSTRUCTED;
        if own != kind && (own != OCTET_STRING || kind == BIT_STRING) {
            return Err(malformed("a string in it has pieces of another kind"));
        }
        if piece.is_constructed() {
            pieces(&piece, kind, out, (start, depth + 1))?;
        } else if kind == BIT_STRING {
            let (unused, bits) = piece.content.split_first().unwrap_or((&0, &[]));
            let last = out.get_mut(start).ok_or_else(|| malformed("it is no BER"))?;
            // Only the last piece may end within an octet.
            if *last != 0 {
                return Err(malformed("a piece of a BIT STRING in it ends within an octet"));
            }
            *last = *unused;
            out.extend(bits);
        } else {
            out.extend(piece.content);
        }
    }
    Ok(())
}

/// Whether a SEQUENCE is a ContentInfo of signed data (RFC 5652 §3).
fn is_signed_data(element: &Element<'_>, depth: usize) -> bool {
    let mut children = element.children(depth);
    let (Some(Ok(kind)), Some(Ok(content)), None) =
        (children.next(), children.next(), children.next())
    else {
        return false;
    };
    let mut inside = content.children(depth + 1);
    let (Some(Ok(data)), None) = (inside.next(), inside.next()) else { return false };
    // The header may be in long form; the identifier itself has one form.
    let identifier = SIGNED_DATA.get(2..) == Some(kind.content) && kind.first() == 6;
    identifier && content.first() == ZERO && data.first() == SEQUENCE
}

fn content_info(element: &Element<'_>, out: &mut Vec<u8>, depth: usize) -> Result<(), CertError> {
    put(element.tag, out, |out| {
        for child in element.children(depth) {
            let child = child?;
            if child.first() != ZERO {
                write_element(&child, out, depth + 1)?;
                continue;
            }
            put(child.tag, out, |out| {
                let mut inside = child.children(depth + 1);
                inside.try_for_each(|data| signed_data(&data?, out, depth + 2))
            })?;
        }
        Ok(())
    })
}

/// RFC 5652 §5.1.
fn signed_data(element: &Element<'_>, out: &mut Vec<u8>, depth: usize) -> Result<(), CertError> {
    let mut sets = 0;
    put(element.tag, out, |out| {
        for child in element.children(depth) {
            let child = child?;
            sets += usize::from(child.first() == SET);
            match child.first() {
                ZERO | ONE => put(child.tag, out, |out| {
                    for item in child.children(depth + 1) {
                        let item = item?;
                        // What is signed by others stays as it is. One that is not DER even outside is none that
                        // could be read; it cannot help to verify, and does no harm.
                        if item.has_der_header() {
                            out.extend(item.raw);
                        }
                    }
                    Ok(())
                })?,
                // The second SET: the signers.
                SET if sets == 2 => put(child.tag, out, |out| {
                    let mut signers = child.children(depth + 1);
                    signers.try_for_each(|signer| signer_info(&signer?, out, depth + 2))
                })?,
                _ => write_element(&child, out, depth + 1)?,
            }
        }
        Ok(())
    })
}

/// RFC 5652 §5.3.
fn signer_info(element: &Element<'_>, out: &mut Vec<u8>, depth: usize) -> Result<(), CertError> {
    if element.first() != SEQUENCE {
        return write_element(element, out, depth);
    }
    put(element.tag, out, |out| {
        for (index, child) in element.children(depth).enumerate() {
            let child = child?;
            match (index, child.first()) {
                // The signer by key identifier: `[0] IMPLICIT OCTET STRING`, in pieces.
                (1, ZERO) => put(&[ZERO & !CONSTRUCTED], out, |out| {
                    let start = out.len();
                    pieces(&child, OCTET_STRING, out, (start, depth + 1))
                })?,
                (_, ZERO) => {
                    let mut der = Vec::with_capacity(child.raw.len());
                    write_element(&child, &mut der, depth + 1)?;
                    if der != child.raw {
                        return Err(malformed("its signed attributes are not DER"));
                    }
                    out.extend(der);
                }
                _ => write_element(&child, out, depth + 1)?,
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use chancery_crypto::{Algorithm, SigningKey};
    use proptest::prelude::*;

    use super::*;
    use crate::{Credential, Issuer, Profile, SignedCms, Subject, sign_cades};

    /// A tree of elements, and how each of them may be written.
    #[derive(Debug, Clone)]
    enum Tree {
        Leaf(u8, Vec<u8>),
        Pieces(u8, Vec<Vec<u8>>),
        Branch(u8, Vec<Tree>),
    }

    fn trees() -> impl Strategy<Value = Tree> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..200);
        let leaf = (prop::sample::select(vec![2u8, 4, 5, 6, 12, 0x80, 0x82]), bytes());
        let strings = prop::sample::select(vec![4u8, 12, 19, 22]);
        let pieces = (strings, prop::collection::vec(bytes(), 0..4));
        let leaf = prop_oneof![
            leaf.prop_map(|(tag, bytes)| Tree::Leaf(tag, bytes)),
            pieces.prop_map(|(tag, bytes)| Tree::Pieces(tag, bytes)),
        ];
        leaf.prop_recursive(6, 40, 6, |inner| {
            let tags = prop::sample::select(vec![SEQUENCE, SET, ZERO, ONE]);
            (tags, prop::collection::vec(inner, 0..6))
                .prop_map(|(tag, trees)| Tree::Branch(tag, trees))
        })
    }

    fn der(tree: &Tree) -> Vec<u8> {
        let (tag, body) = match tree {
            Tree::Leaf(tag, bytes) => (*tag, bytes.clone()),
            Tree::Pieces(tag, pieces) => (*tag, pieces.concat()),
            Tree::Branch(tag, trees) => (*tag, trees.iter().flat_map(der).collect()),
        };
        let mut out = vec![tag];
        length(body.len(), &mut out);
        out.extend(body);
        out
    }

    fn wrapped(tag: u8, body: &[u8], form: &mut impl FnMut() -> u8) -> Vec<u8> {
        let mut out = vec![tag];
        match form() % 3 {
            0 if tag & CONSTRUCTED != 0 => {
                out.push(0x80);
                out.extend(body);
                out.extend([0, 0]);
            }
            1 => {
                out.push(0x84);
                out.extend(u32::try_from(body.len()).expect("small").to_be_bytes());
                out.extend(body);
            }
            _ => {
                length(body.len(), &mut out);
                out.extend(body);
            }
        }
        out
    }

    fn ber(tree: &Tree, form: &mut impl FnMut() -> u8) -> Vec<u8> {
        match tree {
            Tree::Leaf(tag, bytes) => wrapped(*tag, bytes, form),
            Tree::Pieces(tag, pieces) => {
                let body: Vec<_> = pieces.iter().flat_map(|p| wrapped(*tag, p, form)).collect();
                wrapped(tag | CONSTRUCTED, &body, form)
            }
            Tree::Branch(tag, trees) => {
                let body: Vec<_> = trees.iter().flat_map(|tree| ber(tree, form)).collect();
                wrapped(*tag, &body, form)
            }
        }
    }

    fn cades() -> (Vec<u8>, Credential) {
        const NOW: i64 = 1_790_000_000;
        let root = Issuer::new_root("Root", &[], Algorithm::EdDsa, NOW).expect("a root");
        let key = SigningKey::generate(Algorithm::Es256).expect("random bytes");
        let subject = Subject::agency(Profile::Seal, "a.gov.cn".parse().expect("a name"), "A");
        let made = root.issue(&subject, &key.public_key(), NOW).expect("issues");
        let by = Credential::new(key, vec![made]).expect("fits");
        let cms = sign_cades(b"content", &by, NOW).expect("signs");
        (cms, by)
    }

    /// Everything outside of the signed attributes and certificates, with indefinite lengths.
    fn streamed(element: &Element<'_>, path: &mut Vec<u8>, out: &mut Vec<u8>) {
        path.push(element.first());
        let verbatim = path.ends_with(&[SEQUENCE, SET, SEQUENCE, ZERO])
            || path.ends_with(&[SEQUENCE, ZERO, SEQUENCE, ZERO, SEQUENCE]);
        if verbatim || !element.is_constructed() {
            out.extend(element.raw);
        } else {
            out.extend(element.tag);
            out.push(0x80);
            let children = element.children(0);
            children.for_each(|child| streamed(&child.expect("BER"), path, out));
            out.extend([0, 0]);
        }
        path.pop();
    }

    #[test]
    fn a_signature_in_indefinite_lengths_is_the_same_signature() {
        let (der, _) = cades();
        assert_eq!(ber_to_der(&der).expect("reads"), der);
        let mut ber = Vec::new();
        let (element, _) = Element::read(&der, 0).expect("reads");
        streamed(&element, &mut Vec::new(), &mut ber);
        assert_ne!(ber, der);
        assert_eq!(ber_to_der(&ber).expect("reads"), der);
        let cms = SignedCms::from_der(&ber).expect("reads");
        assert!(cms.verify(0, b"content", &[]).is_ok());
        assert!(cms.verify(0, b"Content", &[]).is_err());
    }

    #[test]
    fn signed_attributes_must_be_der_and_certificates_are_not_touched() {
        let (der, by) = cades();
        let certificate = by.chain()[0].der();
        let at =
            |needle: &[u8]| der.windows(needle.len()).position(|w| w == needle).expect("there");
        // The first attribute's length in long form: [0] { SEQUENCE { OID …
        let kind = [0x30, 0x18, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 3];
        let place = at(&kind);
        let longer = |place: usize| {
            // One octet more inside: every length around it is rewritten by reading the tree again.
            fn rebuild(element: &Element<'_>, target: *const u8, out: &mut Vec<u8>) {
                let mut body = Vec::new();
                if element.is_constructed() {
                    for child in element.children(0) {
                        rebuild(&child.expect("BER"), target, &mut body);
                    }
                } else {
                    body.extend(element.content);
                }
                out.extend(element.tag);
                if std::ptr::eq(element.raw.as_ptr(), target) {
                    out.push(0x84);
                    out.extend(u32::try_from(body.len()).expect("small").to_be_bytes());
                } else {
                    length(body.len(), out);
                }
                out.extend(body);
            }
            let (element, _) = Element::read(&der, 0).expect("reads");
            let mut out = Vec::new();
            rebuild(&element, der[place..].as_ptr(), &mut out);
            assert_ne!(out, der);
            out
        };
        let error = ber_to_der(&longer(place)).expect_err("refused");
        assert!(error.to_string().contains("signed attributes are not DER"), "{error}");
        // Inside the certificate: it comes out as it went in, for its own parser to refuse.
        let odd = longer(at(certificate) + 4);
        let cms = SignedCms::from_der(&odd);
        assert!(cms.is_err() || cms.is_ok_and(|cms| cms.verify(0, b"content", &[]).is_err()));
    }

    #[test]
    fn what_is_no_ber_or_too_deep_is_refused() {
        let deep = |levels: usize| [[SEQUENCE, 0x80].repeat(levels), [0, 0].repeat(levels)];
        assert!(ber_to_der(&deep(20).concat()).is_ok());
        for bad in [
            &b""[..],
            &[0x30],
            &[0x30, 0x80],
            &[0x04, 0x80, 0, 0],
            &[0x30, 2, 0, 0],
            &[0x30, 0x80, 0, 0, 0],
            &[0x10, 0],
            &[0x22, 3, 2, 1, 1],
            &[0x24, 3, 2, 1, 1],
            &[0x30, 0xff, 1],
            &[0x30, 0x89, 1, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0],
            &[0x23, 8, 3, 2, 1, 2, 3, 2, 0, 1],
            &deep(100).concat(),
            &vec![0x24; 100_000],
        ] {
            assert!(ber_to_der(bad).is_err(), "{:02x?}", bad.get(..20));
        }
    }

    #[test]
    fn strings_in_pieces_become_one() {
        let bits = [0x23, 0x80, 3, 2, 0, 0xaa, 3, 2, 4, 0xb0, 0, 0];
        assert_eq!(ber_to_der(&bits).expect("reads"), [3, 3, 4, 0xaa, 0xb0]);
        let nested = [0x24, 0x80, 0x24, 3, 4, 1, 1, 4, 1, 2, 0, 0];
        assert_eq!(ber_to_der(&nested).expect("reads"), [4, 2, 1, 2]);
        assert_eq!(ber_to_der(&[1, 1, 7]).expect("reads"), [1, 1, 0xff]);
    }

    proptest! {
        #[test]
        fn every_way_of_writing_a_tree_gives_the_same_der(tree in trees(), forms in prop::collection::vec(any::<u8>(), 1..40)) {
            let der = der(&tree);
            prop_assert_eq!(&ber_to_der(&der).expect("is DER"), &der);
            let mut at = 0;
            let mut form = || { at += 1; forms[at % forms.len()] };
            prop_assert_eq!(ber_to_der(&ber(&tree, &mut form)).expect("is BER"), der);
        }

        #[test]
        fn what_comes_out_is_der(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(der) = ber_to_der(&bytes) {
                prop_assert_eq!(ber_to_der(&der).expect("is DER"), der);
            }
        }
    }
}
