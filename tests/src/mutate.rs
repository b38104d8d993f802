//! Mutations of bytes that others send: of the bytes themselves, and of what they mean to a parser of DER, CBOR or ZIP, with every
//! length and checksum around the change put right again. The same seed always makes the same mutant.

/// A source of choices that are the same for the same seed (SplitMix64).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, or 0 when there is none.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % (end.max(1) as u64)).expect("it is below a usize")
    }

    /// One of several.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Whether something happens that happens once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// Changes bytes without a thought of what they are; `other` is what pieces are taken from.
pub fn bytes(dice: &mut Dice, bytes: &mut Vec<u8>, other: &[u8]) {
    let at = dice.below(bytes.len());
    let length = 1 + dice.below(16);
    let end = (at + length).min(bytes.len());
    match dice.below(9) {
        0..=2 if !bytes.is_empty() => bytes[at] ^= 1 << dice.below(8),
        3 if !bytes.is_empty() => bytes[at] = *dice.pick(&[0, 1, 0x7f, 0x80, 0xff, b'\n', b' ']),
        4 => bytes.truncate(at),
        5 => {
            let more: Vec<u8> = (0..length).map(|_| dice.number().to_le_bytes()[0]).collect();
            bytes.splice(at..at, more);
        }
        6 => drop(bytes.drain(at..end)),
        7 => {
            let piece = bytes[at..end].to_vec();
            let to = dice.below(bytes.len() + 1);
            bytes.splice(to..to, piece);
        }
        _ => {
            let from = dice.below(other.len());
            let piece = &other[from..(from + 4 * length).min(other.len())];
            let piece = piece.to_vec();
            bytes.splice(at..end, piece);
        }
    }
}

/// The notations whose structure is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notation {
    /// X.690's DER.
    Der,
    /// CBOR (RFC 8949).
    Cbor,
}

/// An element: what stands before its length, and what it holds.
#[derive(Debug, Clone)]
struct Node {
    /// DER: the identifier octets. CBOR: the major type in the first three bits, alone.
    tag: Vec<u8>,
    holds: Holds,
    /// Whether its length is written as it must not be.
    sloppy: bool,
}

#[derive(Debug, Clone)]
enum Holds {
    Bytes(Vec<u8>),
    /// In CBOR a tag's own number, or how many there are, comes first.
    Nodes(Option<u64>, Vec<Node>),
    /// Bytes that are elements again: an OCTET STRING with DER in it, a byte string with CBOR in it.
    Inside(Vec<u8>, Vec<Node>),
    /// CBOR's numbers and simple values.
    Number(u64),
}

/// The most nested elements that are followed.
const DEPTH: usize = 40;

fn der_nodes(mut bytes: &[u8], depth: usize) -> Option<Vec<Node>> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let (node, rest) = der_node(bytes, depth)?;
        out.push(node);
        bytes = rest;
    }
    Some(out)
}

fn der_node(bytes: &[u8], depth: usize) -> Option<(Node, &[u8])> {
    let mut tag = vec![*bytes.first()?];
    if tag[0] & 0x1f == 0x1f {
        let more = bytes[1..].iter().position(|byte| byte & 0x80 == 0)?;
        tag.extend(&bytes[1..=more + 1]);
    }
    let bytes = &bytes[tag.len()..];
    let (first, bytes) = bytes.split_first()?;
    let (length, bytes) = match first {
        0..=0x7f => (usize::from(*first), bytes),
        0x81..=0x84 => {
            let (digits, rest) = bytes.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = bytes.split_at_checked(length)?;
    let deeper = |bytes: &[u8]| if depth < DEPTH { der_nodes(bytes, depth + 1) } else { None };
    let plain = || Holds::Bytes(content.to_vec());
    let holds = match tag[0] {
        constructed if constructed & 0x20 != 0 => {
            deeper(content).map_or_else(plain, |nodes| Holds::Nodes(None, nodes))
        }
        0x04 if content.first() == Some(&0x30) => {
            deeper(content).map_or_else(plain, |nodes| Holds::Inside(Vec::new(), nodes))
        }
        0x03 if content.starts_with(&[0, 0x30]) => {
            deeper(&content[1..]).map_or_else(plain, |nodes| Holds::Inside(vec![0], nodes))
        }
        _ => plain(),
    };
    Some((Node { tag, holds, sloppy: false }, rest))
}

fn cbor_node(bytes: &[u8], depth: usize) -> Option<(Node, &[u8])> {
    let (first, bytes) = bytes.split_first()?;
    let (major, info) = (first & 0xe0, first & 0x1f);
    let (number, mut bytes) = match info {
        0..=23 => (u64::from(info), bytes),
        24..=27 => {
            let (digits, rest) = bytes.split_at_checked(1 << (info - 24))?;
            (digits.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)), rest)
        }
        _ => return None,
    };
    let node = |holds| Node { tag: vec![major], holds, sloppy: false };
    if depth > DEPTH {
        return None;
    }
    let holds = match major {
        0x40 | 0x60 => {
            let (content, rest) = bytes.split_at_checked(usize::try_from(number).ok()?)?;
            bytes = rest;
            let inside = (major == 0x40
                && content.first().is_some_and(|b| (0x80..0xe0).contains(b)))
            .then(|| cbor_node(content, depth + 1))
            .flatten();
            match inside {
                Some((node, [])) => Holds::Inside(Vec::new(), vec![node]),
                _ => Holds::Bytes(content.to_vec()),
            }
        }
        0x80 | 0xa0 | 0xc0 => {
            let count = match major {
                0x80 => number,
                0xa0 => number.checked_mul(2)?,
                _ => 1,
            };
            let mut nodes = Vec::new();
            for _ in 0..count {
                let (node, rest) = cbor_node(bytes, depth + 1)?;
                nodes.push(node);
                bytes = rest;
            }
            Holds::Nodes((major == 0xc0).then_some(number), nodes)
        }
        _ => Holds::Number(number),
    };
    Some((node(holds), bytes))
}

fn cbor_head(major: u8, number: u64, sloppy: bool) -> Vec<u8> {
    let width = match number {
        0..24 => 0,
        24..0x100 => 1,
        0x100..0x1_0000 => 2,
        0x1_0000..0x1_0000_0000 => 4,
        _ => 8,
    };
    let width = if sloppy { [1, 2, 4, 4, 8, 8, 8, 8, 8][width] } else { width };
    match width {
        0 => vec![major | number.to_be_bytes()[7]],
        1 => vec![major | 24, number.to_be_bytes()[7]],
        2 => [&[major | 25], &number.to_be_bytes()[6..]].concat(),
        4 => [&[major | 26], &number.to_be_bytes()[4..]].concat(),
        _ => [&[major | 27], &number.to_be_bytes()[..]].concat(),
    }
}

impl Node {
    fn write(&self, notation: Notation, out: &mut Vec<u8>) {
        let mut content = Vec::new();
        let nodes = match &self.holds {
            Holds::Bytes(bytes) => {
                content.extend(bytes);
                &[][..]
            }
            Holds::Inside(before, nodes) => {
                content.extend(before);
                nodes.as_slice()
            }
            Holds::Nodes(_, nodes) => nodes.as_slice(),
            Holds::Number(_) => &[],
        };
        nodes.iter().for_each(|node| node.write(notation, &mut content));
        match notation {
            Notation::Der => {
                out.extend(&self.tag);
                let digits = content.len().to_be_bytes();
                match content.len() {
                    length if self.sloppy => {
                        out.push(if length % 2 == 0 { 0x84 } else { 0x83 });
                        out.extend(&digits[if length % 2 == 0 { 4 } else { 5 }..]);
                    }
                    0..0x80 => out.push(digits[7]),
                    0x80..0x100 => out.extend([0x81, digits[7]]),
                    0x100..0x1_0000 => out.extend([0x82, digits[6], digits[7]]),
                    _ => out.extend([0x83, digits[5], digits[6], digits[7]]),
                }
            }
            Notation::Cbor => {
                let major = self.tag[0] & 0xe0;
                let number = match &self.holds {
                    Holds::Bytes(_) | Holds::Inside(..) => content.len() as u64,
                    Holds::Nodes(Some(number), _) | Holds::Number(number) => *number,
                    Holds::Nodes(None, nodes) if major == 0xa0 => nodes.len() as u64 / 2,
                    Holds::Nodes(None, nodes) => nodes.len() as u64,
                };
                out.extend(cbor_head(major, number, self.sloppy));
            }
        }
        out.extend(content);
    }

    fn children(&mut self) -> &mut [Node] {
        match &mut self.holds {
            Holds::Nodes(_, nodes) | Holds::Inside(_, nodes) => nodes,
            Holds::Bytes(_) | Holds::Number(_) => &mut [],
        }
    }

    fn count(&mut self) -> usize {
        1 + self.children().iter_mut().map(Self::count).sum::<usize>()
    }

    /// The element number `index` in the order of reading.
    fn at(&mut self, mut index: usize) -> &mut Self {
        if index == 0 {
            return self;
        }
        index -= 1;
        let counts: Vec<_> = self.children().iter_mut().map(Self::count).collect();
        let mut child = 0;
        while child + 1 < counts.len() && index >= counts[child] {
            index -= counts[child];
            child += 1;
        }
        self.children()[child].at(index)
    }
}

/// One element of the notation, whole.
fn parse(notation: Notation, bytes: &[u8]) -> Option<Node> {
    let parsed = match notation {
        Notation::Der => der_node(bytes, 0),
        Notation::Cbor => cbor_node(bytes, 0),
    };
    parsed.filter(|(_, rest)| rest.is_empty()).map(|(node, _)| node)
}

/// The elements of DER that have a tag, in the order of reading, each with its content as it is written.
pub fn der_elements(der: &[u8], tag: u8) -> Vec<Vec<u8>> {
    let Some(mut node) = parse(Notation::Der, der) else { return Vec::new() };
    let mut out = Vec::new();
    for index in 0..node.count() {
        let node = node.at(index);
        if node.tag == [tag] {
            let mut bytes = Vec::new();
            node.write(Notation::Der, &mut bytes);
            out.push(bytes);
        }
    }
    out
}

/// The elements directly inside of one in DER.
pub fn der_children(der: &[u8]) -> Vec<Vec<u8>> {
    let Some(mut node) = parse(Notation::Der, der) else { return Vec::new() };
    let written = node.children().iter().map(|child| {
        let mut bytes = Vec::new();
        child.write(Notation::Der, &mut bytes);
        bytes
    });
    written.collect()
}

/// An element of DER.
pub fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let holds = Holds::Bytes(content.to_vec());
    let mut out = Vec::new();
    Node { tag: vec![tag], holds, sloppy: false }.write(Notation::Der, &mut out);
    out
}

/// Changes what a parser sees: elements are left out, doubled, exchanged, taken from another example, given another tag or a
/// length that is not allowed, or changed within; all around is put right. Bytes that are not of the notation are changed as bytes.
pub fn structure(dice: &mut Dice, notation: Notation, mutant: &mut Vec<u8>, other: &[u8]) {
    let Some(mut node) = parse(notation, mutant) else {
        return bytes(dice, mutant, other);
    };
    let count = node.count();
    let donor = parse(notation, other).map(|mut other| {
        let index = dice.below(other.count());
        other.at(index).clone()
    });
    let own = node.at(dice.below(count)).clone();
    let place = node.at(dice.below(count));
    let kids = place.children().len();
    let (one, two) = (dice.below(kids), dice.below(kids));
    match (dice.below(10), &mut place.holds) {
        (0, Holds::Nodes(_, nodes) | Holds::Inside(_, nodes)) if kids > 0 => {
            drop(nodes.remove(one))
        }
        (1, Holds::Nodes(_, nodes) | Holds::Inside(_, nodes)) if kids > 0 => {
            nodes.insert(two, nodes[one].clone());
        }
        (2, Holds::Nodes(_, nodes) | Holds::Inside(_, nodes)) if kids > 1 => nodes.swap(one, two),
        (3, Holds::Nodes(_, nodes) | Holds::Inside(_, nodes)) => nodes.insert(one, own),
        (4, Holds::Nodes(_, nodes) | Holds::Inside(_, nodes)) => {
            nodes.insert(one, donor.unwrap_or(own));
        }
        (5, _) => *place = donor.unwrap_or(own),
        (6, _) => place.sloppy = true,
        (7, _) => place.tag[0] ^= 1 << dice.below(8),
        (_, Holds::Number(number)) => {
            *number = *dice.pick(&[0, 1, 2, *number ^ 1, number.wrapping_add(1), u64::MAX >> 1]);
        }
        (_, Holds::Bytes(content)) => bytes(dice, content, other),
        _ => *place = own,
    }
    mutant.clear();
    node.write(notation, mutant);
}

/// An entry of a ZIP file: its name in the directory at the end, its name before its content, and the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name that the directory at the end gives.
    pub name: String,
    /// The name that stands before the content.
    pub local: String,
    /// The content.
    pub content: Vec<u8>,
}

/// The entries of a ZIP file of ours: none of them compressed, no data descriptors, less than 4 GiB.
pub fn unzip(zip: &[u8]) -> Option<Vec<Entry>> {
    let two = |at: usize| Some(u16::from_le_bytes(zip.get(at..at + 2)?.try_into().ok()?).into());
    let four = |at: usize| {
        let digits = zip.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(digits)).ok()
    };
    let text =
        |at: usize, length: usize| String::from_utf8(zip.get(at..at + length)?.to_vec()).ok();
    let end = zip.windows(4).rposition(|bytes| bytes == b"PK\x05\x06")?;
    let (count, mut at): (usize, _) = (two(end + 10)?, four(end + 16)?);
    let mut out = Vec::new();
    for _ in 0..count {
        let (name, extra, comment): (usize, usize, usize) =
            (two(at + 28)?, two(at + 30)?, two(at + 32)?);
        let (size, local) = (four(at + 24)?, four(at + 42)?);
        let (local_name, local_extra): (usize, usize) = (two(local + 26)?, two(local + 28)?);
        let content = local + 30 + local_name + local_extra;
        out.push(Entry {
            name: text(at + 46, name)?,
            local: text(local + 30, local_name)?,
            content: zip.get(content..content + size)?.to_vec(),
        });
        at += 46 + name + extra + comment;
    }
    Some(out)
}

/// A ZIP file of entries, none of them compressed, every checksum right.
pub fn zip(entries: &[Entry]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for Entry { name, local, content } in entries {
        let at = (out.len() as u32).to_le_bytes();
        let size = (content.len() as u32).to_le_bytes();
        // Version 2.0, names in UTF-8, stored, 1980-01-01.
        let mut common = vec![20, 0, 0, 8, 0, 0, 0, 0, 0x21, 0];
        common.extend(crc32(content).to_le_bytes());
        common.extend([size, size].concat());
        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend((local.len() as u16).to_le_bytes());
        out.extend([0, 0]);
        out.extend(local.as_bytes());
        out.extend(content);
        directory.extend(b"PK\x01\x02\x14\x03");
        directory.extend(&common);
        directory.extend((name.len() as u16).to_le_bytes());
        directory.extend([0; 8]);
        directory.extend([0, 0, 0xa4, 0x81]);
        directory.extend(at);
        directory.extend(name.as_bytes());
    }
    let count = (entries.len() as u16).to_le_bytes();
    let (size, at) = (directory.len() as u32, out.len() as u32);
    out.extend(directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend([count, count].concat());
    out.extend([size.to_le_bytes(), at.to_le_bytes()].concat());
    out.extend([0, 0]);
    out
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        let mut crc = crc ^ u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
        crc
    };
    !bytes.iter().fold(!0, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_parsed_is_written_again_byte_for_byte() {
        let inner = der(0x30, &[der(2, &[5]), der(4, &der(0x30, &[1, 1, 0xff]))].concat());
        let long = der(
            0x30,
            &[inner.clone(), der(3, &[&[0], &inner[..]].concat()), der(12, &[b'x'; 300])].concat(),
        );
        let mut out = Vec::new();
        parse(Notation::Der, &long).unwrap().write(Notation::Der, &mut out);
        assert_eq!(out, long);
        assert_eq!(der_elements(&long, 12), [der(12, &[b'x'; 300])]);
        assert_eq!(der_children(&inner), [der(2, &[5]), der(4, &der(0x30, &[1, 1, 0xff]))]);
        // [1, {2: h'A10102'}, 18(24.0 as bytes), "x" * 30, true]
        let cbor = [
            &[0x85, 1, 0xa1, 2, 0x43, 0xa1, 1, 2, 0xd2, 0x42, 9, 9, 0x78, 30][..],
            &[b'x'; 30],
            &[0xf5],
        ];
        let cbor = cbor.concat();
        let mut out = Vec::new();
        parse(Notation::Cbor, &cbor).unwrap().write(Notation::Cbor, &mut out);
        assert_eq!(out, cbor);
        let entry = |name: &str, content: &[u8]| Entry {
            name: name.into(),
            local: name.into(),
            content: content.to_vec(),
        };
        let entries = vec![entry("mimetype", b"x"), entry("文", b""), entry("b/c", &[7; 1000])];
        assert_eq!(unzip(&zip(&entries)).unwrap(), entries);
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn the_same_seed_makes_the_same_mutant_and_most_mutants_are_others() {
        let good =
            der(0x30, &[der(2, &[5]), der(0x30, &der(4, b"text")), der(12, b"name")].concat());
        let mut changed = 0;
        for seed in 0..1_000 {
            let mutant = || {
                let (mut dice, mut mutant) = (Dice::new(seed), good.clone());
                structure(&mut dice, Notation::Der, &mut mutant, &good);
                mutant
            };
            assert_eq!(mutant(), mutant());
            changed += usize::from(mutant() != good);
        }
        assert!(changed > 800, "{changed}");
    }
}
