//! Log ingestion: batches, halves, and what was sent before something failed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what is not as expected fails the test"
)]

use std::io::Read as _;
use std::sync::Arc;

use azure::door::Door;
use azure::fake::{Fixed, Script};
use azure::ingestion::{Ingestion, IngestionError};
use azure::names::Segment;
use azure::setting::{Endpoint, Setting};
use serde_json::{Value, json};

fn ingestion(script: &Arc<Script>) -> Ingestion {
    let door = Door::with(
        Setting::default(),
        Arc::new(Fixed::new("t")),
        script.clone(),
    );
    let endpoint = Endpoint::try_from("https://dce.ingest.monitor.azure.com".to_owned()).unwrap();
    let (rule, stream) = (
        "dcr-1".try_into().unwrap(),
        "Custom-Tre_CL".try_into().unwrap(),
    );
    let (rule, stream): (Segment, Segment) = (rule, stream);
    door.ingestion(&endpoint, &rule, &stream).unwrap()
}

fn rows(script: &Script) -> Vec<usize> {
    let asked = script.asked();
    let lengths = asked.iter().map(|asked| {
        let mut clear = String::new();
        flate2::read::GzDecoder::new(&*asked.body)
            .read_to_string(&mut clear)
            .unwrap();
        assert!(clear.len() < 1_000_000 && asked.body.len() < 1_000_000);
        serde_json::from_str::<Vec<Value>>(&clear).unwrap().len()
    });
    lengths.collect()
}

#[tokio::test]
async fn many_rows_are_sent_in_batches_below_a_megabyte() {
    let script = Arc::new(
        Script::new()
            .answer(204, &[], "")
            .answer(204, &[], "")
            .answer(204, &[], ""),
    );
    let row = json!({"RuleId": "KRN-004", "Text": "x".repeat(1000)});
    let sent = ingestion(&script).send(&vec![row; 2000]).await.unwrap();

    assert_eq!((sent.rows, sent.batches), (2000, 3));
    assert_eq!(rows(&script).iter().sum::<usize>(), 2000);
}

#[tokio::test]
async fn a_batch_that_is_too_long_for_the_service_is_sent_in_halves() {
    let script = Arc::new(
        Script::new()
            .answer(413, &[], "")
            .answer(204, &[], "")
            .answer(204, &[], ""),
    );
    let sent = ingestion(&script)
        .send(&[json!(1), json!(2), json!(3)])
        .await
        .unwrap();

    assert_eq!((sent.rows, sent.batches), (3, 2));
    assert_eq!(rows(&script), [3, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_before_a_failure_is_counted() {
    let script = Arc::new(Script::new().answer(204, &[], "").answer(
        403,
        &[],
        r#"{"error":{"code":"OperationFailed"}}"#,
    ));
    let row = json!("x".repeat(800_000));
    let error = ingestion(&script)
        .send(&[row.clone(), row])
        .await
        .unwrap_err();
    assert!(
        matches!(error, IngestionError::Failed { sent, .. } if sent.rows == 1),
        "{error}"
    );
}

/// Losing rows is worse than sending them twice.
#[tokio::test(start_paused = true)]
async fn rows_are_sent_again_when_the_service_stumbles() {
    let script = Arc::new(
        Script::new()
            .answer(503, &[], "")
            .answer(429, &[("retry-after", "3")], "")
            .answer(204, &[], ""),
    );
    assert_eq!(ingestion(&script).send(&[json!(1)]).await.unwrap().rows, 1);
}

#[tokio::test]
async fn a_row_that_fits_into_no_batch_is_named_and_nothing_is_sent() {
    let script = Arc::new(Script::new());
    let error = ingestion(&script)
        .send(&[json!(1), json!("x".repeat(2_000_000))])
        .await
        .unwrap_err();
    assert!(
        matches!(error, IngestionError::TooLong { row: 1, .. }),
        "{error}"
    );
    assert!(script.asked().is_empty());
}
