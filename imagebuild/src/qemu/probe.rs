//! Does KVM work here? A machine of one boot sector is started with it and has a few seconds to say so.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
    time::Duration,
};

use super::Accelerator;
use crate::{
    cancel::Cancel,
    tool::{Error, Tool},
};

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
    let found = if boots("kvm") {
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

/// Says whether a machine with this accelerator gets as far as running its boot sector.
fn boots(accel: &str) -> bool {
    let start = || -> io::Result<_> {
        let mut disk = tempfile::NamedTempFile::new()?;
        disk.write_all(&boot_sector())?;
        Ok(disk)
    };
    let Ok(disk) = start() else { return false };
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
            "-drive",
        ])
        .arg(format!(
            "file={},format=raw,if=virtio,readonly=on",
            disk.path().display()
        ))
        .deadline(DEADLINE)
        .ends_by(nix::sys::signal::Signal::SIGKILL)
        .run(&Cancel::new());
    matches!(ended, Err(Error::Failed { status, .. }) if status.code() == Some(ALIVE * 2 + 1))
}

/// A boot sector that writes one byte to the port that ends QEMU: `mov al, ALIVE; out 0xf4, al; hlt`.
fn boot_sector() -> [u8; 512] {
    let mut sector = [0; 512];
    let program = [0xb0, 0x2a, 0xe6, 0xf4, 0xf4];
    sector
        .iter_mut()
        .zip(program)
        .for_each(|(to, from)| *to = from);
    sector[510] = 0x55;
    sector[511] = 0xaa;
    sector
}

/// What the boot sector says. QEMU ends with twice that and one.
const ALIVE: i32 = 0x2a;
/// How long a machine may take to run its boot sector; one that works takes a fifth of a second.
const DEADLINE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_works_is_told_from_one_that_does_not() {
        if Tool::QemuSystem.path().is_none() {
            return;
        }
        assert!(boots("tcg"));
        assert!(!boots("no-such-accelerator"));
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
