//! The gate: boots an image and reads the report that the agent inside makes of that boot.
//!
//! The machine has no network, writes into a layer that is thrown away, and ends with the report.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use crate::{
    cancel::Cancel,
    progress::Progress,
    qemu::{self, Accelerator},
    tool::{self, Running, Tool},
};

/// How the gate boots an image.
#[derive(Clone, Debug)]
pub struct Boot<'a> {
    /// The image: VHD, qcow2 or raw. It is never written to.
    pub image: &'a Path,
    /// What the report has to repeat, so that no old report can pass.
    pub challenge: &'a str,
    /// How long the machine may take until it has reported.
    pub timeout: Duration,
    /// Bytes of memory.
    pub memory: u64,
    /// Processors.
    pub cpus: u32,
    /// How QEMU runs the machine.
    pub accelerator: Accelerator,
    /// Where the machine's serial console is written.
    pub serial_log: &'a Path,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The work was to end.
    #[error("the boot of the image was cancelled")]
    Cancelled,
    /// The challenge would not get through to the machine.
    #[error("challenge `{0}` is not 1 to 128 of A-Z a-z 0-9 _ -")]
    Challenge(String),
    /// The machine ended without a report.
    #[error("the machine ended before it reported{}", last(serial))]
    Ended {
        /// The end of its serial console.
        serial: String,
    },
    /// A file cannot be read or written.
    #[error("failed to use `{path}`")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No UEFI firmware is installed.
    #[error("there is no UEFI firmware for QEMU")]
    NoFirmware,
    /// The machine wrote more than a report can be.
    #[error("the machine's report is larger than {LARGEST} bytes")]
    Large,
    /// The machine never reported.
    #[error("the machine did not report within {} s{}", after.as_secs(), last(serial))]
    Silent {
        /// How long it had.
        after: Duration,
        /// The end of its serial console.
        serial: String,
    },
    /// A program is missing or failed.
    #[error(transparent)]
    Tool(#[from] tool::Error),
}

impl Error {
    /// What the reader can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoFirmware => Some("install package `ovmf`".to_owned()),
            Self::Silent { .. } => Some(
                "a busy host makes emulated machines slow: `timeout` of the recipe's gate can be raised"
                    .to_owned(),
            ),
            Self::Tool(error) => error.hint(),
            _ => None,
        }
    }

    /// Says whether the work ended because it was to end.
    pub const fn is_cancelled(&self) -> bool {
        match self {
            Self::Cancelled => true,
            Self::Tool(error) => error.is_cancelled(),
            _ => false,
        }
    }

    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::File {
            path: path.to_owned(),
            source,
        }
    }
}

/// Boots the image and returns the line of JSON that its agent wrote.
pub fn boot(boot: &Boot<'_>, progress: &dyn Progress, cancel: &Cancel) -> Result<String, Error> {
    let well_formed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if !(1..=128).contains(&boot.challenge.len()) || !boot.challenge.bytes().all(well_formed) {
        return Err(Error::Challenge(boot.challenge.to_owned()));
    }
    let work = tempfile::Builder::new()
        .prefix("imagebuild-gate-")
        .tempdir()
        .map_err(Error::file(Path::new("/tmp")))?;
    let layer = layer(boot.image, work.path(), cancel)?;
    let report = work.path().join("report.json");
    File::create(&report).map_err(Error::file(&report))?;
    let mut machine = start(boot, &layer, &report)?;
    let since = Instant::now();
    loop {
        if let Some(line) = reported(&report)? {
            // The layer is thrown away, so there is nothing that the machine would have to finish.
            machine.stop();
            return Ok(line);
        }
        if machine.poll()?.is_some() {
            let stderr = machine.complaint();
            return Err(Error::Ended {
                serial: format!("{}\n{stderr}", serial(boot.serial_log)),
            });
        }
        let waited = since.elapsed();
        if waited > boot.timeout {
            machine.stop();
            let serial = serial(boot.serial_log);
            return Err(Error::Silent {
                after: boot.timeout,
                serial,
            });
        }
        progress.advance(waited.as_secs().min(USUAL), USUAL);
        if cancel.wait(Duration::from_millis(100)) {
            return Err(Error::Cancelled);
        }
    }
}

/// A layer over the image that takes all writes.
fn layer(image: &Path, work: &Path, cancel: &Cancel) -> Result<PathBuf, Error> {
    let image = fs::canonicalize(image).map_err(Error::file(image))?;
    let format = match image.extension().and_then(|extension| extension.to_str()) {
        Some("vhd" | "partial") => "vpc",
        Some("qcow2") => "qcow2",
        _ => "raw",
    };
    let layer = work.join("layer.qcow2");
    Tool::QemuImg
        .call()
        .args(["create", "-q", "-f", "qcow2", "-F", format, "-b"])
        .arg(image)
        .arg(&layer)
        .run(cancel)?;
    Ok(layer)
}

fn start(boot: &Boot<'_>, layer: &Path, report: &Path) -> Result<Running, Error> {
    let firmware = qemu::firmware().ok_or(Error::NoFirmware)?;
    let running = Tool::QemuSystem
        .call()
        .args(["-machine", "q35", "-accel", boot.accelerator.accel()])
        .args([
            "-cpu",
            boot.accelerator.cpu(),
            "-smp",
            &boot.cpus.to_string(),
        ])
        .args(["-m", &(boot.memory >> 20).to_string()])
        .args([
            "-nodefaults",
            "-display",
            "none",
            "-vga",
            "none",
            "-no-reboot",
            "-bios",
        ])
        .arg(firmware)
        .args(["-nic", "none", "-device", "virtio-rng-pci"])
        .arg("-drive")
        .arg(format!(
            "file={},if=virtio,format=qcow2,cache=unsafe",
            qemu::escaped(layer)
        ))
        .arg("-smbios")
        .arg(format!(
            "type=11,value=io.systemd.credential:dsvm-agent.challenge={}",
            boot.challenge
        ))
        .arg("-serial")
        .arg(format!("file:{}", boot.serial_log.display()))
        .arg("-chardev")
        .arg(format!("file,id=report,path={}", qemu::escaped(report)))
        .args(["-device", "virtio-serial-pci", "-device"])
        .arg("virtserialport,chardev=report,name=org.sealed-dsvm.report")
        .deadline(boot.timeout + Duration::from_mins(1))
        .ends_by(Signal::SIGKILL)
        .start()?;
    Ok(running)
}

/// The report, once all of its line is there.
fn reported(path: &Path) -> Result<Option<String>, Error> {
    let length = fs::metadata(path).map_err(Error::file(path))?.len();
    if length > LARGEST {
        return Err(Error::Large);
    }
    if length == 0 {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST).read_to_end(&mut bytes))
        .map_err(Error::file(path))?;
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        return Ok(None);
    };
    bytes.truncate(end);
    let text = String::from_utf8(bytes)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
        .map_err(Error::file(path))?;
    Ok(Some(text))
}

/// The last lines of the serial console, without the signs that colour them.
fn serial(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text
        .lines()
        .map(plain)
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines
        .get(lines.len().saturating_sub(SHOWN)..)
        .unwrap_or_default()
        .join("\n")
}

/// A line without terminal sequences and other control characters.
fn plain(line: &str) -> String {
    let mut plain = String::new();
    let mut signs = line.chars();
    while let Some(sign) = signs.next() {
        if sign == '\u{1b}' {
            // `ESC [ … letter`; anything else after ESC is one character.
            if signs.next() == Some('[') {
                signs.by_ref().find(|sign| ('@'..='~').contains(sign));
            }
        } else if !sign.is_control() {
            plain.push(sign);
        }
    }
    plain
}

fn last(serial: &str) -> String {
    let serial = serial.trim();
    if serial.is_empty() {
        "; its serial console is empty".to_owned()
    } else {
        format!("; the last lines of its serial console:\n{serial}")
    }
}

/// The largest report that is read.
const LARGEST: u64 = 16 << 20;
/// How many lines of the serial console an error shows.
const SHOWN: usize = 12;
/// How many seconds an emulated boot usually takes: what the progress is measured by.
const USUAL: u64 = 45;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::progress::Silent;

    fn gate(image: &Path, challenge: &str, log: &Path) -> Result<String, Error> {
        let timeout = Duration::from_secs(3);
        let (memory, cpus, accelerator) = (128 << 20, 1, Accelerator::Tcg);
        let how = Boot {
            image,
            challenge,
            timeout,
            memory,
            cpus,
            accelerator,
            serial_log: log,
        };
        boot(&how, &Silent, &Cancel::new())
    }

    #[test]
    fn a_challenge_that_qemu_could_take_for_options_is_refused() {
        let refused = gate(Path::new("x"), "a,value=b", Path::new("log"));
        assert!(matches!(refused, Err(Error::Challenge(_))));
    }

    #[test]
    fn an_image_that_never_reports_is_an_error_and_stays_as_it_was() {
        if Tool::QemuSystem.path().is_none() || qemu::firmware().is_none() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("empty image.raw");
        File::create(&image).unwrap().set_len(1 << 20).unwrap();
        let before = fs::metadata(&image).unwrap().modified().unwrap();
        let silent = gate(&image, "nonce", &folder.path().join("serial.log"));
        assert!(matches!(silent, Err(Error::Silent { .. })), "{silent:?}");
        assert_eq!(fs::metadata(&image).unwrap().modified().unwrap(), before);
    }

    #[test]
    fn half_a_line_is_no_report() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"{\"schema\"").unwrap();
        assert_eq!(reported(&path).unwrap(), None);
        file.write_all(b":1}\nmore").unwrap();
        assert_eq!(reported(&path).unwrap().unwrap(), "{\"schema\":1}");
    }

    #[test]
    fn a_guest_cannot_fill_memory_with_its_report() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report");
        File::create(&path).unwrap().set_len(LARGEST + 1).unwrap();
        assert!(matches!(reported(&path), Err(Error::Large)));
    }

    #[test]
    fn colours_of_a_console_are_left_out() {
        assert_eq!(plain("\u{1b}[0;32m  OK  \u{1b}[0m done\r"), "  OK   done");
    }
}
