//! Folders whose files override each other by name, such as `/etc/sysctl.d` and `/usr/lib/sysctl.d`.

use std::collections::BTreeMap;

use policies::check::seen::Seen;

use crate::host::{HostError, Inspect, Kind};

/// A text file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Text {
    /// Its path.
    pub path: String,
    /// What stands in it.
    pub text: String,
}

impl Text {
    /// Its lines, numbered from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }

    /// The place of a line.
    #[must_use]
    pub fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path)
    }
}

/// Reads the files of folders in the order of their names; of files with the same name only the one in the
/// first folder counts. A link to `/dev/null` stands for an empty file.
pub fn read(host: &impl Inspect, folders: &[&str], suffix: &str) -> Result<Vec<Text>, HostError> {
    let mut paths: BTreeMap<String, String> = BTreeMap::new();
    for folder in folders {
        for name in host.list(folder)?.unwrap_or_default() {
            if name.ends_with(suffix) && !name.starts_with('.') {
                let path = format!("{folder}/{name}");
                paths.entry(name).or_insert(path);
            }
        }
    }
    let mut texts = Vec::new();
    for path in paths.into_values() {
        if is_masked(host, &path)? {
            continue;
        }
        if let Some(text) = host.text(&path)? {
            texts.push(Text { path, text });
        }
    }
    Ok(texts)
}

/// Says whether a path is a link to `/dev/null`.
pub fn is_masked(host: &impl Inspect, path: &str) -> Result<bool, HostError> {
    let is_link = host.stat(path)?.is_some_and(|stat| stat.kind == Kind::Link);
    Ok(is_link && host.read_link(path)?.as_deref() == Some("/dev/null"))
}

pub(super) fn seen(read: Result<Vec<Text>, HostError>) -> Seen<Vec<Text>> {
    super::seen(read.map(Some))
}
