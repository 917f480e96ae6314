//! An upload takes little memory, however long the file. Alone in its process, so that the peak is its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what is not as expected fails the test"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use azure::blob::{Outcome, Upload};
use azure::door::Door;
use azure::fake::Fixed;
use azure::names::{Account, BlobName, ContainerName};
use azure::setting::Setting;
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, HttpClient, Method, Request, StatusCode};

/// A service that takes everything, a little late, and keeps nothing.
#[derive(Debug)]
struct Abyss;

#[async_trait]
impl HttpClient for Abyss {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        let (status, headers) = match request.method() {
            Method::Put => (StatusCode::Created, Headers::new()),
            _ => (StatusCode::NotFound, Headers::new()),
        };
        Ok(AsyncRawResponse::from_bytes(status, headers, ""))
    }
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_file_is_uploaded_in_less_than_64_mb() {
    let file = tempfile::tempfile().unwrap();
    file.set_len(768 * 1024 * 1024).unwrap();
    let door = Door::with(
        Setting::default(),
        Arc::new(Fixed::new("t")),
        Arc::new(Abyss),
    );
    let account = Account::try_from("stlanding").unwrap();
    let container = door
        .container(&account, &ContainerName::try_from("landing").unwrap())
        .unwrap();
    let blob = container.blob(&BlobName::try_from("long").unwrap());
    let upload = Upload {
        file,
        sha256: None,
        metadata: BTreeMap::new(),
        progress: None,
    };

    let uploaded = blob.upload(upload).await.unwrap();

    assert_eq!(
        (uploaded.outcome, uploaded.size),
        (Outcome::Made, 768 * 1024 * 1024)
    );
    assert!(peak_kib() < 64_000, "{} KiB", peak_kib());
}
