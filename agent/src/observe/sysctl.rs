//! Kernel parameters: what the kernel has, and what the next boot will set.

use policies::check::seen::{Located, Seen};
use policies::check::sysctl::{Sysctl, SysctlFacts};

use super::layers::{self, Text};
use super::view::View;
use super::{files, seen};
use crate::host::{HostError, Inspect};

/// Where parameters are set at boot, the strongest first (sysctl.d(5)).
pub const FOLDERS: [&str; 5] = [
    "/etc/sysctl.d",
    "/run/sysctl.d",
    "/usr/local/lib/sysctl.d",
    "/usr/lib/sysctl.d",
    "/lib/sysctl.d",
];

/// Read last by `sysctl --system`, and by systemd through a link that Debian makes.
pub const LAST: &str = "/etc/sysctl.conf";

/// A line that sets a parameter.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Assignment {
    /// The parameter with dots; may hold `*`.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Where the line stands.
    pub source: String,
}

/// Reads every assignment, in the order in which they are made.
pub(crate) fn read(host: &impl Inspect) -> Seen<Vec<Assignment>> {
    seen(read_all(host).map(Some))
}

fn read_all(host: &impl Inspect) -> Result<Vec<Assignment>, HostError> {
    let mut texts = layers::read(host, &FOLDERS, ".conf")?;
    if let Some(text) = host.text(LAST)? {
        let path = LAST.to_owned();
        texts.push(Text { path, text });
    }
    Ok(texts.iter().flat_map(assignments).collect())
}

/// The assignments of one file.
pub fn assignments(text: &Text) -> Vec<Assignment> {
    let parse = |(number, line): (usize, &str)| {
        let line = line.trim();
        if line.starts_with(['#', ';']) {
            return None;
        }
        let (key, value) = line.split_once('=')?;
        let key = key.trim();
        // A dash says that a failure does not matter.
        let key = key.strip_prefix('-').unwrap_or(key);
        Some(Assignment {
            key: dotted(key),
            value: value.trim().to_owned(),
            source: text.at(number),
        })
    };
    text.lines().filter_map(parse).collect()
}

/// A key may be written with dots or slashes; where the first separator is a slash, dots are part of names.
fn dotted(key: &str) -> String {
    match key
        .find(['.', '/'])
        .and_then(|index| key.get(index..=index))
    {
        Some("/") => key
            .chars()
            .map(|c| match c {
                '/' => '.',
                '.' => '/',
                c => c,
            })
            .collect(),
        _ => key.to_owned(),
    }
}

pub(super) fn facts(check: &Sysctl, view: &View<'_, impl Inspect>) -> SysctlFacts {
    let key = check.key.as_str();
    SysctlFacts {
        effective: effective(key, view.host),
        persisted: match view.sysctl().as_ref() {
            Seen::Found(all) => persisted(key, all),
            other => other.map(|_| Located::new("", "")),
        },
    }
}

fn effective(key: &str, host: &impl Inspect) -> Seen<Located> {
    if !host.is_running() {
        return Seen::NotRunning;
    }
    let path = format!("/proc/sys/{}", key.replace('.', "/"));
    seen(host.text(&path)).map(|value| Located::new(value.trim(), path))
}

/// The assignment that wins: the last one that names the parameter, else the last pattern that fits it.
pub(crate) fn persisted(key: &str, all: &[Assignment]) -> Seen<Located> {
    let exact = all.iter().rfind(|assignment| assignment.key == key);
    let fits = |assignment: &&Assignment| files::fits(key, &assignment.key);
    match exact.or_else(|| all.iter().rfind(fits)) {
        Some(found) => Seen::Found(Located::new(&found.value, &found.source)),
        None => Seen::Absent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fake::Fake;

    fn winner(host: &Fake, key: &str) -> Option<(String, String)> {
        let Seen::Found(all) = read(host) else {
            panic!("not read");
        };
        match persisted(key, &all) {
            Seen::Found(located) => Some((located.value, located.source)),
            _ => None,
        }
    }

    #[test]
    fn last_file_by_name_wins_and_the_first_folder_hides_the_others() {
        let host = Fake::new()
            .file("/usr/lib/sysctl.d/99-a.conf", "a.b = 1\n")
            .file("/etc/sysctl.d/50-b.conf", "a.b = 2\n")
            .file("/etc/sysctl.d/60-hidden.conf", "# nothing\n")
            .file("/usr/lib/sysctl.d/60-hidden.conf", "c.d = 1\n")
            .file("/etc/sysctl.d/70-notes.txt", "c.d = 3\n");
        assert_eq!(
            winner(&host, "a.b"),
            Some(("1".to_owned(), "/usr/lib/sysctl.d/99-a.conf:1".to_owned()))
        );
        assert_eq!(winner(&host, "c.d"), None);
        let host = host.file("/etc/sysctl.conf", "; x\n-a/b=3\n");
        assert_eq!(
            winner(&host, "a.b"),
            Some(("3".to_owned(), "/etc/sysctl.conf:2".to_owned()))
        );
    }

    #[test]
    fn parameter_by_name_beats_a_pattern() {
        let host = Fake::new()
            .file("/etc/sysctl.d/10.conf", "net.ipv4.conf.all.rp_filter = 1\n")
            .file("/etc/sysctl.d/20.conf", "net.ipv4.conf.*.rp_filter = 2\n");
        let value = |key| winner(&host, key).map(|(value, _)| value);
        assert_eq!(value("net.ipv4.conf.all.rp_filter").as_deref(), Some("1"));
        assert_eq!(value("net.ipv4.conf.eth0.rp_filter").as_deref(), Some("2"));
    }

    #[test]
    fn unreadable_file_is_not_an_absent_one() {
        let host = Fake::new().unreadable("/etc/sysctl.d/10.conf");
        assert!(matches!(read(&host), Seen::Unreadable(_)));
    }
}
