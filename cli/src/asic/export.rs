//! `chancery export asic`: a container made of a document of ours.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use chancery_crypto::UnsignedElement;
use chancery_protocol::{
    ASIC_DOCUMENT, ASIC_E, ASIC_HEADER, ContainerFault, EntryName, Manifest, ProtocolError,
    SignedDocument, asic_manifest_name, asic_signature_name,
};
use chancery_store::files::open_member;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::{
    draft::each_piece_of,
    failure::Failure,
    output::Output,
    place::{PARTS, Place, Placed, write_staged},
};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Export {
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

fn refuse(what: impl std::fmt::Display) -> ProtocolError {
    ContainerFault::Io { detail: what.to_string() }.into()
}

impl Export {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
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
    // A name that no reader would take back stops it before anything is written.
    let names = document.header().parts.iter().map(|part| EntryName::of_part(&part.name));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    put(&mut zip, "mimetype", ASIC_E.as_bytes())?;
    put(&mut zip, ASIC_HEADER, document.cose().payload())?;
    for (part, name) in document.header().parts.iter().zip(&names) {
        let large = options.large_file(part.size > u64::from(u32::MAX) / 2);
        zip.start_file(name.as_str(), large).map_err(failed)?;
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
            let signed = part.digest;
            return Err(ProtocolError::PartDigest { name, signed, found }.into());
        }
    }
    for (index, der) in cades.iter().enumerate() {
        let manifest = Manifest::of_document(document, index)?.to_xml();
        put(&mut zip, &asic_manifest_name(index), manifest.as_bytes())?;
        put(&mut zip, &asic_signature_name(index), der)?;
    }
    put(&mut zip, ASIC_DOCUMENT, document.bytes())?;
    zip.finish().map(drop).map_err(failed)
}
