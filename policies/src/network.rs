//! Words of the network: address ranges and ports.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A text that does not follow the grammar of its word.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not {wanted}")]
pub struct InvalidWord {
    text: String,
    wanted: &'static str,
}

/// A range of addresses, such as `10.20.0.0/16` or `fd00::/8`.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Network {
    address: IpAddr,
    length: u8,
}

impl Network {
    /// The range of a single address.
    #[must_use]
    pub const fn host(address: IpAddr) -> Self {
        let length = if address.is_ipv4() { 32 } else { 128 };
        Self { address, length }
    }

    /// The first address of the range.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// How many leading bits the addresses of the range share.
    #[must_use]
    pub const fn length(&self) -> u8 {
        self.length
    }

    /// Says whether an address lies in the range.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => {
                first(address, self.length) == self.address
            }
            _ => false,
        }
    }
}

/// The first address of the range of `length` bits that an address lies in.
fn first(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX
                .checked_shl(32_u32.saturating_sub(u32::from(length)))
                .unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX
                .checked_shl(128_u32.saturating_sub(u32::from(length)))
                .unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

impl TryFrom<String> for Network {
    type Error = InvalidWord;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let parsed = text.split_once('/').and_then(|(address, length)| {
            let address: IpAddr = address.parse().ok()?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            let plain = length.bytes().all(|b| b.is_ascii_digit());
            let length: u8 = length.parse().ok().filter(|length| *length <= most)?;
            // Bits behind the prefix are a slip of the pen: nobody can tell what was meant.
            (plain && first(address, length) == address).then_some(Self { address, length })
        });
        parsed.ok_or(InvalidWord {
            text,
            wanted: "a range of addresses such as `10.20.0.0/16`, written with its first address",
        })
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// A protocol that has ports.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Transmission Control Protocol.
    Tcp,
    /// User Datagram Protocol.
    Udp,
}

impl Protocol {
    /// Its name, as it stands in a policy and in a ruleset.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A port with its protocol, such as `tcp/443`.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Port {
    /// The protocol.
    pub protocol: Protocol,
    /// The number, never 0.
    pub number: u16,
}

impl TryFrom<String> for Port {
    type Error = InvalidWord;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let parsed = text.split_once('/').and_then(|(protocol, number)| {
            let protocol = match protocol {
                "tcp" => Protocol::Tcp,
                "udp" => Protocol::Udp,
                _ => return None,
            };
            let plain = number.bytes().all(|b| b.is_ascii_digit());
            let number: u16 = number.parse().ok().filter(|number| *number != 0)?;
            plain.then_some(Self { protocol, number })
        });
        parsed.ok_or(InvalidWord {
            text,
            wanted: "a port such as `tcp/443`",
        })
    }
}

impl From<Port> for String {
    fn from(port: Port) -> Self {
        port.to_string()
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.protocol, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Result<Network, InvalidWord> {
        text.to_owned().try_into()
    }

    #[test]
    fn networks_hold_their_addresses_and_no_others() {
        let inside = network("10.20.0.0/16").unwrap();
        assert!(inside.contains("10.20.255.255".parse().unwrap()));
        assert!(!inside.contains("10.21.0.0".parse().unwrap()));
        assert!(!inside.contains("::ffff:10.20.0.1".parse().unwrap()));
        assert!(
            network("0.0.0.0/0")
                .unwrap()
                .contains("9.9.9.9".parse().unwrap())
        );
        assert!(network("::/0").unwrap().contains("::1".parse().unwrap()));
        assert!(
            !network("fd00::1/128")
                .unwrap()
                .contains("fd00::2".parse().unwrap())
        );
    }

    #[test]
    fn networks_are_written_with_their_first_address() {
        for bad in [
            "",
            "10.20.0.1/16",
            "10.20.0.0",
            "10.20.0.0/33",
            "10.20.0.0/+8",
            "fd00::1/8",
            "x/8",
            "::/129",
        ] {
            assert!(network(bad).is_err(), "{bad}");
        }
        assert_eq!(network("fd00::/8").unwrap().to_string(), "fd00::/8");
    }

    #[test]
    fn ports_name_their_protocol() {
        let port = |text: &str| Port::try_from(text.to_owned());
        assert_eq!(port("tcp/443").unwrap().to_string(), "tcp/443");
        for bad in ["", "443", "tcp/0", "tcp/65536", "sctp/1", "tcp/+1", "tcp/"] {
            assert!(port(bad).is_err(), "{bad}");
        }
    }
}
