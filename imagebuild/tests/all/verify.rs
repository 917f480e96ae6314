//! Output folders, verified offline.

use std::{fs, path::Path};

use imagebuild::{
    build::{Place, StepResult, is_done},
    custody::{self, Custody},
    import::Flow,
    recipe::Located,
    sign::Key,
};
use policies::{digest::Digest, report::Report};
use serde_json::json;

use crate::{
    desk::{Desk, flip},
    lock::lock,
};

/// Puts a signed output folder onto the desk, with a disk of one empty MiB.
fn output(desk: &Desk, change: impl FnOnce(&mut serde_json::Value)) -> Key {
    let folder = desk.path("out/desk-1.0.0");
    fs::create_dir_all(&folder).unwrap();
    assert_eq!(desk.run(&["stage", "desk.toml"]).code, 0);
    let lock = lock(desk);
    let key = Key::load(&desk.path("signing.pem")).unwrap();
    lock.save(&folder.join(custody::LOCK)).unwrap();
    fs::write(folder.join(custody::VHD), vhd()).unwrap();
    let mut report = report(&lock.policy.digest, &lock.agent.binary);
    change(&mut report);
    fs::write(folder.join(custody::REPORT), report.to_string()).unwrap();
    for name in [custody::PAGE, custody::SBOM, custody::LOG] {
        fs::write(folder.join(name), format!("this is {name}")).unwrap();
    }
    let located = Located::load(&desk.path("desk.toml")).unwrap();
    let flow = Flow::new(&located, &key);
    let staged = flow
        .find(&located.recipe.binaries[0], &lock.binaries[0].sha256)
        .unwrap()
        .unwrap();
    let vhd = StepResult::at(&folder.join(custody::VHD)).unwrap();
    let report: Report = serde_json::from_value(report).unwrap();
    Custody::collect(&folder, &lock, &[staged], &vhd, &report)
        .unwrap()
        .sign(&folder, &vhd.sha256, &key)
        .unwrap();
    key
}

fn vhd() -> Vec<u8> {
    let mut footer = vec![0; 512];
    footer[..8].copy_from_slice(b"conectix");
    footer[48..56].copy_from_slice(&(1_u64 << 20).to_be_bytes());
    footer[63] = 2;
    let sum: u32 = footer.iter().map(|byte| u32::from(*byte)).sum();
    footer[64..68].copy_from_slice(&(!sum).to_be_bytes());
    [vec![0; 1 << 20], footer].concat()
}

fn report(policy: &Digest, agent: &Digest) -> serde_json::Value {
    let now = "2026-11-23T08:00:00Z";
    json!({
        "schema": 1, "sequence": 1, "previous": null, "challenge": "asked",
        "agent": {"version": "0.1.0", "digest": agent},
        "policy": {"name": "desk", "digest": policy},
        "machine": {"hostname": "vm", "machine-id": "", "boot-id": "b", "os": "Debian", "kernel": "6",
                    "root": "/"},
        "phase": "image", "started": now, "finished": now, "conforms": true,
        "summary": {"pass": 1, "fail": 0, "unknown": 0, "waived": 0, "not-applicable": 0, "later": 0},
        "findings": [{
            "control": "KRN-004", "title": "Kernel pointers are hidden", "severity": "medium",
            "phase": "image", "grade": "enforced", "verdict": "pass", "expected": "at least 2",
            "found": "2", "evidence": [], "references": [], "waiver": null, "judged": now,
        }],
        "steps": [], "facts": {},
    })
}

#[test]
fn an_untouched_output_is_verified_and_needs_no_build() {
    let desk = Desk::new();
    let key = output(&desk, |_| {});
    desk.run(&["verify", "out/desk-1.0.0"])
        .is(0, &["verified: out/desk-1.0.0", "receipt of tool"]);
    let located = Located::load(&desk.path("desk.toml")).unwrap();
    let place = Place::new(&desk.path("out"), &located);
    let lock = imagebuild::lock::Lock::load(&located.lock())
        .unwrap()
        .digest()
        .unwrap();
    assert!(is_done(&place, &lock, &key).unwrap());
    desk.run(&["build", "desk.toml"])
        .is(0, &["nothing to build: out/desk-1.0.0 is up to date"]);
    desk.run(&["plan", "desk.toml", "--detailed-exitcode"])
        .is(0, &["the image is up to date"]);
}

#[test]
fn one_flipped_bit_in_any_file_of_the_output_is_found_and_the_file_named() {
    let desk = Desk::new();
    output(&desk, |_| {});
    let names = fs::read_dir(desk.path("out/desk-1.0.0")).unwrap();
    let names: Vec<_> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.len(), 7);
    for name in names {
        let path = desk.path("out/desk-1.0.0").join(&name);
        flip(&path);
        let said = desk.run(&["verify", "out/desk-1.0.0", "--format", "json"]);
        assert_eq!(said.code, 1, "{name}: {said}");
        let findings: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        let wrong = findings
            .as_array()
            .unwrap()
            .iter()
            .find(|finding| finding["ok"] == false)
            .unwrap();
        assert!(
            wrong["what"].as_str().unwrap().contains(&name),
            "{name}: {wrong}"
        );
        assert!(
            wrong["expected"].is_string() && wrong["found"].is_string(),
            "{wrong}"
        );
        flip(&path);
    }
    assert_eq!(desk.run(&["verify", "out/desk-1.0.0"]).code, 0);
}

#[test]
fn a_missing_file_of_the_output_is_found() {
    let desk = Desk::new();
    output(&desk, |_| {});
    fs::remove_file(desk.path("out/desk-1.0.0/report.html")).unwrap();
    desk.run(&["verify", "out/desk-1.0.0"])
        .is(1, &["report.html", "No such file"]);
}

#[test]
fn an_image_by_another_key_is_refused() {
    let desk = Desk::new();
    output(&desk, |_| {});
    Key::create(&desk.path("other.pem")).unwrap();
    desk.run(&["verify", "out/desk-1.0.0", "--key", "other.pub"])
        .is(1, &["custody.json", "one by key"]);
    desk.run(&["verify", "out/desk-1.0.0", "--key", "signing.pub"])
        .is(0, &[]);
    desk.run(&["verify", "out/desk-1.0.0", "--key", "desk.toml"])
        .is(2, &["is not an ed25519 public key"]);
}

/// The signer is not believed where the evidence can be judged again.
#[test]
fn a_signed_report_that_does_not_conform_is_refused() {
    type Change = fn(&mut serde_json::Value);
    let changes: [(Change, &str); 5] = [
        (
            |report| report["findings"][0]["verdict"] = json!("fail"),
            "KRN-004",
        ),
        (
            |report| report["findings"] = json!([]),
            "verdict of the report",
        ),
        (
            |report| report["policy"]["digest"] = json!("0".repeat(64)),
            "policy of the report",
        ),
        (
            |report| report["agent"]["digest"] = json!("0".repeat(64)),
            "agent of the report",
        ),
        (
            |report| report["machine"]["boot-id"] = json!(null),
            "one that is running",
        ),
    ];
    for (change, named) in changes {
        let desk = Desk::new();
        output(&desk, change);
        desk.run(&["verify", "out/desk-1.0.0"])
            .is(1, &["report.json", named]);
    }
}

#[test]
fn the_lock_of_another_image_is_refused() {
    let desk = Desk::new();
    output(&desk, |_| {});
    desk.edit("1.0.0", "1.0.1");
    lock(&desk);
    fs::copy(
        desk.path("desk.lock"),
        desk.path("out/desk-1.0.0/image.lock"),
    )
    .unwrap();
    desk.run(&["verify", "out/desk-1.0.0"])
        .is(1, &["image.lock image and version  1.0.0", "1.0.1"]);
    assert!(Path::new(&desk.path("out/desk-1.0.0")).exists());
}
