//! `check`: judges the machine and prints the report.

use crate::cli::{Check, Format};
use crate::exit::{Exit, Failure};
use crate::host::live::Live;
use crate::output;
use crate::pass::{self, Pass};
use crate::settings::Settings;

pub(super) fn run(args: &Check) -> Result<Exit, Failure> {
    let loaded = Settings::of(&args.target).load()?;
    let host = Live::at(&args.target.root).map_err(Failure::unable)?;
    let phase = pass::phase(args.phase, &host);
    let report = Pass::new(&loaded.policy, &host, phase)?.check(&host);
    match args.format {
        Format::Text => output::text(&output::report::text(&report))?,
        Format::Json => output::json(&report)?,
    }
    Ok(Exit::conforming(report.conforms))
}
