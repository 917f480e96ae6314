//! The way into the build machine: a key for this one build, and a disk with what the machine needs.

use std::{
    fs::{self, File, Permissions},
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{Error, Job};
use crate::{cancel::Cancel, tool::Tool};

/// Keys made for one build, in files that only we can read.
#[derive(Debug)]
pub(super) struct Access {
    /// The private key that opens the machine.
    pub(super) key: PathBuf,
    /// The SMBIOS string that makes the machine accept it.
    pub(super) smbios: PathBuf,
    folder: PathBuf,
}

impl Access {
    pub(super) fn new(work: &Path, cancel: &Cancel) -> Result<Self, Error> {
        let folder = work.join("access");
        fs::create_dir(&folder).map_err(Error::file(&folder))?;
        fs::set_permissions(&folder, Permissions::from_mode(0o700))
            .map_err(Error::file(&folder))?;
        let (key, host, smbios) = (
            folder.join("key"),
            folder.join("host"),
            folder.join("smbios"),
        );
        for path in [&key, &host] {
            Tool::SshKeygen
                .call()
                .args(["-q", "-t", "ed25519", "-N", "", "-C", "imagebuild", "-f"])
                .arg(path)
                .run(cancel)?;
        }
        let read = |path: PathBuf| fs::read(&path).map_err(Error::file(&path));
        let credential = tmpfiles(&read(folder.join("key.pub"))?, &read(host)?);
        // Through a file, because arguments of processes can be read by everybody on the host.
        let string = format!(
            "io.systemd.credential.binary:tmpfiles.extra={}",
            STANDARD.encode(credential)
        );
        File::create(&smbios)
            .and_then(|mut file| file.write_all(string.as_bytes()))
            .map_err(Error::file(&smbios))?;
        Ok(Self {
            key,
            smbios,
            folder,
        })
    }

    /// Deletes the keys.
    pub(super) fn forget(self) -> Result<(), Error> {
        fs::remove_dir_all(&self.folder).map_err(Error::file(&self.folder))
    }
}

/// Lines of tmpfiles.d(5) that systemd in the machine takes as a credential before sshd starts.
///
/// The host key comes along, because making one takes an emulated machine seconds.
fn tmpfiles(key: &[u8], host: &[u8]) -> String {
    format!(
        "d /root/.ssh 0700 root root -\n\
         f~ /root/.ssh/authorized_keys 0600 root root - {}\n\
         f~ /etc/ssh/ssh_host_ed25519_key 0600 root root - {}\n",
        STANDARD.encode(key),
        STANDARD.encode(host)
    )
}

/// Writes a disk with the agent, the policy and the staged binaries.
///
/// A disk, because uploading to an emulated machine runs at a few megabytes a second.
pub(super) fn payload(job: &Job, work: &Path, cancel: &Cancel) -> Result<PathBuf, Error> {
    let folder = work.join("payload");
    fs::create_dir(&folder).map_err(Error::file(&folder))?;
    let mut room = ROOM;
    for (name, from) in [
        ("agent.deb", &job.agent_deb),
        ("policy", &job.policy_dir),
        ("staged", &job.staged),
    ] {
        room += copy(from, &folder.join(name))?;
    }
    let disk = work.join("payload.ext4");
    File::create(&disk)
        .and_then(|file| file.set_len(room.next_multiple_of(1 << 20)))
        .map_err(Error::file(&disk))?;
    Tool::Mke2fs
        .call()
        .args([
            "-q",
            "-F",
            "-t",
            "ext4",
            "-O",
            "^has_journal",
            "-L",
            "imagebuild",
            "-m",
            "0",
        ])
        .args(["-E", "root_owner=0:0", "-d"])
        .args([&folder, &disk])
        .deadline(Duration::from_mins(10))
        .run(cancel)?;
    fs::remove_dir_all(&folder).map_err(Error::file(&folder))?;
    Ok(disk)
}

/// Copies a file or folder, by link where the file system can. Returns how much room it takes on a disk.
fn copy(from: &Path, to: &Path) -> Result<u64, Error> {
    let metadata = fs::metadata(from).map_err(Error::file(from))?;
    if !metadata.is_dir() {
        let from = fs::canonicalize(from).map_err(Error::file(from))?;
        if fs::hard_link(&from, to).is_err() {
            fs::copy(&from, to).map_err(Error::file(to))?;
        }
        return Ok(metadata.len() + BLOCK);
    }
    fs::create_dir(to).map_err(Error::file(to))?;
    let mut room = BLOCK;
    for entry in fs::read_dir(from).map_err(Error::file(from))? {
        let entry = entry.map_err(Error::file(from))?;
        room += copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(room)
}

/// What a file takes at most besides its bytes.
const BLOCK: u64 = 8192;
/// What a file system takes for itself.
const ROOM: u64 = 8 << 20;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_machine_is_told_the_key_and_its_own_name() {
        let lines = tmpfiles(b"ssh-ed25519 AAAA", b"secret");
        assert!(lines.contains("authorized_keys 0600 root root - c3NoLWVkMjU1MTkgQUFBQQ=="));
        assert_eq!(lines.lines().count(), 3);
    }

    #[test]
    fn links_into_other_folders_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir(&from).unwrap();
        File::create(folder.path().join("file"))
            .unwrap()
            .write_all(b"1234")
            .unwrap();
        symlink("../file", from.join("link")).unwrap();
        assert_eq!(copy(&from, &to).unwrap(), 4 + 2 * BLOCK);
        assert!(fs::symlink_metadata(to.join("link")).unwrap().is_file());
    }
}
