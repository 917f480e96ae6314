//! The template and the provisioning scripts, which the program carries in itself.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use policies::digest::Digest;

use super::Error;

/// The template's files.
const TEMPLATE: [(&str, &str); 3] = [
    (
        "build.pkr.hcl",
        include_str!("../../../../packer/build.pkr.hcl"),
    ),
    (
        "source.pkr.hcl",
        include_str!("../../../../packer/source.pkr.hcl"),
    ),
    (
        "variables.pkr.hcl",
        include_str!("../../../../packer/variables.pkr.hcl"),
    ),
];
/// The scripts that run before the recipe's own.
const BEFORE: [(&str, &str); 3] = [
    (
        "10-wait.sh",
        include_str!("../../../../packer/scripts/10-wait.sh"),
    ),
    (
        "20-agent.sh",
        include_str!("../../../../packer/scripts/20-agent.sh"),
    ),
    (
        "30-import.sh",
        include_str!("../../../../packer/scripts/30-import.sh"),
    ),
];
/// The scripts that run after them.
const AFTER: [(&str, &str); 4] = [
    (
        "60-enforce.sh",
        include_str!("../../../../packer/scripts/60-enforce.sh"),
    ),
    (
        "70-seal.sh",
        include_str!("../../../../packer/scripts/70-seal.sh"),
    ),
    (
        "80-check.sh",
        include_str!("../../../../packer/scripts/80-check.sh"),
    ),
    (
        "90-finish.sh",
        include_str!("../../../../packer/scripts/90-finish.sh"),
    ),
];

/// Writes the template into `folder`. Returns all scripts of a build in order; `own` are the recipe's.
pub(super) fn write(folder: &Path, own: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let scripts = folder.join("scripts");
    fs::create_dir_all(&scripts).map_err(Error::file(&scripts))?;
    for (name, content) in TEMPLATE {
        text(&folder.join(name), content)?;
    }
    let mut order = Vec::new();
    for (name, content) in BEFORE {
        order.push(scripts.join(name));
        text(&scripts.join(name), content)?;
    }
    for script in own {
        order.push(fs::canonicalize(script).map_err(Error::file(script))?);
    }
    for (name, content) in AFTER {
        order.push(scripts.join(name));
        text(&scripts.join(name), content)?;
    }
    Ok(order)
}

/// The digest of all that [`write()`] writes.
pub(super) fn digest() -> Digest {
    let mut all = Vec::new();
    for (name, content) in TEMPLATE.iter().chain(&BEFORE).chain(&AFTER) {
        for part in [name, content] {
            // With lengths, so that no two sets of files give the same bytes.
            all.extend(part.len().to_be_bytes());
            all.extend(part.as_bytes());
        }
    }
    Digest::of(&all)
}

/// A string of HCL. `${` and `%{` would begin an expression; doubled they stand for themselves.
pub(super) fn quoted(text: &str) -> String {
    let plain = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
        .replace("${", "$${")
        .replace("%{", "%%{");
    format!("\"{plain}\"")
}

pub(super) fn text(path: &Path, text: &str) -> Result<(), Error> {
    File::create(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(Error::file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_become_an_expression() {
        assert_eq!(quoted("/a b/${x}\"$"), r#""/a b/$${x}\"$""#);
    }

    #[test]
    fn the_recipes_scripts_run_before_enforcement() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("own.sh");
        text(&own, "").unwrap();
        let order = write(&folder.path().join("packer"), &[own]).unwrap();
        let names: Vec<_> = order
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap())
            .collect();
        assert_eq!(names[3], "own.sh");
        assert_eq!(names[4], "60-enforce.sh");
        assert_eq!(names.len(), 8);
    }
}
