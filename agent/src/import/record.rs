//! What was imported before.
//!
//! It tells an auditor under which receipt a binary came onto the machine, and the next import what is
//! there already.

use std::path::Path;

use policies::manifest::{Binary, Manifest};

use crate::files;
use crate::import::{Error, MOST_BYTES, STATE};

/// The binaries that were imported, as their manifests listed them, by name.
#[derive(Debug)]
pub(super) struct Record(Manifest);

impl Record {
    /// Reads the record of the machine under a root folder. One that cannot be understood is begun anew:
    /// everything is then installed once more.
    pub(super) fn read(root: &Path) -> Result<Self, Error> {
        let empty = Manifest {
            schema: 1,
            binaries: Vec::new(),
        };
        match files::read(&root.join(STATE).join(NAME), MOST_BYTES) {
            Ok(bytes) => Ok(Self(serde_json::from_slice(&bytes).unwrap_or(empty))),
            Err(error) if error.is_missing() => Ok(Self(empty)),
            Err(error) => Err(error.into()),
        }
    }

    /// Says whether exactly this binary was imported in exactly this way.
    pub(super) fn has(&self, binary: &Binary) -> bool {
        self.0
            .binaries
            .iter()
            .any(|known| known.sha256 == binary.sha256 && known.install == binary.install)
    }

    /// Adds binaries; one of the same name is replaced.
    pub(super) fn extend(&mut self, binaries: impl IntoIterator<Item = Binary>) {
        for binary in binaries {
            self.0.binaries.retain(|known| known.name != binary.name);
            self.0.binaries.push(binary);
        }
        self.0.binaries.sort_by(|a, b| a.name.cmp(&b.name));
    }

    /// Writes the record.
    pub(super) fn write(&self, root: &Path) -> Result<(), Error> {
        let path = root.join(STATE).join(NAME);
        let mut bytes = serde_json::to_vec(&self.0).map_err(|source| Error::Manifest {
            path: path.clone(),
            source,
        })?;
        bytes.push(b'\n');
        files::write(&path, &bytes, 0o644)?;
        Ok(())
    }
}

/// The record's file, beside the reports.
const NAME: &str = "imports.json";
