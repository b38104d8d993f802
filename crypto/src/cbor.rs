//! Deterministic CBOR: the one door through which signed bytes are made and read.
//!
//! The form is the core deterministic encoding of RFC 8949 §4.2.1, less floats and undefined:
//! shortest heads, definite lengths, map keys in ascending bytewise order and never twice. A reader
//! accepts nothing else, so every accepted byte string encodes again to itself, and the bytes that
//! were signed are the bytes that are kept.

use serde::{Serialize, de::DeserializeOwned};

use crate::{CborError, StructureFault, Unknown};

/// The deepest nesting that is read. Chancery's own structures need seven levels.
pub const MAX_DEPTH: usize = 16;

/// The largest item that [`decode`] reads, in bytes. Larger content is never CBOR here.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Room that most items find enough. A buffer that grows from nothing is moved eight times on the way here, each time
/// through the allocator, which all threads share.
const USUAL_BYTES: usize = 2048;

/// Encodes a value in deterministic form.
///
/// # Errors
/// [`CborError::Structure`] when the value has a part that this format does not use (a float, say).
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CborError> {
    encode_within(value, MAX_BYTES)
}

/// As [`encode`], for what may be larger or must be smaller than [`MAX_BYTES`].
///
/// # Errors
/// As [`encode`].
pub fn encode_within<T: Serialize + ?Sized>(value: &T, most: usize) -> Result<Vec<u8>, CborError> {
    // What is written often has its fields in the order of the encoding (see `is_in_order`): then these bytes are
    // deterministic already.
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    serde_cbor::to_writer(&mut bytes, &value).map_err(structure)?;
    match check_within(&bytes, most) {
        Ok(()) => return Ok(bytes),
        // Sorted it is as long.
        Err(error @ CborError::TooLarge(..)) => return Err(error),
        Err(_) => {}
    }
    // A generic value sorts its map keys by RFC 7049 §3.9, which for definite shortest heads is
    // also bytewise order; `check` proves it for these very bytes.
    let tree = serde_cbor::value::to_value(value).map_err(structure)?;
    let bytes = serde_cbor::to_vec(&tree).map_err(structure)?;
    check_within(&bytes, most)?;
    Ok(bytes)
}

/// Whether a value's fields are declared in the order in which their keys are encoded (shorter names first), so that
/// [`encode`] writes it in one go, without a generic value between.
pub fn is_in_order<T: Serialize + ?Sized>(value: &T) -> bool {
    serde_cbor::to_vec(&value).is_ok_and(|bytes| check(&bytes).is_ok())
}

/// Decodes exactly one deterministic item of at most [`MAX_BYTES`].
///
/// # Errors
/// Every [`CborError`]; nothing is allocated before the form has been checked.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CborError> {
    decode_within(bytes, MAX_BYTES)
}

/// As [`decode`], for what may be larger or must be smaller than [`MAX_BYTES`].
///
/// # Errors
/// As [`decode`].
pub fn decode_within<T: DeserializeOwned>(bytes: &[u8], most: usize) -> Result<T, CborError> {
    check_within(bytes, most)?;
    serde_cbor::from_slice(bytes).map_err(structure)
}

/// The form that structures have that do not say which: see [`decode_open`].
const FORM: u64 = 1;
/// The field that names the form.
const FORM_FIELD: &str = "format";
/// The field that lists what a reader must know.
const CRITICAL: &str = "crit";
/// The most fields that may be critical, and the longest name of one.
const MAX_CRITICAL: usize = 64;

/// As [`decode_within`], for a structure that later versions may add to: fields that are not known are passed over,
/// since whoever signs or hashes it does so over the bytes, which are kept. What must not be passed over, its writer
/// says: `crit` lists fields that a reader must know, `format` the form of the whole where that is not the first. A type
/// that takes no field that it does not know is closed: one with such a field is of a newer version, too.
///
/// # Errors
/// As [`decode`], and [`CborError::Newer`], which names the field, variant or form that is not known.
pub fn decode_open<T: DeserializeOwned>(bytes: &[u8], most: usize) -> Result<T, CborError> {
    check_within(bytes, most)?;
    check_demands::<T>(bytes)?;
    serde_cbor::from_slice(bytes).map_err(|error| {
        let known = shape::of::<T>();
        let unknown = names(bytes).into_iter().find(|name| !known.contains(&name.as_str()));
        match unknown.filter(|_| !known.is_empty()) {
            Some(name) => CborError::Newer(Unknown::Name { name }),
            None => structure(error),
        }
    })
}

/// Whether what is in deterministic form demands nothing that is not known here; see [`decode_open`], which checks it of
/// a whole item. This is for a structure inside another.
///
/// # Errors
/// [`CborError::Newer`], or [`CborError::Structure`] when the demand is malformed.
pub fn check_demands<T: DeserializeOwned>(bytes: &[u8]) -> Result<(), CborError> {
    check_names::<T>(bytes)?;
    if let Some(form) = field(bytes, FORM_FIELD) {
        let form: u64 = serde_cbor::from_slice(form).map_err(structure)?;
        if form != FORM {
            return Err(CborError::Newer(Unknown::Form { form }));
        }
    }
    if let Some(critical) = field(bytes, CRITICAL) {
        let critical: Vec<String> = serde_cbor::from_slice(critical).map_err(structure)?;
        check_critical(bytes, &critical, shape::of::<T>())?;
    }
    Ok(())
}

/// serde takes a list for a structure, and a number or a byte string for a field's name. What may have more fields than
/// are known here has them by name.
fn check_names<T: DeserializeOwned>(bytes: &[u8]) -> Result<(), CborError> {
    let mut reader = Reader::new(bytes);
    let named = match reader.head_of(5) {
        // Keys ascend, and numbers and byte strings come before texts.
        Some(count) => count == 0 || reader.text().is_some(),
        // A variant without fields is a text.
        None => reader.text().is_some() || shape::of::<T>().is_empty(),
    };
    named.then_some(()).ok_or(CborError::Structure(StructureFault::NoNames))
}

fn check_critical(bytes: &[u8], critical: &[String], known: &[&str]) -> Result<(), CborError> {
    if critical.is_empty() || critical.len() > MAX_CRITICAL {
        let count = critical.len();
        return Err(CborError::Structure(StructureFault::CriticalCount { count }));
    }
    for name in critical {
        let plain = name.chars().all(|c| c.is_ascii_graphic());
        if name.is_empty() || name.len() > MAX_CRITICAL || !plain {
            return Err(CborError::Structure(StructureFault::CriticalName));
        }
        if !known.contains(&name.as_str()) {
            return Err(CborError::Newer(Unknown::CriticalField { name: name.clone() }));
        }
        if field(bytes, name).is_none() {
            let name = name.clone();
            return Err(CborError::Structure(StructureFault::CriticalMissing { name }));
        }
    }
    Ok(())
}

/// The names of a map's fields, or the one text that an item is: as far as they are plain.
fn names(bytes: &[u8]) -> Vec<String> {
    let mut reader = Reader::new(bytes);
    let count = match reader.head_of(5) {
        Some(count) => count,
        None => {
            return reader
                .text()
                .map(str::to_owned)
                .into_iter()
                .filter(|name| is_plain(name))
                .collect();
        }
    };
    let mut names = Vec::new();
    for _ in 0..count {
        match reader.text() {
            Some(name) => names.push(name.to_owned()),
            // A key of another kind has no name.
            None if reader.item().is_none() => break,
            None => {}
        }
        if reader.item().is_none() || names.len() > MAX_CRITICAL {
            break;
        }
    }
    names.retain(|name| is_plain(name));
    names
}

fn is_plain(name: &str) -> bool {
    name.len() <= MAX_CRITICAL && name.chars().all(|c| c.is_ascii_graphic())
}

/// The encoded value of a field of a map in deterministic form.
pub fn field<'a>(bytes: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut wanted = Vec::with_capacity(name.len() + 9);
    push_head(&mut wanted, 3, name.len() as u64);
    wanted.extend_from_slice(name.as_bytes());
    let mut reader = Reader::new(bytes);
    for _ in 0..reader.head_of(5)? {
        let key = reader.item()?;
        // Keys ascend: what is not there is passed soon.
        match key.cmp(&wanted) {
            std::cmp::Ordering::Less => reader.item().map(drop)?,
            std::cmp::Ordering::Equal => return reader.item(),
            std::cmp::Ordering::Greater => return None,
        }
    }
    None
}

/// What serde knows of a type's fields or variants.
mod shape {
    use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor, value::Error};

    /// The names of a structure's fields or an enumeration's variants; none for another type.
    pub(super) fn of<T: DeserializeOwned>() -> &'static [&'static str] {
        let mut names: &'static [&'static str] = &[];
        // It always ends in an error: there is nothing to read.
        drop(T::deserialize(Shape(&mut names)));
        names
    }

    struct Shape<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Shape<'_> {
        type Error = Error;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
            Err(Error::custom("nothing"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Error> {
            *self.0 = fields;
            Err(Error::custom("nothing"))
        }

        fn deserialize_enum<V: Visitor<'de>>(
            self,
            _: &'static str,
            variants: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Error> {
            *self.0 = variants;
            Err(Error::custom("nothing"))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map identifier ignored_any
        }
    }
}

/// Checks that `bytes` are exactly one item in deterministic form within the limits.
///
/// # Errors
/// The first deviation, with its byte offset.
pub fn check(bytes: &[u8]) -> Result<(), CborError> {
    check_within(bytes, MAX_BYTES)
}

/// As [`check`], for what may be larger or must be smaller than [`MAX_BYTES`].
///
/// # Errors
/// As [`check`].
pub fn check_within(bytes: &[u8], most: usize) -> Result<(), CborError> {
    if bytes.len() > most {
        return Err(CborError::TooLarge(bytes.len(), most));
    }
    count(bytes).map(drop)
}

/// Checks that `bytes` are exactly one item in deterministic form, and says how many items that is with all inside it.
///
/// # Errors
/// As [`check`].
pub(crate) fn count(bytes: &[u8]) -> Result<usize, CborError> {
    let mut reader = Reader::new(bytes);
    reader.check_item(0)?;
    if reader.at != bytes.len() {
        return Err(CborError::Trailing(reader.at));
    }
    Ok(reader.items)
}

/// Appends a byte string.
pub(crate) fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    push_head(out, 2, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends the head of an item: its major type, and its argument in the shortest form.
pub(crate) fn push_head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let bytes = argument.to_be_bytes();
    let (info, width) = match argument {
        0..=23 => (bytes[7], 0),
        24..=0xff => (24, 1),
        0x100..=0xffff => (25, 2),
        0x1_0000..=0xffff_ffff => (26, 4),
        _ => (27, 8),
    };
    out.push(major << 5 | info);
    out.extend_from_slice(bytes.get(8 - width..).unwrap_or_default());
}

fn structure(error: serde_cbor::Error) -> CborError {
    CborError::Structure(StructureFault::Other { detail: error.to_string() })
}

/// Goes through an item. What it is asked for and is not there leaves it where it was.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Items that were checked.
    items: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, items: 0 }
    }

    /// The next head's argument, if the head is of this major type.
    fn head_of(&mut self, major: u8) -> Option<u64> {
        let at = self.at;
        match self.head() {
            Ok((found, argument)) if found == major => return Some(argument),
            _ => self.at = at,
        }
        None
    }

    /// Goes into what is tagged, and says with which tag.
    pub(crate) fn tag(&mut self) -> Option<u64> {
        self.head_of(6)
    }

    /// Goes into an array, and says how many items it has.
    pub(crate) fn array(&mut self) -> Option<u64> {
        self.head_of(4)
    }

    /// Takes a byte string.
    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let at = self.at;
        let taken = self.head_of(2).and_then(|len| self.take(len).ok());
        if taken.is_none() {
            self.at = at;
        }
        taken
    }

    /// Takes a text.
    fn text(&mut self) -> Option<&'a str> {
        let at = self.at;
        let taken = self.head_of(3).and_then(|len| self.take(len).ok());
        let text = taken.and_then(|bytes| std::str::from_utf8(bytes).ok());
        if text.is_none() {
            self.at = at;
        }
        text
    }

    /// Takes an item, as it is encoded.
    pub(crate) fn item(&mut self) -> Option<&'a [u8]> {
        let at = self.at;
        match self.check_item(0) {
            Ok(()) => self.bytes.get(at..self.at),
            Err(_) => {
                self.at = at;
                None
            }
        }
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8], CborError> {
        let len = usize::try_from(len).map_err(|_| CborError::Truncated(self.bytes.len()))?;
        let end = self.at.checked_add(len).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(CborError::Truncated(self.bytes.len()))?;
        let out = self.bytes.get(self.at..end).ok_or(CborError::Truncated(end))?;
        self.at = end;
        Ok(out)
    }

    /// Reads a head: its major type and argument, in shortest form only.
    fn head(&mut self) -> Result<(u8, u64), CborError> {
        let start = self.at;
        let first = *self.take(1)?.first().ok_or(CborError::Truncated(start))?;
        let (major, info) = (first >> 5, first & 0x1f);
        let width = match info {
            0..=23 => return Ok((major, u64::from(info))),
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            // 28-30 are reserved, 31 is an indefinite length.
            _ => return Err(CborError::NotShortest(start)),
        };
        let argument = self.take(width)?.iter().fold(0u64, |n, b| (n << 8) | u64::from(*b));
        let least = match width {
            1 => 24,
            2 => 1 << 8,
            4 => 1 << 16,
            _ => 1 << 32,
        };
        // Simple values above 23 and floats come with major type 7 and are refused by `item`.
        if major != 7 && argument < least {
            return Err(CborError::NotShortest(start));
        }
        Ok((major, argument))
    }

    fn check_item(&mut self, depth: usize) -> Result<(), CborError> {
        if depth >= MAX_DEPTH {
            return Err(CborError::Depth(MAX_DEPTH));
        }
        self.items += 1;
        let start = self.at;
        let first = self.bytes.get(start).copied().unwrap_or_default();
        let (major, argument) = self.head()?;
        match major {
            0 | 1 => Ok(()),
            2 => self.take(argument).map(drop),
            3 => std::str::from_utf8(self.take(argument)?)
                .map(drop)
                .map_err(|_| CborError::Utf8(start)),
            4 => (0..argument).try_for_each(|_| self.check_item(depth + 1)),
            5 => self.map(argument, depth),
            // Bignums have forms that an integer has as well, or one with leading zeros; none are used.
            6 if matches!(argument, 2 | 3) => Err(CborError::Unsupported(start)),
            6 => self.check_item(depth + 1),
            // false, true, null as single bytes.
            _ if matches!(first, 0xf4..=0xf6) => Ok(()),
            _ => Err(CborError::Unsupported(start)),
        }
    }

    fn map(&mut self, pairs: u64, depth: usize) -> Result<(), CborError> {
        let mut last: Option<&[u8]> = None;
        for _ in 0..pairs {
            let start = self.at;
            self.check_item(depth + 1)?;
            let key = self.bytes.get(start..self.at).unwrap_or_default();
            if last.is_some_and(|last| last >= key) {
                return Err(CborError::KeyOrder(start));
            }
            last = Some(key);
            self.check_item(depth + 1)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        hex::decode(text).expect("test vectors are hexadecimal")
    }

    use coset::cbor::{de, ser, value::Value};
    use proptest::prelude::*;

    /// Bytes that are often nearly CBOR.
    fn nearly() -> impl Strategy<Value = Vec<u8>> {
        let heads = vec![0, 1, 0x17, 0x18, 0x19, 0x20, 0x40, 0x41, 0x60, 0x61, 0x80, 0x81, 0x82]
            .into_iter()
            .chain([0xa0, 0xa1, 0xa2, 0xc0, 0xf4, 0xf6, 0xf7, 0xf9, 0x9f, 0xff])
            .collect::<Vec<u8>>();
        let byte = prop_oneof![4 => prop::sample::select(heads), 1 => any::<u8>()];
        prop::collection::vec(byte, 1..24)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        /// Another encoder, which writes shortest heads, writes the same bytes again.
        #[test]
        fn what_is_accepted_has_one_encoding(bytes in nearly()) {
            if check(&bytes).is_ok() {
                let value: Value = de::from_reader(&bytes[..]).expect("well-formed");
                let mut again = Vec::new();
                ser::into_writer(&value, &mut again).expect("writes");
                prop_assert_eq!(again, bytes);
            }
        }
    }

    proptest! {
        #[test]
        fn heads_are_the_shortest(argument in any::<u64>(), shift in 0u32..64) {
            let argument = argument >> shift;
            let mut own = Vec::new();
            push_head(&mut own, 0, argument);
            prop_assert_eq!(own, encode(&argument).expect("a number"));
        }
    }

    #[derive(Debug, PartialEq, Serialize, serde::Deserialize)]
    struct Known {
        a: u8,
        size: u64,
    }

    /// A map with these fields more than [`Known`] has.
    fn with(more: &[(&str, Value)]) -> Vec<u8> {
        let own = [("a", Value::from(1)), ("size", Value::from(2))];
        let all = own.iter().chain(more);
        let mut map: Vec<_> =
            all.map(|(name, value)| (Value::from(*name), value.clone())).collect();
        map.sort_by_key(|(name, _)| encoded(name));
        encoded(&Value::Map(map))
    }

    fn encoded(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        ser::into_writer(value, &mut bytes).expect("writes");
        bytes
    }

    #[test]
    fn what_a_newer_version_adds_is_passed_over_unless_it_says_that_it_must_not_be() {
        let list = |names: &[&str]| Value::Array(names.iter().map(|n| Value::from(*n)).collect());
        let known = Known { a: 1, size: 2 };
        let read = |more: &[(&str, Value)]| decode_open::<Known>(&with(more), MAX_BYTES);
        assert_eq!(read(&[]).as_ref(), Ok(&known));
        let added = ("added", Value::Map(vec![(Value::from(1), Value::from("x"))]));
        assert_eq!(read(std::slice::from_ref(&added)).as_ref(), Ok(&known));
        assert_eq!(read(&[("crit", list(&["size"]))]).as_ref(), Ok(&known));
        assert_eq!(read(&[("format", Value::from(1))]).as_ref(), Ok(&known));
        let critical_field =
            || Err(CborError::Newer(Unknown::CriticalField { name: "added".into() }));
        let critical = ("crit", list(&["a", "added"]));
        let answer = read(&[critical.clone(), added]);
        assert_eq!(answer, critical_field());
        // Also when it is not there: whoever wrote this knows more than we do.
        assert_eq!(read(&[critical]), critical_field());
        assert_eq!(
            read(&[("format", Value::from(2))]),
            Err(CborError::Newer(Unknown::Form { form: 2 }))
        );
        for bad in [list(&[]), list(&["\n"]), list(&[""]), Value::from("size"), Value::from(1)] {
            assert!(matches!(read(&[("crit", bad)]), Err(CborError::Structure(_))));
        }
        let map =
            |first: Value| encoded(&Value::Map(vec![(first, 1.into()), ("size".into(), 2.into())]));
        for key in [Value::from(0), Value::Bytes(b"a".to_vec())] {
            let read = decode_open::<Known>(&map(key), MAX_BYTES);
            assert!(matches!(read, Err(CborError::Structure(_))));
        }
        let list_of = encoded(&Value::Array(vec![1.into(), 2.into()]));
        assert!(matches!(decode_open::<Known>(&list_of, 99), Err(CborError::Structure(_))));
        let many: Vec<_> = (0..65).map(|n| n.to_string()).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert!(matches!(read(&[("crit", list(&many))]), Err(CborError::Structure(_))));
        assert!(matches!(read(&[("format", Value::from("2"))]), Err(CborError::Structure(_))));
    }

    #[test]
    fn nothing_is_added_to_what_is_closed() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Closed {
            #[expect(dead_code, reason = "it is only read")]
            a: u8,
        }
        let bytes = with(&[]);
        let newer = CborError::Newer(Unknown::Name { name: "size".into() });
        assert_eq!(decode_open::<Closed>(&bytes, MAX_BYTES).expect_err("closed"), newer);
        let wrong = encoded(&Value::Map(vec![(Value::from("a"), Value::from("x"))]));
        let error = decode_open::<Closed>(&wrong, MAX_BYTES).expect_err("no number");
        assert!(matches!(error, CborError::Structure(_)));
        #[derive(Debug, serde::Deserialize)]
        enum Said {
            Yes,
        }
        let error = decode_open::<Said>(&encoded(&Value::from("No")), 9).expect_err("closed");
        assert_eq!(error, CborError::Newer(Unknown::Name { name: "No".into() }));
        decode_open::<Said>(&encoded(&Value::from("Yes")), 9).expect("known");
    }

    proptest! {
        /// The field that is found is the one that a whole reader finds.
        #[test]
        fn a_field_is_found_where_it_stands(
            map in prop::collection::btree_map("[a-e]{1,3}", any::<u32>(), 0..9), name in "[a-e]{1,3}"
        ) {
            let bytes = encode(&map).expect("plain");
            let found = field(&bytes, &name).map(|item| decode::<u32>(item).expect("a number"));
            prop_assert_eq!(found, map.get(&name).copied());
            let cut = &bytes[..bytes.len() - 1];
            prop_assert!(field(cut, &name).is_none_or(|item| decode::<u32>(item).ok() == found));
        }
    }

    #[test]
    fn map_keys_are_written_in_bytewise_order() {
        #[derive(Serialize)]
        struct Form {
            zz: u8,
            b: u8,
            aaa: u8,
        }
        let bytes = encode(&Form { zz: 1, b: 2, aaa: 3 }).expect("a plain form");
        // {"b": 2, "zz": 1, "aaa": 3}: shorter heads first, as RFC 8949 §4.2.1 has it.
        assert_eq!(bytes, hex("a3616202627a7a016361616103"));
    }

    /// Every kind of thing that serde tells apart.
    #[derive(Serialize)]
    enum Kind {
        Unit,
        New(Option<Option<i64>>),
        Tuple(u8, (i8, u64)),
        Struct { a: &'static str, b: std::collections::BTreeMap<u16, char> },
    }

    #[test]
    fn what_is_in_order_is_written_as_what_is_sorted() {
        #[derive(Serialize)]
        struct Sorted {
            a: Vec<Kind>,
            bytes: serde_bytes::ByteBuf,
        }
        #[derive(Serialize)]
        struct Unsorted {
            bytes: serde_bytes::ByteBuf,
            a: Vec<Kind>,
        }
        let kinds = || {
            let map = [(1, 'é'), (256, '驿')].into_iter().collect();
            let inside = Kind::Struct { a: "x", b: map };
            let numbers = Kind::Tuple(0, (-128, u64::MAX));
            vec![Kind::Unit, Kind::New(None), Kind::New(Some(Some(-1))), numbers, inside]
        };
        let bytes = || serde_bytes::ByteBuf::from(vec![7; 300]);
        let (sorted, unsorted) =
            (Sorted { a: kinds(), bytes: bytes() }, Unsorted { bytes: bytes(), a: kinds() });
        assert!(is_in_order(&sorted) && !is_in_order(&unsorted));
        assert_eq!(encode(&sorted).expect("plain"), encode(&unsorted).expect("plain"));
        // Neither way lets through what the form has no place for.
        assert!(encode(&0.5).is_err() && encode(&[Some(0.5f32)]).is_err());
    }

    #[test]
    fn every_deviation_from_deterministic_form_has_its_own_error() {
        for (bytes, want) in [
            ("1817", CborError::NotShortest(0)),
            ("190017", CborError::NotShortest(0)),
            ("9fff", CborError::NotShortest(0)),
            ("a2616201616102", CborError::KeyOrder(4)),
            ("a2616101616102", CborError::KeyOrder(4)),
            ("62c328", CborError::Utf8(0)),
            ("c24100", CborError::Unsupported(0)),
            ("c34101", CborError::Unsupported(0)),
            ("f90000", CborError::Unsupported(0)),
            ("f7", CborError::Unsupported(0)),
            ("f814", CborError::Unsupported(0)),
            ("0000", CborError::Trailing(1)),
            ("5affffffff", CborError::Truncated(5)),
            ("9bffffffffffffffff", CborError::Truncated(9)),
            ("", CborError::Truncated(0)),
        ] {
            assert_eq!(check(&hex(bytes)), Err(want), "{bytes}");
        }
        assert_eq!(check(&[0x81; 64]), Err(CborError::Depth(MAX_DEPTH)));
    }
}
