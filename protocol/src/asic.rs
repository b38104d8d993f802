//! The manifest of an ASiC-E container with CAdES (ETSI EN 319 162-1 §4.4.4 and annex A.4): what the CAdES
//! signature signs in place of the files.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use chancery_crypto::HashAlgorithm;

use crate::{
    ProtocolError,
    document::{DOCUMENT, SignedDocument},
};

/// The largest manifest that is read, in bytes.
pub const MAX_MANIFEST: usize = 1 << 20;
/// The most files that one may list.
const MAX_OBJECTS: usize = 4096;

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
    pub name: String,
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
    /// The name of the file that holds the signature over the manifest.
    pub signature: String,
    /// The files that it covers.
    pub objects: Vec<ManifestObject>,
}

fn refuse(what: impl std::fmt::Display) -> ProtocolError {
    ProtocolError::Container(what.to_string())
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
    pub fn of_document(document: &SignedDocument, index: usize) -> Self {
        let algorithm = HashAlgorithm::Sha256;
        let header = ManifestObject {
            name: ASIC_HEADER.into(),
            media_type: DOCUMENT.into(),
            algorithm,
            digest: document.id().digest().as_bytes().to_vec(),
        };
        let parts = document.header().parts.iter().map(|part| ManifestObject {
            name: format!("parts/{}", part.name),
            media_type: part.media_type.clone(),
            algorithm,
            digest: part.digest.as_bytes().to_vec(),
        });
        let objects = std::iter::once(header).chain(parts).collect();
        Self { signature: asic_signature_name(index), objects }
    }

    /// The manifest's XML.
    pub fn to_xml(&self) -> String {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        out += &format!("<asic:ASiCManifest xmlns:asic=\"{ASIC}\" xmlns:ds=\"{DSIG}\">\n");
        out += &format!(
            "  <asic:SigReference URI=\"{}\" MimeType=\"application/pkcs7-signature\"/>\n",
            to_uri(&self.signature)
        );
        for object in &self.objects {
            out += &format!(
                "  <asic:DataObjectReference URI=\"{}\" MimeType=\"{}\">\n    \
                 <ds:DigestMethod Algorithm=\"{}\"/>\n    \
                 <ds:DigestValue>{}</ds:DigestValue>\n  \
                 </asic:DataObjectReference>\n",
                to_uri(&object.name),
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
    /// [`ProtocolError::Container`], saying what is not acceptable.
    pub fn from_xml(bytes: &[u8]) -> Result<Self, ProtocolError> {
        if bytes.len() > MAX_MANIFEST {
            return Err(refuse("its manifest is larger than 1 MiB"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| refuse("its manifest is not UTF-8"))?;
        let options = roxmltree::ParsingOptions {
            allow_dtd: false,
            nodes_limit: 100_000,
            ..roxmltree::ParsingOptions::default()
        };
        let xml = roxmltree::Document::parse_with_options(text, options)
            .map_err(|e| refuse(format!("its manifest is no XML: {e}")))?;
        let root = xml.root_element();
        if !root.has_tag_name((ASIC, "ASiCManifest")) {
            return Err(refuse("its manifest is no ASiCManifest"));
        }
        let named =
            |name: &'static str| root.children().filter(move |n| n.has_tag_name((ASIC, name)));
        let uri = |node: roxmltree::Node<'_, '_>| {
            let uri = node.attribute("URI").and_then(from_uri);
            uri.ok_or_else(|| refuse("a reference in its manifest has no name that can be read"))
        };
        let signature = named("SigReference").next();
        let signature = uri(signature.ok_or_else(|| refuse("its manifest names no signature"))?)?;
        let objects = named("DataObjectReference")
            .take(MAX_OBJECTS + 1)
            .map(|node| {
                let child = |name| node.children().find(|n| n.has_tag_name((DSIG, name)));
                let wanted = child("DigestMethod").and_then(|n| n.attribute("Algorithm"));
                let algorithms =
                    [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512];
                let algorithm = algorithms.into_iter().find(|a| Some(method(*a)) == wanted);
                let digest = child("DigestValue").and_then(|n| n.text()).map(|text| {
                    let text: String = text.split_ascii_whitespace().collect();
                    BASE64.decode(text)
                });
                let name = uri(node)?;
                let (Some(algorithm), Some(Ok(digest))) = (algorithm, digest) else {
                    let why = "has no digest that is accepted (SHA-256, SHA-384, SHA-512)";
                    return Err(refuse(format!("{name:?} in its manifest {why}")));
                };
                let media_type = node.attribute("MimeType").unwrap_or_default().to_owned();
                Ok(ManifestObject { name, media_type, algorithm, digest })
            })
            .collect::<Result<Vec<_>, _>>()?;
        if objects.is_empty() || objects.len() > MAX_OBJECTS {
            return Err(refuse("its manifest lists no file, or too many"));
        }
        Ok(Self { signature, objects })
    }
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
        let manifest = Manifest::of_document(&document.expect("signs"), 1);
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
}
