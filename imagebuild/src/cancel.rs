//! The wish to stop, shared by everything that runs long.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Says that the person who started the work wants it to end. Clones share one flag.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A wish that nobody has uttered yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Utters the wish. Whatever runs ends soon and leaves nothing half-done.
    pub fn raise(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Says whether the work is to end.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// The bare flag, for a signal handler: that may do no more than set it.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }

    /// Sleeps, but no longer than until the wish is uttered. Says whether it was.
    pub fn wait(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        while !self.is_raised() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            thread::sleep(left.min(LOOK_EVERY));
        }
        true
    }
}

/// How often a sleeper looks at the flag: quick enough that Ctrl-C feels immediate.
const LOOK_EVERY: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_hears_of_the_wish() {
        let cancel = Cancel::new();
        let sleeper = cancel.clone();
        cancel.raise();
        assert!(sleeper.wait(Duration::from_mins(1)));
    }

    #[test]
    fn waiting_ends_by_itself() {
        assert!(!Cancel::new().wait(Duration::from_millis(1)));
    }
}
