//! `policy check` and `policy show`.

use crate::machine::{Machine, control, policy};

const KERNEL: &str = "check.sysctl = { key = \"kernel.kptr_restrict\", at-least = 2 }";

#[test]
fn valid_policy_is_summed_up() {
    let machine = Machine::with_policy(&policy(&control("KRN-001", "t", KERNEL)));
    let outcome = machine.run(&["policy", "check", "ROOT/etc/dsvm-agent/policy.toml"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(
        outcome
            .stdout
            .starts_with("policy lab is valid: 1 controls, 0 waivers, digest "),
        "{}",
        outcome.stdout
    );
}

#[test]
fn mistake_is_told_with_its_place_and_what_was_meant() {
    let machine = Machine::with_policy(&policy(
        &control("KRN-001", "t", KERNEL).replace("severity", "sevrity"),
    ));
    let outcome = machine.run(&["policy", "check", "ROOT/etc/dsvm-agent/policy.toml"]);
    assert_eq!(outcome.code, 2);
    insta::assert_snapshot!(outcome.stderr, @r"
    error: policy `ROOT/etc/dsvm-agent/policy.toml` is not valid
      cause: line 6, column 1: unknown field `sevrity`, expected one of `id`, `title`, `severity`, `rationale`, `references`, `phase`, `grade`, `check`, `override`
      hint: did you mean `severity`?
    ");
}

#[test]
fn every_control_shows_where_it_comes_from() {
    let machine = Machine::with_policy(
        "schema = 1\nname = \"lab\"\nextends = [\"baseline/b\", \"local/l\"]\n[researchers]\ngroups = [\"researchers\"]\n[channels]\nclipboard-out = \"deny\"\nclipboard-in = \"deny\"\ndrives = \"deny\"\nssh = \"admins\"\n",
    );
    machine.put(
        "usr/share/dsvm-agent/baseline/b.toml",
        policy(&control("KRN-001", "Pointers", KERNEL)),
    );
    let other = KERNEL.replace("kptr", "dmesg");
    machine.put(
        "etc/dsvm-agent/local/l.toml",
        policy(&control("KRN-002", "Messages", &other)),
    );
    let third = KERNEL.replace("kptr_restrict", "randomize_va_space");
    let fragment = format!("schema = 1\n{}", control("KRN-003", "Addresses", &third));
    machine.put("etc/dsvm-agent/policy.d/10-lab.toml", fragment);

    let outcome = machine.run(&["policy", "show"]);

    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let source = |id: &str| {
        let line = outcome
            .stdout
            .lines()
            .find(|line| line.starts_with(id))
            .unwrap_or_default();
        line.split_whitespace()
            .last()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(source("KRN-001"), "b.toml", "{}", outcome.stdout);
    assert_eq!(source("KRN-002"), "l.toml");
    assert_eq!(source("KRN-003"), "10-lab.toml");
    assert_eq!(source("CHAN-"), "policy.toml");
}

#[test]
fn policy_of_ten_megabytes_is_refused_or_read_but_never_a_panic() {
    let machine = Machine::with_policy(&format!(
        "schema = 1\nname = \"{}\"\n",
        "a".repeat(10 << 20)
    ));
    let outcome = machine.run(&["check"]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.len() < 4096, "the error repeats the input");
}

#[test]
fn pipe_in_place_of_a_policy_makes_nobody_wait() {
    let machine = Machine::with_policy("");
    std::fs::remove_file(machine.path("etc/dsvm-agent/policy.toml")).unwrap();
    nix::unistd::mkfifo(
        &machine.path("etc/dsvm-agent/policy.toml"),
        nix::sys::stat::Mode::S_IRWXU,
    )
    .unwrap();
    let outcome = machine.run(&["check"]);
    assert_eq!(outcome.code, 2);
    assert!(
        outcome.stderr.contains("is not a regular file"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn shipped_default_policy_is_valid() {
    let dist = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/dist/etc/dsvm-agent/policy.toml"
    );
    let machine = Machine::empty();
    for name in ["cis-l1", "image-hygiene", "tre-lockdown"] {
        let text = std::fs::read(format!(
            "{}/../policies/baseline/{name}.toml",
            env!("CARGO_MANIFEST_DIR")
        ))
        .unwrap();
        machine.put(&format!("usr/share/dsvm-agent/baseline/{name}.toml"), text);
    }
    let outcome = machine.run(&["policy", "check", dist]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
}
