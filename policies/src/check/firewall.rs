//! What may leave the machine.
//!
//! The sections `[egress]` and `[metadata]` of a policy expand into one such check. It stands for a table
//! of its own in the kernel's packet filter; other tables may refuse more, and none can allow more.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::seen::{Scale, Seen};
use super::unit::UnitFile;
use crate::plan::Action;
use crate::policy::{Egress, Metadata, Mode};
use crate::verdict::{Judgement, Layer};
use listing::parse;

pub use ruleset::Ruleset;

mod listing;
mod ruleset;

/// The packet filter lets out what is allowed, and nothing else.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Firewall {
    /// Where the machine may send packets; when missing, anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress: Option<Egress>,
    /// Who may ask the instance metadata service and the wire server; when missing, whoever may send packets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}

/// What the packet filter has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FirewallFacts {
    /// The numbers of the machine's accounts, by name.
    pub uids: Seen<BTreeMap<String, u32>>,
    /// What `nft -j list table inet dsvm_agent` says; absent when there is no such table.
    pub effective: Seen<String>,
    /// The text of `/etc/dsvm-agent/egress.nft`.
    pub persisted: Seen<String>,
    /// Whether the next boot loads that file.
    pub loader: Seen<UnitFile>,
}

/// The file that the next boot loads.
pub const RULES_PATH: &str = "/etc/dsvm-agent/egress.nft";

/// The unit that loads it.
pub const LOADER: &str = "dsvm-agent-firewall.service";

impl Firewall {
    pub(super) fn subject() -> String {
        "packet filter".to_owned()
    }

    fn expected(&self) -> &'static str {
        match self.egress.as_ref().map(|egress| egress.mode) {
            Some(Mode::Enforce) => "nothing leaves but what the policy allows",
            Some(Mode::Audit) => "what the policy does not allow is counted",
            None => "the instance metadata answers only whom the policy allows",
        }
    }

    /// Judges the packet filter: the kernel's table rule by rule, the file, and whether the next boot
    /// loads it.
    pub fn judge(&self, facts: &FirewallFacts) -> Judgement {
        let mut scale = Scale::new(self.expected());
        match &facts.uids {
            Seen::Found(uids) => {
                let rules = Ruleset::of(self, uids);
                weigh_kernel(&rules, &facts.effective, &mut scale);
                weigh_file(&rules, &facts.persisted, &mut scale);
            }
            Seen::Unreadable(cause) => scale.unknown(cause),
            Seen::Absent | Seen::NotRunning => scale.unknown("the accounts are not known"),
        }
        match &facts.loader {
            Seen::Absent => scale.weigh(Layer::Persisted, LOADER, "not there", false),
            Seen::Found(file) => {
                let holds = *file == UnitFile::Enabled;
                scale.weigh(Layer::Persisted, LOADER, file.word(), holds);
            }
            Seen::NotRunning => {}
            Seen::Unreadable(cause) => scale.unknown(cause),
        }
        scale.conclude()
    }

    /// Writes the rules and loads them.
    pub fn remedy(&self) -> Vec<Action> {
        vec![Action::LoadFirewall {
            firewall: self.clone(),
        }]
    }
}

const TABLE: &str = "nft list table inet dsvm_agent";

fn weigh_kernel(rules: &Ruleset, seen: &Seen<String>, scale: &mut Scale) {
    let found = match seen {
        Seen::Absent => {
            scale.weigh(Layer::Effective, TABLE, "no such table", false);
            return;
        }
        Seen::Found(text) => parse(text),
        Seen::NotRunning => return,
        Seen::Unreadable(cause) => Err(cause.clone()),
    };
    let found = match found {
        Ok(found) => found,
        Err(cause) => return scale.unknown(cause),
    };
    let expected = rules.listing();
    if found == expected {
        let count = expected.len();
        scale.weigh(
            Layer::Effective,
            TABLE,
            format!("as expected ({count} parts)"),
            true,
        );
        return;
    }
    for (part, words) in expected.iter().zip(rules.words()) {
        if !found.contains(part) {
            scale.weigh(Layer::Effective, TABLE, format!("missing: {words}"), false);
        }
    }
    for part in found.iter().filter(|part| !expected.contains(part)) {
        let words: String = part.to_string().chars().take(MOST_SHOWN).collect();
        scale.weigh(
            Layer::Effective,
            TABLE,
            format!("not expected: {words}"),
            false,
        );
    }
    // The same parts in another order, or one of them twice.
    scale.weigh(
        Layer::Effective,
        TABLE,
        "the rules are not the expected ones",
        false,
    );
}

/// How much of a foreign rule is shown.
const MOST_SHOWN: usize = 300;

fn weigh_file(rules: &Ruleset, seen: &Seen<String>, scale: &mut Scale) {
    match seen {
        Seen::Absent => scale.weigh(Layer::Persisted, RULES_PATH, "not there", false),
        Seen::Found(text) => {
            let expected = rules.text();
            if *text == expected {
                scale.weigh(Layer::Persisted, RULES_PATH, "as expected", true);
                return;
            }
            let same = expected
                .lines()
                .zip(text.lines())
                .take_while(|(a, b)| a == b);
            let line = same.count() + 1;
            let found = text
                .lines()
                .nth(line - 1)
                .unwrap_or("the end")
                .trim()
                .to_owned();
            scale.weigh(
                Layer::Persisted,
                format!("{RULES_PATH}:{line}"),
                found,
                false,
            );
        }
        Seen::NotRunning => {}
        Seen::Unreadable(cause) => scale.unknown(cause),
    }
}

#[cfg(test)]
mod tests;
