//! `chancery cose`: COSE messages of others.

use std::{path::PathBuf, process::ExitCode};

use chancery_certs::{SignerName, decode_public_key};
use chancery_crypto::{CoseMessage, CryptoError};
use chancery_store::files::read_file;

use crate::{
    failure::{Failure, NO},
    output::Output,
};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Cose {
    /// Verify a COSE_Sign or COSE_Sign1 message of anybody under a key; exit 0 if a signature fits
    #[command(after_help = "Examples:
  chancery cose verify message.cbor --key signer.pem
  chancery cose verify message.cbor --key signer.pem --payload report.pdf --external-aad 0102
Only the signature value is checked, not who may have signed; documents are verified by `chancery verify`.")]
    Verify(Verify),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// A public key or certificate, PEM or DER
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The payload, when it is detached
    #[arg(long, value_name = "FILE")]
    payload: Option<PathBuf>,
    /// The application's external_aad, in hexadecimal
    #[arg(long, value_name = "HEX", value_parser = parse_hex)]
    external_aad: Option<Hex>,
    /// A critical header parameter that you understand (may be given several times)
    #[arg(long = "understand", value_name = "LABEL")]
    understood: Vec<String>,
    /// The message
    #[arg(value_name = "FILE")]
    message: PathBuf,
}

#[derive(Debug, Clone)]
struct Hex(Vec<u8>);

fn parse_hex(text: &str) -> Result<Hex, String> {
    hex::decode(text).map(Hex).map_err(|_| "write it as hexadecimal digits".to_owned())
}

impl Cose {
    pub(crate) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let Self::Verify(verify) = self;
        verify.run(output)
    }
}

impl Verify {
    fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let key = decode_public_key(&read_file(&self.key)?);
        let key = key.map_err(|e| Failure::from(e).at(&self.key))?;
        let payload = self.payload.as_deref().map(read_file).transpose()?;
        let understood: Vec<_> = self.understood.iter().map(String::as_str).collect();
        let message = CoseMessage::decode(&read_file(&self.message)?, &understood);
        let message = message.map_err(|e| Failure::from(e).at(&self.message))?;
        let aad = self.external_aad.map(|hex| hex.0).unwrap_or_default();
        let mut fits = false;
        let mut found = Vec::new();
        for (index, signature) in message.signatures().iter().enumerate() {
            let verdict = message.verify(index, &key, &aad, payload.as_deref());
            fits |= verdict.is_ok();
            let why = verdict.err().map(|e: CryptoError| e.to_string());
            let signer = signature.certificates.first();
            let signer = signer.and_then(|der| chancery_certs::Certificate::from_der(der).ok());
            let name = signer.and_then(|c| c.signer_name().ok()).map(|n: SignerName| n.to_string());
            if !output.json {
                let (mark, why) = (if why.is_none() { "✓" } else { "✗" }, why.as_deref());
                let kind = signature.kind.name();
                println!("{mark} {} {kind}: {}", index + 1, why.unwrap_or("valid under the key"));
            }
            found.push(serde_json::json!({
                "kind": signature.kind.name(), "valid": why.is_none(), "why": why, "signer": name,
                "key_id": hex::encode(&signature.key_id),
            }));
        }
        if found.is_empty() && !output.json {
            println!("✗ {}", output.t("the message holds no signature", "该消息没有签名"));
        }
        if output.json {
            output.print_json(&serde_json::json!({ "valid": fits, "signatures": found }));
        }
        Ok(if fits { ExitCode::SUCCESS } else { ExitCode::from(NO) })
    }
}
