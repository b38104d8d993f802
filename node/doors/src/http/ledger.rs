//! The ledger, and the directory.

use std::sync::Arc;

use super::{
    Answer,
    views::{
        CheckpointView, DirectoryView, EntryParams, LedgerEntries, LedgerEntry, Params, Problems,
        ProofView, limit, number,
    },
};
use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
};
use chancery_bus::NodeError;
use chancery_desk::{
    Office,
    access::{Action, Caller, Object},
};
use chancery_protocol::Leaf;
use chancery_store::blocking;

type Node = State<Arc<Office>>;

type Who = Extension<Caller>;

/// An entry as it is shown.
pub(super) fn entry(index: u64, leaf: &Leaf) -> LedgerEntry {
    LedgerEntry {
        entry: index,
        event: leaf.event.name().to_owned(),
        envelope: leaf.envelope,
        commitment: leaf.commitment,
        counterpart: leaf.counterpart.clone(),
        time: leaf.time,
        evidence: leaf.evidence,
        document: None,
    }
}

/// The newest sealed state of the ledger.
#[utoipa::path(get, path = "/v1/ledger/checkpoint", tag = "ledger",
    responses((status = 200, description = "It", body = CheckpointView), Problems))]
pub(super) async fn checkpoint(
    State(node): Node,
    Extension(caller): Who,
) -> Answer<Json<CheckpointView>> {
    node.permit(&caller, Action::AUDIT, Object::Node)?;
    let view = blocking(move |here| -> Result<_, NodeError> {
        let signed = node.ledger().view(here).cosigned_checkpoint()?;
        Ok(CheckpointView {
            size: signed.checkpoint.size,
            root: signed.checkpoint.root,
            note: signed.note,
            seal: chancery_certs::encode_pem_chain(node.identity().seal().chain()),
        })
    });
    Ok(Json(view.await?))
}

/// Some entries of the ledger.
#[utoipa::path(get, path = "/v1/ledger/entries", tag = "ledger", params(EntryParams),
    responses((status = 200, description = "They", body = LedgerEntries), Problems))]
pub(super) async fn entries(
    State(node): Node,
    Extension(caller): Who,
    Params(params): Params<EntryParams>,
) -> Answer<Json<LedgerEntries>> {
    node.permit(&caller, Action::AUDIT, Object::Node)?;
    let (from, limit) = (number(params.from)?, limit(params.limit)? as usize);
    let entries = blocking(move |here| -> Result<_, NodeError> {
        let mut leaves = node.ledger().view(here).leaves(from, limit + 1)?;
        let more = leaves.len() > limit;
        leaves.truncate(limit);
        let entries = (from..)
            .zip(&leaves)
            .map(|(index, leaf)| Ok::<_, NodeError>(entry(index, &Leaf::decode(leaf)?)));
        Ok(LedgerEntries { entries: entries.collect::<Result<_, _>>()?, more })
    });
    Ok(Json(entries.await?))
}

/// Proof that an entry is in the ledger, under the newest checkpoint.
#[utoipa::path(get, path = "/v1/ledger/entries/{index}/proof", tag = "ledger",
    params(("index" = u64, Path, minimum = 0, description = "The entry's number")),
    responses((status = 200, description = "It", body = ProofView), Problems))]
pub(super) async fn proof(
    State(node): Node,
    Extension(caller): Who,
    Path(index): Path<String>,
) -> Answer<Json<ProofView>> {
    node.permit(&caller, Action::AUDIT, Object::Node)?;
    let wrong = |_| NodeError::Request(format!("{index:?} is no number of an entry"));
    let index = number(Some(index.parse::<u64>().map_err(wrong)?))?;
    let receipt = blocking(move |here| node.ledger().view(here).prove(index)).await?;
    let receipt = receipt.ok_or_else(|| NodeError::NotFound(format!("entry {index}")))?;
    Ok(Json(ProofView {
        entry: receipt.index,
        leaf: hex::encode(&receipt.leaf),
        proof: receipt.proof.iter().map(ToString::to_string).collect(),
        checkpoint: receipt.checkpoint,
    }))
}

/// Use this directory from now on, unless a newer one is held.
#[utoipa::path(put, path = "/v1/directory", tag = "node",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, description = "It is in use", body = DirectoryView), Problems))]
pub(super) async fn directory(
    State(node): Node,
    Extension(caller): Who,
    body: Result<Bytes, BytesRejection>,
) -> Answer<Json<DirectoryView>> {
    node.permit(&caller, Action::OPERATE, Object::Node)?;
    let body = body.map_err(|e| NodeError::Request(e.body_text()))?;
    let view = blocking(move |here| node.install_directory(here, &body)).await?;
    Ok(Json(DirectoryView { version: view.version, agencies: view.peers().count() as u64 }))
}
