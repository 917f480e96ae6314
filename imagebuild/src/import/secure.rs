use std::{
    fs::{self, Permissions},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use policies::digest::Digest;
use tempfile::NamedTempFile;

use super::{
    Error, Staged, differs, failed,
    landing::{Landed, named, read_stable},
    receipt::Receipt,
};
use crate::{
    dsse::Envelope,
    exit::Mismatch,
    files,
    intoto::Statement,
    recipe::Binary,
    sign::{Key, PublicKey},
};

/// The folder that builds take binaries from. Files in it are versioned by their digest, read-only, and
/// never overwritten.
#[derive(Debug)]
pub struct Secure(PathBuf);

/// A private copy of a landed file: what is scanned is what is kept, whatever happens to the original.
#[derive(Debug)]
pub struct Copy {
    file: NamedTempFile,
    /// Its digest.
    pub sha256: Digest,
    /// Its size in bytes.
    pub size: u64,
}

impl Copy {
    /// Where the copy is.
    pub fn path(&self) -> &Path {
        self.file.path()
    }
}

impl Secure {
    pub(super) fn at(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Where a binary lies, relative to the secure folder.
    pub(super) fn name(binary: &Binary, sha256: &Digest) -> String {
        format!("{:.2}/{}@{sha256}", sha256.as_str(), binary.name)
    }

    pub(super) fn path(&self, binary: &Binary, sha256: &Digest) -> PathBuf {
        self.0.join(Self::name(binary, sha256))
    }

    pub(super) fn receipt_path(&self, binary: &Binary, sha256: &Digest) -> PathBuf {
        self.0
            .join(format!("{}.receipt.json", Self::name(binary, sha256)))
    }

    /// Copies a landed file into a private place inside the secure folder.
    pub(super) fn take_in(&self, binary: &Binary, landed: &Landed) -> Result<Copy, Error> {
        let fail = failed(binary);
        files::make_folder(&self.0).map_err(&fail)?;
        let mut file = tempfile::Builder::new()
            .prefix(".incoming-")
            .tempfile_in(&self.0)
            .map_err(files::Error::write(&self.0))
            .map_err(&fail)?;
        let (sha256, size) = read_stable(&landed.path, |bytes| file.write_all(bytes))
            .map_err(|error| named(error, binary))?;
        let whole = file.as_file().sync_all();
        whole
            .map_err(files::Error::write(file.path()))
            .map_err(&fail)?;
        // Read back: what lies there now is what was handed over.
        let (written, _) = files::digest(file.path()).map_err(&fail)?;
        Mismatch::check(
            format!("copy of `{}`", landed.path.display()),
            &sha256,
            &written,
        )
        .map_err(differs(binary))?;
        Ok(Copy { file, sha256, size })
    }

    /// Gives a copy its place. A file that is there already must be the same.
    pub(super) fn keep(&self, binary: &Binary, copy: Copy) -> Result<(), Error> {
        let fail = failed(binary);
        let path = self.path(binary, &copy.sha256);
        let sha256 = copy.sha256;
        let open = Opened::folder(files::folder_of(&path)).map_err(&fail)?;
        let placed = copy
            .file
            .as_file()
            .set_permissions(Permissions::from_mode(0o444))
            .and_then(|()| match copy.file.persist_noclobber(&path) {
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                Err(error) => Err(error.error),
                Ok(_) => Ok(()),
            });
        placed.map_err(files::Error::write(&path)).map_err(&fail)?;
        open.close().map_err(&fail)?;
        let (there, _) = files::digest(&path).map_err(&fail)?;
        Mismatch::check(format!("`{}`", path.display()), &sha256, &there).map_err(differs(binary))
    }

    /// Signs for a binary that is in its place.
    pub(super) fn sign(
        &self,
        binary: &Binary,
        sha256: &Digest,
        receipt: Receipt,
        key: &Key,
    ) -> Result<(), Error> {
        let statement = Statement::new(binary.name.as_str(), sha256.clone(), receipt);
        let bytes = statement.seal(key)?.bytes()?;
        let path = self.receipt_path(binary, sha256);
        let open = Opened::folder(files::folder_of(&path)).map_err(failed(binary))?;
        files::create(&path, &bytes, 0o444).map_err(failed(binary))?;
        open.close().map_err(failed(binary))
    }

    /// What was staged of a binary with this digest. Both the file and its receipt are verified.
    pub(super) fn find(
        &self,
        binary: &Binary,
        sha256: &Digest,
        key: &PublicKey,
    ) -> Result<Option<Staged>, Error> {
        let receipt_path = self.receipt_path(binary, sha256);
        if !receipt_path.is_file() {
            return Ok(None);
        }
        let path = self.path(binary, sha256);
        let bytes = files::read(&receipt_path, MOST_BYTES).map_err(failed(binary))?;
        let (envelope, statement) =
            open_receipt(&bytes, binary, sha256, key).map_err(differs(binary))?;
        let (found, size) = match files::digest(&path) {
            Err(error)
                if error
                    .io()
                    .is_some_and(|e| e.kind() == io::ErrorKind::NotFound) =>
            {
                return Err(Error::Missing {
                    name: binary.name.to_string(),
                    path,
                });
            }
            other => other.map_err(failed(binary))?,
        };
        Mismatch::check(format!("staged file `{}`", path.display()), sha256, &found)
            .and_then(|()| {
                let object = format!("size in the receipt of `{}`", binary.name);
                Mismatch::check(object, &size, &statement.predicate.size)
            })
            .map_err(differs(binary))?;
        Ok(Some(Staged {
            path,
            sha256: found,
            receipt_digest: Digest::of(&bytes),
            receipt: statement.predicate,
            envelope,
            new: false,
        }))
    }
}

/// Reads a receipt and checks that it is about this binary.
fn open_receipt(
    bytes: &[u8],
    binary: &Binary,
    sha256: &Digest,
    key: &PublicKey,
) -> Result<(Envelope, Statement<Receipt>), Mismatch> {
    let object = format!("receipt of `{}`", binary.name);
    let envelope = Envelope::parse(bytes, &object)?;
    let statement = Statement::<Receipt>::open(&envelope, &object, key)?;
    Mismatch::check(
        format!("digest in the {object}"),
        sha256,
        statement.about(&object)?,
    )?;
    Mismatch::check(
        format!("name in the {object}"),
        &binary.name,
        &statement.predicate.name,
    )?;
    Ok((envelope, statement))
}

/// A folder of the secure folder while something is put into it; read-only before and after.
struct Opened(PathBuf);

impl Opened {
    fn folder(path: &Path) -> Result<Self, files::Error> {
        files::make_folder(path)?;
        let opened = Self(path.to_owned());
        opened.set(0o755)?;
        Ok(opened)
    }

    fn close(self) -> Result<(), files::Error> {
        files::sync_folder(&self.0)?;
        self.set(0o555)
    }

    fn set(&self, mode: u32) -> Result<(), files::Error> {
        fs::set_permissions(&self.0, Permissions::from_mode(mode))
            .map_err(files::Error::write(&self.0))
    }
}

/// No receipt is this long.
const MOST_BYTES: u64 = 1 << 20;
