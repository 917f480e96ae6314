//! Bad input gets a clear error.

use std::fs;

use crate::desk::Desk;

#[test]
fn an_unknown_key_is_told_with_file_line_and_hint() {
    let desk = Desk::new();
    desk.edit("disk-size", "disk-sise");
    desk.run(&["plan", "desk.toml"]).is(
        2,
        &[
            "error: recipe `desk.toml` is not valid",
            "cause: desk.toml:9: unknown field `disk-sise`",
            "hint: did you mean `disk-size`?",
        ],
    );
}

#[test]
fn a_wrong_type_is_told_with_file_and_line() {
    let desk = Desk::new();
    desk.edit("\"bookworm\"", "12");
    desk.run(&["stage", "desk.toml"])
        .is(2, &["desk.toml:8: invalid type: integer `12`"]);
}

#[test]
fn an_unknown_schema_is_the_first_error() {
    let desk = Desk::new();
    desk.edit("schema = 1", "new-key = 7\nschema = 2");
    desk.run(&["build", "desk.toml"])
        .is(2, &["desk.toml:2: unknown schema 2", "`schema = 1`"]);
}

#[test]
fn names_that_climb_or_break_lines_are_refused() {
    let desk = Desk::new();
    for (good, bad) in [
        ("name = \"desk\"", "name = \"../desk\""),
        ("name = \"desk\"", "name = \"de\\nsk\""),
        ("name = \"tool\"", "name = \"to ol\""),
        ("in coming/tool 1.bin", "../tool"),
        ("in coming/tool 1.bin", "in/to\\nol"),
        ("in coming/tool 1.bin", "in/--tool"),
        ("/usr/local/bin/tool", "/usr/../etc/passwd"),
    ] {
        desk.edit(good, bad);
        desk.run(&["stage", "desk.toml"])
            .is(2, &["cause: desk.toml:"]);
        desk.edit(bad, good);
    }
    assert!(!desk.path("secure").exists() && !desk.path("landing").exists());
}

#[test]
fn recipes_that_are_no_text_or_too_long_are_refused() {
    let desk = Desk::new();
    desk.write("desk.toml", [0xff, 0xfe, b'\n', 0x80]);
    desk.run(&["plan", "desk.toml"])
        .is(2, &["desk.toml:1: this is not UTF-8 text"]);
    desk.write("desk.toml", vec![b'#'; 10_000_001]);
    desk.run(&["plan", "desk.toml"])
        .is(2, &["`desk.toml` is larger than 10000000 bytes"]);
    desk.write("desk.toml", "[".repeat(9_999_999));
    desk.run(&["plan", "desk.toml"]).is(2, &["desk.toml:1: "]);
    fs::remove_file(desk.path("desk.toml")).unwrap();
    desk.run(&["plan", "desk.toml"])
        .is(2, &["`desk.toml`", "hint: `imagebuild init`"]);
    desk.run(&["plan", "."]).is(2, &["failed to read `.`"]);
}

#[test]
fn a_mistake_in_the_policy_is_told_with_its_line() {
    let desk = Desk::new();
    let policy = fs::read_to_string(desk.path("policy.toml")).unwrap();
    desk.write("policy.toml", policy.replace("severity", "sevrity"));
    desk.run(&["plan", "desk.toml"])
        .is(2, &["policy.toml", "line 7", "severity"]);
}

#[test]
fn a_missing_binary_is_told_with_its_place() {
    let desk = Desk::new();
    fs::remove_file(desk.path("in coming/tool 1.bin")).unwrap();
    for command in ["stage", "plan", "build"] {
        desk.run(&[command, "desk.toml"])
            .is(2, &["binary `tool`", "in coming/tool 1.bin", "hint: "]);
    }
}

#[test]
fn a_missing_agent_is_told_with_the_way_to_it() {
    let desk = Desk::new();
    fs::remove_file(desk.path("agent.deb")).unwrap();
    desk.run(&["plan", "desk.toml"]).is(3, &["agent.deb"]);
    desk.write("agent.deb", "no package");
    desk.run(&["plan", "desk.toml"])
        .is(3, &["failed to unpack the agent's package", "dpkg-deb"]);
}

/// SIGKILL is not what hides a tool here, but an empty file of another kind over it: programs are looked
/// for in fixed places, so that no caller's PATH can put another in their stead.
#[test]
fn a_missing_tool_is_told_with_its_package() {
    let desk = Desk::new();
    let hide = "mount --bind /dev/null /usr/bin/dpkg-deb && exec \"$0\" plan desk.toml";
    let imagebuild = env!("CARGO_BIN_EXE_imagebuild");
    let words = ["--mount", "--map-root-user", "sh", "-c", hide, imagebuild];
    let said = crate::desk::said(&mut desk.command("unshare", &words));
    if said.err.contains("unshare") || said.err.contains("mount:") {
        eprintln!("SKIPPED: no mount namespaces here: {}", said.err);
        return;
    }
    said.is(
        3,
        &[
            "`dpkg-deb` is not installed",
            "hint: install package `dpkg`",
        ],
    );
}

#[test]
fn a_wrong_command_line_is_bad_input() {
    let desk = Desk::new();
    desk.run(&["bild", "desk.toml"]).is(2, &["build"]);
    desk.run(&["verify", "nowhere"]).is(3, &["--key PUB"]);
}
