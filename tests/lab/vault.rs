//! Key Vault: secrets, and keys that sign.

mod keys;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use hyper::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::site::message::{Answer, Call, error, json_answer, with};
use super::site::{Respond, Site};
use super::token::{self, TENANT};

/// The host of the lab's vault.
pub const HOST: &str = "kv-tre.vault.azure.net";

/// The vault stand-in.
#[derive(Clone, Debug)]
pub struct Vault {
    /// What it was asked, and what goes wrong with it.
    pub site: Site,
    state: Arc<Mutex<State>>,
    folder: PathBuf,
}

#[derive(Debug)]
struct State {
    secrets: BTreeMap<String, Vec<Secret>>,
    challenge: String,
}

#[derive(Clone, Debug)]
struct Secret {
    version: String,
    value: String,
    enabled: bool,
    at: i64,
}

impl Vault {
    pub(super) fn new(folder: PathBuf) -> Self {
        let state = State {
            secrets: BTreeMap::new(),
            challenge: "https://vault.azure.net".to_owned(),
        };
        Self {
            site: Site::default(),
            state: Arc::new(Mutex::new(state)),
            folder,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The vault's endpoint.
    pub fn endpoint() -> String {
        format!("https://{HOST}")
    }

    /// Keeps a new version of a secret; it says which.
    pub fn keep(&self, name: &str, value: &str) -> String {
        let version = Uuid::new_v4().simple().to_string();
        let at = Timestamp::now().as_second();
        let secret = Secret {
            version: version.clone(),
            value: value.to_owned(),
            enabled: true,
            at,
        };
        self.state()
            .secrets
            .entry(name.to_owned())
            .or_default()
            .push(secret);
        version
    }

    /// Switches all versions of a secret off.
    pub fn disable(&self, name: &str) {
        if let Some(versions) = self.state().secrets.get_mut(name) {
            for secret in versions {
                secret.enabled = false;
            }
        }
    }

    /// The resource that the vault's challenge names: another one is what a hostile vault would name.
    pub fn challenge(&self, resource: &str) {
        resource.clone_into(&mut self.state().challenge);
    }

    fn secret(&self, name: &str, version: Option<&str>) -> Result<Answer, Answer> {
        let state = self.state();
        let versions = state
            .secrets
            .get(name)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let found = versions
            .iter()
            .rev()
            .find(|secret| version.is_none_or(|asked| asked == secret.version));
        let Some(secret) = found else {
            let message =
                format!("A secret with (name/id) {name} was not found in this key vault.");
            return Err(error(404, "SecretNotFound", &message));
        };
        if !secret.enabled {
            let message = "Operation get is not allowed on a disabled secret.";
            return Err(error(403, "Forbidden", message));
        }
        Ok(json_answer(200, &described(name, secret)))
    }

    async fn route(&self, mut call: Call) -> Result<Answer, Answer> {
        self.authorize(&call)?;
        if call.query("api-version").is_none() {
            return Err(error(400, "BadParameter", "api-version must be specified"));
        }
        let pieces = call.pieces();
        let pieces: Vec<_> = pieces.iter().map(String::as_str).collect();
        match (call.method().clone(), &pieces[..]) {
            (Method::GET, ["secrets", name]) => self.secret(name, None),
            (Method::GET, ["secrets", name, version]) => self.secret(name, Some(version)),
            (Method::PUT, ["secrets", name]) => {
                let body = call.json().await?;
                let Some(value) = body["value"].as_str() else {
                    return Err(error(
                        400,
                        "BadParameter",
                        "Property value has invalid value",
                    ));
                };
                self.keep(name, value);
                self.secret(name, None)
            }
            (Method::GET, ["keys", name] | ["keys", name, _]) => {
                keys::get(&self.folder, name).await
            }
            (
                Method::POST,
                ["keys", name, deed @ ("sign" | "verify")] | ["keys", name, _, deed],
            ) => {
                let body = call.json().await?;
                keys::perform(&self.folder, name, deed, &body).await
            }
            _ => Err(error(404, "NotFound", "There is nothing here.")),
        }
    }

    fn authorize(&self, call: &Call) -> Result<Value, Answer> {
        let resource = self.state().challenge.clone();
        token::check(call, &["https://vault.azure.net"]).map_err(|answer| {
            let challenge = format!(
                "Bearer authorization=\"https://login.microsoftonline.com/{TENANT}\", resource=\"{resource}\""
            );
            with(answer, "www-authenticate", &challenge)
        })
    }
}

fn described(name: &str, secret: &Secret) -> Value {
    json!({
        "value": secret.value,
        "id": format!("https://{HOST}/secrets/{name}/{}", secret.version),
        "attributes": {
            "enabled": secret.enabled, "created": secret.at, "updated": secret.at,
            "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90,
        },
        "tags": {},
    })
}

#[async_trait]
impl Respond for Vault {
    async fn respond(&self, call: Call) -> Answer {
        match self.route(call).await {
            Ok(answer) | Err(answer) => answer,
        }
    }
}
