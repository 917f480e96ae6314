use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use super::{Look, span};
use crate::progress::Progress;

/// Progress as a bar that is drawn in place.
#[derive(Debug, Default)]
pub(super) struct Bars(Mutex<Option<Phase>>);

#[derive(Debug)]
struct Phase {
    name: String,
    since: Instant,
    bar: ProgressBar,
    counted: bool,
}

impl Bars {
    pub(super) fn new() -> Self {
        Self::default()
    }

    fn with(&self, act: impl FnOnce(&mut Phase)) {
        if let Some(phase) = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_mut()
        {
            act(phase);
        }
    }

    fn end(&self) {
        let phase = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(phase) = phase {
            let took = span(phase.since.elapsed());
            let mark = Look::Good.paint("✓");
            phase.bar.set_style(style("{msg}"));
            phase
                .bar
                .finish_with_message(format!("{mark} {} ({took})", phase.name));
        }
    }
}

impl Progress for Bars {
    fn phase(&self, name: &str, usual: Option<Duration>) {
        self.end();
        let bar = ProgressBar::new_spinner();
        bar.set_style(match usual {
            Some(usual) => clock(usual),
            None => style("{spinner} {prefix} {elapsed} {wide_msg:.dim}"),
        });
        bar.set_prefix(name.to_owned());
        bar.enable_steady_tick(TICK);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Phase {
            name: name.to_owned(),
            since: Instant::now(),
            bar,
            counted: false,
        });
    }

    fn advance(&self, done: u64, total: u64) {
        self.with(|phase| {
            if !phase.counted && total > 0 {
                phase.counted = true;
                phase.bar.set_style(style(
                    "{spinner} {prefix} {bar:24.green/dim} {percent}% {eta} left {wide_msg:.dim}",
                ));
            }
            phase.bar.set_length(total);
            phase.bar.set_position(done);
        });
    }

    fn note(&self, text: &str) {
        self.with(|phase| phase.bar.set_message(text.to_owned()));
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        // A phase that nobody ended was interrupted: it gets no mark.
        let phase = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(phase) = phase {
            phase.bar.finish_and_clear();
        }
    }
}

/// A bar that runs with the time that the phase took the last time.
fn clock(usual: Duration) -> ProgressStyle {
    style("{spinner} {prefix} {clock} {left} {wide_msg:.dim}")
        .with_key(
            "clock",
            move |state: &ProgressState, to: &mut dyn std::fmt::Write| {
                let part = state.elapsed().as_millis() * WIDTH / usual.as_millis().max(1);
                let full = usize::try_from(part.min(WIDTH - 1)).unwrap_or_default();
                let rest = usize::try_from(WIDTH)
                    .unwrap_or_default()
                    .saturating_sub(full);
                let _drawn = write!(to, "{}{}", "█".repeat(full), "░".repeat(rest));
            },
        )
        .with_key(
            "left",
            move |state: &ProgressState, to: &mut dyn std::fmt::Write| {
                let _drawn = match usual.checked_sub(state.elapsed()) {
                    Some(left) => write!(to, "{} left", span(left)),
                    None => write!(to, "{} so far", span(state.elapsed())),
                };
            },
        )
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

const TICK: Duration = Duration::from_millis(120);
/// Characters of a bar.
const WIDTH: u128 = 24;
