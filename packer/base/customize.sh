#!/bin/sh
# Turns an installed Debian into the root of a base disk. mmdebstrap runs it with the root's folder.
# SEALED_USERS has one account a line: NAME:GROUP,GROUP
set -eu
root=$1

# What only slows an image down, or has no place in one.
chroot "$root" systemctl mask --quiet \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer \
    e2scrub_all.timer e2scrub_reap.service systemd-binfmt.service \
    dev-hugepages.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
    modprobe@drm.service modprobe@fuse.service modprobe@dm_mod.service modprobe@loop.service
rm -f "$root/etc/systemd/system/multi-user.target.wants/e2scrub_reap.service"
chroot "$root" systemctl enable --quiet systemd-networkd.service systemd-resolved.service ssh.service
chroot "$root" systemctl set-default --quiet multi-user.target
chroot "$root" systemctl disable --quiet systemd-pstore.service

printf '%s\n' "$SEALED_USERS" | while IFS=: read -r name groups; do
    [ -n "$name" ] || continue
    for group in $(printf '%s' "$groups" | tr , ' '); do
        chroot "$root" groupadd --force "$group"
    done
    chroot "$root" useradd --create-home --shell /bin/bash --groups "$groups" "$name"
done

# Nothing of the machine that makes the disk, and nothing that two disks must not share.
rm -f "$root"/etc/ssh/ssh_host_*
ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
printf 'sealed\n' > "$root/etc/hostname"
: > "$root/etc/machine-id"
rm -rf "$root"/var/lib/dbus/machine-id "$root"/var/cache/ldconfig/aux-cache \
    "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin
rm -f "$root"/etc/apt/sources.list "$root"/etc/passwd- "$root"/etc/shadow- "$root"/etc/group- \
    "$root"/etc/gshadow- "$root"/etc/subuid- "$root"/etc/subgid- \
    "$root"/var/lib/dpkg/*-old "$root"/var/cache/debconf/*-old
rm -f "$root"/etc/ssl/private/ssl-cert-snakeoil.key "$root"/etc/ssl/certs/ssl-cert-snakeoil.pem \
    "$root"/etc/xrdp/rsakeys.ini
# Emptied and not removed: some services cannot make their log themselves.
find "$root/var/log" -type f -exec truncate --size=0 {} +
rm -rf "$root"/var/log/journal "$root"/var/log/apt "$root"/var/log/bootstrap.log
