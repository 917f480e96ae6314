//! Collections, in pages.

use serde_json::json;

use super::Arm;
use super::resource::Id;
use crate::lab::site::message::{Answer, Call, json_answer};

impl Arm {
    /// One page of the resources right under an id.
    pub(super) fn list(&self, call: &Call, id: &Id) -> Answer {
        let state = self.state();
        let under = id.key();
        let depth = under.matches('/').count() + 1;
        let found: Vec<_> = state
            .resources
            .iter()
            .filter(|(key, _)| {
                key.starts_with(&format!("{under}/")) && key.matches('/').count() == depth
            })
            .map(|(_, resource)| resource.document())
            .collect();
        let from: usize = call
            .query("$skiptoken")
            .and_then(|token| token.parse().ok())
            .unwrap_or(0);
        let page: Vec<_> = found.iter().skip(from).take(state.page).cloned().collect();
        let mut body = json!({ "value": page });
        if from + state.page < found.len() {
            let host = if state.foreign_links {
                "management.example.org".to_owned()
            } else {
                call.host()
            };
            let version = call.query("api-version").unwrap_or_default();
            let next = from + state.page;
            body["nextLink"] = json!(format!(
                "https://{host}{}?api-version={version}&$skiptoken={next}",
                call.path()
            ));
        }
        json_answer(200, &body)
    }
}
