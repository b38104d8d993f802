//! Acts on what modules keep: made, signed and filed.

use chancery_apps::{Applied, Folder, MEDIA_TYPE, Module};
use chancery_certs::{AgencyName, Credential};
use chancery_crypto::{Commitment, Digest};
use chancery_desk::asking::{LocalReply, LocalRequest};
use chancery_doors::LocalClient;
use chancery_ledger::unix_now;
use chancery_protocol::{
    Behalf, DocumentHeader, DocumentId, Filing, Form, FormValue, Part, SignedDocument, Urgency,
    sign_document,
};

use crate::{failure::Failure, keys::Signer, web::Web};

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
        let home = signer.name().agency().clone();
        let (signed, part) = self.sign(&signer, home)?;
        match client.ask(&LocalRequest::Submit { document: signed.bytes().to_vec() })? {
            LocalReply::Ready => {}
            other => return Err(Failure::from_reply(other)),
        }
        if let Some(part) = part {
            client.send_raw(&part)?;
        }
        match client.reply()? {
            LocalReply::Submitted { document, applied: Some(applied), .. } => {
                Ok(Done { document, applied: *applied })
            }
            other => Err(Failure::from_reply(other)),
        }
    }

    /// Signs it, with the key by which one has come, and files it at an agency's node.
    pub(crate) fn file_at(self, web: &Web) -> Result<Done, Failure> {
        let (signed, part) = self.sign(web.credential(), web.agency().clone())?;
        let answer = web.submit(&signed, part.as_deref())?;
        let text = |name: &str| answer.get(name).and_then(|value| value.as_str());
        let texts = |name: &str| -> Vec<String> {
            let list = answer.get(name).and_then(|value| value.as_array());
            list.into_iter().flatten().filter_map(|one| one.as_str().map(str::to_owned)).collect()
        };
        let (Some(thing), Some(state)) = (text("matter"), text("state")) else {
            return Err(Failure::unexpected());
        };
        let (thing, state) = (thing.to_owned(), state.to_owned());
        let applied = Applied { thing, state, numbers: texts("numbers"), ..Applied::default() };
        Ok(Done { document: signed.id(), applied })
    }

    /// Signs it, for an agency's ledger. Gives what goes along with it, too.
    fn sign(
        self,
        signer: &Credential,
        home: AgencyName,
    ) -> Result<(SignedDocument, Option<Vec<u8>>), Failure> {
        let now = unix_now();
        let filing = Filing {
            home,
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
            // Of a party, the domain of its registrar.
            from: signer.name().agency().clone(),
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
        let signed = sign_document(&header, signer, Commitment::Approval, now)?;
        Ok((signed, self.folder.map(|(bytes, _)| bytes)))
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
