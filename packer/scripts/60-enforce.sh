#!/bin/bash
# Makes the image conform to the image phase of its policy.
set -euo pipefail

dsvm-agent enforce --phase image
