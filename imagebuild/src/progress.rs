//! What long work tells the person who waits for it.

use std::time::Duration;

/// Receives the progress of a build. The terminal draws bars with it; a log gets one line per phase.
pub trait Progress: Sync {
    /// A new phase begins; `usual` is how long it took the last time, when that is known.
    fn phase(&self, name: &str, usual: Option<Duration>);

    /// Work inside the phase: `done` of `total` units (bytes, packages, …).
    fn advance(&self, done: u64, total: u64);

    /// One thing worth telling inside the phase, such as the step that the engine is at.
    fn note(&self, text: &str);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Progress for Silent {
    fn phase(&self, _name: &str, _usual: Option<Duration>) {}
    fn advance(&self, _done: u64, _total: u64) {}
    fn note(&self, _text: &str) {}
}
