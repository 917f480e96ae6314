//! The recipe: what an image is made of, as its maintainer writes it.
//!
//! A recipe is parsed once into types that cannot be wrong. Every path in it is relative to the folder
//! that the recipe lies in.

use std::path::{Path, PathBuf};

use policies::{
    digest::Digest,
    manifest::Install,
    names::{FileName, PlainName},
};
use serde::{Deserialize, Serialize};

mod parse;
/// Sizes and times as people write them.
mod quantity;
/// Words with a grammar that only recipes have.
mod word;

pub use self::{
    parse::Error,
    quantity::{Bytes, Span},
    word::{ImageName, LocalPath, Suite, Version},
};
use crate::files;

/// Everything that makes an image.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Recipe {
    /// Version of this format: 1.
    pub schema: u32,
    /// Name of the image.
    pub name: ImageName,
    /// Version of the image.
    pub version: Version,
    /// The policy that the image must conform to: a file, or a shipped one such as `baseline/cis-l1`.
    pub policy: LocalPath,
    /// The disk that everything is put on.
    pub base: Base,
    /// Accounts of the image.
    #[serde(default, rename = "user")]
    pub users: Vec<User>,
    /// The way by which binaries come in.
    #[serde(default)]
    pub import: Import,
    /// Binaries that are added to the base.
    #[serde(default, rename = "binary")]
    pub binaries: Vec<Binary>,
    /// Scripts that run as root in the build VM before the policy is enforced.
    #[serde(default, rename = "script")]
    pub scripts: Vec<Script>,
    /// What turns the base into the image.
    #[serde(default)]
    pub engine: Engine,
    /// The boot that the image is judged by.
    #[serde(default)]
    pub gate: Gate,
}

/// The disk that everything is put on.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Base {
    /// How the disk comes about.
    pub kind: BaseKind,
    /// The Debian release, such as `bookworm`.
    pub suite: Suite,
    /// Packages beside those that every bootable Debian has.
    #[serde(default)]
    pub packages: Vec<PlainName>,
    /// Size of the disk.
    pub disk_size: Bytes,
}

/// How a base disk comes about.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BaseKind {
    /// It is made here, from Debian packages.
    Debian,
}

/// An account of the image. Its password is locked.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Its login name.
    pub name: PlainName,
    /// Groups beside its own.
    #[serde(default)]
    pub groups: Vec<PlainName>,
}

/// The way by which binaries come in.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Import {
    /// What the flow runs over.
    pub kind: ImportKind,
    /// Where the data owner uploads.
    #[serde(default = "Import::default_landing")]
    pub landing: LocalPath,
    /// Where builds take binaries from.
    #[serde(default = "Import::default_secure")]
    pub secure: LocalPath,
    /// Whether binaries must be scanned.
    #[serde(default)]
    pub scan: Scan,
    /// Signatures that the scanner uses instead of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan_database: Option<LocalPath>,
}

impl Import {
    fn default_landing() -> LocalPath {
        LocalPath::fixed("landing")
    }

    fn default_secure() -> LocalPath {
        LocalPath::fixed("secure")
    }
}

impl Default for Import {
    fn default() -> Self {
        Self {
            kind: ImportKind::Directory,
            landing: Self::default_landing(),
            secure: Self::default_secure(),
            scan: Scan::default(),
            scan_database: None,
        }
    }
}

/// What the import flow runs over.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImportKind {
    /// Two folders of this machine.
    Directory,
}

/// Whether binaries must be scanned for malware.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scan {
    /// A scanner that is there is used, and a receipt says when there was none.
    IfInstalled,
    /// Nothing is scanned, and every receipt says so.
    Off,
    /// Without a scanner nothing comes in.
    #[default]
    Required,
}

/// A binary that is added to the base.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Binary {
    /// What it is called.
    pub name: PlainName,
    /// The file that its owner hands over.
    pub source: LocalPath,
    /// What the file must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
    /// How it is installed.
    pub install: Install,
}

impl Binary {
    /// The name of its file, without folders. Parsing a recipe makes sure that there is one.
    pub fn file(&self) -> Result<FileName, policies::names::InvalidName> {
        self.source.file_name().to_owned().try_into()
    }
}

/// A script that runs as root in the build VM before the policy is enforced.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The script.
    pub path: LocalPath,
}

/// What turns the base into the image.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Engine {
    /// Which engine.
    pub kind: EngineKind,
    /// Memory of the build VM.
    pub memory: Bytes,
    /// Processors of the build VM.
    pub cpus: Cpus,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            kind: EngineKind::PackerQemu,
            memory: Bytes::gib(2),
            cpus: Cpus::default(),
        }
    }
}

/// The engines.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum EngineKind {
    /// Packer with a QEMU machine on this host.
    PackerQemu,
}

impl EngineKind {
    /// Its name in a recipe.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PackerQemu => "packer-qemu",
        }
    }
}

/// A number of processors, from 1 to 64.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Cpus(u32);

impl Default for Cpus {
    fn default() -> Self {
        Self(2)
    }
}

impl TryFrom<u32> for Cpus {
    type Error = String;

    fn try_from(count: u32) -> Result<Self, String> {
        if (1..=64).contains(&count) {
            Ok(Self(count))
        } else {
            Err(format!(
                "{count} is not a number of processors from 1 to 64"
            ))
        }
    }
}

impl From<Cpus> for u32 {
    fn from(cpus: Cpus) -> Self {
        cpus.0
    }
}

/// The boot that the image is judged by.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gate {
    /// How long the image may take from power-on to its report.
    pub timeout: Span,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            timeout: Span::minutes(10),
        }
    }
}

/// A recipe together with the place where it was found.
#[derive(Clone, Debug)]
pub struct Located {
    /// The recipe.
    pub recipe: Recipe,
    /// Its file.
    pub path: PathBuf,
}

impl Located {
    /// Reads a recipe.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let bytes = files::read(path, MOST_BYTES).map_err(Error::read)?;
        Self::from_bytes(&bytes, path)
    }

    /// Reads a recipe from the bytes of a file at `path`.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, Error> {
        Ok(Self {
            recipe: parse::recipe(bytes, path)?,
            path: path.to_owned(),
        })
    }

    /// Where a path of the recipe lies.
    pub fn at(&self, path: &LocalPath) -> PathBuf {
        files::folder_of(&self.path).join(path.as_str())
    }

    /// The lock that belongs to the recipe.
    pub fn lock(&self) -> PathBuf {
        self.path.with_extension("lock")
    }

    /// The digest of what the recipe says; comments and layout do not matter.
    pub fn digest(&self) -> Result<Digest, serde_json::Error> {
        Ok(Digest::of(&serde_json::to_vec(&self.recipe)?))
    }
}

/// No recipe that a person wrote is this long.
const MOST_BYTES: u64 = 10_000_000;
