//! `chancery import asic`: a container is verified and its files are taken out.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use chancery_bus::NodeError;
use chancery_crypto::Hasher;
use chancery_protocol::{
    ASIC_HEADER, Archive, ContainerFault, EntryFault, EntryName, Indication, ProtocolError,
    VerifiedContainer, verify_container,
};
use chancery_store::files::{Staged, create_private_file};

use crate::{
    failure::{Failure, NO},
    output::{Output, plain},
    trust::{MaterialArgs, TrustArgs},
};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Import {
    /// Verify an ASiC-E container with CAdES signatures and take its files out
    #[command(after_help = "Example:
  chancery import asic contract.asice --anchor root.pem --out contract")]
    Asic(Box<ImportAsic>),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ImportAsic {
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

impl Import {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
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
        // Verified and taken out through one open file.
        let at = |error: ProtocolError| {
            let exit = if matches!(error, ProtocolError::Unsupported(_)) { 5 } else { NO };
            Failure { exit, ..Failure::from(error).at(file) }
        };
        let mut archive = super::open(file)?.map_err(at)?;
        let verified = verify_container(&mut archive, &by).map_err(at)?;
        let report = &verified.report;
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
        let staged = Staged::folder(out)?;
        let files = take_out(&mut archive, &verified, staged.path()).map_err(|f| f.at(file))?;
        staged.finish()?;
        if output.json {
            output.print_json(&serde_json::json!({
                "files": files, "folder": out, "lenient": self.trust.is_lenient(),
            }));
        } else {
            for file in &files {
                println!("  {}", plain(file));
            }
            println!("{} {}", output.t("taken out into", "已取出到"), out.display());
            self.trust.note_lenience(output);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes the files that were verified into a folder, the same bytes; our own document in place of its header.
fn take_out(
    archive: &mut Archive<File>,
    verified: &VerifiedContainer,
    staging: &Path,
) -> Result<Vec<String>, Failure> {
    let mut files = Vec::new();
    if let Some(document) = &verified.document {
        let path = staging.join(crate::place::DOCUMENT);
        write_new(&path, |file| {
            Ok(file.write_all(document.bytes()).map_err(NodeError::file(&path))?)
        })?;
        files.push(crate::place::DOCUMENT.to_owned());
    }
    for (name, digest) in &verified.files {
        // The header stands in the signed document; in a container of others it is a file as any.
        if name.as_str() == ASIC_HEADER && verified.document.is_some() {
            continue;
        }
        let path = path_of(staging, name)?;
        let mut hash = Hasher::new();
        write_new(&path, |file| {
            archive.unpack(name, |bytes| {
                hash.update(bytes);
                Ok::<_, Failure>(file.write_all(bytes).map_err(NodeError::file(&path))?)
            })
        })?;
        if hash.finish() != *digest {
            let (name, fault) = (name.to_string(), EntryFault::Changed);
            return Err(ProtocolError::from(ContainerFault::Entry { name, fault }).into());
        }
        files.push(name.to_string());
    }
    Ok(files)
}

/// Where a file goes; the folders above it are made.
fn path_of(staging: &Path, name: &EntryName) -> Result<PathBuf, Failure> {
    let path = staging.join(name.as_str());
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(NodeError::file(parent))?;
    }
    Ok(path)
}

fn write_new(
    path: &Path,
    write: impl FnOnce(&mut File) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut file = create_private_file(path)?;
    write(&mut file)
}
