//! `run`: the systemd service.

use crate::cli::Run;
use crate::daemon;
use crate::exit::{Exit, Failure};

pub(super) fn run(args: &Run) -> Result<Exit, Failure> {
    daemon::run(args)
}
