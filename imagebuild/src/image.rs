//! A finished image, read without booting it: the partitions of its disk and the files of its root.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use ext4_view::{Ext4, Ext4Error, Ext4Read};
use policies::digest::Digest;
use sha2::{Digest as _, Sha256};

use crate::{
    custody,
    exit::{Ends, Exit},
    files,
};

/// Partition tables.
mod gpt;
/// What Debian's package manager says is installed.
pub mod packages;
/// The files of a root file system.
pub mod tree;

pub use self::gpt::Partition;

/// Why an image cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk cannot be read.
    #[error("failed to read image `{}`", path.display())]
    Disk {
        /// The image.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The root file system cannot be read.
    #[error("failed to read `{what}` in image `{}`", path.display())]
    Root {
        /// The image.
        path: PathBuf,
        /// The file.
        what: String,
        /// What is wrong.
        source: Ext4Error,
    },
    /// The disk has another form.
    #[error("`{}` is not an image: {why}", path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What it lacks.
        why: &'static str,
    },
}

impl Ends for Error {
    fn exit(&self) -> Exit {
        match self {
            Self::Other { .. } => Exit::BadInput,
            Self::Disk { .. } | Self::Root { .. } => Exit::Unable,
        }
    }
}

/// An image whose root file system is open.
#[derive(Debug)]
pub struct Image {
    path: PathBuf,
    disk: File,
    root: Ext4,
    partitions: Vec<Partition>,
}

impl Image {
    /// Opens a raw disk or a fixed VHD, or the image in the output folder of a build.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let path = Self::file(path);
        let disk = |source| Error::Disk {
            path: path.clone(),
            source,
        };
        let other = |why| Error::Other {
            path: path.clone(),
            why,
        };
        let file = File::open(&path).map_err(disk)?;
        let partitions = gpt::read(&file)
            .map_err(disk)?
            .ok_or_else(|| other("it has no GPT (raw disks and fixed VHDs can be read)"))?;
        let largest = partitions.iter().filter(|partition| partition.is_linux);
        let largest = largest.max_by_key(|partition| partition.size);
        let root = largest.ok_or_else(|| other("it has no Linux partition"))?;
        let window = Window {
            disk: file.try_clone().map_err(disk)?,
            start: root.start,
        };
        let root = Ext4::load(Box::new(window)).map_err(|source| Error::Root {
            path: path.clone(),
            what: "/".to_owned(),
            source,
        })?;
        Ok(Self {
            path,
            disk: file,
            root,
            partitions,
        })
    }

    /// The disk that a path means: itself, or the one in an output folder.
    pub fn file(path: &Path) -> PathBuf {
        if path.is_dir() {
            path.join(custody::VHD)
        } else {
            path.to_owned()
        }
    }

    /// Reads a file of the image; nothing when there is none.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        match self.root.read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Ext4Error::NotFound) => Ok(None),
            Err(source) => Err(self.failed(path, source)),
        }
    }

    /// Reads a text of the image; empty when there is none.
    pub fn text(&self, path: &str) -> Result<String, Error> {
        Ok(String::from_utf8_lossy(&self.read(path)?.unwrap_or_default()).into_owned())
    }

    /// The digests of the partitions that are not the root, such as the one that the machine boots from.
    pub fn other_partitions(&self) -> Result<Vec<Digest>, Error> {
        let root = self
            .partitions
            .iter()
            .filter(|partition| partition.is_linux);
        let root = root.max_by_key(|partition| partition.size);
        let others = self
            .partitions
            .iter()
            .filter(|partition| Some(*partition) != root);
        others.map(|partition| self.digest_of(partition)).collect()
    }

    fn digest_of(&self, partition: &Partition) -> Result<Digest, Error> {
        let mut reader = Slice {
            disk: &self.disk,
            at: partition.start,
            left: partition.size,
        };
        let mut hasher = Sha256::new();
        files::pump(&mut reader, |bytes| {
            hasher.update(bytes);
            Ok(())
        })
        .map_err(|source| Error::Disk {
            path: self.path.clone(),
            source,
        })?;
        Ok(Digest::finish(hasher))
    }

    fn failed(&self, what: &str, source: Ext4Error) -> Error {
        Error::Root {
            path: self.path.clone(),
            what: what.to_owned(),
            source,
        }
    }
}

/// The part of a disk that a file system lies in.
struct Window {
    disk: File,
    start: u64,
}

impl Ext4Read for Window {
    fn read(
        &mut self,
        start_byte: u64,
        dst: &mut [u8],
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync + 'static>> {
        Ok(self
            .disk
            .read_exact_at(dst, self.start.saturating_add(start_byte))?)
    }
}

/// A partition as a stream.
struct Slice<'a> {
    disk: &'a File,
    at: u64,
    left: u64,
}

impl io::Read for Slice<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let len = self
            .disk
            .read_at(buffer.get_mut(..most).unwrap_or_default(), self.at)?;
        let read = u64::try_from(len).unwrap_or_default();
        self.at += read;
        self.left -= read;
        Ok(len)
    }
}
