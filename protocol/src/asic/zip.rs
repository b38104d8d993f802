//! A ZIP file that has one reading only. The directory at its end and the headers before each file say the same things,
//! and readers differ in which they believe; some keep the first of equal names and some the last. Here both must agree
//! in every field, entries follow one another without gap or overlap from the first byte to the directory, and no name
//! stands twice: what another program takes out of the file is what was verified.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Seek, SeekFrom},
};

use flate2::read::DeflateDecoder;

use super::{EntryName, entry_fault, name};
use crate::{ContainerFault, EntryFault, ProtocolError, ZipFault};

/// The most entries.
const MAX_ENTRIES: u64 = 10_000;
/// The largest directory, in bytes.
const MAX_DIRECTORY: u64 = 4 << 20;
/// The longest local header, in bytes: fixed part, name and extra fields.
const MAX_HEADER: u64 = 30 + 2 * 0xffff;
/// How much of an entry is unpacked at a time.
const PIECE: usize = 64 * 1024;

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END_64: u32 = 0x0606_4b50;
const LOCATOR: u32 = 0x0706_4b50;
const DESCRIPTOR: u32 = 0x0807_4b50;

const END_LEN: u64 = 22;
const LOCATOR_LEN: u64 = 20;
const END_64_LEN: u64 = 56;

/// A length is in a data descriptor behind the data.
const DESCRIBED: u16 = 1 << 3;
/// The name is UTF-8.
const UTF8: u16 = 1 << 11;
/// Encrypted, patch data, strongly encrypted, header masked.
const SECRET: u16 = 1 | 1 << 5 | 1 << 6 | 1 << 13;

/// An extra field with sizes of 64 bits, and one with the name in UTF-8.
const ZIP64: u16 = 1;
const UNICODE_PATH: u16 = 0x7075;

/// A file in the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: EntryName,
    /// Its size, unpacked.
    pub size: u64,
    crc: u32,
    deflated: bool,
    packed: u64,
    start: u64,
}

/// A ZIP file whose directory was read and found to have one reading.
#[derive(Debug)]
pub struct Archive<R> {
    reader: R,
    entries: Vec<Entry>,
    by_name: BTreeMap<EntryName, usize>,
    comment: Vec<u8>,
}

/// A little-endian reader of a header.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], ProtocolError> {
        let (taken, rest) =
            self.0.split_at_checked(n).ok_or_else(|| refuse(ZipFault::HeaderCut))?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self, n: usize) -> Result<u64, ProtocolError> {
        Ok(self.take(n)?.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    fn two(&mut self) -> Result<u16, ProtocolError> {
        self.number(2).map(|n| u16::try_from(n).unwrap_or(u16::MAX))
    }

    fn four(&mut self) -> Result<u32, ProtocolError> {
        self.number(4).map(|n| u32::try_from(n).unwrap_or(u32::MAX))
    }
}

/// What both headers of an entry say.
struct Header<'a> {
    flags: u16,
    method: u16,
    crc: u32,
    packed: u64,
    size: u64,
    name: &'a [u8],
    extra: &'a [u8],
}

/// The extra fields: the sizes of 64 bits, and the name in UTF-8.
#[derive(Default)]
struct Extra<'a> {
    zip64: Option<&'a [u8]>,
    unicode: Option<&'a [u8]>,
}

impl<'a> Extra<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, ProtocolError> {
        let (mut fields, mut out) = (Fields(bytes), Self::default());
        // Some pad with fewer zeros than a field has head.
        while fields.0.len() >= 4 {
            let (id, length) = (fields.two()?, fields.two()?);
            let data = fields.take(length.into())?;
            let slot = match id {
                ZIP64 => &mut out.zip64,
                UNICODE_PATH => &mut out.unicode,
                _ => continue,
            };
            if slot.replace(data).is_some() {
                return Err(refuse(ZipFault::ExtraTwice));
            }
        }
        if fields.0.iter().any(|byte| *byte != 0) {
            return Err(refuse(ZipFault::ExtraCut));
        }
        Ok(out)
    }

    /// Puts the numbers of 64 bits in the place of those that say that they are there.
    fn widen(&self, numbers: &mut [&mut u64]) -> Result<(), ProtocolError> {
        let all_ones = |n: &u64| *n == u64::from(u32::MAX);
        let Some(bytes) = self.zip64 else {
            return match numbers.iter().any(|n| all_ones(n)) {
                true => Err(refuse(ZipFault::NoWideSize)),
                false => Ok(()),
            };
        };
        let mut fields = Fields(bytes);
        if numbers.iter().any(|n| all_ones(n)) {
            for number in numbers.iter_mut().filter(|n| all_ones(n)) {
                **number = fields.number(8)?;
            }
        } else if !bytes.is_empty() {
            // Not needed; some readers believe it all the same.
            for number in numbers.iter().take(bytes.len() / 8) {
                if fields.number(8)? != **number {
                    return Err(refuse(ZipFault::TwoSizes));
                }
            }
        }
        Ok(())
    }
}

impl<R: Read + Seek> Archive<R> {
    /// Reads the directory of a ZIP file and holds it to the file.
    ///
    /// # Errors
    /// [`ProtocolError::Container`] saying in what it has more than one reading, or is none.
    pub fn read(mut reader: R) -> Result<Self, ProtocolError> {
        let end = reader.seek(SeekFrom::End(0)).map_err(|error| io_fault(&error))?;
        let directory = Directory::find(&mut reader, end)?;
        let bytes = bytes_at(&mut reader, directory.start, directory.size)?;
        let mut fields = Fields(&bytes);
        let mut listed = Vec::new();
        for _ in 0..directory.entries {
            listed.push(Listed::read(&mut fields)?);
        }
        if !fields.0.is_empty() {
            return Err(refuse(ZipFault::DirectoryLonger));
        }
        let mut order: Vec<_> = listed.iter().collect();
        order.sort_by_key(|one| one.offset);
        let mut starts = BTreeMap::new();
        let mut at = 0;
        for (index, one) in order.iter().enumerate() {
            let next = order.get(index + 1).map_or(directory.start, |next| next.offset);
            if one.offset != at {
                return Err(refuse(ZipFault::Overlap));
            }
            starts.insert(one.offset, one.check_local(&mut reader, next)?);
            at = next;
        }
        if at != directory.start {
            return Err(refuse(ZipFault::BeforeDirectory));
        }
        let (mut entries, mut folders) = (Vec::new(), Vec::new());
        for one in listed {
            let start = starts.get(&one.offset).copied().unwrap_or_default();
            match one.entry(start)? {
                Listing::File(entry) => entries.push(entry),
                Listing::Folder(name) => folders.push(name),
            }
        }
        check_names(&entries, &folders)?;
        let named = entries.iter().enumerate();
        let by_name = named.map(|(index, entry)| (entry.name.clone(), index)).collect();
        Ok(Self { reader, entries, by_name, comment: directory.comment })
    }

    /// What it was read from.
    pub fn into_inner(self) -> R {
        self.reader
    }

    /// Its files, in the order of its directory. Folders are none.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The comment at its end.
    pub fn comment(&self) -> &[u8] {
        &self.comment
    }

    /// A file by its name.
    pub fn entry(&self, name: &EntryName) -> Option<&Entry> {
        self.by_name.get(name).and_then(|index| self.entries.get(*index))
    }

    /// Unpacks a file, piece by piece, and checks its length and sum at the end.
    ///
    /// # Errors
    /// [`ProtocolError::Container`] when it is not there or does not unpack to what the directory says, and whatever
    /// `take` gives.
    pub fn unpack<E: From<ProtocolError>>(
        &mut self,
        name: &EntryName,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let refuse = |fault| E::from(entry_fault(name.as_str(), fault));
        let entry = self.entry(name).cloned().ok_or_else(|| refuse(EntryFault::Missing))?;
        self.reader
            .seek(SeekFrom::Start(entry.start))
            .map_err(|_| refuse(EntryFault::Unreadable))?;
        let packed = (&mut self.reader).take(entry.packed);
        let mut stored = None;
        let mut deflated = None;
        let source: &mut dyn Read = match entry.deflated {
            true => deflated.insert(DeflateDecoder::new(packed)),
            false => stored.insert(packed),
        };
        let mut piece = vec![0; PIECE];
        let (mut sum, mut size) = (crc32fast::Hasher::new(), 0u64);
        loop {
            let n = source.read(&mut piece).map_err(|_| refuse(EntryFault::Packing))?;
            let bytes = piece.get(..n).unwrap_or_default();
            if bytes.is_empty() {
                break;
            }
            size = size.saturating_add(bytes.len() as u64);
            if size > entry.size {
                return Err(refuse(EntryFault::Longer));
            }
            sum.update(bytes);
            take(bytes)?;
        }
        let rest = deflated.is_some_and(|decoder| decoder.total_in() != entry.packed);
        if size != entry.size || sum.finalize() != entry.crc || rest {
            return Err(refuse(EntryFault::Differs));
        }
        Ok(())
    }

    /// A file of at most `limit` bytes.
    ///
    /// # Errors
    /// As for [`Archive::unpack`], and when it is larger.
    pub fn bytes(&mut self, name: &EntryName, limit: u64) -> Result<Vec<u8>, ProtocolError> {
        if self.entry(name).is_some_and(|entry| entry.size > limit) {
            return Err(entry_fault(name.as_str(), EntryFault::Size(limit)));
        }
        let mut out = Vec::new();
        self.unpack(name, |bytes| {
            out.extend(bytes);
            Ok::<_, ProtocolError>(())
        })?;
        Ok(out)
    }
}

fn refuse(fault: ZipFault) -> ProtocolError {
    ContainerFault::Zip(fault).into()
}

fn io_fault(error: &std::io::Error) -> ProtocolError {
    ContainerFault::Io { detail: error.to_string() }.into()
}

fn bytes_at<R: Read + Seek>(reader: &mut R, at: u64, size: u64) -> Result<Vec<u8>, ProtocolError> {
    reader.seek(SeekFrom::Start(at)).map_err(|error| io_fault(&error))?;
    let mut bytes = Vec::new();
    reader.take(size).read_to_end(&mut bytes).map_err(|error| io_fault(&error))?;
    if bytes.len() as u64 != size {
        return Err(refuse(ZipFault::Cut));
    }
    Ok(bytes)
}

/// What the end of a ZIP file says of its directory.
struct Directory {
    start: u64,
    size: u64,
    entries: u64,
    comment: Vec<u8>,
}

impl Directory {
    fn find<R: Read + Seek>(reader: &mut R, end: u64) -> Result<Self, ProtocolError> {
        let tail_len = end.min(END_LEN + 0xffff);
        let tail = bytes_at(reader, end - tail_len, tail_len)?;
        let mark = END.to_le_bytes();
        // Readers look for the last mark; what is behind it must be the rest of the file.
        let at = tail.windows(4).rposition(|window| window == mark);
        let at = at.ok_or_else(|| refuse(ZipFault::NoZip))?;
        let mut fields = Fields(tail.get(at + 4..).unwrap_or_default());
        let (disk, first_disk) = (fields.two()?, fields.two()?);
        let (here, all) = (fields.number(2)?, fields.number(2)?);
        let (mut size, mut start) = (fields.number(4)?, fields.number(4)?);
        let length = fields.two()?;
        let comment = fields.take(length.into())?.to_vec();
        if !fields.0.is_empty() {
            return Err(refuse(ZipFault::Trailing));
        }
        let mut entries = all;
        let mut close = end - tail_len + at as u64;
        let locator = close.checked_sub(LOCATOR_LEN);
        let locator = locator.map(|at| bytes_at(reader, at, LOCATOR_LEN)).transpose()?;
        let locator = locator.filter(|bytes| bytes.starts_with(&LOCATOR.to_le_bytes()));
        if let Some(locator) = &locator {
            let mut fields = Fields(locator.get(4..).unwrap_or_default());
            let (disk, at, disks) = (fields.four()?, fields.number(8)?, fields.four()?);
            if disk != 0 || disks > 1 || close.checked_sub(LOCATOR_LEN + END_64_LEN) != Some(at) {
                return Err(refuse(ZipFault::WideEndPlace));
            }
            let record = bytes_at(reader, at, END_64_LEN)?;
            let mut fields = Fields(&record);
            let (mark, length) = (fields.four()?, fields.number(8)?);
            let (_versions, disks) = (fields.four()?, fields.number(8)?);
            let (own, all) = (fields.number(8)?, fields.number(8)?);
            let (wide_size, wide_start) = (fields.number(8)?, fields.number(8)?);
            let same = |narrow: u64, wide: u64, ones: u64| narrow == ones || narrow == wide;
            let ones = u64::from(u32::MAX);
            let agree = mark == END_64
                && length == END_64_LEN - 12
                && disks == 0
                && own == all
                && same(here, own, 0xffff)
                && same(entries, all, 0xffff)
                && same(size, wide_size, ones)
                && same(start, wide_start, ones);
            if !agree {
                return Err(refuse(ZipFault::TwoEnds));
            }
            (entries, size, start, close) = (all, wide_size, wide_start, at);
        } else if here != all {
            return Err(refuse(ZipFault::Volumes));
        }
        // 0xffff is how an end of 64 bits is announced.
        let one = |disk: u16| disk == 0 || (disk == u16::MAX && locator.is_some());
        if !one(disk) || !one(first_disk) {
            return Err(refuse(ZipFault::Volumes));
        }
        if entries > MAX_ENTRIES || size > MAX_DIRECTORY {
            return Err(refuse(ZipFault::Entries(MAX_ENTRIES)));
        }
        if start.checked_add(size) != Some(close) {
            return Err(refuse(ZipFault::AroundDirectory));
        }
        Ok(Self { start, size, entries, comment })
    }
}

/// An entry as the directory lists it.
struct Listed<'a> {
    header: Header<'a>,
    unix: bool,
    attributes: u32,
    offset: u64,
}

enum Listing {
    File(Entry),
    Folder(String),
}

impl<'a> Listed<'a> {
    fn read(fields: &mut Fields<'a>) -> Result<Self, ProtocolError> {
        if fields.four()? != CENTRAL {
            return Err(refuse(ZipFault::Directory));
        }
        let (made_by, _needed) = (fields.two()?, fields.two()?);
        let (flags, method) = (fields.two()?, fields.two()?);
        let (_time, crc) = (fields.four()?, fields.four()?);
        let (mut packed, mut size) = (fields.number(4)?, fields.number(4)?);
        let (name, extra, comment) = (fields.two()?, fields.two()?, fields.two()?);
        let (disk, _internal) = (fields.two()?, fields.two()?);
        let (attributes, mut offset) = (fields.four()?, fields.number(4)?);
        let (name, extra) = (fields.take(name.into())?, fields.take(extra.into())?);
        fields.take(comment.into())?;
        Extra::read(extra)?.widen(&mut [&mut size, &mut packed, &mut offset])?;
        let header = Header { flags, method, crc, packed, size, name, extra };
        let name = String::from_utf8_lossy(name);
        if disk != 0 {
            return Err(refuse(ZipFault::Volumes));
        }
        if flags & SECRET != 0 {
            return Err(entry_fault(&name, EntryFault::Encrypted));
        }
        if !matches!(method, 0 | 8) {
            return Err(entry_fault(&name, EntryFault::Method(method)));
        }
        if method == 0 && packed != size {
            return Err(entry_fault(&name, EntryFault::TwoSizes));
        }
        Ok(Self { header, unix: made_by >> 8 == 3, attributes, offset })
    }

    /// Holds the header before the data, and the descriptor behind it, to the directory. Gives where the data begins.
    fn check_local<R: Read + Seek>(&self, reader: &mut R, next: u64) -> Result<u64, ProtocolError> {
        let own = &self.header;
        let name = String::from_utf8_lossy(own.name);
        let differs = || entry_fault(&name, EntryFault::OwnHeader);
        let room = next.checked_sub(self.offset).ok_or_else(differs)?;
        let head = bytes_at(reader, self.offset, room.min(MAX_HEADER))?;
        let mut fields = Fields(&head);
        if fields.four()? != LOCAL {
            return Err(differs());
        }
        let (_needed, flags, method) = (fields.two()?, fields.two()?, fields.two()?);
        let (_time, crc) = (fields.four()?, fields.four()?);
        let (mut packed, mut size) = (fields.number(4)?, fields.number(4)?);
        let (name_len, extra_len) = (fields.two()?, fields.two()?);
        let (local_name, extra) = (fields.take(name_len.into())?, fields.take(extra_len.into())?);
        let extra = Extra::read(extra)?;
        extra.widen(&mut [&mut size, &mut packed])?;
        let flagged = SECRET | DESCRIBED | UTF8;
        let path = Extra::read(own.extra)?.unicode;
        let path_agrees = extra.unicode.is_none() || extra.unicode == path;
        if flags & flagged != own.flags & flagged
            || method != own.method
            || local_name != own.name
            || !path_agrees
        {
            return Err(differs());
        }
        let stated = (crc, packed, size) == (own.crc, own.packed, own.size);
        let described = flags & DESCRIBED != 0;
        // A reader that goes from front to back does not find the end of what is stored and described.
        let pairs = [(u64::from(crc), own.crc.into()), (packed, own.packed), (size, own.size)];
        let open =
            described && method != 0 && pairs.iter().all(|(one, all)| *one == 0 || one == all);
        if !stated && !open {
            return Err(differs());
        }
        let start = self.offset + (head.len() - fields.0.len()) as u64;
        let behind =
            start.checked_add(own.packed).and_then(|end| Some((end, next.checked_sub(end)?)));
        let (end, left) = behind.ok_or_else(|| refuse(ZipFault::EntriesOverlap))?;
        if left > 24 || (left > 0 && !described) || (left == 0 && !stated) {
            return Err(entry_fault(&name, EntryFault::BytesBehind));
        }
        if left > 0 && !own.is_described_by(&bytes_at(reader, end, left)?) {
            return Err(differs());
        }
        Ok(start)
    }

    fn entry(self, start: u64) -> Result<Listing, ProtocolError> {
        let Header { method, crc, packed, size, .. } = self.header;
        let name = self.header.decoded()?;
        let kind = if self.unix { self.attributes >> 16 & 0o170_000 } else { 0 };
        if let Some(folder) = name.strip_suffix('/') {
            if size != 0 || crc != 0 || !matches!(kind, 0 | 0o040_000) {
                return Err(entry_fault(&name, EntryFault::FullFolder));
            }
            // A folder of signatures is one by name only.
            if folder != "META-INF" {
                EntryName::new(folder)?;
            }
            return Ok(Listing::Folder(folder.to_owned()));
        }
        if !matches!(kind, 0 | 0o100_000) || self.attributes & 0x10 != 0 {
            return Err(entry_fault(&name, EntryFault::Special));
        }
        let name = EntryName::new(&name)?;
        Ok(Listing::File(Entry { name, size, crc, deflated: method == 8, packed, start }))
    }
}

impl Header<'_> {
    /// Whether a data descriptor says the same: with or without its mark, in 32 or 64 bits.
    fn is_described_by(&self, bytes: &[u8]) -> bool {
        let marked = DESCRIPTOR.to_le_bytes();
        let forms = [0, 4].into_iter().flat_map(|mark| [(mark, 4), (mark, 8)]);
        forms.into_iter().any(|(mark, wide)| {
            let mut form = marked.get(..mark).unwrap_or_default().to_vec();
            form.extend(self.crc.to_le_bytes());
            for number in [self.packed, self.size] {
                form.extend(number.to_le_bytes().get(..wide).unwrap_or_default());
            }
            form == bytes
        })
    }

    /// The name: UTF-8 where that is said or fits, the UTF-8 beside it, or code page 437 (APPNOTE D.1).
    fn decoded(&self) -> Result<String, ProtocolError> {
        let unicode = Extra::read(self.extra)?.unicode.map(Fields);
        let beside = unicode.map(|mut fields| {
            let (version, sum) = (fields.number(1)?, fields.four()?);
            let text = std::str::from_utf8(fields.0);
            match text {
                Ok(text) if version == 1 && sum == crc32fast::hash(self.name) => {
                    Ok(text.to_owned())
                }
                _ => Err(refuse(ZipFault::UnicodeName)),
            }
        });
        let beside = beside.transpose()?;
        let name = match (std::str::from_utf8(self.name), beside) {
            (Ok(name), None) => name.to_owned(),
            // Not said to be UTF-8, so it need not be, even where it could.
            (_, Some(beside)) if self.flags & UTF8 == 0 && !self.name.is_ascii() => beside,
            (Ok(name), Some(beside)) if name == beside => beside,
            (Ok(_), Some(_)) => return Err(refuse(ZipFault::TwoNames)),
            (Err(_), None) if self.flags & UTF8 == 0 => {
                self.name.iter().map(|byte| page_437(*byte)).collect()
            }
            (Err(_), _) => return Err(refuse(ZipFault::NameEncoding)),
        };
        Ok(name)
    }
}

/// A character of code page 437.
fn page_437(byte: u8) -> char {
    const UPPER: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";
    match byte.checked_sub(0x80) {
        None => char::from(byte),
        Some(upper) => UPPER.chars().nth(upper.into()).unwrap_or('\u{fffd}'),
    }
}

/// No name twice, to any system; and no file is also a folder.
fn check_names(entries: &[Entry], folders: &[String]) -> Result<(), ProtocolError> {
    let mut files = BTreeSet::new();
    for entry in entries {
        if !files.insert(entry.name.key()) {
            return Err(entry_fault(entry.name.as_str(), EntryFault::Twice));
        }
    }
    let folder = |name: &str| entry_fault(name, EntryFault::FileAndFolder);
    if let Some(both) = folders.iter().find(|name| files.contains(&name::key(name))) {
        return Err(folder(both));
    }
    for entry in entries {
        let key = entry.name.key();
        let above = key.match_indices('/').filter_map(|(at, _)| key.get(..at));
        if let Some(both) = above.into_iter().find(|above| files.contains(*above)) {
            return Err(folder(both));
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
