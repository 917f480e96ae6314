//! `report`.

use std::fs;
use std::os::unix::fs::FileTypeExt as _;

use crate::machine::{Machine, control, policy};

/// A machine with one kept report.
fn machine() -> Machine {
    let check = "check.package = { name = \"telnetd\", want = \"absent\" }";
    let machine = Machine::with_policy(&policy(&control("PKG-001", "There is no telnet", check)));
    let report = machine.run(&["check", "--format", "json"]).stdout;
    machine.put("var/lib/dsvm-agent/reports/1.json", report);
    machine
}

#[test]
fn without_a_report_there_is_nothing_to_print() {
    let outcome = Machine::empty().run(&["report"]);
    assert_eq!(outcome.code, 3);
    assert!(
        outcome
            .stderr
            .starts_with("error: no report is kept under `ROOT`"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn json_is_printed_as_it_is_kept_so_that_its_digest_holds() {
    let machine = machine();
    let outcome = machine.run(&["report", "--format", "json"]);
    assert_eq!(
        outcome.stdout,
        machine.text("var/lib/dsvm-agent/reports/1.json")
    );
}

#[test]
fn page_and_table_are_made_of_the_same_report() {
    let machine = machine();
    let page = machine.run(&["report", "--format", "html"]).stdout;
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("There is no telnet"));
    assert!(
        machine
            .run(&["report"])
            .stdout
            .contains("PKG-001  There is no telnet")
    );
}

#[test]
fn torn_report_gives_way_to_the_one_before() {
    let machine = machine();
    machine.put("var/lib/dsvm-agent/reports/2.json", "{\"schema\":1,");
    let outcome = machine.run(&["report", "--format", "json"]);
    assert_eq!(
        outcome.stdout,
        machine.text("var/lib/dsvm-agent/reports/1.json")
    );
}

#[test]
fn report_goes_into_a_file_as_a_whole() {
    let machine = machine();
    machine.put("out.json", "old");
    let outcome = machine.run(&["report", "--format", "json", "--output", "ROOT/out.json"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, ""));
    assert_eq!(
        machine.text("out.json"),
        machine.text("var/lib/dsvm-agent/reports/1.json")
    );
}

#[test]
fn report_goes_to_a_device_and_leaves_it_a_device() {
    let outcome = machine().run(&["report", "--format", "json", "--output", "/dev/null"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(
        fs::metadata("/dev/null")
            .unwrap()
            .file_type()
            .is_char_device()
    );
}

#[test]
fn missing_device_does_not_become_a_file() {
    let port = "/dev/org.sealed-dsvm.no-such-port";
    let outcome = machine().run(&["report", "--output", port]);
    assert_eq!(outcome.code, 3);
    assert!(
        outcome
            .stderr
            .starts_with(&format!("error: device `{port}` is not there")),
        "{}",
        outcome.stderr
    );
    assert!(!fs::exists(port).unwrap());
}

#[test]
fn pipe_is_no_place_for_a_report() {
    let machine = machine();
    nix::unistd::mkfifo(&machine.path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(machine.run(&["report", "--output", "ROOT/pipe"]).code, 2);
}

/// The gate asks the running machine; an old report must not answer for it.
#[test]
fn report_of_another_boot_is_refused_on_a_running_machine() {
    let machine = machine();
    let text = machine.text("var/lib/dsvm-agent/reports/1.json");
    let other = text.replace(
        "\"boot-id\":null",
        "\"boot-id\":\"0c3e7b6a-0000-4000-8000-000000000000\"",
    );
    assert_ne!(text, other);
    machine.put("var/lib/dsvm-agent/reports/1.json", other);
    // An image that does not run has no boot to compare with.
    assert_eq!(machine.run(&["report"]).code, 0);
}
