//! The shipped baselines, and policies loaded with them.

use policies::load::{self, Error};
use policies::policy::Policy;

/// The shipped baselines: the names that `extends` uses, and their texts.
pub(crate) const BASELINES: [(&str, &str); 3] = [
    (
        "baseline/cis-l1",
        include_str!("../../baseline/cis-l1.toml"),
    ),
    (
        "baseline/image-hygiene",
        include_str!("../../baseline/image-hygiene.toml"),
    ),
    (
        "baseline/tre-lockdown",
        include_str!("../../baseline/tre-lockdown.toml"),
    ),
];

/// Loads a policy that may extend the baselines.
pub(crate) fn policy(text: &str) -> Result<Policy, Error> {
    load::load("policy.toml", text, &[], &resolve)
}

/// The text of a baseline.
pub(crate) fn resolve(layer: &str) -> Result<String, String> {
    BASELINES
        .iter()
        .find(|(name, _)| *name == layer)
        .map(|(_, text)| (*text).to_owned())
        .ok_or_else(|| "there is no such policy".to_owned())
}

/// An error as it is printed: every cause and the hint.
pub(crate) fn words(error: &Error) -> String {
    let mut words = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        words.push_str("\n  cause: ");
        words.push_str(&cause.to_string());
        source = cause.source();
    }
    if let Some(hint) = error.hint() {
        words.push_str("\n  hint: ");
        words.push_str(hint);
    }
    words
}
