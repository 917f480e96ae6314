//! Management: resources, and the operations that make them.

pub mod data_factory;
mod gallery;
mod image_builder;
mod list;
mod operation;
mod resource;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use hyper::Method;
use serde_json::{Value, json};

use super::metadata::{RESOURCE_GROUP, SUBSCRIPTION};
use super::schemas::Schemas;
use super::site::message::{Answer, Call, error, json_answer};
use super::site::{Respond, Site};
use super::storage::{Caller, Storage};
use super::token;

use data_factory::DataFactory;
use operation::Operation;
pub use operation::Outcome;
use resource::{Id, Resource};
use state::State;

/// The region of everything.
pub const LOCATION: &str = "westeurope";

/// The audiences that management takes.
const AUDIENCES: [&str; 2] = [
    "https://management.azure.com",
    "https://management.core.windows.net",
];

/// The resource types it knows, each with the versions of its interface.
const KNOWN: [(&str, &str, &[&str]); 9] = [
    (
        "Microsoft.VirtualMachineImages",
        "imageTemplates",
        &["2025-10-01", "2024-02-01"],
    ),
    (
        "Microsoft.Compute",
        "galleries",
        &["2025-03-03", "2024-03-03"],
    ),
    (
        "Microsoft.Compute",
        "galleries/images",
        &["2025-03-03", "2024-03-03"],
    ),
    (
        "Microsoft.Compute",
        "galleries/images/versions",
        &["2025-03-03", "2024-03-03"],
    ),
    ("Microsoft.DataFactory", "factories", &["2018-06-01"]),
    (
        "Microsoft.DataFactory",
        "factories/datasets",
        &["2018-06-01"],
    ),
    (
        "Microsoft.DataFactory",
        "factories/linkedservices",
        &["2018-06-01"],
    ),
    (
        "Microsoft.DataFactory",
        "factories/pipelines",
        &["2018-06-01"],
    ),
    (
        "Microsoft.DataFactory",
        "factories/triggers",
        &["2018-06-01"],
    ),
];

/// The management stand-in.
#[derive(Clone, Debug)]
pub struct Arm {
    /// Data Factory: runs of pipelines.
    pub data_factory: DataFactory,
    /// What it was asked, and what goes wrong with it.
    pub site: Site,
    state: Arc<Mutex<State>>,
    schemas: Schemas,
}

impl Arm {
    pub(super) fn new(landing: &Storage, caller: Caller) -> Result<Self> {
        let arm = Self {
            data_factory: DataFactory::new(landing, caller),
            site: Site::default(),
            state: Arc::default(),
            schemas: Schemas::find()?,
        };
        arm.have(
            "Microsoft.DataFactory/factories",
            data_factory::FACTORY,
            json!({
                "location": LOCATION, "identity": { "type": "SystemAssigned" }, "properties": {},
            }),
        )?;
        let pipeline = format!(
            "{}/pipelines/{}",
            data_factory::FACTORY,
            data_factory::PIPELINE
        );
        arm.have(
            "Microsoft.DataFactory/factories",
            &pipeline,
            data_factory::pipeline(),
        )?;
        Ok(arm)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a resource of the lab's resource group that was there before; `name` may go on with
    /// further types and names.
    pub fn have(&self, of: &str, name: &str, body: Value) -> Result<()> {
        let path = format!(
            "subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}/providers/{of}/{name}"
        );
        let pieces: Vec<_> = path.split('/').map(str::to_owned).collect();
        let id = Id::of(&pieces).ok().map(|(id, _)| id);
        let known = KNOWN.iter().find_map(|(provider, kind, versions)| {
            let id = id.clone().filter(|id| id.is(provider, kind))?;
            Some((id.canonical(provider, kind), *versions.first()?))
        });
        let (id, version) =
            known.with_context(|| format!("{path} is no resource that the lab knows"))?;
        self.schemas
            .check(version, id.provider(), id.kind(), id.name(), &body)?;
        self.state()
            .resources
            .insert(id.key(), Resource::new(&id, body, Duration::ZERO, None));
        Ok(())
    }

    /// A resource as it is kept now, by its id; null when there is none.
    pub fn resource(&self, id: &str) -> Value {
        let state = self.state();
        state
            .resources
            .get(&id.to_ascii_lowercase())
            .map(Resource::document)
            .unwrap_or_default()
    }

    async fn route(&self, mut call: Call) -> Result<Answer, Answer> {
        token::check(&call, &AUDIENCES)?;
        let pieces = call.pieces();
        if let [.., locations, _, operations, id] = &pieces[..]
            && locations == "locations"
        {
            return operation::poll(self, &call, operations, id);
        }
        let (id, action) = Id::of(&pieces)?;
        let version = call.query("api-version").unwrap_or_default();
        let Some((provider, kind, versions)) =
            KNOWN.iter().find(|known| id.is(known.0, known.1)).copied()
        else {
            if let Some(answer) =
                data_factory::runs::route(self, &mut call, &id, action.as_deref()).await?
            {
                return Ok(answer);
            }
            return image_builder::outputs(self, &call, &id);
        };
        if !versions.contains(&version.as_str()) {
            let message = format!(
                "The api-version '{version}' is invalid. The supported versions are '{}'.",
                versions.join(",")
            );
            let code = if version.is_empty() {
                "MissingApiVersionParameter"
            } else {
                "InvalidApiVersionParameter"
            };
            return Err(error(400, code, &message));
        }
        let id = id.canonical(provider, kind);
        if let Some(action) = action {
            return match kind {
                "factories/pipelines" => data_factory::runs::act(self, call, &id, &action).await,
                "imageTemplates" => image_builder::act(self, &call, &id, &action),
                _ => Err(error(404, "ResourceNotFound", "There is no such action.")),
            };
        }
        if id.is_list() {
            return Ok(self.list(&call, &id));
        }
        match *call.method() {
            Method::GET => self.get(&call, &id),
            Method::PUT | Method::PATCH => self.put(&mut call, &id, &version).await,
            Method::DELETE => self.delete(&call, &id),
            _ => Err(error(
                405,
                "MethodNotAllowed",
                "The resource does not support this method.",
            )),
        }
    }

    fn get(&self, call: &Call, id: &Id) -> Result<Answer, Answer> {
        let mut state = self.state();
        image_builder::advance(&mut state, id);
        let resource = state.resources.get(&id.key()).ok_or_else(|| id.missing())?;
        let mut document = resource.document();
        if id.kind() == "galleries/images/versions"
            && call.query("$expand").as_deref() == Some("ReplicationStatus")
        {
            document["properties"]["replicationStatus"] = gallery::replication(resource);
        }
        Ok(json_answer(200, &document))
    }

    async fn put(&self, call: &mut Call, id: &Id, version: &str) -> Result<Answer, Answer> {
        let patch = call.method() == Method::PATCH;
        let mut body = call.json().await?;
        let mut state = self.state();
        let before = state
            .resources
            .get(&id.key())
            .map(|resource| resource.body.clone());
        if patch {
            body = resource::merged(before.clone().ok_or_else(|| id.missing())?, &body);
        }
        self.schemas
            .check(version, id.provider(), id.kind(), id.name(), &body)
            .map_err(|wrong| error(400, "InvalidRequestContent", &format!("{wrong:#}")))?;
        id.parent().map_or(Ok(()), |parent| {
            state
                .resources
                .contains_key(&parent.key())
                .then_some(())
                .ok_or_else(|| parent.parent_missing())
        })?;
        gallery::check(&state, id, &body, before.as_ref())?;
        image_builder::check(id, before.as_ref(), patch)?;
        let created = before.is_none();
        let line = format!("{} {}", call.method(), call.target());
        if id.provider() == "Microsoft.DataFactory" {
            let resource = Resource::new(id, body, Duration::ZERO, None);
            let document = resource.document();
            state.resources.insert(id.key(), resource);
            return Ok(json_answer(200, &document));
        }
        let outcome = state.outcome(&line);
        let resource = Resource::new(id, body, state.takes, outcome.error());
        let document = resource.document();
        state.resources.insert(id.key(), resource);
        let status = if created { 201 } else { 200 };
        let status = if patch { 202 } else { status };
        let operation = Operation::new(state.takes, outcome, Some(id.key()));
        Ok(state.accept(id, operation, json_answer(status, &document)))
    }

    fn delete(&self, call: &Call, id: &Id) -> Result<Answer, Answer> {
        let mut state = self.state();
        if !state.resources.contains_key(&id.key()) {
            return Ok(json_answer(204, &Value::Null));
        }
        gallery::may_delete(&state, id)?;
        let outcome = state.outcome(&format!("{} {}", call.method(), call.target()));
        if outcome.error().is_none() {
            state.resources.remove(&id.key());
        }
        if id.provider() == "Microsoft.DataFactory" {
            return Ok(json_answer(200, &Value::Null));
        }
        let operation = Operation::new(state.takes, outcome, None);
        Ok(state.accept(id, operation, json_answer(202, &Value::Null)))
    }
}

#[async_trait]
impl Respond for Arm {
    async fn respond(&self, call: Call) -> Answer {
        if call.path() == "/metadata/endpoints" {
            return json_answer(200, &endpoints());
        }
        match self.route(call).await {
            Ok(answer) | Err(answer) => answer,
        }
    }
}

/// What a cloud says of itself, to anybody.
fn endpoints() -> Value {
    json!([{
        "name": "AzureCloud",
        "resourceManager": "https://management.azure.com/",
        "authentication": {
            "loginEndpoint": "https://login.microsoftonline.com",
            "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
            "tenant": "common", "identityProvider": "AAD",
        },
        "suffixes": { "storage": "core.windows.net", "keyVaultDns": "vault.azure.net" },
    }])
}
