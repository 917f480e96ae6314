//! Man pages and shell completions, made from the command line itself.

use std::path::Path;

use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli;
use crate::exit::{Exit, Failure};
use crate::{files, output};

pub(super) fn completions(shell: Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "dsvm-agent", &mut script);
    output::bytes(&script)?;
    Ok(Exit::Conforms)
}

/// Writes one page for the program and one for each subcommand.
pub(super) fn man(dir: &Path) -> Result<Exit, Failure> {
    files::make_folder(dir, 0o755).map_err(Failure::unable)?;
    let mut command = cli::command().disable_help_subcommand(true);
    command.build();
    pages(&command, dir)?;
    Ok(Exit::Conforms)
}

fn pages(command: &clap::Command, dir: &Path) -> Result<(), Failure> {
    let man = Man::new(command.clone()).section("8").manual("Sealed DSVM");
    let mut page = Vec::new();
    man.render(&mut page).map_err(Failure::unable)?;
    files::write(&dir.join(man.get_filename()), &page, 0o644).map_err(Failure::unable)?;
    command
        .get_subcommands()
        .filter(|sub| !sub.is_hide_set())
        .try_for_each(|sub| pages(sub, dir))
}
