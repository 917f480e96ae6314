//! Log ingestion: takes batches of records for a data collection rule.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use flate2::read::GzDecoder;
use serde_json::Value;

use super::site::message::{Answer, Call, empty, error};
use super::site::{Respond, Site};
use super::token;

/// The immutable id of the lab's data collection rule.
pub const RULE: &str = "dcr-0123456789abcdef0123456789abcdef";
/// The streams it has.
pub const STREAMS: [&str; 3] = [
    "Custom-TreCompliance_CL",
    "Custom-TreDrift_CL",
    "Custom-TreHeartbeat_CL",
];
/// The host of its endpoint.
pub const HOST: &str = "dce-tre-abcd.westeurope-1.ingest.monitor.azure.com";

/// The most a call may carry, before and after compression.
const LARGEST: usize = 1 << 20;

/// The log ingestion stand-in.
#[derive(Clone, Debug, Default)]
pub struct Logs {
    /// What it was asked, and what goes wrong with it.
    pub site: Site,
    taken: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Logs {
    /// The records it took so far, each with its stream.
    pub fn taken(&self) -> Vec<(String, Value)> {
        self.taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn take(&self, mut call: Call) -> Result<Answer, Answer> {
        token::check(&call, &["https://monitor.azure.com"])?;
        let pieces = call.pieces();
        let pieces: Vec<_> = pieces.iter().map(String::as_str).collect();
        let ["dataCollectionRules", rule, "streams", stream] = pieces[..] else {
            return Err(error(
                404,
                "NotFound",
                "The requested resource does not exist.",
            ));
        };
        if call.method() != hyper::Method::POST {
            return Err(error(405, "MethodNotAllowed", "POST only."));
        }
        if call.query("api-version").as_deref() != Some("2023-01-01") {
            return Err(error(
                400,
                "InvalidApiVersion",
                "The api-version is missing or not supported.",
            ));
        }
        if rule != RULE {
            return Err(error(
                404,
                "NotFound",
                &format!("Data collection rule with immutable Id '{rule}' not found."),
            ));
        }
        if !STREAMS.contains(&stream) {
            let message = format!("Stream {stream} was not found in the data collection rule.");
            return Err(error(400, "InvalidStream", &message));
        }
        let zipped = match call.header("content-encoding") {
            None => false,
            Some("gzip") => true,
            Some(_) => {
                return Err(error(
                    415,
                    "UnsupportedMediaType",
                    "The content encoding is not supported.",
                ));
            }
        };
        if !call
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("application/json"))
        {
            return Err(error(
                415,
                "UnsupportedMediaType",
                "The content type must be application/json.",
            ));
        }
        let body = call.body().await?;
        let records = records(&body, zipped)?;
        let taken = records
            .into_iter()
            .map(|record| (stream.to_owned(), record));
        self.taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(taken);
        Ok(empty(204))
    }
}

fn records(body: &[u8], zipped: bool) -> Result<Vec<Value>, Answer> {
    let too_large = || {
        error(
            413,
            "ContentLengthLimitExceeded",
            "Maximum allowed content length: 1048576 bytes.",
        )
    };
    let mut plain = Vec::new();
    if zipped {
        let limit = u64::try_from(LARGEST).unwrap_or(u64::MAX) + 1;
        GzDecoder::new(body)
            .take(limit)
            .read_to_end(&mut plain)
            .map_err(|broken| error(400, "InvalidCompression", &broken.to_string()))?;
    } else {
        plain.extend_from_slice(body);
    }
    if body.len() > LARGEST || plain.len() > LARGEST {
        return Err(too_large());
    }
    let invalid = |message: &str| error(400, "InvalidPayload", message);
    let records: Value =
        serde_json::from_slice(&plain).map_err(|broken| invalid(&broken.to_string()))?;
    let Value::Array(records) = records else {
        return Err(invalid("The payload must be an array of records."));
    };
    match records
        .iter()
        .position(|record| !record["TimeGenerated"].is_string())
    {
        Some(at) => Err(invalid(&format!("Record {at} has no TimeGenerated."))),
        None => Ok(records),
    }
}

#[async_trait]
impl Respond for Logs {
    async fn respond(&self, call: Call) -> Answer {
        match self.take(call).await {
            Ok(answer) | Err(answer) => answer,
        }
    }
}

impl Logs {
    /// The endpoint as it is configured.
    pub fn endpoint() -> String {
        format!("https://{HOST}")
    }
}
