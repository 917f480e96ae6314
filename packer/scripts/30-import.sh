#!/bin/bash
# Lets the agent verify and install the staged binaries. Nothing else installs anything.
set -euo pipefail

dsvm-agent import /var/tmp/imagebuild/staged/manifest.json
