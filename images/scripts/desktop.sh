#!/bin/sh
# Runs as root in the build VM, after the binaries are installed and before the policy is enforced.
set -eu

# The session that a researcher gets over the remote desktop.
printf 'exec openbox-session\n' >/etc/skel/.xsession
install -o researcher -g researcher -m 0644 /etc/skel/.xsession /home/researcher/.xsession

# Researchers find the imported Python packages without knowing where they are.
cat >/etc/profile.d/research.sh <<'END'
PATH=/opt/research/bin:$PATH
END
chmod 0644 /etc/profile.d/research.sh

# A binary that is there but does not run would be found by a researcher, weeks later.
samtools --version >/dev/null
plink1.9 --version >/dev/null
/opt/research/bin/python -c 'import natsort; assert natsort.natsorted(["chr10", "chr2"]) == ["chr2", "chr10"]'
