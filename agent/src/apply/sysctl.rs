//! Kernel parameters, now and for the next boot.

use std::collections::BTreeMap;

use policies::check::demand::{Comparison, Demand};
use policies::check::seen::Seen;
use policies::names::SysctlKey;
use policies::plan::Change;

use super::{Error, OWN, put};
use crate::host::Alter;
use crate::observe::layers::Text;
use crate::observe::sysctl::{LAST, assignments, persisted, read};

/// The agent's own parameters. Files are read in the order of their names, and the last one wins: Debian
/// ships one that begins with 99.
const FILE: &str = "/etc/sysctl.d/zz-dsvm-agent.conf";

/// Sets a parameter.
pub(super) fn set(
    key: &SysctlKey,
    demand: &Demand,
    host: &mut impl Alter,
) -> Result<Change, Error> {
    let persisted = persist(key.as_str(), demand, host)?;
    if !host.is_running() {
        return Ok(persisted);
    }
    let path = format!("/proc/sys/{}", key.as_str().replace('.', "/"));
    let Some(value) = host.text(&path)? else {
        let reason = format!("the kernel has no parameter {key}");
        return Err(Error::not_possible(reason));
    };
    if demand.holds(value.trim(), Comparison::Exact) {
        return Ok(persisted);
    }
    host.set_sysctl(key, &demand.value())?;
    Ok(Change::Made)
}

fn persist(key: &str, demand: &Demand, host: &mut impl Alter) -> Result<Change, Error> {
    let all = match read(host) {
        Seen::Found(all) => all,
        Seen::Unreadable(cause) => return Err(Error::NotKnown { cause }),
        Seen::Absent | Seen::NotRunning => Vec::new(),
    };
    if let Seen::Found(winner) = persisted(key, &all)
        && demand.holds(&winner.value, Comparison::Exact)
    {
        return Ok(Change::Unchanged);
    }
    let own = own(host)?;
    let values = with(&own, key, demand);
    let mut lines = vec![OWN.to_owned()];
    lines.extend(values.iter().map(|(key, value)| format!("{key} = {value}")));
    let change = put(FILE, &(lines.join("\n") + "\n"), 0o644, host)?;
    Ok(change.and(correct_last(key, demand, host)?))
}

/// The parameters of the agent's own file.
fn own(host: &impl Alter) -> Result<BTreeMap<String, String>, Error> {
    let text = Text {
        path: FILE.to_owned(),
        text: host.text(FILE)?.unwrap_or_default(),
    };
    let all = assignments(&text).into_iter();
    Ok(all
        .map(|assignment| (assignment.key, assignment.value))
        .collect())
}

fn with(own: &BTreeMap<String, String>, key: &str, demand: &Demand) -> BTreeMap<String, String> {
    let mut values = own.clone();
    let holds = values
        .get(key)
        .is_some_and(|value| demand.holds(value, Comparison::Exact));
    if !holds {
        values.insert(key.to_owned(), demand.value());
    }
    values
}

/// What is read last cannot be beaten by a file: its line itself is set right.
fn correct_last(key: &str, demand: &Demand, host: &mut impl Alter) -> Result<Change, Error> {
    let Some(text) = host.text(LAST)? else {
        return Ok(Change::Unchanged);
    };
    let correct = |line: &str| {
        let one = Text {
            path: String::new(),
            text: line.to_owned(),
        };
        let is_wrong = assignments(&one).iter().any(|assignment| {
            assignment.key == key && !demand.holds(&assignment.value, Comparison::Exact)
        });
        if is_wrong {
            format!("{key} = {}\n", demand.value())
        } else {
            line.to_owned()
        }
    };
    let edited: String = text.split_inclusive('\n').map(correct).collect();
    put(LAST, &edited, 0o644, host)
}
