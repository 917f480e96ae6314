//! The machine itself, or an unpacked image.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, OpenHow, ResolveFlag};
use nix::sys::stat::{FchmodatFlags, Mode as NixMode};
use nix::unistd::{Gid, Uid, UnlinkatFlags};
use policies::names::{Mode, SysctlKey};

use super::tool::{Answer, Call, Tool};
use super::{Alter, HostError, Inspect, Kind, MOST_BYTES, MOST_ENTRIES, Order, Question, Stat};

/// A machine under a root folder.
#[derive(Debug)]
pub struct Live {
    root: PathBuf,
    folder: OwnedFd,
}

impl Live {
    /// The machine under a root folder: `/` for the running one.
    pub fn at(root: &Path) -> Result<Self, HostError> {
        let failed = |source| HostError::Io {
            deed: "open",
            path: root.display().to_string(),
            source,
        };
        let root = fs::canonicalize(root).map_err(failed)?;
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let folder = nix::fcntl::open(&root, flags, NixMode::empty())
            .map_err(|errno| failed(errno.into()))?;
        Ok(Self { root, folder })
    }

    /// The root folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Opens a path under the root. Links are followed inside it only, and never those of `/proc` that
    /// lead to where no path leads.
    fn open(&self, path: &str, flags: OFlag) -> Result<OwnedFd, Errno> {
        let how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC | OFlag::O_NOCTTY | OFlag::O_NONBLOCK)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        // O_PATH goes with no flags but its own.
        let how = if flags.contains(OFlag::O_PATH) {
            how.flags(flags | OFlag::O_CLOEXEC)
        } else {
            how
        };
        nix::fcntl::openat2(&self.folder, path, how)
    }

    /// Opens a path for what `deed` says; none when nothing is there.
    fn find(
        &self,
        deed: &'static str,
        path: &str,
        flags: OFlag,
    ) -> Result<Option<OwnedFd>, HostError> {
        match self.open(path, flags) {
            Ok(found) => Ok(Some(found)),
            Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
            Err(errno) => Err(failed(deed, path)(errno.into())),
        }
    }

    /// Opens the folder of a path for changing what is in it, and gives the last part of the path.
    fn parent<'a>(
        &self,
        deed: &'static str,
        path: &'a str,
        make: bool,
    ) -> Result<(OwnedFd, &'a str), HostError> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let folder = if folder.is_empty() { "/" } else { folder };
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        match self.open(folder, flags) {
            Ok(found) => Ok((found, name)),
            Err(Errno::ENOENT) if make => {
                let (above, last) = self.parent(deed, folder, true)?;
                let mode = NixMode::from_bits_truncate(0o755);
                match nix::sys::stat::mkdirat(&above, last, mode) {
                    Ok(()) | Err(Errno::EEXIST) => {}
                    Err(errno) => return Err(failed("make", folder)(errno.into())),
                }
                let found = self.open(folder, flags);
                Ok((
                    found.map_err(|errno| failed("open", folder)(errno.into()))?,
                    name,
                ))
            }
            Err(errno) => Err(failed(deed, path)(errno.into())),
        }
    }

    fn stat_at(&self, deed: &'static str, path: &str) -> Result<Option<Stat>, HostError> {
        let Some(found) = self.find(deed, path, OFlag::O_PATH | OFlag::O_NOFOLLOW)? else {
            return Ok(None);
        };
        let found = File::from(found).metadata().map_err(failed(deed, path))?;
        let kind = match found.file_type() {
            kind if kind.is_file() => Kind::File,
            kind if kind.is_dir() => Kind::Folder,
            kind if kind.is_symlink() => Kind::Link,
            _ => Kind::Other,
        };
        Ok(Some(Stat {
            kind,
            mode: Mode::from_bits(found.mode()),
            uid: found.uid(),
            gid: found.gid(),
            size: found.len(),
        }))
    }

    fn needs_running(&self) -> Result<(), HostError> {
        if self.is_running() {
            Ok(())
        } else {
            Err(HostError::NotRunning {
                root: self.root.clone(),
            })
        }
    }
}

fn failed(deed: &'static str, path: &str) -> impl FnOnce(io::Error) -> HostError {
    let path = path.to_owned();
    move |source| HostError::Io { deed, path, source }
}

impl Inspect for Live {
    fn is_running(&self) -> bool {
        self.root == Path::new("/")
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, HostError> {
        let Some(found) = self.find("read", path, OFlag::O_RDONLY)? else {
            return Ok(None);
        };
        let file = File::from(found);
        let is_file = file.metadata().map_err(failed("read", path))?.is_file();
        if !is_file {
            return Err(HostError::NotRegular {
                path: path.to_owned(),
            });
        }
        let most = u64::try_from(MOST_BYTES).unwrap_or(u64::MAX);
        let mut bytes = Vec::new();
        file.take(most.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(failed("read", path))?;
        if bytes.len() > MOST_BYTES {
            return Err(HostError::TooLarge {
                path: path.to_owned(),
            });
        }
        Ok(Some(bytes))
    }

    fn stat(&self, path: &str) -> Result<Option<Stat>, HostError> {
        self.stat_at("look at", path)
    }

    fn list(&self, folder: &str) -> Result<Option<Vec<String>>, HostError> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        let Some(found) = self.find("list", folder, flags)? else {
            return Ok(None);
        };
        let failed_here = |errno: Errno| failed("list", folder)(errno.into());
        let mut opened = nix::dir::Dir::from_fd(found).map_err(failed_here)?;
        let mut names = Vec::new();
        for entry in opened.iter() {
            let entry = entry.map_err(failed_here)?;
            let name = OsString::from_vec(entry.file_name().to_bytes().to_vec());
            let name = name.into_string().map_err(|name| HostError::OddName {
                folder: folder.to_owned(),
                name,
            })?;
            if name != "." && name != ".." {
                names.push(name);
            }
            if names.len() > MOST_ENTRIES {
                return Err(HostError::TooLarge {
                    path: folder.to_owned(),
                });
            }
        }
        names.sort();
        Ok(Some(names))
    }

    fn read_link(&self, path: &str) -> Result<Option<String>, HostError> {
        let Some(found) = self.find("read link", path, OFlag::O_PATH | OFlag::O_NOFOLLOW)? else {
            return Ok(None);
        };
        let target = nix::fcntl::readlinkat(&found, "")
            .map_err(|errno| failed("read link", path)(errno.into()))?;
        let target = target.into_string().map_err(|name| HostError::OddName {
            folder: path.to_owned(),
            name,
        })?;
        Ok(Some(target))
    }

    fn ask(&self, question: &Question) -> Result<Answer, HostError> {
        self.needs_running()?;
        Ok(question.call().run()?)
    }
}

impl Alter for Live {
    fn write(&mut self, path: &str, contents: &[u8], mode: Mode) -> Result<(), HostError> {
        let old = self.stat_at("write", path)?;
        match old.map(|old| old.kind) {
            Some(Kind::Link) => {
                return Err(HostError::IsLink {
                    path: path.to_owned(),
                });
            }
            Some(Kind::Folder | Kind::Other) => {
                return Err(HostError::NotRegular {
                    path: path.to_owned(),
                });
            }
            Some(Kind::File) | None => {}
        }
        let (folder, name) = self.parent("write", path, true)?;
        let partial = format!(".{name}.dsvm-agent-partial");
        let written = || -> io::Result<()> {
            remove_leftover(&folder, &partial)?;
            let flags = OFlag::O_WRONLY
                | OFlag::O_CREAT
                | OFlag::O_EXCL
                | OFlag::O_NOFOLLOW
                | OFlag::O_CLOEXEC;
            let created = nix::fcntl::openat(
                &folder,
                partial.as_str(),
                flags,
                NixMode::from_bits_truncate(0o600),
            )?;
            let mut file = File::from(created);
            file.write_all(contents)?;
            let (uid, gid) = old.map_or((0, 0), |old| (old.uid, old.gid));
            let now = file.metadata()?;
            if (now.uid(), now.gid()) != (uid, gid) {
                nix::unistd::fchown(&file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
            }
            let bits = old.map_or(mode, |old| old.mode).bits();
            nix::sys::stat::fchmod(&file, NixMode::from_bits_truncate(bits))?;
            file.sync_all()?;
            nix::fcntl::renameat(&folder, partial.as_str(), &folder, name)?;
            nix::unistd::fsync(&folder)?;
            Ok(())
        };
        let done = written();
        if done.is_err() && remove_leftover(&folder, &partial).is_err() {
            tracing::warn!(path, "could not remove the partial file");
        }
        done.map_err(failed("write", path))
    }

    fn remove(&mut self, path: &str) -> Result<(), HostError> {
        let (folder, name) = self.parent("remove", path, false)?;
        nix::unistd::unlinkat(&folder, name, UnlinkatFlags::NoRemoveDir)
            .and_then(|()| nix::unistd::fsync(&folder))
            .map_err(|errno| failed("remove", path)(errno.into()))
    }

    fn link(&mut self, path: &str, target: &str) -> Result<(), HostError> {
        let (folder, name) = self.parent("link", path, true)?;
        let partial = format!(".{name}.dsvm-agent-partial");
        let linked = || -> io::Result<()> {
            remove_leftover(&folder, &partial)?;
            nix::unistd::symlinkat(target, &folder, partial.as_str())?;
            nix::fcntl::renameat(&folder, partial.as_str(), &folder, name)?;
            nix::unistd::fsync(&folder)?;
            Ok(())
        };
        linked().map_err(failed("link", path))
    }

    fn set_mode(&mut self, path: &str, mode: Mode) -> Result<(), HostError> {
        let (folder, name) = self.parent("set mode of", path, false)?;
        if self.stat(path)?.is_some_and(|stat| stat.kind == Kind::Link) {
            return Err(HostError::IsLink {
                path: path.to_owned(),
            });
        }
        let bits = NixMode::from_bits_truncate(mode.bits());
        // The handle is of the thing itself, so that nobody can put a link in its place meanwhile.
        let held = nix::fcntl::openat(
            &folder,
            name,
            OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC,
            NixMode::empty(),
        );
        held.map_err(io::Error::from)
            .and_then(|held| change_mode(&held, bits))
            .map_err(failed("set mode of", path))
    }

    fn set_owner(&mut self, path: &str, owner: u32, group: u32) -> Result<(), HostError> {
        let (folder, name) = self.parent("set owner of", path, false)?;
        nix::unistd::fchownat(
            &folder,
            name,
            Some(Uid::from_raw(owner)),
            Some(Gid::from_raw(group)),
            AtFlags::AT_SYMLINK_NOFOLLOW,
        )
        .map_err(|errno| failed("set owner of", path)(errno.into()))
    }

    fn set_sysctl(&mut self, key: &SysctlKey, value: &str) -> Result<(), HostError> {
        self.needs_running()?;
        let path = format!("/proc/sys/{}", key.as_str().replace('.', "/"));
        let opened = self.open(&path, OFlag::O_WRONLY);
        let mut file = File::from(opened.map_err(|errno| failed("set", &path)(errno.into()))?);
        file.write_all(value.as_bytes())
            .map_err(failed("set", &path))
    }

    fn order(&mut self, order: &Order) -> Result<(), HostError> {
        self.needs_running()?;
        order.call().succeed()?;
        Ok(())
    }
}

/// Sets the mode of what a handle without rights stands for.
fn change_mode(held: &OwnedFd, bits: NixMode) -> io::Result<()> {
    use std::os::fd::AsRawFd as _;
    // fchmod(2) takes no O_PATH handle; its name under /proc is the documented way (open(2), O_PATH).
    let name = format!("/proc/self/fd/{}", held.as_raw_fd());
    nix::sys::stat::fchmodat(AT_FDCWD, name.as_str(), bits, FchmodatFlags::FollowSymlink)?;
    Ok(())
}

fn remove_leftover(folder: &OwnedFd, name: &str) -> io::Result<()> {
    match nix::unistd::unlinkat(folder.as_fd(), name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// How long stopping a unit may take; systemd itself gives up after 90 s.
const UNIT_DEADLINE: Duration = Duration::from_mins(2);

impl Question {
    fn call(&self) -> Call {
        match self {
            Self::Firewall => Call::new(
                Tool::Nft,
                ["--json", "--numeric", "list", "table", "inet", "dsvm_agent"],
            ),
            Self::FirewallTakes(rules) => {
                Call::new(Tool::Nft, ["--check", "--file", "-"]).input(rules)
            }
            // The address is one of those for documentation (RFC 5737): nobody is there.
            Self::Sshd(user) => {
                let login = format!("user={user},host=client.invalid,addr=192.0.2.1");
                Call::new(Tool::Sshd, ["-T", "-C", login.as_str()])
            }
            Self::SshdTakes(text) => Call::new(Tool::Sshd, ["-t", "-f", "/dev/stdin"]).input(text),
            Self::SshdStarts => Call::new(Tool::Sshd, ["-t"]),
            Self::SudoersTakes(text) => Call::new(Tool::Visudo, ["-c", "-f", "-"]).input(text),
            Self::Units(names) => {
                let properties = "--property=Id,Names,LoadState,ActiveState,UnitFileState";
                let names = names.iter().map(|name| name.as_str().to_owned());
                let front = ["show", properties, "--"].map(str::to_owned);
                Call::new(Tool::Systemctl, front.into_iter().chain(names))
            }
        }
    }
}

impl Order {
    fn call(&self) -> Call {
        let systemctl = |words: &[&str]| {
            Call::new(Tool::Systemctl, words.iter().copied()).deadline(UNIT_DEADLINE)
        };
        match self {
            Self::Enable(unit) => systemctl(&["enable", "--", unit.as_str()]),
            Self::Disable(unit) => systemctl(&["disable", "--", unit.as_str()]),
            Self::Mask(unit) => systemctl(&["mask", "--", unit.as_str()]),
            Self::Unmask(unit) => systemctl(&["unmask", "--", unit.as_str()]),
            Self::Start(unit) => systemctl(&["start", "--", unit.as_str()]),
            Self::Stop(unit) => systemctl(&["stop", "--", unit.as_str()]),
            Self::Reload(unit) => systemctl(&["reload", "--", unit.as_str()]),
            Self::ReloadUnits => systemctl(&["daemon-reload"]),
            Self::LoadFirewall => {
                Call::new(Tool::Nft, ["--file", policies::check::firewall::RULES_PATH])
            }
            Self::Remount { path, options } => {
                let options = format!("remount,{options}");
                Call::new(Tool::Mount, ["-o", options.as_str(), "--", path.as_str()])
            }
            Self::UnloadModule(name) => Call::new(Tool::Modprobe, ["-r", "--", name.as_str()]),
        }
    }
}

#[cfg(test)]
mod tests;
