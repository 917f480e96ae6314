//! The smaller commands.

use std::fs;

use crate::desk::Desk;

#[test]
fn init_writes_what_works_and_keeps_what_is_there() {
    let desk = Desk::new();
    let baseline = concat!(env!("CARGO_MANIFEST_DIR"), "/../policies/baseline");
    fs::create_dir(desk.path("new")).unwrap();
    desk.run(&["init", "new"])
        .is(0, &["wrote new/recipe.toml", "made the signing key"]);
    desk.run(&["init", "new"]).is(0, &["kept new/recipe.toml"]);
    std::os::unix::fs::symlink(baseline, desk.path("new/policies/baseline")).unwrap();
    desk.run(&["plan", "new/recipe.toml"])
        .is(0, &["there is no lock"]);
}

#[test]
fn doctor_names_every_tool_with_its_package() {
    let desk = Desk::new();
    let said = desk.run(&["doctor", "desk.toml", "--format", "json"]);
    assert!([0, 3].contains(&said.code), "{said}");
    let findings: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let findings = findings.as_array().unwrap();
    for what in [
        "packer",
        "qemu-system-x86_64",
        "accelerator",
        "disk space",
        "malware scanner",
    ] {
        assert!(
            findings.iter().any(|finding| finding["what"] == what),
            "{what}"
        );
    }
    let missing = findings.iter().any(|finding| finding["state"] == "missing");
    assert_eq!(said.code, if missing { 3 } else { 0 }, "{said}");
}

#[test]
fn completions_and_manual_pages_are_written() {
    let desk = Desk::new();
    for shell in ["bash", "fish", "zsh"] {
        desk.run(&["completions", shell])
            .is(0, &["detailed-exitcode"]);
    }
    desk.run(&["man", "pages"]).is(0, &[]);
    let page = fs::read_to_string(desk.path("pages/imagebuild-build.1")).unwrap();
    assert!(page.contains("agent"), "{page}");
}

#[test]
fn colours_are_for_terminals_only() {
    let desk = Desk::new();
    let said = desk.run(&["plan", "desk.toml"]);
    assert!(
        !said.out.contains('\u{1b}') && !said.err.contains('\u{1b}'),
        "{said}"
    );
}

#[test]
fn files_that_are_no_images_are_told_as_that() {
    let desk = Desk::new();
    desk.write("a.vhd", vec![0; 4096]);
    desk.run(&["diff", "a.vhd", "a.vhd"])
        .is(2, &["`a.vhd` is not an image: it has no GPT"]);
    desk.run(&["diff", "a.vhd", "nothing"])
        .is(2, &["is not an image"]);
    desk.run(&["check", "nothing", "--policy", "policy.toml"])
        .is(2, &["failed to find the image"]);
}
