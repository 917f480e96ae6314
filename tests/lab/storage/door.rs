//! Who may pass: refusals as the real service words them, where Azurite has others.

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::lab::site::message::{Answer, Call, storage_error, with};
use crate::lab::token::{TENANT, claims};

/// Lets a call pass, or refuses it. Shared keys and SAS are Azurite's to judge.
pub(super) fn check(call: &Call, account: &str, strangers: &[Uuid]) -> Result<(), Answer> {
    let signed = call.query("sig").is_some();
    let Some(authorization) = call.header("authorization") else {
        let message = "Server failed to authenticate the request. Please refer to the information in the \
                       www-authenticate header.";
        return if signed {
            Ok(())
        } else {
            Err(challenge("NoAuthenticationInformation", message))
        };
    };
    let Some(token) = authorization.strip_prefix("Bearer ") else {
        return Ok(());
    };
    let message = "Server failed to authenticate the request. Please refer to the information in the \
                   www-authenticate header.";
    let claims = claims(token).filter(|claims| good(claims, account));
    let Some(claims) = claims else {
        return Err(challenge("InvalidAuthenticationInfo", message));
    };
    let object = claims["oid"]
        .as_str()
        .and_then(|object| object.parse().ok());
    if object.is_none_or(|object| strangers.contains(&object)) {
        let message =
            "This request is not authorized to perform this operation using this permission.";
        return Err(storage_error(
            403,
            "AuthorizationPermissionMismatch",
            message,
        ));
    }
    Ok(())
}

fn good(claims: &Value, account: &str) -> bool {
    let audience = claims["aud"]
        .as_str()
        .unwrap_or_default()
        .trim_end_matches('/');
    let ours = format!("https://{account}.blob.core.windows.net");
    let fresh = claims["exp"]
        .as_i64()
        .is_some_and(|expires| expires > Timestamp::now().as_second());
    fresh && (audience == "https://storage.azure.com" || audience == ours)
}

fn challenge(code: &str, message: &str) -> Answer {
    let challenge = format!(
        "Bearer authorization_uri=https://login.microsoftonline.com/{TENANT}/oauth2/authorize \
         resource_id=https://storage.azure.com"
    );
    with(
        storage_error(401, code, message),
        "www-authenticate",
        &challenge,
    )
}
