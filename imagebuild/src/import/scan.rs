use std::{path::Path, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    cancel::Cancel,
    files,
    tool::{Error, Tool},
};

/// What came of scanning a binary.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", tag = "result")]
pub enum Verdict {
    /// The scanner found nothing.
    Clean {
        /// The scanner with its version and that of its signatures.
        scanner: String,
    },
    /// It was not scanned.
    NotScanned {
        /// Why not.
        reason: String,
    },
    /// The scanner found something.
    Refused {
        /// The scanner with its version and that of its signatures.
        scanner: String,
        /// What it found.
        finding: String,
    },
}

/// The scanner as it is on this machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Scanner {
    /// There is none.
    Missing,
    /// It has no signatures, so it would find nothing.
    NoSignatures,
    /// It can scan.
    Ready {
        /// Its version, and that of its signatures.
        version: String,
    },
}

impl std::fmt::Display for Scanner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => write!(f, "no scanner is installed"),
            Self::NoSignatures => write!(f, "the scanner has no signatures"),
            Self::Ready { version } => write!(f, "{version}"),
        }
    }
}

/// Looks for the scanner. `database` holds signatures that it would use instead of its own.
pub fn scanner(database: Option<&Path>, cancel: &Cancel) -> Result<Scanner, Error> {
    if Tool::Clamscan.path().is_none() {
        return Ok(Scanner::Missing);
    }
    let output = Tool::Clamscan.call().arg("--version").run(cancel)?;
    let version = output.text().trim().to_owned();
    Ok(match database {
        Some(database) => Scanner::Ready {
            version: format!("{version}, signatures {}", database.display()),
        },
        // `ClamAV 1.4.3/27700/Mon Jul 14 …`: without signatures there is only the program's version.
        None if version.contains('/') => Scanner::Ready { version },
        None => Scanner::NoSignatures,
    })
}

/// Scans one file, with the scanner's own signatures or those of `database`.
pub fn scan(
    file: &Path,
    scanner: String,
    database: Option<&Path>,
    cancel: &Cancel,
) -> Result<Verdict, Error> {
    let failed = |source| Error::Run {
        tool: Tool::Clamscan,
        source,
    };
    // `clamscan` tells what it found on standard output, which a failed call does not hand back.
    let log = tempfile::NamedTempFile::new().map_err(failed)?;
    let mut call = Tool::Clamscan
        .call()
        .args([
            "--no-summary",
            "--alert-exceeds-max=yes",
            "--max-filesize=2000M",
            "--max-scansize=4000M",
        ])
        .arg(format!("--log={}", log.path().display()))
        .deadline(LONGEST);
    if let Some(database) = database {
        call = call.arg(format!("--database={}", database.display()));
    }
    match call.arg(file).run(cancel) {
        Ok(_) => Ok(Verdict::Clean { scanner }),
        // clamscan(1), RETURN CODES: 1 is "virus(es) found", everything above is an error.
        Err(Error::Failed { status, .. }) if status.code() == Some(1) => {
            let said = files::text(log.path(), MOST_BYTES).unwrap_or_default();
            let finding = said.lines().find_map(|line| {
                line.strip_suffix(" FOUND")?
                    .rsplit_once(": ")
                    .map(|(_, name)| name.to_owned())
            });
            let finding = finding.unwrap_or_else(|| "the scanner found something".to_owned());
            Ok(Verdict::Refused { scanner, finding })
        }
        Err(error) => Err(error),
    }
}

/// How long scanning one file may take, loading the signatures included.
const LONGEST: Duration = Duration::from_mins(15);
/// How much of the scanner's log is read.
const MOST_BYTES: u64 = 1 << 20;
