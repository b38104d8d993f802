//! Contents as objects: the protocol of S3. Requests are signed by `rusty-s3`, which does no I/O, and sent by a client that blocks:
//! whoever reads or writes contents may wait.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rusty_s3::{
    Bucket, Credentials, S3Action as _, UrlStyle,
    actions::{CreateMultipartUpload, ListObjectsV2},
};
use ureq::{
    Agent, Body, SendBody,
    http::{Response, StatusCode},
    tls::{Certificate, RootCerts, TlsConfig},
};

use crate::{
    ContentReader, Contents, Listed, ObjectSettings, StoreError,
    files::{check_private, read_file, read_text},
};

/// For how long a signed request is valid.
const VALID: Duration = Duration::from_secs(300);
/// For how long a connection may take, and an answer to begin.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(30);
/// For how long one request may take with its bytes, of which there are at most [`PART`] …
const WHOLE: Duration = Duration::from_secs(120);
/// … or fewer, when they are fetched: bytes of one answer.
const WINDOW: u64 = 4 << 20;
/// Bytes of one part of a large object: 10,000 of them are allowed, 160 GiB.
const PART: u64 = 16 << 20;
/// The longest answer that is not a content, in bytes.
const MAX_ANSWER: u64 = 4 << 20;
/// Objects that are listed: more than an agency has in twenty years.
const MAX_LISTED: usize = 50_000_000;
/// How often a request is sent that did not get through, and how long is waited in between, at first.
const TRIES: u32 = 3;
const BETWEEN: Duration = Duration::from_millis(200);

/// An object store.
#[derive(Clone)]
pub(crate) struct ObjectContents(Arc<Inner>);

struct Inner {
    bucket: Bucket,
    credentials: Credentials,
    agent: Agent,
    prefix: String,
}

impl std::fmt::Debug for ObjectContents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ObjectContents({})", self.0.bucket.name())
    }
}

fn wrong(what: &str, why: impl Into<String>) -> StoreError {
    StoreError::Setting { what: format!("store.objects.{what}"), why: why.into() }
}

fn away(why: impl std::fmt::Display) -> StoreError {
    StoreError::Away(format!("the object store: {why}"))
}

/// Why a request did not get through. Addresses are not said: a signature stands in them.
fn failed(error: ureq::Error) -> StoreError {
    match error {
        ureq::Error::Timeout(_) => away("it falls silent"),
        ureq::Error::HostNotFound => away("its host is not found"),
        ureq::Error::ConnectionFailed => away("no connection"),
        ureq::Error::Io(error) => away(error),
        ureq::Error::Rustls(error) => away(format!("TLS: {error}")),
        ureq::Error::Tls(why) => away(format!("TLS: {why}")),
        _ => away("it does not speak HTTP as it should"),
    }
}

impl ObjectContents {
    /// The objects that settings name. Nothing is asked yet.
    ///
    /// # Errors
    /// [`StoreError::Setting`], naming what is wrong; [`StoreError::KeyExposed`].
    pub(crate) fn open(settings: &ObjectSettings) -> Result<Self, StoreError> {
        let endpoint = settings.endpoint.parse();
        let endpoint: url::Url = endpoint.map_err(|error| wrong("endpoint", format!("{error}")))?;
        if !matches!(endpoint.scheme(), "https" | "http") {
            return Err(wrong(
                "endpoint",
                "it begins with https:// (or http:// on a network of its own)",
            ));
        }
        if endpoint.password().is_some() || !endpoint.username().is_empty() {
            return Err(wrong(
                "endpoint",
                "keys stand in the file that `credentials` names, not here",
            ));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        if !settings.prefix.chars().all(plain) {
            return Err(wrong("prefix", "it may have letters, digits, '-', '_', '.' and '/'"));
        }
        let (name, region) = (settings.bucket.clone(), settings.region.clone());
        let bucket = Bucket::new(endpoint, UrlStyle::Path, name, region);
        let bucket = bucket.map_err(|error| wrong("bucket", error.to_string()))?;
        check_private(&settings.credentials)?;
        let keys = zeroize::Zeroizing::new(read_text(&settings.credentials)?);
        let mut lines = keys.lines().map(str::trim).filter(|line| !line.is_empty());
        let (Some(key), Some(secret), None) = (lines.next(), lines.next(), lines.next()) else {
            return Err(wrong(
                "credentials",
                "the file has two lines: the access key, and the secret key",
            ));
        };
        let credentials = Credentials::new(key, secret);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = TlsConfig::builder().unversioned_rustls_crypto_provider(provider);
        if let Some(ca) = &settings.ca {
            let authorities = authorities(ca)?;
            tls = tls.root_certs(RootCerts::Specific(Arc::new(authorities)));
        }
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .timeout_global(Some(WHOLE))
            .max_redirects(0)
            .tls_config(tls.build())
            .build();
        let prefix = settings.prefix.clone();
        Ok(Self(Arc::new(Inner { bucket, credentials, agent: agent.into(), prefix })))
    }

    fn object(&self, name: &str) -> String {
        format!("{}{name}", self.0.prefix)
    }

    /// Sends a request until it gets through, a few times: each can be repeated.
    fn send(
        &self,
        request: impl Fn(&Agent) -> Result<Response<Body>, StoreError>,
    ) -> Result<Response<Body>, StoreError> {
        let (mut tries, mut pause) = (TRIES, BETWEEN);
        loop {
            let answer = request(&self.0.agent);
            let busy = |status: StatusCode| {
                status.is_server_error() || matches!(status.as_u16(), 408 | 429)
            };
            let error = match answer {
                Ok(answer) if busy(answer.status()) => away(answer.status()),
                Err(error @ StoreError::Away(_)) => error,
                answer => return answer,
            };
            tries -= 1;
            if tries == 0 {
                return Err(error);
            }
            std::thread::sleep(pause);
            pause *= 2;
        }
    }

    fn get(&self, url: &str) -> Result<Response<Body>, StoreError> {
        self.send(|agent| agent.get(url).call().map_err(failed))
    }

    /// The body of an answer that is not a content.
    fn text(&self, answer: Response<Body>) -> Result<String, StoreError> {
        let answer = self.good(answer)?;
        let body = answer.into_body().into_with_config().limit(MAX_ANSWER).read_to_string();
        body.map_err(failed)
    }

    /// An answer that says that all went well.
    fn good(&self, answer: Response<Body>) -> Result<Response<Body>, StoreError> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let body = answer.into_body().into_with_config().limit(MAX_ANSWER).read_to_string();
        let body = body.unwrap_or_default();
        let code = body.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
        let code: String = code
            .map_or("", |(code, _)| code)
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(64)
            .collect();
        Err(match status.as_u16() {
            401 | 403 => {
                wrong("credentials", format!("the object store refuses them ({status} {code})"))
            }
            404 if code == "NoSuchBucket" => {
                wrong("bucket", "the object store has none of that name")
            }
            _ => StoreError::Broken(format!("the object store answers {status} {code}")),
        })
    }

    /// Sends bytes of a file, as an object or a part of one. Gives the entity tag.
    fn put(&self, url: &str, path: &Path, from: u64, bytes: u64) -> Result<String, StoreError> {
        let answer = self.send(|agent| {
            let mut file = File::open(path).map_err(StoreError::file(path))?;
            file.seek(SeekFrom::Start(from)).map_err(StoreError::file(path))?;
            let mut body = file.take(bytes);
            let put = agent.put(url).header("content-length", bytes.to_string());
            put.send(SendBody::from_reader(&mut body)).map_err(failed)
        })?;
        let answer = self.good(answer)?;
        let tag = answer.headers().get("etag").and_then(|tag| tag.to_str().ok());
        Ok(tag.unwrap_or_default().to_owned())
    }

    /// Sends a file that is larger than one part.
    fn put_in_parts(&self, object: &str, path: &Path, size: u64) -> Result<(), StoreError> {
        let Inner { bucket, credentials, .. } = &*self.0;
        let begin = bucket.create_multipart_upload(Some(credentials), object).sign(VALID);
        let answer = self.send(|agent| agent.post(begin.as_str()).send_empty().map_err(failed))?;
        let begun = CreateMultipartUpload::parse_response(&self.text(answer)?);
        let begun =
            begun.map_err(|_| StoreError::Broken("the object store begins no upload".into()))?;
        let upload = begun.upload_id();
        let sent = self.send_parts(object, path, size, upload);
        if sent.is_err() {
            // What was sent of it is not kept for ever; if that does not get through, either, the store's own rule removes it.
            let end = bucket.abort_multipart_upload(Some(credentials), object, upload).sign(VALID);
            drop(self.0.agent.delete(end.as_str()).call());
        }
        sent
    }

    fn send_parts(
        &self,
        object: &str,
        path: &Path,
        size: u64,
        upload: &str,
    ) -> Result<(), StoreError> {
        let Inner { bucket, credentials, .. } = &*self.0;
        let mut tags = Vec::new();
        for (number, from) in (1u16..).zip((0..size).step_by(PART as usize)) {
            let part = bucket.upload_part(Some(credentials), object, number, upload).sign(VALID);
            tags.push(self.put(part.as_str(), path, from, PART.min(size - from))?);
        }
        let parts = tags.iter().map(String::as_str);
        let end = bucket.complete_multipart_upload(Some(credentials), object, upload, parts);
        let (url, body) = (end.sign(VALID), end.body());
        let answer = self.send(|agent| agent.post(url.as_str()).send(&body).map_err(failed))?;
        // It may say so only in the body that it could not.
        let said = self.text(answer)?;
        match said.contains("<Error>") {
            true => Err(away("it could not put an upload together")),
            false => Ok(()),
        }
    }

    fn length(&self, name: &str) -> Result<Option<u64>, StoreError> {
        let Inner { bucket, credentials, .. } = &*self.0;
        let object = self.object(name);
        let url = bucket.head_object(Some(credentials), &object).sign(VALID);
        let answer = self.send(|agent| agent.head(url.as_str()).call().map_err(failed))?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let answer = self.good(answer)?;
        let length = answer.headers().get("content-length").and_then(|length| length.to_str().ok());
        let length = length.and_then(|length| length.parse().ok());
        length
            .map(Some)
            .ok_or_else(|| StoreError::Broken("the object store gives no length".into()))
    }
}

fn authorities(path: &Path) -> Result<Vec<Certificate<'static>>, StoreError> {
    let bytes = read_file(path)?;
    let all = ureq::tls::parse_pem(&bytes).filter_map(|item| match item {
        Ok(ureq::tls::PemItem::Certificate(one)) => Some(Ok(one)),
        Ok(_) => None,
        Err(error) => Some(Err(wrong("ca", format!("{}: {error}", path.display())))),
    });
    let all = all.collect::<Result<Vec<_>, _>>()?;
    match all.is_empty() {
        true => Err(wrong("ca", format!("{}: there is no certificate in it", path.display()))),
        false => Ok(all),
    }
}

impl Contents for ObjectContents {
    fn keep(&self, file: &Path, name: &str) -> Result<(), StoreError> {
        let size = std::fs::metadata(file).map_err(StoreError::file(file))?.len();
        let object = self.object(name);
        if size > PART {
            self.put_in_parts(&object, file, size)?;
        } else {
            let Inner { bucket, credentials, .. } = &*self.0;
            let url = bucket.put_object(Some(credentials), &object).sign(VALID);
            self.put(url.as_str(), file, 0, size)?;
        }
        // What is there is what was sent: the commit that follows says so.
        if self.length(name)? != Some(size) {
            return Err(StoreError::Broken(format!("the object store has not kept {object}")));
        }
        std::fs::remove_file(file).map_err(StoreError::file(file))
    }

    fn has(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.length(name)?.is_some())
    }

    fn open(&self, name: &str) -> Result<Box<dyn ContentReader>, StoreError> {
        let missing = || StoreError::File {
            path: self.object(name).into(),
            source: std::io::ErrorKind::NotFound.into(),
        };
        let size = self.length(name)?.ok_or_else(missing)?;
        let (place, name) = (self.clone(), name.to_owned());
        Ok(Box::new(ObjectReader { place, name, size, from: 0, window: Vec::new() }))
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        let Inner { bucket, credentials, .. } = &*self.0;
        let object = self.object(name);
        let url = bucket.delete_object(Some(credentials), &object).sign(VALID);
        let answer = self.send(|agent| agent.delete(url.as_str()).call().map_err(failed))?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(()),
            _ => self.good(answer).map(drop),
        }
    }

    fn list(&self) -> Result<Vec<Listed>, StoreError> {
        let Inner { bucket, credentials, prefix, .. } = &*self.0;
        let (mut all, mut more) = (Vec::new(), None::<String>);
        loop {
            let mut list = bucket.list_objects_v2(Some(credentials));
            if !prefix.is_empty() {
                list.with_prefix(prefix.as_str());
            }
            if let Some(token) = &more {
                list.with_continuation_token(token.as_str());
            }
            let url = list.sign(VALID);
            let listed = ListObjectsV2::parse_response(&self.text(self.get(url.as_str())?)?);
            let listed =
                listed.map_err(|_| StoreError::Broken("the object store lists nothing".into()))?;
            for object in listed.contents {
                let Some(name) = object.key.strip_prefix(prefix.as_str()) else { continue };
                let made = object.last_modified.as_deref().and_then(listed_time);
                let age = made.and_then(|made| SystemTime::now().duration_since(made).ok());
                all.push(Listed { name: name.to_owned(), age: age.unwrap_or_default() });
            }
            match listed.next_continuation_token {
                Some(_) if all.len() >= MAX_LISTED => {
                    return Err(StoreError::Broken("the object store lists without end".into()));
                }
                Some(token) => more = Some(token),
                None => break,
            }
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }
}

/// The time of an object, as it is listed; none when it is not one.
fn listed_time(text: &str) -> Option<SystemTime> {
    time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339)
        .ok()
        .map(Into::into)
}

/// Reads an object by windows: whoever reads chunk after chunk asks once for many.
#[derive(Debug)]
struct ObjectReader {
    place: ObjectContents,
    name: String,
    size: u64,
    /// Where the window begins.
    from: u64,
    window: Vec<u8>,
}

impl ObjectReader {
    fn fetch(&self, from: u64, to: u64) -> Result<Vec<u8>, StoreError> {
        let Inner { bucket, credentials, .. } = &*self.place.0;
        let object = self.place.object(&self.name);
        let url = bucket.get_object(Some(credentials), &object).sign(VALID);
        let range = format!("bytes={from}-{}", to.saturating_sub(1));
        let answer = self
            .place
            .send(|agent| agent.get(url.as_str()).header("range", &range).call().map_err(failed))?;
        let answer = self.place.good(answer)?;
        let body = answer.into_body().into_with_config().limit(to - from + 1).read_to_vec();
        let bytes = body.map_err(failed)?;
        match bytes.len() as u64 == to - from {
            true => Ok(bytes),
            false => Err(StoreError::Damaged(format!("the object {object} is not what it was"))),
        }
    }
}

impl ContentReader for ObjectReader {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&mut self, at: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        let end = at.checked_add(len as u64).filter(|end| *end <= self.size);
        let short = || StoreError::Damaged(format!("the object {} is shorter", self.name));
        let end = end.ok_or_else(short)?;
        let window = |reader: &Self| {
            let start = usize::try_from(at.checked_sub(reader.from)?).ok()?;
            Some(reader.window.get(start..start.checked_add(len)?)?.to_vec())
        };
        if let Some(bytes) = window(self) {
            return Ok(bytes);
        }
        let to = end.max(at.saturating_add(WINDOW).min(self.size));
        (self.from, self.window) = (at, self.fetch(at, to)?);
        window(self).ok_or_else(short)
    }
}
