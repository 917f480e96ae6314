//! Notices changes of the policy's files.

use std::path::PathBuf;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

/// A watch over folders. What it misses is found when the interval ends.
#[derive(Debug)]
pub(super) struct Watch {
    watcher: Option<RecommendedWatcher>,
    folders: Vec<PathBuf>,
}

impl Watch {
    /// Prepares a watch over folders, and gives what tells of changes.
    pub(super) fn new(folders: Vec<PathBuf>) -> (Self, mpsc::Receiver<()>) {
        let (send, changes) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let is_read = event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_)));
            // A full channel holds a change that nobody has looked at yet: one is enough.
            if !is_read && let Err(mpsc::error::TrySendError::Closed(())) = send.try_send(()) {
                tracing::debug!("nobody waits for changes any more");
            }
        });
        let watcher = match watcher {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                tracing::warn!(%error, "changes of the policy are noticed only at intervals");
                None
            }
        };
        (Self { watcher, folders }, changes)
    }

    /// Watches the folders that are there by now; watching one again costs nothing.
    pub(super) fn renew(&mut self) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        for folder in self.folders.iter().filter(|folder| folder.is_dir()) {
            if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
                tracing::warn!(%error, folder = %folder.display(), "changes here are noticed only at intervals");
            }
        }
    }
}
