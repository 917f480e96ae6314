//! A maintainer in a folder of their own, with the programs as they are shipped.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tests::repository::top;

/// What a run of `imagebuild` said.
pub struct Said {
    pub code: i32,
    text: String,
}

impl Said {
    /// Everything it printed.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {}:\n{}", self.code, self.text)
    }
}

/// A maintainer with the example's recipe and binaries.
pub struct Maintainer {
    folder: TempDir,
}

impl Maintainer {
    /// Copies the example, with its binaries fetched, into a new folder.
    pub fn with_example() -> Self {
        let fetched = Command::new(top().join("images/fetch-example-binaries.sh"))
            .status()
            .unwrap();
        assert!(
            fetched.success(),
            "the example's binaries cannot be fetched"
        );
        let folder = tempfile::Builder::new()
            .prefix("end-to-end-")
            .tempdir_in(scratch())
            .unwrap();
        let copied = Command::new("cp")
            .args(["--recursive", "--no-target-directory"])
            .arg(top().join("images"))
            .arg(folder.path())
            .status()
            .unwrap();
        assert!(copied.success());
        // What a demo on this machine left was signed with another key.
        for left in ["landing", "secure", "research-desktop.lock"] {
            let left = folder.path().join(left);
            let removed = Command::new("rm")
                .args(["-rf", "--"])
                .arg(left)
                .status()
                .unwrap();
            assert!(removed.success());
        }
        Self { folder }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.folder().join(name), text).unwrap();
    }

    /// Runs `imagebuild` to its end.
    pub fn run(&self, words: &[&str]) -> Said {
        eprintln!("end to end: imagebuild {}", words.join(" "));
        let began = Instant::now();
        let said = self.start(words).end();
        eprintln!(
            "end to end: exit {} after {:.1?}",
            said.code,
            began.elapsed()
        );
        said
    }

    /// Starts `imagebuild`.
    pub fn start(&self, words: &[&str]) -> Running {
        let log = tempfile::tempfile_in(self.folder()).unwrap();
        let child = Command::new(imagebuild())
            .args(words)
            .current_dir(self.folder())
            .env("IMAGEBUILD_AGENT", package())
            .env("IMAGEBUILD_KEY", self.folder().join("signing.pem"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log.try_clone().unwrap())
            .spawn()
            .unwrap();
        Running { child, log }
    }

    /// Command lines of the processes that speak of this maintainer's folder.
    pub fn processes(&self) -> Vec<String> {
        let folder = self.folder().to_string_lossy().into_owned();
        command_lines()
            .into_iter()
            .filter(|line| line.contains(&folder))
            .collect()
    }
}

/// A run that has not ended.
pub struct Running {
    child: Child,
    log: File,
}

impl Running {
    /// Waits until a program of that name runs in this folder; says whether it did.
    pub fn wait_for_child(&mut self, program: &str, longest: Duration) -> bool {
        let until = Instant::now() + longest;
        while Instant::now() < until && self.child.try_wait().unwrap().is_none() {
            if command_lines()
                .iter()
                .any(|line| line.contains(program) && line.contains("end-to-end-"))
            {
                return true;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        false
    }

    /// Presses Ctrl-C, and waits for the end.
    pub fn interrupt(mut self, longest: Duration) -> Said {
        let pressed = Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(pressed.success());
        let until = Instant::now() + longest;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "does not stop");
            std::thread::sleep(Duration::from_millis(100));
        }
        self.end()
    }

    fn end(mut self) -> Said {
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        let mut text = String::new();
        self.log.seek(SeekFrom::Start(0)).unwrap();
        self.log.read_to_string(&mut text).unwrap();
        Said { code, text }
    }
}

/// Flips the lowest bit of the byte in the middle of a file.
pub fn flip_one_bit(path: &Path) {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let middle = file.metadata().unwrap().len() / 2;
    let mut byte = [0];
    file.seek(SeekFrom::Start(middle)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(middle)).unwrap();
    file.write_all(&[byte[0] ^ 1]).unwrap();
}

fn command_lines() -> Vec<String> {
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .collect()
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| top().join("target"), PathBuf::from)
}

fn imagebuild() -> PathBuf {
    let built = target().join("release/imagebuild");
    assert!(built.exists(), "`make e2e` builds {}", built.display());
    built
}

fn package() -> PathBuf {
    let found =
        fs::read_dir(target().join("debian")).expect("`make deb` makes the agent's package");
    found
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "deb"))
        .expect("`make deb` makes the agent's package")
}

/// Images are large: they go where the build already writes, not into memory-backed `/tmp`.
fn scratch() -> PathBuf {
    let scratch = target().join("end-to-end");
    fs::create_dir_all(&scratch).unwrap();
    scratch
}
