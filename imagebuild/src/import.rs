//! The import flow: the only way by which a binary comes into an image.
//!
//! ```text
//! source ─▶ landing ─▶ private copy ─▶ scan ─▶ secure ─▶ receipt
//!  owner    create-    hashed while     ✗ ─▶    0444,     signed
//!           only       it is read    quarantine versioned
//! ```
//! Every step can be repeated: a run that was killed is taken up where it stopped, and a binary that has
//! its receipt is not touched again.

use std::path::PathBuf;

use policies::digest::Digest;

use crate::{
    cancel::Cancel,
    exit::{Ends, Exit, Mismatch},
    files,
    recipe::{Binary, Located, Scan},
    sign::Key,
    tool,
};

/// The folder that data owners upload to.
pub mod landing;
/// What is signed for each binary.
pub mod receipt;
/// The scanner.
pub mod scan;
/// The folder that builds take binaries from.
pub mod secure;

use self::{
    landing::Landing,
    receipt::Receipt,
    scan::{Scanner, Verdict},
    secure::Secure,
};

/// Why a binary did not come in.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A landing file was written to while it was read.
    #[error("landing file `{}` changed while it was read", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A statement cannot be written down.
    #[error("failed to write a receipt")]
    Encode(#[from] serde_json::Error),
    /// A file or folder of the flow cannot be read or written.
    #[error("failed to import `{name}`")]
    File {
        /// The binary.
        name: String,
        /// What went wrong.
        source: files::Error,
    },
    /// Something is not what it is said to be.
    #[error("binary `{name}` cannot be used")]
    Mismatch {
        /// The binary.
        name: String,
        /// What is different.
        source: Mismatch,
    },
    /// There is neither the file nor anything that was staged.
    #[error("failed to find binary `{name}` at `{}`", path.display())]
    Missing {
        /// The binary.
        name: String,
        /// Where it should be.
        path: PathBuf,
    },
    /// Something else than a file is where a file should be.
    #[error("`{}` is not a plain file", path.display())]
    NotAFile {
        /// What is there.
        path: PathBuf,
    },
    /// The scanner has nothing to scan with.
    #[error("failed to scan `{name}`: the scanner has no signatures")]
    NoSignatures {
        /// The binary.
        name: String,
    },
    /// There is another file of that name in the landing folder.
    #[error("landing file `{}` is not the one that `{}` would become", path.display(), upload.display())]
    Occupied {
        /// The file that is there.
        path: PathBuf,
        /// The file that should go there.
        upload: PathBuf,
    },
    /// The scanner found something.
    #[error("binary `{name}` was refused: {finding}")]
    Refused {
        /// The binary.
        name: String,
        /// What the scanner says.
        finding: String,
        /// Where the file is kept.
        quarantine: PathBuf,
    },
    /// The scanner is missing or failed.
    #[error("failed to scan `{name}`")]
    Scan {
        /// The binary.
        name: String,
        /// What went wrong.
        source: tool::Error,
    },
}

impl Ends for Error {
    fn exit(&self) -> Exit {
        match self {
            Self::Changed { .. } | Self::Mismatch { .. } | Self::Refused { .. } => Exit::Deviates,
            Self::Missing { .. } | Self::NotAFile { .. } | Self::Occupied { .. } => Exit::BadInput,
            Self::Encode(_) | Self::File { .. } | Self::NoSignatures { .. } | Self::Scan { .. } => {
                Exit::Unable
            }
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Changed { .. } => {
                Some("wait until the upload is complete, then stage again".to_owned())
            }
            Self::File { source, .. } => source.hint(),
            Self::Missing { .. } => {
                Some("put the file there, or correct `source` in the recipe".to_owned())
            }
            Self::Occupied { path, .. } => {
                Some(format!("remove `{}` if it is not wanted", path.display()))
            }
            Self::Refused { quarantine, .. } => {
                Some(format!("the file is kept at `{}`", quarantine.display()))
            }
            Self::NoSignatures { .. } => Some("`freshclam` fetches them".to_owned()),
            Self::Scan { source, .. } => source.hint(),
            Self::Mismatch { .. } => Some(
                "find out who changed it; a file that is only damaged comes in anew after it and its \
                 receipt are removed from the secure folder"
                    .to_owned(),
            ),
            Self::Encode(_) | Self::NotAFile { .. } => None,
        }
    }
}

/// A binary that came in.
#[derive(Clone, Debug)]
pub struct Staged {
    /// Its file in the secure folder.
    pub path: PathBuf,
    /// Its digest.
    pub sha256: Digest,
    /// Digest of its receipt.
    pub receipt_digest: Digest,
    /// Its receipt.
    pub receipt: Receipt,
    /// The receipt as it was signed.
    pub envelope: crate::dsse::Envelope,
    /// Whether this run brought it in.
    pub new: bool,
}

/// The import flow between two folders.
#[derive(Debug)]
pub struct Flow<'a> {
    landing: Landing,
    secure: Secure,
    located: &'a Located,
    key: &'a Key,
}

impl<'a> Flow<'a> {
    /// The flow of a recipe.
    pub fn new(located: &'a Located, key: &'a Key) -> Self {
        let import = &located.recipe.import;
        Self {
            landing: Landing::at(located.at(&import.landing)),
            secure: Secure::at(located.at(&import.secure)),
            located,
            key,
        }
    }

    /// What a binary's file is now: its digest, or the one that the recipe demands, and its size. Nothing
    /// when the file is gone.
    pub fn seen(&self, binary: &Binary) -> Result<Option<(Digest, u64)>, Error> {
        let source = Some(self.located.at(&binary.source)).filter(|path| path.is_file());
        let Some(path) = source.or_else(|| self.landing.find(binary)) else {
            return Ok(None);
        };
        let (digest, size) = files::digest(&path).map_err(failed(binary))?;
        Ok(Some((binary.sha256.clone().unwrap_or(digest), size)))
    }

    /// What was staged of a binary with this digest, verified.
    pub fn find(&self, binary: &Binary, sha256: &Digest) -> Result<Option<Staged>, Error> {
        self.secure.find(binary, sha256, &self.key.public())
    }

    /// Says whether a binary was staged, without reading all of it.
    pub fn has(&self, binary: &Binary, sha256: &Digest) -> bool {
        self.secure.receipt_path(binary, sha256).is_file()
            && self.secure.path(binary, sha256).is_file()
    }

    /// Brings a binary in, or finds that it is in. `sha256` is what it must be.
    pub fn stage(
        &self,
        binary: &Binary,
        sha256: Option<&Digest>,
        cancel: &Cancel,
    ) -> Result<Staged, Error> {
        if let Some(sha256) = sha256
            && let Some(staged) = self.find(binary, sha256)?
        {
            self.landing.clear(binary, sha256)?;
            return Ok(staged);
        }
        let started = jiff::Timestamp::now();
        let landed = self
            .landing
            .upload(binary, &self.located.at(&binary.source), sha256)?;
        let copy = self.secure.take_in(binary, &landed)?;
        if let Some(expected) = sha256 {
            Mismatch::check(landed.path.display().to_string(), expected, &copy.sha256)
                .map_err(differs(binary))?;
        }
        let scanned = self.scan(binary, &copy, cancel)?;
        if let Verdict::Refused { finding, .. } = &scanned {
            return Err(Error::Refused {
                name: binary.name.to_string(),
                finding: finding.clone(),
                quarantine: self.landing.quarantine(binary, &landed, &copy.sha256)?,
            });
        }
        let (sha256, size) = (copy.sha256.clone(), copy.size);
        self.secure.keep(binary, copy)?;
        let receipt = Receipt {
            name: binary.name.clone(),
            source: binary.source.file_name().to_owned(),
            size,
            secure_path: Secure::name(binary, &sha256),
            scan: scanned,
            landed: started,
            secured: jiff::Timestamp::now(),
            imagebuild: env!("CARGO_PKG_VERSION").to_owned(),
        };
        self.secure.sign(binary, &sha256, receipt, self.key)?;
        self.landing.clear(binary, &sha256)?;
        let staged = self.find(binary, &sha256)?.ok_or_else(|| Error::Missing {
            name: binary.name.to_string(),
            path: self.secure.path(binary, &sha256),
        })?;
        Ok(Staged {
            new: true,
            ..staged
        })
    }

    fn scan(
        &self,
        binary: &Binary,
        copy: &secure::Copy,
        cancel: &Cancel,
    ) -> Result<Verdict, Error> {
        let import = &self.located.recipe.import;
        let database = import
            .scan_database
            .as_ref()
            .map(|path| self.located.at(path));
        let failed = |source| Error::Scan {
            name: binary.name.to_string(),
            source,
        };
        if import.scan == Scan::Off {
            return Ok(Verdict::NotScanned {
                reason: "scanning is off".to_owned(),
            });
        }
        match scan::scanner(database.as_deref(), cancel).map_err(failed)? {
            Scanner::Ready { version } => {
                scan::scan(copy.path(), version, database.as_deref(), cancel).map_err(failed)
            }
            missing if import.scan == Scan::IfInstalled => Ok(Verdict::NotScanned {
                reason: missing.to_string(),
            }),
            Scanner::Missing => Err(failed(tool::Error::Missing {
                tool: tool::Tool::Clamscan,
            })),
            Scanner::NoSignatures => Err(Error::NoSignatures {
                name: binary.name.to_string(),
            }),
        }
    }
}

/// Names the binary whose file made trouble; for `map_err`.
fn failed(binary: &Binary) -> impl Fn(files::Error) -> Error {
    move |source| Error::File {
        name: binary.name.to_string(),
        source,
    }
}

/// Names the binary that is not what it should be; for `map_err`.
fn differs(binary: &Binary) -> impl Fn(Mismatch) -> Error {
    move |source| Error::Mismatch {
        name: binary.name.to_string(),
        source,
    }
}
