//! Makes, checks and publishes images of research VMs.
//!
//! ```text
//! recipe ─▶ lock ─▶ stage ─▶ base ─▶ engine ─▶ convert ─▶ gate ─▶ custody
//!           pins   receipts   disk   packer     VHD       boot    signed statement
//! ```
//! Nothing enters an image but through the lock and the signed receipts of the import flow, and no image
//! gets its final name before it was booted and the agent inside it reported that it conforms.

/// The agent's Debian package.
pub mod agent;
/// From a lock to an image with its final name.
pub mod build;
/// The folder for what can be made again.
pub mod cache;
/// The wish to stop.
pub mod cancel;
/// The command line.
pub mod cli;
/// The subcommands, one file each.
pub mod command;
/// One signature over everything that speaks for an image.
pub mod custody;
/// Debian packages.
pub mod debian;
/// What differs between two images.
pub mod diff;
/// Whether this machine can make images.
pub mod doctor;
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
/// How long phases took the last time.
pub mod history;
/// A finished image, read without booting it.
pub mod image;
/// The way by which binaries come in.
pub mod import;
/// Statements about files.
pub mod intoto;
/// Judges the report of a boot.
pub mod judge;
/// What an image is made of, pinned.
pub mod lock;
/// What a build would do, and why.
pub mod plan;
/// Policies on disk.
pub mod policy;
/// What long work tells.
pub mod progress;
/// Machines of this host.
pub mod qemu;
/// What an image is made of.
pub mod recipe;
/// What an image consists of.
pub mod sbom;
/// The key that statements are signed with.
pub mod sign;
/// Programs that may be run.
pub mod tool;
/// The one place that prints.
pub mod ui;
/// Verifies a build's output.
pub mod verify;
/// The disk format that Azure takes.
pub mod vhd;
