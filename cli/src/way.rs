//! To which node a command speaks: the local one over its socket, or an agency's over HTTPS.

use std::path::PathBuf;

use chancery_apps::{Look, Module, Notice};
use chancery_desk::{
    asking::{LocalReply, LocalRequest},
    matters::{MatterView, Question},
    told::{LookView, NoticeView},
};
use chancery_doors::LocalClient;

use crate::{
    failure::Failure,
    filing::module_of,
    keys::{OpenKey, Signer},
    local::Local,
    web::{Remote, Web, escaped},
};

/// The local node, or an agency's.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Way {
    #[command(flatten)]
    local: Local,
    #[command(flatten)]
    remote: Remote,
}

/// As [`Way`], for commands that sign nothing: with an agency's node, one's own key says who asks.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ReadingWay {
    #[command(flatten)]
    way: Way,
    /// With --node: your private key, as `app do` takes it
    #[arg(long, value_name = "KEY", env = "CHANCERY_KEY")]
    key: Option<PathBuf>,
    /// With --node: your certificate and its chain, PEM (default: those in the PKCS #12 file)
    #[arg(long, value_name = "FILE", env = "CHANCERY_CERT")]
    cert: Option<PathBuf>,
    #[command(flatten)]
    open: OpenKey,
}

/// A node that is spoken to.
pub(crate) enum Door {
    Local(LocalClient),
    Web(Box<Web>),
}

impl Way {
    /// Goes there.
    pub(crate) fn open(&self, signer: Option<&Signer>) -> Result<Door, Failure> {
        match self.remote.open(signer)? {
            Some(web) => Ok(Door::Web(Box::new(web))),
            None => Ok(Door::Local(self.local.connect()?)),
        }
    }
}

impl ReadingWay {
    /// Goes there.
    pub(crate) fn open(&self) -> Result<Door, Failure> {
        let signer = Signer::named(self.key.as_ref(), self.cert.as_ref(), &self.open);
        self.way.open(signer.as_ref())
    }
}

impl Door {
    /// A module in force.
    pub(crate) fn module(&mut self, name: &str) -> Result<Module, Failure> {
        match self {
            Self::Local(client) => module_of(client, name),
            Self::Web(web) => web.module(name),
        }
    }

    /// A matter by the first digits of its id.
    pub(crate) fn matter(&mut self, id: &str) -> Result<MatterView, Failure> {
        match self {
            Self::Web(web) => web.matter(id),
            Self::Local(client) => match client.ask(&LocalRequest::Matter { id: id.to_owned() })? {
                LocalReply::Matter(view) => Ok(*view),
                other => Err(Failure::from_reply(other)),
            },
        }
    }

    /// The matters of a module that one may read.
    pub(crate) fn matters(&mut self, question: Question) -> Result<Vec<MatterView>, Failure> {
        let client = match self {
            Self::Local(client) => client,
            Self::Web(web) => {
                let module = question.module.unwrap_or_default();
                let state = question.state.map(|state| format!("&state={}", escaped(&state)));
                let (module, limit) = (escaped(&module), question.limit.min(1000));
                let state = state.unwrap_or_default();
                return web.json(&format!("/v1/apps/{module}/matters?limit={limit}{state}"));
            }
        };
        client.send(&LocalRequest::Matters(question))?;
        let mut found = Vec::new();
        loop {
            match client.reply()? {
                LocalReply::Matter(view) => found.push(*view),
                LocalReply::Done => return Ok(found),
                other => return Err(Failure::from_reply(other)),
            }
        }
    }

    /// Who has looked at what is kept of somebody.
    pub(crate) fn looks(&mut self, of: Option<String>) -> Result<Vec<(String, Look)>, Failure> {
        match self {
            Self::Local(client) => match client.ask(&LocalRequest::Looks { of })? {
                LocalReply::Looks(found) => Ok(found),
                other => Err(Failure::from_reply(other)),
            },
            Self::Web(web) => {
                let found: Vec<LookView> = web.json(&format!("/v1/looks{}", of_whom(of)))?;
                Ok(found.into_iter().map(LookView::into_look).collect())
            }
        }
    }

    /// What somebody was told.
    pub(crate) fn notices(&mut self, of: Option<String>) -> Result<Vec<(String, Notice)>, Failure> {
        match self {
            Self::Local(client) => match client.ask(&LocalRequest::Notices { of })? {
                LocalReply::Notices(found) => Ok(found),
                other => Err(Failure::from_reply(other)),
            },
            Self::Web(web) => {
                let found: Vec<NoticeView> = web.json(&format!("/v1/notices{}", of_whom(of)))?;
                Ok(found.into_iter().map(NoticeView::into_notice).collect())
            }
        }
    }
}

fn of_whom(of: Option<String>) -> String {
    of.map(|of| format!("?of={}", escaped(&of))).unwrap_or_default()
}
