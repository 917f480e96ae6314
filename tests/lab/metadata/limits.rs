//! How often metadata may be asked: 20 tokens a second and five at once, five others a second.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Counts requests. Clones count together.
#[derive(Clone, Debug, Default)]
pub(super) struct Limits(Arc<Mutex<Counted>>);

#[derive(Debug, Default)]
struct Counted {
    tokens: VecDeque<Instant>,
    others: VecDeque<Instant>,
    running: usize,
}

/// A token request that is being answered.
#[derive(Debug)]
pub(super) struct Running(Option<Limits>);

impl Limits {
    /// Lets a request in, or not.
    pub(super) fn admit(&self, for_token: bool) -> Option<Running> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let (recent, most) = if for_token {
            (&mut counted.tokens, 20)
        } else {
            (&mut counted.others, 5)
        };
        recent.retain(|at| now.duration_since(*at) < Duration::from_secs(1));
        if recent.len() >= most || (for_token && counted.running >= 5) {
            return None;
        }
        let recent = if for_token {
            &mut counted.tokens
        } else {
            &mut counted.others
        };
        recent.push_back(now);
        counted.running += usize::from(for_token);
        Some(Running(for_token.then(|| self.clone())))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(limits) = &self.0 {
            limits
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .running -= 1;
        }
    }
}
