#!/bin/bash
# Makes the image conform to the image phase of its policy. What is left to sealing deviates still (1), and
# the gate decides; what could not be done (3) ends the build.
set -euo pipefail

code=0
dsvm-agent enforce --phase image || code=$?
if [ "$code" -gt 1 ]; then
    exit "$code"
fi
