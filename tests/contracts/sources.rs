//! What every source file keeps to.

use std::process::Command;

use tests::repository::{top, tracked};

/// Longer files are nobody's: they are split by meaning before they grow further.
const LONGEST_FILE: usize = 600;

#[test]
fn no_file_is_nobodys() {
    for file in tracked() {
        let lines = file.text.lines().count();
        let source = file.path.ends_with(".rs") || file.path.ends_with(".sh");
        assert!(
            !source || lines <= LONGEST_FILE,
            "{} has {lines} lines",
            file.path
        );
    }
}

#[test]
fn nothing_is_unfinished_or_switched_off() {
    let marks = [
        ["to", "do!("],
        ["unimpl", "emented!("],
        ["#[ig", "nore"],
        ["FIX", "ME"],
    ];
    for file in tracked().iter().filter(|file| file.path.ends_with(".rs")) {
        for mark in &marks {
            assert!(
                !file.text.contains(&mark.concat()),
                "{} has `{}`",
                file.path,
                mark.concat()
            );
        }
    }
}

/// Mirrors come from the machine's own configuration; a host named here would be used by everybody.
#[test]
fn no_package_mirror_is_named() {
    let hosts = [
        ["deb.deb", "ian.org"],
        ["security.deb", "ian.org"],
        ["snapshot.deb", "ian.org"],
        ["pypi", ".org"],
        ["files.python", "hosted.org"],
        ["static.crates", ".io"],
        ["index.crates", ".io"],
        ["registry.npm", "js.org"],
        ["proxy.gol", "ang.org"],
        ["repo1.maven", ".org"],
        ["archive.ubu", "ntu.com"],
    ];
    for file in tracked() {
        for host in &hosts {
            assert!(
                !file.text.contains(&host.concat()),
                "{} names {}",
                file.path,
                host.concat()
            );
        }
    }
}

#[test]
fn shell_scripts_are_clean() {
    let scripts: Vec<_> = tracked()
        .into_iter()
        .filter(|file| {
            file.text.starts_with("#!") && file.text.lines().next().is_some_and(is_shell)
        })
        .map(|file| file.path)
        .collect();
    assert!(scripts.len() >= 5, "only {scripts:?}");
    let checked = Command::new("shellcheck")
        .arg("--external-sources")
        .args(&scripts)
        .current_dir(top())
        .output()
        .expect("shellcheck runs: scripts/parts.sh test installs it");
    assert!(
        checked.status.success(),
        "{}",
        String::from_utf8_lossy(&checked.stdout)
    );
}

fn is_shell(first: &str) -> bool {
    first.ends_with("bash") || first.ends_with("/sh")
}
