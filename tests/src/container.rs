//! ASiC-E containers made byte by byte, right and wrong.

use std::{io::Write as _, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use chancery_certs::{Credential, decode_pem_chain};
use chancery_crypto::{HashAlgorithm, SigningKey};

/// The media type of ASiC-E.
pub const ASIC_E: &[u8] = b"application/vnd.etsi.asic-e+zip";
/// Where the first manifest and its signature stand.
pub const MANIFEST: &str = "META-INF/ASiCManifest001.xml";
/// The signature.
pub const SIGNATURE: &str = "META-INF/signature001.p7s";

/// A file of a ZIP, with what its two headers say.
#[derive(Debug, Clone)]
pub struct Item {
    /// The name, in both headers.
    pub name: Vec<u8>,
    /// The name in the header before the data, where that is another.
    pub local_name: Option<Vec<u8>>,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether they are deflated.
    pub deflated: bool,
    /// Both headers' flags.
    pub flags: u16,
    /// The Unix mode and DOS attributes.
    pub attributes: u32,
    /// What both headers say of the size, where that is not so.
    pub size: Option<u32>,
    /// Extra fields of the directory's header.
    pub extra: Vec<u8>,
    /// Bytes before its header.
    pub before: Vec<u8>,
}

impl Item {
    /// A plain file.
    pub fn new(name: &str, bytes: &[u8]) -> Self {
        Self {
            name: name.as_bytes().to_vec(),
            local_name: None,
            bytes: bytes.to_vec(),
            deflated: false,
            flags: 1 << 11,
            attributes: 0,
            size: None,
            extra: Vec::new(),
            before: Vec::new(),
        }
    }
}

/// A ZIP file of items, in their order.
pub fn zip(items: &[Item]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for item in items {
        out.extend(&item.before);
        let offset = u32::try_from(out.len()).expect("small");
        let packed = if item.deflated {
            let level = flate2::Compression::best();
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), level);
            encoder.write_all(&item.bytes).expect("to memory");
            encoder.finish().expect("to memory")
        } else {
            item.bytes.clone()
        };
        let length = |len: usize| u32::try_from(len).expect("small").to_le_bytes();
        let mut head = Vec::new();
        head.extend(20u16.to_le_bytes());
        head.extend(item.flags.to_le_bytes());
        head.extend(if item.deflated { [8, 0] } else { [0, 0] });
        head.extend([0, 0, 0x21, 0x5c]);
        head.extend(crc32fast::hash(&item.bytes).to_le_bytes());
        head.extend(length(packed.len()));
        head.extend(item.size.map_or(length(item.bytes.len()), u32::to_le_bytes));
        let name_len = |name: &[u8]| u16::try_from(name.len()).expect("small").to_le_bytes();
        let local = item.local_name.as_ref().unwrap_or(&item.name);
        out.extend(b"PK\x03\x04");
        out.extend(&head);
        out.extend(name_len(local));
        out.extend([0, 0]);
        out.extend(local);
        out.extend(&packed);
        directory.extend(b"PK\x01\x02\x14\x03");
        directory.extend(&head);
        directory.extend(name_len(&item.name));
        directory.extend(name_len(&item.extra));
        directory.extend([0; 6]);
        directory.extend(item.attributes.to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(&item.name);
        directory.extend(&item.extra);
    }
    let count = u16::try_from(items.len()).expect("few").to_le_bytes();
    let (size, start) = (directory.len(), out.len());
    out.extend(directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend([count, count].concat());
    out.extend(u32::try_from(size).expect("small").to_le_bytes());
    out.extend(u32::try_from(start).expect("small").to_le_bytes());
    out.extend([0, 0]);
    out
}

/// An ASiCManifest over files, with more XML before its end.
pub fn manifest(signature: &str, files: &[(&str, &[u8])], more: &str) -> String {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><a:ASiCManifest \
         xmlns:a=\"http://uri.etsi.org/02918/v1.2.1#\" xmlns:d=\"http://www.w3.org/2000/09/xmldsig#\">\
         <a:SigReference URI=\"{signature}\"/>"
    );
    for (name, bytes) in files {
        let uri: String = name
            .bytes()
            .map(|b| match b {
                b if b.is_ascii_alphanumeric() || b"-._~/".contains(&b) => {
                    char::from(b).to_string()
                }
                b => format!("%{b:02X}"),
            })
            .collect();
        let digest = BASE64.encode(HashAlgorithm::Sha256.digest(bytes));
        out += &format!(
            "<a:DataObjectReference URI=\"{uri}\"><d:DigestMethod \
             Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><d:DigestValue>{digest}\
             </d:DigestValue></a:DataObjectReference>"
        );
    }
    out + more + "</a:ASiCManifest>"
}

/// A container of files that one has signed.
pub fn container(files: &[(&str, &[u8])], by: &Credential, now: i64) -> Vec<Item> {
    let xml = manifest(SIGNATURE, files, "");
    let cms = chancery_certs::sign_cades(xml.as_bytes(), by, now).expect("signs");
    let mut items = vec![Item::new("mimetype", ASIC_E)];
    items.extend(files.iter().map(|(name, bytes)| Item::new(name, bytes)));
    items.push(Item::new(MANIFEST, xml.as_bytes()));
    items.push(Item::new(SIGNATURE, &cms));
    items
}

/// A key with its certificates, from the files that `ca issue` wrote.
pub fn credential(key: &Path, certificates: &Path) -> Credential {
    let key = SigningKey::from_pem(&std::fs::read_to_string(key).expect("reads"), None);
    let chain = decode_pem_chain(&std::fs::read(certificates).expect("reads")).expect("reads");
    Credential::new(key.expect("a key"), chain).expect("fits")
}

/// A tree of BER.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tlv {
    /// The tag, of one octet.
    pub tag: u8,
    /// What a constructed one holds.
    pub children: Vec<Tlv>,
    /// What a primitive one holds.
    pub bytes: Vec<u8>,
}

impl Tlv {
    /// Reads DER off the front.
    pub fn read(input: &[u8]) -> (Self, &[u8]) {
        let (tag, first) = (input[0], usize::from(input[1]));
        let (start, len) = match first {
            short @ ..0x80 => (2, short),
            long => {
                let octets = &input[2..2 + (long & 0x7f)];
                let len = octets.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet));
                (2 + octets.len(), len)
            }
        };
        let (body, rest) = input[start..].split_at(len);
        let (mut children, mut left) = (Vec::new(), body);
        while tag & 0x20 != 0 && !left.is_empty() {
            let (child, after) = Self::read(left);
            children.push(child);
            left = after;
        }
        let bytes = if tag & 0x20 == 0 { body.to_vec() } else { Vec::new() };
        (Self { tag, children, bytes }, rest)
    }

    fn with_length(tag: u8, body: &[u8]) -> Vec<u8> {
        let mut out = vec![tag];
        match body.len() {
            short @ ..0x80 => out.push(u8::try_from(short).expect("small")),
            long => {
                out.push(0x84);
                out.extend(u32::try_from(long).expect("small").to_be_bytes());
                while out[2] == 0 {
                    out.remove(2);
                    out[1] -= 1;
                }
            }
        }
        out.extend(body);
        out
    }

    /// As DER.
    pub fn der(&self) -> Vec<u8> {
        let body = match self.tag & 0x20 {
            0 => self.bytes.clone(),
            _ => self.children.iter().flat_map(Self::der).collect(),
        };
        Self::with_length(self.tag, &body)
    }

    /// As BER: what is constructed has no length, and octet strings stand in pieces; but not what `keep` says, which
    /// is asked with the tags from the top.
    pub fn ber(&self, path: &mut Vec<u8>, keep: &dyn Fn(&[u8]) -> bool) -> Vec<u8> {
        path.push(self.tag);
        let out = if keep(path) {
            self.der()
        } else if self.tag & 0x20 != 0 {
            let mut out = vec![self.tag, 0x80];
            self.children.iter().for_each(|child| out.extend(child.ber(path, keep)));
            out.extend([0, 0]);
            out
        } else if self.tag == 4 && self.bytes.len() > 1 {
            let (one, two) = self.bytes.split_at(self.bytes.len() / 2);
            let pieces = [Self::with_length(4, one), Self::with_length(4, two)].concat();
            [&[0x24, 0x80][..], &pieces, &[0, 0]].concat()
        } else {
            // A length with more octets than it needs.
            let mut out = vec![self.tag, 0x84];
            out.extend(u32::try_from(self.bytes.len()).expect("small").to_be_bytes());
            out.extend(&self.bytes);
            out
        };
        path.pop();
        out
    }
}

/// Whether a path in CMS leads to what is DER in BER too: signed attributes, certificates and lists.
pub fn stays_der(path: &[u8]) -> bool {
    path.ends_with(&[0x30, 0x31, 0x30, 0xa0])
        || path.ends_with(&[0x30, 0xa0, 0x30, 0xa0, 0x30])
        || path.ends_with(&[0x30, 0xa0, 0x30, 0xa1, 0x30])
}

/// A CMS structure in BER.
pub fn in_ber(der: &[u8]) -> Vec<u8> {
    Tlv::read(der).0.ber(&mut Vec::new(), &stays_der)
}
