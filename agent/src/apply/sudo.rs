//! What `sudo` reads.

use policies::plan::Change;

use super::{Error, OWN, put};
use crate::host::{Alter, Question};

/// The agent's own options.
const FILE: &str = "/etc/sudoers.d/dsvm-agent";

/// Makes `sudo` use a terminal of its own.
pub(super) fn require_pty(host: &mut impl Alter) -> Result<Change, Error> {
    let text = format!("{OWN}\nDefaults use_pty\n");
    if host.is_running() {
        // With a file that it does not take, sudo refuses everybody.
        let answer = host.ask(&Question::SudoersTakes(text.clone()))?;
        if !answer.is_good() {
            return Err(Error::Refused {
                program: "sudo",
                path: FILE,
                complaint: answer.complaint,
            });
        }
    }
    put(FILE, &text, 0o440, host)
}
