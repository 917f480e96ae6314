#!/usr/bin/env bash
# Starts a machine in control groups of its own, so that machines of several runs do not share one.
#   boot.sh NAME COMMAND…
set -euo pipefail

name=$1
shift
for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
  [ -e "$hierarchy/cgroup.procs" ] || continue
  mkdir -p "$hierarchy/$name"
  echo $$ >"$hierarchy/$name/cgroup.procs"
done
exec "$@"
