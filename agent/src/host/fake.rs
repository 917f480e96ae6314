//! A host in memory, for tests: files with owners and modes, and programs that behave like the real ones
//! as far as the agent can tell.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;

use policies::check::firewall::{RULES_PATH, Ruleset};
use policies::names::{Mode, SysctlKey};

use super::tool::{self, Answer};
use super::{Alter, HostError, Inspect, Kind, Order, Question, Stat};

mod programs;

/// A host in memory.
#[derive(Clone, Debug)]
pub struct Fake {
    is_running: bool,
    nodes: BTreeMap<String, Node>,
    unreadable: BTreeSet<String>,
    pub(super) units: BTreeMap<String, FakeUnit>,
    rulesets: Vec<Ruleset>,
    loaded: Option<Ruleset>,
    sshd_defaults: BTreeMap<String, String>,
    missing_tools: bool,
    refuses: bool,
    fails_at: Option<usize>,
    alterations: usize,
}

/// Something at a path.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Node {
    what: What,
    mode: Mode,
    uid: u32,
    gid: u32,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum What {
    File(Vec<u8>),
    Folder,
    Link(String),
}

/// A unit of systemd.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FakeUnit {
    /// Its `ActiveState`.
    pub active: String,
    /// Its `UnitFileState`.
    pub file: String,
}

impl Fake {
    /// A running machine with nothing on it.
    #[must_use]
    pub fn new() -> Self {
        Self {
            is_running: true,
            nodes: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            units: BTreeMap::new(),
            rulesets: Vec::new(),
            loaded: None,
            sshd_defaults: BTreeMap::new(),
            missing_tools: false,
            refuses: false,
            fails_at: None,
            alterations: 0,
        }
    }

    /// An unpacked image with nothing in it.
    #[must_use]
    pub fn unpacked() -> Self {
        Self {
            is_running: false,
            ..Self::new()
        }
    }

    /// With a file of root's, readable by everybody.
    #[must_use]
    pub fn file(self, path: &str, text: &str) -> Self {
        self.owned_file(path, text, 0o644, 0, 0)
    }

    /// With a file that has this mode, owner and group.
    #[must_use]
    pub fn owned_file(mut self, path: &str, text: &str, mode: u32, uid: u32, gid: u32) -> Self {
        let node = Node {
            what: What::File(text.as_bytes().to_vec()),
            mode: Mode::from_bits(mode),
            uid,
            gid,
        };
        self.nodes.insert(path.to_owned(), node);
        self
    }

    /// With a folder of root's.
    #[must_use]
    pub fn folder(mut self, path: &str, mode: u32) -> Self {
        self.nodes.insert(path.to_owned(), Node::folder(mode));
        self
    }

    /// With a symbolic link.
    #[must_use]
    pub fn symlink(mut self, path: &str, target: &str) -> Self {
        self.nodes.insert(path.to_owned(), Node::link(target));
        self
    }

    /// With a file that is there and cannot be read.
    #[must_use]
    pub fn unreadable(mut self, path: &str) -> Self {
        self = self.file(path, "");
        self.unreadable.insert(path.to_owned());
        self
    }

    /// With a unit.
    #[must_use]
    pub fn unit(mut self, name: &str, active: &str, file: &str) -> Self {
        let unit = FakeUnit {
            active: active.to_owned(),
            file: file.to_owned(),
        };
        self.units.insert(name.to_owned(), unit);
        self
    }

    /// With an SSH daemon that has this value for an option that no file sets.
    #[must_use]
    pub fn sshd(mut self, option: &str, value: &str) -> Self {
        self.sshd_defaults
            .insert(option.to_owned(), value.to_owned());
        self
    }

    /// With a packet filter that takes these rules.
    #[must_use]
    pub fn understands(mut self, rules: Ruleset) -> Self {
        self.rulesets.push(rules);
        self
    }

    /// Without any program.
    #[must_use]
    pub const fn without_tools(mut self) -> Self {
        self.missing_tools = true;
        self
    }

    /// With programs that refuse every text that they are shown.
    #[must_use]
    pub const fn that_refuses(mut self) -> Self {
        self.refuses = true;
        self
    }

    /// Which fails at the change with this number, counted from 0 since the host was made.
    #[must_use]
    pub const fn failing_at(mut self, change: usize) -> Self {
        self.fails_at = Some(change);
        self
    }

    /// How many changes were tried.
    #[must_use]
    pub const fn alterations(&self) -> usize {
        self.alterations
    }

    /// The text of a file, for assertions.
    #[must_use]
    pub fn contents(&self, path: &str) -> Option<String> {
        match &self.nodes.get(path)?.what {
            What::File(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            What::Folder | What::Link(_) => None,
        }
    }

    /// Every path with its contents, for comparing two hosts.
    #[must_use]
    pub fn everything(&self) -> Vec<String> {
        let node = |(path, node): (&String, &Node)| format!("{path} {node:?}");
        let unit = |(name, unit): (&String, &FakeUnit)| format!("{name} {unit:?}");
        let mut all: Vec<String> = self.nodes.iter().map(node).collect();
        all.extend(self.units.iter().map(unit));
        all.push(format!("{:?}", self.loaded));
        all
    }

    fn is_folder(&self, path: &str) -> bool {
        let prefix = format!("{}/", path.trim_end_matches('/'));
        path == "/"
            || self
                .nodes
                .get(path)
                .is_some_and(|node| node.what == What::Folder)
            || self.nodes.keys().any(|other| other.starts_with(&prefix))
    }

    /// Follows links inside the root; `last` says whether also in the last part.
    fn resolve(&self, path: &str, last: bool) -> Result<String, HostError> {
        let mut parts: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let mut done = String::new();
        let mut hops = 0;
        while let Some(part) = parts.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    done.truncate(done.rfind('/').unwrap_or(0));
                    continue;
                }
                part => {
                    done.push('/');
                    done.push_str(part);
                }
            }
            let is_last = parts.iter().all(String::is_empty);
            let target = match self.nodes.get(&done).map(|node| &node.what) {
                Some(What::Link(target)) if last || !is_last => target.clone(),
                _ => continue,
            };
            hops += 1;
            if hops > 40 {
                return Err(failed("read", path, io::ErrorKind::InvalidInput));
            }
            if target.starts_with('/') {
                done.clear();
            } else {
                done.truncate(done.rfind('/').unwrap_or(0));
            }
            parts.extend(target.split('/').rev().map(str::to_owned));
        }
        Ok(if done.is_empty() {
            "/".to_owned()
        } else {
            done
        })
    }

    fn look(&self, path: &str, last: bool) -> Result<Option<(String, Stat)>, HostError> {
        let path = self.resolve(path, last)?;
        if self.unreadable.contains(&path) {
            return Err(failed("read", &path, io::ErrorKind::PermissionDenied));
        }
        let stat = match self.nodes.get(&path) {
            Some(node) => node.stat(),
            None if self.is_folder(&path) => Node::folder(0o755).stat(),
            None => return Ok(None),
        };
        Ok(Some((path, stat)))
    }

    /// Counts a change, and fails when it is the one that was to fail.
    fn change(&mut self, deed: &'static str, path: &str) -> Result<(), HostError> {
        let number = self.alterations;
        self.alterations += 1;
        if self.fails_at == Some(number) {
            return Err(failed(deed, path, io::ErrorKind::StorageFull));
        }
        Ok(())
    }
}

impl Default for Fake {
    fn default() -> Self {
        Self::new()
    }
}

impl Node {
    fn folder(mode: u32) -> Self {
        Self {
            what: What::Folder,
            mode: Mode::from_bits(mode),
            uid: 0,
            gid: 0,
        }
    }

    fn link(target: &str) -> Self {
        Self {
            what: What::Link(target.to_owned()),
            mode: Mode::from_bits(0o777),
            uid: 0,
            gid: 0,
        }
    }

    fn stat(&self) -> Stat {
        let (kind, size) = match &self.what {
            What::File(bytes) => (Kind::File, bytes.len()),
            What::Folder => (Kind::Folder, 4096),
            What::Link(target) => (Kind::Link, target.len()),
        };
        Stat {
            kind,
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            size: u64::try_from(size).unwrap_or(u64::MAX),
        }
    }
}

fn failed(deed: &'static str, path: &str, kind: io::ErrorKind) -> HostError {
    HostError::Io {
        deed,
        path: path.to_owned(),
        source: kind.into(),
    }
}

impl Inspect for Fake {
    fn is_running(&self) -> bool {
        self.is_running
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, HostError> {
        let Some((path, _)) = self.look(path, true)? else {
            return Ok(None);
        };
        match self.nodes.get(&path).map(|node| &node.what) {
            Some(What::File(bytes)) => Ok(Some(bytes.clone())),
            _ => Err(HostError::NotRegular { path }),
        }
    }

    fn stat(&self, path: &str) -> Result<Option<Stat>, HostError> {
        Ok(self.look(path, false)?.map(|(_, stat)| stat))
    }

    fn list(&self, folder: &str) -> Result<Option<Vec<String>>, HostError> {
        let Some((path, stat)) = self.look(folder, true)? else {
            return Ok(None);
        };
        if stat.kind != Kind::Folder {
            return Ok(None);
        }
        let prefix = format!("{}/", path.trim_end_matches('/'));
        let names: BTreeSet<&str> = self
            .nodes
            .keys()
            .filter_map(|path| path.strip_prefix(&prefix)?.split('/').next())
            .collect();
        Ok(Some(names.into_iter().map(str::to_owned).collect()))
    }

    fn read_link(&self, path: &str) -> Result<Option<String>, HostError> {
        let Some((path, _)) = self.look(path, false)? else {
            return Ok(None);
        };
        match self.nodes.get(&path).map(|node| &node.what) {
            Some(What::Link(target)) => Ok(Some(target.clone())),
            _ => Err(failed("read link", &path, io::ErrorKind::InvalidInput)),
        }
    }

    fn ask(&self, question: &Question) -> Result<Answer, HostError> {
        if !self.is_running {
            return Err(HostError::NotRunning {
                root: PathBuf::from("/fake"),
            });
        }
        if self.missing_tools {
            return Err(tool::Error::Missing { program: "any" }.into());
        }
        Ok(self.answer(question))
    }
}

impl Alter for Fake {
    fn write(&mut self, path: &str, contents: &[u8], mode: Mode) -> Result<(), HostError> {
        let old = self.stat(path)?;
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
        self.change("write", path)?;
        let path = self.resolve(path, false)?;
        let node = Node {
            what: What::File(contents.to_vec()),
            mode: old.map_or(mode, |old| old.mode),
            uid: old.map_or(0, |old| old.uid),
            gid: old.map_or(0, |old| old.gid),
        };
        self.nodes.insert(path, node);
        Ok(())
    }

    fn remove(&mut self, path: &str) -> Result<(), HostError> {
        self.change("remove", path)?;
        let path = self.resolve(path, false)?;
        let removed = self.nodes.remove(&path);
        removed
            .map(drop)
            .ok_or_else(|| failed("remove", &path, io::ErrorKind::NotFound))
    }

    fn link(&mut self, path: &str, target: &str) -> Result<(), HostError> {
        self.change("link", path)?;
        let path = self.resolve(path, false)?;
        self.nodes.insert(path, Node::link(target));
        Ok(())
    }

    fn set_mode(&mut self, path: &str, mode: Mode) -> Result<(), HostError> {
        self.change("set mode of", path)?;
        let path = self.resolve(path, false)?;
        self.nodes
            .entry(path)
            .or_insert_with(|| Node::folder(0o755))
            .mode = mode;
        Ok(())
    }

    fn set_owner(&mut self, path: &str, owner: u32, group: u32) -> Result<(), HostError> {
        self.change("set owner of", path)?;
        let path = self.resolve(path, false)?;
        let node = self
            .nodes
            .entry(path)
            .or_insert_with(|| Node::folder(0o755));
        (node.uid, node.gid) = (owner, group);
        Ok(())
    }

    fn set_sysctl(&mut self, key: &SysctlKey, value: &str) -> Result<(), HostError> {
        let path = format!("/proc/sys/{}", key.as_str().replace('.', "/"));
        self.change("set", &path)?;
        match self.nodes.get_mut(&path) {
            Some(node) => {
                node.what = What::File(format!("{value}\n").into_bytes());
                Ok(())
            }
            None => Err(failed("set", &path, io::ErrorKind::NotFound)),
        }
    }

    fn order(&mut self, order: &Order) -> Result<(), HostError> {
        self.change("order", "program")?;
        if !self.is_running {
            return Err(HostError::NotRunning {
                root: PathBuf::from("/fake"),
            });
        }
        if self.missing_tools {
            return Err(tool::Error::Missing { program: "any" }.into());
        }
        self.obey(order).map_err(|complaint| {
            tool::Error::Ended {
                program: format!("{order:?}"),
                code: "code 1".to_owned(),
                complaint,
            }
            .into()
        })
    }
}

impl Fake {
    /// Takes the rules that stand in their file, when it is known how they are listed.
    fn load_firewall(&mut self) -> Result<(), String> {
        let text = self.contents(RULES_PATH).unwrap_or_default();
        let known = self.rulesets.iter().find(|rules| rules.text() == text);
        self.loaded = Some(known.cloned().ok_or("syntax error")?);
        Ok(())
    }
}
