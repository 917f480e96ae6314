//! A maintainer's desk: a folder with a recipe, a policy, a binary and the agent's package.

use std::{
    ffi::OsStr,
    fmt, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

/// What a run of `imagebuild` said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "exit {}\n--- out\n{}\n--- err\n{}",
            self.code, self.out, self.err
        )
    }
}

impl Said {
    /// Fails unless the run ended so and said all of that.
    #[track_caller]
    pub(crate) fn is(&self, code: i32, said: &[&str]) -> &Self {
        assert_eq!(self.code, code, "{self}");
        for words in said {
            assert!(
                self.out.contains(words) || self.err.contains(words),
                "not said: {words}\n{self}"
            );
        }
        self
    }
}

pub(crate) struct Desk {
    folder: TempDir,
}

pub(crate) const RECIPE: &str = r#"schema = 1
name = "desk"
version = "1.0.0"
policy = "policy.toml"

[base]
kind = "debian"
suite = "bookworm"
disk-size = "2GiB"

[import]
kind = "directory"
scan = "off"

[[binary]]
name = "tool"
source = "in coming/tool 1.bin"
install = { file = { path = "/usr/local/bin/tool", mode = "0755" } }
"#;

const POLICY: &str = r#"schema = 1
name = "desk"

[[control]]
id = "KRN-004"
title = "Kernel pointers are hidden"
severity = "medium"
rationale = "Leaked addresses defeat address-space randomisation."
check.sysctl = { key = "kernel.kptr_restrict", at-least = 2 }
"#;

impl Desk {
    pub(crate) fn new() -> Self {
        let desk = Self {
            folder: tempfile::Builder::new().prefix("desk-").tempdir().unwrap(),
        };
        desk.write("desk.toml", RECIPE);
        desk.write("policy.toml", POLICY);
        desk.write("in coming/tool 1.bin", "a tool");
        desk.agent();
        desk
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Replaces a part of the recipe.
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let recipe = fs::read_to_string(self.path("desk.toml")).unwrap();
        assert!(recipe.contains(from), "{from}");
        self.write("desk.toml", recipe.replace(from, to));
    }

    /// Runs `imagebuild` in the folder.
    pub(crate) fn run(&self, words: &[&str]) -> Said {
        said(&mut self.command(env!("CARGO_BIN_EXE_imagebuild"), words))
    }

    /// A program in the folder, with the folder's key and cache.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>, words: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(words)
            .current_dir(self.folder())
            .env("IMAGEBUILD_AGENT", self.path("agent.deb"))
            .env("IMAGEBUILD_KEY", self.path("signing.pem"))
            .env("IMAGEBUILD_CACHE", self.path("cache"))
            .stdin(Stdio::null());
        command
    }

    /// The only file of the secure folder whose name ends so.
    pub(crate) fn secured(&self, end: &str) -> PathBuf {
        let mut found = self.all_secured();
        found.retain(|path| path.to_str().unwrap().ends_with(end));
        if !end.contains("receipt") {
            found.retain(|path| !path.to_str().unwrap().contains("receipt"));
        }
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    /// The files of the secure folder.
    pub(crate) fn all_secured(&self) -> Vec<PathBuf> {
        let Ok(prefixes) = fs::read_dir(self.path("secure")) else {
            return Vec::new();
        };
        let folders = prefixes
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir());
        let mut files: Vec<_> = folders
            .flat_map(|folder| {
                fs::read_dir(folder)
                    .unwrap()
                    .map(|entry| entry.unwrap().path())
            })
            .collect();
        files.sort();
        files
    }

    /// A package with what imagebuild looks for in the agent's.
    fn agent(&self) {
        self.write(
            "deb/DEBIAN/control",
            "Package: dsvm-agent\nVersion: 0.1.0\nArchitecture: all\nMaintainer: a <a@example.org>\n\
             Description: stand-in\n",
        );
        self.write("deb/usr/bin/dsvm-agent", "the agent");
        let built = Command::new("dpkg-deb")
            .args(["--root-owner-group", "--build", "deb", "agent.deb"])
            .current_dir(self.folder())
            .output()
            .unwrap();
        assert!(built.status.success(), "{built:?}");
    }
}

pub(crate) fn said(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Flips one bit in the middle of a file, whatever its mode.
pub(crate) fn flip(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).unwrap().permissions();
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, mode).unwrap();
}
