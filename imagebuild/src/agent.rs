//! The agent's Debian package, which every image gets.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use policies::digest::Digest;

use crate::{
    cancel::Cancel,
    exit::{Ends, Exit},
    files,
    tool::{self, Tool},
};

/// Why there is no agent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The package cannot be read or unpacked.
    #[error("failed to read the agent's package")]
    File(#[from] files::Error),
    /// There is no package.
    #[error("failed to find the Debian package of dsvm-agent")]
    Missing,
    /// The package is not one of the agent.
    #[error("`{}` is not a Debian package of dsvm-agent: it has no `{missing}`", path.display())]
    Other {
        /// The package.
        path: PathBuf,
        /// What it lacks.
        missing: &'static str,
    },
    /// `dpkg-deb` is missing or failed.
    #[error("failed to unpack the agent's package")]
    Tool(#[from] tool::Error),
}

impl Ends for Error {
    fn exit(&self) -> Exit {
        match self {
            Self::Other { .. } => Exit::BadInput,
            Self::File(_) | Self::Missing | Self::Tool(_) => Exit::Unable,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Missing => Some(
                "`make deb` makes it; name it with --agent FILE or IMAGEBUILD_AGENT".to_owned(),
            ),
            Self::Tool(error) => error.hint(),
            Self::File(error) => error.hint(),
            Self::Other { .. } => None,
        }
    }
}

/// The agent's Debian package.
#[derive(Clone, Debug)]
pub struct Package {
    /// Its file.
    pub path: PathBuf,
    /// Its digest.
    pub sha256: Digest,
    /// The digest of the program in it.
    pub binary: Digest,
    /// Where it is unpacked.
    folder: PathBuf,
}

impl Package {
    /// Finds the package: the one that is named, or the one that is installed, or the one that was built
    /// here.
    pub fn find(named: Option<&Path>) -> Result<PathBuf, Error> {
        match named {
            Some(path) => Ok(path.to_owned()),
            None => [Some(PathBuf::from(INSTALLED)), built_here()]
                .into_iter()
                .flatten()
                .find(|path| path.is_file())
                .ok_or(Error::Missing),
        }
    }

    /// Opens a package. What it holds is unpacked into the cache, once.
    pub fn open(path: &Path, cache: &Path, cancel: &Cancel) -> Result<Self, Error> {
        let (sha256, _) = files::digest(path)?;
        let folder = cache.join("agents").join(sha256.as_str());
        if !folder.is_dir() {
            unpack(path, &folder, cancel)?;
        }
        let missing = |missing| Error::Other {
            path: path.to_owned(),
            missing,
        };
        let binary = folder.join(BINARY);
        if !binary.is_file() {
            return Err(missing(BINARY));
        }
        let (binary, _) = files::digest(&binary)?;
        Ok(Self {
            path: path.to_owned(),
            sha256,
            binary,
            folder,
        })
    }

    /// Where the policies lie that the agent ships: `baseline/cis-l1.toml` and so on.
    pub fn shipped(&self) -> PathBuf {
        self.folder.join(SHARED)
    }
}

/// Unpacks a package beside its place first, so that the place is never half full.
fn unpack(path: &Path, folder: &Path, cancel: &Cancel) -> Result<(), Error> {
    let beside = files::folder_of(folder);
    files::make_folder(beside)?;
    let fresh = tempfile::Builder::new()
        .prefix(".unpacking-")
        .tempdir_in(beside)
        .map_err(files::Error::write(beside))?;
    let inside = fresh.path().join("package");
    Tool::DpkgDeb
        .call()
        .args(["--extract".as_ref(), path.as_os_str(), inside.as_os_str()])
        .deadline(Duration::from_mins(2))
        .run(cancel)?;
    match fs::rename(&inside, folder) {
        // Somebody else was faster; the same package has the same content.
        Err(_) if folder.is_dir() => Ok(()),
        other => Ok(other.map_err(files::Error::write(folder))?),
    }
}

/// The package that `make deb` made in the current folder's tree or beside this program.
fn built_here() -> Option<PathBuf> {
    let targets = [
        std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from),
        Some(PathBuf::from("target")),
        std::env::current_exe()
            .ok()
            .and_then(|program| Some(program.parent()?.parent()?.to_owned())),
    ];
    targets
        .into_iter()
        .flatten()
        .find_map(|target| newest(&target.join("debian")))
}

fn newest(folder: &Path) -> Option<PathBuf> {
    let is_agent = |path: &PathBuf| {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        name.starts_with("dsvm-agent_") && path.extension().is_some_and(|end| end == "deb")
    };
    fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(is_agent)
        .max_by_key(|path| fs::metadata(path).and_then(|meta| meta.modified()).ok())
}

/// Where imagebuild's own package keeps it.
const INSTALLED: &str = "/usr/share/imagebuild/dsvm-agent.deb";
const BINARY: &str = "usr/bin/dsvm-agent";
const SHARED: &str = "usr/share/dsvm-agent";
