//! Documents: in, out, and what became of them.

use std::sync::Arc;

use super::{
    Answer,
    views::{EvidenceItem, ListParams, Params, Problems, SearchParams, Submitted, limit},
};
use axum::{
    Extension, Json,
    body::Body,
    extract::{
        Multipart, Path, State,
        multipart::{Field, MultipartRejection},
    },
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use chancery_bus::NodeError;
use chancery_desk::{
    Accepted, Handed, Office, Parts, Refused, Taken, Taking,
    access::{Action, Caller},
    finding,
    heads::OpenedHead,
    opening::PartsReader,
    request_key::RequestKey,
    views::{DocumentView, StatusView, TraceView},
};
use chancery_protocol::{Leaf, MAX_FRAME, Part};
use chancery_store::{Blocking, Source, blocking};
use tokio::{sync::mpsc, time::Duration};
use tokio_stream::wrappers::ReceiverStream;

/// How long a client may take over the next piece of a body.
const PATIENCE: Duration = Duration::from_secs(60);

/// The longest idempotency key.
const MAX_KEY: usize = 255;

/// Bytes of a submission that are read although it was answered already.
const MAX_DRAINED: usize = 64 << 20;

const COSE: &str = "application/cose; cose-type=\"cose-sign\"";

type Node = State<Arc<Office>>;

type Who = Extension<Caller>;

/// How the node is.
#[utoipa::path(get, path = "/v1/status", tag = "node",
    responses((status = 200, description = "How it is", body = StatusView), Problems))]
pub(super) async fn status(State(node): Node, Extension(caller): Who) -> Answer<Json<StatusView>> {
    Ok(Json(finding::status(&node, &caller).await?))
}

async fn list(
    node: Arc<Office>,
    caller: Caller,
    path: &str,
    incoming: bool,
    params: ListParams,
) -> Answer<Response> {
    let limit = limit(params.limit)?;
    let before = params.before;
    let read = move |here: &Blocking| {
        finding::list(here, &node, &caller, incoming, before.as_ref(), limit)
    };
    let page = blocking(read).await?;
    let next = page.next.map(|next| format!("<{path}?limit={limit}&before={next}>; rel=\"next\""));
    let link = next.map(|next| [(header::LINK, next)]);
    Ok((link, Json(page.documents)).into_response())
}

/// The documents that came in, newest first.
#[utoipa::path(get, path = "/v1/inbox", tag = "documents", params(ListParams),
    responses((status = 200, description = "They", body = Vec<DocumentView>,
        headers(("Link" = Option<String>, description = "The next page (`rel=\"next\"`, RFC 8288), if there may be one"))),
        Problems))]
pub(super) async fn inbox(
    State(node): Node,
    Extension(caller): Who,
    Params(params): Params<ListParams>,
) -> Answer<Response> {
    list(node, caller, "/v1/inbox", true, params).await
}

/// The documents that went out, newest first.
#[utoipa::path(get, path = "/v1/outbox", tag = "documents", params(ListParams),
    responses((status = 200, description = "They", body = Vec<DocumentView>,
        headers(("Link" = Option<String>, description = "The next page (`rel=\"next\"`, RFC 8288), if there may be one"))),
        Problems))]
pub(super) async fn outbox(
    State(node): Node,
    Extension(caller): Who,
    Params(params): Params<ListParams>,
) -> Answer<Response> {
    list(node, caller, "/v1/outbox", false, params).await
}

/// The documents in whose header a text stands, newest first.
#[utoipa::path(get, path = "/v1/search", tag = "documents", params(SearchParams),
    responses((status = 200, description = "They", body = Vec<DocumentView>), Problems))]
pub(super) async fn search(
    State(node): Node,
    Extension(caller): Who,
    Params(params): Params<SearchParams>,
) -> Answer<Json<Vec<DocumentView>>> {
    let limit = limit(params.limit)?;
    if !(1..=200).contains(&params.text.chars().count()) {
        return Err(NodeError::Request("text must have 1 to 200 characters".into()).into());
    }
    Ok(Json(
        blocking(move |here| finding::search(here, &node, &caller, &params.text, limit)).await?,
    ))
}

/// The form of a submission.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it describes the form")]
struct SubmissionForm {
    /// The signed document (COSE_Sign), first.
    #[schema(value_type = String, format = Binary, content_media_type = "application/octet-stream")]
    document: Vec<u8>,
    /// The parts, in the order of the header.
    #[schema(value_type = Vec<String>)]
    part: Vec<Vec<u8>>,
}

/// Submit a signed document and its parts. With an `Idempotency-Key`, the same request can be sent again and again:
/// it is done once and answered the same.
#[utoipa::path(post, path = "/v1/documents", tag = "documents",
    params(("Idempotency-Key" = Option<String>, Header, max_length = 255,
        description = "A name for this request, unique for this caller for a week")),
    request_body(content = SubmissionForm, content_type = "multipart/form-data"),
    responses((status = 201, description = "It is durable, and its delivery goes on", body = Submitted), Problems))]
pub(super) async fn submit(
    State(node): Node,
    Extension(caller): Who,
    headers: HeaderMap,
    form: Result<Multipart, MultipartRejection>,
) -> Answer<Response> {
    let mut form = form.map_err(|e| NodeError::Request(e.body_text()))?;
    let answer = match request_key(&headers, &caller) {
        Ok(key) => take(&node, &caller, key, &mut form).await,
        Err(error) => Err(error),
    };
    // A client that is still writing would take a closed connection for the answer.
    drain(&mut form).await;
    answer
}

/// Reads on, up to a bound, what nobody wants any more.
async fn drain(form: &mut Multipart) {
    let mut left = MAX_DRAINED;
    while let Ok(Some(mut field)) = next_field(form).await {
        while let Ok(Some(bytes)) = next_piece(&mut field).await {
            match left.checked_sub(bytes.len()) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    }
}

/// The parts of a document in a form.
struct FormParts<'a>(&'a mut Multipart);

impl Parts for FormParts<'_> {
    async fn give(&mut self, to: &mut Taking) -> Result<(), NodeError> {
        while let Some(mut field) = next_field(self.0).await? {
            if field.name() != Some("part") {
                return Err(NodeError::Request("after `document` only `part` may follow".into()));
            }
            while let Some(bytes) = next_piece(&mut field).await? {
                to.push(bytes).await?;
            }
        }
        Ok(())
    }
}

async fn take(
    node: &Arc<Office>,
    caller: &Caller,
    request: Option<RequestKey>,
    form: &mut Multipart,
) -> Answer<Response> {
    let document = document_field(form).await?;
    let handed = Handed { caller, document: &document, copies: None, request };
    match chancery_desk::submit(node, handed, &mut FormParts(form)).await {
        Ok(Taken { accepted, again }) => Ok(created(accepted, again)),
        Err(Refused { error, .. }) => Err(error.into()),
    }
}

fn created(accepted: Accepted, again: bool) -> Response {
    let Accepted { document, envelope, recipients, applied, .. } = accepted;
    let (matter, state, numbers) = match applied {
        Some(applied) => (Some(applied.thing), Some(applied.state), applied.numbers),
        None => (None, None, Vec::new()),
    };
    let place = format!("/v1/documents/{document}");
    let body = Json(Submitted { document, envelope, recipients, matter, state, numbers });
    let mut response = (StatusCode::CREATED, [(header::LOCATION, place)], body).into_response();
    if again {
        let yes = HeaderValue::from_static("true");
        response.headers_mut().insert("idempotency-replayed", yes);
    }
    response
}

fn request_key(headers: &HeaderMap, caller: &Caller) -> Answer<Option<RequestKey>> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| !key.is_empty() && key.len() <= MAX_KEY);
    let wrong = || {
        let why = format!("Idempotency-Key must have 1 to {MAX_KEY} visible ASCII characters");
        NodeError::Request(why)
    };
    Ok(Some(RequestKey::new(caller, key.ok_or_else(wrong)?)))
}

async fn document_field(form: &mut Multipart) -> Result<Vec<u8>, NodeError> {
    let field = next_field(form).await?.filter(|field| field.name() == Some("document"));
    let missing = || NodeError::Request("the first field must be `document`".into());
    let mut field = field.ok_or_else(missing)?;
    let mut document = Vec::new();
    while let Some(bytes) = next_piece(&mut field).await? {
        if document.len() + bytes.len() > MAX_FRAME {
            let why = format!("the document has more than {MAX_FRAME} bytes without its parts");
            return Err(NodeError::Request(why));
        }
        document.extend_from_slice(&bytes);
    }
    Ok(document)
}

async fn in_time<T, E: std::fmt::Display>(
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, NodeError> {
    let silent = |_| NodeError::Request("the client fell silent".into());
    let done = tokio::time::timeout(PATIENCE, work).await.map_err(silent)?;
    done.map_err(|e| NodeError::Request(e.to_string()))
}

async fn next_field(form: &mut Multipart) -> Result<Option<Field<'_>>, NodeError> {
    in_time(async { form.next_field().await.map_err(|e| e.body_text()) }).await
}

async fn next_piece(field: &mut Field<'_>) -> Result<Option<Bytes>, NodeError> {
    in_time(async { field.chunk().await.map_err(|e| e.body_text()) }).await
}

async fn find(
    node: &Arc<Office>,
    caller: &Caller,
    id: String,
    action: Action<'static>,
) -> Answer<Arc<OpenedHead>> {
    let (node, caller) = (node.clone(), caller.clone());
    Ok(blocking(move |here| finding::find(here, &node, &caller, &id, action)).await?)
}

/// What stands over a document, and where it is.
#[utoipa::path(get, path = "/v1/documents/{id}", tag = "documents",
    params(("id" = String, Path, min_length = 4, description = "The id of document or envelope, or its first digits")),
    responses((status = 200, description = "It", body = DocumentView), Problems))]
pub(super) async fn show(
    State(node): Node,
    Extension(caller): Who,
    Path(id): Path<String>,
) -> Answer<Json<DocumentView>> {
    let head = find(&node, &caller, id, Action::LIST).await?;
    Ok(Json(blocking(move |here| finding::view(here, &node, &caller, &head)).await?))
}

/// The signed document with the receipts that this node has, without its parts. That hands it over.
#[utoipa::path(get, path = "/v1/documents/{id}/document", tag = "documents",
    params(("id" = String, Path, min_length = 4, description = "The id of document or envelope, or its first digits")),
    responses((status = 200, description = "COSE_Sign", body = Vec<u8>, content_type = "application/cose"), Problems))]
pub(super) async fn signed(
    State(node): Node,
    Extension(caller): Who,
    Path(id): Path<String>,
) -> Answer<Response> {
    let head = find(&node, &caller, id, Action::READ).await?;
    finding::hand_over(&node, &caller, &head).await?;
    let (document, _) = blocking(move |here| finding::proven(here, &node, &head)).await?;
    Ok(([(header::CONTENT_TYPE, COSE)], document).into_response())
}

/// A part of a document. That hands it over. A body that is cut off has failed its digest.
#[utoipa::path(get, path = "/v1/documents/{id}/parts/{name}", tag = "documents",
    params(("id" = String, Path, min_length = 4, description = "The id of document or envelope, or its first digits"),
        ("name" = String, Path, description = "The part's name")),
    responses((status = 200, description = "The part", body = Vec<u8>, content_type = "application/octet-stream"),
        Problems))]
pub(super) async fn part(
    State(node): Node,
    Extension(caller): Who,
    Path((id, name)): Path<(String, String)>,
) -> Answer<Response> {
    let head = find(&node, &caller, id, Action::READ).await?;
    finding::must_see(&node, &caller, &head)?;
    let parts = &head.document.header().parts;
    let found = parts.iter().position(|part| part.name == name);
    let index = found.ok_or_else(|| NodeError::NotFound(format!("…/{name}")))?;
    finding::hand_over(&node, &caller, &head).await?;
    let part = head.document.header().parts.get(index).cloned();
    let part = part.ok_or_else(|| NodeError::NotFound(format!("…/{name}")))?;
    let (pieces, taken) = mpsc::channel::<std::io::Result<Bytes>>(1);
    let reader = blocking(move |here| PartsReader::new(here, &node, &head, Some(index))).await?;
    tokio::spawn(async move {
        let mut source = Source::new(reader, PartsReader::next_bytes);
        loop {
            let piece = match source.next().await {
                Ok(Some(piece)) => Ok(piece),
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "a part was not sent whole");
                    // Cuts the body off: what came is not the part.
                    Err(std::io::Error::other("the part is not whole"))
                }
            };
            // The client has gone when nobody takes pieces.
            if pieces.send(piece).await.is_err() {
                return;
            }
        }
    });
    let body = Body::from_stream(ReceiverStream::new(taken));
    Ok((part_headers(&part), body).into_response())
}

fn part_headers(part: &Part) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut set = |name: header::HeaderName, value: String| {
        // What is no header value (a media type from outside, say) is left out.
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, part.media_type.clone());
    set(header::CONTENT_LENGTH, part.size.to_string());
    set(header::ETAG, format!("\"{}\"", part.digest));
    // Never shown in place of being saved: it is somebody else's content.
    let name: String = part
        .name
        .bytes()
        .map(|b| match b {
            b if b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_') => {
                char::from(b).to_string()
            }
            b => format!("%{b:02X}"),
        })
        .collect();
    set(header::CONTENT_DISPOSITION, format!("attachment; filename*=UTF-8''{name}"));
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff".into());
    headers
}

/// The journey of a document, with the evidence for each step.
#[utoipa::path(get, path = "/v1/documents/{id}/trace", tag = "documents",
    params(("id" = String, Path, min_length = 4, description = "The id of document or envelope, or its first digits")),
    responses((status = 200, description = "It", body = TraceView), Problems))]
pub(super) async fn trace(
    State(node): Node,
    Extension(caller): Who,
    Path(id): Path<String>,
) -> Answer<Json<TraceView>> {
    Ok(Json(blocking(move |here| finding::trace(here, &node, &caller, &id)).await?))
}

/// The evidence that this node has about a document.
#[utoipa::path(get, path = "/v1/documents/{id}/evidence", tag = "documents",
    params(("id" = String, Path, min_length = 4, description = "The id of document or envelope, or its first digits")),
    responses((status = 200, description = "It", body = Vec<EvidenceItem>), Problems))]
pub(super) async fn evidence(
    State(node): Node,
    Extension(caller): Who,
    Path(id): Path<String>,
) -> Answer<Json<Vec<EvidenceItem>>> {
    let head = find(&node, &caller, id, Action::TRACE).await?;
    let items = blocking(move |here| {
        let (_, files) = finding::proven(here, &node, &head)?;
        let items = files.into_iter().map(|file| {
            let evidence = chancery_protocol::Evidence::decode(&file.bytes)?;
            let leaf = Leaf::decode(&evidence.receipt.leaf)?;
            Ok::<_, NodeError>(EvidenceItem {
                file: file.path,
                event: leaf.event.name().to_owned(),
                agency: evidence.agency,
                time: leaf.time,
                entry: evidence.receipt.index,
            })
        });
        items.collect::<Result<Vec<_>, _>>()
    });
    Ok(Json(items.await?))
}

/// A piece of evidence, as `chancery verify` takes it beside a document.
#[utoipa::path(get, path = "/v1/documents/{id}/evidence/{file}", tag = "documents",
    params(("id" = String, Path, min_length = 4, description = "The id of document or envelope, or its first digits"),
        ("file" = String, Path, description = "The file's name")),
    responses((status = 200, description = "CBOR", body = Vec<u8>, content_type = "application/cbor"), Problems))]
pub(super) async fn evidence_file(
    State(node): Node,
    Extension(caller): Who,
    Path((id, file)): Path<(String, String)>,
) -> Answer<Response> {
    let head = find(&node, &caller, id, Action::TRACE).await?;
    let (_, files) = blocking(move |here| finding::proven(here, &node, &head)).await?;
    let found = files.into_iter().find(|known| known.path == file);
    let found = found.ok_or_else(|| NodeError::NotFound(format!("…/{file}")))?;
    Ok(([(header::CONTENT_TYPE, "application/cbor")], found.bytes).into_response())
}

/// The receipt of a document that was filed with a module: what its signer keeps, and `chancery verify` takes.
#[utoipa::path(get, path = "/v1/documents/{id}/receipt", tag = "documents",
    params(("id" = String, Path, min_length = 4, description = "The id of document or envelope, or its first digits")),
    responses((status = 200, description = "CBOR", body = Vec<u8>, content_type = "application/cbor"), Problems))]
pub(super) async fn receipt(
    State(node): Node,
    Extension(caller): Who,
    Path(id): Path<String>,
) -> Answer<Response> {
    let found =
        blocking(move |here| chancery_desk::filing::receipt(here, &node, &caller, &id)).await?;
    Ok(([(header::CONTENT_TYPE, "application/cbor")], found).into_response())
}
