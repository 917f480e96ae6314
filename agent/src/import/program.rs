//! Programs that install.
//!
//! The list is closed, the paths are absolute, the environment is clean, and nobody waits for ever.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A program that installs, or that tells what is installed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Program {
    Dpkg,
    DpkgDeb,
    DpkgQuery,
    Python,
    /// The system's Python under the name that it has in a virtual environment, which is how it knows
    /// that it is in one. Only [`Program::in_venv`] makes it.
    PythonInVenv(PathBuf),
}

/// A program that did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It ended with an error.
    #[error("{program} ended with {status}: {said}")]
    Ended {
        program: String,
        status: String,
        said: String,
    },
    /// A Python that is not the system's.
    #[error("`{path}` is not the system's Python")]
    Foreign { path: PathBuf },
    /// It cannot be run.
    #[error("failed to run {program}")]
    Run { program: String, source: io::Error },
    /// It took too long and was ended.
    #[error("{program} was not done after {} s", DEADLINE.as_secs())]
    Slow { program: String },
}

/// Longer than the largest package takes on a slow emulated machine.
const DEADLINE: Duration = Duration::from_mins(20);
/// How much of what a program says is kept.
const MOST_SAID: u64 = 64 * 1024;

impl Program {
    /// The Python of a virtual environment, provided that it is the system's.
    pub(super) fn in_venv(venv: &Path) -> Result<Self, Error> {
        let path = venv.join("bin/python3");
        let real = fs::canonicalize(&path).ok();
        if real.is_some() && real == fs::canonicalize(Self::Python.path()).ok() {
            Ok(Self::PythonInVenv(path))
        } else {
            Err(Error::Foreign { path })
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Dpkg => Path::new("/usr/bin/dpkg"),
            Self::DpkgDeb => Path::new("/usr/bin/dpkg-deb"),
            Self::DpkgQuery => Path::new("/usr/bin/dpkg-query"),
            Self::Python => Path::new("/usr/bin/python3"),
            Self::PythonInVenv(path) => path,
        }
    }

    /// Runs the program and gives back what it said on stdout.
    pub(super) fn run<I: Into<OsString>>(
        &self,
        arguments: impl IntoIterator<Item = I>,
    ) -> Result<String, Error> {
        let program = self.path().display().to_string();
        let failed = |source| Error::Run {
            program: program.clone(),
            source,
        };
        let (out, err) = (
            tempfile::tempfile().map_err(failed)?,
            tempfile::tempfile().map_err(failed)?,
        );
        let status = self
            .wait(arguments.into_iter().map(Into::into), &out, &err)
            .map_err(failed)?;
        let Some(status) = status else {
            return Err(Error::Slow { program });
        };
        let said = said(out).map_err(failed)?;
        if status.success() {
            return Ok(said);
        }
        let complaint = self::said(err).map_err(failed)?;
        let said = if complaint.trim().is_empty() {
            said
        } else {
            complaint
        };
        let status = status.signal().map_or_else(
            || format!("exit code {}", status.code().unwrap_or_default()),
            |signal| format!("signal {signal}"),
        );
        Err(Error::Ended {
            program,
            status,
            said: said.trim().to_owned(),
        })
    }

    /// Waits for the program; none when it took too long.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the closed list of programs that install"
    )]
    fn wait(
        &self,
        arguments: impl Iterator<Item = OsString>,
        out: &File,
        err: &File,
    ) -> io::Result<Option<ExitStatus>> {
        let mut child = Command::new(self.path())
            .args(arguments)
            .current_dir("/")
            .env_clear()
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("HOME", "/root")
            .env("LC_ALL", "C.UTF-8")
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            // What Python compiles carries the time at which it did.
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(err.try_clone()?)
            .spawn()?;
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() > end {
                child.kill()?;
                child.wait()?;
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The end of what a program said: that is where it says what went wrong.
fn said(mut file: File) -> io::Result<String> {
    use std::io::Seek as _;
    let size = file.metadata()?.len();
    file.seek(io::SeekFrom::Start(size.saturating_sub(MOST_SAID)))?;
    let mut bytes = Vec::new();
    file.take(MOST_SAID).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
