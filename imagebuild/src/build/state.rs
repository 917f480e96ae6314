use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use policies::digest::Digest;
use serde::{Deserialize, Serialize};

use super::Work;
use crate::{exit::Mismatch, files};

/// A step whose result is worth keeping.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// The engine's disk.
    Engine,
    /// The VHD.
    Convert,
}

/// The result of a step.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Result {
    /// The file.
    pub path: PathBuf,
    /// Its content.
    pub sha256: Digest,
    /// How it looked when its content was read.
    pub look: Look,
}

impl Result {
    /// Reads the file that a step left.
    pub fn at(path: &Path) -> std::result::Result<Self, files::Error> {
        let (sha256, _) = files::digest(path)?;
        Ok(Self {
            path: path.to_owned(),
            sha256,
            look: Look::at(path)?,
        })
    }
}

/// How a file looks from outside: enough to see that nobody wrote to it since.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    inode: u64,
    /// Its size in bytes.
    pub size: u64,
    modified: (i64, i64),
}

impl Look {
    /// Looks at a file.
    pub fn at(path: &Path) -> std::result::Result<Self, files::Error> {
        let meta = fs::metadata(path).map_err(files::Error::read(path))?;
        Ok(Self {
            inode: meta.ino(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
        })
    }
}

/// What was done already, kept in the work folder.
#[derive(Debug)]
pub struct State {
    file: PathBuf,
    record: Record,
    new: bool,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Record {
    lock: Digest,
    steps: BTreeMap<Step, Result>,
}

impl State {
    /// Reads what earlier runs of this lock have done; nothing if they had another lock.
    pub fn load(work: &Work, lock: &Digest) -> std::result::Result<Self, files::Error> {
        Self::peek(&work.path(FILE), lock)
    }

    /// As [`State::load`], from outside the work folder.
    pub fn peek(file: &Path, lock: &Digest) -> std::result::Result<Self, files::Error> {
        let record = if file.is_file() {
            let record: Option<Record> =
                serde_json::from_slice(&files::read(file, MOST_BYTES)?).ok();
            record.filter(|record| record.lock == *lock)
        } else {
            None
        };
        let new = record.is_none();
        let fresh = || Record {
            lock: lock.clone(),
            steps: BTreeMap::new(),
        };
        Ok(Self {
            file: file.to_owned(),
            record: record.unwrap_or_else(fresh),
            new,
        })
    }

    /// Says whether nothing was done with this lock yet.
    pub const fn is_new(&self) -> bool {
        self.new
    }

    /// Says whether a step was recorded, without looking at its result.
    pub fn records(&self, step: Step) -> bool {
        self.record.steps.contains_key(&step)
    }

    /// Says whether a step was done and its result is still what it was. It is read to find out.
    pub fn has(&self, step: Step) -> std::result::Result<bool, files::Error> {
        let Some(result) = self.record.steps.get(&step) else {
            return Ok(false);
        };
        if !result.path.is_file() || Look::at(&result.path)? != result.look {
            return Ok(false);
        }
        let (found, _) = files::digest(&result.path)?;
        Ok(found == result.sha256)
    }

    /// The result of a step that was done.
    pub fn result(&self, step: Step) -> std::result::Result<Result, Mismatch> {
        self.record
            .steps
            .get(&step)
            .cloned()
            .ok_or_else(|| Mismatch {
                object: "state of the build".to_owned(),
                expected: format!("a result of step {step:?}"),
                found: "none".to_owned(),
            })
    }

    /// The file that a step left.
    pub fn path(&self, step: Step) -> std::result::Result<PathBuf, Mismatch> {
        self.result(step).map(|result| result.path)
    }

    /// Records that a step was done.
    pub fn done(&mut self, step: Step, path: &Path) -> std::result::Result<(), files::Error> {
        let result = Result::at(path)?;
        self.record.steps.insert(step, result);
        let text = serde_json::to_vec_pretty(&self.record).unwrap_or_default();
        files::write(&self.file, &text, 0o644)
    }
}

/// The file of the state, in the work folder.
pub(super) const FILE: &str = "state.json";
const MOST_BYTES: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_that_was_touched_or_belongs_to_another_lock_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let (file, disk) = (folder.path().join(FILE), folder.path().join("disk"));
        let lock = Digest::of(b"lock");
        files::write(&disk, b"disk", 0o644).unwrap();
        let mut state = State::peek(&file, &lock).unwrap();
        assert!(state.is_new());
        state.done(Step::Engine, &disk).unwrap();

        let again = State::peek(&file, &lock).unwrap();
        assert!(!again.is_new() && again.has(Step::Engine).unwrap());
        assert!(!again.has(Step::Convert).unwrap());
        assert!(State::peek(&file, &Digest::of(b"other")).unwrap().is_new());

        files::write(&disk, b"disc", 0o644).unwrap();
        assert!(!again.has(Step::Engine).unwrap());
    }
}
