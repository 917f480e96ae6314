use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{say, span};
use crate::progress::Progress;

/// Progress as one line per phase, for logs.
#[derive(Debug, Default)]
pub(super) struct Lines(Mutex<Option<Phase>>);

#[derive(Debug)]
struct Phase {
    name: String,
    since: Instant,
}

impl Lines {
    pub(super) fn new() -> Self {
        Self::default()
    }

    fn end(&self) {
        let mut phase = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(phase) = phase.take() {
            tracing::debug!(phase = phase.name, took = %span(phase.since.elapsed()), "phase ended");
        }
    }
}

impl Progress for Lines {
    fn phase(&self, name: &str, usual: Option<Duration>) {
        self.end();
        let usual = usual.map(|usual| format!(" (took {} the last time)", span(usual)));
        say(&format!("{name} …{}", usual.unwrap_or_default()));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Phase {
            name: name.to_owned(),
            since: Instant::now(),
        });
    }

    fn advance(&self, _done: u64, _total: u64) {}

    fn note(&self, text: &str) {
        tracing::info!("{text}");
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.end();
    }
}
