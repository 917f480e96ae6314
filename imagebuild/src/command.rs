//! The subcommands, one file each.

use crate::{
    cli::{self, Cli, Command},
    exit::{Exit, Failure},
};

mod build;
mod check;
mod diff;
mod doctor;
mod init;
mod lock;
mod pages;
mod plan;
mod project;
mod stage;
mod verify;

/// Does what the command line asks for.
pub fn run(cli: Cli) -> Result<Exit, Failure> {
    match cli.command {
        Command::Build(args) => build::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Completions(args) => Ok(pages::completions(&args, cli::command())),
        Command::Diff(args) => diff::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Lock(args) => lock::run(&args),
        Command::Man(args) => pages::man(&args, cli::command()),
        Command::Plan(args) => plan::run(&args),
        Command::Stage(args) => stage::run(&args),
        Command::Verify(args) => verify::run(&args),
    }
}
