//! What modules keep, for the agency's own systems. Acts are signed documents, handed in like others.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use chancery_desk::{
    Office,
    access::Caller,
    matters::{self, MatterView, ModuleView, Question},
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
