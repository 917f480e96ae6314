//! A blob service in memory, as far as these tests need one. It checks what it is given.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;

use async_trait::async_trait;
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::{AsyncRawResponse, Body, HttpClient, Method, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

#[derive(Debug, Default)]
pub(crate) struct Store(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    blobs: BTreeMap<String, Stored>,
    staged: BTreeMap<String, BTreeMap<String, Bytes>>,
    requests: Vec<String>,
    changes: u64,
}

#[derive(Debug)]
struct Stored {
    content: Vec<u8>,
    etag: String,
    headers: Vec<(String, String)>,
}

impl Store {
    /// What a blob holds.
    pub(crate) fn content(&self, name: &str) -> Option<Vec<u8>> {
        self.0
            .lock()
            .unwrap()
            .blobs
            .get(name)
            .map(|blob| blob.content.clone())
    }

    /// How many bytes are staged and not committed.
    pub(crate) fn staged(&self, name: &str) -> u64 {
        let inner = self.0.lock().unwrap();
        let blocks = inner
            .staged
            .get(name)
            .into_iter()
            .flat_map(BTreeMap::values);
        blocks
            .map(|block| u64::try_from(block.len()).unwrap())
            .sum()
    }

    /// How many requests there were with a method.
    pub(crate) fn requests(&self, method: &str) -> usize {
        self.0
            .lock()
            .unwrap()
            .requests
            .iter()
            .filter(|asked| *asked == method)
            .count()
    }
}

#[async_trait]
impl HttpClient for Store {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let name = request
            .url()
            .path()
            .trim_start_matches("/landing/")
            .replace("%2F", "/");
        let query: BTreeMap<String, String> = request.url().query_pairs().into_owned().collect();
        let header = |name| {
            request
                .headers()
                .get_optional_str(&HeaderName::from_static(name))
        };
        let Body::Bytes(body) = request.body().clone() else {
            panic!("a stream")
        };
        let mut inner = self.0.lock().unwrap();
        inner.requests.push(request.method().to_string());
        let comp = query.get("comp").map(String::as_str);
        let (status, headers, body) = match (request.method(), comp) {
            (Method::Put, Some("block")) => {
                let crc = header("x-ms-content-crc64").expect("a checksum");
                let mut digest = crc64fast_nvme::Digest::new();
                digest.write(&body);
                assert_eq!(STANDARD.decode(crc).unwrap(), digest.sum64().to_le_bytes());
                let staged = inner.staged.entry(name).or_default();
                staged.insert(query["blockid"].clone(), body);
                (201, vec![], Bytes::new())
            }
            (Method::Put, Some("blocklist")) => inner.commit(&name, request, &body),
            (Method::Get, Some("blocklist")) => inner.list(&name),
            (Method::Head | Method::Get, None) => inner.read(&name, request),
            other => panic!("{other:?}"),
        };
        let mut map = Headers::new();
        for (name, value) in headers {
            map.insert(name, value);
        }
        Ok(AsyncRawResponse::from_bytes(
            StatusCode::from(status),
            map,
            body,
        ))
    }
}

type Answer = (u16, Vec<(String, String)>, Bytes);

fn refused(status: u16, code: &str) -> Answer {
    (
        status,
        vec![("x-ms-error-code".into(), code.into())],
        Bytes::new(),
    )
}

impl Inner {
    fn commit(&mut self, name: &str, request: &Request, body: &Bytes) -> Answer {
        let header = |name| {
            request
                .headers()
                .get_optional_str(&HeaderName::from_static(name))
        };
        assert_eq!(
            header("if-none-match"),
            Some("*"),
            "an upload must be create-only"
        );
        if self.blobs.contains_key(name) {
            return refused(409, "BlobAlreadyExists");
        }
        let staged = self.staged.remove(name).unwrap_or_default();
        let list = String::from_utf8(body.to_vec()).unwrap();
        let mut content = Vec::new();
        for id in list.split("<Latest>").skip(1) {
            match staged.get(id.split('<').next().unwrap()) {
                Some(block) => content.extend_from_slice(block),
                None => return refused(400, "InvalidBlockList"),
            }
        }
        self.changes += 1;
        let etag = format!("\"0x{}\"", self.changes);
        let mut headers = vec![(
            "content-md5".to_owned(),
            header("x-ms-blob-content-md5").unwrap().to_owned(),
        )];
        for (name, value) in request.headers().iter() {
            if name.as_str().starts_with("x-ms-meta-") {
                headers.push((name.as_str().to_owned(), value.as_str().to_owned()));
            }
        }
        self.blobs.insert(
            name.to_owned(),
            Stored {
                content,
                etag: etag.clone(),
                headers,
            },
        );
        (201, vec![("etag".into(), etag)], Bytes::new())
    }

    fn list(&self, name: &str) -> Answer {
        let Some(staged) = self.staged.get(name) else {
            return refused(404, "BlobNotFound");
        };
        let mut blocks = String::new();
        for (id, block) in staged {
            write!(
                blocks,
                "<Block><Name>{id}</Name><Size>{}</Size></Block>",
                block.len()
            )
            .unwrap();
        }
        let list = format!(
            "<BlockList><CommittedBlocks/><UncommittedBlocks>{blocks}</UncommittedBlocks></BlockList>"
        );
        (200, vec![], list.into())
    }

    fn read(&self, name: &str, request: &Request) -> Answer {
        let header = |name| {
            request
                .headers()
                .get_optional_str(&HeaderName::from_static(name))
        };
        let Some(blob) = self.blobs.get(name) else {
            return refused(404, "BlobNotFound");
        };
        if header("if-match").is_some_and(|etag| etag != blob.etag) {
            return refused(412, "ConditionNotMet");
        }
        let mut headers = blob.headers.clone();
        headers.push(("etag".into(), blob.etag.clone()));
        let Some(range) = header("range") else {
            headers.push(("content-length".into(), blob.content.len().to_string()));
            return (200, headers, Bytes::new());
        };
        let (first, last) = range
            .strip_prefix("bytes=")
            .unwrap()
            .split_once('-')
            .unwrap();
        let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
        let part = Bytes::copy_from_slice(&blob.content[first..=last]);
        headers.push((
            "content-range".into(),
            format!("bytes {first}-{last}/{}", blob.content.len()),
        ));
        headers.push(("content-length".into(), part.len().to_string()));
        if header("x-ms-range-get-content-crc64").is_some() {
            let mut digest = crc64fast_nvme::Digest::new();
            digest.write(&part);
            headers.push((
                "x-ms-content-crc64".into(),
                STANDARD.encode(digest.sum64().to_le_bytes()),
            ));
        }
        (206, headers, part)
    }
}
