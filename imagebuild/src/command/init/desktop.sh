#!/bin/sh
# Runs as root in the build VM, before the policy is enforced.
set -eu

# The session that a researcher gets over the remote desktop.
printf 'openbox-session\n' >/etc/skel/.xsession
if [ -d /home/researcher ]; then
  install -o researcher -g researcher -m 0644 /etc/skel/.xsession /home/researcher/.xsession
fi
