#!/bin/bash
# Makes the image conform to the image phase of its policy. What still deviates (1) is for the gate to
# refuse: it names the control in a report that is kept.
set -euo pipefail

code=0
dsvm-agent enforce --phase image || code=$?
if [ "$code" -gt 1 ]; then
    exit "$code"
fi
