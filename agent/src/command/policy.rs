//! `policy`: looks at policies.

use crate::cli::{Format, Policy};
use crate::exit::{Exit, Failure};
use crate::output;
use crate::output::policy::Told;
use crate::settings::Settings;

pub(super) fn run(args: &Policy) -> Result<Exit, Failure> {
    match args {
        Policy::Check { file, root, format } => {
            let loaded = Settings::of_draft(file, root).load()?;
            let told = Told::new(&loaded);
            match format {
                Format::Text => output::text(&told.summary())?,
                Format::Json => output::json(&told)?,
            }
        }
        Policy::Show { target, format } => {
            let loaded = Settings::of(target).load()?;
            let told = Told::new(&loaded);
            match format {
                Format::Text => output::text(&told.text())?,
                Format::Json => output::json(&told)?,
            }
        }
    }
    Ok(Exit::Conforms)
}
