use crate::{
    cli::{self, Format},
    custody,
    exit::{Exit, Failure},
    sign::{Key, PublicKey},
    ui::{self, Look, Table},
    verify,
};

/// Verifies the output folder of a build.
pub(super) fn run(args: &cli::Verify) -> Result<Exit, Failure> {
    let place = match &args.key {
        Some(key) => key.clone(),
        None => Key::public_place(&Key::place()?),
    };
    let key = PublicKey::load(&place)
        .map_err(|error| Failure::from(error).hint("name the maker's public key with --key PUB"))?;
    if !args.dir.is_dir() {
        let sentence = format!("failed to find the folder `{}`", args.dir.display());
        return Err(Failure::new(Exit::BadInput, sentence));
    }
    let findings = verify::verify(&args.dir, &key);
    match args.format {
        Format::Json => ui::json(&findings.all()).map_err(custody::Error::from)?,
        Format::Text => show(&findings),
    }
    if findings.are_fine() {
        ui::say(&format!(
            "verified: {}, signed by key {}",
            args.dir.display(),
            key.id().short()
        ));
        Ok(Exit::Done)
    } else {
        ui::say(&format!(
            "{}: {} is not what was signed",
            Look::Bad.paint("refused"),
            args.dir.display()
        ));
        Ok(Exit::Deviates)
    }
}

fn show(findings: &verify::Findings) {
    let mut table = Table::new(["", "WHAT", "EXPECTED", "FOUND"]);
    for finding in findings.all() {
        let mark = if finding.ok {
            ("ok", Look::Good)
        } else {
            ("wrong", Look::Bad)
        };
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        table.row([
            mark,
            (&finding.what, Look::Plain),
            (&text(&finding.expected), Look::Plain),
            (&text(&finding.found), Look::Plain),
        ]);
    }
    ui::print(&table.to_string());
}
