//! Accounts and their passwords.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::seen::{Scale, Seen};
use crate::plan::Action;
use crate::verdict::{Judgement, Layer};

/// A rule over all accounts.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Accounts {
    /// The rule.
    pub rule: AccountRule,
}

/// A rule over all accounts.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum AccountRule {
    /// Every account needs a password, or has none that could be typed.
    NoEmptyPasswords,
    /// Nobody else has root's number.
    #[serde(rename = "only-root-has-uid-0")]
    OnlyRootHasUid0,
    /// Nobody can log in as root with a password.
    RootIsLocked,
    /// Accounts of services have no shell and no password.
    SystemAccountsCannotLogIn,
    /// No name and no number is given twice.
    UniqueNamesAndIds,
}

/// Every account and group of the machine's own files.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AccountsFacts {
    /// `/etc/passwd`.
    pub accounts: Seen<Vec<Account>>,
    /// `/etc/shadow`: passwords by account name, in the order of the file.
    pub passwords: Seen<Vec<Password>>,
    /// `/etc/group`.
    pub groups: Seen<Vec<Group>>,
}

/// A line of `/etc/passwd`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its password; `x` when that stands in `/etc/shadow`.
    pub password: String,
    /// Its number.
    pub uid: u32,
    /// The number of its primary group.
    pub gid: u32,
    /// Its home folder.
    pub home: String,
    /// Its shell; empty means `/bin/sh`.
    pub shell: String,
    /// The number of its line.
    pub line: usize,
}

/// A line of `/etc/shadow`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Password {
    /// The account's name.
    pub name: String,
    /// Its hash.
    pub hash: Hash,
    /// The number of its line.
    pub line: usize,
}

/// The kind of a password hash. The hash itself is never kept: it must not get into a report.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hash {
    /// No password is needed.
    Empty,
    /// No password fits.
    Locked,
    /// Some password fits.
    Set,
}

impl Hash {
    /// The kind of a hash field of `/etc/shadow` (crypt(5): no hash starts with `!` or `*`).
    #[must_use]
    pub fn of(field: &str) -> Self {
        match field {
            "" => Self::Empty,
            field if field.starts_with(['!', '*']) => Self::Locked,
            _ => Self::Set,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Empty => "empty password",
            Self::Locked => "locked",
            Self::Set => "has a password",
        }
    }
}

/// A line of `/etc/group`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its number.
    pub gid: u32,
    /// Members beside those whose primary group it is.
    pub members: Vec<String>,
    /// The number of its line.
    pub line: usize,
}

impl Account {
    /// Says whether it belongs to a service: a number below 1000 that is not root's, or `nobody`'s.
    #[must_use]
    pub const fn is_system(&self) -> bool {
        matches!(self.uid, 1..1000 | 65534)
    }

    /// Says whether its shell lets nobody in.
    #[must_use]
    pub fn has_no_shell(&self) -> bool {
        // Debian's `sync` account runs /bin/sync and nothing else.
        const CLOSED: [&str; 7] = [
            "/bin/false",
            "/bin/sync",
            "/dev/null",
            "/sbin/nologin",
            "/usr/bin/false",
            "/usr/bin/nologin",
            "/usr/sbin/nologin",
        ];
        CLOSED.contains(&self.shell.as_str())
    }
}

impl AccountRule {
    /// The rule in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NoEmptyPasswords => "no account without password",
            Self::OnlyRootHasUid0 => "only root has number 0",
            Self::RootIsLocked => "root has no password",
            Self::SystemAccountsCannotLogIn => "system accounts have no shell and no password",
            Self::UniqueNamesAndIds => "every name and number is given once",
        }
    }
}

const PASSWD: &str = "/etc/passwd";
const SHADOW: &str = "/etc/shadow";
const GROUP: &str = "/etc/group";

impl Accounts {
    pub(super) fn subject(&self) -> String {
        format!("accounts: {}", self.rule.words())
    }

    /// Judges the accounts.
    pub fn judge(&self, facts: &AccountsFacts) -> Judgement {
        let mut bench = Bench::new(self.rule);
        match self.rule {
            AccountRule::NoEmptyPasswords => {
                bench.each(&facts.accounts, PASSWD, |account| {
                    let bad = account.password.is_empty();
                    bad.then(|| (account.line, format!("{}: empty password", account.name)))
                });
                bench.passwords(&facts.passwords, |password| password.hash == Hash::Empty);
            }
            AccountRule::OnlyRootHasUid0 => bench.each(&facts.accounts, PASSWD, |account| {
                let bad = (account.uid == 0) != (account.name == "root");
                bad.then(|| {
                    (
                        account.line,
                        format!("{} has number {}", account.name, account.uid),
                    )
                })
            }),
            AccountRule::RootIsLocked => {
                bench.passwords(&facts.passwords, |password| {
                    password.name == "root" && password.hash != Hash::Locked
                });
                bench.root_in_shadow(facts);
            }
            AccountRule::SystemAccountsCannotLogIn => bench.system_accounts(facts),
            AccountRule::UniqueNamesAndIds => bench.twice(facts),
        }
        bench.conclude()
    }

    /// Locks and closes accounts; who should own a number only people can say.
    pub fn remedy(&self) -> Vec<Action> {
        match self.rule {
            AccountRule::NoEmptyPasswords
            | AccountRule::RootIsLocked
            | AccountRule::SystemAccountsCannotLogIn => {
                vec![Action::RepairAccounts { rule: self.rule }]
            }
            AccountRule::OnlyRootHasUid0 | AccountRule::UniqueNamesAndIds => Vec::new(),
        }
    }
}

/// Weighs line after line, and notes each file that was looked through.
struct Bench {
    scale: Scale,
}

impl Bench {
    fn new(rule: AccountRule) -> Self {
        Self {
            scale: Scale::new(rule.words()),
        }
    }

    /// Looks through a file; `fault` gives the line and what is wrong with it.
    fn each<T>(
        &mut self,
        lines: &Seen<Vec<T>>,
        file: &str,
        fault: impl Fn(&T) -> Option<(usize, String)>,
    ) {
        match lines {
            Seen::Absent | Seen::NotRunning => {
                self.scale.unknown(format!("`{file}` is not there"));
            }
            Seen::Found(lines) => {
                let faults: Vec<_> = lines.iter().filter_map(fault).collect();
                if faults.is_empty() {
                    self.scale.note(Layer::Persisted, file, "as it should be");
                }
                for (line, found) in faults {
                    self.scale
                        .weigh(Layer::Persisted, format!("{file}:{line}"), found, false);
                }
            }
            Seen::Unreadable(cause) => self.scale.unknown(cause),
        }
    }

    fn passwords(&mut self, lines: &Seen<Vec<Password>>, is_bad: impl Fn(&Password) -> bool) {
        self.each(lines, SHADOW, |password| {
            let found = || format!("{}: {}", password.name, password.hash.word());
            is_bad(password).then(|| (password.line, found()))
        });
    }

    /// A password in `/etc/passwd` itself, or no line in `/etc/shadow`, is not a locked root.
    fn root_in_shadow(&mut self, facts: &AccountsFacts) {
        let is_shadowed = |password: &Password| password.name == "root";
        if let Seen::Found(passwords) = &facts.passwords
            && !passwords.iter().any(is_shadowed)
        {
            self.scale
                .weigh(Layer::Persisted, SHADOW, "root is not there", false);
        }
        self.each(&facts.accounts, PASSWD, |account| {
            let bad = account.name == "root"
                && account.password != "x"
                && Hash::of(&account.password) != Hash::Locked;
            bad.then(|| {
                (
                    account.line,
                    "root's password is not in /etc/shadow".to_owned(),
                )
            })
        });
    }

    fn system_accounts(&mut self, facts: &AccountsFacts) {
        self.each(&facts.accounts, PASSWD, |account| {
            let bad = account.is_system() && !account.has_no_shell();
            bad.then(|| {
                (
                    account.line,
                    format!("{} has shell {}", account.name, account.shell),
                )
            })
        });
        if let Seen::Found(accounts) = &facts.accounts {
            let is_system = |name: &str| {
                accounts
                    .iter()
                    .any(|account| account.name == name && account.is_system())
            };
            self.passwords(&facts.passwords, |password| {
                password.hash != Hash::Locked && is_system(&password.name)
            });
        }
    }

    fn twice(&mut self, facts: &AccountsFacts) {
        if let Seen::Found(accounts) = &facts.accounts {
            let names = count(accounts.iter().map(|account| account.name.clone()));
            let uids = count(accounts.iter().map(|account| account.uid));
            self.each(&facts.accounts, PASSWD, |account| {
                let found = || format!("{} ({}) is there twice", account.name, account.uid);
                let bad = names.get(&account.name) > Some(&1) || uids.get(&account.uid) > Some(&1);
                bad.then(|| (account.line, found()))
            });
        } else {
            self.each(&facts.accounts, PASSWD, |_| None);
        }
        if let Seen::Found(groups) = &facts.groups {
            let names = count(groups.iter().map(|group| group.name.clone()));
            let gids = count(groups.iter().map(|group| group.gid));
            self.each(&facts.groups, GROUP, |group| {
                let found = || format!("{} ({}) is there twice", group.name, group.gid);
                let bad = names.get(&group.name) > Some(&1) || gids.get(&group.gid) > Some(&1);
                bad.then(|| (group.line, found()))
            });
        } else {
            self.each(&facts.groups, GROUP, |_| None);
        }
    }

    fn conclude(self) -> Judgement {
        self.scale.conclude()
    }
}

fn count<K: Ord>(keys: impl Iterator<Item = K>) -> BTreeMap<K, usize> {
    let mut counts = BTreeMap::new();
    for key in keys {
        *counts.entry(key).or_insert(0) += 1;
    }
    counts
}

#[cfg(test)]
mod tests;
