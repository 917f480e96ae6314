//! The programs that imagebuild may run: a closed list, each by absolute path, with a clean environment,
//! a deadline and a cap on what it may say.

mod call;
mod run;

use std::path::{Path, PathBuf};

pub use call::{Call, Output};
pub use run::Running;

/// A program that imagebuild may run.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Tool {
    /// Downloads packages.
    AptGet,
    /// Tells how the host's apt is set up.
    AptConfig,
    /// Describes packages.
    AptCache,
    /// Scans for malware.
    Clamscan,
    /// Reads package files.
    DpkgDeb,
    /// Tunes and checks file systems from outside.
    E2fsck,
    /// Copies files into a FAT file system.
    Mcopy,
    /// Makes an ext4 file system out of a folder.
    Mke2fs,
    /// Makes a FAT file system.
    MkfsVfat,
    /// Makes folders inside a FAT file system.
    Mmd,
    /// Installs Debian into a folder.
    Mmdebstrap,
    /// Runs builds.
    Packer,
    /// Converts disks.
    QemuImg,
    /// Runs machines.
    QemuSystem,
    /// Writes partition tables.
    Sfdisk,
    /// Makes keys.
    SshKeygen,
}

impl Tool {
    /// Every tool.
    pub const ALL: [Self; 16] = [
        Self::AptGet,
        Self::AptConfig,
        Self::AptCache,
        Self::Clamscan,
        Self::DpkgDeb,
        Self::E2fsck,
        Self::Mcopy,
        Self::Mke2fs,
        Self::MkfsVfat,
        Self::Mmd,
        Self::Mmdebstrap,
        Self::Packer,
        Self::QemuImg,
        Self::QemuSystem,
        Self::Sfdisk,
        Self::SshKeygen,
    ];

    /// What the program is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AptGet => "apt-get",
            Self::AptConfig => "apt-config",
            Self::AptCache => "apt-cache",
            Self::Clamscan => "clamscan",
            Self::DpkgDeb => "dpkg-deb",
            Self::E2fsck => "e2fsck",
            Self::Mcopy => "mcopy",
            Self::Mke2fs => "mke2fs",
            Self::MkfsVfat => "mkfs.vfat",
            Self::Mmd => "mmd",
            Self::Mmdebstrap => "mmdebstrap",
            Self::Packer => "packer",
            Self::QemuImg => "qemu-img",
            Self::QemuSystem => "qemu-system-x86_64",
            Self::Sfdisk => "sfdisk",
            Self::SshKeygen => "ssh-keygen",
        }
    }

    /// The Debian package that has it.
    pub const fn package(self) -> &'static str {
        match self {
            Self::AptGet | Self::AptConfig | Self::AptCache => "apt",
            Self::Clamscan => "clamav",
            Self::DpkgDeb => "dpkg",
            Self::E2fsck | Self::Mke2fs => "e2fsprogs",
            Self::Mcopy | Self::Mmd => "mtools",
            Self::MkfsVfat => "dosfstools",
            Self::Mmdebstrap => "mmdebstrap",
            Self::Packer => "packer",
            Self::QemuImg => "qemu-utils",
            Self::QemuSystem => "qemu-system-x86",
            Self::Sfdisk => "fdisk",
            Self::SshKeygen => "openssh-client",
        }
    }

    /// Where it is on this host, if it is.
    pub fn path(self) -> Option<PathBuf> {
        FOLDERS
            .iter()
            .map(|folder| PathBuf::from(folder).join(self.name()))
            .find(|path| path.is_file())
    }

    /// Where it is on this host; an error that names its package when it is not.
    pub fn require(self) -> Result<PathBuf, Error> {
        self.path().ok_or(Error::Missing { tool: self })
    }

    /// Begins a call of the program.
    pub fn call(self) -> Call {
        Call::new(self)
    }
}

/// Where programs are looked for. `PATH` belongs to the caller, and the caller may be anybody.
const FOLDERS: [&str; 5] = ["/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/bin"];

/// Why a program did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The work was to end.
    #[error("`{}` was cancelled", tool.name())]
    Cancelled {
        /// The program.
        tool: Tool,
    },
    /// It said no.
    #[error("`{}` failed with {status}{}", tool.name(), said(message))]
    Failed {
        /// The program.
        tool: Tool,
        /// How it ended.
        status: std::process::ExitStatus,
        /// The end of what it wrote to standard error.
        message: String,
    },
    /// The host does not have it.
    #[error("`{}` is not installed", tool.name())]
    Missing {
        /// The program.
        tool: Tool,
    },
    /// It ran longer than it may.
    #[error("`{}` did not end within {} s", tool.name(), after.as_secs())]
    Slow {
        /// The program.
        tool: Tool,
        /// What it was allowed.
        after: std::time::Duration,
    },
    /// It could not be started, or its output could not be read.
    #[error("failed to run `{}`", tool.name())]
    Run {
        /// The program.
        tool: Tool,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Error {
    /// What the reader can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { tool } => Some(format!("install package `{}`", tool.package())),
            _ => None,
        }
    }

    /// Takes over what a failed program wrote to the log it was given instead of to us.
    #[must_use]
    pub fn with_log(self, log: &Path) -> Self {
        match (self, std::fs::read(log)) {
            (Self::Failed { tool, status, .. }, Ok(bytes)) => Self::Failed {
                tool,
                status,
                message: call::tail(&bytes),
            },
            (error, _) => error,
        }
    }

    /// Says whether the work ended because it was to end.
    pub const fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled { .. })
    }
}

fn said(message: &str) -> String {
    let message = message.trim();
    if message.is_empty() {
        String::new()
    } else {
        format!(":\n{message}")
    }
}
