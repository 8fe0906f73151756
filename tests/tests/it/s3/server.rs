//! Servers for one test each: one that speaks like S3, in a folder of its own, and one that says what it is told to.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use zc_events::blobs::S3Options;
use zc_events::{Clock, Deadline, SystemClock};

/// The bucket that exists from the start.
pub(crate) const BUCKET: &str = "zc-mp-email";
pub(crate) const ID: &str = "AKIDTEST";
pub(crate) const SECRET: &str = "a secret / with all + kinds = of letters";

/// A server that speaks S3 and accepts requests signed with [`ID`] and [`SECRET`]. Dropping it stops the server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    folder: TempDir,
    runtime: Option<Runtime>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let mut service = S3ServiceBuilder::new(FileSystem::new(folder.path()).unwrap());
        service.set_auth(SimpleAuth::from_single(ID, SECRET));
        let service = service.build();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    // A client may go when it likes.
                    let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
                });
            }
        });
        Self { address, folder, runtime: Some(runtime) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What a client that is let in has.
    pub(crate) fn options(&self) -> S3Options {
        S3Options::new(BUCKET, ID, SECRET).endpoint(self.url())
    }

    pub(crate) fn add_bucket(&self, name: &str) {
        std::fs::create_dir(self.folder.path().join(name)).unwrap();
    }

    /// Where the server has what lies under `key`.
    pub(crate) fn file(&self, bucket: &str, key: &str) -> PathBuf {
        self.folder.path().join(bucket).join(key)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A server that reads a request and answers with the bytes of its number, then closes. Says how many there were.
pub(crate) fn answers(answer: impl Fn(usize) -> Vec<u8> + Send + 'static) -> (String, Arc<AtomicUsize>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let number = counted.fetch_add(1, Ordering::SeqCst);
            if read_head(&mut client) {
                // A client may have had enough.
                let _ = client.write_all(&answer(number));
            }
        }
    });
    (address, count)
}

/// Whether a whole head came.
pub(crate) fn read_head(client: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match client.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return false,
        }
    }
    true
}

pub(crate) fn soon() -> Deadline {
    within(Duration::from_secs(60))
}

pub(crate) fn within(time: Duration) -> Deadline {
    SystemClock.deadline(time)
}
