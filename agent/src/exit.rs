//! How the program ends, and why.

use std::error::Error;
use std::process::ExitCode;

/// The four ways in which a command ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exit {
    /// The machine conforms, or what was asked for is done.
    Conforms,
    /// The machine deviates, the plan has changes, or a file is not what it is said to be.
    Deviates,
    /// The command line, the policy or the manifest is wrong.
    BadInput,
    /// It could not be found out, or could not be done.
    Unable,
}

impl Exit {
    /// The number that the caller sees.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Conforms => 0,
            Self::Deviates => 1,
            Self::BadInput => 2,
            Self::Unable => 3,
        }
    }

    /// [`Exit::Conforms`] or [`Exit::Deviates`].
    pub(crate) const fn conforming(conforms: bool) -> Self {
        if conforms {
            Self::Conforms
        } else {
            Self::Deviates
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The end of a command that did not reach its aim.
#[derive(Debug)]
pub(crate) struct Failure {
    /// How the program ends.
    pub(crate) exit: Exit,
    /// What went wrong; its sources are the causes.
    pub(crate) error: Box<dyn Error + Send + Sync>,
    /// The next step, when it is known.
    pub(crate) hint: Option<String>,
}

impl Failure {
    /// A failure because of the command line, the policy or the manifest.
    pub(crate) fn bad_input(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Exit::BadInput, error)
    }

    /// A failure because something is not what it is said to be.
    pub(crate) fn deviates(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Exit::Deviates, error)
    }

    /// A failure because something could not be found out or done.
    pub(crate) fn unable(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Exit::Unable, error)
    }

    /// Says what the next step is.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn new(exit: Exit, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            exit,
            error: error.into(),
            hint: None,
        }
    }
}
