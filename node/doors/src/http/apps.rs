//! What modules keep, for the agency's own systems. Acts are signed documents, handed in like others.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::header,
    response::{IntoResponse as _, Response},
};
use chancery_desk::{
    Office,
    access::Caller,
    matters::{self, MatterView, ModuleView, Question},
    told::{self, LookView, NoticeView},
};
use chancery_store::blocking;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    Answer,
    views::{Params, Problems, limit},
};

type Node = State<Arc<Office>>;
type Who = Extension<Caller>;

/// The modules in force, each with the digest of its state.
#[utoipa::path(get, path = "/v1/apps", tag = "apps",
    responses((status = 200, description = "They", body = Vec<ModuleView>), Problems))]
pub(super) async fn modules(
    State(node): Node,
    Extension(caller): Who,
) -> Answer<Json<Vec<ModuleView>>> {
    Ok(Json(blocking(move |here| matters::modules(here, &node, &caller)).await?))
}

/// Which matters are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Only those in this state.
    state: Option<String>,
    /// Only those with which something can be done now.
    #[serde(default)]
    tasks: bool,
    /// Only those with which this officer can do something now.
    of: Option<String>,
    /// At most so many.
    #[param(minimum = 1, maximum = 1000, default = 20)]
    limit: Option<u32>,
}

/// The matters of a module, the ones with the earliest deadline first.
#[utoipa::path(get, path = "/v1/apps/{module}/matters", tag = "apps",
    params(("module" = String, Path, description = "The module's name"), Wanted),
    responses((status = 200, description = "They", body = Vec<MatterView>), Problems))]
pub(super) async fn list(
    State(node): Node,
    Extension(caller): Who,
    Path(module): Path<String>,
    Params(wanted): Params<Wanted>,
) -> Answer<Json<Vec<MatterView>>> {
    let limit = limit(wanted.limit)?;
    let Wanted { state, tasks, of, .. } = wanted;
    let tasks = tasks || of.is_some();
    let question = Question { module: Some(module), state, tasks, of, limit };
    Ok(Json(blocking(move |here| matters::matters(here, &node, &caller, &question)).await?))
}

/// A matter: its state, its deadlines with how each was counted, what was done and what can be done.
#[utoipa::path(get, path = "/v1/matters/{id}", tag = "apps",
    params(("id" = String, Path, min_length = 4, description = "Its id, or the first digits of it")),
    responses((status = 200, description = "It", body = MatterView), Problems))]
pub(super) async fn show(
    State(node): Node,
    Extension(caller): Who,
    Path(id): Path<String>,
) -> Answer<Json<MatterView>> {
    Ok(Json(blocking(move |here| matters::matter(here, &node, &caller, &id)).await?))
}

/// The folder of a module in force, by which forms are made: CBOR, as `chancery module` writes it.
#[utoipa::path(get, path = "/v1/apps/{module}/folder", tag = "apps",
    params(("module" = String, Path, description = "The module's name")),
    responses((status = 200, description = "CBOR", body = Vec<u8>, content_type = "application/cbor"), Problems))]
pub(super) async fn folder(
    State(node): Node,
    Extension(caller): Who,
    Path(module): Path<String>,
) -> Answer<Response> {
    let found = blocking(move |here| matters::folder(here, &node, &caller, &module)).await?;
    Ok(([(header::CONTENT_TYPE, "application/cbor")], found).into_response())
}

/// Of whom is asked.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Whom {
    /// Somebody else than who asks, for whoever may read all that modules keep.
    of: Option<String>,
}

/// Who has looked at what registries keep of whoever asks.
#[utoipa::path(get, path = "/v1/looks", tag = "apps", params(Whom),
    responses((status = 200, description = "They", body = Vec<LookView>), Problems))]
pub(super) async fn looks(
    State(node): Node,
    Extension(caller): Who,
    Params(Whom { of }): Params<Whom>,
) -> Answer<Json<Vec<LookView>>> {
    let found = blocking(move |here| told::looks(here, &node, &caller, of)).await?;
    Ok(Json(found.into_iter().map(|(module, look)| LookView::of(module, look)).collect()))
}

/// What modules have told whoever asks.
#[utoipa::path(get, path = "/v1/notices", tag = "apps", params(Whom),
    responses((status = 200, description = "They", body = Vec<NoticeView>), Problems))]
pub(super) async fn notices(
    State(node): Node,
    Extension(caller): Who,
    Params(Whom { of }): Params<Whom>,
) -> Answer<Json<Vec<NoticeView>>> {
    let found = blocking(move |here| told::notices(here, &node, &caller, of)).await?;
    Ok(Json(found.into_iter().map(|(module, notice)| NoticeView::of(module, notice)).collect()))
}
