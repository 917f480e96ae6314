//! Blocks: pieces of a file, in buffers that are used again and again.

use std::fs::File;
use std::io::{self, Read as _};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A piece of a file.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// Its number, from zero.
    pub index: u32,
    /// What is in it.
    pub bytes: Bytes,
    /// Its checksum.
    pub crc64: [u8; 8],
}

impl Block {
    /// The name of the block in the service. It says what is in the block, so that a staged one is used again
    /// only if the file still has the same piece in the same place.
    pub(super) fn id(&self) -> Vec<u8> {
        format!("dsvm-{:08x}-{}", self.index, hex::encode(self.crc64)).into_bytes()
    }
}

/// The checksum that the service compares blocks with: CRC-64/NVME, least byte first.
pub(super) fn crc64(bytes: &[u8]) -> [u8; 8] {
    let mut digest = crc64fast_nvme::Digest::new();
    digest.write(bytes);
    digest.sum64().to_le_bytes()
}

/// How long the blocks of a file are, and how many may be in memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Cut {
    /// Bytes of a block.
    pub length: usize,
    /// Blocks in memory.
    pub most: usize,
}

/// Most memory that blocks take. A program that uploads must do with less than 64 MB in all.
const MEMORY: usize = 32 * 1024 * 1024;

/// Usual length of a block: long enough that requests do not count, short enough that one that fails is soon
/// sent again.
const LENGTH: usize = 4 * 1024 * 1024;

/// Most blocks of a blob, which is the service's limit.
const BLOCKS: u64 = 50_000;

impl Cut {
    /// Cuts a file of this size, or says that it is too long.
    pub(super) fn of(size: u64) -> Option<Self> {
        let least = usize::try_from(size.div_ceil(BLOCKS)).ok()?;
        let length = least.max(LENGTH).checked_next_multiple_of(1024 * 1024)?;
        let most = MEMORY / length;
        // With fewer than two, reading and sending could not overlap.
        (most >= 2).then_some(Self { length, most })
    }
}

/// Buffers for blocks: as many as may be in memory, each used again when its block is gone.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    length: usize,
    idle: Arc<Mutex<Vec<Vec<u8>>>>,
    places: Arc<Semaphore>,
}

/// A buffer that goes back to its pool.
struct Buffer {
    content: Vec<u8>,
    idle: Arc<Mutex<Vec<Vec<u8>>>>,
    _place: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.content
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let content = std::mem::take(&mut self.content);
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(content);
    }
}

impl Pool {
    pub(super) fn new(cut: Cut) -> Self {
        Self {
            length: cut.length,
            idle: Arc::default(),
            places: Arc::new(Semaphore::new(cut.most)),
        }
    }

    /// Waits for a place in memory. None when the pool is closed.
    pub(super) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).acquire_owned().await.ok()
    }

    /// Ends all waiting for places.
    pub(super) fn close(&self) {
        self.places.close();
    }

    /// Reads the next piece of a file; none at its end.
    pub(super) fn read(
        &self,
        file: &mut File,
        place: OwnedSemaphorePermit,
    ) -> io::Result<Option<Bytes>> {
        let mut content = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut content = content
            .take()
            .unwrap_or_else(|| Vec::with_capacity(self.length));
        content.clear();
        let most = u64::try_from(self.length).unwrap_or(u64::MAX);
        let read = file.take(most).read_to_end(&mut content);
        let buffer = Buffer {
            content,
            idle: Arc::clone(&self.idle),
            _place: place,
        };
        read.map(|length| (length > 0).then(|| Bytes::from_owner(buffer)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_that_storage_uses() {
        // The check value of CRC-64/NVME.
        assert_eq!(
            u64::from_le_bytes(crc64(b"123456789")),
            0xAE8B_1486_0A79_9888
        );
    }

    #[test]
    fn files_of_every_size_fit_into_the_blocks_of_a_blob() {
        for (size, expected) in [
            (0, Some((4, 8))),
            (2 << 30, Some((4, 8))),
            (195 << 30, Some((4, 8))),
            (300 << 30, Some((7, 4))),
            (700 << 30, Some((15, 2))),
            (2 << 40, None),
        ] {
            let cut = Cut::of(size).map(|cut| (cut.length >> 20, cut.most));
            assert_eq!(cut, expected, "{size}");
            if let Some(cut) = Cut::of(size) {
                assert!(
                    size.div_ceil(u64::try_from(cut.length).unwrap()) <= BLOCKS,
                    "{size}"
                );
            }
        }
    }

    #[test]
    fn a_block_is_named_by_its_place_and_its_content() {
        let block = |index, bytes: &'static [u8]| Block {
            index,
            bytes: Bytes::from_static(bytes),
            crc64: crc64(bytes),
        };
        assert_ne!(block(0, b"a").id(), block(1, b"a").id());
        assert_ne!(block(0, b"a").id(), block(0, b"b").id());
        assert_eq!(block(0, b"a").id().len(), block(49_999, b"b").id().len());
    }
}
