//! What may leave the machine.
//!
//! The sections `[egress]` and `[metadata]` of a policy expand into one such check. It stands for a table
//! of its own in the kernel's packet filter; other tables may refuse more, and none can allow more.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::seen::Seen;
use super::unit::UnitFile;
use crate::plan::Action;
use crate::policy::{Egress, Metadata};
use crate::verdict::Judgement;

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
    pub(super) fn subject(&self) -> String {
        "packet filter".to_owned()
    }

    /// Judges the packet filter.
    pub fn judge(&self, facts: &FirewallFacts) -> Judgement {
        super::seen::not_applicable("", format!("{facts:?}"))
    }

    /// Writes the rules and loads them.
    pub fn remedy(&self) -> Vec<Action> {
        vec![Action::LoadFirewall {
            firewall: self.clone(),
        }]
    }
}
