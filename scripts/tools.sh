#!/bin/bash
# Installs the tools that make a release: pinned, for this user only, under ~/.cache/sealed-dsvm/tools.
#
#   scripts/tools.sh zig    cargo-zigbuild and zig: links against an old glibc
#   scripts/tools.sh deb    cargo-deb: packs the agent
#   scripts/tools.sh path   says where they are, as a part of PATH
#
# Needs python3 with venv (python3-venv) and cargo. A tool that is there already costs nothing.
set -euo pipefail

zig_version=0.15.2
zigbuild_version=0.23.4
deb_version=3.8.0
tools=${DSVM_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/sealed-dsvm/tools}
zig=$tools/zig-$zig_version-$zigbuild_version
deb=$tools/cargo-deb-$deb_version

# Two builds may want the same tool at once; the second waits.
locked() {
    mkdir -p "$tools"
    exec 9>"$tools/.lock"
    flock 9
}

install_zig() {
    [[ -e $zig/.complete ]] && return
    locked
    [[ -e $zig/.complete ]] && return
    echo "installing zig $zig_version and cargo-zigbuild $zigbuild_version to $zig" >&2
    rm -rf "$zig"
    python3 -m venv "$zig"
    "$zig/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
        "ziglang==$zig_version" "cargo-zigbuild==$zigbuild_version" >&2
    touch "$zig/.complete"
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
    zig) install_zig ;;
    deb) install_deb ;;
    path) echo "$zig/bin:$deb/bin" ;;
    *)
        sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
esac
