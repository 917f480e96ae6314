//! Makes, checks and publishes images of research VMs.

use std::process::ExitCode;

use clap::Parser;
use imagebuild::{cli::Cli, command, ui};

fn main() -> ExitCode {
    let cli = Cli::parse();
    ui::log();
    match command::run(cli) {
        Ok(exit) => exit.into(),
        Err(failure) => ui::failure(&failure).into(),
    }
}
