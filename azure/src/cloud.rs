//! The clouds, and where their services stand.
//!
//! Names are those of `az cloud list`; endpoints and suffixes those of the cloud metadata that Azure
//! Resource Manager publishes (`/metadata/endpoints`, api-version 2022-09-01).

use serde::{Deserialize, Serialize};

/// One of Azure's sovereign clouds.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum Cloud {
    /// Azure in China, operated by 21Vianet.
    #[serde(rename = "AzureChinaCloud")]
    China,
    /// The public cloud.
    #[default]
    #[serde(rename = "AzureCloud")]
    Public,
    /// Azure for the government of the United States.
    #[serde(rename = "AzureUSGovernment")]
    UsGovernment,
}

impl Cloud {
    /// Where Azure Resource Manager answers.
    #[must_use]
    pub const fn resource_manager(self) -> &'static str {
        match self {
            Self::China => "https://management.chinacloudapi.cn",
            Self::Public => "https://management.azure.com",
            Self::UsGovernment => "https://management.usgovcloudapi.net",
        }
    }

    /// Where Microsoft Entra ID issues tokens.
    #[must_use]
    pub const fn authority(self) -> &'static str {
        match self {
            Self::China => "https://login.chinacloudapi.cn",
            Self::Public => "https://login.microsoftonline.com",
            Self::UsGovernment => "https://login.microsoftonline.us",
        }
    }

    /// What follows the account's name in the host of its blob service.
    #[must_use]
    pub const fn blob_suffix(self) -> &'static str {
        match self {
            Self::China => "blob.core.chinacloudapi.cn",
            Self::Public => "blob.core.windows.net",
            Self::UsGovernment => "blob.core.usgovcloudapi.net",
        }
    }

    /// Whom a token for Azure Monitor's log ingestion is for.
    #[must_use]
    pub const fn monitor(self) -> &'static str {
        match self {
            Self::China => "https://monitor.azure.cn",
            Self::Public => "https://monitor.azure.com",
            Self::UsGovernment => "https://monitor.azure.us",
        }
    }

    /// What follows the vault's name in the host of its Key Vault.
    #[must_use]
    pub const fn vault_suffix(self) -> &'static str {
        match self {
            Self::China => "vault.azure.cn",
            Self::Public => "vault.azure.net",
            Self::UsGovernment => "vault.usgovcloudapi.net",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Setting {
        cloud: Cloud,
    }

    #[test]
    fn clouds_have_the_names_that_az_uses() {
        for (name, expected) in [
            ("AzureCloud", Cloud::Public),
            ("AzureUSGovernment", Cloud::UsGovernment),
            ("AzureChinaCloud", Cloud::China),
        ] {
            let setting: Setting = toml::from_str(&format!("cloud = \"{name}\"")).unwrap();
            assert_eq!(setting.cloud, expected);
        }
        assert!(toml::from_str::<Setting>("cloud = \"azurecloud\"").is_err());
    }

    /// A sovereign cloud's data must not be sent to another cloud by a mistyped suffix.
    #[test]
    fn no_two_clouds_share_an_endpoint() {
        let endpoints = [Cloud::China, Cloud::Public, Cloud::UsGovernment].map(|cloud| {
            [
                cloud.resource_manager(),
                cloud.authority(),
                cloud.blob_suffix(),
                cloud.monitor(),
                cloud.vault_suffix(),
            ]
        });
        for (at, one) in endpoints.iter().enumerate() {
            for other in endpoints.iter().skip(at + 1) {
                assert!(one.iter().all(|endpoint| !other.contains(endpoint)));
            }
        }
    }
}
