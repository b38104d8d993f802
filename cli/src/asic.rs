//! ASiC-E containers with CAdES signatures (ETSI EN 319 162-1): made of our documents, and verified and
//! taken apart whoever made them.

use std::{
    fs::File,
    io::{BufReader, Read, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use chancery_certs::SignedCms;
use chancery_crypto::{Digest, HashAlgorithm, StreamingHash, UnsignedElement};
use chancery_node::{NodeError, Staged, create_private_file, open_file, open_member};
use chancery_protocol::{
    ASIC_E, ASIC_HEADER, Indication, MAX_MANIFEST, Manifest, ProtocolError, SignedDocument,
    Validation, VerificationReport, asic_manifest_name, asic_signature_name, verify_cms,
    verify_document_by,
};
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

use crate::{
    draft::each_piece_of,
    failure::{Failure, NO},
    output::{Output, plain},
    place::{PARTS, Place, Placed, first_bytes, write_staged},
    trust::{MaterialArgs, TrustArgs},
};

/// The largest signature that is read, in bytes.
const MAX_SIGNATURE: u64 = 4 << 20;
/// How many times its own size a container may unpack to: more than deflate can (1032 times).
const UNPACKED: u64 = 1100;
/// The most entries of a container that are looked at.
const MAX_ENTRIES: usize = 10_000;
/// Our own signed document, beside the standard's files.
const OWN: &str = "META-INF/chancery-document.cose";

#[derive(Debug, clap::Subcommand)]
pub enum Export {
    /// As an ASiC-E container with CAdES signatures, which `openssl cms` and EU DSS verify
    #[command(after_help = "Example:
  chancery doc sign notice.pdf … --with-cades --tsa http://tsa.gov.cn:3180/ --out signed
  chancery export asic signed --out notice.asice
  unzip notice.asice && openssl cms -verify -binary -inform DER -in META-INF/signature001.p7s \\
      -content META-INF/ASiCManifest001.xml -CAfile root.pem -purpose any -out /dev/null
The signatures are those that were made with `doc sign --with-cades`; exporting needs no key.")]
    Asic {
        /// A folder, its document.cose, or a file with its parts
        #[arg(value_name = "DOCUMENT")]
        document: PathBuf,
        /// The new file
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

#[derive(Debug, clap::Subcommand)]
pub enum Import {
    /// Verify an ASiC-E container with CAdES signatures and take its files out
    #[command(after_help = "Example:
  chancery import asic contract.asice --anchor root.pem --out contract")]
    Asic(Box<ImportAsic>),
}

#[derive(Debug, clap::Args)]
pub struct ImportAsic {
    /// The container
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A new folder
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    material: MaterialArgs,
}

fn refuse(what: impl std::fmt::Display) -> ProtocolError {
    ProtocolError::Container(what.to_string())
}

/// Whether a file is a ZIP container.
pub fn is_container(path: &Path) -> Result<bool, Failure> {
    Ok(first_bytes(path)?.starts_with(b"PK\x03\x04"))
}

impl Export {
    pub fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let Self::Asic { document, out } = self;
        Failure::unless_new(&out)?;
        let placed = Placed::read(&document)?;
        let Place::Folder { folder, .. } = &placed.place else {
            let what = "it is one file with its parts";
            let remedy = "Take it out first with `chancery doc extract`.";
            return Err(Failure::usage("CHY-6028", what, remedy).at(&document));
        };
        let signed = &placed.document;
        let cades: Vec<_> = signed.cose().signatures().iter().flat_map(|s| &s.unsigned).collect();
        let cades: Vec<_> = cades
            .into_iter()
            .filter_map(|element| match element {
                UnsignedElement::Cades(der) => Some(der),
                _ => None,
            })
            .collect();
        if cades.is_empty() {
            let what = "none of its signers made a CAdES signature";
            let remedy = "Sign it with `chancery doc sign --with-cades`; exporting has no key.";
            return Err(Failure::usage("CHY-6032", what, remedy).at(&document));
        }
        let size = signed.header().parts_size();
        let progress = output.bytes_bar(size, output.t("writing", "写入"));
        write_staged(&out, |file| write_container(file, signed, &cades, folder, &progress))?;
        progress.finish_and_clear();
        if output.json {
            let id = signed.id();
            output.print_json(&serde_json::json!({ "document": id, "container": out }));
        } else {
            println!("{} {}", output.t("container", "容器"), out.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn write_container(
    file: &mut File,
    document: &SignedDocument,
    cades: &[&Vec<u8>],
    folder: &Path,
    progress: &indicatif::ProgressBar,
) -> Result<(), Failure> {
    let failed = |e: zip::result::ZipError| Failure::from(refuse(e));
    let write = |e: std::io::Error| Failure::from(refuse(e));
    // Stored: parts are mostly compressed already, and the first entry must be (annex A.1).
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o644);
    let mut zip = ZipWriter::new(file);
    let put = |zip: &mut ZipWriter<&mut File>, name: &str, bytes: &[u8]| {
        zip.start_file(name, options).map_err(failed)?;
        zip.write_all(bytes).map_err(write)
    };
    put(&mut zip, "mimetype", ASIC_E.as_bytes())?;
    put(&mut zip, ASIC_HEADER, document.cose().payload())?;
    for part in &document.header().parts {
        let large = options.large_file(part.size > u64::from(u32::MAX) / 2);
        zip.start_file(format!("{PARTS}/{}", part.name), large).map_err(failed)?;
        let path = folder.join(PARTS).join(&part.name);
        let mut hash = chancery_crypto::Hasher::new();
        each_piece_of(open_member(&path)?, &path, |bytes| {
            progress.inc(bytes.len() as u64);
            hash.update(bytes);
            zip.write_all(bytes).map_err(write)
        })?;
        let found = hash.finish();
        if found != part.digest {
            let name = part.name.clone();
            let (signed, found) = (part.digest.to_string(), found.to_string());
            return Err(ProtocolError::PartDigest { name, signed, found }.into());
        }
    }
    for (index, der) in cades.iter().enumerate() {
        let manifest = Manifest::of_document(document, index).to_xml();
        put(&mut zip, &asic_manifest_name(index), manifest.as_bytes())?;
        put(&mut zip, &asic_signature_name(index), der)?;
    }
    put(&mut zip, OWN, document.bytes())?;
    zip.finish().map(drop).map_err(failed)
}

type Container = ZipArchive<BufReader<File>>;

fn open(path: &Path) -> Result<Result<Container, ProtocolError>, Failure> {
    let file = open_file(path)?;
    let container = match ZipArchive::new(BufReader::new(file)) {
        Ok(container) => container,
        Err(error) => return Ok(Err(refuse(error))),
    };
    if container.len() > MAX_ENTRIES {
        return Ok(Err(refuse(format!("it has more than {MAX_ENTRIES} entries"))));
    }
    Ok(Ok(container))
}

fn read(container: &mut Container, name: &str, limit: u64) -> Result<Vec<u8>, ProtocolError> {
    let entry = container.by_name(name).map_err(|e| refuse(format!("{name:?}: {e}")))?;
    let mut bytes = Vec::new();
    entry.take(limit + 1).read_to_end(&mut bytes).map_err(|e| refuse(format!("{name:?}: {e}")))?;
    if bytes.len() as u64 > limit {
        return Err(refuse(format!("{name:?} is larger than {limit} bytes")));
    }
    Ok(bytes)
}

/// The digest of an entry, if it is there and can be read.
fn digest(
    container: &mut Container,
    name: &str,
    algorithm: HashAlgorithm,
    size: u64,
) -> Option<Vec<u8>> {
    // What unpacks to far more than the container could hold is no document.
    let mut entry = container.by_name(name).ok()?.take(size.saturating_mul(UNPACKED));
    let mut hash = StreamingHash::new(algorithm);
    let mut piece = vec![0; 1 << 16];
    loop {
        match entry.read(&mut piece).ok()? {
            0 => return Some(hash.finish()),
            n => hash.update(piece.get(..n)?),
        }
    }
}

/// The name of an entry, which must be one for people too.
fn name_of<R: Read>(entry: &zip::read::ZipFile<'_, R>) -> Result<String, ProtocolError> {
    let name = entry.name().map_err(|e| refuse(format!("a name in it cannot be read: {e}")))?;
    Ok(name.into_owned())
}

/// Verifies a container: its CAdES signatures, the digests in their manifests, and our own document if
/// there is one.
pub fn verify(
    path: &Path,
    by: &Validation<'_>,
    _output: &Output,
) -> Result<Result<VerificationReport, ProtocolError>, Failure> {
    let size = path.metadata().map_err(NodeError::file(path))?.len();
    Ok(open(path)?.and_then(|mut container| verify_container(&mut container, size, by)))
}

fn verify_container(
    container: &mut Container,
    size: u64,
    by: &Validation<'_>,
) -> Result<VerificationReport, ProtocolError> {
    let kind = read(container, "mimetype", 256)?;
    if kind != ASIC_E.as_bytes() {
        return Err(refuse("its mimetype is not that of ASiC-E"));
    }
    let names = (0..container.len())
        .map(|index| name_of(&container.by_index_raw(index).map_err(refuse)?))
        .collect::<Result<Vec<_>, _>>()?;
    let is_manifest = |name: &&String| {
        let file = name.strip_prefix("META-INF/").unwrap_or_default();
        file.starts_with("ASiCManifest") && file.ends_with(".xml")
    };
    let manifests: Vec<_> = names.iter().filter(is_manifest).collect();
    if manifests.is_empty() {
        return Err(refuse("it has no ASiCManifest (XAdES containers are not read here)"));
    }
    let mut report: Option<VerificationReport> = None;
    let mut covered = std::collections::BTreeSet::new();
    for name in manifests {
        let xml = read(container, name, MAX_MANIFEST as u64)?;
        let manifest = Manifest::from_xml(&xml)?;
        let cms = SignedCms::from_der(&read(container, &manifest.signature, MAX_SIGNATURE)?)?;
        let one = verify_cms(&cms, &xml, by);
        let whole = match &mut report {
            None => report.insert(one),
            Some(whole) => {
                whole.absorb(one);
                whole
            }
        };
        for object in &manifest.objects {
            let found = digest(container, &object.name, object.algorithm, size);
            let right = found.as_ref().map(|f| chancery_crypto::equal(f, &object.digest));
            whole.check_object(&object.name, right);
            covered.insert(object.name.clone());
        }
    }
    let mut report = report.ok_or_else(|| refuse("it has no signature"))?;
    for name in &names {
        let plain = name != "mimetype" && !name.starts_with("META-INF/") && !name.ends_with('/');
        if plain && !covered.contains(name) {
            report.unsigned_content(name);
        }
    }
    if names.iter().any(|name| name == OWN) {
        let bytes = read(container, OWN, chancery_crypto::cbor::MAX_BYTES as u64)?;
        let document = SignedDocument::decode(&bytes)?;
        let header = digest(container, ASIC_HEADER, HashAlgorithm::Sha256, size);
        let header = header.and_then(|d| Digest::from_slice(&d));
        report.check_object(OWN, Some(header.as_ref() == Some(document.id().digest())));
        let own = verify_document_by(&document, by);
        report.document = own.document;
        report.absorb(own);
    }
    Ok(report)
}

impl Import {
    pub fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let Self::Asic(import) = self;
        import.run(output)
    }
}

impl ImportAsic {
    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let (file, out) = (&self.file, &self.out);
        Failure::unless_new(out)?;
        let trust = self.trust.store()?;
        let material = self.material.read()?;
        let by = material.validation(&trust, self.trust.at());
        let report = verify(file, &by, output)?.map_err(|e| Failure::from(e).at(file))?;
        if report.indication != Indication::TotalPassed {
            let sub = report.sub_indication.map(crate::verify::name).unwrap_or_default();
            let failure = Failure {
                code: "CHY-6033".into(),
                message: format!("{} {sub}", report.indication.name()),
                remedy: "See why with `chancery verify`; nothing was taken out.".into(),
                exit: if report.indication == Indication::TotalFailed { NO } else { 5 },
            };
            return Err(failure.at(file));
        }
        let mut container = open(file)?.map_err(|e| Failure::from(e).at(file))?;
        let staged = Staged::folder(out)?;
        let size = file.metadata().map_err(NodeError::file(file))?.len();
        let files = take_out(&mut container, staged.path(), size.saturating_mul(UNPACKED))
            .map_err(|f| f.at(file))?;
        staged.finish()?;
        if output.json {
            output.print_json(&serde_json::json!({ "files": files, "folder": out }));
        } else {
            for file in &files {
                println!("  {}", plain(file));
            }
            println!("{} {}", output.t("taken out into", "已取出到"), out.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes the files of a container that was verified into a folder; our own document where it belongs.
fn take_out(
    container: &mut Container,
    staging: &Path,
    mut left: u64,
) -> Result<Vec<String>, Failure> {
    let mut files = Vec::new();
    for index in 0..container.len() {
        let entry = container.by_index(index).map_err(|e| Failure::from(refuse(e)))?;
        let name = name_of(&entry)?;
        if name.ends_with('/') || name == "mimetype" {
            continue;
        }
        let place = match name.as_str() {
            OWN => PathBuf::from(crate::place::DOCUMENT),
            ASIC_HEADER => continue,
            // A name that leads out of the folder is refused, whatever signed it.
            _ => entry
                .enclosed_name()
                .ok_or_else(|| Failure::from(refuse(format!("{name:?} leads elsewhere"))))?,
        };
        let path = staging.join(place);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(NodeError::file(parent))?;
        }
        let mut file = create_private_file(&path)?;
        let mut entry = entry.take(left);
        let written = std::io::copy(&mut entry, &mut file).map_err(NodeError::file(&path))?;
        left -= written;
        if left == 0 {
            return Err(refuse("it unpacks to more than it can hold").into());
        }
        files.push(name);
    }
    Ok(files)
}
