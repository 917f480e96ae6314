//! Owners and modes of files.

use policies::check::file_mode::{FileFacts, FileMode, FileModeFacts};
use policies::check::seen::Seen;

use super::seen;
use super::view::View;
use crate::host::{HostError, Inspect, Kind, Stat};

pub(super) fn facts(check: &FileMode, view: &View<'_, impl Inspect>) -> FileModeFacts {
    let found = match seen(matches(check.path.as_str(), view.host).map(Some)) {
        Seen::Found(found) if found.is_empty() => Seen::Absent,
        other => other,
    };
    FileModeFacts {
        files: found.map(|found| {
            let file = |(path, stat)| describe(path, stat, view);
            found.into_iter().map(file).collect()
        }),
    }
}

fn describe(path: String, stat: Stat, view: &View<'_, impl Inspect>) -> FileFacts {
    let accounts = view.accounts();
    let owner = match &accounts.accounts {
        Seen::Found(accounts) => accounts.iter().find(|account| account.uid == stat.uid),
        _ => None,
    };
    let group = match &accounts.groups {
        Seen::Found(groups) => groups.iter().find(|group| group.gid == stat.gid),
        _ => None,
    };
    FileFacts {
        path,
        owner: owner.map_or_else(|| name(stat.uid), |account| account.name.clone()),
        group: group.map_or_else(|| name(stat.gid), |group| group.name.clone()),
        mode: stat.mode,
        is_link: stat.kind == Kind::Link,
    }
}

/// The name of a number that no file names. Zero is root everywhere.
fn name(number: u32) -> String {
    match number {
        0 => "root".to_owned(),
        number => number.to_string(),
    }
}

/// The files that a path names; its last part may hold `*`. Where a folder on the way is missing there are
/// none.
pub(crate) fn matches(path: &str, host: &impl Inspect) -> Result<Vec<(String, Stat)>, HostError> {
    let mut paths = vec![path.to_owned()];
    if let Some((folder, pattern)) = path.rsplit_once('/')
        && pattern.contains('*')
    {
        let names = host.list(if folder.is_empty() { "/" } else { folder })?;
        let fits = |name: &String| fits(name, pattern);
        let names = names.unwrap_or_default().into_iter().filter(fits);
        paths = names.map(|name| format!("{folder}/{name}")).collect();
    }
    let mut found = Vec::new();
    for path in paths {
        if let Some(stat) = host.stat(&path)? {
            found.push((path, stat));
        }
    }
    Ok(found)
}

/// Says whether a name fits a pattern in which `*` stands for any text.
pub(crate) fn fits(name: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => name == pattern,
        Some((front, rest)) => name.strip_prefix(front).is_some_and(|name| {
            let mut starts = name
                .char_indices()
                .map(|(index, _)| index)
                .chain([name.len()]);
            starts.any(|start| name.get(start..).is_some_and(|tail| fits(tail, rest)))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn star_stands_for_any_text() {
        for (name, pattern, expected) in [
            ("ssh_host_rsa_key", "ssh_host_*_key", true),
            ("ssh_host_rsa_key.pub", "ssh_host_*_key", false),
            ("anything", "*", true),
            ("", "*", true),
            ("ab", "a*b*", true),
            ("ba", "a*", false),
            ("é.conf", "*.conf", true),
        ] {
            assert_eq!(fits(name, pattern), expected, "{name} {pattern}");
        }
    }
}
