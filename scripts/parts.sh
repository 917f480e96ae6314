#!/usr/bin/env bash
# Installs the Debian packages that a job needs, by name, and says which.
#   scripts/parts.sh demo|test
# Pinned by the distribution: whatever Debian 12 (or Ubuntu 22.04+) ships under these names.
set -euo pipefail

build=(build-essential python3-venv)
image=(e2fsprogs fdisk dosfstools mtools mmdebstrap openssh-client ovmf packer qemu-system-x86
  qemu-utils systemd-boot-efi xorriso zstd)
test=(binutils clamav nftables openssh-server shellcheck sudo systemd-container)

case "${1:-}" in
  demo) wanted=("${build[@]}" "${image[@]}") ;;
  test) wanted=("${build[@]}" "${image[@]}" "${test[@]}") ;;
  *)
    echo "usage: scripts/parts.sh demo|test" >&2
    exit 2
    ;;
esac

missing=()
for package in "${wanted[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
[ "${#missing[@]}" -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "error: install ${missing[*]}" >&2
    echo "  hint: run as root, or install sudo" >&2
    exit 3
  }
  as_root=(sudo)
fi

echo "parts: installing ${missing[*]}" >&2
# RUNLEVEL=1 keeps the packages' services from being started on this machine.
install=(env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq -o Dpkg::Use-Pty=0
  -o APT::Update::Error-Mode=any)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { "${as_root[@]}" apt-get -qq update && "${as_root[@]}" "${install[@]}" install --yes \
  --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "error: install ${missing[*]}" >&2
  exit 3
fi
