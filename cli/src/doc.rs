//! `chancery doc`: signed documents as folders, without a node.

use std::{path::PathBuf, process::ExitCode};

use chancery_crypto::Commitment;
use chancery_node::{NodeError, unix_now, write_new};
use chancery_protocol::sign_document;

use crate::{draft::Draft, failure::Failure, keys::Signer, output::Output};

#[derive(Debug, clap::Subcommand)]
pub enum Doc {
    /// Sign files as a document, into a new folder that `chancery verify` reads
    #[command(after_help = "Example:
  chancery doc sign notice.pdf --to justice.hz.gov.cn --type 通知 --title 关于换届的通知 --out signed")]
    Sign(Box<Sign>),
}

#[derive(Debug, clap::Args)]
pub struct Sign {
    #[command(flatten)]
    draft: Draft,
    /// A new folder
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    signer: Signer,
}

impl Doc {
    pub fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let Self::Sign(sign) = self;
        sign.run(output)
    }
}

impl Sign {
    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let out = &self.out;
        if out.exists() {
            return Err(Failure::exists(out));
        }
        let signer = self.signer.load()?;
        let header = self.draft.header(&signer, output)?;
        let document = sign_document(&header, &signer, Commitment::Approval, unix_now())?;
        let parts = out.join("parts");
        std::fs::create_dir_all(&parts).map_err(NodeError::file(&parts))?;
        for (from, part) in self.draft.files.iter().zip(&header.parts) {
            let to = parts.join(&part.name);
            std::fs::copy(from, &to).map_err(NodeError::file(from))?;
        }
        // Last: a folder without it is no document.
        write_new(&out.join("document.cose"), document.bytes())?;
        if output.json {
            output.print_json(&serde_json::json!({ "document": document.id(), "folder": out }));
        } else {
            println!("{} {}", output.t("signed:", "已签署："), header.title);
            println!("  {} {}", output.t("document", "文件编号"), document.id());
            println!("  {}", out.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}
