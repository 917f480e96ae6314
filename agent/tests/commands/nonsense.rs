//! Bytes that make no sense are bad input, never a panic.

use proptest::prelude::*;

use crate::machine::{Machine, control, policy};

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_as_policy_are_bad_input(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let machine = Machine::with_policy("");
        machine.put("etc/dsvm-agent/policy.toml", bytes);
        let outcome = machine.run(&["check"]);
        prop_assert_eq!(outcome.code, 2, "{}", outcome.stderr);
    }

    #[test]
    fn random_bytes_as_manifest_are_bad_input(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let machine = Machine::empty();
        machine.put("staged/manifest.json", bytes);
        let outcome = machine.run(&["import", "ROOT/staged/manifest.json"]);
        prop_assert_eq!(outcome.code, 2, "{}", outcome.stderr);
    }

    /// A good policy with one byte changed is another policy or bad input.
    #[test]
    fn policy_with_a_changed_byte_is_judged_or_refused(at in 0..200_usize, byte in any::<u8>()) {
        let check = "check.sysctl = { key = \"kernel.kptr_restrict\", at-least = 2 }";
        let mut text = policy(&control("KRN-001", "t", check)).into_bytes();
        let at = at % text.len();
        text[at] = byte;
        let machine = Machine::with_policy("");
        machine.put("etc/dsvm-agent/policy.toml", text);
        let outcome = machine.run(&["check"]);
        prop_assert!(matches!(outcome.code, 0..=2), "{}", outcome.stderr);
    }
}
