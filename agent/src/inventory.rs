//! The inventory that goes along with a report: what is of use when two images are compared.

use std::collections::{BTreeMap, BTreeSet};

use crate::host::{Inspect, Kind};

/// Facts that cost little to read. What cannot be read is left out: no verdict hangs on it.
pub(crate) fn facts(host: &impl Inspect) -> BTreeMap<String, Vec<String>> {
    let facts = [
        ("listening", listening(host)),
        ("setuid", setuid(host)),
        ("units-enabled", units_enabled(host)),
        ("users", users(host)),
    ];
    facts
        .into_iter()
        .map(|(name, values)| (name.to_owned(), values.into_iter().collect()))
        .collect()
}

/// Accounts, each with its number and its shell.
fn users(host: &impl Inspect) -> BTreeSet<String> {
    let text = text(host, "/etc/passwd");
    let account = |line: &str| {
        let [name, _, uid, _, _, _, shell] = *line.split(':').collect::<Vec<_>>() else {
            return None;
        };
        Some(format!("{name} {uid} {shell}"))
    };
    text.lines().filter_map(account).collect()
}

/// Programs that run with the rights of their owner or group, where programs usually are.
fn setuid(host: &impl Inspect) -> BTreeSet<String> {
    const SPECIAL: u32 = 0o6000;
    const FOLDERS: [&str; 5] = [
        "/usr/bin",
        "/usr/sbin",
        "/usr/local/bin",
        "/usr/lib/openssh",
        "/usr/libexec",
    ];
    let is_special = |path: &String| {
        let stat = host.stat(path).ok().flatten();
        stat.is_some_and(|stat| stat.kind == Kind::File && stat.mode.bits() & SPECIAL != 0)
    };
    FOLDERS
        .into_iter()
        .flat_map(|folder| within(host, folder))
        .filter(is_special)
        .collect()
}

/// Units that another unit wants at boot, by the names of the links that say so.
fn units_enabled(host: &impl Inspect) -> BTreeSet<String> {
    let wants = |path: &String| {
        let kind = path.rsplit_once('.').map(|(_, kind)| kind);
        matches!(kind, Some("requires" | "wants"))
    };
    let folders = within(host, "/etc/systemd/system")
        .into_iter()
        .filter(wants);
    folders
        .flat_map(|folder| host.list(&folder).ok().flatten().unwrap_or_default())
        .collect()
}

/// The paths in a folder.
fn within(host: &impl Inspect, folder: &str) -> Vec<String> {
    let names = host.list(folder).ok().flatten().unwrap_or_default();
    names
        .into_iter()
        .map(|name| format!("{folder}/{name}"))
        .collect()
}

/// Sockets that wait for the network, such as `tcp/22`; those of the loopback are left out.
fn listening(host: &impl Inspect) -> BTreeSet<String> {
    if !host.is_running() {
        return BTreeSet::new();
    }
    // Kernel's include/net/tcp_states.h: 0A is LISTEN, 07 is CLOSE, which is where a bound UDP socket is.
    let tables = [("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")];
    let mut sockets = BTreeSet::new();
    for (table, state) in tables {
        let text = text(host, &format!("/proc/net/{table}"));
        let protocol = table.trim_end_matches('6');
        sockets.extend(
            text.lines()
                .skip(1)
                .filter_map(|line| socket(line, state, protocol)),
        );
    }
    sockets
}

/// One line of `/proc/net/tcp` and its like: `sl local_address rem_address st …`.
fn socket(line: &str, state: &str, protocol: &str) -> Option<String> {
    let mut words = line.split_whitespace().skip(1);
    let (local, _remote, found) = (words.next()?, words.next()?, words.next()?);
    let (address, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    (found == state && !is_loopback(address)).then(|| format!("{protocol}/{port}"))
}

/// The kernel writes addresses as 32-bit words in the byte order of the machine.
fn is_loopback(address: &str) -> bool {
    const V6: &str = "00000000000000000000000001000000";
    (address.len() == 8 && address.ends_with("7F")) || address == V6
}

fn text(host: &impl Inspect, path: &str) -> String {
    host.text(path).ok().flatten().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sockets_that_wait_for_the_network_count() {
        let ssh =
            "   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0";
        let local =
            "   1: 0100007F:0019 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0";
        let open =
            "   2: 0A00000A:0016 0B00000A:C350 01 00000000:00000000 00:00000000 00000000     0";
        assert_eq!(socket(ssh, "0A", "tcp").as_deref(), Some("tcp/22"));
        assert_eq!(socket(local, "0A", "tcp"), None);
        assert_eq!(socket(open, "0A", "tcp"), None);
        assert_eq!(socket("nonsense", "0A", "tcp"), None);
    }
}
