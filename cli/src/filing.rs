//! Acts on what modules keep: made, signed and filed.

use chancery_apps::{Applied, Folder, MEDIA_TYPE, Module};
use chancery_crypto::{Commitment, Digest};
use chancery_desk::asking::{LocalReply, LocalRequest};
use chancery_doors::LocalClient;
use chancery_ledger::unix_now;
use chancery_protocol::{
    Behalf, DocumentHeader, DocumentId, Filing, Form, FormValue, Part, Urgency, sign_document,
};

use crate::{failure::Failure, keys::Signer};

/// For how long a signed act may be lodged.
const UNTIL: i64 = 24 * 3600;

/// An act that is to be signed.
pub(crate) struct Filed<'a> {
    pub module: &'a str,
    pub kind: &'a str,
    pub act: &'a str,
    pub title: String,
    pub about: Option<String>,
    /// For whom, where another signs.
    pub behalf: Option<Behalf>,
    pub seen: Option<u64>,
    pub reason: Option<String>,
    pub version: Option<Digest>,
    pub form: Form,
    /// What goes along: the folder of a module, or the file of a table, with its media type.
    pub folder: Option<(Vec<u8>, &'static str)>,
}

/// What became of it.
pub(crate) struct Done {
    pub document: DocumentId,
    pub applied: Applied,
}

impl Filed<'_> {
    /// Signs it and files it at the node.
    pub(crate) fn file(self, client: &mut LocalClient, signer: &Signer) -> Result<Done, Failure> {
        let signer = signer.load()?;
        let now = unix_now();
        let home = signer.name().agency().clone();
        let filing = Filing {
            home: home.clone(),
            act: self.act.to_owned(),
            about: self.about,
            seen: self.seen,
            reason: self.reason,
            version: self.version,
            until: now + UNTIL,
            behalf: self.behalf,
        };
        let part = self.folder.as_ref().map(|(bytes, media_type)| Part {
            name: if *media_type == MEDIA_TYPE { "module.cbor" } else { "table.toml" }.into(),
            media_type: (*media_type).into(),
            size: bytes.len() as u64,
            digest: Digest::of(bytes),
        });
        let mut header = DocumentHeader {
            kind: self.kind.to_owned(),
            number: None,
            title: self.title,
            from: home,
            to: Vec::new(),
            cc: Vec::new(),
            classification: None,
            secrecy_period: None,
            urgency: Urgency::Routine,
            created: now,
            deadline: None,
            in_reply_to: None,
            module: self.module.to_owned(),
            fields: Default::default(),
            crit: Vec::new(),
            filing: Some(filing),
            form: self.form,
            parts: part.into_iter().collect(),
            nonce: Digest::from_bytes(chancery_crypto::random()?),
        };
        header.crit = header.critical();
        let signed = sign_document(&header, &signer, Commitment::Approval, now)?;
        match client.ask(&LocalRequest::Submit { document: signed.bytes().to_vec() })? {
            LocalReply::Ready => {}
            other => return Err(Failure::from_reply(other)),
        }
        if let Some((folder, _)) = self.folder {
            client.send_raw(&folder)?;
        }
        match client.reply()? {
            LocalReply::Submitted { document, applied: Some(applied), .. } => {
                Ok(Done { document, applied })
            }
            other => Err(Failure::from_reply(other)),
        }
    }
}

/// The folder of a module that is in force at the node.
pub(crate) fn module_of(client: &mut LocalClient, name: &str) -> Result<Module, Failure> {
    let folder = match client.ask(&LocalRequest::Module { name: name.to_owned() })? {
        LocalReply::Module(bytes) => bytes,
        other => return Err(Failure::from_reply(other)),
    };
    let folder = Folder::decode(&folder).map_err(|_| Failure::unexpected())?;
    Module::read(&folder).map_err(|_| Failure::unexpected())
}

/// JSON as a form has it. None of null and of numbers that are not whole.
pub(crate) fn form_value(json: &serde_json::Value) -> Option<FormValue> {
    Some(match json {
        serde_json::Value::Null => return None,
        serde_json::Value::Bool(yes) => FormValue::Bool(*yes),
        serde_json::Value::Number(n) => FormValue::Int(n.as_i64()?),
        serde_json::Value::String(text) => FormValue::Text(text.clone()),
        serde_json::Value::Array(list) => {
            FormValue::List(list.iter().map(form_value).collect::<Option<_>>()?)
        }
        serde_json::Value::Object(map) => {
            let each = map.iter().map(|(name, value)| Some((name.clone(), form_value(value)?)));
            FormValue::Map(each.collect::<Option<_>>()?)
        }
    })
}
