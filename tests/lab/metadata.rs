//! Instance metadata, as a virtual machine finds it at 169.254.169.254.

mod attested;
mod instance;
mod limits;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::certificates::Certificates;
use super::site::message::{Answer, Call, json_answer, raw};
use super::site::{Respond, Site};
use super::token::{Identity, mint};

pub use attested::Attested;
pub use instance::{RESOURCE_GROUP, SUBSCRIPTION, VM_ID};
use limits::Limits;

/// The versions of the interface that the stand-in knows, newest first.
const VERSIONS: [&str; 8] = [
    "2025-04-07",
    "2023-11-15",
    "2021-12-13",
    "2021-02-01",
    "2020-09-01",
    "2020-06-01",
    "2019-08-01",
    "2018-02-01",
];

/// What its tokens are like.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Tokens {
    /// As they should be.
    #[default]
    Good,
    /// Expired an hour ago.
    Expired,
    /// With `expires_on` as a number instead of a string.
    NumberedExpiry,
    /// For another resource than asked.
    OtherResource,
    /// For an identity that nobody asked for and that has no rights anywhere.
    OtherIdentity,
}

/// The metadata stand-in.
#[derive(Clone, Debug)]
pub struct Metadata {
    /// What it was asked, and what goes wrong with it.
    pub site: Site,
    state: Arc<Mutex<State>>,
    certificates: Arc<Certificates>,
}

#[derive(Debug)]
struct State {
    system: Option<Identity>,
    assigned: Vec<Identity>,
    tokens: Tokens,
    lifetime: i64,
    given: HashMap<(Uuid, String), (String, i64, i64)>,
    limits: Option<Limits>,
    attested: Attested,
}

impl Metadata {
    pub(super) fn new(certificates: Arc<Certificates>) -> Self {
        let state = State::default();
        Self {
            site: Site::default(),
            state: Arc::new(Mutex::new(state)),
            certificates,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends every switch.
    pub(super) fn heal(&self) {
        *self.state() = State::default();
    }

    /// What its tokens are like from now on.
    pub fn tokens(&self, tokens: Tokens) {
        let mut state = self.state();
        state.tokens = tokens;
        state.given.clear();
    }

    /// For how many seconds its tokens are good from now on. They are handed out again until half
    /// of that has passed, as the real one does.
    pub fn lifetime(&self, seconds: i64) {
        let mut state = self.state();
        state.lifetime = seconds;
        state.given.clear();
    }

    /// Which identities the machine has from now on.
    pub fn identities(&self, system: Option<Identity>, assigned: Vec<Identity>) {
        let mut state = self.state();
        state.system = system;
        state.assigned = assigned;
    }

    /// Whether it counts requests and answers 429 beyond what is documented.
    pub fn limited(&self, limited: bool) {
        self.state().limits = limited.then(Limits::default);
    }

    /// What its attested documents are like from now on.
    pub fn attested(&self, attested: Attested) {
        self.state().attested = attested;
    }

    fn token(&self, call: &Call) -> Answer {
        let Some(resource) = call
            .query("resource")
            .filter(|resource| !resource.is_empty())
        else {
            let message = "Required query variable 'resource' is missing";
            return refused(400, "invalid_request", message);
        };
        let mut state = self.state();
        let identity = match state.identity(call) {
            Ok(identity) => identity,
            Err(refusal) => return refusal,
        };
        let audience = match state.tokens {
            Tokens::OtherResource => "https://example.org".to_owned(),
            _ => resource.clone(),
        };
        let lifetime = if state.tokens == Tokens::Expired {
            -3600
        } else {
            state.lifetime
        };
        let now = Timestamp::now().as_second();
        let key = (identity.client, resource.clone());
        let kept = state
            .given
            .get(&key)
            .filter(|(_, given, expires)| now < (given + expires) / 2)
            .cloned();
        let (token, _, expires) =
            kept.unwrap_or_else(|| (mint(&identity, &audience, lifetime), now, now + lifetime));
        state.given.insert(key, (token.clone(), now, expires));
        let expires_on = match state.tokens {
            Tokens::NumberedExpiry => json!(expires),
            _ => json!(expires.to_string()),
        };
        let body = json!({
            "access_token": token, "client_id": identity.client, "expires_in": (expires - now).to_string(),
            "expires_on": expires_on, "ext_expires_in": "86399", "not_before": (now - 300).to_string(),
            "resource": audience, "token_type": "Bearer",
        });
        json_answer(200, &body)
    }

    async fn route(&self, call: &Call) -> Answer {
        let pieces = call.pieces();
        let pieces: Vec<_> = pieces.iter().map(String::as_str).collect();
        match pieces[..] {
            ["metadata", "versions"] => json_answer(200, &json!({ "apiVersions": VERSIONS })),
            ["metadata", "identity", "oauth2", "token"] => self.token(call),
            ["metadata", "instance", ref rest @ ..] => instance::answer(call, rest),
            ["metadata", "attested", "document"] => {
                let attested = self.state().attested;
                attested::answer(call, attested, &self.certificates).await
            }
            ["metadata", "scheduledevents"] => {
                json_answer(200, &json!({ "DocumentIncarnation": 1, "Events": [] }))
            }
            _ => raw(404, "Not found"),
        }
    }
}

#[async_trait]
impl Respond for Metadata {
    async fn respond(&self, call: Call) -> Answer {
        if call.header("x-forwarded-for").is_some() {
            return refused(400, "bad_request", "X-Forwarded-For is not allowed");
        }
        if !call
            .header("metadata")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
        {
            return refused(
                400,
                "bad_request_102",
                "Required metadata header not specified",
            );
        }
        if call.method() != hyper::Method::GET {
            return raw(405, "");
        }
        let version = call.query("api-version").unwrap_or_default();
        let names: Vec<_> = call.queries().into_iter().map(|(name, _)| name).collect();
        if names
            .iter()
            .enumerate()
            .any(|(at, name)| names[..at].contains(name))
        {
            return refused(
                400,
                "bad_request",
                "Duplicate query parameters are not allowed",
            );
        }
        if !VERSIONS.contains(&version.as_str()) && call.path() != "/metadata/versions" {
            let body = json!({
                "error": "Bad request. api-version is invalid or was not specified in the request.",
                "newest-versions": &VERSIONS[..3],
            });
            return json_answer(400, &body);
        }
        let identity = call.path().starts_with("/metadata/identity");
        let limits = self.state().limits.clone();
        let _running = match limits.map(|limits| limits.admit(identity)) {
            Some(None) => return refused(429, "too_many_requests", "Too many requests"),
            Some(Some(running)) => Some(running),
            None => None,
        };
        self.route(&call).await
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            system: Some(system()),
            assigned: vec![assigned()],
            tokens: Tokens::Good,
            lifetime: 24 * 3600,
            given: HashMap::new(),
            limits: Some(Limits::default()),
            attested: Attested::Good,
        }
    }
}

impl State {
    /// The identity that a call names, or the only one there is.
    fn identity(&self, call: &Call) -> Result<Identity, Answer> {
        if self.tokens == Tokens::OtherIdentity {
            return Ok(Identity::numbered(999, ""));
        }
        let named: Vec<(String, String)> = call
            .queries()
            .into_iter()
            .filter(|(name, _)| ["client_id", "object_id", "msi_res_id"].contains(&name.as_str()))
            .collect();
        let missing = || refused(400, "invalid_request", "Identity not found");
        match &named[..] {
            [] => match (&self.system, &self.assigned[..]) {
                (Some(system), _) => Ok(system.clone()),
                (None, [only]) => Ok(only.clone()),
                (None, []) => Err(missing()),
                (None, [_, _, ..]) => {
                    let message = "Multiple user assigned identities exist, please specify the clientId / \
                                   resourceId of the identity in the token request";
                    Err(refused(400, "invalid_request", message))
                }
            },
            [(name, value)] => {
                let fits = |identity: &&Identity| match name.as_str() {
                    "client_id" => identity.client.to_string() == *value,
                    "object_id" => identity.object.to_string() == *value,
                    _ => identity.resource.eq_ignore_ascii_case(value),
                };
                self.assigned
                    .iter()
                    .chain(&self.system)
                    .find(fits)
                    .cloned()
                    .ok_or_else(missing)
            }
            _ => Err(refused(
                400,
                "invalid_request",
                "Only one of client_id, object_id, msi_res_id is allowed",
            )),
        }
    }
}

/// The identity that the machine itself has.
pub fn system() -> Identity {
    Identity::numbered(1, instance::RESOURCE_ID)
}

/// The identity that was assigned to the machine.
pub fn assigned() -> Identity {
    let resource = format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}/providers/\
         Microsoft.ManagedIdentity/userAssignedIdentities/dsvm"
    );
    Identity::numbered(2, &resource)
}

fn refused(status: u16, error: &str, description: &str) -> Answer {
    let body: Value = json!({ "error": error, "error_description": description });
    json_answer(status, &body)
}
