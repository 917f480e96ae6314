//! Fixed VHDs: the only disk format that Azure takes.
//!
//! A fixed VHD is the raw disk, a whole number of MiB, followed by one footer of 512 bytes.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    cancel::Cancel,
    tool::{self, Tool},
};

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
        .args(["convert", "-q", "-O", "raw"])
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
    disk.write_all(&footer(size, identity))?;
    disk.sync_all()
}

/// The footer of a fixed disk: Virtual Hard Disk Image Format Specification 1.0, "Hard Disk Footer
/// Format". All numbers are big-endian.
fn footer(size: u64, identity: Identity) -> [u8; FOOTER] {
    let seconds = identity.time.saturating_sub(EPOCH_2000);
    let mut footer = [0; FOOTER];
    let mut put = |at: usize, bytes: &[u8]| {
        for (place, byte) in footer.iter_mut().skip(at).zip(bytes) {
            *place = *byte;
        }
    };
    put(0, b"conectix");
    put(8, &2_u32.to_be_bytes()); // features: the reserved bit, always set
    put(12, &0x0001_0000_u32.to_be_bytes()); // version of the format
    put(16, &u64::MAX.to_be_bytes()); // no data offset in a fixed disk
    put(
        24,
        &u32::try_from(seconds).unwrap_or(u32::MAX).to_be_bytes(),
    );
    // A creator that QEMU does not know makes it believe the size instead of the geometry.
    put(28, b"sdvm");
    put(32, &0x0001_0000_u32.to_be_bytes());
    put(36, b"Wi2k");
    put(40, &size.to_be_bytes());
    put(48, &size.to_be_bytes());
    put(56, &geometry(size));
    put(60, &2_u32.to_be_bytes()); // a fixed disk
    put(68, identity.id.as_bytes());
    let sum: u32 = footer.iter().map(|byte| u32::from(*byte)).sum();
    for (place, byte) in footer.iter_mut().skip(64).zip((!sum).to_be_bytes()) {
        *place = byte;
    }
    footer
}

/// Cylinders, heads and sectors as the specification's appendix computes them ("CHS Calculation").
fn geometry(size: u64) -> [u8; 4] {
    let sectors = (size / 512).min(65535 * 16 * 255);
    let (per_track, heads, tracks) = if sectors >= 65535 * 16 * 63 {
        (255, 16, sectors / 255)
    } else {
        let small = sectors / 17;
        let heads = small.div_ceil(1024).max(4);
        if small < heads * 1024 && heads <= 16 {
            (17, heads, small)
        } else if sectors / 31 < 16 * 1024 {
            (31, 16, sectors / 31)
        } else {
            (63, 16, sectors / 63)
        }
    };
    let [_, _, _, _, _, _, high, low] = (tracks / heads).to_be_bytes();
    let [.., heads] = heads.to_be_bytes();
    let [.., per_track] = u64::to_be_bytes(per_track);
    [high, low, heads, per_track]
}

/// Azure takes disks of whole MiB only.
const MIB: u64 = 1024 * 1024;
/// Bytes of the footer.
const FOOTER: usize = 512;
/// 2000-01-01 00:00:00 UTC, from which a VHD counts its seconds.
const EPOCH_2000: u64 = 946_684_800;
/// Long enough for a terabyte on a slow disk.
const CONVERSION: Duration = Duration::from_hours(4);

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: Identity = Identity {
        id: uuid::Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
        time: 1_700_000_000,
    };

    /// The specification rounds down; QEMU, which rounds disks up to whole cylinders, has one more.
    #[test]
    fn geometry_is_that_of_the_specification() {
        assert_eq!(geometry(3 << 30), [0x18, 0x61, 16, 63]);
        assert_eq!(geometry(4 << 20), [0, 120, 4, 17]);
        assert_eq!(geometry(40 << 30), [0x50, 0x50, 16, 255]);
    }

    #[test]
    fn footer_has_its_checksum_and_follows_from_the_identity() {
        let one = footer(4 << 20, IDENTITY);
        let sum: u32 = one
            .iter()
            .enumerate()
            .filter(|(at, _)| !(64..68).contains(at))
            .map(|(_, byte)| u32::from(*byte))
            .sum();
        assert_eq!(one[64..68], (!sum).to_be_bytes());
        assert_eq!(one, footer(4 << 20, IDENTITY));
        let later = Identity {
            time: IDENTITY.time + 1,
            ..IDENTITY
        };
        assert_ne!(one, footer(4 << 20, later));
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
