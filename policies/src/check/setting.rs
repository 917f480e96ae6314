//! Values in flat files, such as `login.defs`: one `KEY value` or `KEY = value` on a line.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::demand::{Comparison, Demand};
use super::seen::{Located, Scale, Seen, not_applicable};
use crate::names::AbsPath;
use crate::plan::Action;
use crate::verdict::{Judgement, Layer};

/// A key of a flat file has a value.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Setting {
    /// The file.
    pub path: AbsPath,
    /// The key, with its case.
    pub key: Key,
    /// What it must be.
    #[serde(flatten)]
    pub demand: Demand,
    /// Whether a machine without the file is fine, because the program that reads it is not there either.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
}

pub(super) use super::ini::{Key, is_false};

/// What a flat file says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SettingFacts {
    /// Whether the file is there.
    pub exists: bool,
    /// The value that wins.
    pub configured: Seen<Located>,
}

impl Setting {
    pub(super) fn subject(&self) -> String {
        format!("{} in {}", self.key, self.path)
    }

    /// Judges what the file says.
    pub fn judge(&self, facts: &SettingFacts) -> Judgement {
        let expected = format!("{} = {}", self.key, self.demand);
        if self.optional && !facts.exists {
            return not_applicable(expected, format!("`{}` is not there", self.path));
        }
        let mut scale = Scale::new(expected);
        scale.value(
            Layer::Configured,
            &facts.configured,
            self.path.as_str(),
            |value| self.demand.holds(value, Comparison::Loose),
        );
        scale.conclude()
    }

    /// Sets it.
    pub fn remedy(&self) -> Vec<Action> {
        vec![Action::SetSetting {
            path: self.path.clone(),
            key: self.key.clone(),
            demand: self.demand.clone(),
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_must_say_what_is_demanded() {
        let check: Setting =
            toml::from_str("path = \"/etc/login.defs\"\nkey = \"PASS_MAX_DAYS\"\nat-most = 365")
                .unwrap();
        let found = |value: &str| Seen::Found(Located::new(value, "/etc/login.defs:9"));
        let table = [
            (true, found("365"), "pass"),
            (true, found("99999"), "fail"),
            (true, Seen::Absent, "fail"),
            (false, Seen::Absent, "fail"),
            (true, Seen::Unreadable("denied".to_owned()), "unknown"),
        ];
        for (exists, configured, expected) in table {
            let facts = SettingFacts { exists, configured };
            assert_eq!(check.judge(&facts).verdict.word(), expected, "{facts:?}");
        }
    }

    #[test]
    fn optional_file_may_be_missing_and_its_key_may_not() {
        let mut check: Setting =
            toml::from_str("path = \"/etc/a\"\nkey = \"A\"\nequals = \"1\"").unwrap();
        check.optional = true;
        let judge = |exists| {
            let facts = SettingFacts {
                exists,
                configured: Seen::Absent,
            };
            check.judge(&facts).verdict.word()
        };
        assert_eq!(judge(false), "not applicable");
        assert_eq!(judge(true), "fail");
    }
}
