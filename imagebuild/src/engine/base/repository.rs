//! A package repository in a folder: the pinned packages and no other, so that nothing else can come in.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use super::Error;
use crate::{cancel::Cancel, debian::Package, tool::Tool};

/// Makes the repository inside `work`.
pub(super) fn make(
    packages: &[Package],
    cache: &Path,
    work: &Path,
    cancel: &Cancel,
) -> Result<PathBuf, Error> {
    let repository = work.join("repository");
    fs::create_dir(&repository).map_err(Error::file(&repository))?;
    let index = repository.join("Packages");
    let failed = Error::file(&index);
    let mut stanzas = Vec::new();
    for package in packages {
        let deb = repository.join(format!("{}.deb", package.sha256));
        let cached = fs::canonicalize(package.cached(cache)).map_err(Error::file(&deb))?;
        symlink(cached, &deb).map_err(Error::file(&deb))?;
        let control = Tool::DpkgDeb
            .call()
            .arg("--field")
            .arg(&deb)
            .run(cancel)?
            .text();
        stanzas.push(format!(
            "{}\nFilename: ./{sha256}.deb\nSize: {}\nSHA256: {sha256}\n\n",
            control.trim_end(),
            package.size,
            sha256 = package.sha256,
        ));
    }
    let write = || {
        let mut file = BufWriter::new(File::create(&index)?);
        stanzas
            .iter()
            .try_for_each(|stanza| file.write_all(stanza.as_bytes()))?;
        file.flush()
    };
    write().map_err(failed)?;
    Ok(repository)
}
