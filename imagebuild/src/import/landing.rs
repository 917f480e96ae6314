use std::{
    fs::{self, File, Metadata},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use nix::errno::Errno;
use policies::digest::Digest;
use sha2::{Digest as _, Sha256};

use super::{Error, failed};
use crate::{files, recipe::Binary};

/// The folder that data owners upload to. Nothing in it is trusted.
#[derive(Debug)]
pub struct Landing(PathBuf);

/// A file in the landing folder.
#[derive(Debug)]
pub struct Landed {
    /// Where it is.
    pub path: PathBuf,
}

impl Landing {
    pub(super) fn at(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// The file of a binary, if it is there.
    pub(super) fn find(&self, binary: &Binary) -> Option<PathBuf> {
        Some(self.path(binary)).filter(|path| path.is_file())
    }

    fn path(&self, binary: &Binary) -> PathBuf {
        self.0.join(binary.source.file_name())
    }

    /// Uploads the owner's file as the owner would, or takes what the owner uploaded. A file that is there
    /// is never overwritten.
    pub(super) fn upload(
        &self,
        binary: &Binary,
        source: &Path,
        sha256: Option<&Digest>,
    ) -> Result<Landed, Error> {
        let fail = failed(binary);
        files::make_folder(&self.0).map_err(&fail)?;
        let path = self.path(binary);
        if fs::symlink_metadata(&path).is_ok() {
            Self::check_same(binary, &path, source, sha256)?;
            return Ok(Landed { path });
        }
        let mut from = match open(source) {
            Err(Error::Missing { path, .. }) => {
                return Err(Error::Missing {
                    name: binary.name.to_string(),
                    path,
                });
            }
            other => other?,
        };
        let mut put = || {
            let mut to = tempfile::Builder::new()
                .suffix(".partial")
                .tempfile_in(&self.0)?;
            io::copy(&mut from, &mut to)?;
            to.as_file().sync_all()?;
            to.persist_noclobber(&path).map_err(|error| error.error)
        };
        put().map_err(files::Error::write(&path)).map_err(fail)?;
        Ok(Landed { path })
    }

    /// A file that is there already is the owner's upload, or that of a run that was killed. When the
    /// owner's own file is at hand too, the two must be the same.
    fn check_same(
        binary: &Binary,
        path: &Path,
        source: &Path,
        sha256: Option<&Digest>,
    ) -> Result<(), Error> {
        if sha256.is_some() || !source.is_file() {
            return Ok(());
        }
        let fail = failed(binary);
        let (there, _) = read_stable(path, |_| Ok(())).map_err(|error| named(error, binary))?;
        let (wanted, _) = files::digest(source).map_err(fail)?;
        if there == wanted {
            Ok(())
        } else {
            Err(Error::Occupied {
                path: path.to_owned(),
                upload: source.to_owned(),
            })
        }
    }

    /// Deletes the original of a binary that is safely in.
    pub(super) fn clear(&self, binary: &Binary, sha256: &Digest) -> Result<(), Error> {
        let Some(path) = self.find(binary) else {
            return Ok(());
        };
        let (there, _) = read_stable(&path, |_| Ok(())).map_err(|error| named(error, binary))?;
        // Another content is another upload: it is not ours to delete.
        if there == *sha256 {
            files::remove(&path).map_err(failed(binary))?;
        }
        Ok(())
    }

    /// Moves a refused file out of the way. Returns where it is kept.
    pub(super) fn quarantine(
        &self,
        binary: &Binary,
        landed: &Landed,
        sha256: &Digest,
    ) -> Result<PathBuf, Error> {
        let fail = failed(binary);
        let folder = self.0.join("quarantine");
        files::make_folder(&folder).map_err(&fail)?;
        let kept = folder.join(format!("{}@{sha256}", binary.name));
        fs::rename(&landed.path, &kept)
            .map_err(files::Error::write(&kept))
            .map_err(fail)?;
        Ok(kept)
    }
}

/// Opens a plain file; what is reached through a link is not the file that was meant.
fn open(path: &Path) -> Result<File, Error> {
    let missing = |error: io::Error| match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOENT) => Error::Missing {
            name: String::new(),
            path: path.to_owned(),
        },
        // The last part of the path is a link.
        Some(Errno::ELOOP) => Error::NotAFile {
            path: path.to_owned(),
        },
        _ => Error::File {
            name: String::new(),
            source: files::Error::read(path)(error),
        },
    };
    let file = fs::OpenOptions::new()
        .read(true)
        .custom_flags((nix::fcntl::OFlag::O_NOFOLLOW | nix::fcntl::OFlag::O_NONBLOCK).bits())
        .open(path)
        .map_err(missing)?;
    match file.metadata() {
        Ok(meta) if meta.is_file() => Ok(file),
        Ok(_) => Err(Error::NotAFile {
            path: path.to_owned(),
        }),
        Err(error) => Err(missing(error)),
    }
}

/// Reads a file that others may write to. An error unless it was the same file with the same content from
/// beginning to end.
pub(super) fn read_stable(
    path: &Path,
    mut to: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<(Digest, u64), Error> {
    let mut file = open(path)?;
    let fail = |error| Error::File {
        name: String::new(),
        source: files::Error::read(path)(error),
    };
    let before = file.metadata().map_err(fail)?;
    let mut hasher = Sha256::new();
    let size = files::pump(&mut file, |bytes| {
        hasher.update(bytes);
        to(bytes)
    })
    .map_err(fail)?;
    let after = file.metadata().map_err(fail)?;
    let there = fs::symlink_metadata(path).map_err(fail)?;
    if same(&before, &after) && same(&after, &there) && size == after.len() {
        Ok((Digest::finish(hasher), size))
    } else {
        Err(Error::Changed {
            path: path.to_owned(),
        })
    }
}

/// Says whether two looks at a file saw the same: the same inode, not written to in between. The change
/// time cannot be set back by the file's owner, unlike the modification time.
fn same(a: &Metadata, b: &Metadata) -> bool {
    let look = |meta: &Metadata| {
        (
            meta.dev(),
            meta.ino(),
            meta.len(),
            meta.mtime(),
            meta.mtime_nsec(),
            meta.ctime(),
            meta.ctime_nsec(),
        )
    };
    look(a) == look(b)
}

/// Puts the binary's name into an error that was made where it is not known.
pub(super) fn named(error: Error, binary: &Binary) -> Error {
    match error {
        Error::File { source, .. } => failed(binary)(source),
        Error::Missing { path, .. } => Error::Missing {
            name: binary.name.to_string(),
            path,
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_that_grows_while_it_is_read_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        files::write(&path, b"one", 0o644).unwrap();
        let mut writer = fs::OpenOptions::new().append(true).open(&path).unwrap();
        let mut once = false;
        let read = read_stable(&path, |_| {
            if !once {
                once = true;
                writer.write_all(b"y")?;
            }
            Ok(())
        });
        assert!(matches!(read, Err(Error::Changed { .. })));
        assert!(read_stable(&path, |_| Ok(())).is_ok());
    }

    #[test]
    fn a_file_that_is_replaced_while_it_is_read_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        files::write(&path, b"one", 0o644).unwrap();
        let read = read_stable(&path, |_| {
            files::write(&path, b"two", 0o644).map_err(io::Error::other)
        });
        assert!(matches!(read, Err(Error::Changed { .. })));
    }

    #[test]
    fn a_link_is_not_followed_and_a_pipe_does_not_block() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/etc/hostname", &link).unwrap();
        assert!(matches!(open(&link), Err(Error::NotAFile { .. })));
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert!(matches!(open(&pipe), Err(Error::NotAFile { .. })));
    }
}
