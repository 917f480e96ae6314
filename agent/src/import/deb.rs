//! Debian packages.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use policies::manifest::Binary;

use crate::import::Error;
use crate::import::copy::Copy;
use crate::import::program::Program;
use crate::import::record::Record;

/// Installs packages with one call of `dpkg`, so that they may depend on each other in any order. Gives
/// back the sources of those that were not installed before.
pub(super) fn install(
    copies: &[&Copy],
    root: &Path,
    record: &Record,
) -> Result<BTreeSet<String>, Error> {
    let mut fresh = BTreeSet::new();
    let mut install = Vec::new();
    let mut expected = Vec::new();
    for copy in copies {
        let package = Package::of(copy)?;
        if !(record.has(&copy.binary) && package.is_installed(root)) {
            fresh.insert(copy.binary.source.to_string());
            install.push(copy.path.clone().into_os_string());
        }
        expected.push((&copy.binary, package));
    }
    if install.is_empty() {
        return Ok(fresh);
    }
    let mut arguments = vec![OsString::from("--install")];
    if root != Path::new("/") {
        let mut option = OsString::from("--root=");
        option.push(root);
        arguments.insert(0, option);
    }
    arguments.extend(install);
    let names: Vec<_> = fresh.iter().map(String::as_str).collect();
    Program::Dpkg
        .run(arguments)
        .map_err(|source| Error::Program {
            binary: names.join(", "),
            source,
        })?;
    for (binary, package) in expected {
        if !package.is_installed(root) {
            let why = format!(
                "dpkg does not list {} {} as installed",
                package.name, package.version
            );
            return Err(unfit(binary, why));
        }
    }
    Ok(fresh)
}

/// What a package calls itself.
struct Package {
    name: String,
    version: String,
}

impl Package {
    fn of(copy: &Copy) -> Result<Self, Error> {
        let field = |name: &str| -> Result<String, Error> {
            let arguments = [
                OsString::from("--field"),
                copy.path.clone().into(),
                name.into(),
            ];
            let value = Program::DpkgDeb
                .run(arguments)
                .map_err(|source| Error::Program {
                    binary: copy.binary.name.clone(),
                    source,
                })?;
            Ok(value.trim().to_owned())
        };
        let package = Self {
            name: field("Package")?,
            version: field("Version")?,
        };
        if package.name.is_empty() || package.version.is_empty() {
            return Err(unfit(
                &copy.binary,
                "the package has no name or version".to_owned(),
            ));
        }
        Ok(package)
    }

    /// Says whether this version is installed completely.
    fn is_installed(&self, root: &Path) -> bool {
        let mut database = OsString::from("--admindir=");
        database.push(root.join("var/lib/dpkg"));
        let arguments = [
            database,
            "--show".into(),
            "--showformat=${db:Status-Status} ${Version}\\n".into(),
            self.name.clone().into(),
        ];
        // dpkg-query fails for a package that it has never heard of.
        Program::DpkgQuery.run(arguments).is_ok_and(|told| {
            told.lines()
                .any(|line| line == format!("installed {}", self.version))
        })
    }
}

fn unfit(binary: &Binary, why: String) -> Error {
    Error::Unfit {
        binary: binary.name.clone(),
        why,
    }
}
