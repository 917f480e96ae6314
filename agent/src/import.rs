//! Installs staged binaries, verified.
//!
//! ```text
//! manifest ─▶ copy and hash ─▶ compare all ─▶ install the copies ─▶ look again ─▶ record
//! ```
//! What is installed is a private copy, hashed while it was made: a file that changes in the staging
//! folder after it was verified changes nothing. Nothing is installed before everything is verified.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use policies::manifest::{Binary, Install, Manifest};

use crate::exit::Failure;
use crate::files;
use crate::import::copy::Copy;
use crate::import::record::Record;

/// Private copies of staged files.
mod copy;
/// Debian packages.
mod deb;
/// Plain files.
mod file;
/// Programs that install.
mod program;
/// What was imported before.
mod record;
/// Python wheels.
mod wheel;

/// Where the agent keeps its own files, below the root folder.
const STATE: &str = "var/lib/dsvm-agent";
/// How the name of the folder with the private copies begins.
const PRIVATE: &str = "import-";
/// A list of binaries is short; a larger file is none.
const MOST_BYTES: u64 = 1024 * 1024;

/// An import that did not reach its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A binary that is not what the manifest says.
    #[error("binary `{binary}` is not the one that was staged")]
    Binary { binary: String, source: Mismatch },
    /// A file that cannot be used.
    #[error(transparent)]
    File(#[from] files::Error),
    /// A file that is not a manifest.
    #[error("manifest `{path}` is not valid")]
    Manifest {
        path: PathBuf,
        source: serde_json::Error,
    },
    /// A program that could not install something.
    #[error("failed to install `{binary}`")]
    Program {
        binary: String,
        source: program::Error,
    },
    /// A manifest of another format.
    #[error("manifest `{path}` has schema {found}, expected 1")]
    Schema { path: PathBuf, found: u32 },
    /// Two binaries that would take each other's place.
    #[error("manifest `{path}` names {what} `{name}` twice")]
    Twice {
        path: PathBuf,
        what: &'static str,
        name: String,
    },
    /// Something that cannot be installed here.
    #[error("cannot install `{binary}`: {why}")]
    Unfit { binary: String, why: String },
}

/// Something that is not what it is said to be.
#[derive(Debug, thiserror::Error)]
#[error("{what}: expected {expected}, found {found}")]
pub(crate) struct Mismatch {
    pub(crate) what: &'static str,
    pub(crate) expected: String,
    pub(crate) found: String,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Binary { .. } => Self::deviates(error).hint("stage it again, and import again"),
            Error::File(files::Error::NotRegular { .. } | files::Error::TooLarge { .. })
            | Error::Manifest { .. }
            | Error::Schema { .. }
            | Error::Twice { .. } => Self::bad_input(error),
            Error::File(_) | Error::Program { .. } | Error::Unfit { .. } => Self::unable(error),
        }
    }
}

/// What became of one binary.
#[derive(Debug)]
pub(crate) struct Imported {
    pub(crate) binary: Binary,
    /// Whether it was installed now; otherwise it was there already.
    pub(crate) is_new: bool,
}

/// Verifies and installs everything that a manifest lists.
pub(crate) fn import(manifest: &Path, root: &Path) -> Result<Vec<Imported>, Error> {
    let listed = read(manifest)?;
    let state = root.join(STATE);
    files::make_folder(&state, 0o755)?;
    // Two imports at once would install over each other; the second waits.
    let lock = File::open(&state).map_err(files::Error::io("open", &state))?;
    lock.lock().map_err(files::Error::io("lock", &state))?;
    sweep(&state);
    let private = tempfile::Builder::new()
        .prefix(PRIVATE)
        .tempdir_in(&state)
        .map_err(files::Error::io("make a folder in", &state))?;
    let beside = manifest.parent().unwrap_or(Path::new("."));
    let copies = listed
        .binaries
        .into_iter()
        .enumerate()
        .map(|(index, binary)| Copy::make(binary, beside, &private.path().join(index.to_string())))
        .collect::<Result<Vec<_>, _>>()?;
    install(copies, root)
}

fn read(path: &Path) -> Result<Manifest, Error> {
    let bytes = files::read(path, MOST_BYTES)?;
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|source| Error::Manifest {
        path: path.into(),
        source,
    })?;
    if manifest.schema != 1 {
        return Err(Error::Schema {
            path: path.into(),
            found: manifest.schema,
        });
    }
    let mut seen = BTreeSet::new();
    for binary in &manifest.binaries {
        let mut names = vec![
            ("binary", binary.name.as_str()),
            ("source", binary.source.as_str()),
        ];
        if let Install::File { path, .. } = &binary.install {
            names.push(("path", path.as_str()));
        }
        if let Some(&(what, name)) = names.iter().find(|name| !seen.insert(**name)) {
            return Err(Error::Twice {
                path: path.into(),
                what,
                name: name.to_owned(),
            });
        }
    }
    Ok(manifest)
}

/// Installs verified copies: packages first and together, because they may need each other, and the
/// wheels and files may need them.
fn install(copies: Vec<Copy>, root: &Path) -> Result<Vec<Imported>, Error> {
    let mut record = Record::read(root)?;
    let debs: Vec<_> = copies
        .iter()
        .filter(|copy| matches!(copy.binary.install, Install::Deb {}))
        .collect();
    let fresh = deb::install(&debs, root, &record)?;
    let mut imported = Vec::new();
    for copy in &copies {
        let is_new = match &copy.binary.install {
            Install::Deb {} => fresh.contains(copy.binary.source.as_str()),
            Install::File { path, mode } => file::install(copy, path, *mode, root)?,
            Install::Wheel { python } => wheel::install(copy, python, root, &record)?,
        };
        imported.push(Imported {
            binary: copy.binary.clone(),
            is_new,
        });
    }
    record.extend(copies.into_iter().map(|copy| copy.binary));
    record.write(root)?;
    Ok(imported)
}

/// Removes what an interrupted import has left.
fn sweep(state: &Path) {
    for entry in fs::read_dir(state).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PRIVATE);
        if is_ours
            && entry.file_type().is_ok_and(|kind| kind.is_dir())
            && let Err(error) = fs::remove_dir_all(entry.path())
        {
            tracing::warn!(%error, path = %entry.path().display(), "cannot remove an interrupted import");
        }
    }
}
