//! Lists a container, page by page, without trusting that the pages end.

use std::collections::BTreeSet;

use azure_storage_blob::models::{
    BlobContainerClientListBlobsOptions, BlobItem, ListBlobsIncludeItem,
};
use futures::TryStreamExt as _;
use jiff::Timestamp;
use serde::Serialize;

use super::Container;
use super::properties::from_offset;
use crate::call;
use crate::error::Error;

/// A blob as a list shows it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Item {
    /// Its name.
    pub name: String,
    /// The name of its content.
    pub etag: String,
    /// How long it is.
    pub size: u64,
    /// The MD5 that was stored with it, in hexadecimal digits.
    pub md5: Option<String>,
    /// When it was changed last.
    pub modified: Option<Timestamp>,
    /// Which version it is, where the account keeps versions.
    pub version: Option<String>,
}

/// A list that failed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The service gives the same page again and again.
    #[error("failed to list the blobs of `{container}`: its pages go in a circle")]
    Circle {
        /// The container.
        container: String,
    },
    /// The request failed.
    #[error(transparent)]
    Failed(#[from] Error),
    /// There are more blobs than anybody asked for.
    #[error("failed to list the blobs of `{container}`: there are more than {most}")]
    TooMany {
        /// The container.
        container: String,
        /// How many there may be.
        most: usize,
    },
    /// An item lacks what every blob has.
    #[error("failed to list the blobs of `{container}`: an item has no {what}")]
    Incomplete {
        /// The container.
        container: String,
        /// What is missing.
        what: &'static str,
    },
}

/// Most blobs on a page, which is the service's own limit.
const PAGE: i32 = 5000;

pub(super) async fn list(
    container: &Container,
    prefix: &str,
    most: usize,
) -> Result<Vec<Item>, ListError> {
    let failed = |error| ListError::Failed(Error::new(&call::blob::LIST, &container.url, error));
    let options = BlobContainerClientListBlobsOptions {
        include: Some(vec![ListBlobsIncludeItem::Metadata]),
        maxresults: Some(PAGE),
        prefix: (!prefix.is_empty()).then(|| prefix.to_owned()),
        ..BlobContainerClientListBlobsOptions::default()
    };
    let mut pages = container
        .short
        .list_blobs(Some(options))
        .map_err(failed)?
        .into_pages();
    let (mut items, mut markers) = (Vec::new(), BTreeSet::new());
    while let Some(page) = pages.try_next().await.map_err(failed)? {
        let page = page.into_model().map_err(failed)?;
        for blob in page.blob_items {
            if items.len() == most {
                return Err(ListError::TooMany {
                    container: container.url.clone(),
                    most,
                });
            }
            items.push(item(blob, container)?);
        }
        // Pages may be empty; a marker that comes twice may not.
        if let Some(marker) = page.next_marker.filter(|marker| !marker.is_empty())
            && !markers.insert(marker)
        {
            return Err(ListError::Circle {
                container: container.url.clone(),
            });
        }
    }
    Ok(items)
}

fn item(blob: BlobItem, container: &Container) -> Result<Item, ListError> {
    let missing = |what| ListError::Incomplete {
        container: container.url.clone(),
        what,
    };
    let properties = blob.properties.ok_or_else(|| missing("properties"))?;
    Ok(Item {
        name: blob.name.ok_or_else(|| missing("name"))?,
        etag: properties.etag.ok_or_else(|| missing("etag"))?.to_string(),
        size: properties.content_length.ok_or_else(|| missing("length"))?,
        md5: properties.content_md5.map(hex::encode),
        modified: properties.last_modified.and_then(from_offset),
        version: blob.version_id,
    })
}
