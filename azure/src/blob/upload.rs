//! Uploads a file: read once, hashed on the way, block by block, in little memory, resumable.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs::File;
use std::io;
use std::sync::Arc;

use azure_core::http::{Etag, NoFormat, RequestContent, XmlFormat};
use azure_storage_blob::models::{
    BlockBlobClientCommitBlockListOptions, BlockBlobClientCommitBlockListResultHeaders,
    BlockBlobClientStageBlockOptions, BlockListType, BlockLookupList,
};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use serde::Serialize;
use tokio::sync::mpsc;

use super::block::{self, Block, Cut, Pool};
use super::hash::{Hashes, Hashing};
use super::{Blob, Properties};
use crate::call;
use crate::error::Error;

/// What is to be uploaded.
pub struct Upload {
    /// The file, open at its beginning.
    pub file: File,
    /// The SHA-256 that it must have, in hexadecimal digits.
    pub sha256: Option<String>,
    /// What else is said about it. `sha256` is added.
    pub metadata: BTreeMap<String, String>,
    /// Is told how many bytes are done, whenever that changes.
    pub progress: Option<Arc<dyn Fn(u64) + Send + Sync>>,
}

impl fmt::Debug for Upload {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Upload")
            .field("sha256", &self.sha256)
            .finish_non_exhaustive()
    }
}

/// What has been uploaded.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Uploaded {
    /// What it hashes to.
    #[serde(flatten)]
    pub hashes: Hashes,
    /// How long it is.
    pub size: u64,
    /// How many bytes did not have to be sent, because they were staged already.
    pub resumed: u64,
    /// Whether it was there before.
    pub outcome: Outcome,
    /// The name of the content.
    pub etag: String,
    /// Which version it is, where the account keeps versions.
    pub version: Option<String>,
}

/// Whether a blob was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was made.
    Made,
    /// The same content was there already.
    Unchanged,
}

/// An upload that failed.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// Something else has the name.
    #[error("failed to upload `{blob}`: another content is there, and it is never overwritten")]
    Exists {
        /// The blob.
        blob: String,
        /// What is there.
        found: Box<Properties>,
    },
    /// A request failed.
    #[error(transparent)]
    Failed(#[from] Error),
    /// The file changed meanwhile.
    #[error("failed to upload `{blob}`: the file changed while it was read")]
    FileChanged {
        /// The blob.
        blob: String,
    },
    /// The hashes are lost with the thread that took them.
    #[error("failed to hash `{blob}`")]
    Hashing {
        /// The blob.
        blob: String,
        /// What happened.
        source: tokio::task::JoinError,
    },
    /// The file is not the one that was meant.
    #[error("failed to upload `{blob}`: expected SHA-256 {expected}, found {found}")]
    Mismatch {
        /// The blob.
        blob: String,
        /// What it should hash to.
        expected: String,
        /// What it hashes to.
        found: String,
    },
    /// The file cannot be read.
    #[error("failed to read the file for `{blob}`")]
    Read {
        /// The blob.
        blob: String,
        /// Why not.
        source: io::Error,
    },
    /// No blob can hold the file.
    #[error("failed to upload `{blob}`: {size} bytes are too many")]
    TooLong {
        /// The blob.
        blob: String,
        /// How long the file is.
        size: u64,
    },
}

/// Blocks that are sent at the same time.
const PARALLEL: usize = 5;

pub(super) async fn upload(blob: &Blob, upload: Upload) -> Result<Uploaded, UploadError> {
    let name = || blob.url.clone();
    let read = |source| UploadError::Read {
        blob: name(),
        source,
    };
    let before = upload.file.metadata().map_err(read)?;
    let size = before.len();
    let cut = Cut::of(size).ok_or_else(|| UploadError::TooLong { blob: name(), size })?;
    let watched = upload.file.try_clone().map_err(read)?;

    let found = blob.find().await?;
    let staged = match &found {
        // What is there is compared, not replaced: then nothing needs to be sent.
        Some(_) => None,
        None => Some(staged(blob).await?),
    };
    let sent = send(blob, upload.file, cut, staged, upload.progress).await?;

    let after = watched.metadata().map_err(read)?;
    if sent.size != size || after.len() != size || after.modified().ok() != before.modified().ok() {
        return Err(UploadError::FileChanged { blob: name() });
    }
    let hashes = sent.hashes.clone();
    if let Some(expected) = upload
        .sha256
        .filter(|text| !text.eq_ignore_ascii_case(&hashes.sha256))
    {
        return Err(UploadError::Mismatch {
            blob: name(),
            expected,
            found: hashes.sha256,
        });
    }
    match found {
        Some(found) => same(blob, found, sent),
        None => commit(blob, sent, upload.metadata).await,
    }
}

/// What has been read and sent.
struct Sent {
    hashes: Hashes,
    size: u64,
    resumed: u64,
    blocks: Vec<Vec<u8>>,
}

/// Reads the file once; hashes it, and sends what is not staged yet. Sends nothing if nothing is to be staged.
async fn send(
    blob: &Blob,
    file: File,
    cut: Cut,
    staged: Option<HashMap<Vec<u8>, u64>>,
    progress: Option<Arc<dyn Fn(u64) + Send + Sync>>,
) -> Result<Sent, UploadError> {
    let pool = Pool::new(cut);
    // However this ends, the reader must not wait for a place for ever.
    let _closing = Closing(pool.clone());
    let (give, mut take) = mpsc::channel(1);
    let reader = tokio::spawn(read(file, pool, give));
    let (mut blocks, mut size, mut resumed) = (Vec::new(), 0_u64, 0_u64);
    let mut done = 0_u64;
    let mut told = |length: u64| {
        done = done.saturating_add(length);
        if let Some(progress) = &progress {
            progress(done);
        }
    };
    let mut under_way = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(sent) = under_way.next(), if !under_way.is_empty() => told(sent?),
            block = take.recv(), if under_way.len() < PARALLEL => {
                let Some(block) = block else { break };
                let length = length(&block.bytes);
                size = size.saturating_add(length);
                let id = block.id();
                match &staged {
                    Some(staged) if staged.get(&id) != Some(&length) => {
                        under_way.push(stage(blob, block));
                    }
                    _ => {
                        resumed = resumed.saturating_add(length);
                        told(length);
                    }
                }
                blocks.push(id);
            }
        }
    }
    while let Some(sent) = under_way.next().await {
        told(sent?);
    }
    let lost = |source| UploadError::Hashing {
        blob: blob.url.clone(),
        source,
    };
    let hashing = reader.await.map_err(lost)?;
    let hashing = hashing.map_err(|source| UploadError::Read {
        blob: blob.url.clone(),
        source,
    })?;
    Ok(Sent {
        hashes: hashing.end().await.map_err(lost)?,
        size,
        resumed,
        blocks,
    })
}

struct Closing(Pool);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn length(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Reads blocks, has them hashed, and hands them on. Ends when nobody takes them any more.
async fn read(mut file: File, pool: Pool, give: mpsc::Sender<Block>) -> io::Result<Hashing> {
    let hashing = Arc::new(Hashing::start());
    for index in 0.. {
        let Some(place) = pool.place().await else {
            break;
        };
        let (reading, hashed) = (pool.clone(), Arc::clone(&hashing));
        let read = tokio::task::spawn_blocking(move || {
            let read = reading.read(&mut file, place);
            let block = read.map(|bytes| {
                bytes.map(|bytes| {
                    hashed.take(&bytes);
                    Block {
                        index,
                        crc64: block::crc64(&bytes),
                        bytes,
                    }
                })
            });
            drop(hashed);
            (file, block)
        });
        let (returned, block) = read.await.map_err(io::Error::other)?;
        file = returned;
        let Some(block) = block? else { break };
        if give.send(block).await.is_err() {
            break;
        }
    }
    Arc::into_inner(hashing).ok_or_else(|| io::Error::other("the hashes are still in use"))
}

/// The blocks that an earlier attempt left behind, and how long each is.
async fn staged(blob: &Blob) -> Result<HashMap<Vec<u8>, u64>, UploadError> {
    let call = call::blob::STAGED;
    let client = blob.short.block_blob_client();
    let blocks = match client
        .get_block_list(BlockListType::Uncommitted, None)
        .await
    {
        Ok(answer) => answer
            .into_model()
            .map_err(|error| Error::new(&call, &blob.url, error))?,
        Err(error) => {
            let error = Error::new(&call, &blob.url, error);
            let nothing = error.status() == Some(404) && error.code() != Some("ContainerNotFound");
            return if nothing {
                Ok(HashMap::new())
            } else {
                Err(error.into())
            };
        }
    };
    let blocks = blocks.uncommitted_blocks.unwrap_or_default().into_iter();
    Ok(blocks
        .filter_map(|block| Some((block.name?, u64::try_from(block.size?).ok()?)))
        .collect())
}

/// Sends one block; says how long it was.
async fn stage(blob: &Blob, block: Block) -> Result<u64, UploadError> {
    let length = length(&block.bytes);
    let options = BlockBlobClientStageBlockOptions {
        transactional_content_crc64: Some(block.crc64.to_vec()),
        ..BlockBlobClientStageBlockOptions::default()
    };
    let id = block.id();
    let content: RequestContent<Bytes, NoFormat> = block.bytes.clone().into();
    let client = blob.bulk.block_blob_client();
    let staged = client
        .stage_block(&id, length, content, Some(options))
        .await;
    staged.map_err(|error| Error::new(&call::blob::STAGE, &blob.url, error))?;
    Ok(length)
}

/// Makes a blob of the blocks, unless there is one.
async fn commit(
    blob: &Blob,
    sent: Sent,
    mut metadata: BTreeMap<String, String>,
) -> Result<Uploaded, UploadError> {
    let call = call::blob::COMMIT;
    let failed = |error| Error::new(&call, &blob.url, error);
    metadata.insert("sha256".to_owned(), sent.hashes.sha256.clone());
    let options = BlockBlobClientCommitBlockListOptions {
        blob_content_md5: hex::decode(&sent.hashes.md5).ok(),
        blob_content_type: Some("application/octet-stream".to_owned()),
        if_none_match: Some(Etag::from("*".to_owned())),
        metadata: Some(metadata.into_iter().collect()),
        ..BlockBlobClientCommitBlockListOptions::default()
    };
    let list = BlockLookupList {
        latest: Some(sent.blocks.clone()),
        ..BlockLookupList::default()
    };
    let list: RequestContent<BlockLookupList, XmlFormat> = list.try_into().map_err(failed)?;
    let answer = match blob
        .bulk
        .block_blob_client()
        .commit_block_list(list, Some(options))
        .await
    {
        Ok(answer) => answer,
        Err(error) => {
            let error = failed(error);
            // Either somebody was faster, or an answer to this very request was lost.
            if matches!(error.status(), Some(409 | 412))
                && let Some(found) = blob.find().await?
            {
                return same(blob, found, sent);
            }
            return Err(error.into());
        }
    };
    Ok(Uploaded {
        etag: answer
            .etag()
            .map_err(failed)?
            .map(|etag| etag.to_string())
            .unwrap_or_default(),
        version: answer.version_id().map_err(failed)?,
        hashes: sent.hashes,
        size: sent.size,
        resumed: sent.resumed,
        outcome: Outcome::Made,
    })
}

/// Compares what was read with what is there.
fn same(blob: &Blob, found: Properties, sent: Sent) -> Result<Uploaded, UploadError> {
    let sha256 = found
        .metadata
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("sha256"));
    let same = found.size == sent.size
        && found.md5.as_ref() == Some(&sent.hashes.md5)
        && sha256.is_some_and(|(_, sha256)| *sha256 == sent.hashes.sha256);
    if !same {
        return Err(UploadError::Exists {
            blob: blob.url.clone(),
            found: Box::new(found),
        });
    }
    Ok(Uploaded {
        hashes: sent.hashes,
        size: sent.size,
        resumed: sent.size,
        outcome: Outcome::Unchanged,
        etag: found.etag,
        version: found.version,
    })
}
