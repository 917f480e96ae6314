//! Programs that the agent may run: a closed list with absolute paths, a clean environment, a deadline and
//! an output cap. No shell, and nothing that a policy names but what has been parsed into a word.

use std::io::{self, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// A program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tool {
    /// Loads and unloads kernel modules.
    Modprobe,
    /// Mounts.
    Mount,
    /// The packet filter.
    Nft,
    /// The SSH daemon.
    Sshd,
    /// The service manager.
    Systemctl,
    /// Checks what `sudo` reads.
    Visudo,
}

impl Tool {
    /// Where it is. Absolute, because `PATH` belongs to the caller.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Modprobe => "/usr/sbin/modprobe",
            Self::Mount => "/usr/bin/mount",
            Self::Nft => "/usr/sbin/nft",
            Self::Sshd => "/usr/sbin/sshd",
            Self::Systemctl => "/usr/bin/systemctl",
            Self::Visudo => "/usr/sbin/visudo",
        }
    }
}

/// What a program said.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Answer {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to stdout.
    pub out: String,
    /// What it wrote to stderr.
    pub complaint: String,
}

impl Answer {
    /// Says whether the program ended well.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        matches!(self.code, Some(0))
    }
}

/// A program that did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It ended with an error.
    #[error("`{program}` ended with {code}: {complaint}")]
    Ended {
        /// The program and its arguments.
        program: String,
        /// Its exit code.
        code: String,
        /// What it said.
        complaint: String,
    },
    /// It is not installed.
    #[error("`{program}` is not installed")]
    Missing {
        /// The program.
        program: &'static str,
    },
    /// It cannot be run.
    #[error("failed to run `{program}`")]
    Run {
        /// The program.
        program: &'static str,
        /// What the operating system says.
        source: io::Error,
    },
    /// It took too long and was ended.
    #[error("`{program}` was not done after {} s", deadline.as_secs())]
    Slow {
        /// The program and its arguments.
        program: String,
        /// How long it had.
        deadline: Duration,
    },
    /// It said more than anybody would read.
    #[error("`{program}` said more than {MOST_SAID} bytes")]
    TooMuch {
        /// The program and its arguments.
        program: String,
    },
}

/// How long a program may take unless its caller knows better. An emulated machine that boots is slow: there
/// `sshd -T` was seen to take more than ten seconds.
const DEADLINE: Duration = Duration::from_mins(1);

/// How much a program may say.
const MOST_SAID: usize = 4 << 20;

/// A program about to be run.
#[derive(Clone, Debug)]
pub struct Call {
    tool: Tool,
    arguments: Vec<String>,
    input: Option<String>,
    deadline: Duration,
}

impl Call {
    /// A program with its arguments.
    pub fn new<I: Into<String>>(tool: Tool, arguments: impl IntoIterator<Item = I>) -> Self {
        Self {
            tool,
            arguments: arguments.into_iter().map(Into::into).collect(),
            input: None,
            deadline: DEADLINE,
        }
    }

    /// Gives it a text to read on stdin; without one it reads nothing.
    #[must_use]
    pub fn input(mut self, text: impl Into<String>) -> Self {
        self.input = Some(text.into());
        self
    }

    /// Gives it so long.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Runs it to its end.
    pub fn run(&self) -> Result<Answer, Error> {
        let end = Instant::now() + self.deadline;
        let mut child = self.spawn()?;
        if let (Some(mut stdin), Some(text)) = (child.stdin.take(), self.input.clone()) {
            // A program that does not read to the end closes the pipe; its exit code tells the rest.
            thread::spawn(move || drop(stdin.write_all(text.as_bytes())));
        }
        let out = child.stdout.take().map(listen);
        let complaint = child.stderr.take().map(listen);
        let said = [out, complaint].map(|receiver| hear(receiver, end));
        let status = if said.iter().any(Result::is_err) {
            None
        } else {
            self.wait(&mut child, end)?
        };
        let Some(status) = status else {
            self.end(&mut child);
            return Err(Error::Slow {
                program: self.line(),
                deadline: self.deadline,
            });
        };
        let [out, complaint] = said.map(Result::unwrap_or_default);
        if out.len() > MOST_SAID || complaint.len() > MOST_SAID {
            return Err(Error::TooMuch {
                program: self.line(),
            });
        }
        Ok(Answer {
            code: status.code(),
            out: String::from_utf8_lossy(&out).into_owned(),
            complaint: String::from_utf8_lossy(&complaint).trim().to_owned(),
        })
    }

    /// Runs it and takes an exit code other than 0 as an error.
    pub fn succeed(&self) -> Result<Answer, Error> {
        let answer = self.run()?;
        if answer.is_good() {
            return Ok(answer);
        }
        Err(Error::Ended {
            program: self.line(),
            code: match answer.code {
                Some(code) => format!("code {code}"),
                None => "a signal".to_owned(),
            },
            complaint: answer.complaint,
        })
    }

    /// The program and its arguments, for people.
    fn line(&self) -> String {
        let mut line = self.tool.path().to_owned();
        for argument in &self.arguments {
            line.push(' ');
            line.push_str(argument);
        }
        line
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the closed list of programs"
    )]
    fn spawn(&self) -> Result<Child, Error> {
        let program = self.tool.path();
        let stdin = match self.input {
            Some(_) => Stdio::piped(),
            None => Stdio::null(),
        };
        let spawned = Command::new(program)
            .args(&self.arguments)
            .current_dir("/")
            .env_clear()
            .env("LC_ALL", "C")
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("SYSTEMD_COLORS", "0")
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own, so that its children end with it.
            .process_group(0)
            .spawn();
        spawned.map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Error::Missing { program },
            _ => Error::Run { program, source },
        })
    }

    /// Waits for the end of a program that has closed its pipes; none when it takes too long.
    fn wait(&self, child: &mut Child, end: Instant) -> Result<Option<ExitStatus>, Error> {
        let failed = |source| Error::Run {
            program: self.tool.path(),
            source,
        };
        loop {
            if let Some(status) = child.try_wait().map_err(failed)? {
                return Ok(Some(status));
            }
            if Instant::now() >= end {
                return Ok(None);
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn end(&self, child: &mut Child) {
        let group = i32::try_from(child.id()).map(Pid::from_raw);
        let ended = match group {
            Ok(group) => killpg(group, Signal::SIGKILL).is_ok(),
            Err(_) => false,
        };
        if !ended || child.wait().is_err() {
            tracing::warn!(program = self.line(), "could not end the program");
        }
    }
}

/// Reads a pipe to its end in a thread of its own; keeps a little more than a program may say.
fn listen(mut pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut kept = Vec::new();
        let mut buffer = [0; 8192];
        while let Ok(read @ 1..) = pipe.read(&mut buffer) {
            if kept.len() <= MOST_SAID {
                kept.extend(buffer.iter().take(read));
            }
        }
        drop(sender.send(kept));
    });
    receiver
}

/// What a pipe said, unless it takes too long.
fn hear(pipe: Option<Receiver<Vec<u8>>>, end: Instant) -> Result<Vec<u8>, mpsc::RecvTimeoutError> {
    let left = end.saturating_duration_since(Instant::now());
    pipe.map_or(Ok(Vec::new()), |pipe| pipe.recv_timeout(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn program_that_hangs_is_ended_at_its_deadline() {
        // Reads its rules from stdin, which nobody closes, because this end is a file that never ends.
        let call = Call::new(Tool::Nft, ["-c", "-f", "/dev/zero"]);
        if call
            .clone()
            .deadline(Duration::from_secs(1))
            .run()
            .is_err_and(|error| matches!(error, Error::Missing { .. }))
        {
            eprintln!("skipped: nft is not installed");
            return;
        }
        let before = Instant::now();
        let answer = call.deadline(Duration::from_millis(50)).run();
        assert!(matches!(answer, Err(Error::Slow { .. })), "{answer:?}");
        assert!(before.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn exit_code_and_complaint_are_kept() {
        let call = Call::new(Tool::Mount, ["--no-such-option"]);
        let answer = call.run().unwrap();
        assert!(!answer.is_good());
        assert!(answer.complaint.contains("no-such-option"), "{answer:?}");
        let error = call.succeed().unwrap_err().to_string();
        assert!(
            error.starts_with("`/usr/bin/mount --no-such-option` ended with code"),
            "{error}"
        );
    }
}
