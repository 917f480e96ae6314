use super::project::Project;
use crate::{
    cli::{self, Format},
    exit::{Exit, Failure},
    lock::{self, Difference, Lock, differences},
    ui::{self, Look, Table},
};

/// Pins everything that goes into an image, or says what is pinned no longer.
pub(super) fn run(args: &cli::Lock) -> Result<Exit, Failure> {
    let project = Project::open(&args.recipe)?;
    let locked = match project.lock() {
        // A damaged lock is no reason not to write a new one.
        Err(lock::Error::Damaged { .. } | lock::Error::Unknown { .. }) if !args.check => None,
        other => other?,
    };
    let inputs = project.inputs(args.agent.as_deref())?;
    let pinned = inputs.pin(&project.flow(), locked.as_ref())?;
    let progress = ui::progress();
    progress.phase("resolve packages", None);
    let packages = lock::resolve(
        &project.located.recipe,
        &project.cache,
        progress.as_ref(),
        &project.cancel,
    )?;
    drop(progress);
    let now = pinned.with(packages);
    let path = project.located.lock();
    match locked {
        None if args.check => Err(Failure::new(
            Exit::Deviates,
            format!("there is no lock `{}`", path.display()),
        )
        .hint(format!("imagebuild lock {}", args.recipe.display()))),
        None => {
            now.save(&path)?;
            ui::say(&format!("locked {} ({})", path.display(), contents(&now)));
            Ok(Exit::Done)
        }
        Some(locked) => {
            let found = differences(&locked, &now);
            show(&found, args.format)?;
            if found.is_empty() {
                ui::say(&format!(
                    "{} is up to date ({})",
                    path.display(),
                    contents(&locked)
                ));
                return Ok(Exit::Done);
            }
            if args.check {
                ui::say(&format!(
                    "{} is out of date: {} differences",
                    path.display(),
                    found.len()
                ));
                return Ok(Exit::Deviates);
            }
            now.save(&path)?;
            ui::say(&format!(
                "locked {} again: {} differences",
                path.display(),
                found.len()
            ));
            Ok(Exit::Done)
        }
    }
}

fn contents(lock: &Lock) -> String {
    let (packages, binaries) = (lock.base.packages.len(), lock.binaries.len());
    format!(
        "{packages} packages, {binaries} binaries, {} scripts",
        lock.scripts.len()
    )
}

/// Prints what a lock pins differently.
pub(super) fn show(found: &[Difference], format: Format) -> Result<(), Failure> {
    match format {
        Format::Json => ui::json(&found).map_err(crate::import::Error::from)?,
        Format::Text if found.is_empty() => {}
        Format::Text => {
            let mut table = Table::new(["WHAT", "LOCKED", "NOW"]);
            for difference in found {
                let cell =
                    |value: &Option<String>| value.as_deref().map_or("-".to_owned(), shorter);
                let (locked, now) = (cell(&difference.locked), cell(&difference.now));
                table.row([
                    (&difference.what, Look::Plain),
                    (&locked, Look::Weak),
                    (&now, Look::Warning),
                ]);
            }
            ui::print(&table.to_string());
        }
    }
    Ok(())
}

/// A digest of which only the beginning is shown; another text as it is.
fn shorter(text: &str) -> String {
    policies::digest::Digest::try_from(text.to_owned())
        .map_or_else(|_| text.to_owned(), |digest| digest.short().to_owned())
}
