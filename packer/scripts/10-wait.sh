#!/bin/bash
# Waits until the machine is done with its own first start.
set -euo pipefail

if command -v cloud-init > /dev/null; then
    cloud-init status --wait > /dev/null || true
fi
# dpkg is free when nobody holds its lock; a distribution's own updates may hold it for minutes.
for _ in $(seq 150); do
    if flock --nonblock /var/lib/dpkg/lock-frontend true; then
        exit 0
    fi
    sleep 2
done
echo 'error: another program keeps dpkg locked' >&2
exit 1
