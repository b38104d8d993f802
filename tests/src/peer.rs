//! A peer made by hand: it has the certificates of an agency of the world, and says what a test has it say.

use std::{
    collections::BTreeMap,
    io::IoSliceMut,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use chancery_bus::NodeConfig;
use chancery_certs::{
    AgencyCard, Credential, EncryptionKeyStatement, Scrutiny, TrustStore, decode_pem_chain,
};
use chancery_crypto::{CHUNK_SIZE, Commitment, ContentKey, Digest, SigningKey, wrap_key};
use chancery_ledger::unix_now;
use chancery_protocol::{
    ContentSealer, DocumentHeader, EnvelopeHeader, Part, PeerMessage, Recipient, SignedDocument,
    Urgency, commit_to_document, decode_frame, encode_frame, merkle, recipient_info, sign_document,
};
use quinn::{
    AsyncUdpSocket, ClientConfig, Connection, Endpoint, Runtime as _, TokioRuntime, UdpPoller,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
    udp::{RecvMeta, Transmit},
};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use crate::World;

/// A client with the node certificate in a folder, or without any.
pub fn client(world: &World, identity: Option<&str>, root: &str) -> Endpoint {
    let mut endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    endpoint.set_default_client_config(client_config(world, identity, root));
    endpoint
}

/// How such a client connects.
fn client_config(world: &World, identity: Option<&str>, root: &str) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let anchor = CertificateDer::from_pem_file(world.path(root)).unwrap();
    roots.add(anchor).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let mut tls = match identity {
        None => builder.with_no_client_auth(),
        Some(dir) => {
            let chain = CertificateDer::pem_file_iter(world.path(&format!("{dir}/node.pem")));
            let chain: Vec<_> = chain.unwrap().map(Result::unwrap).take(2).collect();
            let key = PrivateKeyDer::from_pem_file(world.path(&format!("{dir}/node.key")));
            builder.with_client_auth_cert(chain, key.unwrap()).unwrap()
        }
    };
    tls.alpn_protocols = vec![b"chancery/1".to_vec()];
    ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()))
}

/// A client without a certificate that begins handshakes, also when it is asked to try again, and never ends them: of what it
/// has to say, nothing but the beginning leaves.
pub fn half_open(world: &World, from: IpAddr) -> Endpoint {
    let socket = std::net::UdpSocket::bind((from, 0)).unwrap();
    let runtime = Arc::new(TokioRuntime);
    let socket = Arc::new(FirstFlight(runtime.wrap_udp_socket(socket).unwrap()));
    let endpoint = Endpoint::new_with_abstract_socket(<_>::default(), None, socket, runtime);
    let mut endpoint = endpoint.unwrap();
    endpoint.set_default_client_config(client_config(world, None, "root/ca.pem"));
    endpoint
}

#[derive(Debug)]
struct FirstFlight(Arc<dyn AsyncUdpSocket>);

impl AsyncUdpSocket for FirstFlight {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        self.0.clone().create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit) -> std::io::Result<()> {
        match is_one_initial(transmit.contents) {
            true => self.0.try_send(transmit),
            false => Ok(()),
        }
    }

    fn poll_recv(
        &self,
        context: &mut Context,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<std::io::Result<usize>> {
        self.0.poll_recv(context, buffers, meta)
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn max_receive_segments(&self) -> usize {
        self.0.max_receive_segments()
    }
}

/// Whether a datagram is one Initial packet (RFC 9000 §17.2.2) and nothing else: a client's first words, or what it has heard
/// of the answer.
fn is_one_initial(datagram: &[u8]) -> bool {
    fn taken(rest: &mut &[u8], length: usize) -> Option<u8> {
        let (taken, left) = rest.split_at_checked(length)?;
        *rest = left;
        taken.first().copied()
    }
    /// A number of variable length (§16).
    fn number(rest: &mut &[u8]) -> Option<usize> {
        let first = *rest.first()?;
        let (bytes, left) = rest.split_at_checked(1 << (first >> 6))?;
        *rest = left;
        Some(bytes[1..].iter().fold(usize::from(first & 0x3f), |n, b| n << 8 | usize::from(*b)))
    }
    let parse = || {
        let rest = &mut &*datagram;
        let first = taken(rest, 1)?;
        taken(rest, 4)?;
        for _ in 0..2 {
            let id = taken(rest, 1)?;
            taken(rest, usize::from(id));
        }
        let token = number(rest)?;
        taken(rest, token);
        let length = number(rest)?;
        Some(first & 0xf0 == 0xc0 && rest.len() == length)
    };
    parse() == Some(true)
}

/// Where an agency's node listens.
pub fn address(world: &World, agency: &str) -> SocketAddr {
    NodeConfig::load(&world.path(&format!("{agency}/node.toml"))).unwrap().listen
}

/// A certificate with its key.
pub fn credential(world: &World, cert: &str, key: &str) -> Credential {
    let chain = decode_pem_chain(&std::fs::read(world.path(cert)).unwrap()).unwrap();
    let key = std::fs::read_to_string(world.path(key)).unwrap();
    Credential::new(SigningKey::from_pem(&key, None).unwrap(), chain).unwrap()
}

/// The seal of an agency.
pub fn seal_of(world: &World, agency: &str) -> Credential {
    credential(world, &format!("certs-{agency}/seal.pem"), &format!("certs-{agency}/seal.key"))
}

/// An officer of an agency.
pub fn officer_of(world: &World, agency: &str) -> Credential {
    credential(world, &format!("certs-{agency}/clerk.pem"), &format!("certs-{agency}/clerk.key"))
}

/// Sends raw bytes on a stream and reads what comes back.
pub async fn exchange(connection: &Connection, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let (mut send, mut recv) = connection.open_bi().await.map_err(|e| e.to_string())?;
    send.write_all(bytes).await.map_err(|e| e.to_string())?;
    send.finish().map_err(|e| e.to_string())?;
    let read = tokio::time::timeout(Duration::from_secs(10), recv.read_to_end(1 << 20));
    read.await.map_err(|_| "silent".to_owned())?.map_err(|e| e.to_string())
}

/// Offers an envelope with its content, and reads the answer.
pub async fn offer(connection: &Connection, envelope: Vec<u8>, content: &[u8]) -> PeerMessage {
    let content = Some(content.to_vec().into());
    let frame = encode_frame(&PeerMessage::Offer { envelope, content, recipient: None }).unwrap();
    let answer = exchange(connection, &frame).await.expect("an answer");
    decode_frame(&answer[4..]).unwrap()
}

/// Offers an envelope without its content, sends that when it is asked for, and reads the answer.
pub async fn offer_large(
    connection: &Connection,
    envelope: Vec<u8>,
    content: &[u8],
) -> PeerMessage {
    let ask = PeerMessage::Offer { envelope, content: None, recipient: None };
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    send.write_all(&encode_frame(&ask).unwrap()).await.unwrap();
    let mut length = [0; 4];
    recv.read_exact(&mut length).await.unwrap();
    let mut want = vec![0; u32::from_be_bytes(length) as usize];
    recv.read_exact(&mut want).await.unwrap();
    match decode_frame(&want).unwrap() {
        PeerMessage::Want { from_chunk } => {
            let from = usize::try_from(from_chunk).unwrap() * CHUNK_SIZE;
            send.write_all(&content[from..]).await.unwrap();
            send.finish().unwrap();
            let answer = recv.read_to_end(1 << 20).await.unwrap();
            decode_frame(&answer[4..]).unwrap()
        }
        answer => answer,
    }
}

/// A document's header, by the short names of the agencies of a world.
pub fn document(from: &str, to: &str, title: &str, parts: &[(&str, &[u8])]) -> DocumentHeader {
    let part = |(name, bytes): &(&str, &[u8])| Part {
        name: (*name).to_owned(),
        media_type: "application/octet-stream".into(),
        size: bytes.len() as u64,
        digest: Digest::of(bytes),
    };
    DocumentHeader {
        kind: "通知".into(),
        number: None,
        title: title.into(),
        from: format!("{from}.zj.gov.cn").parse().unwrap(),
        to: vec![format!("{to}.zj.gov.cn").parse().unwrap()],
        cc: Vec::new(),
        classification: None,
        secrecy_period: None,
        urgency: Urgency::Routine,
        created: unix_now(),
        deadline: None,
        in_reply_to: None,
        module: "official-documents".into(),
        fields: BTreeMap::new(),
        crit: Vec::new(),
        filing: None,
        form: Default::default(),
        parts: parts.iter().map(part).collect(),
        nonce: Digest::from_bytes(chancery_crypto::random().unwrap()),
    }
}

/// A sealed content, and what belongs to it.
pub struct Sealed {
    /// The document in it.
    pub document: SignedDocument,
    /// The salt of its commitment.
    pub salt: Digest,
    /// The key to it.
    pub key: ContentKey,
    /// The ciphertext.
    pub content: Vec<u8>,
}

impl Sealed {
    /// A content that is in order: its document is signed by an officer of its sender.
    pub fn new(world: &World, header: &DocumentHeader, parts: &[&[u8]]) -> Self {
        let from = header.from.as_str().split('.').next().unwrap().to_owned();
        let signer = officer_of(world, &from);
        let document = sign_document(header, &signer, Commitment::Approval, unix_now()).unwrap();
        Self::of(document, parts)
    }

    /// A content of a document that is signed as it may be.
    pub fn of(document: SignedDocument, parts: &[&[u8]]) -> Self {
        let salt = Digest::from_bytes(chancery_crypto::random().unwrap());
        let (key, mut content) = (ContentKey::generate().unwrap(), Vec::new());
        let mut sealer = ContentSealer::new(&key, &salt, &document, &mut content).unwrap();
        parts.iter().for_each(|part| sealer.push(part, &mut content).unwrap());
        sealer.finish(&mut content).unwrap();
        Self { document, salt, key, content }
    }

    /// What its envelope commits to.
    pub fn commitment(&self) -> Digest {
        commit_to_document(&self.salt, &self.document.id())
    }

    /// The header of its envelope.
    pub fn header(&self, world: &World, from: &str, to: &str) -> EnvelopeHeader {
        envelope(world, from, to, &self.content, &self.key, self.commitment())
    }
}

/// The header of an envelope that is as true as what is given.
pub fn envelope(
    world: &World,
    from: &str,
    to: &str,
    content: &[u8],
    key: &ContentKey,
    commitment: Digest,
) -> EnvelopeHeader {
    let anchors = decode_pem_chain(&std::fs::read(world.path("root/ca.pem")).unwrap()).unwrap();
    let trust = TrustStore::new(anchors).unwrap();
    let now = unix_now();
    let card = std::fs::read(world.path(&format!("{to}/agency.card"))).unwrap();
    let by = Scrutiny::without_lists(&trust, now);
    let card = AgencyCard::open(&card, &by).unwrap().value;
    let theirs = EncryptionKeyStatement::open(&card.encryption_key, &by).unwrap().key;
    let sender = format!("{from}.zj.gov.cn").parse().unwrap();
    let agency = format!("{to}.zj.gov.cn").parse().unwrap();
    let wrapped = wrap_key(&theirs, key, &recipient_info(&sender, &agency)).unwrap();
    let mut tree = merkle::CompactRange::default();
    content.chunks(CHUNK_SIZE).for_each(|c| tree.push(merkle::leaf_hash(c)));
    EnvelopeHeader {
        sender,
        recipients: vec![Recipient { agency, key: wrapped }],
        size: content.len() as u64,
        root: tree.root(),
        commitment,
        urgency: Urgency::Routine,
        created: now,
        expires: now + 3600,
    }
}

/// A node of agency `c` that says what it is told to say: each offer gets the next answer.
pub fn lying_node(
    world: &World,
    say: impl Fn(usize, EnvelopeHeader) -> PeerMessage + Send + 'static,
) {
    let chain = CertificateDer::pem_file_iter(world.path("certs-c/node.pem")).unwrap();
    let chain: Vec<_> = chain.map(Result::unwrap).take(2).collect();
    let key = PrivateKeyDer::from_pem_file(world.path("certs-c/node.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    tls.alpn_protocols = vec![b"chancery/1".to_vec()];
    let tls = QuicServerConfig::try_from(tls).unwrap();
    let config = quinn::ServerConfig::with_crypto(Arc::new(tls));
    let address = address(world, "c");
    std::thread::spawn(move || {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let endpoint = Endpoint::server(config, address).unwrap();
            let mut offers = 0;
            while let Some(incoming) = endpoint.accept().await {
                let Ok(connection) = incoming.await else { continue };
                while let Ok((mut send, mut recv)) = connection.accept_bi().await {
                    let Ok(body) = recv.read_to_end(1 << 20).await else { continue };
                    // What a witness asks goes unanswered.
                    let Ok(PeerMessage::Offer { envelope, .. }) = decode_frame(&body[4..]) else {
                        continue;
                    };
                    let (_, header) = EnvelopeHeader::reopen(&envelope).unwrap();
                    let answer = encode_frame(&say(offers, header)).unwrap();
                    offers += 1;
                    send.write_all(&answer).await.unwrap();
                    send.finish().unwrap();
                }
            }
        });
    });
}
