//! The lab, and what no single crate can prove.
//!
//! - `contracts` holds the repository to what its documents say.
//! - `end_to_end` builds and boots a real image, as a user would.

/// The lab: everything of Azure that the programs talk to, on this machine.
pub mod lab;
/// The repository: where it is, and which files git tracks in it.
pub mod repository;
