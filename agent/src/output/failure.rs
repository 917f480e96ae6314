//! What went wrong.

use std::io::Write as _;
use std::iter;

use crate::exit::{Exit, Failure};
use crate::output::{BAD, DIM, harmless, line, styled};

/// Prints a failure with its causes and the next step.
pub(crate) fn print(failure: &Failure) -> Exit {
    // When stderr is gone nobody is left to tell.
    let _gone = anstream::stderr().write_all(text(failure).as_bytes());
    failure.exit
}

/// A failure in words: the deed, a line per cause, and the next step.
fn text(failure: &Failure) -> String {
    let error = failure.error.to_string();
    let mut text = format!("{} {}\n", styled(BAD, "error:"), lines(&error));
    let causes = iter::successors(failure.error.source(), |cause| cause.source());
    let mut last = error;
    for cause in causes.map(ToString::to_string) {
        // Some errors repeat their cause in their own words.
        if cause != last {
            line(
                &mut text,
                &format!("  {} {}", styled(DIM, "cause:"), lines(&cause)),
            );
        }
        last = cause;
    }
    if let Some(hint) = &failure.hint {
        line(
            &mut text,
            &format!("  {} {}", styled(DIM, "hint:"), lines(hint)),
        );
    }
    text
}

/// A message that may have several lines, indented below its first.
fn lines(message: &str) -> String {
    let lines: Vec<_> = message.trim_end().lines().map(harmless).collect();
    lines.join("\n    ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("failed to read `x`")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn causes_and_hint_stand_below_the_deed() {
        let cause = std::io::Error::other("no luck\ntwice");
        let failure = Failure::unable(Outer(cause)).hint("try again");
        insta::assert_snapshot!(anstream::adapter::strip_str(&text(&failure)), @r"
        error: failed to read `x`
          cause: no luck
            twice
          hint: try again
        ");
    }
}
