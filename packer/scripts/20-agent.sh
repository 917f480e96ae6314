#!/bin/bash
# Installs the agent and its policy from the folder that the engine has filled.
set -euo pipefail

from=/var/tmp/imagebuild

# Its package starts nothing: the agent runs when the finished image boots, not while it is being made.
DEBIAN_FRONTEND=noninteractive dpkg --install --force-confold "$from"/agent.deb
install -d -m 0755 /etc/dsvm-agent
cp -r --no-preserve=ownership "$from"/policy/. /etc/dsvm-agent/
chown -R root:root /etc/dsvm-agent
find /etc/dsvm-agent -type d -exec chmod 0755 {} + -o -type f -exec chmod 0644 {} +
dsvm-agent policy check /etc/dsvm-agent/policy.toml
