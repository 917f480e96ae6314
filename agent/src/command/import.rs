//! `import`: verifies and installs the staged binaries that a manifest lists.

use policies::manifest::Install;

use crate::cli::Import;
use crate::exit::{Exit, Failure};
use crate::{import, output};

pub(super) fn run(args: &Import) -> Result<Exit, Failure> {
    let imported = import::import(&args.manifest, &args.root)?;
    for import::Imported { binary, is_new } in &imported {
        let word = if *is_new { "installed" } else { "unchanged" };
        let to = match &binary.install {
            Install::Deb {} => "package".to_owned(),
            Install::File { path, mode } => format!("{path} {mode}"),
            Install::Wheel { python } => format!("wheel in {python}"),
        };
        output::imported(word, &binary.name, &to, binary.sha256.short())?;
    }
    Ok(Exit::Conforms)
}
