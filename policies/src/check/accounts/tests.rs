//! Rules over accounts, each with what breaks it.

use super::*;

fn account(name: &str, uid: u32, shell: &str) -> Account {
    Account {
        name: name.to_owned(),
        password: "x".to_owned(),
        uid,
        gid: uid,
        home: "/".to_owned(),
        shell: shell.to_owned(),
        line: 1,
    }
}

fn password(name: &str, hash: &str) -> Password {
    Password {
        name: name.to_owned(),
        hash: Hash::of(hash),
        line: 1,
    }
}

fn group(name: &str, gid: u32) -> Group {
    Group {
        name: name.to_owned(),
        gid,
        members: Vec::new(),
        line: 1,
    }
}

/// A machine on which every rule holds.
fn good() -> (Vec<Account>, Vec<Password>, Vec<Group>) {
    (
        vec![
            account("root", 0, "/bin/bash"),
            account("daemon", 1, "/usr/sbin/nologin"),
            account("sync", 4, "/bin/sync"),
            account("ada", 1000, "/bin/bash"),
        ],
        vec![
            password("root", "*"),
            password("daemon", "*"),
            password("sync", "!"),
            password("ada", "$y$j9T$x"),
        ],
        vec![group("root", 0), group("ada", 1000)],
    )
}

const RULES: [AccountRule; 5] = [
    AccountRule::NoEmptyPasswords,
    AccountRule::OnlyRootHasUid0,
    AccountRule::RootIsLocked,
    AccountRule::SystemAccountsCannotLogIn,
    AccountRule::UniqueNamesAndIds,
];

/// The rules that a machine breaks.
fn broken(
    accounts: Vec<Account>,
    passwords: Vec<Password>,
    groups: Vec<Group>,
) -> Vec<AccountRule> {
    let facts = AccountsFacts {
        accounts: Seen::Found(accounts),
        passwords: Seen::Found(passwords),
        groups: Seen::Found(groups),
    };
    let breaks = |rule: &AccountRule| !Accounts { rule: *rule }.judge(&facts).verdict.conforms();
    RULES.into_iter().filter(breaks).collect()
}

#[test]
fn good_machine_breaks_no_rule() {
    let (accounts, passwords, groups) = good();
    assert_eq!(broken(accounts, passwords, groups), []);
}

#[test]
fn each_fault_breaks_its_rule() {
    use AccountRule::{
        NoEmptyPasswords, OnlyRootHasUid0, RootIsLocked, SystemAccountsCannotLogIn,
        UniqueNamesAndIds,
    };
    let (accounts, passwords, groups) = good();
    let with = |extra| [accounts.clone(), vec![extra]].concat();
    let toor = with(account("toor", 0, "/bin/sh"));
    assert_eq!(
        broken(toor, passwords.clone(), groups.clone()),
        [OnlyRootHasUid0, UniqueNamesAndIds]
    );
    let service = with(account("svc", 900, "/bin/bash"));
    assert_eq!(
        broken(service, passwords.clone(), groups.clone()),
        [SystemAccountsCannotLogIn]
    );
    let mut weak = passwords.clone();
    weak[0] = password("root", "$y$j9T$x");
    assert_eq!(
        broken(accounts.clone(), weak.clone(), groups.clone()),
        [RootIsLocked]
    );
    weak[0] = password("root", "");
    assert_eq!(
        broken(accounts.clone(), weak, groups.clone()),
        [NoEmptyPasswords, RootIsLocked]
    );
    let twice = [groups, vec![group("lab", 1000)]].concat();
    assert_eq!(broken(accounts, passwords, twice), [UniqueNamesAndIds]);
}

#[test]
fn unreadable_file_is_unknown_for_the_rules_that_need_it() {
    let (accounts, _, groups) = good();
    let facts = AccountsFacts {
        accounts: Seen::Found(accounts),
        passwords: Seen::Unreadable("permission denied".to_owned()),
        groups: Seen::Found(groups),
    };
    let words = RULES.map(|rule| Accounts { rule }.judge(&facts).verdict.word());
    assert_eq!(words, ["unknown", "pass", "unknown", "unknown", "pass"]);
}
