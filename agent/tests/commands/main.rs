//! The program as people and scripts use it, on machines that are folders.
#![expect(
    clippy::disallowed_methods,
    reason = "tests set machines up as they like"
)]
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what fails here must fail the test"
)]

mod check;
mod enforce;
mod generate;
mod import;
mod machine;
mod nonsense;
mod policy;
mod report;
