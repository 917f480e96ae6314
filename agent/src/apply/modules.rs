//! Kernel modules.

use std::collections::BTreeSet;

use policies::check::seen::Seen;
use policies::plan::Change;

use super::{Error, OWN, put};
use crate::host::{Alter, Order};
use crate::observe::layers;
use crate::observe::modules::{FOLDERS, blocked_by, loaded};

/// The agent's own list of blocked modules.
const FILE: &str = "/etc/modprobe.d/dsvm-agent.conf";

/// Keeps a module from being loaded, and unloads it.
pub(super) fn block(name: &str, host: &mut impl Alter) -> Result<Change, Error> {
    let mut change = Change::Unchanged;
    if !is_blocked(name, host)? {
        let text = host.text(FILE)?.unwrap_or_default();
        let mut names: BTreeSet<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("blacklist "))
            .collect();
        names.insert(name);
        let lines = |name: &&str| format!("blacklist {name}\ninstall {name} /bin/false\n");
        let lines: String = names.iter().map(lines).collect();
        change = put(FILE, &format!("{OWN}\n{lines}"), 0o644, host)?;
        if !is_blocked(name, host)? {
            let reason = format!("another file of modprobe.d loads {name} after all");
            return Err(Error::not_possible(reason));
        }
    }
    if let Seen::Found(modules) = loaded(host)
        && modules.iter().any(|module| module == name)
    {
        host.order(&Order::UnloadModule(name.to_owned()))?;
        change = Change::Made;
    }
    Ok(change)
}

fn is_blocked(name: &str, host: &impl Alter) -> Result<bool, Error> {
    let texts = layers::read(host, &FOLDERS, ".conf")?;
    Ok(matches!(blocked_by(name, &texts), Seen::Found(_)))
}
