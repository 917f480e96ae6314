//! Debian packages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::seen::{Located, Scale, Seen};
use crate::names::PlainName;
use crate::verdict::{Judgement, Layer};
use version::Version;

mod version;

/// A package is installed, or is not.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Package {
    /// The package.
    pub name: PlainName,
    /// How it must be.
    pub want: PackageWant,
    /// The version that it must have at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<Version>,
}

/// How a package must be.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PackageWant {
    /// Not installed; configuration that it left behind does not count.
    Absent,
    /// Installed.
    Present,
}

/// What the package database says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PackageFacts {
    /// The installed version; absent when the package is not installed.
    pub installed: Seen<Located>,
}

impl Package {
    pub(super) fn subject(&self) -> String {
        format!("package {}", self.name)
    }

    fn expected(&self) -> String {
        match (self.want, &self.at_least) {
            (PackageWant::Absent, _) => format!("{} not installed", self.name),
            (PackageWant::Present, None) => format!("{} installed", self.name),
            (PackageWant::Present, Some(least)) => format!("{} at least {least}", self.name),
        }
    }

    /// Judges the package.
    pub fn judge(&self, facts: &PackageFacts) -> Judgement {
        let mut scale = Scale::new(self.expected());
        match &facts.installed {
            Seen::Absent => scale.weigh(
                Layer::Persisted,
                DATABASE,
                "not installed",
                self.want == PackageWant::Absent,
            ),
            Seen::Found(Located { value, source }) => {
                scale.weigh(Layer::Persisted, source, value, self.fits(value));
            }
            Seen::NotRunning => {}
            Seen::Unreadable(cause) => scale.unknown(cause),
        }
        scale.conclude()
    }

    fn fits(&self, version: &str) -> bool {
        self.want == PackageWant::Present
            && self.at_least.as_ref().is_none_or(|least| {
                Version::try_from(version.to_owned()).is_ok_and(|version| version >= *least)
            })
    }
}

/// Where packages are noted.
const DATABASE: &str = "/var/lib/dpkg/status";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_is_judged_by_its_version() {
        let check = |text: &str| toml::from_str::<Package>(text).unwrap();
        let absent = check("name = \"telnet\"\nwant = \"absent\"");
        let present = check("name = \"xrdp\"\nwant = \"present\"");
        let recent = check("name = \"xrdp\"\nwant = \"present\"\nat-least = \"0.9.21\"");
        let version = |text: &str| Seen::Found(Located::new(text, "/var/lib/dpkg/status:7"));
        let table = [
            (&absent, Seen::Absent, "pass"),
            (&absent, version("1"), "fail"),
            (&present, version("1"), "pass"),
            (&present, Seen::Absent, "fail"),
            (&recent, version("0.9.21.1-1+deb12u1"), "pass"),
            (&recent, version("0.9.9-1"), "fail"),
            (&absent, Seen::Unreadable("denied".to_owned()), "unknown"),
        ];
        for (check, installed, expected) in table {
            let facts = PackageFacts { installed };
            assert_eq!(check.judge(&facts).verdict.word(), expected, "{facts:?}");
        }
    }
}
