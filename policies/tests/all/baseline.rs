//! The shipped baselines, and the policies that stand on them.

use std::collections::BTreeSet;

use policies::control::{Phase, Severity};
use policies::policy::Policy;

use crate::shipped;

/// The policy of the design: sections, a control that a baseline has too, and a waiver.
const RESEARCH: &str = include_str!("policies/hipaa-research.toml");

fn all() -> Policy {
    shipped::policy(
        "schema = 1\nname = \"all\"\n\
         extends = [\"baseline/tre-lockdown\", \"baseline/cis-l1\", \"baseline/image-hygiene\"]",
    )
    .unwrap()
}

#[test]
fn every_baseline_loads_alone() {
    for (name, _) in shipped::BASELINES {
        let policy = shipped::policy(&format!("schema = 1\nname = \"x\"\nextends = [\"{name}\"]"));
        assert!(policy.is_ok(), "{name}: {:?}", policy.err());
    }
}

#[test]
fn baselines_agree_with_each_other() {
    let policy = all();
    assert!(policy.controls.len() >= 60, "{}", policy.controls.len());
}

#[test]
fn baselines_use_every_kind_that_a_section_does_not_make() {
    let kinds: BTreeSet<&str> = all().controls.iter().map(|c| c.check.kind()).collect();
    let expected = [
        "accounts",
        "file-mode",
        "firewall",
        "hygiene",
        "ini",
        "kernel-module",
        "listening",
        "membership",
        "mount-option",
        "package",
        "setting",
        "sshd",
        "sudoers",
        "sysctl",
        "unit",
    ];
    assert_eq!(kinds, expected.into_iter().collect());
}

#[test]
fn every_shipped_control_says_why_and_which_standard_wants_it() {
    for control in all().controls {
        let id = &control.id;
        assert!(control.rationale.len() >= 20, "{id}");
        assert!(!control.references.is_empty(), "{id}");
        assert!(!control.title.ends_with('.'), "{id}");
        assert!(control.title.chars().count() <= 80, "{id}");
    }
}

/// A baseline is judged on images that have neither a network nor a cloud.
#[test]
fn baselines_hold_in_the_image_already() {
    assert!(
        all()
            .controls
            .iter()
            .all(|control| control.phase == Phase::Image)
    );
}

#[test]
fn policy_of_the_design_loads_word_for_word() {
    let policy = shipped::policy(RESEARCH).unwrap();
    assert_eq!(policy.name, "hipaa-research");
    let id = |text: &str| text.to_owned().try_into().unwrap();
    let pointers = policy.control(&id("KRN-004")).unwrap();
    assert_eq!(pointers.severity, Severity::Medium);
    assert_eq!(
        policy.waiver(&id("KRN-004")).unwrap().approver,
        "security-office"
    );
    for made in [
        "CHAN-CLIPBOARD",
        "CHAN-CLIPBOARD-IN",
        "CHAN-CLIPBOARD-OUT",
        "CHAN-DRIVE-FOLDER",
        "CHAN-DRIVES",
        "CHAN-SSH",
        "EGRESS-FIREWALL",
        "META-FIREWALL",
        "MOUNT-DATASETS",
    ] {
        assert!(policy.control(&id(made)).is_some(), "{made}");
    }
    assert_eq!(
        policy.control(&id("MOUNT-DATASETS")).unwrap().phase,
        Phase::Vm
    );
}

#[test]
fn policy_of_the_design_loads_with_every_baseline() {
    let text = RESEARCH.replace(
        "extends = [\"baseline/tre-lockdown\", \"baseline/cis-l1\"]",
        "extends = [\"baseline/tre-lockdown\", \"baseline/cis-l1\", \"baseline/image-hygiene\"]",
    );
    assert_ne!(text, RESEARCH);
    assert!(shipped::policy(&text).is_ok());
}
