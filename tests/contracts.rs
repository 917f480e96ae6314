//! Holds the repository to what its documents say.

#![allow(
    clippy::case_sensitive_file_extension_comparisons,
    clippy::expect_used,
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests: what is not as it must be ends them"
)]

#[path = "contracts/crates.rs"]
mod crates;
#[path = "contracts/documents.rs"]
mod documents;
#[path = "contracts/sources.rs"]
mod sources;
#[path = "contracts/units.rs"]
mod units;
