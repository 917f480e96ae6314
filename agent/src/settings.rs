//! Finds the policy, and reads only what can be trusted.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use policies::load;
use policies::policy::Policy;

use crate::cli::Target;
use crate::exit::Failure;
use crate::files;
use crate::host::chain;

/// Where the policy stands, below the root folder.
const POLICY: &str = "etc/dsvm-agent/policy.toml";
/// Where the shipped policies stand, below the root folder; `baseline/…` is looked up here.
const SHIPPED: &str = "usr/share/dsvm-agent";

/// Where the policy and what it extends are looked up.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    root: PathBuf,
    file: PathBuf,
    /// Whether only files are read that nobody but root can change.
    is_strict: bool,
}

/// A policy, and the texts that it was made from, in the order in which they were put together.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) policy: Policy,
    pub(crate) layers: Vec<Layer>,
}

/// One text that a policy was made from.
#[derive(Debug)]
pub(crate) struct Layer {
    /// The file.
    pub(crate) path: PathBuf,
    /// What it says.
    pub(crate) text: String,
}

/// A policy that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file that cannot be read or trusted.
    #[error("failed to read the policy")]
    File(#[from] files::Error),
    /// A text that is not a policy.
    #[error(transparent)]
    Invalid(#[from] load::Error),
    /// A file that is not text.
    #[error("policy `{path}` is not UTF-8 text")]
    NotText {
        path: PathBuf,
        source: std::str::Utf8Error,
    },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let hint = match &error {
            Error::File(error) if error.is_missing() => Some(
                "name a policy with `--policy FILE`, or write /etc/dsvm-agent/policy.toml"
                    .to_owned(),
            ),
            Error::File(files::Error::Untrusted { path, .. }) => {
                Some(format!("chown root {0} and chmod go-w {0}", path.display()))
            }
            Error::File(_) | Error::NotText { .. } => None,
            Error::Invalid(error) => error.hint().map(str::to_owned),
        };
        let failure = match &error {
            Error::File(files::Error::Io { .. }) if hint.is_none() => Self::unable(error),
            _ => Self::bad_input(error),
        };
        Self { hint, ..failure }
    }
}

impl Settings {
    /// The policy of the machine that a command is about.
    pub(crate) fn of(target: &Target) -> Self {
        let file = target
            .policy
            .clone()
            .unwrap_or_else(|| target.root.join(POLICY));
        // An unpacked image belongs to whoever unpacked it; a running machine obeys root alone.
        let is_strict = target.root == Path::new("/") && nix::unistd::geteuid().is_root();
        Self {
            root: target.root.clone(),
            file,
            is_strict,
        }
    }

    /// A policy that is only looked at, wherever it comes from.
    pub(crate) fn of_draft(file: &Path, root: &Path) -> Self {
        Self {
            root: root.to_path_buf(),
            file: file.to_path_buf(),
            is_strict: false,
        }
    }

    /// Folders in which a change can change the policy.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        let beside = self.file.parent().unwrap_or(Path::new("."));
        vec![
            beside.to_path_buf(),
            beside.join(FRAGMENTS),
            self.root.join(SHIPPED).join("baseline"),
        ]
    }

    /// Reads the policy, its fragments, and everything that it extends.
    pub(crate) fn load(&self) -> Result<Loaded, Error> {
        let text = self.text(&self.file)?;
        let fragments = self.fragments()?;
        let extended = RefCell::new(Vec::new());
        let resolve = |name: &str| {
            let layer = self.resolve(name).map_err(|error| chain(&error))?;
            let text = layer.text.clone();
            extended.borrow_mut().push(layer);
            Ok(text)
        };
        let name = self.file.display().to_string();
        let policy = load::load(&name, &text, &fragments, &resolve)?;
        let mut layers = extended.into_inner();
        layers.push(Layer {
            path: self.file.clone(),
            text,
        });
        layers.extend(fragments.into_iter().map(|(path, text)| Layer {
            path: path.into(),
            text,
        }));
        Ok(Loaded { policy, layers })
    }

    /// The fragments beside the policy, in the order of their names.
    fn fragments(&self) -> Result<Vec<(String, String)>, Error> {
        let folder = self.file.parent().unwrap_or(Path::new(".")).join(FRAGMENTS);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(files::Error::io("list", &folder)(error).into()),
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(files::Error::io("list", &folder))?.path();
            let is_hidden = path
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if path
                .extension()
                .is_some_and(|extension| extension == "toml")
                && !is_hidden
            {
                paths.push(path);
            }
        }
        paths.sort();
        let read = |path: &PathBuf| Ok((path.display().to_string(), self.text(path)?));
        paths.iter().map(read).collect()
    }

    /// Finds a policy that another one extends: `baseline/…` among the shipped ones, everything else, and
    /// a baseline that is not shipped, beside the policy.
    fn resolve(&self, name: &str) -> Result<Layer, Error> {
        let file = format!("{name}.toml");
        let shipped = self.root.join(SHIPPED).join(&file);
        let beside = self.file.parent().unwrap_or(Path::new(".")).join(&file);
        let path = if name.starts_with("baseline/") && shipped.exists() {
            shipped
        } else {
            beside
        };
        let text = self.text(&path)?;
        Ok(Layer { path, text })
    }

    fn text(&self, path: &Path) -> Result<String, Error> {
        let real = if self.is_strict {
            files::trusted(path)?
        } else {
            self.inside(path)?
        };
        let most = u64::try_from(load::MOST_BYTES).unwrap_or(u64::MAX);
        let bytes = files::read(&real, most)?;
        String::from_utf8(bytes).map_err(|error| Error::NotText {
            path: path.into(),
            source: error.utf8_error(),
        })
    }

    /// Follows links, but not out of an unpacked image: its links speak of its own root, not of this machine's.
    fn inside(&self, path: &Path) -> Result<PathBuf, files::Error> {
        let real = fs::canonicalize(path).map_err(files::Error::io("find", path))?;
        let root = fs::canonicalize(&self.root).map_err(files::Error::io("find", &self.root))?;
        if path.starts_with(&self.root) && !real.starts_with(&root) {
            let why = format!("leads out of `{}`", self.root.display());
            return Err(files::Error::Untrusted {
                path: path.into(),
                why,
            });
        }
        Ok(real)
    }
}

/// Where fragments stand, beside the policy.
const FRAGMENTS: &str = "policy.d";

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "tests set machines up as they like"
)]
mod tests {
    use super::*;

    fn settings(root: &Path) -> Settings {
        Settings::of(&Target {
            root: root.to_path_buf(),
            policy: None,
        })
    }

    fn put(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    const CONTROL: &str = "[[control]]\nid = \"KRN-1\"\ntitle = \"t\"\nseverity = \"low\"\nrationale = \"r\"\ncheck.sysctl = { key = \"kernel.x\", equals = \"1\" }\n";

    #[test]
    fn shipped_baseline_is_found_under_the_root_and_fragments_come_last() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        put(
            root,
            "usr/share/dsvm-agent/baseline/b.toml",
            &format!("schema = 1\nname = \"b\"\n{CONTROL}"),
        );
        put(
            root,
            POLICY,
            "schema = 1\nname = \"p\"\nextends = [\"baseline/b\"]\n",
        );
        put(
            root,
            "etc/dsvm-agent/policy.d/20.toml",
            &format!("schema = 1\n{}", CONTROL.replace("KRN-1", "KRN-2")),
        );
        put(root, "etc/dsvm-agent/policy.d/.hidden.toml", "not a policy");
        put(root, "etc/dsvm-agent/policy.d/README", "not a policy");

        let loaded = settings(root).load().unwrap();

        let ids: Vec<_> = loaded
            .policy
            .controls
            .iter()
            .map(|control| control.id.as_str())
            .collect();
        assert_eq!(ids, ["KRN-1", "KRN-2"]);
        let names: Vec<_> = loaded
            .layers
            .iter()
            .map(|layer| layer.path.file_name().unwrap())
            .collect();
        assert_eq!(names, ["b.toml", "policy.toml", "20.toml"]);
    }

    #[test]
    fn link_out_of_an_image_is_refused() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("etc/dsvm-agent")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", root.path().join(POLICY)).unwrap();
        let Err(Error::File(files::Error::Untrusted { .. })) = settings(root.path()).load() else {
            panic!("read");
        };
    }

    #[test]
    fn missing_policy_is_bad_input_with_a_hint() {
        let root = tempfile::tempdir().unwrap();
        let failure = Failure::from(settings(root.path()).load().unwrap_err());
        assert_eq!(failure.exit, crate::exit::Exit::BadInput);
        assert!(failure.hint.is_some());
    }
}
