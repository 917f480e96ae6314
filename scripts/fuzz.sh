#!/usr/bin/env bash
# Searches for inputs that make a loader panic: scripts/fuzz.sh SECONDS
# Needs the nightly toolchain, which has the instrumentation.
set -euo pipefail

seconds=${1:?usage: scripts/fuzz.sh SECONDS}
cd "$(dirname "$0")/.."
scripts/tools.sh fuzz
tools=${DSVM_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/sealed-dsvm/tools}
for target in fuzz/fuzz_targets/*.rs; do
  name=$(basename "$target" .rs)
  echo "fuzzing $name for $seconds s" >&2
  "$tools/bin/cargo-fuzz" run "$name" -- -max_total_time="$seconds" -max_len=65536
done
