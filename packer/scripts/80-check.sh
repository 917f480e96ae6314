#!/bin/bash
# Shows early what the gate will judge. A deviation (1) is no reason to stop: the gate decides.
set -euo pipefail

code=0
dsvm-agent check --phase image || code=$?
if [ "$code" -gt 1 ]; then
    exit "$code"
fi
