//! GUID partition tables: UEFI Specification 2.10, section 5.3.

use std::{fs::File, io, os::unix::fs::FileExt};

/// A partition of a disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Partition {
    /// Its first byte.
    pub start: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Whether its type says that a Linux file system is in it.
    pub is_linux: bool,
}

/// Reads the partition table of a disk; nothing when it has none.
pub(super) fn read(disk: &File) -> io::Result<Option<Vec<Partition>>> {
    let mut header = [0; 92];
    match disk.read_exact_at(&mut header, SECTOR) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    if !header.starts_with(b"EFI PART") {
        return Ok(None);
    }
    let (table, count, size) = (
        number(&header, 72, 8),
        number(&header, 80, 4),
        number(&header, 84, 4),
    );
    let mut partitions = Vec::new();
    // A table of this many entries of this size is what the specification asks for at least, and what
    // every tool writes; a damaged header must not make this loop long.
    for entry in 0..count.min(MOST_ENTRIES) {
        let mut bytes = [0; 48];
        let at = table
            .saturating_mul(SECTOR)
            .saturating_add(entry.saturating_mul(size));
        disk.read_exact_at(&mut bytes, at)?;
        let (first, last) = (number(&bytes, 32, 8), number(&bytes, 40, 8));
        let kind = bytes.get(..16).unwrap_or_default();
        if kind.iter().all(|byte| *byte == 0) || last < first {
            continue;
        }
        partitions.push(Partition {
            start: first.saturating_mul(SECTOR),
            size: (last - first).saturating_add(1).saturating_mul(SECTOR),
            is_linux: LINUX.iter().any(|linux| kind == linux),
        });
    }
    Ok(Some(partitions))
}

/// A little-endian number of some bytes.
fn number(bytes: &[u8], at: usize, len: usize) -> u64 {
    let digits = bytes.get(at..at + len).unwrap_or_default();
    digits
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

const SECTOR: u64 = 512;
const MOST_ENTRIES: u64 = 128;
/// "Linux filesystem data" and "Linux root (x86-64)", in the byte order of the disk: Discoverable
/// Partitions Specification.
const LINUX: [[u8; 16]; 2] = [
    [
        0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47, 0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d,
        0xe4,
    ],
    [
        0xe3, 0xbc, 0x68, 0x4f, 0xcd, 0xe8, 0xb1, 0x4d, 0x96, 0xe7, 0xfb, 0xca, 0xf9, 0x84, 0xb7,
        0x09,
    ],
];

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn partitions_are_found_and_other_files_have_none() {
        let mut disk = vec![0; 4096];
        disk[512..520].copy_from_slice(b"EFI PART");
        disk[512 + 72] = 2;
        disk[512 + 80] = 4;
        disk[512 + 84] = 128;
        disk[1024 + 128..1024 + 144].copy_from_slice(&LINUX[1]);
        disk[1024 + 128 + 32] = 5;
        disk[1024 + 128 + 40] = 6;
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&disk).unwrap();
        let expected = Partition {
            start: 2560,
            size: 1024,
            is_linux: true,
        };
        assert_eq!(read(&file).unwrap().unwrap(), [expected]);

        let mut other = tempfile::tempfile().unwrap();
        assert_eq!(read(&other).unwrap(), None);
        other.write_all(&[7; 4096]).unwrap();
        assert_eq!(read(&other).unwrap(), None);
    }
}
