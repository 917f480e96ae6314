#!/bin/bash
# Builds the agent's Debian package: target/debian/dsvm-agent_VERSION_amd64.deb.
# The same sources give the same package, byte for byte. When nothing has changed, nothing is done.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-$PWD/target}
triple=x86_64-unknown-linux-gnu
built=$target/$triple/release
docs=$built/agent-docs
oldest_glibc=2.31

scripts/tools.sh zig
scripts/tools.sh deb
PATH=$(scripts/tools.sh path):$PATH
export CARGO_TARGET_DIR=$target PATH
# Any day will do; it must only be the same one every time.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1767225600}
# Folders of the machine that builds would make the program differ from place to place.
export RUSTFLAGS="--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo --remap-path-prefix=$PWD=/src"

cargo zigbuild --locked --quiet --release --target "$triple.$oldest_glibc" -p dsvm-agent --bin dsvm-agent

version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
deb=$target/debian/dsvm-agent_${version}_amd64.deb
inputs=$(find agent/dist agent/debian agent/Cargo.toml agent/build-deb.sh policies/baseline \
    scripts/tools.sh "$built/dsvm-agent" -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)
if [[ -e $deb && -e $deb.inputs && $(<"$deb.inputs") == "$inputs" ]]; then
    echo "$deb"
    exit 0
fi

newest=$(agent/newest-glibc.sh "$built/dsvm-agent")
if [[ $(printf '%s\n' "$newest" "$oldest_glibc" | sort -V | tail -n 1) != "$oldest_glibc" ]]; then
    echo "error: the program needs glibc $newest, and the oldest system has $oldest_glibc" >&2
    exit 1
fi

rm -rf "$docs"
mkdir -p "$docs"
"$built/dsvm-agent" man "$docs/man"
gzip -9n "$docs"/man/*.8
"$built/dsvm-agent" completions bash >"$docs/dsvm-agent.bash"
"$built/dsvm-agent" completions fish >"$docs/dsvm-agent.fish"
"$built/dsvm-agent" completions zsh >"$docs/_dsvm-agent"

mkdir -p "$target/debian"
cargo deb --quiet --no-build --no-strip -p dsvm-agent --target "$triple" --deb-revision "" \
    --output "$deb.partial" >/dev/null
mv "$deb.partial" "$deb"
echo "$inputs" >"$deb.inputs"
echo "$deb"
