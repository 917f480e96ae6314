//! The lab itself works: each stand-in answers as what it stands for.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what helps a test fails it"
)]

#[path = "lab_works/arm.rs"]
mod arm;
#[path = "lab_works/curl.rs"]
mod curl;
#[path = "lab_works/data_factory.rs"]
mod data_factory;
#[path = "lab_works/ends.rs"]
mod ends;
#[path = "lab_works/metadata.rs"]
mod metadata;
#[path = "lab_works/names.rs"]
mod names;
#[path = "lab_works/services.rs"]
mod services;
#[path = "lab_works/storage.rs"]
mod storage;
#[path = "lab_works/vm.rs"]
mod vm;

use std::io::{self, Write};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use tests::lab::Lab;

/// One lab for all tests of this program, healed before each; they take turns. None where there can
/// be none, which is announced. Its keeper removes it when the program ends.
fn lab() -> Option<Turn> {
    static LAB: LazyLock<Mutex<Lab>> =
        LazyLock::new(|| Mutex::new(Lab::start().expect("the lab starts")));
    if !is_possible() {
        return None;
    }
    let lab = LAB.lock().unwrap_or_else(PoisonError::into_inner);
    lab.heal().expect("the lab heals");
    Some(lab)
}

type Turn = MutexGuard<'static, Lab>;

fn is_possible() -> bool {
    let possible = Lab::is_possible();
    assert!(
        possible || std::env::var_os("CI").is_none(),
        "the lab needs root"
    );
    if !possible {
        announce("the lab needs root");
    }
    possible
}

/// Says that a test did nothing, past the harness, which keeps what passing tests print.
fn announce(why: &str) {
    writeln!(io::stderr(), "NOT RUN: {why}").expect("stderr");
}
