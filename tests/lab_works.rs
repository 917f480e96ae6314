//! The lab itself works: each stand-in answers as what it stands for.

#[path = "lab_works/network.rs"]
mod network;

use tests::lab::Lab;

/// A lab, or none where there can be none, which is announced.
fn lab() -> Option<Lab> {
    if Lab::is_possible() {
        return Some(Lab::start().expect("the lab starts"));
    }
    assert!(std::env::var("CI").is_err(), "the lab needs root");
    println!("not run: the lab needs root");
    None
}
