//! `cargo +nightly fuzz run policy`: no text makes the loading of policies panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use policies::load;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let resolve = |layer: &str| match layer {
        "self" => Ok(text.to_string()),
        "baseline/cis-l1" => Ok(include_str!("../../policies/baseline/cis-l1.toml").to_owned()),
        "baseline/tre-lockdown" => {
            Ok(include_str!("../../policies/baseline/tre-lockdown.toml").to_owned())
        }
        _ => Err("there is no such policy".to_owned()),
    };
    let fragment = [("fragment".to_owned(), text.to_string())];
    let base = "schema = 1\nname = \"x\"\nextends = [\"baseline/tre-lockdown\"]";
    for loaded in [
        load::load("policy", &text, &[], &resolve),
        load::load("policy", base, &fragment, &resolve),
    ] {
        match loaded {
            Ok(policy) => assert!(!policy.controls.is_empty()),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
});
