//! Traces on a sealed image.

use policies::check::hygiene::{Hygiene, HygieneFacts, HygieneRule, Traces};

use super::{files, seen};
use crate::host::{HostError, Inspect, Kind};

pub(super) fn facts(check: &Hygiene, host: &impl Inspect) -> HygieneFacts {
    let is_running = host.is_running();
    let traces = match check {
        _ if is_running => Ok(None),
        Hygiene::LogsAtMost(_) => size("/var/log", 0, host).map(|size| Some(Traces::Logs(size))),
        Hygiene::Rule(rule) => paths(*rule, host).map(|paths| Some(Traces::Paths(paths))),
    };
    HygieneFacts {
        is_running,
        traces: seen(traces),
    }
}

fn paths(rule: HygieneRule, host: &impl Inspect) -> Result<Vec<String>, HostError> {
    match rule {
        HygieneRule::EmptyMachineId => machine_id(host),
        HygieneRule::NoAuthorizedKeys => {
            let names = [".ssh/authorized_keys", ".ssh/authorized_keys2"];
            in_homes(&names, host)
        }
        HygieneRule::NoCloudInitInstance => found(
            &["/var/lib/cloud/instance", "/var/lib/cloud/instances/*"],
            host,
        ),
        HygieneRule::NoCoreDumps => found(
            &[
                "/var/lib/systemd/coredump/*",
                "/var/crash/*",
                "/core",
                "/core.*",
            ],
            host,
        ),
        HygieneRule::NoShellHistory => {
            in_homes(&[".*_history", ".lesshst", ".viminfo", ".wget-hsts"], host)
        }
        HygieneRule::NoSshHostKeys => found(&["/etc/ssh/ssh_host_*"], host),
    }
}

/// The machine's id, unless it is empty or says that it is not made yet (machine-id(5)).
fn machine_id(host: &impl Inspect) -> Result<Vec<String>, HostError> {
    let mut traces = Vec::new();
    for path in ["/etc/machine-id", "/var/lib/dbus/machine-id"] {
        let id = host.text(path)?.unwrap_or_default();
        if !matches!(id.trim(), "" | "uninitialized") {
            traces.push(path.to_owned());
        }
    }
    Ok(traces)
}

/// What patterns name and is not empty.
fn found(patterns: &[&str], host: &impl Inspect) -> Result<Vec<String>, HostError> {
    let mut traces = Vec::new();
    for pattern in patterns {
        let files = files::matches(pattern, host)?;
        let not_empty = files
            .into_iter()
            .filter(|(_, stat)| stat.kind != Kind::File || stat.size > 0);
        traces.extend(not_empty.map(|(path, _)| path));
    }
    Ok(traces)
}

/// What patterns name in root's home and in every home.
fn in_homes(patterns: &[&str], host: &impl Inspect) -> Result<Vec<String>, HostError> {
    let mut homes = vec!["/root".to_owned()];
    let names = host.list("/home")?.unwrap_or_default();
    homes.extend(names.into_iter().map(|name| format!("/home/{name}")));
    let mut traces = Vec::new();
    for home in homes {
        let patterns: Vec<String> = patterns
            .iter()
            .map(|name| format!("{home}/{name}"))
            .collect();
        let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
        traces.extend(found(&patterns, host)?);
    }
    Ok(traces)
}

/// The size of all regular files in a folder and those below it.
fn size(folder: &str, depth: usize, host: &impl Inspect) -> Result<u64, HostError> {
    const MOST_NESTED: usize = 32;
    if depth > MOST_NESTED {
        return Err(HostError::TooLarge {
            path: folder.to_owned(),
        });
    }
    let mut bytes = 0_u64;
    for name in host.list(folder)?.unwrap_or_default() {
        let path = format!("{folder}/{name}");
        let Some(stat) = host.stat(&path)? else {
            continue;
        };
        let part = match stat.kind {
            Kind::File => stat.size,
            Kind::Folder => size(&path, depth + 1, host)?,
            Kind::Link | Kind::Other => 0,
        };
        bytes = bytes.saturating_add(part);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fake::Fake;

    #[test]
    fn each_trace_is_found_where_it_is_left() {
        use HygieneRule::{
            EmptyMachineId, NoAuthorizedKeys, NoCloudInitInstance, NoCoreDumps, NoShellHistory,
            NoSshHostKeys,
        };
        for (rule, path) in [
            (EmptyMachineId, "/etc/machine-id"),
            (NoAuthorizedKeys, "/root/.ssh/authorized_keys"),
            (NoAuthorizedKeys, "/home/ada/.ssh/authorized_keys2"),
            (NoCloudInitInstance, "/var/lib/cloud/instances/i-1"),
            (NoCoreDumps, "/var/crash/core.1"),
            (NoShellHistory, "/home/ada/.bash_history"),
            (NoShellHistory, "/root/.python_history"),
            (NoSshHostKeys, "/etc/ssh/ssh_host_ed25519_key"),
        ] {
            let dirty = Fake::unpacked().file(path, "x\n");
            assert_eq!(paths(rule, &dirty).unwrap(), [path], "{rule:?}");
            assert!(paths(rule, &Fake::unpacked()).unwrap().is_empty());
        }
        let fresh = Fake::unpacked().file("/etc/machine-id", "uninitialized\n");
        assert!(paths(EmptyMachineId, &fresh).unwrap().is_empty());
    }

    #[test]
    fn logs_are_added_up_over_all_folders() {
        let host = Fake::unpacked()
            .file("/var/log/a", "12")
            .file("/var/log/b/c/d", "345")
            .symlink("/var/log/e", "/var/log/a");
        assert_eq!(size("/var/log", 0, &host).unwrap(), 5);
    }
}
