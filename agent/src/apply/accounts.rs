//! Accounts, passwords and groups.
//!
//! The files are edited as a whole rather than by `usermod`, so that an unpacked image and a running machine
//! are treated alike and nothing but the one field changes. The files' own lock is not taken: a change that
//! another program makes in the same millisecond is lost, and the next pass sees what is there.

use policies::check::accounts::{Account, AccountRule, Hash};
use policies::check::seen::Seen;
use policies::names::PlainName;
use policies::plan::Change;

use super::{Error, put};
use crate::host::Alter;
use crate::observe::accounts::{self, GROUP, PASSWD, SHADOW};

/// The passwords of groups, with their members a second time.
const GSHADOW: &str = "/etc/gshadow";

/// The shell that lets nobody in.
const NO_SHELL: &str = "/usr/sbin/nologin";

/// Locks and closes the accounts that break a rule.
pub(super) fn repair(rule: AccountRule, host: &mut impl Alter) -> Result<Change, Error> {
    let accounts = known_accounts(host)?;
    let is_system = |name: &str| {
        accounts
            .iter()
            .any(|account| account.name == name && account.is_system())
    };
    let passwords = edit(SHADOW, host, |fields| {
        let [name, hash, ..] = fields else {
            return;
        };
        let kind = Hash::of(hash);
        let lock = match rule {
            AccountRule::NoEmptyPasswords => kind == Hash::Empty,
            AccountRule::RootIsLocked => name == "root" && kind != Hash::Locked,
            AccountRule::SystemAccountsCannotLogIn => kind != Hash::Locked && is_system(name),
            AccountRule::OnlyRootHasUid0 | AccountRule::UniqueNamesAndIds => false,
        };
        if lock {
            hash.insert(0, '!');
        }
    })?;
    let lines = edit(PASSWD, host, |fields| {
        let [name, password, _, _, _, _, shell] = fields else {
            return;
        };
        let lock = match rule {
            AccountRule::NoEmptyPasswords => password.is_empty(),
            AccountRule::RootIsLocked => {
                name == "root" && password != "x" && Hash::of(password) != Hash::Locked
            }
            _ => false,
        };
        if lock {
            password.insert(0, '!');
        }
        let is_open = accounts
            .iter()
            .any(|account| account.name == *name && account.is_system() && !account.has_no_shell());
        if rule == AccountRule::SystemAccountsCannotLogIn && is_open {
            NO_SHELL.clone_into(shell);
        }
    })?;
    Ok(passwords.and(lines))
}

/// Takes researchers out of a group.
pub(super) fn leave(
    group: &PlainName,
    researchers: &[PlainName],
    host: &mut impl Alter,
) -> Result<Change, Error> {
    let facts = accounts::read(host);
    let people = match accounts::researchers(&facts, researchers) {
        Seen::Found(people) => people.accounts,
        Seen::Unreadable(cause) => return Err(Error::NotKnown { cause }),
        Seen::Absent | Seen::NotRunning => Vec::new(),
    };
    let leave = |members: &mut String| {
        let stay: Vec<String> = accounts::names(members)
            .into_iter()
            .filter(|member| !people.contains(member))
            .collect();
        *members = stay.join(",");
    };
    // The judged file comes last: while it names somebody, the control deviates.
    let shadowed = edit(GSHADOW, host, |fields| {
        if let [name, _, administrators, members] = fields
            && name == group.as_str()
        {
            leave(administrators);
            leave(members);
        }
    })?;
    let members = edit(GROUP, host, |fields| {
        if let [name, _, _, members] = fields
            && name == group.as_str()
        {
            leave(members);
        }
    })?;
    let facts = accounts::read(host);
    if let Seen::Found(members) = accounts::members(&facts, group.as_str())
        && let Some(member) = members.iter().find(|member| people.contains(member))
    {
        let reason = format!("{group} is the primary group of {member}");
        return Err(Error::not_possible(reason));
    }
    Ok(members.and(shadowed))
}

fn known_accounts(host: &impl Alter) -> Result<Vec<Account>, Error> {
    match accounts::read(host).accounts {
        Seen::Found(accounts) => Ok(accounts),
        Seen::Unreadable(cause) => Err(Error::NotKnown { cause }),
        Seen::Absent | Seen::NotRunning => Err(Error::NotKnown {
            cause: format!("`{PASSWD}` is not there"),
        }),
    }
}

/// Changes fields of a file of lines with colons, and keeps everything else as it is.
fn edit(
    path: &str,
    host: &mut impl Alter,
    change: impl Fn(&mut [String]),
) -> Result<Change, Error> {
    let Some(text) = host.text(path)? else {
        return Ok(Change::Unchanged);
    };
    let mut edited = String::new();
    for line in text.split_inclusive('\n') {
        let (line, end) = match line.strip_suffix('\n') {
            Some(line) => (line, "\n"),
            None => (line, ""),
        };
        let mut fields: Vec<String> = line.split(':').map(str::to_owned).collect();
        change(&mut fields);
        edited.push_str(&fields.join(":"));
        edited.push_str(end);
    }
    put(path, &edited, 0o600, host)
}
