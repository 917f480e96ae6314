//! `check`.

use policies::report::Report;

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
            "PKG-001",
            "There is no telnet",
            "check.package = { name = \"telnetd\", want = \"absent\" }"
        ),
        control(
            "MNT-001",
            "Temporary files run no programs",
            "phase = \"vm\"\ncheck.mount-option = { path = \"/tmp\", options = [\"noexec\"] }"
        ),
    )));
    machine.put("etc/shadow", "");
    machine.put(
        "var/lib/dpkg/status",
        "Package: base-files\nStatus: install ok installed\nVersion: 12\nArchitecture: amd64\n",
    );
    machine
}

#[test]
fn deviating_image_exits_with_1_and_says_why() {
    let outcome = machine().run(&["check"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    insta::assert_snapshot!(hide_digest(&outcome.stdout), @r"
    research-1 · Debian GNU/Linux 12 (bookworm) · policy lab DIGEST · phase image

    fail            high      FIL-001  Only root reads the passwords
                                       expected   /etc/shadow any:any at most 0640
                                       found      root:root 0644
                                       effective  root:root 0644 (/etc/shadow)
    later           high      MNT-001  Temporary files run no programs
    pass            high      PKG-001  There is no telnet

    3 controls: 1 pass, 1 fail, 1 later
    deviates
    ");
}

#[test]
fn conforming_image_exits_with_0() {
    let machine = machine();
    std::fs::remove_file(machine.path("etc/shadow")).unwrap();
    machine.put("etc/shadow", "");
    std::fs::set_permissions(
        machine.path("etc/shadow"),
        std::os::unix::fs::PermissionsExt::from_mode(0o640),
    )
    .unwrap();
    let outcome = machine.run(&["check"]);
    assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
    assert!(
        outcome
            .stdout
            .ends_with("3 controls: 2 pass, 1 later\nconforms\n"),
        "{}",
        outcome.stdout
    );
}

#[test]
fn json_is_one_report_on_one_line() {
    let outcome = machine().run(&["check", "--format", "json"]);
    assert_eq!(outcome.stdout.lines().count(), 1);
    let report: Report = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(report.findings.len(), 3);
    assert_eq!(report.machine.hostname, "research-1");
    assert_eq!(
        report.machine.boot_id, None,
        "an image that does not run has no boot"
    );
    assert!(!report.conforms);
}

/// SECURITY.md: checking reads only.
#[test]
fn check_changes_nothing() {
    let machine = machine();
    let before = machine.everything();
    machine.run(&["check"]);
    machine.run(&["plan"]);
    machine.run(&["explain", "FIL-001"]);
    assert_eq!(machine.everything(), before);
}

#[test]
fn unreadable_is_unknown_and_unknown_deviates() {
    let machine = machine();
    // A folder where a file should be cannot be read by anybody, root included.
    std::fs::remove_file(machine.path("var/lib/dpkg/status")).unwrap();
    std::fs::create_dir(machine.path("var/lib/dpkg/status")).unwrap();
    let outcome = machine.run(&["check"]);
    assert_eq!(outcome.code, 1);
    assert!(
        outcome.stdout.contains("unknown         high      PKG-001"),
        "{}",
        outcome.stdout
    );
}

#[test]
fn image_without_policy_is_bad_input() {
    let outcome = Machine::empty().run(&["check"]);
    assert_eq!(outcome.code, 2);
    insta::assert_snapshot!(outcome.stderr, @r"
    error: failed to read the policy
      cause: failed to find `ROOT/etc/dsvm-agent/policy.toml`
      cause: No such file or directory (os error 2)
      hint: name a policy with `--policy FILE`, or write /etc/dsvm-agent/policy.toml
    ");
}

#[test]
fn missing_root_is_unable() {
    let machine = machine();
    let outcome = machine.run_plain(&[
        "check",
        "--policy",
        "ROOT/etc/dsvm-agent/policy.toml",
        "--root",
        "ROOT/nowhere",
    ]);
    assert_ne!(outcome.code, 0);
    assert!(outcome.stdout.is_empty());
    assert!(outcome.stderr.starts_with("error: "), "{}", outcome.stderr);
}

#[test]
fn wrong_command_line_exits_with_2() {
    for arguments in [
        &["frobnicate"][..],
        &["check", "--format", "xml"],
        &["explain", "nonsense"],
    ] {
        assert_eq!(machine().run(arguments).code, 2, "{arguments:?}");
    }
}

#[test]
fn waived_deviation_is_shown_and_conforms_until_it_expires() {
    let machine = machine();
    let waiver = |until: &str| {
        format!(
            "schema = 1\n[[waiver]]\ncontrol = \"FIL-001\"\nreason = \"workshop\"\napprover = \"security-office\"\nticket = \"SEC-1\"\nexpires = {until}\n"
        )
    };
    machine.put("etc/dsvm-agent/policy.d/waiver.toml", waiver("2999-01-31"));
    let held = machine.run(&["check"]);
    assert_eq!(held.code, 0, "{}", held.stdout);
    assert!(
        held.stdout
            .contains("until 2999-01-31 by security-office, SEC-1: workshop"),
        "{}",
        held.stdout
    );

    machine.put("etc/dsvm-agent/policy.d/waiver.toml", waiver("2020-01-31"));
    let expired = machine.run(&["check"]);
    assert_eq!(expired.code, 1);
    assert!(
        expired.stdout.contains("expired on 2020-01-31"),
        "{}",
        expired.stdout
    );
}

#[test]
fn explanation_says_everything_about_a_control() {
    let outcome = machine().run(&["explain", "FIL-001"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    insta::assert_snapshot!(outcome.stdout, @r"
    FIL-001  Only root reads the passwords

    Because.

      severity   high
      binds      enforced: by the kernel or a daemon that the researcher does not own
      from       the image on
      checks     file-mode: owner and mode of /etc/shadow
      remedy     restrict /etc/shadow to any:any 0640

    fail            high      FIL-001  Only root reads the passwords
                                       expected   /etc/shadow any:any at most 0640
                                       found      root:root 0644
                                       effective  root:root 0644 (/etc/shadow)
    ");
    let unknown = machine().run(&["explain", "FIL-999"]);
    assert_eq!(unknown.code, 2);
    assert!(
        unknown
            .stderr
            .contains("hint: `dsvm-agent policy show` lists them")
    );
}

/// The digest of a policy changes whenever policies learn something; the rest of the table does not.
fn hide_digest(text: &str) -> String {
    let (before, after) = text.split_once("policy lab ").unwrap();
    let (_digest, after) = after.split_once(' ').unwrap();
    format!("{before}policy lab DIGEST {after}")
}
