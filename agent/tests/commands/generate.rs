//! Man pages and completions.

use std::fs;

use crate::machine::Machine;

#[test]
fn every_command_that_people_use_has_a_man_page() {
    let machine = Machine::empty();
    let outcome = machine.run_plain(&["man", "ROOT/man"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let pages = fs::read_dir(machine.path("man")).unwrap();
    let mut pages: Vec<_> = pages
        .map(|page| page.unwrap().file_name().into_string().unwrap())
        .collect();
    pages.sort();
    for command in [
        "check",
        "enforce",
        "explain",
        "import",
        "plan",
        "policy-check",
        "policy-show",
        "report",
        "run",
    ] {
        assert!(
            pages.contains(&format!("dsvm-agent-{command}.8")),
            "{pages:?}"
        );
    }
    assert!(
        !pages.iter().any(|page| page.contains("completions")),
        "{pages:?}"
    );
}

#[test]
fn shells_can_complete() {
    for shell in ["bash", "fish", "zsh"] {
        let outcome = Machine::empty().run_plain(&["completions", shell]);
        assert_eq!(outcome.code, 0);
        assert!(outcome.stdout.contains("enforce"), "{shell}");
    }
}

/// The newest glibc that a program needs is found, so that a release that needs too new a one is refused.
#[test]
fn glibc_of_a_program_linked_here_is_seen() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/newest-glibc.sh");
    let outcome = std::process::Command::new(script)
        .arg(env!("CARGO_BIN_EXE_dsvm-agent"))
        .output()
        .unwrap();
    let found = String::from_utf8(outcome.stdout).unwrap();
    let minor: u32 = found.trim().strip_prefix("2.").unwrap().parse().unwrap();
    assert!(minor >= 30, "{found}");
}
