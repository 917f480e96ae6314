//! Resources and their ids.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::operation::Outcome;
use crate::lab::site::message::{Answer, error};

/// `/subscriptions/…/resourceGroups/…/providers/P/type/name/type/name`; ids ignore case.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Id {
    scope: String,
    provider: String,
    pieces: Vec<String>,
    kind: String,
}

impl Id {
    /// Reads an id, and the action behind it.
    pub(super) fn of(pieces: &[String]) -> Result<(Self, Option<String>), Answer> {
        let invalid = || error(404, "InvalidResourceType", "The path is no resource id.");
        let lower: Vec<_> = pieces
            .iter()
            .map(|piece| piece.to_ascii_lowercase())
            .collect();
        let at = lower
            .iter()
            .position(|piece| piece == "providers")
            .ok_or_else(invalid)?;
        let known = lower.first().is_some_and(|first| first == "subscriptions")
            && lower
                .get(2)
                .is_none_or(|third| third == "resourcegroups" || at == 2);
        let (scope, rest) = pieces
            .split_at_checked(at)
            .filter(|_| known)
            .ok_or_else(invalid)?;
        let [_, provider, rest @ ..] = rest else {
            return Err(invalid());
        };
        let mut id = Self {
            scope: format!("/{}", scope.join("/")),
            provider: provider.clone(),
            pieces: rest.to_vec(),
            kind: String::new(),
        };
        // An odd end is a collection, unless it is an action.
        let action = rest.last().filter(|last| {
            rest.len() % 2 == 1
                && ["cancel", "createRun", "run"]
                    .iter()
                    .any(|act| act.eq_ignore_ascii_case(last))
        });
        if action.is_some() {
            id.pieces.pop();
        }
        Ok((id, action.cloned()))
    }

    /// Whether it is of this type.
    pub(super) fn is(&self, provider: &str, kind: &str) -> bool {
        let own: Vec<_> = self.pieces.iter().step_by(2).map(String::as_str).collect();
        self.provider.eq_ignore_ascii_case(provider) && own.join("/").eq_ignore_ascii_case(kind)
    }

    /// The same id with the type in its right spelling.
    pub(super) fn canonical(mut self, provider: &str, kind: &str) -> Self {
        provider.clone_into(&mut self.provider);
        kind.clone_into(&mut self.kind);
        for (at, word) in kind.split('/').enumerate() {
            if let Some(piece) = self.pieces.get_mut(at * 2) {
                word.clone_into(piece);
            }
        }
        self
    }

    pub(super) fn provider(&self) -> &str {
        &self.provider
    }

    pub(super) fn kind(&self) -> &str {
        &self.kind
    }

    pub(super) fn name(&self) -> &str {
        self.pieces.last().map(String::as_str).unwrap_or_default()
    }

    pub(super) fn pieces(&self) -> &[String] {
        &self.pieces
    }

    /// Whether it names a collection.
    pub(super) fn is_list(&self) -> bool {
        self.pieces.len() % 2 == 1
    }

    pub(super) fn text(&self) -> String {
        format!(
            "{}/providers/{}/{}",
            self.scope,
            self.provider,
            self.pieces.join("/")
        )
    }

    /// What it is kept under.
    pub(super) fn key(&self) -> String {
        self.text().to_ascii_lowercase()
    }

    /// `/subscriptions/…`
    pub(super) fn subscription(&self) -> String {
        self.scope.split('/').take(3).collect::<Vec<_>>().join("/")
    }

    /// What must be there before.
    pub(super) fn parent(&self) -> Option<Self> {
        let (kind, _) = self.kind.rsplit_once('/')?;
        let mut parent = self.clone();
        parent.pieces.truncate(self.pieces.len().saturating_sub(2));
        kind.clone_into(&mut parent.kind);
        Some(parent)
    }

    pub(super) fn missing(&self) -> Answer {
        let message = format!(
            "The Resource '{}/{}' under resource group '{}' was not found.",
            self.provider,
            self.pieces.join("/"),
            self.scope.rsplit('/').next().unwrap_or_default()
        );
        error(404, "ResourceNotFound", &message)
    }

    pub(super) fn parent_missing(&self) -> Answer {
        let message = format!(
            "Can not perform requested operation on nested resource. Parent resource '{}' not found.",
            self.name()
        );
        error(404, "ParentResourceNotFound", &message)
    }
}

/// A resource that is kept.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub(super) id: Id,
    /// What was PUT.
    pub(super) body: Value,
    /// What the service adds to the properties.
    pub(super) added: Map<String, Value>,
    /// The run of a template: since when, for how long, and how it will end.
    pub(super) run: Option<(Instant, Duration, Outcome)>,
    /// What its last run made, by name.
    pub(super) outputs: BTreeMap<String, Value>,
    made: Instant,
    ready: Instant,
    failed: Option<Value>,
}

impl Resource {
    /// One that is ready after so long, or has failed then.
    pub(super) fn new(id: &Id, body: Value, takes: Duration, failed: Option<Value>) -> Self {
        let now = Instant::now();
        let ready = now.checked_add(takes).unwrap_or(now);
        Self {
            id: id.clone(),
            body,
            added: Map::new(),
            run: None,
            outputs: BTreeMap::new(),
            made: now,
            ready,
            failed,
        }
    }

    /// How far it is, between 0 and 1.
    pub(super) fn progress(&self) -> f64 {
        let whole = self
            .ready
            .saturating_duration_since(self.made)
            .as_secs_f64();
        if whole == 0.0 {
            1.0
        } else {
            (self.made.elapsed().as_secs_f64() / whole).min(1.0)
        }
    }

    /// `provisioningState`.
    pub(super) fn provisioning(&self) -> &'static str {
        match (Instant::now() < self.ready, &self.failed) {
            (true, _) => "Creating",
            (false, None) => "Succeeded",
            (false, Some(_)) => "Failed",
        }
    }

    /// The resource as it is answered.
    pub(super) fn document(&self) -> Value {
        let mut document = self.body.clone();
        document["id"] = json!(self.id.text());
        document["name"] = json!(self.id.name());
        document["type"] = json!(format!("{}/{}", self.id.provider(), self.id.kind()));
        if let Some(properties) = document["properties"].as_object_mut() {
            properties.extend(self.added.clone());
            if self.id.provider() != "Microsoft.DataFactory" {
                properties.insert("provisioningState".into(), json!(self.provisioning()));
            }
            if let Some(failed) = self
                .failed
                .as_ref()
                .filter(|_| self.provisioning() == "Failed")
            {
                properties.insert(
                    "provisioningError".into(),
                    json!({
                        "provisioningErrorCode": failed["code"], "message": failed["message"],
                    }),
                );
            }
        }
        document
    }
}

/// A body with a patch laid over it; null removes (RFC 7396).
pub(super) fn merged(body: Value, patch: &Value) -> Value {
    match (body, patch) {
        (Value::Object(mut fields), Value::Object(changes)) => {
            for (name, change) in changes {
                if change.is_null() {
                    fields.remove(name);
                } else {
                    let before = fields.remove(name).unwrap_or_default();
                    fields.insert(name.clone(), merged(before, change));
                }
            }
            Value::Object(fields)
        }
        (_, patch) => patch.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_is_read_without_regard_to_case() {
        let path =
            "subscriptions/s/resourcegroups/g/providers/microsoft.compute/Galleries/tre/images/d";
        let pieces: Vec<_> = path.split('/').map(str::to_owned).collect();

        let (id, action) = Id::of(&pieces).unwrap();
        assert!(id.is("Microsoft.Compute", "galleries/images") && action.is_none());

        let id = id.canonical("Microsoft.Compute", "galleries/images");
        assert!(
            id.text()
                .ends_with("providers/Microsoft.Compute/galleries/tre/images/d"),
            "{}",
            id.text()
        );
        assert_eq!(id.parent().unwrap().name(), "tre");
    }

    #[test]
    fn patch_removes_what_is_null() {
        let body = json!({ "a": { "b": 1, "c": 2 }, "d": 3 });
        assert_eq!(
            merged(body, &json!({ "a": { "b": null }, "d": 4 })),
            json!({ "a": { "c": 2 }, "d": 4 })
        );
    }
}
