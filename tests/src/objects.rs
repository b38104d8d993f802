//! An object store for a test, in this process: `s3s-fs`, which checks signatures as the real ones do.

use std::{
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use hyper_util::rt::TokioIo;
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use s3s_fs::FileSystem;

const ACCESS_KEY: &str = "AKTESTTESTTEST";
const SECRET_KEY: &str = "secret-of-a-test";
const BUCKET: &str = "contents";

/// An object store with one bucket, gone with its folder when it is dropped.
pub struct Objects {
    folder: tempfile::TempDir,
    address: SocketAddr,
    /// Whether whoever connects is let in.
    open: Arc<AtomicBool>,
    _runtime: tokio::runtime::Runtime,
}

impl Objects {
    /// Starts one.
    #[allow(clippy::new_without_default, reason = "it starts a server")]
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join(BUCKET)).expect("a bucket");
        let files = FileSystem::new(folder.path()).expect("a file system");
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = service.build();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"));
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("it has one");
        let open = Arc::new(AtomicBool::new(true));
        let lets_in = open.clone();
        runtime.spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                if !lets_in.load(Ordering::Relaxed) {
                    continue;
                }
                let (service, lets_in) = (service.clone(), lets_in.clone());
                tokio::spawn(async move {
                    let service = hyper::service::service_fn(move |request| {
                        let (service, open) = (service.clone(), lets_in.load(Ordering::Relaxed));
                        async move {
                            match open {
                                true => hyper::service::Service::call(&service, request)
                                    .await
                                    .map_err(|error| format!("{error:?}")),
                                false => Err("it is away".to_owned()),
                            }
                        }
                    });
                    let connection = hyper::server::conn::http1::Builder::new();
                    drop(connection.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Self { folder, address, open, _runtime: runtime }
    }

    /// Whether it answers from now on.
    pub fn answers(&self, answers: bool) {
        self.open.store(answers, Ordering::Relaxed);
    }

    /// Where it is.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The bucket.
    pub fn bucket(&self) -> &'static str {
        BUCKET
    }

    /// Writes a file with its keys into a folder.
    pub fn credentials(&self, folder: &Path) -> PathBuf {
        let path = folder.join("objects.key");
        std::fs::write(&path, format!("{ACCESS_KEY}\n{SECRET_KEY}\n")).expect("it is written");
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, private).expect("it is its owner's");
        path
    }

    /// The files of the objects below a prefix that ends with a slash.
    pub fn files(&self, prefix: &str) -> Vec<PathBuf> {
        let folder = self.folder.path().join(BUCKET).join(prefix);
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        let files = entries.map(|entry| entry.expect("an entry").path());
        let mut files: Vec<_> = files.filter(|path| path.is_file()).collect();
        files.sort();
        files
    }
}
