//! Plain files.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use policies::names::{AbsPath, Mode};

use crate::files::{self, Error as FileError};
use crate::import::copy::Copy;
use crate::import::{Error, Mismatch};

/// Puts a file where the manifest says, as a whole. Says whether that changed anything.
pub(super) fn install(copy: &Copy, path: &AbsPath, mode: Mode, root: &Path) -> Result<bool, Error> {
    let to = destination(copy, path, root)?;
    if is_there(&to, copy, mode) {
        return Ok(false);
    }
    let placed = place(&copy.path, &to, mode);
    placed.map_err(FileError::io("write", &to))?;
    let found = files::digest(&to).map_err(FileError::io("read", &to))?;
    if found != copy.binary.sha256 {
        let expected = copy.binary.sha256.to_string();
        let source = Mismatch {
            what: "installed file",
            expected,
            found: found.to_string(),
        };
        return Err(Error::Binary {
            binary: copy.binary.name.clone(),
            source,
        });
    }
    Ok(true)
}

/// Where the file goes; folders on the way are made, and links on the way stay below the root.
fn destination(copy: &Copy, path: &AbsPath, root: &Path) -> Result<PathBuf, Error> {
    let unfit = |why: &str| Error::Unfit {
        binary: copy.binary.name.clone(),
        why: format!("`{path}` {why}"),
    };
    let path = Path::new(path.as_str());
    let name = path
        .file_name()
        .ok_or_else(|| unfit("is not the path of a file"))?;
    let real_root = fs::canonicalize(root).map_err(FileError::io("find", root))?;
    let mut folder = real_root.clone();
    for part in path.parent().into_iter().flat_map(Path::components).skip(1) {
        let next = folder.join(part);
        folder = match fs::canonicalize(&next) {
            Ok(real) => real,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                files::make_folder(&next, 0o755)?;
                next
            }
            Err(error) => return Err(FileError::io("find", &next)(error).into()),
        };
        if !folder.starts_with(&real_root) {
            return Err(unfit("leads out of the root folder"));
        }
    }
    let to = folder.join(name);
    if fs::symlink_metadata(&to).is_ok_and(|found| found.is_dir()) {
        return Err(unfit("is a folder"));
    }
    Ok(to)
}

fn is_there(to: &Path, copy: &Copy, mode: Mode) -> bool {
    fs::symlink_metadata(to).is_ok_and(|found| {
        found.is_file()
            && found.len() == copy.binary.size
            && Mode::from_bits(found.mode()) == mode
            && (found.uid(), found.gid())
                == (
                    nix::unistd::geteuid().as_raw(),
                    nix::unistd::getegid().as_raw(),
                )
    }) && files::digest(to).is_ok_and(|found| found == copy.binary.sha256)
}

fn place(from: &Path, to: &Path, mode: Mode) -> io::Result<()> {
    let folder = to.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::Builder::new()
        .prefix(files::PARTIAL)
        .tempfile_in(folder)?;
    io::copy(&mut File::open(from)?, file.as_file_mut())?;
    // The group of a folder with the set-group-id bit would be handed down otherwise.
    std::os::unix::fs::fchown(
        file.as_file(),
        Some(nix::unistd::geteuid().as_raw()),
        Some(nix::unistd::getegid().as_raw()),
    )?;
    file.as_file()
        .set_permissions(Permissions::from_mode(mode.bits()))?;
    file.as_file().sync_all()?;
    file.persist(to)?;
    files::sync_folder(folder)
}
