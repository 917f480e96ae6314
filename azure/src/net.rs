//! Which addresses a host may have, decided on the very addresses that are then connected to.
//!
//! The client looks names up through `Addresses` only, whenever it opens a connection. So there is no
//! moment between looking and connecting in which another answer could slip in (DNS rebinding).

use std::fmt;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use azure_core::http::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use serde::{Deserialize, Serialize};

use crate::setting::{Private, Setting};

/// A range of addresses, such as `10.20.0.0/16` or `fd00::/8`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Range {
    address: IpAddr,
    length: u8,
}

/// A text that is not a range of addresses.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a range of addresses such as `10.20.0.0/16`")]
pub struct InvalidRange {
    text: String,
}

impl Range {
    /// Says whether an address lies in the range.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                let shift = 32_u32.saturating_sub(u32::from(self.length));
                let bits = |address: Ipv4Addr| address.to_bits().checked_shr(shift).unwrap_or(0);
                bits(first) == bits(address)
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                let shift = 128_u32.saturating_sub(u32::from(self.length));
                let bits = |address: Ipv6Addr| address.to_bits().checked_shr(shift).unwrap_or(0);
                bits(first) == bits(address)
            }
            _ => false,
        }
    }
}

impl TryFrom<String> for Range {
    type Error = InvalidRange;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let parsed = text.split_once('/').and_then(|(address, length)| {
            let address: IpAddr = address.parse().ok()?;
            let length: u8 = length.parse().ok()?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            (length <= most).then_some(Self { address, length })
        });
        parsed.ok_or(InvalidRange { text })
    }
}

impl From<Range> for String {
    fn from(range: Range) -> Self {
        range.to_string()
    }
}

impl fmt::Display for Range {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}/{}", self.address, self.length)
    }
}

/// Why no connection is made to a host.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The host answers from where it must not lie.
    #[error("`{host}` answers from {address}, which is {place}")]
    Astray {
        /// The host that was looked up.
        host: String,
        /// What it answered.
        address: IpAddr,
        /// Where that lies, in words.
        place: String,
    },
    /// The name has no address.
    #[error("`{host}` has no address")]
    Nameless {
        /// The host that was looked up.
        host: String,
    },
    /// A token would cross the network in plain text.
    #[error("`{host}` is not spoken to over {scheme}")]
    Plain {
        /// The host of the request.
        host: String,
        /// The scheme of its URL.
        scheme: String,
    },
    /// The name could not be looked up in time.
    #[error("`{host}` could not be looked up within {} s", waited.as_secs())]
    Slow {
        /// The host that was looked up.
        host: String,
        /// How long was waited.
        waited: Duration,
    },
}

/// Looks hosts up, and refuses addresses that a host must not have.
#[derive(Clone)]
pub struct Addresses {
    setting: Arc<Setting>,
    lookup: Arc<dyn Lookup>,
}

impl fmt::Debug for Addresses {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Addresses")
            .field("setting", &self.setting)
            .finish_non_exhaustive()
    }
}

impl Addresses {
    /// Addresses that the machine's resolver gives, as the setting allows them.
    #[must_use]
    pub fn new(setting: Arc<Setting>) -> Self {
        Self {
            setting,
            lookup: Arc::new(System),
        }
    }

    /// Looks a host up: the pinned addresses, or the resolver's, all of which must be allowed.
    pub async fn of(&self, host: &str) -> Result<Vec<IpAddr>, Refused> {
        let addresses = match self.setting.pinned.get(host) {
            Some(pinned) => pinned.clone(),
            None => tokio::time::timeout(LOOKUP, self.lookup.addresses(host))
                .await
                .map_err(|_elapsed| Refused::Slow {
                    host: host.to_owned(),
                    waited: LOOKUP,
                })?,
        };
        if addresses.is_empty() {
            return Err(Refused::Nameless {
                host: host.to_owned(),
            });
        }
        for address in &addresses {
            self.admit(host, *address)?;
        }
        Ok(addresses)
    }

    /// Checks what a URL itself says about where it leads: its scheme, and an address in place of a name.
    pub fn check(&self, url: &Url) -> Result<(), Refused> {
        let host = url.host_str().unwrap_or_default();
        if url.scheme() != "https" {
            return Err(Refused::Plain {
                host: host.to_owned(),
                scheme: url.scheme().to_owned(),
            });
        }
        match host.trim_matches(['[', ']']).parse() {
            Ok(address) => self.admit(host, address),
            Err(_not_an_address) => Ok(()),
        }
    }

    fn admit(&self, host: &str, address: IpAddr) -> Result<(), Refused> {
        let Some(rule) = self.setting.private(host) else {
            return Ok(());
        };
        let address = address.to_canonical();
        if allows(rule, address) {
            return Ok(());
        }
        let place = if is_private(address) {
            let ranges: Vec<String> = rule.within.iter().map(ToString::to_string).collect();
            format!("outside of {}", ranges.join(", "))
        } else {
            "not a private address".to_owned()
        };
        Err(Refused::Astray {
            host: host.to_owned(),
            address,
            place,
        })
    }
}

/// How long a name may take to be looked up. The resolver's own patience (5 s, twice, per server) is longer
/// than anybody's who waits for a file.
const LOOKUP: Duration = Duration::from_secs(5);

fn allows(rule: &Private, address: IpAddr) -> bool {
    if rule.within.is_empty() {
        is_private(address)
    } else {
        rule.within.iter().any(|range| range.contains(address))
    }
}

/// RFC 1918 and RFC 4193. Loopback and link-local are not where a private endpoint is.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private(),
        IpAddr::V6(address) => address.is_unique_local(),
    }
}

impl Resolve for Addresses {
    fn resolve(&self, name: Name) -> Resolving {
        let this = self.clone();
        Box::pin(async move {
            let addresses = this.of(name.as_str()).await?;
            let sockets = addresses
                .into_iter()
                .map(|address| SocketAddr::new(address, 0));
            let sockets: Addrs = Box::new(sockets.collect::<Vec<_>>().into_iter());
            Ok(sockets)
        })
    }
}

/// Asks somebody for the addresses of a host; none when the name is unknown.
trait Lookup: Send + Sync {
    fn addresses<'a>(
        &'a self,
        host: &'a str,
    ) -> Pin<Box<dyn Future<Output = Vec<IpAddr>> + Send + 'a>>;
}

/// The machine's resolver.
struct System;

impl Lookup for System {
    fn addresses<'a>(
        &'a self,
        host: &'a str,
    ) -> Pin<Box<dyn Future<Output = Vec<IpAddr>> + Send + 'a>> {
        Box::pin(async move {
            match tokio::net::lookup_host((host, 0)).await {
                Ok(sockets) => sockets.map(|socket| socket.ip()).collect(),
                Err(error) => {
                    tracing::debug!(host, %error, "look-up failed");
                    Vec::new()
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Answers(Vec<&'static str>);

    impl Lookup for Answers {
        fn addresses<'a>(
            &'a self,
            _host: &'a str,
        ) -> Pin<Box<dyn Future<Output = Vec<IpAddr>> + Send + 'a>> {
            let addresses = self
                .0
                .iter()
                .map(|address| address.parse().unwrap())
                .collect();
            Box::pin(async move { addresses })
        }
    }

    struct Silent;

    impl Lookup for Silent {
        fn addresses<'a>(
            &'a self,
            _host: &'a str,
        ) -> Pin<Box<dyn Future<Output = Vec<IpAddr>> + Send + 'a>> {
            Box::pin(std::future::pending())
        }
    }

    fn addresses(setting: &str, lookup: impl Lookup + 'static) -> Addresses {
        let setting = Arc::new(toml::from_str(setting).unwrap());
        Addresses {
            setting,
            lookup: Arc::new(lookup),
        }
    }

    const HOST: &str = "stsecure.blob.core.windows.net";
    const ANY_PRIVATE: &str = "[[private]]\nhost = \"*.blob.core.windows.net\"";
    const WITHIN: &str =
        "[[private]]\nhost = \"*.blob.core.windows.net\"\nwithin = [\"10.20.0.0/16\"]";

    #[tokio::test]
    async fn a_public_answer_for_a_private_host_is_refused_by_name_and_address() {
        for setting in [ANY_PRIVATE, WITHIN] {
            let error = addresses(setting, Answers(vec!["10.20.0.4", "20.60.1.1"]))
                .of(HOST)
                .await
                .unwrap_err();

            assert_eq!(
                error.to_string(),
                format!("`{HOST}` answers from 20.60.1.1, which is not a private address")
            );
        }
    }

    #[tokio::test]
    async fn a_private_answer_outside_of_its_range_is_refused() {
        let error = addresses(WITHIN, Answers(vec!["10.21.0.4"]))
            .of(HOST)
            .await
            .unwrap_err();

        assert_eq!(
            error.to_string(),
            format!("`{HOST}` answers from 10.21.0.4, which is outside of 10.20.0.0/16")
        );
    }

    #[tokio::test]
    async fn neither_loopback_nor_a_mapped_public_address_is_private() {
        for answer in [
            "127.0.0.1",
            "169.254.1.1",
            "::1",
            "fe80::1",
            "::ffff:20.60.1.1",
            "2603::1",
        ] {
            let refused = addresses(ANY_PRIVATE, Answers(vec![answer])).of(HOST).await;
            assert!(matches!(refused, Err(Refused::Astray { .. })), "{answer}");
        }
        for answer in ["10.0.0.1", "172.16.0.1", "192.168.9.9", "fd00::1"] {
            assert!(
                addresses(ANY_PRIVATE, Answers(vec![answer]))
                    .of(HOST)
                    .await
                    .is_ok(),
                "{answer}"
            );
        }
    }

    #[tokio::test]
    async fn a_pin_replaces_the_look_up_but_not_the_rule() {
        let pinned = format!("pinned.\"{HOST}\" = [\"10.20.9.9\"]\n{WITHIN}");
        let found = addresses(&pinned, Answers(vec!["20.60.1.1"]))
            .of(HOST)
            .await
            .unwrap();
        assert_eq!(found, ["10.20.9.9".parse::<IpAddr>().unwrap()]);

        let astray = format!("pinned.\"{HOST}\" = [\"20.60.1.1\"]\n{WITHIN}");
        assert!(
            addresses(&astray, Answers(vec!["10.20.0.1"]))
                .of(HOST)
                .await
                .is_err()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_resolver_that_never_answers_is_given_five_seconds() {
        let error = addresses("", Silent).of(HOST).await.unwrap_err();
        assert!(matches!(error, Refused::Slow { .. }), "{error}");
    }

    #[tokio::test]
    async fn an_unknown_name_is_an_error_of_its_own() {
        let error = addresses("", Answers(vec![])).of(HOST).await.unwrap_err();
        assert_eq!(error.to_string(), format!("`{HOST}` has no address"));
    }

    #[test]
    fn an_address_in_place_of_a_name_obeys_the_same_rules() {
        let setting = "[[private]]\nhost = \"20.60.1.1\"";
        let addresses = addresses(setting, Answers(vec![]));

        assert!(
            addresses
                .check(&Url::parse("https://20.60.1.1/x").unwrap())
                .is_err()
        );
        assert!(
            addresses
                .check(&Url::parse("https://10.20.0.1/x").unwrap())
                .is_ok()
        );
        assert!(
            addresses
                .check(&Url::parse("http://10.20.0.1/x").unwrap())
                .is_err()
        );
    }

    #[test]
    fn ranges_say_what_lies_in_them() {
        let range = |text: &str| Range::try_from(text.to_owned());
        let address = |text: &str| text.parse::<IpAddr>().unwrap();

        assert!(
            range("10.20.0.0/16")
                .unwrap()
                .contains(address("10.20.255.255"))
        );
        assert!(
            !range("10.20.0.0/16")
                .unwrap()
                .contains(address("10.21.0.0"))
        );
        assert!(range("0.0.0.0/0").unwrap().contains(address("8.8.8.8")));
        assert!(!range("0.0.0.0/0").unwrap().contains(address("fd00::1")));
        assert!(range("fd00::/8").unwrap().contains(address("fdff::1")));
        for text in ["10.0.0.0", "10.0.0.0/33", "fd00::/129", "ten/8", "/8"] {
            assert!(range(text).is_err(), "{text}");
        }
    }
}
