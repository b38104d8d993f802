//! What can be asked of a node, and what it answers.

use chancery_certs::AgencyName;
use chancery_protocol::{DocumentId, EnvelopeId, Growth, Receipt};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{
    matters::{MatterView, ModuleView, Question},
    views::{DocumentView, ExportedFile, OpenedView, StatusView, TraceView},
};

/// What a clerk or operator asks the node.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LocalRequest {
    /// How is the node?
    Status,
    /// Take this signed document; its parts follow as raw frames once the node is ready.
    Submit {
        /// The COSE_Sign structure.
        #[serde(with = "serde_bytes")]
        document: Vec<u8>,
    },
    /// As [`LocalRequest::Submit`], with a number for each recipient's copy: `first` for the first, and so on.
    SubmitCopies {
        /// The COSE_Sign structure.
        #[serde(with = "serde_bytes")]
        document: Vec<u8>,
        /// The first number.
        first: u64,
    },
    /// The newest documents that came in or went out, newest first.
    List {
        /// In, or out.
        incoming: bool,
        /// At most so many.
        limit: u32,
    },
    /// The newest documents in whose header a text stands.
    Search {
        /// The text; upper and lower case are one.
        text: String,
        /// At most so many.
        limit: u32,
    },
    /// Every document that comes in or goes out from now on, and every delivery that ends. It begins with
    /// [`LocalReply::Ready`].
    Watch,
    /// Open a document by the first digits of its id. If its parts are wanted, the evidence follows
    /// file by file up to [`LocalReply::Done`], and then the parts as raw frames up to another.
    Open {
        /// The first digits of a document or envelope id.
        id: String,
        /// Whether the parts are wanted too, which hands the document over.
        parts: bool,
    },
    /// The modules in force.
    Modules,
    /// The folder of a module in force.
    Module {
        /// Its name.
        name: String,
    },
    /// What was proposed of modules and waits for a second officer.
    Waiting,
    /// What a plan of migration would do with the running matters of a module.
    TryMigration {
        /// The module.
        module: String,
        /// The plan, as its file has it.
        plan: String,
    },
    /// Who was appointed to the roles of a module.
    Appointed {
        /// Its name, or that of the office.
        module: String,
    },
    /// What modules keep: matters.
    Matters(Question),
    /// A matter.
    Matter {
        /// The first digits of its id.
        id: String,
    },
    /// A matter on paper, by a template of its module: [`LocalReply::Paper`], the PDF in pieces, [`LocalReply::Done`].
    Print {
        /// The first digits of the matter's id.
        id: String,
        /// The template.
        template: String,
        /// Whether what the template says is printed in Chinese, or in English.
        chinese: bool,
    },
    /// What a registry has answered to a question of the caller's.
    Answer {
        /// The module.
        module: String,
        /// The document of the question.
        document: String,
    },
    /// Who has looked at what modules keep of somebody: the caller, or whom he names and may name.
    Looks {
        /// Whom.
        of: Option<String>,
    },
    /// What modules have told somebody: the caller, or whom he names and may name.
    Notices {
        /// Whom.
        of: Option<String>,
    },
    /// Every decision of modules with its document, and the folders of modules, for whoever decides again.
    ExportDecisions,
    /// The journey of a document.
    Trace {
        /// The first digits of a document or envelope id.
        id: String,
    },
    /// Use this directory from now on. It follows as raw frames once the node is ready.
    InstallDirectory {
        /// The length of the signed directory.
        size: u64,
    },
    /// The ledger's newest checkpoint and the chain of its seal.
    Checkpoint,
    /// Some entries.
    Entries {
        /// The first.
        from: u64,
        /// At most so many.
        limit: u32,
    },
    /// The receipt of an entry under the newest checkpoint.
    Prove {
        /// The entry.
        index: u64,
    },
    /// The consistency proof from an older size to the newest checkpoint.
    ProveConsistency {
        /// The older size.
        size: u64,
    },
    /// Which envelopes hold a document, so that an order to purge them can be written.
    PlanPurge {
        /// The first digits of a document or envelope id.
        id: String,
    },
    /// Remove content for good, by an officer's signed order.
    Purge {
        /// The order; see [`chancery_protocol::PurgeOrder`].
        #[serde(with = "serde_bytes")]
        order: Vec<u8>,
    },
    /// The whole ledger as a static log, file by file.
    Export,
    /// Make a backup in the node's data folder.
    Backup,
    /// Take up the seal and the node certificate that lie in the files now.
    Reload,
    /// Wait for no peer to say how far the ledger was seen to go.
    GoAlone,
}

impl LocalRequest {
    /// Whether it only looks, so that it can be asked again whatever became of it.
    pub fn only_looks(&self) -> bool {
        match self {
            Self::Status
            | Self::List { .. }
            | Self::Search { .. }
            | Self::Trace { .. }
            | Self::Checkpoint
            | Self::Entries { .. }
            | Self::Prove { .. }
            | Self::ProveConsistency { .. }
            | Self::Modules
            | Self::Module { .. }
            | Self::Waiting
            | Self::TryMigration { .. }
            | Self::Appointed { .. }
            | Self::Matters(_)
            | Self::Matter { .. }
            | Self::Print { .. }
            | Self::Answer { .. }
            | Self::Looks { .. }
            | Self::Notices { .. }
            | Self::PlanPurge { .. } => true,
            Self::Submit { .. }
            | Self::SubmitCopies { .. }
            | Self::Watch
            // It may hand a document over.
            | Self::Open { .. }
            | Self::InstallDirectory { .. }
            | Self::Purge { .. }
            | Self::Export
            | Self::ExportDecisions
            | Self::Backup
            | Self::Reload
            | Self::GoAlone => false,
        }
    }
}

/// What the node answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each field is what its request speaks of")]
pub enum LocalReply {
    Status(Box<StatusView>),
    /// The document is in order: send its parts.
    Ready,
    Submitted {
        document: DocumentId,
        envelope: EnvelopeId,
        recipients: Vec<AgencyName>,
        /// The number of each copy that has one.
        #[serde(default)]
        copies: Vec<(AgencyName, u64)>,
        /// What a module has decided, if it was filed with one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        applied: Option<Box<chancery_apps::Applied>>,
    },
    /// The modules in force.
    Modules(Vec<ModuleView>),
    /// Who was appointed to the roles of a module.
    Appointed(Vec<chancery_apps::Appointed>),
    /// What waits for a second officer, by module.
    Waiting(Vec<(String, chancery_apps::Proposed)>),
    /// What a plan would do.
    Cover(chancery_apps::Cover),
    /// The folder of a module, in its one form.
    Module(ByteBuf),
    /// What a registry has answered.
    Answer(Box<chancery_apps::Answer>),
    /// Each with its module.
    Looks(Vec<(String, chancery_apps::Look)>),
    /// Each with its module.
    Notices(Vec<(String, chancery_apps::Notice)>),
    /// Characters that no font has, in English and in Chinese; what is printed follows as [`LocalReply::File`].
    Paper {
        warnings: Vec<(String, String)>,
    },
    /// One of a list; [`LocalReply::Done`] ends it.
    Matter(Box<MatterView>),
    /// One of a list; [`LocalReply::Done`] ends it.
    Document(Box<DocumentView>),
    Opened(Box<OpenedView>),
    Traced(Box<TraceView>),
    DirectoryInstalled {
        version: u64,
        agencies: u32,
    },
    Checkpoint {
        note: String,
        chain: Vec<ByteBuf>,
    },
    /// Some entries, in order, and whether there are more.
    Entries {
        leaves: Vec<ByteBuf>,
        more: bool,
    },
    Proof(Receipt),
    Consistency {
        growth: Growth,
        note: String,
    },
    /// The agency, the document's title, and the envelopes that hold it.
    PurgePlan {
        agency: AgencyName,
        title: String,
        envelopes: Vec<EnvelopeId>,
    },
    /// The order's digest, the ledger entries that record it, and whether the content is off the disk already.
    Purged {
        order: chancery_crypto::Digest,
        entries: Vec<u64>,
        erased: bool,
    },
    File(ExportedFile),
    /// Where it is, how many files and bytes, and up to which entry it goes.
    BackedUp {
        path: std::path::PathBuf,
        files: u64,
        bytes: u64,
        entries: u64,
    },
    /// The end of a sequence.
    Done,
    /// It cannot be done.
    Failed {
        code: String,
        message: String,
        remedy: String,
        /// The message in Chinese; older nodes give none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message_zh: Option<String>,
        /// The document whose refusal stands in the ledger.
        #[serde(default)]
        recorded: Option<DocumentId>,
    },
}
