//! Tokens as Microsoft Entra makes them, signed by nobody but the lab.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::site::message::{Answer, Call, error, with};

/// The lab's tenant.
pub const TENANT: &str = "11111111-2222-4333-8444-555555555555";

/// Who a token speaks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// Its application, also called client id.
    pub client: Uuid,
    /// Its object id, also called principal id.
    pub object: Uuid,
    /// Its ARM id; empty for a system-assigned one.
    pub resource: String,
}

impl Identity {
    /// The lab's identity of this number; the same number is the same identity in every run.
    pub fn numbered(number: u32, resource: &str) -> Self {
        let id = |kind: u32| {
            Uuid::from_u128((u128::from(kind) << 96) | (0x4000_8000 << 64) | u128::from(number))
        };
        Self {
            client: id(0xc11e),
            object: id(0x0b1e),
            resource: resource.to_owned(),
        }
    }
}

/// A token for an audience, good for so many seconds from now; negative for one that has expired.
pub fn mint(identity: &Identity, audience: &str, seconds: i64) -> String {
    let now = Timestamp::now().as_second();
    let begun = now.min(now + seconds) - 300;
    let claims = json!({
        "aud": audience,
        "iss": format!("https://sts.windows.net/{TENANT}/"),
        "iat": begun, "nbf": begun, "exp": now + seconds,
        "appid": identity.client, "oid": identity.object, "sub": identity.object,
        "tid": TENANT, "idtyp": "app", "ver": "1.0", "xms_mirid": identity.resource,
        // Each token differs from the last, so that a test can tell whether it was renewed.
        "uti": Uuid::new_v4(),
    });
    let header = URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"RS256","kid":"lab"}"#);
    let body = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    format!("{body}.{}", seal(&body))
}

/// What stands where a signature stands: enough for the lab to know its own tokens.
fn seal(body: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!("lab:{body}")))
}

/// The claims of the call's token, or how Azure refuses it: no token, not ours, expired, or not for
/// this audience.
pub fn check(call: &Call, audiences: &[&str]) -> Result<Value, Answer> {
    let token = call
        .header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "));
    let Some(token) = token else {
        let message = "Authentication failed. The 'Authorization' header is missing.";
        return Err(refused("AuthenticationFailed", message));
    };
    let Some(claims) = claims(token) else {
        return Err(refused(
            "InvalidAuthenticationToken",
            "The access token is invalid.",
        ));
    };
    let expires = claims["exp"].as_i64().unwrap_or_default();
    if expires <= Timestamp::now().as_second() {
        return Err(refused(
            "ExpiredAuthenticationToken",
            "The access token expiry is earlier than current time.",
        ));
    }
    let audience = claims["aud"]
        .as_str()
        .unwrap_or_default()
        .trim_end_matches('/');
    if !audiences.contains(&audience) {
        let message =
            format!("The access token has been obtained for wrong audience '{audience}'.");
        return Err(refused("InvalidAuthenticationTokenAudience", &message));
    }
    Ok(claims)
}

/// What a token says, when the lab made it.
pub fn claims(token: &str) -> Option<Value> {
    let (body, seal_found) = token.rsplit_once('.')?;
    let (_, claims) = body.split_once('.')?;
    let ours = seal_found == seal(body);
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?)
        .ok()
        .filter(|_| ours)
}

fn refused(code: &str, message: &str) -> Answer {
    let challenge = format!(
        "Bearer authorization_uri=\"https://login.microsoftonline.com/{TENANT}\", error=\"invalid_token\", \
         error_description=\"{message}\""
    );
    with(error(401, code, message), "www-authenticate", &challenge)
}
