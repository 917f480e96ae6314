//! Reads ranges of a blob, and hands over only what was asked for.

use std::num::NonZero;

use azure_core::error::ErrorKind;
use azure_core::http::Etag;
use azure_core::http::headers::HeaderName;
use azure_storage_blob::models::{BlobClientDownloadOptions, HttpRange};
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt as _;

use super::{Blob, block};
use crate::call;
use crate::error::Error;
use crate::retry::{self, Outcome, Party, Repeat};

/// A range that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The bytes are not those that the service sent.
    #[error("failed to read `{blob}` at {offset}: the checksum does not fit the bytes")]
    Damaged {
        /// The blob.
        blob: String,
        /// Where the range begins.
        offset: u64,
    },
    /// The request failed.
    #[error(transparent)]
    Failed(#[from] Error),
    /// The answer is not the range that was asked for.
    #[error("failed to read `{blob}` at {offset}: asked for {expected} bytes, found {found}")]
    Other {
        /// The blob.
        blob: String,
        /// Where the range begins.
        offset: u64,
        /// How many bytes were asked for.
        expected: u64,
        /// What came, in words.
        found: String,
    },
}

/// Longest range for which the service gives a checksum.
const CHECKED: u64 = 4 * 1024 * 1024;

pub(super) async fn read(
    blob: &Blob,
    offset: u64,
    length: u64,
    etag: &str,
) -> Result<Bytes, ReadError> {
    if length == 0 {
        return Ok(Bytes::new());
    }
    for attempt in 1.. {
        let error = match once(blob, offset, length, etag).await {
            Ok(bytes) => return Ok(bytes),
            Err(error) => error,
        };
        // The client repeats until an answer begins; a body that breaks off afterwards is repeated here.
        let broken = match &error {
            Once::Broken(_) | Once::Read(ReadError::Damaged { .. }) => true,
            Once::Read(_) => false,
        };
        let wait = retry::delay(Party::Service, Repeat::Same, Outcome::Broken, attempt, None);
        match wait {
            Some(wait) if broken => tokio::time::sleep(wait).await,
            _ => return Err(error.into()),
        }
    }
    Ok(Bytes::new())
}

/// What one attempt came to.
enum Once {
    /// The body broke off.
    Broken(Error),
    /// Anything else.
    Read(ReadError),
}

impl From<Once> for ReadError {
    fn from(once: Once) -> Self {
        match once {
            Once::Broken(error) => Self::Failed(error),
            Once::Read(error) => error,
        }
    }
}

async fn once(blob: &Blob, offset: u64, length: u64, etag: &str) -> Result<Bytes, Once> {
    let call = call::blob::READ_RANGE;
    let failed = |error| Once::Read(ReadError::Failed(Error::new(&call, &blob.url, error)));
    let other = |found: String| {
        Once::Read(ReadError::Other {
            blob: blob.url.clone(),
            offset,
            expected: length,
            found,
        })
    };
    let size = usize::try_from(length).ok().and_then(NonZero::new);
    let end = offset
        .checked_add(length)
        .ok_or_else(|| other("the end of numbers".to_owned()))?;
    let options = BlobClientDownloadOptions {
        if_match: Some(Etag::from(etag.to_owned())),
        parallel: NonZero::new(1),
        // One request: the whole range is one part.
        partition_size: size,
        range: Some(HttpRange::from(offset..end)),
        range_get_content_crc64: (length <= CHECKED).then_some(true),
        ..BlobClientDownloadOptions::default()
    };
    let answer = blob.bulk.download(Some(options)).await.map_err(failed)?;

    let header = |name| {
        answer
            .headers
            .get_optional_str(&HeaderName::from_static(name))
    };
    let expected = format!("bytes {offset}-{}/", end - 1);
    match header("content-range") {
        Some(range) if range.starts_with(&expected) => {}
        Some(range) => return Err(other(format!("`{}`", range.escape_debug()))),
        None => return Err(other("the whole blob".to_owned())),
    }
    let checksum = answer.properties.content_crc64.clone();
    let mut bytes = BytesMut::with_capacity(size.map_or(0, NonZero::get));
    let mut body = answer.body;
    loop {
        let part = body.try_next().await.map_err(|error| match error.kind() {
            ErrorKind::Connection | ErrorKind::Io => {
                Once::Broken(Error::new(&call, &blob.url, error))
            }
            _ => failed(error),
        })?;
        let Some(part) = part else { break };
        if u64::try_from(bytes.len() + part.len()).is_ok_and(|found| found > length) {
            return Err(other("more".to_owned()));
        }
        bytes.extend_from_slice(&part);
    }
    if u64::try_from(bytes.len()) != Ok(length) {
        return Err(other(bytes.len().to_string()));
    }
    match checksum {
        // Not every service gives one: none is "not checked here", never "checked".
        Some(checksum) if checksum != block::crc64(&bytes) => Err(Once::Read(ReadError::Damaged {
            blob: blob.url.clone(),
            offset,
        })),
        _ => Ok(bytes.freeze()),
    }
}
