//! ZIP files that are right, and those with two readings.

use std::io::{Cursor, Write as _};

use proptest::prelude::*;

use super::*;

/// A ZIP file: names, bytes, and whether they are deflated.
pub(crate) fn zip(items: &[(&str, &[u8], bool)]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    let number = |n: usize| u32::try_from(n).expect("small").to_le_bytes();
    for (name, bytes, deflated) in items {
        let offset = number(out.len());
        let mut packed = bytes.to_vec();
        if *deflated {
            let level = flate2::Compression::best();
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), level);
            encoder.write_all(bytes).expect("to memory");
            packed = encoder.finish().expect("to memory");
        }
        let mut head = vec![20, 0, 0, 8, if *deflated { 8 } else { 0 }, 0, 0, 0, 0x21, 0x5c];
        head.extend(crc32fast::hash(bytes).to_le_bytes());
        head.extend([number(packed.len()), number(bytes.len()), number(name.len())].concat());
        out.extend([b"PK\x03\x04", &head[..], name.as_bytes(), &packed].concat());
        directory.extend([b"PK\x01\x02\x14\x03", &head[..], &[0; 10], &offset].concat());
        directory.extend(name.as_bytes());
    }
    let (start, size, count) = (out.len(), directory.len(), number(items.len()));
    out.extend([&directory[..], b"PK\x05\x06\0\0\0\0", &count[..2], &count[..2]].concat());
    out.extend([&number(size)[..], &number(start), &[0, 0]].concat());
    out
}

type Files = Vec<(String, Vec<u8>)>;

/// Everything in a ZIP file, as it is read here.
fn files(bytes: &[u8]) -> Result<Files, ProtocolError> {
    let mut archive = Archive::read(Cursor::new(bytes))?;
    let names: Vec<_> = archive.entries().iter().map(|entry| entry.name.clone()).collect();
    let read = names.iter().map(|name| Ok((name.to_string(), archive.bytes(name, 1 << 20)?)));
    read.collect()
}

fn good() -> Vec<u8> {
    zip(&[
        ("mimetype", b"application/zip", false),
        ("通知.txt", b"text text text text", true),
        ("dir/", b"", false),
        ("dir/b", b"", false),
    ])
}

#[test]
fn what_is_written_is_read() {
    let names = |files: Files| files.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let read = files(&good()).expect("reads");
    assert_eq!(read[1].1, b"text text text text");
    assert_eq!(names(read), ["mimetype", "通知.txt", "dir/b"]);
    assert_eq!(files(&zip(&[])), Ok(Vec::new()));
}

#[test]
fn files_of_64_bits_descriptors_and_comments_are_read() {
    // Sizes and offset beside, in 64 bits, in both headers; and the end of 64 bits.
    let name = b"a";
    let data = b"data";
    let crc = crc32fast::hash(data).to_le_bytes();
    let ones = [0xff; 4];
    let wide = |n: u64| n.to_le_bytes();
    let mut out = [b"PK\x03\x04-\0\0\x08\0\0\0\0\x21\x5c", &crc[..], &ones, &ones].concat();
    out.extend([1, 0, 20, 0]);
    out.extend([&name[..], &[1, 0, 16, 0], &wide(4), &wide(4), data].concat());
    let start = out.len() as u64;
    let mut central =
        [b"PK\x01\x02-\x03-\0\0\x08\0\0\0\0\x21\x5c", &crc[..], &ones, &ones].concat();
    central.extend([1, 0, 28, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    central.extend([&ones[..], name, &[1, 0, 24, 0], &wide(4), &wide(4), &wide(0)].concat());
    let size = central.len() as u64;
    out.extend(central);
    let end = out.len() as u64;
    out.extend([b"PK\x06\x06", &wide(44)[..], &[45, 3, 45, 0], &[0; 8]].concat());
    out.extend([wide(1), wide(1), wide(size), wide(start)].concat());
    out.extend([b"PK\x06\x07", &[0; 4][..], &wide(end), &[1, 0, 0, 0]].concat());
    out.extend([b"PK\x05\x06", &[0; 4][..], &[0xff; 12], &[4, 0], b"note"].concat());
    assert_eq!(files(&out), Ok(vec![("a".to_owned(), data.to_vec())]));
    // The two ends say different things.
    let mut two = out.clone();
    let at = two.len() - 4 - 14;
    two[at..at + 2].copy_from_slice(&[2, 0]);
    assert!(files(&two).is_err());
    two[at..at + 4].copy_from_slice(&[1, 0, 2, 0]);
    assert!(files(&two).is_err());
    two[at..at + 4].copy_from_slice(&[1, 0, 1, 0]);
    assert!(files(&two).is_ok());

    // A descriptor behind what is deflated, and none of the sizes before.
    let plain = zip(&[("a", data, true)]);
    let packed = plain[18..22].to_vec();
    let length = usize::from(plain[18]);
    for marked in [true, false] {
        let mut out = plain[..31 + length].to_vec();
        out[6] |= 8;
        out[14..26].fill(0);
        let mark = if marked { &b"PK\x07\x08"[..] } else { b"" };
        out.extend([mark, &crc, &packed, &[4, 0, 0, 0]].concat());
        let start = u32::try_from(out.len()).expect("small").to_le_bytes();
        let mut rest = plain[31 + length..].to_vec();
        rest[8] |= 8;
        let at = rest.len() - 6;
        rest[at..at + 4].copy_from_slice(&start);
        out.extend(rest);
        assert_eq!(files(&out), Ok(vec![("a".to_owned(), data.to_vec())]), "{marked}");
        out[32 + length] ^= 1;
        assert!(files(&out).is_err());
    }
}

/// As `chancery export asic` writes it, for parts of any size.
#[test]
fn what_the_zip_library_writes_is_read() {
    use ::zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};
    for (large, method) in [
        (false, CompressionMethod::Stored),
        (true, CompressionMethod::Stored),
        (true, CompressionMethod::Deflated),
    ] {
        let options = SimpleFileOptions::default().compression_method(method).large_file(large);
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for name in ["mimetype", "parts/通知.txt"] {
            zip.start_file(name, options).expect("to memory");
            zip.write_all(b"text text text").expect("to memory");
        }
        let read = files(&zip.finish().expect("to memory").into_inner()).expect("reads");
        assert_eq!(read[1], ("parts/通知.txt".to_owned(), b"text text text".to_vec()));
    }
}

#[test]
fn names_of_code_page_437_are_what_they_were_on_its_machines() {
    let mut bytes = zip(&[("xx", b"", false)]);
    let places: Vec<_> = bytes.windows(2).enumerate().filter(|(_, w)| *w == b"xx").collect();
    let places: Vec<_> = places.into_iter().map(|(at, _)| at).collect();
    for at in &places {
        bytes[*at..at + 2].copy_from_slice(&[0x82, b'a']);
    }
    assert!(files(&bytes).is_err(), "it says that it is UTF-8");
    // The flag: the third byte after each mark and version.
    bytes[7] = 0;
    let central = bytes.windows(4).position(|w| w == b"PK\x01\x02").expect("there");
    bytes[central + 9] = 0;
    assert_eq!(files(&bytes), Ok(vec![("éa".to_owned(), Vec::new())]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn a_changed_byte_never_gives_other_files(at in any::<prop::sample::Index>(), mask in 1u8..) {
        let good = good();
        let mut bad = good.clone();
        bad[at.index(good.len())] ^= mask;
        if let Ok(read) = files(&bad) {
            prop_assert_eq!(read, files(&good).expect("reads"));
        }
    }
}
