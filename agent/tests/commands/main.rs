//! The program as people and scripts use it, on machines that are folders.
#![expect(
    clippy::disallowed_methods,
    reason = "tests set machines up as they like"
)]

mod check;
mod enforce;
mod generate;
mod import;
mod machine;
mod nonsense;
mod policy;
mod report;
