//! Who asks: an identity, and tokens for it that never make a caller wait without need.
//!
//! The credentials of the SDK fetch a token while the caller waits, and hold everybody else back meanwhile,
//! even when a valid token is at hand. `Prefetched` fetches in the background instead. Tokens are kept in
//! memory that is wiped, are never written down, and show as nothing but their validity.
//!
//! A program that holds tokens should also say `prctl(PR_SET_DUMPABLE, 0)` when it starts, so that neither a
//! core dump nor another process of the same user can read them. That is the program's business: it is a
//! property of the process, not of this crate.

mod prefetched;
mod source;
mod token;

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use prefetched::{Health, Prefetched, State};
#[cfg(any(test, feature = "test-util"))]
pub(crate) use source::Managed;
pub use source::{SourceError, source};
pub use token::Token;

/// Who asks.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Identity {
    /// Whoever is logged in with the Azure CLI. For a person at a laptop.
    AzureCli,
    /// The identity that Azure gave this VM.
    #[default]
    System,
    /// An identity that was assigned to this VM, by its client id.
    User {
        /// The client id.
        #[serde(rename = "client-id")]
        client_id: String,
    },
    /// A federated identity, as CI systems and Kubernetes have it.
    Workload {
        /// The client id.
        #[serde(rename = "client-id")]
        client_id: String,
        /// The tenant that it belongs to.
        #[serde(rename = "tenant-id")]
        tenant_id: String,
        /// The file in which the federation's token is renewed.
        #[serde(rename = "token-file")]
        token_file: PathBuf,
    },
}

/// There is no token.
#[derive(Debug, thiserror::Error)]
#[error("no token for `{scope}` within {} s: {trouble}", waited.as_secs())]
pub struct Unavailable {
    /// Whom the token is for.
    pub scope: String,
    /// How long was waited.
    pub waited: Duration,
    /// What happened to the last attempt to fetch one.
    pub trouble: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_written_as_in_a_policy() {
        #[derive(Deserialize)]
        struct Mount {
            identity: Identity,
        }
        let read = |text: &str| toml::from_str::<Mount>(text).map(|mount| mount.identity);

        assert_eq!(read("identity = \"system\"").unwrap(), Identity::System);
        assert_eq!(
            read("identity.user.client-id = \"11\"").unwrap(),
            Identity::User {
                client_id: "11".into()
            }
        );
        assert!(read("identity = \"root\"").is_err());
    }
}
