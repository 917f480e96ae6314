//! Makes images of research VMs: from a recipe to a disk that was booted and checked.

pub mod cancel;
pub mod debian;
pub mod engine;
pub mod gate;
pub mod progress;
pub mod qemu;
pub mod tool;
pub mod vhd;
