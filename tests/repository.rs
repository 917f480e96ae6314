//! The repository: where it is, and which files git tracks in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The top of the repository.
#[must_use]
pub fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_path_buf)
        .unwrap_or_default()
}

/// A tracked file: its path from the top, and its text.
#[derive(Debug)]
pub struct Tracked {
    /// Its path from the top.
    pub path: String,
    /// Its text; empty for what is not UTF-8.
    pub text: String,
}

/// The files that git tracks, or would track once they are added.
///
/// # Panics
/// When git cannot list them: a contract over no files would always hold.
#[must_use]
#[expect(
    clippy::panic,
    reason = "only tests call it, and a list that is not there must fail them"
)]
pub fn tracked() -> Vec<Tracked> {
    let listed = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(top())
        .output();
    let Ok(listed) = listed else {
        panic!("git does not list the files")
    };
    let files: Vec<_> = String::from_utf8_lossy(&listed.stdout)
        .split_terminator('\0')
        .filter_map(|path| {
            let bytes = fs::read(top().join(path)).ok()?;
            let text = String::from_utf8(bytes).unwrap_or_default();
            Some(Tracked {
                path: path.to_owned(),
                text,
            })
        })
        .collect();
    assert!(files.len() > 50, "git lists only {} files", files.len());
    files
}

/// The text of one file of the repository.
///
/// # Panics
/// When it cannot be read.
#[must_use]
#[expect(
    clippy::panic,
    reason = "only tests call it, and a missing file must fail them"
)]
pub fn text(path: &str) -> String {
    fs::read_to_string(top().join(path)).unwrap_or_else(|error| panic!("read {path}: {error}"))
}
