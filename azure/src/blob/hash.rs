//! Hashes of a whole file, taken while its blocks pass by.

use std::sync::mpsc::{SyncSender, sync_channel};

use bytes::Bytes;
use md5::Md5;
use serde::Serialize;
use sha2::Sha256;
use tokio::task::JoinHandle;

/// What a file hashes to.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Hashes {
    /// MD5 in hexadecimal digits. Azure's services compare by it; it protects from accidents only.
    pub md5: String,
    /// SHA-256 in hexadecimal digits.
    pub sha256: String,
}

/// Two threads that hash what they are given, in order.
#[derive(Debug)]
pub(super) struct Hashing {
    md5: (SyncSender<Bytes>, JoinHandle<Vec<u8>>),
    sha256: (SyncSender<Bytes>, JoinHandle<Vec<u8>>),
}

/// How many blocks may wait for each thread. The memory they stand for is counted by their pool.
const WAITING: usize = 2;

impl Hashing {
    pub(super) fn start() -> Self {
        Self {
            md5: thread::<Md5>(),
            sha256: thread::<Sha256>(),
        }
    }

    /// Gives the next bytes to both. False when a thread is gone, which then shows at the end.
    pub(super) fn take(&self, bytes: &Bytes) -> bool {
        self.md5.0.send(bytes.clone()).is_ok() && self.sha256.0.send(bytes.clone()).is_ok()
    }

    /// The hashes of all that was given.
    pub(super) async fn end(self) -> Result<Hashes, tokio::task::JoinError> {
        let (md5, sha256) = (self.md5, self.sha256);
        drop((md5.0, sha256.0));
        Ok(Hashes {
            md5: hex::encode(md5.1.await?),
            sha256: hex::encode(sha256.1.await?),
        })
    }
}

fn thread<D: md5::Digest + Send + 'static>() -> (SyncSender<Bytes>, JoinHandle<Vec<u8>>) {
    let (give, take) = sync_channel::<Bytes>(WAITING);
    let thread = tokio::task::spawn_blocking(move || {
        let mut digest = D::new();
        for bytes in take {
            digest.update(&bytes);
        }
        digest.finalize().to_vec()
    });
    (give, thread)
}
