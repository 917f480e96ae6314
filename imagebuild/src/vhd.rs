//! Fixed VHDs: the only disk format that Azure takes.
//!
//! Such a file is the raw disk, a whole number of MiB, and a footer of one sector. The footer is written
//! here, because qemu-img puts a random id and the present time into it, and two builds would differ.

mod footer;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    cancel::Cancel,
    tool::{self, Tool},
};
pub use footer::{Footer, Invalid};

/// What makes a VHD this VHD; both follow from the lock, so that the same lock gives the same bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Identity {
    /// The disk's unique id.
    pub id: uuid::Uuid,
    /// When it was made, in seconds since 1970.
    pub time: u64,
}

/// Why there is no VHD.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is no VHD, or not one that Azure takes.
    #[error("`{}` is not a fixed VHD that Azure takes", path.display())]
    Footer {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Invalid,
    },
    /// The file cannot be read.
    #[error("failed to read VHD `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A program is missing or failed.
    #[error(transparent)]
    Tool(#[from] tool::Error),
    /// The disk cannot be written.
    #[error("failed to write VHD `{}`", path.display())]
    Write {
        /// Where it was to be.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// What the reader can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Tool(error) => error.hint(),
            Self::Footer { .. } | Self::Read { .. } | Self::Write { .. } => None,
        }
    }

    /// Says whether the work ended because it was to end.
    pub const fn is_cancelled(&self) -> bool {
        matches!(self, Self::Tool(error) if error.is_cancelled())
    }
}

/// Reads the footer of a VHD and checks that Azure would take the file.
pub fn verify(path: &Path) -> Result<Footer, Error> {
    let read = || {
        let mut file = File::open(path)?;
        let mut bytes = [0; footer::SIZE];
        let start = file.metadata()?.len().saturating_sub(footer::SIZE_ON_DISK);
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut bytes)?;
        Ok((start, bytes))
    };
    let (start, bytes) = read().map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    let footer = Footer::parse(&bytes).and_then(|footer| footer.fits(start).map(|()| footer));
    footer.map_err(|source| Error::Footer {
        path: path.to_owned(),
        source,
    })
}

/// Converts a raw or qcow2 image into a fixed VHD at `out`, which appears only when it is whole.
pub fn write(
    image: &Path,
    out: &Path,
    identity: Identity,
    cancel: &Cancel,
) -> Result<PathBuf, Error> {
    let partial = out.with_extension("vhd.partial");
    let converted = Tool::QemuImg
        .call()
        .args(["convert", "-q", "-O", "raw", "-S", "4k", "-W", "-m", "4"])
        .args([image, &partial])
        .deadline(CONVERSION)
        .run(cancel)
        .map_err(Error::from)
        .and_then(|_| {
            seal(&partial, identity)
                .and_then(|()| fs::rename(&partial, out))
                .map_err(|source| Error::Write {
                    path: out.to_owned(),
                    source,
                })
        });
    if let Err(error) = converted {
        // Half a disk is of no use to anybody; that it cannot be removed adds nothing to the error.
        drop(fs::remove_file(&partial));
        return Err(error);
    }
    Ok(out.to_owned())
}

/// Makes a raw disk a fixed VHD: pads it to whole MiB and appends the footer.
fn seal(path: &Path, identity: Identity) -> io::Result<()> {
    let mut disk: File = OpenOptions::new().write(true).open(path)?;
    let size = disk.metadata()?.len().next_multiple_of(MIB);
    disk.set_len(size)?;
    disk.seek(SeekFrom::Start(size))?;
    disk.write_all(&Footer::new(size, identity).bytes())?;
    disk.sync_all()
}

/// Azure takes disks of whole MiB only.
const MIB: u64 = 1024 * 1024;
/// Long enough for a terabyte on a slow disk.
const CONVERSION: Duration = Duration::from_hours(4);

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: Identity = Identity {
        id: uuid::Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
        time: 1_700_000_000,
    };

    #[test]
    fn qemu_writes_the_same_footer_but_for_geometry_id_time_and_creator() {
        if Tool::QemuImg.path().is_none() {
            eprintln!("skipped: qemu-img is not installed");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let (raw, vhd) = (
            folder.path().join("disk.raw"),
            folder.path().join("disk.vhd"),
        );
        File::create(&raw).unwrap().set_len(3 << 30).unwrap();
        let call = Tool::QemuImg
            .call()
            .args(["convert", "-f", "raw", "-O", "vpc"]);
        let call = call
            .args(["-o", "subformat=fixed,force_size=on"])
            .args([&raw, &vhd]);
        call.run(&Cancel::new()).unwrap();
        let theirs = verify(&vhd).unwrap().bytes();
        let ours = Footer::new(3 << 30, IDENTITY).bytes();
        for field in [0..24, 40..56, 60..64] {
            assert_eq!(ours[field.clone()], theirs[field]);
        }
    }

    /// QEMU, which did not write it, reads the disk with its size and its bytes.
    #[test]
    fn qemu_reads_the_disk_that_we_wrote() {
        if Tool::QemuImg.path().is_none() {
            eprintln!("skipped: qemu-img is not installed");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let raw = folder.path().join("disk.raw");
        // Not a whole MiB, so that it has to be padded.
        let bytes: Vec<u8> = (0..3_000_064_u32)
            .flat_map(|n| [n.to_be_bytes()[3]])
            .collect();
        crate::files::write(&raw, &bytes, 0o644).unwrap();
        let vhd = folder.path().join("disk.vhd");
        let cancel = Cancel::new();
        write(&raw, &vhd, IDENTITY, &cancel).unwrap();

        let call = Tool::QemuImg
            .call()
            .args(["info", "-f", "vpc", "--output=json"]);
        let info = call.arg(&vhd).run(&cancel).unwrap().text();
        let info: serde_json::Value = serde_json::from_str(&info).unwrap();
        assert_eq!(info["virtual-size"], 3 << 20);
        assert_eq!(verify(&vhd).unwrap().id(), IDENTITY.id);
        let back = folder.path().join("back.raw");
        let call = Tool::QemuImg
            .call()
            .args(["convert", "-f", "vpc", "-O", "raw"]);
        call.args([&vhd, &back]).run(&cancel).unwrap();
        let back = fs::read(back).unwrap();
        assert!(back.starts_with(&bytes));
        assert!(back[bytes.len()..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn failed_conversion_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("disk.vhd");
        let missing = folder.path().join("missing");
        write(&missing, &out, IDENTITY, &Cancel::new()).unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
