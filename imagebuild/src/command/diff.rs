use crate::{
    cli::{self, Format},
    custody,
    diff::Difference,
    exit::{Exit, Failure},
    ui::{self, Look, Table},
};

/// Shows what differs between two images.
pub(super) fn run(args: &cli::Diff) -> Result<Exit, Failure> {
    let difference = Difference::between(&args.a, &args.b)?;
    match args.format {
        Format::Json => ui::json(&difference).map_err(custody::Error::from)?,
        Format::Text => show(&difference),
    }
    if difference.listening.is_none() {
        ui::warn("listening sockets were not compared: an image has no report beside it");
    }
    if difference.is_empty() {
        ui::say("the images do not differ (times and extended attributes are not compared)");
        return Ok(Exit::Done);
    }
    let count: usize = difference
        .areas()
        .iter()
        .map(|(_, changes)| changes.len())
        .sum();
    ui::say(&format!("the images differ in {count} things"));
    Ok(Exit::Deviates)
}

fn show(difference: &Difference) {
    let mut table = Table::new(["AREA", "WHAT", "FIRST", "SECOND"]);
    for (area, changes) in difference.areas() {
        for change in changes {
            let (a, b) = (
                change.a.as_deref().unwrap_or("-"),
                change.b.as_deref().unwrap_or("-"),
            );
            table.row([
                (area, Look::Weak),
                (&change.what, Look::Plain),
                (a, Look::Bad),
                (b, Look::Good),
            ]);
        }
    }
    if !table.is_empty() {
        ui::print(&table.to_string());
    }
}
