use super::project::Project;
use crate::{
    build::{self, Place, Step},
    cli::{self, Format},
    custody,
    exit::{Exit, Failure},
    lock::{Lock, differences},
    plan::{Facts, Left, Plan},
    ui::{self, Look, Table},
};

/// Shows what a build would do, and why.
pub(super) fn run(args: &cli::Plan) -> Result<Exit, Failure> {
    let project = Project::open(&args.recipe)?;
    let plan = Plan::decide(&facts(&project, args)?);
    match args.format {
        Format::Json => ui::json(&plan).map_err(custody::Error::from)?,
        Format::Text => show(&plan),
    }
    Ok(if args.detailed_exitcode && plan.has_changes() {
        Exit::Deviates
    } else {
        Exit::Done
    })
}

fn facts(project: &Project, args: &cli::Plan) -> Result<Facts, Failure> {
    let lock = project.lock()?;
    let inputs = project.inputs(args.agent.as_deref())?;
    let flow = project.flow();
    let now = inputs.pin(&flow, lock.as_ref())?;
    let packages = lock.as_ref().map(|lock| lock.base.packages.clone());
    let now = now.with(packages.unwrap_or_default());
    let binaries = project.located.recipe.binaries.iter().zip(&now.binaries);
    let unstaged = binaries.filter(|(binary, pinned)| !flow.has(binary, &pinned.sha256));
    let mut facts = Facts {
        locked: lock.is_some(),
        stale: lock
            .iter()
            .flat_map(|lock| differences(lock, &now))
            .map(|found| found.what)
            .collect(),
        unstaged: unstaged
            .map(|(binary, _)| binary.name.to_string())
            .collect(),
        binaries: now.binaries.len(),
        ..Facts::default()
    };
    if let Some(lock) = lock.filter(|_| facts.stale.is_empty()) {
        done(project, args, &lock, &mut facts)?;
    }
    Ok(facts)
}

/// What earlier builds of this lock have left.
fn done(
    project: &Project,
    args: &cli::Plan,
    lock: &Lock,
    facts: &mut Facts,
) -> Result<(), Failure> {
    let place = Place::new(&args.out, &project.located);
    let digest = lock.digest()?;
    let left = place.left(&digest)?;
    facts.built = build::is_done(&place, &digest, &project.key)?;
    facts.left = match (left.records(Step::Engine), left.records(Step::Convert)) {
        (_, true) => Left::Vhd,
        (true, false) => Left::Disk,
        (false, false) => Left::Nothing,
    };
    Ok(())
}

fn show(plan: &Plan) {
    let mut table = Table::new(["STEP", "STATE", "WHY"]);
    for step in &plan.steps {
        let state = if step.needed {
            ("needed", Look::Warning)
        } else {
            ("done", Look::Good)
        };
        table.row([(step.name, Look::Plain), state, (&step.why, Look::Plain)]);
    }
    ui::print(&table.to_string());
}
