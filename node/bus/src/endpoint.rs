//! The QUIC endpoint: TLS 1.3 with node certificates on both sides, one connection per pair of
//! nodes, whoever opened it.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use bytes::Bytes;
use chancery_certs::{AgencyName, Certificate};
use chancery_crypto::Hasher;
use quinn::{
    ClientConfig, Connection, ConnectionId, ConnectionIdGenerator, Endpoint, EndpointConfig,
    MtuDiscoveryConfig, SendStream, ServerConfig, TransportConfig, VarInt,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};
use rustls::{
    RootCertStore,
    client::WebPkiServerVerifier,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
    version::TLS13,
};

use crate::{Bus, NodeConfig, NodeError, identity::Identity};

/// The application protocol (ALPN).
const ALPN: &[u8] = b"chancery/1";
/// How long a connection may be silent.
const IDLE: Duration = Duration::from_secs(20);
/// How often a silent connection is kept alive.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// The application error code of a connection whose peer is not accepted.
pub(crate) const NOT_ACCEPTED: VarInt = VarInt::from_u32(2);
/// The application error code of a connection that gave way to newer ones of the same peer.
const REPLACED: VarInt = VarInt::from_u32(3);
/// Connections that one peer may have.
const PEER_CONNECTIONS: usize = 4;
/// How long reaching a peer may take.
const CONNECT: Duration = Duration::from_secs(10);

/// What the system should keep for the socket in either direction, in bytes: bursts of large datagrams, while this process is
/// doing something else. Linux keeps 208 KiB unless asked, and no more than `net.core.rmem_max` and `wmem_max` say.
const SOCKET_BUFFER: usize = 2 << 20;

/// A server and a client on one UDP socket.
#[derive(Debug)]
pub(crate) struct QuicEndpoint {
    socket: Endpoint,
    client: RwLock<ClientConfig>,
}

impl std::ops::Deref for QuicEndpoint {
    type Target = Endpoint;

    fn deref(&self) -> &Endpoint {
        &self.socket
    }
}

/// Opens the endpoint.
pub(crate) fn open(config: &NodeConfig, identity: &Identity) -> Result<QuicEndpoint, NodeError> {
    let (server, client) = configurations(config, identity)?;
    let failed = |why: std::io::Error| NodeError::Listen {
        address: config.listen.to_string(),
        why: why.to_string(),
    };
    let socket = std::net::UdpSocket::bind(config.listen).map_err(failed)?;
    // As far as the system lets: what does not fit is lost, and loss makes QUIC slow down. With less it works too.
    set_socket_recv_buffer_size(&socket, SOCKET_BUFFER).ok();
    set_socket_send_buffer_size(&socket, SOCKET_BUFFER).ok();
    let runtime = Arc::new(quinn::TokioRuntime);
    let socket =
        Endpoint::new(endpoint_config(identity)?, Some(server), socket, runtime).map_err(failed)?;
    Ok(QuicEndpoint { socket, client: RwLock::new(client) })
}

/// Meets whoever connects from now on with the node certificate that the identity has now. Connections that stand
/// go on.
pub(crate) fn renew(
    endpoint: &QuicEndpoint,
    config: &NodeConfig,
    identity: &Identity,
) -> Result<(), NodeError> {
    let (server, client) = configurations(config, identity)?;
    endpoint.set_server_config(Some(server));
    *endpoint.client.write().unwrap_or_else(PoisonError::into_inner) = client;
    Ok(())
}

/// How to be met and to meet others: TLS 1.3 with the node certificate.
fn configurations(
    config: &NodeConfig,
    identity: &Identity,
) -> Result<(ServerConfig, ClientConfig), NodeError> {
    let tls = |e: &dyn std::fmt::Display| NodeError::Tls(e.to_string());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    for anchor in identity.trust.anchors() {
        roots.add(CertificateDer::from(anchor.der().to_vec())).map_err(|e| tls(&e))?;
    }
    let roots = Arc::new(roots);
    let node = identity.node();
    let chain: Vec<_> = node
        .chain
        .iter()
        .filter(|c| !c.is_self_issued())
        .map(|c| CertificateDer::from(c.der().to_vec()))
        .collect();
    let pkcs8 = node.key.pkcs8_der()?;
    let key = || PrivateKeyDer::from(PrivatePkcs8KeyDer::from(pkcs8.to_vec()));

    let clients = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
        .build()
        .map_err(|e| tls(&e))?;
    let mut server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])
        .map_err(|e| tls(&e))?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain.clone(), key())
        .map_err(|e| tls(&e))?;
    server.alpn_protocols = vec![ALPN.to_vec()];
    // 0-RTT data could be replayed by anyone who recorded it.
    server.max_early_data_size = 0;

    let servers = WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
        .build()
        .map_err(|e| tls(&e))?;
    let mut client = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(|e| tls(&e))?
        .with_webpki_verifier(servers)
        .with_client_auth_cert(chain, key())
        .map_err(|e| tls(&e))?;
    client.alpn_protocols = vec![ALPN.to_vec()];

    let transport = Arc::new(transport(config));
    let server = QuicServerConfig::try_from(server).map_err(|e| tls(&e))?;
    let mut server = ServerConfig::with_crypto(Arc::new(server));
    server.transport_config(transport.clone());
    let client = QuicClientConfig::try_from(client).map_err(|e| tls(&e))?;
    let mut client = ClientConfig::new(Arc::new(client));
    client.transport_config(transport);
    Ok((server, client))
}

/// A reset key that outlives the process: a node that was killed and started again answers packets
/// of its old connections with a stateless reset (RFC 9000 §10.3), so that peers reconnect at once
/// instead of waiting for the idle time-out.
fn endpoint_config(identity: &Identity) -> Result<EndpointConfig, NodeError> {
    let mut hasher = Hasher::new();
    hasher.update(b"chancery/1 stateless reset");
    hasher.update(identity.node().key.pkcs8_der()?);
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, hasher.finish().as_bytes());
    let mut config = EndpointConfig::new(Arc::new(key));
    config.cid_generator(|| Box::new(RandomIds));
    Ok(config)
}

/// Random connection ids. The default generator recognizes only ids of its own process, and would
/// stay silent on those of the process before it.
#[derive(Debug)]
struct RandomIds;

impl ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> ConnectionId {
        // Without random bytes no TLS handshake succeeds either, so nothing hangs on these zeros.
        ConnectionId::new(&chancery_crypto::random::<8>().unwrap_or_default())
    }

    fn cid_len(&self) -> usize {
        8
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

fn transport(config: &NodeConfig) -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport.max_concurrent_bidi_streams(VarInt::from_u32(config.limits.peer_streams));
    transport.max_concurrent_uni_streams(VarInt::from_u32(0));
    transport.datagram_receive_buffer_size(None);
    transport.keep_alive_interval(Some(KEEP_ALIVE));
    // IDLE is far below what a QUIC time-out can say.
    transport.max_idle_timeout(IDLE.try_into().ok());
    // Constant memory: what one peer may have under way, however large its envelopes.
    transport.stream_receive_window(VarInt::from_u32(4 << 20));
    transport.receive_window(VarInt::from_u32(8 << 20));
    transport.send_window(8 << 20);
    let mut mtu = MtuDiscoveryConfig::default();
    // Ethernet first, jumbo frames and loopback where the path allows it.
    mtu.upper_bound(16_384);
    transport.mtu_discovery_config(Some(mtu));
    transport
}

/// The chain that the other end has shown. TLS has verified its path; what webpki does not look at is whether an absent
/// extended key usage or a key usage for signing documents will do (a seal is no node), and what the
/// revocation lists say, so the path is to be validated again as that of a node.
pub(crate) fn peer_chain(connection: &Connection) -> Result<Vec<Certificate>, NodeError> {
    let unknown = || NodeError::Tls("the peer shows no certificate".into());
    let shown = connection.peer_identity().ok_or_else(unknown)?;
    let chain = shown.downcast::<Vec<CertificateDer<'static>>>().map_err(|_| unknown())?;
    let chain =
        chain.iter().map(|der| Certificate::from_der(der)).collect::<Result<Vec<_>, _>>()?;
    if chain.is_empty() { Err(unknown()) } else { Ok(chain) }
}

/// The live connections by peer, the newest last. One is enough; a peer that dials while it is
/// dialled makes two.
#[derive(Debug, Default)]
pub(crate) struct Connections(Mutex<HashMap<AgencyName, Vec<Connection>>>);

impl Connections {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<AgencyName, Vec<Connection>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A live connection to a peer, if there is one.
    pub(crate) fn get(&self, agency: &AgencyName) -> Option<Connection> {
        let live = |c: &&Connection| c.close_reason().is_none();
        self.lock().get(agency)?.iter().rev().find(live).cloned()
    }

    /// Remembers a connection. Older ones stay in use for what is under way on them, up to a limit:
    /// beyond it the oldest is closed, and what was under way on it goes on by itself.
    pub(crate) fn put(&self, agency: AgencyName, connection: Connection) {
        let mut map = self.lock();
        let own = map.entry(agency).or_default();
        own.retain(|c| c.close_reason().is_none());
        own.push(connection);
        if own.len() > PEER_CONNECTIONS {
            own.remove(0).close(REPLACED, b"replaced by a newer connection");
        }
    }

    /// Forgets a connection that has ended.
    pub(crate) fn remove(&self, agency: &AgencyName, connection: &Connection) {
        let mut map = self.lock();
        if let Some(own) = map.get_mut(agency) {
            own.retain(|c| c.stable_id() != connection.stable_id());
            if own.is_empty() {
                map.remove(agency);
            }
        }
    }

    /// Closes every connection that a check refuses.
    pub(crate) fn close_unless(&self, accepted: impl Fn(&Connection) -> Result<(), NodeError>) {
        // Not under the lock: a check may cost signatures.
        let all: Vec<_> =
            self.lock().iter().map(|(peer, own)| (peer.clone(), own.clone())).collect();
        for (peer, connection) in all.iter().flat_map(|(p, own)| own.iter().map(move |c| (p, c))) {
            if let Err(error) = accepted(connection) {
                tracing::warn!(%peer, %error, "peer not accepted any more");
                connection.close(NOT_ACCEPTED, b"not accepted any more");
            }
        }
    }

    /// The peers that are connected.
    pub(crate) fn peers(&self) -> Vec<AgencyName> {
        let map = self.lock();
        let live = |list: &Vec<Connection>| list.iter().any(|c| c.close_reason().is_none());
        map.iter().filter(|(_, list)| live(list)).map(|(agency, _)| agency.clone()).collect()
    }
}

/// Connects to a peer at its address, by name.
pub(crate) async fn dial(
    bus: &Bus,
    agency: &AgencyName,
    address: &str,
) -> Result<Connection, NodeError> {
    let endpoint = &bus.endpoint;
    let failed = |why: String| NodeError::Network { peer: format!("{agency} ({address})"), why };
    let address: SocketAddr = tokio::net::lookup_host(address)
        .await
        .map_err(|e| failed(e.to_string()))?
        .next()
        .ok_or_else(|| failed("the address names no host".into()))?;
    let client = endpoint.client.read().unwrap_or_else(PoisonError::into_inner).clone();
    let connecting = endpoint
        .connect_with(client, address, agency.as_str())
        .map_err(|e| failed(e.to_string()))?;
    let connection = tokio::time::timeout(CONNECT, connecting)
        .await
        .map_err(|_| failed("no answer in time".into()))?
        .map_err(|e| failed(e.to_string()))?;
    let found = bus.peer_of(&connection);
    if !matches!(&found, Ok(found) if found == agency) {
        connection.close(NOT_ACCEPTED, b"not accepted");
        return Err(failed(found.map_or_else(|e| e.to_string(), |found| format!("it is {found}"))));
    }
    Ok(connection)
}

/// Writes bytes to a stream without copying them.
pub(crate) async fn write_piece(
    stream: &mut SendStream,
    piece: Bytes,
    peer: &AgencyName,
) -> Result<(), NodeError> {
    let failed = |why: String| NodeError::Network { peer: peer.to_string(), why };
    stream.write_chunk(piece).await.map_err(|e| failed(e.to_string()))
}

/// Writes bytes to a stream.
pub(crate) async fn write(
    stream: &mut SendStream,
    bytes: &[u8],
    peer: &AgencyName,
) -> Result<(), NodeError> {
    let failed = |why: String| NodeError::Network { peer: peer.to_string(), why };
    stream.write_all(bytes).await.map_err(|e| failed(e.to_string()))
}
