//! The door: clients for all services, of one setting and one identity.

use std::fmt;
use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use azure_core::http::HttpClient;

use crate::arm::Arm;
use crate::blob::Container;
use crate::credential::{Health, Identity, Prefetched, SourceError, source};
use crate::datafactory::Factory;
use crate::gallery::Gallery;
use crate::ingestion::Ingestion;
use crate::names::{Account, ContainerName, ResourceId, Segment, VaultName};
use crate::setting::{Endpoint, Setting};
use crate::transport::{Wire, WireError};
use crate::vault::Vault;

/// Clients for all services, of one setting and one identity.
#[derive(Clone)]
pub struct Door {
    setting: Arc<Setting>,
    tokens: Prefetched,
    credential: Arc<dyn TokenCredential>,
    wire: Arc<dyn HttpClient>,
}

/// Why the door does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A client could not be made.
    #[error("failed to set up a client for `{url}`")]
    Client {
        /// Where the service is.
        url: String,
        /// What is in the way.
        source: azure_core::Error,
    },
    /// The identity cannot be used.
    #[error(transparent)]
    Identity(#[from] SourceError),
    /// A setting and names that make no URL.
    #[error("failed to set up a client: `{url}` is not a URL")]
    Url {
        /// What is not one.
        url: String,
    },
    /// There is no wire.
    #[error(transparent)]
    Wire(#[from] WireError),
}

impl Door {
    /// Opens the door as this identity. To be called within a tokio runtime.
    pub fn open(setting: Setting, identity: &Identity) -> Result<Self, OpenError> {
        let setting = Arc::new(setting);
        let wire: Arc<dyn HttpClient> = Arc::new(Wire::new(&setting)?);
        let tokens = source(identity, &setting, &wire)?;
        Ok(Self::over(setting, tokens, wire))
    }

    /// A door with a wire and a source of tokens of one's own.
    #[cfg(any(test, feature = "test-util"))]
    #[must_use]
    pub fn with(
        setting: Setting,
        source: Arc<dyn TokenCredential>,
        wire: Arc<dyn HttpClient>,
    ) -> Self {
        Self::over(Arc::new(setting), source, wire)
    }

    fn over(
        setting: Arc<Setting>,
        source: Arc<dyn TokenCredential>,
        wire: Arc<dyn HttpClient>,
    ) -> Self {
        let tokens = Prefetched::new(source);
        let credential: Arc<dyn TokenCredential> = Arc::new(tokens.clone());
        Self {
            setting,
            tokens,
            credential,
            wire,
        }
    }

    /// Where Azure is.
    #[must_use]
    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    /// How the tokens are.
    #[must_use]
    pub fn tokens(&self) -> Vec<Health> {
        self.tokens.health()
    }

    /// Begins to fetch the token for storage before it is needed.
    pub fn prefetch_storage(&self) {
        if let Some(scope) = crate::call::Service::Blob.scope() {
            self.tokens.prefetch(scope);
        }
    }

    /// A container of a storage account.
    pub fn container(
        &self,
        account: &Account,
        name: &ContainerName,
    ) -> Result<Container, OpenError> {
        Container::new(&self.setting, account, name, &self.credential, &self.wire)
    }

    /// A key vault.
    pub fn vault(&self, name: &VaultName) -> Result<Vault, OpenError> {
        Vault::new(&self.setting, name, &self.credential, &self.wire)
    }

    /// Azure Resource Manager.
    pub fn arm(&self) -> Result<Arm, OpenError> {
        Arm::new(&self.setting, &self.credential, &self.wire)
    }

    /// A data factory.
    pub fn factory(&self, id: &ResourceId) -> Result<Factory, OpenError> {
        Ok(Factory::new(self.arm()?, id.clone()))
    }

    /// A compute gallery.
    pub fn gallery(&self, id: &ResourceId) -> Result<Gallery, OpenError> {
        Ok(Gallery::new(self.arm()?, id.clone()))
    }

    /// A stream of a data collection rule, at its ingestion endpoint.
    pub fn ingestion(
        &self,
        endpoint: &Endpoint,
        rule: &Segment,
        stream: &Segment,
    ) -> Result<Ingestion, OpenError> {
        let scope = format!("{}/.default", self.setting.monitor());
        Ingestion::new(endpoint, rule, stream, &scope, &self.credential, &self.wire)
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Door")
            .field("setting", &self.setting)
            .field("tokens", &self.tokens)
            .finish_non_exhaustive()
    }
}
