//! One call of a program: what it is given and what it says.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read, Write},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use nix::sys::signal::Signal;

use super::{Error, Running, Tool};
use crate::cancel::Cancel;

/// A call that is being put together.
#[derive(Debug)]
pub struct Call {
    tool: Tool,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    folder: Option<PathBuf>,
    input: Option<Vec<u8>>,
    log: Option<File>,
    deadline: Duration,
    gentle: Signal,
}

/// What a program said that ended well.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Standard output as text; bytes that are none are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

impl Call {
    pub(super) const fn new(tool: Tool) -> Self {
        Self {
            tool,
            args: Vec::new(),
            env: Vec::new(),
            folder: None,
            input: None,
            log: None,
            deadline: Duration::from_mins(1),
            gentle: Signal::SIGTERM,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable of the environment, which is empty but for `PATH`, `LC_ALL` and `TZ`.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Sets the folder that the program runs in.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Gives the program something to read on standard input, which is empty otherwise.
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = Some(input.into());
        self
    }

    /// Sends standard error to a file instead of keeping it.
    #[must_use]
    pub fn log(mut self, log: File) -> Self {
        self.log = Some(log);
        self
    }

    /// Sets how long the program may take; a minute otherwise.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets the signal that asks the program to end; SIGTERM otherwise.
    #[must_use]
    pub const fn ends_by(mut self, signal: Signal) -> Self {
        self.gentle = signal;
        self
    }

    /// Starts the program with its output as pipes, for those who read while it runs.
    pub fn start(self) -> Result<Running, Error> {
        let tool = self.tool;
        let path = tool.require()?;
        let failed = |source| Error::Run { tool, source };
        let mut command = command(&path);
        command
            .args(&self.args)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .envs(self.env)
            .process_group(0)
            .stdin(if self.input.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(self.log.map_or_else(Stdio::piped, Stdio::from));
        if let Some(folder) = self.folder {
            command.current_dir(folder);
        }
        tracing::debug!(?command, "run");
        let mut child = command.spawn().map_err(failed)?;
        if let (Some(input), Some(mut pipe)) = (self.input, child.stdin.take()) {
            // A program may end without reading all of it; its exit status tells then.
            thread::spawn(move || pipe.write_all(&input));
        }
        Running::new(tool, child, self.deadline, self.gentle)
    }

    /// Runs the program to its end and hands back what it said; an error unless it ended well.
    pub fn run(self, cancel: &Cancel) -> Result<Output, Error> {
        self.run_watched(cancel, &mut || {})
    }

    /// Like [`Call::run`]; `tick` is called now and then while the program runs.
    pub fn run_watched(self, cancel: &Cancel, tick: &mut dyn FnMut()) -> Result<Output, Error> {
        let tool = self.tool;
        let mut running = self.start()?;
        let stdout = running.child().stdout.take().map(read);
        let stderr = running.child().stderr.take().map(read);
        let ended = running.wait_watched(cancel, tick);
        // Whoever still holds the pipes goes with the group, so that the readers end.
        drop(running);
        let status = ended?;
        let collect = |reader: Option<Reader>| match reader.map(thread::JoinHandle::join) {
            Some(Ok(read)) => read.map_err(|source| Error::Run { tool, source }),
            Some(Err(_)) | None => Ok(Vec::new()),
        };
        let output = Output {
            stdout: collect(stdout)?,
            stderr: collect(stderr)?,
        };
        if status.success() {
            Ok(output)
        } else {
            Err(Error::Failed {
                tool,
                status,
                message: tail(&output.stderr),
            })
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that starts programs of the list"
)]
fn command(path: &std::path::Path) -> Command {
    Command::new(path)
}

type Reader = thread::JoinHandle<io::Result<Vec<u8>>>;

fn read(pipe: impl Read + Send + 'static) -> Reader {
    thread::spawn(move || {
        let mut pipe = pipe;
        let mut bytes = Vec::new();
        pipe.by_ref().take(CAP).read_to_end(&mut bytes)?;
        // The rest is read as well, else the program would block on a full pipe.
        io::copy(&mut pipe, &mut io::sink())?;
        Ok(bytes)
    })
}

/// The last lines of what a program wrote, which is where the reason stands.
pub(super) fn tail(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<_> = text.lines().collect();
    lines
        .get(lines.len().saturating_sub(TAIL)..)
        .unwrap_or_default()
        .join("\n")
}

/// How much of a program's output is kept.
const CAP: u64 = 64 * 1024 * 1024;
/// How many lines of a failed program's complaint are shown.
const TAIL: usize = 12;
