//! The base disk: a Debian that boots, made from pinned packages and from nothing else.
//!
//! Equal inputs give equal names, so that a disk is made once. It appears under its name only when it
//! is whole.

mod disk;
mod repository;
mod root;

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    cancel::Cancel,
    debian::Package,
    progress::Progress,
    tool::{self, Tool},
};

/// What a base disk is made of, besides its packages.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct BaseSpec {
    /// Codename of the Debian release, such as `bookworm`.
    pub suite: String,
    /// Bytes of the disk; a whole number of MiB.
    pub disk_size: u64,
    /// Accounts that the image has besides root.
    pub users: Vec<User>,
}

/// An account of the image. Its password is locked.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct User {
    /// Login name.
    pub name: String,
    /// Groups it belongs to besides its own; made when missing.
    pub groups: Vec<String>,
}

/// Why there is no base disk.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The work was to end.
    #[error("making the base disk was cancelled")]
    Cancelled,
    /// A file cannot be read or written.
    #[error("failed to use `{path}`")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The root has no kernel to boot.
    #[error("the packages install no kernel")]
    NoKernel,
    /// Only root can install packages into a folder.
    #[error("making a base disk needs root")]
    NotRoot,
    /// The packages and their files do not fit.
    #[error("a disk of {size} bytes is too small or not a whole number of MiB")]
    Size {
        /// What was asked for.
        size: u64,
    },
    /// A program is missing or failed.
    #[error(transparent)]
    Tool(#[from] tool::Error),
}

impl Error {
    /// What the reader can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotRoot => Some("run the build with sudo".to_owned()),
            Self::Size { .. } => {
                Some("set `disk-size` of the recipe's base to 4GiB or more".to_owned())
            }
            Self::Tool(error) => error.hint(),
            Self::Cancelled | Self::File { .. } | Self::NoKernel => None,
        }
    }

    /// Says whether the work ended because it was to end.
    pub const fn is_cancelled(&self) -> bool {
        match self {
            Self::Cancelled => true,
            Self::Tool(error) => error.is_cancelled(),
            _ => false,
        }
    }

    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::File {
            path: path.to_owned(),
            source,
        }
    }
}

/// The programs that making a base disk needs.
pub const TOOLS: [Tool; 7] = [
    Tool::DpkgDeb,
    Tool::Mcopy,
    Tool::Mke2fs,
    Tool::MkfsVfat,
    Tool::Mmd,
    Tool::Mmdebstrap,
    Tool::Sfdisk,
];

/// Makes the base disk, or takes it from the cache. Returns the path of a raw disk image.
pub fn make(
    spec: &BaseSpec,
    packages: &[Package],
    cache: &Path,
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Result<PathBuf, Error> {
    let identity = Identity::of(spec, packages)?;
    let bases = cache.join("bases");
    fs::create_dir_all(&bases).map_err(Error::file(&bases))?;
    let base = bases.join(format!("{}.raw", identity.digest));
    let _lock = lock(&base.with_extension("lock"), cancel)?;
    if base.is_file() {
        return Ok(base);
    }
    if !nix::unistd::geteuid().is_root() {
        return Err(Error::NotRoot);
    }
    for tool in TOOLS {
        tool.require()?;
    }
    // Beside its final place, so that the last step is a rename. Gone after success and failure alike.
    let work = tempfile::Builder::new()
        .prefix(".making-")
        .tempdir_in(&bases)
        .map_err(Error::file(&bases))?;
    let repository = repository::make(packages, cache, work.path(), cancel)?;
    progress.note("installing packages");
    let root = root::install(spec, packages, &repository, work.path(), progress, cancel)?;
    progress.note("writing the disk");
    let disk = disk::write(spec, &identity, &root, work.path(), cancel)?;
    fs::rename(&disk, &base).map_err(Error::file(&base))?;
    Ok(base)
}

/// What makes a disk this disk. All of it follows from the inputs.
#[derive(Clone, Debug)]
struct Identity {
    digest: String,
}

impl Identity {
    fn of(spec: &BaseSpec, packages: &[Package]) -> Result<Self, Error> {
        let mut hasher = Sha256::new();
        let inputs = serde_json::to_vec(&(spec, packages)).map_err(|error| Error::File {
            path: "inputs".into(),
            source: error.into(),
        })?;
        for part in [
            inputs.as_slice(),
            include_bytes!("base.rs"),
            include_bytes!("base/disk.rs"),
        ] {
            hasher.update(part);
        }
        for (name, content) in root::FILES {
            hasher.update(name);
            hasher.update(content);
        }
        hasher.update(root::CUSTOMIZE);
        Ok(Self {
            digest: hex::encode(hasher.finalize()),
        })
    }

    /// An id for a part of the disk.
    fn id(&self, part: &str) -> Uuid {
        let digest: [u8; 32] = Sha256::digest(format!("{} {part}", self.digest)).into();
        let mut bytes = [0; 16];
        bytes
            .iter_mut()
            .zip(digest)
            .for_each(|(to, from)| *to = from);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
}

/// Waits until no other imagebuild makes the same disk.
fn lock(path: &Path, cancel: &Cancel) -> Result<File, Error> {
    let lock = File::create(path).map_err(Error::file(path))?;
    while lock.try_lock().is_err() {
        if cancel.wait(Duration::from_millis(200)) {
            return Err(Error::Cancelled);
        }
    }
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> BaseSpec {
        BaseSpec {
            suite: "bookworm".to_owned(),
            disk_size: 4 << 30,
            users: Vec::new(),
        }
    }

    #[test]
    fn other_inputs_make_another_disk() {
        let users = vec![User {
            name: "ada".to_owned(),
            groups: Vec::new(),
        }];
        let one = Identity::of(&spec(), &[]).unwrap();
        let other = Identity::of(&BaseSpec { users, ..spec() }, &[]).unwrap();
        assert_ne!(one.digest, other.digest);
        assert_ne!(one.id("root"), other.id("root"));
    }

    #[test]
    fn parts_of_a_disk_have_ids_of_their_own_that_stay() {
        let identity = Identity::of(&spec(), &[]).unwrap();
        assert_ne!(identity.id("root"), identity.id("disk"));
        assert_eq!(
            identity.id("root"),
            Identity::of(&spec(), &[]).unwrap().id("root")
        );
    }
}
