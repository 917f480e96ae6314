//! What long work says on stderr, or to the journal.

use std::io::{self, IsTerminal as _};

use tracing::Level;

/// Starts the log. The more verbose, the more is said.
pub(crate) fn init(verbose: u8) {
    let level = match verbose {
        0 => Level::WARN,
        1 => Level::INFO,
        _ => Level::DEBUG,
    };
    let in_colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt()
        .with_ansi(in_colour)
        .with_max_level(level)
        .with_target(false)
        .with_writer(io::stderr)
        // The journal knows the time, and people see it pass.
        .without_time()
        .init();
}
