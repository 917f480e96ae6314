//! A machine that is a folder, and the program run on it.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// An unpacked image.
#[derive(Debug)]
pub(crate) struct Machine {
    folder: TempDir,
}

/// What a run of the program came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Machine {
    /// A machine without anything.
    pub(crate) fn empty() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
        }
    }

    /// A small Debian with a policy.
    pub(crate) fn with_policy(policy: &str) -> Self {
        let machine = Self::empty();
        machine.put(
            "etc/os-release",
            "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n",
        );
        machine.put("etc/hostname", "research-1\n");
        machine.put("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n");
        machine.put("etc/group", "root:x:0:\nresearchers:x:1001:\n");
        machine.put("etc/dsvm-agent/policy.toml", policy);
        machine
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Writes a file, and the folders above it.
    pub(crate) fn put(&self, path: &str, contents: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, contents).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    }

    pub(crate) fn text(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// Runs the program on this machine and gives back what it said, with the machine's folder called ROOT.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        self.run_plain(&[arguments, &["--root", "ROOT"]].concat())
    }

    /// Runs the program with just these arguments.
    pub(crate) fn run_plain(&self, arguments: &[&str]) -> Outcome {
        let root = self.folder.path().to_str().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_dsvm-agent"))
            .args(
                arguments
                    .iter()
                    .map(|argument| argument.replace("ROOT", root)),
            )
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(root, "ROOT");
        Outcome {
            code: output
                .status
                .code()
                .expect("the program is not ended by a signal"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Everything on the machine: contents, and permission bits.
    pub(crate) fn everything(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let mut found = BTreeMap::new();
        walk(self.folder.path(), &mut found);
        found
    }
}

fn walk(folder: &Path, found: &mut BTreeMap<PathBuf, (u32, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        let contents = if metadata.is_file() {
            fs::read(&path).unwrap()
        } else {
            Vec::new()
        };
        if metadata.is_dir() {
            walk(&path, found);
        }
        found.insert(path, (metadata.permissions().mode(), contents));
    }
}

/// A policy with these controls.
pub(crate) fn policy(controls: &str) -> String {
    format!("schema = 1\nname = \"lab\"\n{controls}")
}

/// A control in TOML.
pub(crate) fn control(id: &str, title: &str, check: &str) -> String {
    format!(
        "[[control]]\nid = \"{id}\"\ntitle = \"{title}\"\nseverity = \"high\"\nrationale = \"Because.\"\n{check}\n"
    )
}
