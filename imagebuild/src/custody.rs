//! The custody statement: one signature that ties an image to everything that speaks for it.

use std::{collections::BTreeSet, path::Path};

use jiff::Timestamp;
use policies::{digest::Digest, names::FileName, report::Report};
use serde::{Deserialize, Serialize};

use crate::{
    build::StepResult,
    dsse::Envelope,
    exit::{Ends, Exit, Mismatch},
    files,
    import::Staged,
    intoto::{Predicate, Statement},
    lock::Lock,
    sign::{Key, PublicKey},
};

/// The image.
pub const VHD: &str = "image.vhd";
/// The lock it was made from.
pub const LOCK: &str = "image.lock";
/// The report of its boot.
pub const REPORT: &str = "report.json";
/// The report for people.
pub const PAGE: &str = "report.html";
/// What it consists of.
pub const SBOM: &str = "sbom.cdx.json";
/// What the engine and the booted image said.
pub const LOG: &str = "build.log";
/// What the agent found on the sealed disk, before any boot.
pub const SEALED_REPORT: &str = "report-sealed.json";
/// The custody statement.
pub const STATEMENT: &str = "custody.json";

/// The files that lie beside every image.
pub const SMALL_FILES: [&str; 5] = [LOCK, REPORT, PAGE, SBOM, LOG];

/// What is said of an image. The statement's subject is the image itself.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Custody {
    /// Name of the image.
    pub image: String,
    /// Version of the image.
    pub version: String,
    /// Size of the image in bytes.
    pub size: u64,
    /// Digest of the lock.
    pub lock: Digest,
    /// The files beside the image.
    pub files: Vec<Evidence>,
    /// The challenge that the booted image repeated in its report.
    pub challenge: String,
    /// The receipts of the binaries in the image.
    pub receipts: Vec<Envelope>,
    /// When the statement was made.
    pub made: Timestamp,
    /// The version of the program that made the image.
    pub imagebuild: String,
}

/// A file beside the image.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Its name.
    pub name: String,
    /// Its digest.
    pub sha256: Digest,
}

impl Predicate for Custody {
    const TYPE: &'static str = "https://sealed-dsvm.dev/custody/v1";
}

/// Why there is no custody statement.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The statement cannot be written down.
    #[error("failed to encode the custody statement")]
    Encode(#[from] serde_json::Error),
    /// A file beside the image cannot be read or written.
    #[error("failed to collect what speaks for the image")]
    File(#[from] files::Error),
}

impl Ends for Error {
    fn exit(&self) -> Exit {
        Exit::Unable
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::File(error) => error.hint(),
            Self::Encode(_) => None,
        }
    }
}

impl Custody {
    /// Collects what speaks for an image out of the folder with its files.
    pub fn collect(
        folder: &Path,
        lock: &Lock,
        staged: &[Staged],
        vhd: &StepResult,
        report: &Report,
    ) -> Result<Self, Error> {
        let evidence = |name: &&str| {
            let (sha256, _) = files::digest(&folder.join(name))?;
            Ok(Evidence {
                name: (*name).to_owned(),
                sha256,
            })
        };
        let sealed = folder
            .join(SEALED_REPORT)
            .is_file()
            .then_some(&SEALED_REPORT);
        let files: Vec<_> = SMALL_FILES
            .iter()
            .chain(sealed)
            .map(evidence)
            .collect::<Result<_, files::Error>>()?;
        let (lock_digest, _) = files::digest(&folder.join(LOCK))?;
        Ok(Self {
            image: lock.image.clone(),
            version: lock.version.clone(),
            size: vhd.look.size,
            lock: lock_digest,
            files,
            challenge: report.challenge.clone().unwrap_or_default(),
            receipts: staged
                .iter()
                .map(|staged| staged.envelope.clone())
                .collect(),
            made: Timestamp::now(),
            imagebuild: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }

    /// Signs for the image and writes the statement beside it.
    pub fn sign(self, folder: &Path, vhd: &Digest, key: &Key) -> Result<(), Error> {
        let envelope = Statement::new(VHD, vhd.clone(), self).seal(key)?;
        Ok(files::write(
            &folder.join(STATEMENT),
            &envelope.bytes()?,
            0o644,
        )?)
    }

    /// Reads the statement of an image if the key signed it.
    pub fn open(folder: &Path, key: &PublicKey) -> Result<Opened, Mismatch> {
        let path = folder.join(STATEMENT);
        let bytes = files::read(&path, MOST_BYTES).map_err(|error| Mismatch {
            object: STATEMENT.to_owned(),
            expected: "a signed statement".to_owned(),
            found: crate::ui::causes(&error),
        })?;
        let envelope = Envelope::parse(&bytes, STATEMENT)?;
        Ok(Opened {
            statement: Statement::open(&envelope, STATEMENT, key)?,
        })
    }
}

/// A custody statement whose signature is right.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The statement.
    pub statement: Statement<Custody>,
}

impl std::ops::Deref for Opened {
    type Target = Statement<Custody>;

    fn deref(&self) -> &Self::Target {
        &self.statement
    }
}

impl Opened {
    /// Compares the files beside the image with what the statement says of them.
    pub fn small_files(&self, folder: &Path) -> Vec<(String, Result<(), Mismatch>)> {
        let said = self.predicate.files.iter().map(|file| file.name.as_str());
        let names: BTreeSet<_> = said.chain(SMALL_FILES).collect();
        let names = names.into_iter();
        names
            .map(|name| (name.to_owned(), self.small_file(folder, name)))
            .collect()
    }

    fn small_file(&self, folder: &Path, name: &str) -> Result<(), Mismatch> {
        let differs = |expected: String, found: String| Mismatch {
            object: name.to_owned(),
            expected,
            found,
        };
        let said = self.predicate.files.iter().find(|file| file.name == name);
        let none = || {
            differs(
                "a digest in the custody statement".to_owned(),
                "none".to_owned(),
            )
        };
        let said = said.ok_or_else(none)?;
        if let Err(error) = name.parse::<FileName>() {
            return Err(differs(
                "a file beside the image".to_owned(),
                error.to_string(),
            ));
        }
        let (found, _) = files::digest(&folder.join(name))
            .map_err(|error| differs(said.sha256.to_string(), crate::ui::causes(&error)))?;
        Mismatch::check(name, &said.sha256, &found)
    }
}

/// A statement with the receipts of thousands of binaries.
const MOST_BYTES: u64 = 64 << 20;
