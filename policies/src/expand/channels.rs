//! What may cross the remote desktop.
//!
//! A channel is closed in `xrdp.ini`, which the xrdp daemon reads at each connection and no researcher owns.
//! `sesman.ini` is read by a process of the researcher's session: it stops accidents, not intent, and its
//! controls are graded so.

use crate::check::ini::Key;
use crate::check::sshd::SshdOption;
use crate::check::{Check, Demand, Ini, Sshd, SshdUsers};
use crate::control::{Phase, Severity};
use crate::expand::Draft;
use crate::names::AbsPath;
use crate::policy::{Clipboard, Drives, OutboundClipboard, Policy, Ssh};
use crate::verdict::Grade;

const XRDP: &str = "/etc/xrdp/xrdp.ini";
const SESMAN: &str = "/etc/xrdp/sesman.ini";

/// The controls of `[channels]`.
pub(super) fn expand(policy: &Policy) -> Vec<Draft> {
    let Some(channels) = policy.channels else {
        return Vec::new();
    };
    let OutboundClipboard::Deny = channels.clipboard_out;
    let Drives::Deny = channels.drives;
    let Ssh::Admins = channels.ssh;
    let mut drafts = vec![
        clipboard_out(channels.clipboard_in),
        clipboard_in(channels.clipboard_in),
    ];
    if channels.clipboard_in == Clipboard::Deny {
        drafts.push(clipboard());
    }
    drafts.extend([drives(), drive_folder(), ssh(policy)]);
    drafts
}

fn clipboard() -> Draft {
    Draft {
        id: "CHAN-CLIPBOARD".to_owned(),
        title: "The remote desktop has no clipboard channel".to_owned(),
        severity: Severity::Critical,
        rationale: "Whatever a researcher sees can be copied out through the clipboard, faster than anybody \
                    can read it. The daemon drops the channel in both directions, so nothing that runs in \
                    the session can open it again.",
        references: CLIPBOARD,
        phase: Phase::Image,
        grade: Grade::Enforced,
        check: channel("cliprdr"),
    }
}

fn clipboard_out(inbound: Clipboard) -> Draft {
    let rationale = match inbound {
        Clipboard::Deny => {
            "A second lock behind the closed channel, for the day when somebody opens the channel again."
        }
        Clipboard::Text => {
            "The channel is open so that text can be pasted in; a process of the researcher's session \
             refuses to copy out. That stops accidents, not intent."
        }
    };
    Draft {
        id: "CHAN-CLIPBOARD-OUT".to_owned(),
        title: "The session refuses to copy out".to_owned(),
        severity: match inbound {
            Clipboard::Deny => Severity::Medium,
            Clipboard::Text => Severity::Critical,
        },
        rationale,
        references: CLIPBOARD,
        phase: Phase::Image,
        grade: Grade::Advisory,
        // xrdp up to 0.9.18 knows no other word than `true`, and later ones take it for `all`.
        check: ini(
            SESMAN,
            "Security",
            "RestrictOutboundClipboard",
            "true",
            None,
        ),
    }
}

fn clipboard_in(inbound: Clipboard) -> Draft {
    let (title, restricted) = match inbound {
        Clipboard::Deny => ("The session refuses to paste in", "true"),
        Clipboard::Text => (
            "The session refuses to paste anything but text",
            "file,image",
        ),
    };
    Draft {
        id: "CHAN-CLIPBOARD-IN".to_owned(),
        title: title.to_owned(),
        severity: Severity::Medium,
        rationale: "What is pasted in has not come through the import flow: nobody has scanned it and no \
                    receipt tells where it is from. xrdp before 0.9.19 does not know this key and ignores it.",
        references: CLIPBOARD,
        phase: Phase::Image,
        grade: Grade::Advisory,
        check: ini(
            SESMAN,
            "Security",
            "RestrictInboundClipboard",
            restricted,
            None,
        ),
    }
}

fn drives() -> Draft {
    Draft {
        id: "CHAN-DRIVES".to_owned(),
        title: "The remote desktop hands no drive, printer or smart card through".to_owned(),
        severity: Severity::Critical,
        rationale: "A drive of the researcher's own device inside the session is a copy command away from \
                    taking the data home.",
        references: DRIVES,
        phase: Phase::Image,
        grade: Grade::Enforced,
        check: channel("rdpdr"),
    }
}

fn drive_folder() -> Draft {
    Draft {
        id: "CHAN-DRIVE-FOLDER".to_owned(),
        title: "The session mounts no folder of the researcher's own device".to_owned(),
        severity: Severity::Medium,
        rationale: "A second lock behind the closed drive channel; pasted files use the same mount.",
        references: DRIVES,
        phase: Phase::Image,
        grade: Grade::Advisory,
        check: ini(SESMAN, "Chansrv", "EnableFuseMount", "false", None),
    }
}

fn ssh(policy: &Policy) -> Draft {
    let groups = policy.researchers.groups.iter();
    let groups: Vec<String> = groups.map(ToString::to_string).collect();
    Draft {
        id: "CHAN-SSH".to_owned(),
        title: "Researchers cannot log in over SSH".to_owned(),
        severity: Severity::Critical,
        rationale: "Whoever has a shell over SSH can copy files through it; no option of the daemon changes \
                    that. Only refusing the login closes it.",
        references: &[
            "nist-800-53:AC-17",
            "nist-800-53:SC-7(10)",
            "nist-800-171:3.1.12",
            "hipaa:164.312(a)(1)",
            "satre:2.1.01",
        ],
        phase: Phase::Image,
        grade: Grade::Enforced,
        check: Check::Sshd(Sshd {
            option: option("denygroups"),
            demand: Demand::Includes(groups),
            users: SshdUsers::Everyone,
        }),
    }
}

/// A channel is off in `[Channels]`, and in every session section that overrides it.
fn channel(name: &str) -> Check {
    ini(
        XRDP,
        "Channels",
        name,
        "false",
        Some(&format!("channel.{name}")),
    )
}

fn ini(path: &str, section: &str, name: &str, value: &str, overridden_by: Option<&str>) -> Check {
    Check::Ini(Ini {
        path: abs(path),
        section: key(section),
        key: key(name),
        demand: Demand::Equals(value.to_owned()),
        overridden_by: overridden_by.map(key),
        // Without xrdp there is no remote desktop whose channels could be open.
        optional: true,
    })
}

const CLIPBOARD: &[&str] = &[
    "nist-800-53:AC-4",
    "nist-800-53:AC-20(2)",
    "nist-800-171:3.1.3",
    "hipaa:164.312(a)(1)",
    "satre:2.1.01",
];

const DRIVES: &[&str] = &[
    "nist-800-53:MP-7",
    "nist-800-53:AC-20(2)",
    "nist-800-171:3.1.21",
    "hipaa:164.310(d)(1)",
    "satre:3.1.05",
];

#[expect(
    clippy::expect_used,
    reason = "the keys are written in this file, and a test expands the section"
)]
fn key(name: &str) -> Key {
    Key::try_from(name.to_owned()).expect("keys of this file are valid")
}

#[expect(
    clippy::expect_used,
    reason = "the paths are written in this file, and a test expands the section"
)]
fn abs(path: &str) -> AbsPath {
    path.parse().expect("paths of this file are absolute")
}

#[expect(
    clippy::expect_used,
    reason = "the option is written in this file, and a test expands the section"
)]
fn option(name: &str) -> SshdOption {
    SshdOption::try_from(name.to_owned()).expect("options of this file are valid")
}
