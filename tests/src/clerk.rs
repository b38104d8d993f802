//! A clerk who signs and sends through the library, without a process for each document.

use std::{collections::BTreeMap, path::Path};

use chancery_certs::{Credential, decode_pem_chain};
use chancery_crypto::{Commitment, Digest, SigningKey};
use chancery_desk::asking::{LocalReply, LocalRequest};
use chancery_doors::LocalClient;
use chancery_ledger::unix_now;
use chancery_protocol::{DocumentHeader, DocumentId, Part, Urgency, sign_document};

/// A clerk of an agency `NAME.zj.gov.cn`.
pub struct Clerk {
    officer: Credential,
    socket: std::path::PathBuf,
    client: Option<LocalClient>,
    agency: String,
}

impl Clerk {
    /// With the clerk's key of a world's folder.
    pub fn new(dir: &Path, agency: &str) -> Self {
        let read = |name: &str| std::fs::read(dir.join(format!("certs-{agency}/{name}"))).unwrap();
        let key =
            SigningKey::from_pem(&String::from_utf8(read("clerk.key")).unwrap(), None).unwrap();
        let officer = Credential::new(key, decode_pem_chain(&read("clerk.pem")).unwrap()).unwrap();
        let socket = dir.join(format!("{agency}/node.sock"));
        Self { officer, socket, client: None, agency: format!("{agency}.zj.gov.cn") }
    }

    /// Sends a text to agencies. An answer is the node's promise; without one, nothing is promised.
    pub fn send(
        &mut self,
        to: &[&str],
        title: &str,
        text: &[u8],
        urgency: Urgency,
    ) -> Result<DocumentId, String> {
        let sent = self.try_send(to, title, text, urgency);
        if sent.is_err() {
            self.client = None;
        }
        sent
    }

    fn try_send(
        &mut self,
        to: &[&str],
        title: &str,
        text: &[u8],
        urgency: Urgency,
    ) -> Result<DocumentId, String> {
        let client = match &mut self.client {
            Some(client) => client,
            none => none.insert(LocalClient::connect(&self.socket).map_err(|e| e.to_string())?),
        };
        let header = DocumentHeader {
            kind: "通知".into(),
            number: None,
            title: title.into(),
            from: self.agency.parse().unwrap(),
            to: to.iter().map(|to| to.parse().unwrap()).collect(),
            cc: Vec::new(),
            classification: None,
            secrecy_period: None,
            urgency,
            created: unix_now(),
            deadline: None,
            in_reply_to: None,
            module: "official-documents".into(),
            fields: BTreeMap::new(),
            crit: Vec::new(),
            filing: None,
            form: Default::default(),
            parts: vec![Part {
                name: "text.txt".into(),
                media_type: "text/plain".into(),
                size: text.len() as u64,
                digest: Digest::of(text),
            }],
            nonce: Digest::from_bytes(chancery_crypto::random().unwrap()),
        };
        let now = unix_now();
        let document = sign_document(&header, &self.officer, Commitment::Approval, now).unwrap();
        let request = LocalRequest::Submit { document: document.bytes().to_vec() };
        match client.ask(&request).map_err(|e| e.to_string())? {
            LocalReply::Ready => {}
            other => return Err(format!("{other:?}")),
        }
        client.send_raw(text).map_err(|e| e.to_string())?;
        match client.reply().map_err(|e| e.to_string())? {
            LocalReply::Submitted { document, .. } => Ok(document),
            other => Err(format!("{other:?}")),
        }
    }
}
