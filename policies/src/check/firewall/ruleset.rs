//! The rules of the packet filter: as text for a file, and as the kernel lists them.
//!
//! Every match names one value. Sets would be shorter, but each version of `nft` lists them in its own
//! way, and the listing has to be compared with what is expected.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::{Value, json};

use super::Firewall;
use super::listing::parse;
use crate::names::PlainName;
use crate::network::{Network, Port, Protocol};
use crate::policy::{Destination, Mode};

/// The agent's table of the packet filter.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ruleset {
    pub(super) chains: Vec<Chain>,
}

/// The rules for packets that pass one point.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Chain {
    pub(super) hook: &'static str,
    pub(super) policy: &'static str,
    pub(super) rules: Vec<Rule>,
}

/// Matches, and what is done with a packet that fits all of them.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Rule(Vec<Part>);

/// A match, or something that is done.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Part {
    Accept,
    ByAccount(u32),
    Connection(&'static str),
    Count,
    FewPerSecond,
    FromPort(Port),
    Icmpv6(u8),
    Log(&'static str),
    Refuse,
    Through(&'static str),
    To(Network),
    ToPort(Port),
}

/// The instance metadata service and the wire server (docs of Azure, "What is IP address 168.63.129.16?").
const PLATFORM: [[u8; 4]; 2] = [[168, 63, 129, 16], [169, 254, 169, 254]];

/// Router solicitation, neighbour solicitation and advertisement, multicast listener report: without them
/// there is no IPv6 at all.
const NEIGHBOURS: [u8; 4] = [133, 135, 136, 143];

/// After the addresses have been rewritten (-100), so that the last destination is judged.
const PRIORITY: i32 = 10;

impl Ruleset {
    /// The rules for a firewall, with the numbers of the machine's accounts. An account that the machine
    /// does not have gets no rule: nobody can be it.
    #[must_use]
    pub fn of(firewall: &Firewall, uids: &BTreeMap<String, u32>) -> Self {
        let mut rules = vec![
            Rule(vec![Part::Through("lo"), Part::Accept]),
            Rule(vec![Part::Connection("established"), Part::Accept]),
            Rule(vec![Part::Connection("related"), Part::Accept]),
        ];
        let mode = firewall.egress.as_ref().map(|egress| egress.mode);
        if let Some(egress) = &firewall.egress {
            rules.extend(NEIGHBOURS.map(|kind| Rule(vec![Part::Icmpv6(kind), Part::Accept])));
            rules.extend([(68, 67), (546, 547)].map(|(from, to)| address_lease(from, to)));
            let resolvers: BTreeSet<IpAddr> = egress.resolvers.iter().copied().collect();
            rules.extend(resolvers.into_iter().flat_map(name_service));
        }
        let mut refused = Vec::new();
        if let Some(metadata) = &firewall.metadata {
            for address in PLATFORM {
                let to = Part::To(Network::host(address.into()));
                let numbers = numbers(&metadata.allow, uids);
                rules.extend(numbers.map(|uid| Rule(vec![to, Part::ByAccount(uid), Part::Accept])));
                refused.push(Rule(vec![to, Part::Count, Part::Refuse]));
            }
        }
        rules.extend(refused.iter().cloned());
        if let Some(egress) = &firewall.egress {
            let allowed: BTreeSet<Rule> = egress
                .allow
                .iter()
                .flat_map(|destination| passages(destination, uids))
                .collect();
            rules.extend(allowed);
        }
        rules.extend(last_rules(mode));
        let (policy, forwarded) = match mode {
            Some(Mode::Enforce) => ("drop", Vec::new()),
            Some(Mode::Audit) | None => ("accept", refused),
        };
        let chain = |hook, rules| Chain {
            hook,
            policy,
            rules,
        };
        Self {
            chains: vec![chain("output", rules), chain("forward", forwarded)],
        }
    }

    /// The text that `nft` reads. Loading it replaces the table in one transaction.
    #[must_use]
    pub fn text(&self) -> String {
        let chains: String = self.chains.iter().map(Chain::text).collect();
        format!(
            "# Written by dsvm-agent; changes are undone.\n\
             table inet dsvm_agent\n\
             delete table inet dsvm_agent\n\
             table inet dsvm_agent {{\n{chains}}}\n"
        )
    }

    /// What `nft --json --numeric list table inet dsvm_agent` says when these rules are loaded, without
    /// what differs from load to load.
    #[must_use]
    pub fn listing(&self) -> Vec<Value> {
        let table = "dsvm_agent";
        let mut listing = vec![json!({"table": {"family": "inet", "name": table}})];
        listing.extend(self.chains.iter().map(|chain| {
            json!({"chain": {
                "family": "inet", "table": table, "name": chain.hook, "type": "filter",
                "hook": chain.hook, "prio": PRIORITY, "policy": chain.policy,
            }})
        }));
        for chain in &self.chains {
            listing.extend(chain.rules.iter().map(|rule| {
                json!({"rule": {
                    "family": "inet", "table": table, "chain": chain.hook, "expr": rule.listing(),
                }})
            }));
        }
        listing
    }

    /// Says whether what `nft --json --numeric list table inet dsvm_agent` said is these rules.
    #[must_use]
    pub fn is_listed(&self, answer: &str) -> bool {
        parse(answer).is_ok_and(|found| found == self.listing())
    }

    /// The same rules, each as people write it, in the order of [`Ruleset::listing`].
    pub(super) fn words(&self) -> Vec<String> {
        let mut words = vec!["table inet dsvm_agent".to_owned()];
        let chain = |chain: &Chain| format!("chain {} with policy {}", chain.hook, chain.policy);
        words.extend(self.chains.iter().map(chain));
        let rules = |chain: &Chain| {
            let rule = |rule: &Rule| format!("{}: {}", chain.hook, rule.text());
            chain.rules.iter().map(rule).collect::<Vec<_>>()
        };
        words.extend(self.chains.iter().flat_map(rules));
        words
    }
}

fn address_lease(from: u16, to: u16) -> Rule {
    let port = |number| Port {
        protocol: Protocol::Udp,
        number,
    };
    Rule(vec![
        Part::FromPort(port(from)),
        Part::ToPort(port(to)),
        Part::Accept,
    ])
}

fn name_service(resolver: IpAddr) -> [Rule; 2] {
    [Protocol::Udp, Protocol::Tcp].map(|protocol| {
        let port = Port {
            protocol,
            number: 53,
        };
        Rule(vec![
            Part::To(Network::host(resolver)),
            Part::ToPort(port),
            Part::Accept,
        ])
    })
}

fn passages(destination: &Destination, uids: &BTreeMap<String, u32>) -> Vec<Rule> {
    let mut rules = Vec::new();
    for uid in numbers(&destination.accounts, uids) {
        for network in &destination.within {
            rules.extend(destination.ports.iter().map(|port| {
                Rule(vec![
                    Part::ByAccount(uid),
                    Part::To(*network),
                    Part::ToPort(*port),
                    Part::Accept,
                ])
            }));
        }
    }
    rules
}

fn numbers(
    accounts: &[PlainName],
    uids: &BTreeMap<String, u32>,
) -> impl Iterator<Item = u32> + use<> {
    let numbers: BTreeSet<u32> = accounts
        .iter()
        .filter_map(|account| uids.get(account.as_str()).copied())
        .collect();
    numbers.into_iter()
}

fn last_rules(mode: Option<Mode>) -> Vec<Rule> {
    match mode {
        Some(Mode::Enforce) => vec![
            Rule(vec![Part::FewPerSecond, Part::Log("dsvm-agent refuses: ")]),
            Rule(vec![Part::Count, Part::Refuse]),
        ],
        Some(Mode::Audit) => vec![
            Rule(vec![
                Part::FewPerSecond,
                Part::Log("dsvm-agent would refuse: "),
            ]),
            Rule(vec![Part::Count]),
        ],
        None => Vec::new(),
    }
}

impl Chain {
    fn text(&self) -> String {
        let Self {
            hook,
            policy,
            rules,
        } = self;
        let mut lines = vec![
            format!("\tchain {hook} {{"),
            format!("\t\ttype filter hook {hook} priority {PRIORITY}; policy {policy};"),
        ];
        lines.extend(rules.iter().map(|rule| format!("\t\t{}", rule.text())));
        lines.push("\t}\n".to_owned());
        lines.join("\n")
    }
}

impl Rule {
    fn text(&self) -> String {
        let parts: Vec<String> = self.0.iter().map(|part| part.text()).collect();
        parts.join(" ")
    }

    fn listing(&self) -> Vec<Value> {
        self.0.iter().map(|part| part.listing()).collect()
    }
}

impl Part {
    fn text(self) -> String {
        match self {
            Self::Accept => "accept".to_owned(),
            Self::ByAccount(uid) => format!("meta skuid {uid}"),
            Self::Connection(state) => format!("ct state {state}"),
            Self::Count => "counter".to_owned(),
            Self::FewPerSecond => "limit rate 5/second".to_owned(),
            Self::FromPort(port) => format!("{} sport {}", port.protocol, port.number),
            Self::Icmpv6(kind) => format!("icmpv6 type {kind}"),
            Self::Log(prefix) => format!("log prefix \"{prefix}\""),
            Self::Refuse => "reject with icmpx admin-prohibited".to_owned(),
            Self::Through(interface) => format!("oifname \"{interface}\""),
            Self::To(network) => match (network.address(), network.length()) {
                // A match of no bits is left out by `nft`, and would then be true for either family.
                (IpAddr::V4(_), 0) => "meta nfproto ipv4".to_owned(),
                (IpAddr::V6(_), 0) => "meta nfproto ipv6".to_owned(),
                (address @ IpAddr::V4(_), 32) => format!("ip daddr {address}"),
                (IpAddr::V4(_), _) => format!("ip daddr {network}"),
                (address @ IpAddr::V6(_), 128) => format!("ip6 daddr {address}"),
                (IpAddr::V6(_), _) => format!("ip6 daddr {network}"),
            },
            Self::ToPort(port) => format!("{} dport {}", port.protocol, port.number),
        }
    }

    fn listing(self) -> Value {
        let meta = |key: &str, right: Value| json!({"match": {"op": "==", "left": {"meta": {"key": key}}, "right": right}});
        let payload = |protocol: &str, field: &str, right: Value| {
            let left = json!({"payload": {"protocol": protocol, "field": field}});
            json!({"match": {"op": "==", "left": left, "right": right}})
        };
        match self {
            Self::Accept => json!({"accept": null}),
            Self::ByAccount(uid) => meta("skuid", json!(uid)),
            Self::Connection(state) => {
                json!({"match": {"op": "==", "left": {"ct": {"key": "state"}}, "right": state}})
            }
            Self::Count => json!({"counter": null}),
            Self::FewPerSecond => json!({"limit": {"rate": 5, "per": "second"}}),
            Self::FromPort(port) => payload(port.protocol.as_str(), "sport", json!(port.number)),
            Self::Icmpv6(kind) => payload("icmpv6", "type", json!(kind)),
            Self::Log(prefix) => json!({"log": {"prefix": prefix}}),
            Self::Refuse => json!({"reject": {"type": "icmpx", "expr": "admin-prohibited"}}),
            Self::Through(interface) => meta("oifname", json!(interface)),
            Self::To(network) => match (network.address(), network.length()) {
                (IpAddr::V4(_), 0) => meta("nfproto", json!("ipv4")),
                (IpAddr::V6(_), 0) => meta("nfproto", json!("ipv6")),
                (IpAddr::V4(_), _) => payload("ip", "daddr", destination(network)),
                (IpAddr::V6(_), _) => payload("ip6", "daddr", destination(network)),
            },
            Self::ToPort(port) => payload(port.protocol.as_str(), "dport", json!(port.number)),
        }
    }
}

fn destination(network: Network) -> Value {
    let whole = if network.address().is_ipv4() { 32 } else { 128 };
    if network.length() == whole {
        json!(network.address())
    } else {
        json!({"prefix": {"addr": network.address(), "len": network.length()}})
    }
}
