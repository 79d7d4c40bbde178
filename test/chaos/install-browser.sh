#!/bin/sh
# Installs the browser in which a run's report is looked at: Debian's chromium. Needs root.
set -eu
command -v chromium >/dev/null && exit 0
if [ "$(id -u)" -ne 0 ]; then
  echo 'install-browser.sh: installing chromium needs root' >&2
  exit 2
fi
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium
