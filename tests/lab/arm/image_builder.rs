//! Image Builder: runs of templates.

use std::time::Instant;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::operation::{Operation, Outcome};
use super::resource::{Id, Resource};
use super::{Arm, LOCATION, State};
use crate::lab::site::message::{Answer, Call, error, json_answer};

/// What a run goes through.
const STAGES: [&str; 5] = [
    "Queued",
    "Building",
    "Customizing",
    "Validating",
    "Distributing",
];

/// A template cannot be replaced while it exists, only patched.
pub(super) fn check(id: &Id, before: Option<&Value>, patch: bool) -> Result<(), Answer> {
    if id.kind() == "imageTemplates" && before.is_some() && !patch {
        let message = "Update/Upgrade of image templates is currently not supported.";
        return Err(error(409, "Conflict", message));
    }
    Ok(())
}

/// `run` and `cancel`.
pub(super) fn act(arm: &Arm, call: &Call, id: &Id, action: &str) -> Result<Answer, Answer> {
    if call.method() != hyper::Method::POST {
        return Err(error(405, "MethodNotAllowed", "POST only."));
    }
    let mut state = arm.state();
    advance(&mut state, id);
    let takes = state.takes;
    let outcome = state.outcome(&format!("POST {}", call.target()));
    let resource = state
        .resources
        .get_mut(&id.key())
        .ok_or_else(|| id.missing())?;
    if resource.provisioning() != "Succeeded" {
        let message = "The template is not ready.";
        return Err(error(409, "Conflict", message));
    }
    let running = resource
        .added
        .get("lastRunStatus")
        .is_some_and(|run| run["runState"] == "Running");
    if action == "cancel" {
        if !running {
            return Err(error(409, "Conflict", "The template has no run to cancel."));
        }
        let run = resource
            .added
            .entry("lastRunStatus")
            .or_insert_with(|| json!({}));
        run["runState"] = json!("Canceled");
        run["endTime"] = json!(Timestamp::now().to_string());
        run["message"] = json!("The run was canceled by the user.");
        resource.run = None;
        let operation = Operation::new(takes, Outcome::Succeeded, None);
        return Ok(state.accept(id, operation, json_answer(202, &Value::Null)));
    }
    if running {
        return Err(error(409, "Conflict", "The template is already running."));
    }
    let run = json!({
        "startTime": Timestamp::now().to_string(), "runState": "Running", "runSubState": "Queued", "message": "",
    });
    resource.added.insert("lastRunStatus".into(), run);
    resource.run = Some((Instant::now(), takes, outcome.clone()));
    let operation = Operation::new(takes, outcome, Some(id.key()));
    Ok(state.accept(id, operation, json_answer(202, &Value::Null)))
}

/// Brings the run of a template to where it is by now.
pub(super) fn advance(state: &mut State, id: &Id) {
    let Some(resource) = state.resources.get_mut(&id.key()) else {
        return;
    };
    let Some((began, takes, outcome)) = resource.run.clone() else {
        return;
    };
    let running = resource
        .added
        .get("lastRunStatus")
        .is_some_and(|run| run["runState"] == "Running");
    if !running {
        resource.run = None;
        return;
    }
    let run = resource
        .added
        .entry("lastRunStatus")
        .or_insert_with(|| json!({}));
    if outcome == Outcome::Never || began.elapsed() < takes {
        let part = began.elapsed().as_secs_f64() / takes.as_secs_f64().max(0.001);
        let reached = (0_u32..)
            .zip(STAGES)
            .take_while(|(at, _)| f64::from(*at) / 5.0 <= part);
        run["runSubState"] = json!(reached.last().map_or("Queued", |(_, stage)| stage));
        return;
    }
    run["endTime"] = json!(Timestamp::now().to_string());
    if let Some(fields) = run.as_object_mut() {
        fields.remove("runSubState");
    }
    let (ended, message) = match &outcome {
        Outcome::Failed(_, message) => ("Failed", message.as_str()),
        Outcome::Canceled => ("Canceled", "canceled"),
        Outcome::Succeeded | Outcome::Never | Outcome::Forgotten => ("Succeeded", ""),
    };
    run["runState"] = json!(ended);
    run["message"] = json!(message);
    resource.run = None;
    if ended == "Succeeded" {
        let template = resource.clone();
        distribute(state, &template);
    }
}

/// Makes what the template distributes, and the run outputs that tell of it.
fn distribute(state: &mut State, template: &Resource) {
    for target in template.body["properties"]["distribute"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let mut output = json!({ "provisioningState": "Succeeded" });
        match target["type"].as_str() {
            Some("SharedImage") => {
                if let Some(version) = publish(state, template, target) {
                    output["artifactId"] = json!(version);
                }
            }
            Some("ManagedImage") => output["artifactId"] = target["imageId"].clone(),
            _ => {
                let made = format!(
                    "https://{}.blob.core.windows.net/vhds/image.vhd",
                    crate::lab::storage::DIRECT
                );
                output["artifactUri"] = target.get("uri").cloned().unwrap_or_else(|| json!(made));
            }
        }
        if let Some(resource) = state.resources.get_mut(&template.id.key()) {
            let name = target["runOutputName"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            resource.outputs.insert(name, output);
        }
    }
}

/// Publishes a gallery version; one without a number gets the next.
fn publish(state: &mut State, template: &Resource, target: &Value) -> Option<String> {
    let wanted = target["galleryImageId"].as_str()?;
    let pieces: Vec<_> = wanted
        .split('/')
        .filter(|piece| !piece.is_empty())
        .map(str::to_owned)
        .collect();
    let (id, _) = Id::of(&pieces).ok()?;
    let text = if id.is("Microsoft.Compute", "galleries/images") {
        let under = format!("{}/versions/", id.key());
        let last = state
            .resources
            .keys()
            .filter_map(|key| number(key.strip_prefix(&under)?))
            .max();
        let [major, minor, patch] = last.unwrap_or([0, 0, 0]);
        format!("{}/versions/{major}.{minor}.{}", id.text(), patch + 1)
    } else {
        id.text()
    };
    let pieces: Vec<_> = text
        .split('/')
        .filter(|piece| !piece.is_empty())
        .map(str::to_owned)
        .collect();
    let id = Id::of(&pieces)
        .ok()?
        .0
        .canonical("Microsoft.Compute", "galleries/images/versions");
    let body = json!({
        "location": LOCATION,
        "tags": target["artifactTags"],
        "properties": {
            "publishingProfile": {
                "targetRegions": target["targetRegions"],
                "excludeFromLatest": target["excludeFromLatest"].as_bool().unwrap_or_default(),
            },
            "storageProfile": { "source": { "id": template.id.text() } },
        },
    });
    let version = Resource::new(&id, body, state.takes, None);
    state.resources.insert(id.key(), version);
    Some(id.text())
}

fn number(version: &str) -> Option<[u32; 3]> {
    let parts: Vec<u32> = version
        .split('.')
        .map(str::parse)
        .collect::<Result<_, _>>()
        .ok()?;
    parts.try_into().ok()
}

/// `runOutputs` of a template.
pub(super) fn outputs(arm: &Arm, call: &Call, id: &Id) -> Result<Answer, Answer> {
    let unknown = || {
        error(
            404,
            "InvalidResourceType",
            "The resource type could not be found.",
        )
    };
    let [_, _, collection, rest @ ..] = id.pieces() else {
        return Err(unknown());
    };
    if !collection.eq_ignore_ascii_case("runOutputs") || call.method() != hyper::Method::GET {
        return Err(unknown());
    }
    let path: Vec<_> = call
        .pieces()
        .into_iter()
        .rev()
        .skip(1 + rest.len())
        .collect();
    let path: Vec<_> = path.into_iter().rev().collect();
    let template = Id::of(&path)?
        .0
        .canonical("Microsoft.VirtualMachineImages", "imageTemplates");
    let mut state = arm.state();
    advance(&mut state, &template);
    let resource = state
        .resources
        .get(&template.key())
        .ok_or_else(|| template.missing())?;
    let document = |name: &str, properties: &Value| {
        json!({
            "id": format!("{}/runOutputs/{name}", template.text()), "name": name,
            "type": "Microsoft.VirtualMachineImages/imageTemplates/runOutputs", "properties": properties,
        })
    };
    match rest {
        [] => {
            let all: Vec<_> = resource
                .outputs
                .iter()
                .map(|(name, output)| document(name, output))
                .collect();
            Ok(json_answer(200, &json!({ "value": all })))
        }
        [name, ..] => match resource.outputs.get(name) {
            Some(output) => Ok(json_answer(200, &document(name, output))),
            None => Err(error(
                404,
                "NotFound",
                &format!("The run output '{name}' was not found."),
            )),
        },
    }
}
