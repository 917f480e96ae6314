//! Compute Gallery: what holds beyond the schema.

use serde_json::{Value, json};

use super::resource::{Id, Resource};
use super::{LOCATION, State};
use crate::lab::site::message::{Answer, error};

/// Refuses a definition or version that the gallery would refuse.
pub(super) fn check(
    state: &State,
    id: &Id,
    body: &Value,
    before: Option<&Value>,
) -> Result<(), Answer> {
    let invalid = |message: String| Err(error(400, "InvalidParameter", &message));
    match id.kind() {
        "galleries/images" => {
            let identifier = &body["properties"]["identifier"];
            let siblings = state.resources.values().filter(|other| {
                other.id.kind() == id.kind()
                    && other.id.parent() == id.parent()
                    && other.id.key() != id.key()
            });
            for other in siblings {
                if other.body["properties"]["identifier"] == *identifier {
                    let message =
                        format!("The identifier is already used by '{}'.", other.id.name());
                    return Err(error(409, "Conflict", &message));
                }
            }
            Ok(())
        }
        "galleries/images/versions" => {
            let parts: Vec<_> = id.name().split('.').collect();
            if parts.len() != 3 || parts.iter().any(|part| part.parse::<u32>().is_err()) {
                return invalid(format!(
                    "The version name '{}' is not of the form X.Y.Z.",
                    id.name()
                ));
            }
            let profile = &body["properties"]["publishingProfile"];
            let home = profile["targetRegions"].as_array().is_none_or(|regions| {
                regions.iter().any(|region| {
                    let name = region["name"].as_str().unwrap_or_default();
                    name.replace(' ', "").eq_ignore_ascii_case(LOCATION)
                })
            });
            if !home {
                return invalid(format!(
                    "The target regions must contain the home region '{LOCATION}'."
                ));
            }
            let source = |body: &Value| body["properties"]["storageProfile"].clone();
            if before.is_some_and(|before| source(before) != source(body)) {
                let message = "Changing property 'galleryImageVersion.properties.storageProfile' is not allowed.";
                return Err(error(409, "PropertyChangeNotAllowed", message));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Refuses to delete what is guarded or not empty.
pub(super) fn may_delete(state: &State, id: &Id) -> Result<(), Answer> {
    let under = format!("{}/", id.key());
    if id.provider() == "Microsoft.Compute"
        && state.resources.keys().any(|key| key.starts_with(&under))
    {
        let message = format!(
            "Can not delete resource '{}' before its nested resources are deleted.",
            id.name()
        );
        return Err(error(409, "CannotDeleteResource", &message));
    }
    let properties = state
        .resources
        .get(&id.key())
        .map(|resource| resource.body["properties"].clone());
    let guarded = properties.as_ref().is_some_and(|properties| {
        properties["safetyProfile"]["blockDeletionBeforeEndOfLife"] == true
            && properties["publishingProfile"]["endOfLifeDate"]
                .as_str()
                .and_then(|date| date.parse::<jiff::Timestamp>().ok())
                .is_some_and(|date| jiff::Timestamp::now() < date)
    });
    if guarded {
        return Err(error(
            409,
            "OperationNotAllowed",
            "Deletion is blocked until the end-of-life date.",
        ));
    }
    Ok(())
}

/// `replicationStatus` of a version: every region at its own pace.
pub(super) fn replication(version: &Resource) -> Value {
    let failed = version.provisioning() == "Failed";
    let profile = &version.body["properties"]["publishingProfile"];
    let home = vec![json!({ "name": LOCATION })];
    let regions = profile["targetRegions"].as_array().unwrap_or(&home);
    let mut all_done = true;
    let summary: Vec<_> = (1_u32..)
        .zip(regions)
        .map(|(number, region)| {
            let done = version.progress() * 100.0 * 1.5 / f64::from(number);
            let percent = (1..=100_u32)
                .rev()
                .find(|percent| f64::from(*percent) <= done)
                .unwrap_or(0);
            all_done &= percent == 100 || version.provisioning() == "Succeeded";
            let percent = if version.provisioning() == "Succeeded" {
                100
            } else {
                percent
            };
            let state = match (failed, percent) {
                (true, _) => "Failed",
                (false, 100) => "Completed",
                (false, _) => "Replicating",
            };
            json!({ "region": region["name"], "state": state, "details": "", "progress": percent })
        })
        .collect();
    let aggregated = match (failed, all_done) {
        (true, _) => "Failed",
        (false, true) => "Completed",
        (false, false) => "InProgress",
    };
    json!({ "aggregatedState": aggregated, "summary": summary })
}
