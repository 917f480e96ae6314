//! One run of the lab: its name, its folder, and the keeper that removes both.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::repository;

/// What one lab owns outside this process: everything in its folder or named after it.
///
/// A separate process, the keeper, removes it when this process ends: after a panic, a signal or
/// `SIGKILL` no destructor runs.
#[derive(Debug)]
pub struct Run {
    name: String,
    folder: PathBuf,
    keeper: Child,
}

impl Run {
    /// Removes dead runs, then begins a new one.
    pub fn begin() -> Result<Self> {
        static BEGUN: AtomicU32 = AtomicU32::new(0);
        let runs = cache().join("runs");
        fs::create_dir_all(&runs).with_context(|| format!("make {}", runs.display()))?;
        let swept = keeper("sweep", &runs)
            .stdin(Stdio::null())
            .status()
            .context("sweep")?;
        ensure!(
            swept.success(),
            "dead runs under {} were not removed",
            runs.display()
        );
        let number = BEGUN.fetch_add(1, Ordering::Relaxed);
        let name = format!("lab{}-{number}", std::process::id());
        let folder = runs.join(&name);
        fs::create_dir(&folder).with_context(|| format!("make {}", folder.display()))?;
        let keeper = keeper("keep", &folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .context("start the keeper")?;
        let run = Self {
            name,
            folder,
            keeper,
        };
        wait_for("the keeper", Duration::from_secs(5), || {
            run.folder.join("kept").exists()
        })?;
        Ok(run)
    }

    /// Its name, unique among the runs that are up.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its folder, gone after the run.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // What it could not remove, the next run's sweep removes.
        drop(self.keeper.wait());
    }
}

fn keeper(what: &str, folder: &Path) -> Command {
    // A session of its own: a terminal's signals are for the owner.
    let mut keeper = Command::new("setsid");
    keeper
        .arg(repository::top().join("tests/lab/keeper.sh"))
        .arg(what)
        .arg(folder);
    keeper
}

/// Where the lab's parts, its machine roots and its runs are kept.
pub fn cache() -> PathBuf {
    std::env::var_os("DSVM_LAB").map_or_else(
        || {
            let caches = std::env::var_os("XDG_CACHE_HOME").map_or_else(
                || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache"),
                PathBuf::from,
            );
            caches.join("sealed-dsvm/lab")
        },
        PathBuf::from,
    )
}

/// Waits until something holds.
pub fn wait_for(what: &str, at_most: Duration, holds: impl Fn() -> bool) -> Result<()> {
    let began = Instant::now();
    while !holds() {
        ensure!(
            began.elapsed() < at_most,
            "{what} is not there after {at_most:?}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
