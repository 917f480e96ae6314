//! Debian packages: which ones a base disk needs, and their files.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{cancel::Cancel, progress::Progress, tool};

/// One package of a base disk, pinned by the digest of its file.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Its name, such as `openssh-server`.
    pub name: String,
    /// Its Debian version.
    pub version: String,
    /// `amd64` or `all`.
    pub architecture: String,
    /// SHA-256 of the `.deb`, in lower-case hex.
    pub sha256: String,
    /// Bytes of the `.deb`.
    pub size: u64,
    /// Where a mirror of the suite keeps it, such as `pool/main/o/openssh/….deb`.
    pub file: String,
}

impl Package {
    /// Where the cache keeps the `.deb`.
    pub fn cached(&self, cache: &Path) -> PathBuf {
        cache.join("debs").join(format!("{}.deb", self.sha256))
    }
}

/// Why packages could not be found or fetched.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program is missing or failed.
    #[error(transparent)]
    Tool(#[from] tool::Error),
}

/// Finds every package that a base disk with `packages` needs, and puts their files into the cache.
pub fn resolve(
    _suite: &str,
    _packages: &[String],
    _cache: &Path,
    _progress: &dyn Progress,
    _cancel: &Cancel,
) -> Result<Vec<Package>, Error> {
    Ok(Vec::new())
}

/// Makes sure that the cache holds every package with the right digest.
pub fn fetch(
    _suite: &str,
    _packages: &[Package],
    _cache: &Path,
    _progress: &dyn Progress,
    _cancel: &Cancel,
) -> Result<(), Error> {
    Ok(())
}
