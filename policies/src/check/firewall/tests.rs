//! Firewalls on paper; `agent/src/observe/firewall.rs` tests them on the kernel.

use super::*;

fn firewall(text: &str) -> Firewall {
    toml::from_str(text).unwrap()
}

const LAB: &str = r#"
[egress]
mode = "enforce"
resolvers = ["168.63.129.16"]
[[egress.allow]]
name = "secure storage"
host = "stsecure.blob.core.windows.net"
within = ["10.20.0.0/16", "fd00:20::/32"]
ports = ["tcp/443"]
for = ["root", "nobody-here"]
[metadata]
allow = ["root"]
"#;

fn uids() -> BTreeMap<String, u32> {
    BTreeMap::from([("root".to_owned(), 0), ("ada".to_owned(), 1000)])
}

fn facts(firewall: &Firewall) -> FirewallFacts {
    let rules = Ruleset::of(firewall, &uids());
    let listing = serde_json::json!({"nftables": rules.listing()});
    FirewallFacts {
        uids: Seen::Found(uids()),
        effective: Seen::Found(listing.to_string()),
        persisted: Seen::Found(rules.text()),
        loader: Seen::Found(UnitFile::Enabled),
    }
}

#[test]
fn rules_are_the_expected_ones() {
    insta::assert_snapshot!(Ruleset::of(&firewall(LAB), &uids()).text());
}

#[test]
fn auditing_lets_through_and_counts() {
    let text = LAB.replace("enforce", "audit");
    let text = Ruleset::of(&firewall(&text), &uids()).text();
    assert!(
        text.contains("hook output priority 10; policy accept;"),
        "{text}"
    );
    assert!(text.contains("would refuse"), "{text}");
    assert!(text.trim_end().ends_with('}'));
    // Metadata is refused all the same: it is a section of its own.
    assert_eq!(text.matches("reject").count(), 4, "{text}");
}

#[test]
fn firewall_is_judged_in_every_layer() {
    let lab = firewall(LAB);
    let word = |change: &dyn Fn(&mut FirewallFacts)| {
        let mut facts = facts(&lab);
        change(&mut facts);
        lab.judge(&facts).verdict.word()
    };
    assert_eq!(word(&|_| ()), "pass");
    assert_eq!(word(&|facts| facts.effective = Seen::NotRunning), "pass");
    assert_eq!(word(&|facts| facts.effective = Seen::Absent), "fail");
    assert_eq!(word(&|facts| facts.persisted = Seen::Absent), "fail");
    assert_eq!(word(&|facts| facts.loader = Seen::Absent), "fail");
    assert_eq!(
        word(&|facts| facts.loader = Seen::Found(UnitFile::Disabled)),
        "fail"
    );
    let garbled = Seen::Found("{".to_owned());
    assert_eq!(word(&|facts| facts.effective = garbled.clone()), "unknown");
    let denied = Seen::Unreadable("permission denied".to_owned());
    assert_eq!(word(&|facts| facts.effective = denied.clone()), "unknown");
    assert_eq!(word(&|facts| facts.uids = Seen::Absent), "unknown");
}

#[test]
fn one_rule_more_less_or_elsewhere_deviates() {
    let lab = firewall(LAB);
    let listing = Ruleset::of(&lab, &uids()).listing();
    let judge = |listing: Vec<serde_json::Value>| {
        let effective = serde_json::json!({"nftables": listing}).to_string();
        let mut facts = facts(&lab);
        facts.effective = Seen::Found(effective);
        lab.judge(&facts)
    };
    assert!(judge(listing.clone()).verdict.conforms());
    for index in 0..listing.len() {
        let mut less = listing.clone();
        less.remove(index);
        assert!(!judge(less).verdict.conforms(), "without {index}");
    }
    let mut more = listing.clone();
    more.insert(
        4,
        serde_json::json!({"rule": {"chain": "output", "expr": [{"accept": null}]}}),
    );
    let judgement = judge(more);
    assert!(judgement.found.contains("not expected"), "{judgement:?}");
    let mut swapped = listing;
    let last = swapped.len() - 1;
    swapped.swap(last - 1, last);
    assert!(!judge(swapped).verdict.conforms());
}

#[test]
fn order_of_the_policy_does_not_matter() {
    let other = LAB.replace(
        r#"["10.20.0.0/16", "fd00:20::/32"]"#,
        r#"["fd00:20::/32", "10.20.0.0/16"]"#,
    );
    assert_eq!(
        Ruleset::of(&firewall(LAB), &uids()),
        Ruleset::of(&firewall(&other), &uids())
    );
}
