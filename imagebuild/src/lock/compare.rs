use std::collections::{BTreeMap, BTreeSet};

use policies::digest::Digest;
use serde::Serialize;

use super::Lock;

/// Something that two locks pin differently.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Difference {
    /// What it is.
    pub what: String,
    /// What the lock pins; none if it does not have it.
    pub locked: Option<String>,
    /// What would be pinned now; none if it is gone.
    pub now: Option<String>,
}

/// What a lock pins differently from what would be pinned now.
///
/// A receipt that only one of them names is no difference: binaries may be locked before they are staged.
pub fn differences(locked: &Lock, now: &Lock) -> Vec<Difference> {
    let (a, b) = (described(locked), described(now));
    let keys: BTreeSet<_> = a.keys().chain(b.keys()).collect();
    let mut found: Vec<_> = keys
        .into_iter()
        .filter(|key| a.get(*key) != b.get(*key))
        .map(|key| Difference {
            what: key.clone(),
            locked: a.get(key).cloned(),
            now: b.get(key).cloned(),
        })
        .collect();
    for binary in &locked.binaries {
        let other = now.binaries.iter().find(|other| other.name == binary.name);
        if let Some(other) = other
            && let (Some(locked), Some(now)) = (&binary.receipt, &other.receipt)
            && locked != now
        {
            found.push(Difference {
                what: format!("receipt of binary {}", binary.name),
                locked: Some(locked.to_string()),
                now: Some(now.to_string()),
            });
        }
    }
    found
}

/// A lock as a list of things with what is pinned of them.
fn described(lock: &Lock) -> BTreeMap<String, String> {
    let digest = |digest: &Digest| digest.to_string();
    let mut all = BTreeMap::from([
        (
            "image".to_owned(),
            format!("{} {}", lock.image, lock.version),
        ),
        ("imagebuild".to_owned(), lock.imagebuild.clone()),
        ("recipe".to_owned(), digest(&lock.recipe)),
        (
            "provisioning scripts".to_owned(),
            digest(&lock.provisioning),
        ),
        ("agent package".to_owned(), digest(&lock.agent.package)),
        ("agent program".to_owned(), digest(&lock.agent.binary)),
        (
            format!("policy {}", lock.policy.name),
            digest(&lock.policy.digest),
        ),
        ("suite".to_owned(), lock.base.suite.clone()),
    ]);
    let files = lock
        .policy
        .files
        .iter()
        .map(|file| (format!("policy file {}", file.path), digest(&file.sha256)));
    let scripts = lock
        .scripts
        .iter()
        .map(|file| (format!("script {}", file.path), digest(&file.sha256)));
    let binaries = lock.binaries.iter().map(|binary| {
        (
            format!("binary {}", binary.name),
            format!("{} ({} bytes)", binary.sha256, binary.size),
        )
    });
    let packages = lock.base.packages.iter().map(|package| {
        let (version, sha256) = (&package.version, &package.sha256);
        (
            format!("package {}:{}", package.name, package.architecture),
            format!("{version} ({sha256:.12})"),
        )
    });
    all.extend(files.chain(scripts).chain(binaries).chain(packages));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::tests::example;

    #[test]
    fn equal_locks_have_no_difference() {
        assert_eq!(differences(&example(), &example()), Vec::new());
    }

    #[test]
    fn every_pin_counts() {
        let changes: [fn(&mut Lock); 9] = [
            |lock| lock.recipe = Digest::of(b"other"),
            |lock| lock.provisioning = Digest::of(b"other"),
            |lock| lock.agent.package = Digest::of(b"other"),
            |lock| lock.policy.digest = Digest::of(b"other"),
            |lock| lock.base.packages[0].version = "1".to_owned(),
            |lock| lock.base.packages.clear(),
            |lock| lock.binaries[0].sha256 = Digest::of(b"other"),
            |lock| lock.scripts[0].sha256 = Digest::of(b"other"),
            |lock| lock.imagebuild = "9".to_owned(),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut now = example();
            change(&mut now);
            assert_eq!(differences(&example(), &now).len(), 1, "change {number}");
        }
    }

    #[test]
    fn a_receipt_counts_when_both_have_one() {
        let (mut locked, mut now) = (example(), example());
        now.binaries[0].receipt = Some(Digest::of(b"a"));
        assert_eq!(differences(&locked, &now), Vec::new());
        locked.binaries[0].receipt = Some(Digest::of(b"b"));
        assert_eq!(differences(&locked, &now).len(), 1);
    }
}
