//! Does KVM work here? A machine of five instructions is started with it and has a few seconds to say so.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
    time::Duration,
};

use nix::sys::signal::Signal;

use super::Accelerator;
use crate::{
    cancel::Cancel,
    tool::{Error, Tool},
};

/// Tries KVM out, unless that was done since the host booted.
pub(super) fn accelerator(cache: &Path) -> Accelerator {
    if File::options()
        .read(true)
        .write(true)
        .open("/dev/kvm")
        .is_err()
    {
        return Accelerator::Tcg;
    }
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let known = cache.join("accelerator.json");
    if let Some(found) = remembered(&known, &boot) {
        return found;
    }
    let works = boots("kvm").unwrap_or_else(|error| {
        tracing::debug!(%error, "KVM cannot be tried out");
        false
    });
    let found = if works {
        Accelerator::Kvm
    } else {
        Accelerator::Tcg
    };
    if let Err(error) = remember(&known, &boot, found) {
        tracing::debug!(%error, "the accelerator is found out again next time");
    }
    found
}

fn remembered(known: &Path, boot: &str) -> Option<Accelerator> {
    let (of, found): (String, Accelerator) = serde_json::from_slice(&fs::read(known).ok()?).ok()?;
    (of == boot && !boot.is_empty()).then_some(found)
}

fn remember(known: &Path, boot: &str, found: Accelerator) -> io::Result<()> {
    let folder = known.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer(&mut file, &(boot, found))?;
    file.persist(known)?;
    Ok(())
}

/// Says whether a machine with this accelerator gets as far as running its first instructions.
fn boots(accel: &str) -> io::Result<bool> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(&firmware())?;
    let ended = Tool::QemuSystem
        .call()
        .args([
            "-accel",
            accel,
            "-m",
            "32",
            "-nodefaults",
            "-display",
            "none",
            "-vga",
            "none",
        ])
        .args([
            "-no-reboot",
            "-device",
            "isa-debug-exit,iobase=0xf4,iosize=1",
            "-bios",
        ])
        .arg(file.path())
        .deadline(DEADLINE)
        .ends_by(Signal::SIGKILL)
        .run(&Cancel::new());
    Ok(matches!(ended, Err(Error::Failed { status, .. }) if status.code() == Some(ALIVE)))
}

/// A firmware whose first instructions end QEMU: `mov al, 0x2a; out 0xf4, al; hlt`.
fn firmware() -> Vec<u8> {
    let mut firmware = vec![0xf4; SIZE];
    // Processors start sixteen bytes before the end of the firmware.
    let start = firmware.iter_mut().skip(SIZE - 16);
    start
        .zip([0xb0, 0x2a, 0xe6, 0xf4, 0xf4])
        .for_each(|(to, from)| *to = from);
    firmware
}

/// QEMU takes firmware in units of 64 KiB.
const SIZE: usize = 64 * 1024;
/// How QEMU ends for a machine that says 0x2a: with twice that and one.
const ALIVE: i32 = 0x2a * 2 + 1;
/// How long a machine may take to run five instructions; one that works takes a fifth of a second.
const DEADLINE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_works_is_told_from_one_that_does_not() {
        if Tool::QemuSystem.path().is_none() {
            eprintln!("skipped: qemu is not installed");
            return;
        }
        assert!(boots("tcg").unwrap());
        assert!(!boots("no-such-accelerator").unwrap());
    }

    #[test]
    fn what_was_found_out_before_the_last_boot_is_forgotten() {
        let cache = tempfile::tempdir().unwrap();
        let known = cache.path().join("accelerator.json");
        remember(&known, "one", Accelerator::Kvm).unwrap();
        assert_eq!(remembered(&known, "one"), Some(Accelerator::Kvm));
        assert_eq!(remembered(&known, "two"), None);
    }
}
