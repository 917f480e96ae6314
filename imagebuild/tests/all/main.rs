//! What `imagebuild` does for a maintainer, as far as no machine has to be booted for it.

#![expect(
    clippy::disallowed_methods,
    reason = "tests run the program and damage files"
)]

mod build;
mod commands;
mod desk;
mod import;
mod input;
mod lock;
mod verify;
