//! Changes the host as a plan says.
//!
//! Each step reads first, writes whole files, and says whether it changed anything. A step that fails does
//! not keep the others from being done.

use policies::check::mount_option::OptionName;
use policies::names::Mode;
use policies::plan::{Action, Change, Plan, Step};
use policies::report::{StepOutcome, StepResult};

use crate::host::{Alter, HostError};

/// Accounts, passwords and groups.
mod accounts;
/// Values in files with sections and in flat files.
mod configured;
/// Owners and modes of files.
mod files;
/// The packet filter.
mod firewall;
/// Kernel modules.
mod modules;
/// Options of mounts.
mod mounts;
/// The SSH daemon.
mod sshd;
/// What `sudo` reads.
mod sudo;
/// Kernel parameters.
mod sysctl;
/// Units of systemd.
mod units;

/// Why a step was not done.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// Reading or changing the host failed.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Something that the step needs is not known.
    #[error("{cause}")]
    NotKnown { cause: String },
    /// Only people can do it.
    #[error("{reason}")]
    NotPossible { reason: String },
    /// The program that would read a text does not take it.
    #[error("{program} does not take `{path}`: {complaint}")]
    Refused {
        program: &'static str,
        path: &'static str,
        complaint: String,
    },
}

impl Error {
    fn not_possible(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::NotPossible { reason }
    }
}

/// Carries out a plan step by step, and goes on after one that fails.
#[must_use]
pub fn apply(plan: &Plan, host: &mut impl Alter) -> Vec<StepOutcome> {
    let mut outcomes = Vec::new();
    let mut sshd_changed = None;
    for Step { control, action } in &plan.steps {
        let result = carry_out(action, host);
        if matches!(
            (action, &result),
            (Action::SetSshd { .. }, Ok(Change::Made))
        ) {
            sshd_changed = Some(control);
        }
        outcomes.push(StepOutcome {
            control: control.clone(),
            action: action.to_string(),
            result: in_words(result),
        });
    }
    if let Some(control) = sshd_changed
        && let Some(result) = sshd::reload(plan.phase, host)
    {
        outcomes.push(StepOutcome {
            control: control.clone(),
            action: "have the SSH daemon read its files anew".to_owned(),
            result: in_words(result),
        });
    }
    outcomes
}

fn in_words(result: Result<Change, Error>) -> StepResult {
    match result {
        Ok(Change::Made) => StepResult::Made,
        Ok(Change::Unchanged) => StepResult::Unchanged,
        Err(error) => StepResult::Failed {
            cause: crate::host::chain(&error),
        },
    }
}

fn carry_out(action: &Action, host: &mut impl Alter) -> Result<Change, Error> {
    match action {
        Action::BlockModule { name } => modules::block(name.as_str(), host),
        Action::LeaveGroup { group, researchers } => accounts::leave(group, researchers, host),
        Action::LoadFirewall { firewall } => firewall::load(firewall, host),
        Action::RepairAccounts { rule } => accounts::repair(*rule, host),
        Action::RequirePty => sudo::require_pty(host),
        Action::RestrictFile {
            path,
            owner,
            group,
            most,
        } => files::restrict(path.as_str(), owner.as_ref(), group.as_ref(), *most, host),
        Action::SetIni {
            path,
            section,
            key,
            demand,
            overridden_by,
        } => {
            let place = configured::Place {
                section: section.as_str(),
                key: key.as_str(),
                overridden_by: overridden_by
                    .as_ref()
                    .map(policies::check::ini::Key::as_str),
            };
            configured::set_ini(path.as_str(), &place, demand, host)
        }
        Action::SetMountOptions { path, options } => {
            let options: Vec<&str> = options.iter().map(OptionName::as_str).collect();
            mounts::add_options(path.as_str(), &options, host)
        }
        Action::SetSetting { path, key, demand } => {
            configured::set_flat(path.as_str(), key.as_str(), demand, host)
        }
        Action::SetSshd { option, demand } => sshd::set(option, demand, host),
        Action::SetSysctl { key, demand } => sysctl::set(key, demand, host),
        Action::SetUnit { name, want } => units::set(name, *want, host),
    }
}

/// Writes a file unless it says the same already.
fn put(path: &str, text: &str, mode: u32, host: &mut impl Alter) -> Result<Change, Error> {
    if host.text(path)?.as_deref() == Some(text) {
        return Ok(Change::Unchanged);
    }
    host.write(path, text.as_bytes(), Mode::from_bits(mode))?;
    Ok(Change::Made)
}

/// The first line of every file that is the agent's own.
const OWN: &str = "# Written by dsvm-agent; changes are undone.";

#[cfg(test)]
mod tests;
