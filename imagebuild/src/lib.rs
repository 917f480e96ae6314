//! Makes, checks and publishes images of research VMs.
//!
//! ```text
//! recipe ─▶ lock ─▶ stage ─▶ base ─▶ engine ─▶ convert ─▶ gate ─▶ custody
//!           pins   receipts   disk   packer     VHD       boot    signed statement
//! ```
//! Nothing enters an image but through the lock and the signed receipts of the import flow, and no image
//! gets its final name before it was booted and the agent inside it reported that it conforms.

/// The wish to stop.
pub mod cancel;
/// Debian packages.
pub mod debian;
/// Signed envelopes.
pub mod dsse;
/// What turns a base disk into an image.
pub mod engine;
/// How the program ends.
pub mod exit;
/// Files: capped, atomic, digested.
pub mod files;
/// Boots an image and reads its report.
pub mod gate;
/// The way by which binaries come in.
pub mod import;
/// Statements about files.
pub mod intoto;
/// What long work tells.
pub mod progress;
/// Machines of this host.
pub mod qemu;
/// What an image is made of.
pub mod recipe;
/// The key that statements are signed with.
pub mod sign;
/// Programs that may be run.
pub mod tool;
/// The disk format that Azure takes.
pub mod vhd;
