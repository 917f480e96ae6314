#!/usr/bin/env bash
# The main job, from a recipe to a booted, checked image: scripts/demo.sh IMAGEBUILD
set -euo pipefail

imagebuild=${1:?usage: scripts/demo.sh IMAGEBUILD}
scripts/parts.sh demo
images/fetch-example-binaries.sh

as_root=()
# The base disk holds files of root and of other accounts, so only root can make it.
[ "$(id -u)" -eq 0 ] || as_root=(sudo)

"${as_root[@]}" "$imagebuild" build images/research-desktop.toml --out out
"${as_root[@]}" "$imagebuild" verify out/research-desktop-1.0.0
