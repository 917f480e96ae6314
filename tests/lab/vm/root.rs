//! The machine's root: made once from Debian packages, then kept.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use nix::fcntl::{Flock, FlockArg};
use sha2::{Digest, Sha256};

use super::{OPERATOR, PASSWORD, RESEARCHER};
use crate::lab::network::addresses;
use crate::lab::run::cache;

/// The release.
const SUITE: &str = "bookworm";

/// What a research desktop has at the least.
const PACKAGES: [&str; 20] = [
    "adduser",
    "ca-certificates",
    "curl",
    "dbus",
    "fuse3",
    "iproute2",
    "iputils-ping",
    "kmod",
    "libpam-systemd",
    "nftables",
    "openssh-server",
    "passwd",
    "procps",
    "python3",
    "sudo",
    "systemd",
    "systemd-sysv",
    "udev",
    "util-linux",
    "xrdp",
];

/// The root's folder, made now if it is not there.
pub(super) fn cached() -> Result<PathBuf> {
    let recipe = recipe();
    let digest = Sha256::digest(recipe.as_bytes());
    let digest = format!(
        "{:016x}",
        digest
            .iter()
            .take(8)
            .fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte))
    );
    let roots = cache().join("roots");
    fs::create_dir_all(&roots)?;
    let root = roots.join(digest);
    // Whoever comes second waits for the first.
    let lock = File::create(roots.join(".lock"))?;
    let _kept = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, error)| error)?;
    if !root.exists() {
        make(&root, &recipe)?;
    }
    Ok(root)
}

fn recipe() -> String {
    format!(
        "set -e\n\
         groupadd researchers\n\
         groupadd admins\n\
         useradd --create-home --shell /bin/bash --groups researchers {RESEARCHER}\n\
         useradd --create-home --shell /bin/bash --groups admins {OPERATOR}\n\
         echo '{RESEARCHER}:{PASSWORD}' | chpasswd\n\
         echo '{OPERATOR}:{PASSWORD}' | chpasswd\n\
         echo '%admins ALL=(ALL:ALL) ALL' >/etc/sudoers.d/admins\n\
         chmod 0440 /etc/sudoers.d/admins\n\
         echo 'nameserver {resolver}' >/etc/resolv.conf\n\
         echo '127.0.0.1 localhost dsvm-01' >/etc/hosts\n\
         systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
         e2scrub_all.timer fstrim.timer man-db.timer console-getty.service getty@.service\n\
         # {SUITE} {packages}\n",
        resolver = addresses::RESOLVER,
        packages = PACKAGES.join(" "),
    )
}

#[expect(
    clippy::print_stderr,
    reason = "it takes a minute, once: whoever waits should know for what"
)]
fn make(root: &PathBuf, recipe: &str) -> Result<()> {
    eprintln!("lab: making the machine's root {} (once)", root.display());
    let unfinished = root.with_extension("partial");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    let log = root.with_extension("log");
    let said = File::create(&log)?;
    let script = root.with_extension("sh");
    fs::write(&script, recipe)?;
    let made = Command::new("mmdebstrap")
        .args([
            "--variant=minbase",
            "--format=directory",
            "--aptopt=Apt::Install-Recommends \"false\"",
        ])
        .arg(format!("--include={}", PACKAGES.join(",")))
        .arg(format!(
            "--customize-hook=copy-in {} /tmp",
            script.display()
        ))
        .arg(format!(
            "--customize-hook=chroot \"$1\" sh /tmp/{}",
            script.file_name().unwrap_or_default().to_string_lossy()
        ))
        .arg("--customize-hook=rm \"$1\"/tmp/*.sh")
        .arg(SUITE)
        .arg(&unfinished)
        .stdin(Stdio::null())
        .stdout(said.try_clone()?)
        .stderr(said)
        .status()
        .context("run mmdebstrap (scripts/lab-parts.sh installs it)")?;
    ensure!(made.success(), "mmdebstrap failed: see {}", log.display());
    fs::remove_file(&script)?;
    fs::rename(&unfinished, root).context("keep the root")
}
