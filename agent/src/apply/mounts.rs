//! Options of mounts, now and for the next boot.

use policies::check::seen::Seen;
use policies::plan::Change;

use super::{Error, OWN, put};
use crate::host::{Alter, Order};
use crate::observe::mounts::{self, By, FSTAB, Persisted};

/// Adds options to a mount.
pub(super) fn add_options(
    path: &str,
    wanted: &[&str],
    host: &mut impl Alter,
) -> Result<Change, Error> {
    let Some(found) = mounts::persisted(path, host)? else {
        return Err(Error::not_possible(format!(
            "nothing mounts `{path}` at boot"
        )));
    };
    let persisted = persist(path, wanted, &found, host)?;
    Ok(persisted.and(remount(path, wanted, host)?))
}

fn persist(
    path: &str,
    wanted: &[&str],
    found: &Persisted,
    host: &mut impl Alter,
) -> Result<Change, Error> {
    let options = merged(&found.options.value, wanted);
    if options == found.options.value {
        return Ok(Change::Unchanged);
    }
    match found.by {
        By::Fstab => {
            let text = host.text(FSTAB)?.unwrap_or_default();
            put(FSTAB, &with_options(&text, path, &options), 0o644, host)
        }
        By::Itself => {
            let fs_type = match path {
                "/proc" => "proc",
                "/dev/shm" | "/run" => "tmpfs",
                _ => return Err(Error::not_possible(format!("`{path}` is systemd's own"))),
            };
            let mut text = host.text(FSTAB)?.unwrap_or_default();
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            let text = format!("{text}{fs_type} {path} {fs_type} {options} 0 0\n");
            put(FSTAB, &text, 0o644, host)
        }
        By::Unit => {
            let file = format!(
                "/etc/systemd/system/{}.d/zz-dsvm-agent.conf",
                mounts::unit_name(path)
            );
            let change = put(
                &file,
                &format!("{OWN}\n[Mount]\nOptions={options}\n"),
                0o644,
                host,
            )?;
            if change == Change::Made && host.is_running() {
                host.order(&Order::ReloadUnits)?;
            }
            Ok(change)
        }
    }
}

fn remount(path: &str, wanted: &[&str], host: &mut impl Alter) -> Result<Change, Error> {
    let table = match mounts::read(host) {
        Seen::Found(table) => table,
        Seen::Unreadable(cause) => return Err(Error::NotKnown { cause }),
        Seen::Absent | Seen::NotRunning => return Ok(Change::Unchanged),
    };
    let Some(mounted) = mounts::topmost(&table, path) else {
        return Ok(Change::Unchanged);
    };
    let has = |wanted: &&&str| !mounted.options.split(',').any(|option| option == **wanted);
    let missing: Vec<&str> = wanted.iter().filter(has).copied().collect();
    if missing.is_empty() {
        return Ok(Change::Unchanged);
    }
    host.order(&Order::Remount {
        path: path.to_owned(),
        options: missing.join(","),
    })?;
    Ok(Change::Made)
}

/// The options with those that are wanted, and without those that say the opposite.
fn merged(options: &str, wanted: &[&str]) -> String {
    let contradicts = |option: &str| {
        wanted.iter().any(|wanted| {
            let name = |option: &str| option.split_once('=').map(|(name, _)| name.to_owned());
            wanted.strip_prefix("no") == Some(option)
                || (*wanted == "ro" && option == "rw")
                || (name(wanted).is_some() && name(wanted) == name(option) && *wanted != option)
        })
    };
    let mut merged: Vec<&str> = options
        .split(',')
        .filter(|option| !option.is_empty() && !contradicts(option))
        .collect();
    for option in wanted {
        if !merged.contains(option) {
            merged.push(option);
        }
    }
    merged.join(",")
}

/// The text of `/etc/fstab` with the options of one line changed.
fn with_options(text: &str, path: &str, options: &str) -> String {
    let mut is_done = false;
    let line = |line: &str| {
        let is_it = mounts::fields(line).is_some_and(|fields| fields.path == path);
        if is_done || !is_it {
            return format!("{line}\n");
        }
        is_done = true;
        let mut fields: Vec<&str> = line.split_whitespace().collect();
        if let Some(field) = fields.get_mut(3) {
            *field = options;
        } else {
            fields.push(options);
        }
        format!("{}\n", fields.join("\t"))
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wanted_options_replace_their_opposites() {
        assert_eq!(
            merged("defaults,exec,rw", &["noexec", "ro"]),
            "defaults,noexec,ro"
        );
        assert_eq!(
            merged("hidepid=1,nosuid", &["hidepid=2"]),
            "nosuid,hidepid=2"
        );
        assert_eq!(merged("nosuid", &["nosuid"]), "nosuid");
    }

    #[test]
    fn only_the_options_of_the_one_line_change() {
        let fstab = "# x\nUUID=1 / ext4 defaults 0 1\ntmpfs /tmp tmpfs size=1g 0 0\n";
        assert_eq!(
            with_options(fstab, "/tmp", "size=1g,nodev"),
            "# x\nUUID=1 / ext4 defaults 0 1\ntmpfs\t/tmp\ttmpfs\tsize=1g,nodev\t0\t0\n"
        );
    }
}
