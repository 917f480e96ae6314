//! The host: what can be read of it, and what can be changed.
//!
//! Code that audits is handed `Inspect` only, so that it cannot alter. Paths are absolute and stay under
//! the root folder, whatever links say.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use policies::names::{Mode, SysctlKey, UnitName};

/// A host in memory, for tests.
#[cfg(any(test, feature = "test-util"))]
pub mod fake;
/// The machine itself, or an unpacked image.
pub mod live;
/// Programs that the agent may run.
pub mod tool;

/// The most that is read of a file.
pub const MOST_BYTES: usize = 16 << 20;
/// The most entries that are read of a folder.
pub const MOST_ENTRIES: usize = 65_536;

/// Reading a host.
pub trait Inspect {
    /// Says whether the root folder is that of the running system.
    fn is_running(&self) -> bool;

    /// Reads a regular file, following links inside the root; none when it is not there.
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, HostError>;

    /// Looks at what is at a path, not following a link in its last part; none when nothing is there.
    fn stat(&self, path: &str) -> Result<Option<Stat>, HostError>;

    /// The names in a folder, sorted; none when it is not there.
    fn list(&self, folder: &str) -> Result<Option<Vec<String>>, HostError>;

    /// Where a symbolic link points to; none when nothing is there, an error when it is no link.
    fn read_link(&self, path: &str) -> Result<Option<String>, HostError>;

    /// Asks a program of the running machine.
    fn ask(&self, question: &Question) -> Result<tool::Answer, HostError>;

    /// Reads a text file; none when it is not there.
    fn text(&self, path: &str) -> Result<Option<String>, HostError> {
        let Some(bytes) = self.read(path)? else {
            return Ok(None);
        };
        let text = String::from_utf8(bytes);
        text.map(Some).map_err(|source| HostError::NotText {
            path: path.to_owned(),
            source,
        })
    }
}

/// Changing a host.
pub trait Alter: Inspect {
    /// Writes a file as a whole: readers see the old one or the new one. An old file keeps its owner and
    /// mode; a new one belongs to root and has this mode. Folders that are missing are made. A link in the
    /// last part of the path is refused.
    fn write(&mut self, path: &str, contents: &[u8], mode: Mode) -> Result<(), HostError>;

    /// Removes a file or a link.
    fn remove(&mut self, path: &str) -> Result<(), HostError>;

    /// Makes a symbolic link, in place of a file or link that is there.
    fn link(&mut self, path: &str, target: &str) -> Result<(), HostError>;

    /// Sets the permission bits of a file or folder, never of what a link points to.
    fn set_mode(&mut self, path: &str, mode: Mode) -> Result<(), HostError>;

    /// Sets owner and group of a file or folder, or of a link itself.
    fn set_owner(&mut self, path: &str, owner: u32, group: u32) -> Result<(), HostError>;

    /// Sets a parameter of the running kernel.
    fn set_sysctl(&mut self, key: &SysctlKey, value: &str) -> Result<(), HostError>;

    /// Has a program of the running machine do something.
    fn order(&mut self, order: &Order) -> Result<(), HostError>;
}

/// What is at a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stat {
    /// What it is.
    pub kind: Kind,
    /// Its permission bits.
    pub mode: Mode,
    /// Its owner's number.
    pub uid: u32,
    /// Its group's number.
    pub gid: u32,
    /// Its size in bytes.
    pub size: u64,
}

/// The kinds of things at a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A device, a pipe or a socket.
    Other,
}

/// What a program can be asked. The list is closed, and no answer changes anything.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Question {
    /// What is in the agent's own table of the packet filter?
    Firewall,
    /// Would the packet filter take these rules?
    FirewallTakes(String),
    /// Which options does the SSH daemon use for a login of this account?
    Sshd(String),
    /// Would the SSH daemon take this text as its configuration?
    SshdTakes(String),
    /// Does the SSH daemon take its configuration as it stands?
    SshdStarts,
    /// Would `sudo` take this text?
    SudoersTakes(String),
    /// What are these units doing?
    Units(Vec<UnitName>),
}

/// What a program can be told to do. The list is closed.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Order {
    /// Start a unit at every boot.
    Enable(UnitName),
    /// Start a unit at no boot.
    Disable(UnitName),
    /// Refuse to start a unit, whoever asks.
    Mask(UnitName),
    /// Allow a unit to be started again.
    Unmask(UnitName),
    /// Start a unit now.
    Start(UnitName),
    /// Stop a unit now.
    Stop(UnitName),
    /// Have a unit read its files anew.
    Reload(UnitName),
    /// Have the service manager read its units anew.
    ReloadUnits,
    /// Load the packet filter's rules from their file.
    LoadFirewall,
    /// Add options to a mount.
    Remount {
        /// Where it is mounted.
        path: String,
        /// The options, separated by commas.
        options: String,
    },
    /// Unload a kernel module.
    UnloadModule(String),
}

/// What stood in the way of reading or changing the host.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The operating system says no.
    #[error("failed to {deed} `{path}`")]
    Io {
        /// What was tried.
        deed: &'static str,
        /// On what.
        path: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// A file that is about to be replaced is a link: what it points to belongs to somebody else.
    #[error("`{path}` is a symbolic link")]
    IsLink {
        /// The link.
        path: String,
    },
    /// A folder, a pipe or a device where a file should be.
    #[error("`{path}` is not a regular file")]
    NotRegular {
        /// The path.
        path: String,
    },
    /// A program of the running machine was needed, and there is no running machine.
    #[error("`{}` is not the running system", root.display())]
    NotRunning {
        /// The root folder.
        root: PathBuf,
    },
    /// A file that should be text is not.
    #[error("`{path}` is not text")]
    NotText {
        /// The file.
        path: String,
        /// Where it stops being text.
        source: std::string::FromUtf8Error,
    },
    /// A name that is not text.
    #[error("the name {} in `{folder}` is not text", name.display())]
    OddName {
        /// The folder.
        folder: String,
        /// The name.
        name: OsString,
    },
    /// A program did not do what was asked.
    #[error(transparent)]
    Tool(#[from] tool::Error),
    /// More than anybody would write by hand.
    #[error("`{path}` is larger than {MOST_BYTES} bytes or has more than {MOST_ENTRIES} entries")]
    TooLarge {
        /// The file or folder.
        path: String,
    },
}

impl HostError {
    /// The error and its causes in one line.
    #[must_use]
    pub fn chain(&self) -> String {
        chain(self)
    }

    /// Says whether a program is simply not installed.
    #[must_use]
    pub const fn is_missing_tool(&self) -> bool {
        matches!(self, Self::Tool(tool::Error::Missing { .. }))
    }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    line
}
