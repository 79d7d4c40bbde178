#!/bin/sh
# Installs what the faults of a chaos run and of test:cluster need, where it is missing: Debian's iproute2, iptables, e2fsprogs,
# util-linux, gcc and strace.
# Needs root. Without it, or without them, those faults are skipped by name.
set -eu
wanted=''
for pair in ip:iproute2 iptables:iptables mkfs.ext4:e2fsprogs nsenter:util-linux setpriv:util-linux gcc:gcc strace:strace; do
  PATH="$PATH:/usr/sbin:/sbin" command -v "${pair%%:*}" >/dev/null || wanted="$wanted ${pair##*:}"
done
[ "$(id -u)" -ne 0 ] || command -v gcc >/dev/null || wanted="$wanted libc6-dev"
[ -n "$wanted" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
  echo "install-tools.sh: installing$wanted needs root" >&2
  exit 2
fi
apt-get update -q
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $wanted
