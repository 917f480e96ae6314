//! What the judgement of a control says.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a control holds.
#[must_use]
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// It does not hold.
    Fail,
    /// It has no meaning on this machine; says why.
    NotApplicable {
        /// Why the control has no meaning here.
        reason: String,
    },
    /// It holds.
    Pass,
    /// It could not be found out. Counts as a deviation.
    Unknown {
        /// What stood in the way.
        cause: String,
    },
}

impl Verdict {
    /// Says whether the verdict is as good as the policy wants it. What is not known is not fine.
    #[must_use]
    pub const fn conforms(&self) -> bool {
        match self {
            Self::NotApplicable { .. } | Self::Pass => true,
            Self::Fail | Self::Unknown { .. } => false,
        }
    }

    /// The verdict in one word, as it is printed.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::NotApplicable { .. } => "not applicable",
            Self::Pass => "pass",
            Self::Unknown { .. } => "unknown",
        }
    }
}

/// Where a value was seen. Each of the three can be wrong alone.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// In the running kernel or daemon.
    Effective,
    /// In the configuration that a daemon reads; the file that wins.
    Configured,
    /// In what the next boot will read.
    Persisted,
}

/// One thing that was seen on the machine.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Which of the three places it was seen in.
    pub layer: Layer,
    /// Where exactly: a file with its line (`/etc/sysctl.d/60-x.conf:3`), a program, a kernel file.
    pub source: String,
    /// What was there.
    pub found: String,
}

/// The judgement of one check over the facts of one machine.
#[must_use]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Judgement {
    /// Whether the demand holds.
    pub verdict: Verdict,
    /// What the policy wants, in words.
    pub expected: String,
    /// What the machine has, in words.
    pub found: String,
    /// Where it was seen.
    pub evidence: Vec<Evidence>,
}

/// How strongly a control binds the people it is meant for.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// By a process that the researcher owns.
    Advisory,
    /// By the kernel or a daemon that the researcher does not own.
    #[default]
    Enforced,
    /// Only the control plane can tell.
    Network,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_does_not_conform() {
        assert!(
            !Verdict::Unknown {
                cause: String::new()
            }
            .conforms()
        );
        assert!(!Verdict::Fail.conforms());
        assert!(Verdict::Pass.conforms());
        assert!(
            Verdict::NotApplicable {
                reason: String::new()
            }
            .conforms()
        );
    }
}
