//! Owners and modes of files.

use policies::check::seen::Seen;
use policies::names::{Mode, PlainName};
use policies::plan::Change;

use super::Error;
use crate::host::{Alter, Kind};
use crate::observe::{accounts, files};

/// Gives files to whom they should belong and takes away the bits that are too many.
pub(super) fn restrict(
    path: &str,
    owner: Option<&PlainName>,
    group: Option<&PlainName>,
    most: Mode,
    host: &mut impl Alter,
) -> Result<Change, Error> {
    let facts = accounts::read(host);
    let uid = owner.map(|name| {
        number(name, facts.accounts.as_ref(), |account| {
            (account.name.as_str(), account.uid)
        })
    });
    let gid = group.map(|name| {
        number(name, facts.groups.as_ref(), |group| {
            (group.name.as_str(), group.gid)
        })
    });
    let (uid, gid) = (uid.transpose()?, gid.transpose()?);
    let found = files::matches(path, host)?;
    if found.is_empty() && !path.contains('*') {
        return Err(Error::not_possible(format!("`{path}` is not there")));
    }
    let mut change = Change::Unchanged;
    for (path, stat) in found {
        let (uid, gid) = (uid.unwrap_or(stat.uid), gid.unwrap_or(stat.gid));
        let mut mode = stat.mode;
        if (uid, gid) != (stat.uid, stat.gid) {
            host.set_owner(&path, uid, gid)?;
            change = Change::Made;
            // A change of owner may have taken bits away.
            mode = host.stat(&path)?.map_or(mode, |stat| stat.mode);
        }
        if stat.kind != Kind::Link && !mode.is_within(most) {
            host.set_mode(&path, Mode::from_bits(mode.bits() & most.bits()))?;
            change = Change::Made;
        }
    }
    Ok(change)
}

/// The number of an account or group.
fn number<T>(
    name: &PlainName,
    known: Seen<&Vec<T>>,
    entry: impl Fn(&T) -> (&str, u32),
) -> Result<u32, Error> {
    if name.as_str() == "root" {
        return Ok(0);
    }
    let known = match known {
        Seen::Found(known) => known,
        Seen::Unreadable(cause) => return Err(Error::NotKnown { cause }),
        Seen::Absent | Seen::NotRunning => {
            return Err(Error::not_possible("the accounts are not known"));
        }
    };
    let mut entries = known.iter().map(entry);
    let found = entries.find(|(known, _)| *known == name.as_str());
    found
        .map(|(_, number)| number)
        .ok_or_else(|| Error::not_possible(format!("there is no `{name}`")))
}
