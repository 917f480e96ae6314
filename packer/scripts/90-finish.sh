#!/bin/bash
# The last traces of the build, and room that is free is handed back to the disk.
set -euo pipefail

cd /
umount /var/tmp/imagebuild 2> /dev/null || true
rm -rf /var/tmp/imagebuild /var/lib/dsvm-agent/*
find /var/tmp /tmp -xdev -mindepth 1 -maxdepth 1 ! -name 'script_*' -exec rm -rf {} +
rm -f /tmp/script_*
fstrim / || true
sync
