//! The root file system as a folder.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{BaseSpec, Error};
use crate::{cancel::Cancel, debian::Package, progress::Progress, tool::Tool};

/// What the root has before its first package is installed.
pub(super) const FILES: [(&str, &str); 7] = [
    (
        "etc/initramfs-tools/conf.d/sealed.conf",
        include_str!("../../../../packer/base/root/etc/initramfs-tools/conf.d/sealed.conf"),
    ),
    (
        "etc/initramfs-tools/modules",
        include_str!("../../../../packer/base/root/etc/initramfs-tools/modules"),
    ),
    (
        "etc/kernel/cmdline",
        include_str!("../../../../packer/base/root/etc/kernel/cmdline"),
    ),
    (
        "etc/kernel/entry-token",
        include_str!("../../../../packer/base/root/etc/kernel/entry-token"),
    ),
    (
        "etc/systemd/network/50-dhcp.network",
        include_str!("../../../../packer/base/root/etc/systemd/network/50-dhcp.network"),
    ),
    (
        "etc/systemd/resolved.conf.d/10-quiet.conf",
        include_str!("../../../../packer/base/root/etc/systemd/resolved.conf.d/10-quiet.conf"),
    ),
    (
        "etc/systemd/system/xrdp.service.d/10-keys.conf",
        include_str!("../../../../packer/base/root/etc/systemd/system/xrdp.service.d/10-keys.conf"),
    ),
];
/// What makes a base of an installed Debian.
pub(super) const CUSTOMIZE: &str = include_str!("../../../../packer/base/customize.sh");

/// Installs the packages of `repository` into a folder inside `work`.
pub(super) fn install(
    spec: &BaseSpec,
    packages: &[Package],
    repository: &Path,
    work: &Path,
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Result<PathBuf, Error> {
    let skeleton = work.join("skeleton");
    for (name, content) in FILES {
        write(&skeleton.join(name), content)?;
    }
    let customize = work.join("customize.sh");
    write(&customize, CUSTOMIZE)?;
    let users: Vec<_> = spec
        .users
        .iter()
        .map(|user| format!("{}:{}", user.name, user.groups.join(",")))
        .collect();
    let names: Vec<_> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let root = work.join("root");
    let log = work.join("mmdebstrap.log");
    // The hooks are shell text; paths reach them through the environment, which needs no quoting.
    let call = Tool::Mmdebstrap
        .call()
        .env("SOURCE_DATE_EPOCH", EPOCH.to_string())
        .env("SEALED_SKELETON", &skeleton)
        .env("SEALED_CUSTOMIZE", &customize)
        .env("SEALED_USERS", users.join("\n"))
        .env("TMPDIR", work)
        .args(["--mode=root", "--variant=custom", "--format=directory"])
        .args(["--dpkgopt=force-unsafe-io", "--skip=cleanup/reproducible"])
        .arg(format!("--include={}", names.join(",")))
        .arg(r#"--setup-hook=cp -r "$SEALED_SKELETON/." "$1/""#)
        .arg(r#"--customize-hook=sh "$SEALED_CUSTOMIZE" "$1""#)
        .arg(&spec.suite)
        .arg(&root)
        .arg(format!(
            "deb [trusted=yes] copy://{} ./",
            escaped(repository)
        ))
        .deadline(DEADLINE)
        .log(File::create(&log).map_err(Error::file(&log))?);
    let total = u64::try_from(packages.len()).unwrap_or(u64::MAX);
    let mut tick = || progress.advance(installed(&root).min(total), total);
    call.run_watched(cancel, &mut tick)
        .map_err(|error| error.with_log(&log))?;
    Ok(root)
}

/// How many packages dpkg has put into the root so far.
fn installed(root: &Path) -> u64 {
    let lists = fs::read_dir(root.join("var/lib/dpkg/info"))
        .into_iter()
        .flatten()
        .flatten();
    let count = lists
        .filter(|entry| entry.path().extension().is_some_and(|end| end == "list"))
        .count();
    u64::try_from(count).unwrap_or_default()
}

fn write(path: &Path, content: &str) -> Result<(), Error> {
    let make = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        File::create(path)?.write_all(content.as_bytes())
    };
    make().map_err(Error::file(path))
}

/// A path as part of an address.
fn escaped(path: &Path) -> String {
    let mut address = String::new();
    for byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~+".contains(byte) {
            address.push(char::from(*byte));
        } else {
            address.push('%');
            address.push_str(&hex::encode([*byte]));
        }
    }
    address
}

/// The time that everything in a base claims to be from: 2023-11-14.
pub(super) const EPOCH: u64 = 1_700_000_000;
/// How long installing may take; minutes on a machine that is busy with other things.
const DEADLINE: Duration = Duration::from_mins(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_no_spaces() {
        assert_eq!(escaped(Path::new("/my cache/a")), "/my%20cache/a");
    }
}
