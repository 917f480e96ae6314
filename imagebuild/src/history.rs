//! How long the phases of a build took the last time, so that bars can say how long they will take.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{files, progress::Progress};

/// Progress that remembers how long each phase took.
pub struct Timed<'a> {
    inner: &'a dyn Progress,
    file: PathBuf,
    before: BTreeMap<String, u64>,
    now: Mutex<Now>,
}

#[derive(Default)]
struct Now {
    phase: Option<(String, Instant)>,
    took: BTreeMap<String, u64>,
}

impl std::fmt::Debug for Timed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timed")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl<'a> Timed<'a> {
    /// Remembers for one image, in the cache.
    pub fn new(inner: &'a dyn Progress, cache: &Path, image: &str) -> Self {
        let file = cache.join("durations").join(format!("{image}.json"));
        let before = files::read(&file, MOST_BYTES)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        Self {
            inner,
            file,
            before,
            now: Mutex::default(),
        }
    }

    /// Ends the last phase and remembers all of them.
    pub fn finish(&self) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.end();
        let mut all = self.before.clone();
        all.extend(now.took.clone());
        let text = serde_json::to_vec(&all).unwrap_or_default();
        let written = files::make_folder(files::folder_of(&self.file))
            .and_then(|()| files::write(&self.file, &text, 0o644));
        // It is a convenience: a build does not fail for it.
        if let Err(error) = written {
            tracing::debug!(%error, "failed to remember durations");
        }
    }
}

impl Now {
    fn end(&mut self) {
        if let Some((name, since)) = self.phase.take() {
            self.took.insert(
                name,
                u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX),
            );
        }
    }
}

impl Progress for Timed<'_> {
    fn phase(&self, name: &str, usual: Option<Duration>) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.end();
        now.phase = Some((name.to_owned(), Instant::now()));
        let before = self
            .before
            .get(name)
            .map(|millis| Duration::from_millis(*millis));
        self.inner.phase(name, usual.or(before));
    }

    fn advance(&self, done: u64, total: u64) {
        self.inner.advance(done, total);
    }

    fn note(&self, text: &str) {
        self.inner.note(text);
    }
}

const MOST_BYTES: u64 = 64 * 1024;
