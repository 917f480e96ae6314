//! The digest of a policy: the same for policies that demand the same.

use policies::digest::Digest;
use proptest::prelude::*;
use toml::Table;

use crate::shipped;

const RESEARCH: &str = include_str!("policies/hipaa-research.toml");

fn digest(text: &str) -> Digest {
    shipped::policy(text).unwrap().digest()
}

/// A table as TOML with its keys in another order; a table stands on one line where it is a value.
fn turned(table: &Table, turn: usize) -> String {
    let mut keys: Vec<&String> = table.keys().collect();
    let middle = turn % keys.len().max(1);
    keys.rotate_left(middle);
    if turn.is_multiple_of(2) {
        keys.reverse();
    }
    let pairs = keys
        .into_iter()
        .map(|key| format!("{key} = {}", value(&table[key], turn)));
    pairs.collect::<Vec<_>>().join(", ")
}

fn value(value: &toml::Value, turn: usize) -> String {
    match value {
        toml::Value::Array(items) => {
            let items = items.iter().map(|item| self::value(item, turn));
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        toml::Value::Table(table) => format!("{{ {} }}", turned(table, turn)),
        other => other.to_string(),
    }
}

fn document(text: &str, turn: usize) -> String {
    let table: Table = text.parse().unwrap();
    let mut keys: Vec<&String> = table.keys().collect();
    let middle = turn % keys.len();
    keys.rotate_left(middle);
    let lines = keys
        .into_iter()
        .map(|key| format!("{key} = {}\n", value(&table[key], turn)));
    lines.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn digest_does_not_depend_on_the_order_of_keys(turn in 0_usize..1000) {
        prop_assert_eq!(digest(RESEARCH), digest(&document(RESEARCH, turn)));
    }

    #[test]
    fn digest_does_not_depend_on_the_order_of_controls(
        order in Just((0_usize..20).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let policy = |order: &[usize]| {
            let controls = order.iter().map(|number| format!(
                "[[control]]\nid = \"KRN-{number}\"\ntitle = \"t\"\nseverity = \"low\"\nrationale = \"r\"\n\
                 check.sysctl = {{ key = \"kernel.x{number}\", equals = \"1\" }}\n"
            ));
            format!("schema = 1\nname = \"x\"\n{}", controls.collect::<String>())
        };
        let sorted: Vec<usize> = (0..20).collect();
        prop_assert_eq!(digest(&policy(&order)), digest(&policy(&sorted)));
    }
}

#[test]
fn digest_does_not_depend_on_the_order_of_layers() {
    let policy = |layers: &str| digest(&format!("schema = 1\nname = \"x\"\nextends = [{layers}]"));
    assert_eq!(
        policy("\"baseline/cis-l1\", \"baseline/tre-lockdown\""),
        policy("\"baseline/tre-lockdown\", \"baseline/cis-l1\""),
    );
}

#[test]
fn digest_does_not_depend_on_the_order_of_lists_that_are_sets() {
    let policy = |resolvers: &str, groups: &str| {
        digest(&format!(
            "schema = 1\nname = \"x\"\n[researchers]\ngroups = [{groups}]\n[egress]\nmode = \"audit\"\nresolvers = [{resolvers}]"
        ))
    };
    assert_eq!(
        policy("\"10.0.0.4\", \"10.0.0.5\"", "\"a\", \"b\""),
        policy("\"10.0.0.5\", \"10.0.0.4\", \"10.0.0.5\"", "\"b\", \"a\""),
    );
}

#[test]
fn digest_depends_on_every_demand() {
    let changes = [
        ("mode = \"enforce\"", "mode = \"audit\""),
        ("\"10.20.0.0/16\"", "\"10.21.0.0/16\""),
        ("ports = [\"tcp/443\"]", "ports = [\"tcp/444\"]"),
        ("clipboard-in = \"deny\"", "clipboard-in = \"text\""),
        ("access = \"read-only\"", "access = \"write-once\""),
        (
            "identity = \"system\"",
            "identity = { client-id = \"01234567-89ab-cdef-0123-456789abcdef\" }",
        ),
        ("expires = 2027-01-31", "expires = 2027-02-01"),
        ("name = \"hipaa-research\"", "name = \"other\""),
    ];
    for (from, to) in changes {
        assert!(RESEARCH.contains(from), "{from}");
        assert_ne!(
            digest(RESEARCH),
            digest(&RESEARCH.replace(from, to)),
            "{from}"
        );
    }
}
