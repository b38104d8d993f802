//! How a command fails: a stable code, what and where, what to do, and the exit code.

use std::{io::ErrorKind, path::Path};

use chancery_bus::NodeError;
use chancery_certs::CertError;
use chancery_crypto::{CryptoError, Language};
use chancery_desk::asking::LocalReply;
use chancery_ledger::LedgerError;
use chancery_protocol::{
    ProtocolError,
    text::{check_line, show_json, show_lines},
};

use chancery_store::StoreError;

use crate::{
    codes::{self, Code},
    output::{Output, language_of_failures},
};

/// A refusal or failure on its way to the user.
#[derive(Debug)]
pub(crate) struct Failure {
    pub code: String,
    pub message: String,
    pub remedy: String,
    pub exit: u8,
}

/// The answer is no.
pub(crate) const NO: u8 = 1;
/// The command or its input is wrong.
pub(crate) const USAGE: u8 = 2;
/// The environment is wrong: no node, no disk, no network.
pub(crate) const ENVIRONMENT: u8 = 3;
/// A peer, or a rule of the node, refuses.
pub(crate) const REFUSED: u8 = 4;

impl Failure {
    /// A mistake in what was given.
    pub(crate) fn usage(code: &str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        let (message, remedy) = (message.into(), remedy.into());
        Self { code: code.to_owned(), message, remedy, exit: USAGE }
    }

    /// Says which file it is about.
    pub(crate) fn at(mut self, path: &Path) -> Self {
        self.message = format!("{}: {}", path.display(), self.message);
        self
    }

    /// A file or folder that would be overwritten.
    pub(crate) fn exists(path: &Path) -> Self {
        let remedy = "Choose another place, or move it away; nothing was overwritten.";
        Self::usage("CHY-6015", "it exists already", remedy).at(path)
    }

    /// Refuses, before any work, to write over what is there: also a link that leads nowhere.
    pub(crate) fn unless_new(path: &Path) -> Result<(), Self> {
        match path.symlink_metadata() {
            Ok(_) => Err(Self::exists(path)),
            Err(_) => Ok(()),
        }
    }

    /// Refuses a name that not all of can be seen.
    pub(crate) fn unless_shown(what: &str, name: &str) -> Result<(), Self> {
        check_line(name).map_err(|fault| {
            let remedy = "Write it without characters that cannot be seen.";
            Self::usage("CHY-6050", format!("{what} {name:?}: {fault}"), remedy)
        })
    }

    /// An answer of the node that does not belong to the request.
    pub(crate) fn unexpected() -> Self {
        Self {
            code: "CHY-6001".into(),
            message: "the node gave an answer that does not belong to the request".into(),
            remedy: "Use a `chancery` of the same version as the node.".into(),
            exit: ENVIRONMENT,
        }
    }

    /// The node's own failure.
    pub(crate) fn from_reply(reply: LocalReply) -> Self {
        match reply {
            LocalReply::Failed { code, message, remedy, recorded, message_zh } => {
                let chinese = message_zh.filter(|_| language_of_failures() == Language::Zh);
                let mut message = chinese.unwrap_or(message);
                if let Some(document) = recorded {
                    let digits: String = document.to_string().chars().take(12).collect();
                    message.push_str(&format!(" (recorded: chancery trace {digits})"));
                }
                // 40xx come from the node's surroundings, but for what the clerk asked of it.
                let clerk = ["CHY-4008", "CHY-4009", "CHY-4010", "CHY-4012", "CHY-4026"];
                let exit = match code.as_str() {
                    "CHY-4011" | "CHY-4019" => NO,
                    "CHY-4018" | "CHY-4020" => REFUSED,
                    // A module has decided that it does not take it.
                    code if code.starts_with("CHY-7") => REFUSED,
                    code if clerk.contains(&code) => USAGE,
                    code if code.starts_with("CHY-4") => ENVIRONMENT,
                    _ => USAGE,
                };
                Self { code, message, remedy, exit }
            }
            _ => Self::unexpected(),
        }
    }

    /// What happened. Some of it may be by others, who could have put an end of line into it: lines after the first are set in.
    fn said(&self) -> String {
        show_lines(self.message.trim_end()).replace('\n', "\n    ")
    }

    /// Prints it to stderr.
    pub(crate) fn print(&self, output: &Output) {
        if output.json {
            let error = serde_json::json!({ "error": {
                "code": self.code, "message": self.message, "remedy": self.remedy,
            }});
            eprintln!("{}", show_json(&error.to_string()));
            return;
        }
        match codes::find(&self.code).filter(|_| output.chinese) {
            Some(Code { means: [_, means], remedy: [_, remedy], .. }) => {
                eprintln!("错误[{}]: {means}", self.code);
                eprintln!("  详情: {}", self.said());
                eprintln!("  处理办法: {remedy}");
            }
            None => {
                eprintln!("error[{}]: {}", self.code, self.said());
                eprintln!("  what to do: {}", self.remedy);
            }
        }
    }
}

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        let exit = match &error {
            // A file that was named wrongly is a mistake in the command; anything else about a file
            // is the environment's.
            NodeError::Store(StoreError::File { source, .. })
                if matches!(
                    source.kind(),
                    ErrorKind::NotFound | ErrorKind::AlreadyExists | ErrorKind::IsADirectory
                ) =>
            {
                USAGE
            }
            NodeError::Store(_)
            | NodeError::Ledger(_)
            | NodeError::LedgerMissing { .. }
            | NodeError::Ended { .. }
            | NodeError::Busy { .. }
            | NodeError::Listen { .. }
            | NodeError::Tls(_)
            | NodeError::Network { .. } => ENVIRONMENT,
            NodeError::NotFound(_) | NodeError::Purged(_) => NO,
            NodeError::NotPermitted { .. }
            | NodeError::Withdrawn { .. }
            | NodeError::Declined { .. } => REFUSED,
            _ => USAGE,
        };
        let (code, remedy) = (error.code().to_owned(), error.remedy().to_owned());
        Self { code, message: said_of(&error), remedy, exit }
    }
}

/// What is said of an error, in the language of the command where its room speaks both.
fn said_of(error: &NodeError) -> String {
    error.say(language_of_failures())
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        NodeError::from(error).into()
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        NodeError::from(error).into()
    }
}

impl From<ProtocolError> for Failure {
    fn from(error: ProtocolError) -> Self {
        NodeError::from(error).into()
    }
}

impl From<CertError> for Failure {
    fn from(error: CertError) -> Self {
        NodeError::from(error).into()
    }
}

impl From<CryptoError> for Failure {
    fn from(error: CryptoError) -> Self {
        NodeError::from(error).into()
    }
}

impl From<chancery_apps::AppError> for Failure {
    fn from(error: chancery_apps::AppError) -> Self {
        Self::usage("CHY-7001", error.to_string(), "Choose one of those with --type.")
    }
}
