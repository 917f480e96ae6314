//! The reports that are kept on the machine.
//!
//! `reports/<sequence>.json` holds the last reports, each with the digest of the one before it;
//! `report.json` is the latest. A report is complete on disk or not there at all.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use policies::digest::Digest;
use policies::report::Report;

use crate::files::{self, Error};

/// Where reports are kept, below the root folder.
const FOLDER: &str = "var/lib/dsvm-agent";
/// The most that a kept report may weigh; what the gate accepts.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// The kept reports, for the one process that adds to them.
#[derive(Debug)]
pub(crate) struct Store {
    folder: PathBuf,
    keep: usize,
    kept: BTreeSet<u64>,
    last: u64,
    previous: Option<Digest>,
    /// Held as long as the store: two writers would tear the chain.
    _lock: File,
}

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// Another agent adds reports.
    #[error("another dsvm-agent keeps reports in `{folder}`")]
    Busy { folder: PathBuf },
    /// The folder cannot be used.
    #[error(transparent)]
    File(#[from] Error),
}

impl Store {
    /// Opens the store of the machine under a root folder, and goes on where it ended.
    pub(crate) fn open(root: &Path, keep: usize) -> Result<Self, OpenError> {
        let folder = root.join(FOLDER).join("reports");
        files::make_folder(&root.join(FOLDER), 0o755)?;
        files::make_folder(&folder, 0o750)?;
        let lock = File::open(&folder).map_err(Error::io("open", &folder))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::Busy { folder }),
            Err(TryLockError::Error(source)) => {
                return Err(Error::io("lock", &folder)(source).into());
            }
        }
        sweep(&folder);
        sweep(&root.join(FOLDER));
        let kept = sequences(&folder)?;
        let latest = latest_file(root);
        // The latest may be ahead of the folder when the folder was emptied by hand.
        let latest_sequence = latest
            .as_ref()
            .and_then(|bytes| parse(bytes))
            .map(|report| report.sequence.min(LARGEST));
        let last = kept.last().copied().max(latest_sequence).unwrap_or(0);
        let path = folder.join(name(last));
        let previous = files::read(&path, MOST_BYTES)
            .ok()
            .or(latest)
            .map(|bytes| Digest::of(&bytes));
        Ok(Self {
            folder,
            keep,
            kept,
            last,
            previous,
            _lock: lock,
        })
    }

    /// Gives a report its place in the chain, writes it, and forgets the oldest.
    pub(crate) fn add(&mut self, report: &mut Report) -> Result<(), Error> {
        report.sequence = self.last + 1;
        report.previous.clone_from(&self.previous);
        let bytes = line(report);
        let path = self.folder.join(name(report.sequence));
        files::write(&path, &bytes, 0o640)?;
        self.last = report.sequence;
        self.previous = Some(Digest::of(&bytes));
        self.kept.insert(report.sequence);
        self.forget();
        let latest = self.folder.with_file_name("report.json");
        files::write(&latest, &bytes, 0o640)
    }

    /// Removes the oldest reports. One that cannot be removed is tried again after the next report.
    fn forget(&mut self) {
        while self.kept.len() > self.keep {
            let Some(oldest) = self.kept.pop_first() else {
                return;
            };
            let path = self.folder.join(name(oldest));
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(%error, path = %path.display(), "cannot remove an old report");
                self.kept.insert(oldest);
                return;
            }
        }
    }
}

/// A report as it stands on disk.
#[derive(Debug)]
pub(crate) struct Kept {
    /// The bytes, one line.
    pub(crate) bytes: Vec<u8>,
    /// What they say.
    pub(crate) report: Report,
}

/// The latest report that is whole: a torn one is passed over for the one before it.
pub(crate) fn latest(root: &Path) -> Result<Option<Kept>, Error> {
    let folder = root.join(FOLDER).join("reports");
    let sequences = sequences(&folder)?;
    let numbered = sequences
        .iter()
        .rev()
        .map(|sequence| folder.join(name(*sequence)));
    for path in numbered.chain([root.join(FOLDER).join("report.json")]) {
        match files::read(&path, MOST_BYTES) {
            Ok(bytes) => {
                if let Some(report) = parse(&bytes) {
                    return Ok(Some(Kept { bytes, report }));
                }
                tracing::warn!(path = %path.display(), "passing over a torn report");
            }
            Err(error) if error.is_missing() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// A report as one line of JSON: as it is kept, sent and printed.
pub(crate) fn line(report: &Report) -> Vec<u8> {
    #[expect(
        clippy::expect_used,
        reason = "reports have only string keys, so they are always JSON"
    )]
    let mut bytes = serde_json::to_vec(report).expect("a report is JSON");
    bytes.push(b'\n');
    bytes
}

fn latest_file(root: &Path) -> Option<Vec<u8>> {
    files::read(&root.join(FOLDER).join("report.json"), MOST_BYTES).ok()
}

fn parse(bytes: &[u8]) -> Option<Report> {
    serde_json::from_slice(bytes).ok()
}

fn name(sequence: u64) -> String {
    format!("{sequence}.json")
}

/// The numbers of the reports in a folder.
fn sequences(folder: &Path) -> Result<BTreeSet<u64>, Error> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(Error::io("list", folder)(error)),
    };
    let mut found = BTreeSet::new();
    for entry in entries {
        let entry = entry.map_err(Error::io("list", folder))?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".json"));
        let sequence = number.and_then(|number| number.parse().ok());
        found.extend(
            sequence.filter(|sequence| *sequence <= LARGEST && *name == *self::name(*sequence)),
        );
    }
    Ok(found)
}

/// The largest number that every reader of JSON takes as it is.
const LARGEST: u64 = (1 << 53) - 1;

/// Removes what an interrupted write has left.
fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry
            .file_name()
            .to_string_lossy()
            .starts_with(files::PARTIAL)
            && let Err(error) = fs::remove_file(entry.path())
        {
            tracing::warn!(%error, path = %entry.path().display(), "cannot remove a partial file");
        }
    }
}

#[cfg(test)]
mod tests;
