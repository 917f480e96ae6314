//! The local engine: a real `packer build` of a QEMU machine over the base disk.

mod access;
mod stream;
mod template;

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::ChildStdout,
    sync::mpsc,
    thread,
    time::Duration,
};

use nix::sys::signal::Signal;

use crate::{
    cancel::Cancel,
    progress::Progress,
    qemu::{self, Accelerator},
    tool::{self, Call, Tool},
};

/// One build.
#[derive(Clone, Debug)]
pub struct Job {
    /// The base disk (raw). It is only read.
    pub base: PathBuf,
    /// The agent's Debian package.
    pub agent_deb: PathBuf,
    /// Folder that becomes `/etc/dsvm-agent`.
    pub policy_dir: PathBuf,
    /// Folder with `manifest.json` and the staged binaries it names.
    pub staged: PathBuf,
    /// The recipe's own provisioning scripts, in order.
    pub scripts: Vec<PathBuf>,
    /// Bytes of memory of the build machine.
    pub memory: u64,
    /// Processors of the build machine.
    pub cpus: u32,
    /// How QEMU runs the machine.
    pub accelerator: Accelerator,
    /// A folder for this build alone; the image ends up in it. What an earlier try left there is removed.
    pub work: PathBuf,
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Packer or a script said no.
    #[error("the build failed; the engine's last words:\n{message}")]
    Build {
        /// The last messages of error.
        message: String,
    },
    /// The work was to end.
    #[error("the build was cancelled")]
    Cancelled,
    /// A file cannot be read or written.
    #[error("failed to use `{path}`")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No UEFI firmware is installed.
    #[error("there is no UEFI firmware for QEMU")]
    NoFirmware,
    /// A program is missing or failed.
    #[error(transparent)]
    Tool(#[from] tool::Error),
}

impl Error {
    /// What the reader can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoFirmware => Some("install package `ovmf`".to_owned()),
            Self::Tool(error) => error.hint(),
            Self::Build { .. } | Self::Cancelled | Self::File { .. } => None,
        }
    }

    /// Says whether the work ended because it was to end.
    pub const fn is_cancelled(&self) -> bool {
        match self {
            Self::Cancelled => true,
            Self::Tool(error) => error.is_cancelled(),
            _ => false,
        }
    }

    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::File {
            path: path.to_owned(),
            source,
        }
    }
}

/// Runs the build. Returns the path of a qcow2 file inside the job's work folder.
///
/// The file is a layer over the job's base, which it needs until it is converted.
pub fn build(
    job: &Job,
    log: &Path,
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Result<PathBuf, Error> {
    // Packer looks for these only after it has done half the work.
    for tool in [
        Tool::Mke2fs,
        Tool::Packer,
        Tool::QemuImg,
        Tool::QemuSystem,
        Tool::SshKeygen,
    ] {
        tool.require()?;
    }
    let firmware = qemu::firmware().ok_or(Error::NoFirmware)?;
    let work = clean(&job.work)?;
    let scripts = template::write(&work.join("packer"), &job.scripts)?;
    let payload = access::payload(job, &work, cancel)?;
    let access = access::Access::new(&work, cancel)?;
    let output = work.join("output");
    let (serial, variables) = (work.join("serial.log"), work.join("job.pkrvars.hcl"));
    let path = |path: &Path| template::quoted(&path.to_string_lossy());
    let base = fs::canonicalize(&job.base).map_err(Error::file(&job.base))?;
    let size = fs::metadata(&base).map_err(Error::file(&job.base))?.len();
    let values = [
        ("base", path(&base)),
        ("disk_size", template::quoted(&format!("{}M", size >> 20))),
        ("payload", path(&payload)),
        ("output", path(&output)),
        ("ssh_key", path(&access.key)),
        ("smbios", path(&access.smbios)),
        ("firmware", path(&firmware)),
        ("serial", path(&serial)),
        ("accelerator", template::quoted(job.accelerator.accel())),
        ("cpu", template::quoted(job.accelerator.cpu())),
        ("cpus", template::quoted(&job.cpus.to_string())),
        ("memory", template::quoted(&(job.memory >> 20).to_string())),
        (
            "scripts",
            format!(
                "[{}]",
                scripts
                    .iter()
                    .map(|script| path(script))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        ),
    ];
    let lines: String = values
        .iter()
        .flat_map(|(name, value)| [*name, " = ", value, "\n"])
        .collect();
    template::text(&variables, &lines)?;
    let call = packer(&work)
        .args(["-machine-readable", "build", "-on-error=cleanup"])
        .arg(format!("-var-file={}", variables.display()))
        .arg(work.join("packer"));
    run(call, log, scripts.len(), progress, cancel)?;
    // The key opened this one machine, and the machine is gone.
    access.forget()?;
    Ok(output.join("image.qcow2"))
}

/// The digest of the template and of all provisioning scripts that [`build`] would use now.
pub fn digest() -> policies::digest::Digest {
    template::digest()
}

/// An empty work folder, as an absolute path without links, because Packer runs in another folder.
fn clean(work: &Path) -> Result<PathBuf, Error> {
    if work.exists() {
        fs::remove_dir_all(work).map_err(Error::file(work))?;
    }
    fs::create_dir_all(work).map_err(Error::file(work))?;
    fs::canonicalize(work).map_err(Error::file(work))
}

/// A call of Packer that keeps to its work folder and asks nobody on the network.
fn packer(work: &Path) -> Call {
    Tool::Packer
        .call()
        .env("HOME", work)
        .env("TMPDIR", work)
        .env("PACKER_CACHE_DIR", work.join("cache"))
        .env("PACKER_CONFIG_DIR", work)
        .env("PACKER_NO_COLOR", "1")
        .env("CHECKPOINT_DISABLE", "1")
        .folder(work)
        .deadline(DEADLINE)
        // Packer ignores SIGTERM in parts of it; SIGINT to all of its processes makes it clean up.
        .ends_by(Signal::SIGINT)
}

/// Runs Packer, writes what it says for people to the log, and tells the progress.
fn run(
    call: Call,
    log: &Path,
    steps: usize,
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Result<(), Error> {
    let file = File::create(log).map_err(Error::file(log))?;
    let mut story = stream::Story::new(file, steps);
    let mut running = call.start()?;
    let stdout = running.child().stdout.take().map(lines);
    let stderr = running.child().stderr.take().map(|mut pipe| {
        thread::spawn(move || {
            let mut text = Vec::new();
            // What Packer says there only matters when it says nothing else.
            let _read = pipe.by_ref().take(1 << 20).read_to_end(&mut text);
            let _rest = io::copy(&mut pipe, &mut io::sink());
            text
        })
    });
    let mut failed = Ok(());
    let mut listen = || {
        for line in stdout.iter().flat_map(mpsc::Receiver::try_iter) {
            if let Err(source) = story.hear(&line, progress) {
                failed = Err(Error::File {
                    path: log.to_owned(),
                    source,
                });
            }
        }
    };
    let ended = running.wait_watched(cancel, &mut listen);
    drop(running);
    thread::sleep(Duration::from_millis(50));
    listen();
    failed?;
    if ended?.success() {
        return Ok(());
    }
    let stderr = stderr
        .and_then(|reader| reader.join().ok())
        .unwrap_or_default();
    Err(Error::Build {
        message: story.complaint(&String::from_utf8_lossy(&stderr)),
    })
}

fn lines(pipe: ChildStdout) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            if sender
                .send(String::from_utf8_lossy(&line).into_owned())
                .is_err()
            {
                break;
            }
        }
    });
    receiver
}

/// How long a build may take at most.
const DEADLINE: Duration = Duration::from_hours(2);
