//! Keeps one research VM in line with its policy.
//!
//! ```text
//! policy ─▶ observe ─▶ findings ─▶ plan ─▶ apply ─▶ report
//!  (pure)    reads       (pure)    (pure)   writes    (pure)
//! ```
//! The agent never takes a plan from outside and never runs a program that a policy names. What it
//! cannot read it reports as unknown, and unknown does not conform.

use clap::Parser as _;

use crate::cli::Cli;
use crate::exit::Exit;

/// Changes the host as a plan says.
pub mod apply;
/// The command line.
pub mod cli;
/// One file per subcommand.
mod command;
/// Looks again and again, for as long as the machine runs.
mod daemon;
/// How the program ends.
pub mod exit;
/// Files: opened with care, read with a limit, written as a whole.
mod files;
/// The host: reading, writing, and a fake of both.
pub mod host;
/// Which machine this is, and which program looks at it.
mod identity;
/// Installs staged binaries, verified.
mod import;
/// The inventory that goes along with a report.
mod inventory;
/// Reads the host and judges every control.
pub mod observe;
/// The only place that prints.
mod output;
/// One look at the machine, put into a report.
mod pass;
/// Finds the policy, and reads only what can be trusted.
mod settings;
/// The reports that are kept on the machine.
mod store;

/// Runs the command that the command line asks for.
#[must_use]
pub fn main() -> Exit {
    let cli = Cli::parse();
    output::log::init(cli.verbose);
    command::run(&cli).unwrap_or_else(|failure| output::failure::print(&failure))
}
