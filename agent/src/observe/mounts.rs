//! What is mounted, and what the next boot mounts.

use policies::check::mount::{Mount, MountFacts, Mounted};
use policies::check::mount_option::{MountOption, MountOptionFacts};
use policies::check::seen::{Located, Seen};

use super::view::View;
use super::{ini, layers, seen};
use crate::host::{HostError, Inspect};

/// What is mounted, in the order of mounting.
pub type MountTable = Vec<(String, Mounted)>;

const MOUNTINFO: &str = "/proc/self/mountinfo";

/// The file of mounts.
pub const FSTAB: &str = "/etc/fstab";

/// Where units stand that are stronger than `/etc/fstab`, then where those stand that are weaker.
const UNITS: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
];

/// Reads the mount table of the running kernel.
pub fn read(host: &impl Inspect) -> Seen<MountTable> {
    if !host.is_running() {
        return Seen::NotRunning;
    }
    match seen(host.text(MOUNTINFO)) {
        Seen::Found(text) => parse(&text),
        other => other.map(|_| Vec::new()),
    }
}

/// The format is that of `proc_pid_mountinfo`(5).
fn parse(text: &str) -> Seen<MountTable> {
    let line = |line: &str| {
        let (front, back) = line.split_once(" - ")?;
        let front: Vec<&str> = front.split(' ').collect();
        let back: Vec<&str> = back.split(' ').collect();
        let (path, own) = (front.get(4)?, front.get(5)?);
        let [fs_type, source, rest] = back.as_slice() else {
            return None;
        };
        let mut options: Vec<&str> = own.split(',').collect();
        options.extend(
            rest.split(',')
                .filter(|option| !own.split(',').any(|own| own == *option)),
        );
        let mounted = Mounted {
            source: unescape(source),
            fs_type: (*fs_type).to_owned(),
            options: options.join(","),
        };
        Some((unescape(path), mounted))
    };
    match text.lines().map(line).collect() {
        Some(table) => Seen::Found(table),
        None => Seen::Unreadable(format!("`{MOUNTINFO}` is not understood")),
    }
}

/// Blanks, tabs, line breaks and backslashes are written as three octal digits.
fn unescape(field: &str) -> String {
    let mut text = field.to_owned();
    for (written, meant) in [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ] {
        text = text.replace(written, meant);
    }
    text
}

/// The topmost mount at a path.
pub(crate) fn topmost<'a>(table: &'a MountTable, path: &str) -> Option<&'a Mounted> {
    let at_path = table.iter().rfind(|(mounted, _)| mounted == path);
    at_path.map(|(_, mounted)| mounted)
}

pub(super) fn mount_facts(check: &Mount, view: &View<'_, impl Inspect>) -> MountFacts {
    let effective = match view.mounts().as_ref() {
        Seen::Found(table) => seen(Ok(topmost(table, check.path.as_str()).cloned())),
        Seen::Absent => Seen::Unreadable(format!("`{MOUNTINFO}` is not there")),
        Seen::NotRunning => Seen::NotRunning,
        Seen::Unreadable(cause) => Seen::Unreadable(cause),
    };
    MountFacts { effective }
}

pub(super) fn option_facts(check: &MountOption, view: &View<'_, impl Inspect>) -> MountOptionFacts {
    let path = check.path.as_str();
    let effective = match view.mounts().as_ref() {
        Seen::Found(table) => {
            let options = topmost(table, path).map(|mounted| mounted.options.clone());
            seen(Ok(options.map(|options| Located::new(options, MOUNTINFO))))
        }
        Seen::Absent => Seen::Unreadable(format!("`{MOUNTINFO}` is not there")),
        other => other.map(|_| Located::new("", "")),
    };
    MountOptionFacts {
        effective,
        persisted: seen(persisted(path, view.host).map(|found| found.map(|found| found.options))),
    }
}

/// How the next boot mounts something.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Persisted {
    /// The options, and where they stand.
    pub options: Located,
    /// Who says so.
    pub by: By,
}

/// Who says how something is mounted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum By {
    /// A line of `/etc/fstab`.
    Fstab,
    /// The service manager itself.
    Itself,
    /// A unit of the service manager, or a drop-in for one.
    Unit,
}

/// How the next boot mounts a path; none when it does not.
pub fn persisted(path: &str, host: &impl Inspect) -> Result<Option<Persisted>, HostError> {
    let name = unit_name(path);
    let mut found = None;
    let (strong, weak) = UNITS.split_at(2);
    for folder in strong {
        found = found.or(unit(&format!("{folder}/{name}"), host)?);
    }
    found = found.or(fstab(path, host)?);
    for folder in weak {
        found = found.or(unit(&format!("{folder}/{name}"), host)?);
    }
    found = found.or_else(|| by_itself(path));
    let folders = UNITS.map(|folder| format!("{folder}/{name}.d"));
    let folders: Vec<&str> = folders.iter().map(String::as_str).collect();
    for text in layers::read(host, &folders, ".conf")? {
        // Options of a drop-in replace those before it, also those of /etc/fstab.
        if found.is_some()
            && let Some(options) = options_of_unit(&text)
        {
            found = Some(options);
        }
    }
    Ok(found)
}

fn unit(path: &str, host: &impl Inspect) -> Result<Option<Persisted>, HostError> {
    if layers::is_masked(host, path)? {
        return Ok(None);
    }
    let text = host.text(path)?.map(|text| layers::Text {
        path: path.to_owned(),
        text,
    });
    Ok(text.map(|text| {
        options_of_unit(&text).unwrap_or(Persisted {
            options: Located::new("defaults", text.path),
            by: By::Unit,
        })
    }))
}

fn options_of_unit(text: &layers::Text) -> Option<Persisted> {
    let last = ini::assignments(&text.text)
        .filter(|found| found.section == "Mount" && found.key == "Options")
        .last()?;
    Some(Persisted {
        options: Located::new(last.value, text.at(last.line)),
        by: By::Unit,
    })
}

/// Of several lines for one path the first one counts (systemd-fstab-generator refuses the others).
fn fstab(path: &str, host: &impl Inspect) -> Result<Option<Persisted>, HostError> {
    let text = host.text(FSTAB)?.unwrap_or_default();
    let mut lines = text.lines().enumerate();
    Ok(lines.find_map(|(index, line)| {
        let fields = fields(line)?;
        (unescape(fields.path) == path).then(|| Persisted {
            options: Located::new(fields.options, format!("{FSTAB}:{}", index + 1)),
            by: By::Fstab,
        })
    }))
}

/// The fields of a line of `/etc/fstab` that matter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fields<'a> {
    /// Where it is mounted, as it is written.
    pub path: &'a str,
    /// Its options.
    pub options: &'a str,
}

/// Understands a line of `/etc/fstab`.
#[must_use]
pub fn fields(line: &str) -> Option<Fields<'_>> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let mut fields = line.split_whitespace();
    let (_, path, _) = (fields.next()?, fields.next()?, fields.next()?);
    let options = fields.next().unwrap_or("defaults");
    Some(Fields { path, options })
}

/// What the service manager mounts without being told (`mount-setup.c` of systemd).
fn by_itself(path: &str) -> Option<Persisted> {
    let options = match path {
        "/dev/shm" | "/run" => "nosuid,nodev",
        "/proc" | "/sys" => "nosuid,nodev,noexec",
        "/dev" => "nosuid",
        _ => return None,
    };
    Some(Persisted {
        options: Located::new(options, "systemd"),
        by: By::Itself,
    })
}

/// The name of the unit for a path (systemd.unit(5), "String escaping for inclusion in unit names").
#[must_use]
pub fn unit_name(path: &str) -> String {
    let path = path.trim_matches('/');
    if path.is_empty() {
        return "-.mount".to_owned();
    }
    let escaped = |(index, byte): (usize, u8)| match byte {
        b'/' => "-".to_owned(),
        b'.' if index == 0 => "\\x2e".to_owned(),
        b if b.is_ascii_alphanumeric() || b":_.".contains(&b) => char::from(b).to_string(),
        b => format!("\\x{b:02x}"),
    };
    let parts: Vec<String> = path.bytes().enumerate().map(escaped).collect();
    format!("{}.mount", parts.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fake::Fake;

    #[test]
    fn topmost_mount_counts_with_its_own_and_its_file_systems_options() {
        let table = parse(
            "22 1 0:20 / /a\\040b rw,nosuid shared:1 - ext4 /dev/sda1 ro,errors=remount-ro\n\
             23 22 0:21 / /a\\040b rw,nodev - tmpfs tmpfs rw,size=1k\n",
        );
        let Seen::Found(table) = table else {
            panic!("{table:?}");
        };
        let found = topmost(&table, "/a b").unwrap();
        assert_eq!(
            (found.fs_type.as_str(), found.options.as_str()),
            ("tmpfs", "rw,nodev,size=1k")
        );
        assert_eq!(table[0].1.options, "rw,nosuid,ro,errors=remount-ro");
        assert!(matches!(parse("garbage"), Seen::Unreadable(_)));
    }

    #[test]
    fn this_machines_table_is_understood() {
        let text = std::fs::read_to_string(MOUNTINFO).unwrap();
        let Seen::Found(table) = parse(&text) else {
            panic!("{text}");
        };
        assert_eq!(topmost(&table, "/proc").unwrap().fs_type, "proc");
    }

    #[test]
    fn next_boots_options_come_from_where_systemd_takes_them() {
        let options = |host: &Fake, path: &str| {
            persisted(path, host)
                .unwrap()
                .map(|found| (found.options.value, found.options.source))
        };
        let bare = Fake::new();
        assert_eq!(options(&bare, "/tmp"), None);
        let (value, source) = options(&bare, "/dev/shm").unwrap();
        assert_eq!(
            (value.as_str(), source.as_str()),
            ("nosuid,nodev", "systemd")
        );
        let host = Fake::new()
            .file(
                "/usr/lib/systemd/system/tmp.mount",
                "[Mount]\nOptions=mode=1777,nosuid\n",
            )
            .file(
                "/etc/fstab",
                "# x\nUUID=1 / ext4 defaults 0 1\ntmpfs /dev/shm tmpfs noexec 0 0\n",
            );
        assert_eq!(options(&host, "/tmp").unwrap().0, "mode=1777,nosuid");
        let (value, source) = options(&host, "/dev/shm").unwrap();
        assert_eq!(
            (value.as_str(), source.as_str()),
            ("noexec", "/etc/fstab:3")
        );
        let host = host.file(
            "/etc/systemd/system/tmp.mount.d/a.conf",
            "[Mount]\nOptions=nodev\n",
        );
        assert_eq!(options(&host, "/tmp").unwrap().0, "nodev");
    }

    #[test]
    fn units_are_named_after_their_path() {
        for (path, expected) in [
            ("/", "-.mount"),
            ("/dev/shm", "dev-shm.mount"),
            ("/mnt/a-b", "mnt-a\\x2db.mount"),
            ("/.x", "\\x2ex.mount"),
        ] {
            assert_eq!(unit_name(path), expected);
        }
    }
}
