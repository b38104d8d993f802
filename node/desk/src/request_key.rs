//! Requests with a key: the same one twice is done once.

use chancery_bus::NodeError;
use chancery_certs::AgencyName;
use chancery_crypto::cbor;
use chancery_ledger::Commit;
use chancery_protocol::{DocumentId, EnvelopeId};
use chancery_store::{Batch, Blocking, Table, all};
use serde::{Deserialize, Serialize};

use crate::{Office, access::Caller, submission::Accepted};

/// A request that is to be done once only, however often it comes.
#[derive(Debug, Clone)]
pub struct RequestKey(Vec<u8>);

/// A request that was done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DoneRequest {
    time: i64,
    document: DocumentId,
    envelope: EnvelopeId,
    recipients: Vec<AgencyName>,
}

impl RequestKey {
    /// The key that a caller has given to a request.
    pub fn new(caller: &Caller, key: &str) -> Self {
        Self([caller.name().as_bytes(), &[0], key.as_bytes()].concat())
    }

    /// What became of the request, if it was done.
    pub fn get(&self, here: &Blocking, office: &Office) -> Result<Option<DoneRequest>, NodeError> {
        let done = office.store(here).get(Table::Requests, &self.0)?;
        Ok(done.map(|done| cbor::decode(&done)).transpose()?)
    }

    pub(crate) fn put(
        &self,
        accepted: &Accepted,
        time: i64,
        commit: &mut Commit,
    ) -> Result<(), NodeError> {
        let Accepted { envelope, document, recipients, .. } = accepted.clone();
        let done = DoneRequest { time, document, envelope, recipients };
        commit.batch.put(Table::Requests, self.0.clone(), cbor::encode(&done)?);
        commit.absent(Table::Requests, self.0.clone());
        Ok(())
    }
}

impl DoneRequest {
    /// The answer that was given, if the request was about this document.
    ///
    /// # Errors
    /// [`NodeError::RequestReused`] when it was about another.
    pub fn answer(self, document: &DocumentId) -> Result<Accepted, NodeError> {
        if self.document != *document {
            return Err(NodeError::RequestReused(self.document.to_string()));
        }
        let Self { document, envelope, recipients, .. } = self;
        Ok(Accepted { envelope, document, recipients, copies: Vec::new(), applied: None })
    }
}

/// Forgets requests that were done before a time.
pub fn forget_requests(here: &Blocking, office: &Office, before: i64) -> Result<(), NodeError> {
    let mut batch = Batch::default();
    for row in all(office.store(here), Table::Requests, &[]) {
        let (key, done) = row?;
        let done: DoneRequest = cbor::decode(&done)?;
        if done.time < before {
            batch.delete(Table::Requests, key);
        }
    }
    Ok(office.store(here).write(batch)?)
}
