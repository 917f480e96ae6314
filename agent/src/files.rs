//! Files: opened with care, read with a limit, written as a whole.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use policies::digest::Digest;
use sha2::{Digest as _, Sha256};

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The operating system says no.
    #[error("failed to {deed} `{path}`")]
    Io {
        deed: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// A folder, a pipe, a device or a link where a file should be.
    #[error("`{path}` is not a regular file")]
    NotRegular { path: PathBuf },
    /// More than anybody would write by hand.
    #[error("`{path}` is larger than {most} bytes")]
    TooLarge { path: PathBuf, most: u64 },
    /// Somebody who is not root could change it.
    #[error("`{path}` {why}: whoever can change it would decide what this machine allows")]
    Untrusted { path: PathBuf, why: String },
}

impl Error {
    /// Says whether the file is simply not there.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    pub(crate) fn io(deed: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            deed,
            path: path.to_path_buf(),
            source,
        }
    }
}

/// Opens a regular file for reading. A link in the last place is refused, and so is everything that
/// could make the reader wait.
pub(crate) fn open(path: &Path) -> Result<File, Error> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path);
    let file = opened.map_err(|source| match source.raw_os_error() {
        Some(number) if number == nix::libc::ELOOP => Error::NotRegular { path: path.into() },
        _ => Error::io("open", path)(source),
    })?;
    let is_file = file
        .metadata()
        .map_err(Error::io("look at", path))?
        .is_file();
    if is_file {
        Ok(file)
    } else {
        Err(Error::NotRegular { path: path.into() })
    }
}

/// Reads a regular file of limited size.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    open(path)?
        .take(most.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(Error::io("read", path))?;
    if u64::try_from(bytes.len()).is_ok_and(|size| size <= most) {
        Ok(bytes)
    } else {
        Err(Error::TooLarge {
            path: path.into(),
            most,
        })
    }
}

/// Finds the file that a path really means, and makes sure that only root can change it: the file, and
/// every folder on the way to it.
pub(crate) fn trusted(path: &Path) -> Result<PathBuf, Error> {
    let real = fs::canonicalize(path).map_err(Error::io("find", path))?;
    for part in real.ancestors() {
        let found = fs::symlink_metadata(part).map_err(Error::io("look at", part))?;
        // In a sticky folder such as /tmp nobody can replace what root owns there.
        let is_shared =
            found.mode() & 0o022 != 0 && !(found.is_dir() && found.mode() & 0o1000 != 0);
        let why = match found.uid() {
            0 if is_shared => format!(
                "can be written by others than root (mode {:04o})",
                found.mode() & 0o7777
            ),
            0 => continue,
            owner => format!("belongs to user {owner}, not to root"),
        };
        return Err(Error::Untrusted {
            path: part.into(),
            why,
        });
    }
    Ok(real)
}

/// Writes a file as a whole: readers see the old one or the new one, also after a power failure.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let written = || -> io::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(PARTIAL)
            .permissions(Permissions::from_mode(0o600))
            .tempfile_in(folder)?;
        file.write_all(bytes)?;
        // Set anew, because the umask has a say when a file is made.
        file.as_file()
            .set_permissions(Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        sync_folder(folder)
    };
    written().map_err(Error::io("write", path))
}

/// The digest of a file's contents.
pub(crate) fn digest(path: &Path) -> io::Result<Digest> {
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(path)?, &mut Hashing(&mut hasher))?;
    Ok(Digest::finish(hasher))
}

/// Lets `io::copy` feed a hasher.
struct Hashing<'h>(&'h mut Sha256);

impl io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How the name of a file begins that is not complete yet.
pub(crate) const PARTIAL: &str = ".partial-";

/// Makes what happened in a folder survive a power failure.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Makes a folder, and those above it, when they are not there.
pub(crate) fn make_folder(path: &Path, mode: u32) -> Result<(), Error> {
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(Error::io("make folder", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipes_links_and_folders_are_refused_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
        for path in [pipe.as_path(), link.as_path(), folder.path()] {
            assert!(
                matches!(read(path, 10), Err(Error::NotRegular { .. })),
                "{path:?}"
            );
        }
    }

    #[test]
    fn limit_is_the_largest_size_that_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ten");
        write(&path, b"0123456789", 0o640).unwrap();
        assert_eq!(read(&path, 10).unwrap(), b"0123456789");
        assert!(matches!(read(&path, 9), Err(Error::TooLarge { .. })));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
    }

    #[test]
    fn file_that_others_can_write_is_not_trusted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.toml");
        write(&path, b"", 0o666).unwrap();
        let Err(Error::Untrusted { path: blamed, .. }) = trusted(&path) else {
            panic!("trusted");
        };
        assert_eq!(blamed.file_name(), path.file_name());
    }
}
