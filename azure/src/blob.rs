//! Blob storage: containers and blobs.

mod block;
mod hash;
mod list;
mod properties;
mod read;
mod upload;

use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use azure_core::http::{Etag, HttpClient, Url};
use azure_storage_blob::models::{
    BlobClientDeleteOptions, BlobClientSetImmutabilityPolicyOptions, BlobClientSetLegalHoldOptions,
    ImmutabilityPolicyMode,
};
use azure_storage_blob::{BlobClient, BlobContainerClient, BlobContainerClientOptions};
use jiff::Timestamp;

use crate::call;
use crate::door::OpenError;
use crate::error::Error;
use crate::names::{Account, BlobName, ContainerName};
use crate::patience::Patience;
use crate::setting::Setting;

pub use hash::Hashes;
pub use list::{Item, ListError};
pub use properties::{ContainerProperties, Mode, Properties};
pub use read::ReadError;
pub use upload::{Outcome, Upload, UploadError, Uploaded};

/// A container.
#[derive(Clone)]
pub struct Container {
    url: String,
    /// For short answers.
    short: Arc<BlobContainerClient>,
    /// For content.
    bulk: Arc<BlobContainerClient>,
}

impl std::fmt::Debug for Container {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_struct("Container")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Container {
    pub(crate) fn new(
        setting: &Setting,
        account: &Account,
        name: &ContainerName,
        credential: &Arc<dyn TokenCredential>,
        wire: &Arc<dyn HttpClient>,
    ) -> Result<Self, OpenError> {
        let text = format!("{}/{name}", setting.blob(account));
        let url = Url::parse(&text).map_err(|_not_a_url| OpenError::Url { url: text.clone() })?;
        let client = |patience: Patience| {
            let mut options = BlobContainerClientOptions {
                client_options: patience.options(wire),
                ..BlobContainerClientOptions::default()
            };
            if let Some(version) = &setting.storage_version {
                options.version.clone_from(version);
            }
            BlobContainerClient::new(url.clone(), Some(Arc::clone(credential)), Some(options))
                .map(Arc::new)
                .map_err(|source| OpenError::Client {
                    url: text.clone(),
                    source,
                })
        };
        Ok(Self {
            short: client(Patience::SERVICE)?,
            bulk: client(Patience::BULK)?,
            url: text,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Reads what holds for the container.
    pub async fn properties(&self) -> Result<ContainerProperties, Error> {
        properties::of_container(self).await
    }

    /// Lists the blobs whose names begin with a prefix, in order of their names; `most` at the most, more are
    /// an error.
    pub async fn list(&self, prefix: &str, most: usize) -> Result<Vec<Item>, ListError> {
        list::list(self, prefix, most).await
    }

    /// A blob of the container, whether it is there or not.
    #[must_use]
    pub fn blob(&self, name: &BlobName) -> Blob {
        Blob {
            url: format!("{}/{name}", self.url),
            short: self.short.blob_client(name.as_str()),
            bulk: self.bulk.blob_client(name.as_str()),
        }
    }
}

/// A blob.
pub struct Blob {
    url: String,
    short: BlobClient,
    bulk: BlobClient,
}

impl std::fmt::Debug for Blob {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_struct("Blob")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Blob {
    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same blob as it was at a version.
    pub fn at(&self, version: &str) -> Result<Self, Error> {
        let failed = |error| Error::new(&call::blob::PROPERTIES, &self.url, error);
        Ok(Self {
            url: self.url.clone(),
            short: self.short.with_version(version).map_err(failed)?,
            bulk: self.bulk.with_version(version).map_err(failed)?,
        })
    }

    /// Reads what holds for the blob.
    pub async fn properties(&self) -> Result<Properties, Error> {
        properties::of_blob(self).await
    }

    /// The same, or none if there is no such blob.
    pub async fn find(&self) -> Result<Option<Properties>, Error> {
        match self.properties().await {
            // The answer to a HEAD has no body; a container that is missing is no missing blob.
            Err(error)
                if error.status() == Some(404) && error.code() != Some("ContainerNotFound") =>
            {
                Ok(None)
            }
            other => other.map(Some),
        }
    }

    /// Reads `length` bytes from `offset`, of the content that has this etag and of no other.
    ///
    /// Where the service gives a checksum (ranges up to 4 MiB), the bytes are compared with it.
    pub async fn read(
        &self,
        offset: u64,
        length: u64,
        etag: &str,
    ) -> Result<bytes::Bytes, ReadError> {
        read::read(self, offset, length, etag).await
    }

    /// Uploads a file as a new blob: never over an existing one, block by block, resuming what is staged.
    pub async fn upload(&self, upload: Upload) -> Result<Uploaded, UploadError> {
        upload::upload(self, upload).await
    }

    /// Deletes the blob if it still has this etag.
    pub async fn delete(&self, etag: &str) -> Result<(), Error> {
        let options = BlobClientDeleteOptions {
            if_match: Some(Etag::from(etag.to_owned())),
            ..BlobClientDeleteOptions::default()
        };
        let deleted = self.short.delete(Some(options)).await;
        deleted
            .map(drop)
            .map_err(|error| Error::new(&call::blob::REMOVE, &self.url, error))
    }

    /// Makes the blob immutable until a moment. A locked policy can only be lengthened.
    pub async fn make_immutable(&self, until: Timestamp, mode: Mode) -> Result<(), Error> {
        let call = call::blob::IMMUTABLE;
        let expiry = properties::to_offset(until)
            .map_err(|source| Error::because(&call, &self.url, source))?;
        let options = BlobClientSetImmutabilityPolicyOptions {
            immutability_policy_mode: Some(match mode {
                Mode::Locked => ImmutabilityPolicyMode::Locked,
                Mode::Unlocked => ImmutabilityPolicyMode::Unlocked,
            }),
            ..BlobClientSetImmutabilityPolicyOptions::default()
        };
        let set = self
            .short
            .set_immutability_policy(&expiry, Some(options))
            .await;
        set.map(drop)
            .map_err(|error| Error::new(&call, &self.url, error))
    }

    /// Puts the blob under legal hold, or ends that.
    pub async fn set_legal_hold(&self, held: bool) -> Result<(), Error> {
        let options = Some(BlobClientSetLegalHoldOptions::default());
        let set = self.short.set_legal_hold(held, options).await;
        set.map(drop)
            .map_err(|error| Error::new(&call::blob::LEGAL_HOLD, &self.url, error))
    }
}
