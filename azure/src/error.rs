//! What went wrong: which request, what Azure said, and what that smells of.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use azure_core::error::ErrorKind;
use azure_core::http::RawResponse;
use azure_core::http::headers::HeaderName;
use time::OffsetDateTime;

use crate::call::Call;
use crate::clock;
use crate::credential::Unavailable;
use crate::net::Refused;
use crate::patience::{Late, cause};

/// A request that failed.
#[derive(Debug)]
pub struct Error(Box<Failure>);

/// What is known of it.
#[derive(Debug)]
struct Failure {
    call: Call,
    object: String,
    answer: Option<Answer>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What Azure answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Azure's code for what is wrong, such as `AuthorizationPermissionMismatch`.
    pub code: Option<String>,
    /// What Azure says about it.
    pub message: Option<String>,
    /// The name of the request in Azure's logs.
    pub request: Option<String>,
    /// How far Azure's clock is from this machine's, where it is far.
    pub skew: Option<Duration>,
}

/// What a failure smells of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// A condition did not hold: the thing is another one than it was.
    Changed,
    /// The clock of this machine is wrong.
    Clock,
    /// It is there already, or in use.
    Conflict,
    /// Nothing came back in time.
    Deadline,
    /// The network of the service does not let this machine in.
    Firewall,
    /// There is no token.
    Identity,
    /// The thing may not be changed.
    Immutable,
    /// The thing is not there.
    Missing,
    /// The service cannot be reached.
    Network,
    /// Anything else.
    Other,
    /// The address of the host is not one that it must have, so nothing was sent.
    Refused,
    /// The identity lacks a role.
    Role,
    /// Too much was asked for in too short a time.
    Throttled,
}

impl Error {
    /// A request that failed in the SDK or on the wire.
    pub(crate) fn new(call: &Call, object: impl Into<String>, error: azure_core::Error) -> Self {
        let answer = match error.kind() {
            ErrorKind::HttpResponse {
                status,
                error_code,
                raw_response,
            } => {
                let raw = raw_response.as_deref();
                Some(Answer::read(
                    (*status).into(),
                    error_code.as_deref(),
                    raw,
                    clock::now(),
                ))
            }
            _ => None,
        };
        // What the SDK would say of an answer is a copy of its body.
        let source: Option<Box<dyn StdError + Send + Sync>> = match &answer {
            Some(answer) => answer.message.clone().map(Into::into),
            None => Some(error.into()),
        };
        Self(Box::new(Failure {
            call: *call,
            object: object.into(),
            answer,
            source,
        }))
    }

    /// A request that was not sent, or an answer that was not understood.
    pub(crate) fn because(
        call: &Call,
        object: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        let (object, source) = (object.into(), Some(source.into()));
        Self(Box::new(Failure {
            call: *call,
            object,
            answer: None,
            source,
        }))
    }

    /// Which kind of request it was.
    #[must_use]
    pub fn call(&self) -> &Call {
        &self.0.call
    }

    /// What Azure answered; none when there was no answer.
    #[must_use]
    pub fn answer(&self) -> Option<&Answer> {
        self.0.answer.as_ref()
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.answer.as_ref().map(|answer| answer.status)
    }

    /// Azure's code for what is wrong.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.0.answer.as_ref()?.code.as_deref()
    }

    /// What the failure smells of.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match &self.0.answer {
            Some(answer) => answer.reason(),
            None => self.unanswered().unwrap_or(Reason::Other),
        }
    }

    /// Why there was no answer.
    fn unanswered(&self) -> Option<Reason> {
        let source: &(dyn StdError + 'static) = self.0.source.as_deref()?;
        if cause::<Unavailable>(source).is_some() {
            return Some(Reason::Identity);
        }
        if let Some(refused) = cause::<Refused>(source) {
            return Some(match refused {
                Refused::Astray { .. } | Refused::Plain { .. } => Reason::Refused,
                Refused::Nameless { .. } | Refused::Slow { .. } => Reason::Network,
            });
        }
        if cause::<Late>(source).is_some() {
            return Some(Reason::Deadline);
        }
        match cause::<azure_core::Error>(source)?.kind() {
            ErrorKind::Connection | ErrorKind::Io => Some(Reason::Network),
            ErrorKind::Credential => Some(Reason::Identity),
            _ => None,
        }
    }

    /// The next step, where it is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let Call { action, role, .. } = self.0.call;
        Some(match self.reason() {
            Reason::Clock => {
                let skew = self.0.answer.as_ref().and_then(|answer| answer.skew)?;
                format!(
                    "the clock of this machine is {} s off; set it",
                    skew.as_secs()
                )
            }
            Reason::Firewall => {
                "the identity was not even asked about: the service's network rules keep this \
                 machine out; use its private endpoint, or allow this network"
                    .to_owned()
            }
            Reason::Identity => {
                "`az account get-access-token` or the metadata service must give this identity \
                 a token"
                    .to_owned()
            }
            Reason::Refused => {
                "the private DNS zone must be linked to this network and hold the address of the \
                 private endpoint"
                    .to_owned()
            }
            Reason::Role => {
                format!(
                    "the identity needs `{action}`, as in the role `{role}`; a new role takes up to 30 minutes"
                )
            }
            _ => return None,
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "failed to {} `{}`", self.0.call.deed, self.0.object)?;
        let Some(answer) = &self.0.answer else {
            return Ok(());
        };
        write!(to, ": {}", answer.status)?;
        if let Some(code) = &answer.code {
            write!(to, " {code}")?;
        }
        if let Some(request) = &answer.request {
            write!(to, " (request {request})")?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source)
    }
}

impl Answer {
    /// Reads what an answer that is no success says.
    pub(crate) fn read(
        status: u16,
        code: Option<&str>,
        raw: Option<&RawResponse>,
        now: OffsetDateTime,
    ) -> Self {
        let header = |name: &'static str| {
            let value = raw?
                .headers()
                .get_optional_str(&HeaderName::from_static(name))?;
            Some(short(value))
        };
        let body = raw.map(|raw| String::from_utf8_lossy(raw.body()).into_owned());
        let (told, message) = body.as_deref().map_or((None, None), said);
        // Without a code of the service the SDK puts the status in words there.
        let code = header("x-ms-error-code").or(told).or_else(|| {
            code.filter(|code| !code.contains(' ') && !code.is_empty())
                .map(short)
        });
        let skew = header("date")
            .and_then(|date| azure_core::time::parse_rfc7231(&date).ok())
            .map(|date| (date - now).unsigned_abs())
            .filter(|skew| *skew > SKEW);
        Self {
            status,
            code,
            message,
            request: header("x-ms-request-id"),
            skew,
        }
    }

    fn reason(&self) -> Reason {
        let code = self.code.as_deref().unwrap_or_default();
        match (self.status, code) {
            (401 | 403, _) if self.skew.is_some() => Reason::Clock,
            // Storage: the identity is known and lacks the role.
            (403, "AuthorizationPermissionMismatch" | "InsufficientAccountPermissions") => {
                Reason::Role
            }
            // The network rules of storage and Key Vault, before anybody asks for the identity.
            (
                403 | 409,
                "AuthorizationFailure"
                | "AuthorizationSourceIPMismatch"
                | "IpAuthorizationError"
                | "PublicAccessNotPermitted"
                | "PublicAccessNotAuthorized"
                | "NetworkAuthorizationError"
                | "ForbiddenByFirewall"
                | "ForbiddenByConnection",
            ) => Reason::Firewall,
            // Key Vault says `Forbidden` to both and explains in the message.
            (403, _) if self.mentions("firewall") || self.mentions("not a trusted service") => {
                Reason::Firewall
            }
            // Resource Manager: `AuthorizationFailed`; Key Vault: `ForbiddenByRbac`.
            (403, _) => Reason::Role,
            (401, _) => Reason::Identity,
            (404 | 410, _) => Reason::Missing,
            (409, code) if code.starts_with("BlobImmutable") => Reason::Immutable,
            (409, _) => Reason::Conflict,
            (304 | 412, _) => Reason::Changed,
            (429, _) | (503, "ServerBusy") => Reason::Throttled,
            (408 | 504, _) => Reason::Deadline,
            _ => Reason::Other,
        }
    }

    fn mentions(&self, word: &str) -> bool {
        self.message
            .as_ref()
            .is_some_and(|message| message.to_ascii_lowercase().contains(word))
    }
}

/// How far two clocks may be apart. Azure takes tokens that begin up to five minutes from now.
const SKEW: Duration = Duration::from_mins(5);

/// Code and message of an error as JSON (most services) or XML (storage).
fn said(body: &str) -> (Option<String>, Option<String>) {
    if let Ok(json) = serde_json::from_str::<serde_json::Value>(body) {
        let text = |pointer| {
            json.pointer(pointer)
                .and_then(|value| value.as_str())
                .map(short)
        };
        let code = text("/error/innererror/code")
            .or_else(|| text("/error/code"))
            .or_else(|| text("/code"));
        return (
            code.or_else(|| text("/error")),
            text("/error/message").or_else(|| text("/message")),
        );
    }
    let element = |name: &str| {
        let (_before, rest) = body.split_once(&format!("<{name}>"))?;
        let (text, _after) = rest.split_once(&format!("</{name}>"))?;
        Some(short(text))
    };
    (element("Code"), element("Message"))
}

/// Text from outside as one short line: it will stand in logs.
fn short(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(400).collect()
}

#[cfg(test)]
mod tests {
    use azure_core::http::StatusCode;
    use azure_core::http::headers::Headers;

    use super::*;
    use crate::call;

    fn failed(status: u16, headers: &[(&'static str, &'static str)], body: &'static str) -> Error {
        let mut map = Headers::new();
        for (name, value) in headers {
            map.insert(*name, *value);
        }
        let raw = RawResponse::from_bytes(StatusCode::from(status), map, body);
        let kind = ErrorKind::HttpResponse {
            status: StatusCode::from(status),
            error_code: None,
            raw_response: Some(Box::new(raw)),
        };
        Error::new(
            &call::blob::LIST,
            "https://st/import",
            azure_core::Error::with_message(kind, body),
        )
    }

    #[test]
    fn a_missing_role_is_told_from_a_firewall() {
        let role = failed(
            403,
            &[
                ("x-ms-error-code", "AuthorizationPermissionMismatch"),
                ("x-ms-request-id", "r-1"),
            ],
            "",
        );
        assert_eq!(role.reason(), Reason::Role);
        assert_eq!(
            role.to_string(),
            "failed to list the blobs of `https://st/import`: 403 AuthorizationPermissionMismatch (request r-1)"
        );
        assert!(role.hint().unwrap().contains("Storage Blob Data Reader"));

        for (status, code) in [
            (403, "AuthorizationFailure"),
            (403, "IpAuthorizationError"),
            (409, "PublicAccessNotPermitted"),
            (403, "ForbiddenByFirewall"),
        ] {
            let body: &'static str =
                Box::leak(format!("<Error><Code>{code}</Code><Message>x</Message></Error>").into());
            let firewall = failed(status, &[], body);
            assert_eq!(firewall.reason(), Reason::Firewall, "{code}");
            assert!(firewall.hint().unwrap().contains("network"), "{code}");
        }
        let vault = failed(
            403,
            &[],
            r#"{"error":{"code":"Forbidden","message":"Client address is not authorized and caller is not a trusted service."}}"#,
        );
        assert_eq!(vault.reason(), Reason::Firewall);
        let rbac = failed(
            403,
            &[],
            r#"{"error":{"code":"Forbidden","message":"Caller is not authorized","innererror":{"code":"ForbiddenByRbac"}}}"#,
        );
        assert_eq!(
            (rbac.reason(), rbac.code()),
            (Reason::Role, Some("ForbiddenByRbac"))
        );
    }

    #[test]
    fn what_azure_says_is_the_cause() {
        let arm = failed(
            404,
            &[],
            r#"{"error":{"code":"ResourceNotFound","message":"No such gallery.\nx"}}"#,
        );
        assert_eq!(arm.reason(), Reason::Missing);
        assert_eq!(arm.source().unwrap().to_string(), "No such gallery.");
        assert_eq!(failed(409, &[], "garbage").reason(), Reason::Conflict);
        assert!(failed(500, &[], "garbage").source().is_none());
    }

    #[test]
    fn a_wrong_clock_is_named_before_the_identity_is_blamed() {
        let error = failed(401, &[("date", "Fri, 01 Jan 2021 00:00:00 GMT")], "");
        assert_eq!(error.reason(), Reason::Clock);
        assert!(
            error
                .hint()
                .unwrap()
                .starts_with("the clock of this machine is ")
        );
        assert_eq!(failed(401, &[], "").reason(), Reason::Identity);
    }

    #[test]
    fn statuses_have_their_reasons() {
        for (status, code, expected) in [
            (412, "ConditionNotMet", Reason::Changed),
            (409, "BlobAlreadyExists", Reason::Conflict),
            (409, "BlobImmutableDueToPolicy", Reason::Immutable),
            (429, "", Reason::Throttled),
            (503, "ServerBusy", Reason::Throttled),
            (500, "InternalError", Reason::Other),
        ] {
            assert_eq!(
                failed(status, &[("x-ms-error-code", code)], "").reason(),
                expected,
                "{status}"
            );
        }
    }

    #[test]
    fn text_from_outside_is_one_short_line() {
        let line = short(&format!("a\u{1b}[31mb{}\nsecond", "x".repeat(900)));
        assert!(line.starts_with("a[31mb") && line.len() == 400);
    }
}
