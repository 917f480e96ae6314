//! A program while it runs: never alone, never for ever.

use std::{
    io::{self, Read},
    process::{Child, ExitStatus},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use super::{Error, Tool};
use crate::cancel::Cancel;

/// A running program and all that it started. Nothing of it outlives this value.
#[derive(Debug)]
pub struct Running {
    tool: Tool,
    child: Child,
    group: Pid,
    since: Instant,
    deadline: Duration,
    /// What asks the program to end; it gets a little time to clean up.
    gentle: Signal,
    ended: Option<ExitStatus>,
}

impl Running {
    pub(super) fn new(
        tool: Tool,
        child: Child,
        deadline: Duration,
        gentle: Signal,
    ) -> Result<Self, Error> {
        let group = i32::try_from(child.id())
            .map(Pid::from_raw)
            .map_err(|error| Error::Run {
                tool,
                source: io::Error::other(error),
            })?;
        Ok(Self {
            tool,
            child,
            group,
            since: Instant::now(),
            deadline,
            gentle,
            ended: None,
        })
    }

    /// The program's own handles, to take its output or write its input.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// The end of what an ended program wrote to standard error.
    pub fn complaint(&mut self) -> String {
        let mut bytes = Vec::new();
        if let Some(pipe) = self.child.stderr.take() {
            // What cannot be read is not told; the failure itself is.
            let _read = pipe.take(1 << 20).read_to_end(&mut bytes);
        }
        super::call::tail(&bytes)
    }

    /// How it ended, if it did.
    pub fn poll(&mut self) -> Result<Option<ExitStatus>, Error> {
        if self.ended.is_none() {
            let tool = self.tool;
            self.ended = self
                .child
                .try_wait()
                .map_err(|source| Error::Run { tool, source })?;
        }
        Ok(self.ended)
    }

    /// Waits until the program ends. One that is cancelled or too slow is stopped.
    pub fn wait(&mut self, cancel: &Cancel) -> Result<ExitStatus, Error> {
        self.wait_watched(cancel, &mut || {})
    }

    /// Like [`Running::wait`]; `tick` is called at every look at the program.
    pub fn wait_watched(
        &mut self,
        cancel: &Cancel,
        tick: &mut dyn FnMut(),
    ) -> Result<ExitStatus, Error> {
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some(status) = self.poll()? {
                return Ok(status);
            }
            if self.since.elapsed() > self.deadline {
                self.stop();
                return Err(Error::Slow {
                    tool: self.tool,
                    after: self.deadline,
                });
            }
            tick();
            if cancel.wait(pause) {
                self.stop();
                return Err(Error::Cancelled { tool: self.tool });
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Asks the program and all it started to end, then makes them.
    pub fn stop(&mut self) {
        if matches!(self.poll(), Ok(None)) {
            self.signal(self.gentle);
            let asked = Instant::now();
            while asked.elapsed() < PATIENCE && matches!(self.poll(), Ok(None)) {
                std::thread::sleep(LONGEST_PAUSE);
            }
        }
        self.kill();
    }

    fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        if self.ended.is_none() {
            self.ended = self.child.wait().ok();
        }
    }

    fn signal(&self, signal: Signal) {
        match killpg(self.group, signal) {
            // Nobody is left, or only zombies of others: what was to be reached is reached.
            Ok(()) | Err(Errno::ESRCH | Errno::EPERM) => {}
            Err(error) => tracing::warn!(tool = self.tool.name(), %error, "failed to signal"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A program that ended by itself may have left children; the group has them.
        self.kill();
    }
}

/// How long a program may clean up after it was asked to end.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest pause between two looks at a program.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);
