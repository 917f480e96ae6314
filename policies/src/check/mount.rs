//! Mounts that must be there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mount_option::{OptionName, missing};
use super::seen::{Scale, Seen};
use crate::names::AbsPath;
use crate::verdict::{Judgement, Layer};

/// Something is mounted at a path.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mount {
    /// Where.
    pub path: AbsPath,
    /// What, as the mount table names it; when missing, anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The types of file system that it may have; when empty, any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// Options that it must have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<OptionName>,
}

/// What is mounted at a path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MountFacts {
    /// The topmost mount; absent when nothing is mounted there.
    pub effective: Seen<Mounted>,
}

/// One mount.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mounted {
    /// What is mounted.
    pub source: String,
    /// Its type of file system.
    pub fs_type: String,
    /// Its options and its file system's, separated by commas.
    pub options: String,
}

impl Mount {
    pub(super) fn subject(&self) -> String {
        format!("mount at {}", self.path)
    }

    fn expected(&self) -> String {
        let mut words = vec![format!("{} mounted", self.path)];
        words.extend(self.source.iter().map(|source| format!("from {source}")));
        if !self.types.is_empty() {
            words.push(format!("as {}", self.types.join(" or ")));
        }
        if !self.options.is_empty() {
            let options: Vec<&str> = self.options.iter().map(OptionName::as_str).collect();
            words.push(format!("with {}", options.join(",")));
        }
        words.join(" ")
    }

    /// Judges the mount.
    pub fn judge(&self, facts: &MountFacts) -> Judgement {
        const TABLE: &str = "/proc/self/mountinfo";
        let mut scale = Scale::new(self.expected());
        match &facts.effective {
            Seen::Absent => scale.weigh(Layer::Effective, TABLE, "not mounted", false),
            Seen::Found(mounted) => {
                let Mounted {
                    source,
                    fs_type,
                    options,
                } = mounted;
                let found = format!("{source} {fs_type} {options}");
                scale.weigh(Layer::Effective, TABLE, found, self.fits(mounted));
            }
            Seen::NotRunning => {}
            Seen::Unreadable(cause) => scale.unknown(cause),
        }
        scale.conclude()
    }

    fn fits(&self, mounted: &Mounted) -> bool {
        let options = self.options.iter().map(OptionName::as_str);
        self.source
            .as_ref()
            .is_none_or(|source| *source == mounted.source)
            && (self.types.is_empty() || self.types.contains(&mounted.fs_type))
            && missing(options, &mounted.options).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_is_the_one_that_is_wanted() {
        let check: Mount = toml::from_str(
            "path = \"/mnt/datasets\"\nsource = \"stsecure/import\"\ntypes = [\"fuse.dsvm-agent\"]\noptions = [\"ro\", \"nodev\"]",
        )
        .unwrap();
        let mounted = |source: &str, fs_type: &str, options: &str| {
            Seen::Found(Mounted {
                source: source.to_owned(),
                fs_type: fs_type.to_owned(),
                options: options.to_owned(),
            })
        };
        let table = [
            (
                mounted("stsecure/import", "fuse.dsvm-agent", "ro,nodev"),
                "pass",
            ),
            (
                mounted("stother/import", "fuse.dsvm-agent", "ro,nodev"),
                "fail",
            ),
            (mounted("stsecure/import", "tmpfs", "ro,nodev"), "fail"),
            (
                mounted("stsecure/import", "fuse.dsvm-agent", "rw,nodev"),
                "fail",
            ),
            (Seen::Absent, "fail"),
            (Seen::NotRunning, "not applicable"),
            (Seen::Unreadable(String::new()), "unknown"),
        ];
        for (effective, expected) in table {
            let facts = MountFacts { effective };
            assert_eq!(check.judge(&facts).verdict.word(), expected, "{facts:?}");
        }
    }
}
