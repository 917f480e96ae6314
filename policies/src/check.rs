//! The kinds of things that a policy can demand, one file each.
//!
//! Each kind has the demand as it stands in a policy, the facts that it is judged by, a pure `judge`, and
//! a pure `remedy` that says what would have to be done. Facts are read by the agent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::PlainName;
use crate::plan::Action;

pub use accounts::{AccountRule, Accounts, AccountsFacts};
pub use demand::Demand;
pub use file_mode::{FileMode, FileModeFacts};
pub use firewall::{Firewall, FirewallFacts};
pub use hygiene::{Hygiene, HygieneFacts, HygieneRule};
pub use ini::{Ini, IniFacts};
pub use kernel_module::{KernelModule, KernelModuleFacts, ModuleWant};
pub use listening::{Listening, ListeningFacts};
pub use membership::{Membership, MembershipFacts};
pub use mount::{Mount, MountFacts};
pub use mount_option::{MountOption, MountOptionFacts};
pub use package::{Package, PackageFacts, PackageWant};
pub use setting::{Setting, SettingFacts};
pub use sshd::{Sshd, SshdFacts, SshdUsers};
pub use sudoers::{Sudoers, SudoersFacts, SudoersRule};
pub use sysctl::{Sysctl, SysctlFacts};
pub use unit::{Unit, UnitFacts, UnitFile, UnitState, UnitWant};

/// Accounts and their passwords.
pub mod accounts;
/// What a value must be.
pub mod demand;
/// Owner, group and permission bits of files.
pub mod file_mode;
/// What may leave the machine.
pub mod firewall;
/// Traces that a sealed image must not carry.
pub mod hygiene;
/// Values in files with sections.
pub mod ini;
/// Kernel modules that cannot be loaded.
pub mod kernel_module;
/// Sockets that wait for the network.
pub mod listening;
/// Groups that researchers must not be in.
pub mod membership;
/// Mounts that must be there.
pub mod mount;
/// Options that a mount must have.
pub mod mount_option;
/// Debian packages.
pub mod package;
/// What was seen, and how it is put together into a judgement.
pub mod seen;
/// Values in flat files.
pub mod setting;
/// Options of the SSH daemon.
pub mod sshd;
/// What `sudo` allows.
pub mod sudoers;
/// Kernel parameters.
pub mod sysctl;
/// Units of systemd.
pub mod unit;

/// What a control looks at. Closed on purpose: adding a kind is a reviewed change.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Check {
    /// Accounts and their passwords.
    Accounts(Accounts),
    /// Owner, group and permission bits of files.
    FileMode(FileMode),
    /// What may leave the machine.
    Firewall(Firewall),
    /// A trace that a sealed image must not carry.
    Hygiene(Hygiene),
    /// A value in a file with sections.
    Ini(Ini),
    /// A kernel module.
    KernelModule(KernelModule),
    /// Sockets that wait for the network.
    Listening(Listening),
    /// A group that researchers must not be in.
    Membership(Membership),
    /// A mount that must be there.
    Mount(Mount),
    /// Options that a mount must have.
    MountOption(MountOption),
    /// A Debian package.
    Package(Package),
    /// A value in a flat file.
    Setting(Setting),
    /// An option of the SSH daemon.
    Sshd(Sshd),
    /// What `sudo` allows.
    Sudoers(Sudoers),
    /// A kernel parameter.
    Sysctl(Sysctl),
    /// A unit of systemd.
    Unit(Unit),
}

impl Check {
    /// The name of the kind, as it stands in a policy.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Accounts(_) => "accounts",
            Self::FileMode(_) => "file-mode",
            Self::Firewall(_) => "firewall",
            Self::Hygiene(_) => "hygiene",
            Self::Ini(_) => "ini",
            Self::KernelModule(_) => "kernel-module",
            Self::Listening(_) => "listening",
            Self::Membership(_) => "membership",
            Self::Mount(_) => "mount",
            Self::MountOption(_) => "mount-option",
            Self::Package(_) => "package",
            Self::Setting(_) => "setting",
            Self::Sshd(_) => "sshd",
            Self::Sudoers(_) => "sudoers",
            Self::Sysctl(_) => "sysctl",
            Self::Unit(_) => "unit",
        }
    }

    /// The one thing on the machine that the check speaks of. Checks with different subjects never
    /// contradict each other; for those with the same subject see [`Check::agrees_with`].
    #[must_use]
    pub fn subject(&self) -> String {
        match self {
            Self::Accounts(check) => check.subject(),
            Self::FileMode(check) => check.subject(),
            Self::Firewall(_) => Firewall::subject(),
            Self::Hygiene(check) => check.subject(),
            Self::Ini(check) => check.subject(),
            Self::KernelModule(check) => check.subject(),
            Self::Listening(_) => Listening::subject(),
            Self::Membership(check) => check.subject(),
            Self::Mount(check) => check.subject(),
            Self::MountOption(check) => check.subject(),
            Self::Package(check) => check.subject(),
            Self::Setting(check) => check.subject(),
            Self::Sshd(check) => check.subject(),
            Self::Sudoers(check) => check.subject(),
            Self::Sysctl(check) => check.subject(),
            Self::Unit(check) => check.subject(),
        }
    }

    /// Says whether a machine can satisfy both checks at once, as far as enforcing can bring it there.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        if self == other || self.subject() != other.subject() {
            return true;
        }
        match (self, other) {
            (Self::Ini(a), Self::Ini(b)) => a.demand.agrees_with(&b.demand),
            (Self::MountOption(_), Self::MountOption(_)) => true,
            (Self::Package(a), Self::Package(b)) => a.want == b.want,
            (Self::Setting(a), Self::Setting(b)) => a.demand.agrees_with(&b.demand),
            (Self::Sshd(a), Self::Sshd(b)) => a.demand.agrees_with(&b.demand),
            (Self::Sysctl(a), Self::Sysctl(b)) => a.demand.agrees_with(&b.demand),
            (Self::Unit(a), Self::Unit(b)) => a.agrees_with(b),
            _ => false,
        }
    }

    /// What would have to be done so that the check holds; empty when only people can do it.
    #[must_use]
    pub fn remedy(&self, researchers: &[PlainName]) -> Vec<Action> {
        match self {
            Self::Accounts(check) => check.remedy(),
            Self::FileMode(check) => check.remedy(),
            Self::Firewall(check) => check.remedy(),
            Self::Hygiene(_) | Self::Listening(_) | Self::Mount(_) | Self::Package(_) => Vec::new(),
            Self::Ini(check) => check.remedy(),
            Self::KernelModule(check) => check.remedy(),
            Self::Membership(check) => check.remedy(researchers),
            Self::MountOption(check) => check.remedy(),
            Self::Setting(check) => check.remedy(),
            Self::Sshd(check) => check.remedy(),
            Self::Sudoers(check) => check.remedy(),
            Self::Sysctl(check) => check.remedy(),
            Self::Unit(check) => check.remedy(),
        }
    }
}
