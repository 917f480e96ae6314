//! The package database of dpkg.

use std::collections::BTreeMap;

use policies::check::seen::{Located, Seen};

use super::seen;
use crate::host::Inspect;

/// Installed packages by name, each with its version and the line where it stands.
pub(super) type Packages = BTreeMap<String, (String, usize)>;

const DATABASE: &str = "/var/lib/dpkg/status";

/// Reads the database. One that is not there tells nothing about what is installed.
pub(super) fn read(host: &impl Inspect) -> Seen<Packages> {
    match seen(host.text(DATABASE)) {
        Seen::Absent => Seen::Unreadable(format!("`{DATABASE}` is not there")),
        other => other.map(|text| parse(&text)),
    }
}

/// The packages that are installed, or unpacked and waiting for the rest: their files are there.
fn parse(text: &str) -> Packages {
    let mut packages = Packages::new();
    let (mut name, mut version, mut installed, mut start) = ("", "", false, 0);
    for (index, line) in text.lines().chain([""]).enumerate() {
        if line.is_empty() {
            if installed && !name.is_empty() {
                packages.insert(name.to_owned(), (version.to_owned(), start));
            }
            (name, version, installed) = ("", "", false);
        } else if let Some(value) = line.strip_prefix("Package: ") {
            (name, start) = (value, index + 1);
        } else if let Some(value) = line.strip_prefix("Version: ") {
            version = value;
        } else if let Some(value) = line.strip_prefix("Status: ") {
            let state = value.split_whitespace().next_back().unwrap_or_default();
            installed = !matches!(state, "config-files" | "not-installed");
        }
    }
    packages
}

pub(super) fn installed(packages: &Seen<Packages>, name: &str) -> Seen<Located> {
    match packages.as_ref() {
        Seen::Found(packages) => match packages.get(name) {
            Some((version, line)) => {
                Seen::Found(Located::new(version, format!("{DATABASE}:{line}")))
            }
            None => Seen::Absent,
        },
        other => other.map(|_| Located::new("", "")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftover_configuration_is_not_a_package() {
        let packages = parse(
            "Package: a\nStatus: install ok installed\nVersion: 1\nDescription: x\n Version: 9\n\n\
             Package: b\nStatus: deinstall ok config-files\nVersion: 2\n\n\
             Package: c\nStatus: install ok half-configured\nVersion: 3\n",
        );
        let names: Vec<&str> = packages.keys().map(String::as_str).collect();
        assert_eq!(names, ["a", "c"]);
        assert_eq!(packages["a"], ("1".to_owned(), 1));
        assert_eq!(packages["c"].1, 11);
    }
}
