#!/usr/bin/env bash
# Removes what one run of the lab made, once its owner has ended, however it ended.
#   keeper.sh keep FOLDER    waits for the end of standard input, which the owner holds open
#   keeper.sh sweep RUNS     removes the runs under RUNS that nobody keeps any more
# A run is a folder; its name begins the names of its network namespaces. Whoever keeps it locks it.
set -uo pipefail

remove() {
  local folder=$1 name namespace
  name=$(basename "$folder")
  for namespace in $(ip netns list | awk '{ print $1 }'); do
    [[ $namespace == "$name"-* ]] || continue
    # Processes may start others while they are being ended.
    for _ in 1 2 3 4 5; do
      mapfile -t running < <(ip netns pids "$namespace")
      [ "${#running[@]}" -gt 0 ] || break
      kill -KILL "${running[@]}" 2>/dev/null
      sleep 0.1
    done
    ip netns delete "$namespace"
    rm -rf "/etc/netns/$namespace"
  done
  for group in /sys/fs/cgroup/*/"$name" /sys/fs/cgroup/"$name"; do
    [ -d "$group" ] && find "$group" -depth -type d -exec rmdir {} + 2>/dev/null
  done
  rm -rf --one-file-system "$folder"
}

case "${1:-}" in
  keep)
    # A terminal's Ctrl-C reaches the whole group; the keeper outlives it to clean up.
    trap '' INT TERM HUP
    exec 9>"$2/kept"
    flock 9
    cat >/dev/null
    remove "$2"
    ;;
  sweep)
    for folder in "$2"/*/; do
      [ -e "$folder/kept" ] || continue
      exec 9>"$folder/kept"
      flock --nonblock 9 && remove "${folder%/}"
    done
    exit 0
    ;;
  *)
    sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
