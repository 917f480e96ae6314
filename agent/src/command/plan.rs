//! `plan`: shows what `enforce` would do.

use crate::cli::{Format, Plan};
use crate::exit::{Exit, Failure};
use crate::host::live::Live;
use crate::output;
use crate::pass::{self, Pass};
use crate::settings::Settings;

pub(super) fn run(args: &Plan) -> Result<Exit, Failure> {
    let loaded = Settings::of(&args.target).load()?;
    let host = Live::at(&args.target.root).map_err(Failure::unable)?;
    let phase = pass::phase(args.phase, &host);
    let (plan, findings) = Pass::new(&loaded.policy, &host, phase)?.plan(&host);
    let told = output::plan::Told::new(&plan, &findings);
    match args.format {
        Format::Text => output::text(&told.text())?,
        Format::Json => output::json(&told)?,
    }
    Ok(Exit::conforming(told.is_empty()))
}
