//! What can be wrong with a policy.

use std::fmt;
use std::ops::Range;

use crate::control::ControlId;
use crate::load::MOST_BYTES;

/// A policy that is not valid.
#[derive(Debug)]
pub struct Error {
    file: String,
    /// Boxed, because results carry errors on every good way too.
    located: Box<Located>,
    hint: Option<String>,
}

impl Error {
    pub(super) fn new(
        file: &str,
        place: Option<Place>,
        problem: Problem,
        hint: Option<String>,
    ) -> Self {
        Self {
            file: file.to_owned(),
            located: Box::new(Located { place, problem }),
            hint,
        }
    }

    /// The file that is wrong, as the caller named it.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Where in the file; none when the file as a whole is wrong.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        self.located.place
    }

    /// What is wrong.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.located.problem
    }

    /// The next step, when it is known.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "policy `{}` is not valid", self.file)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.located)
    }
}

/// A problem with its place.
#[derive(Debug)]
struct Located {
    place: Option<Place>,
    problem: Problem,
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some(place) => write!(f, "{place}: {}", self.problem),
            None => write!(f, "{}", self.problem),
        }
    }
}

impl std::error::Error for Located {}

/// A place in a text. Lines and columns count from 1, columns in characters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Place {
    /// The place at which a span of a text begins.
    pub(super) fn of(text: &str, span: &Range<usize>) -> Self {
        let mut end = span.start.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let before = text.get(..end).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        Self {
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// What is wrong with a policy.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A text that says nothing.
    #[error("`{key}` is empty, or holds control characters")]
    Blank {
        /// The key with the text.
        key: &'static str,
    },
    /// Two controls that cannot both hold.
    #[error("{first} and {second} contradict each other: both are about {subject}")]
    Contradiction {
        /// The control that came first.
        first: ControlId,
        /// The control that came second.
        second: ControlId,
        /// What both are about.
        subject: String,
    },
    /// Layers that extend each other.
    #[error("policies extend each other: {}", chain.join(" → "))]
    Cycle {
        /// The layers, the first one again at the end.
        chain: Vec<String>,
    },
    /// Layers that extend layers that extend layers.
    #[error("policies extend each other more than {most} deep")]
    Depth {
        /// How deep they may.
        most: usize,
    },
    /// No control at all: such a policy would call every machine good.
    #[error("the policy demands nothing")]
    Empty,
    /// A layer that cannot be had.
    #[error("cannot extend `{layer}`: {cause}")]
    Extends {
        /// The layer.
        layer: String,
        /// Why not.
        cause: String,
    },
    /// A fragment that has a name, as if it were a policy.
    #[error("a fragment adds to a policy and has no `name` of its own")]
    FragmentName,
    /// A key or value that is not known.
    #[error("{message}")]
    Key {
        /// What serde says.
        message: String,
    },
    /// Two mounts at one place or of one name.
    #[error("mounts `{first}` and `{second}` share their {what}")]
    MountTwice {
        /// The one that came first.
        first: String,
        /// The one that came second.
        second: String,
        /// What they share.
        what: &'static str,
    },
    /// A policy without a name.
    #[error("the policy has no `name`")]
    NoName,
    /// A text that does not say its format.
    #[error("the policy does not say its `schema`")]
    NoSchema,
    /// Demands on researchers when nobody is one.
    #[error("{control} is about researchers, and `[researchers]` names no group")]
    NoResearchers {
        /// The control.
        control: ControlId,
    },
    /// An override of nothing.
    #[error("{id} overrides nothing: no earlier layer has a control of this id")]
    OverridesNothing {
        /// The control.
        id: ControlId,
    },
    /// A control in an area that belongs to sections.
    #[error("{id} cannot be written by hand: `{section}` makes the controls of this area")]
    Reserved {
        /// The control.
        id: ControlId,
        /// The section that makes controls of its area.
        section: &'static str,
    },
    /// Text that is not TOML.
    #[error("{message}")]
    Syntax {
        /// What the parser says.
        message: String,
    },
    /// A text that is too large.
    #[error("the text has {bytes} bytes, and a policy has at most {MOST_BYTES}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// More controls than a policy may have.
    #[error("the policy has more than {most} controls")]
    TooMany {
        /// How many it may have.
        most: usize,
    },
    /// A control that is there twice, and not the same.
    #[error("{id} is there already, in `{other}`, and demands something else")]
    Twice {
        /// The control.
        id: ControlId,
        /// The file with the other one.
        other: String,
    },
    /// A format that is not known.
    #[error("`schema` is not one that is known")]
    UnknownSchema,
    /// Two waivers of one control.
    #[error("{id} is waived already, in `{other}`, in other words")]
    WaivedTwice {
        /// The control.
        id: ControlId,
        /// The file with the other one.
        other: String,
    },
    /// A waiver of a control that is not there.
    #[error("the waiver is for {id}, and the policy has no such control")]
    WaivesNothing {
        /// The control that is not there.
        id: ControlId,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let text = "a\néb\n";
        assert_eq!(Place::of(text, &(0..1)).to_string(), "line 1, column 1");
        assert_eq!(Place::of(text, &(4..5)).to_string(), "line 2, column 2");
        // In the middle of a character, at the end, and behind it.
        assert_eq!(Place::of(text, &(3..4)).to_string(), "line 2, column 1");
        assert_eq!(Place::of(text, &(6..6)).to_string(), "line 3, column 1");
        assert_eq!(Place::of(text, &(99..99)).to_string(), "line 3, column 1");
    }
}
