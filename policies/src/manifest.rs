//! The list of staged binaries that a build VM is to install.
//!
//! `imagebuild` writes it from signed receipts; `dsvm-agent import` verifies and installs what it names.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::names::{AbsPath, FileName, Mode};

/// Staged binaries, in the order in which they are installed.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this format: 1.
    #[schemars(extend("const" = 1))]
    pub schema: u32,
    /// The binaries.
    pub binaries: Vec<Binary>,
}

/// One staged binary.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Binary {
    /// What the recipe calls it.
    pub name: String,
    /// Its file, beside the manifest.
    pub source: FileName,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Digest,
    /// Digest of the signed receipt under which it came through the import flow.
    pub receipt: Digest,
    /// How it is installed.
    pub install: Install,
}

/// How a staged binary is installed.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Install {
    /// A Debian package, installed with `dpkg`.
    Deb {},
    /// A file, put where it says.
    File {
        /// Where it goes.
        path: AbsPath,
        /// Its permission bits, such as `0755`.
        mode: Mode,
    },
    /// A Python wheel, installed into a virtual environment without network.
    Wheel {
        /// The virtual environment; made when it is not there.
        python: AbsPath,
    },
}
