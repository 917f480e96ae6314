#!/bin/bash
# Says the newest version of glibc that a program needs, such as 2.31.
set -euo pipefail

needed=$(readelf --version-info --wide "$1" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1)
echo "${needed#GLIBC_}"
