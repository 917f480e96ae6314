//! Finds out whether this machine can make images.

use std::{collections::BTreeSet, path::Path};

use nix::sys::statvfs::statvfs;
use serde::Serialize;

use crate::{
    agent,
    cancel::Cancel,
    import::scan::{self, Scanner},
    qemu::{self, Accelerator},
    recipe::{Located, Scan},
    tool::Tool,
    ui,
};

/// Something that was looked for.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// What it is.
    pub what: String,
    /// Whether it is there, and whether it has to be.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do about it; none when there is nothing to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Whether something is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nothing works without it, and it is not there.
    Missing,
    /// It is there.
    Ok,
    /// It is not there, and work goes on without it.
    Warning,
}

/// Looks for everything that a build needs.
pub fn examine(located: Option<&Located>, cache: &Path, cancel: &Cancel) -> Vec<Finding> {
    let mut findings: Vec<_> = Tool::ALL
        .into_iter()
        .filter(|tool| *tool != Tool::Clamscan)
        .map(|tool| program(tool, cancel))
        .collect();
    findings.push(firmware());
    findings.push(root());
    findings.push(accelerator(cache));
    findings.push(space(cache));
    findings.push(scanner(located, cancel));
    findings.push(agent());
    findings
}

/// The packages that have to be installed.
pub fn packages(findings: &[Finding]) -> BTreeSet<&'static str> {
    let missing = |tool: &&Tool| {
        findings
            .iter()
            .any(|finding| finding.state == State::Missing && finding.what == tool.name())
    };
    Tool::ALL
        .iter()
        .filter(missing)
        .map(|tool| tool.package())
        .collect()
}

fn program(tool: Tool, cancel: &Cancel) -> Finding {
    let what = tool.name().to_owned();
    match tool.path() {
        None => Finding {
            what,
            state: State::Missing,
            found: "not installed".to_owned(),
            hint: Some(format!("install package `{}`", tool.package())),
        },
        Some(path) => Finding {
            what,
            state: State::Ok,
            found: version(tool, cancel).unwrap_or_else(|| path.display().to_string()),
            hint: None,
        },
    }
}

/// The version of a program, as far as it tells one.
fn version(tool: Tool, cancel: &Cancel) -> Option<String> {
    let argument = match tool {
        Tool::E2fsck | Tool::Mke2fs => "-V",
        Tool::Mcopy | Tool::Mmd | Tool::MkfsVfat | Tool::SshKeygen => return None,
        _ => "--version",
    };
    let output = tool.call().arg(argument).run(cancel).ok()?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    said.lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .map(str::to_owned)
}

fn firmware() -> Finding {
    let found = qemu::firmware();
    Finding {
        what: "UEFI firmware".to_owned(),
        state: if found.is_some() {
            State::Ok
        } else {
            State::Missing
        },
        hint: found.is_none().then(|| "install package `ovmf`".to_owned()),
        found: found.map_or("not installed".to_owned(), |path| {
            path.display().to_string()
        }),
    }
}

/// A base disk holds files of root and of other accounts, which only root can make.
fn root() -> Finding {
    let is_root = nix::unistd::geteuid().is_root();
    Finding {
        what: "root".to_owned(),
        state: if is_root { State::Ok } else { State::Warning },
        found: if is_root {
            "yes"
        } else {
            "no: a new base disk needs it"
        }
        .to_owned(),
        hint: (!is_root).then(|| "run builds with sudo".to_owned()),
    }
}

fn accelerator(cache: &Path) -> Finding {
    let (state, found) = match qemu::accelerator(cache) {
        Accelerator::Kvm => (State::Ok, "KVM, tried out"),
        Accelerator::Tcg => (
            State::Warning,
            "emulation: KVM does not work here, machines are slower",
        ),
    };
    Finding {
        what: "accelerator".to_owned(),
        state,
        found: found.to_owned(),
        hint: None,
    }
}

fn space(cache: &Path) -> Finding {
    // The folder may not be there yet: its nearest ancestor is on the same disk.
    let existing = cache
        .ancestors()
        .find(|path| path.exists())
        .unwrap_or(Path::new("/"));
    let free =
        statvfs(existing).map(|stat| stat.blocks_available().saturating_mul(stat.fragment_size()));
    let (state, found) = match free {
        Ok(free) if free >= NEEDED => (State::Ok, format!("{} free", ui::bytes(free))),
        Ok(free) => (State::Missing, format!("{} free", ui::bytes(free))),
        Err(error) => (State::Missing, error.to_string()),
    };
    let hint = (state == State::Missing)
        .then(|| format!("free {} below {}", ui::bytes(NEEDED), existing.display()));
    Finding {
        what: "disk space".to_owned(),
        state,
        found,
        hint,
    }
}

fn scanner(located: Option<&Located>, cancel: &Cancel) -> Finding {
    let import = located.map(|located| &located.recipe.import);
    let database = located.and_then(|located| {
        located
            .recipe
            .import
            .scan_database
            .as_ref()
            .map(|path| located.at(path))
    });
    let required = import.is_some_and(|import| import.scan == Scan::Required);
    let hint = |scanner: &Scanner| match scanner {
        Scanner::Missing => Some(format!("install package `{}`", Tool::Clamscan.package())),
        Scanner::NoSignatures => Some("`freshclam` fetches signatures".to_owned()),
        Scanner::Ready { .. } => None,
    };
    let (ready, found, hint) = match scan::scanner(database.as_deref(), cancel) {
        Ok(scanner) => (
            matches!(scanner, Scanner::Ready { .. }),
            scanner.to_string(),
            hint(&scanner),
        ),
        Err(error) => (false, ui::causes(&error), None),
    };
    let state = match (ready, required) {
        (true, _) => State::Ok,
        (false, true) => State::Missing,
        (false, false) => State::Warning,
    };
    Finding {
        what: "malware scanner".to_owned(),
        state,
        found,
        hint,
    }
}

fn agent() -> Finding {
    let what = "agent package".to_owned();
    let named = std::env::var_os("IMAGEBUILD_AGENT").map(std::path::PathBuf::from);
    match agent::Package::find(named.as_deref()) {
        Ok(path) if path.is_file() => Finding {
            what,
            state: State::Ok,
            found: path.display().to_string(),
            hint: None,
        },
        Ok(path) => Finding {
            what,
            state: State::Missing,
            found: format!("`{}` is not there", path.display()),
            hint: None,
        },
        Err(error) => Finding {
            what,
            state: State::Missing,
            found: error.to_string(),
            hint: crate::exit::Ends::hint(&error),
        },
    }
}

/// A base disk, a build's disk and its image, with room for the packages.
const NEEDED: u64 = 8 << 30;
