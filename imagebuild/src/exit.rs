//! How the program ends, and what it says then.

use std::{error::Error, fmt, process::ExitCode};

use crate::tool;

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

impl Ends for crate::files::Error {
    fn exit(&self) -> Exit {
        Exit::Unable
    }

    fn hint(&self) -> Option<String> {
        match self.io()?.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Some(
                "free some space and run the same command again: it goes on where it stopped"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

/// What can be done about a program that did not do its work.
fn tool_hint(error: &tool::Error) -> Option<String> {
    match error {
        tool::Error::Cancelled { .. } => Some(AGAIN.to_owned()),
        tool::Error::Failed { message, .. } if message.contains("No space left on device") => {
            Some(format!("free some space; {AGAIN}"))
        }
        other => other.hint(),
    }
}

const AGAIN: &str = "run the same command again: it goes on where it stopped";

/// Says how the program ends because of an error of those parts that run programs.
macro_rules! ends_as_its_tool {
    ($($error:ty),+) => {$(
        impl Ends for $error {
            fn exit(&self) -> Exit {
                Exit::Unable
            }

            fn hint(&self) -> Option<String> {
                let mut source: Option<&(dyn Error + 'static)> = Some(self);
                while let Some(error) = source {
                    if let Some(error) = error.downcast_ref::<tool::Error>() {
                        return tool_hint(error);
                    }
                    if let Some(error) = error.downcast_ref::<crate::files::Error>() {
                        return error.hint();
                    }
                    source = error.source();
                }
                None
            }
        }
    )+};
}

ends_as_its_tool!(
    crate::debian::Error,
    crate::engine::base::Error,
    crate::engine::packer::Error,
    crate::gate::Error,
    crate::vhd::Error,
    tool::Error
);
