//! The import flow between two folders.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::desk::{Desk, flip};

fn staged(desk: &Desk) -> Value {
    let said = desk.run(&["stage", "desk.toml", "--format", "json"]);
    assert_eq!(said.code, 0, "{said}");
    serde_json::from_str(&said.out).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Everything in the secure folder with its content.
fn content(desk: &Desk) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    desk.all_secured()
        .into_iter()
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

#[test]
fn a_binary_with_spaces_in_its_name_comes_in_once_and_read_only() {
    let desk = Desk::new();
    let first = staged(&desk);
    assert_eq!(first[0]["name"], "tool");
    assert_eq!(first[0]["source"], "tool 1.bin");
    assert_eq!(first[0]["new"], true);
    assert_eq!(first[0]["scan"]["result"], "not-scanned");

    let file = desk.secured("");
    assert_eq!(fs::read_to_string(&file).unwrap(), "a tool");
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o444, 0o555));
    assert_eq!(mode(&desk.secured("receipt.json")), 0o444);
    assert_eq!(mode(&desk.path("signing.pem")), 0o600);
    assert_eq!(
        fs::read_dir(desk.path("landing")).unwrap().count(),
        0,
        "the original is still there"
    );
    assert!(
        desk.path("in coming/tool 1.bin").exists(),
        "the owner's file is gone"
    );

    let before = content(&desk);
    assert_eq!(staged(&desk)[0]["new"], false);
    assert_eq!(content(&desk), before);
}

#[test]
fn another_version_of_a_binary_lies_beside_the_first() {
    let desk = Desk::new();
    staged(&desk);
    desk.write("in coming/tool 1.bin", "a better tool");
    assert_eq!(staged(&desk)[0]["new"], true);
    assert_eq!(desk.all_secured().len(), 4);
}

#[test]
fn a_receipt_is_an_in_toto_statement_about_the_binary() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let desk = Desk::new();
    let rows = staged(&desk);
    let envelope: Value =
        serde_json::from_slice(&fs::read(desk.secured("receipt.json")).unwrap()).unwrap();
    assert_eq!(envelope["payloadType"], "application/vnd.in-toto+json");
    let payload = STANDARD
        .decode(envelope["payload"].as_str().unwrap())
        .unwrap();
    let statement: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(
        statement["subject"][0]["digest"]["sha256"],
        rows[0]["sha256"]
    );
    assert_eq!(statement["predicate"]["size"], 6);
}

#[test]
fn one_flipped_bit_in_a_staged_binary_or_its_receipt_is_found() {
    let desk = Desk::new();
    staged(&desk);
    for end in ["", "receipt.json"] {
        let path = desk.secured(end);
        flip(&path);
        desk.run(&["stage", "desk.toml"])
            .is(1, &["binary `tool` cannot be used", "expected", "found"]);
        desk.run(&["build", "desk.toml"])
            .is(1, &["binary `tool` cannot be used"]);
        flip(&path);
    }
    assert_eq!(desk.run(&["stage", "desk.toml"]).code, 0);
}

#[test]
fn a_receipt_by_another_key_is_refused() {
    let desk = Desk::new();
    staged(&desk);
    fs::remove_file(desk.path("signing.pem")).unwrap();
    desk.run(&["stage", "desk.toml"])
        .is(1, &["made the signing key", "signature", "one by key"]);
}

#[test]
fn a_binary_that_is_not_what_the_recipe_says_is_refused() {
    let desk = Desk::new();
    let digest = "0".repeat(64);
    desk.edit("install =", &format!("sha256 = \"{digest}\"\ninstall ="));
    desk.run(&["stage", "desk.toml"])
        .is(1, &["tool 1.bin", &format!("expected {digest}"), "found "]);
    assert_eq!(desk.all_secured(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_landing_file_that_changes_while_it_is_read_is_refused() {
    let desk = Desk::new();
    desk.write("landing/tool 1.bin", vec![7; 48 << 20]);
    fs::remove_file(desk.path("in coming/tool 1.bin")).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = OpenOptions::new()
                .append(true)
                .open(desk.path("landing/tool 1.bin"))
                .unwrap();
            while !stop.load(Ordering::Relaxed) {
                file.write_all(b"more").unwrap();
                thread::sleep(Duration::from_millis(1));
            }
        });
        let said = desk.run(&["stage", "desk.toml"]);
        stop.store(true, Ordering::Relaxed);
        said.is(
            1,
            &[
                "changed while it was read",
                "hint: wait until the upload is complete",
            ],
        );
    });
    assert!(desk.path("landing/tool 1.bin").exists());
    assert_eq!(desk.all_secured(), Vec::<std::path::PathBuf>::new());
    assert_eq!(
        desk.run(&["stage", "desk.toml"]).code,
        0,
        "once it is complete it comes in"
    );
}

#[test]
fn another_file_in_the_landing_folder_is_not_overwritten() {
    let desk = Desk::new();
    desk.write("landing/tool 1.bin", "somebody else's");
    desk.run(&["stage", "desk.toml"])
        .is(1, &["expected", "found"]);
    assert_eq!(
        fs::read_to_string(desk.path("landing/tool 1.bin")).unwrap(),
        "somebody else's"
    );
}

#[test]
fn a_link_in_the_landing_folder_is_not_followed() {
    let desk = Desk::new();
    fs::create_dir(desk.path("landing")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", desk.path("landing/tool 1.bin")).unwrap();
    desk.run(&["stage", "desk.toml"])
        .is(2, &["is not a plain file"]);
}

/// A run that was killed at any moment is taken up where it stopped, with the same result.
#[test]
fn a_killed_run_is_taken_up() {
    let desk = Desk::new();
    desk.write("in coming/tool 1.bin", vec![3; 24 << 20]);
    desk.run(&["plan", "desk.toml"]);
    for millis in [1, 5, 10, 20, 40, 80, 120, 160, 240, 320] {
        let mut run = desk
            .command(env!("CARGO_BIN_EXE_imagebuild"), &["stage", "desk.toml"])
            .stderr(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(millis));
        run.kill().unwrap();
        run.wait().unwrap();
    }
    staged(&desk);
    let file = desk.secured("");
    assert_eq!(fs::metadata(&file).unwrap().len(), 24 << 20);
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o444, 0o555));
    assert!(!desk.path("landing/tool 1.bin").exists());
    assert_eq!(staged(&desk)[0]["new"], false);
}

/// What a run that was killed between two steps leaves.
#[test]
fn half_done_imports_are_finished() {
    let desk = Desk::new();
    staged(&desk);
    let receipt = desk.secured("receipt.json");

    desk.write("landing/tool 1.bin", "a tool");
    assert_eq!(staged(&desk)[0]["new"], false);
    assert!(
        !desk.path("landing/tool 1.bin").exists(),
        "the original is deleted at last"
    );

    fs::remove_file(&receipt).unwrap();
    assert_eq!(staged(&desk)[0]["new"], true);
    assert!(receipt.exists());
}

/// The folders lie on a disk of 64 KiB, in a mount namespace of the test's own.
#[test]
fn a_full_disk_leaves_nothing_half_done() {
    for folder in ["landing", "secure"] {
        let desk = Desk::new();
        desk.write("in coming/tool 1.bin", vec![5; 1 << 20]);
        fs::create_dir(desk.path(folder)).unwrap();
        let small = format!(
            "mount -t tmpfs -o size=64k none {folder} && \"$0\" stage desk.toml; code=$?; ls -A {folder}; exit $code"
        );
        let imagebuild = env!("CARGO_BIN_EXE_imagebuild");
        let words = ["--mount", "--map-root-user", "sh", "-c", &small, imagebuild];
        let said = crate::desk::said(&mut desk.command("unshare", &words));
        if said.err.contains("unshare") || said.err.contains("mount:") {
            eprintln!("SKIPPED: no mount namespaces here: {}", said.err);
            return;
        }
        said.is(3, &["No space left on device", "hint: free some space"]);
        assert_eq!(said.out, "", "left in {folder}");
        staged(&desk);
    }
}

#[test]
fn without_a_scanner_a_required_scan_is_an_error() {
    let desk = Desk::new();
    desk.edit("scan = \"off\"", "scan = \"required\"");
    if Path::new("/usr/bin/clamscan").exists() {
        eprintln!("SKIPPED: ClamAV is installed");
        return;
    }
    desk.run(&["stage", "desk.toml"])
        .is(3, &["failed to scan `tool`", "install package `clamav`"]);
    assert_eq!(desk.all_secured(), Vec::<std::path::PathBuf>::new());
}

/// A real scanner, with a signature of our own so that no download is needed.
#[test]
fn a_binary_that_the_scanner_refuses_is_kept_apart() {
    if !Path::new("/usr/bin/clamscan").exists() {
        eprintln!("SKIPPED: ClamAV is not installed");
        return;
    }
    let desk = Desk::new();
    desk.edit(
        "scan = \"off\"",
        "scan = \"required\"\nscan-database = \"signatures.ndb\"",
    );
    // Any file with these bytes, at any place: ClamAV's documentation, "Body-based signatures".
    let bad = "much too dangerous a tool";
    desk.write(
        "signatures.ndb",
        format!("Test.Refused:0:*:{}\n", hex::encode(bad)),
    );
    assert_eq!(staged(&desk)[0]["scan"]["result"], "clean");

    desk.write("in coming/tool 1.bin", format!("begin {bad} end"));
    let before = content(&desk);
    desk.run(&["stage", "desk.toml"]).is(
        1,
        &[
            "binary `tool` was refused: Test.Refused",
            "landing/quarantine",
        ],
    );
    assert_eq!(content(&desk), before);
    let kept: Vec<_> = fs::read_dir(desk.path("landing/quarantine"))
        .unwrap()
        .collect();
    assert_eq!(kept.len(), 1);
    assert!(!desk.path("landing/tool 1.bin").exists());
}
