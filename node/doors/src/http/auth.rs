//! Who asks: a bearer token (RFC 6750), of which the node knows the digest, or the certificate of an officer or a party.

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::Response,
};
use chancery_bus::{NodeConfig, NodeError};
use chancery_certs::{Certificate, Purpose, SignerName};
use chancery_crypto::Digest;
use chancery_desk::{Office, access::Caller};
use http_body_util::BodyExt as _;
use rustls::{
    DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use utoipa::openapi::{
    Components, OpenApi, SecurityRequirement,
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

use crate::{
    door::{Callers, Known, Visitor},
    http::problem::Denied,
};

/// The officer who has come with a certificate, if one has, and the chain.
#[derive(Debug, Clone, Default)]
pub(super) struct Officer(Option<(Caller, Arc<[Certificate]>)>);

impl Officer {
    /// Whether who has come with a certificate may still be here: it may have been revoked since, or have ended.
    ///
    /// # Errors
    /// [`NodeError::Unauthenticated`], saying why not.
    pub(super) fn check(&self, office: &Office) -> Result<(), NodeError> {
        let Some((_, chain)) = &self.0 else { return Ok(()) };
        office.stands(chain, Purpose::Sign).map_err(|e| NodeError::Unauthenticated(e.to_string()))
    }
}

/// The TLS of the interface: the node's certificate, and officers' if they may show theirs.
pub(super) fn tls(office: &Arc<Office>) -> Result<TlsAcceptor, NodeError> {
    let wrong = |e: &dyn std::fmt::Display| NodeError::Tls(e.to_string());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let node = office.identity().node();
    let chain = node.chain.iter().filter(|c| !c.is_self_issued());
    let chain = chain.map(|c| CertificateDer::from(c.der().to_vec())).collect();
    let key = node.key.pkcs8_der()?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.to_vec()));
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong(&e))?;
    let builder = if office.config().api.officer_certificates {
        let officers = OfficerVerifier { office: office.clone(), provider };
        builder.with_client_cert_verifier(Arc::new(officers))
    } else {
        builder.with_no_client_auth()
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|e| wrong(&e))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Has officers' paths validated as those of signers, by this node's own validator: webpki does not know email name
/// constraints, on which officers' names rest. That they hold the key, rustls checks.
#[derive(Debug)]
struct OfficerVerifier {
    office: Arc<Office>,
    provider: Arc<CryptoProvider>,
}

impl OfficerVerifier {
    fn verify(
        &self,
        shown: &[&CertificateDer<'_>],
    ) -> Result<(Caller, Arc<[Certificate]>), NodeError> {
        let chain = shown.iter().map(|der| Certificate::from_der(der));
        let chain = chain.collect::<Result<Arc<[_]>, _>>()?;
        let leaf = chain.first().ok_or(chancery_certs::CertError::NoCertificate)?;
        self.office.stands(&chain, Purpose::Sign)?;
        match leaf.signer_name()? {
            name @ (SignerName::Officer(_) | SignerName::Party(_)) => {
                Ok((Caller::of(&name), chain))
            }
            other @ SignerName::Agency(_) => {
                Err(NodeError::Unauthenticated(format!("{other} is no officer")))
            }
        }
    }
}

impl ClientCertVerifier for OfficerVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let shown: Vec<_> = std::iter::once(leaf).chain(above).collect();
        match self.verify(&shown) {
            Ok(_) => Ok(ClientCertVerified::assertion()),
            Err(error) => {
                tracing::warn!(%error, "a certificate is not accepted");
                Err(rustls::CertificateError::ApplicationVerificationFailure.into())
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, leaf, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, leaf, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The officer at the other end of a connection, whose certificate was verified when it was made.
pub(super) fn officer<S>(
    office: &Arc<Office>,
    stream: &TlsStream<S>,
) -> Result<Officer, NodeError> {
    let Some(shown) = stream.get_ref().1.peer_certificates() else { return Ok(Officer(None)) };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = OfficerVerifier { office: office.clone(), provider };
    verifier.verify(&shown.iter().collect::<Vec<_>>()).map(|officer| Officer(Some(officer)))
}

/// Finds out who asks, and refuses who does not say, and who has as much under way as it may. Whoever has come with a
/// certificate is judged again with each request.
pub(super) async fn authenticate(
    State(office): State<Arc<Office>>,
    Extension(visitor): Extension<Arc<Visitor>>,
    Extension(callers): Extension<Arc<Callers>>,
    mut request: Request,
    next: Next,
) -> Result<Response, Denied> {
    let officer = request.extensions().get::<Officer>();
    officer.map_or(Ok(()), |officer| officer.check(&office))?;
    let officer = officer.and_then(|officer| officer.0.clone()).map(|(caller, _)| caller);
    let caller = match bearer(request.headers())? {
        Some(token) => by_token(office.config(), token)?,
        None => officer.ok_or_else(|| NodeError::Unauthenticated("there is no token".into()))?,
    };
    let work = callers.work(&caller, &visitor);
    let work = work.ok_or_else(|| NodeError::Busy { who: caller.to_string() })?;
    request.extensions_mut().insert(caller);
    // Until the last of the answer is on its way.
    let keep = |body: Body| {
        Body::new(body.map_err(move |error| {
            let _work = &work;
            error
        }))
    };
    let mut response = next.run(request).await.map(keep);
    response.extensions_mut().insert(Known);
    Ok(response)
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
pub(super) fn describe(description: &mut OpenApi) {
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    description
        .components
        .get_or_insert_with(Components::new)
        .add_security_scheme("token", SecurityScheme::Http(bearer));
    let none: [&str; 0] = [];
    description.security = Some(vec![SecurityRequirement::new("token", none)]);
}
