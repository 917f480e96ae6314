//! One look at a host: what several controls need is read once, when the first of them needs it.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use policies::check::seen::{Located, Seen};
use policies::check::sudoers::People;
use policies::check::{AccountsFacts, Check};
use policies::names::UnitName;
use policies::policy::Policy;

use super::layers::Text;
use super::mounts::MountTable;
use super::packages::Packages;
use super::units::{Shown, UnitTree};
use super::{accounts, layers, modules, mounts, packages, sshd, sudoers, sysctl, units};
use crate::host::Inspect;

/// One look at a host.
#[derive(Debug)]
pub struct View<'a, H> {
    /// The policy.
    pub policy: &'a Policy,
    /// The host.
    pub host: &'a H,
    accounts: OnceCell<AccountsFacts>,
    modprobe: OnceCell<Seen<Vec<Text>>>,
    modules: OnceCell<Seen<Vec<String>>>,
    mounts: OnceCell<Seen<MountTable>>,
    packages: OnceCell<Seen<Packages>>,
    researchers: OnceCell<Seen<People>>,
    sshd: OnceCell<BTreeMap<String, Seen<sshd::Options>>>,
    sudoers: OnceCell<Seen<Vec<Located>>>,
    sysctl: OnceCell<Seen<Vec<sysctl::Assignment>>>,
    tree: OnceCell<Result<UnitTree, String>>,
    units: OnceCell<Seen<BTreeMap<UnitName, Shown>>>,
}

impl<'a, H: Inspect> View<'a, H> {
    /// Begins to look.
    pub fn new(policy: &'a Policy, host: &'a H) -> Self {
        Self {
            policy,
            host,
            accounts: OnceCell::new(),
            modprobe: OnceCell::new(),
            modules: OnceCell::new(),
            mounts: OnceCell::new(),
            packages: OnceCell::new(),
            researchers: OnceCell::new(),
            sshd: OnceCell::new(),
            sudoers: OnceCell::new(),
            sysctl: OnceCell::new(),
            tree: OnceCell::new(),
            units: OnceCell::new(),
        }
    }

    pub(super) fn accounts(&self) -> &AccountsFacts {
        self.accounts.get_or_init(|| accounts::read(self.host))
    }

    pub(super) fn researchers(&self) -> &Seen<People> {
        self.researchers
            .get_or_init(|| accounts::researchers(self.accounts(), &self.policy.researchers.groups))
    }

    pub(super) fn packages(&self) -> &Seen<Packages> {
        self.packages.get_or_init(|| packages::read(self.host))
    }

    pub(super) fn modprobe(&self) -> &Seen<Vec<Text>> {
        self.modprobe
            .get_or_init(|| layers::seen(layers::read(self.host, &modules::FOLDERS, ".conf")))
    }

    pub(super) fn loaded_modules(&self) -> &Seen<Vec<String>> {
        self.modules.get_or_init(|| modules::loaded(self.host))
    }

    pub(super) fn mounts(&self) -> &Seen<MountTable> {
        self.mounts.get_or_init(|| mounts::read(self.host))
    }

    pub(super) fn sudoers(&self) -> &Seen<Vec<Located>> {
        self.sudoers.get_or_init(|| sudoers::read(self.host))
    }

    pub(super) fn sysctl(&self) -> &Seen<Vec<sysctl::Assignment>> {
        self.sysctl.get_or_init(|| sysctl::read(self.host))
    }

    /// The SSH daemon's answers for every login that some control of the policy is about.
    pub(super) fn sshd(&self) -> &BTreeMap<String, Seen<sshd::Options>> {
        self.sshd.get_or_init(|| sshd::ask(self))
    }

    /// What the service manager says about every unit of the policy.
    pub(super) fn units(&self) -> &Seen<BTreeMap<UnitName, Shown>> {
        self.units
            .get_or_init(|| units::ask(self.host, &self.unit_names()))
    }

    /// The units' files, for a machine that is not running.
    pub(super) fn unit_tree(&self) -> &Result<UnitTree, String> {
        self.tree
            .get_or_init(|| UnitTree::read(self.host).map_err(|error| error.chain()))
    }

    fn unit_names(&self) -> Vec<UnitName> {
        let mut names: Vec<UnitName> = Vec::new();
        for control in &self.policy.controls {
            match &control.check {
                Check::Firewall(_) => names.extend(units::loader()),
                Check::Unit(unit) => names.push(unit.name.clone()),
                _ => {}
            }
        }
        names.sort();
        names.dedup();
        names
    }
}
