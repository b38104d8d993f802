//! The way to an agency's node over its HTTP interface, with one's own certificate: that of enterprises and citizens, who run no
//! node. No name is looked up: the address is given, and the node shows that it is the agency's.

use std::{
    net::{SocketAddr, ToSocketAddrs as _},
    path::PathBuf,
    time::Duration,
};

use chancery_apps::{Folder, Module};
use chancery_certs::{AgencyName, Credential};
use chancery_desk::{asking::LocalReply, matters::MatterView};
use chancery_protocol::SignedDocument;
use serde::de::DeserializeOwned;
use ureq::{
    Agent, Body,
    config::Config,
    http::{Response, Uri},
    tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig},
    unversioned::{
        resolver::{ResolvedSocketAddrs, Resolver},
        transport::{DefaultConnector, NextTimeout},
    },
};

use crate::{
    failure::{ENVIRONMENT, Failure},
    keys::{Signer, read_chain},
};

/// How long a node may take to answer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The largest answer that is read, in bytes.
const MOST: u64 = 32 << 20;

/// What stands between the pieces of a submission: no document holds it by chance.
const LIMIT: &str = "chancery-0e5a1d7f4b9c4f0fa6d2";

/// Which agency's node to go to.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Remote {
    /// Go to this agency's node over HTTPS with your own certificate, instead of to the local node
    #[arg(long, value_name = "AGENCY", requires_all = ["connect", "anchor"])]
    node: Option<AgencyName>,
    /// Where its interface listens
    #[arg(long, value_name = "HOST:PORT", requires = "node")]
    connect: Option<String>,
    /// The root of the trust domain, by which the node shows that it is the agency's
    #[arg(long, value_name = "FILE", requires = "node")]
    anchor: Option<PathBuf>,
}

impl Remote {
    /// Goes there, if it is another's node that is asked.
    pub(crate) fn open(&self, signer: Option<&Signer>) -> Result<Option<Web>, Failure> {
        let (Some(agency), Some(address), Some(anchor)) = (&self.node, &self.connect, &self.anchor)
        else {
            return Ok(None);
        };
        let signer = signer.ok_or_else(|| {
            let what = "a party comes to a node with its own certificate";
            Failure::usage(
                "CHY-6037",
                what,
                "Give --key and --cert, or set CHANCERY_KEY and CHANCERY_CERT.",
            )
        })?;
        let found = address.to_socket_addrs().ok().and_then(|mut all| all.next());
        let address = found.ok_or_else(|| {
            let what = format!("{address:?} is no address");
            Failure::usage("CHY-6060", what, "Give --connect HOST:PORT.")
        })?;
        Web::open(agency.clone(), address, &read_chain(anchor)?, signer.load()?).map(Some)
    }
}

#[derive(Debug)]
struct There(SocketAddr);

impl Resolver for There {
    fn resolve(
        &self,
        _: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut found = self.empty();
        found.push(self.0);
        Ok(found)
    }
}

/// A node's HTTP interface.
pub(crate) struct Web {
    agent: Agent,
    base: String,
    agency: AgencyName,
    credential: Credential,
    anchors: Vec<chancery_certs::Certificate>,
}

impl Web {
    fn open(
        agency: AgencyName,
        address: SocketAddr,
        anchors: &[chancery_certs::Certificate],
        credential: Credential,
    ) -> Result<Self, Failure> {
        let of = |all: &[chancery_certs::Certificate]| -> Vec<Certificate<'static>> {
            all.iter().map(|one| Certificate::from_der(one.der()).to_owned()).collect()
        };
        let pem = credential.key().to_pem(None)?;
        let key = PrivateKey::from_pem(pem.as_bytes()).map_err(|_| Failure::unexpected())?;
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&of(anchors)))
            .client_cert(Some(ClientCert::new_with_certs(&of(credential.chain()), key)))
            .build();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .tls_config(tls)
            .build();
        let agent = Agent::with_parts(config, DefaultConnector::default(), There(address));
        let base = format!("https://{agency}:{}", address.port());
        Ok(Self { agent, base, agency, credential, anchors: anchors.to_vec() })
    }

    /// Whose node it is.
    pub(crate) fn agency(&self) -> &AgencyName {
        &self.agency
    }

    /// By what it has shown that it is.
    pub(crate) fn anchors(&self) -> &[chancery_certs::Certificate] {
        &self.anchors
    }

    /// Who comes.
    pub(crate) fn credential(&self) -> &Credential {
        &self.credential
    }

    fn failed(&self, what: &dyn std::fmt::Display) -> Failure {
        Failure {
            code: "CHY-6061".into(),
            message: format!("{}: {what}", self.base),
            remedy: "Check --connect and --anchor, that the node lets parties in (api.officer_certificates), and that your certificate is in force.".into(),
            exit: ENVIRONMENT,
        }
    }

    /// The bytes of an answer, or why the node refuses.
    fn read(&self, answer: Result<Response<Body>, ureq::Error>) -> Result<Vec<u8>, Failure> {
        let mut answer = answer.map_err(|error| self.failed(&error))?;
        let good = answer.status().is_success();
        let status = answer.status();
        let body = answer.body_mut().with_config().limit(MOST).read_to_vec();
        let body = body.map_err(|error| self.failed(&error))?;
        if good {
            return Ok(body);
        }
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let text =
            |name: &str| problem.get(name).and_then(|value| value.as_str()).map(str::to_owned);
        match (text("code"), text("detail"), text("remedy")) {
            (Some(code), Some(message), Some(remedy)) => {
                Err(Failure::from_reply(LocalReply::Failed {
                    code,
                    message,
                    remedy,
                    recorded: None,
                    message_zh: None,
                }))
            }
            _ => Err(self.failed(&status)),
        }
    }

    /// What is found under a path.
    pub(crate) fn bytes(&self, path: &str) -> Result<Vec<u8>, Failure> {
        self.read(self.agent.get(format!("{}{path}", self.base)).call())
    }

    /// What is found under a path, as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        serde_json::from_slice(&self.bytes(path)?).map_err(|_| Failure::unexpected())
    }

    /// A module in force.
    pub(crate) fn module(&self, name: &str) -> Result<Module, Failure> {
        let folder = self.bytes(&format!("/v1/apps/{}/folder", escaped(name)))?;
        let folder = Folder::decode(&folder).map_err(|_| Failure::unexpected())?;
        Module::read(&folder).map_err(|_| Failure::unexpected())
    }

    /// A matter.
    pub(crate) fn matter(&self, id: &str) -> Result<MatterView, Failure> {
        self.json(&format!("/v1/matters/{}", escaped(id)))
    }

    /// Hands a signed document in, with its one part if it has one; and what became of it.
    pub(crate) fn submit(
        &self,
        document: &SignedDocument,
        part: Option<&[u8]>,
    ) -> Result<serde_json::Value, Failure> {
        let mut body = Vec::new();
        let pieces = [("document", Some(document.bytes())), ("part", part)];
        for (name, bytes) in pieces.into_iter().filter_map(|(name, bytes)| Some((name, bytes?))) {
            let head = format!(
                "--{LIMIT}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{name}\"\r\n\
                 Content-Type: application/octet-stream\r\n\r\n"
            );
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(bytes);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{LIMIT}--\r\n").as_bytes());
        // A line that breaks may be tried again: the same document is taken once.
        let sent = self
            .agent
            .post(format!("{}/v1/documents", self.base))
            .header("Content-Type", format!("multipart/form-data; boundary={LIMIT}"))
            .header("Idempotency-Key", document.id().to_string())
            .send(&body);
        serde_json::from_slice(&self.read(sent)?).map_err(|_| Failure::unexpected())
    }

    /// What is kept of something that was filed.
    pub(crate) fn receipt(&self, document: &str) -> Result<Vec<u8>, Failure> {
        self.bytes(&format!("/v1/documents/{}/receipt", escaped(document)))
    }
}

/// A name as it stands in a path or query (RFC 3986).
pub(crate) fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let each = text.bytes().map(|b| match plain(b) {
        true => char::from(b).to_string(),
        false => format!("%{b:02X}"),
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_path_is_one_piece_of_it() {
        assert_eq!(escaped("a-b_c.1~"), "a-b_c.1~");
        assert_eq!(escaped("a/../b?c=d&许"), "a%2F..%2Fb%3Fc%3Dd%26%E8%AE%B8");
    }
}
