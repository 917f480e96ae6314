#!/usr/bin/env bash
# Gets the files that the example's data owners would hand over, into images/incoming.
# Debian's packages come from this machine's own apt, the wheel from its own pip; the recipe says what
# each file must be, so it does not matter which mirror they come from.
set -euo pipefail

cd "$(dirname "$0")"
mkdir -p incoming
cd incoming

debs=(samtools=1.16.1-1 plink1.9=1.90~b6.26-220402-1)
wheel=natsort==8.4.0

for deb in "${debs[@]}"; do
  compgen -G "${deb%%=*}_*.deb" >/dev/null && continue
  echo "fetching $deb" >&2
  # Root's own downloads need no other user, and this folder may not be open to one.
  if ! apt-get -qq -o APT::Sandbox::User="$(id -un)" download "$deb"; then
    echo "error: fetch $deb" >&2
    echo "  hint: the example is made of Debian 12; \`apt-get update\` refreshes what apt knows" >&2
    exit 3
  fi
done

if ! compgen -G "${wheel%%==*}-*.whl" >/dev/null; then
  echo "fetching $wheel" >&2
  venv=$(mktemp -d)
  trap 'rm -rf "$venv"' EXIT
  python3 -m venv "$venv"
  "$venv/bin/pip" --quiet --disable-pip-version-check download --no-deps --only-binary=:all: "$wheel"
fi
