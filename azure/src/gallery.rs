//! Compute Gallery: image definitions, and versions of images.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::arm::{Arm, NOTHING};
use crate::call;
use crate::error::Error;
use crate::names::{ResourceId, Segment};
use crate::operation::Operation;

/// A compute gallery.
#[derive(Clone, Debug)]
pub struct Gallery {
    arm: Arm,
    id: ResourceId,
}

/// An image definition: what the versions of an image have in common.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// The region.
    pub location: String,
    /// Tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// What it says.
    pub properties: ImageProperties,
}

/// What an image definition says.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ImageProperties {
    /// `x64` or `Arm64`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub architecture: String,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// From when on it should no longer be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_of_life_date: Option<String>,
    /// What the image can do, such as `SecurityType`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<Feature>,
    /// `V1` or `V2`.
    #[serde(rename = "hyperVGeneration", skip_serializing_if = "String::is_empty")]
    pub hyper_v_generation: String,
    /// The triple that is unique in a gallery.
    #[serde(skip_serializing_if = "is_default")]
    pub identifier: Identifier,
    /// `Generalized` or `Specialized`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub os_state: String,
    /// `Linux` or `Windows`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub os_type: String,
    /// How far the definition is; said by the service only.
    #[serde(skip_serializing)]
    pub provisioning_state: Option<String>,
}

/// What an image can do.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Feature {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// What tells an image from others.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Identifier {
    /// What is published.
    pub offer: String,
    /// Who publishes it.
    pub publisher: String,
    /// Which kind of it.
    pub sku: String,
}

/// A version of an image.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// Its name: three numbers; said by the service only.
    #[serde(default, skip_serializing)]
    pub name: Option<String>,
    /// The region.
    pub location: String,
    /// Tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// What it says.
    pub properties: VersionProperties,
}

/// What an image version says.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct VersionProperties {
    /// Where and how it is published.
    #[serde(skip_serializing_if = "is_default")]
    pub publishing_profile: PublishingProfile,
    /// What keeps it from being deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safety_profile: Option<SafetyProfile>,
    /// What it is made from.
    #[serde(skip_serializing_if = "is_default")]
    pub storage_profile: VersionStorage,
    /// How far the version is; said by the service only.
    #[serde(skip_serializing)]
    pub provisioning_state: Option<String>,
    /// How far its replication is; said by the service only.
    #[serde(skip_serializing)]
    pub replication_status: Option<ReplicationStatus>,
}

/// Where and how a version is published.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PublishingProfile {
    /// From when on it should no longer be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_of_life_date: Option<String>,
    /// Whether "latest" passes it over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude_from_latest: Option<bool>,
    /// `Full` or `Shallow`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replication_mode: Option<String>,
    /// The regions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target_regions: Vec<TargetRegion>,
}

/// A region that a version is in.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetRegion {
    /// Its name.
    pub name: String,
    /// Whether "latest" passes the version over there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude_from_latest: Option<bool>,
    /// How many copies are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regional_replica_count: Option<u32>,
    /// On what they are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_account_type: Option<String>,
}

/// What keeps a version from being deleted.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SafetyProfile {
    /// Whether regions may be taken away.
    pub allow_deletion_of_replicated_locations: bool,
    /// Whether it must be kept until its end of life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block_deletion_before_end_of_life: Option<bool>,
}

/// What a version is made from.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct VersionStorage {
    /// The disk of the operating system, from a blob.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os_disk_image: Option<DiskImage>,
    /// Another resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// A disk of a version.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DiskImage {
    /// How it is cached: `None`, `ReadOnly` or `ReadWrite`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_caching: Option<String>,
    /// What it is made from.
    pub source: Source,
}

/// What something is made from: a resource, or a blob of an account.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Source {
    /// A resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The account of the blob.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_account_id: Option<String>,
    /// The blob.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// A virtual machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_machine_id: Option<String>,
}

/// How far the replication of a version is.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ReplicationStatus {
    /// `Unknown`, `InProgress`, `Completed` or `Failed`.
    pub aggregated_state: String,
    /// Region by region.
    pub summary: Vec<RegionStatus>,
}

/// How far the replication to a region is.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RegionStatus {
    /// The region.
    pub region: String,
    /// `Unknown`, `Replicating`, `Completed` or `Failed`.
    pub state: String,
    /// What is to be said about it.
    pub details: String,
    /// How much is done, in percent.
    pub progress: u8,
}

/// Changes of a resource: what is not named stays.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Patch<T> {
    /// New tags, all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
    /// New properties.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub properties: Option<T>,
}

/// What is not said is not sent: in a patch it would be a change.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Most versions of an image that are listed. A subscription may have 10 000 in a region.
const MOST: usize = 10_000;

impl Gallery {
    pub(crate) const fn new(arm: Arm, id: ResourceId) -> Self {
        Self { arm, id }
    }

    /// Reads an image definition.
    pub async fn image(&self, image: &Segment) -> Result<Image, Error> {
        self.arm
            .ask(
                &call::gallery::IMAGE_DEFINITION,
                &self.parts(image),
                NOTHING,
            )
            .await
    }

    /// Makes an image definition, or changes it to this.
    pub async fn put_image(&self, image: &Segment, body: &Image) -> Result<Operation, Error> {
        self.arm
            .begin(&call::gallery::PUT_IMAGE, &self.parts(image), Some(body))
            .await
    }

    /// Changes an image definition.
    pub async fn patch_image(
        &self,
        image: &Segment,
        patch: &Patch<ImageProperties>,
    ) -> Result<Operation, Error> {
        self.arm
            .begin(&call::gallery::PATCH_IMAGE, &self.parts(image), Some(patch))
            .await
    }

    /// Deletes an image definition, which must have no versions.
    pub async fn delete_image(&self, image: &Segment) -> Result<Operation, Error> {
        self.arm
            .begin(&call::gallery::DELETE_IMAGE, &self.parts(image), NOTHING)
            .await
    }

    /// Lists the versions of an image.
    pub async fn versions(&self, image: &Segment) -> Result<Vec<Version>, Error> {
        self.arm
            .list(&call::gallery::IMAGE_VERSIONS, &self.parts(image), MOST)
            .await
    }

    /// Reads a version and how far its replication is.
    pub async fn version(&self, image: &Segment, version: &Segment) -> Result<Version, Error> {
        let parts = self.of_version(image, version);
        self.arm
            .ask(&call::gallery::IMAGE_VERSION, &parts, NOTHING)
            .await
    }

    /// Makes a version, or changes it to this.
    pub async fn put_version(
        &self,
        image: &Segment,
        version: &Segment,
        body: &Version,
    ) -> Result<Operation, Error> {
        let parts = self.of_version(image, version);
        self.arm
            .begin(&call::gallery::PUT_VERSION, &parts, Some(body))
            .await
    }

    /// Changes a version.
    pub async fn patch_version(
        &self,
        image: &Segment,
        version: &Segment,
        patch: &Patch<VersionProperties>,
    ) -> Result<Operation, Error> {
        let parts = self.of_version(image, version);
        self.arm
            .begin(&call::gallery::PATCH_VERSION, &parts, Some(patch))
            .await
    }

    /// Deletes a version.
    pub async fn delete_version(
        &self,
        image: &Segment,
        version: &Segment,
    ) -> Result<Operation, Error> {
        let parts = self.of_version(image, version);
        self.arm
            .begin(&call::gallery::DELETE_VERSION, &parts, NOTHING)
            .await
    }

    fn parts<'a>(&'a self, image: &'a Segment) -> [&'a str; 2] {
        [self.id.as_str(), image.as_str()]
    }

    fn of_version<'a>(&'a self, image: &'a Segment, version: &'a Segment) -> [&'a str; 3] {
        [self.id.as_str(), image.as_str(), version.as_str()]
    }
}
