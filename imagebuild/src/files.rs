//! Files: read with a cap, written whole or not at all, and known by their digest.

use std::{
    fs::{self, File, Permissions},
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use policies::digest::Digest;
use sha2::{Digest as _, Sha256};

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read.
    #[error("failed to read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is larger than a file of its kind can be.
    #[error("`{}` is larger than {cap} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read.
        cap: u64,
    },
    /// A file or folder could not be written, moved or removed.
    #[error("failed to write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Error {
    /// Names the file that could not be read; for `map_err`.
    pub fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Read { path, source }
    }

    /// Names the file that could not be written; for `map_err`.
    pub fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Write { path, source }
    }

    /// What the system says, when it was the system that refused.
    pub fn io(&self) -> Option<&io::Error> {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } => Some(source),
            Self::TooLarge { .. } => None,
        }
    }
}

/// Reads a file of at most `cap` bytes.
pub fn read(path: &Path, cap: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(cap.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(Error::read(path))?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len <= cap) {
        Ok(bytes)
    } else {
        Err(Error::TooLarge {
            path: path.to_owned(),
            cap,
        })
    }
}

/// Reads a text of at most `cap` bytes.
pub fn text(path: &Path, cap: u64) -> Result<String, Error> {
    String::from_utf8(read(path, cap)?).map_err(|error| {
        Error::read(path)(io::Error::new(
            io::ErrorKind::InvalidData,
            error.utf8_error(),
        ))
    })
}

/// Replaces a file by one with these bytes. Whoever reads it sees the old file or the new one.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    let file = partial(path, bytes, mode)?;
    file.persist(path)
        .map_err(|error| Error::write(path)(error.error))?;
    sync_folder(folder_of(path))
}

/// Creates a file with these bytes. Fails with [`io::ErrorKind::AlreadyExists`] when there is one.
pub fn create(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    let file = partial(path, bytes, mode)?;
    file.persist_noclobber(path)
        .map_err(|error| Error::write(path)(error.error))?;
    sync_folder(folder_of(path))
}

/// A file beside `path` that holds these bytes for good and vanishes unless it gets a name.
fn partial(path: &Path, bytes: &[u8], mode: u32) -> Result<tempfile::NamedTempFile, Error> {
    let fill = || {
        let mut file = tempfile::Builder::new()
            .suffix(".partial")
            .tempfile_in(folder_of(path))?;
        file.write_all(bytes)?;
        file.as_file()
            .set_permissions(Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        Ok(file)
    };
    fill().map_err(Error::write(path))
}

/// Makes sure that the names in a folder outlive a power cut.
pub fn sync_folder(folder: &Path) -> Result<(), Error> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(Error::write(folder))
}

/// The folder that a path lies in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes a folder and those above it.
pub fn make_folder(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(Error::write(path))
}

/// Removes a file or a whole folder; fine when there is none.
pub fn remove(path: &Path) -> Result<(), Error> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::write(path)(error)),
        _ => Ok(()),
    }
}

/// The digest of a file's content, and its size.
pub fn digest(path: &Path) -> Result<(Digest, u64), Error> {
    let mut file = File::open(path).map_err(Error::read(path))?;
    let mut hasher = Sha256::new();
    let size = pump(&mut file, |bytes| {
        hasher.update(bytes);
        Ok(())
    })
    .map_err(Error::read(path))?;
    Ok((Digest::finish(hasher), size))
}

/// Hands everything that `from` gives to `to`, piece by piece. Returns how many bytes it was.
pub fn pump(from: &mut impl Read, mut to: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<u64> {
    let mut buffer = vec![0; PIECE];
    let mut total = 0;
    loop {
        let len = match from.read(&mut buffer) {
            Ok(0) => return Ok(total),
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        to(buffer.get(..len).unwrap_or_default())?;
        total += u64::try_from(len).unwrap_or_default();
    }
}

/// Bytes that are read at once: large enough that hashing, not reading, sets the pace.
const PIECE: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_created_only_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        create(&path, b"one", 0o644).unwrap();
        let again = create(&path, b"two", 0o644).unwrap_err();
        assert_eq!(again.io().unwrap().kind(), io::ErrorKind::AlreadyExists);
        write(&path, b"three", 0o600).unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"three");
        assert!(matches!(read(&path, 4), Err(Error::TooLarge { .. })));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_digest_of_a_file_is_that_of_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let bytes = vec![7; PIECE + 1];
        write(&path, &bytes, 0o644).unwrap();
        assert_eq!(
            digest(&path).unwrap(),
            (Digest::of(&bytes), u64::try_from(bytes.len()).unwrap())
        );
    }

    #[test]
    fn removing_what_is_not_there_is_fine() {
        remove(Path::new("/nonexistent/file")).unwrap();
    }
}
