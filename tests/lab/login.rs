//! Sign-in: hands a token to whoever brings a client id, for workload identity.

use async_trait::async_trait;
use serde_json::json;

use super::metadata;
use super::site::message::{Answer, Call, form, json_answer};
use super::site::{Respond, Site};
use super::token::mint;

/// The sign-in stand-in at `login.microsoftonline.com`.
#[derive(Clone, Debug, Default)]
pub struct Login {
    /// What it was asked, and what goes wrong with it.
    pub site: Site,
}

#[async_trait]
impl Respond for Login {
    async fn respond(&self, mut call: Call) -> Answer {
        if !call.path().ends_with("/oauth2/v2.0/token") || call.method() != hyper::Method::POST {
            return json_answer(404, &json!({ "error": "not_found" }));
        }
        let body = match call.body().await {
            Ok(body) => form(&body),
            Err(refusal) => return refusal,
        };
        let field = |name: &str| body.get(name).map(String::as_str).unwrap_or_default();
        let assertion = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let asserted =
            field("client_assertion_type") == assertion && !field("client_assertion").is_empty();
        let identity = metadata::assigned();
        if field("grant_type") != "client_credentials" || !asserted {
            return json_answer(
                400,
                &json!({ "error": "invalid_request", "error_description": "AADSTS900144" }),
            );
        }
        if field("client_id") != identity.client.to_string() {
            let description = "AADSTS700016: Application was not found in the directory.";
            return json_answer(
                400,
                &json!({ "error": "unauthorized_client", "error_description": description }),
            );
        }
        let audience = field("scope").trim_end_matches("/.default").to_owned();
        let token = mint(&identity, &audience, 3600);
        json_answer(
            200,
            &json!({ "token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token }),
        )
    }
}
