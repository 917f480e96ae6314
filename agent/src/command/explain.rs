//! `explain`: tells everything about one control.

use jiff::Timestamp;
use policies::policy::Policy;

use crate::cli::{Explain, Format};
use crate::exit::{Exit, Failure};
use crate::host::live::Live;
use crate::observe::observe;
use crate::output;
use crate::output::control::Told;
use crate::settings::Settings;

pub(super) fn run(args: &Explain) -> Result<Exit, Failure> {
    let loaded = Settings::of(&args.target).load()?;
    let policy = loaded.policy;
    let Some(control) = policy.control(&args.control).cloned() else {
        let unknown = format!("policy `{}` has no control `{}`", policy.name, args.control);
        return Err(Failure::bad_input(unknown).hint("`dsvm-agent policy show` lists them"));
    };
    let remedy = control.check.remedy(&policy.researchers.groups);
    // Only the one control is judged: people wait for the answer.
    let alone = Policy {
        controls: vec![control.clone()],
        ..policy
    };
    let host = Live::at(&args.target.root).map_err(Failure::unable)?;
    let finding = observe(&alone, &host, Timestamp::now()).into_iter().next();
    let told = Told {
        control,
        remedy,
        finding,
    };
    match args.format {
        Format::Text => output::text(&told.text())?,
        Format::Json => output::json(&told)?,
    }
    Ok(Exit::Conforms)
}
