#!/usr/bin/env bash
# Installs what the lab is made of, pinned, and says what it installs.
#   scripts/lab-parts.sh
# From Debian: dnsmasq, iproute2, nftables, systemd-container and what else the list below names.
# From npm: Azurite, at the versions and hashes of tests/lab/azurite/package-lock.json, to
# ~/.cache/sealed-dsvm/lab (DSVM_LAB names another folder). What is there already costs nothing.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
lab=${DSVM_LAB:-${XDG_CACHE_HOME:-$HOME/.cache}/sealed-dsvm/lab}

packages=(ca-certificates curl dnsmasq-base iproute2 mmdebstrap nftables openssl systemd-container
  util-linux)
# Node may have come another way than from Debian.
command -v node >/dev/null || packages+=(nodejs)
command -v npm >/dev/null || packages+=(npm)

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
      echo "error: install ${missing[*]}" >&2
      echo "  hint: run as root, or install sudo" >&2
      exit 3
    }
    as_root=(sudo)
  fi
  echo "lab parts: installing ${missing[*]}" >&2
  # RUNLEVEL=1 keeps the packages' services from being started on this machine.
  install=(env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq -o Dpkg::Use-Pty=0)
  log=$(mktemp)
  if ! { "${as_root[@]}" apt-get -qq update && "${as_root[@]}" "${install[@]}" install --yes \
    --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    echo "error: install ${missing[*]}" >&2
    exit 3
  fi
  rm -f "$log"
fi

version=$(sed -n 's/.*"azurite": "\(.*\)".*/\1/p' "$top/tests/lab/azurite/package.json")
azurite=$lab/azurite-$version
mkdir -p "$lab"
exec 9>"$lab/.parts"
flock 9
if [ ! -e "$azurite/.complete" ]; then
  echo "lab parts: installing Azurite $version to $azurite" >&2
  rm -rf "$azurite"
  mkdir -p "$azurite"
  cp "$top/tests/lab/azurite/"package*.json "$azurite/"
  # Its engines ask for a newer Node than Debian has; the blob service does without.
  # No script of a package is run.
  (cd "$azurite" && npm ci --silent --ignore-scripts --omit=dev --no-audit --no-fund >&2)
  touch "$azurite/.complete"
fi
