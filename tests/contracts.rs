//! Holds the repository to what its documents say.

#[path = "contracts/crates.rs"]
mod crates;
#[path = "contracts/documents.rs"]
mod documents;
#[path = "contracts/sources.rs"]
mod sources;
#[path = "contracts/units.rs"]
mod units;
