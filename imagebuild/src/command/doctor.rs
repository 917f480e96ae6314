use crate::{
    cache,
    cli::{self, Format},
    custody,
    doctor::{self, Finding, State},
    exit::{Exit, Failure},
    recipe::Located,
    ui::{self, Look, Table},
};

/// Finds out whether this machine can make images.
pub(super) fn run(args: &cli::Doctor) -> Result<Exit, Failure> {
    let located = args.recipe.as_deref().map(Located::load).transpose()?;
    let cancel = super::project::cancel()?;
    let findings = doctor::examine(located.as_ref(), &cache::folder()?, &cancel);
    match args.format {
        Format::Json => ui::json(&findings).map_err(custody::Error::from)?,
        Format::Text => show(&findings),
    }
    if findings
        .iter()
        .all(|finding| finding.state != State::Missing)
    {
        ui::say("this machine can make images");
        return Ok(Exit::Done);
    }
    let packages: Vec<_> = doctor::packages(&findings).into_iter().collect();
    let failure = Failure::new(Exit::Unable, "this machine cannot make images yet");
    Err(if packages.is_empty() {
        failure
    } else {
        failure.hint(format!("apt-get install {}", packages.join(" ")))
    })
}

fn show(findings: &[Finding]) {
    let mut table = Table::new(["", "WHAT", "FOUND", "HINT"]);
    for finding in findings {
        let mark = match finding.state {
            State::Missing => ("missing", Look::Bad),
            State::Ok => ("ok", Look::Good),
            State::Warning => ("warning", Look::Warning),
        };
        table.row([
            mark,
            (&finding.what, Look::Plain),
            (&finding.found, Look::Plain),
            (finding.hint.as_deref().unwrap_or_default(), Look::Plain),
        ]);
    }
    ui::print(&table.to_string());
}
