//! Accounts, groups, and who is a researcher. Only the machine's own files are read, not a directory
//! service: what such a service says can change without the machine.

use std::collections::BTreeSet;

use policies::check::accounts::{Account, AccountsFacts, Group, Hash, Password};
use policies::check::seen::Seen;
use policies::check::sudoers::People;
use policies::names::PlainName;

use super::seen;
use crate::host::Inspect;

/// The file of accounts.
pub const PASSWD: &str = "/etc/passwd";
/// The file of passwords.
pub const SHADOW: &str = "/etc/shadow";
/// The file of groups.
pub const GROUP: &str = "/etc/group";

/// Reads the three files.
pub fn read(host: &impl Inspect) -> AccountsFacts {
    AccountsFacts {
        accounts: lines(host, PASSWD, account),
        passwords: lines(host, SHADOW, password),
        groups: lines(host, GROUP, group),
    }
}

/// Reads a file line by line. A line that is not understood makes the file unreadable: it could be anybody.
fn lines<T>(
    host: &impl Inspect,
    path: &str,
    parse: fn(&[&str], usize) -> Option<T>,
) -> Seen<Vec<T>> {
    let text = match seen(host.text(path)) {
        Seen::Found(text) => text,
        other => return other.map(|_| Vec::new()),
    };
    let mut parsed = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if line.trim().is_empty() {
            continue;
        }
        let fields: Vec<&str> = line.split(':').collect();
        match parse(&fields, number) {
            Some(line) => parsed.push(line),
            None => return Seen::Unreadable(format!("`{path}:{number}` is not understood")),
        }
    }
    Seen::Found(parsed)
}

fn account(fields: &[&str], line: usize) -> Option<Account> {
    let [name, password, uid, gid, _, home, shell] = fields else {
        return None;
    };
    Some(Account {
        name: (*name).to_owned(),
        password: (*password).to_owned(),
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        home: (*home).to_owned(),
        shell: (*shell).to_owned(),
        line,
    })
}

fn password(fields: &[&str], line: usize) -> Option<Password> {
    let [name, hash, ..] = fields else {
        return None;
    };
    Some(Password {
        name: (*name).to_owned(),
        hash: Hash::of(hash),
        line,
    })
}

fn group(fields: &[&str], line: usize) -> Option<Group> {
    let [name, _, gid, members] = fields else {
        return None;
    };
    Some(Group {
        name: (*name).to_owned(),
        gid: gid.parse().ok()?,
        members: names(members),
        line,
    })
}

/// The names of a list with commas.
pub(crate) fn names(list: &str) -> Vec<String> {
    list.split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Who is in a group, those whose primary group it is included.
pub fn members(facts: &AccountsFacts, name: &str) -> Seen<Vec<String>> {
    let (accounts, groups) = match (&facts.accounts, &facts.groups) {
        (Seen::Found(accounts), Seen::Found(groups)) => (accounts, groups),
        (Seen::Unreadable(cause), _) | (_, Seen::Unreadable(cause)) => {
            return Seen::Unreadable(cause.clone());
        }
        _ => return Seen::Unreadable(format!("`{PASSWD}` or `{GROUP}` is not there")),
    };
    let mut members: BTreeSet<&str> = BTreeSet::new();
    let mut is_there = false;
    for group in groups.iter().filter(|group| group.name == name) {
        is_there = true;
        members.extend(group.members.iter().map(String::as_str));
        let primary = accounts.iter().filter(|account| account.gid == group.gid);
        members.extend(primary.map(|account| account.name.as_str()));
    }
    if is_there {
        Seen::Found(members.into_iter().map(str::to_owned).collect())
    } else {
        Seen::Absent
    }
}

/// The researchers: members of their groups.
pub fn researchers(facts: &AccountsFacts, groups: &[PlainName]) -> Seen<People> {
    let mut people = People::default();
    for group in groups {
        people.groups.push(group.to_string());
        match members(facts, group.as_str()) {
            Seen::Found(members) => people.accounts.extend(members),
            Seen::Absent | Seen::NotRunning => {}
            Seen::Unreadable(cause) => return Seen::Unreadable(cause),
        }
    }
    people.accounts.sort();
    people.accounts.dedup();
    Seen::Found(people)
}
