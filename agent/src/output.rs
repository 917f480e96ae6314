//! The only place that prints: data on stdout, everything else on stderr.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write as _};

use anstyle::{AnsiColor, Style};
use policies::control::Severity;

use crate::exit::Failure;

/// One control, for people.
pub(crate) mod control;
/// What went wrong.
pub(crate) mod failure;
/// What long work says on stderr.
pub(crate) mod log;
/// What would be done, and what was done.
pub(crate) mod plan;
/// The policy that applies.
pub(crate) mod policy;
/// Findings, for people.
pub(crate) mod report;

/// Prints data for people; colours go only to terminals, and not where `NO_COLOR` is set.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    done(anstream::stdout().write_all(text.as_bytes()))
}

/// Says what became of an imported binary.
pub(crate) fn imported(word: &str, name: &str, to: &str, digest: &str) -> Result<(), Failure> {
    let digest = styled(DIM, format!("sha256 {digest}"));
    text(&format!(
        "{word}  {}  {}  {digest}\n",
        harmless(name),
        harmless(to)
    ))
}

/// Prints data for programs, as it is.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    done(
        io::stdout()
            .write_all(bytes)
            .and_then(|()| io::stdout().flush()),
    )
}

/// Prints a JSON document on one line.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let mut line = serde_json::to_vec(value).map_err(Failure::unable)?;
    line.push(b'\n');
    bytes(&line)
}

/// A reader that has seen enough, such as `head`, is no failure.
fn done(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::unable(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

const BAD: Style = AnsiColor::Red.on_default().bold();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const STRONG: Style = Style::new().bold();
const UNSURE: Style = AnsiColor::Yellow.on_default();

/// A text in a style.
fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// A text from the machine, made harmless: what a researcher writes into a file must not steer the
/// operator's terminal.
fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() || is_direction(c) {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

/// Says whether a character turns the direction of the text around it.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "high",
        Severity::Low => "low",
        Severity::Medium => "medium",
    }
}

/// Appends a line `key  value`, indented.
fn field(to: &mut String, indent: usize, key: &str, value: &str) {
    let value = harmless(value);
    line(
        to,
        &format!(
            "{:indent$}{}  {value}",
            "",
            styled(DIM, format!("{key:<9}"))
        ),
    );
}

/// Appends a line.
fn line(to: &mut String, text: &str) {
    #[expect(clippy::expect_used, reason = "writing to a string cannot fail")]
    writeln!(to, "{}", text.trim_end()).expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_the_machine_cannot_steer_the_terminal() {
        assert_eq!(
            harmless("a\u{1b}[2Jb\u{202e}c\nd"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d"
        );
    }
}
