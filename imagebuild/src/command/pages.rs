use std::io;

use crate::{
    cli::{Completions, Man},
    exit::{Ends, Exit, Failure},
    files, ui,
};

/// Writes a completion script to standard output.
pub(super) fn completions(args: &Completions, mut command: clap::Command) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "imagebuild", &mut script);
    ui::print(String::from_utf8_lossy(&script).trim_end());
    Exit::Done
}

/// A manual page cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("failed to write manual pages")]
struct Failed(#[source] io::Error);

impl Ends for Failed {
    fn exit(&self) -> Exit {
        Exit::Unable
    }
}

/// Writes manual pages into a folder.
pub(super) fn man(args: &Man, command: clap::Command) -> Result<Exit, Failure> {
    files::make_folder(&args.dir)?;
    clap_mangen::generate_to(command, &args.dir).map_err(Failed)?;
    Ok(Exit::Done)
}
