//! Kernel modules that cannot be loaded.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::seen::{Located, Scale, Seen};
use crate::plan::Action;
use crate::verdict::{Judgement, Layer};

/// A kernel module is not loaded and cannot be loaded on demand.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KernelModule {
    /// The module.
    pub name: ModuleName,
    /// How it must be.
    pub want: ModuleWant,
}

/// How a kernel module must be.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModuleWant {
    /// Not loaded, and not loadable on demand.
    Blocked,
}

/// Name of a kernel module; `-` and `_` are the same, and it is kept with `_` as the kernel does.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct ModuleName(String);

impl ModuleName {
    /// The name as text, with `_`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ModuleName {
    type Error = InvalidModuleName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let fits = (1..=64).contains(&text.len())
            && !text.starts_with(['-', '_'])
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if fits {
            Ok(Self(text.replace('-', "_")))
        } else {
            Err(InvalidModuleName { text })
        }
    }
}

impl From<ModuleName> for String {
    fn from(name: ModuleName) -> Self {
        name.0
    }
}

impl std::fmt::Display for ModuleName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

/// A text that is not the name of a kernel module.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is not the name of a kernel module", text.escape_debug())]
pub struct InvalidModuleName {
    text: String,
}

/// What is known about a kernel module.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KernelModuleFacts {
    /// How the running kernel has it: `loaded` or `built in`; absent when it has not.
    pub effective: Seen<Located>,
    /// The line of `modprobe.d` that keeps it from being loaded.
    pub blocked_by: Seen<Located>,
}

impl KernelModule {
    pub(super) fn subject(&self) -> String {
        format!("kernel module {}", self.name)
    }

    /// Judges the module.
    pub fn judge(&self, facts: &KernelModuleFacts) -> Judgement {
        let ModuleWant::Blocked = self.want;
        let mut scale = Scale::new(format!("{} blocked", self.name));
        match &facts.effective {
            Seen::Absent => {
                scale.weigh(Layer::Effective, "/proc/modules", "not loaded", true);
            }
            Seen::Found(Located { value, source }) => {
                scale.weigh(Layer::Effective, source, value, false);
            }
            Seen::NotRunning => {}
            Seen::Unreadable(cause) => scale.unknown(cause),
        }
        match &facts.blocked_by {
            Seen::Absent => scale.weigh(Layer::Configured, "modprobe.d", "not blocked", false),
            Seen::Found(Located { value, source }) => {
                scale.weigh(Layer::Configured, source, value, true);
            }
            Seen::NotRunning => {}
            Seen::Unreadable(cause) => scale.unknown(cause),
        }
        scale.conclude()
    }

    /// Blocks it, and unloads it when it is loaded.
    pub fn remedy(&self) -> Vec<Action> {
        vec![Action::BlockModule {
            name: self.name.clone(),
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_is_neither_loaded_nor_loadable() {
        let check: KernelModule =
            toml::from_str("name = \"usb-storage\"\nwant = \"blocked\"").unwrap();
        assert_eq!(check.name.as_str(), "usb_storage");
        let at = |value: &str| Seen::Found(Located::new(value, "x:1"));
        let table = [
            (Seen::Absent, at("install usb_storage /bin/false"), "pass"),
            (at("loaded"), at("install usb_storage /bin/false"), "fail"),
            (Seen::Absent, Seen::Absent, "fail"),
            (Seen::NotRunning, at("blacklist usb_storage"), "pass"),
            (
                Seen::Absent,
                Seen::Unreadable("denied".to_owned()),
                "unknown",
            ),
        ];
        for (effective, blocked_by, expected) in table {
            let facts = KernelModuleFacts {
                effective,
                blocked_by,
            };
            assert_eq!(check.judge(&facts).verdict.word(), expected, "{facts:?}");
        }
    }
}
