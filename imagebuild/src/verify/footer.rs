//! The footer of a fixed VHD, as Azure reads it: Virtual Hard Disk Image Format Specification 1.0,
//! "Hard Disk Footer Format".

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

use crate::exit::Mismatch;

/// Checks that Azure would take a file as a fixed VHD.
pub(super) fn check(path: &Path) -> Result<(), Mismatch> {
    let (footer, data) =
        read(path).map_err(|error| wrong("footer", "one of 512 bytes", &error.to_string()))?;
    if !footer.starts_with(b"conectix") {
        return Err(wrong("footer", "the cookie `conectix`", "other bytes"));
    }
    Mismatch::check("kind of disk", &2, &number(&footer, 60, 4))?;
    Mismatch::check("size in the footer", &data, &number(&footer, 48, 8))?;
    Mismatch::check("bytes above whole MiB", &0, &(data % (1 << 20)))?;
    let sum: u32 = (0..)
        .zip(footer)
        .filter(|(at, _)| !(64..68).contains(at))
        .map(|(_, byte): (u32, u8)| u32::from(byte))
        .sum();
    Mismatch::check(
        "checksum of the footer",
        &u64::from(!sum),
        &number(&footer, 64, 4),
    )
}

fn read(path: &Path) -> io::Result<([u8; 512], u64)> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let data = size.checked_sub(512).ok_or(io::ErrorKind::UnexpectedEof)?;
    let mut footer = [0; 512];
    file.read_exact_at(&mut footer, data)?;
    Ok((footer, data))
}

/// A big-endian number of some bytes.
fn number(bytes: &[u8], at: usize, len: usize) -> u64 {
    let digits = bytes.get(at..at + len).unwrap_or_default();
    digits
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn wrong(object: &str, expected: &str, found: &str) -> Mismatch {
    Mismatch {
        object: object.to_owned(),
        expected: expected.to_owned(),
        found: found.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_flipped_bit_of_a_footer_goes_unnoticed() {
        let mut disk = vec![0; (1 << 20) + 512];
        let footer = &mut disk[1 << 20..];
        footer[..8].copy_from_slice(b"conectix");
        footer[48..56].copy_from_slice(&(1_u64 << 20).to_be_bytes());
        footer[63] = 2;
        let sum: u32 = footer.iter().map(|byte| u32::from(*byte)).sum();
        footer[64..68].copy_from_slice(&(!sum).to_be_bytes());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.vhd");
        crate::files::write(&path, &disk, 0o644).unwrap();
        check(&path).unwrap();
        for at in (1 << 20)..disk.len() {
            let mut flipped = disk.clone();
            flipped[at] ^= 1;
            crate::files::write(&path, &flipped, 0o644).unwrap();
            assert!(check(&path).is_err(), "byte {at}");
        }
    }
}
