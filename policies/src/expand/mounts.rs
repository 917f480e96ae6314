//! The secure storage that the machine mounts.

use crate::check::mount_option::OptionName;
use crate::check::{self, Check};
use crate::control::{Phase, Severity};
use crate::expand::Draft;
use crate::policy::{Access, Mount, Policy};
use crate::verdict::Grade;

/// The type that the mount table shows for the agent's own driver.
const FILE_SYSTEM: &str = "fuse.dsvm-agent";

/// The controls of `[[mount]]`.
pub(super) fn expand(policy: &Policy) -> Vec<Draft> {
    policy.mounts.iter().map(control).collect()
}

fn control(mount: &Mount) -> Draft {
    let (deed, mut options) = match mount.access {
        Access::ReadOnly => ("read-only", vec!["ro"]),
        Access::WriteOnce => ("for new files", Vec::new()),
    };
    options.extend(["nodev", "noexec", "nosuid"]);
    Draft {
        id: id(mount),
        title: format!("`{}` is mounted at {}, {deed}", mount.name, mount.path),
        severity: Severity::High,
        rationale: "Researchers work where their data should be. When something else is mounted there, or \
                    nothing, they read data that nobody approved, or write results onto the machine's own disk.",
        references: &[
            "nist-800-53:AC-3",
            "nist-800-53:SC-28",
            "nist-800-171:3.8.7",
            "hipaa:164.312(a)(1)",
            "satre:3.1.05",
        ],
        phase: Phase::Vm,
        grade: Grade::Enforced,
        check: Check::Mount(check::Mount {
            path: mount.path.clone(),
            source: Some(format!("{}/{}", mount.account, mount.container)),
            types: vec![FILE_SYSTEM.to_owned()],
            options: options.into_iter().map(option).collect(),
        }),
    }
}

/// The id of a mount's control: its name in capitals. What an id cannot hold becomes a dash, and a name
/// that loses something so gets a piece of its digest, so that two names never share an id.
fn id(mount: &Mount) -> String {
    let name = mount.name.as_str();
    let word: String = name
        .chars()
        .take(32)
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '-'
            }
        })
        .collect();
    let is_same = word.to_ascii_lowercase() == name;
    if is_same {
        return format!("MOUNT-{word}");
    }
    let digest = crate::digest::Digest::of(name.as_bytes());
    let piece: String = digest.as_str().chars().take(8).collect();
    format!("MOUNT-{word}-{}", piece.to_ascii_uppercase())
}

#[expect(
    clippy::expect_used,
    reason = "the options are written in this file, and a test expands a mount"
)]
fn option(name: &str) -> OptionName {
    OptionName::try_from(name.to_owned()).expect("options of this file are valid")
}
