//! `import`, and attacks on it.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use policies::digest::Digest;
use serde_json::{Value, json};

use crate::machine::{Machine, Outcome};

const TOOL: &[u8] = b"#!/bin/sh\necho plink\n";

/// The manifest's entry for a file.
fn entry(source: &str, contents: &[u8], install: &Value) -> Value {
    json!({
        "name": source,
        "source": source,
        "size": contents.len(),
        "sha256": Digest::of(contents),
        "receipt": Digest::of(b"receipt"),
        "install": install,
    })
}

fn file(path: &str) -> Value {
    json!({ "file": { "path": path, "mode": "0755" } })
}

fn stage(machine: &Machine, entries: &[Value]) {
    let manifest = json!({ "schema": 1, "binaries": entries });
    machine.put("staged/manifest.json", manifest.to_string());
}

/// A machine with one staged file, and its manifest.
fn machine() -> Machine {
    let machine = Machine::empty();
    machine.put("staged/plink", TOOL);
    stage(
        &machine,
        &[entry("plink", TOOL, &file("/usr/local/bin/plink"))],
    );
    machine
}

fn import(machine: &Machine) -> Outcome {
    machine.run(&["import", "ROOT/staged/manifest.json"])
}

/// Nothing was installed, and no private copy was left.
fn assert_untouched(machine: &Machine) {
    assert!(!machine.path("usr").exists(), "something was installed");
    let left = fs::read_dir(machine.path("var/lib/dsvm-agent"))
        .into_iter()
        .flatten()
        .count();
    assert_eq!(left, 0, "something was left behind");
}

#[test]
fn verified_file_is_installed_with_its_mode_and_recorded() {
    let machine = machine();
    let outcome = import(&machine);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let digest = Digest::of(TOOL);
    assert_eq!(
        outcome.stdout,
        format!(
            "installed  plink  /usr/local/bin/plink 0755  sha256 {}\n",
            digest.short()
        )
    );
    assert_eq!(fs::read(machine.path("usr/local/bin/plink")).unwrap(), TOOL);
    let mode = fs::metadata(machine.path("usr/local/bin/plink"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o755);
    let record: Value =
        serde_json::from_str(&machine.text("var/lib/dsvm-agent/imports.json")).unwrap();
    assert_eq!(
        record["binaries"][0]["receipt"],
        json!(Digest::of(b"receipt"))
    );
}

#[test]
fn importing_a_second_time_changes_nothing() {
    let machine = machine();
    import(&machine);
    let before = machine.everything();
    let again = import(&machine);
    assert_eq!(again.code, 0);
    assert!(
        again.stdout.starts_with("unchanged  plink"),
        "{}",
        again.stdout
    );
    assert_eq!(machine.everything(), before);
}

#[test]
fn installed_file_that_was_changed_is_put_right() {
    let machine = machine();
    import(&machine);
    machine.put("usr/local/bin/plink", "#!/bin/sh\nevil\n");
    assert!(import(&machine).stdout.starts_with("installed"));
    assert_eq!(fs::read(machine.path("usr/local/bin/plink")).unwrap(), TOOL);
}

/// SECURITY.md: one flipped bit in a staged binary is refused, with what was expected and what was found.
#[test]
fn flipped_bit_is_refused_and_nothing_is_installed() {
    let machine = machine();
    let mut flipped = TOOL.to_vec();
    flipped[3] ^= 1;
    machine.put("staged/plink", &flipped);
    let outcome = import(&machine);
    assert_eq!(outcome.code, 1);
    assert_eq!(
        outcome.stderr,
        format!(
            "error: binary `plink` is not the one that was staged\n  cause: sha256: expected {}, found {}\n  hint: stage it again, and import again\n",
            Digest::of(TOOL),
            Digest::of(&flipped)
        )
    );
    assert_untouched(&machine);
}

#[test]
fn one_bad_binary_keeps_all_from_being_installed() {
    let machine = Machine::empty();
    machine.put("staged/good", TOOL);
    machine.put("staged/bad", "not what was staged");
    stage(
        &machine,
        &[
            entry("good", TOOL, &file("/usr/bin/good")),
            entry("bad", TOOL, &file("/usr/bin/bad")),
        ],
    );
    assert_eq!(import(&machine).code, 1);
    assert_untouched(&machine);
}

#[test]
fn wrong_size_is_refused_before_the_end_is_reached() {
    for (contents, found) in [(&TOOL[1..], "20"), (&[TOOL, b"x"].concat(), "more")] {
        let machine = machine();
        machine.put("staged/plink", contents);
        let outcome = import(&machine);
        assert_eq!(outcome.code, 1);
        assert!(
            outcome
                .stderr
                .contains(&format!("size: expected 21, found {found}")),
            "{}",
            outcome.stderr
        );
        assert_untouched(&machine);
    }
}

#[test]
fn names_that_climb_are_bad_input() {
    for source in [
        "../plink",
        "/etc/passwd",
        "a/b",
        "..",
        ".",
        "",
        "-rf",
        ".hidden",
        "a\nb",
    ] {
        let machine = machine();
        stage(&machine, &[entry(source, TOOL, &file("/usr/bin/x"))]);
        let outcome = import(&machine);
        assert_eq!(outcome.code, 2, "{source:?}: {}", outcome.stderr);
        assert!(
            outcome.stderr.contains("manifest.json` is not valid"),
            "{}",
            outcome.stderr
        );
        assert_untouched(&machine);
    }
}

#[test]
fn destinations_that_climb_are_bad_input() {
    for path in [
        "usr/bin/x",
        "/usr/../etc/x",
        "/usr//x",
        "/usr/bin/",
        "",
        "/a\nb",
    ] {
        let machine = machine();
        stage(&machine, &[entry("plink", TOOL, &file(path))]);
        assert_eq!(import(&machine).code, 2, "{path:?}");
        assert_untouched(&machine);
    }
}

#[test]
fn staged_links_pipes_and_folders_are_refused() {
    let replace: [fn(&std::path::Path); 3] = [
        |path| symlink("/etc/passwd", path).unwrap(),
        |path| nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap(),
        |path| fs::create_dir(path).unwrap(),
    ];
    for replace in replace {
        let machine = machine();
        fs::remove_file(machine.path("staged/plink")).unwrap();
        replace(&machine.path("staged/plink"));
        let outcome = import(&machine);
        assert_eq!(outcome.code, 2);
        assert!(
            outcome.stderr.contains("is not a regular file"),
            "{}",
            outcome.stderr
        );
        assert_untouched(&machine);
    }
}

#[test]
fn missing_binary_is_named() {
    let machine = machine();
    fs::remove_file(machine.path("staged/plink")).unwrap();
    let outcome = import(&machine);
    assert_eq!(outcome.code, 3);
    assert!(
        outcome
            .stderr
            .starts_with("error: failed to open `ROOT/staged/plink`"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn manifest_is_a_short_regular_file_of_a_known_format() {
    let good = |extra: &str| format!("{{\"schema\":1,\"binaries\":[]{extra}}}");
    for text in [
        good(",\"script\":\"rm -rf /\""),
        good("").replace(":1", ":2"),
        good("").replace("\"schema\":1,", ""),
        "[]".to_owned(),
        format!("{}{}", good(""), " ".repeat(2 << 20)),
    ] {
        let machine = machine();
        machine.put("staged/manifest.json", &text);
        let outcome = import(&machine);
        assert_eq!(outcome.code, 2, "{text:.60}: {}", outcome.stderr);
    }
    let machine = machine();
    fs::rename(
        machine.path("staged/manifest.json"),
        machine.path("staged/real.json"),
    )
    .unwrap();
    symlink("real.json", machine.path("staged/manifest.json")).unwrap();
    assert_eq!(import(&machine).code, 2);
}

#[test]
fn unknown_way_of_installing_is_bad_input() {
    for install in [
        json!({ "script": {} }),
        json!({ "deb": { "x": 1 } }),
        json!({}),
        json!("deb"),
    ] {
        let machine = machine();
        stage(&machine, &[entry("plink", TOOL, &install)]);
        assert_eq!(import(&machine).code, 2);
    }
}

#[test]
fn two_binaries_for_one_place_are_bad_input() {
    let machine = machine();
    machine.put("staged/other", TOOL);
    stage(
        &machine,
        &[
            entry("plink", TOOL, &file("/usr/bin/x")),
            entry("other", TOOL, &file("/usr/bin/x")),
        ],
    );
    let outcome = import(&machine);
    assert_eq!(outcome.code, 2);
    assert!(
        outcome.stderr.contains("names path `/usr/bin/x` twice"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn link_in_the_image_does_not_lead_an_installation_out_of_it() {
    let machine = machine();
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir_all(machine.path("usr/local")).unwrap();
    symlink(outside.path(), machine.path("usr/local/bin")).unwrap();
    let outcome = import(&machine);
    assert_eq!(outcome.code, 3);
    assert!(
        outcome.stderr.contains("leads out of the root folder"),
        "{}",
        outcome.stderr
    );
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn link_in_place_of_the_installed_file_is_replaced_not_followed() {
    let machine = machine();
    machine.put("etc/shadow", "secret");
    fs::create_dir_all(machine.path("usr/local/bin")).unwrap();
    symlink(
        machine.path("etc/shadow"),
        machine.path("usr/local/bin/plink"),
    )
    .unwrap();
    assert_eq!(import(&machine).code, 0);
    assert_eq!(machine.text("etc/shadow"), "secret");
    assert!(
        fs::symlink_metadata(machine.path("usr/local/bin/plink"))
            .unwrap()
            .is_file()
    );
}

#[test]
fn what_an_interrupted_import_left_is_swept_away() {
    let machine = machine();
    machine.put("var/lib/dsvm-agent/import-old/0/plink", "half");
    assert_eq!(import(&machine).code, 0);
    assert!(!machine.path("var/lib/dsvm-agent/import-old").exists());
}

#[test]
fn wheel_needs_a_running_machine() {
    let machine = machine();
    let wheel = "six-1.16.0-py3-none-any.whl";
    machine.put(&format!("staged/{wheel}"), TOOL);
    stage(
        &machine,
        &[entry(
            wheel,
            TOOL,
            &json!({ "wheel": { "python": "/opt/venv" } }),
        )],
    );
    let outcome = import(&machine);
    assert_eq!(outcome.code, 3);
    assert!(
        outcome.stderr.contains("the Python of the running machine"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn file_that_is_no_package_cannot_be_installed_as_one() {
    let machine = machine();
    stage(&machine, &[entry("plink", TOOL, &json!({ "deb": {} }))]);
    let outcome = import(&machine);
    assert_eq!(outcome.code, 3);
    assert!(
        outcome
            .stderr
            .starts_with("error: failed to install `plink`"),
        "{}",
        outcome.stderr
    );
}

/// Two packages that need each other are installed with one call, and a second import finds them there.
#[test]
fn packages_are_installed_together_and_once() {
    // dpkg changes owners, so it wants to be root; elsewhere the end-to-end test covers it.
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let machine = Machine::empty();
    for folder in ["var/lib/dpkg/info", "var/lib/dpkg/updates"] {
        fs::create_dir_all(machine.path(folder)).unwrap();
    }
    machine.put("var/lib/dpkg/status", "");
    let entries: Vec<_> = [("aa", "bb"), ("bb", "aa")]
        .map(|(name, needs)| package(&machine, name, needs))
        .into();
    stage(&machine, &entries);

    let outcome = import(&machine);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(machine.path("usr/share/aa").exists() && machine.path("usr/share/bb").exists());
    let again = import(&machine);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert_eq!(
        again.stdout.matches("unchanged").count(),
        2,
        "{}",
        again.stdout
    );
}

/// Builds a package that needs another one, stages it, and gives its entry.
fn package(machine: &Machine, name: &str, needs: &str) -> Value {
    machine.put(&format!("build/{name}/usr/share/{name}"), name);
    machine.put(
        &format!("build/{name}/DEBIAN/control"),
        format!("Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: x\nDepends: {needs}\nDescription: x\n"),
    );
    let deb = machine.path(&format!("staged/{name}.deb"));
    fs::create_dir_all(machine.path("staged")).unwrap();
    let built = Command::new("dpkg-deb")
        .args(["--root-owner-group", "--build"])
        .args([machine.path(&format!("build/{name}")), deb.clone()])
        .output()
        .unwrap();
    assert!(built.status.success(), "{built:?}");
    entry(
        &format!("{name}.deb"),
        &fs::read(deb).unwrap(),
        &json!({ "deb": {} }),
    )
}
