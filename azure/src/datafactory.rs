//! Data Factory: starts runs of a pipeline and follows them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::arm::{self, Arm, LinkError, NOTHING};
use crate::call::{self, Call};
use crate::error::Error;
use crate::names::{ResourceId, Segment};
use crate::retry::Repeat;

/// A data factory.
#[derive(Clone, Debug)]
pub struct Factory {
    arm: Arm,
    id: ResourceId,
}

/// How a run is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Status {
    /// It was ended from outside.
    #[serde(alias = "Canceled")]
    Cancelled,
    /// It is being ended from outside.
    #[serde(alias = "Cancelling")]
    Canceling,
    /// It failed.
    Failed,
    /// It runs.
    InProgress,
    /// It waits.
    Queued,
    /// It is done.
    Succeeded,
    /// A word that this program does not know; it is taken for running.
    #[serde(other)]
    Unknown,
}

impl Status {
    /// Whether it will not change any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Cancelled | Self::Failed | Self::Succeeded)
    }
}

/// A run of a pipeline.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Its id.
    pub run_id: String,
    /// The pipeline.
    pub pipeline_name: String,
    /// How it is.
    pub status: Status,
    /// Why it failed.
    #[serde(default)]
    pub message: Option<String>,
    /// What it was started with.
    #[serde(default)]
    pub parameters: BTreeMap<String, Value>,
    /// When it began.
    #[serde(default)]
    pub run_start: Option<Timestamp>,
    /// When it ended.
    #[serde(default)]
    pub run_end: Option<Timestamp>,
}

/// What one activity of a run did.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Activity {
    /// Its name in the pipeline.
    pub activity_name: String,
    /// What kind of activity it is, such as `Copy`.
    pub activity_type: String,
    /// How it is.
    pub status: Status,
    /// What it reports.
    #[serde(default)]
    pub output: Value,
    /// What went wrong.
    #[serde(default)]
    pub error: Value,
    /// When it began.
    #[serde(default)]
    pub activity_run_start: Option<Timestamp>,
    /// When it ended.
    #[serde(default)]
    pub activity_run_end: Option<Timestamp>,
}

/// A span of time, by when runs were changed last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Span {
    /// Its beginning.
    pub after: Timestamp,
    /// Its end.
    pub before: Timestamp,
}

/// Most items that a question about runs may bring.
const MOST: usize = 10_000;

impl Factory {
    pub(crate) const fn new(arm: Arm, id: ResourceId) -> Self {
        Self { arm, id }
    }

    /// Starts a run. Never sent twice: if the answer is lost, [`Self::runs`] says whether a run was started.
    pub async fn create_run(
        &self,
        pipeline: &Segment,
        parameters: &BTreeMap<String, Value>,
    ) -> Result<Segment, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Started {
            run_id: Segment,
        }
        let call = call::datafactory::CREATE_RUN;
        let parts = [self.id.as_str(), pipeline.as_str()];
        let reply = self
            .arm
            .send(&call, &parts, Some(parameters), Repeat::Differs)
            .await?;
        let started: Started = serde_json::from_slice(&reply.body)
            .map_err(|source| Error::because(&call, pipeline.as_str(), source))?;
        Ok(started.run_id)
    }

    /// Looks at a run.
    pub async fn run(&self, run: &Segment) -> Result<Run, Error> {
        let parts = [self.id.as_str(), run.as_str()];
        self.arm.ask(&call::datafactory::RUN, &parts, NOTHING).await
    }

    /// Lists the runs of a pipeline in a span of time.
    pub async fn runs(&self, pipeline: &Segment, span: Span) -> Result<Vec<Run>, Error> {
        let filter = json!([{
            "operand": "PipelineName",
            "operator": "Equals",
            "values": [pipeline.as_str()],
        }]);
        self.query(
            &call::datafactory::RUNS,
            &[self.id.as_str()],
            span,
            Some(filter),
        )
        .await
    }

    /// Lists what the activities of a run did in a span of time.
    pub async fn activities(&self, run: &Segment, span: Span) -> Result<Vec<Activity>, Error> {
        let parts = [self.id.as_str(), run.as_str()];
        self.query(&call::datafactory::ACTIVITY_RUNS, &parts, span, None)
            .await
    }

    /// Ends a run, and the runs that it started.
    pub async fn cancel(&self, run: &Segment) -> Result<(), Error> {
        let parts = [self.id.as_str(), run.as_str(), "true"];
        let cancelled = self
            .arm
            .send(&call::datafactory::CANCEL, &parts, NOTHING, Repeat::Same);
        cancelled.await.map(drop)
    }

    /// Asks a question whose answer may come in parts.
    async fn query<T: serde::de::DeserializeOwned>(
        &self,
        call: &Call,
        parts: &[&str],
        span: Span,
        filter: Option<Value>,
    ) -> Result<Vec<T>, Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Question {
            last_updated_after: String,
            last_updated_before: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            filters: Option<Value>,
            #[serde(skip_serializing_if = "Option::is_none")]
            continuation_token: Option<String>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase", bound = "T: serde::de::DeserializeOwned")]
        struct Part<T> {
            value: Vec<T>,
            continuation_token: Option<String>,
        }
        let mut question = Question {
            last_updated_after: span.after.to_string(),
            last_updated_before: span.before.to_string(),
            filters: filter,
            continuation_token: None,
        };
        let failed = |source: LinkError| Error::because(call, arm::object(call, parts), source);
        let mut items = Vec::new();
        loop {
            let part: Part<T> = self.arm.ask(call, parts, Some(&question)).await?;
            items.extend(part.value);
            if items.len() > MOST {
                return Err(failed(LinkError::TooMany { most: MOST }));
            }
            match part.continuation_token.filter(|token| !token.is_empty()) {
                None => return Ok(items),
                same if same == question.continuation_token => {
                    return Err(failed(LinkError::Circle));
                }
                next => question.continuation_token = next,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_a_cancelled_run_are_one() {
        for (text, expected) in [
            ("Cancelled", Status::Cancelled),
            ("Canceled", Status::Cancelled),
            ("Canceling", Status::Canceling),
            ("Paused", Status::Unknown),
        ] {
            let status: Status = serde_json::from_value(json!(text)).unwrap();
            assert_eq!(status, expected, "{text}");
        }
        assert!(!Status::Unknown.is_final() && !Status::Canceling.is_final());
    }
}
