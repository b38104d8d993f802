//! The manifest of an ASiC-E container with CAdES (ETSI EN 319 162-1 §4.4.4 and annex A.4): what the CAdES
//! signature signs in place of the files.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use chancery_crypto::HashAlgorithm;

use super::EntryName;
use crate::{
    ContainerFault, ManifestFault, ProtocolError, UnsupportedFault,
    document::{DOCUMENT, SignedDocument},
};

/// The largest manifest that is read, in bytes.
pub const MAX_MANIFEST: usize = 1 << 20;
/// The most files that one may list.
const MAX_OBJECTS: usize = 4096;
/// The deepest nesting of elements, and the longest tag in bytes: what the XML reader spends grows with the square of both.
const MAX_DEPTH: usize = 32;
const MAX_TAG: usize = 8 * 1024;
/// The most bytes of declarations of namespaces.
const MAX_NAMESPACES: usize = 4 * MAX_OBJECTS;

const ASIC: &str = "http://uri.etsi.org/02918/v1.2.1#";
const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";

/// The media type of the container, as its first entry, `mimetype`, states it.
pub const ASIC_E: &str = "application/vnd.etsi.asic-e+zip";
/// Where the manifest of the CAdES signature `index` (from 0) stands in a container of ours.
pub fn asic_manifest_name(index: usize) -> String {
    format!("META-INF/ASiCManifest{:03}.xml", index.saturating_add(1))
}

/// Where the CAdES signature `index` (from 0) stands in a container of ours.
pub fn asic_signature_name(index: usize) -> String {
    format!("META-INF/signature{:03}.p7s", index.saturating_add(1))
}

/// The header of a document in a container: the bytes whose digest is the document id.
pub const ASIC_HEADER: &str = "document.cbor";

/// A file that a manifest lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestObject {
    /// Its name in the container.
    pub name: EntryName,
    /// Its media type.
    pub media_type: String,
    /// The digest's algorithm.
    pub algorithm: HashAlgorithm,
    /// The digest.
    pub digest: Vec<u8>,
}

/// The manifest of an ASiC-E container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The name of the file that holds the signature, or the time-stamp, over the manifest.
    pub signature: EntryName,
    /// The files that it covers.
    pub objects: Vec<ManifestObject>,
}

fn method(algorithm: HashAlgorithm) -> &'static str {
    match algorithm {
        HashAlgorithm::Sha256 => "http://www.w3.org/2001/04/xmlenc#sha256",
        HashAlgorithm::Sha384 => "http://www.w3.org/2001/04/xmldsig-more#sha384",
        HashAlgorithm::Sha512 => "http://www.w3.org/2001/04/xmlenc#sha512",
    }
}

impl Manifest {
    /// The manifest that the CAdES signature `index` (from 0) of a document signs: its header, and its parts
    /// under `parts/`. The same document always gives the same bytes.
    ///
    /// # Errors
    /// [`ProtocolError::Container`] for a part whose name no container may hold.
    pub fn of_document(document: &SignedDocument, index: usize) -> Result<Self, ProtocolError> {
        let algorithm = HashAlgorithm::Sha256;
        let header = ManifestObject {
            name: EntryName::new(ASIC_HEADER)?,
            media_type: DOCUMENT.into(),
            algorithm,
            digest: document.id().digest().as_bytes().to_vec(),
        };
        let parts = document.header().parts.iter().map(|part| {
            Ok::<_, ProtocolError>(ManifestObject {
                name: EntryName::of_part(&part.name)?,
                media_type: part.media_type.clone(),
                algorithm,
                digest: part.digest.as_bytes().to_vec(),
            })
        });
        let objects = std::iter::once(Ok(header)).chain(parts).collect::<Result<_, _>>()?;
        Ok(Self { signature: EntryName::new(&asic_signature_name(index))?, objects })
    }

    /// The manifest's XML.
    pub fn to_xml(&self) -> String {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        out += &format!("<asic:ASiCManifest xmlns:asic=\"{ASIC}\" xmlns:ds=\"{DSIG}\">\n");
        out += &format!(
            "  <asic:SigReference URI=\"{}\" MimeType=\"application/pkcs7-signature\"/>\n",
            to_uri(self.signature.as_str())
        );
        for object in &self.objects {
            out += &format!(
                "  <asic:DataObjectReference URI=\"{}\" MimeType=\"{}\">\n    \
                 <ds:DigestMethod Algorithm=\"{}\"/>\n    \
                 <ds:DigestValue>{}</ds:DigestValue>\n  \
                 </asic:DataObjectReference>\n",
                to_uri(object.name.as_str()),
                escape(&object.media_type),
                method(object.algorithm),
                BASE64.encode(&object.digest)
            );
        }
        out + "</asic:ASiCManifest>\n"
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// [`ProtocolError::Container`] for what is no manifest, [`ProtocolError::Unsupported`] for one that asks for what is
    /// not known here: digests, critical extensions, another namespace.
    pub fn from_xml(bytes: &[u8]) -> Result<Self, ProtocolError> {
        if bytes.len() > MAX_MANIFEST {
            return Err(refuse(ManifestFault::Size));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| refuse(ManifestFault::Encoding))?;
        check_shape(text.as_bytes())?;
        let options = roxmltree::ParsingOptions {
            allow_dtd: false,
            nodes_limit: 100_000,
            ..roxmltree::ParsingOptions::default()
        };
        let xml = roxmltree::Document::parse_with_options(text, options)
            .map_err(|e| refuse(ManifestFault::Xml { detail: e.to_string() }))?;
        let root = xml.root_element();
        if root.tag_name().name() != "ASiCManifest" {
            return Err(refuse(ManifestFault::Root));
        }
        if root.tag_name().namespace() != Some(ASIC) {
            let space = root.tag_name().namespace().unwrap_or_default();
            return Err(UnsupportedFault::Namespace { found: space.to_owned(), known: ASIC }.into());
        }
        let (mut signature, mut objects) = (None, Vec::new());
        for node in root.children().filter(roxmltree::Node::is_element) {
            match node.tag_name().name() {
                "SigReference" if is_of_asic(node) => {
                    if signature.replace(uri(node)?).is_some() {
                        return Err(refuse(ManifestFault::TwoSignatures));
                    }
                }
                "DataObjectReference" if is_of_asic(node) => {
                    if objects.len() == MAX_OBJECTS {
                        return Err(refuse(ManifestFault::Objects { most: MAX_OBJECTS }));
                    }
                    objects.push(object(node)?);
                }
                "ASiCManifestExtensions" if is_of_asic(node) => extensions(node)?,
                other => return Err(refuse(ManifestFault::Holds { element: other.to_owned() })),
            }
        }
        let signature = signature.ok_or_else(|| refuse(ManifestFault::NoSignature))?;
        if objects.is_empty() {
            return Err(refuse(ManifestFault::NoObject));
        }
        Ok(Self { signature, objects })
    }
}

fn refuse(fault: ManifestFault) -> ProtocolError {
    ContainerFault::Manifest(fault).into()
}

fn is_of_asic(node: roxmltree::Node<'_, '_>) -> bool {
    node.tag_name().namespace() == Some(ASIC)
}

fn uri(node: roxmltree::Node<'_, '_>) -> Result<EntryName, ProtocolError> {
    let uri = node.attribute("URI").and_then(from_uri);
    let uri = uri.ok_or_else(|| refuse(ManifestFault::Reference))?;
    EntryName::new(&uri)
}

/// EN 319 162-1 annex A.4: one that is critical and not known here must not be passed over. None is known.
fn extensions(node: roxmltree::Node<'_, '_>) -> Result<(), ProtocolError> {
    for extension in node.children().filter(roxmltree::Node::is_element) {
        let critical = extension.attribute("Critical").map(str::trim);
        if !matches!(critical, Some("false" | "0")) {
            let inside = extension.children().find(roxmltree::Node::is_element);
            let name = inside.map_or("", |inside| inside.tag_name().name());
            return Err(UnsupportedFault::Extension { name: name.to_owned() }.into());
        }
    }
    Ok(())
}

fn object(node: roxmltree::Node<'_, '_>) -> Result<ManifestObject, ProtocolError> {
    let name = uri(node)?;
    let (mut method_name, mut digest) = (None, None);
    for child in node.children().filter(roxmltree::Node::is_element) {
        let twice = match (child.tag_name().name(), child.tag_name().namespace()) {
            ("DigestMethod", Some(DSIG)) => {
                let stated = child.attribute("Algorithm").unwrap_or_default();
                method_name.replace(stated.to_owned()).is_some()
            }
            ("DigestValue", Some(DSIG)) => {
                if !child.children().all(|inside| inside.is_text()) {
                    return Err(refuse(ManifestFault::DigestText { file: name.to_string() }));
                }
                let text = child.children().filter_map(|inside| inside.text()).collect::<String>();
                digest.replace(text).is_some()
            }
            ("DataObjectReferenceExtensions", Some(ASIC)) => {
                extensions(child)?;
                false
            }
            (other, _) => return Err(refuse(ManifestFault::Holds { element: other.to_owned() })),
        };
        if twice {
            return Err(refuse(ManifestFault::TwoDigests { file: name.to_string() }));
        }
    }
    let stated = method_name.unwrap_or_default();
    let known = [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512];
    let algorithm = known.into_iter().find(|one| method(*one) == stated).ok_or_else(|| {
        let (file, algorithm) = (name.to_string(), stated.clone());
        ProtocolError::from(UnsupportedFault::Digest { file, algorithm })
    })?;
    let text: String = digest.unwrap_or_default().split_ascii_whitespace().collect();
    let digest = BASE64.decode(text).ok().filter(|bytes| bytes.len() == algorithm.digest_len());
    let digest =
        digest.ok_or_else(|| refuse(ManifestFault::NoDigest { file: name.to_string() }))?;
    let media_type = node.attribute("MimeType").unwrap_or_default().to_owned();
    Ok(ManifestObject { name, media_type, algorithm, digest })
}

/// Refuses XML whose reading would cost more than its length: deeply nested, with endless tags, or with thousands of
/// namespaces. It reads less than the XML reader does, and may refuse more.
fn check_shape(xml: &[u8]) -> Result<(), ProtocolError> {
    let starts = |at: usize, what: &[u8]| xml.get(at..).is_some_and(|rest| rest.starts_with(what));
    let after = |at: usize, what: &[u8]| {
        let rest = xml.get(at..)?;
        Some(at + rest.windows(what.len()).position(|window| window == what)? + what.len())
    };
    let (mut at, mut depth, mut spaces) = (0, 0usize, 0usize);
    while let Some(found) = after(at, b"<") {
        let skipped = [(&b"!--"[..], &b"-->"[..]), (b"?", b"?>"), (b"![CDATA[", b"]]>")];
        if let Some((_, end)) = skipped.into_iter().find(|(start, _)| starts(found, start)) {
            at = after(found, end).ok_or_else(|| refuse(ManifestFault::Cut))?;
            continue;
        }
        if starts(found, b"!") {
            return Err(refuse(ManifestFault::DocumentType));
        }
        let mut quote = None;
        let tag = xml.get(found..).unwrap_or_default();
        let end = tag.iter().take(MAX_TAG).position(|byte| {
            match (quote, *byte) {
                (None, b'"' | b'\'') => quote = Some(*byte),
                (Some(open), byte) if byte == open => quote = None,
                _ => {}
            }
            quote.is_none() && *byte == b'>'
        });
        let end = end.ok_or_else(|| refuse(ManifestFault::TagLength))?;
        let tag = tag.get(..end).unwrap_or_default();
        spaces += tag.windows(5).filter(|window| window == b"xmlns").count();
        if tag.starts_with(b"/") {
            depth = depth.saturating_sub(1);
        } else if !tag.ends_with(b"/") {
            depth += 1;
        }
        if depth > MAX_DEPTH || spaces > MAX_NAMESPACES {
            return Err(refuse(ManifestFault::Depth));
        }
        at = found + end + 1;
    }
    Ok(())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// A name as a relative URI: everything but unreserved characters and `/` in percent form (RFC 3986).
fn to_uri(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    let code = |b: u8| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") };
    name.bytes().map(code).collect()
}

fn from_uri(uri: &str) -> Option<String> {
    let mut out = Vec::with_capacity(uri.len());
    let mut bytes = uri.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?];
            let text = std::str::from_utf8(&digits).ok()?;
            out.push(u8::from_str_radix(text, 16).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use chancery_crypto::Commitment;

    use super::*;
    use crate::document::tests::{NOW, header, world};
    use crate::sign_document;

    #[test]
    fn a_manifest_reads_back_whatever_the_names() {
        let parts: [(&str, &[u8]); 3] =
            [("通知 (1).pdf", b"a"), ("a&b<\"c'.txt", b"b"), ("%41", b"c")];
        let document = sign_document(&header(&parts), &world().officer, Commitment::Approval, NOW);
        let manifest = Manifest::of_document(&document.expect("signs"), 1).expect("good names");
        assert_eq!(manifest.objects.len(), 4);
        let xml = manifest.to_xml();
        assert_eq!(Manifest::from_xml(xml.as_bytes()), Ok(manifest));
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        for bad in [
            "",
            "<a/>",
            "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
            "<a:ASiCManifest xmlns:a=\"http://uri.etsi.org/02918/v1.2.1#\"/>",
        ] {
            let result = Manifest::from_xml(bad.as_bytes());
            assert!(matches!(result, Err(ProtocolError::Container(_))), "{bad}: {result:?}");
        }
    }

    fn xml(inside: &str) -> String {
        format!("<a:ASiCManifest xmlns:a=\"{ASIC}\" xmlns:d=\"{DSIG}\">{inside}</a:ASiCManifest>")
    }

    const SIGNATURE: &str = "<a:SigReference URI=\"META-INF/s.p7s\"/>";

    fn reference(name: &str, more: &str) -> String {
        let (method, digest) = (method(HashAlgorithm::Sha256), BASE64.encode([7; 32]));
        format!(
            "<a:DataObjectReference URI=\"{name}\"><d:DigestMethod Algorithm=\"{method}\"/>\
             <d:DigestValue>{digest}</d:DigestValue>{more}</a:DataObjectReference>"
        )
    }

    #[test]
    fn critical_extensions_and_what_the_standard_does_not_name_are_refused() {
        let read = |xml: &str| Manifest::from_xml(xml.as_bytes());
        let plain = reference("a.txt", "");
        assert!(read(&xml(&format!("{SIGNATURE}{plain}"))).is_ok());
        let extension = |outer: &str, critical: &str| {
            format!("<a:{outer}><a:Extension{critical}><x/></a:Extension></a:{outer}>")
        };
        let (whole, one) = ("ASiCManifestExtensions", "DataObjectReferenceExtensions");
        for value in [" Critical=\"false\"", " Critical=\"0\""] {
            let xml = xml(&format!("{SIGNATURE}{plain}{}", extension(whole, value)));
            assert!(read(&xml).is_ok(), "{value}");
        }
        for value in [" Critical=\"true\"", " Critical=\" 1 \"", "", " Critical=\"x\""] {
            for xml in [
                xml(&format!("{SIGNATURE}{plain}{}", extension(whole, value))),
                xml(&format!("{SIGNATURE}{}", reference("a.txt", &extension(one, value)))),
            ] {
                assert!(matches!(read(&xml), Err(ProtocolError::Unsupported(_))), "{xml}");
            }
        }
        let other_digest = plain.replace("#sha256", "#sha1");
        let other_space = xml(&format!("{SIGNATURE}{plain}")).replace("02918", "2918");
        for xml in [xml(&format!("{SIGNATURE}{other_digest}")), other_space] {
            assert!(matches!(read(&xml), Err(ProtocolError::Unsupported(_))), "{xml}");
        }
        for inside in [
            plain.clone(),
            SIGNATURE.to_owned(),
            format!("{SIGNATURE}{SIGNATURE}{plain}"),
            format!("{SIGNATURE}{plain}<a:More/>"),
            format!("{SIGNATURE}{plain}<SigReference URI=\"x\"/>"),
            format!("{SIGNATURE}{}", reference("../a.txt", "")),
            format!("{SIGNATURE}{}", reference("a%00.txt", "")),
            format!("{SIGNATURE}{}", reference("a.txt", "<d:DigestValue>AA==</d:DigestValue>")),
            format!("{SIGNATURE}{}", plain.replace("</d:DigestValue>", "<!-- --></d:DigestValue>")),
            format!("{SIGNATURE}{}", plain.replace("</d:DigestValue>", "AA</d:DigestValue>")),
        ] {
            let result = read(&xml(&inside));
            assert!(matches!(result, Err(ProtocolError::Container(_))), "{inside}: {result:?}");
        }
    }

    #[test]
    fn what_would_cost_more_than_its_length_is_refused_before_it_is_read() {
        let nested = |n: usize| {
            let open: String = (0..n).map(|i| format!("<a xmlns:n{i}='u'>")).collect();
            open + &"</a>".repeat(n)
        };
        let attributes: String = (0..50_000).map(|i| format!(" a{i}=''")).collect();
        let entities = "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>";
        for bad in [nested(10_000), format!("<a{attributes}/>"), entities.to_owned()] {
            let error = Manifest::from_xml(bad.as_bytes()).expect_err("refused");
            let told = error.to_string();
            assert!(
                ["nested", "too long", "document type"].iter().any(|t| told.contains(t)),
                "{told}"
            );
        }
        let quoted = xml(&format!("<!-- <a> -->{SIGNATURE}{}", reference("a>b.txt", "")));
        assert!(Manifest::from_xml(quoted.as_bytes()).is_ok());
    }
}
