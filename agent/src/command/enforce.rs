//! `enforce`: changes what deviates, then judges again.

use policies::report::StepResult;

use crate::cli::{Enforce, Format, Plan, Target};
use crate::exit::{Exit, Failure};
use crate::host::live::Live;
use crate::output;
use crate::pass::{self, Pass};
use crate::settings::Settings;

pub(super) fn run(args: &Enforce) -> Result<Exit, Failure> {
    if args.dry_run {
        let Target { root, policy } = &args.target;
        let target = Target {
            root: root.clone(),
            policy: policy.clone(),
        };
        return super::plan::run(&Plan {
            target,
            phase: args.phase,
            format: args.format,
        });
    }
    let loaded = Settings::of(&args.target).load()?;
    let mut host = Live::at(&args.target.root).map_err(Failure::unable)?;
    let phase = pass::phase(args.phase, &host);
    let report = Pass::new(&loaded.policy, &host, phase)?.enforce(&mut host);
    match args.format {
        Format::Text => output::text(&output::report::text(&report))?,
        Format::Json => output::json(&report)?,
    }
    let has_failed = report
        .steps
        .iter()
        .any(|step| matches!(step.result, StepResult::Failed { .. }));
    if has_failed && !report.conforms {
        return Ok(Exit::Unable);
    }
    Ok(Exit::conforming(report.conforms))
}
