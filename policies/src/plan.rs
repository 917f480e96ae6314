//! Changes that would make a control hold.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::check::accounts::AccountRule;
use crate::check::demand::Demand;
use crate::check::firewall::Firewall;
use crate::check::ini::Key;
use crate::check::kernel_module::ModuleName;
use crate::check::mount_option::OptionName;
use crate::check::sshd::SshdOption;
use crate::check::unit::UnitWant;
use crate::control::{ControlId, Phase};
use crate::names::{AbsPath, Mode, PlainName, SysctlKey, UnitName};
use crate::policy::Policy;
use crate::report::Finding;

/// What enforcing would do, in the order in which it is done.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Plan {
    /// The phase that is enforced. While an image is made, daemons are not told to read their files anew:
    /// the image boots with them anyway, and the maker's own connection must not break.
    pub phase: Phase,
    /// The steps; no two with the same action.
    pub steps: Vec<Step>,
}

/// One step of a plan.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Step {
    /// The control that it serves; the first one when it serves several.
    pub control: ControlId,
    /// What is done.
    pub action: Action,
}

/// Something that can be done to a machine. Closed on purpose, like the kinds of checks.
///
/// The order of the variants is the order of the steps: the packet filter is last, so that nothing is
/// lost when it cuts a connection.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
pub enum Action {
    /// Lock and close the accounts that break a rule.
    RepairAccounts {
        /// The rule.
        rule: AccountRule,
    },
    /// Take researchers out of a group.
    LeaveGroup {
        /// The group.
        group: PlainName,
        /// The groups whose members are researchers.
        researchers: Vec<PlainName>,
    },
    /// Take owner, group and permission bits back to what they may be.
    RestrictFile {
        /// The file; its last part may hold `*`.
        path: AbsPath,
        /// Whom it must belong to.
        owner: Option<PlainName>,
        /// Which group it must belong to.
        group: Option<PlainName>,
        /// The permission bits that it may have at most.
        most: Mode,
    },
    /// Make `sudo` use a terminal of its own.
    RequirePty,
    /// Set a kernel parameter, now and for the next boot.
    SetSysctl {
        /// The parameter.
        key: SysctlKey,
        /// What it must be.
        demand: Demand,
    },
    /// Keep a kernel module from being loaded, and unload it.
    BlockModule {
        /// The module.
        name: ModuleName,
    },
    /// Add options to a mount, now and for the next boot.
    SetMountOptions {
        /// Where it is mounted.
        path: AbsPath,
        /// The options.
        options: Vec<OptionName>,
    },
    /// Set a value in a flat file.
    SetSetting {
        /// The file.
        path: AbsPath,
        /// The key.
        key: Key,
        /// What it must be.
        demand: Demand,
    },
    /// Set a value in a file with sections.
    SetIni {
        /// The file.
        path: AbsPath,
        /// The section.
        section: Key,
        /// The key.
        key: Key,
        /// What it must be.
        demand: Demand,
        /// The key that overrides it in other sections.
        overridden_by: Option<Key>,
    },
    /// Set an option of the SSH daemon for everybody.
    SetSshd {
        /// The option.
        option: SshdOption,
        /// What it must be.
        demand: Demand,
    },
    /// Start, stop or mask a unit.
    SetUnit {
        /// The unit.
        name: UnitName,
        /// How it must be.
        want: UnitWant,
    },
    /// Write the packet filter's rules and load them.
    LoadFirewall {
        /// What may leave the machine.
        firewall: Firewall,
    },
}

/// What carrying out an action did.
#[must_use]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// The machine was changed.
    Made,
    /// The machine was as it should be already.
    Unchanged,
}

impl Change {
    /// Both one after the other.
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unchanged, Self::Unchanged) => Self::Unchanged,
            (Self::Made, _) | (_, Self::Made) => Self::Made,
        }
    }
}

impl Plan {
    /// What would bring the machine of some findings into line with the policy: a step for each action of
    /// a control that deviates, is not waived and is due in the phase.
    #[must_use]
    pub fn for_findings(policy: &Policy, findings: &[Finding], phase: Phase) -> Self {
        let mut steps: Vec<Step> = Vec::new();
        let due = |finding: &&Finding| finding.phase <= phase && !finding.conforms();
        for finding in findings.iter().filter(due) {
            let Some(control) = policy.control(&finding.control) else {
                continue;
            };
            let actions = control.check.remedy(&policy.researchers.groups);
            steps.extend(actions.into_iter().map(|action| Step {
                control: control.id.clone(),
                action,
            }));
        }
        steps.sort_by_key(|step| {
            (
                step.action.rank(),
                step.action.to_string(),
                step.control.clone(),
            )
        });
        steps.dedup_by(|later, first| later.action == first.action);
        Self { phase, steps }
    }

    /// Says whether there is nothing to do.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

impl Action {
    /// The place in the order of steps.
    const fn rank(&self) -> u8 {
        match self {
            Self::RepairAccounts { .. } => 0,
            Self::LeaveGroup { .. } => 1,
            Self::RestrictFile { .. } => 2,
            Self::RequirePty => 3,
            Self::SetSysctl { .. } => 4,
            Self::BlockModule { .. } => 5,
            Self::SetMountOptions { .. } => 6,
            Self::SetSetting { .. } => 7,
            Self::SetIni { .. } => 8,
            Self::SetSshd { .. } => 9,
            Self::SetUnit { .. } => 10,
            Self::LoadFirewall { .. } => 11,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RepairAccounts { rule } => write!(f, "repair accounts: {}", rule.words()),
            Self::LeaveGroup { group, .. } => write!(f, "take researchers out of group {group}"),
            Self::RestrictFile {
                path,
                owner,
                group,
                most,
            } => {
                let any = |name: &Option<PlainName>| {
                    name.as_ref().map_or("any", PlainName::as_str).to_owned()
                };
                write!(f, "restrict {path} to {}:{} {most}", any(owner), any(group))
            }
            Self::RequirePty => write!(f, "make sudo use a terminal of its own"),
            Self::SetSysctl { key, demand } => write!(f, "set kernel parameter {key} to {demand}"),
            Self::BlockModule { name } => write!(f, "block kernel module {name}"),
            Self::SetMountOptions { path, options } => {
                let options: Vec<&str> = options.iter().map(OptionName::as_str).collect();
                write!(f, "mount {path} with {}", options.join(","))
            }
            Self::SetSetting { path, key, demand } => write!(f, "set {key} in {path} to {demand}"),
            Self::SetIni {
                path,
                section,
                key,
                demand,
                ..
            } => write!(f, "set [{section}] {key} in {path} to {demand}"),
            Self::SetSshd { option, demand } => write!(f, "set sshd option {option} to {demand}"),
            Self::SetUnit { name, want } => match want {
                UnitWant::Masked => write!(f, "stop and mask {name}"),
                UnitWant::Running => write!(f, "enable and start {name}"),
                UnitWant::Stopped => write!(f, "stop and disable {name}"),
            },
            Self::LoadFirewall { .. } => write!(f, "load the packet filter's rules"),
        }
    }
}
