//! The lock: everything that goes into an image, pinned.
//!
//! It lies beside its recipe and belongs into version control. Its first line is the digest of all that
//! follows, so that a damaged lock is told apart from one that is out of date.

use std::path::{Path, PathBuf};

use policies::digest::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    debian::Package,
    exit::{Ends, Exit, Mismatch},
    files,
};

/// What is different between two locks.
mod compare;
/// What a lock would pin now.
mod pins;

pub(crate) use self::pins::resolve;
pub use self::{
    compare::{Difference, differences},
    pins::{Inputs, Pinned},
};

/// Everything that goes into an image.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Lock {
    /// Version of this format: 1.
    pub schema: u32,
    /// The image's name.
    pub image: String,
    /// The image's version.
    pub version: String,
    /// The version of the program that wrote the lock.
    pub imagebuild: String,
    /// Digest of what the recipe says; comments and layout do not matter.
    pub recipe: Digest,
    /// Digest of the template and the provisioning scripts.
    pub provisioning: Digest,
    /// The agent.
    pub agent: Agent,
    /// The policy.
    pub policy: Policy,
    /// The base disk.
    pub base: Base,
    /// The added binaries.
    #[serde(default, rename = "binary")]
    pub binaries: Vec<Binary>,
    /// The recipe's own scripts.
    #[serde(default, rename = "script")]
    pub scripts: Vec<File>,
}

/// The agent.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// Digest of its Debian package.
    pub package: Digest,
    /// Digest of the program in it.
    pub binary: Digest,
}

/// The policy.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Digest of its canonical form.
    pub digest: Digest,
    /// The files that it is made of.
    #[serde(rename = "file")]
    pub files: Vec<File>,
}

/// The base disk.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    /// The Debian release.
    pub suite: String,
    /// Every package, with what it depends on.
    #[serde(default, rename = "package")]
    pub packages: Vec<Package>,
}

/// An added binary.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Binary {
    /// Its name.
    pub name: String,
    /// Its digest.
    pub sha256: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Digest of its receipt; none if it was locked before it was staged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Digest>,
}

/// A file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its name.
    pub path: String,
    /// Its digest.
    pub sha256: Digest,
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The lock is not what was written.
    #[error("lock `{}` is damaged", path.display())]
    Damaged {
        /// The lock.
        path: PathBuf,
        /// What is different.
        source: Mismatch,
    },
    /// The lock cannot be written down.
    #[error("failed to encode the lock")]
    Encode(#[from] toml::ser::Error),
    /// The lock cannot be read or written.
    #[error("failed to open the lock")]
    File(#[from] files::Error),
    /// The lock has a form that this program does not know.
    #[error("lock `{}` is not one that this program knows", path.display())]
    Unknown {
        /// The lock.
        path: PathBuf,
        /// What is wrong in it.
        source: toml::de::Error,
    },
}

impl Ends for Error {
    fn exit(&self) -> Exit {
        match self {
            Self::Damaged { .. } => Exit::Deviates,
            Self::Encode(_) | Self::File(_) => Exit::Unable,
            Self::Unknown { .. } => Exit::BadInput,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Damaged { .. } => Some(
                "take it back from version control, or remove it and run `imagebuild lock`"
                    .to_owned(),
            ),
            Self::Unknown { .. } => Some("`imagebuild lock` writes it anew".to_owned()),
            Self::File(error) => error.hint(),
            Self::Encode(_) => None,
        }
    }
}

impl Lock {
    /// Reads a lock and makes sure that it is whole.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let bytes = files::read(path, MOST_BYTES)?;
        let body = body(&bytes, &format!("digest of `{}`", path.display())).map_err(|source| {
            Error::Damaged {
                path: path.to_owned(),
                source,
            }
        })?;
        toml::from_str(&body).map_err(|source| Error::Unknown {
            path: path.to_owned(),
            source,
        })
    }

    /// Reads the lock if there is one.
    pub fn find(path: &Path) -> Result<Option<Self>, Error> {
        if path.try_exists().map_err(files::Error::read(path))? {
            Self::load(path).map(Some)
        } else {
            Ok(None)
        }
    }

    /// The lock as it is written to a file.
    pub fn text(&self) -> Result<String, Error> {
        let body = format!("{NOTICE}{}", toml::to_string(self)?);
        Ok(format!("{DIGEST}{}\"\n{body}", Digest::of(body.as_bytes())))
    }

    /// Writes the lock.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        Ok(files::write(path, self.text()?.as_bytes(), 0o644)?)
    }

    /// The digest of the lock's file: the identity of the image that is made from it.
    pub fn digest(&self) -> Result<Digest, Error> {
        Ok(Digest::of(self.text()?.as_bytes()))
    }
}

/// What follows the first line, if the first line is its digest.
fn body(bytes: &[u8], object: &str) -> Result<String, Mismatch> {
    let damaged = |expected: &str, found: &str| Mismatch {
        object: object.to_owned(),
        expected: expected.to_owned(),
        found: found.to_owned(),
    };
    let end = bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(bytes.len());
    let (first, rest) = bytes.split_at(end);
    let rest = rest.get(1..).unwrap_or_default();
    let written = str::from_utf8(first).ok().and_then(|line| {
        line.strip_prefix(DIGEST)?
            .strip_suffix('"')?
            .to_owned()
            .try_into()
            .ok()
    });
    let found = Digest::of(rest);
    let expected: Digest = written.ok_or_else(|| {
        damaged(
            "a digest in the first line",
            &String::from_utf8_lossy(first),
        )
    })?;
    Mismatch::check(object, &expected, &found)?;
    String::from_utf8(rest.to_vec()).map_err(|error| damaged("a text", &error.to_string()))
}

const DIGEST: &str = "digest = \"";
const NOTICE: &str =
    "# Written by `imagebuild lock`. Keep it in version control, and do not edit it.\n";
/// A lock of tens of thousands of packages.
const MOST_BYTES: u64 = 64 << 20;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn example() -> Lock {
        let digest = |text: &str| Digest::of(text.as_bytes());
        Lock {
            schema: 1,
            image: "desk".to_owned(),
            version: "1.0.0".to_owned(),
            imagebuild: "0.1.0".to_owned(),
            recipe: digest("recipe"),
            provisioning: digest("packer"),
            agent: Agent {
                package: digest("deb"),
                binary: digest("agent"),
            },
            policy: Policy {
                name: "p".to_owned(),
                digest: digest("policy"),
                files: Vec::new(),
            },
            base: Base {
                suite: "bookworm".to_owned(),
                packages: vec![Package {
                    name: "xrdp".to_owned(),
                    version: "0.9.21".to_owned(),
                    architecture: "amd64".to_owned(),
                    sha256: digest("xrdp").to_string(),
                    size: 7,
                    file: "pool/x.deb".to_owned(),
                }],
            },
            binaries: vec![Binary {
                name: "samtools".to_owned(),
                sha256: digest("samtools"),
                size: 9,
                receipt: None,
            }],
            scripts: vec![File {
                path: "s.sh".to_owned(),
                sha256: digest("script"),
            }],
        }
    }

    #[test]
    fn a_lock_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("desk.lock");
        assert_eq!(Lock::find(&path).unwrap(), None);
        example().save(&path).unwrap();
        assert_eq!(Lock::load(&path).unwrap(), example());
        assert_eq!(files::digest(&path).unwrap().0, example().digest().unwrap());
    }

    #[test]
    fn every_flipped_bit_of_a_lock_is_found() {
        let text = example().text().unwrap().into_bytes();
        assert!(body(&text, "it").is_ok());
        for bit in 0..text.len() * 8 {
            let mut flipped = text.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(body(&flipped, "it").is_err(), "bit {bit}");
        }
    }
}
