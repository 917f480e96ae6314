//! The copy of one blob, as the Copy activity does it for binary files.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::http::response::Parts;
use hyper::{Method, Request};
use md5::{Digest, Md5};
use serde_json::{Map, Value};

use super::{Course, DataFactory, IMPORT_CONTAINER, LANDING_CONTAINER};
use crate::lab::network::addresses;
use crate::lab::site::message::whole;
use crate::lab::storage::{Caller, LANDING, SECURE};
use crate::lab::token::mint;

/// How much is copied at once.
const BLOCK: u64 = 8 << 20;

/// Why an activity failed.
#[derive(Clone, Debug)]
pub(super) struct Failed {
    pub(super) code: String,
    pub(super) message: String,
}

/// What was copied.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copied {
    pub(super) read: u64,
    pub(super) written: u64,
    pub(super) seconds: u64,
}

/// A copy to be made.
#[derive(Clone, Debug)]
pub(super) struct Copying {
    path: String,
    course: Course,
    caller: Caller,
}

/// One of the two accounts: its name, address and container.
type Side = (&'static str, Ipv4Addr, &'static str);

const FROM: Side = (LANDING, addresses::LANDING, LANDING_CONTAINER);
const TO: Side = (SECURE, addresses::SECURE, IMPORT_CONTAINER);

impl Copying {
    /// The copy that the parameters ask for: `folder` as an event has it (`landing/some/folder`), and `file`.
    pub(super) fn of(
        parameters: &Map<String, Value>,
        course: &Course,
        caller: Caller,
    ) -> Result<Self, Failed> {
        let text = |name: &str| {
            parameters
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let folder = text("folder");
        let folder = folder
            .strip_prefix(LANDING_CONTAINER)
            .unwrap_or(folder)
            .trim_matches('/');
        let file = text("file");
        if file.is_empty() {
            return Err(failed(
                "2200",
                "ErrorCode=UserErrorInvalidValueInPayload: the file name is empty.",
            ));
        }
        let path = if folder.is_empty() {
            file.to_owned()
        } else {
            format!("{folder}/{file}")
        };
        Ok(Self {
            path,
            course: course.clone(),
            caller,
        })
    }

    pub(super) fn path(&self) -> String {
        format!("{LANDING_CONTAINER}/{}", self.path)
    }

    /// Copies block by block, then compares size and, where the original has one, MD5.
    pub(super) async fn copy(&self) -> Result<Copied, Failed> {
        let began = Instant::now();
        let original = self
            .ask(FROM, Method::HEAD, "", &BTreeMap::new(), Bytes::new())
            .await?
            .0;
        let size: u64 = header(&original, "content-length")
            .parse()
            .unwrap_or_default();
        let (mut md5, mut blocks, mut at) = (Md5::new(), Vec::new(), 0);
        let mut written = 0;
        while at < size {
            let end = size.min(at + BLOCK);
            let range =
                BTreeMap::from([("x-ms-range".to_owned(), format!("bytes={at}-{}", end - 1))]);
            let block = self
                .ask(FROM, Method::GET, "", &range, Bytes::new())
                .await?
                .1;
            md5.update(&block);
            let block = self.damaged(&block, at, end == size);
            written += u64::try_from(block.len()).unwrap_or_default();
            let id = STANDARD.encode(format!("{at:020}"));
            let query = format!("?comp=block&blockid={}", encode(&id));
            self.ask(TO, Method::PUT, &query, &BTreeMap::new(), block)
                .await?;
            blocks.extend(["<Latest>", &id, "</Latest>"].map(str::to_owned));
            at = end;
        }
        let found = STANDARD.encode(md5.finalize());
        let expected = header(&original, "content-md5");
        if !expected.is_empty() && expected != found {
            return Err(failed(
                "2200",
                "ErrorCode=DataConsistencyValidationFailed: the MD5 differs from the source's.",
            ));
        }
        let mut headers = BTreeMap::from([("x-ms-blob-content-md5".to_owned(), found)]);
        for (name, value) in &original.headers {
            let kept = match name.as_str() {
                "content-type" => "x-ms-blob-content-type",
                meta if meta.starts_with("x-ms-meta-") => meta,
                _ => continue,
            };
            headers.insert(
                kept.to_owned(),
                value.to_str().unwrap_or_default().to_owned(),
            );
        }
        let list = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>{}</BlockList>",
            blocks.concat()
        );
        self.ask(TO, Method::PUT, "?comp=blocklist", &headers, list.into())
            .await?;
        Ok(Copied {
            read: size,
            written,
            seconds: began.elapsed().as_secs(),
        })
    }

    /// Deletes the original.
    pub(super) async fn delete(&self) -> Result<(), Failed> {
        self.ask(FROM, Method::DELETE, "", &BTreeMap::new(), Bytes::new())
            .await
            .map(|_| ())
    }

    fn damaged(&self, block: &Bytes, at: u64, last: bool) -> Bytes {
        let mut bytes = block.to_vec();
        match self.course {
            Course::Corrupts if at == 0 => {
                if let Some(first) = bytes.first_mut() {
                    *first ^= 1;
                }
            }
            Course::Truncates if last => drop(bytes.pop()),
            _ => return block.clone(),
        }
        bytes.into()
    }

    async fn ask(
        &self,
        (account, address, container): Side,
        method: Method,
        query: &str,
        headers: &BTreeMap<String, String>,
        body: Bytes,
    ) -> Result<(Parts, Bytes), Failed> {
        let broken = |why: &dyn std::fmt::Display| {
            failed(
                "2200",
                &format!("ErrorCode=UserErrorFailedToConnect: {why}"),
            )
        };
        let token = mint(&DataFactory::identity(), "https://storage.azure.com", 3600);
        let mut request = Request::builder()
            .method(&method)
            .uri(format!(
                "https://{address}/{container}/{}{query}",
                encode(&self.path)
            ))
            .header("host", format!("{account}.blob.core.windows.net"))
            .header("authorization", format!("Bearer {token}"))
            .header("x-ms-version", "2021-12-02")
            .header("user-agent", "AzureDataFactoryCopy FxVersion/4.8");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(whole(body)).map_err(|why| broken(&why))?;
        let answer = self
            .caller
            .request(request)
            .await
            .map_err(|why| broken(&why))?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await.map_err(|why| broken(&why))?.to_bytes();
        if head.status.is_success() {
            return Ok((head, body));
        }
        let code = header(&head, "x-ms-error-code");
        let (code, kind) = match head.status.as_u16() {
            404 => (
                "2200",
                format!("UserErrorSourceBlobNotExist: the required blob is missing ({code})"),
            ),
            status => (
                "2200",
                format!("AzureBlobOperationFailed: {method} answered {status} {code}"),
            ),
        };
        Err(failed(
            code,
            &format!("ErrorCode={kind}. Path: {container}/{}.", self.path),
        ))
    }
}

fn failed(code: &str, message: &str) -> Failed {
    Failed {
        code: code.to_owned(),
        message: message.to_owned(),
    }
}

fn header(head: &Parts, name: &str) -> String {
    head.headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned()
}

/// Percent-encodes everything but slashes and what never needs it.
fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    text.bytes()
        .map(|byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}
