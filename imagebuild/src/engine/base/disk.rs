//! A folder becomes a disk that boots by UEFI: GPT, an EFI partition with systemd-boot, an ext4 root.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{BaseSpec, Error, Identity, root::EPOCH};
use crate::{
    cancel::Cancel,
    tool::{Call, Tool},
};

const MIB: u64 = 1 << 20;
/// Where the EFI partition begins.
const ESP_START: u64 = MIB;
/// Room for the boot loader and three kernels.
const ESP_SIZE: u64 = 127 * MIB;
/// Where the root begins.
const ROOT_START: u64 = ESP_START + ESP_SIZE;
/// What GPT keeps at the end for its second table, rounded up.
const END: u64 = MIB;
/// The smallest root that holds a Debian with a kernel.
const SMALLEST_ROOT: u64 = 1024 * MIB;

/// Writes the disk as a sparse raw image inside `work`.
pub(super) fn write(
    spec: &BaseSpec,
    identity: &Identity,
    root: &Path,
    work: &Path,
    cancel: &Cancel,
) -> Result<PathBuf, Error> {
    let size = spec.disk_size;
    let root_size = size
        .checked_sub(ROOT_START + END)
        .filter(|room| size.is_multiple_of(MIB) && *room >= SMALLEST_ROOT)
        .ok_or(Error::Size { size })?;
    let disk = work.join("disk.raw");
    File::create(&disk)
        .and_then(|file| file.set_len(size))
        .map_err(Error::file(&disk))?;

    let id = identity.id("root");
    let fstab = format!("UUID={id} / ext4 defaults,errors=remount-ro 0 1\n");
    text(&root.join("etc/fstab"), &fstab)?;
    esp(identity, root, &disk, work, cancel)?;
    dated(Tool::Mke2fs)
        .args(["-q", "-F", "-t", "ext4", "-L", "root", "-m", "1"])
        .arg("-U")
        .arg(id.to_string())
        .arg("-E")
        .arg(format!(
            "offset={ROOT_START},hash_seed={},lazy_itable_init=1,lazy_journal_init=1,nodiscard",
            identity.id("hash seed")
        ))
        .arg("-d")
        .arg(root)
        .arg(&disk)
        .arg(format!("{}k", root_size / 1024))
        .deadline(DEADLINE)
        .run(cancel)?;
    table(identity, root_size, &disk, cancel)?;
    Ok(disk)
}

/// Writes the EFI partition: the boot loader, its entry, the kernel and its initial file system.
fn esp(
    identity: &Identity,
    root: &Path,
    disk: &Path,
    work: &Path,
    cancel: &Cancel,
) -> Result<(), Error> {
    let boot = root.join("boot");
    let version = fs::read_dir(&boot)
        .map_err(Error::file(&boot))?
        .flatten()
        .filter_map(|entry| {
            entry
                .file_name()
                .to_str()?
                .strip_prefix("vmlinuz-")
                .map(str::to_owned)
        })
        .max()
        .ok_or(Error::NoKernel)?;
    let cmdline = root.join("etc/kernel/cmdline");
    let options = fs::read_to_string(&cmdline).map_err(Error::file(&cmdline))?;
    let (loader, entry) = (work.join("loader.conf"), work.join("entry.conf"));
    text(&loader, "timeout 0\neditor no\n")?;
    text(
        &entry,
        &format!(
            "title Sealed DSVM\nversion {version}\nlinux /sealed/{version}/linux\n\
             initrd /sealed/{version}/initrd.img-{version}\noptions {}\n",
            options.trim()
        ),
    )?;

    let volume = format!("{:.8}", identity.id("esp").simple().to_string());
    let offset = format!("{}@@{ESP_START}", disk.display());
    dated(Tool::MkfsVfat)
        .args([
            "--invariant",
            "-F",
            "32",
            "-s",
            "1",
            "-n",
            "ESP",
            "-i",
            &volume,
        ])
        .arg(format!("--offset={}", ESP_START / SECTOR))
        .arg(disk)
        .arg((ESP_SIZE / 1024).to_string())
        .run(cancel)?;
    dated(Tool::Mmd)
        .args([
            "-i",
            &offset,
            "::EFI",
            "::EFI/BOOT",
            "::EFI/systemd",
            "::loader",
        ])
        .args(["::loader/entries", "::sealed"])
        .arg(format!("::sealed/{version}"))
        .run(cancel)?;
    let bootx64 = root.join("usr/lib/systemd/boot/efi/systemd-bootx64.efi");
    for (from, to) in [
        (&bootx64, "::EFI/BOOT/BOOTX64.EFI".to_owned()),
        (&bootx64, "::EFI/systemd/systemd-bootx64.efi".to_owned()),
        (&loader, "::loader/loader.conf".to_owned()),
        (&entry, format!("::loader/entries/sealed-{version}.conf")),
        (
            &boot.join(format!("vmlinuz-{version}")),
            format!("::sealed/{version}/linux"),
        ),
        (
            &boot.join(format!("initrd.img-{version}")),
            format!("::sealed/{version}/initrd.img-{version}"),
        ),
    ] {
        dated(Tool::Mcopy)
            .args(["-i", &offset])
            .arg(from)
            .arg(to)
            .run(cancel)?;
    }
    Ok(())
}

/// Writes the partition table. It touches nothing inside the partitions.
fn table(identity: &Identity, root_size: u64, disk: &Path, cancel: &Cancel) -> Result<(), Error> {
    let script = format!(
        "label: gpt\nlabel-id: {}\n\
         start={}, size={}, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid={}, name=esp\n\
         start={}, size={}, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, uuid={}, name=root\n",
        identity.id("disk"),
        ESP_START / SECTOR,
        ESP_SIZE / SECTOR,
        identity.id("esp partition"),
        ROOT_START / SECTOR,
        root_size / SECTOR,
        identity.id("root partition"),
    );
    Tool::Sfdisk
        .call()
        .args([
            "--quiet",
            "--wipe",
            "never",
            "--wipe-partitions",
            "never",
            "--no-reread",
        ])
        .args(["--no-tell-kernel"])
        .arg(disk)
        .input(script)
        .run(cancel)?;
    Ok(())
}

/// A call of a program that writes times into file systems: always the same time.
fn dated(tool: Tool) -> Call {
    tool.call()
        .env("SOURCE_DATE_EPOCH", EPOCH.to_string())
        .env("E2FSPROGS_FAKE_TIME", EPOCH.to_string())
        .env("MTOOLS_SKIP_CHECK", "1")
}

fn text(path: &Path, text: &str) -> Result<(), Error> {
    File::create(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(Error::file(path))
}

/// Bytes of a sector, the unit of partition tables.
const SECTOR: u64 = 512;
/// How long writing the root may take.
const DEADLINE: Duration = Duration::from_mins(10);
