//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use policies::control::{ControlId, Phase};

/// Keeps one research VM in line with its policy.
///
/// Exit codes: 0 conforms or done; 1 deviates, or the plan has changes; 2 wrong command line, policy or
/// manifest; 3 could not find out, or could not do it.
#[derive(Debug, Parser)]
#[command(
    name = "dsvm-agent",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Say more on stderr; twice for everything.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// The whole command line, for man pages, completions and the documents' tests.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Judge the machine and print the report; changes nothing
    Check(Check),
    /// Show what `enforce` would do
    Plan(Plan),
    /// Change what deviates, then judge again
    Enforce(Enforce),
    /// Look at policies
    #[command(subcommand)]
    Policy(Policy),
    /// Tell everything about one control: its reason, its check, its remedy, and how it stands here
    Explain(Explain),
    /// Print the latest kept report of this boot
    Report(Report),
    /// Verify and install the staged binaries that a manifest lists
    Import(Import),
    /// Judge the machine at start and at intervals, and keep the reports (the systemd service)
    Run(Run),
    /// Print shell completions
    #[command(hide = true)]
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Write the man pages
    #[command(hide = true)]
    Man {
        /// The folder for them.
        dir: PathBuf,
    },
}

/// The machine and the policy that a command is about.
#[derive(Args, Debug)]
pub(crate) struct Target {
    /// The machine's root folder: `/`, or an unpacked image
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub(crate) root: PathBuf,
    /// The policy, with the fragments `policy.d/*.toml` beside it [default: /etc/dsvm-agent/policy.toml under the root]
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
}

/// How a command that reads prints what it found.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// One JSON document on one line
    Json,
}

/// A phase on the command line.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum PhaseArg {
    /// What must hold in the image already
    Image,
    /// That, and what must hold where the VM is deployed
    Vm,
}

impl From<PhaseArg> for Phase {
    fn from(phase: PhaseArg) -> Self {
        match phase {
            PhaseArg::Image => Self::Image,
            PhaseArg::Vm => Self::Vm,
        }
    }
}

/// Arguments of `check`.
#[derive(Args, Debug)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) target: Target,
    /// How far the machine is [default: vm where it runs, image under another root]
    #[arg(long)]
    pub(crate) phase: Option<PhaseArg>,
    /// How to print
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
}

/// Arguments of `plan`.
#[derive(Args, Debug)]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) target: Target,
    /// How far the machine is [default: vm where it runs, image under another root]
    #[arg(long)]
    pub(crate) phase: Option<PhaseArg>,
    /// How to print
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
}

/// Arguments of `enforce`.
#[derive(Args, Debug)]
pub(crate) struct Enforce {
    #[command(flatten)]
    pub(crate) target: Target,
    /// How far the machine is [default: vm where it runs, image under another root]
    #[arg(long)]
    pub(crate) phase: Option<PhaseArg>,
    /// Only show what would be done, as `plan` does
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How to print
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
}

/// What can be done with policies.
#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Read a policy as the agent would, and say what is wrong with it
    Check {
        /// The policy.
        file: PathBuf,
        /// Where `baseline/…` is looked up first: under this machine's root folder
        #[arg(long, value_name = "DIR", default_value = "/")]
        root: PathBuf,
        /// How to print
        #[arg(long, default_value = "text")]
        format: Format,
    },
    /// Show the policy that applies, everything it extends included, and where each control comes from
    Show {
        #[command(flatten)]
        target: Target,
        /// How to print
        #[arg(long, default_value = "text")]
        format: Format,
    },
}

/// Arguments of `explain`.
#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// The control, such as `SSH-003`
    #[arg(value_parser = control_id)]
    pub(crate) control: ControlId,
    #[command(flatten)]
    pub(crate) target: Target,
    /// How to print
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
}

/// How a kept report is printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// A page for people
    Html,
    /// The document as it is kept, on one line
    Json,
    /// A table for people
    Text,
}

/// Arguments of `report`.
#[derive(Args, Debug)]
pub(crate) struct Report {
    /// The machine's root folder: `/`, or an unpacked image
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub(crate) root: PathBuf,
    /// How to print
    #[arg(long, default_value = "text")]
    pub(crate) format: ReportFormat,
    /// Write to this file or device instead of stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Take the latest report even when it is of an earlier boot
    #[arg(long)]
    pub(crate) any_boot: bool,
}

/// Arguments of `import`.
#[derive(Args, Debug)]
pub(crate) struct Import {
    /// The manifest; the binaries stand beside it
    pub(crate) manifest: PathBuf,
    /// The machine's root folder: `/`, or an unpacked image
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub(crate) root: PathBuf,
}

/// Arguments of `run`.
#[derive(Args, Debug)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Time between two passes
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = interval)]
    pub(crate) interval: Duration,
    /// Also change what deviates, at every pass
    #[arg(long)]
    pub(crate) enforce: bool,
    /// How many reports are kept
    #[arg(long, value_name = "N", default_value_t = 288, value_parser = clap::value_parser!(u16).range(2..))]
    pub(crate) keep: u16,
}

fn control_id(text: &str) -> Result<ControlId, String> {
    ControlId::try_from(text.to_owned()).map_err(|error| error.to_string())
}

/// Reads a time such as `90s` or `5m`. Shorter than a second would only keep the machine busy.
fn interval(text: &str) -> Result<Duration, String> {
    let time: jiff::SignedDuration = text
        .parse()
        .map_err(|error: jiff::Error| error.to_string())?;
    match Duration::try_from(time) {
        Ok(time) if (SHORTEST..=LONGEST).contains(&time) => Ok(time),
        _ => Err("not between 1s and 24h".to_owned()),
    }
}

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn intervals_are_times() {
        assert_eq!(interval("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(interval("5m"), Ok(Duration::from_mins(5)));
        for bad in ["", "0s", "-5m", "5", "2 weeks", "99999999h", "1ms"] {
            assert!(interval(bad).is_err(), "{bad}");
        }
    }
}
