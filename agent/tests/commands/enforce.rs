//! `plan` and `enforce`.

use std::os::unix::fs::PermissionsExt as _;

use policies::report::{Report, StepResult};

use crate::machine::{Machine, control, policy};

fn machine() -> Machine {
    let machine = Machine::with_policy(&policy(&format!(
        "{}{}{}",
        control(
            "FIL-001",
            "Only root reads the passwords",
            "check.file-mode = { path = \"/etc/shadow\", most = \"0640\" }"
        ),
        control(
            "KRN-001",
            "Kernel pointers are hidden",
            "check.sysctl = { key = \"kernel.kptr_restrict\", at-least = 2 }"
        ),
        control(
            "ACC-001",
            "Passwords are changed",
            "check.setting = { path = \"/etc/login.defs\", key = \"PASS_MAX_DAYS\", at-most = 365 }"
        ),
    )));
    machine.put("etc/shadow", "");
    machine.put(
        "etc/login.defs",
        "# comment stays\nPASS_MAX_DAYS\t99999\nUMASK 022\n",
    );
    machine
}

#[test]
fn plan_shows_what_would_be_done_and_does_nothing() {
    let machine = machine();
    let before = machine.everything();
    let plan = machine.run(&["plan"]);
    let dry = machine.run(&["enforce", "--dry-run"]);
    assert_eq!((plan.code, dry.code), (1, 1), "{}", plan.stderr);
    assert_eq!(plan.stdout, dry.stdout);
    assert_eq!(machine.everything(), before);
    insta::assert_snapshot!(plan.stdout, @r"
    FIL-001  restrict /etc/shadow to any:any 0640
    KRN-001  set kernel parameter kernel.kptr_restrict to at least 2
    ACC-001  set PASS_MAX_DAYS in /etc/login.defs to at most 365
    3 steps, 0 by hand
    ");
}

#[test]
fn enforcing_brings_the_machine_into_line() {
    let machine = machine();
    let outcome = machine.run(&["enforce", "--format", "json"]);
    assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
    let report: Report = serde_json::from_str(&outcome.stdout).unwrap();
    assert!(report.conforms);
    assert_eq!(report.steps.len(), 3);
    assert!(
        report
            .steps
            .iter()
            .all(|step| step.result == StepResult::Made),
        "{:?}",
        report.steps
    );
    assert!(machine.text("etc/login.defs").contains("# comment stays"));
    let mode = std::fs::metadata(machine.path("etc/shadow"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o640);
    assert_eq!(machine.run(&["check"]).code, 0);
}

/// SECURITY.md: enforcing a second time changes nothing.
#[test]
fn enforcing_a_second_time_changes_nothing() {
    let machine = machine();
    machine.run(&["enforce"]);
    let before = machine.everything();
    let again = machine.run(&["enforce", "--format", "json"]);
    assert_eq!(again.code, 0);
    let report: Report = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(report.steps, []);
    assert_eq!(machine.everything(), before);
    assert_eq!(machine.run(&["plan"]).code, 0);
}

#[test]
fn what_only_people_can_mend_is_named() {
    let machine = Machine::with_policy(&policy(&control(
        "PKG-001",
        "There is no telnet",
        "check.package = { name = \"telnetd\", want = \"absent\" }",
    )));
    machine.put(
        "var/lib/dpkg/status",
        "Package: telnetd\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n",
    );
    let plan = machine.run(&["plan"]);
    assert_eq!(plan.code, 1);
    assert!(
        plan.stdout.contains("by hand\nPKG-001  There is no telnet"),
        "{}",
        plan.stdout
    );
    assert_eq!(machine.run(&["enforce"]).code, 1);
}
