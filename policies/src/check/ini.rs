//! Values in files with sections, such as `xrdp.ini` or systemd's `coredump.conf`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::demand::{Comparison, Demand};
use super::seen::{Located, Scale, Seen, not_applicable};
use crate::names::AbsPath;
use crate::plan::Action;
use crate::verdict::{Judgement, Layer};

/// A key in a section of a file has a value.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ini {
    /// The file.
    pub path: AbsPath,
    /// The section, without brackets.
    pub section: Key,
    /// The key.
    pub key: Key,
    /// What it must be.
    #[serde(flatten)]
    pub demand: Demand,
    /// A key that overrides this one where any other section has it, such as `channel.cliprdr`, which in a
    /// session section of `xrdp.ini` overrides `cliprdr` in `[Channels]`. Where it stands it must hold too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overridden_by: Option<Key>,
    /// Whether a machine without the file is fine, because the program that reads it is not there either.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
}

/// Name of a section or a key: no brackets, no line break, no `=`, no comment sign, no blank at its ends.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Key(String);

impl Key {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Key {
    type Error = InvalidKey;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let fits = (1..=128).contains(&text.len())
            && text.trim() == text
            && !text.chars().any(|c| c.is_control() || "[]=#;".contains(c));
        if fits {
            Ok(Self(text))
        } else {
            Err(InvalidKey { text })
        }
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

/// A text that cannot be the name of a section or a key.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is not the name of a section or key", text.escape_debug())]
pub struct InvalidKey {
    text: String,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it by reference"
)]
pub(super) const fn is_false(value: &bool) -> bool {
    !*value
}

/// What a file with sections says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IniFacts {
    /// Whether the file is there.
    pub exists: bool,
    /// Every value of the key that the reader of the file could take, in the file that wins; more than
    /// one when the key or its section is repeated.
    pub configured: Seen<Vec<Located>>,
    /// Every value of the overriding key.
    pub overrides: Vec<Located>,
}

impl Ini {
    pub(super) fn subject(&self) -> String {
        format!("[{}] {} in {}", self.section, self.key, self.path)
    }

    /// Judges what the file says. Where a key is repeated, readers differ in which one they take, so that
    /// all of them must hold.
    pub fn judge(&self, facts: &IniFacts) -> Judgement {
        let expected = format!("[{}] {} = {}", self.section, self.key, self.demand);
        if self.optional && !facts.exists {
            return not_applicable(expected, format!("`{}` is not there", self.path));
        }
        let holds = |value: &str| self.demand.holds(value, Comparison::Loose);
        let mut scale = Scale::new(expected);
        match &facts.configured {
            Seen::Absent => {
                scale.weigh(Layer::Configured, self.path.as_str(), "not set", false);
            }
            Seen::Found(values) => {
                for Located { value, source } in values {
                    scale.weigh(Layer::Configured, source, value, holds(value));
                }
            }
            Seen::NotRunning => {}
            Seen::Unreadable(cause) => scale.unknown(cause),
        }
        for Located { value, source } in &facts.overrides {
            let found = format!("overridden: {value}");
            scale.weigh(Layer::Configured, source, found, holds(value));
        }
        scale.conclude()
    }

    /// Sets it, and wherever it is overridden.
    pub fn remedy(&self) -> Vec<Action> {
        vec![Action::SetIni {
            path: self.path.clone(),
            section: self.section.clone(),
            key: self.key.clone(),
            demand: self.demand.clone(),
            overridden_by: self.overridden_by.clone(),
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check() -> Ini {
        toml::from_str(
            "path = \"/etc/xrdp/xrdp.ini\"\nsection = \"Channels\"\nkey = \"cliprdr\"\nequals = \"false\"",
        )
        .unwrap()
    }

    fn values(values: &[&str]) -> Vec<Located> {
        let line = |(line, value): (usize, &&str)| Located::new(*value, format!("x:{line}"));
        values.iter().enumerate().map(line).collect()
    }

    #[test]
    fn every_value_that_could_be_taken_must_hold() {
        let table = [
            (&["false"][..], &[][..], "pass"),
            (&["no"], &[], "pass"),
            (&["true"], &[], "fail"),
            (&["disabled"], &[], "fail"),
            (&["false", "true"], &[], "fail"),
            (&["false"], &["true"], "fail"),
            (&["false"], &["false"], "pass"),
        ];
        for (configured, overrides, expected) in table {
            let facts = IniFacts {
                exists: true,
                configured: Seen::Found(values(configured)),
                overrides: values(overrides),
            };
            assert_eq!(check().judge(&facts).verdict.word(), expected, "{facts:?}");
        }
    }

    #[test]
    fn missing_key_deviates_and_missing_program_does_not() {
        let facts = |exists| IniFacts {
            exists,
            configured: Seen::Absent,
            overrides: Vec::new(),
        };
        assert_eq!(check().judge(&facts(true)).verdict.word(), "fail");
        let optional = Ini {
            optional: true,
            ..check()
        };
        assert_eq!(
            optional.judge(&facts(false)).verdict.word(),
            "not applicable"
        );
    }

    #[test]
    fn keys_cannot_break_out_of_their_line() {
        for bad in ["", " a", "a\nb", "a=b", "[a]", "a#b"] {
            assert!(Key::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
        assert!(Key::try_from("channel.cliprdr".to_owned()).is_ok());
    }
}
