//! What can be asked of runs.

use hyper::Method;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Run;
use crate::lab::arm::Arm;
use crate::lab::arm::resource::Id;
use crate::lab::site::message::{Answer, Call, error, json_answer};

/// What a query may filter by.
const OPERANDS: [&str; 12] = [
    "ActivityName",
    "ActivityRunEnd",
    "ActivityRunStart",
    "ActivityType",
    "LatestOnly",
    "PipelineName",
    "RunEnd",
    "RunGroupId",
    "RunStart",
    "Status",
    "TriggerName",
    "TriggerRunTimestamp",
];

/// `createRun` of a pipeline.
pub(in crate::lab::arm) async fn act(
    arm: &Arm,
    mut call: Call,
    id: &Id,
    action: &str,
) -> Result<Answer, Answer> {
    if !action.eq_ignore_ascii_case("createRun") || call.method() != Method::POST {
        return Err(error(404, "NotFound", "There is no such action."));
    }
    let given = if call
        .header("content-length")
        .is_none_or(|length| length == "0")
    {
        Map::new()
    } else {
        match call.json().await? {
            Value::Object(given) => given,
            _ => {
                return Err(error(
                    400,
                    "BadRequest",
                    "The parameters must be an object.",
                ));
            }
        }
    };
    let pipeline = arm.resource(&id.text());
    if pipeline.is_null() {
        let message = format!(
            "The document could not be retrieved because it does not exist.PipelineName: {}",
            id.name()
        );
        return Err(error(404, "EntityNotFound", &message));
    }
    let declared = pipeline["properties"]["parameters"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    if let Some(unknown) = given.keys().find(|name| !declared.contains_key(*name)) {
        let message = format!("The pipeline '{}' has no parameter '{unknown}'.", id.name());
        return Err(error(400, "BadRequest", &message));
    }
    let mut parameters = Map::new();
    for (name, declaration) in &declared {
        let value = given.get(name).or_else(|| declaration.get("defaultValue"));
        let Some(value) = value else {
            let message = format!(
                "The template validation failed: the value of parameter '{name}' is not provided."
            );
            return Err(error(400, "BadRequest", &message));
        };
        parameters.insert(name.clone(), value.clone());
    }
    let run = arm.data_factory.begin(id.name(), parameters, "Manual");
    Ok(json_answer(200, &json!({ "runId": run })))
}

/// Everything about `pipelineruns`; nothing where the path is about something else.
pub(in crate::lab::arm) async fn route(
    arm: &Arm,
    call: &mut Call,
    id: &Id,
    action: Option<&str>,
) -> Result<Option<Answer>, Answer> {
    let of_factory = id.provider().eq_ignore_ascii_case("Microsoft.DataFactory");
    let pieces = id.pieces().to_vec();
    let [kind, _, collection, rest @ ..] = &pieces[..] else {
        return Ok(None);
    };
    if !of_factory || !kind.eq_ignore_ascii_case("factories") {
        return Ok(None);
    }
    if call.query("api-version").as_deref() != Some("2018-06-01") {
        return Err(error(
            400,
            "InvalidApiVersionParameter",
            "The api-version is invalid.",
        ));
    }
    let factory = factory(id, call);
    let word = collection.to_ascii_lowercase();
    let method = call.method().clone();
    let answer = match (method, word.as_str(), rest, action) {
        (Method::GET, "pipelineruns", [run], None) => {
            let found = found(arm, run)?;
            json_answer(200, &found.document(run, &factory))
        }
        (Method::POST, "pipelineruns", [run], Some("cancel")) => {
            found(arm, run)?;
            let cancelled = arm
                .data_factory
                .note(run, |run| run.end("Cancelled", "Pipeline was canceled."));
            match cancelled {
                Some(_) => json_answer(200, &Value::Null),
                None => {
                    return Err(error(
                        400,
                        "PipelineRunNotInProgress",
                        "The run is not in progress.",
                    ));
                }
            }
        }
        (Method::POST, "pipelineruns", [run, last], None)
            if last.eq_ignore_ascii_case("queryActivityruns") =>
        {
            let filters = filters(&call.json().await?)?;
            let found = found(arm, run)?;
            let rows = found.activities.iter().map(|activity| {
                let mut row = activity.clone();
                row["pipelineName"] = json!(found.pipeline);
                row["pipelineRunId"] = json!(run);
                row
            });
            let rows: Vec<_> = rows.filter(|row| fits(row, &filters)).collect();
            json_answer(200, &json!({ "value": rows }))
        }
        (Method::POST, "querypipelineruns", [], None) => {
            let filters = filters(&call.json().await?)?;
            let state = arm.data_factory.state();
            let rows = state.order.iter().filter_map(|id| {
                let run = state.runs.get(id).filter(|run| !run.vanished)?;
                Some(run.document(id, &factory))
            });
            let rows: Vec<_> = rows.filter(|row| fits(row, &filters)).collect();
            json_answer(200, &json!({ "value": rows }))
        }
        _ => return Ok(None),
    };
    Ok(Some(answer))
}

fn factory(id: &Id, call: &Call) -> String {
    let at = call
        .path()
        .to_ascii_lowercase()
        .find("/providers/")
        .unwrap_or_default();
    let (scope, _) = call.path().split_at(at);
    let name = id.pieces().get(1).map(String::as_str).unwrap_or_default();
    format!("{scope}/providers/Microsoft.DataFactory/factories/{name}")
}

fn found(arm: &Arm, run: &str) -> Result<Run, Answer> {
    let state = arm.data_factory.state();
    state
        .runs
        .get(run)
        .filter(|run| !run.vanished)
        .cloned()
        .ok_or_else(|| {
            let message = format!("The pipeline run '{run}' was not found.");
            error(404, "PipelineRunNotFound", &message)
        })
}

/// One condition of a query.
struct Filter {
    operand: String,
    operator: String,
    values: Vec<String>,
}

fn filters(body: &Value) -> Result<Vec<Filter>, Answer> {
    let invalid = |message: &str| Err(error(400, "BadRequest", message));
    let known = [
        "continuationToken",
        "filters",
        "lastUpdatedAfter",
        "lastUpdatedBefore",
        "orderBy",
    ];
    let Some(fields) = body.as_object() else {
        return invalid("The filter must be an object.");
    };
    if let Some(unknown) = fields.keys().find(|name| !known.contains(&name.as_str())) {
        return invalid(&format!("Could not find member '{unknown}'."));
    }
    for name in ["lastUpdatedAfter", "lastUpdatedBefore"] {
        let time = body[name]
            .as_str()
            .and_then(|time| time.parse::<Timestamp>().ok());
        if time.is_none() {
            return invalid(&format!("'{name}' must be a date and time."));
        }
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut filters = Vec::new();
    for filter in body["filters"].as_array().into_iter().flatten() {
        let values = filter["values"]
            .as_array()
            .into_iter()
            .flatten()
            .map(text)
            .collect();
        let filter = Filter {
            operand: text(&filter["operand"]),
            operator: text(&filter["operator"]),
            values,
        };
        let operator = ["Equals", "NotEquals", "In", "NotIn"].contains(&filter.operator.as_str());
        if !operator || !OPERANDS.contains(&filter.operand.as_str()) || filter.values.is_empty() {
            return invalid("The filter is not valid.");
        }
        filters.push(filter);
    }
    Ok(filters)
}

fn fits(row: &Value, filters: &[Filter]) -> bool {
    filters.iter().all(|filter| {
        let mut name = filter.operand.clone();
        if let Some(first) = name.get_mut(..1) {
            first.make_ascii_lowercase();
        }
        let Some(found) = row[&name].as_str() else {
            return true;
        };
        let among = filter.values.iter().any(|value| value == found);
        among != filter.operator.starts_with("Not")
    })
}
