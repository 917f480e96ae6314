//! Operations that take their time.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::resource::Id;
use super::{Arm, LOCATION, State};
use crate::lab::site::message::{Answer, Call, error, json_answer, with};

/// How an operation ends.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Outcome {
    /// Well.
    #[default]
    Succeeded,
    /// With an error of this code and message.
    Failed(String, String),
    /// Somebody canceled it.
    Canceled,
    /// It never ends.
    Never,
    /// It is forgotten: asking for it finds nothing.
    Forgotten,
}

impl Outcome {
    /// The error that the resource shows afterwards.
    pub(super) fn error(&self) -> Option<Value> {
        match self {
            Self::Failed(code, message) => Some(json!({ "code": code, "message": message })),
            Self::Canceled => Some(json!({ "code": "OperationPreempted", "message": "canceled" })),
            Self::Succeeded | Self::Never | Self::Forgotten => None,
        }
    }
}

/// An operation that was accepted.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    began: Timestamp,
    ends: Option<Instant>,
    outcome: Outcome,
    /// What `Location` answers in the end: this resource, or nothing.
    resource: Option<String>,
}

impl Operation {
    pub(super) fn new(takes: Duration, outcome: Outcome, resource: Option<String>) -> Self {
        let ends = if outcome == Outcome::Never {
            None
        } else {
            Instant::now().checked_add(takes)
        };
        Self {
            began: Timestamp::now(),
            ends,
            outcome,
            resource,
        }
    }

    fn is_running(&self) -> bool {
        self.ends.is_none_or(|ends| Instant::now() < ends)
    }

    fn status(&self) -> &'static str {
        match &self.outcome {
            _ if self.is_running() => "InProgress",
            Outcome::Failed(..) => "Failed",
            Outcome::Canceled => "Canceled",
            Outcome::Succeeded | Outcome::Never | Outcome::Forgotten => "Succeeded",
        }
    }
}

impl State {
    /// How the operation of this request is to end.
    pub(super) fn outcome(&mut self, line: &str) -> Outcome {
        let at = self
            .outcomes
            .iter()
            .position(|(with, _)| line.contains(with));
        at.and_then(|at| self.outcomes.remove(at))
            .map(|(_, outcome)| outcome)
            .unwrap_or_default()
    }

    /// Keeps an operation and tells where to ask for it.
    pub(super) fn accept(&mut self, id: &Id, operation: Operation, answer: Answer) -> Answer {
        let name = Uuid::new_v4().to_string();
        let base = format!(
            "https://management.azure.com{}/providers/{}/locations/{LOCATION}",
            id.subscription(),
            id.provider()
        );
        self.operations.insert(name.clone(), operation);
        let query = "api-version=2024-02-01";
        let answer = with(
            answer,
            "azure-asyncoperation",
            &format!("{base}/operations/{name}?{query}"),
        );
        let answer = with(
            answer,
            "location",
            &format!("{base}/operationResults/{name}?{query}"),
        );
        self.wait(answer)
    }

    fn wait(&self, answer: Answer) -> Answer {
        match self.retry_after {
            Some(seconds) => with(answer, "retry-after", &seconds.to_string()),
            None => answer,
        }
    }
}

/// Answers somebody who asks how far an operation is.
pub(super) fn poll(arm: &Arm, call: &Call, way: &str, name: &str) -> Result<Answer, Answer> {
    let state = arm.state();
    let operation = state
        .operations
        .get(name)
        .filter(|operation| operation.outcome != Outcome::Forgotten);
    let Some(operation) = operation.filter(|_| call.method() == hyper::Method::GET) else {
        return Err(error(404, "NotFound", "The operation was not found."));
    };
    if way.eq_ignore_ascii_case("operations") {
        let mut body = json!({
            "id": call.path(), "name": name, "status": operation.status(),
            "startTime": operation.began.to_string(),
        });
        if operation.is_running() {
            return Ok(state.wait(json_answer(200, &body)));
        }
        body["endTime"] = json!(Timestamp::now().to_string());
        if let Some(failed) = operation.outcome.error() {
            body["error"] = failed;
        }
        return Ok(json_answer(200, &body));
    }
    if operation.is_running() {
        let here = format!("https://management.azure.com{}", call.target());
        return Ok(state.wait(with(json_answer(202, &Value::Null), "location", &here)));
    }
    if let Outcome::Failed(code, message) = &operation.outcome {
        return Err(error(409, code, message));
    }
    let resource = operation
        .resource
        .as_ref()
        .and_then(|key| state.resources.get(key));
    Ok(resource.map_or_else(
        || json_answer(204, &Value::Null),
        |resource| json_answer(200, &resource.document()),
    ))
}
