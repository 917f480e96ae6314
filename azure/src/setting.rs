//! Where Azure is: one setting that a policy, a recipe or a test reads.
//!
//! ```
//! let setting: azure::setting::Setting = toml::from_str(r#"
//!     cloud = "AzureUSGovernment"
//!     [[private]]
//!     host = "stsecure.blob.core.usgovcloudapi.net"
//!     within = ["10.20.0.0/16"]
//! "#).unwrap();
//! assert!(setting.proxy.is_none());
//! ```

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use azure_core::http::Url;
use serde::{Deserialize, Serialize};

use crate::cloud::Cloud;
use crate::names::{Account, VaultName};
use crate::net::Range;

/// Where Azure is, and how it is reached.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Setting {
    /// Which cloud, by the name that `az cloud list` gives it.
    pub cloud: Cloud,
    /// Endpoints that differ from the cloud's: a stack of one's own, or a laboratory.
    pub endpoints: Endpoints,
    /// The only proxy that is ever used. Those that the environment names are not.
    pub proxy: Option<Endpoint>,
    /// A file of PEM certificates that are trusted besides the system's.
    pub root_ca: Option<PathBuf>,
    /// Addresses of hosts that are not looked up.
    pub pinned: BTreeMap<String, Vec<IpAddr>>,
    /// Hosts that must answer from a private address.
    pub private: Vec<Private>,
    /// Version of the storage protocol, where a cloud does not speak the one of the client yet.
    pub storage_version: Option<String>,
}

/// Endpoints that differ from the cloud's.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Endpoints {
    /// Microsoft Entra ID, which issues tokens.
    pub authority: Option<Endpoint>,
    /// What follows the account's name in the host of its blob service; may end in a port.
    pub blob_suffix: Option<Suffix>,
    /// Whom a token for log ingestion is for.
    pub monitor: Option<Endpoint>,
    /// Azure Resource Manager.
    pub resource_manager: Option<Endpoint>,
    /// What follows the vault's name in the host of its Key Vault; may end in a port.
    pub vault_suffix: Option<Suffix>,
}

/// A host that must answer from a private address.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Private {
    /// The host, or `*.` and a suffix for all below it.
    pub host: String,
    /// Where its addresses must lie. Empty: in any private range (RFC 1918, RFC 4193).
    #[serde(default)]
    pub within: Vec<Range>,
}

impl Private {
    /// Says whether the rule speaks of a host.
    #[must_use]
    pub fn names(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let rule = self.host.to_ascii_lowercase();
        match rule.strip_prefix('*') {
            Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
            None => host == rule,
        }
    }
}

impl Setting {
    /// Where Azure Resource Manager answers.
    #[must_use]
    pub fn resource_manager(&self) -> &str {
        chosen(
            self.endpoints.resource_manager.as_ref(),
            self.cloud.resource_manager(),
        )
    }

    /// Where Microsoft Entra ID issues tokens.
    #[must_use]
    pub fn authority(&self) -> &str {
        chosen(self.endpoints.authority.as_ref(), self.cloud.authority())
    }

    /// Whom a token for log ingestion is for.
    #[must_use]
    pub fn monitor(&self) -> &str {
        chosen(self.endpoints.monitor.as_ref(), self.cloud.monitor())
    }

    /// The blob service of an account.
    #[must_use]
    pub fn blob(&self, account: &Account) -> String {
        let suffix = self.endpoints.blob_suffix.as_ref().map(Suffix::as_str);
        format!(
            "https://{account}.{}",
            suffix.unwrap_or_else(|| self.cloud.blob_suffix())
        )
    }

    /// A Key Vault.
    #[must_use]
    pub fn vault(&self, vault: &VaultName) -> String {
        let suffix = self.endpoints.vault_suffix.as_ref().map(Suffix::as_str);
        format!(
            "https://{vault}.{}",
            suffix.unwrap_or_else(|| self.cloud.vault_suffix())
        )
    }

    /// The rule that a host must obey, where there is one.
    #[must_use]
    pub fn private(&self, host: &str) -> Option<&Private> {
        self.private.iter().find(|rule| rule.names(host))
    }
}

fn chosen<'a>(own: Option<&'a Endpoint>, cloud: &'a str) -> &'a str {
    own.map_or(cloud, Endpoint::as_str)
}

/// A text that is neither an endpoint nor the suffix of one.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not {wanted}")]
pub struct InvalidEndpoint {
    text: String,
    wanted: &'static str,
}

/// The root of a service: `https`, a host, perhaps a port, and nothing else.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Endpoint(String);

impl Endpoint {
    /// The endpoint without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Endpoint {
    type Error = InvalidEndpoint;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let plain = |url: &Url| {
            let scheme = url.scheme() == "https" || url.scheme() == "http" && is_loopback(url);
            scheme
                && url.has_host()
                && url.path() == "/"
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty()
                && url.password().is_none()
        };
        match Url::parse(&text) {
            Ok(url) if plain(&url) => Ok(Self(text.trim_end_matches('/').to_owned())),
            _ => Err(InvalidEndpoint {
                text,
                wanted: "`https://host` or `https://host:port`",
            }),
        }
    }
}

/// A proxy on the machine itself may be spoken to in plain text: it is a tunnel for TLS.
fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        host.trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
    })
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> Self {
        endpoint.0
    }
}

/// What follows the first label of a host, such as `blob.core.windows.net`; may end in a port.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Suffix(String);

impl Suffix {
    /// The suffix, without a dot before it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Suffix {
    type Error = InvalidEndpoint;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let host = text.split_once(':').map_or(text.as_str(), |(host, _)| host);
        let labels = host.split('.').all(|label| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-')
        });
        let port = text
            .split_once(':')
            .is_none_or(|(_, port)| port.parse::<u16>().is_ok());
        if labels && port {
            Ok(Self(text))
        } else {
            Err(InvalidEndpoint {
                text,
                wanted: "a suffix such as `blob.core.windows.net`",
            })
        }
    }
}

impl From<Suffix> for String {
    fn from(suffix: Suffix) -> Self {
        suffix.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_setting_is_the_public_cloud_without_a_proxy() {
        let setting: Setting = toml::from_str("").unwrap();

        assert_eq!(setting.resource_manager(), "https://management.azure.com");
        assert_eq!(
            setting.blob(&Account::try_from("stsecure").unwrap()),
            "https://stsecure.blob.core.windows.net"
        );
        assert_eq!(setting.proxy, None);
        assert!(setting.private.is_empty());
    }

    #[test]
    fn own_endpoints_win_over_the_clouds() {
        let setting: Setting = toml::from_str(
            r#"
            cloud = "AzureChinaCloud"
            endpoints.blob-suffix = "blob.lab.test:10000"
            endpoints.resource-manager = "https://management.lab.test:8443/"
            "#,
        )
        .unwrap();

        assert_eq!(
            setting.resource_manager(),
            "https://management.lab.test:8443"
        );
        assert_eq!(
            setting.blob(&Account::try_from("stlanding").unwrap()),
            "https://stlanding.blob.lab.test:10000"
        );
        assert_eq!(setting.authority(), "https://login.chinacloudapi.cn");
    }

    #[test]
    fn settings_that_could_send_a_token_astray_are_refused() {
        for text in [
            "endpoints.resource-manager = \"http://management.azure.com\"",
            "endpoints.resource-manager = \"https://user@management.azure.com\"",
            "endpoints.resource-manager = \"https://management.azure.com/path\"",
            "endpoints.blob-suffix = \"blob.core.windows.net/x\"",
            "endpoints.blob-suffix = \"@evil.test\"",
            "endpoints.blob-suffix = \"a.test:b\"",
            "endpoint.blob-suffix = \"a.test\"",
            "proxy = \"http://proxy.test:3128\"",
            "[[private]]\nhost = \"a.test\"\nwithin = [\"10.0.0.0/33\"]",
        ] {
            assert!(toml::from_str::<Setting>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_rule_for_a_suffix_speaks_of_all_hosts_below_it() {
        let rule = Private {
            host: "*.blob.core.windows.net".into(),
            within: vec![],
        };

        assert!(rule.names("stsecure.blob.core.windows.net"));
        assert!(rule.names("STSECURE.blob.core.windows.net"));
        assert!(!rule.names("blob.core.windows.net"));
        assert!(!rule.names("stsecure.blob.core.windows.net.evil.test"));
    }
}
