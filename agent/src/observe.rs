//! Reads the host and judges every control.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use policies::check::seen::Seen;
use policies::check::{Check, ListeningFacts, MembershipFacts, PackageFacts, SudoersFacts};
use policies::control::Control;
use policies::policy::Policy;
use policies::report::{Finding, WaiverState};
use policies::verdict::Judgement;

use crate::host::{HostError, Inspect};

/// Accounts, groups, and who is a researcher.
pub mod accounts;
/// Owners and modes of files.
pub(crate) mod files;
/// The packet filter.
pub(crate) mod firewall;
/// Traces on a sealed image.
mod hygiene;
/// Files with sections.
pub mod ini;
/// Folders whose files override each other by name.
pub mod layers;
/// Kernel modules.
pub mod modules;
/// What is mounted, and what the next boot mounts.
pub mod mounts;
/// The package database.
mod packages;
/// Flat files.
pub mod setting;
/// Sockets that wait.
mod sockets;
/// The SSH daemon.
mod sshd;
/// What `sudo` reads.
mod sudoers;
/// Kernel parameters.
pub mod sysctl;
/// Units of systemd.
pub mod units;
/// One look at a host: what several controls need is read once.
pub mod view;

use view::View;

/// Judges every control of a policy on a host. Never fails: what cannot be read is a finding.
#[must_use]
pub fn observe(policy: &Policy, host: &impl Inspect, now: Timestamp) -> Vec<Finding> {
    let view = View::new(policy, host);
    let finding = |control| finding(control, &view, now);
    policy.controls.iter().map(finding).collect()
}

fn finding(control: &Control, view: &View<'_, impl Inspect>, now: Timestamp) -> Finding {
    let Judgement {
        verdict,
        expected,
        found,
        evidence,
    } = judge(&control.check, view);
    let today = now.to_zoned(TimeZone::UTC).date();
    let waiver = view.policy.waiver(&control.id).map(|waiver| WaiverState {
        holds: waiver.holds_on(today),
        waiver: waiver.clone(),
    });
    Finding {
        control: control.id.clone(),
        title: control.title.clone(),
        rationale: control.rationale.clone(),
        severity: control.severity,
        phase: control.phase,
        grade: control.grade,
        verdict,
        expected,
        found,
        evidence,
        references: control.references.clone(),
        waiver,
        judged: now,
    }
}

/// Reads what a check needs and judges it.
pub fn judge(check: &Check, view: &View<'_, impl Inspect>) -> Judgement {
    match check {
        Check::Accounts(check) => check.judge(view.accounts()),
        Check::FileMode(check) => check.judge(&files::facts(check, view)),
        Check::Firewall(check) => check.judge(&firewall::facts(view)),
        Check::Hygiene(check) => check.judge(&hygiene::facts(check, view.host)),
        Check::Ini(check) => check.judge(&ini::facts(check, view.host)),
        Check::KernelModule(check) => check.judge(&modules::facts(check, view)),
        Check::Listening(check) => check.judge(&ListeningFacts {
            sockets: sockets::all(view.host),
        }),
        Check::Membership(check) => check.judge(&MembershipFacts {
            members: accounts::members(view.accounts(), check.group.as_str()),
            researchers: view
                .researchers()
                .as_ref()
                .map(|people| people.accounts.clone()),
        }),
        Check::Mount(check) => check.judge(&mounts::mount_facts(check, view)),
        Check::MountOption(check) => check.judge(&mounts::option_facts(check, view)),
        Check::Package(check) => check.judge(&PackageFacts {
            installed: packages::installed(view.packages(), check.name.as_str()),
        }),
        Check::Setting(check) => check.judge(&setting::facts(check, view.host)),
        Check::Sshd(check) => check.judge(&sshd::facts(check, view)),
        Check::Sudoers(check) => check.judge(&SudoersFacts {
            lines: view.sudoers().clone(),
            researchers: view.researchers().clone(),
        }),
        Check::Sysctl(check) => check.judge(&sysctl::facts(check, view)),
        Check::Unit(check) => check.judge(&units::facts(&check.name, view)),
    }
}

/// What came of reading.
pub(crate) fn seen<T>(read: Result<Option<T>, HostError>) -> Seen<T> {
    match read {
        Ok(Some(found)) => Seen::Found(found),
        Ok(None) => Seen::Absent,
        Err(error) => Seen::Unreadable(error.chain()),
    }
}

#[cfg(test)]
mod tests;
