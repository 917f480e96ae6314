//! What `imagebuild` does for a maintainer, as far as no machine has to be booted for it.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests run the program, damage files, and fail where something is not as expected"
)]

mod build;
mod commands;
mod desk;
mod image;
mod import;
mod input;
mod lock;
mod verify;
