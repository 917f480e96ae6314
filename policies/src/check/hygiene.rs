//! Traces that a sealed image must not carry.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::seen::{Scale, Seen, not_applicable};
use crate::verdict::{Judgement, Layer};

/// A sealed image carries no trace of the machine that it was made on: `{ rule = "no-ssh-host-keys" }` or
/// `{ logs-at-most = "50MiB" }`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(try_from = "Words", into = "Words")]
#[schemars(with = "Words")]
pub enum Hygiene {
    /// The logs are no bigger than this.
    LogsAtMost(Size),
    /// There is no trace of a kind.
    Rule(HygieneRule),
}

/// The words of a hygiene check, of which exactly one is said.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Hygiene")]
struct Words {
    /// A kind of trace that must not be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rule: Option<HygieneRule>,
    /// How big the logs may be together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    logs_at_most: Option<Size>,
}

impl TryFrom<Words> for Hygiene {
    type Error = InvalidHygiene;

    fn try_from(words: Words) -> Result<Self, Self::Error> {
        match (words.rule, words.logs_at_most) {
            (Some(rule), None) => Ok(Self::Rule(rule)),
            (None, Some(size)) => Ok(Self::LogsAtMost(size)),
            _ => Err(InvalidHygiene),
        }
    }
}

impl From<Hygiene> for Words {
    fn from(hygiene: Hygiene) -> Self {
        let mut words = Self::default();
        match hygiene {
            Hygiene::LogsAtMost(size) => words.logs_at_most = Some(size),
            Hygiene::Rule(rule) => words.rule = Some(rule),
        }
        words
    }
}

/// A hygiene check that says nothing or two things.
#[derive(Debug, thiserror::Error)]
#[error("exactly one of `rule`, `logs-at-most` is needed")]
pub struct InvalidHygiene;

/// A kind of trace.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum HygieneRule {
    /// `/etc/machine-id` is empty, so that each machine makes its own.
    EmptyMachineId,
    /// Nobody's SSH key opens an account.
    NoAuthorizedKeys,
    /// cloud-init has not run yet.
    NoCloudInitInstance,
    /// No memory of a process was kept.
    NoCoreDumps,
    /// No shell remembers what was typed.
    NoShellHistory,
    /// Each machine makes its own SSH host keys.
    NoSshHostKeys,
}

impl HygieneRule {
    /// The rule in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::EmptyMachineId => "empty machine-id",
            Self::NoAuthorizedKeys => "no authorized SSH keys",
            Self::NoCloudInitInstance => "no cloud-init instance",
            Self::NoCoreDumps => "no core dumps",
            Self::NoShellHistory => "no shell history",
            Self::NoSshHostKeys => "no SSH host keys",
        }
    }
}

/// A number of bytes, written such as `50MiB` or `4096`.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Size(u64);

const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

impl Size {
    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl TryFrom<String> for Size {
    type Error = InvalidSize;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (digits, unit) = UNITS
            .iter()
            .find_map(|(unit, size)| text.strip_suffix(unit).map(|digits| (digits, *size)))
            .unwrap_or((&text, 1));
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let number = digits.parse().ok().filter(|_| plain);
        match number.and_then(|number: u64| number.checked_mul(unit)) {
            Some(bytes) => Ok(Self(bytes)),
            None => Err(InvalidSize { text }),
        }
    }
}

impl From<Size> for String {
    fn from(size: Size) -> Self {
        size.to_string()
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS
            .iter()
            .find(|(_, size)| self.0 >= *size && self.0.is_multiple_of(*size));
        match unit {
            Some((unit, size)) => write!(f, "{}{unit}", self.0 / size),
            None => write!(f, "{}", self.0),
        }
    }
}

/// A text that is not a number of bytes.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is not a size such as `50MiB`", text.escape_debug())]
pub struct InvalidSize {
    text: String,
}

/// What a sealed image carries.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HygieneFacts {
    /// Whether the machine is running, so that it makes traces of its own.
    pub is_running: bool,
    /// What was found.
    pub traces: Seen<Traces>,
}

/// What was found of one kind of trace.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Traces {
    /// The traces' paths.
    Paths(Vec<String>),
    /// The logs' size together, in bytes.
    Logs(u64),
}

impl Hygiene {
    pub(super) fn subject(&self) -> String {
        format!("image: {}", self.expected())
    }

    fn expected(&self) -> String {
        match self {
            Self::LogsAtMost(size) => format!("logs at most {size}"),
            Self::Rule(rule) => rule.words().to_owned(),
        }
    }

    /// Judges the image. A machine that runs makes traces of its own, so that the rules have no meaning there.
    pub fn judge(&self, facts: &HygieneFacts) -> Judgement {
        if facts.is_running {
            return not_applicable(self.expected(), "judged on the sealed image");
        }
        let mut scale = Scale::new(self.expected());
        match (&facts.traces, self) {
            (Seen::Unreadable(cause), _) => scale.unknown(cause),
            (Seen::Found(Traces::Paths(paths)), Self::Rule(_)) if !paths.is_empty() => {
                for path in paths {
                    scale.weigh(Layer::Persisted, path, path, false);
                }
            }
            (Seen::Found(Traces::Logs(bytes)), Self::LogsAtMost(size)) => {
                let holds = *bytes <= size.bytes();
                scale.weigh(
                    Layer::Persisted,
                    "/var/log",
                    format!("{bytes} bytes"),
                    holds,
                );
            }
            (Seen::Absent | Seen::NotRunning | Seen::Found(_), _) => {
                scale.weigh(Layer::Persisted, "image", "nothing", true);
            }
        }
        scale.conclude()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(check: &str, is_running: bool, traces: Seen<Traces>) -> &'static str {
        let check: Hygiene = toml::from_str(check).unwrap();
        check
            .judge(&HygieneFacts { is_running, traces })
            .verdict
            .word()
    }

    #[test]
    fn sealed_image_carries_no_trace() {
        let keys = "rule = \"no-ssh-host-keys\"";
        let paths = |paths: &[&str]| {
            Seen::Found(Traces::Paths(
                paths.iter().map(|&path| path.to_owned()).collect(),
            ))
        };
        assert_eq!(judge(keys, false, paths(&[])), "pass");
        assert_eq!(
            judge(keys, false, paths(&["/etc/ssh/ssh_host_rsa_key"])),
            "fail"
        );
        assert_eq!(
            judge(keys, false, Seen::Unreadable(String::new())),
            "unknown"
        );
        assert_eq!(judge(keys, true, paths(&["/etc/ssh/x"])), "not applicable");
        let logs = "logs-at-most = \"1KiB\"";
        assert_eq!(judge(logs, false, Seen::Found(Traces::Logs(1024))), "pass");
        assert_eq!(judge(logs, false, Seen::Found(Traces::Logs(1025))), "fail");
    }

    #[test]
    fn sizes_are_whole_numbers_with_a_unit() {
        let size = |text: &str| Size::try_from(text.to_owned());
        assert_eq!(size("50MiB").unwrap().bytes(), 50 << 20);
        assert_eq!(size("50MiB").unwrap().to_string(), "50MiB");
        assert_eq!(size("7").unwrap().to_string(), "7");
        for bad in [
            "",
            "MiB",
            "1.5GiB",
            "50MB",
            "-1",
            "+1KiB",
            "99999999999999GiB",
        ] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn hygiene_says_exactly_one_thing() {
        assert!(toml::from_str::<Hygiene>("").is_err());
        let both = "rule = \"no-core-dumps\"\nlogs-at-most = \"1\"";
        assert!(toml::from_str::<Hygiene>(both).is_err());
    }
}
