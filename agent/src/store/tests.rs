#![expect(
    clippy::disallowed_methods,
    reason = "tests set folders up as they like"
)]

use super::*;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use policies::control::Phase;
use policies::report::{Agent, Machine, PolicyIdentity, Summary};

fn report() -> Report {
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    Report {
        schema: 1,
        sequence: 0,
        previous: None,
        challenge: None,
        agent: Agent {
            version: "0".to_owned(),
            digest: Digest::of(b"agent"),
        },
        policy: PolicyIdentity {
            name: "p".to_owned(),
            digest: Digest::of(b"policy"),
        },
        machine: Machine {
            hostname: String::new(),
            machine_id: String::new(),
            boot_id: None,
            os: String::new(),
            kernel: None,
            root: "/".to_owned(),
        },
        phase: Phase::Vm,
        started: now,
        finished: now,
        conforms: false,
        summary: Summary::default(),
        findings: Vec::new(),
        steps: Vec::new(),
        facts: std::collections::BTreeMap::new(),
    }
}

fn add(root: &Path, keep: usize, times: usize) -> Report {
    let mut store = Store::open(root, keep).unwrap();
    let mut report = report();
    for _ in 0..times {
        store.add(&mut report).unwrap();
    }
    report
}

fn on_disk(root: &Path, sequence: u64) -> Vec<u8> {
    fs::read(root.join(format!("var/lib/dsvm-agent/reports/{sequence}.json"))).unwrap()
}

#[test]
fn each_report_names_the_digest_of_the_one_before_also_after_a_restart() {
    let root = tempfile::tempdir().unwrap();
    assert_eq!(add(root.path(), 10, 1).previous, None);
    add(root.path(), 10, 2);
    for sequence in 2..=3 {
        let report = parse(&on_disk(root.path(), sequence)).unwrap();
        assert_eq!(report.sequence, sequence);
        assert_eq!(
            report.previous,
            Some(Digest::of(&on_disk(root.path(), sequence - 1)))
        );
    }
    let latest = fs::read(root.path().join("var/lib/dsvm-agent/report.json")).unwrap();
    assert_eq!(latest, on_disk(root.path(), 3));
}

#[test]
fn only_the_last_reports_are_kept() {
    let root = tempfile::tempdir().unwrap();
    add(root.path(), 3, 5);
    let folder = root.path().join("var/lib/dsvm-agent/reports");
    assert_eq!(sequences(&folder).unwrap(), BTreeSet::from([3, 4, 5]));
}

#[test]
fn torn_report_is_passed_over_and_its_number_not_used_again() {
    let root = tempfile::tempdir().unwrap();
    add(root.path(), 10, 3);
    let torn = root.path().join("var/lib/dsvm-agent/reports/3.json");
    fs::write(&torn, b"{\"schema\":1,\"seq").unwrap();

    assert_eq!(latest(root.path()).unwrap().unwrap().report.sequence, 2);
    let next = add(root.path(), 10, 1);
    assert_eq!(next.sequence, 4);
    assert_eq!(next.previous, Some(Digest::of(b"{\"schema\":1,\"seq")));
}

#[test]
fn numbers_go_on_when_the_folder_was_emptied() {
    let root = tempfile::tempdir().unwrap();
    add(root.path(), 10, 3);
    fs::remove_dir_all(root.path().join("var/lib/dsvm-agent/reports")).unwrap();
    assert_eq!(add(root.path(), 10, 1).sequence, 4);
}

#[test]
fn odd_names_are_nobodys_report() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("var/lib/dsvm-agent/reports");
    fs::create_dir_all(&folder).unwrap();
    for name in [
        "007.json",
        "+8.json",
        "18446744073709551615.json",
        "-1.json",
        ".partial-x",
    ] {
        fs::write(folder.join(name), b"").unwrap();
    }
    assert_eq!(add(root.path(), 10, 1).sequence, 1);
    assert!(!folder.join(".partial-x").exists());
}

#[test]
fn second_writer_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let _first = Store::open(root.path(), 2).unwrap();
    assert!(matches!(
        Store::open(root.path(), 2),
        Err(OpenError::Busy { .. })
    ));
}

#[test]
fn report_that_cannot_be_written_leaves_the_chain_as_it_was() {
    let root = tempfile::tempdir().unwrap();
    let mut store = Store::open(root.path(), 10).unwrap();
    store.add(&mut report()).unwrap();
    let folder = root.path().join("var/lib/dsvm-agent/reports");
    // Root may write anywhere, so the folder goes instead of its permissions.
    fs::rename(&folder, folder.with_file_name("away")).unwrap();
    assert!(store.add(&mut report()).is_err());
    fs::rename(folder.with_file_name("away"), &folder).unwrap();

    let mut next = report();
    store.add(&mut next).unwrap();
    assert_eq!(next.sequence, 2);
    assert_eq!(next.previous, Some(Digest::of(&on_disk(root.path(), 1))));
}

#[test]
fn reports_are_for_root_and_its_group() {
    let root = tempfile::tempdir().unwrap();
    add(root.path(), 10, 1);
    let path = root.path().join("var/lib/dsvm-agent/report.json");
    assert_eq!(
        fs::metadata(path).unwrap().permissions(),
        Permissions::from_mode(0o100_640)
    );
}
