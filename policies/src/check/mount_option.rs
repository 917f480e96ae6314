//! Options that a mount must have.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ini::is_false;
use super::seen::{Located, Scale, Seen, not_applicable};
use crate::names::AbsPath;
use crate::plan::Action;
use crate::verdict::{Judgement, Layer};

/// A mount has options such as `nosuid`, now and after the next boot.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MountOption {
    /// Where it is mounted.
    pub path: AbsPath,
    /// The options.
    pub options: Vec<OptionName>,
    /// Whether a machine that mounts nothing there is fine.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
}

/// A mount option, such as `nodev` or `hidepid=2`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct OptionName(String);

impl OptionName {
    /// The option as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for OptionName {
    type Error = InvalidOption;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let fits = (1..=64).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_-=.:".contains(&b));
        if fits {
            Ok(Self(text))
        } else {
            Err(InvalidOption { text })
        }
    }
}

impl From<OptionName> for String {
    fn from(option: OptionName) -> Self {
        option.0
    }
}

/// A text that is not a mount option.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is not a mount option such as `nosuid`", text.escape_debug())]
pub struct InvalidOption {
    text: String,
}

/// The options of a mount.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MountOptionFacts {
    /// Those of the topmost mount at the path, its own and its file system's, separated by commas; absent
    /// when nothing is mounted there.
    pub effective: Seen<Located>,
    /// Those that the next boot mounts it with; absent when the next boot does not mount it.
    pub persisted: Seen<Located>,
}

impl MountOption {
    pub(super) fn subject(&self) -> String {
        format!("mount options of {}", self.path)
    }

    fn words(&self) -> String {
        let words: Vec<&str> = self.options.iter().map(OptionName::as_str).collect();
        words.join(",")
    }

    /// Judges the options.
    pub fn judge(&self, facts: &MountOptionFacts) -> Judgement {
        let expected = format!("{} {}", self.path, self.words());
        let absent = matches!(facts.effective, Seen::Absent | Seen::NotRunning)
            && matches!(facts.persisted, Seen::Absent);
        if absent && self.optional {
            return not_applicable(expected, format!("`{}` is not a mount", self.path));
        }
        let mut scale = Scale::new(expected);
        let layers = [
            (
                Layer::Effective,
                &facts.effective,
                "not mounted",
                "/proc/self/mountinfo",
            ),
            (
                Layer::Persisted,
                &facts.persisted,
                "not mounted at boot",
                "/etc/fstab",
            ),
        ];
        for (layer, seen, absent, place) in layers {
            match seen {
                Seen::Absent => scale.weigh(layer, place, absent, false),
                Seen::Found(Located { value, source }) => {
                    let missing = self.missing_from(value);
                    let found = if missing.is_empty() {
                        value.clone()
                    } else {
                        format!("{value} (without {})", missing.join(","))
                    };
                    scale.weigh(layer, source, found, missing.is_empty());
                }
                Seen::NotRunning => {}
                Seen::Unreadable(cause) => scale.unknown(cause),
            }
        }
        scale.conclude()
    }

    fn missing_from(&self, options: &str) -> Vec<&str> {
        missing(self.options.iter().map(OptionName::as_str), options)
    }

    /// Adds the options, for now and for the next boot.
    pub fn remedy(&self) -> Vec<Action> {
        vec![Action::SetMountOptions {
            path: self.path.clone(),
            options: self.options.clone(),
        }]
    }
}

/// The wanted options that a list of options does not have.
pub(super) fn missing<'a>(wanted: impl Iterator<Item = &'a str>, options: &str) -> Vec<&'a str> {
    wanted
        .filter(|wanted| !options.split(',').any(|option| option == *wanted))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_has_every_option_now_and_after_the_next_boot() {
        let check: MountOption =
            toml::from_str("path = \"/dev/shm\"\noptions = [\"nodev\", \"nosuid\"]").unwrap();
        let at = |value: &str| Seen::Found(Located::new(value, "x:1"));
        let table = [
            (at("rw,nosuid,nodev"), at("nodev,nosuid"), "pass"),
            (at("rw,nosuid"), at("nodev,nosuid"), "fail"),
            (at("rw,nosuid,nodev"), at("defaults"), "fail"),
            (at("rw,nosuidx,nodev"), at("nodev,nosuid"), "fail"),
            (at("rw,nosuid,nodev"), Seen::Absent, "fail"),
            (Seen::Absent, Seen::Absent, "fail"),
            (Seen::NotRunning, at("nodev,nosuid"), "pass"),
            (
                Seen::Unreadable(String::new()),
                at("nodev,nosuid"),
                "unknown",
            ),
        ];
        for (effective, persisted, expected) in table {
            let facts = MountOptionFacts {
                effective,
                persisted,
            };
            assert_eq!(check.judge(&facts).verdict.word(), expected, "{facts:?}");
        }
    }

    #[test]
    fn optional_mount_may_be_missing() {
        let check: MountOption =
            toml::from_str("path = \"/home\"\noptions = [\"nodev\"]\noptional = true").unwrap();
        let facts = MountOptionFacts {
            effective: Seen::Absent,
            persisted: Seen::Absent,
        };
        assert_eq!(check.judge(&facts).verdict.word(), "not applicable");
    }

    #[test]
    fn options_cannot_bring_others_along() {
        for bad in ["", "nodev,exec", "a b", "a\n", "Exec"] {
            assert!(OptionName::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
