//! Locks, without the package archives that `imagebuild lock` asks.

use std::fs;

use imagebuild::{
    agent,
    cancel::Cancel,
    import::Flow,
    lock::{Inputs, Lock},
    recipe::Located,
    sign::Key,
};

use crate::desk::{Desk, flip};

/// Locks what lies on the desk, with no packages.
pub(crate) fn lock(desk: &Desk) -> Lock {
    let located = Located::load(&desk.path("desk.toml")).unwrap();
    let agent =
        agent::Package::open(&desk.path("agent.deb"), &desk.path("cache"), &Cancel::new()).unwrap();
    let (key, _) = Key::load_or_create(&desk.path("signing.pem")).unwrap();
    let inputs = Inputs::read(&located, agent).unwrap();
    let lock = inputs
        .pin(&Flow::new(&located, &key), None)
        .unwrap()
        .with(Vec::new());
    lock.save(&located.lock()).unwrap();
    lock
}

#[test]
fn a_build_from_a_lock_that_is_out_of_date_is_refused() {
    let desk = Desk::new();
    lock(&desk);
    desk.edit("2GiB", "3GiB");
    desk.run(&["build", "desk.toml"]).is(
        1,
        &[
            "lock `desk.lock` is out of date: recipe",
            "hint: imagebuild lock desk.toml",
        ],
    );
    desk.run(&["plan", "desk.toml", "--detailed-exitcode"])
        .is(1, &["the lock is out of date: recipe"]);
}

#[test]
fn comments_in_a_recipe_do_not_outdate_its_lock() {
    let desk = Desk::new();
    lock(&desk);
    desk.edit("[base]", "# a comment\n[base]");
    desk.run(&["plan", "desk.toml"])
        .is(0, &["the lock is up to date"]);
}

#[test]
fn every_input_outdates_the_lock() {
    for (file, what) in [
        ("policy.toml", "policy desk, policy file policy.toml"),
        ("in coming/tool 1.bin", "binary tool"),
        ("deb/usr/bin/dsvm-agent", ""),
    ] {
        let desk = Desk::new();
        lock(&desk);
        let text = fs::read_to_string(desk.path(file)).unwrap();
        desk.write(file, text.replace("at-least = 2", "at-least = 1") + "\n");
        let said = desk.run(&["plan", "desk.toml"]);
        if what.is_empty() {
            said.is(0, &["the lock is up to date"]);
        } else {
            said.is(0, &[&format!("the lock is out of date: {what}")]);
        }
    }
}

#[test]
fn one_flipped_bit_in_a_lock_is_found() {
    let desk = Desk::new();
    lock(&desk);
    flip(&desk.path("desk.lock"));
    for command in ["plan", "stage", "build"] {
        desk.run(&[command, "desk.toml"])
            .is(1, &["lock `desk.lock` is damaged", "expected", "found"]);
    }
}

#[test]
fn a_lock_of_another_form_is_refused() {
    let desk = Desk::new();
    let body = "schema = 2\n";
    let digest = policies::digest::Digest::of(body.as_bytes());
    desk.write("desk.lock", format!("digest = \"{digest}\"\n{body}"));
    desk.run(&["plan", "desk.toml"]).is(
        2,
        &[
            "is not one that this program knows",
            "hint: `imagebuild lock`",
        ],
    );
}

#[test]
fn a_staged_binary_whose_owner_is_gone_stays_locked() {
    let desk = Desk::new();
    assert_eq!(desk.run(&["stage", "desk.toml"]).code, 0);
    lock(&desk);
    fs::remove_file(desk.path("in coming/tool 1.bin")).unwrap();
    desk.run(&["plan", "desk.toml"]).is(
        0,
        &["the lock is up to date", "1 binaries have their receipts"],
    );
    desk.run(&["stage", "desk.toml"]).is(0, &["nothing to do"]);
}
