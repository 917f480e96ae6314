//! Log ingestion of Azure Monitor: rows in batches that the service takes.
//!
//! Rows may arrive twice, since an answer can be lost: each should carry an id of its own.

use std::io::{self, Write as _};
use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use azure_core::http::{Context, HttpClient, Method, Pipeline, Request, Url};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use crate::arm::pipeline;
use crate::call;
use crate::door::OpenError;
use crate::error::Error;
use crate::names::Segment;
use crate::patience::Patience;
use crate::retry::Repeat;
use crate::setting::Endpoint;

/// A stream of a data collection rule.
#[derive(Clone)]
pub struct Ingestion {
    pipeline: Pipeline,
    url: Url,
    stream: Segment,
}

// The SDK's pipelines show all that is in them, down to the wire.
impl std::fmt::Debug for Ingestion {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_struct("Ingestion")
            .field("url", &self.url.as_str())
            .finish_non_exhaustive()
    }
}

/// What was sent.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sent {
    /// Rows that the service took.
    pub rows: usize,
    /// Requests that it took them in.
    pub batches: usize,
}

/// Rows that were not sent.
#[derive(Debug, thiserror::Error)]
pub enum IngestionError {
    /// A batch could not be compressed.
    #[error("failed to compress rows for `{stream}`")]
    Compress {
        /// The stream.
        stream: String,
        /// Why not.
        source: io::Error,
    },
    /// A request failed. The rows before it are there.
    #[error("{} rows of `{stream}` were sent, then it failed", sent.rows)]
    Failed {
        /// The stream.
        stream: String,
        /// What was sent before.
        sent: Sent,
        /// What went wrong.
        source: Error,
    },
    /// A row is no JSON.
    #[error("row {row} for `{stream}` cannot be written as JSON")]
    Row {
        /// The stream.
        stream: String,
        /// Its number, from zero.
        row: usize,
        /// Why not.
        source: serde_json::Error,
    },
    /// A row alone is longer than a batch may be.
    #[error("row {row} for `{stream}` is {length} bytes long, at most {BATCH} can be sent")]
    TooLong {
        /// The stream.
        stream: String,
        /// Its number, from zero.
        row: usize,
        /// How long it is.
        length: usize,
    },
}

/// Most bytes of a batch before it is compressed. The service takes 1 MB, before and after; a tenth is left
/// for what it may count otherwise than we do.
const BATCH: usize = 900_000;

impl Ingestion {
    pub(crate) fn new(
        endpoint: &Endpoint,
        rule: &Segment,
        stream: &Segment,
        scope: &str,
        credential: &Arc<dyn TokenCredential>,
        wire: &Arc<dyn HttpClient>,
    ) -> Result<Self, OpenError> {
        let call = call::ingestion::SEND;
        let path = call.fill(&[rule.as_str(), stream.as_str()]);
        let text = format!("{}{path}?api-version={}", endpoint.as_str(), call.version);
        let url = Url::parse(&text).map_err(|_not_a_url| OpenError::Url { url: text })?;
        // Sending rows twice is better than losing them.
        let patience = Patience {
            repeat: Some(Repeat::Same),
            ..Patience::SERVICE
        };
        let pipeline = pipeline(patience, scope, credential, wire);
        Ok(Self {
            pipeline,
            url,
            stream: stream.clone(),
        })
    }

    /// Sends rows, in as many batches as they need.
    pub async fn send(&self, rows: &[impl Serialize + Sync]) -> Result<Sent, IngestionError> {
        let stream = || self.stream.to_string();
        let mut waiting = Vec::new();
        for (row, value) in rows.iter().enumerate() {
            let text = serde_json::to_vec(value).map_err(|source| IngestionError::Row {
                stream: stream(),
                row,
                source,
            })?;
            if text.len() + 2 > BATCH {
                let length = text.len();
                return Err(IngestionError::TooLong {
                    stream: stream(),
                    row,
                    length,
                });
            }
            waiting.push(text);
        }
        let mut sent = Sent::default();
        let mut queue = batches(waiting);
        while let Some(batch) = queue.pop() {
            let compress = |source| IngestionError::Compress {
                stream: stream(),
                source,
            };
            let body = compressed(&batch).map_err(compress)?;
            match self.post(body).await {
                Ok(()) => {
                    sent.rows += batch.len();
                    sent.batches += 1;
                }
                // The service counts otherwise than we do: halves will pass.
                Err(error) if error.status() == Some(413) && batch.len() > 1 => {
                    let mut first = batch;
                    let second = first.split_off(first.len() / 2);
                    queue.extend([second, first]);
                }
                Err(source) => {
                    return Err(IngestionError::Failed {
                        stream: stream(),
                        sent,
                        source,
                    });
                }
            }
        }
        Ok(sent)
    }

    async fn post(&self, body: Vec<u8>) -> Result<(), Error> {
        let mut request = Request::new(self.url.clone(), Method::Post);
        request.insert_header("content-type", "application/json");
        request.insert_header("content-encoding", "gzip");
        request.set_body(Bytes::from(body));
        let answer = self
            .pipeline
            .send(&Context::new(), &mut request, None)
            .await;
        answer
            .map(drop)
            .map_err(|error| Error::new(&call::ingestion::SEND, self.stream.as_str(), error))
    }
}

/// Splits rows into batches, the first of which is last.
fn batches(rows: Vec<Vec<u8>>) -> Vec<Vec<Vec<u8>>> {
    let mut batches: Vec<Vec<Vec<u8>>> = Vec::new();
    // A batch is written as `[row,row]`: one byte more than its rows and the commas after them.
    let mut length = BATCH;
    for row in rows {
        match batches.last_mut() {
            Some(batch) if length + row.len() < BATCH => {
                length += row.len() + 1;
                batch.push(row);
            }
            _ => {
                length = row.len() + 2;
                batches.push(vec![row]);
            }
        }
    }
    batches.reverse();
    batches
}

/// A batch as the service wants it: a JSON array, even of one row.
fn compressed(batch: &[Vec<u8>]) -> io::Result<Vec<u8>> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(b"[")?;
    for (at, row) in batch.iter().enumerate() {
        if at > 0 {
            gzip.write_all(b",")?;
        }
        gzip.write_all(row)?;
    }
    gzip.write_all(b"]")?;
    gzip.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_as_full_as_they_may_be_and_no_fuller() {
        let rows: Vec<Vec<u8>> = [10, BATCH - 15, 10, BATCH - 2, 1]
            .into_iter()
            .map(|length| vec![b'1'; length])
            .collect();
        let lengths: Vec<Vec<usize>> = batches(rows)
            .iter()
            .rev()
            .map(|batch| batch.iter().map(Vec::len).collect())
            .collect();

        assert_eq!(
            lengths,
            [vec![10, BATCH - 15], vec![10], vec![BATCH - 2], vec![1]]
        );
        for batch in lengths {
            let written = batch.iter().sum::<usize>() + batch.len() + 1;
            assert!(written <= BATCH, "{written}");
        }
    }
}
