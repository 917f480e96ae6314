//! Python wheels.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use policies::names::AbsPath;

use crate::import::Error;
use crate::import::copy::Copy;
use crate::import::program::Program;
use crate::import::record::Record;

/// Installs a wheel into a virtual environment, without network. Says whether that changed anything.
pub(super) fn install(
    copy: &Copy,
    venv: &AbsPath,
    root: &Path,
    record: &Record,
) -> Result<bool, Error> {
    let binary = copy.binary.name.clone();
    let unfit = |why: &str| Error::Unfit {
        binary: binary.clone(),
        why: why.to_owned(),
    };
    if root != Path::new("/") {
        return Err(unfit(
            "a wheel is installed by the Python of the running machine, and this is another root",
        ));
    }
    let requirement = Requirement::of(&copy.binary.source.to_string()).ok_or_else(|| {
        unfit("its file name is not that of a wheel, such as `six-1.16.0-py3-none-any.whl`")
    })?;
    let venv = Path::new(venv.as_str());
    if record.has(&copy.binary) && requirement.is_in(venv) {
        return Ok(false);
    }
    let failed = |source| Error::Program {
        binary: binary.clone(),
        source,
    };
    if !venv.join("pyvenv.cfg").exists() {
        // Without pip: the system's installs into it, and nothing is compiled and dated.
        let arguments = [
            "-I",
            "-m",
            "venv",
            "--system-site-packages",
            "--without-pip",
        ];
        let venv = venv.as_os_str().to_owned();
        Program::Python
            .run(arguments.map(OsString::from).into_iter().chain([venv]))
            .map_err(failed)?;
    }
    let folder = copy.path.parent().unwrap_or(Path::new("/"));
    let mut arguments = pip();
    arguments.extend(["install", "--no-index", "--no-deps", "--no-compile"].map(OsString::from));
    arguments.extend(["--no-cache-dir", "--disable-pip-version-check"].map(OsString::from));
    arguments
        .extend(["--ignore-installed", "--no-warn-script-location", "--quiet"].map(OsString::from));
    // By name from a folder: by path, pip would write the private path into the installed package.
    arguments.extend([
        "--find-links".into(),
        folder.into(),
        requirement.exact().into(),
    ]);
    Program::in_venv(venv)
        .and_then(|python| python.run(arguments))
        .map_err(failed)?;
    if requirement.is_in(venv) {
        Ok(true)
    } else {
        Err(unfit("pip did not put it into the environment"))
    }
}

/// How pip is called: the wheel that `python3-venv` brings, or else the module of `python3-pip`.
fn pip() -> Vec<OsString> {
    let wheels = fs::read_dir("/usr/share/python-wheels")
        .into_iter()
        .flatten()
        .flatten();
    let wheel = wheels.map(|entry| entry.path()).find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("pip-") && name.ends_with(".whl")
    });
    match wheel {
        Some(wheel) => vec![wheel.join("pip").into()],
        None => vec!["-m".into(), "pip".into()],
    }
}

/// Name and version of a wheel, from its file name (PEP 427).
#[derive(Debug, Eq, PartialEq)]
struct Requirement {
    name: String,
    version: String,
}

impl Requirement {
    fn of(file: &str) -> Option<Self> {
        let parts: Vec<_> = file.strip_suffix(".whl")?.split('-').collect();
        let [name, version, .., _python, _abi, _platform] = parts.as_slice() else {
            return None;
        };
        let word = |text: &str, others: &[u8]| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || others.contains(&b))
        };
        let is_plain = parts.len() <= 6 && word(name, b"_.") && word(version, b"_.!+");
        is_plain.then(|| Self {
            name: (*name).to_owned(),
            version: (*version).to_owned(),
        })
    }

    fn exact(&self) -> String {
        format!("{}=={}", self.name, self.version)
    }

    /// Says whether an environment has it.
    fn is_in(&self, venv: &Path) -> bool {
        let pythons = fs::read_dir(venv.join("lib"))
            .into_iter()
            .flatten()
            .flatten();
        let folder = |python: PathBuf| python.join("site-packages");
        let wanted = format!("{}-{}.dist-info", self.name, self.version);
        pythons
            .map(|entry| folder(entry.path()))
            .any(|packages| packages.join(&wanted).is_dir())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wheel_names_tell_name_and_version() {
        let six = Requirement::of("six-1.16.0-py2.py3-none-any.whl").unwrap();
        assert_eq!(six.exact(), "six==1.16.0");
        assert_eq!(
            Requirement::of("a_b-1.0+cpu-2-cp311-cp311-linux_x86_64.whl")
                .unwrap()
                .exact(),
            "a_b==1.0+cpu"
        );
        for bad in [
            "six.whl",
            "six-1.whl",
            "six-1.0-py3-none-any.zip",
            "--index-url=x-1-a-b-c.whl",
            "a-1 ;-p-n-a.whl",
        ] {
            assert_eq!(Requirement::of(bad), None, "{bad}");
        }
    }
}
