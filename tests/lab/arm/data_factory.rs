//! Data Factory: runs that really copy, verify and delete blobs.

mod copy;
mod run;
pub(super) mod runs;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::lab::storage::{Caller, Created, Storage};
use crate::lab::token::Identity;
use copy::{Copying, Failed};
use run::{Run, activity, output};

/// The factory of the lab.
pub const FACTORY: &str = "adf-tre";
/// Its pipeline: Copy from the landing account to the secure one, then Delete the original.
pub const PIPELINE: &str = "secure-import";
/// The container that data owners upload to.
pub const LANDING_CONTAINER: &str = "landing";
/// The container of the secure account that the pipeline copies to, under the same path.
pub const IMPORT_CONTAINER: &str = "import";

/// How the next runs go.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Course {
    /// Well.
    #[default]
    Good,
    /// The copy activity fails with this code and message.
    CopyFails(String, String),
    /// Somebody cancels the run while it copies.
    Cancelled,
    /// The run is forgotten while it copies: asking for it finds nothing.
    Vanishes,
    /// The copy differs in one byte, and nobody notices.
    Corrupts,
    /// The copy lacks its last byte, and nobody notices.
    Truncates,
    /// The copy is good, but the original cannot be deleted.
    KeepsOriginal,
    /// It never ends.
    Hangs,
}

/// What a new blob in the landing container sets off.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Events {
    /// Nothing: there is no trigger, or its event was lost.
    #[default]
    None,
    /// One run.
    Once,
    /// Two runs: events can be delivered twice.
    Twice,
}

/// The factory as a test sees it.
#[derive(Clone, Debug)]
pub struct DataFactory {
    state: Arc<Mutex<State>>,
    landing: Storage,
    caller: Caller,
}

#[derive(Debug)]
struct State {
    course: Course,
    events: Events,
    takes: Duration,
    seen: usize,
    runs: BTreeMap<String, Run>,
    order: Vec<String>,
}

impl DataFactory {
    pub(in crate::lab) fn new(landing: &Storage, caller: Caller) -> Self {
        let state = State {
            course: Course::Good,
            events: Events::None,
            takes: Duration::from_millis(200),
            seen: 0,
            runs: BTreeMap::new(),
            order: Vec::new(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            landing: landing.clone(),
            caller,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the next runs go.
    pub fn course(&self, course: Course) {
        self.state().course = course;
    }

    /// How long a run takes at least, from now on.
    pub fn takes(&self, time: Duration) {
        self.state().takes = time;
    }

    /// What new blobs set off from now on.
    pub fn events(&self, events: Events) {
        let seen = self.landing.created().len();
        let mut state = self.state();
        state.events = events;
        state.seen = seen;
    }

    /// The ids of the runs so far, in order.
    pub fn runs(&self) -> Vec<String> {
        self.state().order.clone()
    }

    /// Who the factory is.
    pub fn identity() -> Identity {
        Identity::numbered(3, "")
    }

    /// Starts runs for blobs that were created, for good.
    pub(in crate::lab) async fn watch(self) {
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let created = self.landing.created();
            let (new, times) = {
                let mut state = self.state();
                let new: Vec<_> = created.iter().skip(state.seen).cloned().collect();
                state.seen = created.len();
                let times = match state.events {
                    Events::None => 0,
                    Events::Once => 1,
                    Events::Twice => 2,
                };
                (new, times)
            };
            for blob in new
                .iter()
                .filter(|blob| blob.container == LANDING_CONTAINER)
            {
                for _ in 0..times {
                    self.begin(PIPELINE, parameters(blob), "BlobEventsTrigger");
                }
            }
        }
    }

    /// Begins a run.
    fn begin(&self, pipeline: &str, parameters: Map<String, Value>, by: &'static str) -> String {
        let id = Uuid::new_v4().to_string();
        let run = Run {
            pipeline: pipeline.to_owned(),
            parameters,
            by,
            status: "Queued",
            message: String::new(),
            began: Timestamp::now(),
            ended: None,
            activities: Vec::new(),
            vanished: false,
        };
        let course = {
            let mut state = self.state();
            state.runs.insert(id.clone(), run);
            state.order.push(id.clone());
            state.course.clone()
        };
        tokio::spawn(self.clone().execute(id.clone(), course));
        id
    }

    async fn execute(self, id: String, course: Course) {
        let takes = self.state().takes;
        tokio::time::sleep(takes / 4).await;
        let Some(run) = self.note(&id, |run| run.status = "InProgress") else {
            return;
        };
        self.note(&id, |run| {
            run.activities.push(activity("CopyToSecure", "Copy"));
        });
        tokio::time::sleep(takes / 2).await;
        match &course {
            Course::Hangs => return,
            Course::Cancelled => {
                return drop(self.note(&id, |run| run.end("Cancelled", "Pipeline was canceled.")));
            }
            Course::Vanishes => return drop(self.note(&id, |run| run.vanished = true)),
            _ => {}
        }
        let copying = Copying::of(&run.parameters, &course, self.caller.clone());
        let copied = match (&course, copying) {
            (Course::CopyFails(code, message), _) => Err(Failed {
                code: code.clone(),
                message: message.clone(),
            }),
            (_, Err(failed)) => Err(failed),
            (_, Ok(copying)) => copying.copy().await.map(|copied| (copying, copied)),
        };
        let (copying, copied) = match copied {
            Ok(done) => done,
            Err(failed) => return drop(self.note(&id, |run| run.fail("CopyToSecure", &failed))),
        };
        self.note(&id, |run| {
            run.finish("CopyToSecure", &output(&copied));
            run.activities.push(activity("DeleteOriginal", "Delete"));
        });
        tokio::time::sleep(takes / 4).await;
        let deleted = match course {
            Course::KeepsOriginal => Err(Failed {
                code: "3703".into(),
                message: "Failed to delete the blob: this request is not authorized to perform this operation using \
                          this permission."
                    .into(),
            }),
            _ => copying.delete().await,
        };
        self.note(&id, |run| match &deleted {
            Ok(()) => {
                run.finish("DeleteOriginal", &json!({
                    "datasetName": "landing", "path": copying.path(), "filesDeleted": 1, "recursive": false,
                }));
                run.end("Succeeded", "");
            }
            Err(failed) => run.fail("DeleteOriginal", failed),
        });
    }

    /// Changes a run that is still going on.
    fn note(&self, id: &str, note: impl FnOnce(&mut Run)) -> Option<Run> {
        let mut state = self.state();
        let run = state
            .runs
            .get_mut(id)
            .filter(|run| run.ended.is_none() && !run.vanished)?;
        note(run);
        Some(run.clone())
    }
}

/// The pipeline that is there already, as short as the schema allows.
pub(in crate::lab) fn pipeline() -> Value {
    let text = json!({ "type": "String" });
    json!({ "properties": {
        "parameters": { "folder": text, "file": text },
        "activities": [
            { "name": "CopyToSecure", "type": "Copy", "typeProperties": {
                "source": { "type": "BinarySource" }, "sink": { "type": "BinarySink" },
                "validateDataConsistency": true } },
            { "name": "DeleteOriginal", "type": "Delete",
              "dependsOn": [{ "activity": "CopyToSecure", "dependencyConditions": ["Succeeded"] }],
              "typeProperties": { "dataset": { "referenceName": "landing", "type": "DatasetReference" } } },
        ],
    } })
}

/// What a storage event hands to the pipeline.
fn parameters(blob: &Created) -> Map<String, Value> {
    let (folder, file) = blob.name.rsplit_once('/').unwrap_or(("", &blob.name));
    let folder = if folder.is_empty() {
        blob.container.clone()
    } else {
        format!("{}/{folder}", blob.container)
    };
    Map::from_iter([
        ("folder".to_owned(), json!(folder)),
        ("file".to_owned(), json!(file)),
    ])
}
