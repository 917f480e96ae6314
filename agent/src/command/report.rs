//! `report`: prints the latest kept report of this boot.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use crate::cli::{Report, ReportFormat};
use crate::exit::{Exit, Failure};
use crate::host::Inspect as _;
use crate::host::live::Live;
use crate::store::{self, Kept};
use crate::{files, identity, output};

/// A report that cannot be given out.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("no report is kept under `{root}`")]
    None { root: PathBuf },
    #[error(
        "the latest report, number {sequence}, is of another boot: expected {expected}, found {found}"
    )]
    OtherBoot {
        sequence: u64,
        expected: String,
        found: String,
    },
    #[error("`{path}` is neither a file nor a character device")]
    OddOutput { path: PathBuf },
    #[error("device `{path}` is not there")]
    NoDevice { path: PathBuf },
}

pub(super) fn run(args: &Report) -> Result<Exit, Failure> {
    let kept = store::latest(&args.root).map_err(Failure::unable)?;
    let Some(kept) = kept else {
        let none = Error::None {
            root: args.root.clone(),
        };
        return Err(Failure::unable(none)
            .hint("dsvm-agent.service keeps one at every pass; `dsvm-agent check` looks now"));
    };
    if !args.any_boot {
        of_this_boot(&kept, &Live::at(&args.root).map_err(Failure::unable)?)?;
    }
    let text = match args.format {
        ReportFormat::Html => policies::html::render(&kept.report).into_bytes(),
        ReportFormat::Json => kept.bytes,
        ReportFormat::Text => output::report::text(&kept.report).into_bytes(),
    };
    match &args.output {
        Some(path) => write(path, &text)?,
        None if args.format == ReportFormat::Text => output::text(&String::from_utf8_lossy(&text))?,
        None => output::bytes(&text)?,
    }
    Ok(Exit::Conforms)
}

/// A report of an earlier boot says nothing about the machine as it runs.
fn of_this_boot(kept: &Kept, host: &Live) -> Result<(), Failure> {
    if !host.is_running() {
        return Ok(());
    }
    let expected = identity::boot_id(host).map_err(Failure::unable)?;
    let found = kept.report.machine.boot_id.clone();
    if expected.is_some() && expected == found {
        return Ok(());
    }
    let word = |boot: Option<String>| boot.unwrap_or_else(|| "not known".to_owned());
    let (expected, found) = (word(expected), word(found));
    let other = Error::OtherBoot {
        sequence: kept.report.sequence,
        expected,
        found,
    };
    Err(Failure::unable(other).hint("`--any-boot` shows it all the same"))
}

/// Writes to a device as it is, and to a file as a whole. A device is neither made nor truncated: a
/// missing port must not become a file that nobody reads.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    match fs::metadata(path) {
        Ok(found) if found.file_type().is_char_device() => {
            let flags = OFlag::O_NOCTTY.bits();
            let opened = OpenOptions::new()
                .write(true)
                .custom_flags(flags)
                .open(path);
            let mut device = opened
                .map_err(files::Error::io("open", path))
                .map_err(Failure::unable)?;
            device
                .write_all(bytes)
                .map_err(files::Error::io("write", path))
                .map_err(Failure::unable)
        }
        Ok(found) if !found.is_file() => {
            Err(Failure::bad_input(Error::OddOutput { path: path.into() }))
        }
        Err(_) if path.starts_with("/dev") => {
            Err(Failure::unable(Error::NoDevice { path: path.into() }))
        }
        Ok(_) | Err(_) => files::write(path, bytes, 0o640).map_err(Failure::unable),
    }
}
