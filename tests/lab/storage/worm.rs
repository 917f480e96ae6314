//! Versions and immutability, which Azurite has not.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::Lockdown;
use crate::lab::site::message::{Answer, Call, empty, storage_error, with};

/// For how long what is written stays immutable.
const RETENTION: SignedDuration = SignedDuration::from_hours(365 * 24);

/// What is known of each blob, by container and name.
pub(super) type Held = HashMap<(String, String), Hold>;

/// What holds one blob.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Hold {
    version: Option<String>,
    until: Option<Timestamp>,
    locked: bool,
    legal: bool,
}

impl Hold {
    /// What holds a blob that is written now.
    pub(super) fn new(lockdown: Lockdown) -> Self {
        let now = Timestamp::now();
        Self {
            version: lockdown
                .versions
                .then(|| now.strftime("%Y-%m-%dT%H:%M:%S.%7fZ").to_string()),
            until: lockdown.immutable.then(|| now + RETENTION),
            locked: lockdown.locked,
            legal: false,
        }
    }

    fn holds(&self) -> bool {
        self.legal || self.until.is_some_and(|until| Timestamp::now() < until)
    }

    /// Refuses what would alter a held blob.
    ///
    /// As with a policy of the container; one of the version would turn an overwrite into a new version.
    pub(super) fn refuse(&self) -> Option<Answer> {
        let message = "This operation is not permitted as the blob is immutable due to a policy.";
        self.holds()
            .then(|| storage_error(409, "BlobImmutableDueToPolicy", message))
    }

    /// Whether this is the version that a request names.
    pub(super) fn is_version(&self, asked: &str) -> bool {
        self.version.as_deref() == Some(asked)
    }

    /// Adds what answers about the blob say of it.
    pub(super) fn announce(&self, mut answer: Answer, reading: bool) -> Answer {
        if let Some(version) = &self.version {
            answer = with(answer, "x-ms-version-id", version);
            if reading {
                answer = with(answer, "x-ms-is-current-version", "true");
            }
        }
        if reading && let Some(until) = self.until {
            answer = with(answer, "x-ms-immutability-policy-until-date", &date(until));
            answer = with(answer, "x-ms-immutability-policy-mode", self.mode());
        }
        if reading && self.legal {
            with(answer, "x-ms-legal-hold", "true")
        } else {
            answer
        }
    }

    const fn mode(&self) -> &'static str {
        if self.locked { "locked" } else { "unlocked" }
    }

    /// What a listing says of the blob: beside its name, and among its properties.
    pub(super) fn listed(&self) -> (String, String) {
        let version = self.version.as_ref().map_or_else(String::new, |version| {
            format!("<VersionId>{version}</VersionId><IsCurrentVersion>true</IsCurrentVersion>")
        });
        let mut properties = self.until.map_or_else(String::new, |until| {
            format!(
                "<ImmutabilityPolicyUntilDate>{}</ImmutabilityPolicyUntilDate>\
                 <ImmutabilityPolicyMode>{}</ImmutabilityPolicyMode>",
                date(until),
                self.mode()
            )
        });
        if self.legal {
            properties.push_str("<LegalHold>true</LegalHold>");
        }
        (version, properties)
    }

    /// Sets or lifts the policy: `?comp=immutabilityPolicies`.
    pub(super) fn policy(&mut self, call: &Call) -> Answer {
        if call.method() == hyper::Method::DELETE {
            if self.locked && self.until.is_some() {
                let message = "The immutability policy is locked.";
                return storage_error(409, "BlobImmutableDueToPolicy", message);
            }
            self.until = None;
            return empty(200);
        }
        let until = call
            .header("x-ms-immutability-policy-until-date")
            .and_then(|until| jiff::fmt::rfc2822::parse(until).ok())
            .map(|until| until.timestamp());
        let mode = call
            .header("x-ms-immutability-policy-mode")
            .unwrap_or("Unlocked")
            .to_ascii_lowercase();
        let Some(until) = until.filter(|until| *until > Timestamp::now()) else {
            return storage_error(
                400,
                "InvalidHeaderValue",
                "x-ms-immutability-policy-until-date is not valid.",
            );
        };
        if self.locked && self.until.is_some_and(|now| until < now) {
            let message = "A locked policy can only grow.";
            return storage_error(409, "ImmutabilityPolicyUpdateOnLockedPolicy", message);
        }
        self.until = Some(until);
        self.locked = mode == "locked" || self.locked;
        let answer = with(
            empty(200),
            "x-ms-immutability-policy-until-date",
            &date(until),
        );
        with(answer, "x-ms-immutability-policy-mode", self.mode())
    }

    /// Sets or lifts the legal hold: `?comp=legalhold`.
    pub(super) fn legal_hold(&mut self, call: &Call) -> Answer {
        self.legal = call.header("x-ms-legal-hold") == Some("true");
        with(
            empty(200),
            "x-ms-legal-hold",
            if self.legal { "true" } else { "false" },
        )
    }
}

fn date(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
