//! The one place that prints.
//!
//! Data goes to standard output and everything else to standard error; `anstream` drops the colours where
//! `NO_COLOR` or a pipe asks for it.

use std::{
    error::Error,
    io::{self, IsTerminal, Write},
};

use clap::builder::styling::{AnsiColor, Style};

use crate::{
    exit::{Exit, Failure},
    progress::Progress,
};

/// Progress on a terminal.
mod bars;
/// Reports of machines.
mod findings;
/// Progress in a log.
mod lines;
/// Tables.
mod table;

pub use self::{findings::report, table::Table};

/// How a word looks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Look {
    /// Something bad.
    Bad,
    /// Something good.
    Good,
    /// As everything else.
    Plain,
    /// Something that wants attention.
    Warning,
    /// Something that stands back.
    Weak,
}

impl Look {
    fn style(self) -> Style {
        match self {
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Plain => Style::new(),
            Self::Warning => AnsiColor::Yellow.on_default(),
            Self::Weak => Style::new().dimmed(),
        }
    }

    /// A text in this look.
    pub fn paint(self, text: &str) -> String {
        let style = self.style();
        format!("{style}{text}{style:#}")
    }
}

/// Sends what the program traces to standard error, as far as `IMAGEBUILD_LOG` asks for it.
pub fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("IMAGEBUILD_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .without_time()
        .with_target(false)
        .init();
}

/// Prints data.
pub fn print(text: &str) {
    put(&mut anstream::stdout().lock(), text);
}

/// Prints data as JSON.
pub fn json(value: &impl serde::Serialize) -> Result<(), serde_json::Error> {
    print(&serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Tells the person something that is not data.
pub fn say(text: &str) {
    put(&mut anstream::stderr().lock(), text);
}

/// Tells the person something that wants attention.
pub fn warn(text: &str) {
    say(&format!("{} {text}", Look::Warning.paint("warning:")));
}

/// Tells why a command did not reach its aim.
pub fn failure(failure: &Failure) -> Exit {
    let mut lines = vec![format!("{} {}", Look::Bad.paint("error:"), failure.error)];
    let mut said = failure.error.to_string();
    let mut source = failure.error.source();
    while let Some(cause) = source {
        // A transparent error repeats its source.
        if cause.to_string() != said {
            said = cause.to_string();
            let indented = said.replace('\n', "\n    ");
            lines.push(format!("  {} {indented}", Look::Warning.paint("cause:")));
        }
        source = cause.source();
    }
    if let Some(hint) = &failure.hint {
        lines.push(format!("  {} {hint}", Look::Good.paint("hint:")));
    }
    say(&lines.join("\n"));
    failure.exit
}

/// What tells the person how far long work is: bars on a terminal, lines elsewhere.
pub fn progress() -> Box<dyn Progress> {
    if io::stderr().is_terminal() {
        Box::new(bars::Bars::new())
    } else {
        Box::new(lines::Lines::new())
    }
}

fn put(to: &mut impl Write, text: &str) {
    // Nobody reads any more: `imagebuild … | head` is no reason to complain.
    let _read = writeln!(to, "{text}").and_then(|()| to.flush());
}

/// A number of bytes for people.
pub fn bytes(count: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut whole = count;
    let mut rest = 0;
    let mut unit = 0;
    while whole >= 1024 && unit + 1 < units.len() {
        rest = whole % 1024;
        whole /= 1024;
        unit += 1;
    }
    let name = units.get(unit).unwrap_or(&"B");
    if unit == 0 {
        format!("{whole} {name}")
    } else {
        format!("{whole}.{} {name}", rest * 10 / 1024)
    }
}

/// A length of time for people.
pub fn span(time: std::time::Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        seconds if seconds < 60 => format!("{seconds} s"),
        seconds => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

/// The causes of an error in one line.
pub fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_short() {
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(1536 << 20), "1.5 GiB");
        assert_eq!(span(std::time::Duration::from_secs(125)), "2 min 05 s");
    }
}
