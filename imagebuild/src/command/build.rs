use super::{project::Project, stage};
use crate::{
    build::{self, Build, Outcome, Place},
    cli,
    exit::{Exit, Failure},
    history::Timed,
    judge,
    lock::{self, Inputs, Lock, differences},
    progress::Progress,
    ui,
};

/// Makes an image, boots it, and judges it.
pub(super) fn run(args: &cli::Build) -> Result<Exit, Failure> {
    let mut project = Project::open(&args.recipe)?;
    if let Some(kind) = args.engine {
        project.located.recipe.engine.kind = kind;
    }
    let place = Place::new(&args.out, &project.located);
    let inputs = project.inputs(args.agent.as_deref())?;
    let locked = project.lock()?;
    if let Some(lock) = &locked {
        refuse_stale(&project, &inputs, lock)?;
        if build::is_done(&place, &lock.digest()?, &project.key)? {
            ui::say(&format!(
                "nothing to build: {} is up to date",
                place.image().display()
            ));
            return Ok(Exit::Done);
        }
    }
    make(&project, &inputs, locked, &place)
}

/// Does what is not done.
fn make(
    project: &Project,
    inputs: &Inputs<'_>,
    locked: Option<Lock>,
    place: &Place,
) -> Result<Exit, Failure> {
    ui::say(&format!(
        "the engine's output goes to {}",
        place.log().display()
    ));
    let bars = ui::progress();
    let image = project.located.recipe.name.as_str();
    let progress = Timed::new(bars.as_ref(), &project.cache, image);
    progress.phase("stage binaries", None);
    let staged = stage::all(project, locked.as_ref(), &progress)?;
    let lock = match locked {
        Some(lock) => lock,
        None => first_lock(project, inputs, &progress)?,
    };
    let build = Build {
        located: &project.located,
        inputs,
        lock: &lock,
        staged: &staged,
        key: &project.key,
        cache: &project.cache,
        place,
        cancel: &project.cancel,
    };
    let outcome = build.run(&progress);
    progress.finish();
    drop(bars);
    stage::warn_of_unscanned(&staged);
    tell(outcome?, place)
}

/// A build from a lock that says something else than the recipe would surprise somebody.
fn refuse_stale(project: &Project, inputs: &Inputs<'_>, lock: &Lock) -> Result<(), Failure> {
    let pinned = inputs.pin(&project.flow(), Some(lock))?;
    let found = differences(lock, &pinned.with(lock.base.packages.clone()));
    if found.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = found
        .iter()
        .map(|difference| difference.what.as_str())
        .collect();
    let path = project.located.lock();
    let sentence = format!(
        "lock `{}` is out of date: {}",
        path.display(),
        names.join(", ")
    );
    Err(Failure::new(Exit::Deviates, sentence).hint(format!(
        "imagebuild lock {}",
        project.located.path.display()
    )))
}

fn first_lock(
    project: &Project,
    inputs: &Inputs<'_>,
    progress: &dyn Progress,
) -> Result<Lock, Failure> {
    progress.phase("resolve packages", None);
    let pinned = inputs.pin(&project.flow(), None)?;
    let recipe = &project.located.recipe;
    let packages = lock::resolve(recipe, &project.cache, progress, &project.cancel)?;
    let lock = pinned.with(packages);
    let path = project.located.lock();
    lock.save(&path)?;
    progress.note(&format!("wrote {}", path.display()));
    Ok(lock)
}

fn tell(outcome: Outcome, place: &Place) -> Result<Exit, Failure> {
    let kept = format!("the image is kept apart in {}", place.rejected().display());
    match outcome {
        Outcome::Passed(reports) => {
            reports.iter().for_each(ui::report);
            ui::say(&format!("passed: {}", place.image().display()));
            Ok(Exit::Done)
        }
        Outcome::Refused(reports) => {
            reports.iter().for_each(ui::report);
            let found: Vec<_> = reports.iter().flat_map(judge::deviations).collect();
            let sentence = format!("the image does not conform:\n  {}", found.join("\n  "));
            Err(Failure::new(Exit::Deviates, sentence).hint(kept))
        }
        Outcome::Untrusted(mismatch) => Err(Failure::from(mismatch).hint(kept)),
    }
}
