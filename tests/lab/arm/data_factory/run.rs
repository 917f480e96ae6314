//! One run, as it is kept and as it is told.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::copy::{Copied, Failed};

/// A run and what it did so far.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) pipeline: String,
    pub(super) parameters: Map<String, Value>,
    pub(super) by: &'static str,
    pub(super) status: &'static str,
    pub(super) message: String,
    pub(super) began: Timestamp,
    pub(super) ended: Option<Timestamp>,
    pub(super) activities: Vec<Value>,
    pub(super) vanished: bool,
}

pub(super) fn activity(name: &str, kind: &str) -> Value {
    json!({
        "activityName": name, "activityType": kind, "activityRunId": Uuid::new_v4(), "status": "InProgress",
        "activityRunStart": Timestamp::now().to_string(), "activityRunEnd": null, "durationInMs": null,
        "input": {}, "output": {}, "error": { "errorCode": "", "message": "", "failureType": "", "target": name },
        "retryAttempt": null, "linkedServiceName": "",
    })
}

/// The output of a copy activity of one binary file.
pub(super) fn output(copied: &Copied) -> Value {
    json!({
        "dataRead": copied.read, "dataWritten": copied.written, "filesRead": 1, "filesWritten": 1,
        "sourcePeakConnections": 1, "sinkPeakConnections": 1, "copyDuration": copied.seconds,
        "throughput": copied.read / 1024 / copied.seconds.max(1), "errors": [],
        "effectiveIntegrationRuntime": "managed-vnet (West Europe)", "usedDataIntegrationUnits": 4,
        "billingReference": { "activityType": "DataMovement", "billableDuration": [
            { "meterType": "ManagedVNetIR", "duration": 0.066_666_67, "unit": "DIUHours" }] },
        "usedParallelCopies": 1,
        "executionDetails": [{
            "source": { "type": "AzureBlobStorage" }, "sink": { "type": "AzureBlobStorage" }, "status": "Succeeded",
            "duration": copied.seconds, "usedDataIntegrationUnits": 4, "usedParallelCopies": 1,
        }],
        "dataConsistencyVerification": { "VerificationResult": "Verified", "InconsistentData": "None" },
    })
}

impl Run {
    pub(super) fn end(&mut self, status: &'static str, message: &str) {
        self.status = status;
        message.clone_into(&mut self.message);
        self.ended = Some(Timestamp::now());
        for activity in self
            .activities
            .iter_mut()
            .filter(|activity| activity["status"] == "InProgress")
        {
            activity["status"] = json!(status);
            activity["activityRunEnd"] = json!(Timestamp::now().to_string());
        }
    }

    pub(super) fn finish(&mut self, name: &str, output: &Value) {
        for activity in self
            .activities
            .iter_mut()
            .filter(|activity| activity["activityName"] == name)
        {
            activity["status"] = json!("Succeeded");
            activity["output"] = output.clone();
            activity["activityRunEnd"] = json!(Timestamp::now().to_string());
            activity["durationInMs"] = json!(1);
        }
    }

    pub(super) fn fail(&mut self, name: &str, failed: &Failed) {
        for activity in self
            .activities
            .iter_mut()
            .filter(|activity| activity["activityName"] == name)
        {
            activity["error"] = json!({
                "errorCode": failed.code, "message": failed.message, "failureType": "UserError", "target": name,
                "details": [],
            });
        }
        self.end(
            "Failed",
            &format!("Operation on target {name} failed: {}", failed.message),
        );
    }

    /// The run as it is answered.
    pub(super) fn document(&self, id: &str, factory: &str) -> Value {
        let took = self
            .ended
            .map(|ended| ended.as_millisecond() - self.began.as_millisecond());
        let by = match self.by {
            "Manual" => json!({ "name": "Manual", "id": "lab", "invokedByType": "Manual" }),
            other => json!({ "name": "landing-created", "id": "lab", "invokedByType": other }),
        };
        json!({
            "id": format!("{factory}/pipelineruns/{id}"), "runId": id, "debugRunId": null, "runGroupId": id,
            "pipelineName": self.pipeline, "parameters": self.parameters, "invokedBy": by,
            "runStart": self.began.to_string(), "runEnd": self.ended.map(|ended| ended.to_string()),
            "durationInMs": took, "status": self.status, "message": self.message,
            "lastUpdated": Timestamp::now().to_string(), "annotations": [], "runDimension": {}, "isLatest": true,
        })
    }
}
