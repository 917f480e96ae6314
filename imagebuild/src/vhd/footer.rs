//! The footer of a fixed VHD: 512 bytes, big-endian.

use super::Identity;

/// Bytes of a footer.
pub(super) const SIZE: usize = 512;
/// The same, as lengths of files are counted.
pub(super) const SIZE_ON_DISK: u64 = 512;
const COOKIE: &[u8; 8] = b"conectix";
/// Names a program that means the size and not the geometry; QEMU and Azure go by that name.
const CREATOR: &[u8; 4] = b"win ";
/// 2000-01-01, from which VHDs count.
const EPOCH: u64 = 946_684_800;
const FIXED: u32 = 2;
const MIB: u64 = 1 << 20;

/// A footer whose checksum holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Footer([u8; SIZE]);

/// Why bytes are no footer of a VHD that Azure takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Invalid {
    /// The checksum is another one.
    #[error("the footer's checksum is {found:#010x}, expected {expected:#010x}")]
    Checksum {
        /// What the bytes add up to.
        expected: u32,
        /// What the footer says.
        found: u32,
    },
    /// It does not begin like a VHD's footer.
    #[error("there is no VHD footer at the end")]
    Cookie,
    /// It is a VHD that grows or depends on another.
    #[error("the VHD is of type {found}, expected {FIXED} (fixed)")]
    Kind {
        /// The type.
        found: u32,
    },
    /// The size is not what precedes the footer, or no whole number of MiB.
    #[error("the footer tells of {expected} bytes, found {found}, and Azure wants whole MiB")]
    Size {
        /// What the footer says.
        expected: u64,
        /// What precedes the footer.
        found: u64,
    },
}

impl Footer {
    /// The footer of a disk of `size` bytes.
    pub(super) fn new(size: u64, identity: Identity) -> Self {
        let time = u32::try_from(identity.time.saturating_sub(EPOCH)).unwrap_or(u32::MAX);
        let mut footer = Self([0; SIZE]);
        footer.put(0, COOKIE);
        footer.put(8, &2_u32.to_be_bytes());
        footer.put(12, &0x0001_0000_u32.to_be_bytes());
        footer.put(16, &u64::MAX.to_be_bytes());
        footer.put(24, &time.to_be_bytes());
        footer.put(28, CREATOR);
        footer.put(32, &0x0006_0002_u32.to_be_bytes());
        footer.put(36, b"Wi2k");
        footer.put(40, &size.to_be_bytes());
        footer.put(48, &size.to_be_bytes());
        footer.put(56, &geometry(size / 512));
        footer.put(60, &FIXED.to_be_bytes());
        footer.put(68, identity.id.as_bytes());
        footer.put(64, &footer.sum().to_be_bytes());
        footer
    }

    /// Reads a footer.
    pub fn parse(bytes: &[u8; SIZE]) -> Result<Self, Invalid> {
        let footer = Self(*bytes);
        let (expected, found) = (footer.sum(), u32::from_be_bytes(footer.field(64)));
        let kind = u32::from_be_bytes(footer.field(60));
        if footer.field(0) != *COOKIE {
            Err(Invalid::Cookie)
        } else if expected != found {
            Err(Invalid::Checksum { expected, found })
        } else if kind != FIXED {
            Err(Invalid::Kind { found: kind })
        } else {
            Ok(footer)
        }
    }

    /// Checks that the disk of `found` bytes is the one that the footer tells of.
    pub(super) fn fits(&self, found: u64) -> Result<(), Invalid> {
        let expected = self.size();
        if expected == found && found.is_multiple_of(MIB) {
            Ok(())
        } else {
            Err(Invalid::Size { expected, found })
        }
    }

    /// Bytes of the disk.
    pub fn size(&self) -> u64 {
        u64::from_be_bytes(self.field(48))
    }

    /// The disk's unique id.
    pub fn id(&self) -> uuid::Uuid {
        uuid::Uuid::from_bytes(self.field(68))
    }

    /// The bytes, as they stand in the file.
    pub const fn bytes(&self) -> [u8; SIZE] {
        self.0
    }

    fn field<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut field = [0; N];
        field
            .iter_mut()
            .zip(self.0.iter().skip(at))
            .for_each(|(to, from)| *to = *from);
        field
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0
            .iter_mut()
            .skip(at)
            .zip(bytes)
            .for_each(|(to, from)| *to = *from);
    }

    /// The ones' complement of the sum of all bytes but the checksum's own.
    fn sum(&self) -> u32 {
        let all: u32 = self.0.iter().map(|byte| u32::from(*byte)).sum();
        let own: u32 = self
            .field::<4>(64)
            .iter()
            .map(|byte| u32::from(*byte))
            .sum();
        !(all - own)
    }
}

/// Cylinders, heads and sectors as the VHD specification reckons them. Nobody goes by them any more.
fn geometry(sectors: u64) -> [u8; 4] {
    let sectors = sectors.min(65535 * 16 * 255);
    let (per_track, heads, cylinders_by_heads) = if sectors >= 65535 * 16 * 63 {
        (255, 16, sectors / 255)
    } else {
        let by = sectors / 17;
        let heads = by.div_ceil(1024).max(4);
        if by >= heads * 1024 || heads > 16 {
            let by = sectors / 31;
            if by >= 16 * 1024 {
                (63, 16, sectors / 63)
            } else {
                (31, 16, by)
            }
        } else {
            (17, heads, by)
        }
    };
    let cylinders = u16::try_from(cylinders_by_heads / heads)
        .unwrap_or(u16::MAX)
        .to_be_bytes();
    let small = |number: u64| u8::try_from(number).unwrap_or(u8::MAX);
    [cylinders[0], cylinders[1], small(heads), small(per_track)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: Identity = Identity {
        id: uuid::Uuid::from_u128(7),
        time: 1_700_000_000,
    };

    #[test]
    fn a_footer_reads_back() {
        let footer = Footer::new(4 << 30, IDENTITY);
        assert_eq!(Footer::parse(&footer.bytes()), Ok(footer.clone()));
        assert_eq!(footer.id(), IDENTITY.id);
        assert_eq!(footer.fits(4 << 30), Ok(()));
    }

    #[test]
    fn any_flipped_bit_breaks_a_footer() {
        let footer = Footer::new(4 << 30, IDENTITY).bytes();
        for bit in 0..SIZE * 8 {
            let mut broken = footer;
            broken[bit / 8] ^= 1 << (bit % 8);
            assert!(Footer::parse(&broken).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn half_a_mib_is_refused() {
        let size = MIB + MIB / 2;
        let invalid = Invalid::Size {
            expected: size,
            found: size,
        };
        assert_eq!(Footer::new(size, IDENTITY).fits(size), Err(invalid));
    }
}
