use std::collections::BTreeMap;

use ext4_view::{Ext4Error, FileType};
use policies::digest::Digest;
use sha2::{Digest as _, Sha256};

use super::{Error, Image};

/// The files of an image by path.
pub type Tree = BTreeMap<String, Entry>;

/// A file, folder or link of an image.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Its permission bits.
    pub mode: u16,
    /// The user and the group that own it.
    pub owner: (u32, u32),
}

/// What an entry is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A device, pipe or socket, or something that cannot be read.
    Device,
    /// A plain file of this size.
    File(u64),
    /// A folder.
    Folder,
    /// A symbolic link to this path.
    Link(String),
}

impl Entry {
    /// Says whether it is a program that runs with its owner's rights.
    pub const fn is_setuid(&self) -> bool {
        matches!(self.kind, Kind::File(_)) && self.mode & 0o6000 != 0
    }

    /// Mode and owner in words.
    pub fn rights(&self) -> String {
        format!("{:04o} {}:{}", self.mode, self.owner.0, self.owner.1)
    }
}

impl Image {
    /// Every entry below the root.
    pub fn tree(&self) -> Result<Tree, Error> {
        let mut tree = Tree::new();
        let mut folders = vec!["/".to_owned()];
        while let Some(folder) = folders.pop() {
            let failed = |source| self.failed(&folder, source);
            for entry in self.root.read_dir(folder.as_str()).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let name = entry.file_name();
                if name == "." || name == ".." {
                    continue;
                }
                // A name that is not UTF-8 is shown with its bytes escaped, and not looked into.
                let escaped = name.display().to_string();
                let path = format!("{}/{escaped}", folder.trim_end_matches('/'));
                let readable = name.as_str().is_ok();
                let meta = entry.metadata().map_err(failed)?;
                let kind = match meta.file_type() {
                    _ if !readable => Kind::Device,
                    FileType::Directory => {
                        folders.push(path.clone());
                        Kind::Folder
                    }
                    FileType::Regular => Kind::File(meta.len()),
                    FileType::Symlink => {
                        let target = self.root.read_link(path.as_str()).map_err(failed)?;
                        Kind::Link(target.display().to_string())
                    }
                    FileType::BlockDevice
                    | FileType::CharacterDevice
                    | FileType::Fifo
                    | FileType::Socket => Kind::Device,
                };
                tree.insert(
                    path,
                    Entry {
                        kind,
                        mode: meta.mode(),
                        owner: (meta.uid(), meta.gid()),
                    },
                );
            }
        }
        Ok(tree)
    }

    /// The names in a folder; none when there is no such folder.
    pub fn names(&self, folder: &str) -> Result<Vec<String>, Error> {
        let failed = |source| self.failed(folder, source);
        let entries = match self.root.read_dir(folder) {
            Ok(entries) => entries,
            Err(Ext4Error::NotFound | Ext4Error::NotADirectory) => return Ok(Vec::new()),
            Err(source) => return Err(failed(source)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            names.extend(entry.file_name().as_str().map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    /// The digest of a file's content.
    pub fn digest(&self, path: &str) -> Result<Digest, Error> {
        let failed = |source| self.failed(path, source);
        let mut file = self.root.open(path).map_err(failed)?;
        let mut buffer = vec![0; 1 << 16];
        let mut hasher = Sha256::new();
        loop {
            match file.read_bytes(&mut buffer).map_err(failed)? {
                0 => return Ok(Digest::finish(hasher)),
                len => hasher.update(buffer.get(..len).unwrap_or_default()),
            }
        }
    }
}
