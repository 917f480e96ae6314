//! What holds for a container and for a blob.

use std::collections::BTreeMap;

use azure_storage_blob::models::{
    BlobClientGetPropertiesResultHeaders, BlobContainerClientGetPropertiesResultHeaders,
    ImmutabilityPolicyMode,
};
use jiff::Timestamp;
use serde::Serialize;
use time::OffsetDateTime;

use super::{Blob, Container};
use crate::call;
use crate::error::Error;

/// What holds for a container.
#[expect(
    clippy::struct_excessive_bools,
    reason = "the service says each on its own"
)]
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ContainerProperties {
    /// Whether versions of blobs can be made immutable one by one.
    pub versioned_immutability: bool,
    /// Whether the container has an immutability policy.
    pub immutability_policy: bool,
    /// Whether the container is under legal hold.
    pub legal_hold: bool,
    /// Whether anybody can read it without a token.
    pub public: bool,
}

/// What holds for a blob.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Properties {
    /// The name of this content. It changes whenever the blob does.
    pub etag: String,
    /// How long it is.
    pub size: u64,
    /// The MD5 that was stored with it, in hexadecimal digits.
    pub md5: Option<String>,
    /// When it was changed last.
    pub modified: Option<Timestamp>,
    /// Which version it is, where the account keeps versions.
    pub version: Option<String>,
    /// What its uploader said about it.
    pub metadata: BTreeMap<String, String>,
    /// Until when it can be neither changed nor deleted.
    pub immutable_until: Option<Timestamp>,
    /// Whether that can be taken back.
    pub immutability: Option<Mode>,
    /// Whether it is under legal hold.
    pub legal_hold: bool,
}

/// Whether an immutability policy can be taken back.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// It cannot; it can only be lengthened.
    Locked,
    /// It can.
    Unlocked,
}

pub(super) async fn of_container(container: &Container) -> Result<ContainerProperties, Error> {
    let failed = |error| Error::new(&call::blob::CONTAINER_PROPERTIES, &container.url, error);
    let answer = container.short.get_properties(None).await.map_err(failed)?;
    Ok(ContainerProperties {
        versioned_immutability: answer
            .is_immutable_storage_with_versioning_enabled()
            .map_err(failed)?
            .unwrap_or(false),
        immutability_policy: answer
            .has_immutability_policy()
            .map_err(failed)?
            .unwrap_or(false),
        legal_hold: answer.has_legal_hold().map_err(failed)?.unwrap_or(false),
        public: answer.access().map_err(failed)?.is_some(),
    })
}

pub(super) async fn of_blob(blob: &Blob) -> Result<Properties, Error> {
    let call = call::blob::PROPERTIES;
    let failed = |error| Error::new(&call, &blob.url, error);
    let answer = blob.short.get_properties(None).await.map_err(failed)?;
    let missing = |what| Error::because(&call, &blob.url, format!("the answer has no {what}"));
    Ok(Properties {
        etag: answer
            .etag()
            .map_err(failed)?
            .ok_or_else(|| missing("etag"))?
            .to_string(),
        size: answer
            .content_length()
            .map_err(failed)?
            .ok_or_else(|| missing("length"))?,
        md5: answer.content_md5().map_err(failed)?.map(hex::encode),
        modified: answer
            .last_modified()
            .map_err(failed)?
            .and_then(from_offset),
        version: answer.version_id().map_err(failed)?,
        metadata: answer.metadata().map_err(failed)?.into_iter().collect(),
        immutable_until: answer
            .immutability_policy_expires_on()
            .map_err(failed)?
            .and_then(from_offset),
        immutability: answer
            .immutability_policy_mode()
            .map_err(failed)?
            .and_then(mode),
        legal_hold: answer.legal_hold().map_err(failed)?.unwrap_or(false),
    })
}

/// A policy that the service calls mutable protects nothing.
fn mode(mode: ImmutabilityPolicyMode) -> Option<Mode> {
    match mode {
        ImmutabilityPolicyMode::Locked => Some(Mode::Locked),
        ImmutabilityPolicyMode::Unlocked => Some(Mode::Unlocked),
        ImmutabilityPolicyMode::Mutable => None,
    }
}

pub(super) fn from_offset(moment: OffsetDateTime) -> Option<Timestamp> {
    Timestamp::from_second(moment.unix_timestamp()).ok()
}

pub(super) fn to_offset(moment: Timestamp) -> Result<OffsetDateTime, time::error::ComponentRange> {
    OffsetDateTime::from_unix_timestamp(moment.as_second())
}
