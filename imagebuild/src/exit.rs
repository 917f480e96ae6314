//! How the program ends, and what it says then.

use std::{error::Error, fmt, process::ExitCode};

use crate::{debian, tool};

/// The four ways in which a command ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exit {
    /// Done, or what was checked conforms.
    Done,
    /// What was checked deviates, or there is something to do.
    Deviates,
    /// The command line, a recipe or a policy is wrong.
    BadInput,
    /// It could not be found out, or could not be done.
    Unable,
}

impl Exit {
    /// The number that the caller sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Deviates => 1,
            Self::BadInput => 2,
            Self::Unable => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// An error that knows how the program ends because of it.
pub trait Ends: Error + Send + Sync + 'static {
    /// How the program ends.
    fn exit(&self) -> Exit;

    /// The next step, when it is known.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// The end of a command that did not reach its aim.
#[derive(Debug)]
pub struct Failure {
    /// How the program ends.
    pub exit: Exit,
    /// What went wrong; its sources are the causes.
    pub error: Box<dyn Error + Send + Sync>,
    /// The next step, when it is known.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure that is only a sentence.
    pub fn new(exit: Exit, sentence: impl Into<String>) -> Self {
        Self {
            exit,
            error: sentence.into().into(),
            hint: None,
        }
    }

    /// Says what the next step is.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<E: Ends> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            exit: error.exit(),
            hint: error.hint(),
            error: Box::new(error),
        }
    }
}

/// A thing is not what it is said to be.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{object} is not what it should be: expected {expected}, found {found}")]
pub struct Mismatch {
    /// The thing.
    pub object: String,
    /// What it should be.
    pub expected: String,
    /// What it is.
    pub found: String,
}

impl Mismatch {
    /// Compares two values of a thing.
    pub fn check<T: PartialEq + fmt::Display>(
        object: impl Into<String>,
        expected: &T,
        found: &T,
    ) -> Result<(), Self> {
        if expected == found {
            return Ok(());
        }
        Err(Self {
            object: object.into(),
            expected: expected.to_string(),
            found: found.to_string(),
        })
    }
}

impl Ends for Mismatch {
    fn exit(&self) -> Exit {
        Exit::Deviates
    }
}

/// The next step after work that was to end or ran out of room.
fn go_on(error: &(dyn Error + 'static), is_cancelled: bool) -> Option<String> {
    if is_cancelled {
        return Some(AGAIN.to_owned());
    }
    let chain = std::iter::successors(Some(error), |&error| error.source());
    let is_full = |error: &(dyn Error + 'static)| error.to_string().contains(DISK_FULL);
    chain
        .into_iter()
        .any(is_full)
        .then(|| format!("free some space, then {AGAIN}"))
}

const AGAIN: &str = "run the same command again: it goes on where it stopped";
/// How the system and every program say that a disk is full: strerror(3) of ENOSPC in the C locale.
const DISK_FULL: &str = "No space left on device";

/// Says how the program ends because of an error of those parts that run programs.
macro_rules! ends_as_unable {
    ($($error:ty),+) => {$(
        impl Ends for $error {
            fn exit(&self) -> Exit {
                Exit::Unable
            }

            fn hint(&self) -> Option<String> {
                go_on(self, self.is_cancelled()).or_else(|| Self::hint(self))
            }
        }
    )+};
}

ends_as_unable!(
    crate::engine::base::Error,
    crate::engine::packer::Error,
    crate::gate::Error,
    crate::vhd::Error,
    tool::Error
);

impl Ends for debian::Error {
    fn exit(&self) -> Exit {
        match self {
            Self::Altered { .. } => Exit::Deviates,
            _ => Exit::Unable,
        }
    }

    fn hint(&self) -> Option<String> {
        go_on(self, self.is_cancelled()).or_else(|| Self::hint(self))
    }
}

impl Ends for crate::files::Error {
    fn exit(&self) -> Exit {
        Exit::Unable
    }

    fn hint(&self) -> Option<String> {
        go_on(self, false)
    }
}

#[cfg(test)]
mod tests {
    use std::{io, path::PathBuf};

    use super::*;
    use crate::files;

    #[test]
    fn a_full_disk_is_told_with_the_way_on() {
        let source = io::Error::from_raw_os_error(28);
        let path = PathBuf::from("out");
        let failure = Failure::from(files::Error::Write { path, source });
        assert_eq!(failure.exit, Exit::Unable);
        assert!(failure.hint.unwrap().contains("goes on where it stopped"));
        let error = tool::Error::Missing {
            tool: tool::Tool::Packer,
        };
        assert_eq!(
            Failure::from(error).hint.unwrap(),
            "install package `packer`"
        );
    }
}
