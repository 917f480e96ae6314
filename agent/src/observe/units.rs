//! Units of systemd: what they are doing, and what the next boot does with them.

use std::collections::{BTreeMap, BTreeSet};

use policies::check::firewall::LOADER;
use policies::check::seen::Seen;
use policies::check::unit::{UnitFacts, UnitFile, UnitState};
use policies::names::UnitName;

use super::view::View;
use super::{ini, layers};
use crate::host::{HostError, Inspect, Kind, Question};

/// What the service manager says about a unit; none of both when it does not know it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Shown {
    /// What it is doing.
    pub state: Option<UnitState>,
    /// What the next boot does with it.
    pub file: Option<UnitFile>,
}

/// The unit that loads the packet filter's rules.
pub(crate) fn loader() -> Option<UnitName> {
    LOADER.parse().ok()
}

/// Asks about all units in one call.
pub(crate) fn ask(host: &impl Inspect, names: &[UnitName]) -> Seen<BTreeMap<UnitName, Shown>> {
    if !host.is_running() {
        return Seen::NotRunning;
    }
    if names.is_empty() {
        return Seen::Found(BTreeMap::new());
    }
    let answer = match host.ask(&Question::Units(names.to_vec())) {
        Ok(answer) => answer,
        Err(error) => return Seen::Unreadable(error.chain()),
    };
    if !answer.is_good() {
        return Seen::Unreadable(format!("systemctl show: {}", answer.complaint));
    }
    match parse(&answer.out, names) {
        Some(shown) => Seen::Found(shown),
        None => Seen::Unreadable("systemctl's answer is not understood".to_owned()),
    }
}

/// One paragraph for each unit, in the order in which they were asked about. An alias is answered under
/// the name of the unit that it stands for.
fn parse(text: &str, names: &[UnitName]) -> Option<BTreeMap<UnitName, Shown>> {
    let paragraphs: Vec<&str> = text
        .split("\n\n")
        .filter(|paragraph| !paragraph.trim().is_empty())
        .collect();
    if paragraphs.len() != names.len() {
        return None;
    }
    let mut all = BTreeMap::new();
    for (name, paragraph) in names.iter().zip(paragraphs) {
        let property = |key: &str| {
            let value = |line: &str| line.strip_prefix(key)?.strip_prefix('=').map(str::to_owned);
            paragraph.lines().find_map(value)
        };
        let knows = property("Names")?
            .split(' ')
            .any(|known| known == name.as_str())
            || property("Id")? == name.as_str();
        if !knows {
            return None;
        }
        let shown = if property("LoadState")? == "not-found" {
            Shown {
                state: None,
                file: None,
            }
        } else {
            Shown {
                state: Some(state(&property("ActiveState")?)?),
                file: Some(file(&property("UnitFileState")?)?),
            }
        };
        all.insert(name.clone(), shown);
    }
    Some(all)
}

/// The words are those of `unit_active_state_table` in systemd.
fn state(word: &str) -> Option<UnitState> {
    Some(match word {
        "active" | "refreshing" | "reloading" => UnitState::Active,
        "activating" => UnitState::Activating,
        "failed" | "maintenance" => UnitState::Failed,
        "inactive" => UnitState::Inactive,
        "deactivating" => UnitState::Stopping,
        _ => return None,
    })
}

/// The words are those of systemctl(1), "is-enabled". What holds until the next boot only does not count.
fn file(word: &str) -> Option<UnitFile> {
    Some(match word {
        "alias" | "enabled" => UnitFile::Enabled,
        "bad" | "disabled" | "enabled-runtime" | "linked" | "linked-runtime" | "masked-runtime" => {
            UnitFile::Disabled
        }
        "masked" => UnitFile::Masked,
        "" | "generated" | "indirect" | "static" | "transient" => UnitFile::Static,
        _ => return None,
    })
}

pub(super) fn facts(name: &UnitName, view: &View<'_, impl Inspect>) -> UnitFacts {
    if !view.host.is_running() {
        return from_files(name, view);
    }
    let not_asked = || format!("systemctl was not asked about {name}");
    let (effective, persisted) = match view.units().as_ref() {
        Seen::Found(all) => match all.get(name) {
            Some(shown) => (
                shown.state.map_or(Seen::Absent, Seen::Found),
                shown.file.map_or(Seen::Absent, Seen::Found),
            ),
            None => (Seen::Unreadable(not_asked()), Seen::Unreadable(not_asked())),
        },
        Seen::Unreadable(cause) => (Seen::Unreadable(cause.clone()), Seen::Unreadable(cause)),
        Seen::Absent | Seen::NotRunning => {
            (Seen::Unreadable(not_asked()), Seen::Unreadable(not_asked()))
        }
    };
    UnitFacts {
        effective,
        persisted,
        source: "systemctl show".to_owned(),
    }
}

fn from_files(name: &UnitName, view: &View<'_, impl Inspect>) -> UnitFacts {
    let file = match view.unit_tree() {
        Ok(tree) => tree
            .file(name.as_str(), view.host)
            .map_err(|error| error.chain()),
        Err(cause) => Err(cause.clone()),
    };
    UnitFacts {
        effective: Seen::NotRunning,
        persisted: match file {
            Ok(file) => file.map_or(Seen::Absent, Seen::Found),
            Err(cause) => Seen::Unreadable(cause),
        },
        source: CONFIGURED.to_owned(),
    }
}

/// Where units are enabled and masked.
pub const CONFIGURED: &str = "/etc/systemd/system";

const FOLDERS: [&str; 4] = [
    CONFIGURED,
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Which units are wanted by others, from the links in their folders.
#[derive(Clone, Debug)]
pub struct UnitTree {
    by_operator: BTreeSet<String>,
    by_vendor: BTreeSet<String>,
}

impl UnitTree {
    /// Reads the links.
    pub fn read(host: &impl Inspect) -> Result<Self, HostError> {
        let mut by_vendor = BTreeSet::new();
        for folder in FOLDERS.iter().skip(1) {
            by_vendor.extend(wanted(folder, host)?);
        }
        Ok(Self {
            by_operator: wanted(CONFIGURED, host)?,
            by_vendor,
        })
    }

    /// What the next boot does with a unit; none when there is no such unit.
    pub fn file(&self, name: &str, host: &impl Inspect) -> Result<Option<UnitFile>, HostError> {
        // An alias of an alias is none: systemd makes links to units only.
        let target = alias(name, host)?;
        let name = target.as_deref().unwrap_or(name);
        if layers::is_masked(host, &format!("{CONFIGURED}/{name}"))? {
            return Ok(Some(UnitFile::Masked));
        }
        let Some(text) = unit_text(name, host)? else {
            return Ok(None);
        };
        let has_install = text
            .lines()
            .any(|line| ini::Line::of(line) == ini::Line::Section("Install"));
        Ok(Some(if self.by_operator.contains(name) {
            UnitFile::Enabled
        } else if !has_install || self.by_vendor.contains(name) {
            UnitFile::Static
        } else {
            UnitFile::Disabled
        }))
    }
}

/// The units that links in `*.wants` and `*.requires` name.
fn wanted(folder: &str, host: &impl Inspect) -> Result<BTreeSet<String>, HostError> {
    let mut wanted = BTreeSet::new();
    for name in host.list(folder)?.unwrap_or_default() {
        if [".wants", ".requires"]
            .iter()
            .any(|kind| name.ends_with(kind))
        {
            wanted.extend(host.list(&format!("{folder}/{name}"))?.unwrap_or_default());
        }
    }
    Ok(wanted)
}

/// The unit that a name stands for, such as `ssh.service` for `sshd.service`.
fn alias(name: &str, host: &impl Inspect) -> Result<Option<String>, HostError> {
    let link = format!("{CONFIGURED}/{name}");
    if host.stat(&link)?.is_none_or(|stat| stat.kind != Kind::Link) {
        return Ok(None);
    }
    let target = host.read_link(&link)?.unwrap_or_default();
    let target = target.rsplit('/').next().unwrap_or_default();
    let is_other = !matches!(target, "" | "null") && target != name;
    Ok(is_other.then(|| target.to_owned()))
}

/// The text of a unit, or of the template that it is made from.
fn unit_text(name: &str, host: &impl Inspect) -> Result<Option<String>, HostError> {
    let template = name.split_once('@').and_then(|(front, rest)| {
        let (_, kind) = rest.rsplit_once('.')?;
        Some(format!("{front}@.{kind}"))
    });
    for name in [Some(name.to_owned()), template].into_iter().flatten() {
        for folder in FOLDERS {
            if let Some(text) = host.text(&format!("{folder}/{name}"))? {
                return Ok(Some(text));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fake::Fake;

    #[test]
    fn answers_belong_to_their_questions() {
        let names: Vec<UnitName> = ["gone.service", "sshd.service"]
            .map(|name| name.parse().unwrap())
            .into();
        let text = "Id=gone.service\nNames=gone.service\nLoadState=not-found\nActiveState=inactive\n\
                    UnitFileState=\n\nId=ssh.service\nNames=ssh.service sshd.service\nLoadState=loaded\n\
                    ActiveState=active\nUnitFileState=enabled\n";
        let all = parse(text, &names).unwrap();
        assert_eq!(all[&names[0]].state, None);
        assert_eq!(all[&names[1]].state, Some(UnitState::Active));
        assert_eq!(all[&names[1]].file, Some(UnitFile::Enabled));
        assert!(parse(text, &names[..1]).is_none());
        let swapped = [names[1].clone(), names[0].clone()];
        assert!(parse(text, &swapped).is_none());
        assert!(parse(&text.replace("enabled", "surprising"), &names).is_none());
    }

    #[test]
    fn files_of_an_image_tell_what_its_boot_does() {
        let host = Fake::unpacked()
            .file(
                "/usr/lib/systemd/system/ssh.service",
                "[Unit]\n[Install]\nWantedBy=x\n",
            )
            .file("/usr/lib/systemd/system/xrdp.service", "[Install]\n")
            .file("/usr/lib/systemd/system/dbus.service", "[Service]\n")
            .file("/usr/lib/systemd/system/getty@.service", "[Install]\n")
            .symlink(
                "/etc/systemd/system/sshd.service",
                "/lib/systemd/system/ssh.service",
            )
            .symlink("/etc/systemd/system/nftables.service", "/dev/null")
            .symlink(
                "/etc/systemd/system/a.target.wants/ssh.service",
                "/x/ssh.service",
            )
            .symlink(
                "/etc/systemd/system/a.target.wants/getty@tty1.service",
                "/x/getty@.service",
            );
        let tree = UnitTree::read(&host).unwrap();
        for (name, expected) in [
            ("ssh.service", Some(UnitFile::Enabled)),
            ("sshd.service", Some(UnitFile::Enabled)),
            ("getty@tty1.service", Some(UnitFile::Enabled)),
            ("getty@tty2.service", Some(UnitFile::Disabled)),
            ("xrdp.service", Some(UnitFile::Disabled)),
            ("dbus.service", Some(UnitFile::Static)),
            ("nftables.service", Some(UnitFile::Masked)),
            ("telnet.service", None),
        ] {
            assert_eq!(tree.file(name, &host).unwrap(), expected, "{name}");
        }
    }
}
