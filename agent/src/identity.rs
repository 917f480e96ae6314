//! Which machine this is, and which program looks at it.

use std::path::Path;

use policies::report::{Agent, Machine};

use crate::exit::Failure;
use crate::files;
use crate::host::{HostError, Inspect};

/// The running program.
pub(crate) fn agent() -> Result<Agent, Failure> {
    let own = Path::new(OWN);
    let digest = files::digest(own)
        .map_err(files::Error::io("read", own))
        .map_err(Failure::unable)?;
    Ok(Agent {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        digest,
    })
}

/// The program as the kernel runs it, also when its file was replaced meanwhile.
const OWN: &str = "/proc/self/exe";

/// The machine that a host is.
pub(crate) fn machine(host: &impl Inspect, root: &Path) -> Machine {
    let first = |path: &str| {
        let text = host.text(path).ok().flatten().unwrap_or_default();
        text.lines().next().unwrap_or_default().trim().to_owned()
    };
    let is_running = host.is_running();
    Machine {
        hostname: if is_running {
            sysinfo::System::host_name().unwrap_or_default()
        } else {
            first("/etc/hostname")
        },
        machine_id: first("/etc/machine-id"),
        boot_id: boot_id(host).ok().flatten(),
        os: os(host).unwrap_or_else(|| "unknown".to_owned()),
        kernel: is_running
            .then(sysinfo::System::kernel_version)
            .and_then(Result::ok),
        root: root.display().to_string(),
    }
}

/// The kernel's name for this boot; none for a machine that is not running.
pub(crate) fn boot_id(host: &impl Inspect) -> Result<Option<String>, HostError> {
    if !host.is_running() {
        return Ok(None);
    }
    let text = host.text("/proc/sys/kernel/random/boot_id")?;
    Ok(text.map(|text| text.trim().to_owned()))
}

fn os(host: &impl Inspect) -> Option<String> {
    let text = ["/etc/os-release", "/usr/lib/os-release"]
        .iter()
        .find_map(|path| host.text(path).ok().flatten())?;
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(value.trim().trim_matches(['"', '\'']).to_owned())
}

/// What the asker wants to see in the answer: a credential that the machine was booted with.
pub(crate) fn challenge(host: &impl Inspect) -> Option<String> {
    if !host.is_running() {
        return None;
    }
    // A service sees the machine's credentials only as its own; everybody else sees them at their place.
    let own = std::env::var("CREDENTIALS_DIRECTORY").ok();
    let folders = own
        .iter()
        .map(String::as_str)
        .chain(["/run/credentials/@system"]);
    folders
        .map(|folder| Path::new(folder).join("dsvm-agent.challenge"))
        .find_map(|path| files::read(&path, 1024).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .map(|text| text.trim().to_owned())
        .filter(|text| is_challenge(text))
}

fn is_challenge(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenge_is_a_short_plain_word() {
        assert!(is_challenge("aB3_-"));
        assert!(is_challenge(&"a".repeat(128)));
        for bad in ["", "a b", "a\n", "\u{e9}", "\"", &"a".repeat(129)] {
            assert!(!is_challenge(bad), "{bad:?}");
        }
    }
}
