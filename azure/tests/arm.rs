//! Resource Manager: pages, links, operations, and when a request is repeated.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what is not as expected fails the test"
)]

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use azure::call;
use azure::datafactory::Factory;
use azure::door::Door;
use azure::error::Reason;
use azure::fake::{Failing, Fault, Fixed, Script};
use azure::gallery::{Gallery, Version};
use azure::names::{ResourceId, Segment};
use azure::operation::{News, OperationError};
use azure::setting::Setting;
use azure_core::http::HttpClient;
use tokio::time::Instant;

const GALLERY: &str =
    "/subscriptions/11/resourceGroups/rg/providers/Microsoft.Compute/galleries/tre";
const FACTORY: &str =
    "/subscriptions/11/resourceGroups/rg/providers/Microsoft.DataFactory/factories/adf";
const HOST: &str = "https://management.azure.com";

fn segment(text: &str) -> Segment {
    Segment::try_from(text).unwrap()
}

fn door(wire: Arc<dyn HttpClient>) -> Door {
    Door::with(Setting::default(), Arc::new(Fixed::new("canary")), wire)
}

fn gallery(wire: Arc<dyn HttpClient>) -> Gallery {
    door(wire)
        .gallery(&ResourceId::try_from(GALLERY).unwrap())
        .unwrap()
}

fn factory(wire: Arc<dyn HttpClient>) -> Factory {
    door(wire)
        .factory(&ResourceId::try_from(FACTORY).unwrap())
        .unwrap()
}

fn shown(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        write!(text, "\n  cause: {cause}").unwrap();
        source = cause.source();
    }
    text
}

#[tokio::test]
async fn pages_are_followed_to_the_end() {
    let next =
        format!("{HOST}{GALLERY}/images/desktop/versions?api-version=2025-03-03&$skiptoken=2");
    let script = Arc::new(
        Script::new()
            .answer(
                200,
                &[],
                format!(
                    r#"{{"value":[{{"location":"a","properties":{{}}}}],"nextLink":"{next}"}}"#
                ),
            )
            .answer(200, &[], r#"{"value":[{"location":"b","properties":{}}]}"#),
    );
    let versions = gallery(script.clone())
        .versions(&segment("desktop"))
        .await
        .unwrap();

    assert_eq!(
        versions
            .iter()
            .map(|version| version.location.as_str())
            .collect::<Vec<_>>(),
        ["a", "b"]
    );
    assert!(script.asked()[1].url.contains("$skiptoken=2"));
}

/// A token must not follow a link to another host.
#[tokio::test]
async fn links_to_other_hosts_are_not_followed() {
    for link in [
        "https://evil.test/steal",
        "https://management.azure.com.evil.test/",
        "https://management.azure.com@evil.test/",
        "https://management.azure.com:8443/",
        "http://management.azure.com/",
        "https://user@management.azure.com/",
    ] {
        let page = format!(r#"{{"value":[],"nextLink":"{link}"}}"#);
        let script = Arc::new(Script::new().answer(200, &[], page));
        let error = gallery(script.clone())
            .versions(&segment("desktop"))
            .await
            .unwrap_err();
        assert!(
            shown(&error).contains("is not followed"),
            "{}",
            shown(&error)
        );
        assert_eq!(script.asked().len(), 1, "{link}");

        let script = Arc::new(Script::new().answer(202, &[("azure-asyncoperation", link)], ""));
        let begun = gallery(script.clone())
            .delete_image(&segment("desktop"))
            .await;
        assert!(begun.is_err(), "{link}");
        assert_eq!(script.asked().len(), 1, "{link}");

        let script = Arc::new(Script::new());
        assert!(
            door(script.clone()).arm().unwrap().attach(link).is_err(),
            "{link}"
        );
    }
}

#[tokio::test]
async fn pages_that_go_in_a_circle_are_an_error() {
    let first = format!("{HOST}{GALLERY}/images/desktop/versions?api-version=2025-03-03");
    let second = format!("{first}&page=2");
    let page = |link: &str| format!(r#"{{"value":[],"nextLink":"{link}"}}"#);
    let script = Arc::new(Script::new().answer(200, &[], page(&second)).answer(
        200,
        &[],
        page(&second),
    ));
    let error = gallery(script.clone())
        .versions(&segment("desktop"))
        .await
        .unwrap_err();
    assert!(
        shown(&error).contains("its pages go in a circle"),
        "{}",
        shown(&error)
    );
    assert_eq!(script.asked().len(), 2);

    let more = r#"{"value":[],"continuationToken":"same"}"#;
    let script = Arc::new(Script::new().answer(200, &[], more).answer(200, &[], more));
    let span = azure::datafactory::Span {
        after: "2026-11-23T00:00:00Z".parse().unwrap(),
        before: "2026-11-24T00:00:00Z".parse().unwrap(),
    };
    let error = factory(script)
        .runs(&segment("import"), span)
        .await
        .unwrap_err();
    assert!(
        shown(&error).contains("its pages go in a circle"),
        "{}",
        shown(&error)
    );
}

#[tokio::test(start_paused = true)]
async fn every_status_is_tried_as_often_as_the_table_says() {
    for (status, expected) in [
        (400, 1),
        (401, 1),
        (403, 1),
        (404, 1),
        (409, 1),
        (302, 1),
        (408, 4),
        (429, 6),
        (500, 4),
        (502, 4),
        (503, 5),
        (504, 4),
    ] {
        let faults = (1..100).map(|number| (number, Fault::Status(status)));
        let failing = Arc::new(Failing::new(Arc::new(Script::new()), faults));
        let error = gallery(failing.clone())
            .image(&segment("desktop"))
            .await
            .unwrap_err();
        assert_eq!(
            (failing.count(), error.status()),
            (expected, Some(status)),
            "{status}"
        );
    }
}

/// A run that is started twice copies twice.
#[tokio::test(start_paused = true)]
async fn what_starts_something_is_not_sent_twice() {
    for (fault, expected) in [
        (Fault::Status(500), 1),
        (Fault::Status(503), 1),
        (Fault::Status(504), 1),
        (Fault::Break, 1),
        (Fault::Hang, 1),
        (Fault::Status(429), 2),
        (Fault::Unconnected, 2),
    ] {
        let script = Arc::new(Script::new().answer(200, &[], r#"{"runId":"r-1"}"#));
        let failing = Arc::new(Failing::new(script, [(1, fault)]));
        let run = factory(failing.clone())
            .create_run(&segment("import"), &BTreeMap::new())
            .await;
        assert_eq!(
            (failing.count(), run.is_ok()),
            (expected, expected == 2),
            "{fault:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_asks_for_an_hour_is_not_waited_for() {
    let script = Script::new().answer(503, &[("retry-after", "3600")], "");
    let started = Instant::now();

    let error = gallery(Arc::new(script))
        .image(&segment("desktop"))
        .await
        .unwrap_err();

    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(error.reason(), Reason::Deadline);
    assert!(
        shown(&error).contains("asks to wait for"),
        "{}",
        shown(&error)
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_that_never_answers_is_given_three_minutes() {
    let faults = (1..100).map(|number| (number, Fault::Hang));
    let failing = Arc::new(Failing::new(Arc::new(Script::new()), faults));
    let started = Instant::now();

    let error = gallery(failing)
        .image(&segment("desktop"))
        .await
        .unwrap_err();

    assert!(
        started.elapsed() <= Duration::from_secs(181),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(error.reason(), Reason::Deadline);
}

fn put_answer(header: (&str, &str), status: u16) -> Script {
    let body = r#"{"location":"a","properties":{"provisioningState":"Creating"}}"#;
    Script::new().answer(status, &[header, ("retry-after", "7")], body)
}

async fn put(
    script: &Arc<Script>,
    news: &mut Vec<News>,
) -> Result<serde_json::Value, OperationError> {
    let gallery = gallery(script.clone());
    let (image, version) = (segment("desktop"), segment("1.0.0"));
    let operation = gallery
        .put_version(&image, &version, &Version::default())
        .await?;
    operation
        .wait(Duration::from_mins(10), |now| news.push(now.clone()))
        .await
}

#[tokio::test(start_paused = true)]
async fn an_operation_is_followed_at_the_pace_the_service_asks_for() {
    let link = format!("{HOST}/subscriptions/11/operations/1");
    let location = format!("{HOST}/subscriptions/11/never/asked");
    let script = Arc::new(
        Script::new()
            .answer(
                201,
                &[
                    ("azure-asyncoperation", &link),
                    ("location", &location),
                    ("retry-after", "7"),
                ],
                "{}",
            )
            .answer(
                200,
                &[("retry-after", "20")],
                r#"{"status":"Replicating","percentComplete":41.7}"#,
            )
            .answer(
                200,
                &[],
                r#"{"status":"Replicating","percentComplete":41.7}"#,
            )
            .answer(200, &[], r#"{"status":"Succeeded","percentComplete":100}"#)
            .answer(
                200,
                &[],
                r#"{"location":"a","properties":{"provisioningState":"Succeeded"}}"#,
            ),
    );
    let (started, mut news) = (Instant::now(), Vec::new());

    let result = put(&script, &mut news).await.unwrap();

    assert_eq!(result["properties"]["provisioningState"], "Succeeded");
    assert_eq!(
        news,
        [
            News {
                status: "Replicating".into(),
                percent: Some(41)
            },
            News {
                status: "Succeeded".into(),
                percent: Some(100)
            },
        ]
    );
    assert!(
        started.elapsed() >= Duration::from_secs(22),
        "{:?}",
        started.elapsed()
    );
    assert!(
        script
            .asked()
            .iter()
            .all(|asked| !asked.url.contains("never"))
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_link_to_the_operation_the_resource_is_watched() {
    let script = Arc::new(
        put_answer(("x", "y"), 200)
            .answer(
                200,
                &[],
                r#"{"properties":{"provisioningState":"Updating"}}"#,
            )
            .answer(
                200,
                &[],
                r#"{"properties":{"provisioningState":"Succeeded"}}"#,
            ),
    );
    let result = put(&script, &mut Vec::new()).await.unwrap();
    assert_eq!(result["properties"]["provisioningState"], "Succeeded");
    assert_eq!(script.left(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_is_followed_by_its_location() {
    let link = format!("{HOST}/subscriptions/11/operations/1");
    let script = Arc::new(
        Script::new()
            .answer(202, &[("location", &link)], "")
            .answer(202, &[("retry-after", "1")], "")
            .answer(204, &[], ""),
    );
    let gallery = gallery(script.clone());
    let operation = gallery.delete_image(&segment("desktop")).await.unwrap();
    operation
        .wait(Duration::from_mins(1), |_| {})
        .await
        .unwrap();
    assert_eq!(script.left(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_fails_says_why_and_one_that_is_cancelled_says_so() {
    let link = format!("{HOST}/subscriptions/11/operations/1");
    let failed =
        r#"{"status":"Failed","error":{"code":"QuotaExceeded","message":"No cores left."}}"#;
    let script =
        Arc::new(put_answer(("azure-asyncoperation", &link), 201).answer(200, &[], failed));
    let error = put(&script, &mut Vec::new()).await.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("failed: QuotaExceeded: No cores left."),
        "{error}"
    );

    let script = Arc::new(put_answer(("azure-asyncoperation", &link), 201).answer(
        200,
        &[],
        r#"{"status":"Canceled"}"#,
    ));
    let error = put(&script, &mut Vec::new()).await.unwrap_err();
    assert!(matches!(error, OperationError::Canceled { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_vanished_is_an_error() {
    let link = format!("{HOST}/subscriptions/11/operations/1");
    let script = Arc::new(put_answer(("azure-asyncoperation", &link), 201).answer(404, &[], ""));
    let error = put(&script, &mut Vec::new()).await.unwrap_err();
    assert!(
        matches!(&error, OperationError::Request(error) if error.reason() == Reason::Missing),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_does_not_end_ends_the_waiting_and_can_be_taken_up_again() {
    let link = format!("{HOST}/subscriptions/11/operations/1");
    let script = put_answer(("azure-asyncoperation", &link), 201);
    for _ in 0..200 {
        script.push(200, &[], r#"{"status":"Running"}"#);
    }
    let script = Arc::new(script);
    let started = Instant::now();
    let error = put(&script, &mut Vec::new()).await.unwrap_err();
    assert!(matches!(error, OperationError::Late { .. }), "{error}");
    assert!(started.elapsed() <= Duration::from_mins(10));

    let again =
        Arc::new(Script::new().answer(200, &[], r#"{"status":"Succeeded","properties":{"x":1}}"#));
    let operation = door(again.clone()).arm().unwrap().attach(&link).unwrap();
    assert_eq!(operation.link(), Some(link.as_str()));
    let result = operation
        .wait(Duration::from_mins(1), |_| {})
        .await
        .unwrap();
    assert_eq!(result["x"], 1);
}

#[tokio::test]
async fn malformed_answers_are_errors_that_name_the_request() {
    for body in [
        "",
        "null",
        "[]",
        "<html>",
        r#"{"runId":5}"#,
        r#"{"runId":"../../x"}"#,
    ] {
        let script = Script::new().answer(200, &[], body);
        let run = factory(Arc::new(script))
            .create_run(&segment("import"), &BTreeMap::new())
            .await;
        let error = run.unwrap_err();
        assert_eq!(error.call(), &call::datafactory::CREATE_RUN);
        assert!(error.source().is_some(), "{body}");
    }
}
