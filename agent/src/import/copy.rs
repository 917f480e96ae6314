//! Private copies of staged files.

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use policies::digest::Digest;
use policies::manifest::Binary;
use sha2::{Digest as _, Sha256};

use crate::files::{self, Error as FileError};
use crate::import::{Error, Mismatch};

/// A staged binary, copied to where nobody else writes, and verified.
#[derive(Debug)]
pub(super) struct Copy {
    /// What the manifest says about it.
    pub(super) binary: Binary,
    /// The copy, under the name that it was staged with: installers read names.
    pub(super) path: PathBuf,
}

impl Copy {
    /// Copies a binary into a new folder, and compares what was copied with what the manifest says.
    pub(super) fn make(binary: Binary, from: &Path, folder: &Path) -> Result<Self, Error> {
        let source = from.join(binary.source.as_str());
        files::make_folder(folder, 0o700)?;
        let path = folder.join(binary.source.as_str());
        let (size, digest) = copy(&source, &path, binary.size)?;
        let mismatch = |what, expected: String, found: String| {
            let source = Mismatch {
                what,
                expected,
                found,
            };
            Err(Error::Binary {
                binary: binary.name.clone(),
                source,
            })
        };
        if size > binary.size {
            return mismatch("size", binary.size.to_string(), "more".to_owned());
        }
        if size != binary.size {
            return mismatch("size", binary.size.to_string(), size.to_string());
        }
        if digest != binary.sha256 {
            return mismatch("sha256", binary.sha256.to_string(), digest.to_string());
        }
        Ok(Self { binary, path })
    }
}

/// Copies at most one byte more than expected: a file that grows without end fills no disk.
fn copy(from: &Path, to: &Path, expected: u64) -> Result<(u64, Digest), FileError> {
    let mut source = files::open(from)?.take(expected.saturating_add(1));
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to);
    let mut copy = made.map_err(FileError::io("make", to))?;
    let mut hasher = Sha256::new();
    let mut block = vec![0; 128 * 1024];
    let mut size = 0;
    loop {
        let read = source
            .read(&mut block)
            .map_err(FileError::io("read", from))?;
        let Some(bytes) = block.get(..read).filter(|bytes| !bytes.is_empty()) else {
            break;
        };
        hasher.update(bytes);
        copy.write_all(bytes).map_err(FileError::io("write", to))?;
        size += u64::try_from(read).unwrap_or(u64::MAX);
    }
    copy.sync_all().map_err(FileError::io("write", to))?;
    Ok((size, Digest::finish(hasher)))
}
