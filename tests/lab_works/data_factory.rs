//! Data Factory: the secure import.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::lab::Lab;
use tests::lab::arm::data_factory::{Course, Events, FACTORY, PIPELINE};
use tests::lab::metadata::{RESOURCE_GROUP, SUBSCRIPTION};
use tests::lab::storage::endpoint;

use crate::curl::{Reply, ask_as};

const STORAGE: &str = "https://storage.azure.com";

fn factory(rest: &str) -> String {
    format!(
        "https://management.azure.com/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}/providers/\
         Microsoft.DataFactory/factories/{FACTORY}/{rest}?api-version=2018-06-01"
    )
}

fn post(lab: &Lab, rest: &str, body: &Value) -> Reply {
    let text = body.to_string();
    let arguments = [
        "--header",
        "Content-Type: application/json",
        "--data-binary",
        &text,
        &factory(rest),
    ];
    ask_as(lab, "https://management.azure.com", &arguments)
}

fn land(lab: &Lab, name: &str) {
    let url = format!("{}/landing/{name}", endpoint("stlanding"));
    let headers = [
        "--header",
        "x-ms-blob-type: BlockBlob",
        "--header",
        "x-ms-meta-sha256: abc",
    ];
    let put = ["--request", "PUT", "--data-binary", "binary", &url];
    assert_eq!(
        ask_as(lab, STORAGE, &[&headers[..], &put].concat()).status,
        201
    );
}

fn blob(lab: &Lab, account: &str, path: &str) -> Reply {
    ask_as(lab, STORAGE, &[&format!("{}/{path}", endpoint(account))])
}

fn start(lab: &Lab, name: &str) -> String {
    let (folder, file) = name.rsplit_once('/').unwrap();
    let run = post(
        lab,
        &format!("pipelines/{PIPELINE}/createRun"),
        &json!({ "folder": format!("landing/{folder}"), "file": file }),
    );
    assert_eq!(run.status, 200, "{run:?}");
    run.json()["runId"].as_str().unwrap().to_owned()
}

fn status(lab: &Lab, run: &str) -> Reply {
    ask_as(
        lab,
        "https://management.azure.com",
        &[&factory(&format!("pipelineruns/{run}"))],
    )
}

fn ended(lab: &Lab, run: &str) -> Value {
    let began = Instant::now();
    loop {
        let found = status(lab, run).json();
        if !["Queued", "InProgress"].contains(&found["status"].as_str().unwrap_or_default()) {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{found}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn activities(lab: &Lab, run: &str) -> Value {
    let window = json!({ "lastUpdatedAfter": "2020-01-01T00:00:00Z", "lastUpdatedBefore": "2099-01-01T00:00:00Z" });
    let found = post(
        lab,
        &format!("pipelineruns/{run}/queryActivityruns"),
        &window,
    );
    assert_eq!(found.status, 200, "{found:?}");
    found.json()["value"].clone()
}

#[test]
fn blob_is_moved_verified_and_immutable() {
    let Some(lab) = super::lab() else { return };
    land(&lab, "in/good.deb");
    let run = start(&lab, "in/good.deb");
    assert_eq!(ended(&lab, &run)["status"], "Succeeded");

    let copy = blob(&lab, "stsecure", "import/in/good.deb");
    assert_eq!(
        (copy.body.as_str(), copy.header("x-ms-meta-sha256")),
        ("binary", "abc")
    );
    assert!(
        !copy.header("x-ms-version-id").is_empty() && !copy.header("content-md5").is_empty(),
        "{copy:?}"
    );
    assert_eq!(blob(&lab, "stlanding", "landing/in/good.deb").status, 404);
    let activities = activities(&lab, &run);
    let output = &activities[0]["output"];
    assert_eq!(
        output["dataConsistencyVerification"]["VerificationResult"],
        "Verified"
    );
    assert_eq!(
        (&output["filesWritten"], &output["dataWritten"]),
        (&json!(1), &json!(6))
    );
    assert_eq!(activities[1]["output"]["filesDeleted"], 1);
}

#[test]
fn runs_go_wrong_on_demand() {
    let Some(lab) = super::lab() else { return };
    let courses = [
        (
            Course::CopyFails("2200".into(), "no access".into()),
            "Failed",
            "no access",
        ),
        (Course::Cancelled, "Cancelled", "Pipeline was canceled."),
        (Course::KeepsOriginal, "Failed", "DeleteOriginal"),
    ];
    for (number, (course, expected, message)) in courses.into_iter().enumerate() {
        let name = format!("wrong/{number}");
        land(&lab, &name);
        lab.arm.data_factory.course(course);
        let found = ended(&lab, &start(&lab, &name));
        assert_eq!(found["status"], expected, "{found}");
        assert!(
            found["message"].as_str().unwrap().contains(message),
            "{found}"
        );
        assert_eq!(
            blob(&lab, "stlanding", &format!("landing/{name}")).status,
            200
        );
    }
    lab.arm.data_factory.course(Course::Vanishes);
    land(&lab, "wrong/vanished");
    let run = start(&lab, "wrong/vanished");
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(status(&lab, &run).code(), "PipelineRunNotFound");
}

#[test]
fn copies_are_damaged_unnoticed_on_demand() {
    let Some(lab) = super::lab() else { return };
    for (course, expected) in [(Course::Corrupts, "cinary"), (Course::Truncates, "binar")] {
        let name = format!("damaged/{expected}");
        land(&lab, &name);
        lab.arm.data_factory.course(course);
        assert_eq!(ended(&lab, &start(&lab, &name))["status"], "Succeeded");
        assert_eq!(
            blob(&lab, "stsecure", &format!("import/{name}")).body,
            expected
        );
    }
}

#[test]
fn running_run_is_cancelled_by_request() {
    let Some(lab) = super::lab() else { return };
    lab.arm.data_factory.course(Course::Hangs);
    land(&lab, "hangs/a");
    let run = start(&lab, "hangs/a");
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(status(&lab, &run).json()["status"], "InProgress");
    assert_eq!(
        post(&lab, &format!("pipelineruns/{run}/cancel"), &json!({})).status,
        200
    );
    assert_eq!(ended(&lab, &run)["status"], "Cancelled");
}

#[test]
fn new_blobs_set_off_runs_once_or_twice_or_never() {
    let Some(lab) = super::lab() else { return };
    for (events, expected) in [(Events::None, 0), (Events::Once, 1), (Events::Twice, 2)] {
        lab.arm.data_factory.events(events);
        let before = lab.arm.data_factory.runs().len();
        land(&lab, &format!("events/{expected}"));
        std::thread::sleep(Duration::from_millis(600));
        let begun = lab.arm.data_factory.runs().split_off(before);
        assert_eq!(begun.len(), expected);
        for run in begun {
            assert_eq!(
                ended(&lab, &run)["invokedBy"]["invokedByType"],
                "BlobEventsTrigger"
            );
        }
    }
    let filter = json!({
        "lastUpdatedAfter": "2020-01-01T00:00:00Z", "lastUpdatedBefore": "2099-01-01T00:00:00Z",
        "filters": [{ "operand": "PipelineName", "operator": "Equals", "values": [PIPELINE] }],
    });
    let runs = post(&lab, "queryPipelineRuns", &filter).json();
    assert!(runs["value"].as_array().unwrap().len() >= 3, "{runs}");
    assert_eq!(
        post(
            &lab,
            "queryPipelineRuns",
            &json!({ "LastUpdatedAfter": "x" })
        )
        .status,
        400
    );
}

#[test]
fn pipelines_and_parameters_are_checked() {
    let Some(lab) = super::lab() else { return };
    let missing = post(
        &lab,
        &format!("pipelines/{PIPELINE}/createRun"),
        &json!({ "file": "x" }),
    );
    assert!(
        missing.status == 400 && missing.body.contains("folder"),
        "{missing:?}"
    );
    assert_eq!(
        post(&lab, "pipelines/other/createRun", &json!({})).status,
        404
    );
    let wrong = json!({ "properties": { "activities": [{ "name": "c", "type": "Copy", "typeproperties": {} }] } });
    let text = wrong.to_string();
    let put = [
        "--request",
        "PUT",
        "--header",
        "Content-Type: application/json",
        "--data",
        &text,
    ];
    let url = factory("pipelines/wrong");
    let put = [&put[..], &[&url]].concat();
    let refused = ask_as(&lab, "https://management.azure.com", &put);
    assert!(
        refused.status == 400 && refused.body.contains("typeproperties"),
        "{refused:?}"
    );
}
