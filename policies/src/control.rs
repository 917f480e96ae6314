//! One demand: its name, its reason, and what is checked.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::verdict::Grade;

/// One thing that must hold, and why.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Control {
    /// Area and number, such as `SSH-003`; never used for another demand again.
    pub id: ControlId,
    /// The demand as one short sentence.
    pub title: String,
    /// How bad it is when it does not hold.
    pub severity: Severity,
    /// Why it matters, for people.
    pub rationale: String,
    /// Requirements of standards that it serves.
    #[serde(default)]
    pub references: Vec<Reference>,
    /// From when on it must hold.
    #[serde(default)]
    pub phase: Phase,
    /// How strongly it binds.
    #[serde(default)]
    pub grade: Grade,
    /// What is looked at.
    pub check: Check,
}

/// Name of a control: two to six capital letters, a dash, and a number or a word in capitals.
#[derive(
    Clone, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct ControlId(String);

impl ControlId {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the dash.
    #[must_use]
    pub fn area(&self) -> &str {
        self.0.split_once('-').map_or(&self.0, |(area, _)| area)
    }
}

impl TryFrom<String> for ControlId {
    type Error = InvalidControlId;

    fn try_from(id: String) -> Result<Self, Self::Error> {
        let area = |part: &str| {
            (2..=6).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_uppercase())
        };
        let rest = |part: &str| {
            (1..=48).contains(&part.len())
                && part
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-')
        };
        if id
            .split_once('-')
            .is_some_and(|(head, tail)| area(head) && rest(tail))
        {
            Ok(Self(id))
        } else {
            Err(InvalidControlId { id })
        }
    }
}

impl From<ControlId> for String {
    fn from(id: ControlId) -> Self {
        id.0
    }
}

impl fmt::Display for ControlId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A text that is not the name of a control.
#[derive(Debug, thiserror::Error)]
#[error("`{id}` is not a control id such as `SSH-003`")]
pub struct InvalidControlId {
    id: String,
}

/// How bad it is when a control does not hold.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// A small weakness.
    Low,
    /// A weakness that helps an attack.
    Medium,
    /// A weakness that makes an attack likely to succeed.
    High,
    /// Data can leave, or a researcher can become root.
    Critical,
}

/// From when on a control must hold.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// In the image already, and ever after.
    #[default]
    Image,
    /// Only where the VM is deployed, because it needs what only the environment has.
    Vm,
}

/// A requirement of a standard, such as `nist-800-53:SC-30`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Reference(String);

impl Reference {
    /// The standards that a reference can name.
    pub const STANDARDS: [&'static str; 6] = [
        "cis-debian-12",
        "cis-ubuntu-24.04",
        "hipaa",
        "nist-800-171",
        "nist-800-53",
        "satre",
    ];

    /// The reference as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Reference {
    type Error = InvalidReference;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let known = text.split_once(':').is_some_and(|(standard, section)| {
            Self::STANDARDS.contains(&standard) && !section.trim().is_empty()
        });
        if known {
            Ok(Self(text))
        } else {
            Err(InvalidReference { text })
        }
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.0
    }
}

/// A text that does not name a requirement of a known standard.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a reference such as `nist-800-53:SC-30` (known: {})", Reference::STANDARDS.join(", "))]
pub struct InvalidReference {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_an_area_and_a_number() {
        for good in ["SSH-003", "EGRESS-ALLOW-1", "KRN-1"] {
            assert!(ControlId::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in [
            "",
            "SSH",
            "ssh-003",
            "S-1",
            "SSH-",
            "SSH-00 3",
            "TOOLONGAREA-1",
            "SSH-\u{e9}",
        ] {
            assert!(ControlId::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn references_name_a_known_standard() {
        assert!(Reference::try_from("nist-800-53:SC-30".to_owned()).is_ok());
        assert!(Reference::try_from("nist-800-53:".to_owned()).is_err());
        assert!(Reference::try_from("iso:1".to_owned()).is_err());
    }
}
