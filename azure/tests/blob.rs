//! Blobs: uploads that can be interrupted anywhere, reads that give what was asked for.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what is not as expected fails the test"
)]

mod store;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use azure::blob::{Blob, Container, Outcome, ReadError, Upload, UploadError};
use azure::door::Door;
use azure::error::Reason;
use azure::fake::{Failing, Fault, Fixed, Script};
use azure::names::{Account, BlobName, ContainerName};
use azure::setting::Setting;
use azure_core::http::HttpClient;
use store::Store;

const MIB: usize = 1024 * 1024;

fn container(wire: Arc<dyn HttpClient>) -> Container {
    let door = Door::with(Setting::default(), Arc::new(Fixed::new("t")), wire);
    let (account, name) = (
        "stlanding".try_into().unwrap(),
        "landing".try_into().unwrap(),
    );
    let (account, name): (Account, ContainerName) = (account, name);
    door.container(&account, &name).unwrap()
}

fn blob(wire: Arc<dyn HttpClient>) -> Blob {
    container(wire).blob(&BlobName::try_from("tools/samtools.deb").unwrap())
}

fn content(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| u8::try_from((at / 4096 + at) % 251).unwrap())
        .collect()
}

fn file(content: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    file.rewind().unwrap();
    file
}

fn upload(content: &[u8]) -> Upload {
    Upload {
        file: file(content),
        sha256: None,
        metadata: BTreeMap::new(),
        progress: None,
    }
}

fn sha256(content: &[u8]) -> String {
    hex::encode(<sha2::Sha256 as sha2::Digest>::digest(content))
}

#[tokio::test]
async fn a_file_arrives_whole_with_its_hashes() {
    for length in [0, 1, 4 * MIB, 4 * MIB + 1, 21 * MIB] {
        let (store, content) = (Arc::new(Store::default()), content(length));
        let told = Arc::new(AtomicU64::new(0));
        let last = Arc::clone(&told);
        let progress: Arc<dyn Fn(u64) + Send + Sync> =
            Arc::new(move |done| last.store(done, Ordering::SeqCst));
        let upload = Upload {
            sha256: Some(sha256(&content)),
            progress: Some(progress),
            ..upload(&content)
        };

        let uploaded = blob(store.clone()).upload(upload).await.unwrap();

        assert_eq!(uploaded.outcome, Outcome::Made);
        assert_eq!(uploaded.hashes.sha256, sha256(&content));
        assert_eq!(
            store.content("tools/samtools.deb"),
            Some(content.clone()),
            "{length}"
        );
        assert_eq!(told.load(Ordering::SeqCst), u64::try_from(length).unwrap());
        let found = blob(store).properties().await.unwrap();
        assert_eq!(found.md5, Some(uploaded.hashes.md5));
        assert_eq!(found.metadata["sha256"], sha256(&content));
    }
}

#[tokio::test]
async fn the_same_file_again_changes_nothing_and_sends_nothing() {
    let (store, content) = (Arc::new(Store::default()), content(9 * MIB));
    blob(store.clone()).upload(upload(&content)).await.unwrap();
    let before = store.requests("PUT");

    let again = blob(store.clone()).upload(upload(&content)).await.unwrap();

    assert_eq!(again.outcome, Outcome::Unchanged);
    assert_eq!(store.requests("PUT"), before);
}

#[tokio::test]
async fn another_content_is_never_overwritten() {
    let store = Arc::new(Store::default());
    blob(store.clone()).upload(upload(b"first")).await.unwrap();

    let error = blob(store.clone())
        .upload(upload(b"other"))
        .await
        .unwrap_err();

    assert!(matches!(error, UploadError::Exists { .. }), "{error}");
    assert_eq!(store.content("tools/samtools.deb"), Some(b"first".to_vec()));
}

#[tokio::test]
async fn a_file_with_another_hash_than_expected_does_not_become_a_blob() {
    let store = Arc::new(Store::default());
    let upload = Upload {
        sha256: Some(sha256(b"good")),
        ..upload(b"evil")
    };
    let error = blob(store.clone()).upload(upload).await.unwrap_err();
    assert!(matches!(error, UploadError::Mismatch { .. }), "{error}");
    assert_eq!(store.content("tools/samtools.deb"), None);
}

/// Killed anywhere, run again: the same blob, nothing twice.
#[tokio::test]
async fn an_upload_that_was_killed_at_any_request_is_resumed() {
    let content = content(18 * MIB);
    for killed in 1..=8 {
        let store = Arc::new(Store::default());
        let faults = (killed..100).map(|number| (number, Fault::Hang));
        let failing: Arc<dyn HttpClient> = Arc::new(Failing::new(store.clone(), faults));
        let killed_blob = blob(failing);
        let first = killed_blob.upload(upload(&content));
        assert!(
            tokio::time::timeout(Duration::from_millis(700), first)
                .await
                .is_err()
        );
        let staged = store.staged("tools/samtools.deb");

        let uploaded = blob(store.clone()).upload(upload(&content)).await.unwrap();

        assert_eq!(uploaded.outcome, Outcome::Made, "killed at {killed}");
        assert_eq!(uploaded.resumed, staged, "killed at {killed}");
        assert_eq!(store.content("tools/samtools.deb").as_ref(), Some(&content));
        assert_eq!(store.staged("tools/samtools.deb"), 0, "an orphan is left");
    }
}

#[tokio::test]
async fn staged_blocks_of_another_file_are_not_used() {
    let (old, mut new) = (content(9 * MIB), content(9 * MIB));
    new[5 * MIB] ^= 1;
    let store = Arc::new(Store::default());
    let failing = Failing::new(store.clone(), (6..100).map(|number| (number, Fault::Hang)));
    let killed = blob(Arc::new(failing));
    assert!(
        tokio::time::timeout(Duration::from_millis(700), killed.upload(upload(&old)))
            .await
            .is_err()
    );

    let uploaded = blob(store.clone()).upload(upload(&new)).await.unwrap();

    assert!(uploaded.resumed < 9 * 1024 * 1024);
    assert_eq!(store.content("tools/samtools.deb"), Some(new));
}

// In real time: the clock cannot be paused while threads hash.
#[tokio::test]
async fn an_answer_that_is_lost_does_not_make_an_upload_fail() {
    let content = content(5 * MIB);
    // HEAD, staged blocks, two blocks, commit: each is done, and each answer is lost once.
    for lost in 1..=5 {
        let store = Arc::new(Store::default());
        let failing = Failing::new(store.clone(), [(lost, Fault::Break)]);
        let uploaded = blob(Arc::new(failing))
            .upload(upload(&content))
            .await
            .unwrap();
        assert_eq!(uploaded.hashes.sha256, sha256(&content), "lost {lost}");
        assert_eq!(store.content("tools/samtools.deb").as_ref(), Some(&content));
    }
}

#[tokio::test]
async fn a_missing_role_ends_an_upload_at_once_and_says_which() {
    let store = Arc::new(Store::default());
    let failing = Arc::new(Failing::new(store.clone(), [(3, Fault::Status(403))]));
    let error = blob(failing.clone())
        .upload(upload(&content(40 * MIB)))
        .await
        .unwrap_err();
    let UploadError::Failed(error) = error else {
        panic!("{error}")
    };
    assert_eq!(error.reason(), Reason::Role);
    assert!(
        error
            .hint()
            .unwrap()
            .contains("Storage Blob Data Contributor")
    );
    assert!(failing.count() < 10, "{} requests", failing.count());
}

#[tokio::test]
async fn a_range_is_read_of_the_content_that_was_asked_for_and_of_no_other() {
    let (store, content) = (Arc::new(Store::default()), content(6 * MIB));
    let blob = blob(store.clone());
    let etag = blob.upload(upload(&content)).await.unwrap().etag;

    for (offset, length) in [
        (0, 1),
        (5, 1000),
        (0, 4 * MIB),
        (MIB, 5 * MIB),
        (6 * MIB - 1, 1),
    ] {
        let (at, count) = (
            u64::try_from(offset).unwrap(),
            u64::try_from(length).unwrap(),
        );
        let read = blob.read(at, count, &etag).await.unwrap();
        assert_eq!(read, content[offset..offset + length], "{offset}+{length}");
    }
    assert!(blob.read(0, 0, &etag).await.unwrap().is_empty());
    let error = blob.read(0, 1, "\"0xother\"").await.unwrap_err();
    assert!(
        matches!(&error, ReadError::Failed(error) if error.reason() == Reason::Changed),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_not_the_range_are_refused() {
    type Headers = &'static [(&'static str, &'static str)];
    const GOOD: (&str, &str) = ("content-range", "bytes 0-2/9");
    let cases: [(u16, Headers, &str, &str); 6] = [
        (
            206,
            &[("content-range", "bytes 3-5/9"), ("etag", "e")],
            "abc",
            "another range",
        ),
        (206, &[GOOD, ("etag", "e")], "ab", "too short"),
        (206, &[GOOD, ("etag", "e")], "abcd", "too long"),
        (200, &[("etag", "e")], "abc", "not a range"),
        (
            206,
            &[GOOD, ("etag", "e"), ("x-ms-content-crc64", "AAAAAAAAAAA=")],
            "abc",
            "damaged",
        ),
        (
            302,
            &[("location", "https://evil.test/")],
            "",
            "sent elsewhere",
        ),
    ];
    for (status, headers, body, what) in cases {
        let script = Script::new();
        for _ in 0..8 {
            script.push(status, headers, body);
        }
        let script = Arc::new(script);
        let read = blob(script.clone()).read(0, 3, "e").await;
        assert!(read.is_err(), "{what}");
        assert!(
            script
                .asked()
                .iter()
                .all(|asked| asked.url.contains("stlanding.blob")),
            "{what}"
        );
    }
}

#[tokio::test]
async fn lists_are_followed_to_their_end_but_not_in_circles_and_not_without_limit() {
    let page = |name: &str, next: &str| {
        format!(
            "<EnumerationResults><Blobs><Blob><Name>{name}</Name><Properties><Content-Length>3</Content-Length>\
             <Etag>0x1</Etag></Properties></Blob></Blobs><NextMarker>{next}</NextMarker></EnumerationResults>"
        )
    };
    let script = Script::new()
        .answer(200, &[], page("a", "m1"))
        .answer(200, &[], page("b", ""));
    let items = container(Arc::new(script)).list("", 10).await.unwrap();
    assert_eq!(
        items
            .iter()
            .map(|item| item.name.as_str())
            .collect::<Vec<_>>(),
        ["a", "b"]
    );

    let circle = Script::new()
        .answer(200, &[], page("a", "m1"))
        .answer(200, &[], page("b", "m1"));
    let error = container(Arc::new(circle)).list("", 10).await.unwrap_err();
    assert!(
        error.to_string().ends_with("its pages go in a circle"),
        "{error}"
    );

    let many = Script::new()
        .answer(200, &[], page("a", "m1"))
        .answer(200, &[], page("b", "m2"));
    let error = container(Arc::new(many)).list("", 1).await.unwrap_err();
    assert!(
        error.to_string().ends_with("there are more than 1"),
        "{error}"
    );

    let garbage = Script::new().answer(200, &[], "<EnumerationResults><Blobs><Blob/>");
    assert!(container(Arc::new(garbage)).list("", 10).await.is_err());
}

#[tokio::test]
async fn a_blob_that_is_not_there_is_none_and_a_container_that_is_not_there_is_an_error() {
    let absent = Script::new().answer(404, &[("x-ms-error-code", "BlobNotFound")], "");
    assert!(blob(Arc::new(absent)).find().await.unwrap().is_none());
    let absent = Script::new().answer(404, &[("x-ms-error-code", "ContainerNotFound")], "");
    assert!(blob(Arc::new(absent)).find().await.is_err());
}

#[tokio::test]
async fn immutability_is_read_as_it_is() {
    let script = Script::new()
        .answer(
            200,
            &[
                ("etag", "e"),
                ("content-length", "3"),
                ("x-ms-immutability-policy-mode", "locked"),
                (
                    "x-ms-immutability-policy-until-date",
                    "Sun, 31 Jan 2027 00:00:00 GMT",
                ),
                ("x-ms-legal-hold", "true"),
                ("x-ms-version-id", "2026-11-23T00:00:00.0000000Z"),
            ],
            "",
        )
        .answer(200, &[("etag", "e"), ("content-length", "3")], "");
    let blob = blob(Arc::new(script));

    let held = blob.properties().await.unwrap();
    assert_eq!(
        held.immutable_until,
        Some("2027-01-31T00:00:00Z".parse().unwrap())
    );
    assert_eq!(held.immutability, Some(azure::blob::Mode::Locked));
    assert!(held.legal_hold && held.version.is_some());
    let free = blob.properties().await.unwrap();
    assert_eq!(
        (free.immutable_until, free.immutability, free.legal_hold),
        (None, None, false)
    );
}
