//! Sockets that wait for the network.

use std::fmt;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::seen::{Scale, Seen};
use crate::network::Port;
use crate::verdict::{Judgement, Layer};

/// Nothing waits for the network but what is allowed. Sockets on loopback addresses do not count.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Listening {
    /// Ports on which something may wait.
    pub allow: Vec<Port>,
}

/// Every socket that waits, those on loopback addresses included.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListeningFacts {
    /// The sockets.
    pub sockets: Seen<Vec<Socket>>,
}

/// A socket that waits.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Socket {
    /// Its port.
    pub port: Port,
    /// The address that it waits on.
    pub address: IpAddr,
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.port, self.address)
    }
}

impl Listening {
    pub(super) fn subject() -> String {
        "sockets that wait for the network".to_owned()
    }

    /// Judges the sockets.
    pub fn judge(&self, facts: &ListeningFacts) -> Judgement {
        let allowed: Vec<String> = self.allow.iter().map(ToString::to_string).collect();
        let mut scale = Scale::new(format!("nothing but {}", allowed.join(", ")));
        match &facts.sockets {
            Seen::Absent => scale.unknown("the kernel has no list of sockets"),
            Seen::Found(sockets) => {
                for socket in sockets.iter().filter(|socket| !is_loopback(socket.address)) {
                    scale.weigh(
                        Layer::Effective,
                        format!("/proc/net/{}", socket.port.protocol),
                        socket.to_string(),
                        self.allow.contains(&socket.port),
                    );
                }
                if sockets.iter().all(|socket| is_loopback(socket.address)) {
                    scale.note(Layer::Effective, "/proc/net", "nothing");
                }
            }
            Seen::NotRunning => {}
            Seen::Unreadable(cause) => scale.unknown(cause),
        }
        scale.conclude()
    }
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_waits_but_what_is_allowed() {
        let check: Listening = toml::from_str("allow = [\"tcp/22\"]").unwrap();
        let socket = |port: &str, address: &str| Socket {
            port: port.to_owned().try_into().unwrap(),
            address: address.parse().unwrap(),
        };
        let table = [
            (vec![], "pass"),
            (vec![socket("tcp/22", "0.0.0.0")], "pass"),
            (vec![socket("tcp/25", "127.0.0.1")], "pass"),
            (vec![socket("tcp/25", "::ffff:127.0.0.1")], "pass"),
            (vec![socket("tcp/25", "10.0.0.4")], "fail"),
            (vec![socket("udp/22", "::")], "fail"),
        ];
        for (sockets, expected) in table {
            let facts = ListeningFacts {
                sockets: Seen::Found(sockets),
            };
            assert_eq!(check.judge(&facts).verdict.word(), expected, "{facts:?}");
        }
    }
}
