use serde::Serialize;

use super::project::Project;
use crate::{
    cli::{self, Format},
    exit::{Exit, Failure, Mismatch},
    import::{self, Staged, receipt::Receipt, scan::Verdict},
    lock::Lock,
    ui::{self, Look, Table},
};

/// Carries the recipe's binaries through the import flow.
pub(super) fn run(args: &cli::Stage) -> Result<Exit, Failure> {
    let project = Project::open(&args.recipe)?;
    let lock = project.lock()?;
    let progress = ui::progress();
    progress.phase("stage binaries", None);
    let staged = all(&project, lock.as_ref(), progress.as_ref())?;
    drop(progress);
    warn_of_unscanned(&staged);
    show(&staged, args.format)?;
    let new = staged.iter().filter(|staged| staged.new).count();
    ui::say(&match new {
        0 => format!("nothing to do: {} binaries are staged", staged.len()),
        _ => format!("staged {new} of {} binaries", staged.len()),
    });
    Ok(Exit::Done)
}

/// Stages every binary of the recipe: as the lock pins it, or as it is.
pub(super) fn all(
    project: &Project,
    lock: Option<&Lock>,
    progress: &dyn crate::progress::Progress,
) -> Result<Vec<Staged>, Failure> {
    let flow = project.flow();
    let mut all = Vec::new();
    for binary in &project.located.recipe.binaries {
        progress.note(binary.name.as_str());
        let pinned = lock.and_then(|lock| {
            lock.binaries
                .iter()
                .find(|other| other.name == binary.name.as_str())
        });
        let wanted = match (&binary.sha256, pinned) {
            (Some(sha256), _) => Some(sha256.clone()),
            (None, Some(pinned)) => Some(pinned.sha256.clone()),
            (None, None) => flow.seen(binary)?.map(|(sha256, _)| sha256),
        };
        let staged = flow.stage(binary, wanted.as_ref(), &project.cancel)?;
        if let Some(receipt) = pinned.and_then(|pinned| pinned.receipt.as_ref()) {
            let object = format!("digest of the receipt of `{}`", binary.name);
            Mismatch::check(object, receipt, &staged.receipt_digest)?;
        }
        all.push(staged);
    }
    Ok(all)
}

/// Says which binaries came in now without having been scanned. Not while a bar is drawn.
pub(super) fn warn_of_unscanned(staged: &[Staged]) {
    for staged in staged.iter().filter(|staged| staged.new) {
        if let Verdict::NotScanned { reason } = &staged.receipt.scan {
            ui::warn(&format!(
                "`{}` was not scanned: {reason}",
                staged.receipt.name
            ));
        }
    }
}

fn show(staged: &[Staged], format: Format) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Row<'a> {
        sha256: String,
        receipt: String,
        new: bool,
        #[serde(flatten)]
        predicate: &'a Receipt,
    }
    match format {
        Format::Json => {
            let rows: Vec<_> = staged
                .iter()
                .map(|staged| Row {
                    sha256: staged.sha256.to_string(),
                    receipt: staged.receipt_digest.to_string(),
                    new: staged.new,
                    predicate: &staged.receipt,
                })
                .collect();
            ui::json(&rows).map_err(import::Error::from)?;
        }
        Format::Text => {
            let mut table = Table::new(["BINARY", "SIZE", "SHA-256", "SCAN", "STATE"]);
            for staged in staged {
                let (scan, look) = match &staged.receipt.scan {
                    Verdict::Clean { .. } => ("clean", Look::Good),
                    Verdict::NotScanned { .. } => ("not scanned", Look::Warning),
                    Verdict::Refused { .. } => ("refused", Look::Bad),
                };
                table.row([
                    (staged.receipt.name.as_str(), Look::Plain),
                    (&ui::bytes(staged.receipt.size), Look::Plain),
                    (staged.sha256.short(), Look::Plain),
                    (scan, look),
                    (if staged.new { "staged now" } else { "staged" }, Look::Weak),
                ]);
            }
            ui::print(&table.to_string());
        }
    }
    Ok(())
}
