//! Debian packages: which ones a base disk needs, and their files.

mod apt;
mod sources;

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{cancel::Cancel, progress::Progress, tool};
use apt::Apt;

/// One package of a base disk, pinned by the digest of its file.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Its name, such as `openssh-server`.
    pub name: String,
    /// Its Debian version.
    pub version: String,
    /// `amd64` or `all`.
    pub architecture: String,
    /// SHA-256 of the `.deb`, in lower-case hex.
    pub sha256: String,
    /// Bytes of the `.deb`.
    pub size: u64,
    /// Where a mirror keeps it, such as `pool/main/b/bash/bash_5.2.15-2+b2_amd64.deb`.
    pub file: String,
}

impl Package {
    /// Where the cache keeps the `.deb`.
    pub fn cached(&self, cache: &Path) -> PathBuf {
        cache.join("debs").join(format!("{}.deb", self.sha256))
    }

    /// Says whether the cache has it; an error when what is there is something else.
    fn check(&self, cache: &Path) -> Result<bool, Error> {
        let path = self.cached(cache);
        let found = match digest(&path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(source) => return Err(Error::File { path, source }),
        };
        if found == self.sha256 {
            Ok(true)
        } else {
            Err(Error::Altered {
                path,
                expected: self.sha256.clone(),
                found,
            })
        }
    }

    /// Reads a line of `apt-get --print-uris`: `'URI' NAME_VERSION_ARCH.deb SIZE SHA256:HEX`.
    fn parse(line: &str) -> Option<Self> {
        let (uri, rest) = line.strip_prefix('\'')?.split_once("' ")?;
        let mut words = rest.split_whitespace();
        let mut stem = words.next()?.strip_suffix(".deb")?.splitn(3, '_');
        let (name, version, architecture) = (stem.next()?, stem.next()?, stem.next()?);
        let size = words.next()?.parse().ok()?;
        let sha256 = words.next()?.strip_prefix("SHA256:")?;
        let start = uri.find("/pool/").map_or(0, |slash| slash + 1);
        Some(Self {
            name: name.to_owned(),
            version: unescaped(version),
            architecture: architecture.to_owned(),
            sha256: sha256.to_owned(),
            size,
            file: unescaped(uri.get(start..)?),
        })
    }

    /// What apt calls the file when it downloads it.
    fn archive(&self) -> String {
        let version = self.version.replace(':', "%3a");
        format!("{}_{version}_{}.deb", self.name, self.architecture)
    }
}

/// Why packages could not be found or fetched.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file is not the one that was pinned.
    #[error("package `{path}` was altered: expected {expected}, found {found}")]
    Altered {
        /// The file.
        path: PathBuf,
        /// The digest that is pinned.
        expected: String,
        /// The digest that the file has.
        found: String,
    },
    /// The work was to end.
    #[error("fetching packages was cancelled")]
    Cancelled,
    /// A file of the cache or of apt's configuration cannot be used.
    #[error("failed to use `{path}`")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The mirrors have newer versions only.
    #[error("no mirror has package `{name}` in version {version} any more")]
    Gone {
        /// The package.
        name: String,
        /// The version that is pinned.
        version: String,
        /// What apt said.
        source: tool::Error,
    },
    /// The host's apt knows no mirror of the suite.
    #[error("the host has no apt source for `{suite}`")]
    NoSources {
        /// The codename.
        suite: String,
    },
    /// A program is missing or failed.
    #[error(transparent)]
    Tool(#[from] tool::Error),
    /// apt's answer was not understood.
    #[error("failed to read apt's answer `{line}`")]
    Unreadable {
        /// The line.
        line: String,
    },
}

impl Error {
    /// What the reader can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Altered { path, .. } => Some(format!(
                "delete `{}`; it is downloaded again",
                path.display()
            )),
            Self::Gone { .. } => {
                Some("run `imagebuild lock` to pin what the mirrors have now".to_owned())
            }
            Self::NoSources { suite } => Some(format!(
                "add a source whose suite is `{suite}` to /etc/apt/sources.list.d"
            )),
            Self::Tool(error) => error.hint(),
            Self::Cancelled | Self::File { .. } | Self::Unreadable { .. } => None,
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
}

/// Finds every package that a base disk with `packages` needs, and puts their files into the cache.
pub fn resolve(
    suite: &str,
    packages: &[String],
    cache: &Path,
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Result<Vec<Package>, Error> {
    let apt = Apt::open(suite, cache, cancel)?;
    apt.update(cancel)?;
    let answer = apt
        .get()
        .args(["install", "--yes", "--print-uris", "--"])
        .args(["?essential", "?priority(required)"])
        .args(BASE)
        .args(packages)
        .run(cancel)?
        .text();
    let mut found = answer
        .lines()
        .map(|line| {
            Package::parse(line).ok_or_else(|| Error::Unreadable {
                line: line.to_owned(),
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    found.sort();
    download(&apt, &found, cache, progress, cancel)?;
    Ok(found)
}

/// Makes sure that the cache holds every package with the right digest.
pub fn fetch(
    suite: &str,
    packages: &[Package],
    cache: &Path,
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Result<(), Error> {
    if !missing(packages, cache)?.is_empty() {
        let apt = Apt::open(suite, cache, cancel)?;
        apt.update(cancel)?;
        download(&apt, packages, cache, progress, cancel)?;
    }
    Ok(())
}

fn missing<'a>(packages: &'a [Package], cache: &Path) -> Result<Vec<&'a Package>, Error> {
    let mut missing = Vec::new();
    for package in packages {
        if !package.check(cache)? {
            missing.push(package);
        }
    }
    Ok(missing)
}

fn download(
    apt: &Apt,
    packages: &[Package],
    cache: &Path,
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Result<(), Error> {
    let missing = missing(packages, cache)?;
    let archives = apt.archives();
    let total = missing.iter().map(|package| package.size).sum();
    // Batches keep the command line short and give the progress its steps.
    let mut done = 0;
    for batch in missing.chunks(BATCH) {
        let names = batch.iter().map(|package| {
            format!(
                "{}:{}={}",
                package.name, package.architecture, package.version
            )
        });
        let call = apt.get().arg("download").args(names).folder(&archives);
        call.run(cancel).map_err(|error| explained(error, batch))?;
        for package in batch {
            keep(package, &archives.join(package.archive()), cache)?;
            done += package.size;
        }
        progress.advance(done, total);
    }
    Ok(())
}

/// Finds the package that apt complains about, when it complains about one.
fn explained(error: tool::Error, packages: &[&Package]) -> Error {
    let tool::Error::Failed { message, .. } = &error else {
        return error.into();
    };
    let gone = packages.iter().find(|package| {
        message.contains(&format!(
            "Version '{}' for '{}",
            package.version, package.name
        )) || message.contains(&format!("Unable to locate package {}", package.name))
    });
    match gone {
        Some(package) => Error::Gone {
            name: package.name.clone(),
            version: package.version.clone(),
            source: error,
        },
        None => error.into(),
    }
}

/// Moves a downloaded file to its place in the cache, if it is what it ought to be.
fn keep(package: &Package, archive: &Path, cache: &Path) -> Result<(), Error> {
    let failed = |source| Error::File {
        path: archive.to_owned(),
        source,
    };
    let found = digest(archive).map_err(failed)?;
    if found != package.sha256 {
        let expected = package.sha256.clone();
        return Err(Error::Altered {
            path: archive.to_owned(),
            expected,
            found,
        });
    }
    fs::create_dir_all(cache.join("debs")).map_err(failed)?;
    fs::rename(archive, package.cached(cache)).map_err(failed)
}

fn digest(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 18];
    loop {
        let read = io::Read::read(&mut file, &mut buffer)?;
        match buffer.get(..read) {
            Some([]) | None => return Ok(hex::encode(hasher.finalize())),
            Some(bytes) => hasher.update(bytes),
        }
    }
}

/// Undoes the `%3a` that apt writes for signs that files or addresses must not have.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('%');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part
            .get(..2)
            .and_then(|code| u8::from_str_radix(code, 16).ok());
        match (code, part.get(2..)) {
            (Some(code), Some(rest)) if code.is_ascii() => {
                plain.push(char::from(code));
                plain.push_str(rest);
            }
            _ => {
                plain.push('%');
                plain.push_str(part);
            }
        }
    }
    plain
}

/// What every base disk needs, whatever the recipe asks for, to boot and to be built upon.
const BASE: [&str; 15] = [
    "apt",
    "ca-certificates",
    "dbus",
    "dosfstools",
    "e2fsprogs",
    "iproute2",
    "kmod",
    "libpam-systemd",
    "linux-image-cloud-amd64",
    "openssh-server",
    "systemd-boot",
    "systemd-resolved",
    "systemd-sysv",
    "udev",
    "zstd",
];
/// How many packages one call of apt downloads.
const BATCH: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "'http://mirror.example/debian/pool/main/libx/libx11/libx11-6_1.8.4-2%2bdeb12u2_amd64.deb' \
                        libx11-6_2%3a1.8.4-2+deb12u2_amd64.deb 760000 SHA256:d8";

    #[test]
    fn apts_answer_becomes_a_package() {
        let package = Package::parse(LINE).unwrap();
        assert_eq!(package.version, "2:1.8.4-2+deb12u2");
        assert_eq!(
            package.file,
            "pool/main/libx/libx11/libx11-6_1.8.4-2+deb12u2_amd64.deb"
        );
        assert_eq!(package.archive(), "libx11-6_2%3a1.8.4-2+deb12u2_amd64.deb");
    }

    #[test]
    fn an_answer_without_a_sha256_is_none() {
        assert_eq!(Package::parse(&LINE.replace("SHA256:", "MD5Sum:")), None);
    }

    #[test]
    fn one_flipped_bit_in_a_cached_package_is_an_error() {
        let cache = tempfile::tempdir().unwrap();
        let package = Package {
            sha256: hex::encode(Sha256::digest(b"deb")),
            ..Package::parse(LINE).unwrap()
        };
        assert!(!package.check(cache.path()).unwrap());
        fs::create_dir(cache.path().join("debs")).unwrap();
        let write = |bytes: &[u8]| {
            let mut file = File::create(package.cached(cache.path())).unwrap();
            io::Write::write_all(&mut file, bytes).unwrap();
        };
        write(b"deb");
        assert!(package.check(cache.path()).unwrap());
        write(b"dec");
        assert!(matches!(
            package.check(cache.path()),
            Err(Error::Altered { .. })
        ));
    }

    #[test]
    fn percent_signs_that_escape_nothing_stay() {
        assert_eq!(unescaped("100%_a%3ab%zz%e4"), "100%_a:b%zz%e4");
    }
}
