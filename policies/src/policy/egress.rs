//! Where the machine may send packets.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::{HostName, PlainName};
use crate::network::{Network, Port};

/// Where the machine may send packets. Everything else is refused.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Egress {
    /// Whether refused packets are dropped or only counted.
    pub mode: Mode,
    /// Name servers that the machine may ask.
    #[serde(default)]
    pub resolvers: Vec<IpAddr>,
    /// Destinations that are allowed.
    #[serde(default)]
    pub allow: Vec<Destination>,
}

/// Whether refused packets are dropped or only counted.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Counted and let through, to see what a rule would refuse.
    Audit,
    /// Refused.
    Enforce,
}

/// A destination that is allowed.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Destination {
    /// What people call it.
    pub name: String,
    /// Its host name.
    pub host: HostName,
    /// Where its private endpoint must lie; an answer outside is refused.
    pub within: Vec<Network>,
    /// Its ports.
    pub ports: Vec<Port>,
    /// Accounts whose processes may reach it.
    #[serde(rename = "for")]
    pub accounts: Vec<PlainName>,
}

/// Who may ask the instance metadata service and the wire server.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Metadata {
    /// Accounts whose processes may ask.
    pub allow: Vec<PlainName>,
}

impl Egress {
    /// Puts lists whose order means nothing into one order, so that it does not show in the digest.
    pub(crate) fn normalise(&mut self) {
        for destination in &mut self.allow {
            sort(&mut destination.within);
            sort(&mut destination.ports);
            sort(&mut destination.accounts);
        }
        sort(&mut self.allow);
        sort(&mut self.resolvers);
    }
}

impl Metadata {
    /// Puts the accounts into one order, so that it does not show in the digest.
    pub(crate) fn normalise(&mut self) {
        sort(&mut self.allow);
    }
}

fn sort<T: Ord>(list: &mut Vec<T>) {
    list.sort();
    list.dedup();
}
