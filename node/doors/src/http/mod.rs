//! HTTP/JSON for the agency's own systems: the same desk that clerks use, with tokens or officers' certificates,
//! described by an OpenAPI document.

use std::{convert::Infallible, sync::Arc};

use auth::Officer;
use axum::{Router, extract::Request, middleware, response::IntoResponse as _, routing::get};
use bytes::Bytes;
use chancery_bus::NodeError;
use chancery_desk::{Office, views::RefusalSchema};
use hyper::{
    body::Incoming,
    header::{CONNECTION, HeaderValue},
    service::{Service as _, service_fn},
};
use hyper_util::service::TowerToHyperService;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};
use utoipa::{
    PartialSchema as _,
    openapi::{InfoBuilder, OpenApi, OpenApiBuilder},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::door::{self, Callers, HEAD_TIMEOUT, Known, Visitor};

mod apps;

mod auth;

mod documents;

mod events;

mod ledger;

mod problem;

mod views;

fn routes() -> OpenApiRouter<Arc<Office>> {
    OpenApiRouter::with_openapi(description())
        .routes(routes!(documents::status))
        .routes(routes!(documents::inbox))
        .routes(routes!(documents::outbox))
        .routes(routes!(documents::search))
        .merge(
            // The form is read piece by piece, and the parts are as long as their header says.
            OpenApiRouter::new()
                .routes(routes!(documents::submit))
                .layer(axum::extract::DefaultBodyLimit::disable()),
        )
        .routes(routes!(documents::show))
        .routes(routes!(documents::signed))
        .routes(routes!(documents::part))
        .routes(routes!(documents::trace))
        .routes(routes!(documents::evidence))
        .routes(routes!(documents::evidence_file))
        .routes(routes!(apps::modules))
        .routes(routes!(apps::list))
        .routes(routes!(apps::show))
        .routes(routes!(apps::folder))
        .routes(routes!(apps::looks))
        .routes(routes!(apps::notices))
        .routes(routes!(documents::receipt))
        .routes(routes!(events::events))
        .routes(routes!(ledger::checkpoint))
        .routes(routes!(ledger::entries))
        .routes(routes!(ledger::proof))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(ledger::directory))
                .layer(axum::extract::DefaultBodyLimit::max(chancery_certs::MAX_DIRECTORY)),
        )
}

fn description() -> OpenApi {
    let text = "The local interface of a Chancery node, for the agency's own systems. Requests carry a bearer token, or \
                come over TLS with the certificate of an officer or of an enterprise or citizen; the node's policies say who may do what. Errors are \
                problem details (RFC 9457) with a stable code.";
    let info = InfoBuilder::new()
        .title("Chancery node")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(text))
        .license(Some(utoipa::openapi::License::new("Apache-2.0")));
    let mut description = OpenApiBuilder::new().info(info).build();
    auth::describe(&mut description);
    if let Some(components) = &mut description.components {
        // What is only in answers that several requests share is not found by itself.
        for (name, schema) in
            [("Problem", problem::Problem::schema()), ("RefusalSchema", RefusalSchema::schema())]
        {
            components.schemas.insert(name.to_owned(), schema);
        }
    }
    description
}

/// The OpenAPI document of the interface, as JSON.
pub fn openapi() -> String {
    // A document of plain data always has a JSON form.
    routes().to_openapi().to_pretty_json().unwrap_or_default()
}

/// Serves the interface until the node stops.
pub(crate) async fn serve(office: Arc<Office>, listener: TcpListener) {
    let (router, description) = routes().split_for_parts();
    let description = Bytes::from(description.to_pretty_json().unwrap_or_default());
    let json = [(hyper::header::CONTENT_TYPE, "application/json")];
    let open = Router::new()
        .route("/v1/openapi.json", get(move || async move { (json, description).into_response() }));
    let router = router
        .route_layer(middleware::from_fn_with_state(office.clone(), auth::authenticate))
        .merge(open)
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(middleware::from_fn_with_state(office.clone(), count))
        .layer(axum::Extension(Arc::new(Callers::default())))
        .with_state(office.clone());
    match office.config().api.plain {
        true => serve_plain(office, "the HTTP interface", listener, router).await,
        false => serve_tls(office, listener, router).await,
    }
}

async fn count(
    axum::extract::State(office): axum::extract::State<Arc<Office>>,
    request: axum::extract::Request,
    next: middleware::Next,
) -> axum::response::Response {
    let response = next.run(request).await;
    office.metrics().answered(response.status().as_u16());
    response
}

/// Serves a router over plain HTTP until the node stops.
pub(crate) async fn serve_plain(
    office: Arc<Office>,
    what: &'static str,
    listener: TcpListener,
    router: Router,
) {
    door::receive(&listener, what, office.stopping(), |stream, _, visitor| {
        answer(stream, router.clone(), visitor, Officer::default())
    })
    .await;
}

async fn serve_tls(office: Arc<Office>, listener: TcpListener, router: Router) {
    let mut renewed = office.renewed();
    let acceptor = std::sync::RwLock::new(match auth::tls(&office) {
        Ok(acceptor) => acceptor,
        Err(error) => return tracing::error!(%error, "the HTTP interface cannot be opened"),
    });
    door::receive(&listener, "the HTTP interface", office.stopping(), |stream, _, visitor| {
        if renewed.has_changed().unwrap_or(false) {
            renewed.mark_unchanged();
            match auth::tls(&office) {
                Ok(new) => {
                    *acceptor.write().unwrap_or_else(std::sync::PoisonError::into_inner) = new;
                }
                Err(error) => tracing::error!(%error, "the HTTP interface keeps its certificate"),
            }
        }
        let acceptor = acceptor.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let (office, router) = (office.clone(), router.clone());
        async move {
            let accepted = tokio::time::timeout(HEAD_TIMEOUT, acceptor.accept(stream)).await;
            let Ok(Ok(stream)) = accepted else { return };
            match auth::officer(&office, &stream) {
                Ok(officer) => tokio::select! {
                    () = answer(stream, router, visitor, officer.clone()) => {}
                    // A stream of events asks nothing more, and must not go on all the same.
                    error = unwelcome(&office, &officer) => {
                        tracing::warn!(%error, "an officer is not accepted any more");
                    }
                },
                Err(error) => tracing::warn!(%error, "a certificate is not accepted"),
            }
        }
    })
    .await;
}

/// Waits until an officer may not be here any more, and says why.
async fn unwelcome(office: &Office, officer: &auth::Officer) -> NodeError {
    let mut judged = office.judged();
    loop {
        if let Err(error) = officer.check(office) {
            return error;
        }
        // The node outlives its connections: the signal does not end before them.
        drop(judged.changed().await);
    }
}

/// Answers what comes by one connection. Every request brings along by whom that was made.
async fn answer<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: S,
    router: Router,
    visitor: Arc<Visitor>,
    officer: Officer,
) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(visitor.clone());
        request.extensions_mut().insert(officer.clone());
        let answer = router.call(request);
        async move {
            let mut response = answer.await?;
            if response.extensions().get::<Known>().is_none() {
                // Whoever is not known has to come again for more.
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(CONNECTION, close);
            }
            Ok::<_, Infallible>(response)
        }
    });
    door::converse(stream, service).await;
}

/// What every handler may answer in place of its result.
type Answer<T> = Result<T, problem::Denied>;
