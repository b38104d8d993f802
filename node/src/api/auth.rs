//! Who asks: a bearer token (RFC 6750), of which the node knows the digest, or an officer's certificate.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::Response,
};
use chancery_certs::{Certificate, Purpose, SignerName};
use chancery_crypto::Digest;
use chancery_protocol::ProtocolError;
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use utoipa::openapi::{
    Components, OpenApi, SecurityRequirement,
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

use crate::{
    NodeConfig, NodeError, access::Caller, directory::check_revoked, shared::Shared, unix_now,
};

/// The officer who has come with a certificate, if one has.
#[derive(Debug, Clone)]
pub struct Officer(Option<Caller>);

/// The TLS of the interface: the node's certificate, and officers' if they may show theirs.
pub fn tls(shared: &Shared) -> Result<TlsAcceptor, NodeError> {
    let wrong = |e: &dyn std::fmt::Display| NodeError::Tls(e.to_string());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let node = shared.identity.node();
    let chain = node.chain.iter().filter(|c| !c.is_self_issued());
    let chain = chain.map(|c| CertificateDer::from(c.der().to_vec())).collect();
    let key = node.key.pkcs8_der()?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.to_vec()));
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong(&e))?;
    let builder = if shared.config.api.officer_certificates {
        let mut roots = RootCertStore::empty();
        for anchor in shared.identity.trust.anchors() {
            roots.add(CertificateDer::from(anchor.der().to_vec())).map_err(|e| wrong(&e))?;
        }
        let officers = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .allow_unauthenticated()
            .build();
        builder.with_client_cert_verifier(officers.map_err(|e| wrong(&e))?)
    } else {
        builder.with_no_client_auth()
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|e| wrong(&e))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// The officer at the other end, whose path is validated as that of a signer: webpki does not look at email name
/// constraints.
pub fn officer(shared: &Shared, stream: &TlsStream<TcpStream>) -> Result<Officer, NodeError> {
    let Some(shown) = stream.get_ref().1.peer_certificates() else { return Ok(Officer(None)) };
    let chain = shown.iter().map(|der| Certificate::from_der(der));
    let chain = chain.collect::<Result<Vec<_>, _>>()?;
    let (leaf, above) = chain.split_first().ok_or(chancery_certs::CertError::NoCertificate)?;
    let (trust, now) = (&shared.identity.trust, unix_now());
    trust.validate(leaf, above, now, Purpose::Sign).map_err(ProtocolError::from)?;
    check_revoked(trust, &chain, &shared.crls(), now, Purpose::Sign)
        .map_err(ProtocolError::from)?;
    match leaf.signer_name()? {
        name @ SignerName::Officer(_) => Ok(Officer(Some(Caller::signer(name)))),
        other => Err(NodeError::Unauthenticated(format!("{other} is no officer"))),
    }
}

/// Finds out who asks, and refuses who does not say.
pub async fn authenticate(
    State(shared): State<Arc<Shared>>,
    mut request: Request,
    next: Next,
) -> Result<Response, NodeError> {
    let officer = request.extensions().get::<Officer>().and_then(|officer| officer.0.clone());
    let caller = match bearer(request.headers())? {
        Some(token) => by_token(&shared.config, token)?,
        None => officer.ok_or_else(|| NodeError::Unauthenticated("there is no token".into()))?,
    };
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

fn bearer(headers: &HeaderMap) -> Result<Option<&str>, NodeError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let (scheme, token) = value.to_str().ok().and_then(|v| v.split_once(' ')).unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(NodeError::Unauthenticated("it is no bearer token".into()));
    }
    Ok(Some(token.trim()))
}

fn by_token(config: &NodeConfig, token: &str) -> Result<Caller, NodeError> {
    let digest = Digest::of(token.as_bytes());
    // Digests of random tokens: how far one fits tells nothing of another. Compared in constant time all the same.
    let known = config.api.tokens.iter().find(|known| known.digest == digest);
    let known = known.ok_or_else(|| NodeError::Unauthenticated("the token is not known".into()))?;
    Ok(Caller::token(&known.name))
}

/// Says in the description how to come in.
pub fn describe(description: &mut OpenApi) {
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    description
        .components
        .get_or_insert_with(Components::new)
        .add_security_scheme("token", SecurityScheme::Http(bearer));
    let none: [&str; 0] = [];
    description.security = Some(vec![SecurityRequirement::new("token", none)]);
}
