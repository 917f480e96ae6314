//! Dependencies point one way.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;
use tests::repository::{text, top};

/// Which members each member may use in what it ships.
const MAY_USE: [(&str, &[&str]); 5] = [
    ("azure", &[]),
    ("dsvm-agent", &["azure", "policies"]),
    ("imagebuild", &["azure", "policies"]),
    ("policies", &[]),
    ("tests", &[]),
];

#[test]
fn crates_point_downwards() {
    let allowed: BTreeMap<_, _> = MAY_USE.into_iter().collect();
    let packages = packages();
    let members: BTreeSet<_> = packages.keys().map(String::as_str).collect();
    assert_eq!(
        members,
        allowed.keys().copied().collect(),
        "a member that the rule does not name"
    );
    for (name, package) in &packages {
        for dependency in package["dependencies"].as_array().unwrap() {
            let used = dependency["name"].as_str().unwrap();
            let shipped = dependency["kind"].is_null();
            if shipped && members.contains(used) {
                let may = allowed[name.as_str()];
                assert!(may.contains(&used), "`{name}` must not use `{used}`");
            }
        }
    }
}

#[test]
fn pure_crate_uses_nothing_that_reaches_out() {
    let packages = packages();
    let used: Vec<_> = packages["policies"]["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|dependency| dependency["kind"].is_null())
        .map(|dependency| dependency["name"].as_str().unwrap())
        .collect();
    for reaching in [
        "nix", "notify", "rand", "sysinfo", "tempfile", "tokio", "tracing", "uuid",
    ] {
        assert!(!used.contains(&reaching), "`policies` uses `{reaching}`");
    }
}

#[test]
fn every_member_takes_the_workspace_lints() {
    for (member, _) in MAY_USE {
        let folder = if member == "dsvm-agent" {
            "agent"
        } else {
            member
        };
        let manifest: toml::Table = text(&format!("{folder}/Cargo.toml")).parse().unwrap();
        assert_eq!(
            manifest["lints"]["workspace"].as_bool(),
            Some(true),
            "{member}"
        );
    }
}

fn packages() -> BTreeMap<String, Value> {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version=1", "--offline"])
        .current_dir(top())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            (
                package["name"].as_str().unwrap().to_owned(),
                package.clone(),
            )
        })
        .collect()
}
