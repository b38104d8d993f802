//! Opening what is kept.

use std::sync::Arc;

use bytes::Bytes;
use chancery_bus::{NodeError, content::PlainReader, opening::unwrap_for};
use chancery_crypto::{CHUNK_SIZE, Digest};
use chancery_ledger::{records::EnvelopeRecord, unix_now};
use chancery_protocol::{
    ContentOpener, EnvelopeHeader, EnvelopeId, OpenedPart, Opening, ProtocolError, RecipientParts,
    SignedDocument, VerificationReport, check_inside, recipient_info,
};

use chancery_store::Blocking;

use crate::{Office, heads::OpenedHead};

/// Starts reading the plaintext of a kept envelope.
pub fn read_plain(
    here: &Blocking,
    office: &Office,
    id: &EnvelopeId,
    record: &EnvelopeRecord,
) -> Result<PlainReader, NodeError> {
    let identity = office.identity();
    if record.purged.is_some() {
        return Err(NodeError::Purged(id.to_string()));
    }
    let (_, header) = record.header()?;
    let key = match &record.own_key {
        Some(own) => identity.encryption().open_own(own, header.commitment.as_bytes())?,
        None => unwrap_for(office, &header)?,
    };
    let cipher = office.content().read(office.store(here), id, record.in_file)?;
    PlainReader::new(&key, cipher, header.size)
}

/// Bytes of parts that are read at once, but for the last.
const READ: usize = 2 * CHUNK_SIZE;

/// Reads parts of a document, piece by piece, and checks them against what was signed.
pub struct PartsReader {
    plain: PlainReader,
    opener: ContentOpener,
    /// The one part that is read; all, one after the other, without.
    only: Option<usize>,
    over: bool,
}

impl PartsReader {
    /// A reader of one part, or of all.
    pub fn new(
        here: &Blocking,
        office: &Office,
        head: &OpenedHead,
        only: Option<usize>,
    ) -> Result<Self, NodeError> {
        let id = &head.envelope;
        let record = EnvelopeRecord::get(office.store(here), id)?
            .ok_or_else(|| NodeError::NotFound(id.to_string()))?;
        let plain = read_plain(here, office, id, &record)?;
        Ok(Self { plain, opener: ContentOpener::default(), only, over: false })
    }

    /// The next bytes; nothing at the end, when all of it was as signed.
    pub fn next_bytes(&mut self) -> Result<Option<Bytes>, NodeError> {
        let (mut out, only) = (Vec::new(), self.only);
        while out.len() < READ && !self.over {
            let Some(bytes) = self.plain.next_chunk()? else {
                self.over = true;
                std::mem::take(&mut self.opener).finish()?;
                break;
            };
            let over = &mut self.over;
            self.opener.push(&bytes, |event| {
                match event {
                    Opening::Part { index, bytes } if only.is_none_or(|only| only == index) => {
                        out.extend_from_slice(bytes);
                    }
                    Opening::PartEnd { index } => *over |= only == Some(index),
                    _ => {}
                }
                Ok::<(), NodeError>(())
            })?;
        }
        Ok((!out.is_empty()).then(|| out.into()))
    }
}

/// Opens an envelope as far as its document, and checks that this is the one that the envelope
/// commits to. The document's own signatures are not verified here.
fn peek(here: &Blocking, office: &Office, id: &EnvelopeId) -> Result<Peeked, NodeError> {
    let record = EnvelopeRecord::get(office.store(here), id)?
        // What is only carried on cannot be opened here.
        .filter(|record| !record.transit)
        .ok_or_else(|| NodeError::NotFound(id.to_string()))?;
    let (_, header, parts) = EnvelopeHeader::reopen_whole(&record.sealed)?;
    let mut plain = read_plain(here, office, id, &record)?;
    let mut opener = ContentOpener::default();
    let mut document = None;
    while document.is_none() {
        let Some(bytes) = plain.next_chunk()? else { break };
        opener.push(&bytes, |event| {
            if let Opening::Document(found) = event {
                document = Some(found.clone());
            }
            Ok::<(), NodeError>(())
        })?;
    }
    let cut = || NodeError::damaged(format!("the content of {id} ends before its document"));
    let (document, salt) = document.zip(opener.salt().copied()).ok_or_else(cut)?;
    let recipient = record.incoming.then_some(&office.identity().agency);
    check_inside(&header, recipient, &salt, &document)?;
    let part = match record.incoming {
        true => open_part(office, id, &header, &parts)?,
        false => None,
    };
    Ok(Peeked { record, salt, document, part })
}

/// What an envelope holds as far as its document.
struct Peeked {
    record: EnvelopeRecord,
    salt: Digest,
    document: SignedDocument,
    /// What this agency is told alone.
    part: Option<OpenedPart>,
}

/// Opens what an envelope that came in tells this agency alone.
///
/// # Errors
/// [`ProtocolError`] when it is not what the envelope commits to, or another's.
pub fn open_part(
    office: &Office,
    id: &EnvelopeId,
    header: &EnvelopeHeader,
    parts: &RecipientParts,
) -> Result<Option<OpenedPart>, ProtocolError> {
    let own = &office.identity().agency;
    let Some((part, wrapped)) = parts.of(header, own).zip(header.key_for(own)) else {
        return Ok(None);
    };
    let info = recipient_info(&header.sender, own);
    office.identity().encryption().open_part(part, wrapped, &info, id).map(Some)
}

/// Opens an envelope as far as its document, and verifies that.
pub fn open_head(
    here: &Blocking,
    office: &Office,
    id: &EnvelopeId,
) -> Result<Arc<OpenedHead>, NodeError> {
    if let Some(head) = office.opened.heads.get(id) {
        return Ok(head);
    }
    let Peeked { record, salt, document, part } = peek(here, office, id)?;
    // What a peer has sent is looked at as far as its documents have not cost too much, and else the next time.
    let from = document.header().from.clone();
    let verdict = match record.incoming {
        true => office.judge(&from, id, document),
        false => Ok(office.verify(document)),
    };
    let judged = verdict.is_ok();
    let (document, report) = match verdict {
        Ok(judged) => judged.into_parts(),
        Err(document) => {
            let report = VerificationReport::put_off(&document, unix_now());
            (*document, report)
        }
    };
    let head = Arc::new(OpenedHead {
        envelope: *id,
        incoming: record.incoming,
        arrived: record.time / 1_000_000,
        copy: part.and_then(|part| part.content.copy),
        salt,
        document,
        report,
    });
    if judged {
        office.opened.heads.put(*id, head.clone());
    }
    Ok(head)
}

/// The document in an envelope, and the salt of its commitment. Its signatures are not looked at.
pub fn inside(
    here: &Blocking,
    office: &Office,
    id: &EnvelopeId,
) -> Result<(Digest, SignedDocument), NodeError> {
    if let Some(head) = office.opened.heads.get(id) {
        return Ok((head.salt, head.document.clone()));
    }
    let Peeked { salt, document, .. } = peek(here, office, id)?;
    Ok((salt, document))
}
