//! The command line. Its help texts are the reference.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::recipe::EngineKind;

/// Makes, checks and publishes images of research VMs.
///
/// A recipe says what an image is made of. `lock` pins all of it, `stage` carries added binaries through
/// the secure import flow, `build` makes the image, boots it, and has the agent inside judge it: an image
/// that does not conform to its policy never gets its final name.
///
/// Exit codes: 0 done or conforms; 1 deviates, or there is something to do; 2 bad input; 3 could not be
/// found out or could not be done. Data goes to standard output, everything else to standard error.
#[derive(Debug, Parser)]
#[command(name = "imagebuild", version, max_term_width = 100, after_help = ENVIRONMENT)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const ENVIRONMENT: &str = "\
Environment:
  IMAGEBUILD_KEY    key that receipts and custody statements are signed with
                    [default: ~/.config/imagebuild/signing.pem, made on first need]
  IMAGEBUILD_CACHE  folder for packages and base disks [default: ~/.cache/imagebuild]
  IMAGEBUILD_AGENT  Debian package of dsvm-agent
  NO_COLOR          no colours";

/// The command line as a value, for documents about it.
pub fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

/// What `imagebuild` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a recipe and a policy to begin with.
    Init(Init),
    /// Find out whether this machine can make images.
    Doctor(Doctor),
    /// Pin everything that goes into an image.
    Lock(Lock),
    /// Show what a build would do, and why.
    Plan(Plan),
    /// Carry the recipe's binaries through the import flow.
    Stage(Stage),
    /// Make an image, boot it, and judge it.
    Build(Build),
    /// Boot an image and judge it by a policy.
    Check(Check),
    /// Show what differs between two images.
    Diff(Diff),
    /// Verify a build's output: signatures, digests, report and receipts, all offline.
    Verify(Verify),
    /// Write a completion script for a shell.
    #[command(hide = true)]
    Completions(Completions),
    /// Write manual pages into a folder.
    #[command(hide = true)]
    Man(Man),
}

/// How data is written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// `imagebuild init`.
#[derive(Args, Debug)]
pub struct Init {
    /// Folder to write into; files that are there are kept.
    #[arg(default_value = ".")]
    pub dir: PathBuf,
}

/// `imagebuild doctor`.
#[derive(Args, Debug)]
pub struct Doctor {
    /// Look for what this recipe needs as well.
    pub recipe: Option<PathBuf>,
    /// How the findings are written.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `imagebuild lock`.
#[derive(Args, Debug)]
pub struct Lock {
    /// The recipe; its lock is kept beside it.
    pub recipe: PathBuf,
    /// Change nothing; exit 1 and show the differences if the lock is not up to date.
    #[arg(long)]
    pub check: bool,
    /// How differences are written.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Debian package of dsvm-agent.
    #[arg(long, value_name = "FILE", env = "IMAGEBUILD_AGENT")]
    pub agent: Option<PathBuf>,
}

/// `imagebuild plan`.
#[derive(Args, Debug)]
pub struct Plan {
    /// The recipe.
    pub recipe: PathBuf,
    /// Exit 1 if there is something to do.
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Folder that images are put into.
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub out: PathBuf,
    /// How the plan is written.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Debian package of dsvm-agent.
    #[arg(long, value_name = "FILE", env = "IMAGEBUILD_AGENT")]
    pub agent: Option<PathBuf>,
}

/// `imagebuild stage`.
#[derive(Args, Debug)]
pub struct Stage {
    /// The recipe.
    pub recipe: PathBuf,
    /// How the receipts are written.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `imagebuild build`.
#[derive(Args, Debug)]
pub struct Build {
    /// The recipe.
    pub recipe: PathBuf,
    /// Engine to use instead of the recipe's.
    #[arg(long, value_enum)]
    pub engine: Option<EngineKind>,
    /// Folder that images are put into.
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub out: PathBuf,
    /// Debian package of dsvm-agent.
    #[arg(long, value_name = "FILE", env = "IMAGEBUILD_AGENT")]
    pub agent: Option<PathBuf>,
}

/// `imagebuild check`.
#[derive(Args, Debug)]
pub struct Check {
    /// A disk (VHD, qcow2 or raw), or the output folder of a build.
    pub image: PathBuf,
    /// The policy that the image must conform to.
    #[arg(long, value_name = "FILE")]
    pub policy: PathBuf,
    /// How long the image may take from power-on to its report, such as `10m`.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = span)]
    pub timeout: crate::recipe::Span,
    /// Memory of the machine, such as `2GiB`.
    #[arg(long, value_name = "SIZE", default_value = "2GiB", value_parser = bytes)]
    pub memory: crate::recipe::Bytes,
    /// How the report is written.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `imagebuild diff`.
#[derive(Args, Debug)]
pub struct Diff {
    /// An image, or the output folder of a build.
    pub a: PathBuf,
    /// The one to compare it with.
    pub b: PathBuf,
    /// How the differences are written.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `imagebuild verify`.
#[derive(Args, Debug)]
pub struct Verify {
    /// The output folder of a build.
    pub dir: PathBuf,
    /// Public key of whoever made the image [default: your own].
    #[arg(long, value_name = "PUB")]
    pub key: Option<PathBuf>,
    /// How the findings are written.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `imagebuild completions`.
#[derive(Args, Debug)]
pub struct Completions {
    /// The shell.
    pub shell: clap_complete::Shell,
}

/// `imagebuild man`.
#[derive(Args, Debug)]
pub struct Man {
    /// Folder to write into.
    pub dir: PathBuf,
}

fn span(text: &str) -> Result<crate::recipe::Span, String> {
    text.to_owned().try_into()
}

fn bytes(text: &str) -> Result<crate::recipe::Bytes, String> {
    text.to_owned().try_into()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
