//! Management: Image Builder and Compute Gallery.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::lab::Lab;
use tests::lab::arm::Outcome;
use tests::lab::metadata::{RESOURCE_GROUP, SUBSCRIPTION};
use tests::lab::site::fault::Fault;

use crate::curl::{Reply, ask_as};

const AUDIENCE: &str = "https://management.azure.com";
const BUILDER: &str = "api-version=2025-10-01";
const COMPUTE: &str = "api-version=2024-03-03";

fn id(rest: &str) -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}/providers/{rest}")
}

fn call(lab: &Lab, method: &str, target: &str, body: Option<&Value>) -> Reply {
    let url = format!("https://management.azure.com{target}");
    let text = body.map(Value::to_string).unwrap_or_default();
    let mut arguments = vec!["--request", method, &url];
    if body.is_some() {
        arguments.extend([
            "--header",
            "Content-Type: application/json",
            "--data-binary",
            &text,
        ]);
    } else if method == "POST" {
        arguments.extend(["--header", "Content-Length: 0"]);
    }
    ask_as(lab, AUDIENCE, &arguments)
}

fn follow(lab: &Lab, accepted: &Reply, header: &str) -> Reply {
    let url = accepted
        .header(header)
        .strip_prefix("https://management.azure.com")
        .unwrap()
        .to_owned();
    let began = Instant::now();
    loop {
        let reply = call(lab, "GET", &url, None);
        let running = reply.status == 202 || reply.json()["status"] == "InProgress";
        if !running {
            return reply;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{reply:?}");
    }
}

fn template(definition: &str) -> Value {
    let identity = id("Microsoft.ManagedIdentity/userAssignedIdentities/builder");
    json!({
        "location": "westeurope",
        "identity": { "type": "UserAssigned", "userAssignedIdentities": { identity: {} } },
        "properties": {
            "buildTimeoutInMinutes": 60,
            "source": { "type": "PlatformImage", "publisher": "canonical", "offer": "ubuntu-24_04-lts",
                        "sku": "server", "version": "24.04.202611010" },
            "customize": [{ "type": "Shell", "name": "agent", "inline": ["sudo true"] }],
            "distribute": [{ "type": "SharedImage", "runOutputName": "gallery", "galleryImageId": definition,
                             "artifactTags": { "lock": "abc" },
                             "targetRegions": [{ "name": "westeurope", "replicaCount": 1 }] }],
        },
    })
}

fn have_definition(lab: &Lab, name: &str) -> String {
    let gallery = json!({ "location": "westeurope", "properties": {} });
    lab.arm
        .have("Microsoft.Compute/galleries", "tre", gallery)
        .unwrap();
    let definition = json!({ "location": "westeurope", "properties": {
        "osType": "Linux", "osState": "Generalized", "hyperVGeneration": "V2",
        "identifier": { "publisher": "tre", "offer": "desktop", "sku": name },
    } });
    lab.arm
        .have(
            "Microsoft.Compute/galleries",
            &format!("tre/images/{name}"),
            definition,
        )
        .unwrap();
    id(&format!("Microsoft.Compute/galleries/tre/images/{name}"))
}

fn version() -> Value {
    json!({ "location": "westeurope", "properties": {
        "publishingProfile": { "targetRegions": [{ "name": "West Europe", "regionalReplicaCount": 1 },
                                                 { "name": "northeurope", "excludeFromLatest": true }] },
        "storageProfile": { "osDiskImage": { "source": { "id": id("Microsoft.Compute/disks/d") } } },
    } })
}

/// A mistake in a body, and the field that the refusal must name.
fn with(mut body: Value, pointer: &str, key: &str, value: Value) -> Value {
    body.pointer_mut(pointer).unwrap()[key] = value;
    body
}

#[test]
fn bodies_are_taken_as_strictly_as_azure_takes_them() {
    let Some(lab) = super::lab() else { return };
    let target = format!(
        "{}?{BUILDER}",
        id("Microsoft.VirtualMachineImages/imageTemplates/strict")
    );
    let good = template(&id("Microsoft.Compute/galleries/tre/images/strict"));
    let wrong = [
        (
            with(good.clone(), "/properties/source", "Publisher", json!("x")),
            "Publisher",
        ),
        (
            with(
                good.clone(),
                "/properties/customize/0",
                "inlines",
                json!([]),
            ),
            "inlines",
        ),
        (
            with(
                good.clone(),
                "/properties",
                "buildTimeoutInMinutes",
                json!("60"),
            ),
            "buildTimeoutInMinutes",
        ),
        (
            with(
                good.clone(),
                "/properties",
                "buildTimeoutInMinutes",
                json!(961),
            ),
            "buildTimeoutInMinutes",
        ),
        (
            with(
                good.clone(),
                "/properties/source",
                "type",
                json!("platformImage"),
            ),
            "source",
        ),
        (with(good.clone(), "", "Tags", json!({})), "Tags"),
        (
            with(good.clone(), "/properties", "source", Value::Null),
            "source",
        ),
        (
            with(
                good.clone(),
                "/properties/distribute/0",
                "runOutputName",
                Value::Null,
            ),
            "runOutputName",
        ),
    ];
    for (body, field) in wrong {
        let reply = call(&lab, "PUT", &target, Some(&body));
        assert_eq!(
            (reply.status, reply.code()),
            (400, "InvalidRequestContent"),
            "{field}: {reply:?}"
        );
        assert!(reply.body.contains(field), "{field}: {}", reply.body);
    }
    let reply = call(&lab, "PUT", &target, Some(&good));
    assert_eq!(reply.status, 201, "{reply:?}");
    assert_eq!(
        call(
            &lab,
            "PUT",
            &target.replace(BUILDER, "api-version=1999-01-01"),
            Some(&good)
        )
        .status,
        400
    );
}

#[test]
fn run_goes_through_its_stages_to_a_gallery_version() {
    let Some(lab) = super::lab() else { return };
    let definition = have_definition(&lab, "run");
    let template_id = id("Microsoft.VirtualMachineImages/imageTemplates/run");
    let put = call(
        &lab,
        "PUT",
        &format!("{template_id}?{BUILDER}"),
        Some(&template(&definition)),
    );
    assert_eq!(
        follow(&lab, &put, "azure-asyncoperation").json()["status"],
        "Succeeded"
    );
    lab.arm.takes(Duration::from_millis(1500));

    let run = call(&lab, "POST", &format!("{template_id}/run?{BUILDER}"), None);
    assert_eq!(run.status, 202, "{run:?}");
    assert_eq!(
        call(&lab, "POST", &format!("{template_id}/run?{BUILDER}"), None).status,
        409
    );
    let mut stages = Vec::new();
    let ended = loop {
        let status = call(&lab, "GET", &format!("{template_id}?{BUILDER}"), None).json();
        let status = status["properties"]["lastRunStatus"].clone();
        if status["runState"] != "Running" {
            break status;
        }
        let stage = status["runSubState"].as_str().unwrap().to_owned();
        if stages.last() != Some(&stage) {
            stages.push(stage);
        }
    };
    assert_eq!(ended["runState"], "Succeeded", "{ended}");
    assert!(stages.len() >= 3, "{stages:?}");
    assert_eq!(follow(&lab, &run, "location").status, 200);

    let output = call(
        &lab,
        "GET",
        &format!("{template_id}/runOutputs/gallery?{BUILDER}"),
        None,
    )
    .json();
    let made = output["properties"]["artifactId"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(made, format!("{definition}/versions/0.0.1"));
    let found = call(
        &lab,
        "GET",
        &format!("{made}?{COMPUTE}&$expand=ReplicationStatus"),
        None,
    )
    .json();
    assert!(
        found["properties"]["replicationStatus"]["aggregatedState"].is_string(),
        "{found}"
    );
}

#[test]
fn operations_end_as_told() {
    let Some(lab) = super::lab() else { return };
    let definition = have_definition(&lab, "ends");
    let template_id = id("Microsoft.VirtualMachineImages/imageTemplates/ends");
    let body = template(&definition);
    let put = call(
        &lab,
        "PUT",
        &format!("{template_id}?{BUILDER}"),
        Some(&body),
    );
    follow(&lab, &put, "azure-asyncoperation");

    lab.arm.next(
        "/run?",
        Outcome::Failed("BuildFailed".into(), "no space left".into()),
    );
    let run = call(&lab, "POST", &format!("{template_id}/run?{BUILDER}"), None);
    let failed = follow(&lab, &run, "azure-asyncoperation").json();
    assert_eq!(
        (&failed["status"], &failed["error"]["message"]),
        (&json!("Failed"), &json!("no space left"))
    );
    let status = call(&lab, "GET", &format!("{template_id}?{BUILDER}"), None).json();
    assert_eq!(status["properties"]["lastRunStatus"]["runState"], "Failed");

    lab.arm.next("/run?", Outcome::Never);
    call(&lab, "POST", &format!("{template_id}/run?{BUILDER}"), None);
    assert_eq!(
        call(
            &lab,
            "POST",
            &format!("{template_id}/cancel?{BUILDER}"),
            None
        )
        .status,
        202
    );
    let status = call(&lab, "GET", &format!("{template_id}?{BUILDER}"), None).json();
    assert_eq!(
        status["properties"]["lastRunStatus"]["runState"],
        "Canceled"
    );

    // A gateway gives up although the run was accepted.
    lab.arm
        .site
        .fail(Fault::lost(Some(504)).with("/run?").times(1));
    lab.arm.takes(Duration::from_mins(1));
    assert_eq!(
        call(&lab, "POST", &format!("{template_id}/run?{BUILDER}"), None).status,
        504
    );
    let status = call(&lab, "GET", &format!("{template_id}?{BUILDER}"), None).json();
    assert_eq!(status["properties"]["lastRunStatus"]["runState"], "Running");
    let gone = call(&lab, "DELETE", &format!("{template_id}?{BUILDER}"), None);
    assert_eq!(gone.status, 202);
    assert_eq!(
        call(&lab, "GET", &format!("{template_id}?{BUILDER}"), None).status,
        404
    );
}

#[test]
fn gallery_keeps_versions() {
    let Some(lab) = super::lab() else { return };
    let definition = have_definition(&lab, "versions");
    let target = |name: &str| format!("{definition}/versions/{name}?{COMPUTE}");
    assert_eq!(
        call(&lab, "PUT", &target("1.0"), Some(&version())).status,
        400
    );
    let put = call(&lab, "PUT", &target("1.0.0"), Some(&version()));
    assert_eq!(
        (
            put.status,
            put.json()["properties"]["provisioningState"].clone()
        ),
        (201, json!("Creating"))
    );
    assert_eq!(follow(&lab, &put, "location").json()["name"], "1.0.0");

    let expanded = call(
        &lab,
        "GET",
        &format!("{}&$expand=ReplicationStatus", target("1.0.0")),
        None,
    )
    .json();
    assert_eq!(
        expanded["properties"]["replicationStatus"]["aggregatedState"], "Completed",
        "{expanded}"
    );
    let patch = json!({ "properties": { "publishingProfile": { "excludeFromLatest": true } } });
    let patched = call(&lab, "PATCH", &target("1.0.0"), Some(&patch));
    assert!([200, 202].contains(&patched.status), "{patched:?}");
    let other = with(
        version(),
        "/properties/storageProfile",
        "osDiskImage",
        json!({ "source": { "id": "/other" } }),
    );
    assert_eq!(
        call(&lab, "PUT", &target("1.0.0"), Some(&other)).code(),
        "PropertyChangeNotAllowed"
    );
    let parent = definition.clone() + "?" + COMPUTE;
    assert_eq!(
        call(&lab, "DELETE", &parent, None).code(),
        "CannotDeleteResource"
    );
    let orphan = id("Microsoft.Compute/galleries/none/images/x");
    assert_eq!(
        call(&lab, "GET", &format!("{orphan}?{COMPUTE}"), None).code(),
        "ResourceNotFound"
    );
}

#[test]
fn lists_come_in_pages_that_may_lead_astray() {
    let Some(lab) = super::lab() else { return };
    let definition = have_definition(&lab, "pages");
    for patch in 0..3 {
        call(
            &lab,
            "PUT",
            &format!("{definition}/versions/1.0.{patch}?{COMPUTE}"),
            Some(&version()),
        );
    }
    lab.arm.page(2);
    let first = call(
        &lab,
        "GET",
        &format!("{definition}/versions?{COMPUTE}"),
        None,
    )
    .json();
    assert_eq!(first["value"].as_array().unwrap().len(), 2);
    let next = first["nextLink"]
        .as_str()
        .unwrap()
        .strip_prefix("https://management.azure.com")
        .unwrap();
    let second = call(&lab, "GET", next, None).json();
    assert_eq!(
        (
            second["value"].as_array().unwrap().len(),
            second.get("nextLink")
        ),
        (1, None)
    );
    lab.arm.foreign_links(true);
    let first = call(
        &lab,
        "GET",
        &format!("{definition}/versions?{COMPUTE}"),
        None,
    )
    .json();
    assert!(
        first["nextLink"]
            .as_str()
            .unwrap()
            .starts_with("https://management.example.org/")
    );
}

#[test]
fn token_for_something_else_is_refused() {
    let Some(lab) = super::lab() else { return };
    let url = format!(
        "https://management.azure.com{}?{COMPUTE}",
        id("Microsoft.Compute/galleries/tre")
    );
    let reply = ask_as(&lab, "https://storage.azure.com", &[&url]);
    assert_eq!(
        (reply.status, reply.code()),
        (401, "InvalidAuthenticationTokenAudience")
    );
}

#[test]
fn missing_schemas_fail_in_ci() {
    if !super::is_possible() {
        return;
    }
    let done = std::process::Command::new(env!("CARGO_BIN_EXE_lab"))
        .env("ARM_SCHEMAS", "/nonexistent")
        .env("CI", "true")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(
        !done.status.success() && said.contains("set ARM_SCHEMAS"),
        "{said}"
    );
}
