//! One file per subcommand.

use crate::cli::{Cli, Command};
use crate::exit::{Exit, Failure};

mod check;
mod enforce;
mod explain;
mod generate;
mod import;
mod plan;
mod policy;
mod report;
mod run;

/// Runs the command that was asked for.
pub(crate) fn run(cli: &Cli) -> Result<Exit, Failure> {
    match &cli.command {
        Command::Check(args) => check::run(args),
        Command::Completions { shell } => generate::completions(*shell),
        Command::Enforce(args) => enforce::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Import(args) => import::run(args),
        Command::Man { dir } => generate::man(dir),
        Command::Plan(args) => plan::run(args),
        Command::Policy(args) => policy::run(args),
        Command::Report(args) => report::run(args),
        Command::Run(args) => run::run(args),
    }
}
